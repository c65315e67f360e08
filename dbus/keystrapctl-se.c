/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl se: commands to an application on the card, for trying out rules and applets.
 *
 * Session and channel end with this program's connection to the bus, so nothing has to be closed on any way out.
 */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "keystrapctl.h"
#include "util.h"

/* What the user gave as hex: an AID, or a command. */
struct octets {
    uint8_t data[APDU_COMMAND_MAX];
    size_t length;
};

static int parse(const char *what, const char *text, struct octets *ret) {
    if (hex_decode(text, ret->data, sizeof(ret->data), &ret->length) == 0)
        return EX_OK;
    ctl_error("%s %.40s: must be an even number of hex digits, %u at most.", what, text,
              2 * APDU_COMMAND_MAX);
    return EX_USAGE;
}

static int call(sd_bus *bus, const char *method, uint32_t number, const struct octets *octets,
                sd_bus_message **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    int r;

    r = sd_bus_message_new_method_call(bus, &m, CTL_NAME, CTL_PATH, CTL_SE, method);
    if (r >= 0)
        r = sd_bus_message_append(m, "u", number);
    if (r >= 0)
        r = sd_bus_message_append_array(m, 'y', octets->data, octets->length);
    if (r >= 0)
        r = sd_bus_call(bus, m, 0, &error, ret);
    return r < 0 ? ctl_print_error(method, &error, r) : EX_OK;
}

static int open_session(const struct ctl *ctl, sd_bus *bus, uint32_t *ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    int r;

    r = sd_bus_call_method(bus, CTL_NAME, CTL_PATH, CTL_SE, "OpenSession", &error, &reply, "s",
                           ctl->uicc ? ctl->uicc : "");
    if (r >= 0)
        r = sd_bus_message_read(reply, "u", ret);
    return r < 0 ? ctl_print_error("OpenSession", &error, r) : EX_OK;
}

/* Print what the card said, or keep it for the JSON. */
static int take_response(sd_bus_message *m, json_t *list) {
    char hex[2 * (APDU_ASSEMBLED_MAX + 2) + 1];
    const void *data = NULL;
    size_t length = 0;

    if (sd_bus_message_read_array(m, 'y', &data, &length) < 0 || length > APDU_ASSEMBLED_MAX + 2) {
        ctl_error("The daemon's answer is malformed.");
        return EX_PROTOCOL;
    }
    hex_encode(data, length, hex);
    if (list)
        return json_array_append_new(list, json_string(hex)) < 0 ? EX_OSERR : EX_OK;
    (void)puts(hex);
    return EX_OK;
}

static int open_channel(const struct ctl *ctl, sd_bus *bus, uint32_t *ret, json_t *list) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct octets aid;
    uint32_t session;
    int r;

    r = parse("AID", ctl->arguments[0], &aid);
    if (r == EX_OK)
        r = open_session(ctl, bus, &session);
    if (r == EX_OK)
        r = call(bus, "OpenLogicalChannel", session, &aid, &reply);
    if (r != EX_OK)
        return r;
    if (sd_bus_message_read(reply, "u", ret) < 0) {
        ctl_error("The daemon's answer is malformed.");
        return EX_PROTOCOL;
    }
    return take_response(reply, list);
}

static int send_all(const struct ctl *ctl, sd_bus *bus, json_t *list) {
    uint32_t channel;
    int r;

    r = open_channel(ctl, bus, &channel, list);
    for (int i = 1; r == EX_OK && i < ctl->arguments_count; i++) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        struct octets command;

        r = parse("APDU", ctl->arguments[i], &command);
        if (r == EX_OK)
            r = call(bus, "Transmit", channel, &command, &reply);
        if (r == EX_OK)
            r = take_response(reply, list);
    }
    return r;
}

int ctl_se(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    json_t *list = ctl->json ? json_array() : NULL;
    int r;

    r = ctl_open(&bus);
    if (r == EX_OK)
        r = send_all(ctl, bus, list);
    if (r == EX_OK && list)
        return ctl_print_json(json_pack("{s:o}", "responses", list));
    json_decref(list);
    return r;
}
