/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab at-modem: a serial port with the commands of TS 27.007 that have to do with the card, and with the
 * quirks that modems of the field have there.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "modem.h"

enum {
    LINE_MAX_ = 700,
    CME_NO_SIM = 10,
    CME_PIN_REQUIRED = 11,
    CME_NO_CHANNEL = 20,
    CME_NOT_FOUND = 22,
    CME_PARAMETERS = 50,

    CRSM_READ_BINARY = 176,
    CRSM_READ_RECORD = 178,
    CRSM_GET_RESPONSE = 192,
};

unsigned modem_quirk(const char *name) {
    static const struct {
        const char *name;
        enum modem_quirk quirk;
    } quirks[] = {
        {"no-space", MODEM_NO_SPACE},
        {"bare-channel", MODEM_BARE_CHANNEL},
        {"lower-case", MODEM_LOWER_CASE},
        {"csim-basic", MODEM_CSIM_BASIC},
        {"plain-error", MODEM_PLAIN_ERROR},
        {"junk", MODEM_JUNK},
        {"split", MODEM_SPLIT},
    };

    for (size_t i = 0; i < sizeof(quirks) / sizeof(quirks[0]); i++)
        if (strcmp(quirks[i].name, name) == 0)
            return quirks[i].quirk;
    return 0;
}

static void emit(struct modem *modem, struct modem_client *client, const void *text,
                 size_t length) {
    const char *octets = text;

    for (size_t i = 0; (modem->quirks & MODEM_SPLIT) != 0 && i < length; i++)
        modem_send(modem, client, octets + i, 1);
    if ((modem->quirks & MODEM_SPLIT) == 0)
        modem_send(modem, client, text, length);
}

__attribute__((format(printf, 3, 4))) static void
say(struct modem *modem, struct modem_client *client, const char *format, ...) {
    char line[LINE_MAX_];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t)n < sizeof(line)) {
        emit(modem, client, "\r\n", 2);
        emit(modem, client, line, (size_t)n);
        emit(modem, client, "\r\n", 2);
    }
    explicit_bzero(line, sizeof(line));
}

/* The end of a command that failed. */
static void fail(struct modem *modem, struct modem_client *client, unsigned code) {
    if (modem->cme && (modem->quirks & MODEM_PLAIN_ERROR) == 0)
        say(modem, client, "+CME ERROR: %u", code);
    else
        say(modem, client, "ERROR");
}

/* The answer of a command, and its end. */
__attribute__((format(printf, 4, 5))) static void inform(struct modem *modem,
                                                         struct modem_client *client,
                                                         const char *name, const char *format,
                                                         ...) {
    char text[LINE_MAX_];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if ((modem->quirks & MODEM_JUNK) != 0) {
        say(modem, client, "RDY");
        say(modem, client, "+CEREG: 1,\"00A1\",\"01B2C3D4\",7");
    }
    say(modem, client, "%s:%s%s", name, (modem->quirks & MODEM_NO_SPACE) != 0 ? "" : " ", text);
    say(modem, client, "OK");
    explicit_bzero(text, sizeof(text));
}

/* Hexadecimal digits as this modem writes them. */
static void encode(const struct modem *modem, const uint8_t *octets, size_t length, char *ret) {
    hex_encode(octets, length, ret);
    for (char *at = ret; (modem->quirks & MODEM_LOWER_CASE) == 0 && *at; at++)
        *at = (char)toupper((unsigned char)*at);
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

static bool on_basic_channel(uint8_t class) {
    return (class & 0x40) == 0 && (class & 0x03) == 0;
}

static void exchange(struct modem *modem, struct modem_client *client, const char *name,
                     unsigned channel, const char *text) {
    uint8_t command[CARD_COMMAND_MAX], reply[CARD_REPLY_MAX] = {0x68, 0x81};
    char hex[2 * CARD_REPLY_MAX + 1];
    size_t length = 0, n = 2;

    if (!parse_command(text, command, &length) || length == 0) {
        fail(modem, client, CME_PARAMETERS);
        return;
    }
    if (channel > 0)
        n = modem_transmit_on(modem, channel, command, length, reply);
    else if ((modem->quirks & MODEM_CSIM_BASIC) == 0 || on_basic_channel(command[0]))
        n = modem_transmit(modem, command, length, reply);
    if (n == 0) {
        fail(modem, client, CME_NO_SIM);
        return;
    }
    encode(modem, reply, n, hex);
    inform(modem, client, name, "%zu,\"%s\"", 2 * n, hex);
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
        fail(modem, client, CME_PARAMETERS);
        return;
    }
    memcpy(hex, text + 1, digits);
    hex[digits] = '\0';
    if (hex_decode(hex, aid, sizeof(aid), &length) < 0) {
        fail(modem, client, CME_PARAMETERS);
        return;
    }
    channel = modem_open(modem, aid, length, reply, &n);
    if (channel == 0) {
        fail(modem, client,
             n == 2 && reply[0] == 0x6a && reply[1] == 0x81 ? CME_NO_CHANNEL : CME_NOT_FOUND);
    } else if ((modem->quirks & MODEM_BARE_CHANNEL) != 0) {
        say(modem, client, "%u", channel);
        say(modem, client, "OK");
    } else {
        inform(modem, client, "+CCHO", "%u", channel);
    }
}

/*
 * "COMMAND,FILE,P1,P2,P3": restricted access to a file, which the modem looks for where it belongs. GET RESPONSE gives
 * the FCP template.
 */
static void restricted_access(struct modem *modem, struct modem_client *client, const char *text) {
    unsigned number, file, p1 = 0, p2 = 0, p3 = 0;
    uint8_t command[5], reply[CARD_REPLY_MAX];
    char hex[2 * CARD_REPLY_MAX + 1];
    size_t n;

    if (sscanf(text, "%u,%u,%u,%u,%u", &number, &file, &p1, &p2, &p3) < 2 || file > UINT16_MAX ||
        p1 > 255 || p2 > 255 || p3 > 255 ||
        (number != CRSM_READ_BINARY && number != CRSM_READ_RECORD && number != CRSM_GET_RESPONSE)) {
        fail(modem, client, CME_PARAMETERS);
        return;
    }
    command[0] = 0x00;
    command[1] = (uint8_t)number;
    command[2] = (uint8_t)p1;
    command[3] = (uint8_t)p2;
    command[4] = (uint8_t)p3;
    n = modem_on_file(modem, file >> 8 == 0x2f ? NULL : &modem->usim, (uint16_t)file,
                      number == CRSM_GET_RESPONSE ? NULL : command, sizeof(command), reply);
    if (n < 2) {
        fail(modem, client, CME_NO_SIM);
        return;
    }
    encode(modem, reply, n - 2, hex);
    if (n == 2)
        inform(modem, client, "+CRSM", "%u,%u", reply[0], reply[1]);
    else
        inform(modem, client, "+CRSM", "%u,%u,\"%s\"", reply[n - 2], reply[n - 1], hex);
}

static bool pin_is_missing(const struct modem *modem) {
    return modem->options->card.pin_enabled && !modem->pin_verified;
}

/* AT+CIMI gives the number alone, AT+CCID with its name. */
static void identity(struct modem *modem, struct modem_client *client, bool imsi) {
    if (!imsi) {
        inform(modem, client, "+CCID", "%s", modem->subscriber->iccid);
    } else if (pin_is_missing(modem)) {
        fail(modem, client, CME_PIN_REQUIRED);
    } else {
        say(modem, client, "%s", modem->subscriber->imsi);
        say(modem, client, "OK");
    }
}

static int operation_of(const char *line) {
    if (strncmp(line, "AT+CCHO=", 8) == 0)
        return MODEM_OPEN;
    if (strncmp(line, "AT+CCHC=", 8) == 0)
        return MODEM_CLOSE;
    if (strncmp(line, "AT+CGLA=", 8) == 0 || strncmp(line, "AT+CSIM=", 8) == 0)
        return MODEM_APDU;
    if (strncmp(line, "AT+CRSM=", 8) == 0 || strcmp(line, "AT+CIMI") == 0 ||
        strcmp(line, "AT+CCID") == 0)
        return MODEM_READ;
    if (strcmp(line, "AT+CPIN?") == 0)
        return MODEM_STATUS;
    return -1;
}

/* +CGLA: "SESSION,N,\"HEX\"". */
static void exchange_in_session(struct modem *modem, struct modem_client *client,
                                const char *text) {
    char *rest;
    unsigned long channel = strtoul(text, &rest, 10);

    if (*rest == ',' && channel > 0 && channel <= CARD_CHANNELS_MAX &&
        card_channel_is_open(modem->card, (unsigned)channel))
        exchange(modem, client, "+CGLA", (unsigned)channel, rest + 1);
    else
        fail(modem, client, CME_PARAMETERS);
}

static void do_operation(struct modem *modem, struct modem_client *client, int operation,
                         const char *line) {
    const char *text = line + 8; /* behind the equals sign, where there is one */

    if (operation == MODEM_STATUS)
        inform(modem, client, "+CPIN", pin_is_missing(modem) ? "SIM PIN" : "READY");
    else if (operation == MODEM_OPEN)
        open_session(modem, client, text);
    else if (operation == MODEM_CLOSE && modem_close(modem, (unsigned)strtoul(text, NULL, 10)))
        say(modem, client, "OK");
    else if (operation == MODEM_CLOSE)
        fail(modem, client, CME_PARAMETERS);
    else if (operation == MODEM_READ && line[4] == 'R')
        restricted_access(modem, client, text);
    else if (operation == MODEM_READ)
        identity(modem, client, line[4] == 'I');
    else if (line[4] == 'S')
        exchange(modem, client, "+CSIM", 0, text);
    else
        exchange_in_session(modem, client, text);
}

static void answer(struct modem *modem, struct modem_client *client, const char *line) {
    const int operation = operation_of(line);

    if (operation >= 0 && modem->refusals[operation] != 0) {
        fail(modem, client, modem->refusals[operation]);
    } else if (operation >= 0 && !modem->present) {
        fail(modem, client, CME_NO_SIM);
    } else if (operation >= 0) {
        do_operation(modem, client, operation, line);
    } else if (strcmp(line, "AT+CMEE?") == 0) {
        inform(modem, client, "+CMEE", "%d", modem->cme);
    } else {
        if (strcmp(line, "ATE0") == 0 || strcmp(line, "ATE1") == 0)
            modem->echo = line[3] == '1';
        if (strcmp(line, "AT+CMEE=0") == 0 || strcmp(line, "AT+CMEE=1") == 0)
            modem->cme = line[8] == '1';
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
        emit(modem, client, message, length);
    for (size_t i = 0; i < length && n + 1 < sizeof(line); i++)
        if (message[i] >= 0x20 && message[i] < 0x7f)
            line[n++] = (char)message[i];
    line[n] = '\0';
    if (n > 0)
        answer(modem, client, line);
    explicit_bzero(line, sizeof(line));
}

const struct modem_protocol modem_at = {.name = "at", .whole = whole, .take = take};
