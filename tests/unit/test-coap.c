/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A MEF by CoAP with the real keystrap-coap: at the other end libcoap on GnuTLS, and `openssl s_server` for what that cannot
 * play. Fields are options and options fields, bodies come in blocks, the exporter is the server's; who is not the MEF, or has no
 * extended master secret, is not asked, and what it was has a name.
 */

#include "unit/coap-server.h"

#include <errno.h>
#include <sys/eventfd.h>

#define SHORT (1500 * USEC_PER_MSEC)

static int setup(void **state) {
    static struct fixture fixture;

    fixture_setup(&fixture, "keystrap-coap", "coaps://" NAME "/base/resource");
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    return fixture_done(*state) ? 0 : -1;
}

/* A key or certificates that are right, and a request that is answered. */
static struct coap_server psk_server(void) {
    return (struct coap_server){.psk = kpm, .body = "{}"};
}

static struct coap_server certificate_server(const struct fixture *fixture) {
    return (struct coap_server){.certificate = fixture->theirs.certificate,
                                .key = fixture->theirs.key,
                                .client_ca = fixture->ours.certificate,
                                .body = "{}"};
}

static void expect_failure(const struct fixture *fixture, struct ask *ask,
                           struct coap_server *server, int outcome, const char *words) {
    int r;

    coap_server_start(server);
    r = do_ask(fixture, ask, server->port);
    coap_server_stop(server);
    assert_failed(ask, r, outcome, words);
    assert_int_equal(server->requests, 0);
}

/* --- What is asked and answered --------------------------------------------------------------------- */

static void test_each_method_arrives_with_options_and_body(void **state) {
    static const struct {
        enum http_method method;
        coap_pdu_code_t code;
        const char *body;
    } cases[] = {
        {HTTP_GET, COAP_REQUEST_CODE_GET, NULL},
        {HTTP_POST, COAP_REQUEST_CODE_POST, "{\"a\":1}"},
        {HTTP_PUT, COAP_REQUEST_CODE_PUT, "{\"b\":2}"},
        {HTTP_DELETE, COAP_REQUEST_CODE_DELETE, NULL},
    };
    static const char *const headers[] = {"X-M2M-Origin: Cgateway",
                                          "X-M2M-RI: 17",
                                          "X-M2M-RVI: 3",
                                          "Accept: application/json",
                                          "Content-Type: application/json",
                                          NULL};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct coap_server server = psk_server();
        _cleanup_ask_ struct ask ask = {.request = {.method = cases[i].method, .headers = headers}};
        const char *body = cases[i].body;

        server.code = COAP_RESPONSE_CODE_CREATED;
        server.rsc = 2001;
        server.body = "{\"c\":3}";
        use_psk(&ask);
        ask.request.body = (const uint8_t *)body;
        ask.request.body_length = body ? strlen(body) : 0;
        coap_server_start(&server);
        if (do_ask(*state, &ask, server.port) != 0)
            fail_msg("%zu: %s", i, ask.failure.text);
        coap_server_stop(&server);
        assert_int_equal(ask.response.status, 201);
        assert_string_equal(ask.response.body, "{\"c\":3}");
        assert_string_equal(http_response_field(&ask.response, "X-M2M-RI", 0), "17");
        assert_string_equal(http_response_field(&ask.response, "X-M2M-RSC", 0), "2001");
        assert_string_equal(http_response_field(&ask.response, "Content-Type", 0),
                            "application/json");
        assert_exporter(&ask, server.exporter);
        assert_int_equal(server.requests, 1);
        assert_int_equal(server.method, cases[i].code);
        assert_string_equal(server.path, "base/resource");
        assert_string_equal(server.origin, "Cgateway");
        assert_string_equal(server.release, "3");
        assert_int_equal(server.format, COAP_MEDIATYPE_APPLICATION_JSON);
        assert_int_equal(server.accept, COAP_MEDIATYPE_APPLICATION_JSON);
        assert_string_equal(server.name, NAME);
        assert_int_equal(server.received_length, body ? strlen(body) : 0);
        if (body)
            assert_memory_equal(server.received, body, strlen(body));
    }
}

static void test_bodies_larger_than_a_datagram_go_both_ways(void **state) {
    static char there[HTTP_SEND_MAX], back[HTTP_BODY_MAX];
    struct coap_server server = psk_server();
    _cleanup_ask_ struct ask ask = {.request = {.method = HTTP_PUT,
                                                .body = (const uint8_t *)there,
                                                .body_length = sizeof(there)}};

    for (size_t i = 0; i < sizeof(there); i++)
        there[i] = (char)('a' + i % 23);
    for (size_t i = 0; i < sizeof(back) - 1; i++)
        back[i] = (char)('A' + i % 23);
    server.body = back;
    use_psk(&ask);
    coap_server_start(&server);
    if (do_ask(*state, &ask, server.port) != 0)
        fail_msg("%s", ask.failure.text);
    coap_server_stop(&server);
    assert_int_equal(server.received_length, sizeof(there));
    assert_memory_equal(server.received, there, sizeof(there));
    assert_int_equal(ask.response.body_length, sizeof(back) - 1);
    assert_memory_equal(ask.response.body, back, sizeof(back) - 1);
}

static void test_an_answer_beyond_the_limit_is_too_large(void **state) {
    static char back[HTTP_BODY_MAX + 2];
    struct coap_server server = psk_server();
    _cleanup_ask_ struct ask ask = {0};
    int r;

    memset(back, 'x', sizeof(back) - 1);
    server.body = back;
    use_psk(&ask);
    coap_server_start(&server);
    r = do_ask(*state, &ask, server.port);
    coap_server_stop(&server);
    assert_failed(&ask, r, HTTP_E_TOO_LARGE, NAME);
}

static void test_a_refusal_is_an_answer(void **state) {
    struct coap_server server = psk_server();
    _cleanup_ask_ struct ask ask = {.request.secret_body = true};

    server.code = COAP_RESPONSE_CODE_FORBIDDEN;
    server.rsc = 4103;
    server.body = "{\"error\":\"no\"}";
    use_psk(&ask);
    coap_server_start(&server);
    assert_int_equal(do_ask(*state, &ask, server.port), 0);
    coap_server_stop(&server);
    assert_int_equal(ask.response.status, 403);
    assert_string_equal(http_response_field(&ask.response, "X-M2M-RSC", 0), "4103");
    assert_null(ask.response.body);
    assert_memory_equal(secret_data(ask.response.secret_body), server.body, strlen(server.body));
}

static void test_each_request_has_a_handshake_of_its_own(void **state) {
    struct coap_server server = psk_server();
    uint8_t first[TLS_EXPORTER_LENGTH];

    coap_server_start(&server);
    for (int i = 0; i < 2; i++) {
        _cleanup_ask_ struct ask ask = {0};

        use_psk(&ask);
        assert_int_equal(do_ask(*state, &ask, server.port), 0);
        if (i == 0)
            memcpy(first, secret_data(ask.response.exporter), sizeof(first));
        else
            assert_memory_not_equal(secret_data(ask.response.exporter), first, sizeof(first));
    }
    coap_server_stop(&server);
    assert_int_equal(server.requests, 2);
}

/* --- Who it is ----------------------------------------------------------------------------------------- */

static void test_by_certificate_the_exporter_is_the_servers(void **state) {
    struct coap_server server = certificate_server(*state);
    _cleanup_ask_ struct ask ask = {0};

    use_certificate(&ask, *state);
    coap_server_start(&server);
    if (do_ask(*state, &ask, server.port) != 0)
        fail_msg("%s", ask.failure.text);
    coap_server_stop(&server);
    assert_exporter(&ask, server.exporter);
    assert_string_equal(server.name, NAME);
}

static void test_who_is_not_the_mef_is_not_asked(void **state) {
    const struct fixture *fixture = *state;
    struct coap_server other = certificate_server(fixture), unpinned = other, unstapled = other,
                       old_one = other;
    _cleanup_ask_ struct ask name = {0}, root = {0}, staple = {0}, expired = {0};
    struct tls_server old = {0};

    tls_write_files(&old, NAME, -2 * DAY, -DAY);
    use_certificate(&name, fixture);
    name.peer.name = "maf.example.com";
    expect_failure(fixture, &name, &other, PEER_E_NAME, "maf.example.com");
    use_certificate(&root, fixture);
    root.peer.roots_count = 1;
    root.peer.roots[0].length = PEER_DIGEST_MAX;
    expect_failure(fixture, &root, &unpinned, PEER_E_ROOT, "root of trust");
    use_certificate(&staple, fixture);
    staple.peer.ocsp_required = true;
    expect_failure(fixture, &staple, &unstapled, PEER_E_STATUS, "staples no OCSP response");
    old_one.certificate = old.certificate;
    old_one.key = old.key;
    use_certificate(&expired, fixture);
    expired.peer.trust_anchors = old.certificate;
    expect_failure(fixture, &expired, &old_one, PEER_E_EXPIRED, "expired on");
    tls_remove_files(&old);
}

/* GnuTLS takes a record that it cannot read for noise, so that there may be no alert: then the time is up. */
static void test_with_a_wrong_key_or_identity_nothing_is_asked(void **state) {
    struct coap_server servers[] = {psk_server(), psk_server()};
    struct ask asks[] = {{.request.connect_timeout_usec = SHORT},
                         {.request.connect_timeout_usec = SHORT}};

    use_psk(&asks[0]);
    use_psk(&asks[1]);
    secret_data_mutable(asks[0].psk)[15] ^= 1;
    asks[1].handshake.psk_identity = "10-nobody@mef.example.com";
    for (size_t i = 0; i < ELEMENTS(asks); i++) {
        int r;

        coap_server_start(&servers[i]);
        r = do_ask(*state, &asks[i], servers[i].port);
        coap_server_stop(&servers[i]);
        assert_true(r == HTTP_E_PSK || r == HTTP_E_CONNECT);
        assert_words(&asks[i], asks[i].handshake.psk_identity);
        assert_int_equal(servers[i].requests, 0);
        ask_done(&asks[i]);
    }
}

static void test_nothing_secret_stays_in_the_program(void **state) {
    static const char token[] = "{\"enrolmentToken\":\"a-token-that-is-presented-once\"}";
    static char answer[4000] = "{\"keyValue\":\"the-key-that-a-MEF-has-made-for-us\"}";

    for (size_t i = strlen(answer); i < sizeof(answer) - 1; i++)
        answer[i] = (char)('a' + i % 19); /* in blocks */
    for (int psk = 0; psk < 2; psk++) {
        struct coap_server server = psk ? psk_server() : certificate_server(*state);
        _cleanup_ask_ struct ask ask = {.request = {.method = HTTP_POST,
                                                    .body = (const uint8_t *)token,
                                                    .body_length = sizeof(token) - 1,
                                                    .secret_body = true}};

        if (psk)
            use_psk(&ask);
        else
            use_certificate(&ask, *state);
        server.body = answer;
        coap_server_start(&server);
        assert_int_equal(do_ask(*state, &ask, server.port), 0);
        coap_server_stop(&server);
        assert_forgotten(&ask, *state);
    }
}

/* --- openssl s_server ------------------------------------------------------------------------------- */

#define PSK_OPTIONS "-dtls1_2 -nocert -psk_identity " PSK_IDENTITY " -psk "
#define KPM_HEX     "4b706d9a8b7c6d5e4f30211203f4e5d6"
#define OTHER_HEX   "00112233445566778899aabbccddeeff"

/* @options without -www, which is not for datagrams. */
static void openssl_start(struct tls_server *server, const char *options) {
    tls_server_run(server, "", options, -DAY, DAY);
}

static void test_a_wrong_key_that_is_told_of_is_the_keys_fault(void **state) {
    _cleanup_ask_ struct ask ask = {.request.connect_timeout_usec = 5 * USEC_PER_SEC};
    struct tls_server server = {0};
    int r;

    openssl_start(&server, PSK_OPTIONS OTHER_HEX);
    use_psk(&ask);
    r = do_ask(*state, &ask, server.port);
    tls_server_stop(&server);
    assert_true(r == HTTP_E_PSK || r == HTTP_E_CONNECT);
    assert_words(&ask, PSK_IDENTITY);
}

static void test_without_extended_master_secret_nothing_is_asked(void **state) {
    const struct fixture *fixture = *state;
    _cleanup_ask_ struct ask ask = {0};
    struct tls_server server = {0};
    char path[128];
    FILE *file;
    int r;

    (void)snprintf(path, sizeof(path), "%s/openssl.cnf", fixture->theirs.directory);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                      "Options = -ExtendedMasterSecret\n",
                      file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("OPENSSL_CONF", path, 1), 0);
    openssl_start(&server, PSK_OPTIONS KPM_HEX);
    assert_int_equal(unsetenv("OPENSSL_CONF"), 0);
    (void)unlink(path);
    use_psk(&ask);
    r = do_ask(fixture, &ask, server.port);
    tls_server_stop(&server);
    assert_failed(&ask, r, HTTP_E_MASTER_SECRET, NAME);
}

static void test_an_expired_certificate_of_ours_is_refused_as_expired(void **state) {
    const struct fixture *fixture = *state;
    _cleanup_ask_ struct ask ask = {0};
    struct tls_server old = {0}, server = {0};
    struct fixture mine = *fixture;
    char options[256];
    int r;

    tls_write_files(&old, "gateway.example.com", -2 * DAY, -DAY);
    mine.ours = old;
    (void)snprintf(options, sizeof(options), "-dtls1_2 -Verify 1 -verify_return_error -CAfile %s",
                   old.certificate);
    openssl_start(&server, options);
    use_certificate(&ask, &mine);
    ask.peer.name = "bsf.example";
    ask.peer.trust_anchors = server.certificate;
    r = do_ask(fixture, &ask, server.port);
    tls_server_stop(&server);
    tls_remove_files(&old);
    assert_failed(&ask, r, HTTP_E_OWN_EXPIRED, "expired");
}

/* As in test-http-handshake.c. */
static void test_by_psk_no_suite_with_a_certificate_is_offered(void **state) {
    _cleanup_ask_ struct ask ask = {.request.connect_timeout_usec = 5 * USEC_PER_SEC};
    struct tls_server server = {0};
    int r;

    openssl_start(&server, "-dtls1_2");
    use_psk(&ask);
    ask.handshake.suites = "ECDHE-ECDSA-AES128-GCM-SHA256:PSK-AES128-CCM8";
    r = do_ask(*state, &ask, server.port);
    tls_server_stop(&server);
    assert_failed(&ask, r, HTTP_E_TLS, NAME);
}

static void test_who_shakes_hands_and_says_nothing_costs_its_time(void **state) {
    _cleanup_ask_ struct ask ask = {.request.request_timeout_usec = SHORT};
    struct tls_server server = {0};
    uint64_t began;
    int r;

    openssl_start(&server, PSK_OPTIONS KPM_HEX);
    use_psk(&ask);
    began = now_usec();
    r = do_ask(*state, &ask, server.port);
    assert_true(now_usec() - began < 10 * USEC_PER_SEC);
    tls_server_stop(&server);
    assert_failed(&ask, r, HTTP_E_TIMEOUT, NAME);
}

/* --- Nobody, and nothing that is to be asked ------------------------------------------------------------ */

static int bound_socket(unsigned *ret_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void test_nobody_and_somebody_who_is_silent_cannot_be_reached(void **state) {
    _cleanup_ask_ struct ask silent = {.request.connect_timeout_usec = SHORT}, nobody = {0};
    unsigned port;
    int fd = bound_socket(&port);

    use_psk(&silent);
    assert_failed(&silent, do_ask(*state, &silent, port), HTTP_E_CONNECT, NAME);
    (void)close(fd);
    use_psk(&nobody);
    assert_failed(&nobody, do_ask(*state, &nobody, port), HTTP_E_CONNECT, NAME);
}

static void test_cancelling_ends_a_request_at_once(void **state) {
    const struct fixture *fixture = *state;
    _cleanup_close_ int cancel = eventfd(1, EFD_CLOEXEC);
    _cleanup_ask_ struct ask ask = {0};
    unsigned port;
    int fd = bound_socket(&port);

    use_psk(&ask);
    (void)snprintf(ask.connect_to, sizeof(ask.connect_to), "127.0.0.1:%u", port);
    ask.request.url = fixture->url;
    ask.request.handshake = &ask.handshake;
    ask.request.connect_to = ask.connect_to;
    ask.request.connect_timeout_usec = ask.request.request_timeout_usec = 60 * USEC_PER_SEC;
    assert_int_equal(
        http_client_ask(fixture->client, &ask.request, cancel, &ask.response, &ask.failure),
        UB_E_CANCELLED);
    (void)close(fd);
}

static void test_what_is_no_coaps_url_is_not_asked(void **state) {
    static const char *const urls[] = {"https://mef.example.com/", "coap://mef.example.com/",
                                       "coaps://", "coaps://[::1/", "coaps://mef.example.com/?q=1"};

    for (size_t i = 0; i < ELEMENTS(urls); i++) {
        struct coap_server server = psk_server();
        _cleanup_ask_ struct ask ask = {.request.url = urls[i]};
        int r;

        use_psk(&ask);
        coap_server_start(&server);
        r = do_ask(*state, &ask, server.port);
        coap_server_stop(&server);
        assert_failed(&ask, r, HTTP_E_HELPER, "");
        assert_int_equal(server.requests, 0);
    }
}

static void test_a_name_without_address_is_a_resolve_error(void **state) {
    const struct fixture *fixture = *state;
    _cleanup_ask_ struct ask ask = {.request.url = "coaps://mef.invalid/"};

    use_psk(&ask);
    ask.request.handshake = &ask.handshake;
    ask.request.connect_timeout_usec = ask.request.request_timeout_usec = 10 * USEC_PER_SEC;
    assert_int_equal(
        http_client_ask(fixture->client, &ask.request, -1, &ask.response, &ask.failure),
        HTTP_E_RESOLVE);
    assert_words(&ask, "mef.invalid");
}

#define client_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        client_test(test_each_method_arrives_with_options_and_body),
        client_test(test_bodies_larger_than_a_datagram_go_both_ways),
        client_test(test_an_answer_beyond_the_limit_is_too_large),
        client_test(test_a_refusal_is_an_answer),
        client_test(test_each_request_has_a_handshake_of_its_own),
        client_test(test_by_certificate_the_exporter_is_the_servers),
        client_test(test_who_is_not_the_mef_is_not_asked),
        client_test(test_with_a_wrong_key_or_identity_nothing_is_asked),
        client_test(test_nothing_secret_stays_in_the_program),
        client_test(test_a_wrong_key_that_is_told_of_is_the_keys_fault),
        client_test(test_without_extended_master_secret_nothing_is_asked),
        client_test(test_an_expired_certificate_of_ours_is_refused_as_expired),
        client_test(test_by_psk_no_suite_with_a_certificate_is_offered),
        client_test(test_who_shakes_hands_and_says_nothing_costs_its_time),
        client_test(test_nobody_and_somebody_who_is_silent_cannot_be_reached),
        client_test(test_cancelling_ends_a_request_at_once),
        client_test(test_what_is_no_coaps_url_is_not_asked),
        client_test(test_a_name_without_address_is_a_resolve_error),
    };

    coap_startup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
