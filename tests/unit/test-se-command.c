/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The filter: what may go to an application on the card, in which class, and what may not.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "se.h"
#include "util.h"

static int parse(const char *hex, bool pin, struct apdu *ret, struct failure *failure) {
    static uint8_t command[APDU_COMMAND_MAX + 64];
    size_t length;

    assert_int_equal(hex_decode(hex, command, sizeof(command), &length), 0);
    *failure = (struct failure){0};
    *ret = (struct apdu){0};
    return se_command_parse(command, length, pin, ret, failure);
}

static void passes(const char *hex) {
    struct failure failure;
    struct apdu apdu;
    int r = parse(hex, false, &apdu, &failure);

    if (r != 0)
        fail_msg("%s: %s", hex, failure.text);
}

static void refused(const char *hex, const char *words) {
    struct failure failure;
    struct apdu apdu;

    if (parse(hex, false, &apdu, &failure) != SE_E_COMMAND)
        fail_msg("%s passes", hex);
    if (!strstr(failure.text, words))
        fail_msg("%s: \"%s\" does not say \"%s\"", hex, failure.text, words);
}

static void each_case_of_the_short_form_is_taken_apart(void **state) {
    struct failure failure;
    struct apdu apdu;

    (void)state;
    assert_int_equal(parse("80100102", false, &apdu, &failure), 0);
    assert_int_equal(apdu.length, 0);
    assert_int_equal(apdu.le, APDU_NO_LE);
    assert_int_equal(parse("8010010200", false, &apdu, &failure), 0);
    assert_int_equal(apdu.le, 0);
    assert_int_equal(parse("8010010203a1a2a3", false, &apdu, &failure), 0);
    assert_int_equal(apdu.length, 3);
    assert_int_equal(apdu.data[2], 0xa3);
    assert_int_equal(apdu.le, APDU_NO_LE);
    assert_int_equal(parse("8010010203a1a2a37f", false, &apdu, &failure), 0);
    assert_int_equal(apdu.le, 0x7f);
    assert_int_equal(apdu.cla, 0x80);
    assert_int_equal(apdu.ins, 0x10);
    assert_int_equal(apdu.p1, 1);
    assert_int_equal(apdu.p2, 2);
}

static void lengths_that_do_not_add_up_are_refused(void **state) {
    char hex[2 * (APDU_COMMAND_MAX + 2) + 1] = "80100000ff";

    (void)state;
    refused("", "command has 4 to");
    refused("801000", "not 3");
    refused("8010000000a1", "none of the short form");
    refused("8010000002a1", "none of the short form");
    refused("8010000001a1a2a3", "none of the short form");
    memset(hex + 10, 'a', 2 * 255);
    passes(hex);
    strcat(hex, "00");
    passes(hex);
    strcat(hex, "00");
    refused(hex, "extended lengths");
}

static void classes_are_without_a_channel(void **state) {
    (void)state;
    for (unsigned cla = 0; cla <= 0xff; cla++) {
        bool good = (cla & 0x63) == 0;
        char hex[16];

        (void)snprintf(hex, sizeof(hex), "%02xca0000", cla);
        if (good)
            passes(hex);
        else
            refused(hex, "is refused");
    }
    refused("01ca0000", "the channel's bits are keystrapd's");
    refused("83ca0000", "the channel's bits are keystrapd's");
    refused("40ca0000", "the channel's bits are keystrapd's");
    refused("c0ca0000", "the channel's bits are keystrapd's");
    refused("a0ca0000", "2G SIM");
    refused("20ca0000", "reserves");
    refused("ffca0000", "reserves");
}

static void the_subscription_is_not_authenticated(void **state) {
    (void)state;
    refused("0088008100", "AUTHENTICATE) is refused, whatever rules say");
    refused("8088008100", "AUTHENTICATE");
    refused("1088008101aa", "AUTHENTICATE");
    refused("0089008100", "AUTHENTICATE");
    refused("a088000010000102030405060708090a0b0c0d0e0f", "2G SIM");
}

static void channels_and_the_cards_life_are_not_the_callers(void **state) {
    (void)state;
    refused("0070000001", "MANAGE CHANNEL");
    refused("00708001", "MANAGE CHANNEL");
    refused("8070000001", "MANAGE CHANNEL");
    refused("00c0000010", "fetches the whole answer itself");
    refused("8076000000", "SUSPEND UICC");
    refused("00fe0000", "TERMINATE CARD USAGE");
    refused("0060000000", "6X and 9X");
    refused("009f000000", "6X and 9X");
}

static void select_stays_inside_the_application(void **state) {
    (void)state;
    refused("00a4040007a0000000871002", "selects by name");
    refused("80a4040005d276000124", "selects by name");
    refused("00a40400", "selects by name");
    refused("00a40004023f00", "not the application's");
    refused("00a40004027f10", "not the application's");
    refused("00a4000c", "selects the MF");
    refused("00a4000000", "selects the MF");
    refused("00a4030c", "parent");
    refused("00a40804043f002fe2", "from the application on");
    refused("00a4090c047fff3f00", "not the application's");
    passes("00a4020c020001");
    passes("00a4000c027fff");
    passes("00a4090c040001ef01");
}

static void pins_are_presented_only_where_a_rule_allows_it(void **state) {
    static const char *const commands[] = {"002000010831323334ffffffff",
                                           "0021000100",
                                           "00240001103132333435363738ffffffffffffffff",
                                           "002c000100",
                                           "0028000100",
                                           "0026000100"};
    struct failure failure;
    struct apdu apdu;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(commands); i++) {
        refused(commands[i], "AidPin=yes in access.d would allow it");
        assert_int_equal(parse(commands[i], true, &apdu, &failure), 0);
    }
    assert_int_equal(parse("0088008100", true, &apdu, &failure), SE_E_COMMAND);
    assert_int_equal(parse("00a40400", true, &apdu, &failure), SE_E_COMMAND);
}

/* A refusal tells the header, never the data: that may be a PIN. */
static void a_refusal_does_not_tell_the_data(void **state) {
    struct failure failure;
    struct apdu apdu;

    (void)state;
    assert_int_equal(parse("002000010831323334ffffffff", false, &apdu, &failure), SE_E_COMMAND);
    assert_null(strstr(failure.text, "1234"));
    assert_null(strstr(failure.text, "3132"));
}

static void the_channel_is_set_in_the_class(void **state) {
    static const struct {
        uint8_t cla, channel, want;
    } cases[] = {
        {0x00, 1, 0x01},  {0x80, 3, 0x83}, {0x90, 2, 0x92},  {0x0c, 1, 0x0d},
        {0x84, 3, 0x87},  {0x00, 4, 0x40}, {0x00, 19, 0x4f}, {0x80, 4, 0xc0},
        {0x90, 19, 0xdf}, {0x84, 5, 0xe1}, {0x0c, 4, 0x60},  {0x10, 19, 0x5f},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_int_equal(se_class(cases[i].cla, cases[i].channel), cases[i].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_of_the_short_form_is_taken_apart),
        cmocka_unit_test(lengths_that_do_not_add_up_are_refused),
        cmocka_unit_test(classes_are_without_a_channel),
        cmocka_unit_test(the_subscription_is_not_authenticated),
        cmocka_unit_test(channels_and_the_cards_life_are_not_the_callers),
        cmocka_unit_test(select_stays_inside_the_application),
        cmocka_unit_test(pins_are_presented_only_where_a_rule_allows_it),
        cmocka_unit_test(a_refusal_does_not_tell_the_data),
        cmocka_unit_test(the_channel_is_set_in_the_class),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
