/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Key derivation gives what TS 33.220 Annex B gives, and leaves nothing in the arena.
 */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gba.h"
#include "unit/arena.h"
#include "unit/gba-vectors.h"

static void assert_secret(const struct secret *secret, const char *hex) {
    char text[2 * 64 + 1];

    assert_non_null(secret);
    assert_true(secret_length(secret) <= 64);
    hex_encode(secret_data(secret), secret_length(secret), text);
    assert_string_equal(text, hex);
}

/* Every worked key of one Ks: several names and Ua identifiers. */
static void test_naf_keys_of_the_worked_example(void **state _unused_) {
    static const struct {
        const char *fqdn, *ua_protocol, *key;
    } cases[] = {
        {"naf.example.com", "0100000002",
         "ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08"},
        {"naf.example.com", "010001c02f",
         "e13ef72cdd9c490cf4616b5b2874facb823750b685597ed68eafba446b66a9b2"},
        {"naf.example.com", "01000100a8",
         "9f86b69a955cf63f3183301898740f3ef61c226692881fdd4986db55b3d39be2"},
        {"naf.example.com", "0100000007",
         "48f9b22b93fe68abf63e1b85a920b4bff518b2c7add5acf25d4d5f4e6db9b995"},
        {"xcap.ims.mnc001.mcc001.pub.3gppnetwork.org", "0100000002",
         "fd1ac8d09e974a83d864e40f158ddb173379a13316de75a7f659d3b4ab4dffab"},
    };
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS);
    uint8_t rand[AKA_RAND_LENGTH], ua_protocol[UA_PROTOCOL_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_secret_ struct secret *key = NULL;

        octets_of(cases[i].ua_protocol, ua_protocol, sizeof(ua_protocol));
        assert_int_equal(
            gba_derive_naf_key(ks, rand, VECTOR_IMPI, cases[i].fqdn, ua_protocol, &key), 0);
        assert_secret(key, cases[i].key);
    }
}

static void test_ks_is_ck_then_ik(void **state _unused_) {
    _cleanup_secret_ struct secret *ck = secret_of(VECTOR_CK), *ik = secret_of(VECTOR_IK);
    _cleanup_secret_ struct secret *short_ck = secret_of("00"), *ks = NULL;

    assert_int_equal(gba_ks(ck, ik, &ks), 0);
    assert_secret(ks, VECTOR_KS);
    assert_int_equal(gba_ks(short_ck, ik, &ks), -EINVAL);
    assert_int_equal(gba_ks(ck, short_ck, &ks), -EINVAL);
    assert_secret(ks, VECTOR_KS);
}

/* TMPI is the same derivation with the BSF in the NAF's place (TS 33.220 B.4). */
static void test_tmpi_of_the_worked_example(void **state _unused_) {
    static const uint8_t tmpi_protocol[UA_PROTOCOL_LENGTH] = {1, 0, 0, 1, 0};
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS), *key = NULL;
    _cleanup_free_ char *text = NULL;
    uint8_t rand[AKA_RAND_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    assert_int_equal(gba_derive_naf_key(ks, rand, VECTOR_IMPI, VECTOR_BSF, tmpi_protocol, &key), 0);
    assert_int_equal(base64_encode(secret_data(key), 24, &text), 0);
    assert_string_equal(text, "NdfNQvvGWK4SGbs7c17alrZHQXyhEcrW");
}

/* The generic function with the parameters of Ks_int_NAF (B.3) equals the card's value. */
static void test_generic_kdf_gives_the_internal_key(void **state _unused_) {
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS), *key = NULL;
    uint8_t rand[AKA_RAND_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    const struct kdf_parameter parameters[] = {
        {"gba-u", 5},
        {rand, sizeof(rand)},
        {VECTOR_IMPI, strlen(VECTOR_IMPI)},
        {"naf.example.com\x01\x00\x00\x00\x02", 20},
    };
    assert_int_equal(gba_kdf(ks, 0x01, parameters, ELEMENTS(parameters), &key), 0);
    assert_secret(key, "0a1506dc49027e4932c767f73fde7d306ef97e37d805539f71182bb6c1b69fd2");
}

/* 2G GBA (Annex I): another key, other parameters, the same function. */
static void test_generic_kdf_gives_the_2g_values(void **state _unused_) {
    static const uint8_t input[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t sres[4] = {0x46, 0xf8, 0x41, 0x6a};
    static const struct kdf_parameter res_parameters[] = {{"3gpp-gba-res", 12}, {sres, 4}};
    static const struct kdf_parameter ks_parameters[] = {
        {input, 16}, {"3gpp-gba-ks", 11}, {sres, 4}};
    _cleanup_secret_ struct secret *key = secret_of("eae4be823af9a08b"
                                                    "eae4be823af9a08b" VECTOR_RAND);
    _cleanup_secret_ struct secret *res = NULL, *ks = NULL;

    assert_int_equal(gba_kdf(key, 0x01, res_parameters, 2, &res), 0);
    secret_truncate(res, 16);
    assert_secret(res, "91a40904556e5b5427543b008b1fc21e");
    assert_int_equal(gba_kdf(key, 0x01, ks_parameters, 3, &ks), 0);
    assert_secret(ks, "c5d9f66ac017806bf19b3c9f15a5b105b58c169f061e2098f197f008a1df1990");
}

/*
 * Lengths have 16 bits: a NAF_Id of 260 octets is 0104. The two functions put their input together in
 * different ways and must agree; the key itself was computed with Python's hmac module.
 */
static void test_lengths_above_255_octets_use_both_octets(void **state _unused_) {
    static const uint8_t ua_protocol[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS), *key = NULL, *generic = NULL;
    char fqdn[NAF_FQDN_MAX + 1], naf_id[NAF_FQDN_MAX + UA_PROTOCOL_LENGTH];
    uint8_t rand[AKA_RAND_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    for (size_t i = 0; i < NAF_FQDN_MAX; i++)
        fqdn[i] = i % 64 == 63 ? '.' : 'n';
    fqdn[NAF_FQDN_MAX] = 0;
    memcpy(naf_id, fqdn, NAF_FQDN_MAX);
    memcpy(naf_id + NAF_FQDN_MAX, ua_protocol, UA_PROTOCOL_LENGTH);

    const struct kdf_parameter parameters[] = {
        {"gba-me", 6},
        {rand, sizeof(rand)},
        {VECTOR_IMPI, strlen(VECTOR_IMPI)},
        {naf_id, sizeof(naf_id)},
    };
    assert_int_equal(gba_derive_naf_key(ks, rand, VECTOR_IMPI, fqdn, ua_protocol, &key), 0);
    assert_int_equal(gba_kdf(ks, 0x01, parameters, ELEMENTS(parameters), &generic), 0);
    assert_true(secret_equal(key, generic));
    assert_secret(key, "f50401395701a78afbe65e9ea759f75622f93c3593382cb804853488f9d3defa");
}

static void test_lengths_beyond_the_limits_are_refused(void **state _unused_) {
    static const uint8_t ua_protocol[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    static char long_name[IMPI_MAX + 2];
    static uint8_t zeros[UINT16_MAX + 1];
    static const uint8_t rand[AKA_RAND_LENGTH];
    const struct kdf_parameter longest = {zeros, UINT16_MAX}, too_long = {zeros, UINT16_MAX + 1};
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS), *ck = secret_of(VECTOR_CK);
    _cleanup_secret_ struct secret *key = NULL, *untouched = NULL;

    memset(long_name, 'a', sizeof(long_name) - 1);
    assert_int_equal(gba_derive_naf_key(ks, rand, long_name, "naf", ua_protocol, &untouched),
                     -EINVAL);
    assert_int_equal(gba_derive_naf_key(ks, rand, "impi", long_name, ua_protocol, &untouched),
                     -EINVAL);
    assert_int_equal(gba_derive_naf_key(ck, rand, "impi", "naf", ua_protocol, &untouched), -EINVAL);
    assert_int_equal(gba_kdf(ks, 1, &too_long, 1, &untouched), -EINVAL);
    assert_null(untouched);
    assert_int_equal(gba_kdf(ks, 1, &longest, 1, &key), 0);
}

/* An empty parameter is its length alone, and differs from no parameter. */
static void test_empty_parameters_count(void **state _unused_) {
    static const struct kdf_parameter empty = {NULL, 0};
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS), *with = NULL, *without = NULL;

    assert_int_equal(gba_kdf(ks, 1, &empty, 1, &with), 0);
    assert_int_equal(gba_kdf(ks, 1, NULL, 0, &without), 0);
    assert_secret(with, "73fc393a848082a388d2833e9a4061e867da2d8be7a8d0c55ed3373957c4992b");
    assert_secret(without, "4559b29fb48dd968c648ef1204427ed1a1509edbb8dd147472f2e84ed2218365");
}

static void test_a_full_arena_is_reported(void **state _unused_) {
    static const uint8_t ua_protocol[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    static const uint8_t rand[AKA_RAND_LENGTH];
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS);
    _cleanup_secret_ struct secret *ck = secret_of(VECTOR_CK), *ik = secret_of(VECTOR_IK);
    struct arena_filler filler = {0};
    struct secret *key = NULL;

    arena_fill(&filler);
    assert_int_equal(gba_derive_naf_key(ks, rand, "impi", "naf", ua_protocol, &key), -ENOMEM);
    assert_int_equal(gba_kdf(ks, 1, NULL, 0, &key), -ENOMEM);
    assert_int_equal(gba_ks(ck, ik, &key), -ENOMEM);
    assert_null(key);
    arena_relieve(&filler);
}

static void *derive_many(void *userdata) {
    static const uint8_t ua_protocol[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    const struct secret *ks = userdata;
    _cleanup_secret_ struct secret *expected =
        secret_of("ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08");
    uint8_t rand[AKA_RAND_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    for (unsigned i = 0; i < 200; i++) {
        _cleanup_secret_ struct secret *key = NULL;

        if (gba_derive_naf_key(ks, rand, VECTOR_IMPI, "naf.example.com", ua_protocol, &key) != 0 ||
            !secret_equal(key, expected))
            return (void *)1;
    }
    return NULL;
}

/* The algorithms are looked up once for all threads. */
static void test_threads_derive_the_same_key(void **state _unused_) {
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS);
    pthread_t threads[4];

    for (size_t i = 0; i < ELEMENTS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, derive_many, ks), 0);
    for (size_t i = 0; i < ELEMENTS(threads); i++) {
        void *wrong = NULL;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, arena_empty)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_threads_derive_the_same_key),
        TEST(test_naf_keys_of_the_worked_example),
        TEST(test_ks_is_ck_then_ik),
        TEST(test_tmpi_of_the_worked_example),
        TEST(test_generic_kdf_gives_the_internal_key),
        TEST(test_generic_kdf_gives_the_2g_values),
        TEST(test_lengths_above_255_octets_use_both_octets),
        TEST(test_lengths_beyond_the_limits_are_refused),
        TEST(test_empty_parameters_count),
        TEST(test_a_full_arena_is_reported),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
