/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What anybody may know of an enrolment.
 */

#include "agent-enrol.h"
#include "util.h"

const char *agent_enrol_state_name(enum agent_enrol_state state) {
    switch (state) {
    case AGENT_ENROL_IDLE:
        return "idle";
    case AGENT_ENROLLING:
        return "enrolling";
    case AGENT_ENROLLED:
        return "enrolled";
    case AGENT_ENROL_FAILED:
        return "failed";
    }
    return "unknown";
}

const char *agent_enrol_verdict_name(enum agent_enrol_verdict verdict) {
    switch (verdict) {
    case AGENT_ENROL_UNTRIED:
        return "untried";
    case AGENT_ENROL_WORKED:
        return "worked";
    case AGENT_ENROL_NOT_NOW:
        return "not-now";
    case AGENT_ENROL_NEVER:
        return "never";
    case AGENT_ENROL_REFUSED:
        return "refused";
    }
    return "unknown";
}

size_t agent_enrolments(const struct agent *agent) {
    return agent->enrolments_count;
}

/* What is in use goes on to be what is told while something better is tried. */
static enum agent_enrol_state state_of(const struct agent_enrolment *enrolment) {
    if (agent_enrolment_alive(enrolment))
        return AGENT_ENROLLED;
    if (enrolment->trying >= 0)
        return AGENT_ENROLLING;
    return enrolment->last_failure.code != 0 ? AGENT_ENROL_FAILED : AGENT_ENROL_IDLE;
}

static void tell_key(struct agent_enrolment *enrolment, struct agent_enrol_status *ret) {
    struct agent_card *card = NULL;
    struct keystore_info info;

    if (ret->state != AGENT_ENROLLED)
        return;
    ret->method = enrol_method_name(agent_enrolment_method(enrolment));
    if (agent_enrolment_method(enrolment) != ENROL_GBA) {
        ret->ke_id = enrolment->kept.ke_id;
        ret->expires_usec = enrolment->kept.expires_usec;
        ret->expires_utc_usec = (uint64_t)enrolment->kept.expires * USEC_PER_SEC;
        return;
    }
    if (agent_find_usable(enrolment->agent, enrolment->profile->uicc, &card, NULL) == 0 &&
        keystore_get(card->store, &info) == 0) {
        ret->ke_id = info.btid;
        ret->expires_usec = info.expires_usec;
        ret->expires_utc_usec = info.expires_utc_usec;
    }
}

void agent_get_enrol_status(struct agent *agent, size_t index, struct agent_enrol_status *ret) {
    struct agent_enrolment *enrolment = agent->enrolments[index];
    const struct enrol_profile *profile = enrolment->profile;

    *ret = (struct agent_enrol_status){
        .name = profile->name,
        .state = state_of(enrolment),
        .method = "",
        .target = profile->target,
        .target_kind = profile->target_kind == ONEM2M_TARGET_MAF ? "maf" : "enrolee-b",
        .mef = profile->mef_fqdn ? profile->mef_fqdn : "",
        .ke_id = "",
        .retry_usec = enrolment->retry_usec == USEC_INFINITY ? 0 : enrolment->retry_usec,
        .token_pending = enrolment->token != NULL,
        .methods_count = profile->methods_count,
        .last_failure = &enrolment->last_failure,
    };
    for (size_t i = 0; i < profile->methods_count; i++)
        ret->methods[i] = (struct agent_enrol_method_status){
            .method = enrol_method_name(profile->methods[i]),
            .verdict = enrolment->attempts[i].verdict,
            .code = enrolment->attempts[i].failure.code,
            .text = enrolment->attempts[i].failure.text,
        };
    tell_key(enrolment, ret);
}
