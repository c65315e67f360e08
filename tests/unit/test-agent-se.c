/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent and callers' channels to applications on the card.
 *
 * Proved here: what access.d and the card's rules must both grant; that nothing is sent which the filter or
 * the card's rules keep back; that channels end with their owner, their session, their right, their worker and their
 * card; that a channel which opens after its caller left is closed; and that nobody uses another's.
 */

#include "unit/agent-world.h"

#include "secure-element.h"

#define RULES                                                       \
    "[Principal meter]\nUser=4711\nAid=D27600012401 D27600018501\n" \
    "[Principal pin]\nUser=4712\nAid=D27600012401\nAidPin=yes\n"    \
    "DeviceAppHash=000102030405060708090a0b0c0d0e0f10111213\n"

static const uint8_t applet[] = {0xd2, 0x76, 0x00, 0x01, 0x24, 0x01};
static const uint8_t usim[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
static const uint8_t get_data[] = {0x80, 0xca, 0x00, 0x00, 0x00};
static const uint8_t put_data[] = {0x80, 0xda, 0x00, 0x00, 0x01, 0xaa};
static const uint8_t verify[] = {0x00, 0x20, 0x00, 0x01, 0x02, 0x31, 0x32};
static const uint8_t authenticate[] = {0x00, 0x88, 0x00, 0x81, 0x00};
static const struct access_caller pinner = {.uid = 4712};

struct told {
    unsigned count;
    int r;
    uint32_t channel;
    uint8_t data[64];
    size_t length;
    char text[FAILURE_TEXT_MAX];
};

static void on_answer(int r, const struct agent_se_answer *answer, const struct failure *failure,
                      void *userdata) {
    struct told *told = userdata;

    told->count++;
    told->r = r;
    assert_int_equal(r == 0, answer != NULL);
    assert_int_equal(r != 0, failure != NULL);
    if (answer) {
        told->channel = answer->channel;
        assert_in_range(answer->length, 2, sizeof(told->data));
        memcpy(told->data, answer->data, answer->length);
        told->length = answer->length;
    }
    (void)snprintf(told->text, sizeof(told->text), "%s", failure ? failure->text : "");
}

/* --- The worker's side ----------------------------------------------------------------------------- */

/* Report the oldest job with @r and, where that is 0, two octets of data and 9000. */
static void report_se_deciding(int r, const struct ara_decision *decision) {
    struct worker_report told = {.kind = fake.se[0].kind, .r = r, .se = fake.se[0].se};

    assert_true(fake.se_count > 0);
    memmove(&fake.se[0], &fake.se[1], --fake.se_count * sizeof(fake.se[0]));
    if (r != 0) {
        (void)failure_set(&told.failure, r, "the worker says so");
    } else if (told.kind != WORKER_SE_CLOSE) {
        assert_int_equal(apdu_answer_init(&told.se->answer), 0);
        memcpy(secret_data_mutable(told.se->answer.data), "\x01\x02\x90\x00", 4);
        told.se->answer.length = 4;
        told.se->decision = *decision;
    }
    report(&told);
    worker_se_free(told.se);
}

static void report_se(int r) {
    const struct ara_decision always = {.access = ARA_ALWAYS};

    report_se_deciding(r, &always);
}

static void expect_close(uint32_t channel) {
    assert_int_equal(fake.se_count, 1);
    assert_int_equal(fake.se[0].kind, WORKER_SE_CLOSE);
    assert_int_equal(fake.se[0].se->channel, channel);
    report_se(0);
}

/* --- Callers ---------------------------------------------------------------------------------------- */

static struct agent_se_client *connect_as(struct world *world, const struct access_caller *caller) {
    struct agent_se_client *client = NULL;

    assert_int_equal(agent_se_client_new(world->agent, caller, &client), 0);
    return client;
}

static uint32_t session_of(struct agent_se_client *client) {
    uint32_t session = 0;

    assert_int_equal(agent_se_open_session(client, NULL, &session, NULL), 0);
    assert_int_not_equal(session, 0);
    return session;
}

static struct agent_request *open_in(struct agent_se_client *client, uint32_t session,
                                     struct told *told) {
    struct agent_request *request = NULL;

    assert_int_equal(
        agent_se_open_channel(client, session, applet, sizeof(applet), on_answer, told, &request),
        0);
    return request;
}

static uint32_t opened_channel(struct agent_se_client *client, uint32_t session) {
    struct told told = {0};

    assert_non_null(open_in(client, session, &told));
    report_se(0);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.r, 0);
    return told.channel;
}

#define SEND(client, channel, command, told, request) \
    assert_int_equal(                                 \
        agent_se_transmit(client, channel, command, sizeof(command), on_answer, told, request), 0)

static int set_up_se(void **state) {
    struct failure failure = {0};
    struct world *world;
    int r = set_up(state);

    world = *state;
    write_file(world, "access.d/meter.conf", RULES);
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    report_ready();
    return r;
}

/* --- Claims ----------------------------------------------------------------------------------------- */

static void a_channel_is_opened_used_and_closed(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    struct agent_request *request = NULL;
    struct told told = {0};
    uint32_t channel;

    assert_true(agent_se_client_idle(client));
    channel = opened_channel(client, session_of(client));
    assert_false(agent_se_client_idle(client));
    SEND(client, channel, get_data, &told, &request);
    assert_non_null(request);
    assert_int_equal(fake.se[0].kind, WORKER_SE_TRANSMIT);
    assert_int_equal(secret_length(fake.se[0].se->command), sizeof(get_data));
    assert_memory_equal(secret_data(fake.se[0].se->command), get_data, sizeof(get_data));
    report_se(0);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.channel, channel);
    assert_int_equal(told.length, 4);
    assert_memory_equal(told.data, "\x01\x02\x90\x00", 4);
    assert_int_equal(agent_se_close_channel(client, channel, NULL), 0);
    expect_close(channel);
    assert_int_equal(agent_se_close_channel(client, channel, NULL), SE_E_CLOSED);
    agent_se_client_free(client);
}

static void what_no_rule_grants_never_reaches_the_card(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t session = session_of(client);
    struct agent_request *request = NULL;
    struct told told = {0};
    static const uint8_t other[] = {0xd2, 0x76, 0x00, 0x01, 0x99};

    assert_int_equal(
        agent_se_open_channel(client, session, other, sizeof(other), on_answer, &told, &request),
        0);
    assert_null(request);
    assert_int_equal(told.r, ACCESS_E_DENIED);
    assert_int_equal(
        agent_se_open_channel(client, session, usim, sizeof(usim), on_answer, &told, &request), 0);
    assert_int_equal(told.r, ACCESS_E_DENIED);
    assert_int_equal(agent_se_open_channel(client, session, NULL, 0, on_answer, &told, &request),
                     0);
    assert_int_equal(told.r, ACCESS_E_DENIED);
    assert_int_equal(told.count, 3);
    assert_int_equal(fake.se_count, 0);
    agent_se_client_free(client);
}

static void what_the_filter_refuses_never_reaches_the_card(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t channel = opened_channel(client, session_of(client));
    struct agent_request *request = NULL;
    struct told told = {0};

    SEND(client, channel, authenticate, &told, &request);
    assert_null(request);
    assert_int_equal(told.r, SE_E_COMMAND);
    SEND(client, channel, verify, &told, &request);
    assert_int_equal(told.r, SE_E_COMMAND);
    assert_non_null(strstr(told.text, "AidPin="));
    assert_int_equal(agent_se_transmit(client, channel, NULL, 0, on_answer, &told, &request), 0);
    assert_int_equal(told.r, SE_E_COMMAND);
    assert_int_equal(fake.se_count, 0);
    agent_se_client_free(client);
    expect_close(channel);
}

static void a_pin_goes_where_a_rule_lets_it_and_its_hash_is_told(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &pinner);
    struct agent_request *request = NULL;
    struct told opened = {0}, told = {0};

    assert_non_null(open_in(client, session_of(client), &opened));
    assert_int_equal(fake.se[0].se->hashes_count, 1);
    assert_int_equal(fake.se[0].se->hashes[0].length, 20);
    report_se(0);
    SEND(client, opened.channel, verify, &told, &request);
    assert_non_null(request);
    report_se(0);
    assert_int_equal(told.r, 0);
    agent_se_client_free(client);
    expect_close(opened.channel);
}

static void the_cards_rules_are_enforced(void **state) {
    const struct ara_decision reads = {
        .access = ARA_FILTERED,
        .filters_count = 1,
        .filters = {{.header = {0x80, 0xca, 0x00, 0x00}, .mask = {0xff, 0xff, 0x00, 0x00}}}};
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t session = session_of(client);
    struct agent_request *request = NULL;
    struct told opened = {0}, told = {0};

    open_in(client, session, &opened);
    report_se(SE_E_CARD_RULES);
    assert_int_equal(opened.r, SE_E_CARD_RULES);
    open_in(client, session, &opened);
    report_se_deciding(0, &reads);
    assert_int_equal(opened.r, 0);
    SEND(client, opened.channel, put_data, &told, &request);
    assert_null(request);
    assert_int_equal(told.r, SE_E_CARD_RULES);
    SEND(client, opened.channel, get_data, &told, &request);
    assert_non_null(request);
    report_se(0);
    assert_int_equal(told.r, 0);
    agent_se_client_free(client);
    expect_close(opened.channel);
}

static void nobody_has_anothers_session_or_channel(void **state) {
    struct world *world = *state;
    struct agent_se_client *one = connect_as(world, &meter), *other = connect_as(world, &meter);
    uint32_t session = session_of(one), channel = opened_channel(one, session);
    struct agent_request *request = NULL;
    struct told told = {0};

    (void)session_of(other);
    SEND(other, channel, get_data, &told, &request);
    assert_int_equal(told.r, SE_E_CLOSED);
    assert_null(open_in(other, session, &told));
    assert_int_equal(told.r, SE_E_CLOSED);
    assert_int_equal(agent_se_close_channel(other, channel, NULL), SE_E_CLOSED);
    assert_int_equal(agent_se_close_session(other, session, NULL), SE_E_CLOSED);
    assert_int_equal(fake.se_count, 0);
    agent_se_client_free(other);
    assert_int_equal(agent_se_close_session(one, session, NULL), 0);
    expect_close(channel);
    agent_se_client_free(one);
}

static void one_command_of_a_channel_at_a_time(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t channel = opened_channel(client, session_of(client));
    struct agent_request *request = NULL, *second = NULL;
    struct told first = {0}, told = {0};

    SEND(client, channel, get_data, &first, &request);
    SEND(client, channel, get_data, &told, &second);
    assert_null(second);
    assert_int_equal(told.r, ACCESS_E_TOO_MANY);
    assert_int_equal(fake.se_count, 1);
    /* Its owner closes it meanwhile. */
    assert_int_equal(agent_se_close_channel(client, channel, NULL), 0);
    assert_int_equal(first.count, 1);
    assert_int_equal(first.r, SE_E_CLOSED);
    report_se(0);
    assert_int_equal(first.count, 1);
    expect_close(channel);
    agent_se_client_free(client);
}

static void channels_and_sessions_have_limits(void **state) {
    struct world *world = *state;
    struct agent_se_client *clients[3];
    uint32_t sessions[3], more;
    struct told told = {0};

    for (size_t i = 0; i < ELEMENTS(clients); i++) {
        clients[i] = connect_as(world, i < 2 ? &meter : &pinner);
        sessions[i] = session_of(clients[i]);
    }
    for (unsigned i = 0; i < SE_CHANNELS_PER_CALLER_MAX; i++)
        (void)opened_channel(clients[0], sessions[0]);
    assert_null(open_in(clients[0], sessions[0], &told));
    assert_int_equal(told.r, ACCESS_E_TOO_MANY);
    for (unsigned i = SE_CHANNELS_PER_CALLER_MAX; i < SE_CHANNELS_PER_USER_MAX; i++)
        (void)opened_channel(clients[1], sessions[1]);
    assert_null(open_in(clients[1], sessions[1], &told));
    assert_int_equal(told.r, ACCESS_E_TOO_MANY);
    for (unsigned i = SE_CHANNELS_PER_USER_MAX; i < SE_CHANNELS_PER_CARD_MAX; i++)
        (void)opened_channel(clients[2], sessions[2]);
    assert_null(open_in(clients[2], sessions[2], &told));
    assert_int_equal(told.r, ACCESS_E_TOO_MANY);
    for (unsigned i = 1; i < SE_SESSIONS_PER_CALLER_MAX; i++)
        (void)session_of(clients[0]);
    assert_int_equal(agent_se_open_session(clients[0], NULL, &more, NULL), ACCESS_E_TOO_MANY);
    assert_int_equal(agent_se_open_session(clients[1], "nosuch", &more, NULL), UICC_E_UNCONFIGURED);
    for (size_t i = 0; i < ELEMENTS(clients); i++)
        agent_se_client_free(clients[i]);
    assert_int_equal(fake.se_count, SE_CHANNELS_PER_CARD_MAX);
    while (fake.se_count > 0)
        report_se(0);
}

static void a_caller_that_leaves_while_a_channel_opens_leaves_none(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    struct told told = {0};
    struct agent_request *request = open_in(client, session_of(client), &told);
    uint32_t number = fake.se[0].se->channel;

    assert_null(agent_request_cancel(request));
    agent_se_client_free(client);
    report_se(0);
    expect_close(number);
    assert_int_equal(told.count, 0);
}

static void a_caller_that_leaves_while_a_command_is_under_way_is_cleaned_up(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t channel = opened_channel(client, session_of(client));
    struct agent_request *request = NULL;
    struct told told = {0};

    SEND(client, channel, get_data, &told, &request);
    assert_null(agent_request_cancel(request));
    agent_se_client_free(client);
    report_se(0);
    expect_close(channel);
    assert_int_equal(told.count, 0);
}

static void a_reload_that_takes_the_right_back_closes_the_channel(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t session = session_of(client), channel = opened_channel(client, session);
    struct agent_request *request = NULL;
    struct told told = {0}, late = {0};
    struct failure failure = {0};

    SEND(client, channel, get_data, &told, &request);
    write_file(world, "access.d/meter.conf", "[Principal meter]\nUser=4711\nAid=D27600018501\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.r, ACCESS_E_DENIED);
    report_se(0); /* the command's */
    expect_close(channel);
    assert_int_equal(told.count, 1);
    SEND(client, channel, get_data, &late, &request);
    assert_null(request);
    assert_int_equal(late.r, SE_E_CLOSED);
    assert_non_null(strstr(late.text, "grants Aid D27600018501"));
    agent_se_client_free(client);
    assert_int_equal(fake.se_count, 0);
}

static void a_right_that_goes_while_a_channel_opens_counts(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    struct failure failure = {0};
    struct told told = {0};
    uint32_t number;

    open_in(client, session_of(client), &told);
    number = fake.se[0].se->channel;
    write_file(world, "access.d/meter.conf", "");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    report_se(0);
    assert_int_equal(told.r, ACCESS_E_DENIED);
    expect_close(number);
    agent_se_client_free(client);
}

static void another_hash_or_pin_right_takes_effect_at_once(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &pinner);
    uint32_t channel = opened_channel(client, session_of(client));
    struct agent_request *request = NULL;
    struct failure failure = {0};
    struct told told = {0};

    write_file(world, "access.d/meter.conf",
               "[Principal pin]\nUser=4712\nAid=D276*\n"
               "DeviceAppHash=000102030405060708090a0b0c0d0e0f10111213\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    SEND(client, channel, verify, &told, &request);
    assert_int_equal(told.r, SE_E_COMMAND);
    write_file(world, "access.d/meter.conf", "[Principal pin]\nUser=4712\nAid=D276*\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    expect_close(channel);
    SEND(client, channel, get_data, &told, &request);
    assert_int_equal(told.r, SE_E_CLOSED);
    agent_se_client_free(client);
}

static void a_worker_that_is_replaced_takes_the_channels_along(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t session = session_of(client), channel = opened_channel(client, session);
    struct agent_request *request = NULL;
    struct told told = {0}, opening = {0}, late = {0};
    struct failure failure = {0};

    SEND(client, channel, get_data, &told, &request);
    open_in(client, session, &opening);
    write_file(world, "keystrap.conf", "[UICC]\nReader=*other*\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    assert_int_equal(told.r, SE_E_CLOSED);
    assert_int_equal(opening.r, SE_E_CLOSED);
    while (fake.se_count > 0)
        worker_se_free(fake.se[--fake.se_count].se);
    let_go();
    report_ready();
    SEND(client, channel, get_data, &late, &request);
    assert_int_equal(late.r, SE_E_CLOSED);
    assert_int_equal(agent_se_close_channel(client, channel, NULL), 0);
    assert_int_equal(fake.se_count, 0);
    /* The session goes on with the new one. */
    (void)opened_channel(client, session);
    agent_se_client_free(client);
    report_se(0);
}

static void a_card_that_is_not_configured_any_more_takes_its_sessions_card(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t session = session_of(client), channel = opened_channel(client, session);
    struct agent_request *request = NULL;
    struct failure failure = {0};
    struct told told = {0};

    write_file(world, "keystrap.conf", "[UICC other]\nReader=*\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    let_go();
    SEND(client, channel, get_data, &told, &request);
    assert_int_equal(told.r, SE_E_CLOSED);
    assert_null(open_in(client, session, &told));
    assert_int_equal(told.r, SE_E_CLOSED);
    assert_non_null(strstr(told.text, "not configured any more"));
    assert_int_equal(agent_se_close_session(client, session, NULL), 0);
    agent_se_client_free(client);
}

static void the_workers_word_that_a_channel_is_gone_stays(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t channel = opened_channel(client, session_of(client));
    struct agent_request *request = NULL;
    struct told told = {0};

    SEND(client, channel, get_data, &told, &request);
    report_se(SE_E_CLOSED);
    assert_int_equal(told.r, SE_E_CLOSED);
    SEND(client, channel, get_data, &told, &request);
    assert_null(request);
    assert_int_equal(told.r, SE_E_CLOSED);
    assert_int_equal(agent_se_close_channel(client, channel, NULL), 0);
    assert_int_equal(fake.se_count, 0);
    agent_se_client_free(client);
}

static void no_memory_for_a_job_is_an_error_and_nothing_else(void **state) {
    struct world *world = *state;
    struct agent_se_client *client = connect_as(world, &meter);
    uint32_t session = session_of(client), channel = opened_channel(client, session);
    struct agent_request *request = NULL;
    struct told told = {0};

    fake.refuse_se = true;
    assert_int_equal(
        agent_se_open_channel(client, session, applet, sizeof(applet), on_answer, &told, &request),
        -ENOMEM);
    assert_int_equal(
        agent_se_transmit(client, channel, get_data, sizeof(get_data), on_answer, &told, &request),
        -ENOMEM);
    assert_int_equal(told.count, 0);
    fake.refuse_se = false;
    SEND(client, channel, get_data, &told, &request);
    report_se(0);
    assert_int_equal(told.r, 0);
    agent_se_client_free(client);
    expect_close(channel);
}

#define SE_CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up_se, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SE_CLAIM(a_channel_is_opened_used_and_closed),
        SE_CLAIM(what_no_rule_grants_never_reaches_the_card),
        SE_CLAIM(what_the_filter_refuses_never_reaches_the_card),
        SE_CLAIM(a_pin_goes_where_a_rule_lets_it_and_its_hash_is_told),
        SE_CLAIM(the_cards_rules_are_enforced),
        SE_CLAIM(nobody_has_anothers_session_or_channel),
        SE_CLAIM(one_command_of_a_channel_at_a_time),
        SE_CLAIM(channels_and_sessions_have_limits),
        SE_CLAIM(a_caller_that_leaves_while_a_channel_opens_leaves_none),
        SE_CLAIM(a_caller_that_leaves_while_a_command_is_under_way_is_cleaned_up),
        SE_CLAIM(a_reload_that_takes_the_right_back_closes_the_channel),
        SE_CLAIM(a_right_that_goes_while_a_channel_opens_counts),
        SE_CLAIM(another_hash_or_pin_right_takes_effect_at_once),
        SE_CLAIM(a_worker_that_is_replaced_takes_the_channels_along),
        SE_CLAIM(a_card_that_is_not_configured_any_more_takes_its_sessions_card),
        SE_CLAIM(the_workers_word_that_a_channel_is_gone_stays),
        SE_CLAIM(no_memory_for_a_job_is_an_error_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
