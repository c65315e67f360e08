/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The fallback chain: an outcome's verdict decides who is next, and a refusal is not gone around.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "enrol-chain.h"

static struct enrol_profile profile_with(int after_refusal) {
    struct enrol_profile profile = {
        .name = "water",
        .methods = {ENROL_GBA, ENROL_CERTIFICATE, ENROL_PSK},
        .methods_count = 3,
        .after_refusal = after_refusal,
    };

    return profile;
}

static void an_outcome_has_the_verdict_that_its_cause_deserves(void **state) {
    static const struct {
        int code;
        enum agent_enrol_verdict verdict;
    } table[] = {
        {0, AGENT_ENROL_WORKED},
        /* the world is not as it might be in a minute */
        {UICC_E_CARD_ABSENT, AGENT_ENROL_NOT_NOW},
        {UICC_E_SERVICE_ABSENT, AGENT_ENROL_NOT_NOW},
        {HTTP_E_CONNECT, AGENT_ENROL_NOT_NOW},
        {HTTP_E_RESOLVE, AGENT_ENROL_NOT_NOW},
        {UB_E_BUSY, AGENT_ENROL_NOT_NOW},
        {UB_E_UNKNOWN, AGENT_ENROL_NOT_NOW},
        {MEF_E_BUSY, AGENT_ENROL_NOT_NOW},
        {PEER_E_EXPIRED, AGENT_ENROL_NOT_NOW},
        {PEER_E_ROOT, AGENT_ENROL_NOT_NOW},
        {-ENOMEM, AGENT_ENROL_NOT_NOW},
        /* nothing but a person changes it */
        {UICC_E_NO_APPLICATION, AGENT_ENROL_NEVER},
        {UICC_E_PIN_BLOCKED, AGENT_ENROL_NEVER},
        {HTTP_E_OWN_EXPIRED, AGENT_ENROL_NEVER},
        {HTTP_E_CREDENTIAL, AGENT_ENROL_NEVER},
        {ENROL_E_CREDENTIAL, AGENT_ENROL_NEVER},
        {ENROL_E_SEALING, AGENT_ENROL_NEVER},
        /* somebody who knows us says no */
        {UB_E_REFUSED, AGENT_ENROL_REFUSED},
        {HTTP_E_PSK, AGENT_ENROL_REFUSED},
        {HTTP_E_OWN_CERTIFICATE, AGENT_ENROL_REFUSED},
        {MEF_E_REFUSED, AGENT_ENROL_REFUSED},
        {MEF_E_TOKEN, AGENT_ENROL_REFUSED},
        {EST_E_REFUSED, AGENT_ENROL_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (enrol_verdict(table[i].code) != table[i].verdict)
            fail_msg("%s is \"%s\"", outcome_name(table[i].code),
                     agent_enrol_verdict_name(enrol_verdict(table[i].code)));
}

static void what_cannot_be_lets_the_next_method_try(void **state) {
    const struct enrol_profile profile = profile_with(ENROL_REFUSED_STOP);
    struct enrol_attempt attempts[3] = {{.verdict = AGENT_ENROL_NOT_NOW},
                                        {.verdict = AGENT_ENROL_NEVER}};

    (void)state;
    assert_int_equal(enrol_chain_next(&profile, attempts, 0), 1);
    assert_int_equal(enrol_chain_next(&profile, attempts, 1), 2);
}

static void a_refusal_ends_the_chain_unless_the_profile_says_otherwise(void **state) {
    const struct enrol_profile stop = profile_with(ENROL_REFUSED_STOP);
    const struct enrol_profile next = profile_with(ENROL_REFUSED_NEXT);
    const struct enrol_attempt attempts[3] = {{.verdict = AGENT_ENROL_REFUSED}};

    (void)state;
    assert_int_equal(enrol_chain_next(&stop, attempts, 0), -1);
    assert_int_equal(enrol_chain_next(&next, attempts, 0), 1);
}

static void the_chain_ends_with_what_worked_and_with_the_last(void **state) {
    const struct enrol_profile profile = profile_with(ENROL_REFUSED_STOP);
    struct enrol_attempt attempts[3] = {{.verdict = AGENT_ENROL_WORKED},
                                        {.verdict = AGENT_ENROL_UNTRIED},
                                        {.verdict = AGENT_ENROL_NOT_NOW}};

    (void)state;
    assert_int_equal(enrol_chain_next(&profile, attempts, 0), -1);
    assert_int_equal(enrol_chain_next(&profile, attempts, 2), -1);
}

static void only_what_may_work_by_now_is_tried_again(void **state) {
    const struct enrol_attempt attempts[3] = {{.verdict = AGENT_ENROL_NEVER},
                                              {.verdict = AGENT_ENROL_NOT_NOW},
                                              {.verdict = AGENT_ENROL_WORKED}};
    const struct enrol_attempt refused[3] = {{.verdict = AGENT_ENROL_REFUSED},
                                             {.verdict = AGENT_ENROL_NEVER},
                                             {.verdict = AGENT_ENROL_WORKED}};
    const struct enrol_attempt restarted[3] = {{.verdict = AGENT_ENROL_UNTRIED},
                                               {.verdict = AGENT_ENROL_UNTRIED},
                                               {.verdict = AGENT_ENROL_WORKED}};

    (void)state;
    assert_int_equal(enrol_chain_better(attempts, 0, 2), 1);
    assert_int_equal(enrol_chain_better(attempts, 2, 2), -1);
    assert_int_equal(enrol_chain_better(refused, 0, 2), -1);
    assert_int_equal(enrol_chain_better(restarted, 0, 2), 0);
    assert_int_equal(enrol_chain_better(restarted, 0, 0), -1);
}

static void the_failure_of_a_chain_has_the_reason_of_each_method(void **state) {
    const struct enrol_profile profile = profile_with(ENROL_REFUSED_STOP);
    struct enrol_attempt attempts[3] = {0};
    struct failure failure;
    char longer[FAILURE_TEXT_MAX];

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    (void)failure_set(&attempts[0].failure, UICC_E_CARD_ABSENT, "%s", longer);
    (void)failure_set(&attempts[1].failure, HTTP_E_OWN_EXPIRED, "our own certificate has expired");
    (void)failure_set(&attempts[2].failure, HTTP_E_PSK, "it does not know us; ask somebody");
    enrol_chain_explain(&profile, attempts, &failure);
    assert_int_equal(failure.code, ENROL_E_METHODS);
    assert_non_null(strstr(failure.text, "gba: xxx"));
    assert_non_null(strstr(failure.text, "certificate: our own certificate has expired"));
    assert_non_null(strstr(failure.text, "psk: it does not know us"));
    /* The remedy of one is not that of all. */
    assert_null(strchr(failure.text, ';'));
}

static void the_failure_of_a_single_method_is_its_own(void **state) {
    struct enrol_profile profile = profile_with(ENROL_REFUSED_STOP);
    struct enrol_attempt attempts[3] = {0};
    struct failure failure;

    (void)state;
    profile.methods_count = 1;
    (void)failure_set(&attempts[0].failure, MEF_E_REFUSED, "no");
    enrol_chain_explain(&profile, attempts, &failure);
    assert_int_equal(failure.code, MEF_E_REFUSED);
    assert_string_equal(failure.text, "no");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_has_the_verdict_that_its_cause_deserves),
        cmocka_unit_test(what_cannot_be_lets_the_next_method_try),
        cmocka_unit_test(a_refusal_ends_the_chain_unless_the_profile_says_otherwise),
        cmocka_unit_test(the_chain_ends_with_what_worked_and_with_the_last),
        cmocka_unit_test(only_what_may_work_by_now_is_tried_again),
        cmocka_unit_test(the_failure_of_a_chain_has_the_reason_of_each_method),
        cmocka_unit_test(the_failure_of_a_single_method_is_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
