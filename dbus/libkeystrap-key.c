/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The key's memory.
 *
 * An application that crashes or is swapped out must not leave its key on a disk, and one that frees the key must not leave
 * it on the heap. So each key has pages of its own, locked, kept out of core dumps and erased before they are given back.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <keystrap/keystrap.h>

#include "libkeystrap-key.h"

#define PUBLIC __attribute__((visibility("default")))

int key_new(struct keystrap_naf_key **ret) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped = (sizeof(struct keystrap_naf_key) + page - 1) / page * page;
    struct keystrap_naf_key *key;

    key = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (key == MAP_FAILED)
        return -ENOMEM;
    (void)madvise(key, mapped, MADV_DONTDUMP);
    key->mapped = mapped;
    key->locked = mlock(key, mapped) == 0;
    *ret = key;
    return 0;
}

void key_free(struct keystrap_naf_key *key) {
    size_t mapped;

    if (!key)
        return;
    mapped = key->mapped;
    explicit_bzero(key, mapped);
    (void)munmap(key, mapped);
}

/* Arithmetic in place of a table: the time and the cache lines do not depend on the key. */
static char base64_digit(unsigned v) {
    unsigned c = v + 'A';

    c += ((25u - v) >> 8 & 1u) * 6u;               /* 26..51: from 'Z' + 1 to 'a' */
    c -= ((51u - v) >> 8 & 1u) * 75u;              /* 52..61: down to '0' */
    c -= ((61u - v) >> 8 & 1u) * ('9' + 1u - '+'); /* 62: '+' */
    c += ((62u - v) >> 8 & 1u) * 3u;               /* 63: '/' */
    return (char)c;
}

static void encode_base64(struct keystrap_naf_key *key) {
    char *out = key->base64;

    for (size_t i = 0; i < NAF_KEY_LENGTH; i += 3) {
        size_t left = NAF_KEY_LENGTH - i;
        unsigned group = (unsigned)key->data[i] << 16;

        if (left > 1)
            group |= (unsigned)key->data[i + 1] << 8;
        if (left > 2)
            group |= key->data[i + 2];
        *out++ = base64_digit(group >> 18 & 63);
        *out++ = base64_digit(group >> 12 & 63);
        *out++ = left > 1 ? base64_digit(group >> 6 & 63) : '=';
        *out++ = left > 2 ? base64_digit(group & 63) : '=';
    }
    *out = '\0';
}

static uint64_t clock_usec(void) {
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* Returns octets read, 0 at the end of file, -EBADMSG at the deadline. */
static ssize_t read_until(int fd, void *to, size_t size, uint64_t deadline) {
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        uint64_t now = clock_usec();
        ssize_t n;

        if (now >= deadline)
            return -EBADMSG;
        if (poll(&poll_fd, 1, (int)((deadline - now + 999) / 1000)) < 0 && errno != EINTR)
            return -errno;
        n = read(fd, to, size);
        if (n >= 0)
            return n;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
}

int key_read(struct keystrap_naf_key *key, int fd, uint64_t usec) {
    uint64_t deadline = clock_usec() + usec;
    size_t got = 0;
    ssize_t n;
    int flags;

    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    while (got < NAF_KEY_LENGTH) {
        n = read_until(fd, key->data + got, NAF_KEY_LENGTH - got, deadline);
        if (n <= 0)
            return n == 0 ? -EBADMSG : (int)n;
        got += (size_t)n;
    }
    n = read_until(fd, &key->excess, sizeof(key->excess), deadline);
    if (n != 0)
        return n > 0 ? -EBADMSG : (int)n;
    encode_base64(key);
    return 0;
}

PUBLIC const uint8_t *keystrap_naf_key_data(const struct keystrap_naf_key *key) {
    return key->data;
}

PUBLIC size_t keystrap_naf_key_length(const struct keystrap_naf_key *key) {
    return sizeof(key->data);
}

PUBLIC int keystrap_naf_key_locked(const struct keystrap_naf_key *key) {
    return key->locked;
}

PUBLIC const char *keystrap_naf_key_btid(const struct keystrap_naf_key *key) {
    return key->btid;
}

PUBLIC uint64_t keystrap_naf_key_expires(const struct keystrap_naf_key *key) {
    return key->expires;
}

PUBLIC uint64_t keystrap_naf_key_expires_boottime(const struct keystrap_naf_key *key) {
    return key->expires_boottime;
}

PUBLIC const char *keystrap_naf_key_method(const struct keystrap_naf_key *key) {
    return key->method;
}

PUBLIC const char *keystrap_naf_key_profile(const struct keystrap_naf_key *key) {
    return key->profile;
}

PUBLIC unsigned keystrap_naf_key_suid(const struct keystrap_naf_key *key) {
    return key->suid;
}

PUBLIC const char *keystrap_naf_key_base64(const struct keystrap_naf_key *key) {
    return key->base64;
}

PUBLIC void keystrap_naf_key_free(struct keystrap_naf_key *key) {
    key_free(key);
}
