/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Credentials of the service.
 *
 * What is in such a file is a secret from its first octet here to its last, so it is read straight into one, without
 * stdio and its buffers.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credential.h"
#include "util.h"

static int open_credential(const char *name, const char *suffix, const char *card) {
    const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX];
    int length, fd;

    if (!directory || directory[0] != '/')
        return -ENOENT;
    length = snprintf(path, sizeof(path), "%s/%s%s%s", directory, name, suffix, card);
    if (length < 0 || (size_t)length >= sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* All of it; one octet more than is allowed tells that it is too long. */
static int read_all(int fd, struct secret *buffer, size_t *ret_length) {
    size_t length = 0, size = secret_length(buffer);

    while (length < size) {
        ssize_t n = read(fd, secret_data_mutable(buffer) + length, size - length);

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

static bool are_digits(const uint8_t *octets, size_t length) {
    bool all = true;

    for (size_t i = 0; i < length; i++)
        all &= octets[i] >= '0' && octets[i] <= '9';
    return all;
}

static int read_regular(int fd, size_t max, struct secret **ret, size_t *ret_length) {
    _cleanup_secret_ struct secret *buffer = NULL;
    size_t length = 0;
    struct stat stat;
    int r;

    if (fstat(fd, &stat) < 0)
        return -errno;
    if (!S_ISREG(stat.st_mode))
        return -EINVAL;
    r = secret_new(max + 2, &buffer); /* a newline, and one octet too many */
    if (r == 0)
        r = read_all(fd, buffer, &length);
    if (r < 0)
        return r;
    if (length > 0 && secret_data(buffer)[length - 1] == '\n')
        length--;
    *ret = TAKE_PTR(buffer);
    *ret_length = length;
    return 0;
}

int credential_read(const char *name, const char *card, size_t min, size_t max, bool digits,
                    struct secret **ret) {
    _cleanup_secret_ struct secret *credential = NULL;
    _cleanup_close_ int fd = -1;
    size_t length = 0;
    int r;

    if (min < 1 || max > CREDENTIAL_MAX)
        return -EINVAL;
    fd = open_credential(name, ".", card);
    if (fd == -ENOENT)
        fd = open_credential(name, "", "");
    if (fd < 0)
        return fd;
    r = read_regular(fd, max, &credential, &length);
    if (r < 0)
        return r;
    if (length < min || length > max || (digits && !are_digits(secret_data(credential), length)))
        return -EINVAL;
    secret_truncate(credential, length);
    *ret = TAKE_PTR(credential);
    return 0;
}
