/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A credential is found where systemd leaves it, that of the card before that of all cards, and only one that makes sense
 * is taken.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "credential.h"
#include "util.h"

static char directory[64];

static int setup(void **state) {
    (void)state;
    (void)snprintf(directory, sizeof(directory), "%s/keystrap-credential-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(directory) || setenv("CREDENTIALS_DIRECTORY", directory, 1) < 0)
        return -1;
    return secret_arena_init();
}

static int teardown(void **state) {
    size_t used = secret_arena_used();

    (void)state;
    secret_arena_done();
    return rmdir(directory) < 0 || used != 0 ? -1 : 0;
}

static char *path_of(const char *name) {
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void put(const char *name, const void *data, size_t length) {
    FILE *file = fopen(path_of(name), "we");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void drop(const char *name) {
    assert_int_equal(unlink(path_of(name)), 0);
}

static void assert_loads(const char *card, const char *text) {
    _cleanup_secret_ struct secret *secret = NULL;

    assert_int_equal(credential_read("keystrap.x", card, 1, 16, false, &secret), 0);
    assert_int_equal(secret_length(secret), strlen(text));
    assert_memory_equal(secret_data(secret), text, strlen(text));
}

static void test_that_of_the_card_comes_before_that_of_all(void **state _unused_) {
    put("keystrap.x", "all\n", 4);
    put("keystrap.x.one", "its own", 7);
    assert_loads("one", "its own");
    assert_loads("two", "all");
    drop("keystrap.x");
    drop("keystrap.x.one");
}

static void test_one_newline_is_taken_off_and_the_longest_fits(void **state _unused_) {
    put("keystrap.x", "0123456789abcdef\n", 17);
    assert_loads("one", "0123456789abcdef");
    put("keystrap.x", "two\n\n", 5);
    assert_loads("one", "two\n");
    drop("keystrap.x");
}

static void test_what_makes_no_sense_is_refused(void **state _unused_) {
    static const struct {
        const char *data;
        size_t length;
    } cases[] = {{"", 0}, {"\n", 1}, {"0123456789abcdefg", 17}, {"0123456789abcdef\n\n", 18}};
    struct secret *secret = NULL;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        put("keystrap.x", cases[i].data, cases[i].length);
        assert_int_equal(credential_read("keystrap.x", "one", 1, 16, false, &secret), -EINVAL);
        assert_null(secret);
    }
    drop("keystrap.x");
    assert_int_equal(mkdir(path_of("keystrap.x"), 0700), 0);
    assert_int_equal(credential_read("keystrap.x", "one", 1, 16, false, &secret), -EINVAL);
    assert_int_equal(rmdir(path_of("keystrap.x")), 0);
}

static void test_a_pin_is_digits_of_its_length(void **state _unused_) {
    static const struct {
        const char *text;
        int r;
    } cases[] = {{"1234", 0},       {"12345678\n", 0}, {"123", -EINVAL}, {"123456789", -EINVAL},
                 {"12a4", -EINVAL}, {"1234 ", -EINVAL}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_secret_ struct secret *pin = NULL;

        put("keystrap.pin1", cases[i].text, strlen(cases[i].text));
        assert_int_equal(credential_read("keystrap.pin1", "one", 4, 8, true, &pin), cases[i].r);
    }
    drop("keystrap.pin1");
}

/* A link could lead the service to a file that is not meant for it. */
static void test_links_are_not_followed(void **state _unused_) {
    struct secret *secret = NULL;

    put("other", "text", 4);
    assert_int_equal(symlink("other", path_of("keystrap.x")), 0);
    assert_int_equal(credential_read("keystrap.x", "one", 1, 16, false, &secret), -ELOOP);
    drop("keystrap.x");
    drop("other");
}

static void test_without_one_there_is_none(void **state _unused_) {
    struct secret *secret = NULL;

    assert_int_equal(credential_read("keystrap.x", "one", 1, 16, false, &secret), -ENOENT);
    assert_int_equal(credential_read("keystrap.x", "one", 1, CREDENTIAL_MAX + 1, false, &secret),
                     -EINVAL);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
    assert_int_equal(credential_read("keystrap.x", "one", 1, 16, false, &secret), -ENOENT);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_int_equal(credential_read("keystrap.x", "one", 1, 16, false, &secret), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_that_of_the_card_comes_before_that_of_all),
        TEST(test_one_newline_is_taken_off_and_the_longest_fits),
        TEST(test_what_makes_no_sense_is_refused),
        TEST(test_a_pin_is_digits_of_its_length),
        TEST(test_links_are_not_followed),
        TEST(test_without_one_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
