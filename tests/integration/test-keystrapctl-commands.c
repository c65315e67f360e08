/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl on a gateway: each command as a user gives it, what it prints for people and for programs, what it
 * refuses to print, and its exit statuses.
 */

#include "gateway.h"

#include <ctype.h>
#include <jansson.h>
#include <unistd.h>

#define CTL(...) ((const char *const[]){"keystrapctl", __VA_ARGS__, NULL})

static int run(struct gateway *gateway, uid_t uid, const char *const *argv, char *ret,
               size_t size) {
    return world_call_as(gateway->world, uid, argv, ret, size);
}

/* The exit status of a shell's line as @uid, with what it printed. */
static int run_shell(struct gateway *gateway, uid_t uid, const char *line, char *ret, size_t size) {
    const char *const argv[] = {"sh", "-c", line, NULL};

    return world_call_as(gateway->world, uid, argv, ret, size);
}

/* The one JSON object that @argv prints while it ends with @status. */
static json_t *run_json(struct gateway *gateway, uid_t uid, const char *const *argv, int status) {
    char text[8192];
    json_error_t error;
    json_t *object;

    assert_int_equal(run(gateway, uid, argv, text, sizeof(text)), status);
    object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        fail_msg("%s in: %s", error.text, text);
    assert_true(json_is_object(object));
    assert_true(strchr(text, '\n') == text + strlen(text) - 1); /* on one line */
    return object;
}

static const char *string_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));

    if (!text)
        fail_msg("no string \"%s\"", name);
    return text;
}

static json_int_t number_of(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value))
        fail_msg("no number \"%s\"", name);
    return json_integer_value(value);
}

static void expect_in(const char *text, const char *words) {
    if (!strstr(text, words))
        fail_msg("no \"%s\" in: %s", words, text);
}

/* --- status, bootstrap, forget --------------------------------------------------------------------- */

static void status_tells_anybody_how_things_stand(void **state) {
    struct gateway gateway;
    char text[2048];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(run(&gateway, WORLD_USER_STRANGER, CTL("status"), text, sizeof(text)), 0);
    expect_in(text, "State        bootstrapped\n");
    expect_in(text, "Reader       Virtual PCD 00 00 (pcsc)\n");
    expect_in(text, "BSF          " WORLD_BSF_NAME "\n");
    expect_in(text, "PIN          disabled");
    expect_in(text, "@" WORLD_BSF_NAME "\nExpires      20");
    expect_in(text, "Bootstraps   1\n");
    assert_null(strstr(text, "Last error"));
    assert_null(strstr(text, "001010")); /* identities are shortened */
}

static void status_as_json_has_every_property_of_the_interface(void **state) {
    FILE *xml = fopen(WORLD_SOURCE "/dbus/org.keystrap.Agent1.xml", "re");
    struct gateway gateway;
    size_t properties = 0;
    char line[512];
    json_t *status;

    assert_non_null(xml);
    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    status = run_json(&gateway, WORLD_USER_STRANGER, CTL("status", "--json"), 0);
    while (fgets(line, sizeof(line), xml)) {
        char name[64];

        if (sscanf(line, " <property name=\"%63[^\"]", name) != 1)
            continue;
        properties++;
        if (!json_object_get(status, name))
            fail_msg("no \"%s\"", name);
    }
    (void)fclose(xml);
    assert_int_equal(json_object_size(status), properties + 2); /* and Cards, Profiles */
    assert_int_equal(json_array_size(json_object_get(status, "Cards")), 1);
    assert_string_equal(string_of(status, "State"), "card-ready");
    assert_int_equal(number_of(status, "Expires"), 0);
    assert_true(json_is_boolean(json_object_get(status, "ServiceGba")));
    json_decref(status);
}

static void bootstrap_and_forget_do_as_they_say(void **state) {
    struct gateway gateway;
    char text[512], btid[512];
    json_t *answer;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(run(&gateway, WORLD_USER_ROOT, CTL("bootstrap"), text, sizeof(text)), 0);
    gateway_property(&gateway, "Btid", btid, sizeof(btid));
    assert_int_equal(strncmp(text, "B-TID    ", 9), 0);
    assert_int_equal(strncmp(text + 9, btid, strlen(btid)), 0);
    answer = run_json(&gateway, WORLD_USER_ROOT, CTL("--json", "bootstrap"), 0);
    assert_string_not_equal(string_of(answer, "Btid"), btid);
    gateway_property(&gateway, "Btid", btid, sizeof(btid));
    assert_string_equal(string_of(answer, "Btid"), btid);
    assert_true(number_of(answer, "Expires") > 0);
    json_decref(answer);

    assert_int_equal(run(&gateway, WORLD_USER_ROOT, CTL("forget"), text, sizeof(text)), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    answer = run_json(&gateway, WORLD_USER_ROOT, CTL("forget", "--json"), 0);
    assert_true(json_is_true(json_object_get(answer, "Forgotten")));
    json_decref(answer);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 2);
}

static void who_may_not_manage_is_told_77_and_how(void **state) {
    const char *const *const commands[] = {
        CTL("bootstrap"),
        CTL("forget"),
    };
    struct gateway gateway;
    char text[512];

    gateway_start(&gateway, *state, NULL, NULL);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(run(&gateway, WORLD_USER_METER, commands[i], text, sizeof(text)), 77);
        assert_true(gateway_said(&gateway, "Manage=yes"));
        assert_string_equal(text, "");
    }
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);
}

/* --- naf-key --------------------------------------------------------------------------------------- */

static void every_format_gives_the_same_key(void **state) {
    static const char raw[] =
        "keystrapctl naf-key naf.example.com --format=raw | od -An -v -tx1 | tr -d ' \\n'";
    static const char base64[] = "keystrapctl naf-key naf.example.com --format=base64 | base64 -d |"
                                 "od -An -v -tx1 | tr -d ' \\n'";
    struct gateway gateway;
    char hex[128], text[512];
    json_t *answer;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", hex, 128), 0);
    assert_int_equal(strlen(hex), 64);
    assert_int_equal(run_shell(&gateway, WORLD_USER_METER, raw, text, sizeof(text)), 0);
    assert_string_equal(text, hex);
    assert_int_equal(run_shell(&gateway, WORLD_USER_METER, base64, text, sizeof(text)), 0);
    assert_string_equal(text, hex);
    answer = run_json(&gateway, WORLD_USER_METER,
                      CTL("--json", "naf-key", "naf.example.com", "--format", "hex"), 0);
    assert_string_equal(string_of(answer, "Key"), hex);
    json_decref(answer);
}

static void without_a_format_there_is_btid_and_expiry_and_no_key(void **state) {
    struct gateway gateway;
    char text[1024], btid[512];
    json_t *answer;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(
        run(&gateway, WORLD_USER_METER, CTL("naf-key", "naf.example.com"), text, sizeof(text)), 0);
    gateway_property(&gateway, "Btid", btid, sizeof(btid));
    expect_in(text, btid);
    expect_in(text, "\nExpires  20");
    answer = run_json(&gateway, WORLD_USER_METER, CTL("--json", "naf-key", "naf.example.com"), 0);
    assert_int_equal(json_object_size(answer), 3);
    assert_string_equal(string_of(answer, "Btid"), btid);
    assert_true(number_of(answer, "Expires") > number_of(answer, "BootTimeExpires"));
    json_decref(answer);
}

static void another_ua_identifier_gives_another_key(void **state) {
    struct gateway gateway;
    char usual[128], named[128], other[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", usual, 128), 0);
    assert_int_equal(run(&gateway, WORLD_USER_METER,
                         CTL("naf-key", "naf.example.com", "--format=hex", "--ua=0100000002"),
                         named, sizeof(named)),
                     0);
    assert_int_equal(run(&gateway, WORLD_USER_METER,
                         CTL("naf-key", "naf.example.com", "--format=hex", "--ua=0100000007"),
                         other, sizeof(other)),
                     0);
    assert_int_equal(strncmp(usual, named, 64), 0);
    assert_int_not_equal(strncmp(usual, other, 64), 0);
}

static void force_gets_a_new_ks_first(void **state) {
    struct gateway gateway;
    char first[128], forced[128], after[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", first, 128), 0);
    assert_int_equal(run(&gateway, WORLD_USER_METER,
                         CTL("naf-key", "--force", "--format=hex", "naf.example.com"), forced,
                         sizeof(forced)),
                     0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", after, 128), 0);
    assert_int_not_equal(strncmp(first, forced, 64), 0);
    assert_int_equal(strncmp(forced, after, 64), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 2);
}

/* script(1) gives the command a terminal, and its exit status back. */
static int run_on_terminal(struct gateway *gateway, const char *command, char *ret, size_t size) {
    const char *const argv[] = {"script", "--quiet",   "--return", "--command",
                                command,  "/dev/null", NULL};

    return world_call_as(gateway->world, WORLD_USER_METER, argv, ret, size);
}

static void a_key_goes_to_a_terminal_only_when_asked_to(void **state) {
    struct gateway gateway;
    char text[1024], hex[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(run_on_terminal(&gateway, "keystrapctl naf-key naf.example.com --format=hex",
                                     text, sizeof(text)),
                     64);
    expect_in(text, "This would print the key on a terminal");
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0); /* nothing was asked of anybody */
    assert_int_equal(
        run_on_terminal(&gateway, "keystrapctl naf-key naf.example.com", text, sizeof(text)), 0);
    expect_in(text, "B-TID    ");
    assert_int_equal(run_on_terminal(&gateway,
                                     "keystrapctl naf-key naf.example.com --format=hex --show",
                                     text, sizeof(text)),
                     0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", hex, 128), 0);
    expect_in(text, hex);
}

/* --- monitor --------------------------------------------------------------------------------------- */

static struct world_process *start_monitor(struct gateway *gateway, const char *const *argv,
                                           const char *first) {
    struct world_process *monitor = world_start_as(gateway->world, WORLD_USER_STRANGER, argv);

    assert_non_null(monitor);
    assert_int_equal(world_wait_output(monitor, first, WORLD_WAIT_MSEC, NULL), 0);
    return monitor;
}

/* Wait until @monitor has printed @words, and return all that it has printed, to be freed. */
static char *wait_for_words(struct gateway *gateway, struct world_process *monitor,
                            const char *words) {
    for (uint64_t end = world_elapsed_msec(gateway->world) + WORLD_WAIT_MSEC;;) {
        char *text = world_output(monitor);

        assert_non_null(text);
        if (strstr(text, words))
            return text;
        if (world_elapsed_msec(gateway->world) >= end)
            fail_msg("no \"%s\" in: %s", words, text);
        free(text);
        (void)usleep(5000);
    }
}

static void monitor_prints_how_things_stand_and_what_changes(void **state) {
    struct world_process *monitor;
    struct gateway gateway;
    char btid[512], *text;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    monitor = start_monitor(&gateway, CTL("monitor"), "20");
    free(wait_for_words(&gateway, monitor, "State            card-ready\n"));
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    gateway_property(&gateway, "Btid", btid, sizeof(btid));
    assert_int_equal(world_ctl(gateway.usim, "remove", NULL, 0), 0);
    text = wait_for_words(&gateway, monitor, "State            no-card\n");
    expect_in(text, "State            bootstrapping\n");
    expect_in(text, "State            bootstrapped\n");
    expect_in(text, btid);
    free(text);
    assert_int_equal(world_stop(monitor), 0);
}

static void monitor_as_json_is_an_object_a_line(void **state) {
    struct world_process *monitor;
    struct gateway gateway;
    char *text, *line, *next;
    unsigned lines = 0;

    gateway_start(&gateway, *state, NULL, NULL);
    monitor = start_monitor(&gateway, CTL("--json", "monitor"), "{");
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    text = wait_for_words(&gateway, monitor, "\"bootstrapped\"");
    for (line = text; (next = strchr(line, '\n')); line = next + 1, lines++) {
        json_t *object;

        *next = '\0';
        object = json_loads(line, 0, NULL);
        assert_non_null(object);
        if (lines == 0)
            (void)string_of(object, "Version");
        else
            assert_null(json_object_get(object, "Version"));
        json_decref(object);
    }
    assert_true(lines >= 2);
    free(text);
    assert_int_equal(world_signal(monitor, SIGINT), 0);
    assert_int_equal(world_wait(monitor, WORLD_WAIT_MSEC), 0);
    assert_int_equal(world_exit_code(monitor), 0);
}

static void monitor_waits_for_a_daemon_that_is_not_there(void **state) {
    struct world_process *monitor;
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_stop(gateway.keystrapd), 0);
    monitor = world_start_as(gateway.world, WORLD_USER_STRANGER, CTL("monitor"));
    assert_non_null(monitor);
    gateway.keystrapd = world_start_keystrapd(gateway.world, NULL);
    assert_non_null(gateway.keystrapd);
    /* It does not tell when it listens. */
    do
        assert_int_equal(gateway_bootstrap(&gateway), 0);
    while (world_wait_output(monitor, "20", 100, NULL) != 0);
    assert_true(monitor->running);
}

static void monitor_ends_with_its_reader_and_with_the_bus(void **state) {
    static const char *const pipeline[] = {
        "sh", "-c", "keystrapctl --json monitor | grep -m1 card-ready", NULL};
    struct world_process *monitor;
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    /* It is, and nothing changes any more. */
    monitor = world_start_as(gateway.world, WORLD_USER_STRANGER, pipeline);
    assert_non_null(monitor);
    assert_int_equal(world_wait(monitor, WORLD_WAIT_MSEC), 0);
    assert_int_equal(world_exit_code(monitor), 0);

    monitor = start_monitor(&gateway, CTL("monitor"), "20");
    assert_int_equal(world_stop(world_find(gateway.world, "dbus-daemon")), 0);
    assert_int_equal(world_wait(monitor, WORLD_WAIT_MSEC), 0);
    assert_int_equal(world_exit_code(monitor), 69);
}

/* --- doctor ---------------------------------------------------------------------------------------- */

static void doctor_finds_a_healthy_gateway_healthy(void **state) {
    static const char *const checks[] = {"bus",      "bus-policy",  "daemon", "reader",
                                         "card",     "application", "pin",    "service-68",
                                         "bsf-name", "bsf-answer",  "clock"};
    struct gateway gateway;
    char text[4096];
    json_t *answer, *list;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(run(&gateway, WORLD_USER_ROOT, CTL("doctor"), text, sizeof(text)), 0);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_int_equal(strncmp(line, "ok  ", 4), 0);
    answer = run_json(&gateway, WORLD_USER_ROOT, CTL("--json", "doctor"), 0);
    assert_true(json_is_true(json_object_get(answer, "Ok")));
    list = json_object_get(answer, "Checks");
    assert_int_equal(json_array_size(list), sizeof(checks) / sizeof(checks[0]));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *check = json_array_get(list, i);

        assert_string_equal(string_of(check, "Check"), checks[i]);
        assert_string_equal(string_of(check, "Result"), "ok");
        assert_string_not_equal(string_of(check, "Text"), "");
        assert_string_equal(string_of(check, "Remedy"), "");
    }
    json_decref(answer);
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 0);
}

/* doctor ends with @status, and has a bad line of @check with these words, and what to do. */
static void expect_bad_line(struct gateway *gateway, uid_t uid, int status, const char *check,
                            const char *words) {
    char text[4096], start[64], *line, *next;

    assert_int_equal(run(gateway, uid, CTL("doctor"), text, sizeof(text)), status);
    fprintf(stderr, "%s", text);
    (void)snprintf(start, sizeof(start), "!!  %-12s ", check);
    line = strstr(text, start);
    if (!line)
        fail_msg("no \"%s\" in: %s", start, text);
    next = strchr(line, '\n');
    assert_non_null(next);
    assert_int_equal(strncmp(next, "\n    do: ", 9), 0);
    assert_true(isalpha((unsigned char)next[9]));
    *next = '\0';
    expect_in(line, words);
}

static void doctor_names_a_pin_and_what_to_do(void **state) {
    static const char *const arguments[] = {"--pin-enabled", NULL};
    struct gateway gateway;
    json_t *answer;
    bool found = false;

    gateway_start(&gateway, *state, arguments, NULL);
    assert_true(gateway_wait_state(&gateway, "card-unusable"));
    expect_bad_line(&gateway, WORLD_USER_ROOT, 1, "pin", "tries left: 3");
    answer = run_json(&gateway, WORLD_USER_ROOT, CTL("doctor", "--json"), 1);
    assert_true(json_is_false(json_object_get(answer, "Ok")));
    for (size_t i = 0; i < json_array_size(json_object_get(answer, "Checks")); i++) {
        const json_t *check = json_array_get(json_object_get(answer, "Checks"), i);

        if (strcmp(string_of(check, "Check"), "pin") == 0) {
            found = true;
            assert_string_equal(string_of(check, "Result"), "uicc-pin-required");
            assert_string_not_equal(string_of(check, "Remedy"), "");
        }
    }
    assert_true(found);
    json_decref(answer);
}

static void doctor_names_what_is_missing_step_by_step(void **state) {
    struct gateway gateway = {.world = *state};

    expect_bad_line(&gateway, WORLD_USER_ROOT, 69, "bus", "No such file");
    assert_non_null(world_start_bus(gateway.world));
    expect_bad_line(&gateway, WORLD_USER_ROOT, 69, "daemon", "org.keystrap.Agent1");
    assert_int_equal(world_write_config("[GBA]\nConnectTo=127.0.0.1:1\n"), 0);
    gateway.keystrapd = world_start_keystrapd(gateway.world, NULL);
    assert_non_null(gateway.keystrapd);
    expect_bad_line(&gateway, WORLD_USER_STRANGER, 77, "access", "stranger");
    assert_true(gateway_wait_state(&gateway, "no-service"));
    expect_bad_line(&gateway, WORLD_USER_ROOT, 1, "reader", "pcsc");
    assert_non_null(world_start_pcscd(gateway.world));
    assert_true(gateway_wait_state(&gateway, "no-card"));
    expect_bad_line(&gateway, WORLD_USER_ROOT, 1, "card", "Virtual PCD");
    gateway.usim = world_start_usim(gateway.world, SUBSCRIBER, NULL);
    assert_non_null(gateway.usim);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    expect_bad_line(&gateway, WORLD_USER_ROOT, 1, "bsf-answer", "127.0.0.1");
}

/* --- The command line ------------------------------------------------------------------------------ */

static void a_wrong_command_line_is_64_and_asks_nobody(void **state) {
    const char *const *const lines[] = {
        (const char *const[]){"keystrapctl", NULL},
        CTL("no-such-command"),
        CTL("status", "--no-such-option"),
        CTL("status", "argument"),
        CTL("naf-key"),
        CTL("naf-key", "a.example.com", "b.example.com"),
        CTL("naf-key", "naf.example.com", "--ua=01"),
        CTL("naf-key", "naf.example.com", "--ua=01000000zz"),
        CTL("naf-key", "naf.example.com", "--format=pem"),
        CTL("--json", "naf-key", "naf.example.com", "--format=raw"),
        CTL("naf-key", "no name"),
    };
    struct gateway gateway;
    char text[1024], *errors;

    gateway_start(&gateway, *state, NULL, NULL);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(run(&gateway, WORLD_USER_METER, lines[i], text, sizeof(text)), 64);
        assert_string_equal(text, "");
        errors = world_errors(world_last(gateway.world));
        assert_non_null(errors);
        assert_int_equal(strncmp(errors, "keystrapctl: ", 13), 0);
        free(errors);
    }
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);
}

static void without_a_daemon_every_command_is_69_and_says_why(void **state) {
    const char *const *const lines[] = {
        CTL("status"), CTL("bootstrap"), CTL("forget"), CTL("naf-key", "naf.example.com"),
        CTL("doctor"),
    };
    struct gateway gateway = {.world = *state};
    char text[1024];

    for (unsigned bus = 0; bus < 2; bus++) {
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
            assert_int_equal(run(&gateway, WORLD_USER_METER, lines[i], text, sizeof(text)), 69);
        assert_non_null(world_start_bus(gateway.world));
    }
}

/* Every --option and command of --help is in the manual, and the other way round. */
static void help_and_manual_know_the_same_words(void **state) {
    struct gateway gateway = {.world = *state};
    char help[4096], manual[16384], words[64], missing[512] = "";
    FILE *f = fopen(WORLD_SOURCE "/docs/man/keystrapctl.1", "re");
    size_t length;

    assert_non_null(f);
    length = fread(manual, 1, sizeof(manual) - 1, f);
    manual[length] = '\0';
    (void)fclose(f);
    assert_int_equal(run(&gateway, WORLD_USER_STRANGER, CTL("--help"), help, sizeof(help)), 0);
    for (char *p = help; (p = strstr(p, "--")); p += 2) {
        (void)snprintf(words, sizeof(words), ".It Fl -%.*s",
                       (int)strspn(p + 2, "abcdefghijklmnopqrstuvwxyz"), p + 2);
        if (words[8] && !strstr(manual, words))
            (void)snprintf(missing, sizeof(missing), "manual: %s", words);
    }
    for (char *p = manual; (p = strstr(p, ".It Fl -")); p += 8) {
        (void)snprintf(words, sizeof(words), "--%.*s",
                       (int)strspn(p + 8, "abcdefghijklmnopqrstuvwxyz"), p + 8);
        if (!strstr(help, words))
            (void)snprintf(missing, sizeof(missing), "--help: %s", words);
    }
    for (char *p = manual; (p = strstr(p, "\n.It Cm ")); p += 8) {
        (void)snprintf(words, sizeof(words), "\n  %.*s ",
                       (int)strspn(p + 8, "abcdefghijklmnopqrstuvwxyz-"), p + 8);
        if (!strstr(help, words))
            (void)snprintf(missing, sizeof(missing), "--help: %s", words);
    }
    assert_string_equal(missing, "");
}

static void version_needs_nobody(void **state) {
    struct gateway gateway = {.world = *state};
    char text[64];
    json_t *answer;

    assert_int_equal(run(&gateway, WORLD_USER_STRANGER, CTL("version"), text, sizeof(text)), 0);
    assert_int_equal(strncmp(text, "keystrapctl ", 12), 0);
    text[strcspn(text, "\n")] = '\0';
    answer = run_json(&gateway, WORLD_USER_STRANGER, CTL("version", "--json"), 0);
    assert_string_equal(string_of(answer, "Version"), text + 12);
    json_decref(answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_tells_anybody_how_things_stand),
        cmocka_unit_test(status_as_json_has_every_property_of_the_interface),
        cmocka_unit_test(bootstrap_and_forget_do_as_they_say),
        cmocka_unit_test(who_may_not_manage_is_told_77_and_how),
        cmocka_unit_test(every_format_gives_the_same_key),
        cmocka_unit_test(without_a_format_there_is_btid_and_expiry_and_no_key),
        cmocka_unit_test(another_ua_identifier_gives_another_key),
        cmocka_unit_test(force_gets_a_new_ks_first),
        cmocka_unit_test(a_key_goes_to_a_terminal_only_when_asked_to),
        cmocka_unit_test(monitor_prints_how_things_stand_and_what_changes),
        cmocka_unit_test(monitor_as_json_is_an_object_a_line),
        cmocka_unit_test(monitor_waits_for_a_daemon_that_is_not_there),
        cmocka_unit_test(monitor_ends_with_its_reader_and_with_the_bus),
        cmocka_unit_test(doctor_finds_a_healthy_gateway_healthy),
        cmocka_unit_test(doctor_names_a_pin_and_what_to_do),
        cmocka_unit_test(doctor_names_what_is_missing_step_by_step),
        cmocka_unit_test(a_wrong_command_line_is_64_and_asks_nobody),
        cmocka_unit_test(without_a_daemon_every_command_is_69_and_says_why),
        cmocka_unit_test(help_and_manual_know_the_same_words),
        cmocka_unit_test(version_needs_nobody),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
