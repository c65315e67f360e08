/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inside of the agent, for the files of this room.
 */

#include "agent.h"
#include "backoff.h"
#include "conf.h"
#include "keystore.h"
#include "quota.h"
#include "record.h"
#include "secure-element.h"
#include "worker.h"

#define DENIAL_LOG_SLOTS 64u

enum agent_request_kind {
    AGENT_REQUEST_NAF_KEY,
    AGENT_REQUEST_BOOTSTRAP,
    AGENT_REQUEST_DIAGNOSIS,
    AGENT_REQUEST_PUSH,
    AGENT_REQUEST_SE,
    AGENT_REQUEST_KS,        /* any Ks, for an enrolment */
    AGENT_REQUEST_ENROL,     /* an enrolment to be done */
    AGENT_REQUEST_ENROL_KEY, /* a key of one */
};

struct agent_se_channel;
struct agent_enrolment;

struct agent_card;

/* Somebody who waits. In exactly one list of its card until it is answered or cancelled. */
struct agent_request {
    struct agent_request *previous, *next;
    struct agent_card *card;
    enum agent_request_kind kind;
    struct access_caller caller;
    char naf_fqdn[NAF_FQDN_MAX + 1]; /* normalised */
    uint8_t ua_protocol[UA_PROTOCOL_LENGTH];
    agent_key_fn done;
    agent_diagnosis_fn diagnosed;
    agent_se_fn se_done;
    uint64_t job;      /* the derivation in the card, or the push, that it waits for; 0 for none */
    bool force;        /* a Ks that is there already does not do */
    bool bootstrapped; /* it has waited for a bootstrap */
    bool in_card;      /* there is a Ks, and it is in the card */
    bool anew;         /* the card had lost that, once */
    struct agent_se_channel *channel; /* AGENT_REQUEST_SE */
    bool ours;         /* NAF_KEY, for an enrolment: the rules were asked there */
    struct agent_enrolment *enrolment; /* ENROL and ENROL_KEY: whose list it is in; there is no card then */
    struct agent_request *inner;       /* the NAF key that it waits for */
    unsigned suid;     /* ENROL_KEY: of a usage-constrained key, 0 for Km or Kpsa */
    void *userdata;
};

/* A ring with a head that is no request. */
struct agent_request_list {
    struct agent_request head;
};

/* One card: its worker, its Ks, and who waits for either. */
struct agent_card {
    struct agent *agent;
    struct conf_card *conf; /* the worker's; it outlives the worker */
    struct worker *worker;  /* NULL before agent_start() */
    bool released;          /* the worker */
    struct keystore *store;
    sd_event_source *expiry; /* erases the Ks when its time is over */

    struct agent_request_list waiting; /* for a bootstrap */
    struct agent_request_list deriving; /* for the card to derive a key */
    struct agent_request_list diagnosing;
    struct agent_request_list transmitting; /* through channels to applications */
    struct agent_se_channel *channels;
    uint64_t bootstrap_job; /* under way, 0 for none */
    bool bootstrap_wanted;  /* as soon as the card is known: it may remember one */
    uint64_t probe_job;

    /* How often the BSF is asked (agent-bsf.c). */
    struct backoff backoff;
    uint64_t not_before_usec;      /* it is left alone until then, now_usec() clock */
    struct failure not_before;     /* why */
    sd_event_source *renewal;      /* before the Ks dies */
    bool renewal_due;              /* its time has come, and nobody had used the Ks */
    bool renewing;                 /* the bootstrap under way is for nobody who waits */
    struct quota renegotiations;   /* bootstraps that applications bring about */

    /* The card as last reported. */
    bool known;
    int r;
    struct failure failure; /* why r is not 0 */
    enum keystrap_card_state state;
    uint64_t insertions;
    uint64_t departures; /* as the worker counts them */
    struct uicc_identity identity;
    char reader[PLUGIN_TEXT_MAX];
    char impi[IMPI_MAX + 1];
    char bsf[FQDN_MAX + 1];
    char ks_iccid[ICCID_MAX + 1]; /* of the card that the Ks came from */

    char nafs[FAILURE_TEXT_MAX]; /* in EF_GBANL, as the last probe found it */
    struct failure last_failure;
    uint64_t bootstraps;
    uint64_t last_card_usec, last_network_usec, last_total_usec;
};

/* A worker that was told to end, with the configuration that it still uses. */
struct agent_leaving {
    struct agent_leaving *next;
    struct agent *agent;
    struct worker *worker;
    struct conf_card *conf;
};

struct agent {
    sd_event *event; /* a reference */
    char *config_directory, *plugin_directory;
    struct agent_card *cards[CARDS_MAX]; /* in the order of the configuration */
    size_t cards_count;
    struct access *access;
    sd_event_source *notify; /* tells of changes once a turn */
    struct agent_se_client *se_clients;
    uint32_t se_last;        /* number of a session or channel */
    size_t pending;          /* requests in the lists of all cards */
    struct agent_leaving *leaving; /* while there are any, no new worker is released */
    struct agent_enrolment *enrolments[ENROL_PROFILES_MAX]; /* in the order of their names */
    size_t enrolments_count;
    struct record_store *records;  /* NULL without a sealing key or a state directory */
    struct failure no_records;     /* why */
    char *instruction_signers;     /* as configured; NULL */
    bool started;
    uint64_t denial_logged_usec[DENIAL_LOG_SLOTS]; /* by uid: a flood of denials is no flood of log lines */
    agent_changed_fn changed;
    void *changed_userdata;
};

/* --- Lists of requests (request-list.c) ------------------------------------------------------------ */

void agent_request_list_init(struct agent_request_list *list);
void agent_request_list_append(struct agent_request_list *list, struct agent_request *request);
struct agent_request *agent_request_list_pop(struct agent_request_list *list);
void agent_request_list_remove(struct agent_request *request);
bool agent_request_list_empty(const struct agent_request_list *list);
size_t agent_request_list_count_user(const struct agent_request_list *list, uid_t uid);

/**
 * agent_request_list_take() - move everything over, so that a callback which asks again does not wait in
 * the list that is being answered
 */
void agent_request_list_take(struct agent_request_list *from, struct agent_request_list *ret);

/* --- Requests (requests.c, diagnose.c) ------------------------------------------------------------- */

/**
 * agent_check_manage() - whether @caller may manage, and the card @uicc that it means, NULL for the first
 *
 * Return: 0; ACCESS_E_DENIED; UICC_E_UNCONFIGURED.
 */
int agent_check_manage(struct agent *agent, const struct access_caller *caller, const char *uicc,
                       struct agent_card **ret, struct failure *failure);

/**
 * agent_log_denial() - tell the operator, at most once a second for each user (as good as: users whose
 * numbers are DENIAL_LOG_SLOTS apart share a second)
 */
void agent_log_denial(struct agent *agent, const struct access_caller *caller,
                      const struct failure *failure);

/**
 * agent_want_ks() - a Ks of a usable card, whatever one, for an enrolment
 * @uicc: the card's name; NULL for the first that is usable
 *
 * Returns and calls @done as agent_bootstrap(); where there is a Ks, at once.
 */
int agent_want_ks(struct agent *agent, const char *uicc, agent_key_fn done, void *userdata,
                  struct agent_request **ret);

/**
 * agent_want_naf_key() - the key of a NAF, for an enrolment whose rules @caller has passed
 * @naf: the name is normalised here
 */
int agent_want_naf_key(struct agent *agent, const struct access_caller *caller,
                       const struct agent_naf *naf, agent_key_fn done, void *userdata,
                       struct agent_request **ret);

/**
 * agent_requests_answer(), agent_diagnoses_answer() - answer all who wait for a bootstrap or a diagnosis of @card
 */
void agent_requests_answer(struct agent_card *card, int r, const struct failure *failure);
void agent_diagnoses_answer(struct agent_card *card, int probe_r, const struct failure *failure,
                            int64_t bsf_date);

/**
 * agent_requests_forced() - whether one of those who wait for a bootstrap of @card would not do with a Ks that is there
 */
bool agent_requests_forced(const struct agent_card *card);

/**
 * agent_check_pending() - whether one more request of @caller may wait. 0; ACCESS_E_TOO_MANY.
 */
int agent_check_pending(const struct agent *agent, const struct access_caller *caller,
                        struct failure *failure);

/**
 * agent_request_enqueue() - put a request that is in no list into the one for what it waits for, and see that it happens
 *
 * Return: 0; why not, and then the request is the caller's.
 */
int agent_request_enqueue(struct agent_request *request, struct failure *failure);

/**
 * agent_request_refuse() - answer a request that is in no list with @r, and free it
 */
void agent_request_refuse(struct agent_request *request, int r, const struct failure *failure);

/**
 * agent_request_hand_over() - likewise with @key, if the rules allow it still
 */
void agent_request_hand_over(struct agent_request *request, const struct secret *key);

/* --- Keys of a Ks that is in the card (agent-derive.c) ---------------------------------------------- */

/**
 * agent_derive_begin() - have the card derive what @request, which is in no list, asks for
 *
 * Return: 0, and it waits; KEYS_E_NONE, KEYS_E_EXPIRED; negative errno.
 */
int agent_derive_begin(struct agent_request *request);

/**
 * agent_derive_on_report() - a derivation of @card has ended
 */
void agent_derive_on_report(struct agent_card *card, struct worker_report *report);

/**
 * agent_derives_answer() - answer all who wait for a derivation of @card with @r
 */
void agent_derives_answer(struct agent_card *card, int r, const struct failure *failure);

/**
 * agent_derives_queue_again() - have @card's new worker do what the one before was to do
 */
void agent_derives_queue_again(struct agent_card *card);

/* --- GBA push (agent-push.c) ------------------------------------------------------------------------ */

/**
 * agent_push_on_report() - the card has answered a GBA Push Info
 */
void agent_push_on_report(struct agent_card *card, struct worker_report *report);

/**
 * agent_push_given_up() - say that a push is not tried again: the worker before may have spent it on the card
 *
 * Return: UB_E_CANCELLED.
 */
int agent_push_given_up(struct failure *failure);

/**
 * agent_deriving_find() - the request that waits for job number @job of @card, NULL for none
 *
 * agent_deriving_join() has @request wait for a job of its card, agent_deriving_leave() no longer.
 */
struct agent_request *agent_deriving_find(struct agent_card *card, uint64_t job);
void agent_deriving_join(struct agent_request *request, uint64_t job);
void agent_deriving_leave(struct agent_request *request);

/* --- Applications on the card (secure-element.c) --------------------------------------------------- */

/**
 * agent_se_on_report() - a job for a channel of @card has ended
 */
void agent_se_on_report(struct agent_card *card, struct worker_report *report);

/**
 * agent_se_cancelled() - @request, which is in no list any more, has lost its caller
 */
void agent_se_cancelled(struct agent_request *request);

/**
 * agent_se_lose_channels() - the worker that has the channels of @card ends, and they with it
 */
void agent_se_lose_channels(struct agent_card *card, const struct failure *failure);

/**
 * agent_se_lose_card() - likewise, and the card itself: its sessions have none any more
 */
void agent_se_lose_card(struct agent_card *card, const struct failure *failure);

/**
 * agent_se_check_rules() - after a change of the rules: close what they do not grant any more
 */
void agent_se_check_rules(struct agent *agent);

/* --- The agent as a whole (agent.c) ---------------------------------------------------------------- */

/**
 * agent_touch() - something that agent_get_status() tells has changed
 */
void agent_touch(struct agent *agent);

/**
 * agent_find_card() - the card @name; for NULL the first
 *
 * Return: 0; UICC_E_UNCONFIGURED.
 */
int agent_find_card(struct agent *agent, const char *name, struct agent_card **ret,
                    struct failure *failure);

/**
 * agent_find_usable() - as agent_find_card(), but for NULL the first card that has a Ks or can be bootstrapped with; where
 * there is none, the first that nothing is known of yet; else the first
 */
int agent_find_usable(struct agent *agent, const char *name, struct agent_card **ret,
                      struct failure *failure);

/**
 * agent_let_go() - have @worker end, which uses @conf; both are taken over, and freed once it has left its card
 */
void agent_let_go(struct agent *agent, struct worker *worker, struct conf_card *conf);

/* --- How often a card's BSF is asked (agent-bsf.c) --------------------------------------------------- */

/**
 * agent_bsf_init() - of a card that is new
 */
void agent_bsf_init(struct agent_card *card);

/**
 * agent_bsf_forget() - the BSF is another one from now on, and nothing is known of that
 */
void agent_bsf_forget(struct agent_card *card);

/**
 * agent_bsf_check() - whether the BSF may be asked now. 0; the outcome of the failure that is the reason why not.
 */
int agent_bsf_check(const struct agent_card *card, struct failure *failure);

/**
 * agent_bsf_failed() - a bootstrap ended with @r and @failure. Where the BSF had its part in that, it is left alone for
 * @retry_after_usec or longer.
 */
void agent_bsf_failed(struct agent_card *card, int r, uint64_t retry_after_usec,
                      const struct failure *failure);

/**
 * agent_bsf_worked() - there is a new Ks that dies at @expires_usec; plan its renewal
 */
void agent_bsf_worked(struct agent_card *card, uint64_t expires_usec);

/**
 * agent_bsf_used() - somebody got a key of the Ks
 */
void agent_bsf_used(struct agent_card *card);

/**
 * agent_bsf_unplan() - there is no Ks to renew any more
 */
void agent_bsf_unplan(struct agent_card *card);

/**
 * agent_bsf_renegotiate() - whether an application may bring about one more bootstrap. 0; ACCESS_E_QUOTA.
 */
int agent_bsf_renegotiate(struct agent_card *card, struct failure *failure);

/* --- One card (agent-card.c) ----------------------------------------------------------------------- */

/**
 * agent_card_new() - a card without a worker. @conf is taken over where this returns 0.
 */
int agent_card_new(struct agent *agent, struct conf_card *conf, struct agent_card **ret);

/**
 * agent_card_free() - erase its Ks, end its worker and wait for that. Nobody may wait for it any more. NULL is
 * allowed; returns NULL.
 */
struct agent_card *agent_card_free(struct agent_card *card);

/**
 * agent_card_dismiss() - answer everybody who waits for the card with @failure
 */
void agent_card_dismiss(struct agent_card *card, const struct failure *failure);

/**
 * agent_card_worker() - make a worker for the card that works by @conf; it is not released
 */
int agent_card_worker(struct agent_card *card, const struct conf_card *conf, struct worker **ret);

/**
 * agent_card_renew_worker() - go on with @worker and @conf, which are taken over, in place of those before
 * @change: CONF_OTHER_WAY or CONF_OTHER_KS
 */
void agent_card_renew_worker(struct agent_card *card, struct worker *worker, struct conf_card *conf,
                             enum conf_change change);

/**
 * agent_card_release() - let its worker work, unless it does
 */
void agent_card_release(struct agent_card *card);

/**
 * agent_card_forget() - erase the Ks and stop its clock. Returns whether there was one.
 */
bool agent_card_forget(struct agent_card *card);

/**
 * agent_card_has_ks() - whether there is a Ks that is alive
 */
bool agent_card_has_ks(struct agent_card *card);

/**
 * agent_card_want_bootstrap() - have the worker run one unless it does already
 */
int agent_card_want_bootstrap(struct agent_card *card);

/**
 * agent_card_want_probe() - have the worker ask the BSF whether it is there, unless it is about to
 */
int agent_card_want_probe(struct agent_card *card);
