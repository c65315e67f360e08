/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrapd's side of one transport program: starts it, speaks keystrap/plugin.h with it, kills it when
 * it is silent. Belongs to one thread (a card's worker), which also starts it.
 *
 * struct plugin is a struct transport: what uicc/ does with a card goes through plugin_transport().
 */

#include <stdbool.h>
#include <stdint.h>

#include "keystrap/plugin.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "transport.h"

struct plugin;

/**
 * plugin_started_fn - called whenever the program was started, before a word is exchanged with it, so that another
 * thread may end it whatever it does; @pidfd is borrowed for the call
 */
typedef void (*plugin_started_fn)(int pidfd, void *userdata);

struct plugin_options {
    const char *directory;      /* where the programs are */
    const char *name;           /* "pcsc": the program is DIRECTORY/uicc-pcsc */
    const char *reader_pattern; /* shell pattern, NULL for any */
    const char *device;         /* device path, NULL for none */
    unsigned slot;              /* of the modem, 1 to 255; 0 for the active one */
    uint32_t flags;             /* of enum keystrap_plugin_flag */
    uint64_t apdu_timeout_usec; /* from a request to its answer */
    plugin_started_fn started;  /* NULL for nobody */
    void *userdata;             /* for @started */
};

/* What the program last said of the card. */
struct plugin_state {
    enum keystrap_card_state card;
    char reader[PLUGIN_TEXT_MAX]; /* "" where there is none */
    char text[PLUGIN_TEXT_MAX];   /* a reason for people, or "" */
    uint8_t atr[ATR_MAX];
    size_t atr_length;
    uint64_t generation; /* grows with every STATE: a card that was pulled and put back is another one */
};

/**
 * plugin_new() - an object that has not started its program yet; the strings are copied
 *
 * Return: 0; -EINVAL for a name that is none, a text that is too long, a slot over 255; -ENOMEM.
 */
int plugin_new(const struct plugin_options *options, struct plugin **ret);

/**
 * plugin_free() - say BYE, stop the program, release; NULL is allowed. Returns NULL.
 */
struct plugin *plugin_free(struct plugin *plugin);

/**
 * plugin_start() - start the program, exchange HELLO and wait for its first STATE, unless it runs already
 *
 * Return: 0; UICC_E_TRANSPORT with the reason in @failure (cannot be executed, no HELLO in time, another version).
 */
int plugin_start(struct plugin *plugin, struct failure *failure);

/**
 * plugin_running() - whether the program runs as far as we know
 */
bool plugin_running(const struct plugin *plugin);

/**
 * plugin_fd(), plugin_pidfd() - to poll(2) for POLLIN while no request is under way; -1 when none runs
 */
int plugin_fd(const struct plugin *plugin);
int plugin_pidfd(const struct plugin *plugin);

/**
 * plugin_dispatch() - take in what plugin_fd() has: STATE. Never blocks.
 *
 * Return: 0; UICC_E_TRANSPORT when the program died or talked nonsense; it is stopped then.
 */
int plugin_dispatch(struct plugin *plugin, struct failure *failure);

/**
 * plugin_state() - the last STATE; borrowed until the next call. KEYSTRAP_CARD_SERVICE_ABSENT before the first
 * and after the program has ended. A STATE may also come in while a request waits for its answer: look at the
 * generation after requests, not only after plugin_dispatch().
 */
const struct plugin_state *plugin_state(const struct plugin *plugin);

/**
 * plugin_transport() - the card behind it, borrowed. A request that is not answered in apdu_timeout_usec
 * kills the program and returns UICC_E_SILENT; the next plugin_start() starts another. Channels that a killed
 * program had open are closed by its successor at the first begin(), see CLOSE_CHANNEL in keystrap/plugin.h.
 *
 * What the program can is in the flags once plugin_start() has returned 0. One that passes commands is asked for
 * those, also where it can run AKA itself.
 */
struct transport *plugin_transport(struct plugin *plugin);
