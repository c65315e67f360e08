/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * AUTHENTICATE (TS 31.102 7.1.2, TS 31.103 7.1.2): what its contexts have in common, and the 3G context.
 *
 * The card answers with keys, so nothing of the answer leaves the arena but AUTS, which is public.
 * What it says is decided by the tag of the answer: synchronisation failure comes with 9000 like success.
 *
 * The command consumes the challenge: the card has noted its sequence number whether or not the answer
 * reached us. So it is sent once, whatever happens to it.
 */

#include <errno.h>
#include <string.h>

#include "uicc-internal.h"

#define INS_AUTHENTICATE            0x88
#define TAG_SUCCESS                 0xdb
#define TAG_SYNCHRONISATION_FAILURE 0xdc
#define TAG_GBA_BOOTSTRAPPING       0xdd
#define KC_LENGTH                   8u
#define CHALLENGE_MAX               (3 + AKA_RAND_LENGTH + AKA_AUTN_LENGTH)

void uicc_aka_done(struct uicc_aka *aka) {
    aka->res = secret_free(aka->res);
    aka->ck = secret_free(aka->ck);
    aka->ik = secret_free(aka->ik);
    secret_erase(aka->auts, sizeof(aka->auts));
}

int lv_next(struct lv_cursor *cursor, size_t min, size_t max, struct secret **ret) {
    size_t length;
    int r;

    if (cursor->length < 1)
        return -EBADMSG;
    length = cursor->data[0];
    if (length < min || length > max || length > cursor->length - 1)
        return -EBADMSG;
    r = secret_new_copy(cursor->data + 1, length, ret);
    if (r < 0)
        return r;
    cursor->data += 1 + length;
    cursor->length -= 1 + length;
    return 0;
}

/*
 * DB: RES, and but for the GBA context CK and IK, and Kc where the USIM does service 27 as well. 0; -EBADMSG; -ENOMEM.
 */
static int parse_success(const uint8_t *data, size_t length, uint8_t context,
                         struct uicc_aka *ret) {
    struct lv_cursor cursor = {.data = data, .length = length};
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    int r;

    r = lv_next(&cursor, RES_MIN, RES_MAX, &aka.res);
    if (r == 0 && context == AUTHENTICATE_3G)
        r = lv_next(&cursor, AKA_CK_LENGTH, AKA_CK_LENGTH, &aka.ck);
    if (r == 0 && context == AUTHENTICATE_3G)
        r = lv_next(&cursor, AKA_IK_LENGTH, AKA_IK_LENGTH, &aka.ik);
    if (r < 0)
        return r;
    if (cursor.length != 0 && (context != AUTHENTICATE_3G || cursor.length != 1 + KC_LENGTH ||
                               cursor.data[0] != KC_LENGTH))
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

static int status_outcome(struct uicc *uicc, uint8_t context, uint16_t sw,
                          struct failure *failure) {
    struct failure local = {0};
    int r;

    r = apdu_status(sw, "AUTHENTICATE", &local);
    if (r == UICC_E_PIN_REQUIRED || r == UICC_E_PIN_BLOCKED)
        return uicc->transport->flags & TRANSPORT_AKA
                   ? failure_set(failure, r, "%s; verify the PIN with the modem's tool", local.text)
                   : pin_refused(uicc, r, failure);
    if (r == UICC_E_MAC)
        return failure_set(
            failure, r,
            "The SIM does not accept the network's proof (AUTHENTICATE answered 9862): the "
            "operator's key for this SIM is another, or the challenge was meant for %s",
            context == AUTHENTICATE_GBA ? "GBA_ME" : "GBA_U");
    if (status_of_context(sw))
        r = UICC_E_CONTEXT;
    return r == 0 ? 0 : failure_set(failure, r, "%s", local.text);
}

int authenticate_malformed(const struct apdu_answer *answer, struct failure *failure) {
    /* How long, never what: an answer that is odd may hold keys all the same. */
    return failure_set(
        failure, UICC_E_MALFORMED,
        "The card's answer to AUTHENTICATE (%zu octets) is not what TS 31.102 7.1.2 says",
        answer->length);
}

/* Through the modem; the answer has the form that it has on the card. */
static int send_by_modem(struct uicc *uicc, uint8_t context, const uint8_t *data, size_t length,
                         struct apdu_answer *answer, struct failure *failure) {
    const struct uicc_identity *identity = &uicc->identity;
    uint8_t *room = secret_data_mutable(answer->data);
    size_t got = 0;
    int r;

    r = uicc->transport->ops->authenticate(uicc->transport, identity->aid, identity->aid_length,
                                           context, data, length, room, APDU_RESPONSE_MAX, &got,
                                           failure);
    if (r != 0)
        return r;
    if (got < 2 || got > APDU_RESPONSE_MAX)
        return failure_set(failure, UICC_E_MALFORMED, "The modem answered with %zu octets", got);
    answer->length = got - 2;
    answer->sw = (uint16_t)(room[got - 2] << 8 | room[got - 1]);
    return 0;
}

int authenticate_begin(struct uicc *uicc, struct failure *failure) {
    if (uicc->transport->flags & TRANSPORT_AKA) {
        if (uicc->identity.application != UICC_NO_APPLICATION)
            return 0;
    } else if (uicc->identity.aid_length > 0) {
        return session_begin_application(uicc, failure);
    }
    return failure_set(failure, UICC_E_NO_APPLICATION,
                       "No USIM or ISIM is known on this card: it was not opened, or has none");
}

void authenticate_end(struct uicc *uicc, bool worked) {
    if (uicc->transport->flags & TRANSPORT_AKA)
        return;
    if (worked && uicc->identity.pin == UICC_PIN_REQUIRED)
        uicc->identity.pin = UICC_PIN_VERIFIED;
    session_end(uicc);
}

int authenticate_send(struct uicc *uicc, uint8_t context, const uint8_t *data, size_t length,
                      struct apdu_answer *answer, struct failure *failure) {
    struct apdu authenticate = {
        .ins = INS_AUTHENTICATE, .p2 = context, .data = data, .length = length, .le = 0};
    int r;

    if (uicc->transport->flags & TRANSPORT_AKA)
        r = send_by_modem(uicc, context, data, length, answer, failure);
    else
        r = session_exchange(uicc, &authenticate, answer, failure);
    if (r != 0)
        return r;
    /* A synchronisation failure is one whatever the status word is. */
    if (answer->length > 0 && secret_data(answer->data)[0] == TAG_SYNCHRONISATION_FAILURE)
        return 0;
    return status_outcome(uicc, context, answer->sw, failure);
}

static int answer_outcome(const struct apdu_answer *answer, uint8_t context, struct uicc_aka *ret,
                          struct failure *failure) {
    const uint8_t *data = secret_data(answer->data);
    int r = -EBADMSG;

    if (answer->length == 2 + AKA_AUTS_LENGTH && data[0] == TAG_SYNCHRONISATION_FAILURE &&
        data[1] == AKA_AUTS_LENGTH) {
        memcpy(ret->auts, data + 2, AKA_AUTS_LENGTH);
        return failure_set(failure, UICC_E_SYNC,
                           "The SIM has seen a later challenge already (synchronisation failure)");
    }
    if (answer->length >= 1 && data[0] == TAG_SUCCESS)
        r = parse_success(data + 1, answer->length - 1, context, ret);
    return r == -EBADMSG ? authenticate_malformed(answer, failure) : r;
}

/* The data field: in the GBA context with a tag before it. */
static size_t challenge_encode(const uint8_t *rand, const uint8_t *autn, uint8_t context,
                               uint8_t ret[CHALLENGE_MAX]) {
    size_t length = 0;

    if (context == AUTHENTICATE_GBA)
        ret[length++] = TAG_GBA_BOOTSTRAPPING;
    ret[length++] = AKA_RAND_LENGTH;
    memcpy(ret + length, rand, AKA_RAND_LENGTH);
    length += AKA_RAND_LENGTH;
    ret[length++] = AKA_AUTN_LENGTH;
    memcpy(ret + length, autn, AKA_AUTN_LENGTH);
    return length + AKA_AUTN_LENGTH;
}

static int authenticate_challenge(struct uicc *uicc, const uint8_t *rand, const uint8_t *autn,
                                  uint8_t context, struct uicc_aka *ret, struct failure *failure) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    uint8_t data[CHALLENGE_MAX];
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = authenticate_begin(uicc, failure);
    if (r != 0)
        return r;
    r = authenticate_send(uicc, context, data, challenge_encode(rand, autn, context, data), &answer,
                          failure);
    if (r == 0)
        r = answer_outcome(&answer, context, ret, failure);
    authenticate_end(uicc, r == 0);
    return r;
}

int uicc_authenticate(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH],
                      const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                      struct failure *failure) {
    return authenticate_challenge(uicc, rand, autn, AUTHENTICATE_3G, ret, failure);
}

int uicc_gba_bootstrap(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH],
                       const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                       struct failure *failure) {
    return authenticate_challenge(uicc, rand, autn, AUTHENTICATE_GBA, ret, failure);
}
