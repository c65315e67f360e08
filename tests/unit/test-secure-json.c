/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * JSON in the arena: nothing of a text is in ordinary memory or left over, and no text of anybody takes more of the arena than
 * its bounds allow.
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
#include "secure-json.h"
#include "util.h"

static int parse(const char *text, json_t **ret) {
    return secure_json_parse(text, strlen(text), SECRET_LENGTH_MAX, ret);
}

static json_t *parsed(const char *text) {
    json_t *value = NULL;

    assert_int_equal(parse(text, &value), 0);
    return value;
}

static void refused(const char *text) {
    json_t *value = NULL;

    if (parse(text, &value) != -EINVAL)
        fail_msg("was taken: %s", text);
    assert_null(value);
}

/* @count times @piece with commas between, as the array "a". */
static void repeat(const char *piece, size_t count, char ret[SECRET_LENGTH_MAX + 1]) {
    size_t length = (size_t)sprintf(ret, "{\"a\":[");

    for (size_t i = 0; i < count; i++)
        length += (size_t)sprintf(ret + length, "%s%s", i > 0 ? "," : "", piece);
    (void)sprintf(ret + length, "]}");
}

static void every_block_of_a_text_is_in_the_arena_and_erased(_unused_ void **state) {
    size_t before = secret_arena_used(), text_length = strlen("a key of somebody");
    json_t *object = parsed("{\"key\": \"a key of somebody\", \"list\": [1, {\"deep\": true}]}");
    const char *text = secure_json_text(object, "key");

    assert_non_null(text);
    assert_true(secret_arena_used() > before + text_length);
    json_decref(object);
    assert_int_equal(secret_arena_used(), before);
}

static void a_text_that_is_no_object_or_not_whole_is_refused(_unused_ void **state) {
    static const char *const wrong[] = {
        "",
        "x",
        "[]",
        "1",
        "null",
        "{",
        "{}{}",
        "{} x",
        "{\"a\": 1",
        "{\"a\" 1}",
        "{\"a\": \"b}",
        "{\"a\": 99999999999999999999}",
        "{\"a\": \"\\u0000\"}",
        "{\"a\\u0000\": 1}",
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        refused(wrong[i]);
}

static void a_name_that_stands_twice_is_refused_at_any_depth(_unused_ void **state) {
    refused("{\"a\": 1, \"a\": 1}");
    refused("{\"a\": [{\"b\": 1, \"c\": {\"d\": 1, \"\\u0064\": 2}}]}");
}

static void a_text_is_refused_unread_when_it_is_too_long(_unused_ void **state) {
    json_t *value = NULL;

    assert_int_equal(secure_json_parse("{}  ", 4, 3, &value), -EINVAL);
    assert_int_equal(secure_json_parse("{}  ", 4, 4, &value), 0);
    json_decref(value);
}

static void depth_counts_brackets_and_not_what_is_in_strings(_unused_ void **state) {
    json_t *value;

    value = parsed("{\"a\":[[[[[[[1]]]]]]]}"); /* 8 */
    json_decref(value);
    refused("{\"a\":[[[[[[[[1]]]]]]]]}");
    refused("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}");
    value = parsed("{\"[[[[[[[[[[[[\": \"{{{{{{{{{{\\\"[[[[[[[[[[[\\\\\"}");
    json_decref(value);
    value = parsed("{\"a\":[[],[],[],[],[],[],[],[],[],[],[]]}");
    json_decref(value);
}

/* The costliest texts that are taken leave room for the keys of everybody else. */
static void no_text_takes_more_than_half_of_the_arena(_unused_ void **state) {
    static const char *const pieces[] = {"{}", "[]", "\"\"", "1", "1.5", "{\"a\":1}"};
    char text[SECRET_LENGTH_MAX + 1];

    for (size_t i = 0; i < ELEMENTS(pieces); i++) {
        size_t values = strchr(pieces[i], '{') || strchr(pieces[i], '[') ? 2 : 1;
        json_t *object;

        repeat(pieces[i], (JSON_VALUES_MAX - 3) / values, text);
        object = parsed(text);
        if (secret_arena_used() > SECRET_ARENA_SIZE / 2)
            fail_msg("%s: %zu octets", pieces[i], secret_arena_used());
        json_decref(object);
        repeat(pieces[i], JSON_VALUES_MAX, text);
        refused(text);
    }
}

static void commas_in_strings_are_no_values(_unused_ void **state) {
    char text[SECRET_LENGTH_MAX + 1] = "{\"a\":\"";

    memset(text + 6, ',', 2 * JSON_VALUES_MAX);
    (void)strcpy(text + 6 + 2 * JSON_VALUES_MAX, "\"}");
    json_decref(parsed(text));
}

/* jansson takes blocks of twice the size as a string grows; and it does not notice when it does not get one. */
static void a_string_of_any_length_is_taken(_unused_ void **state) {
    char text[SECRET_LENGTH_MAX + 1];

    for (size_t length = 1; length < SECRET_LENGTH_MAX - 8; length++) {
        json_t *object;

        (void)snprintf(text, sizeof(text), "{\"a\":\"%0*u\"}", (int)length, 0u);
        object = parsed(text);
        assert_int_equal(strlen(secure_json_text(object, "a")), length);
        json_decref(object);
    }
}

static void a_string_that_does_not_end_is_refused_at_any_length(_unused_ void **state) {
    char text[SECRET_LENGTH_MAX + 1];

    for (size_t length = 1; length < SECRET_LENGTH_MAX - 8; length += 31) {
        (void)snprintf(text, sizeof(text), "{\"a\":\"%0*u", (int)length, 0u);
        refused(text);
        (void)snprintf(text, sizeof(text), "{\"a\":%0*u}", (int)length, 1u);
        if (length > 1)
            refused(text);
        memset(text + 5, 't', length);
        refused(text);
    }
}

static void a_text_is_read_where_the_arena_is_full(_unused_ void **state) {
    struct secret *all[SECRET_ARENA_SIZE / 16];
    size_t count = 0, used;
    json_t *object;

    for (size_t length = 4096; length > 0; length /= 2)
        while (count < ELEMENTS(all) && secret_new(length, &all[count]) == 0)
            count++;
    used = secret_arena_used();
    object = parsed("{\"a\": \"0123456789012345678901234567890123456789\", \"b\": {}}");
    assert_int_equal(secret_arena_used(), used);
    assert_string_equal(secure_json_text(object, "a"), "0123456789012345678901234567890123456789");
    json_decref(object);
    while (count > 0)
        secret_free(all[--count]);
}

static void what_is_printed_is_a_secret_and_reads_as_the_same(_unused_ void **state) {
    json_t *object = parsed(" { \"a\" : [ 1 , \"\\u00fc\" ] , \"b\" : { } } "), *again = NULL;
    _cleanup_secret_ struct secret *text = NULL;

    assert_int_equal(secure_json_print(object, &text), 0);
    assert_int_equal(secret_length(text), strlen("{\"a\":[1,\"\xc3\xbc\"],\"b\":{}}"));
    assert_memory_equal(secret_data(text), "{\"a\":[1,\"\xc3\xbc\"],\"b\":{}}",
                        secret_length(text));
    assert_int_equal(
        secure_json_parse(secret_data(text), secret_length(text), SECRET_LENGTH_MAX, &again), 0);
    assert_true(json_equal(object, again));
    json_decref(object);
    json_decref(again);
}

static void what_is_too_long_to_be_printed_is_refused(_unused_ void **state) {
    json_t *object, *list;
    struct secret *text = NULL;

    secure_json_init();
    object = json_object();
    list = json_array();
    assert_int_equal(json_object_set_new(object, "a", list), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(json_array_append_new(list, json_sprintf("%01500u", i)), 0);
    assert_int_equal(secure_json_print(object, &text), -ENOBUFS);
    assert_null(text);
    json_decref(object);
}

static void a_member_that_is_no_text_reads_as_none(_unused_ void **state) {
    json_t *object = parsed("{\"text\": \"t\", \"empty\": \"\", \"number\": 1, \"null\": null}");

    assert_string_equal(secure_json_text(object, "text"), "t");
    assert_string_equal(secure_json_text(object, "empty"), "");
    assert_null(secure_json_text(object, "number"));
    assert_null(secure_json_text(object, "null"));
    assert_null(secure_json_text(object, "none"));
    assert_int_equal(json_object_set_new(object, "nul", json_stringn("a\0b", 3)), 0);
    assert_null(secure_json_text(object, "nul"));
    json_decref(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_teardown(f, arena_empty)
        CLAIM(every_block_of_a_text_is_in_the_arena_and_erased),
        CLAIM(a_text_that_is_no_object_or_not_whole_is_refused),
        CLAIM(a_name_that_stands_twice_is_refused_at_any_depth),
        CLAIM(a_text_is_refused_unread_when_it_is_too_long),
        CLAIM(depth_counts_brackets_and_not_what_is_in_strings),
        CLAIM(no_text_takes_more_than_half_of_the_arena),
        CLAIM(commas_in_strings_are_no_values),
        CLAIM(a_string_of_any_length_is_taken),
        CLAIM(a_string_that_does_not_end_is_refused_at_any_length),
        CLAIM(a_text_is_read_where_the_arena_is_full),
        CLAIM(what_is_printed_is_a_secret_and_reads_as_the_same),
        CLAIM(what_is_too_long_to_be_printed_is_refused),
        CLAIM(a_member_that_is_no_text_reads_as_none),
#undef CLAIM
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
