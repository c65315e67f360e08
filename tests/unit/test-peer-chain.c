/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a certificate must have behind it: keys, dates, an authority, constraints, uses; the roots of trust of RFC 6920 and of the
 * draft. Each thing that can be wrong is an outcome of its own, with the subject, what was found and what was expected.
 */

#include "peer-scene.h"

/* The MEF's certificate with a fault is refused so. */
static void refused_as(void **state, const struct wish *wish, int code, const char *found,
                       const char *expected) {
    _cleanup_scene_ struct scene scene = scene_of(*state, wish);

    refused(&scene, code, "CN = the MEF", found, expected);
}

/* --- Keys and signatures -------------------------------------------------------------------------------- */

static void a_certificate_of_a_trusted_authority_is_accepted(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    accepted(&scene);
}

static void only_keys_of_p_256_are_accepted(void **state) {
    refused_as(state, LEAF(.curve = "P-384"), PEER_E_KEY, "secp384r1", "P-256 is expected");
    refused_as(state, LEAF(.curve = "secp256k1"), PEER_E_KEY, "secp256k1", "P-256 is expected");
    refused_as(state, LEAF(.curve = "RSA"), PEER_E_KEY, "no EC key", "P-256 is expected");
    refused_as(state, LEAF(.curve = "ED25519"), PEER_E_KEY, "no EC key", "P-256 is expected");
    refused_as(state, LEAF(.compressed = true), PEER_E_KEY, "compressed", "P-256 is expected");
    refused_as(state, LEAF(.explicit_curve = true), PEER_E_KEY, "without a name", "P-256");
}

static void an_authority_of_another_kind_of_key_is_refused(void **state) {
    static const struct {
        const char *curve, *subject, *found;
    } cases[] = {{"P-384", "CN = an old authority", "secp384r1, and P-256"},
                 {"RSA", "CN = the MEF", "signed by RSA-SHA256"}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_scene_ struct scene scene =
            scene_new(*state,
                      &(const struct wish){.subject = "an old authority",
                                           .basic = "CA:TRUE",
                                           .usage = CA_USAGE,
                                           .curve = cases[i].curve},
                      LEAF());

        refused(&scene, PEER_E_KEY, cases[i].subject, cases[i].found, "is expected");
    }
}

static void a_signature_by_another_digest_is_refused(void **state) {
    refused_as(state, LEAF(.digest = EVP_sha384()), PEER_E_KEY, "ecdsa-with-SHA384",
               "ecdsa-with-SHA256 is expected");
    refused_as(state, LEAF(.digest = EVP_sha1()), PEER_E_KEY, "ecdsa-with-SHA1",
               "ecdsa-with-SHA256 is expected");
}

/* Nobody reads an anchor's own signature; the operator put it there. */
static void an_anchor_may_have_signed_itself_as_it_likes(void **state) {
    _cleanup_scene_ struct scene scene = scene_new(
        *state,
        &(const struct wish){
            .subject = "x", .basic = "CA:TRUE", .usage = CA_USAGE, .digest = EVP_sha384()},
        LEAF());

    accepted(&scene);
}

static void a_changed_certificate_is_refused(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    const ASN1_BIT_STRING *signature;

    X509_get0_signature(&signature, NULL, scene.leaf.certificate);
    signature->data[signature->length - 1] ^= 1;
    refused(&scene, PEER_E_UNTRUSTED, "CN = the MEF", "signature failure", "");
}

/* --- Dates ---------------------------------------------------------------------------------------------- */

static void dates_are_held_against_now(void **state) {
    refused_as(state, LEAF(.from = -2 * DAY, .to = -HOUR), PEER_E_EXPIRED,
               "expired on 2027-01-15T07:00:00Z", "now it is 2027-01-15T08:00:00Z");
    refused_as(state, LEAF(.from = -DAY, .to = 0), PEER_E_EXPIRED, "2027-01-15T08:00:00Z", "now");
    refused_as(state, LEAF(.from = HOUR, .to = DAY), PEER_E_NOT_YET,
               "not valid before 2027-01-15T09:00:00Z", "now it is 2027-01-15T08:00:00Z");
}

static void an_authority_that_is_over_is_named(void **state) {
    _cleanup_scene_ struct scene scene = scene_new(*state,
                                                   &(const struct wish){.subject = "the old one",
                                                                        .basic = "CA:TRUE",
                                                                        .usage = CA_USAGE,
                                                                        .from = -2 * DAY,
                                                                        .to = -DAY},
                                                   LEAF());

    refused(&scene, PEER_E_EXPIRED, "CN = the old one", "expired on 2027-01-14", "now it is");
}

/* --- Authorities ------------------------------------------------------------------------------------------ */

static void a_certificate_of_a_stranger_is_refused(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity other = make(AUTHORITY("the other one"), NULL);

    (void)write_anchor(*state, &other, scene.anchors);
    refused(&scene, PEER_E_UNTRUSTED, "CN = the MEF", "issued by CN = the authority",
            "anchors.pem is expected");
    scene.others[0] = scene.root.certificate; /* he may say who he is */
    refused(&scene, PEER_E_UNTRUSTED, "CN = the authority", "issued by CN = the authority",
            "anchors.pem is expected");
}

/* Same name, another key. */
static void an_authority_is_not_its_name(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity other = make(AUTHORITY("the authority"), NULL);

    (void)write_anchor(*state, &other, scene.anchors);
    refused(&scene, PEER_E_UNTRUSTED, "CN = the MEF", "signature failure", "");
}

static void a_self_signed_certificate_is_nobodys_word(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    identity_done(&scene.leaf);
    scene.leaf = make(LEAF(), NULL);
    refused(&scene, PEER_E_UNTRUSTED, "CN = the MEF", "issued by CN = the MEF", "expected");
}

static void anchors_that_cannot_be_read_trust_nobody(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    (void)path_in(*state, "not-there.pem", scene.anchors);
    refused(&scene, PEER_E_UNTRUSTED, "not-there.pem", "", "");
    scene.anchors[0] = '\0';
    refused(&scene, PEER_E_UNTRUSTED, "CN = the MEF", "issued by CN = the authority",
            "this system's");
    scene.expected.flavour = PEER_CSE_ID;
    refused(&scene, PEER_E_UNTRUSTED, "CN = the MEF", "nobody is named", "is expected");
}

static void an_intermediate_authority_comes_along(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity middle = make(AUTHORITY("the middle"), &scene.root);

    identity_done(&scene.leaf);
    scene.leaf = make(LEAF(), &middle);
    refused(&scene, PEER_E_UNTRUSTED, "CN = the MEF", "issued by CN = the middle", "expected");
    scene.others[0] = scene.leaf.certificate;
    scene.others[1] = middle.certificate;
    accepted(&scene);
}

static void a_certificate_that_is_no_authoritys_issues_nothing(void **state) {
    static const struct wish middles[] = {
        {.subject = "a gateway", .usage = LEAF_USAGE, .basic = "CA:FALSE"},
        {.subject = "a gateway", .usage = CA_USAGE, .basic = "CA:FALSE"},
        {.subject = "a gateway", .usage = LEAF_USAGE, .basic = "CA:TRUE"},
        {.subject = "a gateway", .usage = CA_USAGE},
    };

    for (size_t i = 0; i < ELEMENTS(middles); i++) {
        _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
        _cleanup_identity_ struct identity middle = make(&middles[i], &scene.root);
        struct failure failure;

        identity_done(&scene.leaf);
        scene.leaf = make(LEAF(), &middle);
        scene.others[0] = middle.certificate;
        assert_int_equal(verify(&scene, &failure), PEER_E_KEY_USAGE);
        assert_contains(failure.text, "CN = ");
    }
}

static void a_path_longer_than_its_authority_allows_is_refused(void **state) {
    _cleanup_scene_ struct scene scene =
        scene_new(*state,
                  &(const struct wish){
                      .subject = "the authority", .usage = CA_USAGE, .basic = "CA:TRUE,pathlen:0"},
                  LEAF());
    _cleanup_identity_ struct identity middle = make(AUTHORITY("the middle"), &scene.root);

    accepted(&scene);
    identity_done(&scene.leaf);
    scene.leaf = make(LEAF(), &middle);
    scene.others[0] = middle.certificate;
    refused(&scene, PEER_E_KEY_USAGE, "CN = the authority", "path length", "");
}

static void more_certificates_than_a_chain_has_are_refused(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    for (size_t i = 0; i < PEER_CHAIN_MAX; i++)
        scene.others[i] = scene.root.certificate;
    accepted(&scene);
    scene.others[PEER_CHAIN_MAX] = scene.root.certificate;
    refused(&scene, PEER_E_MALFORMED, "CN = the MEF", "9 certificates", "8 are expected");
}

/* --- Uses --------------------------------------------------------------------------------------------------- */

static void a_certificate_for_other_uses_is_refused(void **state) {
    refused_as(state, LEAF_FOR("keyEncipherment"), PEER_E_KEY_USAGE, "the MEF", "");
    refused_as(state, LEAF_FOR("keyAgreement"), PEER_E_KEY_USAGE, "other uses",
               "digitalSignature is expected");
    refused_as(state, LEAF_FOR(NULL), PEER_E_KEY_USAGE, "has no keyUsage",
               "digitalSignature is expected");
    refused_as(state, LEAF(.extended = "clientAuth"), PEER_E_KEY_USAGE, "purpose", "");
}

static void a_certificate_for_servers_is_accepted(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF(.extended = "serverAuth"));

    accepted(&scene);
}

/* --- Name constraints ----------------------------------------------------------------------------------------- */

static struct scene constrained(void **state, const char *constraints, const char *names,
                                enum peer_flavour flavour, const char *expected) {
    struct scene scene =
        scene_new(*state,
                  &(const struct wish){.subject = "a narrow one",
                                       .basic = "CA:TRUE",
                                       .usage = CA_USAGE,
                                       .constraints = constraints},
                  &(const struct wish){.subject = "the MEF", .names = names, .usage = LEAF_USAGE});

    scene.expected.flavour = flavour;
    scene.expected.name = expected;
    return scene;
}

static void names_within_the_constraints_are_accepted(void **state) {
    static const struct {
        const char *constraints, *names, *expected;
        enum peer_flavour flavour;
    } cases[] = {
        {"critical,permitted;DNS:example.com", "DNS:" MEF, MEF, PEER_FQDN},
        {"permitted;URI:sp.example", "URI:https://sp.example/S1", "//sp.example/S1", PEER_AE_ID},
        {"excluded;DNS:elsewhere.example", "DNS:" MEF, MEF, PEER_FQDN},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_scene_ struct scene scene = constrained(
            state, cases[i].constraints, cases[i].names, cases[i].flavour, cases[i].expected);

        accepted(&scene);
    }
}

/* Of otherName OpenSSL knows no constraints, so that nobody passes them. */
static void names_outside_the_constraints_are_refused(void **state) {
    static const struct {
        const char *constraints, *names, *expected;
        enum peer_flavour flavour;
    } cases[] = {
        {"critical,permitted;DNS:example.org", "DNS:" MEF, MEF, PEER_FQDN},
        {"permitted;DNS:example.org", "DNS:" MEF, MEF, PEER_FQDN},
        {"excluded;DNS:example.com", "DNS:" MEF, MEF, PEER_FQDN},
        {"permitted;URI:sp.example", "URI:https://other.example/S1", "//other.example/S1",
         PEER_AE_ID},
        {"permitted;otherName:0.2.481.1;UTF8:100", "otherName:0.2.481.1;UTF8:200", "0.2.481.1;200",
         PEER_DEVICE},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_scene_ struct scene scene = constrained(
            state, cases[i].constraints, cases[i].names, cases[i].flavour, cases[i].expected);

        refused(&scene, PEER_E_CONSTRAINT, "CN = the MEF", "", "");
    }
}

/* --- Roots of trust --------------------------------------------------------------------------------------------- */

static void a_root_of_trust_may_come_along(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    pin(&scene, scene.root.certificate);
    accepted(&scene);
    scene.expected.roots[1] = root_of(scene.root.certificate, 15);
    scene.expected.roots[0].digest[0] ^= 1;
    scene.expected.roots_count = 2;
    accepted(&scene);
}

static void a_root_of_trust_may_be_in_the_middle(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    _cleanup_identity_ struct identity middle = make(AUTHORITY("the middle"), &scene.root);

    identity_done(&scene.leaf);
    scene.leaf = make(LEAF(), &middle);
    pin(&scene, middle.certificate);
    accepted(&scene);
}

static void another_root_of_trust_is_refused(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());
    struct peer_root root = root_of(scene.root.certificate, 32);
    char found[PATH_SIZE];

    hex_encode(root.digest, root.length, found);
    pin(&scene, scene.root.certificate);
    memset(scene.expected.roots[0].digest, 0xab, 32);
    refused(&scene, PEER_E_ROOT, "CN = the MEF", found, "abababababababab... is expected");
    (void)write_anchor(*state, &scene.root, scene.anchors); /* trusted, and yet another */
    refused(&scene, PEER_E_ROOT, "CN = the MEF", found, "abababababababab... is expected");
}

/* A key is public: a certificate around it that its owner did not sign has whatever dates and constraints one likes. */
static void a_forged_certificate_of_the_root_is_no_root(void **state) {
    _cleanup_scene_ struct scene scene = scene_new(*state,
                                                   &(const struct wish){.subject = "the authority",
                                                                        .basic = "CA:TRUE",
                                                                        .usage = CA_USAGE,
                                                                        .from = -2 * DAY,
                                                                        .to = -DAY},
                                                   LEAF());
    _cleanup_identity_ struct identity forger = make(AUTHORITY("the authority"), NULL);
    X509 *forged = certify(AUTHORITY("the authority"), scene.root.key, &forger);

    pin(&scene, scene.root.certificate);
    refused(&scene, PEER_E_EXPIRED, "CN = the authority", "expired", "");
    scene.others[0] = forged;
    refused(&scene, PEER_E_ROOT, "CN = the MEF", "the end of the chain", "is expected");
    X509_free(forged);
}

/* Lengths that no digest has, as a damaged packet may bring, match nobody. */
static void a_root_of_no_length_is_nobodys(void **state) {
    static const size_t lengths[] = {0, 1, 14, 33};
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    pin(&scene, scene.root.certificate);
    for (size_t i = 0; i < ELEMENTS(lengths); i++) {
        scene.expected.roots[0].length = lengths[i];
        refused(&scene, PEER_E_ROOT, "CN = the MEF", "", "is expected");
    }
}

/* --- Raw public keys ------------------------------------------------------------------------------------------------ */

static void a_raw_public_key_is_its_digest(_unused_ void **state) {
    static const size_t lengths[] = {15, 16, 32};
    _cleanup_scene_ struct scene scene = scene_self(&(const struct wish){.subject = "a key"});

    for (size_t i = 0; i < ELEMENTS(lengths); i++) {
        scene.expected.roots[0] = root_of(scene.leaf.certificate, lengths[i]);
        accepted(&scene);
        scene.expected.roots[0].digest[lengths[i] - 1] ^= 1;
        refused(&scene, PEER_E_ROOT, "CN = a key", "the public key of", "is expected");
    }
}

static void a_raw_public_key_needs_neither_name_nor_authority(_unused_ void **state) {
    _cleanup_scene_ struct scene scene = scene_self(&(const struct wish){0});

    scene.expected.name = "another";
    (void)strcpy(scene.anchors, "/nonexistent");
    accepted(&scene);
}

static void a_raw_public_key_that_nobody_expects_is_refused(_unused_ void **state) {
    _cleanup_scene_ struct scene scene = scene_self(LEAF());

    scene.expected.roots_count = 0;
    refused(&scene, PEER_E_ROOT, "CN = the MEF", "the public key of", "none... is expected");
}

static void what_holds_a_raw_public_key_has_dates_and_uses(_unused_ void **state) {
    _cleanup_scene_ struct scene old = scene_self(LEAF(.from = -DAY, .to = -HOUR));
    _cleanup_scene_ struct scene other = scene_self(LEAF_FOR("keyAgreement"));
    _cleanup_scene_ struct scene wide = scene_self(LEAF(.curve = "P-384"));

    refused(&old, PEER_E_EXPIRED, "CN = the MEF", "expired on", "now it is");
    refused(&other, PEER_E_KEY_USAGE, "CN = the MEF", "other uses", "digitalSignature");
    refused(&wide, PEER_E_KEY, "CN = the MEF", "secp384r1", "P-256");
}

/* --- The draft's self-signed certificates ---------------------------------------------------------------------------- */

/* As the operator writes it: "sha-256;...". */
static void digest_name(X509 *certificate, char ret[64]) {
    const struct peer_root root = root_of(certificate, 32);
    _cleanup_free_ char *text = NULL;

    assert_int_equal(base64_encode(root.digest, root.length, &text), 0);
    for (char *p = text; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p == '=' ? '\0' : *p;
    (void)snprintf(ret, 64, "sha-256;%s", text);
}

/* A certificate whose name is the digest of its key. */
static struct scene digest_named(char name[64]) {
    struct scene scene = scene_self(&(const struct wish){.subject = "x"});
    X509 *certificate;

    digest_name(scene.leaf.certificate, name);
    certificate =
        certify(&(const struct wish){.subject = name, .usage = LEAF_USAGE}, scene.leaf.key, NULL);
    X509_free(scene.leaf.certificate);
    scene.leaf.certificate = certificate;
    scene.expected.flavour = PEER_NAMED;
    scene.expected.name = name;
    return scene;
}

static void name_root_and_key_of_a_self_signed_certificate_are_the_same(_unused_ void **state) {
    char name[64];
    _cleanup_scene_ struct scene scene = digest_named(name);

    accepted(&scene);
}

static void a_self_signed_certificate_with_another_name_is_refused(_unused_ void **state) {
    char name[64];
    _cleanup_scene_ struct scene scene = digest_named(name);

    scene.expected.name = "the MEF"; /* no digest */
    refused(&scene, PEER_E_NAME, "sha-256,", "self-signed", "is expected");
    scene.expected.name = name; /* not the root's */
    scene.expected.roots[0].digest[0] ^= 1;
    refused(&scene, PEER_E_NAME, "sha-256,", "self-signed", "is expected");
    scene.expected.roots_count = 0;
    refused(&scene, PEER_E_NAME, "sha-256,", "self-signed", "is expected");
}

/* Of two roots of trust only the one that is the name counts. */
static void a_self_signed_certificate_of_another_root_is_refused(_unused_ void **state) {
    char name[64], other_name[64];
    _cleanup_scene_ struct scene scene = digest_named(name), other = digest_named(other_name);

    scene.expected.roots[1] = other.expected.roots[0];
    scene.expected.roots_count = 2;
    scene.expected.name = other_name;
    refused(&scene, PEER_E_ROOT, "sha-256,", "the public key", "is expected");
}

static void a_self_signed_certificate_must_say_its_name(_unused_ void **state) {
    _cleanup_scene_ struct scene scene = scene_self(LEAF());
    char name[64];

    digest_name(scene.leaf.certificate, name);
    scene.expected.flavour = PEER_NAMED;
    scene.expected.name = name;
    refused(&scene, PEER_E_NAME, "CN = the MEF", "\"mef.example.com\"", "(named) is expected");
}

static void the_drafts_chain_goes_to_the_root_of_trust(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(*state, LEAF());

    scene.expected.flavour = PEER_NAMED;
    scene.expected.name = "the MEF";
    pin(&scene, scene.root.certificate);
    accepted(&scene);
    scene.expected.roots[0].digest[31] ^= 1;
    refused(&scene, PEER_E_ROOT, "CN = the MEF", "the end of the chain", "is expected");
}

#define TEST(name) cmocka_unit_test(name)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_of_a_trusted_authority_is_accepted),
        TEST(only_keys_of_p_256_are_accepted),
        TEST(an_authority_of_another_kind_of_key_is_refused),
        TEST(a_signature_by_another_digest_is_refused),
        TEST(an_anchor_may_have_signed_itself_as_it_likes),
        TEST(a_changed_certificate_is_refused),
        TEST(dates_are_held_against_now),
        TEST(an_authority_that_is_over_is_named),
        TEST(a_certificate_of_a_stranger_is_refused),
        TEST(an_authority_is_not_its_name),
        TEST(a_self_signed_certificate_is_nobodys_word),
        TEST(anchors_that_cannot_be_read_trust_nobody),
        TEST(an_intermediate_authority_comes_along),
        TEST(a_certificate_that_is_no_authoritys_issues_nothing),
        TEST(a_path_longer_than_its_authority_allows_is_refused),
        TEST(more_certificates_than_a_chain_has_are_refused),
        TEST(a_certificate_for_other_uses_is_refused),
        TEST(a_certificate_for_servers_is_accepted),
        TEST(names_within_the_constraints_are_accepted),
        TEST(names_outside_the_constraints_are_refused),
        TEST(a_root_of_trust_may_come_along),
        TEST(a_root_of_trust_may_be_in_the_middle),
        TEST(another_root_of_trust_is_refused),
        TEST(a_forged_certificate_of_the_root_is_no_root),
        TEST(a_root_of_no_length_is_nobodys),
        TEST(a_raw_public_key_is_its_digest),
        TEST(a_raw_public_key_needs_neither_name_nor_authority),
        TEST(a_raw_public_key_that_nobody_expects_is_refused),
        TEST(what_holds_a_raw_public_key_has_dates_and_uses),
        TEST(name_root_and_key_of_a_self_signed_certificate_are_the_same),
        TEST(a_self_signed_certificate_with_another_name_is_refused),
        TEST(a_self_signed_certificate_of_another_root_is_refused),
        TEST(a_self_signed_certificate_must_say_its_name),
        TEST(the_drafts_chain_goes_to_the_root_of_trust),
    };

    return cmocka_run_group_tests(tests, setup_directory, teardown_directory);
}
