/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * OpenSSL's algorithms as GBA needs them, looked up once in the life of the process.
 */

#include <openssl/evp.h>

struct gba_algorithms {
    EVP_MAC_CTX *hmac_sha256; /* a model without a key, to be copied; NULL where OpenSSL has none */
    EVP_MD *md5;              /* NULL where OpenSSL has none, as in its FIPS provider */
    EVP_MD *sha256;
};

/**
 * gba_algorithms() - the same for every thread, never NULL, never to be freed
 */
const struct gba_algorithms *gba_algorithms(void);
