/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-mbim with the real libmbim against a modem of the test's own, at the place of mbim-proxy.
 *
 * Each test starts the program as keystrapd does and speaks the transport protocol with it: states follow the modem,
 * commands and channels go through it, AKA that the modem runs reads as the card's own answer, and nothing is left
 * open whichever way the program ended.
 */

#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "mbim-fake.h"
#include "plugin-program.h"

static const uint8_t usim[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
static const uint8_t read_binary[] = {0x02, 0xb0, 0x00, 0x00, 0x02};

#define MBIM_PROXY_PROGRAM "/usr/libexec/mbim-proxy"

static struct mbim_fake fake;

static uint32_t start_with(struct world_plugin *plugin, uint32_t flags, uint32_t timeout_msec) {
    world_plugin_spawn(plugin, "uicc-mbim");
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_HELLO, ++plugin->serial);
    /* libmbim wants a file that is there, whoever opens it. */
    packet_append_text(&plugin->packet, KEYSTRAP_FIELD_DEVICE, "/dev/null");
    if (flags)
        packet_append_u32(&plugin->packet, KEYSTRAP_FIELD_FLAGS, flags);
    packet_append_u32(&plugin->packet, KEYSTRAP_FIELD_TIMEOUT, timeout_msec);
    return world_plugin_hello(plugin, "mbim");
}

static void with_modem(struct world_plugin *plugin, uint32_t flags) {
    if (geteuid() != 0) {
        print_message("skipped: a network namespace needs root\n");
        skip();
    }
    mbim_fake_start(&fake);
    assert_int_equal(start_with(plugin, flags, 10000),
                     flags ? KEYSTRAP_CAPABILITY_AKA
                           : KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_CHANNELS);
    world_plugin_expect(plugin, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(plugin->reader, "/dev/null");
    assert_int_equal(world_plugin_ask(plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
}

static void assert_nothing_left(void) {
    assert_int_equal(modem_fake_get(&fake, channels), 0);
    modem_line_stop(&fake.line);
}

static enum keystrap_plugin_result authenticate(struct world_plugin *plugin, uint8_t p2,
                                                size_t length) {
    uint8_t data[34];

    memset(data, 'R', sizeof(data));
    memset(data + 18, 'N', 16);
    data[0] = data[17] = 16;
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_AUTHENTICATE, ++plugin->serial);
    packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CONTEXT, p2);
    packet_append(&plugin->packet, KEYSTRAP_FIELD_COMMAND, data, length);
    world_plugin_send(plugin);
    return world_plugin_answer(plugin);
}

static void test_a_channel_and_commands_go_through_the_modem(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin, 0);
    /* What a killed predecessor left open went with its group; nobody else's channel did. */
    assert_int_equal(modem_fake_get(&fake, groups), 1);
    assert_int_equal(fake.closed_group, 0x4b53);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_CHANNEL, "\x02", 1);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\x62\x02\x82\x00\x90\x00", 6);
    assert_int_equal(fake.aid_length, sizeof(usim));
    assert_memory_equal(fake.aid, usim, sizeof(usim));
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\xca\xfe\x90\x00", 4);
    assert_int_equal(fake.apdu_channel, 2);
    assert_int_equal(fake.apdu_class, 0);
    assert_int_equal(fake.apdu_length, 5);
    assert_memory_equal(fake.apdu, read_binary, 5);
    assert_int_equal(world_plugin_apdu(&plugin, "\x41\xb0\x00\x00\x02", 5), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.apdu_channel, 5);
    assert_int_equal(fake.apdu_class, 1);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_nothing_is_left_however_it_ends(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin, 0);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    plugin.process.fd = safe_close(plugin.process.fd);
    assert_int_equal(world_plugin_ended(&plugin), 0);
    assert_nothing_left();

    with_modem(&plugin, 0);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(kill(plugin.process.pid, SIGTERM), 0);
    assert_int_equal(world_plugin_ended(&plugin), 0);
    assert_nothing_left();

    /* SIGKILL leaves it to the next one. */
    with_modem(&plugin, 0);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(kill(plugin.process.pid, SIGKILL), 0);
    assert_int_equal(world_plugin_ended(&plugin), 256 + SIGKILL);
    assert_int_equal(modem_fake_get(&fake, channels), 1);
    (void)start_with(&plugin, 0, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(modem_fake_get(&fake, channels), 0);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_states_follow_the_modem_and_it_recovers(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin, 0);
    modem_fake_set(&fake, ready, 2);
    mbim_fake_indicate(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);
    modem_fake_set(&fake, ready, 1);
    mbim_fake_indicate(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);

    modem_line_stop(&fake.line);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_SERVICE_ABSENT);
    mbim_fake_start(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_what_a_modem_refuses_has_a_name(void **state) {
    static const struct {
        uint32_t status;
        enum keystrap_plugin_result result;
    } table[] = {
        {0x87430001, KEYSTRAP_RESULT_NO_CHANNEL},
        {0x87430002, KEYSTRAP_RESULT_NO_APPLICATION},
        {28, KEYSTRAP_RESULT_DENIED},
        {9, KEYSTRAP_RESULT_UNSUPPORTED},
        {3, KEYSTRAP_RESULT_CARD_ABSENT},
        {1, KEYSTRAP_RESULT_BUSY},
        {0x12345678, KEYSTRAP_RESULT_FAILED},
    };
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin, 0);
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        modem_fake_set(&fake, open_status, table[i].status);
        assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), table[i].result);
    }
    modem_fake_set(&fake, apdu_status, 0x87430003);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_CARD_RESET);
    modem_fake_set(&fake, apdu_status, 0);
    modem_fake_set(&fake, long_response, true);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_COMMUNICATION);
    modem_fake_set(&fake, open_status, 0);
    modem_fake_set(&fake, opens, 20);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)),
                     KEYSTRAP_RESULT_FAILED);
    world_plugin_bye(&plugin);
    modem_line_stop(&fake.line);
}

static void test_a_lost_answer_is_told_in_time(void **state) {
    struct world_plugin plugin;
    uint64_t before;

    (void)state;
    with_modem(&plugin, 0);
    world_plugin_bye(&plugin);
    (void)start_with(&plugin, 0, 2000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    modem_fake_set(&fake, silent, true);
    before = now_usec();
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_COMMUNICATION);
    assert_true(now_usec() - before < 2 * USEC_PER_SEC);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    modem_fake_set(&fake, silent, false);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_the_modem_runs_aka(void **state) {
    struct world_plugin plugin;
    uint8_t expected[64] = {0xdb, 8};

    (void)state;
    with_modem(&plugin, KEYSTRAP_FLAG_AKA);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_IDENTITY), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_IMSI, "001010000000001", 15);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_ICCID, "89440000000000000014", 20);

    assert_int_equal(authenticate(&plugin, 0x81, 34), KEYSTRAP_RESULT_OK);
    assert_memory_equal(fake.challenge, "RRRRRRRRRRRRRRRRNNNNNNNNNNNNNNNN", 32);
    memset(expected + 2, 'r', 8);
    expected[10] = expected[27] = 16;
    memset(expected + 11, 'c', 16);
    memset(expected + 28, 'i', 16);
    memcpy(expected + 44, "\x90\x00", 2);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, expected, 46);

    modem_fake_set(&fake, auth_status, 36);
    assert_int_equal(authenticate(&plugin, 0x81, 34), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE,
                        "\xdc\x0e"
                        "aaaaaaaaaaaaaa"
                        "\x90\x00",
                        18);
    modem_fake_set(&fake, auth_status, 35);
    assert_int_equal(authenticate(&plugin, 0x81, 34), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\x98\x62", 2);
    modem_fake_set(&fake, auth_status, 5);
    assert_int_equal(authenticate(&plugin, 0x81, 34), KEYSTRAP_RESULT_FAILED);

    /* A RES that no card gives, contexts that MBIM has not, half a challenge. */
    modem_fake_set(&fake, auth_status, 0);
    modem_fake_set(&fake, res_length, 17);
    assert_int_equal(authenticate(&plugin, 0x81, 34), KEYSTRAP_RESULT_COMMUNICATION);
    modem_fake_set(&fake, res_length, 3);
    assert_int_equal(authenticate(&plugin, 0x81, 34), KEYSTRAP_RESULT_COMMUNICATION);
    assert_int_equal(authenticate(&plugin, 0x84, 34), KEYSTRAP_RESULT_UNSUPPORTED);
    assert_int_equal(authenticate(&plugin, 0x81, 33), KEYSTRAP_RESULT_UNSUPPORTED);

    modem_fake_set(&fake, without_imsi, true);
    mbim_fake_indicate(&fake);
    while (world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_IDENTITY) == KEYSTRAP_RESULT_OK)
        ;
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void exchange_at(const char *device, uint32_t flags) {
    struct world_plugin plugin;

    world_plugin_spawn(&plugin, "uicc-mbim");
    packet_begin(&plugin.packet, KEYSTRAP_PLUGIN_HELLO, ++plugin.serial);
    packet_append_text(&plugin.packet, KEYSTRAP_FIELD_DEVICE, device);
    packet_append_u32(&plugin.packet, KEYSTRAP_FIELD_FLAGS, flags);
    (void)world_plugin_hello(&plugin, "mbim");
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\xca\xfe\x90\x00", 4);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

/* From inside the sandbox, and through the real mbim-proxy. */
static void test_a_device_is_opened_alone_and_through_the_real_proxy(void **state) {
    char device[64];
    pid_t proxy;

    (void)state;
    if (geteuid() != 0 || access(MBIM_PROXY_PROGRAM, X_OK) < 0) {
        print_message("skipped: needs root and " MBIM_PROXY_PROGRAM "\n");
        skip();
    }
    mbim_fake_start_device(&fake, device, sizeof(device));
    exchange_at(device, KEYSTRAP_FLAG_DIRECT);
    mbim_fake_start_device(&fake, device, sizeof(device));
    proxy = modem_line_proxy(MBIM_PROXY_PROGRAM, "mbim-proxy");
    exchange_at(device, 0);
    modem_line_proxy_stop(proxy);
}

static int enter(void **state) {
    (void)state;
    return geteuid() == 0 ? unshare(CLONE_NEWNET) : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_channel_and_commands_go_through_the_modem),
        cmocka_unit_test(test_nothing_is_left_however_it_ends),
        cmocka_unit_test(test_states_follow_the_modem_and_it_recovers),
        cmocka_unit_test(test_what_a_modem_refuses_has_a_name),
        cmocka_unit_test(test_a_lost_answer_is_told_in_time),
        cmocka_unit_test(test_the_modem_runs_aka),
        cmocka_unit_test(test_a_device_is_opened_alone_and_through_the_real_proxy),
    };

    return cmocka_run_group_tests_name("mbim-transport", tests, enter, NULL);
}
