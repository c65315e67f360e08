/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Freshness of sequence numbers: what TS 33.102 Annex C promises, one claim a test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sqn.h"

static uint64_t make(uint64_t seq, unsigned ind) {
    return seq << 5 | ind;
}

static void a_number_is_accepted_once_and_then_stale(void **state) {
    struct sqn sqn;

    (void)state;
    sqn_init(&sqn, 5, 0);
    assert_true(sqn_accept(&sqn, make(1, 0)));
    assert_false(sqn_accept(&sqn, make(1, 0)));
    assert_true(sqn_accept(&sqn, make(2, 0)));
    assert_false(sqn_accept(&sqn, make(1, 0)));
}

static void each_of_the_32_indices_has_a_memory_of_its_own(void **state) {
    struct sqn sqn;

    (void)state;
    sqn_init(&sqn, 5, 0);
    assert_true(sqn_accept(&sqn, make(1000, 31)));
    for (unsigned ind = 0; ind < 31; ind++) {
        assert_true(sqn_accept(&sqn, make(10, ind)));
        assert_false(sqn_accept(&sqn, make(10, ind)));
    }
    assert_false(sqn_accept(&sqn, make(1000, 31)));
}

static void the_highest_is_over_all_indices_and_carries_its_index(void **state) {
    struct sqn sqn;

    (void)state;
    sqn_init(&sqn, 5, 0);
    assert_true(sqn_accept(&sqn, make(7, 3)));
    assert_true(sqn_accept(&sqn, make(9, 30)));
    assert_true(sqn_accept(&sqn, make(8, 4)));
    assert_true(sqn_highest(&sqn) == make(9, 30));
}

static void what_was_refused_changes_nothing(void **state) {
    struct sqn sqn;

    (void)state;
    sqn_init(&sqn, 5, make(50, 0));
    assert_false(sqn_accept(&sqn, make(50, 9)));
    assert_false(sqn_accept(&sqn, make(50 + SQN_DELTA + 1, 9)));
    assert_true(sqn_highest(&sqn) == make(50, 0));
    assert_true(sqn_accept(&sqn, make(51, 9)));
}

static void a_jump_of_delta_is_accepted_and_one_more_is_not(void **state) {
    struct sqn sqn;

    (void)state;
    sqn_init(&sqn, 5, make(5, 0));
    assert_false(sqn_accept(&sqn, make(5 + SQN_DELTA + 1, 1)));
    assert_true(sqn_accept(&sqn, make(5 + SQN_DELTA, 1)));
    /* The limit goes from the highest SEQ of all, not from that of the index. */
    assert_true(sqn_accept(&sqn, make(5 + 2 * SQN_DELTA, 0)));
}

static void the_start_value_is_stale_at_every_index_and_the_next_step_fresh(void **state) {
    struct sqn sqn;

    (void)state;
    for (unsigned ind = 0; ind < 32; ind++) {
        sqn_init(&sqn, 5, UINT64_C(0xff9bb4d0b5e0));
        assert_false(sqn_accept(&sqn, UINT64_C(0xff9bb4d0b5e0) + ind));
        assert_true(sqn_accept(&sqn, UINT64_C(0xff9bb4d0b600) + ind));
    }
}

static void the_largest_number_is_accepted_and_nothing_after_it(void **state) {
    struct sqn sqn;

    (void)state;
    sqn_init(&sqn, 5, SQN_MAX - 32);
    assert_true(sqn_accept(&sqn, SQN_MAX));
    assert_false(sqn_accept(&sqn, 31));
    assert_true(sqn_highest(&sqn) == SQN_MAX);
}

static void an_index_of_no_bits_is_a_plain_counter(void **state) {
    struct sqn sqn;

    (void)state;
    sqn_init(&sqn, 0, 41);
    assert_true(sqn_accept(&sqn, 42));
    assert_false(sqn_accept(&sqn, 42));
    assert_true(sqn_highest(&sqn) == 42);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_accepted_once_and_then_stale),
        cmocka_unit_test(each_of_the_32_indices_has_a_memory_of_its_own),
        cmocka_unit_test(the_highest_is_over_all_indices_and_carries_its_index),
        cmocka_unit_test(what_was_refused_changes_nothing),
        cmocka_unit_test(a_jump_of_delta_is_accepted_and_one_more_is_not),
        cmocka_unit_test(the_start_value_is_stale_at_every_index_and_the_next_step_fresh),
        cmocka_unit_test(the_largest_number_is_accepted_and_nothing_after_it),
        cmocka_unit_test(an_index_of_no_bits_is_a_plain_counter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
