/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is in the bodies of requests to a MEF and of its answers.
 *
 * What is read is checked where it is read: lengths, characters, and, for what becomes part of a path, that it cannot be another
 * path. What is written never leaves the arena of secrets.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "mef-names.h"
#include "mef-request.h"
#include "secure-json.h"
#include "util.h"

/* --- Words ------------------------------------------------------------------------------------------ */

int mef_malformed(const struct mef_client *client, const char *what, struct failure *failure) {
    return failure_set(failure, MEF_E_MALFORMED,
                       "the answer of the MEF %s is not what docs/MEF.md says: %s",
                       client->profile->mef_fqdn, what);
}

int mef_changed(const struct mef_client *client, const char *what, struct failure *failure) {
    return failure_set(failure, MEF_E_CHANGED, "the MEF %s confirms another %s",
                       client->profile->mef_fqdn, what);
}

const char *mef_admin_fqdn(const struct mef_client *client) {
    return client->profile->admin_fqdn ? client->profile->admin_fqdn : client->profile->mef_fqdn;
}

/* --- Identifiers and addresses ------------------------------------------------------------------------ */

/* Such as need no escaping in a path (RFC 3986 2.3), and are no step up or down in it. */
static bool is_id(const char *text) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-@";
    size_t length = strlen(text);

    return length > 0 && length <= MEF_ID_MAX && strspn(text, alphabet) == length &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

int mef_check_id(const char *id, struct failure *failure) {
    return is_id(id) ? 0 : failure_set(failure, -EINVAL, "that is no identifier of a MEF");
}

bool mef_is_own_uri(const struct mef_client *client, const char *uri) {
    const char *host = strstr(uri, "://"), *end;
    size_t length = strlen(client->profile->mef_fqdn);

    if (!host || strncasecmp(host + 3, client->profile->mef_fqdn, length) != 0)
        return false;
    end = host + 3 + length;
    /* Nothing but a port may follow: before an "@" all of it would be a user's name. */
    if (*end == ':')
        end += 1 + strspn(end + 1, "0123456789");
    return *end == '\0' || *end == '/';
}

/* --- Reading ------------------------------------------------------------------------------------------ */

const json_t *mef_open(const json_t *answer, const char *name) {
    const json_t *value = json_object_get(answer, name);

    return json_is_object(value) ? value : NULL;
}

bool mef_get_text(const json_t *object, const char *name, char *ret, size_t size) {
    const char *text = secure_json_text(object, name);

    if (!text || text[0] == '\0' || strlen(text) >= size || strchr(text, ' ') ||
        !text_is_plain(text, strlen(text)))
        return false;
    (void)strcpy(ret, text);
    return true;
}

bool mef_get_id(const json_t *object, const char *name, char ret[MEF_ID_MAX + 1]) {
    const char *text = secure_json_text(object, name);

    if (!text || !is_id(text))
        return false;
    (void)strcpy(ret, text);
    return true;
}

bool mef_get_number(const json_t *object, const char *name, unsigned max, unsigned *ret) {
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;

    if (number < 0 || number > (json_int_t)max)
        return false;
    *ret = (unsigned)number;
    return true;
}

int mef_get_expiration(const struct mef_client *client, const json_t *object, int64_t *ret,
                       struct failure *failure) {
    const char *text = secure_json_text(object, MEF_ATTR_EXPIRATION);
    int64_t when;

    if (!text || onem2m_timestamp_parse(text, &when) < 0)
        return mef_malformed(client, "no " MEF_ATTR_EXPIRATION, failure);
    if (when <= client->io->now(client->io->userdata))
        return failure_set(failure, MEF_E_LIFETIME,
                           "what the MEF %s gave has ended already: " MEF_ATTR_EXPIRATION " is %s",
                           client->profile->mef_fqdn, text);
    *ret = when;
    return 0;
}

int mef_get_key(const json_t *object, const char *name, struct secret **ret) {
    const char *text = secure_json_text(object, name);
    struct secret *key;
    size_t length;
    int r;

    if (!text || strlen(text) != MEF_KEY_TEXT_LENGTH)
        return -EINVAL;
    r = secret_new(KE_LENGTH, &key);
    if (r < 0)
        return r;
    r = base64_decode(text, strlen(text), secret_data_mutable(key), KE_LENGTH, &length);
    if (r < 0 || length != KE_LENGTH) {
        secret_free(key);
        return -EINVAL;
    }
    *ret = key;
    return 0;
}

int mef_check_admin(const struct mef_client *client, const json_t *object,
                    struct failure *failure) {
    char admin[FQDN_MAX + 1];

    if (!mef_get_text(object, MEF_ATTR_ADMIN_FQDN, admin, sizeof(admin)))
        return mef_malformed(client, "no " MEF_ATTR_ADMIN_FQDN, failure);
    return strcasecmp(admin, mef_admin_fqdn(client)) == 0
               ? 0
               : mef_changed(client, MEF_ATTR_ADMIN_FQDN, failure);
}

/* --- Writing ------------------------------------------------------------------------------------------ */

int mef_set_text(json_t *object, const char *name, const char *text) {
    return json_object_set_new(object, name, json_string(text)) < 0 ? -EINVAL : 0;
}

int mef_set_expiration(json_t *object, int64_t expires) {
    char text[16];

    onem2m_timestamp_print(expires, text);
    return mef_set_text(object, MEF_ATTR_EXPIRATION, text);
}

int mef_set_words(json_t *object, const char *name, const char *words) {
    json_t *list = json_array();
    int r = 0;

    while (r == 0 && *(words += strspn(words, " ")) != '\0') {
        size_t length = strcspn(words, " ");

        r = json_array_append_new(list, json_stringn(words, length));
        words += length;
    }
    if (r < 0)
        json_decref(list);
    return r < 0 || json_object_set_new(object, name, list) < 0 ? -EINVAL : 0;
}

/* base64_encode() would leave a key in ordinary memory. */
int mef_set_key(json_t *object, const char *name, const struct secret *key) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    _cleanup_secret_ struct secret *text = NULL;
    const uint8_t *octets = secret_data(key);
    char *at;
    int r;

    if (secret_length(key) != KE_LENGTH)
        return -EINVAL;
    r = secret_new(MEF_KEY_TEXT_LENGTH, &text);
    if (r < 0)
        return r;
    at = (char *)secret_data_mutable(text);
    for (size_t i = 0; i < KE_LENGTH; i += 3) {
        bool last = i + 3 > KE_LENGTH;
        unsigned bits =
            (unsigned)octets[i] << 16 | (unsigned)octets[i + 1] << 8 | (last ? 0u : octets[i + 2]);

        *at++ = digits[bits >> 18 & 63];
        *at++ = digits[bits >> 12 & 63];
        *at++ = digits[bits >> 6 & 63];
        *at++ = last ? '=' : digits[bits & 63];
    }
    return json_object_set_new(
               object, name, json_stringn((const char *)secret_data(text), MEF_KEY_TEXT_LENGTH)) < 0
               ? -ENOMEM
               : 0;
}

json_t *mef_wrap(const char *name, json_t *object) {
    json_t *wrapped = json_object();

    if (!object || !wrapped || json_object_set_new(wrapped, name, object) < 0) {
        json_decref(wrapped);
        return NULL;
    }
    return wrapped;
}
