/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Points in time as text. http_date_parse() is in gba.h.
 */

#include <stdint.h>

/**
 * xs_datetime_parse() - an xs:dateTime of the years 1970 to 9999 (XML Schema part 2, 3.2.7) as seconds since the epoch
 *
 * Without a zone it is UTC; fractions of a second are dropped. No white space, no 24:00:00, no leap second.
 *
 * Return: 0; -EINVAL.
 */
int xs_datetime_parse(const char *text, int64_t *ret);
