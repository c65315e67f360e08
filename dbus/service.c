/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The service's life on the bus.
 *
 * A bus daemon that restarts must not cost the agent its Ks, so losing the bus is a state and not the end:
 * the calls of the old bus are dropped (their callers have lost their connections as well), and the service
 * comes back by itself.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error-map.h"
#include "log.h"
#include "service-internal.h"
#include "util.h"

static int reconnect_fired(sd_event_source *source, uint64_t usec, void *userdata);

static void reconnect_later(struct service *service) {
    int r;

    service->connected = false;
    call_drop_all(service, 0);
    r = sd_event_source_set_time_relative(service->reconnect, service->backoff_usec);
    if (r >= 0)
        r = sd_event_source_set_enabled(service->reconnect, SD_EVENT_ONESHOT);
    if (r < 0)
        log_error("Cannot wait for the system bus: %s", strerror(-r));
    service->backoff_usec *= 2;
    if (service->backoff_usec > BUS_RECONNECT_MAX_USEC)
        service->backoff_usec = BUS_RECONNECT_MAX_USEC;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct service *service = userdata;

    (void)m, (void)error;
    if (service->connected)
        log_warning("The system bus is gone; calls that waited are cancelled. Connecting again.");
    reconnect_later(service);
    return 0;
}

static int on_peer_gone(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct service *service = userdata;
    struct peer *peer;
    const char *name;

    (void)error;
    if (sd_bus_message_read(m, "sss", &name, NULL, NULL) < 0)
        return 0;
    peer = peer_find(&service->peers, name);
    if (peer)
        call_drop_peer(service, peer);
    return 0;
}

static void on_agent_changed(void *userdata) {
    service_refresh(userdata);
}

static void name_is_ours(struct service *service) {
    service->connected = true;
    service->backoff_usec = BUS_RECONNECT_MIN_USEC;
    service_refresh(service);
}

/* The answer to RequestName after a reconnection; 1 and 4 mean that the name is ours. */
static int name_answered(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct service *service = userdata;
    uint32_t code = 0;

    (void)error;
    if (sd_bus_is_open(service->bus) <= 0)
        return 0; /* the bus is going down, and Disconnected comes after this */
    if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "u", &code) >= 0 &&
        (code == 1 || code == 4)) {
        name_is_ours(service);
        log_notice("Back on the system bus.");
        return 0;
    }
    log_warning("The system bus refuses the name %s; trying again.", SERVICE_BUS_NAME);
    reconnect_later(service);
    return 0;
}

static void drop_bus(struct service *service) {
    if (!service->bus)
        return;
    object_list_withdraw(&service->uiccs);
    object_list_withdraw(&service->enrolments);
    (void)sd_bus_detach_event(service->bus);
    if (sd_bus_is_ready(service->bus) > 0)
        (void)sd_bus_flush(service->bus);
    service->bus = sd_bus_close_unref(service->bus);
}

/* One rule for all peers: the daemon tells who has left, and those whom we do not know cost one look-up. */
static const char gone_rule[] =
    "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
    "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''";

/* Everything but the name; waits for nothing. */
static int open_bus(struct service *service) {
    int r;

    drop_bus(service);
    r = sd_bus_open_system_with_description(&service->bus, "keystrapd");
    if (r >= 0)
        r = sd_bus_set_close_on_exit(service->bus, false); /* service_free() has answers to send */
    if (r >= 0)
        r = keys_interface_add(service);
    if (r >= 0)
        r = manager_interface_add(service);
    if (r >= 0)
        r = se_interface_add(service);
    if (r >= 0)
        r = sd_bus_add_object_manager(service->bus, NULL, SERVICE_PATH);
    if (r >= 0)
        r = object_list_publish(&service->uiccs);
    if (r >= 0)
        r = object_list_publish(&service->enrolments);
    if (r >= 0)
        r = sd_bus_match_signal(service->bus, NULL, "org.freedesktop.DBus.Local",
                                "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                "Disconnected", on_disconnected, service);
    if (r >= 0)
        r = sd_bus_add_match_async(service->bus, NULL, gone_rule, on_peer_gone, NULL, service);
    if (r >= 0)
        r = sd_bus_attach_event(service->bus, service->event, SD_EVENT_PRIORITY_NORMAL);
    return r;
}

static int reconnect_fired(sd_event_source *source, uint64_t usec, void *userdata) {
    struct service *service = userdata;
    int r;

    (void)source, (void)usec;
    r = open_bus(service);
    if (r >= 0)
        r = sd_bus_request_name_async(service->bus, NULL, SERVICE_BUS_NAME, 0, name_answered,
                                      service);
    if (r < 0) {
        log_debug("No system bus yet: %s", strerror(-r));
        drop_bus(service);
        reconnect_later(service);
    }
    return 0;
}

static int first_connection(struct service *service, struct failure *failure) {
    int r;

    r = open_bus(service);
    if (r < 0)
        return failure_set(failure, r, "The system bus cannot be reached: %s", strerror(-r));
    r = sd_bus_request_name(service->bus, SERVICE_BUS_NAME, 0);
    if (r == -EEXIST)
        return failure_set(failure, r, "Another program owns %s on the system bus",
                           SERVICE_BUS_NAME);
    if (r < 0)
        return failure_set(failure, r, "The system bus refuses the name %s: %s", SERVICE_BUS_NAME,
                           strerror(-r));
    name_is_ours(service);
    return 0;
}

int service_new(sd_event *event, struct agent *agent, struct service **ret,
                struct failure *failure) {
    _cleanup_service_ struct service *service = NULL;
    int r;

    service = calloc(1, sizeof(*service));
    if (!service)
        return failure_set(failure, -ENOMEM, "Out of memory");
    service->event = sd_event_ref(event);
    service->agent = agent;
    service->backoff_usec = BUS_RECONNECT_MIN_USEC;
    service->uiccs.class = &uicc_class;
    service->enrolments.class = &enrolment_class;
    snapshot_take(agent, 0, &service->status);
    service_refresh(service);

    r = sd_event_add_time(event, &service->reconnect, CLOCK_BOOTTIME, UINT64_MAX, 0,
                          reconnect_fired, service);
    if (r >= 0)
        r = sd_event_source_set_enabled(service->reconnect, SD_EVENT_OFF);
    if (r < 0)
        return failure_set(failure, r, "No timer for the system bus: %s", strerror(-r));
    r = first_connection(service, failure);
    if (r < 0)
        return r;
    agent_on_changed(agent, on_agent_changed, service);
    *ret = TAKE_PTR(service);
    return 0;
}

struct service *service_free(struct service *service) {
    if (!service)
        return NULL;
    agent_on_changed(service->agent, NULL, NULL);
    call_drop_all(service, UB_E_CANCELLED);
    call_pool_done(&service->calls);
    drop_bus(service);
    object_list_done(&service->uiccs);
    object_list_done(&service->enrolments);
    sd_event_source_disable_unref(service->reconnect);
    sd_event_unref(service->event);
    free(service);
    return NULL;
}

bool service_connected(const struct service *service) {
    return service->connected;
}
