/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The line between a test's modem and whoever opens it: a socket where a proxy would listen, or a pseudo-terminal,
 * which libraries and the real proxies open as they open a device.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Listen at the abstract name @name. */
static inline int modem_line_listen(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, name, strlen(name));
    assert_true(fd >= 0);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
        0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* A pseudo-terminal; the path of its other end to @ret. */
static inline int modem_line_pty(char *ret, size_t size) {
    struct termios settings;
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(grantpt(fd), 0);
    assert_int_equal(unlockpt(fd), 0);
    assert_int_equal(tcgetattr(fd, &settings), 0);
    cfmakeraw(&settings);
    assert_int_equal(tcsetattr(fd, TCSANOW, &settings), 0);
    assert_int_equal(ptsname_r(fd, ret, size), 0);
    return fd;
}

/* Exactly @length octets; false at the end, or when @stop becomes readable. A terminal that nobody has open waits. */
static inline bool modem_line_read(int fd, int stop, uint8_t *to, size_t length) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = stop, .events = POLLIN}};
    ssize_t n;

    while (length > 0) {
        if (poll(fds, 2, -1) < 0 || fds[1].revents)
            return false;
        n = read(fd, to, length);
        if (n > 0) {
            to += n;
            length -= (size_t)n;
        } else if (n < 0 && errno == EIO) {
            (void)poll(&fds[1], 1, 10);
        } else {
            return false;
        }
    }
    return true;
}

static inline void modem_line_write(int fd, const void *data, size_t length) {
    if (send(fd, data, length, MSG_NOSIGNAL) < 0 && errno == ENOTSOCK)
        (void)!write(fd, data, length);
}

/* The real proxy, at its place; it is there when this returns. */
static inline pid_t modem_line_proxy(const char *program, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    bool there = false;
    pid_t pid = fork();
    int fd;

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "--no-exit", NULL);
        _exit(127);
    }
    memcpy(address.sun_path + 1, name, strlen(name));
    for (int i = 0; !there && i < 2000; i++) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        there = connect(fd, (struct sockaddr *)&address, length) == 0;
        close(fd);
        (void)poll(NULL, 0, there ? 0 : 10);
    }
    assert_true(there);
    return pid;
}

static inline void modem_line_proxy_stop(pid_t pid) {
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}
