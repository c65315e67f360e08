/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AUTHENTICATE (TS 31.102 clause 7.1): a table of contexts, each an application and a P2 with the
 * function that runs it.
 */
#include <string.h>

#include "card-internal.h"

enum {
    P2_3G = 0x81,
    P2_GBA = 0x84,
    TAG_SUCCESS = 0xdb,
    TAG_SYNC_FAILURE = 0xdc,
    AKA_DATA = 1 + MILENAGE_RAND + 1 + MILENAGE_AUTN,
};

struct context {
    uint16_t application;
    uint8_t p2;
    card_handler run;
};

static void put_octets(struct card_answer *answer, const uint8_t *octets, size_t length) {
    answer->data[answer->length++] = (uint8_t)length;
    memcpy(answer->data + answer->length, octets, length);
    answer->length += length;
}

static uint16_t answer_keys(struct card *card, const struct card_command *command,
                            const uint8_t *rand, struct card_answer *answer) {
    bool usim = card->channels[command->channel].application->fid == CARD_FID_USIM;
    struct milenage_answer keys;
    uint8_t kc[MILENAGE_KC];

    milenage_f2345(&card->subscriber.key, rand, &keys);
    answer->data[answer->length++] = TAG_SUCCESS;
    put_octets(answer, keys.res, card->options.res_length);
    put_octets(answer, keys.ck, sizeof(keys.ck));
    put_octets(answer, keys.ik, sizeof(keys.ik));
    if (card->options.gsm_access && usim) {
        milenage_kc(&keys, kc);
        put_octets(answer, kc, sizeof(kc));
    }
    explicit_bzero(&keys, sizeof(keys));
    explicit_bzero(kc, sizeof(kc));
    return SW_OK;
}

static uint16_t answer_auts(struct card *card, const uint8_t *rand, struct card_answer *answer) {
    uint8_t auts[MILENAGE_AUTS];

    milenage_auts(&card->subscriber.key, rand, sqn_highest(&card->memory.sqn), auts);
    answer->data[answer->length++] = TAG_SYNC_FAILURE;
    put_octets(answer, auts, sizeof(auts));
    return SW_OK;
}

/*
 * The MAC is checked before the SQN: a stranger's AUTN must never bring an AUTS (TS 33.102 clause
 * 6.3.3).
 */
uint16_t card_auth_challenge(struct card *card, const uint8_t *rand, const uint8_t *autn,
                             struct card_answer *answer) {
    enum card_belief belief = card->belief;
    uint64_t sqn;

    card->belief = CARD_BELIEF_NONE;
    if (belief == CARD_BELIEF_WRONG_MAC ||
        !milenage_autn_verify(&card->subscriber.key, rand, autn, &sqn))
        return SW_BAD_MAC;
    if (belief == CARD_BELIEF_STALE_SQN || !sqn_accept(&card->memory.sqn, sqn))
        return answer_auts(card, rand, answer);
    return SW_OK;
}

static uint16_t run_aka(struct card *card, const struct card_command *command,
                        struct card_answer *answer) {
    const uint8_t *rand = command->data + 1, *autn = rand + MILENAGE_RAND + 1;
    uint16_t sw;

    if (command->length != AKA_DATA)
        return SW_WRONG_LENGTH;
    if (command->data[0] != MILENAGE_RAND || rand[MILENAGE_RAND] != MILENAGE_AUTN)
        return SW_WRONG_DATA;
    sw = card_auth_challenge(card, rand, autn, answer);
    return sw == SW_OK && answer->length == 0 ? answer_keys(card, command, rand, answer) : sw;
}

static const struct context contexts[] = {
    {CARD_FID_USIM, P2_3G, run_aka},
    {CARD_FID_USIM, P2_GBA, card_gba_run},
    {CARD_FID_ISIM, P2_3G, run_aka},
    {CARD_FID_ISIM, P2_GBA, card_gba_run},
};

static card_handler find_context(uint16_t application, uint8_t p2) {
    for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++) {
        if (contexts[i].application == application && contexts[i].p2 == p2)
            return contexts[i].run;
    }
    return NULL;
}

static void shorten(struct card *card, struct card_answer *answer) {
    answer->length -= card->truncate < answer->length ? card->truncate : answer->length;
    card->truncate = 0;
}

uint16_t card_authenticate(struct card *card, const struct card_command *command,
                           struct card_answer *answer) {
    const struct card_channel *channel = &card->channels[command->channel];
    card_handler run;
    uint16_t sw;

    if (command->p1 != 0)
        return SW_WRONG_P1_P2;
    if (!channel->application || channel->directory != channel->application)
        return SW_CONDITIONS;
    run = find_context(channel->application->fid, command->p2);
    if (!run)
        return SW_WRONG_P1_P2;
    if (!card_pin_satisfied(card))
        return SW_SECURITY;
    sw = run(card, command, answer);
    if (answer->length > 0)
        shorten(card, answer);
    return sw;
}
