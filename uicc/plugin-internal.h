/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of keystrapd's side of a transport program share.
 */

#include "packet.h"
#include "plugin-host.h"
#include "subprocess.h"

/* A channel that a program opened for us and has not closed; it outlives a program that was killed. */
struct plugin_channel {
    uint8_t aid[AID_MAX];
    size_t aid_length;
    bool open; /* by the program that runs, or one before it */
    bool left; /* by one before it */
};

struct plugin {
    struct transport transport; /* first: the operations get this and mean the whole */
    char *path;
    char *program; /* the last component of path */
    char *reader_pattern;
    char *device;
    unsigned slot;
    uint32_t flags;
    uint64_t timeout_usec;
    plugin_started_fn started;
    void *userdata;
    struct subprocess process;
    struct packet packet;
    struct plugin_state state;
    uint32_t serial;
    uint32_t capabilities;
    bool in_transaction;
    struct plugin_channel channels[UICC_CHANNEL_MAX + 1];
    uint8_t token[PLUGIN_TOKEN_MAX]; /* of the program that runs, or was killed */
    size_t token_length;
    uint64_t killed_usec; /* when it was */
};

static inline struct plugin *plugin_of(struct transport *transport) {
    return (struct plugin *)transport;
}

extern const struct transport_ops plugin_ops;

/* --- plugin-host.c ------------------------------------------------------------------------------- */

/**
 * plugin_stop() - end the program, and forget what it said; the way it ended as of subprocess_stop()
 */
int plugin_stop(struct plugin *plugin, uint64_t grace_usec);

/**
 * plugin_nonsense() - end a program that broke the protocol: UICC_E_TRANSPORT, "... sent @what and was ended"
 */
int plugin_nonsense(struct plugin *plugin, const char *what, struct failure *failure);

/**
 * plugin_io_failed() - end a program that sending to or receiving from failed with the negative errno @error
 */
int plugin_io_failed(struct plugin *plugin, int error, struct failure *failure);

/**
 * plugin_take_text() - optional text of a packet: "" where absent, false where it is no text that fits
 */
bool plugin_take_text(const struct packet *packet, uint8_t tag, char *ret, size_t size);

/**
 * plugin_take_state() - the STATE in the packet becomes the state. 0 or as plugin_nonsense().
 */
int plugin_take_state(struct plugin *plugin, struct failure *failure);

/* --- plugin-request.c ---------------------------------------------------------------------------- */

/**
 * plugin_request_begin() - start a request of @type in the packet. 0; UICC_E_TRANSPORT where no program runs.
 */
int plugin_request_begin(struct plugin *plugin, enum keystrap_plugin_type type,
                         struct failure *failure);

/**
 * plugin_request() - send the request that is in the packet and wait for its answer, which is in the packet then
 *
 * *@ret_result is set when there was one, whatever it says. Return: 0; an outcome of the result or of the
 * program's end.
 */
int plugin_request(struct plugin *plugin, uint8_t *ret_result, struct failure *failure);

/**
 * plugin_request_forget() - erase the packet: it may have held keys
 */
void plugin_request_forget(struct plugin *plugin);

/**
 * plugin_take_response() - copy the RESPONSE of an ANSWER: at least a status word, at most what a short answer may
 * have. 0 or as plugin_nonsense().
 */
int plugin_take_response(struct plugin *plugin, uint8_t *ret, size_t size, size_t *ret_length,
                         struct failure *failure);

/* --- plugin-channels.c --------------------------------------------------------------------------- */

int plugin_open_channel(struct transport *transport, const uint8_t *aid, size_t aid_length,
                        uint8_t *ret_channel, uint8_t *ret, size_t size, size_t *ret_length,
                        struct failure *failure);
void plugin_close_channel(struct transport *transport, uint8_t channel);

/**
 * plugin_channels_left() - the program ended: what it had open is left over
 */
void plugin_channels_left(struct plugin *plugin);

/**
 * plugin_channels_forget() - nothing that was opened is there any more: the card was reset, or is another one
 */
void plugin_channels_forget(struct plugin *plugin);

/**
 * plugin_channels_close_left() - have the program close what a killed one before it left open
 */
void plugin_channels_close_left(struct plugin *plugin);

/* --- plugin-aka.c -------------------------------------------------------------------------------- */

int plugin_identity(struct transport *transport, struct transport_identity *ret,
                    struct failure *failure);
int plugin_authenticate(struct transport *transport, const uint8_t *aid, size_t aid_length,
                        uint8_t context, const uint8_t *data, size_t data_length, uint8_t *ret,
                        size_t size, size_t *ret_length, struct failure *failure);
