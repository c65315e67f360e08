/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.Manager: how things stand with the agent, and what an administrator may do about it.
 *
 * It is older than the objects of the cards (object.c): its properties are those of the first card.
 *
 * Properties are for anybody and hold identities shortened; methods that change something or tell identities in
 * full ask the agent, which asks the access rules.
 */

#include "service-internal.h"

/* --- Methods ------------------------------------------------------------------------------------- */

static int method_bootstrap(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, card_bootstrap);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, card_forget);
}

static int method_diagnose(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, card_diagnose);
}

static int method_get_identity(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, card_identity);
}

static int method_get_statistics(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct service *service = userdata;
    struct agent_status status = {0};

    (void)error;
    agent_get_status(service->agent, 0, &status);
    return sd_bus_reply_method_return(
        m, "a{st}", 4, "Bootstraps", status.bootstraps, "LastCardUSec", status.last_card_usec,
        "LastNetworkUSec", status.last_network_usec, "LastTotalUSec", status.last_total_usec);
}

static int method_configure(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, NULL, configure_start);
}

/* --- Properties ---------------------------------------------------------------------------------- */

static int property_get_version(sd_bus *bus, const char *path, const char *interface,
                                const char *property, sd_bus_message *reply, void *userdata,
                                sd_bus_error *error) {
    (void)bus, (void)path, (void)interface, (void)property, (void)userdata, (void)error;
    return sd_bus_message_append(reply, "s", KEYSTRAP_VERSION);
}

/* sd-bus reads numbers from where they are; for "s" it wants a pointer, and we have an array. */
#define PROPERTY(name, type, field)                                          \
    SD_BUS_PROPERTY(name, type, (type)[0] == 's' ? property_get_text : NULL, \
                    offsetof(struct service, status.field), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Uiccs", "ao", property_get_paths, offsetof(struct service, uiccs),
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Enrolments", "ao", property_get_paths, offsetof(struct service, enrolments),
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Version", "s", property_get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SNAPSHOT_PROPERTIES(PROPERTY)
        CARD_METHODS(method_bootstrap, method_forget, method_diagnose, method_get_identity),
    SD_BUS_METHOD_WITH_NAMES("GetStatistics", "", "", "a{st}", SD_BUS_PARAM(statistics),
                             method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Configure", "h", SD_BUS_PARAM(document), "", "", method_configure,
                             SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL_WITH_NAMES("CardInserted", "os", SD_BUS_PARAM(uicc) SD_BUS_PARAM(reader), 0),
    SD_BUS_SIGNAL_WITH_NAMES("CardRemoved", "o", SD_BUS_PARAM(uicc), 0),
    SD_BUS_VTABLE_END,
};

int manager_interface_add(struct service *service) {
    return sd_bus_add_object_vtable(service->bus, NULL, SERVICE_PATH, SERVICE_MANAGER, vtable,
                                    service);
}
