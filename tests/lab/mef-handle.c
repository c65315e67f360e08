/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What every request for a resource of the MEF goes through: who may ask at all, and faults on demand.
 */

#include "lab-mef.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mef-names.h"

#define BUSY_DEFAULT_SEC 1u
#define BIG_LENGTH       262144u
#define RELEASE          "3"
#define NO_JSON          "{\"sec:mefClientReg\":{\"clientRegID\""

int mef_error(struct mef_exchange *exchange, unsigned status, unsigned rsc, const char *words) {
    json_t *object = json_pack("{s:s}", NAME_ERROR, words);

    exchange->status = status;
    exchange->rsc = rsc;
    exchange->answer = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return exchange->answer ? 0 : -ENOMEM;
}

/* Returns whether @exchange is answered. */
static bool show_fault_instead(struct mef *mef, struct mef_exchange *exchange, int *ret) {
    *ret = 0;
    if (mef_fault_take(mef, MEF_FAULT_SILENT))
        exchange->silent = true;
    else if (mef_fault_take(mef, MEF_FAULT_BUSY)) {
        unsigned seconds = mef->faults[MEF_FAULT_BUSY].seconds;

        exchange->retry_after_sec = seconds > 0 ? seconds : BUSY_DEFAULT_SEC;
        *ret = mef_error(exchange, MEF_BUSY, "busy");
    } else if (mef_fault_take(mef, MEF_FAULT_REFUSE))
        *ret = mef_error(exchange, MEF_NO_ACCESS, "refused on request");
    else if (mef_fault_take(mef, MEF_FAULT_CONFLICT))
        *ret = mef_error(exchange, MEF_CONFLICT, "a conflict on request");
    else if (mef_fault_take(mef, MEF_FAULT_ERROR))
        *ret = mef_error(exchange, MEF_INTERNAL_ERROR, "an error on request");
    else
        return false;
    return true;
}

static const char *find_stranger(const struct mef_exchange *exchange) {
    if (!exchange->enrolee)
        return "the handshake does not say who you are";
    if (exchange->enrolee->refused)
        return "this enrolee is refused";
    if (strcmp(exchange->from, exchange->enrolee->identity) != 0)
        return "X-M2M-Origin is not whom the handshake says";
    return NULL;
}

static const char *find_mistake(const struct mef_exchange *exchange) {
    if (exchange->number[0] == '\0')
        return "X-M2M-RI is missing";
    if (strcmp(exchange->release, RELEASE) != 0)
        return "X-M2M-RVI is not " RELEASE;
    if (exchange->body_length > 0 && !exchange->is_json)
        return "the body is not said to be JSON of oneM2M";
    return NULL;
}

static int serve(struct mef *mef, struct mef_exchange *exchange) {
    const char *wrong = find_stranger(exchange);

    if (wrong)
        return mef_error(exchange, MEF_NO_ACCESS, wrong);
    wrong = find_mistake(exchange);
    if (wrong)
        return mef_error(exchange, MEF_BAD_REQUEST, wrong);
    return mef_resources(mef, exchange);
}

static char *long_answer(void) {
    char *text = malloc(BIG_LENGTH + 1);

    if (text) {
        memset(text, ' ', BIG_LENGTH);
        text[0] = '{';
        text[BIG_LENGTH - 1] = '}';
        text[BIG_LENGTH] = '\0';
    }
    return text;
}

static int replace(struct mef_exchange *exchange, char *answer) {
    free(exchange->answer);
    exchange->answer = answer;
    return answer ? 0 : -ENOMEM;
}

static int spoil(struct mef *mef, struct mef_exchange *exchange) {
    exchange->lost = mef_fault_take(mef, MEF_FAULT_LOST);
    exchange->close = mef_fault_take(mef, MEF_FAULT_CLOSE);
    exchange->garbage = mef_fault_take(mef, MEF_FAULT_GARBAGE);
    exchange->other_type = exchange->answer && mef_fault_take(mef, MEF_FAULT_TYPE);
    exchange->other_number = mef_fault_take(mef, MEF_FAULT_NUMBER);
    if (mef_fault_take(mef, MEF_FAULT_JSON))
        return replace(exchange, strdup(NO_JSON));
    if (mef_fault_take(mef, MEF_FAULT_BIG))
        return replace(exchange, long_answer());
    return 0;
}

static int handle(struct mef *mef, struct mef_exchange *exchange) {
    int r;

    mef->counts.requests++;
    mef_note_handshake(mef, exchange);
    if (show_fault_instead(mef, exchange, &r))
        return r;
    r = serve(mef, exchange);
    return r < 0 ? r : spoil(mef, exchange);
}

int mef_handle(struct mef *mef, struct mef_exchange *exchange) {
    int r;

    (void)pthread_mutex_lock(&mef->lock);
    r = handle(mef, exchange);
    (void)pthread_mutex_unlock(&mef->lock);
    return r;
}
