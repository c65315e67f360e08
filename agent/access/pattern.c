/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Patterns for what may be had.
 *
 * A name is compared in its normalised form only, which is also what the key is derived from: two spellings of one
 * name are one name here as well. "*" stands at the start or nowhere, so that a pattern means what it looks like.
 */

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "aid.h"
#include "gba.h"
#include "pattern.h"
#include "util.h"

#define AID_SUBSCRIPTION_MIN 7u /* octets of a pattern from which on it can mean nothing else */

int naf_pattern_init(struct naf_pattern *pattern, const char *text, const char **wrong) {
    const char *name = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
    char normalised[NAF_FQDN_MAX + 1] = "";
    bool any = strcmp(text, "*") == 0;
    int r = 0;

    if (!any && strchr(name, '*')) {
        *wrong = "\"*\" may only stand alone or before the first dot";
        return -EINVAL;
    }
    if (!any)
        r = gba_fqdn_normalise(name, normalised, NULL);
    if (r < 0)
        return r;
    if (r > 0) {
        *wrong = "not the name of a NAF";
        return -EINVAL;
    }
    if (asprintf(&pattern->text, "%s%s", any ? "*" : name == text ? "" : "*.", normalised) < 0) {
        pattern->text = NULL;
        return -ENOMEM;
    }
    pattern->length = strlen(pattern->text);
    pattern->wild = pattern->text[0] == '*';
    return 0;
}

void naf_pattern_done(struct naf_pattern *pattern) {
    free(pattern->text);
    pattern->text = NULL;
}

bool naf_pattern_matches(const struct naf_pattern *pattern, const char *name, size_t length) {
    size_t tail = pattern->wild ? pattern->length - 1 : pattern->length;

    if (!pattern->wild)
        return length == tail && memcmp(name, pattern->text, length) == 0;
    /* The tail begins with a dot, or is empty; something stands before it. */
    return length > tail && memcmp(name + length - tail, pattern->text + 1, tail) == 0;
}

static uint8_t digit_value(char digit) {
    if (digit >= '0' && digit <= '9')
        return (uint8_t)(digit - '0');
    return (uint8_t)(tolower((unsigned char)digit) - 'a' + 10);
}

int ua_pattern_init(struct ua_pattern *pattern, const char *text, const char **wrong) {
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    bool wild = text[digits] == '*';

    if (text[digits + wild] != '\0')
        *wrong = "not hex digits";
    else if (wild && digits >= 2 * UA_PROTOCOL_LENGTH)
        *wrong = "nothing is left for \"*\" after ten digits";
    else if (!wild && digits < 2 * UA_PROTOCOL_LENGTH)
        *wrong = "fewer than ten hex digits, and no \"*\" after them";
    else if (digits > 2 * UA_PROTOCOL_LENGTH)
        *wrong = "more than ten hex digits";
    else
        *wrong = NULL;
    if (*wrong)
        return -EINVAL;
    *pattern = (struct ua_pattern){0};
    for (size_t i = 0; i < digits; i++) {
        unsigned shift = i % 2 == 0 ? 4 : 0;

        pattern->value[i / 2] |= (uint8_t)(digit_value(text[i]) << shift);
        pattern->mask[i / 2] |= (uint8_t)(0xf << shift);
        pattern->text[i] = (char)tolower((unsigned char)text[i]);
    }
    if (wild)
        pattern->text[digits] = '*';
    return 0;
}

bool ua_pattern_matches(const struct ua_pattern *pattern,
                        const uint8_t ua_protocol[UA_PROTOCOL_LENGTH]) {
    for (size_t i = 0; i < UA_PROTOCOL_LENGTH; i++)
        if ((pattern->value[i] ^ ua_protocol[i]) & pattern->mask[i])
            return false;
    return true;
}

int aid_pattern_init(struct aid_pattern *pattern, const char *text, const char **wrong) {
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    bool wild = text[digits] == '*';

    *wrong = NULL;
    if (text[digits + wild] != '\0')
        *wrong = "not hex digits";
    else if (digits % 2 != 0)
        *wrong = "an odd number of hex digits";
    else if (digits > 2 * AID_MAX || (wild && digits == 2 * AID_MAX))
        *wrong = wild ? "nothing is left for \"*\" after 32 digits" : "more than 32 hex digits";
    else if (!wild && digits < 2 * AID_MIN)
        *wrong = "fewer than ten hex digits, and no \"*\" after them";
    if (*wrong)
        return -EINVAL;
    *pattern = (struct aid_pattern){.length = digits / 2, .wild = wild};
    for (size_t i = 0; i < digits; i++) {
        pattern->value[i / 2] |= (uint8_t)(digit_value(text[i]) << (i % 2 == 0 ? 4 : 0));
        pattern->text[i] = (char)toupper((unsigned char)text[i]);
    }
    if (wild)
        pattern->text[digits] = '*';
    if (pattern->length >= AID_SUBSCRIPTION_MIN &&
        aid_is_subscription(pattern->value, pattern->length)) {
        *wrong = "the applications of the subscription (USIM, ISIM and kin) are never open";
        return -EINVAL;
    }
    return 0;
}

bool aid_pattern_matches(const struct aid_pattern *pattern, const uint8_t *aid, size_t length) {
    if (pattern->wild ? length < pattern->length : length != pattern->length)
        return false;
    return memcmp(aid, pattern->value, pattern->length) == 0;
}

/* As onem2m_target_kind() has it: what has a "/" is a CSE-ID or AE-ID, and so is a stem, "C..." or "S..." without a dot. */
static bool is_fqdn(const char *peer, size_t length) {
    if (memchr(peer, '/', length))
        return false;
    return memchr(peer, '.', length) || (peer[0] != 'C' && peer[0] != 'S');
}

const char *peer_normalise(const char *peer, char buffer[NAF_FQDN_MAX + 1]) {
    if (is_fqdn(peer, strlen(peer)) && gba_fqdn_normalise(peer, buffer, NULL) == 0)
        return buffer;
    return peer;
}

/* A beginning is not normalised as a name is: without the dot at its end it would mean more. */
static const char *init_beginning(struct peer_pattern *pattern, const char *text, size_t length) {
    if (strchr(text, '*') != text + length - 1)
        return "\"*\" stands at the end only";
    if (length - 1 > ENTITY_ID_MAX)
        return "more than 255 octets";
    if (!text_is_plain(text, length))
        return "not printable ASCII";
    (void)strcpy(pattern->text, text);
    pattern->wild = true;
    pattern->length = length - 1;
    return NULL;
}

static const char *init_name(struct peer_pattern *pattern, const char *text, size_t length) {
    char normalised[NAF_FQDN_MAX + 1] = "";
    const char *name;

    if (length > ENTITY_ID_MAX)
        return "more than 255 octets";
    name = peer_normalise(text, normalised);
    if (!text_is_plain(name, strlen(name)))
        return "neither an FQDN nor printable ASCII";
    (void)strcpy(pattern->text, name);
    pattern->length = strlen(name);
    return NULL;
}

int peer_pattern_init(struct peer_pattern *pattern, const char *text, const char **wrong) {
    size_t length = strlen(text);

    *pattern = (struct peer_pattern){0};
    *wrong = strchr(text, '*') ? init_beginning(pattern, text, length)
                               : init_name(pattern, text, length);
    return *wrong ? -EINVAL : 0;
}

bool peer_pattern_matches(const struct peer_pattern *pattern, const char *peer, size_t length) {
    if (!pattern->wild)
        return length == pattern->length && memcmp(peer, pattern->text, length) == 0;
    if (length < pattern->length)
        return false;
    if (is_fqdn(peer, length))
        return strncasecmp(peer, pattern->text, pattern->length) == 0;
    return memcmp(peer, pattern->text, pattern->length) == 0;
}
