/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Checks on the text of a line, before anybody gives it a meaning.
 */

#include <stddef.h>

/**
 * conf_text_is_wrong() - NULL when @length octets are UTF-8 (RFC 3629) without control characters but
 * horizontal tab; else what is wrong with them
 */
const char *conf_text_is_wrong(const char *text, size_t length);

/**
 * conf_shape_is_wrong() - NULL when @line (NUL-terminated, without newline) is blank, a comment, a section's header
 * or an assignment with names that are short enough; else what is wrong with it
 */
const char *conf_shape_is_wrong(const char *line);
