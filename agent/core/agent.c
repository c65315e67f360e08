/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent: keystrapd's one root object.
 *
 * It puts together what the worker reports of the card, what the key store holds and what the rules say. The
 * requests of the bus are in requests.c, the diagnosis in diagnose.c.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent-internal.h"
#include "log.h"
#include "util.h"

static int agent_on_notify(sd_event_source *source, void *userdata) {
    struct agent *agent = userdata;

    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (agent->changed)
        agent->changed(agent->changed_userdata);
    return 0;
}

void agent_touch(struct agent *agent) {
    (void)sd_event_source_set_enabled(agent->notify, SD_EVENT_ONESHOT);
}

bool agent_forget_ks(struct agent *agent) {
    bool there = keystore_forget(agent->store);

    if (agent->expiry)
        (void)sd_event_source_set_enabled(agent->expiry, SD_EVENT_OFF);
    agent->ks_iccid[0] = '\0';
    if (there)
        agent_touch(agent);
    return there;
}

static int agent_on_expiry(sd_event_source *source, uint64_t usec, void *userdata) {
    struct agent *agent = userdata;

    (void)source;
    (void)usec;
    if (agent_forget_ks(agent))
        log_debug("the Ks has reached the end of its lifetime and was erased");
    return 0;
}

/* The timer is housekeeping: a dead Ks is not served even when it is late. */
static void agent_watch_expiry(struct agent *agent, uint64_t expires_usec) {
    int r;

    if (!agent->expiry) {
        r = sd_event_add_time(agent->event, &agent->expiry, CLOCK_BOOTTIME, expires_usec,
                              USEC_PER_SEC, agent_on_expiry, agent);
        if (r < 0)
            log_warning("no timer for the end of the Ks: %s", strerror(-r));
        return;
    }
    (void)sd_event_source_set_time(agent->expiry, expires_usec);
    (void)sd_event_source_set_enabled(agent->expiry, SD_EVENT_ONESHOT);
}

/*
 * A Ks belongs to its card (TS 33.220 4.4.11). When the card is seen to be away, the Ks goes; when the card
 * cannot be seen (the transport restarts, pcscd is down), the Ks stays and the next look decides.
 */
static bool agent_ks_may_stay(struct agent *agent) {
    struct keystore_info info;

    if (keystore_get(agent->store, &info) != 0)
        return true;
    switch (agent->card) {
    case KEYSTRAP_CARD_READER_ABSENT:
    case KEYSTRAP_CARD_ABSENT:
    case KEYSTRAP_CARD_MUTE:
        return false;
    case KEYSTRAP_CARD_SERVICE_ABSENT:
        return true;
    case KEYSTRAP_CARD_PRESENT:
        /* Of a card that cannot be used the ICCID may be known all the same. */
        if (agent->card_r != 0)
            return !agent->identity.iccid[0] || strcmp(agent->ks_iccid, agent->identity.iccid) == 0;
        return strcmp(agent->ks_iccid, agent->identity.iccid) == 0 &&
               strcmp(info.impi, agent->impi) == 0;
    }
    return false;
}

static void agent_on_card(struct agent *agent, const struct worker_report *report) {
    agent->card_known = true;
    agent->card_r = report->r;
    agent->card = report->card;
    agent->identity = report->identity;
    memcpy(agent->reader, report->reader, sizeof(agent->reader));
    memcpy(agent->impi, report->impi, sizeof(agent->impi));
    memcpy(agent->bsf, report->bsf, sizeof(agent->bsf));
    agent->card_failure = report->failure;
    agent->last_failure = report->failure;

    if (!agent_ks_may_stay(agent) && agent_forget_ks(agent))
        log_notice("the card of the Ks is gone; the Ks was erased");
    if (report->r == 0) {
        char impi[16];

        shorten(report->impi, 5, impi, sizeof(impi));
        log_message(LOG_INFO, MESSAGE_ID_CARD, "card ready in \"%s\": USIM of %s, BSF %s",
                    report->reader, impi, report->bsf);
    } else {
        log_message(LOG_NOTICE, MESSAGE_ID_CARD, "no usable card: %s", report->failure.text);
    }
    agent_touch(agent);
}

static void agent_on_bootstrap(struct agent *agent, struct worker_report *report) {
    bool expected = report->job == agent->bootstrap_job;
    struct failure failure = report->failure;

    /* A job that was cancelled too late is as good as any when it worked, and of no interest when not. */
    if (!expected && report->r != 0)
        return;
    if (expected)
        agent->bootstrap_job = 0;
    agent_touch(agent);

    if (report->r != 0) {
        if (report->retry_after_usec > 0)
            agent->not_before_usec = deadline_after(report->retry_after_usec);
        (void)failure_set(&failure, report->r, "the bootstrap failed: %s", outcome_name(report->r));
        agent->last_failure = failure;
        log_message(LOG_WARNING, MESSAGE_ID_BOOTSTRAP_FAIL, "bootstrap failed (%s): %s",
                    outcome_name(report->r), failure.text);
        agent_requests_answer(agent, report->r, &failure);
        return;
    }

    agent->bootstraps++;
    agent->not_before_usec = 0;
    agent->last_card_usec = report->result.card_usec;
    agent->last_network_usec = report->result.network_usec;
    agent->last_total_usec = report->total_usec;
    failure_clear(&agent->last_failure);
    memcpy(agent->ks_iccid, agent->identity.iccid, sizeof(agent->ks_iccid));
    agent_watch_expiry(agent, report->result.expires_usec);
    log_message(LOG_INFO, MESSAGE_ID_BOOTSTRAPPED, "bootstrapped with %s in %" PRIu64 " ms%s",
                agent->bsf, report->total_usec / USEC_PER_MSEC,
                report->result.resynchronised ? ", after a resynchronisation" : "");
    keystore_put_take(agent->store, &report->result);
    if (agent->bootstrap_job != 0) {
        /* Who waited for the next one is served by this one; a second Ks would void it at once. */
        worker_cancel(agent->worker, agent->bootstrap_job);
        agent->bootstrap_job = 0;
    }
    agent_requests_answer(agent, 0, NULL);
}

static void agent_on_report(struct worker_report *report, void *userdata) {
    struct agent *agent = userdata;

    switch (report->kind) {
    case WORKER_CARD:
        agent_on_card(agent, report);
        return;
    case WORKER_BOOTSTRAP:
        agent_on_bootstrap(agent, report);
        return;
    case WORKER_PROBE:
        if (report->job == agent->probe_job) {
            agent->probe_job = 0;
            agent_diagnoses_answer(agent, report->r, &report->failure, report->date);
        }
        return;
    }
}

int agent_want_bootstrap(struct agent *agent) {
    int64_t job;

    if (agent->bootstrap_job != 0)
        return 0;
    job = worker_bootstrap(agent->worker);
    if (job < 0)
        return (int)job;
    agent->bootstrap_job = (uint64_t)job;
    agent_touch(agent);
    return 0;
}

static int agent_load(struct agent *agent, struct conf **ret_conf, struct access **ret_access,
                      struct failure *failure) {
    _cleanup_conf_ struct conf *conf = NULL;
    _cleanup_free_ char *rules = NULL;
    int r;

    if (asprintf(&rules, "%s/access.d", agent->config_directory) < 0) {
        rules = NULL;
        return -ENOMEM;
    }
    r = conf_load(agent->config_directory, &conf, failure);
    if (r != 0)
        return r;
    r = access_load(rules, ret_access, failure);
    if (r != 0)
        return r;
    *ret_conf = TAKE_PTR(conf);
    return 0;
}

int agent_new(sd_event *event, const struct agent_options *options, struct agent **ret,
              struct failure *failure) {
    struct agent *agent;
    int r;

    agent = calloc(1, sizeof(*agent));
    if (!agent)
        return -ENOMEM;
    agent->event = sd_event_ref(event);
    agent_request_list_init(&agent->waiting);
    agent_request_list_init(&agent->diagnosing);
    agent->config_directory = strdup(options->config_directory);
    agent->plugin_directory = strdup(options->plugin_directory);
    if (!agent->config_directory || !agent->plugin_directory)
        r = -ENOMEM;
    else
        r = agent_load(agent, &agent->conf, &agent->access, failure);
    if (r == 0)
        r = keystore_new(&agent->store);
    if (r == 0)
        r = sd_event_add_defer(event, &agent->notify, agent_on_notify, agent);
    if (r >= 0)
        r = sd_event_source_set_enabled(agent->notify, SD_EVENT_OFF);
    if (r < 0) {
        (void)agent_free(agent);
        return r;
    }
    log_set_max_level(agent->conf->log_level);
    *ret = agent;
    return 0;
}

struct agent *agent_free(struct agent *agent) {
    struct failure failure = {0};

    if (!agent)
        return NULL;
    agent->worker = worker_free(agent->worker);
    (void)failure_set(&failure, UB_E_CANCELLED, "keystrapd is going down");
    agent_requests_answer(agent, UB_E_CANCELLED, &failure);
    agent_diagnoses_answer(agent, UB_E_CANCELLED, &failure, 0);
    agent->store = keystore_free(agent->store);
    agent->access = access_free(agent->access);
    agent->conf = conf_free(agent->conf);
    sd_event_source_disable_unref(agent->expiry);
    sd_event_source_disable_unref(agent->notify);
    sd_event_unref(agent->event);
    free(agent->config_directory);
    free(agent->plugin_directory);
    free(agent);
    return NULL;
}

int agent_start(struct agent *agent, struct failure *failure) {
    int r;

    r = worker_new(agent->event, agent->conf, agent->plugin_directory, agent_on_report, agent,
                   &agent->worker);
    if (r < 0)
        return failure_set(failure, r, "cannot start the card's worker: %s", strerror(-r));
    worker_release(agent->worker);
    return 0;
}

/* Whether two configurations differ in what the worker uses: everything but [Agent]. */
static bool agent_conf_same_card(const struct conf *a, const struct conf *b) {
    const struct conf *confs[] = {a, b};
    char *texts[2] = {0};
    bool same;

    for (size_t i = 0; i < ELEMENTS(confs); i++) {
        size_t length = 0;
        FILE *stream = open_memstream(&texts[i], &length);

        if (stream) {
            conf_print(confs[i], stream);
            (void)fclose(stream);
        }
    }
    same = texts[0] && texts[1] && strstr(texts[0], "[UICC]") && strstr(texts[1], "[UICC]") &&
           strcmp(strstr(texts[0], "[UICC]"), strstr(texts[1], "[UICC]")) == 0;
    free(texts[0]);
    free(texts[1]);
    return same;
}

/* Who waited for the worker before waits for this one. */
static void agent_queue_again(struct agent *agent) {
    int r;

    if (agent->bootstrap_job != 0) {
        agent->bootstrap_job = 0;
        r = agent_want_bootstrap(agent);
        if (r < 0)
            agent_requests_answer(agent, r, NULL);
    }
    if (agent->probe_job != 0) {
        agent->probe_job = 0;
        r = agent_want_probe(agent);
        if (r < 0)
            agent_diagnoses_answer(agent, r, NULL, 0);
    }
}

/* Another card, another BSF or other names: begin again. */
static int agent_restart_worker(struct agent *agent, const struct conf *conf,
                                struct failure *failure) {
    struct worker *worker = NULL;
    int r;

    r = worker_new(agent->event, conf, agent->plugin_directory, agent_on_report, agent, &worker);
    if (r < 0)
        return failure_set(failure, r, "cannot start another worker: %s", strerror(-r));
    /* The one before gives its channel back first: some cards have no other. */
    agent->worker = worker_free(agent->worker);
    agent->worker = worker;
    worker_release(worker);
    agent->card_known = false;
    agent->not_before_usec = 0; /* what another BSF asked for */
    (void)agent_forget_ks(agent);
    agent_queue_again(agent);
    return 0;
}

int agent_reload(struct agent *agent, struct failure *failure) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct access *access = NULL;
    struct conf *before;
    int r;

    r = agent_load(agent, &conf, &access, failure);
    if (r == 0 && agent->worker && !agent_conf_same_card(agent->conf, conf)) {
        r = agent_restart_worker(agent, conf, failure);
    } else if (r == 0 && agent->worker) {
        /* The worker goes on with the old one, which says the same but for [Agent], and that is not its. */
        agent->conf->log_level = conf->log_level;
        conf = conf_free(conf);
    }
    if (r != 0) {
        access_free(access);
        return r;
    }

    access_free(agent->access);
    agent->access = access;
    if (conf) {
        before = agent->conf;
        agent->conf = TAKE_PTR(conf);
        conf_free(before);
    }
    log_set_max_level(agent->conf->log_level);
    agent_touch(agent);
    return 0;
}

void agent_on_changed(struct agent *agent, agent_changed_fn changed, void *userdata) {
    agent->changed = changed;
    agent->changed_userdata = userdata;
}

static enum agent_state agent_state(const struct agent *agent, bool has_ks) {
    if (agent->bootstrap_job != 0)
        return AGENT_BOOTSTRAPPING;
    if (has_ks)
        return AGENT_BOOTSTRAPPED;
    if (!agent->card_known)
        return AGENT_STARTING;
    switch (agent->card) {
    case KEYSTRAP_CARD_SERVICE_ABSENT:
        return agent->card_r == UICC_E_SERVICE_ABSENT ? AGENT_NO_SERVICE : AGENT_CARD_UNUSABLE;
    case KEYSTRAP_CARD_READER_ABSENT:
        return AGENT_NO_READER;
    case KEYSTRAP_CARD_ABSENT:
        return AGENT_NO_CARD;
    case KEYSTRAP_CARD_MUTE:
        return AGENT_CARD_UNUSABLE;
    case KEYSTRAP_CARD_PRESENT:
        return agent->card_r == 0 ? AGENT_CARD_READY : AGENT_CARD_UNUSABLE;
    }
    return AGENT_CARD_UNUSABLE;
}

void agent_get_status(struct agent *agent, struct agent_status *ret) {
    struct keystore_info info = {.btid = "", .expires_usec = 0};
    bool has_ks = keystore_get(agent->store, &info) == 0;

    *ret = (struct agent_status){
        .state = agent_state(agent, has_ks),
        .transport = agent->conf->transport,
        .reader = agent->reader,
        .pin = agent->identity.pin,
        .pin_tries = agent->card_known ? agent->identity.pin_tries : -1,
        .service_gba = uicc_service(&agent->identity, 68),
        .bsf = agent->bsf,
        .btid = info.btid,
        .expires_utc_usec = info.expires_utc_usec,
        .expires_usec = info.expires_usec,
        .bootstraps = agent->bootstraps,
        .last_card_usec = agent->last_card_usec,
        .last_network_usec = agent->last_network_usec,
        .last_total_usec = agent->last_total_usec,
        .last_failure = &agent->last_failure,
    };
    shorten(agent->identity.iccid, 6, ret->iccid, sizeof(ret->iccid));
    shorten(agent->impi, 5, ret->impi, sizeof(ret->impi));
}

const char *agent_state_name(enum agent_state state) {
    switch (state) {
    case AGENT_STARTING:
        return "starting";
    case AGENT_NO_SERVICE:
        return "no-service";
    case AGENT_NO_READER:
        return "no-reader";
    case AGENT_NO_CARD:
        return "no-card";
    case AGENT_CARD_UNUSABLE:
        return "card-unusable";
    case AGENT_CARD_READY:
        return "card-ready";
    case AGENT_BOOTSTRAPPING:
        return "bootstrapping";
    case AGENT_BOOTSTRAPPED:
        return "bootstrapped";
    }
    return "unknown";
}
