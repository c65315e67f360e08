/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Digest AKA gives the worked example's values, writes fields that nobody can break out of, and believes the
 * BSF only with the right proof.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gba.h"
#include "unit/arena.h"
#include "unit/gba-vectors.h"

static const struct digest_input usual = {
    .username = VECTOR_IMPI,
    .realm = VECTOR_BSF,
    .nonce = VECTOR_NONCE,
    .uri = "/",
    .method = "GET",
    .cnonce = VECTOR_CNONCE,
    .nc = 1,
    .auth_int = true,
};

static void test_response_of_the_worked_example(void **state _unused_) {
    _cleanup_secret_ struct secret *res = secret_of(VECTOR_RES);
    char response[DIGEST_HEX_MAX + 1];

    assert_int_equal(digest_response(&usual, res, response), 0);
    assert_string_equal(response, VECTOR_RESPONSE);
    assert_int_equal(digest_response(&usual, NULL, response), 0);
    assert_string_equal(response, VECTOR_AUTS_RESPONSE);
}

/* A RES is any octets: with NUL and ":" in it. Computed with Python's hashlib, as are auth and nc 10. */
static void test_responses_of_other_inputs(void **state _unused_) {
    _cleanup_secret_ struct secret *odd = secret_of("003a0022");
    _cleanup_secret_ struct secret *res = secret_of(VECTOR_RES);
    struct digest_input input = usual;
    char response[DIGEST_HEX_MAX + 1];

    assert_int_equal(digest_response(&input, odd, response), 0);
    assert_string_equal(response, "da61dbfcda1b960611799bd91d66c1dd");
    input.auth_int = false;
    input.nc = 10;
    assert_int_equal(digest_response(&input, res, response), 0);
    assert_string_equal(response, "a94bf716591c944b7ddf724a95624bf3");
    input.auth_int = true;
    input.nc = 1;
    input.body = (const uint8_t *)"body";
    input.body_length = 4;
    assert_int_equal(digest_response(&input, res, response), 0);
    assert_string_equal(response, "0a8faf2152e9a72d56e8920d83c538d9");
}

static void test_first_request_has_an_empty_nonce(void **state _unused_) {
    _cleanup_free_ char *value = NULL;

    assert_int_equal(digest_initial(VECTOR_IMPI, VECTOR_BSF, "/", &value), 0);
    assert_string_equal(value, "Digest username=\"" VECTOR_IMPI "\", realm=\"" VECTOR_BSF
                               "\", nonce=\"\", uri=\"/\", response=\"\"");
}

static void test_authorization_of_the_worked_example(void **state _unused_) {
    static const struct challenge challenge = {.opaque = "op", .has_opaque = true};
    _cleanup_secret_ struct secret *res = secret_of(VECTOR_RES);
    _cleanup_free_ char *value = NULL;

    assert_int_equal(digest_authorization(&usual, &challenge, res, NULL, &value), 0);
    assert_string_equal(value,
                        "Digest username=\"" VECTOR_IMPI "\", realm=\"" VECTOR_BSF
                        "\", nonce=\"" VECTOR_NONCE "\", uri=\"/\", qop=auth-int, nc=00000001"
                        ", cnonce=\"" VECTOR_CNONCE "\", response=\"" VECTOR_RESPONSE
                        "\", opaque=\"op\", algorithm=AKAv1-MD5");
}

/* AUTS is base64 (not hex) in quotes, and the password is empty. */
static void test_authorization_with_auts(void **state _unused_) {
    static const struct challenge challenge = {.has_opaque = false};
    _cleanup_free_ char *value = NULL;
    uint8_t auts[AKA_AUTS_LENGTH];

    octets_of("000102030405060708090a0bfeff", auts, sizeof(auts));
    assert_int_equal(digest_authorization(&usual, &challenge, NULL, auts, &value), 0);
    assert_string_equal(value,
                        "Digest username=\"" VECTOR_IMPI "\", realm=\"" VECTOR_BSF
                        "\", nonce=\"" VECTOR_NONCE "\", uri=\"/\", qop=auth-int, nc=00000001"
                        ", cnonce=\"" VECTOR_CNONCE "\", response=\"" VECTOR_AUTS_RESPONSE
                        "\", algorithm=AKAv1-MD5, auts=\"AAECAwQFBgcICQoL/v8=\"");
}

static void test_quotes_are_escaped_and_hashed_as_they_are(void **state _unused_) {
    static const struct challenge challenge = {.opaque = "\"\\", .has_opaque = true};
    _cleanup_secret_ struct secret *res = secret_of(VECTOR_RES);
    _cleanup_free_ char *value = NULL, *initial = NULL;
    struct digest_input input = usual;
    char response[DIGEST_HEX_MAX + 1];

    input.realm = "a\"b\\c";
    assert_int_equal(digest_response(&input, res, response), 0);
    assert_string_equal(response, "cadb0c28363b5ec04403f86929c58a02");
    assert_int_equal(digest_authorization(&input, &challenge, res, NULL, &value), 0);
    assert_non_null(strstr(value, "realm=\"a\\\"b\\\\c\","));
    assert_non_null(strstr(value, "opaque=\"\\\"\\\\\","));
    assert_non_null(strstr(value, response));
    assert_int_equal(digest_initial("u\"", "r\\", "/", &initial), 0);
    assert_non_null(strstr(initial, "username=\"u\\\"\", realm=\"r\\\\\""));
}

/* Whatever holds a line break would begin a field of its own. */
static void test_control_characters_never_get_into_a_field(void **state _unused_) {
    static const char *const wrong[] = {"a\r\nX: y", "a\nb", "a\tb", "a\x7f"};
    struct challenge challenge = {.has_opaque = true};
    char *value = NULL;

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct digest_input inputs[] = {usual, usual, usual, usual, usual};

        inputs[0].username = inputs[1].realm = inputs[2].nonce = wrong[i];
        inputs[3].uri = inputs[4].cnonce = wrong[i];
        for (size_t j = 0; j < ELEMENTS(inputs); j++)
            assert_int_equal(digest_authorization(&inputs[j], &challenge, NULL, NULL, &value),
                             -EINVAL);
        (void)snprintf(challenge.opaque, sizeof(challenge.opaque), "%s", wrong[i]);
        assert_int_equal(digest_authorization(&usual, &challenge, NULL, NULL, &value), -EINVAL);
        *challenge.opaque = 0;
        assert_int_equal(digest_initial(wrong[i], "r", "/", &value), -EINVAL);
        assert_int_equal(digest_initial("u", wrong[i], "/", &value), -EINVAL);
        assert_int_equal(digest_initial("u", "r", wrong[i], &value), -EINVAL);
    }
    assert_null(value);
}

static void test_fields_beyond_the_limit_are_refused(void **state _unused_) {
    static char uri[HTTP_HEADER_MAX + 1];
    static const struct challenge challenge;
    struct digest_input input = usual;
    char *value = NULL;

    memset(uri, 'u', sizeof(uri) - 1);
    input.uri = uri;
    assert_int_equal(digest_initial("u", "r", uri, &value), -EMSGSIZE);
    assert_int_equal(digest_authorization(&input, &challenge, NULL, NULL, &value), -EMSGSIZE);
    assert_null(value);
}

static int check(const char *value, const struct digest_input *input, const char *body) {
    _cleanup_secret_ struct secret *res = secret_of(VECTOR_RES);
    struct failure failure = {0};
    int r;

    r = digest_check_rspauth(value, input, res, (const uint8_t *)body, strlen(body), &failure);
    assert_int_equal(failure.code, r);
    return r;
}

#define INFO \
    "qop=auth-int, rspauth=\"" VECTOR_RSPAUTH "\", cnonce=\"" VECTOR_CNONCE "\", nc=00000001"

static void test_right_proofs_are_believed(void **state _unused_) {
    static const char *const values[] = {
        INFO,
        INFO ", opaque=\"x\", nextnonce=\"abc\", future=\"y\"",
        "rspauth=\"" VECTOR_RSPAUTH "\"",
        "RSPAUTH = 098AE0FD29A94D7D411D9C692407EF18 , nc=\"00000001\"",
    };

    for (size_t i = 0; i < ELEMENTS(values); i++)
        assert_int_equal(check(values[i], &usual, VECTOR_BODY), 0);
}

/* One octet of the body, of the proof, of the password's other use: everything must be right. */
static void test_wrong_proofs_are_not_believed(void **state _unused_) {
    static const char *const values[] = {
        "rspauth=\"098ae0fd29a94d7d411d9c692407ef19\"",
        "rspauth=\"" VECTOR_RESPONSE "\"", /* our own response, sent back */
        "rspauth=\"098ae0fd29a94d7d411d9c692407ef1\"",
        "rspauth=\"098ae0fd29a94d7d411d9c692407ef\"",
        "rspauth=\"098ae0fd29a94d7d411d9c692407ef1800\"",
        "rspauth=\"098ae0fd29a94d7d411d9c692407ef1x\"",
        "rspauth=\"" VECTOR_RSPAUTH "\", cnonce=\"another\"",
        "rspauth=\"" VECTOR_RSPAUTH "\", nc=00000002",
        "rspauth=\"" VECTOR_RSPAUTH "\", rspauth=\"" VECTOR_RSPAUTH "\"",
        "Digest rspauth=\"" VECTOR_RSPAUTH "\"",
        "rspauth=\"" VECTOR_RSPAUTH,
        INFO ", a=1, b=1, c=1, d=1, e=1, f=1, g=1, h=1, i=1, j=1, k=1, l=1, m=1, n=1",
    };
    struct digest_input input = usual;

    for (size_t i = 0; i < ELEMENTS(values); i++)
        assert_int_equal(check(values[i], &usual, VECTOR_BODY), UB_E_RSPAUTH_WRONG);
    assert_int_equal(check(INFO, &usual, VECTOR_BODY " "), UB_E_RSPAUTH_WRONG);
    input.auth_int = false;
    assert_int_equal(check(INFO, &input, VECTOR_BODY), UB_E_RSPAUTH_WRONG);
}

static void test_missing_proofs_are_told_from_wrong_ones(void **state _unused_) {
    assert_int_equal(check(NULL, &usual, VECTOR_BODY), UB_E_RSPAUTH_MISSING);
    assert_int_equal(check("", &usual, VECTOR_BODY), UB_E_RSPAUTH_MISSING);
    assert_int_equal(check("nextnonce=\"x\"", &usual, VECTOR_BODY), UB_E_RSPAUTH_MISSING);
}

/* With qop auth the body is not part of the proof (RFC 7616 3.5). */
static void test_proof_with_qop_auth(void **state _unused_) {
    struct digest_input input = usual;

    input.auth_int = false;
    assert_int_equal(check("rspauth=\"918a2e10fd5291c7a339b59e963b7cb8\"", &input, VECTOR_BODY), 0);
    assert_int_equal(check("rspauth=\"918a2e10fd5291c7a339b59e963b7cb8\"", &input, "x"), 0);
    assert_int_equal(check("rspauth=\"918a2e10fd5291c7a339b59e963b7cb8\"", &usual, VECTOR_BODY),
                     UB_E_RSPAUTH_WRONG);
}

static void test_a_full_arena_is_reported(void **state _unused_) {
    static const struct challenge challenge;
    struct arena_filler filler = {0};
    char response[DIGEST_HEX_MAX + 1], *value = NULL;

    arena_fill(&filler);
    assert_int_equal(digest_response(&usual, NULL, response), -ENOMEM);
    assert_int_equal(digest_authorization(&usual, &challenge, NULL, NULL, &value), -ENOMEM);
    assert_int_equal(digest_check_rspauth(INFO, &usual, NULL, NULL, 0, NULL), -ENOMEM);
    assert_null(value);
    arena_relieve(&filler);
}

/* A field beyond the limit is wrong even where its end, which nobody reads, would be right. */
static void test_proofs_beyond_the_limit_are_not_read(void **state _unused_) {
    static char value[HTTP_HEADER_MAX + 2];

    memset(value, ' ', sizeof(value) - 1);
    memcpy(value, INFO, strlen(INFO));
    assert_int_equal(check(value, &usual, VECTOR_BODY), UB_E_RSPAUTH_WRONG);
    value[HTTP_HEADER_MAX] = 0;
    assert_int_equal(check(value, &usual, VECTOR_BODY), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, arena_empty)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_response_of_the_worked_example),
        TEST(test_responses_of_other_inputs),
        TEST(test_first_request_has_an_empty_nonce),
        TEST(test_authorization_of_the_worked_example),
        TEST(test_authorization_with_auts),
        TEST(test_quotes_are_escaped_and_hashed_as_they_are),
        TEST(test_control_characters_never_get_into_a_field),
        TEST(test_fields_beyond_the_limit_are_refused),
        TEST(test_right_proofs_are_believed),
        TEST(test_wrong_proofs_are_not_believed),
        TEST(test_missing_proofs_are_told_from_wrong_ones),
        TEST(test_proof_with_qop_auth),
        TEST(test_proofs_beyond_the_limit_are_not_read),
        TEST(test_a_full_arena_is_reported),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
