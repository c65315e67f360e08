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

/* Until when: @expires, or the profile's Enrolment Expiry where that is 0. */
static int set_expiration(const struct mef_client *client, json_t *object, int64_t expires) {
    if (expires == 0)
        expires = client->io->now(client->io->userdata) +
                  (int64_t)(client->profile->expiry_usec / USEC_PER_SEC);
    return mef_set_expiration(object, expires);
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

static int registration_body(const struct mef_client *client, const struct secret *token,
                             json_t **ret) {
    json_t *object = json_object();
    int r;

    r = mef_set_text(object, MEF_ATTR_FQDN, client->profile->mef_fqdn);
    if (r == 0)
        r = set_expiration(client, object, 0);
    if (r == 0)
        r = mef_set_text(object, MEF_ATTR_ADMIN_FQDN, mef_admin_fqdn(client));
    if (r == 0 && client->profile->labels)
        r = mef_set_words(object, MEF_ATTR_LABELS, client->profile->labels);
    if (r == 0)
        r = set_token(object, token);
    if (r != 0) {
        json_decref(object);
        return r;
    }
    *ret = mef_wrap(MEF_NAME_CLIENT_REG, object);
    return *ret ? 0 : -ENOMEM;
}

static int indication_body(const struct mef_client *client, const struct secret *token,
                           json_t **ret) {
    json_t *object = json_pack(
        "{s:b,s:b,s:b}", MEF_ATTR_CERT_ENROL, client->profile->provision, MEF_ATTR_MAF_ENROL,
        client->profile->target_kind == ONEM2M_TARGET_MAF, MEF_ATTR_REMOTE_MGMT, 0);
    int r = object ? set_token(object, token) : -ENOMEM;

    if (r != 0) {
        json_decref(object);
        return r;
    }
    *ret = mef_wrap(MEF_NAME_INDICATION, object);
    return *ret ? 0 : -ENOMEM;
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

/* What may be missing; where it is there, it must make sense. */
static int take_references(const struct mef_client *client, const json_t *object,
                           struct mef_registration *ret, struct failure *failure) {
    if (json_object_get(object, MEF_ATTR_ASSIGNED_KEY) &&
        !mef_get_text(object, MEF_ATTR_ASSIGNED_KEY, ret->assigned_key_id,
                      sizeof(ret->assigned_key_id)))
        return mef_malformed(client, "no " MEF_ATTR_ASSIGNED_KEY, failure);
    if (json_object_get(object, MEF_ATTR_COMMAND) &&
        !mef_get_id(object, MEF_ATTR_COMMAND, ret->command))
        return mef_malformed(client, "no reference to a command", failure);
    return 0;
}

static int take_registration(const struct mef_client *client, const json_t *answer,
                             struct mef_registration *ret, struct failure *failure) {
    const json_t *object = mef_open(answer, MEF_NAME_CLIENT_REG);
    int r;

    if (!object)
        return mef_malformed(client, "no " MEF_NAME_CLIENT_REG, failure);
    if (!mef_get_id(object, MEF_ATTR_CLIENT_REG_ID, ret->client_reg_id))
        return mef_malformed(client, "no " MEF_ATTR_CLIENT_REG_ID, failure);
    r = mef_check_admin(client, object, failure);
    if (r == 0)
        r = take_expiration(client, object, &ret->expires, failure);
    return r == 0 ? take_references(client, object, ret, failure) : r;
}

static int take_instruction(const struct mef_client *client, const json_t *answer,
                            struct mef_registration *ret, struct failure *failure) {
    const json_t *object = mef_open(answer, MEF_NAME_INSTRUCTION);

    if (!object || !json_is_array(json_object_get(object, MEF_ATTR_INSTRUCTIONS)))
        return mef_malformed(client, "no " MEF_ATTR_INSTRUCTIONS, failure);
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
    r = older ? indication_body(client, token, &body) : registration_body(client, token, &body);
    if (r != 0)
        return r;
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

    r = mef_check_id(registration->client_reg_id, failure);
    if (r != 0)
        return r;
    secure_json_init();
    object = json_object();
    r = mef_set_text(object, MEF_ATTR_FQDN, client->profile->mef_fqdn);
    if (r == 0)
        r = set_expiration(client, object, expires);
    body = mef_wrap(MEF_NAME_CLIENT_REG, object);
    if (r != 0 || !body)
        return r != 0 ? r : -ENOMEM;
    request.body = body;
    r = mef_ask(client, &request, &answer, NULL, failure);
    if (r == 0)
        r = take_registration(client, answer, &now, failure);
    if (r == 0 && strcmp(now.client_reg_id, registration->client_reg_id) != 0)
        r = mef_changed(client, MEF_ATTR_CLIENT_REG_ID, failure);
    if (r != 0)
        return r;
    registration->expires = now.expires;
    if (now.assigned_key_id[0])
        memcpy(registration->assigned_key_id, now.assigned_key_id, sizeof(now.assigned_key_id));
    if (now.command[0])
        memcpy(registration->command, now.command, sizeof(now.command));
    return 0;
}

int mef_deregister(struct mef_client *client, const char *client_reg_id, struct failure *failure) {
    const struct mef_request request = {
        .method = HTTP_DELETE, .path = client_reg_id, .rsc = MEF_RSC_DELETED};
    int r = mef_check_id(client_reg_id, failure);

    secure_json_init();
    return r == 0 ? mef_ask(client, &request, NULL, NULL, failure) : r;
}

static int take_ports(const json_t *object, struct mef_configuration *ret) {
    unsigned http = 0, coap = 0;

    if (json_object_get(object, MEF_ATTR_HTTP_PORT) &&
        !mef_get_number(object, MEF_ATTR_HTTP_PORT, UINT16_MAX, &http))
        return -EINVAL;
    if (json_object_get(object, MEF_ATTR_COAP_PORT) &&
        !mef_get_number(object, MEF_ATTR_COAP_PORT, UINT16_MAX, &coap))
        return -EINVAL;
    ret->http_port = (uint16_t)http;
    ret->coap_port = (uint16_t)coap;
    return 0;
}

static int take_configuration(const struct mef_client *client, const json_t *answer,
                              struct mef_configuration *ret, struct failure *failure) {
    const json_t *object = mef_open(answer, MEF_NAME_CLIENT_CFG);
    int r;

    if (!object || !mef_get_text(object, MEF_ATTR_FQDN, ret->fqdn, sizeof(ret->fqdn)))
        return mef_malformed(client, "no " MEF_ATTR_FQDN, failure);
    if (strcasecmp(ret->fqdn, client->profile->mef_fqdn) != 0)
        return mef_changed(client, MEF_ATTR_FQDN, failure);
    r = mef_check_admin(client, object, failure);
    if (r != 0)
        return r;
    (void)mef_get_text(object, MEF_ATTR_ADMIN_FQDN, ret->admin_fqdn, sizeof(ret->admin_fqdn));
    if (take_ports(object, ret) < 0)
        return mef_malformed(client, "no port", failure);
    if (json_object_get(object, MEF_ATTR_EST) &&
        (!mef_get_text(object, MEF_ATTR_EST, ret->est, sizeof(ret->est)) ||
         !mef_is_own_uri(client, ret->est)))
        return mef_malformed(client, MEF_ATTR_EST " of another host", failure);
    return json_object_get(object, MEF_ATTR_EXPIRATION)
               ? mef_get_expiration(client, object, &ret->expires, failure)
               : 0;
}

int mef_retrieve_configuration(struct mef_client *client, const char *client_reg_id,
                               struct mef_configuration *ret, struct failure *failure) {
    struct mef_configuration configuration = {0};
    _cleanup_json_ json_t *answer = NULL;
    char path[MEF_ID_MAX + sizeof("/" MEF_PATH_CLIENT_CFG)];
    const struct mef_request request = {.method = HTTP_GET, .path = path, .rsc = MEF_RSC_OK};
    int r;

    r = mef_check_id(client_reg_id, failure);
    if (r != 0)
        return r;
    secure_json_init();
    (void)snprintf(path, sizeof(path), "%s/" MEF_PATH_CLIENT_CFG, client_reg_id);
    r = mef_ask(client, &request, &answer, NULL, failure);
    if (r == 0)
        r = take_configuration(client, answer, &configuration, failure);
    if (r == 0)
        *ret = configuration;
    return r;
}
