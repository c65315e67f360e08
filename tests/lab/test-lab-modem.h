/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of the lab's modems share: a modem as a process of its own, reached as a client of its proxy or by its
 * terminal, and its control socket.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "control.h"
#include "hex.h"

enum { PATIENCE_MSEC = 20000, SCENE_ARGS_MAX = 24 };

struct scene {
    char directory[64], control[96], device[96], state[96], name[64];
    pid_t pid;
    int ready_fd; /* the modem's stdout */
    int fd;       /* the line to it */
};

static inline void wait_readable(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MSEC), 1);
}

static inline int scene_setup(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    strcpy(scene->directory, "/tmp/lab-modem-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    snprintf(scene->control, sizeof(scene->control), "%s/control", scene->directory);
    snprintf(scene->device, sizeof(scene->device), "%s/device", scene->directory);
    snprintf(scene->state, sizeof(scene->state), "%s/state", scene->directory);
    snprintf(scene->name, sizeof(scene->name), "%s", scene->directory + 1);
    scene->ready_fd = scene->fd = -1;
    *state = scene;
    return 0;
}

/* Ends the modem; its exit code. */
static inline int scene_stop(struct scene *scene) {
    int status = 0;

    if (scene->pid <= 0)
        return 0;
    if (scene->fd >= 0)
        close(scene->fd);
    kill(scene->pid, SIGTERM);
    assert_int_equal(waitpid(scene->pid, &status, 0), scene->pid);
    close(scene->ready_fd);
    scene->pid = 0;
    scene->fd = scene->ready_fd = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int scene_teardown(void **state) {
    struct scene *scene = *state;
    int code = scene_stop(scene);

    (void)unlink(scene->state);
    (void)unlink(scene->device);
    (void)unlink(scene->control);
    (void)rmdir(scene->directory);
    free(scene);
    return code;
}

/* The modem has said "ready". */
static inline void scene_await_ready(struct scene *scene) {
    char line[6];
    size_t have = 0;

    while (have < sizeof(line)) {
        ssize_t n;

        wait_readable(scene->ready_fd);
        n = read(scene->ready_fd, line + have, sizeof(line) - have);
        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_memory_equal(line, "ready\n", sizeof(line));
}

static inline void scene_exec(const char *const *argv, int output) {
    union {
        const char *const *in;
        char *const *out;
    } cast = {.in = argv};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(output, STDOUT_FILENO) >= 0)
        execv(argv[0], cast.out);
    _exit(127);
}

/* "keystrap-lab COMMAND" with the card of "gateway", by DEVICE or by the name of a proxy; EXTRA ends with NULL, or is NULL. */
static inline void scene_start(struct scene *scene, const char *command, bool device,
                               const char *const *extra) {
    const char *argv[SCENE_ARGS_MAX + 1] = {KEYSTRAP_LAB,
                                            command,
                                            "--subscribers",
                                            LAB_CONF,
                                            "--subscriber",
                                            "gateway",
                                            "--control",
                                            scene->control,
                                            device ? "--device" : "--listen",
                                            device ? scene->device : scene->name};
    size_t count = 10;
    int output[2];

    for (; extra && *extra && count < SCENE_ARGS_MAX; extra++)
        argv[count++] = *extra;
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    scene->pid = fork();
    assert_true(scene->pid >= 0);
    if (scene->pid == 0)
        scene_exec(argv, output[1]);
    close(output[1]);
    scene->ready_fd = output[0];
    scene_await_ready(scene);
}

/* Connects as a client of the proxy does. */
static inline int scene_connect(const struct scene *scene) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(scene->name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, scene->name, length);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)),
                     0);
    return fd;
}

/* Says LINE to the control socket, which must answer "ok" and, where EXPECTED is not NULL, just that behind it. */
static inline void scene_ctl(const struct scene *scene, const char *line, const char *expected) {
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(control_ask(scene->control, line, PATIENCE_MSEC, answer, sizeof(answer)), 0);
    assert_memory_equal(answer, "ok", 2);
    if (expected)
        assert_string_equal(answer + 3, expected);
}

/* Octets that must arrive, whole. */
static inline void scene_read(int fd, uint8_t *to, size_t length) {
    while (length > 0) {
        ssize_t n;

        wait_readable(fd);
        n = read(fd, to, length);
        assert_true(n > 0);
        to += n;
        length -= (size_t)n;
    }
}
