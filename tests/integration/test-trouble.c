/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trouble: card, reader, pcscd, transport and BSF fail in the middle of things. Each time there is an error with a
 * name, in time, and afterwards a working key without a restart of keystrapd.
 */

#include "gateway.h"

#include <signal.h>
#include <unistd.h>

/* Asking fails, with this exit status and these words. */
static void expect_error(struct gateway *gateway, int status, const char *words) {
    char key[128];

    assert_int_equal(gateway_ask(gateway, WORLD_USER_METER, "naf.example.com", key, 128), status);
    assert_true(gateway_said(gateway, words));
}

/* What failed last has this name on the bus. */
static void expect_last_error(struct gateway *gateway, const char *name) {
    char error[128], expected[128];

    (void)snprintf(expected, sizeof(expected), "org.keystrap.Agent1.Error.%s", name);
    gateway_property(gateway, "LastError", error, sizeof(error));
    assert_string_equal(error, expected);
}

static void expect_recovery(struct gateway *gateway) {
    assert_int_equal(world_ctl(gateway->bsf, "clear", NULL, 0), 0);
    assert_int_equal(world_ctl(gateway->usim, "clear", NULL, 0), 0);
    assert_int_equal(gateway_naf_get(gateway, WORLD_USER_METER), 0);
    assert_true(gateway->keystrapd->running);
}

/* An application may not ask a BSF again at once that has failed; the operator may. */
static void expect_recovery_of_bsf(struct gateway *gateway) {
    assert_int_equal(world_ctl(gateway->bsf, "clear", NULL, 0), 0);
    assert_int_equal(gateway_bootstrap(gateway), 0);
    expect_recovery(gateway);
}

static void no_card_is_a_state_and_a_card_that_comes_is_used(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_ctl(gateway.usim, "remove", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "no-card"));
    expect_error(&gateway, 69, "no card");
    assert_int_equal(world_ctl(gateway.usim, "insert", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_recovery(&gateway);
}

static void a_card_pulled_after_the_bootstrap_takes_its_ks_along(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_ctl(gateway.usim, "remove", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "no-card"));
    assert_int_equal(world_ctl(gateway.usim, "insert", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_recovery(&gateway);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 2);
}

static void a_card_pulled_in_the_middle_is_a_named_error(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(world_ctl(gateway.usim, "fault drop-at 1", NULL, 0), 0);
    expect_error(&gateway, 69, "there is no card");
    assert_true(gateway_wait_state(&gateway, "no-card"));
    assert_int_equal(world_ctl(gateway.usim, "insert", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_recovery(&gateway);
}

static void a_silent_card_is_a_named_error_in_time(void **state) {
    struct gateway gateway;
    uint64_t begin;

    gateway_start(&gateway, *state, NULL, "[UICC]\nApduTimeoutSec=1");
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(world_ctl(gateway.usim, "fault silent-at 1 4", NULL, 0), 0);
    begin = world_elapsed_msec(gateway.world);
    expect_error(&gateway, 75, "no answer within 1000 ms");
    expect_last_error(&gateway, "CardSilent");
    assert_true(world_elapsed_msec(gateway.world) - begin < 4000);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_recovery(&gateway);
}

static void a_transport_that_is_killed_takes_no_key_along(void **state) {
    struct gateway gateway;
    char key[128];
    pid_t pid;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    pid = gateway_program("uicc-pcsc");
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_true(gateway_program("uicc-pcsc") != pid);
}

static void pcscd_may_go_and_come(void **state) {
    struct world_process *pcscd;
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    pcscd = world_find(gateway.world, "pcscd");
    assert_non_null(pcscd);
    assert_int_equal(world_signal(pcscd, SIGKILL), 0);
    assert_int_equal(world_wait(pcscd, WORLD_WAIT_MSEC), 0);
    assert_true(gateway_wait_state(&gateway, "no-service"));
    expect_error(&gateway, 69, "pcsc");
    assert_non_null(world_start_pcscd(gateway.world));
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_recovery(&gateway);
}

static void a_network_that_the_card_does_not_trust_is_not_answered(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_ctl(gateway.bsf, "fault wrong-mac x1", NULL, 0), 0);
    expect_error(&gateway, 69, "network");
    expect_last_error(&gateway, "NetworkNotAuthentic");
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 1);
    expect_recovery_of_bsf(&gateway);
}

static void a_pin_is_named_and_never_tried(void **state) {
    static const char *const arguments[] = {"--pin-enabled", NULL};
    struct gateway gateway;
    char tries[16];

    gateway_start(&gateway, *state, arguments, NULL);
    assert_true(gateway_wait_state(&gateway, "card-unusable"));
    expect_error(&gateway, 69, "PIN");
    expect_last_error(&gateway, "PinRequired");
    gateway_property(&gateway, "PinTries", tries, sizeof(tries));
    assert_string_equal(tries, "3");
}

static void what_a_bsf_does_wrong_has_a_name(void **state) {
    static const struct {
        const char *fault;
        const char *error; /* of org.keystrap.Agent1.Error. */
    } cases[] = {
        {"fault status 403", "BsfRefused"},
        {"fault status 404", "BsfUnknown"},
        {"fault status 503", "BsfBusy"},
        {"fault garbage", "BsfProtocol"},
        {"fault body-garbage", "BootstrappingInfoMalformed"},
        {"fault no-rspauth", "BsfProofMissing"},
        {"fault wrong-rspauth", "BsfProofWrong"},
        {"fault no-challenge", "ChallengeUnusable"},
        {"fault auth-only", "ChallengeUnusable"},
        {"fault redirect", "BsfRefused"},
        {"fault big-body", "BsfAnswerTooLarge"},
        {"fault lifetime -5", "LifetimeUnusable"},
    };
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char state_now[32];

        fprintf(stderr, "%s\n", cases[i].fault);
        assert_int_equal(world_ctl(gateway.bsf, cases[i].fault, NULL, 0), 0);
        assert_int_not_equal(gateway_bootstrap(&gateway), 0);
        expect_last_error(&gateway, cases[i].error);
        gateway_property(&gateway, "State", state_now, sizeof(state_now));
        assert_string_equal(state_now, "card-ready");
        assert_int_equal(world_ctl(gateway.bsf, "clear", NULL, 0), 0);
    }
    expect_recovery_of_bsf(&gateway);
}

static void a_bsf_that_hangs_is_left_at_the_deadline(void **state) {
    struct gateway gateway;
    uint64_t begin;

    gateway_start(&gateway, *state, NULL, "RequestTimeoutSec=1");
    assert_int_equal(world_ctl(gateway.bsf, "fault hang", NULL, 0), 0);
    begin = world_elapsed_msec(gateway.world);
    expect_error(&gateway, 75, "did not answer in time");
    expect_last_error(&gateway, "BsfTimeout");
    assert_true(world_elapsed_msec(gateway.world) - begin < 5000);
    expect_recovery_of_bsf(&gateway);
}

static void a_bsf_that_failed_is_left_alone_by_applications(void **state) {
    struct gateway gateway;
    uint64_t requests;

    gateway_start(&gateway, *state, NULL, NULL);
    /* With Retry-After the first draw cannot be over at once. */
    assert_int_equal(world_ctl(gateway.bsf, "fault status 503 30", NULL, 0), 0);
    expect_error(&gateway, 75, "503");
    requests = gateway_count(gateway.bsf, "requests");
    assert_int_equal(world_ctl(gateway.bsf, "clear", NULL, 0), 0);
    expect_error(&gateway, 75, "because the last try failed: ");
    assert_int_equal(gateway_count(gateway.bsf, "requests"), requests);
    expect_recovery_of_bsf(&gateway);
}

static void a_bsf_that_is_not_there_is_named(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, "ConnectTo=127.0.0.1:1");
    expect_error(&gateway, 75, "127.0.0.1");
    expect_last_error(&gateway, "BsfUnreachable");
}

static void an_http_program_that_is_killed_is_replaced(void **state) {
    struct gateway gateway;
    pid_t pid;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    pid = gateway_program("keystrap-http");
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
}

static void the_last_caller_to_go_ends_the_bootstrap(void **state) {
    static const char *const argv[] = {"keystrapctl", "naf-key", "naf.example.com", NULL};
    struct world_process *asking;
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(world_ctl(gateway.bsf, "fault hang", NULL, 0), 0);
    asking = world_start_as(gateway.world, WORLD_USER_METER, argv);
    assert_non_null(asking);
    assert_true(gateway_wait_state(&gateway, "bootstrapping"));
    assert_int_equal(world_signal(asking, SIGKILL), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_recovery(&gateway);
}

static void a_bus_that_restarts_finds_the_service_again(void **state) {
    struct world_process *bus;
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    bus = world_find(gateway.world, "dbus-daemon");
    assert_non_null(bus);
    assert_int_equal(world_stop(bus), 0);
    assert_non_null(world_start_bus(gateway.world));
    for (uint64_t end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;
         gateway_naf_get(&gateway, WORLD_USER_METER) != 0;)
        assert_true(world_elapsed_msec(gateway.world) < end);
    assert_true(gateway.keystrapd->running);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_card_is_a_state_and_a_card_that_comes_is_used),
        cmocka_unit_test(a_card_pulled_after_the_bootstrap_takes_its_ks_along),
        cmocka_unit_test(a_card_pulled_in_the_middle_is_a_named_error),
        cmocka_unit_test(a_silent_card_is_a_named_error_in_time),
        cmocka_unit_test(a_transport_that_is_killed_takes_no_key_along),
        cmocka_unit_test(pcscd_may_go_and_come),
        cmocka_unit_test(a_network_that_the_card_does_not_trust_is_not_answered),
        cmocka_unit_test(a_pin_is_named_and_never_tried),
        cmocka_unit_test(what_a_bsf_does_wrong_has_a_name),
        cmocka_unit_test(a_bsf_that_hangs_is_left_at_the_deadline),
        cmocka_unit_test(a_bsf_that_failed_is_left_alone_by_applications),
        cmocka_unit_test(a_bsf_that_is_not_there_is_named),
        cmocka_unit_test(an_http_program_that_is_killed_is_replaced),
        cmocka_unit_test(the_last_caller_to_go_ends_the_bootstrap),
        cmocka_unit_test(a_bus_that_restarts_finds_the_service_again),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
