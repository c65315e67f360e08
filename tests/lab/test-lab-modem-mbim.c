/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab mbim-modem as a process, spoken to in octets: channels and APDUs, AKA, the card's files, slots, and what
 * is refused.
 */
#include "test-lab-modem.h"

#define USIM_AID "a0000000871002"
#define RAND     "23553cbe9637a89d218ae64dae47bf35"
#define AUTN     "55f328b43577b9b94a9ffac354dfafb3"
#define RES      "a54211d5e3ba50bf"
#define CK       "b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define IK       "f769bcd751044604127672711c6d3441"
#define ZERO8    "0000000000000000"

#define BASIC      "a289cc33bcbb8b4fb6b0133ec2aae6df"
#define EXTENSIONS "3d01dcc5fef54d050d3abef7058e9aaf"
#define AUTH       "1d2b5ff70aa148b2aa5250f15767174e"
#define UICC       "c2f6588ef0374bc98665f4d44bd09367"

enum {
    QUERY = 0,
    SET = 1,
    COMMAND_DONE_HEAD = 48,
    STATUS_NO_SIM = 3,
    STATUS_NO_SUPPORT = 9,
    STATUS_INVALID_PARAMETERS = 21,
    STATUS_SYNC_FAILURE = 36,
};

struct answer {
    uint8_t octets[4096];
    size_t length;
};

static uint32_t u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(uint8_t *to, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void receive(int fd, struct answer *answer) {
    scene_read(fd, answer->octets, 12);
    answer->length = u32(answer->octets + 4);
    assert_true(answer->length >= 12 && answer->length <= sizeof(answer->octets));
    scene_read(fd, answer->octets + 12, answer->length - 12);
}

/* The status of a command's answer. */
static uint32_t ask(int fd, const char *service, uint32_t command, uint32_t kind,
                    const char *buffer_hex, struct answer *answer) {
    uint8_t message[1024] = {3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1};
    size_t size = 0;

    assert_int_equal(hex_decode_exactly(service, message + 20, 16), 0);
    put_u32(message + 36, command);
    put_u32(message + 40, kind);
    assert_int_equal(hex_decode(buffer_hex, message + 48, sizeof(message) - 48, &size), 0);
    put_u32(message + 44, (uint32_t)size);
    put_u32(message + 4, (uint32_t)(48 + size));
    assert_int_equal(write(fd, message, 48 + size), (ssize_t)(48 + size));
    receive(fd, answer);
    assert_int_equal(u32(answer->octets), 0x80000003u);
    assert_int_equal(u32(answer->octets + 8), 7);
    assert_memory_equal(answer->octets + 20, message + 20, 20);
    /* Behind the buffer are at most the octets that bring the message to a multiple of four. */
    assert_int_equal((u32(answer->octets + 44) + COMMAND_DONE_HEAD + 3) / 4 * 4, answer->length);
    answer->length = COMMAND_DONE_HEAD + u32(answer->octets + 44);
    return u32(answer->octets + 40);
}

static void assert_buffer(const struct answer *answer, const char *hex) {
    char text[2 * sizeof(answer->octets) + 1];

    hex_encode(answer->octets + COMMAND_DONE_HEAD, answer->length - COMMAND_DONE_HEAD, text);
    assert_string_equal(text, hex);
}

static void begin(struct scene *scene, const char *const *extra) {
    static const uint8_t open[16] = {1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 16, 0, 0};
    struct answer answer;

    scene_start(scene, "mbim-modem", false, extra);
    scene->fd = scene_connect(scene);
    assert_int_equal(write(scene->fd, open, sizeof(open)), sizeof(open));
    receive(scene->fd, &answer);
    assert_int_equal(u32(answer.octets), 0x80000001u);
    assert_int_equal(u32(answer.octets + 12), 0);
}

#define OPEN_USIM \
    "07000000"    \
    "10000000"    \
    "00000000"    \
    "05000000" USIM_AID "00"

static void test_channel_carries_apdus_until_its_group_is_closed(void **state) {
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, NULL);
    assert_int_equal(ask(scene->fd, UICC, 2, SET, OPEN_USIM, &answer), 0);
    assert_int_equal(u32(answer.octets + 48), 0x0090);
    assert_int_equal(u32(answer.octets + 52), 1);
    scene_ctl(scene, "held", "channels=1 cids=0");
    /* SELECT EF_IMSI without FCP. */
    assert_int_equal(ask(scene->fd, UICC, 4, SET,
                         "01000000"
                         "00000000"
                         "00000000"
                         "07000000"
                         "14000000"
                         "00a4000c026f0700",
                         &answer),
                     0);
    assert_buffer(&answer, "90000000"
                           "00000000"
                           "0c000000");
    assert_int_equal(ask(scene->fd, UICC, 3, SET,
                         "00000000"
                         "05000000",
                         &answer),
                     0);
    scene_ctl(scene, "held", "channels=0 cids=0");
}

static void test_aka_gives_the_keys_of_the_published_set(void **state) {
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, NULL);
    assert_int_equal(ask(scene->fd, AUTH, 1, QUERY, RAND AUTN, &answer), 0);
    assert_buffer(&answer, RES ZERO8 "08000000" IK CK ZERO8 "000000000000");
    assert_int_equal(ask(scene->fd, AUTH, 1, QUERY, RAND AUTN, &answer), STATUS_SYNC_FAILURE);
}

static void test_files_are_read_by_application_and_path(void **state) {
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, NULL);
    /* EF_IMSI: version, AID, path, offset, size, no PIN, no data. */
    assert_int_equal(ask(scene->fd, UICC, 9, QUERY,
                         "01000000"
                         "2c000000"
                         "07000000"
                         "34000000"
                         "04000000"
                         "00000000"
                         "09000000" ZERO8 ZERO8 USIM_AID "00"
                         "7fff6f07",
                         &answer),
                     0);
    assert_buffer(&answer, "01000000"
                           "90000000"
                           "00000000"
                           "14000000"
                           "09000000"
                           "080910101032547698"
                           "000000");
    /* The first record of EF_DIR, whose path is from the MF: no AID is needed. */
    assert_int_equal(ask(scene->fd, UICC, 10, QUERY,
                         "01000000"
                         "00000000"
                         "00000000"
                         "28000000"
                         "04000000"
                         "01000000" ZERO8 ZERO8 "3f002f00",
                         &answer),
                     0);
    assert_int_equal(u32(answer.octets + 48 + 16), 48);
    assert_int_equal(answer.octets[48 + 20], 0x61);
    /* A file that is not there has the card's status words. */
    assert_int_equal(ask(scene->fd, UICC, 8, QUERY,
                         "01000000"
                         "00000000"
                         "00000000"
                         "14000000"
                         "04000000"
                         "3f002fff",
                         &answer),
                     0);
    assert_int_equal(u32(answer.octets + 52), 0x6a);
    assert_int_equal(u32(answer.octets + 56), 0x82);
}

static void test_places_outside_a_request_are_refused(void **state) {
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, NULL);
    assert_int_equal(ask(scene->fd, UICC, 8, QUERY,
                         "01000000"
                         "00000000"
                         "00000000"
                         "15000000"
                         "04000000"
                         "3f002fff",
                         &answer),
                     STATUS_INVALID_PARAMETERS);
    assert_int_equal(ask(scene->fd, UICC, 9, QUERY, "01000000", &answer),
                     STATUS_INVALID_PARAMETERS);
    assert_int_equal(ask(scene->fd, UICC, 2, SET,
                         "07000000"
                         "ffffffff"
                         "00000000"
                         "05000000" USIM_AID "00",
                         &answer),
                     STATUS_INVALID_PARAMETERS);
    assert_int_equal(ask(scene->fd, UICC, 99, QUERY, "", &answer), STATUS_NO_SUPPORT);
    assert_int_equal(ask(scene->fd, AUTH, 2, QUERY, "", &answer), STATUS_NO_SUPPORT);
}

static void test_slots_and_a_card_that_is_away_are_told(void **state) {
    static const char *const extra[] = {"--second", "meter", NULL};
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, extra);
    assert_int_equal(ask(scene->fd, EXTENSIONS, 8, QUERY, "00000000", &answer), 0);
    assert_buffer(&answer, "00000000"
                           "05000000");
    assert_int_equal(ask(scene->fd, EXTENSIONS, 8, QUERY, "01000000", &answer), 0);
    assert_buffer(&answer, "01000000"
                           "02000000");
    scene_ctl(scene, "remove", NULL);
    receive(scene->fd, &answer); /* the indication */
    assert_int_equal(u32(answer.octets), 0x80000007u);
    assert_int_equal(ask(scene->fd, EXTENSIONS, 8, QUERY, "00000000", &answer), 0);
    assert_buffer(&answer, "00000000"
                           "03000000");
    assert_int_equal(ask(scene->fd, UICC, 2, SET, OPEN_USIM, &answer), STATUS_NO_SIM);
}

static void test_reset_of_the_card_closes_what_is_open(void **state) {
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, NULL);
    assert_int_equal(ask(scene->fd, UICC, 2, SET, OPEN_USIM, &answer), 0);
    assert_int_equal(ask(scene->fd, UICC, 6, SET, "00000000", &answer), 0);
    assert_buffer(&answer, "00000000");
    scene_ctl(scene, "held", "channels=0 cids=0");
}

static void test_refusal_comes_as_asked_for_and_ends(void **state) {
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, NULL);
    scene_ctl(scene, "refuse apdu 0x87430003", NULL);
    assert_int_equal(ask(scene->fd, UICC, 4, SET, "", &answer), 0x87430003u);
    scene_ctl(scene, "clear", NULL);
    assert_int_equal(ask(scene->fd, UICC, 4, SET, "", &answer), STATUS_INVALID_PARAMETERS);
}

static void test_pin_locks_the_subscriber(void **state) {
    static const char *const extra[] = {"--pin-enabled", NULL};
    struct scene *scene = *state;
    struct answer answer;

    begin(scene, extra);
    assert_int_equal(ask(scene->fd, BASIC, 2, QUERY, "", &answer), 0);
    assert_int_equal(u32(answer.octets + 48), 6);
}

/* Commands in fragments of any size, and answers in fragments for a client that takes no more than 64 octets. */
static void test_long_messages_are_fragments_both_ways(void **state) {
    static const uint8_t open[16] = {1, 0, 0, 0, 16, 0, 0, 0, 2, 0, 0, 0, 64};
    uint8_t fragment[64] = {3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4}, command[28] = {0};
    struct scene *scene = *state;
    struct answer answer;
    size_t got = 0;

    begin(scene, NULL);
    assert_int_equal(write(scene->fd, open, sizeof(open)), sizeof(open));
    receive(scene->fd, &answer);
    /* A query for the application list: service, command, kind and length, seven octets at a time. */
    assert_int_equal(hex_decode_exactly(UICC, command, 16), 0);
    command[16] = 7;
    for (uint8_t i = 0; i < 4; i++) {
        fragment[4] = 20 + 7;
        fragment[16] = i;
        memcpy(fragment + 20, command + 7 * i, 7);
        assert_int_equal(write(scene->fd, fragment, 27), 27);
    }
    for (uint32_t i = 0, total = 1; i < total; i++) {
        receive(scene->fd, &answer);
        assert_true(answer.length <= 64);
        assert_int_equal(u32(answer.octets), 0x80000003u);
        assert_int_equal(u32(answer.octets + 8), 9);
        total = u32(answer.octets + 12);
        assert_int_equal(u32(answer.octets + 16), i);
        assert_true(total > 1);
        got += answer.length - 20;
    }
    /* Head of the list, place and size of its one element, and that. */
    assert_int_equal(20 + got, COMMAND_DONE_HEAD + 16 + 8 + 56);
    /* A fragment that belongs to nothing is left alone. */
    fragment[16] = 3;
    assert_int_equal(write(scene->fd, fragment, 27), 27);
    assert_int_equal(ask(scene->fd, UICC, 6, QUERY, "", &answer), 0);
}

int main(void) {
#define MODEM_TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        MODEM_TEST(test_channel_carries_apdus_until_its_group_is_closed),
        MODEM_TEST(test_aka_gives_the_keys_of_the_published_set),
        MODEM_TEST(test_files_are_read_by_application_and_path),
        MODEM_TEST(test_places_outside_a_request_are_refused),
        MODEM_TEST(test_slots_and_a_card_that_is_away_are_told),
        MODEM_TEST(test_reset_of_the_card_closes_what_is_open),
        MODEM_TEST(test_refusal_comes_as_asked_for_and_ends),
        MODEM_TEST(test_pin_locks_the_subscriber),
        MODEM_TEST(test_long_messages_are_fragments_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
