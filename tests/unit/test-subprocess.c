/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a program that keystrapd starts finds around it. The program is this test itself, which looks
 * around and says what it sees over its socket.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "subprocess.h"
#include "util.h"

#define PROGRAM_FD 3
#define SELF       "/proc/self/exe"

/* --- The program ------------------------------------------------------------------------------- */

static _Noreturn void say(const char *text) {
    (void)send(PROGRAM_FD, text, strlen(text), MSG_NOSIGNAL);
    exit(0);
}

/* Descriptors other than stdin, stdout, stderr and the socket; and whether 0 and 1 are /dev/null. */
static void say_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    struct stat null, in, out;
    struct dirent *entry;
    unsigned others = 0;
    char text[64];

    while (directory && (entry = readdir(directory))) {
        int fd = atoi(entry->d_name);

        if (fd > PROGRAM_FD && fd != dirfd(directory))
            others++;
    }
    if (!directory || stat("/dev/null", &null) < 0 || fstat(0, &in) < 0 || fstat(1, &out) < 0)
        say("error");
    (void)closedir(directory);
    (void)snprintf(text, sizeof(text), "others=%u null=%d%d", others, in.st_rdev == null.st_rdev,
                   out.st_rdev == null.st_rdev);
    say(text);
}

static void say_environment(char **environment) {
    char text[4096] = "";

    for (; *environment; environment++) {
        strncat(text, *environment, 1000);
        strcat(text, "\n");
    }
    say(text);
}

static void say_signals(void) {
    struct sigaction action;
    unsigned other = 0, blocked = 0;
    sigset_t mask;
    char text[64];
    int death = 0;

    (void)sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < 32; number++) {
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            other++;
        blocked += (unsigned)sigismember(&mask, number);
    }
    (void)prctl(PR_GET_PDEATHSIG, &death);
    (void)snprintf(text, sizeof(text), "ignored=%u blocked=%u death=%d", other, blocked, death);
    say(text);
}

static void be_program(char **argv, char **environment) {
    const char *what = argv[1];
    char octet;

    if (strcmp(what, "descriptors") == 0)
        say_descriptors();
    if (strcmp(what, "environment") == 0)
        say_environment(environment);
    if (strcmp(what, "signals") == 0)
        say_signals();
    if (strcmp(what, "name") == 0)
        say(argv[0]);
    if (strcmp(what, "exit-7") == 0)
        exit(7);
    if (strcmp(what, "until-closed") == 0)
        exit(recv(PROGRAM_FD, &octet, 1, 0) == 0 ? 5 : 6);
    if (strcmp(what, "stubborn") == 0) {
        (void)send(PROGRAM_FD, "up", 2, 0);
        for (;;)
            (void)pause();
    }
}

/* --- The tests --------------------------------------------------------------------------------- */

static void start(const char *what, struct subprocess *process) {
    char name[] = "looker", argument[32];
    char *const argv[] = {name, argument, NULL};

    (void)snprintf(argument, sizeof(argument), "%s", what);
    assert_int_equal(subprocess_spawn(SELF, argv, process), 0);
    assert_true(process->pid > 0);
    assert_true(process->pidfd >= 0);
    assert_true(process->fd >= 0);
}

/* What the program says of @what. */
static void ask(const char *what, char *ret, size_t size) {
    struct subprocess process;
    ssize_t n;

    start(what, &process);
    n = recv(process.fd, ret, size - 1, 0);
    assert_true(n > 0);
    ret[n] = '\0';
    assert_int_equal(subprocess_stop(&process, 20 * USEC_PER_SEC), 0);
}

static void test_a_program_gets_its_socket_and_no_other_descriptor(void **state) {
    int inherited = dup(STDERR_FILENO), high = fcntl(STDERR_FILENO, F_DUPFD, 200);
    char text[256];

    (void)state;
    assert_true(inherited >= 0 && high >= 0);
    ask("descriptors", text, sizeof(text));
    assert_string_equal(text, "others=0 null=11");
    (void)close(inherited);
    (void)close(high);
}

static void test_a_program_gets_the_environment_that_is_promised(void **state) {
    char text[4096];

    (void)state;
    assert_int_equal(setenv("LD_PRELOAD_SECRET", "leaked", 1), 0);
    assert_int_equal(setenv("http_proxy", "leaked", 1), 0);
    assert_int_equal(setenv("PCSCLITE_CSOCK_NAME", "/run/other", 1), 0);
    ask("environment", text, sizeof(text));
    assert_null(strstr(text, "leaked"));
    assert_non_null(strstr(text, "PATH="));
    assert_non_null(strstr(text, "PCSCLITE_CSOCK_NAME=/run/other\n"));
    (void)unsetenv("LD_PRELOAD_SECRET");
    (void)unsetenv("http_proxy");
    (void)unsetenv("PCSCLITE_CSOCK_NAME");
}

static void test_a_program_starts_with_default_signals_and_dies_with_us(void **state) {
    char text[256], expected[64];
    sigset_t set, saved, after;

    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &saved), 0);
    ask("signals", text, sizeof(text));
    (void)snprintf(expected, sizeof(expected), "ignored=0 blocked=0 death=%d", SIGKILL);
    assert_string_equal(text, expected);

    /* And ours are as they were. */
    assert_int_equal(sigprocmask(SIG_SETMASK, &saved, &after), 0);
    assert_int_equal(sigismember(&after, SIGTERM), 1);
    assert_int_equal(sigismember(&after, SIGINT), 0);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
}

static void test_a_program_gets_its_arguments(void **state) {
    char text[256];

    (void)state;
    ask("name", text, sizeof(text));
    assert_string_equal(text, "looker");
}

static void test_a_program_that_cannot_be_executed_is_known_at_once(void **state) {
    struct subprocess process = {.pid = 77, .pidfd = 78, .fd = 79};
    char name[] = "x";
    char *const argv[] = {name, NULL};

    (void)state;
    assert_int_equal(subprocess_spawn("/nonexistent/program", argv, &process), -ENOENT);
    assert_int_equal(subprocess_spawn("/dev/null", argv, &process), -EACCES);
    assert_int_equal(subprocess_spawn("/", argv, &process), -EACCES);
    assert_int_equal(process.pid, 77);
    assert_int_equal(process.pidfd, 78);
    assert_int_equal(process.fd, 79);

    /* No zombie is left. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_starting_programs_leaks_no_descriptor(void **state) {
    int before = dup(STDERR_FILENO), after;
    char text[256];

    (void)state;
    (void)close(before);
    for (int i = 0; i < 5; i++) {
        struct subprocess process;
        char name[] = "x";
        char *const argv[] = {name, NULL};

        ask("name", text, sizeof(text));
        assert_int_equal(subprocess_spawn("/nonexistent/program", argv, &process), -ENOENT);
    }
    after = dup(STDERR_FILENO);
    assert_int_equal(after, before);
    (void)close(after);
}

static void test_a_stopped_program_tells_how_it_ended(void **state) {
    struct subprocess process;

    (void)state;
    start("exit-7", &process);
    assert_int_equal(subprocess_stop(&process, 20 * USEC_PER_SEC), 7);
    assert_int_equal(process.pid, 0);
    assert_int_equal(process.pidfd, -1);
    assert_int_equal(process.fd, -1);
    assert_int_equal(subprocess_stop(&process, 0), 0);
}

static void test_a_program_ends_by_itself_within_the_grace(void **state) {
    struct subprocess process;

    (void)state;
    start("until-closed", &process);
    assert_int_equal(subprocess_stop(&process, 20 * USEC_PER_SEC), 5);
}

static void test_a_stubborn_program_is_killed(void **state) {
    struct subprocess process;
    uint64_t begin;
    char text[8];

    (void)state;
    start("stubborn", &process);
    assert_int_equal(recv(process.fd, text, sizeof(text), 0), 2);
    begin = now_usec();
    assert_int_equal(subprocess_stop(&process, 10 * USEC_PER_MSEC), 256 + SIGKILL);
    assert_true(now_usec() - begin >= 10 * USEC_PER_MSEC);
    assert_true(now_usec() - begin < 10 * USEC_PER_SEC);
}

static void test_the_pidfd_tells_that_a_program_ended(void **state) {
    struct subprocess process;
    struct pollfd fds;

    (void)state;
    start("stubborn", &process);
    fds = (struct pollfd){.fd = process.pidfd, .events = POLLIN};
    assert_int_equal(poll(&fds, 1, 0), 0);
    assert_int_equal(kill(process.pid, SIGTERM), 0);
    assert_int_equal(poll(&fds, 1, 20000), 1);
    assert_int_equal(subprocess_stop(&process, 0), 256 + SIGTERM);
}

/* The process in the middle starts the program, tells its number and dies. */
static void test_a_program_dies_with_the_process_that_started_it(void **state) {
    struct subprocess process;
    char text[8];
    int fds[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        start("stubborn", &process);
        if (recv(process.fd, text, sizeof(text), 0) != 2)
            _exit(1);
        (void)!write(fds[1], &process.pid, sizeof(process.pid));
        (void)kill(getpid(), SIGKILL);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &process.pid, sizeof(process.pid)), sizeof(process.pid));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));

    /* The orphan is nobody's child of ours: poll for its end, with a deadline. */
    for (uint64_t deadline = deadline_after(20 * USEC_PER_SEC); now_usec() < deadline;) {
        char path[64], state_line[256] = "";
        _cleanup_fclose_ FILE *file = NULL;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)process.pid);
        file = fopen(path, "re");
        if (!file || !fgets(state_line, sizeof(state_line), file) || strstr(state_line, ") Z ")) {
            (void)close(fds[0]);
            return;
        }
        (void)poll(NULL, 0, 1);
    }
    fail_msg("the program outlived its parent");
}

int main(int argc, char **argv, char **environment) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_gets_its_socket_and_no_other_descriptor),
        cmocka_unit_test(test_a_program_gets_the_environment_that_is_promised),
        cmocka_unit_test(test_a_program_starts_with_default_signals_and_dies_with_us),
        cmocka_unit_test(test_a_program_gets_its_arguments),
        cmocka_unit_test(test_a_program_that_cannot_be_executed_is_known_at_once),
        cmocka_unit_test(test_starting_programs_leaks_no_descriptor),
        cmocka_unit_test(test_a_stopped_program_tells_how_it_ended),
        cmocka_unit_test(test_a_program_ends_by_itself_within_the_grace),
        cmocka_unit_test(test_a_stubborn_program_is_killed),
        cmocka_unit_test(test_the_pidfd_tells_that_a_program_ended),
        cmocka_unit_test(test_a_program_dies_with_the_process_that_started_it),
    };

    if (argc == 2)
        be_program(argv, environment);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
