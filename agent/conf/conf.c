/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Loading the configuration.
 *
 * A configuration is whole or it is not there: the first bad value ends the loading, with file and line. What is
 * merely unknown is a warning, so that a file written for a later version does not stop an earlier one.
 *
 * What is common to all cards may stand after, or in a later file than, what is different for one. So both are kept
 * apart until everything is read, and a card gets what is common only where nobody said anything of it.
 */

#include <errno.h>
#include <string.h>

#include "conf-file.h"
#include "conf-table.h"
#include "log.h"
#include "util.h"

/* Where a key got its value, for what can only be judged when all files are read. */
struct origin {
    char *file; /* NULL for the default */
    unsigned line;
};

/* What was assigned for one card, or for all. */
struct scope {
    struct conf_card *values;
    struct origin *origins; /* one for each row of the table */
};

struct loader {
    struct conf *conf;                  /* the agent's values; its cards come last */
    struct scope scopes[1 + CARDS_MAX]; /* the first is that of all cards */
    size_t count;
};

static void scope_done(struct scope *scope) {
    for (size_t i = 0; scope->origins && i < conf_table_length; i++)
        free(scope->origins[i].file);
    free(scope->origins);
    scope->origins = NULL;
    scope->values = conf_card_free(scope->values);
}

static void loader_done(struct loader *loader) {
    for (size_t i = 0; i < loader->count; i++)
        scope_done(&loader->scopes[i]);
    loader->conf = conf_free(loader->conf);
}

static int scope_init(struct scope *scope, const char *name) {
    scope->values = calloc(1, sizeof(*scope->values));
    scope->origins = calloc(conf_table_length, sizeof(*scope->origins));
    if (!scope->values || !scope->origins)
        return -ENOMEM;
    (void)snprintf(scope->values->name, sizeof(scope->values->name), "%s", name);
    return 0;
}

/* Where the value of @key is that stands in @scope. */
static void *values_for(const struct loader *loader, const struct scope *scope,
                        const struct conf_key *key) {
    return conf_key_of_card(key) ? (void *)scope->values : (void *)loader->conf;
}

static size_t find_key(const char *section, const char *name) {
    size_t i;

    for (i = 0; i < conf_table_length; i++)
        if (strcmp(conf_table[i].name, name) == 0 &&
            (!section || strcmp(conf_table[i].section, section) == 0))
            break;
    return i;
}

static bool section_is_known(const char *section) {
    for (size_t i = 0; i < conf_table_length; i++)
        if (strcmp(conf_table[i].section, section) == 0)
            return true;
    return false;
}

/* The nearest name of a section, or of a key in @section. */
static const char *suggest(const char *word, const char *section) {
    const char *words[CONF_KEYS_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < conf_table_length; i++) {
        if (!section)
            words[n++] = conf_table[i].section;
        else if (strcmp(conf_table[i].section, section) == 0)
            words[n++] = conf_table[i].name;
    }
    words[n] = NULL;
    return conf_suggest(word, words);
}

static void warn_section(const struct conf_line *line) {
    const char *meant;

    if (line->section_line == 0) {
        log_warning("%s:%u: %s= stands before the first [Section]; ignored", line->file, line->line,
                    line->key);
        return;
    }
    if (!line->opens)
        return;
    meant = suggest(line->section, NULL);
    log_warning("%s:%u: unknown section [%s]; ignored%s%s%s", line->file, line->section_line,
                line->section, meant ? "; did you mean [" : "", meant ? meant : "",
                meant ? "]?" : "");
}

static void warn_key(const struct conf_line *line, const char *section) {
    size_t elsewhere = find_key(NULL, line->key);
    const char *meant;

    if (elsewhere < conf_table_length) {
        log_warning("%s:%u: unknown key %s= in [%s]; ignored; it belongs into [%s]", line->file,
                    line->line, line->key, line->section, conf_table[elsewhere].section);
        return;
    }
    meant = suggest(line->key, section);
    log_warning("%s:%u: unknown key %s= in [%s]; ignored%s%s%s", line->file, line->line, line->key,
                line->section, meant ? "; did you mean " : "", meant ? meant : "",
                meant ? "=?" : "");
}

/* A value as a message may quote it: shortened, and not at all where it is somebody's identity. */
static int refuse_value(const struct conf_key *key, const char *file, unsigned line,
                        const char *value, const char *wrong, struct failure *failure) {
    char allowed[CONF_WRONG_MAX], quoted[48];

    shorten(key->identity ? "" : value, 40, quoted, sizeof(quoted));
    conf_value_allowed(key, allowed, sizeof(allowed));
    return failure_set(failure, -EINVAL, "%s:%u: %s=%s: %s; allowed: %s", file, line, key->name,
                       quoted, wrong, allowed);
}

static int set_origin(struct origin *origin, const struct conf_line *line) {
    char *copy = strdup(line->file);

    if (!copy)
        return -ENOMEM;
    free(origin->file);
    origin->file = copy;
    origin->line = line->line;
    return 0;
}

/* "UICC modem" is the section UICC of the card "modem": *@ret_name is "modem", and "" for all cards. */
static void split_section(const char *section, char ret_section[CONF_SECTION_MAX + 1],
                          const char **ret_name) {
    size_t length = strcspn(section, " \t");

    *ret_name = section + length + strspn(section + length, " \t");
    (void)snprintf(ret_section, CONF_SECTION_MAX + 1, "%.*s", (int)length, section);
    if (strcmp(ret_section, "UICC") == 0 || strcmp(ret_section, "GBA") == 0)
        return;
    *ret_name = "";
    (void)snprintf(ret_section, CONF_SECTION_MAX + 1, "%s", section);
}

static bool name_is_valid(const char *name) {
    size_t length = strlen(name);

    return length <= CARD_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* The card @name, which is there from now on. */
static int scope_of(struct loader *loader, const struct conf_line *line, const char *name,
                    struct scope **ret, struct failure *failure) {
    int r;

    for (size_t i = 0; i < loader->count; i++) {
        if (strcmp(loader->scopes[i].values->name, name) == 0) {
            *ret = &loader->scopes[i];
            return 0;
        }
    }
    if (!name_is_valid(name))
        return failure_set(
            failure, -EINVAL,
            "%s:%u: [%s]: not the name of a card; allowed: 1 to %u of a-z, 0-9 and -", line->file,
            line->section_line, line->section, CARD_NAME_MAX);
    if (loader->count == ELEMENTS(loader->scopes))
        return failure_set(failure, -EINVAL, "%s:%u: [%s]: more than %u cards", line->file,
                           line->section_line, line->section, CARDS_MAX);
    *ret = &loader->scopes[loader->count++];
    r = scope_init(*ret, name);
    return r;
}

static int take_line(const struct conf_line *line, void *userdata, struct failure *failure) {
    struct loader *loader = userdata;
    char section[CONF_SECTION_MAX + 1], wrong[CONF_WRONG_MAX];
    struct scope *scope;
    const char *name;
    size_t i;
    int r;

    split_section(line->section, section, &name);
    r = scope_of(loader, line, name, &scope, failure);
    if (r < 0)
        return r;
    i = find_key(section, line->key);
    if (i == conf_table_length) {
        if (section_is_known(section))
            warn_key(line, section);
        else
            warn_section(line);
        return 0;
    }
    r = conf_value_set(values_for(loader, scope, &conf_table[i]), &conf_table[i], line->value,
                       wrong);
    if (r == -EINVAL)
        return refuse_value(&conf_table[i], line->file, line->line, line->value, wrong, failure);
    return r < 0 ? r : set_origin(&scope->origins[i], line);
}

/* What no single value can tell. */
static int check_together(const struct loader *loader, const struct scope *scope,
                          struct failure *failure) {
    const struct conf_card *card = scope->values;
    size_t i = find_key("GBA", "TrustAnchors");
    const struct origin *origin =
        scope->origins[i].file ? &scope->origins[i] : &loader->scopes[0].origins[i];

    if (card->trust_anchors && strcmp(card->scheme, "https") != 0)
        return refuse_value(&conf_table[i], origin->file, origin->line, card->trust_anchors,
                            "without TLS nobody looks at it", failure);
    return 0;
}

static int loader_init(struct loader *loader) {
    char wrong[CONF_WRONG_MAX];
    int r = 0;

    loader->count = 1;
    loader->conf = calloc(1, sizeof(*loader->conf));
    if (!loader->conf || scope_init(&loader->scopes[0], "") < 0)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < conf_table_length; i++)
        r = conf_value_set(values_for(loader, &loader->scopes[0], &conf_table[i]), &conf_table[i],
                           "", wrong);
    return r;
}

/* Give @scope what is common to all cards and was not said of it. */
static int inherit(const struct loader *loader, struct scope *scope) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < conf_table_length; i++)
        if (conf_key_of_card(&conf_table[i]) && !scope->origins[i].file)
            r = conf_value_copy(scope->values, loader->scopes[0].values, &conf_table[i]);
    return r;
}

/* Two workers at one card have two Ks, and at the BSF each voids the other's. */
static void warn_same_choice(const struct conf *conf) {
    static const char *const choosing[] = {"Transport", "Reader", "Device",
                                           "Slot",      "Iccid",  "Imsi"};

    for (size_t i = 1; i < conf->cards_count; i++) {
        for (size_t j = 0; j < i; j++) {
            bool same = conf->cards[i]->mode != CONF_MODE_DIGEST &&
                        conf->cards[j]->mode != CONF_MODE_DIGEST;

            for (size_t k = 0; same && k < ELEMENTS(choosing); k++)
                same = conf_value_equal(conf->cards[i], conf->cards[j],
                                        &conf_table[find_key("UICC", choosing[k])]);
            if (same)
                log_warning("[UICC %s] and [UICC %s] choose the same card; tell them apart with "
                            "Reader=, Device=, Slot=, Iccid= or Imsi=",
                            conf->cards[j]->name, conf->cards[i]->name);
        }
    }
}

static int make_cards(struct loader *loader, struct failure *failure) {
    struct conf *conf = loader->conf;
    size_t first = loader->count > 1 ? 1 : 0;
    int r = 0;

    for (size_t i = first; r == 0 && i < loader->count; i++) {
        if (i > 0)
            r = inherit(loader, &loader->scopes[i]);
        if (r == 0)
            r = check_together(loader, &loader->scopes[i], failure);
    }
    for (size_t i = first; r == 0 && i < loader->count; i++)
        conf->cards[conf->cards_count++] = TAKE_PTR(loader->scopes[i].values);
    if (r == 0)
        warn_same_choice(conf);
    if (r == 0 && first == 0)
        (void)strcpy(conf->cards[0]->name, CONF_CARD_DEFAULT_NAME);
    return r;
}

/* Whatever went wrong without words gets some here. */
static int finish(struct loader *loader, int r, const char *what, struct conf **ret,
                  struct failure *failure) {
    if (r == 0)
        r = make_cards(loader, failure);
    if (r < 0)
        return failure_set(failure, r, "%s: cannot be loaded: %s", what, strerror(-r));
    *ret = TAKE_PTR(loader->conf);
    return 0;
}

int conf_parse(const char *file, const char *text, size_t length, struct conf **ret,
               struct failure *failure) {
    _cleanup_(loader_done) struct loader loader = {0};
    int r;

    r = loader_init(&loader);
    if (r == 0)
        r = conf_text_parse(file, text, length, take_line, &loader, failure);
    return finish(&loader, r, file, ret, failure);
}

static int load_files(struct loader *loader, const char *directory, struct failure *failure) {
    _cleanup_free_ char *file = NULL, *drop_ins = NULL;
    int r;

    if (asprintf(&file, "%s/keystrap.conf", directory) < 0) {
        file = NULL;
        return -ENOMEM;
    }
    if (asprintf(&drop_ins, "%s.d", file) < 0) {
        drop_ins = NULL;
        return -ENOMEM;
    }
    r = conf_file_parse(file, CONF_TRUST_WARN, take_line, loader, failure);
    if (r < 0)
        return r;
    return conf_directory_parse(drop_ins, CONF_TRUST_WARN, take_line, loader, failure);
}

int conf_load(const char *directory, struct conf **ret, struct failure *failure) {
    _cleanup_(loader_done) struct loader loader = {0};
    int r;

    r = loader_init(&loader);
    if (r == 0)
        r = load_files(&loader, directory, failure);
    return finish(&loader, r, directory, ret, failure);
}

struct conf *conf_free(struct conf *conf) {
    if (!conf)
        return NULL;
    for (size_t i = 0; i < conf_table_length; i++)
        if (!conf_key_of_card(&conf_table[i]))
            conf_value_clear(conf, &conf_table[i]);
    for (size_t i = 0; i < conf->cards_count; i++)
        conf_card_free(conf->cards[i]);
    free(conf);
    return NULL;
}
