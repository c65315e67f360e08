/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The BSF's challenge (TS 24.109 4.3, RFC 3310 3.2).
 *
 * A BSF may send several challenges, in one field or in several. The best one that we can answer is taken: Digest with
 * an algorithm of those that the caller has, and auth-int before auth. A list that breaks the grammar anywhere is
 * refused as a whole, since nobody can say what its sender meant.
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
    unsigned algorithms; /* that can be answered */
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

/* From the best to the least. */
static const struct {
    enum challenge_algorithm algorithm;
    const char *name;
} algorithm_names[] = {
    {CHALLENGE_AKAV2_MD5, "AKAv2-MD5"},
    {CHALLENGE_AKAV1_MD5, "AKAv1-MD5"},
    {CHALLENGE_SHA_256, "SHA-256"},
    {CHALLENGE_MD5, "MD5"},
};

const char *challenge_algorithm_name(enum challenge_algorithm algorithm) {
    for (size_t i = 0; i < ELEMENTS(algorithm_names); i++)
        if (algorithm_names[i].algorithm == algorithm)
            return algorithm_names[i].name;
    return "AKAv1-MD5";
}

static bool is_aka(enum challenge_algorithm algorithm) {
    return algorithm == CHALLENGE_AKAV1_MD5 || algorithm == CHALLENGE_AKAV2_MD5;
}

/* Whether the algorithm is one of @algorithms. */
static bool read_algorithm(const struct raw_challenge *raw, unsigned algorithms,
                           struct challenge *challenge) {
    char text[32];
    int r = raw_get(raw, "algorithm", text, sizeof(text));

    if (r == -ENOENT)
        (void)strcpy(text, "MD5");
    else if (r < 0)
        return false;
    for (size_t i = 0; i < ELEMENTS(algorithm_names); i++)
        if (strcasecmp(text, algorithm_names[i].name) == 0) {
            challenge->algorithm = algorithm_names[i].algorithm;
            return (algorithms & (unsigned)challenge->algorithm) != 0;
        }
    return false;
}

/* RAND and AUTN; what follows is the BSF's own, but for Ks-input of 2G GBA (TS 33.220 Annex I). */
static const char *read_nonce_aka(struct challenge *challenge) {
    uint8_t decoded[NONCE_MAX];
    size_t length = 0;

    if (base64_decode(challenge->nonce, strlen(challenge->nonce), decoded, sizeof(decoded),
                      &length) < 0 ||
        length < AKA_RAND_LENGTH + AKA_AUTN_LENGTH)
        return "the nonce is not base64 of RAND and AUTN (32 to 1024 octets)";
    memcpy(challenge->rand, decoded, AKA_RAND_LENGTH);
    memcpy(challenge->autn, decoded + AKA_RAND_LENGTH, AKA_AUTN_LENGTH);
    challenge->has_ks_input = length >= AKA_RAND_LENGTH + AKA_AUTN_LENGTH + GBA_KS_INPUT_LENGTH;
    if (challenge->has_ks_input)
        memcpy(challenge->ks_input, decoded + AKA_RAND_LENGTH + AKA_AUTN_LENGTH,
               GBA_KS_INPUT_LENGTH);
    return NULL;
}

/* Why the nonce cannot be used, or NULL. */
static const char *read_nonce(const struct raw_challenge *raw, struct challenge *challenge) {
    int r = raw_get(raw, "nonce", challenge->nonce, sizeof(challenge->nonce));

    if (is_aka(challenge->algorithm))
        return r < 0 ? "the nonce is missing or longer than 1024 octets"
                     : read_nonce_aka(challenge);
    return r < 0 || !*challenge->nonce || strlen(challenge->nonce) > DIGEST_NONCE_MAX
               ? "the nonce is not 1 to 255 octets"
               : NULL;
}

/* Whether @raw is a challenge that we can answer; if not, why. */
static int read_challenge(const struct raw_challenge *raw, unsigned algorithms,
                          struct challenge *ret, const char **ret_cause) {
    int r;

    if (!raw->digest || !read_algorithm(raw, algorithms, ret)) {
        *ret_cause = algorithms & CHALLENGE_AKAV1_MD5
                         ? "there is no Digest challenge with algorithm AKAv1-MD5"
                         : "there is no Digest challenge with algorithm SHA-256 or MD5";
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
    *ret_cause = read_nonce(raw, ret);
    return *ret_cause ? UB_E_NONCE : 0;
}

/* Among those that can be answered: a proof that covers the body first, then the better algorithm. */
static bool is_better(const struct challenge *challenge, const struct challenge *than) {
    if (challenge->qop_auth_int != than->qop_auth_int)
        return challenge->qop_auth_int;
    for (size_t i = 0; i < ELEMENTS(algorithm_names); i++)
        if ((challenge->algorithm == algorithm_names[i].algorithm) !=
            (than->algorithm == algorithm_names[i].algorithm))
            return challenge->algorithm == algorithm_names[i].algorithm;
    return false;
}

/* The challenge whose parameters were collected is complete: keep it if it is the best so far. */
static void search_consider(struct search *search) {
    struct challenge challenge = {0};
    const char *cause = NULL;
    int r;

    if (!search->raw_begun)
        return;
    r = read_challenge(&search->raw, search->algorithms, &challenge, &cause);
    if (r == 0 && (!search->found || is_better(&challenge, &search->best))) {
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

int challenge_parse(const char *const *values, size_t count, unsigned algorithms,
                    struct challenge *ret, struct failure *failure) {
    struct search search = {.algorithms = algorithms, .code = UB_E_CHALLENGE};
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
