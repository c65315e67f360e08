/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket, asked by a child process while this one serves it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"

struct scene {
    char directory[64];
    char path[96];
    int runs;
    struct control *control;
};

static int run_echo(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct scene *scene = userdata;

    scene->runs++;
    snprintf(answer, size, "%d %s", argc, argv[argc - 1]);
    return 0;
}

static int run_fail(void *userdata, int argc, char **argv, char *answer, size_t size) {
    (void)userdata, (void)argc, (void)argv;
    snprintf(answer, size, "it\nfailed");
    return -EIO;
}

static const struct control_command commands[] = {
    {"echo", "WORD [WORD]", 1, 2, run_echo},
    {"fail", "", 0, 0, run_fail},
    {0},
};

static int setup(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    strcpy(scene->directory, "/tmp/lab-control-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    snprintf(scene->path, sizeof(scene->path), "%s/socket", scene->directory);
    assert_int_equal(control_new(scene->path, commands, scene, &scene->control), 0);
    *state = scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;

    control_free(scene->control);
    assert_int_equal(access(scene->path, F_OK), -1);
    rmdir(scene->directory);
    free(scene);
    return 0;
}

/* Serves until FD, the end of something that a client holds, reports that the client is done. */
static void serve_until_closed(struct scene *scene, int fd) {
    for (;;) {
        struct pollfd fds[2] = {{.fd = control_fd(scene->control), .events = POLLIN},
                                {.fd = fd, .events = POLLIN}};

        assert_true(poll(fds, 2, 10000) > 0);
        if (fds[1].revents)
            return;
        assert_int_equal(control_dispatch(scene->control), 0);
    }
}

/* The outcome of control_ask() in a child, and its answer. */
static int ask(struct scene *scene, const char *line, char *ret_answer, size_t size) {
    int fds[2], r = -1;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char answer[CONTROL_LINE_MAX] = "";
        int outcome = control_ask(scene->path, line, 5000, answer, sizeof(answer));

        dprintf(fds[1], "%d %s", outcome, answer);
        _exit(0);
    }
    close(fds[1]);
    serve_until_closed(scene, fds[0]);
    waitpid(child, NULL, 0);
    {
        char text[CONTROL_LINE_MAX + 16] = "";
        int used = 0;

        assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
        assert_int_equal(sscanf(text, "%d %n", &r, &used), 1);
        snprintf(ret_answer, size, "%s", text + used);
    }
    close(fds[0]);
    return r;
}

static void a_line_is_cut_into_words_and_answered_by_a_line(void **state) {
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(ask(*state, "echo  one   two", answer, sizeof(answer)), 0);
    assert_string_equal(answer, "ok 3 two");
}

static void a_command_that_fails_is_an_error_in_one_line(void **state) {
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(ask(*state, "fail", answer, sizeof(answer)), 1);
    assert_string_equal(answer, "error it failed");
}

static void unknown_commands_and_wrong_counts_of_words_never_reach_a_command(void **state) {
    struct scene *scene = *state;
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(ask(scene, "dance", answer, sizeof(answer)), 1);
    assert_non_null(strstr(answer, "no command \"dance\""));
    assert_int_equal(ask(scene, "", answer, sizeof(answer)), 1);
    assert_int_equal(ask(scene, "echo", answer, sizeof(answer)), 1);
    assert_string_equal(answer, "error usage: echo WORD [WORD]");
    assert_int_equal(ask(scene, "echo 1 2 3", answer, sizeof(answer)), 1);
    assert_int_equal(scene->runs, 0);
}

static void help_lists_every_command_with_its_usage(void **state) {
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(ask(*state, "help", answer, sizeof(answer)), 0);
    assert_string_equal(answer, "ok echo WORD [WORD]; fail");
}

static int connect_to(const struct scene *scene) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", scene->path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void two_lines_in_one_write_are_two_commands_and_half_a_line_is_none(void **state) {
    struct scene *scene = *state;
    char text[64] = "";
    int fd = connect_to(scene);

    assert_int_equal(write(fd, "echo a\necho b\nec", 16), 16);
    assert_int_equal(control_dispatch(scene->control), 0);
    assert_int_equal(control_dispatch(scene->control), 0);
    assert_int_equal(scene->runs, 2);
    assert_int_equal(read(fd, text, sizeof(text)), 14);
    assert_string_equal(text, "ok 2 a\nok 2 b\n");
    assert_int_equal(write(fd, "ho c\n", 5), 5);
    assert_int_equal(control_dispatch(scene->control), 0);
    assert_int_equal(scene->runs, 3);
    close(fd);
}

static void a_line_without_end_and_too_many_words_close_the_connection(void **state) {
    struct scene *scene = *state;
    char flood[CONTROL_LINE_MAX], byte;
    int fd = connect_to(scene);

    memset(flood, 'x', sizeof(flood));
    assert_int_equal(write(fd, flood, sizeof(flood)), sizeof(flood));
    control_dispatch(scene->control);
    control_dispatch(scene->control);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);

    fd = connect_to(scene);
    for (size_t i = 0; i < 80; i++)
        flood[i] = i % 2 ? ' ' : 'x';
    flood[80] = '\n';
    assert_int_equal(write(fd, flood, 81), 81);
    control_dispatch(scene->control);
    control_dispatch(scene->control);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    assert_int_equal(scene->runs, 0);
}

static void one_client_more_than_the_limit_is_closed_and_the_others_stay(void **state) {
    struct scene *scene = *state;
    int fds[CONTROL_CLIENTS_MAX], extra;
    char text[16] = "";

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        fds[i] = connect_to(scene);
        control_dispatch(scene->control);
    }
    extra = connect_to(scene);
    control_dispatch(scene->control);
    assert_int_equal(read(extra, text, 1), 0);
    close(extra);
    assert_int_equal(write(fds[CONTROL_CLIENTS_MAX - 1], "echo a\n", 7), 7);
    control_dispatch(scene->control);
    assert_int_equal(read(fds[CONTROL_CLIENTS_MAX - 1], text, sizeof(text)), 7);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
}

static void a_socket_in_use_is_not_taken_and_a_dead_one_is(void **state) {
    struct scene *scene = *state;
    struct control *other = NULL;
    char path[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    assert_int_equal(control_new(scene->path, commands, scene, &other), -EADDRINUSE);
    assert_null(other);

    snprintf(path, sizeof(path), "%s/dead", scene->directory);
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(control_new(path, commands, scene, &other), 0);
    control_free(other);
}

static void asking_where_nobody_listens_or_answers_ends_with_an_errno(void **state) {
    struct scene *scene = *state;
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(control_ask("/nowhere/socket", "echo a", 100, answer, sizeof(answer)),
                     -ENOENT);
    assert_int_equal(control_ask(scene->path, "echo a", 50, answer, sizeof(answer)), -ETIMEDOUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_is_cut_into_words_and_answered_by_a_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_command_that_fails_is_an_error_in_one_line, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            unknown_commands_and_wrong_counts_of_words_never_reach_a_command, setup, teardown),
        cmocka_unit_test_setup_teardown(help_lists_every_command_with_its_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(
            two_lines_in_one_write_are_two_commands_and_half_a_line_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_without_end_and_too_many_words_close_the_connection,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            one_client_more_than_the_limit_is_closed_and_the_others_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_in_use_is_not_taken_and_a_dead_one_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(asking_where_nobody_listens_or_answers_ends_with_an_errno,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
