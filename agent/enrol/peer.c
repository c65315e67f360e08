/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whose certificate it is.
 *
 * OpenSSL builds chains and checks signatures, dates and name constraints. What oneM2M adds is here: the flavours, the pinned
 * root of trust, P-256, and a name for each way in which it can be wrong.
 */

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "peer-internal.h"
#include "util.h"

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

void peer_subject(X509 *certificate, char *ret, size_t size) {
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
                                  XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_read(bio, ret, (int)size - 1);
    ret[n > 0 ? n : 0] = '\0';
    for (char *p = ret; *p; p++)
        if (*p < 0x20 || *p > 0x7e || *p == ';')
            *p = '?';
    if (!ret[0])
        (void)snprintf(ret, size, "(no subject)");
    BIO_free(bio);
}

/* --- Dates, key --------------------------------------------------------------------------------------- */

static void date_text(const ASN1_TIME *when, char ret[32]) {
    struct tm tm;

    if (ASN1_TIME_to_tm(when, &tm) != 1 || strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)strcpy(ret, "?");
}

int peer_check_dates(struct peer_case *peer, X509 *certificate) {
    time_t now = (time_t)peer->now;
    char subject[128], date[32];
    const ASN1_TIME *from = X509_get0_notBefore(certificate);
    const ASN1_TIME *to = X509_get0_notAfter(certificate);

    peer_subject(certificate, subject, sizeof(subject));
    if (X509_cmp_time(to, &now) <= 0) {
        date_text(to, date);
        return failure_set(peer->failure, PEER_E_EXPIRED, "the certificate of %s expired on %s",
                           subject, date);
    }
    if (X509_cmp_time(from, &now) >= 0) {
        date_text(from, date);
        return failure_set(peer->failure, PEER_E_NOT_YET,
                           "the certificate of %s is not valid before %s", subject, date);
    }
    return 0;
}

static int check_key(struct peer_case *peer) {
    EVP_PKEY *key = X509_get0_pubkey(peer->leaf);
    char group[32] = "";

    if (key && EVP_PKEY_is_a(key, "EC") &&
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
        strcmp(group, "prime256v1") == 0)
        return 0;
    return failure_set(peer->failure, PEER_E_KEY,
                       "the key in the certificate of %s is not of P-256 (%s)", peer->subject,
                       group[0] ? group : "no EC key");
}

static int check_usage(struct peer_case *peer) {
    if (X509_get_key_usage(peer->leaf) & KU_DIGITAL_SIGNATURE)
        return 0;
    return failure_set(peer->failure, PEER_E_KEY_USAGE,
                       "the certificate of %s is not for signatures (keyUsage)", peer->subject);
}

/* --- The root of trust -------------------------------------------------------------------------------- */

static int decode_base64url(const char *text, uint8_t *ret, size_t size, size_t *ret_length) {
    char padded[64];
    size_t length = strlen(text);

    if (length == 0 || length + 3 >= sizeof(padded))
        return -EINVAL;
    for (size_t i = 0; i < length; i++)
        padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    while (length % 4 != 0)
        padded[length++] = '=';
    return base64_decode(padded, length, ret, size, ret_length);
}

int peer_root_parse(const char *text, struct peer_root *ret) {
    static const struct {
        const char *name;
        size_t length;
    } algorithms[] = {{"sha-256;", 32}, {"sha-256-128;", 16}, {"sha-256-120;", 15}};
    struct peer_root root = {0};

    if (strlen(text) == 2 * PEER_DIGEST_MAX &&
        hex_decode(text, root.digest, sizeof(root.digest), &root.length) == 0) {
        *ret = root;
        return 0;
    }
    if (strncmp(text, "ni://", 5) == 0) {
        text = strchr(text + 5, '/');
        if (!text)
            return -EINVAL;
        text++;
    }
    for (size_t i = 0; i < ELEMENTS(algorithms); i++) {
        size_t length = strlen(algorithms[i].name);

        if (strncmp(text, algorithms[i].name, length) != 0)
            continue;
        if (decode_base64url(text + length, root.digest, sizeof(root.digest), &root.length) < 0 ||
            root.length != algorithms[i].length)
            return -EINVAL;
        *ret = root;
        return 0;
    }
    return -EINVAL;
}

bool peer_has_root(const struct peer_expectation *expected, X509 *certificate) {
    unsigned char *spki = NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    bool found = false;

    if (length > 0 && EVP_Digest(spki, (size_t)length, digest, NULL, EVP_sha256(), NULL) == 1)
        for (size_t i = 0; i < expected->roots_count; i++)
            found |= expected->roots[i].length > 0 &&
                     expected->roots[i].length <= PEER_DIGEST_MAX &&
                     memcmp(expected->roots[i].digest, digest, expected->roots[i].length) == 0;
    OPENSSL_free(spki);
    return found;
}

static int check_root(struct peer_case *peer, STACK_OF(X509) * chain) {
    if (peer->expected->roots_count == 0)
        return 0;
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (peer_has_root(peer->expected, sk_X509_value(chain, i)))
            return 0;
    return failure_set(peer->failure, PEER_E_ROOT,
                       "no key in the chain of %s is the root of trust that is expected",
                       peer->subject);
}

/* --- The kinds of certificates ------------------------------------------------------------------------ */

static bool is_self_signed(X509 *certificate) {
    return X509_self_signed(certificate, 1) == 1;
}

/* No name and no chain: the key is who it is. */
static int verify_raw_key(struct peer_case *peer) {
    int r;

    if (!peer_has_root(peer->expected, peer->leaf))
        return failure_set(peer->failure, PEER_E_ROOT,
                           "the public key of %s is not the one that is expected", peer->subject);
    r = peer_check_dates(peer, peer->leaf);
    return r == 0 ? check_usage(peer) : r;
}

/* The draft's rule: name and root of trust of a self-signed certificate are the same thing (8.1.1.2.2). */
static int verify_self_signed(struct peer_case *peer) {
    struct peer_root name;
    int r;

    if (!peer->expected->name || peer_root_parse(peer->expected->name, &name) < 0 ||
        peer->expected->roots_count == 0 || name.length != peer->expected->roots[0].length ||
        memcmp(name.digest, peer->expected->roots[0].digest, name.length) != 0)
        return failure_set(peer->failure, PEER_E_NAME,
                           "the certificate of %s is self-signed, and the name that is expected "
                           "is not the digest of its key",
                           peer->subject);
    r = verify_raw_key(peer);
    return r == 0 ? peer_check_name(peer) : r;
}

static int verify_chain(struct peer_case *peer, const uint8_t *ocsp, size_t ocsp_length) {
    STACK_OF(X509) *chain = NULL;
    int r;

    r = peer_check_chain(peer, &chain);
    if (r == 0)
        r = check_usage(peer);
    if (r == 0)
        r = check_root(peer, chain);
    if (r == 0)
        r = peer_check_name(peer);
    if (r == 0 && ocsp)
        r = peer_check_ocsp(peer, chain, ocsp, ocsp_length);
    else if (r == 0 && peer->expected->ocsp_required)
        r = failure_set(peer->failure, PEER_E_STATUS,
                        "%s staples no OCSP response, and the profile wants one", peer->subject);
    sk_X509_pop_free(chain, X509_free);
    return r;
}

int peer_verify(const struct peer_expectation *expected, struct x509_st *leaf,
                struct stack_st_X509 *chain, const uint8_t *ocsp, size_t ocsp_length, int64_t now,
                struct failure *failure) {
    struct peer_case peer = {
        .expected = expected, .leaf = leaf, .chain = chain, .now = now, .failure = failure};
    int r;

    peer_subject(leaf, peer.subject, sizeof(peer.subject));
    if (chain && sk_X509_num(chain) > (int)PEER_CHAIN_MAX)
        return failure_set(failure, PEER_E_MALFORMED, "%s sends more than %u certificates",
                           peer.subject, PEER_CHAIN_MAX);
    r = check_key(&peer);
    if (r != 0)
        return r;
    if (expected->flavour == PEER_RAW_PUBLIC_KEY)
        return verify_raw_key(&peer);
    if (expected->flavour == PEER_NAMED && is_self_signed(leaf))
        return verify_self_signed(&peer);
    return verify_chain(&peer, ocsp, ocsp_length);
}

int peer_certificate_check(const char *pem, int64_t now, struct failure *failure) {
    struct peer_case peer = {.now = now, .failure = failure};
    BIO *bio = BIO_new_mem_buf(pem, -1);
    int r;

    peer.leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!peer.leaf)
        return failure_set(failure, -EINVAL, "it is no PEM certificate");
    peer_subject(peer.leaf, peer.subject, sizeof(peer.subject));
    r = check_key(&peer);
    if (r == 0)
        r = peer_check_dates(&peer, peer.leaf);
    X509_free(peer.leaf);
    return r;
}
