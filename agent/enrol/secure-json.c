/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * JSON in the arena of secrets.
 *
 * jansson copies what it reads into memory of its own, and a key may be among it. So every block that it takes is a
 * secret, with a head in front that says which.
 *
 * Its lexer must never be told that there is no memory: jansson 2.14 does not look whether a character of a string could be kept,
 * and then copies on until it meets a quote. What the arena has no room for, and any text can bring that about with one long
 * string, is in ordinary memory, which is erased as well.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "secure-json.h"
#include "util.h"

/* As much as any alignment wants. */
struct head {
    struct secret *secret; /* NULL for a block of ordinary memory */
    size_t size;           /* of head and block */
};

#define HEAD sizeof(struct head)

_Static_assert(HEAD % _Alignof(max_align_t) == 0, "what follows is aligned");

static void *take(size_t size) {
    struct head head = {.size = size + HEAD};
    uint8_t *block;

    if (head.size < size)
        abort();
    if (head.size <= SECRET_LENGTH_MAX && secret_new(head.size, &head.secret) == 0)
        block = secret_data_mutable(head.secret);
    else
        block = malloc(head.size);
    if (!block)
        abort(); /* see above: anything is better than to go on */
    memcpy(block, &head, HEAD);
    return block + HEAD;
}

static void give_back(void *octets) {
    uint8_t *block = octets ? (uint8_t *)octets - HEAD : NULL;
    struct head head;

    if (!block)
        return;
    memcpy(&head, block, HEAD);
    if (head.secret) {
        secret_free(head.secret);
        return;
    }
    secret_erase(block, head.size);
    free(block);
}

static void set_functions(void) {
    json_set_alloc_funcs(take, give_back);
    json_object_seed(0);
}

void secure_json_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, set_functions);
}

/* Counted before it is read: jansson's own bounds are far beyond ours, and each value takes some hundred octets of the arena. */
static bool is_too_much(const char *text, size_t length) {
    unsigned depth = 0, values = 1;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        depth += c == '[' || c == '{';
        depth -= (c == ']' || c == '}') && depth > 0;
        values += c == '[' || c == '{' || c == ',';
        if (depth > MEF_JSON_DEPTH_MAX || values > JSON_VALUES_MAX)
            return true;
    }
    return false;
}

int secure_json_parse(const void *text, size_t length, size_t max, json_t **ret) {
    json_error_t error;
    json_t *value;

    secure_json_init();
    if (length == 0 || length > max || is_too_much(text, length))
        return -EINVAL;
    value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!value)
        return -EINVAL;
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
