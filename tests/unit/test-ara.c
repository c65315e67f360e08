/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The card's access rules: what they say, what wins, and that nothing is granted in doubt.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ara.h"
#include "util.h"

#define AID     "d27600012401"
#define HASH_A  "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3"
#define HASH_B  "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3"
#define FOR_AID "4f06" AID
#define FOR_ALL "4f00"
#define BY_A    "c114" HASH_A
#define BY_B    "c114" HASH_B
#define BY_ALL  "c100"
#define NEVER   "d00100"
#define ALWAYS  "d00101"
#define READS   "d00880ca0000ffff0000"
#define WRITES  "d00880da0000ffff0000"

/* One REF-AR-DO of hex parts. */
static size_t rule(uint8_t *at, const char *aid, const char *hash, const char *access) {
    char text[1024];
    size_t ref = (strlen(aid) + strlen(hash)) / 2, ar = strlen(access) / 2, length;

    (void)snprintf(text, sizeof(text), "e2%02zxe1%02zx%s%se3%02zx%s", 4 + ref + ar, ref, aid, hash,
                   ar, access);
    assert_true(4 + ref + ar < 0x80);
    assert_int_equal(hex_decode(text, at, 512, &length), 0);
    return length;
}

struct list {
    uint8_t data[4096];
    size_t length;
};

static void add(struct list *list, const char *aid, const char *hash, const char *access) {
    list->length += rule(list->data + list->length, aid, hash, access);
}

static const struct device_app_hash *hash_a(void) {
    static struct device_app_hash hash;

    assert_int_equal(hex_decode(HASH_A, hash.value, sizeof(hash.value), &hash.length), 0);
    return &hash;
}

/* What the list says of an application for a caller with hash A, or with none. */
static struct ara_decision decide_hex(const struct list *list, const char *aid, bool with_hash) {
    struct ara_rules rules = {0};
    struct ara_decision decision;
    uint8_t octets[AID_MAX];
    size_t length;

    assert_int_equal(hex_decode(aid, octets, sizeof(octets), &length), 0);
    assert_int_equal(ara_parse(list->data, list->length, &rules), 0);
    ara_decide(&rules, octets, length, with_hash ? hash_a() : NULL, with_hash, &decision);
    ara_rules_done(&rules);
    return decision;
}

static enum ara_access decide(const struct list *list, bool with_hash) {
    return decide_hex(list, AID, with_hash).access;
}

static void no_rule_grants_nothing(void **state) {
    struct list list = {0};

    (void)state;
    assert_int_equal(decide(&list, false), ARA_NEVER);
    assert_int_equal(decide(&list, true), ARA_NEVER);
}

static void a_rule_for_all_is_for_whom_no_other_names(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, FOR_ALL, BY_ALL, ALWAYS);
    assert_int_equal(decide(&list, false), ARA_ALWAYS);
    assert_int_equal(decide(&list, true), ARA_ALWAYS);
    add(&list, FOR_AID, BY_ALL, NEVER);
    assert_int_equal(decide(&list, false), ARA_NEVER);
    assert_int_equal(decide(&list, true), ARA_NEVER);
    assert_int_equal(decide_hex(&list, "d27600012402", false).access, ARA_ALWAYS);
}

static void a_rule_for_one_device_application_shuts_the_others_out(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, FOR_AID, BY_A, ALWAYS);
    add(&list, FOR_AID, BY_ALL, ALWAYS);
    assert_int_equal(decide(&list, true), ARA_ALWAYS);
    assert_int_equal(decide(&list, false), ARA_NEVER);
    list.length = 0;
    add(&list, FOR_ALL, BY_B, ALWAYS);
    add(&list, FOR_ALL, BY_ALL, ALWAYS);
    assert_int_equal(decide(&list, true), ARA_NEVER);
    assert_int_equal(decide(&list, false), ARA_NEVER);
}

static void the_application_counts_before_the_device_application(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, FOR_ALL, BY_A, NEVER);
    add(&list, FOR_AID, BY_ALL, ALWAYS);
    assert_int_equal(decide(&list, true), ARA_ALWAYS);
    add(&list, FOR_AID, BY_A, NEVER);
    assert_int_equal(decide(&list, true), ARA_NEVER);
}

static void a_never_wins_and_filters_add_up(void **state) {
    struct list list = {0};
    struct ara_decision decision;

    (void)state;
    add(&list, FOR_AID, BY_ALL, ALWAYS);
    add(&list, FOR_AID, BY_ALL, READS);
    add(&list, FOR_AID, BY_ALL, WRITES);
    decision = decide_hex(&list, AID, false);
    assert_int_equal(decision.access, ARA_FILTERED);
    assert_true(ara_permits(&decision, 0x80, 0xca, 0x12, 0x34));
    assert_true(ara_permits(&decision, 0x80, 0xda, 0x12, 0x34));
    assert_false(ara_permits(&decision, 0x80, 0xdb, 0x12, 0x34));
    assert_false(ara_permits(&decision, 0x00, 0xca, 0x12, 0x34));
    add(&list, FOR_AID, BY_ALL, NEVER);
    add(&list, FOR_AID, BY_ALL, READS);
    decision = decide_hex(&list, AID, false);
    assert_int_equal(decision.access, ARA_NEVER);
    assert_false(ara_permits(&decision, 0x80, 0xca, 0x12, 0x34));
}

static void always_and_never_permit_all_and_nothing(void **state) {
    const struct ara_decision always = {.access = ARA_ALWAYS}, never = {.access = ARA_NEVER};

    (void)state;
    assert_true(ara_permits(&always, 0x00, 0xb0, 0, 0));
    assert_false(ara_permits(&never, 0x00, 0xb0, 0, 0));
}

static void a_rule_without_apdu_access_grants_nothing(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, FOR_ALL, BY_ALL, ALWAYS);
    add(&list, FOR_AID, BY_ALL, "d10101"); /* NFC events only */
    assert_int_equal(decide(&list, false), ARA_NEVER);
}

/* A card may select the longer one by its beginning. */
static void a_beginning_of_an_aid_with_rules_is_not_granted(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, FOR_ALL, BY_ALL, ALWAYS);
    add(&list, FOR_AID, BY_ALL, NEVER);
    assert_int_equal(decide_hex(&list, "d276000124", false).access, ARA_NEVER);
    assert_int_equal(decide_hex(&list, "d276000125", false).access, ARA_ALWAYS);
    assert_int_equal(decide_hex(&list, AID "01", false).access, ARA_ALWAYS);
}

static void the_default_application_is_nobodys_aid(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "c000", BY_ALL, ALWAYS);
    assert_int_equal(decide(&list, false), ARA_NEVER);
    assert_int_equal(decide_hex(&list, "", false).access, ARA_NEVER);
}

static void hashes_of_both_lengths_are_told_apart(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, FOR_AID, "c120" HASH_A "000000000000000000000000", ALWAYS);
    assert_int_equal(decide(&list, true), ARA_NEVER);
    add(&list, FOR_AID, BY_A, ALWAYS);
    assert_int_equal(decide(&list, true), ARA_ALWAYS);
}

static void objects_of_others_are_skipped(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, FOR_AID "ca0103", BY_ALL, "d10101" ALWAYS "db080000000000000001");
    memcpy(list.data + list.length, "\x5a\x01\x07", 3);
    list.length += 3;
    assert_int_equal(decide(&list, false), ARA_ALWAYS);
}

static void what_is_malformed_is_no_rule_at_all(void **state) {
    static const char *const cases[] = {
        "e2",                                 /* no length */
        "e205",                               /* cut */
        "e200",                               /* neither reference nor access */
        "e206e104c1004f00",                   /* no access, and too long */
        "e206e1044f00c100",                   /* no access */
        "e209e1024f00e303d00101",             /* no hash: whose is it? */
        "e209e102c100e303d00101",             /* no AID */
        "e20de1064f00c1004f00e303d00101",     /* two AIDs */
        "e20de1064f00c100c100e303d00101",     /* two hashes */
        "e20de1064f04d2760001e303d00101",     /* an AID of four octets, and no hash */
        "e20fe1084f04d2760001c100e303d00101", /* an AID of four octets */
        "e20de1064f00c102a0a1e303d00101",     /* a hash of two */
        "e20be1044f00c100e303d00102",         /* neither never nor always */
        "e20ae1044f00c100e302d000",           /* nothing */
        "e20ee1044f00c100e306d00401020304",   /* half a filter */
        "e20ee1044f00c100e306d00101d00101",   /* twice */
        "e20ce1054f00c10101e303d00101",       /* a hash of one octet */
        "e20ce105c00101c100e303d00101",       /* a default application with a name */
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct ara_rules rules = {0};
        uint8_t data[256];
        size_t length;

        assert_int_equal(hex_decode(cases[i], data, sizeof(data), &length), 0);
        if (ara_parse(data, length, &rules) != -EBADMSG)
            fail_msg("%s is taken for rules", cases[i]);
        assert_null(rules.list);
    }
}

/* One bad rule among good ones may be the one that forbids. */
static void one_bad_rule_spoils_the_list(void **state) {
    struct list list = {0};
    struct ara_rules rules = {0};

    (void)state;
    add(&list, FOR_ALL, BY_ALL, ALWAYS);
    list.data[list.length++] = 0xe2;
    list.data[list.length++] = 0x7f;
    assert_int_equal(ara_parse(list.data, list.length, &rules), -EBADMSG);
}

static void too_many_rules_or_filters_are_refused(void **state) {
    uint8_t *data = calloc(1, 2 * ARA_DATA_MAX);
    struct ara_rules rules = {0};
    size_t length = 0;

    (void)state;
    assert_non_null(data);
    for (unsigned i = 0; i < ARA_RULES_MAX; i++)
        length += rule(data + length, FOR_AID, BY_ALL, ALWAYS);
    assert_int_equal(ara_parse(data, length, &rules), 0);
    assert_int_equal(rules.count, ARA_RULES_MAX);
    ara_rules_done(&rules);
    length += rule(data + length, FOR_AID, BY_ALL, NEVER);
    assert_int_equal(ara_parse(data, length, &rules), -EBADMSG);

    memset(data, 0, ARA_DATA_MAX + 1);
    assert_int_equal(ara_parse(data, ARA_DATA_MAX, &rules), 0);
    assert_int_equal(rules.count, 0);
    assert_int_equal(ara_parse(data, ARA_DATA_MAX + 1, &rules), -EBADMSG);
    free(data);
}

/* Three rules of twelve filters are more than a decision holds; what is left out would only grant. */
static void filters_that_do_not_fit_grant_nothing(void **state) {
    struct list list = {0};
    struct ara_decision decision;
    char filters[4 + 16 * 12 + 1] = "d060";

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < 12; j++)
            (void)snprintf(filters + 4 + 16 * j, 17, "80%02x0000ffff0000", 16 * i + j);
        add(&list, FOR_AID, BY_ALL, filters);
    }
    decision = decide_hex(&list, AID, false);
    assert_int_equal(decision.filters_count, ARA_FILTERS_MAX);
    assert_true(ara_permits(&decision, 0x80, 0x27, 0, 0));
    assert_false(ara_permits(&decision, 0x80, 0x2b, 0, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rule_grants_nothing),
        cmocka_unit_test(a_rule_for_all_is_for_whom_no_other_names),
        cmocka_unit_test(a_rule_for_one_device_application_shuts_the_others_out),
        cmocka_unit_test(the_application_counts_before_the_device_application),
        cmocka_unit_test(a_never_wins_and_filters_add_up),
        cmocka_unit_test(always_and_never_permit_all_and_nothing),
        cmocka_unit_test(a_rule_without_apdu_access_grants_nothing),
        cmocka_unit_test(a_beginning_of_an_aid_with_rules_is_not_granted),
        cmocka_unit_test(the_default_application_is_nobodys_aid),
        cmocka_unit_test(hashes_of_both_lengths_are_told_apart),
        cmocka_unit_test(objects_of_others_are_skipped),
        cmocka_unit_test(what_is_malformed_is_no_rule_at_all),
        cmocka_unit_test(one_bad_rule_spoils_the_list),
        cmocka_unit_test(too_many_rules_or_filters_are_refused),
        cmocka_unit_test(filters_that_do_not_fit_grant_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
