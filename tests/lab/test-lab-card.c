/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card at its APDU border: octets in, octets out, as a terminal sees it.
 */
#include <stdio.h>

#include "test-lab-card.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

#define SELECT_USIM "00a4040410a0000000871002ff49ff01890000010000"
#define RAND        "23553cbe9637a89d218ae64dae47bf35"
#define AUTN        "55f328b43577b9b94a9ffac354dfafb3"
#define AKA      \
    "0088008122" \
    "10" RAND "10" AUTN "00"
#define RES  "a54211d5e3ba50bf"
#define CK   "b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define IK   "f769bcd751044604127672711c6d3441"
#define KEYS "db08" RES "10" CK "10" IK

static int setup(void **state) {
    struct scene *scene = scene_new(NULL);

    scene_options(scene, "gateway");
    *state = scene;
    return 0;
}

/* The FID in the FCP that COMMAND, a SELECT or STATUS with FCP, is answered with. */
static void expect_fid(struct scene *scene, const char *command, const char *fid) {
    const char *got = say(scene, command);
    char tagged[16];

    snprintf(tagged, sizeof(tagged), "8302%s", fid);
    if (strncmp(got, "62", 2) != 0 || !strstr(got, tagged))
        fail_msg("%s was answered %s, not with the FCP of %s", command, got, fid);
}

static void ef_dir_has_the_usims_aid_and_label_and_padding(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect_fid(scene, "00a40004022f0000", "2f00");
    expect(scene, "00b2010400",
           "61184f10a0000000871002ff49ff01890000010050045553494d"
           "ffffffffffffffffffffffffffffffffffffffffffff9000");
    assert_memory_equal(say(scene, "00b2020430"), "ffffffffffffffff", 16);
    expect(scene, "00b2050400", "6a83");
}

static void the_identity_files_hold_the_subscribers_digits(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect_fid(scene, "00a40004022fe200", "2fe2");
    expect(scene, "00b0000000", "988802010000000010f99000");
    say(scene, SELECT_USIM);
    say(scene, "00a40004026f0700");
    expect(scene, "00b0000000", "0809101010325476989000");
    say(scene, "00a40004026fad00");
    expect(scene, "00b0000000", "000000029000");
    say(scene, "00a40004026f3800");
    /* Services 19, 33, 68 (GBA) and 85. */
    expect(scene, "00b0000000", "00000400010000000000100000009000");
}

static void an_imsi_of_even_length_is_marked_even_and_padded(void **state) {
    struct scene *scene = *state;
    struct lab_subscriber *subscriber = lab_subscribers_by_name(&scene->subscribers, "gateway");

    strcpy(subscriber->imsi, "00101012345678");
    scene_insert(scene);
    say(scene, SELECT_USIM);
    say(scene, "00a40004026f0700");
    expect(scene, "00b0000000", "0801101010325476f89000");
}

static void the_usim_is_selected_by_its_whole_aid_and_by_the_start_of_it(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    assert_non_null(strstr(say(scene, SELECT_USIM), "8410a0000000871002ff49ff018900000100"));
    assert_non_null(strstr(say(scene, "00a4040407a000000087100200"), "8410a0000000871002"));
    expect(scene, "00a4040c07a0000000871002", "9000");
    expect(scene, "00a4040407a000000087100400", "6a82");
    expect(scene, "00a4040404a000000000", "6a82");
    expect(scene, "00a4040607a000000087100200", "6a82"); /* the next one: there is none */
}

static void fcp_templates_tell_type_size_and_pin_status(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect(scene, "00a40004023f0000",
           "62238202782183023f00a5038001718a01058b032f0601c60c90016083010183018183010a9000");
    scene->options.pin_enabled = true;
    scene_insert(scene);
    assert_non_null(strstr(say(scene, "00a40004023f0000"), "c60c9001e0830101"));
    expect(scene, "00a40004022f0000",
           "621a8205422100300483022f008a01058b032f0601800200c08801f09000");
    say(scene, SELECT_USIM);
    expect(scene, "00a40004026f0700", "62178202412183026f078a01058b036f0602800200098801389000");
    expect(scene, "00a40004026fd600", "62168202412183026fd68a01058b036f0603800200a088009000");
}

static void a_fid_means_what_is_near_the_current_directory_and_nothing_else(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect(scene, "00a40004026f0700", "6a82"); /* not in the MF */
    expect(scene, "00a40004027fff00", "6a82"); /* no application yet */
    expect(scene, "00a40004027ff000", "6a82"); /* an ADF is in no directory */
    expect_fid(scene, "00a40004027f1000", "7f10");
    expect_fid(scene, "00a40004027f1000", "7f10"); /* the current one itself */
    expect(scene, "00a40004022fe200", "6a82");     /* a file beside the directory */
    expect_fid(scene, "00a40004023f0000", "3f00");
    say(scene, SELECT_USIM);
    expect_fid(scene, "00a40004026fad00", "6fad");
    expect(scene, "00a40004022fe200", "6a82");
    expect_fid(scene, "00a40004023f0000", "3f00");
    expect_fid(scene, "00a40004027fff00", "7ff0");
}

static void paths_go_from_the_mf_or_from_here(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect(scene, "00a40804047fff6f0700", "6a82");
    say(scene, SELECT_USIM);
    expect_fid(scene, "00a40804047fff6f0700", "6f07");
    expect_fid(scene, "00a40804022fe200", "2fe2");
    expect_fid(scene, "80f2000000", "3f00"); /* the directory went with it */
    expect_fid(scene, "00a40804047f106f0600", "6f06");
    expect_fid(scene, "80f2000000", "7f10");
    expect(scene, "00a40804042fe26f0700", "6a82"); /* a file is no directory */
    expect(scene, "00a40804037fff6f00", "6700");
    expect_fid(scene, "00a40904026f0600", "6f06");
    expect_fid(scene, "00a4030400", "3f00"); /* parent */
}

static void a_select_that_fails_leaves_the_selection_alone(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    say(scene, "00a40004026fad00");
    expect(scene, "00a40004026fff00", "6a82");
    expect(scene, "00a4040407a000000087100400", "6a82");
    expect(scene, "00a40000026f0700", "6a86");
    expect(scene, "00a40204026f0700", "6a86");
    expect(scene, "00a40004013f00", "6700");
    expect(scene, "00b0000004", "000000029000");
}

static void status_tells_the_directory_and_the_application(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect_fid(scene, "80f2000000", "3f00");
    expect(scene, "80f2000100", "6985");
    say(scene, SELECT_USIM);
    expect_fid(scene, "80f2000000", "7ff0");
    expect(scene, "80f2000100", "8410a0000000871002ff49ff0189000001009000");
    expect(scene, "80f2000c", "9000");
    expect(scene, "00a4044c07a0000000871002", "9000"); /* terminates the session */
    expect(scene, "80f2000100", "6985");
}

static void reads_are_bounded_by_the_file_and_le(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect(scene, "00b0000001", "6986");
    say(scene, "00a40004022fe200");
    expect(scene, "00b0000004", "988802019000");
    expect(scene, "00b0000602", "00009000");
    expect(scene, "00b0000901", "f99000");
    expect(scene, "00b0000a01", "6b00");
    expect(scene, "00b000000b", "6c0a");
    expect(scene, "00b2010400", "6981");
    expect(scene, "00b0820000", "988802010000000010f99000"); /* by short FID 02 */
    expect(scene, "00b09f0000", "6a82");
    say(scene, "00a40004022f0000");
    expect(scene, "00b0000000", "6981");
    expect(scene, "00b2010410", "6c30");
    expect(scene, "00b2010000", "6a86");
    expect(scene, "00b2000400", "6a83"); /* the current record: none yet */
    assert_memory_equal(say(scene, "00b2000200"), "6118", 4);
    assert_memory_equal(say(scene, "00b2000200"), "ffff", 4);
    assert_memory_equal(say(scene, "00b2000300"), "6118", 4);
    assert_memory_equal(say(scene, "00b201f400"), "6118", 4); /* by short FID 1E */
}

static void what_the_pin_may_update_is_updated_and_the_rest_is_not(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    say(scene, "00a40004026fd600");
    expect(scene, "00d6000103aabbcc", "9000");
    expect(scene, "00b0000005", "ffaabbccff9000");
    expect(scene, "00d6009f02aabb", "6700");
    expect(scene, "00d600a001aa", "6b00");
    say(scene, "00a40004026f0700");
    expect(scene, "00d6000001aa", "6982");
    say(scene, "00a40004026fda00");
    expect(scene, "00dc010401aa", "6982");
    card_reset(scene->card);
    say(scene, SELECT_USIM);
    say(scene, "00a40004026fd600");
    expect(scene, "00b0000005", "ffaabbccff9000");
}

static void a_channel_has_its_own_selection_and_a_number_of_the_cards_choice(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect(scene, "0070000001", "019000");
    expect(scene, "0070000000", "029000");
    assert_true(card_channel_is_open(scene->card, 2));
    assert_false(card_channel_is_open(scene->card, 3));
    say(scene, "01a4040407a000000087100200");
    expect_fid(scene, "81f2000000", "7ff0");
    expect_fid(scene, "80f2000000", "3f00");
    expect_fid(scene, "82f2000000", "3f00");
    expect(scene, "0170000001", "039000");
    expect_fid(scene, "83f2000000", "7ff0"); /* opened from channel 1 */
    expect(scene, "0070000001", "049000");
    expect_fid(scene, "c0f2000000", "3f00"); /* channel 4 */
    expect(scene, "0070000001", "6a81");
    expect(scene, "00708001", "9000");
    expect(scene, "0070800200", "9000"); /* as a case 1 command looks like in T=0 */
    expect(scene, "81f2000000", "6881");
    expect(scene, "0070000001", "019000");
    expect_fid(scene, "81f2000000", "3f00"); /* nothing of the former user is left */
}

static void closing_what_is_not_open_or_the_basic_channel_is_refused(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect(scene, "00708001", "6881");
    expect(scene, "00708013", "6881");
    expect(scene, "007080ff", "6881");
    expect(scene, "00708000", "6a86");
    expect(scene, "0070000101", "6a86");
    expect(scene, "0070400000", "6a86");
}

static void a_card_without_logical_channels_refuses_them(void **state) {
    struct scene *scene = *state;

    scene->options.channels = 0;
    scene_insert(scene);
    expect(scene, "0070000001", "6881");
    expect(scene, "01a4000c023f00", "6881");
    scene->options.channels = CARD_CHANNELS_MAX;
    scene_insert(scene);
    for (unsigned i = 1; i <= CARD_CHANNELS_MAX; i++)
        assert_int_equal(strtoul(say(scene, "0070000001"), NULL, 16) >> 16, i);
    expect_fid(scene, "cff2000000", "3f00"); /* channel 19 */
    expect(scene, "0070000001", "6a81");
}

static void the_published_autn_gives_the_published_keys_once(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    expect(scene, AKA, KEYS "9000");
    assert_memory_equal(say(scene, AKA), "dc0e", 4);
    assert_int_equal(card_count_authenticates(scene->card), 2);
}

static void kc_follows_when_the_card_offers_gsm_access(void **state) {
    struct scene *scene = *state;

    scene->options.gsm_access = true;
    scene_insert(scene);
    say(scene, SELECT_USIM);
    expect(scene, AKA, KEYS "08eae4be823af9a08b9000");
    say(scene, "00a40004026f3800");
    expect(scene, "00b0000000", "00000404010000000000100000009000");
    expect_fid(scene, "00a40804067fff5f3b4f2000", "4f20");
}

static void res_is_as_long_as_the_card_was_made(void **state) {
    struct scene *scene = *state;

    scene->options.res_length = 4;
    scene_insert(scene);
    say(scene, SELECT_USIM);
    expect(scene, AKA, "db04a54211d510" CK "10" IK "9000");
}

/*
 * AUTHENTICATE for the worked example's RAND with SQN of the home network; FLIP spoils an octet of
 * AUTN.
 */
static const char *authenticate(struct scene *scene, uint64_t sqn, int flip) {
    const struct lab_subscriber *subscriber = scene->options.subscriber;
    uint8_t rand[MILENAGE_RAND], autn[MILENAGE_AUTN];
    char text[2 * MILENAGE_AUTN + 1], command[128];

    assert_int_equal(hex_decode_exactly(RAND, rand, sizeof(rand)), 0);
    milenage_autn(&subscriber->key, rand, sqn, subscriber->amf, autn);
    if (flip >= 0)
        autn[flip] ^= 1;
    hex_encode(autn, sizeof(autn), text);
    snprintf(command, sizeof(command), "008800812210" RAND "10%s00", text);
    return say(scene, command);
}

static uint64_t sqn_of_auts(struct scene *scene, const char *reply) {
    uint8_t octets[18], rand[MILENAGE_RAND];
    uint64_t sqn = 0;

    assert_int_equal(hex_decode_exactly(reply, octets, sizeof(octets)), 0);
    assert_int_equal(octets[0] << 8 | octets[1], 0xdc0e);
    assert_int_equal(octets[16] << 8 | octets[17], 0x9000);
    assert_int_equal(hex_decode_exactly(RAND, rand, sizeof(rand)), 0);
    assert_true(milenage_auts_verify(&scene->options.subscriber->key, rand, octets + 2, &sqn));
    return sqn;
}

static void a_stale_sqn_brings_an_auts_with_9000_that_resynchronises_the_network(void **state) {
    struct scene *scene = *state;
    uint64_t start = scene->options.subscriber->sqn;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    assert_memory_equal(authenticate(scene, start + 32 * 100 + 9, -1), "db08", 4);
    assert_true(sqn_of_auts(scene, authenticate(scene, start + 9, -1)) == start + 32 * 100 + 9);
    /* The next step from what AUTS brought is fresh. */
    assert_memory_equal(authenticate(scene, start + 32 * 101 + 9, -1), "db08", 4);
}

static void a_wrong_mac_is_9862_even_when_the_sqn_is_stale_too(void **state) {
    struct scene *scene = *state;
    uint64_t start = scene->options.subscriber->sqn;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    for (int i = 0; i < MILENAGE_AUTN; i++) {
        assert_string_equal(authenticate(scene, start, i), "9862");
        assert_string_equal(authenticate(scene, start + 64, i), "9862");
    }
    /* And none of them was counted as a step. */
    assert_memory_equal(authenticate(scene, start + 32, -1), "db08", 4);
}

static void authenticate_wants_the_usim_on_its_own_channel(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    expect(scene, AKA, "6985");
    say(scene, "0070000001");
    say(scene, "01a4040407a000000087100200");
    expect(scene, AKA, "6985");
    expect(scene, "018800812210" RAND "10" AUTN "00", KEYS "9000");
    say(scene, "01a4000c023f00");
    expect(scene, "018800812210" RAND "10" AUTN "00", "6985");
}

static void authenticate_with_a_wrong_body_or_context_is_refused_by_name(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    expect(scene, "008800811110" RAND "00", "6700");
    expect(scene, "0088008100", "6700");
    expect(scene, "00880081220f" RAND "10" AUTN "00", "6a80");
    expect(scene, "008800812210" RAND "0f" AUTN "00", "6a80");
    expect(scene, "0088008423dd10" RAND "10" AUTN "00", "9864");
    expect(scene, "008800802210" RAND "10" AUTN "00", "6a86");
    expect(scene, "008801812210" RAND "10" AUTN "00", "6a86");
    expect(scene, AKA, KEYS "9000"); /* none of it was a step */
}

static void an_enabled_pin_guards_files_and_authenticate(void **state) {
    struct scene *scene = *state;

    scene->options.pin_enabled = true;
    scene_insert(scene);
    say(scene, SELECT_USIM);
    expect(scene, AKA, "6982");
    say(scene, "00a40004026f0700");
    expect(scene, "00b0000000", "6982");
    say(scene, "00a40004026fad00");
    expect(scene, "00b0000000", "000000029000"); /* open to all */
    expect(scene, "002000010831323334ffffffff", "9000");
    expect(scene, AKA, KEYS "9000");
    say(scene, "00a40004026f0700");
    assert_string_equal(say(scene, "00b0000000") + 18, "9000");
}

static void the_pin_has_three_tries_that_a_query_does_not_cost(void **state) {
    struct scene *scene = *state;

    scene->options.pin_enabled = true;
    scene_insert(scene);
    expect(scene, "00200001", "63c3");
    expect(scene, "0020000100", "63c3");
    expect(scene, "002000010831313131ffffffff", "63c2");
    expect(scene, "002000010831323334ffffffff", "9000");
    expect(scene, "00200001", "63c3");
    expect(scene, "002000010831313131ffffffff", "63c2");
    expect(scene, "002000010831313131ffffffff", "63c1");
    card_power(scene->card, false);
    card_power(scene->card, true); /* does not give a try back */
    expect(scene, "002000010831313131ffffffff", "63c0");
    expect(scene, "002000010831323334ffffffff", "6983");
    expect(scene, "00200001", "63c0");
}

static void verify_names_what_is_wrong_with_it(void **state) {
    struct scene *scene = *state;

    scene->options.pin_enabled = true;
    scene_insert(scene);
    expect(scene, "002000010431323334", "6700");
    expect(scene, "002001020831323334ffffffff", "6a86");
    expect(scene, "002000110831323334ffffffff", "6a88");
    expect(scene, "00200001", "63c3");
    scene->options.pin_enabled = false;
    scene_insert(scene);
    expect(scene, "002000010831323334ffffffff", "6984");
}

static void a_reset_clears_channels_selection_and_pin_and_keeps_the_sqn(void **state) {
    struct scene *scene = *state;

    scene->options.pin_enabled = true;
    scene_insert(scene);
    say(scene, "0070000001");
    say(scene, SELECT_USIM);
    say(scene, "002000010831323334ffffffff");
    expect(scene, AKA, KEYS "9000");
    card_reset(scene->card);
    assert_false(card_channel_is_open(scene->card, 1));
    expect(scene, "81f2000000", "6881");
    expect_fid(scene, "80f2000000", "3f00");
    expect(scene, "00a40004027fff00", "6a82");
    say(scene, SELECT_USIM);
    expect(scene, AKA, "6982");
    say(scene, "002000010831323334ffffffff");
    assert_memory_equal(say(scene, AKA), "dc0e", 4);
    assert_true(sqn_highest(&card_memory(scene->card)->sqn) == UINT64_C(0xff9bb4d0b607));
}

static void in_the_t0_shape_data_comes_by_get_response_and_a_wrong_le_by_6c(void **state) {
    struct scene *scene = *state;

    scene->options.shape = CARD_SHAPE_T0;
    scene_insert(scene);
    expect(scene, "00a40004022fe2", "6119");
    assert_memory_equal(say(scene, "00c0000019"), "6217", 4);
    expect(scene, "00c0000019", "6985"); /* once */
    expect(scene, "00b0000000", "6c0a");
    expect(scene, "00b000000a", "988802010000000010f99000");
    expect(scene, "0070000000", "6c01");
    assert_false(card_channel_is_open(scene->card, 1)); /* nothing was done yet */
    expect(scene, "0070000001", "019000");
    expect(scene, "01a4040407a0000000871002", "6137");
    expect(scene, "00c0000037", "6985"); /* not of this channel */
}

static void in_the_t0_shape_authenticate_is_61_and_its_keys_come_once(void **state) {
    struct scene *scene = *state;

    scene->options.shape = CARD_SHAPE_T0;
    scene_insert(scene);
    say(scene, SELECT_USIM);
    expect(scene, "008800812210" RAND "10" AUTN, "612c");
    expect(scene, "00c0000000", "6c2c");
    expect(scene, "00c0000010", "db08" RES "10b40ba9a3c5611c");
    assert_string_equal(say(scene, "00c000001c") + 2 * 0x1c, "9000");
    expect(scene, "008800812210" RAND "10" AUTN, "6110");
    expect(scene, "80f2000c00", "9000");
    expect(scene, "00c0000010", "6985"); /* another command came between */
}

static void in_the_t1_shape_data_comes_at_once_and_without_le_on_request(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    assert_string_equal(say(scene, "00a40004022fe200") + 2 * 0x19, "9000");
    expect(scene, "00a40004022fe2", "6119");
    assert_string_equal(say(scene, "00c0000000") + 2 * 0x19, "9000");
    expect(scene, "00a40004022fe204", "621782026115");
    say(scene, SELECT_USIM);
    expect(scene, "008800812210" RAND "10" AUTN, "612c");
    expect(scene, "00c000002c", KEYS "9000");
}

static void wrong_classes_instructions_and_lengths_each_have_their_status(void **state) {
    struct scene *scene = *state;
    uint8_t octets[CARD_COMMAND_MAX + 1] = {0}, reply[CARD_REPLY_MAX];

    scene_insert(scene);
    expect(scene, "a0a40000023f00", "6e00");
    expect(scene, "10a40004023f0000", "6e00");
    expect(scene, "20a40004023f0000", "6e00");
    expect(scene, "50a40004023f0000", "6e00");
    expect(scene, "ffa40004023f0000", "6882");
    expect(scene, "00f2000000", "6e00");
    expect(scene, "80a40004023f0000", "6e00");
    expect(scene, "0084000008", "6d00");
    expect(scene, "04a40004023f0000", "6882");
    expect(scene, "0ca40004023f0000", "6882");
    expect(scene, "60a40004023f0000", "6882");
    expect(scene, "03a40004023f0000", "6881");
    expect(scene, "", "6700");
    expect(scene, "00a400", "6700");
    expect(scene, "00a40004033f00", "6700");
    expect(scene, "00a40004023f000000", "6700");
    expect(scene, "00a400040000023f00", "6700"); /* extended */
    expect(scene, "00c0000000", "6985");
    assert_int_equal(card_transmit(scene->card, octets, sizeof(octets), reply), 2);
}

static void no_octets_whatever_make_the_card_misbehave(void **state) {
    struct scene *scene = *state;
    uint32_t random = 1;

    scene_insert(scene);
    for (unsigned round = 0; round < 200000; round++) {
        static const uint8_t instructions[] = {0xa4, 0xf2, 0xb0, 0xb2, 0xd6,
                                               0xdc, 0x20, 0x70, 0x88, 0xc0};
        uint8_t octets[CARD_COMMAND_MAX], reply[CARD_REPLY_MAX];
        size_t length, got;

        for (size_t i = 0; i < 24; i++) {
            random = random * 1664525 + 1013904223;
            octets[i] = (uint8_t)(random >> 24);
        }
        octets[0] &= octets[20] & 0xc3;
        octets[1] = instructions[octets[1] % LENGTH_OF(instructions)];
        octets[2] &= octets[21];
        octets[3] &= octets[22];
        length = octets[23] % 20;
        if (length > 5)
            octets[4] = (uint8_t)(length - 5 - (octets[23] & 1));
        got = card_transmit(scene->card, octets, length, reply);
        assert_in_range(got, 2, CARD_REPLY_MAX);
        assert_true(reply[got - 2] >= 0x61 && reply[got - 2] <= 0x9f);
    }
}

static void without_power_there_is_no_answer(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    card_power(scene->card, false);
    expect(scene, "00a40004023f0000", "");
    assert_int_equal(card_count_apdus(scene->card), 0);
}

static void a_belief_holds_for_one_authenticate_and_changes_no_state(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    card_believe(scene->card, CARD_BELIEF_WRONG_MAC);
    expect(scene, AKA, "9862");
    card_believe(scene->card, CARD_BELIEF_STALE_SQN);
    assert_true(sqn_of_auts(scene, say(scene, AKA)) > 0);
    expect(scene, AKA, KEYS "9000");
}

static void a_truncated_answer_keeps_its_status_and_loses_its_tail_once(void **state) {
    struct scene *scene = *state;

    scene_insert(scene);
    say(scene, SELECT_USIM);
    card_truncate(scene->card, 17);
    expect(scene, AKA, "db08" RES "10" CK "9000");
    card_truncate(scene->card, 1000);
    expect(scene, AKA, "9000");
    assert_memory_equal(say(scene, AKA), "dc0e", 4);
}

/*
 * ISO 7816-3: from T0 on, all octets up to TCK xor to zero; T=15 carries the classes of TS 102
 * 221.
 */
static void the_atr_is_consistent_and_offers_the_protocol_of_the_shape(void **state) {
    struct scene *scene = *state;
    const enum card_shape shapes[] = {CARD_SHAPE_T0, CARD_SHAPE_T1};

    for (size_t i = 0; i < LENGTH_OF(shapes); i++) {
        uint8_t atr[CARD_ATR_MAX], check = 0;
        size_t length, at = 2, protocols = 0;
        unsigned following;

        scene->options.shape = shapes[i];
        scene_insert(scene);
        length = card_atr(scene->card, atr);
        assert_int_equal(atr[0], 0x3b);
        for (size_t k = 1; k < length; k++)
            check ^= atr[k];
        assert_int_equal(check, 0);
        for (following = atr[1] >> 4; following != 0;) {
            unsigned td = following & 8;

            at += (following & 1) + (following >> 1 & 1) + (following >> 2 & 1);
            if (!td)
                break;
            if (protocols++ == 0)
                assert_int_equal(atr[at] & 0x0f, shapes[i] == CARD_SHAPE_T0 ? 0 : 1);
            following = atr[at++] >> 4;
        }
        assert_int_equal(at + (atr[1] & 0x0f) + 1, length);
        assert_int_equal(atr[at - 1], 0xc7);
    }
}

static void options_that_no_card_can_have_are_refused(void **state) {
    struct scene *scene = *state;
    struct card_options bad[3] = {scene->options, scene->options, scene->options};

    bad[0].channels = CARD_CHANNELS_MAX + 1;
    bad[1].res_length = 3;
    bad[2].res_length = 9;
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        struct card *card = NULL;

        assert_true(card_new(&bad[i], &card) < 0);
        assert_null(card);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(ef_dir_has_the_usims_aid_and_label_and_padding),
        TEST(the_identity_files_hold_the_subscribers_digits),
        TEST(an_imsi_of_even_length_is_marked_even_and_padded),
        TEST(the_usim_is_selected_by_its_whole_aid_and_by_the_start_of_it),
        TEST(fcp_templates_tell_type_size_and_pin_status),
        TEST(a_fid_means_what_is_near_the_current_directory_and_nothing_else),
        TEST(paths_go_from_the_mf_or_from_here),
        TEST(a_select_that_fails_leaves_the_selection_alone),
        TEST(status_tells_the_directory_and_the_application),
        TEST(reads_are_bounded_by_the_file_and_le),
        TEST(what_the_pin_may_update_is_updated_and_the_rest_is_not),
        TEST(a_channel_has_its_own_selection_and_a_number_of_the_cards_choice),
        TEST(closing_what_is_not_open_or_the_basic_channel_is_refused),
        TEST(a_card_without_logical_channels_refuses_them),
        TEST(the_published_autn_gives_the_published_keys_once),
        TEST(kc_follows_when_the_card_offers_gsm_access),
        TEST(res_is_as_long_as_the_card_was_made),
        TEST(a_stale_sqn_brings_an_auts_with_9000_that_resynchronises_the_network),
        TEST(a_wrong_mac_is_9862_even_when_the_sqn_is_stale_too),
        TEST(authenticate_wants_the_usim_on_its_own_channel),
        TEST(authenticate_with_a_wrong_body_or_context_is_refused_by_name),
        TEST(an_enabled_pin_guards_files_and_authenticate),
        TEST(the_pin_has_three_tries_that_a_query_does_not_cost),
        TEST(verify_names_what_is_wrong_with_it),
        TEST(a_reset_clears_channels_selection_and_pin_and_keeps_the_sqn),
        TEST(in_the_t0_shape_data_comes_by_get_response_and_a_wrong_le_by_6c),
        TEST(in_the_t0_shape_authenticate_is_61_and_its_keys_come_once),
        TEST(in_the_t1_shape_data_comes_at_once_and_without_le_on_request),
        TEST(wrong_classes_instructions_and_lengths_each_have_their_status),
        TEST(no_octets_whatever_make_the_card_misbehave),
        TEST(without_power_there_is_no_answer),
        TEST(a_belief_holds_for_one_authenticate_and_changes_no_state),
        TEST(a_truncated_answer_keeps_its_status_and_loses_its_tail_once),
        TEST(the_atr_is_consistent_and_offers_the_protocol_of_the_shape),
        TEST(options_that_no_card_can_have_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
