/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the files that name the card and its subscriber mean.
 *
 * Pure functions over octets that the card gave: digits come in pairs with the halves swapped, and F
 * fills what is left over. An identity that does not hold to that is refused rather than guessed at,
 * because a wrong digit names another subscriber.
 */

#include <errno.h>
#include <string.h>

#include "tlv.h"
#include "uicc-internal.h"
#include "util.h"

#define TAG_APPLICATION 0x61
#define TAG_AID         0x4f
#define TAG_LABEL       0x50
#define TAG_TEXT        0x80 /* EF_IMPI, EF_DOMAIN */
#define FILLER          0xf

static uint8_t nibble(const uint8_t *data, size_t index) {
    return index % 2 == 0 ? data[index / 2] & 0x0f : data[index / 2] >> 4;
}

/* The digits from nibble @first to the filler; after the first filler there may be nothing else. */
static int digits_parse(const uint8_t *data, size_t length, size_t first, char *ret, size_t min,
                        size_t max) {
    size_t count = 0, i;

    for (i = first; i < 2 * length && nibble(data, i) != FILLER; i++)
        count++;
    for (; i < 2 * length; i++)
        if (nibble(data, i) != FILLER)
            return -EBADMSG;
    if (count < min || count > max)
        return -EBADMSG;
    for (i = first; i < first + count; i++)
        if (nibble(data, i) > 9)
            return -EBADMSG;
    for (i = 0; i < count; i++)
        ret[i] = (char)('0' + nibble(data, first + i));
    ret[count] = '\0';
    return 0;
}

int imsi_parse(const uint8_t *data, size_t length, char ret[IMSI_MAX + 1]) {
    if (length < 2 || data[0] < 1 || data[0] > 8 || data[0] > length - 1)
        return -EBADMSG;
    /* TS 24.008 10.5.1.4: type 001 is IMSI. The parity bit is not looked at: cards in the field have it
     * wrong, and the filler says the same. */
    if ((data[1] & 0x07) != 1)
        return -EBADMSG;
    return digits_parse(data + 1, data[0], 1, ret, IMSI_MIN, IMSI_MAX);
}

int iccid_parse(const uint8_t *data, size_t length, char ret[ICCID_MAX + 1]) {
    if (length > ICCID_MAX / 2)
        length = ICCID_MAX / 2;
    return digits_parse(data, length, 0, ret, 1, ICCID_MAX);
}

unsigned mnc_length_parse(const uint8_t *data, size_t length) {
    unsigned digits;

    if (length < 4)
        return 0;
    digits = data[3] & 0x0f;
    return digits == 2 || digits == 3 ? digits : 0;
}

static void label_take(const uint8_t *data, size_t length, struct uicc_listed *listed) {
    if (length >= sizeof(listed->label) || !text_is_plain((const char *)data, length))
        return;
    memcpy(listed->label, data, length);
    listed->label[length] = '\0';
}

static enum uicc_application aid_kind(const struct tlv *aid) {
    if (aid->length < AID_PREFIX_LENGTH)
        return UICC_NO_APPLICATION;
    if (memcmp(aid->value, USIM_AID_PREFIX, AID_PREFIX_LENGTH) == 0)
        return UICC_USIM;
    if (memcmp(aid->value, ISIM_AID_PREFIX, AID_PREFIX_LENGTH) == 0)
        return UICC_ISIM;
    return UICC_NO_APPLICATION;
}

int dir_record_parse(const uint8_t *data, size_t length, struct uicc_listed *ret) {
    struct uicc_listed listed = {0};
    struct tlv application, aid, label;
    enum uicc_application kind;
    int r;

    r = tlv_find(data, length, TAG_APPLICATION, &application);
    if (r == -ENOENT)
        return UICC_NO_APPLICATION;
    if (r < 0)
        return r;
    r = tlv_find(application.value, application.length, TAG_AID, &aid);
    if (r < 0)
        return -EBADMSG;
    kind = aid_kind(&aid);
    if (kind == UICC_NO_APPLICATION)
        return UICC_NO_APPLICATION;
    if (aid.length > AID_MAX)
        return -EBADMSG;

    memcpy(listed.aid, aid.value, aid.length);
    listed.aid_length = aid.length;
    if (tlv_find(application.value, application.length, TAG_LABEL, &label) == 0)
        label_take(label.value, label.length, &listed);
    *ret = listed;
    return (int)kind;
}

int impi_parse(const uint8_t *data, size_t length, char *ret, size_t size) {
    struct tlv text;

    if (tlv_find(data, length, TAG_TEXT, &text) < 0 || text.length == 0 || text.length >= size)
        return -EBADMSG;
    for (size_t i = 0, step; i < text.length; i += step) {
        step = utf8_printable((const char *)text.value + i, text.length - i);
        if (step == 0)
            return -EBADMSG;
    }
    memcpy(ret, text.value, text.length);
    ret[text.length] = '\0';
    return 0;
}
