/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Key derivation of the network side.
 *
 * HMAC takes its text in pieces, so nothing is assembled here and no length but the 16-bit ones exists.
 */

#include "gba-kdf.h"

#include <errno.h>
#include <string.h>

#include <nettle/hmac.h>

#define FC_GBA 0x01

int lab_kdf(const uint8_t *key, size_t key_length, uint8_t fc,
            const struct lab_kdf_parameter *parameters, size_t count, uint8_t ret[32]) {
    struct hmac_sha256_ctx hmac;

    for (size_t i = 0; i < count; i++)
        if (parameters[i].length > UINT16_MAX)
            return -EINVAL;

    hmac_sha256_set_key(&hmac, key_length, key);
    hmac_sha256_update(&hmac, 1, &fc);
    for (size_t i = 0; i < count; i++) {
        size_t length = parameters[i].length;
        uint8_t counted[2] = {(uint8_t)(length >> 8), (uint8_t)length};

        hmac_sha256_update(&hmac, length, parameters[i].data);
        hmac_sha256_update(&hmac, sizeof(counted), counted);
    }
    hmac_sha256_digest(&hmac, SHA256_DIGEST_SIZE, ret);
    return 0;
}

int lab_naf_key(const uint8_t ks[LAB_KS_LENGTH], const uint8_t rand[LAB_RAND_LENGTH],
                const char *impi, const uint8_t *naf_id, size_t naf_id_length,
                uint8_t ret[LAB_NAF_KEY_LENGTH]) {
    const struct lab_kdf_parameter parameters[] = {
        {"gba-me", strlen("gba-me")},
        {rand, LAB_RAND_LENGTH},
        {impi, strlen(impi)},
        {naf_id, naf_id_length},
    };

    return lab_kdf(ks, LAB_KS_LENGTH, FC_GBA, parameters,
                   sizeof(parameters) / sizeof(parameters[0]), ret);
}

int lab_naf_key_digest(const uint8_t ks[LAB_KS_LENGTH], const char *nonce, const char *impi,
                       const uint8_t *naf_id, size_t naf_id_length,
                       uint8_t ret[LAB_NAF_KEY_LENGTH]) {
    const struct lab_kdf_parameter parameters[] = {
        {"gba-digest", strlen("gba-digest")},
        {nonce, strlen(nonce)},
        {impi, strlen(impi)},
        {naf_id, naf_id_length},
    };

    return lab_kdf(ks, LAB_KS_LENGTH, FC_GBA, parameters,
                   sizeof(parameters) / sizeof(parameters[0]), ret);
}
