/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The card's worker: a thread with two queues.
 *
 * Jobs go in by number and kind, reports come out through an eventfd that the main loop watches. The lock guards the
 * queues and nothing else is shared. What the thread does is in worker-thread.c; this file is the main thread's side.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>

#include "util.h"
#include "worker-internal.h"

#define WORKER_STACK           (512u * 1024)
#define WORKER_STOP_GRACE_USEC (1 * USEC_PER_SEC) /* to leave the card in good order */

void worker_report_free(struct worker_report *report) {
    if (report) {
        ub_result_done(&report->result);
        worker_derive_free(report->derive);
        worker_push_free(report->push);
        worker_se_free(report->se);
    }
    free(report);
}

static int worker_on_report(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    struct worker *worker = userdata;
    struct worker_report *report;

    (void)source;
    (void)revents;
    eventfd_drain(fd);
    pthread_mutex_lock(&worker->lock);
    report = worker->reports;
    worker->reports = NULL;
    worker->reports_tail = &worker->reports;
    pthread_mutex_unlock(&worker->lock);

    while (report) {
        struct worker_report *next = report->next;

        worker->report(report, worker->userdata);
        worker_report_free(report);
        report = next;
    }
    return 0;
}

/* No signal is for the worker: the main thread has them all in its loop. */
static int worker_start_thread(struct worker *worker) {
    pthread_attr_t attributes;
    sigset_t all, before;
    int r;

    r = pthread_attr_init(&attributes);
    if (r != 0)
        return -r;
    (void)pthread_attr_setstacksize(&attributes, WORKER_STACK);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&worker->thread, &attributes, worker_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    worker->started = r == 0;
    return -r;
}

int worker_new(sd_event *event, const struct conf_card *conf, const char *plugin_directory,
               worker_report_fn report, void *userdata, struct worker **ret) {
    struct worker *worker;
    int r;

    worker = calloc(1, sizeof(*worker));
    if (!worker)
        return -ENOMEM;
    pthread_mutex_init(&worker->lock, NULL);
    worker->reports_tail = &worker->reports;
    worker->plugin_pidfd = -1;
    worker->retry_at = USEC_INFINITY;
    worker->event = sd_event_ref(event);
    worker->report = report;
    worker->userdata = userdata;
    worker->job_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->report_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    r = worker->job_fd < 0 || worker->cancel_fd < 0 || worker->report_fd < 0 || worker->done_fd < 0
            ? -EMFILE
            : 0;
    if (r == 0)
        r = sd_event_add_io(event, &worker->source, worker->report_fd, EPOLLIN, worker_on_report,
                            worker);
    if (r >= 0)
        r = card_job_init(&worker->card, conf, plugin_directory, worker->cancel_fd,
                          worker_on_plugin_started, worker);
    if (r == 0)
        r = worker_start_thread(worker);
    if (r < 0) {
        (void)worker_free(worker);
        return r;
    }
    *ret = worker;
    return 0;
}

void worker_release(struct worker *worker) {
    pthread_mutex_lock(&worker->lock);
    worker->released = true;
    pthread_mutex_unlock(&worker->lock);
    eventfd_signal(worker->job_fd);
}

static void worker_tell_to_stop(struct worker *worker) {
    if (worker->stop_by != 0)
        return;
    worker->stop_by = deadline_after(WORKER_STOP_GRACE_USEC);
    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    eventfd_signal(worker->cancel_fd);
    eventfd_signal(worker->job_fd);
    pthread_mutex_unlock(&worker->lock);
}

/* It waits for a card that is silent. */
static void worker_hurry(struct worker *worker) {
    pthread_mutex_lock(&worker->lock);
    worker->hurry = true;
    if (worker->plugin_pidfd >= 0)
        (void)pidfd_send_signal(worker->plugin_pidfd, SIGKILL, NULL, 0);
    pthread_mutex_unlock(&worker->lock);
}

static int worker_on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    struct worker *worker = userdata;

    (void)fd;
    (void)revents;
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    worker->ended(worker, worker->ended_userdata);
    return 0;
}

static int worker_on_patience(sd_event_source *source, uint64_t usec, void *userdata) {
    (void)source;
    (void)usec;
    worker_hurry(userdata);
    return 0;
}

int worker_stop(struct worker *worker, worker_ended_fn ended, void *userdata) {
    int r;

    r = sd_event_add_io(worker->event, &worker->done, worker->done_fd, EPOLLIN, worker_on_done,
                        worker);
    if (r >= 0)
        r = sd_event_add_time_relative(worker->event, &worker->patience, CLOCK_BOOTTIME,
                                       WORKER_STOP_GRACE_USEC, 0, worker_on_patience, worker);
    if (r < 0) {
        worker->done = sd_event_source_disable_unref(worker->done);
        return r;
    }
    worker->ended = ended;
    worker->ended_userdata = userdata;
    worker->source = sd_event_source_disable_unref(worker->source);
    worker_tell_to_stop(worker);
    return 0;
}

static void worker_join(struct worker *worker) {
    struct pollfd done = {.fd = worker->done_fd, .events = POLLIN};

    worker_tell_to_stop(worker);
    /* No signal comes into this wait: the main thread has them all blocked for its loop. */
    if (poll(&done, 1, deadline_poll_msec(worker->stop_by)) <= 0)
        worker_hurry(worker);
    pthread_join(worker->thread, NULL);
}

static void worker_reports_free(struct worker_report *reports) {
    while (reports) {
        struct worker_report *next = reports->next;

        worker_report_free(reports);
        reports = next;
    }
}

struct worker *worker_free(struct worker *worker) {
    if (!worker)
        return NULL;
    if (worker->started)
        worker_join(worker);
    else
        card_job_done(&worker->card);
    worker_reports_free(worker->jobs);
    worker_reports_free(worker->reports);
    worker_report_free(worker->last);
    sd_event_source_disable_unref(worker->source);
    sd_event_source_disable_unref(worker->done);
    sd_event_source_disable_unref(worker->patience);
    sd_event_unref(worker->event);
    safe_close(worker->plugin_pidfd);
    safe_close(worker->job_fd);
    safe_close(worker->cancel_fd);
    safe_close(worker->report_fd);
    safe_close(worker->done_fd);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
    return NULL;
}

static bool is_se(enum worker_report_kind kind) {
    return kind == WORKER_SE_OPEN || kind == WORKER_SE_TRANSMIT || kind == WORKER_SE_CLOSE;
}

/* Behind its like, and what is not for a channel before all that is: a command of a caller is nothing to wait for. */
static void worker_enqueue(struct worker *worker, struct worker_report *job) {
    struct worker_report **at = &worker->jobs;

    while (*at && (is_se(job->kind) || !is_se((*at)->kind)))
        at = &(*at)->next;
    job->next = *at;
    *at = job;
}

/* @template has the kind of the job and what it works with. */
static int64_t worker_queue(struct worker *worker, const struct worker_report *template) {
    struct worker_report *job;
    int64_t number;

    job = malloc(sizeof(*job));
    if (!job)
        return -ENOMEM;
    *job = *template;
    pthread_mutex_lock(&worker->lock);
    number = (int64_t)++worker->last_number;
    job->job = (uint64_t)number;
    worker_enqueue(worker, job);
    pthread_mutex_unlock(&worker->lock);
    eventfd_signal(worker->job_fd);
    return number;
}

int64_t worker_bootstrap(struct worker *worker) {
    return worker_queue(worker, &(struct worker_report){.kind = WORKER_BOOTSTRAP});
}

int64_t worker_probe(struct worker *worker) {
    return worker_queue(worker, &(struct worker_report){.kind = WORKER_PROBE});
}

int64_t worker_derive(struct worker *worker, struct worker_derive *derive) {
    return worker_queue(worker, &(struct worker_report){.kind = WORKER_DERIVE, .derive = derive});
}

int64_t worker_push(struct worker *worker, struct worker_push *push) {
    return worker_queue(worker, &(struct worker_report){.kind = WORKER_PUSH, .push = push});
}

int64_t worker_se(struct worker *worker, enum worker_report_kind kind, struct worker_se *se) {
    return worker_queue(worker, &(struct worker_report){.kind = kind, .se = se});
}

void worker_cancel(struct worker *worker, uint64_t number) {
    pthread_mutex_lock(&worker->lock);
    for (struct worker_report *job = worker->jobs; job; job = job->next)
        if (job->job == number)
            job->r = UB_E_CANCELLED;
    if (worker->running == number)
        eventfd_signal(worker->cancel_fd);
    pthread_mutex_unlock(&worker->lock);
}
