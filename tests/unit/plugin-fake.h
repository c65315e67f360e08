/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Transport programs that behave and that do not: what each does follows from its name.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keystrap/plugin.h"
#include "keystrap-limits.h"
#include "packet.h"
#include "util.h"

#define FD KEYSTRAP_PLUGIN_FD

struct program {
    struct packet in, out;
    const char *name; /* without "uicc-" */
    unsigned apdus;
};

static bool is(const struct program *program, const char *name) {
    return strcmp(program->name, name) == 0;
}

static void send_out(struct program *program) {
    if (packet_send(FD, &program->out, USEC_INFINITY) < 0)
        exit(1);
}

static void send_hello(struct program *program) {
    uint32_t capabilities = KEYSTRAP_CAPABILITY_APDU;

    if (is(program, "channels") || is(program, "no-channels") || is(program, "leaves"))
        capabilities |= KEYSTRAP_CAPABILITY_CHANNELS;
    if (strncmp(program->name, "aka", 3) == 0)
        capabilities = KEYSTRAP_CAPABILITY_AKA;
    if (is(program, "several"))
        capabilities |= KEYSTRAP_CAPABILITY_SEVERAL;
    if (is(program, "useless"))
        capabilities = KEYSTRAP_CAPABILITY_SEVERAL;
    packet_begin(&program->out, KEYSTRAP_PLUGIN_HELLO, packet_serial(&program->in));
    packet_append_text(&program->out, KEYSTRAP_FIELD_NAME, program->name);
    if (!is(program, "incapable"))
        packet_append_u32(&program->out, KEYSTRAP_FIELD_CAPABILITIES, capabilities);
    if (is(program, "version"))
        program->out.data[0] = 2;
    send_out(program);
}

static void send_state(struct program *program, uint8_t card, const char *reader) {
    packet_begin(&program->out, KEYSTRAP_PLUGIN_STATE, 0);
    packet_append_u8(&program->out, KEYSTRAP_FIELD_CARD_STATE, card);
    packet_append_text(&program->out, KEYSTRAP_FIELD_READER, reader);
    packet_append(&program->out, KEYSTRAP_FIELD_ATR, "\x3b\x9f", 2);
    packet_append(&program->out, KEYSTRAP_FIELD_TOKEN, "seven\0\0\0\0\0\0\0\0\0\0\0",
                  is(program, "token-long") ? 17 : 5);
    packet_append(&program->out, 200, "a field of the future", 21);
    send_out(program);
}

static void begin_answer(struct program *program, uint8_t result) {
    packet_begin(&program->out, KEYSTRAP_PLUGIN_ANSWER, packet_serial(&program->in));
    packet_append_u8(&program->out, KEYSTRAP_FIELD_RESULT, result);
}

/* "result-4-..." answers BEGIN with result 4. */
static void answer_begin(struct program *program) {
    unsigned result = KEYSTRAP_RESULT_OK;

    (void)sscanf(program->name, "result-%u", &result);
    begin_answer(program, (uint8_t)result);
    if (result == KEYSTRAP_RESULT_FAILED)
        packet_append_text(&program->out, KEYSTRAP_FIELD_TEXT, "the modem is on fire");
    send_out(program);
}

/* The response is the command itself with 9000, so that a test sees what arrived. */
static void answer_apdu(struct program *program) {
    const uint8_t *command;
    uint8_t response[300] = {0}, channel;
    size_t length;

    if (!packet_get(&program->in, KEYSTRAP_FIELD_COMMAND, &command, &length) ||
        length > sizeof(response) - 3)
        exit(2);
    memcpy(response, command, length);
    if (packet_get_u8(&program->in, KEYSTRAP_FIELD_CHANNEL, &channel))
        response[length++] = channel;
    memcpy(response + length, "\x90\x00", 2);
    length += 2;
    if (is(program, "long"))
        length = APDU_RESPONSE_MAX + 1;
    if (is(program, "short"))
        length = 1;
    begin_answer(program, KEYSTRAP_RESULT_OK);
    if (is(program, "serial"))
        program->out.data[7] ^= 1;
    if (!is(program, "empty"))
        packet_append(&program->out, KEYSTRAP_FIELD_RESPONSE, response, length);
    send_out(program);
}

static void answer_open_channel(struct program *program) {
    begin_answer(program,
                 is(program, "no-channels") ? KEYSTRAP_RESULT_UNSUPPORTED : KEYSTRAP_RESULT_OK);
    packet_append_u8(&program->out, KEYSTRAP_FIELD_CHANNEL, 2);
    packet_append(&program->out, KEYSTRAP_FIELD_RESPONSE, "\x90\x00", 2);
    send_out(program);
}

/* What was closed is told by a STATE: channel and, where given, the length of the AID. */
static void answer_close_channel(struct program *program) {
    char text[32];
    const uint8_t *aid;
    uint8_t channel = 0;
    size_t length = 0;

    (void)packet_get_u8(&program->in, KEYSTRAP_FIELD_CHANNEL, &channel);
    (void)packet_get(&program->in, KEYSTRAP_FIELD_AID, &aid, &length);
    (void)snprintf(text, sizeof(text), "closed %u, AID of %zu", channel, length);
    send_state(program, KEYSTRAP_CARD_PRESENT, text);
    begin_answer(program, KEYSTRAP_RESULT_OK);
    send_out(program);
}

static void answer_identity(struct program *program) {
    static const uint8_t octets[SERVICE_TABLE_MAX + 1] = {0xa0, 0x00, 0x00, 0x00, 0x87};

    begin_answer(program, KEYSTRAP_RESULT_OK);
    if (is(program, "aka-empty")) {
        send_out(program);
        return;
    }
    packet_append_text(&program->out, KEYSTRAP_FIELD_ICCID, "89440000000000000014");
    packet_append_text(&program->out, KEYSTRAP_FIELD_IMSI,
                       is(program, "aka-letters") ? "00101a" : "001010000000001");
    packet_append_text(&program->out, KEYSTRAP_FIELD_IMPI, "user@example.net");
    packet_append(&program->out, KEYSTRAP_FIELD_EF_AD, octets, is(program, "aka-long") ? 5 : 4);
    packet_append(&program->out, KEYSTRAP_FIELD_SERVICES, octets,
                  is(program, "aka-table") ? SERVICE_TABLE_MAX + 1 : SERVICE_TABLE_MAX);
    packet_append(&program->out, KEYSTRAP_FIELD_AID, octets, is(program, "aka-aid") ? 17 : 16);
    send_out(program);
}

/* AID, context and data come back, so that a test sees what arrived. */
static void answer_authenticate(struct program *program) {
    uint8_t response[APDU_RESPONSE_MAX];
    const uint8_t *aid, *data;
    size_t aid_length, length;

    if (!packet_get(&program->in, KEYSTRAP_FIELD_AID, &aid, &aid_length) ||
        !packet_get_u8(&program->in, KEYSTRAP_FIELD_CONTEXT, &response[0]) ||
        !packet_get(&program->in, KEYSTRAP_FIELD_COMMAND, &data, &length) ||
        aid_length + length > sizeof(response) - 3)
        exit(2);
    memcpy(response + 1, aid, aid_length);
    memcpy(response + 1 + aid_length, data, length);
    memcpy(response + 1 + aid_length + length, "\x90\x00", 2);
    begin_answer(program, KEYSTRAP_RESULT_OK);
    packet_append(&program->out, KEYSTRAP_FIELD_RESPONSE, response, 3 + aid_length + length);
    send_out(program);
}

static void answer_next(struct program *program) {
    send_state(program, KEYSTRAP_CARD_PRESENT, "the other reader");
    begin_answer(program, KEYSTRAP_RESULT_OK);
    send_out(program);
}

static void misbehave(struct program *program) {
    if (is(program, "silent"))
        for (;;)
            (void)pause();
    if (is(program, "crash"))
        (void)raise(SIGKILL);
    if (is(program, "exit"))
        exit(42);
    if (is(program, "garbage")) {
        (void)send(FD, "\1\3\0\0\0\0\0\1\0\0\0\x09nonsense", 20, 0);
        (void)pause();
    }
    if (is(program, "flood"))
        for (;;)
            send_state(program, KEYSTRAP_CARD_PRESENT, "reader");
    if (is(program, "unknown-result")) {
        begin_answer(program, 99);
        send_out(program);
    }
    if (is(program, "state-nonsense")) {
        send_state(program, 77, "reader");
        (void)pause();
    }
}

static void answer(struct program *program) {
    switch (packet_type(&program->in)) {
    case KEYSTRAP_PLUGIN_BEGIN:
        answer_begin(program);
        break;
    case KEYSTRAP_PLUGIN_APDU:
        if (program->apdus++ == 0)
            misbehave(program);
        if (is(program, "restless"))
            send_state(program, KEYSTRAP_CARD_ABSENT, "reader");
        answer_apdu(program);
        break;
    case KEYSTRAP_PLUGIN_OPEN_CHANNEL:
        answer_open_channel(program);
        break;
    case KEYSTRAP_PLUGIN_CLOSE_CHANNEL:
        answer_close_channel(program);
        break;
    case KEYSTRAP_PLUGIN_IDENTITY:
        answer_identity(program);
        break;
    case KEYSTRAP_PLUGIN_AUTHENTICATE:
        answer_authenticate(program);
        break;
    case KEYSTRAP_PLUGIN_NEXT:
        answer_next(program);
        break;
    case KEYSTRAP_PLUGIN_BYE:
        exit(0);
    default:
        begin_answer(program, KEYSTRAP_RESULT_OK);
        send_out(program);
        break;
    }
}

/* Ends, and leaves a child that holds the socket until keystrapd's side closes it. */
static _Noreturn void leave_child(struct program *program) {
    if (fork() != 0)
        _exit(7);
    while (packet_receive(FD, &program->in, -1, USEC_INFINITY) == 0)
        ;
    _exit(0);
}

/* What keystrapd asks for, as the name of the reader. */
static void describe_options(struct program *program, char ret[PLUGIN_TEXT_MAX]) {
    char device[64] = "none";
    uint32_t flags = 0, timeout = 0;
    uint8_t slot = 0;

    (void)packet_get_text(&program->in, KEYSTRAP_FIELD_DEVICE, device, sizeof(device));
    (void)packet_get_u8(&program->in, KEYSTRAP_FIELD_SLOT, &slot);
    (void)packet_get_u32(&program->in, KEYSTRAP_FIELD_FLAGS, &flags);
    (void)packet_get_u32(&program->in, KEYSTRAP_FIELD_TIMEOUT, &timeout);
    (void)snprintf(ret, PLUGIN_TEXT_MAX, "%s, slot %u, flags %u, %u ms", device, slot, flags,
                   timeout);
}

static _Noreturn void be_program(const char *name) {
    struct program program = {.name = name};
    char reader[PLUGIN_TEXT_MAX] = "reader";
    const uint8_t *token;
    size_t length;

    if (packet_init(&program.in, 4096) < 0 || packet_init(&program.out, 4096) < 0)
        exit(3);
    if (is(&program, "mute"))
        for (;;)
            (void)pause();
    if (is(&program, "stillborn"))
        exit(9);
    if (packet_receive(FD, &program.in, -1, USEC_INFINITY) < 0)
        exit(4);
    (void)packet_get_text(&program.in, KEYSTRAP_FIELD_READER_PATTERN, reader, sizeof(reader));
    if (is(&program, "options"))
        describe_options(&program, reader);
    if (packet_get(&program.in, KEYSTRAP_FIELD_TOKEN, &token, &length) && length == 5)
        (void)snprintf(reader, sizeof(reader), "inherits %.5s", (const char *)token);
    send_hello(&program);
    send_state(&program, KEYSTRAP_CARD_PRESENT, reader);
    if (is(&program, "uncalled")) {
        begin_answer(&program, KEYSTRAP_RESULT_OK);
        send_out(&program);
    }
    if (is(&program, "parent"))
        leave_child(&program);
    while (packet_receive(FD, &program.in, -1, USEC_INFINITY) == 0)
        answer(&program);
    packet_done(&program.in);
    packet_done(&program.out);
    exit(0);
}
