/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * GBA with one card, in the worker's thread: who the subscriber is, which mode is run, and what the card keeps.
 */

#include "gba.h"
#include "secret.h"
#include "ub.h"
#include "uicc.h"

struct card_job;
struct worker_derive;

/* What outlives the card that is in: it comes back, and what was learnt is right again. */
struct card_gba {
    struct uicc_pin_memory pins;
    struct secret *pin1, *upin; /* credentials; NULL for none */
    struct secret *password;    /* of GBA_Digest, likewise */
    char worked_iccid[ICCID_MAX + 1];
    bool has_worked;
    enum gba_mode worked;       /* with the card worked_iccid, last */
    char tmpi_impi[IMPI_MAX + 1];
    char tmpi[TMPI_MAX + 1];    /* of tmpi_impi, for the next bootstrap; "" for none */
};

/**
 * card_gba_init() - read the credentials of the card @job works for
 *
 * A credential that is there and cannot be used is told in the log, and counts as none.
 */
void card_gba_init(struct card_job *job);
void card_gba_done(struct card_job *job);

/**
 * card_gba_configure() - what struct uicc has to know before it is opened
 */
void card_gba_configure(struct card_job *job);

/**
 * card_gba_names() - who the subscriber is and which BSF is his (TS 23.003 13 and 16.2), or as configured
 *
 * Return: 0 with job->impi and job->bsf; UICC_E_IDENTITY.
 */
int card_gba_names(struct card_job *job, struct failure *failure);

/**
 * card_gba_without_card() - whether the mode needs no card at all (GBA_Digest)
 */
bool card_gba_without_card(const struct card_job *job);

/**
 * card_gba_bootstrap() - ub_bootstrap() in the mode that is due, and once in the other one of GBA_ME and GBA_U where the
 * card does not understand the challenge and nobody has fixed the mode
 *
 * After GBA_U, B-TID and lifetime are in EF_GBABP; a card that does not take them is told of in the log.
 */
int card_gba_bootstrap(struct card_job *job, struct ub_result *ret, uint64_t *ret_retry_after_usec,
                       struct failure *failure);

/**
 * card_gba_probe() - ub_probe() in the mode that is due
 */
int card_gba_probe(struct card_job *job, int64_t *ret_date, struct failure *failure);

/**
 * card_gba_derive() - have the card derive derive->key
 *
 * Return: 0; UICC_E_CARD_ABSENT where no card is open; as uicc_gba_derive().
 */
int card_gba_derive(struct card_job *job, struct worker_derive *derive, struct failure *failure);

/**
 * card_gba_derive_naf_key() - have the card that is open derive Ks_ext_NAF of its Ks (TS 33.220 5.3.3)
 *
 * Return: 0 with *@ret, the caller's; -EINVAL for a name of more than NAF_FQDN_MAX octets; as uicc_gba_derive().
 */
int card_gba_derive_naf_key(struct card_job *job, const char *naf_fqdn,
                            const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], const char *impi,
                            struct secret **ret, struct failure *failure);

/**
 * card_gba_resume() - the bootstrap that EF_GBABP tells of, where it is one that can be gone on with (TS 33.220 5.3.2)
 *
 * Return: true with *@ret, which owns nothing.
 */
bool card_gba_resume(struct card_job *job, struct ub_result *ret);

/**
 * card_gba_list() - the NAFs in EF_GBANL, for people: "none", or their names; "" where the card tells nothing
 */
void card_gba_list(struct card_job *job, char *ret, size_t size);
