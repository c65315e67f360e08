/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * File control parameters (TS 102 221 11.1.1.3 and 11.1.1.4).
 *
 * SELECT tells how a file is built and, for an application, which PINs guard it. Only what is needed to
 * read files and to name a PIN is taken; objects that are not known are skipped, as the specification wants.
 */

#include <errno.h>

#include "tlv.h"
#include "uicc-internal.h"

#define TAG_FCP             0x62
#define TAG_FCI             0x6f
#define TAG_FILE_SIZE       0x80
#define TAG_FILE_DESCRIPTOR 0x82
#define TAG_PIN_STATUS      0xc6
#define TAG_PS_DO           0x90
#define TAG_KEY_REFERENCE   0x83
#define TAG_USAGE_QUALIFIER 0x95
#define USAGE_VERIFICATION  0x08 /* the universal PIN stands in for PIN1 */

static int parse_descriptor(const struct tlv *object, struct fcp *fcp) {
    const uint8_t *value = object->value;

    if (object->length < 2)
        return -EBADMSG;
    if ((value[0] & 0x38) == 0x38) { /* a DF or ADF */
        fcp->structure = FCP_STRUCTURE_OTHER;
        return 0;
    }
    switch (value[0] & 0x07) {
    case 1:
        fcp->structure = FCP_STRUCTURE_TRANSPARENT;
        return 0;
    case 2:
        if (object->length < 4)
            return -EBADMSG;
        fcp->structure = FCP_STRUCTURE_LINEAR;
        fcp->record_length = (size_t)value[2] << 8 | value[3];
        if (fcp->record_length < 1 || fcp->record_length > 255)
            return -EBADMSG;
        fcp->records = object->length >= 5 ? value[4] : 0;
        return 0;
    default:
        fcp->structure = FCP_STRUCTURE_OTHER;
        return 0;
    }
}

static int parse_size(const struct tlv *object, struct fcp *fcp) {
    if (object->length < 1 || object->length > 4)
        return -EBADMSG;
    fcp->size = 0;
    for (size_t i = 0; i < object->length; i++)
        fcp->size = fcp->size << 8 | object->value[i];
    fcp->has_size = true;
    return 0;
}

/* Bit number @index of PS_DO, b8 of its first octet first, says whether key number @index is enabled. */
static bool pin_enabled(const struct tlv *ps_do, size_t index) {
    return index / 8 < ps_do->length && (ps_do->value[index / 8] & (0x80 >> index % 8));
}

/*
 * Which PIN guards the application (TS 102 221 9.5): its PIN1 where that is enabled, else the universal
 * PIN where that is enabled and stands in for it. PIN2 and administrative keys guard other things.
 */
static int parse_pins(const struct tlv *object, struct fcp *fcp) {
    struct tlv_cursor cursor = {.data = object->value, .length = object->length};
    bool pin1 = false, universal = false, verification = false, listed = false;
    struct tlv ps_do = {0}, item;
    uint8_t pin1_reference = 0;
    size_t index = 0;
    int r;

    while ((r = tlv_next(&cursor, &item)) > 0) {
        if (item.tag == TAG_PS_DO) {
            ps_do = item;
        } else if (item.tag == TAG_USAGE_QUALIFIER && item.length == 1) {
            verification = item.value[0] & USAGE_VERIFICATION;
        } else if (item.tag == TAG_KEY_REFERENCE && item.length == 1) {
            uint8_t reference = item.value[0];
            bool enabled = pin_enabled(&ps_do, index++);

            listed = true;
            if (reference == PIN_REFERENCE_UNIVERSAL) {
                universal = enabled;
            } else if (reference >= PIN_REFERENCE_APPLICATION_1 &&
                       reference <= PIN_REFERENCE_APPLICATION_8 && !pin1) {
                pin1 = enabled;
                pin1_reference = reference;
            }
        }
    }
    if (r < 0)
        return r;
    if (!listed || ps_do.length == 0)
        return 0;
    if (pin1 || (universal && verification)) {
        fcp->pin = FCP_PIN_ENABLED;
        fcp->pin_reference = pin1 ? pin1_reference : PIN_REFERENCE_UNIVERSAL;
    } else {
        fcp->pin = FCP_PIN_DISABLED;
    }
    return 0;
}

int fcp_parse(const uint8_t *data, size_t length, struct fcp *ret) {
    struct tlv_cursor cursor = {.data = data, .length = length};
    struct fcp fcp = {0};
    struct tlv object;
    int r;

    r = tlv_next(&cursor, &object);
    if (r < 0)
        return r;
    if (r == 0) {
        *ret = fcp;
        return 0;
    }
    if (object.tag != TAG_FCP && object.tag != TAG_FCI)
        return -EBADMSG;
    cursor = (struct tlv_cursor){.data = object.value, .length = object.length};
    while ((r = tlv_next(&cursor, &object)) > 0) {
        int s = 0;

        if (object.tag == TAG_FILE_DESCRIPTOR)
            s = parse_descriptor(&object, &fcp);
        else if (object.tag == TAG_FILE_SIZE)
            s = parse_size(&object, &fcp);
        else if (object.tag == TAG_PIN_STATUS)
            s = parse_pins(&object, &fcp);
        if (s < 0)
            return s;
    }
    if (r < 0)
        return r;
    *ret = fcp;
    return 0;
}
