/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What can go wrong between the card and its reader, on request.
 *
 * Each fault waits for an APDU, counted from when it was asked for (1 is the next), or for the
 * next AUTHENTICATE; it happens once. One of each kind may wait at a time; a new wish replaces it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "card.h"

enum fault_kind {
    FAULT_DROP,   /* the card is pulled: no answer */
    FAULT_SILENT, /* the answer comes late, or never */
    FAULT_STATUS, /* a status word instead of an answer; the card does not see the command */
    FAULT_ANSWER, /* any octets instead of an answer; the card does not see the command */
    FAULT_KINDS,
};

struct fault {
    bool armed;
    bool at_authenticate;
    unsigned countdown; /* APDUs until it happens */
    unsigned msec;      /* FAULT_SILENT; 0: for ever */
    uint8_t octets[CARD_REPLY_MAX];
    size_t length; /* FAULT_STATUS and FAULT_ANSWER */
};

struct faults {
    struct fault list[FAULT_KINDS];
    unsigned delay_msec; /* of every answer */
};

/* What happens to this APDU: each of RET_HAPPENED says whether the fault of that kind does. */
void faults_next(struct faults *faults, const uint8_t *command, size_t length,
                 bool ret_happened[FAULT_KINDS]);

/*
 * The words after "fault", as faults_usage has them. Returns 0, or -EINVAL with an explanation in
 * ANSWER (SIZE octets).
 */
extern const char faults_usage[];
int faults_parse(struct faults *faults, struct card *card, int argc, char **argv, char *answer,
                 size_t size);

/* Takes back everything that has not happened yet. */
void faults_clear(struct faults *faults, struct card *card);
