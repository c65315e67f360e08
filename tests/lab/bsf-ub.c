/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ub as the BSF sees it (TS 24.109 clause 4, RFC 3310).
 *
 * A request is one of three: a first one with an empty nonce, which is challenged; a synchronisation failure, which
 * moves the sequence number and is challenged anew; or an answer, which ends in keys or in a refusal. A nonce is
 * good for one request whatever comes of it.
 */

#include "bsf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define AKA_ALGORITHM   "AKAv1-MD5"
#define MEDIA_TYPE      "application/vnd.3gpp.bsf+xml"
#define AKAV2_ALGORITHM "AKAv2-MD5"
#define TMPI_TOKEN      "3gpp-gba-tmpi"
#define DIGEST_TOKEN    "GBA_Digest"
#define EXPORTER_LABEL  "EXPORTER_GBA_Digest" /* (unverified) */

/* One request while it is being answered. */
struct exchange {
    struct bsf *bsf;
    const struct lab_request *request;
    struct lab_reply *reply;
    struct lab_digest credentials;
    struct lab_subscriber *subscriber;
    uint8_t exporter[LAB_EXPORTER_LENGTH]; /* of the connection, in GBA_Digest */
    int64_t now;                           /* by the clock that the client is shown */
};

static const char *parameter(const struct exchange *exchange, enum lab_digest_name name) {
    const char *value = exchange->credentials.value[name];

    return value ? value : "";
}

static int refuse(struct exchange *exchange, unsigned status, const char *why) {
    exchange->bsf->counts.refusals++;
    return lab_reply_text(exchange->reply, status, why);
}

static const char *qop_of(const struct bsf_challenge *challenge) {
    return challenge->auth_only ? "auth" : "auth-int";
}

static bool says(const struct exchange *exchange, const char *token) {
    return exchange->request->user_agent && strstr(exchange->request->user_agent, token);
}

static bool wants_digest(const struct exchange *exchange) {
    return says(exchange, DIGEST_TOKEN) && exchange->subscriber->password[0] != '\0';
}

/* --- Challenge ---------------------------------------------------------------------------------- */

static int offer(struct exchange *exchange, const struct bsf_challenge *made,
                 const char *algorithm) {
    return lab_reply_field(
        exchange->reply, "WWW-Authenticate",
        "Digest realm=\"%s\", nonce=\"%s\", algorithm=%s, qop=\"%s\", opaque=\"%s\"", made->realm,
        made->nonce, algorithm, qop_of(made), made->opaque);
}

/* @after: the challenge whose answer led to this one, or NULL. */
static int challenge(struct exchange *exchange, const struct bsf_challenge *after, bool resynced) {
    struct bsf *bsf = exchange->bsf;
    struct bsf_challenge *made;
    int r;

    if (bsf_fault_take(bsf, BSF_FAULT_NO_CHALLENGE, NULL))
        return lab_reply_text(exchange->reply, 401, "No.\n");
    r = bsf_challenge_new(bsf, exchange->subscriber, wants_digest(exchange), &made);
    if (r < 0)
        return r;
    made->refused = after && (after->refused || !resynced);
    made->resynced = after && (after->resynced || resynced);
    made->auth_only = bsf_fault_take(bsf, BSF_FAULT_AUTH_ONLY, NULL);

    r = lab_reply_text(exchange->reply, 401, "Bootstrapping needs an answer to the challenge.\n");
    if (r < 0)
        return r;
    r = offer(exchange, made, made->mode == BSF_MODE_DIGEST ? "MD5" : AKA_ALGORITHM);
    return r == 0 && made->akav2_length > 0 ? offer(exchange, made, AKAV2_ALGORITHM) : r;
}

/* --- Success ------------------------------------------------------------------------------------ */

static int write_info(struct exchange *exchange, const char *btid, int64_t expires) {
    bool current = !bsf_fault_take(exchange->bsf, BSF_FAULT_NO_CURRENTTIME, NULL);
    bool big = bsf_fault_take(exchange->bsf, BSF_FAULT_BIG_BODY, NULL);
    char lifetime[BSF_TIME_SIZE], now[BSF_TIME_SIZE];
    char *body = NULL;
    int length;

    if (bsf_fault_take(exchange->bsf, BSF_FAULT_BODY_GARBAGE, NULL))
        return lab_reply_body_take(exchange->reply, strdup("<BootstrappingInfo><btid>\x01&lt"),
                                   strlen("<BootstrappingInfo><btid>\x01&lt"));
    bsf_time(expires, lifetime);
    bsf_time(exchange->now, now);
    length =
        asprintf(&body,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n"
                 "  <btid>%s</btid>\n"
                 "  <lifetime>%s</lifetime>\n"
                 "%s%s%s%*s"
                 "</BootstrappingInfo>\n",
                 btid, lifetime, current ? "  <Extension><currenttime>" : "", current ? now : "",
                 current ? "</currenttime></Extension>\n" : "", big ? (int)BSF_BIG_BODY : 0, "");
    if (length < 0)
        return -ENOMEM;
    return lab_reply_body_take(exchange->reply, body, (size_t)length);
}

/* The proof that the BSF knows the password too, over the body just written (RFC 7616 3.5). */
static int add_rspauth(struct exchange *exchange, const struct bsf_challenge *answered) {
    const struct lab_digest_input input = {
        .username = parameter(exchange, LAB_DIGEST_USERNAME),
        .realm = answered->realm,
        .password = answered->by_akav2 ? answered->akav2 : answered->password,
        .password_length = answered->by_akav2 ? answered->akav2_length : answered->password_length,
        .method = "",
        .uri = parameter(exchange, LAB_DIGEST_URI),
        .nonce = answered->nonce,
        .nc = parameter(exchange, LAB_DIGEST_NC),
        .cnonce = parameter(exchange, LAB_DIGEST_CNONCE),
        .qop = qop_of(answered),
        .body = (const uint8_t *)exchange->reply->body,
        .body_length = exchange->reply->body_length,
    };
    char rspauth[LAB_DIGEST_HEX];

    if (bsf_fault_take(exchange->bsf, BSF_FAULT_NO_RSPAUTH, NULL))
        return 0;
    lab_digest_response(&input, rspauth);
    if (bsf_fault_take(exchange->bsf, BSF_FAULT_WRONG_RSPAUTH, NULL))
        rspauth[0] = rspauth[0] == '0' ? '1' : '0';
    return lab_reply_field(exchange->reply, "Authentication-Info",
                           "qop=%s, rspauth=\"%s\", cnonce=\"%s\", nc=%s, opaque=\"%s\"", input.qop,
                           rspauth, input.cnonce, input.nc, answered->opaque);
}

static int succeed(struct exchange *exchange, const struct bsf_challenge *answered) {
    struct bsf *bsf = exchange->bsf;
    int64_t lifetime = bsf->lifetime_sec ? bsf->lifetime_sec : exchange->subscriber->lifetime;
    const struct bsf_fault_setting *fault = NULL;
    const struct bsf_bootstrap *bootstrap;
    int r;

    if (bsf_fault_take(bsf, BSF_FAULT_LIFETIME, &fault))
        lifetime = fault->argument;
    r = bsf_bootstrap_add(bsf, answered, bsf_clock_sec() + lifetime, &bootstrap);
    if (r < 0)
        return r;
    exchange->reply->status = 200;
    r = write_info(exchange, bootstrap->btid, exchange->now + lifetime);
    if (r < 0)
        return r;
    r = lab_reply_field(exchange->reply, "Content-Type", MEDIA_TYPE);
    if (r < 0)
        return r;
    r = lab_reply_date(exchange->reply, "Expires", exchange->now + lifetime);
    if (r < 0)
        return r;
    return add_rspauth(exchange, answered);
}

/* --- The second request ------------------------------------------------------------------------- */

static bool algorithm_is_offered(const struct bsf_challenge *answered, const char *algorithm) {
    if (answered->mode == BSF_MODE_DIGEST)
        return strcasecmp(algorithm, "MD5") == 0;
    return strcasecmp(algorithm, AKA_ALGORITHM) == 0 ||
           (answered->akav2_length > 0 && strcasecmp(algorithm, AKAV2_ALGORITHM) == 0);
}

/* What a client must have got right before its response is worth computing. */
static const char *find_mistake(const struct exchange *exchange,
                                const struct bsf_challenge *answered) {
    const char *algorithm = exchange->credentials.value[LAB_DIGEST_ALGORITHM];
    const char *cnonce = parameter(exchange, LAB_DIGEST_CNONCE);

    if (algorithm && !algorithm_is_offered(answered, algorithm))
        return "The algorithm is not one that was offered.\n";
    if (strcasecmp(parameter(exchange, LAB_DIGEST_QOP), qop_of(answered)) != 0)
        return "The qop is not the challenge's.\n";
    if (lab_digest_nc(parameter(exchange, LAB_DIGEST_NC)) != 1)
        return "The nonce count is not 00000001.\n";
    if (cnonce[0] == '\0' || strpbrk(cnonce, "\"\\"))
        return "The cnonce is missing or not fit to be repeated.\n";
    if (strcmp(parameter(exchange, LAB_DIGEST_OPAQUE), answered->opaque) != 0)
        return "The opaque value is not the challenge's.\n";
    return NULL;
}

static bool response_is_right(const struct exchange *exchange, const struct bsf_challenge *answered,
                              bool with_password) {
    size_t length = answered->by_akav2 ? answered->akav2_length : answered->password_length;
    const struct lab_digest_input input = {
        .username = parameter(exchange, LAB_DIGEST_USERNAME),
        .realm = answered->realm,
        .password = answered->by_akav2 ? answered->akav2 : answered->password,
        .password_length = with_password ? length : 0,
        .method = exchange->request->method,
        .uri = parameter(exchange, LAB_DIGEST_URI),
        .nonce = answered->nonce,
        .nc = parameter(exchange, LAB_DIGEST_NC),
        .cnonce = parameter(exchange, LAB_DIGEST_CNONCE),
        .qop = qop_of(answered),
        .body = exchange->request->body,
        .body_length = exchange->request->body_length,
    };
    char expected[LAB_DIGEST_HEX];

    lab_digest_response(&input, expected);
    return lab_digest_equal(expected, parameter(exchange, LAB_DIGEST_RESPONSE));
}

static int resynchronise(struct exchange *exchange, const struct bsf_challenge *answered) {
    uint8_t auts[MILENAGE_AUTS];
    size_t length = 0;
    uint64_t sqn;

    if (lab_base64_decode(parameter(exchange, LAB_DIGEST_AUTS), auts, sizeof(auts), &length) < 0 ||
        length != sizeof(auts))
        return refuse(exchange, 400, "The auts is not base64 of 14 octets.\n");
    if (!response_is_right(exchange, answered, false))
        return refuse(exchange, 403,
                      "The response beside auts is not that of an empty password.\n");
    if (!milenage_auts_verify(&exchange->subscriber->key, answered->rand, auts, &sqn))
        return refuse(exchange, 403, "The MAC-S of auts is wrong.\n");
    if (answered->resynced)
        return refuse(exchange, 403, "The sequence number was set only just before.\n");

    exchange->subscriber->sqn = sqn;
    exchange->bsf->counts.resyncs++;
    return challenge(exchange, answered, true);
}

/* What is known only now: the algorithm that the client chose, and the connection that it came by. */
static void prepare_answer(struct exchange *exchange, struct bsf_challenge *answered) {
    const char *algorithm = exchange->credentials.value[LAB_DIGEST_ALGORITHM];

    answered->by_akav2 = algorithm && strcasecmp(algorithm, AKAV2_ALGORITHM) == 0;
    if (answered->mode == BSF_MODE_DIGEST)
        bsf_digest_password(answered, exchange->exporter);
}

static int finish_keys(struct exchange *exchange, struct bsf_challenge *answered) {
    exchange->bsf->counts.akav2 += answered->by_akav2;
    if (answered->mode != BSF_MODE_DIGEST)
        return 0;
    return bsf_digest_ks(answered, exchange->exporter, parameter(exchange, LAB_DIGEST_RESPONSE));
}

static int check_answer(struct exchange *exchange) {
    struct bsf_challenge answered;
    const char *mistake;
    int r;

    if (!bsf_challenge_take(exchange->bsf, exchange->subscriber,
                            parameter(exchange, LAB_DIGEST_NONCE), &answered))
        return refuse(exchange, 400, "The nonce is unknown, too old or used.\n");

    prepare_answer(exchange, &answered);
    mistake = find_mistake(exchange, &answered);
    if (mistake) {
        r = refuse(exchange, 400, mistake);
    } else if (exchange->credentials.value[LAB_DIGEST_AUTS]) {
        r = resynchronise(exchange, &answered);
    } else if (response_is_right(exchange, &answered, true)) {
        r = finish_keys(exchange, &answered);
        if (r == 0)
            r = succeed(exchange, &answered);
    } else if (answered.refused) {
        r = refuse(exchange, 403, "The response is wrong again.\n");
    } else {
        exchange->bsf->counts.refusals++;
        r = challenge(exchange, &answered, false);
    }
    explicit_bzero(&answered, sizeof(answered));
    return r;
}

/* --- Any request -------------------------------------------------------------------------------- */

/* Faults that come before anything is read. Returns whether there was one; @ret is what to return then. */
static bool show_early_fault(struct exchange *exchange, int *ret) {
    const struct bsf_fault_setting *fault = NULL;
    struct lab_reply *reply = exchange->reply;
    struct bsf *bsf = exchange->bsf;

    *ret = 0;
    if (bsf_fault_take(bsf, BSF_FAULT_SLOW, &fault))
        reply->delay_msec = (unsigned)fault->argument;
    if (bsf_fault_take(bsf, BSF_FAULT_HANG, NULL)) {
        reply->fate = LAB_REPLY_HANG;
        return true;
    }
    if (bsf_fault_take(bsf, BSF_FAULT_GARBAGE, NULL)) {
        reply->fate = LAB_REPLY_GARBAGE;
        return true;
    }
    if (bsf_fault_take(bsf, BSF_FAULT_STATUS, &fault)) {
        *ret = lab_reply_text(reply, (unsigned)fault->argument, "As ordered.\n");
        if (*ret == 0 && fault->second > 0)
            *ret = lab_reply_field(reply, "Retry-After", "%" PRId64, fault->second);
        return true;
    }
    if (bsf_fault_take(bsf, BSF_FAULT_REDIRECT, NULL)) {
        *ret = lab_reply_text(reply, 302, "Elsewhere.\n");
        if (*ret == 0)
            *ret = lab_reply_field(reply, "Location", "http://elsewhere.invalid/");
        return true;
    }
    return false;
}

static int check_request(struct exchange *exchange) {
    const struct lab_request *request = exchange->request;
    const struct bsf *bsf = exchange->bsf;

    if (strcmp(request->method, "GET") != 0)
        return refuse(exchange, 405, "Bootstrapping is a GET.\n");
    if (strcmp(request->path, bsf->path ? bsf->path : "/") != 0)
        return refuse(exchange, 404, "Bootstrapping is somewhere else.\n");
    if (!lab_request_host_is(request, bsf->name))
        return refuse(exchange, 400, "The Host field names another BSF.\n");
    if (!request->authorization ||
        lab_digest_parse(request->authorization, true, &exchange->credentials) < 0)
        return refuse(exchange, 400, "There is no well-formed Authorization of scheme Digest.\n");
    for (int name = LAB_DIGEST_USERNAME; name <= LAB_DIGEST_RESPONSE; name++)
        if (!exchange->credentials.value[name])
            return refuse(exchange, 400, "username, realm, nonce, uri and response are needed.\n");
    /* In GBA_Digest it is the home network's, which is known when the user is. */
    if (!says(exchange, DIGEST_TOKEN) &&
        strcasecmp(parameter(exchange, LAB_DIGEST_REALM), bsf->realm) != 0)
        return refuse(exchange, 400, "The realm is another one.\n");
    if (strcmp(parameter(exchange, LAB_DIGEST_URI), request->target) != 0)
        return refuse(exchange, 400, "The uri is not that of the request.\n");
    return 0;
}

/* For who wants to know what a client says: X-Lab stands for any field that an operator wants. */
static void note_request(const struct exchange *exchange) {
    const struct lab_request *request = exchange->request;
    const char *lab = lab_request_field(request, "X-Lab");

    snprintf(exchange->bsf->last_request, BSF_REQUEST_SIZE,
             "target=%s host=%s x-lab=%s user-agent=%s", request->target,
             request->host ? request->host : "", lab ? lab : "",
             request->user_agent ? request->user_agent : "");
}

static int serve(struct exchange *exchange) {
    struct bsf *bsf = exchange->bsf;
    bool temporary = false;
    int r;

    r = check_request(exchange);
    if (r < 0 || exchange->reply->status != 0)
        return r;
    exchange->subscriber = bsf_find_user(bsf, parameter(exchange, LAB_DIGEST_USERNAME), &temporary);
    if (!exchange->subscriber && temporary)
        return refuse(exchange, 401, "The temporary identity is not known: come with the IMPI.\n");
    if (!exchange->subscriber)
        return refuse(exchange, 403, "The home network does not know this subscriber.\n");
    if ((wants_digest(exchange) || (bsf->ways.mode_set && bsf->ways.mode == BSF_MODE_2G)) &&
        !lab_request_exporter(exchange->request, EXPORTER_LABEL, exchange->exporter))
        return refuse(exchange, 403, "This mode of GBA runs over https alone.\n");
    if (parameter(exchange, LAB_DIGEST_NONCE)[0] == '\0')
        return challenge(exchange, NULL, false);
    return check_answer(exchange);
}

int bsf_serve_ub(const struct lab_request *request, struct lab_reply *reply, void *userdata) {
    const struct bsf_fault_setting *fault = NULL;
    struct bsf *bsf = userdata;
    struct exchange exchange = {.bsf = bsf, .request = request, .reply = reply};
    int r;

    (void)pthread_mutex_lock(&bsf->lock);
    bsf->counts.requests++;
    note_request(&exchange);
    exchange.now = bsf_clock_sec();
    if (bsf_fault_take(bsf, BSF_FAULT_CLOCK_SKEW, &fault))
        exchange.now += fault->argument;
    if (!show_early_fault(&exchange, &r))
        r = serve(&exchange);
    if (r == 0 && reply->fate == LAB_REPLY_SEND && !bsf_fault_take(bsf, BSF_FAULT_NO_DATE, NULL))
        r = lab_reply_date(reply, "Date", exchange.now);
    if (r == 0 && reply->fate == LAB_REPLY_SEND)
        r = lab_reply_field(reply, "Server", "keystrap-lab%s",
                            bsf->ways.tmpi && says(&exchange, TMPI_TOKEN) ? " " TMPI_TOKEN : "");
    (void)pthread_mutex_unlock(&bsf->lock);
    return r;
}
