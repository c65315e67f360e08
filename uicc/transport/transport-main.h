/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What every transport program does alike: the packets on descriptor 3, the sandbox, the end.
 *
 * A program brings a table of functions for its kind of device and calls transport_main(). All functions
 * are called by the main thread, one after the other. What the device's own threads learn they hand over
 * through report().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap/plugin.h"
#include "keystrap-limits.h"

/* What the operator passed in HELLO; "" where nothing. */
struct transport_options {
    char reader_pattern[PLUGIN_TEXT_MAX];
    char device[PLUGIN_TEXT_MAX];
};

/* What STATE tells. */
struct transport_report {
    enum keystrap_card_state card;
    uint64_t insertions; /* changes with every card, so that another one in the same place is a change; not sent */
    char reader[PLUGIN_TEXT_MAX];
    char text[PLUGIN_TEXT_MAX];
    uint8_t atr[ATR_MAX];
    size_t atr_length;
};

/* An answer; @text may stay "". */
struct transport_result {
    enum keystrap_plugin_result code;
    char text[PLUGIN_TEXT_MAX];
};

struct transport_device {
    const char *name; /* "pcsc" */
    uint32_t capabilities;

    /* Set up, inside the sandbox. @event_fd is an eventfd to write to when report() would tell something new. 0
     * or a negative errno, which ends the program. */
    int (*start)(const struct transport_options *options, int event_fd, void **ret_context);
    /* The state of the card as it is known now; false where nothing is known yet. */
    bool (*report)(void *context, struct transport_report *ret);
    void (*begin)(void *context, struct transport_result *ret);
    void (*end)(void *context, struct transport_result *ret);
    /* @command of 4 to APDU_COMMAND_MAX octets; at least 2 octets to @ret_response where the result is OK. */
    void (*transmit)(void *context, const uint8_t *command, size_t command_length,
                     uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                     struct transport_result *ret);
    void (*reset)(void *context, struct transport_result *ret);
    /* Leave the card as it is. The process ends right after. */
    void (*stop)(void *context);
};

/**
 * transport_main() - be a transport program
 *
 * Return: the exit status: EXIT_SUCCESS after BYE or when keystrapd closed the socket; EXIT_FAILURE with a line
 * in the log otherwise. The caller passes it to _exit(): threads of the device may still wait.
 */
int transport_main(const struct transport_device *device);

/**
 * transport_result_set() - note a result with a reason for people
 */
void transport_result_set(struct transport_result *result, enum keystrap_plugin_result code,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));
