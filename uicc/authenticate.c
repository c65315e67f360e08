/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * AUTHENTICATE in the 3G security context (TS 31.102 7.1.2).
 *
 * The card answers with three keys, so nothing of the answer leaves the arena but AUTS, which is public.
 * What it says is decided by the tag of the answer: synchronisation failure comes with 9000 like success.
 *
 * The command consumes the challenge: the card has noted its sequence number whether or not the answer
 * reached us. So it is sent once, whatever happens to it.
 */

#include <errno.h>
#include <string.h>

#include "uicc-internal.h"

#define INS_AUTHENTICATE            0x88
#define P2_3G_CONTEXT               0x81
#define TAG_SUCCESS                 0xdb
#define TAG_SYNCHRONISATION_FAILURE 0xdc
#define KC_LENGTH                   8u

void uicc_aka_done(struct uicc_aka *aka) {
    aka->res = secret_free(aka->res);
    aka->ck = secret_free(aka->ck);
    aka->ik = secret_free(aka->ik);
    secret_erase(aka->auts, sizeof(aka->auts));
}

struct lv_cursor {
    const uint8_t *data;
    size_t length;
};

/* The next value with its length before it; @min to @max octets long. */
static bool lv_next(struct lv_cursor *cursor, size_t min, size_t max, struct secret **ret,
                    int *ret_error) {
    size_t length;

    if (cursor->length < 1)
        return false;
    length = cursor->data[0];
    if (length < min || length > max || length > cursor->length - 1)
        return false;
    *ret_error = secret_new_copy(cursor->data + 1, length, ret);
    cursor->data += 1 + length;
    cursor->length -= 1 + length;
    return *ret_error == 0;
}

/* DB: RES, CK and IK, and Kc where the USIM does service 27 as well. 0; -EBADMSG; -ENOMEM. */
static int parse_success(const uint8_t *data, size_t length, struct uicc_aka *ret) {
    struct lv_cursor cursor = {.data = data, .length = length};
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    int error = 0;

    if (!lv_next(&cursor, RES_MIN, RES_MAX, &aka.res, &error) ||
        !lv_next(&cursor, AKA_CK_LENGTH, AKA_CK_LENGTH, &aka.ck, &error) ||
        !lv_next(&cursor, AKA_IK_LENGTH, AKA_IK_LENGTH, &aka.ik, &error))
        return error < 0 ? error : -EBADMSG;
    if (cursor.length != 0 && (cursor.length != 1 + KC_LENGTH || cursor.data[0] != KC_LENGTH))
        return -EBADMSG;
    *ret = aka;
    aka = (struct uicc_aka){0};
    return 0;
}

static bool status_of_context(uint16_t sw) {
    /* What cards say that know no such context: TS 31.102 7.3.1.5, and the generic words for the same. */
    return sw == 0x9864 || sw == 0x6a81 || sw == 0x6a86 || sw == 0x6b00 || sw == 0x6700 ||
           sw == 0x6d00 || sw == 0x6e00;
}

static int status_outcome(struct uicc *uicc, uint16_t sw, struct failure *failure) {
    struct failure local = {0};
    int r;

    r = apdu_status(sw, "AUTHENTICATE", &local);
    if (r == UICC_E_PIN_REQUIRED || r == UICC_E_PIN_BLOCKED)
        return pin_refused(uicc, r, failure);
    if (r == UICC_E_MAC)
        return failure_set(
            failure, r,
            "The SIM does not accept the network's proof (AUTHENTICATE answered 9862): the "
            "operator's key for this SIM is another, or the challenge was meant for GBA_U");
    if (status_of_context(sw))
        r = UICC_E_CONTEXT;
    return r == 0 ? 0 : failure_set(failure, r, "%s", local.text);
}

static int answer_outcome(struct uicc *uicc, const struct apdu_answer *answer, struct uicc_aka *ret,
                          struct failure *failure) {
    const uint8_t *data = secret_data(answer->data);
    int r;

    if (answer->length == 2 + AKA_AUTS_LENGTH && data[0] == TAG_SYNCHRONISATION_FAILURE &&
        data[1] == AKA_AUTS_LENGTH) {
        memcpy(ret->auts, data + 2, AKA_AUTS_LENGTH);
        return failure_set(failure, UICC_E_SYNC,
                           "The SIM has seen a later challenge already (synchronisation failure)");
    }
    r = status_outcome(uicc, answer->sw, failure);
    if (r != 0)
        return r;
    r = -EBADMSG;
    if (answer->length >= 1 && data[0] == TAG_SUCCESS)
        r = parse_success(data + 1, answer->length - 1, ret);
    if (r == -EBADMSG)
        /* How long, never what: an answer that is odd may hold keys all the same. */
        return failure_set(
            failure, UICC_E_MALFORMED,
            "The card's answer to AUTHENTICATE (%zu octets) is not what TS 31.102 7.1.2 says",
            answer->length);
    return r;
}

static int authenticate_inside(struct uicc *uicc, const uint8_t *rand, const uint8_t *autn,
                               struct uicc_aka *ret, struct failure *failure) {
    uint8_t data[2 + AKA_RAND_LENGTH + AKA_AUTN_LENGTH];
    struct apdu authenticate = {.ins = INS_AUTHENTICATE,
                                .p2 = P2_3G_CONTEXT,
                                .data = data,
                                .length = sizeof(data),
                                .le = 0};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    data[0] = AKA_RAND_LENGTH;
    memcpy(data + 1, rand, AKA_RAND_LENGTH);
    data[1 + AKA_RAND_LENGTH] = AKA_AUTN_LENGTH;
    memcpy(data + 2 + AKA_RAND_LENGTH, autn, AKA_AUTN_LENGTH);
    r = session_exchange(uicc, &authenticate, &answer, failure);
    if (r != 0)
        return r;
    return answer_outcome(uicc, &answer, ret, failure);
}

int uicc_authenticate(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH],
                      const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                      struct failure *failure) {
    int r;

    if (uicc->identity.aid_length == 0)
        return failure_set(failure, UICC_E_NO_APPLICATION,
                           "No USIM is known on this card: it was not opened, or has none");
    r = session_begin_usim(uicc, failure);
    if (r != 0)
        return r;
    r = authenticate_inside(uicc, rand, autn, ret, failure);
    if (r == 0 && uicc->identity.pin == UICC_PIN_REQUIRED)
        uicc->identity.pin = UICC_PIN_VERIFIED;
    session_end(uicc);
    return r;
}
