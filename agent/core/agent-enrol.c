/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An enrolment: one profile with what is kept of it, its timer and its end.
 */

#include <errno.h>
#include <string.h>

#include "agent-enrol.h"
#include "credential.h"
#include "log.h"
#include "util.h"

#define TIMER_ACCURACY_USEC (100 * USEC_PER_MSEC)

/* --- The timer -------------------------------------------------------------------------------------- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    struct agent_enrolment *enrolment = userdata;
    uint64_t now = now_usec();

    (void)usec;
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (enrolment->current >= 0 && !agent_enrolment_alive(enrolment)) {
        log_notice("%s: the enrolment has ended; Ke was erased", enrolment->profile->name);
        enrol_kept_done(&enrolment->kept);
        enrolment->current = -1;
        agent_touch(enrolment->agent);
    }
    if (now >= enrolment->certificate_usec)
        agent_enrolment_renew_certificate(enrolment);
    if (now >= enrolment->renew_usec) {
        enrolment->renew_usec = USEC_INFINITY;
        if (enrolment->current >= 0 && agent_enrolment_method(enrolment) != ENROL_GBA)
            agent_enrolment_begin(enrolment, true);
    }
    if (now >= enrolment->retry_usec) {
        enrolment->retry_usec = USEC_INFINITY;
        if (enrolment->current >= 0)
            agent_enrolment_upgrade(enrolment);
        else
            agent_enrolment_begin(enrolment, false);
    }
    agent_enrolment_plan(enrolment);
    return 0;
}

void agent_enrolment_plan(struct agent_enrolment *enrolment) {
    const uint64_t times[] = {enrolment->retry_usec, enrolment->renew_usec,
                              enrolment->certificate_usec,
                              enrolment->kept.ke ? enrolment->kept.expires_usec : USEC_INFINITY};
    uint64_t first = USEC_INFINITY;
    int r;

    for (size_t i = 0; i < ELEMENTS(times); i++)
        if (times[i] < first)
            first = times[i];
    if (!enrolment->timer) {
        r = sd_event_add_time(enrolment->agent->event, &enrolment->timer, CLOCK_BOOTTIME, first,
                              TIMER_ACCURACY_USEC, on_timer, enrolment);
        if (r < 0)
            log_warning("no timer for the enrolment: %s", strerror(-r));
    } else {
        (void)sd_event_source_set_time(enrolment->timer, first);
    }
    (void)sd_event_source_set_enabled(enrolment->timer,
                                      first == USEC_INFINITY ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

void agent_enrol_card_ready(struct agent *agent) {
    for (size_t i = 0; i < agent->enrolments_count; i++) {
        struct agent_enrolment *enrolment = agent->enrolments[i];

        /* Another card may be able to what the one before never could. */
        for (size_t j = 0; j < enrolment->profile->methods_count; j++)
            if (enrolment->profile->methods[j] == ENROL_GBA &&
                enrolment->attempts[j].verdict == AGENT_ENROL_NEVER)
                enrolment->attempts[j].verdict = AGENT_ENROL_NOT_NOW;
        if (enrolment->current > 0) {
            agent_enrolment_upgrade(enrolment);
            agent_enrolment_plan(enrolment);
        }
    }
}

/* --- What is kept ----------------------------------------------------------------------------------- */

static int find_method(const struct enrol_profile *profile, enum enrol_method method) {
    for (size_t i = 0; i < profile->methods_count; i++)
        if (profile->methods[i] == method)
            return (int)i;
    return -1;
}

static void load_kept(struct agent_enrolment *enrolment) {
    struct record_store *records = enrolment->agent->records;
    struct failure failure = {0};
    int r;

    r = enrol_kept_get(records, enrolment->profile, &enrolment->kept, &failure);
    if (r == 0) {
        enrolment->current = find_method(enrolment->profile, enrolment->kept.method);
        if (enrolment->current >= 0)
            enrolment->attempts[enrolment->current].verdict = AGENT_ENROL_WORKED;
        if (enrolment->current > 0)
            enrolment->retry_usec = deadline_after(BACKOFF_BASE_USEC);
    } else if (r != RECORD_E_NONE) {
        enrolment->last_failure = failure;
        log_message(LOG_ERR, MESSAGE_ID_ENROL_FAIL, "%s: the enrolment cannot be read: %s",
                    enrolment->profile->name, failure.text);
    }
    failure_clear(&failure);
    r = enrol_certificate_get(records, enrolment->profile, &enrolment->certificate, &failure);
    if (r != 0 && r != RECORD_E_NONE)
        log_message(LOG_ERR, MESSAGE_ID_ENROL_FAIL, "%s: the certificate cannot be read: %s",
                    enrolment->profile->name, failure.text);
}

/* The token that may still be presented: one that was spent is not looked at, wherever it still stands. */
static int load_token(struct agent_enrolment *enrolment, struct secret *token) {
    _cleanup_secret_ struct secret *owned = token;
    struct enrol_token_mark mark = {0};
    struct failure failure = {0};
    uint8_t digest[32];
    int r;

    if (!owned && enrolment->profile->token) {
        r = enrol_credential_read(enrolment->profile->token, TOKEN_MIN, TOKEN_MAX, &owned,
                                  &failure);
        if (r != 0 && enrolment->mark.state != ENROL_TOKEN_SPENT)
            log_warning("%s: no enrolment token: %s", enrolment->profile->name, failure.text);
    }
    if (!owned)
        return 0;
    r = enrol_token_digest(owned, digest);
    if (r < 0)
        return r;
    failure_clear(&failure);
    r = enrol_token_get(enrolment->agent->records, enrolment->profile->name, &mark, &failure);
    if (r != 0 && r != RECORD_E_NONE) {
        log_error("%s: the enrolment token is not used, for nobody knows whether it was before: %s",
                  enrolment->profile->name, failure.text);
        return 0;
    }
    enrolment->mark = mark;
    if (r == 0 && memcmp(mark.digest, digest, sizeof(digest)) == 0) {
        if (mark.state == ENROL_TOKEN_SPENT)
            return 0;
    } else {
        enrolment->mark.state = ENROL_TOKEN_PENDING;
        memcpy(enrolment->mark.digest, digest, sizeof(digest));
    }
    enrolment->token = TAKE_PTR(owned);
    return 0;
}

void agent_enrolment_token_again(struct agent_enrolment *enrolment) {
    if (!enrolment->profile->token)
        return;
    enrolment->token = secret_free(enrolment->token);
    if (load_token(enrolment, NULL) < 0)
        log_error("%s: no memory for the enrolment token", enrolment->profile->name);
}

/* --- Its life --------------------------------------------------------------------------------------- */

int agent_enrolment_new(struct agent *agent, struct enrol_profile *profile, struct secret *token,
                        struct agent_enrolment **ret) {
    struct agent_enrolment *enrolment;

    enrolment = calloc(1, sizeof(*enrolment));
    if (!enrolment)
        return -ENOMEM;
    enrolment->agent = agent;
    enrolment->profile = profile;
    enrolment->current = enrolment->trying = -1;
    enrolment->retry_usec = USEC_INFINITY;
    agent_request_list_init(&enrolment->waiting);
    load_kept(enrolment);
    if (load_token(enrolment, token) < 0)
        log_error("%s: no memory for the enrolment token", profile->name);
    agent_enrolment_plan_kept(enrolment);
    agent_enrolment_plan_certificate(enrolment);
    agent_enrolment_plan(enrolment);
    *ret = enrolment;
    return 0;
}

void agent_enrolment_dismiss(struct agent_enrolment *enrolment, const struct failure *failure) {
    enrolment->ks = agent_request_cancel(enrolment->ks);
    enrolment->run = enrol_run_free(enrolment->run);
    enrolment->trying = enrolment->current = -1;
    agent_enrolment_answer(enrolment, failure->code, failure);
}

struct agent_enrolment *agent_enrolment_free(struct agent_enrolment *enrolment) {
    if (!enrolment)
        return NULL;
    (void)agent_request_cancel(enrolment->ks);
    enrol_run_free(enrolment->run);
    sd_event_source_disable_unref(enrolment->timer);
    enrol_kept_done(&enrolment->kept);
    enrol_certificate_done(&enrolment->certificate);
    secret_free(enrolment->token);
    enrol_profile_free(enrolment->profile);
    free(enrolment);
    return NULL;
}
