/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of the world share among themselves.
 */

#include <stdarg.h>

#include "util.h"
#include "world.h"

#define WORLD_HOST      "/run/world/host" /* what a directory had before the world's own lay over it */
#define WORLD_NOTIFY    "/run/world/notify" /* sockets for NOTIFY_SOCKET */
#define WORLD_CONTROL   "/run/world/control"
#define WORLD_STOP_MSEC 5000

/* The exit status that sanitizers are told to use, so that their verdict is not mistaken for the program's. */
#define WORLD_SANITIZER_EXIT 86

struct world {
    struct world_process *processes; /* youngest first */
    uint64_t began_usec;
    pid_t outer_pid;
    unsigned spawned;
};

/* A clock of our own: the product's code is not linked into the world. CLOCK_BOOTTIME. */
uint64_t world_now_usec(void);

/* Milliseconds left until @deadline_usec, for poll(2); 0 when it has passed. */
int world_left_msec(uint64_t deadline_usec);

/* Lay out the private directories, users and devices; called once as the first process of the namespaces. */
int world_furnish(void);

/* One line on stderr: what failed and why; returns the negative errno in @error. */
int world_complain(int error, const char *format, ...) _printf_(2, 3);

/* Replace the file @path by @text, mode 0644. Return: 0 or a negative errno; prints what failed. */
int world_write_file(const char *path, const char *text);

/* End every process; true when one of them ended by a sanitizer's verdict. */
bool world_end(struct world *world);

/* Note the end of a process without waiting. Return: whether it still runs. */
bool world_reap(struct world_process *process);

/* What one process has said, for world_log() and for one that did not start. */
void world_log_one(struct world_process *process);

/* Take in what has arrived on the notify socket. */
void world_drain_notify(struct world_process *process);

/* Start keystrap-lab COMMAND with @args and @extra, and a control socket when @control. */
struct world_process *world_start_lab(struct world *world, const char *command,
                                      const char *const *args, const char *const *extra,
                                      bool control);
