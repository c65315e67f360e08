/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of files share: a directory of their own, files in it, and what is said on stderr meanwhile.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util.h"

#define PATH_SIZE 512

static inline int remove_entry(const char *path, _unused_ const struct stat *st, _unused_ int type,
                               _unused_ struct FTW *ftw) {
    return remove(path);
}

/* A new directory in *state, with the mode that root's own would have whatever the umask is. */
static inline int setup_directory(void **state) {
    char path[] = "/tmp/keystrap-test-XXXXXX";

    (void)umask(022);
    if (!mkdtemp(path) || chmod(path, 0755) < 0)
        return -1;
    *state = strdup(path);
    return *state ? 0 : -1;
}

static inline int teardown_directory(void **state) {
    int r = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return r;
}

static inline const char *path_in(const char *directory, const char *name, char path[PATH_SIZE]) {
    assert_in_range(snprintf(path, PATH_SIZE, "%s/%s", directory, name), 1, PATH_SIZE - 1);
    return path;
}

/* Directories in @name are made as needed. */
static inline void write_octets(const char *directory, const char *name, const void *data,
                                size_t length) {
    char path[PATH_SIZE];
    char *slash;
    FILE *f;

    (void)path_in(directory, name, path);
    slash = strrchr(path, '/');
    *slash = '\0';
    (void)mkdir(path, 0755);
    *slash = '/';
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
}

static inline void write_file(const char *directory, const char *name, const char *text) {
    write_octets(directory, name, text, strlen(text));
}

static inline void set_mode(const char *directory, const char *name, mode_t mode) {
    char path[PATH_SIZE];

    assert_int_equal(chmod(path_in(directory, name, path), mode), 0);
}

/* stderr, kept aside between capture_start() and capture_end(). */
struct capture {
    int saved;
    int memory;
    char text[16384];
};

static inline void capture_start(struct capture *capture) {
    fflush(stderr);
    capture->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    capture->memory = memfd_create("stderr", MFD_CLOEXEC);
    assert_true(capture->saved >= 0 && capture->memory >= 0);
    assert_true(dup2(capture->memory, STDERR_FILENO) >= 0);
}

static inline void capture_end(struct capture *capture) {
    ssize_t n;

    fflush(stderr);
    n = pread(capture->memory, capture->text, sizeof(capture->text) - 1, 0);
    assert_true(dup2(capture->saved, STDERR_FILENO) >= 0);
    capture->saved = safe_close(capture->saved);
    capture->memory = safe_close(capture->memory);
    assert_true(n >= 0);
    capture->text[n] = '\0';
}

#define assert_contains(text, part)                          \
    do {                                                     \
        if (!strstr(text, part))                             \
            fail_msg("\"%s\" is not in \"%s\"", part, text); \
    } while (0)
#define assert_lacks(text, part)                         \
    do {                                                 \
        if (strstr(text, part))                          \
            fail_msg("\"%s\" is in \"%s\"", part, text); \
    } while (0)
