/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ub: the bootstrap with the BSF (TS 24.109 4, TS 33.220 4.5.2), as straight-line code for a worker thread.
 *
 * Ask with an empty nonce; be challenged; have the card answer; prove it; check the BSF's proof; read
 * B-TID and lifetime. One synchronisation failure is repaired on the way. Either there is a whole result
 * or none.
 */

#include <stdbool.h>
#include <stdint.h>

#include "gba.h"
#include "http.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"
#include "uicc.h"

/* Values that a bootstrap works with; strings are borrowed for the call. */
struct ub_parameters {
    const char *impi;
    const char *bsf;            /* FQDN: the Host */
    const char *realm;          /* NULL: as bsf; the realm of the first request */
    const char *scheme;         /* "http" or "https" */
    uint16_t port;              /* 0: the scheme's */
    const char *path;           /* "/" by default; the request-target */
    const char *connect_to;     /* HOST:PORT instead of bsf and port, or NULL */
    const char *user_agent;     /* product tokens */
    const char *const *extra_headers; /* NULL-terminated, or NULL */
    const char *trust_anchors;
    bool require_rspauth;       /* absence of Authentication-Info is an error */
    bool require_auth_int;      /* a challenge that does not offer qop auth-int is an error */
    uint64_t connect_timeout_usec;
    uint64_t request_timeout_usec; /* per request */
    uint64_t lifetime_max_usec; /* longer ones are cut to this; 0: to KEY_LIFETIME_MAX_SEC alone */
};

/* Who does what waits. Return values as of http_client_get() and uicc_authenticate(). */
struct ub_ops {
    int (*get)(void *userdata, const struct http_request *request, struct http_response *ret,
               struct failure *failure);
    int (*authenticate)(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                        const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                        struct failure *failure);
};

struct ub_result {
    struct secret *ks; /* KS_LENGTH octets */
    uint8_t rand[AKA_RAND_LENGTH];
    char impi[IMPI_MAX + 1];
    char btid[BTID_MAX + 1];
    uint64_t expires_usec;         /* now_usec() clock */
    uint64_t expires_utc_usec;     /* the same moment since the epoch, by the clock that the lifetime counts by: as the
                                      BSF said it, or earlier where the life was cut */
    bool resynchronised;
    uint64_t card_usec;            /* time spent in authenticate() */
    uint64_t network_usec;         /* time spent in get() */
};

/**
 * ub_result_done() - free what @result has; its Ks is erased
 */
void ub_result_done(struct ub_result *result);

#define _cleanup_ub_result_ __attribute__((cleanup(ub_result_done)))

/**
 * ub_bootstrap() - run the procedure once
 * @ret_retry_after_usec: the BSF's Retry-After for UB_E_BUSY, 0 where it gave none, else untouched; may be NULL
 *
 * The lifetime counts from now by the difference of <lifetime> and <currenttime>, or the HTTP Date where there is no
 * <currenttime>; only where the BSF gives neither is the local clock used. The realm of the challenge goes into the
 * answer, whatever it is. A BSF that finds the nonce stale is answered once more, with its new one. Each challenge
 * must offer qop auth-int where @parameters want it: without it the BSF's proof does not cover B-TID and lifetime,
 * and on plain HTTP anybody can take the offer out of a challenge.
 *
 * Return: 0; enum ub_outcome, enum http_outcome, enum uicc_outcome; negative errno. @ret is untouched
 * unless 0.
 */
int ub_bootstrap(const struct ub_parameters *parameters, const struct ub_ops *ops, void *userdata,
                 struct ub_result *ret, uint64_t *ret_retry_after_usec, struct failure *failure);

/**
 * ub_probe() - ask with an empty nonce and see whether a challenge comes that we could answer; the card
 * is not asked. For `keystrapctl doctor`.
 *
 * Return: as ub_bootstrap(). *@ret_date is the BSF's Date in seconds since the epoch, 0 where it gave none.
 */
int ub_probe(const struct ub_parameters *parameters, const struct ub_ops *ops, void *userdata,
             int64_t *ret_date, struct failure *failure);
