/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The service comes up only where it owns its name, survives its bus, and leaves nobody without an answer.
 */

#include "service-world.h"

static bool is_connected(void *userdata) {
    return service_connected(userdata);
}

static bool is_disconnected(void *userdata) {
    return !service_connected(userdata);
}

static void without_a_bus_it_does_not_start_and_says_why(void **state) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    struct service *service = NULL;
    struct failure failure = {0};
    struct agent agent;

    (void)state;
    fake_agent_init(&agent);
    assert_return_code(sd_event_new(&event), 0);
    assert_return_code(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
    assert_true(service_new(event, &agent, &service, &failure) < 0);
    assert_null(service);
    assert_null(agent.changed);
    assert_non_null(strstr(failure.text, "system bus"));
}

static void a_name_that_is_taken_is_a_failure_that_says_so(void **state) {
    struct service_world *w = *state;
    struct service *second = NULL;
    struct failure failure = {0};
    struct agent agent;

    fake_agent_init(&agent);
    assert_int_equal(service_new(w->event, &agent, &second, &failure), -EEXIST);
    assert_null(second);
    assert_non_null(strstr(failure.text, "Another program owns " SERVICE_BUS_NAME));
}

static void it_is_connected_once_it_is_there(void **state) {
    struct service_world *w = *state;

    assert_true(service_connected(w->service));
}

static void losing_the_bus_cancels_what_waits_and_is_not_the_end(void **state) {
    struct service_world *w = *state;
    struct answer answer = {0};

    derive(w->client, "hold.example.com", &answer);
    wait_held(w, 1);
    private_bus_kill(&w->bus);
    assert_true(run_until(w->event, is_disconnected, w->service, PATIENCE_USEC));
    assert_int_equal(w->agent.cancelled, 1);
    assert_int_equal(fake_agent_held(&w->agent), 0);
    assert_int_equal(w->service->peers.count, 0);
    answer_done(&answer);
}

static void after_a_restart_of_the_bus_it_returns_and_serves(void **state) {
    struct service_world *w = *state;
    sd_bus *client;

    for (unsigned i = 0; i < 2; i++) {
        _cleanup_answer_ struct answer answer = {0};

        private_bus_kill(&w->bus);
        assert_true(run_until(w->event, is_disconnected, w->service, PATIENCE_USEC));
        private_bus_start(&w->bus);
        assert_true(run_until(w->event, is_connected, w->service, PATIENCE_USEC));
        client = client_new(w->event);
        derive(client, "naf.example.com", &answer);
        answer_wait(w->event, &answer);
        assert_key(&answer, "naf.example.com");
        answer_done(&answer);
        sd_bus_close_unref(client);
    }
}

static bool has_backed_off(void *userdata) {
    const struct service *service = userdata;

    return service->backoff_usec >= 4 * BUS_RECONNECT_MIN_USEC;
}

static void while_there_is_no_bus_it_asks_ever_more_rarely(void **state) {
    struct service_world *w = *state;
    uint64_t start = now_usec();

    private_bus_kill(&w->bus);
    assert_true(run_until(w->event, has_backed_off, w->service, PATIENCE_USEC));
    /* One failure at once, the next after the least time: the loop does not spin. */
    assert_true(now_usec() - start >= BUS_RECONNECT_MIN_USEC);
    assert_false(service_connected(w->service));
    private_bus_start(&w->bus);
    assert_true(run_until(w->event, is_connected, w->service, PATIENCE_USEC));
    assert_int_equal(w->service->backoff_usec, BUS_RECONNECT_MIN_USEC);
}

static void a_name_taken_meanwhile_is_asked_for_again(void **state) {
    struct service_world *w = *state;
    sd_bus *thief;

    private_bus_kill(&w->bus);
    assert_true(run_until(w->event, is_disconnected, w->service, PATIENCE_USEC));
    private_bus_start(&w->bus);
    thief = client_new(w->event);
    assert_return_code(sd_bus_request_name(thief, SERVICE_BUS_NAME, 0), 0);
    assert_true(run_until(w->event, has_backed_off, w->service, PATIENCE_USEC));
    assert_false(service_connected(w->service));
    sd_bus_flush_close_unref(thief);
    assert_true(run_until(w->event, is_connected, w->service, PATIENCE_USEC));
}

static void changes_without_a_bus_are_there_when_it_returns(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *value;
    sd_bus *client;

    private_bus_kill(&w->bus);
    assert_true(run_until(w->event, is_disconnected, w->service, PATIENCE_USEC));
    w->agent.status.state = AGENT_NO_CARD;
    w->agent.changed(w->agent.changed_userdata);
    private_bus_start(&w->bus);
    assert_true(run_until(w->event, is_connected, w->service, PATIENCE_USEC));
    client = client_new(w->event);
    assert_return_code(sd_bus_call_method_async(client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                "org.freedesktop.DBus.Properties", "Get",
                                                answer_got, &answer, "ss", SERVICE_MANAGER,
                                                "State"),
                       0);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_read(answer.message, "v", "s", &value), 0);
    assert_string_equal(value, "no-card");
    answer_done(&answer);
    sd_bus_close_unref(client);
}

static void who_waits_when_it_ends_is_told(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    derive(w->client, "hold.example.com", &answer);
    wait_held(w, 1);
    w->service = service_free(w->service);
    assert_int_equal(w->agent.cancelled, 1);
    answer_wait(w->event, &answer);
    assert_error(&answer, ERROR_PREFIX "Cancelled");
    w->service = NULL;
}

static int world_down_without_service(void **state) {
    struct service_world *w = *state;

    assert_null(w->service);
    return world_down(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_bus_it_does_not_start_and_says_why),
        TEST(a_name_that_is_taken_is_a_failure_that_says_so),
        TEST(it_is_connected_once_it_is_there),
        TEST(losing_the_bus_cancels_what_waits_and_is_not_the_end),
        TEST(after_a_restart_of_the_bus_it_returns_and_serves),
        TEST(while_there_is_no_bus_it_asks_ever_more_rarely),
        TEST(a_name_taken_meanwhile_is_asked_for_again),
        TEST(changes_without_a_bus_are_there_when_it_returns),
        cmocka_unit_test_setup_teardown(who_waits_when_it_ends_is_told, world_up,
                                        world_down_without_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
