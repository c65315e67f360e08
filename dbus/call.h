/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Calls: one method call of one peer, from its arrival to its reply.
 */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#include "agent.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "peer.h"

struct call;

/**
 * call_fn - do what the call asks for, now that the caller is known; it ends with call_reply(), call_fail() or
 * call_refuse(), at once or when the agent answers
 */
typedef void (*call_fn)(struct call *call);

/* A card's or a profile's; both may be as long. */
#define OBJECT_NAME_MAX CARD_NAME_MAX

struct call {
    struct call *next, *prev; /* of the same peer; or the next free one */
    struct service *service;
    struct peer *peer;
    sd_bus_message *message;       /* a reference */
    call_fn start;                 /* NULL once it has been run */
    struct agent_request *request; /* while the agent works on it */
    char object[OBJECT_NAME_MAX + 1]; /* the card or profile whose method it is; "" for those of the whole agent */
};

/* Calls that are over are kept for the next ones: the path of a cached key allocates nothing of ours. */
struct call_pool {
    struct call *unused;
    size_t count; /* used and unused */
};

/**
 * call_begin() - take a method call in: find its peer and run @start, at once where the peer is known, else when the
 * bus daemon has said who it is
 * @object: the name of the card or profile whose method it is; NULL for those of the whole agent
 *
 * Return: what a method handler of sd-bus returns; a refusal has been answered.
 */
int call_begin(struct service *service, sd_bus_message *message, const char *object, call_fn start);

/**
 * call_reply() - send @reply where it is there, and end the call; @r is the errno of building it: where that is negative,
 * the caller gets that instead
 */
void call_reply(struct call *call, int r, sd_bus_message *reply);

/**
 * call_reply_empty() - answer that it is done, and nothing more
 */
void call_reply_empty(struct call *call);

/**
 * call_wait() - what follows a function of the agent that may answer later: the call waits for @request
 * @r: what the function returned; negative is answered here
 * @request: NULL where the answer came at once; the call is over then, and is not touched
 */
void call_wait(struct call *call, int r, struct agent_request *request);

/**
 * call_fail() - answer with the error of @code, with the cause from @failure where it has one, and the remedy
 */
void call_fail(struct call *call, int code, const struct failure *failure);

/**
 * call_refuse() - answer with an error of the bus's side
 */
void call_refuse(struct call *call, const char *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * call_option() - what the options of a call may hold: @name of type "b", of type "u", or of type "s", which lives as long as
 * the call
 */
struct call_option {
    const char *name;
    bool *ret_flag;        /* one of the three */
    const char **ret_text;
    unsigned *ret_number;
};

/**
 * call_read_options() - read an a{sv} of such options
 *
 * Return: whether all is well; where not, the call has been refused.
 */
bool call_read_options(struct call *call, const struct call_option *options, size_t count);

/**
 * call_drop_peer() - the peer has gone: cancel what its calls wait for, answer nothing, forget it
 */
void call_drop_peer(struct service *service, struct peer *peer);

/**
 * call_drop_all() - call_drop_peer() for all; with @code not 0, because keystrapd ends, the calls are answered with
 * it first
 */
void call_drop_all(struct service *service, int code);

void call_pool_done(struct call_pool *pool);
