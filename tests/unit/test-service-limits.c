/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One caller cannot have more than its share waiting, all together not more than the daemon's limit, and both recover.
 */

#include "service-world.h"

static bool error_is(const struct answer *answer, const char *name) {
    return answer->there && sd_bus_message_is_method_error(answer->message, name);
}

static void a_caller_beyond_its_share_is_refused_and_others_are_not(void **state) {
    static struct answer waiting[REQUESTS_PER_CALLER_MAX];
    struct service_world *w = *state;
    _cleanup_answer_ struct answer more = {0}, other = {0}, after = {0};
    sd_bus *second = client_new(w->event);

    for (size_t i = 0; i < ELEMENTS(waiting); i++)
        derive(w->client, "hold.example.com", &waiting[i]);
    wait_held(w, REQUESTS_PER_CALLER_MAX);
    derive(w->client, "naf.example.com", &more);
    answer_wait(w->event, &more);
    assert_error(&more, ERROR_PREFIX "TooManyRequests");
    derive(second, "naf.example.com", &other);
    answer_wait(w->event, &other);
    assert_key(&other, "naf.example.com");

    fake_agent_release(&w->agent, 0);
    for (size_t i = 0; i < ELEMENTS(waiting); i++) {
        answer_wait(w->event, &waiting[i]);
        assert_key(&waiting[i], "hold.example.com");
        answer_done(&waiting[i]);
    }
    derive(w->client, "naf.example.com", &after);
    answer_wait(w->event, &after);
    assert_key(&after, "naf.example.com");
    sd_bus_close_unref(second);
}

static void calls_that_wait_for_credentials_count_as_well(void **state) {
    static struct answer answers[REQUESTS_PER_CALLER_MAX + 8];
    struct service_world *w = *state;
    size_t refused = 0;

    /* All of them are on their way before the bus daemon has said who calls. */
    for (size_t i = 0; i < ELEMENTS(answers); i++)
        derive(w->client, "hold.example.com", &answers[i]);
    wait_held(w, REQUESTS_PER_CALLER_MAX);
    for (size_t i = REQUESTS_PER_CALLER_MAX; i < ELEMENTS(answers); i++)
        answer_wait(w->event, &answers[i]);
    fake_agent_release(&w->agent, 0);
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        answer_wait(w->event, &answers[i]);
        refused += error_is(&answers[i], ERROR_PREFIX "TooManyRequests");
        answer_done(&answers[i]);
    }
    assert_int_equal(refused, 8);
}

#define CLIENTS (REQUESTS_PENDING_MAX / REQUESTS_PER_CALLER_MAX)

static void all_callers_together_have_a_limit_and_recover_from_it(void **state) {
    static struct answer waiting[CLIENTS][REQUESTS_PER_CALLER_MAX];
    struct service_world *w = *state;
    _cleanup_answer_ struct answer more = {0}, after = {0};
    sd_bus *clients[CLIENTS];

    for (size_t c = 0; c < CLIENTS; c++) {
        clients[c] = client_new(w->event);
        for (size_t i = 0; i < REQUESTS_PER_CALLER_MAX; i++)
            derive(clients[c], "hold.example.com", &waiting[c][i]);
        wait_held(w, (c + 1) * REQUESTS_PER_CALLER_MAX);
    }
    derive(w->client, "naf.example.com", &more);
    answer_wait(w->event, &more);
    assert_error(&more, ERROR_PREFIX "TooManyRequests");

    for (size_t c = 0; c < CLIENTS; c++)
        sd_bus_close_unref(clients[c]);
    wait_held(w, 0);
    assert_int_equal(w->agent.cancelled, REQUESTS_PENDING_MAX);
    derive(w->client, "naf.example.com", &after);
    answer_wait(w->event, &after);
    assert_key(&after, "naf.example.com");
}

static void a_hundred_connections_in_turn_leave_nothing_behind(void **state) {
    struct service_world *w = *state;

    for (unsigned i = 0; i < 100; i++) {
        _cleanup_answer_ struct answer answer = {0};
        sd_bus *client = client_new(w->event);

        derive(client, "naf.example.com", &answer);
        answer_wait(w->event, &answer);
        assert_key(&answer, "naf.example.com");
        sd_bus_close_unref(client);
    }
    assert_true(w->service->calls.count <= 2);
    assert_true(w->service->peers.count <= 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_caller_beyond_its_share_is_refused_and_others_are_not),
        TEST(calls_that_wait_for_credentials_count_as_well),
        TEST(all_callers_together_have_a_limit_and_recover_from_it),
        TEST(a_hundred_connections_in_turn_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
