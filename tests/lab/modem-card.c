/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's modems: what any modem does with its card.
 *
 * A modem has the card's basic channel for itself, with the USIM selected on it, and opens others for whoever asks. It
 * manages channels itself: a class octet that names another channel than the one beside the command is set right.
 */
#include <stdio.h>
#include <string.h>

#include "card-state.h"
#include "modem.h"
#include "usim.h"

enum { INS_VERIFY = 0x20 };

const char *const modem_operation_names[MODEM_OPERATIONS] = {
    "open", "close", "apdu", "authenticate", "read", "status", "pin"};

/* Before an answer leaves, what the card must remember is on disk: as a card does it. */
static void save_memory(struct modem *modem) {
    const struct modem_options *options = modem->options;
    const struct card_memory *memory = card_memory(modem->card);
    int r;

    if (!options->state || modem->subscriber != options->card.subscriber ||
        memcmp(memory, &modem->saved, sizeof(*memory)) == 0)
        return;
    r = card_state_save(options->state, modem->subscriber, memory);
    if (r < 0)
        fprintf(stderr, "keystrap-lab: %s cannot be written: %s\n", options->state, strerror(-r));
    modem->saved = *memory;
}

size_t modem_transmit(struct modem *modem, const uint8_t *command, size_t length,
                      uint8_t ret_reply[CARD_REPLY_MAX]) {
    bool happened[FAULT_KINDS];
    const struct fault *other;
    size_t n;

    if (!modem->present)
        return 0;
    if (modem->options->verbose)
        usim_trace_command(stderr, command, length);
    faults_next(&modem->faults, command, length, happened);
    if (happened[FAULT_STATUS] || happened[FAULT_ANSWER]) {
        other = &modem->faults.list[happened[FAULT_STATUS] ? FAULT_STATUS : FAULT_ANSWER];
        memcpy(ret_reply, other->octets, other->length);
        n = other->length;
    } else {
        n = card_transmit(modem->card, command, length, ret_reply);
    }
    if (length > 5 && command[1] == INS_VERIFY && n == 2 && ret_reply[0] == 0x90)
        modem->pin_verified = true;
    save_memory(modem);
    if (modem->options->verbose)
        usim_trace_answer(stderr, command, length, ret_reply, n);
    modem->late_msec = modem->faults.delay_msec;
    if (happened[FAULT_SILENT]) {
        modem->late_msec += modem->faults.list[FAULT_SILENT].msec;
        modem->lost = modem->faults.list[FAULT_SILENT].msec == 0;
    }
    if (modem->reset_msec != MODEM_NEVER && card_is_authenticate(command, length)) {
        modem_reset(modem, (unsigned)modem->reset_msec);
        return 0;
    }
    if (happened[FAULT_DROP])
        modem_card_out(modem);
    return n;
}

static uint8_t class_on(uint8_t class, unsigned channel) {
    const uint8_t proprietary = class & 0x80;

    if (channel < 4)
        return (uint8_t)((class & 0xbc) | channel);
    return (uint8_t)(proprietary | 0x40 | (channel - 4));
}

size_t modem_transmit_on(struct modem *modem, unsigned channel, const uint8_t *command,
                         size_t length, uint8_t ret_reply[CARD_REPLY_MAX]) {
    uint8_t copy[CARD_COMMAND_MAX];
    size_t n;

    if (length == 0 || length > sizeof(copy))
        return 0;
    memcpy(copy, command, length);
    copy[0] = class_on(command[0], channel);
    n = modem_transmit(modem, copy, length, ret_reply);
    explicit_bzero(copy, sizeof(copy));
    return n;
}

static bool succeeded(const uint8_t *reply, size_t length) {
    return length >= 2 && reply[length - 2] == 0x90;
}

static size_t select_aid(struct modem *modem, unsigned channel, const uint8_t *aid, size_t length,
                         uint8_t ret_reply[CARD_REPLY_MAX]) {
    uint8_t command[6 + MODEM_AID_MAX] = {0x00, 0xa4, 0x04, 0x04, (uint8_t)length};

    memcpy(command + 5, aid, length);
    return modem_transmit_on(modem, channel, command, 6 + length, ret_reply);
}

static size_t select_file(struct modem *modem, unsigned channel, uint16_t file,
                          uint8_t ret_reply[CARD_REPLY_MAX]) {
    const uint8_t command[] = {0x00,          0xa4, 0x00, 0x04, 0x02, (uint8_t)(file >> 8),
                               (uint8_t)file, 0};

    return modem_transmit_on(modem, channel, command, sizeof(command), ret_reply);
}

static unsigned open_channel(struct modem *modem, uint8_t ret_reply[CARD_REPLY_MAX],
                             size_t *ret_length) {
    static const uint8_t open[] = {0x00, 0x70, 0x00, 0x00, 0x01};

    *ret_length = modem_transmit(modem, open, sizeof(open), ret_reply);
    return *ret_length == 3 && succeeded(ret_reply, 3) ? ret_reply[0] : 0;
}

unsigned modem_open(struct modem *modem, const uint8_t *aid, size_t length,
                    uint8_t ret_reply[CARD_REPLY_MAX], size_t *ret_length) {
    unsigned channel;

    if (length == 0 || length > MODEM_AID_MAX)
        return 0;
    channel = open_channel(modem, ret_reply, ret_length);
    if (channel == 0)
        return 0;
    *ret_length = select_aid(modem, channel, aid, length, ret_reply);
    modem->opened++;
    if (succeeded(ret_reply, *ret_length))
        return channel;
    (void)modem_close(modem, channel);
    return 0;
}

static bool close_channel(struct modem *modem, unsigned channel) {
    const uint8_t close[] = {0x00, 0x70, 0x80, (uint8_t)channel};
    uint8_t reply[CARD_REPLY_MAX];
    size_t n = modem_transmit(modem, close, sizeof(close), reply);

    return succeeded(reply, n);
}

bool modem_close(struct modem *modem, unsigned channel) {
    if (channel == 0 || channel > CARD_CHANNELS_MAX || !card_channel_is_open(modem->card, channel))
        return false;
    modem->groups[channel] = 0;
    modem->closed++;
    return close_channel(modem, channel);
}

unsigned modem_channels(const struct modem *modem) {
    unsigned count = 0;

    for (unsigned i = 1; i <= CARD_CHANNELS_MAX; i++)
        count += card_channel_is_open(modem->card, i);
    return count;
}

size_t modem_authenticate(struct modem *modem, const struct modem_application *application,
                          uint8_t p2, const uint8_t *data, size_t length,
                          uint8_t ret_reply[CARD_REPLY_MAX]) {
    uint8_t command[CARD_COMMAND_MAX] = {0x00, 0x88, 0x00, p2, (uint8_t)length};
    uint8_t ignored[CARD_REPLY_MAX];
    unsigned channel = 0;
    size_t n, opened;

    if (length > 255)
        return 0;
    if (application) {
        channel = modem_open(modem, application->aid, application->length, ignored, &opened);
        if (channel == 0)
            return 0;
    }
    memcpy(command + 5, data, length);
    n = modem_transmit_on(modem, channel, command, length + 6, ret_reply);
    explicit_bzero(command, sizeof(command));
    if (channel > 0)
        (void)modem_close(modem, channel);
    return n;
}

size_t modem_on_file(struct modem *modem, const struct modem_application *application,
                     uint16_t file, const uint8_t *command, size_t length,
                     uint8_t ret_reply[CARD_REPLY_MAX]) {
    unsigned channel;
    size_t n;

    channel = open_channel(modem, ret_reply, &n);
    if (channel == 0)
        return n;
    if (application)
        n = select_aid(modem, channel, application->aid, application->length, ret_reply);
    else
        n = select_file(modem, channel, 0x3f00, ret_reply);
    if (succeeded(ret_reply, n))
        n = select_file(modem, channel, file, ret_reply);
    if (command && succeeded(ret_reply, n))
        n = modem_transmit_on(modem, channel, command, length, ret_reply);
    (void)close_channel(modem, channel);
    return n;
}

/* A record of EF_DIR: 61 LL, in it 4F LL AID. */
static void take_record(struct modem *modem, const uint8_t *record, size_t length) {
    static const uint8_t rid[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10};
    struct modem_application *to;

    for (size_t i = 2; i + 2 <= length && record[0] == 0x61; i += 2u + record[i + 1]) {
        const uint8_t *aid = record + i + 2;
        const size_t n = record[i + 1];

        if (record[i] != 0x4f || n < 7 || n > MODEM_AID_MAX || i + 2 + n > length ||
            memcmp(aid, rid, sizeof(rid)) != 0)
            continue;
        to = aid[6] == 0x02 ? &modem->usim : &modem->isim;
        if (aid[6] != 0x02 && aid[6] != 0x04)
            continue;
        memcpy(to->aid, aid, n);
        to->length = n;
    }
}

void modem_card_in(struct modem *modem) {
    uint8_t command[] = {0x00, 0xb2, 0x01, 0x04, 0x00}, reply[CARD_REPLY_MAX];
    size_t n;

    modem->present = true;
    modem->pin_verified = false;
    modem->usim.length = modem->isim.length = 0;
    card_power(modem->card, true);
    (void)select_file(modem, 0, 0x3f00, reply);
    n = select_file(modem, 0, 0x2f00, reply);
    for (command[2] = 1; succeeded(reply, n) && command[2] < 20; command[2]++) {
        n = modem_transmit(modem, command, sizeof(command), reply);
        if (n == 2 && reply[0] == 0x6c) {
            command[4] = reply[1];
            n = modem_transmit(modem, command, sizeof(command), reply);
        }
        if (succeeded(reply, n))
            take_record(modem, reply, n - 2);
    }
    if (modem->usim.length > 0)
        (void)select_aid(modem, 0, modem->usim.aid, modem->usim.length, reply);
}

void modem_card_out(struct modem *modem) {
    modem->present = false;
    card_power(modem->card, false);
    memset(modem->groups, 0, sizeof(modem->groups));
    if (modem->options->protocol->tell)
        modem->options->protocol->tell(modem, false);
}

bool modem_switch_slot(struct modem *modem, unsigned slot) {
    struct card *card = modem->card;
    const struct lab_subscriber *subscriber = modem->subscriber;
    const bool present = modem->present;

    if (!modem->other || slot < 1 || slot > 2)
        return false;
    if (slot == modem->slot)
        return true;
    /* For whoever listens the card of the one slot goes before that of the other comes. */
    modem_card_out(modem);
    modem->card = modem->other;
    modem->subscriber = modem->other_subscriber;
    modem->present = modem->other_present;
    modem->other = card;
    modem->other_subscriber = subscriber;
    modem->other_present = present;
    modem->slot = slot;
    if (modem->present)
        modem_card_in(modem);
    if (modem->options->protocol->tell)
        modem->options->protocol->tell(modem, false);
    return true;
}
