/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * OpenSSL's algorithms, looked up once.
 *
 * Looking an algorithm up by its name costs OpenSSL 3 locks, allocations and several times the instructions of
 * a short hash. A key is derived for every call of every application, so the lookups are done at the
 * first use. The one object below is the only mutable state of this room: it is written once, by
 * pthread_once(), holds no key, and is read by all threads from then on.
 */

#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "algorithms.h"

static struct gba_algorithms algorithms;
static pthread_once_t algorithms_once = PTHREAD_ONCE_INIT;

/* A context that knows its digest but no key: EVP_MAC_CTX_dup() of it spares the lookup of the digest. */
static EVP_MAC_CTX *hmac_sha256_model(void) {
    char digest[] = OSSL_DIGEST_NAME_SHA2_256;
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    EVP_MAC_CTX *model = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac);
    if (model && !EVP_MAC_CTX_set_params(model, parameters)) {
        EVP_MAC_CTX_free(model);
        model = NULL;
    }
    return model;
}

static void algorithms_fetch(void) {
    algorithms.hmac_sha256 = hmac_sha256_model();
    algorithms.md5 = EVP_MD_fetch(NULL, OSSL_DIGEST_NAME_MD5, NULL);
    algorithms.sha256 = EVP_MD_fetch(NULL, OSSL_DIGEST_NAME_SHA2_256, NULL);
}

const struct gba_algorithms *gba_algorithms(void) {
    (void)pthread_once(&algorithms_once, algorithms_fetch);
    return &algorithms;
}
