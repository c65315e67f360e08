/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reader of lists of challenges and of parameters.
 *
 * One comma separates challenges from each other and parameters from each other, so a list can only be
 * taken apart by reading it as RFC 7235 says: a token is a parameter if "=" follows, else a scheme. Whoever
 * searches such a field for substrings is fooled by what stands in another challenge's quoted string.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "auth-list.h"

static bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token_char(char c) {
    return is_alphanumeric(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token68_char(char c) {
    return is_alphanumeric(c) || (c && strchr("-._~+/", c));
}

static bool is_text_char(char c) {
    unsigned char u = (unsigned char)c;

    return u >= 0x20 && u != 0x7f;
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static const char *skip_token(const char *at, const char *end) {
    while (at < end && is_token_char(*at))
        at++;
    return at;
}

/* Past a token68 that ends its list element, or @at where there is none. */
static const char *skip_token68(const char *at, const char *end) {
    const char *p = at, *rest;

    while (p < end && is_token68_char(*p))
        p++;
    if (p == at)
        return at;
    while (p < end && *p == '=')
        p++;
    rest = skip_space(p, end);
    return rest == end || *rest == ',' ? p : at;
}

static int read_quoted(struct auth_list *list, struct auth_item *item) {
    const char *p = list->at + 1;

    item->value = p;
    for (; p < list->end && *p != '"'; p++) {
        if (*p == '\\' && ++p == list->end)
            return -EBADMSG;
        if (!is_text_char(*p))
            return -EBADMSG;
    }
    if (p == list->end)
        return -EBADMSG;
    item->value_length = (size_t)(p - item->value);
    list->at = p + 1;
    return 0;
}

static int read_value(struct auth_list *list, struct auth_item *item) {
    const char *end;

    if (list->at < list->end && *list->at == '"')
        return read_quoted(list, item);
    end = skip_token(list->at, list->end);
    if (end == list->at)
        return -EBADMSG;
    item->value = list->at;
    item->value_length = (size_t)(end - list->at);
    list->at = end;
    return 0;
}

/* To the next item, over any commas: empty elements are allowed (RFC 7230 7). */
static void skip_separators(struct auth_list *list) {
    for (;;) {
        list->at = skip_space(list->at, list->end);
        if (list->at == list->end || *list->at != ',')
            return;
        list->at++;
        list->state = AUTH_LIST_SEPARATED;
    }
}

static void read_scheme_rest(struct auth_list *list) {
    const char *rest = skip_space(list->at, list->end), *end;

    list->state = AUTH_LIST_AFTER_SCHEME;
    end = rest > list->at ? skip_token68(rest, list->end) : rest;
    if (end > rest) {
        list->at = end;
        list->state = AUTH_LIST_AFTER_VALUE;
    }
}

void auth_list_init(struct auth_list *list, const char *text, size_t length) {
    *list = (struct auth_list){.at = text, .end = text + length};
}

int auth_list_next(struct auth_list *list, struct auth_item *ret) {
    struct auth_item item = {.kind = AUTH_ITEM_END};
    const char *after;
    int r;

    skip_separators(list);
    if (list->at == list->end) {
        *ret = item;
        return 0;
    }

    item.name = list->at;
    list->at = skip_token(list->at, list->end);
    item.name_length = (size_t)(list->at - item.name);
    if (item.name_length == 0 || list->state == AUTH_LIST_AFTER_VALUE)
        return -EBADMSG;

    after = skip_space(list->at, list->end);
    if (after < list->end && *after == '=') {
        item.kind = AUTH_ITEM_PARAMETER;
        list->at = skip_space(after + 1, list->end);
        r = read_value(list, &item);
        if (r < 0)
            return r;
        list->state = AUTH_LIST_AFTER_VALUE;
    } else {
        if (list->state != AUTH_LIST_SEPARATED)
            return -EBADMSG;
        item.kind = AUTH_ITEM_SCHEME;
        read_scheme_rest(list);
    }
    *ret = item;
    return 0;
}

bool auth_item_named(const struct auth_item *item, const char *name) {
    return strlen(name) == item->name_length &&
           strncasecmp(item->name, name, item->name_length) == 0;
}

int auth_item_value(const struct auth_item *item, char *ret, size_t size) {
    const char *end = item->value + item->value_length;
    size_t length = 0;

    /* Every backslash is followed by a character: the reader has seen to it. */
    for (const char *p = item->value; p < end; p++, length++)
        if (*p == '\\')
            p++;
    if (length >= size)
        return -ENOBUFS;
    for (const char *p = item->value; p < end; p++) {
        if (*p == '\\')
            p++;
        *ret++ = *p;
    }
    *ret = 0;
    return 0;
}
