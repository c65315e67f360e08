/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.Enrolment: an enrolment profile, of enrol.d or of a signed document.
 *
 * Properties are for anybody; methods ask the agent, which asks the access rules. No key leaves by this interface: that is
 * GetKey of org.keystrap.Agent1.Keys.
 */

#include "service-internal.h"
#include "util.h"

/* --- Properties ---------------------------------------------------------------------------------- */

static int get_methods(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    const struct snapshot_methods *methods = userdata;
    int r;

    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    r = sd_bus_message_open_container(reply, 'a', "(ssss)");
    for (size_t i = 0; r >= 0 && i < methods->count; i++)
        r = sd_bus_message_append(reply, "(ssss)", methods->of[i].method, methods->of[i].verdict,
                                  methods->of[i].outcome, methods->of[i].text);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* --- Enrol and Renew ----------------------------------------------------------------------------- */

static void enrol_done(int r, const struct agent_key *key, const struct failure *failure,
                       void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct call *call = userdata;

    call->request = NULL;
    service_refresh(call->service);
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "st", key->btid, key->expires_utc_usec);
    call_reply(call, r, reply);
}

static void enrol(struct call *call, bool renew) {
    struct agent_request *request = NULL;
    int r;

    if (!call_read_options(call, NULL, 0))
        return;
    r = agent_enrol(call->service->agent, &call->peer->caller, call->object, renew, enrol_done,
                    call, &request);
    call_wait(call, r, request);
}

static void enrol_start(struct call *call) {
    enrol(call, false);
}

static void renew_start(struct call *call) {
    enrol(call, true);
}

/* --- Forget -------------------------------------------------------------------------------------- */

static void forget_start(struct call *call) {
    struct failure failure = {0};
    int r;

    r = agent_enrol_forget(call->service->agent, &call->peer->caller, call->object, &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    service_refresh(call->service);
    call_reply_empty(call);
}

/* --- The vtable ---------------------------------------------------------------------------------- */

static int method_begin(sd_bus_message *m, const struct object *object, call_fn start) {
    return call_begin(object->service, m, object->status.name, start);
}

static int method_enrol(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, enrol_start);
}

static int method_renew(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, renew_start);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, forget_start);
}

/* As in uicc-interface.c; the one array is Methods. */
#define PROPERTY(name, type, field)                                  \
    SD_BUS_PROPERTY(name, type,                                      \
                    (type)[0] == 's'   ? property_get_text           \
                    : (type)[0] == 'a' ? get_methods                 \
                                       : NULL,                       \
                    offsetof(struct object, status.enrolment.field), \
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", property_get_text, offsetof(struct object, status.enrolment.name),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SNAPSHOT_ENROLMENT_PROPERTIES(PROPERTY) SD_BUS_METHOD_WITH_NAMES(
        "Enrol", "a{sv}", SD_BUS_PARAM(options), "st", SD_BUS_PARAM(key_id) SD_BUS_PARAM(expires),
        method_enrol, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Renew", "a{sv}", SD_BUS_PARAM(options), "st",
                             SD_BUS_PARAM(key_id) SD_BUS_PARAM(expires), method_renew,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Forget", "", "", "", "", method_forget, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* --- The class ----------------------------------------------------------------------------------- */

static const char *name_of(struct agent *agent, size_t index) {
    struct agent_enrol_status status = {0};

    agent_get_enrol_status(agent, index, &status);
    return status.name;
}

static void take(struct agent *agent, size_t index, union object_status *ret) {
    enrolment_snapshot_take(agent, index, &ret->enrolment);
}

const struct object_class enrolment_class = {
    .interface = SERVICE_ENROLMENT,
    .directory = "enrolment",
    .list = "Enrolments",
    .vtable = vtable,
    .fields = enrolment_snapshot_fields,
    .fields_count = SNAPSHOT_ENROLMENT_COUNT,
    .count = agent_enrolments,
    .name = name_of,
    .take = take,
};
