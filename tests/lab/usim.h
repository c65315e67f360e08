/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrap-lab usim, for its own files: usim.c (command line), usim-run.c (the loop),
 * usim-control.c (the control commands).
 */

#include <stdint.h>
#include <stdio.h>

#include "card.h"
#include "control.h"
#include "faults.h"
#include "vpcd.h"

struct usim_options {
    const char *subscribers;
    const char *subscriber;
    const char *control;
    const char *state;
    char host[256];
    char port[16];
    unsigned wait_seconds;
    bool verbose;
    struct card_options card;
};

struct usim {
    const struct usim_options *options;
    struct card *card;
    struct card_memory saved; /* as in the state file */
    struct vpcd vpcd;
    struct control *control;
    struct faults faults;
    bool wanted;       /* in the reader; otherwise pulled */
    bool was_inserted; /* at least once */
    int64_t retry_at;  /* when to try to connect again */

    bool answering; /* an answer waits for its time */
    int64_t answer_at;
    uint8_t answer[CARD_REPLY_MAX];
    size_t answer_length;
};

/* Milliseconds of a clock that never jumps. */
int64_t usim_now_msec(void);

/* Puts the card into the reader: 0, or what vpcd_connect() returned. */
int usim_insert(struct usim *usim);

/* Pulls it out, in whatever it is doing. */
void usim_remove(struct usim *usim);

extern const struct control_command usim_commands[];

/*
 * Runs the card of OPTIONS until SIGTERM or SIGINT; returns the exit code. What went wrong is on
 * stderr.
 */
int usim_run(const struct usim_options *options, const struct lab_subscriber *subscriber);

/* One line of what passed the reader, without PIN, keys, or anything that could be one. */
void usim_trace_command(FILE *stream, const uint8_t *octets, size_t length);
void usim_trace_answer(FILE *stream, const uint8_t *command, size_t command_length,
                       const uint8_t *octets, size_t length);
