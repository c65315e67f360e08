/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Back-off and renewal: the waits are where they are promised to be, for any random number; the windows grow and end.
 */

#include "conf-helpers.h"

#include "backoff.h"
#include "keystrap-limits.h"
#include "util.h"

#define DRAWS 10000u

/* Steps through all 64 bits without a pattern that the arithmetic could hide behind (a Weyl sequence). */
static uint64_t next_random(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return *state;
}

static void the_first_wait_is_anything_from_nothing_to_the_base(_unused_ void **state) {
    struct backoff backoff = {0};

    assert_int_equal(backoff_fail(&backoff, 0, 0), 0);
    backoff_clear(&backoff);
    assert_int_equal(backoff_fail(&backoff, 0, UINT64_MAX), BACKOFF_BASE_USEC - 1);
}

static void the_window_doubles_with_each_failure_up_to_its_maximum(_unused_ void **state) {
    struct backoff backoff = {0};
    uint64_t window = BACKOFF_BASE_USEC;

    for (unsigned failure = 0; failure < 1000; failure++) {
        assert_int_equal(backoff_fail(&backoff, 0, UINT64_MAX), window - 1);
        window = window * 2 < BACKOFF_MAX_USEC ? window * 2 : BACKOFF_MAX_USEC;
    }
    backoff_clear(&backoff);
    assert_int_equal(backoff_fail(&backoff, 0, UINT64_MAX), BACKOFF_BASE_USEC - 1);
}

static void waits_are_spread_evenly_over_the_window(_unused_ void **state) {
    unsigned tenths[10] = {0};
    uint64_t random = 0;

    for (unsigned i = 0; i < DRAWS; i++) {
        struct backoff backoff = {.failures = 3};

        tenths[backoff_fail(&backoff, 0, next_random(&random)) / (8 * BACKOFF_BASE_USEC / 10)]++;
    }
    for (size_t i = 0; i < ELEMENTS(tenths); i++)
        assert_in_range(tenths[i], DRAWS / 10 * 9 / 10, DRAWS / 10 * 11 / 10);
}

static void nobody_comes_before_retry_after_nor_all_just_after_it(_unused_ void **state) {
    const uint64_t minute = 60 * USEC_PER_SEC;
    uint64_t random = 0, least = USEC_INFINITY, most = 0;

    for (unsigned i = 0; i < DRAWS; i++) {
        struct backoff backoff = {0};
        uint64_t wait = backoff_fail(&backoff, minute, next_random(&random));

        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_in_range(least, minute, minute + USEC_PER_SEC);
    assert_in_range(most, 2 * minute - USEC_PER_SEC, 2 * minute - 1);
}

static void a_retry_after_of_centuries_is_held_to_its_maximum(_unused_ void **state) {
    struct backoff backoff = {0};

    assert_int_equal(backoff_fail(&backoff, UINT64_MAX, 0), RETRY_AFTER_MAX_SEC * USEC_PER_SEC);
}

static void a_ks_is_renewed_in_the_last_quarter_and_before_the_margin(_unused_ void **state) {
    const uint64_t lives[] = {2 * RENEWAL_MARGIN_USEC, 90 * USEC_PER_SEC, 600 * USEC_PER_SEC,
                              86400 * USEC_PER_SEC, KEY_LIFETIME_MAX_SEC * USEC_PER_SEC};
    uint64_t random = 0;

    for (size_t i = 0; i < ELEMENTS(lives); i++)
        for (unsigned j = 0; j < DRAWS; j++) {
            uint64_t delay = renewal_delay(lives[i], next_random(&random));

            assert_true(delay <= lives[i] - RENEWAL_MARGIN_USEC);
            assert_true(delay <= lives[i] / 100 * RENEWAL_LATEST_PERCENT);
            if (lives[i] >= 600 * USEC_PER_SEC)
                assert_true(delay >= lives[i] / 100 * RENEWAL_EARLIEST_PERCENT);
        }
}

static void a_life_too_short_to_be_renewed_is_not(_unused_ void **state) {
    assert_true(renewal_delay(0, UINT64_MAX) == USEC_INFINITY);
    assert_true(renewal_delay(2 * RENEWAL_MARGIN_USEC - 1, 0) == USEC_INFINITY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_wait_is_anything_from_nothing_to_the_base),
        cmocka_unit_test(the_window_doubles_with_each_failure_up_to_its_maximum),
        cmocka_unit_test(waits_are_spread_evenly_over_the_window),
        cmocka_unit_test(nobody_comes_before_retry_after_nor_all_just_after_it),
        cmocka_unit_test(a_retry_after_of_centuries_is_held_to_its_maximum),
        cmocka_unit_test(a_ks_is_renewed_in_the_last_quarter_and_before_the_margin),
        cmocka_unit_test(a_life_too_short_to_be_renewed_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
