/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A scripted BSF, a scripted card and a clock that moves only when one of them works.
 *
 * A program that includes this defines now_usec() and now_realtime_usec() with it, and the linker leaves the real
 * clocks out. The BSF computes its proof with OpenSSL directly, not with the code under test.
 */

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <openssl/evp.h>

#include "ub.h"
#include "gba-vectors.h"

#define STEPS_MAX   8
#define FIELDS_MAX  6
#define GET_USEC    30000u
#define CARD_USEC   70000u
#define CLOCK_START 1000000000u
#define Y2030       1893456000 /* 2030-01-01T00:00:00Z, when the key of the worked example ends */

/* What the BSF does with one GET. */
struct step {
    int r;                          /* what get() returns; 0 for an answer */
    unsigned status;                /* 0: the script ends here */
    const char *fields[FIELDS_MAX]; /* "Name: value" */
    const char *body;
    const char *proved;  /* the body that the proof is of, where that is another one */
    bool proof;          /* add Authentication-Info with the right rspauth */
    const char *rspauth; /* add Authentication-Info with this rspauth */
    const char *exporter; /* of the TLS connection of this answer; NULL: of the worked example */
};

/* What the card does with one AUTHENTICATE. */
struct card_step {
    int r;
    const char *res, *ck, *ik; /* NULL: of the worked example; "": not given, as in GBA_U */
};

struct world {
    const struct step *steps;
    const struct card_step *card_steps; /* NULL: it always answers */
    const char *password;               /* that the BSF knows, in hex; NULL: RES */
    unsigned gets, authentications;
    char authorization[STEPS_MAX][HTTP_HEADER_MAX];
    char url[HTTP_URL_MAX + 1];
    char headers
        [HTTP_HEADER_MAX]; /* of the last request, but Authorization, with a newline after each */
    char connect_to[64], user_agent[64], trust_anchors[64], exporter_label[64];
    enum http_tls tls_min;
    uint8_t rand[AKA_RAND_LENGTH], autn[AKA_AUTN_LENGTH]; /* that the card was last asked with */
    uint64_t clock_usec, realtime_usec;
};

static struct world world;

uint64_t now_usec(void) {
    return world.clock_usec;
}

uint64_t now_realtime_usec(void) {
    return world.realtime_usec;
}

/* --- What the BSF knows of Digest ------------------------------------------------------------------ */

static inline void md5_hex(const void *data, size_t length, char ret[33]) {
    uint8_t digest[16];

    if (!EVP_Q_digest(NULL, "MD5", NULL, data, length, digest, NULL))
        abort();
    hex_encode(digest, sizeof(digest), ret);
}

/* The text of parameter @name in @field, quoted or not, into @ret; "" where there is none. */
static inline void parameter_of(const char *field, const char *name, char *ret, size_t size) {
    char key[32];
    const char *p;
    size_t length;

    (void)snprintf(key, sizeof(key), " %s=", name);
    p = strstr(field, key);
    *ret = 0;
    if (!p)
        return;
    p += strlen(key);
    length = *p == '"' ? strcspn(++p, "\"") : strcspn(p, ",");
    (void)snprintf(ret, size, "%.*s", (int)length, p);
}

/* The Digest that belongs to an Authorization @field; @body is NULL for qop auth. */
static inline void digest_of(const char *field, const char *password_hex, const char *method,
                             const char *body, char ret[33]) {
    char username[256], realm[256], nonce[1500], uri[256], nc[16], cnonce[64], qop[16];
    char a1[1024], a2[512], all[2048], a1_hash[33], a2_hash[33], body_hash[33];
    size_t a1_length, password_length = 0;

    parameter_of(field, "username", username, sizeof(username));
    parameter_of(field, "realm", realm, sizeof(realm));
    parameter_of(field, "nonce", nonce, sizeof(nonce));
    parameter_of(field, "uri", uri, sizeof(uri));
    parameter_of(field, "nc", nc, sizeof(nc));
    parameter_of(field, "cnonce", cnonce, sizeof(cnonce));
    parameter_of(field, "qop", qop, sizeof(qop));

    a1_length = (size_t)snprintf(a1, sizeof(a1), "%s:%s:", username, realm);
    if (hex_decode(password_hex, a1 + a1_length, sizeof(a1) - a1_length, &password_length) < 0)
        abort();
    md5_hex(a1, a1_length + password_length, a1_hash);
    if (strcmp(qop, "auth-int") == 0) {
        md5_hex(body, strlen(body), body_hash);
        (void)snprintf(a2, sizeof(a2), "%s:%s:%s", method, uri, body_hash);
    } else {
        (void)snprintf(a2, sizeof(a2), "%s:%s", method, uri);
    }
    md5_hex(a2, strlen(a2), a2_hash);
    (void)snprintf(all, sizeof(all), "%s:%s:%s:%s:%s:%s", a1_hash, nonce, nc, cnonce, qop, a2_hash);
    md5_hex(all, strlen(all), ret);
}

/* --- The BSF --------------------------------------------------------------------------------------- */

static inline void add_field(struct http_response *response, const char *line) {
    const char *colon = strchr(line, ':');
    struct http_field *field;

    response->fields =
        realloc(response->fields, (response->fields_count + 1) * sizeof(*response->fields));
    if (!response->fields || !colon)
        abort();
    field = &response->fields[response->fields_count++];
    field->name = strndup(line, (size_t)(colon - line));
    field->value = strdup(colon + 2);
}

static inline void note_request(const struct http_request *request) {
    size_t length = 0;

    (void)snprintf(world.url, sizeof(world.url), "%s", request->url);
    (void)snprintf(world.connect_to, sizeof(world.connect_to), "%s",
                   request->connect_to ? request->connect_to : "");
    (void)snprintf(world.user_agent, sizeof(world.user_agent), "%s",
                   request->user_agent ? request->user_agent : "");
    (void)snprintf(world.trust_anchors, sizeof(world.trust_anchors), "%s",
                   request->trust_anchors ? request->trust_anchors : "");
    (void)snprintf(world.exporter_label, sizeof(world.exporter_label), "%s",
                   request->exporter_label ? request->exporter_label : "");
    world.tls_min = request->tls_min;
    *world.headers = 0;
    for (const char *const *line = request->headers; *line; line++) {
        if (strncmp(*line, "Authorization: ", 15) == 0)
            (void)snprintf(world.authorization[world.gets], HTTP_HEADER_MAX, "%s", *line + 15);
        else
            length += (size_t)snprintf(world.headers + length, sizeof(world.headers) - length,
                                       "%s\n", *line);
    }
}

static inline int world_get(void *userdata, const struct http_request *request,
                            struct http_response *ret, struct failure *failure) {
    const struct step *step = &world.steps[world.gets];
    struct http_response response = {.status = step->status};
    const char *body = step->body ? step->body : "";
    char line[256], rspauth[33];

    (void)userdata;
    if (world.gets >= UB_ROUNDS_MAX || (step->r == 0 && step->status == 0))
        abort(); /* one GET more than the script has */
    note_request(request);
    world.clock_usec += GET_USEC;
    if (step->r != 0) {
        world.gets++;
        return failure_set(failure, step->r, "the script says so");
    }

    response.body = (uint8_t *)strdup(body);
    response.body_length = strlen(body);
    for (size_t i = 0; i < FIELDS_MAX && step->fields[i]; i++)
        add_field(&response, step->fields[i]);
    if (step->proof || step->rspauth) {
        digest_of(world.authorization[world.gets], world.password ? world.password : VECTOR_RES, "",
                  step->proved ? step->proved : body, rspauth);
        (void)snprintf(line, sizeof(line), "authentication-info: qop=auth-int, rspauth=\"%s\"",
                       step->rspauth ? step->rspauth : rspauth);
        add_field(&response, line);
    }
    if (request->exporter_label)
        response.exporter = secret_of(step->exporter ? step->exporter : VECTOR_EXPORTER);
    world.gets++;
    *ret = response;
    return 0;
}

/* --- The card -------------------------------------------------------------------------------------- */

static inline struct secret *card_secret(const char *hex, const char *usual) {
    return hex && !*hex ? NULL : secret_of(hex ? hex : usual);
}

static inline int world_authenticate(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                                     const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                                     struct failure *failure) {
    static const struct card_step answers = {0};
    const struct card_step *step =
        world.card_steps ? &world.card_steps[world.authentications] : &answers;

    (void)userdata;
    memcpy(world.rand, rand, AKA_RAND_LENGTH);
    memcpy(world.autn, autn, AKA_AUTN_LENGTH);
    world.authentications++;
    world.clock_usec += CARD_USEC;
    if (step->r == UICC_E_SYNC)
        octets_of("000102030405060708090a0bfeff", ret->auts, AKA_AUTS_LENGTH);
    if (step->r != 0)
        return failure_set(failure, step->r, "the card says so");
    ret->res = card_secret(step->res, VECTOR_RES);
    ret->ck = card_secret(step->ck, VECTOR_CK);
    ret->ik = card_secret(step->ik, VECTOR_IK);
    return 0;
}

/* The same in the GSM context; @card_steps give SRES as res and Kc as ck. */
static inline int world_authenticate_2g(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                                        struct secret **ret_sres, struct secret **ret_kc,
                                        struct failure *failure) {
    static const struct card_step answers = {0};
    const struct card_step *step =
        world.card_steps ? &world.card_steps[world.authentications] : &answers;

    (void)userdata;
    memcpy(world.rand, rand, AKA_RAND_LENGTH);
    world.authentications++;
    world.clock_usec += CARD_USEC;
    if (step->r != 0)
        return failure_set(failure, step->r, "the card says so");
    *ret_sres = secret_of(step->res ? step->res : VECTOR_SRES);
    *ret_kc = secret_of(step->ck ? step->ck : VECTOR_KC);
    return 0;
}

static const struct ub_ops world_ops = {
    .get = world_get,
    .authenticate = world_authenticate,
    .authenticate_2g = world_authenticate_2g,
};

static const struct ub_parameters world_parameters = {
    .impi = VECTOR_IMPI,
    .bsf = VECTOR_BSF,
    .scheme = "http",
    .path = "/",
    .user_agent = "keystrap; 3gpp-gba",
    .require_rspauth = true,
    .require_auth_int = true,
    .connect_timeout_usec = 1000000,
    .request_timeout_usec = 2000000,
    .lifetime_max_usec = USEC_INFINITY,
};

/* A new world with these scripts; an hour before the key of the worked example ends. */
static inline void world_begin(const struct step *steps, const struct card_step *card_steps) {
    world = (struct world){
        .steps = steps,
        .card_steps = card_steps,
        .clock_usec = CLOCK_START,
        .realtime_usec = (uint64_t)(Y2030 - 3600) * USEC_PER_SEC,
    };
}
