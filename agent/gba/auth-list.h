/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The grammar of WWW-Authenticate and Authentication-Info: a list of schemes and parameters (RFC 7235 2.1
 * and Appendix C). Items point into the text that they were read from.
 */

#include <stdbool.h>
#include <stddef.h>

enum auth_item_kind {
    AUTH_ITEM_END,
    AUTH_ITEM_SCHEME,    /* a new challenge begins; its token68, if any, has been skipped */
    AUTH_ITEM_PARAMETER, /* of the challenge that began last */
};

struct auth_item {
    enum auth_item_kind kind;
    const char *name; /* of the scheme or parameter, not terminated */
    size_t name_length;
    const char *value; /* raw: between the quotes, with its escapes */
    size_t value_length;
};

/* Where a reader is in its text. */
struct auth_list {
    const char *at;
    const char *end;
    enum {
        AUTH_LIST_SEPARATED,    /* at the start or after a comma: anything may come */
        AUTH_LIST_AFTER_SCHEME, /* a parameter or a comma */
        AUTH_LIST_AFTER_VALUE,  /* a comma */
    } state;
};

/**
 * auth_list_init() - begin to read @length octets at @text, which is borrowed
 */
void auth_list_init(struct auth_list *list, const char *text, size_t length);

/**
 * auth_list_next() - the next item
 *
 * Return: 0, at the end with AUTH_ITEM_END; -EBADMSG where the text does not follow the grammar or holds a
 * control character.
 */
int auth_list_next(struct auth_list *list, struct auth_item *ret);

/**
 * auth_item_named() - whether the name of @item is @name, compared without case
 */
bool auth_item_named(const struct auth_item *item, const char *name);

/**
 * auth_item_value() - the value without its escapes
 * @size: room at @ret, for the terminating NUL too
 *
 * Return: 0; -ENOBUFS when it is too long.
 */
int auth_item_value(const struct auth_item *item, char *ret, size_t size);
