/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.SecureElement: applications on the cards, for callers.
 *
 * Shaped like the Open Mobile API: readers, sessions, channels, commands. Sessions and channels are numbers that mean
 * something to the connection alone that opened them, and end with it. A peer that has a session is remembered for
 * as long, whatever other callers come. Commands and answers may hold secrets of the application's, so these messages are
 * marked sensitive: sd-bus erases them. The bus daemon does not.
 */

#include <errno.h>

#include "secure-element.h"
#include "service-internal.h"
#include "util.h"

static void reply_number(struct call *call, uint32_t number) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(call->message, &reply);

    if (r >= 0)
        r = sd_bus_message_append(reply, "u", number);
    call_reply(call, r, reply);
}

/* The peer's sessions, where it has had any. Otherwise the call has been refused. */
static struct agent_se_client *client_of(struct call *call) {
    struct failure failure = {0};

    if (call->peer->se)
        return call->peer->se;
    (void)failure_set(&failure, SE_E_CLOSED, "this caller has no session; open one first");
    call_fail(call, SE_E_CLOSED, &failure);
    return NULL;
}

/*
 * "uay" of a call: a session's or channel's number, and octets that live as long as the call. Returns the peer's
 * sessions; NULL where the call has been refused.
 */
static struct agent_se_client *read_command(struct call *call, uint32_t *ret_number,
                                            const void **ret_octets, size_t *ret_length) {
    int r;

    r = sd_bus_message_read(call->message, "u", ret_number);
    if (r >= 0)
        r = sd_bus_message_read_array(call->message, 'y', ret_octets, ret_length);
    if (r >= 0)
        return client_of(call);
    call_fail(call, r, NULL);
    return NULL;
}

/* --- GetReaders ---------------------------------------------------------------------------------- */

static int method_get_readers(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct service *service = userdata;
    int r;

    (void)error;
    r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(sb)");
    for (size_t i = 0; r >= 0 && i < agent_cards(service->agent); i++) {
        struct agent_status status;

        agent_get_status(service->agent, i, &status);
        r = sd_bus_message_append(reply, "(sb)", status.name, (int)status.present);
    }
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* --- OpenSession --------------------------------------------------------------------------------- */

static void session_start(struct call *call) {
    struct failure failure = {0};
    uint32_t session = 0;
    const char *reader;
    int r;

    r = sd_bus_message_read(call->message, "s", &reader);
    if (r >= 0 && !call->peer->se)
        r = agent_se_client_new(call->service->agent, &call->peer->caller, &call->peer->se);
    if (r >= 0)
        r = agent_se_open_session(call->peer->se, reader[0] ? reader : NULL, &session, &failure);
    if (call->peer->se && agent_se_client_idle(call->peer->se))
        call->peer->se = agent_se_client_free(call->peer->se);
    if (r != 0)
        call_fail(call, r, &failure);
    else
        reply_number(call, session);
}

static int method_open_session(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, session_start);
}

/* --- OpenLogicalChannel -------------------------------------------------------------------------- */

static void channel_done(int r, const struct agent_se_answer *answer, const struct failure *failure,
                         void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct call *call = userdata;

    call->request = NULL;
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "u", answer->channel);
    if (r >= 0)
        r = sd_bus_message_append_array(reply, 'y', answer->data, answer->length);
    call_reply(call, r, reply);
}

static void channel_start(struct call *call) {
    struct agent_request *request = NULL;
    struct agent_se_client *client;
    const void *aid = NULL;
    size_t length = 0;
    uint32_t session;
    int r;

    client = read_command(call, &session, &aid, &length);
    if (!client)
        return;
    r = agent_se_open_channel(client, session, aid, length, channel_done, call, &request);
    call_wait(call, r, request);
}

static int method_open_logical_channel(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, channel_start);
}

/* --- Transmit ------------------------------------------------------------------------------------ */

static void transmit_done(int r, const struct agent_se_answer *answer,
                          const struct failure *failure, void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct call *call = userdata;

    call->request = NULL;
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = sd_bus_message_sensitive(reply);
    if (r >= 0)
        r = sd_bus_message_append_array(reply, 'y', answer->data, answer->length);
    call_reply(call, r, reply);
}

static void transmit_start(struct call *call) {
    struct agent_request *request = NULL;
    struct agent_se_client *client;
    const void *command = NULL;
    size_t length = 0;
    uint32_t channel;
    int r;

    client = read_command(call, &channel, &command, &length);
    if (!client)
        return;
    r = agent_se_transmit(client, channel, command, length, transmit_done, call, &request);
    call_wait(call, r, request);
}

static int method_transmit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, transmit_start);
}

/* --- Close --------------------------------------------------------------------------------------- */

static void close_start(struct call *call) {
    struct agent_se_client *client;
    struct failure failure = {0};
    uint32_t number;
    int r;

    r = sd_bus_message_read(call->message, "u", &number);
    if (r < 0) {
        call_fail(call, r, NULL);
        return;
    }
    client = client_of(call);
    if (!client)
        return;
    r = agent_se_close_channel(client, number, NULL);
    if (r != 0)
        r = agent_se_close_session(client, number, NULL);
    if (agent_se_client_idle(client))
        call->peer->se = agent_se_client_free(client);
    if (r == 0) {
        call_reply_empty(call);
        return;
    }
    (void)failure_set(&failure, r, "this caller has neither channel nor session %u", number);
    call_fail(call, r, &failure);
}

static int method_close(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, close_start);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES("GetReaders", "", "", "a(sb)", SD_BUS_PARAM(readers),
                             method_get_readers, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("OpenSession", "s", SD_BUS_PARAM(reader), "u", SD_BUS_PARAM(session),
                             method_open_session, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("OpenLogicalChannel", "uay", SD_BUS_PARAM(session) SD_BUS_PARAM(aid),
                             "uay", SD_BUS_PARAM(channel) SD_BUS_PARAM(response),
                             method_open_logical_channel, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Transmit", "uay", SD_BUS_PARAM(channel) SD_BUS_PARAM(command), "ay",
                             SD_BUS_PARAM(response), method_transmit,
                             SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
    SD_BUS_METHOD_WITH_NAMES("Close", "u", SD_BUS_PARAM(number), "", "", method_close,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int se_interface_add(struct service *service) {
    return sd_bus_add_object_vtable(service->bus, NULL, SERVICE_PATH, SERVICE_SECURE_ELEMENT,
                                    vtable, service);
}
