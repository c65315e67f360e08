/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the card's worker does with its card: read it, bootstrap with it, ask the BSF whether it is there.
 *
 * A card is the one that was there when it was read. Whenever the transport says that the state changed, what was
 * known of the card is forgotten and read anew, and a bootstrap that was under way counts for nothing.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card-choice.h"
#include "card-job.h"
#include "log.h"
#include "util.h"

int card_job_init(struct card_job *job, const struct conf_card *conf, const char *plugin_directory,
                  int cancel_fd, plugin_started_fn started, void *userdata) {
    _cleanup_free_ char *program = NULL;
    struct plugin_options options = {
        .directory = plugin_directory,
        .name = conf->transport,
        .reader_pattern = conf->reader,
        .device = conf->device,
        .slot = (unsigned)conf->slot,
        .flags = (conf->proxy ? 0 : (uint32_t)KEYSTRAP_FLAG_DIRECT) |
                 (conf->access == CONF_ACCESS_AUTHENTICATE ? (uint32_t)KEYSTRAP_FLAG_AKA : 0),
        .apdu_timeout_usec = conf->apdu_timeout_usec,
        .started = started,
        .userdata = userdata,
    };
    int r;

    *job = (struct card_job){.conf = conf, .cancel_fd = cancel_fd};
    card_gba_init(job);
    if (asprintf(&program, "%s/keystrap-http", plugin_directory) < 0) {
        program = NULL;
        return -ENOMEM;
    }
    r = http_client_new(program, &job->http);
    if (r == 0)
        r = plugin_new(&options, &job->plugin);
    if (r != 0)
        card_job_done(job);
    return r;
}

static void card_job_forget_card(struct card_job *job, bool gone) {
    if (job->uicc && gone)
        uicc_forget(job->uicc);
    card_se_drop(job);
    job->uicc = uicc_free(job->uicc);
    job->open = false;
    job->impi[0] = job->bsf[0] = '\0';
}

void card_job_done(struct card_job *job) {
    card_job_forget_card(job, !job->plugin || !plugin_running(job->plugin));
    job->plugin = plugin_free(job->plugin);
    job->http = http_client_free(job->http);
    card_gba_done(job);
}

/* No card to read: say why, in the words of whoever has to mend it. */
static int card_state_outcome(const struct plugin_state *state, const struct conf_card *conf,
                              struct failure *failure) {
    const char *why = state->text[0] ? state->text : "no reason given";

    /* A transport that knows the remedy has it after a semicolon. */
    if (strstr(state->text, "; "))
        return failure_set(failure,
                           state->card == KEYSTRAP_CARD_SERVICE_ABSENT  ? UICC_E_SERVICE_ABSENT
                           : state->card == KEYSTRAP_CARD_READER_ABSENT ? UICC_E_READER_ABSENT
                                                                        : UICC_E_CARD_ABSENT,
                           "transport %s: %s", conf->transport, state->text);
    switch (state->card) {
    case KEYSTRAP_CARD_SERVICE_ABSENT:
        return failure_set(failure, UICC_E_SERVICE_ABSENT,
                           "the %s service does not answer (%s); is it installed and running?",
                           conf->transport, why);
    case KEYSTRAP_CARD_READER_ABSENT:
        return failure_set(failure, UICC_E_READER_ABSENT,
                           "no card reader%s%s; connect one, or look at Reader= in keystrap.conf",
                           conf->reader ? " matches " : " is connected",
                           conf->reader ? conf->reader : "");
    case KEYSTRAP_CARD_ABSENT:
        return failure_set(failure, UICC_E_CARD_ABSENT,
                           "no card in the reader \"%s\"; insert the SIM", state->reader);
    case KEYSTRAP_CARD_MUTE:
        return failure_set(
            failure, UICC_E_SILENT,
            "the card in \"%s\" does not answer to reset; is it the right way round?",
            state->reader);
    case KEYSTRAP_CARD_PRESENT:
        return 0;
    }
    return failure_set(failure, UICC_E_TRANSPORT, "the transport %s reports an unknown card state",
                       conf->transport);
}

/* Have a transport program, and know what it last said. */
static int card_job_transport(struct card_job *job, struct failure *failure) {
    int r;

    /* A program that was ended saw nothing of its card any more: whether that stayed, its identity will tell. */
    if (!plugin_running(job->plugin))
        card_job_forget_card(job, true);
    r = plugin_start(job->plugin, failure);
    if (r != 0)
        return r;
    return plugin_dispatch(job->plugin, failure);
}

/*
 * Forget the card where the transport has said something since it was read. It went away, if only for a moment, or was
 * refreshed (TS 102 223): the same ICCID afterwards does not make it the same session.
 */
static void card_job_notice_departure(struct card_job *job) {
    if (!job->uicc || plugin_state(job->plugin)->generation == job->generation)
        return;
    job->departures++;
    card_job_forget_card(job, true);
}

/* Read the card that is in use. 0, or why that is not possible; a state in which there is none, too. */
static int card_job_open(struct card_job *job, struct failure *failure) {
    const struct plugin_state *state = plugin_state(job->plugin);
    int r;

    card_job_notice_departure(job);
    r = card_state_outcome(state, job->conf, failure);
    if (r != 0 || job->open)
        return r;
    if (!job->uicc) {
        r = uicc_new(plugin_transport(job->plugin), &job->uicc);
        if (r != 0)
            return failure_set(failure, r, "out of memory");
        card_gba_configure(job);
        job->generation = state->generation;
        http_client_warm(job->http); /* it starts while the card is being read */
    }
    return uicc_open(job->uicc, failure);
}

/*
 * Leave the card, which is not the one that is meant, and have the next in use. Its channel is given back first: what
 * comes after this does not reach it any more.
 */
static int card_job_leave(struct card_job *job, struct card_choice *choice, int r,
                          struct failure *failure) {
    const struct uicc_identity identity = *uicc_identity(job->uicc);
    char reader[PLUGIN_TEXT_MAX];

    memcpy(reader, plugin_state(job->plugin)->reader, sizeof(reader));
    card_job_forget_card(job, false);
    r = card_choice_leave(choice, job->conf, plugin_transport(job->plugin), reader, r, &identity,
                          failure);
    if (r == 0 && strcmp(plugin_state(job->plugin)->reader, choice->first) == 0)
        r = card_choice_none(choice, job->conf, failure); /* round the circle */
    job->unmatched = r == UICC_E_CARD_ABSENT;
    return r;
}

/* Read one card after the other until it is the one that is meant. */
static int card_job_find(struct card_job *job, struct failure *failure) {
    struct card_choice choice = {0};
    int r;

    job->unmatched = false;
    for (;;) {
        r = card_job_open(job, failure);
        if (job->open || !job->uicc || plugin_state(job->plugin)->card != KEYSTRAP_CARD_PRESENT ||
            card_choice_matches(job->conf, uicc_identity(job->uicc)))
            return r;
        r = card_job_leave(job, &choice, r, failure);
        if (r != 0)
            return r;
    }
}

int card_job_read(struct card_job *job, struct failure *failure) {
    int r;

    if (card_gba_without_card(job))
        return card_gba_names(job, failure);
    r = card_job_transport(job, failure);
    if (r != 0) {
        card_job_forget_card(job, true);
        return r;
    }
    r = card_job_find(job, failure);
    if (r != 0 || job->open)
        return r;
    r = card_gba_names(job, failure);
    if (r != 0)
        return r;
    job->open = true;
    job->fresh = true;
    return 0;
}

int card_job_notice(struct card_job *job) {
    if (!job->uicc)
        return UICC_E_CARD_ABSENT;
    if (plugin_running(job->plugin) && plugin_dispatch(job->plugin, NULL) == 0)
        card_job_notice_departure(job);
    else
        card_job_forget_card(job, true);
    return job->uicc ? 0 : UICC_E_CARD_ABSENT;
}

bool card_job_is_transient(const struct card_job *job, int outcome) {
    if (card_gba_without_card(job))
        return false;
    /* A program that was ended tells nothing any more: it has to be started again. */
    if (outcome < 0 || !plugin_running(job->plugin))
        return true;
    /* It tells of the card that is in use, and of no others: the one that is meant may come to another reader. */
    if (job->unmatched)
        return plugin_transport(job->plugin)->flags & TRANSPORT_SEVERAL;
    if (plugin_state(job->plugin)->card != KEYSTRAP_CARD_PRESENT)
        return false; /* the transport tells when that changes */
    switch (outcome) {
    case UICC_E_NO_APPLICATION:
    case UICC_E_PIN_REQUIRED:
    case UICC_E_PIN_BLOCKED:
    case UICC_E_IDENTITY:
        return false;
    default:
        return outcome != 0;
    }
}

int card_job_fail_changed(struct failure *failure) {
    return failure_set(failure, UICC_E_CARD_ABSENT,
                       "the card was pulled or changed during the bootstrap; its keys were thrown "
                       "away, ask again");
}

int card_job_bootstrap(struct card_job *job, struct ub_result *ret, uint64_t *ret_retry_after_usec,
                       struct failure *failure) {
    _cleanup_ub_result_ struct ub_result result = {0};
    int r;

    r = card_job_read(job, failure);
    if (r != 0)
        return r;
    job->fresh = job->ks_lost = false;
    r = card_gba_bootstrap(job, &result, ret_retry_after_usec, failure);
    if (r != 0)
        return r;

    /* The transport may have told of a removal while the BSF was being asked. */
    if (!card_gba_without_card(job)) {
        r = plugin_dispatch(job->plugin, failure);
        if (r != 0)
            return r;
        if (plugin_state(job->plugin)->generation != job->generation)
            return card_job_fail_changed(failure);
    }
    *ret = result;
    result.ks = NULL;
    return 0;
}

int card_job_probe(struct card_job *job, int64_t *ret_date, struct failure *failure) {
    struct failure card_failure = {0};
    int r;

    r = card_job_read(job, &card_failure);
    if ((!job->impi[0] && !job->conf->impi) || (!job->bsf[0] && !job->conf->bsf)) {
        /* Without a card there is nobody to ask for. */
        if (r == 0)
            r = UICC_E_IDENTITY;
        return failure_set(failure, r, "%s", card_failure.text);
    }
    return card_gba_probe(job, ret_date, failure);
}
