/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The bootstrap (TS 24.109 4, TS 33.220 4.5.2).
 *
 * ub_bootstrap() and ub_run() below read like the specification: ask, be challenged, have the card answer, prove it,
 * check the BSF's proof, keep the result. Each step is a function that either does it or names why not. Whatever is
 * learnt on the way lives in variables that erase themselves; the caller sees a whole result or none.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/rand.h>

#include "ub-internal.h"
#include "util.h"

#define MEDIA_TYPE    "application/vnd.3gpp.bsf+xml"
#define CNONCE_OCTETS 16

void ub_result_done(struct ub_result *result) {
    result->ks = secret_free(result->ks);
}

int ub_result_derive(const struct ub_result *result, const char *naf_fqdn,
                     const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], struct secret **ret) {
    if (!result->ks)
        return -EINVAL;
    return result->mode == GBA_MODE_DIGEST
               ? gba_derive_naf_key_digest(result->ks, result->nonce, result->impi, naf_fqdn,
                                           ua_protocol, ret)
               : gba_derive_naf_key(result->ks, result->rand, result->impi, naf_fqdn, ua_protocol,
                                    ret);
}

/* --- The card ------------------------------------------------------------------------------------- */

static bool aka_is_whole(const struct uicc_aka *aka) {
    return aka->res && aka->ck && aka->ik && secret_length(aka->res) >= RES_MIN &&
           secret_length(aka->res) <= RES_MAX && secret_length(aka->ck) == AKA_CK_LENGTH &&
           secret_length(aka->ik) == AKA_IK_LENGTH;
}

/*
 * Have the card answer the challenge. A synchronisation failure is not a failure of the bootstrap, so its
 * text must not be the first one.
 *
 * Return: 0; UICC_E_SYNC without a failure; UB_E_NETWORK_AUTH; what the card's side returns.
 */
static int ask_card(struct ub_session *session, const struct challenge *challenge,
                    struct uicc_aka *ret) {
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    struct failure failure = {0};
    uint64_t start = now_usec();
    int r;

    r = session->ops->authenticate(session->userdata, challenge->rand, challenge->autn, &aka,
                                   &failure);
    session->card_usec += now_usec() - start;
    if (r == UICC_E_MAC)
        return ub_fail(
            session, UB_E_NETWORK_AUTH,
            "the card does not accept the network's proof (status 9862), and it was not answered",
            "check that this BSF belongs to the card's operator, and whether the card does GBA_U");
    if (r == UICC_E_SYNC) {
        memcpy(ret->auts, aka.auts, sizeof(ret->auts));
        return r;
    }
    if (r != 0)
        return failure_set(session->failure, r, "%s",
                           *failure.text ? failure.text : "the card did not answer the challenge");
    if (!aka_is_whole(&aka))
        return failure_set(
            session->failure, UICC_E_MALFORMED,
            "the card's answer to the challenge has a RES, CK or IK of a wrong length; "
            "replace the card");
    *ret = aka;
    aka = (struct uicc_aka){0};
    return 0;
}

/* --- Requests ------------------------------------------------------------------------------------- */

static int find_challenge(const struct http_response *response, struct challenge *ret,
                          struct failure *failure) {
    const char *values[HTTP_HEADERS_MAX];
    size_t count = 0;

    while (count < HTTP_HEADERS_MAX &&
           (values[count] = http_response_field(response, "WWW-Authenticate", count)))
        count++;
    return challenge_parse(values, count, CHALLENGE_AKAV1_MD5, ret, failure);
}

/* With qop auth the BSF's proof leaves the body open, so it must not be for somebody on the way to choose it. */
static int check_qop(struct ub_session *session, const struct challenge *challenge) {
    if (challenge->qop_auth_int || !session->parameters->require_auth_int)
        return 0;
    return ub_fail(session, UB_E_CHALLENGE,
                   "its challenge does not offer qop=auth-int, so nothing would protect its answer",
                   "if the operator's BSF is like that, set RequireAuthInt=no in [GBA] of "
                   "keystrap.conf");
}

static int read_challenge(struct ub_session *session, const struct http_response *response,
                          struct challenge *ret) {
    struct challenge challenge = {0};
    struct failure failure = {0};
    int r;

    r = find_challenge(response, &challenge, &failure);
    if (r != 0)
        return ub_fail(session, r, failure.text,
                       "check that this is a BSF, and tell the operator if it is");
    r = check_qop(session, &challenge);
    if (r != 0)
        return r;
    *ret = challenge;
    return 0;
}

/* The answer must be a challenge: after the first request, and after AUTS. */
static int expect_challenge(struct ub_session *session, const struct http_response *response,
                            struct challenge *ret) {
    if (response->status >= 200 && response->status < 300)
        return ub_fail(session, UB_E_CHALLENGE, "it answered without a challenge, so it is no BSF",
                       "check the BSF's name and path in the configuration");
    if (response->status != 401)
        return ub_refusal(session, response);
    return read_challenge(session, response, ret);
}

/* Message 1: who we are, with an empty nonce. */
static int ask(struct ub_session *session, struct http_response *ret_response,
               struct challenge *ret) {
    _cleanup_free_ char *authorization = NULL;
    const struct ub_parameters *p = session->parameters;
    int r;

    r = digest_initial(p->impi, ub_session_realm(session), p->path, &authorization);
    if (r < 0)
        return r;
    r = ub_get(session, authorization, ret_response);
    if (r != 0)
        return r;
    return expect_challenge(session, ret_response, ret);
}

/* Everything that a Digest is computed from, for a nonce that is used once. */
struct proof {
    char cnonce[2 * CNONCE_OCTETS + 1];
    struct digest_input input;
};

static int proof_init(struct proof *proof, const struct ub_session *session,
                      const struct challenge *challenge) {
    uint8_t random[CNONCE_OCTETS];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return -EIO;
    hex_encode(random, sizeof(random), proof->cnonce);
    proof->input = (struct digest_input){
        .username = session->parameters->impi,
        .realm = challenge->realm,
        .nonce = challenge->nonce,
        .uri = session->parameters->path,
        .method = "GET",
        .cnonce = proof->cnonce,
        .nc = 1,
        .auth_int = challenge->qop_auth_int,
    };
    return 0;
}

/* Send the Digest for @challenge: with RES, or with AUTS and an empty password. */
static int send_proof(struct ub_session *session, const struct challenge *challenge,
                      const struct secret *res, const uint8_t *auts, struct proof *proof,
                      struct http_response *ret) {
    _cleanup_free_ char *authorization = NULL;
    int r;

    r = proof_init(proof, session, challenge);
    if (r < 0)
        return r;
    r = digest_authorization(&proof->input, challenge, res, auts, &authorization);
    if (r < 0)
        return r;
    return ub_get(session, authorization, ret);
}

static bool same_vector(const struct challenge *a, const struct challenge *b) {
    return memcmp(a->rand, b->rand, AKA_RAND_LENGTH) == 0 &&
           memcmp(a->autn, b->autn, AKA_AUTN_LENGTH) == 0;
}

/* Tell the BSF the card's sequence number and get a new challenge (RFC 3310 3.4). */
static int resynchronise(struct ub_session *session, const uint8_t auts[AKA_AUTS_LENGTH],
                         struct challenge *challenge) {
    _cleanup_http_response_ struct http_response response = {0};
    struct challenge next = {0};
    struct proof proof;
    int r;

    r = send_proof(session, challenge, NULL, auts, &proof, &response);
    if (r != 0)
        return r;
    r = expect_challenge(session, &response, &next);
    if (r != 0)
        return r;
    if (same_vector(&next, challenge))
        return ub_fail(session, UB_E_RESYNC,
                       "it sent the same challenge again after the card's synchronisation failure",
                       "tell the operator that the BSF does not resynchronise");
    *challenge = next;
    return 0;
}

/* Have the card answer @challenge, resynchronising on the way if it has not been done before. */
static int authenticate(struct ub_session *session, struct challenge *challenge,
                        bool *resynchronised, struct uicc_aka *ret) {
    int r;

    r = ask_card(session, challenge, ret);
    if (r == UICC_E_SYNC && !*resynchronised) {
        *resynchronised = true;
        r = resynchronise(session, ret->auts, challenge);
        if (r != 0)
            return r;
        r = ask_card(session, challenge, ret);
    }
    if (r == UICC_E_SYNC)
        return ub_fail(session, UB_E_RESYNC,
                       "the card reports a synchronisation failure after resynchronisation too",
                       "tell the operator that the sequence number of this subscriber is not kept");
    return r;
}

/* --- The answer ----------------------------------------------------------------------------------- */

/* What the BSF said to our proof, and by when of our clock. */
struct verdict {
    struct http_response response;
    struct proof proof;
    uint64_t sent_usec;
};

static void verdict_done(struct verdict *verdict) {
    http_response_done(&verdict->response);
}

/* Whether the BSF only found the nonce too old; then @challenge becomes the new one. */
static bool is_stale(const struct verdict *verdict, struct challenge *challenge) {
    struct challenge next = {0};

    if (verdict->response.status != 401 || find_challenge(&verdict->response, &next, NULL) != 0 ||
        !next.stale || same_vector(&next, challenge))
        return false;
    *challenge = next;
    return true;
}

static int answer(struct ub_session *session, const struct challenge *challenge,
                  const struct uicc_aka *aka, struct verdict *verdict) {
    http_response_done(&verdict->response);
    verdict->response = (struct http_response){0};
    verdict->sent_usec = now_usec();
    return send_proof(session, challenge, aka->res, NULL, &verdict->proof, &verdict->response);
}

static bool is_media_type(const char *value) {
    size_t length = strcspn(value, "; \t");

    return length == strlen(MEDIA_TYPE) && strncasecmp(value, MEDIA_TYPE, length) == 0;
}

static int check_rspauth(struct ub_session *session, const struct verdict *verdict,
                         const struct uicc_aka *aka) {
    const struct http_response *response = &verdict->response;
    const char *value = http_response_field(response, "Authentication-Info", 0);
    struct failure failure = {0};
    int r;

    if (http_response_field(response, "Authentication-Info", 1))
        return ub_fail(session, UB_E_RSPAUTH_WRONG, "it sent Authentication-Info twice",
                       "do not trust this network, and tell the operator");
    r = digest_check_rspauth(value, &verdict->proof.input, aka->res, response->body,
                             response->body_length, &failure);
    if (r == UB_E_RSPAUTH_MISSING && !session->parameters->require_rspauth)
        return 0;
    if (r == UB_E_RSPAUTH_MISSING)
        return ub_fail(session, r, failure.text,
                       "if the operator's BSF is like that, allow it in the configuration");
    if (r > 0)
        return ub_fail(session, r, failure.text,
                       "do not trust this network, and tell the operator");
    return r;
}

/* Whether the BSF accepted our proof, gave its own and sent what a BSF sends. */
static int check_verdict(struct ub_session *session, const struct verdict *verdict,
                         const struct uicc_aka *aka, struct bootstrapping_info *ret) {
    const struct http_response *response = &verdict->response;
    const char *type = http_response_field(response, "Content-Type", 0);
    struct failure failure = {0};
    int r;

    if (response->status == 401)
        return ub_fail(
            session, UB_E_RESPONSE_REJECTED,
            "it did not accept the card's answer (HTTP status 401)",
            "check the identity (IMPI) in the configuration, and the card with the operator");
    if (response->status < 200 || response->status > 299)
        return ub_refusal(session, response);
    if (response->status != 200 || !type || !is_media_type(type))
        return ub_fail(session, UB_E_INFO_MALFORMED, "its answer is not of type " MEDIA_TYPE,
                       "check that no proxy or portal is between here and the BSF");
    r = check_rspauth(session, verdict, aka);
    if (r != 0)
        return r;
    r = bootstrapping_info_parse(response->body, response->body_length, ret, &failure);
    if (r > 0)
        return ub_fail(session, r, failure.text, "tell the operator");
    return r;
}

/* --- The whole ------------------------------------------------------------------------------------ */

static int make_result(struct ub_session *session, const struct challenge *challenge,
                       const struct uicc_aka *aka, const struct verdict *verdict,
                       const struct bootstrapping_info *info, bool resynchronised,
                       struct ub_result *ret) {
    _cleanup_ub_result_ struct ub_result result = {
        .resynchronised = resynchronised,
        .card_usec = session->card_usec,
        .network_usec = session->network_usec,
    };
    int r;

    r = ub_lifetime(session, info, &verdict->response, verdict->sent_usec, &result.expires_usec,
                    &result.expires_utc_usec);
    if (r != 0)
        return r;
    r = gba_ks(aka->ck, aka->ik, &result.ks);
    if (r < 0)
        return r;
    memcpy(result.rand, challenge->rand, AKA_RAND_LENGTH);
    memcpy(result.btid, info->btid, sizeof(result.btid));
    memcpy(result.lifetime_text, info->lifetime_text, sizeof(result.lifetime_text));
    (void)snprintf(result.impi, sizeof(result.impi), "%s", session->parameters->impi);

    *ret = result;
    result.ks = NULL;
    return 0;
}

static int ub_run(struct ub_session *session, struct ub_result *ret) {
    _cleanup_http_response_ struct http_response first = {0};
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    _cleanup_(verdict_done) struct verdict verdict = {0};
    struct bootstrapping_info info = {0};
    struct challenge challenge = {0};
    bool resynchronised = false;
    int r;

    r = ask(session, &first, &challenge);
    if (r != 0)
        return r;
    r = authenticate(session, &challenge, &resynchronised, &aka);
    if (r != 0)
        return r;
    r = answer(session, &challenge, &aka, &verdict);
    if (r != 0)
        return r;
    if (is_stale(&verdict, &challenge)) {
        r = check_qop(session, &challenge);
        if (r != 0)
            return r;
        uicc_aka_done(&aka);
        aka = (struct uicc_aka){0};
        r = authenticate(session, &challenge, &resynchronised, &aka);
        if (r != 0)
            return r;
        r = answer(session, &challenge, &aka, &verdict);
        if (r != 0)
            return r;
    }
    r = check_verdict(session, &verdict, &aka, &info);
    if (r != 0)
        return r;
    return make_result(session, &challenge, &aka, &verdict, &info, resynchronised, ret);
}

/* A text for what went wrong with this machine, where nobody nearer to the cause has set one. */
static void note_errno(struct failure *failure, int code, const struct ub_parameters *parameters) {
    char text[64];

    (void)failure_set(failure, code, "bootstrap with BSF %.64s: %s", parameters->bsf,
                      strerror_r(-code, text, sizeof(text)));
}

int ub_bootstrap(const struct ub_parameters *parameters, const struct ub_ops *ops, void *userdata,
                 struct ub_result *ret, uint64_t *ret_retry_after_usec, struct failure *failure) {
    struct ub_session session;
    uint64_t retry_after_usec = 0;
    int r;

    r = ub_session_init(&session, parameters, ops, userdata, &retry_after_usec, failure);
    if (r == 0)
        r = ub_run(&session, ret);
    if (r < 0)
        note_errno(failure, r, parameters);
    if (ret_retry_after_usec && r == UB_E_BUSY)
        *ret_retry_after_usec = retry_after_usec;
    return r;
}

int ub_probe(const struct ub_parameters *parameters, const struct ub_ops *ops, void *userdata,
             int64_t *ret_date, struct failure *failure) {
    _cleanup_http_response_ struct http_response response = {0};
    struct challenge challenge = {0};
    struct ub_session session;
    uint64_t retry_after_usec = 0;
    int r;

    r = ub_session_init(&session, parameters, ops, userdata, &retry_after_usec, failure);
    if (r != 0)
        return r;
    r = ask(&session, &response, &challenge);
    if (r < 0)
        note_errno(failure, r, parameters);
    if (r != 0)
        return r;
    *ret_date = ub_date(&response);
    return 0;
}
