/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pushed keys.
 *
 * Proved here: a push gives its key to who may have that NAF's keys and to nobody else; what is malformed reaches no card;
 * a push is used once, also when the worker changes; one in GBA_U voids the Ks that was in the card, whoever asked for it.
 */

#include "unit/agent-world.h"

#include "unit/gba-vectors.h"

/* The vector's push with its lifetime far enough in the future for any test run. */
static size_t gpi_octets(uint8_t ret[GPI_MAX]) {
    size_t length = 0;

    assert_int_equal(hex_decode(VECTOR_GPI, ret, GPI_MAX, &length), 0);
    return length;
}

static struct agent_request *push_octets(struct world *world, const struct access_caller *caller,
                                         const uint8_t *octets, size_t length,
                                         struct answer *answer) {
    struct agent_request *request = NULL;

    assert_int_equal(
        agent_push_info(world->agent, caller, octets, length, on_key, answer, &request), 0);
    return request;
}

static struct agent_request *push(struct world *world, struct answer *answer) {
    uint8_t octets[GPI_MAX];

    return push_octets(world, &meter, octets, gpi_octets(octets), answer);
}

/* The card is done with the last push. */
static void report_pushed(int r) {
    struct worker_report told = {.kind = WORKER_PUSH, .r = r, .job = (uint64_t)fake.push_job};

    assert_non_null(fake.push);
    told.push = fake.push;
    fake.push = NULL;
    if (r == 0)
        assert_int_equal(secret_new(NAF_KEY_LENGTH, &told.push->key), 0);
    else
        (void)failure_set(&told.failure, r, "the card said no");
    report(&told);
    worker_push_free(told.push);
}

static int tear_down_push(void **state) {
    fake.push = worker_push_free(fake.push);
    return tear_down(state);
}

static void a_push_gives_its_key_without_a_bsf(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    assert_non_null(push(world, &answer));
    assert_string_equal(fake.push->gpi.naf_fqdn, "naf.example.com");
    assert_int_equal(answer.count, 0);
    report_pushed(0);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.r, 0);
    assert_true(answer.has_key);
    assert_false(answer.bootstrapped);
    assert_string_equal(answer.btid, "push-1@" BSF);
    assert_int_equal(state_of(world), AGENT_CARD_READY); /* nothing is kept */
}

static void who_may_not_have_the_nafs_keys_reaches_no_card(void **state) {
    static const struct access_caller stranger = {.uid = 4712};
    struct world *world = *state;
    struct answer answer = {0};
    uint8_t octets[GPI_MAX];

    report_ready();
    assert_null(push_octets(world, &stranger, octets, gpi_octets(octets), &answer));
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_null(push_octets(world, &root, octets, gpi_octets(octets), &answer));
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_null(fake.push);
    assert_int_equal(fake.jobs, 0);
}

static void what_is_malformed_reaches_no_card(void **state) {
    struct world *world = *state;
    struct answer answer = {0};
    uint8_t octets[GPI_MAX];
    size_t length = gpi_octets(octets);

    report_ready();
    assert_null(push_octets(world, &meter, octets, length - 1, &answer));
    assert_int_equal(answer.r, UB_E_PUSH_MALFORMED);
    assert_null(push_octets(world, &meter, octets, 0, &answer));
    assert_int_equal(answer.count, 2);
    assert_int_equal(fake.jobs, 0);
}

static void what_the_card_says_is_told(void **state) {
    static const int failures[] = {UB_E_PUSH_MAC, UB_E_NETWORK_AUTH, UB_E_RESYNC, UICC_E_SILENT};
    struct world *world = *state;

    report_ready();
    for (size_t i = 0; i < ELEMENTS(failures); i++) {
        struct answer answer = {0};

        assert_non_null(push(world, &answer));
        report_pushed(failures[i]);
        assert_int_equal(answer.r, failures[i]);
        assert_string_equal(answer.text, "the card said no");
    }
}

static void a_right_that_is_revoked_meanwhile_gives_no_key(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    report_ready();
    assert_non_null(push(world, &answer));
    write_file(world, "access.d/meter.conf", "");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    report_pushed(0);
    assert_int_equal(answer.r, ACCESS_E_DENIED);
    assert_false(answer.has_key);
}

static void who_leaves_is_not_answered_and_its_job_cancelled(void **state) {
    struct world *world = *state;
    struct answer answer = {0};

    report_ready();
    agent_request_cancel(push(world, &answer));
    assert_int_equal(fake.cancelled, fake.push_job);
    report_pushed(0);
    assert_int_equal(answer.count, 0);
}

/* The worker before may have given it to the card: a second time, the card would find it used. */
static void a_push_is_not_tried_again_with_another_worker(void **state) {
    struct world *world = *state;
    struct failure failure = {0};
    struct answer answer = {0};

    report_ready();
    assert_non_null(push(world, &answer));
    write_file(world, "keystrap.conf", "[UICC]\nApduTimeoutSec=5\n");
    assert_int_equal(agent_reload(world->agent, &failure), 0);
    assert_int_equal(answer.r, UB_E_CANCELLED);
    assert_non_null(strstr(answer.text, "new one"));
    let_go();
}

/* Also when the push was refused: the card has taken its Ks by then. */
static void a_push_in_gba_u_voids_the_ks_that_was_in_the_card(void **state) {
    struct world *world = *state;
    uint8_t octets[GPI_MAX];
    size_t length = gpi_octets(octets);

    octets[1] = 1;
    for (int r = 0; r < 2; r++) {
        struct worker_report told = {.kind = WORKER_CARD,
                                     .card = KEYSTRAP_CARD_PRESENT,
                                     .resumed = true,
                                     .departures = (uint64_t)r};
        struct answer answer = {0};

        (void)snprintf(told.impi, sizeof(told.impi), "%s", IMPI);
        (void)snprintf(told.result.impi, sizeof(told.result.impi), "%s", IMPI);
        (void)snprintf(told.result.btid, sizeof(told.result.btid), "b@" BSF);
        told.result.mode = GBA_MODE_U;
        told.result.expires_usec = deadline_after(3600 * USEC_PER_SEC);
        report(&told);
        assert_int_equal(state_of(world), AGENT_BOOTSTRAPPED);
        assert_non_null(push_octets(world, &meter, octets, length, &answer));
        report_pushed(r == 0 ? 0 : UB_E_PUSH_MAC);
        assert_int_equal(answer.count, 1);
        assert_int_equal(state_of(world), AGENT_CARD_READY);
    }
}

static void no_memory_for_a_job_is_an_errno(void **state) {
    struct world *world = *state;
    struct agent_request *request = NULL;
    struct answer answer = {0};
    uint8_t octets[GPI_MAX];
    size_t length = gpi_octets(octets);

    report_ready();
    fake.refuse_jobs = true;
    assert_int_equal(
        agent_push_info(world->agent, &meter, octets, length, on_key, &answer, &request), -ENOMEM);
    assert_int_equal(answer.count, 0);
    assert_null(request);
}

#define PUSH_CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down_push)

int main(void) {
    const struct CMUnitTest tests[] = {
        PUSH_CLAIM(a_push_gives_its_key_without_a_bsf),
        PUSH_CLAIM(who_may_not_have_the_nafs_keys_reaches_no_card),
        PUSH_CLAIM(what_is_malformed_reaches_no_card),
        PUSH_CLAIM(what_the_card_says_is_told),
        PUSH_CLAIM(a_right_that_is_revoked_meanwhile_gives_no_key),
        PUSH_CLAIM(who_leaves_is_not_answered_and_its_job_cancelled),
        PUSH_CLAIM(a_push_is_not_tried_again_with_another_worker),
        PUSH_CLAIM(a_push_in_gba_u_voids_the_ks_that_was_in_the_card),
        PUSH_CLAIM(no_memory_for_a_job_is_an_errno),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
