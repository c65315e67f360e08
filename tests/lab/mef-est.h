/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The MEF's EST server (RFC 7030, TS-0003 8.3.6): cacerts, csrattrs, simpleenroll, simplereenroll, and its faults.
 *
 * It knows nothing of HTTP and TLS: who serves it says who the client is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mef-ca.h"

#define MEF_EST_PATH "/.well-known/est/"

struct mef_est;

struct mef_est_options {
    struct mef_ca *ca;    /* borrowed */
    int64_t lifetime_sec; /* of what is issued */
    bool challenge;       /* ask every client for a challengePassword */
};

/**
 * mef_est_new() - Return: 0; -ENOMEM; -EIO
 */
int mef_est_new(const struct mef_est_options *options, struct mef_est **ret);

/**
 * mef_est_free() - NULL is allowed; returns NULL
 */
struct mef_est *mef_est_free(struct mef_est *est);

/* All is borrowed. */
struct mef_est_request {
    const char *method;
    const char *operation;    /* what follows MEF_EST_PATH */
    const char *content_type; /* NULL where the client sent none */
    const uint8_t *body;
    size_t body_length;
    const char *identity; /* AE-ID, CSE-ID or FQDN by which the handshake knows the client; NULL for nobody */
    bool by_certificate;  /* the handshake was by the client's certificate */
};

struct mef_est_reply {
    unsigned status;
    unsigned retry_after_sec; /* 0: no such field */
    const char *content_type; /* NULL: no body */
    bool base64;              /* Content-Transfer-Encoding: base64 */
    char *body;               /* terminated; the caller frees it */
};

/**
 * mef_est_handle() - answer a request; may be called by several threads at once
 *
 * Return: 0; a negative errno, where there is no answer.
 */
int mef_est_handle(struct mef_est *est, const struct mef_est_request *request,
                   struct mef_est_reply *ret);

/* Of the control command below. */
#define MEF_EST_USAGE \
    "fault pending|busy|attributes-none|wrong-key|wrong-name|stranger|garbage [SECONDS] [xN] | clear | count | issued | " \
    "challenge on|off | lifetime SECONDS"

/**
 * mef_est_control() - a command of the control socket; words as MEF_EST_USAGE has them, after argv[0]
 *
 *     fault NAME [SECONDS] [xN]  show it N times, or until it is cleared; SECONDS of Retry-After with pending and busy
 *     clear                      show none any more
 *     count                      cacerts N csrattrs N enrolled N renewed N refused N
 *     issued                     SHA-256 of the certificate issued last, in hex
 *     challenge on|off           ask for a challengePassword
 *     lifetime SECONDS           of what is issued from now on
 *
 * Return: 0; -EINVAL with words in @answer.
 */
int mef_est_control(struct mef_est *est, int argc, char **argv, char *answer, size_t size);
