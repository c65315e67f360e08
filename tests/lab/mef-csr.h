/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a client of the EST server asks for, and what it is asked to say: PKCS #10 and CSR attributes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/x509.h>

#define MEF_CSRATTRS_MAX      256u
#define MEF_CSR_CHALLENGE_MAX 64u

struct mef_csr {
    gnutls_x509_crq_t request;
    char challenge[MEF_CSR_CHALLENGE_MAX + 1]; /* challengePassword, "" where there is none */
};

/**
 * mef_csr_read() - a request for a P-256 key whose owner has signed it, in base64
 *
 * Return: NULL; or what is wrong, a sentence with a newline.
 */
const char *mef_csr_read(const uint8_t *base64, size_t length, struct mef_csr *ret);

void mef_csr_done(struct mef_csr *csr);

#define _cleanup_mef_csr_ __attribute__((cleanup(mef_csr_done)))

/**
 * mef_csr_names_only() - whether subjectAltName has @identity and nothing else
 * @identity: as mef_name_is() compares it
 */
bool mef_csr_names_only(const struct mef_csr *csr, const char *identity);

/**
 * mef_csrattrs() - CsrAttrs (RFC 7030 4.5.2) in DER: challengePassword, subjectAltName, P-256, ECDSA with SHA-256
 * @challenge: value of challengePassword, up to 64 octets of PrintableString; NULL: its OID alone
 *
 * Return: octets of @ret.
 */
size_t mef_csrattrs(const char *challenge, uint8_t ret[MEF_CSRATTRS_MAX]);
