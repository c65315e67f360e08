/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The benchmarks: real processes in a world of their own, measured from outside.
 *
 * Each bench_measure_ function fills in one member of the result. It returns 0, or -1 when it could not measure,
 * and has said why on stderr.
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <systemd/sd-bus.h>

#include "lab/world.h"

#define BENCH_PROGRAMS WORLD_BUILD "/tests/bench"
#define BENCH_NAF      "naf.example.com"
#define BENCH_KEYS     10000 /* distinct NAFs, before memory is looked at again */

/* How much of everything; see bench.c for the two that there are. */
struct bench_plan {
    const char *slices;     /* of Ping, and as many of keys, for each number of clients */
    const char *slice_msec; /* how long each is */
    unsigned starts;        /* of keystrapd, with one cold bootstrap each */
    unsigned bootstraps;    /* warm ones */
    unsigned derivations;   /* N: callgrind counts N and 2 N */
};

struct bench {
    const struct bench_plan *plan;
    struct world *world;
    struct world_process *bus_daemon;
    struct world_process *bsf;
    struct world_process *keystrapd; /* the one that runs, or NULL */
    sd_bus *bus;                     /* root's connection to the world's bus */
    json_t *result;
};

int bench_measure_environment(struct bench *bench);
int bench_measure_start(struct bench *bench);
int bench_measure_memory(struct bench *bench);
int bench_measure_bootstrap(struct bench *bench);
int bench_measure_calls(struct bench *bench);
int bench_measure_derivation(struct bench *bench);

/**
 * bench_say() - a line of progress on stderr
 */
__attribute__((format(printf, 1, 2))) void bench_say(const char *format, ...);

/**
 * bench_section() - the member @name of the result, an object; borrowed
 */
json_t *bench_section(struct bench *bench, const char *name);

/**
 * bench_verdict() - say on stderr which floors and goals the result meets
 */
void bench_verdict(const json_t *result);

/**
 * bench_start_keystrapd() - start it, and stop the one before
 */
int bench_start_keystrapd(struct bench *bench);

/* --- The bus ------------------------------------------------------------------------------------- */

/* What Manager.GetStatistics tells of the last bootstrap. */
struct bench_statistics {
    uint64_t total_usec, card_usec, network_usec;
};

/**
 * bench_wait_card_ready() - wait until the State property is "card-ready"; 0 or -1
 */
int bench_wait_card_ready(struct bench *bench);

/* One bootstrap, as whoever asked for it and as every party to it saw it. */
struct bench_bootstrap {
    double caller_usec; /* from call to reply at the client */
    double total_usec, card_usec, network_usec, bsf_usec;
    double own_usec; /* the agent's: total less card and BSF */
};

/**
 * bench_bootstrap() - have a new Ks made; 0 or -1
 */
int bench_bootstrap(struct bench *bench, struct bench_bootstrap *ret);

/* --- Numbers ------------------------------------------------------------------------------------- */

/**
 * stats_sort() - sort in place; the rest wants sorted values
 */
void stats_sort(double *values, size_t count);

/**
 * stats_quantile() - the value below which a share @q of the @values is, by the nearest rank; NaN without any
 */
double stats_quantile(const double *values, size_t count, double q);

/**
 * stats_real() - @value to three decimals, as JSON; a number that is none (0/0) becomes null
 */
json_t *stats_real(double value);

/**
 * stats_put_quantiles() - sort @values; NAME_p50 and NAME_max into @object
 */
void stats_put_quantiles(json_t *object, const char *name, double *values, size_t count);
