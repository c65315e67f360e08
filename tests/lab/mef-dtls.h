/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A DTLS 1.2 server on GnuTLS, with a thread for each client: what is under the lab's CoAP.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#define MEF_DTLS_KEY_MAX      64u
#define MEF_DTLS_DATAGRAM_MAX 1280u /* octets of one datagram's content */

struct mef_dtls_options {
    const char *listen;   /* ADDRESS:PORT or [ADDRESS]:PORT, port 0 for any */
    const char *priority; /* GnuTLS's words for suites; NULL for what it has, CCM_8 included */
    /* Texts in PEM; NULL for pre-shared keys alone. */
    const char *certificate, *key;
    const char *anchors; /* of the clients' certificates, or NULL */
    const char *ocsp;    /* path of an OCSP response (DER) to staple, or NULL */

    /* All callbacks are called by several threads at once. */

    /* The key of @identity: its length, or 0 where there is none. */
    size_t (*psk)(void *userdata, const char *identity, uint8_t ret[MEF_DTLS_KEY_MAX]);
    /* Whether a client with this certificate (DER) may come. @trusted: it is in force and leads to an anchor. */
    bool (*admits)(void *userdata, const uint8_t *der, size_t length, bool trusted);
    /* Answers a datagram: octets of @ret, 0 for none. @peer: peer_size octets that belong to the client, zero at first */
    size_t (*serve)(void *userdata, gnutls_session_t session, void *peer, const uint8_t *datagram,
                    size_t length, uint8_t ret[MEF_DTLS_DATAGRAM_MAX]);
    size_t peer_size;
    void *userdata;
};

struct mef_dtls;

/**
 * mef_dtls_start() - listen and serve
 *
 * Return: 0; -EINVAL for credentials, priority or address; another negative errno.
 */
int mef_dtls_start(const struct mef_dtls_options *options, struct mef_dtls **ret);

unsigned mef_dtls_port(const struct mef_dtls *dtls);

/**
 * mef_dtls_stop() - end all sessions; NULL is allowed. Returns NULL.
 */
struct mef_dtls *mef_dtls_stop(struct mef_dtls *dtls);

/**
 * mef_dtls_set_silent() - from now on, or no more, nothing is sent: not even of a handshake
 */
void mef_dtls_set_silent(struct mef_dtls *dtls, bool silent);
