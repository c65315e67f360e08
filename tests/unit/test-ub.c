/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The bootstrap says what TS 24.109 says, octet by octet; every refusal has its name; and whatever happens,
 * there is a whole result or none, and no secret is left behind.
 */

#include "unit/ub-assert.h"

/* --- What is said ---------------------------------------------------------------------------------- */

static void test_first_request_is_that_of_the_specification(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    _cleanup_ub_result_ _unused_ struct ub_result result = succeed(steps, NULL);

    assert_string_equal(world.url, "http://" VECTOR_BSF "/");
    assert_string_equal(world.authorization[0],
                        "Digest username=\"" VECTOR_IMPI "\", realm=\"" VECTOR_BSF
                        "\", nonce=\"\", uri=\"/\", response=\"\"");
    assert_string_equal(world.headers, "Accept: */*\n");
    assert_string_equal(world.user_agent, "keystrap; 3gpp-gba");
    assert_string_equal(world.connect_to, "");
}

/* All of the answer is fixed but the cnonce, which must be fresh, and the response, which a BSF would compute so. */
static void test_answer_is_that_of_the_specification(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    char cnonces[2][64], response[33], expected[2048];

    for (size_t i = 0; i < 2; i++) {
        _cleanup_ub_result_ _unused_ struct ub_result result = succeed(steps, NULL);

        parameter_of(world.authorization[1], "cnonce", cnonces[i], sizeof(cnonces[i]));
        assert_true(strlen(cnonces[i]) >= 16);
        digest_of(world.authorization[1], VECTOR_RES, "GET", "", response);
        (void)snprintf(expected, sizeof(expected),
                       "Digest username=\"" VECTOR_IMPI "\", realm=\"" VECTOR_BSF
                       "\", nonce=\"" VECTOR_NONCE "\", uri=\"/\", qop=auth-int, nc=00000001, "
                       "cnonce=\"%s\", response=\"%s\", opaque=\"op\", algorithm=AKAv1-MD5",
                       cnonces[i], response);
        assert_string_equal(world.authorization[1], expected);
    }
    assert_string_not_equal(cnonces[0], cnonces[1]);
}

static void test_result_is_whole(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    _cleanup_ub_result_ struct ub_result result = succeed(steps, NULL);
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS);
    uint8_t rand[AKA_RAND_LENGTH], autn[AKA_AUTN_LENGTH];

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    octets_of(VECTOR_AUTN, autn, sizeof(autn));
    assert_memory_equal(world.rand, rand, sizeof(rand));
    assert_memory_equal(world.autn, autn, sizeof(autn));
    assert_int_equal(world.gets, 2);
    assert_int_equal(world.authentications, 1);

    assert_true(secret_equal(result.ks, ks));
    assert_memory_equal(result.rand, rand, sizeof(rand));
    assert_string_equal(result.impi, VECTOR_IMPI);
    assert_string_equal(result.btid, VECTOR_BTID);
    assert_int_equal(result.expires_utc_usec, (uint64_t)Y2030 * USEC_PER_SEC);
    assert_false(result.resynchronised);
    assert_int_equal(result.card_usec, CARD_USEC);
    assert_int_equal(result.network_usec, 2 * GET_USEC);
}

static void test_parameters_go_where_they_belong(void **state _unused_) {
    static const char *const extra[] = {"X-3GPP-IMEI: 35", "X-Other: y", NULL};
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    struct ub_parameters parameters = world_parameters;

    parameters.scheme = "https";
    parameters.port = 8443;
    parameters.path = "/gba/bsf?x=1";
    parameters.realm = "other.example";
    parameters.connect_to = "192.0.2.1:8443";
    parameters.trust_anchors = "/etc/ca.pem";
    parameters.extra_headers = extra;
    world_begin(steps, NULL);
    _cleanup_ub_result_ _unused_ struct ub_result result = succeed_with(&parameters);

    assert_string_equal(world.url, "https://" VECTOR_BSF ":8443/gba/bsf?x=1");
    assert_string_equal(world.connect_to, "192.0.2.1:8443");
    assert_string_equal(world.trust_anchors, "/etc/ca.pem");
    assert_string_equal(world.headers, "Accept: */*\nX-3GPP-IMEI: 35\nX-Other: y\n");
    assert_non_null(strstr(world.authorization[0], "realm=\"other.example\""));
    assert_non_null(strstr(world.authorization[0], "uri=\"/gba/bsf?x=1\""));
    assert_non_null(strstr(world.authorization[1], "uri=\"/gba/bsf?x=1\""));
}

/* The realm of the challenge counts, not the one that was guessed; qop is the best that is offered. */
static void test_challenge_decides_realm_and_qop(void **state _unused_) {
    static const struct step steps[] = {
        {.status = 401,
         .fields = {"WWW-Authenticate: Basic realm=\"x\"",
                    "www-authenticate: Digest realm=\"bsf.home1.net\", nonce=\"" VECTOR_NONCE
                    "\", algorithm=AKAv1-MD5, qop=\"auth\""}},
        ACCEPTED,
    };
    struct ub_parameters parameters = world_parameters;
    char response[33];

    parameters.require_auth_int = false;
    world_begin(steps, NULL);
    _cleanup_ub_result_ _unused_ struct ub_result result = succeed_with(&parameters);

    assert_non_null(strstr(world.authorization[1], "realm=\"bsf.home1.net\""));
    assert_non_null(strstr(world.authorization[1], "qop=auth,"));
    assert_null(strstr(world.authorization[1], "opaque"));
    digest_of(world.authorization[1], VECTOR_RES, "GET", NULL, response);
    assert_non_null(strstr(world.authorization[1], response));
}

static void test_parameters_that_would_break_a_request_are_refused(void **state _unused_) {
    static const char *const headers[][2] = {
        {"X: y\r\nZ: z", NULL}, {"no colon", NULL}, {"", NULL}};
    static char long_path[HTTP_URL_MAX + 2] = "/";
    struct ub_parameters wrong[14];
    size_t count = 0;

    memset(long_path + 1, 'p', HTTP_URL_MAX - 1);
    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        wrong[i] = world_parameters;
    wrong[count++].bsf = "";
    wrong[count++].bsf = "bsf example";
    wrong[count++].bsf = "bsf.example/x";
    wrong[count++].bsf = "user@bsf.example";
    wrong[count++].bsf = "[::1";
    wrong[count++].path = "";
    wrong[count++].path = "x";
    wrong[count++].path = "/ HTTP/1.1\r\nX: y";
    wrong[count++].path = long_path;
    wrong[count++].scheme = "ftp";
    wrong[count++].impi = "";
    wrong[count++].impi = "a\nb";
    wrong[count++].realm = "";
    wrong[count++].realm = "a\rb";
    for (size_t i = 0; i < count; i++) {
        world_begin(NULL, NULL);
        assert_fails_with(&wrong[i], -EINVAL);
    }
    for (size_t i = 0; i < ELEMENTS(headers); i++) {
        struct ub_parameters parameters = world_parameters;

        parameters.extra_headers = headers[i];
        world_begin(NULL, NULL);
        assert_fails_with(&parameters, -EINVAL);
    }
    assert_int_equal(world.gets, 0);
}

static void test_addresses_may_stand_for_the_name(void **state _unused_) {
    static const char *const hosts[] = {"192.0.2.1", "[2001:db8::1]", "bsf_1.example-x.org"};
    static const struct step steps[] = {CHALLENGED, ACCEPTED};

    for (size_t i = 0; i < ELEMENTS(hosts); i++) {
        struct ub_parameters parameters = world_parameters;

        parameters.bsf = hosts[i];
        world_begin(steps, NULL);
        _cleanup_ub_result_ _unused_ struct ub_result result = succeed_with(&parameters);
        assert_non_null(strstr(world.url, hosts[i]));
    }
}

/* --- Resynchronisation ----------------------------------------------------------------------------- */

static void test_one_synchronisation_failure_is_repaired(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, CHALLENGED_2, ACCEPTED};
    static const struct card_step card[] = {{.r = UICC_E_SYNC}, {0}};
    _cleanup_ub_result_ struct ub_result result = succeed(steps, card);
    char response[33], first[64], second[64];

    assert_true(result.resynchronised);
    assert_int_equal(world.gets, 3);
    assert_int_equal(world.authentications, 2);
    assert_int_equal(result.card_usec, 2 * CARD_USEC);

    /* The nonce is echoed, the password empty, and AUTS is there, once. */
    digest_of(world.authorization[1], "", "GET", "", response);
    assert_non_null(strstr(world.authorization[1], response));
    assert_non_null(strstr(world.authorization[1], "nonce=\"" VECTOR_NONCE "\""));
    assert_non_null(strstr(world.authorization[1], ", auts=\"AAECAwQFBgcICQoL/v8=\""));

    digest_of(world.authorization[2], VECTOR_RES, "GET", "", response);
    assert_non_null(strstr(world.authorization[2], response));
    assert_non_null(strstr(world.authorization[2], "nonce=\"" NONCE_2 "\""));
    assert_null(strstr(world.authorization[2], "auts"));
    parameter_of(world.authorization[1], "cnonce", first, sizeof(first));
    parameter_of(world.authorization[2], "cnonce", second, sizeof(second));
    assert_string_not_equal(first, second);

    assert_int_equal(result.rand[0], 1);
    assert_int_equal(world.autn[0], 2);
}

static void test_second_synchronisation_failure_is_the_end(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, CHALLENGED_2};
    static const struct card_step card[] = {{.r = UICC_E_SYNC}, {.r = UICC_E_SYNC}};

    assert_fails(steps, card, UB_E_RESYNC);
    assert_int_equal(world.gets, 2);
    assert_int_equal(world.authentications, 2);
}

static void test_same_challenge_after_resynchronisation_is_the_end(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, CHALLENGED};
    static const struct card_step card[] = {{.r = UICC_E_SYNC}, {0}};

    assert_fails(steps, card, UB_E_RESYNC);
    assert_int_equal(world.authentications, 1);
}

static void test_answers_to_auts_that_are_no_challenge(void **state _unused_) {
    static const struct card_step card[] = {{.r = UICC_E_SYNC}, {0}};
    static const struct {
        struct step step;
        int code;
    } cases[] = {
        {ACCEPTED, UB_E_CHALLENGE},
        {{.status = 401}, UB_E_CHALLENGE},
        {{.status = 403}, UB_E_REFUSED},
        {{.status = 503}, UB_E_BUSY},
        {{.r = HTTP_E_TIMEOUT}, HTTP_E_TIMEOUT},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct step steps[] = {CHALLENGED, cases[i].step};

        assert_fails(steps, card, cases[i].code);
        assert_int_equal(world.authentications, 1);
    }
}

/* --- The card says no ------------------------------------------------------------------------------ */

static void test_a_network_that_the_card_rejects_is_not_answered(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED};
    static const struct card_step card[] = {{.r = UICC_E_MAC}};

    assert_fails(steps, card, UB_E_NETWORK_AUTH);
    assert_int_equal(world.gets, 1);
}

static void test_what_the_card_says_is_passed_on(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED};
    static const int codes[] = {UICC_E_CARD_ABSENT,  UICC_E_RESET,   UICC_E_CONTEXT,
                                UICC_E_PIN_REQUIRED, UB_E_CANCELLED, -ENOMEM};

    for (size_t i = 0; i < ELEMENTS(codes); i++) {
        const struct card_step card[] = {{.r = codes[i]}};

        assert_fails(steps, card, codes[i]);
        assert_int_equal(world.gets, 1);
    }
}

/* A card that answers with too little or too much gets nothing sent. */
static void test_lengths_of_what_the_card_gives_are_held(void **state _unused_) {
    static const struct step steps[] = {CHALLENGED, ACCEPTED};
    static const struct card_step wrong[] = {
        {.res = "a54211"},
        {.res = "a54211d5e3ba50bfa54211d5e3ba50bf00"},
        {.ck = "b40ba9a3c58b2a05bbf0d987b21bf8"},
        {.ik = "f769bcd751044604127672711c6d344100"},
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        assert_fails(steps, &wrong[i], UICC_E_MALFORMED);
        assert_int_equal(world.gets, 1);
    }
}

/* --- The BSF says no ------------------------------------------------------------------------------- */

static void test_each_status_has_its_outcome(void **state _unused_) {
    static const struct {
        unsigned status;
        int code;
    } cases[] = {
        {400, UB_E_REFUSED}, {402, UB_E_REFUSED}, {403, UB_E_REFUSED}, {405, UB_E_REFUSED},
        {407, UB_E_REFUSED}, {418, UB_E_REFUSED}, {404, UB_E_UNKNOWN}, {410, UB_E_UNKNOWN},
        {429, UB_E_BUSY},    {500, UB_E_BUSY},    {502, UB_E_BUSY},    {503, UB_E_BUSY},
        {504, UB_E_BUSY},    {599, UB_E_BUSY},    {301, UB_E_REFUSED}, {302, UB_E_REFUSED},
        {307, UB_E_REFUSED}, {304, UB_E_REFUSED}, {100, UB_E_REFUSED},
    };
    char number[8];

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct step first[] = {{.status = cases[i].status}};
        const struct step second[] = {CHALLENGED, {.status = cases[i].status}};
        struct failure failure = {0};
        struct ub_result result;

        assert_fails(first, NULL, cases[i].code);
        assert_fails(second, NULL, cases[i].code);

        /* The text names the BSF and the status. */
        world_begin(first, NULL);
        (void)ub_bootstrap(&world_parameters, &world_ops, NULL, &result, NULL, &failure);
        (void)snprintf(number, sizeof(number), "%u", cases[i].status);
        assert_non_null(strstr(failure.text, VECTOR_BSF));
        assert_non_null(strstr(failure.text, number));
    }
}

static void test_redirects_are_named_and_not_followed(void **state _unused_) {
    static const struct {
        const char *location;
        const char *shown;
    } cases[] = {
        {"Location: https://bsf2.example/", " to https://bsf2.example, and"},
        {"Location: http://u:p@bsf2.example:8080/" VECTOR_IMSI "?impi=" VECTOR_IMPI,
         " to http://bsf2.example:8080, and"},
        {"Location: /" VECTOR_IMSI, " to another place, and"},
        {"Location: a\x1b[2Jb", " to another place, and"},
        {"Location: ", " to another place, and"},
        {NULL, " to another place, and"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct step steps[] = {{.status = 302, .fields = {cases[i].location}}};
        struct failure failure = {0};
        struct ub_result result;

        assert_fails(steps, NULL, UB_E_REFUSED); /* and it names no subscriber */
        assert_int_equal(world.gets, 1);
        world_begin(steps, NULL);
        (void)ub_bootstrap(&world_parameters, &world_ops, NULL, &result, NULL, &failure);
        assert_non_null(strstr(failure.text, cases[i].shown));
    }
}

/* The query of the configured path may hold an identity, too. */
static void test_a_path_is_named_without_its_query(void **state _unused_) {
    static const struct step steps[] = {{.status = 404}};
    struct ub_parameters parameters = world_parameters;
    struct failure failure = {0};
    struct ub_result result;

    parameters.path = "/gba?imsi=" VECTOR_IMSI;
    world_begin(steps, NULL);
    assert_fails_with(&parameters, UB_E_UNKNOWN);
    world_begin(steps, NULL);
    (void)ub_bootstrap(&parameters, &world_ops, NULL, &result, NULL, &failure);
    assert_non_null(strstr(failure.text, "nothing there at /gba (HTTP status 404)"));
}

static void test_retry_after_is_read_in_both_forms(void **state _unused_) {
    static const struct {
        const char *fields[2];
        uint64_t seconds;
    } cases[] = {
        {{NULL, NULL}, 0},
        {{"Retry-After: 120", NULL}, 120},
        {{"Retry-After: 0", NULL}, 0},
        {{"Retry-After: ", NULL}, 0},
        {{"Retry-After: soon", NULL}, 0},
        {{"Retry-After: -1", NULL}, 0},
        {{"Retry-After: 3600", NULL}, 3600},
        {{"Retry-After: 3601", NULL}, 3600},
        {{"Retry-After: 99999999999999999999999999", NULL}, 3600},
        {{"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", "Date: Fri, 31 Dec 1999 23:58:59 GMT"}, 60},
        {{"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", "Date: Sat, 01 Jan 2000 00:00:00 GMT"}, 0},
        {{"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", NULL}, 3600},
        {{"Retry-After: Mon, 31 Dec 2029 23:00:05 GMT", NULL}, 5}, /* by the local clock */
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct step steps[] = {
            {.status = 503, .fields = {cases[i].fields[0], cases[i].fields[1]}}};
        struct ub_result result;
        uint64_t retry_after = 42;

        world_begin(steps, NULL);
        assert_int_equal(
            ub_bootstrap(&world_parameters, &world_ops, NULL, &result, &retry_after, NULL),
            UB_E_BUSY);
        assert_int_equal(retry_after, cases[i].seconds * USEC_PER_SEC);
    }
}

static void test_first_answers_that_are_no_challenge(void **state _unused_) {
    static const struct {
        struct step step;
        int code;
    } cases[] = {
        {ACCEPTED, UB_E_CHALLENGE},
        {{.status = 204}, UB_E_CHALLENGE},
        {{.status = 401}, UB_E_CHALLENGE},
        {{.status = 401, .fields = {"WWW-Authenticate: Basic realm=\"x\""}}, UB_E_CHALLENGE},
        {{.status = 401, .fields = {"WWW-Authenticate: Digest realm=\"x"}}, UB_E_CHALLENGE},
        {{.status = 401, .fields = {CHALLENGE_WITH("AAAA", "")}}, UB_E_NONCE},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct step steps[] = {cases[i].step};

        assert_fails(steps, NULL, cases[i].code);
        assert_int_equal(world.authentications, 0);
    }
}

#define AUTH_ONLY(nonce, more)                                                  \
    {                                                                           \
        .status = 401, .fields = {                                              \
            "WWW-Authenticate: Digest realm=\"" VECTOR_BSF "\", nonce=\"" nonce \
            "\", algorithm=AKAv1-MD5, qop=\"auth\"" more                        \
        }                                                                       \
    }

/*
 * Somebody on the way takes auth-int out of a challenge, so that the proof will not cover the body: in the first
 * challenge, in the one after AUTS, in the one after a stale nonce.
 */
static void test_a_challenge_that_leaves_the_body_open_is_refused(void **state _unused_) {
    static const struct card_step sync[] = {{.r = UICC_E_SYNC}, {0}};
    static const struct {
        const struct step steps[3];
        const struct card_step *card;
        unsigned gets, authentications;
    } cases[] = {
        {{AUTH_ONLY(VECTOR_NONCE, ""), ACCEPTED}, NULL, 1, 0},
        {{CHALLENGED, AUTH_ONLY(NONCE_2, ""), ACCEPTED}, sync, 2, 1},
        {{CHALLENGED, AUTH_ONLY(NONCE_2, ", stale=true"), ACCEPTED}, NULL, 2, 1},
    };
    struct ub_parameters lenient = world_parameters;
    struct failure failure = {0};
    int64_t date = 0;

    lenient.require_auth_int = false;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        assert_fails(cases[i].steps, cases[i].card, UB_E_CHALLENGE);
        assert_int_equal(world.gets, cases[i].gets);
        assert_int_equal(world.authentications, cases[i].authentications);

        world_begin(cases[i].steps, cases[i].card);
        _cleanup_ub_result_ _unused_ struct ub_result result = succeed_with(&lenient);
        assert_non_null(strstr(world.authorization[cases[i].gets], "qop=auth,"));
    }

    /* Asking alone finds it out too, and the text names the way out. */
    world_begin(cases[0].steps, NULL);
    assert_int_equal(ub_probe(&world_parameters, &world_ops, NULL, &date, &failure),
                     UB_E_CHALLENGE);
    assert_non_null(strstr(failure.text, "does not offer qop=auth-int"));
    assert_non_null(strstr(strchr(failure.text, ';'), "set RequireAuthInt=no in [GBA]"));
    world_begin(cases[0].steps, NULL);
    assert_int_equal(ub_probe(&lenient, &world_ops, NULL, &date, NULL), 0);
}

/* With auth-int a body that was changed on the way is found out; with auth it is not: that is what is refused above. */
static void test_a_changed_body_is_found_out_where_auth_int_is_used(void **state _unused_) {
    const struct step covered[] = {CHALLENGED,
                                   {.status = 200,
                                    .fields = {TYPE},
                                    .body = BODY("forged", "2030-01-01T00:00:00Z", ""),
                                    .proof = true,
                                    .proved = VECTOR_BODY}};
    const struct step open[] = {AUTH_ONLY(VECTOR_NONCE, ""), covered[1]};
    struct ub_parameters lenient = world_parameters;

    lenient.require_auth_int = false;
    assert_fails(covered, NULL, UB_E_RSPAUTH_WRONG);
    assert_fails(open, NULL, UB_E_CHALLENGE);
    world_begin(open, NULL);
    _cleanup_ub_result_ struct ub_result result = succeed_with(&lenient);
    assert_string_equal(result.btid, "forged");
}

static void test_rejected_answers_end_the_bootstrap(void **state _unused_) {
    static const struct step steps[][3] = {
        {CHALLENGED, {.status = 401}},
        {CHALLENGED, CHALLENGED},
        {CHALLENGED, CHALLENGED_2},
        {CHALLENGED, {.status = 401, .fields = {"WWW-Authenticate: Digest stale=true"}}},
        {CHALLENGED, {.status = 401, .fields = {CHALLENGE_WITH(VECTOR_NONCE, ", stale=true")}}},
    };

    for (size_t i = 0; i < ELEMENTS(steps); i++) {
        assert_fails(steps[i], NULL, UB_E_RESPONSE_REJECTED);
        assert_int_equal(world.gets, 2);
        assert_int_equal(world.authentications, 1);
    }
}

static void test_a_stale_nonce_gets_one_more_answer(void **state _unused_) {
    static const struct step good[] = {CHALLENGED, STALE, ACCEPTED};
    static const struct step again[] = {
        CHALLENGED,
        STALE,
        {.status = 401, .fields = {CHALLENGE_WITH(VECTOR_NONCE, ", stale=true")}}};
    _cleanup_ub_result_ struct ub_result result = succeed(good, NULL);

    assert_int_equal(world.gets, 3);
    assert_int_equal(result.rand[0], 1);
    assert_false(result.resynchronised);
    result.ks = secret_free(result.ks);
    assert_fails(again, NULL, UB_E_RESPONSE_REJECTED);
    assert_int_equal(world.gets, 3);
}

/* The longest way that there is: resynchronised once and stale once. */
static void test_no_bootstrap_takes_more_than_four_requests(void **state _unused_) {
    static const struct step stale_first[] = {
        CHALLENGED, STALE, {.status = 401, .fields = {CHALLENGE_WITH(VECTOR_NONCE, "")}}, ACCEPTED};
    static const struct step sync_first[] = {
        CHALLENGED,
        CHALLENGED_2,
        {.status = 401, .fields = {CHALLENGE_WITH(VECTOR_NONCE, ", stale=true")}},
        ACCEPTED};
    static const struct card_step stale_card[] = {{0}, {.r = UICC_E_SYNC}, {0}};
    static const struct card_step sync_card[] = {{.r = UICC_E_SYNC}, {0}, {0}};
    static const struct card_step sync_twice[] = {{.r = UICC_E_SYNC}, {0}, {.r = UICC_E_SYNC}};

    for (size_t i = 0; i < 2; i++) {
        _cleanup_ub_result_ struct ub_result result =
            i == 0 ? succeed(stale_first, stale_card) : succeed(sync_first, sync_card);

        assert_int_equal(world.gets, UB_ROUNDS_MAX - 1);
        assert_true(result.resynchronised);
    }
    assert_fails(sync_first, sync_twice, UB_E_RESYNC);
    assert_int_equal(world.gets, 3);
}

/* --- The BSF's proof and what it sends ------------------------------------------------------------- */

static void test_only_the_media_type_is_compared(void **state _unused_) {
    static const char *const good[] = {TYPE, TYPE "; charset=UTF-8", TYPE ";charset=x", TYPE " ;q",
                                       "CONTENT-TYPE: Application/VND.3GPP.BSF+XML"};
    static const char *const wrong[] = {"Content-Type: text/html", "Content-Type: application/xml",
                                        "Content-Type: ", TYPE "2", NULL};

    for (size_t i = 0; i < ELEMENTS(good); i++) {
        const struct step steps[] = {
            CHALLENGED, {.status = 200, .fields = {good[i]}, .body = VECTOR_BODY, .proof = true}};
        _cleanup_ub_result_ _unused_ struct ub_result result = succeed(steps, NULL);
    }
    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        const struct step steps[] = {
            CHALLENGED, {.status = 200, .fields = {wrong[i]}, .body = VECTOR_BODY, .proof = true}};

        assert_fails(steps, NULL, UB_E_INFO_MALFORMED);
    }
}

static void test_absence_of_a_proof_may_be_allowed_but_never_a_wrong_one(void **state _unused_) {
    static const struct step missing[] = {CHALLENGED,
                                          {.status = 200, .fields = {TYPE}, .body = VECTOR_BODY}};
    static const struct step wrong[] = {
        CHALLENGED,
        {.status = 200, .fields = {TYPE}, .body = VECTOR_BODY, .rspauth = VECTOR_RSPAUTH}};
    static const struct step twice[] = {CHALLENGED,
                                        {.status = 200,
                                         .fields = {TYPE, "Authentication-Info: nextnonce=\"x\""},
                                         .body = VECTOR_BODY,
                                         .proof = true}};
    struct ub_parameters lenient = world_parameters;

    lenient.require_rspauth = false;
    assert_fails(missing, NULL, UB_E_RSPAUTH_MISSING);
    assert_fails(wrong, NULL, UB_E_RSPAUTH_WRONG);
    assert_fails(twice, NULL, UB_E_RSPAUTH_WRONG);
    world_begin(wrong, NULL);
    assert_fails_with(&lenient, UB_E_RSPAUTH_WRONG);
    world_begin(twice, NULL);
    assert_fails_with(&lenient, UB_E_RSPAUTH_WRONG);
    world_begin(missing, NULL);
    _cleanup_ub_result_ _unused_ struct ub_result result = succeed_with(&lenient);
}

/* With a right proof of it, rubbish is still rubbish. */
static void test_malformed_bodies_are_refused(void **state _unused_) {
    static const char *const bodies[] = {"",
                                         "rubbish",
                                         "<BootstrappingInfo/>",
                                         BODY("", "2030-01-01T00:00:00Z", ""),
                                         BODY("b", "never", ""),
                                         "<!DOCTYPE B>" BODY("b", "2030-01-01T00:00:00Z", "")};

    for (size_t i = 0; i < ELEMENTS(bodies); i++) {
        const struct step steps[] = {
            CHALLENGED, {.status = 200, .fields = {TYPE}, .body = bodies[i], .proof = true}};

        assert_fails(steps, NULL, UB_E_INFO_MALFORMED);
    }
}

static void test_success_without_200_is_refused(void **state _unused_) {
    static const struct step steps[] = {
        CHALLENGED, {.status = 206, .fields = {TYPE}, .body = VECTOR_BODY, .proof = true}};

    assert_fails(steps, NULL, UB_E_INFO_MALFORMED);
}

/* --- The way there --------------------------------------------------------------------------------- */

static void test_failures_of_the_way_are_passed_on(void **state _unused_) {
    static const int codes[] = {UB_E_CANCELLED,  HTTP_E_CONNECT, HTTP_E_TIMEOUT, HTTP_E_TLS,
                                HTTP_E_PROTOCOL, -ENOMEM,        -EPIPE};
    static const struct card_step sync[] = {{.r = UICC_E_SYNC}, {0}};

    for (size_t i = 0; i < ELEMENTS(codes); i++) {
        const struct step first[] = {{.r = codes[i]}};
        const struct step second[] = {CHALLENGED, {.r = codes[i]}};
        const struct step third[] = {CHALLENGED, CHALLENGED_2, {.r = codes[i]}};

        assert_fails(first, NULL, codes[i]);
        assert_fails(second, NULL, codes[i]);
        assert_fails(third, sync, codes[i]);
    }
}

/* The arena is full from GET number @userdata on. */
static struct arena_filler arena_filler;

static int get_and_fill(void *userdata, const struct http_request *request,
                        struct http_response *ret, struct failure *failure) {
    int r = world_get(NULL, request, ret, failure);

    if (world.gets == *(unsigned *)userdata)
        arena_fill(&arena_filler);
    return r;
}

static int authenticate_and_fill(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                                 const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                                 struct failure *failure) {
    int r = world_authenticate(NULL, rand, autn, ret, failure);

    if (*(unsigned *)userdata == 0)
        arena_fill(&arena_filler);
    return r;
}

static void test_a_full_arena_ends_the_bootstrap_with_nothing(void **state _unused_) {
    static const struct ub_ops ops = {.get = get_and_fill, .authenticate = authenticate_and_fill};
    static const struct step good[] = {CHALLENGED, ACCEPTED};
    static const struct step unproved[] = {
        CHALLENGED,
        {.status = 200, .fields = {TYPE, "Server: " GBA_TOKEN_TMPI}, .body = VECTOR_BODY}};
    static const struct {
        const struct step *steps;
        unsigned when; /* 0: when the card has answered */
    } cases[] = {{good, 0}, {good, 2}, {unproved, 2}};
    struct ub_parameters lenient = world_parameters;

    lenient.require_rspauth = false;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct ub_result result = {0};
        struct failure failure = {0};
        unsigned when = cases[i].when;

        world_begin(cases[i].steps, NULL);
        assert_int_equal(ub_bootstrap(&lenient, &ops, &when, &result, NULL, &failure), -ENOMEM);
        assert_int_equal(failure.code, -ENOMEM);
        assert_non_null(strstr(failure.text, VECTOR_BSF));
        assert_null(result.ks);
        arena_relieve(&arena_filler);
        assert_int_equal(secret_arena_used(), 0);
    }
}

/* Asking alone: the card is left in peace. */
static void test_probe_asks_and_stops(void **state _unused_) {
    static const struct step dated[] = {
        {.status = 401,
         .fields = {CHALLENGE_WITH(VECTOR_NONCE, ""), "Date: Mon, 31 Dec 2029 23:00:00 GMT"}}};
    static const struct step undated[] = {CHALLENGED};
    static const struct step refused[] = {{.status = 403}};
    static const struct step broken[] = {{.r = -EPIPE}};
    struct failure failure = {0};
    int64_t date = 42;

    world_begin(dated, NULL);
    assert_int_equal(ub_probe(&world_parameters, &world_ops, NULL, &date, NULL), 0);
    assert_int_equal(date, Y2030 - 3600);
    world_begin(undated, NULL);
    assert_int_equal(ub_probe(&world_parameters, &world_ops, NULL, &date, NULL), 0);
    assert_int_equal(date, 0);
    date = 42;
    world_begin(refused, NULL);
    assert_int_equal(ub_probe(&world_parameters, &world_ops, NULL, &date, &failure), UB_E_REFUSED);
    assert_int_equal(failure.code, UB_E_REFUSED);
    world_begin(broken, NULL);
    assert_int_equal(ub_probe(&world_parameters, &world_ops, NULL, &date, NULL), -EPIPE);
    assert_int_equal(date, 42);
    assert_int_equal(world.authentications, 0);
    assert_int_equal(world.gets, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_first_request_is_that_of_the_specification),
        TEST(test_answer_is_that_of_the_specification),
        TEST(test_result_is_whole),
        TEST(test_parameters_go_where_they_belong),
        TEST(test_challenge_decides_realm_and_qop),
        TEST(test_parameters_that_would_break_a_request_are_refused),
        TEST(test_addresses_may_stand_for_the_name),
        TEST(test_one_synchronisation_failure_is_repaired),
        TEST(test_second_synchronisation_failure_is_the_end),
        TEST(test_same_challenge_after_resynchronisation_is_the_end),
        TEST(test_answers_to_auts_that_are_no_challenge),
        TEST(test_a_network_that_the_card_rejects_is_not_answered),
        TEST(test_what_the_card_says_is_passed_on),
        TEST(test_lengths_of_what_the_card_gives_are_held),
        TEST(test_each_status_has_its_outcome),
        TEST(test_redirects_are_named_and_not_followed),
        TEST(test_a_path_is_named_without_its_query),
        TEST(test_retry_after_is_read_in_both_forms),
        TEST(test_first_answers_that_are_no_challenge),
        TEST(test_a_challenge_that_leaves_the_body_open_is_refused),
        TEST(test_a_changed_body_is_found_out_where_auth_int_is_used),
        TEST(test_rejected_answers_end_the_bootstrap),
        TEST(test_a_stale_nonce_gets_one_more_answer),
        TEST(test_no_bootstrap_takes_more_than_four_requests),
        TEST(test_only_the_media_type_is_compared),
        TEST(test_absence_of_a_proof_may_be_allowed_but_never_a_wrong_one),
        TEST(test_malformed_bodies_are_refused),
        TEST(test_success_without_200_is_refused),
        TEST(test_failures_of_the_way_are_passed_on),
        TEST(test_a_full_arena_ends_the_bootstrap_with_nothing),
        TEST(test_probe_asks_and_stops),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
