/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Hex and base64.
 *
 * Base64 comes from the network (the nonce of a challenge), so the decoder takes the one canonical
 * spelling of a value and no other: no white space, no missing padding, no bits that are thrown away.
 */

#include <errno.h>
#include <string.h>

#include "util.h"

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(const void *data, size_t length, char *ret) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *octets = data;

    for (size_t i = 0; i < length; i++) {
        ret[2 * i] = digits[octets[i] >> 4];
        ret[2 * i + 1] = digits[octets[i] & 0x0f];
    }
    ret[2 * length] = '\0';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -EINVAL;
}

int hex_decode(const char *text, void *ret, size_t size, size_t *ret_length) {
    size_t length = strlen(text);
    uint8_t *octets = ret;

    if (length % 2 != 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++)
        if (hex_digit(text[i]) < 0)
            return -EINVAL;
    if (length / 2 > size)
        return -ENOBUFS;

    for (size_t i = 0; i < length / 2; i++)
        octets[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    *ret_length = length / 2;
    return 0;
}

int base64_encode(const void *data, size_t length, char **ret) {
    const uint8_t *octets = data;
    char *text, *p;

    if (length > SIZE_MAX / 2)
        return -ENOMEM;
    text = p = malloc((length + 2) / 3 * 4 + 1);
    if (!text)
        return -ENOMEM;

    for (size_t i = 0; i < length; i += 3) {
        size_t rest = length - i;
        uint32_t bits = (uint32_t)octets[i] << 16;

        if (rest > 1)
            bits |= (uint32_t)octets[i + 1] << 8;
        if (rest > 2)
            bits |= octets[i + 2];
        *p++ = base64_alphabet[bits >> 18];
        *p++ = base64_alphabet[bits >> 12 & 0x3f];
        *p++ = rest > 1 ? base64_alphabet[bits >> 6 & 0x3f] : '=';
        *p++ = rest > 2 ? base64_alphabet[bits & 0x3f] : '=';
    }
    *p = '\0';
    *ret = text;
    return 0;
}

static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return -EINVAL;
}

/* Whether the text is canonical, and how many of its characters are padding. */
static int base64_padding(const char *text, size_t length) {
    int padding = 0;

    if (length % 4 != 0)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (text[length - 1] == '=')
        padding = text[length - 2] == '=' ? 2 : 1;
    for (size_t i = 0; i < length - (size_t)padding; i++)
        if (base64_digit(text[i]) < 0)
            return -EINVAL;

    /* The bits of the last digit that belong to no octet must be zero. */
    if (padding == 1 && base64_digit(text[length - 2]) & 0x03)
        return -EINVAL;
    if (padding == 2 && base64_digit(text[length - 3]) & 0x0f)
        return -EINVAL;
    return padding;
}

int base64_decode(const char *text, size_t text_length, void *ret, size_t size,
                  size_t *ret_length) {
    uint8_t *octets = ret;
    size_t length, n = 0;
    uint32_t bits = 0;
    int padding;

    padding = base64_padding(text, text_length);
    if (padding < 0)
        return padding;
    length = text_length / 4 * 3 - (size_t)padding;
    if (length > size)
        return -ENOBUFS;

    for (size_t i = 0; i < text_length - (size_t)padding; i++) {
        bits = bits << 6 | (uint32_t)base64_digit(text[i]);
        if (i % 4 != 0)
            octets[n++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *ret_length = n;
    return 0;
}
