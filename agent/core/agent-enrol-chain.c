/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The chain of a profile's methods: which is under way, what became of it, what comes next.
 *
 * One method at a time, the best first. What works stays until it ends, while the better ones are tried again by
 * themselves. An enrolment with a MEF that was done once is kept, even while GBA has taken over: it serves when GBA
 * fails, and is not done again before its time.
 */

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "agent-enrol.h"
#include "log.h"
#include "util.h"

static void try_method(struct agent_enrolment *enrolment, int method);
static void on_tried(struct agent_enrolment *enrolment, int r, const struct failure *failure);

static uint64_t random_bits(void) {
    uint64_t bits = 0;

    (void)getrandom(&bits, sizeof(bits), 0);
    return bits;
}

static bool kept_is_alive(const struct agent_enrolment *enrolment) {
    return enrolment->kept.ke && now_usec() < enrolment->kept.expires_usec;
}

enum enrol_method agent_enrolment_method(const struct agent_enrolment *enrolment) {
    return enrolment->profile->methods[enrolment->current];
}

bool agent_enrolment_alive(const struct agent_enrolment *enrolment) {
    if (enrolment->current < 0)
        return false;
    return agent_enrolment_method(enrolment) == ENROL_GBA || kept_is_alive(enrolment);
}

/* --- When ------------------------------------------------------------------------------------------ */

void agent_enrolment_plan_kept(struct agent_enrolment *enrolment) {
    uint64_t now = now_usec(), delay = USEC_INFINITY;

    if (kept_is_alive(enrolment))
        delay = renewal_delay(enrolment->kept.expires_usec - now, random_bits());
    enrolment->renew_usec = delay == USEC_INFINITY ? USEC_INFINITY : now + delay;
}

void agent_enrolment_plan_certificate(struct agent_enrolment *enrolment) {
    int64_t now = (int64_t)(now_realtime_usec() / USEC_PER_SEC), left;
    uint64_t delay = USEC_INFINITY;

    left = enrolment->certificate.certificate ? enrolment->certificate.not_after - now : 0;
    if (left > 0)
        delay = renewal_delay((uint64_t)left * USEC_PER_SEC, random_bits());
    enrolment->certificate_usec = delay == USEC_INFINITY ? USEC_INFINITY : now_usec() + delay;
}

/* Whether trying again by itself can help: for something better, or for anything at all. */
static void plan_retry(struct agent_enrolment *enrolment, uint64_t retry_after_usec) {
    int last =
        enrolment->current >= 0 ? enrolment->current : (int)enrolment->profile->methods_count;

    if (enrol_chain_better(enrolment->attempts, 0, last) >= 0)
        enrolment->retry_usec =
            deadline_after(backoff_fail(&enrolment->backoff, retry_after_usec, random_bits()));
    else
        enrolment->retry_usec = USEC_INFINITY;
}

/* --- What became of a method ------------------------------------------------------------------------ */

static const char *method_name(const struct agent_enrolment *enrolment, int method) {
    return enrol_method_name(enrolment->profile->methods[method]);
}

static void end_chain(struct agent_enrolment *enrolment) {
    enrolment->trying = -1;
    enrolment->upgrading = false;
    enrolment->renewing = false;
}

static void chain_worked(struct agent_enrolment *enrolment) {
    int method = enrolment->trying;
    bool other = method != enrolment->current;

    end_chain(enrolment);
    enrolment->current = method;
    failure_clear(&enrolment->last_failure);
    if (method == 0)
        backoff_clear(&enrolment->backoff);
    if (other)
        log_message(LOG_INFO, MESSAGE_ID_ENROLLED, "%s: keys for %s come by %s",
                    enrolment->profile->name, enrolment->profile->target,
                    method_name(enrolment, method));
    plan_retry(enrolment, 0);
    agent_enrolment_plan(enrolment);
    agent_enrolment_answer(enrolment, 0, NULL);
}

static void chain_failed(struct agent_enrolment *enrolment) {
    struct failure failure;

    enrol_chain_explain(enrolment->profile, enrolment->attempts, &failure);
    end_chain(enrolment);
    if (!agent_enrolment_alive(enrolment))
        enrolment->current = -1;
    enrolment->last_failure = failure;
    log_message(LOG_WARNING, MESSAGE_ID_ENROL_FAIL, "%s: not enrolled for %s: %s",
                enrolment->profile->name, enrolment->profile->target, failure.text);
    plan_retry(enrolment, enrolment->retry_after_usec);
    agent_enrolment_plan(enrolment);
    agent_enrolment_answer(enrolment, failure.code, &failure);
}

/* What is better did not work either; what is in use stays. */
static void upgrade_failed(struct agent_enrolment *enrolment) {
    int next = enrol_chain_better(enrolment->attempts, enrolment->trying + 1, enrolment->current);

    if (next >= 0) {
        try_method(enrolment, next);
        return;
    }
    end_chain(enrolment);
    plan_retry(enrolment, 0);
    agent_enrolment_plan(enrolment);
    agent_enrolment_answer(enrolment, 0, NULL);
}

static void on_tried(struct agent_enrolment *enrolment, int r, const struct failure *failure) {
    struct enrol_attempt *attempt = &enrolment->attempts[enrolment->trying];
    int next;

    failure_clear(&attempt->failure);
    if (r != 0)
        (void)failure_set(&attempt->failure, r, "%s",
                          failure && failure->text[0] ? failure->text : outcome_name(r));
    attempt->verdict = enrol_verdict(r);
    agent_touch(enrolment->agent);
    if (r == 0) {
        chain_worked(enrolment);
        return;
    }
    log_message(LOG_NOTICE, MESSAGE_ID_ENROL_METHOD, "%s: not by %s (%s, %s): %s",
                enrolment->profile->name, method_name(enrolment, enrolment->trying),
                agent_enrol_verdict_name(attempt->verdict), outcome_name(r), attempt->failure.text);
    if (enrolment->upgrading) {
        upgrade_failed(enrolment);
        return;
    }
    next = enrol_chain_next(enrolment->profile, enrolment->attempts, enrolment->trying);
    if (next >= 0)
        try_method(enrolment, next);
    else
        chain_failed(enrolment);
}

/* --- GBA -------------------------------------------------------------------------------------------- */

static void on_ks(int r, const struct agent_key *key, const struct failure *failure,
                  void *userdata) {
    struct agent_enrolment *enrolment = userdata;

    (void)key;
    enrolment->ks = NULL;
    if (r != UB_E_CANCELLED)
        on_tried(enrolment, r, failure);
    else
        chain_failed(enrolment);
}

static void try_gba(struct agent_enrolment *enrolment) {
    struct agent_request *request = NULL;
    int r;

    r = agent_want_ks(enrolment->agent, enrolment->profile->uicc, on_ks, enrolment, &request);
    if (r < 0)
        on_tried(enrolment, r, NULL);
    else if (request)
        enrolment->ks = request;
}

/* --- A MEF ------------------------------------------------------------------------------------------ */

/* What EST gave is kept whatever became of the registration. Its key cannot be had again. */
static void keep_certificate(struct agent_enrolment *enrolment, struct enrol_job *job) {
    struct failure failure = {0};
    int r;

    enrol_certificate_done(&enrolment->certificate);
    enrolment->certificate = (struct enrol_certificate){
        .private_key = TAKE_PTR(job->credential.private_key),
        .certificate = TAKE_PTR(job->credential.certificate),
        .anchors = TAKE_PTR(job->credential.anchors),
        .not_before = job->credential.not_before,
        .not_after = job->credential.not_after,
    };
    r = enrol_certificate_put(enrolment->agent->records, enrolment->profile,
                              &enrolment->certificate, &failure);
    if (r != 0)
        log_error("%s: the new certificate is not on disk: %s", enrolment->profile->name,
                  failure.text);
    agent_enrolment_plan_certificate(enrolment);
    log_message(LOG_INFO, MESSAGE_ID_CERTIFICATE, "%s: there is a new certificate of the MEF's EST",
                enrolment->profile->name);
}

/* Ke is ours when it is on disk. */
static int keep_registration(struct agent_enrolment *enrolment, struct enrol_job *job,
                             struct failure *failure) {
    const struct mef_registration *registration = &job->registration;
    int64_t now = (int64_t)(now_realtime_usec() / USEC_PER_SEC);
    _cleanup_(enrol_kept_done) struct enrol_kept kept = {
        .method = job->method,
        .expires = registration->expires,
        .written = now,
    };
    int r;

    if (registration->expires <= now)
        return failure_set(failure, MEF_E_LIFETIME, "what %s gave is over already",
                           enrolment->profile->mef_fqdn);
    memcpy(kept.ke_id, registration->ke_id, sizeof(kept.ke_id));
    memcpy(kept.client_reg_id, registration->client_reg_id, sizeof(kept.client_reg_id));
    memcpy(kept.assigned_key_id, registration->assigned_key_id, sizeof(kept.assigned_key_id));
    kept.expires_usec = deadline_after((uint64_t)(registration->expires - now) * USEC_PER_SEC);
    kept.ke = TAKE_PTR(job->registration.ke);
    r = enrol_kept_put(enrolment->agent->records, enrolment->profile, &kept, failure);
    if (r != 0)
        return r;
    enrol_kept_done(&enrolment->kept);
    enrolment->kept = kept;
    kept = (struct enrol_kept){0};
    agent_enrolment_plan_kept(enrolment);
    return 0;
}

/* The token: what was surely not sent may be sent; what was answered is gone; the rest is in doubt, as was noted before. */
static void settle_token(struct agent_enrolment *enrolment, const struct enrol_job *job) {
    struct failure failure = {0};

    if (job->kind != ENROL_JOB_REGISTER)
        return;
    if (!job->token) {
        /* In doubt, and let in without: it had arrived. */
        if (enrolment->mark.state != ENROL_TOKEN_IN_DOUBT || job->r != 0)
            return;
        enrolment->mark.state = ENROL_TOKEN_SPENT;
    } else {
        enrolment->mark.state = job->token_fate == ENROL_TOKEN_ANSWERED ? ENROL_TOKEN_SPENT
                                : job->token_fate == ENROL_TOKEN_KEPT   ? ENROL_TOKEN_PENDING
                                                                        : ENROL_TOKEN_IN_DOUBT;
    }
    if (enrol_token_put(enrolment->agent->records, enrolment->profile->name, &enrolment->mark,
                        &failure) != 0)
        log_error("%s: what became of the enrolment token is not on disk: %s",
                  enrolment->profile->name, failure.text);
    if (enrolment->mark.state == ENROL_TOKEN_SPENT) {
        enrolment->token = secret_free(enrolment->token);
        agent_enrolment_token_spent(enrolment);
    }
}

static void start_job(struct agent_enrolment *enrolment, bool with_token);

static void on_registered(struct enrol_job *job, void *userdata) {
    struct agent_enrolment *enrolment = userdata;
    bool in_doubt = enrolment->mark.state == ENROL_TOKEN_IN_DOUBT;
    int r = job->r;

    enrolment->run = NULL;
    enrolment->retry_after_usec = job->retry_after_usec;
    if (job->provisioned)
        keep_certificate(enrolment, job);
    settle_token(enrolment, job);
    /* Without it the MEF does not let us in, so it never had arrived. */
    if (r == MEF_E_TOKEN && in_doubt && !job->token && enrolment->token) {
        start_job(enrolment, true);
        return;
    }
    if (r == 0)
        r = keep_registration(enrolment, job, &job->failure);
    on_tried(enrolment, r, &job->failure);
}

/* Before it is sent it is noted that it may have been. */
static int take_token(struct agent_enrolment *enrolment, struct enrol_job *job,
                      struct failure *failure) {
    int r;

    enrolment->mark.state = ENROL_TOKEN_IN_DOUBT;
    r = enrol_token_put(enrolment->agent->records, enrolment->profile->name, &enrolment->mark,
                        failure);
    if (r == 0)
        r = secret_new_copy(secret_data(enrolment->token), secret_length(enrolment->token),
                            &job->token);
    return r;
}

static int take_certificate(const struct agent_enrolment *enrolment, struct enrol_job *job) {
    const struct enrol_certificate *certificate = &enrolment->certificate;

    if (!certificate->certificate)
        return 0;
    job->certificate = strdup(certificate->certificate);
    if (!job->certificate)
        return -ENOMEM;
    if (!certificate->private_key)
        return 0;
    return secret_new_copy(secret_data(certificate->private_key),
                           secret_length(certificate->private_key), &job->private_key);
}

static struct enrol_job *make_job(const struct agent_enrolment *enrolment, enum enrol_job_kind kind,
                                  enum enrol_method method) {
    struct enrol_job *job =
        enrol_job_new(kind, method, enrolment->profile, enrolment->agent->plugin_directory);

    if (job && take_certificate(enrolment, job) < 0)
        job = enrol_job_free(job);
    return job;
}

static void start_job(struct agent_enrolment *enrolment, bool with_token) {
    enum enrol_method method = enrolment->profile->methods[enrolment->trying];
    struct enrol_job *job = make_job(enrolment, ENROL_JOB_REGISTER, method);
    struct failure failure = {0};
    int r = job ? 0 : -ENOMEM;

    enrolment->run = enrol_run_free(enrolment->run); /* the certificate's renewal comes again */
    if (r == 0 && with_token && enrolment->token)
        r = take_token(enrolment, job, &failure);
    if (r == 0)
        r = enrol_run_start(enrolment->agent->event, job, on_registered, enrolment,
                            &enrolment->run);
    if (r != 0) {
        enrol_job_free(job);
        on_tried(enrolment, r, &failure);
    }
}

static void try_mef(struct agent_enrolment *enrolment, enum enrol_method method) {
    if (!enrolment->renewing && kept_is_alive(enrolment) && enrolment->kept.method == method) {
        on_tried(enrolment, 0, NULL);
        return;
    }
    if (!enrolment->agent->records) {
        on_tried(enrolment, ENROL_E_SEALING, &enrolment->agent->no_records);
        return;
    }
    agent_enrolment_token_again(enrolment);
    start_job(enrolment, enrolment->mark.state == ENROL_TOKEN_PENDING);
}

/* --- The chain -------------------------------------------------------------------------------------- */

static void try_method(struct agent_enrolment *enrolment, int method) {
    enrolment->trying = method;
    agent_touch(enrolment->agent);
    if (enrolment->profile->methods[method] == ENROL_GBA)
        try_gba(enrolment);
    else
        try_mef(enrolment, enrolment->profile->methods[method]);
}

static void forget_attempts(struct agent_enrolment *enrolment) {
    for (size_t i = 0; i < ENROL_METHODS; i++)
        enrolment->attempts[i] = (struct enrol_attempt){0};
}

void agent_enrolment_begin(struct agent_enrolment *enrolment, bool renew) {
    if (enrolment->trying >= 0)
        return;
    forget_attempts(enrolment);
    enrolment->retry_after_usec = 0;
    enrolment->renewing = renew;
    enrolment->upgrading = false;
    enrolment->retry_usec = USEC_INFINITY;
    try_method(enrolment, 0);
}

void agent_enrolment_upgrade(struct agent_enrolment *enrolment) {
    int better;

    if (enrolment->trying >= 0)
        return;
    better = enrol_chain_better(enrolment->attempts, 0, enrolment->current);
    enrolment->retry_usec = USEC_INFINITY;
    if (better < 0)
        return;
    enrolment->upgrading = true;
    enrolment->renewing = false;
    try_method(enrolment, better);
}

void agent_enrolment_lost(struct agent_enrolment *enrolment, int r, const struct failure *failure) {
    if (enrolment->trying >= 0 || enrolment->current < 0)
        return;
    forget_attempts(enrolment);
    enrolment->renewing = enrolment->upgrading = false;
    enrolment->trying = enrolment->current;
    enrolment->current = -1;
    on_tried(enrolment, r, failure);
}

/* --- The certificate's renewal ----------------------------------------------------------------------- */

static void on_certificate(struct enrol_job *job, void *userdata) {
    struct agent_enrolment *enrolment = userdata;

    enrolment->run = NULL;
    if (job->provisioned) {
        keep_certificate(enrolment, job);
    } else {
        log_message(LOG_WARNING, MESSAGE_ID_ENROL_FAIL, "%s: the certificate is not renewed: %s",
                    enrolment->profile->name, job->failure.text);
        enrolment->certificate_usec =
            deadline_after(backoff_fail(&enrolment->backoff, 0, random_bits()));
    }
    agent_enrolment_plan(enrolment);
    agent_touch(enrolment->agent);
}

void agent_enrolment_renew_certificate(struct agent_enrolment *enrolment) {
    struct enrol_job *job;

    enrolment->certificate_usec = USEC_INFINITY;
    /* What is under way comes first; the timer comes again. */
    if (enrolment->run || enrolment->trying >= 0) {
        enrolment->certificate_usec = deadline_after(BACKOFF_BASE_USEC);
        return;
    }
    job = make_job(enrolment, ENROL_JOB_RENEW_CERTIFICATE, ENROL_CERTIFICATE);
    if (!job || enrol_run_start(enrolment->agent->event, job, on_certificate, enrolment,
                                &enrolment->run) < 0) {
        enrol_job_free(job);
        enrolment->certificate_usec = deadline_after(BACKOFF_MAX_USEC);
    }
}
