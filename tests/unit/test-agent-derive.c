/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keys of a Ks that is in the card.
 *
 * Proved here: each key is derived by the card, for the NAF, the identity and the card of the bootstrap; a card that has
 * lost its Ks brings about one bootstrap and no second; who leaves, whose right is revoked or whose worker changes is
 * treated as by any other wait; a bootstrap that the card remembers needs no BSF; the internal key is refused by name.
 */

#include "unit/agent-world.h"

#define ICCID "8988211000000000017"

/* A bootstrap in the card ended well: job 0 is one that the card remembers. */
static void report_in_card(int64_t job, uint64_t life_usec) {
    struct worker_report told = {.kind = job ? WORKER_BOOTSTRAP : WORKER_CARD,
                                 .job = (uint64_t)job,
                                 .card = KEYSTRAP_CARD_PRESENT,
                                 .resumed = job == 0};

    (void)snprintf(told.identity.iccid, sizeof(told.identity.iccid), "%s", ICCID);
    (void)snprintf(told.impi, sizeof(told.impi), "%s", IMPI);
    (void)snprintf(told.bsf, sizeof(told.bsf), "%s", BSF);
    (void)snprintf(told.result.impi, sizeof(told.result.impi), "%s", IMPI);
    (void)snprintf(told.result.btid, sizeof(told.result.btid), "btid-%" PRIi64 "@" BSF, job);
    told.result.mode = GBA_MODE_U;
    told.result.expires_usec = deadline_after(life_usec);
    report(&told);
}

/* The card has done the derivation number @index, counted from 0 since the test began, with @r. */
static void report_derived(unsigned index, int r) {
    struct worker_report told = {.kind = WORKER_DERIVE, .r = r};

    assert_true(index < fake.derive_count);
    told.job = (uint64_t)fake.derive[index].job;
    told.derive = fake.derive[index].derive;
    fake.derive[index].derive = NULL;
    if (r == 0)
        assert_int_equal(secret_new(NAF_KEY_LENGTH, &told.derive->key), 0);
    else
        (void)failure_set(&told.failure, r, "the card said no");
    report(&told);
    worker_derive_free(told.derive);
}

static int tear_down_derives(void **state) {
    for (unsigned i = 0; i < fake.derive_count; i++)
        worker_derive_free(fake.derive[i].derive);
    return tear_down(state);
}

static void the_card_derives_what_was_asked_for_after_a_bootstrap(void **state) {
    struct world *world = *state;
    const struct worker_derive *derive;
    struct answer answer = {0};

    report_ready();
    assert_non_null(ask(world, "NAF.example.com", false, &answer));
    report_in_card(fake.jobs, 3600 * USEC_PER_SEC);
    assert_int_equal(answer.count, 0);
    assert_int_equal(fake.derive_count, 1);
    derive = fake.derive[0].derive;
    assert_string_equal(derive->naf_fqdn, "naf.example.com");
    assert_memory_equal(derive->ua_protocol, ua_digest, sizeof(ua_digest));
    assert_string_equal(derive->impi, IMPI);
    assert_string_equal(derive->iccid, ICCID);
    report_derived(0, 0);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, 0);
    assert_true(answer.has_key);
    assert_true(answer.bootstrapped);
    assert_string_equal(answer.btid, "btid-1@" BSF);
}

static void each_key_is_asked_of_the_card_and_none_of_the_bsf(void **state) {
    struct world *world = *state;
    struct answer answers[3] = {0};

    report_ready();
    ask(world, "a.example.com", false, &answers[0]);
    report_in_card(fake.jobs, 3600 * USEC_PER_SEC);
    report_derived(0, 0);
    for (size_t i = 1; i < ELEMENTS(answers); i++) {
        assert_non_null(ask(world, "a.example.com", false, &answers[i]));
        assert_int_equal(fake.derive_count, i + 1);
    }
    assert_int_equal(fake.jobs, 4); /* one bootstrap, three derivations */
    report_derived(2, 0);
    assert_int_equal(answers[2].count, 1);
    assert_int_equal(answers[1].count, 0);
    report_derived(1, 0);
    assert_int_equal(answers[1].count, 1);
    assert_false(answers[1].bootstrapped);
}

static void a_bootstrap_that_the_card_remembers_needs_no_bsf(void **state) {
    struct world *world = *state;
    struct agent_status status;
    struct answer answer = {0};

    report_in_card(0, 3600 * USEC_PER_SEC);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
    agent_get_status(world->agent, 0, &status);
    assert_string_equal(status.mode, "u");
    assert_int_equal(status.bootstraps, 0);
    assert_non_null(ask(world, "naf.example.com", false, &answer));
    report_derived(0, 0);
    assert_string_equal(answer.btid, "btid-0@" BSF);
    assert_false(answer.bootstrapped);
}

static void who_asked_before_the_card_was_known_is_served_by_what_it_remembers(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    ask(world, "naf.example.com", false, &answer);
    report_in_card(0, 3600 * USEC_PER_SEC);
    assert_int_equal(fake.derive_count, 1);
    report_derived(0, 0);
    assert_int_equal(answer.r, 0);
    assert_string_equal(answer.btid, "btid-0@" BSF);
    assert_int_equal(fake.jobs, 1); /* the derivation */
}

static void who_wants_a_new_one_is_not_served_by_what_the_card_remembers(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    ask(world, "naf.example.com", true, &answer);
    report_in_card(0, 3600 * USEC_PER_SEC);
    assert_int_equal(fake.derive_count, 0);
    report_in_card(fake.jobs, 3600 * USEC_PER_SEC);
    report_derived(0, 0);
    assert_string_equal(answer.btid, "btid-1@" BSF);
}

/* The card took the challenge of a bootstrap that came to nothing, and has the Ks of no B-TID. */
static void a_bootstrap_that_failed_behind_the_card_takes_the_old_ks_along(void **state) {
    struct world *world = *state;
    struct worker_report told = {.kind = WORKER_BOOTSTRAP, .r = UB_E_CANCELLED, .ks_lost = true};
    struct agent_request *request;
    struct answer answer = {0};

    for (unsigned late = 0; late < 2; late++) {
        report_in_card(0, 3600 * USEC_PER_SEC);
        assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
        request = ask(world, "naf.example.com", true, &answer);
        told.job = (uint64_t)fake.jobs;
        if (late) /* nobody waits for it any more */
            agent_request_cancel(request);
        report(&told);
        assert_int_equal(state_of(world), AGENT_CARD_READY);
    }
}

static void a_newer_bootstrap_is_not_given_up_for_one_that_the_card_remembers(void **state) {
    struct world *world = *state;
    struct agent_status status;

    report_ready();
    ask(world, "naf.example.com", false, &(struct answer){0});
    report_bootstrapped(fake.jobs, 3600 * USEC_PER_SEC);
    report_in_card(0, 3600 * USEC_PER_SEC);
    agent_get_status(world->agent, 0, &status);
    assert_string_equal(status.btid, "btid-1@" BSF);
}

static void a_card_that_has_lost_its_ks_brings_about_one_bootstrap(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_in_card(0, 3600 * USEC_PER_SEC);
    ask(world, "naf.example.com", false, &answer);
    report_derived(0, UICC_E_CONDITIONS);
    assert_int_equal(answer.count, 0);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPING);
    report_in_card(fake.jobs, 3600 * USEC_PER_SEC);
    assert_int_equal(fake.derive_count, 2);
    report_derived(1, UICC_E_CONDITIONS);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, UICC_E_CONDITIONS);
    assert_int_equal(state_of(world), AGENT_CARD_READY);
}

static void other_failures_of_the_card_are_told_and_cost_no_ks(void **state) {
    static const int failures[] = {UICC_E_SILENT, UICC_E_RESET, UICC_E_NAF_ID, UICC_E_STATUS};
    struct world *world = *state;

    report_in_card(0, 3600 * USEC_PER_SEC);
    for (unsigned i = 0; i < ELEMENTS(failures); i++) {
        struct answer answer = {0};

        ask(world, "naf.example.com", false, &answer);
        report_derived(i, failures[i]);
        assert_int_equal(answer.r, failures[i]);
        assert_string_equal(answer.text, "the card said no");
        assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
    }
}

static void who_leaves_is_not_answered_and_its_job_cancelled(void **state) {
    struct world *world = *state;
    struct agent_request *request;
    struct answer answer = {0};

    report_in_card(0, 3600 * USEC_PER_SEC);
    request = ask(world, "naf.example.com", false, &answer);
    agent_request_cancel(request);
    assert_int_equal(fake.cancelled, fake.derive[0].job);
    report_derived(0, 0);
    assert_int_equal(answer.count, 0);
}

static void a_right_that_is_revoked_meanwhile_gives_no_key(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    report_in_card(0, 3600 * USEC_PER_SEC);
    ask(world, "naf.example.com", false, &answer);
    write_file(world, "access.d/meter.conf", "");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    report_derived(0, 0);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_false(answer.has_key);
}

static void a_new_worker_does_what_the_one_before_was_to_do(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    report_in_card(0, 3600 * USEC_PER_SEC);
    ask(world, "naf.example.com", false, &answer);
    write_file(world, "keystrap.conf", "[UICC]\nApduTimeoutSec=3\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    let_go();
    assert_int_equal(fake.derive_count, 2);
    report_derived(1, 0);
    assert_int_equal(answer.r, 0);
    assert_true(answer.has_key);
}

static void who_waits_for_the_card_is_answered_at_the_end(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_in_card(0, 3600 * USEC_PER_SEC);
    ask(world, "naf.example.com", false, &answer);
    world->agent = agent_free(world->agent);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, UB_E_CANCELLED);
}

static void the_internal_key_is_refused_by_name(void **state) {
    static const char *const types[] = {"int", "EXT", "", "\n"};
    struct world *world = *state;
    struct answer answer = {0};
    struct agent_naf naf = {.fqdn = "naf.example.com",
                            .ua_protocol = ua_digest,
                            .ua_protocol_length = sizeof(ua_digest)};
    struct agent_request *request = NULL;

    report_in_card(0, 3600 * USEC_PER_SEC);
    for (size_t i = 0; i < ELEMENTS(types); i++) {
        naf.key_type = types[i];
        assert_int_equal(
            agent_derive_naf_key(world->agent, &meter, &naf, on_key, &answer, &request), 0);
        assert_null(request);
        assert_int_equal(answer.r, KEYS_E_TYPE);
    }
    assert_int_equal(fake.derive_count, 0);
    naf.key_type = "ext";
    assert_int_equal(agent_derive_naf_key(world->agent, &meter, &naf, on_key, &answer, &request),
                     0);
    assert_non_null(request);
    agent_request_cancel(request);
}

#undef CLAIM
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down_derives)

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(the_card_derives_what_was_asked_for_after_a_bootstrap),
        CLAIM(each_key_is_asked_of_the_card_and_none_of_the_bsf),
        CLAIM(a_bootstrap_that_the_card_remembers_needs_no_bsf),
        CLAIM(who_asked_before_the_card_was_known_is_served_by_what_it_remembers),
        CLAIM(who_wants_a_new_one_is_not_served_by_what_the_card_remembers),
        CLAIM(a_bootstrap_that_failed_behind_the_card_takes_the_old_ks_along),
        CLAIM(a_newer_bootstrap_is_not_given_up_for_one_that_the_card_remembers),
        CLAIM(a_card_that_has_lost_its_ks_brings_about_one_bootstrap),
        CLAIM(other_failures_of_the_card_are_told_and_cost_no_ks),
        CLAIM(who_leaves_is_not_answered_and_its_job_cancelled),
        CLAIM(a_right_that_is_revoked_meanwhile_gives_no_key),
        CLAIM(a_new_worker_does_what_the_one_before_was_to_do),
        CLAIM(who_waits_for_the_card_is_answered_at_the_end),
        CLAIM(the_internal_key_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
