/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The methods that a card has, and the Manager as well: there the caller names the card, or gets the one that the agent
 * thinks of first.
 */

#include "log.h"
#include "service-internal.h"
#include "text.h"
#include "util.h"

/* The card that is meant; NULL for none in particular. */
static const char *uicc_of(const struct call *call) {
    return call->object[0] ? call->object : NULL;
}

/* Likewise, where the whole agent is asked and the caller may name a card. The only option that there is. */
static bool read_uicc(struct call *call, const char **ret) {
    *ret = uicc_of(call);
    if (*ret)
        return call_read_options(call, NULL, 0);
    return call_read_options(call, &(struct call_option){.name = "Uicc", .ret_text = ret}, 1);
}

/* --- Bootstrap ----------------------------------------------------------------------------------- */

static void bootstrap_done(int r, const struct agent_key *key, const struct failure *failure,
                           void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    struct call *call = userdata;

    call->request = NULL;
    service_refresh(call->service);
    if (r != 0) {
        call_fail(call, r, failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "st", key->btid, key->expires_utc_usec);
    call_reply(call, r, reply);
}

void card_bootstrap(struct call *call) {
    struct agent_request *request = NULL;
    const char *uicc = NULL;
    int r;

    if (!read_uicc(call, &uicc))
        return;
    r = agent_bootstrap(call->service->agent, &call->peer->caller, uicc, bootstrap_done, call,
                        &request);
    call_wait(call, r, request);
}

/* --- Forget -------------------------------------------------------------------------------------- */

void card_forget(struct call *call) {
    struct failure failure = {0};
    int r;

    r = agent_forget(call->service->agent, &call->peer->caller, uicc_of(call), &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    service_refresh(call->service);
    call_reply_empty(call);
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

void card_diagnose(struct call *call) {
    struct agent_request *request = NULL;
    const char *uicc = NULL;
    int r;

    if (!read_uicc(call, &uicc))
        return;
    r = agent_diagnose(call->service->agent, &call->peer->caller, uicc, diagnose_done, call,
                       &request);
    call_wait(call, r, request);
}

/* --- GetIdentity --------------------------------------------------------------------------------- */

static int append_identity(sd_bus_message *reply, const struct uicc_identity *identity,
                           const char *impi) {
    char label[sizeof(identity->label)], clean_impi[IMPI_MAX + 1], domain[FQDN_MAX + 1];
    int r;

    text_copy(domain, sizeof(domain), identity->domain);
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
    for (unsigned i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_close_container(reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "{sv}", "Domain", "s", domain);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

void card_identity(struct call *call) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    const struct uicc_identity *identity = NULL;
    struct failure failure = {0};
    const char *impi = NULL;
    int r;

    r = agent_get_identity(call->service->agent, &call->peer->caller, uicc_of(call), &identity,
                           &impi, &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    r = sd_bus_message_new_method_return(call->message, &reply);
    if (r >= 0)
        r = append_identity(reply, identity, impi);
    call_reply(call, r, reply);
}
