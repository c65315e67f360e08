/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-qmi with the real libqmi against a modem of the test's own, at the place of qmi-proxy.
 *
 * Each test starts the program as keystrapd does and speaks the transport protocol with it. What is proved is what
 * keystrapd relies on: states that follow the modem, CARD_RESET whenever the card may have forgotten us, and that the
 * modem has no channel and no client identifier of ours left, whichever way the program ended.
 */

#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "plugin-program.h"
#include "qmi-fake.h"

static const uint8_t usim[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
static const uint8_t isim[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04};
static const uint8_t read_binary[] = {0x02, 0xb0, 0x00, 0x00, 0x02};

#define QMI_PROXY_PROGRAM "/usr/libexec/qmi-proxy"

static struct qmi_fake fake;

static void skip_unless_root(void) {
    if (geteuid() == 0)
        return;
    print_message("skipped: a network namespace needs root\n");
    skip();
}

/* The program with options; what it can. */
static uint32_t start_with(struct world_plugin *plugin, uint8_t slot, uint32_t flags,
                           uint32_t timeout_msec) {
    world_plugin_spawn(plugin, "uicc-qmi");
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_HELLO, ++plugin->serial);
    packet_append_text(&plugin->packet, KEYSTRAP_FIELD_DEVICE, "/dev/cdc-wdm-test");
    if (slot)
        packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_SLOT, slot);
    if (flags)
        packet_append_u32(&plugin->packet, KEYSTRAP_FIELD_FLAGS, flags);
    packet_append_u32(&plugin->packet, KEYSTRAP_FIELD_TIMEOUT, timeout_msec);
    return world_plugin_hello(plugin, "qmi");
}

static void start(struct world_plugin *plugin) {
    assert_int_equal(start_with(plugin, 0, 0, 10000), KEYSTRAP_CAPABILITY_APDU |
                                                          KEYSTRAP_CAPABILITY_CHANNELS |
                                                          KEYSTRAP_CAPABILITY_SEVERAL);
}

static enum keystrap_plugin_result close_channel(struct world_plugin *plugin, uint8_t channel,
                                                 bool left) {
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_CLOSE_CHANNEL, ++plugin->serial);
    packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, channel);
    if (left)
        packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, QMI_FAKE_USIM, QMI_FAKE_AID_LENGTH);
    world_plugin_send(plugin);
    return world_plugin_answer(plugin);
}

static enum keystrap_plugin_result authenticate(struct world_plugin *plugin, const uint8_t *aid,
                                                uint8_t p2, const void *data, size_t length) {
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_AUTHENTICATE, ++plugin->serial);
    packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, aid, 7);
    packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CONTEXT, p2);
    packet_append(&plugin->packet, KEYSTRAP_FIELD_COMMAND, data, length);
    world_plugin_send(plugin);
    return world_plugin_answer(plugin);
}

static void assert_text(struct world_plugin *plugin, const char *words) {
    char text[PLUGIN_TEXT_MAX] = "";

    (void)packet_get_text(&plugin->packet, KEYSTRAP_FIELD_TEXT, text, sizeof(text));
    if (!strstr(text, words))
        fail_msg("the text is: %s", text);
}

/* The next STATE, which must come. */
static void next_state(struct world_plugin *plugin) {
    unsigned before = plugin->states;

    while (plugin->states == before) {
        world_plugin_receive(plugin);
        world_plugin_take_state(plugin);
    }
}

/* A modem that is there, and the program that sees its card. */
static void with_modem(struct world_plugin *plugin) {
    skip_unless_root();
    qmi_fake_start(&fake);
    start(plugin);
    world_plugin_expect(plugin, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(plugin->reader, "/dev/cdc-wdm-test slot 1");
    assert_int_equal(world_plugin_ask(plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
}

static void assert_nothing_left(void) {
    assert_int_equal(modem_fake_get(&fake, channels), 0);
    assert_int_equal(modem_fake_get(&fake, cids), 0);
    modem_line_stop(&fake.line);
}

static void test_a_channel_and_commands_go_through_the_modem(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_CHANNEL, "\x02", 1);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\x62\x02\x82\x00\x90\x00", 6);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, sizeof(read_binary)),
                     KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\xca\xfe\x90\x00", 4);
    /* Slot 1, channel 2, and the command as it is. */
    assert_memory_equal(fake.apdu, "\x01\x02\x02\xb0\x00\x00\x02", 7);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_END), KEYSTRAP_RESULT_OK);
    assert_int_equal(close_channel(&plugin, 2, false), KEYSTRAP_RESULT_OK);
    assert_int_equal(modem_fake_get(&fake, channels), 0);
    /* One that is not ours is none of our business. */
    assert_int_equal(close_channel(&plugin, 1, false), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.closed[1], 0);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_RESET), KEYSTRAP_RESULT_UNSUPPORTED);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_nothing_is_left_when_the_socket_is_closed(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(modem_fake_get(&fake, cids), 1);
    plugin.process.fd = safe_close(plugin.process.fd);
    assert_int_equal(world_plugin_ended(&plugin), 0);
    assert_nothing_left();
}

static void test_nothing_is_left_after_sigterm(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(kill(plugin.process.pid, SIGTERM), 0);
    assert_int_equal(world_plugin_ended(&plugin), 0);
    assert_nothing_left();
}

/* A channel of a predecessor is closed where our application is on it, and left alone where another one is. */
static void test_a_channel_left_over_is_closed_only_if_it_is_ours(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    modem_fake_set(&fake, selected, 0x88);
    assert_int_equal(close_channel(&plugin, 3, true), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.closed[3], 0);
    modem_fake_set(&fake, selected, 0x89);
    assert_int_equal(close_channel(&plugin, 3, true), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.closed[3], 1);
    /* STATUS on channel 3. */
    assert_memory_equal(fake.apdu, "\x01\x03\x83\xf2\x00\x01\x00", 7);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

/* The client identifier of a killed program is taken over and given back: the modem has few of them. */
static void test_the_identifier_of_a_killed_program_is_taken_over(void **state) {
    struct world_plugin plugin;
    const uint8_t *token;
    uint8_t cid[4];
    size_t length;

    (void)state;
    skip_unless_root();
    qmi_fake_start(&fake);
    start(&plugin);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_true(packet_get(&plugin.packet, KEYSTRAP_FIELD_TOKEN, &token, &length));
    assert_true(length <= sizeof(cid));
    memcpy(cid, token, length);
    assert_int_equal(kill(plugin.process.pid, SIGKILL), 0);
    assert_int_equal(world_plugin_ended(&plugin), 256 + SIGKILL);
    assert_int_equal(modem_fake_get(&fake, cids), 1);

    world_plugin_spawn(&plugin, "uicc-qmi");
    packet_begin(&plugin.packet, KEYSTRAP_PLUGIN_HELLO, ++plugin.serial);
    packet_append(&plugin.packet, KEYSTRAP_FIELD_TOKEN, cid, length);
    (void)world_plugin_hello(&plugin, "qmi");
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(plugin.reader, "/dev/cdc-wdm0 slot 1");
    assert_int_equal(modem_fake_get(&fake, cids), 1);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_states_follow_the_modem_and_it_recovers(void **state) {
    struct world_plugin plugin;

    (void)state;
    skip_unless_root();
    start(&plugin);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_text(&plugin, "qmi-proxy does not run");
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN),
                     KEYSTRAP_RESULT_SERVICE_ABSENT);
    assert_text(&plugin, "Proxy=no");

    qmi_fake_start(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);

    modem_line_stop(&fake.line);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_SERVICE_ABSENT);

    qmi_fake_start(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_a_card_that_comes_and_goes_is_seen(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    modem_fake_set(&fake, cards[0], 0);
    modem_fake_set(&fake, cards[1], 0);
    qmi_fake_indicate_cards(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);
    modem_fake_set(&fake, cards[0], 2);
    qmi_fake_indicate_cards(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_MUTE);
    modem_fake_set(&fake, cards[0], 1);
    qmi_fake_indicate_cards(&fake);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

/* REFRESH with a reset, and one of files, which the modem ends only after each client said that it is ready. */
static void test_a_refresh_makes_the_card_another_one(void **state) {
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    qmi_fake_indicate_refresh(&fake, 2, 0);
    next_state(&plugin);
    assert_int_equal(plugin.card, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.completes, 0);
    qmi_fake_indicate_refresh(&fake, 1, 3);
    next_state(&plugin);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    assert_int_equal(modem_fake_get(&fake, completes), 1);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_slots_are_chosen_and_never_switched(void **state) {
    struct world_plugin plugin;

    (void)state;
    skip_unless_root();
    qmi_fake_start(&fake);
    (void)start_with(&plugin, 2, 0, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(plugin.reader, "/dev/cdc-wdm-test slot 2");
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.apdu[0], 2);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_NEXT), KEYSTRAP_RESULT_CARD_ABSENT);
    world_plugin_bye(&plugin);

    (void)start_with(&plugin, 3, 0, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_READER_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);
    assert_text(&plugin, "2 active slots");
    world_plugin_bye(&plugin);

    /* No slot named: the modem's own, and NEXT goes round. */
    start(&plugin);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(plugin.reader, "/dev/cdc-wdm-test slot 1");
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_NEXT), KEYSTRAP_RESULT_OK);
    assert_string_equal(plugin.reader, "/dev/cdc-wdm-test slot 2");
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_NEXT), KEYSTRAP_RESULT_OK);
    assert_string_equal(plugin.reader, "/dev/cdc-wdm-test slot 1");
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_what_a_modem_refuses_has_a_name_and_a_remedy(void **state) {
    static const struct {
        uint16_t error;
        enum keystrap_plugin_result result;
        const char *words;
    } table[] = {
        {82, KEYSTRAP_RESULT_DENIED, "Access=authenticate"},
        {71, KEYSTRAP_RESULT_UNSUPPORTED, "Access=authenticate"},
        {68, KEYSTRAP_RESULT_NO_CHANNEL, "no logical channel"},
        {3, KEYSTRAP_RESULT_NO_CHANNEL, "6A81"}, /* with the card's status word */
        {80, KEYSTRAP_RESULT_NO_APPLICATION, "no such application"},
        {26, KEYSTRAP_RESULT_FAILED, "26"},
        {999, KEYSTRAP_RESULT_FAILED, "999"},
    };
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        modem_fake_set(&fake, open_error, table[i].error);
        assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)), table[i].result);
        assert_text(&plugin, table[i].words);
    }
    modem_fake_set(&fake, apdu_error, 82);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_DENIED);
    modem_fake_set(&fake, apdu_error, 102);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_CARD_ABSENT);
    /* The client identifier is not ours any more: the modem was restarted behind the proxy. */
    modem_fake_set(&fake, apdu_error, 7);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_SERVICE_ABSENT);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    modem_fake_set(&fake, apdu_error, 0);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&plugin);
    modem_line_stop(&fake.line);
}

/* The answer that got lost is told before keystrapd loses patience, so that the program lives and cleans up. */
static void test_a_lost_answer_is_told_in_time(void **state) {
    struct world_plugin plugin;
    uint64_t before;

    (void)state;
    skip_unless_root();
    qmi_fake_start(&fake);
    (void)start_with(&plugin, 0, 0, 2000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    modem_fake_set(&fake, silent, true);
    before = now_usec();
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_COMMUNICATION);
    assert_true(now_usec() - before < 2 * USEC_PER_SEC);
    /* It answers nothing at all: then there is no modem. */
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    modem_fake_set(&fake, silent, false);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&plugin);
    modem_line_stop(&fake.line);
}

/* A count that says more than there is, nothing at all, half a status word, a channel that no card has. */
static void test_answers_that_do_not_add_up_are_refused(void **state) {
    static const struct {
        const char *octets;
        size_t length;
    } table[] = {
        {"\xff\x00\x90\x00", 4}, {"", 0}, {"\x01\x00\x90", 3}, {"\x00", 1}, {"\xff\xff", 2}};
    struct world_plugin plugin;

    (void)state;
    with_modem(&plugin);
    for (size_t i = 0; i < ELEMENTS(table); i++) {
        modem_fake_set(&fake, raw_response, (const uint8_t *)table[i].octets);
        modem_fake_set(&fake, raw_response_length, table[i].length);
        assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_COMMUNICATION);
    }
    modem_fake_set(&fake, opens, 20);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)),
                     KEYSTRAP_RESULT_FAILED);
    modem_fake_set(&fake, opens, 0);
    assert_int_equal(world_plugin_open_channel(&plugin, usim, sizeof(usim)),
                     KEYSTRAP_RESULT_FAILED);
    world_plugin_bye(&plugin);
    modem_line_stop(&fake.line);
}

static void test_the_modem_tells_who_the_card_is(void **state) {
    struct world_plugin plugin;

    (void)state;
    skip_unless_root();
    qmi_fake_start(&fake);
    assert_int_equal(start_with(&plugin, 0, KEYSTRAP_FLAG_AKA, 10000),
                     KEYSTRAP_CAPABILITY_AKA | KEYSTRAP_CAPABILITY_SEVERAL);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_IDENTITY), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_ICCID, "89440000000000000014", 20);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_IMSI, "001010000000001", 15);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_EF_AD, "\x00\x00\x00\x02", 4);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_AID, QMI_FAKE_USIM, QMI_FAKE_AID_LENGTH);
    world_plugin_bye(&plugin);

    modem_fake_set(&fake, isim_only, true);
    (void)start_with(&plugin, 0, KEYSTRAP_FLAG_AKA, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_IDENTITY), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_IMPI, "u@h.x", 5);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_SERVICES, "\x02", 1);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_AID, QMI_FAKE_ISIM, QMI_FAKE_AID_LENGTH);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void test_the_modem_runs_aka(void **state) {
    struct world_plugin plugin;

    (void)state;
    skip_unless_root();
    qmi_fake_start(&fake);
    (void)start_with(&plugin, 0, KEYSTRAP_FLAG_AKA, 10000);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(authenticate(&plugin, usim, 0x81, "\x10rand", 5), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\xdb\x01\x55\x90\x00", 5);
    /* The modem's own session, context 3, length, data. */
    assert_memory_equal(fake.auth, "\x00\x00\x03\x05\x00\x10rand", 10);
    assert_int_equal(authenticate(&plugin, usim, 0x84, "\xdd\x10", 2), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.auth[2], 5);
    assert_int_equal(authenticate(&plugin, usim, 0x84, "\xde\x01", 2), KEYSTRAP_RESULT_OK);
    assert_int_equal(fake.auth[2], 6);
    assert_int_equal(authenticate(&plugin, usim, 0x84, "\xaa", 1), KEYSTRAP_RESULT_UNSUPPORTED);
    /* A modem that does not want the tag did not ask the card; one that says anything else may have. */
    modem_fake_set(&fake, auth_dislikes, 0xdd);
    assert_int_equal(authenticate(&plugin, usim, 0x84, "\xdd\x10", 2), KEYSTRAP_RESULT_OK);
    assert_memory_equal(fake.auth, "\x00\x00\x05\x01\x00\x10", 6);
    modem_fake_set(&fake, auth_dislikes, 0x10);
    assert_int_equal(authenticate(&plugin, usim, 0x81, "\x10", 1), KEYSTRAP_RESULT_INVALID);
    modem_fake_set(&fake, auth_dislikes, 0);
    /* An ISIM has no session of its own: slot 1 and its AID, and IMS AKA. */
    assert_int_equal(authenticate(&plugin, isim, 0x81, "\x10", 1), KEYSTRAP_RESULT_OK);
    assert_memory_equal(fake.auth, "\x04\x07\xa0\x00\x00\x00\x87\x10\x04\x0b\x01\x00\x10", 13);

    /* The card's no is an answer, and the modem's no is a result. */
    modem_fake_set(&fake, auth_error, 3);
    assert_int_equal(authenticate(&plugin, usim, 0x81, "\x10", 1), KEYSTRAP_RESULT_OK);
    world_plugin_assert(&plugin, KEYSTRAP_FIELD_RESPONSE, "\x98\x62", 2);
    modem_fake_set(&fake, auth_without_status, true);
    assert_int_equal(authenticate(&plugin, usim, 0x81, "\x10", 1), KEYSTRAP_RESULT_FAILED);
    modem_fake_set(&fake, auth_error, 0);
    assert_int_equal(authenticate(&plugin, usim, 0x81, "\x10", 1), KEYSTRAP_RESULT_COMMUNICATION);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static void start_at(struct world_plugin *plugin, const char *device, uint32_t flags) {
    world_plugin_spawn(plugin, "uicc-qmi");
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_HELLO, ++plugin->serial);
    packet_append_text(&plugin->packet, KEYSTRAP_FIELD_DEVICE, device);
    packet_append_u32(&plugin->packet, KEYSTRAP_FIELD_FLAGS, flags);
    (void)world_plugin_hello(plugin, "qmi");
}

static void assert_exchange(struct world_plugin *plugin) {
    world_plugin_expect(plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_open_channel(plugin, usim, sizeof(usim)), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_apdu(plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
    world_plugin_assert(plugin, KEYSTRAP_FIELD_RESPONSE, "\xca\xfe\x90\x00", 4);
}

/* No proxy is there: the program opens the device itself, from inside its sandbox. */
static void test_a_device_is_opened_without_the_proxy(void **state) {
    struct world_plugin plugin;
    char device[64];

    (void)state;
    skip_unless_root();
    qmi_fake_start_device(&fake, device, sizeof(device));
    start_at(&plugin, "/dev/cdc-wdm-none", KEYSTRAP_FLAG_DIRECT);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_text(&plugin, "No such file");
    world_plugin_bye(&plugin);
    start_at(&plugin, device, KEYSTRAP_FLAG_DIRECT);
    assert_exchange(&plugin);
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

/* Two programs at one modem through the real qmi-proxy, each with its own identifier; nothing is left of either. */
static void test_the_real_proxy_shares_the_device(void **state) {
    struct world_plugin plugin, other;
    char device[64];
    pid_t proxy;

    (void)state;
    skip_unless_root();
    if (access(QMI_PROXY_PROGRAM, X_OK) < 0) {
        print_message("skipped: there is no " QMI_PROXY_PROGRAM "\n");
        skip();
    }
    qmi_fake_start_device(&fake, device, sizeof(device));
    proxy = modem_line_proxy(QMI_PROXY_PROGRAM, "qmi-proxy");
    start_at(&plugin, device, 0);
    start_at(&other, device, 0);
    assert_exchange(&plugin);
    assert_exchange(&other);
    assert_int_equal(modem_fake_get(&fake, cids), 2);
    world_plugin_bye(&plugin);
    assert_int_equal(modem_fake_get(&fake, cids), 1);
    assert_int_equal(world_plugin_apdu(&other, read_binary, 5), KEYSTRAP_RESULT_OK);

    /* The proxy is killed and comes back: so does the card, and it may have forgotten us. */
    modem_line_proxy_stop(proxy);
    world_plugin_expect(&other, KEYSTRAP_CARD_SERVICE_ABSENT);
    proxy = modem_line_proxy(QMI_PROXY_PROGRAM, "qmi-proxy");
    world_plugin_expect(&other, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(world_plugin_ask(&other, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&other);
    modem_line_proxy_stop(proxy);
    modem_line_stop(&fake.line);
}

/* Who is in it reaches nothing but local sockets. */
static void test_it_runs_in_the_sandbox(void **state) {
    struct world_plugin plugin;
    char path[64], line[256], mode = '?';
    FILE *f;

    (void)state;
    with_modem(&plugin);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)plugin.process.pid);
    f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        (void)sscanf(line, "Seccomp: %c", &mode);
    fclose(f);
    assert_int_equal(mode, '2');
    world_plugin_bye(&plugin);
    assert_nothing_left();
}

static int enter(void **state) {
    (void)state;
    /* libqmi takes the place of the proxy from a name that a network namespace has for itself. */
    return geteuid() == 0 ? unshare(CLONE_NEWNET) : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_channel_and_commands_go_through_the_modem),
        cmocka_unit_test(test_nothing_is_left_when_the_socket_is_closed),
        cmocka_unit_test(test_nothing_is_left_after_sigterm),
        cmocka_unit_test(test_a_channel_left_over_is_closed_only_if_it_is_ours),
        cmocka_unit_test(test_the_identifier_of_a_killed_program_is_taken_over),
        cmocka_unit_test(test_states_follow_the_modem_and_it_recovers),
        cmocka_unit_test(test_a_card_that_comes_and_goes_is_seen),
        cmocka_unit_test(test_a_refresh_makes_the_card_another_one),
        cmocka_unit_test(test_slots_are_chosen_and_never_switched),
        cmocka_unit_test(test_what_a_modem_refuses_has_a_name_and_a_remedy),
        cmocka_unit_test(test_a_lost_answer_is_told_in_time),
        cmocka_unit_test(test_answers_that_do_not_add_up_are_refused),
        cmocka_unit_test(test_the_modem_tells_who_the_card_is),
        cmocka_unit_test(test_the_modem_runs_aka),
        cmocka_unit_test(test_a_device_is_opened_without_the_proxy),
        cmocka_unit_test(test_the_real_proxy_shares_the_device),
        cmocka_unit_test(test_it_runs_in_the_sandbox),
    };

    return cmocka_run_group_tests_name("qmi-transport", tests, enter, NULL);
}
