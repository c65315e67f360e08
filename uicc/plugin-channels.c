/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Channels that a transport program opens.
 *
 * A card has three or four of them, and one that nobody gives back is gone until the card is reset. So it is
 * remembered here, outside the program, which of them are open: when the program is killed, its successor is told to
 * close them. Another user of the card may have got the same number meanwhile, if the modem started again; the
 * successor therefore gets the application along, and closes only where that is what it finds on the channel.
 */

#include <errno.h>
#include <string.h>

#include "plugin-internal.h"

static void remember(struct plugin *plugin, uint8_t number, const uint8_t *aid, size_t length) {
    struct plugin_channel *channel = &plugin->channels[number];

    *channel = (struct plugin_channel){.aid_length = length, .open = true};
    memcpy(channel->aid, aid, length);
}

int plugin_open_channel(struct transport *transport, const uint8_t *aid, size_t aid_length,
                        uint8_t *ret_channel, uint8_t *ret, size_t size, size_t *ret_length,
                        struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result = KEYSTRAP_RESULT_OK, channel = 0;
    struct failure why = {0};
    int r;

    if (aid_length > AID_MAX)
        return -EINVAL;
    r = plugin_request_begin(plugin, KEYSTRAP_PLUGIN_OPEN_CHANNEL, failure);
    if (r != 0)
        return r;
    r = packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, aid, aid_length);
    if (r == 0)
        r = plugin_request(plugin, &result, &why);
    if (result == KEYSTRAP_RESULT_UNSUPPORTED)
        r = UICC_E_NO_CHANNEL;
    if (r == 0 && (!packet_get_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, &channel) ||
                   channel == 0 || channel > UICC_CHANNEL_MAX))
        r = plugin_nonsense(plugin, "a channel that no card has", &why);
    if (r == 0)
        remember(plugin, channel, aid, aid_length);
    if (r == 0)
        r = plugin_take_response(plugin, ret, size, ret_length, &why);
    if (r == 0)
        *ret_channel = channel;
    plugin_request_forget(plugin);
    return r > 0 ? failure_set(failure, r, "%s", why.text) : r;
}

void plugin_close_channel(struct transport *transport, uint8_t channel) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result;

    if (plugin_request_begin(plugin, KEYSTRAP_PLUGIN_CLOSE_CHANNEL, NULL) != 0)
        return;
    if (packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, channel) == 0 &&
        plugin_request(plugin, &result, NULL) == 0 && channel <= UICC_CHANNEL_MAX)
        plugin->channels[channel].open = false;
}

void plugin_channels_left(struct plugin *plugin) {
    for (size_t number = 1; number <= UICC_CHANNEL_MAX; number++)
        plugin->channels[number].left = plugin->channels[number].open;
}

void plugin_channels_forget(struct plugin *plugin) {
    memset(plugin->channels, 0, sizeof(plugin->channels));
}

void plugin_channels_close_left(struct plugin *plugin) {
    struct plugin_channel *channel;
    uint8_t result;
    int r;

    for (uint8_t number = 1; number <= UICC_CHANNEL_MAX; number++) {
        channel = &plugin->channels[number];
        if (!channel->left)
            continue;
        channel->open = channel->left = false;
        r = plugin_request_begin(plugin, KEYSTRAP_PLUGIN_CLOSE_CHANNEL, NULL);
        if (r == 0)
            r = packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CHANNEL, number);
        if (r == 0)
            r = packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, channel->aid,
                              channel->aid_length);
        if (r == 0)
            (void)plugin_request(plugin, &result, NULL);
    }
}
