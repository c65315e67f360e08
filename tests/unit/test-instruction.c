/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an instruction document says: all of it is taken, or none and the failure names what is wrong. No secret is left over
 * after either (arena_empty()).
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "instruction.h"
#include "util.h"

#define ENROLMENT                                                                  \
    "\"Enrolment\": {\"Methods\": \"psk\", \"Mef\": \"https://mef.example.com\", " \
    "\"Target\": \"maf.example.com\", \"Identity\": \"Cgw\"}"
#define PSK       "\"Psk\": {\"KpmId\": \"10-gw@mef.example.com\", \"Kpm\": \"credential:kpm\"}"
#define PROFILE   "{\"name\": \"water\", " ENROLMENT ", " PSK "}"
#define ONE(text) "{\"serial\": 1, \"profiles\": [" text "]}"

static int parse(const char *json, uint64_t last, struct instruction **ret,
                 struct failure *failure) {
    _cleanup_secret_ struct secret *document = NULL;

    assert_int_equal(secret_new_copy(json, strlen(json), &document), 0);
    *failure = (struct failure){0};
    return instruction_parse(document, last, ret, failure);
}

static struct instruction *taken(const char *json, uint64_t last) {
    struct instruction *instruction = NULL;
    struct failure failure;

    if (parse(json, last, &instruction, &failure) != 0)
        fail_msg("%s: %s", json, failure.text);
    return instruction;
}

static void refused(const char *json, uint64_t last, int code, const char *words) {
    struct instruction *instruction = NULL;
    struct failure failure;
    int r = parse(json, last, &instruction, &failure);

    assert_null(instruction);
    if (r != code || failure.code != code || !strstr(failure.text, words))
        fail_msg("%s: %d, %s", json, r, failure.text);
}

/* --- What is taken ----------------------------------------------------------------------------------- */

static void a_document_sets_and_removes_profiles(_unused_ void **state) {
    struct instruction *instruction = taken("{\"profiles\": [" PROFILE ", {\"name\": \"heat\", "
                                            "\"Enrolment\": {\"Methods\": \"gba\", \"Target\": "
                                            "\"maf.example.com\"}, \"Gba\": {}}],\n"
                                            "\"remove\": [\"old\", \"older\"], \"serial\": 7}",
                                            6);

    assert_true(instruction->serial == 7);
    assert_int_equal(instruction->profiles_count, 2);
    assert_string_equal(instruction->profiles[0].profile->name, "water");
    assert_string_equal(instruction->profiles[0].profile->mef_fqdn, "mef.example.com");
    assert_string_equal(instruction->profiles[0].profile->kpm, "credential:kpm");
    assert_string_equal(instruction->profiles[1].profile->name, "heat");
    assert_null(instruction->profiles[0].token);
    assert_int_equal(instruction->remove_count, 2);
    assert_string_equal(instruction->remove[0], "old");
    assert_string_equal(instruction->remove[1], "older");
    assert_null(instruction_free(instruction));
}

static void a_document_may_only_remove_or_only_count(_unused_ void **state) {
    struct instruction *instruction = taken("{\"serial\": 1, \"remove\": [\"water\"]}", 0);

    assert_int_equal(instruction->profiles_count, 0);
    instruction_free(instruction);
    instruction = taken("{\"serial\": 9223372036854775807}", 9223372036854775806u);
    assert_true(instruction->serial == 9223372036854775807u);
    instruction_free(instruction);
}

static void a_token_is_a_secret_and_no_value_of_the_profile(_unused_ void **state) {
    _cleanup_secret_ struct secret *wanted = NULL;
    struct instruction *instruction = taken(
        ONE("{\"name\": \"water\", " ENROLMENT ", " PSK ", \"Token\": {\"Value\": \"0123-abcd\"}}"),
        0);

    assert_int_equal(secret_new_copy("0123-abcd", 9, &wanted), 0);
    assert_true(secret_equal(instruction->profiles[0].token, wanted));
    assert_null(instruction->profiles[0].profile->token);
    instruction_free(instruction);
}

static void as_many_profiles_as_there_may_be_are_taken(_unused_ void **state) {
    char json[4096] = "{\"serial\": 1, \"profiles\": [";
    struct instruction *instruction;

    for (unsigned i = 0; i < ENROL_PROFILES_MAX; i++)
        (void)snprintf(json + strlen(json), sizeof(json) - strlen(json),
                       "%s{\"name\": \"p%u\", " ENROLMENT ", " PSK "}", i > 0 ? ", " : "", i);
    strcat(json, "]}");
    instruction = taken(json, 0);
    assert_int_equal(instruction->profiles_count, ENROL_PROFILES_MAX);
    instruction_free(instruction);

    (void)snprintf(json + strlen(json) - 2, 300, ", " PROFILE "]}");
    refused(json, 0, INSTRUCTION_E_MALFORMED, "too many");
}

/* --- Serials ----------------------------------------------------------------------------------------- */

static void a_serial_that_is_not_beyond_the_last_one_is_a_replay(_unused_ void **state) {
    static const char json[] = "{\"serial\": 5}";

    instruction_free(taken(json, 4));
    refused(json, 5, INSTRUCTION_E_REPLAY, "serial is 5, and 5 was applied");
    refused(json, 6, INSTRUCTION_E_REPLAY, "6");
    refused(json, UINT64_MAX, INSTRUCTION_E_REPLAY, "18446744073709551615");
}

static void a_serial_that_is_no_number_from_1_on_is_refused(_unused_ void **state) {
    static const char *const wrong[] = {
        "{}",
        "{\"serial\": 0}",
        "{\"serial\": -1}",
        "{\"serial\": 1.5}",
        "{\"serial\": 1e3}",
        "{\"serial\": \"1\"}",
        "{\"serial\": null}",
        "{\"serial\": [1]}",
        "{\"serial\": 9223372036854775808}",
        "{\"serial\": 1, \"serial\": 2}",
        "{\"Serial\": 1}",
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        refused(wrong[i], 0, INSTRUCTION_E_MALFORMED, "the document is wrong");
}

/* --- What is refused --------------------------------------------------------------------------------- */

static void what_is_no_json_object_is_refused(_unused_ void **state) {
    static const char *const wrong[] = {
        "x",
        "[]",
        "1",
        "\"serial\"",
        "{\"serial\": 1",
        "{\"serial\": 1} {}",
        "{\"serial\": 1}x",
        "{'serial': 1}",
        "{\"serial\": 1,}",
        "{\"serial\": 1, \"remove\": [\"a\\u0000b\"]}",
        "{\"serial\": 1, \"remove\": [\"\xff\"]}",
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        refused(wrong[i], 0, INSTRUCTION_E_MALFORMED, "JSON");
}

static void everything_unknown_refuses_the_document(_unused_ void **state) {
    refused("{\"serial\": 1, \"comment\": \"x\"}", 0, INSTRUCTION_E_MALFORMED, "\"comment\"");
    refused("{\"serial\": 1, \"\\u0007\": 1}", 0, INSTRUCTION_E_MALFORMED, "\"?\"");
    refused(ONE("{\"name\": \"water\", \"Pump\": {}}"), 0, INSTRUCTION_E_MALFORMED, "\"Pump\"");
    refused(ONE("{\"name\": \"water\", " ENROLMENT ", " PSK ", \"psk\": {}}"), 0,
            INSTRUCTION_E_MALFORMED, "\"psk\"");
    refused(ONE("{\"name\": \"water\", " ENROLMENT ", \"Psk\": {\"Kpn\": \"/kpm\"}}"), 0,
            INSTRUCTION_E_INVALID, "Kpn");
    refused(ONE("{\"name\": \"water\", " ENROLMENT ", " PSK ", \"Token\": {\"Walue\": \"x\"}}"), 0,
            INSTRUCTION_E_INVALID, "Walue");
}

static void what_has_another_type_than_it_should_is_refused(_unused_ void **state) {
    static const char *const wrong[] = {
        "{\"serial\": 1, \"profiles\": {}}",
        "{\"serial\": 1, \"profiles\": null}",
        ONE("[]"),
        ONE("\"water\""),
        ONE("{}"),
        ONE("{\"name\": 1}"),
        ONE("{\"name\": \"water\", \"Enrolment\": []}"),
        ONE("{\"name\": \"water\", \"Enrolment\": \"psk\"}"),
        ONE("{\"name\": \"water\", \"Enrolment\": {\"Methods\": [\"psk\"]}}"),
        ONE("{\"name\": \"water\", \"Enrolment\": {\"Suid\": 22}}"),
        ONE("{\"name\": \"water\", \"Enrolment\": {\"Commands\": true}}"),
        "{\"serial\": 1, \"remove\": \"water\"}",
        "{\"serial\": 1, \"remove\": [1]}",
        "{\"serial\": 1, \"remove\": [\"\"]}",
        "{\"serial\": 1, \"remove\": [\"a-name-too-long-for-one\"]}",
        "{\"serial\": 1, \"remove\": [\"\\n\"]}",
        "{\"serial\": 1, \"remove\": [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}",
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        refused(wrong[i], 0, INSTRUCTION_E_MALFORMED, "the document is wrong");
}

static void a_wrong_profile_is_named_with_what_is_wrong(_unused_ void **state) {
    refused(ONE("{\"name\": \"water\", " ENROLMENT "}"), 0, INSTRUCTION_E_INVALID, "\"water\"");
    refused(ONE("{\"name\": \"water\"}"), 0, INSTRUCTION_E_INVALID, "\"water\"");
    refused(ONE(PROFILE ", {\"name\": \"heat\", \"Enrolment\": {\"Methods\": \"magic\"}}"), 0,
            INSTRUCTION_E_INVALID, "magic");
    refused(ONE("{\"name\": \"../water\", " ENROLMENT ", " PSK "}"), 0, INSTRUCTION_E_INVALID,
            "../water");
    refused(ONE("{\"name\": \"\", " ENROLMENT ", " PSK "}"), 0, INSTRUCTION_E_INVALID, "");
    refused(ONE("{\"name\": \"a-name-too-long-for-one\", " ENROLMENT ", " PSK "}"), 0,
            INSTRUCTION_E_INVALID, "");
}

/* What is kept of a profile is its text, in which a line break would begin another key. */
static void a_value_cannot_bring_in_another_line(_unused_ void **state) {
    refused(ONE("{\"name\": \"water\", " ENROLMENT
                ", \"Psk\": {\"KpmId\": \"a\\nKpm=/etc/shadow\", "
                "\"Kpm\": \"credential:kpm\"}}"),
            0, INSTRUCTION_E_INVALID, "KpmId");
}

static void what_stands_twice_is_refused(_unused_ void **state) {
    refused(ONE(PROFILE ", " PROFILE), 0, INSTRUCTION_E_MALFORMED, "twice, \"water\"");
    refused("{\"serial\": 1, \"profiles\": [" PROFILE "], \"remove\": [\"old\", \"water\"]}", 0,
            INSTRUCTION_E_MALFORMED, "set and removed, \"water\"");
    refused(ONE("{\"name\": \"water\", \"name\": \"heat\", " ENROLMENT ", " PSK "}"), 0,
            INSTRUCTION_E_MALFORMED, "twice");
    refused(ONE("{\"name\": \"water\", " ENROLMENT ", " PSK ", " PSK "}"), 0,
            INSTRUCTION_E_MALFORMED, "twice");
}

static void a_token_that_is_too_short_or_too_long_is_refused(_unused_ void **state) {
    char json[1024], token[TOKEN_MAX + 2];

    for (size_t length = 0; length <= TOKEN_MAX + 1; length++) {
        bool right = length >= TOKEN_MIN && length <= TOKEN_MAX;

        memset(token, 't', length);
        token[length] = '\0';
        (void)snprintf(
            json, sizeof(json),
            ONE("{\"name\": \"water\", " ENROLMENT ", " PSK ", \"Token\": {\"Value\": \"%s\"}}"),
            token);
        if (right)
            instruction_free(taken(json, 0));
        else
            refused(json, 0, INSTRUCTION_E_MALFORMED, "token");
    }
}

/* A profile that is wrong behind its token: the token goes too, as the teardown sees. */
static void the_token_of_a_refused_profile_is_released(_unused_ void **state) {
    refused(ONE("{\"Token\": {\"Value\": \"0123-abcd\"}, \"name\": \"water\", " ENROLMENT "}"), 0,
            INSTRUCTION_E_INVALID, "water");
    refused(ONE("{\"Token\": {\"Value\": \"0123-abcd\"}, \"name\": \"water\", \"Pump\": {}}"), 0,
            INSTRUCTION_E_MALFORMED, "Pump");
    refused(
        "{\"profiles\": [{\"Token\": {\"Value\": \"0123-abcd\"}, \"name\": \"water\", " ENROLMENT
        ", " PSK "}], \"serial\": 1, \"pump\": 1}",
        0, INSTRUCTION_E_MALFORMED, "pump");
}

static void no_prefix_of_a_document_is_one(_unused_ void **state) {
    static const char json[] = ONE(PROFILE);
    char part[sizeof(json)];

    for (size_t i = 1; i < strlen(json); i++) {
        (void)snprintf(part, i + 1, "%s", json);
        refused(part, 0, INSTRUCTION_E_MALFORMED, "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_teardown(f, arena_empty)
        CLAIM(a_document_sets_and_removes_profiles),
        CLAIM(a_document_may_only_remove_or_only_count),
        CLAIM(a_token_is_a_secret_and_no_value_of_the_profile),
        CLAIM(as_many_profiles_as_there_may_be_are_taken),
        CLAIM(a_serial_that_is_not_beyond_the_last_one_is_a_replay),
        CLAIM(a_serial_that_is_no_number_from_1_on_is_refused),
        CLAIM(what_is_no_json_object_is_refused),
        CLAIM(everything_unknown_refuses_the_document),
        CLAIM(what_has_another_type_than_it_should_is_refused),
        CLAIM(a_wrong_profile_is_named_with_what_is_wrong),
        CLAIM(a_value_cannot_bring_in_another_line),
        CLAIM(what_stands_twice_is_refused),
        CLAIM(a_token_that_is_too_short_or_too_long_is_refused),
        CLAIM(the_token_of_a_refused_profile_is_released),
        CLAIM(no_prefix_of_a_document_is_one),
#undef CLAIM
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
