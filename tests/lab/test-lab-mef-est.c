/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The EST server against openssl, which makes the requests and judges the answers.
 */

#include "mef-peer.h"

#include <errno.h>

#include "mef-est.h"

#define GATEWAY  "gw1.example.com"
#define LIFETIME 3600

struct scene {
    struct scratch scratch;
    struct mef_ca *ca;
    struct mef_est *est;
};

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    struct mef_est_options options = {.lifetime_sec = LIFETIME};

    assert_non_null(scene);
    scratch_open(&scene->scratch);
    assert_int_equal(mef_ca_new(NULL, NULL, "Lab CA", &scene->ca), 0);
    options.ca = scene->ca;
    assert_int_equal(mef_est_new(&options, &scene->est), 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;

    (void)mef_est_free(scene->est);
    (void)mef_ca_free(scene->ca);
    scratch_close(&scene->scratch);
    free(scene);
    return 0;
}

/* --- Asking ------------------------------------------------------------------------------------- */

static void done_reply(struct mef_est_reply *reply) {
    free(reply->body);
}

#define _cleanup_reply_ __attribute__((cleanup(done_reply)))

static void get(const struct scene *scene, const char *operation, const char *identity,
                struct mef_est_reply *ret) {
    const struct mef_est_request request = {
        .method = "GET", .operation = operation, .identity = identity};

    assert_int_equal(mef_est_handle(scene->est, &request, ret), 0);
}

/* Send the base64 of FILE.csr, which openssl has made, as @identity. */
static void post(const struct scene *scene, const char *operation, const char *file,
                 const char *identity, bool by_certificate, struct mef_est_reply *ret) {
    struct mef_est_request request = {
        .method = "POST",
        .operation = operation,
        .content_type = "application/pkcs10",
        .identity = identity,
        .by_certificate = by_certificate,
    };
    int status;
    char *body = shell(&scene->scratch, &status,
                       "openssl req -in %s.csr -outform DER | openssl base64 -e", file);

    assert_int_equal(status, 0);
    request.body = (const uint8_t *)body;
    request.body_length = strlen(body);
    assert_int_equal(mef_est_handle(scene->est, &request, ret), 0);
    free(body);
}

/* FILE.key and FILE.csr for a key of @algorithm, by a file with whatever is in @more. */
static void make_request(const struct scene *scene, const char *file, const char *san,
                         const char *algorithm, const char *challenge) {
    char text[1024];
    int n =
        snprintf(text, sizeof(text),
                 "[req]\nprompt=no\ndistinguished_name=dn\n%s%s[dn]\nCN=gateway\n%s%s%s"
                 "[ext]\nkeyUsage=digitalSignature\n%s%s\n",
                 san ? "req_extensions=ext\n" : "", challenge ? "attributes=attributes\n" : "",
                 challenge ? "[attributes]\nchallengePassword=" : "", challenge ? challenge : "",
                 challenge ? "\n" : "", san ? "subjectAltName=" : "", san ? san : "");

    assert_true(n > 0 && (size_t)n < sizeof(text));
    scratch_write(&scene->scratch, "req.conf", text, (size_t)n);
    must(&scene->scratch,
         "openssl req -new -newkey %s -nodes -keyout %s.key -out %s.csr -config req.conf 2>&1",
         algorithm, file, file);
}

#define P256 "ec -pkeyopt ec_paramgen_curve:P-256"

static void make_good_request(const struct scene *scene) {
    make_request(scene, "gw", "DNS:" GATEWAY, P256, NULL);
}

/* The certificates of a PKCS #7 answer into FILE.pem, and of cacerts into ca.pem. */
static void keep_certificates(const struct scene *scene, const struct mef_est_reply *reply,
                              const char *file) {
    assert_int_equal(reply->status, 200);
    assert_true(reply->base64);
    assert_memory_equal(reply->content_type, "application/pkcs7-mime", 22);
    scratch_write(&scene->scratch, "answer", reply->body, strlen(reply->body));
    must(&scene->scratch,
         "openssl base64 -d -in answer | openssl pkcs7 -inform DER -print_certs -out %s.pem", file);
}

static void keep_authority(const struct scene *scene) {
    _cleanup_reply_ struct mef_est_reply reply;

    get(scene, "cacerts", NULL, &reply);
    keep_certificates(scene, &reply, "ca");
}

static void control(const struct scene *scene, const char *words, char *ret, size_t size) {
    char line[256], *argv[8], *save = NULL;
    int argc = 0;

    (void)snprintf(line, sizeof(line), "est %s", words);
    for (char *word = strtok_r(line, " ", &save); word && argc < 8;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    ret[0] = '\0';
    assert_int_equal(mef_est_control(scene->est, argc, argv, ret, size), 0);
}

static void order(const struct scene *scene, const char *words) {
    char answer[512];

    control(scene, words, answer, sizeof(answer));
}

static void assert_refused(const struct scene *scene, const char *file, const char *identity,
                           unsigned status) {
    _cleanup_reply_ struct mef_est_reply reply;

    post(scene, "simpleenroll", file, identity, false, &reply);
    assert_int_equal(reply.status, status);
    assert_false(reply.base64);
}

/* --- What works --------------------------------------------------------------------------------- */

static void cacerts_shows_an_authority_that_openssl_accepts(void **state) {
    struct scene *scene = *state;

    keep_authority(scene);
    must(&scene->scratch, "openssl verify -x509_strict -CAfile ca.pem ca.pem");
    must(&scene->scratch, "openssl x509 -in ca.pem -noout -text | grep -q 'CA:TRUE'");
}

static void an_enrolled_certificate_is_of_the_requests_key_and_name_and_verifies(void **state) {
    _cleanup_reply_ struct mef_est_reply reply;
    struct scene *scene = *state;

    keep_authority(scene);
    make_good_request(scene);
    post(scene, "simpleenroll", "gw", GATEWAY, false, &reply);
    assert_string_equal(reply.content_type, "application/pkcs7-mime; smime-type=certs-only");
    keep_certificates(scene, &reply, "gw");
    must(&scene->scratch, "openssl verify -x509_strict -purpose sslclient -CAfile ca.pem gw.pem");
    must(&scene->scratch,
         "openssl x509 -in gw.pem -noout -ext subjectAltName | grep -q 'DNS:" GATEWAY "$'");
    must(&scene->scratch,
         "openssl x509 -in gw.pem -noout -ext keyUsage | grep -q 'Digital Signature$'");
    must(&scene->scratch, "test \"$(openssl x509 -in gw.pem -noout -pubkey)\" = "
                          "\"$(openssl pkey -in gw.key -pubout)\"");
}

static void an_enrolled_certificate_lives_as_long_as_ordered(void **state) {
    _cleanup_reply_ struct mef_est_reply reply;
    struct scene *scene = *state;

    order(scene, "lifetime 20");
    make_good_request(scene);
    post(scene, "simpleenroll", "gw", GATEWAY, false, &reply);
    keep_certificates(scene, &reply, "gw");
    must(&scene->scratch, "openssl x509 -in gw.pem -noout -checkend 0");
    must(&scene->scratch, "! openssl x509 -in gw.pem -noout -checkend 21");
    must(&scene->scratch,
         "test $(( $(date -d \"$(openssl x509 -in gw.pem -noout -enddate | cut -d= -f2)\" +%%s) - "
         "$(date -d \"$(openssl x509 -in gw.pem -noout -startdate | cut -d= -f2)\" +%%s) )) = 20");
}

static void the_digest_of_what_was_issued_is_told(void **state) {
    _cleanup_reply_ struct mef_est_reply reply;
    struct scene *scene = *state;
    char issued[128];

    make_good_request(scene);
    post(scene, "simpleenroll", "gw", GATEWAY, false, &reply);
    keep_certificates(scene, &reply, "gw");
    control(scene, "issued", issued, sizeof(issued));
    assert_int_equal(strlen(issued), 64);
    must(&scene->scratch,
         "test \"$(openssl x509 -in gw.pem -outform DER | openssl dgst -sha256 -r)\" = '%s *stdin'",
         issued);
}

static void renewal_is_for_who_comes_with_a_certificate(void **state) {
    _cleanup_reply_ struct mef_est_reply by_key, by_certificate;
    struct scene *scene = *state;
    char counts[256];

    keep_authority(scene);
    make_good_request(scene);
    post(scene, "simplereenroll", "gw", GATEWAY, false, &by_key);
    assert_int_equal(by_key.status, 403);
    post(scene, "simplereenroll", "gw", GATEWAY, true, &by_certificate);
    keep_certificates(scene, &by_certificate, "gw");
    must(&scene->scratch, "openssl verify -CAfile ca.pem gw.pem");
    control(scene, "count", counts, sizeof(counts));
    assert_string_equal(counts, "cacerts 1 csrattrs 0 enrolled 0 renewed 1 refused 1");
}

static void a_uri_and_a_public_domain_name_stand_for_an_absolute_identifier(void **state) {
    struct scene *scene = *state;
    const struct {
        const char *san, *identity;
        unsigned status;
    } cases[] = {
        {"URI://m2m.example.com/gw1", "//m2m.example.com/gw1", 200},
        {"DNS:gw1.m2m.example.com", "//m2m.example.com/gw1", 200},
        {"URI:https://GW1.example.com:443/x", GATEWAY, 200},
        {"URI://m2m.example.com/gw2", "//m2m.example.com/gw1", 403},
        {"DNS:gw1.m2m.example.org", "//m2m.example.com/gw1", 403},
        {"DNS:C01.gw1.m2m.example.com", "//m2m.example.com/gw1/C01", 403},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_reply_ struct mef_est_reply reply;
        char san[128];

        /* openssl takes what follows the first colon as the URI. */
        (void)snprintf(san, sizeof(san), "%s", cases[i].san);
        make_request(scene, "gw", san, P256, NULL);
        post(scene, "simpleenroll", "gw", cases[i].identity, false, &reply);
        assert_int_equal(reply.status, cases[i].status);
    }
}

/* --- CSR attributes and challengePassword -------------------------------------------------------- */

static char *attributes_of(const struct scene *scene, const char *identity) {
    _cleanup_reply_ struct mef_est_reply reply;
    char *text;
    int status;

    get(scene, "csrattrs", identity, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content_type, "application/csrattrs");
    scratch_write(&scene->scratch, "attributes", reply.body, strlen(reply.body));
    text = shell(&scene->scratch, &status,
                 "openssl base64 -d -in attributes | openssl asn1parse -inform DER");
    assert_int_equal(status, 0);
    return text;
}

static void challenge_of(const struct scene *scene, const char *identity, char ret[64]) {
    char *text = attributes_of(scene, identity);
    const char *value = strstr(text, "PRINTABLESTRING   :");

    assert_non_null(value);
    assert_int_equal(sscanf(value, "PRINTABLESTRING :%63[0-9a-f]", ret), 1);
    free(text);
}

static void csrattrs_names_what_a_request_must_have(void **state) {
    char *text = attributes_of(*state, GATEWAY);

    assert_non_null(strstr(text, ":challengePassword"));
    assert_non_null(strstr(text, ":X509v3 Subject Alternative Name"));
    assert_non_null(strstr(text, ":prime256v1"));
    assert_non_null(strstr(text, ":ecdsa-with-SHA256"));
    assert_null(strstr(text, "PRINTABLESTRING"));
    free(text);
}

static void every_client_is_given_a_challenge_of_its_own(void **state) {
    char first[64], again[64], other[64];

    order(*state, "challenge on");
    challenge_of(*state, GATEWAY, first);
    challenge_of(*state, GATEWAY, again);
    challenge_of(*state, "gw2.example.com", other);
    assert_int_equal(strlen(first), 24);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
}

static void the_challenge_is_demanded_and_good_for_one_certificate(void **state) {
    struct scene *scene = *state;
    _cleanup_reply_ struct mef_est_reply reply;
    char challenge[64], other[64];

    order(scene, "challenge on");
    challenge_of(scene, GATEWAY, challenge);
    challenge_of(scene, "gw2.example.com", other);
    make_good_request(scene);
    assert_refused(scene, "gw", GATEWAY, 403);
    make_request(scene, "gw", "DNS:" GATEWAY, P256, other);
    assert_refused(scene, "gw", GATEWAY, 403);
    make_request(scene, "gw", "DNS:" GATEWAY, P256, challenge);
    post(scene, "simpleenroll", "gw", GATEWAY, false, &reply);
    assert_int_equal(reply.status, 200);
    assert_refused(scene, "gw", GATEWAY, 403);
}

/* --- What is refused ------------------------------------------------------------------------------ */

static void a_name_that_is_not_the_clients_is_refused(void **state) {
    struct scene *scene = *state;

    make_good_request(scene);
    assert_refused(scene, "gw", "gw2.example.com", 403);
    make_request(scene, "two", "DNS:" GATEWAY ",DNS:gw2.example.com", P256, NULL);
    assert_refused(scene, "two", GATEWAY, 403);
    make_request(scene, "none", NULL, P256, NULL);
    assert_refused(scene, "none", GATEWAY, 403);
    make_request(scene, "mail", "email:" GATEWAY "@example.com", P256, NULL);
    assert_refused(scene, "mail", GATEWAY, 403);
}

static void who_is_not_authenticated_is_refused(void **state) {
    struct scene *scene = *state;

    make_good_request(scene);
    assert_refused(scene, "gw", NULL, 403);
}

static void other_keys_than_p256_are_refused(void **state) {
    struct scene *scene = *state;

    make_request(scene, "gw", "DNS:" GATEWAY, "ec -pkeyopt ec_paramgen_curve:P-384", NULL);
    assert_refused(scene, "gw", GATEWAY, 400);
    make_request(scene, "gw", "DNS:" GATEWAY, "rsa:2048", NULL);
    assert_refused(scene, "gw", GATEWAY, 400);
}

static void post_text(const struct scene *scene, const char *type, const char *text,
                      unsigned status) {
    _cleanup_reply_ struct mef_est_reply reply;
    const struct mef_est_request request = {
        .method = "POST",
        .operation = "simpleenroll",
        .content_type = type,
        .body = (const uint8_t *)text,
        .body_length = strlen(text),
        .identity = GATEWAY,
    };

    assert_int_equal(mef_est_handle(scene->est, &request, &reply), 0);
    assert_int_equal(reply.status, status);
}

static void what_is_no_request_is_refused(void **state) {
    struct scene *scene = *state;

    post_text(scene, "application/pkcs10", "", 400);
    post_text(scene, "application/pkcs10", "not base64 !!", 400);
    post_text(scene, "application/pkcs10", "AAECAwQ=", 400);
    post_text(scene, "text/plain", "AAECAwQ=", 415);
    post_text(scene, NULL, "AAECAwQ=", 415);
}

static void a_request_with_a_broken_signature_is_refused(void **state) {
    struct scene *scene = *state;

    make_good_request(scene);
    /* The last octet is in the signature. */
    must(&scene->scratch, "openssl req -in gw.csr -outform DER -out gw.der && "
                          "printf '\\125\\252' | dd of=gw.der bs=1 conv=notrunc "
                          "seek=$(( $(stat -c %%s gw.der) - 2 )) 2>/dev/null && "
                          "openssl req -inform DER -in gw.der -out gw.csr");
    assert_refused(scene, "gw", GATEWAY, 400);
}

static void other_operations_and_methods_are_not_found(void **state) {
    _cleanup_reply_ struct mef_est_reply keygen, wrong_method, empty;
    struct scene *scene = *state;

    get(scene, "serverkeygen", GATEWAY, &keygen);
    assert_int_equal(keygen.status, 404);
    get(scene, "simpleenroll", GATEWAY, &wrong_method);
    assert_int_equal(wrong_method.status, 404);
    get(scene, "", GATEWAY, &empty);
    assert_int_equal(empty.status, 404);
}

/* --- Faults -------------------------------------------------------------------------------------- */

static void pending_is_said_as_often_as_ordered(void **state) {
    _cleanup_reply_ struct mef_est_reply first, second, third;
    struct scene *scene = *state;

    make_good_request(scene);
    order(scene, "fault pending 3 x2");
    post(scene, "simpleenroll", "gw", GATEWAY, false, &first);
    assert_int_equal(first.status, 202);
    assert_int_equal(first.retry_after_sec, 3);
    post(scene, "simpleenroll", "gw", GATEWAY, false, &second);
    assert_int_equal(second.status, 202);
    post(scene, "simpleenroll", "gw", GATEWAY, false, &third);
    assert_int_equal(third.status, 200);
}

static void busy_is_said_to_everything_until_it_is_cleared(void **state) {
    _cleanup_reply_ struct mef_est_reply first, second, third;
    struct scene *scene = *state;

    order(scene, "fault busy");
    get(scene, "cacerts", NULL, &first);
    assert_int_equal(first.status, 503);
    assert_true(first.retry_after_sec > 0);
    get(scene, "csrattrs", NULL, &second);
    assert_int_equal(second.status, 503);
    order(scene, "clear");
    get(scene, "cacerts", NULL, &third);
    assert_int_equal(third.status, 200);
}

static void there_may_be_no_attributes(void **state) {
    _cleanup_reply_ struct mef_est_reply reply;

    order(*state, "fault attributes-none x1");
    get(*state, "csrattrs", GATEWAY, &reply);
    assert_int_equal(reply.status, 204);
    assert_null(reply.body);
}

/* Enrol with a fault: the answer's certificate is in gw.pem. */
static void enrol_with(const struct scene *scene, const char *fault) {
    _cleanup_reply_ struct mef_est_reply reply;
    char words[64];

    (void)snprintf(words, sizeof(words), "fault %s x1", fault);
    keep_authority(scene);
    make_good_request(scene);
    order(scene, words);
    post(scene, "simpleenroll", "gw", GATEWAY, false, &reply);
    keep_certificates(scene, &reply, "gw");
}

static void a_certificate_of_a_wrong_key_is_wrong_in_nothing_else(void **state) {
    struct scene *scene = *state;

    enrol_with(scene, "wrong-key");
    must(&scene->scratch, "openssl verify -CAfile ca.pem gw.pem");
    must(&scene->scratch,
         "openssl x509 -in gw.pem -noout -ext subjectAltName | grep -q 'DNS:" GATEWAY "$'");
    must(&scene->scratch, "test \"$(openssl x509 -in gw.pem -noout -pubkey)\" != "
                          "\"$(openssl pkey -in gw.key -pubout)\"");
}

static void a_certificate_of_a_wrong_name_is_wrong_in_nothing_else(void **state) {
    struct scene *scene = *state;

    enrol_with(scene, "wrong-name");
    must(&scene->scratch, "openssl verify -CAfile ca.pem gw.pem");
    must(&scene->scratch, "! openssl x509 -in gw.pem -noout -text | grep -q " GATEWAY);
    must(&scene->scratch, "test \"$(openssl x509 -in gw.pem -noout -pubkey)\" = "
                          "\"$(openssl pkey -in gw.key -pubout)\"");
}

static void a_certificate_of_a_stranger_does_not_verify(void **state) {
    struct scene *scene = *state;

    enrol_with(scene, "stranger");
    must(&scene->scratch, "! openssl verify -CAfile ca.pem gw.pem 2>&1");
}

static void garbage_is_no_pkcs7(void **state) {
    _cleanup_reply_ struct mef_est_reply reply;
    struct scene *scene = *state;

    make_good_request(scene);
    order(scene, "fault garbage x1");
    post(scene, "simpleenroll", "gw", GATEWAY, false, &reply);
    assert_int_equal(reply.status, 200);
    scratch_write(&scene->scratch, "answer", reply.body, strlen(reply.body));
    must(&scene->scratch, "! openssl base64 -d -in answer | openssl pkcs7 -inform DER 2>&1");
}

static void wrong_control_commands_are_answered_with_their_usage(void **state) {
    static const char *const lines[][5] = {
        {"est"},
        {"est", "dance"},
        {"est", "fault", "dance"},
        {"est", "fault", "busy", "soon"},
        {"est", "fault", "busy", "1", "x0"},
        {"est", "challenge", "perhaps"},
        {"est", "lifetime", "0"},
        {"est", "lifetime", "-5"},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char answer[512], *argv[5];
        int argc = 0;

        for (; argc < 5 && lines[i][argc]; argc++)
            argv[argc] = (char *)(uintptr_t)lines[i][argc];
        assert_true(mef_est_control(scene->est, argc, argv, answer, sizeof(answer)) < 0);
        assert_memory_equal(answer, "usage: est fault", 16);
    }
}

/* --- The authority ------------------------------------------------------------------------------- */

static void an_authority_may_come_from_files(void **state) {
    struct scene *scene = *state;
    char certificate[128], key[128];
    struct mef_ca *ca = NULL;
    gnutls_datum_t pem = {0};

    make_authority(&scene->scratch, "own");
    (void)snprintf(certificate, sizeof(certificate), "%s/own.pem", scene->scratch.directory);
    (void)snprintf(key, sizeof(key), "%s/own.key", scene->scratch.directory);
    assert_int_equal(mef_ca_new(certificate, key, NULL, &ca), 0);
    assert_int_equal(gnutls_x509_crt_export2(mef_ca_certificate(ca), GNUTLS_X509_FMT_PEM, &pem), 0);
    scratch_write(&scene->scratch, "out.pem", pem.data, pem.size);
    must(&scene->scratch, "cmp own.pem out.pem");
    gnutls_free(pem.data);
    (void)mef_ca_free(ca);
    ca = NULL;
    assert_int_equal(mef_ca_new(key, certificate, NULL, &ca), -ENOENT);
    assert_int_equal(mef_ca_new("/nonexistent", key, NULL, &ca), -ENOENT);
    assert_null(ca);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(cacerts_shows_an_authority_that_openssl_accepts),
        TEST(an_enrolled_certificate_is_of_the_requests_key_and_name_and_verifies),
        TEST(an_enrolled_certificate_lives_as_long_as_ordered),
        TEST(the_digest_of_what_was_issued_is_told),
        TEST(renewal_is_for_who_comes_with_a_certificate),
        TEST(a_uri_and_a_public_domain_name_stand_for_an_absolute_identifier),
        TEST(csrattrs_names_what_a_request_must_have),
        TEST(every_client_is_given_a_challenge_of_its_own),
        TEST(the_challenge_is_demanded_and_good_for_one_certificate),
        TEST(a_name_that_is_not_the_clients_is_refused),
        TEST(who_is_not_authenticated_is_refused),
        TEST(other_keys_than_p256_are_refused),
        TEST(what_is_no_request_is_refused),
        TEST(a_request_with_a_broken_signature_is_refused),
        TEST(other_operations_and_methods_are_not_found),
        TEST(pending_is_said_as_often_as_ordered),
        TEST(busy_is_said_to_everything_until_it_is_cleared),
        TEST(there_may_be_no_attributes),
        TEST(a_certificate_of_a_wrong_key_is_wrong_in_nothing_else),
        TEST(a_certificate_of_a_wrong_name_is_wrong_in_nothing_else),
        TEST(a_certificate_of_a_stranger_does_not_verify),
        TEST(garbage_is_no_pkcs7),
        TEST(wrong_control_commands_are_answered_with_their_usage),
        TEST(an_authority_may_come_from_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
