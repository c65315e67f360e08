/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GLib in a transport program, in a thread of its own.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "glib-thread.h"
#include "util.h"

static void *thread_main(void *argument) {
    struct glib_thread *thread = argument;

    g_main_context_push_thread_default(thread->context);
    thread->body(thread->userdata);
    return NULL;
}

int glib_thread_start(struct glib_thread *thread, int event_fd, void (*body)(void *userdata),
                      void *userdata) {
    sigset_t all, before;
    pthread_t id;
    int r;

    thread->context = g_main_context_new();
    thread->body = body;
    thread->userdata = userdata;
    thread->event_fd = event_fd;
    r = pthread_mutex_init(&thread->lock, NULL);
    if (r == 0)
        r = pthread_cond_init(&thread->done, NULL);
    if (r != 0)
        return -r;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    r = pthread_create(&id, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    (void)pthread_detach(id);
    return 0;
}

void glib_thread_call(struct glib_thread *thread, void (*job)(void *argument), void *argument) {
    pthread_mutex_lock(&thread->lock);
    thread->argument = argument;
    thread->job = job;
    g_main_context_wakeup(thread->context);
    while (thread->job)
        pthread_cond_wait(&thread->done, &thread->lock);
    pthread_mutex_unlock(&thread->lock);
}

static bool do_job(struct glib_thread *thread) {
    void (*job)(void *argument);

    pthread_mutex_lock(&thread->lock);
    job = thread->job;
    pthread_mutex_unlock(&thread->lock);
    if (!job)
        return false;
    job(thread->argument);
    pthread_mutex_lock(&thread->lock);
    thread->job = NULL;
    pthread_cond_signal(&thread->done);
    pthread_mutex_unlock(&thread->lock);
    return true;
}

static gboolean on_deadline(gpointer data) {
    (void)data;
    return G_SOURCE_REMOVE;
}

void glib_thread_wait(struct glib_thread *thread, uint64_t deadline) {
    GSource *timer = NULL;

    if (do_job(thread))
        return;
    if (deadline != USEC_INFINITY) {
        timer = g_timeout_source_new((guint)deadline_poll_msec(deadline));
        g_source_set_callback(timer, on_deadline, NULL, NULL);
        g_source_attach(timer, thread->context);
    }
    /* A job that came since is not missed: its wake-up ends the iteration. */
    (void)g_main_context_iteration(thread->context, TRUE);
    if (timer) {
        g_source_destroy(timer);
        g_source_unref(timer);
    }
}

void glib_thread_report(struct glib_thread *thread, const struct transport_report *report) {
    const uint64_t one = 1;

    pthread_mutex_lock(&thread->lock);
    thread->report = *report;
    thread->known = true;
    pthread_mutex_unlock(&thread->lock);
    /* Fails only when the counter is full, and then the main thread has enough to wake up for. */
    (void)!write(thread->event_fd, &one, sizeof(one));
}

bool glib_thread_get_report(struct glib_thread *thread, struct transport_report *ret) {
    bool known;

    pthread_mutex_lock(&thread->lock);
    known = thread->known;
    if (known)
        *ret = thread->report;
    pthread_mutex_unlock(&thread->lock);
    return known;
}

void glib_ready(GObject *source, GAsyncResult *result, gpointer data) {
    struct glib_result *to = data;

    (void)source;
    to->result = g_object_ref(result);
}

GAsyncResult *glib_await(struct glib_result *result) {
    while (!result->result)
        (void)g_main_context_iteration(result->context, TRUE);
    return result->result;
}

void glib_result_done(struct glib_result *result) {
    g_clear_object(&result->result);
}
