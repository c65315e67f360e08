/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A system bus of a test's own, and a loop that runs until something has come true.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/* How long a test waits for what must happen; a machine under load is slow, and nothing is ever slow on purpose. */
#define PATIENCE_USEC (20ull * 1000 * 1000)

struct private_bus {
    char directory[64];
    char socket[96];
    pid_t pid; /* of the dbus-daemon; 0 while it is down */
};

/**
 * private_bus_start() - start a dbus-daemon on a socket in a new directory and point DBUS_SYSTEM_BUS_ADDRESS at it
 *
 * A second call after private_bus_kill() starts it again at the same address. Fails the test where it cannot.
 */
void private_bus_start(struct private_bus *bus);

/**
 * private_bus_kill() - end the daemon, keep the directory
 */
void private_bus_kill(struct private_bus *bus);

/**
 * private_bus_stop() - end the daemon and remove all
 */
void private_bus_stop(struct private_bus *bus);

typedef bool (*condition_fn)(void *userdata);

/**
 * run_until() - run @event until @condition holds; false where it does not within @usec
 */
bool run_until(sd_event *event, condition_fn condition, void *userdata, uint64_t usec);

/**
 * client_new() - a connection to the private bus on @event
 */
sd_bus *client_new(sd_event *event);

/* What came back to one asynchronous call. */
struct answer {
    bool there;
    sd_bus_message *message; /* a reference */
};

/**
 * answer_got() - the sd-bus callback that fills a struct answer
 */
int answer_got(sd_bus_message *m, void *userdata, sd_bus_error *error);

/**
 * answer_wait() - run until the answer is there; fails the test where it does not come
 */
void answer_wait(sd_event *event, struct answer *answer);

void answer_done(struct answer *answer);

#define _cleanup_answer_ __attribute__((cleanup(answer_done)))
