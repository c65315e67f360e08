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
    enum gba_mode mode;
    const char *impi;           /* the user name; of GBA_Digest too */
    const char *tmpi;           /* the user name of the first try, NULL for none; GBA_ME and GBA_U only */
    bool tmpi_wanted;           /* say in User-Agent that temporary identities are known */
    bool akav2;                 /* answer with AKAv2 where the BSF offers it; GBA_ME only */
    const struct secret *password; /* of GBA_Digest, else NULL */
    const char *bsf;            /* FQDN: the Host */
    const char *realm;          /* NULL: as bsf; the realm of the first request */
    const char *scheme;         /* "http" or "https" */
    uint16_t port;              /* 0: the scheme's */
    const char *path;           /* "/" by default; the request-target */
    const char *connect_to;     /* HOST:PORT instead of bsf and port, or NULL */
    const char *user_agent;     /* product tokens; those of TMPI and GBA_Digest are added where they belong */
    const char *const *extra_headers; /* NULL-terminated, or NULL */
    const char *trust_anchors;
    enum http_tls tls_min;
    bool require_rspauth;       /* absence of Authentication-Info is an error */
    bool require_auth_int;      /* a challenge that does not offer qop auth-int is an error */
    uint64_t connect_timeout_usec;
    uint64_t request_timeout_usec; /* per request */
    uint64_t lifetime_max_usec; /* longer ones are cut to this; 0: to KEY_LIFETIME_MAX_SEC alone */
};

/*
 * Who does what waits. Return values as of http_client_ask() and uicc_authenticate().
 *
 * authenticate() gives RES, CK and IK in GBA_ME, and RES alone in GBA_U. authenticate_2g(), which may be NULL where 2G GBA is
 * not used, gives GSM_SRES_LENGTH and GSM_KC_LENGTH octets that the caller owns.
 */
struct ub_ops {
    int (*get)(void *userdata, const struct http_request *request, struct http_response *ret,
               struct failure *failure);
    int (*authenticate)(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                        const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                        struct failure *failure);
    int (*authenticate_2g)(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                           struct secret **ret_sres, struct secret **ret_kc,
                           struct failure *failure);
};

struct ub_result {
    enum gba_mode mode;
    struct secret *ks; /* KS_LENGTH octets; NULL in GBA_U, where it is in the card */
    uint8_t rand[AKA_RAND_LENGTH];
    char impi[IMPI_MAX + 1];
    char btid[BTID_MAX + 1];
    uint64_t expires_usec;         /* now_usec() clock */
    uint64_t expires_utc_usec;     /* the same moment since the epoch, by the clock that the lifetime counts by: as the
                                      BSF said it, or earlier where the life was cut */
    char lifetime_text[LIFETIME_TEXT_MAX + 1]; /* xs:dateTime as the BSF sent it, for EF_GBABP */
    char nonce[DIGEST_NONCE_MAX + 1]; /* of GBA_Digest, in place of RAND; else "" */
    bool server_tmpi;              /* the BSF announced that it knows temporary identities */
    char tmpi[TMPI_MAX + 1];       /* for the next bootstrap, where it did; "" in GBA_U, where the card derives it, see
                                      gba_tmpi_from_key() */
    bool by_tmpi;                  /* the BSF knew the temporary identity of this one */
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
 * ub_result_derive() - the key of a NAF from the result of a bootstrap, as its mode has it (TS 33.220 B.3, B.6)
 * @naf_fqdn: from gba_fqdn_normalise()
 *
 * Return: as gba_derive_naf_key(); -EINVAL also in GBA_U, where only the card can.
 */
int ub_result_derive(const struct ub_result *result, const char *naf_fqdn,
                     const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], struct secret **ret);

/**
 * ub_lifetime_by_clock() - how long a key lives that was bootstrapped before this program ran, by the local clock
 * @text: its end, an xs:dateTime
 * @lifetime_max_usec: as in struct ub_parameters
 *
 * Return: 0; UB_E_LIFETIME where it is over, the text is no time, or the clock was never set.
 */
int ub_lifetime_by_clock(const char *text, uint64_t lifetime_max_usec, uint64_t *ret_expires_usec,
                         uint64_t *ret_expires_utc_usec);

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
 * A BSF that does not know the temporary identity, whatever status of 4xx it says so with, is asked once more with the IMPI.
 * Whoever gave a tmpi forgets it when the bootstrap failed.
 *
 * 2G GBA and GBA_Digest: only over https (UB_E_HTTPS), only with qop auth-int; in 2G GBA the realm must be the BSF's name,
 * which is the name that its certificate was checked for. In GBA_Digest all requests must be on one TLS connection; a
 * connection that broke in between is made up for once.
 *
 * UB_E_NETWORK_AUTH, and UICC_E_CONTEXT from the card, may mean that the BSF runs the other of GBA_ME and GBA_U: the caller
 * may then run one more bootstrap in that mode. It has its own challenge; RAND and AUTN are never used twice.
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
