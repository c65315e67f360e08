/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Milenage: the published sets, and the tokens made of the functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hex.h"
#include "milenage-sets.h"
#include "milenage.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

struct set {
    struct milenage_key key;
    uint8_t rand[MILENAGE_RAND];
    uint8_t amf[MILENAGE_AMF];
    uint64_t sqn;
};

static void octets(const char *text, uint8_t *ret_octets, size_t length) {
    assert_int_equal(hex_decode_exactly(text, ret_octets, length), 0);
}

static void assert_hex(const uint8_t *octets_got, size_t length, const char *expected) {
    char text[2 * 64 + 1];

    assert_true(length <= 64);
    hex_encode(octets_got, length, text);
    assert_string_equal(text, expected);
}

static struct set read_set(const struct milenage_set *published) {
    struct set set = {0};

    octets(published->k, set.key.k, MILENAGE_KEY);
    octets(published->opc, set.key.opc, MILENAGE_KEY);
    octets(published->rand, set.rand, MILENAGE_RAND);
    octets(published->amf, set.amf, MILENAGE_AMF);
    set.sqn = strtoull(published->sqn, NULL, 16);
    return set;
}

static void opc_is_computed_from_k_and_op_as_published(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(milenage_sets); i++) {
        struct set set = read_set(&milenage_sets[i]);
        uint8_t block[MILENAGE_KEY];

        octets(milenage_sets[i].op, block, sizeof(block));
        milenage_opc(set.key.k, block, block);
        assert_hex(block, sizeof(block), milenage_sets[i].opc);
    }
}

static void all_seven_functions_give_the_published_values_of_all_six_sets(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(milenage_sets); i++) {
        const struct milenage_set *published = &milenage_sets[i];
        struct set set = read_set(published);
        struct milenage_answer answer;
        uint8_t mac_a[MILENAGE_MAC], mac_s[MILENAGE_MAC];

        milenage_f1(&set.key, set.rand, set.sqn, set.amf, mac_a, mac_s);
        milenage_f2345(&set.key, set.rand, &answer);
        assert_hex(mac_a, sizeof(mac_a), published->f1);
        assert_hex(mac_s, sizeof(mac_s), published->f1_star);
        assert_hex(answer.res, sizeof(answer.res), published->f2);
        assert_hex(answer.ck, sizeof(answer.ck), published->f3);
        assert_hex(answer.ik, sizeof(answer.ik), published->f4);
        assert_hex(answer.ak, sizeof(answer.ak), published->f5);
        assert_hex(answer.ak_star, sizeof(answer.ak_star), published->f5_star);
    }
}

static void autn_of_the_first_set_is_sqn_xor_ak_then_amf_then_mac(void **state) {
    struct set set = read_set(&milenage_sets[0]);
    uint8_t autn[MILENAGE_AUTN];

    (void)state;
    milenage_autn(&set.key, set.rand, set.sqn, set.amf, autn);
    assert_hex(autn, sizeof(autn), "55f328b43577b9b94a9ffac354dfafb3");
}

/*
 * The value is one that osmo-auc-gen accepts: MAC-S is made with an AMF of zeros, whatever AMF the
 * network uses.
 */
static void auts_of_the_first_set_is_the_one_that_another_implementation_accepts(void **state) {
    struct set set = read_set(&milenage_sets[0]);
    uint8_t auts[MILENAGE_AUTS];

    (void)state;
    milenage_auts(&set.key, set.rand, set.sqn, auts);
    assert_hex(auts, sizeof(auts), "ba853f3c123ccf44e93596e355c6");
}

static void kc_of_the_first_set_is_the_one_that_conversion_c3_gives(void **state) {
    struct set set = read_set(&milenage_sets[0]);
    struct milenage_answer answer;
    uint8_t kc[MILENAGE_KC];

    (void)state;
    milenage_f2345(&set.key, set.rand, &answer);
    milenage_kc(&answer, kc);
    assert_hex(kc, sizeof(kc), "eae4be823af9a08b");
}

static void an_autn_is_accepted_as_made_and_refused_with_any_bit_changed(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(milenage_sets); i++) {
        struct set set = read_set(&milenage_sets[i]);
        uint8_t autn[MILENAGE_AUTN];
        uint64_t sqn = 0;

        milenage_autn(&set.key, set.rand, set.sqn, set.amf, autn);
        assert_true(milenage_autn_verify(&set.key, set.rand, autn, &sqn));
        assert_int_equal(sqn, set.sqn);
        for (unsigned bit = 0; bit < 8 * MILENAGE_AUTN; bit++) {
            autn[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            sqn = 7;
            assert_false(milenage_autn_verify(&set.key, set.rand, autn, &sqn));
            assert_int_equal(sqn, 7);
            autn[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

static void an_auts_brings_the_cards_sqn_home_and_is_refused_with_any_bit_changed(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(milenage_sets); i++) {
        struct set set = read_set(&milenage_sets[i]);
        uint8_t auts[MILENAGE_AUTS];
        uint64_t sqn = 0;

        milenage_auts(&set.key, set.rand, set.sqn, auts);
        assert_true(milenage_auts_verify(&set.key, set.rand, auts, &sqn));
        assert_int_equal(sqn, set.sqn);
        for (unsigned bit = 0; bit < 8 * MILENAGE_AUTS; bit++) {
            auts[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            sqn = 7;
            assert_false(milenage_auts_verify(&set.key, set.rand, auts, &sqn));
            assert_int_equal(sqn, 7);
            auts[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

static void an_autn_for_another_rand_is_refused(void **state) {
    struct set set = read_set(&milenage_sets[0]);
    uint8_t autn[MILENAGE_AUTN];
    uint64_t sqn;

    (void)state;
    milenage_autn(&set.key, set.rand, set.sqn, set.amf, autn);
    set.rand[15] ^= 1;
    assert_false(milenage_autn_verify(&set.key, set.rand, autn, &sqn));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opc_is_computed_from_k_and_op_as_published),
        cmocka_unit_test(all_seven_functions_give_the_published_values_of_all_six_sets),
        cmocka_unit_test(autn_of_the_first_set_is_sqn_xor_ak_then_amf_then_mac),
        cmocka_unit_test(auts_of_the_first_set_is_the_one_that_another_implementation_accepts),
        cmocka_unit_test(kc_of_the_first_set_is_the_one_that_conversion_c3_gives),
        cmocka_unit_test(an_autn_is_accepted_as_made_and_refused_with_any_bit_changed),
        cmocka_unit_test(an_auts_brings_the_cards_sqn_home_and_is_refused_with_any_bit_changed),
        cmocka_unit_test(an_autn_for_another_rand_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
