/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: how long keystrapd takes from fork to READY=1, from there to a card that was read, and for the
 * first bootstrap, for which keystrap-http must be started too.
 */

#include <stdlib.h>

#include "bench.h"
#include "util.h"

struct start {
    double ready_usec, cold_total_usec, cold_own_usec;
};

static int start_once(struct bench *bench, struct start *ret) {
    struct bench_bootstrap bootstrap;

    if (bench_start_keystrapd(bench) < 0 || bench_wait_card_ready(bench) < 0 ||
        bench_bootstrap(bench, &bootstrap) < 0)
        return -1;
    *ret = (struct start){
        .ready_usec = (double)bench->keystrapd->ready_usec,
        .cold_total_usec = bootstrap.total_usec,
        .cold_own_usec = bootstrap.own_usec,
    };
    return 0;
}

int bench_measure_start(struct bench *bench) {
    size_t count = bench->plan->starts;
    _cleanup_free_ double *ready = calloc(count, sizeof(*ready));
    _cleanup_free_ double *total = calloc(count, sizeof(*total));
    _cleanup_free_ double *own = calloc(count, sizeof(*own));
    json_t *object = bench_section(bench, "start");
    json_t *bootstrap = bench_section(bench, "bootstrap");

    bench_say("start: %zu times, with a first bootstrap each", count);
    if (!ready || !total || !own)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct start start;

        if (start_once(bench, &start) < 0)
            return -1;
        ready[i] = start.ready_usec;
        total[i] = start.cold_total_usec;
        own[i] = start.cold_own_usec;
    }
    (void)json_object_set_new(object, "count", json_integer((json_int_t)count));
    stats_put_quantiles(object, "to_ready_usec", ready, count);
    (void)json_object_set_new(bootstrap, "cold_count", json_integer((json_int_t)count));
    stats_put_quantiles(bootstrap, "cold_agent_own_usec", own, count);
    stats_put_quantiles(bootstrap, "cold_total_usec", total, count);
    return 0;
}
