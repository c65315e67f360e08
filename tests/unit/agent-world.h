/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The agent without a card: its workers are this file, so that every report comes when the test wants it.
 */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/arena.h"
#include "agent.h"
#include "util.h"
#include "worker.h"

#define UNUSED_IN_SOME __attribute__((unused))

#define IMPI "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define BSF  "bsf.mnc001.mcc001.pub.3gppnetwork.org"

/* --- The workers ------------------------------------------------------------------------------- */

struct worker {
    struct worker *next;
    const struct conf_card *conf;
    worker_report_fn report;
    void *userdata;
    worker_ended_fn ended; /* it was stopped */
    void *ended_userdata;
    bool released;
};

static struct {
    struct worker *workers_list; /* the living ones, the newest first */
    struct worker *worker;       /* whose reports come: the newest, or what use_worker() chose */
    unsigned workers;            /* made so far */
    bool refuse_jobs;
    int64_t jobs;       /* the number of the last */
    uint64_t cancelled; /* the job that was cancelled last */
    int refuse_worker;  /* what worker_new() returns */
    bool refuse_se;
    unsigned se_count;
    struct {
        enum worker_report_kind kind;
        struct worker_se *se;
    } se[16]; /* for channels, not reported yet */
    unsigned derive_count;
    struct {
        int64_t job;
        struct worker_derive *derive;
    } derive[16]; /* in the card, not reported yet */
    struct worker_push *push; /* the last one, not reported yet */
    int64_t push_job;
} fake;

int worker_new(sd_event *event, const struct conf_card *conf, const char *plugin_directory,
               worker_report_fn report, void *userdata, struct worker **ret) {
    (void)event;
    (void)plugin_directory;
    if (fake.refuse_worker)
        return fake.refuse_worker;
    fake.worker = calloc(1, sizeof(*fake.worker));
    assert_non_null(fake.worker);
    *fake.worker = (struct worker){
        .next = fake.workers_list, .conf = conf, .report = report, .userdata = userdata};
    fake.workers_list = fake.worker;
    fake.workers++;
    *ret = fake.worker;
    return 0;
}

void worker_release(struct worker *worker) {
    assert_false(worker->released);
    /* Never two of them at one card. */
    for (struct worker *other = fake.workers_list; other; other = other->next)
        assert_null(other->ended);
    worker->released = true;
}

int worker_stop(struct worker *worker, worker_ended_fn ended, void *userdata) {
    assert_null(worker->ended);
    worker->ended = ended;
    worker->ended_userdata = userdata;
    return 0;
}

struct worker *worker_free(struct worker *worker) {
    for (struct worker **at = &fake.workers_list; *at; at = &(*at)->next) {
        if (*at == worker) {
            *at = worker->next;
            break;
        }
    }
    if (fake.worker == worker)
        fake.worker = fake.workers_list;
    free(worker);
    return NULL;
}

/* All that were stopped leave their cards. */
UNUSED_IN_SOME static void let_go(void) {
    struct worker *next;

    for (struct worker *worker = fake.workers_list; worker; worker = next) {
        next = worker->next;
        if (worker->ended)
            worker->ended(worker, worker->ended_userdata);
    }
}

static struct worker *worker_of(const char *name) {
    for (struct worker *worker = fake.workers_list; worker; worker = worker->next)
        if (!worker->ended && strcmp(worker->conf->name, name) == 0)
            return worker;
    return NULL;
}

/* Whose reports come from now on. */
UNUSED_IN_SOME static struct worker *use_worker(const char *name) {
    fake.worker = worker_of(name);
    assert_non_null(fake.worker);
    return fake.worker;
}

int64_t worker_bootstrap(struct worker *worker) {
    assert_null(worker->ended);
    return fake.refuse_jobs ? -ENOMEM : ++fake.jobs;
}

int64_t worker_probe(struct worker *worker) {
    assert_null(worker->ended);
    return ++fake.jobs;
}

int64_t worker_derive(struct worker *worker, struct worker_derive *derive) {
    assert_null(worker->ended);
    assert_true(fake.derive_count < ELEMENTS(fake.derive));
    fake.derive[fake.derive_count].job = ++fake.jobs;
    fake.derive[fake.derive_count++].derive = derive;
    return fake.jobs;
}

int64_t worker_push(struct worker *worker, struct worker_push *push) {
    assert_null(worker->ended);
    if (fake.refuse_jobs)
        return -ENOMEM;
    assert_null(fake.push);
    fake.push = push;
    return fake.push_job = ++fake.jobs;
}

int64_t worker_se(struct worker *worker, enum worker_report_kind kind, struct worker_se *se) {
    assert_null(worker->ended);
    if (fake.refuse_se)
        return -ENOMEM;
    assert_true(fake.se_count < 16);
    fake.se[fake.se_count].kind = kind;
    fake.se[fake.se_count++].se = se;
    return ++fake.jobs;
}

void worker_cancel(struct worker *worker, uint64_t job) {
    assert_null(worker->ended);
    fake.cancelled = job;
}

static void report(struct worker_report *r) {
    fake.worker->report(r, fake.worker->userdata);
    ub_result_done(&r->result);
}

UNUSED_IN_SOME static void report_card(enum keystrap_card_state card, int r, const char *iccid) {
    struct worker_report told = {.kind = WORKER_CARD, .card = card, .r = r};

    if (r != 0)
        (void)failure_set(&told.failure, r, "the card is not usable");
    if (iccid) {
        (void)snprintf(told.identity.iccid, sizeof(told.identity.iccid), "%s", iccid);
        (void)snprintf(told.impi, sizeof(told.impi), "%s", IMPI);
        (void)snprintf(told.bsf, sizeof(told.bsf), "%s", BSF);
    }
    report(&told);
}

UNUSED_IN_SOME static void report_ready(void) {
    report_card(KEYSTRAP_CARD_PRESENT, 0, "8988211000000000017");
}

UNUSED_IN_SOME static void report_bootstrapped(int64_t job, uint64_t life_usec) {
    struct worker_report told = {.kind = WORKER_BOOTSTRAP, .job = (uint64_t)job};

    assert_int_equal(secret_new(KS_LENGTH, &told.result.ks), 0);
    (void)snprintf(told.result.impi, sizeof(told.result.impi), "%s", IMPI);
    (void)snprintf(told.result.btid, sizeof(told.result.btid), "btid-%" PRIi64 "@" BSF, job);
    told.result.expires_usec = deadline_after(life_usec);
    told.total_usec = 1000;
    report(&told);
}

UNUSED_IN_SOME static void report_failed(int64_t job, int r, uint64_t retry_after_usec) {
    struct worker_report told = {.kind = WORKER_BOOTSTRAP,
                                 .job = (uint64_t)job,
                                 .r = r,
                                 .retry_after_usec = retry_after_usec};

    (void)failure_set(&told.failure, r, "the BSF said no");
    report(&told);
}

/* --- The callers ------------------------------------------------------------------------------ */

struct answer {
    unsigned count;
    int r;
    char btid[BTID_MAX + 1];
    char text[FAILURE_TEXT_MAX];
    bool bootstrapped;
    bool has_key;
};

UNUSED_IN_SOME static void on_key(int r, const struct agent_key *key, const struct failure *failure,
                   void *userdata) {
    struct answer *answer = userdata;

    answer->count++;
    answer->r = r;
    answer->has_key = key && key->key && secret_length(key->key) == NAF_KEY_LENGTH;
    answer->bootstrapped = key && key->bootstrapped;
    (void)snprintf(answer->btid, sizeof(answer->btid), "%s", key ? key->btid : "");
    (void)snprintf(answer->text, sizeof(answer->text), "%s", failure ? failure->text : "");
}

static const uint8_t ua_digest[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x00, 0x02};
static const struct access_caller meter = {.uid = 4711};
UNUSED_IN_SOME static const struct access_caller root = {.uid = 0};

struct world {
    char directory[64];
    sd_event *event;
    struct agent *agent;
};

static struct agent_request *ask_card(struct world *world, const char *uicc, const char *naf,
                                      bool force, struct answer *answer) {
    const struct agent_naf what = {
        .uicc = uicc,
        .fqdn = naf,
        .ua_protocol = ua_digest,
        .ua_protocol_length = sizeof(ua_digest),
        .force = force,
    };
    struct agent_request *request = NULL;

    assert_int_equal(
        agent_derive_naf_key(world->agent, &meter, &what, on_key, answer, &request), 0);
    return request;
}

UNUSED_IN_SOME static struct agent_request *ask(struct world *world, const char *naf, bool force,
                                 struct answer *answer) {
    return ask_card(world, NULL, naf, force, answer);
}

UNUSED_IN_SOME static enum agent_state state_of_card(struct world *world, size_t index) {
    struct agent_status status;

    agent_get_status(world->agent, index, &status);
    return status.state;
}

UNUSED_IN_SOME static enum agent_state state_of(struct world *world) {
    return state_of_card(world, 0);
}

UNUSED_IN_SOME static void write_file(const struct world *world, const char *name, const char *text) {
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", world->directory, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

UNUSED_IN_SOME static int set_up(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    struct agent_options options;
    struct failure failure = {0};
    char path[128];

    assert_non_null(world);
    memset(&fake, 0, sizeof(fake));
    (void)snprintf(world->directory, sizeof(world->directory), "/tmp/keystrap-agent-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    (void)snprintf(path, sizeof(path), "%s/access.d", world->directory);
    assert_int_equal(mkdir(path, 0755), 0);
    write_file(world, "access.d/meter.conf",
               "[Principal meter]\nUser=4711\nNafFqdn=*.example.com\nUaProtocol=*\n"
               "KeysPerMinute=infinity\n");
    options = (struct agent_options){.config_directory = world->directory,
                                     .plugin_directory = "/nonexistent"};
    assert_true(sd_event_new(&world->event) >= 0);
    assert_int_equal(agent_new(world->event, &options, &world->agent, &failure), 0);
    assert_int_equal(agent_start(world->agent, &failure), 0);
    *state = world;
    return 0;
}

UNUSED_IN_SOME static int tear_down(void **state) {
    struct world *world = *state;
    char path[128];

    agent_free(world->agent);
    assert_null(fake.workers_list);
    sd_event_unref(world->event);
    (void)snprintf(path, sizeof(path), "%s/access.d/meter.conf", world->directory);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/access.d", world->directory);
    (void)rmdir(path);
    (void)snprintf(path, sizeof(path), "%s/keystrap.conf", world->directory);
    (void)unlink(path);
    (void)rmdir(world->directory);
    free(world);
    return arena_empty(state);
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
