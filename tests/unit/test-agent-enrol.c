/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Enrolments: which method is used, what is kept, and what is done only once.
 *
 * Proved here, with cards and MEF played by the test and with real records: the chain goes on after what cannot be and stops at a
 * refusal; a better method takes over and the worse one is there still when it fails; what was enrolled survives a
 * restart and is not done again; an enrolment token is presented once whatever happens.
 */

#include "unit/enrol-world.h"

static void no_card(void) {
    report_card(KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT, NULL);
}

/* GBA and certificate fail, the pre-shared key works. */
static void enrol_by_psk(struct world *world, unsigned number, int64_t life_sec) {
    struct answer answer;

    assert_non_null(enrol(world, true, &answer));
    assert_int_equal(mef_job()->method, ENROL_CERTIFICATE);
    mef_ends(HTTP_E_OWN_EXPIRED);
    assert_int_equal(mef_job()->method, ENROL_PSK);
    mef_registers(number, life_sec);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, 0);
}

static void each_method_that_cannot_be_lets_the_next_try(void **state) {
    struct world *world = *state;
    struct agent_enrol_status status;
    struct answer answer;

    no_card();
    assert_non_null(want_key(world, "km", 0, &answer));
    assert_int_equal(mef_job()->method, ENROL_CERTIFICATE);
    mef_ends(HTTP_E_OWN_EXPIRED);
    assert_int_equal(mef_job()->method, ENROL_PSK);
    assert_int_equal(answer.count, 0);
    mef_registers(7, 3600);

    assert_int_equal(answer.r, 0);
    assert_true(answer.has_key);
    assert_string_equal(answer.btid, "7@mef.example.com");
    status = enrol_status(world);
    assert_int_equal(status.state, AGENT_ENROLLED);
    assert_string_equal(status.method, "psk");
    assert_int_equal(status.methods[0].verdict, AGENT_ENROL_NOT_NOW);
    assert_int_equal(status.methods[0].code, UICC_E_CARD_ABSENT);
    assert_int_equal(status.methods[1].verdict, AGENT_ENROL_NEVER);
    assert_int_equal(status.methods[1].code, HTTP_E_OWN_EXPIRED);
    assert_int_equal(status.methods[2].verdict, AGENT_ENROL_WORKED);
    /* The card may come. */
    assert_int_not_equal(status.retry_usec, 0);
}

static void a_refusal_is_not_gone_around(void **state) {
    struct world *world = *state;
    struct answer answer;

    no_card();
    assert_non_null(want_key(world, "km", 0, &answer));
    mef_ends(MEF_E_REFUSED);
    assert_null(mef.run);
    assert_int_equal(answer.r, ENROL_E_METHODS);
    assert_non_null(strstr(answer.text, "certificate: the MEF's part"));
    assert_int_equal(enrol_status(world).state, AGENT_ENROL_FAILED);
    assert_int_equal(enrol_status(world).methods[1].verdict, AGENT_ENROL_REFUSED);
    assert_int_equal(enrol_status(world).methods[2].verdict, AGENT_ENROL_UNTRIED);
}

static void a_profile_may_have_a_refusal_gone_around(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer;

    write_profile(world, "certificate psk", "AfterRefusal=next\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    assert_non_null(want_key(world, "km", 0, &answer));
    mef_ends(MEF_E_REFUSED);
    mef_registers(1, 3600);
    assert_int_equal(answer.r, 0);
}

static void who_asks_again_after_a_failure_gets_it_again_and_the_mef_has_peace(void **state) {
    struct world *world = *state;
    struct answer answer;

    no_card();
    assert_non_null(want_key(world, "km", 0, &answer));
    mef_ends(MEF_E_BUSY);
    mef_ends(MEF_E_BUSY);
    assert_int_equal(answer.r, ENROL_E_METHODS);
    assert_int_equal(mef.started, 2);
    assert_null(want_key(world, "km", 0, &answer));
    assert_int_equal(answer.r, ENROL_E_METHODS);
    assert_int_equal(mef.started, 2);
    /* Who may manage tries at once. */
    assert_non_null(enrol(world, false, &answer));
    assert_int_equal(mef.started, 3);
    mef_ends(HTTP_E_OWN_EXPIRED);
    mef_registers(1, 3600);
}

static void an_enrolment_survives_a_restart_and_is_not_done_again(void **state) {
    struct world *world = *state;
    struct answer answer;

    no_card();
    enrol_by_psk(world, 3, 3600);
    restart_agent(world);
    assert_string_equal(enrol_status(world).method, "psk");
    assert_null(want_key(world, "km", 0, &answer));
    assert_int_equal(answer.r, 0);
    assert_true(answer.has_key);
    assert_string_equal(answer.btid, "3@mef.example.com");
    assert_int_equal(mef.started, 2);
}

static void another_target_or_mef_makes_it_another_enrolment(void **state) {
    struct world *world = *state;
    char text[1024];

    no_card();
    enrol_by_psk(world, 3, 3600);
    (void)snprintf(text, sizeof(text),
                   "[Enrolment]\nMethods=psk\nMef=https://other.example.com\nTarget=" MAF
                   "\nIdentity=Cgateway\n[Psk]\nKpmId=10-gateway@other.example.com\n"
                   "Kpm=credential:kpm\n");
    write_file(world, "enrol.d/water.conf", text);
    restart_agent(world);
    assert_int_equal(enrol_status(world).state, AGENT_ENROL_IDLE);
}

static void gba_takes_over_as_soon_as_the_card_is_there(void **state) {
    struct world *world = *state;
    struct answer answer;

    no_card();
    enrol_by_psk(world, 3, 3600);
    report_ready();
    /* The bootstrap is under way; until then it goes on as before. */
    assert_string_equal(enrol_status(world).method, "psk");
    report_bootstrapped(fake.jobs, 3600 * USEC_PER_SEC);
    assert_string_equal(enrol_status(world).method, "gba");
    assert_string_equal(enrol_status(world).ke_id, "btid-1@" BSF);
    assert_null(want_key(world, "km", 0, &answer));
    assert_int_equal(answer.r, 0);
    assert_string_equal(answer.btid, "btid-1@" BSF);
    assert_int_equal(mef.started, 2);
}

static void what_the_mef_gave_serves_again_when_gba_fails(void **state) {
    struct world *world = *state;
    struct answer answer;

    no_card();
    enrol_by_psk(world, 3, 3600);
    report_ready();
    report_bootstrapped(fake.jobs, 3600 * USEC_PER_SEC);
    no_card(); /* and the Ks is gone with it */
    assert_non_null(want_key(world, "km", 0, &answer));
    /* The certificate is worth a try, for another one may be there by now. */
    mef_ends(HTTP_E_OWN_EXPIRED);
    assert_int_equal(answer.r, 0);
    assert_string_equal(answer.btid, "3@mef.example.com");
    assert_int_equal(mef.started, 3);
}

static void with_gba_there_is_no_usage_constrained_key(void **state) {
    struct world *world = *state;
    struct answer answer;

    report_ready();
    assert_non_null(want_key(world, "usage", 22, &answer));
    report_bootstrapped(fake.jobs, 3600 * USEC_PER_SEC);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, ENROL_E_KIND);
}

static void keys_of_usages_differ_and_need_a_right_each(void **state) {
    struct world *world = *state;
    struct answer answer;

    no_card();
    enrol_by_psk(world, 3, 3600);
    assert_null(want_key(world, "usage", 22, &answer));
    assert_int_equal(answer.r, 0);
    assert_true(answer.has_key);
    assert_null(want_key(world, "usage", 23, &answer));
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_null(want_key(world, "kpsa", 0, &answer));
    assert_int_equal(answer.r, ENROL_E_KIND);
    assert_null(want_key(world, "kc", 0, &answer));
    assert_int_equal(answer.r, ENROL_E_KIND);
}

static void who_has_no_rule_gets_nothing_and_learns_nothing(void **state) {
    struct world *world = *state;
    const struct access_caller stranger = {.uid = 4712};
    const struct agent_key_wish known = {.kind = "km", .peer = MAF};
    const struct agent_key_wish unknown = {.kind = "km", .peer = "other.example.com"};
    struct agent_request *request = NULL;
    struct answer answer = {0};

    assert_int_equal(agent_get_key(world->agent, &stranger, &known, on_key, &answer, &request), 0);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_int_equal(agent_get_key(world->agent, &stranger, &unknown, on_key, &answer, &request),
                     0);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_int_equal(
        agent_enrol(world->agent, &stranger, "water", false, on_key, &answer, &request), 0);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_int_equal(mef.started, 0);
    assert_int_equal(answer.count, 3);
}

static void a_profile_that_is_wrong_leaves_all_as_it_was(void **state) {
    static const char bad[] = "[Enrolment]\nMethods=gba\nTarget=maf.example.org\nSuid=7\n";
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer;

    no_card();
    enrol_by_psk(world, 3, 3600);
    write_file(world, "enrol.d/gas.conf", bad);
    write_file(world, "access.d/meter.conf", "[Principal meter]\nUser=4711\nManage=no\n");
    assert_int_equal(agent_reload(world->agent, &failure), -EINVAL);
    assert_non_null(strstr(failure.text, "enrol.d/gas.conf:4: [Enrolment] Suid=: out of range"));
    assert_int_equal(agent_enrolments(world->agent), 1);
    assert_null(want_key(world, "km", 0, &answer));
    assert_int_equal(answer.r, 0);
    assert_string_equal(answer.btid, "3@mef.example.com");
}

/* meter asks for a key with @peer, as it writes it. */
static void want_key_with(struct world *world, const char *kind, const char *peer,
                          struct answer *answer) {
    const struct agent_key_wish wish = {.kind = kind, .peer = peer};
    struct agent_request *request = NULL;

    *answer = (struct answer){0};
    assert_int_equal(agent_get_key(world->agent, &meter, &wish, on_key, answer, &request), 0);
    assert_null(request);
}

static void a_maf_is_the_same_in_every_spelling_of_its_name(void **state) {
    static const char *const spellings[] = {"MAF.example.com", "maf.example.com.",
                                            "\xef\xbc\xad\xef\xbc\xa1\xef\xbc\xa6.example.com"};
    struct world *world = *state;
    struct answer answer;

    no_card();
    enrol_by_psk(world, 3, 3600);
    for (size_t i = 0; i < ELEMENTS(spellings); i++) {
        want_key_with(world, "km", spellings[i], &answer);
        assert_int_equal(answer.r, 0);
        assert_true(answer.has_key);
    }
}

/* The rule is for another Enrolee, whose identifier differs in case alone. */
static void a_right_to_one_enrolee_is_none_to_another_in_upper_case(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer;

    no_card();
    write_file(world, "enrol.d/water.conf",
               "[Enrolment]\nMethods=gba psk\nMef=https://mef.example.com\nIdentity=Cgateway\n"
               "Target=//sp.example/Cb\nTargetFqdn=cb.sp.example\n[Psk]\nKpmId=k\nKpm=/k\n");
    write_file(world, "access.d/meter.conf",
               "[Principal meter]\nUser=4711\nPeer=//SP.example/CB\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    assert_non_null(enrol(world, true, &answer));
    mef_registers(3, 3600);
    assert_int_equal(answer.r, 0);
    want_key_with(world, "kpsa", "//SP.example/CB", &answer);
    assert_int_equal(answer.r, ENROL_E_UNCONFIGURED);
    assert_false(answer.has_key);
    want_key_with(world, "kpsa", "//sp.example/Cb", &answer);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_false(answer.has_key);
}

static void a_right_that_is_revoked_while_it_waits_gives_no_key(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer;

    no_card();
    assert_non_null(want_key(world, "km", 0, &answer));
    write_file(world, "access.d/meter.conf", "[Principal meter]\nUser=4711\nManage=no\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    mef_ends(HTTP_E_OWN_EXPIRED);
    mef_registers(3, 3600);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
}

static void without_a_sealing_key_no_mef_is_asked(void **state) {
    struct world *world = *state;
    struct answer answer;

    world->agent = agent_free(world->agent);
    start_agent(world, false);
    no_card();
    assert_null(want_key(world, "km", 0, &answer));
    assert_int_equal(answer.r, ENROL_E_METHODS);
    assert_non_null(strstr(answer.text, "sealing-key"));
    assert_int_equal(mef.started, 0);
}

static void who_leaves_is_not_answered_and_the_enrolment_goes_on(void **state) {
    struct world *world = *state;
    struct agent_request *request;
    struct answer answer, other;

    no_card();
    request = want_key(world, "km", 0, &answer);
    assert_non_null(request);
    assert_non_null(want_key(world, "km", 0, &other));
    agent_request_cancel(request);
    mef_ends(HTTP_E_OWN_EXPIRED);
    mef_registers(3, 3600);
    assert_int_equal(answer.count, 0);
    assert_int_equal(other.r, 0);
    assert_int_equal(mef.started, 2);
}

static void what_is_forgotten_is_gone_from_disk_and_the_mef_is_told(void **state) {
    struct world *world = *state;
    struct failure failure = {0};

    no_card();
    enrol_by_psk(world, 3, 3600);
    assert_int_equal(agent_enrol_forget(world->agent, &meter, "water", &failure), ACCESS_E_DENIED);
    failure_clear(&failure);
    assert_int_equal(agent_enrol_forget(world->agent, &root, "water", &failure), 0);
    assert_int_equal(mef_job()->kind, ENROL_JOB_DEREGISTER);
    assert_string_equal(mef_job()->client_reg_id, "reg-3");
    mef_ends(0);
    assert_int_equal(enrol_status(world).state, AGENT_ENROL_IDLE);
    restart_agent(world);
    assert_int_equal(enrol_status(world).state, AGENT_ENROL_IDLE);
}

static void a_registration_that_is_over_on_arrival_is_none(void **state) {
    struct world *world = *state;
    struct answer answer;

    no_card();
    assert_non_null(want_key(world, "km", 0, &answer));
    mef_ends(HTTP_E_OWN_EXPIRED);
    mef_registers(3, -1);
    assert_int_equal(answer.r, ENROL_E_METHODS);
    assert_int_equal(enrol_status(world).methods[2].code, MEF_E_LIFETIME);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ENROL_CLAIM(each_method_that_cannot_be_lets_the_next_try),
        ENROL_CLAIM(a_refusal_is_not_gone_around),
        ENROL_CLAIM(a_profile_may_have_a_refusal_gone_around),
        ENROL_CLAIM(who_asks_again_after_a_failure_gets_it_again_and_the_mef_has_peace),
        ENROL_CLAIM(an_enrolment_survives_a_restart_and_is_not_done_again),
        ENROL_CLAIM(another_target_or_mef_makes_it_another_enrolment),
        ENROL_CLAIM(gba_takes_over_as_soon_as_the_card_is_there),
        ENROL_CLAIM(what_the_mef_gave_serves_again_when_gba_fails),
        ENROL_CLAIM(with_gba_there_is_no_usage_constrained_key),
        ENROL_CLAIM(keys_of_usages_differ_and_need_a_right_each),
        ENROL_CLAIM(who_has_no_rule_gets_nothing_and_learns_nothing),
        ENROL_CLAIM(a_profile_that_is_wrong_leaves_all_as_it_was),
        ENROL_CLAIM(a_maf_is_the_same_in_every_spelling_of_its_name),
        ENROL_CLAIM(a_right_to_one_enrolee_is_none_to_another_in_upper_case),
        ENROL_CLAIM(a_right_that_is_revoked_while_it_waits_gives_no_key),
        ENROL_CLAIM(without_a_sealing_key_no_mef_is_asked),
        ENROL_CLAIM(who_leaves_is_not_answered_and_the_enrolment_goes_on),
        ENROL_CLAIM(what_is_forgotten_is_gone_from_disk_and_the_mef_is_told),
        ENROL_CLAIM(a_registration_that_is_over_on_arrival_is_none),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
