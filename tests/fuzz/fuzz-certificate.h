/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An authority for fuzz targets, so that what is fuzzed stands in a certificate that was signed well, and the input cut into
 * parts.
 */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1800000000)

struct authority {
    EVP_PKEY *key, *leaf_key;
    X509 *certificate;
};

static inline void check(bool holds) {
    if (!holds)
        abort();
}

static inline void set_dates(X509 *certificate) {
    check(ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)NOW - 86400) != NULL);
    check(ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)NOW + 86400) != NULL);
}

static inline void set_extension(X509 *certificate, int nid, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    check(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* The one authority, made at its first use. */
static inline const struct authority *authority(void) {
    static struct authority one;
    X509_NAME *name;

    if (one.certificate)
        return &one;
    one.key = EVP_EC_gen("P-256");
    one.leaf_key = EVP_EC_gen("P-256");
    one.certificate = X509_new();
    check(one.key && one.leaf_key && one.certificate);
    name = X509_get_subject_name(one.certificate);
    check(X509_set_version(one.certificate, X509_VERSION_3) == 1);
    check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"fuzz", -1,
                                     -1, 0) == 1);
    check(X509_set_issuer_name(one.certificate, name) == 1);
    check(X509_set_pubkey(one.certificate, one.key) == 1);
    set_dates(one.certificate);
    set_extension(one.certificate, NID_basic_constraints, "critical,CA:TRUE");
    set_extension(one.certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    check(X509_sign(one.certificate, one.key, EVP_sha256()) > 0);
    return &one;
}

/* Whatever is in @certificate is signed by the authority, with dates that hold and with @key; false where OpenSSL cannot. */
static inline bool sign_again(X509 *certificate, EVP_PKEY *key) {
    const struct authority *by = authority();

    set_dates(certificate);
    return X509_set_issuer_name(certificate, X509_get_subject_name(by->certificate)) == 1 &&
           X509_set_pubkey(certificate, key) == 1 &&
           X509_sign(certificate, by->key, EVP_sha256()) > 0;
}

/* --- The input ---------------------------------------------------------------------------------------- */

struct input {
    const uint8_t *octets;
    size_t left;
};

/* The next part: a kind, two octets of length, and that many octets, or what is left of them. */
static inline bool next_part(struct input *input, uint8_t *ret_kind, const uint8_t **ret,
                             size_t *ret_length) {
    size_t length;

    if (input->left < 3)
        return false;
    *ret_kind = input->octets[0];
    length = (size_t)(input->octets[1] << 8 | input->octets[2]);
    input->octets += 3;
    input->left -= 3;
    if (length > input->left)
        length = input->left;
    *ret = input->octets;
    *ret_length = length;
    input->octets += length;
    input->left -= length;
    return true;
}
