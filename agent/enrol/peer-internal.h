/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The parts of the verification of a certificate.
 */

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "peer-certificate.h"

/* What is verified, for messages too. */
struct peer_case {
    const struct peer_expectation *expected;
    X509 *leaf;
    STACK_OF(X509) * chain; /* as received; may be NULL */
    int64_t now;
    char subject[128];
    struct failure *failure;
};

/**
 * peer_subject() - the subject of @certificate in one line of printable ASCII
 */
void peer_subject(X509 *certificate, char *ret, size_t size);

/**
 * peer_check_name() - whether the leaf has the name that is expected, where its flavour has it. 0; PEER_E_NAME;
 * PEER_E_MALFORMED.
 */
int peer_check_name(struct peer_case *peer);

/**
 * peer_has_root() - whether the key of @certificate is one of those that are expected
 */
bool peer_has_root(const struct peer_expectation *expected, X509 *certificate);

/**
 * peer_check_chain() - whether there is a chain from the leaf to what is trusted. 0; enum peer_outcome; -ENOMEM.
 * @ret_chain: what was found, the caller's to free with its certificates
 */
int peer_check_chain(struct peer_case *peer, STACK_OF(X509) * *ret_chain);

/**
 * peer_check_ocsp() - a stapled response, DER of @length octets, about the leaf. 0; PEER_E_REVOKED; PEER_E_STATUS.
 */
int peer_check_ocsp(struct peer_case *peer, STACK_OF(X509) * chain, const uint8_t *ocsp,
                    size_t length);

/**
 * peer_check_dates() - of one certificate. 0; PEER_E_EXPIRED; PEER_E_NOT_YET.
 */
int peer_check_dates(struct peer_case *peer, X509 *certificate);
