/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The configuration: keystrap.conf and keystrap.conf.d/ *.conf in one directory, later files over earlier ones.
 *
 * [UICC] and [GBA] hold what is common to all cards. [UICC NAME] and [GBA NAME] each add a card NAME, if it is not there
 * yet, and hold what is different for it. Without any of these there is one card, and its name is "default".
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

/* Access= */
enum conf_access {
    CONF_ACCESS_APDU,         /* APDUs where the transport passes them */
    CONF_ACCESS_AUTHENTICATE, /* a modem's own command for AKA */
};

/* Application= */
enum conf_application {
    CONF_APPLICATION_AUTO, /* TS 33.220 5.1 */
    CONF_APPLICATION_USIM,
    CONF_APPLICATION_ISIM,
};

/* Mode= */
enum conf_mode {
    CONF_MODE_AUTO, /* as the card's service table says, and what worked last */
    CONF_MODE_ME,
    CONF_MODE_U,
    CONF_MODE_2G,
    CONF_MODE_DIGEST,
};

/* TlsMin= */
enum conf_tls {
    CONF_TLS_1_2,
    CONF_TLS_1_3,
};

/* One card, and how keys are had with it. */
struct conf_card {
    char name[CARD_NAME_MAX + 1];

    /* [UICC] and [UICC NAME] */
    char *transport;               /* Transport=pcsc: the program uicc-NAME of the plug-in directory */
    char *reader;                  /* Reader=: shell pattern of reader names; NULL for any */
    char *device;                  /* Device=: for transports that have one; NULL */
    uint64_t slot;                 /* Slot=0: of a modem, from 1; 0 for the active one */
    bool proxy;                    /* Proxy=yes: reach the modem through the proxy that shares it */
    int access;                    /* Access=apdu: enum conf_access */
    char *iccid;                   /* Iccid=: shell pattern of the card's ICCID; NULL for any */
    char *imsi;                    /* Imsi=: shell pattern of the subscriber's IMSI; NULL for any */
    int application;               /* Application=auto: enum conf_application */
    uint64_t apdu_timeout_usec;    /* ApduTimeoutSec=10, 0.1 to 300 */
    uint64_t mnc_length;           /* MncLength=0: 2 or 3 where EF_AD does not say; 0 for as the card says */

    /* [GBA] and [GBA NAME] */
    int mode;                      /* Mode=auto: enum conf_mode */
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
    int tls_min;                   /* TlsMin=1.2: enum conf_tls */
    bool require_rspauth;          /* RequireRspauth=yes */
    bool require_auth_int;         /* RequireAuthInt=yes */
    bool tmpi;                     /* Tmpi=yes: ask as TMPI where the BSF takes it */
    bool aka_v2;                   /* AkaV2=yes: use AKAv2 where the BSF offers it */
    bool renew;                    /* Renew=yes: a new Ks before the old one dies, where it was used */
    uint64_t connect_timeout_usec; /* ConnectTimeoutSec=10, 0.1 to 300 */
    uint64_t request_timeout_usec; /* RequestTimeoutSec=30, 0.1 to 600 */
    uint64_t lifetime_max_usec;    /* LifetimeMaxSec=604800, 60 to KEY_LIFETIME_MAX_SEC */
};

struct conf {
    int log_level;                      /* [Agent] LogLevel= */
    char *instruction_signers;          /* [Agent] InstructionSigners=: PEM file; NULL: no document is taken */
    struct conf_card *cards[CARDS_MAX]; /* in the order of their first appearance; each may be taken away */
    size_t cards_count;                 /* at least 1 */
};

/* The card that is there where the configuration names none. */
#define CONF_CARD_DEFAULT_NAME "default"

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
 * conf_card_free() - NULL is allowed. Returns NULL.
 */
struct conf_card *conf_card_free(struct conf_card *card);

/* How two configurations of a card differ. */
enum conf_change {
    CONF_SAME,
    CONF_OTHER_WAY, /* in how things are done: timeouts, the proxy. A Ks from before is as good as one from after */
    CONF_OTHER_KS,  /* in what a Ks is worth: the card, the BSF, the identity, the proofs that are asked for */
};

/**
 * conf_card_compare() - how @a and @b differ, by value; the names are not looked at
 */
enum conf_change conf_card_compare(const struct conf_card *a, const struct conf_card *b);

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
