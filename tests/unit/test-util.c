/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Clocks, deadlines, hex, base64, text: the vectors of RFC 4648, the edges, and that what is not canonical is
 * refused without touching the output.
 */

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "util.h"

static void test_the_clocks_are_those_that_are_promised(void **state) {
    struct timespec boottime, realtime;
    uint64_t now;

    (void)state;
    now = now_usec();
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boottime), 0);
    assert_true(now <= (uint64_t)boottime.tv_sec * USEC_PER_SEC + USEC_PER_SEC);
    assert_true(now_usec() >= now);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &realtime), 0);
    assert_in_range(now_realtime_usec() / USEC_PER_SEC, (uint64_t)realtime.tv_sec,
                    (uint64_t)realtime.tv_sec + 5);
}

static void test_deadlines_saturate(void **state) {
    uint64_t before = now_usec(), deadline = deadline_after(USEC_PER_SEC);

    (void)state;
    assert_true(deadline >= before + USEC_PER_SEC);
    assert_true(deadline <= now_usec() + USEC_PER_SEC);
    assert_true(deadline_after(USEC_INFINITY) == USEC_INFINITY);
    assert_true(deadline_after(USEC_INFINITY - 1) == USEC_INFINITY);
}

static void test_poll_waits_round_up_and_never_wrap(void **state) {
    (void)state;
    assert_int_equal(deadline_poll_msec(0), 0);
    assert_int_equal(deadline_poll_msec(now_usec()), 0);
    assert_int_equal(deadline_poll_msec(USEC_INFINITY), -1);
    assert_int_equal(deadline_poll_msec(USEC_INFINITY - 1), INT_MAX);
    assert_in_range(deadline_poll_msec(deadline_after(10 * USEC_PER_SEC)), 9000, 10000);

    /* Less than a millisecond away is a millisecond, or nothing when the moment has passed meanwhile. */
    assert_in_range(deadline_poll_msec(now_usec() + 900), 0, 1);
}

static void test_hex_there_and_back(void **state) {
    static const uint8_t octets[] = {0x00, 0x01, 0x9a, 0xff, 0x5c};
    uint8_t back[5];
    char text[11];
    size_t length;

    (void)state;
    hex_encode(octets, sizeof(octets), text);
    assert_string_equal(text, "00019aff5c");
    assert_int_equal(hex_decode(text, back, sizeof(back), &length), 0);
    assert_int_equal(length, 5);
    assert_memory_equal(back, octets, 5);
    assert_int_equal(hex_decode("ABcd", back, sizeof(back), &length), 0);
    assert_int_equal(length, 2);
    assert_memory_equal(back, "\xab\xcd", 2);
    assert_int_equal(hex_decode("", back, 0, &length), 0);
    assert_int_equal(length, 0);
    hex_encode(NULL, 0, text);
    assert_string_equal(text, "");
}

static void test_what_is_not_hex_is_refused_and_changes_nothing(void **state) {
    static const char *const wrong[] = {"0", "0g", "g0", " 00", "0x00", "00 ", "-1", "000"};
    uint8_t octets[4] = {1, 2, 3, 4};
    size_t length = 77;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        assert_int_equal(hex_decode(wrong[i], octets, sizeof(octets), &length), -EINVAL);
    assert_int_equal(hex_decode("0000000000", octets, sizeof(octets), &length), -ENOBUFS);
    assert_int_equal(length, 77);
    assert_memory_equal(octets, "\1\2\3\4", 4);
}

/* RFC 4648 10. */
static const struct {
    const char *plain, *encoded;
} base64_vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_base64_of_the_rfc(void **state) {
    (void)state;
    for (size_t i = 0; i < ELEMENTS(base64_vectors); i++) {
        const char *plain = base64_vectors[i].plain, *encoded = base64_vectors[i].encoded;
        _cleanup_free_ char *text = NULL;
        uint8_t octets[8];
        size_t length;

        assert_int_equal(base64_encode(plain, strlen(plain), &text), 0);
        assert_string_equal(text, encoded);
        assert_int_equal(base64_decode(encoded, strlen(encoded), octets, 8, &length), 0);
        assert_int_equal(length, strlen(plain));
        assert_memory_equal(octets, plain, length);
    }
}

static void test_base64_there_and_back_for_every_octet_and_length(void **state) {
    uint8_t octets[256], back[256];

    (void)state;
    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)(i * 167 + 13);
    for (size_t n = 0; n <= sizeof(octets); n++) {
        _cleanup_free_ char *text = NULL;
        size_t length;

        assert_int_equal(base64_encode(octets, n, &text), 0);
        assert_int_equal(base64_decode(text, strlen(text), back, n, &length), 0);
        assert_int_equal(length, n);
        assert_memory_equal(back, octets, n);
    }
}

static void test_what_is_not_canonical_base64_is_refused_and_changes_nothing(void **state) {
    static const char *const wrong[] = {
        "Z",    "Zg",   "Zg=",      "Zg==\n",    "Zg= =", "=",     "==",       "====", "Z===",
        "Zh==", "Zm9=", "Zg==Zg==", "Zm9v Zm9v", "Zm-_",  "Zm9v=", "Zm9v====", "=Zm9", "Z=m9",
    };
    uint8_t octets[16] = {0};
    size_t length = 77;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(wrong); i++)
        assert_int_equal(base64_decode(wrong[i], strlen(wrong[i]), octets, 16, &length), -EINVAL);
    assert_int_equal(base64_decode("Zm9v", 4, octets, 2, &length), -ENOBUFS);
    assert_int_equal(base64_decode("Zm\0v", 4, octets, 16, &length), -EINVAL);
    assert_int_equal(length, 77);
    assert_int_equal(octets[0], 0);
}

static void test_shortened_text_is_always_terminated(void **state) {
    char text[8];

    (void)state;
    shorten("001010000000001", 4, text, sizeof(text));
    assert_string_equal(text, "0010...");
    shorten("001", 4, text, sizeof(text));
    assert_string_equal(text, "001");
    shorten("001010000000001", 7, text, sizeof(text));
    assert_int_equal(strlen(text), 7);
    text[0] = 'x';
    shorten("001", 4, text, 0);
    assert_int_equal(text[0], 'x');
}

static void test_plain_text_is_printable_ascii(void **state) {
    (void)state;
    assert_true(text_is_plain(" ~", 2));
    assert_true(text_is_plain("", 0));
    assert_false(text_is_plain("\n", 1));
    assert_false(text_is_plain("a\0b", 3));
    assert_false(text_is_plain("\x7f", 1));
    assert_false(text_is_plain("\xc3\xa4", 2));
}

static void test_only_well_formed_printable_utf8_is_taken(void **state) {
    static const struct {
        const char *text;
        size_t octets;
    } vectors[] = {
        {"a", 1},
        {" ", 1},
        {"\xc3\xa4", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x94\x91", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"", 0},
        {"\n", 0},
        {"\x7f", 0},
        {"\xc2\x85", 0},         /* a control character */
        {"\xc3", 0},             /* cut off */
        {"\xe2\x82", 0},         /* cut off */
        {"\xc3(", 0},            /* no continuation */
        {"\x80", 0},             /* a continuation alone */
        {"\xc0\xaf", 0},         /* overlong */
        {"\xe0\x80\xaf", 0},     /* overlong */
        {"\xf0\x80\x80\xaf", 0}, /* overlong */
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xff", 0},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(vectors); i++)
        assert_int_equal(utf8_printable(vectors[i].text, strlen(vectors[i].text)),
                         vectors[i].octets);
}

static void test_cleanups_release_what_was_not_taken(void **state) {
    int fds[2];
    char *text = strdup("text");

    (void)state;
    assert_int_equal(pipe(fds), 0);
    {
        _cleanup_close_ int fd = fds[0], kept = fds[1];
        _cleanup_free_ char *taken = text;

        assert_ptr_equal(TAKE_PTR(taken), text);
        assert_null(taken);
        assert_int_equal(TAKE_FD(kept), fds[1]);
        assert_int_equal(kept, -1);
        (void)fd;
    }
    assert_int_equal(close(fds[0]), -1);
    assert_int_equal(close(fds[1]), 0);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clocks_are_those_that_are_promised),
        cmocka_unit_test(test_deadlines_saturate),
        cmocka_unit_test(test_poll_waits_round_up_and_never_wrap),
        cmocka_unit_test(test_hex_there_and_back),
        cmocka_unit_test(test_what_is_not_hex_is_refused_and_changes_nothing),
        cmocka_unit_test(test_base64_of_the_rfc),
        cmocka_unit_test(test_base64_there_and_back_for_every_octet_and_length),
        cmocka_unit_test(test_what_is_not_canonical_base64_is_refused_and_changes_nothing),
        cmocka_unit_test(test_shortened_text_is_always_terminated),
        cmocka_unit_test(test_plain_text_is_printable_ascii),
        cmocka_unit_test(test_only_well_formed_printable_utf8_is_taken),
        cmocka_unit_test(test_cleanups_release_what_was_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
