/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A modem's serial port: one command and its answer at a time.
 */

#include "at-line.h"

struct at_port {
    int fd; /* -1 while it is not open */
    struct at_reader reader;
};

/* How a command ended. */
struct at_answer {
    enum at_final final; /* NONE where no end came */
    unsigned code;       /* of +CME ERROR */
    bool gone;           /* the port is not there any more */
    bool has_value;      /* a line with the value that was asked for came */
    char value[AT_LINE_MAX]; /* what followed its name */
};

/**
 * at_port_open() - open the device for us alone, as a raw line, and make sure that a modem answers, with numbers for
 * errors and without echo
 *
 * Return: 0; a negative errno; -ETIMEDOUT where nobody answers.
 */
int at_port_open(struct at_port *port, const char *device);

/**
 * at_port_close() - close; nothing where it is not open
 */
void at_port_close(struct at_port *port);

/**
 * at_port_command() - send @command and wait for the end of its answer until @deadline (now_usec() clock)
 * @name: of the line with the value, "+CGLA"; NULL for none
 * @bare: a line that is a number alone is the value, too
 *
 * After no end came, the answer may yet: at_port_synchronise() before the next command.
 */
void at_port_command(struct at_port *port, const char *command, const char *name, bool bare,
                     uint64_t deadline, struct at_answer *ret);

/**
 * at_port_synchronise() - let late answers pass, until the modem answers to nothing but us
 *
 * Return: false where it does not within a second.
 */
bool at_port_synchronise(struct at_port *port);

/**
 * at_answer_done() - erase: the value may have held keys
 */
void at_answer_done(struct at_answer *answer);

#define _cleanup_answer_ __attribute__((cleanup(at_answer_done)))
