/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Applets: what is selected by name beside the UICC's own applications, and an applet that answers
 * with whatever its caller wants to see.
 */
#include <stdlib.h>
#include <string.h>

#include "card-internal.h"

struct card_applet {
    uint8_t aid[CARD_AID_MAX];
    size_t aid_length;
    bool (*is_there)(const struct card *card);
    card_handler run;
};

static bool always(const struct card *card) {
    (void)card;
    return true;
}

static bool has_ara(const struct card *card) {
    return card->applets.has_ara;
}

/* As much as fits into one answer; GET RESPONSE brings the rest. */
static uint16_t give(struct card *card, const struct card_command *command, size_t length,
                     struct card_answer *answer) {
    struct card_applets *applets = &card->applets;
    bool at_once = card->options.shape == CARD_SHAPE_T1 || command->length == 0;
    size_t first = at_once ? sizeof(answer->data) : 0;

    if (length <= sizeof(answer->data)) {
        memcpy(answer->data, applets->rest, length);
        answer->length = length;
        applets->rest_length = 0;
        return SW_OK;
    }
    memcpy(answer->data, applets->rest, first);
    answer->length = first;
    memmove(applets->rest, applets->rest + first, length - first);
    applets->rest_length = length - first;
    applets->rest_channel = command->channel;
    answer->more = applets->rest_length;
    return SW_OK;
}

static uint16_t give_pattern(struct card *card, const struct card_command *command,
                             struct card_answer *answer) {
    size_t length = (size_t)command->p1 << 8 | command->p2;

    if (length > CARD_LONG_MAX)
        return SW_WRONG_P1_P2;
    for (size_t i = 0; i < length; i++)
        card->applets.rest[i] = (uint8_t)i;
    return give(card, command, length, answer);
}

static uint16_t verify(const struct card_command *command) {
    if (command->length == 4 && memcmp(command->data, "1234", 4) == 0)
        return SW_OK;
    return SW_PIN_TRIES | 2;
}

static uint16_t run_echo(struct card *card, const struct card_command *command,
                         struct card_answer *answer) {
    card->applets.commands++;
    if (command->cla == 0x00)
        return command->ins == 0x20 ? verify(command) : SW_INS;
    switch (command->ins) {
    case 0x10:
        if (command->length > 0)
            memcpy(answer->data, command->data, command->length);
        answer->length = command->length;
        return SW_OK;
    case 0x12:
        return give_pattern(card, command, answer);
    case 0x14:
        for (unsigned i = 0; i < 4; i++)
            answer->data[i] = (uint8_t)(card->applets.commands >> (24 - 8 * i));
        answer->length = 4;
        return SW_OK;
    default:
        return SW_INS;
    }
}

static const struct card_applet applets[] = {
    {{0xf0, 'k', 'e', 'y', 's', 't', 'r', 'a', 'p', 0x01}, 10, always, run_echo},
    {{0xa0, 0x00, 0x00, 0x01, 0x51, 0x41, 0x43, 0x4c, 0x00}, 9, has_ara, card_aram_run},
};

/* By its AID, or by the beginning of it. */
static const struct card_applet *find(const struct card *card, const struct card_command *command) {
    for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++) {
        if (command->length >= 5 && command->length <= applets[i].aid_length &&
            memcmp(command->data, applets[i].aid, command->length) == 0 &&
            applets[i].is_there(card))
            return &applets[i];
    }
    return NULL;
}

static uint16_t answer_select(const struct card_applet *applet, struct card_answer *answer) {
    answer->data[0] = 0x6f;
    answer->data[1] = (uint8_t)(2 + applet->aid_length);
    answer->data[2] = 0x84;
    answer->data[3] = (uint8_t)applet->aid_length;
    memcpy(answer->data + 4, applet->aid, applet->aid_length);
    answer->length = 4 + applet->aid_length;
    return SW_OK;
}

static bool selects_by_name(const struct card_command *command) {
    return command->cla == 0x00 && command->ins == 0xa4 && command->p1 == 0x04;
}

/* The rest of a long answer. Returns whether there is one for this command. */
static bool give_rest(struct card *card, const struct card_command *command,
                      struct card_answer *answer, uint16_t *ret_sw) {
    struct card_applets *of_card = &card->applets;
    const struct card_command fetch = {.channel = command->channel};
    size_t length = of_card->rest_length;

    of_card->rest_length = 0;
    if (command->ins != 0xc0 || length == 0 || of_card->rest_channel != command->channel)
        return false;
    *ret_sw = give(card, &fetch, length, answer);
    return true;
}

bool card_applet_run(struct card *card, const struct card_command *command,
                     struct card_answer *answer, uint16_t *ret_sw) {
    struct card_channel *channel = &card->channels[command->channel];
    const struct card_applet *applet;

    if (give_rest(card, command, answer, ret_sw))
        return true;
    if (selects_by_name(command)) {
        applet = find(card, command);
        channel->applet = applet;
        /* For what answer the UICC's own applications are selected with, see card-fs.c: not with FCI. */
        if (applet)
            *ret_sw = answer_select(applet, answer);
        else
            *ret_sw = SW_FILE_NOT_FOUND;
        return applet || command->p2 == 0x00;
    }
    if (!channel->applet || command->ins == 0x70 || command->ins == 0xc0)
        return false;
    *ret_sw = channel->applet->run(card, command, answer);
    return true;
}
