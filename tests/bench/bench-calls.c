/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: keys a second from a Ks that is there, beside a bare Ping of the same service on the same bus.
 *
 * Ping goes the same way, from client to bus daemon to keystrapd and back, and sd-bus answers it without a line of
 * ours; so the ratio of the two is what a key costs beyond the bus, whatever the machine. How much of that is the
 * price of a descriptor as such, tells a third service, bench-pipe-service, that hands out a pipe and does no more.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "util.h"

#define OUTPUT_MAX 16384

static int measure_clients(struct bench *bench, json_t *object, const char *pipe_service,
                           unsigned clients) {
    char count[16], agent[32], daemon[32], name[32];
    const char *const argv[] = {BENCH_PROGRAMS "/bench-clients",
                                "--clients",
                                count,
                                "--slices",
                                bench->plan->slices,
                                "--slice-msec",
                                bench->plan->slice_msec,
                                "--keystrapd",
                                agent,
                                "--bus-daemon",
                                daemon,
                                "--pipe-service",
                                pipe_service,
                                NULL};
    _cleanup_free_ char *out = malloc(OUTPUT_MAX);
    json_t *result;
    int r;

    (void)snprintf(count, sizeof(count), "%u", clients);
    (void)snprintf(agent, sizeof(agent), "%d", bench->keystrapd->pid);
    (void)snprintf(daemon, sizeof(daemon), "%d", bench->bus_daemon->pid);
    (void)snprintf(name, sizeof(name), "clients_%u", clients);
    bench_say("cached key: %u client%s, %s times %s ms of Ping, of keys and of bare pipes", clients,
              clients == 1 ? "" : "s", bench->plan->slices, bench->plan->slice_msec);
    if (!out)
        return -1;
    r = world_call_as(bench->world, WORLD_USER_METER, argv, out, OUTPUT_MAX);
    result = r == 0 ? json_loads(out, 0, NULL) : NULL;
    if (!result) {
        bench_say("%s of bench-clients ended with %d", name, r);
        world_log(bench->world);
        return -1;
    }
    (void)json_object_set_new(object, name, result);
    return 0;
}

/* The service to compare with; world_stop() ends it. */
static struct world_process *start_pipe_service(struct bench *bench, char *ret_name, size_t size) {
    static const char *const argv[] = {BENCH_PROGRAMS "/bench-pipe-service", NULL};
    _cleanup_free_ char *line = NULL;
    struct world_process *process = world_start_as(bench->world, WORLD_USER_KEYSTRAP, argv);

    if (!process || world_wait_output(process, "ready ", WORLD_WAIT_MSEC, &line) < 0) {
        bench_say("bench-pipe-service did not start");
        return NULL;
    }
    (void)snprintf(ret_name, size, "%s", line + strlen("ready "));
    return process;
}

int bench_measure_calls(struct bench *bench) {
    static const unsigned clients[] = {1, 8, 64};
    json_t *object = bench_section(bench, "cached_key");
    struct world_process *pipe_service;
    char name[64];
    int r = 0;

    pipe_service = start_pipe_service(bench, name, sizeof(name));
    if (!pipe_service)
        return -1;
    for (size_t i = 0; r == 0 && i < ELEMENTS(clients); i++)
        r = measure_clients(bench, object, name, clients[i]);
    return world_stop(pipe_service) == 0 ? r : -1;
}
