/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The bootstrap (TS 24.109 4, TS 33.220 4.5.2).
 *
 * ub_bootstrap() and ub_run() below read like the specification: ask, be challenged, have the card answer, prove it,
 * check the BSF's proof, keep the result. Each step is a function that either does it or names why not; what the modes of
 * GBA differ in is in ub-challenge.c. Whatever is learnt on the way lives in variables that erase themselves; the caller
 * sees a whole result or none.
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

/* --- Requests ------------------------------------------------------------------------------------- */

/* Message 1: who we are, with an empty nonce. */
static int ask_once(struct ub_session *session, struct http_response *ret_response,
                    struct challenge *ret) {
    _cleanup_free_ char *authorization = NULL;
    int r;

    r = digest_initial(session->username, ub_session_realm(session), session->parameters->path,
                       &authorization);
    if (r < 0)
        return r;
    r = ub_get(session, authorization, ret_response);
    if (r != 0)
        return r;
    return ub_expect_challenge(session, ret_response, ret);
}

/* A BSF says in a status of its own choice that it does not know a temporary identity (TS 33.220 4.5.2). */
static bool is_unknown_tmpi(const struct http_response *response, int r) {
    return r > 0 && response->status >= 400 && response->status < 500 && response->status != 429;
}

/* Message 1, by the temporary identity first where there is one. */
static int ask(struct ub_session *session, struct http_response *ret_response,
               struct challenge *ret) {
    struct failure *outer = session->failure, failure = {0};
    int r;

    if (!session->parameters->tmpi)
        return ask_once(session, ret_response, ret);

    session->username = session->parameters->tmpi;
    session->failure = &failure;
    r = ask_once(session, ret_response, ret);
    session->failure = outer;
    if (!is_unknown_tmpi(ret_response, r)) {
        if (failure.code != 0)
            (void)failure_set(outer, failure.code, "%s", failure.text);
        return r;
    }
    http_response_done(ret_response);
    session->username = session->parameters->impi;
    return ask_once(session, ret_response, ret);
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
        .algorithm = challenge->algorithm,
        .username = session->username,
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

/* Send the Digest for @challenge: with a password, or with AUTS and an empty one. */
static int send_proof(struct ub_session *session, const struct challenge *challenge,
                      const struct secret *password, const uint8_t *auts, struct proof *proof,
                      struct http_response *ret) {
    _cleanup_free_ char *authorization = NULL;
    int r;

    r = proof_init(proof, session, challenge);
    if (r < 0)
        return r;
    r = digest_authorization(&proof->input, challenge, password, auts, &authorization);
    if (r < 0)
        return r;
    return ub_get(session, authorization, ret);
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
    r = ub_expect_challenge(session, &response, &next);
    if (r != 0)
        return r;
    if (ub_same_challenge(&next, challenge))
        return ub_fail(session, UB_E_RESYNC,
                       "it sent the same challenge again after the card's synchronisation failure",
                       "tell the operator that the BSF does not resynchronise");
    *challenge = next;
    return 0;
}

/* Have @challenge answered, resynchronising on the way if it has not been done before. */
static int authenticate(struct ub_session *session, struct challenge *challenge,
                        bool *resynchronised, struct ub_answer *ret) {
    int r;

    r = ub_answer(session, challenge, ret);
    if (r == UICC_E_SYNC && !*resynchronised) {
        *resynchronised = true;
        r = resynchronise(session, ret->auts, challenge);
        if (r != 0)
            return r;
        r = ub_answer(session, challenge, ret);
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

/*
 * Whether the BSF only wants another answer: the nonce was too old for it, or the connection that the password was bound to
 * had broken and the proof came by another. Then @challenge becomes the new one.
 */
static bool wants_another(const struct ub_session *session, const struct verdict *verdict,
                          const struct ub_answer *answer, struct challenge *challenge) {
    bool moved = answer->exporter && !secret_equal(answer->exporter, session->exporter);
    struct challenge next = {0};

    if (verdict->response.status != 401 ||
        ub_find_challenge(session, &verdict->response, &next, NULL) != 0 ||
        !(next.stale || moved) || (ub_same_challenge(&next, challenge) && !moved))
        return false;
    *challenge = next;
    return true;
}

static int prove(struct ub_session *session, const struct challenge *challenge,
                 const struct ub_answer *answer, struct verdict *verdict) {
    http_response_done(&verdict->response);
    verdict->response = (struct http_response){0};
    verdict->sent_usec = now_usec();
    return send_proof(session, challenge, answer->password, NULL, &verdict->proof,
                      &verdict->response);
}

static bool is_media_type(const char *value) {
    size_t length = strcspn(value, "; \t");

    return length == strlen(MEDIA_TYPE) && strncasecmp(value, MEDIA_TYPE, length) == 0;
}

static int check_rspauth(struct ub_session *session, const struct verdict *verdict,
                         const struct ub_answer *answer) {
    const struct http_response *response = &verdict->response;
    const char *value = http_response_field(response, "Authentication-Info", 0);
    struct failure failure = {0};
    int r;

    if (http_response_field(response, "Authentication-Info", 1))
        return ub_fail(session, UB_E_RSPAUTH_WRONG, "it sent Authentication-Info twice",
                       "do not trust this network, and tell the operator");
    r = digest_check_rspauth(value, &verdict->proof.input, answer->password, response->body,
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

static int fail_rejected(struct ub_session *session) {
    if (session->parameters->mode == GBA_MODE_DIGEST)
        return ub_fail(session, UB_E_RESPONSE_REJECTED,
                       "it did not accept the password (HTTP status 401)",
                       "check user name (IMPI) and password of GBA_Digest with the operator");
    return ub_fail(
        session, UB_E_RESPONSE_REJECTED, "it did not accept the card's answer (HTTP status 401)",
        "check the identity (IMPI) in the configuration, and the card with the operator");
}

/* Whether the BSF accepted our proof, gave its own and sent what a BSF sends. */
static int check_verdict(struct ub_session *session, const struct verdict *verdict,
                         const struct ub_answer *answer, struct bootstrapping_info *ret) {
    const struct http_response *response = &verdict->response;
    const char *type = http_response_field(response, "Content-Type", 0);
    struct failure failure = {0};
    int r;

    if (response->status == 401)
        return fail_rejected(session);
    if (response->status < 200 || response->status > 299)
        return ub_refusal(session, response);
    if (response->status != 200 || !type || !is_media_type(type))
        return ub_fail(session, UB_E_INFO_MALFORMED, "its answer is not of type " MEDIA_TYPE,
                       "check that no proxy or portal is between here and the BSF");
    r = check_rspauth(session, verdict, answer);
    if (r != 0)
        return r;
    r = bootstrapping_info_parse(response->body, response->body_length, ret, &failure);
    if (r > 0)
        return ub_fail(session, r, failure.text, "tell the operator");
    return r;
}

/* --- The whole ------------------------------------------------------------------------------------ */

/* The Ks: made when the challenge was answered, or of the response in GBA_Digest. NULL in GBA_U. */
static int take_ks(const struct verdict *verdict, struct ub_answer *answer, struct secret **ret) {
    char response[DIGEST_HEX_MAX + 1];
    int r;

    if (!answer->hash_a1) {
        *ret = TAKE_PTR(answer->ks);
        return 0;
    }
    r = digest_response(&verdict->proof.input, answer->password, response);
    return r == 0 ? gba_digest_ks(answer->hash_a1, answer->exporter, response, ret) : r;
}

/* Who we shall be next time, where the BSF knows temporary identities and the Ks is here. */
static int note_tmpi(const struct ub_session *session, struct ub_result *result) {
    char bsf[NAF_FQDN_MAX + 1];

    result->server_tmpi = session->server_tmpi;
    result->by_tmpi = session->username != session->parameters->impi;
    if (!result->server_tmpi || result->mode != GBA_MODE_ME ||
        !gba_bsf_id_of_btid(result->btid, bsf))
        return 0;
    return gba_tmpi(result->ks, result->rand, result->impi, bsf, result->tmpi);
}

static int make_result(struct ub_session *session, const struct challenge *challenge,
                       struct ub_answer *answer, const struct verdict *verdict,
                       const struct bootstrapping_info *info, bool resynchronised,
                       struct ub_result *ret) {
    _cleanup_ub_result_ struct ub_result result = {
        .mode = session->parameters->mode,
        .resynchronised = resynchronised,
        .card_usec = session->card_usec,
        .network_usec = session->network_usec,
    };
    int r;

    r = ub_lifetime(session, info, &verdict->response, verdict->sent_usec, &result.expires_usec,
                    &result.expires_utc_usec);
    if (r != 0)
        return r;
    r = take_ks(verdict, answer, &result.ks);
    if (r < 0)
        return r;
    memcpy(result.rand, challenge->rand, AKA_RAND_LENGTH);
    memcpy(result.btid, info->btid, sizeof(result.btid));
    memcpy(result.lifetime_text, info->lifetime_text, sizeof(result.lifetime_text));
    (void)snprintf(result.impi, sizeof(result.impi), "%s", session->parameters->impi);
    if (result.mode == GBA_MODE_DIGEST)
        memcpy(result.nonce, challenge->nonce, strnlen(challenge->nonce, DIGEST_NONCE_MAX));
    r = note_tmpi(session, &result);
    if (r < 0)
        return r;

    *ret = result;
    result.ks = NULL;
    return 0;
}

/* Once more from the challenge that @challenge is now. */
static int answer_again(struct ub_session *session, struct challenge *challenge,
                        bool *resynchronised, struct ub_answer *answer, struct verdict *verdict) {
    int r;

    r = ub_check_challenge(session, challenge);
    if (r != 0)
        return r;
    ub_answer_done(answer);
    r = authenticate(session, challenge, resynchronised, answer);
    if (r != 0)
        return r;
    return prove(session, challenge, answer, verdict);
}

static int ub_run(struct ub_session *session, struct ub_result *ret) {
    _cleanup_http_response_ struct http_response first = {0};
    _cleanup_ub_answer_ struct ub_answer answer = {0};
    _cleanup_(verdict_done) struct verdict verdict = {0};
    struct bootstrapping_info info = {0};
    struct challenge challenge = {0};
    bool resynchronised = false;
    int r;

    r = ask(session, &first, &challenge);
    if (r != 0)
        return r;
    r = authenticate(session, &challenge, &resynchronised, &answer);
    if (r != 0)
        return r;
    r = prove(session, &challenge, &answer, &verdict);
    if (r != 0)
        return r;
    if (wants_another(session, &verdict, &answer, &challenge)) {
        r = answer_again(session, &challenge, &resynchronised, &answer, &verdict);
        if (r != 0)
            return r;
    }
    r = check_verdict(session, &verdict, &answer, &info);
    if (r != 0)
        return r;
    return make_result(session, &challenge, &answer, &verdict, &info, resynchronised, ret);
}

/* A text for what went wrong with this machine, where nobody nearer to the cause has set one. */
static void note_errno(struct failure *failure, int code, const struct ub_parameters *parameters) {
    char text[64];

    (void)failure_set(failure, code, "bootstrap with BSF %.64s: %s", parameters->bsf,
                      strerror_r(-code, text, sizeof(text)));
}

int ub_bootstrap(const struct ub_parameters *parameters, const struct ub_ops *ops, void *userdata,
                 struct ub_result *ret, uint64_t *ret_retry_after_usec, struct failure *failure) {
    _cleanup_ub_session_ struct ub_session session = {0};
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
    _cleanup_ub_session_ struct ub_session session = {0};
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
