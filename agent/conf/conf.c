/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Loading the configuration.
 *
 * A configuration is whole or it is not there: the first bad value ends the loading, with file and line. What is
 * merely unknown is a warning, so that a file written for a later version does not stop an earlier one.
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

struct loader {
    struct conf *conf;
    struct origin *origins; /* one for each row of the table */
};

static void loader_done(struct loader *loader) {
    for (size_t i = 0; loader->origins && i < conf_table_length; i++)
        free(loader->origins[i].file);
    free(loader->origins);
    loader->origins = NULL;
    loader->conf = conf_free(loader->conf);
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

static void warn_key(const struct conf_line *line) {
    size_t elsewhere = find_key(NULL, line->key);
    const char *meant;

    if (elsewhere < conf_table_length) {
        log_warning("%s:%u: unknown key %s= in [%s]; ignored; it belongs into [%s]", line->file,
                    line->line, line->key, line->section, conf_table[elsewhere].section);
        return;
    }
    meant = suggest(line->key, line->section);
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

static int take_line(const struct conf_line *line, void *userdata, struct failure *failure) {
    struct loader *loader = userdata;
    char wrong[CONF_WRONG_MAX];
    size_t i;
    int r;

    i = find_key(line->section, line->key);
    if (i == conf_table_length) {
        if (section_is_known(line->section))
            warn_key(line);
        else
            warn_section(line);
        return 0;
    }
    r = conf_value_set(loader->conf, &conf_table[i], line->value, wrong);
    if (r == -EINVAL)
        return refuse_value(&conf_table[i], line->file, line->line, line->value, wrong, failure);
    return r < 0 ? r : set_origin(&loader->origins[i], line);
}

/* What no single value can tell. */
static int check_together(const struct loader *loader, struct failure *failure) {
    const struct conf *conf = loader->conf;
    size_t i = find_key("GBA", "TrustAnchors");

    if (conf->trust_anchors && strcmp(conf->scheme, "https") != 0)
        return refuse_value(&conf_table[i], loader->origins[i].file, loader->origins[i].line,
                            conf->trust_anchors, "without TLS nobody looks at it", failure);
    return 0;
}

static int loader_init(struct loader *loader) {
    char wrong[CONF_WRONG_MAX];
    int r = 0;

    loader->conf = calloc(1, sizeof(*loader->conf));
    loader->origins = calloc(conf_table_length, sizeof(*loader->origins));
    if (!loader->conf || !loader->origins)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < conf_table_length; i++)
        r = conf_value_set(loader->conf, &conf_table[i], "", wrong);
    return r;
}

/* Whatever went wrong without words gets some here. */
static int finish(struct loader *loader, int r, const char *what, struct conf **ret,
                  struct failure *failure) {
    if (r == 0)
        r = check_together(loader, failure);
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
        conf_value_clear(conf, &conf_table[i]);
    free(conf);
    return NULL;
}
