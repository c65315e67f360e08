/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The subscribers' file: what it gives, and that every wrong line is refused by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "hex.h"
#include "subscribers.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

#define GOOD                                 \
    "[Subscriber one]\n"                     \
    "Imsi = 001010123456789\n"               \
    "MncLength = 2\n"                        \
    "Iccid = 8988201000000000019\n"          \
    "K = 465b5ce8b199b49faa5f0a2ee238a6bc\n" \
    "Opc = cd63cb71954a9f4e48a5994e37a02baf\n"

static void the_committed_file_has_the_subscriber_of_the_worked_example(void **state) {
    struct lab_subscribers subscribers;
    const struct lab_subscriber *subscriber;
    char error[256] = "", opc[33];

    (void)state;
    assert_int_equal(lab_subscribers_load(LAB_CONF, &subscribers, error, sizeof(error)), 0);
    assert_int_equal(subscribers.count, 6);
    subscriber =
        lab_subscribers_by_impi(&subscribers, "001010123456789@ims.mnc001.mcc001.3gppnetwork.org");
    assert_non_null(subscriber);
    assert_string_equal(subscriber->imsi, "001010123456789");
    assert_ptr_equal(subscriber, lab_subscribers_by_imsi(&subscribers, "001010123456789"));
    assert_ptr_equal(subscriber, lab_subscribers_by_name(&subscribers, "gateway"));
    hex_encode(subscriber->key.opc, sizeof(subscriber->key.opc), opc);
    assert_string_equal(opc, "cd63cb71954a9f4e48a5994e37a02baf");
    assert_null(lab_subscribers_by_imsi(&subscribers, "00101012345678"));
    lab_subscribers_done(&subscribers);
    assert_null(subscribers.list);
}

static void an_operators_op_becomes_the_opc_wherever_k_stands(void **state) {
    struct lab_subscribers subscribers;
    char error[256] = "", opc[33];
    static const char text[] = "[Subscriber a]\n"
                               "Op = cdc202d5123e20f62b6d676ac72cb318\n"
                               "K = 465b5ce8b199b49faa5f0a2ee238a6bc\n"
                               "Imsi = 310150123456789\nMncLength = 3\nIccid = 89\n";

    (void)state;
    assert_int_equal(lab_subscribers_parse(text, "text", &subscribers, error, sizeof(error)), 0);
    hex_encode(subscribers.list[0].key.opc, sizeof(subscribers.list[0].key.opc), opc);
    assert_string_equal(opc, "cd63cb71954a9f4e48a5994e37a02baf");
    assert_string_equal(subscribers.list[0].impi,
                        "310150123456789@ims.mnc150.mcc310.3gppnetwork.org");
    lab_subscribers_done(&subscribers);
}

static void what_is_absent_has_its_documented_value(void **state) {
    struct lab_subscribers subscribers;
    const struct lab_subscriber *one;
    char error[256] = "";

    (void)state;
    assert_int_equal(lab_subscribers_parse(GOOD, "text", &subscribers, error, sizeof(error)), 0);
    one = &subscribers.list[0];
    assert_int_equal(one->amf[0] << 8 | one->amf[1], 0x8000);
    assert_int_equal(one->sqn, 0);
    assert_int_equal(one->ind_bits, 5);
    assert_int_equal(one->res_length, 8);
    assert_int_equal(one->lifetime, 3600);
    assert_string_equal(one->pin, "1234");
    lab_subscribers_done(&subscribers);
}

static void every_optional_key_is_taken(void **state) {
    struct lab_subscribers subscribers;
    const struct lab_subscriber *one;
    char error[256] = "";
    static const char text[] = GOOD "Amf = b9b9\nSqn = ff9bb4d0b607\nIndBits = 4\nResLength = 4\n"
                                    "Impi = me@home.example\nPin = 12345678\nLifetime = 60\n";

    (void)state;
    assert_int_equal(lab_subscribers_parse(text, "text", &subscribers, error, sizeof(error)), 0);
    one = &subscribers.list[0];
    assert_int_equal(one->amf[0] << 8 | one->amf[1], 0xb9b9);
    assert_true(one->sqn == UINT64_C(0xff9bb4d0b607));
    assert_int_equal(one->ind_bits, 4);
    assert_int_equal(one->res_length, 4);
    assert_int_equal(one->lifetime, 60);
    assert_string_equal(one->impi, "me@home.example");
    assert_string_equal(one->pin, "12345678");
    lab_subscribers_done(&subscribers);
}

static void a_wrong_file_is_refused_with_the_key_and_the_cause(void **state) {
    static const struct {
        const char *text, *names;
    } wrong[] = {
        {"", "no [Subscriber NAME]"},
        {"[Bsf]\nPort = 1\n", "[Bsf] is not a section"},
        {"[Subscriber ]\nK = 1\n", "name has 1 to"},
        {GOOD "Kolor = red\n", "unknown key Kolor"},
        {GOOD "Imsi = 001010123456789\n", "Imsi twice"},
        {GOOD "Op = cdc202d5123e20f62b6d676ac72cb318\n", "one of Opc and Op"},
        {GOOD "Sqn = 12\n", "bad Sqn"},
        {GOOD "Amf = 80000\n", "bad Amf"},
        {GOOD "IndBits = 9\n", "bad IndBits"},
        {GOOD "ResLength = 3\n", "bad ResLength"},
        {GOOD "ResLength = 16\n", "bad ResLength"},
        {GOOD "Lifetime = 0\n", "bad Lifetime"},
        {GOOD "Lifetime = -1\n", "bad Lifetime"},
        {GOOD "Pin = 123\n", "bad Pin"},
        {GOOD "Pin = 12a4\n", "bad Pin"},
        {GOOD "Impi =\n", "bad Impi"},
        {GOOD "nonsense\n", "line 7"},
        {"[Subscriber a]\nImsi = 00101x123456789\n", "bad Imsi"},
        {"[Subscriber a]\nImsi = 0010101234567890\n", "bad Imsi"},
        {"[Subscriber a]\nImsi = 001010123456789\n", "no MncLength"},
        {"[Subscriber a]\nMncLength = 4\n", "bad MncLength"},
        {"[Subscriber a]\nK = 465b5ce8b199b49faa5f0a2ee238a6\n", "bad K"},
        {"[Subscriber a]\nK = 465b5ce8b199b49faa5f0a2ee238a6bg\n", "bad K"},
        {GOOD "[Subscriber two]\nImsi = 001010123456789\nMncLength = 2\nIccid = 1\n"
              "K = 465b5ce8b199b49faa5f0a2ee238a6bc\nOpc = 465b5ce8b199b49faa5f0a2ee238a6bc\n",
         "[Subscriber two] has the name, IMSI or IMPI of [Subscriber one]"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        struct lab_subscribers subscribers = {.count = 77};
        char error[256] = "";

        assert_int_equal(
            lab_subscribers_parse(wrong[i].text, "the-file", &subscribers, error, sizeof(error)),
            -EINVAL);
        if (!strstr(error, wrong[i].names) || strncmp(error, "the-file: ", 10) != 0)
            fail_msg("\"%s\" does not say \"%s\"", error, wrong[i].names);
        assert_int_equal(subscribers.count, 77);
    }
}

static void a_file_that_is_not_there_is_named(void **state) {
    struct lab_subscribers subscribers;
    char error[256] = "";

    (void)state;
    assert_int_equal(lab_subscribers_load("/nowhere/lab.conf", &subscribers, error, sizeof(error)),
                     -ENOENT);
    assert_string_equal(error, "/nowhere/lab.conf: No such file or directory");
}

static void hexadecimal_text_is_digits_in_pairs_and_nothing_else(void **state) {
    uint8_t octets[2] = {0};
    size_t length = 9;

    (void)state;
    assert_int_equal(hex_decode("aF09", octets, sizeof(octets), &length), 0);
    assert_int_equal(length, 2);
    assert_int_equal(octets[0] << 8 | octets[1], 0xaf09);
    assert_int_equal(hex_decode("", octets, sizeof(octets), &length), 0);
    assert_int_equal(length, 0);
    assert_int_equal(hex_decode("abc", octets, sizeof(octets), &length), -EINVAL);
    assert_int_equal(hex_decode("+1", octets, sizeof(octets), &length), -EINVAL);
    assert_int_equal(hex_decode(" 1", octets, sizeof(octets), &length), -EINVAL);
    assert_int_equal(hex_decode("abcdef", octets, sizeof(octets), &length), -EMSGSIZE);
    assert_int_equal(hex_decode_exactly("ab", octets, 2), -EMSGSIZE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_committed_file_has_the_subscriber_of_the_worked_example),
        cmocka_unit_test(an_operators_op_becomes_the_opc_wherever_k_stands),
        cmocka_unit_test(what_is_absent_has_its_documented_value),
        cmocka_unit_test(every_optional_key_is_taken),
        cmocka_unit_test(a_wrong_file_is_refused_with_the_key_and_the_cause),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(hexadecimal_text_is_digits_in_pairs_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
