/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Command and response APDUs, in either shape.
 *
 * A reader that speaks T=0 gives an answer in pieces (61xx, 9Fxx, 6Cxx, and a warning in place of data),
 * one that speaks T=1, a modem or a virtual reader gives data and status word at once. What a card does
 * is not known before it answers, and the same card may do both, so every command is prepared for every
 * shape. The status word is the last two octets, whatever stands before them.
 *
 * The pieces are put together in the arena, where the transport writes them: the answer to AUTHENTICATE
 * is three keys.
 */

#include <errno.h>
#include <string.h>

#include "apdu.h"
#include "outcome.h"

#define INS_GET_RESPONSE 0xc0

/* One whole answer more than is kept, so that the transport always has room and the limit is checked here. */
#define ANSWER_ROOM (APDU_ASSEMBLED_MAX + APDU_RESPONSE_MAX)

int apdu_answer_init(struct apdu_answer *answer) {
    struct secret *data;
    int r;

    r = secret_new(ANSWER_ROOM, &data);
    if (r < 0)
        return r;
    *answer = (struct apdu_answer){.data = data};
    return 0;
}

void apdu_answer_done(struct apdu_answer *answer) {
    answer->data = secret_free(answer->data);
    answer->length = 0;
    answer->sw = 0;
}

uint8_t apdu_class(uint8_t cla, uint8_t channel) {
    if (cla == APDU_CLASS_SIM)
        return cla;
    if (channel <= 3)
        return (uint8_t)(cla | channel);
    return (uint8_t)(cla | 0x40 | ((channel - 4) & 0x0f));
}

/* The octets on the wire (TS 102 221 10.1.1): Lc only with data, Le only where an answer is expected. */
static size_t apdu_encode(const struct apdu *apdu, uint8_t ret[APDU_COMMAND_MAX]) {
    size_t length = 4;

    ret[0] = apdu->cla;
    ret[1] = apdu->ins;
    ret[2] = apdu->p1;
    ret[3] = apdu->p2;
    if (apdu->length > 0) {
        ret[length++] = (uint8_t)apdu->length;
        memcpy(ret + length, apdu->data, apdu->length);
        length += apdu->length;
    }
    if (apdu->le != APDU_NO_LE)
        ret[length++] = (uint8_t)apdu->le;
    return length;
}

/* Send once; the data is appended to the answer, the status word replaces the last one. */
static int transmit_once(struct transport *transport, const struct apdu *apdu,
                         struct apdu_answer *answer, struct failure *failure) {
    uint8_t command[APDU_COMMAND_MAX];
    uint8_t *end = secret_data_mutable(answer->data) + answer->length;
    size_t length = 0;
    int r;

    r = transport->ops->transmit(transport, command, apdu_encode(apdu, command), end,
                                 APDU_RESPONSE_MAX, &length, failure);
    secret_erase(command, sizeof(command)); /* it may have been a PIN */
    if (r != 0)
        return r;
    if (length < 2 || length > APDU_RESPONSE_MAX)
        return failure_set(
            failure, UICC_E_MALFORMED,
            "The card answered instruction %02X with %zu octets; an answer has 2 to %u", apdu->ins,
            length, APDU_RESPONSE_MAX);
    answer->sw = (uint16_t)(end[length - 2] << 8 | end[length - 1]);
    answer->length += length - 2;
    if (answer->length > APDU_ASSEMBLED_MAX)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card's answer to instruction %02X is longer than %u octets",
                           apdu->ins, APDU_ASSEMBLED_MAX);
    return 0;
}

static struct apdu get_response(const struct apdu *apdu, uint8_t le) {
    /* GET RESPONSE is interindustry on the same channel, also after a proprietary command, a chained one or one with
       secure messaging; a SIM has its own class. */
    uint8_t cla = apdu->cla & (apdu->cla & 0x40 ? 0x4f : 0x03);

    return (struct apdu){
        .cla = apdu->cla == APDU_CLASS_SIM ? APDU_CLASS_SIM : cla,
        .ins = INS_GET_RESPONSE,
        .le = le,
    };
}

/* Whether the card has more to say after @sent, and then which command fetches it. */
static bool next_command(const struct apdu *apdu, const struct apdu *sent,
                         const struct apdu_answer *answer, struct apdu *ret) {
    uint8_t sw1 = (uint8_t)(answer->sw >> 8), sw2 = (uint8_t)answer->sw;
    bool case4 = apdu->length > 0 && apdu->le != APDU_NO_LE;

    switch (sw1) {
    case 0x61:
    case 0x9f:
        *ret = get_response(apdu, sw2);
        return true;
    case 0x6c:
        /* What asked for nothing is not repeated asking for something: of VERIFY that would look like a PIN. */
        if (sent->le == APDU_NO_LE)
            return false;
        *ret = *sent;
        ret->le = sw2;
        return true;
    case 0x62:
    case 0x63:
        /* A warning where data was due: the data waits. After GET RESPONSE the warning is the answer. */
        if (!case4 || answer->length > 0 || sent->ins == INS_GET_RESPONSE)
            return false;
        *ret = get_response(apdu, 0);
        return true;
    default:
        return false;
    }
}

int apdu_exchange(struct transport *transport, const struct apdu *apdu, struct apdu_answer *answer,
                  struct failure *failure) {
    struct apdu command = *apdu, next;
    uint16_t warning = 0;
    int r;

    if (apdu->length > 255 || (apdu->length > 0 && !apdu->data) || apdu->le > 255)
        return -EINVAL;
    answer->length = 0;
    answer->sw = 0;
    for (unsigned round = 0; round <= APDU_ROUNDS_MAX; round++) {
        r = transmit_once(transport, &command, answer, failure);
        if (r != 0)
            return r;
        if (!next_command(apdu, &command, answer, &next)) {
            /* A card that had nothing to give refuses GET RESPONSE; what it said first still stands. */
            if (warning != 0 && answer->length == 0)
                answer->sw = warning;
            return 0;
        }
        if (answer->sw >> 8 == 0x62 || answer->sw >> 8 == 0x63)
            warning = answer->sw;
        command = next;
    }
    return failure_set(
        failure, UICC_E_MALFORMED,
        "The card's answer to instruction %02X does not end: status word %04X after %u rounds",
        apdu->ins, answer->sw, APDU_ROUNDS_MAX);
}
