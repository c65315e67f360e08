/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A server that shakes hands as a MEF does, on GnuTLS, so that both ends of a handshake are not of one library. It notes what
 * came, takes the exporter of each connection, and answers each request with the same.
 */

#include "handshake-ask.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "keystrap-limits.h"

#define ONE            "NONE:+VERS-TLS1.2:+GROUP-ALL:+SIGN-ALL:+COMP-NULL:+CTYPE-ALL:"
#define NORMAL         "NORMAL:-VERS-ALL:+VERS-TLS1.2:+AES-128-CCM-8:+SHA256"
#define PSK            NORMAL ":-KX-ALL:+PSK:+DHE-PSK:+ECDHE-PSK"
#define CONNECTIONS    8

struct handshake_server {
    /* To be set before it starts. */
    const char *priority;
    const uint8_t *psk; /* of PSK_IDENTITY, 16 octets; NULL for certificates */
    const char *certificate, *key, *ocsp; /* paths; ocsp is of what is stapled, NULL for nothing */
    int client_alert; /* what a client's certificate is met with; -1: it is taken, and one must come; 0: none is asked for */
    const char *body; /* of each answer */
    /* What came. */
    int fd, stop;
    unsigned port;
    pthread_t thread;
    atomic_uint handshakes, requests;
    uint8_t exporters[CONNECTIONS][TLS_EXPORTER_LENGTH];
    char suite[64], name[128], identity[128]; /* of the last connection; name by SNI */
    char request[24576];                     /* the last one, body included */
};

static inline int handshake_server_psk(gnutls_session_t session, const char *identity,
                                       gnutls_datum_t *ret) {
    const struct handshake_server *server = gnutls_session_get_ptr(session);

    if (strcmp(identity, PSK_IDENTITY) != 0)
        return 1; /* GnuTLS goes on with a random key, so that nobody learns who is known */
    ret->size = 16;
    ret->data = gnutls_malloc(16);
    memcpy(ret->data, server->psk, 16);
    return 0;
}

/* Whether something came before the server was to stop. */
static inline bool handshake_server_wait(const struct handshake_server *server, int fd) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = server->stop, .events = POLLIN}};

    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

static inline bool handshake_server_whole(const char *request, size_t length) {
    const char *end = strstr(request, "\r\n\r\n"), *field = strcasestr(request, "content-length: ");

    if (!end)
        return false;
    return length >= (size_t)(end + 4 - request) + (field ? strtoul(field + 16, NULL, 10) : 0);
}

/* One request; false when the connection ended. */
static inline bool handshake_server_read(struct handshake_server *server,
                                         gnutls_session_t session) {
    char *request = server->request;
    size_t length = 0;
    ssize_t n;

    do {
        n = gnutls_record_recv(session, request + length, sizeof(server->request) - 1 - length);
        if (n <= 0)
            return false;
        length += (size_t)n;
        request[length] = '\0';
    } while (!handshake_server_whole(request, length));
    server->requests++;
    return true;
}

static inline void handshake_server_note(struct handshake_server *server,
                                         gnutls_session_t session) {
    unsigned number = server->handshakes++, type;
    size_t length = sizeof(server->name);
    const char *identity = gnutls_psk_server_get_username(session);
    char *suite = gnutls_session_get_desc(session);

    (void)gnutls_prf_rfc5705(session, strlen(EXPORTER_LABEL), EXPORTER_LABEL, 0, NULL,
                             TLS_EXPORTER_LENGTH,
                             (char *)server->exporters[number % CONNECTIONS]);
    if (gnutls_server_name_get(session, server->name, &length, &type, 0) != 0)
        server->name[0] = '\0';
    (void)snprintf(server->identity, sizeof(server->identity), "%s", identity ? identity : "");
    (void)snprintf(server->suite, sizeof(server->suite), "%s", suite ? suite : "");
    gnutls_free(suite);
}

static inline void handshake_server_serve(struct handshake_server *server,
                                          gnutls_session_t session) {
    char reply[8192];
    int length, r;

    do {
        r = gnutls_handshake(session);
    } while (r < 0 && !gnutls_error_is_fatal(r));
    if (r == 0 && server->client_alert > 0)
        r = GNUTLS_E_CERTIFICATE_ERROR;
    if (r != 0)
        (void)gnutls_alert_send_appropriate(session, r);
    if (r != 0)
        return;
    handshake_server_note(server, session);
    while (handshake_server_read(server, session)) {
        length = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                          strlen(server->body), server->body);
        if (gnutls_record_send(session, reply, (size_t)length) != length)
            return;
    }
}

/* Called when a client's certificate has come, within the handshake. */
static inline int handshake_server_judge(gnutls_session_t session) {
    const struct handshake_server *server = gnutls_session_get_ptr(session);

    if (server->client_alert <= 0)
        return 0;
    (void)gnutls_alert_send(session, GNUTLS_AL_FATAL,
                            (gnutls_alert_description_t)server->client_alert);
    return -1;
}

/* As it is: of a file of its own GnuTLS sends only what is good. */
static inline int handshake_server_staple(gnutls_session_t session, void *path,
                                          gnutls_datum_t *ret) {
    (void)session;
    return gnutls_load_file(path, ret) == 0 ? 0 : GNUTLS_E_NO_CERTIFICATE_STATUS;
}

static inline void handshake_server_connection(struct handshake_server *server, int fd) {
    const struct timeval wait = {.tv_sec = 20};
    gnutls_certificate_credentials_t certificates = NULL;
    gnutls_psk_server_credentials_t psks = NULL;
    gnutls_session_t session = NULL;
    bool ok;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    ok = gnutls_certificate_allocate_credentials(&certificates) == 0 &&
         gnutls_psk_allocate_server_credentials(&psks) == 0 &&
         gnutls_init(&session, GNUTLS_SERVER) == 0 &&
         gnutls_priority_set_direct(session, server->priority, NULL) == 0;
    if (!ok)
        abort(); /* no assertion of cmocka is possible in this thread */
    if (ok && server->psk) {
        gnutls_psk_set_server_credentials_function(psks, handshake_server_psk);
        ok = gnutls_psk_set_server_known_dh_params(psks, GNUTLS_SEC_PARAM_MEDIUM) == 0 &&
             gnutls_credentials_set(session, GNUTLS_CRD_PSK, psks) == 0;
    }
    if (ok && server->certificate) {
        gnutls_certificate_set_verify_function(certificates, handshake_server_judge);
        if (server->ocsp)
            gnutls_certificate_set_ocsp_status_request_function(
                certificates, handshake_server_staple, (void *)(uintptr_t)server->ocsp);
        ok = gnutls_certificate_set_x509_key_file(certificates, server->certificate, server->key,
                                                  GNUTLS_X509_FMT_PEM) == 0 &&
             gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, certificates) == 0;
    }
    if (ok) {
        if (server->client_alert != 0)
            gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_ptr(session, server);
        gnutls_transport_set_int(session, fd);
        handshake_server_serve(server, session);
    }
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(certificates);
    gnutls_psk_free_server_credentials(psks);
}

static inline void *handshake_server_run(void *data) {
    struct handshake_server *server = data;

    while (handshake_server_wait(server, server->fd)) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            continue;
        handshake_server_connection(server, fd);
        (void)close(fd);
    }
    return NULL;
}

static inline void handshake_server_start(struct handshake_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    if (!server->body)
        server->body = "{}";
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(server->fd >= 0 && server->stop >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, handshake_server_run, server), 0);
}

/* What is noted may be looked at from here on. */
static inline void handshake_server_stop(struct handshake_server *server) {
    const uint64_t one = 1;

    assert_int_equal(write(server->stop, &one, sizeof(one)), sizeof(one));
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->fd);
    (void)close(server->stop);
}
