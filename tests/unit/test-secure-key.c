/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Private keys in a token: se-pkcs11 with the real p11-kit and SoftHSM. With such a key keystrap-http shakes hands by
 * certificate, and keystrapd never sees it.
 */

#include "handshake-ask.h"
#include "handshake-server.h"

#include "secure-key.h"
#include "subprocess.h"

#define SUITES "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define PIN    "5678"

struct token_fixture {
    struct fixture fixture;
    char program[PATH_MAX + 64], directory[64], conf[96];
    struct secure_key *key;
    struct failure failure;
};

static __attribute__((format(printf, 1, 2))) void run(const char *format, ...) {
    char command[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void make_token(struct token_fixture *fixture, const char *label) {
    run("softhsm2-util --init-token --free --label '%s' --so-pin 12345678 --pin " PIN " >%s/log",
        label, fixture->directory);
}

static int setup(void **state) {
    struct token_fixture *fixture = calloc(1, sizeof(*fixture));
    char self[PATH_MAX] = "";
    FILE *conf;

    assert_non_null(fixture);
    fixture_setup(&fixture->fixture, "keystrap-http", "https://" NAME "/path");
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    (void)snprintf(fixture->program, sizeof(fixture->program), "%s/../plugins/se-pkcs11",
                   dirname(self));
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "%s/keystrap-token-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->conf, sizeof(fixture->conf), "%s/softhsm2.conf", fixture->directory);
    conf = fopen(fixture->conf, "we");
    assert_non_null(conf);
    assert_true(
        fprintf(conf, "directories.tokendir = %s\nlog.level = ERROR\n", fixture->directory) > 0);
    assert_int_equal(fclose(conf), 0);
    assert_int_equal(setenv("SOFTHSM2_CONF", fixture->conf, 1), 0);
    make_token(fixture, "gateway");
    run("softhsm2-util --import %s --token gateway --label mef --id 01 --pin " PIN " >%s/log",
        fixture->fixture.ours.key, fixture->directory);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct token_fixture *fixture = *state;
    bool ok;

    secure_key_free(fixture->key);
    run("rm -rf %s", fixture->directory);
    ok = fixture_done(&fixture->fixture);
    free(fixture);
    return ok ? 0 : -1;
}

static int open_key(struct token_fixture *fixture, const char *uri, const char *pin_text,
                    bool make) {
    _cleanup_secret_ struct secret *pin = NULL;

    if (pin_text)
        assert_int_equal(secret_new_copy(pin_text, strlen(pin_text), &pin), 0);
    fixture->key = secure_key_free(fixture->key);
    failure_clear(&fixture->failure);
    return secure_key_open(fixture->program, uri, pin, make, -1, &fixture->key, &fixture->failure);
}

static int sign(void *userdata, const uint8_t digest[SECURE_DIGEST_LENGTH],
                uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure) {
    return secure_key_sign(userdata, digest, ret, ret_length, failure);
}

/* Shakes hands by our certificate, signed for by the key that is open. */
static int shake_hands(struct token_fixture *fixture, struct ask *ask) {
    struct handshake_server server = {.priority = SUITES,
                                      .certificate = fixture->fixture.theirs.certificate,
                                      .key = fixture->fixture.theirs.key,
                                      .client_alert = -1};
    const struct http_signer signer = {sign, fixture->key};
    int r;

    use_certificate(ask, &fixture->fixture);
    ask->handshake.private_key = NULL;
    ask->handshake.signer = &signer;
    handshake_server_start(&server);
    r = do_ask(&fixture->fixture, ask, server.port);
    handshake_server_stop(&server);
    if (r == 0)
        assert_exporter(ask, server.exporters[0]);
    return r;
}

static void test_a_key_that_stays_in_its_token_shakes_hands(void **state) {
    struct token_fixture *fixture = *state;

    assert_int_equal(open_key(fixture, "pkcs11:token=gateway;object=mef", PIN, false), 0);
    for (size_t i = 0; i < 3; i++) {
        _cleanup_ask_ struct ask ask = {0};

        if (shake_hands(fixture, &ask) != 0)
            fail_msg("%s", ask.failure.text);
    }
}

static void test_a_key_that_is_not_the_certificates_is_named(void **state) {
    struct token_fixture *fixture = *state;
    _cleanup_ask_ struct ask ask = {0};

    assert_int_equal(open_key(fixture, "pkcs11:token=gateway;object=other", PIN, true), 0);
    assert_int_equal(shake_hands(fixture, &ask), HTTP_E_CREDENTIAL);
    assert_non_null(strstr(ask.failure.text, "is not that of our certificate"));
}

static void test_what_is_wrong_with_token_pin_or_key_is_named(void **state) {
    static const struct {
        const char *uri, *pin, *words;
    } wrong[] = {
        {"pkcs11:token=gateway;object=mef", NULL, "PrivateKeyPin="},
        {"pkcs11:token=gateway;object=mef", "0000", "does not take the PIN"},
        {"pkcs11:token=nowhere;object=mef", PIN, "no token is there"},
        {"pkcs11:token=gateway;object=nothing", PIN, "no private key that the URI fits"},
        {"pkcs11:token=gateway;object=%", PIN, "RFC 7512"},
        {"pkcs11:object=mef", PIN, "fits 2 tokens"},
    };
    struct token_fixture *fixture = *state;

    make_token(fixture, "second");
    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        if (open_key(fixture, wrong[i].uri, wrong[i].pin, false) != HTTP_E_CREDENTIAL ||
            !strstr(fixture->failure.text, wrong[i].words))
            fail_msg("%s: %s", wrong[i].uri, fixture->failure.text);
        assert_null(fixture->key);
    }
}

static void test_two_keys_of_one_name_are_not_guessed_between(void **state) {
    struct token_fixture *fixture = *state;

    run("softhsm2-util --import %s --token gateway --label mef --id 02 --pin " PIN " >%s/log",
        fixture->fixture.theirs.key, fixture->directory);
    assert_int_equal(open_key(fixture, "pkcs11:token=gateway;object=mef", PIN, false),
                     HTTP_E_CREDENTIAL);
    assert_non_null(strstr(fixture->failure.text, "several private keys"));
    assert_int_equal(open_key(fixture, "pkcs11:token=gateway;object=mef;id=%02", PIN, false), 0);
}

static void test_a_key_that_is_made_there_is_found_again_and_signs(void **state) {
    static const char uri[] = "pkcs11:token=gateway;object=made";
    struct token_fixture *fixture = *state;
    uint8_t public[SECURE_SPKI_LENGTH], digest[SECURE_DIGEST_LENGTH] = {1, 2, 3};
    uint8_t signature[SIGNATURE_MAX];
    const uint8_t *octets = public;
    EVP_PKEY_CTX *context;
    EVP_PKEY *key;
    size_t length = 0;

    make_token(fixture, "empty");
    assert_int_equal(open_key(fixture, "pkcs11:token=empty", PIN, true), HTTP_E_CREDENTIAL);
    assert_non_null(strstr(fixture->failure.text, "no name for it"));
    assert_int_equal(open_key(fixture, uri, PIN, true), 0);
    assert_non_null(secure_key_public(fixture->key));
    memcpy(public, secure_key_public(fixture->key), sizeof(public));
    assert_int_equal(open_key(fixture, uri, PIN, true), 0);
    assert_memory_equal(secure_key_public(fixture->key), public, sizeof(public));

    assert_int_equal(secure_key_sign(fixture->key, digest, signature, &length, &fixture->failure),
                     0);
    key = d2i_PUBKEY(NULL, &octets, sizeof(public));
    assert_non_null(key);
    context = EVP_PKEY_CTX_new(key, NULL);
    assert_int_equal(EVP_PKEY_verify_init(context), 1);
    assert_int_equal(EVP_PKEY_verify(context, signature, length, digest, sizeof(digest)), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
}

static void test_a_program_that_is_not_there_is_named(void **state) {
    struct token_fixture *fixture = *state;

    (void)strcpy(fixture->program, "/nonexistent/se-pkcs11");
    assert_int_equal(open_key(fixture, "pkcs11:token=gateway;object=mef", PIN, false),
                     HTTP_E_HELPER);
    assert_non_null(strstr(fixture->failure.text, "/nonexistent/se-pkcs11"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(test_a_key_that_stays_in_its_token_shakes_hands),
        T(test_a_key_that_is_not_the_certificates_is_named),
        T(test_what_is_wrong_with_token_pin_or_key_is_named),
        T(test_two_keys_of_one_name_are_not_guessed_between),
        T(test_a_key_that_is_made_there_is_found_again_and_signs),
        T(test_a_program_that_is_not_there_is_named),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
