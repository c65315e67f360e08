/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The handshake with a MEF by the real keystrap-http, with GnuTLS or `openssl s_server` at the other end: by pre-shared key and
 * by certificate the exporter is the server's; without extended master secret, with another key, or with somebody else at the
 * other end nothing is asked, and what it was has a name.
 */

#include "unit/handshake-ask.h"
#include "unit/handshake-server.h"

#include <errno.h>

static int setup(void **state) {
    static struct fixture fixture;

    fixture_setup(&fixture, "keystrap-http", "https://" NAME "/path");
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    return fixture_done(*state) ? 0 : -1;
}

/* Fails with @outcome, says @words, and nothing was asked. */
static void expect_failure(const struct fixture *fixture, struct ask *ask,
                           struct handshake_server *server, int outcome, const char *words) {
    int r;

    handshake_server_start(server);
    r = do_ask(fixture, ask, server->port);
    handshake_server_stop(server);
    assert_failed(ask, r, outcome, words);
    assert_int_equal(server->requests, 0);
}

/* --- By pre-shared key ------------------------------------------------------------------------------ */

static void test_by_psk_the_exporter_is_the_servers_with_each_suite(void **state) {
    static const struct {
        const char *priority, *suite;
    } cases[] = {
        {ONE "+PSK:+AES-128-CBC:+SHA256", "(PSK)-(AES-128-CBC)-(SHA256)"},
        {ONE "+PSK:+AES-128-CCM-8:+AEAD", "(PSK)-(AES-128-CCM-8)"},
        {PSK, "(ECDHE-X25519)-(CHACHA20-POLY1305)"},
        {PSK ":%SERVER_PRECEDENCE:-ECDHE-PSK:-DHE-PSK", "(PSK)-"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct handshake_server server = {.priority = cases[i].priority, .psk = kpm};
        _cleanup_ask_ struct ask ask = {0};

        use_psk(&ask);
        handshake_server_start(&server);
        if (do_ask(*state, &ask, server.port) != 0)
            fail_msg("%s: %s", cases[i].priority, ask.failure.text);
        handshake_server_stop(&server);
        assert_exporter(&ask, server.exporters[0]);
        assert_string_equal(server.identity, PSK_IDENTITY);
        assert_string_equal(server.name, NAME);
        if (!strstr(server.suite, cases[i].suite))
            fail_msg("%s and not %s", server.suite, cases[i].suite);
    }
}

static void test_each_method_arrives_with_its_body(void **state) {
    static const struct {
        enum http_method method;
        const char *line, *body;
    } cases[] = {
        {HTTP_GET, "GET /path HTTP/1.1\r\n", NULL},
        {HTTP_POST, "POST /path HTTP/1.1\r\n", "{\"a\":1}"},
        {HTTP_PUT, "PUT /path HTTP/1.1\r\n", "{\"b\":2}"},
        {HTTP_DELETE, "DELETE /path HTTP/1.1\r\n", NULL},
    };
    static const char *const headers[] = {"Content-Type: application/json", NULL};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct handshake_server server = {.priority = PSK, .psk = kpm, .body = "{\"c\":3}"};
        _cleanup_ask_ struct ask ask = {.request = {.method = cases[i].method, .headers = headers}};
        const char *body = cases[i].body;

        use_psk(&ask);
        ask.request.body = (const uint8_t *)body;
        ask.request.body_length = body ? strlen(body) : 0;
        handshake_server_start(&server);
        assert_int_equal(do_ask(*state, &ask, server.port), 0);
        handshake_server_stop(&server);
        assert_string_equal(ask.response.body, "{\"c\":3}");
        assert_int_equal(strncmp(server.request, cases[i].line, strlen(cases[i].line)), 0);
        assert_string_equal(strstr(server.request, "\r\n\r\n") + 4, body ? body : "");
    }
}

static void test_each_request_has_a_connection_and_an_exporter_of_its_own(void **state) {
    struct handshake_server server = {.priority = PSK, .psk = kpm};
    struct ask asks[3] = {0};

    handshake_server_start(&server);
    for (size_t i = 0; i < ELEMENTS(asks); i++) {
        use_psk(&asks[i]);
        assert_int_equal(do_ask(*state, &asks[i], server.port), 0);
    }
    handshake_server_stop(&server);
    assert_int_equal(server.handshakes, ELEMENTS(asks));
    for (size_t i = 0; i < ELEMENTS(asks); i++) {
        assert_exporter(&asks[i], server.exporters[i]);
        ask_done(&asks[i]);
    }
    assert_memory_not_equal(server.exporters[0], server.exporters[1], TLS_EXPORTER_LENGTH);
}

static void test_the_largest_body_arrives_and_a_larger_one_is_not_sent(void **state) {
    static uint8_t body[HTTP_SEND_MAX + 1];
    struct handshake_server server = {.priority = PSK, .psk = kpm};
    _cleanup_ask_ struct ask ask = {
        .request = {.method = HTTP_PUT, .body = body, .body_length = HTTP_SEND_MAX}};

    memset(body, 'x', sizeof(body));
    use_psk(&ask);
    handshake_server_start(&server);
    assert_int_equal(do_ask(*state, &ask, server.port), 0);
    ask.request.body_length++;
    assert_int_equal(do_ask(*state, &ask, server.port), -EINVAL);
    ask.request.body_length = 1;
    ask.request.method = HTTP_GET;
    assert_int_equal(do_ask(*state, &ask, server.port), -EINVAL);
    handshake_server_stop(&server);
    assert_int_equal(server.requests, 1);
    assert_int_equal(strlen(strstr(server.request, "\r\n\r\n") + 4), HTTP_SEND_MAX);
}

static void test_a_secret_body_is_in_a_secret_and_nowhere_else(void **state) {
    struct handshake_server server = {.priority = PSK, .psk = kpm, .body = "{\"keyValue\":\"x\"}"};
    _cleanup_ask_ struct ask ask = {.request.secret_body = true};

    use_psk(&ask);
    handshake_server_start(&server);
    assert_int_equal(do_ask(*state, &ask, server.port), 0);
    handshake_server_stop(&server);
    assert_null(ask.response.body);
    assert_non_null(ask.response.secret_body);
    assert_int_equal(secret_length(ask.response.secret_body), strlen(server.body));
    assert_memory_equal(secret_data(ask.response.secret_body), server.body, strlen(server.body));
}

static void test_a_secret_body_that_no_secret_holds_is_too_large(void **state) {
    static char body[SECRET_LENGTH_MAX + 2];
    struct handshake_server server = {.priority = PSK, .psk = kpm, .body = body};
    _cleanup_ask_ struct ask ask = {.request.secret_body = true};

    memset(body, 'x', sizeof(body) - 1);
    use_psk(&ask);
    handshake_server_start(&server);
    assert_int_equal(do_ask(*state, &ask, server.port), HTTP_E_TOO_LARGE);
    handshake_server_stop(&server);
    assert_words(&ask, NAME);
}

static void test_without_extended_master_secret_nothing_is_asked(void **state) {
    struct handshake_server server = {.priority = PSK ":%NO_SESSION_HASH", .psk = kpm};
    _cleanup_ask_ struct ask ask = {0};

    use_psk(&ask);
    expect_failure(*state, &ask, &server, HTTP_E_MASTER_SECRET, "extended master secret");
    assert_int_equal(server.handshakes, 1);
}

static void test_a_wrong_key_and_an_unknown_identity_are_the_keys_fault(void **state) {
    struct handshake_server server = {.priority = PSK, .psk = kpm}, again = server;
    _cleanup_ask_ struct ask wrong = {0}, unknown = {0};

    use_psk(&wrong);
    secret_data_mutable(wrong.psk)[0] ^= 1;
    expect_failure(*state, &wrong, &server, HTTP_E_PSK, PSK_IDENTITY);
    use_psk(&unknown);
    unknown.handshake.psk_identity = "10-nobody@mef.example.com";
    expect_failure(*state, &unknown, &again, HTTP_E_PSK, "10-nobody@mef.example.com");
}

/* OpenSSL's server goes on as well, until it cannot read what comes. */
static void test_an_identity_that_openssl_does_not_know_is_the_keys_fault(void **state) {
    _cleanup_ask_ struct ask ask = {0};
    struct tls_server server = {0};

    tls_server_start(&server,
                     "-tls1_2 -nocert -psk_identity another -psk 00112233445566778899aabbccddeeff",
                     -DAY, DAY);
    use_psk(&ask);
    assert_int_equal(do_ask(*state, &ask, server.port), HTTP_E_PSK);
    assert_words(&ask, PSK_IDENTITY);
    tls_server_stop(&server);
}

/* With one CipherSuites= for both methods: whoever has no key must not be the MEF by having any certificate. */
static void test_by_psk_no_suite_with_a_certificate_is_offered(void **state) {
    const struct fixture *fixture = *state;
    struct handshake_server server = {
        .priority = NORMAL, .certificate = fixture->theirs.certificate, .key = fixture->theirs.key};
    struct handshake_server again = server;
    struct handshake_server both = {.priority = PSK ":+ECDHE-ECDSA",
                                    .psk = kpm,
                                    .certificate = fixture->theirs.certificate,
                                    .key = fixture->theirs.key};
    _cleanup_ask_ struct ask ask = {0}, alone = {0}, good = {0};

    use_psk(&ask);
    ask.handshake.suites = "ECDHE-ECDSA-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256";
    expect_failure(fixture, &ask, &server, HTTP_E_TLS, NAME);
    assert_int_equal(server.handshakes, 0);

    use_psk(&alone);
    alone.handshake.suites = "ECDHE-ECDSA-AES128-GCM-SHA256";
    expect_failure(fixture, &alone, &again, HTTP_E_CREDENTIAL, "CipherSuites=");

    use_psk(&good);
    good.handshake.suites = ask.handshake.suites;
    handshake_server_start(&both);
    assert_int_equal(do_ask(fixture, &good, both.port), 0);
    handshake_server_stop(&both);
    assert_exporter(&good, both.exporters[0]);
    assert_string_equal(both.identity, PSK_IDENTITY);
}

static void test_another_version_than_1_2_is_refused(void **state) {
    const struct fixture *fixture = *state;
    struct handshake_server server = {.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3",
                                      .certificate = fixture->theirs.certificate,
                                      .key = fixture->theirs.key};
    _cleanup_ask_ struct ask ask = {0};

    use_certificate(&ask, fixture);
    expect_failure(fixture, &ask, &server, HTTP_E_TLS, NAME);
}

/* --- By certificate --------------------------------------------------------------------------------- */

static struct handshake_server mef_of(const struct fixture *fixture, const char *priority) {
    return (struct handshake_server){.priority = priority,
                                     .certificate = fixture->theirs.certificate,
                                     .key = fixture->theirs.key,
                                     .client_alert = -1};
}

static void test_by_certificate_the_exporter_is_the_servers_with_each_suite(void **state) {
    static const struct {
        const char *priority, *suite;
    } cases[] = {
        {ONE "+ECDHE-ECDSA:+AES-128-CBC:+SHA256", "(AES-128-CBC)-(SHA256)"},
        {ONE "+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD", "(AES-128-CCM-8)"},
        {NORMAL, "(AES-128-GCM)"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct handshake_server server = mef_of(*state, cases[i].priority);
        _cleanup_ask_ struct ask ask = {0};

        use_certificate(&ask, *state);
        handshake_server_start(&server);
        if (do_ask(*state, &ask, server.port) != 0)
            fail_msg("%s: %s", cases[i].priority, ask.failure.text);
        handshake_server_stop(&server);
        assert_exporter(&ask, server.exporters[0]);
        assert_string_equal(server.name, NAME);
        if (!strstr(server.suite, cases[i].suite))
            fail_msg("%s and not %s", server.suite, cases[i].suite);
    }
}

static void test_a_private_key_in_der_serves_as_well(void **state) {
    const struct fixture *fixture = *state;
    struct handshake_server server = mef_of(fixture, NORMAL);
    _cleanup_ask_ struct ask ask = {0};
    FILE *file = fopen(fixture->ours.key, "re");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;
    int length = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    use_certificate(&ask, fixture);
    secret_free(ask.key);
    assert_int_equal(secret_new_copy(der, (size_t)length, &ask.key), 0);
    ask.handshake.private_key = ask.key;
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(key);
    (void)fclose(file);
    handshake_server_start(&server);
    assert_int_equal(do_ask(fixture, &ask, server.port), 0);
    handshake_server_stop(&server);
    assert_exporter(&ask, server.exporters[0]);
}

static void test_without_a_certificate_of_ours_the_servers_is_verified_all_the_same(void **state) {
    struct handshake_server server = mef_of(*state, NORMAL), other = server, wants = server;
    _cleanup_ask_ struct ask ask = {0}, wrong = {0}, refused = {0};

    server.client_alert = other.client_alert = 0;
    expect_server(&ask, *state);
    handshake_server_start(&server);
    assert_int_equal(do_ask(*state, &ask, server.port), 0);
    handshake_server_stop(&server);
    assert_exporter(&ask, server.exporters[0]);
    expect_server(&wrong, *state);
    wrong.peer.name = "maf.example.com";
    expect_failure(*state, &wrong, &other, PEER_E_NAME, "maf.example.com");
    expect_server(&refused, *state);
    expect_failure(*state, &refused, &wants, HTTP_E_TLS, NAME);
}

static void test_who_is_not_the_mef_is_not_asked(void **state) {
    const struct fixture *fixture = *state;
    struct tls_server old = {0}, stranger = {0};
    struct handshake_server server;

    tls_write_files(&old, NAME, -2 * DAY, -DAY);
    tls_write_files(&stranger, NAME, -DAY, DAY);
    {
        _cleanup_ask_ struct ask ask = {0};

        server = mef_of(fixture, NORMAL);
        use_certificate(&ask, fixture);
        ask.peer.name = "maf.example.com";
        expect_failure(fixture, &ask, &server, PEER_E_NAME, "maf.example.com");
    }
    {
        _cleanup_ask_ struct ask ask = {0};

        server = mef_of(fixture, NORMAL);
        server.certificate = stranger.certificate;
        server.key = stranger.key;
        use_certificate(&ask, fixture);
        expect_failure(fixture, &ask, &server, PEER_E_UNTRUSTED, NAME);
    }
    {
        _cleanup_ask_ struct ask ask = {0};

        server = mef_of(fixture, NORMAL);
        server.certificate = old.certificate;
        server.key = old.key;
        use_certificate(&ask, fixture);
        ask.peer.trust_anchors = old.certificate;
        expect_failure(fixture, &ask, &server, PEER_E_EXPIRED, "expired on");
    }
    {
        _cleanup_ask_ struct ask ask = {0};

        server = mef_of(fixture, NORMAL);
        use_certificate(&ask, fixture);
        ask.peer.roots_count = 1;
        ask.peer.roots[0].length = PEER_DIGEST_MAX;
        expect_failure(fixture, &ask, &server, PEER_E_ROOT, "root of trust");
    }
    {
        _cleanup_ask_ struct ask ask = {0};

        server = mef_of(fixture, NORMAL);
        use_certificate(&ask, fixture);
        ask.peer.ocsp_required = true;
        expect_failure(fixture, &ask, &server, PEER_E_STATUS, "staples no OCSP response");
    }
    tls_remove_files(&old);
    tls_remove_files(&stranger);
}

static void test_what_the_server_has_against_our_certificate_is_named(void **state) {
    static const struct {
        int alert, outcome;
    } cases[] = {
        {GNUTLS_A_CERTIFICATE_EXPIRED, HTTP_E_OWN_EXPIRED},
        {GNUTLS_A_BAD_CERTIFICATE, HTTP_E_OWN_CERTIFICATE},
        {GNUTLS_A_UNSUPPORTED_CERTIFICATE, HTTP_E_OWN_CERTIFICATE},
        {GNUTLS_A_CERTIFICATE_REVOKED, HTTP_E_OWN_CERTIFICATE},
        {GNUTLS_A_CERTIFICATE_UNKNOWN, HTTP_E_OWN_CERTIFICATE},
        {GNUTLS_A_UNKNOWN_CA, HTTP_E_OWN_CERTIFICATE},
        {GNUTLS_A_ACCESS_DENIED, HTTP_E_OWN_CERTIFICATE},
        {GNUTLS_A_INTERNAL_ERROR, HTTP_E_TLS},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct handshake_server server = mef_of(*state, NORMAL);
        _cleanup_ask_ struct ask ask = {0};

        server.client_alert = cases[i].alert;
        use_certificate(&ask, *state);
        expect_failure(*state, &ask, &server, cases[i].outcome, NAME);
    }
}

/* openssl's own verification decides here. */
static void test_an_expired_certificate_of_ours_is_refused_by_a_server_as_expired(void **state) {
    const struct fixture *fixture = *state;
    _cleanup_ask_ struct ask ask = {0};
    struct tls_server old = {0}, server = {0};
    struct fixture mine = *fixture;
    char options[256];

    tls_write_files(&old, "gateway.example.com", -2 * DAY, -DAY);
    mine.ours = old;
    (void)snprintf(options, sizeof(options), "-tls1_2 -Verify 1 -verify_return_error -CAfile %s",
                   old.certificate);
    tls_server_start(&server, options, -DAY, DAY);
    use_certificate(&ask, &mine);
    ask.peer.name = "bsf.example";
    ask.peer.trust_anchors = server.certificate;
    assert_int_equal(do_ask(fixture, &ask, server.port), HTTP_E_OWN_EXPIRED);
    assert_words(&ask, "expired");
    tls_server_stop(&server);
    tls_remove_files(&old);
}

/* --- What stays ---------------------------------------------------------------------------------------- */

static const char token[] = "{\"enrolmentToken\":\"a-token-that-is-presented-once\"}";
static const char answer[] = "{\"keyValue\":\"the-key-that-a-MEF-has-made-for-us\"}";

static void test_nothing_secret_stays_in_the_program(void **state) {
    for (int psk = 0; psk < 2; psk++) {
        struct handshake_server server = mef_of(*state, NORMAL);
        _cleanup_ask_ struct ask ask = {.request = {.method = HTTP_POST,
                                                    .body = (const uint8_t *)token,
                                                    .body_length = sizeof(token) - 1,
                                                    .secret_body = true}};

        if (psk) {
            server = (struct handshake_server){.priority = PSK, .psk = kpm};
            use_psk(&ask);
        } else {
            use_certificate(&ask, *state);
        }
        server.body = answer;
        handshake_server_start(&server);
        assert_int_equal(do_ask(*state, &ask, server.port), 0);
        handshake_server_stop(&server);
        assert_forgotten(&ask, *state);
    }
}

/* --- A credential that is none ---------------------------------------------------------------------- */

static void expect_unusable(const struct fixture *fixture, struct ask *ask, const char *words) {
    struct handshake_server server = mef_of(fixture, NORMAL);

    expect_failure(fixture, ask, &server, HTTP_E_CREDENTIAL, words);
    assert_int_equal(server.handshakes, 0);
}

static int sign_nothing(void *userdata, const uint8_t digest[SECURE_DIGEST_LENGTH],
                        uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure) {
    (void)userdata, (void)digest, (void)ret, (void)ret_length;
    return failure_set(failure, HTTP_E_CREDENTIAL, "the secure environment was taken away");
}

static void test_a_credential_that_cannot_be_used_is_named(void **state) {
    const struct fixture *fixture = *state;
    _cleanup_ask_ struct ask other = {0}, garbage = {0}, no_key = {0}, no_certificate = {0};
    _cleanup_ask_ struct ask no_identity = {0}, no_psk = {0}, elsewhere = {0}, nobody = {0};
    struct fixture mixed = *fixture;

    (void)strcpy(mixed.ours.key, fixture->theirs.key);
    use_certificate(&other, &mixed);
    expect_unusable(fixture, &other, "our own private key");
    use_certificate(&garbage, fixture);
    (void)strcpy(garbage.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n");
    expect_unusable(fixture, &garbage, "our own certificate");
    use_certificate(&no_key, fixture);
    no_key.handshake.private_key = NULL;
    expect_unusable(fixture, &no_key, "no private key");
    use_certificate(&no_certificate, fixture);
    no_certificate.handshake.certificate = NULL;
    expect_unusable(fixture, &no_certificate, "without its certificate");
    use_certificate(&elsewhere, fixture);
    elsewhere.handshake.private_key = NULL;
    elsewhere.handshake.signer = &(struct http_signer){sign_nothing, NULL};
    expect_unusable(fixture, &elsewhere, "was taken away");
    use_psk(&no_identity);
    no_identity.handshake.psk_identity = NULL;
    expect_unusable(fixture, &no_identity, "without its identity");
    use_psk(&no_psk);
    no_psk.handshake.psk = NULL;
    expect_unusable(fixture, &no_psk, "without its pre-shared key");
    expect_unusable(fixture, &nobody, "expects nobody");
}

static void test_a_handshake_beyond_the_limits_is_refused_here(void **state) {
    static char name[PEER_NAME_MAX + 2], identity[PSK_IDENTITY_MAX + 2],
        suites[CIPHER_SUITES_MAX + 2];
    struct ask asks[3] = {{.handshake.suites = suites}};

    memset(name, 'n', sizeof(name) - 1);
    memset(identity, 'i', sizeof(identity) - 1);
    memset(suites, 'A', sizeof(suites) - 1);
    use_psk(&asks[0]);
    use_psk(&asks[1]);
    asks[1].handshake.psk_identity = identity;
    use_certificate(&asks[2], *state);
    asks[2].peer.name = name;
    for (size_t i = 0; i < ELEMENTS(asks); i++) {
        assert_int_equal(do_ask(*state, &asks[i], 1), -EINVAL);
        ask_done(&asks[i]);
    }
}

#define client_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        client_test(test_by_psk_the_exporter_is_the_servers_with_each_suite),
        client_test(test_each_method_arrives_with_its_body),
        client_test(test_each_request_has_a_connection_and_an_exporter_of_its_own),
        client_test(test_the_largest_body_arrives_and_a_larger_one_is_not_sent),
        client_test(test_a_secret_body_is_in_a_secret_and_nowhere_else),
        client_test(test_a_secret_body_that_no_secret_holds_is_too_large),
        client_test(test_without_extended_master_secret_nothing_is_asked),
        client_test(test_a_wrong_key_and_an_unknown_identity_are_the_keys_fault),
        client_test(test_an_identity_that_openssl_does_not_know_is_the_keys_fault),
        client_test(test_by_psk_no_suite_with_a_certificate_is_offered),
        client_test(test_another_version_than_1_2_is_refused),
        client_test(test_by_certificate_the_exporter_is_the_servers_with_each_suite),
        client_test(test_a_private_key_in_der_serves_as_well),
        client_test(test_without_a_certificate_of_ours_the_servers_is_verified_all_the_same),
        client_test(test_who_is_not_the_mef_is_not_asked),
        client_test(test_what_the_server_has_against_our_certificate_is_named),
        client_test(test_an_expired_certificate_of_ours_is_refused_by_a_server_as_expired),
        client_test(test_nothing_secret_stays_in_the_program),
        client_test(test_a_credential_that_cannot_be_used_is_named),
        client_test(test_a_handshake_beyond_the_limits_is_refused_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
