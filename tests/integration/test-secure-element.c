/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Applications on the card through the running service: from the bus to the applets of a card in pcscd's reader.
 */

#include "gateway.h"

#include <errno.h>
#include <systemd/sd-bus.h>

#define NAME  "org.keystrap.Agent1"
#define PATH  "/org/keystrap/Agent1"
#define SE    NAME ".SecureElement"
#define ERROR NAME ".Error."

#define ECHO "\xf0keystrap\x01"
#define USIM "\xa0\x00\x00\x00\x87\x10\x02"
#define RULES                                                                         \
    "[Principal root]\nUser=root\nAid=F06B6579737472617001 D27600012401\n"            \
    "DeviceAppHash=a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3\nNafFqdn=*.example.com\n" \
    "UaProtocol=0100000002\n"

/* Rules of the card (SEAC 6.1): for all; nothing for the echo applet; only 80 10 for it and the hash of above. */
#define ARA_ALWAYS "e20be1044f00c100e303d00101"
#define ARA_NEVER  "e215e10e4f0af06b6579737472617001c100e303d00100"
#define ARA_FILTER                                                                 \
    "e230e1224f0af06b6579737472617001c114a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3" \
    "e30ad00880100000ffff0000"

struct octets {
    uint8_t data[1100];
    size_t length;
};

static sd_bus *open_bus(void) {
    sd_bus *bus = NULL;

    assert_true(sd_bus_open_system(&bus) >= 0);
    return bus;
}

static void start(struct gateway *gateway, struct world *world) {
    gateway_start(gateway, world, NULL, NULL);
    assert_int_equal(world_write_access(RULES), 0);
    free(gateway_reload(gateway));
    assert_true(gateway_wait_state(gateway, "card-ready"));
}

/* Returns the name of the error, static; NULL where there was none. */
static const char *call(sd_bus *bus, const char *method, uint32_t number, const void *in,
                        size_t in_length, uint32_t *ret_number, struct octets *ret) {
    static char name[128];
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *m = NULL, *reply = NULL;
    const void *data = NULL;
    int r;

    assert_true(sd_bus_message_new_method_call(bus, &m, NAME, PATH, SE, method) >= 0);
    assert_true(sd_bus_message_append(m, "u", number) >= 0);
    if (in)
        assert_true(sd_bus_message_append_array(m, 'y', in, in_length) >= 0);
    r = sd_bus_call(bus, m, 0, &error, &reply);
    (void)snprintf(name, sizeof(name), "%s", r < 0 ? error.name : "");
    if (r < 0)
        fprintf(stderr, "%s: %s\n", method, error.message);
    sd_bus_error_free(&error);
    if (r >= 0 && ret_number)
        assert_true(sd_bus_message_read(reply, "u", ret_number) >= 0);
    if (r >= 0 && ret) {
        assert_true(sd_bus_message_read_array(reply, 'y', &data, &ret->length) >= 0);
        assert_true(ret->length <= sizeof(ret->data));
        memcpy(ret->data, data, ret->length);
    }
    sd_bus_message_unref(m);
    sd_bus_message_unref(reply);
    return r < 0 ? name : NULL;
}

static uint32_t session(sd_bus *bus) {
    sd_bus_message *reply = NULL;
    uint32_t number = 0;

    assert_true(sd_bus_call_method(bus, NAME, PATH, SE, "OpenSession", NULL, &reply, "s", "") >= 0);
    assert_true(sd_bus_message_read(reply, "u", &number) >= 0);
    sd_bus_message_unref(reply);
    return number;
}

static const char *open_echo(sd_bus *bus, uint32_t in, uint32_t *ret) {
    struct octets answer;
    const char *error = call(bus, "OpenLogicalChannel", in, ECHO, sizeof(ECHO) - 1, ret, &answer);

    if (!error) {
        assert_int_equal(answer.length, 16);
        assert_memory_equal(answer.data, "\x6f\x0c\x84\x0a" ECHO "\x90\x00", 16);
    }
    return error;
}

#define SEND(bus, channel, octets, ret) \
    call(bus, "Transmit", channel, octets, sizeof(octets) - 1, NULL, ret)

static void expect_error(const char *error, const char *name) {
    if (!error)
        fail_msg("no error, where %s was expected", name);
    assert_string_equal(error, name);
}

static void expect_channels(struct gateway *gateway, const char *channels) {
    char reply[128] = "";

    /* What a caller leaves behind is closed soon, not at once. */
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(world_ctl(gateway->usim, "channels", reply, sizeof(reply)), 0);
        if (strcmp(reply, channels) == 0)
            return;
        (void)world_wait(gateway->usim, 20);
    }
    assert_string_equal(reply, channels);
}

/* --- Claims ----------------------------------------------------------------------------------------- */

static void a_command_reaches_the_applet_and_a_long_answer_comes_back_whole(void **state) {
    struct gateway gateway;
    struct octets answer;
    uint32_t channel = 0;
    sd_bus *bus;

    start(&gateway, *state);
    bus = open_bus();
    assert_null(open_echo(bus, session(bus), &channel));
    assert_null(SEND(bus, channel, "\x80\x10\x00\x00\x03\xa1\xa2\xa3\x00", &answer));
    assert_int_equal(answer.length, 5);
    assert_memory_equal(answer.data, "\xa1\xa2\xa3\x90\x00", 5);
    assert_null(SEND(bus, channel, "\x80\x12\x02\xbc\x00", &answer));
    assert_int_equal(answer.length, 702);
    for (size_t i = 0; i < 700; i++)
        assert_int_equal(answer.data[i], (uint8_t)i);
    assert_memory_equal(answer.data + 700, "\x90\x00", 2);
    assert_null(call(bus, "Close", channel, NULL, 0, NULL, NULL));
    expect_channels(&gateway, "ok 1");
    sd_bus_flush_close_unref(bus);
}

/* Our own channel, the USIM on it and its keys are as before. */
static void the_subscription_is_out_of_reach_and_not_disturbed(void **state) {
    struct gateway gateway;
    uint32_t channel = 0, own;
    char key[128];
    sd_bus *bus;

    start(&gateway, *state);
    bus = open_bus();
    own = session(bus);
    expect_error(call(bus, "OpenLogicalChannel", own, USIM, sizeof(USIM) - 1, &channel, NULL),
                 ERROR "AccessDenied");
    expect_error(call(bus, "OpenLogicalChannel", own, USIM, 5, &channel, NULL),
                 ERROR "AccessDenied");
    assert_null(open_echo(bus, own, &channel));
    expect_error(SEND(bus, channel, "\x00\x88\x00\x81\x00", NULL), ERROR "CommandRefused");
    expect_error(SEND(bus, channel, "\x00\xa4\x04\x00\x07" USIM, NULL), ERROR "CommandRefused");
    expect_error(SEND(bus, channel, "\x01\x10\x00\x00\x00", NULL), ERROR "CommandRefused");
    expect_error(SEND(bus, channel, "\x00\x20\x00\x01\x04\x31\x32\x33\x34", NULL),
                 ERROR "CommandRefused");
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 0);
    assert_int_equal(gateway_ask(&gateway, 0, "naf.example.com", key, sizeof(key)), 0);
    assert_null(SEND(bus, channel, "\x80\x10\x00\x00\x01\xaa\x00", NULL));
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 1);
    expect_channels(&gateway, "ok 1 2");
    sd_bus_flush_close_unref(bus);
    expect_channels(&gateway, "ok 1");
}

static void the_cards_own_rules_count_and_are_read_again_when_they_change(void **state) {
    struct gateway gateway;
    struct octets answer;
    uint32_t channel = 0, own;
    sd_bus *bus;

    start(&gateway, *state);
    bus = open_bus();
    own = session(bus);
    assert_int_equal(world_ctl(gateway.usim, "ara empty", NULL, 0), 0);
    expect_error(open_echo(bus, own, &channel), ERROR "CardRulesDeny");
    assert_int_equal(world_ctl(gateway.usim, "ara " ARA_ALWAYS, NULL, 0), 0);
    assert_null(open_echo(bus, own, &channel));
    assert_null(call(bus, "Close", channel, NULL, 0, NULL, NULL));
    assert_int_equal(world_ctl(gateway.usim, "ara " ARA_ALWAYS ARA_NEVER, NULL, 0), 0);
    expect_error(open_echo(bus, own, &channel), ERROR "CardRulesDeny");
    assert_int_equal(world_ctl(gateway.usim, "ara " ARA_ALWAYS ARA_NEVER ARA_FILTER, NULL, 0), 0);
    assert_null(open_echo(bus, own, &channel));
    assert_null(SEND(bus, channel, "\x80\x10\x00\x00\x01\xaa\x00", &answer));
    expect_error(SEND(bus, channel, "\x80\x12\x00\x10\x00", NULL), ERROR "CardRulesDeny");
    assert_int_equal(world_ctl(gateway.usim, "ara e200", NULL, 0), 0);
    expect_error(open_echo(bus, own, &channel), ERROR "CardAnswerMalformed");
    assert_int_equal(world_ctl(gateway.usim, "ara none", NULL, 0), 0);
    assert_null(open_echo(bus, own, &channel));
    sd_bus_flush_close_unref(bus);
    expect_channels(&gateway, "ok 1");
}

static void a_reload_that_takes_the_right_back_closes_the_channel(void **state) {
    struct gateway gateway;
    uint32_t channel = 0;
    sd_bus *bus;

    start(&gateway, *state);
    bus = open_bus();
    assert_null(open_echo(bus, session(bus), &channel));
    expect_channels(&gateway, "ok 1 2");
    assert_int_equal(world_write_access("[Principal root]\nUser=root\nManage=yes\n"), 0);
    free(gateway_reload(&gateway));
    expect_channels(&gateway, "ok 1");
    expect_error(SEND(bus, channel, "\x80\x10\x00\x00\x00", NULL), ERROR "ChannelClosed");
    sd_bus_flush_close_unref(bus);
}

static void a_card_that_is_pulled_and_put_back_has_no_channel_of_before(void **state) {
    struct gateway gateway;
    uint32_t channel = 0, own;
    sd_bus *bus;

    start(&gateway, *state);
    bus = open_bus();
    own = session(bus);
    assert_null(open_echo(bus, own, &channel));
    assert_int_equal(world_ctl(gateway.usim, "remove", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "no-card"));
    expect_error(SEND(bus, channel, "\x80\x10\x00\x00\x00", NULL), ERROR "ChannelClosed");
    expect_error(open_echo(bus, own, &channel), ERROR "CardAbsent");
    assert_int_equal(world_ctl(gateway.usim, "insert", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_error(SEND(bus, channel, "\x80\x10\x00\x00\x00", NULL), ERROR "ChannelClosed");
    assert_null(open_echo(bus, own, &channel));
    assert_null(SEND(bus, channel, "\x80\x10\x00\x00\x01\xaa\x00", NULL));
    sd_bus_flush_close_unref(bus);
    expect_channels(&gateway, "ok 1");
}

static void a_silent_applet_holds_nobody_for_ever(void **state) {
    struct gateway gateway;
    uint32_t channel = 0, own;
    sd_bus *bus;

    gateway_start(&gateway, *state, NULL, "[UICC]\nApduTimeoutSec=1\n");
    assert_int_equal(world_write_access(RULES), 0);
    free(gateway_reload(&gateway));
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    bus = open_bus();
    own = session(bus);
    assert_null(open_echo(bus, own, &channel));
    assert_int_equal(world_ctl(gateway.usim, "fault silent-at 1", NULL, 0), 0);
    expect_error(SEND(bus, channel, "\x80\x10\x00\x00\x00", NULL), ERROR "CardSilent");
    assert_int_equal(world_ctl(gateway.usim, "clear", NULL, 0), 0);
    expect_error(SEND(bus, channel, "\x80\x10\x00\x00\x00", NULL), ERROR "ChannelClosed");
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_null(open_echo(bus, own, &channel));
    sd_bus_flush_close_unref(bus);
}

/* A modem opens channels itself, and tells in its own words that there is no ARA-M. */
static void applets_are_reached_through_modems_too(void **state) {
    static const char *const protocols[] = {"qmi", "mbim", "at"};
    struct gateway gateway = {.world = *state};

    assert_non_null(world_start_bus(*state));
    gateway.bsf = world_start_bsf(*state, NULL);
    assert_non_null(gateway.bsf);
    assert_int_equal(world_write_access(RULES), 0);
    for (size_t i = 0; i < 3; i++) {
        struct octets answer;
        uint32_t channel = 0;
        const char *error;
        sd_bus *bus;

        gateway.usim = world_start_modem(*state, protocols[i], SUBSCRIBER, NULL);
        assert_non_null(gateway.usim);
        assert_int_equal(world_write_modem(gateway.bsf, protocols[i], ""), 0);
        assert_int_equal(world_write_access(RULES), 0);
        gateway.keystrapd = world_start_keystrapd(*state, NULL);
        assert_non_null(gateway.keystrapd);
        assert_true(gateway_wait_state(&gateway, "card-ready"));
        bus = open_bus();
        error = call(bus, "OpenLogicalChannel", session(bus), ECHO, sizeof(ECHO) - 1, &channel,
                     &answer);
        if (error)
            fail_msg("%s: %s", protocols[i], error);
        assert_memory_equal(answer.data + answer.length - 2, "\x90\x00", 2);
        assert_null(SEND(bus, channel, "\x80\x10\x00\x00\x03\xa1\xa2\xa3\x00", &answer));
        assert_memory_equal(answer.data, "\xa1\xa2\xa3\x90\x00", 5);
        assert_null(SEND(bus, channel, "\x80\x12\x02\xbc\x00", &answer));
        assert_int_equal(answer.length, 702);
        assert_null(call(bus, "Close", channel, NULL, 0, NULL, NULL));
        sd_bus_flush_close_unref(bus);
        assert_int_equal(world_stop(gateway.keystrapd), 0);
        assert_int_equal(world_stop(gateway.usim), 0);
    }
}

static void shutdown_gives_all_channels_back(void **state) {
    struct gateway gateway;
    uint32_t channel = 0;
    sd_bus *bus;

    start(&gateway, *state);
    bus = open_bus();
    assert_null(open_echo(bus, session(bus), &channel));
    expect_channels(&gateway, "ok 1 2");
    assert_int_equal(world_stop(gateway.keystrapd), 0);
    expect_channels(&gateway, "ok");
    sd_bus_flush_close_unref(bus);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_reaches_the_applet_and_a_long_answer_comes_back_whole),
        cmocka_unit_test(the_subscription_is_out_of_reach_and_not_disturbed),
        cmocka_unit_test(the_cards_own_rules_count_and_are_read_again_when_they_change),
        cmocka_unit_test(a_reload_that_takes_the_right_back_closes_the_channel),
        cmocka_unit_test(a_card_that_is_pulled_and_put_back_has_no_channel_of_before),
        cmocka_unit_test(a_silent_applet_holds_nobody_for_ever),
        cmocka_unit_test(applets_are_reached_through_modems_too),
        cmocka_unit_test(shutdown_gives_all_channels_back),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
