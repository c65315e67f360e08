/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The inside of the card's worker: what its thread (worker-thread.c) shares with the main thread (worker.c).
 */

#include <pthread.h>
#include <unistd.h>

#include "card-job.h"
#include "worker.h"

struct worker {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;

    /* Under the lock. */
    struct worker_report *jobs; /* each will become its own report */
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
    sd_event *event; /* a reference */
    sd_event_source *source;
    worker_report_fn report;
    void *userdata;
    sd_event_source *done, *patience; /* of worker_stop() */
    uint64_t stop_by;                 /* when the time to leave the card in good order is over, 0 before stop */
    worker_ended_fn ended;
    void *ended_userdata;

    /* The thread's own. */
    struct card_job card;
    uint64_t retry_at;          /* when to look at the card again, now_usec() clock */
    uint64_t retry_delay;       /* between the last two looks, or two starts of the transport */
    uint64_t started_usec;      /* when the transport program was started */
    struct worker_report *last; /* what was last told of the card */
};

static inline void eventfd_signal(int fd) {
    uint64_t one = 1;

    /* It can only fail when the counter is full, and then it is readable already. */
    (void)!write(fd, &one, sizeof(one));
}

static inline void eventfd_drain(int fd) {
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
}

/**
 * worker_report_free() - with what it has; NULL is allowed
 */
void worker_report_free(struct worker_report *report);

/**
 * worker_main() - the thread; @argument is the worker
 */
void *worker_main(void *argument);

/**
 * worker_on_plugin_started() - let worker_stop() reach the program that the thread may be waiting for
 */
void worker_on_plugin_started(int pidfd, void *userdata);
