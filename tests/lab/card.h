/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A UICC with a USIM, as octets in and octets out: TS 102 221 for the card, TS 31.102 for the USIM.
 *
 * Nothing here does input or output or knows the time; the reader, the faults that lie between
 * card and reader, and the file of the card's state are around it. One card serves one thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sqn.h"
#include "subscribers.h"

enum {
    CARD_ATR_MAX = 33,
    CARD_COMMAND_MAX = 261,   /* header, Lc, 255 octets, Le; a longer one is answered with 6700 */
    CARD_REPLY_MAX = 256 + 2, /* data and status word */
    CARD_CHANNELS_MAX = 19,   /* beside the basic channel (TS 102 221 clause 10.1.1) */
    CARD_PIN_RETRIES = 3,
};

/* How response data leaves the card. */
enum card_shape {
    CARD_SHAPE_T1, /* with the status word at once; 61xx only for what Le did not ask for */
    CARD_SHAPE_T0, /* 61xx and GET RESPONSE after a command with data; 6Cxx for a wrong Le */
};

struct card_options {
    const struct lab_subscriber *subscriber; /* copied */
    enum card_shape shape;
    unsigned channels;   /* beside the basic one; 0: MANAGE CHANNEL is refused with 6881 */
    unsigned res_length; /* octets of RES, 4 to 8 */
    bool pin_enabled;
    bool gsm_access; /* UST service 27: Kc behind IK */
};

/* What the next AUTHENTICATE is to believe, whatever AUTN says. */
enum card_belief {
    CARD_BELIEF_NONE,
    CARD_BELIEF_WRONG_MAC, /* 9862 */
    CARD_BELIEF_STALE_SQN, /* AUTS */
};

/* Of the GBA files of an application, which outlive power off as the Ks does. */
enum {
    CARD_GBABP_SIZE = 160,
    CARD_GBANL_RECORD = 128,
    CARD_GBANL_RECORDS = 2,
};

/* A bootstrap whose Ks is on the card (TS 33.220 clause 5), and the files that tell of it: octets, FF when new. */
struct card_gba {
    uint8_t has_ks; /* 1 */
    uint8_t ks[32];
    uint8_t rand[16];
    uint8_t gbabp[CARD_GBABP_SIZE];
    uint8_t gbanl[CARD_GBANL_RECORDS * CARD_GBANL_RECORD];
};

/* What a card keeps without power. */
struct card_memory {
    struct sqn sqn;
    unsigned pin_retries;
    struct card_gba gba[2]; /* of the USIM, of the ISIM */
};

struct card;

/*
 * A card of OPTIONS without power. 0 and *RET_CARD, released with card_free(); -EINVAL or -ENOMEM.
 */
int card_new(const struct card_options *options, struct card **ret_card);

/* Erases the keys and frees. NULL is fine. */
void card_free(struct card *card);

/*
 * Power off loses channels, selections and the PIN's verification; power on and reset start
 * afresh. The card answers APDUs only with power.
 */
void card_power(struct card *card, bool on);
void card_reset(struct card *card);

/*
 * The ATR, at most CARD_ATR_MAX octets; returns its length. It is the same with and without power.
 */
size_t card_atr(const struct card *card, uint8_t ret_atr[CARD_ATR_MAX]);

/*
 * Runs the command APDU COMMAND, LENGTH octets of any content, and writes the answer, at least a
 * status word, into RET_REPLY. Returns its length; 0 without power.
 */
size_t card_transmit(struct card *card, const uint8_t *command, size_t length,
                     uint8_t ret_reply[CARD_REPLY_MAX]);

/* APDUs received, and AUTHENTICATEs among them, since card_new(). */
unsigned card_count_apdus(const struct card *card);
unsigned card_count_authenticates(const struct card *card);

/* Whether channel NUMBER (0 to CARD_CHANNELS_MAX) is open. */
bool card_channel_is_open(const struct card *card, unsigned number);

/* Once: the next AUTHENTICATE believes BELIEF. */
void card_believe(struct card *card, enum card_belief belief);

/*
 * Once: the data of the next answer to an AUTHENTICATE loses its last OCTETS octets (all, if it
 * has fewer).
 */
void card_truncate(struct card *card, size_t octets);

/* Whether COMMAND is an AUTHENTICATE, whose data and answer must not be shown. */
bool card_is_authenticate(const uint8_t *command, size_t length);

/* What survives power off; borrowed, valid as long as CARD. It may be written between commands. */
struct card_memory *card_memory(struct card *card);
