/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * oneM2M's key hierarchy: Ke and its children are what the formulas of TS-0003 10.3 give, computed here and elsewhere; what is no
 * exporter, no SUID or no identifier gives no key; and a timestamp is one or is refused.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "arena.h"
#include "onem2m.h"
#include "util.h"

#define MAF "maf.example.com"
#define B   "//m2m.example.com/in-cse"

/* What the exporter of the worked examples gives: 00, 01 ... */
static struct secret *exporter_of(size_t length) {
    struct secret *exporter = NULL;

    assert_int_equal(secret_new(length, &exporter), 0);
    for (size_t i = 0; i < length; i++)
        secret_data_mutable(exporter)[i] = (uint8_t)i;
    return exporter;
}

static struct secret *example_ke(void) {
    _cleanup_secret_ struct secret *exporter = exporter_of(48);
    char ke_id[KE_ID_MAX + 1];
    struct secret *ke = NULL;

    assert_int_equal(onem2m_ke(exporter, "mef.example.com", ke_id, &ke), 0);
    return ke;
}

static void assert_secret(const struct secret *secret, const char *hex) {
    char text[2 * KE_LENGTH + 1];

    assert_int_equal(secret_length(secret), KE_LENGTH);
    hex_encode(secret_data(secret), KE_LENGTH, text);
    assert_string_equal(text, hex);
}

/* --- Ke ----------------------------------------------------------------------------------------------- */

static void
the_first_octets_of_the_exporter_are_the_name_and_the_others_the_key(_unused_ void **state) {
    _cleanup_secret_ struct secret *exporter = exporter_of(48), *ke = NULL;
    char ke_id[KE_ID_MAX + 1];

    assert_int_equal(onem2m_ke(exporter, "mef.example.com", ke_id, &ke), 0);
    assert_string_equal(ke_id, "000102030405060708090A0B0C0D0E0F@mef.example.com");
    assert_secret(ke, "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f");
}

static void a_ke_id_has_room_for_the_longest_fqdn_and_no_longer(_unused_ void **state) {
    _cleanup_secret_ struct secret *exporter = exporter_of(48), *ke = NULL, *none = NULL;
    char fqdn[FQDN_MAX + 2], ke_id[KE_ID_MAX + 1] = "untouched";

    memset(fqdn, 'm', sizeof(fqdn));
    fqdn[FQDN_MAX + 1] = '\0';
    assert_int_equal(onem2m_ke(exporter, fqdn, ke_id, &none), -EINVAL);
    assert_int_equal(onem2m_ke(exporter, "", ke_id, &none), -EINVAL);
    assert_null(none);
    assert_string_equal(ke_id, "untouched");
    fqdn[FQDN_MAX] = '\0';
    assert_int_equal(onem2m_ke(exporter, fqdn, ke_id, &ke), 0);
    assert_int_equal(strlen(ke_id), KE_ID_MAX);
}

static void an_exporter_of_another_length_gives_no_ke(_unused_ void **state) {
    static const size_t lengths[] = {1, 16, 32, 47, 49, 64};

    for (size_t i = 0; i < ELEMENTS(lengths); i++) {
        _cleanup_secret_ struct secret *exporter = exporter_of(lengths[i]), *ke = NULL;
        char ke_id[KE_ID_MAX + 1] = "untouched";

        assert_int_equal(onem2m_ke(exporter, "mef.example.com", ke_id, &ke), -EINVAL);
        assert_null(ke);
        assert_string_equal(ke_id, "untouched");
    }
}

/* --- Its children --------------------------------------------------------------------------------------- */

/* The values were computed with another HMAC than OpenSSL's. */
static void the_worked_examples_of_each_formula(_unused_ void **state) {
    static const struct {
        enum onem2m_derivation derivation;
        enum onem2m_target target;
        const char *id, *key;
    } examples[] = {
        {ONEM2M_RELEASE_1, ONEM2M_TARGET_MAF, MAF,
         "28a823bfe683d7acfed2e53dea75e63f39c5fc4bc3d6ffc2b2aa469237dcf4d8"},
        {ONEM2M_RELEASE_1, ONEM2M_TARGET_B, B,
         "3b930e6a52035168e8f7daf72a7fb7d7c155b78f4e780ee97e065d7a5b0f80ad"},
        {ONEM2M_USAGE_CONSTRAINED, ONEM2M_TARGET_MAF, MAF,
         "c413740f794f52a10b894dd30d3126f95f06c3c28fea22e7a927a89b10366264"},
    };
    _cleanup_secret_ struct secret *ke = example_ke();

    for (size_t i = 0; i < ELEMENTS(examples); i++) {
        _cleanup_secret_ struct secret *key = NULL;

        assert_int_equal(onem2m_key(ke, examples[i].derivation, examples[i].target, ONEM2M_SUID_MAF,
                                    examples[i].id, &key),
                         0);
        assert_secret(key, examples[i].key);
    }
}

static void expect_key(const struct secret *ke, unsigned suid, const char *id, const char *text) {
    _cleanup_secret_ struct secret *key = NULL;
    uint8_t expected[KE_LENGTH];
    unsigned length = sizeof(expected);

    assert_non_null(HMAC(EVP_sha256(), secret_data(ke), KE_LENGTH, (const uint8_t *)text,
                         strlen(text), expected, &length));
    assert_int_equal(onem2m_key(ke, ONEM2M_USAGE_CONSTRAINED, ONEM2M_TARGET_B, suid, id, &key), 0);
    assert_memory_equal(secret_data(key), expected, KE_LENGTH);
}

#define USAGE "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation"

static void a_suid_is_two_digits_between_the_text_and_the_target(_unused_ void **state) {
    _cleanup_secret_ struct secret *ke = example_ke();

    expect_key(ke, 21, MAF, USAGE "21" MAF);
    expect_key(ke, 23, MAF, USAGE "23" MAF);
    expect_key(ke, 25, B, USAGE "25" B);
}

static void an_identifier_is_hashed_in_normal_form(_unused_ void **state) {
    _cleanup_secret_ struct secret *ke = example_ke();

    expect_key(ke, 22, "z\xc3\xa4hler.example", USAGE "22z\xc3\xa4hler.example");
    expect_key(ke, 22, "za\xcc\x88hler.example", USAGE "22z\xc3\xa4hler.example");
    expect_key(ke, 22, "\xef\xac\x81.example",
               USAGE "22"
                     "fi.example"); /* a ligature */
    /* ASCII is its own normal form, capitals as well. */
    expect_key(ke, 22, "MAF.example.com", USAGE "22MAF.example.com");
}

static void refused_id(const struct secret *ke, const char *id) {
    struct secret *key = NULL;

    assert_int_equal(onem2m_key(ke, ONEM2M_RELEASE_1, ONEM2M_TARGET_B, 21, id, &key), -EINVAL);
    assert_null(key);
}

static void what_is_no_identifier_gives_no_key(_unused_ void **state) {
    _cleanup_secret_ struct secret *ke = example_ke(), *key = NULL;
    char id[2 * ENTITY_ID_MAX];

    refused_id(ke, "");
    refused_id(ke, "\xff.example");
    refused_id(ke, "maf.example.\xc3");
    memset(id, 'a', ENTITY_ID_MAX + 1);
    id[ENTITY_ID_MAX + 1] = '\0';
    refused_id(ke, id);
    id[ENTITY_ID_MAX] = '\0';
    assert_int_equal(onem2m_key(ke, ONEM2M_RELEASE_1, ONEM2M_TARGET_B, 21, id, &key), 0);
    /* It may be short, and its normal form long: one character of 3 octets is 33 (U+FDFA). */
    id[0] = '\0';
    for (size_t i = 0; i < 8; i++)
        (void)strcat(id, "\xef\xb7\xba");
    refused_id(ke, id);
}

static void only_suids_of_provisioned_keys_are_derived(_unused_ void **state) {
    _cleanup_secret_ struct secret *ke = example_ke();

    for (unsigned suid = 0; suid < 100; suid++) {
        bool derived = suid / 10 == 2 && suid % 10 >= 1 && suid % 10 <= 5;
        _cleanup_secret_ struct secret *key = NULL;

        assert_int_equal(onem2m_suid_is_derived(suid), derived);
        assert_int_equal(
            onem2m_key(ke, ONEM2M_USAGE_CONSTRAINED, ONEM2M_TARGET_MAF, suid, MAF, &key),
            derived ? 0 : -EINVAL);
        assert_int_equal(key != NULL, derived);
    }
}

static void a_ke_of_another_length_gives_no_key(_unused_ void **state) {
    _cleanup_secret_ struct secret *shorter = exporter_of(31), *longer = exporter_of(33);
    struct secret *key = NULL;

    assert_int_equal(onem2m_key(shorter, ONEM2M_RELEASE_1, ONEM2M_TARGET_MAF, 0, MAF, &key),
                     -EINVAL);
    assert_int_equal(onem2m_key(longer, ONEM2M_RELEASE_1, ONEM2M_TARGET_MAF, 0, MAF, &key),
                     -EINVAL);
    assert_null(key);
}

static void a_target_is_of_the_kind_that_its_form_says(_unused_ void **state) {
    static const struct {
        const char *id;
        enum onem2m_target kind;
    } names[] = {
        {MAF, ONEM2M_TARGET_MAF},     {"maf", ONEM2M_TARGET_MAF},
        {"C.maf", ONEM2M_TARGET_MAF}, {"S1.example.com", ONEM2M_TARGET_MAF},
        {B, ONEM2M_TARGET_B},         {"/in-cse", ONEM2M_TARGET_B},
        {"Cpump", ONEM2M_TARGET_B},   {"Smeter", ONEM2M_TARGET_B},
        {"a/b.c", ONEM2M_TARGET_B},
    };

    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (onem2m_target_kind(names[i].id) != names[i].kind)
            fail_msg("%s", names[i].id);
}

/* --- Timestamps ------------------------------------------------------------------------------------------ */

static void a_timestamp_is_seconds_since_the_epoch_and_back(_unused_ void **state) {
    static const struct {
        const char *text;
        int64_t when;
    } times[] = {
        {"19700101T000000", 0},          {"20261127T024058", 1795747258},
        {"20240229T235959", 1709251199}, {"20380119T031408", INT64_C(2147483648)},
        {"20991231T235959", 4102444799},
    };

    for (size_t i = 0; i < ELEMENTS(times); i++) {
        char text[16];
        int64_t when = -1;

        assert_int_equal(onem2m_timestamp_parse(times[i].text, &when), 0);
        assert_int_equal(when, times[i].when);
        onem2m_timestamp_print(when, text);
        assert_string_equal(text, times[i].text);
    }
}

static void a_fraction_of_a_second_is_not_counted(_unused_ void **state) {
    int64_t when = -1;

    assert_int_equal(onem2m_timestamp_parse("20261127T024058,9", &when), 0);
    assert_int_equal(when, 1795747258);
    assert_int_equal(onem2m_timestamp_parse("20261127T024058,999999", &when), 0);
    assert_int_equal(when, 1795747258);
}

static void what_is_no_timestamp_is_refused(_unused_ void **state) {
    static const char *const wrong[] = {
        "",
        "T",
        "2026",
        "20261127",
        "20261127T",
        "20261127T02405",
        "20261127T0240581",
        "20261127024058",
        "20261127t024058",
        "20261127T024058Z",
        "20261127T024058.5",
        "20261127T024058,",
        "20261127T024058,1234567",
        "20261127T024058,1x",
        "2026-11-27T02:40:58",
        " 20261127T024058",
        "20261127T024058 ",
        "+0261127T024058",
        "20260229T000000", /* days that there are not */
        "20260431T000000",
        "20260100T000000",
        "20261301T000000",
        "20260001T000000",
        "20261127T240000",
        "20261127T006000",
        "20261127T000060",
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        int64_t when = 42;

        if (onem2m_timestamp_parse(wrong[i], &when) != -EINVAL || when != 42)
            fail_msg("was taken: %s", wrong[i]);
    }
}

/* Beyond the year 9999 there is no timestamp; the last one will do for "never". */
static void a_time_without_a_timestamp_is_the_last_one(_unused_ void **state) {
    char text[16];

    onem2m_timestamp_print(INT64_C(253402300799), text);
    assert_string_equal(text, "99991231T235959");
    onem2m_timestamp_print(INT64_C(253402300800), text);
    assert_string_equal(text, "99991231T235959");
    onem2m_timestamp_print(INT64_MAX, text);
    assert_string_equal(text, "99991231T235959");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_teardown(f, arena_empty)
        CLAIM(the_first_octets_of_the_exporter_are_the_name_and_the_others_the_key),
        CLAIM(a_ke_id_has_room_for_the_longest_fqdn_and_no_longer),
        CLAIM(an_exporter_of_another_length_gives_no_ke),
        CLAIM(the_worked_examples_of_each_formula),
        CLAIM(a_suid_is_two_digits_between_the_text_and_the_target),
        CLAIM(an_identifier_is_hashed_in_normal_form),
        CLAIM(what_is_no_identifier_gives_no_key),
        CLAIM(only_suids_of_provisioned_keys_are_derived),
        CLAIM(a_ke_of_another_length_gives_no_key),
        CLAIM(a_target_is_of_the_kind_that_its_form_says),
        CLAIM(a_timestamp_is_seconds_since_the_epoch_and_back),
        CLAIM(a_fraction_of_a_second_is_not_counted),
        CLAIM(what_is_no_timestamp_is_refused),
        CLAIM(a_time_without_a_timestamp_is_the_last_one),
#undef CLAIM
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
