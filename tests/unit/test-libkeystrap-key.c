/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The client library's key: exactly 32 octets and the end of file, in locked memory that no core dump has, as base64 too.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include <keystrap/keystrap.h>

#include "libkeystrap-key.h"
#include "util.h"

/* AddressSanitizer's mlock() does nothing and says that all went well. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN
#endif
#endif

struct pipe_ends {
    int in, out;
};

static struct pipe_ends pipe_with(const void *data, size_t length) {
    int fds[2];

    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    assert_int_equal(write(fds[1], data, length), length);
    return (struct pipe_ends){.in = fds[0], .out = fds[1]};
}

/* What key_read() makes of @length octets and, where @closed, the end of file. */
static int read_from(const void *data, size_t length, bool closed, uint64_t usec,
                     struct keystrap_naf_key **ret) {
    struct pipe_ends ends = pipe_with(data, length);
    struct keystrap_naf_key *key = NULL;
    int r;

    assert_int_equal(key_new(&key), 0);
    if (closed)
        ends.out = safe_close(ends.out);
    r = key_read(key, ends.in, usec);
    (void)safe_close(ends.in);
    (void)safe_close(ends.out);
    if (r < 0)
        key_free(key);
    else
        *ret = key;
    return r;
}

static void fill(uint8_t *data, size_t length, unsigned seed) {
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1103515245u + 12345u;
        data[i] = (uint8_t)(seed >> 16);
    }
}

static void a_whole_key_is_taken(void **state) {
    struct keystrap_naf_key *key = NULL;
    uint8_t data[NAF_KEY_LENGTH];

    (void)state;
    fill(data, sizeof(data), 1);
    assert_int_equal(read_from(data, sizeof(data), true, USEC_PER_SEC, &key), 0);
    assert_int_equal(keystrap_naf_key_length(key), NAF_KEY_LENGTH);
    assert_memory_equal(keystrap_naf_key_data(key), data, sizeof(data));
    keystrap_naf_key_free(key);
}

static void base64_is_that_of_every_other_program(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 200; seed++) {
        _cleanup_free_ char *expected = NULL;
        struct keystrap_naf_key *key = NULL;
        uint8_t data[NAF_KEY_LENGTH];

        fill(data, sizeof(data), seed);
        assert_int_equal(base64_encode(data, sizeof(data), &expected), 0);
        assert_int_equal(read_from(data, sizeof(data), true, USEC_PER_SEC, &key), 0);
        assert_string_equal(keystrap_naf_key_base64(key), expected);
        keystrap_naf_key_free(key);
    }
}

static void a_short_key_is_refused(void **state) {
    struct keystrap_naf_key *key = NULL;
    uint8_t data[NAF_KEY_LENGTH] = {0};

    (void)state;
    for (size_t length = 0; length < NAF_KEY_LENGTH; length += 31)
        assert_int_equal(read_from(data, length, true, USEC_PER_SEC, &key), -EBADMSG);
    assert_null(key);
}

static void a_long_key_is_refused(void **state) {
    struct keystrap_naf_key *key = NULL;
    uint8_t data[NAF_KEY_LENGTH * 2] = {0};

    (void)state;
    assert_int_equal(read_from(data, NAF_KEY_LENGTH + 1, true, USEC_PER_SEC, &key), -EBADMSG);
    assert_int_equal(read_from(data, sizeof(data), true, USEC_PER_SEC, &key), -EBADMSG);
    assert_null(key);
}

static void a_descriptor_that_does_not_end_is_refused_at_the_deadline(void **state) {
    struct keystrap_naf_key *key = NULL;
    uint8_t data[NAF_KEY_LENGTH] = {0};
    uint64_t start = now_usec();

    (void)state;
    assert_int_equal(read_from(data, sizeof(data), false, 50000, &key), -EBADMSG);
    assert_int_equal(read_from(data, 7, false, 50000, &key), -EBADMSG);
    assert_true(now_usec() - start >= 100000);
    assert_null(key);
}

static void a_key_in_pieces_is_taken(void **state) {
    struct keystrap_naf_key *key = NULL;
    uint8_t data[NAF_KEY_LENGTH];
    struct pipe_ends ends;
    pid_t pid;

    (void)state;
    fill(data, sizeof(data), 3);
    ends = pipe_with(data, 5);
    assert_int_equal(key_new(&key), 0);
    pid = fork();
    assert_return_code(pid, errno);
    if (pid == 0) {
        for (size_t i = 5; i < sizeof(data); i++)
            if (write(ends.out, data + i, 1) != 1)
                _exit(1);
        _exit(0);
    }
    ends.out = safe_close(ends.out);
    assert_int_equal(key_read(key, ends.in, 20 * USEC_PER_SEC), 0);
    assert_memory_equal(keystrap_naf_key_data(key), data, sizeof(data));
    (void)safe_close(ends.in);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    keystrap_naf_key_free(key);
}

static void what_is_no_descriptor_is_refused(void **state) {
    struct keystrap_naf_key *key = NULL;
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(key_new(&key), 0);
    assert_int_equal(key_read(key, -1, USEC_PER_SEC), -EBADF);
    /* never ends: too long */
    assert_int_equal(key_read(key, fd, USEC_PER_SEC), -EBADMSG);
    (void)safe_close(fd);
    key_free(key);
}

/* Whether the mapping of @address has @flag among its VmFlags in smaps. */
static bool has_flag(const void *address, const char *flag) {
    _cleanup_fclose_ FILE *f = fopen("/proc/self/smaps", "re");
    bool inside = false;
    char line[512];

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (unsigned long)address >= from && (unsigned long)address < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            return strstr(line, flag);
    }
    return false;
}

static void the_memory_is_locked_and_not_dumped(void **state) {
    struct keystrap_naf_key *key = NULL;

    (void)state;
    assert_int_equal(key_new(&key), 0);
    assert_true(has_flag(key, " dd"));
#ifndef UNDER_ASAN
    assert_int_equal(has_flag(key, " lo"), keystrap_naf_key_locked(key) != 0);
#endif
    assert_false(has_flag(&key, " dd"));
    key_free(key);
}

/* The linker sends the library's munmap() here (see dbus/CMakeLists.txt). */
int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);

static size_t unmapped, unmapped_not_zero;

int __wrap_munmap(void *address, size_t length) {
    const uint8_t *octets = address;

    unmapped += length;
    for (size_t i = 0; i < length; i++)
        unmapped_not_zero += octets[i] != 0;
    return __real_munmap(address, length);
}

static void the_memory_is_erased_before_it_is_given_back(void **state) {
    struct keystrap_naf_key *key = NULL;
    uint8_t data[NAF_KEY_LENGTH];

    (void)state;
    fill(data, sizeof(data), 5);
    assert_int_equal(read_from(data, sizeof(data), true, USEC_PER_SEC, &key), 0);
    (void)snprintf(key->btid, sizeof(key->btid), "btid@bsf");
    unmapped = unmapped_not_zero = 0;
    keystrap_naf_key_free(key);
    assert_true(unmapped >= sizeof(struct keystrap_naf_key));
    assert_int_equal(unmapped_not_zero, 0);
}

static void nothing_may_be_freed(void **state) {
    (void)state;
    keystrap_naf_key_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_key_is_taken),
        cmocka_unit_test(base64_is_that_of_every_other_program),
        cmocka_unit_test(a_short_key_is_refused),
        cmocka_unit_test(a_long_key_is_refused),
        cmocka_unit_test(a_descriptor_that_does_not_end_is_refused_at_the_deadline),
        cmocka_unit_test(a_key_in_pieces_is_taken),
        cmocka_unit_test(what_is_no_descriptor_is_refused),
        cmocka_unit_test(the_memory_is_locked_and_not_dumped),
        cmocka_unit_test(the_memory_is_erased_before_it_is_given_back),
        cmocka_unit_test(nothing_may_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
