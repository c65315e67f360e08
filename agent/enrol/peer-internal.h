/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The parts of the verification of a certificate.
 */

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "peer-certificate.h"

#define PEER_SUBJECT_SIZE 97 /* of a subject in a message, NUL included */

/* What is verified, for messages too. */
struct peer_case {
    const struct peer_expectation *expected;
    X509 *leaf;
    STACK_OF(X509) * chain; /* as received; may be NULL */
    int64_t now;
    char subject[PEER_SUBJECT_SIZE];
    struct failure *failure;
};

/* --- Words ------------------------------------------------------------------------------------------- */

/**
 * peer_printable() - whatever of @text is not printable ASCII becomes a question mark, and a semicolon a comma: in a message a
 * remedy would begin there
 */
void peer_printable(char *text);

/**
 * peer_subject(), peer_issuer() - of @certificate in one line of printable ASCII, cut where it is too long
 */
void peer_subject(X509 *certificate, char ret[PEER_SUBJECT_SIZE]);
void peer_issuer(X509 *certificate, char ret[PEER_SUBJECT_SIZE]);

/* --- Parts ------------------------------------------------------------------------------------------- */

/**
 * peer_check_key() - whether the key of @certificate is one of P-256, by the curve's name and with its point uncompressed
 * (TS-0003 10.1.1). 0; PEER_E_KEY.
 */
int peer_check_key(struct peer_case *peer, X509 *certificate);

/**
 * peer_check_dates() - of one certificate. 0; PEER_E_EXPIRED; PEER_E_NOT_YET.
 */
int peer_check_dates(struct peer_case *peer, X509 *certificate);

/**
 * peer_check_name() - whether the leaf has the name that is expected, where its flavour has it. 0; PEER_E_NAME;
 * PEER_E_MALFORMED where its names cannot be read.
 */
int peer_check_name(struct peer_case *peer);

/**
 * peer_check_chain() - whether there is a chain from the leaf to what is trusted: dates, signatures, CA and key usage, name
 * constraints, and P-256 and SHA-256 throughout. 0; enum peer_outcome; -ENOMEM.
 * @ret_chain: what was found, the caller's to free with its certificates
 */
int peer_check_chain(struct peer_case *peer, STACK_OF(X509) * *ret_chain);

/**
 * peer_check_algorithms() - that every key of @chain is on P-256 and every signature, but the anchor's own, by ECDSA and
 * SHA-256 (TS-0003 10.1.1). 0; PEER_E_KEY.
 */
int peer_check_algorithms(struct peer_case *peer, STACK_OF(X509) * chain);

/**
 * peer_check_crl() - the CRLs that are expected, for every certificate of @chain but the anchor. 0; PEER_E_REVOKED;
 * PEER_E_STATUS.
 */
int peer_check_crl(struct peer_case *peer, STACK_OF(X509) * chain);

/**
 * peer_check_ocsp() - a stapled response, DER of @length octets, about the leaf. 0; PEER_E_REVOKED; PEER_E_STATUS.
 */
int peer_check_ocsp(struct peer_case *peer, STACK_OF(X509) * chain, const uint8_t *ocsp,
                    size_t length);

/* --- Roots of trust ---------------------------------------------------------------------------------- */

#define PEER_ROOT_TEXT_SIZE (2 * PEER_DIGEST_MAX + 1)

/**
 * peer_root_of() - the whole digest of the key of @certificate; false without memory
 */
bool peer_root_of(X509 *certificate, struct peer_root *ret);

/**
 * peer_root_text() - hex digits, which peer_root_parse() reads where the digest is whole
 */
void peer_root_text(const struct peer_root *root, char ret[PEER_ROOT_TEXT_SIZE]);

/**
 * peer_has_root() - whether the key of @certificate is one of those that are expected
 */
bool peer_has_root(const struct peer_expectation *expected, X509 *certificate);

/**
 * peer_check_root() - whether a key of @chain is one of those that are expected, where any is. 0; PEER_E_ROOT.
 */
int peer_check_root(struct peer_case *peer, STACK_OF(X509) * chain);

/**
 * peer_other_root() - fail with PEER_E_ROOT: the key of @certificate, which is what @what says, is none of them
 */
int peer_other_root(struct peer_case *peer, X509 *certificate, const char *what);
