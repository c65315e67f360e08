/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ua with HTTP Digest (TS 24.109 clause 5.2): the user name is the B-TID, the password base64(Ks_NAF).
 *
 * Who has no B-TID, or one that the BSF has forgotten, gets a 401 whose realm says "3GPP-bootstrapping": that is the
 * request to bootstrap, or to do so again. There are two judges of a response: this file's own, which knows
 * auth and auth-int; and libmicrohttpd's, which knows auth and was written by somebody else.
 */

#include "naf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <microhttpd.h>

static const char welcome[] = "You and the NAF hold the same key.\n";
static const char please_bootstrap[] = "Bootstrap, then come with B-TID and key.\n";

static int64_t monotonic_sec(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* --- Nonces ------------------------------------------------------------------------------------- */

static int nonce_new(struct naf *naf, char ret[LAB_DIGEST_HEX]) {
    struct naf_nonce *nonce;

    if (lab_random_hex(ret, LAB_DIGEST_HEX - 1) < 0)
        return -EIO;
    (void)pthread_mutex_lock(&naf->lock);
    nonce = &naf->nonces[naf->nonces_next];
    naf->nonces_next = (naf->nonces_next + 1) % NAF_NONCES_MAX;
    memcpy(nonce->nonce, ret, LAB_DIGEST_HEX);
    nonce->nc = 0;
    nonce->issued_sec = monotonic_sec();
    (void)pthread_mutex_unlock(&naf->lock);
    return 0;
}

/* Whether the nonce is ours and young, and its count has not been used: each count is good for one request. */
static bool nonce_use(struct naf *naf, const char *text, uint32_t nc) {
    bool good = false;

    (void)pthread_mutex_lock(&naf->lock);
    for (size_t i = 0; i < NAF_NONCES_MAX; i++) {
        struct naf_nonce *nonce = &naf->nonces[i];

        if (nonce->nonce[0] == '\0' || strcmp(nonce->nonce, text) != 0)
            continue;
        good = nc > nonce->nc && monotonic_sec() - nonce->issued_sec <= NAF_NONCE_AGE_MAX_SEC;
        if (good)
            nonce->nc = nc;
        break;
    }
    (void)pthread_mutex_unlock(&naf->lock);
    return good;
}

/* --- Our own judge ------------------------------------------------------------------------------ */

static int challenge(struct naf *naf, struct lab_reply *reply, bool stale) {
    char nonce[LAB_DIGEST_HEX];
    int r;

    r = nonce_new(naf, nonce);
    if (r < 0)
        return r;
    r = lab_reply_text(reply, 401, please_bootstrap);
    if (r < 0)
        return r;
    return lab_reply_field(reply, "WWW-Authenticate",
                           "Digest realm=\"%s\", nonce=\"%s\", algorithm=MD5, "
                           "qop=\"auth,auth-int\", opaque=\"%s\"%s",
                           naf->realm, nonce, nonce, stale ? ", stale=true" : "");
}

static const char *find_mistake(const struct naf *naf, const struct lab_request *request,
                                const struct lab_digest *credentials) {
    static const enum lab_digest_name needed[] = {
        LAB_DIGEST_USERNAME, LAB_DIGEST_REALM, LAB_DIGEST_NONCE,  LAB_DIGEST_URI,
        LAB_DIGEST_RESPONSE, LAB_DIGEST_QOP,   LAB_DIGEST_CNONCE, LAB_DIGEST_NC};
    const char *algorithm = credentials->value[LAB_DIGEST_ALGORITHM];
    const char *qop = credentials->value[LAB_DIGEST_QOP];

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!credentials->value[needed[i]])
            return "username, realm, nonce, uri, response, qop, cnonce and nc are needed.\n";
    if (strcmp(credentials->value[LAB_DIGEST_REALM], naf->realm) != 0)
        return "The realm is another one.\n";
    if (strcmp(credentials->value[LAB_DIGEST_URI], request->target) != 0)
        return "The uri is not that of the request.\n";
    if (algorithm && strcasecmp(algorithm, "MD5") != 0)
        return "The algorithm is not MD5.\n";
    if (strcmp(qop, "auth") != 0 && strcmp(qop, "auth-int") != 0)
        return "The qop is neither auth nor auth-int.\n";
    if (lab_digest_nc(credentials->value[LAB_DIGEST_NC]) == 0)
        return "The nonce count is not eight hex digits from 00000001 on.\n";
    if (strpbrk(credentials->value[LAB_DIGEST_CNONCE], "\"\\"))
        return "The cnonce is not fit to be repeated.\n";
    return NULL;
}

static int welcome_client(const struct lab_digest_input *request_input, struct lab_reply *reply) {
    struct lab_digest_input input = *request_input;
    char rspauth[LAB_DIGEST_HEX];
    int r;

    r = lab_reply_text(reply, 200, welcome);
    if (r < 0)
        return r;
    input.method = "";
    input.body = (const uint8_t *)reply->body;
    input.body_length = reply->body_length;
    lab_digest_response(&input, rspauth);
    return lab_reply_field(reply, "Authentication-Info",
                           "qop=%s, rspauth=\"%s\", cnonce=\"%s\", nc=%s", input.qop, rspauth,
                           input.cnonce, input.nc);
}

static int judge(struct naf *naf, const struct lab_request *request,
                 const struct lab_digest *credentials, const char *password,
                 struct lab_reply *reply) {
    const struct lab_digest_input input = {
        .username = credentials->value[LAB_DIGEST_USERNAME],
        .realm = naf->realm,
        .password = (const uint8_t *)password,
        .password_length = strlen(password),
        .method = request->method,
        .uri = credentials->value[LAB_DIGEST_URI],
        .nonce = credentials->value[LAB_DIGEST_NONCE],
        .nc = credentials->value[LAB_DIGEST_NC],
        .cnonce = credentials->value[LAB_DIGEST_CNONCE],
        .qop = credentials->value[LAB_DIGEST_QOP],
        .body = request->body,
        .body_length = request->body_length,
    };
    char expected[LAB_DIGEST_HEX];

    lab_digest_response(&input, expected);
    if (!lab_digest_equal(expected, credentials->value[LAB_DIGEST_RESPONSE]))
        return challenge(naf, reply, false);
    if (!nonce_use(naf, input.nonce, lab_digest_nc(input.nc)))
        return challenge(naf, reply, true);
    return welcome_client(&input, reply);
}

static int serve_ourselves(struct naf *naf, const struct lab_request *request,
                           struct lab_reply *reply) {
    char password[NAF_PASSWORD_SIZE];
    struct lab_digest credentials;
    const char *mistake;
    int r;

    if (!request->authorization)
        return challenge(naf, reply, false);
    if (lab_digest_parse(request->authorization, true, &credentials) < 0)
        return lab_reply_text(reply, 400, "The Authorization is malformed.\n");
    mistake = find_mistake(naf, request, &credentials);
    if (mistake)
        return lab_reply_text(reply, 400, mistake);

    r = naf_fetch_password(naf, credentials.value[LAB_DIGEST_USERNAME], password);
    if (r == -ENOENT)
        return challenge(naf, reply, false);
    if (r < 0)
        return lab_reply_text(reply, 502, "The BSF does not answer.\n");
    r = judge(naf, request, &credentials, password, reply);
    explicit_bzero(password, sizeof(password));
    return r;
}

/* --- libmicrohttpd as the judge ----------------------------------------------------------------- */

static int mhd_challenge(const struct naf *naf, const struct lab_request *request,
                         struct lab_reply *reply, bool stale) {
    struct MHD_Response *response;
    enum MHD_Result result;

    response = MHD_create_response_from_buffer(
        sizeof(please_bootstrap) - 1, (void *)(uintptr_t)please_bootstrap, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return -ENOMEM;
    result = MHD_queue_auth_fail_response2(request->connection, naf->realm, "naf", response,
                                           stale ? MHD_YES : MHD_NO, MHD_DIGEST_ALG_MD5);
    MHD_destroy_response(response);
    if (result != MHD_YES)
        return -EIO;
    reply->fate = LAB_REPLY_QUEUED;
    return 0;
}

static int serve_by_mhd(struct naf *naf, const struct lab_request *request,
                        struct lab_reply *reply) {
    char *btid = MHD_digest_auth_get_username(request->connection);
    char password[NAF_PASSWORD_SIZE];
    int r, verdict;

    if (!btid)
        return mhd_challenge(naf, request, reply, false);
    r = naf_fetch_password(naf, btid, password);
    if (r == 0) {
        verdict = MHD_digest_auth_check2(request->connection, naf->realm, btid, password,
                                         NAF_NONCE_AGE_MAX_SEC, MHD_DIGEST_ALG_MD5);
        explicit_bzero(password, sizeof(password));
        if (verdict == MHD_YES)
            r = lab_reply_text(reply, 200, welcome);
        else
            r = mhd_challenge(naf, request, reply, verdict == MHD_INVALID_NONCE);
    } else if (r == -ENOENT) {
        r = mhd_challenge(naf, request, reply, false);
    } else {
        r = lab_reply_text(reply, 502, "The BSF does not answer.\n");
    }
    MHD_free(btid);
    return r;
}

int naf_serve(const struct lab_request *request, struct lab_reply *reply, void *userdata) {
    struct naf *naf = userdata;
    int r;

    if (!lab_request_host_is(request, naf->name))
        r = lab_reply_text(reply, 400, "The Host field names another NAF.\n");
    else if (naf->mhd_verifies)
        r = serve_by_mhd(naf, request, reply);
    else
        r = serve_ourselves(naf, request, reply);
    if (r == 0 && reply->fate == LAB_REPLY_SEND)
        r = lab_reply_date(reply, "Date", (int64_t)time(NULL));
    return r;
}
