/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent of the bus's tests.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake-agent.h"
#include "secure-element.h"
#include "util.h"

struct agent_request {
    struct agent_request *next;
    struct agent *agent;
    agent_key_fn done;
    agent_diagnosis_fn diagnosed;
    agent_se_fn se_done;
    uint32_t se_channel; /* 0 for one that is to be opened */
    struct agent_se_client *se_client;
    void *userdata;
    char naf[64];
    struct agent_enrol_status *enrolment; /* that is asked for; NULL for none */
    bool wants_key;                       /* of it */
};

void fake_agent_init(struct agent *agent) {
    memset(agent, 0, sizeof(*agent));
    agent->status = (struct agent_status){
        .name = "default",
        .state = AGENT_CARD_READY,
        .present = true,
        .transport = "pcsc",
        .reader = "Virtual PCD 00 00",
        .iccid = "894900...",
        .impi = "00101...",
        .pin = UICC_PIN_DISABLED,
        .pin_tries = 3,
        .imsi = "00101...",
        .application = "usim",
        .applications = "usim isim",
        .services = "gba",
        .mode = "me",
        .service_gba = true,
        .bsf = "bsf.mnc001.mcc001.pub.3gppnetwork.org",
        .btid = "",
        .last_failure = &agent->last_failure,
    };
    agent->identity = (struct uicc_identity){
        .iccid = "8949000000000000001",
        .imsi = "001010000000001",
        .mnc_length = 2,
        .aid = {0xa0, 0, 0, 0, 0x87, 0x10, 0x02},
        .aid_length = 7,
        .label = "USIM",
    };
}

uint8_t fake_key_octet(const char *naf_fqdn, size_t index) {
    return (uint8_t)(naf_fqdn[index % strlen(naf_fqdn)] * 7 + (int)index * 13);
}

static void answer_key(struct agent *agent, const char *naf, int code, bool bootstrapped,
                       agent_key_fn done, void *userdata) {
    struct failure failure = {0};
    struct secret *secret = NULL;
    struct agent_key key = {
        .btid = FAKE_BTID,
        .expires_usec = FAKE_EXPIRES_BOOT,
        .expires_utc_usec = FAKE_EXPIRES_UTC,
        .bootstrapped = bootstrapped,
    };

    if (code != 0) {
        (void)failure_set(&failure, code, "The fake says %d", code);
        done(code, NULL, &failure, userdata);
        return;
    }
    if (naf) {
        assert_return_code(secret_new(NAF_KEY_LENGTH, &secret), 0);
        for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
            secret_data_mutable(secret)[i] = fake_key_octet(naf, i);
        key.key = secret;
    }
    if (bootstrapped) {
        agent->status.state = AGENT_BOOTSTRAPPED;
        agent->status.btid = FAKE_BTID;
        agent->status.bootstraps++;
    }
    done(0, &key, NULL, userdata);
    secret_free(secret);
}

static const struct agent_check checks[] = {
    {.name = "reader", .text = "Virtual PCD 00 00", .remedy = ""},
    {.name = "pin", .code = UICC_E_PIN_REQUIRED, .text = "PIN1 is enabled.", .remedy = "Give it."},
};

static void answer_se(struct agent_request *request, int code);
static void answer_enrolment(const struct agent_request *request, int code);

static void answer_request(struct agent_request *request, int code) {
    struct failure failure = {0};

    if (request->se_done) {
        answer_se(request, code);
        return;
    }
    if (request->enrolment) {
        answer_enrolment(request, code);
        return;
    }
    if (request->done) {
        answer_key(request->agent, request->naf[0] ? request->naf : NULL, code, true, request->done,
                   request->userdata);
        return;
    }
    if (code != 0)
        (void)failure_set(&failure, code, "The fake says %d", code);
    request->diagnosed(code, checks, code == 0 ? ELEMENTS(checks) : 0, &failure, request->userdata);
}

void fake_agent_release(struct agent *agent, int code) {
    struct agent_request *list = TAKE_PTR(agent->held);

    while (list) {
        struct agent_request *request = list;

        list = request->next;
        answer_request(request, code);
        free(request);
    }
}

size_t fake_agent_held(const struct agent *agent) {
    size_t count = 0;

    for (const struct agent_request *r = agent->held; r; r = r->next)
        count++;
    return count;
}

static struct agent_request *hold(struct agent *agent, const char *naf, void *userdata) {
    struct agent_request *request = calloc(1, sizeof(*request));

    assert_non_null(request);
    request->next = agent->held;
    request->agent = agent;
    request->userdata = userdata;
    (void)snprintf(request->naf, sizeof(request->naf), "%s", naf);
    agent->held = request;
    return request;
}

/* --- agent.h -------------------------------------------------------------------------------------- */

const char *agent_state_name(enum agent_state state) {
    static const char *const names[] = {"starting",      "no-service",    "no-reader",
                                        "no-card",       "card-unusable", "card-ready",
                                        "bootstrapping", "bootstrapped"};

    return names[state];
}

void agent_on_changed(struct agent *agent, agent_changed_fn changed, void *userdata) {
    agent->changed = changed;
    agent->changed_userdata = userdata;
}

size_t agent_cards(const struct agent *agent) {
    return 1 + agent->others_count;
}

void agent_get_status(struct agent *agent, size_t index, struct agent_status *ret) {
    assert_true(index <= agent->others_count);
    *ret = index == 0 ? agent->status : agent->others[index - 1];
}

static void note_uicc(struct agent *agent, const char *uicc) {
    (void)snprintf(agent->uicc, sizeof(agent->uicc), "%s", uicc ? uicc : "(null)");
}

int agent_derive_naf_key(struct agent *agent, const struct access_caller *caller,
                         const struct agent_naf *naf, agent_key_fn done, void *userdata,
                         struct agent_request **ret) {
    *ret = NULL;
    (void)snprintf(agent->names[agent->asked++ % ELEMENTS(agent->names)], sizeof(agent->names[0]),
                   "%.63s", naf->fqdn);
    note_uicc(agent, naf->uicc);
    agent->caller = *caller;
    agent->force = naf->force;
    agent->ua_length = naf->ua_protocol_length;
    if (naf->ua_protocol_length <= sizeof(agent->ua))
        memcpy(agent->ua, naf->ua_protocol, naf->ua_protocol_length);
    if (naf->ua_protocol_length != UA_PROTOCOL_LENGTH) {
        answer_key(agent, NULL, KEYS_E_UA_PROTOCOL, false, done, userdata);
    } else if (strncmp(naf->fqdn, "hold", 4) == 0) {
        *ret = hold(agent, naf->fqdn, userdata);
        (*ret)->done = done;
    } else {
        answer_key(agent, naf->fqdn, agent->fail_code, false, done, userdata);
    }
    return 0;
}

int agent_bootstrap(struct agent *agent, const struct access_caller *caller, const char *uicc,
                    agent_key_fn done, void *userdata, struct agent_request **ret) {
    *ret = NULL;
    note_uicc(agent, uicc);
    agent->caller = *caller;
    if (agent->hold_all) {
        *ret = hold(agent, "", userdata);
        (*ret)->done = done;
        return 0;
    }
    answer_key(agent, NULL, agent->denied ? ACCESS_E_DENIED : agent->fail_code, true, done,
               userdata);
    return 0;
}

int agent_diagnose(struct agent *agent, const struct access_caller *caller, const char *uicc,
                   agent_diagnosis_fn done, void *userdata, struct agent_request **ret) {
    struct agent_request now = {.agent = agent, .diagnosed = done, .userdata = userdata};

    *ret = NULL;
    note_uicc(agent, uicc);
    agent->caller = *caller;
    if (agent->hold_all) {
        *ret = hold(agent, "", userdata);
        (*ret)->diagnosed = done;
        return 0;
    }
    answer_request(&now, agent->denied ? ACCESS_E_DENIED : agent->fail_code);
    return 0;
}

struct agent_request *agent_request_cancel(struct agent_request *request) {
    struct agent_request **at;

    if (!request)
        return NULL;
    request->agent->cancelled++;
    for (at = &request->agent->held; *at; at = &(*at)->next) {
        if (*at == request) {
            *at = request->next;
            break;
        }
    }
    free(request);
    return NULL;
}

int agent_forget(struct agent *agent, const struct access_caller *caller, const char *uicc,
                 struct failure *failure) {
    (void)caller;
    note_uicc(agent, uicc);
    if (agent->denied)
        return failure_set(failure, ACCESS_E_DENIED, "No principal grants Manage");
    agent->forgotten++;
    agent->status.state = AGENT_CARD_READY;
    agent->status.btid = "";
    return 0;
}

int agent_push_info(struct agent *agent, const struct access_caller *caller, const uint8_t *gpi,
                    size_t length, agent_key_fn done, void *userdata, struct agent_request **ret) {
    const struct failure failure = {.code = UB_E_PUSH_MALFORMED, .text = "it is no GBA Push Info"};
    _cleanup_secret_ struct secret *key = NULL;
    struct agent_key answer = {
        .btid = "push@" FAKE_BTID,
        .expires_usec = FAKE_EXPIRES_BOOT,
        .expires_utc_usec = FAKE_EXPIRES_UTC,
        .naf_fqdn = "naf.example.com",
    };

    agent->caller = *caller;
    *ret = NULL;
    if (length != 3 || memcmp(gpi, "gpi", 3) != 0) {
        done(UB_E_PUSH_MALFORMED, NULL, &failure, userdata);
        return 0;
    }
    if (secret_new_copy("0123456789abcdef0123456789abcdef", NAF_KEY_LENGTH, &key) < 0)
        return -ENOMEM;
    answer.key = key;
    done(0, &answer, NULL, userdata);
    return 0;
}

int agent_invalidate(struct agent *agent, const struct access_caller *caller, const char *btid,
                     struct failure *failure) {
    agent->caller = *caller;
    if (agent->denied)
        return failure_set(failure, ACCESS_E_DENIED, "No principal grants a key");
    if (strcmp(agent->status.btid, btid) == 0)
        agent->status.btid = "";
    return 0;
}

int agent_get_identity(struct agent *agent, const struct access_caller *caller, const char *uicc,
                       const struct uicc_identity **ret, const char **ret_impi,
                       struct failure *failure) {
    (void)caller;
    note_uicc(agent, uicc);
    if (agent->denied)
        return failure_set(failure, ACCESS_E_DENIED, "No principal grants Manage");
    *ret = &agent->identity;
    *ret_impi = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org";
    return 0;
}

int agent_may_manage(struct agent *agent, const struct access_caller *caller,
                     struct failure *failure) {
    agent->caller = *caller;
    return agent->denied ? failure_set(failure, ACCESS_E_DENIED, "No principal grants Manage") : 0;
}

/* --- Enrolment ------------------------------------------------------------------------------------- */

const char *agent_enrol_state_name(enum agent_enrol_state state) {
    static const char *const names[] = {"idle", "enrolling", "enrolled", "failed"};

    return names[state];
}

const char *agent_enrol_verdict_name(enum agent_enrol_verdict verdict) {
    static const char *const names[] = {"untried", "worked", "not-now", "never", "refused"};

    return names[verdict];
}

struct agent_enrol_status *fake_agent_add_profile(struct agent *agent, const char *name) {
    size_t index = agent->enrolments_count++;

    assert_true(index < ELEMENTS(agent->enrolments));
    agent->enrolments[index] = (struct agent_enrol_status){
        .name = name,
        .state = AGENT_ENROL_IDLE,
        .method = "",
        .target = "maf.example.com",
        .target_kind = "maf",
        .mef = "mef.example.com",
        .ke_id = "",
        .methods = {{.method = "gba", .text = ""}, {.method = "psk", .text = ""}},
        .methods_count = 2,
        .last_failure = &agent->enrolment_failures[index],
    };
    return &agent->enrolments[index];
}

size_t agent_enrolments(const struct agent *agent) {
    return agent->enrolments_count;
}

void agent_get_enrol_status(struct agent *agent, size_t index, struct agent_enrol_status *ret) {
    assert_true(index < agent->enrolments_count);
    *ret = agent->enrolments[index];
}

/* The profile of that name, else the one with that target. */
static struct agent_enrol_status *find_profile(struct agent *agent, const char *name,
                                               const char *target) {
    (void)snprintf(agent->profile, sizeof(agent->profile), "%s", name ? name : "(null)");
    for (size_t i = 0; i < agent->enrolments_count; i++)
        if (strcmp(name ? agent->enrolments[i].name : agent->enrolments[i].target,
                   name ? name : target) == 0)
            return &agent->enrolments[i];
    return NULL;
}

static void answer_enrolment(const struct agent_request *request, int code) {
    struct agent_enrol_status *enrolment = request->enrolment;
    _cleanup_secret_ struct secret *secret = NULL;
    struct agent *agent = request->agent;
    struct failure failure = {0};
    struct agent_key key = {
        .btid = FAKE_KE_ID,
        .expires_usec = FAKE_EXPIRES_BOOT,
        .expires_utc_usec = FAKE_EXPIRES_UTC,
        .bootstrapped = code == 0 && enrolment->state != AGENT_ENROLLED,
        .method = "psk",
        .profile = code == 0 ? enrolment->name : NULL,
        .suid = agent->suid,
    };

    if (code != 0) {
        (void)failure_set(&failure, code, "The fake says %d", code);
        request->done(code, NULL, &failure, request->userdata);
        return;
    }
    enrolment->state = AGENT_ENROLLED;
    enrolment->method = "psk";
    enrolment->ke_id = FAKE_KE_ID;
    enrolment->expires_utc_usec = FAKE_EXPIRES_UTC;
    enrolment->expires_usec = FAKE_EXPIRES_BOOT;
    if (request->wants_key) {
        assert_return_code(secret_new(NAF_KEY_LENGTH, &secret), 0);
        for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
            secret_data_mutable(secret)[i] = fake_key_octet(enrolment->target, i);
        key.key = secret;
    }
    request->done(0, &key, NULL, request->userdata);
}

/* Answer @now with @code or what the test has set, or have it wait where its name says so. */
static void begin_enrolment(const struct agent_request *now, int code, struct agent_request **ret) {
    *ret = NULL;
    if (code == 0 && !now->enrolment)
        code = ENROL_E_UNCONFIGURED;
    if (code == 0)
        code = now->agent->fail_code;
    if (code != 0 || strncmp(now->enrolment->name, "hold", 4) != 0) {
        answer_enrolment(now, code);
        return;
    }
    *ret = hold(now->agent, "", now->userdata);
    (*ret)->done = now->done;
    (*ret)->enrolment = now->enrolment;
    (*ret)->wants_key = now->wants_key;
}

int agent_enrol(struct agent *agent, const struct access_caller *caller, const char *profile,
                bool renew, agent_key_fn done, void *userdata, struct agent_request **ret) {
    const struct agent_request now = {.agent = agent,
                                      .done = done,
                                      .userdata = userdata,
                                      .enrolment = find_profile(agent, profile, NULL)};

    agent->caller = *caller;
    agent->renew = renew;
    agent->enrolled++;
    begin_enrolment(&now, agent->denied ? ACCESS_E_DENIED : 0, ret);
    return 0;
}

int agent_enrol_forget(struct agent *agent, const struct access_caller *caller, const char *profile,
                       struct failure *failure) {
    struct agent_enrol_status *enrolment = find_profile(agent, profile, NULL);
    int r = agent_may_manage(agent, caller, failure);

    if (r == 0 && !enrolment)
        r = failure_set(failure, ENROL_E_UNCONFIGURED, "no profile \"%s\"", profile);
    if (r == 0 && agent->fail_code != 0)
        r = failure_set(failure, agent->fail_code, "The fake says %d", agent->fail_code);
    if (r != 0)
        return r;
    agent->enrolments_forgotten++;
    enrolment->state = AGENT_ENROL_IDLE;
    enrolment->method = enrolment->ke_id = "";
    enrolment->expires_usec = enrolment->expires_utc_usec = 0;
    return 0;
}

int agent_get_key(struct agent *agent, const struct access_caller *caller,
                  const struct agent_key_wish *wish, agent_key_fn done, void *userdata,
                  struct agent_request **ret) {
    const struct agent_request now = {.agent = agent,
                                      .done = done,
                                      .userdata = userdata,
                                      .enrolment = find_profile(agent, wish->profile, wish->peer),
                                      .wants_key = true};

    agent->asked++;
    agent->caller = *caller;
    agent->suid = wish->suid;
    (void)snprintf(agent->kind, sizeof(agent->kind), "%s", wish->kind);
    (void)snprintf(agent->peer, sizeof(agent->peer), "%s", wish->peer);
    begin_enrolment(&now, 0, ret);
    return 0;
}

int agent_configure(struct agent *agent, const struct access_caller *caller, const uint8_t *cms,
                    size_t length, struct failure *failure) {
    int r = agent_may_manage(agent, caller, failure);

    if (r == 0 && agent->fail_code != 0)
        r = failure_set(failure, agent->fail_code, "The fake says %d", agent->fail_code);
    if (r != 0)
        return r;
    agent->configured++;
    agent->document_length = length;
    memcpy(agent->document, cms,
           length < sizeof(agent->document) ? length : sizeof(agent->document));
    fake_agent_add_profile(agent, "from-document");
    return 0;
}

/* --- secure-element.h ------------------------------------------------------------------------------ */

#define FAKE_SE_MAX 32

struct agent_se_client {
    struct agent *agent;
    uint32_t sessions[FAKE_SE_MAX], channels[FAKE_SE_MAX];
};

static bool has(const uint32_t *numbers, uint32_t number) {
    for (size_t i = 0; i < FAKE_SE_MAX; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

static bool replace(uint32_t *numbers, uint32_t number, uint32_t with) {
    for (size_t i = 0; i < FAKE_SE_MAX; i++)
        if (numbers[i] == number) {
            numbers[i] = with;
            return true;
        }
    return false;
}

static void answer_se(struct agent_request *request, int code) {
    static const uint8_t selected[] = {0x6f, 0x00, 0x90, 0x00};
    struct agent_se_answer answer = {
        .channel = request->se_channel, .data = selected, .length = sizeof(selected)};
    struct failure failure = {0};

    if (code != 0) {
        (void)failure_set(&failure, code, "The fake says %d", code);
        request->se_done(code, NULL, &failure, request->userdata);
        return;
    }
    if (answer.channel == 0) {
        answer.channel = ++request->agent->se_last;
        assert_true(replace(request->se_client->channels, 0, answer.channel));
        request->agent->se_channels++;
    }
    request->se_done(0, &answer, NULL, request->userdata);
}

int agent_se_client_new(struct agent *agent, const struct access_caller *caller,
                        struct agent_se_client **ret) {
    struct agent_se_client *client = calloc(1, sizeof(*client));

    assert_non_null(client);
    client->agent = agent;
    agent->caller = *caller;
    agent->se_clients++;
    *ret = client;
    return 0;
}

struct agent_se_client *agent_se_client_free(struct agent_se_client *client) {
    if (!client)
        return NULL;
    for (size_t i = 0; i < FAKE_SE_MAX; i++) {
        client->agent->se_sessions -= client->sessions[i] != 0;
        client->agent->se_channels -= client->channels[i] != 0;
    }
    client->agent->se_clients--;
    free(client);
    return NULL;
}

bool agent_se_client_idle(const struct agent_se_client *client) {
    for (size_t i = 0; i < FAKE_SE_MAX; i++)
        if (client->sessions[i] != 0)
            return false;
    return true;
}

int agent_se_open_session(struct agent_se_client *client, const char *uicc, uint32_t *ret,
                          struct failure *failure) {
    note_uicc(client->agent, uicc);
    if (uicc && strcmp(uicc, "nosuch") == 0)
        return failure_set(failure, UICC_E_UNCONFIGURED, "no card \"%s\" is configured", uicc);
    *ret = ++client->agent->se_last;
    assert_true(replace(client->sessions, 0, *ret));
    client->agent->se_sessions++;
    return 0;
}

int agent_se_close_session(struct agent_se_client *client, uint32_t session,
                           struct failure *failure) {
    if (session == 0 || !replace(client->sessions, session, 0))
        return failure_set(failure, SE_E_CLOSED, "no session %u", session);
    client->agent->se_sessions--;
    return 0;
}

int agent_se_open_channel(struct agent_se_client *client, uint32_t session, const uint8_t *aid,
                          size_t aid_length, agent_se_fn done, void *userdata,
                          struct agent_request **ret) {
    struct agent_request now = {
        .agent = client->agent, .se_done = done, .se_client = client, .userdata = userdata};

    *ret = NULL;
    if (!has(client->sessions, session)) {
        answer_se(&now, SE_E_CLOSED);
    } else if (aid_length > 0 && aid[0] == 0xff) {
        *ret = hold(client->agent, "", userdata);
        (*ret)->se_done = done;
        (*ret)->se_client = client;
    } else {
        answer_se(&now, aid_length < AID_MIN ? ACCESS_E_DENIED : client->agent->fail_code);
    }
    return 0;
}

int agent_se_transmit(struct agent_se_client *client, uint32_t channel, const uint8_t *command,
                      size_t length, agent_se_fn done, void *userdata, struct agent_request **ret) {
    const struct agent_se_answer echo = {.channel = channel, .data = command, .length = length};
    struct agent_request now = {.agent = client->agent, .se_done = done, .userdata = userdata};

    *ret = NULL;
    if (channel == 0 || !has(client->channels, channel)) {
        answer_se(&now, SE_E_CLOSED);
    } else if (length > 0 && command[0] == 0xff) {
        *ret = hold(client->agent, "", userdata);
        (*ret)->se_done = done;
        (*ret)->se_channel = channel;
    } else if (length < 4) {
        answer_se(&now, SE_E_COMMAND);
    } else {
        done(0, &echo, NULL, userdata);
    }
    return 0;
}

int agent_se_close_channel(struct agent_se_client *client, uint32_t channel,
                           struct failure *failure) {
    if (channel == 0 || !replace(client->channels, channel, 0))
        return failure_set(failure, SE_E_CLOSED, "no channel %u", channel);
    client->agent->se_channels--;
    return 0;
}
