/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the BSF asks, and what answers it in each mode of GBA.
 *
 * The messages on Ub are the same in all modes (TS 24.109 4, H, I); what differs is which challenges may be answered, who
 * answers them, and where the Ks comes from. All of that is here, so that the procedure in ub.c need not know.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "ub-internal.h"
#include "util.h"

/* --- The challenge -------------------------------------------------------------------------------- */

static unsigned algorithms_of(const struct ub_parameters *parameters) {
    switch (parameters->mode) {
    case GBA_MODE_ME:
        return CHALLENGE_AKAV1_MD5 | (parameters->akav2 ? CHALLENGE_AKAV2_MD5 : 0);
    case GBA_MODE_U: /* CK and IK, which AKAv2 needs, do not leave the card */
    case GBA_MODE_2G:
        return CHALLENGE_AKAV1_MD5;
    case GBA_MODE_DIGEST:
        return CHALLENGE_SHA_256 | CHALLENGE_MD5;
    }
    return 0;
}

int ub_find_challenge(const struct ub_session *session, const struct http_response *response,
                      struct challenge *ret, struct failure *failure) {
    const char *values[HTTP_HEADERS_MAX];
    size_t count = 0;

    while (count < HTTP_HEADERS_MAX &&
           (values[count] = http_response_field(response, "WWW-Authenticate", count)))
        count++;
    return challenge_parse(values, count, algorithms_of(session->parameters), ret, failure);
}

/* With qop auth the BSF's proof leaves the body open, so it must not be for somebody on the way to choose it. */
static int check_qop(struct ub_session *session, const struct challenge *challenge) {
    enum gba_mode mode = session->parameters->mode;

    if (challenge->qop_auth_int)
        return 0;
    if (mode == GBA_MODE_2G || mode == GBA_MODE_DIGEST)
        return ub_fail(session, UB_E_CHALLENGE,
                       "its challenge does not offer qop=auth-int, which this mode of GBA wants",
                       "tell the operator");
    if (!session->parameters->require_auth_int)
        return 0;
    return ub_fail(session, UB_E_CHALLENGE,
                   "its challenge does not offer qop=auth-int, so nothing would protect its answer",
                   "if the operator's BSF is like that, set RequireAuthInt=no in [GBA] of "
                   "keystrap.conf");
}

/* TS 33.220 Annex I: Ks-input in the nonce, no AUTN, and a realm that is the name in the BSF's certificate. */
static int check_2g(struct ub_session *session, const struct challenge *challenge) {
    static const uint8_t no_autn[AKA_AUTN_LENGTH];

    if (!challenge->has_ks_input || memcmp(challenge->autn, no_autn, AKA_AUTN_LENGTH) != 0)
        return ub_fail(
            session, UB_E_NONCE,
            "its nonce is not RAND, 16 zero octets and Ks-input, so it does not run 2G GBA "
            "with this subscriber",
            "ask the operator which mode of GBA this subscription has");
    if (strcasecmp(challenge->realm, session->parameters->bsf) != 0)
        return ub_fail(session, UB_E_CHALLENGE,
                       "its realm is not the name that its certificate was checked for",
                       "do not trust this network, and tell the operator");
    return 0;
}

int ub_check_challenge(struct ub_session *session, const struct challenge *challenge) {
    int r;

    r = check_qop(session, challenge);
    if (r == 0 && session->parameters->mode == GBA_MODE_2G)
        r = check_2g(session, challenge);
    return r;
}

int ub_expect_challenge(struct ub_session *session, const struct http_response *response,
                        struct challenge *ret) {
    struct challenge challenge = {0};
    struct failure failure = {0};
    int r;

    if (response->status >= 200 && response->status < 300)
        return ub_fail(session, UB_E_CHALLENGE, "it answered without a challenge, so it is no BSF",
                       "check the BSF's name and path in the configuration");
    if (response->status != 401)
        return ub_refusal(session, response);
    r = ub_find_challenge(session, response, &challenge, &failure);
    if (r != 0)
        return ub_fail(session, r, failure.text,
                       "check that this is a BSF, and tell the operator if it is");
    r = ub_check_challenge(session, &challenge);
    if (r == 0)
        *ret = challenge;
    return r;
}

bool ub_same_challenge(const struct challenge *a, const struct challenge *b) {
    static const uint8_t none[AKA_RAND_LENGTH];

    /* A nonce of GBA_Digest has no vector in it. */
    if (memcmp(a->rand, none, AKA_RAND_LENGTH) == 0 && strcmp(a->nonce, b->nonce) != 0)
        return false;
    return memcmp(a->rand, b->rand, AKA_RAND_LENGTH) == 0 &&
           memcmp(a->autn, b->autn, AKA_AUTN_LENGTH) == 0;
}

/* --- The answer ----------------------------------------------------------------------------------- */

void ub_answer_done(struct ub_answer *answer) {
    answer->password = secret_free(answer->password);
    answer->ks = secret_free(answer->ks);
    answer->hash_a1 = secret_free(answer->hash_a1);
    answer->exporter = secret_free(answer->exporter);
}

static int fail_network(struct ub_session *session) {
    return ub_fail(
        session, UB_E_NETWORK_AUTH,
        "the card does not accept the network's proof (status 9862), and it was not answered",
        session->parameters->mode == GBA_MODE_U
            ? "check that this BSF belongs to the card's operator, and whether it does GBA_ME with "
              "this subscriber (Mode=me)"
            : "check that this BSF belongs to the card's operator, and whether it does GBA_U with "
              "this subscriber (Mode=u)");
}

/* What the card's side said instead of an answer. */
static int fail_card(struct ub_session *session, int r, const struct failure *failure) {
    if (r == UICC_E_MAC)
        return fail_network(session);
    return failure_set(session->failure, r, "%s",
                       *failure->text ? failure->text : "the card did not answer the challenge");
}

/* In GBA_U neither CK nor IK may come out of the card: one that gives them has run another command. */
static bool aka_is_whole(const struct uicc_aka *aka, enum gba_mode mode) {
    if (!aka->res || secret_length(aka->res) < RES_MIN || secret_length(aka->res) > RES_MAX)
        return false;
    if (mode == GBA_MODE_U)
        return !aka->ck && !aka->ik;
    return aka->ck && aka->ik && secret_length(aka->ck) == AKA_CK_LENGTH &&
           secret_length(aka->ik) == AKA_IK_LENGTH;
}

/*
 * A synchronisation failure is not a failure of the bootstrap, so its text must not be the first one.
 */
static int ask_card(struct ub_session *session, const struct challenge *challenge,
                    struct uicc_aka *aka) {
    struct failure failure = {0};
    uint64_t start = now_usec();
    int r;

    r = session->ops->authenticate(session->userdata, challenge->rand, challenge->autn, aka,
                                   &failure);
    session->card_usec += now_usec() - start;
    if (r == UICC_E_SYNC)
        return r;
    if (r != 0)
        return fail_card(session, r, &failure);
    if (!aka_is_whole(aka, session->parameters->mode))
        return failure_set(
            session->failure, UICC_E_MALFORMED,
            "the card's answer to the challenge has a RES, CK or IK of a wrong length; "
            "replace the card");
    return 0;
}

static int answer_aka(struct ub_session *session, const struct challenge *challenge,
                      struct ub_answer *ret) {
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    _cleanup_ub_answer_ struct ub_answer answer = {0};
    int r;

    r = ask_card(session, challenge, &aka);
    if (r == UICC_E_SYNC)
        memcpy(ret->auts, aka.auts, sizeof(ret->auts));
    if (r != 0)
        return r;
    if (session->parameters->mode == GBA_MODE_ME) {
        r = gba_ks(aka.ck, aka.ik, &answer.ks);
        if (r < 0)
            return r;
    }
    if (challenge->algorithm == CHALLENGE_AKAV2_MD5) {
        r = gba_akav2_password(aka.res, aka.ik, aka.ck, &answer.password);
        if (r < 0)
            return r;
    } else {
        answer.password = TAKE_PTR(aka.res);
    }
    *ret = answer;
    answer = (struct ub_answer){0};
    return 0;
}

static int answer_2g(struct ub_session *session, const struct challenge *challenge,
                     struct ub_answer *ret) {
    _cleanup_secret_ struct secret *sres = NULL, *kc = NULL;
    struct failure failure = {0};
    uint64_t start = now_usec();
    int r;

    if (!session->ops->authenticate_2g)
        return failure_set(session->failure, UICC_E_CONTEXT,
                           "this transport cannot ask a card in the GSM context; use another mode");
    r = session->ops->authenticate_2g(session->userdata, challenge->rand, &sres, &kc, &failure);
    session->card_usec += now_usec() - start;
    /* A SIM has no sequence number, so what says so is no SIM, and there is nothing to resynchronise. */
    if (r == UICC_E_SYNC)
        r = UICC_E_MALFORMED;
    if (r != 0)
        return fail_card(session, r, &failure);
    r = gba_2g_keys(kc, sres, challenge->rand, challenge->ks_input, &ret->password, &ret->ks);
    if (r == -EINVAL)
        return failure_set(
            session->failure, UICC_E_MALFORMED,
            "the card's answer to the challenge has an SRES or Kc of a wrong length; "
            "replace the card");
    return r;
}

static int answer_digest(struct ub_session *session, const struct challenge *challenge,
                         struct ub_answer *ret) {
    _cleanup_ub_answer_ struct ub_answer answer = {0};
    const struct ub_parameters *p = session->parameters;
    int r;

    r = gba_digest_hash_a1(challenge->algorithm, p->impi, challenge->realm, p->password,
                           &answer.hash_a1);
    if (r == 0)
        r = gba_digest_password(answer.hash_a1, session->exporter, &answer.password);
    if (r == 0)
        r = secret_new_copy(secret_data(session->exporter), secret_length(session->exporter),
                            &answer.exporter);
    if (r < 0)
        return r;
    *ret = answer;
    answer = (struct ub_answer){0};
    return 0;
}

int ub_answer(struct ub_session *session, const struct challenge *challenge,
              struct ub_answer *ret) {
    switch (session->parameters->mode) {
    case GBA_MODE_ME:
    case GBA_MODE_U:
        return answer_aka(session, challenge, ret);
    case GBA_MODE_2G:
        return answer_2g(session, challenge, ret);
    case GBA_MODE_DIGEST:
        return answer_digest(session, challenge, ret);
    }
    return -EINVAL;
}
