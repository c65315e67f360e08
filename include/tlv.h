/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * BER-TLV as cards use it (TS 101 220 7.1, ISO/IEC 7816-4 5.2.2): tags of one or two octets, lengths of
 * one to three octets, padding with 00 or FF between objects.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tlv {
    uint16_t tag;
    const uint8_t *value; /* points into the input */
    size_t length;
};

/* The rest of an input; starts as {data, length}. */
struct tlv_cursor {
    const uint8_t *data;
    size_t length;
};

/**
 * tlv_next() - the next object
 *
 * Return: 1 with *@ret; 0 at the end (padding after the last object is skipped); -EBADMSG when a tag or
 * length does not fit in what is there. The cursor is past the object only for 1.
 */
int tlv_next(struct tlv_cursor *cursor, struct tlv *ret);

/**
 * tlv_find() - the first object with @tag among those at @data, not inside them
 *
 * Return: 0; -ENOENT; -EBADMSG.
 */
int tlv_find(const uint8_t *data, size_t length, uint16_t tag, struct tlv *ret);
