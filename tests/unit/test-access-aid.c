/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Applications on the card: who may reach which, and that the subscription's own are closed to everybody.
 */

#include "conf-helpers.h"

#include <errno.h>

#include "access.h"
#include "aid.h"
#include "util.h"

#define METER "[Principal meter]\nUser=60001\n"

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

static int ask_grant(const struct access *access, uid_t uid, const char *aid,
                     struct access_aid_grant *ret, struct failure *failure) {
    const struct access_caller caller = {.uid = uid, .groups = {uid}, .groups_count = 1};
    uint8_t octets[AID_MAX + 4];
    size_t length = 0;

    assert_int_equal(hex_decode(aid, octets, sizeof(octets), &length), 0);
    return access_check_aid(access, &caller, octets, length, ret, failure);
}

static int ask(const struct access *access, uid_t uid, const char *aid) {
    return ask_grant(access, uid, aid, NULL, NULL);
}

static void an_application_is_open_to_whom_a_rule_names(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules(METER "Aid=D276000124010203 d27600018500\n");

    assert_int_equal(ask(access, 60001, "D276000124010203"), 0);
    assert_int_equal(ask(access, 60001, "D27600018500"), 0);
    assert_int_equal(ask(access, 60001, "D27600012401"), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60001, "D27600012401020304"), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 60002, "D276000124010203"), ACCESS_E_DENIED);
    assert_int_equal(ask(access, 0, "D276000124010203"), ACCESS_E_DENIED);
}

static void a_star_means_whatever_follows(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules(METER "Aid=D2760001*\n");
    _cleanup_access_ struct access *any = rules(METER "Aid=*\n");

    assert_int_equal(ask(access, 60001, "D276000124"), 0);
    assert_int_equal(ask(access, 60001, "D2760001240102030405060708090A0B"), 0);
    assert_int_equal(ask(access, 60001, "D276000224"), ACCESS_E_DENIED);
    assert_int_equal(ask(any, 60001, "A000000151000000"), 0);
}

/* Whatever SELECT could take for the USIM or one of its kin: the AID, what begins with it, and a beginning of it. */
static void the_subscription_is_closed_whatever_rules_say(_unused_ void **state) {
    static const char *const closed[] = {"A0000000871002",
                                         "A0000000871002FF33FF018900000100",
                                         "A0000000871004",
                                         "A0000000871004FFFFFFFF8903020000",
                                         "A000000087",
                                         "A00000008710",
                                         "A0000000090001",
                                         "A000000009",
                                         "A0000003431002FF86FF0389FFFFFFFF",
                                         "A000000343"};
    _cleanup_access_ struct access *access = rules(METER "Aid=*\n");

    for (size_t i = 0; i < ELEMENTS(closed); i++) {
        struct failure failure = {0};

        assert_int_equal(ask_grant(access, 60001, closed[i], NULL, &failure), ACCESS_E_DENIED);
        assert_contains(failure.text, "is never open, whatever rules say");
        assert_int_equal(ask(access, 0, closed[i]), ACCESS_E_DENIED);
    }
    assert_int_equal(ask(access, 60001, "A0000000871005"), 0);
}

static void what_is_no_aid_is_denied(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules(METER "Aid=*\n");
    struct failure failure = {0};

    assert_int_equal(ask_grant(access, 60001, "", NULL, &failure), ACCESS_E_DENIED);
    assert_contains(failure.text, "the card's default application: which one that is the card");
    failure_clear(&failure);
    assert_int_equal(ask_grant(access, 60001, "D2760001", NULL, &failure), ACCESS_E_DENIED);
    assert_contains(failure.text, "an AID has 5 to 16 octets, not 4");
    failure_clear(&failure);
    assert_int_equal(ask_grant(access, 60001, "D2760001240102030405060708090A0B0C", NULL, &failure),
                     ACCESS_E_DENIED);
    assert_contains(failure.text, "not 17");
}

static void a_denial_says_who_what_and_which_rule(_unused_ void **state) {
    _cleanup_access_ struct access *access = rules(METER "Aid=D276000124*\n");
    struct failure failure = {0};

    assert_int_equal(ask_grant(access, 60001, "D276000185", NULL, &failure), ACCESS_E_DENIED);
    assert_string_equal(failure.text,
                        "uid 60001 may not reach the card's application D276000185: principal "
                        "\"meter\" (r.conf:1) grants Aid D276000124*; add it to Aid= there and "
                        "reload keystrapd");
    failure_clear(&failure);
    assert_int_equal(ask_grant(access, 7, "D276000185", NULL, &failure), ACCESS_E_DENIED);
    assert_contains(failure.text, "no principal in r.conf matches");
}

static void hashes_and_pins_come_from_the_principals_that_grant(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules("[Principal a]\nUser=60001\nAid=D276000124\n"
              "DeviceAppHash=000102030405060708090a0b0c0d0e0f10111213\n"
              "[Principal b]\nUser=60001\nAid=D2760001*\nAidPin=yes\nDeviceAppHash="
              "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100\n"
              "[Principal c]\nUser=60001\nAid=D276000199\nAidPin=yes\n"
              "DeviceAppHash=ff0102030405060708090a0b0c0d0e0f10111213\n"
              "[Principal d]\nUser=60002\nAid=D276000124\n");
    struct access_aid_grant grant;

    assert_int_equal(ask_grant(access, 60001, "D276000124", &grant, NULL), 0);
    assert_true(grant.pin);
    assert_int_equal(grant.hashes_count, 2);
    assert_int_equal(grant.hashes[0].length, 20);
    assert_int_equal(grant.hashes[0].value[19], 0x13);
    assert_int_equal(grant.hashes[1].length, 32);
    assert_int_equal(grant.hashes[1].value[0], 0x1f);
    assert_int_equal(ask_grant(access, 60002, "D276000124", &grant, NULL), 0);
    assert_false(grant.pin);
    assert_int_equal(grant.hashes_count, 0);
}

static void more_hashes_than_fit_are_left_out(_unused_ void **state) {
    char text[4096] = "";
    size_t used = 0;

    for (unsigned i = 0; i < ACCESS_HASHES_MAX + 2; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "[Principal p%u]\nUser=60001\nAid=*\n"
                                 "DeviceAppHash=%02x0102030405060708090a0b0c0d0e0f10111213\n",
                                 i, i);
    {
        _cleanup_access_ struct access *access = rules(text);
        struct access_aid_grant grant;

        assert_int_equal(ask_grant(access, 60001, "D276000124", &grant, NULL), 0);
        assert_int_equal(grant.hashes_count, ACCESS_HASHES_MAX);
    }
}

static void a_bad_value_refuses_the_rules_with_words(_unused_ void **state) {
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"Aid=D27600012", "an odd number of hex digits"},
        {"Aid=D2760001", "fewer than ten hex digits"},
        {"Aid=xyz", "not hex digits"},
        {"Aid=*D276000124", "not hex digits"},
        {"Aid=D2760001240102030405060708090A0B0C", "more than 32 hex digits"},
        {"Aid=D2760001240102030405060708090A0B*", "nothing is left for"},
        {"Aid=A0000000871002*", "are never open"},
        {"Aid=A0000000871004FFFFFFFF8903020000", "are never open"},
        {"DeviceAppHash=00", "allowed: 40 hex digits"},
        {"DeviceAppHash=zz", "allowed: 40 hex digits"},
        {"AidPin=perhaps", "allowed: yes or no"},
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

static void an_empty_value_takes_everything_back(_unused_ void **state) {
    _cleanup_access_ struct access *access =
        rules(METER "Aid=D276000124\nAid=\nAid=D276000185\nAidPin=yes\nAidPin=\n"
                    "DeviceAppHash=000102030405060708090a0b0c0d0e0f10111213\nDeviceAppHash=\n");
    struct access_aid_grant grant;

    assert_int_equal(ask(access, 60001, "D276000124"), ACCESS_E_DENIED);
    assert_int_equal(ask_grant(access, 60001, "D276000185", &grant, NULL), 0);
    assert_false(grant.pin);
    assert_int_equal(grant.hashes_count, 0);
}

static void a_right_to_an_application_is_none_to_keys(_unused_ void **state) {
    static const uint8_t digest[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x00, 0x02};
    _cleanup_access_ struct access *access = rules(METER "Aid=*\n");
    const struct access_caller caller = {.uid = 60001};

    assert_int_equal(access_check_naf(access, &caller, "naf.example.com", digest, NULL),
                     ACCESS_E_DENIED);
    assert_int_equal(access_check_manage(access, &caller, NULL), ACCESS_E_DENIED);
}

static void the_subscriptions_names_are_known(_unused_ void **state) {
    static const uint8_t usim[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xff};
    static const uint8_t other[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x01};

    assert_string_equal(aid_name(usim, sizeof(usim)), "USIM");
    assert_string_equal(aid_name(NULL, 0), "USIM");
    assert_null(aid_name(other, sizeof(other)));
    assert_true(aid_is_subscription(usim, 1));
    assert_false(aid_is_subscription(other, sizeof(other)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_application_is_open_to_whom_a_rule_names),
        cmocka_unit_test(a_star_means_whatever_follows),
        cmocka_unit_test(the_subscription_is_closed_whatever_rules_say),
        cmocka_unit_test(what_is_no_aid_is_denied),
        cmocka_unit_test(a_denial_says_who_what_and_which_rule),
        cmocka_unit_test(hashes_and_pins_come_from_the_principals_that_grant),
        cmocka_unit_test(more_hashes_than_fit_are_left_out),
        cmocka_unit_test(a_bad_value_refuses_the_rules_with_words),
        cmocka_unit_test(an_empty_value_takes_everything_back),
        cmocka_unit_test(a_right_to_an_application_is_none_to_keys),
        cmocka_unit_test(the_subscriptions_names_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
