/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Certificates, CRLs and OCSP responses of any fault, made with OpenSSL when a test needs them; all dates count from NOW, so
 * that nothing depends on the day.
 */

#include "conf-helpers.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "peer-certificate.h"

#define NOW  INT64_C(1800000000)
#define HOUR 3600L
#define DAY  (24 * HOUR)

/* What a certificate says; what is NULL is not in it. Extensions are as OpenSSL's configuration has them. */
struct wish {
    const char *subject; /* commonName */
    const char *names, *usage, *basic, *constraints, *extended;
    const char *curve;    /* NULL: P-256 */
    const EVP_MD *digest; /* NULL: SHA-256 */
    long from, to;        /* seconds from NOW; both 0: a day each way */
    bool compressed, explicit_curve;
};

#define AUTHORITY(name)                                                   \
    &(const struct wish) {                                                \
        .subject = name, .basic = "critical,CA:TRUE", .usage = CA_USAGE \
    }
#define CA_USAGE  "critical,keyCertSign,cRLSign"
#define LEAF_USAGE "critical,digitalSignature"

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static inline void identity_done(struct identity *identity) {
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    *identity = (struct identity){0};
}

#define _cleanup_identity_ _cleanup_(identity_done)

static inline EVP_PKEY *key_of_curve(const struct wish *wish) {
    EVP_PKEY *key;

    if (wish->curve && strcmp(wish->curve, "RSA") == 0)
        key = EVP_RSA_gen(2048);
    else if (wish->curve && strcmp(wish->curve, "ED25519") == 0)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        key = EVP_EC_gen(wish->curve ? wish->curve : "P-256");
    assert_non_null(key);
    if (wish->compressed)
        assert_int_equal(EVP_PKEY_set_utf8_string_param(key, "point-format", "compressed"), 1);
    if (wish->explicit_curve)
        assert_int_equal(EVP_PKEY_set_utf8_string_param(key, "encoding", "explicit"), 1);
    return key;
}

static inline void add_extension(X509 *certificate, int nid, const char *value) {
    X509_EXTENSION *extension;
    X509V3_CTX context;

    if (!value)
        return;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (!extension)
        fail_msg("no extension: %s", value);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* A certificate of @key, which stays the caller's; signed by @issuer, or by itself where that is NULL. */
static inline X509 *certify(const struct wish *wish, EVP_PKEY *key, const struct identity *issuer) {
    static long serial = 1000;
    X509 *certificate = X509_new();
    bool always = wish->from == 0 && wish->to == 0;
    EVP_PKEY *signer = issuer ? issuer->key : key;
    const EVP_MD *digest = wish->digest ? wish->digest : EVP_sha256();

    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate),
                                  (time_t)(NOW + (always ? -DAY : wish->from))));
    assert_non_null(
        ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(NOW + (always ? DAY : wish->to))));
    if (wish->subject)
        assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
                                                    MBSTRING_UTF8,
                                                    (const unsigned char *)wish->subject, -1, -1, 0),
                         1);
    assert_int_equal(
        X509_set_issuer_name(certificate,
                             X509_get_subject_name(issuer ? issuer->certificate : certificate)),
        1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    add_extension(certificate, NID_basic_constraints, wish->basic);
    add_extension(certificate, NID_key_usage, wish->usage);
    add_extension(certificate, NID_ext_key_usage, wish->extended);
    add_extension(certificate, NID_name_constraints, wish->constraints);
    add_extension(certificate, NID_subject_alt_name, wish->names);
    assert_true(
        X509_sign(certificate, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : digest) > 0);
    return certificate;
}

static inline struct identity make(const struct wish *wish, const struct identity *issuer) {
    struct identity identity = {.key = key_of_curve(wish)};

    identity.certificate = certify(wish, identity.key, issuer);
    return identity;
}

/* The digest of its key, of which @length octets count. */
static inline struct peer_root root_of(X509 *certificate, size_t length) {
    struct peer_root root = {.length = length};
    unsigned char *spki = NULL, digest[EVP_MAX_MD_SIZE];
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);

    assert_true(n > 0);
    assert_int_equal(EVP_Digest(spki, (size_t)n, digest, NULL, EVP_sha256(), NULL), 1);
    memcpy(root.digest, digest, length);
    OPENSSL_free(spki);
    return root;
}

/* --- Files -------------------------------------------------------------------------------------------- */

/* The file @name in @directory has the certificates, up to NULL; its path in @ret. */
static inline const char *write_certificates(const char *directory, const char *name,
                                             X509 *const *certificates, char ret[PATH_SIZE]) {
    FILE *f = fopen(path_in(directory, name, ret), "we");

    assert_non_null(f);
    for (; *certificates; certificates++)
        assert_int_equal(PEM_write_X509(f, *certificates), 1);
    assert_int_equal(fclose(f), 0);
    return ret;
}

static inline const char *write_anchor(const char *directory, const struct identity *anchor,
                                       char ret[PATH_SIZE]) {
    return write_certificates(directory, "anchors.pem", (X509 *[]){anchor->certificate, NULL}, ret);
}

/* --- CRLs --------------------------------------------------------------------------------------------- */

/* @issuer's, of @from to @to seconds from NOW, with @revoked (NULL for nobody) on it; added to the file @name. */
static inline void append_crl(const char *directory, const char *name, const struct identity *issuer,
                              X509 *revoked, long from, long to) {
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *begin = ASN1_TIME_set(NULL, (time_t)(NOW + from));
    ASN1_TIME *end = ASN1_TIME_set(NULL, (time_t)(NOW + to));
    char path[PATH_SIZE];
    FILE *f = fopen(path_in(directory, name, path), "ae");

    assert_non_null(f);
    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate)), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, begin), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, end), 1);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();

        assert_int_equal(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked)), 1);
        assert_int_equal(X509_REVOKED_set_revocationDate(entry, begin), 1);
        assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
    }
    assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
    assert_int_equal(fclose(f), 0);
    ASN1_TIME_free(begin);
    ASN1_TIME_free(end);
    X509_CRL_free(crl);
}

/* --- OCSP --------------------------------------------------------------------------------------------- */

struct ocsp_wish {
    int status; /* V_OCSP_CERTSTATUS_... */
    long from, to; /* seconds from NOW; to is 0 for no nextUpdate */
    const EVP_MD *id_digest, *digest; /* NULL: SHA-1 of the identifier, SHA-256 of the signature */
};

/* What @signer says of @leaf, which @issuer issued: DER, the caller frees it with OPENSSL_free(). */
static inline unsigned char *make_ocsp(const struct ocsp_wish *wish, X509 *leaf, X509 *issuer,
                                       const struct identity *signer, size_t *ret_length) {
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(NOW + wish->from));
    ASN1_TIME *to = wish->to ? ASN1_GENERALIZEDTIME_set(NULL, (time_t)(NOW + wish->to)) : NULL;
    OCSP_CERTID *id =
        OCSP_cert_to_id(wish->id_digest ? wish->id_digest : EVP_sha1(), leaf, issuer);
    bool revoked = wish->status == V_OCSP_CERTSTATUS_REVOKED;
    unsigned char *der = NULL;
    OCSP_RESPONSE *response;
    int length;

    assert_non_null(OCSP_basic_add1_status(basic, id, wish->status, 0, revoked ? from : NULL, from, to));
    assert_int_equal(OCSP_basic_sign(basic, signer->certificate, signer->key,
                                     wish->digest ? wish->digest : EVP_sha256(), NULL, 0),
                     1);
    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    length = i2d_OCSP_RESPONSE(response, &der);
    assert_true(length > 0);
    *ret_length = (size_t)length;
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    return der;
}
