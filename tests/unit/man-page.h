/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Files of the source tree, and the paragraph of a key in a manual page, for tests that hold pages against tables.
 */

#include "conf-helpers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* A file of the source tree. */
static inline char *read_source(const char *name) {
    char path[2 * PATH_SIZE];
    char *text = calloc(1, 65536);
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", KEYSTRAP_SOURCE_DIR, name);
    f = fopen(path, "re");
    if (!f)
        fail_msg("%s cannot be opened", path);
    assert_non_null(text);
    assert_in_range(fread(text, 1, 65535, f), 1, 65534);
    (void)fclose(f);
    return text;
}

/* The page's markup is in the way of comparing words. */
static inline void strip_markup(char *text) {
    char *to = text;

    for (char *p = text; *p; p++) {
        if (p[0] == '\n' && p[1] == '.' && isupper((unsigned char)p[2]) && p[4] == ' ') {
            *to++ = ' ';
            p += 4;
        } else if (*p != '"') {
            *to++ = *p == '\n' ? ' ' : *p;
        }
    }
    *to = '\0';
}

/* The paragraph of the key @name below @header: from its tag to the next tag or the end of the list. The part ends with
 * the next @part. */
static inline char *man_paragraph(const char *man, const char *header, const char *part,
                                  const char *name) {
    const char *start = strstr(man, header), *part_end, *end;
    char *entry;
    char tag[64];

    if (!start)
        fail_msg("the manual page has no part %s", header);
    part_end = strstr(start + 1, part);
    assert_non_null(part_end);
    (void)snprintf(tag, sizeof(tag), "\n.It Cm %s=\n", name);
    start = strstr(start, tag);
    if (!start || start > part_end)
        fail_msg("the manual page does not have %s= in %s", name, header);
    start += strlen(tag);
    end = strstr(start, "\n.It ");
    if (!end || end > part_end)
        end = strstr(start, "\n.El");
    assert_non_null(end);
    entry = strndup(start - 1, (size_t)(end - start) + 1);
    assert_non_null(entry);
    strip_markup(entry);
    return entry;
}
