/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who asks for an enrolment or for a key of one, and who waits.
 *
 * Keys of an enrolment with a MEF are derived at once. With GBA the key is that of a NAF (TS-0003 8.3.2.3): a request of its own
 * with the card, which this one waits for.
 */

#include <errno.h>
#include <string.h>

#include "agent-enrol.h"
#include "log.h"
#include "util.h"

struct agent_enrolment *agent_find_enrolment(const struct agent *agent, const char *name) {
    for (size_t i = 0; i < agent->enrolments_count; i++)
        if (strcmp(agent->enrolments[i]->profile->name, name) == 0)
            return agent->enrolments[i];
    return NULL;
}

/* As the access rules compare them: what they granted one spelling, they granted the target. */
static bool is_target(const struct enrol_profile *profile, const char *peer) {
    char asked[NAF_FQDN_MAX + 1], target[NAF_FQDN_MAX + 1];

    if (profile->target_kind != ONEM2M_TARGET_MAF)
        return strcmp(profile->target, peer) == 0;
    return gba_fqdn_normalise(peer, asked, NULL) == 0 &&
           gba_fqdn_normalise(profile->target, target, NULL) == 0 && strcmp(asked, target) == 0;
}

static struct agent_enrolment *find_target(const struct agent *agent, const char *target) {
    for (size_t i = 0; i < agent->enrolments_count; i++)
        if (is_target(agent->enrolments[i]->profile, target))
            return agent->enrolments[i];
    return NULL;
}

/* --- Answers ---------------------------------------------------------------------------------------- */

/* The rules may have been loaded again while it waited. */
static int still_may(const struct agent_request *request, struct failure *failure) {
    struct access *access = request->enrolment->agent->access;

    if (request->kind == AGENT_REQUEST_ENROL)
        return access_check_manage(access, &request->caller, failure);
    return access_may_peer(access, &request->caller, request->enrolment->profile->target,
                           request->suid, failure);
}

static void hand_over(struct agent_request *request, const struct secret *key,
                      const struct agent_key *of) {
    const struct agent_enrolment *enrolment = request->enrolment;
    const struct enrol_kept *kept = &enrolment->kept;
    struct agent_key answer = {
        .key = key,
        .btid = kept->assigned_key_id[0] ? kept->assigned_key_id : kept->ke_id,
        .expires_usec = kept->expires_usec,
        .expires_utc_usec = (uint64_t)kept->expires * USEC_PER_SEC,
        .bootstrapped = request->bootstrapped,
        .method = enrol_method_name(agent_enrolment_method(enrolment)),
        .profile = enrolment->profile->name,
        .suid = request->suid,
    };

    if (of) {
        answer.btid = of->btid;
        answer.expires_usec = of->expires_usec;
        answer.expires_utc_usec = of->expires_utc_usec;
    }
    request->done(0, &answer, NULL, request->userdata);
    free(request);
}

/* TS-0003 10.3.2, 10.3.3 or 10.3.7, as the profile and the wish have it. */
static int derive(const struct agent_request *request, struct secret **ret) {
    const struct enrol_profile *profile = request->enrolment->profile;
    bool by_usage = request->suid != 0 || profile->derivation == ONEM2M_USAGE_CONSTRAINED;
    unsigned suid = request->suid ? request->suid : (unsigned)profile->suid;
    const char *target = profile->target;

    if (by_usage && profile->target_kind == ONEM2M_TARGET_B && profile->target_fqdn)
        target = profile->target_fqdn;
    return onem2m_key(request->enrolment->kept.ke,
                      by_usage ? ONEM2M_USAGE_CONSTRAINED : ONEM2M_RELEASE_1, profile->target_kind,
                      suid, target, ret);
}

static void on_naf_key(int r, const struct agent_key *key, const struct failure *failure,
                       void *userdata) {
    struct agent_request *request = userdata;
    struct agent_enrolment *enrolment = request->enrolment;
    struct failure own = {0};

    request->inner = NULL;
    if (r == 0) {
        agent_request_list_remove(request);
        enrolment->agent->pending--;
        r = still_may(request, &own);
        if (r != 0)
            agent_request_refuse(request, r, &own);
        else
            hand_over(request, key->key, key);
        return;
    }
    /* It stays in the list: another method may do, or does by now. */
    if (enrolment->trying >= 0)
        return;
    if (enrolment->current >= 0 && agent_enrolment_method(enrolment) == ENROL_GBA)
        agent_enrolment_lost(enrolment, r, failure);
    else
        agent_enrolment_answer(enrolment, r, failure);
}

/* @request is in the list of those who wait; it leaves it with the answer, which may come at once. */
static void begin_naf_key(struct agent_request *request) {
    const struct enrol_profile *profile = request->enrolment->profile;
    const struct agent_naf naf = {
        .uicc = profile->uicc,
        .fqdn = profile->target_fqdn ? profile->target_fqdn : profile->target,
        .ua_protocol = profile->ua_protocol,
        .ua_protocol_length = sizeof(profile->ua_protocol),
    };
    struct agent_request *inner = NULL;
    struct failure failure = {0};
    int r;

    r = agent_want_naf_key(request->enrolment->agent, &request->caller, &naf, on_naf_key, request,
                           &inner);
    if (r < 0)
        on_naf_key(failure_set(&failure, r, "%s", strerror(-r)), NULL, &failure, request);
    else if (inner)
        request->inner = inner;
}

static int refuse_kind_of_gba(struct failure *failure) {
    return failure_set(failure, ENROL_E_KIND,
                       "with GBA the target has the NAF key alone (TS-0003 8.3.2.3), and no "
                       "usage-constrained key; ask for \"km\" or \"kpsa\"");
}

/* Of a request that is in no list; where there is something to derive from. */
static void answer_now(struct agent_request *request) {
    _cleanup_secret_ struct secret *key = NULL;
    struct failure failure = {0};
    int r;

    r = still_may(request, &failure);
    if (r == 0 && request->kind == AGENT_REQUEST_ENROL_KEY) {
        r = derive(request, &key);
        if (r < 0)
            (void)failure_set(&failure, r, "the key cannot be derived: %s", strerror(-r));
    }
    if (r != 0)
        agent_request_refuse(request, r, &failure);
    else
        hand_over(request, key, NULL);
}

/* An enrolment by GBA is known by the B-TID of the card's Ks. */
static void answer_enrolled_by_gba(struct agent_request *request) {
    struct agent_enrolment *enrolment = request->enrolment;
    struct keystore_info info = {.btid = ""};
    struct agent_card *card = NULL;
    struct failure failure = {0};
    struct agent_key key = {0};
    int r;

    r = still_may(request, &failure);
    if (r == 0)
        r = agent_find_usable(enrolment->agent, enrolment->profile->uicc, &card, &failure);
    if (r == 0)
        r = keystore_get(card->store, &info);
    key = (struct agent_key){.btid = info.btid,
                             .expires_usec = info.expires_usec,
                             .expires_utc_usec = info.expires_utc_usec};
    if (r != 0)
        agent_request_refuse(request, r, &failure);
    else
        hand_over(request, NULL, &key);
}

/* The request is in no list. Who wants a key gets one where there is something to make it of, whatever @r was. */
static void answer_one(struct agent_enrolment *enrolment, struct agent_request *request, int r,
                       const struct failure *failure) {
    bool alive = agent_enrolment_alive(enrolment);
    bool by_gba = alive && agent_enrolment_method(enrolment) == ENROL_GBA;
    bool wants_key = request->kind == AGENT_REQUEST_ENROL_KEY;
    struct failure kind = {0};

    if (by_gba && wants_key && request->suid == 0) {
        agent_request_list_append(&enrolment->waiting, request);
        if (!request->inner)
            begin_naf_key(request);
        return;
    }
    request->inner = agent_request_cancel(request->inner);
    enrolment->agent->pending--;
    if (r != 0 && !(alive && wants_key))
        agent_request_refuse(request, r, failure);
    else if (by_gba && wants_key)
        agent_request_refuse(request, refuse_kind_of_gba(&kind), &kind);
    else if (by_gba)
        answer_enrolled_by_gba(request);
    else
        answer_now(request);
}

void agent_enrolment_answer(struct agent_enrolment *enrolment, int r,
                            const struct failure *failure) {
    struct agent_request_list waiting;
    struct agent_request *request;

    agent_request_list_take(&enrolment->waiting, &waiting);
    while ((request = agent_request_list_pop(&waiting)))
        answer_one(enrolment, request, r, failure);
}

void agent_enrol_cancelled(struct agent_request *request) {
    agent_request_list_remove(request);
    request->enrolment->agent->pending--;
    request->inner = agent_request_cancel(request->inner);
    free(request);
}

/* --- Who asks --------------------------------------------------------------------------------------- */

/* A try that failed a moment ago is not repeated for everybody who asks. */
static int check_retry(const struct agent_enrolment *enrolment, struct failure *failure) {
    uint64_t now = now_usec();

    if (enrolment->trying >= 0 || enrolment->last_failure.code == 0 ||
        enrolment->retry_usec == USEC_INFINITY || now >= enrolment->retry_usec)
        return 0;
    return failure_set(failure, enrolment->last_failure.code, "%s", enrolment->last_failure.text);
}

static int wait_for(struct agent_enrolment *enrolment, const struct agent_request *template,
                    struct agent_request **ret, struct failure *failure) {
    struct agent_request *request;
    int r;

    r = agent_check_pending(enrolment->agent, &template->caller, failure);
    if (r != 0)
        return r;
    request = malloc(sizeof(*request));
    if (!request)
        return -ENOMEM;
    *request = *template;
    agent_request_list_append(&enrolment->waiting, request);
    enrolment->agent->pending++;
    *ret = request;
    return 0;
}

/* Whether @request, which was handed to a list, is there still: else it was answered. */
static bool is_waiting(const struct agent_enrolment *enrolment,
                       const struct agent_request *request) {
    const struct agent_request *head = &enrolment->waiting.head;

    for (const struct agent_request *at = head->next; at != head; at = at->next)
        if (at == request)
            return true;
    return false;
}

static void refuse_template(const struct agent_request *template, int r, struct failure *failure) {
    (void)failure_set(failure, r, "%s", r < 0 ? strerror(-r) : outcome_name(r));
    template->done(r, NULL, failure, template->userdata);
}

static int begin_request(struct agent_enrolment *enrolment, const struct agent_request *template,
                         bool renew, bool alive, struct agent_request **ret,
                         struct failure *failure) {
    struct agent_request *request = NULL;
    int r;

    r = wait_for(enrolment, template, &request, failure);
    if (r != 0) {
        refuse_template(template, r, failure);
        return 0;
    }
    if (alive && !renew)
        agent_enrolment_answer(enrolment, 0, NULL);
    else
        agent_enrolment_begin(enrolment, renew);
    *ret = is_waiting(enrolment, request) ? request : NULL;
    return 0;
}

int agent_enrol(struct agent *agent, const struct access_caller *caller, const char *profile,
                bool renew, agent_key_fn done, void *userdata, struct agent_request **ret) {
    struct agent_request request = {
        .kind = AGENT_REQUEST_ENROL,
        .caller = *caller,
        .done = done,
        .userdata = userdata,
    };
    struct failure failure = {0};
    int r;

    *ret = NULL;
    r = access_check_manage(agent->access, caller, &failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(agent, caller, &failure);
    request.enrolment = r == 0 ? agent_find_enrolment(agent, profile) : NULL;
    if (r == 0 && !request.enrolment)
        r = failure_set(&failure, ENROL_E_UNCONFIGURED, "no profile \"%.*s\" is configured",
                        (int)PROFILE_NAME_MAX, profile);
    if (r != 0) {
        refuse_template(&request, r, &failure);
        return 0;
    }
    return begin_request(request.enrolment, &request, renew,
                         agent_enrolment_alive(request.enrolment), ret, &failure);
}

/* The profile that is meant, and what of it. */
static int check_wish(struct agent *agent, const struct agent_key_wish *wish,
                      struct agent_request *request, struct failure *failure) {
    struct agent_enrolment *enrolment =
        wish->profile ? agent_find_enrolment(agent, wish->profile) : find_target(agent, wish->peer);
    const struct enrol_profile *profile;
    bool usage = strcmp(wish->kind, "usage") == 0;

    request->suid = usage ? wish->suid : 0;
    if (!enrolment || !is_target(enrolment->profile, wish->peer))
        return failure_set(failure, ENROL_E_UNCONFIGURED,
                           "no profile %s%.*s%shas the target \"%.*s\"", wish->profile ? "\"" : "",
                           (int)PROFILE_NAME_MAX, wish->profile ? wish->profile : "",
                           wish->profile ? "\" " : "", (int)ENTITY_ID_MAX, wish->peer);
    request->enrolment = enrolment;
    profile = enrolment->profile;
    if (usage) {
        request->suid = wish->suid ? wish->suid : (unsigned)profile->suid;
        if (onem2m_suid_is_derived(request->suid))
            return 0;
        return failure_set(failure, ENROL_E_KIND,
                           "a key of SUID %u is not made of an enrolment key; 21 to 25 are",
                           request->suid);
    }
    if (strcmp(wish->kind, profile->target_kind == ONEM2M_TARGET_MAF ? "km" : "kpsa") == 0)
        return 0;
    return failure_set(
        failure, ENROL_E_KIND, "there is no key of the kind \"%.16s\" with %s, which is %s",
        text_is_plain(wish->kind, strlen(wish->kind)) ? wish->kind : "?", profile->target,
        profile->target_kind == ONEM2M_TARGET_MAF ? "a MAF: ask for \"km\""
                                                  : "an Enrolee B: ask for "
                                                    "\"kpsa\"");
}

int agent_get_key(struct agent *agent, const struct access_caller *caller,
                  const struct agent_key_wish *wish, agent_key_fn done, void *userdata,
                  struct agent_request **ret) {
    struct agent_request request = {
        .kind = AGENT_REQUEST_ENROL_KEY,
        .caller = *caller,
        .done = done,
        .userdata = userdata,
    };
    struct failure failure = {0}, unknown = {0};
    bool alive;
    int r, known;

    *ret = NULL;
    /* Who may not have it does not learn whether there is such a profile. */
    known = check_wish(agent, wish, &request, &unknown);
    r = access_check_peer(agent->access, caller, wish->peer, request.suid, &failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(agent, caller, &failure);
    if (r == 0 && known != 0) {
        r = known;
        failure = unknown;
    }
    alive = r == 0 && agent_enrolment_alive(request.enrolment);
    if (r == 0 && !alive)
        r = check_retry(request.enrolment, &failure);
    if (r != 0) {
        refuse_template(&request, r, &failure);
        return 0;
    }
    return begin_request(request.enrolment, &request, false, alive, ret, &failure);
}

/* --- Forgetting ------------------------------------------------------------------------------------- */

/* The MEF is told as far as it can be; nobody waits for that. */
static void on_deregistered(struct enrol_job *job, void *userdata) {
    struct agent_enrolment *enrolment = userdata;

    enrolment->run = NULL;
    if (job->r != 0)
        log_notice("%s: the MEF was not told that the enrolment is forgotten: %s",
                   enrolment->profile->name, job->failure.text);
}

static void deregister(struct agent_enrolment *enrolment) {
    struct enrol_job *job;

    if (!enrolment->kept.ke || enrolment->kept.client_reg_id[0] == '\0' || enrolment->run)
        return;
    job = enrol_job_new(ENROL_JOB_DEREGISTER, enrolment->kept.method, enrolment->profile,
                        enrolment->agent->plugin_directory);
    if (!job)
        return;
    memcpy(job->client_reg_id, enrolment->kept.client_reg_id, sizeof(job->client_reg_id));
    job->certificate = TAKE_PTR(enrolment->certificate.certificate);
    job->private_key = TAKE_PTR(enrolment->certificate.private_key);
    if (enrol_run_start(enrolment->agent->event, job, on_deregistered, enrolment, &enrolment->run) <
        0)
        enrol_job_free(job);
}

int agent_enrol_forget(struct agent *agent, const struct access_caller *caller, const char *profile,
                       struct failure *failure) {
    struct agent_enrolment *enrolment;
    struct failure cancelled = {0};
    int r;

    r = access_check_manage(agent->access, caller, failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(agent, caller, failure);
    if (r != 0)
        return r;
    enrolment = agent_find_enrolment(agent, profile);
    if (!enrolment)
        return failure_set(failure, ENROL_E_UNCONFIGURED, "no profile \"%.*s\" is configured",
                           (int)PROFILE_NAME_MAX, profile);
    r = enrol_records_remove(agent->records, enrolment->profile->name, failure);
    if (r < 0)
        return r;
    (void)failure_set(&cancelled, UB_E_CANCELLED, "the enrolment was forgotten meanwhile");
    agent_enrolment_dismiss(enrolment, &cancelled);
    deregister(enrolment);
    enrol_kept_done(&enrolment->kept);
    enrol_certificate_done(&enrolment->certificate);
    memset(enrolment->attempts, 0, sizeof(enrolment->attempts));
    failure_clear(&enrolment->last_failure);
    enrolment->retry_usec = enrolment->renew_usec = enrolment->certificate_usec = USEC_INFINITY;
    agent_enrolment_plan(enrolment);
    agent_touch(agent);
    return 0;
}
