/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd's side of a transport program.
 *
 * A card may be silent, a driver may crash, a vendor's program may be wrong: all of that ends here. What the
 * program sends is held against the protocol, and a program that breaks it, or does not answer in time, is
 * ended and never argued with; the worker starts another. Nothing that it sends makes this side wait longer
 * than its deadline or allocate. APDUs carry keys and PINs, so the one packet of a plugin lives in the arena
 * and is erased as soon as it has been read.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "plugin-internal.h"
#include "util.h"

static const char *or_empty(const char *text) {
    return text ? text : "";
}

/* The name becomes part of a path and comes from the configuration. */
static bool name_is_valid(const char *name) {
    size_t length = strlen(name);

    return length > 0 && length <= PLUGIN_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

int plugin_new(const struct plugin_options *options, struct plugin **ret) {
    struct plugin *plugin;

    if (!name_is_valid(options->name) || options->slot > UINT8_MAX ||
        strlen(or_empty(options->reader_pattern)) >= PLUGIN_TEXT_MAX ||
        strlen(or_empty(options->device)) >= PLUGIN_TEXT_MAX)
        return -EINVAL;
    plugin = calloc(1, sizeof(*plugin));
    if (!plugin)
        return -ENOMEM;
    plugin->transport.ops = &plugin_ops;
    plugin->timeout_usec = options->apdu_timeout_usec;
    plugin->slot = options->slot;
    plugin->flags = options->flags;
    plugin->started = options->started;
    plugin->userdata = options->userdata;
    plugin->process = SUBPROCESS_NONE;
    plugin->state.card = KEYSTRAP_CARD_SERVICE_ABSENT;
    plugin->reader_pattern = strdup(or_empty(options->reader_pattern));
    plugin->device = strdup(or_empty(options->device));
    if (asprintf(&plugin->path, "%s/uicc-%s", options->directory, options->name) < 0)
        plugin->path = NULL;
    if (!plugin->reader_pattern || !plugin->device || !plugin->path ||
        packet_init_secret(&plugin->packet, PLUGIN_PAYLOAD_MAX) < 0) {
        plugin_free(plugin);
        return -ENOMEM;
    }
    plugin->program = strrchr(plugin->path, '/') + 1;
    *ret = plugin;
    return 0;
}

/*
 * What was known of the card ends with the program that said it. One that ended by itself has given back what it held;
 * what a killed one held is left to the next.
 */
int plugin_stop(struct plugin *plugin, uint64_t grace_usec) {
    int status;

    if (plugin->process.pid == 0)
        return 0;
    plugin->state = (struct plugin_state){.card = KEYSTRAP_CARD_SERVICE_ABSENT,
                                          .generation = plugin->state.generation + 1};
    plugin->in_transaction = false;
    status = subprocess_stop(&plugin->process, grace_usec);
    if (status >= 256) {
        plugin_channels_left(plugin);
        plugin->killed_usec = now_usec();
    } else {
        plugin_channels_forget(plugin);
        plugin->token_length = 0;
    }
    return status;
}

struct plugin *plugin_free(struct plugin *plugin) {
    if (!plugin)
        return NULL;
    if (plugin->process.pid > 0) {
        packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_BYE, ++plugin->serial);
        (void)packet_send(plugin->process.fd, &plugin->packet, now_usec());
        (void)plugin_stop(plugin, PLUGIN_BYE_USEC);
    }
    packet_done(&plugin->packet);
    free(plugin->reader_pattern);
    free(plugin->device);
    free(plugin->path);
    free(plugin);
    return NULL;
}

/* The program is gone; how it ended is what an operator wants to know. */
static int fail_ended(struct plugin *plugin, struct failure *failure) {
    int status = plugin_stop(plugin, PLUGIN_BYE_USEC);

    if (status >= 256)
        return failure_set(failure, UICC_E_TRANSPORT, "transport program %s was ended by signal %d",
                           plugin->program, status - 256);
    return failure_set(failure, UICC_E_TRANSPORT, "transport program %s ended with exit code %d",
                       plugin->program, status);
}

/* The program broke the protocol. */
int plugin_nonsense(struct plugin *plugin, const char *what, struct failure *failure) {
    (void)plugin_stop(plugin, 0);
    return failure_set(failure, UICC_E_TRANSPORT, "transport program %s sent %s and was ended",
                       plugin->program, what);
}

/* Sending or receiving failed with @error; the packet may still hold what was received. */
int plugin_io_failed(struct plugin *plugin, int error, struct failure *failure) {
    if (error == -EPIPE || error == -ECONNRESET)
        return fail_ended(plugin, failure);
    if (error == -EBADMSG && plugin->packet.length > 0 &&
        plugin->packet.data[0] != KEYSTRAP_PLUGIN_VERSION) {
        unsigned version = plugin->packet.data[0];

        (void)plugin_stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s speaks version %u of the transport protocol, "
                           "keystrapd version %d",
                           plugin->program, version, KEYSTRAP_PLUGIN_VERSION);
    }
    if (error == -EBADMSG)
        return plugin_nonsense(plugin, "a malformed message", failure);
    (void)plugin_stop(plugin, 0);
    return failure_set(failure, UICC_E_TRANSPORT, "transport program %s: %s", plugin->program,
                       strerrordesc_np(-error));
}

/* Optional text: absent is "", but what is there must be text that fits. */
bool plugin_take_text(const struct packet *packet, uint8_t tag, char *ret, size_t size) {
    const uint8_t *value;
    size_t length;

    if (!packet_get(packet, tag, &value, &length)) {
        ret[0] = '\0';
        return true;
    }
    return packet_get_text(packet, tag, ret, size);
}

int plugin_take_state(struct plugin *plugin, struct failure *failure) {
    const struct packet *packet = &plugin->packet;
    struct plugin_state state = {.generation = plugin->state.generation + 1};
    const uint8_t *atr, *token = NULL;
    size_t token_length;
    uint8_t card;

    if (!packet_get_u8(packet, KEYSTRAP_FIELD_CARD_STATE, &card) ||
        card < KEYSTRAP_CARD_SERVICE_ABSENT || card > KEYSTRAP_CARD_PRESENT ||
        !plugin_take_text(packet, KEYSTRAP_FIELD_READER, state.reader, sizeof(state.reader)) ||
        !plugin_take_text(packet, KEYSTRAP_FIELD_TEXT, state.text, sizeof(state.text)))
        return plugin_nonsense(plugin, "a STATE that the protocol does not allow", failure);
    state.card = (enum keystrap_card_state)card;
    if (packet_get(packet, KEYSTRAP_FIELD_ATR, &atr, &state.atr_length)) {
        if (state.atr_length > sizeof(state.atr))
            return plugin_nonsense(plugin, "an ATR that is too long", failure);
        memcpy(state.atr, atr, state.atr_length);
    }
    /* A program that tells of none holds nothing any more. */
    token_length = 0;
    (void)packet_get(packet, KEYSTRAP_FIELD_TOKEN, &token, &token_length);
    if (token_length > sizeof(plugin->token))
        return plugin_nonsense(plugin, "a token that is too long", failure);
    if (token_length > 0)
        memcpy(plugin->token, token, token_length);
    plugin->token_length = token_length;
    plugin->state = state;
    return 0;
}

/* The options; those that are absent say that the program may choose. */
static int append_options(struct plugin *plugin) {
    struct packet *packet = &plugin->packet;
    uint64_t msec = plugin->timeout_usec / USEC_PER_MSEC;
    int r = 0;

    if (plugin->reader_pattern[0])
        r = packet_append_text(packet, KEYSTRAP_FIELD_READER_PATTERN, plugin->reader_pattern);
    if (r == 0 && plugin->device[0])
        r = packet_append_text(packet, KEYSTRAP_FIELD_DEVICE, plugin->device);
    if (r == 0 && plugin->slot > 0)
        r = packet_append_u8(packet, KEYSTRAP_FIELD_SLOT, (uint8_t)plugin->slot);
    if (r == 0 && plugin->flags)
        r = packet_append_u32(packet, KEYSTRAP_FIELD_FLAGS, plugin->flags);
    if (r == 0)
        r = packet_append_u32(packet, KEYSTRAP_FIELD_TIMEOUT,
                              msec < UINT32_MAX ? (uint32_t)msec : UINT32_MAX);
    if (r == 0 && plugin->token_length > 0 && now_usec() - plugin->killed_usec < PLUGIN_TOKEN_USEC)
        r = packet_append(packet, KEYSTRAP_FIELD_TOKEN, plugin->token, plugin->token_length);
    plugin->token_length = 0;
    return r;
}

/* What the program can, as what uicc/ may ask of it. */
static int take_capabilities(struct plugin *plugin, uint32_t capabilities,
                             struct failure *failure) {
    uint32_t flags = 0;

    if (!(capabilities & (KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_AKA))) {
        (void)plugin_stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s can neither pass commands to the card nor "
                           "authenticate with it",
                           plugin->program);
    }
    if (capabilities & KEYSTRAP_CAPABILITY_CHANNELS)
        flags |= TRANSPORT_CHANNELS;
    if (!(capabilities & KEYSTRAP_CAPABILITY_APDU))
        flags = TRANSPORT_AKA;
    if (capabilities & KEYSTRAP_CAPABILITY_SEVERAL)
        flags |= TRANSPORT_SEVERAL;
    plugin->capabilities = capabilities;
    plugin->transport.flags = flags;
    return 0;
}

/* HELLO to the program, with the options; HELLO from it, with what it can. */
static int exchange_hello(struct plugin *plugin, struct failure *failure) {
    uint64_t deadline = deadline_after(PLUGIN_HELLO_USEC);
    struct packet *packet = &plugin->packet;
    char name[PLUGIN_NAME_MAX + 1];
    uint32_t capabilities;
    int r;

    packet_begin(packet, KEYSTRAP_PLUGIN_HELLO, ++plugin->serial);
    r = append_options(plugin);
    if (r == 0)
        r = packet_send(plugin->process.fd, packet, deadline);
    if (r == 0)
        r = packet_receive(plugin->process.fd, packet, -1, deadline);
    if (r == -ETIMEDOUT) {
        (void)plugin_stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s did not say HELLO within %u ms and was ended",
                           plugin->program, (unsigned)(PLUGIN_HELLO_USEC / USEC_PER_MSEC));
    }
    if (r < 0)
        return plugin_io_failed(plugin, r, failure);

    if (packet_type(packet) != KEYSTRAP_PLUGIN_HELLO ||
        !packet_get_text(packet, KEYSTRAP_FIELD_NAME, name, sizeof(name)) ||
        !packet_get_u32(packet, KEYSTRAP_FIELD_CAPABILITIES, &capabilities))
        return plugin_nonsense(plugin, "no HELLO with name and capabilities", failure);
    return take_capabilities(plugin, capabilities, failure);
}

/* The first STATE follows HELLO at once; until it is there nothing is known, not even that there is no card. */
static int await_first_state(struct plugin *plugin, struct failure *failure) {
    int r;

    r = packet_receive(plugin->process.fd, &plugin->packet, -1, deadline_after(PLUGIN_HELLO_USEC));
    if (r == -ETIMEDOUT) {
        (void)plugin_stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s did not tell of the card within %u ms and was "
                           "ended",
                           plugin->program, (unsigned)(PLUGIN_HELLO_USEC / USEC_PER_MSEC));
    }
    if (r < 0)
        return plugin_io_failed(plugin, r, failure);
    if (packet_type(&plugin->packet) != KEYSTRAP_PLUGIN_STATE)
        return plugin_nonsense(plugin, "something else than its first STATE", failure);
    return plugin_take_state(plugin, failure);
}

int plugin_start(struct plugin *plugin, struct failure *failure) {
    char *const argv[] = {plugin->program, NULL};
    int r;

    if (plugin->process.pid > 0)
        return 0;
    r = subprocess_spawn(plugin->path, argv, &plugin->process);
    if (r < 0)
        return failure_set(failure, UICC_E_TRANSPORT, "transport program %s cannot be executed: %s",
                           plugin->path, strerrordesc_np(-r));
    if (plugin->started)
        plugin->started(plugin->process.pidfd, plugin->userdata);
    plugin->transport.flags = 0;
    r = exchange_hello(plugin, failure);
    return r == 0 ? await_first_state(plugin, failure) : r;
}

bool plugin_running(const struct plugin *plugin) {
    return plugin->process.pid > 0;
}

int plugin_fd(const struct plugin *plugin) {
    return plugin->process.fd;
}

int plugin_pidfd(const struct plugin *plugin) {
    return plugin->process.pidfd;
}

const struct plugin_state *plugin_state(const struct plugin *plugin) {
    return &plugin->state;
}

struct transport *plugin_transport(struct plugin *plugin) {
    return &plugin->transport;
}

static bool has_ended(const struct plugin *plugin) {
    struct pollfd fds = {.fd = plugin->process.pidfd, .events = POLLIN};

    return poll(&fds, 1, 0) > 0;
}

int plugin_dispatch(struct plugin *plugin, struct failure *failure) {
    int r;

    if (plugin->process.pid == 0)
        return 0;
    for (unsigned i = 0; i < PLUGIN_STATES_MAX; i++) {
        r = packet_receive(plugin->process.fd, &plugin->packet, -1, 0);
        /* A child that it left behind may hold the socket open; what counts is the program. */
        if (r == -ETIMEDOUT)
            return has_ended(plugin) ? fail_ended(plugin, failure) : 0;
        if (r < 0)
            return plugin_io_failed(plugin, r, failure);
        if (packet_type(&plugin->packet) != KEYSTRAP_PLUGIN_STATE)
            return plugin_nonsense(plugin, "an answer that nobody waits for", failure);
        r = plugin_take_state(plugin, failure);
        if (r != 0)
            return r;
    }
    return plugin_nonsense(plugin, "more STATEs than anybody can follow", failure);
}
