/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Applets on the card, as a terminal sees them: each on its channel, long answers in pieces, and the
 * access rules.
 */
#include <stdio.h>

#include "card-applet.h"
#include "test-lab-card.h"

#define ECHO_AID    "f06b6579737472617001"
#define SELECT_ECHO "01a404000a" ECHO_AID "00"
#define ECHO_FCI    "6f0c840a" ECHO_AID "9000"
#define SELECT_ARA  "01a4040009a00000015141434c0000"
#define RULE        "e20be1044f00c100e303d00101"

static void expect_end(struct scene *scene, const char *command, size_t length, const char *sw) {
    const char *got = say(scene, command);

    assert_int_equal(strlen(got), 2 * length + 4);
    assert_string_equal(got + 2 * length, sw);
}

static void insert(struct scene *scene, enum card_shape shape) {
    scene->options.shape = shape;
    scene_insert(scene);
    expect(scene, "0070000001", "019000");
}

static int setup(void **state) {
    struct scene *scene = scene_new(NULL);

    scene_options(scene, "gateway");
    insert(scene, CARD_SHAPE_T1);
    *state = scene;
    return 0;
}

static void the_echo_applet_answers_on_its_channel_alone(void **state) {
    struct scene *scene = *state;

    expect(scene, SELECT_ECHO, ECHO_FCI);
    expect(scene, "8110000003a1a2a300", "a1a2a39000");
    expect(scene, "8110000000", "9000");
    expect(scene, "8116000000", "6d00");
    expect(scene, "8114000000", "000000049000");
    assert_string_not_equal(say(scene, "8010000003a1a2a300"), "a1a2a39000");
}

static void an_applet_is_left_by_another_select_and_by_reset(void **state) {
    struct scene *scene = *state;

    expect(scene, SELECT_ECHO, ECHO_FCI);
    say(scene, "01a4040410a0000000871002ff49ff01890000010000");
    assert_string_not_equal(say(scene, "8110000001a100"), "a19000");
    expect(scene, "01a4040006f06b6579737400", ECHO_FCI); /* the beginning of its AID */
    card_reset(scene->card);
    expect(scene, "8110000001a100", "6881");
    expect(scene, "00a4040004f06b657900", "6a82"); /* too short for one */
}

static void a_long_answer_comes_in_pieces(void **state) {
    struct scene *scene = *state;

    say(scene, SELECT_ECHO);
    expect_end(scene, "8112010000", 256, "9000");
    expect_end(scene, "811202bc00", 256, "6100");
    expect_end(scene, "01c0000000", 256, "61bc");
    expect_end(scene, "01c00000bc", 188, "9000");
    expect(scene, "01c0000000", "6985");
    expect(scene, "8112040100", "6a86");
    /* What is not fetched is gone. */
    expect_end(scene, "811202bc00", 256, "6100");
    expect(scene, "8110000000", "9000");
    expect(scene, "01c0000000", "6985");
}

static void with_t0_a_command_with_data_gives_nothing_at_once(void **state) {
    struct scene *scene = *state;

    insert(scene, CARD_SHAPE_T0);
    expect(scene, SELECT_ECHO, "610e");
    expect(scene, "01c000000e", ECHO_FCI);
    expect(scene, "811202bc01aa", "6100");
    expect_end(scene, "01c0000000", 256, "6100");
    expect_end(scene, "01c0000000", 256, "61bc");
    expect_end(scene, "01c00000bc", 188, "9000");
}

static void verify_tells_right_from_wrong(void **state) {
    struct scene *scene = *state;

    say(scene, SELECT_ECHO);
    expect(scene, "012000010431323334", "9000");
    expect(scene, "012000010431323335", "63c2");
}

static void the_access_rules_are_read_in_pieces_and_have_a_tag(void **state) {
    struct scene *scene = *state;
    uint8_t rules[200] = {0};
    char before[64];

    expect(scene, SELECT_ARA, "6a82");
    assert_int_equal(card_set_ara(scene->card, rules, sizeof(rules)), 0);
    expect(scene, SELECT_ARA, "6f0b8409a00000015141434c009000");
    expect_end(scene, "81caff4000", CARD_ARA_PIECE, "9000");
    assert_int_equal(strncmp(scene->reply, "ff408200c8", 10), 0);
    expect_end(scene, "81caff6000", 205 - CARD_ARA_PIECE, "9000");
    expect(scene, "81caff6000", "6985");
    snprintf(before, sizeof(before), "%s", say(scene, "81cadf2000"));
    assert_int_equal(strlen(before), 2 * 13);
    assert_int_equal(card_set_ara(scene->card, rules, 0), 0);
    assert_string_not_equal(say(scene, "81cadf2000"), before);
    expect(scene, "81caff4000", "ff408200009000");
    expect(scene, "81ca006600", "6a88");
    expect(scene, "01b0000000", "6e00");
    assert_int_equal(card_set_ara(scene->card, NULL, 0), 0);
    expect(scene, SELECT_ARA, "6a82");
    assert_int_not_equal(card_set_ara(scene->card, rules, CARD_ARA_MAX), 0);
}

static void a_subscriber_may_have_access_rules(void **state) {
    static const char text[] = "[Subscriber s]\nImsi=001010123456789\nMncLength=2\nIccid=89\n"
                               "K=465b5ce8b199b49faa5f0a2ee238a6bc\n"
                               "Opc=cd63cb71954a9f4e48a5994e37a02baf\nAra=" RULE "\n";
    struct scene *scene = *state;
    struct lab_subscribers subscribers;
    char error[256] = "";

    assert_int_equal(lab_subscribers_parse(text, "test", &subscribers, error, sizeof(error)), 0);
    scene->options.subscriber = &subscribers.list[0];
    insert(scene, CARD_SHAPE_T1);
    say(scene, SELECT_ARA);
    expect(scene, "81caff4000", "ff4082000d" RULE "9000");
    lab_subscribers_done(&subscribers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_echo_applet_answers_on_its_channel_alone, setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(an_applet_is_left_by_another_select_and_by_reset, setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(a_long_answer_comes_in_pieces, setup, scene_teardown),
        cmocka_unit_test_setup_teardown(with_t0_a_command_with_data_gives_nothing_at_once, setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(verify_tells_right_from_wrong, setup, scene_teardown),
        cmocka_unit_test_setup_teardown(the_access_rules_are_read_in_pieces_and_have_a_tag, setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(a_subscriber_may_have_access_rules, setup, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
