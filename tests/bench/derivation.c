/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-derivation OPERATION N: do one thing N times, for callgrind to count.
 *
 *     naf-key            the product's: gba_derive_naf_key() into memory for secrets, and erase it there
 *     hmac-kept-context  OpenSSL's least: EVP_MAC with one context for all, given the key each time
 *     hmac-new-context   EVP_MAC with a context for each, so that the key does not stay
 *     hmac-one-shot      HMAC()
 *
 * All over the same octets with the same key.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include "gba.h"
#include "secret.h"
#include "util.h"

#define IMPI "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define NAF  "naf.example.com"

static const uint8_t key_octets[KS_LENGTH] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t rand_octets[AKA_RAND_LENGTH] = {9, 10, 11, 12};
static const uint8_t ua_protocol[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};

/* What gba_derive_naf_key() computes over (TS 33.220 B.3). */
static const uint8_t input[] = "\001gba-me\000\006"
                               "\011\012\013\014\0\0\0\0\0\0\0\0\0\0\0\0\000\020" IMPI
                               "\000\061" NAF "\001\000\000\000\002\000\024";
#define INPUT_LENGTH (sizeof(input) - 1)

/* One operation: @userdata is what it keeps between the calls. */
typedef bool (*operation_fn)(void *userdata, uint8_t ret[NAF_KEY_LENGTH]);

static bool naf_key(void *userdata, uint8_t ret[NAF_KEY_LENGTH]) {
    struct secret *derived;

    if (gba_derive_naf_key(userdata, rand_octets, IMPI, NAF, ua_protocol, &derived) != 0)
        return false;
    memcpy(ret, secret_data(derived), NAF_KEY_LENGTH);
    secret_free(derived);
    return true;
}

static bool mac(EVP_MAC_CTX *ctx, const OSSL_PARAM *parameters, uint8_t ret[NAF_KEY_LENGTH]) {
    size_t length;

    return EVP_MAC_init(ctx, key_octets, sizeof(key_octets), parameters) &&
           EVP_MAC_update(ctx, input, INPUT_LENGTH) &&
           EVP_MAC_final(ctx, ret, &length, NAF_KEY_LENGTH);
}

static const OSSL_PARAM *digest_parameters(OSSL_PARAM ret[2]) {
    static char digest[] = OSSL_DIGEST_NAME_SHA2_256;

    ret[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    ret[1] = OSSL_PARAM_construct_end();
    return ret;
}

static bool hmac_kept_context(void *userdata, uint8_t ret[NAF_KEY_LENGTH]) {
    return mac(userdata, NULL, ret);
}

static bool hmac_new_context(void *userdata, uint8_t ret[NAF_KEY_LENGTH]) {
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(userdata);
    OSSL_PARAM parameters[2];
    bool done = ctx && mac(ctx, digest_parameters(parameters), ret);

    EVP_MAC_CTX_free(ctx);
    return done;
}

static bool hmac_one_shot(void *userdata, uint8_t ret[NAF_KEY_LENGTH]) {
    unsigned length;

    return HMAC(userdata, key_octets, sizeof(key_octets), input, INPUT_LENGTH, ret, &length);
}

static void *new_ks(void) {
    struct secret *ks;

    return secret_arena_init() == 0 && secret_new_copy(key_octets, sizeof(key_octets), &ks) == 0
               ? ks
               : NULL;
}

static void *new_mac(void) {
    return EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
}

static void *new_context(void) {
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(new_mac());
    OSSL_PARAM parameters[2];

    return ctx && EVP_MAC_CTX_set_params(ctx, digest_parameters(parameters)) ? ctx : NULL;
}

static void *new_digest(void) {
    return EVP_MD_fetch(NULL, OSSL_DIGEST_NAME_SHA2_256, NULL);
}

static const struct {
    const char *name;
    void *(*prepare)(void);
    operation_fn operation;
} operations[] = {
    {"naf-key", new_ks, naf_key},
    {"hmac-kept-context", new_context, hmac_kept_context},
    {"hmac-new-context", new_mac, hmac_new_context},
    {"hmac-one-shot", new_digest, hmac_one_shot},
};

/* What is compared must be the same: every operation's result is held against HMAC()'s. */
static int run(void *(*prepare)(void), operation_fn operation, unsigned long times) {
    uint8_t wanted[NAF_KEY_LENGTH], got[NAF_KEY_LENGTH];
    void *userdata = prepare();

    if (!userdata || !hmac_one_shot(new_digest(), wanted))
        return EX_SOFTWARE;
    for (unsigned long i = 0; i < times; i++)
        if (!operation(userdata, got) || memcmp(got, wanted, sizeof(got)) != 0)
            return EX_SOFTWARE;
    return EX_OK;
}

int main(int argc, char **argv) {
    if (argc == 3)
        for (size_t i = 0; i < ELEMENTS(operations); i++)
            if (strcmp(argv[1], operations[i].name) == 0)
                return run(operations[i].prepare, operations[i].operation,
                           strtoul(argv[2], NULL, 10));
    (void)fprintf(stderr, "Usage: bench-derivation OPERATION N\n");
    return EX_USAGE;
}
