/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MEF's key hierarchy against vectors that were computed elsewhere (Python's hmac), and its own second opinion.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "hex.h"
#include "lab-mef.h"

static const char ke_id[] = "000102030405060708090A0B0C0D0E0F@mef.example.com";

/* The exporter's octets of all vectors: 00 to 2f. */
static const uint8_t *exporter(void) {
    static uint8_t octets[MEF_EXPORTER_LENGTH];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)i;
    return octets;
}

static const uint8_t *ke(void) {
    return exporter() + MEF_RELATIVE_ID_LENGTH;
}

static void assert_key(const uint8_t key[MEF_KEY_LENGTH], const char *expected) {
    char text[2 * MEF_KEY_LENGTH + 1];

    hex_encode(key, MEF_KEY_LENGTH, text);
    assert_string_equal(text, expected);
}

static void ke_id_is_the_first_octets_in_upper_case_and_the_fqdn(void **state) {
    char text[MEF_KE_ID_MAX + 1], relative[MEF_RELATIVE_ID_SIZE];

    (void)state;
    mef_ke_id(exporter(), "mef.example.com", text);
    assert_string_equal(text, ke_id);
    mef_relative_id(exporter(), relative);
    assert_string_equal(relative, "000102030405060708090A0B0C0D0E0F");
}

static void km_of_a_maf(void **state) {
    uint8_t key[MEF_KEY_LENGTH];

    (void)state;
    mef_release_1_key(ke(), true, "maf.example.com", key);
    assert_key(key, "28a823bfe683d7acfed2e53dea75e63f39c5fc4bc3d6ffc2b2aa469237dcf4d8");
}

static void kpsa_of_an_enrolee_b(void **state) {
    uint8_t key[MEF_KEY_LENGTH];

    (void)state;
    mef_release_1_key(ke(), false, "//m2m.example.com/in-cse", key);
    assert_key(key, "3b930e6a52035168e8f7daf72a7fb7d7c155b78f4e780ee97e065d7a5b0f80ad");
}

static void the_key_of_a_use(void **state) {
    uint8_t key[MEF_KEY_LENGTH], other[MEF_KEY_LENGTH];

    (void)state;
    mef_usage_key(ke(), 21, "maf.example.com", key);
    assert_key(key, "c413740f794f52a10b894dd30d3126f95f06c3c28fea22e7a927a89b10366264");
    mef_usage_key(ke(), 22, "maf.example.com", other);
    assert_memory_not_equal(key, other, sizeof(key));
    /* "21" and "maf" is not "2" and "1maf": this is one text all the same, as the formula has no separator. */
    mef_usage_key(ke(), 2, "1maf.example.com", other);
    assert_memory_equal(key, other, sizeof(key));
}

static void a_hash_tells_keys_apart_and_shows_none(void **state) {
    static const uint8_t zero[MEF_KEY_LENGTH];
    char hash[MEF_HASH_SIZE];

    (void)state;
    mef_key_hash(zero, hash);
    assert_string_equal(hash, "66687aadf862bd77"); /* sha256sum of 32 zero octets */
    mef_key_hash(ke(), hash);
    assert_string_not_equal(hash, "66687aadf862bd77");
}

static void the_longest_name_fits(void **state) {
    char name[MEF_NAME_MAX + 1], text[MEF_KE_ID_MAX + 1];

    (void)state;
    memset(name, 'a', MEF_NAME_MAX);
    name[MEF_NAME_MAX] = '\0';
    mef_ke_id(exporter(), name, text);
    assert_int_equal(strlen(text), MEF_KE_ID_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ke_id_is_the_first_octets_in_upper_case_and_the_fqdn),
        cmocka_unit_test(km_of_a_maf),
        cmocka_unit_test(kpsa_of_an_enrolee_b),
        cmocka_unit_test(the_key_of_a_use),
        cmocka_unit_test(a_hash_tells_keys_apart_and_shows_none),
        cmocka_unit_test(the_longest_name_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
