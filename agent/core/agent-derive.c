/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keys of a Ks that is in the card (GBA_U): whoever asks for one waits until the card has derived it.
 *
 * Nothing of it is kept here: the card is asked each time. A card that has lost its Ks brings about one bootstrap, as
 * if there had been none.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-internal.h"
#include "util.h"

int agent_derive_begin(struct agent_request *request) {
    struct agent_card *card = request->card;
    struct worker_derive *derive;
    struct keystore_info info;
    int64_t job;
    int r;

    r = keystore_get(card->store, &info);
    if (r != 0)
        return r;
    derive = calloc(1, sizeof(*derive));
    if (!derive)
        return -ENOMEM;
    memcpy(derive->naf_fqdn, request->naf_fqdn, sizeof(derive->naf_fqdn));
    memcpy(derive->ua_protocol, request->ua_protocol, sizeof(derive->ua_protocol));
    memcpy(derive->iccid, card->ks_iccid, sizeof(derive->iccid));
    strncpy(derive->impi, info.impi, sizeof(derive->impi) - 1);
    job = worker_derive(card->worker, derive);
    if (job < 0) {
        worker_derive_free(derive);
        return (int)job;
    }
    agent_deriving_join(request, (uint64_t)job);
    return 0;
}

struct agent_request *agent_deriving_find(struct agent_card *card, uint64_t job) {
    struct agent_request *head = &card->deriving.head;

    for (struct agent_request *request = head->next; request != head; request = request->next)
        if (request->job == job)
            return request;
    return NULL;
}

void agent_deriving_join(struct agent_request *request, uint64_t job) {
    request->job = job;
    agent_request_list_append(&request->card->deriving, request);
    request->card->agent->pending++;
}

void agent_deriving_leave(struct agent_request *request) {
    agent_request_list_remove(request);
    request->job = 0;
    request->card->agent->pending--;
}

/* The Ks that it was to come from is not there any more: once, that is no worse than to have none. */
static void begin_anew(struct agent_request *request, int r, const struct failure *failure) {
    struct failure own = {0};

    (void)agent_card_forget(request->card);
    if (request->anew) {
        agent_request_refuse(request, r, failure);
        return;
    }
    request->anew = true;
    request->in_card = false;
    r = agent_request_enqueue(request, &own);
    if (r != 0)
        agent_request_refuse(request, r, &own);
}

void agent_derive_on_report(struct agent_card *card, struct worker_report *report) {
    struct agent_request *request = agent_deriving_find(card, report->job);

    if (!request)
        return;
    agent_deriving_leave(request);
    if (report->r == UICC_E_CONDITIONS || !keystore_is_in_card(card->store)) {
        begin_anew(request, report->r != 0 ? report->r : KEYS_E_NONE, &report->failure);
        return;
    }
    if (report->r != 0) {
        agent_request_refuse(request, report->r, &report->failure);
        return;
    }
    agent_request_hand_over(request, report->derive->key);
}

void agent_derives_answer(struct agent_card *card, int r, const struct failure *failure) {
    struct agent_request *request;

    while (!agent_request_list_empty(&card->deriving)) {
        request = card->deriving.head.next;
        agent_deriving_leave(request);
        agent_request_refuse(request, r, failure);
    }
}

void agent_derives_queue_again(struct agent_card *card) {
    struct agent_request_list again;
    struct agent_request *request;
    struct failure failure = {0};
    int r;

    agent_request_list_take(&card->deriving, &again);
    while ((request = agent_request_list_pop(&again))) {
        request->job = 0;
        card->agent->pending--;
        if (request->kind == AGENT_REQUEST_PUSH)
            r = agent_push_given_up(&failure);
        else
            r = keystore_is_in_card(card->store) ? agent_derive_begin(request)
                                                 : agent_request_enqueue(request, &failure);
        if (r != 0)
            agent_request_refuse(request, r, &failure);
    }
}
