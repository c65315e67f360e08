/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The thread of an enrolment.
 *
 * Enrolments are rare and take seconds, so each has a thread of its own, which ends with it. The main thread hands it
 * the job and gets it back; while it runs nobody else touches it.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "enrol-job.h"
#include "util.h"

struct enrol_run {
    pthread_t thread;
    int cancel_fd, done_fd;
    sd_event_source *source;
    struct enrol_job *job;
    enrol_done_fn done;
    void *userdata;
};

static void signal_fd(int fd) {
    (void)eventfd_write(fd, 1);
}

static void *run_main(void *argument) {
    struct enrol_run *run = argument;

    enrol_job_run(run->job, run->cancel_fd);
    signal_fd(run->done_fd);
    return NULL;
}

/* The thread has ended, or is about to. */
static void run_release(struct enrol_run *run) {
    (void)pthread_join(run->thread, NULL);
    sd_event_source_disable_unref(run->source);
    enrol_job_free(run->job);
    (void)safe_close(run->cancel_fd);
    (void)safe_close(run->done_fd);
    free(run);
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    struct enrol_run *run = userdata;

    (void)source, (void)fd, (void)revents;
    (void)sd_event_source_set_enabled(run->source, SD_EVENT_OFF);
    run->done(run->job, run->userdata);
    run_release(run);
    return 0;
}

int enrol_run_start(sd_event *event, struct enrol_job *job, enrol_done_fn done, void *userdata,
                    struct enrol_run **ret) {
    struct enrol_run *run;
    int r;

    run = calloc(1, sizeof(*run));
    if (!run)
        return -ENOMEM;
    run->job = job;
    run->done = done;
    run->userdata = userdata;
    run->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    run->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = run->cancel_fd < 0 || run->done_fd < 0 ? -errno : 0;
    if (r == 0)
        r = sd_event_add_io(event, &run->source, run->done_fd, EPOLLIN, on_done, run);
    if (r >= 0)
        r = -pthread_create(&run->thread, NULL, run_main, run);
    if (r < 0) {
        sd_event_source_disable_unref(run->source);
        (void)safe_close(run->cancel_fd);
        (void)safe_close(run->done_fd);
        free(run);
        return r;
    }
    *ret = run;
    return 0;
}

struct enrol_run *enrol_run_free(struct enrol_run *run) {
    if (!run)
        return NULL;
    signal_fd(run->cancel_fd);
    run_release(run);
    return NULL;
}
