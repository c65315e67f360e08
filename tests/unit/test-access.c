/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Access: what is granted, what is not, and that a denial says who, what, which rule and what to do.
 */

#include "conf-helpers.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "access.h"
#include "gba.h"

static const uint8_t digest[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x00, 0x02};
static const uint8_t tls[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x01, 0x00, 0x2f};

static int parse(const char *text, struct access **ret, struct failure *failure) {
    *failure = (struct failure){0};
    return access_parse("r.conf", text, strlen(text), ret, failure);
}

static struct access *rules(const char *text) {
    struct access *access = NULL;
    struct failure failure;

    assert_int_equal(parse(text, &access, &failure), 0);
    return access;
}

static struct access_caller user(uid_t uid) {
    return (struct access_caller){.uid = uid, .groups = {uid}, .groups_count = 1};
}

static int ask(struct access *access, uid_t uid, const char *naf, const uint8_t *ua) {
    const struct access_caller caller = user(uid);

    return access_check_naf(access, &caller, naf, ua, NULL);
}

static const char *denial(struct access *access, uid_t uid, const char *naf, const uint8_t *ua,
                          struct failure *failure) {
    const struct access_caller caller = user(uid);

    *failure = (struct failure){0};
    assert_int_equal(access_check_naf(access, &caller, naf, ua, failure), ACCESS_E_DENIED);
    assert_int_equal(failure->code, ACCESS_E_DENIED);
    return failure->text;
}

static void nothing_configured_means_nothing_granted(void **state) {
    _cleanup_access_ struct access *access = NULL;
    struct failure failure = {0};
    char path[PATH_SIZE];

    assert_int_equal(access_load(path_in(*state, "access.d", path), &access, &failure), 0);
    assert_int_equal(access_principals(access), 0);
    assert_int_equal(ask(access, 60001, "naf.example.com", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 0, "naf.example.com", digest), ACCESS_E_DENIED);
    assert_contains(denial(access, 60001, "naf.example.com", digest, &failure), "no principal in ");
    assert_contains(failure.text, "access.d matches; add one with User= or Group=");
    assert_contains(failure.text, "uid 60001 may not have naf.example.com for Ua 0100000002: ");
}

static void a_user_gets_what_its_principal_grants_and_nothing_else(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules("[Principal meter]\n"
                                                   "User=60001\n"
                                                   "NafFqdn=naf.example.com\n"
                                                   "UaProtocol=0100000002\n");

    assert_int_equal(access_principals(access), 1);
    assert_int_equal(ask(access, 60001, "naf.example.com", digest), 0);
    assert_int_equal(ask(access, 60001, "naf.example.com", tls), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "naf2.example.com", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "naf.example.co", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "naf.example.com.evil", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60002, "naf.example.com", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 0, "naf.example.com", digest), ACCESS_E_DENIED);
}

static void a_group_is_matched_primary_or_supplementary(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules("[Principal meters]\n"
                                                   "Group=61000 61001\n"
                                                   "NafFqdn=*\n"
                                                   "UaProtocol=*\n");
    struct access_caller caller = user(60001);

    assert_int_equal(access_check_naf(access, &caller, "a.b", digest, NULL), ACCESS_E_DENIED);
    caller.groups[0] = 61000;
    assert_int_equal(access_check_naf(access, &caller, "a.b", digest, NULL), 0);
    caller.groups[0] = 60001;
    for (caller.groups_count = 1; caller.groups_count < ACCESS_GROUPS_MAX; caller.groups_count++)
        caller.groups[caller.groups_count] = 70000;
    caller.groups[ACCESS_GROUPS_MAX - 1] = 61001;
    assert_int_equal(access_check_naf(access, &caller, "a.b", digest, NULL), 0);
    caller.groups_count--;
    assert_int_equal(access_check_naf(access, &caller, "a.b", digest, NULL), ACCESS_E_DENIED);
}

/* A group's number is no user's number. */
static void users_and_groups_are_not_mixed_up(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal u]\nUser=5\nNafFqdn=u\nUaProtocol=*\n"
              "[Principal g]\nGroup=6\nNafFqdn=g\nUaProtocol=*\n");
    const struct access_caller caller = {.uid = 6, .groups = {5}, .groups_count = 1};

    assert_int_equal(access_check_naf(access, &caller, "u", digest, NULL), ACCESS_E_DENIED);
    assert_int_equal(access_check_naf(access, &caller, "g", digest, NULL), ACCESS_E_DENIED);
}

static void names_become_numbers_when_the_rules_are_read(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=daemon\nGroup=bin\nNafFqdn=*\nUaProtocol=*\n");
    const struct passwd *pw = getpwnam("daemon");
    struct access_caller caller = user(60001);
    const struct group *gr;

    assert_non_null(pw);
    assert_int_equal(ask(access, pw->pw_uid, "a", digest), 0);
    gr = getgrnam("bin");
    assert_non_null(gr);
    caller.groups[0] = gr->gr_gid;
    assert_int_equal(access_check_naf(access, &caller, "a", digest, NULL), 0);
}

static void an_unknown_name_warns_and_matches_nobody(_unused_ void **state) {
    _cleanup_access_ struct access *access = NULL;
    struct capture capture;

    capture_start(&capture);
    access = rules("[Principal r]\nUser=no-such-user\nGroup=no-such-group\nNafFqdn=*\n"
                   "UaProtocol=*\n");
    capture_end(&capture);
    assert_contains(capture.text, "r.conf:2: User=no-such-user: there is no such user");
    assert_contains(capture.text, "r.conf:3: Group=no-such-group: there is no such group");
    assert_int_equal(ask(access, 0, "a", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, (uid_t)-1, "a", digest), ACCESS_E_DENIED);
}

static void a_wild_name_wants_a_label_in_its_place(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=1\nNafFqdn=*.example.com\nUaProtocol=*\n");

    assert_int_equal(ask(access, 1, "a.example.com", digest), 0);
    assert_int_equal(ask(access, 1, "a.b.example.com", digest), 0);
    assert_int_equal(ask(access, 1, "example.com", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 1, "evilexample.com", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 1, "a.example.com.evil", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 1, "a.example.org", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 1, "com", digest), ACCESS_E_DENIED);
}

static void a_star_alone_is_any_name(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=1\nNafFqdn=*\nUaProtocol=*\n");

    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 1, "a.b.c", tls), 0);
}

static void patterns_are_normalised_as_names_are(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules("[Principal r]\nUser=1\n"
                                                   "NafFqdn=NAF.Example.COM. *.EXAMPLE.org\n"
                                                   "UaProtocol=0100000002\n");
    char name[NAF_FQDN_MAX + 1];

    assert_int_equal(gba_fqdn_normalise("naF.eXample.com", name, NULL), 0);
    assert_int_equal(ask(access, 1, name, digest), 0);
    assert_int_equal(gba_fqdn_normalise("A.example.ORG.", name, NULL), 0);
    assert_int_equal(ask(access, 1, name, digest), 0);
}

static void a_ua_prefix_is_matched_to_the_digit(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=1\nNafFqdn=*\nUaProtocol=01000* 0200000A0b 03*\n");
    static const struct {
        uint8_t ua[UA_PROTOCOL_LENGTH];
        int expected;
    } cases[] = {
        {{0x01, 0x00, 0x00, 0x00, 0x02}, 0},
        {{0x01, 0x00, 0x0f, 0xff, 0xff}, 0},
        {{0x01, 0x00, 0x10, 0x00, 0x00}, ACCESS_E_DENIED},
        {{0x01, 0x01, 0x00, 0x00, 0x00}, ACCESS_E_DENIED},
        {{0x02, 0x00, 0x00, 0x0a, 0x0b}, 0},
        {{0x02, 0x00, 0x00, 0x0a, 0x0c}, ACCESS_E_DENIED},
        {{0x03, 0x12, 0x34, 0x56, 0x78}, 0},
        {{0x00, 0x00, 0x00, 0x00, 0x00}, ACCESS_E_DENIED},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_int_equal(ask(access, 1, "naf", cases[i].ua), cases[i].expected);
}

static void grants_of_two_principals_do_not_add_up(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal one]\nUser=1\nNafFqdn=a\nUaProtocol=0100000002\n"
              "[Principal two]\nUser=1\nNafFqdn=b\nUaProtocol=010001002f\n");

    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 1, "b", tls), 0);
    assert_int_equal(ask(access, 1, "a", tls), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 1, "b", digest), ACCESS_E_DENIED);
}

static void an_empty_assignment_takes_back_what_stood_before(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=1\nUser=\nUser=2\nGroup=1\nGroup=\nNafFqdn=a\nNafFqdn=\n"
              "NafFqdn=b\nUaProtocol=*\nUaProtocol=\nUaProtocol=01*\nManage=yes\nManage=\n");
    const uint8_t zero[UA_PROTOCOL_LENGTH] = {0};
    const struct access_caller two = user(2);

    assert_int_equal(ask(access, 1, "b", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 2, "a", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 2, "b", zero), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 2, "b", digest), 0);
    assert_int_equal(access_check_manage(access, &two, NULL), ACCESS_E_DENIED);
}

/* --- Quota ------------------------------------------------------------------------------------- */

static void a_principals_callers_share_its_quota(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=1 2\nNafFqdn=*\nUaProtocol=*\nKeysPerMinute=3\n");
    const struct access_caller caller = user(1);
    struct failure failure = {0};

    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 2, "a", digest), 0);
    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(access_check_naf(access, &caller, "a", digest, &failure), ACCESS_E_QUOTA);
    assert_int_equal(failure.code, ACCESS_E_QUOTA);
    assert_contains(failure.text, "but principal \"r\" (r.conf:1) has had its KeysPerMinute=3; the "
                                  "next is free in ");
    assert_int_equal(ask(access, 2, "a", digest), ACCESS_E_QUOTA);
}

static void a_denied_call_does_not_count(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=1\nNafFqdn=a\nUaProtocol=*\nKeysPerMinute=1\n");

    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(ask(access, 1, "b", digest), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 1, "a", digest), ACCESS_E_QUOTA);
}

static void a_second_principal_helps_out_when_the_first_is_spent(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal one]\nUser=1\nNafFqdn=*\nUaProtocol=*\nKeysPerMinute=1\n"
              "[Principal two]\nUser=1\nNafFqdn=*\nUaProtocol=*\nKeysPerMinute=1\n");

    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 1, "a", digest), ACCESS_E_QUOTA);
}

/* What a client may have can be told without a key being handed out. */
static void asking_whether_takes_nothing_from_the_quota(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal r]\nUser=1\nNafFqdn=a\nUaProtocol=01*\nKeysPerMinute=1\n");
    const struct access_caller caller = user(1), other = user(2);
    struct failure failure = {0}, checked = {0};

    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(access_may_naf(access, &caller, "a", digest, &failure), 0);
    assert_int_equal(failure.code, 0);
    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 1, "a", digest), ACCESS_E_QUOTA);
    assert_int_equal(access_may_naf(access, &caller, "a", digest, NULL), 0);

    assert_int_equal(access_may_naf(access, &other, "a", digest, NULL), ACCESS_E_DENIED);
    assert_int_equal(access_may_naf(access, &caller, "b", digest, &failure), ACCESS_E_DENIED);
    assert_int_equal(access_check_naf(access, &caller, "b", digest, &checked), ACCESS_E_DENIED);
    assert_string_equal(failure.text, checked.text);
    assert_int_equal(access_may_naf(access, &caller, "a", (const uint8_t[]){2, 0, 0, 0, 0}, NULL),
                     ACCESS_E_DENIED);
}

static unsigned granted(struct access *access, unsigned tries) {
    unsigned n = 0;

    for (unsigned i = 0; i < tries; i++)
        n += ask(access, 1, "a", digest) == 0;
    return n;
}

static void the_default_quota_is_600_a_minute_and_infinity_is_none(_unused_ void **state) {
    _cleanup_access_ struct access *usual =
        rules("[Principal r]\nUser=1\nNafFqdn=*\nUaProtocol=*\n");
    _cleanup_access_ struct access *endless =
        rules("[Principal r]\nUser=1\nNafFqdn=*\nUaProtocol=*\nKeysPerMinute=infinity\n");

    /* A few more, if the machine is slow enough that tokens come back meanwhile. */
    assert_in_range(granted(usual, 5000), 600, 1200);
    assert_int_equal(granted(endless, 5000), 5000);
}

/* --- Management --------------------------------------------------------------------------------- */

static void root_may_manage_others_need_a_rule(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal ops]\nGroup=61000\nManage=yes\n"
              "[Principal meter]\nUser=60001\nNafFqdn=*\nUaProtocol=*\n");
    struct access_caller caller = user(0);
    struct failure failure = {0};

    assert_int_equal(access_check_manage(access, &caller, NULL), 0);
    caller = user(60002);
    caller.groups[0] = 61000;
    assert_int_equal(access_check_manage(access, &caller, NULL), 0);
    assert_int_equal(access_check_naf(access, &caller, "a", digest, NULL), ACCESS_E_DENIED);
    caller = user(60001);
    assert_int_equal(access_check_manage(access, &caller, &failure), ACCESS_E_DENIED);
    assert_string_equal(failure.text, "uid 60001 may not manage the agent: principal \"meter\" "
                                      "(r.conf:4) has no Manage=yes; add it there and reload "
                                      "keystrapd");
    failure_clear(&failure);
    caller = user(60003);
    assert_int_equal(access_check_manage(access, &caller, &failure), ACCESS_E_DENIED);
    assert_contains(failure.text, "no principal in r.conf matches");
}

/* --- Denials ------------------------------------------------------------------------------------ */

static void a_denial_names_caller_wish_rule_and_remedy(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules("[Principal meter]\n"
                                                   "User=daemon 60001\n"
                                                   "NafFqdn=a.example *.b.example\n"
                                                   "UaProtocol=0100000002 010001*\n");
    const uint8_t other[UA_PROTOCOL_LENGTH] = {0xff, 0, 0, 0, 1};
    const struct passwd *pw = getpwnam("daemon");
    struct failure failure;
    char expected[FAILURE_TEXT_MAX];

    assert_non_null(pw);
    (void)snprintf(expected, sizeof(expected),
                   "user daemon (uid %u) may not have c.example for Ua 0100000002: principal "
                   "\"meter\" (r.conf:1) grants NAF a.example *.b.example; add it to NafFqdn= "
                   "there and reload keystrapd",
                   (unsigned)pw->pw_uid);
    assert_string_equal(denial(access, pw->pw_uid, "c.example", digest, &failure), expected);
    assert_string_equal(denial(access, 60001, "x.b.example", other, &failure),
                        "uid 60001 may not have x.b.example for Ua ff00000001: principal \"meter\" "
                        "(r.conf:1) grants it for Ua 0100000002 010001*; add that Ua to "
                        "UaProtocol= there and reload keystrapd");
}

static void a_denial_tells_of_the_nearest_rule_of_the_caller_only(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal first]\nUser=60001\nNafFqdn=a\nUaProtocol=01*\n"
              "[Principal near]\nUser=60001\nNafFqdn=b\nUaProtocol=02*\n"
              "[Principal stranger]\nUser=60002\nNafFqdn=secret.example\nUaProtocol=*\n");
    struct failure failure;

    assert_contains(denial(access, 60001, "b", digest, &failure),
                    "\"near\" (r.conf:5), nearest of 2,");
    assert_contains(denial(access, 60001, "c", digest, &failure), "\"first\" (r.conf:1)");
    assert_lacks(failure.text, "secret.example");
    assert_lacks(failure.text, "stranger");
}

static void the_longest_names_leave_room_for_the_remedy(_unused_ void **state) {
    char text[4096], file[600], naf[NAF_FQDN_MAX + 1], label[61];
    struct access *access = NULL;
    struct failure failure = {0};

    memset(file, 'f', sizeof(file) - 1);
    file[sizeof(file) - 1] = '\0';
    memset(label, 'n', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    (void)snprintf(naf, sizeof(naf), "%s.%s.%s.%s", label, label, label, label);
    (void)snprintf(text, sizeof(text),
                   "[Principal ppppppppppppppppppppppppppppppp1]\nUser=4294967294\n"
                   "NafFqdn=a.%s b.%s c.%s d.%s e.%s f.%s\nUaProtocol=*\n"
                   "[Principal ppppppppppppppppppppppppppppppp2]\nUser=4294967294\nNafFqdn=%s\n"
                   "UaProtocol=0200000000 0300000000 0400000000 0500000000 0600000000 0700000000 "
                   "0800000000 0900000000 0a00000000 0b00000000 0c00000000 0d00000000\n",
                   label, label, label, label, label, label, naf);
    assert_int_equal(access_parse(file, text, strlen(text), &access, &failure), 0);
    assert_contains(denial(access, 4294967294u, naf, digest, &failure),
                    "add that Ua to UaProtocol= there and reload keystrapd");
    assert_true(strlen(failure.text) < FAILURE_TEXT_MAX);
    naf[0] = 'x';
    assert_contains(denial(access, 4294967294u, naf, digest, &failure),
                    "...; add it to NafFqdn= there and reload keystrapd");
    access = access_free(access);
    assert_int_equal(access_parse(file, "", 0, &access, NULL), 0);
    assert_contains(denial(access, 4294967294u, naf, digest, &failure),
                    "add one with User= or Group= and reload keystrapd");
    access = access_free(access);
}

/* The name is cut between characters: "é" has two octets. */
static void a_denial_is_utf8_wherever_it_is_cut(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules("");

    for (unsigned shift = 0; shift < 2; shift++) {
        char naf[NAF_FQDN_MAX + 1] = "x";
        struct failure failure;
        size_t used = shift;

        for (; used + 2 < 100; used += 2)
            memcpy(naf + used, "\xc3\xa9", 3);
        (void)denial(access, 1, naf, digest, &failure);
        for (size_t i = 0, n; i < strlen(failure.text); i += n) {
            n = utf8_printable(failure.text + i, strlen(failure.text) - i);
            assert_int_not_equal(n, 0);
        }
    }
}

/* --- Loading ------------------------------------------------------------------------------------ */

static void a_bad_rule_is_refused_with_file_line_and_cause(_unused_ void **state) {
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"[Principal a b]\nUser=1\n", "r.conf:1: [Principal a b]: the name of a principal"},
        {"[Principal ]\nUser=1\n", "the name of a principal"},
        {"[Principal abcdefghijklmnopqrstuvwxyzabcdefg]\nUser=1\n", "the name of a principal"},
        {"[Principal a]\nUser=1\n[Principal a]\nUser=2\n",
         "r.conf:3: [Principal a]: there is one at r.conf:1 already"},
        {"[Principal a]\nNafFqdn=a.*.b\n", "r.conf:2: NafFqdn=a.*.b: \"*\" may only stand"},
        {"[Principal a]\nNafFqdn=*a.b\n", "\"*\" may only stand"},
        {"[Principal a]\nNafFqdn=*.\n", "NafFqdn=*.: not the name of a NAF"},
        {"[Principal a]\nNafFqdn=*.*\n", "\"*\" may only stand"},
        {"[Principal a]\nNafFqdn=**\n", "\"*\" may only stand"},
        {"[Principal a]\nNafFqdn=ok a..b\n", "NafFqdn=a..b: not the name of a NAF"},
        {"[Principal a]\nNafFqdn=u@a.b\n", "not the name of a NAF"},
        {"[Principal a]\nUaProtocol=01\n", "fewer than ten hex digits"},
        {"[Principal a]\nUaProtocol=01000000021\n", "more than ten hex digits"},
        {"[Principal a]\nUaProtocol=0100000002*\n", "nothing is left for"},
        {"[Principal a]\nUaProtocol=01*00\n", "not hex digits"},
        {"[Principal a]\nUaProtocol=0x100000002\n", "not hex digits"},
        {"[Principal a]\nKeysPerMinute=0\n", "allowed: 1 to 1000000, or infinity"},
        {"[Principal a]\nKeysPerMinute=1000001\n", "allowed: 1 to 1000000"},
        {"[Principal a]\nKeysPerMinute=-1\n", "allowed: 1 to 1000000"},
        {"[Principal a]\nKeysPerMinute=10/s\n", "allowed: 1 to 1000000"},
        {"[Principal a]\nManage=perhaps\n", "r.conf:2: Manage=perhaps: allowed: yes or no"},
    };

    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        struct access *access = NULL;
        struct failure failure;

        assert_int_equal(parse(bad[i].text, &access, &failure), -EINVAL);
        assert_null(access);
        assert_contains(failure.text, bad[i].says);
    }
}

static void what_can_grant_nothing_is_warned_of(_unused_ void **state) {
    _cleanup_access_ struct access *access = NULL;
    struct capture capture;

    capture_start(&capture);
    access = rules("[Principal nobody]\nNafFqdn=*\nUaProtocol=*\n"
                   "[Principal noua]\nUser=1\nNafFqdn=*\n"
                   "[Principal nonaf]\nUser=1\nUaProtocol=*\n"
                   "[Principal nothing]\nUser=1\n"
                   "[Principal typo]\nUser=1\nManage=yes\nNaffFqdn=*\n"
                   "[Principle p]\nUser=1\n");
    capture_end(&capture);
    assert_contains(capture.text, "r.conf:1: [Principal nobody] has neither User= nor Group=");
    assert_contains(capture.text, "r.conf:4: [Principal noua] has NafFqdn= but no UaProtocol=");
    assert_contains(capture.text, "r.conf:7: [Principal nonaf] has UaProtocol= but no NafFqdn=");
    assert_contains(capture.text, "r.conf:10: [Principal nothing] grants nothing");
    assert_contains(capture.text, "r.conf:15: unknown key NaffFqdn= in [Principal typo]; ignored; "
                                  "did you mean NafFqdn=?");
    assert_contains(capture.text, "r.conf:16: unknown section [Principle p]; ignored");
    assert_int_equal(access_principals(access), 5);
}

static void limits_of_a_principal_are_kept(_unused_ void **state) {
    static const struct {
        const char *key;
        const char *word;
        unsigned max;
    } lists[] = {
        {"User", "1", ACCESS_MEMBERS_MAX},
        {"Group", "1", ACCESS_MEMBERS_MAX},
        {"NafFqdn", "a", ACCESS_PATTERNS_MAX},
        {"UaProtocol", "0*", ACCESS_PATTERNS_MAX},
    };

    for (size_t i = 0; i < ELEMENTS(lists); i++) {
        char text[4096] = "[Principal p]\nUser=1\nUser=\n", line[32];
        struct access *access = NULL;
        struct failure failure;

        (void)snprintf(line, sizeof(line), "%s=%s\n", lists[i].key, lists[i].word);
        for (unsigned j = 0; j < lists[i].max; j++)
            strcat(text, line);
        assert_int_equal(parse(text, &access, &failure), 0);
        access = access_free(access);
        strcat(text, line);
        assert_int_equal(parse(text, &access, &failure), -EINVAL);
        assert_contains(failure.text, "r.conf:68: ");
        assert_contains(failure.text, "more than 64 in one principal");
    }
}

static void the_number_of_principals_is_limited(_unused_ void **state) {
    _cleanup_access_ struct access *access = NULL;
    struct access *none = NULL;
    struct failure failure;
    char text[16384] = "", line[64];

    for (unsigned i = 0; i < ACCESS_PRINCIPALS_MAX; i++) {
        (void)snprintf(line, sizeof(line), "[Principal p%u]\nUser=1\nManage=1\n", i);
        strcat(text, line);
    }
    assert_int_equal(parse(text, &access, &failure), 0);
    assert_int_equal(access_principals(access), ACCESS_PRINCIPALS_MAX);
    strcat(text, "[Principal q]\nUser=1\n");
    assert_int_equal(parse(text, &none, &failure), -EINVAL);
    assert_contains(failure.text, "more than 256 principals");
}

static void rules_of_several_files_are_one_set(void **state) {
    _cleanup_access_ struct access *access = NULL;
    struct access *none = NULL;
    struct failure failure = {0};
    char path[PATH_SIZE];

    write_file(*state, "access.d/10-a.conf", "[Principal a]\nUser=1\nNafFqdn=a\nUaProtocol=*\n");
    write_file(*state, "access.d/20-b.conf",
               "\n[Principal b]\nUser=1\nNafFqdn=b\nUaProtocol=01*\n");
    (void)path_in(*state, "access.d", path);
    assert_int_equal(access_load(path, &access, &failure), 0);
    assert_int_equal(ask(access, 1, "a", digest), 0);
    assert_int_equal(ask(access, 1, "b", digest), 0);
    assert_contains(denial(access, 1, "b", (const uint8_t[]){9, 9, 9, 9, 9}, &failure),
                    "access.d/20-b.conf:2)");

    failure_clear(&failure);
    write_file(*state, "access.d/30-c.conf", "[Principal a]\nUser=2\n");
    assert_int_equal(access_load(path, &none, &failure), -EINVAL);
    assert_contains(failure.text, "30-c.conf:1: [Principal a]: there is one at ");
    assert_contains(failure.text, "10-a.conf:1 already");
}

static void rules_that_others_may_write_are_refused(void **state) {
    struct access *access = NULL;
    struct failure failure = {0};
    char path[PATH_SIZE];

    (void)path_in(*state, "access.d", path);
    write_file(*state, "access.d/a.conf", "[Principal a]\nUser=1\nNafFqdn=*\nUaProtocol=*\n");
    set_mode(*state, "access.d/a.conf", 0666);
    assert_int_equal(access_load(path, &access, &failure), -EPERM);
    assert_contains(failure.text, "a.conf: can be written by others");
    assert_null(access);
    set_mode(*state, "access.d/a.conf", 0644);
    set_mode(*state, "access.d", 0775);
    failure_clear(&failure);
    assert_int_equal(access_load(path, &access, &failure), -EPERM);
    assert_contains(failure.text, "access.d: can be written by others");
    assert_null(access);
}

static void the_installed_example_grants_nothing_and_warns_of_nothing(_unused_ void **state) {
    char path[2 * PATH_SIZE], text[8192];
    _cleanup_access_ struct access *access = NULL;
    struct capture capture;
    size_t length;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/systemd/access-example.conf", KEYSTRAP_SOURCE_DIR);
    f = fopen(path, "re");
    assert_non_null(f);
    length = fread(text, 1, sizeof(text) - 1, f);
    assert_in_range(length, 1, sizeof(text) - 2);
    text[length] = '\0';
    (void)fclose(f);
    capture_start(&capture);
    access = rules(text);
    capture_end(&capture);
    assert_string_equal(capture.text, "");
    assert_int_equal(access_principals(access), 0);

    /* And without its "#" it is a rule that works. */
    access = access_free(access);
    for (char *p = text; *p; p++)
        if (p[0] == '\n' && p[1] == '#' && p[2] != ' ' && p[2] != '\n')
            p[1] = ' ';
    capture_start(&capture);
    access = rules(text);
    capture_end(&capture);
    assert_int_equal(access_principals(access), 4);
    assert_lacks(capture.text, "unknown key");
    assert_lacks(capture.text, "grants");
}

#define in_directory(f) cmocka_unit_test_setup_teardown(f, setup_directory, teardown_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        in_directory(nothing_configured_means_nothing_granted),
        cmocka_unit_test(a_user_gets_what_its_principal_grants_and_nothing_else),
        cmocka_unit_test(a_group_is_matched_primary_or_supplementary),
        cmocka_unit_test(users_and_groups_are_not_mixed_up),
        cmocka_unit_test(names_become_numbers_when_the_rules_are_read),
        cmocka_unit_test(an_unknown_name_warns_and_matches_nobody),
        cmocka_unit_test(a_wild_name_wants_a_label_in_its_place),
        cmocka_unit_test(a_star_alone_is_any_name),
        cmocka_unit_test(patterns_are_normalised_as_names_are),
        cmocka_unit_test(a_ua_prefix_is_matched_to_the_digit),
        cmocka_unit_test(grants_of_two_principals_do_not_add_up),
        cmocka_unit_test(an_empty_assignment_takes_back_what_stood_before),
        cmocka_unit_test(a_principals_callers_share_its_quota),
        cmocka_unit_test(a_denied_call_does_not_count),
        cmocka_unit_test(a_second_principal_helps_out_when_the_first_is_spent),
        cmocka_unit_test(asking_whether_takes_nothing_from_the_quota),
        cmocka_unit_test(the_default_quota_is_600_a_minute_and_infinity_is_none),
        cmocka_unit_test(root_may_manage_others_need_a_rule),
        cmocka_unit_test(a_denial_names_caller_wish_rule_and_remedy),
        cmocka_unit_test(a_denial_tells_of_the_nearest_rule_of_the_caller_only),
        cmocka_unit_test(the_longest_names_leave_room_for_the_remedy),
        cmocka_unit_test(a_denial_is_utf8_wherever_it_is_cut),
        cmocka_unit_test(a_bad_rule_is_refused_with_file_line_and_cause),
        cmocka_unit_test(what_can_grant_nothing_is_warned_of),
        cmocka_unit_test(limits_of_a_principal_are_kept),
        cmocka_unit_test(the_number_of_principals_is_limited),
        in_directory(rules_of_several_files_are_one_set),
        in_directory(rules_that_others_may_write_are_refused),
        cmocka_unit_test(the_installed_example_grants_nothing_and_warns_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
