/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who was revoked, by CRL and by a stapled OCSP response; that neither is taken from anybody but the authority, nor when it is
 * old; and what is said where one is asked for and none is there. Our own certificate, before it is presented.
 */

#include "peer-scene.h"

#include <errno.h>

/* --- CRLs ----------------------------------------------------------------------------------------------- */

static void add_crl(void **state, struct scene *scene, const struct identity *issuer, X509 *revoked,
                    long from, long to) {
    append_crl(*state, "crl.pem", issuer, revoked, from, to);
    scene->expected.crl = scene->crl;
}

static void who_is_on_no_crl_is_accepted(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    add_crl(state, &scene, &scene.root, NULL, -HOUR, HOUR);
    accepted(&scene);
}

static void who_is_on_a_crl_is_refused(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    add_crl(state, &scene, &scene.root, scene.leaf.certificate, -HOUR, HOUR);
    refused(&scene, PEER_E_REVOKED, "CN = the MEF", "revoked", "");
}

static void an_authority_on_a_crl_takes_its_certificates_along(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity middle = make(AUTHORITY("the middle"), &scene.root);

    identity_done(&scene.leaf);
    scene.leaf = make(LEAF(), &middle);
    scene.others[0] = middle.certificate;
    add_crl(state, &scene, &middle, NULL, -HOUR, HOUR);
    refused(&scene, PEER_E_STATUS, "CN = the middle", "unable to get certificate CRL", "");
    add_crl(state, &scene, &scene.root, middle.certificate, -HOUR, HOUR);
    refused(&scene, PEER_E_REVOKED, "CN = the middle", "revoked", "");
}

/* Of a pinned authority the one above it is not known, nor is its CRL. */
static void nobody_has_to_vouch_for_a_root_of_trust(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity middle = make(AUTHORITY("the middle"), &scene.root);

    identity_done(&scene.leaf);
    scene.leaf = make(LEAF(), &middle);
    pin(&scene, middle.certificate);
    add_crl(state, &scene, &middle, NULL, -HOUR, HOUR);
    accepted(&scene);
    add_crl(state, &scene, &middle, scene.leaf.certificate, -HOUR + 60, HOUR);
    refused(&scene, PEER_E_REVOKED, "CN = the MEF", "revoked", "");
}

static void a_crl_that_is_not_current_says_nothing(void **state) {
    _cleanup_scene_ struct scene old = scene_of(*state, LEAF());

    add_crl(state, &old, &old.root, NULL, -2 * HOUR, -HOUR);
    refused(&old, PEER_E_STATUS, "CN = the MEF", "CRL has expired", "");
    (void)unlink(old.crl);
    add_crl(state, &old, &old.root, NULL, HOUR, 2 * HOUR);
    refused(&old, PEER_E_STATUS, "CN = the MEF", "CRL is not yet valid", "");
}

static void a_crl_of_somebody_else_says_nothing(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity other = make(AUTHORITY("another"), NULL);
    _cleanup_identity_ struct identity forger = make(AUTHORITY("the authority"), NULL);

    add_crl(state, &scene, &other, NULL, -HOUR, HOUR);
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "unable to get certificate CRL", "");
    add_crl(state, &scene, &forger, NULL, -HOUR, HOUR);
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "CRL signature failure", "");
}

static void crls_that_cannot_be_read_are_missing(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    scene.expected.crl = scene.crl; /* no file */
    refused(&scene, PEER_E_STATUS, "crl.pem", "no CRL can be read", "");
    write_file(*state, "crl.pem", "nothing\n");
    refused(&scene, PEER_E_STATUS, "crl.pem", "no CRL can be read", "");
}

/* --- OCSP ------------------------------------------------------------------------------------------------ */

#define GOOD \
    (&(const struct ocsp_wish){.status = V_OCSP_CERTSTATUS_GOOD, .from = -HOUR, .to = HOUR})

static void staple(struct scene *scene, const struct ocsp_wish *wish,
                   const struct identity *signer) {
    OPENSSL_free(scene->ocsp);
    scene->ocsp = make_ocsp(wish, scene->leaf.certificate, scene->root.certificate, signer,
                            &scene->ocsp_length);
    scene->expected.ocsp_required = true;
}

static void a_good_response_is_accepted(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    const struct ocsp_wish sha_256 = {.from = -HOUR, .to = HOUR, .id_digest = EVP_sha256()};

    staple(&scene, GOOD, &scene.root);
    accepted(&scene);
    staple(&scene, &sha_256, &scene.root);
    accepted(&scene);
    scene.expected.ocsp_required = false;
    accepted(&scene);
}

static void a_response_that_is_missing_is_missed_where_one_is_asked_for(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_scene_ struct scene raw = scene_self(LEAF());

    scene.expected.ocsp_required = true;
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "no OCSP response", "wants one");
    raw.expected.ocsp_required = true;
    refused(&raw, PEER_E_STATUS, "CN = the MEF", "no OCSP response", "wants one");
}

/* Also where none was asked for: what comes is looked at. */
static void what_a_response_says_counts(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    const struct ocsp_wish revoked = {V_OCSP_CERTSTATUS_REVOKED, -HOUR, HOUR, NULL, NULL};
    const struct ocsp_wish unknown = {V_OCSP_CERTSTATUS_UNKNOWN, -HOUR, HOUR, NULL, NULL};

    staple(&scene, &revoked, &scene.root);
    scene.expected.ocsp_required = false;
    refused(&scene, PEER_E_REVOKED, "CN = the MEF", "revoked, says OCSP", "");
    staple(&scene, &unknown, &scene.root);
    scene.expected.ocsp_required = false;
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "\"unknown\"", "\"good\" is expected");
}

static void a_response_has_its_time(void **state) {
    static const struct {
        long from, to;
        bool current;
    } cases[] = {
        {-2 * HOUR, -HOUR, false},
        {HOUR, 2 * HOUR, false},
        {-HOUR, -OCSP_SKEW_SEC + 5, true},
        {OCSP_SKEW_SEC - 5, HOUR, true},
        {-HOUR, -OCSP_SKEW_SEC - 5, false},
        {OCSP_SKEW_SEC + 5, HOUR, false},
        {-HOUR, 0, true}, /* no nextUpdate */
        {-OCSP_AGE_MAX_SEC - 5, 0, false},
    };
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        staple(&scene, &(const struct ocsp_wish){.from = cases[i].from, .to = cases[i].to},
               &scene.root);
        if (cases[i].current)
            accepted(&scene);
        else
            refused(&scene, PEER_E_STATUS, "CN = the MEF", "out of date", "\"good\" is expected");
    }
}

static void a_response_of_another_certificate_is_none(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity other = make(LEAF(), &scene.root);

    scene.ocsp =
        make_ocsp(GOOD, other.certificate, scene.root.certificate, &scene.root, &scene.ocsp_length);
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "of another certificate", "is expected");
}

static void the_authority_may_have_somebody_answer(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity responder =
        make(&(const struct wish){.subject = "responder", .extended = "OCSPSigning"}, &scene.root);
    _cleanup_identity_ struct identity wide = make(
        &(const struct wish){.subject = "responder", .extended = "OCSPSigning", .curve = "P-384"},
        &scene.root);
    _cleanup_identity_ struct identity old = make(
        &(const struct wish){
            .subject = "responder", .extended = "OCSPSigning", .from = -DAY, .to = -HOUR},
        &scene.root);

    staple(&scene, GOOD, &responder);
    accepted(&scene);
    staple(&scene, GOOD, &wide);
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "P-256", "is expected");
    staple(&scene, GOOD, &old);
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "not signed by its authority", "is expected");
}

/* The leaf about itself, another certificate of the same authority, another authority, a weak digest. */
static void nobody_else_may_answer(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity other = make(LEAF(), &scene.root);
    _cleanup_identity_ struct identity stranger = make(AUTHORITY("the authority"), NULL);
    const struct identity *const signers[] = {&scene.leaf, &other, &stranger};

    for (size_t i = 0; i < ELEMENTS(signers); i++) {
        staple(&scene, GOOD, signers[i]);
        refused(&scene, PEER_E_STATUS, "CN = the MEF", "not signed by its authority",
                "\"good\" is expected");
    }
    staple(&scene, &(const struct ocsp_wish){.from = -HOUR, .to = HOUR, .digest = EVP_sha1()},
           &scene.root);
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "SHA-256", "is expected");
}

static void a_response_that_cannot_be_read_is_none(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    unsigned char *whole;
    size_t length;

    staple(&scene, GOOD, &scene.root);
    whole = scene.ocsp;
    length = scene.ocsp_length;
    for (scene.ocsp_length = 0; scene.ocsp_length < length; scene.ocsp_length += 7)
        refused(&scene, PEER_E_STATUS, "CN = the MEF", "cannot be read", "is expected");
    scene.ocsp = calloc(1, OCSP_RESPONSE_MAX + 1);
    assert_non_null(scene.ocsp);
    memcpy(scene.ocsp, whole, length);
    scene.ocsp_length = length + 1; /* something after it */
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "cannot be read", "is expected");
    scene.ocsp_length = OCSP_RESPONSE_MAX + 1;
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "cannot be read", "is expected");
    free(scene.ocsp);
    scene.ocsp = whole;
}

static void a_responder_that_cannot_now_is_none(void **state) {
    static unsigned char try_later[] = {0x30, 0x03, 0x0a, 0x01, 0x03};
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    scene.ocsp = try_later;
    scene.ocsp_length = sizeof(try_later);
    refused(&scene, PEER_E_STATUS, "CN = the MEF", "cannot be read", "is expected");
    scene.ocsp = NULL;
}

/* --- Our own ------------------------------------------------------------------------------------------------ */

static int check_own(const struct wish *wish, struct failure *failure) {
    _cleanup_identity_ struct identity own = make(wish, NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    char text[4096];
    int n, r;

    assert_int_equal(PEM_write_bio_X509(bio, own.certificate), 1);
    n = BIO_read(bio, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    BIO_free(bio);
    *failure = (struct failure){0};
    r = peer_certificate_check(text, NOW, failure);
    assert_int_equal(failure->code, r);
    assert_true(ERR_peek_error() == 0);
    return r;
}

static void our_own_certificate_is_looked_at_first(_unused_ void **state) {
    struct failure failure;

    assert_int_equal(check_own(LEAF(), &failure), 0);
    assert_int_equal(check_own(LEAF_FOR(NULL), &failure), 0);
    assert_int_equal(check_own(LEAF(.from = -DAY, .to = -HOUR), &failure), PEER_E_EXPIRED);
    assert_contains(failure.text, "CN = the MEF expired on 2027-01-15T07:00:00Z");
    assert_int_equal(check_own(LEAF(.from = HOUR, .to = DAY), &failure), PEER_E_NOT_YET);
    assert_contains(failure.text, "not valid before");
    assert_int_equal(check_own(LEAF(.curve = "RSA"), &failure), PEER_E_KEY);
    assert_contains(failure.text, "P-256 is expected");
    assert_int_equal(check_own(LEAF_FOR("keyAgreement"), &failure), PEER_E_KEY_USAGE);
    assert_contains(failure.text, "digitalSignature is expected");
}

static void what_is_no_certificate_is_told(_unused_ void **state) {
    static const char *const texts[] = {
        "", "nothing", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        struct failure failure = {0};

        assert_int_equal(peer_certificate_check(texts[i], NOW, &failure), -EINVAL);
        assert_contains(failure.text, "no PEM certificate");
        assert_true(ERR_peek_error() == 0);
    }
}

/* --- Digests -------------------------------------------------------------------------------------------------- */

static void digests_are_read_in_each_of_their_forms(_unused_ void **state) {
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"ni:///sha-256;UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-Q", 32},
        {"ni://example.com/sha-256;UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-Q", 32},
        {"sha-256;UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-Q", 32},
        {"sha-256-128;UyaQV-Ev4rdLoHyJJWCi1w", 16},
        {"sha-256-120;UyaQV-Ev4rdLoHyJJWCi", 15},
        {"53269057e12fe2b74ba07c892560a2d753877eb62ff44d5a19002530ed97ffe4", 32},
        {"53269057E12FE2B74BA07C892560A2D753877EB62FF44D5A19002530ED97FFE4", 32},
    };
    static const uint8_t digest[] = {0x53, 0x26, 0x90, 0x57, 0xe1, 0x2f, 0xe2, 0xb7,
                                     0x4b, 0xa0, 0x7c, 0x89, 0x25, 0x60, 0xa2};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct peer_root root;

        assert_int_equal(peer_root_parse(cases[i].text, &root), 0);
        assert_int_equal(root.length, cases[i].length);
        assert_memory_equal(root.digest, digest, sizeof(digest));
    }
}

static void what_is_no_digest_is_refused(_unused_ void **state) {
    static const char *const texts[] = {
        "",
        "ni://",
        "ni:///",
        "sha-256;",
        "sha-1;UyaQV-Ev4rdLoHyJJWCi11OHfrY",
        "sha-256;UyaQV-Ev4rdLoHyJJWCi1w",
        "sha-256-128;UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-Q",
        "sha-256-128;UyaQV-Ev4rdLoHyJJWCi1w==",
        "sha-256-128;UyaQV+Ev4rdLoHyJJWCi1w",
        "sha-256-128;UyaQV-Ev4rdLoHyJJWCi1x",
        "53269057e12fe2b74ba07c892560a2d753877eb62ff44d5a19002530ed97ffg4",
        "53269057e12fe2b74ba07c892560a2d7",
        "ni:///sha-256;UyaQV-Ev4rdLoHyJJWCi11OHfrYv9E1aGQAlMO2X_-Q?ct=x",
        ("sha-256;"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    };

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        struct peer_root root = {.length = 77};

        assert_int_equal(peer_root_parse(texts[i], &root), -EINVAL);
        assert_int_equal(root.length, 77);
    }
}

#define TEST(name) cmocka_unit_test(name)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(who_is_on_no_crl_is_accepted),
        TEST(who_is_on_a_crl_is_refused),
        TEST(an_authority_on_a_crl_takes_its_certificates_along),
        TEST(nobody_has_to_vouch_for_a_root_of_trust),
        TEST(a_crl_that_is_not_current_says_nothing),
        TEST(a_crl_of_somebody_else_says_nothing),
        TEST(crls_that_cannot_be_read_are_missing),
        TEST(a_good_response_is_accepted),
        TEST(a_response_that_is_missing_is_missed_where_one_is_asked_for),
        TEST(what_a_response_says_counts),
        TEST(a_response_has_its_time),
        TEST(a_response_of_another_certificate_is_none),
        TEST(the_authority_may_have_somebody_answer),
        TEST(nobody_else_may_answer),
        TEST(a_response_that_cannot_be_read_is_none),
        TEST(a_responder_that_cannot_now_is_none),
        TEST(our_own_certificate_is_looked_at_first),
        TEST(what_is_no_certificate_is_told),
        TEST(digests_are_read_in_each_of_their_forms),
        TEST(what_is_no_digest_is_refused),
    };

    return cmocka_run_group_tests(tests, setup_directory, teardown_directory);
}
