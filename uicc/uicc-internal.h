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
#define ISIM_AID_PREFIX "\xa0\x00\x00\x00\x87\x10\x04" /* likewise: 3GPP ISIM */
#define AID_PREFIX_LENGTH 7u

#define FID_MF 0x3f00
#define FID_EF_DIR 0x2f00
#define FID_EF_ICCID 0x2fe2
#define FID_EF_IMSI 0x6f07
#define FID_EF_AD 0x6fad
#define FID_EF_UST 0x6f38
#define FID_EF_GBABP_USIM 0x6fd6
#define FID_EF_GBANL_USIM 0x6fda
#define FID_EF_IMPI 0x6f02 /* TS 31.103 4.2 */
#define FID_EF_DOMAIN 0x6f03
#define FID_EF_IST 0x6f07
#define FID_EF_GBABP_ISIM 0x6fd5
#define FID_EF_GBANL_ISIM 0x6fd7
#define FID_DF_GSM 0x7f20 /* TS 51.011 10.7 */

#define PIN_REFERENCE_APPLICATION_1 0x01 /* TS 102 221 9.5.1: PIN1 of application 1 to 8 */
#define PIN_REFERENCE_APPLICATION_8 0x08
#define PIN_REFERENCE_UNIVERSAL 0x11

/* An application that EF_DIR names. */
struct uicc_listed {
    uint8_t aid[AID_MAX];
    size_t aid_length; /* 0 where there is none */
    char label[33];
};

struct uicc {
    struct transport *transport;
    struct uicc_options options;
    struct uicc_pin_memory own_pin_memory; /* where the options bring none */
    struct uicc_listed usim, isim;
    struct uicc_identity identity;
    bool has_channel;      /* our own logical channel is open */
    bool basic_only;       /* this card refused MANAGE CHANNEL */
    bool selected;         /* our application is the current one on our channel */
    uint8_t channel;       /* 0 is the basic channel */
    uint64_t generation;   /* counts the card's lives: one more whenever all channels are gone */
    uint8_t pin_reference; /* of the PIN that guards the application, 0 where the card does not say */
    bool pin_right;        /* a PIN that we presented was right in this insertion of the card */
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
 * session_begin_application() - as session_begin(), with the application of uicc_identity() selected
 */
int session_begin_application(struct uicc *uicc, struct failure *failure);

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
 * session_select_application() - select the application of uicc_identity() by its full AID and note its PIN; a SIM by its
 * directory
 */
int session_select_application(struct uicc *uicc, struct failure *failure);

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
 * Return: UICC_USIM or UICC_ISIM, with AID and label in @ret; UICC_NO_APPLICATION for another application or an empty
 * record; -EBADMSG.
 */
int dir_record_parse(const uint8_t *data, size_t length, struct uicc_listed *ret);

/**
 * impi_parse() - EF_IMPI or EF_DOMAIN (TS 31.103 4.2.2, 4.2.3): 80 LL and UTF-8 that is printable
 * @ret: room for @size octets
 *
 * Return: 0; -EBADMSG, also for an empty one.
 */
int impi_parse(const uint8_t *data, size_t length, char *ret, size_t size);

/* --- application.c: which application, and who the subscriber is ------------------------------------------ */

/**
 * application_find() - read EF_DIR and choose, inside a transaction with the MF selected
 */
int application_find(struct uicc *uicc, struct failure *failure);

/**
 * application_read() - IMSI or IMPI, MNC length, services of the application, which is selected
 */
int application_read(struct uicc *uicc, struct failure *failure);

/**
 * application_from_modem() - the same of a modem that passes no commands
 */
int application_from_modem(struct uicc *uicc, struct failure *failure);

/**
 * file_read_optional() - read a file that keystrap can do without: what the card says against it is not an error, what
 * happens to the card is
 */
int file_read_optional(struct uicc *uicc, uint16_t fid, const char *name, uint8_t *ret, size_t size,
                       size_t *ret_length, struct failure *failure);

/**
 * file_update_binary() - write @length octets, at most 255, at @offset of the selected transparent file
 */
int file_update_binary(struct uicc *uicc, const char *name, size_t offset, const uint8_t *data,
                       size_t length, struct failure *failure);

/* --- authenticate.c ---------------------------------------------------------------------------------------- */

#define AUTHENTICATE_3G 0x81 /* P2: application key, 3G context (TS 31.102 7.1.2) */
#define AUTHENTICATE_GBA 0x84 /* GBA context */

/**
 * authenticate_begin() - have the application ready for AUTHENTICATE; authenticate_end() must follow 0
 */
int authenticate_begin(struct uicc *uicc, struct failure *failure);
void authenticate_end(struct uicc *uicc, bool worked);

/**
 * authenticate_send() - AUTHENTICATE once, by command or by the modem
 *
 * Return: 0 where data follows; what the status word means otherwise, or the transport returns.
 */
int authenticate_send(struct uicc *uicc, uint8_t context, const uint8_t *data, size_t length,
                      struct apdu_answer *answer, struct failure *failure);

/**
 * authenticate_malformed() - say so, and of the answer only how long it is
 */
int authenticate_malformed(const struct apdu_answer *answer, struct failure *failure);

/* The next value with its length before it, @min to @max octets long, out of what a card answered. */
struct lv_cursor {
    const uint8_t *data;
    size_t length;
};

/**
 * lv_next() - take it. 0; -EBADMSG; -ENOMEM.
 */
int lv_next(struct lv_cursor *cursor, size_t min, size_t max, struct secret **ret);

/* --- pin.c ------------------------------------------------------------------------------------------------ */

/**
 * pin_learn() - note what the FCP of the USIM says of its PIN, and ask for the tries left (no PIN is presented)
 */
int pin_learn(struct uicc *uicc, const struct fcp *fcp, struct failure *failure);

/**
 * pin_present() - VERIFY with the configured PIN, where that may be done
 *
 * Return: 0 when it was right; UICC_E_PIN_REQUIRED or UICC_E_PIN_BLOCKED with words for the user; what the transport
 * returns.
 */
int pin_present(struct uicc *uicc, struct failure *failure);

/**
 * pin_refused() - 6982 or 6983 came: settle the PIN state and tell the user
 *
 * Return: UICC_E_PIN_REQUIRED or UICC_E_PIN_BLOCKED.
 */
int pin_refused(struct uicc *uicc, int code, struct failure *failure);
