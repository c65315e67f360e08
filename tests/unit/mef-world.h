/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A scripted MEF: its answers are text, what it was asked is kept, and its clock stands still. Each answer repeats the number of
 * the request and comes by a connection whose exporter is 00, 01 ..., unless the script says otherwise.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "mef.h"
#include "util.h"

#define STEPS_MAX 40
#define NOW       1795747258 /* 20261127T024058 */
#define DAY_SEC   86400

/* What the MEF does with one request. */
struct step {
    int r;             /* what ask() returns; 0 for an answer */
    unsigned status;   /* 0: the script ends here */
    const char *rsc;   /* X-M2M-RSC; NULL for none */
    const char *body;  /* NULL for none */
    const char *type;  /* Content-Type; NULL: as it should be, "": none */
    const char *number; /* X-M2M-RI; NULL: the request's, "": none */
    const char *wait;  /* Retry-After; NULL for none */
    size_t exporter;   /* octets of it; 0: as it should be */
    bool no_exporter;
};

/* What it was asked. */
struct asked {
    enum http_method method;
    char url[HTTP_URL_MAX + 1];
    char headers[1024]; /* with a newline after each */
    char body[MEF_BODY_MAX + 1];
    bool fresh, exporter;
};

static struct {
    const struct step *steps;
    struct asked asked[STEPS_MAX];
    unsigned count;
    struct enrol_profile profile;
    struct mef_client client;
    struct http_handshake handshake;
    struct failure failure;
} world;

static inline void world_field(struct http_response *response, const char *name,
                               const char *value) {
    struct http_field *field = &response->fields[response->fields_count];

    if (!value || value[0] == '\0')
        return;
    field->name = strdup(name);
    field->value = strdup(value);
    if (!field->name || !field->value)
        abort();
    response->fields_count++;
}

static inline const char *world_number(const char *headers, char ret[16]) {
    const char *found = strstr(headers, "X-M2M-RI: ");

    if (!found || sscanf(found, "X-M2M-RI: %15[0-9]", ret) != 1)
        abort();
    return ret;
}

static inline struct secret *world_exporter(size_t length) {
    struct secret *exporter = NULL;

    if (secret_new(length, &exporter) != 0)
        abort();
    for (size_t i = 0; i < length; i++)
        secret_data_mutable(exporter)[i] = (uint8_t)i;
    return exporter;
}

static inline void world_answer(const struct step *step, const struct http_request *request,
                                const struct asked *asked, struct http_response *ret) {
    const char *type = strncmp(request->url, "coaps:", 6) == 0
                           ? "application/json"
                           : "application/vnd.onem2m-res+json";
    char number[16];

    ret->status = step->status;
    ret->fields = calloc(4, sizeof(*ret->fields));
    if (!ret->fields)
        abort();
    world_field(ret, "x-m2m-rsc", step->rsc);
    world_field(ret, "x-m2m-ri",
                step->number ? step->number : world_number(asked->headers, number));
    world_field(ret, "content-type", step->type ? step->type : step->body ? type : NULL);
    world_field(ret, "retry-after", step->wait);
    if (step->body && step->body[0] != '\0' &&
        secret_new_copy(step->body, strlen(step->body), &ret->secret_body) != 0)
        abort();
    if (request->exporter_label && !step->no_exporter)
        ret->exporter = world_exporter(step->exporter ? step->exporter : 48);
}

static inline void world_keep(const struct http_request *request, struct asked *ret) {
    size_t length = 0;

    *ret = (struct asked){
        .method = request->method, .fresh = request->fresh, .exporter = request->exporter_label};
    if (strlen(request->url) > HTTP_URL_MAX || request->body_length > MEF_BODY_MAX)
        abort();
    (void)strcpy(ret->url, request->url);
    for (size_t i = 0; request->headers[i]; i++)
        length += (size_t)snprintf(ret->headers + length, sizeof(ret->headers) - length, "%s\n",
                                   request->headers[i]);
    if (request->body)
        memcpy(ret->body, request->body, request->body_length);
}

static inline int world_ask(void *userdata, const struct http_request *request,
                            struct http_response *ret, struct failure *failure) {
    const struct step *step = &world.steps[world.count];
    struct asked *asked = &world.asked[world.count];

    (void)userdata;
    if (world.count >= STEPS_MAX || (step->r == 0 && step->status == 0))
        return failure_set(failure, -ENODATA, "the script has ended");
    /* A key may be in every answer, and every connection is with whom the handshake says. */
    if (!request->secret_body || request->handshake != &world.handshake)
        abort();
    world_keep(request, asked);
    world.count++;
    if (step->r != 0)
        return failure_set(failure, step->r, "the connection's part");
    world_answer(step, request, asked, ret);
    return 0;
}

static inline int64_t world_now(void *userdata) {
    (void)userdata;
    return NOW;
}

static const struct mef_io world_io = {world_ask, world_now, NULL};

#define MEF_FQDN "mef.example.com"
#define OURSELF  "//m2m.example.com/gateway"

/* Another script, with a new client. */
static inline struct mef_client *world_begin(const struct step *steps) {
    static char mef[] = "https://" MEF_FQDN ":8443/base", fqdn[] = MEF_FQDN, identity[] = OURSELF,
                target[] = "maf.example.com";

    memset(&world, 0, sizeof(world));
    world.steps = steps;
    world.profile = (struct enrol_profile){
        .mef = mef,
        .mef_fqdn = fqdn,
        .identity = identity,
        .target = target,
        .target_kind = ONEM2M_TARGET_MAF,
        .suid = 21,
        .expiry_usec = 365 * DAY_SEC * USEC_PER_SEC,
        .connect_timeout_usec = 10 * USEC_PER_SEC,
        .request_timeout_usec = 30 * USEC_PER_SEC,
    };
    world.client = (struct mef_client){
        .io = &world_io, .profile = &world.profile, .handshake = &world.handshake};
    return &world.client;
}

/* --- Bodies ------------------------------------------------------------------------------------------- */

#define IN_A_YEAR "20271127T024058" /* 365 days from NOW */
#define TOMORROW  "20261128T024058"
#define A_KEY     "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* 00 to 1f */

#define REG_WITH(members)                                                                          \
    "{\"sec:mefClientReg\":{\"clientRegID\":\"reg-1\",\"clientID\":\"" OURSELF                     \
    "\",\"expirationTime\":\"" TOMORROW "\",\"adminFQDN\":\"" MEF_FQDN "\"" members "}}"
#define REG REG_WITH(",\"mefClientCmd\":\"mefClientCmd\"")

#define KEY_OF(id, expires, source, admin, suid, targets, more)                                    \
    "{\"sec:symmKeyReg\":{\"relativeKeyID\":\"" id "\",\"expirationTime\":\"" expires             \
    "\",\"sourceClientID\":\"" source "\",\"adminFQDN\":\"" admin "\",\"SUID\":" suid             \
    ",\"targetIDs\":[" targets "]" more "}}"
#define KEY_REG                                                                                    \
    KEY_OF("my-key", TOMORROW, OURSELF, MEF_FQDN, "22", "\"maf.example.com\",\"//sp/b\"", "")
#define KEY_TARGETS "maf.example.com //sp/b"

#define COMMAND(id, class, args)                                                                   \
    "{\"sec:mefClientCmd\":{\"cmdID\":\"" id "\",\"cmdStatusCode\":10,\"cmdDescription\":"         \
    "{\"cmdClassID\":" class ",\"cmdArgs\":" args "}}}"
#define NO_MORE COMMAND("last", "0", "{\"noMoreCmdArgs\":{\"retryDuration\":\"PT1H\"}}")

/* One answer that says yes, and the end of the script. */
#define SCRIPT(...)                     \
    (const struct step[]) {             \
        __VA_ARGS__, { 0 }              \
    }
#define YES(rsc_, body_) {.status = (rsc_)[3] == '1' ? 201 : 200, .rsc = (rsc_), .body = (body_)}

/* --- Checks ------------------------------------------------------------------------------------------- */

/* It was asked as request number @index (of 0), with that method and URL. */
static inline void assert_asked(unsigned index, enum http_method method, const char *url) {
    assert_true(world.count > index);
    assert_int_equal(world.asked[index].method, method);
    assert_string_equal(world.asked[index].url, url);
}

static inline void assert_header(unsigned index, const char *line) {
    const char *found = strstr(world.asked[index].headers, line);

    if (!found || found[strlen(line)] != '\n' ||
        (found != world.asked[index].headers && found[-1] != '\n'))
        fail_msg("no %s in %s", line, world.asked[index].headers);
}

/* It failed so, in words that have @words. */
static inline void assert_failed(int r, int code, const char *words) {
    if (r != code || world.failure.code != code || !strstr(world.failure.text, words))
        fail_msg("%d (%s), not %d with %s", r, world.failure.text, code, words);
}
