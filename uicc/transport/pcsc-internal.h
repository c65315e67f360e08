/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of uicc-pcsc share.
 */

#include <pthread.h>
#include <stdbool.h>
#include <winscard.h>

#include "transport-main.h"

/* --- pcsc-error.c -------------------------------------------------------------------------------- */

/**
 * pcsc_result() - what a failure of libpcsclite means in the protocol, with a text for people
 * @doing: "connect to the card"
 */
void pcsc_result(LONG error, const char *doing, struct transport_result *ret);

/**
 * pcsc_text() - what a failure of libpcsclite is called; static
 */
const char *pcsc_text(LONG error);

/**
 * pcsc_service_lost() - whether the failure says that there is no pcscd, or another than we connected to
 */
bool pcsc_service_lost(LONG error);

/* --- pcsc-watch.c: a thread that knows readers and cards --------------------------------------------- */

struct pcsc_watch {
    char pattern[PLUGIN_TEXT_MAX]; /* shell pattern, never empty */
    int event_fd;
    pthread_mutex_t lock; /* guards what follows */
    bool known;
    struct transport_report report;
    struct transport_report readers[PCSCLITE_MAX_READERS_CONTEXTS]; /* all that match */
    size_t count;
    char wanted[PLUGIN_TEXT_MAX]; /* the reader to prefer, "" for none */
};

/**
 * pcsc_watch_start() - start the thread; it lives as long as the process. 0 or a negative errno.
 */
int pcsc_watch_start(struct pcsc_watch *watch, const char *pattern, int event_fd);

/**
 * pcsc_watch_report() - what is known now; false where nothing is yet
 */
bool pcsc_watch_report(struct pcsc_watch *watch, struct transport_report *ret);

/**
 * pcsc_watch_next() - use the next reader that has a card, in a circle, and go on using it while the card is there
 *
 * Return: false where no other reader has one; nothing has changed then.
 */
bool pcsc_watch_next(struct pcsc_watch *watch);
