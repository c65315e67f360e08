/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Refreshing: the agent says "something may have changed", and the bus hears what.
 *
 * Objects first, then what happened to cards, then properties: who is told of a change finds that the rest is as it
 * should be.
 */

#include <errno.h>
#include <string.h>

#include "log.h"
#include "service-internal.h"
#include "util.h"

static void check_sent(int r, const char *what) {
    if (r < 0)
        log_warning("%s was not sent: %s", what, strerror(-r));
}

static void tell_changes(struct service *service, const char *path, const char *interface,
                         const char *const *names) {
    char *strv[SNAPSHOT_ALL_COUNT + 1];
    size_t count = 0;

    if (!service->connected)
        return;
    /* sd-bus takes the strings without const, and does not change them. */
    do
        memcpy(&strv[count], &names[count], sizeof(strv[count]));
    while (names[count++]);
    check_sent(sd_bus_emit_properties_changed_strv(service->bus, path, interface, strv),
               "PropertiesChanged");
}

/* --- Objects ------------------------------------------------------------------------------------- */

static struct uicc_object *take_object(struct service *service, const char *name) {
    for (size_t i = 0; i < service->uiccs_count; i++)
        if (service->uiccs[i] && strcmp(service->uiccs[i]->status.name, name) == 0)
            return TAKE_PTR(service->uiccs[i]);
    return NULL;
}

static void tell_removed(struct uicc_object *object) {
    struct service *service = object->service;

    if (!service->connected)
        return;
    check_sent(sd_bus_emit_signal(service->bus, SERVICE_PATH, SERVICE_MANAGER, "CardRemoved", "o",
                                  object->path),
               "CardRemoved");
}

static void tell_inserted(struct uicc_object *object) {
    struct service *service = object->service;

    if (!service->connected)
        return;
    check_sent(sd_bus_emit_signal(service->bus, SERVICE_PATH, SERVICE_MANAGER, "CardInserted", "os",
                                  object->path, object->status.reader),
               "CardInserted");
}

static void remove_object(struct uicc_object *object) {
    struct service *service = object->service;

    if (object->status.present)
        tell_removed(object);
    if (service->connected)
        check_sent(sd_bus_emit_object_removed(service->bus, object->path), "InterfacesRemoved");
    uicc_object_free(object);
}

static struct uicc_object *add_object(struct service *service, const struct snapshot *status) {
    struct uicc_object *object = NULL;
    int r;

    r = uicc_object_new(service, status, &object);
    if (r < 0) {
        log_error("The card %s is not on the bus: %s", status->name, strerror(-r));
        return NULL;
    }
    if (service->connected)
        check_sent(sd_bus_emit_object_added(service->bus, object->path), "InterfacesAdded");
    if (status->present)
        tell_inserted(object);
    return object;
}

static bool same_objects(const struct service *service) {
    if (agent_cards(service->agent) != service->uiccs_count)
        return false;
    for (size_t i = 0; i < service->uiccs_count; i++) {
        struct agent_status now = {0};

        agent_get_status(service->agent, i, &now);
        if (strcmp(now.name, service->uiccs[i]->status.name) != 0)
            return false;
    }
    return true;
}

/* One object for each card of the configuration, in its order. */
static void refresh_objects(struct service *service) {
    static const char *const changed[] = {"Uiccs", NULL};
    struct uicc_object *objects[CARDS_MAX];
    size_t count = 0, before = service->uiccs_count;

    if (same_objects(service))
        return;
    for (size_t i = 0; i < agent_cards(service->agent); i++) {
        struct snapshot now;

        snapshot_take(service->agent, i, &now);
        objects[count] = take_object(service, now.name);
        if (!objects[count])
            objects[count] = add_object(service, &now);
        count += objects[count] != NULL;
    }
    for (size_t i = 0; i < before; i++)
        if (service->uiccs[i])
            remove_object(service->uiccs[i]);
    memcpy(service->uiccs, objects, count * sizeof(objects[0]));
    service->uiccs_count = count;
    tell_changes(service, SERVICE_PATH, SERVICE_MANAGER, changed);
}

/* --- What they say ------------------------------------------------------------------------------- */

static void refresh_object(struct uicc_object *object, const struct snapshot *now) {
    const char *names[SNAPSHOT_ALL_COUNT + 1];
    struct snapshot before = object->status;
    bool other = before.insertions != now->insertions;

    object->status = *now;
    if (before.present && (!now->present || other))
        tell_removed(object);
    if (now->present && (!before.present || other))
        tell_inserted(object);
    if (snapshot_compare(&before, now, SNAPSHOT_ALL_COUNT, names) > 0)
        tell_changes(object->service, object->path, SERVICE_UICC, names);
}

static void refresh_manager(struct service *service, const struct snapshot *now) {
    const char *names[SNAPSHOT_ALL_COUNT + 1];
    size_t count;

    count = snapshot_compare(&service->status, now, SNAPSHOT_PROPERTIES_COUNT, names);
    service->status = *now;
    if (count > 0)
        tell_changes(service, SERVICE_PATH, SERVICE_MANAGER, names);
}

void service_refresh(struct service *service) {
    struct snapshot now;

    refresh_objects(service);
    for (size_t i = 0; i < service->uiccs_count; i++) {
        snapshot_take(service->agent, i, &now);
        if (strcmp(now.name, service->uiccs[i]->status.name) == 0)
            refresh_object(service->uiccs[i], &now);
    }
    enrolment_refresh(service);
    snapshot_take(service->agent, 0, &now);
    refresh_manager(service, &now);
}
