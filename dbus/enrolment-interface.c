/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.Enrolment: a profile of enrol.d or of a signed document.
 *
 * Its path is made of its name. What the properties say is a copy of what the agent said last, so that who is told of a
 * change finds it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error-map.h"
#include "log.h"
#include "service-internal.h"
#include "util.h"

#define METHODS_MAX 3u

/* As the properties say it. */
struct enrolment_state {
    char name[PROFILE_NAME_MAX + 1];
    char state[16];
    char method[16];
    char target[ENTITY_ID_MAX + 1];
    char target_kind[16];
    char mef[FQDN_MAX + 1];
    char ke_id[KEY_ID_MAX + 1];
    uint64_t expires, boot_time_expires, retry_at;
    int token_pending; /* int is what sd-bus takes for a boolean */
    struct {
        char method[16], verdict[16], outcome[32], text[FAILURE_TEXT_MAX];
    } methods[METHODS_MAX];
    size_t methods_count;
    char last_error[96];
    char last_error_text[FAILURE_TEXT_MAX];
};

struct enrolment_object {
    struct service *service;
    char path[sizeof(SERVICE_PATH "/enrolment/") + PROFILE_NAME_MAX];
    sd_bus_slot *slot; /* of its interface; NULL without a bus */
    struct enrolment_state state;
};

static void copy(char *to, size_t size, const char *from) {
    (void)snprintf(to, size, "%s", from);
}

static void take_state(struct agent *agent, size_t index, struct enrolment_state *ret) {
    struct agent_enrol_status status;

    memset(ret, 0, sizeof(*ret)); /* it is compared octet by octet */
    agent_get_enrol_status(agent, index, &status);
    copy(ret->name, sizeof(ret->name), status.name);
    copy(ret->state, sizeof(ret->state), agent_enrol_state_name(status.state));
    copy(ret->method, sizeof(ret->method), status.method);
    copy(ret->target, sizeof(ret->target), status.target);
    copy(ret->target_kind, sizeof(ret->target_kind), status.target_kind);
    copy(ret->mef, sizeof(ret->mef), status.mef);
    copy(ret->ke_id, sizeof(ret->ke_id), status.ke_id);
    ret->expires = status.expires_utc_usec;
    ret->boot_time_expires = status.expires_usec;
    ret->retry_at = status.retry_usec;
    ret->token_pending = status.token_pending;
    ret->methods_count = status.methods_count;
    for (size_t i = 0; i < status.methods_count; i++) {
        const struct agent_enrol_method_status *method = &status.methods[i];

        copy(ret->methods[i].method, sizeof(ret->methods[i].method), method->method);
        copy(ret->methods[i].verdict, sizeof(ret->methods[i].verdict),
             agent_enrol_verdict_name(method->verdict));
        copy(ret->methods[i].outcome, sizeof(ret->methods[i].outcome),
             method->code != 0 ? outcome_name(method->code) : "");
        copy(ret->methods[i].text, sizeof(ret->methods[i].text), method->text);
    }
    if (status.last_failure->code != 0) {
        copy(ret->last_error, sizeof(ret->last_error), error_map_name(status.last_failure->code));
        copy(ret->last_error_text, sizeof(ret->last_error_text), status.last_failure->text);
    }
}

/* --- Methods ------------------------------------------------------------------------------------------- */

static void enrol_done(int r, const struct agent_key *key, const struct failure *failure,
                       void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct call *call = userdata;

    call->request = NULL;
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    service_refresh(call->service);
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "st", key->btid, key->expires_utc_usec);
    call_reply(call, r, reply);
}

static void enrol_begin(struct call *call, bool renew) {
    struct agent_request *request = NULL;
    int r;

    if (!call_read_options(call, NULL, 0))
        return;
    r = agent_enrol(call->service->agent, &call->peer->caller, call->uicc, renew, enrol_done, call,
                    &request);
    call_wait(call, r, request);
}

static void enrol_start(struct call *call) {
    enrol_begin(call, false);
}

static void renew_start(struct call *call) {
    enrol_begin(call, true);
}

static void forget_start(struct call *call) {
    struct failure failure = {0};
    int r;

    r = agent_enrol_forget(call->service->agent, &call->peer->caller, call->uicc, &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    service_refresh(call->service);
    call_reply_empty(call);
}

static int begin(sd_bus_message *m, const struct enrolment_object *object, call_fn start) {
    return call_begin(object->service, m, object->state.name, start);
}

static int method_enrol(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return begin(m, userdata, enrol_start);
}

static int method_renew(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return begin(m, userdata, renew_start);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return begin(m, userdata, forget_start);
}

/* --- Properties ---------------------------------------------------------------------------------------- */

static int get_methods(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    const struct enrolment_state *state = userdata;
    int r;

    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    r = sd_bus_message_open_container(reply, 'a', "(ssss)");
    for (size_t i = 0; r >= 0 && i < state->methods_count; i++)
        r = sd_bus_message_append(reply, "(ssss)", state->methods[i].method,
                                  state->methods[i].verdict, state->methods[i].outcome,
                                  state->methods[i].text);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

#define TEXT(name, field)                                                                         \
    SD_BUS_PROPERTY(name, "s", property_get_text, offsetof(struct enrolment_object, state.field), \
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define NUMBER(name, type, field)                                                     \
    SD_BUS_PROPERTY(name, type, NULL, offsetof(struct enrolment_object, state.field), \
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", property_get_text, offsetof(struct enrolment_object, state.name),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    TEXT("State", state),
    TEXT("Method", method),
    TEXT("Target", target),
    TEXT("TargetKind", target_kind),
    TEXT("Mef", mef),
    TEXT("KeId", ke_id),
    NUMBER("Expires", "t", expires),
    NUMBER("BootTimeExpires", "t", boot_time_expires),
    NUMBER("RetryAt", "t", retry_at),
    NUMBER("TokenPending", "b", token_pending),
    SD_BUS_PROPERTY("Methods", "a(ssss)", get_methods, offsetof(struct enrolment_object, state),
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    TEXT("LastError", last_error),
    TEXT("LastErrorText", last_error_text),
    SD_BUS_METHOD_WITH_NAMES("Enrol", "a{sv}", SD_BUS_PARAM(options), "st",
                             SD_BUS_PARAM(key_id) SD_BUS_PARAM(expires), method_enrol,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Renew", "a{sv}", SD_BUS_PARAM(options), "st",
                             SD_BUS_PARAM(key_id) SD_BUS_PARAM(expires), method_renew,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Forget", "", "", "", "", method_forget, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* --- Objects -------------------------------------------------------------------------------------------- */

static int publish(struct enrolment_object *object) {
    return sd_bus_add_object_vtable(object->service->bus, &object->slot, object->path,
                                    SERVICE_ENROLMENT, vtable, object);
}

int enrolment_interface_add(struct service *service) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < service->enrolments_count; i++)
        r = publish(service->enrolments[i]);
    return r;
}

void enrolment_interface_drop(struct service *service) {
    for (size_t i = 0; i < service->enrolments_count; i++)
        service->enrolments[i]->slot = sd_bus_slot_unref(service->enrolments[i]->slot);
}

void enrolment_objects_done(struct service *service) {
    for (size_t i = 0; i < service->enrolments_count; i++) {
        sd_bus_slot_unref(service->enrolments[i]->slot);
        free(service->enrolments[i]);
    }
    service->enrolments_count = 0;
}

const char *enrolment_object_path(const struct service *service, size_t index) {
    return service->enrolments[index]->path;
}

static struct enrolment_object *new_object(struct service *service,
                                           const struct enrolment_state *state) {
    struct enrolment_object *object = calloc(1, sizeof(*object));

    if (!object)
        return NULL;
    object->service = service;
    object->state = *state;
    (void)snprintf(object->path, sizeof(object->path), SERVICE_PATH "/enrolment/%s", state->name);
    for (char *p = object->path; *p; p++)
        if (*p == '-')
            *p = '_';
    if (service->bus && publish(object) < 0) {
        free(object);
        return NULL;
    }
    if (service->connected)
        (void)sd_bus_emit_object_added(service->bus, object->path);
    return object;
}

static void free_object(struct enrolment_object *object) {
    if (object->service->connected)
        (void)sd_bus_emit_object_removed(object->service->bus, object->path);
    sd_bus_slot_unref(object->slot);
    free(object);
}

static struct enrolment_object *take_object(struct service *service, const char *name) {
    for (size_t i = 0; i < service->enrolments_count; i++)
        if (service->enrolments[i] && strcmp(service->enrolments[i]->state.name, name) == 0)
            return TAKE_PTR(service->enrolments[i]);
    return NULL;
}

/* All of them, for they are few and seldom change. */
static void tell_changes(struct enrolment_object *object) {
    if (object->service->connected)
        (void)sd_bus_emit_properties_changed(
            object->service->bus, object->path, SERVICE_ENROLMENT, "State", "Method", "Target",
            "TargetKind", "Mef", "KeId", "Expires", "BootTimeExpires", "RetryAt", "TokenPending",
            "Methods", "LastError", "LastErrorText", NULL);
}

/* Keep the object of @state, or make it; tell what changed. NULL without memory. */
static struct enrolment_object *
refresh_object(struct service *service, const struct enrolment_state *state, bool *ret_other) {
    struct enrolment_object *object = take_object(service, state->name);

    if (!object) {
        *ret_other = true;
        return new_object(service, state);
    }
    if (memcmp(&object->state, state, sizeof(*state)) != 0) {
        object->state = *state;
        tell_changes(object);
    }
    return object;
}

void enrolment_refresh(struct service *service) {
    struct enrolment_object *objects[ENROL_PROFILES_MAX];
    struct enrolment_state state;
    bool other = false;
    size_t count = 0;

    for (size_t i = 0; i < agent_enrolments(service->agent); i++) {
        take_state(service->agent, i, &state);
        objects[count] = refresh_object(service, &state, &other);
        count += objects[count] != NULL;
    }
    for (size_t i = 0; i < service->enrolments_count; i++) {
        if (!service->enrolments[i])
            continue;
        free_object(service->enrolments[i]);
        other = true;
    }
    memcpy(service->enrolments, objects, count * sizeof(objects[0]));
    service->enrolments_count = count;
    if (other && service->connected)
        (void)sd_bus_emit_properties_changed(service->bus, SERVICE_PATH, SERVICE_MANAGER,
                                             "Enrolments", NULL);
}
