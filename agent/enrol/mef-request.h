/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One request to a MEF and its answer (mef-request.c), and what is in their bodies (mef-json.c), for the files of this room.
 */

#include <jansson.h>

#include "mef.h"

struct mef_request {
    enum http_method method;
    const char *path;  /* behind the base of Mef=, without a slash in front; with one: behind the host */
    unsigned type;     /* resource type of a Create; 0 for none */
    const json_t *body; /* or NULL */
    bool exporter;     /* by a connection of its own, whose exporter is wanted */
    unsigned rsc;      /* that stands for success */
};

/**
 * mef_ask() - ask, and have the answer read
 * @ret: the answer's object, the caller's; NULL allowed where none is wanted
 * @ret_exporter: with request.exporter, the caller's
 *
 * Return: 0; enum mef_outcome; as http_client_ask(); -ENOMEM.
 */
int mef_ask(struct mef_client *client, const struct mef_request *request, json_t **ret,
            struct secret **ret_exporter, struct failure *failure);

/* --- Words (mef-json.c) ------------------------------------------------------------------------------ */

/**
 * mef_malformed() - MEF_E_MALFORMED: @what of the answer is missing or makes no sense
 */
int mef_malformed(const struct mef_client *client, const char *what, struct failure *failure);

/**
 * mef_changed() - MEF_E_CHANGED: @what of the answer is not what was asked for
 */
int mef_changed(const struct mef_client *client, const char *what, struct failure *failure);

/**
 * mef_admin_fqdn() - AdminFqdn=, or the MEF's own
 */
const char *mef_admin_fqdn(const struct mef_client *client);

/**
 * mef_check_id() - whether @id can be a part of a path: 1 to MEF_ID_MAX letters, digits and "._~-@"
 *
 * Return: 0; -EINVAL with words.
 */
int mef_check_id(const char *id, struct failure *failure);

/**
 * mef_is_own_uri() - whether the host of @uri is the MEF's FQDN; with another a MEF sends nobody anywhere (8.3.6, 8.3.9)
 */
bool mef_is_own_uri(const struct mef_client *client, const char *uri);

/* --- Reading: what is missing, of another kind, or beyond its bounds is all the same ---------------------- */

/**
 * mef_open() - what @name wraps in @answer, borrowed; NULL where it is none
 */
const json_t *mef_open(const json_t *answer, const char *name);

/**
 * mef_get_text() - the text @name of @object into @ret of @size octets, printable ASCII without spaces
 *
 * Return: whether it is there and fits.
 */
bool mef_get_text(const json_t *object, const char *name, char *ret, size_t size);

/**
 * mef_get_id() - likewise an identifier, as mef_check_id() has it
 */
bool mef_get_id(const json_t *object, const char *name, char ret[MEF_ID_MAX + 1]);

/**
 * mef_get_number() - a number of 0 to @max
 */
bool mef_get_number(const json_t *object, const char *name, unsigned max, unsigned *ret);

/**
 * mef_get_expiration() - expirationTime, which is in the future
 *
 * Return: 0; MEF_E_MALFORMED; MEF_E_LIFETIME.
 */
int mef_get_expiration(const struct mef_client *client, const json_t *object, int64_t *ret,
                       struct failure *failure);

/**
 * mef_get_key() - 32 octets of base64; the caller's
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int mef_get_key(const json_t *object, const char *name, struct secret **ret);

/**
 * mef_check_admin() - whether adminFQDN is ours
 *
 * Return: 0; MEF_E_MALFORMED; MEF_E_CHANGED.
 */
int mef_check_admin(const struct mef_client *client, const json_t *object,
                    struct failure *failure);

/* --- Writing: each returns 0; -EINVAL for what is no UTF-8 or no key; -ENOMEM ----------------------------- */

int mef_set_text(json_t *object, const char *name, const char *text);
int mef_set_expiration(json_t *object, int64_t expires);

/**
 * mef_set_words() - words with spaces between as a list
 */
int mef_set_words(json_t *object, const char *name, const char *words);

/**
 * mef_set_key() - 32 octets as base64, which is in the arena as well
 */
int mef_set_key(json_t *object, const char *name, const struct secret *key);

#define MEF_KEY_TEXT_LENGTH 44u /* base64 of 32 octets */

/**
 * mef_wrap() - {@name: @object}, which takes @object over; NULL without memory
 */
json_t *mef_wrap(const char *name, json_t *object);

static inline void json_freep(json_t **value) {
    json_decref(*value);
}

#define _cleanup_json_ __attribute__((cleanup(json_freep)))
