/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Enrolment with a MEF, end to end: keystrapd, keystrap-http and the lab's MEF on GnuTLS.
 *
 * Proved here: by pre-shared key and by certificate an application gets the key that the MEF has, too; each wrong credential,
 * certificate and answer has its named error and leaves nothing; what was enrolled survives SIGKILL; a token is presented
 * once.
 */

#include "enrolment.h"

#include <poll.h>

static void an_application_gets_the_key_that_the_mef_has(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256], usage[256], again[256], status[4096];

    enrolment_start(&enrolment, world, "psk", "https", "gateway", "");
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
    assert_int_equal(
        enrolment_ask(&enrolment, WORLD_USER_METER, "usage", "--suid=22", usage, sizeof(usage)), 0);
    assert_true(enrolment_mef_has(&enrolment, usage, "usage", "22"));
    assert_string_not_equal(key, usage);
    /* One enrolment serves all. */
    assert_int_equal(gateway_count(enrolment.mef, "registrations"), 1);
    enrolment_status(&enrolment, status, sizeof(status));
    assert_non_null(strstr(status, "State        enrolled"));
    assert_non_null(strstr(status, "Method       psk"));

    assert_int_equal(
        enrolment_ask(&enrolment, WORLD_USER_METER, "usage", "--suid=23", again, sizeof(again)),
        77);
    assert_true(gateway_said(&enrolment.gateway,
                             "grants of its keys those of SUID 22; add that SUID to Suid= there"));
    assert_int_equal(
        enrolment_ask(&enrolment, WORLD_USER_STRANGER, "km", NULL, again, sizeof(again)), 77);
    assert_true(gateway_said(&enrolment.gateway, "may not have keys with maf.example.com"));

    /* Killed and started again it has the same key, and asks nobody. */
    assert_int_equal(world_signal(enrolment.gateway.keystrapd, SIGKILL), 0);
    assert_int_equal(world_wait(enrolment.gateway.keystrapd, WORLD_WAIT_MSEC), 0);
    enrolment.gateway.keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(enrolment.gateway.keystrapd);
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, again, sizeof(again)),
                     0);
    assert_string_equal(key, again);
    assert_int_equal(gateway_count(enrolment.mef, "registrations"), 1);
}

static void the_release_1_derivation_is_the_mefs_too(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256];

    enrolment_start(&enrolment, world, "psk", "https", "gateway", "Derivation=release-1");
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "release-1", "21"));
}

static void the_older_indications_enrol_as_well(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256];

    enrolment_start(&enrolment, world, "psk", "https", "gateway", "Exchange=indications");
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
}

static void a_certificate_enrols_and_the_mefs_is_verified(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256], status[4096];

    enrolment_start(&enrolment, world, "certificate", "https", "gateway", "");
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
    enrolment_status(&enrolment, status, sizeof(status));
    assert_non_null(strstr(status, "Method       certificate"));
}

static void coap_gives_the_same_keys_by_both_methods(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256], reply[64], *status;

    enrolment_start(&enrolment, world, "psk", "coaps", "gateway", "");
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
    assert_int_equal(gateway_count(enrolment.mef, "registrations"), 1);

    enrolment_write_profile(&enrolment, "certificate", "coaps", "gateway", "");
    status = gateway_reload(&enrolment.gateway);
    free(status);
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));

    assert_int_equal(world_ctl(enrolment.mef, "fault refuse x1", reply, sizeof(reply)), 0);
    assert_int_not_equal(enrolment_enrol(&enrolment, true), 0);
    assert_true(gateway_said(&enrolment.gateway, "refused on request"));
    assert_int_equal(world_stop(enrolment.mef), 0);
    assert_int_not_equal(enrolment_enrol(&enrolment, true), 0);
    assert_true(gateway_said(&enrolment.gateway, "cannot be reached"));
}

static void by_coap_a_wrong_certificate_is_refused_before_anything_is_asked(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;

    enrolment_start(&enrolment, world, "certificate", "coaps", "gateway",
                    "[Certificate]\nPeerName=other.example.com\n[Enrolment]");
    assert_int_not_equal(enrolment_enrol(&enrolment, true), 0);
    assert_true(gateway_said(&enrolment.gateway, "\"other.example.com\" (fqdn) is expected"));
    assert_int_equal(gateway_count(enrolment.mef, "registrations"), 0);
}

/* @certificate or @more is wrong, and keystrapctl says @words with status @code. */
static void refused(struct enrolment *enrolment, const char *certificate, const char *more,
                    const char *words) {
    char *status;

    enrolment_write_profile(enrolment, "certificate", "https", certificate, more);
    status = gateway_reload(&enrolment->gateway);
    free(status);
    assert_int_not_equal(enrolment_enrol(enrolment, true), 0);
    assert_true(gateway_said(&enrolment->gateway, words));
}

static void each_wrong_certificate_is_refused_by_name(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;

    enrolment_start(&enrolment, world, "certificate", "https", "gateway", "");
    refused(&enrolment, "expired", "", "expired on 2020-02-01");
    refused(&enrolment, "self", "", "mef.example.com");
    refused(&enrolment, "gateway", "[Certificate]\nPeerName=other.example.com\n[Enrolment]",
            "\"other.example.com\" (fqdn) is expected");
    refused(&enrolment, "gateway",
            "[Certificate]\nPeerRoot="
            "0000000000000000000000000000000000000000000000000000000000000000\n[Enrolment]",
            "0000000000000000... is expected");
    refused(&enrolment, "gateway", "[Certificate]\nRequireOcsp=yes\n[Enrolment]",
            "staples no OCSP response");
    refused(&enrolment, "gateway", "[Certificate]\nCrl=/nonexistent\n[Enrolment]",
            "no CRL can be read");
    assert_int_equal(gateway_count(enrolment.mef, "registrations"), 0);
}

static void a_wrong_pre_shared_key_is_told_from_no_mef_at_all(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    FILE *kpm;

    enrolment_start(&enrolment, world, "psk", "https", "gateway", "");
    kpm = fopen(WORLD_CREDENTIALS "/kpm", "we");
    assert_non_null(kpm);
    assert_true(fputs("not the key that the MEF has", kpm) >= 0);
    assert_int_equal(fclose(kpm), 0);
    assert_int_not_equal(enrolment_enrol(&enrolment, true), 0);
    assert_true(gateway_said(&enrolment.gateway, "may not know the identity"));
    assert_int_equal(world_stop(enrolment.mef), 0);
    assert_int_not_equal(enrolment_enrol(&enrolment, true), 0);
    assert_true(gateway_said(&enrolment.gateway, "cannot be reached"));
}

static void each_fault_of_a_mef_has_its_name_and_leaves_nothing(void **state) {
    static const struct {
        const char *fault, *words;
    } faults[] = {
        {"fault busy 7 x1", "busy"},          {"fault refuse x1", "refused on request"},
        {"fault garbage x1", "as HTTP says"}, {"fault close x1", "mef.example.com"},
        {"fault type x1", "Content-Type"},    {"fault expired x1", "has ended already"},
        {"fault changed x1", "adminFQDN"},    {"fault big x1", "more than we take"},
        {"fault number x1", "X-M2M-RI"},      {"fault silent x1", "in time"},
        {"fault lost x1", "in time"},
    };
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256], reply[64];

    enrolment_start(&enrolment, world, "psk", "https", "gateway", "");
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_int_equal(world_ctl(enrolment.mef, faults[i].fault, reply, sizeof(reply)), 0);
        if (enrolment_enrol(&enrolment, true) == 0)
            fail_msg("%s did not show", faults[i].fault);
        assert_true(gateway_said(&enrolment.gateway, faults[i].words));
    }
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
}

static void a_token_is_presented_once_though_the_answer_is_lost(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char reply[64];

    enrolment_start(&enrolment, world, "psk", "https", "gateway",
                    "[Token]\nToken=" WORLD_SCRATCH "/token\n[Enrolment]");
    assert_int_equal(world_ctl(enrolment.mef, "token gateway.example.com 0123456789abcdef", reply,
                               sizeof(reply)),
                     0);
    assert_int_equal(
        world_call_as(world, WORLD_USER_KEYSTRAP,
                      (const char *const[]){
                          "/bin/sh", "-c",
                          "umask 077; printf 0123456789abcdef >" WORLD_SCRATCH "/token", NULL},
                      NULL, 0),
        0);
    free(gateway_reload(&enrolment.gateway));
    enrolment_write_profile(&enrolment, "psk", "https", "gateway",
                            "Labels=again\n[Token]\nToken=" WORLD_SCRATCH "/token\n[Enrolment]");
    free(gateway_reload(&enrolment.gateway));
    assert_int_equal(world_ctl(enrolment.mef, "fault lost x1", reply, sizeof(reply)), 0);
    assert_int_not_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(gateway_count(enrolment.mef, "tokens"), 1);

    assert_int_equal(world_signal(enrolment.gateway.keystrapd, SIGKILL), 0);
    assert_int_equal(world_wait(enrolment.gateway.keystrapd, WORLD_WAIT_MSEC), 0);
    enrolment.gateway.keystrapd = world_start_keystrapd(world, NULL);
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(gateway_count(enrolment.mef, "tokens"), 1);
    assert_int_equal(gateway_count(enrolment.mef, "token-refusals"), 0);
}

/* A profile whose certificate is issued here, for a key that is made in a token, or in memory where @secure is false. */
static void write_provisioned(struct enrolment *enrolment, const char *methods, unsigned port,
                              bool secure) {
    char text[2048];

    (void)snprintf(text, sizeof(text),
                   "[Enrolment]\nMethods=%s\nMef=https://" WORLD_MEF_NAME "\n"
                   "ConnectTo=127.0.0.1:%u\nTarget=" WORLD_MAF_NAME
                   "\nIdentity=gateway.example.com\nCommands=yes\n"
                   "[Psk]\nKpmId=10-gateway@mef.example.com\nKpm=credential:kpm\n"
                   "[Certificate]\nProvision=yes\nTrustAnchors=" WORLD_CERTIFICATES "/ca.pem\n%s",
                   methods, port,
                   secure ? "PrivateKey=pkcs11:token=gateway;object=mef\n"
                            "PrivateKeyPin=credential:pin\n"
                          : "");
    assert_int_equal(world_write_profile("water", text), 0);
    free(gateway_reload(&enrolment->gateway));
}

static void a_certificate_is_issued_by_est_and_used(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256], text[2048];

    enrolment_start(&enrolment, world, "psk", "https", "gateway", "");
    write_provisioned(&enrolment, "psk", enrolment.mef->port, false);
    assert_int_equal(
        world_ctl(enrolment.mef, "commands gateway.example.com 1 3 2 91", text, sizeof(text)), 0);
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    /* CERT_PROV was done, MO_NODE and DEV_CFG answered, and somebody else's address refused: the last answer. */
    assert_int_equal(world_ctl(enrolment.mef, "status gateway.example.com", text, sizeof(text)), 0);
    assert_string_equal(text, "ok 43");
    assert_int_equal(world_ctl(enrolment.mef, "est count", text, sizeof(text)), 0);
    assert_non_null(strstr(text, "enrolled 1"));
}

/* In a world with a token "gateway", of whose PIN there is a credential. */
static void make_token(struct world *world) {
    const char *const argv[] = {"softhsm2-util", "--init-token", "--free", "--label", "gateway",
                                "--so-pin",      "12345678",     "--pin",  "5678",    NULL};
    FILE *pin;

    assert_int_equal(world_call_as(world, WORLD_USER_KEYSTRAP, argv, NULL, 0), 0);
    pin = fopen(WORLD_CREDENTIALS "/pin", "we");
    assert_non_null(pin);
    assert_true(fputs("5678\n", pin) >= 0);
    assert_int_equal(fclose(pin), 0);
}

static unsigned count_objects(struct world *world) {
    const char *const argv[] = {"pkcs11-tool",
                                "--module",
                                "/usr/lib/softhsm/libsofthsm2.so",
                                "--token-label",
                                "gateway",
                                "--login",
                                "--pin",
                                "5678",
                                "-O",
                                NULL};
    char text[4096];
    unsigned count = 0;

    assert_int_equal(world_call_as(world, WORLD_USER_KEYSTRAP, argv, text, sizeof(text)), 0);
    for (const char *at = text; (at = strstr(at, "Private Key Object; EC")); at++)
        count++;
    return count;
}

static void a_certificate_for_a_key_in_a_token_is_issued_and_enrols_after_a_restart(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256], text[2048];

    make_token(world);
    enrolment_start(&enrolment, world, "psk", "https", "gateway", "");
    write_provisioned(&enrolment, "psk", enrolment.mef->port, true);
    assert_int_equal(world_ctl(enrolment.mef, "commands gateway.example.com 1", text, sizeof(text)),
                     0);
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(world_ctl(enrolment.mef, "est count", text, sizeof(text)), 0);
    assert_non_null(strstr(text, "enrolled 1"));
    assert_int_equal(count_objects(world), 1);

    /* By certificate, at the port for it, after a restart, with the key that only the token has. */
    write_provisioned(&enrolment, "certificate", enrolment.mef->certificate_port, true);
    assert_int_equal(world_signal(enrolment.gateway.keystrapd, SIGKILL), 0);
    assert_int_equal(world_wait(enrolment.gateway.keystrapd, WORLD_WAIT_MSEC), 0);
    enrolment.gateway.keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(enrolment.gateway.keystrapd);
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
    enrolment_status(&enrolment, text, sizeof(text));
    assert_non_null(strstr(text, "Method       certificate"));
    assert_int_equal(count_objects(world), 1);
}

/* The lab's MEF again, whose certificates last @lifetime seconds. */
static void restart_mef(struct enrolment *enrolment, struct world *world, const char *lifetime) {
    const char *const extra[] = {"--lifetime", lifetime, NULL};

    assert_int_equal(world_stop(enrolment->mef), 0);
    enrolment->mef = world_start_mef(world, extra);
    assert_non_null(enrolment->mef);
}

static void a_certificate_is_renewed_by_itself_before_it_expires(void **state) {
    struct world *world = *state;
    struct enrolment enrolment;
    char key[256], text[2048] = "";
    uint64_t end;

    enrolment_start(&enrolment, world, "psk", "https", "gateway", "");
    restart_mef(&enrolment, world, "62");
    write_provisioned(&enrolment, "psk", enrolment.mef->port, false);
    assert_int_equal(world_ctl(enrolment.mef, "commands gateway.example.com 1", text, sizeof(text)),
                     0);
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    /* What was issued by Kpm at one port is used, and renewed, at the other. */
    write_provisioned(&enrolment, "certificate", enrolment.mef->certificate_port, false);
    for (end = world_elapsed_msec(world) + 45000;
         !strstr(text, "renewed 1") && world_elapsed_msec(world) < end; (void)poll(NULL, 0, 200))
        assert_int_equal(world_ctl(enrolment.mef, "est count", text, sizeof(text)), 0);
    assert_non_null(strstr(text, "enrolled 1"));
    assert_non_null(strstr(text, "renewed 1"));
    assert_int_equal(enrolment_enrol(&enrolment, true), 0);
    assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)), 0);
    assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_application_gets_the_key_that_the_mef_has),
        cmocka_unit_test(the_release_1_derivation_is_the_mefs_too),
        cmocka_unit_test(the_older_indications_enrol_as_well),
        cmocka_unit_test(a_certificate_enrols_and_the_mefs_is_verified),
        cmocka_unit_test(coap_gives_the_same_keys_by_both_methods),
        cmocka_unit_test(by_coap_a_wrong_certificate_is_refused_before_anything_is_asked),
        cmocka_unit_test(each_wrong_certificate_is_refused_by_name),
        cmocka_unit_test(a_wrong_pre_shared_key_is_told_from_no_mef_at_all),
        cmocka_unit_test(each_fault_of_a_mef_has_its_name_and_leaves_nothing),
        cmocka_unit_test(a_token_is_presented_once_though_the_answer_is_lost),
        cmocka_unit_test(a_certificate_is_issued_by_est_and_used),
        cmocka_unit_test(a_certificate_is_renewed_by_itself_before_it_expires),
        cmocka_unit_test(a_certificate_for_a_key_in_a_token_is_issued_and_enrols_after_a_restart),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
