/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can go wrong between the card and its reader: the wishes of a test, and when they come true.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "hex.h"

enum {
    DELAY_MAX_MSEC = 600000,
    SILENCE_MAX_SECONDS = 3600,
};

const char faults_usage[] =
    "drop-at WHEN | silent-at WHEN [SECONDS] | status SW at WHEN | answer HEX at WHEN | truncate "
    "OCTETS | "
    "wrong-mac | stale-sqn | delay MSEC; WHEN is N, for the Nth APDU from now, or \"authenticate\"";

void faults_next(struct faults *faults, const uint8_t *command, size_t length,
                 bool ret_happened[FAULT_KINDS]) {
    for (unsigned i = 0; i < FAULT_KINDS; i++) {
        struct fault *fault = &faults->list[i];

        ret_happened[i] = false;
        if (!fault->armed)
            continue;
        if (fault->at_authenticate)
            ret_happened[i] = card_is_authenticate(command, length);
        else
            ret_happened[i] = --fault->countdown == 0;
        if (ret_happened[i])
            fault->armed = false;
    }
}

void faults_clear(struct faults *faults, struct card *card) {
    *faults = (struct faults){0};
    card_believe(card, CARD_BELIEF_NONE);
    card_truncate(card, 0);
}

static int parse_number(const char *text, unsigned min, unsigned max, unsigned *ret_number) {
    char *end;
    unsigned long number;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || number < min || number > max)
        return -EINVAL;
    *ret_number = (unsigned)number;
    return 0;
}

static int parse_when(const char *text, struct fault *fault) {
    fault->armed = true;
    fault->at_authenticate = strcmp(text, "authenticate") == 0;
    if (fault->at_authenticate)
        return 0;
    return parse_number(text, 1, UINT_MAX, &fault->countdown);
}

/* WHEN [SECONDS] */
static int parse_silence(int argc, char **argv, struct fault *fault) {
    unsigned seconds = 0;
    int r;

    r = parse_when(argv[0], fault);
    if (r == 0 && argc == 2)
        r = parse_number(argv[1], 1, SILENCE_MAX_SECONDS, &seconds);
    fault->msec = seconds * 1000;
    return r;
}

/* HEX at WHEN */
static int parse_octets(char **argv, struct fault *fault) {
    if (strcmp(argv[1], "at") != 0 ||
        hex_decode(argv[0], fault->octets, sizeof(fault->octets), &fault->length) != 0)
        return -EINVAL;
    return parse_when(argv[2], fault);
}

static int parse_timed(struct faults *faults, int argc, char **argv) {
    struct fault fault = {0};
    enum fault_kind kind;
    int r;

    if (strcmp(argv[0], "drop-at") == 0 && argc == 2) {
        kind = FAULT_DROP;
        r = parse_when(argv[1], &fault);
    } else if (strcmp(argv[0], "silent-at") == 0 && (argc == 2 || argc == 3)) {
        kind = FAULT_SILENT;
        r = parse_silence(argc - 1, argv + 1, &fault);
    } else if (strcmp(argv[0], "status") == 0 && argc == 4) {
        kind = FAULT_STATUS;
        r = parse_octets(argv + 1, &fault);
        if (fault.length != 2)
            r = -EINVAL;
    } else if (strcmp(argv[0], "answer") == 0 && argc == 4) {
        kind = FAULT_ANSWER;
        r = parse_octets(argv + 1, &fault);
    } else {
        return -EINVAL;
    }
    if (r == 0)
        faults->list[kind] = fault;
    return r;
}

static int parse(struct faults *faults, struct card *card, int argc, char **argv) {
    unsigned number;
    int r;

    if (argc == 1 && strcmp(argv[0], "wrong-mac") == 0) {
        card_believe(card, CARD_BELIEF_WRONG_MAC);
        return 0;
    }
    if (argc == 1 && strcmp(argv[0], "stale-sqn") == 0) {
        card_believe(card, CARD_BELIEF_STALE_SQN);
        return 0;
    }
    if (argc == 2 && strcmp(argv[0], "truncate") == 0) {
        r = parse_number(argv[1], 1, CARD_REPLY_MAX, &number);
        if (r == 0)
            card_truncate(card, number);
        return r;
    }
    if (argc == 2 && strcmp(argv[0], "delay") == 0)
        return parse_number(argv[1], 0, DELAY_MAX_MSEC, &faults->delay_msec);
    return parse_timed(faults, argc, argv);
}

int faults_parse(struct faults *faults, struct card *card, int argc, char **argv, char *answer,
                 size_t size) {
    int r = argc > 0 ? parse(faults, card, argc, argv) : -EINVAL;

    if (r < 0)
        snprintf(answer, size, "usage: fault %s", faults_usage);
    return r;
}
