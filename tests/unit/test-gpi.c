/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA Push Info is read as it is laid out and no other way, and believed only with the key that it yields.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gba.h"
#include "unit/arena.h"
#include "unit/gba-vectors.h"

#define HEADER "0100" VECTOR_RAND VECTOR_AUTN
#define PTID   "010003614062"                                   /* a@b */
#define NAF_ID "0200146e61662e6578616d706c652e636f6d0100000005" /* naf.example.com */
#define END    "030014323033302d30312d30315430303a30303a30305a"
#define MAC    "ff0010c5e30c27110bbf843f15547b34f2d342"

/* @hex in memory of its own length, so that one octet too far is seen. */
static uint8_t *octets_dup(const char *hex, size_t *ret_length) {
    size_t size = strlen(hex) / 2;
    uint8_t *octets = malloc(size > 0 ? size : 1);

    assert_non_null(octets);
    assert_int_equal(hex_decode(hex, octets, size, ret_length), 0);
    return octets;
}

static void test_a_gpi_is_read_whole(void **state _unused_) {
    static const uint8_t ua[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 5};
    size_t length = 0;
    _cleanup_free_ uint8_t *data = octets_dup(VECTOR_GPI, &length);
    uint8_t rand[AKA_RAND_LENGTH], autn[AKA_AUTN_LENGTH];
    struct failure failure = {0};
    struct gpi gpi;

    octets_of(VECTOR_RAND, rand, sizeof(rand));
    octets_of(VECTOR_AUTN, autn, sizeof(autn));
    assert_int_equal(gpi_parse(data, length, &gpi, &failure), 0);
    assert_int_equal(gpi.mode, GBA_MODE_ME);
    assert_memory_equal(gpi.rand, rand, sizeof(rand));
    assert_memory_equal(gpi.autn, autn, sizeof(autn));
    assert_string_equal(gpi.ptid, "push-1@" VECTOR_BSF);
    assert_string_equal(gpi.naf_fqdn, "naf.example.com");
    assert_memory_equal(gpi.ua_protocol, ua, sizeof(ua));
    assert_int_equal(gpi.lifetime, 1893456000);
    assert_string_equal(gpi.label, "meter");
    assert_int_equal(gpi.signed_length, length - 3 - GPI_MAC_LENGTH);

    data[1] = 1;
    assert_int_equal(gpi_parse(data, length, &gpi, &failure), 0);
    assert_int_equal(gpi.mode, GBA_MODE_U);
}

/* With the key of the NAF, to the last bit; any octet changed is found out, by the reader or by the MAC. */
static void test_only_the_right_key_proves_a_gpi(void **state _unused_) {
    size_t length = 0;
    _cleanup_free_ uint8_t *data = octets_dup(VECTOR_GPI, &length);
    _cleanup_secret_ struct secret *ks = secret_of(VECTOR_KS), *key = NULL;
    struct failure failure = {0};
    struct gpi gpi;

    assert_int_equal(gpi_parse(data, length, &gpi, NULL), 0);
    assert_int_equal(
        gba_derive_naf_key(ks, gpi.rand, VECTOR_IMPI, gpi.naf_fqdn, gpi.ua_protocol, &key), 0);
    assert_int_equal(gpi_check(&gpi, data, key, &failure), 0);
    assert_int_equal(gpi_check(&gpi, data, ks, &failure), UB_E_PUSH_MAC);
    assert_non_null(strstr(failure.text, "naf.example.com"));

    for (size_t i = 0; i < length; i++) {
        data[i] ^= 1;
        if (gpi_parse(data, length, &gpi, NULL) == 0)
            assert_int_equal(gpi_check(&gpi, data, key, NULL), UB_E_PUSH_MAC);
        data[i] ^= 1;
    }
}

static void test_fields_may_stand_in_any_order_and_unknown_ones_too(void **state _unused_) {
    static const char *const good[] = {
        HEADER PTID NAF_ID END MAC,
        HEADER END "7e0000" NAF_ID "7f000100" PTID MAC,
        HEADER PTID NAF_ID END "040000" MAC, /* an empty label */
        HEADER PTID NAF_ID END "040002c3a4" MAC,
    };
    struct failure failure = {0};
    struct gpi gpi;

    for (size_t i = 0; i < ELEMENTS(good); i++) {
        size_t length = 0;
        _cleanup_free_ uint8_t *data = octets_dup(good[i], &length);

        if (gpi_parse(data, length, &gpi, &failure) != 0)
            fail_msg("%s: %s", good[i], failure.text);
    }
}

static void test_what_is_no_gpi_is_refused(void **state _unused_) {
    static const char *const wrong[] = {
        "",
        "01",
        HEADER,
        "0200" VECTOR_RAND VECTOR_AUTN PTID NAF_ID END MAC, /* another version */
        "0102" VECTOR_RAND VECTOR_AUTN PTID NAF_ID END MAC, /* a flag that is not known */
        HEADER NAF_ID END MAC,
        HEADER PTID END MAC,
        HEADER PTID NAF_ID MAC,
        HEADER PTID NAF_ID END,
        HEADER PTID PTID NAF_ID END MAC,
        HEADER PTID NAF_ID END MAC MAC,
        HEADER PTID NAF_ID END MAC "00",
        HEADER PTID NAF_ID MAC END,
        HEADER PTID NAF_ID END "ff000fc5e30c27110bbf843f15547b34f2d3",
        HEADER PTID NAF_ID END "ff0011c5e30c27110bbf843f15547b34f2d342",
        HEADER PTID NAF_ID END "ff",
        HEADER PTID NAF_ID END "04ffff" MAC,
        HEADER "010000" NAF_ID END MAC,       /* no P-TID */
        HEADER "010003612062" NAF_ID END MAC, /* a space */
        HEADER "010003610062" NAF_ID END MAC, /* a NUL */
        HEADER PTID "0200050100000005" END MAC,
        HEADER PTID "0200040100000005" END MAC,
        HEADER PTID "0200064e0100000005" END MAC, /* a capital letter */
        HEADER PTID "020008610062"
                    "0100000005" END MAC, /* a NUL */
        HEADER PTID "02000761"
                    "2e"
                    "0100000005" END MAC, /* a dot at the end */
        HEADER PTID NAF_ID "030003323033" MAC,
        HEADER PTID NAF_ID "030000" MAC,
        HEADER PTID NAF_ID END "04000100" MAC,
        HEADER PTID NAF_ID END "040001c3" MAC,
        HEADER PTID NAF_ID END "7f00007f00007f00007f00007f00007f00007f00007f00007f00007f0000"
                               "7f00007f00007f0000" MAC, /* 17 fields */
    };

    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        size_t length = 0;
        _cleanup_free_ uint8_t *data = octets_dup(wrong[i], &length);
        struct failure failure = {0};
        struct gpi gpi, before;

        memset(&gpi, 0xaa, sizeof(gpi));
        memcpy(&before, &gpi, sizeof(before));
        if (gpi_parse(data, length, &gpi, &failure) != UB_E_PUSH_MALFORMED)
            fail_msg("number %zu was not refused", i);
        assert_int_equal(failure.code, UB_E_PUSH_MALFORMED);
        assert_memory_equal(&gpi, &before, sizeof(before));
    }
}

/* However long a whole GPI is made, and wherever it is cut. */
static void test_lengths_are_held(void **state _unused_) {
    size_t length = 0;
    _cleanup_free_ uint8_t *data = octets_dup(VECTOR_GPI, &length);
    static uint8_t large[GPI_MAX + 1];
    struct gpi gpi;

    for (size_t i = 0; i < length; i++) {
        _cleanup_free_ uint8_t *cut = malloc(i + 1);

        assert_non_null(cut);
        memcpy(cut, data, i);
        assert_int_equal(gpi_parse(cut, i, &gpi, NULL), UB_E_PUSH_MALFORMED);
    }
    memcpy(large, data, length);
    assert_int_equal(gpi_parse(large, sizeof(large), &gpi, NULL), UB_E_PUSH_MALFORMED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, arena_empty)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_gpi_is_read_whole),
        TEST(test_only_the_right_key_proves_a_gpi),
        TEST(test_fields_may_stand_in_any_order_and_unknown_ones_too),
        TEST(test_what_is_no_gpi_is_refused),
        TEST(test_lengths_are_held),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
