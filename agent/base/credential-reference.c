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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "credential.h"
#include "util.h"

#define PREFIX "credential:"
#define HEX    "hex:"

_printf_(3, 4) static int refuse(struct failure *failure, const char *reference, const char *format,
                                 ...) {
    char cause[192];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(cause, sizeof(cause), format, ap);
    va_end(ap);
    return failure_set(failure, ENROL_E_CREDENTIAL, "the credential %.180s: %s", reference, cause);
}

/* --- The file ---------------------------------------------------------------------------------------- */

/* A link could lead to a file that is not meant for this; O_NONBLOCK, for somebody may have put a FIFO there. */
static int open_path(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);

    return fd < 0 ? -errno : fd;
}

static int open_handed_over(const char *name) {
    const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX];
    int length;

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
        return -EINVAL;
    if (!directory || directory[0] != '/')
        return -ENOENT;
    length = snprintf(path, sizeof(path), "%s/%s", directory, name);
    return length < 0 || length >= (int)sizeof(path) ? -ENAMETOOLONG : open_path(path);
}

static bool is_our_group(gid_t gid) {
    gid_t groups[ACCESS_GROUPS_MAX];
    int count = getgroups((int)ELEMENTS(groups), groups);

    for (int i = 0; i < count; i++)
        if (groups[i] == gid)
            return true;
    return gid == 0 || gid == getegid();
}

/* What is wrong with who may read and write it; NULL for nothing. A certificate is for everybody to read. */
static const char *wrong_owner(const struct stat *st, bool secret) {
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "it belongs to somebody else; make it root's or keystrapd's (chown)";
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return "others can write it; forbid it (chmod go-w)";
    if (secret && st->st_mode & S_IROTH)
        return "others can read it; forbid it (chmod o-r)";
    if (secret && st->st_mode & S_IRGRP && !is_our_group(st->st_gid))
        return "another group than keystrapd's can read it; forbid it (chgrp, or chmod g-r)";
    return NULL;
}

/* What @reference means is a regular file that only the right ones may read. Returns 0; ENROL_E_CREDENTIAL. */
static int open_reference(const char *reference, bool secret, int *ret, struct failure *failure) {
    bool handed_over = strncmp(reference, PREFIX, strlen(PREFIX)) == 0;
    _cleanup_close_ int fd = -1;
    const char *wrong = NULL;
    struct stat st;

    if (handed_over)
        fd = open_handed_over(reference + strlen(PREFIX));
    else
        fd = reference[0] == '/' ? open_path(reference) : -EINVAL;
    if (fd == -EINVAL)
        return refuse(failure, reference, "it is neither an absolute path nor credential:NAME");
    if (fd == -ELOOP)
        return refuse(failure, reference, "it is a symbolic link; name the file that it leads to");
    if (fd == -ENOENT && handed_over)
        return refuse(failure, reference,
                      "systemd has not handed it over; give keystrapd.service a LoadCredential= of "
                      "that name and restart it");
    if (fd < 0)
        return refuse(failure, reference, "it cannot be read: %s", strerror(-fd));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return refuse(failure, reference, "it is not a regular file");
    /* What systemd hands over is in a directory of ours alone, whatever the modes in it. */
    if (!handed_over)
        wrong = wrong_owner(&st, secret);
    if (wrong)
        return refuse(failure, reference, "%s", wrong);
    *ret = TAKE_FD(fd);
    return 0;
}

/* Up to @size octets. */
static int read_all(int fd, uint8_t *data, size_t size, size_t *ret_length) {
    size_t length = 0;

    while (length < size) {
        ssize_t n = read(fd, data + length, size - length);

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

/* --- A secret ----------------------------------------------------------------------------------------- */

static int digit(uint8_t octet) {
    if (octet >= '0' && octet <= '9')
        return octet - '0';
    octet |= 0x20;
    return octet >= 'a' && octet <= 'f' ? octet - 'a' + 10 : -1;
}

/* In place; the digits behind "hex:". Returns whether there are pairs of digits and nothing else. */
static bool decode_hex(uint8_t *data, size_t length, size_t *ret_length) {
    size_t n = 0;

    if ((length - strlen(HEX)) % 2 != 0)
        return false;
    for (size_t i = strlen(HEX); i < length; i += 2) {
        int high = digit(data[i]), low = digit(data[i + 1]);

        if (high < 0 || low < 0)
            return false;
        data[n++] = (uint8_t)(high << 4 | low);
    }
    *ret_length = n;
    return true;
}

/* Room for @max octets or twice as many digits, for a newline, and for one octet too many. */
static size_t room_for(size_t max) {
    size_t size = strlen(HEX) + 2 * max + 2;

    return size < SECRET_LENGTH_MAX ? size : SECRET_LENGTH_MAX;
}

int enrol_credential_read(const char *reference, size_t min, size_t max, struct secret **ret,
                          struct failure *failure) {
    _cleanup_secret_ struct secret *secret = NULL;
    _cleanup_close_ int fd = -1;
    size_t length = 0;
    uint8_t *data;
    int r;

    if (min < 1 || max < min || max > SECRET_LENGTH_MAX - 2)
        return -EINVAL;
    r = open_reference(reference, true, &fd, failure);
    if (r != 0)
        return r;
    r = secret_new(room_for(max), &secret);
    if (r < 0)
        return failure_set(failure, r, "no memory for the credential %.180s", reference);
    data = secret_data_mutable(secret);
    r = read_all(fd, data, secret_length(secret), &length);
    if (r < 0)
        return refuse(failure, reference, "it cannot be read: %s", strerror(-r));
    if (length == secret_length(secret))
        return refuse(failure, reference, "it is too long; %zu to %zu octets are right", min, max);
    if (length > 0 && data[length - 1] == '\n')
        length--;
    if (length >= strlen(HEX) && memcmp(data, HEX, strlen(HEX)) == 0 &&
        !decode_hex(data, length, &length))
        return refuse(failure, reference, "behind \"hex:\" there are no pairs of hex digits alone");
    if (length < min || length > max)
        return refuse(failure, reference, "it has %zu octets; %zu to %zu are right", length, min,
                      max);
    secret_truncate(secret, length);
    *ret = TAKE_PTR(secret);
    return 0;
}

/* --- A certificate ------------------------------------------------------------------------------------ */

int enrol_certificate_read(const char *reference, char **ret, struct failure *failure) {
    _cleanup_free_ char *text = NULL;
    _cleanup_close_ int fd = -1;
    size_t length = 0;
    int r;

    r = open_reference(reference, false, &fd, failure);
    if (r != 0)
        return r;
    text = malloc(CERTIFICATE_CHAIN_MAX + 1);
    if (!text)
        return failure_set(failure, -ENOMEM, "no memory for the credential %.180s", reference);
    r = read_all(fd, (uint8_t *)text, CERTIFICATE_CHAIN_MAX + 1, &length);
    if (r < 0)
        return refuse(failure, reference, "it cannot be read: %s", strerror(-r));
    if (length == 0 || length > CERTIFICATE_CHAIN_MAX)
        return refuse(failure, reference, "it is empty, or too long; %u octets are allowed",
                      CERTIFICATE_CHAIN_MAX);
    /* A key in it would be a secret in the wrong memory, and for all to read who may read a certificate. */
    if (memmem(text, length, "PRIVATE KEY", 11)) {
        explicit_bzero(text, length);
        return refuse(failure, reference,
                      "there is a private key in it; put that into a file of its own");
    }
    if (memchr(text, 0, length))
        return refuse(failure, reference, "it is not PEM");
    text[length] = '\0';
    *ret = TAKE_PTR(text);
    return 0;
}
