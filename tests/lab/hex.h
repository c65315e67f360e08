/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Octets as hexadecimal text, for configuration files, control commands and tests.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes TEXT, an even number of hexadecimal digits and nothing else, into at most SIZE octets of
 * RET_OCTETS and stores their number in RET_LENGTH. RET_OCTETS may be partly written on failure.
 *
 * Returns 0; -EINVAL for an odd number of digits or another character; -EMSGSIZE for more than
 * SIZE octets.
 */
int hex_decode(const char *text, uint8_t *ret_octets, size_t size, size_t *ret_length);

/*
 * As hex_decode(), for exactly LENGTH octets. Returns 0, -EINVAL or -EMSGSIZE (too long or too
 * short).
 */
int hex_decode_exactly(const char *text, uint8_t *ret_octets, size_t length);

/*
 * Writes LENGTH octets as lower case digits and a NUL into RET_TEXT, which has room for
 * 2*LENGTH+1.
 */
void hex_encode(const uint8_t *octets, size_t length, char *ret_text);
