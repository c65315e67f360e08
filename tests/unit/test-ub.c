/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The bootstrap says what TS 24.109 says, octet by octet; every refusal has its name; and whatever happens,
 * there is a whole result or none, and no secret is left behind.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/ub-world.h"

/* A second challenge: RAND and AUTN of sixteen octets 01 and 02. */
#define NONCE_2 "AQEBAQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgI="

#define CHALLENGE_WITH(nonce, more)                                     \
    "WWW-Authenticate: Digest realm=\"" VECTOR_BSF "\", nonce=\"" nonce \
    "\", algorithm=AKAv1-MD5, qop=\"auth-int\"" more
#define CHALLENGED                                                                   \
    {                                                                                \
        .status = 401, .fields = { CHALLENGE_WITH(VECTOR_NONCE, ", opaque=\"op\"") } \
    }
#define CHALLENGED_2                                             \
    {                                                            \
        .status = 401, .fields = { CHALLENGE_WITH(NONCE_2, "") } \
    }
#define STALE                                                                \
    {                                                                        \
        .status = 401, .fields = { CHALLENGE_WITH(NONCE_2, ", stale=true") } \
    }
#define TYPE "Content-Type: application/vnd.3gpp.bsf+xml"
#define ACCEPTED \
    { .status = 200, .fields = {TYPE}, .body = VECTOR_BODY, .proof = true }
#define BODY(btid, lifetime, more)                                                       \
    "<BootstrappingInfo xmlns=\"uri:3gpp-gba\"><btid>" btid "</btid><lifetime>" lifetime \
    "</lifetime>" more "</BootstrappingInfo>"

static int group_setup(void **state) {
    (void)state;
    return secret_arena_init();
}

static int group_teardown(void **state) {
    (void)state;
    secret_arena_done();
    return 0;
}

static int nothing_left(void **state) {
    (void)state;
    return secret_arena_used() == 0 ? 0 : -1;
}

/* Run and expect that it fails with @code, says why without naming the subscriber, and gives nothing. */
static void assert_fails_with(const struct ub_parameters *parameters, int code) {
    struct ub_result result, before;
    struct failure failure = {0};
    uint64_t retry_after = 42;
    int r;

    memset(&result, 0xaa, sizeof(result));
    memcpy(&before, &result, sizeof(before));
    r = ub_bootstrap(parameters, &world_ops, NULL, &result, &retry_after, &failure);
    if (r != code)
        fail_msg("%#x instead of %#x: %s", (unsigned)r, (unsigned)code, failure.text);
    assert_int_equal(failure.code, code);
    assert_true(strlen(failure.text) > 10);
    assert_null(strstr(failure.text, VECTOR_IMSI));
    assert_memory_equal(&result, &before, sizeof(before));
    assert_int_equal(retry_after, code == UB_E_BUSY ? 0 : 42);
    assert_int_equal(secret_arena_used(), 0);
}

static void assert_fails(const struct step *steps, const struct card_step *card_steps, int code) {
    world_begin(steps, card_steps);
    assert_fails_with(&world_parameters, code);
}

/* Run and expect that it works; the result is the caller's. */
static struct ub_result succeed_with(const struct ub_parameters *parameters) {
    struct ub_result result = {0};
    struct failure failure = {0};

    if (ub_bootstrap(parameters, &world_ops, NULL, &result, NULL, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(failure.code, 0);
    assert_non_null(result.ks);
    return result;
}

static struct ub_result succeed(const struct step *steps, const struct card_step *card_steps) {
    world_begin(steps, card_steps);
    return succeed_with(&world_parameters);
}

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
    _cleanup_ub_result_ _unused_ struct ub_result result = succeed(steps, NULL);
    char response[33];

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
    static const struct step plain[] = {
        {.status = 302, .fields = {"Location: https://bsf2.example/"}}};
    static const struct step hostile[] = {{.status = 302, .fields = {"Location: a\x1b[2Jb"}}};
    struct failure failure = {0};
    struct ub_result result;

    world_begin(plain, NULL);
    assert_int_equal(ub_bootstrap(&world_parameters, &world_ops, NULL, &result, NULL, &failure),
                     UB_E_REFUSED);
    assert_non_null(strstr(failure.text, "https://bsf2.example/"));
    failure_clear(&failure);
    world_begin(hostile, NULL);
    assert_int_equal(ub_bootstrap(&world_parameters, &world_ops, NULL, &result, NULL, &failure),
                     UB_E_REFUSED);
    assert_non_null(strstr(failure.text, "another place"));
    assert_int_equal(world.gets, 1);
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

        assert_int_equal(world.gets, UB_ROUNDS_MAX);
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

/* --- Lifetime -------------------------------------------------------------------------------------- */

#define CURRENTTIME(t) "<Extension><currenttime>" t "</currenttime></Extension>"

/* The key counts from before the second GET was sent: after the first GET and the card. */
#define SENT_USEC (CLOCK_START + GET_USEC + CARD_USEC)

static void assert_lives(const char *body, const char *date, uint64_t limit_usec,
                         uint64_t seconds) {
    const struct step steps[] = {
        CHALLENGED, {.status = 200, .fields = {TYPE, date}, .body = body, .proof = true}};
    struct ub_parameters parameters = world_parameters;
    uint64_t realtime_usec = world.realtime_usec;

    parameters.lifetime_max_usec = limit_usec;
    world_begin(steps, NULL);
    world.realtime_usec = realtime_usec;
    _cleanup_ub_result_ struct ub_result result = succeed_with(&parameters);
    assert_int_equal(result.expires_usec, SENT_USEC + seconds * USEC_PER_SEC);
}

static void assert_is_dead(const char *body, const char *date) {
    const struct step steps[] = {
        CHALLENGED, {.status = 200, .fields = {TYPE, date}, .body = body, .proof = true}};
    uint64_t realtime_usec = world.realtime_usec;

    world_begin(steps, NULL);
    world.realtime_usec = realtime_usec;
    assert_fails_with(&world_parameters, UB_E_LIFETIME);
}

#define BODY_2030           BODY("b", "2030-01-01T00:00:00Z", "")
#define BODY_CURRENTTIME(t) BODY("b", "2030-01-01T00:00:00Z", CURRENTTIME(t))

/* A gateway whose clock is wrong by years gives its keys the life that the BSF meant. */
static void test_lifetime_counts_by_the_bsfs_clock(void **state _unused_) {
    static const int64_t local_clocks[] = {0, Y2030 - 3600, Y2030 + 100000000};

    for (size_t i = 0; i < ELEMENTS(local_clocks); i++) {
        world.realtime_usec = (uint64_t)local_clocks[i] * USEC_PER_SEC;
        assert_lives(BODY_CURRENTTIME("2029-12-31T23:50:00Z"), NULL, USEC_INFINITY, 600);
        assert_lives(BODY_CURRENTTIME("2029-12-31T23:50:00Z"),
                     "Date: Mon, 31 Dec 2029 12:00:00 GMT", USEC_INFINITY, 600);
        assert_lives(BODY_2030, "Date: Mon, 31 Dec 2029 23:59:00 GMT", USEC_INFINITY, 60);
        assert_is_dead(BODY_CURRENTTIME("2030-01-01T00:00:00Z"), NULL);
        assert_is_dead(BODY_CURRENTTIME("2031-01-01T00:00:00Z"),
                       "Date: Mon, 31 Dec 2029 12:00:00 GMT");
        assert_is_dead(BODY_2030, "Date: Tue, 01 Jan 2030 00:00:00 GMT");
    }
}

static void test_local_clock_counts_only_where_the_bsf_has_none(void **state _unused_) {
    world.realtime_usec = (uint64_t)(Y2030 - 3600) * USEC_PER_SEC;
    assert_lives(BODY_2030, NULL, USEC_INFINITY, 3600);
    assert_lives(BODY_2030, "Date: yesterday", USEC_INFINITY, 3600);
    world.realtime_usec = (uint64_t)Y2030 * USEC_PER_SEC;
    assert_is_dead(BODY_2030, NULL);
    /* A clock that was never set tells nothing. */
    world.realtime_usec = 86400 * USEC_PER_SEC;
    assert_is_dead(BODY_2030, NULL);
}

static void test_long_lifetimes_are_cut(void **state _unused_) {
    world.realtime_usec = 0;
    assert_lives(BODY_CURRENTTIME("2029-12-31T23:00:00Z"), NULL, 60 * USEC_PER_SEC, 60);
    assert_lives(BODY_CURRENTTIME("2029-12-31T23:00:00Z"), NULL, 3600 * USEC_PER_SEC, 3600);
    assert_lives(BODY("b", "9999-12-31T23:59:59Z", CURRENTTIME("2000-01-01T00:00:00Z")), NULL,
                 USEC_INFINITY, KEY_LIFETIME_MAX_SEC);
    assert_lives(BODY("b", "9999-12-31T23:59:59Z", CURRENTTIME("2000-01-01T00:00:00Z")), NULL, 0,
                 KEY_LIFETIME_MAX_SEC);
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
    static const struct step unproved[] = {CHALLENGED,
                                           {.status = 200, .fields = {TYPE}, .body = VECTOR_BODY}};
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, nothing_left)

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
        TEST(test_retry_after_is_read_in_both_forms),
        TEST(test_first_answers_that_are_no_challenge),
        TEST(test_rejected_answers_end_the_bootstrap),
        TEST(test_a_stale_nonce_gets_one_more_answer),
        TEST(test_no_bootstrap_takes_more_than_four_requests),
        TEST(test_only_the_media_type_is_compared),
        TEST(test_absence_of_a_proof_may_be_allowed_but_never_a_wrong_one),
        TEST(test_malformed_bodies_are_refused),
        TEST(test_success_without_200_is_refused),
        TEST(test_lifetime_counts_by_the_bsfs_clock),
        TEST(test_local_clock_counts_only_where_the_bsf_has_none),
        TEST(test_long_lifetimes_are_cut),
        TEST(test_failures_of_the_way_are_passed_on),
        TEST(test_a_full_arena_ends_the_bootstrap_with_nothing),
        TEST(test_probe_asks_and_stops),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
