/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Text for the bus: D-Bus refuses a whole message for one octet that is not UTF-8.
 */

#include <stddef.h>

/**
 * text_copy() - copy @text into @size octets at @ret, always terminated, with "?" for every octet that is a
 * control character or does not belong to valid UTF-8, and never half a character at the end
 */
void text_copy(char *ret, size_t size, const char *text);
