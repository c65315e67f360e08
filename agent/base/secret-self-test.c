/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Secrets: the proof at start-up.
 *
 * An optimiser may drop a wipe, a kernel may not know a flag, a sandbox may refuse a lock without a word. What
 * keystrapd promises of its secrets it therefore looks at, in the very program that runs, before it serves.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "secret-private.h"
#include "secret.h"
#include "util.h"

#define PROBE_LENGTH 48u

/* Reads what was just freed, which is the point and what AddressSanitizer would otherwise forbid. */
__attribute__((noinline, no_sanitize("address"))) static bool reads_as_zero(const uint8_t *data,
                                                                            size_t length) {
    const volatile uint8_t *p = data;
    uint8_t seen = 0;

    for (size_t i = 0; i < length; i++)
        seen |= p[i];
    return seen == 0;
}

/* All under the lock, so that no other thread gets the probe's place before it is looked at. */
static bool wipe_works(void) {
    bool wiped = false;
    int index;

    pthread_mutex_lock(&secret_arena.lock);
    index = secret_slot_take(PROBE_LENGTH);
    if (index >= 0) {
        uint8_t *data = secret_arena.base + (size_t)index * SECRET_GRANULE;

        memset(data, 0xa5, PROBE_LENGTH);
        wiped = !reads_as_zero(data, PROBE_LENGTH);
        secret_slot_release((size_t)index);
        wiped = wiped && reads_as_zero(data, PROBE_LENGTH + SECRET_CANARY);
    }
    pthread_mutex_unlock(&secret_arena.lock);
    return wiped;
}

static bool comparison_works(void) {
    _cleanup_secret_ struct secret *a = NULL, *b = NULL;
    uint8_t *data;
    bool works;

    if (secret_new(PROBE_LENGTH, &a) < 0 || secret_new(PROBE_LENGTH, &b) < 0)
        return false;
    works = secret_equal(a, b);
    data = secret_data_mutable(b);
    for (size_t i = 0; i < PROBE_LENGTH; i++) {
        data[i] ^= 1;
        works = works && !secret_equal(a, b);
        data[i] ^= 1;
    }
    return works && secret_equal(a, b);
}

/* Whether "VmFlags: rd wr ... lo ... dd wf ..." has @flag as a word. */
static bool has_flag(const char *line, const char *flag) {
    const char *found = strstr(line, flag);

    return found && found[-1] == ' ' && (found[2] == ' ' || found[2] == '\n');
}

/* The arena may share its entry with nothing, as its flags differ from those of any neighbour. */
static bool is_locked_and_not_dumped(void) {
    uintptr_t base = (uintptr_t)secret_arena.base;
    _cleanup_fclose_ FILE *smaps = NULL;
    uintptr_t start, end;
    bool ours = false;
    char line[512];

    smaps = fopen("/proc/self/smaps", "re");
    if (!smaps)
        return false;
    while (fgets(line, sizeof(line), smaps)) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
            ours = start <= base && end >= base + SECRET_ARENA_SIZE;
        else if (ours && strncmp(line, "VmFlags:", 8) == 0)
            return has_flag(line, "lo") && has_flag(line, "dd") && has_flag(line, "wf");
    }
    return false;
}

int secret_self_test(void) {
    if (!secret_arena.base)
        return -EIO;
    if (!wipe_works() || !comparison_works() || !is_locked_and_not_dumped())
        return -EIO;
    return 0;
}
