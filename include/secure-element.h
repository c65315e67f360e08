/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Applications on the cards, for callers: what the bus may ask of the agent beside keys.
 *
 * Shaped like the Open Mobile API: a caller opens a session with a reader (one of the configured cards), in it channels to
 * applications by their AID, and sends commands through those. What it may reach is decided by access.d and by the card's
 * own rules (ARA-M), both of which must grant it; what it may send, by the filter of se.h and by the card's rules. All
 * functions belong to the main thread and none blocks.
 */

#include <stdint.h>

#include "access.h"
#include "agent.h"
#include "keystrap-limits.h"
#include "outcome.h"

/* One connection to the bus. */
struct agent_se_client;

/**
 * agent_se_client_new() - somebody who may have sessions; @caller is copied
 *
 * Return: 0; -ENOMEM. The agent outlives it.
 */
int agent_se_client_new(struct agent *agent, const struct access_caller *caller,
                        struct agent_se_client **ret);

/**
 * agent_se_client_free() - close everything that it has; NULL is allowed, returns NULL
 *
 * Its requests have been cancelled before.
 */
struct agent_se_client *agent_se_client_free(struct agent_se_client *client);

/**
 * agent_se_client_idle() - whether it has no session
 */
bool agent_se_client_idle(const struct agent_se_client *client);

/**
 * agent_se_open_session() - a session with the card @uicc; NULL for the first
 * @ret: its number, from 1, which is nobody else's
 *
 * Return: 0; UICC_E_UNCONFIGURED; ACCESS_E_TOO_MANY.
 */
int agent_se_open_session(struct agent_se_client *client, const char *uicc, uint32_t *ret,
                          struct failure *failure);

/**
 * agent_se_close_session() - close all channels of @session, and it
 *
 * Return: 0; SE_E_CLOSED where this client has no such session.
 */
int agent_se_close_session(struct agent_se_client *client, uint32_t session,
                           struct failure *failure);

/* What the card said; borrowed for the callback. */
struct agent_se_answer {
    uint32_t channel; /* its number, which is nobody else's */
    const uint8_t *data; /* the answer with SW1 and SW2: to SELECT, or to the command */
    size_t length;       /* 2 to APDU_ASSEMBLED_MAX + 2 */
};

/**
 * agent_se_fn - called once for each request; @r is 0 with @answer, or a code with @failure
 */
typedef void (*agent_se_fn)(int r, const struct agent_se_answer *answer,
                            const struct failure *failure, void *userdata);

/**
 * agent_se_open_channel() - a channel to the application @aid
 * @done: called before this returns where the answer is known at once, else from the event loop
 *
 * The codes that @done gets: SE_E_CLOSED (no such session), ACCESS_E_DENIED, ACCESS_E_TOO_MANY, SE_E_CARD_RULES,
 * UICC_E_NO_APPLICATION, UICC_E_NO_CHANNEL, and what the card and the way to it can be.
 *
 * Return: 0 when @done has been or will be called; *@ret is the request that waits, for agent_request_cancel(), or NULL
 * where it was answered at once. Negative errno: @done is not called.
 */
int agent_se_open_channel(struct agent_se_client *client, uint32_t session, const uint8_t *aid,
                          size_t aid_length, agent_se_fn done, void *userdata,
                          struct agent_request **ret);

/**
 * agent_se_transmit() - send @command (see se_command_parse()) through @channel; one at a time
 *
 * The codes that @done gets: SE_E_CLOSED, SE_E_COMMAND, SE_E_CARD_RULES, ACCESS_E_TOO_MANY while another command of the
 * channel is under way, and what the card and the way to it can be. Returns as agent_se_open_channel().
 */
int agent_se_transmit(struct agent_se_client *client, uint32_t channel, const uint8_t *command,
                      size_t length, agent_se_fn done, void *userdata, struct agent_request **ret);

/**
 * agent_se_close_channel() - give the channel back; a command that is under way is answered with SE_E_CLOSED
 *
 * Return: 0; SE_E_CLOSED where this client has no such channel.
 */
int agent_se_close_channel(struct agent_se_client *client, uint32_t channel,
                           struct failure *failure);
