/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd's life: how it starts with nothing there, what it takes from the machine, and how it ends, at once,
 * whatever card and network are doing.
 */

#include "gateway.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_MSEC    2000 /* in which keystrapd ends */
#define CHILDREN_MAX 8

/* --- Helpers --------------------------------------------------------------------------------------- */

static void pause_shortly(void) {
    (void)poll(NULL, 0, 5);
}

static void read_file(const char *path, char *ret, size_t size) {
    FILE *f = fopen(path, "re");
    size_t length;

    if (!f)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    assert_non_null(f);
    length = fread(ret, 1, size - 1, f);
    ret[length] = '\0';
    (void)fclose(f);
}

/* The number after @field of /proc/PID/status; -1 where the process is gone. */
static long status_field(pid_t pid, const char *field) {
    char path[64], line[256];
    long value = -1;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return -1;
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtol(line + strlen(field), NULL, 10);
    (void)fclose(f);
    return value;
}

/* The processes whose parent is @parent. */
static size_t find_children(pid_t parent, pid_t ret[CHILDREN_MAX]) {
    struct dirent *entry;
    size_t n = 0;
    DIR *proc = opendir("/proc");

    assert_non_null(proc);
    while ((entry = readdir(proc)) && n < CHILDREN_MAX) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (pid > 0 && status_field(pid, "PPid:") == parent)
            ret[n++] = pid;
    }
    (void)closedir(proc);
    return n;
}

/* keystrapd and the two programs that it has started once it has bootstrapped. */
static void find_family(struct gateway *gateway, pid_t ret[3]) {
    pid_t children[CHILDREN_MAX];

    assert_int_equal(find_children(gateway->keystrapd->pid, children), 2);
    ret[0] = gateway->keystrapd->pid;
    ret[1] = children[0];
    ret[2] = children[1];
}

static struct world_process *start_asking(struct gateway *gateway) {
    static const char *const argv[] = {"keystrapctl", "naf-key", "naf.example.com", NULL};
    struct world_process *asking = world_start_as(gateway->world, WORLD_USER_METER, argv);

    assert_non_null(asking);
    return asking;
}

/* An application waits for a BSF that has taken its request and does not answer. */
static struct world_process *start_hanging(struct gateway *gateway) {
    struct world_process *asking;
    uint64_t requests, end;

    assert_true(gateway_wait_state(gateway, "card-ready"));
    requests = gateway_count(gateway->bsf, "requests");
    assert_int_equal(world_ctl(gateway->bsf, "fault hang", NULL, 0), 0);
    asking = start_asking(gateway);
    end = world_elapsed_msec(gateway->world) + WORLD_WAIT_MSEC;
    while (gateway_count(gateway->bsf, "requests") == requests) {
        assert_true(world_elapsed_msec(gateway->world) < end);
        pause_shortly();
    }
    return asking;
}

static void expect_end_in_time(struct gateway *gateway) {
    uint64_t begin = world_elapsed_msec(gateway->world);

    assert_int_equal(world_signal(gateway->keystrapd, SIGTERM), 0);
    assert_int_equal(world_wait(gateway->keystrapd, WORLD_WAIT_MSEC), 0);
    fprintf(stderr, "ended after %" PRIu64 " ms\n", world_elapsed_msec(gateway->world) - begin);
    assert_int_equal(world_exit_code(gateway->keystrapd), 0);
    assert_true(world_elapsed_msec(gateway->world) - begin < STOP_MSEC);
}

/* The caller that waited is told, and not left alone. */
static void expect_cancelled(struct world_process *asking) {
    char *errors;

    assert_int_equal(world_wait(asking, WORLD_WAIT_MSEC), 0);
    assert_int_not_equal(world_exit_code(asking), 0);
    errors = world_errors(asking);
    assert_non_null(errors);
    if (!strstr(errors, "keystrapd is going down"))
        fail_msg("the caller was told: %s", errors);
    free(errors);
}

/* --- Start ----------------------------------------------------------------------------------------- */

static void it_is_ready_without_pcscd_and_finds_the_card_when_both_come(void **state) {
    struct gateway gateway = {.world = *state};

    assert_non_null(world_start_bus(gateway.world));
    gateway.bsf = world_start_bsf(gateway.world, NULL);
    assert_non_null(gateway.bsf);
    gateway.naf = world_start_naf(gateway.world, gateway.bsf, NULL);
    assert_non_null(gateway.naf);
    assert_int_equal(world_write_defaults(gateway.bsf), 0);
    gateway.keystrapd = world_start_keystrapd(gateway.world, NULL);
    assert_non_null(gateway.keystrapd);
    assert_true(gateway_wait_state(&gateway, "no-service"));
    assert_non_null(world_start_pcscd(gateway.world));
    assert_true(gateway_wait_state(&gateway, "no-card"));
    gateway.usim = world_start_usim(gateway.world, SUBSCRIBER, NULL);
    assert_non_null(gateway.usim);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

static void expect_no_start(struct gateway *gateway, int status, const char *words) {
    struct world_process *process = world_spawn_keystrapd(gateway->world, NULL, NULL);

    assert_non_null(process);
    assert_int_equal(world_wait(process, WORLD_WAIT_MSEC), 0);
    assert_int_equal(world_exit_code(process), status);
    assert_true(gateway_said(gateway, words));
    assert_int_equal(world_wait_notify(process, "READY=1", 0, NULL), -ECHILD);
}

static void without_a_bus_it_ends_with_69_and_says_so(void **state) {
    struct gateway gateway = {.world = *state};

    expect_no_start(&gateway, 69, "system bus");
}

static void a_second_one_ends_with_69_and_leaves_the_first_alone(void **state) {
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    expect_no_start(&gateway, 69, "Another program owns org.keystrap.Agent1");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

static void a_wrong_configuration_ends_it_with_78_and_its_line(void **state) {
    struct gateway gateway = {.world = *state};

    assert_non_null(world_start_bus(gateway.world));
    assert_int_equal(world_write_config("[GBA]\n# a comment\nPort=http\n"), 0);
    expect_no_start(&gateway, 78, WORLD_CONFIG ":3: Port=http: ");
    assert_int_equal(world_write_config("[GBA]\nPort=80\n"), 0);
    assert_int_equal(world_write_access("[Principal meter]\nUser=meter\nUaProtocol=xyz\n"), 0);
    expect_no_start(&gateway, 78, WORLD_ACCESS ":3: ");
}

static void a_wrong_command_line_ends_it_with_64(void **state) {
    static const char *const option[] = {"keystrapd", "--no-such-option", NULL};
    static const char *const argument[] = {"keystrapd", "argument", NULL};
    struct world *world = *state;

    assert_int_equal(world_call_as(world, WORLD_USER_KEYSTRAP, option, NULL, 0), 64);
    assert_int_equal(world_call_as(world, WORLD_USER_KEYSTRAP, argument, NULL, 0), 64);
}

static void it_tells_its_version_and_its_options_without_a_gateway(void **state) {
    static const char *const version[] = {"keystrapd", "--version", NULL};
    static const char *const help[] = {"keystrapd", "--help", NULL};
    struct world *world = *state;
    char text[4096];

    assert_int_equal(world_call_as(world, WORLD_USER_STRANGER, version, text, sizeof(text)), 0);
    assert_int_equal(strncmp(text, "keystrapd ", 10), 0);
    assert_int_equal(world_call_as(world, WORLD_USER_STRANGER, help, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "--check-config"));
    assert_non_null(strstr(text, "--version"));
}

/* --- End ------------------------------------------------------------------------------------------- */

static void it_ends_at_once_when_idle(void **state) {
    struct gateway gateway;
    char reply[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    expect_end_in_time(&gateway);
    assert_int_equal(world_wait_notify(gateway.keystrapd, "STOPPING=1", 0, NULL), 0);
    assert_int_equal(world_ctl(gateway.usim, "channels", reply, sizeof(reply)), 0);
    assert_string_equal(reply, "ok"); /* none is left open */
}

static void it_ends_in_time_while_the_bsf_hangs_and_closes_the_channel(void **state) {
    struct world_process *asking;
    struct gateway gateway;
    char reply[128];

    gateway_start(&gateway, *state, NULL, NULL);
    asking = start_hanging(&gateway);
    assert_int_equal(world_ctl(gateway.usim, "channels", reply, sizeof(reply)), 0);
    assert_string_equal(reply, "ok 1");
    expect_end_in_time(&gateway);
    expect_cancelled(asking);
    assert_int_equal(world_ctl(gateway.usim, "channels", reply, sizeof(reply)), 0);
    assert_string_equal(reply, "ok");
}

static void it_ends_in_time_while_the_card_is_silent(void **state) {
    struct world_process *asking;
    struct gateway gateway;
    char reply[128] = "";
    uint64_t end;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_int_equal(world_ctl(gateway.usim, "fault silent-at authenticate", NULL, 0), 0);
    asking = start_asking(&gateway);
    end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;
    while (!strstr(reply, "answering")) {
        assert_true(world_elapsed_msec(gateway.world) < end);
        assert_int_equal(world_ctl(gateway.usim, "state", reply, sizeof(reply)), 0);
    }
    expect_end_in_time(&gateway);
    expect_cancelled(asking);
}

/* A transport program that does nothing: not even HELLO comes. */
static void it_ends_in_time_while_a_transport_says_nothing(void **state) {
    static const char *const arguments[] = {"--plugin-dir", WORLD_SCRATCH, NULL};
    static const char script[] = "#!/bin/sh\nexec sleep 60\n";
    struct gateway gateway = {.world = *state};
    pid_t children[CHILDREN_MAX];
    uint64_t end;
    int fd;

    fd = open(WORLD_SCRATCH "/uicc-mute", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    assert_int_equal(fchmod(fd, 0755), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(symlink(WORLD_PLUGINS "/keystrap-http", WORLD_SCRATCH "/keystrap-http"), 0);
    assert_int_equal(world_write_config("[UICC]\nTransport=mute\n"), 0);
    assert_non_null(world_start_bus(gateway.world));
    gateway.keystrapd = world_start_keystrapd(gateway.world, arguments);
    assert_non_null(gateway.keystrapd);
    end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;
    while (find_children(gateway.keystrapd->pid, children) == 0) {
        assert_true(world_elapsed_msec(gateway.world) < end);
        pause_shortly();
    }
    expect_end_in_time(&gateway);
}

static void it_ends_in_time_without_a_card_and_without_pcscd(void **state) {
    struct gateway gateway = {.world = *state};

    assert_non_null(world_start_bus(gateway.world));
    gateway.keystrapd = world_start_keystrapd(gateway.world, NULL);
    assert_non_null(gateway.keystrapd);
    assert_true(gateway_wait_state(&gateway, "no-service"));
    expect_end_in_time(&gateway);
    assert_non_null(world_start_pcscd(gateway.world));
    gateway.keystrapd = world_start_keystrapd(gateway.world, NULL);
    assert_non_null(gateway.keystrapd);
    assert_true(gateway_wait_state(&gateway, "no-card"));
    expect_end_in_time(&gateway);
}

static void a_killed_one_leaves_no_program_behind(void **state) {
    struct gateway gateway;
    pid_t family[3];
    uint64_t end;

    gateway_start(&gateway, *state, NULL, NULL);
    (void)start_hanging(&gateway);
    find_family(&gateway, family);
    assert_int_equal(world_signal(gateway.keystrapd, SIGKILL), 0);
    assert_int_equal(world_wait(gateway.keystrapd, WORLD_WAIT_MSEC), 0);
    end = world_elapsed_msec(gateway.world) + WORLD_WAIT_MSEC;
    for (size_t i = 1; i < 3; i++)
        while (kill(family[i], 0) == 0) {
            assert_true(world_elapsed_msec(gateway.world) < end);
            pause_shortly();
        }
    /* And what it left of the card's channels and of the bus does not hinder the next one. */
    assert_int_equal(world_ctl(gateway.bsf, "clear", NULL, 0), 0);
    gateway.keystrapd = world_start_keystrapd(gateway.world, NULL);
    assert_non_null(gateway.keystrapd);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

/* --- While it runs --------------------------------------------------------------------------------- */

static void the_watchdog_is_fed_also_while_a_bootstrap_hangs(void **state) {
    static const char *const env[] = {"WATCHDOG_USEC=1000000", NULL};
    struct gateway gateway;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_stop(gateway.keystrapd), 0);
    gateway.keystrapd = world_spawn_keystrapd(gateway.world, NULL, env);
    assert_non_null(gateway.keystrapd);
    assert_int_equal(world_wait_notify(gateway.keystrapd, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_wait_notify(gateway.keystrapd, "WATCHDOG=1", 1000, NULL), 0);
    (void)start_hanging(&gateway);
    /* What was said before it hung is read; then there must be one every second. */
    while (world_wait_notify(gateway.keystrapd, "WATCHDOG=1", 0, NULL) == 0) {
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_wait_notify(gateway.keystrapd, "WATCHDOG=1", 1000, NULL), 0);
    assert_true(gateway_wait_state(&gateway, "bootstrapping"));
}

static void nobody_waits_because_another_caller_does(void **state) {
    static const char *const statistics[] = {"busctl",
                                             "call",
                                             "org.keystrap.Agent1",
                                             "/org/keystrap/Agent1",
                                             "org.keystrap.Agent1.Manager",
                                             "GetStatistics",
                                             NULL};
    static const char *const forget[] = {"keystrapctl", "forget", NULL};
    struct world_process *asking;
    struct gateway gateway;
    char text[128];
    uint64_t begin;

    gateway_start(&gateway, *state, NULL, NULL);
    asking = start_hanging(&gateway);
    begin = world_elapsed_msec(gateway.world);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_STRANGER, "naf.example.com", text, 128), 77);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.net", text, 128), 77);
    assert_int_equal(world_call_as(gateway.world, WORLD_USER_STRANGER, statistics, NULL, 0), 0);
    assert_int_equal(world_call_as(gateway.world, WORLD_USER_ROOT, forget, NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "bootstrapping"));
    assert_true(world_elapsed_msec(gateway.world) - begin < 3000);
    assert_true(asking->running);
}

static void no_core_is_dumped_and_nobody_looks_into_it(void **state) {
    struct gateway gateway;
    pid_t family[3];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    find_family(&gateway, family);
    for (size_t i = 0; i < 3; i++) {
        char path[64], limits[4096], *core;
        const char *const argv[] = {"cat", path, NULL};

        (void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)family[i]);
        read_file(path, limits, sizeof(limits));
        core = strstr(limits, "Max core file size");
        assert_non_null(core);
        core += strlen("Max core file size");
        assert_int_equal(strtol(core, &core, 10), 0);
        assert_int_equal(strtol(core, &core, 10), 0);
        /* What ptrace(2) would be allowed: nothing, not even to the same user. */
        (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)family[i]);
        assert_int_equal(world_call_as(gateway.world, WORLD_USER_KEYSTRAP, argv, NULL, 0), 1);
        assert_true(gateway_said(&gateway, "Permission denied"));
    }
}

/* Whether a socket of @pid is in one of the kernel's tables of internet sockets. */
static bool has_internet_socket(pid_t pid) {
    static const char *const tables[] = {"tcp", "tcp6", "udp", "udp6", "raw", "raw6"};
    static char text[64 * 1024];
    char path[320], link[64], inode[32];
    struct dirent *entry;
    bool found = false;
    DIR *fds;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    fds = opendir(path);
    assert_non_null(fds);
    while ((entry = readdir(fds))) {
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, entry->d_name);
        n = readlink(path, link, sizeof(link) - 1);
        if (n <= 0)
            continue;
        link[n] = '\0';
        if (sscanf(link, "socket:[%30[0-9]]", inode) != 1)
            continue;
        (void)snprintf(link, sizeof(link), " %s ", inode);
        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
            (void)snprintf(path, sizeof(path), "/proc/net/%s", tables[i]);
            read_file(path, text, sizeof(text));
            found = found || strstr(text, link);
        }
    }
    (void)closedir(fds);
    return found;
}

static void only_keystrap_http_touches_the_network(void **state) {
    struct gateway gateway;
    unsigned with = 0;
    pid_t family[3];

    gateway_start(&gateway, *state, NULL, NULL);
    (void)start_hanging(&gateway);
    find_family(&gateway, family);
    for (size_t i = 0; i < 3; i++) {
        char path[64], name[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)family[i]);
        read_file(path, name, sizeof(name));
        if (!has_internet_socket(family[i]))
            continue;
        with++;
        assert_string_equal(name, "keystrap-http\n");
    }
    assert_int_equal(with, 1); /* so the look was into the right tables */
}

static void a_reader_pattern_that_matches_none_is_named_with_a_remedy(void **state) {
    struct gateway gateway;
    char text[512];

    gateway_start(&gateway, *state, NULL, "[UICC]\nReader=*Gemalto*");
    assert_true(gateway_wait_state(&gateway, "no-reader"));
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", text, 128), 69);
    assert_true(gateway_said(&gateway, "no card reader matches *Gemalto*"));
    assert_true(gateway_said(&gateway, "Reader= in keystrap.conf"));
    gateway_property(&gateway, "LastError", text, sizeof(text));
    assert_string_equal(text, "org.keystrap.Agent1.Error.ReaderAbsent");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_without_pcscd_and_finds_the_card_when_both_come),
        cmocka_unit_test(without_a_bus_it_ends_with_69_and_says_so),
        cmocka_unit_test(a_second_one_ends_with_69_and_leaves_the_first_alone),
        cmocka_unit_test(a_wrong_configuration_ends_it_with_78_and_its_line),
        cmocka_unit_test(a_wrong_command_line_ends_it_with_64),
        cmocka_unit_test(it_tells_its_version_and_its_options_without_a_gateway),
        cmocka_unit_test(it_ends_at_once_when_idle),
        cmocka_unit_test(it_ends_in_time_while_the_bsf_hangs_and_closes_the_channel),
        cmocka_unit_test(it_ends_in_time_while_the_card_is_silent),
        cmocka_unit_test(it_ends_in_time_while_a_transport_says_nothing),
        cmocka_unit_test(it_ends_in_time_without_a_card_and_without_pcscd),
        cmocka_unit_test(a_killed_one_leaves_no_program_behind),
        cmocka_unit_test(the_watchdog_is_fed_also_while_a_bootstrap_hangs),
        cmocka_unit_test(nobody_waits_because_another_caller_does),
        cmocka_unit_test(no_core_is_dumped_and_nobody_looks_into_it),
        cmocka_unit_test(only_keystrap_http_touches_the_network),
        cmocka_unit_test(a_reader_pattern_that_matches_none_is_named_with_a_remedy),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
