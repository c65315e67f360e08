/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * When to ask a BSF again, and when to renew a Ks.
 *
 * No clock and no source of random numbers is in here, so that a hundred thousand gateways can be played in a second.
 */

#include "backoff.h"
#include "util.h"

#define DOUBLINGS_MAX 32u /* the window has long reached its maximum */

/* A number in [0, bound), as even as 64 bits allow; 0 for no bound at all. */
static uint64_t draw(uint64_t bound, uint64_t random) {
    return (uint64_t)((unsigned __int128)random * bound >> 64);
}

static uint64_t window_after(unsigned failures) {
    uint64_t window = BACKOFF_BASE_USEC;

    for (unsigned i = 0; i < failures && window < BACKOFF_MAX_USEC; i++)
        window *= 2;
    return window < BACKOFF_MAX_USEC ? window : BACKOFF_MAX_USEC;
}

uint64_t backoff_fail(struct backoff *backoff, uint64_t retry_after_usec, uint64_t random) {
    uint64_t window = window_after(backoff->failures);

    if (backoff->failures < DOUBLINGS_MAX)
        backoff->failures++;
    if (retry_after_usec > RETRY_AFTER_MAX_SEC * USEC_PER_SEC)
        retry_after_usec = RETRY_AFTER_MAX_SEC * USEC_PER_SEC;
    if (window < retry_after_usec)
        window = retry_after_usec;
    return retry_after_usec + draw(window, random);
}

void backoff_clear(struct backoff *backoff) {
    backoff->failures = 0;
}

uint64_t renewal_delay(uint64_t lifetime_usec, uint64_t random) {
    uint64_t earliest, latest;

    if (lifetime_usec < 2 * RENEWAL_MARGIN_USEC)
        return USEC_INFINITY;
    earliest = lifetime_usec / 100 * RENEWAL_EARLIEST_PERCENT;
    latest = lifetime_usec / 100 * RENEWAL_LATEST_PERCENT;
    if (latest > lifetime_usec - RENEWAL_MARGIN_USEC)
        latest = lifetime_usec - RENEWAL_MARGIN_USEC;
    if (earliest > latest)
        earliest = latest / 2;
    return earliest + draw(latest - earliest, random);
}
