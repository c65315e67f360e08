/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Certificate requests and CSR attributes.
 *
 * GnuTLS reads the request; it has nothing for CsrAttrs, which is a handful of octets written here.
 */

#include "mef-csr.h"

#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <nettle/base64.h>

#include "mef-name.h"

#define NAME_MAX_OCTETS 1024u

/* --- PKCS #10 ----------------------------------------------------------------------------------- */

static bool is_p256(gnutls_x509_crq_t request) {
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    gnutls_pubkey_t key;
    int r;

    if (gnutls_pubkey_init(&key) < 0)
        return false;
    r = gnutls_pubkey_import_x509_crq(key, request, 0);
    if (r == 0)
        r = gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0);
    gnutls_pubkey_deinit(key);
    return r == 0 && curve == GNUTLS_ECC_CURVE_SECP256R1;
}

static const char *check_request(struct mef_csr *csr) {
    size_t length = sizeof(csr->challenge);
    int r;

    if (!is_p256(csr->request))
        return "The key is not of P-256.\n";
    if (gnutls_x509_crq_verify(csr->request, 0) < 0)
        return "The request is not signed by its key.\n";
    r = gnutls_x509_crq_get_challenge_password(csr->request, csr->challenge, &length);
    if (r == GNUTLS_E_SHORT_MEMORY_BUFFER)
        return "challengePassword is too long.\n";
    if (r < 0)
        csr->challenge[0] = '\0';
    return NULL;
}

const char *mef_csr_read(const uint8_t *base64, size_t length, struct mef_csr *ret) {
    struct base64_decode_ctx decoder;
    gnutls_datum_t der = {.data = malloc(BASE64_DECODE_LENGTH(length) + 1)};
    struct mef_csr csr = {0};
    size_t decoded = 0;
    const char *wrong = NULL;

    if (!der.data)
        return "There is no memory.\n";
    base64_decode_init(&decoder);
    if (!base64_decode_update(&decoder, &decoded, der.data, length, (const char *)base64) ||
        !base64_decode_final(&decoder) || gnutls_x509_crq_init(&csr.request) < 0) {
        free(der.data);
        return "The body is not base64.\n";
    }
    der.size = (unsigned)decoded;
    if (gnutls_x509_crq_import(csr.request, &der, GNUTLS_X509_FMT_DER) < 0)
        wrong = "The body is no PKCS #10.\n";
    else
        wrong = check_request(&csr);
    free(der.data);
    if (wrong)
        mef_csr_done(&csr);
    else
        *ret = csr;
    return wrong;
}

void mef_csr_done(struct mef_csr *csr) {
    if (csr->request)
        gnutls_x509_crq_deinit(csr->request);
    memset(csr, 0, sizeof(*csr));
}

/* --- Names -------------------------------------------------------------------------------------- */

bool mef_csr_names_only(const struct mef_csr *csr, const char *identity) {
    char name[NAME_MAX_OCTETS];
    unsigned i = 0;

    for (;; i++) {
        size_t length = sizeof(name) - 1;
        unsigned type;
        int r = gnutls_x509_crq_get_subject_alt_name(csr->request, i, name, &length, &type, NULL);

        if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return i > 0;
        if (r < 0 || memchr(name, '\0', length))
            return false;
        name[length] = '\0';
        if (!mef_name_is(type, name, identity))
            return false;
    }
}

/* --- CSR attributes ----------------------------------------------------------------------------- */

#define TAG_OID              0x06
#define TAG_PRINTABLE_STRING 0x13
#define TAG_SEQUENCE         0x30
#define TAG_SET              0x31

#define OID_CHALLENGE_PASSWORD 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07
#define OID_EC_PUBLIC_KEY      0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
#define OID_PRIME256V1         0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07
#define OID_ECDSA_SHA256       0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02
#define OID_SUBJECT_ALT_NAME   0x55, 0x1d, 0x11

/* What every client is asked for. */
static const uint8_t always[] = {
    TAG_OID,          3, OID_SUBJECT_ALT_NAME, TAG_SEQUENCE, 21,
    TAG_OID,          7, OID_EC_PUBLIC_KEY,    TAG_SET,      10,
    TAG_OID,          8, OID_PRIME256V1,       TAG_OID,      8,
    OID_ECDSA_SHA256,
};

static const uint8_t challenge_oid[] = {TAG_OID, 9, OID_CHALLENGE_PASSWORD};

size_t mef_csrattrs(const char *challenge, uint8_t ret[MEF_CSRATTRS_MAX]) {
    size_t value = challenge ? strlen(challenge) : 0;
    uint8_t *p = ret + 3; /* room for a length of two octets */
    size_t inner;

    if (challenge) {
        *p++ = TAG_SEQUENCE;
        *p++ = (uint8_t)(sizeof(challenge_oid) + 4 + value);
    }
    memcpy(p, challenge_oid, sizeof(challenge_oid));
    p += sizeof(challenge_oid);
    if (challenge) {
        *p++ = TAG_SET;
        *p++ = (uint8_t)(2 + value);
        *p++ = TAG_PRINTABLE_STRING;
        *p++ = (uint8_t)value;
        memcpy(p, challenge, value);
        p += value;
    }
    memcpy(p, always, sizeof(always));
    p += sizeof(always);

    inner = (size_t)(p - ret) - 3;
    if (inner < 0x80) {
        memmove(ret + 2, ret + 3, inner);
        ret[0] = TAG_SEQUENCE;
        ret[1] = (uint8_t)inner;
        return inner + 2;
    }
    ret[0] = TAG_SEQUENCE;
    ret[1] = 0x81;
    ret[2] = (uint8_t)inner;
    return inner + 3;
}
