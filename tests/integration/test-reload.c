/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Configuration and rules on a running gateway: what --check-config says, what SIGHUP puts in force and what it
 * leaves alone, and the quota that a rule gives.
 */

#include "gateway.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define DROP_INS "/etc/keystrap/keystrap.conf.d"
#define PROFILES "/etc/keystrap/enrol.d"

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fchmod(fileno(f), 0644), 0);
    assert_int_equal(fclose(f), 0);
}

/* What `keystrapd --check-config` prints; returns its exit status. */
static int check_config(struct world *world, char *ret, size_t size) {
    static const char *const argv[] = {"keystrapd", "--check-config", NULL};

    return world_call_as(world, WORLD_USER_KEYSTRAP, argv, ret, size);
}

/* A list of Key=value lines has exactly this one of @key. */
static void expect_line(const char *text, const char *line) {
    char framed[256];
    char *found;

    (void)snprintf(framed, sizeof(framed), "\n%s\n", line);
    found = strstr(text, framed);
    if (!found)
        fail_msg("no \"%s\" in: %s", line, text);
    assert_null(strstr(found + 1, framed));
}

/* --- --check-config -------------------------------------------------------------------------------- */

static void check_config_prints_every_key_of_the_installed_file(void **state) {
    struct world *world = *state;
    char text[8192], again[8192], line[512];
    unsigned keys = 0;
    FILE *template = fopen(WORLD_SOURCE "/systemd/keystrap.conf", "re");

    assert_non_null(template);
    assert_int_equal(check_config(world, text, sizeof(text)), 0);
    while (fgets(line, sizeof(line), template)) {
        /* "#Key=default"; other comments have a space after the "#". */
        if (line[0] != '#' || line[1] == ' ' || !strchr(line, '='))
            continue;
        line[strcspn(line, "\n")] = '\0';
        expect_line(text, line + 1);
        keys++;
    }
    (void)fclose(template);
    assert_true(keys >= 20);
    assert_non_null(strstr(text, "\n# 0 principals in /etc/keystrap/access.d\n"));
    assert_non_null(strstr(text, "\n# 0 enrolment profiles in /etc/keystrap/enrol.d\n"));

    /* It is a configuration itself, and says the same. */
    assert_int_equal(world_write_config(text), 0);
    assert_int_equal(check_config(world, again, sizeof(again)), 0);
    assert_string_equal(text, again);
}

static void later_drop_ins_win_over_earlier_ones_and_the_file(void **state) {
    struct world *world = *state;
    char text[8192];

    assert_int_equal(world_write_config("[GBA]\nRequestTimeoutSec=3\nConnectTimeoutSec=3\n"
                                        "Path=/three\nHeader=X-A: 3\n"),
                     0);
    write_file(DROP_INS "/20-b.conf", "[GBA]\nRequestTimeoutSec=20\nPath=\nHeader=\n");
    write_file(DROP_INS "/10-a.conf", "[GBA]\nRequestTimeoutSec=10\nConnectTimeoutSec=10\n"
                                      "Header=X-B: 10\n");
    write_file(DROP_INS "/30-c.conf.disabled", "[GBA]\nRequestTimeoutSec=30\n");
    assert_int_equal(check_config(world, text, sizeof(text)), 0);
    expect_line(text, "RequestTimeoutSec=20");
    expect_line(text, "ConnectTimeoutSec=10");
    expect_line(text, "Path=/");
    expect_line(text, "Header=");
    write_file(DROP_INS "/25-d.conf", "[GBA]\nHeader=X-C: 25\nHeader=X-D: 25\n");
    assert_int_equal(check_config(world, text, sizeof(text)), 0);
    expect_line(text, "Header=X-C: 25");
    expect_line(text, "Header=X-D: 25");
}

static void check_config_prints_each_profile_below_its_file_s_name(void **state) {
    struct world *world = *state;
    char text[8192];
    char *profile;

    write_file(PROFILES "/water.conf", "[Enrolment]\nMethods=gba\nTarget=maf.example.com\n");
    write_file(PROFILES "/gas.conf", "[Enrolment]\nMethods=psk\nMef=coaps://mef.example.com\n"
                                     "Target=maf.example.org\nIdentity=Cgw\n[Psk]\n"
                                     "KpmId=kpm-7\nKpm=credential:kpm\n");
    assert_int_equal(check_config(world, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "\n# 2 enrolment profiles in /etc/keystrap/enrol.d\n"));
    profile = strstr(text, "\n# /etc/keystrap/enrol.d/gas.conf\n[Enrolment]\nMethods=psk\n");
    assert_non_null(profile);
    expect_line(profile, "Kpm=credential:kpm");
    profile = strstr(profile, "\n# /etc/keystrap/enrol.d/water.conf\n[Enrolment]\nMethods=gba\n");
    assert_non_null(profile);
    expect_line(profile, "Target=maf.example.com");
    expect_line(profile, "Suid=21");
    assert_int_equal(unlink(PROFILES "/water.conf"), 0);
    assert_int_equal(unlink(PROFILES "/gas.conf"), 0);
}

static void check_config_names_file_and_line_of_what_is_wrong(void **state) {
    static const struct {
        const char *path, *text, *expected;
    } cases[] = {
        {WORLD_CONFIG, "[GBA]\n\nScheme=ftp\n", WORLD_CONFIG ":3: Scheme=ftp: "},
        {WORLD_CONFIG, "[GBA]\nnonsense\n", WORLD_CONFIG ":2: "},
        {WORLD_CONFIG, "[UICC]\nTransport=../sh\n", WORLD_CONFIG ":2: Transport=../sh: "},
        {DROP_INS "/50-x.conf", "[UICC]\nApduTimeoutSec=0\n",
         DROP_INS "/50-x.conf:2: ApduTimeoutSec=0: "},
        {WORLD_ACCESS, "[Principal a]\nUser=meter\n[Principal a]\nUser=meter\n", WORLD_ACCESS ":3"},
        {WORLD_ACCESS, "[Principal a]\nKeysPerMinute=0\n", WORLD_ACCESS ":2: "},
        {PROFILES "/water.conf", "[Enrolment]\nMethods=gba\nTarget=a b\n",
         PROFILES "/water.conf:3: [Enrolment] Target=: "},
        {PROFILES "/water.conf", "[Enrolment]\nMethods=psk\n", PROFILES "/water.conf: [Enrolment]"},
    };
    struct gateway gateway = {.world = *state};
    char text[8192];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fprintf(stderr, "%s", cases[i].text);
        write_file(cases[i].path, cases[i].text);
        assert_int_equal(check_config(gateway.world, text, sizeof(text)), 78);
        assert_true(gateway_said(&gateway, cases[i].expected));
        assert_string_equal(text, "");
        assert_int_equal(unlink(cases[i].path), 0);
    }
    assert_int_equal(check_config(gateway.world, text, sizeof(text)), 0);
}

static void what_is_unknown_is_a_warning_with_its_line_and_no_more(void **state) {
    struct gateway gateway;
    char text[8192];

    gateway_start(&gateway, *state, NULL, "RequestTimeoutSex=5\n[Future]\nA=b\nC=d");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(check_config(gateway.world, text, sizeof(text)), 0);
    assert_true(gateway_said(&gateway, "warning: " WORLD_CONFIG ":3: unknown key "
                                       "RequestTimeoutSex= in [GBA]; ignored; did you mean "
                                       "RequestTimeoutSec=?"));
    assert_true(gateway_said(&gateway, WORLD_CONFIG ":4: unknown section [Future]; ignored"));
}

/* --- SIGHUP ---------------------------------------------------------------------------------------- */

static uint64_t monotonic_usec(void) {
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void a_reload_is_announced_with_its_time_as_type_notify_reload_wants(void **state) {
    uint64_t begin, told;
    struct gateway gateway;
    char *line = NULL;

    gateway_start(&gateway, *state, NULL, NULL);
    begin = monotonic_usec();
    assert_int_equal(world_signal(gateway.keystrapd, SIGHUP), 0);
    assert_int_equal(world_wait_notify(gateway.keystrapd, "RELOADING=1", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_wait_notify(gateway.keystrapd, "MONOTONIC_USEC=", 0, &line), 0);
    told = strtoull(line + strlen("MONOTONIC_USEC="), NULL, 10);
    free(line);
    assert_true(told >= begin && told <= monotonic_usec());
    assert_int_equal(world_wait_notify(gateway.keystrapd, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
}

static void a_reload_puts_new_rules_in_force_and_keeps_the_ks(void **state) {
    struct gateway gateway;
    char key[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_STRANGER, "naf.example.com", key, 128), 77);
    assert_int_equal(world_write_access("[Principal s]\nGroup=stranger\nNafFqdn=naf.example.com\n"
                                        "UaProtocol=0100000002\n"),
                     0);
    free(gateway_reload(&gateway));
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_STRANGER, "naf.example.com", key, 128), 0);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 77);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

static void expect_old_rules(struct gateway *gateway, const char *words) {
    char *status = gateway_reload(gateway), *errors;
    char key[128];

    assert_non_null(strstr(status, "the old one stays"));
    free(status);
    errors = world_errors(gateway->keystrapd);
    assert_non_null(errors);
    if (!strstr(errors, words))
        fail_msg("no \"%s\" in: %s", words, errors);
    free(errors);
    assert_int_equal(gateway_ask(gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    assert_int_equal(gateway_ask(gateway, WORLD_USER_STRANGER, "naf.example.com", key, 128), 77);
}

static void a_reload_of_something_wrong_changes_nothing_and_says_so(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(world_write_access("[Principal s]\nUser=stranger\nNafFqdn=*\nUaProtocol=*\n"
                                        "Manage=perhaps\n"),
                     0);
    expect_old_rules(&gateway, "configuration not changed: " WORLD_ACCESS ":5: ");
    /* Rules that are right do not come in force alone. */
    assert_int_equal(world_write_access("[Principal s]\nUser=stranger\nNafFqdn=*\nUaProtocol=*\n"),
                     0);
    assert_int_equal(world_write_config("[GBA]\nPort=70000\n"), 0);
    expect_old_rules(&gateway, "configuration not changed: " WORLD_CONFIG ":2: ");
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

static void a_reload_of_another_bsf_in_the_middle_keeps_who_waits(void **state) {
    static const char *const argv[] = {"keystrapctl", "naf-key", "naf.example.com", NULL};
    struct world_process *asking, *other;
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(world_ctl(gateway.bsf, "fault hang", NULL, 0), 0);
    asking = world_start_as(gateway.world, WORLD_USER_METER, argv);
    assert_non_null(asking);
    assert_true(gateway_wait_state(&gateway, "bootstrapping"));
    other = world_start_bsf(gateway.world, NULL);
    assert_non_null(other);
    assert_int_equal(world_write_defaults(other), 0);
    free(gateway_reload(&gateway));
    assert_int_equal(world_wait(asking, WORLD_WAIT_MSEC), 0);
    assert_int_equal(world_exit_code(asking), 0);
    assert_int_equal(gateway_count(other, "bootstraps"), 1);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 0);
}

static void a_reload_of_another_reader_takes_the_card_and_its_ks_away(void **state) {
    struct gateway gateway;
    char text[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    write_file(DROP_INS "/reader.conf", "[UICC]\nReader=*Gemalto*\n");
    free(gateway_reload(&gateway));
    assert_true(gateway_wait_state(&gateway, "no-reader"));
    gateway_property(&gateway, "Btid", text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(unlink(DROP_INS "/reader.conf"), 0);
    free(gateway_reload(&gateway));
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

static void many_reloads_one_after_the_other_leave_a_working_service(void **state) {
    char text[256];
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof(text),
                       "[GBA]\nConnectTo=127.0.0.1:%u\nRequestTimeoutSec=%u\n"
                       "[Agent]\nLogLevel=%s\n",
                       gateway.bsf->port, 10 + i / 2, i % 2 ? "debug" : "info");
        assert_int_equal(world_write_config(text), 0);
        free(gateway_reload(&gateway));
    }
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

/* --- Quota ----------------------------------------------------------------------------------------- */

/* One call of the test itself, which is root. Returns the error's name, "" for none. */
static void derive(sd_bus *bus, const char *naf, char *ret, size_t size) {
    static const uint8_t ua[] = {0x01, 0x00, 0x00, 0x00, 0x02};
    sd_bus_message *call = NULL, *reply = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;

    assert_true(sd_bus_message_new_method_call(bus, &call, "org.keystrap.Agent1",
                                               "/org/keystrap/Agent1", "org.keystrap.Agent1.Keys",
                                               "DeriveNafKey") >= 0);
    assert_true(sd_bus_message_append(call, "s", naf) >= 0);
    assert_true(sd_bus_message_append_array(call, 'y', ua, sizeof(ua)) >= 0);
    assert_true(sd_bus_message_append(call, "a{sv}", 0) >= 0);
    (void)sd_bus_call(bus, call, 0, &error, &reply);
    (void)snprintf(ret, size, "%s", error.name ? error.name : "");
    sd_bus_error_free(&error);
    sd_bus_message_unref(reply);
    sd_bus_message_unref(call);
}

static void the_fourth_key_of_three_a_minute_is_refused_by_name(void **state) {
    struct gateway gateway;
    sd_bus *bus = NULL;
    char error[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_write_access("[Principal root]\nUser=root\nNafFqdn=naf.example.com\n"
                                        "UaProtocol=*\nKeysPerMinute=3\n"),
                     0);
    free(gateway_reload(&gateway));
    assert_true(sd_bus_open_system(&bus) >= 0);
    for (unsigned i = 0; i < 3; i++) {
        derive(bus, "naf.example.com", error, sizeof(error));
        assert_string_equal(error, "");
    }
    derive(bus, "naf.example.com", error, sizeof(error));
    assert_string_equal(error, "org.keystrap.Agent1.Error.QuotaExceeded");
    /* Another connection of the same user is the same principal, and keystrapctl says when to ask again. */
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_ROOT, "naf.example.com", error, 128), 75);
    assert_true(gateway_said(&gateway, "KeysPerMinute=3"));
    /* What is denied anyhow is denied, and not "later". */
    derive(bus, "naf.example.net", error, sizeof(error));
    assert_string_equal(error, "org.keystrap.Agent1.Error.AccessDenied");
    sd_bus_flush_close_unref(bus);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_config_prints_every_key_of_the_installed_file),
        cmocka_unit_test(later_drop_ins_win_over_earlier_ones_and_the_file),
        cmocka_unit_test(check_config_prints_each_profile_below_its_file_s_name),
        cmocka_unit_test(check_config_names_file_and_line_of_what_is_wrong),
        cmocka_unit_test(what_is_unknown_is_a_warning_with_its_line_and_no_more),
        cmocka_unit_test(a_reload_is_announced_with_its_time_as_type_notify_reload_wants),
        cmocka_unit_test(a_reload_puts_new_rules_in_force_and_keeps_the_ks),
        cmocka_unit_test(a_reload_of_something_wrong_changes_nothing_and_says_so),
        cmocka_unit_test(a_reload_of_another_bsf_in_the_middle_keeps_who_waits),
        cmocka_unit_test(a_reload_of_another_reader_takes_the_card_and_its_ks_away),
        cmocka_unit_test(many_reloads_one_after_the_other_leave_a_working_service),
        cmocka_unit_test(the_fourth_key_of_three_a_minute_is_refused_by_name),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
