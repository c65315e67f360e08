/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Loading the rules.
 *
 * All or nothing: the first bad value ends the loading. A rule that can never grant anything is pointed out, because
 * whoever wrote it meant something by it.
 */

#include <errno.h>
#include <string.h>

#include "log.h"
#include "rules.h"
#include "util.h"

#define PREFIX "Principal "

struct loader {
    struct access *access;
    struct principal *current; /* NULL in a section that is not a principal's */
};

static int keep_file(struct access *access, const char *file, const char **ret) {
    char **longer;

    if (access->files_count == 0 || strcmp(access->files[access->files_count - 1], file) != 0) {
        longer = reallocarray(access->files, access->files_count + 1, sizeof(*longer));
        if (!longer)
            return -ENOMEM;
        access->files = longer;
        longer[access->files_count] = strdup(file);
        if (!longer[access->files_count])
            return -ENOMEM;
        access->files_count++;
    }
    *ret = access->files[access->files_count - 1];
    return 0;
}

static int check_name(const struct access *access, const char *name, const struct conf_line *line,
                      struct failure *failure) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "._-");

    if (length == 0 || length > ACCESS_NAME_MAX || name[length] != '\0')
        return failure_set(failure, -EINVAL,
                           "%s:%u: [%s]: the name of a principal is 1 to %u of A-Z a-z 0-9 . _ -",
                           line->file, line->section_line, line->section, ACCESS_NAME_MAX);
    for (size_t i = 0; i < access->principals_count; i++)
        if (strcmp(access->principals[i].name, name) == 0)
            return failure_set(failure, -EINVAL,
                               "%s:%u: [%s]: there is one at %s:%u already; put both into one, or "
                               "give this one another name",
                               line->file, line->section_line, line->section,
                               access->principals[i].file, access->principals[i].line);
    if (access->principals_count >= ACCESS_PRINCIPALS_MAX)
        return failure_set(failure, -EINVAL, "%s:%u: [%s]: more than %u principals", line->file,
                           line->section_line, line->section, ACCESS_PRINCIPALS_MAX);
    return 0;
}

static int open_principal(struct loader *loader, const char *name, const struct conf_line *line,
                          struct failure *failure) {
    struct access *access = loader->access;
    struct principal *longer, *principal;
    int r;

    r = check_name(access, name, line, failure);
    if (r < 0)
        return r;
    longer = reallocarray(access->principals, access->principals_count + 1, sizeof(*longer));
    if (!longer)
        return -ENOMEM;
    access->principals = longer;
    principal = &longer[access->principals_count];
    *principal = (struct principal){.line = line->section_line};
    (void)snprintf(principal->name, sizeof(principal->name), "%s", name);
    quota_init(&principal->quota, ACCESS_KEYS_PER_MINUTE_DEFAULT, now_usec());
    r = keep_file(access, line->file, &principal->file);
    if (r < 0)
        return r;
    access->principals_count++;
    loader->current = principal;
    return 0;
}

static int open_section(struct loader *loader, const struct conf_line *line,
                        struct failure *failure) {
    loader->current = NULL;
    if (strncmp(line->section, PREFIX, strlen(PREFIX)) == 0)
        return open_principal(loader, line->section + strlen(PREFIX), line, failure);
    if (line->section_line == 0)
        log_warning("%s:%u: %s= stands before the first [Principal NAME]; ignored", line->file,
                    line->line, line->key);
    else
        log_warning("%s:%u: unknown section [%s]; ignored; only [Principal NAME] is known",
                    line->file, line->section_line, line->section);
    return 0;
}

static int take_line(const struct conf_line *line, void *userdata, struct failure *failure) {
    struct loader *loader = userdata;
    int r = 0;

    if (line->opens)
        r = open_section(loader, line, failure);
    if (r < 0 || !loader->current)
        return r;
    return principal_set(loader->current, line, failure);
}

static void warn_useless(const struct principal *principal) {
    const char *lacks = NULL;

    if (!principal->named)
        lacks = "has neither User= nor Group=; it matches nobody";
    else if (principal->nafs_count > 0 && principal->uas_count == 0)
        lacks = "has NafFqdn= but no UaProtocol=; it grants no key";
    else if (principal->uas_count > 0 && principal->nafs_count == 0)
        lacks = "has UaProtocol= but no NafFqdn=; it grants no key";
    else if (principal->aids_count == 0 && (principal->aid_pin || principal->hash.length > 0))
        lacks = "has AidPin= or DeviceAppHash= but no Aid=; they mean nothing";
    else if (principal->peers_count == 0 && principal->suids != 0)
        lacks = "has Suid= but no Peer=; it means nothing";
    else if (principal->nafs_count == 0 && principal->aids_count == 0 &&
             principal->peers_count == 0 && !principal->manage)
        lacks = "grants nothing";
    if (lacks)
        log_warning("%s:%u: [Principal %s] %s", principal->file, principal->line, principal->name,
                    lacks);
}

static int new_loader(const char *source, struct loader *loader) {
    struct access *access = calloc(1, sizeof(*access));

    if (!access)
        return -ENOMEM;
    loader->access = access;
    access->source = strdup(source);
    return access->source ? local_names_load(&access->names) : -ENOMEM;
}

/* Whatever went wrong without words gets some here. */
static int finish(struct loader *loader, int r, const char *what, struct access **ret,
                  struct failure *failure) {
    _cleanup_access_ struct access *access = loader->access;

    if (r < 0)
        return failure_set(failure, r, "%s: cannot be loaded: %s", what, strerror(-r));
    for (size_t i = 0; i < access->principals_count; i++)
        warn_useless(&access->principals[i]);
    *ret = TAKE_PTR(access);
    return 0;
}

int access_parse(const char *file, const char *text, size_t length, struct access **ret,
                 struct failure *failure) {
    struct loader loader = {0};
    int r;

    r = new_loader(file, &loader);
    if (r == 0)
        r = conf_text_parse(file, text, length, take_line, &loader, failure);
    return finish(&loader, r, file, ret, failure);
}

int access_load(const char *directory, struct access **ret, struct failure *failure) {
    struct loader loader = {0};
    int r;

    r = new_loader(directory, &loader);
    if (r == 0)
        r = conf_directory_parse(directory, CONF_TRUST_REFUSE, take_line, &loader, failure);
    return finish(&loader, r, directory, ret, failure);
}

struct access *access_free(struct access *access) {
    if (!access)
        return NULL;
    for (size_t i = 0; i < access->principals_count; i++)
        principal_done(&access->principals[i]);
    free(access->principals);
    for (size_t i = 0; i < access->files_count; i++)
        free(access->files[i]);
    free(access->files);
    local_names_done(&access->names);
    free(access->source);
    free(access);
    return NULL;
}
