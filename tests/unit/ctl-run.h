/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A run of keystrapctl as a user runs it, fed by the loop of the service that it asks.
 */

#include "service-world.h"

#include <jansson.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>

#define OUTPUT_MAX 16384

/* A run of the program, fed by the loop that serves it. */
struct run {
    pid_t pid;
    int out, err; /* read ends */
    char text[OUTPUT_MAX], errors[OUTPUT_MAX];
    size_t text_length, errors_length;
    bool ended;
    int status; /* the exit status, -1 for a signal */
};

static void take(int fd, char *to, size_t *length) {
    ssize_t n;

    while ((n = read(fd, to + *length, OUTPUT_MAX - 1 - *length)) > 0)
        *length += (size_t)n;
    to[*length] = '\0';
}

static bool has_ended(void *userdata) {
    struct run *run = userdata;
    int status;

    take(run->out, run->text, &run->text_length);
    take(run->err, run->errors, &run->errors_length);
    if (!run->ended && waitpid(run->pid, &status, WNOHANG) == run->pid) {
        run->ended = true;
        run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        take(run->out, run->text, &run->text_length);
        take(run->err, run->errors, &run->errors_length);
    }
    return run->ended;
}

/* @terminal: stdout is one */
UNUSED_IN_SOME static void start(struct run *run, bool terminal, const char *const *arguments) {
    char *argv[12] = {NULL};
    int out[2], err[2];
    size_t count = 0;

    memset(run, 0, sizeof(*run));
    argv[count] = strdup(KEYSTRAPCTL_PATH);
    while (*arguments && count < ELEMENTS(argv) - 2)
        argv[++count] = strdup(*arguments++);
    if (terminal)
        assert_return_code(openpty(&out[0], &out[1], NULL, NULL, NULL), errno);
    else
        assert_return_code(pipe2(out, O_CLOEXEC), errno);
    assert_return_code(pipe2(err, O_CLOEXEC), errno);
    run->pid = fork();
    assert_return_code(run->pid, errno);
    if (run->pid == 0) {
        if (dup2(out[1], STDOUT_FILENO) < 0 || dup2(err[1], STDERR_FILENO) < 0)
            _exit(127);
        (void)execv(KEYSTRAPCTL_PATH, argv);
        _exit(127);
    }
    (void)close(out[1]);
    (void)close(err[1]);
    run->out = out[0];
    run->err = err[0];
    (void)fcntl(run->out, F_SETFL, O_NONBLOCK);
    (void)fcntl(run->err, F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i <= count; i++)
        free(argv[i]);
}

UNUSED_IN_SOME static void finish(struct service_world *w, struct run *run) {
    assert_true(run_until(w->event, has_ended, run, PATIENCE_USEC));
    (void)close(run->out);
    (void)close(run->err);
}

#define RUN(w, run, terminal, ...)                                      \
    do {                                                                \
        start(run, terminal, (const char *const[]){__VA_ARGS__, NULL}); \
        finish(w, run);                                                 \
    } while (0)

UNUSED_IN_SOME static void assert_status(const struct run *run, int status) {
    if (run->status != status)
        fail_msg("exit status %d where %d was expected; stdout: %s; stderr: %s", run->status,
                 status, run->text, run->errors);
}
