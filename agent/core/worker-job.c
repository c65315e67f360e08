/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What travels between the main thread and the worker with a job: a file of its own, because both sides have it in hand
 * and either may be the one that erases it.
 */

#include <stdlib.h>

#include "worker.h"

struct worker_derive *worker_derive_free(struct worker_derive *derive) {
    if (!derive)
        return NULL;
    derive->key = secret_free(derive->key);
    free(derive);
    return NULL;
}

struct worker_push *worker_push_free(struct worker_push *push) {
    if (!push)
        return NULL;
    push->key = secret_free(push->key);
    free(push);
    return NULL;
}

struct worker_se *worker_se_free(struct worker_se *se) {
    if (!se)
        return NULL;
    se->command = secret_free(se->command);
    apdu_answer_done(&se->answer);
    free(se);
    return NULL;
}
