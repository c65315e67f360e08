/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whose certificate it is: what a handshake expects of the other end, in the flavours of oneM2M.
 *
 * The programs that speak (D)TLS do the verification (agent/enrol/peer.c); keystrapd only says whom to expect. Values are
 * plain, so that they can be sent in a packet.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"

/* Where the identity is in a certificate (TS-0003 8.1.2, 10.1), and how it is compared. */
enum peer_flavour {
    PEER_FQDN, /* dNSName, or the host of a URI: exact, without case and without wildcards. MEF and MAF */
    PEER_RAW_PUBLIC_KEY, /* no name: the digest of the public key (RFC 6920), see peer_expectation.roots. On OpenSSL before 3.2
                            in a self-signed certificate that holds that key */
    PEER_DEVICE,         /* otherName: "OID;value", exact; the value a string, an OID or a RELATIVE-OID as text */
    PEER_NODE_ID,        /* dNSName, URI or otherName's text: exact */
    PEER_CSE_ID,         /* dNSName or URI: exact */
    PEER_AE_ID,          /* URI: exact */
    PEER_NAMED, /* the draft's (TS-0003 V0.x 8.1.1.2.2): a name in any name field, and a root-of-trust hash; of a
                            self-signed certificate both are identical */
};

/* SHA-256 of a SubjectPublicKeyInfo, or its first @length octets: 15, 16 or 32 (RFC 6920: sha-256-120, -128, sha-256). */
struct peer_root {
    uint8_t digest[PEER_DIGEST_MAX];
    size_t length;
};

/* Strings are borrowed; "" or NULL for none. */
struct peer_expectation {
    enum peer_flavour flavour;
    const char *name; /* up to PEER_NAME_MAX octets; none with PEER_RAW_PUBLIC_KEY */
    struct peer_root roots
        [PEER_ROOTS_MAX]; /* of the root of trust, or with PEER_RAW_PUBLIC_KEY of the key itself */
    size_t roots_count;   /* 0: trust_anchors alone decides */
    const char *trust_anchors; /* path of a PEM file; none: a root must be among roots, or for PEER_FQDN without roots the
                                   system's anchors */
    const char *crl; /* path of a PEM file with CRLs: who is in none of them is not revoked; whoever issued one of
                                   the chain's certificates must have one that is current */
    bool
        ocsp_required; /* a good stapled OCSP response (RFC 6066 8) must come along; one that comes is always looked at */
};

/**
 * peer_root_parse() - "ni:///sha-256;BASE64URL", "sha-256-128;BASE64URL" (RFC 6920), or 64 hex digits
 *
 * Return: 0; -EINVAL.
 */
int peer_root_parse(const char *text, struct peer_root *ret);

/**
 * peer_flavour_name() - "fqdn", "raw-public-key", "device", "node-id", "cse-id", "ae-id", "named"
 */
const char *peer_flavour_name(enum peer_flavour flavour);

/* What of OpenSSL the verification is given; declared here so that who only fills an expectation needs no OpenSSL. */
struct x509_st;
struct stack_st_X509;

/**
 * peer_verify() - whether a certificate that came in a handshake is that of whom @expected says
 * @leaf: the other end's own
 * @chain: what came with it, leaf included or not; NULL for nothing
 * @ocsp: DER of a stapled OCSP response, @ocsp_length octets; NULL for none
 * @now: seconds since the epoch
 *
 * In this order: the leaf's key (P-256); the chain with its dates, signatures (ECDSA with SHA-256), keys, CA and key usage
 * and name constraints; the leaf's key usage (digitalSignature; one that an authority issued without any is refused); root of
 * trust; name; CRL; OCSP. The text of a failure names the certificate's subject, what was found and what was expected.
 *
 * A raw public key, and by the draft's rule a self-signed certificate, has nobody who could revoke it: no CRL is looked at, and
 * ocsp_required cannot be met. Name constraints on otherName are not understood (RFC 5280 has none), so that a device's
 * certificate of an authority that has them is refused (PEER_E_CONSTRAINT).
 *
 * Return: 0; enum peer_outcome; -ENOMEM.
 */
int peer_verify(const struct peer_expectation *expected, struct x509_st *leaf,
                struct stack_st_X509 *chain, const uint8_t *ocsp, size_t ocsp_length, int64_t now,
                struct failure *failure);

/**
 * peer_certificate_check() - what is wrong with a certificate of our own, before it is presented: expired, not yet valid, no
 * P-256 key, not for signatures
 * @pem: text, our own first
 * @now: seconds since the epoch
 *
 * Return: 0; enum peer_outcome; -EINVAL where it is no certificate.
 */
int peer_certificate_check(const char *pem, int64_t now, struct failure *failure);
