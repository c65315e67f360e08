/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA_U beyond the bootstrap (TS 33.220 5): keys that the card derives, and the two files in which it and we note
 * what they are from.
 *
 * EF_GBABP is written by both sides, the card first. Cards come with all kinds of things in it, so what does not add
 * up is no bootstrap rather than an error.
 */

#include <errno.h>
#include <string.h>

#include "tlv.h"
#include "uicc-internal.h"
#include "util.h"

#define TAG_NAF_DERIVATION 0xde
#define TAG_SUCCESS        0xdb
#define TAG_NAF_ID         0x80
#define TAG_BTID           0x81
#define UPDATE_MAX         255u /* octets in one UPDATE */

/* --- Derivation -------------------------------------------------------------------------------------- */

static int take_key(const struct apdu_answer *answer, struct secret **ret,
                    struct failure *failure) {
    const uint8_t *data = secret_data(answer->data);
    struct lv_cursor cursor = {.data = data + 1, .length = answer->length - 1};
    struct secret *key = NULL;
    int r = -EBADMSG;

    if (answer->length == 2 + NAF_KEY_LENGTH && data[0] == TAG_SUCCESS)
        r = lv_next(&cursor, NAF_KEY_LENGTH, NAF_KEY_LENGTH, &key);
    if (r == -EBADMSG)
        return authenticate_malformed(answer, failure);
    if (r == 0)
        *ret = key;
    return r;
}

int uicc_gba_derive(struct uicc *uicc, const uint8_t *naf_id, size_t naf_id_length,
                    const char *impi, struct secret **ret, struct failure *failure) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    uint8_t data[3 + UICC_NAF_ID_IMPI_MAX];
    size_t impi_length = strlen(impi), length = 0;
    int r;

    if (naf_id_length > UICC_NAF_ID_IMPI_MAX || impi_length > UICC_NAF_ID_IMPI_MAX - naf_id_length)
        return failure_set(failure, UICC_E_NAF_ID,
                           "NAF_Id (%zu octets) and private identity (%zu) are too long for the "
                           "card, which takes %u octets of both",
                           naf_id_length, impi_length, UICC_NAF_ID_IMPI_MAX);
    data[length++] = TAG_NAF_DERIVATION;
    data[length++] = (uint8_t)naf_id_length;
    memcpy(data + length, naf_id, naf_id_length);
    length += naf_id_length;
    data[length++] = (uint8_t)impi_length;
    memcpy(data + length, impi, impi_length);
    length += impi_length;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = authenticate_begin(uicc, failure);
    if (r != 0)
        return r;
    r = authenticate_send(uicc, AUTHENTICATE_GBA, data, length, &answer, failure);
    if (r == 0)
        r = take_key(&answer, ret, failure);
    authenticate_end(uicc, r == 0);
    return r;
}

/* --- EF_GBABP ------------------------------------------------------------------------------------------ */

/* Three values with their lengths before them; what is behind the third is filler. */
struct gbabp_layout {
    const uint8_t *values[3];
    size_t lengths[3];
};

static bool gbabp_split(const uint8_t *data, size_t length, struct gbabp_layout *ret) {
    size_t offset = 0;

    for (size_t i = 0; i < ELEMENTS(ret->values); i++) {
        if (offset >= length || data[offset] > length - offset - 1)
            return false;
        ret->lengths[i] = data[offset];
        ret->values[i] = data + offset + 1;
        offset += 1 + ret->lengths[i];
    }
    return true;
}

static bool take_plain(const uint8_t *value, size_t length, char *ret, size_t size) {
    if (length == 0 || length >= size || !text_is_plain((const char *)value, length))
        return false;
    memcpy(ret, value, length);
    ret[length] = '\0';
    return true;
}

static uint16_t gbabp_fid(const struct uicc *uicc) {
    return uicc->identity.application == UICC_ISIM ? FID_EF_GBABP_ISIM : FID_EF_GBABP_USIM;
}

/* Files are read and written in a session of their own; a modem that passes no commands has none. */
static int files_begin(struct uicc *uicc, const char *name, struct failure *failure) {
    if (uicc->transport->flags & TRANSPORT_AKA)
        return failure_set(failure, UICC_E_NOT_FOUND,
                           "%s cannot be reached: the modem passes no commands to the card", name);
    return authenticate_begin(uicc, failure);
}

static int gbabp_read(struct uicc *uicc, uint8_t ret[EF_BINARY_MAX], size_t *ret_length,
                      struct failure *failure) {
    struct failure local = {0};
    int r;

    r = file_read_binary(uicc, gbabp_fid(uicc), "EF_GBABP", ret, EF_BINARY_MAX, ret_length, &local);
    if (r == UICC_E_PIN_REQUIRED || r == UICC_E_PIN_BLOCKED)
        return pin_refused(uicc, r, failure);
    return r > 0 ? failure_set(failure, r, "%s", local.text) : r;
}

int uicc_gba_read_bp(struct uicc *uicc, struct uicc_gbabp *ret, struct failure *failure) {
    struct uicc_gbabp gbabp = {0};
    struct gbabp_layout layout;
    uint8_t data[EF_BINARY_MAX];
    size_t length = 0;
    int r;

    r = files_begin(uicc, "EF_GBABP", failure);
    if (r != 0)
        return r;
    r = gbabp_read(uicc, data, &length, failure);
    authenticate_end(uicc, r == 0);
    if (r != 0)
        return r;
    if (!gbabp_split(data, length, &layout) || layout.lengths[0] != AKA_RAND_LENGTH ||
        !take_plain(layout.values[1], layout.lengths[1], gbabp.btid, sizeof(gbabp.btid)) ||
        !take_plain(layout.values[2], layout.lengths[2], gbabp.lifetime, sizeof(gbabp.lifetime)))
        return failure_set(failure, UICC_E_NOT_FOUND, "EF_GBABP holds no bootstrap");
    memcpy(gbabp.rand, layout.values[0], AKA_RAND_LENGTH);
    *ret = gbabp;
    return 0;
}

/* In as few commands as one command has room for. */
static int gbabp_write(struct uicc *uicc, size_t offset, const uint8_t *data, size_t length,
                       struct failure *failure) {
    int r = 0;

    for (size_t done = 0, chunk; r == 0 && done < length; done += chunk) {
        chunk = length - done < UPDATE_MAX ? length - done : UPDATE_MAX;
        r = file_update_binary(uicc, "EF_GBABP", offset + done, data + done, chunk, failure);
    }
    return r;
}

static int gbabp_write_inside(struct uicc *uicc, const uint8_t *rand, const uint8_t *behind,
                              size_t behind_length, struct failure *failure) {
    const size_t offset = 1 + AKA_RAND_LENGTH;
    uint8_t data[EF_BINARY_MAX];
    size_t length = 0;
    int r;

    r = gbabp_read(uicc, data, &length, failure);
    if (r != 0)
        return r;
    if (length < offset || data[0] != AKA_RAND_LENGTH ||
        memcmp(data + 1, rand, AKA_RAND_LENGTH) != 0)
        return failure_set(failure, UICC_E_CONDITIONS,
                           "EF_GBABP does not hold the challenge of this bootstrap: another "
                           "program has bootstrapped with the card meanwhile");
    if (behind_length > length - offset)
        return failure_set(failure, UICC_E_MEMORY,
                           "EF_GBABP has %zu octets; B-TID and lifetime need %zu", length,
                           offset + behind_length);
    return gbabp_write(uicc, offset, behind, behind_length, failure);
}

int uicc_gba_write_bp(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH], const char *btid,
                      const char *lifetime, struct failure *failure) {
    size_t btid_length = strlen(btid), lifetime_length = strlen(lifetime);
    uint8_t behind[2 + UINT8_MAX + LIFETIME_TEXT_MAX];
    int r;

    if (btid_length > UINT8_MAX || lifetime_length > LIFETIME_TEXT_MAX)
        return failure_set(failure, UICC_E_MEMORY,
                           "a B-TID of %zu octets has no room in EF_GBABP, whose lengths are one "
                           "octet",
                           btid_length);
    behind[0] = (uint8_t)btid_length;
    memcpy(behind + 1, btid, btid_length);
    behind[1 + btid_length] = (uint8_t)lifetime_length;
    memcpy(behind + 2 + btid_length, lifetime, lifetime_length);

    r = files_begin(uicc, "EF_GBABP", failure);
    if (r != 0)
        return r;
    r = gbabp_write_inside(uicc, rand, behind, 2 + btid_length + lifetime_length, failure);
    authenticate_end(uicc, r == 0);
    return r;
}

/* --- EF_GBANL ------------------------------------------------------------------------------------------ */

/* NAF_Id is the FQDN and five octets of Ua security protocol identifier behind it. */
static bool gbanl_parse(const uint8_t *data, size_t length, struct uicc_gbanl *ret) {
    struct uicc_gbanl record = {0};
    struct tlv naf_id, btid;
    size_t fqdn;

    if (tlv_find(data, length, TAG_NAF_ID, &naf_id) < 0 || naf_id.length <= UA_PROTOCOL_LENGTH)
        return false;
    fqdn = naf_id.length - UA_PROTOCOL_LENGTH;
    if (!take_plain(naf_id.value, fqdn, record.naf_fqdn, sizeof(record.naf_fqdn)))
        return false;
    memcpy(record.ua_protocol, naf_id.value + fqdn, UA_PROTOCOL_LENGTH);
    if (tlv_find(data, length, TAG_BTID, &btid) < 0 ||
        !take_plain(btid.value, btid.length, record.btid, sizeof(record.btid)))
        return false;
    *ret = record;
    return true;
}

static int gbanl_read(struct uicc *uicc, struct uicc_gbanl *ret, size_t size, size_t *ret_count,
                      struct failure *failure) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    bool isim = uicc->identity.application == UICC_ISIM;
    struct failure local = {0};
    unsigned records;
    size_t count = 0;
    struct fcp fcp;
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = file_select(uicc, isim ? FID_EF_GBANL_ISIM : FID_EF_GBANL_USIM, "EF_GBANL", &fcp, failure);
    if (r != 0)
        return r;
    if (fcp.structure != FCP_STRUCTURE_LINEAR)
        return failure_set(failure, UICC_E_MALFORMED, "EF_GBANL on the card has no records");
    records = fcp.records > 0 && fcp.records < EF_GBANL_RECORDS_MAX ? (unsigned)fcp.records
                                                                    : EF_GBANL_RECORDS_MAX;
    for (unsigned number = 1; number <= records && count < size; number++) {
        r = file_read_record(uicc, "EF_GBANL", number, fcp.record_length, &answer, &local);
        if (r == UICC_E_NOT_FOUND)
            break;
        if (r == UICC_E_PIN_REQUIRED || r == UICC_E_PIN_BLOCKED)
            return pin_refused(uicc, r, failure);
        if (r != 0)
            return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
        count += gbanl_parse(secret_data(answer.data), answer.length, &ret[count]);
    }
    *ret_count = count;
    return 0;
}

int uicc_gba_list(struct uicc *uicc, struct uicc_gbanl *ret, size_t size, size_t *ret_count,
                  struct failure *failure) {
    int r;

    r = files_begin(uicc, "EF_GBANL", failure);
    if (r != 0)
        return r;
    r = gbanl_read(uicc, ret, size, ret_count, failure);
    authenticate_end(uicc, r == 0);
    return r;
}
