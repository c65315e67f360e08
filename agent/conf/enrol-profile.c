/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading enrolment profiles.
 *
 * As with keystrap.conf, a profile is whole or it is not there. Unlike that, a file that others may write is refused:
 * a profile decides whom keys are agreed on with.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "conf-file.h"
#include "enrol-table.h"
#include "log.h"
#include "util.h"

struct loader {
    const char *file; /* what messages call it */
    struct enrol_profile *profile;
    unsigned lines[64]; /* where each key of the table was set; 0: nowhere */
    bool strict;        /* what is unknown is an error */
};

static size_t find_key(const char *section, const char *name) {
    size_t i;

    for (i = 0; i < enrol_table_length; i++)
        if (strcmp(enrol_table[i].name, name) == 0 && strcmp(enrol_table[i].section, section) == 0)
            break;
    return i;
}

/* "FILE:LINE", or the file alone where a value came from none. */
static const char *place(const struct loader *loader, unsigned line, char *ret, size_t size) {
    if (line > 0)
        (void)snprintf(ret, size, "%s:%u", loader->file, line);
    else
        (void)snprintf(ret, size, "%s", loader->file);
    return ret;
}

static int refuse(const struct loader *loader, const char *section, const char *name,
                  const char *wrong, struct failure *failure) {
    const struct conf_key *key = &enrol_table[find_key(section, name)];
    char allowed[CONF_WRONG_MAX], where[CONF_PATH_MAX];

    conf_value_allowed(key, allowed, sizeof(allowed));
    return failure_set(failure, -EINVAL, "%.200s: [%s] %s=: %s; allowed: %s",
                       place(loader, loader->lines[key - enrol_table], where, sizeof(where)),
                       section, name, wrong, allowed);
}

static int unknown(const struct loader *loader, const struct conf_line *line,
                   struct failure *failure) {
    const char *words[ELEMENTS(loader->lines) + 1];
    const char *meant;
    size_t n = 0;

    if (loader->strict)
        return failure_set(failure, -EINVAL, "%s: no key %s= in [%s]", line->file, line->key,
                           line->section);
    for (size_t i = 0; i < enrol_table_length; i++)
        words[n++] = enrol_table[i].name;
    words[n] = NULL;
    meant = conf_suggest(line->key, words);
    log_warning("%s:%u: unknown key %s= in [%s]; ignored%s%s%s", line->file, line->line, line->key,
                line->section, meant ? "; did you mean " : "", meant ? meant : "",
                meant ? "=?" : "");
    return 0;
}

static int take_line(const struct conf_line *line, void *userdata, struct failure *failure) {
    struct loader *loader = userdata;
    size_t i = find_key(line->section, line->key);
    char wrong[CONF_WRONG_MAX];
    int r;

    if (i == enrol_table_length)
        return unknown(loader, line, failure);
    loader->lines[i] = line->line;
    r = conf_value_set(loader->profile, &enrol_table[i], line->value, wrong);
    return r == -EINVAL ? refuse(loader, line->section, line->key, wrong, failure) : r;
}

/* --- What values are read into ---------------------------------------------------------------------- */

static bool take_method(struct enrol_profile *profile, const char *word, size_t length) {
    for (int method = ENROL_GBA; method <= ENROL_PSK; method++) {
        const char *name = enrol_method_name((enum enrol_method)method);

        if (strlen(name) != length || strncmp(name, word, length) != 0)
            continue;
        for (size_t i = 0; i < profile->methods_count; i++)
            if ((int)profile->methods[i] == method)
                return false;
        profile->methods[profile->methods_count++] = (enum enrol_method)method;
        return true;
    }
    return false;
}

static int read_methods(struct loader *loader, struct failure *failure) {
    const char *text = loader->profile->methods_text;

    for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
        size_t length = strcspn(text, " \t");

        if (!take_method(loader->profile, text, length)) {
            char wrong[CONF_WRONG_MAX];

            (void)snprintf(wrong, sizeof(wrong), "\"%.*s\" is unknown, or stands there twice",
                           (int)length, text);
            return refuse(loader, "Enrolment", "Methods", wrong, failure);
        }
        text += length;
    }
    return 0;
}

/* The table has let nothing else through. */
static void read_roots(struct enrol_profile *profile) {
    for (size_t i = 0; profile->peer_roots_text && profile->peer_roots_text[i]; i++)
        if (i < PEER_ROOTS_MAX &&
            peer_root_parse(profile->peer_roots_text[i], &profile->peer_roots[i]) == 0)
            profile->peer_roots_count = i + 1;
}

static void read_ua(struct enrol_profile *profile) {
    size_t length;

    (void)hex_decode(profile->ua_protocol_text, profile->ua_protocol, UA_PROTOCOL_LENGTH, &length);
}

static int read_mef(struct enrol_profile *profile) {
    const char *host = profile->mef ? profile->mef + strlen("https://") : NULL;

    if (!host)
        return 0;
    profile->mef_fqdn = strndup(host, strcspn(host, ":/"));
    return profile->mef_fqdn ? 0 : -ENOMEM;
}

/* --- What no single value can tell ------------------------------------------------------------------ */

static bool has_method(const struct enrol_profile *profile, enum enrol_method method) {
    for (size_t i = 0; i < profile->methods_count; i++)
        if (profile->methods[i] == method)
            return true;
    return false;
}

static int check_target(const struct loader *loader, struct failure *failure) {
    struct enrol_profile *profile = loader->profile;

    if (!profile->target)
        return refuse(loader, "Enrolment", "Target", "it must be given", failure);
    profile->target_kind = onem2m_target_kind(profile->target);
    if (profile->target_kind == ONEM2M_TARGET_MAF && conf_wrong_host(profile->target))
        return refuse(loader, "Enrolment", "Target", conf_wrong_host(profile->target), failure);
    if (profile->target_kind == ONEM2M_TARGET_MAF && profile->target_fqdn)
        return refuse(loader, "Enrolment", "TargetFqdn", "Target= is an FQDN itself", failure);
    if (profile->target_kind == ONEM2M_TARGET_B && !profile->target_fqdn &&
        (has_method(profile, ENROL_GBA) || profile->derivation == ONEM2M_USAGE_CONSTRAINED))
        return refuse(loader, "Enrolment", "TargetFqdn",
                      "GBA and usage-constrained keys need it for an Enrolee B", failure);
    return 0;
}

static int check_psk(const struct loader *loader, struct failure *failure) {
    const struct enrol_profile *profile = loader->profile;
    bool needed = has_method(profile, ENROL_PSK) ||
                  (has_method(profile, ENROL_CERTIFICATE) && profile->provision);

    if (needed && !profile->kpm_id)
        return refuse(loader, "Psk", "KpmId", "the methods need it", failure);
    if (needed && !profile->kpm)
        return refuse(loader, "Psk", "Kpm", "the methods need it", failure);
    return 0;
}

/* Whom a certificate could never be that of is found out here, not when it comes. */
static int check_peer(const struct loader *loader, struct failure *failure) {
    const struct enrol_profile *profile = loader->profile;

    if (profile->peer_flavour == PEER_RAW_PUBLIC_KEY && profile->peer_roots_count == 0)
        return refuse(loader, "Certificate", "PeerRoot", "PeerFlavour=raw-public-key needs it",
                      failure);
    if (profile->peer_flavour == PEER_NAMED && profile->peer_roots_count == 0)
        return refuse(loader, "Certificate", "PeerRoot", "PeerFlavour=named needs it", failure);
    if (profile->peer_flavour == PEER_RAW_PUBLIC_KEY && profile->peer_name)
        return refuse(loader, "Certificate", "PeerName",
                      "a raw public key has no name; PeerRoot= says whose it is", failure);
    if (profile->peer_flavour != PEER_FQDN && profile->peer_roots_count == 0 &&
        !profile->trust_anchors)
        return refuse(loader, "Certificate", "TrustAnchors",
                      "this PeerFlavour= needs it, or PeerRoot=; nobody else may vouch", failure);
    if (profile->peer_flavour == PEER_DEVICE &&
        (!profile->peer_name || !strchr(profile->peer_name, ';')))
        return refuse(loader, "Certificate", "PeerName",
                      "PeerFlavour=device needs it, as OID;VALUE", failure);
    return 0;
}

static bool same_host(const char *url, const char *host) {
    const char *start = strstr(url, "//") + 2;
    size_t length = strcspn(start, ":/");

    return strlen(host) == length && strncasecmp(start, host, length) == 0;
}

static int check_certificate(const struct loader *loader, struct failure *failure) {
    const struct enrol_profile *profile = loader->profile;

    if (!has_method(profile, ENROL_CERTIFICATE))
        return 0;
    if (!profile->provision && !profile->certificate)
        return refuse(loader, "Certificate", "Certificate",
                      "the method certificate needs it, or Provision=yes", failure);
    if (!profile->provision && !profile->private_key)
        return refuse(loader, "Certificate", "PrivateKey", "the method certificate needs it",
                      failure);
    if (profile->est && !same_host(profile->est, profile->mef_fqdn))
        return refuse(loader, "Certificate", "Est", "another host than the MEF's", failure);
    return check_peer(loader, failure);
}

static int check_together(const struct loader *loader, struct failure *failure) {
    const struct enrol_profile *profile = loader->profile;
    bool mef = has_method(profile, ENROL_PSK) || has_method(profile, ENROL_CERTIFICATE);
    int r;

    if (profile->methods_count == 0)
        return refuse(loader, "Enrolment", "Methods", "there is none", failure);
    if (mef && !profile->mef)
        return refuse(loader, "Enrolment", "Mef", "the methods need it", failure);
    if (mef && !profile->identity)
        return refuse(loader, "Enrolment", "Identity", "the methods need it", failure);
    r = check_target(loader, failure);
    if (r == 0)
        r = check_psk(loader, failure);
    return r == 0 ? check_certificate(loader, failure) : r;
}

/* --- A profile --------------------------------------------------------------------------------------- */

static int name_check(const char *name, const char *file, struct failure *failure) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (length > 0 && length <= PROFILE_NAME_MAX && name[length] == '\0')
        return 0;
    return failure_set(failure, -EINVAL,
                       "%s: the name of a profile is 1 to %u of a-z, 0-9 and -, not \"%.40s\"",
                       file, PROFILE_NAME_MAX, name);
}

static int begin(const char *name, struct loader *loader, struct failure *failure) {
    char wrong[CONF_WRONG_MAX];
    int r;

    _Static_assert(ELEMENTS(loader->lines) >= 40, "room for a line of each key");
    r = name_check(name, loader->file, failure);
    if (r < 0)
        return r;
    loader->profile = calloc(1, sizeof(*loader->profile));
    if (!loader->profile)
        return -ENOMEM;
    (void)snprintf(loader->profile->name, sizeof(loader->profile->name), "%s", name);
    for (size_t i = 0; r == 0 && i < enrol_table_length; i++)
        r = conf_value_set(loader->profile, &enrol_table[i], "", wrong);
    return r;
}

/* Whatever went wrong without words gets some here. */
static int finish(struct loader *loader, int r, struct enrol_profile **ret,
                  struct failure *failure) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = loader->profile;

    if (r == 0)
        r = read_methods(loader, failure);
    if (r == 0) {
        read_roots(profile);
        read_ua(profile);
        r = read_mef(profile);
    }
    if (r == 0)
        r = check_together(loader, failure);
    if (r < 0)
        return failure_set(failure, r, "%s: cannot be loaded: %s", loader->file, strerror(-r));
    *ret = TAKE_PTR(profile);
    return 0;
}

int enrol_profile_parse(const char *name, const char *file, const char *text, size_t length,
                        struct enrol_profile **ret, struct failure *failure) {
    struct loader loader = {.file = file};
    int r;

    r = begin(name, &loader, failure);
    if (r == 0)
        r = conf_text_parse(file, text, length, take_line, &loader, failure);
    return finish(&loader, r, ret, failure);
}

int enrol_profile_from_values(const char *name, const struct enrol_value *values, size_t count,
                              struct enrol_profile **ret, struct failure *failure) {
    struct loader loader = {.file = "the document's profile", .strict = true};
    int r;

    r = begin(name, &loader, failure);
    for (size_t i = 0; r == 0 && i < count; i++) {
        const struct conf_line line = {.file = loader.file,
                                       .section = values[i].section,
                                       .key = values[i].key,
                                       .value = values[i].value};

        r = take_line(&line, &loader, failure);
    }
    return finish(&loader, r, ret, failure);
}

/* --- All of enrol.d ---------------------------------------------------------------------------------- */

struct directory {
    struct enrol_profiles profiles;
    struct loader loader;
    char *file; /* of the profile that is being read */
};

static int directory_end_file(struct directory *directory, struct failure *failure) {
    struct loader *loader = &directory->loader;
    int r;

    if (!loader->profile)
        return 0;
    r = finish(loader, 0, &directory->profiles.profiles[directory->profiles.count], failure);
    loader->profile = NULL;
    directory->profiles.count += r == 0;
    return r;
}

static int directory_begin_file(struct directory *directory, const char *file,
                                struct failure *failure) {
    const char *base = strrchr(file, '/');
    _cleanup_free_ char *name = strdup(base ? base + 1 : file);
    int r;

    if (!name)
        return -ENOMEM;
    name[strlen(name) - strlen(".conf")] = '\0';
    r = directory_end_file(directory, failure);
    if (r < 0)
        return r;
    if (directory->profiles.count == ENROL_PROFILES_MAX)
        return failure_set(failure, -E2BIG, "%s: more than %u profiles", file, ENROL_PROFILES_MAX);
    free(directory->file);
    directory->file = strdup(file);
    if (!directory->file)
        return -ENOMEM;
    directory->loader = (struct loader){.file = directory->file};
    r = begin(name, &directory->loader, failure);
    if (r < 0)
        directory->loader.profile = enrol_profile_free(directory->loader.profile);
    return r;
}

static int take_directory_line(const struct conf_line *line, void *userdata,
                               struct failure *failure) {
    struct directory *directory = userdata;
    int r = 0;

    if (!directory->file || strcmp(directory->file, line->file) != 0)
        r = directory_begin_file(directory, line->file, failure);
    return r == 0 ? take_line(line, &directory->loader, failure) : r;
}

int enrol_profiles_load(const char *directory, struct enrol_profiles *ret,
                        struct failure *failure) {
    struct directory state = {0};
    _cleanup_free_ char *path = NULL;
    int r;

    if (asprintf(&path, "%s/enrol.d", directory) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = conf_directory_parse(path, CONF_TRUST_REFUSE, take_directory_line, &state, failure);
    if (r == 0)
        r = directory_end_file(&state, failure);
    state.loader.profile = enrol_profile_free(state.loader.profile);
    free(state.file);
    if (r != 0) {
        enrol_profiles_done(&state.profiles);
        return failure_set(failure, r, "%s: cannot be loaded: %s", path, strerror(-r));
    }
    *ret = state.profiles;
    return 0;
}

void enrol_profiles_done(struct enrol_profiles *profiles) {
    for (size_t i = 0; i < profiles->count; i++)
        profiles->profiles[i] = enrol_profile_free(profiles->profiles[i]);
    profiles->count = 0;
}

/* --- The rest ---------------------------------------------------------------------------------------- */

struct enrol_profile *enrol_profile_free(struct enrol_profile *profile) {
    if (!profile)
        return NULL;
    for (size_t i = 0; i < enrol_table_length; i++)
        conf_value_clear(profile, &enrol_table[i]);
    free(profile->mef_fqdn);
    free(profile);
    return NULL;
}

bool enrol_profile_equal(const struct enrol_profile *a, const struct enrol_profile *b) {
    for (size_t i = 0; i < enrol_table_length; i++)
        if (!conf_value_equal(a, b, &enrol_table[i]))
            return false;
    return true;
}

void enrol_profile_print(const struct enrol_profile *profile, FILE *stream) {
    const char *section = "";

    for (size_t i = 0; i < enrol_table_length; i++) {
        if (strcmp(enrol_table[i].section, section) != 0)
            fprintf(stream, "%s[%s]\n", i > 0 ? "\n" : "", enrol_table[i].section);
        section = enrol_table[i].section;
        conf_value_print(profile, &enrol_table[i], stream);
    }
}

void enrol_profile_warn(const struct enrol_profile *profile, const struct conf *conf) {
    bool known = !profile->uicc;

    for (size_t i = 0; !known && i < conf->cards_count; i++)
        known = strcmp(conf->cards[i]->name, profile->uicc) == 0;
    if (!known && has_method(profile, ENROL_GBA))
        log_warning("enrol.d/%s.conf: [Gba] Uicc=%s: keystrap.conf has no card of that name, so "
                    "the method gba cannot be",
                    profile->name, profile->uicc);
    if (profile->token && !has_method(profile, ENROL_PSK) &&
        !has_method(profile, ENROL_CERTIFICATE))
        log_warning("enrol.d/%s.conf: [Token] Token=: only a MEF takes a token, and no method of "
                    "this profile asks one",
                    profile->name);
}

bool enrol_profile_describe(size_t index, struct conf_description *ret) {
    const struct conf_key *key;

    if (index >= enrol_table_length)
        return false;
    key = &enrol_table[index];
    ret->section = key->section;
    ret->name = key->name;
    ret->fallback = key->fallback;
    ret->help = key->help;
    conf_value_allowed(key, ret->allowed, sizeof(ret->allowed));
    return true;
}

const char *enrol_method_name(enum enrol_method method) {
    switch (method) {
    case ENROL_GBA:
        return "gba";
    case ENROL_CERTIFICATE:
        return "certificate";
    case ENROL_PSK:
        return "psk";
    }
    return "";
}
