/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A certificate of any octets, its chain, a stapled OCSP response and the name that is expected, in parts: N and the name, F and
 * the flavour's number, C and a certificate (the first is the leaf), O and a response, R to trust the last one's key.
 *
 * Verified as it came, and again with its extensions and subject as they are but signed by a known authority, so that the
 * names of every flavour are looked at behind a good signature. It is accepted, or refused with a named outcome and one
 * printable line; it is accepted for no name at all never, and with one name in it not for another.
 */

#include "fuzz-certificate.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "peer-certificate.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CERTIFICATES_MAX 10

struct scene {
    struct peer_expectation expected;
    char name[PEER_NAME_MAX + 2];
    X509 *leaf;
    STACK_OF(X509) * chain;
    const uint8_t *ocsp;
    size_t ocsp_length;
};

/* --- From the input ------------------------------------------------------------------------------------- */

static void trust(struct scene *scene, X509 *certificate) {
    struct peer_root *root = &scene->expected.roots[0];
    unsigned char *spki = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);

    root->length = PEER_DIGEST_MAX;
    if (length > 0)
        check(EVP_Digest(spki, (size_t)length, root->digest, NULL, EVP_sha256(), NULL) == 1);
    scene->expected.roots_count = length > 0;
    OPENSSL_free(spki);
}

static void take_certificate(struct scene *scene, const uint8_t *octets, size_t length) {
    X509 *certificate = NULL;

    if (sk_X509_num(scene->chain) < CERTIFICATES_MAX)
        certificate = d2i_X509(NULL, &octets, (long)length);
    if (!certificate)
        return;
    check(sk_X509_push(scene->chain, certificate) > 0);
    if (!scene->leaf)
        scene->leaf = certificate;
}

static void take(struct scene *scene, const uint8_t *data, size_t size) {
    struct input input = {data, size};
    const uint8_t *octets;
    size_t length;
    uint8_t kind;

    while (next_part(&input, &kind, &octets, &length))
        if (kind == 'N')
            (void)snprintf(scene->name, sizeof(scene->name) - 1, "%.*s", (int)length,
                           (const char *)octets);
        else if (kind == 'F' && length > 0)
            scene->expected.flavour = (enum peer_flavour)(octets[0] % (PEER_NAMED + 1));
        else if (kind == 'C')
            take_certificate(scene, octets, length);
        else if (kind == 'R' && sk_X509_num(scene->chain) > 0)
            trust(scene, sk_X509_value(scene->chain, sk_X509_num(scene->chain) - 1));
        else if (kind == 'O') {
            scene->ocsp = octets;
            scene->ocsp_length = length;
        }
}

/* --- What must hold ---------------------------------------------------------------------------------------- */

static int verify(const struct scene *scene) {
    struct failure failure = {0};
    int r = peer_verify(&scene->expected, scene->leaf, scene->chain, scene->ocsp,
                        scene->ocsp_length, NOW, &failure);

    check(ERR_peek_error() == 0 && failure.code == r);
    check(r == 0 || (r >= PEER_E_EXPIRED && r <= PEER_E_MALFORMED));
    check((r == 0) == (failure.text[0] == '\0'));
    for (const char *p = failure.text; *p; p++)
        check(*p >= 0x20 && *p <= 0x7e);
    return r;
}

/* A certificate may have the other name, too. */
static bool has_several_names(X509 *certificate) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(names);

    GENERAL_NAMES_free(names);
    return count > 1 || X509_NAME_entry_count(X509_get_subject_name(certificate)) > 0;
}

/* Whoever is accepted is so for his name: not for none, and with one name not for another. */
static void check_name_counts(struct scene *scene) {
    size_t length = strlen(scene->name);
    int again;

    if (scene->expected.flavour == PEER_RAW_PUBLIC_KEY)
        return;
    check(length > 0);
    scene->name[0] ^= 0x01;
    again = verify(scene);
    scene->name[0] ^= 0x01;
    check(again != 0 || has_several_names(scene->leaf));
    scene->expected.name = "";
    check(verify(scene) == PEER_E_NAME);
    scene->expected.name = scene->name;
}

static void check_as_it_came(const struct scene *scene) {
    char text[CERTIFICATE_CHAIN_MAX];
    struct failure failure = {0};
    BIO *bio = BIO_new(BIO_s_mem());
    int n, r;

    (void)verify(scene);
    n = PEM_write_bio_X509(bio, scene->leaf) == 1 ? BIO_read(bio, text, sizeof(text) - 1) : 0;
    BIO_free(bio);
    ERR_clear_error();
    if (n <= 0)
        return;
    text[n] = '\0';
    r = peer_certificate_check(text, NOW, &failure);
    check(failure.code == r && ERR_peek_error() == 0);
}

static void check_signed_again(struct scene *scene) {
    const struct authority *by = authority();
    bool ok = sign_again(scene->leaf, by->leaf_key);

    ERR_clear_error();
    if (!ok)
        return;
    check(X509_up_ref(by->certificate) == 1 && sk_X509_push(scene->chain, by->certificate) > 0);
    trust(scene, scene->expected.flavour == PEER_RAW_PUBLIC_KEY ? scene->leaf : by->certificate);
    if (verify(scene) == 0)
        check_name_counts(scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct scene scene = {.chain = sk_X509_new_null()};

    check(scene.chain != NULL);
    take(&scene, data, size);
    ERR_clear_error();
    scene.expected.name = scene.name;
    if (scene.leaf) {
        check_as_it_came(&scene);
        check_signed_again(&scene);
    }
    sk_X509_pop_free(scene.chain, X509_free);
    return 0;
}
