/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Commands on the wire and answers in every shape (TS 102 221 7.3.1, ISO/IEC 7816-3 12.1).
 *
 * Each test is a script of exact octets: what may go out, and what comes back. The same data comes out
 * whatever shape it came in.
 */

#include <errno.h>

#include "fake-card.h"
#include "secret.h"
#include "apdu.h"

static const uint8_t fid[] = {0x3f, 0x00};
static const struct apdu case1 = {.ins = 0x70, .p1 = 0x80, .p2 = 0x01, .le = APDU_NO_LE};
static const struct apdu case2 = {.ins = 0xb0, .le = 9};
static const struct apdu case3 = {
    .cla = 0x01, .ins = 0xd6, .data = fid, .length = sizeof(fid), .le = APDU_NO_LE};
static const struct apdu case4 = {
    .cla = 0x01, .ins = 0xa4, .p2 = 0x04, .data = fid, .length = sizeof(fid), .le = 0};

static int exchange(const struct apdu *apdu, const struct fake_step *steps, size_t count,
                    struct apdu_answer *answer, struct failure *failure) {
    struct fake_script script;
    int r;

    fake_script_init(&script, steps, count);
    r = apdu_exchange(&script.transport, apdu, answer, failure);
    fake_script_assert_done(&script);
    return r;
}

#define SAY(command, response) \
    { command, response, 0 }
#define EXCHANGE(apdu, answer, failure, ...)                \
    exchange(apdu, (const struct fake_step[]){__VA_ARGS__}, \
             ELEMENTS(((const struct fake_step[]){__VA_ARGS__})), answer, failure)

static void assert_answer(const struct apdu_answer *answer, const char *hex, uint16_t sw) {
    uint8_t data[2048];
    size_t length = fake_hex(hex, data, sizeof(data));

    assert_int_equal(answer->length, length);
    assert_memory_equal(secret_data(answer->data), data, length);
    assert_int_equal(answer->sw, sw);
}

static void test_class_carries_the_channel(void **state) {
    (void)state;
    assert_int_equal(apdu_class(0x00, 0), 0x00);
    assert_int_equal(apdu_class(0x00, 3), 0x03);
    assert_int_equal(apdu_class(0x80, 2), 0x82);
    assert_int_equal(apdu_class(0x00, 4), 0x40);
    assert_int_equal(apdu_class(0x00, UICC_CHANNEL_MAX), 0x4f);
    assert_int_equal(apdu_class(0x80, 5), 0xc1);
}

static void test_four_cases_on_the_wire(void **state) {
    struct apdu longest = case4, all = case2;
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    uint8_t data[256] = {0};
    char hex[2 * APDU_COMMAND_MAX + 1] = "01a40004ff";

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    assert_int_equal(EXCHANGE(&case1, &answer, NULL, SAY("00708001", "9000")), 0);
    assert_int_equal(EXCHANGE(&case2, &answer, NULL, SAY("00b0000009", "9000")), 0);
    assert_int_equal(EXCHANGE(&case3, &answer, NULL, SAY("01d60000023f00", "9000")), 0);
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY("01a40004023f0000", "9000")), 0);
    all.le = 0;
    assert_int_equal(EXCHANGE(&all, &answer, NULL, SAY("00b0000000", "9000")), 0);
    all.le = 255;
    assert_int_equal(EXCHANGE(&all, &answer, NULL, SAY("00b00000ff", "9000")), 0);

    longest.data = data;
    longest.length = 255;
    memset(hex + 10, '0', 2 * 255 + 2);
    assert_int_equal(EXCHANGE(&longest, &answer, NULL, SAY(hex, "9000")), 0);
    longest.length = 256;
    assert_int_equal(apdu_exchange(NULL, &longest, &answer, NULL), -EINVAL);
    longest.length = 1;
    longest.data = NULL;
    assert_int_equal(apdu_exchange(NULL, &longest, &answer, NULL), -EINVAL);
}

static void test_data_at_once(void **state) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY(NULL, "620282009000")), 0);
    assert_answer(&answer, "62028200", 0x9000);
    /* Data whose first octets look like a status word, and data of 256 octets. */
    assert_int_equal(EXCHANGE(&case2, &answer, NULL, SAY(NULL, "610261029000")), 0);
    assert_answer(&answer, "61026102", 0x9000);
    assert_int_equal(EXCHANGE(&case2, &answer, NULL, SAY(NULL, "919110")), 0);
    assert_answer(&answer, "91", 0x9110);
}

static void test_data_is_fetched_with_get_response(void **state) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct apdu proprietary = case4;

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    /* On the same channel, as many octets as the card says. */
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY("01a40004023f0000", "6104"),
                              SAY("01c0000004", "620282009000")),
                     0);
    assert_answer(&answer, "62028200", 0x9000);
    /* The SIM's form of the same; and in pieces, one of them with the first answer. */
    assert_int_equal(
        EXCHANGE(&case4, &answer, NULL, SAY(NULL, "9f02"), SAY("01c0000002", "aabb9000")), 0);
    assert_answer(&answer, "aabb", 0x9000);
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY(NULL, "aa6102"),
                              SAY("01c0000002", "bbcc6100"), SAY("01c0000000", "dd9000")),
                     0);
    assert_answer(&answer, "aabbccdd", 0x9000);
    /* GET RESPONSE is never proprietary. */
    proprietary.cla = 0x81;
    assert_int_equal(
        EXCHANGE(&proprietary, &answer, NULL, SAY(NULL, "6101"), SAY("01c0000001", "aa9000")), 0);
    /* An error behind it is the answer's status word. */
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY(NULL, "6101"), SAY(NULL, "6f00")), 0);
    assert_answer(&answer, "", 0x6f00);
}

static void test_wrong_length_is_asked_again(void **state) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    assert_int_equal(
        EXCHANGE(&case2, &answer, NULL, SAY("00b0000009", "6c03"), SAY("00b0000003", "aabbcc9000")),
        0);
    assert_answer(&answer, "aabbcc", 0x9000);
    /* Of a command with data the header and the data stay; of GET RESPONSE it is GET RESPONSE that is repeated. */
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY("01a40004023f0000", "6c01"),
                              SAY("01a40004023f0001", "aa9000")),
                     0);
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY(NULL, "6100"), SAY("01c0000000", "6c02"),
                              SAY("01c0000002", "aabb9000")),
                     0);
    assert_answer(&answer, "aabb", 0x9000);
}

static void test_warning_in_place_of_data_is_followed_up(void **state) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY(NULL, "6200"), SAY("01c0000000", "6c02"),
                              SAY("01c0000002", "aabb9000")),
                     0);
    assert_answer(&answer, "aabb", 0x9000);
    assert_int_equal(
        EXCHANGE(&case4, &answer, NULL, SAY(NULL, "6310"), SAY("01c0000000", "aa9000")), 0);
    assert_answer(&answer, "aa", 0x9000);
    /* A card that has nothing more refuses, and the warning stands. */
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY(NULL, "6283"), SAY("01c0000000", "6d00")),
                     0);
    assert_answer(&answer, "", 0x6283);
    /* Not where no data was due, or where it came: 63Cx of VERIFY counts tries. */
    assert_int_equal(EXCHANGE(&case1, &answer, NULL, SAY(NULL, "63c2")), 0);
    assert_answer(&answer, "", 0x63c2);
    assert_int_equal(EXCHANGE(&case3, &answer, NULL, SAY(NULL, "6200")), 0);
    assert_int_equal(EXCHANGE(&case2, &answer, NULL, SAY(NULL, "6282")), 0);
    assert_int_equal(EXCHANGE(&case4, &answer, NULL, SAY(NULL, "aa6283")), 0);
    assert_answer(&answer, "aa", 0x6283);
}

/* A card that always has more is given up after a bounded number of rounds, however it does it. */
static void test_answers_without_end_are_refused(void **state) {
    static const char *const more[] = {"6101", "9f01", "6c01", "aa6101"};
    struct fake_step steps[APDU_ROUNDS_MAX + 1];
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    for (size_t i = 0; i < ELEMENTS(more); i++) {
        struct failure failure = {0};

        for (size_t n = 0; n < ELEMENTS(steps); n++)
            steps[n] = (struct fake_step){NULL, more[i], 0};
        assert_int_equal(exchange(&case4, steps, ELEMENTS(steps), &answer, &failure),
                         UICC_E_MALFORMED);
        assert_int_equal(failure.code, UICC_E_MALFORMED);
    }
    /* The last round may still bring the end. */
    for (size_t n = 0; n + 1 < ELEMENTS(steps); n++)
        steps[n] = (struct fake_step)SAY(NULL, "aa6101");
    steps[APDU_ROUNDS_MAX] = (struct fake_step)SAY(NULL, "aa9000");
    assert_int_equal(exchange(&case4, steps, ELEMENTS(steps), &answer, NULL), 0);
    assert_int_equal(answer.length, APDU_ROUNDS_MAX + 1);
}

static void test_answers_beyond_the_limit_are_refused(void **state) {
    char full[2 * APDU_RESPONSE_MAX + 1];
    struct fake_step steps[] = {
        {NULL, full, 0}, {NULL, full, 0}, {NULL, full, 0}, {NULL, full, 0}, SAY(NULL, "9000")};
    struct fake_step over[] = {
        {NULL, full, 0}, {NULL, full, 0}, {NULL, full, 0}, {NULL, full, 0}, SAY(NULL, "aa9000")};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct failure failure = {0};

    (void)state;
    memset(full, 'a', sizeof(full));
    memcpy(full + 2 * 256, "6100", 5);
    assert_int_equal(apdu_answer_init(&answer), 0);
    assert_int_equal(exchange(&case4, steps, ELEMENTS(steps), &answer, NULL), 0);
    assert_int_equal(answer.length, APDU_ASSEMBLED_MAX);
    assert_int_equal(exchange(&case4, over, ELEMENTS(over), &answer, &failure), UICC_E_MALFORMED);
}

static int transmit_nothing(struct transport *transport, const uint8_t *command,
                            size_t command_length, uint8_t *ret, size_t size, size_t *ret_length,
                            struct failure *failure) {
    static size_t length = 0;

    (void)transport;
    (void)command;
    (void)command_length;
    (void)failure;
    memset(ret, 0x90, size);
    *ret_length = length == 0 ? 0 : length == 1 ? 1 : APDU_RESPONSE_MAX + 1;
    length++;
    return 0;
}

/* A transport that breaks its own contract breaks nothing here. */
static void test_lengths_of_the_transport_are_not_believed(void **state) {
    static const struct transport_ops ops = {.transmit = transmit_nothing};
    struct transport transport = {.ops = &ops};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(apdu_exchange(&transport, &case2, &answer, NULL), UICC_E_MALFORMED);
}

static void test_failures_of_the_transport_are_passed_on(void **state) {
    static const int outcomes[] = {UICC_E_CARD_ABSENT, UICC_E_RESET,          UICC_E_SILENT,
                                   UICC_E_TRANSPORT,   UICC_E_SERVICE_ABSENT, -EIO};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        struct failure failure = {0};

        assert_int_equal(EXCHANGE(&case4, &answer, &failure, {NULL, NULL, outcomes[i]}),
                         outcomes[i]);
        assert_int_equal(failure.code, outcomes[i]);
        /* In the second round, too. */
        assert_int_equal(
            EXCHANGE(&case4, &answer, NULL, SAY(NULL, "6104"), {NULL, NULL, outcomes[i]}),
            outcomes[i]);
    }
}

static int arena(void **state) {
    (void)state;
    return secret_arena_init();
}

static int no_arena(void **state) {
    (void)state;
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
    return 0;
}

/* VERIFY without data, repeated with a length, would look like the beginning of a PIN. */
static void test_6c_repeats_nothing_that_asked_for_no_data(void **state) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};

    (void)state;
    assert_int_equal(apdu_answer_init(&answer), 0);
    assert_int_equal(EXCHANGE(&case1, &answer, NULL, SAY("00708001", "6c08")), 0);
    assert_answer(&answer, "", 0x6c08);
    assert_int_equal(EXCHANGE(&case3, &answer, NULL, SAY("01d60000023f00", "6c08")), 0);
    assert_answer(&answer, "", 0x6c08);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_6c_repeats_nothing_that_asked_for_no_data),
        cmocka_unit_test(test_class_carries_the_channel),
        cmocka_unit_test(test_four_cases_on_the_wire),
        cmocka_unit_test(test_data_at_once),
        cmocka_unit_test(test_data_is_fetched_with_get_response),
        cmocka_unit_test(test_wrong_length_is_asked_again),
        cmocka_unit_test(test_warning_in_place_of_data_is_followed_up),
        cmocka_unit_test(test_answers_without_end_are_refused),
        cmocka_unit_test(test_answers_beyond_the_limit_are_refused),
        cmocka_unit_test(test_lengths_of_the_transport_are_not_believed),
        cmocka_unit_test(test_failures_of_the_transport_are_passed_on),
    };

    return cmocka_run_group_tests_name("apdu", tests, arena, no_arena);
}
