/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ub over https in the running service, with a BSF that speaks GnuTLS: the right server gives a key, whatever is wrong with
 * another is named with its remedy, and what the operator configures reaches the BSF.
 */

#include "certificate.h"
#include "gateway.h"

#define TLS_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

/*
 * A gateway whose BSF has that certificate and @more of keystrap-lab's options (NULL-terminated); @config is the rest of
 * [GBA], where TrustAnchors stands already.
 */
static void start(struct gateway *gateway, struct world *world,
                  const struct certificate *certificate, const char *const *more,
                  const char *config) {
    struct tls_server files = {0};
    const char *options[16] = {"--tls-cert", files.certificate, "--tls-key", files.key};
    char text[2048];

    write_certificate(&files, certificate);
    for (size_t i = 4; more && *more; i++)
        options[i] = *more++;
    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    assert_non_null(world_start_pcscd(world));
    gateway->usim = world_start_usim(world, SUBSCRIBER, NULL);
    assert_non_null(gateway->usim);
    gateway_start_network(gateway, options);
    assert_int_equal(world_write_defaults(gateway->bsf), 0);
    (void)snprintf(text, sizeof(text),
                   "[GBA]\nScheme=https\nConnectTo=127.0.0.1:%u\nTrustAnchors=%s\n%s\n",
                   gateway->bsf->port, files.certificate, config);
    assert_int_equal(world_write_config(text), 0);
    gateway->keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(gateway->keystrapd);
}

static void a_bsf_with_the_right_certificate_gives_a_key(void **state) {
    struct gateway gateway;

    start(&gateway, *state, &good, NULL, "");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

/* Each in words of its own, and under the name that the bus has for it. */
static void expect_refused(struct gateway *gateway, const char *cause, const char *remedy) {
    char key[128], error[128];

    assert_int_equal(gateway_ask(gateway, WORLD_USER_METER, WORLD_NAF_NAME, key, 128), 75);
    assert_true(gateway_said(gateway, cause));
    assert_true(gateway_said(gateway, remedy));
    gateway_property(gateway, "LastError", error, sizeof(error));
    assert_string_equal(error, "org.keystrap.Agent1.Error.BsfTlsFailed");
}

static void a_certificate_for_another_name_is_refused(void **state) {
    static const struct certificate other = {"naf.example.com", -DAY, DAY};
    struct gateway gateway;

    start(&gateway, *state, &other, NULL, "");
    expect_refused(&gateway, "is for another name", "Bsf=");
}

static void an_expired_certificate_is_refused(void **state) {
    static const struct certificate expired = {WORLD_BSF_NAME, -2 * DAY, -DAY};
    struct gateway gateway;

    start(&gateway, *state, &expired, NULL, "");
    expect_refused(&gateway, "has expired", "clock");
}

static void an_unknown_authority_is_refused(void **state) {
    struct tls_server others = {0};
    struct gateway gateway;
    char config[256];

    write_certificate(&others, &good);
    (void)snprintf(config, sizeof(config), "TrustAnchors=%s", others.certificate);
    start(&gateway, *state, &good, NULL, config);
    expect_refused(&gateway, "not signed by anybody", "TrustAnchors=");
}

static void trust_anchors_that_are_not_there_are_named(void **state) {
    struct gateway gateway;

    start(&gateway, *state, &good, NULL, "TrustAnchors=" WORLD_SCRATCH "/none.pem");
    expect_refused(&gateway, WORLD_SCRATCH "/none.pem", "TrustAnchors=");
}

static void a_version_below_tls_min_is_refused_until_it_is_allowed(void **state) {
    static const char *const old[] = {"--tls-priority", TLS_1_2, NULL};
    struct gateway gateway;

    start(&gateway, *state, &good, old, "TlsMin=1.3");
    expect_refused(&gateway, "TLS handshake failed", "TlsMin=1.2");
}

static void tls_1_2_is_enough_by_default(void **state) {
    static const char *const old[] = {"--tls-priority", TLS_1_2, NULL};
    struct gateway gateway;

    start(&gateway, *state, &good, old, "");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

/* A server that speaks no TLS at all is a failure of TLS, not of HTTP. */
static void a_bsf_without_tls_is_refused(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, "Scheme=https");
    expect_refused(&gateway, "TLS handshake failed", "check that this is a BSF");
}

/* Path, realm, header and user agent, as the BSF saw them; the port is in every test here. */
static void what_an_operator_wants_of_a_request_is_in_it(void **state) {
    static const char *const wishes[] = {"--path", "/gba/ub", "--realm", "realm.example", NULL};
    struct gateway gateway;
    char request[512];

    start(&gateway, *state, &good, wishes,
          "Path=/gba/ub\nRealm=realm.example\nHeader=X-Lab: 35-209900-176148-1\n"
          "UserAgent=gateway/1.0; 3gpp-gba");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_ctl(gateway.bsf, "request", request, sizeof(request)), 0);
    assert_non_null(strstr(request, "target=/gba/ub "));
    assert_non_null(strstr(request, "host=" WORLD_BSF_NAME));
    assert_non_null(strstr(request, "x-lab=35-209900-176148-1 "));
    assert_non_null(strstr(request, "user-agent=gateway/1.0; 3gpp-gba"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bsf_with_the_right_certificate_gives_a_key),
        cmocka_unit_test(a_certificate_for_another_name_is_refused),
        cmocka_unit_test(an_expired_certificate_is_refused),
        cmocka_unit_test(an_unknown_authority_is_refused),
        cmocka_unit_test(trust_anchors_that_are_not_there_are_named),
        cmocka_unit_test(a_version_below_tls_min_is_refused_until_it_is_allowed),
        cmocka_unit_test(tls_1_2_is_enough_by_default),
        cmocka_unit_test(a_bsf_without_tls_is_refused),
        cmocka_unit_test(what_an_operator_wants_of_a_request_is_in_it),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
