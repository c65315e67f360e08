/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Keys of enrolments: who may have those of which target, and that a usage-constrained key needs its usage granted too.
 */

#include "conf-helpers.h"

#include <errno.h>

#include "access.h"
#include "util.h"

#define METER "[Principal meter]\nUser=60001\n"

static const uint8_t digest[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x00, 0x02};

static int parse(const char *text, struct access **ret, struct failure *failure) {
    *failure = (struct failure){0};
    return access_parse("r.conf", text, strlen(text), ret, failure);
}

static struct access *rules(const char *text) {
    struct access *access = NULL;
    struct failure failure;

    if (parse(text, &access, &failure) != 0)
        fail_msg("%s", failure.text);
    return access;
}

static struct access_caller user(uid_t uid) {
    return (struct access_caller){.uid = uid, .groups = {uid}, .groups_count = 1};
}

/* Both questions have the same answer as long as no quota is spent. */
static int ask(struct access *access, uid_t uid, const char *peer, unsigned suid) {
    const struct access_caller caller = user(uid);
    int r = access_check_peer(access, &caller, peer, suid, NULL);

    assert_int_equal(access_may_peer(access, &caller, peer, suid, NULL), r);
    return r;
}

static const char *denial(struct access *access, uid_t uid, const char *peer, unsigned suid,
                          struct failure *failure) {
    const struct access_caller caller = user(uid);
    struct failure may = {0};

    *failure = (struct failure){0};
    assert_int_equal(access_check_peer(access, &caller, peer, suid, failure), ACCESS_E_DENIED);
    assert_int_equal(failure->code, ACCESS_E_DENIED);
    assert_int_equal(access_may_peer(access, &caller, peer, suid, &may), ACCESS_E_DENIED);
    assert_string_equal(may.text, failure->text);
    return failure->text;
}

/* --- Names ------------------------------------------------------------------------------------------ */

static void keys_of_a_target_are_for_whom_a_rule_names(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Peer=maf.example.com //sp.example/cse1\nPeer=Cae7\n");

    assert_int_equal(ask(access, 60001, "maf.example.com", 0), 0);
    assert_int_equal(ask(access, 60001, "//sp.example/cse1", 0), 0);
    assert_int_equal(ask(access, 60001, "Cae7", 0), 0);
    assert_int_equal(ask(access, 60001, "maf.example.co", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "maf.example.com.evil", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "//sp.example/cse1/Cae", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60002, "maf.example.com", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 0, "maf.example.com", 0), ACCESS_E_DENIED);
}

static void a_star_stands_for_whatever_follows(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Peer=//sp.example/* Caea* maf.*\n[Principal any]\nUser=60002\nPeer=*\n");

    assert_int_equal(ask(access, 60001, "//sp.example/", 0), 0);
    assert_int_equal(ask(access, 60001, "//sp.example/cse1/Cae", 0), 0);
    assert_int_equal(ask(access, 60001, "//sp.example", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "Caea", 0), 0);
    assert_int_equal(ask(access, 60001, "Caeb", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "maf.example.com", 0), 0);
    assert_int_equal(ask(access, 60001, "mafexample.com", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "maf", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60002, "anything.example", 0), 0);
    assert_int_equal(ask(access, 60002, "/cse", 0), 0);
}

/* A MAF-ID is an FQDN: two spellings of one are one. The first label is in the wide forms of CJK (U+FF2D and others). */
static void an_fqdn_is_compared_in_its_normal_form(_unused_ void **state) {
    static const char *const spellings[] = {"maf.example.com", "MAF.Example.COM",
                                            "maf.example.com.",
                                            "\xef\xbc\xad\xef\xbc\xa1\xef\xbc\xa6.example.com"};
    char text[256];

    for (size_t i = 0; i < ELEMENTS(spellings); i++) {
        _cleanup_access_ struct access *access = NULL;

        (void)snprintf(text, sizeof(text), METER "Peer=%s\n", spellings[i]);
        access = rules(text);
        for (size_t j = 0; j < ELEMENTS(spellings); j++)
            assert_int_equal(ask(access, 60001, spellings[j], 0), 0);
    }
    {
        _cleanup_access_ struct access *access = rules(METER "Peer=Maf.Exam*\n");

        for (size_t j = 0; j < ELEMENTS(spellings); j++)
            assert_int_equal(ask(access, 60001, spellings[j], 0), 0);
        assert_int_equal(ask(access, 60001, "maf.exbm", 0), ACCESS_E_DENIED);
    }
}

/* These identifiers have upper and lower case (TS-0001 7.2): another one is another target. */
static void what_is_no_fqdn_is_compared_octet_by_octet(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules(METER "Peer=//sp.example/cse1 Cae7 S7* /Cse*\n");

    assert_int_equal(ask(access, 60001, "//sp.example/CSE1", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "//SP.example/cse1", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "CAE7", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "cae7", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "S7a", 0), 0);
    assert_int_equal(ask(access, 60001, "/Cse2", 0), 0);
    assert_int_equal(ask(access, 60001, "/cse2", 0), ACCESS_E_DENIED);
    /* A slash in a wide form is none, and normalises to nothing that a rule could have. */
    assert_int_equal(ask(access, 60001, "\xef\xbc\x8f\x43se2", 0), ACCESS_E_DENIED);
}

/* --- Usages ----------------------------------------------------------------------------------------- */

static void a_usage_constrained_key_needs_its_usage(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Peer=maf.example.com\nSuid=21 23\n[Principal none]\nUser=60002\n"
                    "Peer=maf.example.com\n[Principal any]\nUser=60003\nPeer=*\nSuid=*\n");

    assert_int_equal(ask(access, 60001, "maf.example.com", 0), 0);
    assert_int_equal(ask(access, 60001, "maf.example.com", 21), 0);
    assert_int_equal(ask(access, 60001, "maf.example.com", 22), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "maf.example.com", 23), 0);
    assert_int_equal(ask(access, 60001, "b.example.com", 21), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60002, "maf.example.com", 0), 0);
    for (unsigned suid = 1; suid < 100; suid++)
        assert_int_equal(ask(access, 60002, "maf.example.com", suid), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60003, "maf.example.com", 25), 0);
    assert_int_equal(ask(access, 60003, "maf.example.com", 45), 0);
    /* No number that a caller could make up goes round the end of the set. */
    assert_int_equal(ask(access, 60003, "maf.example.com", 64), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "maf.example.com", 64 + 21), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60003, "maf.example.com", UINT32_MAX), ACCESS_E_DENIED);
}

static void a_target_of_one_and_a_usage_of_another_are_no_grant(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Peer=maf.example.com\n[Principal b]\nUser=60001\nPeer=other.example\n"
                    "Suid=21\n");

    assert_int_equal(ask(access, 60001, "maf.example.com", 21), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "other.example", 21), 0);
}

/* --- Other rights ----------------------------------------------------------------------------------- */

static void a_right_to_a_naf_is_none_to_a_target_and_the_other_way_round(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal naf]\nUser=60001\nNafFqdn=*\nUaProtocol=*\nAid=*\nManage=yes\n"
              "[Principal peer]\nUser=60002\nPeer=*\nSuid=*\n");
    const struct access_caller peer = user(60002);

    assert_int_equal(ask(access, 60001, "maf.example.com", 0), ACCESS_E_DENIED);
    assert_int_equal(access_check_naf(access, &peer, "maf.example.com", digest, NULL),
                     ACCESS_E_DENIED);
    assert_int_equal(access_check_manage(access, &peer, NULL), ACCESS_E_DENIED);
}

/* A key of an enrolment by GBA is one of the Ks, and its identifier the B-TID, which is dead when the MAF says so. */
static void whoever_may_have_keys_of_a_target_may_have_a_key(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules(METER "Peer=maf.example.com\n");
    const struct access_caller meter = user(60001), other = user(60002);
    struct failure failure = {0};

    assert_int_equal(access_check_any(access, &meter, NULL), 0);
    assert_int_equal(access_check_any(access, &other, &failure), ACCESS_E_DENIED);
    assert_contains(failure.text, "or Peer=, to access.d");
}

static void keys_of_nafs_and_of_targets_count_together(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "NafFqdn=*\nUaProtocol=*\nPeer=*\nSuid=*\nKeysPerMinute=3\n");
    const struct access_caller caller = user(60001);
    struct failure failure = {0};

    assert_int_equal(access_check_peer(access, &caller, "maf.example.com", 0, NULL), 0);
    assert_int_equal(access_check_naf(access, &caller, "naf.example.com", digest, NULL), 0);
    assert_int_equal(access_check_peer(access, &caller, "/cse", 22, NULL), 0);
    assert_int_equal(access_check_peer(access, &caller, "maf.example.com", 21, &failure),
                     ACCESS_E_QUOTA);
    assert_contains(failure.text, "uid 60001 may have the key of SUID 21 with maf.example.com, but "
                                  "principal \"meter\" (r.conf:1) has had its KeysPerMinute=3");
    assert_int_equal(access_check_naf(access, &caller, "naf.example.com", digest, NULL),
                     ACCESS_E_QUOTA);
    assert_int_equal(access_may_peer(access, &caller, "maf.example.com", 21, NULL), 0);
}

/* --- Words ------------------------------------------------------------------------------------------ */

static void a_denial_says_who_what_and_which_rule(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Peer=maf.example.com //sp*\nSuid=23 21\n[Principal b]\nUser=60002\nAid=*\n");
    struct failure failure;

    assert_string_equal(denial(access, 60001, "other.example.com", 0, &failure),
                        "uid 60001 may not have keys with other.example.com: principal \"meter\" "
                        "(r.conf:1) grants Peer maf.example.com //sp*; add it to Peer= there and "
                        "reload keystrapd");
    assert_string_equal(
        denial(access, 60001, "maf.example.com", 22, &failure),
        "uid 60001 may not have the key of SUID 22 with maf.example.com: principal "
        "\"meter\" (r.conf:1) grants of its keys those of SUID 21 23; add that SUID "
        "to Suid= there and reload keystrapd");
    assert_contains(denial(access, 60002, "maf.example.com", 0, &failure),
                    "principal \"b\" (r.conf:5) grants Peer none; add it to Peer= there");
    assert_string_equal(denial(access, 60009, "maf.example.com", 0, &failure),
                        "uid 60009 may not have keys with maf.example.com: no principal in r.conf "
                        "matches; add one with User= or Group= and reload keystrapd");
}

static void a_denial_tells_of_the_principal_that_lacks_least(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Peer=a.example\n[Principal b]\nUser=60001\nPeer=maf.example.com\n");
    struct failure failure;

    assert_contains(denial(access, 60001, "maf.example.com", 21, &failure),
                    "principal \"b\" (r.conf:4), nearest of 2, grants of its keys those of SUID "
                    "none; add that SUID to Suid= there");
}

static void long_names_do_not_push_the_remedy_out(_unused_ void **state) {
    char text[20000] = METER, name[ENTITY_ID_MAX + 32];
    size_t used = strlen(text);
    struct failure failure;

    for (unsigned i = 0; i < ACCESS_PATTERNS_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "Peer=//%0200u\n", i);
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    {
        _cleanup_access_ struct access *access = rules(text);

        (void)denial(access, 60001, name, 0, &failure);
        assert_contains(failure.text, "xxx...: principal \"meter\" (r.conf:1) grants Peer");
        assert_contains(failure.text, "; add it to Peer= there and reload keystrapd");
    }
}

static void a_bad_value_refuses_the_rules_with_words(_unused_ void **state) {
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"Peer=*.example.com", "\"*\" stands at the end only"},
        {"Peer=maf.*.example", "\"*\" stands at the end only"},
        {"Peer=maf.**", "\"*\" stands at the end only"},
        {"Peer=/cs\xc3\xa9*", "not printable ASCII"},
        {"Peer=/cs\xc3\xa9", "neither an FQDN nor printable ASCII"},
        {"Suid=9", "allowed: 10 to 45 (m2m:suid), or \"*\""},
        {"Suid=46", "allowed: 10 to 45"},
        {"Suid=21 x", "allowed: 10 to 45"},
        {"Suid=2*", "allowed: 10 to 45"},
        {"Suid=-1", "allowed: 10 to 45"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct access *access = NULL;
        struct failure failure;
        char text[256];

        (void)snprintf(text, sizeof(text), METER "%s\n", cases[i].line);
        assert_int_equal(parse(text, &access, &failure), -EINVAL);
        assert_null(access);
        assert_contains(failure.text, "r.conf:3: ");
        assert_contains(failure.text, cases[i].words);
    }
}

static void names_have_the_length_that_targets_have(_unused_ void **state) {
    char name[ENTITY_ID_MAX + 2] = "/", text[ENTITY_ID_MAX + 128];
    struct access *access = NULL;
    struct failure failure;

    memset(name + 1, 'a', ENTITY_ID_MAX - 1);
    name[ENTITY_ID_MAX] = '\0';
    for (unsigned wild = 0; wild < 2; wild++) {
        (void)snprintf(text, sizeof(text), METER "Peer=%s%s\n", name, wild ? "*" : "");
        access = rules(text);
        assert_int_equal(ask(access, 60001, name, 0), 0);
        access = access_free(access);
        (void)snprintf(text, sizeof(text), METER "Peer=%sa%s\n", name, wild ? "*" : "");
        assert_int_equal(parse(text, &access, &failure), -EINVAL);
        assert_contains(failure.text, "more than 255 octets");
    }
}

static void lists_end_and_an_empty_value_takes_everything_back(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Peer=*\nSuid=*\nPeer=\nSuid=\nPeer=maf.example.com\nSuid=22\n");
    char text[4096] = METER;
    struct access *many = NULL;
    struct failure failure;

    assert_int_equal(ask(access, 60001, "other.example", 0), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "maf.example.com", 21), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "maf.example.com", 22), 0);
    for (unsigned i = 0; i <= ACCESS_PATTERNS_MAX; i++)
        (void)strcat(text, "Peer=/cse\n");
    assert_int_equal(parse(text, &many, &failure), -EINVAL);
    assert_contains(failure.text, "Peer=: more than 64 in one principal");
}

static void a_rule_that_means_nothing_is_warned_of(_unused_ void **state) {
    static const struct {
        const char *text, *words;
    } cases[] = {
        {METER "Suid=21\n", "r.conf:1: [Principal meter] has Suid= but no Peer=; it means nothing"},
        {METER "Suid=21\nManage=yes\n", "has Suid= but no Peer="},
        {"[Principal m]\nPeer=*\n", "has neither User= nor Group="},
        {METER "Peers=maf.example.com\n",
         "unknown key Peers= in [Principal meter]; ignored; did you "
         "mean Peer=?"},
        {METER "Peer=maf.example.com\n", ""},
        {METER "Peer=maf.example.com\nSuid=21\n", ""},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct capture capture;

        capture_start(&capture);
        access_free(rules(cases[i].text));
        capture_end(&capture);
        if (cases[i].words[0])
            assert_contains(capture.text, cases[i].words);
        else
            assert_string_equal(capture.text, "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_a_target_are_for_whom_a_rule_names),
        cmocka_unit_test(a_star_stands_for_whatever_follows),
        cmocka_unit_test(an_fqdn_is_compared_in_its_normal_form),
        cmocka_unit_test(what_is_no_fqdn_is_compared_octet_by_octet),
        cmocka_unit_test(a_usage_constrained_key_needs_its_usage),
        cmocka_unit_test(a_target_of_one_and_a_usage_of_another_are_no_grant),
        cmocka_unit_test(a_right_to_a_naf_is_none_to_a_target_and_the_other_way_round),
        cmocka_unit_test(whoever_may_have_keys_of_a_target_may_have_a_key),
        cmocka_unit_test(keys_of_nafs_and_of_targets_count_together),
        cmocka_unit_test(a_denial_says_who_what_and_which_rule),
        cmocka_unit_test(a_denial_tells_of_the_principal_that_lacks_least),
        cmocka_unit_test(long_names_do_not_push_the_remedy_out),
        cmocka_unit_test(a_bad_value_refuses_the_rules_with_words),
        cmocka_unit_test(names_have_the_length_that_targets_have),
        cmocka_unit_test(lists_end_and_an_empty_value_takes_everything_back),
        cmocka_unit_test(a_rule_that_means_nothing_is_warned_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
