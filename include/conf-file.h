/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The files that an operator writes: sections, and lines of Key=value.
 *
 * keystrap.conf and the rules of access.d are read by the same reader, so that both follow the same grammar
 * and both complain with file and line. The grammar is narrow on purpose: "#" or ";" starts a comment only at the
 * start of a line, a value is never continued on the next line, and every octet is UTF-8 without control characters.
 */

#include <stdbool.h>
#include <stddef.h>

#include "keystrap-limits.h"
#include "outcome.h"

/* One assignment; everything is borrowed for the call. */
struct conf_line {
    const char *file;
    unsigned line;         /* from 1 */
    unsigned section_line; /* line of the section's header; 0 before the first */
    const char *section;   /* without brackets; "" before the first */
    bool opens;            /* the first assignment under its section's header */
    const char *key;
    const char *value; /* without white space around it; may be "" */
};

/* Takes one assignment. 0 to go on; anything else ends the reading and is returned. */
typedef int (*conf_line_fn)(const struct conf_line *line, void *userdata, struct failure *failure);

/* What to do with a file or directory that somebody else than root or our own user may write. */
enum conf_trust {
    CONF_TRUST_WARN,
    CONF_TRUST_REFUSE,
};

/**
 * conf_text_parse() - read @length octets at @text, which came from @file (only a name here)
 *
 * Return: 0; what @fn returned; -EINVAL with file and line in @failure for a line that is too long, is not
 * UTF-8, has a control character, or is neither header, assignment, comment nor blank.
 */
int conf_text_parse(const char *file, const char *text, size_t length, conf_line_fn fn,
                    void *userdata, struct failure *failure);

/**
 * conf_file_parse() - as conf_text_parse(), for the regular file at @path; symbolic links are followed
 *
 * Return: as conf_text_parse(); 0 for a file that does not exist; -EPERM for CONF_TRUST_REFUSE; -EFBIG beyond
 * CONF_FILE_MAX; -EINVAL for what is no regular file; another errno of open(2) and read(2). @failure says which file.
 */
int conf_file_parse(const char *path, enum conf_trust trust, conf_line_fn fn, void *userdata,
                    struct failure *failure);

/**
 * conf_directory_parse() - conf_file_parse() for every *.conf in @directory, in the order of strcmp(3)
 *
 * Names that start with a dot are passed over, and so is, with a warning, what is no regular file.
 *
 * Return: as conf_file_parse(); 0 for a directory that does not exist; -E2BIG beyond CONF_FILES_MAX.
 */
int conf_directory_parse(const char *directory, enum conf_trust trust, conf_line_fn fn,
                         void *userdata, struct failure *failure);

/**
 * conf_bool_parse() - "yes", "true", "on", "1"; "no", "false", "off", "0"; whatever the case
 *
 * Return: 1 or 0; -EINVAL.
 */
int conf_bool_parse(const char *value);

/**
 * conf_suggest() - the word of @words that @word was probably meant to be
 * @words: NULL-terminated
 *
 * Return: one of @words; NULL when none is near.
 */
const char *conf_suggest(const char *word, const char *const *words);
