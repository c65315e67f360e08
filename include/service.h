/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The service: the agent on the system bus, as org.keystrap.Agent1.
 *
 * It decides nothing. It finds out who calls, asks the agent, and turns answers into replies: keys into
 * file descriptors, outcomes into error names, changes into PropertiesChanged. Belongs to the main thread.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "agent.h"
#include "outcome.h"

#define SERVICE_BUS_NAME "org.keystrap.Agent1"
#define SERVICE_PATH     "/org/keystrap/Agent1"
#define SERVICE_KEYS     SERVICE_BUS_NAME ".Keys"
#define SERVICE_MANAGER  SERVICE_BUS_NAME ".Manager"
#define SERVICE_SECURE_ELEMENT SERVICE_BUS_NAME ".SecureElement"
#define SERVICE_ENROLMENT SERVICE_BUS_NAME ".Enrolment" /* at SERVICE_PATH/enrolment/NAME, likewise */
#define SERVICE_UICC     SERVICE_BUS_NAME ".Uicc" /* at SERVICE_PATH/uicc/NAME, where - is _ */

struct service;

/**
 * service_new() - connect to the system bus, publish the interfaces and own the name
 * @event: a reference is kept
 * @agent: borrowed; it outlives the service
 *
 * Waits for the bus until the name is ours, as nobody can call before; nothing after it blocks. When the bus goes
 * away later, waiting calls are cancelled and the service connects again by itself, first after
 * BUS_RECONNECT_MIN_USEC, then ever later up to BUS_RECONNECT_MAX_USEC.
 *
 * Return: 0; negative errno with @failure: no bus, or the bus's policy or another owner refuses the name.
 */
int service_new(sd_event *event, struct agent *agent, struct service **ret,
                struct failure *failure);

/**
 * service_free() - answer the calls that wait with UB_E_CANCELLED, cancel their requests, leave the bus;
 * to be called before agent_free(). NULL is allowed; returns NULL.
 */
struct service *service_free(struct service *service);

/**
 * service_connected() - whether the service owns its name on the bus now
 */
bool service_connected(const struct service *service);

static inline void service_freep(struct service **service) {
    *service = service_free(*service);
}

#define _cleanup_service_ __attribute__((cleanup(service_freep)))
