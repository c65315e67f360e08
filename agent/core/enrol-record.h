/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is kept of an enrolment over a restart, as the content of sealed records.
 */

#include <stdbool.h>
#include <stdint.h>

#include "enrol-profile.h"
#include "record.h"

/* An enrolment with a MEF: Ke and what is known of it. */
struct enrol_kept {
    enum enrol_method method;
    struct secret *ke; /* KE_LENGTH octets; NULL for none */
    char ke_id[KE_ID_MAX + 1];
    char client_reg_id[MEF_ID_MAX + 1];
    char assigned_key_id[KEY_ID_MAX + 1];
    int64_t expires, written; /* seconds since the epoch */
    uint64_t expires_usec;    /* CLOCK_BOOTTIME; not in the record */
};

/* A certificate that EST gave, with its key. */
struct enrol_certificate {
    struct secret *private_key; /* PKCS #8 DER; NULL where a secure environment has it */
    char *certificate;          /* PEM, our own first; NULL for no certificate */
    char *anchors;              /* PEM of the CA certificates that came with it */
    int64_t not_before, not_after;
};

/* How things stand with an enrolment token. */
enum enrol_token_state {
    ENROL_TOKEN_NONE,
    ENROL_TOKEN_PENDING,  /* it was never sent */
    ENROL_TOKEN_IN_DOUBT, /* it was about to be sent; nobody knows whether it arrived */
    ENROL_TOKEN_SPENT,    /* the MEF has answered it */
};

/* The mark that a token leaves: enough to know it again, and no token. */
struct enrol_token_mark {
    enum enrol_token_state state;
    uint8_t digest[32]; /* SHA-256 */
};

/**
 * enrol_kept_done(), enrol_certificate_done() - erase and release what is in it
 */
void enrol_kept_done(struct enrol_kept *kept);
void enrol_certificate_done(struct enrol_certificate *certificate);

/**
 * enrol_kept_put() - write the record of @profile
 * @store: NULL is ENROL_E_SEALING
 *
 * Return: 0; as record_put().
 */
int enrol_kept_put(struct record_store *store, const struct enrol_profile *profile,
                   const struct enrol_kept *kept, struct failure *failure);

/**
 * enrol_kept_get() - read it, with the life that is left by this machine's clocks
 *
 * One that was made with another MEF or for another target, or that has expired, is RECORD_E_NONE. A clock that was put back
 * behind the time of writing cannot make the life longer than it was then.
 *
 * Return: 0; as record_get(); RECORD_E_DAMAGED also for a content that makes no sense.
 */
int enrol_kept_get(struct record_store *store, const struct enrol_profile *profile,
                   struct enrol_kept *ret, struct failure *failure);

/**
 * enrol_certificate_put(), enrol_certificate_get() - likewise
 */
int enrol_certificate_put(struct record_store *store, const struct enrol_profile *profile,
                          const struct enrol_certificate *certificate, struct failure *failure);
int enrol_certificate_get(struct record_store *store, const struct enrol_profile *profile,
                          struct enrol_certificate *ret, struct failure *failure);

/**
 * enrol_token_put(), enrol_token_get() - the mark of the token of the profile @name
 */
int enrol_token_put(struct record_store *store, const char *name,
                    const struct enrol_token_mark *mark, struct failure *failure);
int enrol_token_get(struct record_store *store, const char *name, struct enrol_token_mark *ret,
                    struct failure *failure);

/**
 * enrol_token_digest() - what a mark has of @token. Return: 0; -EIO.
 */
int enrol_token_digest(const struct secret *token, uint8_t ret[32]);

/**
 * enrol_records_remove() - the enrolment and the certificate of the profile @name; never the mark of its token
 */
int enrol_records_remove(struct record_store *store, const char *name, struct failure *failure);
