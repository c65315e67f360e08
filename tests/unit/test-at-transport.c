/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-at against a modem at the other end of a pseudo-terminal.
 *
 * What modems in the field do differently makes no difference: echo, missing spaces and quotes, bare numbers, lines
 * that nobody asked for. What they do wrong is refused, and nothing is left open whichever way the program ends.
 */

#include <signal.h>

#include "at-fake.h"
#include "plugin-program.h"

static const uint8_t usim[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
static const uint8_t read_binary[] = {0x01, 0xb0, 0x00, 0x00, 0x02};

static struct at_fake fake;

static void start(struct world_plugin *plugin, uint32_t timeout_msec) {
    world_plugin_spawn(plugin, "uicc-at");
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_HELLO, ++plugin->serial);
    packet_append_text(&plugin->packet, KEYSTRAP_FIELD_DEVICE, fake.link);
    packet_append_u32(&plugin->packet, KEYSTRAP_FIELD_TIMEOUT, timeout_msec);
    assert_int_equal(world_plugin_hello(plugin, "at"),
                     KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_CHANNELS);
}

static void with_modem(struct world_plugin *plugin) {
    at_fake_plug(&fake);
    start(plugin, 10000);
    world_plugin_expect(plugin, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(plugin->reader, fake.link);
    assert_int_equal(world_plugin_ask(plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
}

static void leave(struct world_plugin *plugin) {
    world_plugin_bye(plugin);
    assert_int_equal(modem_fake_get(&fake, sessions), 0);
    at_fake_pull(&fake);
}

static enum keystrap_plugin_result close_left(struct world_plugin *plugin, const char *aid) {
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_CLOSE_CHANNEL, ++plugin->serial);
    packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, 1);
    packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, aid, 7);
    world_plugin_send(plugin);
    return world_plugin_answer(plugin);
}

static void assert_exchange(struct world_plugin *plugin) {
    assert_int_equal(world_plugin_open_channel(plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    world_plugin_assert(plugin, KEYSTRAP_FIELD_CHANNEL, "\x01", 1);
    world_plugin_assert(plugin, KEYSTRAP_FIELD_RESPONSE, "\x90\x00", 2);
    assert_int_equal(world_plugin_apdu(plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
    world_plugin_assert(plugin, KEYSTRAP_FIELD_RESPONSE, "\xca\xfe\x90\x00", 4);
    assert_string_equal(fake.last, "AT+CGLA=1,10,\"01b0000002\"");
}

static void test_a_session_is_a_channel(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    assert_exchange(&plugin);
    assert_int_equal(modem_fake_get(&fake, sessions), 1);
    /* The basic channel has no session. */
    assert_int_equal(world_plugin_apdu(&plugin, "\x00\xb0\x00\x00\x02", 5), KEYSTRAP_RESULT_OK);
    assert_string_equal(fake.last, "AT+CSIM=10,\"00b0000002\"");
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_END), KEYSTRAP_RESULT_OK);
    leave(&plugin);
}

static void test_quirks_of_the_field_make_no_difference(void **state) {
    bool *const quirks[] = {&fake.echo, &fake.narrow, &fake.chatty, &fake.bare};
    struct world_plugin plugin;

    (void)state;
    for (size_t i = 0; i <= ELEMENTS(quirks); i++) {
        /* Each, and at last all of them. */
        for (size_t j = 0; j < ELEMENTS(quirks); j++)
            *quirks[j] = i == j || i == ELEMENTS(quirks);
        with_modem(&plugin);
        assert_exchange(&plugin);
        leave(&plugin);
    }
}

static void test_a_modem_without_sessions_opens_channels_by_the_card(void **state) {
    struct world_plugin plugin;

    (void)state;
    fake.without_ccho = true;
    with_modem(&plugin);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_CHANNEL, "\x02", 1);
    assert_string_equal(fake.last, "AT+CSIM=26,\"02a4040407a000000087100200\"");
    assert_int_equal(modem_fake_get(&fake, sessions), 1);
    assert_int_equal(world_plugin_apdu(&plugin, "\x02\xb0\x00\x00\x02", 5), KEYSTRAP_RESULT_OK);
    assert_string_equal(fake.last, "AT+CSIM=10,\"02b0000002\"");
    leave(&plugin);
}

static void test_nothing_is_left_however_it_ends(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    plugin.process.fd = safe_close(plugin.process.fd);
    assert_int_equal(world_plugin_ended(&plugin), 0);
    assert_int_equal(modem_fake_get(&fake, sessions), 0);

    start(&plugin, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(kill(plugin.process.pid, SIGTERM), 0);
    assert_int_equal(world_plugin_ended(&plugin), 0);
    assert_int_equal(modem_fake_get(&fake, sessions), 0);

    /* SIGKILL leaves it to the next one, which closes it where our application is on it. */
    start(&plugin, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(kill(plugin.process.pid, SIGKILL), 0);
    assert_int_equal(world_plugin_ended(&plugin), 256 + SIGKILL);
    start(&plugin, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(close_left(&plugin, "\xa0\x00\x00\x00\x87\x10\x04"), KEYSTRAP_RESULT_OK);
    assert_int_equal(modem_fake_get(&fake, sessions), 1);
    assert_int_equal(close_left(&plugin, "\xa0\x00\x00\x00\x87\x10\x02"), KEYSTRAP_RESULT_OK);
    assert_int_equal(modem_fake_get(&fake, sessions), 0);
    leave(&plugin);
}

static void test_states_follow_the_modem_and_it_recovers(void **state) {
    struct world_plugin plugin;

    (void)state;
    start(&plugin, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN),
                     KEYSTRAP_RESULT_SERVICE_ABSENT);
    fake.pin = "+CME ERROR: 10";
    at_fake_plug(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);
    modem_fake_set(&fake, pin, "+CPIN: SIM PIN");
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);

    /* Pulled and plugged in again: whatever was open is not, and the number of a terminal may be another. */
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    at_fake_pull(&fake);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_COMMUNICATION);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    fake.sessions = 0;
    at_fake_plug(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    leave(&plugin);
}

static void test_a_lost_answer_is_told_in_time(void **state) {
    struct world_plugin plugin;
    uint64_t before;

    (void)state;
    at_fake_plug(&fake);
    start(&plugin, 2000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    modem_fake_set(&fake, silent, true);
    before = now_usec();
    assert_int_equal(world_plugin_apdu(&plugin, "\x00\xb0\x00\x00\x02", 5),
                     KEYSTRAP_RESULT_COMMUNICATION);
    assert_true(now_usec() - before < 3 * USEC_PER_SEC);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    modem_fake_set(&fake, silent, false);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    leave(&plugin);
}

static void test_what_a_modem_refuses_has_a_name(void **state) {
    static const struct {
        const char *error;
        enum keystrap_plugin_result result;
    } table[] = {
        {"+CME ERROR: 3", KEYSTRAP_RESULT_DENIED},
        {"+CME ERROR: 10", KEYSTRAP_RESULT_CARD_ABSENT},
        {"+CME ERROR: 14", KEYSTRAP_RESULT_BUSY},
        {"+CME ERROR: 20", KEYSTRAP_RESULT_NO_CHANNEL},
        {"+CME ERROR: 22", KEYSTRAP_RESULT_NO_APPLICATION},
        {"+CME ERROR: 999", KEYSTRAP_RESULT_FAILED},
    };
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        modem_fake_set(&fake, open_error, table[i].error);
        assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), table[i].result);
    }
    leave(&plugin);
}

static void test_answers_that_do_not_add_up_are_refused(void **state) {
    static const char *const answers[] = {
        "+CGLA: 6,\"CAFE9000\"",
        "+CGLA: 2,\"90\"",
        "+CGLA: 5,\"90000\"",
        "+CGLA: 4,\"90xx\"",
        "+CGLA: 4",
        "+CGLA:",
        "+CSIM: 4,\"9000\"",
        "+CGLA: 4,\"9000\"junk",
    };
    struct world_plugin plugin;
    char line[1200];

    (void)state;
    with_modem(&plugin);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        modem_fake_set(&fake, cgla, answers[i]);
        assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_COMMUNICATION);
    }
    /* Longer than any answer. */
    memset(line, '0', sizeof(line));
    memcpy(line, "+CGLA: 600,\"", 12);
    line[sizeof(line) - 1] = '\0';
    modem_fake_set(&fake, cgla, line);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_COMMUNICATION);
    modem_fake_set(&fake, cgla, NULL);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
    leave(&plugin);
}

static int set_up(void **state) {
    (void)state;
    at_fake_init(&fake);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    at_fake_done(&fake);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_session_is_a_channel),
        TEST(test_quirks_of_the_field_make_no_difference),
        TEST(test_a_modem_without_sessions_opens_channels_by_the_card),
        TEST(test_nothing_is_left_however_it_ends),
        TEST(test_states_follow_the_modem_and_it_recovers),
        TEST(test_a_lost_answer_is_told_in_time),
        TEST(test_what_a_modem_refuses_has_a_name),
        TEST(test_answers_that_do_not_add_up_are_refused),
    };

    return cmocka_run_group_tests_name("at-transport", tests, NULL, NULL);
}
