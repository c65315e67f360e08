/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * GLib in a transport program: libqmi and libmbim want a main loop, and transport_main() has one of its own.
 *
 * One thread has a main context and owns everything of the library. It runs a body, which waits by
 * glib_thread_wait(); the main thread has jobs done there by glib_thread_call(). Inside, what the library does
 * asynchronously reads as a call that returns: glib_await() lets the main context run until the result is there. No job
 * begins meanwhile, as jobs begin in glib_thread_wait() alone.
 */

#include <gio/gio.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport-main.h"

struct glib_thread {
    GMainContext *context;
    void (*body)(void *userdata);
    void *userdata;
    int event_fd;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t done;
    void (*job)(void *argument); /* to be done, or being done */
    void *argument;
    bool known;
    struct transport_report report;
};

/**
 * glib_thread_start() - start the thread with @body, which never returns. 0 or a negative errno.
 * @event_fd: is written to whenever glib_thread_report() brings something new
 */
int glib_thread_start(struct glib_thread *thread, int event_fd, void (*body)(void *userdata),
                      void *userdata);

/**
 * glib_thread_call() - for the main thread: have @job done by the thread, and wait until it is
 */
void glib_thread_call(struct glib_thread *thread, void (*job)(void *argument), void *argument);

/**
 * glib_thread_wait() - for the body: do a job, or let the main context do something; returns after either, and when
 * @deadline (now_usec() clock) has come
 */
void glib_thread_wait(struct glib_thread *thread, uint64_t deadline);

/**
 * glib_thread_report() - for the body: what STATE shall tell from now on
 */
void glib_thread_report(struct glib_thread *thread, const struct transport_report *report);

/**
 * glib_thread_get_report() - for the main thread: what is known, false where nothing is yet
 */
bool glib_thread_get_report(struct glib_thread *thread, struct transport_report *ret);

/* The result of something asynchronous. */
struct glib_result {
    GMainContext *context;
    GAsyncResult *result; /* NULL until it is there */
};

/**
 * glib_ready() - the callback to give to the library, with a struct glib_result as its data
 */
void glib_ready(GObject *source, GAsyncResult *result, gpointer data);

/**
 * glib_await() - run the main context until the result is there; borrowed until glib_result_done()
 */
GAsyncResult *glib_await(struct glib_result *result);

void glib_result_done(struct glib_result *result);

#define _cleanup_result_ __attribute__((cleanup(glib_result_done)))
