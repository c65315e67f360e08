/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The commands of a scripted MEF: each is executed once and answered, what the MEF may not ask for is never executed, and
 * whatever it sends, the run ends.
 */

#include "mef-world.h"

#define PATH "https://" MEF_FQDN ":8443/base/reg-1/cmd"

static const struct mef_registration registration = {.client_reg_id = "reg-1", .command = "cmd"};

static struct {
    struct mef_command last;
    unsigned count;
    int answer;
} handler;

static int on_command(void *userdata, const struct mef_command *command) {
    (void)userdata;
    handler.last = *command;
    handler.count++;
    return handler.answer;
}

/* @ret_retry is 42 where the run left it alone. */
static int run(const struct step *steps, int answer, uint64_t *ret_retry) {
    static const struct mef_command_handler ops = {on_command, NULL};
    struct mef_client *client = world_begin(steps);

    memset(&handler, 0, sizeof(handler));
    handler.answer = answer;
    *ret_retry = 42;
    return mef_run_commands(client, &registration, &ops, ret_retry, &world.failure);
}

/* One command is answered with @status, having come to the handler or not. */
static void expect(const char *command, int status, bool executed) {
    char answer[128];
    uint64_t retry;

    assert_int_equal(run(SCRIPT(YES("2000", command), YES("2004", NO_MORE)), 20, &retry), 0);
    assert_int_equal(world.count, 2);
    assert_int_equal(handler.count, executed);
    (void)snprintf(answer, sizeof(answer), ",\"cmdStatusCode\":%d}}", status);
    if (!strstr(world.asked[1].body, answer))
        fail_msg("%s: not answered with %d, but %s", command, status, world.asked[1].body);
}

/* --- The run ------------------------------------------------------------------------------------------- */

static void without_commands_there_is_one_request(_unused_ void **state) {
    uint64_t retry;

    assert_int_equal(run(SCRIPT(YES("2000", NO_MORE)), 20, &retry), 0);
    assert_int_equal(world.count, 1);
    assert_asked(0, HTTP_GET, PATH);
    assert_int_equal(retry, 3600 * USEC_PER_SEC);
    assert_int_equal(handler.count, 0);
}

static void each_is_answered_and_the_answers_answer_is_the_next(_unused_ void **state) {
    uint64_t retry;

    assert_int_equal(run(SCRIPT(YES("2000", COMMAND("one", "7", "{}")),
                                YES("2004", COMMAND("two", "3",
                                                    "{\"MONodeCmdArgs\":{\"objectPath\":\"./a/1\","
                                                    "\"objectTypeID\":1,\"objectTypeSpecificArgs\":"
                                                    "{\"SUID\":21}}}")),
                                YES("2004", NO_MORE)),
                         300, &retry),
                     0);
    assert_int_equal(world.count, 3);
    assert_asked(1, HTTP_PUT, PATH);
    assert_string_equal(world.asked[1].body, "{\"sec:mefClientCmd\":{\"clientRegID\":\"reg-1\","
                                             "\"cmdID\":\"one\",\"cmdStatusCode\":300}}");
    assert_string_equal(world.asked[2].body, "{\"sec:mefClientCmd\":{\"clientRegID\":\"reg-1\","
                                             "\"cmdID\":\"two\",\"cmdStatusCode\":300}}");
    assert_int_equal(handler.count, 2);
    assert_int_equal(handler.last.class, MEF_MO_NODE);
    assert_string_equal(handler.last.path, "./a/1");
    assert_int_equal(handler.last.object_type, 1);
    assert_int_equal(handler.last.suid, 21);
}

static void what_came_before_is_not_executed_again(_unused_ void **state) {
    uint64_t retry;

    assert_int_equal(
        run(SCRIPT(YES("2000", COMMAND("one", "7", "{}")), YES("2004", COMMAND("two", "7", "{}")),
                   YES("2004", COMMAND("one", "7", "{}")), YES("2004", NO_MORE)),
            41, &retry),
        0);
    assert_int_equal(handler.count, 2);
    assert_non_null(strstr(world.asked[3].body, "\"cmdID\":\"one\",\"cmdStatusCode\":40"));
    /* Nor is it judged again. */
    assert_int_equal(run(SCRIPT(YES("2000", COMMAND("one", "1", "{}")),
                                YES("2004", COMMAND("one", "1", "{}")), YES("2004", NO_MORE)),
                         41, &retry),
                     0);
    assert_non_null(strstr(world.asked[1].body, "\"cmdStatusCode\":42"));
    assert_non_null(strstr(world.asked[2].body, "\"cmdStatusCode\":40"));
}

static void a_mef_without_end_is_left(_unused_ void **state) {
    struct step steps[STEPS_MAX + 1] = {YES("2000", COMMAND("again", "7", "{}"))};
    char bodies[STEPS_MAX][160];
    uint64_t retry;

    for (unsigned i = 1; i < STEPS_MAX; i++)
        steps[i] = (struct step)YES("2004", COMMAND("again", "7", "{}"));
    assert_failed(run(steps, 20, &retry), MEF_E_MALFORMED, "more commands");
    assert_int_equal(world.count, 1 + MEF_COMMANDS_MAX);
    assert_int_equal(handler.count, 1);
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        (void)snprintf(bodies[i], sizeof(bodies[i]), COMMAND("c%u", "7", "{}"), i);
        steps[i].body = bodies[i];
    }
    assert_failed(run(steps, 20, &retry), MEF_E_MALFORMED, "more commands");
    assert_int_equal(handler.count, MEF_COMMANDS_MAX);
    assert_int_equal(retry, 42);
}

static void a_handler_that_gives_up_ends_the_run_unanswered(_unused_ void **state) {
    static const int codes[] = {-ENOMEM, UB_E_CANCELLED};

    for (size_t i = 0; i < ELEMENTS(codes); i++) {
        uint64_t retry;

        assert_int_equal(run(SCRIPT(YES("2000", COMMAND("one", "7", "{}"))), codes[i], &retry),
                         codes[i]);
        assert_int_equal(world.count, 1);
        assert_int_equal(retry, 42);
    }
}

static void an_answer_that_is_refused_ends_the_run(_unused_ void **state) {
    uint64_t retry;

    assert_int_equal(run(SCRIPT({.status = 404, .rsc = "4004"}), 20, &retry), MEF_E_UNKNOWN);
    assert_int_equal(run(SCRIPT(YES("2000", COMMAND("one", "7", "{}")),
                                {.status = 503, .rsc = "5103", .wait = "9"}),
                         20, &retry),
                     MEF_E_BUSY);
    assert_int_equal(world.client.retry_after_usec, 9 * USEC_PER_SEC);
    assert_int_equal(
        run(SCRIPT(YES("2000", COMMAND("one", "7", "{}")), {.r = HTTP_E_TIMEOUT}), 20, &retry),
        HTTP_E_TIMEOUT);
    assert_int_equal(retry, 42);
}

static void what_is_no_command_ends_the_run(_unused_ void **state) {
    static const char *const wrong[] = {
        "{}",
        "{\"sec:mefClientCmd\":{}}",
        "{\"sec:mefClientCmd\":{\"cmdID\":\"a\"}}",
        "{\"sec:mefClientCmd\":{\"cmdID\":\"a\",\"cmdDescription\":{}}}",
        "{\"sec:mefClientCmd\":{\"cmdDescription\":{\"cmdClassID\":0}}}",
        "{\"sec:mefClientCmd\":{\"cmdID\":7,\"cmdDescription\":{\"cmdClassID\":0}}}",
        COMMAND("a", "-1", "{}"),
        COMMAND("a", "\"0\"", "{}"),
        COMMAND("a", "1000", "{}"),
        COMMAND("a b", "7", "{}"),
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        uint64_t retry;

        assert_failed(run(SCRIPT(YES("2000", wrong[i])), 20, &retry), MEF_E_MALFORMED, "command");
        assert_int_equal(handler.count, 0);
    }
}

static void without_a_reference_nothing_is_asked(_unused_ void **state) {
    static const struct mef_registration none = {.client_reg_id = "reg-1"};
    static const struct mef_command_handler ops = {on_command, NULL};
    struct mef_client *client = world_begin(SCRIPT(YES("2000", NO_MORE)));
    uint64_t retry;

    assert_int_equal(mef_run_commands(client, &none, &ops, &retry, &world.failure), -EINVAL);
    assert_int_equal(world.count, 0);
}

/* --- Arguments ------------------------------------------------------------------------------------------ */

#define CERT(uri)                                                           \
    COMMAND("c", "1",                                                       \
            "{\"certProvCmdArgs\":{\"certProvProtocolID\":1,\"URI\":\"" uri \
            "\",\"certSubjectType\":3,\"certSubjectID\":\"//sp/Cx\"}}")
#define DEV(uri) COMMAND("d", "2", "{\"devCfgCmdArgs\":{\"deviceConfigURI\":\"" uri "\"}}")

static void a_command_has_the_arguments_of_its_class(_unused_ void **state) {
    expect(CERT("https://" MEF_FQDN "/.well-known/est"), 20, true);
    assert_int_equal(handler.last.class, MEF_CERT_PROV);
    assert_string_equal(handler.last.id, "c");
    assert_int_equal(handler.last.protocol, 1);
    assert_string_equal(handler.last.uri, "https://" MEF_FQDN "/.well-known/est");
    assert_int_equal(handler.last.subject_type, 3);
    assert_string_equal(handler.last.subject, "//sp/Cx");
    expect(DEV("1:https://" MEF_FQDN "/dm"), 20, true);
    assert_int_equal(handler.last.class, MEF_DEV_CFG);
    assert_string_equal(handler.last.uri, "1:https://" MEF_FQDN "/dm");
    assert_string_equal(handler.last.subject, "");
}

static void arguments_of_another_class_or_none_are_bad(_unused_ void **state) {
    static const char *const wrong[] = {
        COMMAND("c", "1", "{}"),
        COMMAND("c", "1", "[]"),
        COMMAND("c", "1", "{\"devCfgCmdArgs\":{\"deviceConfigURI\":\"x\"}}"),
        COMMAND("c", "1", "{\"certProvCmdArgs\":{\"certProvProtocolID\":1}}"),
        COMMAND("c", "2", "{\"devCfgCmdArgs\":{}}"),
        COMMAND("c", "2", "{\"devCfgCmdArgs\":{\"deviceConfigURI\":7}}"),
        COMMAND("c", "3", "{}"),
        COMMAND("c", "3", "{\"MONodeCmdArgs\":{\"objectPath\":\"./a\"}}"),
        COMMAND("c", "3",
                "{\"MONodeCmdArgs\":{\"objectPath\":\"./a\",\"objectTypeID\":1,"
                "\"objectTypeSpecificArgs\":{}}}"),
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        expect(wrong[i], MEF_COMMAND_BAD_ARGUMENTS, false);
}

static void an_address_of_another_host_is_unacceptable(_unused_ void **state) {
    static const char *const wrong[] = {
        CERT("https://elsewhere.example/.well-known/est"),
        CERT("https://" MEF_FQDN ".elsewhere.example/"),
        CERT("https://" MEF_FQDN "@elsewhere.example/"),
        CERT("https://" MEF_FQDN ":443@elsewhere.example/"),
        CERT("https://" MEF_FQDN ":x@elsewhere.example/"),
        CERT("https://user@" MEF_FQDN "/"),
        CERT("https://elsewhere.example/?x=https://" MEF_FQDN "/"),
        CERT("https:/" MEF_FQDN "/"),
        CERT(MEF_FQDN),
        DEV("1:https://elsewhere.example/"),
        DEV("1:elsewhere.example"),
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        expect(wrong[i], MEF_COMMAND_UNACCEPTABLE_ARGUMENTS, false);
    expect(CERT("https://MEF.Example.COM"), 20, true);
    expect(CERT("https://" MEF_FQDN ":8443"), 20, true);
    expect(DEV("3:coaps://" MEF_FQDN ":5684/rd"), 20, true);
}

/* --- When to ask again ----------------------------------------------------------------------------------- */

static void a_duration_is_that_of_xml_schema(_unused_ void **state) {
    static const struct {
        const char *text;
        uint64_t seconds;
    } durations[] = {
        {"PT0S", 0},
        {"PT1H", 3600},
        {"PT90M", 5400},
        {"P1D", 86400},
        {"P1DT2H3M4S", 86400 + 7200 + 180 + 4},
        {"PT1.5S", 1},
        {"P1M", 31 * 86400},
        {"P1MT1M", 31 * 86400 + 60},
        {"P1Y", KEY_LIFETIME_MAX_SEC},
        {"P999999999Y", KEY_LIFETIME_MAX_SEC},
        {"PT999999999S", KEY_LIFETIME_MAX_SEC},
    };
    char body[256];

    for (size_t i = 0; i < ELEMENTS(durations); i++) {
        uint64_t retry;

        (void)snprintf(body, sizeof(body),
                       COMMAND("last", "0", "{\"noMoreCmdArgs\":{\"retryDuration\":\"%s\"}}"),
                       durations[i].text);
        assert_int_equal(run(SCRIPT(YES("2000", body)), 20, &retry), 0);
        if (retry != durations[i].seconds * USEC_PER_SEC)
            fail_msg("%s", durations[i].text);
    }
}

static void what_is_no_duration_is_a_bad_argument(_unused_ void **state) {
    static const char *const wrong[] = {
        "\"\"",    "\"P\"",      "\"PT\"",     "\"P1DT\"",          "\"1H\"",
        "\"P1H\"", "\"PT1D\"",   "\"-PT1H\"",  "\"PT-1H\"",         "\"PT1\"",
        "\"PTH\"", "\"PT1M1H\"", "\"PT1H1H\"", "\"PT1.5H\"",        "\"PT1.S\"",
        "\"P1S\"", "\"PTT1S\"",  "\"PT1H \"",  "\"PT1234567890S\"", "\"P1D2Y\"",
        "3600",    "null",
    };
    char body[256];

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        (void)snprintf(body, sizeof(body),
                       COMMAND("c", "0", "{\"noMoreCmdArgs\":{\"retryDuration\":%s}}"), wrong[i]);
        expect(body, MEF_COMMAND_BAD_ARGUMENTS, false);
    }
}

static void without_a_duration_it_is_never(_unused_ void **state) {
    static const char *const never[] = {COMMAND("c", "0", "{}"),
                                        COMMAND("c", "0", "{\"noMoreCmdArgs\":{}}"),
                                        ("{\"sec:mefClientCmd\":{\"cmdID\":\"c\","
                                         "\"cmdDescription\":{\"cmdClassID\":0}}}")};

    for (size_t i = 0; i < ELEMENTS(never); i++) {
        uint64_t retry;

        assert_int_equal(run(SCRIPT(YES("2000", never[i])), 20, &retry), 0);
        assert_int_equal(retry, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_teardown(f, arena_empty)
        CLAIM(without_commands_there_is_one_request),
        CLAIM(each_is_answered_and_the_answers_answer_is_the_next),
        CLAIM(what_came_before_is_not_executed_again),
        CLAIM(a_mef_without_end_is_left),
        CLAIM(a_handler_that_gives_up_ends_the_run_unanswered),
        CLAIM(an_answer_that_is_refused_ends_the_run),
        CLAIM(what_is_no_command_ends_the_run),
        CLAIM(without_a_reference_nothing_is_asked),
        CLAIM(a_command_has_the_arguments_of_its_class),
        CLAIM(arguments_of_another_class_or_none_are_bad),
        CLAIM(an_address_of_another_host_is_unacceptable),
        CLAIM(a_duration_is_that_of_xml_schema),
        CLAIM(what_is_no_duration_is_a_bad_argument),
        CLAIM(without_a_duration_it_is_never),
#undef CLAIM
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
