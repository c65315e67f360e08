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

#include "modem-mbim.h"

enum {
    TYPE_OPEN = 1,
    TYPE_CLOSE = 2,
    TYPE_COMMAND = 3,
    HEAD = 12,
    FRAGMENT_HEAD = 20,
    TRANSFER_MIN = 64, /* as MBIM has it */
    COMMAND_HEAD = 48,

    /* Services, by the first octet of their UUIDs. */
    SERVICE_BASIC_CONNECT = 0xa2,
    SERVICE_AUTH = 0x1d,
    SERVICE_UICC = 0xc2,
    SERVICE_PROXY = 0x83,
    SERVICE_BASIC_CONNECT_EXTENSIONS = 0x3d,

    CID_DEVICE_CAPS = 1,
    CID_SUBSCRIBER_READY = 2,
    CID_SLOT_STATUS = 8,
    KIND_SET = 1,
    CID_AUTH_AKA = 1,
    CID_UICC_OPEN = 2,
    CID_UICC_CLOSE = 3,
    CID_UICC_APDU = 4,

    READY_INITIALIZED = 1,
    READY_NO_SIM = 2,
    READY_LOCKED = 6,

    STATUS_INCORRECT_AUTN = 35,
    STATUS_SYNC_FAILURE = 36,
};
static const uint32_t TYPE_DONE = 0x80000000u, TYPE_COMMAND_DONE = 0x80000003u,
                      TYPE_INDICATE = 0x80000007u, STATUS_NO_CHANNELS = 0x87430001u,
                      STATUS_SELECT_FAILED = 0x87430002u, STATUS_INVALID_CHANNEL = 0x87430003u;

static const uint8_t basic_connect[] = {0xa2, 0x89, 0xcc, 0x33, 0xbc, 0xbb, 0x8b, 0x4f,
                                        0xb6, 0xb0, 0x13, 0x3e, 0xc2, 0xaa, 0xe6, 0xdf};

uint32_t mbim_get(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void mbim_put(struct mbim_buffer *to, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        to->data[to->length++] = (uint8_t)(value >> 8 * i);
}

void mbim_put_octets(struct mbim_buffer *to, const void *data, size_t length) {
    memcpy(to->data + to->length, data, length);
    to->length += length;
    while (to->length % 4 != 0)
        to->data[to->length++] = 0;
}

void mbim_put_text(struct mbim_buffer *to, const char *text) {
    for (; *text; text++) {
        to->data[to->length++] = (uint8_t)*text;
        to->data[to->length++] = 0;
    }
    while (to->length % 4 != 0)
        to->data[to->length++] = 0;
}

static void set_u32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* What is longer than the client can take becomes fragments; each begins as the whole does. */
static void send_fragments(struct modem *modem, struct modem_client *client,
                           const struct mbim_buffer *message) {
    const size_t room = client->transfer_max - FRAGMENT_HEAD;
    const uint32_t total = (uint32_t)((message->length - FRAGMENT_HEAD + room - 1) / room);
    uint8_t fragment[sizeof(message->data)];

    memcpy(fragment, message->data, FRAGMENT_HEAD);
    set_u32(fragment + 12, total);
    for (uint32_t i = 0; i < total; i++) {
        const size_t at = FRAGMENT_HEAD + i * room, left = message->length - at;
        const size_t n = left < room ? left : room;

        memcpy(fragment + FRAGMENT_HEAD, message->data + at, n);
        set_u32(fragment + 4, (uint32_t)(FRAGMENT_HEAD + n));
        set_u32(fragment + 16, i);
        modem_send(modem, client, fragment, FRAGMENT_HEAD + n);
    }
    explicit_bzero(fragment, sizeof(fragment));
}

static void send_message(struct modem *modem, struct modem_client *client,
                         struct mbim_buffer *message) {
    set_u32(message->data + 4, (uint32_t)message->length);
    if (client->transfer_max > FRAGMENT_HEAD && message->length > client->transfer_max)
        send_fragments(modem, client, message);
    else
        modem_send(modem, client, message->data, message->length);
    explicit_bzero(message, sizeof(*message));
}

static void send_done(struct modem *modem, struct modem_client *client, const uint8_t *command,
                      uint32_t status, const struct mbim_buffer *out) {
    struct mbim_buffer message = {0};

    mbim_put(&message, TYPE_COMMAND_DONE);
    mbim_put(&message, 0);
    mbim_put_octets(&message, command + 8, 4);
    mbim_put(&message, 1);
    mbim_put(&message, 0);
    mbim_put_octets(&message, command + 20, 16 + 4);
    mbim_put(&message, status);
    mbim_put(&message, (uint32_t)out->length);
    mbim_put_octets(&message, out->data, out->length);
    send_message(modem, client, &message);
}

/* --- Services --------------------------------------------------------------------------------------------- */

static void put_subscriber(struct modem *modem, struct mbim_buffer *out) {
    const struct lab_subscriber *subscriber = modem->subscriber;
    const char *imsi = modem->present ? subscriber->imsi : "";
    const char *iccid = modem->present ? subscriber->iccid : "";
    const uint32_t imsi_size = 2 * (uint32_t)strlen(imsi), iccid_size = 2 * (uint32_t)strlen(iccid);
    const uint32_t head = 28, padded = (imsi_size + 3) / 4 * 4;

    mbim_put(out, !modem->present                                            ? READY_NO_SIM
                  : modem->options->card.pin_enabled && !modem->pin_verified ? READY_LOCKED
                                                                             : READY_INITIALIZED);
    mbim_put(out, imsi_size > 0 ? head : 0);
    mbim_put(out, imsi_size);
    mbim_put(out, iccid_size > 0 ? head + padded : 0);
    mbim_put(out, iccid_size);
    mbim_put(out, 0);
    mbim_put(out, 0);
    mbim_put_text(out, imsi);
    mbim_put_text(out, iccid);
}

/* SW1 is in the low octet of the word, SW2 in the next; the data has its length and its place. */
static void put_reply(struct mbim_buffer *out, const uint8_t *reply, size_t length,
                      uint32_t place) {
    mbim_put(out, (uint32_t)length - 2);
    mbim_put(out, place);
    mbim_put_octets(out, reply, length - 2);
}

static uint32_t status_word(const uint8_t *reply, size_t length) {
    return (uint32_t)(reply[length - 2] | reply[length - 1] << 8);
}

static uint32_t open_channel(struct modem *modem, const uint8_t *in, size_t length,
                             struct mbim_buffer *out) {
    uint8_t reply[CARD_REPLY_MAX];
    uint32_t size, place;
    unsigned channel;
    size_t n = 0;

    if (length < 16)
        return MBIM_STATUS_INVALID_PARAMETERS;
    size = mbim_get(in);
    place = mbim_get(in + 4);
    if (size == 0 || size > MODEM_AID_MAX || place > length || size > length - place)
        return MBIM_STATUS_INVALID_PARAMETERS;
    channel = modem_open(modem, in + place, size, reply, &n);
    if (channel == 0)
        return n == 2 && reply[0] == 0x6a && reply[1] == 0x81 ? STATUS_NO_CHANNELS
                                                              : STATUS_SELECT_FAILED;
    modem->groups[channel] = mbim_get(in + 12);
    mbim_put(out, status_word(reply, n));
    mbim_put(out, channel);
    put_reply(out, reply, n, 16);
    return 0;
}

/* One channel, or (0) all of a group. */
static uint32_t close_channel(struct modem *modem, const uint8_t *in, size_t length,
                              struct mbim_buffer *out) {
    if (length < 8)
        return MBIM_STATUS_INVALID_PARAMETERS;
    if (mbim_get(in) > 0 && !modem_close(modem, mbim_get(in)))
        return STATUS_INVALID_CHANNEL;
    for (unsigned i = 1; mbim_get(in) == 0 && i <= CARD_CHANNELS_MAX; i++)
        if (card_channel_is_open(modem->card, i) && modem->groups[i] == mbim_get(in + 4))
            (void)modem_close(modem, i);
    mbim_put(out, 0x0090);
    return 0;
}

static uint32_t apdu(struct modem *modem, const uint8_t *in, size_t length,
                     struct mbim_buffer *out) {
    uint8_t reply[CARD_REPLY_MAX];
    uint32_t channel, size, place;
    size_t n;

    if (length < 20)
        return MBIM_STATUS_INVALID_PARAMETERS;
    channel = mbim_get(in);
    size = mbim_get(in + 12);
    place = mbim_get(in + 16);
    if (size > CARD_COMMAND_MAX || place > length || size > length - place)
        return MBIM_STATUS_INVALID_PARAMETERS;
    if (channel > CARD_CHANNELS_MAX || !card_channel_is_open(modem->card, channel))
        return STATUS_INVALID_CHANNEL;
    n = modem_transmit_on(modem, channel, in + place, size, reply);
    if (n < 2)
        return MBIM_STATUS_FAILURE;
    mbim_put(out, status_word(reply, n));
    put_reply(out, reply, n, 12);
    explicit_bzero(reply, sizeof(reply));
    return 0;
}

/* The card's DB: RES, CK, IK; its DC: AUTS. MBIM has room for all of them at once. */
static uint32_t take_aka(const uint8_t *reply, size_t n, struct mbim_buffer *out) {
    uint8_t all[16 + 4 + 16 + 16 + 14] = {0};
    uint32_t status = MBIM_STATUS_FAILURE;
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
    mbim_put_octets(out, all, sizeof(all));
    out->length = sizeof(all);
    explicit_bzero(all, sizeof(all));
    return status;
}

static uint32_t aka(struct modem *modem, const uint8_t *in, size_t length,
                    struct mbim_buffer *out) {
    uint8_t data[34], reply[CARD_REPLY_MAX];
    uint32_t status;
    size_t n;

    if (length < 32)
        return MBIM_STATUS_INVALID_PARAMETERS;
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
    if (service == SERVICE_UICC &&
        (command == MBIM_UICC_FILE_STATUS || command == MBIM_UICC_READ_BINARY ||
         command == MBIM_UICC_READ_RECORD))
        return MODEM_READ;
    return -1;
}

static uint32_t run_command(struct modem *modem, uint8_t service, uint32_t number, bool set,
                            const uint8_t *in, size_t length, struct mbim_buffer *out) {
    const int operation = operation_of(service, number);

    if (operation >= 0 && modem->refusals[operation] != 0)
        return modem->refusals[operation];
    if (service == SERVICE_PROXY)
        return 0;
    if (service == SERVICE_BASIC_CONNECT && number == CID_DEVICE_CAPS) {
        mbim_put_device(out);
        return 0;
    }
    if (service == SERVICE_BASIC_CONNECT_EXTENSIONS && number == CID_SLOT_STATUS)
        return mbim_slot(modem, in, length, out);
    if (operation == MODEM_STATUS) {
        put_subscriber(modem, out);
        return 0;
    }
    if (service != SERVICE_UICC && operation < 0)
        return MBIM_STATUS_NO_SUPPORT;
    if (!modem->present)
        return MBIM_STATUS_NO_SIM;
    if (operation == MODEM_OPEN)
        return open_channel(modem, in, length, out);
    if (operation == MODEM_CLOSE)
        return close_channel(modem, in, length, out);
    if (operation == MODEM_APDU)
        return apdu(modem, in, length, out);
    if (operation == MODEM_AUTHENTICATE)
        return aka(modem, in, length, out);
    return mbim_card_command(modem, number, set, in, length, out);
}

static void command(struct modem *modem, struct modem_client *client, const uint8_t *message,
                    size_t length) {
    const uint32_t size = mbim_get(message + 44);
    struct mbim_buffer out = {0};
    uint32_t status = MBIM_STATUS_INVALID_PARAMETERS;

    if (size <= length - COMMAND_HEAD)
        status =
            run_command(modem, message[20], mbim_get(message + 36),
                        mbim_get(message + 40) == KIND_SET, message + COMMAND_HEAD, size, &out);
    send_done(modem, client, message, status, &out);
    explicit_bzero(&out, sizeof(out));
}

/* --- The protocol ------------------------------------------------------------------------------------------- */

static size_t whole(const uint8_t *in, size_t length) {
    if (length < HEAD)
        return 0;
    if (mbim_get(in + 4) < HEAD || mbim_get(in + 4) > MODEM_MESSAGE_MAX)
        return SIZE_MAX;
    return length >= mbim_get(in + 4) ? mbim_get(in + 4) : 0;
}

/* Takes a fragment of a command in; true when it was the last, and the command is whole. */
static bool gather(struct modem_client *client, const uint8_t *message, size_t length) {
    const size_t from = mbim_get(message + 16) == 0 ? 0 : FRAGMENT_HEAD;

    if (from == 0)
        client->fragments_length = client->fragment_next = 0;
    if (mbim_get(message + 16) != client->fragment_next ||
        length - from > sizeof(client->fragments) - client->fragments_length) {
        client->fragments_length = 0;
        client->fragment_next = UINT32_MAX; /* what follows belongs to nothing */
        return false;
    }
    memcpy(client->fragments + client->fragments_length, message + from, length - from);
    client->fragments_length += length - from;
    client->fragment_next++;
    return client->fragment_next == mbim_get(message + 12);
}

static void take_command(struct modem *modem, struct modem_client *client, const uint8_t *message,
                         size_t length) {
    if (mbim_get(message + 12) <= 1 && length >= COMMAND_HEAD) {
        command(modem, client, message, length);
    } else if (mbim_get(message + 12) > 1 && gather(client, message, length)) {
        if (client->fragments_length >= COMMAND_HEAD)
            command(modem, client, client->fragments, client->fragments_length);
        explicit_bzero(client->fragments, sizeof(client->fragments));
        client->fragments_length = 0;
    }
}

static void take(struct modem *modem, struct modem_client *client, const uint8_t *message,
                 size_t length) {
    const uint32_t type = mbim_get(message);
    struct mbim_buffer done = {0};

    if (type == TYPE_COMMAND && length >= FRAGMENT_HEAD) {
        take_command(modem, client, message, length);
    } else if (type == TYPE_OPEN || type == TYPE_CLOSE) {
        if (type == TYPE_OPEN && length >= HEAD + 4)
            client->transfer_max =
                mbim_get(message + HEAD) < TRANSFER_MIN ? TRANSFER_MIN : mbim_get(message + HEAD);
        mbim_put(&done, TYPE_DONE | type);
        mbim_put(&done, 0);
        mbim_put_octets(&done, message + 8, 4);
        mbim_put(&done, 0);
        send_message(modem, client, &done);
    }
}

static void tell(struct modem *modem, bool refresh) {
    struct mbim_buffer body, message;

    (void)refresh;
    for (unsigned i = 0; i < MODEM_CLIENTS_MAX; i++) {
        body.length = message.length = 0;
        put_subscriber(modem, &body);
        mbim_put(&message, TYPE_INDICATE);
        mbim_put(&message, 0);
        mbim_put(&message, 0);
        mbim_put(&message, 1);
        mbim_put(&message, 0);
        mbim_put_octets(&message, basic_connect, sizeof(basic_connect));
        mbim_put(&message, CID_SUBSCRIBER_READY);
        mbim_put(&message, (uint32_t)body.length);
        mbim_put_octets(&message, body.data, body.length);
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
