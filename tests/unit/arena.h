/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The arena of secrets for a group of tests, and that each gives back what it took of it.
 */

#include "secret.h"

static inline int arena_up(void **state) {
    (void)state;
    return secret_arena_init();
}

static inline int arena_down(void **state) {
    (void)state;
    secret_arena_done();
    return 0;
}

/* The teardown of one test, which fails with what is left. */
static inline int arena_empty(void **state) {
    (void)state;
    return secret_arena_used() == 0 ? 0 : -1;
}
