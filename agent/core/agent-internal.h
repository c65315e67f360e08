/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inside of the agent, for the files of this room.
 */

#include "agent.h"
#include "conf.h"
#include "keystore.h"
#include "worker.h"

#define DENIAL_LOG_SLOTS 64u

enum agent_request_kind {
    AGENT_REQUEST_NAF_KEY,
    AGENT_REQUEST_BOOTSTRAP,
    AGENT_REQUEST_DIAGNOSIS,
};

/* Somebody who waits. In exactly one list of its agent until it is answered or cancelled. */
struct agent_request {
    struct agent_request *previous, *next;
    struct agent *agent;
    enum agent_request_kind kind;
    struct access_caller caller;
    char naf_fqdn[NAF_FQDN_MAX + 1]; /* normalised */
    uint8_t ua_protocol[UA_PROTOCOL_LENGTH];
    agent_key_fn done;
    agent_diagnosis_fn diagnosed;
    void *userdata;
};

/* A ring with a head that is no request. */
struct agent_request_list {
    struct agent_request head;
};

struct agent {
    sd_event *event; /* a reference */
    char *config_directory, *plugin_directory;
    struct conf *conf;
    struct access *access;
    struct keystore *store;
    struct worker *worker;
    sd_event_source *expiry; /* erases the Ks when its time is over */
    sd_event_source *notify; /* tells of changes once a turn */

    struct agent_request_list waiting;   /* for a bootstrap */
    struct agent_request_list diagnosing;
    size_t pending; /* in both lists */
    uint64_t bootstrap_job; /* under way, 0 for none */
    uint64_t probe_job;
    uint64_t not_before_usec; /* the BSF asked to be left alone until then, now_usec() clock */

    /* The card as last reported. */
    bool card_known;
    int card_r;
    struct failure card_failure; /* why card_r is not 0 */
    enum keystrap_card_state card;
    struct uicc_identity identity;
    char reader[PLUGIN_TEXT_MAX];
    char impi[IMPI_MAX + 1];
    char bsf[FQDN_MAX + 1];
    char ks_iccid[ICCID_MAX + 1]; /* of the card that the Ks came from */

    struct failure last_failure;
    uint64_t bootstraps;
    uint64_t last_card_usec, last_network_usec, last_total_usec;
    uint64_t denial_logged_usec[DENIAL_LOG_SLOTS]; /* by uid: a flood of denials is not one of log lines */
    agent_changed_fn changed;
    void *changed_userdata;
};

void agent_request_list_init(struct agent_request_list *list);
void agent_request_list_append(struct agent_request_list *list, struct agent_request *request);
struct agent_request *agent_request_list_pop(struct agent_request_list *list);

/**
 * agent_request_list_take() - move everything over, so that a callback which asks again does not wait in
 * the list that is being answered
 */
void agent_request_list_take(struct agent_request_list *from, struct agent_request_list *ret);

/**
 * agent_log_denial() - tell the operator, at most once a second for each user (as good as: users whose
 * numbers are DENIAL_LOG_SLOTS apart share a second)
 */
void agent_log_denial(struct agent *agent, const struct access_caller *caller,
                      const struct failure *failure);

void agent_requests_answer(struct agent *agent, int r, const struct failure *failure);
void agent_diagnoses_answer(struct agent *agent, int probe_r, const struct failure *failure,
                            int64_t bsf_date);

/**
 * agent_check_pending() - whether one more request of @caller may wait. 0; ACCESS_E_TOO_MANY.
 */
int agent_check_pending(const struct agent *agent, const struct access_caller *caller,
                        struct failure *failure);

/**
 * agent_touch() - something that agent_get_status() tells has changed
 */
void agent_touch(struct agent *agent);

/**
 * agent_forget_ks() - erase the Ks and stop its clock. Returns whether there was one.
 */
bool agent_forget_ks(struct agent *agent);

/**
 * agent_want_bootstrap() - have the worker run one unless it does already
 */
int agent_want_bootstrap(struct agent *agent);

/**
 * agent_want_probe() - have the worker ask the BSF whether it is there, unless it is about to
 */
int agent_want_probe(struct agent *agent);
