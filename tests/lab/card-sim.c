/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card as an old SIM (TS 51.011): class A0, two directories, no channels, and RUN GSM ALGORITHM.
 *
 * Its answers have the shape of T=0, whatever carries them, as those of SIMs in the field have: 9Fxx, then GET RESPONSE. SRES
 * and Kc are made of Milenage by the conversion functions c2 and c3 (TS 33.102 clause 6.8.1.2), so that the home network
 * needs no second algorithm. It has no PIN.
 */
#include <string.h>

#include "card-internal.h"

enum {
    SIM_CLASS = 0xa0,
    SIM_HEADER = 5,
    SIM_MF = 0x3f00,
    SIM_DF_GSM = 0x7f20,
    SIM_SRES = 4,
    SW_SIM_ANSWER = 0x9f00, /* plus the length */
    SW_SIM_NO_EF = 0x9400,
    SW_SIM_NO_FILE = 0x9404,
    SW_SIM_P3 = 0x6700, /* plus the right length */
};

static const struct {
    uint16_t fid, directory;
} files[] = {{0x2fe2, SIM_MF}, {0x6f07, SIM_DF_GSM}, {0x6fad, SIM_DF_GSM}};

void card_sim_reset(struct card *card) {
    card->sim_directory = SIM_MF;
    card->sim_file = 0;
}

/* The octets of a file are those of the USIM's file with the same number. */
static const uint8_t *content_of(const struct card *card, uint16_t fid, size_t *ret_size) {
    for (size_t i = 0; i < card_files_count; i++)
        if (card_files[i].fid == fid && card->contents[i]) {
            *ret_size = card_files[i].size;
            return card->contents[i];
        }
    return NULL;
}

static uint16_t answer_later(struct card *card, const uint8_t *data, size_t length) {
    card->pending = (struct card_answer){.length = length};
    memcpy(card->pending.data, data, length);
    return (uint16_t)(SW_SIM_ANSWER | length);
}

/* What SELECT tells of a directory (22 octets) or a file (15), TS 51.011 clause 9.2.1. */
static uint16_t describe(struct card *card, uint16_t fid, uint8_t type, size_t size) {
    uint8_t data[22] = {
        0, 0, (uint8_t)(size >> 8), (uint8_t)size, (uint8_t)(fid >> 8), (uint8_t)fid, type};

    if (type == 0x04)
        return answer_later(card, data, 15);
    data[12] = 9;
    data[13] = 0x80; /* CHV1 is off */
    return answer_later(card, data, sizeof(data));
}

static uint16_t select_file(struct card *card, const uint8_t *data) {
    uint16_t fid = (uint16_t)(data[0] << 8 | data[1]);
    size_t size;

    if (fid == SIM_MF || fid == SIM_DF_GSM) {
        card->sim_directory = fid;
        card->sim_file = 0;
        return describe(card, fid, fid == SIM_MF ? 0x01 : 0x02, 0);
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (files[i].fid == fid && files[i].directory == card->sim_directory &&
            content_of(card, fid, &size)) {
            card->sim_file = fid;
            return describe(card, fid, 0x04, size);
        }
    return SW_SIM_NO_FILE;
}

static uint16_t read_binary(struct card *card, const uint8_t *header, struct card_answer *answer) {
    size_t offset = (size_t)header[2] << 8 | header[3], size = 0;
    size_t wanted = header[4] != 0 ? header[4] : 256;
    const uint8_t *content = content_of(card, card->sim_file, &size);

    if (card->sim_file == 0 || !content)
        return SW_SIM_NO_EF;
    if (offset >= size || wanted > size - offset)
        return (uint16_t)(SW_SIM_P3 | (offset < size ? size - offset : 0));
    memcpy(answer->data, content + offset, wanted);
    answer->length = wanted;
    return SW_OK;
}

static uint16_t get_response(struct card *card, const uint8_t *header, struct card_answer *answer) {
    size_t wanted = header[4] != 0 ? header[4] : 256;

    if (card->pending.length == 0 || wanted > card->pending.length)
        return (uint16_t)(SW_SIM_P3 | card->pending.length);
    memcpy(answer->data, card->pending.data, wanted);
    answer->length = wanted;
    return SW_OK;
}

static uint16_t run_gsm(struct card *card, const uint8_t *rand) {
    uint8_t data[SIM_SRES + MILENAGE_KC], res[MILENAGE_RES] = {0};
    struct milenage_answer milenage;
    uint16_t sw;

    if (card->sim_directory != SIM_DF_GSM)
        return SW_SIM_NO_FILE;
    milenage_f2345(&card->subscriber.key, rand, &milenage);
    memcpy(res, milenage.res, card->subscriber.res_length);
    for (size_t i = 0; i < SIM_SRES; i++)
        data[i] = res[i] ^ res[SIM_SRES + i];
    milenage_kc(&milenage, data + SIM_SRES);
    sw = answer_later(card, data, sizeof(data));
    explicit_bzero(data, sizeof(data));
    return sw;
}

static uint16_t run(struct card *card, const uint8_t *command, size_t length,
                    struct card_answer *answer) {
    size_t data_length;

    if (length < SIM_HEADER)
        return 0x6700;
    if (command[0] != SIM_CLASS)
        return 0x6e00;
    data_length = length - SIM_HEADER;
    switch (command[1]) {
    case 0xa4:
        return command[4] == 2 && data_length >= 2 ? select_file(card, command + SIM_HEADER)
                                                   : SW_SIM_P3 | 2;
    case 0xb0:
        return read_binary(card, command, answer);
    case 0xc0:
        return get_response(card, command, answer);
    case 0x88:
        return command[4] == MILENAGE_RAND && data_length >= MILENAGE_RAND
                   ? run_gsm(card, command + SIM_HEADER)
                   : SW_SIM_P3 | MILENAGE_RAND;
    default:
        return 0x6d00;
    }
}

size_t card_sim_transmit(struct card *card, const uint8_t *command, size_t length,
                         uint8_t ret_reply[CARD_REPLY_MAX]) {
    struct card_answer answer = {.length = 0};
    uint16_t sw = run(card, command, length, &answer);

    if ((sw & 0xff00) != SW_SIM_ANSWER)
        explicit_bzero(&card->pending, sizeof(card->pending));
    if (answer.length > 0)
        memcpy(ret_reply, answer.data, answer.length);
    ret_reply[answer.length] = (uint8_t)(sw >> 8);
    ret_reply[answer.length + 1] = (uint8_t)sw;
    length = answer.length + 2;
    explicit_bzero(&answer, sizeof(answer));
    return length;
}
