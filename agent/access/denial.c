/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Why not, in words.
 *
 * A denial names the caller, the wish, the rule that comes nearest and what to write into it. Only rules that match
 * the caller are told of: nobody learns here what others may have. Each part has a share of the text, so that a long
 * name cannot push the remedy out.
 */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aid.h"
#include "rules.h"
#include "util.h"

#define ROOM_CALLER 35u /* of a user's name */
#define ROOM_NAF    64u /* of a NAF's name */
#define ROOM_PLACE  60u /* of a file's path */
#define ROOM_REMEDY 90u /* kept free while patterns are listed */

struct text {
    char buffer[FAILURE_TEXT_MAX];
    size_t used;
};

/* Where to cut @text so that at most @size octets stay and no character is torn. */
static size_t cut(const char *text, size_t size) {
    size_t length = strnlen(text, size + 1);

    if (length <= size)
        return length;
    for (length = size; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    return length;
}

_printf_(2, 3) static void add(struct text *text, const char *format, ...) {
    size_t room = sizeof(text->buffer) - text->used;
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text->buffer + text->used, room, format, ap);
    va_end(ap);
    if (n > 0)
        text->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* The start of @name, with "..." where something is left out. */
static void add_start(struct text *text, const char *name, size_t size) {
    size_t length = cut(name, size);

    add(text, "%.*s%s", (int)length, name, name[length] ? "..." : "");
}

/* "FILE:LINE", of which the end tells more than the start. */
static void add_place(struct text *text, const struct principal *principal) {
    size_t length = strlen(principal->file), skip = 0;

    if (length > ROOM_PLACE)
        skip = cut(principal->file, length - ROOM_PLACE);
    add(text, "(%s%s:%u)", skip ? "..." : "", principal->file + skip, principal->line);
}

/* As a rule calls the caller, or else as /etc/passwd did when the rules were read. */
static const char *find_name(const struct access *access, uid_t uid) {
    for (size_t i = 0; i < access->principals_count; i++) {
        const struct principal *principal = &access->principals[i];

        for (size_t j = 0; j < principal->users_count; j++) {
            const struct principal_user *user = &principal->users[j];

            if (user->uid == uid && user->name[strspn(user->name, "0123456789")] != '\0')
                return user->name;
        }
    }
    return local_names_find(&access->names, uid);
}

static void add_caller(struct text *text, const struct access *access,
                       const struct access_caller *caller) {
    const char *name = find_name(access, caller->uid);

    if (!name) {
        add(text, "uid %u", (unsigned)caller->uid);
        return;
    }
    add(text, "user ");
    add_start(text, name, ROOM_CALLER);
    add(text, " (uid %u)", (unsigned)caller->uid);
}

static void add_aid(struct text *text, const struct wish *wish) {
    char hex[2 * AID_MAX + 1];
    size_t length = wish->aid_length < AID_MAX ? wish->aid_length : AID_MAX;

    hex_encode(wish->aid, length, hex);
    for (char *p = hex; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    add(text, length > 0 ? "the card's application " : "the card's default application");
    add(text, "%s%s", hex, length < wish->aid_length ? "..." : "");
}

static void add_wish(struct text *text, const struct wish *wish) {
    char hex[2 * UA_PROTOCOL_LENGTH + 1];

    if (wish->aid) {
        add(text, "reach ");
        add_aid(text, wish);
        return;
    }
    if (wish->peer) {
        add(text, wish->suid ? "have the key of SUID %u with " : "have keys with ", wish->suid);
        add_start(text, wish->peer, ROOM_NAF);
        return;
    }
    if (!wish->naf_fqdn) {
        add(text, "manage the agent");
        return;
    }
    hex_encode(wish->ua_protocol, UA_PROTOCOL_LENGTH, hex);
    add(text, "have ");
    add_start(text, wish->naf_fqdn, ROOM_NAF);
    add(text, " for Ua %s", hex);
}

/* One more of a list, unless it would take the remedy's room. Returns whether there was room. */
static bool add_item(struct text *text, const char *item) {
    if (text->used + strlen(item) + 5 + ROOM_REMEDY > sizeof(text->buffer)) {
        add(text, " ...");
        return false;
    }
    add(text, " %s", item);
    return true;
}

static void add_nafs(struct text *text, const struct principal *principal) {
    add(text, "grants NAF");
    for (size_t i = 0; i < principal->nafs_count; i++)
        if (!add_item(text, principal->nafs[i].text))
            break;
    if (principal->nafs_count == 0)
        add(text, " none");
    add(text, "; add it to NafFqdn= there and reload keystrapd");
}

static void add_uas(struct text *text, const struct principal *principal) {
    add(text, "grants it for Ua");
    for (size_t i = 0; i < principal->uas_count; i++)
        if (!add_item(text, principal->uas[i].text))
            break;
    if (principal->uas_count == 0)
        add(text, " none");
    add(text, "; add that Ua to UaProtocol= there and reload keystrapd");
}

static void add_aids(struct text *text, const struct principal *principal) {
    add(text, "grants Aid");
    for (size_t i = 0; i < principal->aids_count; i++)
        if (!add_item(text, principal->aids[i].text))
            break;
    if (principal->aids_count == 0)
        add(text, " none");
    add(text, "; add it to Aid= there and reload keystrapd");
}

static void add_suids(struct text *text, const struct principal *principal) {
    char number[12];

    add(text, "grants of its keys those of SUID");
    for (unsigned suid = 0; suid < 64; suid++) {
        if ((principal->suids >> suid & 1) == 0)
            continue;
        (void)snprintf(number, sizeof(number), "%u", suid);
        if (!add_item(text, number))
            break;
    }
    if (principal->suids == 0)
        add(text, " none");
    add(text, "; add that SUID to Suid= there and reload keystrapd");
}

static void add_peers(struct text *text, const struct principal *principal,
                      const struct wish *wish) {
    if (principal_has_peer(principal, wish->peer, strlen(wish->peer))) {
        add_suids(text, principal);
        return;
    }
    add(text, "grants Peer");
    for (size_t i = 0; i < principal->peers_count; i++)
        if (!add_item(text, principal->peers[i].text))
            break;
    if (principal->peers_count == 0)
        add(text, " none");
    add(text, "; add it to Peer= there and reload keystrapd");
}

/* The principal that lacks least: one that grants the name if there is one, else the first that is the caller. */
static const struct principal *nearest(const struct access *access,
                                       const struct access_caller *caller, const struct wish *wish,
                                       size_t *ret_count) {
    const struct principal *first = NULL, *near = NULL;

    *ret_count = 0;
    for (size_t i = 0; i < access->principals_count; i++) {
        const struct principal *principal = &access->principals[i];

        if (!principal_is(principal, caller))
            continue;
        (*ret_count)++;
        if (!first)
            first = principal;
        if (!near && wish->naf_fqdn &&
            principal_has_naf(principal, wish->naf_fqdn, strlen(wish->naf_fqdn)))
            near = principal;
        if (!near && wish->peer && principal_has_peer(principal, wish->peer, strlen(wish->peer)))
            near = principal;
    }
    return near ? near : first;
}

static void add_rule(struct text *text, const struct principal *principal, const struct wish *wish,
                     size_t matching) {
    add(text, "principal \"%s\" ", principal->name);
    add_place(text, principal);
    if (matching > 1)
        add(text, ", nearest of %zu,", matching);
    add(text, " ");
    if (wish->aid)
        add_aids(text, principal);
    else if (wish->peer)
        add_peers(text, principal, wish);
    else if (!wish->naf_fqdn)
        add(text, "has no Manage=yes; add it there and reload keystrapd");
    else if (principal_has_naf(principal, wish->naf_fqdn, strlen(wish->naf_fqdn)))
        add_uas(text, principal);
    else
        add_nafs(text, principal);
}

int denial_tell(const struct access *access, const struct access_caller *caller,
                const struct wish *wish, struct failure *failure) {
    const struct principal *principal;
    struct text text = {0};
    size_t matching;

    add_caller(&text, access, caller);
    add(&text, " may not ");
    add_wish(&text, wish);
    add(&text, ": ");
    principal = nearest(access, caller, wish, &matching);
    if (principal) {
        add_rule(&text, principal, wish, matching);
    } else {
        add(&text, "no principal in ");
        add_start(&text, access->source, ROOM_PLACE);
        add(&text, " matches; add one with User= or Group= and reload keystrapd");
    }
    return failure_set(failure, ACCESS_E_DENIED, "%s", text.buffer);
}

int denial_tell_closed(const struct access *access, const struct access_caller *caller,
                       const struct wish *wish, struct failure *failure) {
    const char *name = aid_name(wish->aid, wish->aid_length);
    struct text text = {0};

    add_caller(&text, access, caller);
    add(&text, " may not ");
    add_wish(&text, wish);
    if (wish->aid_length == 0)
        add(&text, ": which one that is the card decides; name one by its AID");
    else if (wish->aid_length < AID_MIN || wish->aid_length > AID_MAX)
        add(&text, ": an AID has %u to %u octets, not %zu; give one in full", AID_MIN, AID_MAX,
            wish->aid_length);
    else
        add(&text,
            ": that can be the %s, which is never open, whatever rules say; use "
            "DeriveNafKey for keys",
            name);
    return failure_set(failure, ACCESS_E_DENIED, "%s", text.buffer);
}

int denial_tell_quota(const struct access *access, const struct access_caller *caller,
                      const struct wish *wish, const struct principal *principal,
                      struct failure *failure) {
    uint64_t wait_usec = quota_wait_usec(&principal->quota);
    struct text text = {0};

    add_caller(&text, access, caller);
    add(&text, " may ");
    add_wish(&text, wish);
    add(&text, ", but principal \"%s\" ", principal->name);
    add_place(&text, principal);
    add(&text, " has had its KeysPerMinute=%llu; the next is free in %llu ms",
        (unsigned long long)principal->quota.per_minute,
        (unsigned long long)((wait_usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    return failure_set(failure, ACCESS_E_QUOTA, "%s", text.buffer);
}
