/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab at-modem as a process, at its terminal: what TS 27.007 has a modem answer, and each quirk by its name.
 */
#include <termios.h>
#include <time.h>

#include "test-lab-modem.h"

#define USIM_AID "A0000000871002"
#define AKA_DATA                       \
    "10"                               \
    "23553cbe9637a89d218ae64dae47bf35" \
    "10"                               \
    "55f328b43577b9b94a9ffac354dfafb3"
#define KEYS                           \
    "DB08A54211D5E3BA50BF10"           \
    "B40BA9A3C58B2A05BBF0D987B21BF8CB" \
    "10F769BCD751044604127672711C6D3441"

enum { TEXT_MAX = 2048 };

static void say(const struct scene *scene, const char *command) {
    assert_int_equal(write(scene->fd, command, strlen(command)), (ssize_t)strlen(command));
    assert_int_equal(write(scene->fd, "\r", 1), 1);
}

/* What COMMAND is answered with, up to the line that ends it: lines without their ends, put together by '|'. */
static const char *ask(struct scene *scene, const char *command) {
    static char text[TEXT_MAX];
    char line[TEXT_MAX] = "";
    size_t have = 0, at = 0;

    say(scene, command);
    for (;;) {
        uint8_t octet;

        scene_read(scene->fd, &octet, 1);
        if (octet != '\r' && octet != '\n') {
            assert_true(at + 1 < sizeof(line));
            line[at++] = (char)octet;
            line[at] = '\0';
            continue;
        }
        if (at == 0)
            continue;
        have +=
            (size_t)snprintf(text + have, sizeof(text) - have, "%s%s", have > 0 ? "|" : "", line);
        assert_true(have < sizeof(text));
        if (strcmp(line, "OK") == 0 || strcmp(line, "ERROR") == 0 ||
            strncmp(line, "+CME ERROR", 10) == 0)
            return text;
        at = 0;
    }
}

static void begin(struct scene *scene, const char *const *extra) {
    struct termios settings;

    scene_start(scene, "at-modem", true, extra);
    scene->fd = open(scene->device, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(scene->fd >= 0);
    assert_int_equal(tcgetattr(scene->fd, &settings), 0);
    cfmakeraw(&settings);
    assert_int_equal(tcsetattr(scene->fd, TCSANOW, &settings), 0);
    assert_string_equal(ask(scene, "ATE0"), "ATE0|OK");
    assert_string_equal(ask(scene, "AT+CMEE=1"), "OK");
}

static void test_session_carries_apdus_until_it_is_closed(void **state) {
    struct scene *scene = *state;

    begin(scene, NULL);
    assert_string_equal(ask(scene, "AT+CCHO=\"" USIM_AID "\""), "+CCHO: 1|OK");
    scene_ctl(scene, "held", "channels=1 cids=0");
    assert_string_equal(ask(scene, "AT+CGLA=1,80,\"0088008122" AKA_DATA "00\""),
                        "+CGLA: 92,\"" KEYS "9000\"|OK");
    assert_string_equal(ask(scene, "AT+CCHC=1"), "OK");
    scene_ctl(scene, "held", "channels=0 cids=0");
    assert_string_equal(ask(scene, "AT+CCHC=1"), "+CME ERROR: 50");
}

static void test_csim_reaches_the_card_on_any_channel(void **state) {
    struct scene *scene = *state;

    begin(scene, NULL);
    assert_string_equal(ask(scene, "AT+CSIM=10,\"0070000001\""), "+CSIM: 6,\"019000\"|OK");
    assert_string_equal(ask(scene, "AT+CSIM=14,\"01A4000C023F00\""), "+CSIM: 4,\"9000\"|OK");
    /* A length that is not that of the digits. */
    assert_string_equal(ask(scene, "AT+CSIM=12,\"0070000001\""), "+CME ERROR: 50");
}

static void test_identities_and_files_are_told(void **state) {
    struct scene *scene = *state;

    begin(scene, NULL);
    assert_string_equal(ask(scene, "AT+CPIN?"), "+CPIN: READY|OK");
    assert_string_equal(ask(scene, "AT+CIMI"), "001010123456789|OK");
    assert_string_equal(ask(scene, "AT+CCID"), "+CCID: 8988201000000000019|OK");
    /* EF_IMSI and EF_ICCID by READ BINARY, a file that is not there, and a record of EF_DIR. */
    assert_string_equal(ask(scene, "AT+CRSM=176,28423,0,0,9"),
                        "+CRSM: 144,0,\"080910101032547698\"|OK");
    assert_string_equal(ask(scene, "AT+CRSM=176,12258,0,0,10"),
                        "+CRSM: 144,0,\"988802010000000010F9\"|OK");
    assert_string_equal(ask(scene, "AT+CRSM=176,28671,0,0,9"), "+CRSM: 106,130|OK");
    assert_memory_equal(ask(scene, "AT+CRSM=178,12032,1,4,48"), "+CRSM: 144,0,\"61184F10", 22);
    assert_memory_equal(ask(scene, "AT+CRSM=192,12258"), "+CRSM: 144,0,\"62", 16);
    assert_string_equal(ask(scene, "AT+CRSM=214,12258,0,0,1,\"00\""), "+CME ERROR: 50");
}

static void test_pin_is_asked_for(void **state) {
    static const char *const extra[] = {"--pin-enabled", NULL};
    struct scene *scene = *state;

    begin(scene, extra);
    assert_string_equal(ask(scene, "AT+CPIN?"), "+CPIN: SIM PIN|OK");
    assert_string_equal(ask(scene, "AT+CIMI"), "+CME ERROR: 11");
    assert_string_equal(ask(scene, "AT+CSIM=26,\"002000010831323334FFFFFFFF\""),
                        "+CSIM: 4,\"9000\"|OK");
    assert_string_equal(ask(scene, "AT+CPIN?"), "+CPIN: READY|OK");
}

static void test_errors_have_numbers_only_where_they_were_asked_for(void **state) {
    struct scene *scene = *state;

    begin(scene, NULL);
    assert_string_equal(ask(scene, "AT+CMEE?"), "+CMEE: 1|OK");
    scene_ctl(scene, "refuse open 4", NULL);
    assert_string_equal(ask(scene, "AT+CCHO=\"" USIM_AID "\""), "+CME ERROR: 4");
    assert_string_equal(ask(scene, "AT+CMEE=0"), "OK");
    assert_string_equal(ask(scene, "AT+CCHO=\"" USIM_AID "\""), "ERROR");
    assert_string_equal(ask(scene, "ATE1"), "OK");
    assert_string_equal(ask(scene, "AT"), "AT|OK");
}

static void test_sessions_run_out(void **state) {
    static const char *const extra[] = {"--channels", "1", NULL};
    struct scene *scene = *state;

    begin(scene, extra);
    assert_string_equal(ask(scene, "AT+CCHO=\"" USIM_AID "\""), "+CCHO: 1|OK");
    assert_string_equal(ask(scene, "AT+CCHO=\"" USIM_AID "\""), "+CME ERROR: 20");
    assert_string_equal(ask(scene, "AT+CCHO=\"A0\""), "+CME ERROR: 20");
}

static void test_quirks_are_what_their_names_say(void **state) {
    static const char *const extra[] = {"--quirk", "no-space", NULL};
    struct scene *scene = *state;

    begin(scene, extra);
    assert_string_equal(ask(scene, "AT+CSIM=14,\"00A4000C023F00\""), "+CSIM:4,\"9000\"|OK");
    scene_ctl(scene, "quirk bare-channel", NULL);
    assert_string_equal(ask(scene, "AT+CCHO=\"" USIM_AID "\""), "1|OK");
    scene_ctl(scene, "quirk lower-case", NULL);
    assert_string_equal(ask(scene, "AT+CSIM=14,\"00A4000C026FFF\""), "+CSIM:4,\"6a82\"|OK");
    scene_ctl(scene, "quirk csim-basic", NULL);
    assert_string_equal(ask(scene, "AT+CSIM=14,\"01A4000C023F00\""), "+CSIM:4,\"6881\"|OK");
    scene_ctl(scene, "quirk plain-error", NULL);
    assert_string_equal(ask(scene, "AT+CCHC=9"), "ERROR");
    scene_ctl(scene, "clear", NULL);
    scene_ctl(scene, "quirk junk", NULL);
    scene_ctl(scene, "quirk split", NULL);
    assert_string_equal(ask(scene, "AT+CSIM=14,\"00A4000C023F00\""),
                        "RDY|+CEREG: 1,\"00A1\",\"01B2C3D4\",7|+CSIM:4,\"9000\"|OK");
}

static void test_unknown_quirk_is_refused(void **state) {
    struct scene *scene = *state;
    char answer[CONTROL_LINE_MAX];

    begin(scene, NULL);
    assert_int_equal(
        control_ask(scene->control, "quirk humour", PATIENCE_MSEC, answer, sizeof(answer)), 1);
}

static long long now_msec(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void test_late_answer_comes_late_and_in_order(void **state) {
    struct scene *scene = *state;
    long long began;

    begin(scene, NULL);
    scene_ctl(scene, "fault delay 300", NULL);
    began = now_msec();
    say(scene, "AT+CSIM=14,\"00A4000C023F00\"");
    assert_string_equal(ask(scene, "AT+CPIN?"), "+CSIM: 4,\"9000\"|OK");
    assert_true(now_msec() - began >= 300);
    scene_ctl(scene, "clear", NULL);
    assert_string_equal(ask(scene, "AT"), "+CPIN: READY|OK");
}

static void test_lost_answer_does_not_come(void **state) {
    struct scene *scene = *state;

    begin(scene, NULL);
    scene_ctl(scene, "fault silent-at 1", NULL);
    say(scene, "AT+CSIM=14,\"00A4000C023F00\"");
    assert_string_equal(ask(scene, "AT+CPIN?"), "+CPIN: READY|OK");
}

static void test_reset_takes_the_terminal_away_and_brings_another(void **state) {
    struct scene *scene = *state;
    char octet;

    begin(scene, NULL);
    scene_ctl(scene, "reset 1", NULL);
    wait_readable(scene->fd);
    assert_true(read(scene->fd, &octet, 1) <= 0);
    scene_await_ready(scene);
    close(scene->fd);
    scene->fd = open(scene->device, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(scene->fd >= 0);
    assert_string_equal(ask(scene, "AT+CMEE?"), "AT+CMEE?|+CMEE: 0|OK");
}

int main(void) {
#define MODEM_TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        MODEM_TEST(test_session_carries_apdus_until_it_is_closed),
        MODEM_TEST(test_csim_reaches_the_card_on_any_channel),
        MODEM_TEST(test_identities_and_files_are_told),
        MODEM_TEST(test_pin_is_asked_for),
        MODEM_TEST(test_errors_have_numbers_only_where_they_were_asked_for),
        MODEM_TEST(test_sessions_run_out),
        MODEM_TEST(test_quirks_are_what_their_names_say),
        MODEM_TEST(test_unknown_quirk_is_refused),
        MODEM_TEST(test_late_answer_comes_late_and_in_order),
        MODEM_TEST(test_lost_answer_does_not_come),
        MODEM_TEST(test_reset_takes_the_terminal_away_and_brings_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
