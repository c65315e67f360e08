/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The rules in memory: what the loader fills, the decision walks over and a denial tells of.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "access.h"
#include "conf-file.h"
#include "names.h"
#include "pattern.h"
#include "quota.h"

struct principal_user {
    uid_t uid;
    char *name; /* as the rule has it: a name, or the number */
};

struct principal {
    char name[ACCESS_NAME_MAX + 1];
    const char *file; /* one of access->files */
    unsigned line;    /* of the section's header */
    struct principal_user *users;
    size_t users_count;
    gid_t *groups;
    size_t groups_count;
    struct naf_pattern *nafs;
    size_t nafs_count;
    struct ua_pattern *uas;
    size_t uas_count;
    struct aid_pattern *aids;
    size_t aids_count;
    struct peer_pattern *peers;
    size_t peers_count;
    uint64_t suids; /* a bit for each; of usage-constrained keys */
    struct device_app_hash hash; /* length 0: none */
    bool aid_pin;
    struct quota quota;
    bool manage;
    bool named; /* has a User= or Group=, though it may be unknown */
};

struct access {
    char *source; /* the directory, for messages */
    char **files;
    size_t files_count;
    struct local_names names; /* for denials */
    struct principal *principals;
    size_t principals_count;
};

/**
 * principal_set() - one assignment of a principal's section
 *
 * Return: 0; -EINVAL, or what the name service returns, with file and line in @failure; -ENOMEM.
 */
int principal_set(struct principal *principal, const struct conf_line *line,
                  struct failure *failure);

void principal_done(struct principal *principal);

bool principal_is(const struct principal *principal, const struct access_caller *caller);
bool principal_has_naf(const struct principal *principal, const char *naf_fqdn, size_t length);
bool principal_has_ua(const struct principal *principal,
                      const uint8_t ua_protocol[UA_PROTOCOL_LENGTH]);
bool principal_has_peer(const struct principal *principal, const char *peer, size_t length);
bool principal_has_suid(const struct principal *principal, unsigned suid);
bool principal_has_aid(const struct principal *principal, const uint8_t *aid, size_t length);

/* What a caller wants: the key of a NAF or of an enrolment, an application on the card, or with none to manage the agent. */
struct wish {
    const char *naf_fqdn;
    const uint8_t *ua_protocol;
    const uint8_t *aid;
    size_t aid_length;
    const char *peer; /* an enrolment target */
    unsigned suid;    /* of its usage-constrained key; 0 for Km or Kpsa */
};

/**
 * denial_tell() - ACCESS_E_DENIED with who, what, which rule and the remedy in @failure
 */
int denial_tell(const struct access *access, const struct access_caller *caller,
                const struct wish *wish, struct failure *failure);

/**
 * denial_tell_closed() - likewise for an AID that no rule can grant
 */
int denial_tell_closed(const struct access *access, const struct access_caller *caller,
                       const struct wish *wish, struct failure *failure);

/**
 * denial_tell_quota() - ACCESS_E_QUOTA: @principal grants @wish, but not so often
 */
int denial_tell_quota(const struct access *access, const struct access_caller *caller,
                      const struct wish *wish, const struct principal *principal,
                      struct failure *failure);
