/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * File control parameters: sizes and structures of files, and which PIN guards an application, from FCPs of real
 * cards and from broken ones (TS 102 221 11.1.1.3).
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "util.h"
#include "../../uicc/uicc-internal.h"

static int parse(const char *hex, struct fcp *ret) {
    size_t length = strlen(hex) / 2;
    uint8_t *data = malloc(length ? length : 1);
    int r;

    assert_non_null(data);
    assert_int_equal(hex_decode(hex, data, length, &length), 0);
    r = fcp_parse(data, length, ret);
    free(data);
    return r;
}

static void test_files_of_a_real_card(void **state) {
    struct fcp fcp;

    (void)state;
    assert_int_equal(
        parse("621e8202412183026fd6a506d00120d2010f8a01058b036f0604800200408800", &fcp), 0);
    assert_int_equal(fcp.structure, FCP_STRUCTURE_TRANSPARENT);
    assert_true(fcp.has_size);
    assert_int_equal(fcp.size, 0x40);
    assert_int_equal(fcp.pin, FCP_PIN_UNKNOWN);

    assert_int_equal(
        parse("62218205422100800283026fdaa506d00120d2010f8a01058b036f0603800201008800", &fcp), 0);
    assert_int_equal(fcp.structure, FCP_STRUCTURE_LINEAR);
    assert_int_equal(fcp.record_length, 0x80);
    assert_int_equal(fcp.records, 2);
}

static void test_records_may_be_255_octets_and_uncounted(void **state) {
    struct fcp fcp;

    (void)state;
    assert_int_equal(parse("62078205422100ff10", &fcp), 0);
    assert_int_equal(fcp.record_length, 255);
    assert_int_equal(fcp.records, 16);
    assert_int_equal(parse("62068204422100ff", &fcp), 0);
    assert_int_equal(fcp.records, 0);
}

/* Nothing (SELECT without FCP) says nothing, and that is not an error. */
static void test_an_empty_answer_says_nothing(void **state) {
    struct fcp fcp = {.size = 7};

    (void)state;
    assert_int_equal(fcp_parse(NULL, 0, &fcp), 0);
    assert_int_equal(fcp.structure, FCP_STRUCTURE_UNKNOWN);
    assert_false(fcp.has_size);
    assert_int_equal(fcp.pin, FCP_PIN_UNKNOWN);
    assert_int_equal(parse("6200", &fcp), 0);
}

static void test_pin_that_guards_the_application(void **state) {
    static const struct {
        const char *hex;
        enum fcp_pin pin;
        uint8_t reference;
    } cases[] = {
        /* PIN1 off, on; the reference of another application */
        {"620bc609900100830101830181", FCP_PIN_DISABLED, 0},
        {"620bc609900180830101830181", FCP_PIN_ENABLED, 0x01},
        {"6208c606900180830103", FCP_PIN_ENABLED, 0x03},
        /* only PIN2 and ADM on: they guard other things */
        {"620ec60c90016083010183018183010a", FCP_PIN_DISABLED, 0},
        /* the universal PIN stands in for PIN1, or is there but does not */
        {"620ec60c900140830101950108830111", FCP_PIN_ENABLED, 0x11},
        {"620ec60c900140830101950100830111", FCP_PIN_DISABLED, 0},
        {"620bc609900140830101830111", FCP_PIN_DISABLED, 0},
        /* both: PIN1 is what is asked for */
        {"620ec60c9001c0830101950108830111", FCP_PIN_ENABLED, 0x01},
        /* the ninth key is in the second octet */
        {"6221c61f9002008083018183018283018383018483018583018683018783018883010100",
         FCP_PIN_ENABLED, 0x01},
    };
    struct fcp fcp;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        assert_int_equal(parse(cases[i].hex, &fcp), 0);
        assert_int_equal(fcp.pin, cases[i].pin);
        assert_int_equal(fcp.pin_reference, cases[i].reference);
    }
    assert_int_equal(parse("6205c603830101", &fcp), 0); /* no PS_DO */
    assert_int_equal(fcp.pin, FCP_PIN_UNKNOWN);
    assert_int_equal(parse("6205c603900180", &fcp), 0); /* no key */
    assert_int_equal(fcp.pin, FCP_PIN_UNKNOWN);
    assert_int_equal(parse("6204c6029000", &fcp), 0);
    assert_int_equal(fcp.pin, FCP_PIN_UNKNOWN);
}

static void test_what_is_broken_is_refused(void **state) {
    struct fcp fcp = {.size = 7};

    (void)state;
    assert_int_equal(parse("62058202", &fcp), -EBADMSG);           /* longer than what is there */
    assert_int_equal(parse("6f03800200", &fcp), -EBADMSG);         /* the same inside */
    assert_int_equal(parse("80020040", &fcp), -EBADMSG);           /* not a template */
    assert_int_equal(parse("6203820141", &fcp), -EBADMSG);         /* half a descriptor */
    assert_int_equal(parse("620482024221", &fcp), -EBADMSG);       /* records without length */
    assert_int_equal(parse("620782054221000005", &fcp), -EBADMSG); /* records of 0 octets */
    assert_int_equal(parse("620782054221010001", &fcp), -EBADMSG); /* of 256 */
    assert_int_equal(parse("62028000", &fcp), -EBADMSG);           /* a size without octets */
    assert_int_equal(parse("620780050000000001", &fcp), -EBADMSG); /* a size of five */
    assert_int_equal(parse("6204c6028301", &fcp), -EBADMSG);       /* half a key reference */
    assert_int_equal(fcp.size, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_of_a_real_card),
        cmocka_unit_test(test_records_may_be_255_octets_and_uncounted),
        cmocka_unit_test(test_an_empty_answer_says_nothing),
        cmocka_unit_test(test_pin_that_guards_the_application),
        cmocka_unit_test(test_what_is_broken_is_refused),
    };

    return cmocka_run_group_tests_name("fcp", tests, NULL, NULL);
}
