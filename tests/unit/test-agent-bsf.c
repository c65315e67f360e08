/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How often the agent asks a BSF.
 *
 * Proved here: after a failure of the BSF nobody but who may manage has it asked before the back-off is over, and is told
 * why; a failure of the card is no reason for that; a Ks that is used is renewed before it dies, one that is not is left
 * to die; an application can have a Ks replaced, and not too often; a card that went for a moment takes its Ks along.
 *
 * The clock of the timers is the real one, so the arithmetic (test-backoff.c) is replaced by short times.
 */

#include "unit/agent-world.h"

#include "backoff.h"

/* How long after a bootstrap its Ks is renewed in these tests. */
static uint64_t delay_usec = USEC_INFINITY;
static uint64_t asked_lifetime_usec;

uint64_t __wrap_renewal_delay(uint64_t lifetime_usec, uint64_t random);

uint64_t __wrap_renewal_delay(uint64_t lifetime_usec, uint64_t random) {
    (void)random;
    asked_lifetime_usec = lifetime_usec;
    return delay_usec;
}

uint64_t __wrap_backoff_fail(struct backoff *backoff, uint64_t retry_after_usec, uint64_t random);

/* The shortest draw that there may be. */
uint64_t __wrap_backoff_fail(struct backoff *backoff, uint64_t retry_after_usec, uint64_t random) {
    (void)random;
    backoff->failures++;
    return retry_after_usec;
}

static void bootstrap(struct world *world, struct answer *answer) {
    ask(world, "naf.example.com", true, answer);
    report_bootstrapped(fake.jobs, 3600 * USEC_PER_SEC);
    assert_int_equal(answer->r, 0);
}

static void run_until_job(struct world *world, int64_t job) {
    for (uint64_t until = deadline_after(10 * USEC_PER_SEC); fake.jobs < job && now_usec() < until;)
        assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0);
    assert_int_equal(fake.jobs, job);
}

static void run_for(struct world *world, uint64_t usec) {
    for (uint64_t until = deadline_after(usec); now_usec() < until;)
        assert_true(sd_event_run(world->event, 10 * USEC_PER_MSEC) >= 0);
}

static int set_up_delay(void **state) {
    delay_usec = USEC_INFINITY;
    return set_up(state);
}

/* --- Back-off --------------------------------------------------------------------------------- */

static void a_bsf_that_failed_is_left_alone_and_everybody_told_why(void **state) {
    static const int failures[] = {HTTP_E_CONNECT, HTTP_E_TIMEOUT, HTTP_E_RESOLVE, UB_E_REFUSED,
                                   UB_E_UNKNOWN,   UB_E_BUSY,      UB_E_NONCE};
    struct world *world = *state;
    struct failure failure = {0};

    report_ready();
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        struct answer first = {0}, second = {0};
        int64_t jobs = fake.jobs + 1;
        char text[64];

        ask(world, "naf.example.com", false, &first);
        report_failed(jobs, failures[i], 60 * USEC_PER_SEC);
        assert_int_equal(first.r, failures[i]);
        assert_null(ask(world, "naf.example.com", false, &second));
        assert_int_equal(second.r, failures[i]);
        assert_non_null(strstr(second.text, BSF " is left alone for another "));
        assert_non_null(strstr(second.text, "because the last try failed: the BSF said no"));
        assert_int_equal(fake.jobs, jobs);

        /* Another BSF has not failed. */
        (void)snprintf(text, sizeof(text), "[GBA]\nBsf=bsf%zu.example.org\n", i);
        write_file(world, "keystrap.conf", text);
        assert_int_equal(agent_reload(world->agent, &failure), 0);
        let_go();
        report_ready();
    }
}

static void a_failure_of_the_card_or_of_ourselves_is_no_reason_to_wait(void **state) {
    static const int failures[] = {UICC_E_SILENT, UICC_E_RESET, HTTP_E_HELPER, UB_E_CANCELLED,
                                   -ENOMEM};
    struct world *world = *state;

    report_ready();
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        struct answer answer = {0};

        assert_non_null(ask(world, "naf.example.com", false, &answer));
        report_failed(fake.jobs, failures[i], 0);
        assert_int_equal(answer.r, failures[i]);
    }
    assert_int_equal(fake.jobs, ELEMENTS(failures));
}

static void a_bootstrap_that_works_ends_the_back_off(void **state) {
    struct agent_request *request;
    struct world *world = *state;
    struct answer first = {0}, operators = {0}, last = {0};
    struct failure failure = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_failed(1, HTTP_E_CONNECT, 60 * USEC_PER_SEC);
    assert_int_equal(agent_bootstrap(world->agent, &root, NULL, on_key, &operators, &request), 0);
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    assert_int_equal(agent_forget(world->agent, &root, NULL, &failure), 0);
    assert_non_null(ask(world, "naf.example.com", false, &last));
    report_bootstrapped(3, 60 * USEC_PER_SEC);
    assert_int_equal(last.r, 0);
}

static void a_key_of_a_living_ks_waits_for_no_bsf(void **state) {
    struct world *world = *state;
    struct answer first = {0}, forced = {0}, second = {0};

    report_ready();
    bootstrap(world, &first);
    ask(world, "naf.example.com", true, &forced);
    report_failed(2, HTTP_E_CONNECT, 60 * USEC_PER_SEC);
    assert_int_equal(forced.r, HTTP_E_CONNECT);
    assert_null(ask(world, "naf.example.com", false, &second));
    assert_int_equal(second.r, 0);
    assert_string_equal(second.btid, first.btid);
}

/* --- Renewal ---------------------------------------------------------------------------------- */

static void a_ks_that_is_used_is_renewed_before_it_dies(void **state) {
    struct world *world = *state;
    struct answer first = {0}, meanwhile = {0}, after = {0};

    report_ready();
    delay_usec = 20 * USEC_PER_MSEC;
    bootstrap(world, &first); /* whoever waited for it has used it */
    assert_in_range(asked_lifetime_usec, 3590 * USEC_PER_SEC, 3600 * USEC_PER_SEC);
    run_until_job(world, 2);
    /* Nobody waits for that. */
    assert_null(ask(world, "naf.example.com", false, &meanwhile));
    assert_string_equal(meanwhile.btid, first.btid);
    delay_usec = USEC_INFINITY;
    report_bootstrapped(2, 3600 * USEC_PER_SEC);
    assert_null(ask(world, "naf.example.com", false, &after));
    assert_string_equal(after.btid, "btid-2@" BSF);
}

static void a_ks_that_nobody_uses_is_left_to_die(void **state) {
    struct agent_request *request;
    struct world *world = *state;
    struct answer operators = {0}, late = {0};

    report_ready();
    delay_usec = 20 * USEC_PER_MSEC;
    assert_int_equal(agent_bootstrap(world->agent, &root, NULL, on_key, &operators, &request), 0);
    /* Its own life is so short that the late renewal below comes soon. */
    report_bootstrapped(1, 2 * USEC_PER_SEC);
    run_for(world, 300 * USEC_PER_MSEC);
    assert_int_equal(fake.jobs, 1);
    /* But who uses it late has it renewed while there is time. */
    assert_null(ask(world, "naf.example.com", false, &late));
    assert_int_equal(late.r, 0);
    run_until_job(world, 2);
    report_failed(2, UB_E_CANCELLED, 0);
}

static void where_renewal_is_switched_off_nothing_is_renewed(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    write_file(world, "keystrap.conf", "[GBA]\nRenew=no\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    let_go();
    report_ready();
    delay_usec = 10 * USEC_PER_MSEC;
    bootstrap(world, &answer);
    run_for(world, 300 * USEC_PER_MSEC);
    assert_int_equal(fake.jobs, 1);
}

static void a_renewal_that_fails_is_tried_again_and_takes_nothing_away(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0};

    report_ready();
    delay_usec = 10 * USEC_PER_MSEC;
    bootstrap(world, &first);
    run_until_job(world, 2);
    report_failed(2, UB_E_BUSY, USEC_PER_MSEC);
    assert_null(ask(world, "naf.example.com", false, &second));
    assert_int_equal(second.r, 0);
    run_until_job(world, 3);
    report_bootstrapped(3, 3600 * USEC_PER_SEC);
}

static void a_renewal_waits_for_a_bsf_that_is_left_alone(void **state) {
    struct world *world = *state;
    struct answer first = {0}, forced = {0};
    uint64_t begin;

    report_ready();
    delay_usec = 10 * USEC_PER_MSEC;
    bootstrap(world, &first);
    ask(world, "naf.example.com", true, &forced);
    begin = now_usec();
    report_failed(2, UB_E_BUSY, 500 * USEC_PER_MSEC);
    assert_int_equal(forced.r, UB_E_BUSY);
    run_until_job(world, 3);
    assert_true(now_usec() - begin >= 500 * USEC_PER_MSEC);
    report_bootstrapped(3, 3600 * USEC_PER_SEC);
}

static void who_joins_a_renewal_and_leaves_does_not_end_it(void **state) {
    struct world *world = *state;
    struct answer first = {0}, forced = {0};

    report_ready();
    delay_usec = 10 * USEC_PER_MSEC;
    bootstrap(world, &first);
    run_until_job(world, 2);
    agent_request_cancel(ask(world, "naf.example.com", true, &forced));
    assert_int_equal(fake.jobs, 2);
    assert_int_equal(fake.cancelled, 0);
    report_bootstrapped(2, 3600 * USEC_PER_SEC);
}

/* --- What applications bring about ------------------------------------------------------------ */

static int invalidate(struct world *world, const struct access_caller *caller, const char *btid) {
    struct failure failure = {0};
    int r = agent_invalidate(world->agent, caller, btid, &failure);

    assert_int_equal(failure.code, r);
    return r;
}

static void what_a_naf_does_not_take_any_more_is_erased_at_once(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    bootstrap(world, &answer);
    assert_int_equal(invalidate(world, &meter, answer.btid), 0);
    assert_int_equal(secret_arena_used(), 0);
    assert_non_null(ask(world, "naf.example.com", false, &answer));
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    /* The one before is gone already; the new one has done nothing. */
    assert_int_equal(invalidate(world, &meter, "btid-1@" BSF), 0);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
}

static void who_may_have_no_key_invalidates_none(void **state) {
    static const struct access_caller stranger = {.uid = 4712};
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    bootstrap(world, &answer);
    assert_int_equal(invalidate(world, &stranger, answer.btid), ACCESS_E_DENIED);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
    assert_int_equal(invalidate(world, &root, answer.btid), 0);
    assert_int_equal(state_of(world), AGENT_CARD_READY);
}

static void applications_bring_about_only_so_many_bootstraps(void **state) {
    struct agent_request *request;
    struct world *world = *state;
    struct answer answer = {0}, operators = {0};

    report_ready();
    bootstrap(world, &answer); /* without a Ks before it, it costs nothing */
    for (unsigned i = 0; i < RENEGOTIATIONS_PER_MINUTE; i++) {
        if (i % 2) {
            bootstrap(world, &answer);
            continue;
        }
        assert_int_equal(invalidate(world, &meter, answer.btid), 0);
        assert_non_null(ask(world, "naf.example.com", false, &answer));
        report_bootstrapped(fake.jobs, 60 * USEC_PER_SEC);
    }
    assert_int_equal(invalidate(world, &meter, answer.btid), ACCESS_E_QUOTA);
    assert_null(ask(world, "naf.example.com", true, &answer));
    assert_int_equal(answer.r, ACCESS_E_QUOTA);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
    /* The operator's bootstraps are not counted. */
    assert_int_equal(agent_bootstrap(world->agent, &root, NULL, on_key, &operators, &request), 0);
    report_bootstrapped(fake.jobs, 60 * USEC_PER_SEC);
    assert_int_equal(operators.r, 0);
}

/* --- A card that went for a moment ------------------------------------------------------------- */

static void a_card_that_went_for_a_moment_takes_its_ks_along(void **state) {
    struct worker_report told = {
        .kind = WORKER_CARD, .card = KEYSTRAP_CARD_PRESENT, .departures = 1};
    struct world *world = *state;
    struct agent_status status;
    struct answer answer = {0};
    uint64_t insertions;

    report_ready();
    bootstrap(world, &answer);
    agent_get_status(world->agent, 0, &status);
    insertions = status.insertions;
    (void)snprintf(told.identity.iccid, sizeof(told.identity.iccid), "8988211000000000017");
    (void)snprintf(told.impi, sizeof(told.impi), "%s", IMPI);
    report(&told);
    assert_int_equal(secret_arena_used(), 0);
    agent_get_status(world->agent, 0, &status);
    assert_int_equal(status.state, AGENT_CARD_READY);
    assert_int_equal(status.insertions, insertions + 1);
}

#define BSF_CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up_delay, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        BSF_CLAIM(a_bsf_that_failed_is_left_alone_and_everybody_told_why),
        BSF_CLAIM(a_failure_of_the_card_or_of_ourselves_is_no_reason_to_wait),
        BSF_CLAIM(a_bootstrap_that_works_ends_the_back_off),
        BSF_CLAIM(a_key_of_a_living_ks_waits_for_no_bsf),
        BSF_CLAIM(a_ks_that_is_used_is_renewed_before_it_dies),
        BSF_CLAIM(a_ks_that_nobody_uses_is_left_to_die),
        BSF_CLAIM(where_renewal_is_switched_off_nothing_is_renewed),
        BSF_CLAIM(a_renewal_that_fails_is_tried_again_and_takes_nothing_away),
        BSF_CLAIM(a_renewal_waits_for_a_bsf_that_is_left_alone),
        BSF_CLAIM(who_joins_a_renewal_and_leaves_does_not_end_it),
        BSF_CLAIM(what_a_naf_does_not_take_any_more_is_erased_at_once),
        BSF_CLAIM(who_may_have_no_key_invalidates_none),
        BSF_CLAIM(applications_bring_about_only_so_many_bootstraps),
        BSF_CLAIM(a_card_that_went_for_a_moment_takes_its_ks_along),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
