/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BER-TLV and what is made of it: no input makes the parsers look beyond it, run without end, or give what
 * breaks a limit.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tlv.h"
#include "../../uicc/uicc-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition)
        abort();
}

static void walk(const uint8_t *data, size_t size, unsigned depth) {
    struct tlv_cursor cursor = {.data = data, .length = size};
    struct tlv object, found;
    size_t before;

    for (;;) {
        before = cursor.length;
        if (tlv_next(&cursor, &object) <= 0)
            return;
        check(cursor.length < before);
        check(object.length == 0 ||
              (object.value >= data && object.value + object.length <= data + size));
        check(tlv_find(data, size, object.tag, &found) == 0 && found.tag == object.tag);
        if (depth < 4)
            walk(object.value, object.length, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct uicc_listed listed = {0};
    char impi[IMPI_MAX + 1];
    char imsi[IMSI_MAX + 1], iccid[ICCID_MAX + 1];
    struct fcp fcp;

    walk(data, size, 0);
    if (fcp_parse(data, size, &fcp) == 0) {
        check(fcp.structure != FCP_STRUCTURE_LINEAR ||
              (fcp.record_length >= 1 && fcp.record_length <= 255));
        check(fcp.pin != FCP_PIN_ENABLED || fcp.pin_reference != 0);
    }
    if (dir_record_parse(data, size, &listed) > 0)
        check(listed.aid_length >= AID_PREFIX_LENGTH && listed.aid_length <= AID_MAX &&
              strlen(listed.label) < sizeof(listed.label));
    if (impi_parse(data, size, impi, sizeof(impi)) == 0)
        check(strlen(impi) >= 1 && strlen(impi) < sizeof(impi));
    if (imsi_parse(data, size, imsi) == 0)
        check(strlen(imsi) >= IMSI_MIN && strspn(imsi, "0123456789") == strlen(imsi));
    if (iccid_parse(data, size, iccid) == 0)
        check(strlen(iccid) >= 1 && strspn(iccid, "0123456789") == strlen(iccid));
    return 0;
}
