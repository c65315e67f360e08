/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The lab's NAF: a web server that lets in whoever holds the Ks_NAF of a B-TID that the BSF knows
 * (TS 24.109 clause 5.2).
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "gba-kdf.h"
#include "lab-http.h"

#define NAF_NAME_MAX          255u
#define NAF_REALM_PREFIX      "3GPP-bootstrapping@"
#define NAF_NONCES_MAX        256u /* the oldest makes room */
#define NAF_NONCE_AGE_MAX_SEC 300
#define NAF_PASSWORD_SIZE     45u /* base64 of Ks_NAF and its end */
#define NAF_ZN_ANSWER_MAX     4096u
#define NAF_ZN_TIMEOUT_MSEC   10000L

struct naf_nonce {
    char nonce[LAB_DIGEST_HEX]; /* "": this place is free */
    uint32_t nc;                /* the last one used; the next must be higher */
    int64_t issued_sec;         /* CLOCK_MONOTONIC */
};

struct naf {
    pthread_mutex_t lock; /* of nonces */
    const char *name;
    char realm[sizeof(NAF_REALM_PREFIX) + NAF_NAME_MAX];
    const char *zn; /* http://HOST:PORT */
    uint8_t ua[LAB_UA_LENGTH];
    bool mhd_verifies; /* let libmicrohttpd make challenges and check responses */
    struct naf_nonce nonces[NAF_NONCES_MAX];
    size_t nonces_next;
};

/**
 * naf_fetch_password() - ask the BSF for the Ks_NAF of @btid and this NAF's own NAF_Id
 * @ret: the key as the password of HTTP Digest: base64
 *
 * Return: 0; -ENOENT when the BSF does not know @btid (any more); -EIO when it cannot be asked or answers nonsense.
 */
int naf_fetch_password(const struct naf *naf, const char *btid, char ret[NAF_PASSWORD_SIZE]);

/**
 * naf_serve() - the lab_http_handler of Ua; @userdata is the struct naf
 */
int naf_serve(const struct lab_request *request, struct lab_reply *reply, void *userdata);
