/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: what is asked of the manager over the bus.
 */

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "util.h"

#define AGENT      "org.keystrap.Agent1"
#define PATH       "/org/keystrap/Agent1"
#define MANAGER    "org.keystrap.Agent1.Manager"
#define LOOK_MSEC  2
#define PATIENCE_N (WORLD_WAIT_MSEC / LOOK_MSEC)

static int bus_complain(const char *what, int r, const sd_bus_error *error) {
    bench_say("%s: %s", what, error->message ? error->message : strerror(-r));
    return -1;
}

int bench_wait_card_ready(struct bench *bench) {
    for (unsigned i = 0; i < PATIENCE_N; i++) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *state = NULL;
        int r =
            sd_bus_get_property_string(bench->bus, AGENT, PATH, MANAGER, "State", &error, &state);

        if (r < 0)
            return bus_complain("the State property", r, &error);
        if (strcmp(state, "card-ready") == 0)
            return 0;
        (void)poll(NULL, 0, LOOK_MSEC);
    }
    bench_say("the card was not ready in time");
    return -1;
}

static int read_statistics(sd_bus_message *reply, struct bench_statistics *ret) {
    const char *name;
    uint64_t value;
    int r;

    r = sd_bus_message_enter_container(reply, 'a', "{st}");
    while (r >= 0 && (r = sd_bus_message_read(reply, "{st}", &name, &value)) > 0) {
        if (strcmp(name, "LastTotalUSec") == 0)
            ret->total_usec = value;
        else if (strcmp(name, "LastCardUSec") == 0)
            ret->card_usec = value;
        else if (strcmp(name, "LastNetworkUSec") == 0)
            ret->network_usec = value;
    }
    return r;
}

static int get_statistics(struct bench *bench, struct bench_statistics *ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    int r;

    r = sd_bus_call_method(bench->bus, AGENT, PATH, MANAGER, "GetStatistics", &error, &reply, "");
    if (r >= 0)
        r = read_statistics(reply, ret);
    return r < 0 ? bus_complain("GetStatistics", r, &error) : 0;
}

/* The BSF's counter of the time that it has spent on Ub requests. */
static int bsf_usec(struct bench *bench, uint64_t *ret) {
    char reply[64];

    if (world_ctl(bench->bsf, "usec", reply, sizeof(reply)) < 0 ||
        sscanf(reply, "ok %" SCNu64, ret) != 1) {
        bench_say("the BSF does not tell its time");
        return -1;
    }
    return 0;
}

static double now(void) {
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int bench_bootstrap(struct bench *bench, struct bench_bootstrap *ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    struct bench_statistics statistics = {0};
    uint64_t bsf_before, bsf_after;
    double began, caller;
    int r;

    if (bsf_usec(bench, &bsf_before) < 0)
        return -1;
    began = now();
    r = sd_bus_call_method(bench->bus, AGENT, PATH, MANAGER, "Bootstrap", &error, &reply, "a{sv}",
                           0);
    caller = now() - began;
    if (r < 0)
        return bus_complain("Bootstrap", r, &error);
    if (get_statistics(bench, &statistics) < 0 || bsf_usec(bench, &bsf_after) < 0)
        return -1;
    *ret = (struct bench_bootstrap){
        .caller_usec = caller,
        .total_usec = (double)statistics.total_usec,
        .card_usec = (double)statistics.card_usec,
        .network_usec = (double)statistics.network_usec,
        .bsf_usec = (double)(bsf_after - bsf_before),
    };
    ret->own_usec = ret->total_usec - ret->card_usec - ret->bsf_usec;
    return 0;
}
