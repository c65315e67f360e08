/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A card that answers what it likes: whatever comes, uicc_open() and uicc_authenticate() end, every transaction
 * that began is left, what is given as a key has a key's length, and nothing stays in the arena.
 *
 * The input is a row of answers: an octet of length, then that many octets. Lengths 254 and 255 stand for the
 * transport's failures RESET and CARD_ABSENT. When the input is used up, the card is gone.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"
#include "secret.h"
#include "uicc.h"

#define LENGTH_RESET  254
#define LENGTH_ABSENT 255
#define EXCHANGES_MAX 4000 /* beyond what every limit together allows */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct card {
    struct transport transport;
    const uint8_t *data;
    size_t size;
    unsigned exchanges;
    int begun;
};

static void check(int condition) {
    if (!condition)
        abort();
}

static int card_begin(struct transport *transport, struct failure *failure) {
    struct card *card = (struct card *)transport;

    (void)failure;
    check(card->begun == 0);
    card->begun = 1;
    return card->size % 7 == 3 ? UICC_E_RESET : 0;
}

static void card_end(struct transport *transport) {
    struct card *card = (struct card *)transport;

    check(card->begun == 1);
    card->begun = 0;
}

static int card_answer(struct card *card, uint8_t *ret, size_t size, size_t *ret_length) {
    size_t length;

    check(card->begun == 1);
    check(++card->exchanges < EXCHANGES_MAX);
    if (card->size == 0 || card->data[0] == LENGTH_ABSENT || card->size - 1 < card->data[0])
        return UICC_E_CARD_ABSENT;
    length = card->data[0];
    card->data++;
    card->size--;
    if (length == LENGTH_RESET)
        return UICC_E_RESET;
    check(length <= size);
    memcpy(ret, card->data, length);
    card->data += length;
    card->size -= length;
    *ret_length = length;
    return 0;
}

static int card_transmit(struct transport *transport, const uint8_t *command, size_t command_length,
                         uint8_t *ret, size_t size, size_t *ret_length, struct failure *failure) {
    (void)failure;
    check(command_length >= 4 && command_length <= APDU_COMMAND_MAX);
    /* A PIN is never presented, and nothing is written. */
    check(command[1] != 0x20 || command_length == 4);
    check(command[1] != 0xd6 && command[1] != 0xdc);
    return card_answer((struct card *)transport, ret, size, ret_length);
}

static int card_open_channel(struct transport *transport, const uint8_t *aid, size_t aid_length,
                             uint8_t *ret_channel, uint8_t *ret, size_t size, size_t *ret_length,
                             struct failure *failure) {
    struct card *card = (struct card *)transport;

    (void)failure;
    check(aid && aid_length >= 7 && aid_length <= AID_MAX);
    *ret_channel = (uint8_t)card->size;
    return card_answer(card, ret, size, ret_length);
}

static void card_close_channel(struct transport *transport, uint8_t channel) {
    (void)transport;
    check(channel >= 1 && channel <= UICC_CHANNEL_MAX);
}

static void check_identity(const struct uicc_identity *identity) {
    check(identity->aid_length <= AID_MAX && identity->services_length <= SERVICE_TABLE_MAX);
    check(strlen(identity->imsi) <= IMSI_MAX && strlen(identity->iccid) <= ICCID_MAX);
    check(identity->mnc_length == 0 || identity->mnc_length == 2 || identity->mnc_length == 3);
}

static void run(struct card *card) {
    static const uint8_t octets[AKA_RAND_LENGTH] = {1};
    struct uicc_aka aka = {0};
    struct uicc *uicc;

    check(uicc_new(&card->transport, &uicc) == 0);
    (void)uicc_open(uicc, NULL);
    check(card->begun == 0);
    check_identity(uicc_identity(uicc));
    for (int i = 0; i < 2; i++) {
        if (uicc_authenticate(uicc, octets, octets, &aka, NULL) == 0) {
            check(secret_length(aka.res) >= RES_MIN && secret_length(aka.res) <= RES_MAX);
            check(secret_length(aka.ck) == AKA_CK_LENGTH && secret_length(aka.ik) == AKA_IK_LENGTH);
        } else {
            check(!aka.res && !aka.ck && !aka.ik);
        }
        uicc_aka_done(&aka);
        check(card->begun == 0);
    }
    uicc_free(uicc);
    check(card->begun == 0);
    check(secret_arena_used() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct transport_ops ops = {.begin = card_begin,
                                             .end = card_end,
                                             .transmit = card_transmit,
                                             .open_channel = card_open_channel,
                                             .close_channel = card_close_channel};
    struct card card = {.transport = {.ops = &ops}, .data = data, .size = size};
    static int ready;

    if (!ready)
        check(secret_arena_init() == 0);
    ready = 1;
    run(&card);
    card = (struct card){
        .transport = {.ops = &ops, .flags = TRANSPORT_CHANNELS}, .data = data, .size = size};
    run(&card);
    return 0;
}
