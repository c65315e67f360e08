/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The name of a NAF in the one form that keys are derived from.
 *
 * Agent and NAF must hash the same octets, and the access rules must see the same name that is hashed, so
 * every name goes through here first, whoever gave it.
 */

#include <errno.h>
#include <string.h>

#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "gba.h"
#include "util.h"

#define LABEL_MAX 63u /* RFC 1035 2.3.4 */

static int refuse(struct failure *failure, const char *cause) {
    return failure_set(failure, KEYS_E_NAME,
                       "the NAF's name %s; give its fully qualified domain name, naf.example.com",
                       cause);
}

static bool is_ascii(const char *text, size_t length) {
    unsigned char all = 0;

    for (size_t i = 0; i < length; i++)
        all |= (unsigned char)text[i];
    return all < 0x80;
}

/* The characters beyond ASCII that no name has: those that are not seen, not assigned, or mean a space. */
static bool has_strange_characters(const uint8_t *text, size_t length) {
    const uc_general_category_t strange = uc_general_category_or(UC_CATEGORY_C, UC_CATEGORY_Z);
    ucs4_t character;
    int step;

    for (size_t at = 0; at < length; at += (size_t)step) {
        step = u8_mbtouc(&character, text + at, length - at);
        if (step <= 0 || uc_is_general_category(character, strange))
            return true;
    }
    return false;
}

/* The cause why @text, without its last dot, is no name; NULL if it is one. */
static const char *labels_wrong(const uint8_t *text, size_t length) {
    size_t label = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] == 0x7f || text[i] == '@' || text[i] == '/')
            return "holds a character that no domain name has";
        if (text[i] != '.') {
            if (++label > LABEL_MAX)
                return "has a label of more than 63 octets";
            continue;
        }
        if (label == 0)
            return "has an empty label";
        label = 0;
    }
    return label == 0 ? "has an empty label" : NULL;
}

static int check_and_copy(const uint8_t *text, size_t length, char *ret, struct failure *failure) {
    const char *wrong;

    if (length > 0 && text[length - 1] == '.')
        length--;
    if (length > NAF_FQDN_MAX)
        return refuse(failure, "is longer than 255 octets");
    wrong = labels_wrong(text, length);
    if (wrong)
        return refuse(failure, wrong);

    for (size_t i = 0; i < length; i++)
        ret[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    ret[length] = 0;
    return 0;
}

int gba_fqdn_normalise(const char *name, char ret[NAF_FQDN_MAX + 1], struct failure *failure) {
    _cleanup_free_ uint8_t *normalised = NULL;
    size_t length = strnlen(name, FQDN_MAX + 2);
    size_t normalised_length = 0;

    if (length > FQDN_MAX + 1) /* one for the dot at the end */
        return refuse(failure, "is longer than 255 octets");
    if (is_ascii(name, length))
        return check_and_copy((const uint8_t *)name, length, ret, failure);

    if (u8_check((const uint8_t *)name, length))
        return refuse(failure, "is not UTF-8");
    normalised =
        u8_normalize(UNINORM_NFKC, (const uint8_t *)name, length, NULL, &normalised_length);
    if (!normalised)
        return errno == ENOMEM ? failure_set(failure, -ENOMEM, "out of memory")
                               : refuse(failure, "has no normal form");
    if (has_strange_characters(normalised, normalised_length))
        return refuse(failure, "holds a character that no domain name has");
    return check_and_copy(normalised, normalised_length, ret, failure);
}
