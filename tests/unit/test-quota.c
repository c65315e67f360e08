/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The token bucket: exact at every rate, full after a minute, and deaf to a clock that goes back.
 */

#include "conf-helpers.h"

#include "keystrap-limits.h"
#include "quota.h"

#define MINUTE (60 * USEC_PER_SEC)
#define T0     (1000 * USEC_PER_SEC)

static unsigned drain(struct quota *quota, uint64_t now) {
    unsigned taken = 0;

    while (quota_take(quota, now))
        taken++;
    return taken;
}

static void one_minutes_worth_may_be_had_at_once(_unused_ void **state) {
    struct quota quota;

    quota_init(&quota, 600, T0);
    assert_int_equal(drain(&quota, T0), 600);
    assert_false(quota_take(&quota, T0));
}

static void a_token_comes_back_exactly_when_it_is_due(_unused_ void **state) {
    struct quota quota;

    quota_init(&quota, 600, T0);
    (void)drain(&quota, T0);
    assert_int_equal(quota_wait_usec(&quota), 100000);
    assert_false(quota_take(&quota, T0 + 99999));
    assert_int_equal(quota_wait_usec(&quota), 1);
    assert_true(quota_take(&quota, T0 + 100000));
    assert_false(quota_take(&quota, T0 + 100000));
}

/* 7 a minute is one each 8571428.57 us: asked at every odd moment, none is lost to rounding and none gained. */
static void the_rate_is_exact_over_a_day_however_often_it_is_asked(_unused_ void **state) {
    struct quota quota;
    uint64_t taken = 0;

    quota_init(&quota, 7, T0);
    assert_int_equal(drain(&quota, T0), 7);
    for (uint64_t t = 0; t < 1440 * MINUTE; t += 999983)
        taken += drain(&quota, T0 + t);
    taken += drain(&quota, T0 + 1440 * MINUTE);
    assert_int_equal(taken, 7 * 1440);
}

static void a_long_pause_fills_it_once(_unused_ void **state) {
    struct quota quota;

    quota_init(&quota, ACCESS_KEYS_PER_MINUTE_MAX, T0);
    assert_int_equal(drain(&quota, T0), ACCESS_KEYS_PER_MINUTE_MAX);
    assert_int_equal(drain(&quota, UINT64_MAX - 1), ACCESS_KEYS_PER_MINUTE_MAX);
    assert_false(quota_take(&quota, UINT64_MAX - 1));
}

static void a_clock_that_goes_back_gives_nothing_and_breaks_nothing(_unused_ void **state) {
    struct quota quota;

    quota_init(&quota, 60, T0);
    assert_int_equal(drain(&quota, T0), 60);
    assert_false(quota_take(&quota, 0));
    assert_false(quota_take(&quota, T0));
    assert_true(quota_take(&quota, T0 + USEC_PER_SEC));
}

static void infinity_is_never_used_up(_unused_ void **state) {
    struct quota quota;

    quota_init(&quota, QUOTA_UNLIMITED, T0);
    for (unsigned i = 0; i < 2 * ACCESS_KEYS_PER_MINUTE_MAX; i++)
        assert_true(quota_take(&quota, T0));
    assert_int_equal(quota_wait_usec(&quota), 0);
}

static void the_wait_is_as_long_as_it_says_at_every_rate(_unused_ void **state) {
    static const uint64_t rates[] = {1, 2, 3, 7, 59, 61, 600, 999983, ACCESS_KEYS_PER_MINUTE_MAX};

    for (size_t i = 0; i < ELEMENTS(rates); i++) {
        struct quota quota;
        uint64_t wait;

        quota_init(&quota, rates[i], T0);
        (void)drain(&quota, T0);
        wait = quota_wait_usec(&quota);
        assert_in_range(wait, 1, MINUTE);
        assert_false(quota_take(&quota, T0 + wait - 1));
        assert_true(quota_take(&quota, T0 + wait));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_minutes_worth_may_be_had_at_once),
        cmocka_unit_test(a_token_comes_back_exactly_when_it_is_due),
        cmocka_unit_test(the_rate_is_exact_over_a_day_however_often_it_is_asked),
        cmocka_unit_test(a_long_pause_fills_it_once),
        cmocka_unit_test(a_clock_that_goes_back_gives_nothing_and_breaks_nothing),
        cmocka_unit_test(infinity_is_never_used_up),
        cmocka_unit_test(the_wait_is_as_long_as_it_says_at_every_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
