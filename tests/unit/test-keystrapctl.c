/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl, run as a user runs it, against the service on a private bus: what it prints, what it refuses to print, and
 * with which status it ends.
 */

#include "ctl-run.h"

static void hex_key(const char *naf, char ret[NAF_KEY_LENGTH * 2 + 1]) {
    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        (void)snprintf(ret + i * 2, 3, "%02x", fake_key_octet(naf, i));
}

/* Whether any form of the key of naf.example.com is in @text. */
static bool shows_key(const char *text, size_t length) {
    _cleanup_free_ char *base64 = NULL;
    uint8_t key[NAF_KEY_LENGTH];
    char hex[NAF_KEY_LENGTH * 2 + 1];

    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        key[i] = fake_key_octet("naf.example.com", i);
    hex_key("naf.example.com", hex);
    assert_return_code(base64_encode(key, sizeof(key), &base64), 0);
    return strstr(text, hex) || strstr(text, base64) || memmem(text, length, key, sizeof(key));
}

/* --- naf-key ------------------------------------------------------------------------------------- */

static void without_format_a_key_is_not_printed(void **state) {
    struct service_world *w = *state;
    struct run run;

    RUN(w, &run, false, "naf-key", "naf.example.com");
    assert_status(&run, EX_OK);
    assert_non_null(strstr(run.text, FAKE_BTID));
    assert_non_null(strstr(run.text, "2030-03-17T"));
    assert_false(shows_key(run.text, run.text_length));
    RUN(w, &run, false, "naf-key", "naf.example.com", "--json", "--show");
    assert_status(&run, EX_OK);
    assert_false(shows_key(run.text, run.text_length));
}

static void each_format_is_the_key_and_nothing_else(void **state) {
    struct service_world *w = *state;
    _cleanup_free_ char *base64 = NULL;
    char hex[NAF_KEY_LENGTH * 2 + 2];
    uint8_t key[NAF_KEY_LENGTH];
    struct run run;

    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        key[i] = fake_key_octet("naf.example.com", i);
    hex_key("naf.example.com", hex);
    assert_return_code(base64_encode(key, sizeof(key), &base64), 0);

    RUN(w, &run, false, "naf-key", "naf.example.com", "--format=raw");
    assert_status(&run, EX_OK);
    assert_int_equal(run.text_length, NAF_KEY_LENGTH);
    assert_memory_equal(run.text, key, NAF_KEY_LENGTH);
    RUN(w, &run, false, "naf-key", "naf.example.com", "--format=hex");
    strcat(hex, "\n");
    assert_string_equal(run.text, hex);
    RUN(w, &run, false, "naf-key", "naf.example.com", "--format=base64");
    assert_int_equal(run.text_length, strlen(base64) + 1);
    assert_int_equal(strncmp(run.text, base64, strlen(base64)), 0);
}

static void a_terminal_gets_no_key_unless_shown(void **state) {
    static const char *const formats[] = {"--format=raw", "--format=hex", "--format=base64"};
    struct service_world *w = *state;
    struct run run;

    for (size_t i = 0; i < ELEMENTS(formats); i++) {
        RUN(w, &run, true, "naf-key", "naf.example.com", formats[i]);
        assert_status(&run, EX_USAGE);
        assert_int_equal(run.text_length, 0);
        assert_non_null(strstr(run.errors, "--show"));
    }
    RUN(w, &run, true, "naf-key", "naf.example.com", "--format=hex", "--json");
    assert_status(&run, EX_USAGE);
    /* and nobody was asked for one */
    assert_int_equal(w->agent.asked, 0);
    RUN(w, &run, true, "naf-key", "naf.example.com", "--format=hex", "--show");
    assert_status(&run, EX_OK);
    assert_true(shows_key(run.text, run.text_length));
}

static void json_has_the_key_only_where_asked_for(void **state) {
    struct service_world *w = *state;
    char hex[NAF_KEY_LENGTH * 2 + 1];
    struct run run;
    json_t *o;

    RUN(w, &run, false, "--json", "naf-key", "naf.example.com");
    o = json_loads(run.text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "Btid")), FAKE_BTID);
    assert_int_equal(json_integer_value(json_object_get(o, "Expires")), FAKE_EXPIRES_UTC);
    assert_null(json_object_get(o, "Key"));
    json_decref(o);

    RUN(w, &run, false, "--json", "naf-key", "naf.example.com", "--format=hex");
    o = json_loads(run.text, 0, NULL);
    hex_key("naf.example.com", hex);
    assert_string_equal(json_string_value(json_object_get(o, "Key")), hex);
    json_decref(o);
    RUN(w, &run, false, "--json", "naf-key", "naf.example.com", "--format=raw");
    assert_status(&run, EX_USAGE);
}

static void ua_and_force_reach_the_agent(void **state) {
    static const uint8_t ua[] = {0x01, 0x00, 0x01, 0xc0, 0xa5};
    struct service_world *w = *state;
    struct run run;

    RUN(w, &run, false, "naf-key", "naf.example.com", "--ua=010001C0a5", "--force");
    assert_status(&run, EX_OK);
    assert_memory_equal(w->agent.ua, ua, sizeof(ua));
    assert_true(w->agent.force);
    RUN(w, &run, false, "naf-key", "naf.example.com");
    assert_memory_equal(w->agent.ua, ua_http, sizeof(ua_http));
    assert_false(w->agent.force);
}

/* --- The others ---------------------------------------------------------------------------------- */

static void status_says_how_things_stand(void **state) {
    struct service_world *w = *state;
    struct run run;
    json_t *o;

    (void)failure_set(&w->agent.last_failure, UB_E_BUSY, "The BSF said 503");
    w->agent.changed(w->agent.changed_userdata);
    RUN(w, &run, false, "status");
    assert_status(&run, EX_OK);
    assert_non_null(strstr(run.text, "card-ready"));
    assert_non_null(strstr(run.text, "Virtual PCD 00 00 (pcsc)"));
    assert_non_null(strstr(run.text, ERROR_PREFIX "BsfBusy: The BSF said 503"));
    RUN(w, &run, false, "status", "--json");
    o = json_loads(run.text, 0, NULL);
    assert_int_equal(json_object_size(o), SNAPSHOT_PROPERTIES_COUNT + 5);
    assert_int_equal(json_array_size(json_object_get(o, "Cards")), 1);
    assert_string_equal(json_string_value(json_object_get(o, "State")), "card-ready");
    assert_true(json_is_true(json_object_get(o, "ServiceGba")));
    assert_int_equal(json_integer_value(json_object_get(o, "PinTries")), 3);
    json_decref(o);
}

static void status_lists_all_cards_or_shows_one(void **state) {
    struct service_world *w = *state;
    struct run run;
    json_t *o;

    w->agent.others[w->agent.others_count++] = (struct agent_status){
        .name = "back-2",
        .state = AGENT_NO_CARD,
        .transport = "qmi",
        .pin_tries = -1,
        .mode = "auto",
        .last_failure = &w->agent.last_failure,
    };
    w->agent.changed(w->agent.changed_userdata);
    RUN(w, &run, false, "status");
    assert_status(&run, EX_OK);
    assert_non_null(strstr(run.text, "UICC         default\nState        card-ready\n"));
    assert_non_null(strstr(run.text, "UICC         back-2\nState        no-card\n"));
    RUN(w, &run, false, "status", "--uicc=back-2");
    assert_status(&run, EX_OK);
    assert_null(strstr(run.text, "card-ready"));
    assert_non_null(strstr(run.text, "UICC         back-2\nState        no-card\n"));
    RUN(w, &run, false, "status", "--uicc=default", "--json");
    o = json_loads(run.text, 0, NULL);
    assert_int_equal(json_object_size(o), SNAPSHOT_ALL_COUNT + 1);
    assert_int_equal(json_array_size(json_object_get(o, "Applications")), 2);
    json_decref(o);
    RUN(w, &run, false, "status", "--uicc=side");
    assert_status(&run, EX_USAGE);
    assert_non_null(strstr(run.errors, "No card or profile of that name"));
    RUN(w, &run, false, "status", "--uicc=../x");
    assert_status(&run, EX_USAGE);
}

static void every_command_takes_the_name_of_a_card(void **state) {
    static const char *const commands[] = {"bootstrap", "forget", "doctor"};
    struct service_world *w = *state;
    struct run run;

    for (size_t i = 0; i < ELEMENTS(commands); i++) {
        w->agent.uicc[0] = '\0';
        RUN(w, &run, false, commands[i], "--uicc=default");
        assert_string_equal(w->agent.uicc, "default");
    }
    RUN(w, &run, false, "naf-key", "--uicc=back-2", "naf.example.com");
    assert_status(&run, EX_OK);
    assert_string_equal(w->agent.uicc, "back-2");
}

static void bootstrap_and_forget_do_what_they_say(void **state) {
    struct service_world *w = *state;
    struct run run;

    RUN(w, &run, false, "bootstrap");
    assert_status(&run, EX_OK);
    assert_non_null(strstr(run.text, FAKE_BTID));
    assert_int_equal(w->agent.status.bootstraps, 1);
    RUN(w, &run, false, "forget");
    assert_status(&run, EX_OK);
    assert_int_equal(w->agent.forgotten, 1);
}

static void doctor_says_what_to_do_and_fails_for_it(void **state) {
    struct service_world *w = *state;
    struct run run;
    json_t *o;

    RUN(w, &run, false, "doctor");
    assert_status(&run, 1);
    assert_non_null(strstr(run.text, "ok  bus "));
    assert_non_null(strstr(run.text, "ok  daemon "));
    assert_non_null(strstr(run.text, "ok  reader       Virtual PCD 00 00\n"));
    assert_non_null(strstr(run.text, "!!  pin          PIN1 is enabled.\n    do: Give it.\n"));
    RUN(w, &run, false, "doctor", "--json");
    assert_status(&run, 1);
    o = json_loads(run.text, 0, NULL);
    assert_true(json_is_false(json_object_get(o, "Ok")));
    assert_int_equal(json_array_size(json_object_get(o, "Checks")), 5);
    json_decref(o);
}

static void doctor_looks_at_every_card(void **state) {
    struct service_world *w = *state;
    struct run run;
    json_t *o;

    w->agent.others[w->agent.others_count++] =
        (struct agent_status){.name = "back-2", .last_failure = &w->agent.last_failure};
    w->agent.changed(w->agent.changed_userdata);
    RUN(w, &run, false, "doctor");
    assert_status(&run, 1);
    assert_non_null(strstr(run.text, "\nUICC default\nok  reader "));
    assert_non_null(strstr(run.text, "\nUICC back-2\nok  reader "));
    RUN(w, &run, false, "doctor", "--json");
    o = json_loads(run.text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "Checks")), 7);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(o, "Checks"), 6), "Uicc")),
        "back-2");
    json_decref(o);
}

static void doctor_without_the_right_to_ask_says_so(void **state) {
    struct service_world *w = *state;
    struct run run;

    w->agent.denied = true;
    RUN(w, &run, false, "doctor");
    assert_status(&run, EX_NOPERM);
    assert_non_null(strstr(run.text, "ok  daemon "));
    assert_non_null(strstr(run.text, "!!  access "));
    assert_non_null(strstr(run.text, "    do: "));
}

static bool heard(void *userdata) {
    struct run *run = userdata;

    (void)has_ended(run);
    return strstr(run->text, "{\"State\":\"no-card\"}\n") || strstr(run->text, "no-card\n") ||
           run->ended;
}

static bool listens(void *userdata) {
    struct service_world *w = ((void **)userdata)[0];

    /* Told anew until the monitor, which comes up when it likes, has heard one. */
    w->agent.status.state =
        w->agent.status.state == AGENT_NO_CARD ? AGENT_NO_READER : AGENT_NO_CARD;
    w->agent.changed(w->agent.changed_userdata);
    return heard(((void **)userdata)[1]);
}

static void monitor_prints_changes_until_it_is_interrupted(void **state) {
    struct service_world *w = *state;
    struct run run;

    for (unsigned json = 0; json < 2; json++) {
        start(&run, false, (const char *const[]){"monitor", json ? "--json" : NULL, NULL});
        assert_true(run_until(w->event, listens, (void *[]){w, &run}, PATIENCE_USEC));
        assert_false(run.ended);
        if (json)
            assert_non_null(strstr(run.text, "{\"State\":\"no-card\"}\n"));
        assert_return_code(kill(run.pid, SIGTERM), errno);
        finish(w, &run);
        assert_status(&run, EX_OK);
    }
}

static void statuses_tell_a_script_what_to_do(void **state) {
    static const struct {
        int code, status;
    } cases[] = {
        {ACCESS_E_DENIED, EX_NOPERM},         {ACCESS_E_QUOTA, EX_TEMPFAIL},
        {UICC_E_CARD_ABSENT, EX_UNAVAILABLE}, {HTTP_E_CONNECT, EX_TEMPFAIL},
        {HTTP_E_TIMEOUT, EX_TEMPFAIL},        {KEYS_E_NAME, EX_USAGE},
        {UB_E_REFUSED, EX_UNAVAILABLE},
    };
    struct service_world *w = *state;
    struct run run;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        w->agent.fail_code = cases[i].code;
        RUN(w, &run, false, "naf-key", "naf.example.com", "--format=hex");
        assert_status(&run, cases[i].status);
        assert_int_equal(run.text_length, 0);
        assert_non_null(strstr(run.errors, "The fake says"));
        RUN(w, &run, false, "bootstrap");
        assert_status(&run, cases[i].status);
    }
}

static void without_daemon_or_bus_everything_is_unavailable(void **state) {
    static const char *const commands[] = {"status", "bootstrap", "forget", "doctor"};
    struct service_world *w = *state;
    struct run run;

    w->service = service_free(w->service);
    for (unsigned bus = 0; bus < 2; bus++) {
        for (size_t i = 0; i < ELEMENTS(commands); i++) {
            RUN(w, &run, false, commands[i]);
            assert_status(&run, EX_UNAVAILABLE);
            assert_true(run.errors_length > 0 || strstr(run.text, "    do: "));
        }
        RUN(w, &run, false, "naf-key", "naf.example.com");
        assert_status(&run, EX_UNAVAILABLE);
        assert_return_code(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
    }
}

static void a_wrong_command_line_is_refused_before_anything_is_done(void **state) {
    static const char *const lines[][4] = {
        {"", NULL},
        {"frobnicate", NULL},
        {"status", "more", NULL},
        {"naf-key", NULL},
        {"naf-key", "naf.example.com", "more", NULL},
        {"naf-key", "naf.example.com", "--ua=01", NULL},
        {"naf-key", "naf.example.com", "--ua=010000000g", NULL},
        {"naf-key", "naf.example.com", "--ua=010000000203", NULL},
        {"naf-key", "naf.example.com", "--format=octal", NULL},
        {"naf-key", "naf.example.com", "--frobnicate", NULL},
    };
    struct service_world *w = *state;
    struct run run;

    for (size_t i = 0; i < ELEMENTS(lines); i++) {
        start(&run, false, i == 0 ? (const char *const[]){NULL} : lines[i]);
        finish(w, &run);
        assert_status(&run, EX_USAGE);
        assert_int_equal(run.text_length, 0);
        assert_true(run.errors_length > 0);
    }
    assert_int_equal(w->agent.asked, 0);
}

static bool no_client_is_left(void *userdata) {
    const struct service_world *w = userdata;

    return w->agent.se_clients == 0;
}

static void se_prints_what_the_card_answers(void **state) {
    struct service_world *w = *state;
    struct run run;

    RUN(w, &run, false, "se", "d27600012401", "8010000003A1A2A3", "80120000");
    assert_status(&run, EX_OK);
    assert_string_equal(run.text, "6f009000\n8010000003a1a2a3\n80120000\n");
    RUN(w, &run, false, "se", "d27600012401", "80120000", "--json", "--uicc=modem");
    assert_string_equal(run.text, "{\"responses\":[\"6f009000\",\"80120000\"]}\n");
    assert_string_equal(w->agent.uicc, "modem");
    /* The bus tells that it has left some time after it has ended. */
    assert_true(run_until(w->event, no_client_is_left, w, PATIENCE_USEC));
}

static void se_says_why_not(void **state) {
    struct service_world *w = *state;
    struct run run;

    RUN(w, &run, false, "se");
    assert_status(&run, EX_USAGE);
    RUN(w, &run, false, "se", "d2760");
    assert_status(&run, EX_USAGE);
    RUN(w, &run, false, "se", "d27600012401", "80");
    assert_status(&run, EX_USAGE);
    assert_string_equal(run.text, "6f009000\n");
    RUN(w, &run, false, "se", "d2", "80120000");
    assert_status(&run, EX_NOPERM);
    RUN(w, &run, false, "se", "d27600012401", "--uicc=nosuch");
    assert_status(&run, EX_USAGE);
}

static void help_and_version_need_no_daemon(void **state) {
    struct service_world *w = *state;
    struct run run;

    w->service = service_free(w->service);
    RUN(w, &run, false, "--help");
    assert_status(&run, EX_OK);
    assert_non_null(strstr(run.text, "naf-key FQDN"));
    RUN(w, &run, false, "version");
    assert_status(&run, EX_OK);
    assert_string_equal(run.text, "keystrapctl " KEYSTRAP_VERSION "\n");
    RUN(w, &run, false, "version", "--json");
    assert_string_equal(run.text, "{\"Version\":\"" KEYSTRAP_VERSION "\"}\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(without_format_a_key_is_not_printed),
        TEST(each_format_is_the_key_and_nothing_else),
        TEST(a_terminal_gets_no_key_unless_shown),
        TEST(json_has_the_key_only_where_asked_for),
        TEST(ua_and_force_reach_the_agent),
        TEST(status_says_how_things_stand),
        TEST(status_lists_all_cards_or_shows_one),
        TEST(every_command_takes_the_name_of_a_card),
        TEST(bootstrap_and_forget_do_what_they_say),
        TEST(doctor_says_what_to_do_and_fails_for_it),
        TEST(doctor_looks_at_every_card),
        TEST(doctor_without_the_right_to_ask_says_so),
        TEST(monitor_prints_changes_until_it_is_interrupted),
        TEST(statuses_tell_a_script_what_to_do),
        TEST(without_daemon_or_bus_everything_is_unavailable),
        TEST(a_wrong_command_line_is_refused_before_anything_is_done),
        TEST(se_prints_what_the_card_answers),
        TEST(se_says_why_not),
        TEST(help_and_version_need_no_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
