/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * JSON in the arena of secrets.
 *
 * jansson copies what it reads into memory of its own, and a key may be among it. So every block that it takes is a
 * secret, with a pointer to itself in front.
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "secure-json.h"
#include "util.h"

/* Before each block, and as much as any alignment wants. */
#define HEAD 16u

_Static_assert(HEAD >= sizeof(struct secret *), "room for a pointer");

static void *take(size_t size) {
    struct secret *secret;

    if (size > SECRET_LENGTH_MAX - HEAD || secret_new(size + HEAD, &secret) < 0)
        return NULL;
    memcpy(secret_data_mutable(secret), &secret, sizeof(struct secret *));
    return secret_data_mutable(secret) + HEAD;
}

static void give_back(void *block) {
    struct secret *secret;

    if (!block)
        return;
    memcpy(&secret, (uint8_t *)block - HEAD, sizeof(struct secret *));
    secret_free(secret);
}

static void set_functions(void) {
    json_set_alloc_funcs(take, give_back);
    json_object_seed(0);
}

void secure_json_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, set_functions);
}

/* Counted before it is read: jansson's own bound is far beyond ours. */
static bool is_too_deep(const char *text, size_t length) {
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && strchr("[{", text[i]) && text[i] != '\0' &&
                 ++depth > MEF_JSON_DEPTH_MAX)
            return true;
        else if (!quoted && strchr("]}", text[i]) && text[i] != '\0' && depth > 0)
            depth--;
    }
    return false;
}

int secure_json_parse(const void *text, size_t length, size_t max, json_t **ret) {
    json_error_t error;
    json_t *value;

    secure_json_init();
    if (length == 0 || length > max || is_too_deep(text, length))
        return -EINVAL;
    value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!value)
        return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
    if (!json_is_object(value)) {
        json_decref(value);
        return -EINVAL;
    }
    *ret = value;
    return 0;
}

int secure_json_print(const json_t *value, struct secret **ret) {
    struct secret *text;
    size_t length;
    int r;

    r = secret_new(SECRET_LENGTH_MAX, &text);
    if (r < 0)
        return r;
    length = json_dumpb(value, (char *)secret_data_mutable(text), SECRET_LENGTH_MAX, JSON_COMPACT);
    if (length == 0 || length > SECRET_LENGTH_MAX) {
        secret_free(text);
        return -ENOBUFS;
    }
    secret_truncate(text, length);
    *ret = text;
    return 0;
}

const char *secure_json_text(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);

    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return NULL;
    return json_string_value(value);
}
