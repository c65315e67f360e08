/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.Uicc: a card of the configuration, whether it is there or not.
 *
 * Its path is made of its name, which stays the same whatever reader or slot it is found in.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service-internal.h"
#include "util.h"

int property_get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    return sd_bus_message_append(reply, "s", (const char *)userdata);
}

int property_get_words(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    const char *words = userdata;
    int r;

    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    r = sd_bus_message_open_container(reply, 'a', "s");
    while (r >= 0 && words[0]) {
        size_t length = strcspn(words, " ");
        char word[32];

        (void)snprintf(word, sizeof(word), "%.*s", (int)length, words);
        r = sd_bus_message_append(reply, "s", word);
        words += length + strspn(words + length, " ");
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* --- Methods ------------------------------------------------------------------------------------- */

static int method_begin(sd_bus_message *m, const struct uicc_object *object, call_fn start) {
    return call_begin(object->service, m, object->status.name, start);
}

static int method_bootstrap(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_bootstrap);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_forget);
}

static int method_diagnose(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_diagnose);
}

static int method_get_identity(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_identity);
}

/* sd-bus reads numbers from where they are; for the rest it wants a getter. */
#define PROPERTY(name, type, field)                             \
    SD_BUS_PROPERTY(name, type,                                 \
                    (type)[0] == 's'   ? property_get_text      \
                    : (type)[0] == 'a' ? property_get_words     \
                                       : NULL,                  \
                    offsetof(struct uicc_object, status.field), \
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", property_get_text, offsetof(struct uicc_object, status.name),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SNAPSHOT_PROPERTIES(PROPERTY) SNAPSHOT_UICC_PROPERTIES(PROPERTY)
        CARD_METHODS(method_bootstrap, method_forget, method_diagnose, method_get_identity),
    SD_BUS_VTABLE_END,
};

static int publish(struct uicc_object *object) {
    return sd_bus_add_object_vtable(object->service->bus, &object->slot, object->path, SERVICE_UICC,
                                    vtable, object);
}

int uicc_interface_add(struct service *service) {
    int r;

    r = sd_bus_add_object_manager(service->bus, NULL, SERVICE_PATH);
    for (size_t i = 0; r >= 0 && i < service->uiccs_count; i++)
        r = publish(service->uiccs[i]);
    return r;
}

int uicc_object_new(struct service *service, const struct snapshot *status,
                    struct uicc_object **ret) {
    struct uicc_object *object;
    int r;

    object = calloc(1, sizeof(*object));
    if (!object)
        return -ENOMEM;
    object->service = service;
    object->status = *status;
    (void)snprintf(object->path, sizeof(object->path), SERVICE_PATH "/uicc/%s", status->name);
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

struct uicc_object *uicc_object_free(struct uicc_object *object) {
    if (object)
        sd_bus_slot_unref(object->slot);
    free(object);
    return NULL;
}
