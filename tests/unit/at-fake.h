/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The least modem that has a serial port: a thread at the other end of a pseudo-terminal, which a link in a directory
 * of its own names, so that it may go and come back. It has the quirks of modems in the field on demand.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modem-line.h"

#define AT_FAKE_STATUS "8410a0000000871002ff44ffff89ffffffff9000"

struct at_fake {
    struct modem_line line;
    char directory[64];
    char link[96];

    /* set by the test */
    const char *pin; /* the answer to +CPIN?: "+CPIN: READY", or an error */
    bool echo;       /* in spite of ATE0 */
    bool narrow;     /* no space behind the colon, no quotes */
    bool chatty;     /* between any two lines something that nobody asked for */
    bool bare;       /* +CCHO answers with the number alone */
    bool without_ccho;
    bool silent;
    const char *cgla; /* the answer to +CGLA instead of the usual */
    const char *open_error;

    /* counted */
    unsigned sessions;
    char last[640]; /* the last command that reached the card */
};

static inline void at_fake_say(struct at_fake *fake, const char *line) {
    char text[1400];

    if (fake->chatty)
        (void)!write(fake->line.client, "\r\n+CREG: 1,\"00C3\",\"0123\"\r\n", 26);
    (void)snprintf(text, sizeof(text), "\r\n%s\r\n", line);
    (void)!write(fake->line.client, text, strlen(text));
}

static inline void at_fake_response(struct at_fake *fake, const char *name, const char *hex) {
    char line[700];

    (void)snprintf(line, sizeof(line), fake->narrow ? "%s:%zu,%s" : "%s: %zu,\"%s\"", name,
                   strlen(hex), hex);
    at_fake_say(fake, line);
    at_fake_say(fake, "OK");
}

static inline void at_fake_card(struct at_fake *fake, const char *name, const char *command) {
    const char *hex = strchr(command, '"');

    (void)snprintf(fake->last, sizeof(fake->last), "%s", command);
    if (fake->cgla && strcmp(name, "+CGLA") == 0) {
        at_fake_say(fake, fake->cgla);
        at_fake_say(fake, "OK");
    } else if (hex && strncmp(hex + 3, "f2", 2) == 0) {
        at_fake_response(fake, name, AT_FAKE_STATUS);
    } else if (hex && strncmp(hex + 1, "00700000", 8) == 0) {
        fake->sessions++;
        at_fake_response(fake, name, "029000");
    } else if (hex && strncmp(hex + 1, "00708002", 8) == 0) {
        fake->sessions--;
        at_fake_response(fake, name, "9000");
    } else {
        at_fake_response(fake, name, "CAFE9000");
    }
}

static inline void at_fake_ccho(struct at_fake *fake) {
    if (fake->without_ccho || fake->open_error) {
        at_fake_say(fake, fake->without_ccho ? "ERROR" : fake->open_error);
        return;
    }
    fake->sessions++;
    at_fake_say(fake, fake->bare ? "1" : "+CCHO: 1");
    at_fake_say(fake, "OK");
}

static inline void at_fake_command(struct at_fake *fake, const char *command) {
    if (fake->echo) {
        (void)!write(fake->line.client, command, strlen(command));
        (void)!write(fake->line.client, "\r", 1);
    }
    if (fake->silent)
        return;
    if (strncmp(command, "AT+CGLA=", 8) == 0) {
        at_fake_card(fake, "+CGLA", command);
    } else if (strncmp(command, "AT+CSIM=", 8) == 0) {
        at_fake_card(fake, "+CSIM", command);
    } else if (strncmp(command, "AT+CCHO=", 8) == 0) {
        at_fake_ccho(fake);
    } else if (strncmp(command, "AT+CCHC=", 8) == 0) {
        fake->sessions--;
        at_fake_say(fake, "OK");
    } else if (strcmp(command, "AT+CPIN?") == 0) {
        at_fake_say(fake, fake->pin);
        if (fake->pin[1] == 'C' && fake->pin[2] == 'P')
            at_fake_say(fake, "OK");
    } else if (strcmp(command, "AT+CMEE?") == 0) {
        at_fake_say(fake, "+CMEE: 1");
        at_fake_say(fake, "OK");
    } else {
        at_fake_say(fake, "OK");
    }
}

static inline void at_fake_serve(struct modem_line *line, int fd) {
    struct at_fake *fake = (struct at_fake *)line;
    char command[640];
    size_t length = 0;
    uint8_t octet;

    while (modem_line_read(fd, line->stop[0], &octet, 1)) {
        if (octet != '\r' && length + 1 < sizeof(command)) {
            command[length++] = (char)octet;
            continue;
        }
        command[length] = '\0';
        length = 0;
        pthread_mutex_lock(&line->lock);
        at_fake_command(fake, command);
        pthread_mutex_unlock(&line->lock);
    }
}

/* The modem is plugged in: its port appears. */
static inline void at_fake_plug(struct at_fake *fake) {
    char path[64];
    int fd = modem_line_pty(path, sizeof(path));

    assert_int_equal(symlink(path, fake->link), 0);
    modem_line_start(&fake->line, -1, fd);
}

static inline void at_fake_pull(struct at_fake *fake) {
    (void)unlink(fake->link);
    modem_line_stop(&fake->line);
}

static inline void at_fake_init(struct at_fake *fake) {
    const char *parent = getenv("TMPDIR");

    *fake = (struct at_fake){.line = MODEM_LINE_NONE, .pin = "+CPIN: READY"};
    fake->line.serve = at_fake_serve;
    (void)snprintf(fake->directory, sizeof(fake->directory), "%s/keystrap-at-XXXXXX",
                   parent ? parent : "/tmp");
    assert_non_null(mkdtemp(fake->directory));
    (void)snprintf(fake->link, sizeof(fake->link), "%s/modem", fake->directory);
}

static inline void at_fake_done(struct at_fake *fake) {
    (void)rmdir(fake->directory);
}
