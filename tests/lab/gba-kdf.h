/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The network's own key derivation (TS 33.220 Annex B), by libnettle: it shares no line with the agent's, so
 * that a key both sides agree on was computed twice.
 */

#include <stddef.h>
#include <stdint.h>

#define LAB_KS_LENGTH      32u
#define LAB_RAND_LENGTH    16u
#define LAB_NAF_KEY_LENGTH 32u
#define LAB_UA_LENGTH      5u

struct lab_kdf_parameter {
    const void *data;
    size_t length; /* up to 65535: the KDF counts in 16 bits */
};

/**
 * lab_kdf() - HMAC-SHA-256(key, FC || P0 || L0 || P1 || L1 ...), TS 33.220 B.2
 *
 * Return: 0 with 32 octets in @ret; -EINVAL for a parameter beyond 65535 octets.
 */
int lab_kdf(const uint8_t *key, size_t key_length, uint8_t fc,
            const struct lab_kdf_parameter *parameters, size_t count, uint8_t ret[32]);

/**
 * lab_naf_key() - Ks_NAF of GBA_ME, or Ks_ext_NAF of GBA_U, TS 33.220 B.3
 * @naf_id: FQDN in UTF-8 and the 5 octets of the Ua security protocol
 *
 * Return: as lab_kdf().
 */
int lab_naf_key(const uint8_t ks[LAB_KS_LENGTH], const uint8_t rand[LAB_RAND_LENGTH],
                const char *impi, const uint8_t *naf_id, size_t naf_id_length,
                uint8_t ret[LAB_NAF_KEY_LENGTH]);

/**
 * lab_naf_key_digest() - Ks_NAF of GBA_Digest, TS 33.220 B.6: the nonce as it stood on the wire takes RAND's place
 *
 * Return: as lab_kdf().
 */
int lab_naf_key_digest(const uint8_t ks[LAB_KS_LENGTH], const char *nonce, const char *impi,
                       const uint8_t *naf_id, size_t naf_id_length,
                       uint8_t ret[LAB_NAF_KEY_LENGTH]);
