/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.Manager: how things stand, and what an administrator may do about it.
 *
 * Properties are for anybody and hold identities shortened; methods that change something or tell identities in
 * full ask the agent, which asks the access rules.
 */

#include <errno.h>
#include <string.h>

#include "error-map.h"
#include "log.h"
#include "service-internal.h"
#include "text.h"
#include "util.h"

/* The only option that there is: which card. */
static bool read_uicc(struct call *call, const char **ret) {
    return call_read_options(call, &(struct call_option){.name = "Uicc", .ret_text = ret}, 1);
}

/* --- Bootstrap ----------------------------------------------------------------------------------- */

static void bootstrap_done(int r, const struct agent_key *key, const struct failure *failure,
                           void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct call *call = userdata;

    call->request = NULL;
    manager_refresh(call->service);
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "st", key->btid, key->expires_utc_usec);
    call_reply(call, r, reply);
}

static void bootstrap_start(struct call *call) {
    struct agent_request *request = NULL;
    const char *uicc = NULL;
    int r;

    if (!read_uicc(call, &uicc))
        return;
    r = agent_bootstrap(call->service->agent, &call->peer->caller, uicc, bootstrap_done, call,
                        &request);
    if (r < 0)
        call_fail(call, r, NULL);
    else if (request)
        call->request = request;
}

static int method_bootstrap(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, bootstrap_start);
}

/* --- Forget -------------------------------------------------------------------------------------- */

static void forget_start(struct call *call) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct failure failure = {0};
    int r;

    r = agent_forget(call->service->agent, &call->peer->caller, NULL, &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    manager_refresh(call->service);
    r = sd_bus_message_new_method_return(call->message, &reply);
    call_reply(call, r, reply);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, forget_start);
}

/* --- Diagnose ------------------------------------------------------------------------------------ */

static int append_checks(sd_bus_message *reply, const struct agent_check *checks, size_t count) {
    int r;

    r = sd_bus_message_open_container(reply, 'a', "(ssss)");
    for (size_t i = 0; r >= 0 && i < count; i++) {
        char text[FAILURE_TEXT_MAX];

        text_copy(text, sizeof(text), checks[i].text);
        r = sd_bus_message_append(reply, "(ssss)", checks[i].name,
                                  checks[i].code == 0 ? "ok" : outcome_name(checks[i].code), text,
                                  checks[i].remedy ? checks[i].remedy : "");
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void diagnose_done(int r, const struct agent_check *checks, size_t count,
                          const struct failure *failure, void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct call *call = userdata;

    call->request = NULL;
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = append_checks(reply, checks, count);
    call_reply(call, r, reply);
}

static void diagnose_start(struct call *call) {
    struct agent_request *request = NULL;
    const char *uicc = NULL;
    int r;

    if (!read_uicc(call, &uicc))
        return;
    r = agent_diagnose(call->service->agent, &call->peer->caller, uicc, diagnose_done, call,
                       &request);
    if (r < 0)
        call_fail(call, r, NULL);
    else if (request)
        call->request = request;
}

static int method_diagnose(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, diagnose_start);
}

/* --- GetIdentity --------------------------------------------------------------------------------- */

static int append_identity(sd_bus_message *reply, const struct uicc_identity *identity,
                           const char *impi) {
    char label[sizeof(identity->label)], clean_impi[IMPI_MAX + 1];
    int r;

    text_copy(label, sizeof(label), identity->label);
    text_copy(clean_impi, sizeof(clean_impi), impi ? impi : "");
    r = sd_bus_message_open_container(reply, 'a', "{sv}");
    if (r >= 0)
        r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}", "Imsi", "s", identity->imsi,
                                  "Iccid", "s", identity->iccid, "Impi", "s", clean_impi,
                                  "MncLength", "u", (uint32_t)identity->mnc_length, "Label", "s",
                                  label);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'e', "sv");
    if (r >= 0)
        r = sd_bus_message_append(reply, "s", "Aid");
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'v', "ay");
    if (r >= 0)
        r = sd_bus_message_append_array(reply, 'y', identity->aid, identity->aid_length);
    for (unsigned i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(reply);
    return r;
}

static void identity_start(struct call *call) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    const struct uicc_identity *identity = NULL;
    struct failure failure = {0};
    const char *impi = NULL;
    int r;

    r = agent_get_identity(call->service->agent, &call->peer->caller, NULL, &identity, &impi,
                           &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = append_identity(reply, identity, impi);
    call_reply(call, r, reply);
}

static int method_get_identity(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return call_begin(userdata, m, identity_start);
}

/* --- GetStatistics ------------------------------------------------------------------------------- */

static int method_get_statistics(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct service *service = userdata;
    struct agent_status status = {0};

    (void)error;
    agent_get_status(service->agent, 0, &status);
    return sd_bus_reply_method_return(
        m, "a{st}", 4, "Bootstraps", status.bootstraps, "LastCardUSec", status.last_card_usec,
        "LastNetworkUSec", status.last_network_usec, "LastTotalUSec", status.last_total_usec);
}

/* --- Properties ---------------------------------------------------------------------------------- */

static int property_get_text(sd_bus *bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error) {
    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    return sd_bus_message_append(reply, "s", (const char *)userdata);
}

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
    SD_BUS_PROPERTY("Version", "s", property_get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SNAPSHOT_PROPERTIES(PROPERTY) SD_BUS_METHOD_WITH_NAMES(
        "Bootstrap", "a{sv}", SD_BUS_PARAM(options), "st", SD_BUS_PARAM(btid) SD_BUS_PARAM(expires),
        method_bootstrap, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Forget", "", "", "", "", method_forget, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("Diagnose", "a{sv}", SD_BUS_PARAM(options), "a(ssss)",
                             SD_BUS_PARAM(checks), method_diagnose, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_NAMES("GetIdentity", "", "", "a{sv}", SD_BUS_PARAM(identity),
                             method_get_identity,
                             SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
    SD_BUS_METHOD_WITH_NAMES("GetStatistics", "", "", "a{st}", SD_BUS_PARAM(statistics),
                             method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int manager_interface_add(struct service *service) {
    return sd_bus_add_object_vtable(service->bus, NULL, SERVICE_PATH, SERVICE_MANAGER, vtable,
                                    service);
}

void manager_refresh(struct service *service) {
    const char *names[SNAPSHOT_PROPERTIES_COUNT + 1];
    char *strv[SNAPSHOT_PROPERTIES_COUNT + 1];
    struct snapshot now;
    int r;

    snapshot_take(service->agent, &now);
    if (snapshot_compare(&service->status, &now, names) == 0)
        return;
    service->status = now;
    if (!service->connected)
        return;
    /* sd-bus takes the strings without const, and does not change them. */
    memcpy(strv, names, sizeof(strv));
    r = sd_bus_emit_properties_changed_strv(service->bus, SERVICE_PATH, SERVICE_MANAGER, strv);
    if (r < 0)
        log_warning("PropertiesChanged was not sent: %s", strerror(-r));
}
