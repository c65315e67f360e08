/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Octets as hexadecimal text.
 *
 * sscanf() would accept signs and blanks, which a key in a file must not have; so a digit is
 * looked up here.
 */
#include <errno.h>
#include <string.h>

#include "hex.h"

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int hex_decode(const char *text, uint8_t *ret_octets, size_t size, size_t *ret_length) {
    size_t digits = strlen(text);

    if (digits % 2 != 0)
        return -EINVAL;
    if (digits / 2 > size)
        return -EMSGSIZE;
    for (size_t i = 0; i < digits / 2; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        ret_octets[i] = (uint8_t)(high << 4 | low);
    }
    *ret_length = digits / 2;
    return 0;
}

int hex_decode_exactly(const char *text, uint8_t *ret_octets, size_t length) {
    size_t got;
    int r;

    r = hex_decode(text, ret_octets, length, &got);
    if (r < 0)
        return r;
    return got == length ? 0 : -EMSGSIZE;
}

void hex_encode(const uint8_t *octets, size_t length, char *ret_text) {
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        ret_text[2 * i] = digits[octets[i] >> 4];
        ret_text[2 * i + 1] = digits[octets[i] & 0x0f];
    }
    ret_text[2 * length] = '\0';
}
