/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A transport program as a struct transport: transactions, commands, the next card.
 */

#include <errno.h>

#include "plugin-internal.h"

static int plugin_begin(struct transport *transport, struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result = KEYSTRAP_RESULT_FAILED;
    int r;

    r = plugin_request_begin(plugin, KEYSTRAP_PLUGIN_BEGIN, failure);
    if (r != 0)
        return r;
    r = plugin_request(plugin, &result, failure);
    plugin->in_transaction =
        plugin->process.pid > 0 && (r == 0 || result == KEYSTRAP_RESULT_CARD_RESET);
    if (result == KEYSTRAP_RESULT_CARD_RESET)
        plugin_channels_forget(plugin);
    else if (r == 0)
        plugin_channels_close_left(plugin);
    return r;
}

static void plugin_end(struct transport *transport) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result;

    if (!plugin->in_transaction)
        return;
    plugin->in_transaction = false;
    if (plugin_request_begin(plugin, KEYSTRAP_PLUGIN_END, NULL) == 0)
        (void)plugin_request(plugin, &result, NULL);
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
    r = plugin_request_begin(plugin, KEYSTRAP_PLUGIN_APDU, failure);
    if (r != 0)
        return r;
    r = packet_append(&plugin->packet, KEYSTRAP_FIELD_COMMAND, command, command_length);
    if (r == 0 && plugin->capabilities & KEYSTRAP_CAPABILITY_CHANNELS)
        r = packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, class_channel(command[0]));
    if (r == 0)
        r = plugin_request(plugin, &result, failure);
    if (r == 0)
        r = plugin_take_response(plugin, ret, size, ret_length, failure);
    plugin_request_forget(plugin);
    return r;
}

/* The card that is in use after this is another one, also where the program could not say which. */
static int plugin_next(struct transport *transport, struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result;
    int r;

    r = plugin_request_begin(plugin, KEYSTRAP_PLUGIN_NEXT, failure);
    if (r == 0)
        r = plugin_request(plugin, &result, failure);
    if (r == 0)
        plugin_channels_forget(plugin);
    return r;
}

const struct transport_ops plugin_ops = {
    .begin = plugin_begin,
    .end = plugin_end,
    .transmit = plugin_transmit,
    .open_channel = plugin_open_channel,
    .close_channel = plugin_close_channel,
    .identity = plugin_identity,
    .authenticate = plugin_authenticate,
    .next = plugin_next,
};
