/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab usim as a process, with this test as its reader: it speaks vpcd's protocol from the
 * other side, and asks for faults at the control socket as other tests do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"
#include "hex.h"

#define SELECT_USIM "00a4040c07a0000000871002"
#define AKA                            \
    "008800812210"                     \
    "23553cbe9637a89d218ae64dae47bf35" \
    "10"                               \
    "55f328b43577b9b94a9ffac354dfafb3" \
    "00"
#define RES  "a54211d5e3ba50bf"
#define CK   "b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define IK   "f769bcd751044604127672711c6d3441"
#define KEYS "db08" RES "10" CK "10" IK

enum { PATIENCE_MSEC = 20000, MESSAGE_MAX = 1024, FLOOD = MESSAGE_MAX + 1 };

struct scene {
    char directory[64], control[96], output[96], error[96], state[96];
    int listen_fd, card_fd;
    uint16_t port;
    pid_t pid;
    char reply[2 * MESSAGE_MAX + 1];
};

static int64_t now_msec(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void open_reader(struct scene *scene) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(scene->port)};
    socklen_t length = sizeof(address);
    const int on = 1;

    scene->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(scene->listen_fd >= 0);
    setsockopt(scene->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(scene->listen_fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(scene->listen_fd, 1), 0);
    assert_int_equal(getsockname(scene->listen_fd, (struct sockaddr *)&address, &length), 0);
    scene->port = ntohs(address.sin_port);
}

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    strcpy(scene->directory, "/tmp/lab-usim-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    snprintf(scene->control, sizeof(scene->control), "%s/control", scene->directory);
    snprintf(scene->output, sizeof(scene->output), "%s/output", scene->directory);
    snprintf(scene->error, sizeof(scene->error), "%s/error", scene->directory);
    snprintf(scene->state, sizeof(scene->state), "%s/state", scene->directory);
    scene->card_fd = -1;
    open_reader(scene);
    *state = scene;
    return 0;
}

static void wait_readable(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MSEC), 1);
}

static void accept_card(struct scene *scene) {
    const int on = 1;

    wait_readable(scene->listen_fd);
    scene->card_fd = accept4(scene->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(scene->card_fd >= 0);
    setsockopt(scene->card_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void exec_card(const struct scene *scene, const char *const *extra) {
    char address[32];
    const char *argv[16] = {KEYSTRAP_LAB, "usim",  "--subscribers", LAB_CONF,
                            "--vpcd",     address, "--control",     scene->control};
    size_t count = 8;

    for (; extra && *extra && count < 15; extra++)
        argv[count++] = *extra;
    snprintf(address, sizeof(address), "127.0.0.1:%u", scene->port);
    if (dup2(open(scene->output, O_WRONLY | O_CREAT | O_APPEND, 0600), STDOUT_FILENO) < 0 ||
        dup2(open(scene->error, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO) < 0)
        _exit(126);
    {
        union {
            const char **in;
            char **out;
        } cast = {.in = argv};

        execv(argv[0], cast.out);
    }
    _exit(127);
}

/* The card without its reader: the caller accepts it. */
static void launch(struct scene *scene, const char *const *extra) {
    scene->pid = fork();
    assert_true(scene->pid >= 0);
    if (scene->pid == 0)
        exec_card(scene, extra);
}

static void send_message(struct scene *scene, const uint8_t *octets, size_t length) {
    const uint8_t header[2] = {(uint8_t)(length >> 8), (uint8_t)length};

    assert_int_equal(send(scene->card_fd, header, 2, MSG_NOSIGNAL), 2);
    assert_int_equal(send(scene->card_fd, octets, length, MSG_NOSIGNAL), length);
}

static void send_slot_command(struct scene *scene, uint8_t command) {
    send_message(scene, &command, 1);
}

static void start(struct scene *scene, const char *const *extra) {
    launch(scene, extra);
    accept_card(scene);
    send_slot_command(scene, 1);
}

/* The exit code of the card after SIGNAL (0: it ends by itself). */
static int stop(struct scene *scene, int signal_number) {
    int status = 0;

    if (signal_number != 0)
        kill(scene->pid, signal_number);
    assert_int_equal(waitpid(scene->pid, &status, 0), scene->pid);
    scene->pid = 0;
    if (scene->card_fd >= 0)
        close(scene->card_fd);
    scene->card_fd = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int teardown(void **state) {
    struct scene *scene = *state;
    int code = 0;

    if (scene->pid > 0)
        code = stop(scene, SIGTERM);
    if (code != 0)
        print_error("the card ended with %d\n", code);
    if (scene->listen_fd >= 0)
        close(scene->listen_fd);
    unlink(scene->output);
    unlink(scene->error);
    unlink(scene->state);
    if (rmdir(scene->directory) < 0)
        code = -1;
    free(scene);
    return code;
}

static void receive(struct scene *scene, uint8_t *octets, size_t length) {
    for (size_t have = 0; have < length;) {
        ssize_t n;

        wait_readable(scene->card_fd);
        n = recv(scene->card_fd, octets + have, length - have, 0);
        assert_true(n > 0);
        have += (size_t)n;
    }
}

static const char *hear(struct scene *scene) {
    uint8_t header[2], octets[MESSAGE_MAX];
    size_t length;

    receive(scene, header, sizeof(header));
    length = (size_t)header[0] << 8 | header[1];
    assert_true(length <= sizeof(octets));
    receive(scene, octets, length);
    hex_encode(octets, length, scene->reply);
    return scene->reply;
}

static void tell(struct scene *scene, const char *command) {
    uint8_t octets[MESSAGE_MAX];
    size_t length;

    assert_int_equal(hex_decode(command, octets, sizeof(octets), &length), 0);
    send_message(scene, octets, length);
}

static const char *say(struct scene *scene, const char *command) {
    tell(scene, command);
    return hear(scene);
}

/* The answer at the control socket is EXPECTED. */
static void ctl(struct scene *scene, const char *command, const char *expected) {
    char answer[CONTROL_LINE_MAX] = "";

    assert_true(control_ask(scene->control, command, PATIENCE_MSEC, answer, sizeof(answer)) >= 0);
    assert_string_equal(answer, expected);
}

/* Whether a byte or the end comes from the card within MSEC. */
static bool hears_within(const struct scene *scene, int msec) {
    struct pollfd poll_fd = {.fd = scene->card_fd, .events = POLLIN};

    return poll(&poll_fd, 1, msec) == 1;
}

static void assert_pulled(struct scene *scene) {
    uint8_t byte;

    wait_readable(scene->card_fd);
    assert_int_equal(recv(scene->card_fd, &byte, 1, 0), 0);
    close(scene->card_fd);
    scene->card_fd = -1;
}

static size_t read_file(const char *path, char *ret_text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, ret_text, size - 1);
    assert_true(n >= 0);
    close(fd);
    ret_text[n] = '\0';
    return (size_t)n;
}

static void it_says_ready_once_it_is_in_the_reader(void **state) {
    struct scene *scene = *state;
    char text[64];

    start(scene, NULL);
    say(scene, "00a4000c023f00"); /* an answer comes after the line */
    read_file(scene->output, text, sizeof(text));
    assert_string_equal(text, "ready\n");
}

static void the_atr_is_there_with_and_without_power(void **state) {
    struct scene *scene = *state;
    char first[2 * MESSAGE_MAX + 1];

    launch(scene, NULL);
    accept_card(scene);
    send_slot_command(scene, 4);
    strcpy(first, hear(scene));
    assert_memory_equal(first, "3b", 2);
    send_slot_command(scene, 1);
    send_slot_command(scene, 4);
    assert_string_equal(hear(scene), first);
}

static void power_and_reset_clear_channels_and_the_sqn_survives_both(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    assert_string_equal(say(scene, "0070000001"), "019000");
    ctl(scene, "channels", "ok 1");
    send_slot_command(scene, 2);
    say(scene, SELECT_USIM);
    ctl(scene, "channels", "ok");
    assert_string_equal(say(scene, AKA), KEYS "9000");
    ctl(scene, "sqn", "ok ff9bb4d0b607");
    send_slot_command(scene, 0);
    send_slot_command(scene, 1);
    say(scene, SELECT_USIM);
    assert_memory_equal(say(scene, AKA), "dc0e", 4);
    ctl(scene, "count", "ok apdus=5 authenticates=2");
}

static void a_message_in_single_octets_and_two_in_one_segment_are_understood(void **state) {
    struct scene *scene = *state;
    static const uint8_t select[] = {0, 7, 0x00, 0xa4, 0x00, 0x0c, 0x02, 0x3f, 0x00};
    uint8_t twice[2 * sizeof(select)];

    start(scene, NULL);
    for (size_t i = 0; i < sizeof(select); i++)
        assert_int_equal(send(scene->card_fd, select + i, 1, MSG_NOSIGNAL), 1);
    assert_string_equal(hear(scene), "9000");
    memcpy(twice, select, sizeof(select));
    memcpy(twice + sizeof(select), select, sizeof(select));
    assert_int_equal(send(scene->card_fd, twice, sizeof(twice), MSG_NOSIGNAL), sizeof(twice));
    assert_string_equal(hear(scene), "9000");
    assert_string_equal(hear(scene), "9000");
}

static void a_message_of_any_length_is_answered_or_ends_the_connection(void **state) {
    struct scene *scene = *state;
    uint8_t flood[FLOOD] = {0};

    start(scene, NULL);
    send_message(scene, flood, 0);
    assert_string_equal(hear(scene), "6700");
    send_message(scene, flood, 1000);
    assert_string_equal(hear(scene), "6700");
    send_message(scene, flood, sizeof(flood));
    {
        struct pollfd poll_fd = {.fd = scene->card_fd, .events = POLLIN};
        uint8_t byte;

        assert_int_equal(poll(&poll_fd, 1, PATIENCE_MSEC), 1);
        assert_true(recv(scene->card_fd, &byte, 1, 0) <= 0);
        close(scene->card_fd);
    }
    accept_card(scene); /* it comes back */
    send_slot_command(scene, 1);
    assert_string_equal(say(scene, "00a4000c023f00"), "9000");
}

static void when_the_reader_goes_the_card_comes_back_to_the_next_one(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    say(scene, "0070000001");
    close(scene->listen_fd);
    close(scene->card_fd);
    open_reader(scene);
    accept_card(scene);
    send_slot_command(scene, 1);
    ctl(scene, "channels", "ok");
    assert_string_equal(say(scene, "00a4000c023f00"), "9000");
}

static void removed_and_inserted_on_request(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    say(scene, "0070000001");
    ctl(scene, "state", "ok inserted powered");
    ctl(scene, "remove", "ok");
    assert_pulled(scene);
    ctl(scene, "state", "ok removed unpowered");
    ctl(scene, "channels", "ok");
    ctl(scene, "insert", "ok");
    ctl(scene, "insert", "ok already inserted");
    accept_card(scene);
    send_slot_command(scene, 1);
    assert_string_equal(say(scene, "00a4000c023f00"), "9000");
}

static void inserting_where_there_is_no_reader_is_an_error_that_names_it(void **state) {
    struct scene *scene = *state;
    char answer[CONTROL_LINE_MAX] = "";

    start(scene, NULL);
    ctl(scene, "remove", "ok");
    close(scene->listen_fd);
    scene->listen_fd = -1;
    assert_int_equal(control_ask(scene->control, "insert", PATIENCE_MSEC, answer, sizeof(answer)),
                     1);
    assert_non_null(strstr(answer, "no reader at 127.0.0.1:"));
    assert_non_null(strstr(answer, "Connection refused"));
}

static void it_is_pulled_at_the_apdu_that_was_named_and_stays_out(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    ctl(scene, "fault drop-at 2", "ok");
    assert_string_equal(say(scene, "00a4000c023f00"), "9000");
    tell(scene, "00a4000c023f00");
    assert_pulled(scene);
    ctl(scene, "state", "ok removed unpowered");
    ctl(scene, "count", "ok apdus=2 authenticates=0");
}

static void pulled_at_authenticate_the_step_is_done_and_the_answer_lost(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    ctl(scene, "fault drop-at authenticate", "ok");
    say(scene, "00a4000c023f00");
    say(scene, SELECT_USIM);
    tell(scene, AKA);
    assert_pulled(scene);
    ctl(scene, "sqn", "ok ff9bb4d0b607");
}

static void it_is_silent_for_so_many_seconds_and_then_answers(void **state) {
    struct scene *scene = *state;
    int64_t begun;

    start(scene, NULL);
    ctl(scene, "fault silent-at 1 1", "ok");
    begun = now_msec();
    tell(scene, "00a4000c023f00");
    ctl(scene, "state", "ok inserted powered answering");
    assert_string_equal(hear(scene), "9000");
    assert_true(now_msec() - begun >= 1000);
    assert_string_equal(say(scene, "00a4000c023f00"), "9000");
}

static void it_is_silent_for_ever_until_cleared_or_removed(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    ctl(scene, "fault silent-at authenticate", "ok");
    say(scene, SELECT_USIM);
    tell(scene, AKA);
    assert_false(hears_within(scene, 300));
    ctl(scene, "clear", "ok");
    assert_string_equal(hear(scene), KEYS "9000");

    ctl(scene, "fault silent-at 1", "ok");
    tell(scene, AKA);
    assert_false(hears_within(scene, 100));
    ctl(scene, "remove", "ok");
    assert_pulled(scene);
}

static void a_silent_card_notices_that_its_reader_is_gone(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    ctl(scene, "fault silent-at 1", "ok");
    tell(scene, "00a4000c023f00");
    assert_false(hears_within(scene, 100));
    close(scene->card_fd);
    accept_card(scene);
    send_slot_command(scene, 1);
    assert_string_equal(say(scene, "00a4000c023f00"), "9000");
}

static void every_answer_is_delayed_until_the_delay_is_taken_back(void **state) {
    struct scene *scene = *state;
    int64_t begun;

    start(scene, NULL);
    ctl(scene, "fault delay 150", "ok");
    for (int i = 0; i < 2; i++) {
        begun = now_msec();
        assert_string_equal(say(scene, "00a4000c023f00"), "9000");
        assert_true(now_msec() - begun >= 150);
    }
    ctl(scene, "fault delay 0", "ok");
    assert_string_equal(say(scene, "00a4000c023f00"), "9000");
}

static void an_answer_is_replaced_once_and_the_card_has_not_seen_the_command(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    ctl(scene, "fault status 6f00 at 2", "ok");
    ctl(scene, "fault answer db08 at authenticate", "ok");
    assert_string_equal(say(scene, SELECT_USIM), "9000");
    assert_string_equal(say(scene, "00a4000c023f00"), "6f00");
    assert_string_equal(say(scene, AKA), "db08");
    assert_string_equal(say(scene, AKA), KEYS "9000"); /* still in the USIM, SQN still fresh */
    ctl(scene, "count", "ok apdus=2 authenticates=1");
}

static void authenticate_lies_about_mac_and_sqn_and_loses_its_tail_on_request(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    say(scene, SELECT_USIM);
    ctl(scene, "fault wrong-mac", "ok");
    assert_string_equal(say(scene, AKA), "9862");
    ctl(scene, "fault stale-sqn", "ok");
    assert_memory_equal(say(scene, AKA), "dc0e", 4);
    ctl(scene, "fault truncate 1", "ok");
    assert_string_equal(say(scene, AKA), "db08" RES "10" CK "10f769bcd751044604127672711c6d349000");
}

static void cleared_faults_do_not_happen(void **state) {
    struct scene *scene = *state;

    start(scene, NULL);
    say(scene, SELECT_USIM);
    ctl(scene, "fault wrong-mac", "ok");
    ctl(scene, "fault truncate 5", "ok");
    ctl(scene, "fault drop-at 1", "ok");
    ctl(scene, "fault silent-at 1", "ok");
    ctl(scene, "fault status 6f00 at 1", "ok");
    ctl(scene, "clear", "ok");
    assert_string_equal(say(scene, AKA), KEYS "9000");
}

static void wrong_wishes_are_refused_with_the_usage_and_have_no_effect(void **state) {
    static const char *const wrong[] = {
        "fault dance",          "fault drop-at",       "fault drop-at 0",
        "fault drop-at x",      "fault drop-at -1",    "fault silent-at 1 0",
        "fault status 6f at 1", "fault status 6f00 1", "fault status 6f00 at",
        "fault answer xy at 1", "fault delay x",       "fault delay 600001",
        "fault truncate 0",     "fault wrong-mac 1",
    };
    struct scene *scene = *state;

    start(scene, NULL);
    say(scene, SELECT_USIM);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char answer[CONTROL_LINE_MAX] = "";

        assert_int_equal(
            control_ask(scene->control, wrong[i], PATIENCE_MSEC, answer, sizeof(answer)), 1);
        assert_memory_equal(answer, "error usage: fault", 18);
    }
    assert_string_equal(say(scene, AKA), KEYS "9000");
}

static void the_trace_shows_apdus_and_nothing_secret(void **state) {
    struct scene *scene = *state;
    const char *const options[] = {"--verbose", "--pin-enabled", "--shape", "t0", NULL};
    char text[8192];

    start(scene, options);
    assert_string_equal(say(scene, "00a40004022fe2"), "6119");
    assert_string_equal(say(scene, "00a4000c022fe2"), "9000");
    assert_string_equal(say(scene, "00b000000a"), "988802010000000010f99000");
    say(scene, SELECT_USIM);
    assert_string_equal(say(scene, "002000010831323334ffffffff"), "9000");
    assert_string_equal(say(scene, AKA), "612c");
    assert_string_equal(say(scene, "00c000002c"), KEYS "9000");
    assert_int_equal(stop(scene, SIGTERM), 0);
    read_file(scene->error, text, sizeof(text));
    assert_non_null(strstr(text, "> 00b000000a\n< 988802010000000010f9 9000\n"));
    assert_non_null(strstr(text, "> 00200001 (9 octets)\n< 9000\n"));
    assert_non_null(strstr(text, "> 00880081 (36 octets)\n< 612c\n"));
    assert_non_null(strstr(text, "> 00c00000 (1 octets)\n< (44 octets) 9000\n"));
    assert_null(strstr(text, "31323334"));
    assert_null(strstr(text, RES));
    assert_null(strstr(text, "b40ba9a3"));
    assert_null(strstr(text, "f769bcd7"));
}

static void with_a_state_file_sqn_and_pin_tries_outlive_the_process(void **state) {
    struct scene *scene = *state;
    const char *const options[] = {"--state", scene->state, "--pin-enabled", NULL};

    start(scene, options);
    assert_string_equal(say(scene, "002000010831323334ffffffff"), "9000");
    say(scene, SELECT_USIM);
    assert_string_equal(say(scene, AKA), KEYS "9000");
    assert_string_equal(say(scene, "002000010831313131ffffffff"), "63c2");
    stop(scene, SIGKILL); /* at any instant */

    start(scene, options);
    assert_string_equal(say(scene, "00200001"), "63c2");
    assert_string_equal(say(scene, "002000010831323334ffffffff"), "9000");
    say(scene, SELECT_USIM);
    assert_memory_equal(say(scene, AKA), "dc0e", 4);
    ctl(scene, "sqn", "ok ff9bb4d0b607");
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void a_state_that_is_spoilt_or_another_cards_is_refused_by_name(void **state) {
    static const char *const wrong[] = {
        "",
        "nonsense\n",
        "[Card]\nImsi = 001010000000003\nPinRetries = 3\n",
        "[Card]\nPinRetries = 3\n",
        "[Card]\nImsi = 001010123456789\nPinRetries = 4\n",
        "[Card]\nImsi = 001010123456789\nSeq32 = 1\n",
        "[Card]\nImsi = 001010123456789\nSeq0 = fffffffffffff\n",
        "[Card]\nImsi = 001010123456789\nSeq0 = -1\n",
        "[Sim]\nImsi = 001010123456789\n",
    };
    struct scene *scene = *state;
    const char *const options[] = {"--state", scene->state, NULL};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[4096];

        write_file(scene->state, wrong[i]);
        unlink(scene->error);
        launch(scene, options);
        if (stop(scene, 0) == 0)
            fail_msg("started with the state \"%s\"", wrong[i]);
        read_file(scene->error, text, sizeof(text));
        assert_non_null(strstr(text, "is not the state of the card with IMSI 001010123456789"));
    }
}

static void a_wrong_command_line_or_no_reader_ends_with_the_code_of_sysexits(void **state) {
    struct scene *scene = *state;
    const char *const no_such[] = {"--subscriber", "nobody", NULL};
    const char *const bad_shape[] = {"--shape", "t2", NULL};
    const char *const bad_channels[] = {"--channels", "20", NULL};
    const char *const no_patience[] = {"--wait", "0", NULL};
    char text[4096];

    launch(scene, no_such);
    assert_int_equal(stop(scene, 0), 78);
    launch(scene, bad_shape);
    assert_int_equal(stop(scene, 0), 64);
    launch(scene, bad_channels);
    assert_int_equal(stop(scene, 0), 64);
    close(scene->listen_fd);
    scene->listen_fd = -1;
    launch(scene, no_patience);
    assert_int_equal(stop(scene, 0), 69);
    read_file(scene->error, text, sizeof(text));
    assert_non_null(strstr(text, "no [Subscriber nobody]"));
    assert_non_null(strstr(text, "\"t2\" is neither t0 nor t1"));
    assert_non_null(strstr(text, "\"20\" is not a number from 0 to 19"));
    assert_non_null(strstr(text, "no vpcd reader at 127.0.0.1:"));
}

static void another_subscriber_is_taken_by_name_or_imsi(void **state) {
    struct scene *scene = *state;
    const char *const by_imsi[] = {"--subscriber", "001010000000003", NULL};

    start(scene, by_imsi);
    say(scene, "00a4000c022fe2");
    assert_string_equal(say(scene, "00b0000000"), "988802010000000030f59000");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_says_ready_once_it_is_in_the_reader),
        TEST(the_atr_is_there_with_and_without_power),
        TEST(power_and_reset_clear_channels_and_the_sqn_survives_both),
        TEST(a_message_in_single_octets_and_two_in_one_segment_are_understood),
        TEST(a_message_of_any_length_is_answered_or_ends_the_connection),
        TEST(when_the_reader_goes_the_card_comes_back_to_the_next_one),
        TEST(removed_and_inserted_on_request),
        TEST(inserting_where_there_is_no_reader_is_an_error_that_names_it),
        TEST(it_is_pulled_at_the_apdu_that_was_named_and_stays_out),
        TEST(pulled_at_authenticate_the_step_is_done_and_the_answer_lost),
        TEST(it_is_silent_for_so_many_seconds_and_then_answers),
        TEST(it_is_silent_for_ever_until_cleared_or_removed),
        TEST(a_silent_card_notices_that_its_reader_is_gone),
        TEST(every_answer_is_delayed_until_the_delay_is_taken_back),
        TEST(an_answer_is_replaced_once_and_the_card_has_not_seen_the_command),
        TEST(authenticate_lies_about_mac_and_sqn_and_loses_its_tail_on_request),
        TEST(cleared_faults_do_not_happen),
        TEST(wrong_wishes_are_refused_with_the_usage_and_have_no_effect),
        TEST(the_trace_shows_apdus_and_nothing_secret),
        TEST(with_a_state_file_sqn_and_pin_tries_outlive_the_process),
        TEST(a_state_that_is_spoilt_or_another_cards_is_refused_by_name),
        TEST(a_wrong_command_line_or_no_reader_ends_with_the_code_of_sysexits),
        TEST(another_subscriber_is_taken_by_name_or_imsi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
