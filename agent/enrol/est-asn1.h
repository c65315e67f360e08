/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The ASN.1 of EST: requests, attributes, certificates. OpenSSL does all of it.
 */

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "est.h"

/* What /csrattrs wants of the request (RFC 7030 4.5.2). */
struct est_attributes {
    bool challenge;                           /* challengePassword */
    char password[CHALLENGE_PASSWORD_MAX + 1]; /* its value, "" where the server gives none */
    bool other_key; /* a key that is not on P-256, which oneM2M does not have */
};

/**
 * est_attributes_parse() - CsrAttrs, DER of @length octets. What is not known is passed over.
 *
 * Return: 0; -EINVAL.
 */
int est_attributes_parse(const uint8_t *der, size_t length, struct est_attributes *ret);

/**
 * est_key_export() - the private key of @key, which is on P-256, as PKCS #8 DER, without a copy anywhere else
 *
 * Return: 0; -ENOMEM; -EIO for another kind of key.
 */
int est_key_export(const EVP_PKEY *key, struct secret **ret);

/**
 * est_request_make() - a PKCS #10 request of @key for @subject, DER in base64
 * @signer: who signs it; NULL where @key has its private part
 * @ret: the caller frees it
 *
 * Return: 0; -ENOMEM; -EINVAL for a subject or password that cannot be; as @signer.
 */
int est_request_make(EVP_PKEY *key, const struct http_signer *signer,
                     const struct est_subject *subject, const struct est_attributes *attributes,
                     char **ret, struct failure *failure);

/**
 * est_certificates_parse() - the certificates of a certs-only PKCS #7, base64 text of @length octets
 * @ret: the caller frees it with its certificates
 *
 * Return: 0; -EINVAL.
 */
int est_certificates_parse(const uint8_t *text, size_t length, STACK_OF(X509) * *ret);

/**
 * est_decode() - base64 with white space anywhere; the caller frees *@ret
 */
int est_decode(const uint8_t *text, size_t length, uint8_t **ret, size_t *ret_length);

/**
 * est_pem() - @certificates as PEM text, @first before them unless NULL; the caller frees it. NULL without memory.
 */
char *est_pem(X509 *first, STACK_OF(X509) * certificates);
