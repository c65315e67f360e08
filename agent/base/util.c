/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Deadlines and text.
 *
 * Deadlines count in CLOCK_BOOTTIME: nobody can set it, and it goes on while the machine
 * sleeps, as a key's lifetime does.
 */

#include <limits.h>
#include <string.h>

#include "util.h"

uint64_t deadline_after(uint64_t usec) {
    uint64_t now = now_usec();

    return usec >= USEC_INFINITY - now ? USEC_INFINITY : now + usec;
}

int deadline_poll_msec(uint64_t deadline) {
    uint64_t now, msec;

    if (deadline == USEC_INFINITY)
        return -1;
    now = now_usec();
    if (now >= deadline)
        return 0;

    /* Rounded up, or a caller would spin through the last millisecond. */
    msec = (deadline - now - 1) / USEC_PER_MSEC + 1;
    return msec > INT_MAX ? INT_MAX : (int)msec;
}

void shorten(const char *text, size_t keep, char *ret, size_t size) {
    size_t length = strlen(text);

    if (size == 0)
        return;
    if (length <= keep)
        (void)snprintf(ret, size, "%s", text);
    else
        (void)snprintf(ret, size, "%.*s...", (int)(keep > INT_MAX ? INT_MAX : keep), text);
}

bool text_is_plain(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

/* How many octets the lead octet promises, and the least code point that may be written so. */
static size_t utf8_lead(uint8_t lead, uint32_t *ret_bits, uint32_t *ret_least) {
    if (lead < 0x80) {
        *ret_bits = lead;
        *ret_least = 0;
        return 1;
    }
    if ((lead & 0xe0) == 0xc0) {
        *ret_bits = lead & 0x1f;
        *ret_least = 0x80;
        return 2;
    }
    if ((lead & 0xf0) == 0xe0) {
        *ret_bits = lead & 0x0f;
        *ret_least = 0x800;
        return 3;
    }
    if ((lead & 0xf8) == 0xf0) {
        *ret_bits = lead & 0x07;
        *ret_least = 0x10000;
        return 4;
    }
    return 0;
}

size_t utf8_printable(const char *text, size_t length) {
    uint32_t point, least;
    size_t octets;

    if (length == 0)
        return 0;
    octets = utf8_lead((uint8_t)text[0], &point, &least);
    if (octets == 0 || octets > length)
        return 0;
    for (size_t i = 1; i < octets; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | ((uint8_t)text[i] & 0x3f);
    }
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    if (point < 0x20 || (point >= 0x7f && point <= 0x9f))
        return 0;
    return octets;
}
