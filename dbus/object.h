/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Objects: what is on the bus for each card of the configuration, and for each enrolment profile.
 *
 * Both are named by a user, come and go with the configuration, and have properties that say how things stand. What differs
 * between them is in a struct object_class.
 */

#include <stddef.h>
#include <systemd/sd-bus.h>

#include "agent.h"
#include "call.h"
#include "keystrap-limits.h"
#include "service.h"
#include "snapshot.h"

#define OBJECT_PATH_MAX (sizeof(SERVICE_PATH "/enrolment/") + OBJECT_NAME_MAX)
#define OBJECTS_MAX     CARDS_MAX /* of one class */

/* What the properties of an object say. Every kind begins with the name. */
union object_status {
    char name[OBJECT_NAME_MAX + 1];
    struct snapshot card;
    struct enrolment_snapshot enrolment;
};

struct object {
    const struct object_class *class;
    struct service *service;
    char path[OBJECT_PATH_MAX];
    sd_bus_slot *slot; /* of its interface; NULL without a bus */
    union object_status status;
};

struct object_class {
    const char *interface;
    const char *directory; /* of their paths, below SERVICE_PATH */
    const char *list;      /* the Manager's property that has their paths */
    const sd_bus_vtable *vtable; /* its userdata is the object */
    const struct snapshot_field *fields;
    size_t fields_count;
    size_t (*count)(const struct agent *agent);
    const char *(*name)(struct agent *agent, size_t index); /* borrowed until the next turn of the loop */
    void (*take)(struct agent *agent, size_t index, union object_status *ret);
    /* Signals of its own for what happened between two states, NULL for one that it did not have; may be NULL. */
    void (*tell)(struct object *object, const union object_status *before,
                 const union object_status *now);
};

/* The objects of one class that there are, in the agent's order. */
struct object_list {
    const struct object_class *class;
    struct object *objects[OBJECTS_MAX];
    size_t count;
};

extern const struct object_class uicc_class;
extern const struct object_class enrolment_class;

/**
 * object_new() - an object of @class that has the status @status; it is on the bus where there is one
 *
 * Return: 0; negative errno.
 */
int object_new(struct service *service, const struct object_class *class,
               const union object_status *status, struct object **ret);

/**
 * object_free() - off the bus and gone; NULL is allowed. Returns NULL.
 */
struct object *object_free(struct object *object);

/**
 * object_list_publish() - put all of them on the service's bus, which is a new one
 */
int object_list_publish(struct object_list *list);

/**
 * object_list_withdraw() - take them off the bus, which goes away
 */
void object_list_withdraw(struct object_list *list);

/**
 * object_list_done() - object_free() for all
 */
void object_list_done(struct object_list *list);

/**
 * property_get_paths() - getter of "ao" for a struct object_list
 */
int property_get_paths(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error);

/**
 * check_sent() - note in the log that a signal was not sent; @r is what sending it returned
 */
void check_sent(int r, const char *what);
