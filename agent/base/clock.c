/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Clocks, in an object of their own: a test that must see a lifetime end defines both functions itself,
 * and the linker leaves this one out.
 */

#include <time.h>

#include "util.h"

static uint64_t clock_usec(clockid_t clock) {
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        abort(); /* both clocks exist on every kernel that keystrap runs on */
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

uint64_t now_usec(void) {
    return clock_usec(CLOCK_BOOTTIME);
}

uint64_t now_realtime_usec(void) {
    return clock_usec(CLOCK_REALTIME);
}
