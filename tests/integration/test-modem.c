/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The card in a modem that speaks QMI, MBIM or AT commands: a key comes from it, what goes wrong has a name and is over
 * when its cause is, and the modem has nothing of ours left, whoever was killed.
 */

#include "gateway.h"

#include <signal.h>
#include <unistd.h>

static const char *const protocols[] = {"qmi", "mbim", "at"};

#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

/* Everything up, with the card in a modem; gateway->usim is the modem. One mode, so that challenges can be counted. */
static void start(struct gateway *gateway, struct world *world, const char *protocol,
                  const char *const *arguments, const char *config) {
    char more[256];

    (void)snprintf(more, sizeof(more), "%s\n[GBA]\nMode=me\n", config);
    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    gateway->usim = world_start_modem(world, protocol, SUBSCRIBER, arguments);
    assert_non_null(gateway->usim);
    gateway_start_network(gateway, NULL);
    assert_int_equal(world_write_modem(gateway->bsf, protocol, more), 0);
    gateway->keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(gateway->keystrapd);
}

/* Soon, the modem has nothing of ours left. */
static void expect_nothing_held(struct gateway *gateway) {
    char held[128] = "";

    for (uint64_t end = world_elapsed_msec(gateway->world) + 5000;
         world_elapsed_msec(gateway->world) < end;) {
        assert_int_equal(world_ctl(gateway->usim, "held", held, sizeof(held)), 0);
        if (strcmp(held, "ok channels=0 cids=0") == 0)
            return;
    }
    fail_msg("the modem says: %s", held);
}

static void expect_held(struct gateway *gateway, const char *expected) {
    char held[128] = "";

    assert_int_equal(world_ctl(gateway->usim, "held", held, sizeof(held)), 0);
    assert_string_equal(held, expected);
}

static void expect_error(struct gateway *gateway, const char *words, const char *name) {
    char key[128], error[128], expected[128];

    assert_int_not_equal(gateway_ask(gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    assert_true(gateway_said(gateway, words));
    (void)snprintf(expected, sizeof(expected), "org.keystrap.Agent1.Error.%s", name);
    gateway_property(gateway, "LastError", error, sizeof(error));
    assert_string_equal(error, expected);
}

static void expect_recovery(struct gateway *gateway) {
    assert_int_equal(world_ctl(gateway->usim, "clear", NULL, 0), 0);
    assert_int_equal(gateway_naf_get(gateway, WORLD_USER_METER), 0);
    assert_true(gateway->keystrapd->running);
}

static void kill_program(const char *protocol) {
    char name[32];
    pid_t pid;

    (void)snprintf(name, sizeof(name), "uicc-%s", protocol);
    pid = gateway_program(name);
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

/* From the first word to the last: one AUTHENTICATE, and nothing is left when keystrapd has ended. */
static void a_key_comes_from_the_card_in_a_modem(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], NULL, "");
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(gateway_count(gateway.usim, "authenticates"), 1);
        expect_held(&gateway, i == 0 ? "ok channels=1 cids=1" : "ok channels=1 cids=0");
        assert_int_equal(world_stop(gateway.keystrapd), 0);
        expect_nothing_held(&gateway);
        gateway_stop(&gateway);
    }
}

static void nothing_is_left_when_keystrapd_is_killed(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], NULL, "");
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(world_signal(gateway.keystrapd, SIGKILL), 0);
        assert_int_equal(world_wait(gateway.keystrapd, WORLD_WAIT_MSEC), 0);
        expect_nothing_held(&gateway);
        assert_int_equal(world_stop(gateway.usim), 0);
        assert_int_equal(world_stop(world_find(gateway.world, "dbus-daemon")), 0);
    }
}

/* The Ks is keystrapd's and stays; what the program held goes on to the next. */
static void a_transport_that_is_killed_leaves_nothing_behind(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], NULL, "");
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        for (unsigned n = 0; n < 3; n++) {
            kill_program(protocols[i]);
            assert_int_equal(gateway_bootstrap(&gateway), 0);
        }
        expect_held(&gateway, i == 0 ? "ok channels=1 cids=1" : "ok channels=1 cids=0");
        assert_int_equal(world_stop(gateway.keystrapd), 0);
        expect_nothing_held(&gateway);
        gateway_stop(&gateway);
    }
}

/* AUTHENTICATE is never repeated on its own: the challenge is spent, whether the card saw it or not. */
static void a_modem_that_is_reset_in_the_middle_is_a_named_error(void **state) {
    struct gateway gateway;
    char key[128];
    int status;

    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], NULL, "ApduTimeoutSec=3");
        assert_true(gateway_wait_state(&gateway, "card-ready"));
        assert_int_equal(world_ctl(gateway.usim, "reset 300 authenticate", NULL, 0), 0);
        status = gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, sizeof(key));
        assert_true(status == 69 || status == 75); /* unavailable, or try again */
        assert_true(gateway_said(&gateway, "the modem"));
        assert_true(gateway_wait_state(&gateway, "card-ready"));
        expect_recovery(&gateway);
        assert_int_equal(gateway_count(gateway.usim, "authenticates"), 2);
        gateway_stop(&gateway);
    }
}

static void a_modem_that_is_reset_comes_back(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], NULL, "");
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(world_ctl(gateway.usim, "reset 700", NULL, 0), 0);
        /* A serial port is looked at now and then. */
        if (i == 2)
            (void)gateway_bootstrap(&gateway);
        assert_true(gateway_wait_state(&gateway, "no-service"));
        assert_true(gateway_wait_state(&gateway, "card-ready"));
        expect_recovery(&gateway);
        assert_int_equal(world_stop(gateway.keystrapd), 0);
        expect_nothing_held(&gateway);
        gateway_stop(&gateway);
    }
}

static void an_answer_that_gets_lost_is_a_named_error(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], NULL, "ApduTimeoutSec=2");
        assert_true(gateway_wait_state(&gateway, "card-ready"));
        assert_int_equal(world_ctl(gateway.usim, "fault silent-at authenticate", NULL, 0), 0);
        expect_error(&gateway, "no answer", "CardSilent");
        expect_recovery(&gateway);
        assert_int_equal(gateway_count(gateway.usim, "authenticates"), 2);
        gateway_stop(&gateway);
    }
}

static void a_card_that_is_pulled_takes_its_ks_along(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < 2; i++) {
        start(&gateway, *state, protocols[i], NULL, "");
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(world_ctl(gateway.usim, "remove", NULL, 0), 0);
        assert_true(gateway_wait_state(&gateway, "no-card"));
        assert_int_equal(world_ctl(gateway.usim, "insert", NULL, 0), 0);
        assert_true(gateway_wait_state(&gateway, "card-ready"));
        expect_recovery(&gateway);
        assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 2);
        gateway_stop(&gateway);
    }
}

/* The operator changed something on the card: what was read of it, and its Ks, are not to be counted on. */
static void a_refresh_makes_the_card_another_one(void **state) {
    struct gateway gateway;

    start(&gateway, *state, "qmi", NULL, "");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_ctl(gateway.usim, "refresh", NULL, 0), 0);
    for (uint64_t end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;
         gateway_count(gateway.bsf, "bootstraps") < 2;) {
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_true(world_elapsed_msec(gateway.world) < end);
    }
}

static void a_modem_that_filters_commands_names_the_remedy_and_the_remedy_works(void **state) {
    struct gateway gateway;
    char *status;

    start(&gateway, *state, "qmi", NULL, "");
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_ctl(gateway.usim, "reset 100", NULL, 0), 0);
    assert_int_equal(world_ctl(gateway.usim, "refuse open 82", NULL, 0), 0);
    assert_int_equal(world_ctl(gateway.usim, "refuse apdu 82", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "no-service"));
    for (uint64_t end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;;) {
        char key[128];

        if (gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128) != 0 &&
            gateway_said(&gateway, "Access=authenticate"))
            break;
        assert_true(world_elapsed_msec(gateway.world) < end);
    }
    assert_int_equal(world_write_modem(gateway.bsf, "qmi", "Access=authenticate"), 0);
    status = gateway_reload(&gateway);
    free(status);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    expect_held(&gateway, "ok channels=0 cids=1");
}

/* MBIM does not say how long the network code is; here it has two digits. */
static void a_modem_may_run_aka_itself(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < 2; i++) {
        start(&gateway, *state, protocols[i], NULL, "Access=authenticate\nMncLength=2");
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        /* A card that has seen a later number than the network gives is asked again, with its AUTS. */
        assert_int_equal(world_ctl(gateway.usim, "fault stale-sqn", NULL, 0), 0);
        assert_int_equal(gateway_bootstrap(&gateway), 0);
        assert_int_equal(gateway_count(gateway.bsf, "resyncs"), 1);
        assert_int_equal(world_ctl(gateway.usim, "fault wrong-mac", NULL, 0), 0);
        assert_int_not_equal(gateway_bootstrap(&gateway), 0);
        assert_true(gateway_said(&gateway, "network"));
        gateway_stop(&gateway);
    }
}

/* The Ks stays in the card, and the modem is asked for what the card derives from it. */
static void gba_u_works_through_a_modem(void **state) {
    static const char *const config = "Application=usim\n[GBA]\nMode=u\n";
    struct gateway gateway;
    char more[512];

    for (size_t i = 0; i < PROTOCOLS + 1; i++) {
        const char *protocol = protocols[i % PROTOCOLS];

        gateway = (struct gateway){.world = *state};
        assert_non_null(world_start_bus(*state));
        gateway.usim = world_start_modem(*state, protocol, "pump", NULL);
        assert_non_null(gateway.usim);
        gateway_start_network(&gateway, NULL);
        /* The last round has the modem run it. */
        (void)snprintf(more, sizeof(more), "%s%s",
                       i < PROTOCOLS ? "" : "Access=authenticate\nMncLength=2\n", config);
        assert_int_equal(world_write_modem(gateway.bsf, protocol, more), 0);
        gateway.keystrapd = world_start_keystrapd(*state, NULL);
        assert_non_null(gateway.keystrapd);
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
        gateway_stop(&gateway);
    }
}

/* No proxy: keystrapd's user opens the device itself, and has it alone. */
static void a_device_may_be_opened_without_a_proxy(void **state) {
    static const char *const arguments[] = {"--device", WORLD_MODEM, NULL};
    struct gateway gateway;

    for (size_t i = 0; i < 2; i++) {
        start(&gateway, *state, protocols[i], arguments, "Proxy=no\nDevice=" WORLD_MODEM);
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(world_stop(gateway.keystrapd), 0);
        expect_nothing_held(&gateway);
        gateway_stop(&gateway);
    }
}

static void a_proxy_that_is_not_there_is_named_with_the_remedy(void **state) {
    static const char *const arguments[] = {"--device", WORLD_MODEM, NULL};
    struct gateway gateway;
    char key[128];

    for (size_t i = 0; i < 2; i++) {
        start(&gateway, *state, protocols[i], arguments, "");
        assert_true(gateway_wait_state(&gateway, "no-service"));
        assert_int_not_equal(
            gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, sizeof(key)), 0);
        assert_true(gateway_said(&gateway, "does not run"));
        assert_true(gateway_said(&gateway, "Proxy=no"));
        gateway_stop(&gateway);
    }
}

/* Debian's proxies serve root alone, and keystrapd is not root: that is said, and does not hang. */
static void a_proxy_that_serves_others_is_named(void **state) {
    static const char *const arguments[] = {"--device", WORLD_MODEM, NULL};
    static const char *const programs[] = {"/usr/libexec/qmi-proxy", "/usr/libexec/mbim-proxy"};
    struct gateway gateway;
    char key[128];

    for (size_t i = 0; i < 2; i++) {
        const char *const argv[] = {programs[i], "--no-exit", NULL};
        struct world_process *proxy;

        if (access(programs[i], X_OK) < 0)
            continue;
        proxy = world_start_as(*state, WORLD_USER_ROOT, argv);
        assert_non_null(proxy);
        start(&gateway, *state, protocols[i], arguments, "Device=" WORLD_MODEM);
        for (uint64_t end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;;) {
            if (gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128) != 0 &&
                gateway_said(&gateway, "serves other users"))
                break;
            assert_true(world_elapsed_msec(gateway.world) < end);
        }
        (void)world_stop(proxy);
        gateway_stop(&gateway);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_from_the_card_in_a_modem),
        cmocka_unit_test(nothing_is_left_when_keystrapd_is_killed),
        cmocka_unit_test(a_transport_that_is_killed_leaves_nothing_behind),
        cmocka_unit_test(a_modem_that_is_reset_in_the_middle_is_a_named_error),
        cmocka_unit_test(a_modem_that_is_reset_comes_back),
        cmocka_unit_test(an_answer_that_gets_lost_is_a_named_error),
        cmocka_unit_test(a_card_that_is_pulled_takes_its_ks_along),
        cmocka_unit_test(a_refresh_makes_the_card_another_one),
        cmocka_unit_test(a_modem_that_filters_commands_names_the_remedy_and_the_remedy_works),
        cmocka_unit_test(a_modem_may_run_aka_itself),
        cmocka_unit_test(gba_u_works_through_a_modem),
        cmocka_unit_test(a_device_may_be_opened_without_a_proxy),
        cmocka_unit_test(a_proxy_that_is_not_there_is_named_with_the_remedy),
        cmocka_unit_test(a_proxy_that_serves_others_is_named),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
