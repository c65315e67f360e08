/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Credentials that a profile refers to: files, and those of systemd.
 *
 * From the file straight into a secret, as with all credentials. Whoever else could read such a file has the gateway's
 * identity, so that it is refused rather than warned of.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credential.h"
#include "util.h"

#define PREFIX "credential:"
#define HEX    "hex:"

static int open_reference(const char *reference, char path[PATH_MAX]) {
    const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
    int length, fd;

    if (reference[0] == '/')
        length = snprintf(path, PATH_MAX, "%s", reference);
    else if (strncmp(reference, PREFIX, strlen(PREFIX)) != 0 || strchr(reference, '/'))
        return -EINVAL;
    else if (!directory || directory[0] != '/')
        return -ENOENT;
    else
        length = snprintf(path, PATH_MAX, "%s/%s", directory, reference + strlen(PREFIX));
    if (length < 0 || length >= PATH_MAX)
        return -ENAMETOOLONG;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? -errno : fd;
}

/* What systemd hands over is in a directory of ours alone, whatever the modes in it. */
static const char *wrong_file(int fd, const char *reference, enum credential_kind kind) {
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return "it is not a regular file";
    if (reference[0] != '/')
        return NULL;
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return "it belongs to somebody else; make it root's or keystrapd's (chown)";
    if (st.st_mode & (S_IWGRP | S_IWOTH | (kind == CREDENTIAL_SECRET ? S_IROTH : 0u)))
        return "others can read or write it; forbid it (chmod o-rwx,g-w)";
    return NULL;
}

static int read_all(int fd, struct secret *buffer, size_t *ret_length) {
    size_t length = 0;

    while (length < secret_length(buffer)) {
        ssize_t n = read(fd, secret_data_mutable(buffer) + length, secret_length(buffer) - length);

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

static int digit(uint8_t octet) {
    if (octet >= '0' && octet <= '9')
        return octet - '0';
    octet |= 0x20;
    return octet >= 'a' && octet <= 'f' ? octet - 'a' + 10 : -1;
}

/* In place; the digits behind "hex:". Returns the octets; 0 for something else than digits. */
static size_t decode_hex(uint8_t *data, size_t length) {
    size_t n = 0;

    for (size_t i = strlen(HEX); i + 1 < length; i += 2) {
        int high = digit(data[i]), low = digit(data[i + 1]);

        if (high < 0 || low < 0)
            return 0;
        data[n++] = (uint8_t)(high << 4 | low);
    }
    return (length - strlen(HEX)) % 2 == 0 ? n : 0;
}

int enrol_credential_read(const char *reference, enum credential_kind kind, size_t min, size_t max,
                          struct secret **ret, struct failure *failure) {
    _cleanup_secret_ struct secret *secret = NULL;
    _cleanup_close_ int fd = -1;
    char path[PATH_MAX];
    size_t length = 0, size = 2 * max + strlen(HEX) + 2;
    const char *wrong;
    int r;

    fd = open_reference(reference, path);
    if (fd < 0)
        return failure_set(failure, ENROL_E_CREDENTIAL, "the credential %.200s cannot be read: %s",
                           reference, strerror(-fd));
    wrong = wrong_file(fd, reference, kind);
    if (wrong)
        return failure_set(failure, ENROL_E_CREDENTIAL, "the credential %.200s is not used: %s",
                           reference, wrong);
    r = secret_new(size < SECRET_LENGTH_MAX ? size : SECRET_LENGTH_MAX, &secret);
    if (r == 0)
        r = read_all(fd, secret, &length);
    if (r < 0)
        return failure_set(failure, r == -ENOMEM ? r : ENROL_E_CREDENTIAL,
                           "the credential %.200s cannot be read: %s", reference, strerror(-r));
    if (length > 0 && secret_data(secret)[length - 1] == '\n')
        length--;
    if (length >= strlen(HEX) && memcmp(secret_data(secret), HEX, strlen(HEX)) == 0)
        length = decode_hex(secret_data_mutable(secret), length);
    if (length < min || length > max)
        return failure_set(failure, ENROL_E_CREDENTIAL,
                           "the credential %.200s has %zu octets; %zu to %zu are right", reference,
                           length, min, max);
    secret_truncate(secret, length);
    *ret = TAKE_PTR(secret);
    return 0;
}
