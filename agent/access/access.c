/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The decision.
 *
 * Asked for every key that is handed out, twenty thousand times a second when clients try: it compares numbers
 * and octets, allocates nothing, but to normalise a target's name beyond ASCII, and asks the kernel for nothing but the
 * time. Words are found only for a refusal, and without asking anybody for them.
 */

#include <string.h>

#include "aid.h"
#include "rules.h"
#include "util.h"

size_t access_principals(const struct access *access) {
    return access->principals_count;
}

static bool grants(const struct principal *principal, const struct access_caller *caller,
                   const struct wish *wish, size_t length) {
    if (wish->peer)
        return principal_is(principal, caller) &&
               principal_has_peer(principal, wish->peer, length) &&
               principal_has_suid(principal, wish->suid);
    return principal_is(principal, caller) && principal_has_ua(principal, wish->ua_protocol) &&
           principal_has_naf(principal, wish->naf_fqdn, length);
}

static int check_key(struct access *access, const struct access_caller *caller,
                     const struct wish *wish, struct failure *failure) {
    const struct principal *spent = NULL;
    size_t length = strlen(wish->peer ? wish->peer : wish->naf_fqdn);

    for (size_t i = 0; i < access->principals_count; i++) {
        struct principal *principal = &access->principals[i];

        if (!grants(principal, caller, wish, length))
            continue;
        if (quota_take(&principal->quota, now_usec()))
            return 0;
        spent = principal;
    }
    if (spent)
        return denial_tell_quota(access, caller, wish, spent, failure);
    return denial_tell(access, caller, wish, failure);
}

static int may_have_key(const struct access *access, const struct access_caller *caller,
                        const struct wish *wish, struct failure *failure) {
    size_t length = strlen(wish->peer ? wish->peer : wish->naf_fqdn);

    for (size_t i = 0; i < access->principals_count; i++)
        if (grants(&access->principals[i], caller, wish, length))
            return 0;
    return denial_tell(access, caller, wish, failure);
}

int access_check_naf(struct access *access, const struct access_caller *caller,
                     const char *naf_fqdn, const uint8_t ua_protocol[UA_PROTOCOL_LENGTH],
                     struct failure *failure) {
    const struct wish wish = {.naf_fqdn = naf_fqdn, .ua_protocol = ua_protocol};

    return check_key(access, caller, &wish, failure);
}

int access_check_peer(struct access *access, const struct access_caller *caller, const char *peer,
                      unsigned suid, struct failure *failure) {
    char normalised[NAF_FQDN_MAX + 1];
    const struct wish wish = {.peer = peer_normalise(peer, normalised), .suid = suid};

    return check_key(access, caller, &wish, failure);
}

int access_may_peer(const struct access *access, const struct access_caller *caller,
                    const char *peer, unsigned suid, struct failure *failure) {
    char normalised[NAF_FQDN_MAX + 1];
    const struct wish wish = {.peer = peer_normalise(peer, normalised), .suid = suid};

    return may_have_key(access, caller, &wish, failure);
}

int access_may_naf(const struct access *access, const struct access_caller *caller,
                   const char *naf_fqdn, const uint8_t ua_protocol[UA_PROTOCOL_LENGTH],
                   struct failure *failure) {
    const struct wish wish = {.naf_fqdn = naf_fqdn, .ua_protocol = ua_protocol};

    return may_have_key(access, caller, &wish, failure);
}

int access_check_any(const struct access *access, const struct access_caller *caller,
                     struct failure *failure) {
    for (size_t i = 0; i < access->principals_count; i++) {
        const struct principal *principal = &access->principals[i];

        if (((principal->nafs_count > 0 && principal->uas_count > 0) ||
             principal->peers_count > 0) &&
            principal_is(principal, caller))
            return 0;
    }
    return failure_set(failure, ACCESS_E_DENIED,
                       "uid %u may have no key, so it has none to speak of; add a principal with "
                       "NafFqdn= and UaProtocol=, or Peer=, to access.d and reload keystrapd",
                       (unsigned)caller->uid);
}

static void add_grant(const struct principal *principal, struct access_aid_grant *grant) {
    grant->pin |= principal->aid_pin;
    if (principal->hash.length > 0 && grant->hashes_count < ACCESS_HASHES_MAX)
        grant->hashes[grant->hashes_count++] = principal->hash;
}

int access_check_aid(const struct access *access, const struct access_caller *caller,
                     const uint8_t *aid, size_t length, struct access_aid_grant *ret,
                     struct failure *failure) {
    const struct wish wish = {.aid = aid, .aid_length = length};
    struct access_aid_grant grant = {0};
    bool granted = false;

    if (length < AID_MIN || length > AID_MAX || aid_is_subscription(aid, length))
        return denial_tell_closed(access, caller, &wish, failure);
    for (size_t i = 0; i < access->principals_count; i++) {
        const struct principal *principal = &access->principals[i];

        if (!principal_is(principal, caller) || !principal_has_aid(principal, aid, length))
            continue;
        add_grant(principal, &grant);
        granted = true;
    }
    if (!granted)
        return denial_tell(access, caller, &wish, failure);
    if (ret)
        *ret = grant;
    return 0;
}

int access_check_manage(struct access *access, const struct access_caller *caller,
                        struct failure *failure) {
    const struct wish wish = {0};

    if (caller->uid == 0)
        return 0;
    for (size_t i = 0; i < access->principals_count; i++)
        if (access->principals[i].manage && principal_is(&access->principals[i], caller))
            return 0;
    return denial_tell(access, caller, &wish, failure);
}
