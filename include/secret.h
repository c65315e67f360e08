/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Secrets.
 *
 * A key, a RES, a CK or IK, a PIN lives in a struct secret and nowhere else: never in a plain array, on
 * the stack, in a realloc'ed buffer, in a log or in a message. All secrets share one arena that is
 * locked (no swap), excluded from core dumps, wiped in a forked child and fenced by guard pages. A
 * secret is erased when it is freed. There is no printf format for one.
 *
 * The functions may be called from any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret;

/**
 * secret_arena_init() - map and lock the arena
 *
 * To be called once, before the first secret_new() and before threads start. Also prepares OpenSSL's own
 * secure heap, so that what OpenSSL copies of a key while it works is locked as well.
 *
 * Return: 0; -ENOMEM or -EPERM where the memory cannot be locked (RLIMIT_MEMLOCK); -EALREADY.
 */
int secret_arena_init(void);

/**
 * secret_arena_done() - erase and unmap the arena; every secret must have been freed (tests check this)
 */
void secret_arena_done(void);

/**
 * secret_arena_used() - octets of the arena that are handed out, for tests and status
 */
size_t secret_arena_used(void);

/**
 * secret_self_test() - prove that a freed secret reads as zero, that comparison works and that the
 * arena is locked and not dumped
 *
 * Return: 0; -EIO when the proof fails, and then nothing may be served.
 */
int secret_self_test(void);

/**
 * secret_new() - a secret of @length zero octets (1 to SECRET_LENGTH_MAX); the caller owns it
 *
 * Return: 0; -EINVAL for the length; -ENOMEM when the arena is full.
 */
int secret_new(size_t length, struct secret **ret);

/**
 * secret_new_copy() - as secret_new(), holding a copy of @length octets at @data, which stay the caller's
 */
int secret_new_copy(const void *data, size_t length, struct secret **ret);

/**
 * secret_free() - erase and release; NULL is allowed. Returns NULL, for `s = secret_free(s)`.
 */
struct secret *secret_free(struct secret *secret);

/**
 * secret_data(), secret_data_mutable(), secret_length() - the octets, which stay where they are until secret_free(),
 * and how many they are
 */
const uint8_t *secret_data(const struct secret *secret);
uint8_t *secret_data_mutable(struct secret *secret);
size_t secret_length(const struct secret *secret);

/**
 * secret_truncate() - shorten to @length octets, erasing the rest; longer than now is a programming error
 */
void secret_truncate(struct secret *secret, size_t length);

/**
 * secret_equal() - constant-time comparison in the length of the secrets; NULL equals nothing
 */
bool secret_equal(const struct secret *a, const struct secret *b);

/**
 * secret_erase() - overwrite @length octets at @data in a way that no optimiser removes
 */
void secret_erase(void *data, size_t length);

/**
 * secret_protect() - have the kernel treat whole pages at @data as it does the arena: locked, not dumped, zero in a forked child
 *
 * Return: 0; -ENOMEM or -EPERM where they cannot be locked; another errno of madvise(2).
 */
int secret_protect(void *data, size_t size);

static inline void secret_freep(struct secret **secret) {
    *secret = secret_free(*secret);
}

#define _cleanup_secret_ __attribute__((cleanup(secret_freep)))
