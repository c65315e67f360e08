/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The control socket of the lab's programs: a test asks for a fault or a count, and knows when it
 * is in force.
 *
 * A stream socket of AF_UNIX. A command is one line of words; each line is answered by one line,
 * "ok" or "ok TEXT", or "error TEXT". It belongs into a poll loop of any kind: control_fd()
 * becomes readable when control_dispatch() has work.
 */

#include <stdbool.h>
#include <stddef.h>

enum {
    CONTROL_LINE_MAX = 1024, /* octets of a command or an answer, its newline included */
    CONTROL_WORDS_MAX = 16,
    CONTROL_CLIENTS_MAX = 16, /* at once; one more is closed at once */
};

/*
 * One command. RUN gets the words (ARGV[0] is the command's name; ARGC is within the bounds below)
 * and writes what follows "ok " or "error " into ANSWER, SIZE octets, which is "" before. 0 means
 * "ok"; negative means "error".
 */
struct control_command {
    const char *name;
    const char *usage; /* the words after the name, for errors and "help"; "" for none */
    int words_min;     /* after the name */
    int words_max;
    int (*run)(void *userdata, int argc, char **argv, char *answer, size_t size);
};

struct control;

/*
 * Listens at PATH, where a socket that nobody listens at any more is replaced. COMMANDS ends with
 * a name of NULL and, as USERDATA, must live as long as the control. "help" is always there and
 * lists the commands.
 *
 * Returns 0; -ENAMETOOLONG; -EADDRINUSE when somebody listens at PATH; another negative errno.
 */
int control_new(const char *path, const struct control_command *commands, void *userdata,
                struct control **ret_control);

/* Closes all and removes the socket. NULL is fine. */
void control_free(struct control *control);

/* To wait on for reading; borrowed, the same for the life of CONTROL. */
int control_fd(const struct control *control);

/*
 * Takes connections and runs the commands that have arrived; never blocks. 0 or a negative errno.
 */
int control_dispatch(struct control *control);

/*
 * The other end: connects to PATH, sends LINE (without newline) and reads the answer (without
 * newline) into RET_ANSWER, waiting at most TIMEOUT_MSEC in all.
 *
 * Returns 0 for "ok" and 1 for "error"; -ETIMEDOUT; -EPROTO for an answer that is neither; another
 * negative errno.
 */
int control_ask(const char *path, const char *line, int timeout_msec, char *ret_answer,
                size_t size);
