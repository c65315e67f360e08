/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's modems: the commands of their control socket.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modem.h"

enum { RESET_MSEC = 300, RESET_MSEC_MAX = 600000 };

static void tell(struct modem *modem, bool refresh) {
    if (modem->options->protocol->tell)
        modem->options->protocol->tell(modem, refresh);
}

static int run_remove(void *userdata, int argc, char **argv, char *answer, size_t size) {
    (void)argc, (void)argv, (void)answer, (void)size;
    modem_card_out(userdata);
    return 0;
}

static int run_insert(void *userdata, int argc, char **argv, char *answer, size_t size) {
    (void)argc, (void)argv, (void)answer, (void)size;
    modem_card_in(userdata);
    tell(userdata, false);
    return 0;
}

/* The operator changed something on the card, and the card is reset for it. */
static int run_refresh(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct modem *modem = userdata;

    (void)argc, (void)argv, (void)answer, (void)size;
    card_reset(modem->card);
    modem_card_in(modem);
    tell(modem, true);
    return 0;
}

/* Now, or in the middle of the next AUTHENTICATE. */
static int run_reset(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct modem *modem = userdata;
    char *end = NULL;
    unsigned long msec = argc > 1 ? strtoul(argv[1], &end, 10) : RESET_MSEC;

    if ((argc > 1 && (*end != '\0' || msec > RESET_MSEC_MAX)) ||
        (argc > 2 && strcmp(argv[2], "authenticate") != 0)) {
        snprintf(answer, size, "a number of milliseconds, and \"authenticate\" or nothing");
        return -EINVAL;
    }
    if (argc > 2)
        modem->reset_msec = (int)msec;
    else
        modem_reset(modem, (unsigned)msec);
    return 0;
}

static int run_slot(void *userdata, int argc, char **argv, char *answer, size_t size) {
    (void)argc;
    if (modem_switch_slot(userdata, (unsigned)strtoul(argv[1], NULL, 10)))
        return 0;
    snprintf(answer, size, "there is no such slot; --second makes one");
    return -EINVAL;
}

static int run_refuse(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct modem *modem = userdata;
    char *end;
    unsigned long code = strtoul(argv[2], &end, 0);

    (void)argc;
    for (unsigned i = 0; *end == '\0' && code > 0 && i < MODEM_OPERATIONS; i++)
        if (strcmp(argv[1], modem_operation_names[i]) == 0) {
            modem->refusals[i] = (uint32_t)code;
            return 0;
        }
    snprintf(answer, size,
             "open, close, apdu, authenticate, read, status or pin, and a code over 0");
    return -EINVAL;
}

static int run_fault(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct modem *modem = userdata;

    return faults_parse(&modem->faults, modem->card, argc - 1, argv + 1, answer, size);
}

static int run_clear(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct modem *modem = userdata;

    (void)argc, (void)argv, (void)answer, (void)size;
    faults_clear(&modem->faults, modem->card);
    memset(modem->refusals, 0, sizeof(modem->refusals));
    modem->reset_msec = MODEM_NEVER;
    modem->quirks = modem->options->quirks;
    modem->held.at = 0;
    return 0;
}

static int run_quirk(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct modem *modem = userdata;

    (void)argc;
    modem->quirks |= modem_quirk(argv[1]);
    if (modem_quirk(argv[1]) != 0)
        return 0;
    snprintf(answer, size, "\"%s\" is none of its quirks", argv[1]);
    return -EINVAL;
}

static int run_count(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct modem *modem = userdata;

    (void)argc, (void)argv;
    snprintf(answer, size, "apdus=%u authenticates=%u opened=%u closed=%u",
             card_count_apdus(modem->card), card_count_authenticates(modem->card), modem->opened,
             modem->closed);
    return 0;
}

/* What somebody holds: channels beside the basic one, and client identifiers. Nothing of it when nobody leaks. */
static int run_held(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct modem *modem = userdata;
    unsigned cids = 0;

    (void)argc, (void)argv;
    for (unsigned i = 1; i <= MODEM_CIDS_MAX; i++)
        cids += modem->cids[i] != 0;
    snprintf(answer, size, "channels=%u cids=%u", modem_channels(modem), cids);
    return 0;
}

static int run_sqn(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct modem *modem = userdata;

    (void)argc, (void)argv;
    snprintf(answer, size, "%012" PRIx64, sqn_highest(&card_memory(modem->card)->sqn));
    return 0;
}

const struct control_command modem_commands[] = {
    {"remove", "", 0, 0, run_remove},
    {"insert", "", 0, 0, run_insert},
    {"refresh", "", 0, 0, run_refresh},
    {"reset", "[MSEC [authenticate]]", 0, 2, run_reset},
    {"slot", "1|2", 1, 1, run_slot},
    {"refuse", "open|close|apdu|authenticate|read|status|pin CODE", 2, 2, run_refuse},
    {"fault", faults_usage, 1, 5, run_fault},
    {"quirk", "no-space|bare-channel|lower-case|csim-basic|plain-error|junk|split, of an at-modem",
     1, 1, run_quirk},
    {"clear", "", 0, 0, run_clear},
    {"count", "", 0, 0, run_count},
    {"held", "", 0, 0, run_held},
    {"sqn", "", 0, 0, run_sqn},
    {0},
};
