/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AUTHENTICATE in the GBA context (TS 31.102 clauses 7.1.1.3 and 7.1.1.4): the bootstrap whose Ks stays on the
 * card, and the keys of NAFs that come of it.
 *
 * The network masks the MAC (milenage_mask_gba_u()) and flips the last bit of XRES (TS 33.220 clause 5.3.2,
 * unverified), so that a terminal which runs the command of GBA_ME gets nothing of use.
 */
#include <string.h>

#include "card-internal.h"
#include "gba-kdf.h"

enum {
    TAG_BOOTSTRAPPING = 0xdd,
    TAG_DERIVATION = 0xde,
    TAG_SUCCESS = 0xdb,
    TAG_NAF_ID = 0x80,
    TAG_BTID = 0x81,
    BOOTSTRAPPING_DATA = 3 + MILENAGE_RAND + MILENAGE_AUTN,
    IMPI_MAX = 255,
};

static struct card_gba *gba_of(struct card *card, const struct card_command *command) {
    const struct card_channel *channel = &card->channels[command->channel];

    return &card->memory.gba[channel->application->fid == CARD_FID_ISIM];
}

/* A new bootstrap replaces everything of the one before; B-TID and lifetime are the terminal's to write. */
static void remember(struct card_gba *gba, const struct milenage_answer *keys,
                     const uint8_t *rand) {
    gba->has_ks = 1;
    memcpy(gba->ks, keys->ck, MILENAGE_KEY);
    memcpy(gba->ks + MILENAGE_KEY, keys->ik, MILENAGE_KEY);
    memcpy(gba->rand, rand, MILENAGE_RAND);
    memset(gba->gbabp, 0xff, sizeof(gba->gbabp));
    gba->gbabp[0] = MILENAGE_RAND;
    memcpy(gba->gbabp + 1, rand, MILENAGE_RAND);
    memset(gba->gbabp + 1 + MILENAGE_RAND, 0, 2);
}

static uint16_t run_bootstrapping(struct card *card, const struct card_command *command,
                                  struct card_answer *answer) {
    const uint8_t *rand = command->data + 2;
    uint8_t autn[MILENAGE_AUTN];
    struct milenage_answer keys;
    unsigned res_length = card->options.res_length;
    uint16_t sw;

    if (command->length != BOOTSTRAPPING_DATA)
        return SW_WRONG_LENGTH;
    if (command->data[1] != MILENAGE_RAND || rand[MILENAGE_RAND] != MILENAGE_AUTN)
        return SW_WRONG_DATA;
    memcpy(autn, rand + MILENAGE_RAND + 1, sizeof(autn));
    milenage_f2345(&card->subscriber.key, rand, &keys);
    milenage_mask_gba_u(&keys, autn);
    sw = card_auth_challenge(card, rand, autn, answer);
    if (sw == SW_OK && answer->length == 0) {
        remember(gba_of(card, command), &keys, rand);
        keys.res[res_length - 1] ^= 0x01;
        answer->data[answer->length++] = TAG_SUCCESS;
        answer->data[answer->length++] = (uint8_t)res_length;
        memcpy(answer->data + answer->length, keys.res, res_length);
        answer->length += res_length;
    }
    explicit_bzero(&keys, sizeof(keys));
    return sw;
}

static bool same_naf(const uint8_t *record, const uint8_t *naf_id, size_t length) {
    return record[0] == TAG_NAF_ID && record[1] == length &&
           memcmp(record + 2, naf_id, length) == 0;
}

/* EF_GBANL: the newest NAF first, so that the last record is the one that was not used for longest. */
static void list_naf(struct card_gba *gba, const uint8_t *naf_id, size_t length) {
    uint8_t record[CARD_GBANL_RECORD];
    const uint8_t *btid = gba->gbabp + 1 + MILENAGE_RAND;
    size_t last = 0;

    if (4 + length + btid[0] > sizeof(record) || btid[0] > sizeof(gba->gbabp) - 2 - MILENAGE_RAND)
        return;
    while (last < CARD_GBANL_RECORDS - 1 &&
           !same_naf(gba->gbanl + last * CARD_GBANL_RECORD, naf_id, length))
        last++;
    memmove(gba->gbanl + CARD_GBANL_RECORD, gba->gbanl, last * CARD_GBANL_RECORD);
    memset(record, 0xff, sizeof(record));
    record[0] = TAG_NAF_ID;
    record[1] = (uint8_t)length;
    memcpy(record + 2, naf_id, length);
    record[2 + length] = TAG_BTID;
    memcpy(record + 3 + length, btid, 1 + (size_t)btid[0]);
    memcpy(gba->gbanl, record, sizeof(record));
}

/* DE, NAF_ID and IMPI, each with its length before it. Ks_int_NAF stays: nobody asks for it here. */
static uint16_t run_derivation(struct card *card, const struct card_command *command,
                               struct card_answer *answer) {
    struct card_gba *gba = gba_of(card, command);
    const uint8_t *naf_id = command->data + 2, *impi;
    size_t naf_length, impi_length;
    char text[IMPI_MAX + 1];

    if (command->length < 3)
        return SW_WRONG_LENGTH;
    naf_length = command->data[1];
    if (naf_length + 3 > command->length)
        return SW_WRONG_LENGTH;
    impi = naf_id + naf_length + 1;
    impi_length = naf_id[naf_length];
    if (naf_length + impi_length + 3 != command->length)
        return SW_WRONG_LENGTH;
    if (!gba->has_ks)
        return SW_CONDITIONS;
    memcpy(text, impi, impi_length);
    text[impi_length] = '\0';
    answer->data[0] = TAG_SUCCESS;
    answer->data[1] = LAB_NAF_KEY_LENGTH;
    if (lab_naf_key(gba->ks, gba->rand, text, naf_id, naf_length, answer->data + 2) < 0)
        return SW_WRONG_DATA;
    answer->length = 2 + LAB_NAF_KEY_LENGTH;
    list_naf(gba, naf_id, naf_length);
    return SW_OK;
}

uint16_t card_gba_run(struct card *card, const struct card_command *command,
                      struct card_answer *answer) {
    if (card->subscriber.gba != LAB_GBA_YES)
        return SW_CONTEXT;
    if (command->length < 1)
        return SW_WRONG_LENGTH;
    switch (command->data[0]) {
    case TAG_BOOTSTRAPPING:
        return run_bootstrapping(card, command, answer);
    case TAG_DERIVATION:
        return run_derivation(card, command, answer);
    default:
        return SW_WRONG_DATA;
    }
}
