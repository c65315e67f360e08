/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A CoAP server over DTLS, of libcoap on GnuTLS, which are not the product's. It notes what came, takes the exporter of the
 * connection that it came by, and answers each request with the same.
 */

#include "handshake-ask.h"

#include <coap3/coap.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#define OPTION_ORIGIN  256
#define OPTION_REQUEST 257
#define OPTION_RSC     265
#define OPTION_RELEASE 271
#define COAP_BODY_MAX  20000

struct coap_server {
    /* To be set before it starts. */
    const uint8_t *psk; /* of PSK_IDENTITY, 16 octets; NULL for certificates */
    const char *certificate, *key, *client_ca; /* paths; without client_ca it wants no certificate */
    const char *body;                          /* of each answer */
    coap_pdu_code_t code;
    unsigned rsc;
    bool silent; /* shakes hands, and answers nothing */
    /* What came. */
    unsigned port;
    atomic_bool stop;
    atomic_uint requests;
    pthread_t thread;
    coap_context_t *context;
    coap_pdu_code_t method;
    char path[256], origin[128], number[64], release[16], name[128], received[COAP_BODY_MAX];
    size_t received_length;
    unsigned format, accept;
    uint8_t exporter[TLS_EXPORTER_LENGTH];
};

static inline struct coap_server *coap_server_of(const coap_session_t *session) {
    return coap_get_app_data(coap_session_get_context(session));
}

static inline void coap_server_text(const coap_pdu_t *request, unsigned number, char *ret,
                                    size_t size) {
    coap_opt_iterator_t iterator;
    coap_opt_t *option = coap_check_option(request, (coap_option_num_t)number, &iterator);

    (void)snprintf(ret, size, "%.*s", option ? (int)coap_opt_length(option) : 0,
                   option ? (const char *)coap_opt_value(option) : "");
}

static inline unsigned coap_server_number(const coap_pdu_t *request, unsigned number) {
    coap_opt_iterator_t iterator;
    coap_opt_t *option = coap_check_option(request, (coap_option_num_t)number, &iterator);

    return option ? coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option)) : ~0u;
}

static inline void coap_server_note(struct coap_server *server, const coap_session_t *session,
                                    const coap_pdu_t *request) {
    size_t offset = 0, total = 0, length = sizeof(server->name);
    coap_tls_library_t library;
    coap_string_t *path = coap_get_uri_path(request);
    gnutls_session_t tls = coap_session_get_tls(session, &library);
    const uint8_t *data = NULL;
    unsigned type;

    server->method = coap_pdu_get_code(request);
    (void)snprintf(server->path, sizeof(server->path), "%.*s", (int)path->length, path->s);
    coap_delete_string(path);
    coap_server_text(request, OPTION_ORIGIN, server->origin, sizeof(server->origin));
    coap_server_text(request, OPTION_REQUEST, server->number, sizeof(server->number));
    coap_server_text(request, OPTION_RELEASE, server->release, sizeof(server->release));
    server->format = coap_server_number(request, COAP_OPTION_CONTENT_FORMAT);
    server->accept = coap_server_number(request, COAP_OPTION_ACCEPT);
    server->received_length = 0;
    (void)coap_get_data_large(request, &server->received_length, &data, &offset, &total);
    if (server->received_length > COAP_BODY_MAX)
        abort();
    if (server->received_length > 0)
        memcpy(server->received, data, server->received_length);
    (void)gnutls_prf_rfc5705(tls, strlen(EXPORTER_LABEL), EXPORTER_LABEL, 0, NULL,
                             TLS_EXPORTER_LENGTH, (char *)server->exporter);
    if (gnutls_server_name_get(tls, server->name, &length, &type, 0) != 0)
        server->name[0] = '\0';
}

static inline void coap_server_handle(coap_resource_t *resource, coap_session_t *session,
                                      const coap_pdu_t *request, const coap_string_t *query,
                                      coap_pdu_t *answer) {
    struct coap_server *server = coap_server_of(session);
    uint8_t octets[4];

    coap_server_note(server, session, request);
    server->requests++;
    coap_pdu_set_code(answer, server->code);
    (void)coap_add_option(answer, OPTION_REQUEST, strlen(server->number),
                          (const uint8_t *)server->number);
    if (server->rsc > 0)
        (void)coap_add_option(answer, OPTION_RSC,
                              coap_encode_var_safe(octets, sizeof(octets), server->rsc), octets);
    if (server->body)
        (void)coap_add_data_large_response(resource, session, request, answer, query,
                                           COAP_MEDIATYPE_APPLICATION_JSON, -1, 0,
                                           strlen(server->body), (const uint8_t *)server->body,
                                           NULL, NULL);
}

/* The key of whoever is not known is another one. */
static inline const coap_bin_const_t *coap_server_psk(coap_bin_const_t *identity,
                                                      coap_session_t *session, void *data) {
    static const uint8_t nobodys[16] = {1};
    static coap_bin_const_t key = {.length = 16};
    const struct coap_server *server = data;

    (void)session;
    key.s = identity->length == strlen(PSK_IDENTITY) &&
                    memcmp(identity->s, PSK_IDENTITY, identity->length) == 0
                ? server->psk
                : nobodys;
    return &key;
}

static inline int coap_server_credentials(struct coap_server *server) {
    if (server->psk) {
        coap_dtls_spsk_t psk = {
            .version = COAP_DTLS_SPSK_SETUP_VERSION,
            .validate_id_call_back = coap_server_psk,
            .id_call_back_arg = server,
            .psk_info.key = {.s = server->psk, .length = 16},
        };

        return coap_context_set_psk2(server->context, &psk);
    }
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .verify_peer_cert = server->client_ca != NULL,
        .check_common_ca = 0,
        .allow_self_signed = 1,
        .pki_key = {.key_type = COAP_PKI_KEY_PEM,
                    .key.pem = {.ca_file = server->client_ca,
                                .public_cert = server->certificate,
                                .private_key = server->key}},
    };
    return coap_context_set_pki(server->context, &pki);
}

static inline void *coap_server_run(void *data) {
    struct coap_server *server = data;

    while (!server->stop)
        (void)coap_io_process(server->context, 50);
    return NULL;
}

static inline void coap_server_start(struct coap_server *server) {
    coap_resource_t *resource = coap_resource_unknown_init2(coap_server_handle, 0);
    coap_endpoint_t *endpoint;
    coap_address_t address;
    struct sockaddr_in bound;
    socklen_t length = sizeof(bound);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    coap_set_log_level(LOG_EMERG);
    coap_dtls_set_log_level(LOG_EMERG);
    coap_address_init(&address);
    address.size = sizeof(address.addr.sin);
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* libcoap does not tell which port it got: one that was free a moment ago. */
    assert_int_equal(bind(fd, &address.addr.sa, address.size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
    (void)close(fd);
    address.addr.sin.sin_port = bound.sin_port;
    server->port = ntohs(bound.sin_port);
    server->context = coap_new_context(NULL);
    assert_non_null(server->context);
    coap_set_app_data(server->context, server);
    coap_context_set_block_mode(server->context, COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
    coap_register_option(server->context, OPTION_REQUEST);
    coap_register_option(server->context, OPTION_RELEASE);
    if (server->code == 0)
        server->code = COAP_RESPONSE_CODE_CONTENT;
    assert_int_equal(coap_server_credentials(server), 1);
    endpoint = coap_new_endpoint(server->context, &address, COAP_PROTO_DTLS);
    assert_non_null(endpoint);
    coap_register_request_handler(resource, COAP_REQUEST_GET, coap_server_handle);
    coap_register_request_handler(resource, COAP_REQUEST_POST, coap_server_handle);
    coap_register_request_handler(resource, COAP_REQUEST_DELETE, coap_server_handle);
    coap_add_resource(server->context, resource);
    assert_int_equal(pthread_create(&server->thread, NULL, coap_server_run, server), 0);
}

/* What is noted may be looked at from here on. */
static inline void coap_server_stop(struct coap_server *server) {
    server->stop = true;
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    coap_free_context(server->context);
}
