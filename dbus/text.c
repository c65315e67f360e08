/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Text for the bus.
 *
 * Readers' names, server names and reasons come from outside, and a failure's text may have been cut in the middle of
 * a character. sd-bus would refuse to send them, and the user would see an empty error instead of the reason.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

/* The code points that D-Bus allows (RFC 3629, less the noncharacters that sd-bus refuses). */
static bool code_point_allowed(uint32_t c, size_t length) {
    static const uint32_t least[] = {0, 0x20, 0x80, 0x800, 0x10000};

    if (c < least[length] || c == 0x7f || c > 0x10ffff)
        return false;
    if (c >= 0xd800 && c <= 0xdfff)
        return false;
    return !(c >= 0xfdd0 && c <= 0xfdef) && (c & 0xfffe) != 0xfffe;
}

/* Octets of the character at @s, 0 where there is no valid one. */
static size_t character_length(const unsigned char *s) {
    size_t length;
    uint32_t c;

    if (s[0] < 0x80)
        length = 1, c = s[0];
    else if ((s[0] & 0xe0) == 0xc0)
        length = 2, c = s[0] & 0x1fu;
    else if ((s[0] & 0xf0) == 0xe0)
        length = 3, c = s[0] & 0x0fu;
    else if ((s[0] & 0xf8) == 0xf0)
        length = 4, c = s[0] & 0x07u;
    else
        return 0;

    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    return code_point_allowed(c, length) ? length : 0;
}

void text_copy(char *ret, size_t size, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    size_t used = 0;

    while (*s) {
        size_t length = character_length(s);

        if (used + (length ? length : 1) >= size)
            break;
        if (length == 0) {
            ret[used++] = '?';
            s++;
            continue;
        }
        memcpy(ret + used, s, length);
        used += length;
        s += length;
    }
    ret[used] = '\0';
}
