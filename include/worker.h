/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The card's worker: the thread that owns one transport program, the card behind it and the HTTP helper.
 *
 * The main thread hands it jobs by value and gets reports back through the event loop; nothing is shared. What
 * runs in the thread is straight-line code with a deadline on every step.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "apdu.h"
#include "ara.h"
#include "conf.h"
#include "outcome.h"
#include "plugin-host.h"
#include "ub.h"
#include "uicc.h"

struct worker;

enum worker_report_kind {
    WORKER_CARD,      /* the card's state or identity changed */
    WORKER_BOOTSTRAP, /* a bootstrap ended */
    WORKER_PROBE,     /* ub_probe() ended */
    WORKER_DERIVE,    /* the card derived a key of its Ks, or not */
    WORKER_PUSH,      /* the card answered a GBA Push Info, or not */
    WORKER_SE_OPEN,   /* a caller's channel to an application was opened, or not */
    WORKER_SE_TRANSMIT,
    WORKER_SE_CLOSE,
};

/* A job for a caller's channel to an application, and what came of it. */
struct worker_se {
    uint32_t channel; /* the number that the main thread knows it by */
    /* WORKER_SE_OPEN */
    uint8_t aid[AID_MAX];
    size_t aid_length;
    struct device_app_hash hashes[ACCESS_HASHES_MAX]; /* who the caller is to the card's rules */
    size_t hashes_count;
    struct ara_decision decision; /* of those rules */
    /* WORKER_SE_TRANSMIT */
    struct secret *command; /* it may be a PIN */
    /* both: with its status word behind the data, which length counts */
    struct apdu_answer answer;
};

/* A key that the card is to derive (GBA_U), and then the key. */
struct worker_derive {
    char naf_fqdn[NAF_FQDN_MAX + 1];
    uint8_t ua_protocol[UA_PROTOCOL_LENGTH];
    char impi[IMPI_MAX + 1];
    char iccid[ICCID_MAX + 1]; /* of the card that has the Ks */
    struct secret *key;        /* Ks_ext_NAF */
};

/* A GBA Push Info (TS 33.223), and then its key. */
struct worker_push {
    struct gpi gpi;
    uint8_t data[GPI_MAX]; /* what gpi was read from */
    size_t length;
    struct secret *key;    /* Ks_NAF or Ks_ext_NAF, proved by the MAC */
};

/**
 * worker_push_free() - erase the key, release; NULL is allowed, returns NULL
 */
struct worker_push *worker_push_free(struct worker_push *push);

/**
 * worker_derive_free() - erase the key, release; NULL is allowed, returns NULL
 */
struct worker_derive *worker_derive_free(struct worker_derive *derive);

/**
 * worker_se_free() - erase command and answer, release; NULL is allowed, returns NULL
 */
struct worker_se *worker_se_free(struct worker_se *se);

/* What the worker tells the main thread. */
struct worker_report {
    enum worker_report_kind kind;
    uint64_t job;              /* number of the job that this answers; 0 for WORKER_CARD */
    int r;                     /* outcome of the job, or of reading the card */
    struct failure failure;
    /* WORKER_CARD */
    enum keystrap_card_state card;
    char reader[PLUGIN_TEXT_MAX];
    uint64_t departures;           /* cards that this worker saw go, change or be refreshed, if only for a moment */
    struct uicc_identity identity; /* whatever could be read */
    /* resolved names, with WORKER_CARD and r == 0 */
    char impi[IMPI_MAX + 1];
    char bsf[FQDN_MAX + 1];
    bool resumed;              /* WORKER_CARD: result is a bootstrap that the card tells of; it owns nothing then */
    /* WORKER_BOOTSTRAP */
    struct ub_result result;   /* r == 0: may be taken with keystore_put_take() */
    bool ks_lost;              /* r != 0: the card has replaced its Ks (GBA_U), or may have */
    uint64_t total_usec;
    uint64_t retry_after_usec;
    /* WORKER_PROBE */
    int64_t date;
    char nafs[FAILURE_TEXT_MAX]; /* in EF_GBANL, for people; "" where the card does not tell */
    struct worker_derive *derive; /* WORKER_DERIVE */
    struct worker_push *push;     /* WORKER_PUSH */
    struct worker_se *se; /* WORKER_SE_* */
    struct worker_report *next; /* in the worker's queue */
};

typedef void (*worker_report_fn)(struct worker_report *report, void *userdata);

/**
 * worker_new() - start the thread; it touches nothing until worker_release(), and jobs wait
 * @conf: of its card; borrowed; it stays as it is until worker_free()
 * @plugin_directory: where uicc-NAME and keystrap-http are; borrowed as well
 * @report: called from @event for every report; the report is released after it returns
 *
 * Return: 0; negative errno.
 */
int worker_new(sd_event *event, const struct conf_card *conf, const char *plugin_directory,
               worker_report_fn report, void *userdata, struct worker **ret);

/**
 * worker_release() - let it work: once another worker has left the card, for one
 */
void worker_release(struct worker *worker);

/**
 * worker_ended_fn - a worker has left card and BSF; worker_free() now waits for nothing
 */
typedef void (*worker_ended_fn)(struct worker *worker, void *userdata);

/**
 * worker_stop() - begin to end it: what it does is cancelled, and no report comes any more
 * @ended: called from the event loop, once, unless worker_free() comes before; it calls worker_free()
 *
 * Waits for nothing. A card that is silent has a second to let the worker leave it in good order; then its transport
 * program is killed.
 *
 * Return: 0; negative errno: nothing was begun, and worker_free() is left to do it.
 */
int worker_stop(struct worker *worker, worker_ended_fn ended, void *userdata);

/**
 * worker_free() - cancel the job under way, end the thread and its programs; NULL is allowed, returns NULL.
 *
 * Waits for the thread, which is not long: its transport program is killed first, so even a card that is
 * silent keeps nobody waiting.
 */
struct worker *worker_free(struct worker *worker);

/**
 * worker_bootstrap(), worker_probe() - queue a job. Returns its number, from 1; negative errno.
 */
int64_t worker_bootstrap(struct worker *worker);
int64_t worker_probe(struct worker *worker);

/**
 * worker_derive() - queue a derivation in the card. @derive is taken over where this returns a number.
 */
int64_t worker_derive(struct worker *worker, struct worker_derive *derive);

/**
 * worker_push() - have the card answer a GBA Push Info. @push is taken over where this returns a number.
 */
int64_t worker_push(struct worker *worker, struct worker_push *push);

/**
 * worker_se() - queue a job for a channel: @kind is one of WORKER_SE_*. @se is taken over where this returns a number.
 *
 * Bootstraps and probes overtake these.
 */
int64_t worker_se(struct worker *worker, enum worker_report_kind kind, struct worker_se *se);

/**
 * worker_cancel() - end a job, under way or queued; its report comes with UB_E_CANCELLED unless it was
 * done already
 */
void worker_cancel(struct worker *worker, uint64_t job);
