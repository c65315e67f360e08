/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The arena behind struct secret, shared by the three files that make it: secret-arena.c maps it,
 * secret.c hands it out, secret-self-test.c proves it. No other file includes this.
 *
 * A struct secret is the address of its octets. What is known of it (length, size) is kept outside of the
 * arena, where no overrun of a secret reaches it, and costs the arena nothing.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "keystrap-limits.h"

#define SECRET_GRANULE  16u
#define SECRET_GRANULES (SECRET_ARENA_SIZE / SECRET_GRANULE)
#define SECRET_CANARY   8u /* octets behind each secret that must not change */

struct secret_slot {
    uint16_t length;   /* octets of the secret */
    uint16_t granules; /* that it occupies; 0 where no secret begins */
    uint16_t canary;   /* octets from its start to its canary */
};

struct secret_arena {
    pthread_mutex_t lock;
    uint8_t *base; /* NULL before secret_arena_init() */
    pid_t pid;     /* in any other process the arena reads as zero */
    uint64_t canary;
    size_t used; /* granules */
    uint64_t taken[SECRET_GRANULES / 64];
    struct secret_slot slots[SECRET_GRANULES];
};

/* The arena is the one mutable global: it belongs to the process, as its memory lock and fork do. */
extern struct secret_arena secret_arena;

/* With the lock held: the index of the slot's first granule, or -ENOMEM. */
int secret_slot_take(size_t length);
void secret_slot_release(size_t index);

/* What AddressSanitizer may see of the arena: a secret, and nothing between two of them. */
void secret_fence(const void *data, size_t length);
void secret_unfence(const void *data, size_t length);
