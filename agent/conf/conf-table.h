/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The table of keys, and what can be done with one row of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf.h"

enum conf_type {
    CONF_STRING,   /* char *; NULL where the value is empty */
    CONF_UNSIGNED, /* uint64_t */
    CONF_DURATION, /* uint64_t, microseconds; written as seconds */
    CONF_BOOL,     /* bool */
    CONF_LEVEL,    /* int, as of syslog(3) */
    CONF_LIST,     /* char **; each assignment adds one */
    CONF_CHOICE,   /* int, the place of the word in choices */
};

struct conf_key {
    const char *section;
    const char *name;
    enum conf_type type;
    bool identity;        /* a message may not quote its value */
    bool ks;              /* another value is a reason to forget the Ks */
    size_t offset;        /* in struct conf for [Agent], else in struct conf_card */
    uint64_t min, max;    /* octets, number or microseconds */
    const char *fallback; /* the default as one would write it; "" for none */
    const char *(*wrong)(
        const char *);   /* what is wrong with a text, NULL for nothing; may be NULL */
    const char *const *choices; /* of CONF_CHOICE, NULL-terminated */
    size_t lines_max;           /* of CONF_LIST */
    const char *allowed; /* what would be right, where type and range do not say it */
    const char *help;
};

/* Room for the names of all keys. */
#define CONF_KEYS_MAX 64

extern const struct conf_key conf_table[];
extern const size_t conf_table_length;

/* Long enough for what is wrong with any value, and for what is allowed. */
#define CONF_WRONG_MAX 96

/**
 * conf_key_of_card() - whether each card has a value of its own for @key; else it is the agent's
 */
bool conf_key_of_card(const struct conf_key *key);

/**
 * conf_value_set() - give @key the value @text; "" is the default
 * @values: a struct conf_card, or a struct conf for a key of the agent; so in all functions here
 *
 * Return: 0; -EINVAL with what is wrong in @wrong; -ENOMEM.
 */
int conf_value_set(void *values, const struct conf_key *key, const char *text,
                   char wrong[CONF_WRONG_MAX]);

/**
 * conf_value_clear() - release what @key holds
 */
void conf_value_clear(void *values, const struct conf_key *key);

/**
 * conf_value_copy() - give @key in @to the value that it has in @from
 *
 * Return: 0; -ENOMEM.
 */
int conf_value_copy(void *to, const void *from, const struct conf_key *key);

/**
 * conf_value_equal() - whether @key has the same value in both
 */
bool conf_value_equal(const void *a, const void *b, const struct conf_key *key);

/**
 * conf_value_print() - "Key=value" and a newline; for a list, one line each
 */
void conf_value_print(const void *values, const struct conf_key *key, FILE *stream);

/**
 * conf_value_allowed() - what would be right, in words
 */
void conf_value_allowed(const struct conf_key *key, char *ret, size_t size);

/* What is wrong with a text that is to be ...; NULL when nothing is. */
const char *conf_wrong_transport(const char *text);
const char *conf_wrong_plain(const char *text);
const char *conf_wrong_quotable(const char *text);
const char *conf_wrong_path(const char *text);
const char *conf_wrong_impi(const char *text);
const char *conf_wrong_host(const char *text);
const char *conf_wrong_scheme(const char *text);
const char *conf_wrong_target(const char *text);
const char *conf_wrong_endpoint(const char *text);
const char *conf_wrong_authority(const char *text); /* HOST[:PORT][/PATH], what follows a URI's "//" */
const char *conf_wrong_header(const char *text);
const char *conf_wrong_mnc_length(const char *text);
const char *conf_wrong_digits(const char *text);
const char *conf_wrong_card(const char *text);
