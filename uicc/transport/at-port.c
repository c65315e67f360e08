/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A modem's serial port.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "at-port.h"
#include "secret.h"
#include "util.h"

#define PROBE_USEC (USEC_PER_SEC)
#define PROBES     3u /* a modem that was in the middle of something ignores the first */

void at_answer_done(struct at_answer *answer) {
    secret_erase(answer, sizeof(*answer));
}

void at_port_close(struct at_port *port) {
    port->fd = safe_close(port->fd);
    at_reader_clear(&port->reader);
}

static bool wait_for(struct at_port *port, short events, uint64_t deadline) {
    struct pollfd fd = {.fd = port->fd, .events = events};
    int r;

    do {
        r = poll(&fd, 1, deadline_poll_msec(deadline));
    } while (r < 0 && errno == EINTR);
    return r > 0;
}

/* 0; -ETIMEDOUT; another errno where the port is gone. */
static int port_write(struct at_port *port, const char *text, size_t length, uint64_t deadline) {
    ssize_t n;

    while (length > 0) {
        n = write(port->fd, text, length);
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        } else if (!wait_for(port, POLLOUT, deadline)) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}

/* The next line; 0, -ETIMEDOUT, or another errno where the port is gone. */
static int port_read_line(struct at_port *port, uint64_t deadline) {
    uint8_t octet;
    ssize_t n;

    for (;;) {
        n = read(port->fd, &octet, 1);
        if (n == 1) {
            if (at_reader_feed(&port->reader, octet))
                return 0;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            return n == 0 ? -EPIPE : -errno;
        } else if (!wait_for(port, POLLIN, deadline)) {
            return -ETIMEDOUT;
        }
    }
}

static void take_line(const char *line, const char *name, bool bare, struct at_answer *ret) {
    const char *value = name ? at_value(line, name) : NULL;
    unsigned number;

    if (!value && bare && at_parse_number(line, &number))
        value = line;
    if (!value || ret->has_value)
        return;
    (void)snprintf(ret->value, sizeof(ret->value), "%s", value);
    ret->has_value = true;
}

void at_port_command(struct at_port *port, const char *command, const char *name, bool bare,
                     uint64_t deadline, struct at_answer *ret) {
    int r;

    memset(ret, 0, sizeof(*ret));
    r = port_write(port, command, strlen(command), deadline);
    if (r == 0)
        r = port_write(port, "\r", 1, deadline);
    for (unsigned lines = 0; r == 0 && ret->final == AT_FINAL_NONE && lines < AT_LINES_MAX;
         lines++) {
        r = port_read_line(port, deadline);
        if (r != 0)
            break;
        ret->final = at_final(port->reader.line, &ret->code);
        if (ret->final == AT_FINAL_NONE)
            take_line(port->reader.line, name, bare, ret);
    }
    ret->gone = r < 0 && r != -ETIMEDOUT;
    at_reader_clear(&port->reader);
}

/*
 * The question is one that no late answer can be the answer to: its echo, or its value, follows everything that came
 * before it.
 */
bool at_port_synchronise(struct at_port *port) {
    const uint64_t deadline = deadline_after(PROBE_USEC);
    struct at_answer answer;
    bool good;

    do {
        at_port_command(port, "AT+CMEE?", "+CMEE", false, deadline, &answer);
        good = answer.final == AT_FINAL_OK && answer.has_value;
    } while (!good && answer.final != AT_FINAL_NONE);
    at_answer_done(&answer);
    return good;
}

static int set_raw(int fd) {
    struct termios settings;

    if (tcgetattr(fd, &settings) < 0)
        return -errno;
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    (void)cfsetspeed(&settings, B115200); /* means nothing on USB */
    if (tcsetattr(fd, TCSANOW, &settings) < 0 || tcflush(fd, TCIOFLUSH) < 0)
        return -errno;
    return 0;
}

static int probe(struct at_port *port) {
    struct at_answer answer;

    for (unsigned i = 0; i < PROBES; i++) {
        at_port_command(port, "ATE0", NULL, false, deadline_after(PROBE_USEC), &answer);
        if (answer.gone)
            return -ENODEV;
        if (answer.final == AT_FINAL_OK)
            break;
    }
    if (answer.final != AT_FINAL_OK)
        return -ETIMEDOUT;
    at_port_command(port, "AT+CMEE=1", NULL, false, deadline_after(PROBE_USEC), &answer);
    return answer.gone ? -ENODEV : 0;
}

int at_port_open(struct at_port *port, const char *device) {
    int r;

    port->fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (port->fd < 0)
        return -errno;
    /* Two that talk at once on one line understand nothing; root gets past this, and ModemManager is root. */
    r = ioctl(port->fd, TIOCEXCL) < 0 ? -errno : set_raw(port->fd);
    if (r == 0)
        r = probe(port);
    if (r < 0)
        at_port_close(port);
    return r;
}
