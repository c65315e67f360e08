/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The card in modems as the field has them: AT commands with every quirk that is known, answers that take their time, a
 * PIN, and a modem that is switched to the card in its other slot. A key comes all the same.
 */

#include "gateway.h"

#include <fcntl.h>
#include <sys/stat.h>

#define CREDENTIALS WORLD_SCRATCH "/credentials"

static const char *const protocols[] = {"qmi", "mbim", "at"};

#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static const char *const environment[] = {"CREDENTIALS_DIRECTORY=" CREDENTIALS, NULL};

static void start(struct gateway *gateway, struct world *world, const char *protocol,
                  const char *const *arguments) {
    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    gateway->usim = world_start_modem(world, protocol, SUBSCRIBER, arguments);
    assert_non_null(gateway->usim);
    gateway_start_network(gateway, NULL);
    assert_int_equal(world_write_modem(gateway->bsf, protocol, "\n[GBA]\nMode=me\n"), 0);
    gateway->keystrapd = world_spawn_keystrapd(world, NULL, environment);
    assert_non_null(gateway->keystrapd);
    assert_int_equal(world_wait_notify(gateway->keystrapd, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
}

static void expect_nothing_held(struct gateway *gateway) {
    char held[128] = "";

    assert_int_equal(world_ctl(gateway->usim, "held", held, sizeof(held)), 0);
    assert_string_equal(held, "ok channels=0 cids=0");
}

static void a_key_comes_from_an_at_modem_with_any_quirk(void **state) {
    static const char *const quirks[][7] = {
        {"--quirk=no-space", "--quirk=lower-case", NULL},
        {"--quirk=bare-channel", NULL},
        {"--quirk=junk", "--quirk=split", NULL},
        {"--quirk=plain-error", "--quirk=csim-basic", "--quirk=no-space", "--quirk=bare-channel",
         "--quirk=junk", "--quirk=split", NULL},
    };
    struct gateway gateway;

    for (size_t i = 0; i < sizeof(quirks) / sizeof(quirks[0]); i++) {
        start(&gateway, *state, "at", quirks[i]);
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(gateway_count(gateway.usim, "authenticates"), 1);
        assert_int_equal(world_stop(gateway.keystrapd), 0);
        expect_nothing_held(&gateway);
        gateway_stop(&gateway);
    }
}

static void a_key_comes_from_a_modem_that_takes_its_time(void **state) {
    struct gateway gateway;

    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], NULL);
        assert_true(gateway_wait_state(&gateway, "card-ready"));
        assert_int_equal(world_ctl(gateway.usim, "fault delay 150", NULL, 0), 0);
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(gateway_count(gateway.usim, "authenticates"), 1);
        gateway_stop(&gateway);
    }
}

static void write_pin(const char *pin) {
    int fd;

    (void)mkdir(CREDENTIALS, 0755);
    fd = open(CREDENTIALS "/keystrap.pin1", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pin, strlen(pin)), (ssize_t)strlen(pin));
    close(fd);
}

/*
 * And again, when the card was reset in between: MBIM and AT have no word for that, and a command finds out. Then the
 * error has a name, and the next bootstrap works.
 */
static void a_pin_is_presented_through_a_modem(void **state) {
    static const char *const arguments[] = {"--pin-enabled", NULL};
    struct gateway gateway;

    write_pin("1234\n");
    for (size_t i = 0; i < PROTOCOLS; i++) {
        start(&gateway, *state, protocols[i], arguments);
        assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
        assert_int_equal(world_ctl(gateway.usim, "refresh", NULL, 0), 0);
        if (gateway_bootstrap(&gateway) != 0) {
            assert_true(gateway_said(&gateway, "reset the card"));
            assert_int_equal(gateway_bootstrap(&gateway), 0);
        }
        gateway_stop(&gateway);
    }
    assert_int_equal(unlink(CREDENTIALS "/keystrap.pin1"), 0);
}

/* Another card, another subscriber: the Ks of the first is not used any more. */
static void a_modem_that_is_switched_to_its_other_slot_has_another_card(void **state) {
    static const char *const second[] = {"--second", "meter", NULL};
    struct gateway gateway;

    start(&gateway, *state, "qmi", second);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_ctl(gateway.usim, "slot 2", NULL, 0), 0);
    for (uint64_t end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;
         gateway_naf_get(&gateway, WORLD_USER_METER) != 0 ||
         gateway_count(gateway.bsf, "bootstraps") < 2;)
        assert_true(world_elapsed_msec(gateway.world) < end);
    /* The counter is that of the card in use. */
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 1);
    gateway_stop(&gateway);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_from_an_at_modem_with_any_quirk),
        cmocka_unit_test(a_key_comes_from_a_modem_that_takes_its_time),
        cmocka_unit_test(a_pin_is_presented_through_a_modem),
        cmocka_unit_test(a_modem_that_is_switched_to_its_other_slot_has_another_card),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
