/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Enrolments, for the files of this room: one for each profile.
 */

#include "agent-internal.h"
#include "enrol-chain.h"
#include "enrol-job.h"
#include "enrol-record.h"

struct agent_enrolment {
    struct agent *agent;
    struct enrol_profile *profile;
    uint64_t serial;             /* of the signed document that it came by; 0 for a file of enrol.d */

    struct enrol_attempt attempts[ENROL_METHODS];
    int current;                 /* method in use, an index of the profile's; -1 for none */
    int trying;                  /* method under way; -1 for none */
    bool upgrading;              /* what is under way is to be better than the current one */
    bool renewing;               /* what is kept does not do */
    struct enrol_run *run;       /* with a MEF */
    struct agent_request *ks;    /* for a Ks */

    struct enrol_kept kept;      /* of a MEF, whatever the current method is */
    struct enrol_certificate certificate;
    struct secret *token;        /* that may still be presented; NULL */
    struct enrol_token_mark mark;

    struct agent_request_list waiting;
    struct backoff backoff;
    uint64_t retry_after_usec;   /* the MEF's wish when it last said no */
    uint64_t retry_usec;         /* the next try by itself, now_usec() clock; USEC_INFINITY for none */
    uint64_t renew_usec;         /* Ke */
    uint64_t certificate_usec;   /* the certificate */
    sd_event_source *timer;
    struct failure last_failure;
};

/* --- Its life (agent-enrol.c) ----------------------------------------------------------------------- */

/**
 * agent_enrolment_new() - with what is in its records
 * @profile: taken over where this returns 0
 * @token: of an instruction; taken over likewise; NULL for that of the profile, or none
 */
int agent_enrolment_new(struct agent *agent, struct enrol_profile *profile, struct secret *token,
                        struct agent_enrolment **ret);

/**
 * agent_enrolment_free() - cancel what is under way, erase; nobody may wait. NULL is allowed; returns NULL.
 */
struct agent_enrolment *agent_enrolment_free(struct agent_enrolment *enrolment);

/**
 * agent_enrolment_dismiss() - answer everybody who waits with @failure
 */
void agent_enrolment_dismiss(struct agent_enrolment *enrolment, const struct failure *failure);

/**
 * agent_enrol_card_ready() - a card can be bootstrapped with, or has been: profiles that would rather use it try
 */
void agent_enrol_card_ready(struct agent *agent);

/* --- The chain (agent-enrol-chain.c) ---------------------------------------------------------------- */

/**
 * agent_enrolment_begin() - go through the methods, unless it is done already
 * @renew: what is kept does not do
 */
void agent_enrolment_begin(struct agent_enrolment *enrolment, bool renew);

/**
 * agent_enrolment_upgrade() - try a better method than the current one, if one may work
 */
void agent_enrolment_upgrade(struct agent_enrolment *enrolment);

/**
 * agent_enrolment_lost() - the current method has failed when a key was wanted of it; go on with the others
 */
void agent_enrolment_lost(struct agent_enrolment *enrolment, int r, const struct failure *failure);

/**
 * agent_enrolment_alive() - whether there is something that keys can be made of
 */
bool agent_enrolment_alive(const struct agent_enrolment *enrolment);

/**
 * agent_enrolment_method() - in use; only where one is
 */
enum enrol_method agent_enrolment_method(const struct agent_enrolment *enrolment);

/**
 * agent_enrolment_renew_certificate() - by EST, with the certificate that is there
 */
void agent_enrolment_renew_certificate(struct agent_enrolment *enrolment);

/**
 * agent_enrolment_plan() - set the timer to what is due first
 */
void agent_enrolment_plan(struct agent_enrolment *enrolment);

/**
 * agent_enrolment_plan_certificate() - when the certificate is to be renewed
 */
void agent_enrolment_plan_certificate(struct agent_enrolment *enrolment);

/**
 * agent_enrolment_plan_kept() - likewise what is kept
 */
void agent_enrolment_plan_kept(struct agent_enrolment *enrolment);

/* --- Requests (agent-enrol-keys.c) ------------------------------------------------------------------ */

/**
 * agent_enrolment_answer() - answer all who wait: with keys where @r is 0
 */
void agent_enrolment_answer(struct agent_enrolment *enrolment, int r,
                            const struct failure *failure);

/**
 * agent_enrol_cancelled() - @request of an enrolment has lost its caller; it is freed
 */
void agent_enrol_cancelled(struct agent_request *request);

/**
 * agent_find_enrolment() - the profile @name, NULL for none
 */
struct agent_enrolment *agent_find_enrolment(const struct agent *agent, const char *name);

/* --- Profiles (agent-profiles.c) -------------------------------------------------------------------- */

/* What is to become of the enrolments; nothing of it is in force yet. */
struct agent_enrol_plan {
    size_t count;
    struct agent_enrolment *enrolments[ENROL_PROFILES_MAX];
    bool is_new[ENROL_PROFILES_MAX];
};

/**
 * agent_enrol_plan_make() - from enrol.d and from instructions; agent_enrol_plan_undo() where it is not carried out
 */
int agent_enrol_plan_make(struct agent *agent, struct agent_enrol_plan *ret,
                          struct failure *failure);
void agent_enrol_plan_undo(struct agent_enrol_plan *plan);

/**
 * agent_enrol_plan_carry_out() - those that are not in the plan end
 */
void agent_enrol_plan_carry_out(struct agent *agent, struct agent_enrol_plan *plan);

/**
 * agent_enrolment_token_spent() - the token of @enrolment may be kept nowhere any more
 */
void agent_enrolment_token_spent(struct agent_enrolment *enrolment);

/**
 * agent_enrolment_token_again() - before a MEF is asked: the token that the profile names, as it is now, for somebody may have
 * put another one there
 */
void agent_enrolment_token_again(struct agent_enrolment *enrolment);

/**
 * agent_records_open() - the state directory and its sealing key, as far as they are there
 */
void agent_records_open(struct agent *agent, const char *directory);
