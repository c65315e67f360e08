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

static void tell(struct object *object, const union object_status *before,
                 const union object_status *now) {
    if (object->class->tell && object->service->connected)
        object->class->tell(object, before, now);
}

static struct object *take_object(struct object_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (list->objects[i] && strcmp(list->objects[i]->status.name, name) == 0)
            return TAKE_PTR(list->objects[i]);
    return NULL;
}

static void remove_object(struct object *object) {
    struct service *service = object->service;

    tell(object, &object->status, NULL);
    if (service->connected)
        check_sent(sd_bus_emit_object_removed(service->bus, object->path), "InterfacesRemoved");
    object_free(object);
}

static struct object *add_object(struct service *service, const struct object_class *class,
                                 const union object_status *status) {
    struct object *object = NULL;
    int r;

    r = object_new(service, class, status, &object);
    if (r < 0) {
        log_error("%s/%s is not on the bus: %s", class->directory, status->name, strerror(-r));
        return NULL;
    }
    if (service->connected)
        check_sent(sd_bus_emit_object_added(service->bus, object->path), "InterfacesAdded");
    tell(object, NULL, status);
    return object;
}

static bool same_objects(struct service *service, const struct object_list *list) {
    if (list->class->count(service->agent) != list->count)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->class->name(service->agent, i), list->objects[i]->status.name) != 0)
            return false;
    return true;
}

/* One object for each card or profile that the agent has, in its order. */
static void refresh_list(struct service *service, struct object_list *list) {
    const char *const changed[] = {list->class->list, NULL};
    size_t now = list->class->count(service->agent), before = list->count, count = 0;
    struct object *objects[OBJECTS_MAX];

    if (same_objects(service, list))
        return;
    for (size_t i = 0; i < now && i < OBJECTS_MAX; i++) {
        union object_status status;

        list->class->take(service->agent, i, &status);
        objects[count] = take_object(list, status.name);
        if (!objects[count])
            objects[count] = add_object(service, list->class, &status);
        count += objects[count] != NULL;
    }
    for (size_t i = 0; i < before; i++)
        if (list->objects[i])
            remove_object(list->objects[i]);
    memcpy(list->objects, objects, count * sizeof(objects[0]));
    list->count = count;
    tell_changes(service, SERVICE_PATH, SERVICE_MANAGER, changed);
}

/* --- What they say ------------------------------------------------------------------------------- */

static void refresh_object(struct object *object, const union object_status *now) {
    const struct object_class *class = object->class;
    const char *names[SNAPSHOT_ALL_COUNT + 1];
    union object_status before = object->status;

    object->status = *now;
    tell(object, &before, now);
    if (snapshot_compare(class->fields, class->fields_count, &before, now, names) > 0)
        tell_changes(object->service, object->path, class->interface, names);
}

static void refresh_objects(struct service *service, struct object_list *list) {
    size_t count = list->class->count(service->agent);

    for (size_t i = 0; i < list->count && i < count; i++) {
        union object_status now;

        list->class->take(service->agent, i, &now);
        if (strcmp(now.name, list->objects[i]->status.name) == 0)
            refresh_object(list->objects[i], &now);
    }
}

static void refresh_manager(struct service *service, const struct snapshot *now) {
    const char *names[SNAPSHOT_ALL_COUNT + 1];
    size_t count;

    count =
        snapshot_compare(snapshot_fields, SNAPSHOT_PROPERTIES_COUNT, &service->status, now, names);
    service->status = *now;
    if (count > 0)
        tell_changes(service, SERVICE_PATH, SERVICE_MANAGER, names);
}

void service_refresh(struct service *service) {
    struct snapshot now;

    refresh_list(service, &service->uiccs);
    refresh_list(service, &service->enrolments);
    refresh_objects(service, &service->uiccs);
    refresh_objects(service, &service->enrolments);
    snapshot_take(service->agent, 0, &now);
    refresh_manager(service, &now);
}
