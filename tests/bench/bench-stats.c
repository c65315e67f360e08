/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: numbers and how they are told.
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void stats_sort(double *values, size_t count) {
    if (count > 0)
        qsort(values, count, sizeof(*values), compare);
}

double stats_quantile(const double *values, size_t count, double q) {
    size_t rank = (size_t)ceil(q * (double)count);

    if (count == 0)
        return (double)NAN;
    return values[rank > 0 ? rank - 1 : 0];
}

json_t *stats_real(double value) {
    return isfinite(value) ? json_real(round(value * 1000) / 1000) : json_null();
}

void stats_put_quantiles(json_t *object, const char *name, double *values, size_t count) {
    char key[64];

    stats_sort(values, count);
    (void)snprintf(key, sizeof(key), "%s_p50", name);
    (void)json_object_set_new(object, key, stats_real(stats_quantile(values, count, 0.5)));
    (void)snprintf(key, sizeof(key), "%s_max", name);
    (void)json_object_set_new(object, key, stats_real(stats_quantile(values, count, 1)));
}
