/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The certification authority of the lab's MEF: P-256, and what an enrolee gets is signed by it directly.
 */

#include <stddef.h>
#include <stdint.h>

#include <gnutls/x509.h>

struct mef_ca;

/**
 * mef_ca_new() - from PEM files, or made for this process where they are NULL; what goes wrong is printed on stderr
 * @name: its common name, if it is made
 *
 * Return: 0; -ENOENT where a file cannot be read or is no certificate or key; -EIO where GnuTLS fails.
 */
int mef_ca_new(const char *certificate, const char *key, const char *name, struct mef_ca **ret);

/**
 * mef_ca_free() - NULL is allowed; returns NULL
 */
struct mef_ca *mef_ca_free(struct mef_ca *ca);

/**
 * mef_ca_certificate() - the authority's own, borrowed
 */
gnutls_x509_crt_t mef_ca_certificate(const struct mef_ca *ca);

/* A certificate, as it is asked for and as it comes out wrong. */
struct mef_ca_order {
    gnutls_x509_crq_t request;
    int64_t not_before, not_after; /* seconds since the epoch */
    const char *other_name;        /* say this FQDN instead of the request's names; NULL */
    int other_key;                 /* of a key that nobody has */
};

/**
 * mef_ca_issue() - a certificate for digital signatures by a TLS client
 *
 * Return: 0; -EIO.
 */
int mef_ca_issue(const struct mef_ca *ca, const struct mef_ca_order *order, gnutls_x509_crt_t *ret);

/**
 * mef_ca_certs_only() - PKCS #7 with one certificate and no signature (RFC 7030 4.1.3, 4.2.3)
 * @ret: base64 of it in lines, terminated; the caller frees it
 *
 * Return: 0; -EIO; -ENOMEM.
 */
int mef_ca_certs_only(gnutls_x509_crt_t certificate, char **ret);

/**
 * mef_base64_lines() - base64 in lines of 64 characters, terminated; the caller frees it
 *
 * Return: 0; -ENOMEM.
 */
int mef_base64_lines(const uint8_t *octets, size_t length, char **ret);
