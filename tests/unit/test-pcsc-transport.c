/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-pcsc against the real pcscd, a virtual reader, and a card that can be pulled.
 *
 * Each test starts the program as keystrapd does and speaks the transport protocol with it. What is proved is what
 * keystrapd relies on: states that follow the world, CARD_RESET whenever the card may have forgotten us, commands
 * that reach the card as its protocol wants them, and an end on every way out.
 */

#include "pcsc-world.h"
#include "vpcd-card.h"

static const uint8_t atr_t0[] = {0x3b, 0x00};
static const uint8_t atr_t1[] = {0x3b, 0x80, 0x01, 0x81};
static const uint8_t select_mf[] = {0x00, 0xa4, 0x00, 0x04, 0x02, 0x3f, 0x00, 0x00};
static const uint8_t close_channel[] = {0x00, 0x70, 0x80, 0x01};
static const uint8_t read_binary[] = {0x01, 0xb0, 0x00, 0x00, 0x09};

#define PULL_AT 0x88

static void skip_unless_root(void) {
    if (geteuid() == 0)
        return;
    print_message("skipped: namespaces and pcscd need root\n");
    skip();
}

static void assert_response(struct world_plugin *plugin, const void *expected,
                            size_t expected_length) {
    const uint8_t *response;
    size_t length;

    assert_true(packet_get(&plugin->packet, KEYSTRAP_FIELD_RESPONSE, &response, &length));
    assert_int_equal(length, expected_length);
    assert_memory_equal(response, expected, length);
}

static void ask_card(struct world_plugin *plugin, enum keystrap_plugin_result begin) {
    assert_int_equal(world_plugin_ask(plugin, KEYSTRAP_PLUGIN_BEGIN), begin);
    assert_int_equal(world_plugin_apdu(plugin, read_binary, sizeof(read_binary)),
                     KEYSTRAP_RESULT_OK);
    assert_response(plugin, "\xca\xfe\x90\x00", 4);
    assert_int_equal(world_plugin_ask(plugin, KEYSTRAP_PLUGIN_END), KEYSTRAP_RESULT_OK);
}

/* The whole story of a gateway's reader, in one process that is never restarted. */
static void test_states_follow_the_world_and_it_recovers(void **state) {
    struct world_plugin plugin;
    struct vpcd_card card;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(false);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN),
                     KEYSTRAP_RESULT_SERVICE_ABSENT);

    pcscd = world_pcscd_start();
    world_plugin_expect(&plugin, KEYSTRAP_CARD_READER_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);

    /* pcscd reads its configured readers at the start alone. */
    world_pcscd_stop(pcscd, SIGTERM);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    world_reader(true);
    pcscd = world_pcscd_start();
    world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);
    assert_string_equal(plugin.reader, "Virtual PCD 00 00");
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);

    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), PULL_AT);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(plugin.atr_length, sizeof(atr_t0));
    assert_memory_equal(plugin.atr, atr_t0, sizeof(atr_t0));
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);

    /* Pulled while it works: no answer is made up, and no later command of the transaction gets through. */
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_apdu(&plugin, (const uint8_t[]){0x01, PULL_AT, 0x00, 0x81}, 4),
                     KEYSTRAP_RESULT_CARD_ABSENT);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, sizeof(read_binary)),
                     KEYSTRAP_RESULT_INVALID);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_END), KEYSTRAP_RESULT_OK);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);
    vpcd_card_pull(&card);

    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_CARD_RESET);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);

    world_pcscd_stop(pcscd, SIGKILL);
    vpcd_card_pull(&card);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN),
                     KEYSTRAP_RESULT_SERVICE_ABSENT);

    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&plugin);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* Nobody used the card while it was out: the next transaction is on the card that is there now, and says so. */
static void test_a_card_put_back_between_transactions_reads_as_reset(void **state) {
    struct world_plugin plugin;
    struct vpcd_card card;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    vpcd_card_pull(&card);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);

    vpcd_card_insert(&card, VPCD_PORT, atr_t1, sizeof(atr_t1), 0);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    assert_int_equal(plugin.atr_length, sizeof(atr_t1));
    ask_card(&plugin, KEYSTRAP_RESULT_CARD_RESET);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    world_plugin_bye(&plugin);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* pcscd dies with a transaction open, and is back soon: what was set up before must not be counted on. */
static void test_pcscd_killed_in_a_transaction_then_card_reset(void **state) {
    struct world_plugin plugin;
    struct vpcd_card card;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);

    /* In the middle of a transaction even: the command fails, the next transaction says why. */
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    world_pcscd_stop(pcscd, SIGKILL);
    vpcd_card_pull(&card);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, sizeof(read_binary)),
                     KEYSTRAP_RESULT_SERVICE_ABSENT);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&plugin);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* ISO/IEC 7816-3 12.2: with T=0 there is a P3 in case 1 and no Le in case 4; with T=1 all goes out as it came. */
static void test_commands_take_the_form_of_the_cards_protocol(void **state) {
    struct world_plugin plugin;
    struct vpcd_card card;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    for (int t1 = 0; t1 <= 1; t1++) {
        vpcd_card_insert(&card, VPCD_PORT, t1 ? atr_t1 : atr_t0,
                         t1 ? sizeof(atr_t1) : sizeof(atr_t0), 0);
        world_plugin_start(&plugin, NULL, true);
        world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
        assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);

        assert_int_equal(world_plugin_apdu(&plugin, close_channel, 4), KEYSTRAP_RESULT_OK);
        vpcd_card_assert_command(&card, t1 ? "\x00\x70\x80\x01" : "\x00\x70\x80\x01\x00",
                                 t1 ? 4 : 5);
        assert_int_equal(world_plugin_apdu(&plugin, select_mf, 8), KEYSTRAP_RESULT_OK);
        vpcd_card_assert_command(&card, select_mf, t1 ? 8 : 7);
        assert_int_equal(world_plugin_apdu(&plugin, select_mf, 7), KEYSTRAP_RESULT_OK);
        vpcd_card_assert_command(&card, select_mf, 7);
        assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
        vpcd_card_assert_command(&card, read_binary, 5);

        vpcd_card_pull(&card);
        world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);
        world_plugin_bye(&plugin);
    }
    world_pcscd_stop(pcscd, SIGTERM);
}

/* Another program resets the card: we are told once, with the transaction already ours. */
static void test_reset_by_another_program_is_told_once(void **state) {
    struct world_plugin plugin, other;
    struct vpcd_card card;
    unsigned resets;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_start(&other, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    world_plugin_expect(&other, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    ask_card(&other, KEYSTRAP_RESULT_OK);
    resets = vpcd_card_resets(&card);

    assert_int_equal(world_plugin_ask(&other, KEYSTRAP_PLUGIN_RESET), KEYSTRAP_RESULT_OK);
    assert_true(vpcd_card_resets(&card) > resets);
    ask_card(&plugin, KEYSTRAP_RESULT_CARD_RESET);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    /* The one that did it is told as well: its channel is as gone as ours. */
    ask_card(&other, KEYSTRAP_RESULT_CARD_RESET);

    /* Leaving does not disturb who stays. */
    resets = vpcd_card_resets(&card);
    world_plugin_bye(&other);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    assert_int_equal(vpcd_card_resets(&card), resets);
    world_plugin_bye(&plugin);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* While one holds the card, the other waits; the wait ends when the transaction does. */
static void test_transactions_keep_others_out(void **state) {
    struct world_plugin plugin, other;
    struct vpcd_card card;
    struct pollfd fd;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_start(&other, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    world_plugin_expect(&other, KEYSTRAP_CARD_PRESENT);

    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_INVALID);
    packet_begin(&other.packet, KEYSTRAP_PLUGIN_BEGIN, ++other.serial);
    world_plugin_send(&other);
    fd = (struct pollfd){.fd = other.process.fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 300), 0);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_END), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_answer(&other), KEYSTRAP_RESULT_OK);

    world_plugin_bye(&other);
    world_plugin_bye(&plugin);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* vpcd has two slots: of readers that fit the pattern, the one with a card is used, and none that does not fit. */
static void test_reader_is_chosen_by_pattern_and_card(void **state) {
    struct world_plugin any, first, none;
    struct vpcd_card card;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    world_plugin_start(&any, NULL, true);
    world_plugin_start(&first, "*PCD 00 00", true);
    world_plugin_start(&none, "Other*", true);
    world_plugin_expect(&any, KEYSTRAP_CARD_ABSENT);
    world_plugin_expect(&first, KEYSTRAP_CARD_ABSENT);
    world_plugin_expect(&none, KEYSTRAP_CARD_READER_ABSENT);

    vpcd_card_insert(&card, VPCD_PORT + 1, atr_t1, sizeof(atr_t1), 0);
    world_plugin_expect(&any, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(any.reader, "Virtual PCD 00 01");
    ask_card(&any, KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_ask(&first, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);
    assert_int_equal(first.card, KEYSTRAP_CARD_ABSENT);
    assert_int_equal(world_plugin_ask(&none, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_CARD_ABSENT);

    world_plugin_bye(&any);
    world_plugin_bye(&first);
    world_plugin_bye(&none);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* Two readers with a card each: NEXT goes from one to the other and back, and never to where no card is. */
static void test_next_goes_round_the_readers_that_have_a_card(void **state) {
    struct world_plugin plugin;
    struct vpcd_card first, second;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&first, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_NEXT), KEYSTRAP_RESULT_CARD_ABSENT);
    assert_string_equal(plugin.reader, "Virtual PCD 00 00");

    /* How soon pcscd sees the other card nobody tells us: we are with the first one. */
    vpcd_card_insert(&second, VPCD_PORT + 1, atr_t1, sizeof(atr_t1), 0);
    while (world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_NEXT) == KEYSTRAP_RESULT_CARD_ABSENT)
        (void)poll(NULL, 0, 20);
    assert_int_equal(plugin.card, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(plugin.reader, "Virtual PCD 00 01");
    assert_memory_equal(plugin.atr, atr_t1, sizeof(atr_t1));
    ask_card(&plugin, KEYSTRAP_RESULT_CARD_RESET);

    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_NEXT), KEYSTRAP_RESULT_INVALID);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_END), KEYSTRAP_RESULT_OK);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_NEXT), KEYSTRAP_RESULT_OK);
    assert_string_equal(plugin.reader, "Virtual PCD 00 00");
    ask_card(&plugin, KEYSTRAP_RESULT_CARD_RESET);
    world_plugin_bye(&plugin);
    vpcd_card_pull(&first);
    vpcd_card_pull(&second);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* STATE goes out when something changed: what others do with the card is no change. */
static void test_no_state_without_a_change(void **state) {
    struct world_plugin plugin, other;
    struct vpcd_card card;
    struct pollfd fd;
    unsigned states;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    states = plugin.states;

    world_plugin_start(&other, NULL, true);
    world_plugin_expect(&other, KEYSTRAP_CARD_PRESENT);
    ask_card(&other, KEYSTRAP_RESULT_OK);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    world_plugin_bye(&other);
    fd = (struct pollfd){.fd = plugin.process.fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 500), 0);
    assert_int_equal(plugin.states, states);

    world_plugin_bye(&plugin);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

/* The socket is closed while the watcher sits in an endless wait: the program ends all the same, in order. */
static void test_ends_when_the_socket_is_closed(void **state) {
    struct world_plugin plugin;
    struct vpcd_card card;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    pcscd = world_pcscd_start();
    vpcd_card_insert(&card, VPCD_PORT, atr_t0, sizeof(atr_t0), 0);
    world_plugin_start(&plugin, NULL, true);
    world_plugin_expect(&plugin, KEYSTRAP_CARD_PRESENT);
    ask_card(&plugin, KEYSTRAP_RESULT_OK);
    plugin.process.fd = safe_close(plugin.process.fd);
    assert_int_equal(world_plugin_ended(&plugin), 0);

    /* Before HELLO, too. */
    world_plugin_start(&plugin, NULL, false);
    plugin.process.fd = safe_close(plugin.process.fd);
    assert_int_equal(world_plugin_ended(&plugin), 0);
    vpcd_card_pull(&card);
    world_pcscd_stop(pcscd, SIGTERM);
}

static void assert_ends_at(struct world_plugin *plugin, const void *data, size_t length) {
    assert_int_equal(send(plugin->process.fd, data, length, MSG_NOSIGNAL), (ssize_t)length);
    assert_int_equal(world_plugin_ended(plugin), 1);
}

/* Whoever sends what is not a message, or not a request, is not worked for. */
static void test_malformed_messages_end_it(void **state) {
    static const uint8_t version_2[] = {2, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    static const uint8_t length_off[] = {1, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 9, 0, 0, 1, 0};
    static const uint8_t state_message[] = {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t begin[] = {1, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    uint8_t huge[4096] = {1, 6};
    struct world_plugin plugin;

    (void)state;
    world_plugin_start(&plugin, NULL, true);
    assert_ends_at(&plugin, version_2, sizeof(version_2));
    world_plugin_start(&plugin, NULL, true);
    assert_ends_at(&plugin, length_off, sizeof(length_off));
    world_plugin_start(&plugin, NULL, true);
    assert_ends_at(&plugin, state_message, sizeof(state_message));
    world_plugin_start(&plugin, NULL, true);
    assert_ends_at(&plugin, huge, sizeof(huge));
    /* A request before HELLO. */
    world_plugin_start(&plugin, NULL, false);
    assert_ends_at(&plugin, begin, sizeof(begin));
}

static void test_requests_it_cannot_do_are_answered(void **state) {
    uint8_t long_command[APDU_COMMAND_MAX + 1] = {0};
    struct world_plugin plugin;

    (void)state;
    world_plugin_start(&plugin, NULL, true);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_OPEN_CHANNEL),
                     KEYSTRAP_RESULT_UNSUPPORTED);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_AUTHENTICATE),
                     KEYSTRAP_RESULT_UNSUPPORTED);
    assert_int_equal(world_plugin_ask(&plugin, 200), KEYSTRAP_RESULT_UNSUPPORTED);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_APDU), KEYSTRAP_RESULT_INVALID);
    assert_int_equal(world_plugin_apdu(&plugin, "\x00\xa4\x00", 3), KEYSTRAP_RESULT_INVALID);
    assert_int_equal(world_plugin_apdu(&plugin, long_command, sizeof(long_command)),
                     KEYSTRAP_RESULT_INVALID);
    assert_int_equal(world_plugin_apdu(&plugin, read_binary, 5), KEYSTRAP_RESULT_INVALID);
    assert_int_equal(world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_END), KEYSTRAP_RESULT_OK);
    world_plugin_bye(&plugin);
}

/* pcscd comes and goes six times: no descriptor is lost on the way. */
static void test_restarts_of_pcscd_leak_no_descriptor(void **state) {
    struct world_plugin plugin;
    char path[64];
    struct stat status;
    pid_t pcscd;

    (void)state;
    skip_unless_root();
    world_reader(true);
    world_plugin_start(&plugin, NULL, true);
    for (int i = 0; i < 6; i++) {
        world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
        pcscd = world_pcscd_start();
        world_plugin_expect(&plugin, KEYSTRAP_CARD_ABSENT);
        (void)world_plugin_ask(&plugin, KEYSTRAP_PLUGIN_BEGIN);
        world_pcscd_stop(pcscd, SIGKILL);
    }
    world_plugin_expect(&plugin, KEYSTRAP_CARD_SERVICE_ABSENT);
    /* 0 to 3, the eventfd, and a socket to pcscd for each of two threads. */
    snprintf(path, sizeof(path), "/proc/%d/fd/9", (int)plugin.process.pid);
    assert_int_equal(lstat(path, &status), -1);
    world_plugin_bye(&plugin);
}

static int enter(void **state) {
    (void)state;
    if (geteuid() == 0)
        world_enter(); /* from here on /run is ours */
    return 0;
}

/* A test that fails leaves no pcscd to the next one. */
static int clean_up(void **state) {
    FILE *f = fopen("/run/pcscd/pcscd.pid", "re");
    int pid = 0;

    (void)state;
    if (geteuid() == 0 && f && fscanf(f, "%d", &pid) == 1 && pid > 1)
        world_pcscd_stop(pid, SIGKILL);
    if (f)
        fclose(f);
    return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, clean_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_states_follow_the_world_and_it_recovers),
        TEST(test_a_card_put_back_between_transactions_reads_as_reset),
        TEST(test_pcscd_killed_in_a_transaction_then_card_reset),
        TEST(test_commands_take_the_form_of_the_cards_protocol),
        TEST(test_reset_by_another_program_is_told_once),
        TEST(test_transactions_keep_others_out),
        TEST(test_reader_is_chosen_by_pattern_and_card),
        TEST(test_next_goes_round_the_readers_that_have_a_card),
        TEST(test_no_state_without_a_change),
        TEST(test_ends_when_the_socket_is_closed),
        TEST(test_malformed_messages_end_it),
        TEST(test_requests_it_cannot_do_are_answered),
        TEST(test_restarts_of_pcscd_leak_no_descriptor),
    };

    return cmocka_run_group_tests_name("pcsc-transport", tests, enter, NULL);
}
