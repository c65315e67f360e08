/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket of the lab's programs: the asking side, for "keystrap-lab ctl" and for tests.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control.h"

static int64_t now_msec(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* Reads up to the newline, which becomes the end of the string. */
static int read_line(int fd, int64_t deadline, char *line, size_t size) {
    size_t length = 0;

    while (length < size) {
        int64_t left = deadline - now_msec();
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        char *newline;
        ssize_t n;

        if (left <= 0)
            return -ETIMEDOUT;
        if (poll(&poll_fd, 1, (int)left) <= 0)
            continue;
        n = recv(fd, line + length, size - length, 0);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EPROTO;
        if (n < 0)
            continue;
        newline = memchr(line + length, '\n', (size_t)n);
        if (newline) {
            *newline = '\0';
            return 0;
        }
        length += (size_t)n;
    }
    return -EPROTO;
}

static int judge(const char *line, char *ret_answer, size_t size) {
    if (strcmp(line, "ok") != 0 && strncmp(line, "ok ", 3) != 0 && strcmp(line, "error") != 0 &&
        strncmp(line, "error ", 6) != 0)
        return -EPROTO;
    if (strlen(line) >= size)
        return -EMSGSIZE;
    strcpy(ret_answer, line);
    return line[0] == 'e' ? 1 : 0;
}

int control_ask(const char *path, const char *line, int timeout_msec, char *ret_answer,
                size_t size) {
    char text[CONTROL_LINE_MAX + 1];
    int64_t deadline = now_msec() + timeout_msec;
    int fd, length, r;

    length = snprintf(text, sizeof(text), "%s\n", line);
    if (length > CONTROL_LINE_MAX)
        return -EMSGSIZE;
    fd = connect_to(path);
    if (fd < 0)
        return fd;
    if (send(fd, text, (size_t)length, MSG_NOSIGNAL) != length)
        r = -EPIPE;
    else
        r = read_line(fd, deadline, text, CONTROL_LINE_MAX);
    close(fd);
    return r < 0 ? r : judge(text, ret_answer, size);
}
