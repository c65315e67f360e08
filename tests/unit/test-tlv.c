/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BER-TLV of cards: every form of tag and length that is allowed, and no octet beyond the input for any that
 * is not. Inputs are copied to the heap at their exact length, so that AddressSanitizer sees a step too far.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tlv.h"
#include "util.h"

static struct tlv_cursor exact(const char *hex) {
    size_t length = strlen(hex) / 2;
    uint8_t *data = malloc(length ? length : 1);

    assert_non_null(data);
    assert_int_equal(hex_decode(hex, data, length, &length), 0);
    return (struct tlv_cursor){.data = data, .length = length};
}

static void test_objects_come_in_order_with_padding_around_them(void **state) {
    struct tlv_cursor start = exact("00ff"
                                    "8001aa"
                                    "ff0000"
                                    "9f2702bbcc"
                                    "4f00"
                                    "ffff"),
                      cursor = start;
    struct tlv object;

    (void)state;
    assert_int_equal(tlv_next(&cursor, &object), 1);
    assert_int_equal(object.tag, 0x80);
    assert_int_equal(object.length, 1);
    assert_int_equal(object.value[0], 0xaa);
    assert_int_equal(tlv_next(&cursor, &object), 1);
    assert_int_equal(object.tag, 0x9f27);
    assert_int_equal(object.length, 2);
    assert_memory_equal(object.value, "\xbb\xcc", 2);
    assert_int_equal(tlv_next(&cursor, &object), 1);
    assert_int_equal(object.tag, 0x4f);
    assert_int_equal(object.length, 0);
    assert_int_equal(tlv_next(&cursor, &object), 0);
    assert_int_equal(tlv_next(&cursor, &object), 0);
    free((void *)(uintptr_t)start.data);
}

static void test_lengths_of_one_two_and_three_octets(void **state) {
    uint8_t data[4 + 300] = {0x80, 0x82, 0x01, 0x2c};
    struct tlv_cursor cursor = {.data = data, .length = sizeof(data)};
    struct tlv object;

    (void)state;
    assert_int_equal(tlv_next(&cursor, &object), 1);
    assert_int_equal(object.length, 300);
    assert_ptr_equal(object.value, data + 4);
    memcpy(data, "\x80\x81\xff", 3);
    assert_int_equal(tlv_find(data, sizeof(data), 0x80, &object), 0);
    assert_int_equal(object.length, 255);
    /* 81 with a length that one octet could hold is longer than need be, not wrong. */
    memcpy(data, "\x80\x81\x05", 3);
    assert_int_equal(tlv_find(data, 8, 0x80, &object), 0);
    assert_int_equal(object.length, 5);
    memcpy(data, "\x80\x7f", 2);
    assert_int_equal(tlv_find(data, 2 + 127, 0x80, &object), 0);
    assert_int_equal(object.length, 127);
}

/* A tag or length that does not fit; the cursor stays where it was, and so does the output. */
static void test_what_does_not_fit_is_refused(void **state) {
    static const char *const inputs[] = {
        "80",                               /* no length */
        "8002aa",                           /* one octet of two */
        "80ff",                             /* a length of 127 octets */
        "8080",                             /* the indefinite form */
        "8083000001aa",                     /* four octets of length */
        "8081",                             /* the length's own octet is missing */
        "808201",       "8082ffff00", "9f", /* half a tag */
        "9f27",         "9f81010100",       /* a tag of three octets */
        "9f2703aabb",
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(inputs); i++) {
        struct tlv_cursor start = exact(inputs[i]), cursor = start;
        struct tlv object = {.tag = 0x1234};

        assert_int_equal(tlv_next(&cursor, &object), -EBADMSG);
        assert_ptr_equal(cursor.data, start.data);
        assert_int_equal(cursor.length, start.length);
        assert_int_equal(object.tag, 0x1234);
        free((void *)(uintptr_t)start.data);
    }
}

static void test_find_looks_at_one_level(void **state) {
    static const uint8_t data[] = {0x61, 0x05, 0x4f, 0x03, 1, 2, 3, 0x50, 0x01, 9, 0x50, 0x01, 8};
    struct tlv object;

    (void)state;
    assert_int_equal(tlv_find(data, sizeof(data), 0x50, &object), 0);
    assert_int_equal(object.value[0], 9); /* the first of two */
    assert_int_equal(tlv_find(data, sizeof(data), 0x4f, &object), -ENOENT);
    assert_int_equal(tlv_find(data, sizeof(data), 0x61, &object), 0);
    assert_int_equal(tlv_find(object.value, object.length, 0x4f, &object), 0);
    assert_int_equal(object.length, 3);
    assert_int_equal(tlv_find(data, 0, 0x61, &object), -ENOENT);
    /* What is broken behind the object that is looked for does not hide it; before it, it does. */
    assert_int_equal(tlv_find(data, sizeof(data) - 1, 0x61, &object), 0);
    assert_int_equal(tlv_find(data, sizeof(data) - 1, 0x99, &object), -EBADMSG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_come_in_order_with_padding_around_them),
        cmocka_unit_test(test_lengths_of_one_two_and_three_octets),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_find_looks_at_one_level),
    };

    return cmocka_run_group_tests_name("tlv", tests, NULL, NULL);
}
