/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Asking over HTTP or CoAP, by a program of its own.
 *
 * keystrapd opens no internet socket and parses no HTTP: `keystrap-http` does so with libcurl, and `keystrap-coap` with
 * libcoap, one request at a time, over the packets of packet.h; what one understands the other does too. Such a program is
 * started at the first request, kept for the next, ended after HTTP_IDLE_USEC without work, and killed at a deadline or when
 * a request is cancelled. Of the secrets that it is given for a handshake it keeps none longer than the request.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "peer-certificate.h"
#include "secret.h"

/* The lowest version of TLS that is spoken. */
enum http_tls {
    HTTP_TLS_1_2, /* what nobody asked otherwise for gets */
    HTTP_TLS_1_3,
};

enum http_method {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
};

/*
 * A handshake where both ends prove who they are (oneM2M TS-0003 8.3.2, 10.2): TLS 1.2 over TCP, DTLS 1.2 over UDP, with
 * extended master secret (RFC 7627), without which no exporter is trusted. By pre-shared key where psk is there, else by
 * certificate; with neither the client proves nothing (certificate-less, RFC 7030 3.3.3 apart). SNI is the URL's host.
 */
/* A private key that stays where it is: what signs with it. As secure_key_sign(). */
struct http_signer {
    int (*sign)(void *userdata, const uint8_t digest[SECURE_DIGEST_LENGTH],
                uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure);
    void *userdata;
};

struct http_handshake {
    const char *suites; /* cipher suites as OpenSSL writes them, the best first; those that are not of the credential's kind are
                           left out */
    const char *psk_identity; /* up to PSK_IDENTITY_MAX octets */
    const struct secret *psk; /* 1 to PSK_MAX octets */
    const char *certificate; /* PEM text, our own first, then its chain; up to CERTIFICATE_CHAIN_MAX octets */
    const struct secret *private_key; /* its key, PEM or PKCS #8 DER */
    const struct http_signer *signer; /* or who has it; NULL with private_key */
    const struct peer_expectation *peer; /* whom to expect; NULL with psk */
};

struct http_request {
    enum http_method method;
    const char *url;     /* http://, https:// or, for keystrap-coap, coaps:// */
    const uint8_t *body; /* of POST and PUT, up to HTTP_SEND_MAX octets; NULL for none */
    size_t body_length;
    const struct http_handshake *handshake; /* NULL for plain https, or http: certificate and name as everybody checks them */
    bool fresh;    /* by a connection, and so an exporter, that nothing was asked by yet */
    bool secret_body; /* the answer's body holds a key: it goes to http_response.secret_body */
    const char *connect_to;     /* HOST:PORT to connect to instead of the URL's, or NULL */
    const char *user_agent;     /* NULL for none */
    const char *const *headers; /* "Name: value" lines, NULL-terminated, or NULL */
    const char *trust_anchors;  /* PEM file for https, or NULL for the system's */
    enum http_tls tls_min;
    const char *exporter_label; /* give the exporter (RFC 5705, no context) of the TLS connection, or NULL */
    uint64_t connect_timeout_usec;
    uint64_t request_timeout_usec; /* all of it, connecting included */
};

struct http_field {
    char *name; /* as received */
    char *value;
};

/* An answer; whole, whatever the status is. */
struct http_response {
    unsigned status; /* 100 to 599 */
    struct http_field *fields;
    size_t fields_count; /* up to HTTP_HEADERS_MAX */
    uint8_t *body;       /* NUL-terminated beyond body_length */
    size_t body_length;
    struct secret *secret_body; /* with http_request.secret_body, instead of body; NULL where it is empty. Up to
                                   SECRET_LENGTH_MAX octets; a longer one is HTTP_E_TOO_LARGE */
    struct secret *exporter; /* TLS_EXPORTER_LENGTH octets of the connection that the answer came by; NULL where the
                                request has no exporter_label or the scheme is http */
};

/**
 * http_response_done() - release what is in it; a zeroed response is allowed
 */
void http_response_done(struct http_response *response);

#define _cleanup_http_response_ __attribute__((cleanup(http_response_done)))

/**
 * http_response_field() - value of field number @nth (from 0) called @name, compared without case; NULL if none
 */
const char *http_response_field(const struct http_response *response, const char *name, size_t nth);

/**
 * http_origin() - scheme, host and port of an http, https or coaps URL, "https://bsf.example:8443", for a text that anybody
 * may read: what else stands in a URL may be an identity
 * @url: of any octets
 *
 * Return: whether @url has them and they fit into @size octets; else @ret is untouched.
 */
bool http_origin(const char *url, char *ret, size_t size);

struct http_client;

/**
 * http_client_new() - @program is the path of keystrap-http and is copied
 */
int http_client_new(const char *program, struct http_client **ret);

/**
 * http_client_free() - stops the program; NULL is allowed. Returns NULL.
 */
struct http_client *http_client_free(struct http_client *client);

/**
 * http_client_warm() - start the program now, so that the next request need not wait for it. Failure is left for
 * the request to report.
 */
void http_client_warm(struct http_client *client);

/**
 * http_client_idle() - end the program if it has had nothing to do for long; call it when convenient
 *
 * Return: when to call it again (now_usec() clock), USEC_INFINITY when no program runs.
 */
uint64_t http_client_idle(struct http_client *client);

/**
 * http_client_ask() - one request: no redirect followed, no cookie, no proxy
 * @client: of the program that speaks the URL's scheme
 * @cancel_fd: readable when the request shall end; -1 for none
 *
 * Of CoAP's answers the status is class times 100 and detail (RFC 7252 5.9), so that 2.05 is 205, and oneM2M's options
 * are fields by the names that they have in HTTP (X-M2M-RSC, X-M2M-RI). In a request it is the other way round: "X-M2M-Origin:
 * x" becomes an option.
 *
 * Return: 0 for any complete answer; enum http_outcome; enum peer_outcome where the other end is not whom the handshake's
 * peer says; UB_E_CANCELLED; negative errno.
 */
int http_client_ask(struct http_client *client, const struct http_request *request, int cancel_fd,
                    struct http_response *ret, struct failure *failure);
