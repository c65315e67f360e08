/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Faults of `keystrap-lab mef` on demand, its control socket, and enrolment over CoAPS with libcoap's client on OpenSSL.
 */

#include "test-lab-mef.h"

#include <curl/curl.h>

static void order_fault(const struct scene *scene, const char *fault) {
    char line[64];

    (void)snprintf(line, sizeof(line), "fault %s x1", fault);
    mef_process_order(&scene->mef, line, NULL, 0);
}

/* One registration with that fault; the next one must go well. */
static void register_with(struct scene *scene, const char *fault, struct mef_told *ret) {
    order_fault(scene, fault);
    scene->gateway.patience_msec =
        strcmp(fault, "silent") == 0 || strcmp(fault, "lost") == 0 ? 500 : 0;
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), ret);
    scene->gateway.patience_msec = 0;
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 201);
}

/* --- In place of an answer -------------------------------------------------------------------------- */

static void each_error_has_its_status_and_nothing_is_done(void **state) {
    static const struct {
        const char *fault;
        long status, rsc, retry_after;
    } errors[] = {
        {"busy", 503, 5103, 1},     {"busy 77", 503, 5103, 77}, {"refuse", 403, 4103, 0},
        {"conflict", 409, 4105, 0}, {"error", 500, 5000, 0},
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        _cleanup_told_ struct mef_told told;

        register_with(scene, errors[i].fault, &told);
        assert_refused(&told, errors[i].status, errors[i].rsc);
        assert_int_equal(told.retry_after, errors[i].retry_after);
        assert_true(told.number_is_mine);
        assert_int_equal(mef_process_count(&scene->mef, "registrations"), i + 1);
    }
}

static void silence_does_nothing_and_a_lost_answer_has_done_all(void **state) {
    struct scene *scene = *state;
    struct mef_told told;

    register_with(scene, "silent", &told);
    assert_int_equal(told.error, CURLE_ABORTED_BY_CALLBACK);
    assert_int_equal(mef_process_count(&scene->mef, "registrations"), 1);
    register_with(scene, "lost", &told);
    assert_int_equal(told.error, CURLE_ABORTED_BY_CALLBACK);
    assert_int_equal(mef_process_count(&scene->mef, "registrations"), 3);
    register_with(scene, "close", &told);
    assert_int_equal(told.error, CURLE_GOT_NOTHING);
    assert_int_equal(mef_process_count(&scene->mef, "registrations"), 5);
}

static void a_token_is_taken_though_the_answer_is_lost(void **state) {
    struct scene *scene = *state;
    struct mef_told told;

    order_fault(scene, "close");
    mef_ask(&scene->pump, "POST", "/", CLIENT_TYPE, registration_body(TOKEN), &told);
    assert_int_not_equal(told.error, 0);
    assert_int_equal(register_as(&scene->pump, TOKEN, NULL), 403);
    assert_int_equal(register_as(&scene->pump, NULL, NULL), 201);
}

/* --- In an answer ------------------------------------------------------------------------------------ */

static void what_is_wrong_around_a_body_is_there_once(void **state) {
    struct scene *scene = *state;
    struct mef_told told;

    register_with(scene, "garbage", &told);
    assert_int_not_equal(told.error, 0);
    register_with(scene, "type", &told);
    assert_int_equal(told.status, 201);
    assert_string_equal(told.type, "text/html");
    mef_told_done(&told);
    register_with(scene, "number", &told);
    assert_int_equal(told.status, 201);
    assert_false(told.number_is_mine);
    mef_told_done(&told);
    register_with(scene, "json", &told);
    assert_int_equal(told.status, 201);
    assert_true(told.length > 0);
    assert_null(told.body);
    register_with(scene, "big", &told);
    assert_int_equal(told.status, 201);
    assert_int_equal(told.length, 262144);
    mef_told_done(&told);
}

static void what_is_wrong_in_a_registration_is_there_once(void **state) {
    struct scene *scene = *state;
    struct mef_told told;

    register_with(scene, "expired", &told);
    assert_true(read_time(mef_told_text(&told, "sec:mefClientReg", "expirationTime")) < time(NULL));
    mef_told_done(&told);
    register_with(scene, "missing", &told);
    assert_null(json_object_get(mef_told_object(&told, "sec:mefClientReg"), "expirationTime"));
    mef_told_done(&told);
    register_with(scene, "changed", &told);
    assert_string_not_equal(mef_told_text(&told, "sec:mefClientReg", "adminFQDN"),
                            "admin.example.com");
    mef_told_done(&told);
}

/* A key that the gateway has registered for the MAF with that fault. */
static void register_key_with(struct scene *scene, const char *fault, struct mef_told *ret) {
    char id[64], path[80], expires[16];

    assert_int_equal(register_as(&scene->gateway, NULL, id), 201);
    order_fault(scene, fault);
    (void)snprintf(path, sizeof(path), "/%s", id);
    mef_ask(&scene->gateway, "POST", path, KEY_TYPE,
            json_pack("{s:{s:s,s:s,s:s,s:i,s:[s]}}", "sec:symmKeyReg", "fqdn", MEF_ASK_FQDN,
                      "expirationTime", in_seconds(1000, expires), "adminFQDN", "admin.example.com",
                      "SUID", 21, "targetIDs", MAF),
            ret);
    assert_int_equal(ret->status, 201);
}

static const char *first_target(const struct mef_told *told) {
    return json_string_value(
        json_array_get(json_object_get(mef_told_object(told, "sec:symmKeyReg"), "targetIDs"), 0));
}

static void a_fault_waits_for_an_answer_that_it_can_be_in(void **state) {
    struct scene *scene = *state;
    struct mef_told told;
    char path[96], key[64];

    order_fault(scene, "targets"); /* which a client registration has not */
    register_key_with(scene, "short-key", &told);
    assert_string_not_equal(first_target(&told), MAF);
    (void)snprintf(path, sizeof(path), "/%s",
                   mef_told_text(&told, "sec:symmKeyReg", "relativeKeyID"));
    mef_told_done(&told);
    for (int i = 0; i < 2; i++) {
        mef_ask(&scene->maf, "GET", path, 0, NULL, &told);
        (void)snprintf(key, sizeof(key), "%s", mef_told_text(&told, "sec:symmKeyReg", "keyValue"));
        assert_int_equal(strlen(key), i == 0 ? 24 : 44);
        mef_told_done(&told);
    }
    register_key_with(scene, "changed", &told);
    assert_string_not_equal(first_target(&told), MAF);
    assert_string_not_equal(mef_told_text(&told, "sec:symmKeyReg", "adminFQDN"),
                            "admin.example.com");
    mef_told_done(&told);
    register_key_with(scene, "expired", &told);
    assert_true(read_time(mef_told_text(&told, "sec:symmKeyReg", "expirationTime")) < time(NULL));
    assert_string_equal(first_target(&told), MAF);
    mef_told_done(&told);
}

static void a_fault_stays_until_it_is_cleared(void **state) {
    struct scene *scene = *state;

    mef_process_order(&scene->mef, "fault refuse", NULL, 0);
    mef_process_order(&scene->mef, "fault conflict x2", NULL, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(register_as(&scene->gateway, NULL, NULL), 403);
    mef_process_order(&scene->mef, "clear refuse", NULL, 0);
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 409);
    mef_process_order(&scene->mef, "clear", NULL, 0);
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 201);
}

static void wrong_orders_are_refused_in_words(void **state) {
    static const char *const lines[] = {
        "fault nonsense",
        "fault busy 0",
        "fault busy x0",
        "fault busy 1 2",
        "fault busy 90000",
        "clear nonsense",
        "keys",
        "keys x",
        "keys 21 nobody",
        "key nothing",
        "token nobody word",
        "status nobody",
        "commands " GATEWAY " nonsense",
        "commands " GATEWAY " 0",
        "commands " GATEWAY " 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "lifetime 0",
        "lifetime nonsense",
        "mute maybe",
    };
    struct scene *scene = *state;
    char answer[CONTROL_LINE_MAX];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (mef_process_ask(&scene->mef, lines[i], answer, sizeof(answer)) != 1)
            fail_msg("\"%s\" was obeyed", lines[i]);
        assert_true(strlen(answer) > strlen("error "));
    }
    mef_process_order(&scene->mef, "help", answer, sizeof(answer));
    assert_non_null(strstr(answer, "token IDENTITY TOKEN"));
}

/* --- Files --------------------------------------------------------------------------------------------- */

static void what_is_no_file_of_enrolees_is_refused_with_its_line(void **state) {
    static const char *const lines[] = {
        "Nonsense=1",       "Kpm=0",      "Kpm=xx",     "TokenRequired=maybe",
        "Lifetime=0",       "Lifetime=x", "Commands=x", "Targets=a b c d e",
        "Commands=1 2 3 x", "Token=",
    };
    struct scene *scene = *state;
    char text[256];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        (void)snprintf(text, sizeof(text), "[Enrolee a]\n%s\n", lines[i]);
        scratch_write(&scene->scratch, "enrolees", text, strlen(text));
        must(&scene->scratch, "! timeout 10 " KEYSTRAP_LAB
                              " mef --enrolees enrolees --psk-listen 127.0.0.1:0 >out 2>&1 && "
                              "! grep -q ^ready out && grep -q 'enrolees:2: ' out");
    }
}

static void certificates_are_made_for_whom_one_says(void **state) {
    struct scene *scene = *state;

    must(&scene->scratch, LAB_CERTIFICATES
         " --mef mef.test --enrolee URI://m2m.test/pump --days 3 made && cd made && "
         "openssl verify -CAfile ca.pem mef.pem gateway.pem && "
         "openssl x509 -in mef.pem -noout -ext subjectAltName,keyUsage | grep -q 'DNS:mef.test' && "
         "openssl x509 -in gateway.pem -noout -ext subjectAltName | grep -q 'URI://m2m.test/pump' "
         "&& "
         "openssl x509 -in gateway.pem -noout -ext keyUsage | grep -q 'Digital Signature' && "
         "openssl x509 -in gateway.pem -noout -text | grep -q prime256v1 && "
         "openssl x509 -in gateway.pem -noout -checkend 250000 && "
         "! openssl x509 -in expired.pem -noout -checkend 0 && "
         "openssl verify -CAfile self.pem self.pem && "
         "openssl verify -CAfile other-ca.pem stranger.pem mef-stranger.pem && "
         "! openssl verify -CAfile ca.pem stranger.pem && ! " LAB_CERTIFICATES);
}

/* --- CoAPS --------------------------------------------------------------------------------------------- */

/* A registration by libcoap's client; the line of the answer is in @ret. */
static void register_by_coaps(const struct scene *scene, char *ret, size_t size) {
    char uri[64], expires[16], body[512];
    const char *const argv[] = {"coap-client-openssl",
                                "-v",
                                "7",
                                "-B",
                                "15",
                                "-m",
                                "post",
                                "-c",
                                "gateway.pem",
                                "-j",
                                "gateway.key",
                                "-C",
                                "ca.pem",
                                "-O",
                                "256," GATEWAY,
                                "-O",
                                "257,r1",
                                "-O",
                                "267,0x9c41",
                                "-O",
                                "271,3",
                                "-t",
                                "50",
                                "-A",
                                "50",
                                "-e",
                                body,
                                uri,
                                NULL};
    const char *line, *end;
    struct child child;

    (void)snprintf(uri, sizeof(uri), "coaps://127.0.0.1:%u/", scene->mef.coaps);
    (void)snprintf(body, sizeof(body),
                   "{\"sec:mefClientReg\":{\"fqdn\":\"" MEF_ASK_FQDN
                   "\",\"adminFQDN\":\"a.example\",\"expirationTime\":\"%s\"}}",
                   in_seconds(1000, expires));
    child_start(&child, &scene->scratch, argv);
    assert_true(child_read_until(&child, " t:ACK "));
    line = strstr(child.text, " t:ACK ");
    assert_true(child_read_until(&child, "removed "));
    end = strchr(line, '\n');
    assert_non_null(end);
    (void)snprintf(ret, size, "%.*s", (int)(end - line), line);
    child_stop(&child);
}

static void a_registration_by_coaps_is_one_as_by_https(void **state) {
    struct scene *scene = *state;
    char line[1024], keys[512];

    register_by_coaps(scene, line, sizeof(line));
    assert_non_null(strstr(line, "c:2.01 "));
    assert_non_null(strstr(line, "265:\\x07\\xD1")); /* 2001 */
    assert_non_null(strstr(line, "257:\\x72\\x31"));
    assert_non_null(strstr(line, "Content-Format:application/json"));
    assert_non_null(strstr(line, "\"clientID\":\"" GATEWAY "\""));
    mef_process_order(&scene->mef, "keys", keys, sizeof(keys));
    assert_int_equal(mef_process_count(&scene->mef, "coaps"), 1);
    assert_int_equal(mef_process_count(&scene->mef, "certificates"), 1);
    assert_int_equal(mef_process_count(&scene->mef, "registrations"), 1);
}

static void faults_around_a_body_are_there_by_coaps_too(void **state) {
    struct scene *scene = *state;
    char line[1024];

    order_fault(scene, "type");
    register_by_coaps(scene, line, sizeof(line));
    assert_non_null(strstr(line, "c:2.01 "));
    assert_non_null(strstr(line, "Content-Format:text/plain"));
    order_fault(scene, "number");
    register_by_coaps(scene, line, sizeof(line));
    assert_non_null(strstr(line, "c:2.01 "));
    assert_null(strstr(line, "257:\\x72\\x31"));
    order_fault(scene, "json");
    register_by_coaps(scene, line, sizeof(line));
    assert_non_null(strstr(line, "\"clientRegID\"'"));
    order_fault(scene, "big");
    register_by_coaps(scene, line, sizeof(line));
    assert_non_null(strstr(line, "c:5.00 "));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_error_has_its_status_and_nothing_is_done),
        TEST(silence_does_nothing_and_a_lost_answer_has_done_all),
        TEST(a_token_is_taken_though_the_answer_is_lost),
        TEST(what_is_wrong_around_a_body_is_there_once),
        TEST(what_is_wrong_in_a_registration_is_there_once),
        TEST(a_fault_waits_for_an_answer_that_it_can_be_in),
        TEST(a_fault_stays_until_it_is_cleared),
        TEST(wrong_orders_are_refused_in_words),
        TEST(what_is_no_file_of_enrolees_is_refused_with_its_line),
        TEST(certificates_are_made_for_whom_one_says),
        TEST(a_registration_by_coaps_is_one_as_by_https),
        TEST(faults_around_a_body_are_there_by_coaps_too),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
