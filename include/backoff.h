/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * When to ask a BSF again, and when to renew a Ks: pure arithmetic over time and a random number.
 *
 * Gateways are many and alike. Whatever happens to all of them in one instant (their BSF is lost, their keys die
 * together) must not bring them back in one instant, so every wait is drawn at random from a window ("full
 * jitter"), and the window doubles with each failure. tests/bench/backoff-curve shows what that does to a BSF.
 */

#include <stdint.h>

#include "keystrap-limits.h"

struct backoff {
    unsigned failures; /* in a row */
};

/**
 * backoff_fail() - note a failure, and tell how long to leave the BSF alone
 * @retry_after_usec: what the BSF asked for, 0 for nothing; cut to RETRY_AFTER_MAX_SEC
 * @random: 64 random bits
 *
 * The wait is @retry_after_usec and a draw from [0, window), where the window is BACKOFF_BASE_USEC, doubled for each
 * failure before this one, at most BACKOFF_MAX_USEC, and at least @retry_after_usec: a BSF that sends a fleet away for a
 * minute gets it back spread over a minute.
 *
 * Return: microseconds.
 */
uint64_t backoff_fail(struct backoff *backoff, uint64_t retry_after_usec, uint64_t random);

/**
 * backoff_clear() - it worked
 */
void backoff_clear(struct backoff *backoff);

/**
 * renewal_delay() - how long after a bootstrap to renew a Ks that lives for @lifetime_usec from now
 * @random: 64 random bits
 *
 * A draw from the part of the life between RENEWAL_EARLIEST_PERCENT and RENEWAL_LATEST_PERCENT, and
 * RENEWAL_MARGIN_USEC before the end at the latest.
 *
 * Return: microseconds from the bootstrap; USEC_INFINITY for a life too short to be renewed, of
 * less than twice RENEWAL_MARGIN_USEC.
 */
uint64_t renewal_delay(uint64_t lifetime_usec, uint64_t random);
