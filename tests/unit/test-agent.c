/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent and one card.
 *
 * Proved here: many callers cause one bootstrap; who leaves cancels what nobody else waits for; a Ks goes with its
 * card and with its time, and stays through what is no change of card; a reload is all or nothing; a BSF that
 * asks for peace gets it.
 */

#include "unit/agent-world.h"

/* --- Claims ----------------------------------------------------------------------------------- */

static void ten_requests_cause_one_bootstrap(void **state) {
    struct world *world = *state;
    struct answer answers[10] = {0};

    report_ready();
    for (size_t i = 0; i < ELEMENTS(answers); i++)
        assert_non_null(ask(world, "naf.example.com", false, &answers[i]));
    assert_int_equal(fake.jobs, 1);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPING);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        assert_int_equal(answers[i].count, 1);
        assert_int_equal(answers[i].r, 0);
        assert_true(answers[i].has_key);
        assert_true(answers[i].bootstrapped);
    }
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
}

static void a_second_request_asks_neither_card_nor_network(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_null(ask(world, "other.example.com", false, &second));
    assert_int_equal(second.count, 1);
    assert_true(second.has_key);
    assert_false(second.bootstrapped);
    assert_int_equal(fake.jobs, 1);
}

static void force_bootstraps_although_there_is_a_ks(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_non_null(ask(world, "naf.example.com", true, &second));
    assert_int_equal(fake.jobs, 2);
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    assert_string_equal(second.btid, "btid-2@" BSF);
}

static void expiry_causes_a_new_bootstrap(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_bootstrapped(1, 0);
    /* It died on the way: the caller is told so, and nothing dead is handed out. */
    assert_int_equal(first.r, KEYS_E_EXPIRED);
    assert_false(first.has_key);
    assert_non_null(ask(world, "naf.example.com", false, &second));
    assert_int_equal(fake.jobs, 2);
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    assert_int_equal(second.r, 0);
}

static void the_timer_erases_a_ks_that_nobody_asks_for(void **state) {
    struct world *world = *state;
    struct answer first = {0};
    size_t used;

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_bootstrapped(1, 20 * USEC_PER_MSEC);
    used = secret_arena_used();
    for (uint64_t until = deadline_after(10 * USEC_PER_SEC);
         secret_arena_used() == used && now_usec() < until;)
        assert_true(sd_event_run(world->event, 100 * USEC_PER_MSEC) >= 0);
    assert_int_equal(secret_arena_used(), 0);
    assert_int_equal(state_of(world), AGENT_CARD_READY);
}

static void the_last_caller_to_leave_cancels_the_bootstrap(void **state) {
    struct world *world = *state;
    struct answer answers[2] = {0}, later = {0};
    struct agent_request *requests[2];

    report_ready();
    requests[0] = ask(world, "naf.example.com", false, &answers[0]);
    requests[1] = ask(world, "naf.example.com", false, &answers[1]);
    agent_request_cancel(requests[0]);
    assert_int_equal(fake.cancelled, 0);
    agent_request_cancel(requests[1]);
    assert_int_equal(fake.cancelled, 1);

    /* Who asks now does not inherit the cancellation. */
    ask(world, "naf.example.com", false, &later);
    assert_int_equal(fake.jobs, 2);
    report_failed(1, UB_E_CANCELLED, 0);
    assert_int_equal(later.count, 0);
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    assert_int_equal(later.r, 0);
    assert_int_equal(answers[0].count + answers[1].count, 0);
}

static void a_bootstrap_that_was_cancelled_too_late_serves_who_waits_for_the_next(void **state) {
    struct world *world = *state;
    struct answer left = {0}, waiting = {0}, later = {0};

    report_ready();
    agent_request_cancel(ask(world, "naf.example.com", false, &left));
    assert_int_equal(fake.cancelled, 1);
    ask(world, "naf.example.com", false, &waiting);
    assert_int_equal(fake.jobs, 2);

    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_int_equal(left.count, 0);
    assert_int_equal(waiting.r, 0);
    assert_string_equal(waiting.btid, "btid-1@" BSF);
    /* A second Ks would void at the BSF the one that was just served. */
    assert_int_equal(fake.cancelled, 2);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
    report_failed(2, UB_E_CANCELLED, 0);
    assert_null(ask(world, "naf.example.com", false, &later));
    assert_string_equal(later.btid, "btid-1@" BSF);
    assert_int_equal(fake.jobs, 2);
}

static void a_bootstrap_that_fails_tells_everybody_who_waits(void **state) {
    struct world *world = *state;
    struct answer answers[3] = {0};
    struct agent_status status;

    report_ready();
    for (size_t i = 0; i < ELEMENTS(answers); i++)
        ask(world, "naf.example.com", false, &answers[i]);
    report_failed(1, UB_E_REFUSED, 0);
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        assert_int_equal(answers[i].count, 1);
        assert_int_equal(answers[i].r, UB_E_REFUSED);
        assert_string_equal(answers[i].text, "the BSF said no");
    }
    agent_get_status(world->agent, 0, &status);
    assert_int_equal(status.last_failure->code, UB_E_REFUSED);
    assert_int_equal(status.state, AGENT_CARD_READY);
}

static void a_bsf_that_asks_for_peace_is_not_asked_again_before(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_failed(1, UB_E_BUSY, 3600 * USEC_PER_SEC);
    assert_null(ask(world, "naf.example.com", false, &second));
    assert_int_equal(second.r, UB_E_BUSY);
    assert_non_null(strstr(second.text, BSF));
    assert_int_equal(fake.jobs, 1);
}

static void who_may_manage_tries_before_the_bsfs_time(void **state) {
    struct world *world = *state;
    struct agent_request *request = NULL;
    struct answer first = {0}, operators = {0}, second = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_failed(1, UB_E_BUSY, 3600 * USEC_PER_SEC);
    assert_int_equal(agent_bootstrap(world->agent, &root, NULL, on_key, &operators, &request), 0);
    assert_non_null(request);
    assert_int_equal(operators.count, 0);
    assert_int_equal(fake.jobs, 2);
    report_failed(2, UB_E_BUSY, 3600 * USEC_PER_SEC);
    assert_int_equal(operators.r, UB_E_BUSY);
    /* And nobody else does. */
    assert_null(ask(world, "naf.example.com", false, &second));
    assert_int_equal(second.r, UB_E_BUSY);
    assert_int_equal(fake.jobs, 2);
}

static void what_one_bsf_asked_for_does_not_bind_the_next(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer first = {0}, second = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_failed(1, UB_E_BUSY, 3600 * USEC_PER_SEC);
    write_file(world, "keystrap.conf", "[GBA]\nBsf=bsf.example.org\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    report_ready();
    assert_non_null(ask(world, "naf.example.com", false, &second));
    assert_int_equal(fake.jobs, 2);
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    assert_int_equal(second.r, 0);
}

static void without_a_card_the_answer_comes_at_once_and_names_the_cause(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_card(KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT, NULL);
    assert_int_equal(state_of(world), AGENT_NO_CARD);
    assert_null(ask(world, "naf.example.com", false, &answer));
    assert_int_equal(answer.r, UICC_E_CARD_ABSENT);
    assert_string_equal(answer.text, "the card is not usable");
    assert_int_equal(fake.jobs, 0);
}

static void before_the_card_is_known_a_request_waits(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    assert_int_equal(state_of(world), AGENT_STARTING);
    assert_non_null(ask(world, "naf.example.com", false, &answer));
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPING);
    assert_int_equal(fake.jobs, 0); /* the card may remember a bootstrap */
    report_ready();
    assert_int_equal(fake.jobs, 1);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_int_equal(answer.r, 0);
}

static void who_leaves_before_the_card_is_known_causes_no_bootstrap(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    agent_request_cancel(ask(world, "naf.example.com", false, &answer));
    report_ready();
    assert_int_equal(fake.jobs, 0);
    assert_int_equal(state_of(world), AGENT_CARD_READY);
}

static void a_ks_goes_with_its_card(void **state) {
    static const enum keystrap_card_state gone[] = {
        KEYSTRAP_CARD_ABSENT, KEYSTRAP_CARD_READER_ABSENT, KEYSTRAP_CARD_MUTE};
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(gone); i++) {
        struct answer answer = {0};

        report_ready();
        ask(world, "naf.example.com", false, &answer);
        report_bootstrapped(fake.jobs, 60 * USEC_PER_SEC);
        assert_true(secret_arena_used() > 0);
        report_card(gone[i], UICC_E_CARD_ABSENT, NULL);
        assert_int_equal(secret_arena_used(), 0);
    }
}

static void a_ks_goes_when_another_card_comes(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    ask(world, "naf.example.com", false, &answer);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    report_card(KEYSTRAP_CARD_PRESENT, 0, "8988211000000000025");
    assert_int_equal(secret_arena_used(), 0);
}

static void a_ks_goes_when_another_card_comes_that_cannot_be_used(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    report_card(KEYSTRAP_CARD_PRESENT, UICC_E_PIN_REQUIRED, "8988211000000000025");
    assert_int_equal(secret_arena_used(), 0);
    /* Its turn came: the card is tried, and no key of the one before is handed out. */
    ask(world, "naf.example.com", false, &second);
    assert_false(second.has_key);
    report_failed(fake.jobs, UICC_E_PIN_REQUIRED, 0);
    assert_int_equal(second.r, UICC_E_PIN_REQUIRED);
}

static void a_ks_stays_while_its_own_card_cannot_be_used(void **state) {
    /* Where the ICCID could not be read, nothing says that it is another card. */
    static const char *const iccids[] = {"8988211000000000017", NULL};
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(iccids); i++) {
        struct answer first = {0}, second = {0};

        report_ready();
        ask(world, "naf.example.com", true, &first);
        report_bootstrapped(fake.jobs, 60 * USEC_PER_SEC);
        report_card(KEYSTRAP_CARD_PRESENT, UICC_E_BUSY, iccids[i]);
        assert_null(ask(world, "naf.example.com", false, &second));
        assert_true(second.has_key);
    }
}

static void a_ks_stays_while_the_transport_starts_anew_with_the_same_card(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0}, third = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    report_card(KEYSTRAP_CARD_SERVICE_ABSENT, UICC_E_TRANSPORT, NULL);
    ask(world, "naf.example.com", false, &second);
    assert_int_equal(second.r, 0);
    report_ready();
    ask(world, "naf.example.com", false, &third);
    assert_int_equal(third.r, 0);
    assert_int_equal(fake.jobs, 1);
}

static void a_denied_caller_causes_nothing(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    assert_null(ask(world, "naf.example.net", false, &answer));
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_int_equal(fake.jobs, 0);
}

static void a_bad_name_or_identifier_is_refused_by_name(void **state) {
    struct agent_naf what = {.fqdn = "naf.example.com", .ua_protocol = ua_digest};
    struct world *world = *state;
    struct agent_request *request = NULL;
    struct answer answer = {0};

    assert_null(ask(world, "not a name.example.com", false, &answer));
    assert_int_equal(answer.r, KEYS_E_NAME);
    what.ua_protocol_length = 4;
    assert_int_equal(agent_derive_naf_key(world->agent, &meter, &what, on_key, &answer, &request),
                     0);
    assert_null(request);
    assert_int_equal(answer.r, KEYS_E_UA_PROTOCOL);
}

static void managing_is_for_who_may(void **state) {
    struct world *world = *state;
    struct agent_request *request = NULL;
    struct failure failure = {0};
    struct answer answer = {0};

    report_ready();
    assert_int_equal(agent_bootstrap(world->agent, &meter, NULL, on_key, &answer, &request), 0);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_int_equal(agent_forget(world->agent, &meter, NULL, &failure), ACCESS_E_DENIED);
    assert_int_equal(agent_bootstrap(world->agent, &root, NULL, on_key, &answer, &request), 0);
    assert_non_null(request);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_int_equal(answer.r, 0);
    assert_int_equal(agent_forget(world->agent, &root, NULL, &failure), 0);
    assert_int_equal(secret_arena_used(), 0);
}

static void a_wrong_reload_changes_nothing(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};
    struct agent_request *request;

    report_ready();
    write_file(world, "keystrap.conf", "[GBA]\nPort=999999\n");
    assert_int_equal(agent_reload(world->agent, &failure), -EINVAL);
    assert_non_null(strstr(failure.text, "keystrap.conf:2"));
    assert_int_equal(fake.workers, 1);
    request = ask(world, "naf.example.com", false, &answer);
    assert_non_null(request);
    agent_request_cancel(request); /* its answer would outlive us */
}

static void a_reload_of_rules_keeps_ks_and_worker(void **state) {
    struct world *world = *state;
    struct answer first = {0}, second = {0};
    struct failure failure = {0};

    report_ready();
    ask(world, "naf.example.com", false, &first);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    write_file(world, "access.d/meter.conf", "");
    write_file(world, "keystrap.conf", "[Agent]\nLogLevel=debug\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    assert_int_equal(fake.workers, 1);
    ask(world, "naf.example.com", false, &second);
    assert_int_equal(second.r, ACCESS_E_DENIED);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
}

static void a_reload_of_the_bsf_starts_anew_and_keeps_who_waits(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    report_ready();
    ask(world, "naf.example.com", false, &answer);
    write_file(world, "keystrap.conf", "[GBA]\nBsf=bsf.example.org\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    assert_int_equal(fake.workers, 2);
    assert_int_equal(answer.count, 0);
    let_go();
    report_ready();
    assert_int_equal(fake.jobs, 2);
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    assert_int_equal(answer.r, 0);
}

static void a_right_that_was_taken_away_gives_no_key_to_who_waited(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    report_ready();
    ask(world, "naf.example.com", false, &answer);
    write_file(world, "access.d/meter.conf", "");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_false(answer.has_key);
}

static void one_user_cannot_take_all_places(void **state) {
    struct world *world = *state;
    static struct answer answers[REQUESTS_PER_USER_MAX + 1], others;
    struct agent_request *request = NULL;

    report_ready();
    memset(answers, 0, sizeof(answers));
    memset(&others, 0, sizeof(others));
    for (size_t i = 0; i < REQUESTS_PER_USER_MAX; i++)
        assert_non_null(ask(world, "naf.example.com", false, &answers[i]));
    assert_null(ask(world, "naf.example.com", false, &answers[REQUESTS_PER_USER_MAX]));
    assert_int_equal(answers[REQUESTS_PER_USER_MAX].r, ACCESS_E_TOO_MANY);
    assert_int_equal(agent_bootstrap(world->agent, &root, NULL, on_key, &others, &request), 0);
    assert_non_null(request);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_int_equal(others.r, 0);
    assert_int_equal(answers[0].r, 0);
}

static void a_job_that_cannot_be_queued_again_is_answered(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    report_ready();
    ask(world, "naf.example.com", false, &answer);
    fake.refuse_jobs = true;
    write_file(world, "keystrap.conf", "[GBA]\nBsf=bsf.example.org\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    let_go();
    report_ready();
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, -ENOMEM);
}

static void a_reload_without_a_worker_changes_nothing(void **state) {
    struct world *world = *state;
    struct failure failure = {0};

    report_ready();
    fake.refuse_worker = -EAGAIN;
    write_file(world, "keystrap.conf", "[GBA]\nBsf=bsf.example.org\n");
    assert_int_equal(agent_reload(world->agent, &failure), -EAGAIN);
    assert_int_equal(fake.workers, 1);
    assert_int_equal(state_of(world), AGENT_CARD_READY);
}

static void who_waits_at_the_end_is_told(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    ask(world, "naf.example.com", false, &answer);
    world->agent = agent_free(world->agent);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, UB_E_CANCELLED);
}

struct diagnosis {
    unsigned count;
    size_t checks;
    size_t bad;
    char names[256];
};

static void on_diagnosis(int r, const struct agent_check *checks, size_t count,
                         const struct failure *failure, void *userdata) {
    struct diagnosis *diagnosis = userdata;

    (void)failure;
    diagnosis->count++;
    diagnosis->checks = r == 0 ? count : 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        diagnosis->bad += checks[i].code != 0;
        assert_true(checks[i].text[0] != '\0');
        assert_true((checks[i].code == 0) == (checks[i].remedy[0] == '\0'));
        strncat(diagnosis->names, checks[i].name,
                sizeof(diagnosis->names) - 1 - strlen(diagnosis->names));
        strncat(diagnosis->names, " ", sizeof(diagnosis->names) - 1 - strlen(diagnosis->names));
    }
}

static void a_diagnosis_has_a_line_for_everything_with_a_remedy_where_bad(void **state) {
    struct worker_report probe = {.kind = WORKER_PROBE, .job = 1, .r = UB_E_REFUSED};
    struct world *world = *state;
    struct agent_request *request = NULL;
    struct diagnosis diagnosis = {0};

    report_card(KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT, NULL);
    assert_int_equal(agent_diagnose(world->agent, &root, NULL, on_diagnosis, &diagnosis, &request),
                     0);
    assert_non_null(request);
    report(&probe);
    assert_int_equal(diagnosis.count, 1);
    assert_string_equal(diagnosis.names,
                        "reader card application pin service-68 bsf-name bsf-answer clock ");
    assert_int_equal(diagnosis.bad, 6);
}

static void on_card_check(int r, const struct agent_check *checks, size_t count,
                          const struct failure *failure, void *userdata) {
    unsigned *called = userdata;

    (void)failure;
    assert_int_equal(r, 0);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(checks[i].name, "card") != 0)
            continue;
        (*called)++;
        assert_string_equal(checks[i].text, "no card in the reader");
        assert_string_equal(checks[i].remedy, "insert the SIM");
    }
}

static void a_remedy_is_told_once_and_beside_the_text(void **state) {
    struct worker_report card = {
        .kind = WORKER_CARD, .card = KEYSTRAP_CARD_ABSENT, .r = UICC_E_CARD_ABSENT};
    struct worker_report probe = {.kind = WORKER_PROBE, .job = 1, .r = UB_E_REFUSED};
    struct world *world = *state;
    struct agent_request *request = NULL;
    unsigned called = 0;

    (void)failure_set(&card.failure, card.r, "no card in the reader; insert the SIM");
    report(&card);
    assert_int_equal(agent_diagnose(world->agent, &root, NULL, on_card_check, &called, &request),
                     0);
    report(&probe);
    assert_int_equal(called, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(ten_requests_cause_one_bootstrap),
        CLAIM(a_second_request_asks_neither_card_nor_network),
        CLAIM(force_bootstraps_although_there_is_a_ks),
        CLAIM(expiry_causes_a_new_bootstrap),
        CLAIM(the_timer_erases_a_ks_that_nobody_asks_for),
        CLAIM(the_last_caller_to_leave_cancels_the_bootstrap),
        CLAIM(a_bootstrap_that_was_cancelled_too_late_serves_who_waits_for_the_next),
        CLAIM(a_bootstrap_that_fails_tells_everybody_who_waits),
        CLAIM(a_bsf_that_asks_for_peace_is_not_asked_again_before),
        CLAIM(who_may_manage_tries_before_the_bsfs_time),
        CLAIM(what_one_bsf_asked_for_does_not_bind_the_next),
        CLAIM(without_a_card_the_answer_comes_at_once_and_names_the_cause),
        CLAIM(before_the_card_is_known_a_request_waits),
        CLAIM(who_leaves_before_the_card_is_known_causes_no_bootstrap),
        CLAIM(a_ks_goes_with_its_card),
        CLAIM(a_ks_goes_when_another_card_comes),
        CLAIM(a_ks_goes_when_another_card_comes_that_cannot_be_used),
        CLAIM(a_ks_stays_while_its_own_card_cannot_be_used),
        CLAIM(a_ks_stays_while_the_transport_starts_anew_with_the_same_card),
        CLAIM(a_denied_caller_causes_nothing),
        CLAIM(a_bad_name_or_identifier_is_refused_by_name),
        CLAIM(managing_is_for_who_may),
        CLAIM(a_wrong_reload_changes_nothing),
        CLAIM(a_reload_of_rules_keeps_ks_and_worker),
        CLAIM(a_reload_of_the_bsf_starts_anew_and_keeps_who_waits),
        CLAIM(a_right_that_was_taken_away_gives_no_key_to_who_waited),
        CLAIM(one_user_cannot_take_all_places),
        CLAIM(a_job_that_cannot_be_queued_again_is_answered),
        CLAIM(a_reload_without_a_worker_changes_nothing),
        CLAIM(who_waits_at_the_end_is_told),
        CLAIM(a_diagnosis_has_a_line_for_everything_with_a_remedy_where_bad),
        CLAIM(a_remedy_is_told_once_and_beside_the_text),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
