/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of uicc/ share, and nobody else sees: the card's state, the session on it, and the
 * readers of its files.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apdu.h"
#include "transport.h"
#include "uicc.h"

#define USIM_AID_PREFIX "\xa0\x00\x00\x00\x87\x10\x02" /* TS 101 220 Annex E: 3GPP USIM */
#define USIM_AID_PREFIX_LENGTH 7u

#define FID_MF 0x3f00
#define FID_EF_DIR 0x2f00
#define FID_EF_ICCID 0x2fe2
#define FID_EF_IMSI 0x6f07
#define FID_EF_AD 0x6fad
#define FID_EF_UST 0x6f38

#define PIN_REFERENCE_APPLICATION_1 0x01 /* TS 102 221 9.5.1: PIN1 of application 1 to 8 */
#define PIN_REFERENCE_APPLICATION_8 0x08
#define PIN_REFERENCE_UNIVERSAL 0x11

struct uicc {
    struct transport *transport;
    struct uicc_identity identity;
    bool has_channel;      /* our own logical channel is open */
    bool basic_only;       /* this card refused MANAGE CHANNEL */
    bool selected;         /* the USIM is the current application on our channel */
    uint8_t channel;       /* 0 is the basic channel */
    uint64_t generation;   /* counts the card's lives: one more whenever all channels are gone */
    uint8_t pin_reference; /* of the PIN that guards the USIM, 0 where the card does not say */
};

/* --- fcp.c: file control parameters (TS 102 221 11.1.1.3) ---------------------------------------- */

enum fcp_structure {
    FCP_STRUCTURE_UNKNOWN,
    FCP_STRUCTURE_TRANSPARENT,
    FCP_STRUCTURE_LINEAR,
    FCP_STRUCTURE_OTHER,
};

enum fcp_pin {
    FCP_PIN_UNKNOWN,
    FCP_PIN_DISABLED,
    FCP_PIN_ENABLED,
};

struct fcp {
    enum fcp_structure structure;
    bool has_size;
    size_t size;          /* of a transparent file, octets */
    size_t record_length; /* of a linear file, 1 to 255 */
    size_t records;       /* 0 where the card does not say */
    enum fcp_pin pin;
    uint8_t pin_reference; /* the key that guards the application, with FCP_PIN_ENABLED */
};

/**
 * fcp_parse() - what SELECT answered; nothing at all is allowed and says nothing
 *
 * Return: 0; -EBADMSG.
 */
int fcp_parse(const uint8_t *data, size_t length, struct fcp *ret);

/* --- session.c: one transaction on our channel ---------------------------------------------------- */

/**
 * outcome_of_loss() - whether the code says that what was set up on the card cannot be there any more, or cannot be
 * reached
 */
bool outcome_of_loss(int code);

/**
 * session_begin() - take the card and have a channel on it, but nothing selected
 *
 * Return: 0, and then session_end() must follow; else nothing is held.
 */
int session_begin(struct uicc *uicc, struct failure *failure);

/**
 * session_begin_usim() - as session_begin(), with the USIM of uicc_identity() selected
 */
int session_begin_usim(struct uicc *uicc, struct failure *failure);

/**
 * session_end() - leave the card as it is
 */
void session_end(struct uicc *uicc);

/**
 * session_close_channel() - give our channel back, inside a transaction
 */
void session_close_channel(struct uicc *uicc);

/**
 * session_exchange() - one command on our channel; when the transport fails, what was set up on the card
 * counts as gone
 */
int session_exchange(struct uicc *uicc, struct apdu *apdu, struct apdu_answer *answer,
                     struct failure *failure);

/**
 * session_select_usim() - select the USIM by its full AID and note its PIN
 */
int session_select_usim(struct uicc *uicc, struct failure *failure);

/* --- files.c: SELECT and READ ---------------------------------------------------------------------- */

/**
 * outcome_of_card() - whether a code is an answer of the card that speaks of one file, so that others can
 * still be read
 */
bool outcome_of_card(int code);

int file_select(struct uicc *uicc, uint16_t fid, const char *name, struct fcp *ret,
                struct failure *failure);

/**
 * file_read_binary() - select a transparent EF and read it from its start
 * @size: room at @ret; what is beyond it is not read
 */
int file_read_binary(struct uicc *uicc, uint16_t fid, const char *name, uint8_t *ret, size_t size,
                     size_t *ret_length, struct failure *failure);

/**
 * file_read_record() - one record of the selected linear file; UICC_E_NOT_FOUND behind the last
 */
int file_read_record(struct uicc *uicc, const char *name, unsigned number, size_t record_length,
                     struct apdu_answer *answer, struct failure *failure);

/* --- identity.c: what the files mean ------------------------------------------------------------------ */

/**
 * imsi_parse() - EF_IMSI (TS 31.102 4.2.2). 0; -EBADMSG.
 */
int imsi_parse(const uint8_t *data, size_t length, char ret[IMSI_MAX + 1]);

/**
 * iccid_parse() - EF_ICCID (TS 102 221 13.2). 0; -EBADMSG.
 */
int iccid_parse(const uint8_t *data, size_t length, char ret[ICCID_MAX + 1]);

/**
 * mnc_length_parse() - EF_AD (TS 31.102 4.2.18): 2 or 3; 0 where the card does not say
 */
unsigned mnc_length_parse(const uint8_t *data, size_t length);

/**
 * dir_record_parse() - one record of EF_DIR (TS 102 221 13.1)
 *
 * Return: 1 for a USIM, with AID and label in @identity; 0 for another application or an empty record;
 * -EBADMSG.
 */
int dir_record_parse(const uint8_t *data, size_t length, struct uicc_identity *identity);

/* --- pin.c ------------------------------------------------------------------------------------------------ */

/**
 * pin_learn() - note what the FCP of the USIM says of its PIN, and ask for the tries left (no PIN is presented)
 */
int pin_learn(struct uicc *uicc, const struct fcp *fcp, struct failure *failure);

/**
 * pin_refused() - 6982 or 6983 came: settle the PIN state and tell the user
 *
 * Return: UICC_E_PIN_REQUIRED or UICC_E_PIN_BLOCKED.
 */
int pin_refused(struct uicc *uicc, int code, struct failure *failure);
