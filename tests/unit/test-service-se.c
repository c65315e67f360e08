/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Applications on the cards as a client on a real bus sees them: sessions and channels that are its own, octets that come
 * through as they are, and nothing left when it goes.
 */

#include "service-world.h"

static const uint8_t aid[] = {0xd2, 0x76, 0x00, 0x01, 0x24, 0x01};
static const uint8_t held_aid[] = {0xff, 0x76, 0x00, 0x01, 0x24, 0x01};

static void call_se(sd_bus *client, const char *method, uint32_t number, const void *octets,
                    size_t length, struct answer *answer) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    assert_return_code(sd_bus_message_new_method_call(client, &m, SERVICE_BUS_NAME, SERVICE_PATH,
                                                      SERVICE_SECURE_ELEMENT, method),
                       0);
    assert_return_code(sd_bus_message_append(m, "u", number), 0);
    if (octets)
        assert_return_code(sd_bus_message_append_array(m, 'y', octets, length), 0);
    assert_return_code(sd_bus_call_async(client, NULL, m, answer_got, answer, 0), 0);
}

static void open_session(sd_bus *client, const char *reader, struct answer *answer) {
    assert_return_code(sd_bus_call_method_async(client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_SECURE_ELEMENT, "OpenSession", answer_got,
                                                answer, "s", reader),
                       0);
}

static uint32_t number_of(const struct answer *answer) {
    uint32_t number = 0;

    assert_true(answer->there);
    if (sd_bus_message_is_method_error(answer->message, NULL))
        fail_msg("%s", sd_bus_message_get_error(answer->message)->message);
    assert_return_code(sd_bus_message_read(answer->message, "u", &number), 0);
    return number;
}

static uint32_t session_of(struct service_world *w, sd_bus *client) {
    _cleanup_answer_ struct answer answer = {0};

    open_session(client, "", &answer);
    answer_wait(w->event, &answer);
    return number_of(&answer);
}

static uint32_t channel_of(struct service_world *w, sd_bus *client, uint32_t session) {
    _cleanup_answer_ struct answer answer = {0};

    call_se(client, "OpenLogicalChannel", session, aid, sizeof(aid), &answer);
    answer_wait(w->event, &answer);
    return number_of(&answer);
}

static void expect_octets(const struct answer *answer, const void *octets, size_t length) {
    const void *got = NULL;
    size_t size = 0;

    assert_false(sd_bus_message_is_method_error(answer->message, NULL));
    assert_return_code(sd_bus_message_read_array(answer->message, 'y', &got, &size), 0);
    assert_int_equal(size, length);
    assert_memory_equal(got, octets, length);
}

static void expect_refusal(struct service_world *w, sd_bus *client, const char *method,
                           uint32_t number, const void *octets, size_t length, const char *name) {
    _cleanup_answer_ struct answer answer = {0};

    call_se(client, method, number, octets, length, &answer);
    answer_wait(w->event, &answer);
    assert_error(&answer, name);
}

/* --- Claims ----------------------------------------------------------------------------------------- */

static void readers_are_the_cards_of_the_configuration(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *name;
    int present;

    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_SECURE_ELEMENT, "GetReaders", answer_got,
                                                &answer, NULL),
                       0);
    answer_wait(w->event, &answer);
    assert_int_equal(sd_bus_message_enter_container(answer.message, 'a', "(sb)"), 1);
    assert_int_equal(sd_bus_message_read(answer.message, "(sb)", &name, &present), 1);
    assert_string_equal(name, "default");
    assert_true(present);
    assert_int_equal(sd_bus_message_at_end(answer.message, 0), 1);
}

static void octets_come_through_as_they_are(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer opened = {0}, answer = {0};
    uint32_t channel;
    uint8_t command[APDU_COMMAND_MAX];

    call_se(w->client, "OpenLogicalChannel", session_of(w, w->client), aid, sizeof(aid), &opened);
    answer_wait(w->event, &opened);
    assert_int_equal(w->agent.caller.uid, getuid());
    assert_string_equal(w->agent.uicc, "(null)");
    channel = number_of(&opened);
    expect_octets(&opened, "\x6f\x00\x90\x00", 4);
    for (size_t i = 0; i < sizeof(command); i++)
        command[i] = (uint8_t)i;
    call_se(w->client, "Transmit", channel, command, sizeof(command), &answer);
    answer_wait(w->event, &answer);
    expect_octets(&answer, command, sizeof(command));
}

static void a_reader_is_chosen_by_its_name(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0}, unknown = {0};

    open_session(w->client, "modem", &answer);
    answer_wait(w->event, &answer);
    assert_int_not_equal(number_of(&answer), 0);
    assert_string_equal(w->agent.uicc, "modem");
    open_session(w->client, "nosuch", &unknown);
    answer_wait(w->event, &unknown);
    assert_error(&unknown, ERROR_PREFIX "CardUnknown");
}

static void close_closes_channels_and_sessions(void **state) {
    struct service_world *w = *state;
    uint32_t session = session_of(w, w->client), channel = channel_of(w, w->client, session);
    _cleanup_answer_ struct answer one = {0}, two = {0};

    assert_int_equal(w->agent.se_channels, 1);
    call_se(w->client, "Close", channel, NULL, 0, &one);
    answer_wait(w->event, &one);
    assert_false(sd_bus_message_is_method_error(one.message, NULL));
    assert_int_equal(w->agent.se_channels, 0);
    assert_int_equal(w->agent.se_sessions, 1);
    call_se(w->client, "Close", session, NULL, 0, &two);
    answer_wait(w->event, &two);
    assert_false(sd_bus_message_is_method_error(two.message, NULL));
    /* With its last session the peer is one like any other again. */
    assert_int_equal(w->agent.se_clients, 0);
    assert_null(w->service->peers.newest->se);
    expect_refusal(w, w->client, "Close", session, NULL, 0, ERROR_PREFIX "ChannelClosed");
}

static void refusals_have_their_names(void **state) {
    struct service_world *w = *state;
    uint32_t session, channel;

    expect_refusal(w, w->client, "Transmit", 1, aid, 4, ERROR_PREFIX "ChannelClosed");
    expect_refusal(w, w->client, "OpenLogicalChannel", 1, aid, 6, ERROR_PREFIX "ChannelClosed");
    expect_refusal(w, w->client, "Close", 1, NULL, 0, ERROR_PREFIX "ChannelClosed");
    session = session_of(w, w->client);
    expect_refusal(w, w->client, "OpenLogicalChannel", session, aid, 0,
                   ERROR_PREFIX "AccessDenied");
    channel = channel_of(w, w->client, session);
    expect_refusal(w, w->client, "Transmit", channel, aid, 3, ERROR_PREFIX "CommandRefused");
    expect_refusal(w, w->client, "Transmit", channel + 7, aid, 4, ERROR_PREFIX "ChannelClosed");
    w->agent.fail_code = SE_E_CARD_RULES;
    expect_refusal(w, w->client, "OpenLogicalChannel", session, aid, 6,
                   ERROR_PREFIX "CardRulesDeny");
}

static void numbers_are_of_no_use_to_another_connection(void **state) {
    struct service_world *w = *state;
    uint32_t session = session_of(w, w->client), channel = channel_of(w, w->client, session);
    sd_bus *other = client_new(w->event);

    (void)session_of(w, other);
    expect_refusal(w, other, "Transmit", channel, aid, 4, ERROR_PREFIX "ChannelClosed");
    expect_refusal(w, other, "OpenLogicalChannel", session, aid, 6, ERROR_PREFIX "ChannelClosed");
    expect_refusal(w, other, "Close", channel, NULL, 0, ERROR_PREFIX "ChannelClosed");
    assert_int_equal(w->agent.se_channels, 1);
    sd_bus_close_unref(other);
}

static bool nothing_is_left(void *userdata) {
    const struct agent *agent = userdata;

    return agent->se_clients == 0 && agent->se_channels == 0 && !agent->held;
}

static void a_caller_that_leaves_the_bus_leaves_nothing(void **state) {
    struct service_world *w = *state;
    sd_bus *leaver = client_new(w->event);
    uint32_t session = session_of(w, leaver), channel = channel_of(w, leaver, session);
    static const uint8_t held[] = {0xff, 0, 0, 0};
    _cleanup_answer_ struct answer opening = {0}, transmitting = {0};

    call_se(leaver, "OpenLogicalChannel", session, held_aid, sizeof(held_aid), &opening);
    call_se(leaver, "Transmit", channel, held, sizeof(held), &transmitting);
    wait_held(w, 2);
    sd_bus_close_unref(leaver);
    assert_true(run_until(w->event, nothing_is_left, &w->agent, PATIENCE_USEC));
    assert_int_equal(w->agent.cancelled, 2);
}

static void an_answer_may_come_later(void **state) {
    struct service_world *w = *state;
    uint32_t session = session_of(w, w->client);
    _cleanup_answer_ struct answer opening = {0}, refused = {0};

    call_se(w->client, "OpenLogicalChannel", session, held_aid, sizeof(held_aid), &opening);
    wait_held(w, 1);
    fake_agent_release(&w->agent, 0);
    answer_wait(w->event, &opening);
    assert_int_not_equal(number_of(&opening), 0);
    call_se(w->client, "OpenLogicalChannel", session, held_aid, sizeof(held_aid), &refused);
    wait_held(w, 1);
    fake_agent_release(&w->agent, UICC_E_NO_CHANNEL);
    answer_wait(w->event, &refused);
    assert_error(&refused, ERROR_PREFIX "NoChannel");
}

/* However many others call: who has a session is not forgotten. */
static void a_peer_with_a_session_is_remembered(void **state) {
    struct service_world *w = *state;
    uint32_t session = session_of(w, w->client);
    struct peer_table *peers = &w->service->peers;
    char name[32];

    for (unsigned i = 0; i < PEERS_MAX + 8; i++) {
        struct peer *peer;

        (void)snprintf(name, sizeof(name), ":77.%u", i);
        assert_int_equal(peer_add(peers, name, &peer), 0);
    }
    assert_int_equal(peers->count, PEERS_MAX);
    assert_int_not_equal(channel_of(w, w->client, session), 0);
}

static void a_bus_that_goes_takes_all_channels_along(void **state) {
    struct service_world *w = *state;

    (void)channel_of(w, w->client, session_of(w, w->client));
    w->service = service_free(w->service);
    assert_int_equal(w->agent.se_clients, 0);
    assert_int_equal(w->agent.se_channels, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(readers_are_the_cards_of_the_configuration),
        TEST(octets_come_through_as_they_are),
        TEST(a_reader_is_chosen_by_its_name),
        TEST(close_closes_channels_and_sessions),
        TEST(refusals_have_their_names),
        TEST(numbers_are_of_no_use_to_another_connection),
        TEST(a_caller_that_leaves_the_bus_leaves_nothing),
        TEST(an_answer_may_come_later),
        TEST(a_peer_with_a_session_is_remembered),
        TEST(a_bus_that_goes_takes_all_channels_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
