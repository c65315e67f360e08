/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One card of the agent: what its worker reports, and the Ks that came from it.
 *
 * Cards know nothing of each other: each has its own worker, BSF, Ks and people who wait, so that a card that is silent
 * or a BSF that is away holds up nobody but those who ask for it.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent-enrol.h"
#include "log.h"
#include "util.h"

bool agent_card_forget(struct agent_card *card) {
    bool there = keystore_forget(card->store);

    if (card->expiry)
        (void)sd_event_source_set_enabled(card->expiry, SD_EVENT_OFF);
    card->ks_iccid[0] = '\0';
    agent_bsf_unplan(card);
    if (there)
        agent_touch(card->agent);
    return there;
}

bool agent_card_has_ks(struct agent_card *card) {
    struct keystore_info info;

    return keystore_get(card->store, &info) == 0;
}

static int agent_card_on_expiry(sd_event_source *source, uint64_t usec, void *userdata) {
    struct agent_card *card = userdata;

    (void)source;
    (void)usec;
    if (agent_card_forget(card))
        log_debug("%s: the Ks has reached the end of its lifetime and was erased",
                  card->conf->name);
    return 0;
}

/* The timer is housekeeping: a dead Ks is not served even when it is late. */
static void agent_card_watch_expiry(struct agent_card *card, uint64_t expires_usec) {
    int r;

    if (!card->expiry) {
        r = sd_event_add_time(card->agent->event, &card->expiry, CLOCK_BOOTTIME, expires_usec,
                              USEC_PER_SEC, agent_card_on_expiry, card);
        if (r < 0)
            log_warning("no timer for the end of the Ks: %s", strerror(-r));
        return;
    }
    (void)sd_event_source_set_time(card->expiry, expires_usec);
    (void)sd_event_source_set_enabled(card->expiry, SD_EVENT_ONESHOT);
}

/*
 * A Ks belongs to its card (TS 33.220 4.4.11). When the card is seen to be away, the Ks goes; when the card
 * cannot be seen (the transport restarts, pcscd is down), the Ks stays and the next look decides.
 */
static bool agent_card_ks_may_stay(struct agent_card *card) {
    struct keystore_info info;

    if (keystore_get(card->store, &info) != 0)
        return true;
    switch (card->state) {
    case KEYSTRAP_CARD_READER_ABSENT:
    case KEYSTRAP_CARD_ABSENT:
    case KEYSTRAP_CARD_MUTE:
        return false;
    case KEYSTRAP_CARD_SERVICE_ABSENT:
        return true;
    case KEYSTRAP_CARD_PRESENT:
        /* Of a card that cannot be used the ICCID may be known all the same. */
        if (card->r != 0)
            return !card->identity.iccid[0] || strcmp(card->ks_iccid, card->identity.iccid) == 0;
        return strcmp(card->ks_iccid, card->identity.iccid) == 0 &&
               strcmp(info.impi, card->impi) == 0;
    }
    return false;
}

/* --- What the worker reports ---------------------------------------------------------------------- */

static bool agent_card_is_other(const struct agent_card *card, const struct worker_report *report) {
    if (report->card != KEYSTRAP_CARD_PRESENT)
        return false;
    return card->state != KEYSTRAP_CARD_PRESENT || card->departures != report->departures ||
           strcmp(card->reader, report->reader) != 0 ||
           strcmp(card->identity.iccid, report->identity.iccid) != 0;
}

/* Somebody waits for a bootstrap from before the card was known. Where it brought one along, that may do. */
static void agent_card_begin_bootstrap(struct agent_card *card) {
    int r;

    if (!card->bootstrap_wanted)
        return;
    card->bootstrap_wanted = false;
    if (agent_card_has_ks(card) && !agent_requests_forced(card)) {
        agent_requests_answer(card, 0, NULL);
        return;
    }
    r = agent_card_want_bootstrap(card);
    if (r < 0)
        agent_requests_answer(card, r, NULL);
}

/* The card has a Ks from before keystrapd was started: it is gone on with, unless a newer one is there. */
static void agent_card_resume(struct agent_card *card, struct worker_report *report) {
    if (!report->resumed || agent_card_has_ks(card))
        return;
    memcpy(card->ks_iccid, card->identity.iccid, sizeof(card->ks_iccid));
    agent_card_watch_expiry(card, report->result.expires_usec);
    agent_bsf_worked(card, report->result.expires_usec);
    keystore_put_take(card->store, &report->result);
    log_message(LOG_INFO, MESSAGE_ID_BOOTSTRAPPED,
                "%s: going on with the bootstrap that the card has noted (GBA_U)",
                card->conf->name);
}

static void agent_card_on_card(struct agent_card *card, struct worker_report *report) {
    bool departed = card->departures != report->departures;

    card->insertions += agent_card_is_other(card, report);
    card->known = true;
    card->departures = report->departures;
    card->r = report->r;
    card->state = report->card;
    card->identity = report->identity;
    memcpy(card->reader, report->reader, sizeof(card->reader));
    memcpy(card->impi, report->impi, sizeof(card->impi));
    memcpy(card->bsf, report->bsf, sizeof(card->bsf));
    card->failure = report->failure;
    card->last_failure = report->failure;

    if ((departed || !agent_card_ks_may_stay(card)) && agent_card_forget(card))
        log_notice("%s: the card of the Ks is gone; the Ks was erased", card->conf->name);
    if (report->r == 0) {
        char impi[16];

        shorten(report->impi, 5, impi, sizeof(impi));
        log_message(LOG_INFO, MESSAGE_ID_CARD, "%s: card ready in \"%s\": %s of %s, BSF %s",
                    card->conf->name, report->reader,
                    uicc_application_name(report->identity.application), impi, report->bsf);
        agent_card_resume(card, report);
    } else {
        log_message(LOG_NOTICE, MESSAGE_ID_CARD, "%s: no usable card: %s", card->conf->name,
                    report->failure.text);
    }
    agent_card_begin_bootstrap(card);
    if (report->r == 0)
        agent_enrol_card_ready(card->agent);
    agent_touch(card->agent);
}

static void agent_card_on_failure(struct agent_card *card, const struct worker_report *report) {
    struct failure failure = report->failure;

    (void)failure_set(&failure, report->r, "the bootstrap failed: %s", outcome_name(report->r));
    card->last_failure = failure;
    log_message(LOG_WARNING, MESSAGE_ID_BOOTSTRAP_FAIL, "%s: bootstrap failed (%s): %s",
                card->conf->name, outcome_name(report->r), failure.text);
    agent_bsf_failed(card, report->r, report->retry_after_usec, &failure);
    agent_requests_answer(card, report->r, &failure);
}

static void agent_card_on_bootstrap(struct agent_card *card, struct worker_report *report) {
    bool expected = report->job == card->bootstrap_job;

    /* Whether it worked or was wanted or not: what the card had is gone. */
    if (report->ks_lost && keystore_is_in_card(card->store))
        (void)agent_card_forget(card);
    /* A job that was cancelled too late is as good as any when it worked, and of no interest when not. */
    if (!expected && report->r != 0)
        return;
    if (expected)
        card->bootstrap_job = 0;
    agent_touch(card->agent);
    if (report->r != 0) {
        agent_card_on_failure(card, report);
        return;
    }

    card->bootstraps++;
    card->last_card_usec = report->result.card_usec;
    card->last_network_usec = report->result.network_usec;
    card->last_total_usec = report->total_usec;
    failure_clear(&card->last_failure);
    memcpy(card->ks_iccid, card->identity.iccid, sizeof(card->ks_iccid));
    agent_card_watch_expiry(card, report->result.expires_usec);
    agent_bsf_worked(card, report->result.expires_usec);
    log_message(LOG_INFO, MESSAGE_ID_BOOTSTRAPPED,
                "%s: bootstrapped with %s (GBA mode %s) in %" PRIu64 " ms%s", card->conf->name,
                card->bsf, gba_mode_name(report->result.mode), report->total_usec / USEC_PER_MSEC,
                report->result.resynchronised ? ", after a resynchronisation" : "");
    keystore_put_take(card->store, &report->result);
    if (card->bootstrap_job != 0) {
        /* Who waited for the next one is served by this one; a second Ks would void it at once. */
        worker_cancel(card->worker, card->bootstrap_job);
        card->bootstrap_job = 0;
    }
    agent_requests_answer(card, 0, NULL);
    agent_enrol_card_ready(card->agent);
}

static void agent_card_on_report(struct worker_report *report, void *userdata) {
    struct agent_card *card = userdata;

    switch (report->kind) {
    case WORKER_CARD:
        agent_card_on_card(card, report);
        return;
    case WORKER_BOOTSTRAP:
        agent_card_on_bootstrap(card, report);
        return;
    case WORKER_PROBE:
        if (report->job == card->probe_job) {
            card->probe_job = 0;
            memcpy(card->nafs, report->nafs, sizeof(card->nafs));
            agent_diagnoses_answer(card, report->r, &report->failure, report->date);
        }
        return;
    case WORKER_DERIVE:
        agent_derive_on_report(card, report);
        return;
    case WORKER_PUSH:
        agent_push_on_report(card, report);
        return;
    case WORKER_SE_OPEN:
    case WORKER_SE_TRANSMIT:
    case WORKER_SE_CLOSE:
        agent_se_on_report(card, report);
        return;
    }
}

/* --- What the worker is asked for ----------------------------------------------------------------- */

int agent_card_want_bootstrap(struct agent_card *card) {
    int64_t job;

    if (card->bootstrap_job != 0)
        return 0;
    card->bootstrap_wanted = !card->known;
    if (!card->known) {
        agent_touch(card->agent);
        return 0;
    }
    job = worker_bootstrap(card->worker);
    if (job < 0)
        return (int)job;
    card->bootstrap_job = (uint64_t)job;
    agent_touch(card->agent);
    return 0;
}

int agent_card_want_probe(struct agent_card *card) {
    int64_t job;

    if (card->probe_job != 0)
        return 0;
    job = worker_probe(card->worker);
    if (job < 0)
        return (int)job;
    card->probe_job = (uint64_t)job;
    return 0;
}

/* Who waited for the worker before waits for this one. */
static void agent_card_queue_again(struct agent_card *card) {
    int r;

    if (card->bootstrap_job != 0 || card->bootstrap_wanted) {
        card->bootstrap_job = 0;
        r = agent_card_want_bootstrap(card);
        if (r < 0)
            agent_requests_answer(card, r, NULL);
    }
    agent_derives_queue_again(card);
    if (card->probe_job != 0) {
        card->probe_job = 0;
        r = agent_card_want_probe(card);
        if (r < 0)
            agent_diagnoses_answer(card, r, NULL, 0);
    }
}

/* --- Its life ------------------------------------------------------------------------------------- */

int agent_card_new(struct agent *agent, struct conf_card *conf, struct agent_card **ret) {
    struct agent_card *card;
    int r;

    card = calloc(1, sizeof(*card));
    if (!card)
        return -ENOMEM;
    r = keystore_new(&card->store);
    if (r < 0) {
        free(card);
        return r;
    }
    card->agent = agent;
    card->conf = conf;
    agent_request_list_init(&card->waiting);
    agent_request_list_init(&card->deriving);
    agent_request_list_init(&card->diagnosing);
    agent_request_list_init(&card->transmitting);
    agent_bsf_init(card);
    *ret = card;
    return 0;
}

struct agent_card *agent_card_free(struct agent_card *card) {
    if (!card)
        return NULL;
    worker_free(card->worker);
    keystore_free(card->store);
    sd_event_source_disable_unref(card->expiry);
    sd_event_source_disable_unref(card->renewal);
    conf_card_free(card->conf);
    free(card);
    return NULL;
}

void agent_card_dismiss(struct agent_card *card, const struct failure *failure) {
    card->bootstrap_job = card->probe_job = 0;
    card->bootstrap_wanted = false;
    agent_requests_answer(card, failure->code, failure);
    agent_derives_answer(card, failure->code, failure);
    agent_diagnoses_answer(card, failure->code, failure, 0);
    agent_se_lose_card(card, failure);
}

int agent_card_worker(struct agent_card *card, const struct conf_card *conf, struct worker **ret) {
    return worker_new(card->agent->event, conf, card->agent->plugin_directory, agent_card_on_report,
                      card, ret);
}

void agent_card_renew_worker(struct agent_card *card, struct worker *worker, struct conf_card *conf,
                             enum conf_change change) {
    struct failure failure = {0};

    (void)failure_set(&failure, SE_E_CLOSED,
                      "the configuration of the card \"%s\" was changed; open the channel again",
                      conf->name);
    agent_se_lose_channels(card, &failure);
    agent_let_go(card->agent, card->worker, card->conf);
    card->worker = worker;
    card->released = false;
    card->conf = conf;
    card->known = false;
    card->departures = 0; /* as the new worker counts */
    if (change == CONF_OTHER_KS) {
        agent_bsf_forget(card);
        (void)agent_card_forget(card);
    }
    agent_card_queue_again(card);
}

void agent_card_release(struct agent_card *card) {
    if (card->worker && !card->released)
        worker_release(card->worker);
    card->released = true;
}
