/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Status words become outcomes as apdu.h says, and the text names command, word and meaning.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "apdu.h"
#include "outcome.h"
#include "util.h"

static void test_success_leaves_the_failure_alone(void **state) {
    struct failure failure = {0};

    (void)state;
    assert_int_equal(apdu_status(0x9000, "X", &failure), 0);
    for (unsigned sw2 = 0; sw2 <= 0xff; sw2++) /* a proactive command waits */
        assert_int_equal(apdu_status((uint16_t)(0x9100 | sw2), "X", &failure), 0);
    assert_int_equal(failure.code, 0);
    assert_string_equal(failure.text, "");
}

static void test_each_word_has_its_outcome(void **state) {
    static const struct {
        uint16_t sw;
        int outcome;
    } words[] = {
        {0x6a82, UICC_E_NOT_FOUND},   {0x6a83, UICC_E_NOT_FOUND}, {0x6982, UICC_E_PIN_REQUIRED},
        {0x6983, UICC_E_PIN_BLOCKED}, {0x9862, UICC_E_MAC},       {0x9864, UICC_E_CONTEXT},
        {0x6a81, UICC_E_STATUS},      {0x6283, UICC_E_STATUS},    {0x63c2, UICC_E_STATUS},
        {0x6985, UICC_E_CONDITIONS},  {0x9865, UICC_E_FRESHNESS}, {0x9866, UICC_E_MEMORY},
        {0x9867, UICC_E_MEMORY},      {0x6a84, UICC_E_MEMORY},    {0x9863, UICC_E_STATUS},
        {0x9300, UICC_E_STATUS},      {0x6f00, UICC_E_STATUS},    {0x9001, UICC_E_STATUS},
        {0x0000, UICC_E_STATUS},      {0xffff, UICC_E_STATUS},    {0x6100, UICC_E_STATUS},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        struct failure failure = {0};

        assert_int_equal(apdu_status(words[i].sw, "X", &failure), words[i].outcome);
        assert_int_equal(failure.code, words[i].outcome);
        assert_int_equal(apdu_status(words[i].sw, "X", NULL), words[i].outcome);
    }
}

static void test_text_names_command_word_and_meaning(void **state) {
    struct failure failure = {0};

    (void)state;
    assert_int_equal(apdu_status(0x6985, "SELECT EF_DIR", &failure), UICC_E_CONDITIONS);
    assert_non_null(strstr(failure.text, "SELECT EF_DIR"));
    assert_non_null(strstr(failure.text, "6985"));
    assert_non_null(strstr(failure.text, "conditions of use not satisfied"));
    failure_clear(&failure);
    assert_int_equal(apdu_status(0x63c7, "VERIFY", &failure), UICC_E_STATUS);
    assert_non_null(strstr(failure.text, "verification failed"));
    failure_clear(&failure);
    assert_int_equal(apdu_status(0x1234, "X", &failure), UICC_E_STATUS);
    assert_non_null(strstr(failure.text, "not in the specification"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success_leaves_the_failure_alone),
        cmocka_unit_test(test_each_word_has_its_outcome),
        cmocka_unit_test(test_text_names_command_word_and_meaning),
    };

    return cmocka_run_group_tests_name("status-words", tests, NULL, NULL);
}
