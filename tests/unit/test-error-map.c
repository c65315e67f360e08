/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every outcome has a D-Bus name of its own, and the client library understands each. The list of
 * outcomes is read from outcome.h itself, so that one added there without a name here is found.
 */

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "error-map.h"
#include "outcome.h"
#include "text.h"
#include "util.h"

#define OUTCOMES_MAX 128

struct outcomes {
    struct {
        char word[48];
        int code;
    } all[OUTCOMES_MAX];
    size_t count;
};

static int base_of(const char *word) {
    static const struct {
        const char *prefix;
        int base;
    } bases[] = {
        {"UICC_E_", OUTCOME_UICC_BASE},
        {"HTTP_E_", OUTCOME_HTTP_BASE},
        {"UB_E_", OUTCOME_UB_BASE},
        {"KEYS_E_", OUTCOME_KEYS_BASE},
        {"ACCESS_E_", OUTCOME_ACCESS_BASE},
        {"SE_E_", OUTCOME_SE_BASE},
        {"PEER_E_", OUTCOME_PEER_BASE},
        {"MEF_E_", OUTCOME_MEF_BASE},
        {"EST_E_", OUTCOME_EST_BASE},
        {"RECORD_E_", OUTCOME_RECORD_BASE},
        {"INSTRUCTION_E_", OUTCOME_INSTRUCTION_BASE},
        {"ENROL_E_", OUTCOME_ENROL_BASE},
    };

    for (size_t i = 0; i < ELEMENTS(bases); i++)
        if (strncmp(word, bases[i].prefix, strlen(bases[i].prefix)) == 0)
            return bases[i].base;
    return -1;
}

/* Lines of the form "    WORD," or "    WORD = OUTCOME_..._BASE,": enumerators count up from their base. */
static void read_header(struct outcomes *outcomes) {
    _cleanup_fclose_ FILE *f = fopen(INCLUDE_SOURCE_DIR "/outcome.h", "re");
    char line[256];
    int next = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        char word[48];

        if (sscanf(line, "    %47[A-Z_0-9]", word) != 1 || base_of(word) < 0)
            continue;
        if (strstr(line, "_BASE"))
            next = base_of(word);
        assert_true(outcomes->count < OUTCOMES_MAX);
        memcpy(outcomes->all[outcomes->count].word, word, sizeof(word));
        outcomes->all[outcomes->count++].code = next++;
    }
}

static void every_outcome_of_the_header_has_a_name(void **state) {
    struct outcomes outcomes = {0};

    (void)state;
    read_header(&outcomes);
    assert_true(outcomes.count >= 45);
    /* That the reading of the header is right. */
    assert_int_equal(outcomes.all[0].code, UICC_E_SERVICE_ABSENT);
    for (size_t i = 0; i < outcomes.count; i++)
        if (strcmp(error_map_name(outcomes.all[i].code), ERROR_INTERNAL) == 0)
            fail_msg("%s has no D-Bus name", outcomes.all[i].word);
}

static void no_two_outcomes_share_a_name(void **state) {
    const struct error_map_entry *a, *b;

    (void)state;
    for (size_t i = 0; (a = error_map_at(i)); i++) {
        for (size_t j = i + 1; (b = error_map_at(j)); j++) {
            if (a->code > 0 || b->code > 0)
                assert_string_not_equal(a->name, b->name);
            if (a->code != 0)
                assert_int_not_equal(a->code, b->code);
        }
    }
}

static void names_are_valid_on_the_bus(void **state) {
    const struct error_map_entry *entry;

    (void)state;
    for (size_t i = 0; (entry = error_map_at(i)); i++) {
        const char *last = strrchr(entry->name, '.');

        assert_non_null(last);
        assert_true(isupper((unsigned char)last[1]));
        for (const char *p = last + 1; *p; p++)
            assert_true(isalnum((unsigned char)*p));
        if (entry->code > 0)
            assert_int_equal(strncmp(entry->name, ERROR_PREFIX, strlen(ERROR_PREFIX)), 0);
    }
}

static void unknown_codes_are_internal(void **state) {
    (void)state;
    assert_string_equal(error_map_name(-EIO), ERROR_INTERNAL);
    assert_string_equal(error_map_name(0), ERROR_INTERNAL);
    assert_string_equal(error_map_name(0x7fff), ERROR_INTERNAL);
    assert_string_equal(error_map_name(-ENOMEM), "org.freedesktop.DBus.Error.NoMemory");
}

static void the_manual_lists_every_error_of_ours(void **state) {
    _cleanup_fclose_ FILE *f = fopen(DOCS_SOURCE_DIR "/man/org.keystrap.Agent1.5", "re");
    const struct error_map_entry *entry;
    static char page[65536];
    char item[64];

    (void)state;
    assert_non_null(f);
    assert_true(fread(page, 1, sizeof(page) - 1, f) > 0);
    for (size_t i = 0; (entry = error_map_at(i)); i++) {
        if (strncmp(entry->name, ERROR_PREFIX, strlen(ERROR_PREFIX)) != 0)
            continue;
        (void)snprintf(item, sizeof(item), "\n.It %s\n", entry->name + strlen(ERROR_PREFIX));
        if (!strstr(page, item))
            fail_msg("org.keystrap.Agent1(5) does not list %s", entry->name);
    }
}

static void clients_get_what_the_header_of_the_library_promises(void **state) {
    static const struct {
        int code, client;
    } promises[] = {
        {ACCESS_E_DENIED, -EACCES},       {ACCESS_E_QUOTA, -EBUSY},
        {UICC_E_CARD_ABSENT, -ENODEV},    {UICC_E_READER_ABSENT, -ENODEV},
        {UICC_E_SERVICE_ABSENT, -ENODEV}, {UB_E_NETWORK_AUTH, -EKEYREJECTED},
        {UB_E_REFUSED, -EKEYREJECTED},    {HTTP_E_TIMEOUT, -ETIMEDOUT},
        {HTTP_E_CONNECT, -EHOSTUNREACH},  {KEYS_E_NAME, -EINVAL},
        {KEYS_E_UA_PROTOCOL, -EINVAL},    {-ENOMEM, -ENOMEM},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(promises); i++)
        assert_int_equal(error_map_client(error_map_name(promises[i].code)), promises[i].client);
    assert_int_equal(error_map_client("org.freedesktop.DBus.Error.ServiceUnknown"), -ESRCH);
    assert_int_equal(error_map_client("org.freedesktop.DBus.Error.Spawn.ChildExited"), -ESRCH);
    assert_int_equal(error_map_client("com.example.Whatever"), -EIO);
    assert_int_equal(error_map_client(NULL), -EIO);
}

static void text_that_the_bus_would_refuse_is_mended(void **state) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x94\x91", "Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x94\x91"},
        {"a\nb\x1b[31m", "a?b?[31m"},
        {"\xff\xfe", "??"},
        {"overlong \xc0\xaf", "overlong ??"},
        {"surrogate \xed\xa0\x80", "surrogate ???"},
        {"noncharacter \xef\xbf\xbf", "noncharacter ???"},
        {"beyond \xf4\x90\x80\x80", "beyond ????"},
        {"broken off \xe2\x82", "broken off ??"},
        {"", ""},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        text_copy(out, sizeof(out), cases[i].in);
        assert_string_equal(out, cases[i].out);
    }
}

static void cut_text_ends_with_a_whole_character(void **state) {
    char out[6];

    (void)state;
    text_copy(out, sizeof(out), "abc\xe2\x82\xac");
    assert_string_equal(out, "abc");
    text_copy(out, sizeof(out), "ab\xe2\x82\xac");
    assert_string_equal(out, "ab\xe2\x82\xac");
    text_copy(out, sizeof(out), "abcdefgh");
    assert_string_equal(out, "abcde");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_outcome_of_the_header_has_a_name),
        cmocka_unit_test(no_two_outcomes_share_a_name),
        cmocka_unit_test(names_are_valid_on_the_bus),
        cmocka_unit_test(unknown_codes_are_internal),
        cmocka_unit_test(the_manual_lists_every_error_of_ours),
        cmocka_unit_test(clients_get_what_the_header_of_the_library_promises),
        cmocka_unit_test(text_that_the_bus_would_refuse_is_mended),
        cmocka_unit_test(cut_text_ends_with_a_whole_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
