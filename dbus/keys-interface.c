/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.Keys: how an application gets its key.
 *
 * The key itself never is in a message, for the bus daemon keeps copies of what passes through it: the reply
 * carries the read end of a pipe that holds the octets once. This is the hot path of the daemon; where the Ks is
 * there, a call costs one table look-up, the derivation, the pipe and the reply.
 */

#include <errno.h>

#include "keystore.h"
#include "log.h"
#include "service-internal.h"
#include "util.h"

static int build_reply(struct call *call, const struct agent_key *key, int fd,
                       sd_bus_message **ret) {
    int r;

    r = sd_bus_message_new_method_return(call->message, ret);
    if (r < 0)
        return r;
    if (key->naf_fqdn)
        return sd_bus_message_append(*ret, "shta{sv}", key->btid, fd, key->expires_utc_usec, 2,
                                     "BootTimeExpires", "t", key->expires_usec, "NafFqdn", "s",
                                     key->naf_fqdn);
    if (key->profile)
        return sd_bus_message_append(*ret, "shta{sv}", key->btid, fd, key->expires_utc_usec, 4,
                                     "BootTimeExpires", "t", key->expires_usec, "Method", "s",
                                     key->method, "Profile", "s", key->profile, "Suid", "u",
                                     (uint32_t)key->suid);
    /* An entry costs sd-bus and the bus daemon more than the derivation: no more of them than need be. */
    if (key->bootstrapped)
        return sd_bus_message_append(*ret, "shta{sv}", key->btid, fd, key->expires_utc_usec, 2,
                                     "BootTimeExpires", "t", key->expires_usec, "Bootstrapped", "b",
                                     1);
    return sd_bus_message_append(*ret, "shta{sv}", key->btid, fd, key->expires_utc_usec, 1,
                                 "BootTimeExpires", "t", key->expires_usec);
}

static void derive_done(int r, const struct agent_key *key, const struct failure *failure,
                        void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_close_ int fd = -1;
    struct call *call = userdata;

    call->request = NULL;
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    if (key->bootstrapped)
        service_refresh(call->service);
    fd = delivery_pipe(key->key);
    if (fd < 0) {
        log_error("No pipe for a key: errno %d", -fd);
        call_fail(call, fd, NULL);
        return;
    }
    r = build_reply(call, key, fd, &reply);
    call_reply(call, r, reply);
}

static void derive_start(struct call *call) {
    struct agent_request *request = NULL;
    struct agent_naf naf = {0};
    const struct call_option options[] = {
        {.name = "Force", .ret_flag = &naf.force},
        {.name = "Uicc", .ret_text = &naf.uicc},
        {.name = "KeyType", .ret_text = &naf.key_type},
    };
    const void *ua = NULL;
    int r;

    r = sd_bus_message_read(call->message, "s", &naf.fqdn);
    if (r >= 0)
        r = sd_bus_message_read_array(call->message, 'y', &ua, &naf.ua_protocol_length);
    naf.ua_protocol = ua;
    if (r < 0) {
        call_fail(call, r, NULL);
        return;
    }
    if (!call_read_options(call, options, ELEMENTS(options)))
        return;

    r = agent_derive_naf_key(call->service->agent, &call->peer->caller, &naf, derive_done, call,
                             &request);
    call_wait(call, r, request);
}

static int method_derive_naf_key(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, derive_start);
}

static void push_start(struct call *call) {
    struct agent_request *request = NULL;
    const void *gpi = NULL;
    size_t length = 0;
    int r;

    r = sd_bus_message_read_array(call->message, 'y', &gpi, &length);
    if (r >= 0)
        r = agent_push_info(call->service->agent, &call->peer->caller, gpi, length, derive_done,
                            call, &request);
    call_wait(call, r, request);
}

static int method_push_info(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, push_start);
}

static void invalidate_start(struct call *call) {
    struct failure failure = {0};
    const char *btid;
    int r;

    r = sd_bus_message_read(call->message, "s", &btid);
    if (r < 0) {
        call_fail(call, r, NULL);
        return;
    }
    r = agent_invalidate(call->service->agent, &call->peer->caller, btid, &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    service_refresh(call->service);
    call_reply_empty(call);
}

static int method_invalidate(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, invalidate_start);
}

static void get_key_start(struct call *call) {
    struct agent_request *request = NULL;
    struct agent_key_wish wish = {0};
    const struct call_option options[] = {
        {.name = "Profile", .ret_text = &wish.profile},
        {.name = "Suid", .ret_number = &wish.suid},
    };
    int r;

    r = sd_bus_message_read(call->message, "ss", &wish.kind, &wish.peer);
    if (r < 0) {
        call_fail(call, r, NULL);
        return;
    }
    if (!call_read_options(call, options, ELEMENTS(options)))
        return;
    r = agent_get_key(call->service->agent, &call->peer->caller, &wish, derive_done, call,
                      &request);
    call_wait(call, r, request);
}

static int method_get_key(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, get_key_start);
}

/* Not SD_BUS_VTABLE_SENSITIVE: there is nothing in these messages to erase. */
static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_NAMES(
        "DeriveNafKey", "saya{sv}",
        SD_BUS_PARAM(naf_fqdn) SD_BUS_PARAM(ua_protocol) SD_BUS_PARAM(options), "shta{sv}",
        SD_BUS_PARAM(btid) SD_BUS_PARAM(key) SD_BUS_PARAM(expires) SD_BUS_PARAM(info),
        method_derive_naf_key, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES(
        "GetKey", "ssa{sv}", SD_BUS_PARAM(kind) SD_BUS_PARAM(peer) SD_BUS_PARAM(options),
        "shta{sv}", SD_BUS_PARAM(key_id) SD_BUS_PARAM(key) SD_BUS_PARAM(expires) SD_BUS_PARAM(info),
        method_get_key, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("PushInfo", "ay", SD_BUS_PARAM(gpi), "shta{sv}",
                             SD_BUS_PARAM(btid) SD_BUS_PARAM(key) SD_BUS_PARAM(expires)
                                 SD_BUS_PARAM(info),
                             method_push_info, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Invalidate", "s", SD_BUS_PARAM(btid), "", "", method_invalidate,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int keys_interface_add(struct service *service) {
    return sd_bus_add_object_vtable(service->bus, NULL, SERVICE_PATH, SERVICE_KEYS, vtable,
                                    service);
}
