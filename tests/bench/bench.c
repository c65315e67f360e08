/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-bench: how fast and how small keystrap is, as one JSON object on stdout.
 *
 * Everything is measured at the real programs in a world of their own; what each number is, says docs/BENCHMARKS.md.
 */

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "util.h"

/* Long enough to average a busy machine's noise out, a minute all together. */
static const struct bench_plan plan_usual = {
    .slices = "6", .slice_msec = "500", .starts = 10, .bootstraps = 30, .derivations = 1000};

/* Just enough for every number to be there. */
static const struct bench_plan plan_smoke = {
    .slices = "2", .slice_msec = "40", .starts = 2, .bootstraps = 3, .derivations = 20};

void bench_say(const char *format, ...) {
    va_list args;

    (void)fputs("bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

json_t *bench_section(struct bench *bench, const char *name) {
    json_t *object = json_object_get(bench->result, name);

    if (!object) {
        object = json_object();
        (void)json_object_set_new(bench->result, name, object);
    }
    return object;
}

static int stop_keystrapd(struct bench *bench) {
    struct world_process *keystrapd = TAKE_PTR(bench->keystrapd);
    int r;

    if (!keystrapd)
        return 0;
    r = world_stop(keystrapd);
    if (r != 0)
        bench_say("keystrapd ended with %d", r);
    return r == 0 ? 0 : -1;
}

int bench_start_keystrapd(struct bench *bench) {
    if (stop_keystrapd(bench) < 0)
        return -1;
    bench->keystrapd = world_start_keystrapd(bench->world, NULL);
    return bench->keystrapd ? 0 : -1;
}

/* Everything around keystrapd; the quota shall not be what is measured. */
static int raise_surroundings(struct bench *bench) {
    int r;

    bench->bus_daemon = world_start_bus(bench->world);
    if (!bench->bus_daemon || !world_start_pcscd(bench->world) ||
        !world_start_usim(bench->world, "gateway", NULL))
        return -1;
    bench->bsf = world_start_bsf(bench->world, NULL);
    if (!bench->bsf || world_write_defaults(bench->bsf) < 0 ||
        world_write_access("[Principal meter]\nUser=meter\nNafFqdn=*.example.com " BENCH_NAF "\n"
                           "UaProtocol=*\nKeysPerMinute=infinity\n") < 0)
        return -1;
    r = sd_bus_open_system(&bench->bus);
    if (r < 0)
        bench_say("no connection to the bus: %s", strerror(-r));
    return r < 0 ? -1 : 0;
}

static int measure(struct bench *bench) {
    static int (*const parts[])(struct bench * bench) = {
        bench_measure_environment, bench_measure_start, bench_measure_memory,
        bench_measure_bootstrap,   bench_measure_calls,
    };

    for (size_t i = 0; i < ELEMENTS(parts); i++)
        if (parts[i](bench) < 0)
            return -1;
    /* Counted with nothing else on the machine, though it would make no difference. */
    return stop_keystrapd(bench) < 0 ? -1 : bench_measure_derivation(bench);
}

static int live(struct world *world, void *userdata) {
    struct bench bench = {.plan = userdata, .world = world, .result = json_object()};
    int r;

    r = raise_surroundings(&bench);
    if (r == 0)
        r = measure(&bench);
    bench.bus = sd_bus_flush_close_unref(bench.bus);
    if (r == 0) {
        if (json_dumpf(bench.result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) < 0 ||
            putchar('\n') == EOF || fflush(stdout) == EOF)
            r = -1;
        bench_verdict(bench.result);
    }
    json_decref(bench.result);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void help(FILE *stream) {
    (void)fputs(
        "Usage: keystrap-bench [--smoke]\n"
        "Measures keystrap in a world of its own and prints one JSON object. Needs root.\n\n"
        "  --smoke  very short runs: every number is there, and none says anything\n",
        stream);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"smoke", no_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct bench_plan plan = plan_usual;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c != 's') {
            help(c == 'h' ? stdout : stderr);
            return c == 'h' ? EXIT_SUCCESS : EX_USAGE;
        }
        plan = plan_smoke;
    }
    if (optind < argc) {
        help(stderr);
        return EX_USAGE;
    }
    return world_run(live, &plan);
}
