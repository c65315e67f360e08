/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the MEF's resources have in common: bodies are checked by tables of fields, and answers are put together.
 */

#include "mef-scene.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/gnutls.h>

#define SHORT_KEY_LENGTH 16u
#define OVER_SEC         60

/* --- Answers -------------------------------------------------------------------------------------- */

int mef_answer(struct mef_scene *scene, unsigned status, unsigned rsc, json_t *body) {
    struct mef_exchange *exchange = scene->exchange;

    exchange->status = status;
    exchange->rsc = rsc;
    exchange->answer = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return exchange->answer ? 0 : -ENOMEM;
}

int mef_empty(struct mef_scene *scene, unsigned status, unsigned rsc) {
    scene->exchange->status = status;
    scene->exchange->rsc = rsc;
    return 0;
}

int mef_refuse(struct mef_scene *scene, unsigned status, unsigned rsc, const char *words) {
    return mef_error(scene->exchange, status, rsc, words);
}

bool mef_asks(const struct mef_scene *scene, const char *method) {
    return strcmp(scene->exchange->method, method) == 0;
}

int mef_add_expiry(struct mef_scene *scene, json_t *object, int64_t expires) {
    char text[MEF_TIME_SIZE];

    if (mef_fault_take(scene->mef, MEF_FAULT_MISSING))
        return 0;
    if (mef_fault_take(scene->mef, MEF_FAULT_EXPIRED))
        expires = time(NULL) - OVER_SEC;
    mef_time_write(expires, text);
    return json_object_set_new(object, NAME_EXPIRES, json_string(text)) < 0 ? -ENOMEM : 0;
}

int mef_add_key(struct mef_scene *scene, json_t *object, const char *name,
                const uint8_t key[MEF_KEY_LENGTH]) {
    bool whole = !mef_fault_take(scene->mef, MEF_FAULT_SHORT_KEY);
    const gnutls_datum_t octets = {(unsigned char *)(uintptr_t)key,
                                   whole ? MEF_KEY_LENGTH : SHORT_KEY_LENGTH};
    gnutls_datum_t base64 = {0};
    int r;

    if (gnutls_base64_encode2(&octets, &base64) < 0)
        return -ENOMEM;
    r = json_object_set_new(object, name, json_stringn((const char *)base64.data, base64.size));
    gnutls_memset(base64.data, 0, base64.size);
    gnutls_free(base64.data);
    return r < 0 ? -ENOMEM : 0;
}

/* --- Values --------------------------------------------------------------------------------------- */

const char *mef_text(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

void mef_time_write(int64_t when, char ret[MEF_TIME_SIZE]) {
    time_t seconds = when;
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(ret, MEF_TIME_SIZE, "%Y%m%dT%H%M%S", &tm);
}

int64_t mef_time_read(const char *text) {
    struct tm tm = {0};
    const char *end;

    if (strlen(text) != MEF_TIME_SIZE - 1)
        return -1;
    for (size_t i = 0; text[i] != '\0'; i++)
        if (i == 8 ? text[i] != 'T' : !isdigit((unsigned char)text[i]))
            return -1;
    end = strptime(text, "%Y%m%dT%H%M%S", &tm);
    return end && *end == '\0' ? timegm(&tm) : -1;
}

bool mef_key_read(const char *text, uint8_t ret[MEF_KEY_LENGTH]) {
    const gnutls_datum_t base64 = {(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
    gnutls_datum_t octets = {0};
    bool fits;

    if (gnutls_base64_decode2(&base64, &octets) < 0)
        return false;
    fits = octets.size == MEF_KEY_LENGTH;
    if (fits)
        memcpy(ret, octets.data, MEF_KEY_LENGTH);
    gnutls_memset(octets.data, 0, octets.size);
    gnutls_free(octets.data);
    return fits;
}

bool mef_is_suid(long long suid) {
    static const unsigned char values[] = {10, 11, 12, 13, 14, 15, 21, 22, 23, 24, 25,
                                           32, 33, 34, 35, 40, 41, 42, 43, 44, 45};

    for (size_t i = 0; i < sizeof(values); i++)
        if (values[i] == suid)
            return true;
    return false;
}

/* The MEF may override what is proposed (TS-0003 8.3.5.2.3), and does so with a wish that is over or beyond its bounds. */
int64_t mef_grant(const struct mef_scene *scene, const json_t *object) {
    const char *text = mef_text(object, NAME_EXPIRES);
    int64_t now = time(NULL), wish = text ? mef_time_read(text) : 0;
    int64_t most = now + (scene->enrolee->lifetime_sec > 0 ? scene->enrolee->lifetime_sec
                                                           : scene->mef->lifetime_sec);

    return wish > now && wish < most ? wish : most;
}

/* --- Bodies ---------------------------------------------------------------------------------------- */

static bool is_name(const json_t *value) {
    size_t length = json_string_length(value);

    return json_is_string(value) && length > 0 && length <= MEF_NAME_MAX &&
           strlen(json_string_value(value)) == length;
}

static bool is_list_of_names(const json_t *value) {
    if (json_array_size(value) == 0)
        return false;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!is_name(json_array_get(value, i)))
            return false;
    return true;
}

static bool is_key(const json_t *value) {
    uint8_t key[MEF_KEY_LENGTH];
    bool is = is_name(value) && mef_key_read(json_string_value(value), key);

    gnutls_memset(key, 0, sizeof(key));
    return is;
}

static bool is_of_kind(const json_t *value, enum mef_kind kind) {
    switch (kind) {
    case MEF_KIND_TEXT:
        return is_name(value);
    case MEF_KIND_TIME:
        return is_name(value) && mef_time_read(json_string_value(value)) >= 0;
    case MEF_KIND_TEXTS:
        return is_list_of_names(value);
    case MEF_KIND_COUNT:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case MEF_KIND_BOOL:
        return json_is_boolean(value);
    case MEF_KIND_KEY:
        return is_key(value);
    }
    return false;
}

static json_t *complain(struct mef_scene *scene, const char *name, const char *words) {
    (void)snprintf(scene->wrong, sizeof(scene->wrong), "%.64s %s", name, words);
    return NULL;
}

static bool is_listed(const struct mef_field *fields, const char *name) {
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return true;
    return false;
}

json_t *mef_fields(struct mef_scene *scene, const char *name, const struct mef_field *fields) {
    json_t *object = json_object_get(scene->body, name), *value;
    const char *key, *fqdn;

    if (!json_is_object(object) || json_object_size(scene->body) != 1)
        return complain(scene, name, "is to be in the body, alone");
    json_object_foreach(object, key, value) if (!is_listed(fields, key)) return complain(
        scene, key, "is nothing that this request may have");
    for (; fields->name; fields++) {
        value = json_object_get(object, fields->name);
        if (!value && fields->mandatory)
            return complain(scene, fields->name, "is missing");
        if (value && !is_of_kind(value, fields->kind))
            return complain(scene, fields->name, "is not of its kind");
    }
    fqdn = mef_text(object, NAME_FQDN);
    if (fqdn && strcmp(fqdn, scene->mef->fqdn) != 0)
        return complain(scene, NAME_FQDN, "is another MEF's");
    return object;
}
