/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The card's worker: a thread with two queues.
 *
 * Jobs go in by number and kind, reports come out through an eventfd that the main loop watches. The thread
 * alone touches the transport, the card and the HTTP helper; the lock guards the queues and nothing else is
 * shared. Between jobs the thread sleeps in poll(2) until the transport, a job or a timer calls.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "card-job.h"
#include "log.h"
#include "util.h"
#include "worker.h"

#define WORKER_STACK           (512u * 1024)
#define WORKER_STOP_GRACE_USEC (1 * USEC_PER_SEC) /* to leave the card in good order */

struct worker {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;

    /* Under the lock. */
    struct worker_report *jobs, **jobs_tail; /* each will become its own report */
    struct worker_report *reports, **reports_tail;
    uint64_t last_number;
    uint64_t running; /* the job under way, 0 for none */
    int plugin_pidfd; /* of the transport program, a duplicate; -1 */
    bool released;
    bool stop;
    bool hurry; /* with stop: the time to leave the card in good order is over */

    int job_fd;    /* eventfd: a job was queued, or stop */
    int cancel_fd; /* eventfd: the job under way shall end */
    int report_fd; /* eventfd: a report was queued */
    int done_fd;   /* eventfd: the thread is about to end */
    sd_event_source *source;
    worker_report_fn report;
    void *userdata;

    /* The thread's own. */
    struct card_job card;
    uint64_t retry_at;          /* when to look at the card again, now_usec() clock */
    uint64_t retry_delay;       /* between the last two looks */
    struct worker_report *last; /* what was last told of the card */
};

static void eventfd_signal(int fd) {
    uint64_t one = 1;

    /* It can only fail when the counter is full, and then it is readable already. */
    (void)!write(fd, &one, sizeof(one));
}

static void eventfd_drain(int fd) {
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
}

static void worker_report_free(struct worker_report *report) {
    if (report)
        ub_result_done(&report->result);
    free(report);
}

static void worker_post(struct worker *worker, struct worker_report *report) {
    pthread_mutex_lock(&worker->lock);
    *worker->reports_tail = report;
    worker->reports_tail = &report->next;
    pthread_mutex_unlock(&worker->lock);
    eventfd_signal(worker->report_fd);
}

/* Let worker_free() reach the program that the thread may be waiting for. */
static void worker_on_plugin_started(int pidfd, void *userdata) {
    struct worker *worker = userdata;

    pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
    pthread_mutex_lock(&worker->lock);
    safe_close(worker->plugin_pidfd);
    worker->plugin_pidfd = pidfd;
    if (worker->hurry && pidfd >= 0)
        (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    pthread_mutex_unlock(&worker->lock);
}

static bool card_report_equal(const struct worker_report *a, const struct worker_report *b) {
    return a->r == b->r && a->card == b->card && strcmp(a->reader, b->reader) == 0 &&
           strcmp(a->impi, b->impi) == 0 && strcmp(a->bsf, b->bsf) == 0 &&
           strcmp(a->failure.text, b->failure.text) == 0 &&
           strcmp(a->identity.iccid, b->identity.iccid) == 0 &&
           a->identity.pin == b->identity.pin && a->identity.pin_tries == b->identity.pin_tries;
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
    report->card = state->card;
    memcpy(report->reader, state->reader, sizeof(report->reader));
    report->identity.pin_tries = -1;
    if (card->uicc)
        report->identity = *uicc_identity(card->uicc);
    memcpy(report->impi, card->impi, sizeof(report->impi));
    memcpy(report->bsf, card->bsf, sizeof(report->bsf));

    if (report->r != 0 && card_job_is_transient(card, report->r)) {
        worker->retry_delay =
            worker->retry_delay == 0 ? PLUGIN_RESTART_MIN_USEC : worker->retry_delay * 2;
        if (worker->retry_delay > PLUGIN_RESTART_MAX_USEC)
            worker->retry_delay = PLUGIN_RESTART_MAX_USEC;
        worker->retry_at = deadline_after(worker->retry_delay);
    } else {
        worker->retry_delay = 0;
        worker->retry_at = USEC_INFINITY;
    }

    if (worker->last && card_report_equal(worker->last, report)) {
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

static void worker_run_job(struct worker *worker, struct worker_report *job) {
    uint64_t begin = now_usec(), generation;
    bool stop;

    if (job->r != 0)
        job->r = failure_set(&job->failure, job->r, "cancelled before it began");
    else if (job->kind == WORKER_BOOTSTRAP)
        job->r =
            card_job_bootstrap(&worker->card, &job->result, &job->retry_after_usec, &job->failure);
    else
        job->r = card_job_probe(&worker->card, &job->date, &job->failure);
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
    if (!stop && plugin_running(worker->card.plugin))
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
        if (!worker->jobs)
            worker->jobs_tail = &worker->jobs;
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

static void *worker_main(void *argument) {
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

int worker_new(sd_event *event, const struct conf *conf, const char *plugin_directory,
               worker_report_fn report, void *userdata, struct worker **ret) {
    struct worker *worker;
    int r;

    worker = calloc(1, sizeof(*worker));
    if (!worker)
        return -ENOMEM;
    pthread_mutex_init(&worker->lock, NULL);
    worker->jobs_tail = &worker->jobs;
    worker->reports_tail = &worker->reports;
    worker->plugin_pidfd = -1;
    worker->retry_at = USEC_INFINITY;
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

static void worker_stop_thread(struct worker *worker) {
    struct pollfd done = {.fd = worker->done_fd, .events = POLLIN};

    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    eventfd_signal(worker->cancel_fd);
    eventfd_signal(worker->job_fd);
    pthread_mutex_unlock(&worker->lock);

    /* No signal comes into this wait: the main thread has them all blocked for its loop. */
    if (poll(&done, 1, deadline_poll_msec(deadline_after(WORKER_STOP_GRACE_USEC))) <= 0) {
        /* It waits for a card that is silent. */
        pthread_mutex_lock(&worker->lock);
        worker->hurry = true;
        if (worker->plugin_pidfd >= 0)
            (void)pidfd_send_signal(worker->plugin_pidfd, SIGKILL, NULL, 0);
        pthread_mutex_unlock(&worker->lock);
    }
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
        worker_stop_thread(worker);
    else
        card_job_done(&worker->card);
    worker_reports_free(worker->jobs);
    worker_reports_free(worker->reports);
    worker_report_free(worker->last);
    sd_event_source_disable_unref(worker->source);
    safe_close(worker->plugin_pidfd);
    safe_close(worker->job_fd);
    safe_close(worker->cancel_fd);
    safe_close(worker->report_fd);
    safe_close(worker->done_fd);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
    return NULL;
}

static int64_t worker_queue(struct worker *worker, enum worker_report_kind kind) {
    struct worker_report *job;
    int64_t number;

    job = calloc(1, sizeof(*job));
    if (!job)
        return -ENOMEM;
    job->kind = kind;
    pthread_mutex_lock(&worker->lock);
    number = (int64_t)++worker->last_number;
    job->job = (uint64_t)number;
    *worker->jobs_tail = job;
    worker->jobs_tail = &job->next;
    pthread_mutex_unlock(&worker->lock);
    eventfd_signal(worker->job_fd);
    return number;
}

int64_t worker_bootstrap(struct worker *worker) {
    return worker_queue(worker, WORKER_BOOTSTRAP);
}

int64_t worker_probe(struct worker *worker) {
    return worker_queue(worker, WORKER_PROBE);
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
