/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One principal: who it is and what it may have.
 *
 * Names of users and groups become numbers when the rule is read, so that a decision asks nobody: a directory
 * service that hangs must not hold up the event loop. A user who is created later is known after a reload.
 */

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "rules.h"
#include "util.h"

#define BLANK " \t"

static int refuse(const struct conf_line *line, const char *word, const char *wrong,
                  struct failure *failure) {
    char quoted[72];

    shorten(word, 64, quoted, sizeof(quoted));
    return failure_set(failure, -EINVAL, "%s:%u: %s=%s: %s", line->file, line->line, line->key,
                       quoted, wrong);
}

/* @array with room for one more element of @size, of at most @max. The old pointer is gone on success. */
static int grow(void *array, size_t count, size_t size, size_t max, const struct conf_line *line,
                void **ret, struct failure *failure) {
    void *longer = NULL;

    if (count >= max)
        return failure_set(failure, -EINVAL, "%s:%u: %s=: more than %zu in one principal",
                           line->file, line->line, line->key, max);
    longer = reallocarray(array, count + 1, size);
    if (!longer)
        return -ENOMEM;
    *ret = longer;
    return 0;
}

/* A number as it stands; the last one means "nobody" to the kernel. Returns whether @word is one at all. */
static bool parse_id(const char *word, uint32_t *ret) {
    uint64_t n = 0;

    if (word[0] == '\0' || word[strspn(word, "0123456789")] != '\0' || strlen(word) > 10)
        return false;
    for (const char *p = word; *p; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    if (n >= UINT32_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

/* Users or groups: their name in a message, and who knows the number of one. */
struct name_space {
    const char *what;
    /* As getpwnam_r(3): 0 with *@ret_found; or an errno, which may mean just that there is none. */
    int (*look_up)(const char *word, char *buffer, size_t size, uint32_t *ret, bool *ret_found);
};

static int look_up_user(const char *word, char *buffer, size_t size, uint32_t *ret,
                        bool *ret_found) {
    struct passwd pw, *found = NULL;
    int r = getpwnam_r(word, &pw, buffer, size, &found);

    if (found)
        *ret = found->pw_uid;
    *ret_found = found;
    return r;
}

static int look_up_group(const char *word, char *buffer, size_t size, uint32_t *ret,
                         bool *ret_found) {
    struct group gr, *found = NULL;
    int r = getgrnam_r(word, &gr, buffer, size, &found);

    if (found)
        *ret = found->gr_gid;
    *ret_found = found;
    return r;
}

static const struct name_space users = {"user", look_up_user};
static const struct name_space groups = {"group", look_up_group};

/* What getpwnam(3) lists as "the given name was not found"; anything else means that nobody could be asked. */
static bool means_unknown(int error) {
    return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* Ask the name service. Returns 0; -ENOENT when nobody is called so; another errno when it does not know. */
static int look_up(const struct name_space *space, const char *word, uint32_t *ret) {
    size_t size = ACCESS_NSS_BUFFER_MIN;
    bool found = false;
    int r;

    do {
        _cleanup_free_ char *buffer = malloc(size);

        if (!buffer)
            return -ENOMEM;
        r = space->look_up(word, buffer, size, ret, &found);
        size *= 4;
    } while (r == ERANGE && size <= ACCESS_NSS_BUFFER_MAX);
    if (found)
        return 0;
    return means_unknown(r) ? -ENOENT : -r;
}

/*
 * The number of a user or group. An unknown one is warned of; but a name service that does not answer must not look
 * like users who are gone, or a reload while it is down would take their keys away.
 *
 * Return: 0 with *@ret_found; negative errno.
 */
static int resolve(const struct name_space *space, const char *word, const struct conf_line *line,
                   uint32_t *ret, bool *ret_found, struct failure *failure) {
    char quoted[72];
    int r;

    r = parse_id(word, ret) ? 0 : look_up(space, word, ret);
    *ret_found = r == 0;
    if (r == -ENOENT) {
        log_warning("%s:%u: %s=%s: there is no such %s; this matches nobody until keystrapd is "
                    "reloaded with that %s there",
                    line->file, line->line, line->key, word, space->what, space->what);
        return 0;
    }
    if (r == 0 || r == -ENOMEM)
        return r;
    shorten(word, 64, quoted, sizeof(quoted));
    return failure_set(failure, r,
                       "%s:%u: %s=%s: nobody can say whether there is that %s: %s; mend the name "
                       "service (nsswitch.conf), or write the number",
                       line->file, line->line, line->key, quoted, space->what, strerror(-r));
}

static int add_user(struct principal *principal, const char *word, const struct conf_line *line,
                    struct failure *failure) {
    struct principal_user user = {0};
    void *longer = NULL;
    bool found;
    int r;

    principal->named = true;
    r = resolve(&users, word, line, &user.uid, &found, failure);
    if (r < 0 || !found)
        return r;
    r = grow(principal->users, principal->users_count, sizeof(*principal->users),
             ACCESS_MEMBERS_MAX, line, &longer, failure);
    if (r < 0)
        return r;
    principal->users = longer;
    user.name = strdup(word);
    if (!user.name)
        return -ENOMEM;
    principal->users[principal->users_count++] = user;
    return 0;
}

static int add_group(struct principal *principal, const char *word, const struct conf_line *line,
                     struct failure *failure) {
    void *longer = NULL;
    bool found;
    gid_t gid;
    int r;

    principal->named = true;
    r = resolve(&groups, word, line, &gid, &found, failure);
    if (r < 0 || !found)
        return r;
    r = grow(principal->groups, principal->groups_count, sizeof(*principal->groups),
             ACCESS_MEMBERS_MAX, line, &longer, failure);
    if (r < 0)
        return r;
    principal->groups = longer;
    principal->groups[principal->groups_count++] = gid;
    return 0;
}

static int add_naf(struct principal *principal, const char *word, const struct conf_line *line,
                   struct failure *failure) {
    struct naf_pattern pattern = {0};
    const char *wrong;
    void *longer = NULL;
    int r;

    r = grow(principal->nafs, principal->nafs_count, sizeof(*principal->nafs), ACCESS_PATTERNS_MAX,
             line, &longer, failure);
    if (r < 0)
        return r;
    principal->nafs = longer;
    r = naf_pattern_init(&pattern, word, &wrong);
    if (r == -EINVAL)
        return refuse(line, word, wrong, failure);
    if (r < 0)
        return r;
    principal->nafs[principal->nafs_count++] = pattern;
    return 0;
}

static int add_ua(struct principal *principal, const char *word, const struct conf_line *line,
                  struct failure *failure) {
    const char *wrong;
    void *longer = NULL;
    int r;

    r = grow(principal->uas, principal->uas_count, sizeof(*principal->uas), ACCESS_PATTERNS_MAX,
             line, &longer, failure);
    if (r < 0)
        return r;
    principal->uas = longer;
    r = ua_pattern_init(&principal->uas[principal->uas_count], word, &wrong);
    if (r < 0)
        return refuse(line, word, wrong, failure);
    principal->uas_count++;
    return 0;
}

static int add_aid(struct principal *principal, const char *word, const struct conf_line *line,
                   struct failure *failure) {
    const char *wrong;
    void *longer = NULL;
    int r;

    r = grow(principal->aids, principal->aids_count, sizeof(*principal->aids), ACCESS_PATTERNS_MAX,
             line, &longer, failure);
    if (r < 0)
        return r;
    principal->aids = longer;
    r = aid_pattern_init(&principal->aids[principal->aids_count], word, &wrong);
    if (r < 0)
        return refuse(line, word, wrong, failure);
    principal->aids_count++;
    return 0;
}

static int add_peer(struct principal *principal, const char *word, const struct conf_line *line,
                    struct failure *failure) {
    const char *wrong;
    void *longer = NULL;
    int r;

    r = grow(principal->peers, principal->peers_count, sizeof(*principal->peers),
             ACCESS_PATTERNS_MAX, line, &longer, failure);
    if (r < 0)
        return r;
    principal->peers = longer;
    r = peer_pattern_init(&principal->peers[principal->peers_count], word, &wrong);
    if (r < 0)
        return refuse(line, word, wrong, failure);
    principal->peers_count++;
    return 0;
}

static int add_suid(struct principal *principal, const char *word, const struct conf_line *line,
                    struct failure *failure) {
    uint32_t suid;

    if (strcmp(word, "*") == 0) {
        principal->suids = UINT64_MAX;
        return 0;
    }
    if (!parse_id(word, &suid) || suid < 10 || suid > 45)
        return refuse(line, word, "allowed: 10 to 45 (m2m:suid), or \"*\"", failure);
    principal->suids |= UINT64_C(1) << suid;
    return 0;
}

static void clear_users(struct principal *principal) {
    for (size_t i = 0; i < principal->users_count; i++)
        free(principal->users[i].name);
    principal->users_count = 0;
}

static void clear_groups(struct principal *principal) {
    principal->groups_count = 0;
}

static void clear_nafs(struct principal *principal) {
    for (size_t i = 0; i < principal->nafs_count; i++)
        naf_pattern_done(&principal->nafs[i]);
    principal->nafs_count = 0;
}

static void clear_uas(struct principal *principal) {
    principal->uas_count = 0;
}

static void clear_aids(struct principal *principal) {
    principal->aids_count = 0;
}

static void clear_peers(struct principal *principal) {
    principal->peers_count = 0;
}

static void clear_suids(struct principal *principal) {
    principal->suids = 0;
}

void principal_done(struct principal *principal) {
    clear_users(principal);
    clear_nafs(principal);
    free(principal->users);
    free(principal->groups);
    free(principal->nafs);
    free(principal->uas);
    free(principal->aids);
    free(principal->peers);
}

/* The keys whose value is a list of words. */
static const struct list_key {
    const char *name;
    int (*add)(struct principal *principal, const char *word, const struct conf_line *line,
               struct failure *failure);
    void (*clear)(struct principal *principal);
} list_keys[] = {
    {"User", add_user, clear_users},  {"Group", add_group, clear_groups},
    {"NafFqdn", add_naf, clear_nafs}, {"UaProtocol", add_ua, clear_uas},
    {"Aid", add_aid, clear_aids},     {"Peer", add_peer, clear_peers},
    {"Suid", add_suid, clear_suids},
};

static int set_list(struct principal *principal, const struct list_key *key,
                    const struct conf_line *line, struct failure *failure) {
    _cleanup_free_ char *copy = strdup(line->value);
    char *state = NULL;
    int r = 0;

    if (!copy)
        return -ENOMEM;
    if (copy[0] == '\0')
        key->clear(principal);
    for (char *word = strtok_r(copy, BLANK, &state); word && r == 0;
         word = strtok_r(NULL, BLANK, &state))
        r = key->add(principal, word, line, failure);
    return r;
}

static int set_quota(struct principal *principal, const struct conf_line *line,
                     struct failure *failure) {
    uint32_t n = ACCESS_KEYS_PER_MINUTE_DEFAULT;

    if (strcasecmp(line->value, "infinity") == 0) {
        quota_init(&principal->quota, QUOTA_UNLIMITED, now_usec());
        return 0;
    }
    if (line->value[0] != '\0' &&
        (!parse_id(line->value, &n) || n < 1 || n > ACCESS_KEYS_PER_MINUTE_MAX))
        return refuse(line, line->value, "allowed: 1 to 1000000, or infinity", failure);
    quota_init(&principal->quota, n, now_usec());
    return 0;
}

static int set_hash(struct principal *principal, const struct conf_line *line,
                    struct failure *failure) {
    struct device_app_hash hash = {0};

    if (line->value[0] != '\0' &&
        (hex_decode(line->value, hash.value, sizeof(hash.value), &hash.length) < 0 ||
         (hash.length != 20 && hash.length != 32)))
        return refuse(line, line->value, "allowed: 40 hex digits (SHA-1) or 64 (SHA-256)", failure);
    principal->hash = hash;
    return 0;
}

static int set_bool(bool *target, const struct conf_line *line, struct failure *failure) {
    int yes = line->value[0] == '\0' ? 0 : conf_bool_parse(line->value);

    if (yes < 0)
        return refuse(line, line->value, "allowed: yes or no", failure);
    *target = yes;
    return 0;
}

static void warn_key(const struct conf_line *line) {
    static const char *const names[] = {"User",   "Group",  "NafFqdn",       "UaProtocol",
                                        "Aid",    "AidPin", "DeviceAppHash", "KeysPerMinute",
                                        "Manage", "Peer",   "Suid",          NULL};
    const char *meant = conf_suggest(line->key, names);

    log_warning("%s:%u: unknown key %s= in [%s]; ignored%s%s%s", line->file, line->line, line->key,
                line->section, meant ? "; did you mean " : "", meant ? meant : "",
                meant ? "=?" : "");
}

int principal_set(struct principal *principal, const struct conf_line *line,
                  struct failure *failure) {
    for (size_t i = 0; i < ELEMENTS(list_keys); i++)
        if (strcmp(line->key, list_keys[i].name) == 0)
            return set_list(principal, &list_keys[i], line, failure);
    if (strcmp(line->key, "KeysPerMinute") == 0)
        return set_quota(principal, line, failure);
    if (strcmp(line->key, "Manage") == 0)
        return set_bool(&principal->manage, line, failure);
    if (strcmp(line->key, "AidPin") == 0)
        return set_bool(&principal->aid_pin, line, failure);
    if (strcmp(line->key, "DeviceAppHash") == 0)
        return set_hash(principal, line, failure);
    warn_key(line);
    return 0;
}

bool principal_is(const struct principal *principal, const struct access_caller *caller) {
    for (size_t i = 0; i < principal->users_count; i++)
        if (principal->users[i].uid == caller->uid)
            return true;
    for (size_t i = 0; i < principal->groups_count; i++)
        for (size_t j = 0; j < caller->groups_count; j++)
            if (principal->groups[i] == caller->groups[j])
                return true;
    return false;
}

bool principal_has_naf(const struct principal *principal, const char *naf_fqdn, size_t length) {
    for (size_t i = 0; i < principal->nafs_count; i++)
        if (naf_pattern_matches(&principal->nafs[i], naf_fqdn, length))
            return true;
    return false;
}

bool principal_has_ua(const struct principal *principal,
                      const uint8_t ua_protocol[UA_PROTOCOL_LENGTH]) {
    for (size_t i = 0; i < principal->uas_count; i++)
        if (ua_pattern_matches(&principal->uas[i], ua_protocol))
            return true;
    return false;
}

bool principal_has_aid(const struct principal *principal, const uint8_t *aid, size_t length) {
    for (size_t i = 0; i < principal->aids_count; i++)
        if (aid_pattern_matches(&principal->aids[i], aid, length))
            return true;
    return false;
}

bool principal_has_peer(const struct principal *principal, const char *peer, size_t length) {
    for (size_t i = 0; i < principal->peers_count; i++)
        if (peer_pattern_matches(&principal->peers[i], peer, length))
            return true;
    return false;
}

bool principal_has_suid(const struct principal *principal, unsigned suid) {
    return suid == 0 || (suid < 64 && (principal->suids >> suid & 1) != 0);
}
