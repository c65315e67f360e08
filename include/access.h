/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who may have what: the rules of access.d, and the only place that decides.
 *
 * A rule file has sections [Principal NAME]. A principal matches a caller by user or by group; it grants NAF
 * names and Ua identifiers, and may grant management. What no principal grants is denied; root is treated like
 * anybody else for keys, and may always manage.
 *
 *   [Principal meter]
 *   User=meter                         # name or number; several in one line or on several lines
 *   Group=meters
 *   NafFqdn=naf.example.com *.ims.mnc001.mcc001.pub.3gppnetwork.org
 *                                      # exact, or "*." and a suffix: one label or more in its place; "*" for any
 *   UaProtocol=0100000002 010001*      # ten hex digits, or fewer and "*"
 *   Peer=maf.example.com //sp.example* # enrolment targets whose keys: exact, or a beginning and "*"
 *   Suid=21 23                         # usages of their usage-constrained keys; "*" for any. Km and Kpsa need none
 *   Aid=A000000151000000 D27600012401*  # applications on the card: ten to 32 hex digits, or fewer and "*"
 *   AidPin=no                          # may also present and change their PINs
 *   DeviceAppHash=...                  # 40 or 64 hex digits: who it is to the access rules on the card (ARA-M)
 *   KeysPerMinute=600                  # per principal, all its callers together; "infinity" for no limit
 *   Manage=no                          # Bootstrap, Forget, Diagnose, identities in full
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "aid.h"
#include "keystrap-limits.h"
#include "outcome.h"

/* A caller as the bus daemon vouches for it. */
struct access_caller {
    uid_t uid;
    pid_t pid; /* for the log only: it may be somebody else by now. 0 where unknown */
    gid_t groups[ACCESS_GROUPS_MAX]; /* primary and supplementary */
    size_t groups_count;
};

struct access;

/**
 * access_load() - read every *.conf of @directory in the order of their names
 *
 * A directory that does not exist grants nothing. Names of users and groups are resolved now; an unknown one
 * is a warning with file and line, and matches nobody; a name service that cannot say is an error. An unknown
 * key warns; a bad value refuses. A file or directory that others than root and our own user may write is
 * refused: whoever may write rules has every key.
 *
 * Return: 0; -EINVAL with file and line in @failure; -EPERM; another errno, with file and line where the name
 * service returned it.
 */
int access_load(const char *directory, struct access **ret, struct failure *failure);

/**
 * access_parse() - as access_load(), for @length octets at @text alone, which messages call @file
 */
int access_parse(const char *file, const char *text, size_t length, struct access **ret,
                 struct failure *failure);

/**
 * access_free() - NULL is allowed. Returns NULL.
 */
struct access *access_free(struct access *access);

/**
 * access_principals() - how many principals are configured
 */
size_t access_principals(const struct access *access);

/**
 * access_check_naf() - may @caller have the key of @naf_fqdn (normalised) for @ua_protocol now?
 *
 * A granted call counts against the quota of the principal that grants it.
 *
 * Return: 0; ACCESS_E_DENIED with a text that names caller, wish and rule (the principals that match the caller
 * and what they lack, or that none matches); ACCESS_E_QUOTA.
 */
int access_check_naf(struct access *access, const struct access_caller *caller,
                     const char *naf_fqdn, const uint8_t ua_protocol[UA_PROTOCOL_LENGTH],
                     struct failure *failure);

/**
 * access_may_naf() - the same decision as access_check_naf(), but nothing is taken from a quota and a spent one
 * does not matter
 *
 * Return: 0; ACCESS_E_DENIED with the same text.
 */
int access_may_naf(const struct access *access, const struct access_caller *caller,
                   const char *naf_fqdn, const uint8_t ua_protocol[UA_PROTOCOL_LENGTH],
                   struct failure *failure);

/**
 * access_check_peer() - may @caller have keys of an enrolment with the target @peer now?
 * @peer: a MAF-ID, CSE-ID or AE-ID as the caller gives it; a MAF-ID, which is an FQDN, is taken NFKC-normalised and
 * without case
 * @suid: of a usage-constrained key; 0 for Km or Kpsa
 *
 * Counts against the quota, and returns, as access_check_naf() does.
 */
int access_check_peer(struct access *access, const struct access_caller *caller, const char *peer,
                      unsigned suid, struct failure *failure);

/**
 * access_may_peer() - likewise, without the quota; see access_may_naf()
 */
int access_may_peer(const struct access *access, const struct access_caller *caller,
                    const char *peer, unsigned suid, struct failure *failure);

/* What a right to an application on the card comes with. */
struct access_aid_grant {
    bool pin; /* may present, change and unblock PINs of the application */
    size_t hashes_count; /* 0 where no principal gives one: only rules of the card for everybody apply */
    struct device_app_hash hashes[ACCESS_HASHES_MAX];
};

/**
 * access_check_aid() - may @caller reach the application @aid of @length octets on the card?
 * @ret: from all principals that grant it; may be NULL
 *
 * AIDs that stand for the subscription, see aid_is_subscription(), are denied whatever rules say. So is what is no
 * AID: fewer than AID_MIN octets, or more than AID_MAX.
 *
 * Return: 0; ACCESS_E_DENIED with a text as access_check_naf()'s.
 */
int access_check_aid(const struct access *access, const struct access_caller *caller,
                     const uint8_t *aid, size_t length, struct access_aid_grant *ret,
                     struct failure *failure);

/**
 * access_check_any() - may @caller have any key at all? For what only makes sense with one in hand
 *
 * Return: 0; ACCESS_E_DENIED.
 */
int access_check_any(const struct access *access, const struct access_caller *caller,
                     struct failure *failure);

/**
 * access_check_manage() - may @caller manage the agent? uid 0 may; else a principal with Manage=yes
 *
 * Return: 0; ACCESS_E_DENIED.
 */
int access_check_manage(struct access *access, const struct access_caller *caller,
                        struct failure *failure);

static inline void access_freep(struct access **access) {
    *access = access_free(*access);
}

#define _cleanup_access_ __attribute__((cleanup(access_freep)))
