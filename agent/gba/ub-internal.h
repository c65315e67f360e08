/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The parts of a bootstrap: one GET, the answers that mean no, the challenge and what answers it in each mode, and how
 * long a key lives.
 */

#include "ub.h"

/* One bootstrap under way. */
struct ub_session {
    const struct ub_parameters *parameters;
    const struct ub_ops *ops;
    void *userdata;
    uint64_t *ret_retry_after_usec; /* never NULL */
    struct failure *failure;
    char url[HTTP_URL_MAX + 1];
    char user_agent[HTTP_HEADER_MAX + 1]; /* "" for none */
    const char *username;    /* the IMPI, or the TMPI while that is tried */
    bool server_tmpi;        /* an answer had the token of temporary identities */
    struct secret *exporter; /* of the TLS connection of the last answer; for GBA_Digest, else NULL */
    unsigned gets;
    uint64_t card_usec;
    uint64_t network_usec;
};

/**
 * ub_session_init() - check @parameters and build the URL; ub_session_done() must follow, whatever it returns
 *
 * Return: 0; -EINVAL with the cause; UB_E_HTTPS.
 */
int ub_session_init(struct ub_session *session, const struct ub_parameters *parameters,
                    const struct ub_ops *ops, void *userdata, uint64_t *ret_retry_after_usec,
                    struct failure *failure);

void ub_session_done(struct ub_session *session);

#define _cleanup_ub_session_ __attribute__((cleanup(ub_session_done)))

/**
 * ub_session_realm() - the realm of the first request
 */
const char *ub_session_realm(const struct ub_session *session);

/**
 * ub_get() - one GET with @authorization as the value of the Authorization field; whatever the status is
 */
int ub_get(struct ub_session *session, const char *authorization, struct http_response *ret);

/**
 * ub_refusal() - the outcome of an answer that ends the bootstrap; @session's failure and Retry-After are set
 *
 * Return: positive; never 0.
 */
int ub_refusal(struct ub_session *session, const struct http_response *response);

/**
 * ub_fail() - as failure_set(), with the BSF's name before @cause and a remedy after it
 *
 * Return: @code.
 */
int ub_fail(struct ub_session *session, int code, const char *cause, const char *remedy);

/**
 * ub_find_challenge() - the best challenge of an answer that can be answered in this mode
 *
 * Return: as challenge_parse().
 */
int ub_find_challenge(const struct ub_session *session, const struct http_response *response,
                      struct challenge *ret, struct failure *failure);

/**
 * ub_check_challenge() - whether @challenge has what this mode and the configuration want of one
 *
 * Return: 0; UB_E_CHALLENGE; UB_E_NONCE.
 */
int ub_check_challenge(struct ub_session *session, const struct challenge *challenge);

/**
 * ub_expect_challenge() - take the challenge out of an answer that must be one: to the first request, and to AUTS
 *
 * Return: 0; UB_E_CHALLENGE, UB_E_NONCE, or what ub_refusal() says.
 */
int ub_expect_challenge(struct ub_session *session, const struct http_response *response,
                        struct challenge *ret);

/**
 * ub_same_challenge() - whether two challenges would be answered alike: the same vector, or the same nonce
 */
bool ub_same_challenge(const struct challenge *a, const struct challenge *b);

/* What answers a challenge, whoever it comes from. */
struct ub_answer {
    struct secret *password; /* of the Digest */
    struct secret *ks;       /* NULL in GBA_U, and in GBA_Digest, where it needs the response */
    struct secret *hash_a1;  /* of GBA_Digest */
    struct secret *exporter; /* likewise: of the connection that the password is for */
    uint8_t auts[AKA_AUTS_LENGTH]; /* for UICC_E_SYNC */
};

void ub_answer_done(struct ub_answer *answer);

#define _cleanup_ub_answer_ __attribute__((cleanup(ub_answer_done)))

/**
 * ub_answer() - have the card, or the password, answer @challenge
 *
 * Return: 0; UICC_E_SYNC with auts and without a failure; UB_E_NETWORK_AUTH; what the card's side returns; negative errno.
 */
int ub_answer(struct ub_session *session, const struct challenge *challenge, struct ub_answer *ret);

/**
 * ub_date() - the Date of an answer, seconds since the epoch; 0 where it has none that can be read
 */
int64_t ub_date(const struct http_response *response);

/**
 * ub_lifetime() - when a key ends, by our clock and since the epoch; both tell of one moment
 * @sent_usec: now_usec() before the request was sent
 *
 * Return: 0; UB_E_LIFETIME.
 */
int ub_lifetime(struct ub_session *session, const struct bootstrapping_info *info,
                const struct http_response *response, uint64_t sent_usec,
                uint64_t *ret_expires_usec, uint64_t *ret_expires_utc_usec);
