/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is on the card beside the UICC's own applications: small applets as a Java Card would have them, each on the
 * channel that it was selected on.
 *
 * The echo applet, AID F06B6579737472617001:
 *     80 10 P1 P2 [data]   answers with the data
 *     80 12 P1 P2          answers with P1 P2 octets, 1024 at most, that count up from 00
 *     80 14 00 00          answers with the number of commands that it has had, in four octets
 *     00 20 00 P2 data     VERIFY: 9000 for "1234", 63C2 for anything else
 * ARA-M, AID A00000015141434C00 (GlobalPlatform Secure Element Access Control), where there are rules:
 *     80 CA DF 20 / FF 40 / FF 60   refresh tag, all rules, the next piece of them
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct card;
struct card_answer;
struct card_command;

enum {
    CARD_ARA_MAX = 1024,  /* octets of rules */
    CARD_ARA_PIECE = 128, /* octets in one answer */
    CARD_LONG_MAX = 1024, /* octets in one answer of the echo applet */
};

struct card_applet;

/* Of the card, as long as it is there. */
struct card_applets {
    bool has_ara;
    uint8_t ara[CARD_ARA_MAX]; /* Response-ALL-AR-DO with its tag and length */
    size_t ara_length;
    size_t ara_sent;     /* of GET DATA [All] and [Next] */
    uint64_t ara_refresh;
    uint32_t commands;   /* that the echo applet has had */
    uint8_t rest[CARD_LONG_MAX]; /* of a long answer, for GET RESPONSE */
    size_t rest_length;
    unsigned rest_channel;
};

/*
 * Whether COMMAND is an applet's: it selects one, or goes to the channel of one. If so *RET_SW and ANSWER are what it
 * says. A SELECT of something else by name leaves the applet.
 */
bool card_applet_run(struct card *card, const struct card_command *command,
                     struct card_answer *answer, uint16_t *ret_sw);

/*
 * The card's access rules: LENGTH octets of REF-AR-DOs. NULL takes ARA-M off the card. 0; -EINVAL when they are too long.
 */
int card_set_ara(struct card *card, const uint8_t *rules, size_t length);

/* card-aram.c */
uint16_t card_aram_run(struct card *card, const struct card_command *command,
                       struct card_answer *answer);
