/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Small things that every room of the house uses: cleanup attributes, clocks, hex and base64.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_INFINITY UINT64_MAX

static inline void freep(void *p) {
    free(*(void **)p);
}

static inline int safe_close(int fd) {
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static inline void closep(int *fd) {
    *fd = safe_close(*fd);
}

static inline void fclosep(FILE **f) {
    if (*f)
        (void)fclose(*f);
    *f = NULL;
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Take the value out of a variable that a cleanup attribute guards. */
#define TAKE_PTR(p)                       \
    ({                                    \
        __typeof__(p) _taken = (p);       \
        (p) = NULL;                       \
        _taken;                           \
    })
#define TAKE_FD(fd)                       \
    ({                                    \
        int _taken = (fd);                \
        (fd) = -1;                        \
        _taken;                           \
    })

/**
 * now_usec() - CLOCK_BOOTTIME in microseconds: the clock that deadlines and lifetimes count in
 *
 * A test program that defines now_usec() and now_realtime_usec() itself replaces both.
 */
uint64_t now_usec(void);

/**
 * now_realtime_usec() - CLOCK_REALTIME in microseconds since the epoch: for people, never for lifetimes
 */
uint64_t now_realtime_usec(void);

/**
 * deadline_after() - now_usec() + @usec, saturating at USEC_INFINITY
 */
uint64_t deadline_after(uint64_t usec);

/**
 * deadline_poll_msec() - milliseconds until @deadline for poll(2), rounded up, 0 when it has passed, -1
 * for USEC_INFINITY
 */
int deadline_poll_msec(uint64_t deadline);

/**
 * hex_encode() - @length octets as lower-case hex into @ret, which has room for 2 * @length + 1
 */
void hex_encode(const void *data, size_t length, char *ret);

/**
 * hex_decode() - an even number of hex digits, either case, nothing else
 * @size: room at @ret, in octets
 *
 * Return: 0; -EINVAL for a digit or an odd count; -ENOBUFS when @size is too small. Nothing is written then.
 */
int hex_decode(const char *text, void *ret, size_t size, size_t *ret_length);

/**
 * base64_encode() - RFC 4648 4 with padding, no newline; the caller frees *@ret
 *
 * Not for secrets: the text is in ordinary memory.
 */
int base64_encode(const void *data, size_t length, char **ret);

/**
 * base64_decode() - RFC 4648 4 with padding, no white space, no trailing bits; at most @size octets
 *
 * Return: 0; -EINVAL for anything that is not canonical base64; -ENOBUFS when @size is too small.
 */
int base64_decode(const char *text, size_t text_length, void *ret, size_t size, size_t *ret_length);

/**
 * shorten() - an identity for a log or the bus: the first @keep characters and "..."
 * @ret: room for @size octets, always terminated
 */
void shorten(const char *text, size_t keep, char *ret, size_t size);

/**
 * text_is_plain() - whether @length octets are printable ASCII (0x20 to 0x7e): what may go into a log line
 */
bool text_is_plain(const char *text, size_t length);

/**
 * utf8_printable() - octets of the UTF-8 character that @text begins with, of at most @length octets
 *
 * Return: 1 to 4; 0 where @text does not begin with a well-formed character (RFC 3629), or with a control
 * character.
 */
size_t utf8_printable(const char *text, size_t length);
