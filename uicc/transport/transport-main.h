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

/* What keystrapd said in HELLO; "" or 0 where nothing. */
struct transport_options {
    char reader_pattern[PLUGIN_TEXT_MAX];
    char device[PLUGIN_TEXT_MAX];
    uint8_t slot;
    uint32_t flags;         /* enum keystrap_plugin_flag */
    uint64_t timeout_usec;  /* keystrapd's patience with one request; USEC_INFINITY where it does not say */
    uint8_t token[PLUGIN_TOKEN_MAX]; /* of a program that was killed a moment ago */
    size_t token_length;
};

/* What STATE tells. */
struct transport_report {
    enum keystrap_card_state card;
    uint64_t insertions; /* changes with every card, so that another one in the same place is a change; not sent */
    char reader[PLUGIN_TEXT_MAX];
    char text[PLUGIN_TEXT_MAX];
    uint8_t atr[ATR_MAX];
    size_t atr_length;
    uint8_t token[PLUGIN_TOKEN_MAX]; /* what a successor needs to know if this program is killed */
    size_t token_length;
};

/* An answer; @text may stay "". */
struct transport_result {
    enum keystrap_plugin_result code;
    char text[PLUGIN_TEXT_MAX];
};

/* The answer to IDENTITY, as struct transport_identity of include/transport.h. */
struct transport_card {
    char iccid[ICCID_MAX + 1];
    char imsi[IMSI_MAX + 1];
    char impi[IMPI_MAX + 1];
    uint8_t ef_ad[4];
    size_t ef_ad_length;
    uint8_t services[SERVICE_TABLE_MAX];
    size_t services_length;
    uint8_t aid[AID_MAX];
    size_t aid_length;
};

struct transport_device {
    const char *name; /* "pcsc" */
    uint32_t capabilities;
    uint32_t aka_capabilities; /* with FLAG_AKA; 0 where that makes no difference */
    /* Whether the sandbox must let it open device nodes; NULL for never, and then it is entered before HELLO. */
    bool (*opens_devices)(const struct transport_options *options);

    /* Set up, inside the sandbox. @event_fd is an eventfd to write to when report() would tell something new. 0
     * or a negative errno, which ends the program. */
    int (*start)(const struct transport_options *options, int event_fd, void **ret_context);
    /* The state of the card as it is known now; false where nothing is known yet. */
    bool (*report)(void *context, struct transport_report *ret);
    void (*begin)(void *context, struct transport_result *ret);
    void (*end)(void *context, struct transport_result *ret);
    /* @command of 4 to APDU_COMMAND_MAX octets; at least 2 octets to @ret_response where the result is OK. @channel is
     * the one in the class octet. */
    void (*transmit)(void *context, uint8_t channel, const uint8_t *command, size_t command_length,
                     uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                     struct transport_result *ret);
    void (*reset)(void *context, struct transport_result *ret);

    /* What follows may be missing, with the capability. */

    /* @aid of 1 to AID_MAX octets; the channel and the answer to SELECT where the result is OK. */
    void (*open_channel)(void *context, const uint8_t *aid, size_t aid_length,
                         uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                         size_t *ret_length, struct transport_result *ret);
    /* @channel of 1 to UICC_CHANNEL_MAX. With an AID the channel was opened by a program that was killed, and is to
     * be closed only where an application that begins with @aid is selected on it. */
    void (*close_channel)(void *context, uint8_t channel, const uint8_t *aid, size_t aid_length,
                          struct transport_result *ret);
    void (*identity)(void *context, struct transport_card *ret_card, struct transport_result *ret);
    /* @data of 1 to 255 octets. */
    void (*authenticate)(void *context, const uint8_t *aid, size_t aid_length, uint8_t p2,
                         const uint8_t *data, size_t data_length,
                         uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                         struct transport_result *ret);
    /* report() tells of the new card, where the result is OK, when this returns. */
    void (*next)(void *context, struct transport_result *ret);

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
