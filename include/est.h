/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Certificate provisioning by EST (RFC 7030), as TS-0003 8.3.6 has it: CA certificates, CSR attributes, simple enrol and
 * re-enrol. The private key is made here and leaves for nowhere; the session is authenticated by the pre-shared key
 * (certificate-less, 3.3.3) or by the certificate before.
 */

#include "http.h"
#include "keystrap-limits.h"
#include "mef.h"
#include "outcome.h"
#include "secret.h"

struct est_client {
    const struct mef_io *io;
    const char *base;       /* https://HOST[:PORT]/.well-known/est */
    const char *connect_to; /* or NULL */
    const struct http_handshake *handshake;
    const struct http_signer *signer; /* of the key to be certified, where a secure environment has it; NULL to make one */
    const uint8_t *public_key;        /* with signer: its SubjectPublicKeyInfo, SECURE_SPKI_LENGTH octets */
    uint64_t connect_timeout_usec, request_timeout_usec;
};

/* What the certificate is to say. */
struct est_subject {
    const char *common_name;
    const char *dns; /* subjectAltName of type dNSName; NULL for none */
    const char *uri; /* subjectAltName of type URI; NULL for none */
};

struct est_credential {
    struct secret *private_key;    /* PKCS #8 DER, P-256; NULL with est_client.signer */
    char *certificate;             /* PEM text, our own first; the caller frees it */
    char *anchors;                 /* PEM text of the CA certificates; the caller frees it */
    int64_t not_before, not_after; /* of our own, seconds since the epoch */
};

/**
 * est_credential_done() - erase and release what is in it
 */
void est_credential_done(struct est_credential *credential);

/**
 * est_enrol() - /cacerts, /csrattrs, then /simpleenroll with a key that is made here
 * @renew: private key and certificate so far: /simplereenroll with the handshake that they make, and a new key; NULL for the
 * first time
 *
 * The certificate that comes back must be of the key that was made and chain up to the CA certificates; its name must be as
 * asked for.
 *
 * Return: 0; enum est_outcome; as http_client_ask(); negative errno.
 */
int est_enrol(const struct est_client *client, const struct est_subject *subject, bool renew,
              struct est_credential *ret, struct failure *failure);
