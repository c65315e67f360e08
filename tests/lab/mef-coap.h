/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * CoAP over DTLS 1.2 (coaps) under the lab's MEF.
 *
 * One port serves pre-shared keys and, where there is a certificate, certificates of both ends.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "mef-dtls.h"

#define MEF_COAP_TEXT_MAX 256u /* octets of an option's text, its NUL included */
#define MEF_COAP_PATH_MAX 1024u

/* A whole request. All is borrowed until the handler returns; "" where an option is absent. */
struct mef_coap_request {
    gnutls_session_t session;
    const char *method;  /* "GET", "POST", "PUT", "DELETE" */
    const char *path;    /* "/" and Uri-Path */
    const char *from;    /* option 256 */
    const char *number;  /* option 257 */
    const char *release; /* option 271 */
    long type;           /* option 267; -1 where absent */
    long format;         /* Content-Format; -1 where absent */
    const uint8_t *body;
    size_t body_length;
};

/* An answer; all zero at first. */
struct mef_coap_reply {
    bool silent;              /* nothing is sent, not even an acknowledgement: what comes again is a new request */
    bool lost;                /* nothing is sent, whatever comes again: the request was handled */
    bool garbage;             /* send what is no message */
    bool other_format;        /* say that the body is text */
    const char *other_number; /* option 257, instead of the request's; NULL */
    unsigned status;          /* as of HTTP; it becomes the code */
    unsigned rsc;             /* option 265; 0 for none */
    unsigned retry_after_sec; /* Max-Age; 0 for none */
    char *body;               /* JSON, freed by the server; NULL for none */
    size_t body_length;
};

struct mef_coap_options {
    const char *listen;
    /* As mef_dtls_options has them. */
    const char *priority, *certificate, *key, *anchors, *ocsp;
    size_t (*psk)(void *userdata, const char *identity, uint8_t ret[MEF_DTLS_KEY_MAX]);
    bool (*admits)(void *userdata, const uint8_t *der, size_t length, bool trusted);
    /* Answers a request; called by several threads at once. Return: 0; a negative errno becomes 5.00. */
    int (*handler)(const struct mef_coap_request *request, struct mef_coap_reply *reply,
                   void *userdata);
    void *userdata;
};

struct mef_coap;

/**
 * mef_coap_start() - listen and serve; what goes wrong is printed on stderr
 */
int mef_coap_start(const struct mef_coap_options *options, struct mef_coap **ret);

unsigned mef_coap_port(const struct mef_coap *coap);

/**
 * mef_coap_stop() - end; NULL is allowed. Returns NULL.
 */
struct mef_coap *mef_coap_stop(struct mef_coap *coap);

/**
 * mef_coap_set_silent() - from now on, or no more, nothing is sent: not even a handshake
 */
void mef_coap_set_silent(struct mef_coap *coap, bool silent);

#define MEF_COAP_EXPORTER_LENGTH 48u

/**
 * mef_coap_exporter() - the exporter (RFC 5705, no context) of the handshake that a request came by
 *
 * Return: whether there is one: not without extended master secret (RFC 7627).
 */
bool mef_coap_exporter(gnutls_session_t session, const char *label,
                       uint8_t ret[MEF_COAP_EXPORTER_LENGTH]);
