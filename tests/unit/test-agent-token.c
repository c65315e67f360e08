/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The enrolment token: it is presented once, and a crash at any point neither loses it nor repeats it.
 */

#include "unit/enrol-world.h"

#define TOKEN "Token from the MEF's operator"

static int token_set_up(void **state) {
    struct world *world;
    int r = enrol_set_up(state);

    world = *state;
    write_file(world, "credentials/token", TOKEN);
    write_profile(world, "psk", "[Token]\nToken=credential:token\n");
    restart_agent(world);
    return r;
}

static bool is_presented(void) {
    const struct secret *token = mef_job()->token;

    return token && secret_length(token) == strlen(TOKEN) &&
           memcmp(secret_data(token), TOKEN, strlen(TOKEN)) == 0;
}

static void begin(struct world *world) {
    static struct answer answer; /* which is written to when it ends */

    (void)enrol(world, true, &answer);
}

static void end(int r, enum enrol_token_fate fate) {
    mef.run->job->token_fate = fate;
    if (r == 0)
        mef_registers(1, 3600);
    else
        mef_ends(r);
}

static void it_is_presented_once_and_erased_with_the_answer(void **state) {
    struct world *world = *state;

    assert_true(enrol_status(world).token_pending);
    begin(world);
    assert_true(is_presented());
    end(0, ENROL_TOKEN_ANSWERED);
    assert_false(enrol_status(world).token_pending);
    begin(world);
    assert_null(mef_job()->token);
    end(0, ENROL_TOKEN_KEPT);
    /* Though it still stands where the administrator put it. */
    restart_agent(world);
    assert_false(enrol_status(world).token_pending);
    begin(world);
    assert_null(mef_job()->token);
    end(0, ENROL_TOKEN_KEPT);
}

static void one_that_was_refused_is_not_presented_again(void **state) {
    struct world *world = *state;

    begin(world);
    end(MEF_E_TOKEN, ENROL_TOKEN_ANSWERED);
    assert_null(mef.run);
    begin(world);
    assert_null(mef_job()->token);
    end(MEF_E_TOKEN, ENROL_TOKEN_KEPT);
    assert_null(mef.run);
}

static void one_that_never_left_is_presented_the_next_time(void **state) {
    struct world *world = *state;

    begin(world);
    assert_true(is_presented());
    end(HTTP_E_CONNECT, ENROL_TOKEN_KEPT);
    begin(world);
    assert_true(is_presented());
    end(0, ENROL_TOKEN_ANSWERED);
}

static void in_doubt_the_mef_is_asked_without_it_first(void **state) {
    struct world *world = *state;

    begin(world);
    end(HTTP_E_TIMEOUT, ENROL_TOKEN_UNKNOWN);
    begin(world);
    assert_null(mef_job()->token);
    /* It had arrived: the MEF knows us. */
    end(0, ENROL_TOKEN_KEPT);
    assert_false(enrol_status(world).token_pending);
    begin(world);
    assert_null(mef_job()->token);
    end(0, ENROL_TOKEN_KEPT);
}

static void in_doubt_it_is_presented_when_the_mef_misses_it(void **state) {
    struct world *world = *state;

    begin(world);
    end(HTTP_E_TIMEOUT, ENROL_TOKEN_UNKNOWN);
    begin(world);
    assert_null(mef_job()->token);
    end(MEF_E_TOKEN, ENROL_TOKEN_KEPT);
    assert_true(is_presented());
    end(0, ENROL_TOKEN_ANSWERED);
    assert_false(enrol_status(world).token_pending);
}

static void a_crash_while_it_is_sent_leaves_it_in_doubt(void **state) {
    struct world *world = *state;

    begin(world);
    assert_true(is_presented());
    restart_agent(world);
    begin(world);
    assert_null(mef_job()->token);
    end(0, ENROL_TOKEN_KEPT);
    assert_false(enrol_status(world).token_pending);
}

static void another_token_is_another_one(void **state) {
    struct world *world = *state;

    begin(world);
    end(0, ENROL_TOKEN_ANSWERED);
    write_file(world, "credentials/token", "a second token of the operator");
    restart_agent(world);
    assert_true(enrol_status(world).token_pending);
    begin(world);
    assert_non_null(mef_job()->token);
    end(0, ENROL_TOKEN_ANSWERED);
}

static void forgetting_the_enrolment_does_not_forget_that_it_was_used(void **state) {
    struct world *world = *state;
    struct failure failure = {0};

    begin(world);
    end(0, ENROL_TOKEN_ANSWERED);
    assert_int_equal(agent_enrol_forget(world->agent, &root, "water", &failure), 0);
    mef_ends(0);
    restart_agent(world);
    begin(world);
    assert_null(mef_job()->token);
    end(0, ENROL_TOKEN_KEPT);
}

#define TOKEN_CLAIM(f) cmocka_unit_test_setup_teardown(f, token_set_up, enrol_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TOKEN_CLAIM(it_is_presented_once_and_erased_with_the_answer),
        TOKEN_CLAIM(one_that_was_refused_is_not_presented_again),
        TOKEN_CLAIM(one_that_never_left_is_presented_the_next_time),
        TOKEN_CLAIM(in_doubt_the_mef_is_asked_without_it_first),
        TOKEN_CLAIM(in_doubt_it_is_presented_when_the_mef_misses_it),
        TOKEN_CLAIM(a_crash_while_it_is_sent_leaves_it_in_doubt),
        TOKEN_CLAIM(another_token_is_another_one),
        TOKEN_CLAIM(forgetting_the_enrolment_does_not_forget_that_it_was_used),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
