/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A quota: so many a minute, as a token bucket.
 *
 * The bucket holds one minute's worth and starts full, so a burst of that size is allowed and the long-run
 * rate is exact: the level is counted in millionths of a sixtieth, and no fraction is lost.
 */

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_UNLIMITED UINT64_MAX

struct quota {
    uint64_t per_minute; /* 1 to ACCESS_KEYS_PER_MINUTE_MAX, or QUOTA_UNLIMITED */
    uint64_t level;      /* one token is a minute in microseconds; a microsecond adds per_minute */
    uint64_t at_usec;    /* when level was true, now_usec() clock */
};

/**
 * quota_init() - a full bucket at @now_usec
 */
void quota_init(struct quota *quota, uint64_t per_minute, uint64_t now_usec);

/**
 * quota_take() - take one token. Returns whether there was one. A clock that goes back adds nothing.
 */
bool quota_take(struct quota *quota, uint64_t now_usec);

/**
 * quota_wait_usec() - microseconds after the last quota_take() until it can succeed; 0 when it can now
 */
uint64_t quota_wait_usec(const struct quota *quota);
