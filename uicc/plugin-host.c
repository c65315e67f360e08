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

#include "packet.h"
#include "plugin-host.h"
#include "subprocess.h"
#include "util.h"

struct plugin {
    struct transport transport; /* first: the operations get this and mean the whole */
    char *path;
    char *program; /* the last component of path */
    char *reader_pattern;
    char *device;
    uint64_t timeout_usec;
    plugin_started_fn started;
    void *userdata;
    struct subprocess process;
    struct packet packet;
    struct plugin_state state;
    uint32_t serial;
    uint32_t capabilities;
    bool in_transaction;
};

static const struct transport_ops plugin_ops;

static struct plugin *plugin_of(struct transport *transport) {
    return (struct plugin *)transport;
}

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

    if (!name_is_valid(options->name) ||
        strlen(or_empty(options->reader_pattern)) >= PLUGIN_TEXT_MAX ||
        strlen(or_empty(options->device)) >= PLUGIN_TEXT_MAX)
        return -EINVAL;
    plugin = calloc(1, sizeof(*plugin));
    if (!plugin)
        return -ENOMEM;
    plugin->transport.ops = &plugin_ops;
    plugin->timeout_usec = options->apdu_timeout_usec;
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

/* What was known of the card ends with the program that said it. */
static int stop(struct plugin *plugin, uint64_t grace_usec) {
    if (plugin->process.pid == 0)
        return 0;
    plugin->state = (struct plugin_state){.card = KEYSTRAP_CARD_SERVICE_ABSENT,
                                          .generation = plugin->state.generation + 1};
    plugin->in_transaction = false;
    return subprocess_stop(&plugin->process, grace_usec);
}

struct plugin *plugin_free(struct plugin *plugin) {
    if (!plugin)
        return NULL;
    if (plugin->process.pid > 0) {
        packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_BYE, ++plugin->serial);
        (void)packet_send(plugin->process.fd, &plugin->packet, now_usec());
        (void)stop(plugin, PLUGIN_BYE_USEC);
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
    int status = stop(plugin, PLUGIN_BYE_USEC);

    if (status >= 256)
        return failure_set(failure, UICC_E_TRANSPORT, "transport program %s was ended by signal %d",
                           plugin->program, status - 256);
    return failure_set(failure, UICC_E_TRANSPORT, "transport program %s ended with exit code %d",
                       plugin->program, status);
}

/* The program broke the protocol. */
static int fail_nonsense(struct plugin *plugin, const char *what, struct failure *failure) {
    (void)stop(plugin, 0);
    return failure_set(failure, UICC_E_TRANSPORT, "transport program %s sent %s and was ended",
                       plugin->program, what);
}

/* Sending or receiving failed with @error; the packet may still hold what was received. */
static int fail_io(struct plugin *plugin, int error, struct failure *failure) {
    if (error == -EPIPE || error == -ECONNRESET)
        return fail_ended(plugin, failure);
    if (error == -EBADMSG && plugin->packet.length > 0 &&
        plugin->packet.data[0] != KEYSTRAP_PLUGIN_VERSION) {
        unsigned version = plugin->packet.data[0];

        (void)stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s speaks version %u of the transport protocol, "
                           "keystrapd version %d",
                           plugin->program, version, KEYSTRAP_PLUGIN_VERSION);
    }
    if (error == -EBADMSG)
        return fail_nonsense(plugin, "a malformed message", failure);
    (void)stop(plugin, 0);
    return failure_set(failure, UICC_E_TRANSPORT, "transport program %s: %s", plugin->program,
                       strerrordesc_np(-error));
}

/* Optional text: absent is "", but what is there must be text that fits. */
static bool take_text(const struct packet *packet, uint8_t tag, char *ret, size_t size) {
    const uint8_t *value;
    size_t length;

    if (!packet_get(packet, tag, &value, &length)) {
        ret[0] = '\0';
        return true;
    }
    return packet_get_text(packet, tag, ret, size);
}

static int take_state(struct plugin *plugin, struct failure *failure) {
    const struct packet *packet = &plugin->packet;
    struct plugin_state state = {.generation = plugin->state.generation + 1};
    const uint8_t *atr;
    uint8_t card;

    if (!packet_get_u8(packet, KEYSTRAP_FIELD_CARD_STATE, &card) ||
        card < KEYSTRAP_CARD_SERVICE_ABSENT || card > KEYSTRAP_CARD_PRESENT ||
        !take_text(packet, KEYSTRAP_FIELD_READER, state.reader, sizeof(state.reader)) ||
        !take_text(packet, KEYSTRAP_FIELD_TEXT, state.text, sizeof(state.text)))
        return fail_nonsense(plugin, "a STATE that the protocol does not allow", failure);
    state.card = (enum keystrap_card_state)card;
    if (packet_get(packet, KEYSTRAP_FIELD_ATR, &atr, &state.atr_length)) {
        if (state.atr_length > sizeof(state.atr))
            return fail_nonsense(plugin, "an ATR that is too long", failure);
        memcpy(state.atr, atr, state.atr_length);
    }
    plugin->state = state;
    return 0;
}

/* HELLO to the program, with the options; HELLO from it, with what it can. */
static int exchange_hello(struct plugin *plugin, struct failure *failure) {
    uint64_t deadline = deadline_after(PLUGIN_HELLO_USEC);
    struct packet *packet = &plugin->packet;
    char name[PLUGIN_NAME_MAX + 1];
    uint32_t capabilities;
    int r = 0;

    packet_begin(packet, KEYSTRAP_PLUGIN_HELLO, ++plugin->serial);
    if (plugin->reader_pattern[0])
        r = packet_append_text(packet, KEYSTRAP_FIELD_READER_PATTERN, plugin->reader_pattern);
    if (r == 0 && plugin->device[0])
        r = packet_append_text(packet, KEYSTRAP_FIELD_DEVICE, plugin->device);
    if (r == 0)
        r = packet_send(plugin->process.fd, packet, deadline);
    if (r == 0)
        r = packet_receive(plugin->process.fd, packet, -1, deadline);
    if (r == -ETIMEDOUT) {
        (void)stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s did not say HELLO within %u ms and was ended",
                           plugin->program, (unsigned)(PLUGIN_HELLO_USEC / USEC_PER_MSEC));
    }
    if (r < 0)
        return fail_io(plugin, r, failure);

    if (packet_type(packet) != KEYSTRAP_PLUGIN_HELLO ||
        !packet_get_text(packet, KEYSTRAP_FIELD_NAME, name, sizeof(name)) ||
        !packet_get_u32(packet, KEYSTRAP_FIELD_CAPABILITIES, &capabilities))
        return fail_nonsense(plugin, "no HELLO with name and capabilities", failure);
    if (!(capabilities & KEYSTRAP_CAPABILITY_APDU)) {
        (void)stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s passes no APDUs; keystrapd cannot do without yet",
                           plugin->program);
    }
    plugin->capabilities = capabilities;
    plugin->transport.flags = capabilities & KEYSTRAP_CAPABILITY_CHANNELS ? TRANSPORT_CHANNELS : 0;
    return 0;
}

/* The first STATE follows HELLO at once; until it is there nothing is known, not even that there is no card. */
static int await_first_state(struct plugin *plugin, struct failure *failure) {
    int r;

    r = packet_receive(plugin->process.fd, &plugin->packet, -1, deadline_after(PLUGIN_HELLO_USEC));
    if (r == -ETIMEDOUT) {
        (void)stop(plugin, 0);
        return failure_set(failure, UICC_E_TRANSPORT,
                           "transport program %s did not tell of the card within %u ms and was "
                           "ended",
                           plugin->program, (unsigned)(PLUGIN_HELLO_USEC / USEC_PER_MSEC));
    }
    if (r < 0)
        return fail_io(plugin, r, failure);
    if (packet_type(&plugin->packet) != KEYSTRAP_PLUGIN_STATE)
        return fail_nonsense(plugin, "something else than its first STATE", failure);
    return take_state(plugin, failure);
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
            return fail_io(plugin, r, failure);
        if (packet_type(&plugin->packet) != KEYSTRAP_PLUGIN_STATE)
            return fail_nonsense(plugin, "an answer that nobody waits for", failure);
        r = take_state(plugin, failure);
        if (r != 0)
            return r;
    }
    return fail_nonsense(plugin, "more STATEs than anybody can follow", failure);
}

/* Receive until the ANSWER to the request under way; STATEs may come before it. */
static int await_answer(struct plugin *plugin, uint64_t deadline, struct failure *failure) {
    struct packet *packet = &plugin->packet;
    int r;

    for (unsigned i = 0; i <= PLUGIN_STATES_MAX; i++) {
        r = packet_receive(plugin->process.fd, packet, -1, deadline);
        if (r < 0)
            return r;
        if (packet_type(packet) == KEYSTRAP_PLUGIN_STATE) {
            r = take_state(plugin, failure);
            if (r != 0)
                return r;
            continue;
        }
        if (packet_type(packet) != KEYSTRAP_PLUGIN_ANSWER ||
            packet_serial(packet) != plugin->serial)
            return fail_nonsense(plugin, "an answer to another request", failure);
        return 0;
    }
    return fail_nonsense(plugin, "more STATEs than anybody can follow", failure);
}

static int result_outcome(enum keystrap_plugin_result result) {
    switch (result) {
    case KEYSTRAP_RESULT_OK:
        return 0;
    case KEYSTRAP_RESULT_CARD_ABSENT:
        return UICC_E_CARD_ABSENT;
    case KEYSTRAP_RESULT_CARD_RESET:
        return UICC_E_RESET;
    case KEYSTRAP_RESULT_BUSY:
        return UICC_E_BUSY;
    case KEYSTRAP_RESULT_DENIED:
        return UICC_E_DENIED;
    case KEYSTRAP_RESULT_COMMUNICATION:
        return UICC_E_SILENT;
    case KEYSTRAP_RESULT_SERVICE_ABSENT:
        return UICC_E_SERVICE_ABSENT;
    case KEYSTRAP_RESULT_NO_CHANNEL:
        return UICC_E_NO_CHANNEL;
    case KEYSTRAP_RESULT_UNSUPPORTED:
    case KEYSTRAP_RESULT_INVALID:
    case KEYSTRAP_RESULT_FAILED:
        return UICC_E_TRANSPORT;
    }
    return -EBADMSG;
}

static const char *result_words(enum keystrap_plugin_result result) {
    switch (result) {
    case KEYSTRAP_RESULT_OK:
        return "done";
    case KEYSTRAP_RESULT_CARD_ABSENT:
        return "there is no card";
    case KEYSTRAP_RESULT_CARD_RESET:
        return "another program reset the card";
    case KEYSTRAP_RESULT_BUSY:
        return "another program holds the card";
    case KEYSTRAP_RESULT_DENIED:
        return "access to the card was denied";
    case KEYSTRAP_RESULT_COMMUNICATION:
        return "the card's answer was lost";
    case KEYSTRAP_RESULT_SERVICE_ABSENT:
        return "the service that owns the card does not answer";
    case KEYSTRAP_RESULT_NO_CHANNEL:
        return "no logical channel is free";
    case KEYSTRAP_RESULT_UNSUPPORTED:
        return "the request is not supported";
    case KEYSTRAP_RESULT_INVALID:
        return "the request was not understood";
    case KEYSTRAP_RESULT_FAILED:
        return "the request failed";
    }
    return "";
}

/* The RESULT of an ANSWER as an outcome, with the program's own reason where it gives one. */
static int take_result(struct plugin *plugin, uint8_t *ret_result, struct failure *failure) {
    char text[PLUGIN_TEXT_MAX];
    uint8_t result;
    int r;

    if (!packet_get_u8(&plugin->packet, KEYSTRAP_FIELD_RESULT, &result) ||
        !take_text(&plugin->packet, KEYSTRAP_FIELD_TEXT, text, sizeof(text)))
        return fail_nonsense(plugin, "an ANSWER without a result", failure);
    r = result_outcome((enum keystrap_plugin_result)result);
    if (r < 0)
        return fail_nonsense(plugin, "an ANSWER with an unknown result", failure);
    *ret_result = result;
    if (r == 0)
        return 0;
    return failure_set(failure, r, "transport %s: %s%s%s", plugin->program,
                       result_words((enum keystrap_plugin_result)result), text[0] ? ": " : "",
                       text);
}

/*
 * Send the request that is in the packet and wait for its answer, which is in the packet then.
 * *ret_result is set when there was one, whatever it says.
 */
static int request(struct plugin *plugin, uint8_t *ret_result, struct failure *failure) {
    uint64_t deadline = deadline_after(plugin->timeout_usec);
    int r;

    r = packet_send(plugin->process.fd, &plugin->packet, deadline);
    if (r == 0)
        r = await_answer(plugin, deadline, failure);
    if (r == -ETIMEDOUT) {
        (void)stop(plugin, 0);
        return failure_set(failure, UICC_E_SILENT,
                           "the card gave no answer within %llu ms; transport program %s was ended",
                           (unsigned long long)(plugin->timeout_usec / USEC_PER_MSEC),
                           plugin->program);
    }
    if (r < 0)
        return fail_io(plugin, r, failure);
    return r > 0 ? r : take_result(plugin, ret_result, failure);
}

/* Start a request of @type in the packet. */
static int prepare(struct plugin *plugin, enum keystrap_plugin_type type, struct failure *failure) {
    if (plugin->process.pid == 0)
        return failure_set(failure, UICC_E_TRANSPORT, "transport program %s does not run",
                           plugin->program);

    /* Serial 0 belongs to STATE. */
    if (++plugin->serial == 0)
        plugin->serial = 1;
    packet_begin(&plugin->packet, (uint8_t)type, plugin->serial);
    return 0;
}

static void forget_packet(struct plugin *plugin) {
    secret_erase(plugin->packet.data, plugin->packet.length);
    plugin->packet.length = 0;
}

static int plugin_begin(struct transport *transport, struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result = KEYSTRAP_RESULT_FAILED;
    int r;

    r = prepare(plugin, KEYSTRAP_PLUGIN_BEGIN, failure);
    if (r != 0)
        return r;
    r = request(plugin, &result, failure);
    plugin->in_transaction =
        plugin->process.pid > 0 && (r == 0 || result == KEYSTRAP_RESULT_CARD_RESET);
    return r;
}

static void plugin_end(struct transport *transport) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result;

    if (!plugin->in_transaction)
        return;
    plugin->in_transaction = false;
    if (prepare(plugin, KEYSTRAP_PLUGIN_END, NULL) == 0)
        (void)request(plugin, &result, NULL);
}

/* Copy the RESPONSE of an ANSWER: at least a status word, at most what a short answer may have. */
static int take_response(struct plugin *plugin, uint8_t *ret, size_t size, size_t *ret_length,
                         struct failure *failure) {
    const uint8_t *response;
    size_t length;

    if (!packet_get(&plugin->packet, KEYSTRAP_FIELD_RESPONSE, &response, &length) || length < 2)
        return fail_nonsense(plugin, "an ANSWER without a response", failure);
    if (length > APDU_RESPONSE_MAX || length > size)
        return fail_nonsense(plugin, "a response that is too long", failure);
    memcpy(ret, response, length);
    *ret_length = length;
    return 0;
}

/* The logical channel that a class octet names (TS 102 221 10.1.1). */
static uint8_t class_channel(uint8_t cla) {
    return cla & 0x40 ? (uint8_t)(4 + (cla & 0x0f)) : cla & 0x03;
}

static int plugin_transmit(struct transport *transport, const uint8_t *command,
                           size_t command_length, uint8_t *ret, size_t size, size_t *ret_length,
                           struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result;
    int r;

    if (command_length < 4 || command_length > APDU_COMMAND_MAX)
        return -EINVAL;
    r = prepare(plugin, KEYSTRAP_PLUGIN_APDU, failure);
    if (r != 0)
        return r;
    r = packet_append(&plugin->packet, KEYSTRAP_FIELD_COMMAND, command, command_length);
    if (r == 0 && plugin->capabilities & KEYSTRAP_CAPABILITY_CHANNELS)
        r = packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, class_channel(command[0]));
    if (r == 0)
        r = request(plugin, &result, failure);
    if (r == 0)
        r = take_response(plugin, ret, size, ret_length, failure);
    forget_packet(plugin);
    return r;
}

static int plugin_open_channel(struct transport *transport, const uint8_t *aid, size_t aid_length,
                               uint8_t *ret_channel, uint8_t *ret, size_t size, size_t *ret_length,
                               struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result = KEYSTRAP_RESULT_OK, channel;
    struct failure why = {0};
    int r;

    if (aid_length > AID_MAX)
        return -EINVAL;
    r = prepare(plugin, KEYSTRAP_PLUGIN_OPEN_CHANNEL, failure);
    if (r != 0)
        return r;
    r = packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, aid, aid_length);
    if (r == 0)
        r = request(plugin, &result, &why);
    if (result == KEYSTRAP_RESULT_UNSUPPORTED)
        r = UICC_E_NO_CHANNEL;
    if (r == 0 && (!packet_get_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, &channel) ||
                   channel == 0 || channel > UICC_CHANNEL_MAX))
        r = fail_nonsense(plugin, "a channel that no card has", &why);
    if (r == 0)
        r = take_response(plugin, ret, size, ret_length, &why);
    if (r == 0)
        *ret_channel = channel;
    forget_packet(plugin);
    return r > 0 ? failure_set(failure, r, "%s", why.text) : r;
}

static void plugin_close_channel(struct transport *transport, uint8_t channel) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result;

    if (prepare(plugin, KEYSTRAP_PLUGIN_CLOSE_CHANNEL, NULL) != 0)
        return;
    if (packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, channel) == 0)
        (void)request(plugin, &result, NULL);
}

static const struct transport_ops plugin_ops = {
    .begin = plugin_begin,
    .end = plugin_end,
    .transmit = plugin_transmit,
    .open_channel = plugin_open_channel,
    .close_channel = plugin_close_channel,
};
