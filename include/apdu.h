/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Command and response APDUs (TS 102 221 10, 7.3.1): short ones, in either shape.
 *
 * A command goes out once; whatever shape the answer has (61xx or 9Fxx and GET RESPONSE, 6Cxx and the
 * command again with that length, 62xx or 63xx on a command that has data to give, or data and 9000 at
 * once), apdu_exchange() brings back data and status word.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "secret.h"
#include "transport.h"

#define APDU_NO_LE (-1)
#define APDU_CLASS_SIM 0xa0 /* TS 51.011 9.2; it has no channels */

struct apdu {
    uint8_t cla; /* with the channel's bits, see apdu_class() */
    uint8_t ins, p1, p2;
    const uint8_t *data; /* NULL when length is 0 */
    size_t length;       /* 0 to 255 */
    int le;              /* APDU_NO_LE, or 0 (for 256) to 255 */
};

/* An answer. The data may be a key, so it lives in the arena. */
struct apdu_answer {
    struct secret *data; /* APDU_ASSEMBLED_MAX octets of room */
    size_t length;       /* octets of data without the status word */
    uint16_t sw;
};

/**
 * apdu_answer_init(), apdu_answer_done() - room for an answer. 0 or -ENOMEM.
 */
int apdu_answer_init(struct apdu_answer *answer);
void apdu_answer_done(struct apdu_answer *answer);

#define _cleanup_apdu_answer_ __attribute__((cleanup(apdu_answer_done)))

/**
 * apdu_class() - the class octet @cla (00 or 80) on @channel 0 to UICC_CHANNEL_MAX, TS 102 221 10.1.1; APDU_CLASS_SIM
 * stays as it is
 */
uint8_t apdu_class(uint8_t cla, uint8_t channel);

/**
 * apdu_exchange() - send @apdu and collect the whole answer
 *
 * Return: 0 with answer->data, ->length and ->sw, whatever sw says; UICC_E_MALFORMED for an answer that
 * never ends, is too long or too short; what the transport returns.
 */
int apdu_exchange(struct transport *transport, const struct apdu *apdu, struct apdu_answer *answer,
                  struct failure *failure);

/**
 * apdu_status() - turn a status word into an outcome (TS 102 221 10.2.1, TS 31.102 7.3)
 * @what: the command for people, "SELECT EF_DIR"
 *
 * Return: 0 for 9000 and 91xx; UICC_E_NOT_FOUND for 6A82, 6A83; UICC_E_PIN_REQUIRED for 6982;
 * UICC_E_PIN_BLOCKED for 6983; UICC_E_CONDITIONS for 6985; UICC_E_MAC for 9862; UICC_E_CONTEXT for 9864;
 * UICC_E_FRESHNESS for 9865; UICC_E_MEMORY for 9866, 9867 and 6A84; UICC_E_STATUS for the rest;
 * the text of @failure names the command, the status word and what the specification calls it.
 */
int apdu_status(uint16_t sw, const char *what, struct failure *failure);
