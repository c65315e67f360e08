/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The HTTP server under the lab's network functions: libmicrohttpd, with a thread for each connection, so that an
 * answer that is late on purpose delays nobody else's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_HTTP_BODY_MAX        65536u /* octets of a request's body */
#define LAB_HTTP_CONNECTIONS_MAX 256u
#define LAB_HTTP_IDLE_SEC        120u
#define LAB_REPLY_FIELDS_MAX     16u

struct MHD_Connection;
struct MHD_Response;

/* A whole request. Everything in it is borrowed until the answer is given; NULL where the client sent none. */
struct lab_request {
    struct MHD_Connection *connection;
    const char *method;
    const char *target; /* as on the request line */
    const char *path;   /* without the query */
    const char *host;
    const char *authorization;
    const char *user_agent;
    const uint8_t *body;
    size_t body_length;
};

enum lab_reply_fate {
    LAB_REPLY_SEND,
    LAB_REPLY_HANG,    /* take the request and never say a word */
    LAB_REPLY_GARBAGE, /* say something that is not HTTP, and hang up */
    LAB_REPLY_QUEUED,  /* the handler has queued an answer with libmicrohttpd itself */
    LAB_REPLY_CLOSE,   /* hang up */
};

/* An answer; all zero at first. */
struct lab_reply {
    enum lab_reply_fate fate;
    unsigned status;
    unsigned delay_msec;
    struct {
        const char *name;
        char *value;
    } fields[LAB_REPLY_FIELDS_MAX];
    size_t fields_count;
    char *body;
    size_t body_length;
};

/**
 * lab_reply_text() - set status and a body of Content-Type text/plain
 */
int lab_reply_text(struct lab_reply *reply, unsigned status, const char *text);

/**
 * lab_reply_body_take() - set the body; @body is freed with the reply, NULL stands for memory that was short
 */
int lab_reply_body_take(struct lab_reply *reply, char *body, size_t length);

/**
 * lab_reply_field() - add a header field, its value printed
 * @name: borrowed
 */
int lab_reply_field(struct lab_reply *reply, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * lab_reply_date() - add a header field with an HTTP date (RFC 9110 5.6.7)
 */
int lab_reply_date(struct lab_reply *reply, const char *name, int64_t when);

void lab_reply_done(struct lab_reply *reply);

/**
 * lab_request_argument() - an argument of the query, percent-decoded, borrowed; NULL when it is absent
 */
const char *lab_request_argument(const struct lab_request *request, const char *name);

/**
 * lab_request_field() - the value of a header field, borrowed; NULL when it is absent
 */
const char *lab_request_field(const struct lab_request *request, const char *name);

/**
 * lab_request_host_is() - whether the Host field names @name, with any port
 */
bool lab_request_host_is(const struct lab_request *request, const char *name);

/**
 * lab_request_session() - the TLS session that @request came by (gnutls_session_t), borrowed; NULL over plain HTTP
 */
struct gnutls_session_int *lab_request_session(const struct lab_request *request);

#define LAB_EXPORTER_LENGTH 48u

/**
 * lab_request_exporter() - the exporter (RFC 5705, no context) of the TLS connection that @request came by
 *
 * Return: whether there is one: not over plain HTTP.
 */
bool lab_request_exporter(const struct lab_request *request, const char *label,
                          uint8_t ret[LAB_EXPORTER_LENGTH]);

/**
 * lab_http_handler - answer @request in @reply; called by several threads at once
 *
 * Return: 0; a negative errno becomes a 500.
 */
typedef int (*lab_http_handler)(const struct lab_request *request, struct lab_reply *reply,
                                void *userdata);

#define LAB_PSK_MAX 64u

/**
 * lab_http_psk - the pre-shared key of @identity; called by several threads at once
 *
 * Return: its length; 0 where there is none.
 */
typedef size_t (*lab_http_psk)(void *userdata, const char *identity, uint8_t ret[LAB_PSK_MAX]);

struct lab_http_options {
    const char *listen;   /* ADDRESS:PORT or [ADDRESS]:PORT, port 0 for any */
    const char *tls_cert; /* PEM files, or NULL for plain HTTP */
    const char *tls_key;
    const char *tls_priority; /* GnuTLS's words for versions and ciphers, or NULL for its own choice */
    const char *tls_anchors;  /* PEM text: clients are asked for certificates, which the handler judges; or NULL */
    const char *tls_ocsp;     /* path of an OCSP response (DER) to staple, or NULL */
    lab_http_psk psk;         /* TLS by pre-shared keys, without certificates; or NULL */
    lab_http_handler handler;
    void *userdata;
    uint64_t *usec; /* gets the microseconds from request line to first octet of each answer, or NULL */
};

struct lab_http;

/**
 * lab_http_start() - listen and serve; what goes wrong is printed on stderr
 *
 * No Date is sent but the handler's.
 */
int lab_http_start(const struct lab_http_options *options, struct lab_http **ret);

unsigned lab_http_port(const struct lab_http *http);

/**
 * lab_http_stop() - end, answers that hang included; NULL is allowed. Returns NULL.
 */
struct lab_http *lab_http_stop(struct lab_http *http);
