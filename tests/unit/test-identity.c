/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * IMPI and BSF follow from the IMSI as TS 23.003 says, and a NAF has one name, however it was written.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gba.h"
#include "unit/gba-vectors.h"

static void test_operator_codes_have_three_digits_in_names(void **state _unused_) {
    char impi[IMPI_MAX + 1], bsf[FQDN_MAX + 1];

    assert_int_equal(gba_impi_from_imsi(VECTOR_IMSI, 2, impi, NULL), 0);
    assert_string_equal(impi, VECTOR_IMPI);
    assert_int_equal(gba_bsf_from_imsi(VECTOR_IMSI, 2, bsf, NULL), 0);
    assert_string_equal(bsf, VECTOR_BSF);

    assert_int_equal(gba_impi_from_imsi("310410123456789", 3, impi, NULL), 0);
    assert_string_equal(impi, "310410123456789@ims.mnc410.mcc310.3gppnetwork.org");
    assert_int_equal(gba_bsf_from_imsi("310410123456789", 3, bsf, NULL), 0);
    assert_string_equal(bsf, "bsf.mnc410.mcc310.pub.3gppnetwork.org");
}

static void test_shortest_imsi_has_one_digit_after_the_operator(void **state _unused_) {
    char impi[IMPI_MAX + 1];

    assert_int_equal(gba_impi_from_imsi("001019", 2, impi, NULL), 0);
    assert_string_equal(impi, "001019@ims.mnc001.mcc001.3gppnetwork.org");
    assert_int_equal(gba_impi_from_imsi("001019", 3, impi, NULL), UICC_E_IDENTITY);
    assert_int_equal(gba_impi_from_imsi("0010198", 3, impi, NULL), 0);
}

static void test_what_is_no_imsi_is_refused_and_not_shown(void **state _unused_) {
    static const char *const wrong[] = {
        "", "00101", "0010101234567890", "00101012345678x", "00101 123456789", "+0101012345678"};
    char name[FQDN_MAX + 1] = "untouched";

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct failure failure = {0};

        assert_int_equal(gba_impi_from_imsi(wrong[i], 2, name, &failure), UICC_E_IDENTITY);
        assert_int_equal(gba_bsf_from_imsi(wrong[i], 2, name, NULL), UICC_E_IDENTITY);
        assert_int_equal(failure.code, UICC_E_IDENTITY);
        assert_true(!*wrong[i] || !strstr(failure.text, wrong[i]));
    }
    assert_string_equal(name, "untouched");
}

static void test_unknown_length_of_the_operator_code_is_refused(void **state _unused_) {
    static const unsigned wrong[] = {0, 1, 4, 15};
    char name[FQDN_MAX + 1];

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct failure failure = {0};

        assert_int_equal(gba_bsf_from_imsi(VECTOR_IMSI, wrong[i], name, &failure), UICC_E_IDENTITY);
        assert_non_null(strstr(failure.text, "configure"));
    }
}

static void assert_name(const char *given, const char *expected) {
    char name[NAF_FQDN_MAX + 1];
    struct failure failure = {0};

    if (gba_fqdn_normalise(given, name, &failure) != 0)
        fail_msg("'%s': %s", given, failure.text);
    assert_string_equal(name, expected);
}

static void assert_no_name(const char *given) {
    char name[NAF_FQDN_MAX + 1] = "untouched";
    struct failure failure = {0};

    if (gba_fqdn_normalise(given, name, &failure) != KEYS_E_NAME)
        fail_msg("'%s' became '%s'", given, name);
    assert_string_equal(name, "untouched");
    assert_int_equal(failure.code, KEYS_E_NAME);
}

static void test_names_become_lower_case_without_the_last_dot(void **state _unused_) {
    assert_name("naf.example.com", "naf.example.com");
    assert_name("NAF.Example.COM.", "naf.example.com");
    assert_name("n", "n");
    assert_name("xcap_1.ims.mnc001.mcc001.pub.3gppnetwork.org",
                "xcap_1.ims.mnc001.mcc001.pub.3gppnetwork.org");
}

/* The same name in two encodings must not make two keys (TS 33.220 B.2.1.2). */
static void test_names_are_normalised_by_nfkc(void **state _unused_) {
    assert_name("ｎａｆ．ｅｘａｍｐｌｅ．ｃｏｍ", "naf.example.com");
    assert_name("ＮＡＦ.example.com．", "naf.example.com");
    assert_name("m\xc3\xbcnchen.example", "m\xc3\xbcnchen.example");
    assert_name("mu\xcc\x88nchen.example", "m\xc3\xbcnchen.example");
    assert_name("\xef\xac\x81le.example", "file.example"); /* U+FB01, the ligature fi */
}

static void test_what_is_no_name_is_refused(void **state _unused_) {
    static const char *const wrong[] = {
        "",
        ".",
        "..",
        ".example.com",
        "naf..example.com",
        "naf.example.com..",
        "naf example.com",
        "naf.example.com\n",
        "naf\t.example.com",
        "naf\x7f.example.com",
        "naf@example.com",
        "naf/example.com",
        "https://naf.example.com",
        "naf\xef\xbc\xa0"
        "example.com", /* U+FF20 is "@" after NFKC */
        "naf\xe2\x80\xa5"
        "example.com", /* U+2025 is ".." after NFKC */
        "naf\xc2\xa0"
        "example.com", /* no-break space */
        "naf\xe2\x80\xae"
        "example.com", /* right-to-left override */
        "naf\xe2\x80\x8b"
        "example.com", /* zero width space */
        "naf\xc2\x85"
        "example.com", /* a control character beyond ASCII */
        "naf\xe2\x80\xa8"
        "example.com", /* line separator */
        "naf\xff"
        "example.com",
        "naf\xc3", /* cut off */
        "naf\xc0\xaf"
        "example.com", /* overlong */
        "naf\xed\xa0\x80"
        "example.com", /* surrogate */
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        assert_no_name(wrong[i]);
}

/* 255 octets in labels of 63, then one more in every way that there is. */
static void test_lengths_of_names_and_labels_are_held(void **state _unused_) {
    char name[NAF_FQDN_MAX + 3], expected[NAF_FQDN_MAX + 1];

    memset(name, 0, sizeof(name));
    for (size_t i = 0; i < NAF_FQDN_MAX; i++)
        name[i] = i % 64 == 63 ? '.' : 'a';
    memcpy(expected, name, NAF_FQDN_MAX + 1);
    assert_name(name, expected);
    name[NAF_FQDN_MAX] = '.';
    assert_name(name, expected);
    name[NAF_FQDN_MAX] = 'a';
    assert_no_name(name);
    name[NAF_FQDN_MAX] = '.';
    name[NAF_FQDN_MAX + 1] = '.';
    assert_no_name(name);

    memset(name, 0, sizeof(name));
    memset(name, 'a', 63);
    assert_name(name, name);
    name[63] = 'a';
    assert_no_name(name);
}

/* U+3316 has 3 octets and becomes 18 (six katakana); the limit holds after that. */
static void test_a_name_that_grows_beyond_the_limit_is_refused(void **state _unused_) {
    char name[FQDN_MAX + 1] = "", normalised[NAF_FQDN_MAX + 1];

    for (unsigned i = 0; i < 13; i++)
        strcat(name, i > 0 ? ".\xe3\x8c\x96" : "\xe3\x8c\x96");
    assert_int_equal(gba_fqdn_normalise(name, normalised, NULL), 0);
    assert_int_equal(strlen(normalised), 13 * 18 + 12);
    strcat(name, ".\xe3\x8c\x96");
    assert_no_name(name);
}

/* The worked name of TS 23.003 16.2, and domains that only look like it. */
static void test_bsf_of_an_impi(void **state _unused_) {
    static const struct {
        const char *impi, *bsf; /* NULL: there is none */
    } cases[] = {
        {"x@ims.mnc000.mcc738.3gppnetwork.org", "bsf.ims.mnc000.mcc738.pub.3gppnetwork.org"},
        {"x@y@ims.example", "bsf.ims.example"},
        {"x@3gppnetwork.org", "bsf.pub.3gppnetwork.org"},
        {"x@IMS.3GPPnetwork.org", "bsf.IMS.pub.3gppnetwork.org"},
        {"x@not3gppnetwork.org", "bsf.not3gppnetwork.org"},
        {"x@", NULL},
        {"x", NULL},
        {"", NULL},
    };
    char impi[IMPI_MAX + 1], bsf[FQDN_MAX + 1];

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct failure failure = {0};

        assert_int_equal(gba_bsf_from_impi(cases[i].impi, bsf, &failure),
                         cases[i].bsf ? 0 : UICC_E_IDENTITY);
        if (cases[i].bsf)
            assert_string_equal(bsf, cases[i].bsf);
        assert_null(strstr(failure.text, "x@"));
    }
    memset(impi, 'd', IMPI_MAX);
    impi[IMPI_MAX] = '\0';
    impi[0] = '@';
    assert_int_equal(gba_bsf_from_impi(impi, bsf, NULL), UICC_E_IDENTITY);
    impi[FQDN_MAX - 3] = '\0'; /* "bsf." takes four of them, "@" none */
    assert_int_equal(gba_bsf_from_impi(impi, bsf, NULL), 0);
    assert_int_equal(strlen(bsf), FQDN_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bsf_of_an_impi),
        cmocka_unit_test(test_operator_codes_have_three_digits_in_names),
        cmocka_unit_test(test_shortest_imsi_has_one_digit_after_the_operator),
        cmocka_unit_test(test_what_is_no_imsi_is_refused_and_not_shown),
        cmocka_unit_test(test_unknown_length_of_the_operator_code_is_refused),
        cmocka_unit_test(test_names_become_lower_case_without_the_last_dot),
        cmocka_unit_test(test_names_are_normalised_by_nfkc),
        cmocka_unit_test(test_what_is_no_name_is_refused),
        cmocka_unit_test(test_lengths_of_names_and_labels_are_held),
        cmocka_unit_test(test_a_name_that_grows_beyond_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
