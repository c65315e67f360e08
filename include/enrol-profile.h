/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Enrolment profiles: enrol.d/NAME.conf, one file for each.
 *
 * A profile says with which MEF and for which target the gateway enrols, and by which methods, the best first. It is checked
 * as a whole when it is loaded. Where a credential is not a file, it is "credential:NAME", one of systemd's, or, for a
 * private key, the URI of a secure environment ("pkcs11:...").
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "keystrap-limits.h"
#include "onem2m.h"
#include "outcome.h"
#include "peer-certificate.h"

enum enrol_method {
    ENROL_GBA,
    ENROL_CERTIFICATE,
    ENROL_PSK,
};
#define ENROL_METHODS 3u

/* AfterRefusal= */
enum enrol_after_refusal {
    ENROL_REFUSED_STOP, /* somebody who knows us said no: that is not gone around */
    ENROL_REFUSED_NEXT,
};

struct enrol_profile {
    char name[PROFILE_NAME_MAX + 1];

    /* As written, for what is read into something else below. */
    char *methods_text, *ua_protocol_text;
    char **peer_roots_text; /* NULL-terminated or NULL */

    /* [Enrolment] */
    enum enrol_method methods[ENROL_METHODS]; /* Methods=gba certificate psk */
    size_t methods_count;
    int after_refusal; /* AfterRefusal=stop: enum enrol_after_refusal */
    char *mef; /* Mef=: https://HOST[:PORT][/PATH] or coaps://...; NULL with Methods=gba alone */
    char *mef_fqdn;   /* host of Mef= */
    char *connect_to; /* ConnectTo=HOST:PORT */
    char *target;     /* Target=: MAF-ID, or CSE-ID or AE-ID of an Enrolee B */
    enum onem2m_target target_kind;
    char *target_fqdn; /* TargetFqdn=: FQDN representation of an Enrolee B's identifier, for 10.3.7 and for GBA;
                                      NULL with a MAF: target is one */
    char *identity;       /* Identity=: our own AE-ID or CSE-ID; X-M2M-Origin */
    char *admin_fqdn;     /* AdminFqdn=: the stakeholder; NULL for the MEF's */
    char *labels;         /* Labels=: words, for the registration; NULL */
    int derivation;       /* Derivation=usage-constrained: enum onem2m_derivation; or release-1 */
    uint64_t suid;        /* Suid=21: 21 to 25 */
    uint64_t expiry_usec; /* ExpirySec=31536000: Enrolment Expiry at the most */
    char *suites;         /* CipherSuites=: OpenSSL's words; NULL for the method's own */
    int exchange;         /* Exchange=resources: enum mef_exchange; or indications, the older one */
    bool commands;        /* Commands=no: ask the MEF for client commands after registration */
    uint64_t connect_timeout_usec; /* ConnectTimeoutSec=10 */
    uint64_t request_timeout_usec; /* RequestTimeoutSec=30 */

    /* [Psk] */
    char *kpm_id; /* KpmId= */
    char *kpm;    /* Kpm=: path or credential:NAME, raw octets, or hex after "hex:" */

    /* [Certificate] */
    char *certificate; /* Certificate=: path or credential:NAME; PEM, our own first */
    char *private_key; /* PrivateKey=: path, credential:NAME or pkcs11: */
    char *private_key_pin; /* PrivateKeyPin=: path or credential:NAME */
    int peer_flavour;  /* PeerFlavour=fqdn: enum peer_flavour */
    char *peer_name;   /* PeerName=: NULL for the MEF's FQDN */
    struct peer_root peer_roots[PEER_ROOTS_MAX]; /* PeerRoot=, may be repeated */
    size_t peer_roots_count;
    char *trust_anchors; /* TrustAnchors=: PEM file */
    char *crl;           /* Crl=: PEM file */
    bool ocsp_required;  /* RequireOcsp=no */
    bool provision;      /* Provision=no: get a certificate by EST, and renew it */
    char *est;           /* Est=: base URI; NULL for https://MEF/.well-known/est */

    /* [Token] */
    char *token; /* Token=: path or credential:NAME */

    /* [Gba] */
    char *uicc;                              /* Uicc=: name of a card; NULL for the first usable */
    uint8_t ua_protocol[UA_PROTOCOL_LENGTH]; /* UaProtocol=01000100ae */
};

/* Exchange= */
enum mef_exchange {
    MEF_RESOURCES,   /* TS-0003 8.3.5.2: registration, keys, commands */
    MEF_INDICATIONS, /* TS-0003 8.3.2.1, Release 1: POST of indications */
};

struct enrol_profiles {
    struct enrol_profile *profiles[ENROL_PROFILES_MAX]; /* in the order of their names */
    size_t count;
};

/**
 * enrol_profiles_load() - every NAME.conf in @directory/enrol.d
 *
 * NAME is 1 to PROFILE_NAME_MAX of a-z 0-9 -. Unknown sections and keys are warnings with file and line.
 *
 * Return: 0; -EINVAL with file, line, key and what would be right in @failure; another errno.
 */
int enrol_profiles_load(const char *directory, struct enrol_profiles *ret, struct failure *failure);

/**
 * enrol_profiles_done() - release what is in it
 */
void enrol_profiles_done(struct enrol_profiles *profiles);

/**
 * enrol_profile_parse() - one profile from @length octets at @text, which messages call @file
 */
int enrol_profile_parse(const char *name, const char *file, const char *text, size_t length,
                        struct enrol_profile **ret, struct failure *failure);

/* One value that did not come from a file: what enrol_profile_from_values() takes. All borrowed. */
struct enrol_value {
    const char *section;
    const char *key;
    const char *value;
};

/**
 * enrol_profile_from_values() - likewise, from values; an unknown section or key is -EINVAL here
 */
int enrol_profile_from_values(const char *name, const struct enrol_value *values, size_t count,
                              struct enrol_profile **ret, struct failure *failure);

/**
 * enrol_profile_free() - NULL is allowed; returns NULL
 */
struct enrol_profile *enrol_profile_free(struct enrol_profile *profile);

/**
 * enrol_profile_equal() - whether both say the same, by value; the names are not looked at
 */
bool enrol_profile_equal(const struct enrol_profile *a, const struct enrol_profile *b);

/**
 * enrol_profile_print() - every key with its value in effect, in the syntax of the file. No secret is in a profile.
 */
void enrol_profile_print(const struct enrol_profile *profile, FILE *stream);

/**
 * enrol_profile_warn() - log what in @profile is no error, but has no effect: a card that @conf does not have, a token that no
 * method presents
 */
struct conf;
void enrol_profile_warn(const struct enrol_profile *profile, const struct conf *conf);

/**
 * enrol_profile_describe() - key number @index, see conf_describe()
 */
struct conf_description;
bool enrol_profile_describe(size_t index, struct conf_description *ret);

/**
 * enrol_method_name() - "gba", "certificate", "psk"
 */
const char *enrol_method_name(enum enrol_method method);

static inline void enrol_profile_freep(struct enrol_profile **profile) {
    *profile = enrol_profile_free(*profile);
}

#define _cleanup_enrol_profile_ __attribute__((cleanup(enrol_profile_freep)))
