/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The thread of the card's worker. It alone touches the transport, the card and the HTTP helper. Between jobs it
 * sleeps in poll(2) until the transport, a job or a timer calls.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "card-push.h"
#include "util.h"
#include "worker-internal.h"

static void worker_post(struct worker *worker, struct worker_report *report) {
    pthread_mutex_lock(&worker->lock);
    *worker->reports_tail = report;
    worker->reports_tail = &report->next;
    pthread_mutex_unlock(&worker->lock);
    eventfd_signal(worker->report_fd);
}

void worker_on_plugin_started(int pidfd, void *userdata) {
    struct worker *worker = userdata;

    worker->started_usec = now_usec();
    pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
    pthread_mutex_lock(&worker->lock);
    safe_close(worker->plugin_pidfd);
    worker->plugin_pidfd = pidfd;
    if (worker->hurry && pidfd >= 0)
        (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    pthread_mutex_unlock(&worker->lock);
}

static bool card_report_equal(const struct worker_report *a, const struct worker_report *b) {
    return a->r == b->r && a->card == b->card && a->departures == b->departures &&
           strcmp(a->reader, b->reader) == 0 && strcmp(a->impi, b->impi) == 0 &&
           strcmp(a->bsf, b->bsf) == 0 && strcmp(a->failure.text, b->failure.text) == 0 &&
           strcmp(a->identity.iccid, b->identity.iccid) == 0 &&
           a->identity.application == b->identity.application &&
           a->identity.pin == b->identity.pin && a->identity.pin_tries == b->identity.pin_tries;
}

/*
 * When to look again by ourselves. A delay that has grown stays until a transport program has lived for a while: one that
 * starts well and then dies is started ever less often, too.
 */
static void worker_plan_next_look(struct worker *worker, int r) {
    bool settled = plugin_running(worker->card.plugin) &&
                   now_usec() - worker->started_usec >= PLUGIN_SETTLED_USEC;

    if (r == 0 || !card_job_is_transient(&worker->card, r)) {
        if (settled)
            worker->retry_delay = 0;
        worker->retry_at = USEC_INFINITY;
        return;
    }
    worker->retry_delay =
        worker->retry_delay == 0 ? PLUGIN_RESTART_MIN_USEC : worker->retry_delay * 2;
    if (worker->retry_delay > PLUGIN_RESTART_MAX_USEC)
        worker->retry_delay = PLUGIN_RESTART_MAX_USEC;
    worker->retry_at = deadline_after(worker->retry_delay);
}

/* Read the card where that was not done, and tell what is new. */
static void worker_look(struct worker *worker) {
    struct card_job *card = &worker->card;
    const struct plugin_state *state;
    struct worker_report *report;

    report = calloc(1, sizeof(*report));
    if (!report) {
        worker->retry_at = deadline_after(PLUGIN_RESTART_MAX_USEC);
        return;
    }
    report->kind = WORKER_CARD;
    report->r = card_job_read(card, &report->failure);

    state = plugin_state(card->plugin);
    report->card = card->unmatched ? KEYSTRAP_CARD_ABSENT : state->card;
    if (!card->unmatched)
        memcpy(report->reader, state->reader, sizeof(report->reader));
    report->identity.pin_tries = -1;
    if (card->uicc)
        report->identity = *uicc_identity(card->uicc);
    report->departures = card->departures;
    memcpy(report->impi, card->impi, sizeof(report->impi));
    memcpy(report->bsf, card->bsf, sizeof(report->bsf));
    if (report->r == 0 && card->fresh)
        report->resumed = card_gba_resume(card, &report->result);
    card->fresh = false;

    worker_plan_next_look(worker, report->r);
    if (!report->resumed && worker->last && card_report_equal(worker->last, report)) {
        worker_report_free(report);
        return;
    }
    worker_report_free(worker->last);
    worker->last = malloc(sizeof(*report));
    if (worker->last)
        memcpy(worker->last, report, sizeof(*report)); /* a card's report owns nothing */
    worker_post(worker, report);
}

/* A card that went after the bootstrap looked at it last takes its Ks with it. */
static void worker_void_result(struct worker_report *job) {
    ub_result_done(&job->result);
    memset(&job->result, 0, sizeof(job->result));
    job->r = card_job_fail_changed(&job->failure);
}

static int worker_bootstrap_now(struct worker *worker, struct worker_report *job) {
    int r = card_job_bootstrap(&worker->card, &job->result, &job->retry_after_usec, &job->failure);

    job->ks_lost = r != 0 && worker->card.ks_lost;
    return r;
}

static int worker_probe_now(struct worker *worker, struct worker_report *job) {
    int r = card_job_probe(&worker->card, &job->date, &job->failure);

    card_gba_list(&worker->card, job->nafs, sizeof(job->nafs));
    return r;
}

static void worker_run_job(struct worker *worker, struct worker_report *job) {
    uint64_t begin = now_usec(), generation;
    bool stop;

    if (job->r != 0)
        job->r = failure_set(&job->failure, job->r, "cancelled before it began");
    else if (job->kind == WORKER_BOOTSTRAP)
        job->r = worker_bootstrap_now(worker, job);
    else if (job->kind == WORKER_PROBE)
        job->r = worker_probe_now(worker, job);
    else if (job->kind == WORKER_DERIVE)
        job->r = card_gba_derive(&worker->card, job->derive, &job->failure);
    else if (job->kind == WORKER_PUSH)
        job->r = card_push(&worker->card, job->push, &job->failure);
    else
        job->r = card_se_run(&worker->card, job->kind, job->se, &job->failure);
    job->total_usec = now_usec() - begin;

    pthread_mutex_lock(&worker->lock);
    worker->running = 0;
    stop = worker->stop;
    pthread_mutex_unlock(&worker->lock);

    /*
     * The main thread learns of the card before it learns what became of the job, unless it has lost interest. A
     * transport that ended in the job is started again only afterwards: who waits has waited long enough.
     */
    generation = worker->card.generation;
    if (job->se && plugin_running(worker->card.plugin) &&
        plugin_state(worker->card.plugin)->generation == generation)
        ; /* A command of a caller changes nothing that is told of the card. */
    else if (!stop && plugin_running(worker->card.plugin))
        worker_look(worker);
    else
        worker->retry_at = now_usec();
    if (job->kind == WORKER_BOOTSTRAP && job->r == 0 &&
        plugin_state(worker->card.plugin)->generation != generation)
        worker_void_result(job);
    worker_post(worker, job);
}

static struct worker_report *worker_take_job(struct worker *worker, bool *ret_stop) {
    struct worker_report *job;

    pthread_mutex_lock(&worker->lock);
    eventfd_drain(worker->job_fd);
    *ret_stop = worker->stop;
    job = worker->stop ? NULL : worker->jobs;
    if (job) {
        worker->jobs = job->next;
        job->next = NULL;
        /* A cancellation of the job before came too late for it and is not for this one. */
        eventfd_drain(worker->cancel_fd);
        worker->running = job->job;
    }
    pthread_mutex_unlock(&worker->lock);
    return job;
}

/* Sleep until the transport, a job or a timer has something for us. */
static void worker_wait(struct worker *worker) {
    uint64_t until = http_client_idle(worker->card.http);
    struct pollfd fds[] = {
        {.fd = worker->job_fd, .events = POLLIN},
        {.fd = plugin_fd(worker->card.plugin), .events = POLLIN},
        {.fd = plugin_pidfd(worker->card.plugin), .events = POLLIN},
    };

    if (worker->retry_at < until)
        until = worker->retry_at;
    (void)poll(fds, ELEMENTS(fds), deadline_poll_msec(until));
    if (fds[1].revents || fds[2].revents || now_usec() >= worker->retry_at)
        worker_look(worker);
}

/* Returns false when it is to stop instead. */
static bool worker_await_release(struct worker *worker) {
    struct pollfd fds = {.fd = worker->job_fd, .events = POLLIN};
    bool released, stop;

    for (;;) {
        pthread_mutex_lock(&worker->lock);
        released = worker->released;
        stop = worker->stop;
        pthread_mutex_unlock(&worker->lock);
        if (released || stop)
            return !stop;
        (void)poll(&fds, 1, -1);
        eventfd_drain(worker->job_fd);
    }
}

void *worker_main(void *argument) {
    struct worker *worker = argument;
    bool stop = !worker_await_release(worker);

    if (!stop)
        worker_look(worker);
    while (!stop) {
        struct worker_report *job = worker_take_job(worker, &stop);

        if (job)
            worker_run_job(worker, job);
        else if (!stop)
            worker_wait(worker);
    }
    /* Here and not in worker_free(): the programs die with the thread that started them. */
    card_job_done(&worker->card);
    eventfd_signal(worker->done_fd);
    return NULL;
}
