/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sealing of one record: AES-256-GCM with a random nonce.
 *
 * A gateway writes some records a year, so that random nonces of 96 bits never meet again.
 */

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "record-seal.h"
#include "util.h"

#define KEY_LENGTH 32u
#define VERSION_1  1u

static void cipher_freep(EVP_CIPHER_CTX **context) {
    EVP_CIPHER_CTX_free(*context);
}

/* --- The key ---------------------------------------------------------------------------------------- */

static int derive(const struct secret *from, struct secret *to) {
    static char info[] = "keystrap record", digest[] = "SHA256";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    uint8_t *octets = secret_data_mutable((struct secret *)(uintptr_t)from);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, octets, secret_length(from)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info)),
        OSSL_PARAM_construct_end(),
    };
    int ok = context ? EVP_KDF_derive(context, secret_data_mutable(to), KEY_LENGTH, params) : 0;

    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return ok == 1 ? 0 : -EIO;
}

int record_key_make(const struct secret *sealing_key, struct record_key *ret) {
    _cleanup_secret_ struct secret *key = NULL;
    int r;

    if (secret_length(sealing_key) < SEALING_KEY_MIN)
        return -EINVAL;
    r = secret_new(KEY_LENGTH, &key);
    if (r == 0)
        r = derive(sealing_key, key);
    if (r < 0)
        return r;
    ret->key = TAKE_PTR(key);
    return 0;
}

void record_key_done(struct record_key *key) {
    key->key = secret_free(key->key);
}

/* --- Sealing ---------------------------------------------------------------------------------------- */

int record_seal(const struct record_key *key, const char *name, const struct secret *content,
                uint8_t ret[RECORD_SEALED_MAX], size_t *ret_length) {
    _cleanup_(cipher_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    size_t name_length = strlen(name), proved = RECORD_HEADER + name_length;
    size_t length = secret_length(content);
    uint8_t *nonce = ret + proved, *data = nonce + RECORD_NONCE, *tag = data + length;
    int n;

    memcpy(ret, RECORD_MAGIC, RECORD_MAGIC_LENGTH);
    ret[4] = RECORD_VERSION;
    ret[5] = ret[6] = 0;
    ret[7] = (uint8_t)name_length;
    memcpy(ret + RECORD_HEADER, name, name_length);
    if (!context || RAND_bytes(nonce, RECORD_NONCE) != 1 ||
        EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), secret_data(key->key), nonce, NULL) != 1 ||
        EVP_EncryptUpdate(context, NULL, &n, ret, (int)proved) != 1 ||
        EVP_EncryptUpdate(context, data, &n, secret_data(content), (int)length) != 1 ||
        EVP_EncryptFinal_ex(context, tag, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)RECORD_TAG, tag) != 1)
        return -EIO;
    *ret_length = proved + RECORD_NONCE + length + RECORD_TAG;
    return 0;
}

static int open_proved(const struct record_key *key, const uint8_t *sealed, size_t proved,
                       size_t length, struct secret **ret) {
    _cleanup_(cipher_freep) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    _cleanup_secret_ struct secret *content = NULL;
    const uint8_t *nonce = sealed + proved, *data = nonce + RECORD_NONCE;
    uint8_t tag[RECORD_TAG];
    size_t size;
    int n, r;

    if (length < proved + RECORD_NONCE + RECORD_TAG + 1)
        return RECORD_E_DAMAGED;
    size = length - proved - RECORD_NONCE - RECORD_TAG;
    if (size > RECORD_MAX)
        return RECORD_E_DAMAGED;
    memcpy(tag, data + size, sizeof(tag));
    r = secret_new(size, &content);
    if (r < 0)
        return r;
    if (!context)
        return -ENOMEM;
    if (EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), secret_data(key->key), nonce, NULL) != 1 ||
        EVP_DecryptUpdate(context, NULL, &n, sealed, (int)proved) != 1 ||
        EVP_DecryptUpdate(context, secret_data_mutable(content), &n, data, (int)size) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)RECORD_TAG, tag) != 1 ||
        EVP_DecryptFinal_ex(context, tag, &n) != 1)
        return RECORD_E_DAMAGED;
    *ret = TAKE_PTR(content);
    return 0;
}

int record_open(const struct record_key *key, const char *name, const uint8_t *sealed,
                size_t length, struct secret **ret, bool *ret_old) {
    size_t name_length = strlen(name), proved = RECORD_HEADER;

    if (length < RECORD_HEADER || memcmp(sealed, RECORD_MAGIC, RECORD_MAGIC_LENGTH) != 0 ||
        sealed[4] == 0)
        return RECORD_E_DAMAGED;
    if (sealed[4] > RECORD_VERSION)
        return RECORD_E_VERSION;
    *ret_old = sealed[4] == VERSION_1;
    if (!*ret_old) {
        proved += name_length;
        if (sealed[7] != name_length || length < proved ||
            memcmp(sealed + RECORD_HEADER, name, name_length) != 0)
            return RECORD_E_DAMAGED;
    }
    return open_proved(key, sealed, proved, length, ret);
}
