/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A private key that is elsewhere, as OpenSSL wants one: what is to be signed goes to keystrapd, and the signature comes back.
 */

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "outcome.h"

struct remote_key {
    bool wanted;
    int fd;                       /* keystrapd is there */
    uint32_t serial;              /* of the request that it is for */
    const EC_KEY_METHOD *method;  /* remote_key_method_new() */
    struct failure *failure;      /* gets why there was no signature */
};

/**
 * remote_key_method_new() - how all such keys sign; for as long as the program runs
 */
const EC_KEY_METHOD *remote_key_method_new(void);

/**
 * remote_key_new() - a key with the public part of @certificate; @remote is borrowed
 *
 * A signature that @certificate does not verify is refused before anybody sees it.
 *
 * Return: NULL where the certificate has no key on a curve, or there is no memory.
 */
EVP_PKEY *remote_key_new(struct remote_key *remote, X509 *certificate);
