/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the card's worker does with its card: everything that waits, as straight-line code. The thread and its
 * queues are worker.c's; nothing here knows of them.
 */

#include "card-gba.h"
#include "card-se.h"
#include "conf.h"
#include "http.h"
#include "outcome.h"
#include "plugin-host.h"
#include "ub.h"
#include "uicc.h"
#include "worker.h"

/* One transport program, the card behind it, and the way to the BSF. */
struct card_job {
    const struct conf_card *conf; /* borrowed */
    struct plugin *plugin;
    struct http_client *http;
    struct uicc *uicc;       /* NULL while no card is known to be there */
    bool open;               /* uicc_open() worked */
    bool unmatched;          /* cards are there, and none is the one that is meant */
    uint64_t generation;     /* of the plug-in's state that uicc belongs to */
    uint64_t departures;     /* cards that the running transport saw go, change or be refreshed */
    struct card_se se;       /* callers' channels; none without uicc */
    struct card_gba gba;
    enum gba_mode mode;      /* of the bootstrap under way */
    bool ks_lost;            /* the card has replaced its Ks in it, or may have */
    bool fresh;              /* opened, and nobody has looked for a bootstrap in it */
    int cancel_fd;           /* borrowed; readable when the job shall end */
    char impi[IMPI_MAX + 1]; /* "" until the card was read */
    char bsf[FQDN_MAX + 1];
};

/**
 * card_job_init() - start nothing yet
 * @started: told of every transport program that is started; @userdata is for it
 */
int card_job_init(struct card_job *job, const struct conf_card *conf, const char *plugin_directory,
                  int cancel_fd, plugin_started_fn started, void *userdata);
void card_job_done(struct card_job *job);

/**
 * card_job_read() - take in what the transport says, and read the card where there is one that was not read
 *
 * Return: 0 when a USIM is ready for a bootstrap; enum uicc_outcome for why not.
 */
int card_job_read(struct card_job *job, struct failure *failure);

/**
 * card_job_notice() - take in what the transport says, and forget the card that is not there any more; reads nothing
 *
 * Return: 0 when the card that was there before still is; UICC_E_CARD_ABSENT.
 */
int card_job_notice(struct card_job *job);

/**
 * card_job_bootstrap() - read the card where needed, then ub_bootstrap(); a card that was pulled or
 * changed meanwhile makes the result void (UICC_E_CARD_ABSENT)
 */
int card_job_bootstrap(struct card_job *job, struct ub_result *ret, uint64_t *ret_retry_after_usec,
                       struct failure *failure);

/**
 * card_job_fail_changed() - say that a bootstrap is void because its card is not there any more
 *
 * Return: UICC_E_CARD_ABSENT.
 */
int card_job_fail_changed(struct failure *failure);

/**
 * card_job_probe() - read the card where needed, then ub_probe(). Configured names make it work without a card.
 */
int card_job_probe(struct card_job *job, int64_t *ret_date, struct failure *failure);

/**
 * card_job_is_transient() - whether reading the card again later may end differently without anybody
 * touching card or configuration
 */
bool card_job_is_transient(const struct card_job *job, int outcome);
