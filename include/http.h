/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Fetching over HTTP, by a program of its own.
 *
 * keystrapd opens no internet socket and parses no HTTP: `keystrap-http`, which keeps no secret, does so
 * with libcurl, one request at a time, over the packets of packet.h. It is started at the first request, kept
 * for the next, ended after HTTP_IDLE_USEC without work, and killed at a deadline or when a request is cancelled.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

/* The lowest version of TLS that is spoken. */
enum http_tls {
    HTTP_TLS_1_2, /* what nobody asked otherwise for gets */
    HTTP_TLS_1_3,
};

struct http_request {
    const char *url;            /* http:// or https:// */
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
 * http_origin() - scheme, host and port of an http or https URL, "https://bsf.example:8443", for a text that anybody
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
 * http_client_get() - GET, no redirect followed, no cookie, no proxy, no credential of its own
 * @cancel_fd: readable when the request shall end; -1 for none
 *
 * Return: 0 for any complete HTTP answer; enum http_outcome; UB_E_CANCELLED; negative errno.
 */
int http_client_get(struct http_client *client, const struct http_request *request, int cancel_fd,
                    struct http_response *ret, struct failure *failure);
