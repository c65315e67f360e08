/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The record store: files, and how they stay whole.
 *
 * A file is replaced, never changed: a temporary one beside it is written, fsync'ed and renamed over it, and the directory
 * fsync'ed. Whatever the power does, one of the two is there, whole. The sealing is in record-seal.c.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "record-seal.h"
#include "record.h"
#include "util.h"

#define SUFFIX    ".record"
#define TEMPORARY ".tmp"
#define SET_ASIDE ".bad-"
#define ASIDE_MAX 1000u
#define PATH_SIZE (RECORD_NAME_MAX + 32)

struct record_store {
    char *directory; /* for messages */
    int fd;
    struct record_key key;
};

static bool name_is_valid(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return length > 0 && length <= RECORD_NAME_MAX && name[length] == '\0' && name[0] != '.';
}

static int complain(const struct record_store *store, const char *name, int r, const char *what,
                    struct failure *failure) {
    return failure_set(failure, r, "%s/%s" SUFFIX " cannot be %s: %s", store->directory, name, what,
                       strerror(-r));
}

/* --- Opening ---------------------------------------------------------------------------------------- */

static int open_directory(const char *directory, int *ret) {
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return -EPERM;
    *ret = TAKE_FD(fd);
    return 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);

    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static int list(const struct record_store *store, DIR **ret) {
    int fd = fcntl(store->fd, F_DUPFD_CLOEXEC, 0);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);

    if (!directory) {
        int r = -errno;

        (void)safe_close(fd);
        return r;
    }
    rewinddir(directory);
    *ret = directory;
    return 0;
}

/* What a power loss left half written. */
static void sweep_up(const struct record_store *store) {
    struct dirent *entry;
    DIR *directory;

    if (list(store, &directory) < 0)
        return;
    while ((entry = readdir(directory)))
        if (ends_with(entry->d_name, SUFFIX TEMPORARY))
            (void)unlinkat(store->fd, entry->d_name, 0);
    (void)closedir(directory);
}

int record_store_open(const char *directory, const struct secret *sealing_key,
                      struct record_store **ret, struct failure *failure) {
    _cleanup_record_store_ struct record_store *store = calloc(1, sizeof(*store));
    int r;

    if (!store)
        return -ENOMEM;
    store->fd = -1;
    store->directory = strdup(directory);
    if (!store->directory)
        return -ENOMEM;
    r = record_key_make(sealing_key, &store->key);
    if (r < 0)
        return failure_set(failure, r, "the sealing key cannot be used: %s", strerror(-r));
    r = open_directory(directory, &store->fd);
    if (r < 0)
        return failure_set(failure, r,
                           "%s cannot be used for records: %s; it must be a directory that only "
                           "keystrapd's user can write",
                           directory, strerror(-r));
    sweep_up(store);
    *ret = TAKE_PTR(store);
    return 0;
}

struct record_store *record_store_free(struct record_store *store) {
    if (!store)
        return NULL;
    record_key_done(&store->key);
    (void)safe_close(store->fd);
    free(store->directory);
    free(store);
    return NULL;
}

/* --- Writing ---------------------------------------------------------------------------------------- */

static int write_all(int fd, const uint8_t *data, size_t length) {
    while (length > 0) {
        ssize_t n = write(fd, data, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        length -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int replace(const struct record_store *store, const char *name, const uint8_t *data,
                   size_t length) {
    char path[PATH_SIZE], temporary[PATH_SIZE];
    _cleanup_close_ int fd = -1;
    int r;

    (void)snprintf(path, sizeof(path), "%s" SUFFIX, name);
    (void)snprintf(temporary, sizeof(temporary), "%s" SUFFIX TEMPORARY, name);
    (void)unlinkat(store->fd, temporary, 0);
    fd = openat(store->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    r = write_all(fd, data, length);
    if (r == 0 && renameat(store->fd, temporary, store->fd, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(store->fd, temporary, 0);
        return r;
    }
    return fsync(store->fd) < 0 ? -errno : 0;
}

int record_put(struct record_store *store, const char *name, const struct secret *content,
               struct failure *failure) {
    uint8_t sealed[RECORD_SEALED_MAX];
    size_t length;
    int r;

    if (!name_is_valid(name) || secret_length(content) > RECORD_MAX)
        return failure_set(failure, -EINVAL, "no record can be called \"%.*s\", or be that long",
                           (int)RECORD_NAME_MAX, name);
    r = record_seal(&store->key, name, content, sealed, &length);
    if (r == 0)
        r = replace(store, name, sealed, length);
    return r == 0 ? 0 : complain(store, name, r, "written", failure);
}

int record_remove(struct record_store *store, const char *name, struct failure *failure) {
    char path[PATH_SIZE];

    if (!name_is_valid(name))
        return -EINVAL;
    (void)snprintf(path, sizeof(path), "%s" SUFFIX, name);
    if (unlinkat(store->fd, path, 0) < 0 && errno != ENOENT)
        return complain(store, name, -errno, "removed", failure);
    return fsync(store->fd) < 0 ? complain(store, name, -errno, "removed", failure) : 0;
}

/* --- Reading ---------------------------------------------------------------------------------------- */

/* All of it, and one octet more than there may be tells that it is too long. */
static int read_file(const struct record_store *store, const char *name,
                     uint8_t ret[RECORD_SEALED_MAX + 1], size_t *ret_length) {
    _cleanup_close_ int fd = -1;
    char path[PATH_SIZE];
    size_t length = 0;
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s" SUFFIX, name);
    fd = openat(store->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    while (length <= RECORD_SEALED_MAX) {
        ssize_t n = read(fd, ret + length, RECORD_SEALED_MAX + 1 - length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        length += (size_t)n;
    }
    *ret_length = length;
    return 0;
}

/* Out of the way, and there still for who wants to look at it. */
static int set_aside(const struct record_store *store, const char *name, const char *wrong,
                     struct failure *failure) {
    char path[PATH_SIZE], aside[PATH_SIZE];
    int r = -EEXIST;

    (void)snprintf(path, sizeof(path), "%s" SUFFIX, name);
    for (unsigned i = 1; r == -EEXIST && i < ASIDE_MAX; i++) {
        (void)snprintf(aside, sizeof(aside), "%s" SUFFIX SET_ASIDE "%u", name, i);
        r = renameat2(store->fd, path, store->fd, aside, RENAME_NOREPLACE) < 0 ? -errno : 0;
    }
    (void)fsync(store->fd);
    log_message(LOG_ERR, MESSAGE_ID_RECORD_DAMAGED, "%s/%s" SUFFIX " %s; it %s %s",
                store->directory, name, wrong, r < 0 ? "cannot be set aside:" : "was set aside as",
                r < 0 ? strerror(-r) : aside);
    return failure_set(failure, RECORD_E_DAMAGED, "%s/%s" SUFFIX " %s, and %s %s", store->directory,
                       name, wrong, r < 0 ? "cannot be set aside:" : "was set aside as",
                       r < 0 ? strerror(-r) : aside);
}

int record_get(struct record_store *store, const char *name, struct secret **ret,
               struct failure *failure) {
    uint8_t sealed[RECORD_SEALED_MAX + 1];
    struct secret *content = NULL;
    size_t length = 0;
    bool old = false;
    int r;

    if (!name_is_valid(name))
        return -EINVAL;
    r = read_file(store, name, sealed, &length);
    if (r == -ENOENT)
        return RECORD_E_NONE;
    if (r < 0)
        return complain(store, name, r, "read", failure);
    r = record_open(&store->key, name, sealed, length, &content, &old);
    if (r == RECORD_E_VERSION)
        return failure_set(failure, r, "%s/%s" SUFFIX " is of a later version of keystrap",
                           store->directory, name);
    if (r == RECORD_E_DAMAGED)
        return set_aside(store, name, "is torn, was tampered with, or was sealed with another key",
                         failure);
    if (r != 0)
        return complain(store, name, r, "opened", failure);
    if (old && record_put(store, name, content, NULL) != 0)
        log_warning("%s/%s" SUFFIX " stays in its old format for now", store->directory, name);
    *ret = content;
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

int record_each(struct record_store *store, record_fn fn, void *userdata) {
    _cleanup_free_ char(*names)[RECORD_NAME_MAX + 1] = calloc(RECORDS_MAX, sizeof(*names));
    struct dirent *entry;
    size_t count = 0;
    DIR *directory;
    int r;

    if (!names)
        return -ENOMEM;
    r = list(store, &directory);
    if (r < 0)
        return r;
    while ((entry = readdir(directory)) && count < RECORDS_MAX) {
        size_t length = strlen(entry->d_name);

        if (!ends_with(entry->d_name, SUFFIX) || length - strlen(SUFFIX) > RECORD_NAME_MAX)
            continue;
        memcpy(names[count], entry->d_name, length - strlen(SUFFIX));
        names[count][length - strlen(SUFFIX)] = '\0';
        count += name_is_valid(names[count]);
    }
    (void)closedir(directory);
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = fn(names[i], userdata);
    return r;
}
