/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fields of authentication: each line is one value of WWW-Authenticate, and the whole is once more read as
 * Authentication-Info. What is accepted must be of an algorithm that was asked for, fit to be answered, and the answer fit
 * for a header.
 */

#include <stdlib.h>
#include <string.h>

#include "gba.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void check_answer(const struct challenge *challenge) {
    _cleanup_free_ char *value = NULL;
    const struct digest_input input = {
        .algorithm = challenge->algorithm,
        .username = "user@example.com",
        .realm = challenge->realm,
        .nonce = challenge->nonce,
        .uri = "/",
        .method = "GET",
        .cnonce = "0123456789abcdef",
        .nc = 1,
        .auth_int = challenge->qop_auth_int,
    };

    check(*challenge->realm && (challenge->qop_auth || challenge->qop_auth_int));
    if (challenge->algorithm == CHALLENGE_MD5 || challenge->algorithm == CHALLENGE_SHA_256)
        check(*challenge->nonce && strlen(challenge->nonce) <= DIGEST_NONCE_MAX);
    else
        check(strlen(challenge->nonce) >= (challenge->has_ks_input ? 64 : 44));
    check(digest_authorization(&input, challenge, NULL, challenge->autn, &value) == 0);
    for (const char *p = value; *p; p++)
        check((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void check_info(const char *value) {
    struct failure failure = {0};
    const struct digest_input input = {
        .username = "u",
        .realm = "r",
        .nonce = "n",
        .uri = "/",
        .method = "GET",
        .cnonce = "c",
        .nc = 1,
        .auth_int = true,
    };
    int r = digest_check_rspauth(value, &input, NULL, (const uint8_t *)"body", 4, &failure);

    check(r >= 0 && failure.code == r);
}

/* As GBA_ME with AKAv2, as GBA_U, and as GBA_Digest. */
static void check_challenges(const char *const *values, size_t count) {
    static const unsigned sets[] = {CHALLENGE_AKAV1_MD5 | CHALLENGE_AKAV2_MD5, CHALLENGE_AKAV1_MD5,
                                    CHALLENGE_SHA_256 | CHALLENGE_MD5};

    for (size_t i = 0; i < ELEMENTS(sets); i++) {
        struct challenge challenge;
        struct failure failure = {0};
        int r = challenge_parse(values, count, sets[i], &challenge, &failure);

        check(failure.code == r);
        if (r == 0) {
            check(((unsigned)challenge.algorithm & sets[i]) != 0);
            check_answer(&challenge);
        } else {
            check(r == UB_E_CHALLENGE || r == UB_E_NONCE);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool arena;
    _cleanup_free_ char *text = NULL;
    const char *values[16];
    size_t count = 0;
    char *rest;

    if (!arena)
        check(secret_arena_init() == 0);
    arena = true;

    text = malloc(size + 1);
    check(text);
    memcpy(text, data, size);
    text[size] = 0;
    check_info(text);

    rest = text;
    while (count < ELEMENTS(values) && rest)
        values[count++] = strsep(&rest, "\n");
    check_challenges(values, count);
    check(secret_arena_used() == 0);
    return 0;
}
