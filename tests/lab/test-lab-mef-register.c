/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Enrolment with `keystrap-lab mef` over HTTPS: handshakes whose Ke is the same at both ends, client registrations, the
 * token, commands, and the older exchange.
 */

#include "test-lab-mef.h"

#define KM_TEXT    "oneM2M Enrolment Key to Master Credential derivation"
#define KPSA_TEXT  "oneM2M Enrolment Key to Provisioned Secure Connection Key derivation"
#define USAGE_TEXT "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation"

/* --- Handshakes ----------------------------------------------------------------------------------- */

/* What "keys" shows is what @asker computes from its own exporter. */
static void assert_same_keys(const struct scene *scene, const struct mef_asker *asker, bool maf,
                             const char *suid, const char *target) {
    char ke_id[128], ke[17], usage[17], release_1[17], order[64], shown[512], expected[512];
    uint8_t key[32];

    ke_id_of(asker, ke_id);
    mef_hash(asker->exporter + 16, ke);
    mef_hmac(asker->exporter + 16, key, USAGE_TEXT, suid, target, NULL);
    mef_hash(key, usage);
    mef_hmac(asker->exporter + 16, key, maf ? KM_TEXT : KPSA_TEXT, target, NULL);
    mef_hash(key, release_1);
    (void)snprintf(order, sizeof(order), "keys %s", suid);
    mef_process_order(&scene->mef, order, shown, sizeof(shown));
    (void)snprintf(expected, sizeof(expected), "%s ke %s usage %s release-1 %s", ke_id, ke, usage,
                   release_1);
    assert_string_equal(shown, expected);
}

static void each_suite_of_pre_shared_keys_gives_both_ends_the_same_keys(void **state) {
    static const char *const suites[] = {"PSK-AES128-CBC-SHA256", "PSK-AES128-GCM-SHA256",
                                         "ECDHE-PSK-AES128-CBC-SHA256",
                                         "ECDHE-PSK-CHACHA20-POLY1305"};
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        scene->gateway.suite = suites[i];
        assert_int_equal(register_as(&scene->gateway, NULL, NULL), 201);
        assert_string_equal(scene->gateway.used_suite, suites[i]);
        assert_same_keys(scene, &scene->gateway, true, "21", MAF);
    }
    assert_int_equal(register_as(&scene->pump, TOKEN, NULL), 201);
    assert_same_keys(scene, &scene->pump, false, "22", IN_CSE);
    assert_int_equal(mef_process_count(&scene->mef, "psk"), 5);
    assert_int_equal(mef_process_count(&scene->mef, "registrations"), 5);
}

static void each_suite_of_certificates_gives_both_ends_the_same_keys(void **state) {
    static const char *const suites[] = {
        "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"};
    struct scene *scene = *state;
    struct mef_asker asker = asker_by_certificate(scene, GATEWAY, "gateway");

    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        asker.suite = suites[i];
        assert_int_equal(register_as(&asker, NULL, NULL), 201);
        assert_string_equal(asker.used_suite, suites[i]);
        assert_same_keys(scene, &asker, true, "21", MAF);
    }
    assert_int_equal(mef_process_count(&scene->mef, "certificates"), 4);
    mef_asker_done(&asker);
}

static void a_wrong_key_and_an_unknown_kpm_id_do_not_come_through_the_handshake(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;

    scene->gateway.kpm[31] ^= 1;
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_int_not_equal(told.error, 0);
    scene->gateway.kpm[31] ^= 1;
    scene->gateway.kpm_id = "10-nobody@mef.example.com";
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_int_not_equal(told.error, 0);
    assert_int_equal(mef_process_count(&scene->mef, "unknown"), 1);
    assert_int_equal(mef_process_count(&scene->mef, "requests"), 0);
}

static void a_certificate_that_is_no_good_is_refused(void **state) {
    static const char *const names[] = {"expired", "early", "stranger", "self", "device", "mef"};
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct mef_asker asker = asker_by_certificate(scene, GATEWAY, names[i]);

        assert_int_equal(register_as(&asker, NULL, NULL), 403);
        mef_asker_done(&asker);
    }
    assert_int_equal(mef_process_count(&scene->mef, "registrations"), 0);
    assert_int_equal(mef_process_count(&scene->mef, "certificates"), 0);
}

static void a_device_and_a_pinned_key_enrol_as_whom_the_file_says(void **state) {
    static const char *const more[] = {"--enrolees", "enrolees", NULL};
    static const char *const names[] = {"device", "self"}, *const identities[] = {PUMP, GATEWAY};
    struct scene *scene = *state;

    must(&scene->scratch,
         "digest=$(openssl x509 -in self.pem -noout -pubkey | openssl pkey -pubin -outform DER | "
         "openssl dgst -sha256 -binary | openssl base64 | tr '+/' '-_' | tr -d '=\\n') && "
         "printf '[%%s]\\nTargets=" MAF "\\nCertificate=%%s\\n' '" PUMP
         "' '0.2.481.1;100.3030.10011' "
         "'" GATEWAY "' \"sha-256;$digest\" >enrolees");
    scene_stop(scene);
    scene_start(scene, more);
    for (size_t i = 0; i < 2; i++) {
        struct mef_asker asker = asker_by_certificate(scene, identities[i], names[i]);

        assert_int_equal(register_as(&asker, NULL, NULL), 201);
        assert_same_keys(scene, &asker, true, "21", MAF);
        mef_asker_done(&asker);
        asker.identity = identities[1 - i];
        assert_int_equal(register_as(&asker, NULL, NULL), 403);
        mef_asker_done(&asker);
    }
}

static void a_second_registration_by_a_connection_has_the_same_ke(void **state) {
    struct scene *scene = *state;
    char first[512], second[512], ids[2][64];

    assert_int_equal(register_as(&scene->gateway, NULL, ids[0]), 201);
    mef_process_order(&scene->mef, "keys", first, sizeof(first));
    scene->gateway.stay = true;
    assert_int_equal(register_as(&scene->gateway, NULL, ids[1]), 201);
    mef_process_order(&scene->mef, "keys", second, sizeof(second));
    assert_string_equal(first, second);
    assert_string_not_equal(ids[0], ids[1]);
    assert_int_equal(mef_process_count(&scene->mef, "psk"), 1);
    scene->gateway.stay = false;
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 201);
    mef_process_order(&scene->mef, "keys", second, sizeof(second));
    assert_string_not_equal(first, second);
    mef_process_order(&scene->mef, "kes", second, sizeof(second));
    assert_non_null(strstr(second, strtok(first, " ")));
}

/* --- Registrations -------------------------------------------------------------------------------- */

static void a_registration_is_answered_with_all_that_it_has(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    json_t *body = registration_body(NULL), *object = json_object_get(body, "sec:mefClientReg");
    char wish[16];

    (void)snprintf(wish, sizeof(wish), "%s",
                   json_string_value(json_object_get(object, "expirationTime")));
    (void)json_object_set_new(object, "labels", json_pack("[s,s]", "one", "two"));
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, body, &told);
    assert_int_equal(told.status, 201);
    assert_int_equal(told.rsc, 2001);
    assert_true(told.number_is_mine);
    assert_string_equal(told.type, "application/vnd.onem2m-res+json");
    object = mef_told_object(&told, "sec:mefClientReg");
    assert_int_equal(json_object_size(object), 6);
    assert_string_equal(mef_told_text(&told, "sec:mefClientReg", "clientID"), GATEWAY);
    assert_string_equal(mef_told_text(&told, "sec:mefClientReg", "adminFQDN"), "admin.example.com");
    assert_string_equal(mef_told_text(&told, "sec:mefClientReg", "expirationTime"), wish);
    assert_true(strlen(mef_told_text(&told, "sec:mefClientReg", "mefClientCmd")) > 0);
    assert_int_equal(json_array_size(json_object_get(object, "labels")), 2);
}

/* Until when a registration is granted that is wanted for so many seconds, in seconds. */
static int64_t granted(struct mef_asker *asker, int64_t wanted) {
    _cleanup_told_ struct mef_told told;
    json_t *body = registration_body(NULL);
    char text[16];

    (void)json_object_set_new(json_object_get(body, "sec:mefClientReg"), "expirationTime",
                              json_string(in_seconds(wanted, text)));
    mef_ask(asker, "POST", "/", CLIENT_TYPE, body, &told);
    assert_int_equal(told.status, 201);
    return read_time(mef_told_text(&told, "sec:mefClientReg", "expirationTime")) - time(NULL);
}

static void the_mef_grants_no_more_than_it_has(void **state) {
    struct scene *scene = *state;

    assert_in_range(granted(&scene->gateway, 1000), 990, 1000);
    assert_in_range(granted(&scene->gateway, 365 * 86400), 30 * 86400 - 10, 30 * 86400);
    mef_process_order(&scene->mef, "lifetime 500", NULL, 0);
    assert_in_range(granted(&scene->gateway, 1000), 490, 500);
    /* A gateway whose clock has not been set wants what is over. */
    assert_in_range(granted(&scene->gateway, -365 * 86400), 490, 500);
}

static void a_registration_ends_when_it_has_expired(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told = {0};
    char id[64], path[80];
    time_t end;

    mef_process_order(&scene->mef, "lifetime 1", NULL, 0);
    assert_int_equal(register_as(&scene->gateway, NULL, id), 201);
    (void)snprintf(path, sizeof(path), "/%s/mefClientCfg", id);
    end = time(NULL) + 10;
    do {
        mef_told_done(&told);
        mef_ask(&scene->gateway, "GET", path, 0, NULL, &told);
    } while (told.status == 200 && time(NULL) < end);
    assert_refused(&told, 404, 4004);
}

static void the_configuration_says_where_the_mef_is(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    char id[64], path[80], est[128];
    json_t *object;

    assert_int_equal(register_as(&scene->gateway, NULL, id), 201);
    (void)snprintf(path, sizeof(path), "/%s/mefClientCfg", id);
    mef_ask(&scene->gateway, "GET", path, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.rsc, 2000);
    object = mef_told_object(&told, "sec:mefClientCfg");
    assert_string_equal(mef_told_text(&told, "sec:mefClientCfg", "fqdn"), MEF_ASK_FQDN);
    assert_string_equal(mef_told_text(&told, "sec:mefClientCfg", "adminFQDN"), "admin.example.com");
    (void)snprintf(est, sizeof(est), "https://" MEF_ASK_FQDN ":%u/.well-known/est", scene->mef.psk);
    assert_string_equal(mef_told_text(&told, "sec:mefClientCfg", "estBaseURI"), est);
    assert_int_equal(json_integer_value(json_object_get(object, "httpPort")), scene->mef.https);
    assert_int_equal(json_integer_value(json_object_get(object, "coapPort")), scene->mef.coaps);
    (void)read_time(mef_told_text(&told, "sec:mefClientCfg", "expirationTime"));
}

static void an_update_changes_what_it_names_and_nothing_else(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    char id[64], path[80], text[16];

    assert_int_equal(register_as(&scene->gateway, NULL, id), 201);
    (void)snprintf(path, sizeof(path), "/%s", id);
    mef_ask(&scene->gateway, "PUT", path, 0,
            json_pack("{s:{s:s,s:s,s:[s]}}", "sec:mefClientReg", "fqdn", MEF_ASK_FQDN,
                      "expirationTime", in_seconds(7200, text), "labels", "three"),
            &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.rsc, 2004);
    assert_string_equal(mef_told_text(&told, "sec:mefClientReg", "clientRegID"), id);
    assert_string_equal(mef_told_text(&told, "sec:mefClientReg", "expirationTime"), text);
    assert_string_equal(mef_told_text(&told, "sec:mefClientReg", "adminFQDN"), "admin.example.com");
    mef_told_done(&told);
    mef_ask(&scene->gateway, "PUT", path, 0,
            json_pack("{s:{s:s}}", "sec:mefClientReg", "fqdn", MEF_ASK_FQDN), &told);
    assert_refused(&told, 400, 4000);
}

static void a_de_registration_forgets_ke(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    char id[64], path[80], answer[512];

    assert_int_equal(register_as(&scene->gateway, NULL, id), 201);
    (void)snprintf(path, sizeof(path), "/%s", id);
    mef_ask(&scene->gateway, "DELETE", path, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.rsc, 2002);
    assert_int_equal(told.length, 0);
    assert_int_equal(mef_process_ask(&scene->mef, "keys", answer, sizeof(answer)), 1);
    mef_ask(&scene->gateway, "DELETE", path, 0, NULL, &told);
    assert_refused(&told, 404, 4004);
}

static void what_is_somebody_elses_is_not_to_be_had(void **state) {
    static const char *const methods[] = {"PUT", "DELETE", "GET"};
    struct scene *scene = *state;
    char id[64], path[80];

    assert_int_equal(register_as(&scene->gateway, NULL, id), 201);
    for (size_t i = 0; i < 3; i++) {
        _cleanup_told_ struct mef_told told;

        (void)snprintf(path, sizeof(path), i < 2 ? "/%s" : "/%s/mefClientCfg", id);
        mef_ask(&scene->maf, methods[i], path, 0, NULL, &told);
        assert_refused(&told, 403, 4103);
    }
}

static void a_request_is_only_taken_from_whom_it_says_it_is(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;

    scene->gateway.identity = MAF;
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_refused(&told, 403, 4103);
    mef_told_done(&told);
    scene->gateway.identity = NULL;
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_refused(&told, 403, 4103);
    scene->gateway.identity = GATEWAY;
    mef_process_order(&scene->mef, "refuse " GATEWAY, NULL, 0);
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 403);
    mef_process_order(&scene->mef, "admit " GATEWAY, NULL, 0);
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 201);
}

static void a_request_that_is_not_as_agreed_is_told_so(void **state) {
    struct scene *scene = *state;
    struct mef_asker as_agreed = scene->gateway;
    _cleanup_told_ struct mef_told told;

    scene->gateway.release = "2a";
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    scene->gateway.release = as_agreed.release;
    scene->gateway.no_number = true;
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    scene->gateway.no_number = false;
    scene->gateway.type = "application/json";
    mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    scene->gateway.type = NULL;
    mef_ask(&scene->gateway, "POST", "/", KEY_TYPE, registration_body(NULL), &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    mef_ask(&scene->gateway, "GET", "/nothing", 0, NULL, &told);
    assert_refused(&told, 404, 4004);
}

static void a_wrong_body_is_refused(void **state) {
    static const char *const bodies[] = {
        "{}",
        "[]",
        "{\"sec:mefClientReg\":[]}",
        "{\"sec:mefClientReg\":{}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"adminFQDN\":\"a\"}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"expirationTime\":"
        "\"20991231T000000\"}}",
        "{\"sec:mefClientReg\":{\"expirationTime\":\"20991231T000000\",\"adminFQDN\":\"a\"}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"other.example.com\",\"adminFQDN\":\"a\","
        "\"expirationTime\":\"20991231T000000\"}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"adminFQDN\":\"a\","
        "\"expirationTime\":\"2099-12-31T00:00:00\"}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"adminFQDN\":\"a\","
        "\"expirationTime\":\"20991331T000000\"}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"adminFQDN\":\"\","
        "\"expirationTime\":\"20991231T000000\"}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"adminFQDN\":\"a\","
        "\"expirationTime\":\"20991231T000000\",\"labels\":\"one\"}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"adminFQDN\":\"a\","
        "\"expirationTime\":\"20991231T000000\",\"enrolmentToken\":1}}",
        "{\"sec:mefClientReg\":{\"fqdn\":\"mef.example.com\",\"adminFQDN\":\"a\","
        "\"expirationTime\":\"20991231T000000\",\"more\":1}}",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        _cleanup_told_ struct mef_told told;

        mef_ask(&scene->gateway, "POST", "/", CLIENT_TYPE, json_loads(bodies[i], 0, NULL), &told);
        if (told.status != 400)
            fail_msg("%ld to %s", told.status, bodies[i]);
        assert_refused(&told, 400, 4000);
    }
    assert_int_equal(mef_process_count(&scene->mef, "registrations"), 0);
}

static void the_resources_are_where_the_path_says(void **state) {
    static const char *const more[] = {"--path", "/m2m/mef", NULL};
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    const char *id;
    char path[96];

    scene_stop(scene);
    scene_start(scene, more);
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 404);
    mef_ask(&scene->gateway, "POST", "/m2m/mef", CLIENT_TYPE, registration_body(NULL), &told);
    assert_int_equal(told.status, 201);
    mef_told_done(&told);
    mef_ask(&scene->gateway, "POST", "/m2m/mef/", CLIENT_TYPE, registration_body(NULL), &told);
    assert_int_equal(told.status, 201);
    id = mef_told_text(&told, "sec:mefClientReg", "clientRegID");
    (void)snprintf(path, sizeof(path), "/m2m/mef/%s/mefClientCfg", id);
    mef_told_done(&told);
    mef_ask(&scene->gateway, "GET", path, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    mef_told_done(&told);
    /* Credentials are always fetched at the root. */
    mef_ask(&scene->maf, "GET", "/fetchCredentials/nothing/21", 0, NULL, &told);
    assert_true(json_is_false(json_object_get(told.body, "Status")));
}

/* --- The token --------------------------------------------------------------------------------------- */

/* What @asker is told who registers with @token. */
static void assert_token_refused(struct mef_asker *asker, const char *token) {
    _cleanup_told_ struct mef_told told;
    const char *words;

    mef_ask(asker, "POST", "/", CLIENT_TYPE, registration_body(token), &told);
    assert_refused(&told, 403, 4107);
    words = json_string_value(json_object_get(told.body, "error"));
    assert_int_equal(strncmp(words, "enrolmentToken", 14), 0);
}

static void a_token_is_taken_once_and_its_enrolee_goes_on_without(void **state) {
    struct scene *scene = *state;
    char answer[64];

    assert_token_refused(&scene->pump, NULL);    /* it has to present one */
    assert_token_refused(&scene->pump, "wrong"); /* which takes nothing */
    mef_process_order(&scene->mef, "token-state " PUMP, answer, sizeof(answer));
    assert_string_equal(answer, "waiting");
    assert_int_equal(register_as(&scene->pump, TOKEN, NULL), 201);
    mef_process_order(&scene->mef, "token-state " PUMP, answer, sizeof(answer));
    assert_string_equal(answer, "taken");
    assert_token_refused(&scene->pump, TOKEN);
    assert_token_refused(&scene->gateway, TOKEN);
    assert_int_equal(register_as(&scene->pump, NULL, NULL), 201);
    assert_int_equal(mef_process_count(&scene->mef, "tokens"), 4);
    assert_int_equal(mef_process_count(&scene->mef, "token-refusals"), 3);
}

static void a_token_is_not_taken_by_a_request_that_is_refused(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    json_t *body = registration_body(TOKEN);

    (void)json_object_del(json_object_get(body, "sec:mefClientReg"), "adminFQDN");
    mef_ask(&scene->pump, "POST", "/", CLIENT_TYPE, body, &told);
    assert_refused(&told, 400, 4000);
    mef_process_order(&scene->mef, "fault busy x1", NULL, 0);
    assert_int_equal(register_as(&scene->pump, TOKEN, NULL), 503);
    assert_int_equal(register_as(&scene->pump, TOKEN, NULL), 201);
    assert_int_equal(mef_process_count(&scene->mef, "tokens"), 1);
}

static void an_enrolee_can_be_given_another_token(void **state) {
    struct scene *scene = *state;

    assert_token_refused(&scene->gateway, "word");
    mef_process_order(&scene->mef, "token " GATEWAY " word", NULL, 0);
    assert_token_refused(&scene->gateway, NULL);
    assert_token_refused(&scene->pump, "word"); /* somebody else's */
    assert_int_equal(register_as(&scene->gateway, "word", NULL), 201);
}

static void a_token_need_not_be_required(void **state) {
    static const char text[] = "[Enrolee gateway]\nIdentity=" GATEWAY "\nKpmId=" GATEWAY_KPM_ID
                               "\nKpm=000102030405060708090a0b0c0d0e0f"
                               "101112131415161718191a1b1c1d1e1f\nToken=word\nTokenRequired=no\n"
                               "Lifetime=100\nTargets=" MAF " " IN_CSE "\nCommands=3 91\n";
    static const char *const more[] = {"--enrolees", "enrolees", NULL};
    struct scene *scene = *state;
    char shown[2][512];

    scratch_write(&scene->scratch, "enrolees", text, strlen(text));
    scene_stop(scene);
    scene_start(scene, more);
    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 201);
    assert_int_equal(register_as(&scene->gateway, "word", NULL), 201);
    assert_token_refused(&scene->gateway, "word");
    assert_in_range(granted(&scene->gateway, 3600), 90, 100);
    mef_process_order(&scene->mef, "keys 21", shown[0], sizeof(shown[0]));
    (void)snprintf(shown[1], sizeof(shown[1]), "keys 21 %.48s %s", shown[0], IN_CSE);
    mef_process_order(&scene->mef, shown[1], shown[1], sizeof(shown[1]));
    assert_string_not_equal(shown[0], shown[1]);
    assert_same_keys(scene, &scene->gateway, true, "21", MAF);
}

/* --- Commands ---------------------------------------------------------------------------------------- */

/* Returns cmdClassID; @ret_id: 64 octets. */
static long command_of(const struct mef_told *told, long rsc, long status_code, char *ret_id) {
    const json_t *object = mef_told_object(told, "sec:mefClientCmd");
    const json_t *description = json_object_get(object, "cmdDescription");

    assert_int_equal(told->status, 200);
    assert_int_equal(told->rsc, rsc);
    assert_int_equal(json_integer_value(json_object_get(object, "cmdStatusCode")), status_code);
    (void)snprintf(ret_id, 64, "%s", mef_told_text(told, "sec:mefClientCmd", "cmdID"));
    assert_true(json_is_object(json_object_get(description, "cmdArgs")));
    return json_integer_value(json_object_get(description, "cmdClassID"));
}

static void report(struct mef_asker *asker, const char *path, const char *reg, const char *id,
                   int code, struct mef_told *ret) {
    mef_ask(asker, "PUT", path, 0,
            json_pack("{s:{s:s,s:s,s:i}}", "sec:mefClientCmd", "clientRegID", reg, "cmdID", id,
                      "cmdStatusCode", code),
            ret);
}

static void commands_come_one_after_the_other_until_there_are_no_more(void **state) {
    static const struct {
        int class, code;
        const char *arguments;
    } steps[] = {
        {1, 20, "certProvCmdArgs"}, {2, 41, "devCfgCmdArgs"},   {3, 300, "MONodeCmdArgs"},
        {1, 43, "certProvCmdArgs"}, {1, 42, "certProvCmdArgs"}, {17, 41, NULL},
        {0, 20, "noMoreCmdArgs"},
    };
    struct scene *scene = *state;
    struct mef_told told;
    char reg[64], path[80], id[64], last[64] = "", text[64];

    mef_process_order(&scene->mef, "commands " GATEWAY " cert-prov dev-cfg mo-node foreign bad 17",
                      NULL, 0);
    assert_int_equal(register_as(&scene->gateway, NULL, reg), 201);
    (void)snprintf(path, sizeof(path), "/%s/cmd", reg);
    mef_ask(&scene->gateway, "GET", path, 0, NULL, &told);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const json_t *arguments;

        assert_int_equal(command_of(&told, i == 0 ? 2000 : 2004, 10, id), steps[i].class);
        assert_string_not_equal(id, last);
        arguments = json_object_get(
            json_object_get(mef_told_object(&told, "sec:mefClientCmd"), "cmdDescription"),
            "cmdArgs");
        assert_int_equal(json_object_size(arguments), steps[i].arguments ? 1 : 0);
        assert_true(!steps[i].arguments || json_object_get(arguments, steps[i].arguments));
        strcpy(last, id);
        mef_told_done(&told);
        report(&scene->gateway, path, reg, id, steps[i].code, &told);
    }
    assert_int_equal(command_of(&told, 2004, 10, id), 0);
    mef_told_done(&told);
    mef_process_order(&scene->mef, "statuses " GATEWAY, text, sizeof(text));
    assert_string_equal(text, "20 41 300 43 42 41");
    mef_process_order(&scene->mef, "status " GATEWAY, text, sizeof(text));
    assert_string_equal(text, "20");
    assert_int_equal(mef_process_count(&scene->mef, "commands"), 7);
}

static void a_command_without_a_result_is_issued_again(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    char reg[64], path[80], first[64], again[64];

    assert_int_equal(register_as(&scene->pump, TOKEN, reg), 201);
    (void)snprintf(path, sizeof(path), "/%s/cmd", reg);
    mef_ask(&scene->pump, "GET", path, 0, NULL, &told);
    assert_int_equal(command_of(&told, 2000, 10, first), 1);
    mef_told_done(&told);
    mef_ask(&scene->pump, "GET", path, 0, NULL, &told);
    assert_int_equal(command_of(&told, 2000, 11, again), 1);
    assert_string_equal(first, again);
    mef_told_done(&told);
    mef_process_order(&scene->mef, "fault repeat x1", NULL, 0);
    report(&scene->pump, path, reg, first, 20, &told);
    assert_int_equal(command_of(&told, 2004, 10, again), 2);
    assert_string_equal(first, again);
}

static void a_result_that_fits_no_command_is_refused(void **state) {
    struct scene *scene = *state;
    char reg[64], path[80], id[64];
    struct mef_told told;

    assert_int_equal(register_as(&scene->pump, TOKEN, reg), 201);
    (void)snprintf(path, sizeof(path), "/%s/cmd", reg);
    report(&scene->pump, path, reg, "cmd-1", 20, &told); /* before any was shown */
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    mef_ask(&scene->pump, "GET", path, 0, NULL, &told);
    assert_int_equal(command_of(&told, 2000, 10, id), 1);
    mef_told_done(&told);
    report(&scene->pump, path, "reg-other", id, 20, &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    report(&scene->pump, path, reg, "cmd-other", 20, &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    report(&scene->pump, path, reg, id, 10, &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
    report(&scene->pump, path, reg, id, 20, &told);
    assert_int_equal(command_of(&told, 2004, 10, id), 2);
    mef_told_done(&told);
}

/* --- The older exchange -------------------------------------------------------------------------------- */

static json_t *indication(bool certificate, bool maf, bool management) {
    return json_pack("{s:{s:b,s:b,s:b}}", "sec:enrolmentIndication",
                     "certificateEnrolmentIndication", certificate, "mafEnrolmentIndication", maf,
                     "remoteManagementIndication", management);
}

static void indications_are_answered_with_an_instruction_each_and_enrol(void **state) {
    static const char *const types[] = {"certificate-enrolment", "maf", "remote-management"};
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    const json_t *list, *object;

    mef_ask(&scene->gateway, "POST", "/enrolmentIndication", 0, indication(true, true, true),
            &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.rsc, 2000);
    object = mef_told_object(&told, "sec:enrolmentInstruction");
    list = json_object_get(object, "instructions");
    (void)read_time(mef_told_text(&told, "sec:enrolmentInstruction", "expirationTime"));
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++) {
        object = json_array_get(list, i);
        assert_string_equal(json_string_value(json_object_get(object, "instructionType")),
                            types[i]);
        assert_int_equal(strncmp(json_string_value(json_object_get(object, "URI")), "https://", 8),
                         0);
    }
    assert_same_keys(scene, &scene->gateway, true, "21", MAF);
    mef_told_done(&told);
    mef_ask(&scene->gateway, "POST", "/enrolmentIndication", 0, indication(false, true, false),
            &told);
    object = mef_told_object(&told, "sec:enrolmentInstruction");
    assert_int_equal(json_array_size(json_object_get(object, "instructions")), 1);
}

static void an_indication_takes_the_token_too(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    json_t *body = indication(false, true, false);

    mef_ask(&scene->pump, "POST", "/enrolmentIndication", 0, json_deep_copy(body), &told);
    assert_refused(&told, 403, 4107);
    mef_told_done(&told);
    (void)json_object_set_new(json_object_get(body, "sec:enrolmentIndication"), "enrolmentToken",
                              json_string(TOKEN));
    mef_ask(&scene->pump, "POST", "/enrolmentIndication", 0, json_deep_copy(body), &told);
    assert_int_equal(told.status, 200);
    mef_told_done(&told);
    mef_ask(&scene->pump, "POST", "/enrolmentIndication", 0, body, &told);
    assert_refused(&told, 403, 4107);
    mef_told_done(&told);
    mef_ask(&scene->pump, "POST", "/enrolmentIndication", 0,
            json_pack("{s:{s:b}}", "sec:enrolmentIndication", "mafEnrolmentIndication", 1), &told);
    assert_refused(&told, 400, 4000);
}

/* The answer to GET /fetchCredentials/KEID/SUID. */
static void fetch(struct mef_asker *asker, const char *ke_id, const char *suid,
                  struct mef_told *ret) {
    char path[192];

    (void)snprintf(path, sizeof(path), "/fetchCredentials/%s/%s", ke_id, suid);
    mef_ask(asker, "GET", path, 0, NULL, ret);
    assert_int_equal(ret->status, 200);
    assert_int_equal(ret->rsc, 2000);
}

static void the_target_fetches_the_key_that_the_enrolee_derives(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    char ke_id[128];
    uint8_t expected[32], key[33];
    const char *text;

    assert_int_equal(register_as(&scene->pump, TOKEN, NULL), 201);
    ke_id_of(&scene->pump, ke_id);
    mef_hmac(scene->pump.exporter + 16, expected, USAGE_TEXT, "22", IN_CSE, NULL);
    fetch(&scene->in_cse, ke_id, "22", &told);
    assert_true(json_is_true(json_object_get(told.body, "Status")));
    assert_string_equal(json_string_value(json_object_get(told.body, "EnroleeID")), PUMP);
    assert_in_range(json_integer_value(json_object_get(told.body, "Lifetime")), 3500, 3600);
    text = json_string_value(json_object_get(told.body, "Credential"));
    assert_int_equal(strlen(text), 44);
    assert_int_equal(mef_decode(text, key), 32);
    assert_memory_equal(key, expected, 32);
}

static void credentials_are_for_the_target_alone(void **state) {
    static const char *const wrong_suids[] = {"", "20", "26", "11", "2x"};
    struct scene *scene = *state;
    struct mef_told told;
    char ke_id[128];

    assert_int_equal(register_as(&scene->gateway, NULL, NULL), 201);
    ke_id_of(&scene->gateway, ke_id);
    for (size_t i = 0; i < sizeof(wrong_suids) / sizeof(wrong_suids[0]); i++) {
        fetch(&scene->maf, ke_id, wrong_suids[i], &told);
        assert_true(json_is_false(json_object_get(told.body, "Status")));
        assert_true(json_string_length(json_object_get(told.body, "ErrorString")) > 0);
        assert_null(json_object_get(told.body, "Credential"));
        mef_told_done(&told);
    }
    fetch(&scene->in_cse, ke_id, "21", &told); /* of others */
    assert_true(json_is_false(json_object_get(told.body, "Status")));
    mef_told_done(&told);
    fetch(&scene->gateway, ke_id, "21", &told); /* of its own */
    assert_true(json_is_false(json_object_get(told.body, "Status")));
    mef_told_done(&told);
    scene->in_cse.identity = MAF; /* in somebody's name */
    mef_ask(&scene->in_cse, "GET", "/fetchCredentials/x/21", 0, NULL, &told);
    assert_refused(&told, 403, 4103);
    mef_told_done(&told);
    mef_process_order(&scene->mef, "forget", NULL, 0);
    fetch(&scene->maf, ke_id, "21", &told);
    assert_true(json_is_false(json_object_get(told.body, "Status")));
    mef_told_done(&told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_suite_of_pre_shared_keys_gives_both_ends_the_same_keys),
        TEST(each_suite_of_certificates_gives_both_ends_the_same_keys),
        TEST(a_wrong_key_and_an_unknown_kpm_id_do_not_come_through_the_handshake),
        TEST(a_certificate_that_is_no_good_is_refused),
        TEST(a_device_and_a_pinned_key_enrol_as_whom_the_file_says),
        TEST(a_second_registration_by_a_connection_has_the_same_ke),
        TEST(a_registration_is_answered_with_all_that_it_has),
        TEST(the_mef_grants_no_more_than_it_has),
        TEST(a_registration_ends_when_it_has_expired),
        TEST(the_configuration_says_where_the_mef_is),
        TEST(an_update_changes_what_it_names_and_nothing_else),
        TEST(a_de_registration_forgets_ke),
        TEST(what_is_somebody_elses_is_not_to_be_had),
        TEST(a_request_is_only_taken_from_whom_it_says_it_is),
        TEST(a_request_that_is_not_as_agreed_is_told_so),
        TEST(a_wrong_body_is_refused),
        TEST(the_resources_are_where_the_path_says),
        TEST(a_token_is_taken_once_and_its_enrolee_goes_on_without),
        TEST(a_token_is_not_taken_by_a_request_that_is_refused),
        TEST(an_enrolee_can_be_given_another_token),
        TEST(a_token_need_not_be_required),
        TEST(commands_come_one_after_the_other_until_there_are_no_more),
        TEST(a_command_without_a_result_is_issued_again),
        TEST(a_result_that_fits_no_command_is_refused),
        TEST(indications_are_answered_with_an_instruction_each_and_enrol),
        TEST(an_indication_takes_the_token_too),
        TEST(the_target_fetches_the_key_that_the_enrolee_derives),
        TEST(credentials_are_for_the_target_alone),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
