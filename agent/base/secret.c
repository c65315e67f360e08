/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Secrets: the allocator.
 *
 * Granules of 16 octets and a bitmap: first fit, so that few pages of the arena are ever touched, and no
 * list inside the arena that an overrun could bend. What is free is zero at any time: a release erases
 * at once, and secret_new() need not. Behind each secret stands a canary; a secret that was overrun, freed
 * twice or never handed out ends the process, because nothing that it holds can be trusted then.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "secret-private.h"
#include "secret.h"
#include "util.h"

#if defined(__SANITIZE_ADDRESS__)
#define SECRET_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SECRET_ASAN 1
#endif
#endif

#ifdef SECRET_ASAN
#include <sanitizer/asan_interface.h>
#endif

struct secret_arena secret_arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

void secret_fence(const void *data, size_t length) {
#ifdef SECRET_ASAN
    __asan_poison_memory_region(data, length);
#else
    (void)data;
    (void)length;
#endif
}

void secret_unfence(const void *data, size_t length) {
#ifdef SECRET_ASAN
    __asan_unpoison_memory_region(data, length);
#else
    (void)data;
    (void)length;
#endif
}

/* Says why with write(2), as nothing else of a process in this state is to be relied on. */
static _Noreturn void die(const char *why) {
    (void)!write(STDERR_FILENO, why, strlen(why));
    abort();
}

static void mark(size_t first, size_t count, bool taken) {
    for (size_t i = first; i < first + count; i++) {
        uint64_t bit = UINT64_C(1) << (i % 64);

        if (taken)
            secret_arena.taken[i / 64] |= bit;
        else
            secret_arena.taken[i / 64] &= ~bit;
    }
}

static bool is_taken(size_t granule) {
    return secret_arena.taken[granule / 64] >> (granule % 64) & 1;
}

/* The first run of @count free granules. */
static int find_run(size_t count) {
    size_t run = 0;

    for (size_t i = 0; i < SECRET_GRANULES;) {
        if (i % 64 == 0 && secret_arena.taken[i / 64] == UINT64_MAX) {
            run = 0;
            i += 64;
            continue;
        }
        run = is_taken(i) ? 0 : run + 1;
        i++;
        if (run == count)
            return (int)(i - count);
    }
    return -ENOMEM;
}

static uint8_t *slot_data(size_t index) {
    return secret_arena.base + index * SECRET_GRANULE;
}

int secret_slot_take(size_t length) {
    size_t granules = (length + SECRET_CANARY + SECRET_GRANULE - 1) / SECRET_GRANULE;
    uint8_t *data;
    int index;

    index = find_run(granules);
    if (index < 0)
        return index;
    mark((size_t)index, granules, true);
    secret_arena.used += granules;
    secret_arena.slots[index] = (struct secret_slot){
        .length = (uint16_t)length, .granules = (uint16_t)granules, .canary = (uint16_t)length};

    data = slot_data((size_t)index);
    secret_unfence(data, length + SECRET_CANARY);
    memcpy(data + length, &secret_arena.canary, SECRET_CANARY);
    secret_fence(data + length, SECRET_CANARY);
    return index;
}

/* A forked child sees zeros where its parent has a canary (MADV_WIPEONFORK); that is no overrun. */
static void check_canary(const uint8_t *canary) {
    static const uint8_t zero[SECRET_CANARY];

    if (memcmp(canary, &secret_arena.canary, SECRET_CANARY) == 0)
        return;
    if (memcmp(canary, zero, SECRET_CANARY) == 0 && getpid() != secret_arena.pid)
        return;
    die("keystrap: a secret was written beyond its end\n");
}

void secret_slot_release(size_t index) {
    struct secret_slot *slot = &secret_arena.slots[index];
    size_t size = slot->granules * SECRET_GRANULE;
    uint8_t *data = slot_data(index);

    secret_unfence(data, size);
    check_canary(data + slot->canary);
    secret_erase(data, size);
    secret_fence(data, size);
    mark(index, slot->granules, false);
    secret_arena.used -= slot->granules;
    *slot = (struct secret_slot){0};
}

static size_t slot_index(const struct secret *secret) {
    uintptr_t address = (uintptr_t)secret, base = (uintptr_t)secret_arena.base;
    size_t index;

    if (base == 0 || address < base || address >= base + SECRET_ARENA_SIZE ||
        (address - base) % SECRET_GRANULE != 0)
        die("keystrap: this is no secret\n");
    index = (address - base) / SECRET_GRANULE;
    if (secret_arena.slots[index].granules == 0)
        die("keystrap: this secret was freed already\n");
    return index;
}

int secret_new(size_t length, struct secret **ret) {
    int index;

    if (length == 0 || length > SECRET_LENGTH_MAX)
        return -EINVAL;
    if (!secret_arena.base)
        return -ENOMEM;

    pthread_mutex_lock(&secret_arena.lock);
    index = secret_slot_take(length);
    pthread_mutex_unlock(&secret_arena.lock);
    if (index < 0)
        return index;
    *ret = (struct secret *)(void *)slot_data((size_t)index);
    return 0;
}

int secret_new_copy(const void *data, size_t length, struct secret **ret) {
    struct secret *secret;
    int r;

    r = secret_new(length, &secret);
    if (r < 0)
        return r;
    memcpy(secret_data_mutable(secret), data, length);
    *ret = secret;
    return 0;
}

struct secret *secret_free(struct secret *secret) {
    if (!secret)
        return NULL;
    pthread_mutex_lock(&secret_arena.lock);
    secret_slot_release(slot_index(secret));
    pthread_mutex_unlock(&secret_arena.lock);
    return NULL;
}

const uint8_t *secret_data(const struct secret *secret) {
    return slot_data(slot_index(secret));
}

uint8_t *secret_data_mutable(struct secret *secret) {
    return slot_data(slot_index(secret));
}

size_t secret_length(const struct secret *secret) {
    return secret_arena.slots[slot_index(secret)].length;
}

void secret_truncate(struct secret *secret, size_t length) {
    struct secret_slot *slot = &secret_arena.slots[slot_index(secret)];
    uint8_t *data = secret_data_mutable(secret);

    if (length > slot->length)
        die("keystrap: a secret cannot grow\n");
    secret_erase(data + length, slot->length - length);
    secret_fence(data + length, slot->length - length);
    slot->length = (uint16_t)length;
}

bool secret_equal(const struct secret *a, const struct secret *b) {
    const uint8_t *data_a, *data_b;
    volatile uint8_t difference = 0;
    size_t length;

    if (!a || !b || secret_length(a) != secret_length(b))
        return false;
    data_a = secret_data(a);
    data_b = secret_data(b);
    length = secret_length(a);
    for (size_t i = 0; i < length; i++)
        difference |= data_a[i] ^ data_b[i];
    return difference == 0;
}

void secret_erase(void *data, size_t length) {
    if (length > 0)
        explicit_bzero(data, length);
}

size_t secret_arena_used(void) {
    size_t used;

    pthread_mutex_lock(&secret_arena.lock);
    used = secret_arena.used * SECRET_GRANULE;
    pthread_mutex_unlock(&secret_arena.lock);
    return used;
}
