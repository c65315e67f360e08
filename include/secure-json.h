/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * JSON that may hold keys: jansson, whose memory is erased when it is released. It is in the arena of secrets, but for strings of
 * more than 2000 octets, which no key has, and for what the arena has no room left for.
 */

#include <jansson.h>
#include <stddef.h>

#include "keystrap-limits.h"
#include "secret.h"

/**
 * secure_json_init() - have jansson use the arena; once is enough, and more does no harm
 */
void secure_json_init(void);

/**
 * secure_json_parse() - one object
 * @text: @length octets of anybody
 * @max: more are refused unread
 *
 * No name twice in one object; no deeper than MEF_JSON_DEPTH_MAX; no more than JSON_VALUES_MAX values.
 *
 * Return: 0 with an object that the caller releases (json_decref()); -EINVAL.
 */
int secure_json_parse(const void *text, size_t length, size_t max, json_t **ret);

/**
 * secure_json_print() - compact, as a secret
 *
 * Return: 0; -ENOBUFS beyond SECRET_LENGTH_MAX; -ENOMEM.
 */
int secure_json_print(const json_t *value, struct secret **ret);

/**
 * secure_json_text() - the string @name of @object, borrowed; NULL where it is missing or none, or has a NUL in it
 */
const char *secure_json_text(const json_t *object, const char *name);
