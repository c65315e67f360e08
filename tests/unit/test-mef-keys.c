/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keys that are registered with a scripted MEF, and the older fetch: a key is what was asked for or there is none, and its octets
 * come and go as secrets.
 */

#include "mef-world.h"

#define BASE    "https://" MEF_FQDN ":8443/base"
#define EXPIRES (NOW + DAY_SEC)

static struct secret *a_key(size_t length) {
    struct secret *key = NULL;

    assert_int_equal(secret_new(length, &key), 0);
    for (size_t i = 0; i < length; i++)
        secret_data_mutable(key)[i] = (uint8_t)i;
    return key;
}

static void assert_counts_from(const struct secret *key, unsigned first) {
    assert_int_equal(secret_length(key), KE_LENGTH);
    for (unsigned i = 0; i < KE_LENGTH; i++)
        assert_int_equal(secret_data(key)[i], first + i);
}

static int do_register(const char *body, const struct secret *value, struct mef_key *ret) {
    struct mef_client *client = world_begin(SCRIPT(YES("2001", body)));

    return mef_key_register(client, "reg-1", 22, KEY_TARGETS, EXPIRES, value, ret, &world.failure);
}

/* --- Registration ---------------------------------------------------------------------------------------- */

static void a_key_without_a_value_is_the_exporters(_unused_ void **state) {
    _cleanup_(mef_key_done) struct mef_key key = {0};

    assert_int_equal(do_register(KEY_REG, NULL, &key), 0);
    assert_asked(0, HTTP_POST, BASE "/reg-1");
    assert_header(0, "Content-Type: application/vnd.onem2m-res+json;ty=40002");
    assert_true(world.asked[0].fresh && world.asked[0].exporter);
    assert_string_equal(world.asked[0].body,
                        "{\"sec:symmKeyReg\":{\"fqdn\":\"" MEF_FQDN
                        "\",\"expirationTime\":\"" TOMORROW "\",\"adminFQDN\":\"" MEF_FQDN
                        "\",\"SUID\":22,\"targetIDs\":[\"maf.example.com\",\"//sp/b\"]}}");
    /* What the MEF says, whatever the exporter's first octets are. */
    assert_string_equal(key.relative_key_id, "my-key");
    assert_string_equal(key.key_id, "my-key@" MEF_FQDN);
    assert_string_equal(key.source, OURSELF);
    assert_string_equal(key.targets, KEY_TARGETS);
    assert_int_equal(key.suid, 22);
    assert_int_equal(key.expires, EXPIRES);
    assert_counts_from(key.key, 16);
}

static void a_key_with_a_value_is_sent_and_needs_no_exporter(_unused_ void **state) {
    _cleanup_(mef_key_done) struct mef_key key = {0};
    _cleanup_secret_ struct secret *value = a_key(KE_LENGTH);

    assert_int_equal(do_register(KEY_REG, value, &key), 0);
    assert_false(world.asked[0].fresh || world.asked[0].exporter);
    assert_non_null(strstr(world.asked[0].body, "\"keyValue\":\"" A_KEY "\"}}"));
    assert_counts_from(key.key, 0);
    assert_ptr_not_equal(key.key, value);
}

static void every_octet_of_a_value_is_written_as_base64(_unused_ void **state) {
    for (unsigned first = 0; first < 256; first += 5) {
        _cleanup_(mef_key_done) struct mef_key key = {0};
        _cleanup_secret_ struct secret *value = a_key(KE_LENGTH);
        _cleanup_free_ char *text = NULL;
        char member[64];

        for (unsigned i = 0; i < KE_LENGTH; i++)
            secret_data_mutable(value)[i] = (uint8_t)(first * (i + 1));
        assert_int_equal(base64_encode(secret_data(value), KE_LENGTH, &text), 0);
        (void)snprintf(member, sizeof(member), "\"keyValue\":\"%s\"", text);
        assert_int_equal(do_register(KEY_REG, value, &key), 0);
        assert_non_null(strstr(world.asked[0].body, member));
    }
}

static void a_value_of_another_length_is_not_sent(_unused_ void **state) {
    _cleanup_secret_ struct secret *shorter = a_key(KE_LENGTH - 1), *longer = a_key(KE_LENGTH + 1);
    struct mef_key key = {0};

    assert_int_equal(do_register(KEY_REG, shorter, &key), -EINVAL);
    assert_int_equal(do_register(KEY_REG, longer, &key), -EINVAL);
    assert_int_equal(world.count, 0);
}

static void a_key_that_is_confirmed_otherwise_is_none(_unused_ void **state) {
    static const struct {
        const char *body, *words;
    } wrong[] = {
        {KEY_OF("k", TOMORROW, OURSELF, MEF_FQDN, "21", "\"maf.example.com\",\"//sp/b\"", ""),
         "SUID"},
        {KEY_OF("k", TOMORROW, OURSELF, MEF_FQDN, "22", "\"maf.example.com\"", ""), "targetIDs"},
        {KEY_OF("k", TOMORROW, OURSELF, MEF_FQDN, "22", "\"//sp/b\",\"maf.example.com\"", ""),
         "targetIDs"},
        {KEY_OF("k", TOMORROW, OURSELF, MEF_FQDN, "22", "\"maf.example.com\",\"//sp/b\",\"x\"", ""),
         "targetIDs"},
        {KEY_OF("k", TOMORROW, "//sp/other", MEF_FQDN, "22", "\"maf.example.com\",\"//sp/b\"", ""),
         "sourceClientID"},
        {KEY_OF("k", TOMORROW, OURSELF, "elsewhere.example", "22", "\"maf.example.com\",\"//sp/b\"",
                ""),
         "adminFQDN"},
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct mef_key key = {0};

        assert_failed(do_register(wrong[i].body, NULL, &key), MEF_E_CHANGED, wrong[i].words);
        assert_null(key.key);
        assert_string_equal(key.relative_key_id, "");
    }
}

static void a_key_that_is_over_already_is_none(_unused_ void **state) {
    struct mef_key key = {0};

    assert_failed(do_register(KEY_OF("k", "20261127T024058", OURSELF, MEF_FQDN, "22",
                                     "\"maf.example.com\",\"//sp/b\"", ""),
                              NULL, &key),
                  MEF_E_LIFETIME, "ended");
}

static void a_key_that_lacks_something_is_none(_unused_ void **state) {
#define SOME(members) "{\"sec:symmKeyReg\":{" members "}}"
#define SOME_ID       "\"relativeKeyID\":\"k\""
#define SOME_SOURCE   SOME_ID ",\"sourceClientID\":\"" OURSELF "\""
#define SOME_TARGETS  SOME_SOURCE ",\"targetIDs\":[\"maf.example.com\",\"//sp/b\"]"
    static const struct {
        const char *body, *words;
    } wrong[] = {
        {"{}", "relativeKeyID"},
        {SOME(""), "relativeKeyID"},
        {SOME("\"relativeKeyID\":\"../k\""), "relativeKeyID"},
        {SOME(SOME_ID), "SUID"},
        {SOME(SOME_TARGETS), "SUID"},
        {SOME(SOME_TARGETS ",\"SUID\":\"22\""), "SUID"},
        {SOME(SOME_TARGETS ",\"SUID\":100"), "SUID"},
        {SOME(SOME_SOURCE ",\"SUID\":22"), "targetIDs"},
        {SOME(SOME_SOURCE ",\"SUID\":22,\"targetIDs\":\"maf.example.com\""), "targetIDs"},
        {SOME(SOME_SOURCE ",\"SUID\":22,\"targetIDs\":[]"), "targetIDs"},
        {SOME(SOME_SOURCE ",\"SUID\":22,\"targetIDs\":[1]"), "targetIDs"},
        {SOME(SOME_SOURCE ",\"SUID\":22,\"targetIDs\":[\"\"]"), "targetIDs"},
        {SOME(SOME_SOURCE ",\"SUID\":22,\"targetIDs\":[\"maf.example.com //sp/b\"]"), "targetIDs"},
        {SOME(SOME_TARGETS ",\"SUID\":22"), "expirationTime"},
        {SOME(SOME_TARGETS ",\"SUID\":22,\"expirationTime\":\"" TOMORROW "\""), "adminFQDN"},
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct mef_key key = {0};

        assert_failed(do_register(wrong[i].body, NULL, &key), MEF_E_MALFORMED, wrong[i].words);
        assert_null(key.key);
    }
}

/* --- Retrieval ------------------------------------------------------------------------------------------- */

/* Of the target's side: source and stakeholder are the other's. */
#define RETRIEVED(id, value)                                                    \
    KEY_OF(id, TOMORROW, "//sp/source", "its.example", "22", "\"" OURSELF "\"", \
           ",\"keyValue\":\"" value "\"")

static int retrieve(const char *body, struct mef_key *ret) {
    struct mef_client *client = world_begin(SCRIPT(YES("2000", body)));

    return mef_key_retrieve(client, "My-Key", ret, &world.failure);
}

static void a_key_is_retrieved_by_a_target_of_it(_unused_ void **state) {
    _cleanup_(mef_key_done) struct mef_key key = {0};

    assert_int_equal(retrieve(RETRIEVED("my-key", A_KEY), &key), 0);
    assert_asked(0, HTTP_GET, BASE "/My-Key");
    assert_string_equal(key.source, "//sp/source");
    assert_string_equal(key.targets, OURSELF);
    assert_counts_from(key.key, 0);
}

static void a_key_of_another_name_or_length_is_none(_unused_ void **state) {
    static const char *const wrong[] = {
        RETRIEVED("my-key", ""),
        RETRIEVED("my-key",
                  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="), /* 31 octets, as many digits */
        RETRIEVED("my-key", "AAECAwQFBgcICQoLDA0ODw=="),           /* 16 octets */
        RETRIEVED("my-key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"), /* 33 */
        RETRIEVED("my-key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="), /* trailing bits */
        RETRIEVED("my-key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH-8="),
        RETRIEVED("my-key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=A"),
        KEY_OF("my-key", TOMORROW, "//sp/source", "its.example", "22", "\"" OURSELF "\"", ""),
        KEY_OF("my-key", TOMORROW, "//sp/source", "its.example", "22", "\"" OURSELF "\"",
               ",\"keyValue\":[1,2]"),
    };
    struct mef_key key = {0};

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        assert_failed(retrieve(wrong[i], &key), MEF_E_MALFORMED, "keyValue");
    assert_failed(retrieve(RETRIEVED("other", A_KEY), &key), MEF_E_CHANGED, "relativeKeyID");
    assert_null(key.key);
}

/* --- Update and de-registration --------------------------------------------------------------------------- */

static int update(const char *body, int64_t expires, const char *targets, struct mef_key *ret) {
    struct mef_client *client = world_begin(SCRIPT(YES("2004", body)));

    *ret = (struct mef_key){.relative_key_id = "my-key",
                            .source = OURSELF,
                            .targets = KEY_TARGETS,
                            .suid = 22,
                            .expires = NOW + 5};
    return mef_key_update(client, ret, expires, targets, &world.failure);
}

static void an_update_sends_what_shall_change_and_takes_what_is_valid_then(_unused_ void **state) {
    struct mef_key key;

    assert_int_equal(update(KEY_REG, EXPIRES, NULL, &key), 0);
    assert_asked(0, HTTP_PUT, BASE "/my-key");
    assert_string_equal(world.asked[0].body, "{\"sec:symmKeyReg\":{\"fqdn\":\"" MEF_FQDN
                                             "\",\"expirationTime\":\"" TOMORROW "\"}}");
    assert_int_equal(key.expires, EXPIRES);
    assert_string_equal(key.targets, KEY_TARGETS);
    assert_int_equal(update(KEY_OF("MY-KEY", TOMORROW, OURSELF, MEF_FQDN, "22", "\"//sp/c\"", ""),
                            0, "//sp/c", &key),
                     0);
    assert_string_equal(world.asked[0].body, "{\"sec:symmKeyReg\":{\"fqdn\":\"" MEF_FQDN
                                             "\",\"targetIDs\":[\"//sp/c\"]}}");
    assert_string_equal(key.targets, "//sp/c");
}

static void an_update_that_is_confirmed_otherwise_changes_nothing(_unused_ void **state) {
    static const struct {
        const char *body, *words;
    } wrong[] = {
        {KEY_OF("k", TOMORROW, OURSELF, MEF_FQDN, "22", "\"//sp/c\"", ""), "relativeKeyID"},
        {KEY_OF("my-key", TOMORROW, OURSELF, MEF_FQDN, "23", "\"//sp/c\"", ""), "SUID"},
        {KEY_OF("my-key", TOMORROW, OURSELF, MEF_FQDN, "22", "\"//sp/d\"", ""), "targetIDs"},
        {KEY_OF("my-key", TOMORROW, "//sp/d", MEF_FQDN, "22", "\"//sp/c\"", ""), "sourceClientID"},
        {KEY_OF("my-key", TOMORROW, OURSELF, "d.example", "22", "\"//sp/c\"", ""), "adminFQDN"},
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        struct mef_key key;

        assert_failed(update(wrong[i].body, 0, "//sp/c", &key), MEF_E_CHANGED, wrong[i].words);
        assert_string_equal(key.targets, KEY_TARGETS);
        assert_int_equal(key.expires, NOW + 5);
    }
}

static void a_de_registration_is_a_delete_of_the_key(_unused_ void **state) {
    struct mef_client *client =
        world_begin(SCRIPT({.status = 200, .rsc = "2002"}, {.status = 404, .rsc = "4004"}));

    assert_int_equal(mef_key_deregister(client, "my-key", &world.failure), 0);
    assert_asked(0, HTTP_DELETE, BASE "/my-key");
    assert_int_equal(mef_key_deregister(client, "my-key", &world.failure), MEF_E_UNKNOWN);
}

static void what_cannot_be_part_of_a_path_is_not_asked_for(_unused_ void **state) {
    struct mef_client *client = world_begin(SCRIPT({.r = -EIO}));
    struct mef_key key = {.relative_key_id = ""};

    assert_int_equal(mef_key_deregister(client, "../reg-1", NULL), -EINVAL);
    assert_int_equal(mef_key_retrieve(client, "a?b", &key, NULL), -EINVAL);
    assert_int_equal(mef_key_update(client, &key, EXPIRES, NULL, NULL), -EINVAL);
    assert_int_equal(mef_key_register(client, "", 22, KEY_TARGETS, EXPIRES, NULL, &key, NULL),
                     -EINVAL);
    assert_int_equal(mef_fetch_credentials(client, "A/B", 21, &key, NULL), -EINVAL);
    assert_int_equal(mef_fetch_credentials(client, "", 21, &key, NULL), -EINVAL);
    assert_int_equal(mef_fetch_credentials(client, "..", 21, &key, NULL), -EINVAL);
    assert_int_equal(world.count, 0);
}

/* --- The older fetch --------------------------------------------------------------------------------------- */

#define KE_ID "000102030405060708090A0B0C0D0E0F@" MEF_FQDN

static int fetch(const char *body, struct mef_key *ret) {
    struct mef_client *client = world_begin(SCRIPT(YES("2000", body)));

    return mef_fetch_credentials(client, KE_ID, 21, ret, &world.failure);
}

static void credentials_are_fetched_at_the_root_of_the_host(_unused_ void **state) {
    _cleanup_(mef_key_done) struct mef_key key = {0};

    assert_int_equal(fetch("{\"Status\":true,\"Credential\":\"" A_KEY
                           "\",\"EnroleeID\":\"//sp/source\",\"Lifetime\":3600}",
                           &key),
                     0);
    assert_asked(0, HTTP_GET, "https://" MEF_FQDN ":8443/fetchCredentials/" KE_ID "/21");
    assert_string_equal(key.key_id, KE_ID);
    assert_string_equal(key.source, "//sp/source");
    assert_int_equal(key.suid, 21);
    assert_int_equal(key.expires, NOW + 3600);
    assert_counts_from(key.key, 0);
}

static void a_fetch_that_is_refused_has_the_mefs_words(_unused_ void **state) {
    struct mef_key key = {0};

    assert_failed(fetch("{\"Status\":false,\"ErrorString\":\"not for you\"}", &key), MEF_E_REFUSED,
                  "not for you");
    assert_failed(fetch("{\"Status\":false}", &key), MEF_E_REFUSED, "no words");
    assert_null(key.key);
}

static void credentials_that_lack_something_are_none(_unused_ void **state) {
    static const struct {
        const char *body, *words;
    } wrong[] = {
        {"{}", "Status"},
        {"{\"Status\":\"true\"}", "Status"},
        {"{\"Status\":true,\"Lifetime\":1,\"Credential\":\"" A_KEY "\"}", "EnroleeID"},
        {"{\"Status\":true,\"EnroleeID\":\"a\",\"Credential\":\"" A_KEY "\"}", "Lifetime"},
        {"{\"Status\":true,\"EnroleeID\":\"a\",\"Lifetime\":0,\"Credential\":\"" A_KEY "\"}",
         "Lifetime"},
        {"{\"Status\":true,\"EnroleeID\":\"a\",\"Lifetime\":-5,\"Credential\":\"" A_KEY "\"}",
         "Lifetime"},
        {"{\"Status\":true,\"EnroleeID\":\"a\",\"Lifetime\":1}", "Credential"},
        {"{\"Status\":true,\"EnroleeID\":\"a\",\"Lifetime\":1,\"Credential\":\"AAEC\"}",
         "Credential"},
    };
    struct mef_key key = {0};

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        assert_failed(fetch(wrong[i].body, &key), MEF_E_MALFORMED, wrong[i].words);
    assert_null(key.key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_teardown(f, arena_empty)
        CLAIM(a_key_without_a_value_is_the_exporters),
        CLAIM(a_key_with_a_value_is_sent_and_needs_no_exporter),
        CLAIM(every_octet_of_a_value_is_written_as_base64),
        CLAIM(a_value_of_another_length_is_not_sent),
        CLAIM(a_key_that_is_confirmed_otherwise_is_none),
        CLAIM(a_key_that_is_over_already_is_none),
        CLAIM(a_key_that_lacks_something_is_none),
        CLAIM(a_key_is_retrieved_by_a_target_of_it),
        CLAIM(a_key_of_another_name_or_length_is_none),
        CLAIM(an_update_sends_what_shall_change_and_takes_what_is_valid_then),
        CLAIM(an_update_that_is_confirmed_otherwise_changes_nothing),
        CLAIM(a_de_registration_is_a_delete_of_the_key),
        CLAIM(what_cannot_be_part_of_a_path_is_not_asked_for),
        CLAIM(credentials_are_fetched_at_the_root_of_the_host),
        CLAIM(a_fetch_that_is_refused_has_the_mefs_words),
        CLAIM(credentials_that_lack_something_are_none),
#undef CLAIM
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
