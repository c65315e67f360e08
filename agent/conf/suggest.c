/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a mistyped word was meant to be.
 *
 * An operator who writes "ReqestTimeoutSec" wants to hear the right spelling, not only that the
 * word is unknown. Nearness is the edit distance without regard to case, up to a third of the word,
 * or two letters of a short one.
 */

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "conf-file.h"

static bool same_letter(char a, char b) {
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Levenshtein's distance by two rows of his table; words longer than a key are infinitely far. */
static unsigned distance(const char *a, const char *b) {
    unsigned above[CONF_KEY_MAX + 1], row[CONF_KEY_MAX + 1];
    size_t a_length = strlen(a), b_length = strlen(b);

    if (a_length > CONF_KEY_MAX || b_length > CONF_KEY_MAX)
        return UINT32_MAX;
    for (size_t j = 0; j <= b_length; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned replaced = above[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);

            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
        }
        memcpy(above, row, sizeof(above));
    }
    return above[b_length];
}

const char *conf_suggest(const char *word, const char *const *words) {
    unsigned third = (unsigned)(strlen(word) / 3);
    unsigned best = (third > 2 ? third : 2) + 1; /* two letters that changed places are two edits */
    const char *found = NULL;

    for (; *words; words++) {
        unsigned d = distance(word, *words);

        if (d < best) {
            best = d;
            found = *words;
        }
    }
    return found;
}
