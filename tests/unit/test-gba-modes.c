/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The arithmetic of the modes gives the values of the worked example, which were computed by programs that share no code
 * with this one, and leaves nothing in the arena.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gba.h"
#include "unit/arena.h"
#include "unit/gba-vectors.h"

static void assert_secret(const struct secret *secret, const char *hex) {
    _cleanup_secret_ struct secret *expected = secret_of(hex);

    assert_non_null(secret);
    assert_true(secret_equal(secret, expected));
}

static void test_every_mode_has_its_name(void **state _unused_) {
    assert_string_equal(gba_mode_name(GBA_MODE_ME), "me");
    assert_string_equal(gba_mode_name(GBA_MODE_U), "u");
    assert_string_equal(gba_mode_name(GBA_MODE_2G), "2g");
    assert_string_equal(gba_mode_name(GBA_MODE_DIGEST), "digest");
}

static void test_tmpi_of_the_worked_example(void **state _unused_) {
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS), *key = secret_of(VECTOR_TMPI_KEY),
                                   *cut = secret_of("00");
    uint8_t rand[AKA_RAND_LENGTH];
    char tmpi[TMPI_MAX + 1], bsf[NAF_FQDN_MAX + 1];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    assert_true(gba_bsf_id_of_btid(VECTOR_BTID, bsf));
    assert_string_equal(bsf, VECTOR_BSF);
    assert_int_equal(gba_tmpi(ks, rand, VECTOR_IMPI, bsf, tmpi), 0);
    assert_string_equal(tmpi, VECTOR_TMPI);
    assert_int_equal(strlen(tmpi), TMPI_MAX);

    /* The same from what a GBA_U card derives. */
    tmpi[0] = '\0';
    assert_int_equal(gba_tmpi_from_key(key, tmpi), 0);
    assert_string_equal(tmpi, VECTOR_TMPI);
    assert_int_equal(gba_tmpi_from_key(cut, tmpi), -EINVAL);
    assert_int_equal(gba_tmpi(cut, rand, VECTOR_IMPI, bsf, tmpi), -EINVAL);
}

/* The left part of a B-TID is the BSF's business; the name is what stands behind the last "@". */
static void test_the_name_in_a_btid(void **state _unused_) {
    char bsf[NAF_FQDN_MAX + 1] = "before", btid[BTID_MAX + 1];

    assert_true(gba_bsf_id_of_btid("a@b@c.example", bsf));
    assert_string_equal(bsf, "c.example");
    assert_false(gba_bsf_id_of_btid("", bsf));
    assert_false(gba_bsf_id_of_btid("none", bsf));
    assert_false(gba_bsf_id_of_btid("none@", bsf));
    memset(btid, 'x', sizeof(btid) - 1);
    btid[sizeof(btid) - 1] = '\0';
    btid[0] = '@';
    assert_false(gba_bsf_id_of_btid(btid, bsf));
    btid[NAF_FQDN_MAX + 1] = '\0';
    assert_true(gba_bsf_id_of_btid(btid, bsf));
    assert_int_equal(strlen(bsf), NAF_FQDN_MAX);
}

static void test_akav2_password_of_the_worked_example(void **state _unused_) {
    _cleanup_secret_ struct secret *res = secret_of(VECTOR_RES), *ck = secret_of(VECTOR_CK),
                                   *ik = secret_of(VECTOR_IK), *password = NULL, *none = NULL;
    const struct digest_input input = {
        .algorithm = CHALLENGE_AKAV2_MD5,
        .username = VECTOR_IMPI,
        .realm = VECTOR_BSF,
        .nonce = VECTOR_NONCE,
        .uri = "/",
        .method = "GET",
        .cnonce = VECTOR_CNONCE,
        .nc = 1,
        .auth_int = true,
    };
    char response[DIGEST_HEX_MAX + 1];

    assert_int_equal(gba_akav2_password(res, ik, ck, &password), 0);
    assert_int_equal(secret_length(password), strlen(VECTOR_AKAV2_PASSWORD));
    assert_memory_equal(secret_data(password), VECTOR_AKAV2_PASSWORD,
                        strlen(VECTOR_AKAV2_PASSWORD));
    assert_int_equal(digest_response(&input, password, response), 0);
    assert_string_equal(response, VECTOR_AKAV2_RESPONSE);
    assert_int_equal(gba_akav2_password(res, res, ck, &none), -EINVAL);
    assert_int_equal(gba_akav2_password(res, ik, res, &none), -EINVAL);
    assert_null(none);
}

static void test_2g_keys_of_the_worked_example(void **state _unused_) {
    _cleanup_secret_ struct secret *kc = secret_of(VECTOR_KC), *sres = secret_of(VECTOR_SRES);
    _cleanup_secret_ struct secret *res = NULL, *ks = NULL;
    uint8_t rand[AKA_RAND_LENGTH], ks_input[GBA_KS_INPUT_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    octets_of("000102030405060708090a0b0c0d0e0f", ks_input, sizeof(ks_input));
    assert_int_equal(gba_2g_keys(sres, sres, rand, ks_input, &res, &ks), -EINVAL);
    assert_int_equal(gba_2g_keys(kc, kc, rand, ks_input, &res, &ks), -EINVAL);
    assert_null(res);
    assert_null(ks);
    assert_int_equal(gba_2g_keys(kc, sres, rand, ks_input, &res, &ks), 0);
    assert_secret(res, VECTOR_RES_2G);
    assert_secret(ks, VECTOR_KS_2G);
}

static void test_gba_digest_keys_with_both_hashes(void **state _unused_) {
    static const struct {
        enum challenge_algorithm algorithm;
        const char *hash_a1, *passwd, *response, *ks, *naf_key;
    } cases[] = {
        {CHALLENGE_MD5, VECTOR_HASH_A1, VECTOR_PASSWD, VECTOR_RESPONSE_DIGEST, VECTOR_KS_DIGEST,
         VECTOR_NAF_KEY_DIGEST},
        {CHALLENGE_SHA_256, VECTOR_HASH_A1_SHA, VECTOR_PASSWD_SHA, VECTOR_RESPONSE_SHA,
         VECTOR_KS_SHA, VECTOR_NAF_KEY_SHA},
    };
    static const uint8_t ua[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    _cleanup_secret_ struct secret *exporter = secret_of(VECTOR_EXPORTER), *word = NULL;

    assert_int_equal(secret_new_copy(VECTOR_PASSWORD, strlen(VECTOR_PASSWORD), &word), 0);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_secret_ struct secret *a1 = NULL, *passwd = NULL, *ks = NULL, *key = NULL;
        const struct digest_input input = {
            .algorithm = cases[i].algorithm,
            .username = VECTOR_IMPI,
            .realm = VECTOR_REALM_DIGEST,
            .nonce = VECTOR_NONCE_DIGEST,
            .uri = "/",
            .method = "GET",
            .cnonce = VECTOR_CNONCE,
            .nc = 1,
            .auth_int = true,
        };
        char response[DIGEST_HEX_MAX + 1];

        assert_int_equal(
            gba_digest_hash_a1(cases[i].algorithm, VECTOR_IMPI, VECTOR_REALM_DIGEST, word, &a1), 0);
        assert_secret(a1, cases[i].hash_a1);
        assert_int_equal(gba_digest_password(a1, exporter, &passwd), 0);
        assert_secret(passwd, cases[i].passwd);
        assert_int_equal(digest_response(&input, passwd, response), 0);
        assert_string_equal(response, cases[i].response);
        assert_int_equal(gba_digest_ks(a1, exporter, response, &ks), 0);
        assert_secret(ks, cases[i].ks);
        assert_int_equal(gba_derive_naf_key_digest(ks, VECTOR_NONCE_DIGEST, VECTOR_IMPI,
                                                   "naf.example.com", ua, &key),
                         0);
        assert_secret(key, cases[i].naf_key);
    }
}

static void test_gba_digest_refuses_lengths_that_cannot_be(void **state _unused_) {
    static const uint8_t ua[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    _cleanup_secret_ struct secret *a1 = secret_of(VECTOR_HASH_A1), *ks = secret_of(VECTOR_KS);
    struct secret *none = NULL;
    char nonce[DIGEST_NONCE_MAX + 2];

    memset(nonce, 'n', sizeof(nonce) - 1);
    nonce[sizeof(nonce) - 1] = '\0';
    assert_int_equal(gba_digest_password(a1, a1, &none), -EINVAL);
    assert_int_equal(gba_digest_password(a1, NULL, &none), -EINVAL);
    assert_int_equal(gba_digest_ks(a1, a1, VECTOR_RESPONSE, &none), -EINVAL);
    assert_int_equal(gba_derive_naf_key_digest(ks, "", VECTOR_IMPI, "n", ua, &none), -EINVAL);
    assert_int_equal(gba_derive_naf_key_digest(ks, nonce, VECTOR_IMPI, "n", ua, &none), -EINVAL);
    assert_null(none);
}

/* RFC 7616 3.9.1, which has the same request with both hashes. */
static void test_digests_that_are_published(void **state _unused_) {
    static const struct {
        enum challenge_algorithm algorithm;
        const char *response;
    } cases[] = {
        {CHALLENGE_MD5, "8ca523f5e9506fed4657c9700eebdbec"},
        {CHALLENGE_SHA_256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
    };
    _cleanup_secret_ struct secret *password = NULL;

    assert_int_equal(secret_new_copy("Circle of Life", 14, &password), 0);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct digest_input input = {
            .algorithm = cases[i].algorithm,
            .username = "Mufasa",
            .realm = "http-auth@example.org",
            .nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            .uri = "/dir/index.html",
            .method = "GET",
            .cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            .nc = 1,
        };
        char response[DIGEST_HEX_MAX + 1];

        assert_int_equal(digest_response(&input, password, response), 0);
        assert_string_equal(response, cases[i].response);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, arena_empty)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_every_mode_has_its_name),
        TEST(test_tmpi_of_the_worked_example),
        TEST(test_the_name_in_a_btid),
        TEST(test_akav2_password_of_the_worked_example),
        TEST(test_2g_keys_of_the_worked_example),
        TEST(test_gba_digest_keys_with_both_hashes),
        TEST(test_gba_digest_refuses_lengths_that_cannot_be),
        TEST(test_digests_that_are_published),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
