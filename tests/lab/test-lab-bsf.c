/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The lab's BSF on Ub and Zn, as a user's equipment and a NAF see it: whoever holds the card's keys gets a B-TID, and
 * nobody else does, whatever they repeat, forge or leave out (TS 24.109 clause 4).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <jansson.h>

#include "bsf.h"
#include "gba-kdf.h"
#include "lab-client.h"

#define SEQ_SHIFT 5 /* IndBits of the subscribers in lab.conf */

struct fixture {
    struct lab_subscribers subscribers;
    struct client_process bsf;
    struct ue ue;
};

static int set_up_with(void **state, const char *const *args) {
    struct fixture *f = calloc(1, sizeof(*f));
    char error[512];

    assert_non_null(f);
    assert_int_equal(lab_subscribers_load(LAB_CONF, &f->subscribers, error, sizeof(error)), 0);
    client_start(&f->bsf, true, args);
    ue_init(&f->ue, &f->bsf, lab_subscribers_by_name(&f->subscribers, "gateway"));
    *state = f;
    return 0;
}

static int set_up(void **state) {
    return set_up_with(state, NULL);
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    client_stop(&f->bsf);
    lab_subscribers_done(&f->subscribers);
    free(f);
    return 0;
}

/* Send any Authorization; the answer must have @status. */
static void expect_status(const struct fixture *f, const char *authorization, long status) {
    _cleanup_answer_ struct client_answer answer = {0};
    const struct client_get get = {
        .port = f->bsf.port, .host = CLIENT_BSF, .target = "/", .authorization = authorization};

    client_get(&get, &answer);
    assert_int_equal(answer.status, status);
}

/* The answer to a fresh challenge with what @reply says; it must have @status. */
static void expect_reply(struct fixture *f, struct ue_reply reply, long status) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;

    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    reply.challenge = &challenge;
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(second.status, status);
    assert_int_equal(client_count(&f->bsf, "bootstraps "), 0);
}

static void a_card_with_the_right_keys_gets_a_btid(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {.challenge = &challenge};
    char btid[BSF_BTID_SIZE], expected[BSF_BTID_SIZE], *rand;

    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(second.status, 200);
    assert_string_equal(second.content_type, "application/vnd.3gpp.bsf+xml");
    assert_true(ue_rspauth_is_right(&f->ue, &challenge, &second));

    rand = lab_base64_encode(f->ue.rand, sizeof(f->ue.rand));
    (void)snprintf(expected, sizeof(expected), "%s@%s", rand, CLIENT_BSF);
    free(rand);
    ue_element(second.body, "btid", btid, sizeof(btid));
    assert_string_equal(btid, expected);
    assert_non_null(strstr(second.body, "xmlns=\"uri:3gpp-gba\""));
    assert_int_equal(client_count(&f->bsf, "bootstraps "), 1);
}

static time_t element_time(const char *body, const char *name) {
    struct tm tm = {0};
    char text[64], *end;

    ue_element(body, name, text, sizeof(text));
    end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    assert_non_null(end);
    assert_int_equal(*end, '\0');
    return timegm(&tm);
}

/* The subscriber's Lifetime is 3600; Date, currenttime and lifetime are by one clock. */
static void lifetime_counts_from_the_time_that_is_told(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {.challenge = &challenge};
    time_t now;

    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(second.status, 200);
    now = element_time(second.body, "currenttime");
    assert_true(labs(now - time(NULL)) < 60);
    assert_int_equal(element_time(second.body, "lifetime") - now, 3600);
    assert_non_null(second.date);
    assert_int_equal(curl_getdate(second.date, NULL), now);
}

static void every_challenge_is_new_and_counts_the_sequence_number_up(void **state) {
    struct fixture *f = *state;
    uint64_t last = f->ue.sqn;
    uint8_t rand[MILENAGE_RAND] = {0}, auts[MILENAGE_AUTS];

    for (int i = 0; i < 3; i++) {
        _cleanup_answer_ struct client_answer answer = {0};
        struct lab_digest challenge;

        ue_ask(&f->ue, &answer);
        assert_int_equal(ue_card(&f->ue, &answer, &challenge, auts), UE_FRESH);
        assert_int_equal(f->ue.sqn >> SEQ_SHIFT, (last >> SEQ_SHIFT) + 1);
        assert_memory_not_equal(f->ue.rand, rand, sizeof(rand));
        memcpy(rand, f->ue.rand, sizeof(rand));
        last = f->ue.sqn;
    }
}

static void a_nonce_is_good_for_one_request(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0}, third = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {.challenge = &challenge};

    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(second.status, 200);
    ue_answer(&f->ue, &reply, &third);
    assert_int_equal(third.status, 400);
    assert_int_equal(client_count(&f->bsf, "bootstraps "), 1);
}

static void a_nonce_is_good_for_the_subscriber_who_got_it(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {.challenge = &challenge};

    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    f->ue.subscriber = lab_subscribers_by_name(&f->subscribers, "meter");
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(second.status, 400);
}

/* Without a process: its clock would have to be waited for. */
static void a_nonce_that_is_too_old_is_good_for_nothing(void **state) {
    struct fixture *f = *state;
    struct lab_subscriber *subscriber = lab_subscribers_by_name(&f->subscribers, "gateway");
    struct bsf *bsf = malloc(sizeof(*bsf));
    struct bsf_challenge *made, taken;
    char nonce[BSF_NONCE_SIZE];

    assert_non_null(bsf);
    bsf_init(bsf);
    assert_int_equal(bsf_challenge_new(bsf, subscriber, false, &made), 0);
    (void)snprintf(nonce, sizeof(nonce), "%s", made->nonce);
    made->issued_sec -= BSF_NONCE_AGE_MAX_SEC - 1;
    assert_true(bsf_challenge_take(bsf, subscriber, nonce, &taken));

    assert_int_equal(bsf_challenge_new(bsf, subscriber, false, &made), 0);
    (void)snprintf(nonce, sizeof(nonce), "%s", made->nonce);
    made->issued_sec -= BSF_NONCE_AGE_MAX_SEC + 1;
    assert_false(bsf_challenge_take(bsf, subscriber, nonce, &taken));
    bsf_done(bsf);
    free(bsf);
}

/* So that a flood of first requests costs the BSF nothing but the oldest of them. */
static void outstanding_challenges_are_bounded(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {.challenge = &challenge};

    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    for (unsigned i = 0; i < BSF_CHALLENGES_MAX; i++) {
        _cleanup_answer_ struct client_answer answer = {0};

        ue_ask(&f->ue, &answer);
        assert_int_equal(answer.status, 401);
    }
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(second.status, 400);
}

static void a_wrong_response_is_challenged_once_and_then_refused(void **state) {
    static const uint8_t wrong[MILENAGE_RES] = {1, 2, 3};
    _cleanup_answer_ struct client_answer first = {0}, second = {0}, third = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {
        .challenge = &challenge, .password = wrong, .password_length = sizeof(wrong)};

    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(ue_card(&f->ue, &second, &challenge, auts), UE_FRESH);
    assert_string_not_equal(first.challenge, second.challenge);
    ue_answer(&f->ue, &reply, &third);
    assert_int_equal(third.status, 403);
    assert_null(third.challenge);
    assert_int_equal(client_count(&f->bsf, "bootstraps "), 0);
}

/* A card that had its keys wrong for once, say after a glitch of its line, need not begin again. */
static void the_second_challenge_can_be_answered(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0}, third = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply wrong = {.challenge = &challenge, .password = auts, .password_length = 1};
    const struct ue_reply right = {.challenge = &challenge};

    memset(auts, 0, sizeof(auts));
    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    ue_answer(&f->ue, &wrong, &second);
    assert_int_equal(ue_card(&f->ue, &second, &challenge, auts), UE_FRESH);
    ue_answer(&f->ue, &right, &third);
    assert_int_equal(third.status, 200);
}

static void an_answer_with_a_wrong_parameter_is_malformed(void **state) {
    expect_reply(*state, (struct ue_reply){.nc = "00000002"}, 400);
    expect_reply(*state, (struct ue_reply){.nc = "1"}, 400);
    expect_reply(*state, (struct ue_reply){.cnonce = ""}, 400);
    expect_reply(*state, (struct ue_reply){.qop = "auth"}, 400);
    expect_reply(*state, (struct ue_reply){.uri = "/other"}, 400);
    expect_reply(*state, (struct ue_reply){.opaque = "another"}, 400);
    expect_reply(*state, (struct ue_reply){.algorithm = "MD5"}, 400);
}

static void a_request_that_is_no_bootstrap_is_refused(void **state) {
    static const char impi[] = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org";
    struct fixture *f = *state;
    char text[512];

    expect_status(f, NULL, 400);
    expect_status(f, "Basic dXNlcjpwYXNz", 400);
    expect_status(f, "Digest username=\"a\"", 400);
    (void)snprintf(text, sizeof(text),
                   "Digest username=\"%s\", realm=\"other.example\", nonce=\"\", uri=\"/\", "
                   "response=\"\"",
                   impi);
    expect_status(f, text, 400);
    (void)snprintf(text, sizeof(text),
                   "Digest username=\"%s\", realm=\"" CLIENT_BSF
                   "\", nonce=\"\", uri=\"/x\", response=\"\"",
                   impi);
    expect_status(f, text, 400);
    expect_status(f,
                  "Digest username=\"nobody@example.com\", realm=\"" CLIENT_BSF
                  "\", nonce=\"\", uri=\"/\", response=\"\"",
                  403);
}

static void a_request_for_another_host_or_path_is_refused(void **state) {
    struct fixture *f = *state;
    struct client_get get = {.port = f->bsf.port,
                             .host = "other.example",
                             .target = "/",
                             .authorization = "Digest username=\"a\""};
    _cleanup_answer_ struct client_answer host = {0}, longer = {0}, path = {0}, method = {0};

    client_get(&get, &host);
    assert_int_equal(host.status, 400);
    assert_non_null(strstr(host.body, "Host"));
    get.host = CLIENT_BSF ".other.example";
    client_get(&get, &longer);
    assert_int_equal(longer.status, 400);
    assert_non_null(strstr(longer.body, "Host"));
    get.host = CLIENT_BSF;
    get.target = "/elsewhere";
    client_get(&get, &path);
    assert_int_equal(path.status, 404);
    get.target = "/";
    get.method = "DELETE";
    client_get(&get, &method);
    assert_int_equal(method.status, 405);
}

/* --- Synchronisation ---------------------------------------------------------------------------- */

/* The card is ahead: what a network sees whose own numbers were lost. */
static void a_card_that_is_ahead_is_followed(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0}, third = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply resync = {.challenge = &challenge, .auts = auts};
    const struct ue_reply reply = {.challenge = &challenge};
    uint64_t ahead;

    f->ue.sqn += 1000 << SEQ_SHIFT;
    ahead = f->ue.sqn;
    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_STALE);
    ue_answer(&f->ue, &resync, &second);
    assert_int_equal(ue_card(&f->ue, &second, &challenge, auts), UE_FRESH);
    assert_string_not_equal(first.challenge, second.challenge);
    assert_int_equal(f->ue.sqn >> SEQ_SHIFT, (ahead >> SEQ_SHIFT) + 1);
    assert_int_equal(client_count(&f->bsf, "resyncs "), 1);
    ue_answer(&f->ue, &reply, &third);
    assert_int_equal(third.status, 200);
    assert_true(ue_rspauth_is_right(&f->ue, &challenge, &third));
}

/* A network that took any AUTS could be set back to numbers that were used. */
static void a_forged_auts_moves_nothing(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0}, third = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply resync = {.challenge = &challenge, .auts = auts};

    f->ue.sqn += 1000 << SEQ_SHIFT;
    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_STALE);
    auts[MILENAGE_AUTS - 1] ^= 1;
    ue_answer(&f->ue, &resync, &second);
    assert_int_equal(second.status, 403);
    assert_int_equal(client_count(&f->bsf, "resyncs "), 0);

    ue_ask(&f->ue, &third);
    assert_int_equal(ue_card(&f->ue, &third, &challenge, auts), UE_STALE);
}

static void auts_needs_the_response_of_an_empty_password(void **state) {
    static const uint8_t password[] = {'x'};
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply resync = {.challenge = &challenge,
                                    .auts = auts,
                                    .password = password,
                                    .password_length = sizeof(password)};

    f->ue.sqn += 1000 << SEQ_SHIFT;
    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_STALE);
    ue_answer(&f->ue, &resync, &second);
    assert_int_equal(second.status, 403);
    assert_int_equal(client_count(&f->bsf, "resyncs "), 0);
}

static void one_bootstrap_may_resynchronise_once(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0}, third = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply resync = {.challenge = &challenge, .auts = auts};

    f->ue.sqn += 1000 << SEQ_SHIFT;
    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_STALE);
    ue_answer(&f->ue, &resync, &second);
    f->ue.sqn += 1000 << SEQ_SHIFT;
    assert_int_equal(ue_card(&f->ue, &second, &challenge, auts), UE_STALE);
    ue_answer(&f->ue, &resync, &third);
    assert_int_equal(third.status, 403);
    assert_int_equal(client_count(&f->bsf, "resyncs "), 1);
}

/* --- Zn ----------------------------------------------------------------------------------------- */

static void ask_zn(const struct fixture *f, const char *btid, const char *naf_id,
                   struct client_answer *ret) {
    char *btid_text = curl_easy_escape(NULL, btid, 0), *id_text = curl_easy_escape(NULL, naf_id, 0);
    char target[1024];
    const struct client_get get = {.port = f->bsf.zn_port, .host = "zn", .target = target};

    (void)snprintf(target, sizeof(target), "/zn?btid=%s&nafid=%s", btid_text, id_text);
    curl_free(btid_text);
    curl_free(id_text);
    client_get(&get, ret);
}

static void zn_gives_the_key_that_the_card_derives(void **state) {
    static const uint8_t naf_id[] = "naf.example.com\x01\x00\x00\x00\x02";
    _cleanup_answer_ struct client_answer answer = {0};
    struct fixture *f = *state;
    uint8_t ks[LAB_KS_LENGTH], key[LAB_NAF_KEY_LENGTH];
    char btid[BSF_BTID_SIZE], *id_text, *key_text;
    json_t *object;

    ue_bootstrap(&f->ue, btid, sizeof(btid));
    id_text = lab_base64_encode(naf_id, sizeof(naf_id) - 1);
    ask_zn(f, btid, id_text, &answer);
    free(id_text);
    assert_int_equal(answer.status, 200);

    memcpy(ks, f->ue.ck, MILENAGE_KEY);
    memcpy(ks + MILENAGE_KEY, f->ue.ik, MILENAGE_KEY);
    assert_int_equal(
        lab_naf_key(ks, f->ue.rand, f->ue.subscriber->impi, naf_id, sizeof(naf_id) - 1, key), 0);
    key_text = lab_base64_encode(key, sizeof(key));
    object = json_loads(answer.body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "key")), key_text);
    assert_string_equal(json_string_value(json_object_get(object, "impi")), f->ue.subscriber->impi);
    assert_true(json_integer_value(json_object_get(object, "expiry")) > time(NULL) + 3500);
    json_decref(object);
    free(key_text);
}

static void zn_knows_only_what_was_bootstrapped(void **state) {
    _cleanup_answer_ struct client_answer unknown = {0}, short_id = {0}, junk = {0},
                                          forgotten = {0};
    struct fixture *f = *state;
    char btid[BSF_BTID_SIZE];

    ue_bootstrap(&f->ue, btid, sizeof(btid));
    ask_zn(f, "AAAAAAAAAAAAAAAAAAAAAA==@" CLIENT_BSF, "bmFmAQAAAAI=", &unknown);
    assert_int_equal(unknown.status, 404);
    ask_zn(f, btid, "AQAAAAI=", &short_id);
    assert_int_equal(short_id.status, 400);
    ask_zn(f, btid, "no base64", &junk);
    assert_int_equal(junk.status, 400);
    client_control(&f->bsf, "forget", NULL, 0);
    ask_zn(f, btid, "bmFmAQAAAAI=", &forgotten);
    assert_int_equal(forgotten.status, 404);
}

/* --- Options ------------------------------------------------------------------------------------ */

static int set_up_other_names(void **state) {
    static const char *const args[] = {
        "--name", "bsf.lab.example", "--realm", "realm.lab.example", "--lifetime", "77", NULL};

    return set_up_with(state, args);
}

static void name_realm_and_lifetime_are_options(void **state) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    struct fixture *f = *state;
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {.challenge = &challenge};
    char btid[BSF_BTID_SIZE];

    f->ue.subscriber = lab_subscribers_by_name(&f->subscribers, "camera");
    f->ue.sqn = f->ue.subscriber->sqn;
    f->ue.host = "bsf.lab.example";
    f->ue.realm = "realm.lab.example";
    ue_ask(&f->ue, &first);
    assert_int_equal(ue_card(&f->ue, &first, &challenge, auts), UE_FRESH);
    ue_answer(&f->ue, &reply, &second);
    assert_int_equal(second.status, 200);
    assert_true(ue_rspauth_is_right(&f->ue, &challenge, &second));
    ue_element(second.body, "btid", btid, sizeof(btid));
    assert_string_equal(strchr(btid, '@'), "@bsf.lab.example");
    assert_int_equal(
        element_time(second.body, "lifetime") - element_time(second.body, "currenttime"), 77);
}

/* --- TLS ---------------------------------------------------------------------------------------- */

struct pem {
    char directory[64];
    char cert[96], key[96];
};

/* A certificate of this test alone, self-signed, for the BSF's name. */
static void make_pem(struct pem *pem) {
    char command[1024];

    (void)snprintf(pem->directory, sizeof(pem->directory), "/tmp/keystrap-pem-XXXXXX");
    assert_non_null(mkdtemp(pem->directory));
    (void)snprintf(pem->cert, sizeof(pem->cert), "%s/cert.pem", pem->directory);
    (void)snprintf(pem->key, sizeof(pem->key), "%s/key.pem", pem->directory);
    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=" CLIENT_BSF " -addext subjectAltName=DNS:" CLIENT_BSF
                   " -keyout %s -out %s 2>/dev/null",
                   pem->key, pem->cert);
    assert_int_equal(system(command), 0);
}

static void remove_pem(const struct pem *pem) {
    assert_int_equal(unlink(pem->cert), 0);
    assert_int_equal(unlink(pem->key), 0);
    assert_int_equal(rmdir(pem->directory), 0);
}

static void ub_over_https_is_ub(void **state) {
    char btid[BSF_BTID_SIZE];
    void *own_state = NULL;
    struct fixture *f;
    struct pem pem;
    const char *const args[] = {"--tls-cert", pem.cert, "--tls-key", pem.key, NULL};

    (void)state;
    make_pem(&pem);
    set_up_with(&own_state, args);
    f = own_state;
    f->ue.trust = pem.cert;
    ue_bootstrap(&f->ue, btid, sizeof(btid));
    tear_down(&own_state);
    remove_pem(&pem);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_card_with_the_right_keys_gets_a_btid),
        TEST(lifetime_counts_from_the_time_that_is_told),
        TEST(every_challenge_is_new_and_counts_the_sequence_number_up),
        TEST(a_nonce_is_good_for_one_request),
        TEST(a_nonce_is_good_for_the_subscriber_who_got_it),
        TEST(a_nonce_that_is_too_old_is_good_for_nothing),
        TEST(outstanding_challenges_are_bounded),
        TEST(a_wrong_response_is_challenged_once_and_then_refused),
        TEST(the_second_challenge_can_be_answered),
        TEST(an_answer_with_a_wrong_parameter_is_malformed),
        TEST(a_request_that_is_no_bootstrap_is_refused),
        TEST(a_request_for_another_host_or_path_is_refused),
        TEST(a_card_that_is_ahead_is_followed),
        TEST(a_forged_auts_moves_nothing),
        TEST(auts_needs_the_response_of_an_empty_password),
        TEST(one_bootstrap_may_resynchronise_once),
        TEST(zn_gives_the_key_that_the_card_derives),
        TEST(zn_knows_only_what_was_bootstrapped),
        cmocka_unit_test_setup_teardown(name_realm_and_lifetime_are_options, set_up_other_names,
                                        tear_down),
        cmocka_unit_test(ub_over_https_is_ub),
    };
    int r;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return r;
}
