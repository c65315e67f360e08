/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The right challenge is found in whatever list a BSF may send, and a list that is not one is refused.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gba.h"
#include "unit/gba-vectors.h"

#define NONCE_PARAMETER "nonce=\"" VECTOR_NONCE "\""
#define USUAL                                           \
    "Digest realm=\"" VECTOR_BSF "\", " NONCE_PARAMETER \
    ", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""

static struct challenge parse(const char *value) {
    struct challenge challenge;
    struct failure failure = {0};

    memset(&challenge, 0xaa, sizeof(challenge));
    if (challenge_parse(&value, 1, CHALLENGE_AKAV1_MD5, &challenge, &failure) != 0)
        fail_msg("%s: %s", value, failure.text);
    return challenge;
}

static void assert_refused(const char *value, int code) {
    struct challenge challenge, before;
    struct failure failure = {0};

    memset(&challenge, 0xaa, sizeof(challenge));
    memcpy(&before, &challenge, sizeof(before));
    if (challenge_parse(&value, 1, CHALLENGE_AKAV1_MD5, &challenge, &failure) != code)
        fail_msg("'%s' was not refused with %#x", value, (unsigned)code);
    assert_int_equal(failure.code, code);
    assert_true(*failure.text);
    assert_memory_equal(&challenge, &before, sizeof(before));
}

static void test_usual_challenge_is_read_whole(void **state _unused_) {
    struct challenge challenge = parse(USUAL);
    uint8_t rand[AKA_RAND_LENGTH], autn[AKA_AUTN_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    octets_of(VECTOR_AUTN, autn, sizeof(autn));
    assert_string_equal(challenge.realm, VECTOR_BSF);
    assert_string_equal(challenge.nonce, VECTOR_NONCE);
    assert_true(challenge.has_opaque);
    assert_string_equal(challenge.opaque, "5ccc069c403ebaf9f0171e9517f40e41");
    assert_true(challenge.qop_auth_int);
    assert_false(challenge.qop_auth);
    assert_false(challenge.stale);
    assert_memory_equal(challenge.rand, rand, sizeof(rand));
    assert_memory_equal(challenge.autn, autn, sizeof(autn));
}

/* Forms that BSFs in the field use. */
static void test_forms_of_the_field_are_read(void **state _unused_) {
    static const struct {
        const char *value;
        bool auth_int, auth, opaque, stale;
    } cases[] = {
        {"digest Realm=r," NONCE_PARAMETER ",ALGORITHM=akav1-md5,qop=auth", 0, 1, 0, 0},
        {"Digest realm=\"r\", " NONCE_PARAMETER ", algorithm=\"AKAv1-MD5\", qop=\"auth,auth-int\"",
         1, 1, 0, 0},
        {"Digest realm=\"r\", " NONCE_PARAMETER
         ", algorithm=AKAv1-MD5, qop=\"token , auth-int\", opaque=\"\"",
         1, 0, 1, 0},
        {"Digest realm=\"r\" ,," NONCE_PARAMETER
         "\t,algorithm = AKAv1-MD5 , qop =\"auth\", stale=TRUE, domain=\"/\", future=x ,",
         0, 1, 0, 1},
        {"Digest , realm=\"r\", " NONCE_PARAMETER
         ", algorithm=AKAv1-MD5, qop=auth-int, stale=\"false\"",
         1, 0, 0, 0},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct challenge challenge = parse(cases[i].value);

        assert_string_equal(challenge.realm, "r");
        assert_int_equal(challenge.qop_auth_int, cases[i].auth_int);
        assert_int_equal(challenge.qop_auth, cases[i].auth);
        assert_int_equal(challenge.has_opaque, cases[i].opaque);
        assert_int_equal(challenge.stale, cases[i].stale);
    }
}

static void test_escapes_in_quoted_strings_are_undone(void **state _unused_) {
    struct challenge challenge =
        parse("Digest realm=\"a \\\"b\\\" \\\\ c, Digest x=\", " NONCE_PARAMETER
              ", algorithm=\"AKA\\v1-MD5\", qop=auth, opaque=\"\\o\"");

    assert_string_equal(challenge.realm, "a \"b\" \\ c, Digest x=");
    assert_string_equal(challenge.opaque, "o");
}

/* Other schemes before, between and after; with token68, parameters or nothing. */
static void test_ours_is_found_among_other_challenges(void **state _unused_) {
    static const char *const values[] = {
        "Basic realm=\"Digest realm=x, algorithm=AKAv1-MD5\", " USUAL,
        "Negotiate, " USUAL,
        "Negotiate oRQwEqADCgEBoQsGCSqGSIL3EgECAg==, " USUAL,
        USUAL ", Bearer",
        USUAL ", Basic realm=\"x\"",
        "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-256, qop=auth, " USUAL,
        "Digest realm=\"x\", " NONCE_PARAMETER ", algorithm=AKAv2-MD5, qop=auth-int, " USUAL,
        "Digest realm=\"x\", nonce=\"AAAA\", algorithm=AKAv1-MD5, qop=auth-int, " USUAL,
    };

    for (size_t i = 0; i < ELEMENTS(values); i++)
        assert_string_equal(parse(values[i]).realm, VECTOR_BSF);
}

static void test_auth_int_is_preferred_and_else_the_first(void **state _unused_) {
    static const char *const values[] = {
        "Digest realm=\"first\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Basic realm=\"x\"",
        "Digest realm=\"second\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth-int",
        "Digest realm=\"third\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=\"auth,auth-int\"",
    };
    struct challenge challenge;

    assert_int_equal(
        challenge_parse(values, ELEMENTS(values), CHALLENGE_AKAV1_MD5, &challenge, NULL), 0);
    assert_string_equal(challenge.realm, "second");
    assert_int_equal(challenge_parse(values, 2, CHALLENGE_AKAV1_MD5, &challenge, NULL), 0);
    assert_string_equal(challenge.realm, "first");
}

static void test_challenges_that_are_not_for_us_are_refused(void **state _unused_) {
    static const char *const values[] = {
        "",
        " , ,",
        "Basic realm=\"x\"",
        "Negotiate",
        "Digest",
        "Digest realm=\"r\", " NONCE_PARAMETER ", qop=auth", /* no algorithm means MD5 */
        "Digest realm=\"r\", " NONCE_PARAMETER ", algorithm=MD5, qop=auth",
        "Digest realm=\"r\", " NONCE_PARAMETER ", algorithm=AKAv2-MD5, qop=auth-int",
        "Digest " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest realm=\"\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest realm=\"r\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5",
        "Digest realm=\"r\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=\"auth-conf\"",
    };

    for (size_t i = 0; i < ELEMENTS(values); i++)
        assert_refused(values[i], UB_E_CHALLENGE);
    assert_int_equal(challenge_parse(NULL, 0, CHALLENGE_AKAV1_MD5, &(struct challenge){0}, NULL),
                     UB_E_CHALLENGE);
}

static void test_nonces_without_rand_and_autn_are_refused(void **state _unused_) {
    static const char *const nonces[] = {
        "",
        "AAAA",
        "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfrw==", /* 31 octets */
        "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M",  /* no padding */
        "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7N=", /* bits behind the end */
        "I1U8vpY3qJ0hiuZN rke/NVXzKLQ1d7m5Sp/6w1Tfr7M=",
        "23553cbe9637a89d218ae64dae47bf35:55f328b43577b9b94a9ffac354dfafb3",
    };
    char value[512];

    for (size_t i = 0; i < ELEMENTS(nonces); i++) {
        (void)snprintf(value, sizeof(value),
                       "Digest realm=\"r\", algorithm=AKAv1-MD5, qop=auth, nonce=\"%s\"",
                       nonces[i]);
        assert_refused(value, UB_E_NONCE);
    }
    assert_refused("Digest realm=\"r\", algorithm=AKAv1-MD5, qop=auth", UB_E_NONCE);
}

static void test_malformed_lists_are_refused(void **state _unused_) {
    static const char *const values[] = {
        "realm=\"r\"",
        "=",
        "\"Digest\"",
        "Digest realm=",
        "Digest realm=\"r",
        "Digest realm=\"r\\",
        "Digest realm=\"r\\\"",
        "Digest realm=\"r\" " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest Basic realm=\"r\"",
        "Negotiate " USUAL,
        "Digest realm=\"r\"x",
        "Digest realm=\"r\nx\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest realm=\"r\\\rx\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest realm=\"r\x7f\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest realm=r\x01, " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest realm=\"r\", realm=\"s\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth",
        "Digest realm=\"r\", " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth, QOP=auth-int",
        USUAL ", Basic realm=\"x",
        USUAL "; Basic",
        USUAL ", (",
    };

    for (size_t i = 0; i < ELEMENTS(values); i++)
        assert_refused(values[i], UB_E_CHALLENGE);
}

/* A whole list is refused for what one value of it has, even when another value would do. */
static void test_one_malformed_value_spoils_the_list(void **state _unused_) {
    static const char *const values[] = {USUAL, "Basic realm=\"x"};
    struct challenge challenge;

    assert_int_equal(challenge_parse(values, 1, CHALLENGE_AKAV1_MD5, &challenge, NULL), 0);
    assert_int_equal(challenge_parse(values, 2, CHALLENGE_AKAV1_MD5, &challenge, NULL),
                     UB_E_CHALLENGE);
}

/* Append @count elements that begin with @element and have a number and @end. */
static void append(char *text, size_t size, const char *element, const char *end, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        size_t length = strlen(text);

        (void)snprintf(text + length, size - length, ", %s%u%s", element, i, end);
    }
}

static void test_limits_are_held(void **state _unused_) {
    char value[HTTP_HEADER_MAX + 64] = USUAL;
    char realm[REALM_MAX + 2] = "";

    append(value, sizeof(value), "x", "=y", CHALLENGE_PARAMS_MAX - 5);
    (void)parse(value);
    append(value, sizeof(value), "z", "=y", 1);
    assert_refused(value, UB_E_CHALLENGE);

    (void)snprintf(value, sizeof(value), "%s", USUAL);
    append(value, sizeof(value), "Scheme", "", CHALLENGES_MAX - 1);
    (void)parse(value);
    append(value, sizeof(value), "Another", "", 1);
    assert_refused(value, UB_E_CHALLENGE);

    memset(realm, 'r', REALM_MAX);
    (void)snprintf(value, sizeof(value),
                   "Digest " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth, realm=\"%s\"",
                   realm);
    assert_string_equal(parse(value).realm, realm);
    realm[REALM_MAX] = 'r';
    (void)snprintf(value, sizeof(value),
                   "Digest " NONCE_PARAMETER ", algorithm=AKAv1-MD5, qop=auth, realm=\"%.256s\"",
                   realm);
    assert_refused(value, UB_E_CHALLENGE);

    memset(value, ' ', sizeof(value));
    memcpy(value, USUAL, strlen(USUAL));
    value[HTTP_HEADER_MAX] = 0;
    (void)parse(value);
    value[HTTP_HEADER_MAX] = ' ';
    value[HTTP_HEADER_MAX + 1] = 0;
    assert_refused(value, UB_E_CHALLENGE);
}

/* The longest nonce and opaque fit; one octet more does not. */
static void test_long_nonces_and_opaques_are_bounded(void **state _unused_) {
    static uint8_t octets[NONCE_MAX + 1];
    char value[HTTP_HEADER_MAX], opaque[NONCE_MAX + 2] = "";

    memset(opaque, 'o', NONCE_MAX);
    for (size_t extra = 0; extra < 2; extra++) {
        _cleanup_free_ char *nonce = NULL;

        assert_int_equal(base64_encode(octets, NONCE_MAX + extra, &nonce), 0);
        (void)snprintf(value, sizeof(value),
                       "Digest realm=r, algorithm=AKAv1-MD5, qop=auth, opaque=%s, nonce=\"%s\"",
                       opaque, nonce);
        if (extra == 0)
            assert_string_equal(parse(value).nonce, nonce);
        else
            assert_refused(value, UB_E_NONCE);
    }
    opaque[NONCE_MAX] = 'o';
    (void)snprintf(value, sizeof(value),
                   "Digest realm=r, algorithm=AKAv1-MD5, qop=auth, " NONCE_PARAMETER
                   ", opaque=%.1025s",
                   opaque);
    assert_refused(value, UB_E_CHALLENGE);
}

/* Every beginning of a good list, in memory that ends where it ends: nothing beyond is read. */
static void test_every_beginning_is_answered_without_reading_on(void **state _unused_) {
    static const char whole[] = "Negotiate a==, " USUAL ", Basic realm=\"\\x\"";

    for (size_t length = 0; length < sizeof(whole); length++) {
        _cleanup_free_ char *value = strndup(whole, length);
        const char *values[] = {value};
        struct challenge challenge;

        assert_non_null(value);
        (void)challenge_parse(values, 1, CHALLENGE_AKAV1_MD5, &challenge, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_challenge_is_read_whole),
        cmocka_unit_test(test_forms_of_the_field_are_read),
        cmocka_unit_test(test_escapes_in_quoted_strings_are_undone),
        cmocka_unit_test(test_ours_is_found_among_other_challenges),
        cmocka_unit_test(test_auth_int_is_preferred_and_else_the_first),
        cmocka_unit_test(test_challenges_that_are_not_for_us_are_refused),
        cmocka_unit_test(test_nonces_without_rand_and_autn_are_refused),
        cmocka_unit_test(test_malformed_lists_are_refused),
        cmocka_unit_test(test_one_malformed_value_spoils_the_list),
        cmocka_unit_test(test_limits_are_held),
        cmocka_unit_test(test_long_nonces_and_opaques_are_bounded),
        cmocka_unit_test(test_every_beginning_is_answered_without_reading_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
