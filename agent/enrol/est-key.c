/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The private key of a certificate, as it leaves OpenSSL for a struct secret.
 *
 * OpenSSL keeps a key on P-256 in its locked heap, but its encoder of PKCS #8 leaves three copies behind in ordinary memory. The
 * structure (RFC 5208, RFC 5915) is always the same on one curve, so its 138 octets are put together here, around the two values,
 * which OpenSSL writes into the secret itself.
 */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

#include "est-asn1.h"

#define SCALAR_LENGTH 32u
#define POINT_LENGTH  65u

/* PrivateKeyInfo, version 0, id-ecPublicKey on prime256v1; OCTET STRING: ECPrivateKey, version 1, OCTET STRING of 32 */
static const uint8_t head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06,
                               0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                               0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
                               0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
/* [1], BIT STRING of 65 octets */
static const uint8_t middle[] = {0xa1, 0x44, 0x03, 0x42, 0x00};

#define KEY_LENGTH (sizeof(head) + SCALAR_LENGTH + sizeof(middle) + POINT_LENGTH)

/* As OpenSSL writes a number, in the machine's order, it is read the other way round on most. */
static void to_network_order(uint8_t *scalar) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; i < SCALAR_LENGTH / 2; i++) {
        scalar[i] ^= scalar[SCALAR_LENGTH - 1 - i];
        scalar[SCALAR_LENGTH - 1 - i] ^= scalar[i];
        scalar[i] ^= scalar[SCALAR_LENGTH - 1 - i];
    }
#else
    (void)scalar;
#endif
}

static bool take_scalar(const EVP_PKEY *key, uint8_t *ret) {
    OSSL_PARAM wanted[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, ret, SCALAR_LENGTH),
        OSSL_PARAM_construct_end(),
    };

    if (EVP_PKEY_get_params(key, wanted) != 1 || !OSSL_PARAM_modified(wanted) ||
        wanted[0].return_size != SCALAR_LENGTH)
        return false;
    to_network_order(ret);
    return true;
}

int est_key_export(const EVP_PKEY *key, struct secret **ret) {
    _cleanup_secret_ struct secret *secret = NULL;
    size_t length = 0;
    uint8_t *octets;
    int r;

    r = secret_new(KEY_LENGTH, &secret);
    if (r < 0)
        return r;
    octets = secret_data_mutable(secret);
    memcpy(octets, head, sizeof(head));
    octets += sizeof(head);
    if (!take_scalar(key, octets))
        return -EIO;
    octets += SCALAR_LENGTH;
    memcpy(octets, middle, sizeof(middle));
    octets += sizeof(middle);
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, octets, POINT_LENGTH,
                                        &length) != 1 ||
        length != POINT_LENGTH)
        return -EIO;
    *ret = secret;
    secret = NULL;
    return 0;
}
