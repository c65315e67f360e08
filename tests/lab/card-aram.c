/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ARA-M: the access rules of the card, to be read by whoever enforces them (GlobalPlatform Secure
 * Element Access Control 1.1, clause 6). Each change of the rules changes the refresh tag.
 */
#include <errno.h>
#include <string.h>

#include "card-internal.h"

static uint16_t give_refresh_tag(struct card *card, struct card_answer *answer) {
    static const uint8_t head[] = {0xdf, 0x20, 0x08};

    memcpy(answer->data, head, sizeof(head));
    for (unsigned i = 0; i < 8; i++)
        answer->data[sizeof(head) + i] = (uint8_t)(card->applets.ara_refresh >> (56 - 8 * i));
    answer->length = sizeof(head) + 8;
    return SW_OK;
}

static uint16_t give_piece(struct card *card, struct card_answer *answer) {
    struct card_applets *applets = &card->applets;
    size_t left = applets->ara_length - applets->ara_sent;
    size_t length = left < CARD_ARA_PIECE ? left : CARD_ARA_PIECE;

    if (length == 0)
        return SW_CONDITIONS;
    memcpy(answer->data, applets->ara + applets->ara_sent, length);
    answer->length = length;
    applets->ara_sent += length;
    return SW_OK;
}

uint16_t card_aram_run(struct card *card, const struct card_command *command,
                       struct card_answer *answer) {
    unsigned object = (unsigned)command->p1 << 8 | command->p2;

    if (command->cla != 0x80)
        return SW_CLA;
    if (command->ins != 0xca)
        return SW_INS;
    switch (object) {
    case 0xdf20:
        return give_refresh_tag(card, answer);
    case 0xff40:
        card->applets.ara_sent = 0;
        return give_piece(card, answer);
    case 0xff60:
        return give_piece(card, answer);
    default:
        return SW_REFERENCE;
    }
}

int card_set_ara(struct card *card, const uint8_t *rules, size_t length) {
    struct card_applets *applets = &card->applets;

    if (length > CARD_ARA_MAX - 5)
        return -EINVAL;
    applets->has_ara = rules != NULL;
    applets->ara_refresh++;
    applets->ara_sent = 0;
    applets->ara_length = 0;
    if (!rules)
        return 0;
    applets->ara[0] = 0xff;
    applets->ara[1] = 0x40;
    applets->ara[2] = 0x82;
    applets->ara[3] = (uint8_t)(length >> 8);
    applets->ara[4] = (uint8_t)length;
    if (length > 0)
        memcpy(applets->ara + 5, rules, length);
    applets->ara_length = 5 + length;
    return 0;
}
