/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A key ends when the BSF says, by the BSF's clock; never later, and by both of our clocks at the same moment.
 */

#include "unit/ub-assert.h"

#define CURRENTTIME(t) "<Extension><currenttime>" t "</currenttime></Extension>"

/* The key counts from before the second GET was sent: after the first GET and the card. */
#define SENT_USEC (CLOCK_START + GET_USEC + CARD_USEC)

/* @seconds from now, until @end since the epoch. */
static void assert_lives(const char *body, const char *date, uint64_t limit_usec, uint64_t seconds,
                         int64_t end) {
    const struct step steps[] = {
        CHALLENGED, {.status = 200, .fields = {TYPE, date}, .body = body, .proof = true}};
    struct ub_parameters parameters = world_parameters;
    uint64_t realtime_usec = world.realtime_usec;

    parameters.lifetime_max_usec = limit_usec;
    world_begin(steps, NULL);
    world.realtime_usec = realtime_usec;
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);
    assert_int_equal(result.expires_usec, SENT_USEC + seconds * USEC_PER_SEC);
    assert_int_equal(result.expires_utc_usec, (uint64_t)end * USEC_PER_SEC);
}

static void assert_is_dead(const char *body, const char *date) {
    const struct step steps[] = {
        CHALLENGED, {.status = 200, .fields = {TYPE, date}, .body = body, .proof = true}};
    uint64_t realtime_usec = world.realtime_usec;

    world_begin(steps, NULL);
    world.realtime_usec = realtime_usec;
    assert_fails_with(&world_parameters, UB_E_LIFETIME);
}

#define BODY_2030           BODY("b", "2030-01-01T00:00:00Z", "")
#define BODY_CURRENTTIME(t) BODY("b", "2030-01-01T00:00:00Z", CURRENTTIME(t))

/* A gateway whose clock is wrong by years gives its keys the life that the BSF meant. */
static void test_lifetime_counts_by_the_bsfs_clock(void **state _unused_) {
    static const int64_t local_clocks[] = {0, Y2030 - 3600, Y2030 + 100000000};

    for (size_t i = 0; i < ELEMENTS(local_clocks); i++) {
        world.realtime_usec = (uint64_t)local_clocks[i] * USEC_PER_SEC;
        assert_lives(BODY_CURRENTTIME("2029-12-31T23:50:00Z"), NULL, USEC_INFINITY, 600, Y2030);
        assert_lives(BODY_CURRENTTIME("2029-12-31T23:50:00Z"),
                     "Date: Mon, 31 Dec 2029 12:00:00 GMT", USEC_INFINITY, 600, Y2030);
        assert_lives(BODY_2030, "Date: Mon, 31 Dec 2029 23:59:00 GMT", USEC_INFINITY, 60, Y2030);
        assert_is_dead(BODY_CURRENTTIME("2030-01-01T00:00:00Z"), NULL);
        assert_is_dead(BODY_CURRENTTIME("2031-01-01T00:00:00Z"),
                       "Date: Mon, 31 Dec 2029 12:00:00 GMT");
        assert_is_dead(BODY_2030, "Date: Tue, 01 Jan 2030 00:00:00 GMT");
    }
}

static void test_local_clock_counts_only_where_the_bsf_has_none(void **state _unused_) {
    world.realtime_usec = (uint64_t)(Y2030 - 3600) * USEC_PER_SEC;
    assert_lives(BODY_2030, NULL, USEC_INFINITY, 3600, Y2030);
    assert_lives(BODY_2030, "Date: yesterday", USEC_INFINITY, 3600, Y2030);
    world.realtime_usec = (uint64_t)Y2030 * USEC_PER_SEC;
    assert_is_dead(BODY_2030, NULL);
    /* A clock that was never set tells nothing. */
    world.realtime_usec = 86400 * USEC_PER_SEC;
    assert_is_dead(BODY_2030, NULL);
}

/* Both of the times that a key has tell of the same moment, and none is later than the BSF said. */
static void test_long_lifetimes_are_cut(void **state _unused_) {
    static const char *const for_ever =
        BODY("b", "9999-12-31T23:59:59Z", CURRENTTIME("2000-01-01T00:00:00Z"));
    const int64_t y2000 = 946684800;

    world.realtime_usec = 0;
    assert_lives(BODY_CURRENTTIME("2029-12-31T23:00:00Z"), NULL, 60 * USEC_PER_SEC, 60,
                 Y2030 - 3540);
    assert_lives(BODY_CURRENTTIME("2029-12-31T23:00:00Z"), NULL, 3599 * USEC_PER_SEC, 3599,
                 Y2030 - 1);
    assert_lives(BODY_CURRENTTIME("2029-12-31T23:00:00Z"), NULL, 3600 * USEC_PER_SEC, 3600, Y2030);
    assert_lives(BODY_CURRENTTIME("2029-12-31T23:00:00Z"), NULL, 3601 * USEC_PER_SEC, 3600, Y2030);
    assert_lives(BODY_2030, "Date: Mon, 31 Dec 2029 23:00:00 GMT", 60 * USEC_PER_SEC, 60,
                 Y2030 - 3540);
    assert_lives(for_ever, NULL, USEC_INFINITY, KEY_LIFETIME_MAX_SEC,
                 y2000 + (int64_t)KEY_LIFETIME_MAX_SEC);
    assert_lives(for_ever, NULL, 0, KEY_LIFETIME_MAX_SEC, y2000 + (int64_t)KEY_LIFETIME_MAX_SEC);
    world.realtime_usec = (uint64_t)(Y2030 - 3600) * USEC_PER_SEC;
    assert_lives(BODY_2030, NULL, 60 * USEC_PER_SEC, 60, Y2030 - 3540);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_lifetime_counts_by_the_bsfs_clock),
        TEST(test_local_clock_counts_only_where_the_bsf_has_none),
        TEST(test_long_lifetimes_are_cut),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
