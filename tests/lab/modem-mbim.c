/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab mbim-modem: MBIM, as much of it as has to do with the card, and what a client of mbim-proxy says to it.
 *
 * A message: type, length, transaction (u32, little-endian as all here). A command goes on with two numbers of
 * fragments, the service's UUID, the command, its kind (query or set), the length of a buffer, and that buffer; its
 * answer has a status in place of the kind.
 */
#include <stdio.h>
#include <string.h>

#include "modem.h"

enum {
    TYPE_OPEN = 1,
    TYPE_CLOSE = 2,
    TYPE_COMMAND = 3,
    HEAD = 12,
    COMMAND_HEAD = 48,

    /* Services, by the first octet of their UUIDs. */
    SERVICE_BASIC_CONNECT = 0xa2,
    SERVICE_AUTH = 0x1d,
    SERVICE_UICC = 0xc2,
    SERVICE_PROXY = 0x83,

    CID_SUBSCRIBER_READY = 2,
    CID_AUTH_AKA = 1,
    CID_UICC_ATR = 1,
    CID_UICC_OPEN = 2,
    CID_UICC_CLOSE = 3,
    CID_UICC_APDU = 4,

    READY_INITIALIZED = 1,
    READY_NO_SIM = 2,

    STATUS_FAILURE = 2,
    STATUS_NO_SIM = 3,
    STATUS_NO_SUPPORT = 9,
    STATUS_INVALID_PARAMETERS = 21,
    STATUS_INCORRECT_AUTN = 35,
    STATUS_SYNC_FAILURE = 36,
};
static const uint32_t TYPE_DONE = 0x80000000u, TYPE_COMMAND_DONE = 0x80000003u,
                      TYPE_INDICATE = 0x80000007u, STATUS_NO_CHANNELS = 0x87430001u,
                      STATUS_SELECT_FAILED = 0x87430002u, STATUS_INVALID_CHANNEL = 0x87430003u;

static const uint8_t basic_connect[] = {0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f,
                                        0xb6, 0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf};

struct buffer {
    uint8_t data[1024];
    size_t length;
};

static uint32_t get(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put(struct buffer *to, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        to->data[to->length++] = (uint8_t)(value >> 8 * i);
}

static void put_octets(struct buffer *to, const void *data, size_t length) {
    memcpy(to->data + to->length, data, length);
    to->length += length;
    while (to->length % 4 != 0)
        to->data[to->length++] = 0;
}

static void put_text(struct buffer *to, const char *text) {
    for (; *text; text++) {
        to->data[to->length++] = (uint8_t)*text;
        to->data[to->length++] = 0;
    }
    while (to->length % 4 != 0)
        to->data[to->length++] = 0;
}

static void send_message(struct modem *modem, struct modem_client *client, struct buffer *message) {
    const uint32_t length = (uint32_t)message->length;

    for (unsigned i = 0; i < 4; i++)
        message->data[4 + i] = (uint8_t)(length >> 8 * i);
    modem_send(modem, client, message->data, message->length);
    explicit_bzero(message, sizeof(*message));
}

static void send_done(struct modem *modem, struct modem_client *client, const uint8_t *command,
                      uint32_t status, const struct buffer *out) {
    struct buffer message = {0};

    put(&message, TYPE_COMMAND_DONE);
    put(&message, 0);
    put_octets(&message, command + 8, 4);
    put(&message, 1);
    put(&message, 0);
    put_octets(&message, command + 20, 16 + 4);
    put(&message, status);
    put(&message, (uint32_t)out->length);
    put_octets(&message, out->data, out->length);
    send_message(modem, client, &message);
}

/* --- Services --------------------------------------------------------------------------------------------- */

static void put_subscriber(struct modem *modem, struct buffer *out) {
    const struct lab_subscriber *subscriber = modem->subscriber;
    const char *imsi = modem->present ? subscriber->imsi : "";
    const char *iccid = modem->present ? subscriber->iccid : "";
    const uint32_t imsi_size = 2 * (uint32_t)strlen(imsi), iccid_size = 2 * (uint32_t)strlen(iccid);
    const uint32_t head = 28, padded = (imsi_size + 3) / 4 * 4;

    put(out, modem->present ? READY_INITIALIZED : READY_NO_SIM);
    put(out, imsi_size > 0 ? head : 0);
    put(out, imsi_size);
    put(out, iccid_size > 0 ? head + padded : 0);
    put(out, iccid_size);
    put(out, 0);
    put(out, 0);
    put_text(out, imsi);
    put_text(out, iccid);
}

/* SW1 is in the low octet of the word, SW2 in the next; the data has its length and its place. */
static void put_reply(struct buffer *out, const uint8_t *reply, size_t length, uint32_t place) {
    put(out, (uint32_t)length - 2);
    put(out, place);
    put_octets(out, reply, length - 2);
}

static uint32_t status_word(const uint8_t *reply, size_t length) {
    return (uint32_t)(reply[length - 2] | reply[length - 1] << 8);
}

static uint32_t open_channel(struct modem *modem, const uint8_t *in, size_t length,
                             struct buffer *out) {
    uint8_t reply[CARD_REPLY_MAX];
    uint32_t size, place;
    unsigned channel;
    size_t n = 0;

    if (length < 16)
        return STATUS_INVALID_PARAMETERS;
    size = get(in);
    place = get(in + 4);
    if (size == 0 || size > MODEM_AID_MAX || place > length || size > length - place)
        return STATUS_INVALID_PARAMETERS;
    channel = modem_open(modem, in + place, size, reply, &n);
    if (channel == 0)
        return n == 2 && reply[0] == 0x6a && reply[1] == 0x81 ? STATUS_NO_CHANNELS
                                                              : STATUS_SELECT_FAILED;
    modem->groups[channel] = get(in + 12);
    put(out, status_word(reply, n));
    put(out, channel);
    put_reply(out, reply, n, 16);
    return 0;
}

/* One channel, or (0) all of a group. */
static uint32_t close_channel(struct modem *modem, const uint8_t *in, size_t length,
                              struct buffer *out) {
    if (length < 8)
        return STATUS_INVALID_PARAMETERS;
    if (get(in) > 0 && !modem_close(modem, get(in)))
        return STATUS_INVALID_CHANNEL;
    for (unsigned i = 1; get(in) == 0 && i <= CARD_CHANNELS_MAX; i++)
        if (card_channel_is_open(modem->card, i) && modem->groups[i] == get(in + 4))
            (void)modem_close(modem, i);
    put(out, 0x0090);
    return 0;
}

static uint32_t apdu(struct modem *modem, const uint8_t *in, size_t length, struct buffer *out) {
    uint8_t reply[CARD_REPLY_MAX];
    uint32_t channel, size, place;
    size_t n;

    if (length < 20)
        return STATUS_INVALID_PARAMETERS;
    channel = get(in);
    size = get(in + 12);
    place = get(in + 16);
    if (size > CARD_COMMAND_MAX || place > length || size > length - place)
        return STATUS_INVALID_PARAMETERS;
    if (channel > CARD_CHANNELS_MAX || !card_channel_is_open(modem->card, channel))
        return STATUS_INVALID_CHANNEL;
    n = modem_transmit_on(modem, channel, in + place, size, reply);
    if (n < 2)
        return STATUS_FAILURE;
    put(out, status_word(reply, n));
    put_reply(out, reply, n, 12);
    explicit_bzero(reply, sizeof(reply));
    return 0;
}

/* The card's DB: RES, CK, IK; its DC: AUTS. MBIM has room for all of them at once. */
static uint32_t take_aka(const uint8_t *reply, size_t n, struct buffer *out) {
    uint8_t all[16 + 4 + 16 + 16 + 14] = {0};
    uint32_t status = STATUS_FAILURE;
    size_t res;

    if (n == 2 && reply[0] == 0x98 && reply[1] == 0x62)
        status = STATUS_INCORRECT_AUTN;
    if (n >= 18 && reply[0] == 0xdc) {
        memcpy(all + 52, reply + 2, 14);
        status = STATUS_SYNC_FAILURE;
    } else if (n > 2 && reply[0] == 0xdb && reply[1] <= 16 && n >= 2u + reply[1] + 17 + 17) {
        res = reply[1];
        memcpy(all, reply + 2, res);
        all[16] = (uint8_t)res;
        memcpy(all + 20, reply + 2 + res + 17 + 1, 16); /* IK */
        memcpy(all + 36, reply + 2 + res + 1, 16);      /* CK */
        status = 0;
    }
    put_octets(out, all, sizeof(all));
    out->length = sizeof(all);
    explicit_bzero(all, sizeof(all));
    return status;
}

static uint32_t aka(struct modem *modem, const uint8_t *in, size_t length, struct buffer *out) {
    uint8_t data[34], reply[CARD_REPLY_MAX];
    uint32_t status;
    size_t n;

    if (length < 32)
        return STATUS_INVALID_PARAMETERS;
    data[0] = data[17] = 16;
    memcpy(data + 1, in, 16);
    memcpy(data + 18, in + 16, 16);
    n = modem_authenticate(modem, NULL, 0x81, data, sizeof(data), reply);
    status = take_aka(reply, n, out);
    explicit_bzero(reply, sizeof(reply));
    return status;
}

static int operation_of(uint8_t service, uint32_t command) {
    if (service == SERVICE_AUTH && command == CID_AUTH_AKA)
        return MODEM_AUTHENTICATE;
    if (service == SERVICE_BASIC_CONNECT && command == CID_SUBSCRIBER_READY)
        return MODEM_STATUS;
    if (service == SERVICE_UICC && command == CID_UICC_OPEN)
        return MODEM_OPEN;
    if (service == SERVICE_UICC && command == CID_UICC_CLOSE)
        return MODEM_CLOSE;
    if (service == SERVICE_UICC && command == CID_UICC_APDU)
        return MODEM_APDU;
    return -1;
}

static uint32_t do_operation(struct modem *modem, int operation, const uint8_t *in, size_t length,
                             struct buffer *out) {
    if (modem->refusals[operation] != 0)
        return modem->refusals[operation];
    if (operation == MODEM_STATUS) {
        put_subscriber(modem, out);
        return 0;
    }
    if (!modem->present)
        return STATUS_NO_SIM;
    if (operation == MODEM_OPEN)
        return open_channel(modem, in, length, out);
    if (operation == MODEM_CLOSE)
        return close_channel(modem, in, length, out);
    if (operation == MODEM_APDU)
        return apdu(modem, in, length, out);
    return aka(modem, in, length, out);
}

static uint32_t atr(struct modem *modem, struct buffer *out) {
    uint8_t octets[CARD_ATR_MAX];
    const size_t n = card_atr(modem->card, octets);

    put(out, (uint32_t)n);
    put(out, 8);
    put_octets(out, octets, n);
    return 0;
}

static void command(struct modem *modem, struct modem_client *client, const uint8_t *message,
                    size_t length) {
    const uint8_t service = message[20];
    const uint32_t number = get(message + 36), size = get(message + 44);
    const int operation = operation_of(service, number);
    struct buffer out = {0};
    uint32_t status = STATUS_NO_SUPPORT;

    if (size > length - COMMAND_HEAD)
        status = STATUS_INVALID_PARAMETERS;
    else if (service == SERVICE_PROXY)
        status = 0;
    else if (service == SERVICE_UICC && number == CID_UICC_ATR)
        status = atr(modem, &out);
    else if (operation >= 0)
        status = do_operation(modem, operation, message + COMMAND_HEAD, size, &out);
    send_done(modem, client, message, status, &out);
    explicit_bzero(&out, sizeof(out));
}

/* --- The protocol ------------------------------------------------------------------------------------------- */

static size_t whole(const uint8_t *in, size_t length) {
    if (length < HEAD)
        return 0;
    if (get(in + 4) < HEAD || get(in + 4) > MODEM_MESSAGE_MAX)
        return SIZE_MAX;
    return length >= get(in + 4) ? get(in + 4) : 0;
}

static void take(struct modem *modem, struct modem_client *client, const uint8_t *message,
                 size_t length) {
    const uint32_t type = get(message);
    struct buffer done = {0};

    if (type == TYPE_COMMAND && length >= COMMAND_HEAD) {
        command(modem, client, message, length);
    } else if (type == TYPE_OPEN || type == TYPE_CLOSE) {
        put(&done, TYPE_DONE | type);
        put(&done, 0);
        put_octets(&done, message + 8, 4);
        put(&done, 0);
        send_message(modem, client, &done);
    }
}

static void tell(struct modem *modem, bool refresh) {
    struct buffer body, message;

    (void)refresh;
    for (unsigned i = 0; i < MODEM_CLIENTS_MAX; i++) {
        body.length = message.length = 0;
        put_subscriber(modem, &body);
        put(&message, TYPE_INDICATE);
        put(&message, 0);
        put(&message, 0);
        put(&message, 1);
        put(&message, 0);
        put_octets(&message, basic_connect, sizeof(basic_connect));
        put(&message, CID_SUBSCRIBER_READY);
        put(&message, (uint32_t)body.length);
        put_octets(&message, body.data, body.length);
        send_message(modem, &modem->clients[i], &message);
    }
}

const struct modem_protocol modem_mbim = {
    .name = "mbim",
    .proxy = "mbim-proxy",
    .whole = whole,
    .take = take,
    .tell = tell,
};
