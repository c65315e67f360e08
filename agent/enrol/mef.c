/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Client registration with a MEF (TS-0003 8.3.5.2.3 to .6), and the older indications (8.3.2.1).
 *
 * Ke is the exporter of the connection that the registration's answer came by: whoever answered has shaken hands.
 */

#include <errno.h>
#include <string.h>

#include "mef-names.h"
#include "mef-request.h"
#include "secure-json.h"
#include "util.h"

void mef_registration_done(struct mef_registration *registration) {
    secret_free(registration->ke);
    *registration = (struct mef_registration){0};
}

/* --- What is sent ----------------------------------------------------------------------------------- */

/* The words of Labels=. */
static json_t *label_list(const char *labels) {
    json_t *list = json_array();

    while (list && *(labels += strspn(labels, " ")) != '\0') {
        size_t length = strcspn(labels, " ");

        if (json_array_append_new(list, json_stringn(labels, length)) < 0) {
            json_decref(list);
            return NULL;
        }
        labels += length;
    }
    return list;
}

static int set_text(json_t *object, const char *name, const char *text) {
    return json_object_set_new(object, name, json_string(text)) < 0 ? -ENOMEM : 0;
}

static int set_expiration(const struct mef_client *client, json_t *object, int64_t expires) {
    char text[16];

    if (expires == 0)
        expires = client->io->now(client->io->userdata) +
                  (int64_t)(client->profile->expiry_usec / USEC_PER_SEC);
    onem2m_timestamp_print(expires, text);
    return set_text(object, MEF_ATTR_EXPIRATION, text);
}

static int set_token(json_t *object, const struct secret *token) {
    if (!token)
        return 0;
    return json_object_set_new(
               object, MEF_ATTR_TOKEN,
               json_stringn((const char *)secret_data(token), secret_length(token))) < 0
               ? -EINVAL
               : 0;
}

static json_t *registration_body(const struct mef_client *client, const struct secret *token) {
    json_t *object = json_object();
    int r = object ? 0 : -ENOMEM;

    if (r == 0)
        r = set_text(object, MEF_ATTR_FQDN, client->profile->mef_fqdn);
    if (r == 0)
        r = set_expiration(client, object, 0);
    if (r == 0)
        r = set_text(object, MEF_ATTR_ADMIN_FQDN, mef_admin_fqdn(client));
    if (r == 0 && client->profile->labels)
        r = json_object_set_new(object, MEF_ATTR_LABELS, label_list(client->profile->labels));
    if (r == 0)
        r = set_token(object, token);
    if (r != 0) {
        json_decref(object);
        return NULL;
    }
    return mef_wrap(MEF_NAME_CLIENT_REG, object);
}

static json_t *indication_body(const struct mef_client *client, const struct secret *token) {
    json_t *object = json_pack(
        "{s:b,s:b,s:b}", MEF_ATTR_CERT_ENROL, client->profile->provision, MEF_ATTR_MAF_ENROL,
        client->profile->target_kind == ONEM2M_TARGET_MAF, MEF_ATTR_REMOTE_MGMT, 0);

    if (object && set_token(object, token) < 0) {
        json_decref(object);
        return NULL;
    }
    return mef_wrap(MEF_NAME_INDICATION, object);
}

/* --- What comes back -------------------------------------------------------------------------------- */

/* What the MEF grants beyond the profile's Enrolment Expiry is cut. */
static int take_expiration(const struct mef_client *client, const json_t *object, int64_t *ret,
                           struct failure *failure) {
    int64_t latest = client->io->now(client->io->userdata) +
                     (int64_t)(client->profile->expiry_usec / USEC_PER_SEC);
    int r = mef_get_expiration(client, object, ret, failure);

    if (r == 0 && *ret > latest)
        *ret = latest;
    return r;
}

static int take_registration(const struct mef_client *client, const json_t *answer,
                             struct mef_registration *ret, struct failure *failure) {
    const json_t *object = mef_open(answer, MEF_NAME_CLIENT_REG);
    char admin[FQDN_MAX + 1] = "";
    int r;

    if (!object)
        return mef_malformed(client, "no " MEF_NAME_CLIENT_REG, failure);
    if (!mef_get_text(object, MEF_ATTR_CLIENT_REG_ID, ret->client_reg_id,
                      sizeof(ret->client_reg_id)) ||
        strchr(ret->client_reg_id, '/'))
        return mef_malformed(client, "no " MEF_ATTR_CLIENT_REG_ID, failure);
    if (mef_get_text(object, MEF_ATTR_ADMIN_FQDN, admin, sizeof(admin)) &&
        strcasecmp(admin, mef_admin_fqdn(client)) != 0)
        return failure_set(failure, MEF_E_CHANGED, "the MEF %s has another adminFQDN: %.100s",
                           client->profile->mef_fqdn, admin);
    r = take_expiration(client, object, &ret->expires, failure);
    if (r != 0)
        return r;
    (void)mef_get_text(object, MEF_ATTR_ASSIGNED_KEY, ret->assigned_key_id,
                       sizeof(ret->assigned_key_id));
    if (mef_get_text(object, MEF_ATTR_COMMAND, ret->command, sizeof(ret->command)) &&
        strchr(ret->command, '/'))
        return mef_malformed(client, "a reference to a command with a slash", failure);
    return 0;
}

static int take_instruction(const struct mef_client *client, const json_t *answer,
                            struct mef_registration *ret, struct failure *failure) {
    const json_t *object = mef_open(answer, MEF_NAME_INSTRUCTION);

    if (!object || !json_is_array(json_object_get(object, "instructions")))
        return mef_malformed(client, "no instructions", failure);
    return take_expiration(client, object, &ret->expires, failure);
}

/* --- The procedures --------------------------------------------------------------------------------- */

int mef_register(struct mef_client *client, const struct secret *token,
                 struct mef_registration *ret, struct failure *failure) {
    bool older = client->profile->exchange == MEF_INDICATIONS;
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    _cleanup_secret_ struct secret *exporter = NULL;
    _cleanup_json_ json_t *body = NULL, *answer = NULL;
    struct mef_request request = {
        .method = HTTP_POST,
        .path = older ? MEF_PATH_INDICATION : "",
        .type = older ? 0 : MEF_TYPE_CLIENT_REG,
        .exporter = true,
        .rsc = older ? MEF_RSC_OK : MEF_RSC_CREATED,
    };
    int r;

    secure_json_init();
    body = older ? indication_body(client, token) : registration_body(client, token);
    if (!body)
        return -ENOMEM;
    request.body = body;
    r = mef_ask(client, &request, &answer, &exporter, failure);
    if (r == 0)
        r = older ? take_instruction(client, answer, &registration, failure)
                  : take_registration(client, answer, &registration, failure);
    if (r == 0)
        r = onem2m_ke(exporter, client->profile->mef_fqdn, registration.ke_id, &registration.ke);
    if (r != 0)
        return r;
    *ret = registration;
    registration.ke = NULL;
    return 0;
}

int mef_registration_update(struct mef_client *client, struct mef_registration *registration,
                            int64_t expires, struct failure *failure) {
    struct mef_registration now = {0};
    _cleanup_json_ json_t *body = NULL, *answer = NULL;
    struct mef_request request = {
        .method = HTTP_PUT, .path = registration->client_reg_id, .rsc = MEF_RSC_UPDATED};
    json_t *object;
    int r;

    secure_json_init();
    object = json_object();
    if (!object || set_text(object, MEF_ATTR_FQDN, client->profile->mef_fqdn) < 0 ||
        set_expiration(client, object, expires) < 0) {
        json_decref(object);
        return -ENOMEM;
    }
    body = mef_wrap(MEF_NAME_CLIENT_REG, object);
    if (!body)
        return -ENOMEM;
    request.body = body;
    r = mef_ask(client, &request, &answer, NULL, failure);
    if (r == 0)
        r = take_registration(client, answer, &now, failure);
    if (r == 0 && strcmp(now.client_reg_id, registration->client_reg_id) != 0)
        r = failure_set(failure, MEF_E_CHANGED, "the MEF %s answers with another registration",
                        client->profile->mef_fqdn);
    if (r != 0)
        return r;
    registration->expires = now.expires;
    if (now.assigned_key_id[0])
        memcpy(registration->assigned_key_id, now.assigned_key_id, sizeof(now.assigned_key_id));
    return 0;
}

int mef_deregister(struct mef_client *client, const char *client_reg_id, struct failure *failure) {
    const struct mef_request request = {
        .method = HTTP_DELETE, .path = client_reg_id, .rsc = MEF_RSC_DELETED};

    secure_json_init();
    return mef_ask(client, &request, NULL, NULL, failure);
}

int mef_retrieve_configuration(struct mef_client *client, const char *client_reg_id,
                               struct mef_configuration *ret, struct failure *failure) {
    struct mef_configuration configuration = {0};
    _cleanup_json_ json_t *answer = NULL;
    char path[MEF_ID_MAX + 32];
    const struct mef_request request = {.method = HTTP_GET, .path = path, .rsc = MEF_RSC_OK};
    unsigned port = 0;
    const json_t *object;
    int r;

    secure_json_init();
    (void)snprintf(path, sizeof(path), "%s/mefClientCfg", client_reg_id);
    r = mef_ask(client, &request, &answer, NULL, failure);
    if (r != 0)
        return r;
    object = mef_open(answer, MEF_NAME_CLIENT_CFG);
    if (!object ||
        !mef_get_text(object, MEF_ATTR_FQDN, configuration.fqdn, sizeof(configuration.fqdn)) ||
        !mef_get_text(object, MEF_ATTR_ADMIN_FQDN, configuration.admin_fqdn,
                      sizeof(configuration.admin_fqdn)))
        return mef_malformed(client, "no fqdn or adminFQDN", failure);
    if (mef_get_number(object, MEF_ATTR_HTTP_PORT, UINT16_MAX, &port))
        configuration.http_port = (uint16_t)port;
    if (mef_get_number(object, MEF_ATTR_COAP_PORT, UINT16_MAX, &port))
        configuration.coap_port = (uint16_t)port;
    (void)mef_get_text(object, MEF_ATTR_EST, configuration.est, sizeof(configuration.est));
    if (json_object_get(object, MEF_ATTR_EXPIRATION)) {
        r = mef_get_expiration(client, object, &configuration.expires, failure);
        if (r != 0)
            return r;
    }
    *ret = configuration;
    return 0;
}
