/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: the instructions of one derivation, counted by callgrind, beside OpenSSL's HMAC alone.
 *
 * Instructions are counted, not time, because they are the same on a busy machine. Each operation is run N and
 * 2 N times, and the difference is divided by N: so the start of the program is not in it.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "util.h"

#define COUNTS WORLD_SCRATCH "/callgrind.out"

/* "totals: N", the last line of callgrind's file. */
static int read_total(uint64_t *ret) {
    _cleanup_fclose_ FILE *f = fopen(COUNTS, "re");
    bool found = false;
    char line[512];

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "totals: %" SCNu64, ret) == 1)
            found = true;
    if (!found)
        bench_say("callgrind has left no totals in " COUNTS);
    return found ? 0 : -1;
}

static int count_run(struct bench *bench, const char *operation, unsigned times, uint64_t *ret) {
    char text[16];
    const char *const argv[] = {"valgrind",
                                "--quiet",
                                "--tool=callgrind",
                                "--callgrind-out-file=" COUNTS,
                                BENCH_PROGRAMS "/bench-derivation",
                                operation,
                                text,
                                NULL};

    (void)snprintf(text, sizeof(text), "%u", times);
    if (world_call_as(bench->world, WORLD_USER_ROOT, argv, NULL, 0) != 0) {
        bench_say("callgrind of %s failed", operation);
        world_log(bench->world);
        return -1;
    }
    return read_total(ret);
}

static int count(struct bench *bench, const char *operation, double *ret) {
    unsigned times = bench->plan->derivations;
    uint64_t once, twice;

    if (count_run(bench, operation, times, &once) < 0 ||
        count_run(bench, operation, 2 * times, &twice) < 0)
        return -1;
    *ret = ((double)twice - (double)once) / times;
    return 0;
}

int bench_measure_derivation(struct bench *bench) {
    json_t *object = bench_section(bench, "derivation");
    double naf_key, kept, new_context, one_shot;

    bench_say("derivation: %u and %u times under callgrind", bench->plan->derivations,
              2 * bench->plan->derivations);
    if (count(bench, "naf-key", &naf_key) < 0 || count(bench, "hmac-kept-context", &kept) < 0 ||
        count(bench, "hmac-new-context", &new_context) < 0 ||
        count(bench, "hmac-one-shot", &one_shot) < 0)
        return -1;
    (void)json_object_set_new(object, "instructions", stats_real(naf_key));
    (void)json_object_set_new(object, "hmac_instructions", stats_real(kept));
    (void)json_object_set_new(object, "ratio", stats_real(naf_key / kept));
    (void)json_object_set_new(object, "hmac_new_context_instructions", stats_real(new_context));
    (void)json_object_set_new(object, "ratio_to_hmac_new_context",
                              stats_real(naf_key / new_context));
    (void)json_object_set_new(object, "hmac_one_shot_instructions", stats_real(one_shot));
    (void)json_object_set_new(object, "ratio_to_hmac_one_shot", stats_real(naf_key / one_shot));
    return 0;
}
