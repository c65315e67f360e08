/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * oneM2M's key hierarchy as the MEF computes it (TS-0003 10.3), on nettle.
 *
 * Texts go into the HMAC one behind the other: no length and no separator is between them.
 */

#include "lab-mef.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <nettle/hmac.h>
#include <nettle/sha2.h>

#include "hex.h"

#define USE_KM    "oneM2M Enrolment Key to Master Credential derivation"
#define USE_KPSA  "oneM2M Enrolment Key to Provisioned Secure Connection Key derivation"
#define USE_USAGE "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation"

static_assert(MEF_KEY_LENGTH == SHA256_DIGEST_SIZE, "keys are what HMAC-SHA-256 gives");

/* The texts end with NULL. */
static void hmac_texts(const uint8_t ke[MEF_KEY_LENGTH], uint8_t ret[MEF_KEY_LENGTH], ...) {
    struct hmac_sha256_ctx hmac;
    const char *text;
    va_list ap;

    hmac_sha256_set_key(&hmac, MEF_KEY_LENGTH, ke);
    va_start(ap, ret);
    while ((text = va_arg(ap, const char *)))
        hmac_sha256_update(&hmac, strlen(text), (const uint8_t *)text);
    va_end(ap);
    hmac_sha256_digest(&hmac, MEF_KEY_LENGTH, ret);
}

void mef_relative_id(const uint8_t exporter[MEF_EXPORTER_LENGTH], char ret[MEF_RELATIVE_ID_SIZE]) {
    for (size_t i = 0; i < MEF_RELATIVE_ID_LENGTH; i++)
        (void)snprintf(ret + 2 * i, 3, "%02X", exporter[i]);
}

void mef_ke_id(const uint8_t exporter[MEF_EXPORTER_LENGTH], const char *fqdn,
               char ret[MEF_KE_ID_MAX + 1]) {
    char relative[MEF_RELATIVE_ID_SIZE];

    mef_relative_id(exporter, relative);
    (void)snprintf(ret, MEF_KE_ID_MAX + 1, "%s@%s", relative, fqdn);
}

void mef_usage_key(const uint8_t ke[MEF_KEY_LENGTH], unsigned suid, const char *target,
                   uint8_t ret[MEF_KEY_LENGTH]) {
    char number[16];

    (void)snprintf(number, sizeof(number), "%u", suid);
    hmac_texts(ke, ret, USE_USAGE, number, target, NULL);
}

void mef_release_1_key(const uint8_t ke[MEF_KEY_LENGTH], bool maf, const char *target,
                       uint8_t ret[MEF_KEY_LENGTH]) {
    hmac_texts(ke, ret, maf ? USE_KM : USE_KPSA, target, NULL);
}

void mef_key_hash(const uint8_t key[MEF_KEY_LENGTH], char ret[MEF_HASH_SIZE]) {
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha;

    sha256_init(&sha);
    sha256_update(&sha, MEF_KEY_LENGTH, key);
    sha256_digest(&sha, sizeof(digest), digest);
    hex_encode(digest, (MEF_HASH_SIZE - 1) / 2, ret);
}
