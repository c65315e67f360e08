/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Logging without a journal: stderr is a pipe that the test reads.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "log.h"
#include "util.h"

struct capture {
    int saved, read_end;
    char text[8192];
};

static void capture_begin(struct capture *capture) {
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    capture->saved = dup(STDERR_FILENO);
    capture->read_end = fds[0];
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(fds[1]);
}

static const char *capture_end(struct capture *capture) {
    ssize_t n = read(capture->read_end, capture->text, sizeof(capture->text) - 1);

    capture->text[n > 0 ? n : 0] = '\0';
    (void)dup2(capture->saved, STDERR_FILENO);
    (void)close(capture->saved);
    (void)close(capture->read_end);
    return capture->text;
}

static int setup(void **state) {
    (void)state;
    (void)unsetenv("JOURNAL_STREAM");
    log_open("test-log");
    log_set_max_level(LOG_INFO);
    return 0;
}

static void test_a_line_names_program_process_and_level(void **state) {
    struct capture capture;
    char expected[256];

    (void)state;
    capture_begin(&capture);
    log_error("no %s", "card");
    log_warning("odd");
    log_notice("well");
    log_message(LOG_INFO, MESSAGE_ID_READY, "ready");
    (void)snprintf(expected, sizeof(expected),
                   "test-log[%1$d]: error: no card\ntest-log[%1$d]: warning: odd\n"
                   "test-log[%1$d]: well\ntest-log[%1$d]: ready\n",
                   (int)getpid());
    assert_string_equal(capture_end(&capture), expected);
}

static void test_what_is_below_the_level_is_not_said(void **state) {
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    log_debug("too much");
    log_set_max_level(LOG_ERR);
    log_warning("too much");
    assert_int_equal(log_get_max_level(), LOG_ERR);
    assert_string_equal(capture_end(&capture), "");

    log_set_max_level(LOG_DEBUG);
    capture_begin(&capture);
    log_debug("now");
    assert_non_null(strstr(capture_end(&capture), "]: now\n"));
}

static void test_a_message_cannot_forge_a_second_line(void **state) {
    struct capture capture;
    const char *text;

    (void)state;
    capture_begin(&capture);
    log_info("reader %s", "a\nkeystrapd[1]: error: \x1b[31mforged");
    text = capture_end(&capture);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_null(strchr(text, '\x1b'));
}

static void test_a_long_message_is_cut_and_ends_in_a_newline(void **state) {
    struct capture capture;
    char long_text[4000];
    const char *text;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    capture_begin(&capture);
    log_info("%s", long_text);
    text = capture_end(&capture);
    assert_in_range(strlen(text), 1000, 1200);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void test_errno_is_kept(void **state) {
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    errno = ENOTTY;
    log_info("anything");
    assert_int_equal(errno, ENOTTY);
    (void)capture_end(&capture);
}

static void test_a_journal_that_stderr_does_not_lead_to_is_not_used(void **state) {
    struct capture capture;

    (void)state;
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0);
    log_open("test-log");
    capture_begin(&capture);
    log_info("to stderr");
    assert_non_null(strstr(capture_end(&capture), "to stderr"));
    (void)unsetenv("JOURNAL_STREAM");
}

static void test_levels_have_names(void **state) {
    (void)state;
    assert_int_equal(log_level_from_name("err"), LOG_ERR);
    assert_int_equal(log_level_from_name("warning"), LOG_WARNING);
    assert_int_equal(log_level_from_name("notice"), LOG_NOTICE);
    assert_int_equal(log_level_from_name("info"), LOG_INFO);
    assert_int_equal(log_level_from_name("debug"), LOG_DEBUG);
    assert_int_equal(log_level_from_name("DEBUG"), -EINVAL);
    assert_int_equal(log_level_from_name(""), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_line_names_program_process_and_level, setup),
        cmocka_unit_test_setup(test_what_is_below_the_level_is_not_said, setup),
        cmocka_unit_test_setup(test_a_message_cannot_forge_a_second_line, setup),
        cmocka_unit_test_setup(test_a_long_message_is_cut_and_ends_in_a_newline, setup),
        cmocka_unit_test_setup(test_errno_is_kept, setup),
        cmocka_unit_test_setup(test_a_journal_that_stderr_does_not_lead_to_is_not_used, setup),
        cmocka_unit_test(test_levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
