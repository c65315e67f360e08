/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Key derivation of the MEF (TS-0003 10.3), with nettle.
 */

#include "lab-mef.h"

#include <stdio.h>
#include <string.h>

#include <nettle/hmac.h>
#include <nettle/sha2.h>

static void derive(const uint8_t ke[MEF_KEY_LENGTH], const char *const *parts,
                   uint8_t ret[MEF_KEY_LENGTH]) {
    struct hmac_sha256_ctx hmac;

    hmac_sha256_set_key(&hmac, MEF_KEY_LENGTH, ke);
    for (; *parts; parts++)
        hmac_sha256_update(&hmac, strlen(*parts), (const uint8_t *)*parts);
    hmac_sha256_digest(&hmac, MEF_KEY_LENGTH, ret);
}

void mef_ke_id(const uint8_t exporter[MEF_EXPORTER_LENGTH], const char *fqdn,
               char ret[MEF_KE_ID_MAX]) {
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(ret + 2 * i, 3, "%02X", exporter[i]);
    (void)snprintf(ret + 32, MEF_KE_ID_MAX - 32, "@%s", fqdn);
}

void mef_usage_key(const uint8_t ke[MEF_KEY_LENGTH], unsigned suid, const char *target,
                   uint8_t ret[MEF_KEY_LENGTH]) {
    char number[16];
    const char *const parts[] = {
        "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation", number, target, NULL};

    (void)snprintf(number, sizeof(number), "%u", suid);
    derive(ke, parts, ret);
}

void mef_release_1_key(const uint8_t ke[MEF_KEY_LENGTH], bool maf, const char *target,
                       uint8_t ret[MEF_KEY_LENGTH]) {
    const char *const parts[] = {
        maf ? "oneM2M Enrolment Key to Master Credential derivation"
            : "oneM2M Enrolment Key to Provisioned Secure Connection Key derivation",
        target, NULL};

    derive(ke, parts, ret);
}

void mef_key_hash(const uint8_t key[MEF_KEY_LENGTH], char ret[17]) {
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_init(&hash);
    sha256_update(&hash, MEF_KEY_LENGTH, key);
    sha256_digest(&hash, sizeof(digest), digest);
    for (size_t i = 0; i < 8; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}
