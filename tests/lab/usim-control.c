/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab usim: the commands of its control socket.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "card-applet.h"
#include "hex.h"
#include "usim.h"

static int run_remove(void *userdata, int argc, char **argv, char *answer, size_t size) {
    (void)argc, (void)argv, (void)answer, (void)size;
    usim_remove(userdata);
    return 0;
}

static int run_insert(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct usim *usim = userdata;
    int r;

    (void)argc, (void)argv;
    if (usim->vpcd.fd >= 0) {
        snprintf(answer, size, "already inserted");
        return 0;
    }
    r = usim_insert(usim);
    if (r < 0)
        snprintf(answer, size, "no reader at %s:%s: %s", usim->options->host, usim->options->port,
                 strerror(-r));
    return r;
}

static int run_fault(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct usim *usim = userdata;

    return faults_parse(&usim->faults, usim->card, argc - 1, argv + 1, answer, size);
}

/* An answer that is held back is let go. */
static int run_clear(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct usim *usim = userdata;

    (void)argc, (void)argv, (void)answer, (void)size;
    faults_clear(&usim->faults, usim->card);
    usim->answer_at = 0;
    return 0;
}

static int run_count(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct usim *usim = userdata;

    (void)argc, (void)argv;
    snprintf(answer, size, "apdus=%u authenticates=%u", card_count_apdus(usim->card),
             card_count_authenticates(usim->card));
    return 0;
}

/*
 * The numbers of the open channels but the basic one, which is always open: empty when nobody
 * leaks one.
 */
static int run_channels(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct usim *usim = userdata;
    size_t length = 0;

    (void)argc, (void)argv;
    for (unsigned i = 1; i <= CARD_CHANNELS_MAX; i++) {
        if (card_channel_is_open(usim->card, i))
            length +=
                (size_t)snprintf(answer + length, size - length, "%s%u", length > 0 ? " " : "", i);
    }
    return 0;
}

static int run_sqn(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct usim *usim = userdata;

    (void)argc, (void)argv;
    snprintf(answer, size, "%012" PRIx64, sqn_highest(&card_memory(usim->card)->sqn));
    return 0;
}

/* Other access rules, none at all with "none"; "empty" for an ARA-M that has no rule. */
static int run_ara(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct usim *usim = userdata;
    uint8_t rules[CARD_ARA_MAX];
    size_t length = 0;

    (void)argc;
    if (strcmp(argv[1], "none") == 0)
        return card_set_ara(usim->card, NULL, 0);
    if (strcmp(argv[1], "empty") != 0 && hex_decode(argv[1], rules, sizeof(rules), &length) != 0) {
        snprintf(answer, size, "\"%.20s\" is neither hexadecimal nor none or empty", argv[1]);
        return -EINVAL;
    }
    return card_set_ara(usim->card, rules, length);
}

static int run_state(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct usim *usim = userdata;
    const char *power = card_channel_is_open(usim->card, 0) ? "powered" : "unpowered";

    (void)argc, (void)argv;
    snprintf(answer, size, "%s %s%s", usim->vpcd.fd >= 0 ? "inserted" : "removed", power,
             usim->answering ? " answering" : "");
    return 0;
}

const struct control_command usim_commands[] = {
    {"remove", "", 0, 0, run_remove},
    {"insert", "", 0, 0, run_insert},
    {"fault", faults_usage, 1, 5, run_fault},
    {"clear", "", 0, 0, run_clear},
    {"count", "", 0, 0, run_count},
    {"channels", "", 0, 0, run_channels},
    {"sqn", "", 0, 0, run_sqn},
    {"state", "", 0, 0, run_state},
    {"ara", "RULES|none|empty", 1, 1, run_ara},
    {0},
};
