/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Outcomes and what is said of them: no outcome without a name and a remedy, the first cause wins, and no text that
 * a log or D-Bus would choke on.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "outcome.h"
#include "util.h"

/* First and last of each enum; what lies between has no gap. */
static const struct {
    int first, last;
    const char *prefix;
} ranges[] = {
    {UICC_E_SERVICE_ABSENT, UICC_E_NAF_ID, "uicc-"},
    {UB_E_REFUSED, UB_E_CANCELLED, "ub-"},
    {KEYS_E_NONE, KEYS_E_TYPE, "keys-"},
    {ACCESS_E_DENIED, ACCESS_E_TOO_MANY, "access-"},
    {HTTP_E_RESOLVE, HTTP_E_MASTER_SECRET, "http-"},
    {SE_E_COMMAND, SE_E_CLOSED, "se-"},
    {PEER_E_EXPIRED, PEER_E_MALFORMED, "peer-"},
    {MEF_E_REFUSED, MEF_E_CHANGED, "mef-"},
    {EST_E_REFUSED, EST_E_CERTIFICATE, "est-"},
    {RECORD_E_NONE, RECORD_E_VERSION, "record-"},
    {INSTRUCTION_E_MALFORMED, INSTRUCTION_E_INVALID, "instruction-"},
    {ENROL_E_UNCONFIGURED, ENROL_E_SECURE_ENVIRONMENT, "enrol-"},
};

static void test_every_outcome_has_a_name_and_a_remedy(void **state) {
    (void)state;
    for (size_t i = 0; i < ELEMENTS(ranges); i++)
        for (int code = ranges[i].first; code <= ranges[i].last; code++) {
            const char *name = outcome_name(code), *remedy = outcome_remedy(code);

            if (strncmp(name, ranges[i].prefix, strlen(ranges[i].prefix)) != 0)
                fail_msg("outcome %#x is called %s", (unsigned)code, name);
            if (remedy[0] == '\0' || remedy[strlen(remedy) - 1] != '.')
                fail_msg("outcome %s has no sentence as remedy", name);
        }
}

/* An outcome that is added behind the last would be named by the compiler's will, and not be in the list above. */
static void test_the_list_of_outcomes_is_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < ELEMENTS(ranges); i++)
        assert_int_equal(strncmp(outcome_name(ranges[i].last + 1), "outcome-", 8), 0);
}

static void test_no_two_outcomes_share_a_name(void **state) {
    (void)state;
    for (int a = OUTCOME_UICC_BASE; a < OUTCOME_ENROL_BASE + 0x100; a++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%s", outcome_name(a));
        for (int b = a + 1; b < OUTCOME_ENROL_BASE + 0x100; b++)
            if (strncmp(name, "outcome-", 8) != 0)
                assert_string_not_equal(name, outcome_name(b));
    }
}

static void test_errors_and_unknown_codes_have_words_too(void **state) {
    (void)state;
    assert_string_equal(outcome_name(0), "done");
    assert_string_equal(outcome_name(-ENOMEM), "errno-12");
    assert_string_equal(outcome_name(5), "outcome-5");
    assert_string_equal(outcome_name(0x7fffffff), "outcome-2147483647");
    assert_string_equal(outcome_name(-0x7fffffff - 1), "errno-2147483648");
    assert_string_equal(outcome_remedy(0), "");
    assert_string_equal(outcome_remedy(-ENOTTY), "");
    assert_string_not_equal(outcome_remedy(-ENOMEM), "");
}

static void test_the_first_cause_wins(void **state) {
    struct failure failure = {0};

    (void)state;
    errno = ENOTTY;
    assert_int_equal(failure_set(&failure, UICC_E_MAC, "the card said %d", 9862), UICC_E_MAC);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(failure_set(&failure, UB_E_REFUSED, "later"), UB_E_REFUSED);
    assert_int_equal(failure.code, UICC_E_MAC);
    assert_string_equal(failure.text, "the card said 9862");
    failure_clear(&failure);
    assert_int_equal(failure.code, 0);
    assert_string_equal(failure.text, "");
    assert_int_equal(failure_set(&failure, -EIO, "again"), -EIO);
    assert_string_equal(failure.text, "again");
    assert_int_equal(failure_set(NULL, UB_E_BUSY, "nobody listens"), UB_E_BUSY);
}

static void test_a_text_is_one_line_of_utf8(void **state) {
    struct failure failure = {0};

    (void)state;
    failure_set(&failure, UB_E_REFUSED, "a\nb\tc\x1b[1m \xff \xc3\xa4 \xc3");
    assert_string_equal(failure.text, "a?b?c?[1m ? \xc3\xa4 ?");
}

static void test_a_long_text_is_cut_between_characters(void **state) {
    struct failure failure = {0};
    char text[2 * FAILURE_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    failure_set(&failure, UB_E_REFUSED, "%s", text);
    assert_int_equal(strlen(failure.text), FAILURE_TEXT_MAX - 1);
    for (size_t i = 0, octets; failure.text[i]; i += octets) {
        octets = utf8_printable(failure.text + i, strlen(failure.text + i));
        assert_int_not_equal(octets, 0);
    }
}

static void test_a_description_tells_what_to_do_once(void **state) {
    char text[FAILURE_DESCRIPTION_MAX];
    struct failure failure = {0};

    (void)state;
    (void)failure_set(&failure, UICC_E_CARD_ABSENT, "no card in the reader \"A\"");
    failure_describe(&failure, text);
    assert_string_equal(text, "no card in the reader \"A\". Insert the SIM.");

    failure_clear(&failure);
    (void)failure_set(&failure, UICC_E_CARD_ABSENT, "no card in \"A\"; insert the SIM");
    failure_describe(&failure, text);
    assert_string_equal(text, "no card in \"A\"; insert the SIM.");
}

static void test_a_description_of_a_bare_code_has_its_name(void **state) {
    char text[FAILURE_DESCRIPTION_MAX];
    struct failure failure = {.code = UB_E_BUSY};

    (void)state;
    failure_describe(&failure, text);
    assert_non_null(strstr(text, outcome_name(UB_E_BUSY)));
    assert_non_null(strstr(text, outcome_remedy(UB_E_BUSY)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_description_tells_what_to_do_once),
        cmocka_unit_test(test_a_description_of_a_bare_code_has_its_name),
        cmocka_unit_test(test_every_outcome_has_a_name_and_a_remedy),
        cmocka_unit_test(test_the_list_of_outcomes_is_whole),
        cmocka_unit_test(test_no_two_outcomes_share_a_name),
        cmocka_unit_test(test_errors_and_unknown_codes_have_words_too),
        cmocka_unit_test(test_the_first_cause_wins),
        cmocka_unit_test(test_a_text_is_one_line_of_utf8),
        cmocka_unit_test(test_a_long_text_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
