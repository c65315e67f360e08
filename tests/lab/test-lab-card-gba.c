/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card's ISIM, and GBA_U on both applications: octets of the specifications, and keys that were computed elsewhere.
 */
#include <stdio.h>
#include <unistd.h>

#include "card-state.h"
#include "test-lab-card.h"

#define SELECT_USIM "00a4040410a0000000871002ff49ff01890000010000"
#define SELECT_ISIM "00a4040410a0000000871004ff49ff01890000010000"
#define RAND        "23553cbe9637a89d218ae64dae47bf35"
#define AUTN        "55f328b43577b9b94a9ffac354dfafb3"
#define AUTN_GBA    "55f328b43577b9b98c7f3f0d723fb244" /* MAC xor Trunc64(SHA-1(IK)) */
#define BOOTSTRAP   "0088008423dd10" RAND "10"
#define RES_GBA     "a54211d5e3ba50be" /* the last bit flipped */
#define IMPI_HEX                                                                     \
    "31"                                                                             \
    "30303130313031323334353637383940696d732e6d6e633030312e6d63633030312e336770706e" \
    "6574776f726b2e6f7267"
#define NAF_HEX \
    "14"        \
    "6e61662e6578616d706c652e636f6d0100000002" /* naf.example.com, HTTP Digest */
#define DERIVE "0088008448de" NAF_HEX IMPI_HEX "00"
#define KS_NAF "ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08"

/* Test set 1, one step before the published SQN, with everything. */
static const char text[] =
    "[Subscriber whole]\nImsi = 001010123456789\nMncLength = 2\nIccid = 8988201000000000019\n"
    "K = 465b5ce8b199b49faa5f0a2ee238a6bc\nOpc = cd63cb71954a9f4e48a5994e37a02baf\n"
    "Amf = b9b9\nSqn = ff9bb4d0b5e0\nIsimImpi = whole@ims.lab.example\nGba = yes\n"
    "[Subscriber promised]\nImsi = 001010123456780\nMncLength = 2\nIccid = 8988201000000000028\n"
    "K = 465b5ce8b199b49faa5f0a2ee238a6bc\nOpc = cd63cb71954a9f4e48a5994e37a02baf\n"
    "Amf = b9b9\nSqn = ff9bb4d0b5e0\nGba = promised\n"
    "[Subscriber plain]\nImsi = 001010123456781\nMncLength = 2\nIccid = 8988201000000000037\n"
    "K = 465b5ce8b199b49faa5f0a2ee238a6bc\nOpc = cd63cb71954a9f4e48a5994e37a02baf\n"
    "Amf = b9b9\nSqn = ff9bb4d0b5e0\nIsimImpi = no identity at all\n";

static void insert(struct scene *scene, const char *name) {
    scene_options(scene, name);
    scene_insert(scene);
}

static int setup(void **state) {
    struct scene *scene = scene_new(text);

    insert(scene, "whole");
    *state = scene;
    return 0;
}

/* The beginning of what the file with FID of the selected application holds. */
static void expect_content(struct scene *scene, const char *fid, const char *expected) {
    char command[32];

    (void)snprintf(command, sizeof(command), "00a4000c02%s", fid);
    expect(scene, command, "9000");
    (void)snprintf(command, sizeof(command), "00b00000%02zx", strlen(expected) / 2);
    if (strncmp(say(scene, command), expected, strlen(expected)) != 0)
        fail_msg("%s holds %s, not %s", fid, scene->reply, expected);
}

static void ef_dir_names_the_isim_where_there_is_one(void **state) {
    struct scene *scene = *state;

    (void)say(scene, "00a40004022f0000");
    assert_non_null(strstr(say(scene, "00b2020430"), "61184f10a0000000871004ff49ff0189000001005004"
                                                     "4953494d"));
    insert(scene, "promised");
    (void)say(scene, "00a40004022f0000");
    assert_memory_equal(say(scene, "00b2020430"), "ffffffffffffffff", 16);
    expect(scene, SELECT_ISIM, "6a82");
}

static void the_isims_files_are_at_its_own_identifiers(void **state) {
    struct scene *scene = *state;
    const char *fcp = say(scene, SELECT_ISIM);

    assert_memory_equal(fcp, "62", 2);
    assert_non_null(strstr(fcp, "8410a0000000871004ff49ff0189000001"));
    expect_content(scene, "6f02",
                   "8015"
                   "77686f6c6540696d732e6c61622e6578616d706c65"
                   "ff");
    expect_content(scene, "6f03",
                   "800f"
                   "696d732e6c61622e6578616d706c65"
                   "ff");
    expect_content(scene, "6f07", "02"); /* service 2 */
    expect_content(scene, "6fd5", "ffff");
    expect(scene, "00a4000c026fd6", "6a82"); /* the USIM's */
    expect(scene, "00a4000c026fd7", "9000");
    (void)say(scene, SELECT_USIM);
    expect(scene, "00a4000c026fd5", "6a82");
    expect(scene, "00a4000c026fda", "9000");
}

static void the_service_tables_say_what_the_subscriber_has(void **state) {
    struct scene *scene = *state;

    (void)say(scene, SELECT_USIM);
    expect_content(scene, "6f38",
                   "0000040001000000"
                   "08");
    insert(scene, "plain");
    (void)say(scene, SELECT_USIM);
    expect_content(scene, "6f38",
                   "0000040001000000"
                   "00");
    (void)say(scene, SELECT_ISIM);
    expect_content(scene, "6f07", "00");
    expect_content(scene, "6f02", "80126e6f206964656e7469747920617420616c6cff"); /* without "@" */
}

static void a_bootstrap_answers_res_alone_with_its_last_bit_flipped(void **state) {
    struct scene *scene = *state;

    (void)say(scene, SELECT_USIM);
    expect(scene, BOOTSTRAP AUTN_GBA "00", "db08" RES_GBA "9000");
    expect_content(scene, "6fd6", "10" RAND "0000ff");
}

static void a_challenge_for_the_other_mode_has_a_wrong_mac_in_both(void **state) {
    struct scene *scene = *state;

    (void)say(scene, SELECT_USIM);
    expect(scene, BOOTSTRAP AUTN "00", "9862");
    expect(scene, "008800812210" RAND "10" AUTN_GBA "00", "9862");
    /* Nothing was spent. */
    expect(scene, BOOTSTRAP AUTN_GBA "00", "db08" RES_GBA "9000");
}

static void a_challenge_that_was_seen_brings_auts(void **state) {
    struct scene *scene = *state;

    (void)say(scene, SELECT_USIM);
    (void)say(scene, BOOTSTRAP AUTN_GBA "00");
    assert_memory_equal(say(scene, BOOTSTRAP AUTN_GBA "00"), "dc0e", 4);
    /* The Ks from before is still there. */
    expect(scene, DERIVE, "db20" KS_NAF "9000");
}

static void a_key_needs_a_bootstrap_and_is_the_published_one(void **state) {
    struct scene *scene = *state;

    (void)say(scene, SELECT_USIM);
    expect(scene, DERIVE, "6985");
    (void)say(scene, BOOTSTRAP AUTN_GBA "00");
    expect(scene, DERIVE, "db20" KS_NAF "9000");
    /* The other application has bootstrapped nothing. */
    (void)say(scene, SELECT_ISIM);
    expect(scene, DERIVE, "6985");
}

static void odd_lengths_are_refused(void **state) {
    static const struct {
        const char *command, *answer;
    } cases[] = {
        {"0088008401dd00", "6700"},       {"0088008401de00", "6700"},
        {"0088008401df00", "6a80"},       {"0088008403deff0000", "6700"},
        {"0088008403de01000000", "6700"}, {"008800840ade046e616600ff0000000000", "6700"},
    };
    struct scene *scene = *state;

    (void)say(scene, SELECT_USIM);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect(scene, cases[i].command, cases[i].answer);
}

static void nafs_are_listed_the_newest_first_with_the_b_tid_of_the_terminal(void **state) {
    struct scene *scene = *state;

    (void)say(scene, SELECT_USIM);
    (void)say(scene, BOOTSTRAP AUTN_GBA "00");
    (void)say(scene, "00a4000c026fd6");
    expect(scene,
           "00d600110804"
           "42544944"
           "02"
           "3330",
           "9000");
    expect(scene, DERIVE, "db20" KS_NAF "9000");
    (void)say(scene, "00a4000c026fda");
    assert_memory_equal(say(scene, "00b2010480"),
                        "8014"
                        "6e61662e6578616d706c652e636f6d0100000002"
                        "8104"
                        "42544944"
                        "ff",
                        58);
    assert_memory_equal(say(scene, "00b2020480"), "ffff", 4);
    /* A second NAF comes before it, a third throws the first out, and one that comes again is not listed twice. */
    (void)say(scene, "0088008409de06"
                     "620100000002"
                     "00"
                     "00");
    (void)say(scene, "0088008409de06"
                     "630100000002"
                     "00"
                     "00");
    (void)say(scene, "0088008409de06"
                     "620100000002"
                     "00"
                     "00");
    (void)say(scene, "00a4000c026fda");
    assert_memory_equal(say(scene, "00b2010480"), "8006620100000002", 16);
    assert_memory_equal(say(scene, "00b2020480"), "8006630100000002", 16);
}

static void a_bootstrap_outlives_power_off_and_the_program(void **state) {
    struct scene *scene = *state;
    char path[] = "/tmp/keystrap-card-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    (void)say(scene, SELECT_USIM);
    (void)say(scene, BOOTSTRAP AUTN_GBA "00");
    card_power(scene->card, false);
    card_power(scene->card, true);
    (void)say(scene, SELECT_USIM);
    expect(scene, DERIVE, "db20" KS_NAF "9000");
    assert_int_equal(card_state_save(path, scene->options.subscriber, card_memory(scene->card)), 0);
    insert(scene, "whole");
    (void)say(scene, SELECT_USIM);
    expect(scene, DERIVE, "6985");
    assert_int_equal(card_state_load(path, scene->options.subscriber, card_memory(scene->card)), 0);
    expect(scene, DERIVE, "db20" KS_NAF "9000");
    expect_content(scene, "6fd6", "10" RAND "0000ff");
    unlink(path);
}

static void a_card_that_only_promises_gba_knows_no_such_context(void **state) {
    struct scene *scene = *state;

    insert(scene, "promised");
    (void)say(scene, SELECT_USIM);
    expect_content(scene, "6f38",
                   "0000040001000000"
                   "08");
    expect(scene, BOOTSTRAP AUTN_GBA "00", "9864");
}

static void an_isim_answers_the_ims_challenge_without_kc(void **state) {
    struct scene *scene = *state;

    scene->options.gsm_access = true;
    card_free(scene->card);
    assert_int_equal(card_new(&scene->options, &scene->card), 0);
    card_power(scene->card, true);
    (void)say(scene, SELECT_ISIM);
    assert_int_equal(strlen(say(scene, "008800812210" RAND "10" AUTN "00")),
                     2 * (1 + 9 + 17 + 17 + 2));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, scene_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(ef_dir_names_the_isim_where_there_is_one),
        TEST(the_isims_files_are_at_its_own_identifiers),
        TEST(the_service_tables_say_what_the_subscriber_has),
        TEST(a_bootstrap_answers_res_alone_with_its_last_bit_flipped),
        TEST(a_challenge_for_the_other_mode_has_a_wrong_mac_in_both),
        TEST(a_challenge_that_was_seen_brings_auts),
        TEST(a_key_needs_a_bootstrap_and_is_the_published_one),
        TEST(odd_lengths_are_refused),
        TEST(nafs_are_listed_the_newest_first_with_the_b_tid_of_the_terminal),
        TEST(a_bootstrap_outlives_power_off_and_the_program),
        TEST(a_card_that_only_promises_gba_knows_no_such_context),
        TEST(an_isim_answers_the_ims_challenge_without_kc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
