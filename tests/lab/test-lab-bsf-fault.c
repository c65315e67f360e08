/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each fault of the lab's BSF shows what its name says, as often as it was asked for, and nothing of it stays
 * behind. A test elsewhere that orders a fault relies on this.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "bsf.h"
#include "control.h"
#include "lab-client.h"

#define BRIEF_MSEC 300

struct fixture {
    struct lab_subscribers subscribers;
    struct client_process bsf;
    struct ue ue;
    struct client_answer answer;
    struct lab_digest challenge;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    char error[512];

    assert_non_null(f);
    assert_int_equal(lab_subscribers_load(LAB_CONF, &f->subscribers, error, sizeof(error)), 0);
    client_start(&f->bsf, true, NULL);
    ue_init(&f->ue, &f->bsf, lab_subscribers_by_name(&f->subscribers, "gateway"));
    *state = f;
    return 0;
}

/* Whatever was ordered, the BSF is a good one again once it is cleared. */
static int tear_down(void **state) {
    char btid[BSF_BTID_SIZE];
    struct fixture *f = *state;

    client_answer_done(&f->answer);
    client_control(&f->bsf, "clear", NULL, 0);
    f->ue.timeout_msec = 0;
    f->ue.qop = "auth-int";
    ue_bootstrap(&f->ue, btid, sizeof(btid));
    client_stop(&f->bsf);
    lab_subscribers_done(&f->subscribers);
    free(f);
    return 0;
}

static void order(const struct fixture *f, const char *command) {
    client_control(&f->bsf, command, NULL, 0);
}

static void ask(struct fixture *f) {
    client_answer_done(&f->answer);
    ue_ask(&f->ue, &f->answer);
}

/* Ask, and let the card look at the challenge. */
static enum ue_verdict ask_card(struct fixture *f) {
    uint8_t auts[MILENAGE_AUTS];

    ask(f);
    return ue_card(&f->ue, &f->answer, &f->challenge, auts);
}

/* A whole bootstrap, up to the final answer. */
static void finish(struct fixture *f) {
    const struct ue_reply reply = {.challenge = &f->challenge};

    assert_int_equal(ask_card(f), UE_FRESH);
    client_answer_done(&f->answer);
    ue_answer(&f->ue, &reply, &f->answer);
}

static time_t element_time(const struct fixture *f, const char *name) {
    struct tm tm = {0};
    char text[64];

    ue_element(f->answer.body, name, text, sizeof(text));
    assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm));
    return timegm(&tm);
}

static uint64_t monotonic_msec(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void status_answers_with_that_status(void **state) {
    struct fixture *f = *state;

    order(f, "fault status 503 30 x1");
    ask(f);
    assert_int_equal(f->answer.status, 503);
    assert_string_equal(f->answer.retry_after, "30");
    ask(f);
    assert_int_equal(f->answer.status, 401);

    order(f, "fault status 500");
    for (int i = 0; i < 3; i++) {
        ask(f);
        assert_int_equal(f->answer.status, 500);
        assert_null(f->answer.retry_after);
    }
    order(f, "clear status");
    ask(f);
    assert_int_equal(f->answer.status, 401);
}

static void slow_answers_late_and_delays_nobody_else(void **state) {
    struct fixture *f = *state;
    uint64_t began = monotonic_msec();

    order(f, "fault slow 300 x1");
    ask(f);
    assert_int_equal(f->answer.status, 401);
    assert_true(monotonic_msec() - began >= BRIEF_MSEC);

    /* One client gives up on an answer of ten minutes; the next is served meanwhile. */
    order(f, "fault slow 600000 x1");
    f->ue.timeout_msec = BRIEF_MSEC;
    ask(f);
    assert_int_equal(f->answer.error, CURLE_OPERATION_TIMEDOUT);
    f->ue.timeout_msec = 0;
    ask(f);
    assert_int_equal(f->answer.status, 401);
}

static void hang_never_answers(void **state) {
    struct fixture *f = *state;

    order(f, "fault hang x1");
    f->ue.timeout_msec = BRIEF_MSEC;
    ask(f);
    assert_int_equal(f->answer.error, CURLE_OPERATION_TIMEDOUT);
    assert_int_equal(f->answer.status, 0);
}

static void garbage_is_no_http(void **state) {
    struct fixture *f = *state;

    order(f, "fault garbage x1");
    ask(f);
    assert_int_not_equal(f->answer.error, CURLE_OK);
    assert_int_not_equal(f->answer.error, CURLE_OPERATION_TIMEDOUT);
}

static void body_garbage_is_proven_but_no_xml(void **state) {
    struct fixture *f = *state;

    order(f, "fault body-garbage");
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_null(strstr(f->answer.body, "</BootstrappingInfo>"));
    assert_true(ue_rspauth_is_right(&f->ue, &f->challenge, &f->answer));
}

static void no_rspauth_leaves_the_proof_out(void **state) {
    struct fixture *f = *state;

    order(f, "fault no-rspauth");
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_null(f->answer.info);
}

static void wrong_rspauth_is_a_false_proof(void **state) {
    struct fixture *f = *state;

    order(f, "fault wrong-rspauth");
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_false(ue_rspauth_is_right(&f->ue, &f->challenge, &f->answer));
}

static void wrong_mac_is_not_of_the_home_network(void **state) {
    struct fixture *f = *state;

    order(f, "fault wrong-mac");
    assert_int_equal(ask_card(f), UE_FALSE);
}

static void stale_sqn_makes_the_card_ask_for_resynchronisation(void **state) {
    struct fixture *f = *state;
    struct client_answer answer = {0};
    uint8_t auts[MILENAGE_AUTS];
    const struct ue_reply resync = {.challenge = &f->challenge, .auts = auts};

    order(f, "fault stale-sqn x1");
    ask(f);
    assert_int_equal(ue_card(&f->ue, &f->answer, &f->challenge, auts), UE_STALE);
    ue_answer(&f->ue, &resync, &answer);
    assert_int_equal(ue_card(&f->ue, &answer, &f->challenge, auts), UE_FRESH);
    client_answer_done(&answer);
}

/* After AUTS too, where a correct BSF must send another one. */
static void same_nonce_repeats_the_last_challenge(void **state) {
    struct fixture *f = *state;
    struct client_answer answer = {0};
    uint8_t auts[MILENAGE_AUTS];
    const struct ue_reply resync = {.challenge = &f->challenge, .auts = auts};

    order(f, "fault stale-sqn x1");
    ask(f);
    assert_int_equal(ue_card(&f->ue, &f->answer, &f->challenge, auts), UE_STALE);
    order(f, "fault same-nonce x1");
    ue_answer(&f->ue, &resync, &answer);
    assert_int_equal(answer.status, 401);
    assert_string_equal(answer.challenge, f->answer.challenge);
    client_answer_done(&answer);
}

static void no_currenttime_leaves_the_date_alone(void **state) {
    struct fixture *f = *state;

    order(f, "fault no-currenttime");
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_null(strstr(f->answer.body, "currenttime"));
    assert_non_null(f->answer.date);
}

static void no_date_leaves_currenttime_alone(void **state) {
    struct fixture *f = *state;

    order(f, "fault no-date");
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_null(f->answer.date);
    assert_int_equal(element_time(f, "lifetime") - element_time(f, "currenttime"), 3600);
}

/* All clocks that a client is shown go together; the duration is what it was. */
static void clock_skew_moves_every_time(void **state) {
    struct fixture *f = *state;

    order(f, "fault clock-skew -100000000");
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_true(labs(element_time(f, "currenttime") + 100000000 - time(NULL)) < 60);
    assert_int_equal(curl_getdate(f->answer.date, NULL), element_time(f, "currenttime"));
    assert_int_equal(element_time(f, "lifetime") - element_time(f, "currenttime"), 3600);
}

static void lifetime_is_what_was_ordered(void **state) {
    struct fixture *f = *state;

    order(f, "fault lifetime 5");
    finish(f);
    assert_int_equal(element_time(f, "lifetime") - element_time(f, "currenttime"), 5);
    order(f, "fault lifetime -5");
    finish(f);
    assert_int_equal(element_time(f, "lifetime") - element_time(f, "currenttime"), -5);
}

static void no_challenge_is_a_bare_401(void **state) {
    struct fixture *f = *state;

    order(f, "fault no-challenge");
    ask(f);
    assert_int_equal(f->answer.status, 401);
    assert_null(f->answer.challenge);
}

/* A proof that is right, but not of the body. */
static void auth_only_offers_no_more_and_takes_no_more(void **state) {
    const struct ue_reply more = {.challenge = &((struct fixture *)*state)->challenge,
                                  .qop = "auth-int"};
    struct fixture *f = *state;

    order(f, "fault auth-only x2");
    f->ue.qop = "auth";
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_true(ue_rspauth_is_right(&f->ue, &f->challenge, &f->answer));
    f->answer.body[0] ^= 1;
    assert_true(ue_rspauth_is_right(&f->ue, &f->challenge, &f->answer));

    assert_int_equal(ask_card(f), UE_FRESH);
    client_answer_done(&f->answer);
    ue_answer(&f->ue, &more, &f->answer);
    assert_int_equal(f->answer.status, 400);
}

static void redirect_points_elsewhere(void **state) {
    struct fixture *f = *state;

    order(f, "fault redirect");
    ask(f);
    assert_int_equal(f->answer.status, 302);
    assert_string_equal(f->answer.location, "http://elsewhere.invalid/");
}

static void big_body_is_big_and_otherwise_right(void **state) {
    struct fixture *f = *state;

    order(f, "fault big-body");
    finish(f);
    assert_int_equal(f->answer.status, 200);
    assert_true(f->answer.body_length > BSF_BIG_BODY);
    assert_true(ue_rspauth_is_right(&f->ue, &f->challenge, &f->answer));
    assert_non_null(strstr(f->answer.body, "</BootstrappingInfo>"));
}

static void an_order_that_makes_no_sense_is_refused(void **state) {
    static const char *const bad[] = {
        "fault",           "fault nothing",  "fault status",         "fault status 99",
        "fault status x1", "fault status a", "fault hang 1",         "fault slow -1",
        "fault slow 1 2",  "fault hang x0",  "fault status 503 1 2", "clear nothing",
    };
    struct fixture *f = *state;
    char answer[CONTROL_LINE_MAX];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            control_ask(f->bsf.control, bad[i], CLIENT_WAIT_MSEC, answer, sizeof(answer)), 1);
    ask(f);
    assert_int_equal(f->answer.status, 401);
}

static void counts_and_times_are_of_what_happened(void **state) {
    struct fixture *f = *state;
    char text[CONTROL_LINE_MAX], btid[BSF_BTID_SIZE];

    order(f, "fault slow 50 x1");
    ue_bootstrap(&f->ue, btid, sizeof(btid));
    assert_int_equal(client_count(&f->bsf, "requests "), 2);
    assert_int_equal(client_count(&f->bsf, "challenges "), 1);
    client_control(&f->bsf, "bootstraps", text, sizeof(text));
    assert_string_equal(strpbrk(text, "0123456789"), "1");
    client_control(&f->bsf, "btid", text, sizeof(text));
    assert_non_null(strstr(text, btid));
    client_control(&f->bsf, "usec", text, sizeof(text));
    assert_true(strtoull(strpbrk(text, "0123456789"), NULL, 10) >= 50000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(status_answers_with_that_status),
        TEST(slow_answers_late_and_delays_nobody_else),
        TEST(hang_never_answers),
        TEST(garbage_is_no_http),
        TEST(body_garbage_is_proven_but_no_xml),
        TEST(no_rspauth_leaves_the_proof_out),
        TEST(wrong_rspauth_is_a_false_proof),
        TEST(wrong_mac_is_not_of_the_home_network),
        TEST(stale_sqn_makes_the_card_ask_for_resynchronisation),
        TEST(same_nonce_repeats_the_last_challenge),
        TEST(no_currenttime_leaves_the_date_alone),
        TEST(no_date_leaves_currenttime_alone),
        TEST(clock_skew_moves_every_time),
        TEST(lifetime_is_what_was_ordered),
        TEST(no_challenge_is_a_bare_401),
        TEST(auth_only_offers_no_more_and_takes_no_more),
        TEST(redirect_points_elsewhere),
        TEST(big_body_is_big_and_otherwise_right),
        TEST(an_order_that_makes_no_sense_is_refused),
        TEST(counts_and_times_are_of_what_happened),
    };
    int r;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return r;
}
