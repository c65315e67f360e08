/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The least modem that libmbim can be given: a thread that listens where mbim-proxy would and answers MBIM messages.
 * What it answers is set by the test, also what no modem should; what it was asked is counted.
 *
 * A message: type, length, transaction (u32, little-endian as all here). A command goes on with two numbers of
 * fragments, the service's UUID, the command, its kind (set or query), the length of a buffer, and that buffer; its
 * answer has a status in place of the kind.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "modem-line.h"

#define MBIM_FAKE_BASIC_CONNECT 0xa2 /* each service is known by the first octet of its UUID */
#define MBIM_FAKE_AUTH          0x1d
#define MBIM_FAKE_UICC          0xc2
#define MBIM_FAKE_PROXY         0x83

struct mbim_fake {
    struct modem_line line;

    /* set by the test */
    uint32_t ready; /* subscriber ready state */
    uint32_t opens; /* the channel that it opens */
    uint32_t open_status;
    uint32_t apdu_status;
    uint32_t auth_status;
    uint32_t res_length;
    bool silent;        /* no command is answered */
    bool long_response; /* an answer of the card that says more than there is */
    bool without_imsi;

    /* counted */
    unsigned channels; /* that are open */
    unsigned groups;   /* that were closed as a whole */
    uint32_t closed_group;
    uint8_t apdu[300];
    uint32_t apdu_channel, apdu_class, apdu_length;
    uint8_t aid[16], aid_length;
    uint8_t challenge[32];
    uint8_t uuid[16]; /* of the basic connect service, as libmbim has it */
};

static inline uint32_t mbim_fake_get(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline size_t mbim_fake_put(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
    return 4;
}

static inline void mbim_fake_send(struct mbim_fake *fake, uint8_t *message, size_t length) {
    (void)mbim_fake_put(message + 4, (uint32_t)length);
    modem_line_write(fake->line.client, message, length);
}

/* COMMAND_DONE for @request with @status and @length octets of buffer, and INDICATE_STATUS, whose head is like it. */
static inline void mbim_fake_done(struct mbim_fake *fake, const uint8_t *request, uint32_t status,
                                  const uint8_t *buffer, size_t length) {
    uint8_t message[1024];
    size_t at = 0;

    at += mbim_fake_put(message + at, 0x80000003u);
    at += mbim_fake_put(message + at, 0);
    memcpy(message + at, request + 8, 4 + 4 + 4 + 16 + 4); /* transaction to command */
    at += 32;
    at += mbim_fake_put(message + at, status);
    at += mbim_fake_put(message + at, (uint32_t)length);
    memcpy(message + at, buffer, length);
    mbim_fake_send(fake, message, at + length);
}

static inline size_t mbim_fake_utf16(uint8_t *to, const char *text) {
    for (size_t i = 0; i < strlen(text); i++) {
        to[2 * i] = (uint8_t)text[i];
        to[2 * i + 1] = 0;
    }
    return 2 * strlen(text);
}

/* Subscriber ready status: IMSI and ICCID are texts behind seven numbers. */
static inline size_t mbim_fake_subscriber(struct mbim_fake *fake, uint8_t *to) {
    const char *imsi = fake->without_imsi ? "" : "001010000000001", *iccid = "89440000000000000014";
    const uint32_t head = 28, imsi_size = 2 * (uint32_t)strlen(imsi);
    const uint32_t padded = (imsi_size + 3) / 4 * 4;
    size_t at = 0;

    memset(to, 0, 128);
    at += mbim_fake_put(to + at, fake->ready);
    at += mbim_fake_put(to + at, imsi_size ? head : 0);
    at += mbim_fake_put(to + at, imsi_size);
    at += mbim_fake_put(to + at, head + padded);
    at += mbim_fake_put(to + at, 2 * (uint32_t)strlen(iccid));
    at += mbim_fake_put(to + at, 0);
    at += mbim_fake_put(to + at, 0);
    (void)mbim_fake_utf16(to + at, imsi);
    return at + padded + mbim_fake_utf16(to + at + padded, iccid);
}

static inline size_t mbim_fake_open(struct mbim_fake *fake, const uint8_t *buffer, uint8_t *to) {
    const uint32_t size = mbim_fake_get(buffer), offset = mbim_fake_get(buffer + 4);
    size_t at = 0;

    fake->aid_length = (uint8_t)size;
    memcpy(fake->aid, buffer + offset, size);
    fake->channels++;
    at += mbim_fake_put(to + at, 0x0090); /* SW1 is the low octet */
    at += mbim_fake_put(to + at, fake->opens);
    at += mbim_fake_put(to + at, 4);
    at += mbim_fake_put(to + at, 16);
    memcpy(to + at, "\x62\x02\x82\x00", 4);
    return at + 4;
}

static inline size_t mbim_fake_apdu(struct mbim_fake *fake, const uint8_t *buffer, uint8_t *to) {
    const uint32_t size = mbim_fake_get(buffer + 12), offset = mbim_fake_get(buffer + 16);
    size_t at = 0;

    fake->apdu_channel = mbim_fake_get(buffer);
    fake->apdu_class = mbim_fake_get(buffer + 8);
    fake->apdu_length = size;
    memcpy(fake->apdu, buffer + offset, size);
    at += mbim_fake_put(to + at, 0x0090);
    at += mbim_fake_put(to + at, fake->long_response ? 4000 : 2);
    at += mbim_fake_put(to + at, 12);
    memcpy(to + at, "\xca\xfe\x00\x00", 4);
    return at + 4;
}

static inline void mbim_fake_uicc(struct mbim_fake *fake, const uint8_t *request, uint32_t command,
                                  const uint8_t *buffer) {
    uint8_t to[256] = {0};
    size_t length;

    if (command == 2 && fake->open_status) {
        mbim_fake_done(fake, request, fake->open_status, to, 0);
    } else if (command == 2) {
        length = mbim_fake_open(fake, buffer, to);
        mbim_fake_done(fake, request, 0, to, length);
    } else if (command == 3) {
        if (mbim_fake_get(buffer) == 0) {
            fake->groups++;
            fake->closed_group = mbim_fake_get(buffer + 4);
            fake->channels = 0;
        } else {
            fake->channels--;
        }
        mbim_fake_done(fake, request, 0, to, mbim_fake_put(to, 0x0090));
    } else if (fake->apdu_status) {
        mbim_fake_done(fake, request, fake->apdu_status, to, 0);
    } else {
        length = mbim_fake_apdu(fake, buffer, to);
        mbim_fake_done(fake, request, 0, to, length);
    }
}

/* RES in 16 octets and its length, IK, CK, AUTS: each is filled with a letter. */
static inline void mbim_fake_aka(struct mbim_fake *fake, const uint8_t *request,
                                 const uint8_t *buffer) {
    uint8_t to[66];

    memcpy(fake->challenge, buffer, sizeof(fake->challenge));
    memset(to, 'r', 16);
    (void)mbim_fake_put(to + 16, fake->res_length);
    memset(to + 20, 'i', 16);
    memset(to + 36, 'c', 16);
    memset(to + 52, 'a', 14);
    mbim_fake_done(fake, request, fake->auth_status, to, sizeof(to));
}

static inline void mbim_fake_command(struct mbim_fake *fake, const uint8_t *request) {
    const uint8_t *uuid = request + 20, *buffer = request + 48;
    const uint32_t command = mbim_fake_get(request + 36);
    uint8_t to[256] = {0};
    size_t length;

    if (fake->silent)
        return;
    if (uuid[0] == MBIM_FAKE_PROXY) {
        mbim_fake_done(fake, request, 0, to, 0);
    } else if (uuid[0] == MBIM_FAKE_UICC) {
        mbim_fake_uicc(fake, request, command, buffer);
    } else if (uuid[0] == MBIM_FAKE_AUTH) {
        mbim_fake_aka(fake, request, buffer);
    } else if (uuid[0] == MBIM_FAKE_BASIC_CONNECT && command == 2) {
        memcpy(fake->uuid, uuid, sizeof(fake->uuid));
        length = mbim_fake_subscriber(fake, to);
        mbim_fake_done(fake, request, 0, to, length);
    } else {
        mbim_fake_done(fake, request, 9, to, 0);
    }
}

static inline void mbim_fake_answer(struct mbim_fake *fake, const uint8_t *request) {
    const uint32_t type = mbim_fake_get(request);
    uint8_t done[16] = {0};

    pthread_mutex_lock(&fake->line.lock);
    if (type == 3) {
        mbim_fake_command(fake, request);
    } else if (type == 1 || type == 2) {
        (void)mbim_fake_put(done, 0x80000000u | type);
        memcpy(done + 8, request + 8, 4);
        mbim_fake_send(fake, done, sizeof(done));
    }
    pthread_mutex_unlock(&fake->line.lock);
}

/* Messages of whoever is at the other end, until he leaves. */
static inline void mbim_fake_serve(struct modem_line *line, int fd) {
    struct mbim_fake *fake = (struct mbim_fake *)line;
    uint8_t request[4096];
    uint32_t rest;

    while (modem_line_read(fd, line->stop[0], request, 12)) {
        rest = mbim_fake_get(request + 4) - 12;
        assert_true(rest < sizeof(request) - 12);
        if (!modem_line_read(fd, line->stop[0], request + 12, rest))
            break;
        mbim_fake_answer(fake, request);
    }
}

static inline void mbim_fake_init(struct mbim_fake *fake) {
    *fake = (struct mbim_fake){.line = MODEM_LINE_NONE, .ready = 1, .opens = 2, .res_length = 8};
    fake->line.serve = mbim_fake_serve;
}

/* Listen where mbim-proxy does; the network namespace is the test's own. */
static inline void mbim_fake_start(struct mbim_fake *fake) {
    mbim_fake_init(fake);
    modem_line_start(&fake->line, modem_line_listen("mbim-proxy"), -1);
}

/* Be a device with a path. */
static inline void mbim_fake_start_device(struct mbim_fake *fake, char *ret_path, size_t size) {
    mbim_fake_init(fake);
    modem_line_start(&fake->line, -1, modem_line_pty(ret_path, size));
}

/* Subscriber ready status, as the modem tells without being asked. */
static inline void mbim_fake_indicate(struct mbim_fake *fake) {
    uint8_t message[256] = {0};
    size_t at = 0, length;

    pthread_mutex_lock(&fake->line.lock);
    at += mbim_fake_put(message + at, 0x80000007u);
    at += mbim_fake_put(message + at, 0);
    at += mbim_fake_put(message + at, 0);
    at += mbim_fake_put(message + at, 1);
    at += mbim_fake_put(message + at, 0);
    memcpy(message + at, fake->uuid, 16);
    at += 16;
    at += mbim_fake_put(message + at, 2);
    length = mbim_fake_subscriber(fake, message + at + 4);
    at += mbim_fake_put(message + at, (uint32_t)length);
    mbim_fake_send(fake, message, at + length);
    pthread_mutex_unlock(&fake->line.lock);
}
