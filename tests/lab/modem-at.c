/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab at-modem: a serial port with the commands of TS 27.007 that have to do with the card.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "modem.h"

enum { LINE_MAX_ = 700, CME_NO_SIM = 10, CME_NO_CHANNEL = 20, CME_NOT_FOUND = 22 };

__attribute__((format(printf, 3, 4))) static void
say(struct modem *modem, struct modem_client *client, const char *format, ...) {
    char line[LINE_MAX_];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t)n < sizeof(line)) {
        modem_send(modem, client, "\r\n", 2);
        modem_send(modem, client, line, (size_t)n);
        modem_send(modem, client, "\r\n", 2);
    }
    explicit_bzero(line, sizeof(line));
}

/* "N,\"HEX\"", as +CSIM and the rest of +CGLA have it. */
static bool parse_command(const char *text, uint8_t ret[CARD_COMMAND_MAX], size_t *ret_length) {
    char hex[2 * CARD_COMMAND_MAX + 1], *rest;
    unsigned long announced = strtoul(text, &rest, 10);
    size_t length;

    if (*rest != ',' || rest[1] != '"')
        return false;
    rest += 2;
    length = strcspn(rest, "\"");
    if (rest[length] != '"' || length != announced || length >= sizeof(hex))
        return false;
    memcpy(hex, rest, length);
    hex[length] = '\0';
    return hex_decode(hex, ret, CARD_COMMAND_MAX, ret_length) == 0;
}

static void exchange(struct modem *modem, struct modem_client *client, const char *name,
                     unsigned channel, const char *text) {
    uint8_t command[CARD_COMMAND_MAX], reply[CARD_REPLY_MAX];
    char hex[2 * CARD_REPLY_MAX + 1];
    size_t length, n = 0;

    if (!parse_command(text, command, &length)) {
        say(modem, client, "ERROR");
        return;
    }
    n = channel > 0 ? modem_transmit_on(modem, channel, command, length, reply)
                    : modem_transmit(modem, command, length, reply);
    if (n == 0) {
        say(modem, client, "+CME ERROR: %d", CME_NO_SIM);
        return;
    }
    hex_encode(reply, n, hex);
    say(modem, client, "%s: %zu,\"%s\"", name, 2 * n, hex);
    say(modem, client, "OK");
    explicit_bzero(reply, sizeof(reply));
    explicit_bzero(command, sizeof(command));
    explicit_bzero(hex, sizeof(hex));
}

static void open_session(struct modem *modem, struct modem_client *client, const char *text) {
    uint8_t aid[MODEM_AID_MAX], reply[CARD_REPLY_MAX];
    char hex[2 * MODEM_AID_MAX + 1];
    size_t digits, length, n = 0;
    unsigned channel;

    digits = text[0] == '"' ? strcspn(text + 1, "\"") : sizeof(hex);
    if (digits >= sizeof(hex)) {
        say(modem, client, "ERROR");
        return;
    }
    memcpy(hex, text + 1, digits);
    hex[digits] = '\0';
    if (hex_decode(hex, aid, sizeof(aid), &length) < 0) {
        say(modem, client, "ERROR");
        return;
    }
    channel = modem_open(modem, aid, length, reply, &n);
    if (channel == 0) {
        say(modem, client, "+CME ERROR: %d",
            n == 2 && reply[0] == 0x6a && reply[1] == 0x81 ? CME_NO_CHANNEL : CME_NOT_FOUND);
        return;
    }
    say(modem, client, "+CCHO: %u", channel);
    say(modem, client, "OK");
}

static int operation_of(const char *line) {
    if (strncmp(line, "AT+CCHO=", 8) == 0)
        return MODEM_OPEN;
    if (strncmp(line, "AT+CCHC=", 8) == 0)
        return MODEM_CLOSE;
    if (strncmp(line, "AT+CGLA=", 8) == 0 || strncmp(line, "AT+CSIM=", 8) == 0)
        return MODEM_APDU;
    if (strcmp(line, "AT+CPIN?") == 0)
        return MODEM_STATUS;
    return -1;
}

static void do_operation(struct modem *modem, struct modem_client *client, int operation,
                         const char *line) {
    const char *text = line + 8;
    char *rest;
    unsigned channel;

    if (operation == MODEM_STATUS) {
        say(modem, client, "+CPIN: READY");
        say(modem, client, "OK");
    } else if (operation == MODEM_OPEN) {
        open_session(modem, client, text);
    } else if (operation == MODEM_CLOSE) {
        say(modem, client, modem_close(modem, (unsigned)strtoul(text, NULL, 10)) ? "OK" : "ERROR");
    } else if (line[4] == 'S') {
        exchange(modem, client, "+CSIM", 0, text);
    } else {
        channel = (unsigned)strtoul(text, &rest, 10);
        if (*rest == ',' && channel > 0 && channel <= CARD_CHANNELS_MAX &&
            card_channel_is_open(modem->card, channel))
            exchange(modem, client, "+CGLA", channel, rest + 1);
        else
            say(modem, client, "ERROR");
    }
}

static void answer(struct modem *modem, struct modem_client *client, const char *line) {
    const int operation = operation_of(line);

    if (operation >= 0 && modem->refusals[operation] != 0)
        say(modem, client, "+CME ERROR: %u", modem->refusals[operation]);
    else if (operation >= 0 && !modem->present)
        say(modem, client, "+CME ERROR: %d", CME_NO_SIM);
    else if (operation >= 0)
        do_operation(modem, client, operation, line);
    else if (strcmp(line, "AT+CMEE?") == 0) {
        say(modem, client, "+CMEE: 1");
        say(modem, client, "OK");
    } else {
        if (strcmp(line, "ATE0") == 0)
            modem->echo = false;
        say(modem, client, strncmp(line, "AT", 2) == 0 ? "OK" : "ERROR");
    }
}

static size_t whole(const uint8_t *in, size_t length) {
    const uint8_t *end = memchr(in, '\r', length);

    return end ? (size_t)(end - in) + 1 : 0;
}

static void take(struct modem *modem, struct modem_client *client, const uint8_t *message,
                 size_t length) {
    char line[LINE_MAX_];
    size_t n = 0;

    if (modem->echo)
        modem_send(modem, client, message, length);
    for (size_t i = 0; i < length && n + 1 < sizeof(line); i++)
        if (message[i] >= 0x20 && message[i] < 0x7f)
            line[n++] = (char)message[i];
    line[n] = '\0';
    if (n > 0)
        answer(modem, client, line);
    explicit_bzero(line, sizeof(line));
}

const struct modem_protocol modem_at = {.name = "at", .whole = whole, .take = take};
