/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab qmi-modem as a process, spoken to in octets: what it answers, what it refuses on demand, and that its
 * counters tell the truth about what somebody left behind.
 */
#include "test-lab-modem.h"

#define AKA_DATA                       \
    "10"                               \
    "23553cbe9637a89d218ae64dae47bf35" \
    "10"                               \
    "55f328b43577b9b94a9ffac354dfafb3"
#define KEYS                           \
    "db08a54211d5e3ba50bf10"           \
    "b40ba9a3c58b2a05bbf0d987b21bf8cb" \
    "10f769bcd751044604127672711c6d3441"
#define USIM_AID "a0000000871002"

enum {
    CTL = 0x00,
    UIM = 0x0b,
    ALLOCATE = 0x22,
    RELEASE = 0x23,
    SYNC = 0x27,
    READ_TRANSPARENT = 0x20,
    READ_RECORD = 0x21,
    VERIFY_PIN = 0x26,
    CARD_STATUS = 0x2f,
    CARD_STATUS_INDICATION = 0x32,
    AUTHENTICATE = 0x34,
    SEND_APDU = 0x3b,
    CLOSE_CHANNEL = 0x3f,
    OPEN_CHANNEL = 0x42,
    SWITCH_SLOT = 0x46,
    SLOT_STATUS = 0x47,

    ERROR_INTERNAL = 3,
    ERROR_INVALID_CID = 7,
    ERROR_INCORRECT_PIN = 12,
    ERROR_NO_EFFECT = 26,
    ERROR_INSUFFICIENT_RESOURCES = 68,
    ERROR_ACCESS_DENIED = 82,
    ERROR_NO_SIM = 102,
};

struct answer {
    uint8_t octets[2048];
    size_t length;
    size_t fields; /* where they begin */
};

static unsigned u16(const uint8_t *at) {
    return (unsigned)(at[0] | at[1] << 8);
}

static void send_request(int fd, uint8_t service, uint8_t cid, unsigned message,
                         const char *fields_hex) {
    uint8_t frame[1024] = {0x01, 0, 0, 0, service, cid, 0x00, 0x01};
    size_t at = service == CTL ? 8 : 9, length = 0;

    assert_int_equal(hex_decode(fields_hex, frame + at + 4, sizeof(frame) - at - 4, &length), 0);
    frame[at] = (uint8_t)message;
    frame[at + 1] = (uint8_t)(message >> 8);
    frame[at + 2] = (uint8_t)length;
    frame[at + 3] = (uint8_t)(length >> 8);
    length += at + 4;
    frame[1] = (uint8_t)(length - 1);
    frame[2] = (uint8_t)((length - 1) >> 8);
    assert_int_equal(write(fd, frame, length), (ssize_t)length);
}

/* The next frame; its message. */
static unsigned receive(int fd, struct answer *answer) {
    size_t id;

    scene_read(fd, answer->octets, 3);
    answer->length = u16(answer->octets + 1) + 1u;
    assert_true(answer->length >= 12 && answer->length <= sizeof(answer->octets));
    scene_read(fd, answer->octets + 3, answer->length - 3);
    id = answer->octets[4] == CTL ? 8 : 9;
    answer->fields = id + 4;
    assert_int_equal(answer->fields + u16(answer->octets + id + 2), answer->length);
    return u16(answer->octets + id);
}

static const uint8_t *field(const struct answer *answer, uint8_t type, size_t *ret_length) {
    for (size_t at = answer->fields; at + 3 <= answer->length;
         at += 3 + u16(answer->octets + at + 1)) {
        if (answer->octets[at] != type)
            continue;
        *ret_length = u16(answer->octets + at + 1);
        assert_true(at + 3 + *ret_length <= answer->length);
        return answer->octets + at + 3;
    }
    return NULL;
}

/* The error of the answer; 0 for success. */
static unsigned result_of(const struct answer *answer) {
    size_t n;
    const uint8_t *result = field(answer, 0x02, &n);

    assert_non_null(result);
    assert_int_equal(n, 4);
    assert_int_equal(u16(result), u16(result + 2) != 0);
    return u16(result + 2);
}

static unsigned ask(int fd, uint8_t service, uint8_t cid, unsigned message, const char *fields_hex,
                    struct answer *answer) {
    send_request(fd, service, cid, message, fields_hex);
    assert_int_equal(receive(fd, answer), message);
    return result_of(answer);
}

static void assert_field(const struct answer *answer, uint8_t type, const char *hex) {
    char text[2 * sizeof(answer->octets) + 1];
    size_t n = 0;
    const uint8_t *value = field(answer, type, &n);

    assert_non_null(value);
    hex_encode(value, n, text);
    assert_string_equal(text, hex);
}

static uint8_t allocate(int fd) {
    struct answer answer;
    size_t n;

    assert_int_equal(ask(fd, CTL, 0, ALLOCATE, "0101000b", &answer), 0);
    assert_int_equal(field(&answer, 0x01, &n)[0], UIM);
    return field(&answer, 0x01, &n)[1];
}

/* The modem with EXTRA, a line to it and a client of UIM. */
static uint8_t begin(struct scene *scene, const char *const *extra) {
    scene_start(scene, "qmi-modem", false, extra);
    scene->fd = scene_connect(scene);
    return allocate(scene->fd);
}

static void test_channel_carries_apdus_until_it_is_closed(void **state) {
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, NULL);
    struct answer answer;

    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL,
                         "01010001"
                         "10080007" USIM_AID,
                         &answer),
                     0);
    assert_field(&answer, 0x10, "01");
    assert_field(&answer, 0x11, "9000");
    scene_ctl(scene, "held", "channels=1 cids=1");
    /* SELECT EF_IMSI without FCP, with a class octet that the modem sets right. */
    assert_int_equal(ask(scene->fd, UIM, cid, SEND_APDU,
                         "01010001"
                         "0209000700"
                         "00a4000c026f07"
                         "10010001",
                         &answer),
                     0);
    assert_field(&answer, 0x10, "02009000");
    assert_int_equal(ask(scene->fd, UIM, cid, CLOSE_CHANNEL,
                         "01010001"
                         "11010001",
                         &answer),
                     0);
    scene_ctl(scene, "held", "channels=0 cids=1");
    assert_int_equal(ask(scene->fd, CTL, 0, RELEASE, "0102000b01", &answer), 0);
    scene_ctl(scene, "held", "channels=0 cids=0");
    scene_ctl(scene, "count", NULL);
}

static void test_authenticate_gives_the_keys_of_the_published_set(void **state) {
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, NULL);
    struct answer answer;
    size_t n;

    assert_int_equal(ask(scene->fd, UIM, cid, AUTHENTICATE,
                         "0102000000"
                         "022500032200" AKA_DATA,
                         &answer),
                     0);
    assert_field(&answer, 0x10, "9000");
    assert_field(&answer, 0x11, "2c00" KEYS);
    /* The same again is a sequence number of the past. */
    assert_int_equal(ask(scene->fd, UIM, cid, AUTHENTICATE,
                         "0102000000"
                         "022500032200" AKA_DATA,
                         &answer),
                     0);
    assert_int_equal(field(&answer, 0x11, &n)[2], 0xdc);
}

static void test_another_service_or_a_released_client_is_not_served(void **state) {
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, NULL);
    struct answer answer;

    assert_int_equal(ask(scene->fd, 0x02, cid, 0x25, "", &answer), ERROR_INVALID_CID);
    assert_int_equal(ask(scene->fd, UIM, 9, CARD_STATUS, "", &answer), ERROR_INVALID_CID);
    assert_int_equal(ask(scene->fd, CTL, 0, SYNC, "", &answer), 0);
}

static void test_client_that_was_killed_leaves_what_it_held(void **state) {
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, NULL);
    struct answer answer;

    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL,
                         "01010001"
                         "10080007" USIM_AID,
                         &answer),
                     0);
    close(scene->fd);
    scene->fd = scene_connect(scene);
    scene_ctl(scene, "held", "channels=1 cids=1");
}

static void test_refusals_come_as_asked_for_and_end(void **state) {
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, NULL);
    static const char open[] = "01010001"
                               "10080007" USIM_AID;
    struct answer answer;

    scene_ctl(scene, "refuse open 82", NULL);
    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL, open, &answer), ERROR_ACCESS_DENIED);
    scene_ctl(scene, "refuse status 3", NULL);
    assert_int_equal(ask(scene->fd, UIM, cid, CARD_STATUS, "", &answer), ERROR_INTERNAL);
    scene_ctl(scene, "clear", NULL);
    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL, open, &answer), 0);
}

static void test_channels_run_out(void **state) {
    static const char *const extra[] = {"--channels", "1", NULL};
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, extra);
    static const char open[] = "01010001"
                               "10080007" USIM_AID;
    struct answer answer;

    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL, open, &answer), 0);
    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL, open, &answer),
                     ERROR_INSUFFICIENT_RESOURCES);
}

static void test_pin_is_verified_and_tries_are_counted_down(void **state) {
    static const char *const extra[] = {"--pin-enabled", NULL};
    static const char imsi[] = "0102000000"
                               "020700076f04003fff7f"
                               "03040000000000";
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, extra);
    struct answer answer;

    assert_int_equal(ask(scene->fd, UIM, cid, READ_TRANSPARENT, imsi, &answer), 80);
    assert_int_equal(ask(scene->fd, UIM, cid, VERIFY_PIN,
                         "0102000000"
                         "020600010439393939",
                         &answer),
                     ERROR_INCORRECT_PIN);
    assert_field(&answer, 0x10, "020a");
    assert_field(&answer, 0x13, "63c2");
    assert_int_equal(ask(scene->fd, UIM, cid, VERIFY_PIN,
                         "0102000000"
                         "020600010431323334",
                         &answer),
                     0);
    assert_int_equal(ask(scene->fd, UIM, cid, READ_TRANSPARENT, imsi, &answer), 0);
    assert_field(&answer, 0x11,
                 "0900"
                 "080910101032547698");
}

static void test_slots_are_told_and_switched(void **state) {
    static const char *const extra[] = {"--second", "meter", NULL};
    static const char iccid[] = "0102000600"
                                "020500e22f02003f"
                                "030400"
                                "00000000";
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, extra);
    struct answer answer;

    assert_int_equal(ask(scene->fd, UIM, cid, SLOT_STATUS, "", &answer), 0);
    assert_field(&answer, 0x10,
                 "02"
                 "0200000001000000010a"
                 "988802010000000010f9"
                 "0200000000000000000a"
                 "988802010000000020f7");
    assert_int_equal(ask(scene->fd, UIM, cid, SWITCH_SLOT,
                         "01010001"
                         "02040001000000",
                         &answer),
                     ERROR_NO_EFFECT);
    send_request(scene->fd, UIM, cid, SWITCH_SLOT,
                 "01010001"
                 "02040002000000");
    while (receive(scene->fd, &answer) != SWITCH_SLOT)
        ;
    assert_int_equal(result_of(&answer), 0);
    assert_int_equal(ask(scene->fd, UIM, cid, READ_TRANSPARENT, iccid, &answer), 0);
    assert_field(&answer, 0x11,
                 "0a00"
                 "988802010000000020f7");
}

static void test_removed_card_is_told_and_missed(void **state) {
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, NULL);
    struct answer answer;

    scene_ctl(scene, "remove", NULL);
    assert_int_equal(receive(scene->fd, &answer), CARD_STATUS_INDICATION);
    assert_int_equal(receive(scene->fd, &answer), 0x48);
    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL,
                         "01010001"
                         "10080007" USIM_AID,
                         &answer),
                     ERROR_NO_SIM);
}

static void test_reset_loses_clients_and_channels_and_comes_back(void **state) {
    struct scene *scene = *state;
    const uint8_t cid = begin(scene, NULL);
    struct answer answer;
    uint8_t octet;

    assert_int_equal(ask(scene->fd, UIM, cid, OPEN_CHANNEL,
                         "01010001"
                         "10080007" USIM_AID,
                         &answer),
                     0);
    scene_ctl(scene, "reset 1", NULL);
    wait_readable(scene->fd);
    assert_int_equal(read(scene->fd, &octet, 1), 0);
    scene_await_ready(scene);
    close(scene->fd);
    scene->fd = scene_connect(scene);
    scene_ctl(scene, "held", "channels=0 cids=0");
    assert_int_equal(ask(scene->fd, UIM, cid, CARD_STATUS, "", &answer), ERROR_INVALID_CID);
}

static void test_card_remembers_its_sequence_number_between_runs(void **state) {
    struct scene *scene = *state;
    const char *const extra[] = {"--state", scene->state, NULL};
    uint8_t cid = begin(scene, extra);
    struct answer answer;
    size_t n;

    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ask(scene->fd, UIM, cid, AUTHENTICATE,
                             "0102000000"
                             "022500032200" AKA_DATA,
                             &answer),
                         0);
        assert_int_equal(field(&answer, 0x11, &n)[2], i == 0 ? 0xdb : 0xdc);
        if (i == 0) {
            assert_int_equal(scene_stop(scene), 0);
            cid = begin(scene, extra);
        }
    }
}

int main(void) {
#define MODEM_TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        MODEM_TEST(test_channel_carries_apdus_until_it_is_closed),
        MODEM_TEST(test_authenticate_gives_the_keys_of_the_published_set),
        MODEM_TEST(test_another_service_or_a_released_client_is_not_served),
        MODEM_TEST(test_client_that_was_killed_leaves_what_it_held),
        MODEM_TEST(test_refusals_come_as_asked_for_and_end),
        MODEM_TEST(test_channels_run_out),
        MODEM_TEST(test_pin_is_verified_and_tries_are_counted_down),
        MODEM_TEST(test_slots_are_told_and_switched),
        MODEM_TEST(test_removed_card_is_told_and_missed),
        MODEM_TEST(test_reset_loses_clients_and_channels_and_comes_back),
        MODEM_TEST(test_card_remembers_its_sequence_number_between_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
