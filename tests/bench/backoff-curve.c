/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A fleet that loses its BSF: when do the gateways come back?
 *
 * Every gateway fails at second 0, and asks again when the product's own backoff_fail() says so. The BSF is away for
 * OUTAGE seconds; then it serves CAPACITY gateways a second and sends the rest away with 503 and Retry-After. The same
 * fleet is played with waits that nothing is drawn for (doubling from the same base to the same maximum), so that what
 * the draw is worth can be told as a ratio. One JSON object on stdout, the curves for people on stderr.
 *
 * No clock is in it, so every run says the same, and it may be a test: it fails where the whole fleet is not served, or
 * a peak is more than AWAY_RATIO_MAX or BACK_RATIO_MAX of the one without a draw.
 */

#include <err.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "util.h"

#define GATEWAYS        100000u
#define OUTAGE_SEC      600u
#define CAPACITY        500u /* bootstraps a second */
#define RETRY_AFTER_SEC 30u
#define HORIZON_SEC     7200u
#define CURVE_STEP_SEC  60u
#define CURVE_WIDTH     60u
#define CURVE_SEC       1800u
#define NOBODY          UINT32_MAX
#define AWAY_RATIO_MAX  0.2
#define BACK_RATIO_MAX  0.01

struct gateway {
    struct backoff backoff;
    uint64_t at_usec; /* of its next try */
    uint32_t next;    /* in the same second */
};

struct fleet {
    struct gateway *gateways;
    uint32_t *seconds; /* first gateway of each second */
    uint32_t *arrivals;
    uint64_t random;
    bool drawn; /* else nothing is left to chance */
};

/* What came out of one play. */
struct outcome {
    uint32_t peak_away; /* arrivals in the worst second after the first, while the BSF is away */
    uint32_t peak_back; /* and once it is back */
    uint32_t last_sec;  /* the last gateway was served */
    uint32_t served;
    uint64_t tries;
};

/* splitmix64: the same fleet in every run. */
static uint64_t next_random(struct fleet *fleet) {
    uint64_t z = fleet->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void again(struct fleet *fleet, uint32_t index, uint64_t retry_after_usec) {
    struct gateway *gateway = &fleet->gateways[index];
    uint64_t random = fleet->drawn ? next_random(fleet) : UINT64_MAX;
    uint64_t second;

    gateway->at_usec += backoff_fail(&gateway->backoff, retry_after_usec, random);
    second = gateway->at_usec / USEC_PER_SEC;
    if (second >= HORIZON_SEC)
        return;
    gateway->next = fleet->seconds[second];
    fleet->seconds[second] = index;
}

static void play(struct fleet *fleet, struct outcome *ret) {
    struct outcome outcome = {0};

    for (uint32_t index = 0; index < GATEWAYS; index++)
        again(fleet, index, 0);
    for (uint32_t second = 0; second < HORIZON_SEC; second++) {
        uint32_t served = 0;

        /* Who is sent away may come back within this second, so the list is taken head by head. */
        while (fleet->seconds[second] != NOBODY) {
            uint32_t index = fleet->seconds[second];

            fleet->seconds[second] = fleet->gateways[index].next;
            fleet->arrivals[second]++;
            if (second >= OUTAGE_SEC && served < CAPACITY) {
                served++;
                outcome.last_sec = second;
            } else {
                again(fleet, index, second >= OUTAGE_SEC ? RETRY_AFTER_SEC * USEC_PER_SEC : 0);
            }
        }
        outcome.served += served;
        outcome.tries += fleet->arrivals[second];
        if (second < OUTAGE_SEC && fleet->arrivals[second] > outcome.peak_away)
            outcome.peak_away = fleet->arrivals[second];
        if (second >= OUTAGE_SEC && fleet->arrivals[second] > outcome.peak_back)
            outcome.peak_back = fleet->arrivals[second];
    }
    *ret = outcome;
}

/* The worst second of each minute, on one scale for all fleets. */
static void print_curve(const char *name, const struct fleet *fleet) {
    (void)fprintf(stderr, "\n%s: worst second of each minute, the BSF is back at %u s\n", name,
                  OUTAGE_SEC);
    for (uint32_t begin = 0; begin < CURVE_SEC; begin += CURVE_STEP_SEC) {
        uint32_t worst = 0;
        char bar[CURVE_WIDTH + 1];
        size_t width;

        for (uint32_t second = begin; second < begin + CURVE_STEP_SEC; second++)
            worst = fleet->arrivals[second] > worst ? fleet->arrivals[second] : worst;
        width = (size_t)((uint64_t)worst * CURVE_WIDTH / GATEWAYS);
        memset(bar, '#', width);
        bar[width] = '\0';
        (void)fprintf(stderr, "%5u s %7u/s %s\n", begin, worst, bar);
    }
}

static void fleet_init(struct fleet *fleet, bool drawn) {
    *fleet = (struct fleet){.random = 1, .drawn = drawn};
    fleet->gateways = calloc(GATEWAYS, sizeof(*fleet->gateways));
    fleet->seconds = malloc(HORIZON_SEC * sizeof(*fleet->seconds));
    fleet->arrivals = calloc(HORIZON_SEC, sizeof(*fleet->arrivals));
    if (!fleet->gateways || !fleet->seconds || !fleet->arrivals)
        errx(EXIT_FAILURE, "out of memory");
    memset(fleet->seconds, 0xff, HORIZON_SEC * sizeof(*fleet->seconds));
}

static void fleet_done(struct fleet *fleet) {
    free(fleet->gateways);
    free(fleet->seconds);
    free(fleet->arrivals);
}

static json_t *outcome_json(const struct outcome *outcome) {
    return json_pack("{s:i s:i s:i s:i s:f}", "peak_per_second_away", (int)outcome->peak_away,
                     "peak_per_second_back", (int)outcome->peak_back, "served",
                     (int)outcome->served, "last_served_sec", (int)outcome->last_sec,
                     "tries_per_gateway", (double)outcome->tries / GATEWAYS);
}

int main(void) {
    struct fleet drawn, plain;
    struct outcome with, without;
    double away, back;
    json_t *result;

    fleet_init(&drawn, true);
    fleet_init(&plain, false);
    play(&drawn, &with);
    play(&plain, &without);
    print_curve("as keystrapd waits", &drawn);
    print_curve("the same without a draw", &plain);
    away = (double)with.peak_away / without.peak_away;
    back = (double)with.peak_back / without.peak_back;
    result = json_pack("{s:i s:i s:i s:o s:o s:f s:f}", "gateways", (int)GATEWAYS, "outage_sec",
                       (int)OUTAGE_SEC, "capacity_per_second", (int)CAPACITY, "drawn",
                       outcome_json(&with), "undrawn", outcome_json(&without), "peak_ratio_away",
                       away, "peak_ratio_back", back);
    if (!result || json_dumpf(result, stdout, JSON_INDENT(2)) < 0)
        errx(EXIT_FAILURE, "out of memory");
    (void)putchar('\n');
    json_decref(result);
    fleet_done(&drawn);
    fleet_done(&plain);
    if (with.served != GATEWAYS || away > AWAY_RATIO_MAX || back > BACK_RATIO_MAX)
        errx(EXIT_FAILURE, "the fleet comes back together, or not at all");
    return EXIT_SUCCESS;
}
