/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The life of a network function: it serves until it is told to stop.
 */

#include <signal.h>

#include "control.h"

/**
 * serve_block_signals() - call it before the first thread, so that only serve_until_stopped() takes them
 */
void serve_block_signals(void);

/**
 * serve_until_stopped() - run @control until SIGTERM, SIGINT or SIGHUP
 * @control: may be NULL
 *
 * Return: 0; a negative errno.
 */
int serve_until_stopped(struct control *control);
