/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd is killed at every moment of an enrolment, with an enrolment token that is good for one presentation.
 *
 * Proved here: whatever the moment, the next keystrapd enrols, no token is presented twice, and the key that an application gets
 * is the one that the MEF has.
 */

#include "enrolment.h"

#include <poll.h>

#define TOKEN_FILE WORLD_SCRATCH "/token"
#define MOMENTS    24u
#define STEP_MSEC  3u /* an enrolment takes some 50 ms */

/* A new token, at the MEF and for keystrapd. */
static void give_token(struct enrolment *enrolment, unsigned number) {
    struct world *world = enrolment->gateway.world;
    char command[160], reply[64];

    (void)snprintf(command, sizeof(command), "token gateway.example.com token-number-%04u", number);
    assert_int_equal(world_ctl(enrolment->mef, command, reply, sizeof(reply)), 0);
    (void)snprintf(command, sizeof(command),
                   "umask 077; rm -f " TOKEN_FILE "; printf token-number-%04u >" TOKEN_FILE,
                   number);
    assert_int_equal(world_call_as(world, WORLD_USER_KEYSTRAP,
                                   (const char *const[]){"/bin/sh", "-c", command, NULL}, NULL, 0),
                     0);
    free(gateway_reload(&enrolment->gateway));
}

static void start_again(struct enrolment *enrolment) {
    assert_int_equal(world_signal(enrolment->gateway.keystrapd, SIGKILL), 0);
    assert_int_equal(world_wait(enrolment->gateway.keystrapd, WORLD_WAIT_MSEC), 0);
    enrolment->gateway.keystrapd = world_start_keystrapd(enrolment->gateway.world, NULL);
    assert_non_null(enrolment->gateway.keystrapd);
}

static void killed_at_any_moment_it_enrols_and_no_token_is_presented_twice(void **state) {
    const char *const renew[] = {"keystrapctl", "renew", "water", NULL};
    struct world *world = *state;
    struct enrolment enrolment;
    unsigned unfinished = 0;
    char key[256];

    enrolment_start(&enrolment, world, "psk", "https", "gateway",
                    "[Token]\nToken=" TOKEN_FILE "\n[Enrolment]");
    for (unsigned i = 0; i < MOMENTS; i++) {
        struct world_process *ctl;

        give_token(&enrolment, i);
        ctl = world_start_as(world, WORLD_USER_ROOT, renew);
        assert_non_null(ctl);
        (void)poll(NULL, 0, (int)(i * STEP_MSEC));
        start_again(&enrolment);
        assert_int_equal(world_wait(ctl, WORLD_WAIT_MSEC), 0);
        unfinished += world_exit_code(ctl) != 0;

        if (enrolment_enrol(&enrolment, true) != 0)
            fail_msg("killed after %u ms it does not enrol", i * STEP_MSEC);
        assert_int_equal(enrolment_ask(&enrolment, WORLD_USER_METER, "km", NULL, key, sizeof(key)),
                         0);
        assert_true(enrolment_mef_has(&enrolment, key, "usage", "21"));
        assert_int_equal(gateway_count(enrolment.mef, "token-refusals"), 0);
        assert_int_equal(gateway_count(enrolment.mef, "tokens"), i + 1);
    }
    /* Or no moment was before the end. */
    assert_true(unfinished > 0);
    fprintf(stderr, "%u of %u were killed before the end\n", unfinished, MOMENTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_it_enrols_and_no_token_is_presented_twice),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
