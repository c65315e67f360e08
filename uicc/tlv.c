/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BER-TLV as cards use it.
 *
 * Everything here comes from a card, so each octet is looked at only after it is known to be there, and
 * an object whose length does not fit is an error of the input, never a shorter object.
 */

#include <errno.h>

#include "tlv.h"

#define TAG_CONTINUES 0x1f /* all of b5 to b1: the tag has a second octet */

static int read_tag(const uint8_t *data, size_t length, size_t *offset, uint16_t *ret) {
    uint16_t tag = data[(*offset)++];

    if ((tag & TAG_CONTINUES) == TAG_CONTINUES) {
        /* b8 of the second octet would announce a third: no tag of a UICC has three. */
        if (*offset >= length || (data[*offset] & 0x80))
            return -EBADMSG;
        tag = (uint16_t)(tag << 8 | data[(*offset)++]);
    }
    *ret = tag;
    return 0;
}

static int read_length(const uint8_t *data, size_t length, size_t *offset, size_t *ret) {
    size_t value, octets;

    if (*offset >= length)
        return -EBADMSG;
    value = data[(*offset)++];
    if (value >= 0x80) {
        octets = value - 0x80;
        if (octets < 1 || octets > 2 || length - *offset < octets)
            return -EBADMSG;
        for (value = 0; octets > 0; octets--)
            value = value << 8 | data[(*offset)++];
    }
    if (value > length - *offset)
        return -EBADMSG;
    *ret = value;
    return 0;
}

int tlv_next(struct tlv_cursor *cursor, struct tlv *ret) {
    size_t offset = 0, value_length;
    uint16_t tag;
    int r;

    while (offset < cursor->length &&
           (cursor->data[offset] == 0x00 || cursor->data[offset] == 0xff))
        offset++;
    if (offset == cursor->length) {
        cursor->length = 0;
        return 0;
    }
    r = read_tag(cursor->data, cursor->length, &offset, &tag);
    if (r < 0)
        return r;
    r = read_length(cursor->data, cursor->length, &offset, &value_length);
    if (r < 0)
        return r;

    *ret = (struct tlv){.tag = tag, .value = cursor->data + offset, .length = value_length};
    offset += value_length;
    cursor->data += offset;
    cursor->length -= offset;
    return 1;
}

int tlv_find(const uint8_t *data, size_t length, uint16_t tag, struct tlv *ret) {
    struct tlv_cursor cursor = {.data = data, .length = length};
    struct tlv object;
    int r;

    while ((r = tlv_next(&cursor, &object)) > 0)
        if (object.tag == tag) {
            *ret = object;
            return 0;
        }
    return r < 0 ? r : -ENOENT;
}
