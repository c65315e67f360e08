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

struct service {
    sd_event *event;
    struct agent *agent; /* borrowed */
    sd_bus *bus;         /* NULL or dead while there is none */
    sd_event_source *reconnect;
    uint64_t backoff_usec;
    bool connected; /* we own the name */
    struct peer_table peers;
    struct call_pool calls;
    struct snapshot status; /* what the properties say */
};

/**
 * keys_interface_add(), manager_interface_add() - publish the interface on the service's bus
 */
int keys_interface_add(struct service *service);
int manager_interface_add(struct service *service);

/**
 * manager_refresh() - ask the agent how things stand, and emit PropertiesChanged for what differs from before
 */
void manager_refresh(struct service *service);
