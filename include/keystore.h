/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The key store: the Ks of each card, alive until its lifetime is over, and what is derived from it.
 *
 * Of a Ks that is in the card (GBA_U) only what it is known by is kept; keystore_derive() returns -EINVAL for it.
 *
 * Only Ks is kept. A Ks_NAF is derived when somebody asks (one HMAC, a few microseconds) and erased when it has
 * been handed out, so ten thousand NAFs cost no more memory than one.
 *
 * Belongs to the main thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"
#include "ub.h"

struct keystore;

/**
 * keystore_new() - a store without Ks. Return: 0; -ENOMEM.
 */
int keystore_new(struct keystore **ret);

/**
 * keystore_free() - erase every key; NULL is allowed. Returns NULL.
 */
struct keystore *keystore_free(struct keystore *store);

/**
 * keystore_put_take() - keep the result of a bootstrap, in place of the one before; its Ks is taken over
 */
void keystore_put_take(struct keystore *store, struct ub_result *result);

/**
 * keystore_forget() - erase the Ks. Returns whether there was one.
 */
bool keystore_forget(struct keystore *store);

/* What may be said of a Ks. The strings are borrowed until the next change of the store. */
struct keystore_info {
    const char *btid;
    const char *impi;
    uint64_t expires_usec;     /* now_usec() clock */
    uint64_t expires_utc_usec; /* since the epoch */
    uint64_t derivations;      /* since the bootstrap */
    enum gba_mode mode;        /* of the bootstrap */
};

/**
 * keystore_get() - what is kept
 *
 * Return: 0; KEYS_E_NONE; KEYS_E_EXPIRED (the Ks is erased by then).
 */
int keystore_get(struct keystore *store, struct keystore_info *ret);

/**
 * keystore_derive() - Ks_NAF of a NAF (TS 33.220 4.5.3)
 * @naf_fqdn: from gba_fqdn_normalise()
 * @ret: NAF_KEY_LENGTH octets, the caller's
 *
 * Return: 0; KEYS_E_NONE; KEYS_E_EXPIRED; negative errno.
 */
int keystore_derive(struct keystore *store, const char *naf_fqdn,
                    const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], struct secret **ret,
                    struct keystore_info *ret_info);

/**
 * keystore_is_in_card() - whether there is a Ks and it is in the card (GBA_U), be it alive or not
 */
bool keystore_is_in_card(const struct keystore *store);

/**
 * keystore_count() - a key was derived of the Ks, and elsewhere: in the card
 */
void keystore_count(struct keystore *store);

/**
 * delivery_pipe() - a pipe with the whole secret in it and its write end closed: the reader gets the octets once,
 * then end of file, and nothing stays anywhere (see decision 3 in docs/ARCHITECTURE.md)
 *
 * Return: the read end (CLOEXEC), the caller's; negative errno.
 */
int delivery_pipe(const struct secret *secret);
