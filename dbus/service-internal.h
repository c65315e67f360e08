/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The service's inside, shared by the files that make it.
 */

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "agent.h"
#include "call.h"
#include "peer.h"
#include "service.h"
#include "snapshot.h"

/* A card on the bus. */
struct uicc_object {
    struct service *service;
    char path[sizeof(SERVICE_PATH "/uicc/") + CARD_NAME_MAX];
    sd_bus_slot *slot;      /* of its interface; NULL without a bus */
    struct snapshot status; /* what its properties say */
};

struct enrolment_object;

struct service {
    sd_event *event;
    struct agent *agent; /* borrowed */
    sd_bus *bus;         /* NULL or dead while there is none */
    sd_event_source *reconnect;
    uint64_t backoff_usec;
    bool connected; /* we own the name */
    struct peer_table peers;
    struct call_pool calls;
    struct snapshot status;               /* what the properties of the Manager say */
    struct uicc_object *uiccs[CARDS_MAX]; /* in the order of the configuration */
    size_t uiccs_count;
    struct enrolment_object *enrolments[ENROL_PROFILES_MAX]; /* in the order of their names */
    size_t enrolments_count;
};

/**
 * keys_interface_add(), manager_interface_add(), se_interface_add(), uicc_interface_add() - publish the interface on the
 * service's bus, the last one for all cards
 */
int keys_interface_add(struct service *service);
int se_interface_add(struct service *service);
int manager_interface_add(struct service *service);
int uicc_interface_add(struct service *service);

/**
 * enrolment_interface_add(), enrolment_interface_drop() - publish the objects of all profiles, and forget that they were when
 * there is no bus any more
 */
int enrolment_interface_add(struct service *service);
void enrolment_interface_drop(struct service *service);

/**
 * enrolment_refresh() - ask the agent how things stand with the profiles, and emit the signals for what differs
 */
void enrolment_refresh(struct service *service);

/**
 * enrolment_objects_done() - release them; nobody is told
 */
void enrolment_objects_done(struct service *service);

/**
 * enrolment_object_path() - of profile @index; borrowed
 */
const char *enrolment_object_path(const struct service *service, size_t index);

/**
 * configure_start() - Manager.Configure(), for call_begin()
 */
void configure_start(struct call *call);

/**
 * uicc_object_new() - a card that has the status @status; it is on the bus where there is one
 *
 * Return: 0; negative errno.
 */
int uicc_object_new(struct service *service, const struct snapshot *status,
                    struct uicc_object **ret);

/**
 * uicc_object_free() - off the bus and gone; NULL is allowed. Returns NULL.
 */
struct uicc_object *uicc_object_free(struct uicc_object *object);

/**
 * service_refresh() - ask the agent how things stand, and emit the signals for what differs from before: cards that are or
 * are not configured any more, cards that were inserted or removed, properties
 */
void service_refresh(struct service *service);

/**
 * property_get_text(), property_get_words() - getters for an array of char: as "s", and as "as" of what spaces divide
 */
int property_get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);
int property_get_words(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error);

/**
 * card_bootstrap(), card_forget(), card_diagnose(), card_identity() - the methods that are the Manager's and a card's, for
 * call_begin()
 */
void card_bootstrap(struct call *call);
void card_forget(struct call *call);
void card_diagnose(struct call *call);
void card_identity(struct call *call);

/* They in a vtable, with the handler of each. */
#define CARD_METHODS(on_bootstrap, on_forget, on_diagnose, on_identity)                            \
    SD_BUS_METHOD_WITH_NAMES("Bootstrap", "a{sv}", SD_BUS_PARAM(options), "st",                    \
                             SD_BUS_PARAM(btid) SD_BUS_PARAM(expires), on_bootstrap,               \
                             SD_BUS_VTABLE_UNPRIVILEGED),                                          \
        SD_BUS_METHOD_WITH_NAMES("Forget", "", "", "", "", on_forget, SD_BUS_VTABLE_UNPRIVILEGED), \
        SD_BUS_METHOD_WITH_NAMES("Diagnose", "a{sv}", SD_BUS_PARAM(options), "a(ssss)",            \
                                 SD_BUS_PARAM(checks), on_diagnose, SD_BUS_VTABLE_UNPRIVILEGED),   \
        SD_BUS_METHOD_WITH_NAMES("GetIdentity", "", "", "a{sv}", SD_BUS_PARAM(identity),           \
                                 on_identity,                                                      \
                                 SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE)
