/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The old SIM says what TS 51.011 says, octet by octet, and to a USIM's commands nothing.
 */

#include "test-lab-card.h"

static int setup(void **state) {
    struct scene *scene = scene_new(NULL);

    scene_options(scene, "valve");
    scene->options.channels = 0;
    scene_insert(scene);
    *state = scene;
    return 0;
}

static void files_are_found_where_they_are_and_read_to_their_end(void **state) {
    expect(*state, "a0a40000022fe2", "9f0f");
    expect(*state, "a0c000000f",
           "0000000a2fe2040000000000000000"
           "9000");
    expect(*state, "a0b000000a",
           "988802010000000050f0"
           "9000");
    expect(*state, "a0b000000b", "670a"); /* an octet too many */
    expect(*state, "a0b000010a", "6709");
    expect(*state, "a0a40000026f07", "9404"); /* not in the MF */
    expect(*state, "a0a40000027f20", "9f16");
    expect(*state, "a0a40000026f07", "9f0f");
    expect(*state, "a0b0000009",
           "080910100000000050"
           "9000");
    expect(*state, "a0a40000026fad", "9f0f");
    expect(*state, "a0b0000004",
           "00000002"
           "9000");
    expect(*state, "a0a40000022fe2", "9404");
}

static void the_algorithm_runs_in_its_directory_alone(void **state) {
    static const char run[] = "a088000010"
                              "00112233445566778899aabbccddeeff";
    struct scene *scene = *state;
    const struct lab_subscriber *valve = lab_subscribers_by_name(&scene->subscribers, "valve");
    uint8_t rand[MILENAGE_RAND], data[4 + MILENAGE_KC];
    struct milenage_answer answer;
    char expected[2 * sizeof(data) + 5];

    expect(*state, run, "9404");
    expect(*state, "a0a40000027f20", "9f16");
    expect(*state, run, "9f0c");
    assert_int_equal(hex_decode_exactly(run + 10, rand, sizeof(rand)), 0);
    milenage_f2345(&valve->key, rand, &answer);
    for (size_t i = 0; i < 4; i++)
        data[i] = answer.res[i] ^ answer.res[i + 4];
    milenage_kc(&answer, data + 4);
    hex_encode(data, sizeof(data), expected);
    strcat(expected, "9000");
    expect(*state, "a0c000000c", expected);
    expect(*state, "a0c000000c", "6700"); /* once */
    expect(*state,
           "a088000008"
           "0011223344556677",
           "6710");
}

static void what_a_usim_is_asked_means_nothing_to_it(void **state) {
    expect(*state, "00a40004023f00", "6e00");
    expect(*state, "0070000001", "6e00");
    expect(*state, "a0f2000016", "6d00");
    expect(*state, "a0a4", "6700");
    expect(*state, "a0a40000013f", "6702");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scene_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(files_are_found_where_they_are_and_read_to_their_end),
        TEST(the_algorithm_runs_in_its_directory_alone),
        TEST(what_a_usim_is_asked_means_nothing_to_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
