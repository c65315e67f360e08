/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One request for a resource of the MEF while it is answered, and what its resources have in common.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lab-mef.h"
#include "mef-names.h"

#define MEF_TIME_SIZE 16u

struct mef_scene {
    struct mef *mef;
    struct mef_exchange *exchange;
    struct mef_enrolee *enrolee;
    json_t *body;  /* of the request; NULL where there is none, or it is no JSON */
    char wrong[160]; /* what mef_fields() found */
};

/* Functions that return int return 0 or -ENOMEM; "answer" is what the client gets. */

/**
 * mef_answer() - @body is released; NULL stands for memory that was short
 */
int mef_answer(struct mef_scene *scene, unsigned status, unsigned rsc, json_t *body);

/**
 * mef_empty() - an answer without a body
 */
int mef_empty(struct mef_scene *scene, unsigned status, unsigned rsc);

/**
 * mef_refuse() - answer {"error": @words}
 */
int mef_refuse(struct mef_scene *scene, unsigned status, unsigned rsc, const char *words);

bool mef_asks(const struct mef_scene *scene, const char *method);

/**
 * mef_text() - a string of an object, borrowed; NULL where there is none
 */
const char *mef_text(const json_t *object, const char *name);

/* What may be in an object. */
enum mef_kind {
    MEF_KIND_TEXT,  /* not empty, up to MEF_NAME_MAX octets */
    MEF_KIND_TIME,  /* m2m:timestamp */
    MEF_KIND_TEXTS, /* a list of such texts, one at least */
    MEF_KIND_COUNT, /* an integer, 0 or more */
    MEF_KIND_BOOL,
    MEF_KIND_KEY,   /* base64 of 32 octets */
};

struct mef_field {
    const char *name; /* NULL at the end of a list */
    enum mef_kind kind;
    bool mandatory;
};

/**
 * mef_fields() - the object of that @name in the request's body, checked: it has what is mandatory, and nothing that is not
 * listed; "fqdn", where it has one, is the MEF's
 *
 * Return: the object, borrowed; NULL, with words in scene->wrong.
 */
json_t *mef_fields(struct mef_scene *scene, const char *name, const struct mef_field *fields);

/**
 * mef_time_write() - m2m:timestamp of seconds since the epoch; mef_time_read(): -1 where @text is none
 */
void mef_time_write(int64_t when, char ret[MEF_TIME_SIZE]);
int64_t mef_time_read(const char *text);

/**
 * mef_grant() - until when something shall last that is wanted until @object's expirationTime, if it says so
 */
int64_t mef_grant(const struct mef_scene *scene, const json_t *object);

/**
 * mef_add_expiry() - expirationTime into @object, or what a fault makes of it
 */
int mef_add_expiry(struct mef_scene *scene, json_t *object, int64_t expires);

/**
 * mef_add_key() - base64 of a key into @object, or what a fault makes of it
 */
int mef_add_key(struct mef_scene *scene, json_t *object, const char *name,
                const uint8_t key[MEF_KEY_LENGTH]);

bool mef_key_read(const char *text, uint8_t ret[MEF_KEY_LENGTH]);

/**
 * mef_is_suid() - whether it is a value of m2m:suid (TS-0004 6.3.4.2.39)
 */
bool mef_is_suid(long long suid);

/* --- Resources: each answers the request -------------------------------------------------------- */

int mef_register_key(struct mef_scene *scene, const struct mef_reg *reg);
int mef_serve_key(struct mef_scene *scene, struct mef_key *key);

int mef_show_command(struct mef_scene *scene);
int mef_take_result(struct mef_scene *scene, const struct mef_reg *reg);

int mef_indicate(struct mef_scene *scene);
int mef_fetch(struct mef_scene *scene, const char *what);

/**
 * mef_est_base() - the base URI of EST, as this client can reach it
 */
void mef_est_base(const struct mef_scene *scene, char *ret, size_t size);

/**
 * mef_keep_ke() - a registration of scene->enrolee with the Ke of the connection, until @expires
 */
struct mef_reg *mef_keep_ke(struct mef_scene *scene, int64_t expires);
