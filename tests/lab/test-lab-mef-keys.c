/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keys that are registered with `keystrap-lab mef`: by the source's exporter or with a value of its own, retrieved by targets.
 */

#include "test-lab-mef.h"

static json_t *key_body(int suid, const char *target, const char *value) {
    char expires[16];
    json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:[s]}", "fqdn", MEF_ASK_FQDN, "expirationTime",
                               in_seconds(1000, expires), "adminFQDN", "admin.example.com", "SUID",
                               suid, "targetIDs", target);

    if (value)
        assert_int_equal(json_object_set_new(object, "keyValue", json_string(value)), 0);
    return json_pack("{s:o}", "sec:symmKeyReg", object);
}

#define VALUE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* 00 to 1f */

/* The gateway's client registration, as a path. */
static void register_gateway(struct scene *scene, char ret[80]) {
    char id[64];

    assert_int_equal(register_as(&scene->gateway, NULL, id), 201);
    (void)snprintf(ret, 80, "/%s", id);
}

/* A key of the gateway for the MAF, as a path. */
static void register_key(struct scene *scene, const char *reg, int suid, const char *value,
                         char ret[80]) {
    _cleanup_told_ struct mef_told told;

    mef_ask(&scene->gateway, "POST", reg, KEY_TYPE, key_body(suid, MAF, value), &told);
    assert_int_equal(told.status, 201);
    assert_int_equal(told.rsc, 2001);
    (void)snprintf(ret, 80, "/%s", mef_told_text(&told, "sec:symmKeyReg", "relativeKeyID"));
}

static void assert_key(const struct mef_told *told, const uint8_t expected[32]) {
    uint8_t key[33];

    assert_int_equal(mef_decode(mef_told_text(told, "sec:symmKeyReg", "keyValue"), key), 32);
    assert_memory_equal(key, expected, 32);
}

static void a_key_without_a_value_is_the_exporters(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    char reg[80], path[80], ke_id[128], order[96], shown[128], hash[17];

    register_gateway(scene, reg);
    register_key(scene, reg, 21, NULL, path);
    ke_id_of(&scene->gateway, ke_id);
    assert_int_equal(strlen(path), 33);
    assert_int_equal(strncmp(path + 1, ke_id, 32), 0);
    (void)snprintf(order, sizeof(order), "key %s", path + 1);
    mef_process_order(&scene->mef, order, shown, sizeof(shown));
    mef_hash(scene->gateway.exporter + 16, hash);
    (void)snprintf(order, sizeof(order), "%s 21 " GATEWAY, hash);
    assert_string_equal(shown, order);
    mef_ask(&scene->maf, "GET", path, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    assert_key(&told, scene->gateway.exporter + 16);
}

static void a_key_with_a_value_is_that_and_gets_an_id_of_its_own(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    char reg[80], first[80], second[80];
    uint8_t expected[32];

    for (size_t i = 0; i < sizeof(expected); i++)
        expected[i] = (uint8_t)i;
    register_gateway(scene, reg);
    register_key(scene, reg, 21, VALUE, first);
    register_key(scene, reg, 21, VALUE, second);
    assert_string_not_equal(first, second);
    mef_ask(&scene->maf, "GET", second, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.rsc, 2000);
    assert_key(&told, expected);
}

static void a_relative_key_id_that_is_in_use_is_replaced(void **state) {
    struct scene *scene = *state;
    char reg[80], first[80], second[80];

    register_gateway(scene, reg);
    scene->gateway.stay = true;
    register_key(scene, reg, 21, NULL, first);
    register_key(scene, reg, 21, NULL, second);
    assert_string_not_equal(first, second);
}

static void a_key_is_described_with_all_that_it_has(void **state) {
    struct scene *scene = *state;
    _cleanup_told_ struct mef_told told;
    json_t *body = key_body(25, IN_CSE, NULL), *object = json_object_get(body, "sec:symmKeyReg");
    char reg[80], wish[16], path[80];

    (void)snprintf(wish, sizeof(wish), "%s",
                   json_string_value(json_object_get(object, "expirationTime")));
    (void)json_object_set_new(object, "labels", json_pack("[s]", "one"));
    (void)json_array_append_new(json_object_get(object, "targetIDs"), json_string(MAF));
    register_gateway(scene, reg);
    mef_ask(&scene->gateway, "POST", reg, KEY_TYPE, body, &told);
    for (int i = 0; i < 2; i++) { /* as registered, and as retrieved by the second target */
        object = mef_told_object(&told, "sec:symmKeyReg");
        assert_int_equal(json_object_size(object), 7 + i);
        assert_string_equal(mef_told_text(&told, "sec:symmKeyReg", "sourceClientID"), GATEWAY);
        assert_string_equal(mef_told_text(&told, "sec:symmKeyReg", "adminFQDN"),
                            "admin.example.com");
        assert_string_equal(mef_told_text(&told, "sec:symmKeyReg", "expirationTime"), wish);
        assert_int_equal(json_integer_value(json_object_get(object, "SUID")), 25);
        assert_int_equal(json_array_size(json_object_get(object, "targetIDs")), 2);
        assert_int_equal(json_array_size(json_object_get(object, "labels")), 1);
        (void)snprintf(path, sizeof(path), "/%s",
                       mef_told_text(&told, "sec:symmKeyReg", "relativeKeyID"));
        mef_told_done(&told);
        mef_ask(&scene->maf, "GET", path, 0, NULL, &told);
    }
    mef_told_done(&told);
    mef_ask(&scene->in_cse, "GET", path, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(mef_process_count(&scene->mef, "keys"), 1);
    assert_int_equal(mef_process_count(&scene->mef, "fetches"), 3);
}

static void only_targets_retrieve_and_only_the_source_changes(void **state) {
    struct scene *scene = *state;
    struct mef_told told;
    char reg[80], path[80];

    register_gateway(scene, reg);
    register_key(scene, reg, 21, NULL, path);
    mef_ask(&scene->in_cse, "GET", path, 0, NULL, &told);
    assert_refused(&told, 403, 4103);
    mef_told_done(&told);
    mef_ask(&scene->maf, "DELETE", path, 0, NULL, &told);
    assert_refused(&told, 403, 4103);
    mef_told_done(&told);
    mef_ask(&scene->maf, "POST", reg, KEY_TYPE, key_body(21, MAF, NULL), &told);
    assert_refused(&told, 403, 4103);
    mef_told_done(&told);
    mef_ask(&scene->maf, "GET", "/0123", 0, NULL, &told);
    assert_refused(&told, 404, 4004);
    mef_told_done(&told);
    /* Its source may look, and identifiers have no case. */
    for (char *at = path; *at; at++)
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
    mef_ask(&scene->gateway, "GET", path, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    mef_told_done(&told);
}

static void an_update_moves_a_key_to_other_targets(void **state) {
    struct scene *scene = *state;
    struct mef_told told;
    char reg[80], path[80], text[16];

    register_gateway(scene, reg);
    register_key(scene, reg, 21, NULL, path);
    mef_ask(&scene->gateway, "PUT", path, 0,
            json_pack("{s:{s:s,s:s,s:[s]}}", "sec:symmKeyReg", "fqdn", MEF_ASK_FQDN,
                      "expirationTime", in_seconds(500, text), "targetIDs", IN_CSE),
            &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.rsc, 2004);
    assert_string_equal(mef_told_text(&told, "sec:symmKeyReg", "expirationTime"), text);
    assert_null(json_object_get(mef_told_object(&told, "sec:symmKeyReg"), "keyValue"));
    mef_told_done(&told);
    mef_ask(&scene->maf, "GET", path, 0, NULL, &told);
    assert_refused(&told, 403, 4103);
    mef_told_done(&told);
    mef_ask(&scene->in_cse, "GET", path, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    mef_told_done(&told);
    mef_ask(&scene->gateway, "PUT", path, 0,
            json_pack("{s:{s:s}}", "sec:symmKeyReg", "fqdn", MEF_ASK_FQDN), &told);
    assert_refused(&told, 400, 4000);
    mef_told_done(&told);
}

static void a_key_ends_with_its_de_registration_and_with_its_sources(void **state) {
    struct scene *scene = *state;
    struct mef_told told;
    char reg[80], paths[2][80];

    register_gateway(scene, reg);
    register_key(scene, reg, 21, NULL, paths[0]);
    register_key(scene, reg, 21, NULL, paths[1]);
    mef_ask(&scene->gateway, "DELETE", paths[0], 0, NULL, &told);
    assert_int_equal(told.status, 200);
    assert_int_equal(told.rsc, 2002);
    assert_int_equal(told.length, 0);
    mef_told_done(&told);
    mef_ask(&scene->maf, "GET", paths[0], 0, NULL, &told);
    assert_refused(&told, 404, 4004);
    mef_told_done(&told);
    mef_ask(&scene->maf, "GET", paths[1], 0, NULL, &told);
    assert_int_equal(told.status, 200);
    mef_told_done(&told);
    mef_ask(&scene->gateway, "DELETE", reg, 0, NULL, &told);
    assert_int_equal(told.status, 200);
    mef_told_done(&told);
    mef_ask(&scene->maf, "GET", paths[1], 0, NULL, &told);
    assert_refused(&told, 404, 4004);
    mef_told_done(&told);
    assert_int_equal(mef_process_count(&scene->mef, "removals"), 2);
}

static void a_wrong_key_registration_is_refused(void **state) {
    static const struct {
        const char *field, *value; /* in JSON; NULL: without the field */
    } wrongs[] = {
        {"fqdn", NULL},
        {"fqdn", "\"other.example.com\""},
        {"expirationTime", NULL},
        {"adminFQDN", NULL},
        {"SUID", NULL},
        {"SUID", "\"21\""},
        {"SUID", "20"},
        {"SUID", "31"},
        {"SUID", "-1"},
        {"targetIDs", NULL},
        {"targetIDs", "[]"},
        {"targetIDs", "\"maf.example.com\""},
        {"targetIDs", "[\"maf.example.com\",\"//m2m.example.com/in-cse\"]"},
        {"keyValue", "\"AAEC\""},
        {"keyValue", "\"?\""},
        {"keyValue", "7"},
        {"more", "7"},
    };
    struct scene *scene = *state;
    char reg[80];

    register_gateway(scene, reg);
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        _cleanup_told_ struct mef_told told;
        json_t *body = key_body(21, MAF, NULL), *object = json_object_get(body, "sec:symmKeyReg");

        if (wrongs[i].value)
            (void)json_object_set_new(object, wrongs[i].field,
                                      json_loads(wrongs[i].value, JSON_DECODE_ANY, NULL));
        else
            (void)json_object_del(object, wrongs[i].field);
        mef_ask(&scene->gateway, "POST", reg, KEY_TYPE, body, &told);
        if (told.status != 400)
            fail_msg("%ld to %s: %s", told.status, wrongs[i].field, wrongs[i].value);
        assert_refused(&told, 400, 4000);
    }
    assert_int_equal(mef_process_count(&scene->mef, "keys"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_key_without_a_value_is_the_exporters),
        TEST(a_key_with_a_value_is_that_and_gets_an_id_of_its_own),
        TEST(a_relative_key_id_that_is_in_use_is_replaced),
        TEST(a_key_is_described_with_all_that_it_has),
        TEST(only_targets_retrieve_and_only_the_source_changes),
        TEST(an_update_moves_a_key_to_other_targets),
        TEST(a_key_ends_with_its_de_registration_and_with_its_sources),
        TEST(a_wrong_key_registration_is_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
