/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sandbox of the transport programs bites, and lets through what libpcsclite needs.
 *
 * Each thing is tried by a program of its own, once inside the sandbox and once outside: what is refused inside
 * must work outside, else the refusal proves nothing. That the real uicc-pcsc is in there, the last test shows.
 */

#include <errno.h>
#include <limits.h>

#include "pcsc-world.h"

static int probe(const char *where, const char *action) {
    char path[PATH_MAX];
    int status;
    pid_t pid;

    world_program("tests/sandbox-probe", path);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(path, path, where, action, (char *)NULL);
        _exit(254);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_what_a_transport_needs_is_there(void **state) {
    (void)state;
    assert_int_equal(probe("in", "unix-socket"), 0);
    assert_int_equal(probe("in", "read-file"), 0);
    assert_int_equal(probe("in", "state"), 0);
}

static void test_what_it_does_not_need_is_refused(void **state) {
    static const char *const actions[] = {
        "inet-socket", "netlink-socket", "write-file",  "write-and-read-file",
        "create-file", "temporary-file", "remove-file", "exec",
        "fork",        "ptrace",         "kill",        "executable-memory",
        "dumpable",
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(actions); i++) {
        assert_int_equal(probe("out", actions[i]), 0);
        assert_int_equal(probe("in", actions[i]), EPERM);
    }
}

/* A program that opens a modem's device may write to what is there, and that is all that it may more. */
static void test_a_program_that_opens_devices_may_open_what_is_there(void **state) {
    static const char *const actions[] = {
        "inet-socket", "netlink-socket", "create-file", "temporary-file",    "remove-file",
        "exec",        "fork",           "ptrace",      "executable-memory", "dumpable",
    };

    (void)state;
    assert_int_equal(probe("devices", "write-and-read-file"), 0);
    assert_int_equal(probe("devices", "read-file"), 0);
    for (size_t i = 0; i < ELEMENTS(actions); i++) {
        assert_int_equal(probe("out", actions[i]), 0);
        assert_int_equal(probe("devices", actions[i]), EPERM);
    }
}

static void test_threads_start_and_are_in_it_too(void **state) {
    (void)state;
    assert_int_equal(probe("out", "thread"), 0);
    assert_int_equal(probe("in", "thread"), EPERM);
}

/* The line "NAME:\tVALUE" of the program's status. */
static long status_value(pid_t pid, const char *name) {
    char path[64], line[256];
    long value = -1;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtol(line + strlen(name) + 1, NULL, 10);
    fclose(f);
    return value;
}

static void test_uicc_pcsc_is_in_it_before_it_reads_the_first_message(void **state) {
    uint64_t deadline = deadline_after(WORLD_WAIT_USEC);
    struct world_plugin plugin;

    (void)state;
    /* It waits for HELLO, and nothing was sent yet. */
    world_plugin_start(&plugin, NULL, false);
    while (status_value(plugin.process.pid, "Seccomp") != 2) {
        assert_true(now_usec() < deadline);
        usleep(1000);
    }
    assert_int_equal(status_value(plugin.process.pid, "NoNewPrivs"), 1);
    plugin.process.fd = safe_close(plugin.process.fd);
    assert_int_equal(world_plugin_ended(&plugin), 0);
}

/* Without keystrapd's socket there is nothing to do for it, and it says so. */
static void test_uicc_pcsc_refuses_to_start_by_hand(void **state) {
    char path[PATH_MAX];
    int status;
    pid_t pid;

    (void)state;
    world_program("plugins/uicc-pcsc", path);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(KEYSTRAP_PLUGIN_FD);
        execl(path, path, (char *)NULL);
        _exit(254);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_transport_needs_is_there),
        cmocka_unit_test(test_what_it_does_not_need_is_refused),
        cmocka_unit_test(test_a_program_that_opens_devices_may_open_what_is_there),
        cmocka_unit_test(test_threads_start_and_are_in_it_too),
        cmocka_unit_test(test_uicc_pcsc_is_in_it_before_it_reads_the_first_message),
        cmocka_unit_test(test_uicc_pcsc_refuses_to_start_by_hand),
    };

    return cmocka_run_group_tests_name("pcsc-sandbox", tests, NULL, NULL);
}
