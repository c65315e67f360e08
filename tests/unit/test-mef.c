/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Client registration with a scripted MEF, and what is common to all requests: what is sent is what docs/MEF.md says, each answer
 * that says no has its outcome, and nothing of an answer is taken that is not as it should be.
 */

#include "mef-world.h"

#define BASE "https://" MEF_FQDN ":8443/base"

static int do_register(const struct step *steps, const char *token, struct mef_registration *ret) {
    _cleanup_secret_ struct secret *secret = NULL;
    struct mef_client *client = world_begin(steps);

    if (token)
        assert_int_equal(secret_new_copy(token, strlen(token), &secret), 0);
    return mef_register(client, secret, ret, &world.failure);
}

/* A registration whose answer is @step comes to nothing, and that with @words. */
static void expect(struct step step, int code, const char *words) {
    struct mef_registration registration = {0}, none = {0};
    int r = do_register(SCRIPT(step), NULL, &registration);

    assert_failed(r, code, words);
    assert_memory_equal(&registration, &none, sizeof(none));
    assert_int_equal(world.count, 1);
}

static void expect_body(const char *body, int code, const char *words) {
    expect((struct step)YES("2001", body), code, words);
}

/* --- What is sent --------------------------------------------------------------------------------------- */

static void a_registration_is_a_create_by_a_connection_of_its_own(_unused_ void **state) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};

    assert_int_equal(do_register(SCRIPT(YES("2001", REG)), NULL, &registration), 0);
    assert_asked(0, HTTP_POST, BASE "/");
    assert_header(0, "X-M2M-Origin: " OURSELF);
    assert_header(0, "X-M2M-RI: 1");
    assert_header(0, "X-M2M-RVI: 3");
    assert_header(0, "Accept: application/vnd.onem2m-res+json");
    assert_header(0, "Content-Type: application/vnd.onem2m-res+json;ty=40001");
    assert_true(world.asked[0].fresh);
    assert_true(world.asked[0].exporter);
    assert_string_equal(world.asked[0].body,
                        "{\"sec:mefClientReg\":{\"fqdn\":\"" MEF_FQDN
                        "\",\"expirationTime\":\"" IN_A_YEAR "\",\"adminFQDN\":\"" MEF_FQDN "\"}}");
}

static void a_profile_adds_stakeholder_labels_and_token(_unused_ void **state) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    _cleanup_secret_ struct secret *token = NULL;
    char admin[] = "admin.example.com", labels[] = " one  two ";
    struct mef_client *client = world_begin(SCRIPT(YES("2001", REG)));

    world.profile.admin_fqdn = admin;
    world.profile.labels = labels;
    assert_int_equal(secret_new_copy("a\"token", 7, &token), 0);
    /* What is confirmed is another adminFQDN than ours is now. */
    assert_failed(mef_register(client, token, &registration, &world.failure), MEF_E_CHANGED,
                  "adminFQDN");
    assert_non_null(strstr(world.asked[0].body,
                           "\"adminFQDN\":\"admin.example.com\",\"labels\":[\"one\",\"two\"],"
                           "\"enrolmentToken\":\"a\\\"token\"}"));
}

static void a_token_that_json_cannot_hold_is_not_sent(_unused_ void **state) {
    struct mef_registration registration = {0};

    assert_int_equal(do_register(SCRIPT(YES("2001", REG)), "\xff\xff", &registration), -EINVAL);
    assert_int_equal(world.count, 0);
}

static void over_coap_content_is_plain_json(_unused_ void **state) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    struct mef_client *client = world_begin(SCRIPT(YES("2001", REG)));
    char mef[] = "coaps://" MEF_FQDN;

    world.profile.mef = mef;
    assert_int_equal(mef_register(client, NULL, &registration, &world.failure), 0);
    assert_asked(0, HTTP_POST, "coaps://" MEF_FQDN "/");
    assert_header(0, "Accept: application/json");
    assert_header(0, "Content-Type: application/json;ty=40001");
}

static void requests_are_numbered_and_a_base_may_end_with_a_slash(_unused_ void **state) {
    struct mef_client *client =
        world_begin(SCRIPT({.status = 200, .rsc = "2002"}, {.status = 202, .rsc = "2002"}));
    char mef[] = "https://" MEF_FQDN "/";

    world.profile.mef = mef;
    assert_int_equal(mef_deregister(client, "reg-1", &world.failure), 0);
    assert_int_equal(mef_deregister(client, "reg-2", &world.failure), 0);
    assert_asked(0, HTTP_DELETE, "https://" MEF_FQDN "/reg-1");
    assert_asked(1, HTTP_DELETE, "https://" MEF_FQDN "/reg-2");
    assert_header(0, "X-M2M-RI: 1");
    assert_header(1, "X-M2M-RI: 2");
    assert_false(world.asked[0].fresh);
    assert_false(world.asked[0].exporter);
    assert_null(strstr(world.asked[0].headers, "Content-Type"));
}

static void what_cannot_be_part_of_a_path_is_not_asked_for(_unused_ void **state) {
    static const char *const wrong[] = {"",    ".",   "..",    "a/b",  "a?b",
                                        "a#b", "a b", "a%2fb", "a\nb", "\xc3\xa4"};
    char longest[MEF_ID_MAX + 2];
    struct mef_configuration configuration;
    struct mef_client *client = world_begin(SCRIPT({.status = 200, .rsc = "2002"}));

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        failure_clear(&world.failure);
        assert_failed(mef_deregister(client, wrong[i], &world.failure), -EINVAL, "identifier");
        assert_int_equal(mef_retrieve_configuration(client, wrong[i], &configuration, NULL),
                         -EINVAL);
    }
    memset(longest, 'a', sizeof(longest));
    longest[MEF_ID_MAX + 1] = '\0';
    assert_int_equal(mef_deregister(client, longest, NULL), -EINVAL);
    assert_int_equal(mef_retrieve_configuration(client, longest, &configuration, NULL), -EINVAL);
    assert_int_equal(world.count, 0);
    longest[MEF_ID_MAX] = '\0';
    assert_int_equal(mef_deregister(client, longest, NULL), 0);
}

/* --- What comes back ------------------------------------------------------------------------------------ */

static void ke_is_the_exporter_of_the_answers_connection(_unused_ void **state) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};

    assert_int_equal(
        do_register(
            SCRIPT(YES("2001", REG_WITH(",\"assignedSymmKeyID\":\"km@maf.example.com\","
                                        "\"mefClientCmd\":\"cmd\",\"labels\":[\"x\"],\"new\":1"))),
            NULL, &registration),
        0);
    assert_string_equal(registration.client_reg_id, "reg-1");
    assert_string_equal(registration.assigned_key_id, "km@maf.example.com");
    assert_string_equal(registration.command, "cmd");
    assert_int_equal(registration.expires, NOW + DAY_SEC);
    assert_string_equal(registration.ke_id, "000102030405060708090A0B0C0D0E0F@" MEF_FQDN);
    assert_int_equal(secret_length(registration.ke), KE_LENGTH);
    for (size_t i = 0; i < KE_LENGTH; i++)
        assert_int_equal(secret_data(registration.ke)[i], 16 + i);
}

static void without_an_exporter_there_is_no_ke(_unused_ void **state) {
    expect((struct step){.status = 201, .rsc = "2001", .body = REG, .no_exporter = true},
           MEF_E_MALFORMED, "no exporter");
}

static void an_exporter_of_another_length_is_no_ke(_unused_ void **state) {
    struct mef_registration registration = {0};

    assert_int_equal(
        do_register(SCRIPT({.status = 201, .rsc = "2001", .body = REG, .exporter = 32}), NULL,
                    &registration),
        -EINVAL);
    assert_null(registration.ke);
}

static void what_the_connection_says_is_passed_on(_unused_ void **state) {
    static const int codes[] = {HTTP_E_CONNECT, HTTP_E_PSK,     PEER_E_EXPIRED,
                                HTTP_E_TIMEOUT, UB_E_CANCELLED, -ENOMEM};

    for (size_t i = 0; i < ELEMENTS(codes); i++)
        expect((struct step){.r = codes[i]}, codes[i], "the connection's part");
}

static void each_refusal_has_its_outcome_and_the_mefs_words(_unused_ void **state) {
    static const struct {
        unsigned status;
        const char *rsc, *words;
        int code;
    } refusals[] = {
        {400, "4000", "bad", MEF_E_MALFORMED},
        {401, "4106", "who are you", MEF_E_REFUSED},
        {403, "4103", "no access", MEF_E_REFUSED},
        {403, "4107", "enrolmentToken is used", MEF_E_TOKEN},
        {403, "4107", "no security association", MEF_E_REFUSED},
        {403, "4103", "enrolmentToken or not", MEF_E_REFUSED},
        {404, "4004", "nothing here", MEF_E_UNKNOWN},
        {404, NULL, "a web server", MEF_E_UNKNOWN},
        {400, "4004", "nothing here", MEF_E_UNKNOWN},
        {409, "4105", "there is one", MEF_E_CONFLICT},
        {403, "4105", "there is one", MEF_E_CONFLICT},
        {429, NULL, "slowly", MEF_E_BUSY},
        {500, "5000", "oh", MEF_E_BUSY},
        {503, "5103", "not now", MEF_E_BUSY},
    };

    for (size_t i = 0; i < ELEMENTS(refusals); i++) {
        char body[64], words[96];

        (void)snprintf(body, sizeof(body), "{\"error\":\"%s\"}", refusals[i].words);
        (void)snprintf(words, sizeof(words), "answers %u (%s): %s", refusals[i].status,
                       refusals[i].rsc ? refusals[i].rsc : "0", refusals[i].words);
        expect((struct step){.status = refusals[i].status, .rsc = refusals[i].rsc, .body = body},
               refusals[i].code, words);
    }
}

static void a_refusal_needs_no_words_and_no_number(_unused_ void **state) {
    expect((struct step){.status = 403, .number = ""}, MEF_E_REFUSED, "no words");
    expect((struct step){.status = 502, .number = "", .body = "<html>"}, MEF_E_BUSY, "no words");
    expect((struct step){.status = 403, .rsc = "4103", .body = "{\"error\":1}"}, MEF_E_REFUSED,
           "no words");
}

static void a_busy_mef_says_when_to_come_again(_unused_ void **state) {
    static const struct {
        const char *wait;
        uint64_t usec;
    } waits[] = {
        {"120", 120 * USEC_PER_SEC},
        {"99999999", RETRY_AFTER_MAX_SEC * USEC_PER_SEC},
        {NULL, 0},
        {"Fri, 27 Nov 2026 03:00:00 GMT", 0},
        {"-1", 0},
    };

    for (size_t i = 0; i < ELEMENTS(waits); i++) {
        expect((struct step){.status = 503, .rsc = "5103", .wait = waits[i].wait}, MEF_E_BUSY,
               "503");
        assert_int_equal(world.client.retry_after_usec, waits[i].usec);
    }
}

static void a_wait_is_forgotten_with_the_next_request(_unused_ void **state) {
    struct mef_client *client = world_begin(
        SCRIPT({.status = 503, .wait = "5"}, {.status = 403, .wait = "5"}, {.r = HTTP_E_CONNECT}));

    assert_int_equal(mef_deregister(client, "reg-1", NULL), MEF_E_BUSY);
    assert_int_equal(client->retry_after_usec, 5 * USEC_PER_SEC);
    assert_int_equal(mef_deregister(client, "reg-1", NULL), MEF_E_REFUSED);
    assert_int_equal(client->retry_after_usec, 0);
}

static void the_answer_to_another_request_is_none(_unused_ void **state) {
    static const char *const numbers[] = {"", "2", "01x", "x", "-1"};

    for (size_t i = 0; i < ELEMENTS(numbers); i++)
        expect((struct step){.status = 201, .rsc = "2001", .body = REG, .number = numbers[i]},
               MEF_E_MALFORMED, "X-M2M-RI");
    expect((struct step){.status = 403, .rsc = "4103", .number = "2"}, MEF_E_MALFORMED, "X-M2M-RI");
}

static void a_status_that_is_no_yes_is_none(_unused_ void **state) {
    expect((struct step){.status = 302, .rsc = "2001", .body = REG}, MEF_E_MALFORMED, "neither");
    expect((struct step){.status = 100, .rsc = "2001", .body = REG}, MEF_E_MALFORMED, "neither");
    expect((struct step)YES("2000", REG), MEF_E_MALFORMED, "X-M2M-RSC");
    expect((struct step){.status = 201, .body = REG}, MEF_E_MALFORMED, "X-M2M-RSC");
    expect((struct step){.status = 201, .rsc = "4103", .body = REG}, MEF_E_MALFORMED, "X-M2M-RSC");
}

static void only_json_by_its_type_is_read(_unused_ void **state) {
    static const char *const right[] = {"application/json", "APPLICATION/JSON; charset=utf-8",
                                        "application/vnd.onem2m-res+json;ty=1"};
    static const char *const wrong[] = {"", "text/html", "application/jsonp",
                                        "application/vnd.onem2m-res+xml"};

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        expect((struct step){.status = 201, .rsc = "2001", .body = REG, .type = wrong[i]},
               MEF_E_MALFORMED, "Content-Type");
    for (size_t i = 0; i < ELEMENTS(right); i++) {
        _cleanup_(mef_registration_done) struct mef_registration registration = {0};

        assert_int_equal(
            do_register(SCRIPT({.status = 201, .rsc = "2001", .body = REG, .type = right[i]}), NULL,
                        &registration),
            0);
    }
}

static void a_registration_that_lacks_something_is_none(_unused_ void **state) {
    static const struct {
        const char *body, *words;
    } wrong[] = {
        {NULL, "Content-Type"},
        {"", "JSON"},
        {"[]", "JSON"},
        {"{\"sec:mefClientReg\":{}", "JSON"},
        {"{}", "no sec:mefClientReg"},
        {"{\"sec:mefClientReg\":[]}", "no sec:mefClientReg"},
        {"{\"sec:symmKeyReg\":{}}", "no sec:mefClientReg"},
        {"{\"sec:mefClientReg\":{}}", "no clientRegID"},
        {"{\"sec:mefClientReg\":{\"clientRegID\":7}}", "no clientRegID"},
        {"{\"sec:mefClientReg\":{\"clientRegID\":\"..\"}}", "no clientRegID"},
        {"{\"sec:mefClientReg\":{\"clientRegID\":\"a/b\"}}", "no clientRegID"},
        {"{\"sec:mefClientReg\":{\"clientRegID\":\"a?b\"}}", "no clientRegID"},
        {"{\"sec:mefClientReg\":{\"clientRegID\":\"a\"}}", "no adminFQDN"},
        {"{\"sec:mefClientReg\":{\"clientRegID\":\"a\",\"adminFQDN\":\"" MEF_FQDN "\"}}",
         "no expirationTime"},
        {REG_WITH(",\"clientRegID\":\"reg-2\""), "JSON"},
        {REG_WITH(",\"mefClientCmd\":\"../cmd\""), "reference"},
        {REG_WITH(",\"mefClientCmd\":1"), "reference"},
        {REG_WITH(",\"assignedSymmKeyID\":\"a b\""), "assignedSymmKeyID"},
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        expect_body(wrong[i].body, MEF_E_MALFORMED, wrong[i].words);
}

static void an_answer_that_is_too_long_is_not_read(_unused_ void **state) {
    static char body[MEF_BODY_MAX + 2];

    (void)snprintf(body, sizeof(body), "%-*s", (int)MEF_BODY_MAX, REG);
    assert_int_equal(strlen(body), MEF_BODY_MAX); /* a secret holds no more, so none comes */
    {
        _cleanup_(mef_registration_done) struct mef_registration registration = {0};

        assert_int_equal(do_register(SCRIPT(YES("2001", body)), NULL, &registration), 0);
    }
    expect((struct step){.r = HTTP_E_TOO_LARGE}, HTTP_E_TOO_LARGE, "connection");
}

#define REG_UNTIL(expires, admin)                                                    \
    "{\"sec:mefClientReg\":{\"clientRegID\":\"reg-1\",\"expirationTime\":\"" expires \
    "\",\"adminFQDN\":\"" admin "\"}}"

static void a_registration_must_last_and_be_of_our_stakeholder(_unused_ void **state) {
    expect_body(REG_UNTIL("20261127T024058", MEF_FQDN), MEF_E_LIFETIME, "20261127T024058");
    expect_body(REG_UNTIL("19990101T000000", MEF_FQDN), MEF_E_LIFETIME, "19990101T000000");
    expect_body(REG_UNTIL("tomorrow", MEF_FQDN), MEF_E_MALFORMED, "expirationTime");
    expect_body(REG_UNTIL(TOMORROW, "elsewhere.example"), MEF_E_CHANGED, "adminFQDN");
}

static void what_is_granted_beyond_the_profiles_expiry_is_cut(_unused_ void **state) {
    static const struct {
        const char *body;
        int64_t expires;
    } grants[] = {
        {REG_UNTIL("20261127T024059", MEF_FQDN), NOW + 1},
        {REG_UNTIL(IN_A_YEAR, "MEF.example.COM"), NOW + 365 * DAY_SEC},
        {REG_UNTIL("20271127T024059", MEF_FQDN), NOW + 365 * DAY_SEC},
        {REG_UNTIL("99991231T235959", MEF_FQDN), NOW + 365 * DAY_SEC},
    };

    for (size_t i = 0; i < ELEMENTS(grants); i++) {
        _cleanup_(mef_registration_done) struct mef_registration registration = {0};

        assert_int_equal(do_register(SCRIPT(YES("2001", grants[i].body)), NULL, &registration), 0);
        assert_int_equal(registration.expires, grants[i].expires);
    }
}

/* --- Update and configuration --------------------------------------------------------------------------- */

static int update(const char *body, int64_t expires, struct mef_registration *registration) {
    struct mef_client *client = world_begin(SCRIPT(YES("2004", body)));

    *registration = (struct mef_registration){
        .client_reg_id = "reg-1", .assigned_key_id = "old", .command = "cmd", .expires = NOW + 5};
    return mef_registration_update(client, registration, expires, &world.failure);
}

static void an_update_takes_what_is_valid_then(_unused_ void **state) {
    struct mef_registration registration;

    assert_int_equal(update(REG_WITH(""), NOW + DAY_SEC, &registration), 0);
    assert_asked(0, HTTP_PUT, BASE "/reg-1");
    assert_header(0, "Content-Type: application/vnd.onem2m-res+json");
    assert_string_equal(world.asked[0].body, "{\"sec:mefClientReg\":{\"fqdn\":\"" MEF_FQDN
                                             "\",\"expirationTime\":\"" TOMORROW "\"}}");
    assert_false(world.asked[0].exporter);
    assert_int_equal(registration.expires, NOW + DAY_SEC);
    assert_string_equal(registration.assigned_key_id, "old");
    assert_string_equal(registration.command, "cmd");
    assert_int_equal(update(REG_WITH(",\"assignedSymmKeyID\":\"new\",\"mefClientCmd\":\"next\""), 0,
                            &registration),
                     0);
    assert_non_null(strstr(world.asked[0].body, IN_A_YEAR));
    assert_string_equal(registration.assigned_key_id, "new");
    assert_string_equal(registration.command, "next");
}

static void an_update_of_another_registration_is_none(_unused_ void **state) {
    struct mef_registration registration;

    assert_failed(update("{\"sec:mefClientReg\":{\"clientRegID\":\"reg-2\",\"expirationTime\":"
                         "\"" TOMORROW "\",\"adminFQDN\":\"" MEF_FQDN "\"}}",
                         0, &registration),
                  MEF_E_CHANGED, "clientRegID");
    assert_int_equal(registration.expires, NOW + 5);
    assert_int_equal(update(REG_UNTIL(TOMORROW, "elsewhere.example"), 0, &registration),
                     MEF_E_CHANGED);
    assert_int_equal(registration.expires, NOW + 5);
}

#define CFG(fqdn, admin, more) \
    "{\"sec:mefClientCfg\":{\"fqdn\":\"" fqdn "\",\"adminFQDN\":\"" admin "\"" more "}}"

static int configure(const char *body, struct mef_configuration *ret) {
    struct mef_client *client = world_begin(SCRIPT(YES("2000", body)));

    memset(ret, 0, sizeof(*ret));
    return mef_retrieve_configuration(client, "reg-1", ret, &world.failure);
}

static void a_configuration_has_what_is_given_of_it(_unused_ void **state) {
    struct mef_configuration configuration;

    assert_int_equal(configure(CFG(MEF_FQDN, MEF_FQDN, ""), &configuration), 0);
    assert_asked(0, HTTP_GET, BASE "/reg-1/mefClientCfg");
    assert_string_equal(world.asked[0].body, "");
    assert_string_equal(configuration.fqdn, MEF_FQDN);
    assert_int_equal(configuration.http_port + configuration.coap_port, 0);
    assert_int_equal(configuration.expires, 0);
    assert_string_equal(configuration.est, "");
    assert_int_equal(
        configure(CFG(MEF_FQDN, MEF_FQDN,
                      ",\"httpPort\":443,\"coapPort\":65535,\"expirationTime\":\"" TOMORROW
                      "\",\"estBaseURI\":\"https://" MEF_FQDN ":99/.well-known/est\""),
                  &configuration),
        0);
    assert_int_equal(configuration.http_port, 443);
    assert_int_equal(configuration.coap_port, 65535);
    assert_int_equal(configuration.expires, NOW + DAY_SEC);
    assert_string_equal(configuration.est, "https://" MEF_FQDN ":99/.well-known/est");
}

static void a_configuration_that_makes_no_sense_is_refused(_unused_ void **state) {
    static const struct {
        const char *body;
        int code;
        const char *words;
    } wrong[] = {
        {"{\"sec:mefClientCfg\":{\"adminFQDN\":\"a\"}}", MEF_E_MALFORMED, "fqdn"},
        {"{\"sec:mefClientCfg\":{\"fqdn\":\"" MEF_FQDN "\"}}", MEF_E_MALFORMED, "adminFQDN"},
        {CFG("elsewhere.example", MEF_FQDN, ""), MEF_E_CHANGED, "fqdn"},
        {CFG(MEF_FQDN, "elsewhere.example", ""), MEF_E_CHANGED, "adminFQDN"},
        {CFG(MEF_FQDN, MEF_FQDN, ",\"httpPort\":65536"), MEF_E_MALFORMED, "port"},
        {CFG(MEF_FQDN, MEF_FQDN, ",\"httpPort\":-1"), MEF_E_MALFORMED, "port"},
        {CFG(MEF_FQDN, MEF_FQDN, ",\"coapPort\":\"5684\""), MEF_E_MALFORMED, "port"},
        {CFG(MEF_FQDN, MEF_FQDN, ",\"expirationTime\":\"19990101T000000\""), MEF_E_LIFETIME,
         "1999"},
        {CFG(MEF_FQDN, MEF_FQDN, ",\"estBaseURI\":\"https://elsewhere.example/\""), MEF_E_MALFORMED,
         "estBaseURI"},
        {CFG(MEF_FQDN, MEF_FQDN, ",\"estBaseURI\":\"https://" MEF_FQDN ":1@elsewhere.example/\""),
         MEF_E_MALFORMED, "estBaseURI"},
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct mef_configuration configuration, none = {0};

        assert_failed(configure(wrong[i].body, &configuration), wrong[i].code, wrong[i].words);
        assert_memory_equal(&configuration, &none, sizeof(none));
    }
}

/* --- The older exchange --------------------------------------------------------------------------------- */

#define INSTRUCTION(list, expires)                                                                 \
    "{\"sec:enrolmentInstruction\":{\"instructions\":" list ",\"expirationTime\":\"" expires "\"}" \
    "}"

static int indicate(const char *body, struct mef_registration *ret) {
    _cleanup_secret_ struct secret *token = NULL;
    struct mef_client *client = world_begin(SCRIPT(YES("2000", body)));

    world.profile.exchange = MEF_INDICATIONS;
    assert_int_equal(secret_new_copy("12345678", 8, &token), 0);
    return mef_register(client, token, ret, &world.failure);
}

static void indications_say_what_the_profile_wants(_unused_ void **state) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};

    assert_int_equal(
        indicate(INSTRUCTION("[{\"instructionType\":\"maf\",\"URI\":\"https://maf.example.com/\"}]",
                             TOMORROW),
                 &registration),
        0);
    assert_asked(0, HTTP_POST, BASE "/enrolmentIndication");
    assert_header(0, "Content-Type: application/vnd.onem2m-res+json");
    assert_true(world.asked[0].fresh && world.asked[0].exporter);
    assert_string_equal(world.asked[0].body,
                        "{\"sec:enrolmentIndication\":{\"certificateEnrolmentIndication\":false,"
                        "\"mafEnrolmentIndication\":true,\"remoteManagementIndication\":false,"
                        "\"enrolmentToken\":\"12345678\"}}");
    assert_int_equal(registration.expires, NOW + DAY_SEC);
    assert_string_equal(registration.client_reg_id, "");
    assert_int_equal(secret_length(registration.ke), KE_LENGTH);
    assert_int_equal(strncmp(registration.ke_id, "000102", 6), 0);
}

static void instructions_that_are_none_or_over_give_no_ke(_unused_ void **state) {
    struct mef_registration registration = {0};

    assert_failed(indicate(REG, &registration), MEF_E_MALFORMED, "instructions");
    assert_failed(indicate(INSTRUCTION("{}", TOMORROW), &registration), MEF_E_MALFORMED,
                  "instructions");
    assert_failed(indicate(INSTRUCTION("[]", "20261127T024058"), &registration), MEF_E_LIFETIME,
                  "ended");
    assert_null(registration.ke);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_teardown(f, arena_empty)
        CLAIM(a_registration_is_a_create_by_a_connection_of_its_own),
        CLAIM(a_profile_adds_stakeholder_labels_and_token),
        CLAIM(a_token_that_json_cannot_hold_is_not_sent),
        CLAIM(over_coap_content_is_plain_json),
        CLAIM(requests_are_numbered_and_a_base_may_end_with_a_slash),
        CLAIM(what_cannot_be_part_of_a_path_is_not_asked_for),
        CLAIM(ke_is_the_exporter_of_the_answers_connection),
        CLAIM(without_an_exporter_there_is_no_ke),
        CLAIM(an_exporter_of_another_length_is_no_ke),
        CLAIM(what_the_connection_says_is_passed_on),
        CLAIM(each_refusal_has_its_outcome_and_the_mefs_words),
        CLAIM(a_refusal_needs_no_words_and_no_number),
        CLAIM(a_busy_mef_says_when_to_come_again),
        CLAIM(a_wait_is_forgotten_with_the_next_request),
        CLAIM(the_answer_to_another_request_is_none),
        CLAIM(a_status_that_is_no_yes_is_none),
        CLAIM(only_json_by_its_type_is_read),
        CLAIM(a_registration_that_lacks_something_is_none),
        CLAIM(an_answer_that_is_too_long_is_not_read),
        CLAIM(a_registration_must_last_and_be_of_our_stakeholder),
        CLAIM(what_is_granted_beyond_the_profiles_expiry_is_cut),
        CLAIM(an_update_takes_what_is_valid_then),
        CLAIM(an_update_of_another_registration_is_none),
        CLAIM(a_configuration_has_what_is_given_of_it),
        CLAIM(a_configuration_that_makes_no_sense_is_refused),
        CLAIM(indications_say_what_the_profile_wants),
        CLAIM(instructions_that_are_none_or_over_give_no_ke),
#undef CLAIM
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
