/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One request to a transport program and its answer, and what the results mean.
 */

#include <errno.h>
#include <string.h>

#include "plugin-internal.h"
#include "util.h"

/* Receive until the ANSWER to the request under way; STATEs may come before it. */
static int await_answer(struct plugin *plugin, uint64_t deadline, struct failure *failure) {
    struct packet *packet = &plugin->packet;
    int r;

    for (unsigned i = 0; i <= PLUGIN_STATES_MAX; i++) {
        r = packet_receive(plugin->process.fd, packet, -1, deadline);
        if (r < 0)
            return r;
        if (packet_type(packet) == KEYSTRAP_PLUGIN_STATE) {
            r = plugin_take_state(plugin, failure);
            if (r != 0)
                return r;
            continue;
        }
        if (packet_type(packet) != KEYSTRAP_PLUGIN_ANSWER ||
            packet_serial(packet) != plugin->serial)
            return plugin_nonsense(plugin, "an answer to another request", failure);
        return 0;
    }
    return plugin_nonsense(plugin, "more STATEs than anybody can follow", failure);
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
    case KEYSTRAP_RESULT_NO_APPLICATION:
        return UICC_E_NO_APPLICATION;
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
    case KEYSTRAP_RESULT_NO_APPLICATION:
        return "the card has no such application";
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
        !plugin_take_text(&plugin->packet, KEYSTRAP_FIELD_TEXT, text, sizeof(text)))
        return plugin_nonsense(plugin, "an ANSWER without a result", failure);
    r = result_outcome((enum keystrap_plugin_result)result);
    if (r < 0)
        return plugin_nonsense(plugin, "an ANSWER with an unknown result", failure);
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
int plugin_request(struct plugin *plugin, uint8_t *ret_result, struct failure *failure) {
    uint64_t deadline = deadline_after(plugin->timeout_usec);
    int r;

    r = packet_send(plugin->process.fd, &plugin->packet, deadline);
    if (r == 0)
        r = await_answer(plugin, deadline, failure);
    if (r == -ETIMEDOUT) {
        (void)plugin_stop(plugin, 0);
        return failure_set(failure, UICC_E_SILENT,
                           "the card gave no answer within %llu ms; transport program %s was ended",
                           (unsigned long long)(plugin->timeout_usec / USEC_PER_MSEC),
                           plugin->program);
    }
    if (r < 0)
        return plugin_io_failed(plugin, r, failure);
    return r > 0 ? r : take_result(plugin, ret_result, failure);
}

/* Start a request of @type in the packet. */
int plugin_request_begin(struct plugin *plugin, enum keystrap_plugin_type type,
                         struct failure *failure) {
    if (plugin->process.pid == 0)
        return failure_set(failure, UICC_E_TRANSPORT, "transport program %s does not run",
                           plugin->program);

    /* Serial 0 belongs to STATE. */
    if (++plugin->serial == 0)
        plugin->serial = 1;
    packet_begin(&plugin->packet, (uint8_t)type, plugin->serial);
    return 0;
}

void plugin_request_forget(struct plugin *plugin) {
    secret_erase(plugin->packet.data, plugin->packet.length);
    plugin->packet.length = 0;
}

/* Copy the RESPONSE of an ANSWER: at least a status word, at most what a short answer may have. */
int plugin_take_response(struct plugin *plugin, uint8_t *ret, size_t size, size_t *ret_length,
                         struct failure *failure) {
    const uint8_t *response;
    size_t length;

    if (!packet_get(&plugin->packet, KEYSTRAP_FIELD_RESPONSE, &response, &length) || length < 2)
        return plugin_nonsense(plugin, "an ANSWER without a response", failure);
    if (length > APDU_RESPONSE_MAX || length > size)
        return plugin_nonsense(plugin, "a response that is too long", failure);
    memcpy(ret, response, length);
    *ret_length = length;
    return 0;
}
