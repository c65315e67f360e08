/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Cards for tests, behind struct transport.
 *
 * struct fake_script knows each command that will come and what to answer, octet by octet. struct fake_card
 * behaves like a small USIM: files, channels, a PIN, either shape of answers; tests set what is odd about it.
 * Both fail the test at once when they are used against the contract of transport.h.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "transport.h"
#include "util.h"

static inline size_t fake_hex(const char *text, uint8_t *ret, size_t size) {
    size_t length;

    assert_int_equal(hex_decode(text, ret, size, &length), 0);
    return length;
}

/* --- A script ------------------------------------------------------------------------------------------ */

struct fake_step {
    const char *command;  /* hex; NULL for any */
    const char *response; /* hex with status word */
    int outcome;          /* in place of a response */
};

struct fake_script {
    struct transport transport;
    const struct fake_step *steps;
    size_t count;
    size_t next;
};

static inline int fake_script_begin(struct transport *transport, struct failure *failure) {
    (void)transport;
    (void)failure;
    return 0;
}

static inline void fake_script_end(struct transport *transport) {
    (void)transport;
}

static inline int fake_script_transmit(struct transport *transport, const uint8_t *command,
                                       size_t command_length, uint8_t *ret, size_t size,
                                       size_t *ret_length, struct failure *failure) {
    struct fake_script *script = (struct fake_script *)transport;
    const struct fake_step *step = &script->steps[script->next];
    char text[2 * APDU_COMMAND_MAX + 1];

    assert_true(script->next < script->count);
    script->next++;
    hex_encode(command, command_length, text);
    if (step->command)
        assert_string_equal(text, step->command);
    if (step->outcome != 0)
        return failure_set(failure, step->outcome, "as the script says");
    *ret_length = fake_hex(step->response, ret, size);
    return 0;
}

static inline void fake_script_init(struct fake_script *script, const struct fake_step *steps,
                                    size_t count) {
    static const struct transport_ops ops = {
        .begin = fake_script_begin, .end = fake_script_end, .transmit = fake_script_transmit};

    *script = (struct fake_script){.transport = {.ops = &ops}, .steps = steps, .count = count};
}

static inline void fake_script_assert_done(const struct fake_script *script) {
    assert_int_equal(script->next, script->count);
}

/* --- A card ---------------------------------------------------------------------------------------------- */

#define FAKE_FILES      16
#define FAKE_ISIM_FILES 8
#define FAKE_AID        "a0000000871002ff49ff0589"
#define FAKE_ISIM_AID   "a0000000871004ff49ff0589"

struct fake_file {
    uint16_t fid;
    size_t record_length; /* 0 for a transparent file */
    const char *content;  /* hex; records one after the other */
    const char *fcp;      /* hex, in place of a proper one */
    uint16_t select_sw;   /* in place of a FCP */
    uint16_t read_sw;     /* in place of the content */
    bool guarded;         /* read and written only with the PIN verified */
    char *room;           /* hex as long as the content, for UPDATE BINARY; NULL: 6982 */
};

struct fake_card {
    struct transport transport;

    /* What is odd about it. */
    bool pieces;              /* answers as T=0 does: 61xx and 6Cxx */
    uint16_t channel_sw;      /* MANAGE CHANNEL is refused with this */
    const char *channel_data; /* hex, in place of the channel's number */
    uint8_t channel;          /* that it gives; 1 */
    struct fake_file files[FAKE_FILES];
    size_t files_count;
    struct fake_file isim_files[FAKE_ISIM_FILES];
    size_t isim_files_count;
    const char *usim_fcp;     /* hex */
    uint16_t usim_sw;         /* in place of it */
    uint16_t verify_sw;       /* for VERIFY without data */
    uint8_t pin_reference;    /* that VERIFY with data must name; 1 */
    const char *pin;          /* hex of the 8 octets that are right; NULL: VERIFY may not have data */
    uint16_t wrong_pin_sw;    /* for others */
    const char *authenticate; /* hex with status word */
    const char *gba;          /* the same in the GBA context; NULL: 9864 */
    size_t surplus;           /* octets more than READ asks for */
    int begin_outcome;        /* of the next begin() */
    unsigned fail_at;         /* the exchange, from 1, that fails */
    int fail_with;

    /* What happened. */
    bool begun, channel_open, usim_selected, isim_selected;
    bool pin_verified;
    unsigned pins_presented, updates;
    uint8_t last_command[APDU_COMMAND_MAX]; /* AUTHENTICATE */
    size_t last_command_length;
    const struct fake_file *selected;
    unsigned begins, ends, exchanges, authentications, opens, closes;
    uint8_t last_class;
    uint8_t pending[APDU_RESPONSE_MAX];
    size_t pending_length;
};

static inline struct fake_file *fake_card_file(struct fake_card *card, uint16_t fid) {
    for (size_t i = 0; card->isim_selected && i < card->isim_files_count; i++)
        if (card->isim_files[i].fid == fid)
            return &card->isim_files[i];
    for (size_t i = 0; i < card->files_count; i++)
        if (card->files[i].fid == fid)
            return &card->files[i];
    return NULL;
}

static inline void fake_card_reset(struct fake_card *card) {
    card->channel_open = false;
    card->usim_selected = card->isim_selected = card->pin_verified = false;
    card->selected = NULL;
    card->pending_length = 0;
    card->begin_outcome = UICC_E_RESET;
}

static inline size_t fake_sw(uint8_t *ret, size_t length, uint16_t sw) {
    ret[length] = (uint8_t)(sw >> 8);
    ret[length + 1] = (uint8_t)sw;
    return length + 2;
}

static inline size_t fake_fcp(const struct fake_file *file, uint8_t *ret) {
    char text[128];
    size_t length = strlen(file->content) / 2;

    if (file->fcp)
        return fake_hex(file->fcp, ret, APDU_RESPONSE_MAX);
    if (file->record_length > 0) {
        snprintf(text, sizeof(text), "620e8205422100%02x%02x8302%04x8a0105",
                 (unsigned)file->record_length, (unsigned)(length / file->record_length),
                 file->fid);
    } else {
        snprintf(text, sizeof(text), "620f820241218302%04x8002%04x8a0105", file->fid,
                 (unsigned)length);
    }
    return fake_hex(text, ret, APDU_RESPONSE_MAX);
}

static inline size_t fake_card_select(struct fake_card *card, const uint8_t *data, size_t length,
                                      uint8_t p1, uint8_t *ret) {
    uint8_t aid[AID_MAX];
    size_t aid_length = fake_hex(FAKE_ISIM_AID, aid, sizeof(aid));
    const struct fake_file *file;

    if (p1 == 0x04 && card->isim_files_count > 0 && length == aid_length &&
        memcmp(data, aid, length) == 0) {
        card->isim_selected = true;
        card->usim_selected = false;
        return fake_sw(ret, fake_hex(card->usim_fcp, ret, APDU_RESPONSE_MAX - 2), 0x9000);
    }
    (void)fake_hex(FAKE_AID, aid, sizeof(aid));
    if (p1 == 0x04) {
        assert_int_equal(length, aid_length);
        assert_memory_equal(data, aid, length);
        if (card->usim_sw != 0)
            return fake_sw(ret, 0, card->usim_sw);
        card->usim_selected = true;
        card->isim_selected = false;
        return fake_sw(ret, fake_hex(card->usim_fcp, ret, APDU_RESPONSE_MAX - 2), 0x9000);
    }
    assert_int_equal(length, 2);
    if (data[0] == 0x3f)
        card->usim_selected = card->isim_selected = false;
    else if (data[0] == 0x6f)
        assert_true(card->usim_selected || card->isim_selected);
    file = fake_card_file(card, (uint16_t)(data[0] << 8 | data[1]));
    if (!file)
        return fake_sw(ret, 0, 0x6a82);
    if (file->select_sw != 0)
        return fake_sw(ret, 0, file->select_sw);
    card->selected = file;
    return fake_sw(ret, fake_fcp(file, ret), 0x9000);
}

static inline size_t fake_card_read(struct fake_card *card, const uint8_t *command, uint8_t *ret) {
    size_t wanted = command[4] ? command[4] : 256, length, offset;
    uint8_t content[2048];

    assert_non_null(card->selected);
    if (card->selected->guarded && !card->pin_verified)
        return fake_sw(ret, 0, 0x6982);
    if (card->selected->read_sw != 0)
        return fake_sw(ret, 0, card->selected->read_sw);
    length = fake_hex(card->selected->content, content, sizeof(content));
    if (command[1] == 0xb2) {
        offset = (command[2] - 1u) * card->selected->record_length;
        if (offset >= length)
            return fake_sw(ret, 0, 0x6a83);
        length = card->selected->record_length;
    } else {
        offset = (size_t)command[2] << 8 | command[3];
        assert_true(offset <= length);
        length -= offset;
    }
    if (command[1] == 0xb2 ? wanted != length : wanted > length)
        return fake_sw(ret, 0, (uint16_t)(0x6c00 | length));
    memcpy(ret, content + offset, wanted);
    memset(ret + wanted, 0xaa, card->surplus);
    return fake_sw(ret, wanted + card->surplus, 0x9000);
}

static inline size_t fake_card_update(struct fake_card *card, const uint8_t *command,
                                      uint8_t *ret) {
    const struct fake_file *file = card->selected;
    size_t offset = (size_t)command[2] << 8 | command[3], length = command[4];
    char text[2 * 255 + 1];

    assert_non_null(file);
    if (!file->room || (file->guarded && !card->pin_verified))
        return fake_sw(ret, 0, 0x6982);
    assert_true(2 * (offset + length) <= strlen(file->room));
    hex_encode(command + 5, length, text);
    memcpy(file->room + 2 * offset, text, 2 * length);
    card->updates++;
    return fake_sw(ret, 0, 0x9000);
}

static inline size_t fake_card_verify(struct fake_card *card, const uint8_t *command, size_t length,
                                      uint8_t *ret) {
    uint8_t pin[8];

    if (length == 4)
        return fake_sw(ret, 0, card->verify_sw);
    assert_non_null(card->pin);
    assert_int_equal(length, 13);
    assert_int_equal(command[3], card->pin_reference);
    assert_int_equal(fake_hex(card->pin, pin, sizeof(pin)), 8);
    card->pins_presented++;
    if (memcmp(command + 5, pin, sizeof(pin)) != 0)
        return fake_sw(ret, 0, card->wrong_pin_sw);
    card->pin_verified = true;
    return fake_sw(ret, 0, 0x9000);
}

static inline size_t fake_card_authenticate(struct fake_card *card, const uint8_t *command,
                                            size_t length, uint8_t *ret) {
    assert_true(card->usim_selected || card->isim_selected);
    card->authentications++;
    memcpy(card->last_command, command, length);
    card->last_command_length = length;
    if (command[3] == 0x84)
        return fake_hex(card->gba ? card->gba : "9864", ret, APDU_RESPONSE_MAX);
    return fake_hex(card->authenticate, ret, APDU_RESPONSE_MAX);
}

static inline size_t fake_card_channel(struct fake_card *card, const uint8_t *command,
                                       uint8_t *ret) {
    assert_int_equal(command[0], 0);
    if (card->channel_sw != 0)
        return fake_sw(ret, 0, card->channel_sw);
    if (command[2] == 0x80) {
        assert_true(card->channel_open);
        assert_int_equal(command[3], card->channel);
        card->channel_open = false;
        card->closes++;
        return fake_sw(ret, 0, 0x9000);
    }
    assert_false(card->channel_open);
    card->channel_open = true;
    card->opens++;
    if (card->channel_data)
        return fake_sw(ret, fake_hex(card->channel_data, ret, APDU_RESPONSE_MAX - 2), 0x9000);
    ret[0] = card->channel;
    return fake_sw(ret, 1, 0x9000);
}

static inline size_t fake_card_execute(struct fake_card *card, const uint8_t *command,
                                       size_t length, uint8_t *ret) {
    size_t n;

    switch (command[1]) {
    case 0x70:
        return fake_card_channel(card, command, ret);
    case 0xa4:
        return fake_card_select(card, command + 5, command[4], command[2], ret);
    case 0xb0:
    case 0xb2:
        assert_int_equal(length, 5);
        return fake_card_read(card, command, ret);
    case 0xd6:
        return fake_card_update(card, command, ret);
    case 0x20:
        return fake_card_verify(card, command, length, ret);
    case 0x88:
        return fake_card_authenticate(card, command, length, ret);
    case 0xc0:
        n = card->pending_length;
        assert_true(card->pieces && n > 2);
        memcpy(ret, card->pending, n);
        card->pending_length = 0;
        return n;
    default:
        return fake_sw(ret, 0, 0x6d00);
    }
}

static inline int fake_card_transmit(struct transport *transport, const uint8_t *command,
                                     size_t command_length, uint8_t *ret, size_t size,
                                     size_t *ret_length, struct failure *failure) {
    struct fake_card *card = (struct fake_card *)transport;
    uint8_t channel_class =
        card->channel <= 3 ? card->channel : (uint8_t)(0x40 | (card->channel - 4));
    uint8_t answer[APDU_RESPONSE_MAX + 2];
    size_t length;

    assert_true(card->begun);
    assert_true(command_length >= 4 && command_length <= APDU_COMMAND_MAX);
    card->exchanges++;
    if (card->fail_at == card->exchanges) {
        if (card->fail_with == UICC_E_RESET)
            fake_card_reset(card);
        card->begin_outcome = 0;
        return failure_set(failure, card->fail_with, "as the test says");
    }
    card->last_class = command[0];
    if (command[1] != 0x70 && command[0] != (card->channel_open ? channel_class : 0)) {
        *ret_length = fake_sw(ret, 0, 0x6881);
        return 0;
    }
    length = fake_card_execute(card, command, command_length, answer);
    /* As T=0 does it: what a command with data has to give is fetched. */
    if (card->pieces && command[1] != 0xc0 && command_length > 5 && length > 2) {
        memcpy(card->pending, answer, length);
        card->pending_length = length;
        length = fake_sw(answer, 0, (uint16_t)(0x6100 | (length - 2)));
    }
    assert_true(length <= size);
    memcpy(ret, answer, length);
    *ret_length = length;
    return 0;
}

static inline int fake_card_begin(struct transport *transport, struct failure *failure) {
    struct fake_card *card = (struct fake_card *)transport;
    int r = card->begin_outcome;

    assert_false(card->begun);
    card->begin_outcome = 0;
    card->begins++;
    card->begun = r == 0 || r == UICC_E_RESET;
    return r == 0 ? 0 : failure_set(failure, r, "as the test says");
}

static inline void fake_card_end(struct transport *transport) {
    struct fake_card *card = (struct fake_card *)transport;

    assert_true(card->begun);
    card->begun = false;
    card->ends++;
    /* Others use the basic channel as soon as we leave. */
    if (!card->channel_open) {
        card->usim_selected = card->isim_selected = false;
        card->selected = NULL;
    }
}

static inline int fake_card_open_channel(struct transport *transport, const uint8_t *aid,
                                         size_t aid_length, uint8_t *ret_channel, uint8_t *ret,
                                         size_t size, size_t *ret_length, struct failure *failure) {
    struct fake_card *card = (struct fake_card *)transport;
    uint8_t full[AID_MAX];

    (void)failure;
    (void)size;
    assert_true(card->begun && !card->channel_open);
    assert_in_range(aid_length, 7, sizeof(full));
    (void)fake_hex(FAKE_AID, full, sizeof(full));
    card->channel_open = true;
    card->opens++;
    *ret_channel = card->channel;
    if (memcmp(aid, full, aid_length) != 0) {
        *ret_length = fake_sw(ret, 0, 0x6a82);
        return 0;
    }
    card->usim_selected = card->usim_sw == 0;
    *ret_length = card->usim_sw != 0
                      ? fake_sw(ret, 0, card->usim_sw)
                      : fake_sw(ret, fake_hex(card->usim_fcp, ret, size - 2), 0x9000);
    return 0;
}

static inline void fake_card_close_channel(struct transport *transport, uint8_t channel) {
    struct fake_card *card = (struct fake_card *)transport;

    assert_true(card->begun && card->channel_open);
    assert_int_equal(channel, card->channel);
    card->channel_open = false;
    card->closes++;
}

/* DF; PIN1 (01) and PIN2 (81) listed; PS_DO 00: none enabled, 80: PIN1 enabled */
#define FAKE_USIM_PIN_OFF "62138202782183027fffc609900100830101830181"
#define FAKE_USIM_PIN_ON  "62138202782183027fffc609900180830101830181"

static inline void fake_card_init(struct fake_card *card) {
    static const struct transport_ops ops = {.begin = fake_card_begin,
                                             .end = fake_card_end,
                                             .transmit = fake_card_transmit,
                                             .open_channel = fake_card_open_channel,
                                             .close_channel = fake_card_close_channel};
    static const struct fake_file files[] = {
        {.fid = 0x3f00, .content = "", .fcp = "62088202782183023f00"},
        {.fid = 0x2fe2, .content = "98010032547698103214"},
        {.fid = 0x2f00,
         .record_length = 32,
         /* An ISIM first, then the USIM. */
         .content = "610e4f0ca0000000871004ff49ff0589ffffffffffffffffffffffffffffffff"
                    "61144f0ca0000000871002ff49ff058950045553494dffffffffffffffffffff"},
        {.fid = 0x6f07, .content = "080910101032547698"},
        {.fid = 0x6fad, .content = "00000002"},
        {.fid = 0x6f38, .content = "9effbf1d0400000008"},
    };

    *card = (struct fake_card){.transport = {.ops = &ops},
                               .channel = 1,
                               .usim_fcp = FAKE_USIM_PIN_OFF,
                               .verify_sw = 0x63c3,
                               .pin_reference = 1,
                               .wrong_pin_sw = 0x63c2,
                               .files_count = ELEMENTS(files)};
    memcpy(card->files, files, sizeof(files));
}

/* Have the ISIM that EF_DIR names, of an IMS subscriber. */
static inline void fake_card_add_isim(struct fake_card *card) {
    static const struct fake_file files[] = {
        {.fid = 0x6f02, .content = "8013676174657761794069" "6d732e6578616d706c65ffffff"},
        {.fid = 0x6f03, .content = "800b696d732e6578616d706c65ff"},
        {.fid = 0x6f07, .content = "03"},
        {.fid = 0x6fad, .content = "00000002"},
    };

    memcpy(card->isim_files, files, sizeof(files));
    card->isim_files_count = ELEMENTS(files);
}
