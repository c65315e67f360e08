/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whose certificate it is.
 *
 * OpenSSL builds chains and checks signatures, dates and name constraints. What oneM2M adds is here: the flavours, the pinned
 * root of trust, P-256, and a name for each way in which it can be wrong.
 */

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "peer-internal.h"
#include "util.h"

/* An uncompressed point of P-256: 04, x, y. */
#define POINT_LENGTH       65
#define POINT_UNCOMPRESSED 4

/* --- Words ------------------------------------------------------------------------------------------- */

const char *peer_flavour_name(enum peer_flavour flavour) {
    switch (flavour) {
    case PEER_FQDN:
        return "fqdn";
    case PEER_RAW_PUBLIC_KEY:
        return "raw-public-key";
    case PEER_DEVICE:
        return "device";
    case PEER_NODE_ID:
        return "node-id";
    case PEER_CSE_ID:
        return "cse-id";
    case PEER_AE_ID:
        return "ae-id";
    case PEER_NAMED:
        return "named";
    }
    return "";
}

void peer_printable(char *text) {
    for (char *p = text; *p; p++)
        if (*p == ';')
            *p = ',';
        else if (*p < 0x20 || *p > 0x7e)
            *p = '?';
}

static void name_text(const X509_NAME *name, char ret[PEER_SUBJECT_SIZE]) {
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_read(bio, ret, PEER_SUBJECT_SIZE - 1);
    ret[n > 0 ? n : 0] = '\0';
    peer_printable(ret);
    if (!ret[0])
        (void)snprintf(ret, PEER_SUBJECT_SIZE, "(no name)");
    BIO_free(bio);
}

void peer_subject(X509 *certificate, char ret[PEER_SUBJECT_SIZE]) {
    name_text(X509_get_subject_name(certificate), ret);
}

void peer_issuer(X509 *certificate, char ret[PEER_SUBJECT_SIZE]) {
    name_text(X509_get_issuer_name(certificate), ret);
}

/* --- Dates, key --------------------------------------------------------------------------------------- */

static void write_date(const struct tm *tm, char ret[32]) {
    if (strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", tm) == 0)
        (void)strcpy(ret, "?");
}

static void date_text(const ASN1_TIME *when, char ret[32]) {
    struct tm tm;

    if (ASN1_TIME_to_tm(when, &tm) == 1)
        write_date(&tm, ret);
    else
        (void)strcpy(ret, "?");
}

/* A date that cannot be read counts as wrong. */
int peer_check_dates(struct peer_case *peer, X509 *certificate) {
    time_t now = (time_t)peer->now;
    const ASN1_TIME *from = X509_get0_notBefore(certificate);
    const ASN1_TIME *to = X509_get0_notAfter(certificate);
    bool expired = X509_cmp_time(to, &now) <= 0, early = X509_cmp_time(from, &now) >= 0;
    char subject[PEER_SUBJECT_SIZE], date[32], today[32] = "?";
    struct tm tm;

    if (!expired && !early)
        return 0;
    peer_subject(certificate, subject);
    date_text(expired ? to : from, date);
    if (gmtime_r(&now, &tm))
        write_date(&tm, today);
    return failure_set(peer->failure, expired ? PEER_E_EXPIRED : PEER_E_NOT_YET,
                       "the certificate of %s %s %s, and now it is %s", subject,
                       expired ? "expired on" : "is not valid before", date, today);
}

static bool is_uncompressed(X509 *certificate) {
    const ASN1_BIT_STRING *point = X509_get0_pubkey_bitstr(certificate);

    return point && ASN1_STRING_length(point) == POINT_LENGTH &&
           ASN1_STRING_get0_data(point)[0] == POINT_UNCOMPRESSED;
}

int peer_check_key(struct peer_case *peer, X509 *certificate) {
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    char group[32] = "", encoding[16] = "", subject[PEER_SUBJECT_SIZE];
    const char *found = "no EC key";

    if (key && EVP_PKEY_is_a(key, "EC")) {
        (void)EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
        (void)EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding,
                                             sizeof(encoding), NULL);
        if (strcmp(group, "prime256v1") != 0)
            found = group[0] ? group : "a curve without a name";
        else if (strcmp(encoding, "named_curve") != 0)
            found = "a curve without a name";
        else if (is_uncompressed(certificate))
            return 0;
        else
            found = "a compressed point";
    }
    peer_subject(certificate, subject);
    return failure_set(peer->failure, PEER_E_KEY,
                       "the key in the certificate of %s is %s, and P-256 is expected", subject,
                       found);
}

/* OpenSSL says "everything" of a certificate without keyUsage; whoever is issued one by an authority has it (10.1.1). */
static int check_usage(struct peer_case *peer, bool needed) {
    uint32_t usage = X509_get_key_usage(peer->leaf);

    if ((usage & KU_DIGITAL_SIGNATURE) && !(needed && usage == UINT32_MAX))
        return 0;
    return failure_set(peer->failure, PEER_E_KEY_USAGE,
                       "the certificate of %s %s, and digitalSignature is expected", peer->subject,
                       usage == UINT32_MAX ? "has no keyUsage" : "is for other uses (keyUsage)");
}

/* --- The kinds of certificates ------------------------------------------------------------------------ */

static int no_ocsp(struct peer_case *peer) {
    return failure_set(peer->failure, PEER_E_STATUS,
                       "%s staples no OCSP response, and the profile wants one", peer->subject);
}

/* No name and no chain: the key is who it is. Nobody issued it, so nobody can say that it was revoked. */
static int verify_raw_key(struct peer_case *peer) {
    int r;

    if (!peer_has_root(peer->expected, peer->leaf))
        return peer_other_root(peer, peer->leaf, "the public key");
    r = peer_check_dates(peer, peer->leaf);
    if (r == 0)
        r = check_usage(peer, false);
    return r == 0 && peer->expected->ocsp_required ? no_ocsp(peer) : r;
}

/* Whether the name that is expected is the digest of one of the roots. */
static bool name_is_root(const struct peer_expectation *expected, struct peer_root *ret) {
    struct peer_root name;

    if (!expected->name || peer_root_parse(expected->name, &name) < 0)
        return false;
    for (size_t i = 0; i < expected->roots_count; i++)
        if (name.length == expected->roots[i].length &&
            memcmp(name.digest, expected->roots[i].digest, name.length) == 0) {
            *ret = name;
            return true;
        }
    return false;
}

/* The draft's rule: name, root of trust and key of a self-signed certificate are the same thing (8.1.1.2.2). */
static int verify_self_signed(struct peer_case *peer) {
    struct peer_expectation own = *peer->expected;
    struct peer_case narrowed = *peer;
    int r;

    if (!name_is_root(peer->expected, &own.roots[0]))
        return failure_set(peer->failure, PEER_E_NAME,
                           "the certificate of %s is self-signed, and the name that is expected "
                           "is not the digest of its key, which is the root of trust",
                           peer->subject);
    own.roots_count = 1;
    narrowed.expected = &own;
    r = verify_raw_key(&narrowed);
    return r == 0 ? peer_check_name(&narrowed) : r;
}

static int verify_chain(struct peer_case *peer, const uint8_t *ocsp, size_t ocsp_length) {
    STACK_OF(X509) *chain = NULL;
    int r;

    r = peer_check_chain(peer, &chain);
    if (r == 0)
        r = check_usage(peer, sk_X509_num(chain) > 1);
    if (r == 0)
        r = peer_check_root(peer, chain);
    if (r == 0)
        r = peer_check_name(peer);
    if (r == 0)
        r = peer_check_crl(peer, chain);
    if (r == 0 && ocsp)
        r = peer_check_ocsp(peer, chain, ocsp, ocsp_length);
    else if (r == 0 && peer->expected->ocsp_required)
        r = no_ocsp(peer);
    sk_X509_pop_free(chain, X509_free);
    return r;
}

static int verify(struct peer_case *peer, const uint8_t *ocsp, size_t ocsp_length) {
    int r;

    if (sk_X509_num(peer->chain) > (int)PEER_CHAIN_MAX)
        return failure_set(peer->failure, PEER_E_MALFORMED,
                           "%s sends %d certificates, and up to %u are expected", peer->subject,
                           sk_X509_num(peer->chain), PEER_CHAIN_MAX);
    if (X509_check_purpose(peer->leaf, -1, 0) != 1)
        return failure_set(peer->failure, PEER_E_MALFORMED,
                           "the certificate of %s has extensions that cannot be read",
                           peer->subject);
    r = peer_check_key(peer, peer->leaf);
    if (r != 0)
        return r;
    if (peer->expected->flavour == PEER_RAW_PUBLIC_KEY)
        return verify_raw_key(peer);
    if (peer->expected->flavour == PEER_NAMED && X509_self_signed(peer->leaf, 1) == 1)
        return verify_self_signed(peer);
    return verify_chain(peer, ocsp, ocsp_length);
}

/* What OpenSSL notes of its errors is not left for the handshake that this is a part of. */
int peer_verify(const struct peer_expectation *expected, struct x509_st *leaf,
                struct stack_st_X509 *chain, const uint8_t *ocsp, size_t ocsp_length, int64_t now,
                struct failure *failure) {
    struct peer_case peer = {
        .expected = expected, .leaf = leaf, .chain = chain, .now = now, .failure = failure};
    int r;

    (void)ERR_set_mark();
    peer_subject(leaf, peer.subject);
    r = verify(&peer, ocsp, ocsp_length);
    (void)ERR_pop_to_mark();
    return r;
}

int peer_certificate_check(const char *pem, int64_t now, struct failure *failure) {
    struct peer_case peer = {.now = now, .failure = failure};
    BIO *bio;
    int r;

    (void)ERR_set_mark();
    bio = BIO_new_mem_buf(pem, -1);
    peer.leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!peer.leaf) {
        (void)ERR_pop_to_mark();
        return failure_set(failure, -EINVAL, "it is no PEM certificate");
    }
    peer_subject(peer.leaf, peer.subject);
    r = peer_check_key(&peer, peer.leaf);
    if (r == 0)
        r = peer_check_dates(&peer, peer.leaf);
    if (r == 0)
        r = check_usage(&peer, false);
    X509_free(peer.leaf);
    (void)ERR_pop_to_mark();
    return r;
}
