/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent and several cards.
 *
 * Proved here: each card has its own Ks, waiting callers and trouble; who names no card gets the first that is usable; a
 * reload touches only the cards that changed, takes a Ks away only for what a Ks hangs on, and never has two workers at
 * one card nor waits for one.
 */

#include "unit/agent-world.h"

#define TWO \
    "[UICC front]\nReader=front*\n[UICC back]\nReader=back*\n[GBA back]\nBsf=bsf.example.org\n"

static void reload(struct world *world, const char *text) {
    struct failure failure = {0};

    write_file(world, "keystrap.conf", text);
    assert_int_equal(agent_reload(world->agent, &failure), 0);
}

static void reload_and_let_go(struct world *world, const char *text) {
    reload(world, text);
    let_go();
}

static void report_ready_as(const char *name, const char *iccid) {
    use_worker(name);
    report_card(KEYSTRAP_CARD_PRESENT, 0, iccid);
}

static void both_ready(struct world *world) {
    reload_and_let_go(world, TWO);
    report_ready_as("front", "8988211000000000017");
    report_ready_as("back", "8988211000000000025");
}

static void bootstrap(struct world *world, const char *name) {
    struct answer answer = {0};

    ask_card(world, name, "naf.example.com", true, &answer);
    use_worker(name);
    report_bootstrapped(fake.jobs, 60 * USEC_PER_SEC);
    assert_int_equal(answer.r, 0);
}

static void the_cards_of_the_configuration_replace_the_default(void **state) {
    struct world *world = *state;
    struct agent_status status;

    assert_int_equal(agent_cards(world->agent), 1);
    reload_and_let_go(world, TWO);
    assert_int_equal(agent_cards(world->agent), 2);
    agent_get_status(world->agent, 0, &status);
    assert_string_equal(status.name, "front");
    agent_get_status(world->agent, 1, &status);
    assert_string_equal(status.name, "back");
    assert_null(worker_of("default"));
    assert_true(use_worker("front")->released);
    assert_true(use_worker("back")->released);
}

static void each_card_has_a_ks_of_its_own(void **state) {
    struct world *world = *state;
    struct answer front = {0}, back = {0};

    both_ready(world);
    bootstrap(world, "front");
    assert_int_equal(state_of_card(world, 0), AGENT_BOOTSTRAPPED);
    assert_int_equal(state_of_card(world, 1), AGENT_CARD_READY);
    bootstrap(world, "back");
    assert_null(ask_card(world, "front", "naf.example.com", false, &front));
    assert_null(ask_card(world, "back", "naf.example.com", false, &back));
    assert_string_equal(front.btid, "btid-1@" BSF);
    assert_string_equal(back.btid, "btid-2@" BSF);

    /* One is pulled; the other does not mind. */
    use_worker("front");
    report_card(KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT, NULL);
    assert_int_equal(state_of_card(world, 0), AGENT_NO_CARD);
    assert_int_equal(state_of_card(world, 1), AGENT_BOOTSTRAPPED);
}

static void who_waits_for_one_card_is_not_answered_by_the_other(void **state) {
    struct world *world = *state;
    struct answer front = {0}, back = {0};

    both_ready(world);
    ask_card(world, "front", "naf.example.com", false, &front);
    ask_card(world, "back", "naf.example.com", false, &back);
    assert_int_equal(fake.jobs, 2);
    use_worker("back");
    report_failed(2, UB_E_BUSY, 3600 * USEC_PER_SEC);
    assert_int_equal(back.r, UB_E_BUSY);
    assert_int_equal(front.count, 0);
    use_worker("front");
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_int_equal(front.r, 0);
}

static void who_names_no_card_gets_the_first_that_is_usable(void **state) {
    struct world *world = *state;
    struct answer answers[4] = {0};

    reload_and_let_go(world, TWO);
    use_worker("front");
    report_card(KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT, NULL);
    /* Of the second nothing is known yet, and it may be there. */
    assert_non_null(ask(world, "naf.example.com", false, &answers[0]));
    report_ready_as("back", "8988211000000000025");
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    assert_int_equal(answers[0].r, 0);
    assert_null(ask(world, "naf.example.com", false, &answers[1]));
    assert_string_equal(answers[1].btid, "btid-1@" BSF);

    report_ready_as("front", "8988211000000000017");
    assert_non_null(ask(world, "naf.example.com", false, &answers[2]));
    report_bootstrapped(2, 60 * USEC_PER_SEC);
    assert_string_equal(answers[2].btid, "btid-2@" BSF);

    /* With none usable the first says why. */
    report_card(KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT, NULL);
    use_worker("back");
    report_card(KEYSTRAP_CARD_MUTE, UICC_E_SILENT, NULL);
    assert_null(ask(world, "naf.example.com", false, &answers[3]));
    assert_int_equal(answers[3].r, UICC_E_CARD_ABSENT);
}

static void a_card_that_is_not_configured_is_refused_by_name(void **state) {
    struct world *world = *state;
    const struct uicc_identity *identity;
    struct agent_request *request;
    struct failure failure = {0};
    struct answer answer = {0};
    const char *impi;

    assert_null(ask_card(world, "sidecar", "naf.example.com", false, &answer));
    assert_int_equal(answer.r, UICC_E_UNCONFIGURED);
    assert_non_null(strstr(answer.text, "\"sidecar\""));
    assert_int_equal(agent_bootstrap(world->agent, &root, "sidecar", on_key, &answer, &request), 0);
    assert_null(request);
    assert_int_equal(answer.r, UICC_E_UNCONFIGURED);
    assert_int_equal(agent_forget(world->agent, &root, "sidecar", &failure), UICC_E_UNCONFIGURED);
    assert_int_equal(agent_get_identity(world->agent, &root, "sidecar", &identity, &impi, &failure),
                     UICC_E_UNCONFIGURED);
}

static void the_status_tells_of_the_applications(void **state) {
    static const struct {
        struct uicc_identity identity;
        const char *application, *applications, *services;
    } cards[] = {
        {{.application = UICC_USIM, .has_usim = true, .services_length = 9, .services[8] = 8},
         "usim",
         "usim",
         "gba"},
        {{.application = UICC_USIM, .has_usim = true, .has_isim = true, .services_length = 9},
         "usim",
         "usim isim",
         ""},
        {{.application = UICC_ISIM,
          .has_usim = true,
          .has_isim = true,
          .services_length = 1,
          .services[0] = 2},
         "isim",
         "usim isim",
         "gba"},
        /* Its service 68 would be something else. */
        {{.application = UICC_ISIM, .has_isim = true, .services_length = 9, .services[8] = 8},
         "isim",
         "isim",
         ""},
        {{.application = UICC_SIM, .services_length = 9, .services[8] = 8}, "sim", "sim", ""},
        {{.application = UICC_NO_APPLICATION}, "", "", ""},
    };
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(cards); i++) {
        struct worker_report told = {
            .kind = WORKER_CARD, .card = KEYSTRAP_CARD_PRESENT, .identity = cards[i].identity};
        struct agent_status status;

        report(&told);
        agent_get_status(world->agent, 0, &status);
        assert_string_equal(status.application, cards[i].application);
        assert_string_equal(status.applications, cards[i].applications);
        assert_string_equal(status.services, cards[i].services);
        assert_true(status.service_gba == (cards[i].services[0] != '\0'));
        assert_string_equal(status.mode, "auto");
    }
}

static void forget_takes_one_ks_or_all(void **state) {
    struct world *world = *state;
    struct failure failure = {0};

    both_ready(world);
    bootstrap(world, "front");
    bootstrap(world, "back");
    assert_int_equal(agent_forget(world->agent, &root, "back", &failure), 0);
    assert_int_equal(state_of_card(world, 0), AGENT_BOOTSTRAPPED);
    assert_int_equal(state_of_card(world, 1), AGENT_CARD_READY);
    bootstrap(world, "back");
    assert_int_equal(agent_forget(world->agent, &root, NULL, &failure), 0);
    assert_int_equal(secret_arena_used(), 0);
}

static void a_reload_leaves_the_cards_alone_that_did_not_change(void **state) {
    struct world *world = *state;
    struct worker *back;

    both_ready(world);
    bootstrap(world, "front");
    bootstrap(world, "back");
    back = use_worker("back");
    reload(world, "[UICC front]\nReader=*other*\n[UICC back]\nReader=back*\n"
                  "[GBA back]\nBsf=bsf.example.org\nPort=0\n");
    assert_int_equal(state_of_card(world, 0), AGENT_STARTING);
    assert_int_equal(state_of_card(world, 1), AGENT_BOOTSTRAPPED);
    assert_ptr_equal(use_worker("back"), back);
    let_go();
}

static void a_reload_of_a_timeout_keeps_the_ks(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    ask(world, "naf.example.com", false, &answer);
    report_bootstrapped(1, 60 * USEC_PER_SEC);
    reload_and_let_go(world, "[GBA]\nRequestTimeoutSec=3\n");
    assert_int_equal(fake.workers, 2);
    assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
    report_ready();
    assert_null(ask(world, "naf.example.com", false, &answer));
    assert_string_equal(answer.btid, "btid-1@" BSF);
    assert_int_equal(fake.jobs, 1);

    reload_and_let_go(world, "[GBA]\nRequestTimeoutSec=3\nBsf=bsf.example.org\n");
    assert_int_equal(secret_arena_used(), 0);
}

static void a_new_order_of_the_cards_restarts_nothing(void **state) {
    struct world *world = *state;
    struct agent_status status;
    unsigned workers;

    both_ready(world);
    bootstrap(world, "front");
    workers = fake.workers;
    reload(world, "[UICC back]\nReader=back*\n[GBA back]\nBsf=bsf.example.org\n"
                  "[UICC front]\nReader=front*\n");
    assert_int_equal(fake.workers, workers);
    agent_get_status(world->agent, 0, &status);
    assert_string_equal(status.name, "back");
    assert_int_equal(state_of_card(world, 1), AGENT_BOOTSTRAPPED);
}

static void who_waits_for_a_card_that_is_taken_away_is_told(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    both_ready(world);
    bootstrap(world, "back");
    ask_card(world, "back", "naf.example.com", true, &answer);
    reload(world, "[UICC front]\nReader=front*\n");
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, UICC_E_UNCONFIGURED);
    assert_non_null(strstr(answer.text, "\"back\""));
    assert_int_equal(secret_arena_used(), 0);
    assert_int_equal(agent_cards(world->agent), 1);
    let_go();
}

static void no_new_worker_begins_while_one_still_leaves(void **state) {
    struct world *world = *state;

    both_ready(world);
    reload(world, "[UICC front]\nReader=1*\n[UICC side]\nReader=back*\n");
    assert_false(use_worker("front")->released);
    assert_false(use_worker("side")->released); /* it may be the card that "back" is leaving */
    /* And another change before that is done. */
    reload(world, "[UICC front]\nReader=2*\n[UICC side]\nReader=back*\n");
    assert_false(use_worker("front")->released);
    let_go();
    assert_true(use_worker("front")->released);
    assert_true(use_worker("side")->released);
}

static void a_worker_that_cannot_be_started_leaves_all_cards_as_they_were(void **state) {
    struct world *world = *state;
    struct failure failure = {0};

    both_ready(world);
    bootstrap(world, "front");
    fake.refuse_worker = -EAGAIN;
    write_file(world, "keystrap.conf", "[UICC front]\nReader=1*\n[UICC side]\nReader=*\n");
    assert_int_equal(agent_reload(world->agent, &failure), -EAGAIN);
    assert_int_equal(agent_cards(world->agent), 2);
    assert_int_equal(state_of_card(world, 0), AGENT_BOOTSTRAPPED);
    assert_non_null(worker_of("back"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CLAIM(the_cards_of_the_configuration_replace_the_default),
        CLAIM(each_card_has_a_ks_of_its_own),
        CLAIM(who_waits_for_one_card_is_not_answered_by_the_other),
        CLAIM(who_names_no_card_gets_the_first_that_is_usable),
        CLAIM(a_card_that_is_not_configured_is_refused_by_name),
        CLAIM(the_status_tells_of_the_applications),
        CLAIM(forget_takes_one_ks_or_all),
        CLAIM(a_reload_leaves_the_cards_alone_that_did_not_change),
        CLAIM(a_reload_of_a_timeout_keeps_the_ks),
        CLAIM(a_new_order_of_the_cards_restarts_nothing),
        CLAIM(who_waits_for_a_card_that_is_taken_away_is_told),
        CLAIM(no_new_worker_begins_while_one_still_leaves),
        CLAIM(a_worker_that_cannot_be_started_leaves_all_cards_as_they_were),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
