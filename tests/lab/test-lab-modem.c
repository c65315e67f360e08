/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's modems as processes: octets that are no messages, and messages that lie about their lengths, neither end nor
 * confuse them; what somebody holds is counted; a reset is one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"

enum { TIMEOUT_MSEC = 20000, GARBAGE_ROUNDS = 400 };

struct lab {
    pid_t pid;
    char listen[64];
    char control[96];
    FILE *out;
};

static void lab_start(struct lab *lab, const char *subcommand) {
    const char *directory = getenv("TMPDIR");
    char line[32];
    int fds[2];

    snprintf(lab->listen, sizeof(lab->listen), "keystrap-lab-test-%d", (int)getpid());
    snprintf(lab->control, sizeof(lab->control), "%s/keystrap-lab-modem-%d",
             directory ? directory : "/tmp", (int)getpid());
    assert_int_equal(pipe(fds), 0);
    lab->pid = fork();
    assert_true(lab->pid >= 0);
    if (lab->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDOUT_FILENO);
        execl(KEYSTRAP_LAB, KEYSTRAP_LAB, subcommand, "--subscribers", LAB_CONF, "--listen",
              lab->listen, "--control", lab->control, NULL);
        _exit(127);
    }
    close(fds[1]);
    lab->out = fdopen(fds[0], "r");
    assert_non_null(fgets(line, sizeof(line), lab->out));
    assert_string_equal(line, "ready\n");
}

static void lab_stop(struct lab *lab) {
    int status;

    assert_int_equal(kill(lab->pid, SIGTERM), 0);
    assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fclose(lab->out);
}

static int lab_connect(const struct lab *lab) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(lab->listen);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path + 1, lab->listen, length);
    assert_int_equal(connect(fd, (struct sockaddr *)&address,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)),
                     0);
    return fd;
}

/* The answer to @message, which must come. */
static size_t ask(int fd, const void *message, size_t length, uint8_t *ret, size_t size) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t n;

    assert_int_equal(send(fd, message, length, MSG_NOSIGNAL), (ssize_t)length);
    assert_int_equal(poll(&wait, 1, TIMEOUT_MSEC), 1);
    n = recv(fd, ret, size, 0);
    assert_true(n > 0);
    return (size_t)n;
}

static void expect(const struct lab *lab, const char *command, const char *expected) {
    char answer[256];

    assert_int_equal(control_ask(lab->control, command, TIMEOUT_MSEC, answer, sizeof(answer)), 0);
    assert_string_equal(answer, expected);
}

/* Allocate and release a client identifier of UIM. */
static const uint8_t allocate[] = {0x01, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
                                   0x22, 0x00, 0x04, 0x00, 0x01, 0x01, 0x00, 0x0b};
static const uint8_t release[] = {0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x23,
                                  0x00, 0x05, 0x00, 0x01, 0x02, 0x00, 0x0b, 0x01};
static const uint8_t open_device[] = {1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 16, 0, 0};

static void test_client_identifiers_are_given_taken_and_counted(void **state) {
    struct lab lab;
    uint8_t answer[256];
    int fd;

    (void)state;
    lab_start(&lab, "qmi-modem");
    fd = lab_connect(&lab);
    assert_true(ask(fd, allocate, sizeof(allocate), answer, sizeof(answer)) > 20);
    expect(&lab, "held", "ok channels=0 cids=1");
    (void)ask(fd, release, sizeof(release), answer, sizeof(answer));
    expect(&lab, "held", "ok channels=0 cids=0");
    /* A modem does not know that a client has gone. */
    (void)ask(fd, allocate, sizeof(allocate), answer, sizeof(answer));
    close(fd);
    expect(&lab, "held", "ok channels=0 cids=1");
    expect(&lab, "reset 0", "ok");
    assert_non_null(fgets((char *)answer, sizeof(answer), lab.out));
    expect(&lab, "held", "ok channels=0 cids=0");
    lab_stop(&lab);
}

/* The lengths of good messages are made worse, one octet at a time, and then there are octets by chance. */
static void throw_garbage(const struct lab *lab, const uint8_t *good, size_t length) {
    uint8_t message[64];
    unsigned seed = 1;
    int fd;

    for (unsigned round = 0; round < GARBAGE_ROUNDS; round++) {
        memcpy(message, good, length);
        seed = seed * 1103515245u + 12345u;
        message[round % length] = (uint8_t)(seed >> 16);
        if (round >= GARBAGE_ROUNDS / 2)
            message[(round / 2) % length] = (uint8_t)(seed >> 8);
        fd = lab_connect(lab);
        assert_int_equal(send(fd, message, round % 3 ? length : length - 1, MSG_NOSIGNAL),
                         (ssize_t)(round % 3 ? length : length - 1));
        close(fd);
    }
}

static void test_what_is_no_message_does_no_harm(void **state) {
    static const struct {
        const char *subcommand;
        const uint8_t *good;
        size_t length;
    } table[] = {{"qmi-modem", allocate, sizeof(allocate)},
                 {"mbim-modem", open_device, sizeof(open_device)}};
    struct lab lab;
    uint8_t answer[256];
    int fd;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        lab_start(&lab, table[i].subcommand);
        throw_garbage(&lab, table[i].good, table[i].length);
        fd = lab_connect(&lab);
        assert_true(ask(fd, table[i].good, table[i].length, answer, sizeof(answer)) >= 16);
        close(fd);
        lab_stop(&lab);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_identifiers_are_given_taken_and_counted),
        cmocka_unit_test(test_what_is_no_message_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
