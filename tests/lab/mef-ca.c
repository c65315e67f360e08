/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MEF's certification authority, on GnuTLS.
 *
 * Where no files are given it lives as long as the process does: tests fetch its certificate by EST as a gateway does.
 */

#include "mef-ca.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/pkcs7.h>
#include <nettle/base64.h>

#define SERIAL_LENGTH    16u
#define KEY_ID_LENGTH    20u
#define CA_BACKDATE_SEC  60
#define CA_LIFETIME_SEC  (10 * 366 * 86400)
#define LINE_LENGTH      64u
#define CERTIFICATE_V3   3u
#define PATH_LENGTH_LEAF 0

struct mef_ca {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
};

/* --- The authority ------------------------------------------------------------------------------ */

static int load_datum(const char *path, gnutls_datum_t *ret) {
    int r = gnutls_load_file(path, ret);

    if (r < 0)
        fprintf(stderr, "keystrap-lab mef: %s: %s\n", path, gnutls_strerror(r));
    return r < 0 ? -ENOENT : 0;
}

static int load(struct mef_ca *ca, const char *certificate, const char *key) {
    gnutls_datum_t pem = {0};
    int r;

    r = load_datum(certificate, &pem);
    if (r < 0)
        return r;
    r = gnutls_x509_crt_import(ca->certificate, &pem, GNUTLS_X509_FMT_PEM);
    gnutls_free(pem.data);
    if (r < 0) {
        fprintf(stderr, "keystrap-lab mef: %s: %s\n", certificate, gnutls_strerror(r));
        return -ENOENT;
    }
    r = load_datum(key, &pem);
    if (r < 0)
        return r;
    r = gnutls_x509_privkey_import2(ca->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    if (r < 0) {
        fprintf(stderr, "keystrap-lab mef: %s: %s\n", key, gnutls_strerror(r));
        return -ENOENT;
    }
    return 0;
}

static int make_key(gnutls_x509_privkey_t key) {
    return gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                        GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

static int set_serial(gnutls_x509_crt_t certificate) {
    uint8_t serial[SERIAL_LENGTH];
    int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

    /* Positive, and no octet of zeros in front (RFC 5280 4.1.2.2). */
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
    return r < 0 ? r : gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
}

static int set_subject_key_id(gnutls_x509_crt_t certificate) {
    uint8_t id[KEY_ID_LENGTH];
    size_t length = sizeof(id);
    int r = gnutls_x509_crt_get_key_id(certificate, 0, id, &length);

    return r < 0 ? r : gnutls_x509_crt_set_subject_key_id(certificate, id, length);
}

/* The first failure of a row of calls, or 0. */
static int first_failure(const int *results, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (results[i] < 0)
            return results[i];
    return 0;
}
#define ALL(results) first_failure(results, sizeof(results) / sizeof((results)[0]))

static int make(struct mef_ca *ca, const char *name) {
    time_t now = time(NULL);
    int r = make_key(ca->key);

    if (r == 0) {
        const int done[] = {
            gnutls_x509_crt_set_version(ca->certificate, CERTIFICATE_V3),
            gnutls_x509_crt_set_key(ca->certificate, ca->key),
            gnutls_x509_crt_set_dn_by_oid(ca->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                          (unsigned)strlen(name)),
            set_serial(ca->certificate),
            gnutls_x509_crt_set_activation_time(ca->certificate, now - CA_BACKDATE_SEC),
            gnutls_x509_crt_set_expiration_time(ca->certificate, now + CA_LIFETIME_SEC),
            gnutls_x509_crt_set_basic_constraints(ca->certificate, 1, PATH_LENGTH_LEAF),
            gnutls_x509_crt_set_key_usage(ca->certificate,
                                          GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN),
            set_subject_key_id(ca->certificate),
            gnutls_x509_crt_sign2(ca->certificate, ca->certificate, ca->key, GNUTLS_DIG_SHA256, 0),
        };
        r = ALL(done);
    }
    if (r < 0)
        fprintf(stderr, "keystrap-lab mef: no certification authority: %s\n", gnutls_strerror(r));
    return r < 0 ? -EIO : 0;
}

int mef_ca_new(const char *certificate, const char *key, const char *name, struct mef_ca **ret) {
    struct mef_ca *ca = calloc(1, sizeof(*ca));
    int r;

    if (!ca)
        return -ENOMEM;
    r = gnutls_x509_crt_init(&ca->certificate) < 0 || gnutls_x509_privkey_init(&ca->key) < 0 ? -EIO
                                                                                             : 0;
    if (r == 0)
        r = certificate && key ? load(ca, certificate, key) : make(ca, name);
    if (r < 0) {
        (void)mef_ca_free(ca);
        return r;
    }
    *ret = ca;
    return 0;
}

struct mef_ca *mef_ca_free(struct mef_ca *ca) {
    if (!ca)
        return NULL;
    if (ca->certificate)
        gnutls_x509_crt_deinit(ca->certificate);
    if (ca->key)
        gnutls_x509_privkey_deinit(ca->key);
    free(ca);
    return NULL;
}

gnutls_x509_crt_t mef_ca_certificate(const struct mef_ca *ca) {
    return ca->certificate;
}

/* --- What it issues ----------------------------------------------------------------------------- */

static int set_other_key(gnutls_x509_crt_t certificate) {
    gnutls_x509_privkey_t key;
    int r = gnutls_x509_privkey_init(&key);

    if (r < 0)
        return r;
    r = make_key(key);
    if (r == 0)
        r = gnutls_x509_crt_set_key(certificate, key);
    gnutls_x509_privkey_deinit(key);
    return r;
}

/* Subject and key: the request's, or with another name only its key. */
static int set_subject(gnutls_x509_crt_t certificate, const struct mef_ca_order *order) {
    const char *name = order->other_name;
    gnutls_pubkey_t key;
    int r;

    if (!name)
        return gnutls_x509_crt_set_crq(certificate, order->request);
    r = gnutls_pubkey_init(&key);
    if (r < 0)
        return r;
    r = gnutls_pubkey_import_x509_crq(key, order->request, 0);
    if (r == 0)
        r = gnutls_x509_crt_set_pubkey(certificate, key);
    gnutls_pubkey_deinit(key);
    if (r == 0)
        r = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                          (unsigned)strlen(name));
    return r;
}

static int set_names(gnutls_x509_crt_t certificate, const struct mef_ca_order *order) {
    const char *name = order->other_name;

    if (!name)
        return gnutls_x509_crt_set_crq_extension_by_oid(certificate, order->request,
                                                        GNUTLS_X509EXT_OID_SAN, 0);
    return gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name,
                                                (unsigned)strlen(name), GNUTLS_FSAN_SET);
}

static int set_issuer_key_id(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer) {
    uint8_t id[64];
    size_t length = sizeof(id);
    int r = gnutls_x509_crt_get_subject_key_id(issuer, id, &length, NULL);

    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        return 0;
    return r < 0 ? r : gnutls_x509_crt_set_authority_key_id(certificate, id, length);
}

static int fill_in(const struct mef_ca *ca, const struct mef_ca_order *order,
                   gnutls_x509_crt_t certificate) {
    int r = set_subject(certificate, order);

    if (r == 0 && order->other_key)
        r = set_other_key(certificate);
    if (r == 0) {
        const int done[] = {
            gnutls_x509_crt_set_version(certificate, CERTIFICATE_V3),
            set_names(certificate, order),
            set_serial(certificate),
            gnutls_x509_crt_set_activation_time(certificate, (time_t)order->not_before),
            gnutls_x509_crt_set_expiration_time(certificate, (time_t)order->not_after),
            gnutls_x509_crt_set_basic_constraints(certificate, 0, -1),
            gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE),
            gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT, 0),
            set_subject_key_id(certificate),
            set_issuer_key_id(certificate, ca->certificate),
            gnutls_x509_crt_sign2(certificate, ca->certificate, ca->key, GNUTLS_DIG_SHA256, 0),
        };
        r = ALL(done);
    }
    return r;
}

int mef_ca_issue(const struct mef_ca *ca, const struct mef_ca_order *order,
                 gnutls_x509_crt_t *ret) {
    gnutls_x509_crt_t certificate;
    int r = gnutls_x509_crt_init(&certificate);

    if (r < 0)
        return -EIO;
    r = fill_in(ca, order, certificate);
    if (r < 0) {
        fprintf(stderr, "keystrap-lab mef: no certificate: %s\n", gnutls_strerror(r));
        gnutls_x509_crt_deinit(certificate);
        return -EIO;
    }
    *ret = certificate;
    return 0;
}

/* --- How it is sent ----------------------------------------------------------------------------- */

int mef_base64_lines(const uint8_t *octets, size_t length, char **ret) {
    size_t coded = BASE64_ENCODE_RAW_LENGTH(length);
    char *plain = malloc(coded + 1), *lines = malloc(coded + 2 * (coded / LINE_LENGTH + 1) + 1);
    size_t at = 0;

    if (!plain || !lines) {
        free(plain);
        free(lines);
        return -ENOMEM;
    }
    base64_encode_raw(plain, length, octets);
    for (size_t i = 0; i < coded; i += LINE_LENGTH) {
        size_t part = coded - i < LINE_LENGTH ? coded - i : LINE_LENGTH;

        memcpy(lines + at, plain + i, part);
        memcpy(lines + at + part, "\r\n", 2);
        at += part + 2;
    }
    lines[at] = '\0';
    free(plain);
    *ret = lines;
    return 0;
}

int mef_ca_certs_only(gnutls_x509_crt_t certificate, char **ret) {
    gnutls_datum_t der = {0};
    gnutls_pkcs7_t pkcs7;
    int r = gnutls_pkcs7_init(&pkcs7);

    if (r < 0)
        return -EIO;
    r = gnutls_pkcs7_set_crt(pkcs7, certificate);
    if (r == 0)
        r = gnutls_pkcs7_export2(pkcs7, GNUTLS_X509_FMT_DER, &der);
    gnutls_pkcs7_deinit(pkcs7);
    if (r < 0)
        return -EIO;
    r = mef_base64_lines(der.data, der.size, ret);
    gnutls_free(der.data);
    return r;
}
