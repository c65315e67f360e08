/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The lab's NAF lets in who holds the Ks_NAF of its B-TID, and asks everybody else to bootstrap (TS 24.109 clause
 * 5.2). The client is libcurl's own Digest, so that no line of the lab's is on both sides; only auth-int, which
 * libcurl does not do, is computed here.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "bsf.h"
#include "gba-kdf.h"
#include "lab-client.h"
#include "naf.h"

#define NAF "naf.example.com"

struct fixture {
    struct lab_subscribers subscribers;
    struct client_process bsf;
    struct client_process naf;
    struct ue ue;
    char btid[BSF_BTID_SIZE];
    char password[NAF_PASSWORD_SIZE];
};

static void derive_password(struct fixture *f) {
    static const uint8_t naf_id[] = NAF "\x01\x00\x00\x00\x02";
    uint8_t ks[LAB_KS_LENGTH], key[LAB_NAF_KEY_LENGTH];
    char *text;

    memcpy(ks, f->ue.ck, MILENAGE_KEY);
    memcpy(ks + MILENAGE_KEY, f->ue.ik, MILENAGE_KEY);
    assert_int_equal(
        lab_naf_key(ks, f->ue.rand, f->ue.subscriber->impi, naf_id, sizeof(naf_id) - 1, key), 0);
    text = lab_base64_encode(key, sizeof(key));
    assert_non_null(text);
    (void)snprintf(f->password, sizeof(f->password), "%s", text);
    free(text);
}

static int set_up_with(void **state, const char *verifier) {
    struct fixture *f = calloc(1, sizeof(*f));
    char error[512], zn[64];
    const char *const args[] = {"--name", NAF, "--zn", zn, "--verifier", verifier, NULL};

    assert_non_null(f);
    assert_int_equal(lab_subscribers_load(LAB_CONF, &f->subscribers, error, sizeof(error)), 0);
    client_start(&f->bsf, true, NULL);
    (void)snprintf(zn, sizeof(zn), "http://127.0.0.1:%u", f->bsf.zn_port);
    client_start(&f->naf, false, args);
    ue_init(&f->ue, &f->bsf, lab_subscribers_by_name(&f->subscribers, "gateway"));
    ue_bootstrap(&f->ue, f->btid, sizeof(f->btid));
    derive_password(f);
    *state = f;
    return 0;
}

static int set_up_own(void **state) {
    return set_up_with(state, "own");
}

static int set_up_mhd(void **state) {
    return set_up_with(state, "mhd");
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    client_stop(&f->naf);
    client_stop(&f->bsf);
    lab_subscribers_done(&f->subscribers);
    free(f);
    return 0;
}

/* What libcurl's Digest gets for @requests requests on one connection; the last status. */
static long curl_digest(const struct fixture *f, const char *btid, const char *password,
                        int requests) {
    CURL *curl = curl_easy_init();
    struct curl_slist *to;
    char text[64];
    long status = 0;

    assert_non_null(curl);
    (void)snprintf(text, sizeof(text), "::127.0.0.1:%u", f->naf.port);
    to = curl_slist_append(NULL, text);
    curl_easy_setopt(curl, CURLOPT_URL, "http://" NAF "/some/path?and=query");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, to);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_DIGEST);
    curl_easy_setopt(curl, CURLOPT_USERNAME, btid);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)CLIENT_WAIT_MSEC);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, NULL);
    for (int i = 0; i < requests; i++) {
        FILE *nowhere = fopen("/dev/null", "we");

        assert_non_null(nowhere);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, nowhere);
        assert_int_equal(curl_easy_perform(curl), CURLE_OK);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        (void)fclose(nowhere);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(to);
    return status;
}

static void who_holds_the_key_is_let_in(void **state) {
    struct fixture *f = *state;

    assert_int_equal(curl_digest(f, f->btid, f->password, 1), 200);
}

static void one_nonce_serves_many_counts(void **state) {
    struct fixture *f = *state;

    assert_int_equal(curl_digest(f, f->btid, f->password, 5), 200);
}

static void a_wrong_key_is_not_let_in(void **state) {
    struct fixture *f = *state;

    f->password[0] = f->password[0] == 'A' ? 'B' : 'A';
    assert_int_equal(curl_digest(f, f->btid, f->password, 1), 401);
    assert_int_equal(curl_digest(f, f->btid, "", 1), 401);
}

static void an_unknown_btid_is_asked_to_bootstrap(void **state) {
    struct fixture *f = *state;

    assert_int_equal(curl_digest(f, "AAAAAAAAAAAAAAAAAAAAAA==@" CLIENT_BSF, f->password, 1), 401);
    client_control(&f->bsf, "forget", NULL, 0);
    assert_int_equal(curl_digest(f, f->btid, f->password, 1), 401);
    ue_bootstrap(&f->ue, f->btid, sizeof(f->btid));
    derive_password(f);
    assert_int_equal(curl_digest(f, f->btid, f->password, 1), 200);
}

static void the_challenge_names_bootstrapping_and_the_naf(void **state) {
    _cleanup_answer_ struct client_answer answer = {0};
    struct fixture *f = *state;
    const struct client_get get = {.port = f->naf.port, .host = NAF, .target = "/"};
    struct lab_digest challenge;

    client_get(&get, &answer);
    assert_int_equal(answer.status, 401);
    assert_int_equal(lab_digest_parse(answer.challenge, true, &challenge), 0);
    assert_string_equal(challenge.value[LAB_DIGEST_REALM], "3GPP-bootstrapping@" NAF);
    assert_int_equal(strcasecmp(challenge.value[LAB_DIGEST_ALGORITHM], "MD5"), 0);
    assert_true(strncmp(challenge.value[LAB_DIGEST_QOP], "auth", 4) == 0);
}

static void a_request_for_another_host_is_refused(void **state) {
    _cleanup_answer_ struct client_answer answer = {0};
    struct fixture *f = *state;
    const struct client_get get = {.port = f->naf.port, .host = "other.example", .target = "/"};

    client_get(&get, &answer);
    assert_int_equal(answer.status, 400);
}

static void without_the_bsf_nobody_is_let_in(void **state) {
    struct fixture *f = *state;
    char zn[64];
    const char *const args[] = {"--name", NAF, "--zn", zn, NULL};
    struct client_process own = f->naf;

    /* A port where nobody listens: that of a BSF which has ended. */
    (void)snprintf(zn, sizeof(zn), "http://127.0.0.1:%u", f->bsf.zn_port);
    client_stop(&f->bsf);
    client_start(&f->naf, false, args);
    assert_int_equal(curl_digest(f, f->btid, f->password, 1), 502);
    client_stop(&f->naf);
    f->naf = own;
    client_start(&f->bsf, true, NULL);
}

/* --- What libcurl does not do -------------------------------------------------------------------- */

static void challenge_of(const struct fixture *f, struct lab_digest *ret) {
    _cleanup_answer_ struct client_answer answer = {0};
    const struct client_get get = {.port = f->naf.port, .host = NAF, .target = "/"};

    client_get(&get, &answer);
    assert_int_equal(answer.status, 401);
    assert_int_equal(lab_digest_parse(answer.challenge, true, ret), 0);
}

static void answer_with(const struct fixture *f, const struct lab_digest *challenge,
                        const char *nonce, const char *qop, const char *nc,
                        struct client_answer *ret) {
    const struct lab_digest_input input = {
        .username = f->btid,
        .realm = challenge->value[LAB_DIGEST_REALM],
        .password = (const uint8_t *)f->password,
        .password_length = strlen(f->password),
        .method = "GET",
        .uri = "/",
        .nonce = nonce,
        .nc = nc,
        .cnonce = "c",
        .qop = qop,
    };
    char response[LAB_DIGEST_HEX], value[1024];
    const struct client_get get = {
        .port = f->naf.port, .host = NAF, .target = "/", .authorization = value};

    lab_digest_response(&input, response);
    (void)snprintf(value, sizeof(value),
                   "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"/\", qop=%s, nc=%s, "
                   "cnonce=\"c\", response=\"%s\", algorithm=MD5",
                   f->btid, input.realm, nonce, qop, nc, response);
    client_get(&get, ret);
}

static void auth_int_is_understood_and_proven_back(void **state) {
    _cleanup_answer_ struct client_answer answer = {0};
    struct fixture *f = *state;
    struct lab_digest challenge, info;
    char expected[LAB_DIGEST_HEX];
    struct lab_digest_input input = {
        .username = f->btid,
        .password = (const uint8_t *)f->password,
        .password_length = strlen(f->password),
        .method = "",
        .uri = "/",
        .nc = "00000001",
        .cnonce = "c",
        .qop = "auth-int",
    };

    challenge_of(f, &challenge);
    assert_string_equal(challenge.value[LAB_DIGEST_QOP], "auth,auth-int");
    answer_with(f, &challenge, challenge.value[LAB_DIGEST_NONCE], "auth-int", "00000001", &answer);
    assert_int_equal(answer.status, 200);

    input.realm = challenge.value[LAB_DIGEST_REALM];
    input.nonce = challenge.value[LAB_DIGEST_NONCE];
    input.body = (const uint8_t *)answer.body;
    input.body_length = answer.body_length;
    lab_digest_response(&input, expected);
    assert_int_equal(lab_digest_parse(answer.info, false, &info), 0);
    assert_string_equal(info.value[LAB_DIGEST_RSPAUTH], expected);
}

static void a_repeated_request_is_stale(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, again = {0}, next = {0}, foreign = {0};
    struct fixture *f = *state;
    struct lab_digest challenge, second;
    const char *nonce;

    challenge_of(f, &challenge);
    nonce = challenge.value[LAB_DIGEST_NONCE];
    answer_with(f, &challenge, nonce, "auth", "00000001", &first);
    assert_int_equal(first.status, 200);
    answer_with(f, &challenge, nonce, "auth", "00000001", &again);
    assert_int_equal(again.status, 401);
    assert_int_equal(lab_digest_parse(again.challenge, true, &second), 0);
    assert_string_equal(second.value[LAB_DIGEST_STALE], "true");
    answer_with(f, &challenge, nonce, "auth", "00000002", &next);
    assert_int_equal(next.status, 200);
    answer_with(f, &challenge, "0123456789abcdef0123456789abcdef", "auth", "00000001", &foreign);
    assert_int_equal(foreign.status, 401);
}

#define BOTH(name)                                                \
    cmocka_unit_test_setup_teardown(name, set_up_own, tear_down), \
        cmocka_unit_test_setup_teardown(name, set_up_mhd, tear_down)
#define OWN(name) cmocka_unit_test_setup_teardown(name, set_up_own, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(who_holds_the_key_is_let_in),
        BOTH(one_nonce_serves_many_counts),
        BOTH(a_wrong_key_is_not_let_in),
        BOTH(an_unknown_btid_is_asked_to_bootstrap),
        BOTH(the_challenge_names_bootstrapping_and_the_naf),
        BOTH(a_request_for_another_host_is_refused),
        OWN(without_the_bsf_nobody_is_let_in),
        OWN(auth_int_is_understood_and_proven_back),
        OWN(a_repeated_request_is_stale),
    };
    int r;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return r;
}
