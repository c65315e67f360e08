/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A bootstrap in each mode of GBA says and keeps what that mode wants, and no other mode's: GBA_U without a Ks, 2G GBA and
 * GBA_Digest over https alone, AKAv2 where CK and IK are here, and a temporary identity where the BSF knows it.
 */

#include "unit/ub-assert.h"

#define TMPI "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org"

#define CHALLENGED_2G                                                                   \
    {                                                                                   \
        .status = 401, .fields = { CHALLENGE_WITH(VECTOR_NONCE_2G, ", opaque=\"op\"") } \
    }
#define CHALLENGE_DIGEST(more) \
    "WWW-Authenticate: Digest realm=\"" VECTOR_REALM_DIGEST "\", qop=\"auth-int\"" more
#define CHALLENGED_DIGEST                                                          \
    {                                                                              \
        .status = 401, .fields = {                                                 \
            CHALLENGE_DIGEST(", algorithm=MD5, nonce=\"" VECTOR_NONCE_DIGEST "\"") \
        }                                                                          \
    }

static struct ub_parameters parameters_of(enum gba_mode mode) {
    struct ub_parameters parameters = world_parameters;

    parameters.mode = mode;
    if (mode == GBA_MODE_2G || mode == GBA_MODE_DIGEST)
        parameters.scheme = "https";
    return parameters;
}

static void assert_secret(const struct secret *secret, const char *hex) {
    _cleanup_secret_ struct secret *expected = secret_of(hex);

    assert_true(secret_equal(secret, expected));
}

static void assert_derives(const struct ub_result *result, const char *hex) {
    static const uint8_t ua[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    _cleanup_secret_ struct secret *key = NULL;

    assert_int_equal(ub_result_derive(result, "naf.example.com", ua, &key), 0);
    assert_secret(key, hex);
}

/* --- GBA_ME ---------------------------------------------------------------------------------------- */

static void test_gba_me_derives_as_ever_and_keeps_the_lifetime_as_received(void **state _unused_) {
    static const struct step steps[] = {
        CHALLENGED,
        {.status = 200,
         .fields = {TYPE},
         .body = BODY(VECTOR_BTID, " 2030-01-01T00:00:00.5+00:00\n", ""),
         .proof = true}};
    _cleanup_ub_result_ struct ub_result result = succeed(steps, NULL);

    assert_string_equal(result.lifetime_text, "2030-01-01T00:00:00.5+00:00");
    assert_string_equal(result.nonce, "");
    assert_derives(&result, "ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08");
}

static void test_a_lifetime_that_would_not_fit_the_card_is_refused(void **state _unused_) {
    static const struct step steps[] = {
        CHALLENGED,
        {.status = 200,
         .fields = {TYPE},
         .body =
             BODY(VECTOR_BTID,
                  "2030-01-01T00:00:00.00000000000000000000000000000000000000000000000000Z", ""),
         .proof = true}};

    assert_fails(steps, NULL, UB_E_INFO_MALFORMED);
}

static void test_akav2_is_taken_where_allowed(void **state _unused_) {
    static const struct step steps[] = {
        {.status = 401,
         .fields = {CHALLENGE_WITH(VECTOR_NONCE, ""),
                    "WWW-Authenticate: Digest realm=\"" VECTOR_BSF "\", nonce=\"" VECTOR_NONCE
                    "\", algorithm=AKAv2-MD5, qop=\"auth-int\""}},
        ACCEPTED};
    struct ub_parameters parameters = parameters_of(GBA_MODE_ME);
    char password[2 * sizeof(VECTOR_AKAV2_PASSWORD)], response[33];

    hex_encode(VECTOR_AKAV2_PASSWORD, strlen(VECTOR_AKAV2_PASSWORD), password);
    for (int allowed = 0; allowed < 2; allowed++) {
        parameters.akav2 = allowed;
        world_begin(steps, NULL);
        world.password = allowed ? password : NULL;
        _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

        assert_non_null(strstr(world.authorization[1],
                               allowed ? "algorithm=AKAv2-MD5" : "algorithm=AKAv1-MD5"));
        digest_of(world.authorization[1], allowed ? password : VECTOR_RES, "GET", "", response);
        assert_non_null(strstr(world.authorization[1], response));
        assert_secret(result.ks, VECTOR_KS);
    }
}

/* --- GBA_U ----------------------------------------------------------------------------------------- */

static void test_gba_u_answers_with_res_alone_and_has_no_ks(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    static const struct card_step card[] = {{.ck = "", .ik = ""}};
    const struct ub_parameters parameters = parameters_of(GBA_MODE_U);
    static const uint8_t ua[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    struct secret *key = NULL;

    world_begin(steps, card);
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

    assert_string_equal(result.btid, VECTOR_BTID);
    assert_string_equal(result.lifetime_text, "2030-01-01T00:00:00Z");
    assert_int_equal(ub_result_derive(&result, "naf.example.com", ua, &key), -EINVAL);
    assert_null(key);
}

/* A card that gives CK and IK has not run the command of GBA_U, so its Ks would be nobody's. */
static void test_gba_u_refuses_a_card_that_gives_ck_and_ik(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, CHALLENGED};
    static const struct card_step cards[][1] = {{{0}}, {{.ck = ""}}, {{.ik = ""}}, {{.res = "00"}}};
    const struct ub_parameters parameters = parameters_of(GBA_MODE_U);

    for (size_t i = 0; i < ELEMENTS(cards); i++) {
        world_begin(steps, cards[i]);
        assert_fails_with(&parameters, UICC_E_MALFORMED);
    }
}

static void test_gba_u_never_uses_akav2(void **state _unused_) {
    static const struct step steps[] = {
        {.status = 401,
         .fields = {"WWW-Authenticate: Digest realm=\"" VECTOR_BSF "\", nonce=\"" VECTOR_NONCE
                    "\", algorithm=AKAv2-MD5, qop=\"auth-int\""}}};
    struct ub_parameters parameters = parameters_of(GBA_MODE_U);

    parameters.akav2 = true;
    world_begin(steps, NULL);
    assert_fails_with(&parameters, UB_E_CHALLENGE);
    assert_int_equal(world.authentications, 0);
}

/* Whoever reads it shall know which other mode to try. */
static void test_a_rejected_network_names_the_other_mode(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED};
    static const struct card_step card[] = {{.r = UICC_E_MAC}};
    static const enum gba_mode modes[] = {GBA_MODE_ME, GBA_MODE_U};

    for (size_t i = 0; i < ELEMENTS(modes); i++) {
        const struct ub_parameters parameters = parameters_of(modes[i]);
        struct failure failure = {0};
        struct ub_result result;

        world_begin(steps, card);
        assert_int_equal(ub_bootstrap(&parameters, &world_ops, NULL, &result, NULL, &failure),
                         UB_E_NETWORK_AUTH);
        assert_non_null(strstr(failure.text, modes[i] == GBA_MODE_U ? "Mode=me" : "Mode=u"));
    }
}

/* --- Temporary identity ---------------------------------------------------------------------------- */

static void test_tmpi_is_announced_looked_for_and_made(void **state _unused_) {
    static const struct step knows[] = {
        {.status = 401,
         .fields = {"Server: bsf/1.0 " GBA_TOKEN_TMPI, CHALLENGE_WITH(VECTOR_NONCE, "")}},
        ACCEPTED};
    static const struct step knows_not[] = {
        {.status = 401,
         .fields = {"Server: bsf/1.0 x" GBA_TOKEN_TMPI, CHALLENGE_WITH(VECTOR_NONCE, "")}},
        ACCEPTED};
    struct ub_parameters parameters = parameters_of(GBA_MODE_ME);

    parameters.tmpi_wanted = true;
    world_begin(knows, NULL);
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

    assert_string_equal(world.user_agent, "keystrap; 3gpp-gba; 3gpp-gba-tmpi");
    assert_true(result.server_tmpi);
    assert_false(result.by_tmpi);
    assert_string_equal(result.tmpi, VECTOR_TMPI);

    world_begin(knows_not, NULL);
    _cleanup_ub_result_ struct ub_result other = succeed_with(&parameters);

    assert_false(other.server_tmpi);
    assert_string_equal(other.tmpi, "");
}

static void test_the_token_is_said_once_and_only_when_wanted(void **state _unused_) {
    static const struct {
        const char *configured, *said;
        bool wanted;
    } cases[] = {
        {"a; 3gpp-gba-tmpi", "a; 3gpp-gba-tmpi", true},
        {"a; 3gpp-gba-tmpi2", "a; 3gpp-gba-tmpi2; 3gpp-gba-tmpi", true},
        {NULL, "3gpp-gba-tmpi", true},
        {"a", "a", false},
        {NULL, "", false},
    };
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    struct ub_parameters parameters = parameters_of(GBA_MODE_ME);

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        parameters.user_agent = cases[i].configured;
        parameters.tmpi_wanted = cases[i].wanted;
        world_begin(steps, NULL);
        _cleanup_ub_result_ _unused_ struct ub_result result = succeed_with(&parameters);

        assert_string_equal(world.user_agent, cases[i].said);
    }
}

static void test_a_known_tmpi_hides_the_impi(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    struct ub_parameters parameters = parameters_of(GBA_MODE_ME);
    char response[33];

    parameters.tmpi = TMPI;
    world_begin(steps, NULL);
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

    assert_true(result.by_tmpi);
    assert_string_equal(result.impi, VECTOR_IMPI);
    for (unsigned i = 0; i < 2; i++) {
        assert_non_null(strstr(world.authorization[i], "username=\"" TMPI "\""));
        assert_null(strstr(world.authorization[i], VECTOR_IMSI));
    }
    digest_of(world.authorization[1], VECTOR_RES, "GET", "", response);
    assert_non_null(strstr(world.authorization[1], response));
}

/* However the BSF says that it does not know it, it is asked once more by IMPI, and that is all. */
static void test_an_unknown_tmpi_falls_back_to_the_impi(void **state _unused_) {
    static const struct step nos[] = {
        {.status = 400}, {.status = 401}, {.status = 401, .fields = {CHALLENGE_WITH("", "")}},
        {.status = 403}, {.status = 404},
    };
    struct ub_parameters parameters = parameters_of(GBA_MODE_ME);

    parameters.tmpi = TMPI;
    for (size_t i = 0; i < ELEMENTS(nos); i++) {
        const struct step steps[] = {nos[i], CHALLENGED, ACCEPTED};
        const struct step twice[] = {nos[i], {.status = 403}};

        world_begin(steps, NULL);
        _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

        assert_false(result.by_tmpi);
        assert_non_null(strstr(world.authorization[1], "username=\"" VECTOR_IMPI "\""));
        assert_non_null(strstr(world.authorization[2], "username=\"" VECTOR_IMPI "\""));
        world_begin(twice, NULL);
        assert_int_equal(
            ub_bootstrap(&parameters, &world_ops, NULL, &(struct ub_result){0}, NULL, NULL),
            UB_E_REFUSED);
        assert_int_equal(world.gets, 2);
    }
}

/* A BSF that cannot, or a network that does not let us, has not said that it does not know the identity. */
static void test_other_failures_do_not_give_the_impi_away(void **state _unused_) {
    static const struct {
        struct step step;
        int code;
    } cases[] = {
        {{.status = 503}, UB_E_BUSY},    {{.status = 429}, UB_E_BUSY},
        {{.status = 302}, UB_E_REFUSED}, {{.status = 200}, UB_E_CHALLENGE},
        {{.r = HTTP_E_TLS}, HTTP_E_TLS}, {{.r = UB_E_CANCELLED}, UB_E_CANCELLED},
    };
    struct ub_parameters parameters = parameters_of(GBA_MODE_ME);

    parameters.tmpi = TMPI;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct step steps[] = {cases[i].step};

        world_begin(steps, NULL);
        assert_fails_with(&parameters, cases[i].code);
        assert_int_equal(world.gets, 1);
    }
}

/* --- 2G GBA ---------------------------------------------------------------------------------------- */

static void test_2g_gba_makes_its_keys_of_sres_and_kc(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED_2G, ACCEPTED};
    struct ub_parameters parameters = parameters_of(GBA_MODE_2G);
    char response[33];

    parameters.tmpi_wanted = true;
    world_begin(steps, NULL);
    world.password = VECTOR_RES_2G;
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

    assert_string_equal(world.user_agent, "keystrap; 3gpp-gba");
    digest_of(world.authorization[1], VECTOR_RES_2G, "GET", "", response);
    assert_non_null(strstr(world.authorization[1], response));
    assert_secret(result.ks, VECTOR_KS_2G);
}

static void test_2g_gba_and_gba_digest_run_over_https_alone(void **state _unused_) {
    static const enum gba_mode modes[] = {GBA_MODE_2G, GBA_MODE_DIGEST};
    _cleanup_secret_ struct secret *password = secret_of("00");

    for (size_t i = 0; i < ELEMENTS(modes); i++) {
        struct ub_parameters parameters = parameters_of(modes[i]);
        struct failure failure = {0};
        int64_t date;

        parameters.scheme = "http";
        parameters.password = password;
        world_begin(NULL, NULL);
        assert_int_equal(ub_probe(&parameters, &world_ops, NULL, &date, &failure), UB_E_HTTPS);
        assert_non_null(strstr(failure.text, "Scheme=https"));
        assert_int_equal(world.gets, 0);
    }
}

static void test_2g_gba_wants_ks_input_the_certified_name_and_auth_int(void **state _unused_) {
    static const struct {
        struct step step;
        int code;
    } cases[] = {
        {CHALLENGED, UB_E_NONCE},
        {{.status = 401,
          .fields = {"WWW-Authenticate: Digest realm=\"other.example\", nonce=\"" VECTOR_NONCE_2G
                     "\", algorithm=AKAv1-MD5, qop=\"auth-int\""}},
         UB_E_CHALLENGE},
        {{.status = 401,
          .fields = {"WWW-Authenticate: Digest realm=\"" VECTOR_BSF "\", nonce=\"" VECTOR_NONCE_2G
                     "\", algorithm=AKAv1-MD5, qop=\"auth\""}},
         UB_E_CHALLENGE},
    };
    struct ub_parameters parameters = parameters_of(GBA_MODE_2G);

    parameters.require_auth_int = false;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct step steps[] = {cases[i].step};

        world_begin(steps, NULL);
        assert_fails_with(&parameters, cases[i].code);
        assert_int_equal(world.authentications, 0);
    }
}

static void test_2g_gba_holds_what_the_card_gives(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED_2G};
    static const struct card_step cards[][1] = {
        {{.res = "00"}}, {{.ck = "00"}}, {{.r = UICC_E_CONTEXT}}, {{.r = UICC_E_SYNC}}};
    static const int codes[] = {UICC_E_MALFORMED, UICC_E_MALFORMED, UICC_E_CONTEXT,
                                UICC_E_MALFORMED};
    static const struct ub_ops without = {.get = world_get};
    const struct ub_parameters parameters = parameters_of(GBA_MODE_2G);
    struct failure failure = {0};

    for (size_t i = 0; i < ELEMENTS(cards); i++) {
        world_begin(steps, cards[i]);
        assert_fails_with(&parameters, codes[i]);
    }
    world_begin(steps, NULL);
    assert_int_equal(
        ub_bootstrap(&parameters, &without, NULL, &(struct ub_result){0}, NULL, &failure),
        UICC_E_CONTEXT);
}

/* --- GBA_Digest ------------------------------------------------------------------------------------ */

static struct secret *digest_password(void) {
    struct secret *password = NULL;

    assert_int_equal(secret_new_copy(VECTOR_PASSWORD, strlen(VECTOR_PASSWORD), &password), 0);
    return password;
}

/* The Ks depends on the response, and that on a random cnonce, so it is derived once more with the code that has vectors
   of its own (test-gba-modes). */
static void test_gba_digest_binds_its_keys_to_the_connection(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED_DIGEST, ACCEPTED};
    _cleanup_secret_ struct secret *password = digest_password(), *hash_a1 = NULL, *ks = NULL,
                                   *exporter = secret_of(VECTOR_EXPORTER);
    struct ub_parameters parameters = parameters_of(GBA_MODE_DIGEST);
    char response[33];

    parameters.password = password;
    world_begin(steps, NULL);
    world.password = VECTOR_PASSWD;
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

    assert_string_equal(world.exporter_label, GBA_DIGEST_EXPORTER_LABEL);
    assert_string_equal(world.user_agent, "keystrap; 3gpp-gba; GBA_Digest");
    assert_non_null(strstr(world.authorization[0], "realm=\"" VECTOR_REALM_DIGEST "\""));
    assert_non_null(strstr(world.authorization[1], "algorithm=MD5"));
    digest_of(world.authorization[1], VECTOR_PASSWD, "GET", "", response);
    assert_non_null(strstr(world.authorization[1], response));
    assert_int_equal(world.authentications, 0);
    assert_string_equal(result.nonce, VECTOR_NONCE_DIGEST);

    hash_a1 = secret_of(VECTOR_HASH_A1);
    assert_int_equal(gba_digest_ks(hash_a1, exporter, response, &ks), 0);
    assert_true(secret_equal(result.ks, ks));
}

/* The connection broke between challenge and proof: the password is made anew for the one that is there now. */
static void test_gba_digest_makes_up_for_a_broken_connection_once(void **state _unused_) {
    static char other[] = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f6061"
                          "62636465666768696a6b6c6d6eff";
    static const struct step moved[] = {
        {.status = 401,
         .fields = {CHALLENGE_DIGEST(", algorithm=MD5, nonce=\"n1\"")},
         .exporter = other},
        {.status = 401, .fields = {CHALLENGE_DIGEST(", algorithm=MD5, nonce=\"n2\"")}},
        ACCEPTED};
    static const struct step rejected[] = {
        {.status = 401, .fields = {CHALLENGE_DIGEST(", algorithm=MD5, nonce=\"n1\"")}},
        {.status = 401, .fields = {CHALLENGE_DIGEST(", algorithm=MD5, nonce=\"n2\"")}}};
    _cleanup_secret_ struct secret *password = digest_password();
    struct ub_parameters parameters = parameters_of(GBA_MODE_DIGEST);
    struct failure failure = {0};

    parameters.password = password;
    world_begin(moved, NULL);
    world.password = VECTOR_PASSWD;
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);

    assert_string_equal(result.nonce, "n2");
    world_begin(rejected, NULL);
    assert_int_equal(
        ub_bootstrap(&parameters, &world_ops, NULL, &(struct ub_result){0}, NULL, &failure),
        UB_E_RESPONSE_REJECTED);
    assert_non_null(strstr(failure.text, "password"));
    assert_null(strstr(failure.text, VECTOR_PASSWORD));
}

static void test_gba_digest_needs_a_password_and_an_exporter(void **state _unused_) {
    static const struct step long_nonce[] = {
        {.status = 401,
         .fields = {CHALLENGE_DIGEST(
             ", nonce=\"0123456789012345678901234567890123456789012345678901234567890123456789"
             "0123456789012345678901234567890123456789012345678901234567890123456789"
             "0123456789012345678901234567890123456789012345678901234567890123456789"
             "0123456789012345678901234567890123456789012345\"")}}};
    struct ub_parameters parameters = parameters_of(GBA_MODE_DIGEST);
    struct failure failure = {0};

    world_begin(NULL, NULL);
    assert_fails_with(&parameters, -EINVAL);

    _cleanup_secret_ struct secret *password = digest_password();

    parameters.password = password;
    world_begin(long_nonce, NULL);
    assert_int_equal(
        ub_bootstrap(&parameters, &world_ops, NULL, &(struct ub_result){0}, NULL, &failure),
        UB_E_NONCE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_gba_me_derives_as_ever_and_keeps_the_lifetime_as_received),
        TEST(test_a_lifetime_that_would_not_fit_the_card_is_refused),
        TEST(test_akav2_is_taken_where_allowed),
        TEST(test_gba_u_answers_with_res_alone_and_has_no_ks),
        TEST(test_gba_u_refuses_a_card_that_gives_ck_and_ik),
        TEST(test_gba_u_never_uses_akav2),
        TEST(test_a_rejected_network_names_the_other_mode),
        TEST(test_tmpi_is_announced_looked_for_and_made),
        TEST(test_the_token_is_said_once_and_only_when_wanted),
        TEST(test_a_known_tmpi_hides_the_impi),
        TEST(test_an_unknown_tmpi_falls_back_to_the_impi),
        TEST(test_other_failures_do_not_give_the_impi_away),
        TEST(test_2g_gba_makes_its_keys_of_sres_and_kc),
        TEST(test_2g_gba_and_gba_digest_run_over_https_alone),
        TEST(test_2g_gba_wants_ks_input_the_certified_name_and_auth_int),
        TEST(test_2g_gba_holds_what_the_card_gives),
        TEST(test_gba_digest_binds_its_keys_to_the_connection),
        TEST(test_gba_digest_makes_up_for_a_broken_connection_once),
        TEST(test_gba_digest_needs_a_password_and_an_exporter),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
