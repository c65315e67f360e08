/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The spine: from the card in pcscd's reader to a key that the NAF accepts.
 */

#include "gateway.h"

#include <signal.h>
#include <unistd.h>

static void an_application_opens_the_naf_with_its_key(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

static void a_second_key_touches_neither_card_nor_network(void **state) {
    struct gateway gateway;
    char first[128], second[128], again[128];
    uint64_t requests, apdus;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", first, 128), 0);
    requests = gateway_count(gateway.bsf, "requests");
    apdus = gateway_count(gateway.usim, "apdus");
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "b.example.com", second, 128), 0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", again, 128), 0);
    assert_int_equal(gateway_count(gateway.bsf, "requests"), requests);
    assert_int_equal(gateway_count(gateway.usim, "apdus"), apdus);
    assert_int_equal(strlen(first), 64);
    assert_string_equal(first, again);
    assert_string_not_equal(first, second);
}

static void ten_applications_at_once_cause_one_bootstrap(void **state) {
    static const char *const argv[] = {"keystrapctl", "naf-key", "naf.example.com", NULL};
    struct world_process *asking[10];
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_ctl(gateway.bsf, "fault slow 1000 x1", NULL, 0), 0);
    for (size_t i = 0; i < 10; i++) {
        asking[i] = world_start_as(gateway.world, WORLD_USER_METER, argv);
        assert_non_null(asking[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(world_wait(asking[i], WORLD_WAIT_MSEC), 0);
        assert_int_equal(world_exit_code(asking[i]), 0);
    }
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 1);
}

static void a_stranger_is_denied_by_a_named_rule(void **state) {
    struct gateway gateway;
    char key[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_STRANGER, "naf.example.com", key, 128), 77);
    assert_true(gateway_said(&gateway, "stranger"));
    assert_true(gateway_said(&gateway, "no principal"));
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.net", key, 128), 77);
    assert_true(gateway_said(&gateway, "world.conf:"));
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);
}

static void nothing_configured_is_nothing_granted(void **state) {
    struct gateway gateway;
    char key[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(unlink(WORLD_ACCESS), 0);
    assert_int_equal(world_signal(gateway.keystrapd, SIGHUP), 0);
    assert_int_equal(world_wait_notify(gateway.keystrapd, "RELOADING=1", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_wait_notify(gateway.keystrapd, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 77);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_ROOT, "naf.example.com", key, 128), 77);
}

static void a_synchronisation_failure_is_repaired_once(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_ctl(gateway.usim, "fault stale-sqn", NULL, 0), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "resyncs"), 1);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

static void a_key_ends_with_its_lifetime_and_a_new_one_comes(void **state) {
    struct gateway gateway;
    char first[128], second[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_ctl(gateway.bsf, "fault lifetime 1 x1", NULL, 0), 0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", first, 128), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", second, 128), 0);
    assert_string_not_equal(first, second);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 2);
}

static void a_wrong_local_clock_does_not_shorten_a_key(void **state) {
    struct gateway gateway;
    char key[128];

    /* The BSF lives ten years from now: only the difference of its own times may count. */
    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_ctl(gateway.bsf, "fault clock-skew 315360000", NULL, 0), 0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    assert_int_equal(world_ctl(gateway.bsf, "fault clock-skew -315360000", NULL, 0), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_true(gateway_wait_state(&gateway, "bootstrapped"));
}

static void check_card(void **state, const char *const *arguments) {
    struct gateway gateway;

    gateway_start(&gateway, *state, arguments, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 2);
}

static void a_card_of_the_t0_shape_works(void **state) {
    static const char *const arguments[] = {"--shape", "t0", NULL};

    check_card(state, arguments);
}

static void a_card_without_logical_channels_works(void **state) {
    static const char *const arguments[] = {"--channels", "0", NULL};

    check_card(state, arguments);
}

static void a_card_with_gsm_access_and_a_short_res_works(void **state) {
    static const char *const arguments[] = {"--gsm-access", NULL};

    check_card(state, arguments);
}

static void no_channel_is_left_open_at_the_end(void **state) {
    struct gateway gateway;
    char reply[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_ctl(gateway.usim, "channels", reply, sizeof(reply)), 0);
    assert_string_equal(reply, "ok 1");
    assert_int_equal(world_stop(gateway.keystrapd), 0);
    assert_int_equal(world_ctl(gateway.usim, "channels", reply, sizeof(reply)), 0);
    assert_string_equal(reply, "ok"); /* none */
}

/* Wait until the card's open channels are @expected, as its control socket tells them. */
static bool wait_channels(struct gateway *gateway, const char *expected) {
    char reply[128] = "";

    for (uint64_t end = world_elapsed_msec(gateway->world) + WORLD_WAIT_MSEC;
         world_elapsed_msec(gateway->world) < end;) {
        assert_int_equal(world_ctl(gateway->usim, "channels", reply, sizeof(reply)), 0);
        if (strcmp(reply, expected) == 0)
            return true;
    }
    fprintf(stderr, "channels: \"%s\", not \"%s\"\n", reply, expected);
    return false;
}

static void sigkill_of_keystrapd_leaves_no_channel_open(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_true(wait_channels(&gateway, "ok 1"));
    assert_int_equal(world_signal(gateway.keystrapd, SIGKILL), 0);
    assert_true(wait_channels(&gateway, "ok"));
}

static void sigkill_of_the_transport_leaves_one_channel_open_and_no_second(void **state) {
    struct gateway gateway;
    pid_t program;

    gateway_start(&gateway, *state, NULL, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(gateway_bootstrap(&gateway), 0);
        program = gateway_program("uicc-pcsc");
        assert_true(program > 0);
        assert_int_equal(kill(program, SIGKILL), 0);
        while (gateway_program("uicc-pcsc") == program || gateway_program("uicc-pcsc") == 0)
            ;
    }
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_true(wait_channels(&gateway, "ok 1"));
}

static void other_programs_use_the_card_at_the_same_time(void **state) {
    static const char *const argv[] = {"opensc-tool",          "-r", "0", "-s",
                                       "00:A4:00:04:02:3F:00", NULL};
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_call_as(gateway.world, WORLD_USER_ROOT, argv, NULL, 0), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_application_opens_the_naf_with_its_key),
        cmocka_unit_test(a_second_key_touches_neither_card_nor_network),
        cmocka_unit_test(ten_applications_at_once_cause_one_bootstrap),
        cmocka_unit_test(a_stranger_is_denied_by_a_named_rule),
        cmocka_unit_test(nothing_configured_is_nothing_granted),
        cmocka_unit_test(a_synchronisation_failure_is_repaired_once),
        cmocka_unit_test(a_key_ends_with_its_lifetime_and_a_new_one_comes),
        cmocka_unit_test(a_wrong_local_clock_does_not_shorten_a_key),
        cmocka_unit_test(a_card_of_the_t0_shape_works),
        cmocka_unit_test(a_card_without_logical_channels_works),
        cmocka_unit_test(a_card_with_gsm_access_and_a_short_res_works),
        cmocka_unit_test(no_channel_is_left_open_at_the_end),
        cmocka_unit_test(sigkill_of_keystrapd_leaves_no_channel_open),
        cmocka_unit_test(sigkill_of_the_transport_leaves_one_channel_open_and_no_second),
        cmocka_unit_test(other_programs_use_the_card_at_the_same_time),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
