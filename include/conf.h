/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The configuration: keystrap.conf and keystrap.conf.d/ *.conf in one directory, later files over earlier ones.
 *
 * One table has every key with section, type, range and default; keystrap.conf(5) lists the same. No key holds a
 * secret. A struct conf is immutable once loaded; SIGHUP loads another.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "keystrap-limits.h"
#include "outcome.h"

struct conf {
    /* [Agent] */
    int log_level;                 /* LogLevel= */

    /* [UICC] */
    char *transport;               /* Transport=pcsc: the program uicc-NAME of the plug-in directory */
    char *reader;                  /* Reader=: shell pattern of reader names; NULL for any */
    char *device;                  /* Device=: for transports that have one; NULL */
    uint64_t apdu_timeout_usec;    /* ApduTimeoutSec=10, 0.1 to 300 */
    uint64_t mnc_length;           /* MncLength=0: 2 or 3 where EF_AD does not say; 0 for as the card says */

    /* [GBA] */
    char *impi;                    /* Impi=: NULL for as TS 23.003 has it */
    char *bsf;                     /* Bsf=: FQDN; NULL for as TS 23.003 has it */
    char *scheme;                  /* Scheme=http: http or https */
    uint64_t port;                 /* Port=0: 0 for the scheme's */
    char *path;                    /* Path=/ */
    char *realm;                   /* Realm=: NULL for the BSF's FQDN */
    char *connect_to;              /* ConnectTo=HOST:PORT: NULL for as DNS says */
    char *user_agent;              /* UserAgent=Bootstrapping Client Agent; Release-6 */
    char **headers;                /* Header=Name: value, may be repeated; NULL-terminated or NULL */
    char *trust_anchors;           /* TrustAnchors=: PEM file */
    bool require_rspauth;          /* RequireRspauth=yes */
    bool require_auth_int;         /* RequireAuthInt=yes */
    uint64_t connect_timeout_usec; /* ConnectTimeoutSec=10, 0.1 to 300 */
    uint64_t request_timeout_usec; /* RequestTimeoutSec=30, 0.1 to 600 */
    uint64_t lifetime_max_usec;    /* LifetimeMaxSec=604800, 60 to KEY_LIFETIME_MAX_SEC */
};

/**
 * conf_load() - read the configuration in @directory; files that do not exist are empty
 *
 * Unknown sections and keys are warnings with file and line. An empty value resets a key to its default. Reset by
 * an empty assignment is also how a drop-in empties a list.
 *
 * Return: 0; -EINVAL with file, line, key and what would be right in @failure; another errno.
 */
int conf_load(const char *directory, struct conf **ret, struct failure *failure);

/**
 * conf_parse() - as conf_load(), for @length octets at @text alone, which messages call @file
 */
int conf_parse(const char *file, const char *text, size_t length, struct conf **ret,
               struct failure *failure);

/**
 * conf_free() - NULL is allowed. Returns NULL.
 */
struct conf *conf_free(struct conf *conf);

/**
 * conf_print() - every key with its value in effect, in the syntax of the file, for --check-config
 */
void conf_print(const struct conf *conf, FILE *stream);

/* What there is to know of one key. The strings are static. */
struct conf_description {
    const char *section;
    const char *name;
    const char *fallback; /* the default in the file's syntax; "" for none */
    const char *help;     /* one line */
    char allowed[80];     /* "0.1 to 300 seconds" */
};

/**
 * conf_describe() - key number @index of the table, from 0, in the order of the file
 *
 * Return: whether there is one.
 */
bool conf_describe(size_t index, struct conf_description *ret);

/**
 * conf_print_template() - the file that is installed: every key, commented out, with help and default
 */
void conf_print_template(FILE *stream);

static inline void conf_freep(struct conf **conf) {
    *conf = conf_free(*conf);
}

#define _cleanup_conf_ __attribute__((cleanup(conf_freep)))
