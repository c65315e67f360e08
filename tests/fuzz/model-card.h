/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A card that is right until the input says otherwise: the model of a UICC with USIM, ISIM, PIN, GBA_U, a SIM of 2G, an
 * applet and ARA-M behind struct transport, whose answers the input spoils one by one.
 *
 * A random answer ends a dialogue at its second step. Here the dialogue goes on, and what is odd in it is one status
 * word, one length, one octet, one reset, at a place that the input chooses.
 *
 * The rest of the input is a row of faults: an octet of how many exchanges go well before it, one of its kind, and what that
 * kind takes. When the input is used up the card is right for good.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"
#include "util.h"

#define MODEL_CHANNELS  (UICC_CHANNEL_MAX + 1)
#define EXCHANGES_MAX   6000 /* beyond what every limit together allows */

#define MODEL_USIM "a0000000871002ff49ff0589"
#define MODEL_ISIM "a0000000871004ff49ff0589"
#define MODEL_ARA  "a00000015141434c00"
#define MODEL_ECHO "f06b6579737472617001"
#define MODEL_RES  "a54211d5e3ba50bf"
#define MODEL_KEY  "b40ba9a3c58b2a05bbf0d987b21bf8cb"

enum model_adf { ADF_NONE, ADF_MF, ADF_USIM, ADF_ISIM, ADF_ARA, ADF_ECHO, ADF_GSM };

/* What card there is; from the first octets of the input. */
struct model_kind {
    bool usim, isim, gsm_only, ara, pin_enabled, universal_pin, pieces, no_channels;
    uint32_t flags; /* of struct transport */
};

struct model_channel {
    bool open;
    enum model_adf adf;
    uint16_t fid;
};

struct model_card {
    struct transport transport;
    struct model_kind kind;
    const uint8_t *data; /* the faults */
    size_t size;
    unsigned gap; /* exchanges until the next */
    bool armed;   /* gap is read */

    struct model_channel channels[MODEL_CHANNELS];
    bool pin_verified;
    uint8_t tries;
    uint8_t gbabp[64];
    uint8_t pending[APDU_RESPONSE_MAX];
    size_t pending_length;
    int begin_with; /* the next begin() */

    /* What may be and what was. */
    bool may_update;
    int tries_told; /* by the last VERIFY without data; -1 nothing */
    unsigned authentications; /* since the test set it to 0 */
    uint16_t last_sw;
    unsigned exchanges, faults;
    int begun;
};

struct model_file {
    enum model_adf adf;
    uint16_t fid;
    uint8_t record_length;
    bool guarded;
    const char *content; /* hex */
};

static inline void check(bool condition) {
    if (!condition)
        abort();
}

static const struct model_file model_files[] = {
    {ADF_MF, 0x2fe2, 0, false, "98010032547698103214"},
    {ADF_USIM, 0x6f07, 0, true, "080910101032547698"},
    {ADF_USIM, 0x6fad, 0, false, "00000002"},
    {ADF_USIM, 0x6f38, 0, false, "9effbf1d0400000008"},
    {ADF_USIM, 0x6fda, 24, true,
     "800c6e61662e65780100000002" "8106624062736678" "ffffff"
     "ffffffffffffffffffffffffffffffffffffffffffffffff"},
    {ADF_ISIM, 0x6f02, 0, true, "8013676174657761794069" "6d732e6578616d706c65ffffff"},
    {ADF_ISIM, 0x6f03, 0, true, "800b696d732e6578616d706c65ff"},
    {ADF_ISIM, 0x6f07, 0, false, "03"},
    {ADF_ISIM, 0x6fad, 0, false, "00000002"},
    {ADF_ISIM, 0x6fd7, 24, true, "800c6e61662e65780100000002" "8106624062736678" "ffffff"},
    {ADF_GSM, 0x6f07, 0, true, "080910101032547698"},
    {ADF_GSM, 0x6fad, 0, false, "00000002"},
};

static inline size_t model_hex(const char *text, uint8_t *ret) {
    size_t length = 0;

    check(hex_decode(text, ret, APDU_RESPONSE_MAX - 2, &length) == 0);
    return length;
}

static inline size_t model_sw(uint8_t *ret, size_t length, uint16_t sw) {
    ret[length] = (uint8_t)(sw >> 8);
    ret[length + 1] = (uint8_t)sw;
    return length + 2;
}

static inline size_t model_say(const char *text, uint8_t *ret) {
    return model_sw(ret, model_hex(text, ret), 0x9000);
}

static inline void model_reset(struct model_card *card) {
    memset(card->channels, 0, sizeof(card->channels));
    card->channels[0] = (struct model_channel){.open = true, .adf = ADF_MF};
    card->pin_verified = false;
    card->pending_length = 0;
}

/* --- What is right --------------------------------------------------------------------------------- */

/* EF_DIR names what there is, ISIM first; EF_GBABP is what was written. */
static inline size_t model_content(const struct model_card *card, const struct model_file *file,
                                   uint16_t fid, uint8_t *ret) {
    size_t length = 0;

    if (file)
        return model_hex(file->content, ret);
    if (fid == 0x6fd6 || fid == 0x6fd5) {
        memcpy(ret, card->gbabp, sizeof(card->gbabp));
        return sizeof(card->gbabp);
    }
    memset(ret, 0xff, 64);
    if (card->kind.isim)
        length = model_hex("610e4f0c" MODEL_ISIM, ret) > 0 ? 32 : 0;
    if (card->kind.usim)
        (void)model_hex("61144f0c" MODEL_USIM "50045553494d", ret + length);
    return 64;
}

static inline const struct model_file *model_find(enum model_adf adf, uint16_t fid) {
    for (size_t i = 0; i < ELEMENTS(model_files); i++)
        if (model_files[i].fid == fid &&
            (model_files[i].adf == adf || model_files[i].adf == ADF_MF))
            return &model_files[i];
    return NULL;
}

static inline bool model_special(const struct model_channel *channel, uint16_t fid) {
    return fid == 0x2f00 || (fid == 0x6fd6 && channel->adf == ADF_USIM) ||
           (fid == 0x6fd5 && channel->adf == ADF_ISIM);
}

static inline size_t model_record_length(const struct model_file *file, uint16_t fid) {
    return file ? file->record_length : fid == 0x2f00 ? 32 : 0;
}

static inline size_t model_fcp(struct model_card *card, uint16_t fid,
                               const struct model_channel *channel, bool gsm, uint8_t *ret) {
    const struct model_file *file = model_find(channel->adf, fid);
    uint8_t content[APDU_RESPONSE_MAX];
    size_t length = model_content(card, file, fid, content);
    size_t record = model_record_length(file, fid);
    char text[80];

    if (gsm)
        (void)snprintf(text, sizeof(text), "0000%04x%04x0400%s0100%02x%02x", (unsigned)length, fid,
                       "000000", record > 0, (unsigned)record);
    else if (record > 0)
        (void)snprintf(text, sizeof(text), "620e8205422100%02x%02x8302%04x8a0105", (unsigned)record,
                       (unsigned)(length / record), fid);
    else
        (void)snprintf(text, sizeof(text), "620f820241218302%04x8002%04x8a0105", fid,
                       (unsigned)length);
    return model_say(text, ret);
}

static inline size_t model_select_name(struct model_card *card, struct model_channel *channel,
                                       const uint8_t *aid, size_t length, uint8_t *ret) {
    static const struct {
        const char *aid;
        enum model_adf adf;
    } names[] = {
        {MODEL_USIM, ADF_USIM}, {MODEL_ISIM, ADF_ISIM}, {MODEL_ARA, ADF_ARA}, {MODEL_ECHO, ADF_ECHO}};
    uint8_t full[APDU_RESPONSE_MAX];

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        bool there = names[i].adf == ADF_USIM   ? card->kind.usim
                     : names[i].adf == ADF_ISIM ? card->kind.isim
                     : names[i].adf == ADF_ARA  ? card->kind.ara
                                                : true;

        if (!there || length > model_hex(names[i].aid, full) || memcmp(full, aid, length) != 0)
            continue;
        channel->adf = names[i].adf;
        channel->fid = 0;
        if (names[i].adf == ADF_ECHO)
            return model_say("6f0c840a" MODEL_ECHO, ret);
        if (names[i].adf == ADF_ARA)
            return model_say("6f0b8409" MODEL_ARA, ret);
        if (!card->kind.pin_enabled)
            return model_say("62138202782183027fffc609900100830101830181", ret);
        return model_say(card->kind.universal_pin ? "62108202782183027fffc606900180830111"
                                                  : "62138202782183027fffc609900180830101830181",
                         ret);
    }
    return model_sw(ret, 0, 0x6a82);
}

static inline size_t model_select(struct model_card *card, struct model_channel *channel,
                                  const uint8_t *command, size_t length, uint8_t *ret) {
    bool gsm = command[0] == 0xa0;
    uint16_t fid;

    if (length < 5)
        return model_sw(ret, 0, 0x6700);
    if (command[2] == 0x04)
        return model_select_name(card, channel, command + 5, command[4], ret);
    check(command[4] == 2);
    fid = (uint16_t)(command[5] << 8 | command[6]);
    if (fid == 0x3f00 || fid == 0x7f20) {
        channel->adf = fid == 0x7f20 ? ADF_GSM : ADF_MF;
        channel->fid = 0;
        return gsm ? model_say("00000000" "3f00" "0100000000" "09" "93030a0400838a838a", ret)
                   : model_say("62088202782183023f00", ret);
    }
    if (!model_find(channel->adf, fid) && !model_special(channel, fid))
        return model_sw(ret, 0, gsm ? 0x9404 : 0x6a82);
    channel->fid = fid;
    return model_fcp(card, fid, channel, gsm, ret);
}

static inline size_t model_read(struct model_card *card, struct model_channel *channel,
                                const uint8_t *command, uint8_t *ret) {
    const struct model_file *file = model_find(channel->adf, channel->fid);
    size_t wanted = command[4] ? command[4] : 256, record, length, offset;
    uint8_t content[APDU_RESPONSE_MAX];

    if (channel->fid == 0)
        return model_sw(ret, 0, 0x6986);
    if (file && file->guarded && card->kind.pin_enabled && !card->pin_verified)
        return model_sw(ret, 0, 0x6982);
    length = model_content(card, file, channel->fid, content);
    record = model_record_length(file, channel->fid);
    offset = (size_t)command[2] << 8 | command[3];
    if (command[1] == 0xb2) {
        if (record == 0)
            return model_sw(ret, 0, 0x6981);
        offset = (command[2] - 1u) * record;
        if (offset + record > length)
            return model_sw(ret, 0, 0x6a83);
        length = offset + record;
    }
    if (offset > length)
        return model_sw(ret, 0, 0x6b00);
    if (wanted > length - offset)
        return model_sw(ret, 0, (uint16_t)(0x6c00 | ((length - offset) & 0xff)));
    memcpy(ret, content + offset, wanted);
    return model_sw(ret, wanted, 0x9000);
}

static inline size_t model_update(struct model_card *card, const struct model_channel *channel,
                                  const uint8_t *command, size_t length, uint8_t *ret) {
    size_t offset = (size_t)command[2] << 8 | command[3];

    check(card->may_update && length == 5u + command[4]);
    check(channel->fid == 0x6fd6 || channel->fid == 0x6fd5);
    if (offset + command[4] > sizeof(card->gbabp))
        return model_sw(ret, 0, 0x6b00);
    memcpy(card->gbabp + offset, command + 5, command[4]);
    return model_sw(ret, 0, 0x9000);
}

static inline size_t model_verify(struct model_card *card, const uint8_t *command, size_t length,
                                  uint8_t *ret) {
    if (length == 4)
        return model_sw(ret, 0, card->tries == 0 ? 0x6983 : (uint16_t)(0x63c0 | card->tries));
    /* A PIN is presented only to a card that has told that two tries or more are left. */
    check(length == 13 && card->tries_told >= 2);
    card->tries_told = -1;
    if (card->tries == 0)
        return model_sw(ret, 0, 0x6983);
    if (memcmp(command + 5, "1234\xff\xff\xff\xff", 8) == 0) {
        card->pin_verified = true;
        card->tries = 3;
        return model_sw(ret, 0, 0x9000);
    }
    return model_sw(ret, 0, (uint16_t)(0x63c0 | --card->tries));
}

static inline size_t model_authenticate(struct model_card *card, uint8_t context,
                                        const uint8_t *data, size_t length, uint8_t *ret) {
    /* Once, unless the card has said that it was not executed. */
    check(card->authentications++ == 0 || card->last_sw >> 8 == 0x6c);
    if (context == 0x84 && length > 0 && data[0] == 0xdd) {
        check(length == 35);
        card->gbabp[0] = 16;
        memcpy(card->gbabp + 1, data + 2, 16);
        return model_say("db08" MODEL_RES, ret);
    }
    if (context == 0x84 && length > 0 && data[0] == 0xde) {
        check(length <= 255);
        return model_say("db20" MODEL_KEY MODEL_KEY, ret);
    }
    check(context == 0x81 || context == 0x00 || context == 0x80);
    return context == 0x81 ? model_say("db08" MODEL_RES "10" MODEL_KEY "10" MODEL_KEY, ret)
                           : model_say("a54211d5e3ba50bfb40ba9a3", ret);
}

static inline size_t model_channel_command(struct model_card *card, const uint8_t *command,
                                           uint8_t *ret) {
    if (card->kind.no_channels)
        return model_sw(ret, 0, 0x6881);
    if (command[2] == 0x80) {
        if (command[3] == 0 || command[3] >= MODEL_CHANNELS || !card->channels[command[3]].open)
            return model_sw(ret, 0, 0x6881);
        card->channels[command[3]] = (struct model_channel){0};
        return model_sw(ret, 0, 0x9000);
    }
    for (uint8_t i = 1; i < MODEL_CHANNELS; i++)
        if (!card->channels[i].open) {
            card->channels[i] = (struct model_channel){.open = true, .adf = ADF_MF};
            ret[0] = i;
            return model_sw(ret, 1, 0x9000);
        }
    return model_sw(ret, 0, 0x6a81);
}

static inline size_t model_get_data(const uint8_t *command, uint8_t *ret) {
    if (command[2] == 0xdf)
        return model_say("df20080102030405060708", ret);
    if (command[3] == 0x40) /* the second half comes with the next */
        return model_say("ff401ae20be1044f00c100e303d00101e20be104", ret);
    return model_say("4f00c100e303d00101", ret);
}

static inline size_t model_execute(struct model_card *card, const uint8_t *command, size_t length,
                                   uint8_t *ret) {
    uint8_t number = command[0] & 0x40 ? (uint8_t)(4 + (command[0] & 0x0f)) : command[0] & 0x03;
    struct model_channel *channel = &card->channels[number];
    size_t n;

    if (command[0] == 0xa0)
        channel = &card->channels[0];
    else if (card->kind.gsm_only)
        return model_sw(ret, 0, 0x6e00);
    if (!channel->open)
        return model_sw(ret, 0, 0x6881);
    if (command[1] == 0xc0) {
        n = card->pending_length;
        card->pending_length = 0;
        memcpy(ret, card->pending, n);
        return n > 0 ? n : model_sw(ret, 0, 0x6985);
    }
    if (channel->adf == ADF_ECHO && command[1] != 0x70 && command[1] != 0xa4) {
        memcpy(ret, command, length < 200 ? length : 200);
        return model_sw(ret, length < 200 ? length : 200, 0x9000);
    }
    switch (command[1]) {
    case 0x70:
        return model_channel_command(card, command, ret);
    case 0xa4:
        return model_select(card, channel, command, length, ret);
    case 0xb0:
    case 0xb2:
        check(length == 5);
        return model_read(card, channel, command, ret);
    case 0xd6:
        return model_update(card, channel, command, length, ret);
    case 0x20:
        return model_verify(card, command, length, ret);
    case 0x88:
        check(length > 5);
        return model_authenticate(card, command[3], command + 5, command[4], ret);
    case 0xca:
        return channel->adf == ADF_ARA ? model_get_data(command, ret) : model_sw(ret, 0, 0x6d00);
    default:
        return model_sw(ret, 0, 0x6d00);
    }
}

/* --- What is spoilt -------------------------------------------------------------------------------- */

static inline uint8_t model_take(struct model_card *card) {
    if (card->size == 0)
        return 0;
    card->size--;
    return *card->data++;
}

static inline int model_outcome(uint8_t number) {
    static const int outcomes[] = {UICC_E_CARD_ABSENT, UICC_E_RESET,     UICC_E_BUSY,
                                   UICC_E_DENIED,      UICC_E_SILENT,    UICC_E_TRANSPORT,
                                   UICC_E_SERVICE_ABSENT};

    return outcomes[number % ELEMENTS(outcomes)];
}

/* The answer of *@length octets at @ret is spoilt in the way that the input says. Returns what transmit() returns. */
static inline int model_spoil(struct model_card *card, uint8_t *ret, size_t *length) {
    size_t data = *length - 2, n;
    uint8_t kind = model_take(card);

    card->faults++;
    switch (kind % 10) {
    case 0: /* another status word, and no data */
        *length = 0;
        ret[(*length)++] = model_take(card);
        ret[(*length)++] = model_take(card);
        return 0;
    case 1: /* another status word */
        ret[data] = model_take(card);
        ret[data + 1] = model_take(card);
        return 0;
    case 2: /* cut */
        n = model_take(card) % (data + 1);
        memmove(ret + n, ret + data, 2);
        *length = n + 2;
        return 0;
    case 3: /* another octet */
        n = model_take(card);
        ret[n % *length] = model_take(card);
        return 0;
    case 4: /* a length, or any other octet, a little longer or shorter */
        n = model_take(card);
        ret[n % *length] = (uint8_t)(ret[n % *length] + (int8_t)model_take(card));
        return 0;
    case 5: /* anything at all */
        *length = model_take(card);
        for (n = 0; n < *length; n++)
            ret[n] = model_take(card);
        return 0;
    case 6: /* too much */
        n = model_take(card) % (APDU_RESPONSE_MAX - *length + 1);
        memmove(ret + data + n, ret + data, 2);
        memset(ret + data, model_take(card), n);
        *length += n;
        return 0;
    case 7: /* the card is reset by others, and nobody is told before the next transaction */
        model_reset(card);
        card->begin_with = UICC_E_RESET;
        return 0;
    case 8: /* the next transaction does not begin */
        card->begin_with = model_outcome(model_take(card));
        return 0;
    default:
        kind = model_take(card);
        if (model_outcome(kind) == UICC_E_RESET)
            model_reset(card);
        return model_outcome(kind);
    }
}

/* Whether the next answer is to be spoilt. */
static inline bool model_is_due(struct model_card *card) {
    if (!card->armed) {
        if (card->size == 0)
            return false;
        card->gap = model_take(card);
        card->armed = true;
    }
    if (card->gap > 0) {
        card->gap--;
        return false;
    }
    card->armed = false;
    return true;
}

static inline int model_deliver(struct model_card *card, const uint8_t *answer, size_t length,
                                uint8_t *ret, size_t size, size_t *ret_length,
                                struct failure *failure) {
    uint8_t spoilt[APDU_RESPONSE_MAX];
    int r = 0;

    memcpy(spoilt, answer, length);
    if (model_is_due(card))
        r = model_spoil(card, spoilt, &length);
    if (r != 0)
        return failure_set(failure, r, "The card is made to fail");
    check(length <= size);
    memcpy(ret, spoilt, length);
    *ret_length = length;
    card->last_sw = length >= 2 ? (uint16_t)(ret[length - 2] << 8 | ret[length - 1]) : 0;
    return 0;
}

/* --- struct transport ------------------------------------------------------------------------------ */

static inline int model_begin(struct transport *transport, struct failure *failure) {
    struct model_card *card = (struct model_card *)transport;
    int r = card->begin_with;

    check(card->begun == 0);
    card->begin_with = 0;
    card->begun = r == 0 || r == UICC_E_RESET;
    return r == 0 ? 0 : failure_set(failure, r, "The card is made to fail");
}

static inline void model_end(struct transport *transport) {
    struct model_card *card = (struct model_card *)transport;

    check(card->begun == 1);
    card->begun = 0;
}

static inline int model_transmit(struct transport *transport, const uint8_t *command, size_t length,
                                 uint8_t *ret, size_t size, size_t *ret_length,
                                 struct failure *failure) {
    struct model_card *card = (struct model_card *)transport;
    uint8_t answer[APDU_RESPONSE_MAX + 2];
    size_t n;
    int r;

    check(card->begun == 1 && ++card->exchanges < EXCHANGES_MAX);
    check(length >= 4 && length <= APDU_COMMAND_MAX);
    n = model_execute(card, command, length, answer);
    if ((card->kind.pieces || command[0] == 0xa0) && command[1] != 0xc0 && length > 5 && n > 2) {
        memcpy(card->pending, answer, n);
        card->pending_length = n;
        n = model_sw(answer, 0,
                     (uint16_t)((command[0] == 0xa0 ? 0x9f00 : 0x6100) | ((n - 2) & 0xff)));
    }
    r = model_deliver(card, answer, n, ret, size, ret_length, failure);
    if (r == 0 && command[1] == 0x20 && length == 4)
        card->tries_told = (card->last_sw & 0xfff0) == 0x63c0 ? card->last_sw & 0x0f : -1;
    return r;
}

static inline int model_open_channel(struct transport *transport, const uint8_t *aid,
                                     size_t aid_length, uint8_t *ret_channel, uint8_t *ret,
                                     size_t size, size_t *ret_length, struct failure *failure) {
    struct model_card *card = (struct model_card *)transport;
    uint8_t answer[APDU_RESPONSE_MAX], open[5] = {0x00, 0x70, 0x00, 0x00, 0x01};
    size_t n;

    check(card->begun == 1 && aid && aid_length >= AID_MIN && aid_length <= AID_MAX);
    if (model_channel_command(card, open, answer) != 3)
        return failure_set(failure, UICC_E_NO_CHANNEL, "There is no channel");
    *ret_channel = answer[0];
    n = model_select_name(card, &card->channels[answer[0]], aid, aid_length, answer);
    return model_deliver(card, answer, n, ret, size, ret_length, failure);
}

static inline void model_close_channel(struct transport *transport, uint8_t channel) {
    struct model_card *card = (struct model_card *)transport;

    check(card->begun == 1 && channel >= 1 && channel <= UICC_CHANNEL_MAX);
    card->channels[channel] = (struct model_channel){0};
}

/* What a modem tells is bounded by plugin-host.c, so it is odd within these bounds. */
static inline int model_identity(struct transport *transport, struct transport_identity *ret,
                                 struct failure *failure) {
    struct model_card *card = (struct model_card *)transport;
    struct transport_identity identity = {.iccid = "8910002345670123", .ef_ad = {0, 0, 0, 2}};

    identity.ef_ad_length = 4;
    if (card->kind.usim)
        (void)snprintf(identity.imsi, sizeof(identity.imsi), "001010123456789");
    if (card->kind.isim)
        (void)snprintf(identity.impi, sizeof(identity.impi), "gateway@ims.example");
    identity.services_length = model_hex("9effbf1d0400000008", identity.services);
    if (model_is_due(card)) {
        card->faults++;
        switch (model_take(card) % 5) {
        case 0:
            return failure_set(failure, model_outcome(model_take(card)), "The modem fails");
        case 1:
            identity.imsi[model_take(card) % (IMSI_MAX + 1)] = '\0';
            break;
        case 2:
            identity.impi[model_take(card) % 20] = (char)('!' + model_take(card) % 90);
            break;
        case 3:
            identity.services_length = model_take(card) % (SERVICE_TABLE_MAX + 1);
            break;
        default:
            identity.ef_ad_length = model_take(card) % 5;
            identity.ef_ad[3] = model_take(card);
        }
    }
    *ret = identity;
    return 0;
}

static inline int model_modem_authenticate(struct transport *transport, const uint8_t *aid,
                                           size_t aid_length, uint8_t context, const uint8_t *data,
                                           size_t data_length, uint8_t *ret, size_t size,
                                           size_t *ret_length, struct failure *failure) {
    struct model_card *card = (struct model_card *)transport;
    uint8_t answer[APDU_RESPONSE_MAX];

    (void)aid;
    check(aid_length <= AID_MAX && data_length <= 255);
    return model_deliver(card, answer,
                         model_authenticate(card, context, data, data_length, answer), ret, size,
                         ret_length, failure);
}

static inline void model_init(struct model_card *card, const struct model_kind *kind,
                              const uint8_t *data, size_t size) {
    static const struct transport_ops ops = {.begin = model_begin,
                                             .end = model_end,
                                             .transmit = model_transmit,
                                             .open_channel = model_open_channel,
                                             .close_channel = model_close_channel,
                                             .identity = model_identity,
                                             .authenticate = model_modem_authenticate};

    *card = (struct model_card){.transport = {.ops = &ops, .flags = kind->flags},
                                .kind = *kind,
                                .data = data,
                                .size = size,
                                .tries = 3,
                                .tries_told = -1};
    memset(card->gbabp, 0xff, sizeof(card->gbabp));
    model_reset(card);
}
