/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl and enrolments, against the service on a private bus: what it prints of a profile and of a key, what it refuses,
 * and that a document reaches the daemon from wherever it comes.
 */

#include "ctl-run.h"

static struct agent_enrol_status *add(struct service_world *w, const char *name) {
    struct agent_enrol_status *status = fake_agent_add_profile(&w->agent, name);

    w->agent.changed(w->agent.changed_userdata);
    return status;
}

/* --- enrol, renew, forget-enrolment ---------------------------------------------------------------- */

static void enrol_and_renew_print_the_key_identifier(void **state) {
    struct service_world *w = *state;
    struct run run;
    json_t *o;

    add(w, "gas-2");
    add(w, "water");
    RUN(w, &run, false, "enrol", "gas-2");
    assert_status(&run, EX_OK);
    assert_string_equal(w->agent.profile, "gas-2");
    assert_false(w->agent.renew);
    assert_non_null(
        strstr(run.text, "Profile  gas-2\nKeyId    " FAKE_KE_ID "\nExpires  2030-03-17T"));
    RUN(w, &run, false, "renew", "water", "--json");
    assert_status(&run, EX_OK);
    assert_string_equal(w->agent.profile, "water");
    assert_true(w->agent.renew);
    o = json_loads(run.text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "Profile")), "water");
    assert_string_equal(json_string_value(json_object_get(o, "KeyId")), FAKE_KE_ID);
    assert_int_equal(json_integer_value(json_object_get(o, "Expires")), FAKE_EXPIRES_UTC);
    json_decref(o);
}

static void enrol_without_a_name_is_for_every_profile(void **state) {
    struct service_world *w = *state;
    struct run run;

    RUN(w, &run, false, "enrol");
    assert_status(&run, EX_USAGE);
    assert_non_null(strstr(run.errors, "No profile is configured"));
    add(w, "gas-2");
    add(w, "water");
    RUN(w, &run, false, "enrol");
    assert_status(&run, EX_OK);
    assert_int_equal(w->agent.enrolled, 2);
    assert_non_null(strstr(run.text, "Profile  gas-2\n"));
    assert_non_null(strstr(run.text, "Profile  water\n"));
    /* One that fails does not keep the others from being tried. */
    w->agent.fail_code = MEF_E_BUSY;
    RUN(w, &run, false, "enrol");
    assert_status(&run, EX_TEMPFAIL);
    assert_int_equal(w->agent.enrolled, 4);
}

static void forget_enrolment_forgets_that_and_no_key_of_a_card(void **state) {
    struct service_world *w = *state;
    struct run run;

    add(w, "water");
    RUN(w, &run, false, "forget-enrolment", "water");
    assert_status(&run, EX_OK);
    assert_int_equal(w->agent.enrolments_forgotten, 1);
    assert_int_equal(w->agent.forgotten, 0);
    RUN(w, &run, false, "forget-enrolment", "water", "--json");
    assert_string_equal(run.text, "{\"Forgotten\":true}\n");
    /* "forget" does not take the name of a profile for less than it does. */
    RUN(w, &run, false, "forget", "--profile=water");
    assert_status(&run, EX_USAGE);
    assert_int_equal(w->agent.forgotten, 0);
}

static void statuses_tell_a_script_what_to_do(void **state) {
    static const struct {
        int code, status;
    } cases[] = {
        {ACCESS_E_DENIED, EX_NOPERM},    {MEF_E_BUSY, EX_TEMPFAIL},
        {MEF_E_REFUSED, EX_UNAVAILABLE}, {ENROL_E_METHODS, EX_UNAVAILABLE},
        {ENROL_E_CREDENTIAL, EX_USAGE},  {ENROL_E_SEALING, EX_SOFTWARE},
        {PEER_E_UNTRUSTED, EX_TEMPFAIL},
    };
    struct service_world *w = *state;
    struct run run;

    add(w, "water");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        w->agent.fail_code = cases[i].code;
        RUN(w, &run, false, "enrol", "water");
        assert_status(&run, cases[i].status);
        assert_non_null(strstr(run.errors, "The fake says"));
        RUN(w, &run, false, "get-key", "km", "maf.example.com", "--format=hex");
        assert_status(&run, cases[i].status);
        assert_int_equal(run.text_length, 0);
    }
    RUN(w, &run, false, "renew", "gas");
    assert_status(&run, EX_USAGE);
    assert_non_null(strstr(run.errors, "profile of that name"));
}

static void wrong_lines_are_refused_before_anything_is_done(void **state) {
    static const char *const lines[][5] = {
        {"renew", NULL},
        {"renew", "../x", NULL},
        {"renew", "", NULL},
        {"enrol", "a-name-of-seventeen", NULL},
        {"enrol", "water", "gas", NULL},
        {"enrol", "--profile=water", NULL},
        {"forget-enrolment", NULL},
        {"forget-enrolment", "Water", NULL},
        {"bootstrap", "--profile=water", NULL},
        {"get-key", "km", NULL},
        {"get-key", "km", "maf.example.com", "more", NULL},
        {"get-key", "km", "maf.example.com", "--profile=a/b", NULL},
        {"get-key", "usage", "maf.example.com", "--suid=x", NULL},
        {"get-key", "usage", "maf.example.com", "--suid=210", NULL},
        {"configure", NULL},
    };
    struct service_world *w = *state;
    struct run run;

    add(w, "water");
    for (size_t i = 0; i < ELEMENTS(lines); i++) {
        start(&run, false, lines[i]);
        finish(w, &run);
        assert_status(&run, EX_USAGE);
        assert_int_equal(run.text_length, 0);
        assert_true(run.errors_length > 0);
    }
    assert_int_equal(w->agent.asked + w->agent.enrolled + w->agent.enrolments_forgotten, 0);
}

/* --- get-key --------------------------------------------------------------------------------------- */

static void hex_key(char ret[NAF_KEY_LENGTH * 2 + 2]) {
    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        (void)snprintf(ret + i * 2, 3, "%02x", fake_key_octet("maf.example.com", i));
    strcat(ret, "\n");
}

static void a_key_is_printed_in_the_form_that_is_asked_for(void **state) {
    struct service_world *w = *state;
    char hex[NAF_KEY_LENGTH * 2 + 2];
    struct run run;

    add(w, "water");
    hex_key(hex);
    RUN(w, &run, false, "get-key", "km", "maf.example.com");
    assert_status(&run, EX_OK);
    assert_non_null(strstr(run.text, "KeyId    " FAKE_KE_ID "\nExpires  2030-03-17T"));
    assert_non_null(strstr(run.text, "Profile  water\nMethod   psk\n"));
    assert_string_equal(w->agent.profile, "(null)");
    RUN(w, &run, false, "get-key", "km", "maf.example.com", "--format=hex");
    assert_string_equal(run.text, hex);
    RUN(w, &run, false, "get-key", "km", "maf.example.com", "--format=raw");
    assert_int_equal(run.text_length, NAF_KEY_LENGTH);
}

static void a_terminal_gets_no_key_unless_shown(void **state) {
    static const char *const formats[] = {"--format=raw", "--format=hex", "--format=base64"};
    struct service_world *w = *state;
    struct run run;

    add(w, "water");
    for (size_t i = 0; i < ELEMENTS(formats); i++) {
        RUN(w, &run, true, "get-key", "km", "maf.example.com", formats[i]);
        assert_status(&run, EX_USAGE);
        assert_int_equal(run.text_length, 0);
        assert_non_null(strstr(run.errors, "--show"));
    }
    assert_int_equal(w->agent.asked, 0);
    RUN(w, &run, true, "get-key", "km", "maf.example.com", "--format=hex", "--show");
    assert_status(&run, EX_OK);
    assert_int_equal(w->agent.asked, 1);
}

static void profile_and_suid_reach_the_agent_and_come_back(void **state) {
    struct service_world *w = *state;
    struct run run;
    json_t *o;

    add(w, "water");
    RUN(w, &run, false, "get-key", "usage", "maf.example.com", "--profile=water", "--suid=23",
        "--json");
    assert_status(&run, EX_OK);
    assert_string_equal(w->agent.kind, "usage");
    assert_string_equal(w->agent.peer, "maf.example.com");
    assert_string_equal(w->agent.profile, "water");
    assert_int_equal(w->agent.suid, 23);
    o = json_loads(run.text, 0, NULL);
    assert_int_equal(json_object_size(o), 6);
    assert_string_equal(json_string_value(json_object_get(o, "KeyId")), FAKE_KE_ID);
    assert_string_equal(json_string_value(json_object_get(o, "Profile")), "water");
    assert_string_equal(json_string_value(json_object_get(o, "Method")), "psk");
    assert_int_equal(json_integer_value(json_object_get(o, "Suid")), 23);
    assert_int_equal(json_integer_value(json_object_get(o, "BootTimeExpires")), FAKE_EXPIRES_BOOT);
    json_decref(o);
}

/* --- configure ------------------------------------------------------------------------------------- */

static void write_file(const char *path, const void *data, size_t length) {
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_return_code(fd, errno);
    assert_int_equal(write(fd, data, length), length);
}

static void a_document_reaches_the_agent_whole(void **state) {
    static uint8_t document[INSTRUCTION_MAX + 1];
    struct service_world *w = *state;
    char path[128];
    struct run run;

    for (size_t i = 0; i < sizeof(document); i++)
        document[i] = (uint8_t)(i * 7);
    (void)snprintf(path, sizeof(path), "%s/document", w->bus.directory);
    write_file(path, document, INSTRUCTION_MAX);
    RUN(w, &run, false, "configure", path);
    assert_status(&run, EX_OK);
    assert_string_equal(run.text, "The document is in force.\n");
    assert_int_equal(w->agent.document_length, INSTRUCTION_MAX);
    assert_memory_equal(w->agent.document, document, sizeof(w->agent.document));
    RUN(w, &run, false, "configure", path, "--json");
    assert_string_equal(run.text, "{\"Configured\":true}\n");

    write_file(path, document, INSTRUCTION_MAX + 1);
    RUN(w, &run, false, "configure", path);
    assert_status(&run, EX_DATAERR);
    assert_return_code(unlink(path), errno);
    RUN(w, &run, false, "configure", path);
    assert_status(&run, EX_NOINPUT);
    RUN(w, &run, false, "configure", "/");
    assert_status(&run, EX_NOINPUT);
    assert_int_equal(w->agent.configured, 2);
}

static void a_document_may_come_by_a_pipe_that_is_still_open(void **state) {
    struct service_world *w = *state;
    int fds[2], saved = dup(STDIN_FILENO);
    struct run run;

    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    assert_return_code(dup2(fds[0], STDIN_FILENO), errno);
    start(&run, false, (const char *const[]){"configure", "-", NULL});
    assert_return_code(dup2(saved, STDIN_FILENO), errno);
    (void)close(saved);
    (void)close(fds[0]);
    assert_int_equal(write(fds[1], "first, ", 7), 7);
    assert_false(has_ended(&run));
    assert_int_equal(write(fds[1], "then", 5), 5);
    (void)close(fds[1]);
    finish(w, &run);
    assert_status(&run, EX_OK);
    assert_string_equal((const char *)w->agent.document, "first, then");
}

static void a_document_that_is_refused_says_why(void **state) {
    static const struct {
        int code, status;
    } cases[] = {
        {INSTRUCTION_E_MALFORMED, EX_USAGE},
        {INSTRUCTION_E_INVALID, EX_USAGE},
        {INSTRUCTION_E_SIGNATURE, EX_UNAVAILABLE},
        {INSTRUCTION_E_REPLAY, EX_UNAVAILABLE},
    };
    struct service_world *w = *state;
    struct run run;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        w->agent.fail_code = cases[i].code;
        RUN(w, &run, false, "configure", "/dev/null");
        assert_status(&run, cases[i].status);
        assert_non_null(strstr(run.errors, "The fake says"));
    }
    w->agent.denied = true;
    RUN(w, &run, false, "configure", "/dev/null");
    assert_status(&run, EX_NOPERM);
}

/* --- status and monitor ---------------------------------------------------------------------------- */

static void make_trouble(struct service_world *w, struct agent_enrol_status *water) {
    water->state = AGENT_ENROLLED;
    water->method = "psk";
    water->ke_id = FAKE_KE_ID;
    water->expires_utc_usec = FAKE_EXPIRES_UTC;
    water->token_pending = true;
    water->retry_usec = now_usec() + 3600 * USEC_PER_SEC;
    water->methods[0] = (struct agent_enrol_method_status){.method = "gba",
                                                           .verdict = AGENT_ENROL_NOT_NOW,
                                                           .code = UB_E_BUSY,
                                                           .text = "The BSF said 503"};
    water->methods[1] = (struct agent_enrol_method_status){
        .method = "psk", .verdict = AGENT_ENROL_WORKED, .text = ""};
    (void)failure_set(&w->agent.enrolment_failures[0], UB_E_BUSY, "The BSF said 503");
    w->agent.changed(w->agent.changed_userdata);
}

static void status_says_which_method_is_in_use_and_why_no_better_one(void **state) {
    struct service_world *w = *state;
    struct run run;

    make_trouble(w, add(w, "water"));
    RUN(w, &run, false, "status");
    assert_status(&run, EX_OK);
    assert_non_null(strstr(run.text, "UICC         default\n"));
    assert_non_null(strstr(run.text, "Enrolment    water\nState        enrolled\n"
                                     "Target       maf.example.com (maf)\n"
                                     "MEF          mef.example.com\nMethod       psk\n"
                                     "Methods      gba: not-now (ub-busy), The BSF said 503\n"
                                     "             psk: worked\n"
                                     "KeyId        " FAKE_KE_ID "\nExpires      2030-03-17T"));
    assert_non_null(strstr(run.text, "Next try     in 3"));
    assert_non_null(strstr(run.text, "Token        waits to be presented\n"));
    assert_non_null(strstr(run.text, ERROR_PREFIX "BsfBusy: The BSF said 503\n"));
    RUN(w, &run, false, "status", "--profile=water");
    assert_status(&run, EX_OK);
    assert_int_equal(strncmp(run.text, "Enrolment    water\n", 19), 0);
    RUN(w, &run, false, "status", "--profile=gas");
    assert_status(&run, EX_USAGE);
}

static void status_as_json_has_the_properties_of_each_profile(void **state) {
    struct service_world *w = *state;
    json_t *o, *profile, *method;
    struct run run;

    make_trouble(w, add(w, "water"));
    add(w, "gas-2");
    RUN(w, &run, false, "status", "--json");
    o = json_loads(run.text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "Enrolments")), 2);
    assert_int_equal(json_array_size(json_object_get(o, "Profiles")), 2);
    profile = json_array_get(json_object_get(o, "Profiles"), 0);
    assert_int_equal(json_object_size(profile), SNAPSHOT_ENROLMENT_COUNT + 1);
    assert_string_equal(json_string_value(json_object_get(profile, "Method")), "psk");
    assert_true(json_is_true(json_object_get(profile, "TokenPending")));
    method = json_array_get(json_object_get(profile, "Methods"), 0);
    assert_string_equal(json_string_value(json_object_get(method, "Method")), "gba");
    assert_string_equal(json_string_value(json_object_get(method, "Verdict")), "not-now");
    assert_string_equal(json_string_value(json_object_get(method, "Outcome")), "ub-busy");
    assert_string_equal(json_string_value(json_object_get(method, "Text")), "The BSF said 503");
    json_decref(o);
    RUN(w, &run, false, "status", "--json", "--profile=gas-2");
    o = json_loads(run.text, 0, NULL);
    assert_int_equal(json_object_size(o), SNAPSHOT_ENROLMENT_COUNT + 1);
    assert_string_equal(json_string_value(json_object_get(o, "Name")), "gas-2");
    json_decref(o);
}

struct hearing {
    struct service_world *w;
    struct run *run;
    struct agent_enrol_status *status;
    const char *text;
};

/* Told anew until the monitor, which comes up when it likes, has heard it. */
static bool heard(void *userdata) {
    struct hearing *h = userdata;

    h->status->state = h->status->state == AGENT_ENROL_IDLE ? AGENT_ENROL_FAILED : AGENT_ENROL_IDLE;
    h->status->methods[0].verdict =
        h->status->state == AGENT_ENROL_IDLE ? AGENT_ENROL_UNTRIED : AGENT_ENROL_REFUSED;
    h->w->agent.changed(h->w->agent.changed_userdata);
    (void)has_ended(h->run);
    return strstr(h->run->text, h->text) || h->run->ended;
}

static void monitor_tells_whose_change_it_is(void **state) {
    static const struct {
        const char *const arguments[4];
        const char *text;
    } cases[] = {
        {{"monitor", NULL}, "Z  enrolment gas-2: State            failed\n"},
        {{"monitor", NULL},
         "Z  enrolment gas-2: Methods          gba refused (-), psk untried (-)\n"},
        {{"monitor", "--profile=gas-2", NULL}, "Z  State            failed\n"},
        {{"monitor", "--json", NULL}, "\"Profile\":\"gas-2\"}\n"},
        {{"monitor", "--json", "--profile=gas-2", NULL}, "\"State\":\"failed\""},
    };
    struct service_world *w = *state;
    struct agent_enrol_status *gas = add(w, "gas-2");
    struct run run;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        start(&run, false, cases[i].arguments);
        assert_true(run_until(w->event, heard, &(struct hearing){w, &run, gas, cases[i].text},
                              PATIENCE_USEC));
        assert_false(run.ended);
        assert_return_code(kill(run.pid, SIGTERM), errno);
        finish(w, &run);
        assert_status(&run, EX_OK);
    }
}

static void monitor_of_one_profile_does_not_tell_of_another(void **state) {
    struct service_world *w = *state;
    struct agent_enrol_status *gas = add(w, "gas-2");
    struct run run;

    add(w, "water");
    start(&run, false, (const char *const[]){"monitor", "--profile=gas-2", NULL});
    assert_true(
        run_until(w->event, heard, &(struct hearing){w, &run, gas, "failed\n"}, PATIENCE_USEC));
    w->agent.enrolments[1].state = AGENT_ENROLLED;
    w->agent.status.state = AGENT_NO_CARD;
    w->agent.changed(w->agent.changed_userdata);
    /* What is told last has been heard: so would have been what was told before. */
    gas->ke_id = "after-it";
    assert_true(
        run_until(w->event, heard, &(struct hearing){w, &run, gas, "after-it\n"}, PATIENCE_USEC));
    assert_return_code(kill(run.pid, SIGTERM), errno);
    finish(w, &run);
    assert_null(strstr(run.text, "enrolled"));
    assert_null(strstr(run.text, "no-card"));
}

static void without_daemon_everything_is_unavailable(void **state) {
    struct service_world *w = *state;
    struct run run;

    w->service = service_free(w->service);
    RUN(w, &run, false, "enrol");
    assert_status(&run, EX_UNAVAILABLE);
    RUN(w, &run, false, "renew", "water");
    assert_status(&run, EX_UNAVAILABLE);
    RUN(w, &run, false, "forget-enrolment", "water");
    assert_status(&run, EX_UNAVAILABLE);
    RUN(w, &run, false, "get-key", "km", "maf.example.com");
    assert_status(&run, EX_UNAVAILABLE);
    RUN(w, &run, false, "configure", "/dev/null");
    assert_status(&run, EX_UNAVAILABLE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(enrol_and_renew_print_the_key_identifier),
        TEST(enrol_without_a_name_is_for_every_profile),
        TEST(forget_enrolment_forgets_that_and_no_key_of_a_card),
        TEST(statuses_tell_a_script_what_to_do),
        TEST(wrong_lines_are_refused_before_anything_is_done),
        TEST(a_key_is_printed_in_the_form_that_is_asked_for),
        TEST(a_terminal_gets_no_key_unless_shown),
        TEST(profile_and_suid_reach_the_agent_and_come_back),
        TEST(a_document_reaches_the_agent_whole),
        TEST(a_document_may_come_by_a_pipe_that_is_still_open),
        TEST(a_document_that_is_refused_says_why),
        TEST(status_says_which_method_is_in_use_and_why_no_better_one),
        TEST(status_as_json_has_the_properties_of_each_profile),
        TEST(monitor_tells_whose_change_it_is),
        TEST(monitor_of_one_profile_does_not_tell_of_another),
        TEST(without_daemon_everything_is_unavailable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
