/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: a bootstrap, and how much of it is the agent's own.
 *
 * The agent tells how long the whole took and how long it waited for the card; the lab's BSF tells how long it
 * computed. What is left is the agent's: the thread's queues, AKA's digests, XML, keystrap-http and TCP on the
 * loopback device. The first bootstrap after a start, which also starts keystrap-http, is measured with the starts.
 */

#include <stdlib.h>

#include "bench.h"
#include "util.h"

/* Where the values of one field of the struct go, and under which name. */
struct column {
    const char *name;
    size_t offset;
};

#define COLUMN(field) \
    { #field, offsetof(struct bench_bootstrap, field) }

static const struct column columns[] = {
    {"agent_own_usec", offsetof(struct bench_bootstrap, own_usec)},
    COLUMN(card_usec),
    COLUMN(bsf_usec),
    COLUMN(network_usec),
    COLUMN(total_usec),
    COLUMN(caller_usec),
};

static int put_columns(json_t *object, const struct bench_bootstrap *runs, size_t count) {
    _cleanup_free_ double *values = calloc(count, sizeof(*values));

    if (!values)
        return -1;
    for (size_t i = 0; i < ELEMENTS(columns); i++) {
        for (size_t j = 0; j < count; j++)
            values[j] = *(const double *)(const void *)((const char *)&runs[j] + columns[i].offset);
        stats_put_quantiles(object, columns[i].name, values, count);
    }
    return 0;
}

int bench_measure_bootstrap(struct bench *bench) {
    size_t count = bench->plan->bootstraps;
    _cleanup_free_ struct bench_bootstrap *runs = calloc(count, sizeof(*runs));
    json_t *object = bench_section(bench, "bootstrap");

    bench_say("bootstrap: %zu times", count);
    if (!runs)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (bench_bootstrap(bench, &runs[i]) < 0)
            return -1;
    (void)json_object_set_new(object, "warm_count", json_integer((json_int_t)count));
    return put_columns(object, runs, count);
}
