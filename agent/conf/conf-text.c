/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Checks on the text of a line.
 *
 * inih is lenient: it cuts a section or key after 49 octets (two long principals would become one), ignores what
 * follows a header's bracket, and takes ":" for "=". Access rules must not be guessed at, so a line that inih would
 * bend is refused before inih sees it.
 */

#include <string.h>

#include "conf-text.h"
#include "keystrap-limits.h"
#include "util.h"

#define BLANK " \t"

const char *conf_text_is_wrong(const char *text, size_t length) {
    for (size_t i = 0, octets; i < length; i += octets) {
        octets = text[i] == '\t' ? 1 : utf8_printable(text + i, length - i);
        if (octets == 0)
            return "there is a control character in this line, or it is not UTF-8";
    }
    return NULL;
}

static const char *header_is_wrong(const char *line) {
    const char *close = strchr(line, ']');

    if (!close)
        return "\"]\" is missing at the end of the section's name";
    if (close == line)
        return "the section has no name";
    if ((size_t)(close - line) > CONF_SECTION_MAX)
        return "the section's name is longer than 48 octets";
    close += 1 + strspn(close + 1, BLANK);
    if (*close != '\0' && *close != ';' && *close != '#')
        return "there is something after the section's name; put it on a line of its own";
    return NULL;
}

const char *conf_shape_is_wrong(const char *line) {
    size_t length;

    line += strspn(line, BLANK);
    if (*line == '\0' || *line == '#' || *line == ';')
        return NULL;
    if (*line == '[')
        return header_is_wrong(line + 1);
    length = strcspn(line, "=:");
    if (line[length] != '=')
        return "neither \"[Section]\", \"Key=value\" nor \"# comment\"";
    while (length > 0 && strchr(BLANK, line[length - 1]))
        length--;
    if (length == 0)
        return "there is no key before \"=\"";
    if (length > CONF_KEY_MAX)
        return "the key is longer than 48 octets";
    return NULL;
}
