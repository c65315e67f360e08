/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Requests: who asks for a key, and who waits for one.
 *
 * A request that can be answered at once is answered at once, and leaves nothing behind. The others
 * wait in their card's list for the one bootstrap that is under way, whatever their number.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent-enrol.h"
#include "gba.h"
#include "log.h"
#include "util.h"

#define DENIAL_LOG_INTERVAL_USEC (1 * USEC_PER_SEC)

static void agent_hand_over(const struct secret *key, const struct keystore_info *info,
                            bool bootstrapped, agent_key_fn done, void *userdata) {
    const struct agent_key answer = {
        .key = key,
        .btid = info->btid,
        .expires_usec = info->expires_usec,
        .expires_utc_usec = info->expires_utc_usec,
        .bootstrapped = bootstrapped,
    };

    done(0, &answer, NULL, userdata);
}

/* Derive, hand over, erase. */
static int agent_answer_key(struct agent_card *card, const char *naf_fqdn,
                            const uint8_t *ua_protocol, bool bootstrapped, agent_key_fn done,
                            void *userdata) {
    _cleanup_secret_ struct secret *key = NULL;
    struct keystore_info info;
    int r;

    /* Of a Ks that is in the card this gives none. */
    r = keystore_derive(card->store, naf_fqdn, ua_protocol, &key, &info);
    if (r == 0)
        agent_bsf_used(card);
    if (r == 0)
        agent_hand_over(key, &info, bootstrapped, done, userdata);
    return r;
}

static int agent_answer_bootstrap(struct agent_card *card, agent_key_fn done, void *userdata) {
    struct keystore_info info;
    int r;

    r = keystore_get(card->store, &info);
    if (r == 0)
        agent_hand_over(NULL, &info, true, done, userdata);
    return r;
}

static void agent_refuse(int r, const struct failure *failure, agent_key_fn done, void *userdata) {
    struct failure filled = *failure;

    (void)failure_set(&filled, r, "%s", outcome_name(r));
    done(r, NULL, &filled, userdata);
}

/* The rules may have been loaded again while it waited. */
static int agent_request_still_may(const struct agent_request *request, struct failure *failure) {
    if (request->ours)
        return 0;
    if (request->kind == AGENT_REQUEST_NAF_KEY)
        return access_may_naf(request->card->agent->access, &request->caller, request->naf_fqdn,
                              request->ua_protocol, failure);
    return access_check_manage(request->card->agent->access, &request->caller, failure);
}

void agent_request_refuse(struct agent_request *request, int r, const struct failure *failure) {
    const struct failure none = {0};

    agent_refuse(r, failure ? failure : &none, request->done, request->userdata);
    free(request);
}

void agent_request_hand_over(struct agent_request *request, const struct secret *key) {
    struct failure failure = {0};
    struct keystore_info info;
    int r;

    r = agent_request_still_may(request, &failure);
    if (r == 0)
        r = keystore_get(request->card->store, &info);
    if (r != 0) {
        agent_request_refuse(request, r, &failure);
        return;
    }
    keystore_count(request->card->store);
    agent_bsf_used(request->card);
    agent_hand_over(key, &info, request->bootstrapped, request->done, request->userdata);
    free(request);
}

/* A bootstrap has ended. */
static void agent_request_finish(struct agent_request *request, int r,
                                 const struct failure *failure) {
    struct failure own = {0};

    if (r == 0)
        r = agent_request_still_may(request, &own);
    request->bootstrapped = true;
    if (r == 0 && request->kind == AGENT_REQUEST_NAF_KEY &&
        keystore_is_in_card(request->card->store)) {
        r = agent_derive_begin(request);
        if (r == 0)
            return;
    } else if (r == 0 && request->kind == AGENT_REQUEST_NAF_KEY) {
        r = agent_answer_key(request->card, request->naf_fqdn, request->ua_protocol, true,
                             request->done, request->userdata);
    } else if (r == 0) {
        r = agent_answer_bootstrap(request->card, request->done, request->userdata);
    }
    if (r != 0)
        agent_request_refuse(request, r, failure ? failure : &own);
    else
        free(request);
}

void agent_requests_answer(struct agent_card *card, int r, const struct failure *failure) {
    struct agent_request_list answered;
    struct agent_request *request;

    agent_request_list_take(&card->waiting, &answered);
    while ((request = agent_request_list_pop(&answered))) {
        card->agent->pending--;
        agent_request_finish(request, r, failure);
    }
}

bool agent_requests_forced(const struct agent_card *card) {
    const struct agent_request *head = &card->waiting.head;

    for (const struct agent_request *request = head->next; request != head; request = request->next)
        if (request->force || request->kind == AGENT_REQUEST_BOOTSTRAP)
            return true;
    return false;
}

/* What is wrong with the card, for who would otherwise wait for nothing. 0 where a try is worth it. */
static int agent_check_card(const struct agent_card *card, struct failure *failure) {
    /* A transport program that died is started again by the job itself. */
    if (!card->known || card->state == KEYSTRAP_CARD_PRESENT || card->r == 0 ||
        card->r == UICC_E_TRANSPORT)
        return 0;
    return failure_set(failure, card->r, "%s", card->failure.text);
}

/* How many requests of the user @uid wait already. */
static size_t agent_count_user(const struct agent *agent, uid_t uid) {
    size_t count = 0;

    for (size_t i = 0; i < agent->cards_count; i++)
        count += agent_request_list_count_user(&agent->cards[i]->waiting, uid) +
                 agent_request_list_count_user(&agent->cards[i]->deriving, uid) +
                 agent_request_list_count_user(&agent->cards[i]->diagnosing, uid) +
                 agent_request_list_count_user(&agent->cards[i]->transmitting, uid);
    return count;
}

int agent_check_pending(const struct agent *agent, const struct access_caller *caller,
                        struct failure *failure) {
    if (agent->pending >= REQUESTS_PENDING_MAX)
        return failure_set(failure, ACCESS_E_TOO_MANY, "%u requests wait already; ask again later",
                           REQUESTS_PENDING_MAX);
    if (agent_count_user(agent, caller->uid) >= REQUESTS_PER_USER_MAX)
        return failure_set(failure, ACCESS_E_TOO_MANY,
                           "%u requests of uid %u wait already; ask again later",
                           REQUESTS_PER_USER_MAX, (unsigned)caller->uid);
    return 0;
}

/* Put a request into its card's list and see that what it waits for happens. */
int agent_request_enqueue(struct agent_request *request, struct failure *failure) {
    struct agent_card *card = request->card;
    int r;

    r = agent_check_pending(card->agent, &request->caller, failure);
    if (r == 0 && request->in_card) {
        r = agent_derive_begin(request);
        if (r != KEYS_E_NONE && r != KEYS_E_EXPIRED)
            return r;
        r = 0;
    }
    if (r == 0)
        r = agent_check_card(card, failure);
    /* Who may manage may also try before the BSF's time: its word is not under any proof. */
    if (r == 0 && card->bootstrap_job == 0 && request->kind != AGENT_REQUEST_BOOTSTRAP)
        r = agent_bsf_check(card, failure);
    if (r == 0)
        r = agent_card_want_bootstrap(card);
    if (r != 0)
        return r;
    agent_request_list_append(&card->waiting, request);
    card->agent->pending++;
    return 0;
}

static int agent_wait(const struct agent_request *template, struct agent_request **ret) {
    struct agent_request *request;
    struct failure failure = {0};
    int r;

    request = malloc(sizeof(*request));
    if (!request)
        return -ENOMEM;
    *request = *template;
    r = agent_request_enqueue(request, &failure);
    if (r != 0) {
        agent_refuse(r, &failure, request->done, request->userdata);
        free(request);
        return 0;
    }
    *ret = request;
    return 0;
}

void agent_log_denial(struct agent *agent, const struct access_caller *caller,
                      const struct failure *failure) {
    uint64_t *logged = &agent->denial_logged_usec[caller->uid % DENIAL_LOG_SLOTS];
    uint64_t now = now_usec();

    if (now - *logged < DENIAL_LOG_INTERVAL_USEC)
        return;
    *logged = now;
    log_message(LOG_NOTICE, MESSAGE_ID_DENIED, "denied: %s", failure->text);
}

/* Who asks for what, and whether it may have it. */
static int agent_check_naf(struct agent *agent, const struct access_caller *caller,
                           const struct agent_naf *naf, struct agent_request *request,
                           struct failure *failure) {
    int r;

    if (naf->ua_protocol_length != UA_PROTOCOL_LENGTH)
        return failure_set(failure, KEYS_E_UA_PROTOCOL,
                           "a Ua security protocol identifier has 5 octets (TS 33.220 Annex H), "
                           "not %zu",
                           naf->ua_protocol_length);
    if (naf->key_type && strcmp(naf->key_type, "int") == 0)
        return failure_set(failure, KEYS_E_TYPE,
                           "the internal key (Ks_int_NAF) stays in the card by design (TS 33.220 "
                           "5.3.3) and is handed to nobody; ask for \"ext\"");
    if (naf->key_type && strcmp(naf->key_type, "ext") != 0)
        return failure_set(
            failure, KEYS_E_TYPE, "there is no key of the type \"%.16s\"; ask for \"ext\"",
            text_is_plain(naf->key_type, strlen(naf->key_type)) ? naf->key_type : "?");
    r = gba_fqdn_normalise(naf->fqdn, request->naf_fqdn, failure);
    if (r == 0)
        r = access_check_naf(agent->access, caller, request->naf_fqdn, naf->ua_protocol, failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(agent, caller, failure);
    if (r == 0)
        r = agent_find_usable(agent, naf->uicc, &request->card, failure);
    return r;
}

/* @r and @failure are what the checks of @request gave. */
static int agent_naf_key_begin(struct agent_request *request, const struct agent_naf *naf, int r,
                               struct failure *failure, struct agent_request **ret) {
    /* Without a Ks it brings nothing about that would not be anyway. */
    if (r == 0 && naf->force && agent_card_has_ks(request->card))
        r = agent_bsf_renegotiate(request->card, failure);
    if (r == 0 && !naf->force && keystore_is_in_card(request->card->store)) {
        request->in_card = true;
    } else if (r == 0 && !naf->force) {
        r = agent_answer_key(request->card, request->naf_fqdn, naf->ua_protocol, false,
                             request->done, request->userdata);
        if (r == 0)
            return 0;
        if (r == KEYS_E_NONE || r == KEYS_E_EXPIRED)
            r = 0;
    }
    if (r != 0) {
        agent_refuse(r, failure, request->done, request->userdata);
        return 0;
    }
    memcpy(request->ua_protocol, naf->ua_protocol, sizeof(request->ua_protocol));
    return agent_wait(request, ret);
}

int agent_derive_naf_key(struct agent *agent, const struct access_caller *caller,
                         const struct agent_naf *naf, agent_key_fn done, void *userdata,
                         struct agent_request **ret) {
    struct agent_request request = {
        .kind = AGENT_REQUEST_NAF_KEY,
        .caller = *caller,
        .force = naf->force,
        .done = done,
        .userdata = userdata,
    };
    struct failure failure = {0};
    int r;

    *ret = NULL;
    r = agent_check_naf(agent, caller, naf, &request, &failure);
    return agent_naf_key_begin(&request, naf, r, &failure, ret);
}

int agent_want_naf_key(struct agent *agent, const struct access_caller *caller,
                       const struct agent_naf *naf, agent_key_fn done, void *userdata,
                       struct agent_request **ret) {
    struct agent_request request = {
        .kind = AGENT_REQUEST_NAF_KEY,
        .caller = *caller,
        .ours = true,
        .done = done,
        .userdata = userdata,
    };
    struct failure failure = {0};
    int r;

    *ret = NULL;
    r = gba_fqdn_normalise(naf->fqdn, request.naf_fqdn, &failure);
    if (r == 0)
        r = agent_find_usable(agent, naf->uicc, &request.card, &failure);
    return agent_naf_key_begin(&request, naf, r, &failure, ret);
}

int agent_want_ks(struct agent *agent, const char *uicc, agent_key_fn done, void *userdata,
                  struct agent_request **ret) {
    struct agent_request request = {
        .kind = AGENT_REQUEST_KS,
        .ours = true,
        .done = done,
        .userdata = userdata,
    };
    struct failure failure = {0};
    int r;

    *ret = NULL;
    r = agent_find_usable(agent, uicc, &request.card, &failure);
    if (r != 0) {
        agent_refuse(r, &failure, done, userdata);
        return 0;
    }
    if (agent_card_has_ks(request.card) &&
        agent_answer_bootstrap(request.card, done, userdata) == 0)
        return 0;
    return agent_wait(&request, ret);
}

int agent_may_manage(struct agent *agent, const struct access_caller *caller,
                     struct failure *failure) {
    int r;

    r = access_check_manage(agent->access, caller, failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(agent, caller, failure);
    return r;
}

/* Whether @caller may manage, and the card that it means. */
int agent_check_manage(struct agent *agent, const struct access_caller *caller, const char *uicc,
                       struct agent_card **ret, struct failure *failure) {
    int r;

    r = agent_may_manage(agent, caller, failure);
    return r == 0 ? agent_find_card(agent, uicc, ret, failure) : r;
}

int agent_bootstrap(struct agent *agent, const struct access_caller *caller, const char *uicc,
                    agent_key_fn done, void *userdata, struct agent_request **ret) {
    struct agent_request request = {
        .kind = AGENT_REQUEST_BOOTSTRAP,
        .caller = *caller,
        .done = done,
        .userdata = userdata,
    };
    struct failure failure = {0};
    int r;

    *ret = NULL;
    r = agent_check_manage(agent, caller, uicc, &request.card, &failure);
    if (r == 0)
        r = agent_find_usable(agent, uicc, &request.card, &failure);
    if (r != 0) {
        agent_refuse(r, &failure, done, userdata);
        return 0;
    }
    return agent_wait(&request, ret);
}

struct agent_request *agent_request_cancel(struct agent_request *request) {
    struct agent_card *card;

    if (!request)
        return NULL;
    if (request->enrolment) {
        agent_enrol_cancelled(request);
        return NULL;
    }
    card = request->card;
    agent_request_list_remove(request);
    card->agent->pending--;
    if (request->kind == AGENT_REQUEST_SE)
        agent_se_cancelled(request);
    if (request->job != 0)
        worker_cancel(card->worker, request->job);
    free(request);

    /* A job that nobody waits for ends; who asks from now on gets a new one. */
    if (agent_request_list_empty(&card->waiting))
        card->bootstrap_wanted = false;
    if (card->bootstrap_job != 0 && !card->renewing && agent_request_list_empty(&card->waiting)) {
        worker_cancel(card->worker, card->bootstrap_job);
        card->bootstrap_job = 0;
        agent_touch(card->agent);
    }
    if (card->probe_job != 0 && agent_request_list_empty(&card->diagnosing)) {
        worker_cancel(card->worker, card->probe_job);
        card->probe_job = 0;
    }
    return NULL;
}

int agent_forget(struct agent *agent, const struct access_caller *caller, const char *uicc,
                 struct failure *failure) {
    struct agent_card *card;
    int r;

    r = agent_check_manage(agent, caller, uicc, &card, failure);
    for (size_t i = 0; r == 0 && i < agent->cards_count; i++)
        if (!uicc || agent->cards[i] == card)
            (void)agent_card_forget(agent->cards[i]);
    return r;
}

/* The card whose Ks has @btid; NULL for none. */
static struct agent_card *agent_card_of_btid(struct agent *agent, const char *btid) {
    struct keystore_info info;

    for (size_t i = 0; i < agent->cards_count; i++)
        if (keystore_get(agent->cards[i]->store, &info) == 0 && strcmp(info.btid, btid) == 0)
            return agent->cards[i];
    return NULL;
}

int agent_invalidate(struct agent *agent, const struct access_caller *caller, const char *btid,
                     struct failure *failure) {
    struct failure denial = {0};
    struct agent_card *card;
    int r;

    r = access_check_any(agent->access, caller, &denial);
    if (r != 0 && access_check_manage(agent->access, caller, NULL) != 0) {
        agent_log_denial(agent, caller, &denial);
        return failure_set(failure, r, "%s", denial.text);
    }
    card = agent_card_of_btid(agent, btid);
    if (!card)
        return 0; /* it is as dead as it was wished to be */
    r = agent_bsf_renegotiate(card, failure);
    if (r == 0)
        (void)agent_card_forget(card);
    return r;
}

int agent_get_identity(struct agent *agent, const struct access_caller *caller, const char *uicc,
                       const struct uicc_identity **ret, const char **ret_impi,
                       struct failure *failure) {
    struct agent_card *card;
    int r;

    r = agent_check_manage(agent, caller, uicc, &card, failure);
    if (r != 0)
        return r;
    if (!card->known || card->state != KEYSTRAP_CARD_PRESENT)
        return failure_set(failure, UICC_E_CARD_ABSENT, "no card is there to tell an identity");
    *ret = &card->identity;
    *ret_impi = card->impi;
    return 0;
}
