/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls.
 *
 * A call may wait twice: for the bus daemon to say who calls, and for the agent. Meanwhile it hangs on its
 * peer, so that all of a peer's calls end when the peer goes, and so that one peer cannot have more than its share waiting.
 */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "credentials.h"
#include "error-map.h"
#include "log.h"
#include "secure-element.h"
#include "service-internal.h"
#include "text.h"
#include "util.h"

static int call_new(struct service *service, struct peer *peer, sd_bus_message *message,
                    call_fn start, struct call **ret) {
    struct call_pool *pool = &service->calls;
    struct call *call = pool->unused;

    if (peer->calls_count >= REQUESTS_PER_CALLER_MAX)
        return ACCESS_E_TOO_MANY;
    if (call) {
        pool->unused = call->next;
    } else {
        if (pool->count >= REQUESTS_PENDING_MAX)
            return ACCESS_E_TOO_MANY;
        call = malloc(sizeof(*call));
        if (!call)
            return -ENOMEM;
        pool->count++;
    }

    *call = (struct call){
        .next = peer->calls,
        .service = service,
        .peer = peer,
        .message = sd_bus_message_ref(message),
        .start = start,
    };
    if (peer->calls)
        peer->calls->prev = call;
    peer->calls = call;
    peer->calls_count++;
    *ret = call;
    return 0;
}

static void call_end(struct call *call) {
    struct call_pool *pool = &call->service->calls;
    struct peer *peer = call->peer;

    if (call->prev)
        call->prev->next = call->next;
    else
        peer->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    peer->calls_count--;
    sd_bus_message_unref(call->message);
    *call = (struct call){.service = call->service, .next = pool->unused};
    pool->unused = call;
}

void call_pool_done(struct call_pool *pool) {
    while (pool->unused) {
        struct call *call = pool->unused;

        pool->unused = call->next;
        free(call);
        pool->count--;
    }
    assert(pool->count == 0);
}

static void send_failure(sd_bus_message *message, int code, const struct failure *failure) {
    struct failure told = {.code = code};
    char text[FAILURE_DESCRIPTION_MAX];

    if (failure)
        text_copy(told.text, sizeof(told.text), failure->text);
    failure_describe(&told, text);
    (void)sd_bus_reply_method_errorf(message, error_map_name(code), "%s", text);
}

void call_reply(struct call *call, int r, sd_bus_message *reply) {
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    if (r < 0)
        send_failure(call->message, r, NULL);
    call_end(call);
}

void call_reply_empty(struct call *call) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(call->message, &reply);

    call_reply(call, r, reply);
}

void call_wait(struct call *call, int r, struct agent_request *request) {
    if (r < 0)
        call_fail(call, r, NULL);
    else if (request)
        call->request = request;
}

void call_fail(struct call *call, int code, const struct failure *failure) {
    send_failure(call->message, code, failure);
    call_end(call);
}

void call_refuse(struct call *call, const char *error, const char *format, ...) {
    char text[FAILURE_TEXT_MAX], clean[FAILURE_TEXT_MAX];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    text_copy(clean, sizeof(clean), text);
    (void)sd_bus_reply_method_errorf(call->message, error, "%s", clean);
    call_end(call);
}

/* --- Options ------------------------------------------------------------------------------------- */

static const char *option_type(const struct call_option *option) {
    if (option->ret_flag)
        return "b";
    return option->ret_number ? "u" : "s";
}

static int read_value(struct call *call, const struct call_option *option, const char *type) {
    int flag, r;

    if (strcmp(type, option_type(option)) != 0)
        return -EINVAL;
    if (option->ret_number)
        return sd_bus_message_read(call->message, "v", "u", option->ret_number);
    if (!option->ret_flag)
        return sd_bus_message_read(call->message, "v", "s", option->ret_text);
    r = sd_bus_message_read(call->message, "v", "b", &flag);
    if (r >= 0)
        *option->ret_flag = flag;
    return r;
}

/* Returns whether the option was read; where not, the call has been refused. */
static bool read_option(struct call *call, const struct call_option *options, size_t count) {
    const char *name, *type = NULL;

    if (sd_bus_message_read(call->message, "s", &name) < 0 ||
        sd_bus_message_peek_type(call->message, NULL, &type) < 0) {
        call_refuse(call, ERROR_INVALID_OPTION, "The options cannot be read.");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        if (read_value(call, &options[i], type) >= 0)
            return true;
        call_refuse(call, ERROR_INVALID_OPTION,
                    "Option %.64s is of type \"%.16s\"; it must be a %s.", name, type,
                    options[i].ret_flag     ? "boolean"
                    : options[i].ret_number ? "number"
                                            : "string");
        return false;
    }
    call_refuse(call, ERROR_UNKNOWN_OPTION, "%s has no option \"%.64s\".",
                sd_bus_message_get_member(call->message), name);
    return false;
}

bool call_read_options(struct call *call, const struct call_option *options, size_t count) {
    sd_bus_message *m = call->message;
    int r;

    r = sd_bus_message_enter_container(m, 'a', "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        if (!read_option(call, options, count))
            return false;
        r = sd_bus_message_exit_container(m);
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r < 0)
        call_refuse(call, ERROR_INVALID_OPTION, "The options cannot be read.");
    return r >= 0;
}

/* --- Peers --------------------------------------------------------------------------------------- */

static void refuse_all(struct peer *peer, const char *text) {
    while (peer->calls)
        call_refuse(peer->calls, ERROR_UNKNOWN_CALLER, "%s", text);
}

/* The call that came first of those that have not been started; the list has the newest first. */
static struct call *first_unstarted(struct peer *peer) {
    struct call *found = NULL;

    for (struct call *call = peer->calls; call; call = call->next)
        if (call->start)
            found = call;
    return found;
}

/* An answer may end calls at once, so nothing of the list is held across one. */
static void start_call(struct call *call) {
    call_fn start = call->start;

    call->start = NULL;
    start(call);
}

static int peer_answered(sd_bus_message *answer, void *userdata, sd_bus_error *error) {
    struct peer *peer = userdata;
    struct service *service = peer->service;
    struct call *call;
    int r;

    (void)error;
    peer->slot = sd_bus_slot_unref(peer->slot);
    if (sd_bus_message_is_method_error(answer, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
        sd_bus_is_open(service->bus) <= 0) {
        call_drop_peer(service, peer);
        return 0;
    }
    r = sd_bus_message_is_method_error(answer, NULL) ? -ENODATA
                                                     : credentials_read(answer, &peer->caller);
    if (r < 0) {
        log_warning("The bus daemon does not say who %s is: %s", peer->name, strerror(-r));
        refuse_all(peer, "The bus daemon does not say who is calling.");
        peer_remove(&service->peers, peer);
        return 0;
    }
    peer->known = true;
    while ((call = first_unstarted(peer)))
        start_call(call);
    return 0;
}

static int peer_meet(struct service *service, const char *name, struct peer **ret) {
    struct peer *peer;
    int r;

    r = peer_add(&service->peers, name, &peer);
    if (r != 0)
        return r;
    peer->service = service;
    r = credentials_ask(service->bus, name, peer_answered, peer, &peer->slot);
    if (r < 0) {
        peer_remove(&service->peers, peer);
        return r;
    }
    *ret = peer;
    return 0;
}

int call_begin(struct service *service, sd_bus_message *message, const char *object,
               call_fn start) {
    const char *sender = sd_bus_message_get_sender(message);
    struct peer *peer;
    struct call *call;
    int r = 0;

    if (!sender)
        return -EBADMSG;
    peer = peer_find(&service->peers, sender);
    if (!peer)
        r = peer_meet(service, sender, &peer);
    if (r == 0)
        r = call_new(service, peer, message, start, &call);
    if (r != 0) {
        send_failure(message, r, NULL);
        return 1;
    }
    (void)snprintf(call->object, sizeof(call->object), "%s", object ? object : "");
    if (peer->known)
        start_call(call);
    return 1;
}

void call_drop_peer(struct service *service, struct peer *peer) {
    while (peer->calls) {
        struct call *call = peer->calls;

        call->request = agent_request_cancel(call->request);
        call_end(call);
    }
    peer->se = agent_se_client_free(peer->se);
    peer_remove(&service->peers, peer);
}

void call_drop_all(struct service *service, int code) {
    const struct failure failure = {.code = code,
                                    .text = "keystrapd is going down; ask again when it is back"};

    while (service->peers.newest) {
        struct peer *peer = service->peers.newest;

        for (struct call *call = peer->calls; code != 0 && call; call = call->next)
            send_failure(call->message, code, &failure);
        call_drop_peer(service, peer);
    }
}
