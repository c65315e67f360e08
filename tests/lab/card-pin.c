/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PIN1 of the card (TS 102 221 clause 9.5 and 11.1.9). Its retry counter outlives power; its
 * verification does not.
 */
#include <string.h>

#include "card-internal.h"

enum {
    PIN1_REFERENCE = 0x01,
    PIN_OCTETS = 8,
};

bool card_pin_satisfied(const struct card *card) {
    return !card->options.pin_enabled || card->pin_verified;
}

static bool matches(const struct card *card, const uint8_t *presented) {
    uint8_t padded[PIN_OCTETS];

    memset(padded, 0xff, sizeof(padded));
    memcpy(padded, card->subscriber.pin, strlen(card->subscriber.pin));
    return memcmp(padded, presented, PIN_OCTETS) == 0;
}

uint16_t card_pin_verify(struct card *card, const struct card_command *command,
                         struct card_answer *answer) {
    unsigned *retries = &card->memory.pin_retries;

    (void)answer;
    if (command->p1 != 0)
        return SW_WRONG_P1_P2;
    if (command->p2 != PIN1_REFERENCE)
        return SW_REFERENCE;
    if (command->length == 0)
        return (uint16_t)(SW_PIN_TRIES | *retries);
    if (command->length != PIN_OCTETS)
        return SW_WRONG_LENGTH;
    if (!card->options.pin_enabled)
        return SW_PIN_DISABLED;
    if (*retries == 0)
        return SW_PIN_BLOCKED;
    card->pin_verified = matches(card, command->data);
    if (!card->pin_verified) {
        (*retries)--;
        return (uint16_t)(SW_PIN_TRIES | *retries);
    }
    *retries = CARD_PIN_RETRIES;
    return SW_OK;
}
