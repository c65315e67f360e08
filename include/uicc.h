/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A UICC and the application on it that knows the subscriber: USIM, ISIM or, on an old card, SIM (TS 102 221,
 * TS 31.102, TS 31.103, TS 51.011).
 *
 * struct uicc is one card behind one transport, from insertion to removal: its own logical channel, the application
 * selected on it, and who it says it is. A card without logical channels is used on the basic
 * channel, selected anew inside every transaction. When somebody resets the card, the next operation sets channel,
 * selection and PIN up again before it does anything; an AUTHENTICATE is never repeated.
 *
 * A modem that passes no commands (TRANSPORT_AKA) tells who the card is and authenticates by itself; there are no files
 * then, and what needs one returns UICC_E_NOT_FOUND.
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

enum uicc_application {
    UICC_NO_APPLICATION,
    UICC_USIM,
    UICC_ISIM,
    UICC_SIM, /* of TS 51.011, on a card that has neither of the above */
};

/* Which application is wanted; auto is the USIM where there is one, else the ISIM (TS 33.220 4.4.8, unverified). */
enum uicc_choice {
    UICC_CHOOSE_AUTO,
    UICC_CHOOSE_USIM,
    UICC_CHOOSE_ISIM,
};

/* What became of PINs, for longer than a card is in: a PIN that a card has refused is not presented to it again. */
struct uicc_pin_memory {
    char iccid[ICCID_MAX + 1]; /* of the card that refused */
    bool refused;
};

/* Everything is borrowed until uicc_free(). */
struct uicc_options {
    enum uicc_choice choice;
    bool allow_sim;                  /* use the SIM of a card without USIM and ISIM: for 2G GBA alone */
    const struct secret *pin1;       /* 4 to 8 digits; NULL for none */
    const struct secret *upin;       /* likewise, the universal PIN */
    struct uicc_pin_memory *pin_memory; /* NULL: PINs are presented to each card once */
};

struct uicc_identity {
    char iccid[ICCID_MAX + 1]; /* digits; "" where EF_ICCID cannot be read */
    char imsi[IMSI_MAX + 1];   /* digits; "" with an ISIM */
    unsigned mnc_length;       /* 2 or 3 from EF_AD; 0 where the card does not say */
    char impi[IMPI_MAX + 1];   /* of EF_IMPI; "" unless application is UICC_ISIM */
    char domain[FQDN_MAX + 1]; /* of EF_DOMAIN; "" likewise, or where it cannot be read */
    bool has_usim, has_isim;   /* in EF_DIR, whether or not they can be used */
    enum uicc_application application; /* the one that is used */
    uint8_t aid[AID_MAX];      /* of it; none for a SIM */
    size_t aid_length;
    char label[33];            /* of it in EF_DIR, printable, or "" */
    uint8_t services[SERVICE_TABLE_MAX]; /* EF_UST or EF_IST */
    size_t services_length;
    enum uicc_pin pin;
    int pin_tries; /* left for PIN1, -1 unknown */
};

/* What AUTHENTICATE yields in the 3G context (TS 31.102 7.1.2.1). */
struct uicc_aka {
    struct secret *res; /* RES_MIN to RES_MAX octets */
    struct secret *ck;  /* 16 octets; NULL in the GBA context */
    struct secret *ik;  /* likewise */
    uint8_t auts[AKA_AUTS_LENGTH]; /* for UICC_E_SYNC; public by design */
};

/**
 * uicc_aka_done() - erase and free RES, CK and IK
 */
void uicc_aka_done(struct uicc_aka *aka);

#define _cleanup_uicc_aka_ __attribute__((cleanup(uicc_aka_done)))

struct uicc;

/**
 * uicc_application_name() - "USIM", "ISIM", "SIM" or "no application"; static
 */
const char *uicc_application_name(enum uicc_application application);

/**
 * uicc_new() - a card that nothing is known of yet; @transport is borrowed and outlives it
 */
int uicc_new(struct transport *transport, struct uicc **ret);

/**
 * uicc_configure() - other options than the defaults; before uicc_open()
 */
void uicc_configure(struct uicc *uicc, const struct uicc_options *options);

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
 * uicc_open() - open a channel, find and select the application, read who it is
 *
 * One transaction. EF_DIR is parsed by TLV and the application selected by its full AID (prefix A0000000871002, of an ISIM
 * A0000000871004). An ISIM whose EF_IMPI has no "@" counts as none.
 *
 * The PIN is presented only when a file says that it must be, when the card tells that two tries or more are left, and
 * once: a PIN that was refused is not presented to that card again. One that was right is presented again after a reset.
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
 * uicc_service() - whether service @number (1 to 256) is in the service table of the application
 */
bool uicc_service(const struct uicc_identity *identity, unsigned number);

/**
 * uicc_knows_gba() - whether the application's service table has GBA: 68 of EF_UST (TS 31.102 4.2.8), 2 of
 * EF_IST (TS 31.103 4.2.7)
 */
bool uicc_knows_gba(const struct uicc_identity *identity);

/**
 * uicc_authenticate() - AUTHENTICATE in the 3G context, P2 81 (TS 31.102 7.1.2; the IMS AKA context of TS 31.103)
 * @rand: 16 octets
 * @autn: 16 octets
 *
 * Return: 0 with RES, CK and IK that the caller owns; UICC_E_SYNC with ret->auts (decided by tag DC, whatever the
 * status word is); UICC_E_MAC; UICC_E_CONTEXT; UICC_E_FRESHNESS; UICC_E_MEMORY; UICC_E_CONDITIONS; UICC_E_MALFORMED;
 * UICC_E_PIN_REQUIRED; or what the transport returns. UICC_E_RESET here means that the answer is lost and the
 * challenge is spent.
 */
int uicc_authenticate(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH],
                      const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                      struct failure *failure);

/**
 * uicc_gba_bootstrap() - AUTHENTICATE in the GBA context, bootstrapping: P2 84, tag DD (TS 31.102 7.1.2.3)
 *
 * The Ks stays in the card, with RAND in EF_GBABP.
 *
 * Return: as uicc_authenticate(), but with RES alone. UICC_E_CONTEXT is a card that knows no GBA.
 */
int uicc_gba_bootstrap(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH],
                       const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                       struct failure *failure);

/**
 * uicc_gba_derive() - AUTHENTICATE in the GBA context, NAF derivation: P2 84, tag DE (TS 31.102 7.1.2.4)
 * @naf_id: FQDN and Ua security protocol identifier, @naf_id_length octets
 * @impi: UTF-8
 *
 * Ks_int_NAF stays in the card; EF_GBANL lists it.
 *
 * Return: 0 with NAF_KEY_LENGTH octets of Ks_ext_NAF that the caller owns; UICC_E_NAF_ID where @naf_id and @impi
 * together have more than UICC_NAF_ID_IMPI_MAX octets, which no short command can carry; UICC_E_CONDITIONS where the
 * card has no Ks; else as uicc_authenticate().
 */
int uicc_gba_derive(struct uicc *uicc, const uint8_t *naf_id, size_t naf_id_length,
                    const char *impi, struct secret **ret, struct failure *failure);

/* EF_GBABP (TS 31.102 4.2.79, TS 31.103 4.2.9): the bootstrap that the card's Ks is from. */
struct uicc_gbabp {
    uint8_t rand[AKA_RAND_LENGTH];
    char btid[BTID_MAX + 1];                    /* "" where none was written */
    char lifetime[LIFETIME_TEXT_MAX + 1];       /* printable; its coding is nobody's rule */
};

/**
 * uicc_gba_read_bp() - read EF_GBABP
 *
 * Return: 0; UICC_E_NOT_FOUND where there is no such file, or no bootstrap in it, whatever else it holds; else as
 * uicc_authenticate().
 */
int uicc_gba_read_bp(struct uicc *uicc, struct uicc_gbabp *ret, struct failure *failure);

/**
 * uicc_gba_write_bp() - write B-TID and lifetime behind the RAND that the card wrote into EF_GBABP (TS 33.220 5.3.2)
 * @rand: of the bootstrap; where the file has another, nothing is written
 *
 * Return: 0; UICC_E_NOT_FOUND; UICC_E_CONDITIONS for another RAND; UICC_E_MEMORY where the file is too small; else as
 * uicc_authenticate().
 */
int uicc_gba_write_bp(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH], const char *btid,
                      const char *lifetime, struct failure *failure);

/* One record of EF_GBANL: a NAF that the card keeps a Ks_int_NAF for. */
struct uicc_gbanl {
    char naf_fqdn[NAF_FQDN_MAX + 1];
    uint8_t ua_protocol[UA_PROTOCOL_LENGTH];
    char btid[BTID_MAX + 1];
};

/**
 * uicc_gba_list() - read EF_GBANL; records that are empty or make no sense are passed over
 * @ret: room for @size records
 *
 * Return: 0 with *@ret_count; UICC_E_NOT_FOUND; else as uicc_authenticate().
 */
int uicc_gba_list(struct uicc *uicc, struct uicc_gbanl *ret, size_t size, size_t *ret_count,
                  struct failure *failure);

/**
 * uicc_run_gsm() - RUN GSM ALGORITHM of the SIM (TS 51.011 9.2.16): UICC_SIM alone
 *
 * Return: 0 with GSM_SRES_LENGTH and GSM_KC_LENGTH octets that the caller owns; UICC_E_NO_APPLICATION; else as
 * uicc_authenticate().
 */
int uicc_run_gsm(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH], struct secret **ret_sres,
                 struct secret **ret_kc, struct failure *failure);
