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
#include "object.h"
#include "peer.h"
#include "service.h"
#include "snapshot.h"

struct service {
    sd_event *event;
    struct agent *agent; /* borrowed */
    sd_bus *bus;         /* NULL or dead while there is none */
    sd_event_source *reconnect;
    uint64_t backoff_usec;
    bool connected; /* we own the name */
    struct peer_table peers;
    struct call_pool calls;
    struct snapshot status; /* what the properties of the Manager say */
    struct object_list uiccs, enrolments;
};

/**
 * keys_interface_add(), manager_interface_add(), se_interface_add() - publish the interface on the service's bus
 */
int keys_interface_add(struct service *service);
int se_interface_add(struct service *service);
int manager_interface_add(struct service *service);

/**
 * service_refresh() - ask the agent how things stand, and emit the signals for what differs from before: cards that are or
 * are not configured any more, profiles likewise, cards that were inserted or removed, properties
 */
void service_refresh(struct service *service);

/**
 * property_get_text() - getter of "s" for an array of char
 */
int property_get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error);

/**
 * card_bootstrap(), card_forget(), card_diagnose(), card_identity() - the methods that are the Manager's and a card's, for
 * call_begin()
 */
void card_bootstrap(struct call *call);
void card_forget(struct call *call);
void card_diagnose(struct call *call);
void card_identity(struct call *call);

/**
 * configure_start() - Manager.Configure(), for call_begin()
 */
void configure_start(struct call *call);

/* The methods of a card in a vtable, with the handler of each. */
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
