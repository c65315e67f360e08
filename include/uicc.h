/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A UICC and the USIM on it (TS 102 221, TS 31.102).
 *
 * struct uicc is one card behind one transport, from insertion to removal: its own logical channel, the
 * USIM selected on it, and who it says it is. A card without logical channels is used on the basic
 * channel, selected anew inside every transaction. When somebody resets the card, the next operation sets channel and selection
 * up again before it does anything; an AUTHENTICATE is never repeated.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"
#include "transport.h"

enum uicc_pin {
    UICC_PIN_UNKNOWN,
    UICC_PIN_DISABLED, /* nobody asks for it */
    UICC_PIN_VERIFIED,
    UICC_PIN_REQUIRED, /* enabled and not verified */
    UICC_PIN_BLOCKED,
};

struct uicc_identity {
    char iccid[ICCID_MAX + 1]; /* digits; "" where EF_ICCID cannot be read */
    char imsi[IMSI_MAX + 1];   /* digits */
    unsigned mnc_length;       /* 2 or 3 from EF_AD; 0 where the card does not say */
    uint8_t aid[AID_MAX];      /* of the USIM */
    size_t aid_length;
    char label[33];            /* of the USIM in EF_DIR, printable, or "" */
    uint8_t services[SERVICE_TABLE_MAX]; /* EF_UST */
    size_t services_length;
    enum uicc_pin pin;
    int pin_tries; /* left for PIN1, -1 unknown */
};

/* What AUTHENTICATE yields in the 3G context (TS 31.102 7.1.2.1). */
struct uicc_aka {
    struct secret *res; /* RES_MIN to RES_MAX octets */
    struct secret *ck;  /* 16 octets */
    struct secret *ik;  /* 16 octets */
    uint8_t auts[AKA_AUTS_LENGTH]; /* for UICC_E_SYNC; public by design */
};

/**
 * uicc_aka_done() - erase and free RES, CK and IK
 */
void uicc_aka_done(struct uicc_aka *aka);

#define _cleanup_uicc_aka_ __attribute__((cleanup(uicc_aka_done)))

struct uicc;

/**
 * uicc_new() - a card that nothing is known of yet; @transport is borrowed and outlives it
 */
int uicc_new(struct transport *transport, struct uicc **ret);

/**
 * uicc_free() - close the logical channel where that can be done without waiting for a card that is gone,
 * and release; NULL is allowed. Returns NULL.
 *
 * Call uicc_forget() first when the card is known to be gone.
 */
struct uicc *uicc_free(struct uicc *uicc);

/**
 * uicc_forget() - the card is gone or was reset: channel, selection and PIN state are not there any more
 */
void uicc_forget(struct uicc *uicc);

/**
 * uicc_open() - open a channel, find and select the USIM, read who it is
 *
 * One transaction. EF_DIR is parsed by TLV and the USIM selected by its full AID (prefix A0000000871002).
 *
 * Return: 0; UICC_E_NO_APPLICATION, UICC_E_PIN_REQUIRED (the identity holds what could be read),
 * UICC_E_PIN_BLOCKED, UICC_E_IDENTITY, UICC_E_MALFORMED, UICC_E_STATUS, or what the transport returns. What was set up is
 * undone on failure, but what was learnt stays in uicc_identity().
 */
int uicc_open(struct uicc *uicc, struct failure *failure);

/**
 * uicc_identity() - what uicc_open() read; borrowed
 */
const struct uicc_identity *uicc_identity(const struct uicc *uicc);

/**
 * uicc_service() - whether service @number (1 to 256) is in EF_UST; 68 is GBA, 27 is GSM access
 */
bool uicc_service(const struct uicc_identity *identity, unsigned number);

/**
 * uicc_authenticate() - AUTHENTICATE in the 3G context, P2 81 (TS 31.102 7.1.2)
 * @rand: 16 octets
 * @autn: 16 octets
 *
 * Return: 0 with RES, CK and IK that the caller owns; UICC_E_SYNC with ret->auts (decided by tag DC, whatever the
 * status word is); UICC_E_MAC; UICC_E_CONTEXT; UICC_E_MALFORMED; UICC_E_PIN_REQUIRED; or what the
 * transport returns. UICC_E_RESET here means that the answer is lost and the challenge is spent.
 */
int uicc_authenticate(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH],
                      const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                      struct failure *failure);
