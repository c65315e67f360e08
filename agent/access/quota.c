/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A token bucket in integers.
 *
 * A token weighs one minute in microseconds, and every microsecond adds per_minute: nothing is rounded, whatever the
 * rate. The largest bucket, 10^6 tokens of 6 * 10^7, stays far below 2^64.
 */

#include "keystrap-limits.h"
#include "quota.h"
#include "util.h"

#define TOKEN (60 * USEC_PER_SEC)

_Static_assert(ACCESS_KEYS_PER_MINUTE_MAX <= UINT64_MAX / TOKEN / 2, "a bucket overflows");

void quota_init(struct quota *quota, uint64_t per_minute, uint64_t now_usec) {
    quota->per_minute = per_minute;
    quota->level = per_minute == QUOTA_UNLIMITED ? 0 : per_minute * TOKEN;
    quota->at_usec = now_usec;
}

static void refill(struct quota *quota, uint64_t now_usec) {
    uint64_t full = quota->per_minute * TOKEN;
    uint64_t elapsed = now_usec > quota->at_usec ? now_usec - quota->at_usec : 0;

    /* After a minute it is full, however long ago it was. */
    if (elapsed >= TOKEN || quota->level + elapsed * quota->per_minute > full)
        quota->level = full;
    else
        quota->level += elapsed * quota->per_minute;
    quota->at_usec += elapsed;
}

bool quota_take(struct quota *quota, uint64_t now_usec) {
    if (quota->per_minute == QUOTA_UNLIMITED)
        return true;
    refill(quota, now_usec);
    if (quota->level < TOKEN)
        return false;
    quota->level -= TOKEN;
    return true;
}

uint64_t quota_wait_usec(const struct quota *quota) {
    if (quota->per_minute == QUOTA_UNLIMITED || quota->level >= TOKEN)
        return 0;
    return (TOKEN - quota->level + quota->per_minute - 1) / quota->per_minute;
}
