/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of a bootstrap share: the usual answers of a BSF, and what holds whenever a bootstrap succeeds or fails.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/arena.h"
#include "unit/ub-world.h"

/* A second challenge: RAND and AUTN of sixteen octets 01 and 02. */
#define NONCE_2 "AQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgI="

#define CHALLENGE_WITH(nonce, more)                                     \
    "WWW-Authenticate: Digest realm=\"" VECTOR_BSF "\", nonce=\"" nonce \
    "\", algorithm=AKAv1-MD5, qop=\"auth-int\"" more
#define CHALLENGED                                                                   \
    {                                                                                \
        .status = 401, .fields = { CHALLENGE_WITH(VECTOR_NONCE, ", opaque=\"op\"") } \
    }
#define CHALLENGED_2                                             \
    {                                                            \
        .status = 401, .fields = { CHALLENGE_WITH(NONCE_2, "") } \
    }
#define STALE                                                                \
    {                                                                        \
        .status = 401, .fields = { CHALLENGE_WITH(NONCE_2, ", stale=true") } \
    }
#define TYPE "Content-Type: application/vnd.3gpp.bsf+xml"
#define ACCEPTED \
    { .status = 200, .fields = {TYPE}, .body = VECTOR_BODY, .proof = true }
#define BODY(btid, lifetime, more)                                                       \
    "<BootstrappingInfo xmlns=\"uri:3gpp-gba\"><btid>" btid "</btid><lifetime>" lifetime \
    "</lifetime>" more "</BootstrappingInfo>"

/* Run and expect that it fails with @code, says why without naming the subscriber, and gives nothing. */
static inline void assert_fails_with(const struct ub_parameters *parameters, int code) {
    struct ub_result result, before;
    struct failure failure = {0};
    uint64_t retry_after = 42;
    int r;

    memset(&result, 0xaa, sizeof(result));
    memcpy(&before, &result, sizeof(before));
    r = ub_bootstrap(parameters, &world_ops, NULL, &result, &retry_after, &failure);
    if (r != code)
        fail_msg("%#x instead of %#x: %s", (unsigned)r, (unsigned)code, failure.text);
    assert_int_equal(failure.code, code);
    assert_true(strlen(failure.text) > 10);
    assert_null(strstr(failure.text, VECTOR_IMSI));
    assert_memory_equal(&result, &before, sizeof(before));
    assert_int_equal(retry_after, code == UB_E_BUSY ? 0 : 42);
    assert_int_equal(secret_arena_used(), 0);
}

static inline void assert_fails(const struct step *steps, const struct card_step *card_steps,
                                int code) {
    world_begin(steps, card_steps);
    assert_fails_with(&world_parameters, code);
}

/* Run and expect that it works; the result is the caller's. */
static inline struct ub_result succeed_with(const struct ub_parameters *parameters) {
    struct ub_result result = {0};
    struct failure failure = {0};

    if (ub_bootstrap(parameters, &world_ops, NULL, &result, NULL, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(failure.code, 0);
    assert_int_equal(result.mode, parameters->mode);
    assert_int_equal(result.ks != NULL, parameters->mode != GBA_MODE_U);
    return result;
}

static inline struct ub_result succeed(const struct step *steps,
                                       const struct card_step *card_steps) {
    world_begin(steps, card_steps);
    return succeed_with(&world_parameters);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, arena_empty)
