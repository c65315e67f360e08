/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card: from the octets of a command APDU to the octets of its answer.
 *
 * A command is parsed, found in the table, run on its logical channel, and its answer brought into
 * the shape that the card's protocol gives it. TS 102 221 clauses 7.3 (shapes), 10.1 (classes and
 * channels) and 11.1 (commands).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "card-internal.h"

enum {
    HEADER = 4,
    INS_AUTHENTICATE = 0x88,
    INS_GET_RESPONSE = 0xc0,
    INS_MANAGE_CHANNEL = 0x70,
};

int card_new(const struct card_options *options, struct card **ret_card) {
    struct card *card;
    int r;

    if (options->channels > CARD_CHANNELS_MAX || options->res_length < 4 ||
        options->res_length > MILENAGE_RES ||
        (options->subscriber->key.is_tuak &&
         options->res_length != options->subscriber->key.tuak_res) ||
        options->subscriber->ind_bits > SQN_IND_BITS_MAX)
        return -EINVAL;
    card = calloc(1, sizeof(*card));
    if (!card)
        return -ENOMEM;
    card->subscriber = *options->subscriber;
    card->options = *options;
    card->options.subscriber = &card->subscriber;
    card->memory.pin_retries = CARD_PIN_RETRIES;
    for (size_t i = 0; i < 2; i++) {
        memset(card->memory.gba[i].gbabp, 0xff, sizeof(card->memory.gba[i].gbabp));
        memset(card->memory.gba[i].gbanl, 0xff, sizeof(card->memory.gba[i].gbanl));
    }
    sqn_init(&card->memory.sqn, card->subscriber.ind_bits, card->subscriber.sqn);
    if (card->subscriber.has_ara)
        (void)card_set_ara(card, card->subscriber.ara, card->subscriber.ara_length);
    r = card_fs_init(card);
    if (r < 0) {
        card_free(card);
        return r;
    }
    *ret_card = card;
    return 0;
}

void card_free(struct card *card) {
    if (!card)
        return;
    card_fs_done(card);
    explicit_bzero(card, sizeof(*card));
    free(card);
}

static void forget_pending(struct card *card) {
    explicit_bzero(&card->pending, sizeof(card->pending));
}

void card_reset(struct card *card) {
    for (size_t i = 0; i <= CARD_CHANNELS_MAX; i++)
        card->channels[i] = (struct card_channel){0};
    card->channels[0].open = true;
    card_fs_select_mf(&card->channels[0]);
    card->pin_verified = false;
    card_sim_reset(card);
    forget_pending(card);
}

void card_power(struct card *card, bool on) {
    card->powered = on;
    card_reset(card);
}

unsigned card_count_apdus(const struct card *card) {
    return card->apdus;
}

unsigned card_count_authenticates(const struct card *card) {
    return card->authenticates;
}

bool card_channel_is_open(const struct card *card, unsigned number) {
    return number <= CARD_CHANNELS_MAX && card->powered && card->channels[number].open;
}

void card_believe(struct card *card, enum card_belief belief) {
    card->belief = belief;
}

void card_truncate(struct card *card, size_t octets) {
    card->truncate = octets;
}

struct card_memory *card_memory(struct card *card) {
    return &card->memory;
}

bool card_is_authenticate(const uint8_t *command, size_t length) {
    return length >= 2 && (command[1] & 0xfe) == INS_AUTHENTICATE;
}

static uint16_t open_channel(struct card *card, const struct card_command *command,
                             struct card_answer *answer) {
    const struct card_channel *from = &card->channels[command->channel];

    if (command->p2 != 0)
        return SW_WRONG_P1_P2;
    if (card->options.shape == CARD_SHAPE_T0 && command->le != 1)
        return SW_EXACT_LENGTH | 1;
    for (unsigned i = 1; i <= card->options.channels; i++) {
        struct card_channel *channel = &card->channels[i];

        if (channel->open)
            continue;
        /*
         * From the basic channel it starts at the MF, from another as that one stands (clause
         * 8.7).
         */
        if (command->channel == 0)
            card_fs_select_mf(channel);
        else
            *channel = *from;
        channel->open = true;
        answer->data[answer->length++] = (uint8_t)i;
        return SW_OK;
    }
    return SW_NOT_SUPPORTED;
}

static uint16_t close_channel(struct card *card, unsigned number) {
    if (number == 0)
        return SW_WRONG_P1_P2;
    if (number > card->options.channels || !card->channels[number].open)
        return SW_CHANNEL;
    card->channels[number] = (struct card_channel){0};
    return SW_OK;
}

static uint16_t manage_channel(struct card *card, const struct card_command *command,
                               struct card_answer *answer) {
    if (card->options.channels == 0)
        return SW_CHANNEL;
    if (command->p1 == 0x00)
        return open_channel(card, command, answer);
    if (command->p1 == 0x80)
        return close_channel(card, command->p2);
    return SW_WRONG_P1_P2;
}

/* What the terminal can do is of no interest to this card. */
static uint16_t terminal_profile(struct card *card, const struct card_command *command,
                                 struct card_answer *answer) {
    (void)card, (void)command, (void)answer;
    return SW_OK;
}

static uint16_t get_response(struct card *card, const struct card_command *command,
                             struct card_answer *answer) {
    if (command->p1 != 0 || command->p2 != 0)
        return SW_WRONG_P1_P2;
    if (card->pending.length == 0 || card->pending_channel != command->channel)
        return SW_CONDITIONS;
    *answer = card->pending;
    return SW_OK;
}

static const struct {
    uint8_t cla, ins;
    card_handler run;
} handlers[] = {
    {0x00, 0xa4, card_fs_select},
    {0x80, 0xf2, card_fs_status},
    {0x00, 0xb0, card_fs_read_binary},
    {0x00, 0xb2, card_fs_read_record},
    {0x00, 0xd6, card_fs_update_binary},
    {0x00, 0xdc, card_fs_update_record},
    {0x00, 0x20, card_pin_verify},
    {0x00, INS_MANAGE_CHANNEL, manage_channel},
    {0x00, INS_AUTHENTICATE, card_authenticate},
    {0x00, INS_GET_RESPONSE, get_response},
    {0x80, 0x10, terminal_profile},
};

static uint16_t find_handler(const struct card_command *command, card_handler *ret_run) {
    uint16_t sw = SW_INS;

    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].ins != command->ins)
            continue;
        if (handlers[i].cla == command->cla) {
            *ret_run = handlers[i].run;
            return SW_OK;
        }
        sw = SW_CLA;
    }
    return sw;
}

/* Class and channel (TS 102 221 clause 10.1.1). */
static uint16_t parse_class(uint8_t cla, struct card_command *ret_command) {
    if ((cla & 0x70) == 0x00) {
        if ((cla & 0x0c) != 0)
            return SW_SECURE_MESSAGING;
        ret_command->channel = cla & 0x03;
    } else if ((cla & 0x40) != 0) {
        if ((cla & 0x20) != 0)
            return SW_SECURE_MESSAGING;
        if ((cla & 0x10) != 0)
            return SW_CLA;
        ret_command->channel = 4 + (cla & 0x0f);
    } else {
        return SW_CLA;
    }
    ret_command->cla = cla & 0x80;
    return SW_OK;
}

/* The four cases of a short APDU (ISO 7816-3 clause 12.1.3). */
static uint16_t parse(const uint8_t *octets, size_t length, struct card_command *ret_command) {
    size_t data_length;

    *ret_command = (struct card_command){.le = CARD_NO_LE};
    if (length < HEADER || length > CARD_COMMAND_MAX)
        return SW_WRONG_LENGTH;
    ret_command->ins = octets[1];
    ret_command->p1 = octets[2];
    ret_command->p2 = octets[3];
    if (length == HEADER + 1)
        ret_command->le = octets[HEADER] != 0 ? octets[HEADER] : 256;
    if (length > HEADER + 1) {
        data_length = octets[HEADER];
        if (data_length == 0 ||
            (length != HEADER + 1 + data_length && length != HEADER + 2 + data_length))
            return SW_WRONG_LENGTH;
        ret_command->data = octets + HEADER + 1;
        ret_command->length = data_length;
        if (length == HEADER + 2 + data_length)
            ret_command->le = octets[length - 1] != 0 ? octets[length - 1] : 256;
    }
    return parse_class(octets[0], ret_command);
}

static size_t reply_with(uint8_t *ret_reply, const uint8_t *data, size_t length, uint16_t sw) {
    if (length > 0)
        memcpy(ret_reply, data, length);
    ret_reply[length] = (uint8_t)(sw >> 8);
    ret_reply[length + 1] = (uint8_t)sw;
    return length + 2;
}

/* Keeps what ANSWER has from OFFSET on for GET RESPONSE; the status word that says so. */
static uint16_t keep(struct card *card, const struct card_command *command,
                     const struct card_answer *answer, size_t offset) {
    struct card_answer rest = {.length = answer->length - offset};

    memcpy(rest.data, answer->data + offset, rest.length);
    card->pending = rest;
    card->pending_channel = command->channel;
    explicit_bzero(&rest, sizeof(rest));
    return (uint16_t)(SW_MORE_DATA | (card->pending.length & 0xff));
}

/*
 * Data leaves at once as far as Le goes. A protocol of T=0 cannot give data to a command that
 * brought data; and no Le at all asks for none: GET RESPONSE fetches it then.
 */
static size_t shape(struct card *card, const struct card_command *command,
                    const struct card_answer *answer, uint8_t *ret_reply) {
    bool t0 = card->options.shape == CARD_SHAPE_T0;
    size_t wanted = command->le == CARD_NO_LE ? 0 : (size_t)command->le;

    if (t0 && command->length == 0) {
        wanted = command->le == CARD_NO_LE ? 256 : (size_t)command->le;
        if (wanted > answer->length) {
            if (command->ins == INS_GET_RESPONSE)
                keep(card, command, answer, 0);
            return reply_with(ret_reply, NULL, 0,
                              (uint16_t)(SW_EXACT_LENGTH | (answer->length & 0xff)));
        }
    }
    if (t0 && command->length > 0)
        wanted = 0;
    if (wanted >= answer->length)
        return reply_with(ret_reply, answer->data, answer->length, SW_OK);
    return reply_with(ret_reply, answer->data, wanted, keep(card, command, answer, wanted));
}

static uint16_t run(struct card *card, const uint8_t *octets, size_t length,
                    struct card_command *ret_command, struct card_answer *answer) {
    card_handler handler;
    uint16_t sw;

    sw = parse(octets, length, ret_command);
    if (sw != SW_OK)
        return sw;
    if (!card->channels[ret_command->channel].open)
        return SW_CHANNEL;
    if (card_applet_run(card, ret_command, answer, &sw))
        return sw;
    sw = find_handler(ret_command, &handler);
    if (sw != SW_OK)
        return sw;
    return handler(card, ret_command, answer);
}

size_t card_transmit(struct card *card, const uint8_t *command, size_t length,
                     uint8_t ret_reply[CARD_REPLY_MAX]) {
    struct card_answer answer = {.length = 0};
    struct card_command parsed;
    size_t reply_length;
    uint16_t sw;

    if (!card->powered)
        return 0;
    card->apdus++;
    if (card_is_authenticate(command, length))
        card->authenticates++;
    if (card->subscriber.sim)
        return card_sim_transmit(card, command, length, ret_reply);
    sw = run(card, command, length, &parsed, &answer);
    forget_pending(card);
    if (sw == SW_OK && answer.more > 0)
        reply_length = reply_with(ret_reply, answer.data, answer.length,
                                  (uint16_t)(SW_MORE_DATA | (answer.more < 256 ? answer.more : 0)));
    else if (sw == SW_OK && answer.length > 0)
        reply_length = shape(card, &parsed, &answer, ret_reply);
    else
        reply_length = reply_with(ret_reply, NULL, 0, sw);
    explicit_bzero(&answer, sizeof(answer));
    return reply_length;
}
