/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The Manager: properties and their changes say what the agent says, no more and no less, and its methods answer as
 * org.keystrap.Agent1(5) promises.
 */

#include "service-world.h"

/* The names that one PropertiesChanged told, and how many signals there were. */
struct changes {
    char names[SNAPSHOT_PROPERTIES_COUNT][32];
    size_t count, signals;
    bool before_answer;
    struct answer *answer;
};

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct changes *c = userdata;
    const char *interface, *name;

    (void)error;
    c->signals++;
    c->before_answer = c->answer && !c->answer->there;
    assert_return_code(sd_bus_message_read(m, "s", &interface), 0);
    assert_string_equal(interface, SERVICE_MANAGER);
    assert_return_code(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
    while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
        assert_return_code(sd_bus_message_read(m, "s", &name), 0);
        assert_true(c->count < ELEMENTS(c->names));
        (void)snprintf(c->names[c->count++], sizeof(c->names[0]), "%s", name);
        assert_return_code(sd_bus_message_skip(m, "v"), 0);
        assert_return_code(sd_bus_message_exit_container(m), 0);
    }
    return 0;
}

static bool told(const struct changes *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->names[i], name) == 0)
            return true;
    return false;
}

static bool any_signal(void *userdata) {
    return ((struct changes *)userdata)->signals > 0;
}

static void subscribe(struct service_world *w, struct changes *c) {
    assert_return_code(sd_bus_match_signal(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                           "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                           on_changed, c),
                       0);
}

static void get(struct service_world *w, const char *name, struct answer *answer) {
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                "org.freedesktop.DBus.Properties", "Get",
                                                answer_got, answer, "ss", SERVICE_MANAGER, name),
                       0);
    answer_wait(w->event, answer);
    assert_false(sd_bus_message_is_method_error(answer->message, NULL));
}

static void assert_text(struct service_world *w, const char *name, const char *expected) {
    _cleanup_answer_ struct answer answer = {0};
    const char *value;

    get(w, name, &answer);
    assert_return_code(sd_bus_message_read(answer.message, "v", "s", &value), 0);
    assert_string_equal(value, expected);
}

static void properties_say_what_the_agent_says(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer tries = {0}, gba = {0};
    int32_t i;
    int b;

    assert_text(w, "State", "card-ready");
    assert_text(w, "Version", KEYSTRAP_VERSION);
    assert_text(w, "Transport", "pcsc");
    assert_text(w, "Reader", "Virtual PCD 00 00");
    assert_text(w, "Iccid", "894900...");
    assert_text(w, "Impi", "00101...");
    assert_text(w, "PinState", "disabled");
    assert_text(w, "Bsf", "bsf.mnc001.mcc001.pub.3gppnetwork.org");
    assert_text(w, "Btid", "");
    assert_text(w, "LastError", "");
    get(w, "PinTries", &tries);
    assert_return_code(sd_bus_message_read(tries.message, "v", "i", &i), 0);
    assert_int_equal(i, 3);
    get(w, "ServiceGba", &gba);
    assert_return_code(sd_bus_message_read(gba.message, "v", "b", &b), 0);
    assert_true(b);
}

static void only_what_changed_is_told(void **state) {
    struct service_world *w = *state;
    struct changes c = {0};

    subscribe(w, &c);
    w->agent.status.state = AGENT_NO_CARD;
    (void)failure_set(&w->agent.last_failure, UICC_E_CARD_ABSENT, "No card in the reader");
    w->agent.changed(w->agent.changed_userdata);
    assert_true(run_until(w->event, any_signal, &c, PATIENCE_USEC));
    assert_int_equal(c.count, 3);
    assert_true(told(&c, "State") && told(&c, "LastError") && told(&c, "LastErrorText"));
    assert_text(w, "LastError", ERROR_PREFIX "CardAbsent");
    assert_text(w, "LastErrorText", "No card in the reader");
}

static void nothing_is_told_where_nothing_changed(void **state) {
    struct service_world *w = *state;
    struct changes c = {0};

    subscribe(w, &c);
    w->agent.changed(w->agent.changed_userdata);
    /* A round trip after it: a signal would have come before this answer. */
    assert_text(w, "State", "card-ready");
    assert_int_equal(c.signals, 0);
}

static void every_property_that_changes_is_told(void **state) {
    struct service_world *w = *state;
    struct changes c = {0};

    subscribe(w, &c);
    w->agent.status = (struct agent_status){
        .name = "default",
        .state = AGENT_BOOTSTRAPPED,
        .transport = "qmi",
        .reader = "modem",
        .iccid = "1",
        .impi = "2",
        .pin = UICC_PIN_VERIFIED,
        .pin_tries = -1,
        .bsf = "bsf",
        .btid = "b",
        .expires_utc_usec = 1,
        .expires_usec = 2,
        .bootstraps = 3,
        .last_failure = &w->agent.last_failure,
    };
    (void)failure_set(&w->agent.last_failure, UB_E_BUSY, "x");
    w->agent.changed(w->agent.changed_userdata);
    assert_true(run_until(w->event, any_signal, &c, PATIENCE_USEC));
    assert_int_equal(c.count, SNAPSHOT_PROPERTIES_COUNT);
}

static void a_bootstrap_is_told_before_it_is_answered(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    struct changes c = {.answer = &answer};
    const char *btid;
    uint64_t expires;

    subscribe(w, &c);
    manage(w->client, "Bootstrap", true, &answer);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_read(answer.message, "st", &btid, &expires), 0);
    assert_string_equal(btid, FAKE_BTID);
    assert_int_equal(expires, FAKE_EXPIRES_UTC);
    assert_true(c.before_answer);
    assert_true(told(&c, "State") && told(&c, "Btid") && told(&c, "Bootstraps"));
}

static void a_reader_with_a_strange_name_does_not_break_the_properties(void **state) {
    struct service_world *w = *state;

    w->agent.status.reader = "R\xe9"
                             "ader\n\x01";
    w->agent.changed(w->agent.changed_userdata);
    assert_text(w, "Reader", "R?ader??");
}

static void properties_cannot_be_set(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};

    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                "org.freedesktop.DBus.Properties", "Set",
                                                answer_got, &answer, "ssv", SERVICE_MANAGER,
                                                "State", "s", "x"),
                       0);
    answer_wait(w->event, &answer);
    assert_error(&answer, SD_BUS_ERROR_PROPERTY_READ_ONLY);
}

/* --- Methods ------------------------------------------------------------------------------------- */

static void forget_erases_and_tells(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer first = {0}, second = {0};

    manage(w->client, "Bootstrap", true, &first);
    answer_wait(w->event, &first);
    assert_text(w, "Btid", FAKE_BTID);
    manage(w->client, "Forget", false, &second);
    answer_wait(w->event, &second);
    assert_false(sd_bus_message_is_method_error(second.message, NULL));
    assert_int_equal(w->agent.forgotten, 1);
    assert_text(w, "Btid", "");
}

static void a_diagnosis_has_a_line_for_each_check(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *check[4];

    manage(w->client, "Diagnose", true, &answer);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'a', "(ssss)"), 0);
    assert_int_equal(
        sd_bus_message_read(answer.message, "(ssss)", &check[0], &check[1], &check[2], &check[3]),
        1);
    assert_string_equal(check[0], "reader");
    assert_string_equal(check[1], "ok");
    assert_string_equal(check[3], "");
    assert_int_equal(
        sd_bus_message_read(answer.message, "(ssss)", &check[0], &check[1], &check[2], &check[3]),
        1);
    assert_string_equal(check[0], "pin");
    assert_string_equal(check[1], outcome_name(UICC_E_PIN_REQUIRED));
    assert_string_equal(check[2], "PIN1 is enabled.");
    assert_string_equal(check[3], "Give it.");
    assert_int_equal(sd_bus_message_at_end(answer.message, 0), 1);
}

static void identities_in_full_are_told_to_who_may_manage(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *keys[5], *imsi, *iccid, *impi, *label;
    const void *aid;
    uint32_t mnc;
    size_t size;

    manage(w->client, "GetIdentity", false, &answer);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'a', "{sv}"), 0);
    assert_int_equal(sd_bus_message_read(answer.message, "{sv}{sv}{sv}{sv}{sv}", &keys[0], "s",
                                         &imsi, &keys[1], "s", &iccid, &keys[2], "s", &impi,
                                         &keys[3], "u", &mnc, &keys[4], "s", &label),
                     1);
    assert_string_equal(imsi, w->agent.identity.imsi);
    assert_string_equal(iccid, w->agent.identity.iccid);
    assert_string_equal(impi, "001010000000001@ims.mnc001.mcc001.3gppnetwork.org");
    assert_int_equal(mnc, 2);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'e', "sv"), 0);
    assert_return_code(sd_bus_message_read(answer.message, "s", &keys[0]), 0);
    assert_string_equal(keys[0], "Aid");
    assert_return_code(sd_bus_message_enter_container(answer.message, 'v', "ay"), 0);
    assert_return_code(sd_bus_message_read_array(answer.message, 'y', &aid, &size), 0);
    assert_int_equal(size, 7);
    assert_memory_equal(aid, w->agent.identity.aid, 7);
}

static void who_may_not_manage_is_denied_by_name(void **state) {
    static const struct {
        const char *method;
        bool options;
    } methods[] = {
        {"Bootstrap", true}, {"Forget", false}, {"Diagnose", true}, {"GetIdentity", false}};
    struct service_world *w = *state;

    w->agent.denied = true;
    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        _cleanup_answer_ struct answer answer = {0};

        manage(w->client, methods[i].method, methods[i].options, &answer);
        answer_wait(w->event, &answer);
        assert_error(&answer, ERROR_PREFIX "AccessDenied");
    }
    assert_int_equal(w->agent.forgotten, 0);
}

static void statistics_are_for_anybody(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *keys[4];
    uint64_t values[4];

    w->agent.denied = true;
    w->agent.status.bootstraps = 7;
    w->agent.status.last_card_usec = 1000;
    w->agent.status.last_network_usec = 2000;
    w->agent.status.last_total_usec = 3100;
    manage(w->client, "GetStatistics", false, &answer);
    answer_wait(w->event, &answer);
    assert_int_equal(sd_bus_message_read(answer.message, "a{st}", 4, &keys[0], &values[0], &keys[1],
                                         &values[1], &keys[2], &values[2], &keys[3], &values[3]),
                     1);
    assert_string_equal(keys[0], "Bootstraps");
    assert_int_equal(values[0], 7);
    assert_string_equal(keys[3], "LastTotalUSec");
    assert_int_equal(values[3], 3100);
}

static void options_that_are_not_known_are_refused(void **state) {
    static const char *const methods[] = {"Bootstrap", "Diagnose"};
    struct service_world *w = *state;

    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        _cleanup_answer_ struct answer answer = {0};

        assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                    SERVICE_MANAGER, methods[i], answer_got,
                                                    &answer, "a{sv}", 1, "Force", "b", 1),
                           0);
        answer_wait(w->event, &answer);
        assert_error(&answer, ERROR_UNKNOWN_OPTION);
        assert_non_null(strstr(error_text(&answer), methods[i]));
    }
    assert_int_equal(w->agent.status.bootstraps, 0);
}

static void a_manager_that_leaves_cancels(void **state) {
    struct service_world *w = *state;
    struct answer answers[2] = {0};
    sd_bus *second = client_new(w->event);

    w->agent.hold_all = true;
    manage(second, "Bootstrap", true, &answers[0]);
    manage(second, "Diagnose", true, &answers[1]);
    wait_held(w, 2);
    sd_bus_close_unref(second);
    wait_held(w, 0);
    assert_int_equal(w->agent.cancelled, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(properties_say_what_the_agent_says),
        TEST(only_what_changed_is_told),
        TEST(nothing_is_told_where_nothing_changed),
        TEST(every_property_that_changes_is_told),
        TEST(a_bootstrap_is_told_before_it_is_answered),
        TEST(a_reader_with_a_strange_name_does_not_break_the_properties),
        TEST(properties_cannot_be_set),
        TEST(forget_erases_and_tells),
        TEST(a_diagnosis_has_a_line_for_each_check),
        TEST(identities_in_full_are_told_to_who_may_manage),
        TEST(who_may_not_manage_is_denied_by_name),
        TEST(statistics_are_for_anybody),
        TEST(options_that_are_not_known_are_refused),
        TEST(a_manager_that_leaves_cancels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
