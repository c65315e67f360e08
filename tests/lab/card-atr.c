/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card's answer to reset (ISO 7816-3 clause 8.2, TS 102 221 clause 6.3): the protocol that its
 * shape belongs to, the classes of supply voltage that TS 102 221 wants (TAi after T=15), and what
 * it can do, as historical octets.
 */
#include <string.h>

#include "card-internal.h"

struct atr {
    uint8_t *octets;
    size_t length;
};

static void put(struct atr *atr, const uint8_t *octets, size_t length) {
    memcpy(atr->octets + atr->length, octets, length);
    atr->length += length;
}

/* Historical octets (ISO 7816-4 clause 12.1.1): service data, capabilities, and the name. */
static size_t historical(const struct card *card, uint8_t ret_octets[15]) {
    unsigned total = 1 + card->options.channels;
    const uint8_t octets[] = {
        0x80,
        0x31,
        0xe0, /* by full and partial AID; EF_DIR has BER-TLV */
        0x73,
        0xf6, /* selection by AID, path, FID; short FIDs; record numbers */
        0x21, /* proprietary write functions, units of an octet */
        (uint8_t)(total > 1 ? 0x10 | ((total > 8 ? 8 : total) - 1) : 0x00),
        0x65,
        'k',
        's',
        'l',
        'a',
        'b',
    };

    memcpy(ret_octets, octets, sizeof(octets));
    return sizeof(octets);
}

size_t card_atr(const struct card *card, uint8_t ret_atr[CARD_ATR_MAX]) {
    static const uint8_t t0[] = {0x96, 0x80, 0x1f, 0xc7}; /* TA1, T=0, T=15, TA3 */
    static const uint8_t t1[] = {0x96, 0x81, 0xb1, 0xfe,
                                 0x45, 0x1f, 0xc7}; /* IFSC 254, BWI 4, CWI 5 */
    struct atr atr = {.octets = ret_atr};
    uint8_t history[15], check = 0;
    size_t history_length = historical(card, history);
    const uint8_t start[] = {0x3b, (uint8_t)(0x90 | history_length)};

    put(&atr, start, sizeof(start));
    if (card->options.shape == CARD_SHAPE_T0)
        put(&atr, t0, sizeof(t0));
    else
        put(&atr, t1, sizeof(t1));
    put(&atr, history, history_length);
    for (size_t i = 1; i < atr.length; i++)
        check ^= ret_atr[i];
    put(&atr, &check, 1);
    return atr.length;
}
