/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keys that are registered with a MEF (TS-0003 8.3.5.2.7 to .10), and the older fetch by a target (8.3.2.1).
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "mef-names.h"
#include "mef-request.h"
#include "secure-json.h"
#include "util.h"

void mef_key_done(struct mef_key *key) {
    secret_free(key->key);
    *key = (struct mef_key){0};
}

/* --- Targets ------------------------------------------------------------------------------------------ */

/* As words with spaces between. */
static bool take_targets(const json_t *object, char ret[ENTITY_ID_MAX + 1]) {
    const json_t *list = json_object_get(object, MEF_ATTR_TARGETS), *target;
    size_t index, length = 0;

    ret[0] = '\0';
    if (!json_is_array(list))
        return false;
    json_array_foreach((json_t *)(uintptr_t)list, index, target) {
        const char *text = json_string_value(target);

        if (!text || text[0] == '\0' || strchr(text, ' ') || !text_is_plain(text, strlen(text)) ||
            length + strlen(text) + 1 > ENTITY_ID_MAX)
            return false;
        length += (size_t)sprintf(ret + length, "%s%s", index > 0 ? " " : "", text);
    }
    return index > 0;
}

/* --- What is sent ------------------------------------------------------------------------------------- */

static int registration_body(const struct mef_client *client, unsigned suid, const char *targets,
                             int64_t expires, const struct secret *key, json_t **ret) {
    json_t *object = json_object();
    int r;

    r = mef_set_text(object, MEF_ATTR_FQDN, client->profile->mef_fqdn);
    if (r == 0)
        r = mef_set_expiration(object, expires);
    if (r == 0)
        r = mef_set_text(object, MEF_ATTR_ADMIN_FQDN, mef_admin_fqdn(client));
    if (r == 0)
        r = json_object_set_new(object, MEF_ATTR_SUID, json_integer((json_int_t)suid)) < 0 ? -ENOMEM
                                                                                           : 0;
    if (r == 0)
        r = mef_set_words(object, MEF_ATTR_TARGETS, targets);
    if (r == 0 && key)
        r = mef_set_key(object, MEF_ATTR_KEY_VALUE, key);
    *ret = mef_wrap(MEF_NAME_KEY_REG, object);
    return r != 0 || *ret ? r : -ENOMEM;
}

static int update_body(const struct mef_client *client, int64_t expires, const char *targets,
                       json_t **ret) {
    json_t *object = json_object();
    int r;

    r = mef_set_text(object, MEF_ATTR_FQDN, client->profile->mef_fqdn);
    if (r == 0 && expires != 0)
        r = mef_set_expiration(object, expires);
    if (r == 0 && targets)
        r = mef_set_words(object, MEF_ATTR_TARGETS, targets);
    *ret = mef_wrap(MEF_NAME_KEY_REG, object);
    return r != 0 || *ret ? r : -ENOMEM;
}

/* --- What comes back ---------------------------------------------------------------------------------- */

static int take_key_registration(const struct mef_client *client, const json_t *answer,
                                 struct mef_key *ret, struct failure *failure) {
    const json_t *object = mef_open(answer, MEF_NAME_KEY_REG);
    int r;

    if (!object || !mef_get_id(object, MEF_ATTR_KEY_ID, ret->relative_key_id))
        return mef_malformed(client, "no " MEF_ATTR_KEY_ID, failure);
    if (!mef_get_number(object, MEF_ATTR_SUID, 99, &ret->suid) ||
        !take_targets(object, ret->targets) ||
        !mef_get_text(object, MEF_ATTR_SOURCE, ret->source, sizeof(ret->source)))
        return mef_malformed(
            client, "no " MEF_ATTR_SUID ", " MEF_ATTR_TARGETS " or " MEF_ATTR_SOURCE, failure);
    r = mef_get_expiration(client, object, &ret->expires, failure);
    if (r != 0)
        return r;
    /* 8.3.5.2.8, not the MAF's FQDN of 8.3.5.2.7. */
    (void)snprintf(ret->key_id, sizeof(ret->key_id), "%s@%s", ret->relative_key_id,
                   client->profile->mef_fqdn);
    return 0;
}

/* What is ours must be as we asked for it (8.3.9.9.4); the MEF may only have chosen another end. */
static int check_unchanged(const struct mef_client *client, const json_t *answer,
                           const struct mef_key *key, unsigned suid, const char *targets,
                           struct failure *failure) {
    if (key->suid != suid)
        return mef_changed(client, MEF_ATTR_SUID, failure);
    if (strcmp(key->targets, targets) != 0)
        return mef_changed(client, MEF_ATTR_TARGETS, failure);
    if (strcmp(key->source, client->profile->identity) != 0)
        return mef_changed(client, MEF_ATTR_SOURCE, failure);
    return mef_check_admin(client, mef_open(answer, MEF_NAME_KEY_REG), failure);
}

/* --- The procedures ----------------------------------------------------------------------------------- */

int mef_key_register(struct mef_client *client, const char *client_reg_id, unsigned suid,
                     const char *targets, int64_t expires, const struct secret *key,
                     struct mef_key *ret, struct failure *failure) {
    _cleanup_(mef_key_done) struct mef_key registered = {0};
    _cleanup_secret_ struct secret *exporter = NULL;
    _cleanup_json_ json_t *body = NULL, *answer = NULL;
    char exporter_id[KE_ID_MAX + 1];
    struct mef_request request = {.method = HTTP_POST,
                                  .path = client_reg_id,
                                  .type = MEF_TYPE_KEY_REG,
                                  .exporter = !key,
                                  .rsc = MEF_RSC_CREATED};
    int r;

    r = mef_check_id(client_reg_id, failure);
    if (r != 0)
        return r;
    secure_json_init();
    r = registration_body(client, suid, targets, expires, key, &body);
    if (r != 0)
        return r;
    request.body = body;
    r = mef_ask(client, &request, &answer, &exporter, failure);
    if (r == 0)
        r = take_key_registration(client, answer, &registered, failure);
    if (r == 0)
        r = check_unchanged(client, answer, &registered, suid, targets, failure);
    if (r == 0)
        r = key ? secret_new_copy(secret_data(key), secret_length(key), &registered.key)
                : onem2m_ke(exporter, client->profile->mef_fqdn, exporter_id, &registered.key);
    if (r != 0)
        return r;
    *ret = registered;
    registered.key = NULL;
    return 0;
}

int mef_key_retrieve(struct mef_client *client, const char *relative_key_id, struct mef_key *ret,
                     struct failure *failure) {
    _cleanup_(mef_key_done) struct mef_key key = {0};
    _cleanup_json_ json_t *answer = NULL;
    const struct mef_request request = {
        .method = HTTP_GET, .path = relative_key_id, .rsc = MEF_RSC_OK};
    int r;

    r = mef_check_id(relative_key_id, failure);
    if (r != 0)
        return r;
    secure_json_init();
    r = mef_ask(client, &request, &answer, NULL, failure);
    if (r == 0)
        r = take_key_registration(client, answer, &key, failure);
    if (r == 0 && strcasecmp(key.relative_key_id, relative_key_id) != 0)
        r = mef_changed(client, MEF_ATTR_KEY_ID, failure);
    if (r == 0)
        r = mef_get_key(mef_open(answer, MEF_NAME_KEY_REG), MEF_ATTR_KEY_VALUE, &key.key);
    if (r == -EINVAL)
        r = mef_malformed(client, "no " MEF_ATTR_KEY_VALUE " of 32 octets", failure);
    if (r != 0)
        return r;
    *ret = key;
    key.key = NULL;
    return 0;
}

int mef_key_update(struct mef_client *client, struct mef_key *key, int64_t expires,
                   const char *targets, struct failure *failure) {
    struct mef_key now = {0};
    _cleanup_json_ json_t *body = NULL, *answer = NULL;
    struct mef_request request = {
        .method = HTTP_PUT, .path = key->relative_key_id, .rsc = MEF_RSC_UPDATED};
    int r;

    r = mef_check_id(key->relative_key_id, failure);
    if (r != 0)
        return r;
    secure_json_init();
    r = update_body(client, expires, targets, &body);
    if (r != 0)
        return r;
    request.body = body;
    r = mef_ask(client, &request, &answer, NULL, failure);
    if (r == 0)
        r = take_key_registration(client, answer, &now, failure);
    if (r == 0)
        r = check_unchanged(client, answer, &now, key->suid, targets ? targets : key->targets,
                            failure);
    if (r == 0 && strcasecmp(now.relative_key_id, key->relative_key_id) != 0)
        r = mef_changed(client, MEF_ATTR_KEY_ID, failure);
    if (r != 0)
        return r;
    key->expires = now.expires;
    memcpy(key->targets, now.targets, sizeof(key->targets));
    return 0;
}

int mef_key_deregister(struct mef_client *client, const char *relative_key_id,
                       struct failure *failure) {
    const struct mef_request request = {
        .method = HTTP_DELETE, .path = relative_key_id, .rsc = MEF_RSC_DELETED};
    int r = mef_check_id(relative_key_id, failure);

    secure_json_init();
    return r == 0 ? mef_ask(client, &request, NULL, NULL, failure) : r;
}

/* --- The older fetch ---------------------------------------------------------------------------------- */

static int take_credentials(const struct mef_client *client, const json_t *answer,
                            struct mef_key *ret, struct failure *failure) {
    const json_t *status = json_object_get(answer, MEF_ATTR_STATUS);
    const char *words = secure_json_text(answer, MEF_ATTR_ERROR_STRING);
    unsigned lifetime;
    int r;

    if (json_is_false(status))
        return failure_set(failure, MEF_E_REFUSED, "the MEF %s gives no credential: %.160s",
                           client->profile->mef_fqdn, words ? words : "no words");
    if (!json_is_true(status) ||
        !mef_get_text(answer, MEF_ATTR_ENROLEE, ret->source, sizeof(ret->source)) ||
        !mef_get_number(answer, MEF_ATTR_LIFETIME, INT32_MAX, &lifetime) || lifetime == 0)
        return mef_malformed(
            client, "no " MEF_ATTR_STATUS ", " MEF_ATTR_ENROLEE " or " MEF_ATTR_LIFETIME, failure);
    ret->expires = client->io->now(client->io->userdata) + (int64_t)lifetime;
    r = mef_get_key(answer, MEF_ATTR_CREDENTIAL, &ret->key);
    return r == -EINVAL ? mef_malformed(client, "no " MEF_ATTR_CREDENTIAL " of 32 octets", failure)
                        : r;
}

/* RELATIVE@FQDN, whose two parts are part of a path as they are. */
static bool is_key_id(const char *id) {
    size_t relative = strcspn(id, "@");
    char part[MEF_ID_MAX + 1];

    if (relative > MEF_ID_MAX || id[relative] == '\0' || strlen(id + relative + 1) > FQDN_MAX)
        return false;
    (void)snprintf(part, sizeof(part), "%.*s", (int)relative, id);
    return mef_check_id(part, NULL) == 0 && !strpbrk(id, "/?#% ") && text_is_plain(id, strlen(id));
}

int mef_fetch_credentials(struct mef_client *client, const char *ke_id, unsigned suid,
                          struct mef_key *ret, struct failure *failure) {
    _cleanup_(mef_key_done) struct mef_key key = {.suid = suid};
    _cleanup_json_ json_t *answer = NULL;
    char path[sizeof(MEF_PATH_FETCH) + KEY_ID_MAX + 16];
    const struct mef_request request = {.method = HTTP_GET, .path = path, .rsc = MEF_RSC_OK};
    int r;

    secure_json_init();
    if (!is_key_id(ke_id))
        return failure_set(failure, -EINVAL, "that is no KeId");
    (void)snprintf(path, sizeof(path), MEF_PATH_FETCH "%s/%u", ke_id, suid);
    (void)snprintf(key.key_id, sizeof(key.key_id), "%s", ke_id);
    r = mef_ask(client, &request, &answer, NULL, failure);
    if (r == 0)
        r = take_credentials(client, answer, &key, failure);
    if (r != 0)
        return r;
    *ret = key;
    key.key = NULL;
    return 0;
}
