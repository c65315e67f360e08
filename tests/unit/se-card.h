/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A card with applets for tests, behind struct transport: channels 1 to 19, what is selected on each, and
 * for each applet what it answers to which command. It fails the test when it is used against transport.h or ISO/IEC
 * 7816-4: a command on a channel that is not open, a transaction inside another.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transport.h"
#include "util.h"

#define SE_APPLETS  8
#define SE_CHANNELS (UICC_CHANNEL_MAX + 1)

struct se_answer {
    const char *command;  /* hex of what follows the class; NULL ends the list */
    const char *response; /* hex with status word */
};

struct se_applet {
    const char *aid;    /* hex */
    const char *select; /* hex with status word */
    const struct se_answer *answers;
};

struct se_card {
    struct transport transport;
    struct se_applet applets[SE_APPLETS];
    size_t applets_count;

    /* What is odd about it. */
    uint8_t channel_first; /* that it gives; 1 */
    uint16_t channel_sw;   /* MANAGE CHANNEL is refused with this */
    const char *channel_data;
    int begin_outcome;  /* of the next begin() */
    unsigned fail_at;   /* the exchange, from 1, that fails */
    int fail_with;

    /* What happened. */
    bool begun;
    bool open[SE_CHANNELS];
    const struct se_applet *selected[SE_CHANNELS];
    unsigned exchanges, opens, closes, begins;
    uint8_t last_class;
    char last_command[2 * APDU_COMMAND_MAX + 1];
};

static inline size_t se_hex(const char *text, uint8_t *ret, size_t size) {
    size_t length;

    assert_int_equal(hex_decode(text, ret, size, &length), 0);
    return length;
}

static inline unsigned se_card_open_channels(const struct se_card *card) {
    unsigned count = 0;

    for (size_t i = 1; i < SE_CHANNELS; i++)
        count += card->open[i];
    return count;
}

static inline void se_card_reset(struct se_card *card) {
    memset(card->open, 0, sizeof(card->open));
    memset(card->selected, 0, sizeof(card->selected));
    card->begin_outcome = UICC_E_RESET;
}

static inline uint8_t se_class_channel(uint8_t cla) {
    return cla & 0x40 ? (uint8_t)(4 + (cla & 0x0f)) : cla & 0x03;
}

static inline uint8_t se_card_take_channel(struct se_card *card) {
    for (uint8_t i = card->channel_first; i < SE_CHANNELS; i++)
        if (!card->open[i]) {
            card->open[i] = true;
            card->selected[i] = NULL;
            card->opens++;
            return i;
        }
    return 0;
}

static inline const struct se_applet *se_card_find(const struct se_card *card, const uint8_t *aid,
                                                   size_t length) {
    uint8_t full[AID_MAX];

    for (size_t i = 0; i < card->applets_count; i++)
        if (se_hex(card->applets[i].aid, full, sizeof(full)) >= length &&
            memcmp(full, aid, length) == 0)
            return &card->applets[i];
    return NULL;
}

static inline size_t se_card_channel(struct se_card *card, const uint8_t *command, uint8_t *ret) {
    assert_int_equal(command[0], 0);
    if (command[2] == 0x80) {
        assert_in_range(command[3], 1, UICC_CHANNEL_MAX);
        assert_true(card->open[command[3]]);
        card->open[command[3]] = false;
        card->closes++;
        return se_hex("9000", ret, 2);
    }
    if (card->channel_sw != 0) {
        ret[0] = (uint8_t)(card->channel_sw >> 8);
        ret[1] = (uint8_t)card->channel_sw;
        return 2;
    }
    if (card->channel_data)
        return se_hex(card->channel_data, ret, APDU_RESPONSE_MAX);
    ret[0] = se_card_take_channel(card);
    ret[1] = 0x90;
    ret[2] = 0x00;
    return 3;
}

static inline size_t se_card_execute(struct se_card *card, const uint8_t *command, size_t length,
                                     uint8_t *ret) {
    uint8_t channel = se_class_channel(command[0]);

    if (command[1] == 0x70)
        return se_card_channel(card, command, ret);
    assert_true(card->open[channel]);
    if (command[1] == 0xa4 && command[2] == 0x04) {
        card->selected[channel] = se_card_find(card, command + 5, command[4]);
        return se_hex(card->selected[channel] ? card->selected[channel]->select : "6a82", ret,
                      APDU_RESPONSE_MAX);
    }
    assert_non_null(card->selected[channel]);
    hex_encode(command + 1, length - 1, card->last_command);
    for (const struct se_answer *a = card->selected[channel]->answers; a && a->command; a++)
        if (strcmp(a->command, card->last_command) == 0)
            return se_hex(a->response, ret, APDU_RESPONSE_MAX);
    return se_hex("6d00", ret, 2);
}

static inline int se_card_transmit(struct transport *transport, const uint8_t *command,
                                   size_t length, uint8_t *ret, size_t size, size_t *ret_length,
                                   struct failure *failure) {
    struct se_card *card = (struct se_card *)transport;

    assert_true(card->begun);
    assert_in_range(length, 4, APDU_COMMAND_MAX);
    assert_true(size >= APDU_RESPONSE_MAX);
    card->exchanges++;
    if (card->fail_at == card->exchanges) {
        if (card->fail_with == UICC_E_RESET)
            se_card_reset(card);
        card->begin_outcome = 0;
        return failure_set(failure, card->fail_with, "as the test says");
    }
    card->last_class = command[0];
    *ret_length = se_card_execute(card, command, length, ret);
    return 0;
}

static inline int se_card_begin(struct transport *transport, struct failure *failure) {
    struct se_card *card = (struct se_card *)transport;
    int r = card->begin_outcome;

    assert_false(card->begun);
    card->begin_outcome = 0;
    card->begins++;
    card->begun = r == 0 || r == UICC_E_RESET;
    return r == 0 ? 0 : failure_set(failure, r, "as the test says");
}

static inline void se_card_end(struct transport *transport) {
    struct se_card *card = (struct se_card *)transport;

    assert_true(card->begun);
    card->begun = false;
}

static inline int se_card_open(struct transport *transport, const uint8_t *aid, size_t aid_length,
                               uint8_t *ret_channel, uint8_t *ret, size_t size, size_t *ret_length,
                               struct failure *failure) {
    struct se_card *card = (struct se_card *)transport;
    uint8_t channel;

    assert_true(card->begun);
    if (card->channel_sw != 0)
        return failure_set(failure, UICC_E_NO_CHANNEL, "as the test says");
    channel = se_card_take_channel(card);
    card->selected[channel] = se_card_find(card, aid, aid_length);
    *ret_channel = channel;
    *ret_length =
        se_hex(card->selected[channel] ? card->selected[channel]->select : "6a82", ret, size);
    return 0;
}

static inline void se_card_close(struct transport *transport, uint8_t channel) {
    struct se_card *card = (struct se_card *)transport;

    assert_true(card->begun && card->open[channel]);
    card->open[channel] = false;
    card->closes++;
}

static inline void se_card_init(struct se_card *card) {
    static const struct transport_ops ops = {.begin = se_card_begin,
                                             .end = se_card_end,
                                             .transmit = se_card_transmit,
                                             .open_channel = se_card_open,
                                             .close_channel = se_card_close};

    *card = (struct se_card){.transport = {.ops = &ops}, .channel_first = 1};
}

static inline void se_card_add(struct se_card *card, const char *aid, const char *select,
                               const struct se_answer *answers) {
    assert_true(card->applets_count < SE_APPLETS);
    card->applets[card->applets_count++] =
        (struct se_applet){.aid = aid, .select = select, .answers = answers};
}
