/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The parts of a bootstrap: one GET, the answers that mean no, and how long a key lives.
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
    unsigned gets;
    uint64_t card_usec;
    uint64_t network_usec;
};

/**
 * ub_session_init() - check @parameters and build the URL
 *
 * Return: 0; -EINVAL with the cause.
 */
int ub_session_init(struct ub_session *session, const struct ub_parameters *parameters,
                    const struct ub_ops *ops, void *userdata, uint64_t *ret_retry_after_usec,
                    struct failure *failure);

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
