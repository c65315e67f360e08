/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Modems that pass no commands to the card, but run AKA with it when asked.
 */

#include <errno.h>
#include <string.h>

#include "plugin-internal.h"

static bool all_digits(const char *text) {
    return text[strspn(text, "0123456789")] == '\0';
}

/* Optional octets: absent is none, but what is there must fit. */
static bool take_octets(const struct packet *packet, uint8_t tag, uint8_t *ret, size_t size,
                        size_t *ret_length) {
    const uint8_t *value;
    size_t length;

    *ret_length = 0;
    if (!packet_get(packet, tag, &value, &length))
        return true;
    if (length > size)
        return false;
    memcpy(ret, value, length);
    *ret_length = length;
    return true;
}

static bool take_identity(const struct packet *packet, struct transport_identity *ret) {
    return plugin_take_text(packet, KEYSTRAP_FIELD_ICCID, ret->iccid, sizeof(ret->iccid)) &&
           plugin_take_text(packet, KEYSTRAP_FIELD_IMSI, ret->imsi, sizeof(ret->imsi)) &&
           plugin_take_text(packet, KEYSTRAP_FIELD_IMPI, ret->impi, sizeof(ret->impi)) &&
           all_digits(ret->iccid) && all_digits(ret->imsi) &&
           take_octets(packet, KEYSTRAP_FIELD_EF_AD, ret->ef_ad, sizeof(ret->ef_ad),
                       &ret->ef_ad_length) &&
           take_octets(packet, KEYSTRAP_FIELD_SERVICES, ret->services, sizeof(ret->services),
                       &ret->services_length) &&
           take_octets(packet, KEYSTRAP_FIELD_AID, ret->aid, sizeof(ret->aid), &ret->aid_length);
}

int plugin_identity(struct transport *transport, struct transport_identity *ret,
                    struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    struct transport_identity identity;
    uint8_t result;
    int r;

    r = plugin_request_begin(plugin, KEYSTRAP_PLUGIN_IDENTITY, failure);
    if (r == 0)
        r = plugin_request(plugin, &result, failure);
    if (r == 0 && !take_identity(&plugin->packet, &identity))
        r = plugin_nonsense(plugin, "an identity that no card has", failure);
    if (r == 0)
        *ret = identity;
    plugin_request_forget(plugin);
    return r;
}

int plugin_authenticate(struct transport *transport, const uint8_t *aid, size_t aid_length,
                        uint8_t context, const uint8_t *data, size_t data_length, uint8_t *ret,
                        size_t size, size_t *ret_length, struct failure *failure) {
    struct plugin *plugin = plugin_of(transport);
    uint8_t result;
    int r;

    if (aid_length > AID_MAX || data_length > UINT8_MAX)
        return -EINVAL;
    r = plugin_request_begin(plugin, KEYSTRAP_PLUGIN_AUTHENTICATE, failure);
    if (r != 0)
        return r;
    r = packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, aid, aid_length);
    if (r == 0)
        r = packet_append_u8(&plugin->packet, KEYSTRAP_FIELD_CONTEXT, context);
    if (r == 0)
        r = packet_append(&plugin->packet, KEYSTRAP_FIELD_COMMAND, data, data_length);
    if (r == 0)
        r = plugin_request(plugin, &result, failure);
    if (r == 0)
        r = plugin_take_response(plugin, ret, size, ret_length, failure);
    plugin_request_forget(plugin);
    return r;
}
