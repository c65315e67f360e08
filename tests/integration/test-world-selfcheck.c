/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The world keeps its promises: private in every direction, two at once, and nothing left behind however it ends.
 *
 * The other integration tests rest on these, so they are proved from outside, where a world must leave no trace.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lab/world-test.h"
#include "util.h"

static void sleeper(struct world *world, uid_t uid) {
    const char *const argv[] = {"sleep", "1000", NULL};

    assert_non_null(world_start_as(world, uid, argv));
}

/* The inode that a process's namespace of a kind is known by. */
static ino_t namespace_of(pid_t pid, const char *kind) {
    struct stat st;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

/* Every directory that a test may write to is a tmpfs of the world's own; /proc shows the world's processes alone. */
static void the_world_is_furnished_as_a_gateway(void **state) {
    static const char *const fresh[] = {"/etc/keystrap", "/var/lib/keystrap", "/run/keystrap",
                                        "/run/dbus", "/run/pcscd"};
    struct world *world = *state;
    struct stat root, st;

    assert_int_equal(stat("/usr", &root), 0);
    for (size_t i = 0; i < ELEMENTS(fresh); i++) {
        assert_int_equal(stat(fresh[i], &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_true(st.st_dev != root.st_dev);
    }
    assert_int_equal(stat("/var/lib/keystrap", &st), 0);
    assert_int_equal(st.st_uid, WORLD_USER_KEYSTRAP);
    assert_non_null(getpwnam("root"));
    assert_int_equal(getpwnam("meter")->pw_uid, WORLD_USER_METER);
    assert_int_equal(getpwuid(WORLD_USER_KEYSTRAP)->pw_gid, WORLD_USER_KEYSTRAP);
    assert_int_equal(access("/etc/ssl", F_OK), access("/run/world/host/etc/ssl", F_OK));
    assert_true(getpid() < 10);
    assert_true(world_outer_pid(world) > 0);
}

/* A connection to ourselves works, and /proc/net/dev knows no device but lo that could lead anywhere. */
static void loopback_works_and_nothing_leads_out(void **state) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    _cleanup_close_ int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int away = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(address);

    (void)state;
    assert_int_equal(bind(server, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server, 1), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, length), 0);
    address.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, for documentation */
    assert_int_equal(connect(away, (struct sockaddr *)&address, length), -1);
    assert_int_equal(errno, ENETUNREACH);
}

/* What a process may do is decided by who it is: the uid, the gid, no group of root's left over. */
static void a_process_runs_as_who_it_is_started_as(void **state) {
    const char *const argv[] = {"id", NULL};
    char text[256];

    assert_int_equal(world_call_as(*state, WORLD_USER_METER, argv, text, sizeof(text)), 0);
    assert_string_equal(text, "uid=60101(meter) gid=60101(meter) groups=60101(meter)\n");
    assert_int_equal(world_call_as(*state, WORLD_USER_ROOT, argv, text, sizeof(text)), 0);
    assert_string_equal(text, "uid=0(root) gid=0(root) groups=0(root)\n");
}

static void exit_status_and_both_outputs_are_kept(void **state) {
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 7", NULL};
    _cleanup_free_ char *errors = NULL;
    char text[64];

    assert_int_equal(world_call_as(*state, WORLD_USER_ROOT, argv, text, sizeof(text)), 7);
    assert_string_equal(text, "out\n");
    errors = world_errors(world_last(*state));
    assert_string_equal(errors, "err\n");
}

static void a_program_that_is_not_there_is_an_error_at_once(void **state) {
    const char *const argv[] = {"/nonexistent/program", NULL};

    assert_null(world_start_as(*state, WORLD_USER_ROOT, argv));
}

static void a_line_is_awaited_not_slept_for(void **state) {
    const char *const argv[] = {
        "sh", "-c", "read -r x </dev/null; echo one; echo ready 42; exec sleep 1000", NULL};
    const char *const quiet[] = {"sh", "-c", "echo partial >&2; exit 0", NULL};
    struct world_process *process;
    _cleanup_free_ char *line = NULL;

    process = world_start_as(*state, WORLD_USER_ROOT, argv);
    assert_int_equal(world_wait_output(process, "ready", WORLD_WAIT_MSEC, &line), 0);
    assert_string_equal(line, "ready 42");
    assert_int_equal(world_wait_output(process, "never", 20, NULL), -ETIMEDOUT);
    assert_int_equal(world_stop(process), 128 + SIGTERM);
    process = world_start_as(*state, WORLD_USER_ROOT, quiet);
    assert_int_equal(world_wait_output(process, "ready", WORLD_WAIT_MSEC, NULL), -ECHILD);
}

/* Lines come in order and each is found once, so that a second READY=1 is told from the first. */
static void notifications_are_taken_in_order(void **state) {
    static const char script[] =
        "import os,socket\n"
        "s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.connect(os.environ['NOTIFY_SOCKET'])\n"
        "s.send(b'STATUS=a\\nREADY=1');s.send(b'RELOADING=1');s.send(b'READY=1\\nSTATUS=b\\n')\n";
    const char *const argv[] = {"/usr/bin/python3", "-c", script, NULL};
    struct world_process *process;
    _cleanup_free_ char *line = NULL;

    process = world_spawn(
        *state, &(struct world_spawn){.argv = argv, .uid = WORLD_USER_KEYSTRAP, .notify = true});
    assert_non_null(process);
    assert_int_equal(world_wait_notify(process, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_wait_notify(process, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_wait_notify(process, "STATUS=", WORLD_WAIT_MSEC, &line), 0);
    assert_string_equal(line, "STATUS=b");
    assert_int_equal(world_wait_notify(process, "READY=1", WORLD_WAIT_MSEC, NULL), -ECHILD);
}

static void a_signal_reaches_the_process(void **state) {
    const char *const argv[] = {
        "sh", "-c", "trap 'echo got it; exit 3' HUP; echo ready; while :; do sleep 0.02; done",
        NULL};
    struct world_process *process = world_start_as(*state, WORLD_USER_METER, argv);

    assert_int_equal(world_wait_output(process, "ready", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_signal(process, SIGHUP), 0);
    assert_int_equal(world_wait(process, WORLD_WAIT_MSEC), 0);
    assert_int_equal(world_exit_code(process), 3);
    assert_int_equal(world_signal(process, SIGHUP), -ESRCH);
}

/* The real bus and the real pcscd come up at their usual places, for anybody, and pcscd comes up again. */
static void bus_and_pcscd_are_where_clients_look(void **state) {
    const char *const busctl[] = {
        "busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", NULL};
    const char *const readers[] = {"opensc-tool", "-l", NULL};
    struct world_process *pcscd;
    char text[1024];

    assert_non_null(world_start_bus(*state));
    assert_int_equal(world_call_as(*state, WORLD_USER_METER, busctl, text, sizeof(text)), 0);
    assert_int_equal(strncmp(text, "s \"", 3), 0);
    for (int i = 0; i < 2; i++) {
        pcscd = world_start_pcscd(*state);
        assert_non_null(pcscd);
        assert_int_equal(world_call_as(*state, WORLD_USER_METER, readers, text, sizeof(text)), 0);
        assert_non_null(strstr(text, "Virtual PCD 00 00"));
        (void)world_signal(pcscd, SIGKILL);
        assert_int_equal(world_wait(pcscd, WORLD_WAIT_MSEC), 0);
    }
}

/* ---- from outside ---- */

struct outside {
    int tell;           /* the body writes its world's outer pid here */
    const char *marker; /* and makes this file in its /run */
    bool linger;
};

static int body_tells(struct world *world, void *userdata) {
    struct outside *outside = userdata;
    pid_t pid = world_outer_pid(world);
    _cleanup_close_ int fd = open(outside->marker, O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0)
        return 1;
    sleeper(world, WORLD_USER_METER);
    sleeper(world, WORLD_USER_ROOT);
    if (write(outside->tell, &pid, sizeof(pid)) != sizeof(pid))
        return 1;
    if (outside->linger)
        (void)poll(NULL, 0, -1);
    return 0;
}

/* Whether any process of the machine is in the PID namespace with inode @ns. */
static bool anybody_in(ino_t ns) {
    DIR *proc = opendir("/proc");
    bool found = false;

    assert_non_null(proc);
    for (struct dirent *entry; (entry = readdir(proc));) {
        char path[300];
        struct stat st;

        (void)snprintf(path, sizeof(path), "/proc/%s/ns/pid", entry->d_name);
        found = found || (stat(path, &st) == 0 && st.st_ino == ns);
    }
    (void)closedir(proc);
    return found;
}

static pid_t run_in_child(struct outside *outside) {
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(world_run(body_tells, outside));
    return pid;
}

static void killing_the_runner_leaves_nothing_behind(void **state) {
    struct outside outside = {.marker = "/run/world/scratch/marker", .linger = true};
    int ends[2], status;
    pid_t runner, first;
    ino_t ns;
    struct pollfd fd = {.events = POLLIN};

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    outside.tell = ends[1];
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    runner = run_in_child(&outside);
    assert_int_equal(read(ends[0], &first, sizeof(first)), sizeof(first));
    ns = namespace_of(first, "pid");
    assert_true(anybody_in(ns));
    fd.fd = pidfd_open(first, 0);
    assert_true(fd.fd >= 0);

    assert_int_equal(kill(runner, SIGKILL), 0);
    assert_int_equal(waitpid(runner, &status, 0), runner);
    assert_int_equal(poll(&fd, 1, WORLD_WAIT_MSEC), 1);
    /* Its end is told after the kernel has ended all others of the namespace; what it leaves to reap is ours. */
    while (waitpid(-1, &status, 0) > 0)
        continue;
    assert_false(anybody_in(ns));
    assert_int_equal(access(outside.marker, F_OK), -1);
    (void)close(fd.fd);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void two_worlds_at_once_do_not_meet(void **state) {
    struct outside outside = {.marker = "/run/world/scratch/marker", .linger = true};
    static const char *const kinds[] = {"pid", "mnt", "net", "ipc"};
    pid_t runners[2], firsts[2];
    int ends[2], status;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    outside.tell = ends[1];
    for (int i = 0; i < 2; i++) {
        /* The same file in the same place, made with O_EXCL: it would fail if the two shared /run. */
        runners[i] = run_in_child(&outside);
        assert_int_equal(read(ends[0], &firsts[i], sizeof(pid_t)), sizeof(pid_t));
    }
    for (size_t k = 0; k < ELEMENTS(kinds); k++) {
        ino_t ours = namespace_of(getpid(), kinds[k]);

        assert_true(ours != namespace_of(firsts[0], kinds[k]));
        assert_true(ours != namespace_of(firsts[1], kinds[k]));
        assert_true(namespace_of(firsts[0], kinds[k]) != namespace_of(firsts[1], kinds[k]));
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kill(runners[i], SIGKILL), 0);
        assert_int_equal(waitpid(runners[i], &status, 0), runners[i]);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int body_returns(struct world *world, void *userdata) {
    (void)world;
    return *(int *)userdata;
}

static int body_sanitizer(struct world *world, void *userdata) {
    const char *const argv[] = {"sh", "-c", "exit 86", NULL};

    (void)userdata;
    (void)world_call_as(world, WORLD_USER_ROOT, argv, NULL, 0);
    return 0;
}

static int body_crashes(struct world *world, void *userdata) {
    (void)world;
    (void)userdata;
    (void)signal(SIGKILL, SIG_DFL);
    return raise(SIGKILL);
}

static void the_verdict_is_the_bodys(void **state) {
    int verdict = 42;

    (void)state;
    assert_int_equal(world_run(body_returns, &verdict), 42);
    verdict = 0;
    assert_int_equal(world_run(body_returns, &verdict), 0);
    assert_int_equal(world_run(body_crashes, NULL), 126);
    assert_int_equal(world_run(body_sanitizer, NULL), 1);
}

/* Directories of the machine that the world has its own of are as they were. */
static void the_machine_outside_is_not_changed(void **state) {
    struct outside outside = {.marker = "/etc/keystrap/marker"};
    int ends[2], had = access("/etc/keystrap", F_OK);
    struct stat before, after;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    outside.tell = ends[1];
    assert_int_equal(stat("/etc/passwd", &before), 0);
    assert_int_equal(world_run(body_tells, &outside), 0);
    assert_int_equal(stat("/etc/passwd", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtime, after.st_mtime);
    assert_int_equal(access("/etc/keystrap", F_OK), had);
    assert_int_equal(access(outside.marker, F_OK), -1);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void) {
    const struct CMUnitTest within[] = {
        cmocka_unit_test(the_world_is_furnished_as_a_gateway),
        cmocka_unit_test(loopback_works_and_nothing_leads_out),
        cmocka_unit_test(a_process_runs_as_who_it_is_started_as),
        cmocka_unit_test(exit_status_and_both_outputs_are_kept),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error_at_once),
        cmocka_unit_test(a_line_is_awaited_not_slept_for),
        cmocka_unit_test(notifications_are_taken_in_order),
        cmocka_unit_test(a_signal_reaches_the_process),
        cmocka_unit_test(bus_and_pcscd_are_where_clients_look),
    };
    const struct CMUnitTest outside[] = {
        cmocka_unit_test(killing_the_runner_leaves_nothing_behind),
        cmocka_unit_test(two_worlds_at_once_do_not_meet),
        cmocka_unit_test(the_verdict_is_the_bodys),
        cmocka_unit_test(the_machine_outside_is_not_changed),
    };
    int r = world_test_main(within, ELEMENTS(within));

    if (r == WORLD_SKIPPED)
        return r;
    return cmocka_run_group_tests(outside, NULL, NULL) ? 1 : r;
}
