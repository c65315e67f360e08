/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Key derivation (TS 33.220 Annex B).
 *
 * Every key that an application gets comes through here, so this is the hot path of the product: no lookup, no copy of
 * the key but OpenSSL's own, no allocation beyond OpenSSL's, and the result is written where it is going to
 * stay. OpenSSL keeps its copy of the key in its secure heap and erases it, and the hash states, when the
 * context is freed; hence a context lives for one derivation.
 */

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

#include "algorithms.h"
#include "gba.h"
#include "util.h"

/* FC, four parameters of which the first is "gba-me" or "gba-digest" and the second RAND or a nonce, and their lengths. */
#define NAF_KEY_INPUT_MAX \
    (1 + 10 + 2 + DIGEST_NONCE_MAX + 2 + IMPI_MAX + 2 + NAF_FQDN_MAX + UA_PROTOCOL_LENGTH + 2)

#define FC_GBA 0x01 /* TS 33.220 B.3 */

static void mac_ctx_freep(EVP_MAC_CTX **ctx) {
    EVP_MAC_CTX_free(*ctx);
}

#define _cleanup_mac_ctx_ _cleanup_(mac_ctx_freep)

static int mac_begin(const struct secret *key, EVP_MAC_CTX **ret) {
    _cleanup_mac_ctx_ EVP_MAC_CTX *ctx = NULL;
    const EVP_MAC_CTX *model = gba_algorithms()->hmac_sha256;

    if (!model)
        return -EIO;
    ctx = EVP_MAC_CTX_dup(model);
    if (!ctx)
        return -ENOMEM;
    if (!EVP_MAC_init(ctx, secret_data(key), secret_length(key), NULL))
        return -EIO;
    *ret = TAKE_PTR(ctx);
    return 0;
}

static int mac_end(EVP_MAC_CTX *ctx, struct secret **ret) {
    _cleanup_secret_ struct secret *derived = NULL;
    size_t length = 0;
    int r;

    r = secret_new(NAF_KEY_LENGTH, &derived);
    if (r < 0)
        return r;
    if (!EVP_MAC_final(ctx, secret_data_mutable(derived), &length, NAF_KEY_LENGTH) ||
        length != NAF_KEY_LENGTH)
        return -EIO;
    *ret = TAKE_PTR(derived);
    return 0;
}

static bool mac_parameter(EVP_MAC_CTX *ctx, const struct kdf_parameter *parameter) {
    const uint8_t length[2] = {(uint8_t)(parameter->length >> 8), (uint8_t)parameter->length};

    return (parameter->length == 0 || EVP_MAC_update(ctx, parameter->data, parameter->length)) &&
           EVP_MAC_update(ctx, length, sizeof(length));
}

int gba_kdf(const struct secret *key, uint8_t fc, const struct kdf_parameter *parameters,
            size_t count, struct secret **ret) {
    _cleanup_mac_ctx_ EVP_MAC_CTX *ctx = NULL;
    int r;

    for (size_t i = 0; i < count; i++)
        if (parameters[i].length > UINT16_MAX)
            return -EINVAL;

    r = mac_begin(key, &ctx);
    if (r < 0)
        return r;
    if (!EVP_MAC_update(ctx, &fc, 1))
        return -EIO;
    for (size_t i = 0; i < count; i++)
        if (!mac_parameter(ctx, &parameters[i]))
            return -EIO;
    return mac_end(ctx, ret);
}

static uint8_t *put(uint8_t *at, const void *data, size_t length) {
    memcpy(at, data, length);
    return at + length;
}

static uint8_t *put_length(uint8_t *at, size_t length) {
    *at++ = (uint8_t)(length >> 8);
    *at++ = (uint8_t)length;
    return at;
}

/*
 * The input of this derivation is public from end to end, so it may be put together on the stack, which saves
 * nine calls into OpenSSL.
 */
static size_t naf_key_input(const char *label, const struct kdf_parameter *freshness,
                            const char *impi, size_t impi_length, const char *naf_fqdn,
                            size_t naf_fqdn_length, const uint8_t *ua_protocol, uint8_t *ret) {
    uint8_t *at = ret;

    *at++ = FC_GBA;
    at = put(at, label, strlen(label));
    at = put_length(at, strlen(label));
    at = put(at, freshness->data, freshness->length);
    at = put_length(at, freshness->length);
    at = put(at, impi, impi_length);
    at = put_length(at, impi_length);
    at = put(at, naf_fqdn, naf_fqdn_length);
    at = put(at, ua_protocol, UA_PROTOCOL_LENGTH);
    at = put_length(at, naf_fqdn_length + UA_PROTOCOL_LENGTH);
    return (size_t)(at - ret);
}

/* @label is P0; @freshness is P1, up to DIGEST_NONCE_MAX octets. */
static int derive_naf_key(const struct secret *ks, const char *label,
                          const struct kdf_parameter *freshness, const char *impi,
                          const char *naf_fqdn, const uint8_t *ua_protocol, struct secret **ret) {
    _cleanup_mac_ctx_ EVP_MAC_CTX *ctx = NULL;
    size_t impi_length = strnlen(impi, IMPI_MAX + 1);
    size_t naf_fqdn_length = strnlen(naf_fqdn, NAF_FQDN_MAX + 1);
    uint8_t input[NAF_KEY_INPUT_MAX];
    size_t input_length;
    int r;

    if (secret_length(ks) != KS_LENGTH || impi_length > IMPI_MAX || naf_fqdn_length > NAF_FQDN_MAX)
        return -EINVAL;
    input_length = naf_key_input(label, freshness, impi, impi_length, naf_fqdn, naf_fqdn_length,
                                 ua_protocol, input);
    r = mac_begin(ks, &ctx);
    if (r < 0)
        return r;
    if (!EVP_MAC_update(ctx, input, input_length))
        return -EIO;
    return mac_end(ctx, ret);
}

int gba_derive_naf_key(const struct secret *ks, const uint8_t rand[AKA_RAND_LENGTH],
                       const char *impi, const char *naf_fqdn,
                       const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], struct secret **ret) {
    const struct kdf_parameter freshness = {rand, AKA_RAND_LENGTH};

    return derive_naf_key(ks, "gba-me", &freshness, impi, naf_fqdn, ua_protocol, ret);
}

int gba_derive_naf_key_digest(const struct secret *ks, const char *nonce, const char *impi,
                              const char *naf_fqdn, const uint8_t ua_protocol[UA_PROTOCOL_LENGTH],
                              struct secret **ret) {
    const struct kdf_parameter freshness = {nonce, strnlen(nonce, DIGEST_NONCE_MAX + 1)};

    if (freshness.length == 0 || freshness.length > DIGEST_NONCE_MAX)
        return -EINVAL;
    return derive_naf_key(ks, "gba-digest", &freshness, impi, naf_fqdn, ua_protocol, ret);
}

int gba_ks(const struct secret *ck, const struct secret *ik, struct secret **ret) {
    _cleanup_secret_ struct secret *ks = NULL;
    int r;

    if (secret_length(ck) != AKA_CK_LENGTH || secret_length(ik) != AKA_IK_LENGTH)
        return -EINVAL;
    r = secret_new(KS_LENGTH, &ks);
    if (r < 0)
        return r;
    memcpy(secret_data_mutable(ks), secret_data(ck), AKA_CK_LENGTH);
    memcpy(secret_data_mutable(ks) + AKA_CK_LENGTH, secret_data(ik), AKA_IK_LENGTH);
    *ret = TAKE_PTR(ks);
    return 0;
}
