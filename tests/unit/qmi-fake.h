/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The least modem that libqmi can be given: a thread that listens where qmi-proxy would and answers QMUX frames. What
 * it answers is set by the test, also what no modem should; what it was asked is counted.
 *
 * A frame: 01, length (u16, little-endian as all here), flags, service, client; then flags, transaction (one octet for
 * service 0, else two), message (u16), length of the fields (u16); fields of type, length (u16), value.
 */

#include <sched.h>
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

#define QMI_FAKE_USIM       "\xa0\x00\x00\x00\x87\x10\x02\xff\x44\xff\xff\x89"
#define QMI_FAKE_ISIM       "\xa0\x00\x00\x00\x87\x10\x04\xff\x44\xff\xff\x89"
#define QMI_FAKE_AID_LENGTH 12

struct qmi_fake {
    struct modem_line line;

    /* set by the test */
    uint8_t cards[2]; /* QMI_UIM_CARD_STATE_* of two slots */
    uint16_t open_error;
    uint16_t apdu_error;
    uint16_t auth_error;
    bool silent; /* UIM gives no answer */
    bool isim_only;
    bool auth_without_status;
    uint8_t auth_dislikes;       /* the first octet of data that it does not understand */
    uint8_t opens;               /* the channel that it opens */
    const uint8_t *raw_response; /* instead of the TLV of an answer to Send APDU */
    size_t raw_response_length;
    uint8_t selected; /* last octet of the AID that STATUS tells */

    /* counted */
    unsigned cids;     /* that are allocated */
    unsigned channels; /* that are open */
    unsigned closed[20];
    unsigned completes;
    uint8_t apdu[300]; /* the last, as the TLVs have it: slot, channel, octets */
    size_t apdu_length;
    uint8_t auth[300]; /* session, then context, length and data */
    size_t auth_length;
};

static inline size_t qmi_fake_tlv(uint8_t *to, uint8_t type, const void *value, size_t length) {
    to[0] = type;
    to[1] = (uint8_t)length;
    to[2] = (uint8_t)(length >> 8);
    memcpy(to + 3, value, length);
    return 3 + length;
}

static inline size_t qmi_fake_result(uint8_t *to, uint16_t error) {
    const uint8_t value[] = {error ? 1 : 0, 0, (uint8_t)error, (uint8_t)(error >> 8)};

    return qmi_fake_tlv(to, 0x02, value, sizeof(value));
}

static inline const uint8_t *qmi_fake_find(const uint8_t *fields, size_t length, uint8_t type,
                                           size_t *ret_length) {
    size_t at = 0, n;

    while (at + 3 <= length) {
        n = (size_t)(fields[at + 1] | fields[at + 2] << 8);
        if (fields[at] == type) {
            *ret_length = n;
            return fields + at + 3;
        }
        at += 3 + n;
    }
    *ret_length = 0;
    return NULL;
}

static inline void qmi_fake_send(struct qmi_fake *fake, uint8_t service, uint8_t cid, uint8_t flags,
                                 uint16_t transaction, uint16_t message, const uint8_t *fields,
                                 size_t length) {
    const size_t head = service == 0 ? 12 : 13;
    uint8_t frame[2048] = {0x01};
    size_t at = 3;

    frame[1] = (uint8_t)(head - 1 + length);
    frame[2] = (uint8_t)((head - 1 + length) >> 8);
    frame[at++] = 0x80;
    frame[at++] = service;
    frame[at++] = cid;
    frame[at++] = flags;
    frame[at++] = (uint8_t)transaction;
    if (service != 0)
        frame[at++] = (uint8_t)(transaction >> 8);
    frame[at++] = (uint8_t)message;
    frame[at++] = (uint8_t)(message >> 8);
    frame[at++] = (uint8_t)length;
    frame[at++] = (uint8_t)(length >> 8);
    memcpy(frame + at, fields, length);
    modem_line_write(fake->line.client, frame, at + length);
}

/* Get Card Status' field: the card of slot 1 is the modem's own. */
static inline size_t qmi_fake_cards(struct qmi_fake *fake, uint8_t *to) {
    static const uint8_t rest[] = {0, 2, 3, 10, 2, 3, 10};
    uint8_t value[256] = {0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    const bool isim_only = fake->isim_only;
    size_t at = 9;

    if (fake->cards[0] != 1)
        value[0] = value[1] = 0xff;
    for (int slot = 0; slot < 2; slot++) {
        memcpy(value + at, (const uint8_t[]){fake->cards[slot], 0, 0, 0, 0}, 5);
        at += 5;
        value[at++] = fake->cards[slot] == 1 ? 2 : 0;
        for (int i = 0; i < 2 && fake->cards[slot] == 1; i++) {
            memcpy(value + at, (const uint8_t[]){i ? 5 : isim_only ? 0 : 2, 7, 0, 0, 0, 0}, 6);
            at += 6;
            value[at++] = QMI_FAKE_AID_LENGTH;
            memcpy(value + at, i ? QMI_FAKE_ISIM : QMI_FAKE_USIM, QMI_FAKE_AID_LENGTH);
            at += QMI_FAKE_AID_LENGTH;
            memcpy(value + at, rest, sizeof(rest));
            at += sizeof(rest);
        }
    }
    return qmi_fake_tlv(to, 0x10, value, at);
}

static inline size_t qmi_fake_open(struct qmi_fake *fake, uint8_t *to) {
    size_t at = qmi_fake_result(to, fake->open_error);

    if (fake->open_error == 0) {
        fake->channels++;
        at += qmi_fake_tlv(to + at, 0x10, &fake->opens, 1);
        at += qmi_fake_tlv(to + at, 0x11, "\x90\x00", 2);
        at += qmi_fake_tlv(to + at, 0x12, "\x04\x62\x02\x82\x00", 5);
    } else if (fake->open_error == 3) {
        at += qmi_fake_tlv(to + at, 0x11, "\x6a\x81", 2);
    }
    return at;
}

static inline size_t qmi_fake_apdu(struct qmi_fake *fake, const uint8_t *fields, size_t length,
                                   uint8_t *to) {
    uint8_t status[] = {0x12, 0x00, 0x84, 0x0c, 0xa0, 0x00, 0x00, 0x00, 0x87, 0x10,
                        0x02, 0xff, 0x44, 0xff, 0xff, 0x89, 0xff, 0xff, 0x90, 0x00};
    const uint8_t *apdu, *channel;
    size_t at = qmi_fake_result(to, fake->apdu_error), n;

    fake->apdu[0] = *qmi_fake_find(fields, length, 0x01, &n);
    channel = qmi_fake_find(fields, length, 0x10, &n);
    fake->apdu[1] = channel ? *channel : 0;
    apdu = qmi_fake_find(fields, length, 0x02, &n);
    memcpy(fake->apdu + 2, apdu + 2, n - 2);
    fake->apdu_length = n;
    if (fake->apdu_error)
        return at;
    status[15] = fake->selected;
    if (apdu[3] == 0xf2)
        return at + qmi_fake_tlv(to + at, 0x10, status, sizeof(status));
    if (fake->raw_response)
        return at + qmi_fake_tlv(to + at, 0x10, fake->raw_response, fake->raw_response_length);
    return at + qmi_fake_tlv(to + at, 0x10, "\x04\x00\xca\xfe\x90\x00", 6);
}

static inline size_t qmi_fake_auth(struct qmi_fake *fake, const uint8_t *fields, size_t length,
                                   uint8_t *to) {
    size_t at = qmi_fake_result(to, fake->auth_error), n, used;
    const uint8_t *value;

    value = qmi_fake_find(fields, length, 0x01, &n);
    memcpy(fake->auth, value, n);
    used = n;
    value = qmi_fake_find(fields, length, 0x02, &n);
    memcpy(fake->auth + used, value, n);
    fake->auth_length = used + n;
    if (fake->auth_dislikes && value[3] == fake->auth_dislikes)
        return qmi_fake_result(to, 48);
    if (fake->auth_without_status)
        return at;
    if (fake->auth_error)
        return at + qmi_fake_tlv(to + at, 0x10, "\x98\x62", 2);
    at += qmi_fake_tlv(to + at, 0x10, "\x90\x00", 2);
    return at + qmi_fake_tlv(to + at, 0x11, "\x03\x00\xdb\x01\x55", 5);
}

/* Files by identifier: ICCID, IMSI, AD, UST; IMPI and IST of an ISIM. Any other is not there. */
static inline size_t qmi_fake_read(const uint8_t *fields, size_t length, uint8_t *to) {
    static const uint8_t iccid[] = {0x0a, 0x00, 0x98, 0x44, 0x00, 0x00,
                                    0x00, 0x00, 0x00, 0x00, 0x00, 0x41};
    static const uint8_t imsi[] = {0x09, 0x00, 0x08, 0x09, 0x10, 0x10,
                                   0x00, 0x00, 0x00, 0x00, 0x10};
    static const uint8_t impi[] = {0x07, 0x00, 0x80, 0x05, 'u', '@', 'h', '.', 'x'};
    size_t n, at = qmi_fake_result(to, 0);
    const uint8_t *session = qmi_fake_find(fields, length, 0x01, &n);
    const uint8_t *file = qmi_fake_find(fields, length, 0x02, &n);
    const unsigned id = (unsigned)(file[0] | file[1] << 8);

    if (id == 0x2fe2 && session[0] == 6)
        return at + qmi_fake_tlv(to + at, 0x11, iccid, sizeof(iccid));
    if (id == 0x6f07 && session[0] == 0)
        return at + qmi_fake_tlv(to + at, 0x11, imsi, sizeof(imsi));
    if (id == 0x6f07)
        return at + qmi_fake_tlv(to + at, 0x11, "\x01\x00\x02", 3);
    if (id == 0x6fad)
        return at + qmi_fake_tlv(to + at, 0x11, "\x04\x00\x00\x00\x00\x02", 6);
    if (id == 0x6f02)
        return at + qmi_fake_tlv(to + at, 0x11, impi, sizeof(impi));
    return qmi_fake_result(to, 80);
}

static inline size_t qmi_fake_uim(struct qmi_fake *fake, uint16_t message, const uint8_t *fields,
                                  size_t length, uint8_t *to) {
    const uint8_t *channel;
    size_t n;

    switch (message) {
    case 0x002f:
        n = qmi_fake_result(to, 0);
        return n + qmi_fake_cards(fake, to + n);
    case 0x0042:
        return qmi_fake_open(fake, to);
    case 0x003b:
        return qmi_fake_apdu(fake, fields, length, to);
    case 0x003f:
        channel = qmi_fake_find(fields, length, 0x11, &n);
        if (channel && *channel < 20) {
            fake->closed[*channel]++;
            fake->channels -= fake->channels > 0;
        }
        return qmi_fake_result(to, 0);
    case 0x0034:
        return qmi_fake_auth(fake, fields, length, to);
    case 0x0020:
        return qmi_fake_read(fields, length, to);
    case 0x002c:
        fake->completes++;
        return qmi_fake_result(to, 0);
    default:
        return qmi_fake_result(to, 0);
    }
}

static inline size_t qmi_fake_control(struct qmi_fake *fake, uint16_t message, uint8_t *to) {
    size_t n = qmi_fake_result(to, 0);

    if (message == 0x0022 || message == 0x0023)
        n += qmi_fake_tlv(to + n, 0x01, "\x0b\x07", 2);
    if (message == 0x0022)
        fake->cids++;
    if (message == 0x0023)
        fake->cids--;
    return n;
}

static inline void qmi_fake_answer(struct qmi_fake *fake, const uint8_t *frame) {
    const uint8_t service = frame[4], cid = frame[5];
    const size_t id = service == 0 ? 8 : 9;
    const uint16_t message = (uint16_t)(frame[id] | frame[id + 1] << 8);
    const size_t length = (size_t)(frame[id + 2] | frame[id + 3] << 8);
    uint8_t fields[1024];
    size_t n;

    pthread_mutex_lock(&fake->line.lock);
    if (service == 0) {
        n = qmi_fake_control(fake, message, fields);
        qmi_fake_send(fake, 0, 0, 0x01, frame[7], message, fields, n);
    } else {
        n = qmi_fake_uim(fake, message, frame + id + 4, length, fields);
        if (!fake->silent)
            qmi_fake_send(fake, service, cid, 0x02, (uint16_t)(frame[7] | frame[8] << 8), message,
                          fields, n);
    }
    pthread_mutex_unlock(&fake->line.lock);
}

/* Frames of whoever is at the other end, until he leaves. */
static inline void qmi_fake_serve(struct modem_line *line, int fd) {
    struct qmi_fake *fake = (struct qmi_fake *)line;
    uint8_t frame[4096];
    size_t rest;

    while (modem_line_read(fd, line->stop[0], frame, 3)) {
        rest = (size_t)(frame[1] | frame[2] << 8) - 2;
        assert_true(rest < sizeof(frame) - 3);
        if (!modem_line_read(fd, line->stop[0], frame + 3, rest))
            break;
        qmi_fake_answer(fake, frame);
    }
}

static inline void qmi_fake_init(struct qmi_fake *fake) {
    *fake =
        (struct qmi_fake){.line = MODEM_LINE_NONE, .cards = {1, 1}, .opens = 2, .selected = 0x89};
    fake->line.serve = qmi_fake_serve;
}

/* Listen where qmi-proxy does; the network namespace is the test's own. */
static inline void qmi_fake_start(struct qmi_fake *fake) {
    qmi_fake_init(fake);
    modem_line_start(&fake->line, modem_line_listen("qmi-proxy"), -1);
}

/* Be a device with a path. */
static inline void qmi_fake_start_device(struct qmi_fake *fake, char *ret_path, size_t size) {
    qmi_fake_init(fake);
    modem_line_start(&fake->line, -1, modem_line_pty(ret_path, size));
}

/* Card Status or Refresh, as the modem tells without being asked. */
static inline void qmi_fake_indicate_cards(struct qmi_fake *fake) {
    uint8_t fields[512];
    size_t n;

    pthread_mutex_lock(&fake->line.lock);
    n = qmi_fake_cards(fake, fields);
    qmi_fake_send(fake, 0x0b, 7, 0x04, 0, 0x0032, fields, n);
    pthread_mutex_unlock(&fake->line.lock);
}

static inline void qmi_fake_indicate_refresh(struct qmi_fake *fake, uint8_t stage, uint8_t mode) {
    const uint8_t event[] = {stage, mode, 0, 0, 0, 0};
    uint8_t fields[32];
    size_t n = qmi_fake_tlv(fields, 0x10, event, sizeof(event));

    pthread_mutex_lock(&fake->line.lock);
    qmi_fake_send(fake, 0x0b, 7, 0x04, 0, 0x0033, fields, n);
    pthread_mutex_unlock(&fake->line.lock);
}
