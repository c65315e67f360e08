/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * DeriveNafKey as a client on a real bus sees it: keys through descriptors, errors by name, callers that do not
 * disturb each other.
 */

#include "service-world.h"

#include <sys/resource.h>

static void a_key_arrives_through_the_descriptor_and_nowhere_else(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    derive(w->client, "naf.example.com", &answer);
    answer_wait(w->event, &answer);
    assert_key(&answer, "naf.example.com");
    assert_int_equal(sd_bus_message_has_signature(answer.message, "shta{sv}"), 1);
}

static void the_info_tells_boot_time_expiry_and_a_bootstrap(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *names[2];
    uint64_t boot;
    int bootstrapped;

    derive(w->client, "hold.example.com", &answer);
    wait_held(w, 1);
    fake_agent_release(&w->agent, 0);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_skip(answer.message, "sht"), 0);
    assert_int_equal(sd_bus_message_read(answer.message, "a{sv}", 2, &names[0], "t", &boot,
                                         &names[1], "b", &bootstrapped),
                     1);
    assert_string_equal(names[0], "BootTimeExpires");
    assert_string_equal(names[1], "Bootstrapped");
    assert_int_equal(boot, FAKE_EXPIRES_BOOT);
    assert_true(bootstrapped);
}

static void the_info_is_no_longer_than_needed_where_no_bootstrap_was_run(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *name;
    uint64_t boot;

    derive(w->client, "naf.example.com", &answer);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_skip(answer.message, "sht"), 0);
    assert_int_equal(sd_bus_message_read(answer.message, "a{sv}", 1, &name, "t", &boot), 1);
    assert_string_equal(name, "BootTimeExpires");
    assert_int_equal(sd_bus_message_at_end(answer.message, 1), 1);
}

static void the_agent_hears_who_calls_and_what_for(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    derive(w->client, "naf.example.com", &answer);
    answer_wait(w->event, &answer);
    assert_int_equal(w->agent.caller.uid, getuid());
    assert_int_equal(w->agent.caller.pid, getpid());
    assert_true(w->agent.caller.groups_count >= 1);
    assert_string_equal(w->agent.names[0], "naf.example.com");
    assert_int_equal(w->agent.ua_length, sizeof(ua_http));
    assert_memory_equal(w->agent.ua, ua_http, sizeof(ua_http));
    assert_false(w->agent.force);
}

static void pipelined_calls_are_started_in_order_and_all_answered(void **state) {
    struct service_world *w = *state;
    struct answer answers[48] = {0};
    char name[64];

    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        (void)snprintf(name, sizeof(name), "naf%zu.example.com", i);
        derive(w->client, name, &answers[i]);
    }
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        (void)snprintf(name, sizeof(name), "naf%zu.example.com", i);
        answer_wait(w->event, &answers[i]);
        assert_key(&answers[i], name);
        assert_string_equal(w->agent.names[i], name);
        answer_done(&answers[i]);
    }
    /* One question to the bus daemon served them all. */
    assert_int_equal(w->service->peers.count, 1);
}

static void a_caller_that_waits_does_not_block_another(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer waiting = {0}, own = {0}, other = {0};
    sd_bus *second = client_new(w->event);

    derive(w->client, "hold.example.com", &waiting);
    wait_held(w, 1);
    derive(second, "naf.example.com", &other);
    answer_wait(w->event, &other);
    assert_key(&other, "naf.example.com");
    /* nor itself */
    derive(w->client, "naf.example.com", &own);
    answer_wait(w->event, &own);
    assert_false(waiting.there);
    fake_agent_release(&w->agent, 0);
    answer_wait(w->event, &waiting);
    assert_key(&waiting, "hold.example.com");
    sd_bus_close_unref(second);
}

static void a_caller_that_leaves_cancels_its_requests_and_no_other(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer stays = {0};
    struct answer leaves[3] = {0};
    sd_bus *second = client_new(w->event);

    derive(w->client, "hold0.example.com", &stays);
    for (size_t i = 0; i < ELEMENTS(leaves); i++)
        derive(second, "hold1.example.com", &leaves[i]);
    wait_held(w, 4);
    sd_bus_close_unref(second);
    wait_held(w, 1);
    assert_int_equal(w->agent.cancelled, 3);
    assert_int_equal(w->service->peers.count, 1);
    fake_agent_release(&w->agent, 0);
    answer_wait(w->event, &stays);
    assert_key(&stays, "hold0.example.com");
}

static bool asked_or_forgotten(void *userdata) {
    struct service_world *w = userdata;

    return w->agent.asked > 0 && w->service->peers.count == 0;
}

static void an_idle_caller_that_leaves_is_forgotten(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    sd_bus *second = client_new(w->event);

    derive(second, "naf.example.com", &answer);
    answer_wait(w->event, &answer);
    answer_done(&answer);
    sd_bus_close_unref(second);
    assert_true(run_until(w->event, asked_or_forgotten, w, PATIENCE_USEC));
}

/* --- Options ------------------------------------------------------------------------------------- */

static void derive_with_option(struct service_world *w, const char *name, const char *type, int b,
                               struct answer *answer) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    assert_return_code(sd_bus_message_new_method_call(w->client, &m, SERVICE_BUS_NAME, SERVICE_PATH,
                                                      SERVICE_KEYS, "DeriveNafKey"),
                       0);
    assert_return_code(sd_bus_message_append(m, "say", "naf.example.com", 5, 1, 0, 0, 0, 2), 0);
    if (type[0] == 's')
        assert_return_code(sd_bus_message_append(m, "a{sv}", 1, name, "s", "yes"), 0);
    else
        assert_return_code(sd_bus_message_append(m, "a{sv}", 1, name, "b", b), 0);
    assert_return_code(sd_bus_call_async(w->client, NULL, m, answer_got, answer, 0), 0);
    answer_wait(w->event, answer);
}

static void force_is_passed_on(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer yes = {0}, no = {0};

    derive_with_option(w, "Force", "b", 1, &yes);
    assert_key(&yes, "naf.example.com");
    assert_true(w->agent.force);
    derive_with_option(w, "Force", "b", 0, &no);
    assert_false(w->agent.force);
}

static void an_unknown_option_is_refused_by_name(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    derive_with_option(w, "Fast", "b", 1, &answer);
    assert_error(&answer, ERROR_UNKNOWN_OPTION);
    assert_non_null(strstr(error_text(&answer), "Fast"));
    assert_int_equal(w->agent.asked, 0);
}

static void an_option_of_the_wrong_type_is_refused_by_name(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    derive_with_option(w, "Force", "s", 0, &answer);
    assert_error(&answer, ERROR_INVALID_OPTION);
    assert_non_null(strstr(error_text(&answer), "Force"));
    assert_int_equal(w->agent.asked, 0);
}

static void arguments_of_the_wrong_type_are_refused(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_KEYS, "DeriveNafKey", answer_got, &answer,
                                                "ss", "naf.example.com", "0100000002"),
                       0);
    answer_wait(w->event, &answer);
    assert_error(&answer, SD_BUS_ERROR_INVALID_ARGS);
    assert_int_equal(w->agent.asked, 0);
}

/* --- GBA push ------------------------------------------------------------------------------------- */

static void push_info(struct service_world *w, const char *octets, struct answer *answer) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    assert_return_code(sd_bus_message_new_method_call(w->client, &m, SERVICE_BUS_NAME, SERVICE_PATH,
                                                      SERVICE_KEYS, "PushInfo"),
                       0);
    assert_return_code(sd_bus_message_append_array(m, 'y', octets, strlen(octets)), 0);
    assert_return_code(sd_bus_call_async(w->client, NULL, m, answer_got, answer, 0), 0);
    answer_wait(w->event, answer);
}

static void a_pushed_key_arrives_by_its_ptid_and_names_its_naf(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *btid, *names[2], *naf;
    uint64_t expires, boot;
    uint8_t key[NAF_KEY_LENGTH + 1];
    int fd;

    push_info(w, "gpi", &answer);
    assert_int_equal(sd_bus_message_has_signature(answer.message, "shta{sv}"), 1);
    assert_return_code(sd_bus_message_read(answer.message, "sht", &btid, &fd, &expires), 0);
    assert_string_equal(btid, "push@" FAKE_BTID);
    assert_int_equal(read(fd, key, sizeof(key)), NAF_KEY_LENGTH);
    assert_int_equal(sd_bus_message_read(answer.message, "a{sv}", 2, &names[0], "t", &boot,
                                         &names[1], "s", &naf),
                     1);
    assert_string_equal(names[1], "NafFqdn");
    assert_string_equal(naf, "naf.example.com");
}

static void what_is_no_push_is_an_error_by_name(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer other = {0}, empty = {0};

    push_info(w, "other", &other);
    assert_error(&other, ERROR_PREFIX "PushInfoMalformed");
    push_info(w, "", &empty);
    assert_error(&empty, ERROR_PREFIX "PushInfoMalformed");
}

/* --- Errors -------------------------------------------------------------------------------------- */

static void every_outcome_reaches_the_caller_by_its_name(void **state) {
    struct service_world *w = *state;
    const struct error_map_entry *entry;
    size_t outcomes = 0;

    for (size_t i = 0; (entry = error_map_at(i)); i++) {
        _cleanup_answer_ struct answer answer = {0};

        if (entry->code == 0)
            continue;
        w->agent.fail_code = entry->code;
        derive(w->client, "naf.example.com", &answer);
        answer_wait(w->event, &answer);
        assert_error(&answer, entry->name);
        outcomes += entry->code > 0;
    }
    assert_true(outcomes >= 45);
}

static void an_error_says_the_cause_and_the_remedy(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *remedy = outcome_remedy(UICC_E_CARD_ABSENT);

    assert_true(remedy[0] != '\0');
    w->agent.fail_code = UICC_E_CARD_ABSENT;
    derive(w->client, "naf.example.com", &answer);
    answer_wait(w->event, &answer);
    assert_non_null(strstr(error_text(&answer), "The fake says"));
    assert_non_null(strstr(error_text(&answer), remedy));
}

static void an_errno_without_a_name_is_internal(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    w->agent.fail_code = -EIO;
    derive(w->client, "naf.example.com", &answer);
    answer_wait(w->event, &answer);
    assert_error(&answer, ERROR_INTERNAL);
}

static void a_refusal_after_waiting_is_the_same(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    derive(w->client, "hold.example.com", &answer);
    wait_held(w, 1);
    fake_agent_release(&w->agent, UB_E_NETWORK_AUTH);
    answer_wait(w->event, &answer);
    assert_error(&answer, ERROR_PREFIX "NetworkNotAuthentic");
    assert_null(w->service->peers.newest->calls);
}

static void no_descriptors_left_is_an_error_and_not_the_end(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer first = {0}, second = {0};
    struct rlimit before, none = {0};

    derive(w->client, "hold.example.com", &first);
    wait_held(w, 1);
    assert_return_code(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_return_code(setrlimit(RLIMIT_NOFILE, &none), 0);
    fake_agent_release(&w->agent, 0);
    assert_return_code(setrlimit(RLIMIT_NOFILE, &before), 0);
    answer_wait(w->event, &first);
    assert_error(&first, SD_BUS_ERROR_LIMITS_EXCEEDED);
    derive(w->client, "naf.example.com", &second);
    answer_wait(w->event, &second);
    assert_key(&second, "naf.example.com");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_key_arrives_through_the_descriptor_and_nowhere_else),
        TEST(the_info_tells_boot_time_expiry_and_a_bootstrap),
        TEST(the_info_is_no_longer_than_needed_where_no_bootstrap_was_run),
        TEST(the_agent_hears_who_calls_and_what_for),
        TEST(pipelined_calls_are_started_in_order_and_all_answered),
        TEST(a_caller_that_waits_does_not_block_another),
        TEST(a_caller_that_leaves_cancels_its_requests_and_no_other),
        TEST(an_idle_caller_that_leaves_is_forgotten),
        TEST(force_is_passed_on),
        TEST(an_unknown_option_is_refused_by_name),
        TEST(an_option_of_the_wrong_type_is_refused_by_name),
        TEST(arguments_of_the_wrong_type_are_refused),
        TEST(a_pushed_key_arrives_by_its_ptid_and_names_its_naf),
        TEST(what_is_no_push_is_an_error_by_name),
        TEST(every_outcome_reaches_the_caller_by_its_name),
        TEST(an_error_says_the_cause_and_the_remedy),
        TEST(an_errno_without_a_name_is_internal),
        TEST(a_refusal_after_waiting_is_the_same),
        TEST(no_descriptors_left_is_an_error_and_not_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
