/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Asking a MEF through keystrap-http or keystrap-coap: the client, the certificates of both ends, and one request with whatever
 * credential.
 */

#include "memory-search.h"
#include "tls-server.h"

#include <libgen.h>
#include <limits.h>

#include "http.h"
#include "util.h"

#define NAME           "mef.example.com"
#define PSK_IDENTITY   "10-gateway@mef.example.com"
#define EXPORTER_LABEL "EXPORTER-oneM2M-Bootstrap"

static const uint8_t kpm[16] = {0x4b, 0x70, 0x6d, 0x9a, 0x8b, 0x7c, 0x6d, 0x5e,
                                0x4f, 0x30, 0x21, 0x12, 0x03, 0xf4, 0xe5, 0xd6};

/* A certificate of each end: theirs is the server's. */
struct fixture {
    struct http_client *client;
    const char *url; /* of a request that has none */
    struct tls_server theirs, ours;
};

/* @program stands beside the tests. */
static inline void fixture_setup(struct fixture *fixture, const char *program, const char *url) {
    char self[PATH_MAX] = "", path[PATH_MAX + 32];

    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    (void)snprintf(path, sizeof(path), "%s/../plugins/%s", dirname(self), program);
    assert_int_equal(secret_arena_init(), 0);
    assert_int_equal(http_client_new(path, &fixture->client), 0);
    fixture->url = url;
    tls_write_files(&fixture->theirs, NAME, -DAY, DAY);
    tls_write_files(&fixture->ours, "gateway.example.com", -DAY, DAY);
}

/* Whether every secret was given back. */
static inline bool fixture_done(struct fixture *fixture) {
    size_t used;

    http_client_free(fixture->client);
    tls_remove_files(&fixture->theirs);
    tls_remove_files(&fixture->ours);
    used = secret_arena_used();
    secret_arena_done();
    return used == 0;
}

/* A request; what a test leaves open is filled in. */
struct ask {
    struct http_request request;
    struct http_handshake handshake;
    struct peer_expectation peer;
    struct http_response response;
    struct failure failure;
    struct secret *psk, *key;
    char connect_to[32], certificate[4096];
};

static inline void ask_done(struct ask *ask) {
    http_response_done(&ask->response);
    secret_free(ask->psk);
    secret_free(ask->key);
}

#define _cleanup_ask_ _cleanup_(ask_done)

static inline void use_psk(struct ask *ask) {
    assert_int_equal(secret_new_copy(kpm, sizeof(kpm), &ask->psk), 0);
    ask->handshake.psk_identity = PSK_IDENTITY;
    ask->handshake.psk = ask->psk;
}

static inline size_t read_whole_file(const char *path, void *ret, size_t size) {
    FILE *file = fopen(path, "re");
    size_t length;

    assert_non_null(file);
    length = fread(ret, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return length;
}

static inline void expect_server(struct ask *ask, const struct fixture *fixture) {
    ask->peer.flavour = PEER_FQDN;
    ask->peer.name = NAME;
    ask->peer.trust_anchors = fixture->theirs.certificate;
    ask->handshake.peer = &ask->peer;
}

static inline void use_certificate(struct ask *ask, const struct fixture *fixture) {
    char key[1024];
    size_t length = read_whole_file(fixture->ours.key, key, sizeof(key));

    ask->certificate[read_whole_file(fixture->ours.certificate, ask->certificate,
                                     sizeof(ask->certificate) - 1)] = '\0';
    assert_int_equal(secret_new_copy(key, length, &ask->key), 0);
    ask->handshake.certificate = ask->certificate;
    ask->handshake.private_key = ask->key;
    expect_server(ask, fixture);
}

static inline int do_ask(const struct fixture *fixture, struct ask *ask, unsigned port) {
    (void)snprintf(ask->connect_to, sizeof(ask->connect_to), "127.0.0.1:%u", port);
    if (!ask->request.url)
        ask->request.url = fixture->url;
    ask->request.handshake = &ask->handshake;
    ask->request.connect_to = ask->connect_to;
    ask->request.exporter_label = EXPORTER_LABEL;
    if (ask->request.connect_timeout_usec == 0)
        ask->request.connect_timeout_usec = 20 * USEC_PER_SEC;
    if (ask->request.request_timeout_usec == 0)
        ask->request.request_timeout_usec = 20 * USEC_PER_SEC;
    return http_client_ask(fixture->client, &ask->request, -1, &ask->response, &ask->failure);
}

static inline void assert_exporter(const struct ask *ask,
                                   const uint8_t expected[TLS_EXPORTER_LENGTH]) {
    assert_non_null(ask->response.exporter);
    assert_int_equal(secret_length(ask->response.exporter), TLS_EXPORTER_LENGTH);
    assert_memory_equal(secret_data(ask->response.exporter), expected, TLS_EXPORTER_LENGTH);
}

/*
 * Nothing is left in the program of the secrets of @ask, which it has served: neither key, whether as text, as number or as
 * OpenSSL stores numbers, nor bodies nor exporter.
 */
static inline void assert_forgotten(const struct ask *ask, const struct fixture *fixture) {
    const struct secret *psk = ask->handshake.psk, *key = ask->handshake.private_key;
    const struct secret *body = ask->response.secret_body;
    uint8_t number[32], reversed[32];

    if (psk)
        assert_not_in_memory(secret_data(psk), secret_length(psk));
    if (key) {
        tls_read_key(fixture->ours.key, number);
        for (size_t i = 0; i < sizeof(number); i++)
            reversed[i] = number[sizeof(number) - 1 - i];
        assert_not_in_memory(number, sizeof(number));
        assert_not_in_memory(reversed, sizeof(reversed));
        /* beyond "-----BEGIN PRIVATE KEY-----" and the algorithm */
        assert_not_in_memory(secret_data(key) + 80, 32);
    }
    assert_not_in_memory(secret_data(ask->response.exporter), TLS_EXPORTER_LENGTH);
    assert_not_in_memory(secret_data(body), secret_length(body));
    if (ask->request.body)
        assert_not_in_memory(ask->request.body, ask->request.body_length);
}

static inline void assert_words(const struct ask *ask, const char *words) {
    if (!strstr(ask->failure.text, words))
        fail_msg("'%s' does not say '%s'", ask->failure.text, words);
}

/* It failed with @outcome, which @words are of, and left nothing. */
static inline void assert_failed(const struct ask *ask, int r, int outcome, const char *words) {
    if (r != outcome)
        fail_msg("%d and not %d: %s", r, outcome, ask->failure.text);
    assert_int_equal(ask->failure.code, outcome);
    assert_words(ask, words);
    assert_null(ask->response.exporter);
    assert_null(ask->response.body);
}
