/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The line between a test's modem and whoever opens it: a socket where a proxy would listen, or a pseudo-terminal,
 * which libraries and the real proxies open as they open a device. The modem is a thread; its struct has the line as the
 * first member, and what the test sets and counts behind it.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
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

struct modem_line {
    int listener; /* -1 where it is a device */
    int stop[2];  /* a pipe that ends the thread */
    int client;   /* -1 when nobody is connected */
    void (*serve)(struct modem_line *line,
                  int fd); /* whoever is at the other end, until he leaves */
    pthread_t thread;
    pthread_mutex_t lock; /* guards client, and what is behind the line */
};

#define MODEM_LINE_NONE \
    ((struct modem_line){.listener = -1, .client = -1, .lock = PTHREAD_MUTEX_INITIALIZER})

/* Listen at the abstract name @name. */
static inline int modem_line_listen(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, name, strlen(name));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
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

static inline void modem_line_set_client(struct modem_line *line, int client) {
    pthread_mutex_lock(&line->lock);
    line->client = client;
    pthread_mutex_unlock(&line->lock);
}

static inline void *modem_line_thread(void *argument) {
    struct modem_line *line = argument;
    int fd;

    if (line->listener < 0)
        line->serve(line, line->client);
    while (line->listener >= 0 && (fd = accept(line->listener, NULL, NULL)) >= 0) {
        modem_line_set_client(line, fd);
        line->serve(line, fd);
        modem_line_set_client(line, -1);
        close(fd);
    }
    return NULL;
}

/* Serve who comes to @listener, or the one device @client; the other is -1. */
static inline void modem_line_start(struct modem_line *line, int listener, int client) {
    line->listener = listener;
    line->client = client;
    assert_int_equal(pipe2(line->stop, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&line->thread, NULL, modem_line_thread, line), 0);
}

/* As a modem that is pulled: the connection breaks, and nobody listens any more. */
static inline void modem_line_stop(struct modem_line *line) {
    if (line->listener >= 0)
        shutdown(line->listener, SHUT_RDWR);
    (void)!write(line->stop[1], "", 1);
    pthread_join(line->thread, NULL);
    if (line->listener >= 0)
        close(line->listener);
    else
        close(line->client);
    close(line->stop[0]);
    close(line->stop[1]);
}

/* Something of a modem that was set, read or counted. */
#define modem_fake_get(fake, what)                      \
    ({                                                  \
        pthread_mutex_lock(&(fake)->line.lock);         \
        __typeof__((fake)->what) _value = (fake)->what; \
        pthread_mutex_unlock(&(fake)->line.lock);       \
        _value;                                         \
    })
#define modem_fake_set(fake, what, value)         \
    do {                                          \
        pthread_mutex_lock(&(fake)->line.lock);   \
        (fake)->what = (value);                   \
        pthread_mutex_unlock(&(fake)->line.lock); \
    } while (0)

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
