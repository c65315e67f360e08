/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Objects.
 *
 * A path is made of the name, which stays the same whatever reader or slot a card is found in, and whatever a profile says.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "service-internal.h"
#include "util.h"

static_assert(PROFILE_NAME_MAX <= OBJECT_NAME_MAX, "a call holds the name of any object");
static_assert(ENROL_PROFILES_MAX <= OBJECTS_MAX, "a list holds the objects of any class");
static_assert(offsetof(struct snapshot, name) == 0, "a status begins with the name");
static_assert(offsetof(struct enrolment_snapshot, name) == 0, "a status begins with the name");

static int publish(struct object *object) {
    return sd_bus_add_object_vtable(object->service->bus, &object->slot, object->path,
                                    object->class->interface, object->class->vtable, object);
}

int object_new(struct service *service, const struct object_class *class,
               const union object_status *status, struct object **ret) {
    struct object *object;
    int r;

    object = calloc(1, sizeof(*object));
    if (!object)
        return -ENOMEM;
    object->class = class;
    object->service = service;
    object->status = *status;
    (void)snprintf(object->path, sizeof(object->path), SERVICE_PATH "/%s/%s", class->directory,
                   status->name);
    for (char *p = object->path; *p; p++)
        if (*p == '-')
            *p = '_';
    r = service->bus ? publish(object) : 0;
    if (r < 0) {
        free(object);
        return r;
    }
    *ret = object;
    return 0;
}

struct object *object_free(struct object *object) {
    if (object)
        sd_bus_slot_unref(object->slot);
    free(object);
    return NULL;
}

int object_list_publish(struct object_list *list) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < list->count; i++)
        r = publish(list->objects[i]);
    return r;
}

void object_list_withdraw(struct object_list *list) {
    for (size_t i = 0; i < list->count; i++)
        list->objects[i]->slot = sd_bus_slot_unref(list->objects[i]->slot);
}

void object_list_done(struct object_list *list) {
    while (list->count > 0)
        object_free(list->objects[--list->count]);
}

void check_sent(int r, const char *what) {
    if (r < 0)
        log_warning("%s was not sent: %s", what, strerror(-r));
}

/* --- Properties ---------------------------------------------------------------------------------- */

int property_get_paths(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    const struct object_list *list = userdata;
    int r;

    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    r = sd_bus_message_open_container(reply, 'a', "o");
    for (size_t i = 0; r >= 0 && i < list->count; i++)
        r = sd_bus_message_append(reply, "o", list->objects[i]->path);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

int property_get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    return sd_bus_message_append(reply, "s", (const char *)userdata);
}
