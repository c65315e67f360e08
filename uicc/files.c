/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SELECT, READ and UPDATE, in the current application of our channel (TS 102 221 11.1.1, 11.1.3 to 11.1.5).
 *
 * How much is read comes from what the card says of the file, held against our own limits: a card that
 * promises a file of 64 KiB is not read for minutes inside a transaction.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "uicc-internal.h"

#define INS_SELECT        0xa4
#define INS_READ_BINARY   0xb0
#define INS_READ_RECORD   0xb2
#define INS_UPDATE_BINARY 0xd6
#define SW_END_OF_FILE    0x6282
#define READ_MAX          255u /* octets in one READ; 256 is a form that not every reader passes on */
#define WHAT_MAX          64u
#define SIM_TYPE_EF       0x04
#define SIM_EF_LENGTH     14u /* of the answer to SELECT, up to the structure of the file */

bool outcome_of_card(int code) {
    return code == UICC_E_STATUS || code == UICC_E_NOT_FOUND || code == UICC_E_MALFORMED ||
           code == UICC_E_PIN_REQUIRED || code == UICC_E_PIN_BLOCKED || code == UICC_E_CONDITIONS ||
           code == UICC_E_MEMORY;
}

static uint8_t file_class(const struct uicc *uicc) {
    return uicc->identity.application == UICC_SIM ? APDU_CLASS_SIM : 0;
}

/*
 * What a SIM answers to SELECT (TS 51.011 9.2.1): of it the size of a file is needed, because a SIM refuses to read one octet
 * too many.
 */
static void sim_parse(const uint8_t *data, size_t length, struct fcp *ret) {
    struct fcp fcp = {0};

    if (length >= SIM_EF_LENGTH && data[6] == SIM_TYPE_EF && data[13] == 0x00) {
        fcp.structure = FCP_STRUCTURE_TRANSPARENT;
        fcp.has_size = true;
        fcp.size = (size_t)data[2] << 8 | data[3];
    }
    *ret = fcp;
}

int file_select(struct uicc *uicc, uint16_t fid, const char *name, struct fcp *ret,
                struct failure *failure) {
    const uint8_t data[] = {(uint8_t)(fid >> 8), (uint8_t)fid};
    bool sim = uicc->identity.application == UICC_SIM;
    struct apdu select = {.cla = file_class(uicc),
                          .ins = INS_SELECT,
                          .p2 = sim ? 0x00 : 0x04,
                          .data = data,
                          .length = sizeof(data),
                          .le = sim ? APDU_NO_LE : 0};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    char what[WHAT_MAX];
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    if (fid == FID_MF)
        uicc->selected = false;
    r = session_exchange(uicc, &select, &answer, failure);
    if (r != 0)
        return r;
    snprintf(what, sizeof(what), "SELECT %s", name);
    r = apdu_status(answer.sw, what, failure);
    if (r != 0)
        return r;
    if (sim) {
        sim_parse(secret_data(answer.data), answer.length, ret);
        return 0;
    }
    if (fcp_parse(secret_data(answer.data), answer.length, ret) < 0)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card's answer to %s (%zu octets) is not file control parameters",
                           what, answer.length);
    return 0;
}

/* One READ BINARY; the answer is at most @length octets, fewer only at the end of the file. */
static int read_chunk(struct uicc *uicc, const char *name, size_t offset, size_t length,
                      struct apdu_answer *answer, struct failure *failure) {
    struct apdu read = {.cla = file_class(uicc),
                        .ins = INS_READ_BINARY,
                        .p1 = (uint8_t)(offset >> 8 & 0x7f),
                        .p2 = (uint8_t)offset,
                        .le = (int)length};
    char what[WHAT_MAX];
    int r;

    r = session_exchange(uicc, &read, answer, failure);
    if (r != 0)
        return r;
    snprintf(what, sizeof(what), "READ BINARY %s", name);
    if (answer->sw != SW_END_OF_FILE) {
        r = apdu_status(answer->sw, what, failure);
        if (r != 0)
            return r;
    }
    if (answer->length > length)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card answered %s with %zu octets where %zu were asked for", what,
                           answer->length, length);
    return 0;
}

int file_read_binary(struct uicc *uicc, uint16_t fid, const char *name, uint8_t *ret, size_t size,
                     size_t *ret_length, struct failure *failure) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    uint8_t data[EF_BINARY_MAX];
    size_t wanted, chunk, length = 0;
    struct fcp fcp;
    int r;

    r = file_select(uicc, fid, name, &fcp, failure);
    if (r != 0)
        return r;
    if (fcp.structure != FCP_STRUCTURE_TRANSPARENT && fcp.structure != FCP_STRUCTURE_UNKNOWN)
        return failure_set(failure, UICC_E_MALFORMED, "%s on the card is not a transparent file",
                           name);
    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;

    wanted = size < sizeof(data) ? size : sizeof(data);
    if (fcp.has_size && fcp.size < wanted)
        wanted = fcp.size;
    while (length < wanted) {
        chunk = wanted - length < READ_MAX ? wanted - length : READ_MAX;
        r = read_chunk(uicc, name, length, chunk, &answer, failure);
        if (r != 0)
            return r;
        if (answer.length > 0)
            memcpy(data + length, secret_data(answer.data), answer.length);
        length += answer.length;
        if (answer.length < chunk)
            break;
    }
    if (length > 0)
        memcpy(ret, data, length);
    *ret_length = length;
    return 0;
}

int file_read_optional(struct uicc *uicc, uint16_t fid, const char *name, uint8_t *ret, size_t size,
                       size_t *ret_length, struct failure *failure) {
    struct failure local = {0};
    int r;

    r = file_read_binary(uicc, fid, name, ret, size, ret_length, &local);
    if (r == 0)
        return 0;
    if (outcome_of_card(r)) {
        *ret_length = 0;
        return 0;
    }
    return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
}

int file_update_binary(struct uicc *uicc, const char *name, size_t offset, const uint8_t *data,
                       size_t length, struct failure *failure) {
    struct apdu update = {.ins = INS_UPDATE_BINARY,
                          .p1 = (uint8_t)(offset >> 8 & 0x7f),
                          .p2 = (uint8_t)offset,
                          .data = data,
                          .length = length,
                          .le = APDU_NO_LE};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    char what[WHAT_MAX];
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = session_exchange(uicc, &update, &answer, failure);
    if (r != 0)
        return r;
    snprintf(what, sizeof(what), "UPDATE BINARY %s", name);
    return apdu_status(answer.sw, what, failure);
}

int file_read_record(struct uicc *uicc, const char *name, unsigned number, size_t record_length,
                     struct apdu_answer *answer, struct failure *failure) {
    struct apdu read = {
        .ins = INS_READ_RECORD, .p1 = (uint8_t)number, .p2 = 0x04, .le = (int)record_length};
    char what[WHAT_MAX];
    int r;

    r = session_exchange(uicc, &read, answer, failure);
    if (r != 0)
        return r;
    snprintf(what, sizeof(what), "READ RECORD %u of %s", number, name);
    r = apdu_status(answer->sw, what, failure);
    if (r != 0)
        return r;
    if (answer->length > record_length)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card answered %s with %zu octets; its records have %zu", what,
                           answer->length, record_length);
    return 0;
}
