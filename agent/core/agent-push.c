/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA push (TS 33.223): an application hands in what its NAF has sent, and gets the key that it yields.
 *
 * The application must have the right to that NAF's keys, as if it had asked for one: what a push names is no right of its
 * own. Nothing is kept; who needs the key again asks for another push.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-internal.h"
#include "gba.h"
#include "util.h"

static void refuse(int r, const struct failure *failure, agent_key_fn done, void *userdata) {
    struct failure filled = *failure;

    (void)failure_set(&filled, r, "%s", outcome_name(r));
    done(r, NULL, &filled, userdata);
}

/* Whether @caller may have what @gpi is for, and with which card. */
static int check(struct agent *agent, const struct access_caller *caller, const struct gpi *gpi,
                 struct agent_card **ret, struct failure *failure) {
    int r;

    r = access_check_naf(agent->access, caller, gpi->naf_fqdn, gpi->ua_protocol, failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(agent, caller, failure);
    if (r == 0)
        r = agent_check_pending(agent, caller, failure);
    if (r == 0)
        r = agent_find_usable(agent, NULL, ret, failure);
    return r;
}

static int enqueue(const struct agent_request *template, struct worker_push *push,
                   struct agent_request **ret) {
    struct agent_request *request;
    int64_t job;

    request = malloc(sizeof(*request));
    if (!request)
        return -ENOMEM;
    job = worker_push(template->card->worker, push);
    if (job < 0) {
        free(request);
        return (int)job;
    }
    *request = *template;
    agent_deriving_join(request, (uint64_t)job);
    *ret = request;
    return 0;
}

int agent_push_info(struct agent *agent, const struct access_caller *caller, const uint8_t *gpi,
                    size_t length, agent_key_fn done, void *userdata, struct agent_request **ret) {
    struct agent_request request = {
        .kind = AGENT_REQUEST_PUSH,
        .caller = *caller,
        .done = done,
        .userdata = userdata,
    };
    struct failure failure = {0};
    struct worker_push *push;
    int r;

    *ret = NULL;
    push = calloc(1, sizeof(*push));
    if (!push)
        return -ENOMEM;
    r = gpi_parse(gpi, length, &push->gpi, &failure);
    if (r == 0)
        r = check(agent, caller, &push->gpi, &request.card, &failure);
    if (r == 0) {
        memcpy(push->data, gpi, length);
        push->length = length;
        memcpy(request.naf_fqdn, push->gpi.naf_fqdn, sizeof(request.naf_fqdn));
        memcpy(request.ua_protocol, push->gpi.ua_protocol, sizeof(request.ua_protocol));
        r = enqueue(&request, push, ret);
    }
    if (r != 0) {
        worker_push_free(push);
        if (r > 0)
            refuse(r, &failure, done, userdata);
        return r > 0 ? 0 : r;
    }
    return 0;
}

/* The key counts by the local clock, the only one that there is here. */
static int hand_over(struct agent_request *request, const struct worker_push *push,
                     struct failure *failure) {
    struct agent_key answer = {
        .key = push->key,
        .btid = push->gpi.ptid,
        .naf_fqdn = push->gpi.naf_fqdn,
    };
    int r;

    r = access_may_naf(request->card->agent->access, &request->caller, request->naf_fqdn,
                       request->ua_protocol, failure);
    if (r == 0)
        r = ub_lifetime_by_clock(push->gpi.lifetime_text, request->card->conf->lifetime_max_usec,
                                 &answer.expires_usec, &answer.expires_utc_usec);
    if (r == UB_E_LIFETIME)
        return failure_set(
            failure, r,
            "the pushed key's life is over, or this machine's clock is not set; set the "
            "clock, or ask the sender for a new GBA Push Info");
    if (r != 0)
        return r;
    request->done(0, &answer, NULL, request->userdata);
    return 0;
}

void agent_push_on_report(struct agent_card *card, struct worker_report *report) {
    struct agent_request *request = agent_deriving_find(card, report->job);
    struct failure failure = report->failure;
    int r = report->r;

    /* Whatever became of it: the card has another Ks now, or may have. */
    if (report->push->gpi.mode == GBA_MODE_U && keystore_is_in_card(card->store))
        (void)agent_card_forget(card);
    if (!request)
        return;
    agent_deriving_leave(request);
    if (r == 0)
        r = hand_over(request, report->push, &failure);
    if (r != 0)
        agent_request_refuse(request, r, &failure);
    else
        free(request);
}

int agent_push_given_up(struct failure *failure) {
    return failure_set(
        failure, UB_E_CANCELLED,
        "the configuration changed while the GBA Push Info was used; ask its sender for "
        "a new one");
}
