/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two cards in two readers of the real pcscd: each is found by what is on it, has keys, trouble and an object of its own,
 * and holds nobody up who asks for the other.
 */

#include "gateway.h"

#include <jansson.h>
#include <unistd.h>

#define BOTH                                    \
    "[UICC front]\nIccid=8988201000000000019\n" \
    "[UICC back]\nIccid=8988201000000000027\n"

#define FIRST_READER  "Virtual PCD 00 00"
#define SECOND_READER "Virtual PCD 00 01"

/* The card "front" is in the second reader, and the card "back" in the first. */
struct two {
    struct gateway gateway;
    struct world_process *front, *back;
};

static void two_start(struct two *two, struct world *world, const char *config) {
    struct gateway *gateway = &two->gateway;
    char text[1024];

    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    assert_non_null(world_start_pcscd(world));
    two->back = world_start_usim(world, "meter", NULL);
    assert_non_null(two->back);
    two->front = gateway->usim = world_start_second_usim(world, SUBSCRIBER, NULL);
    assert_non_null(two->front);
    gateway_start_network(gateway, NULL);
    assert_int_equal(world_write_defaults(gateway->bsf), 0);
    (void)snprintf(text, sizeof(text), "[GBA]\nConnectTo=127.0.0.1:%u\n%s", gateway->bsf->port,
                   config);
    assert_int_equal(world_write_config(text), 0);
    gateway->keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(gateway->keystrapd);
}

/* The property @name of the card @uicc; a new string, to be freed. */
static char *property(struct gateway *gateway, const char *uicc, const char *name) {
    const char *const argv[] = {"keystrapctl", "status", "--json", "--uicc", uicc, NULL};
    char text[4096], *value;
    json_t *object;

    assert_int_equal(world_call_as(gateway->world, WORLD_USER_STRANGER, argv, text, sizeof(text)),
                     0);
    object = json_loads(text, 0, NULL);
    assert_non_null(object);
    value = strdup(json_string_value(json_object_get(object, name)));
    json_decref(object);
    return value;
}

static void expect_property(struct gateway *gateway, const char *uicc, const char *name,
                            const char *expected) {
    char *value = property(gateway, uicc, name);

    assert_string_equal(value, expected);
    free(value);
}

static void wait_state(struct gateway *gateway, const char *uicc, const char *state) {
    for (uint64_t end = world_elapsed_msec(gateway->world) + WORLD_WAIT_MSEC;;) {
        char *now = property(gateway, uicc, "State");
        bool there = strcmp(now, state) == 0;

        if (!there && world_elapsed_msec(gateway->world) >= end)
            fail_msg("%s is \"%s\", not \"%s\"", uicc, now, state);
        free(now);
        if (there)
            return;
    }
}

/* The key of a NAF from the card @uicc, NULL for none in particular. Returns keystrapctl's exit status. */
static int ask(struct gateway *gateway, const char *uicc, char *ret, size_t size) {
    const char *const argv[] = {
        "keystrapctl", "naf-key", "naf.example.com", "--format=hex", uicc ? "--uicc" : NULL,
        uicc,          NULL};

    return world_call_as(gateway->world, WORLD_USER_METER, argv, ret, size);
}

static void expect_key(struct gateway *gateway, const char *uicc) {
    char key[128];

    assert_int_equal(ask(gateway, uicc, key, sizeof(key)), 0);
}

static void each_card_is_found_by_what_is_on_it_and_has_keys_of_its_own(void **state) {
    char front[128], back[128], either[128];
    struct two two;

    two_start(&two, *state, BOTH);
    wait_state(&two.gateway, "front", "card-ready");
    wait_state(&two.gateway, "back", "card-ready");
    expect_property(&two.gateway, "front", "Reader", SECOND_READER);
    expect_property(&two.gateway, "front", "Iccid", "898820...");
    expect_property(&two.gateway, "back", "Reader", FIRST_READER);

    assert_int_equal(ask(&two.gateway, "front", front, sizeof(front)), 0);
    assert_int_equal(ask(&two.gateway, "back", back, sizeof(back)), 0);
    assert_string_not_equal(front, back);
    assert_int_equal(ask(&two.gateway, NULL, either, sizeof(either)), 0);
    assert_string_equal(either, front);
    assert_int_equal(gateway_count(two.gateway.bsf, "bootstraps"), 2);
    assert_int_equal(gateway_naf_get(&two.gateway, WORLD_USER_METER), 0);
}

static void a_card_that_is_pulled_leaves_the_other_alone(void **state) {
    char key[128];
    struct two two;

    two_start(&two, *state, BOTH);
    expect_key(&two.gateway, "front");
    expect_key(&two.gateway, "back");
    assert_int_equal(world_ctl(two.front, "remove", NULL, 0), 0);
    wait_state(&two.gateway, "front", "no-card");
    expect_property(&two.gateway, "back", "State", "bootstrapped");
    assert_int_equal(ask(&two.gateway, "front", key, sizeof(key)), 69);
    /* Who does not care gets what there is. */
    expect_key(&two.gateway, NULL);
    assert_int_equal(gateway_count(two.gateway.bsf, "bootstraps"), 2);

    assert_int_equal(world_ctl(two.front, "insert", NULL, 0), 0);
    wait_state(&two.gateway, "front", "card-ready");
    expect_key(&two.gateway, "front");
    assert_int_equal(gateway_count(two.gateway.bsf, "bootstraps"), 3);
}

static void a_card_that_nobody_meant_is_not_used(void **state) {
    char key[128];
    struct two two;

    two_start(&two, *state,
              "[UICC front]\nIccid=8988201000000000019\n"
              "[UICC side]\nImsi=999*\n");
    wait_state(&two.gateway, "front", "card-ready");
    wait_state(&two.gateway, "side", "no-card");
    expect_property(&two.gateway, "side", "Iccid", "");
    assert_int_equal(ask(&two.gateway, "side", key, sizeof(key)), 69);
    assert_true(gateway_said(&two.gateway, "none of the cards that are there (2) matches Imsi="));
    assert_int_equal(ask(&two.gateway, "elsewhere", key, sizeof(key)), 64);
    assert_true(gateway_said(&two.gateway, "no card \"elsewhere\" is configured"));
}

static void signals_tell_of_cards_that_come_and_go(void **state) {
    static const char *const argv[] = {"keystrapctl", "--json", "monitor", NULL};
    struct world_process *monitor;
    struct two two;

    two_start(&two, *state, BOTH);
    wait_state(&two.gateway, "front", "card-ready");
    wait_state(&two.gateway, "back", "card-ready");
    monitor = world_start_as(two.gateway.world, WORLD_USER_STRANGER, argv);
    assert_non_null(monitor);
    assert_int_equal(world_wait_output(monitor, "{\"Uiccs\":", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_ctl(two.back, "remove", NULL, 0), 0);
    assert_int_equal(world_wait_output(monitor, "{\"CardRemoved\":\"\",\"Uicc\":\"back\"}",
                                       WORLD_WAIT_MSEC, NULL),
                     0);
    assert_int_equal(world_ctl(two.back, "insert", NULL, 0), 0);
    assert_int_equal(world_wait_output(monitor,
                                       "{\"CardInserted\":\"" FIRST_READER "\",\"Uicc\":\"back\"}",
                                       WORLD_WAIT_MSEC, NULL),
                     0);
    assert_int_equal(world_stop(monitor), 0);
}

static void a_reload_waits_for_no_silent_card_and_leaves_the_other_its_ks(void **state) {
    static const char *const argv[] = {"keystrapctl", "bootstrap", "--uicc", "front", NULL};
    struct world_process *waiting;
    struct two two;
    char text[1024];
    uint64_t begin;

    two_start(&two, *state, BOTH "ApduTimeoutSec=60\n");
    expect_key(&two.gateway, "back");
    wait_state(&two.gateway, "front", "card-ready");
    assert_int_equal(world_ctl(two.front, "fault silent-at 1 4", NULL, 0), 0);
    waiting = world_start_as(two.gateway.world, WORLD_USER_ROOT, argv);
    assert_non_null(waiting);
    wait_state(&two.gateway, "front", "bootstrapping");

    (void)snprintf(text, sizeof(text), "[GBA]\nConnectTo=127.0.0.1:%u\n%s", two.gateway.bsf->port,
                   "[UICC front]\nIccid=8988201000000000019\nMncLength=2\n"
                   "[UICC back]\nIccid=8988201000000000027\nApduTimeoutSec=60\n");
    assert_int_equal(world_write_config(text), 0);
    begin = world_elapsed_msec(two.gateway.world);
    free(gateway_reload(&two.gateway));
    assert_true(world_elapsed_msec(two.gateway.world) - begin < 700);
    expect_key(&two.gateway, "back");
    assert_int_equal(gateway_count(two.gateway.bsf, "bootstraps"), 1);

    /* Who waited waits on, and is served by the card's next worker. */
    assert_int_equal(world_wait(waiting, WORLD_WAIT_MSEC), 0);
    assert_int_equal(gateway_count(two.gateway.bsf, "bootstraps"), 2);
}

static void a_card_that_the_configuration_adds_or_takes_away_comes_and_goes(void **state) {
    struct two two;
    char text[1024], uiccs[256], key[128];

    two_start(&two, *state, "[UICC front]\nIccid=8988201000000000019\n");
    expect_key(&two.gateway, "front");
    (void)snprintf(text, sizeof(text), "[GBA]\nConnectTo=127.0.0.1:%u\n%s", two.gateway.bsf->port,
                   BOTH);
    assert_int_equal(world_write_config(text), 0);
    free(gateway_reload(&two.gateway));
    expect_key(&two.gateway, "back");
    expect_property(&two.gateway, "front", "State", "bootstrapped");

    (void)snprintf(text, sizeof(text), "[GBA]\nConnectTo=127.0.0.1:%u\n%s", two.gateway.bsf->port,
                   "[UICC back]\nIccid=8988201000000000027\n");
    assert_int_equal(world_write_config(text), 0);
    free(gateway_reload(&two.gateway));
    assert_int_equal(ask(&two.gateway, "front", key, sizeof(key)), 64);
    expect_key(&two.gateway, NULL);
    assert_int_equal(gateway_count(two.gateway.bsf, "bootstraps"), 2);
    gateway_property(&two.gateway, "Uiccs", uiccs, sizeof(uiccs));
    assert_string_equal(uiccs, "1 ");
}

/* The NAF does not take the key any more, and the application says so. */
static void what_an_application_invalidates_costs_one_bootstrap(void **state) {
    static const char *const call[] = {"busctl",
                                       "--system",
                                       "call",
                                       "org.keystrap.Agent1",
                                       "/org/keystrap/Agent1",
                                       "org.keystrap.Agent1.Keys",
                                       "Invalidate",
                                       "s"};
    const char *argv[10];
    struct gateway gateway;
    char btid[512];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    gateway_property(&gateway, "Btid", btid, sizeof(btid));
    memcpy(argv, call, sizeof(call));
    argv[8] = btid;
    argv[9] = NULL;
    assert_int_not_equal(world_call_as(gateway.world, WORLD_USER_STRANGER, argv, NULL, 0), 0);
    assert_int_equal(world_call_as(gateway.world, WORLD_USER_METER, argv, NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    /* Said again of the same B-TID, it is no news. */
    assert_int_equal(world_call_as(gateway.world, WORLD_USER_METER, argv, NULL, 0), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_card_is_found_by_what_is_on_it_and_has_keys_of_its_own),
        cmocka_unit_test(a_card_that_is_pulled_leaves_the_other_alone),
        cmocka_unit_test(a_card_that_nobody_meant_is_not_used),
        cmocka_unit_test(signals_tell_of_cards_that_come_and_go),
        cmocka_unit_test(a_reload_waits_for_no_silent_card_and_leaves_the_other_its_ks),
        cmocka_unit_test(a_card_that_the_configuration_adds_or_takes_away_comes_and_goes),
        cmocka_unit_test(what_an_application_invalidates_costs_one_bootstrap),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
