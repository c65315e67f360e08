/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: floors and goals.
 *
 * A floor is what must hold on any machine of today, a goal what we work for. They are told, and are no test's
 * verdict: a test that fails because its machine is busy teaches people not to look.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "util.h"

#define NONE ((double)NAN)

static const struct target {
    const char *path;
    bool at_least; /* else at most */
    double floor, goal;
} targets[] = {
    {"cached_key.clients_1.ping_ratio", true, 0.7, 0.9},
    {"cached_key.clients_8.ping_ratio", true, 0.7, 0.9},
    {"cached_key.clients_64.ping_ratio", true, 0.7, 0.9},
    {"bootstrap.agent_own_usec_p50", false, 5000, 2000},
    {"memory.idle_rss_kib", false, 8192, NONE},
    {"memory.idle_anonymous_kib", false, NONE, 1024},
    {"memory.keys_10000_rss_kib", false, 12288, NONE},
    {"start.to_ready_usec_p50", false, 50000, 20000},
    /* For judging the first three: what Ping's rate becomes by a descriptor alone, and what of that we reach. */
    {"cached_key.clients_1.bare_pipe_ping_ratio", true, NONE, NONE},
    {"cached_key.clients_8.bare_pipe_ping_ratio", true, NONE, NONE},
    {"cached_key.clients_64.bare_pipe_ping_ratio", true, NONE, NONE},
    {"cached_key.clients_1.bare_pipe_ratio", true, NONE, NONE},
    {"cached_key.clients_8.bare_pipe_ratio", true, NONE, NONE},
    {"cached_key.clients_64.bare_pipe_ratio", true, NONE, NONE},
};

static const json_t *find(const json_t *object, const char *path) {
    char name[64];

    while (object && *path) {
        size_t length = strcspn(path, ".");

        (void)snprintf(name, sizeof(name), "%.*s", (int)length, path);
        object = json_object_get(object, name);
        path += length + (path[length] ? 1 : 0);
    }
    return object;
}

static void say(const char *word, bool at_least, double value, double limit) {
    bool met = at_least ? value >= limit : value <= limit;

    if (!isnan(limit))
        (void)fprintf(stderr, "  %s %g %s", word, limit, met ? "met   " : "MISSED");
    else
        (void)fprintf(stderr, "  %-18s", "");
}

void bench_verdict(const json_t *result) {
    for (size_t i = 0; i < ELEMENTS(targets); i++) {
        const struct target *target = &targets[i];
        const json_t *value = find(result, target->path);

        if (!json_is_number(value)) {
            (void)fprintf(stderr, "%-42s was not measured\n", target->path);
            continue;
        }
        (void)fprintf(stderr, "%-42s %10.3f ", target->path, json_number_value(value));
        say("floor", target->at_least, json_number_value(value), target->floor);
        say("goal", target->at_least, json_number_value(value), target->goal);
        (void)fputc('\n', stderr);
    }
}
