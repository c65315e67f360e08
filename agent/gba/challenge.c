/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The BSF's challenge (TS 24.109 4.3, RFC 3310 3.2).
 *
 * A BSF may send several challenges, in one field or in several. The best one that we can answer is taken: Digest with
 * AKAv1-MD5, and auth-int before auth. A list that breaks the grammar anywhere is refused as a whole,
 * since nobody can say what its sender meant.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "auth-list.h"
#include "gba.h"
#include "util.h"

/* One challenge as it stands in the list. */
struct raw_challenge {
    bool digest; /* the scheme is Digest */
    struct auth_item parameters[CHALLENGE_PARAMS_MAX];
    size_t count;
};

/* What the list has given so far. */
struct search {
    struct raw_challenge raw;
    bool raw_begun;
    size_t challenges;
    struct challenge best;
    bool found;
    int code; /* why nothing was found, as yet */
    const char *cause;
};

static bool raw_has(const struct raw_challenge *raw, const struct auth_item *item) {
    for (size_t i = 0; i < raw->count; i++)
        if (raw->parameters[i].name_length == item->name_length &&
            strncasecmp(raw->parameters[i].name, item->name, item->name_length) == 0)
            return true;
    return false;
}

/* The value of a parameter: 0; -ENOENT; -ENOBUFS. */
static int raw_get(const struct raw_challenge *raw, const char *name, char *ret, size_t size) {
    for (size_t i = 0; i < raw->count; i++)
        if (auth_item_named(&raw->parameters[i], name))
            return auth_item_value(&raw->parameters[i], ret, size);
    return -ENOENT;
}

static bool raw_equals(const struct raw_challenge *raw, const char *name, const char *value) {
    char text[32];

    return raw_get(raw, name, text, sizeof(text)) == 0 && strcasecmp(text, value) == 0;
}

static void read_qop(const struct raw_challenge *raw, struct challenge *challenge) {
    char text[128], *rest = NULL;

    if (raw_get(raw, "qop", text, sizeof(text)) < 0)
        return;
    for (char *word = strtok_r(text, ", \t", &rest); word; word = strtok_r(NULL, ", \t", &rest)) {
        if (strcasecmp(word, "auth-int") == 0)
            challenge->qop_auth_int = true;
        else if (strcasecmp(word, "auth") == 0)
            challenge->qop_auth = true;
    }
}

static bool read_nonce(const struct raw_challenge *raw, struct challenge *challenge) {
    uint8_t decoded[NONCE_MAX];
    size_t length = 0;

    if (raw_get(raw, "nonce", challenge->nonce, sizeof(challenge->nonce)) < 0 ||
        base64_decode(challenge->nonce, strlen(challenge->nonce), decoded, sizeof(decoded),
                      &length) < 0 ||
        length < AKA_RAND_LENGTH + AKA_AUTN_LENGTH)
        return false;
    memcpy(challenge->rand, decoded, AKA_RAND_LENGTH);
    memcpy(challenge->autn, decoded + AKA_RAND_LENGTH, AKA_AUTN_LENGTH);
    return true;
}

/* Whether @raw is a challenge that we can answer; if not, why. */
static int read_challenge(const struct raw_challenge *raw, struct challenge *ret,
                          const char **ret_cause) {
    int r;

    if (!raw->digest || !raw_equals(raw, "algorithm", "AKAv1-MD5")) {
        *ret_cause = "there is no Digest challenge with algorithm AKAv1-MD5";
        return UB_E_CHALLENGE;
    }
    if (raw_get(raw, "realm", ret->realm, sizeof(ret->realm)) < 0 || !*ret->realm) {
        *ret_cause = "the realm is missing, empty or longer than 255 octets";
        return UB_E_CHALLENGE;
    }
    read_qop(raw, ret);
    if (!ret->qop_auth_int && !ret->qop_auth) {
        *ret_cause = "qop is neither auth-int nor auth";
        return UB_E_CHALLENGE;
    }
    r = raw_get(raw, "opaque", ret->opaque, sizeof(ret->opaque));
    if (r == -ENOBUFS) {
        *ret_cause = "opaque is longer than 1024 octets";
        return UB_E_CHALLENGE;
    }
    ret->has_opaque = r == 0;
    ret->stale = raw_equals(raw, "stale", "true");
    if (!read_nonce(raw, ret)) {
        *ret_cause = "the nonce is not base64 of RAND and AUTN (32 to 1024 octets)";
        return UB_E_NONCE;
    }
    return 0;
}

/* The challenge whose parameters were collected is complete: keep it if it is the best so far. */
static void search_consider(struct search *search) {
    struct challenge challenge = {0};
    const char *cause = NULL;
    int r;

    if (!search->raw_begun)
        return;
    r = read_challenge(&search->raw, &challenge, &cause);
    if (r == 0 && (!search->found || (challenge.qop_auth_int && !search->best.qop_auth_int))) {
        search->best = challenge;
        search->found = true;
    }
    /* A challenge that came near tells more than one that was never meant for us. */
    if (r != 0 && (!search->cause || search->raw.digest)) {
        search->code = r;
        search->cause = cause;
    }
    search->raw_begun = false;
}

static const char *search_item(struct search *search, const struct auth_item *item) {
    struct raw_challenge *raw = &search->raw;

    if (item->kind == AUTH_ITEM_SCHEME) {
        search_consider(search);
        if (search->challenges++ == CHALLENGES_MAX)
            return "there are more than 8 of them";
        *raw = (struct raw_challenge){.digest = auth_item_named(item, "Digest")};
        search->raw_begun = true;
        return NULL;
    }
    if (!search->raw_begun)
        return "a parameter stands before the first scheme";
    if (raw_has(raw, item))
        return "a parameter stands there twice";
    if (raw->count == CHALLENGE_PARAMS_MAX)
        return "one has more than 16 parameters";
    raw->parameters[raw->count++] = *item;
    return NULL;
}

/* Search one field value. Returns why the list is malformed, or NULL. */
static const char *search_value(struct search *search, const char *value) {
    struct auth_list list;
    struct auth_item item;
    size_t length = strnlen(value, HTTP_HEADER_MAX + 1);
    const char *wrong;

    if (length > HTTP_HEADER_MAX)
        return "the field is longer than 8192 octets";
    auth_list_init(&list, value, length);
    for (;;) {
        if (auth_list_next(&list, &item) < 0)
            return "the field is malformed";
        if (item.kind == AUTH_ITEM_END)
            break;
        wrong = search_item(search, &item);
        if (wrong)
            return wrong;
    }
    search_consider(search);
    return NULL;
}

int challenge_parse(const char *const *values, size_t count, struct challenge *ret,
                    struct failure *failure) {
    struct search search = {.code = UB_E_CHALLENGE};
    const char *wrong;

    for (size_t i = 0; i < count; i++) {
        wrong = search_value(&search, values[i]);
        if (wrong)
            return failure_set(failure, UB_E_CHALLENGE, "list of challenges refused: %s", wrong);
    }
    if (!search.found)
        return failure_set(failure, search.code, "no challenge that can be answered: %s",
                           search.cause ? search.cause : "there is none at all");
    *ret = search.best;
    return 0;
}
