/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An authority, what it issued, and whom one expects; and that a verification says yes, or no with words.
 */

#include "certificates.h"

#include <openssl/err.h>

#define MEF "mef.example.com"

/* The MEF's certificate, with faults; and the same with another keyUsage. */
#define LEAF(...) \
    (&(const struct wish){.subject = "the MEF", .names = "DNS:" MEF, .usage = LEAF_USAGE __VA_OPT__(,) __VA_ARGS__})
#define LEAF_FOR(use) (&(const struct wish){.subject = "the MEF", .names = "DNS:" MEF, .usage = use})

struct scene {
    struct identity root, leaf;
    X509 *others[PEER_CHAIN_MAX + 2]; /* what comes along, up to NULL */
    char anchors[PATH_SIZE], crl[PATH_SIZE];
    struct peer_expectation expected;
    unsigned char *ocsp; /* made by make_ocsp() */
    size_t ocsp_length;
};

/* @root_wish is that of the authority; MEF is expected, and the authority trusted by a file in @directory. */
static inline struct scene scene_new(const char *directory, const struct wish *root_wish,
                                     const struct wish *leaf_wish) {
    struct scene scene = {.root = make(root_wish, NULL)};

    scene.leaf = make(leaf_wish, &scene.root);
    (void)write_anchor(directory, &scene.root, scene.anchors);
    (void)path_in(directory, "crl.pem", scene.crl);
    (void)unlink(scene.crl);
    scene.expected.flavour = PEER_FQDN;
    scene.expected.name = MEF;
    return scene;
}

static inline struct scene scene_of(const char *directory, const struct wish *leaf_wish) {
    return scene_new(directory, AUTHORITY("the authority"), leaf_wish);
}

/* A certificate that signed itself and comes alone. */
static inline struct scene scene_self(const struct wish *wish) {
    struct scene scene = {.leaf = make(wish, NULL)};

    scene.expected.flavour = PEER_RAW_PUBLIC_KEY;
    scene.expected.roots[0] = root_of(scene.leaf.certificate, 32);
    scene.expected.roots_count = 1;
    return scene;
}

static inline void scene_done(struct scene *scene) {
    identity_done(&scene->root);
    identity_done(&scene->leaf);
    OPENSSL_free(scene->ocsp);
}

#define _cleanup_scene_ _cleanup_(scene_done)

/* Nobody's file is trusted but the key of @root, whose certificate comes along. */
static inline void pin(struct scene *scene, X509 *root) {
    scene->anchors[0] = '\0';
    scene->expected.roots[0] = root_of(root, 32);
    scene->expected.roots_count = 1;
    scene->others[0] = root;
}

static inline int verify(const struct scene *scene, struct failure *failure) {
    struct peer_expectation expected = scene->expected;
    STACK_OF(X509) *chain = sk_X509_new_null();
    int r;

    expected.trust_anchors = scene->anchors;
    for (size_t i = 0; scene->others[i]; i++)
        assert_true(sk_X509_push(chain, scene->others[i]) > 0);
    *failure = (struct failure){0};
    r = peer_verify(&expected, scene->leaf.certificate, chain, scene->ocsp, scene->ocsp_length, NOW,
                    failure);
    sk_X509_free(chain);
    assert_int_equal(failure->code, r);
    assert_true(ERR_peek_error() == 0);
    return r;
}

static inline void accepted(const struct scene *scene) {
    struct failure failure;

    if (verify(scene, &failure) != 0)
        fail_msg("%d: %s", failure.code, failure.text);
}

/* With @subject, @found and @expected in its text, and nothing in it that a message would end by. */
static inline void refused(const struct scene *scene, int code, const char *subject,
                           const char *found, const char *expected) {
    struct failure failure;

    if (verify(scene, &failure) != code)
        fail_msg("%d: %s", failure.code, failure.text);
    assert_contains(failure.text, subject);
    assert_contains(failure.text, found);
    assert_contains(failure.text, expected);
    assert_lacks(failure.text, ";");
}
