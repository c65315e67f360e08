/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Channels to applications: opened, used and closed without disturbing anybody, and never used after the card was reset.
 */

#include "se-card.h"

#include <errno.h>

#include "aid.h"
#include "se.h"
#include "secret.h"

#define APPLET       "d27600012401"
#define APPLET_FCI   "6f088406d276000124019000"
#define OTHER_APPLET "d27600018501"

static const struct se_answer answers[] = {{"100000", "9000"},         {"12000000", "a1a2a39000"},
                                           {"14000002b1b200", "6103"}, {"c0000003", "c1c2c39000"},
                                           {"160000", "6985"},         {NULL, NULL}};

struct fixture {
    struct se_card card;
    struct uicc *uicc;
    struct apdu_answer answer;
    struct se_channel channel;
    struct failure failure;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    se_card_init(&f->card);
    se_card_add(&f->card, APPLET, APPLET_FCI, answers);
    se_card_add(&f->card, OTHER_APPLET, "9000", answers);
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    assert_int_equal(apdu_answer_init(&f->answer), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    se_close(&f->channel);
    uicc_free(f->uicc);
    apdu_answer_done(&f->answer);
    assert_false(f->card.begun);
    assert_int_equal(secret_arena_used(), 0);
    free(f);
    return 0;
}

static int open_aid(struct fixture *f, const char *hex, struct se_channel *ret) {
    uint8_t aid[AID_MAX + 1];
    size_t length = se_hex(hex, aid, sizeof(aid));

    failure_clear(&f->failure);
    return se_open(f->uicc, aid, length, ret, &f->answer, &f->failure);
}

static int send(struct fixture *f, struct se_channel *channel, const char *hex) {
    uint8_t command[APDU_COMMAND_MAX];
    size_t length = se_hex(hex, command, sizeof(command));
    struct apdu apdu;

    failure_clear(&f->failure);
    assert_int_equal(se_command_parse(command, length, false, &apdu, NULL), 0);
    return se_transmit(channel, &apdu, &f->answer, &f->failure);
}

static void a_channel_is_opened_used_and_given_back(void **state) {
    struct fixture *f = *state;

    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    assert_true(se_is_open(&f->channel));
    assert_int_equal(f->answer.length, 10);
    assert_int_equal(f->answer.sw, 0x9000);
    assert_int_equal(send(f, &f->channel, "8012000000"), 0);
    assert_int_equal(f->card.last_class, 0x81);
    assert_int_equal(f->answer.length, 3);
    assert_memory_equal(secret_data(f->answer.data), "\xa1\xa2\xa3", 3);
    assert_false(f->card.begun);
    se_close(&f->channel);
    assert_int_equal(se_card_open_channels(&f->card), 0);
    se_close(&f->channel);
    assert_int_equal(f->card.closes, 1);
}

static void an_answer_in_pieces_is_put_together(void **state) {
    struct fixture *f = *state;

    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    assert_int_equal(send(f, &f->channel, "8014000002b1b200"), 0);
    assert_int_equal(f->card.last_class, 0x01); /* GET RESPONSE */
    assert_int_equal(f->answer.length, 3);
    assert_int_equal(f->answer.sw, 0x9000);
    assert_int_equal(send(f, &f->channel, "8418000000"), 0);
    assert_int_equal(f->answer.sw, 0x6d00);
    assert_int_equal(send(f, &f->channel, "80160000"), 0);
    assert_int_equal(f->answer.sw, 0x6985); /* the caller's to judge */
}

static void channels_do_not_disturb_each_other(void **state) {
    struct fixture *f = *state;
    struct se_channel other = {0};

    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    assert_int_equal(open_aid(f, OTHER_APPLET, &other), 0);
    assert_int_not_equal(f->channel.number, other.number);
    assert_int_equal(send(f, &f->channel, "80100000"), 0);
    assert_int_equal(f->card.last_class, 0x81);
    assert_int_equal(send(f, &other, "80100000"), 0);
    assert_int_equal(f->card.last_class, 0x82);
    se_close(&other);
    assert_true(f->card.open[f->channel.number]);
    assert_int_equal(send(f, &f->channel, "80100000"), 0);
}

static void channels_from_four_on_have_their_own_class(void **state) {
    struct fixture *f = *state;

    f->card.channel_first = 4;
    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    assert_int_equal(send(f, &f->channel, "8014000002b1b200"), 0);
    assert_int_equal(f->card.last_class, 0x40);
    assert_int_equal(f->answer.length, 3);
}

/* FF is no class, and to a reader it is the beginning of a negotiation of protocols. */
static void a_class_that_would_be_ff_is_not_sent(void **state) {
    struct fixture *f = *state;
    unsigned exchanges;

    f->card.channel_first = UICC_CHANNEL_MAX;
    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    exchanges = f->card.exchanges;
    assert_int_equal(send(f, &f->channel, "9c100000"), SE_E_COMMAND);
    assert_string_not_equal(f->failure.text, "");
    assert_int_equal(f->card.exchanges, exchanges);
    assert_int_equal(send(f, &f->channel, "8c100000"), 0);
    assert_int_equal(f->card.last_class, 0xef);
}

static void an_application_that_is_not_there_leaves_no_channel(void **state) {
    struct fixture *f = *state;

    assert_int_equal(open_aid(f, "d276000199", &f->channel), UICC_E_NO_APPLICATION);
    assert_string_not_equal(f->failure.text, "");
    f->card.applets[0].select = "6999";
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_NO_APPLICATION);
    f->card.applets[0].select = "6985";
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_CONDITIONS);
    assert_int_equal(se_card_open_channels(&f->card), 0);
    assert_int_equal(f->card.opens, 3);
    f->card.applets[0].select = "6283";
    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
}

/* The name in the answer to SELECT is what the card selected, whatever it was asked for. */
static void a_card_that_selects_the_subscription_is_not_believed(void **state) {
    struct fixture *f = *state;

    f->card.applets[0].select = "6f098407a00000008710029000";
    assert_int_equal(open_aid(f, APPLET, &f->channel), ACCESS_E_DENIED);
    f->card.applets[0].select = "620d820278218407a00000008710049000";
    assert_int_equal(open_aid(f, APPLET, &f->channel), ACCESS_E_DENIED);
    assert_int_equal(se_card_open_channels(&f->card), 0);
    assert_int_equal(f->card.opens, 2);
}

static void a_card_without_a_free_channel_says_so(void **state) {
    struct fixture *f = *state;

    f->card.channel_sw = 0x6a81;
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_NO_CHANNEL);
    f->card.channel_sw = 0;
    f->card.channel_data = "149000";
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_MALFORMED);
    f->card.channel_data = "009000";
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_MALFORMED);
    f->card.channel_data = "9000";
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_MALFORMED);
    f->card.transport.flags = TRANSPORT_AKA;
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_NO_CHANNEL);
}

static void lengths_of_an_aid_are_checked(void **state) {
    struct fixture *f = *state;

    assert_int_equal(open_aid(f, "d2760001", &f->channel), -EINVAL);
    assert_int_equal(open_aid(f, "d2760001240102030405060708090a0b0c", &f->channel), -EINVAL);
    assert_int_equal(f->card.begins, 0);
}

/* Whoever meets the reset first: the channel is gone, nothing is sent on a channel of the same number. */
static void a_reset_ends_the_channel(void **state) {
    struct fixture *f = *state;
    struct se_channel other = {0};
    unsigned exchanges;

    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    se_card_reset(&f->card);
    exchanges = f->card.exchanges;
    assert_int_equal(send(f, &f->channel, "80100000"), SE_E_CLOSED);
    assert_int_equal(f->card.exchanges, exchanges);
    assert_false(se_is_open(&f->channel));
    assert_int_equal(open_aid(f, OTHER_APPLET, &other), 0);
    assert_int_equal(other.number, f->channel.number);
    assert_int_equal(send(f, &f->channel, "80100000"), SE_E_CLOSED);
    se_close(&f->channel);
    assert_true(f->card.open[other.number]);
    se_close(&other);
    assert_int_equal(se_card_open_channels(&f->card), 0);
}

static void a_reset_while_a_command_is_under_way_is_told(void **state) {
    struct fixture *f = *state;

    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    f->card.fail_at = f->card.exchanges + 1;
    f->card.fail_with = UICC_E_RESET;
    assert_int_equal(send(f, &f->channel, "80100000"), UICC_E_RESET);
    assert_false(se_is_open(&f->channel));
}

static void a_card_that_goes_ends_the_channel(void **state) {
    struct fixture *f = *state;

    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    f->card.begin_outcome = UICC_E_CARD_ABSENT;
    assert_int_equal(send(f, &f->channel, "80100000"), UICC_E_CARD_ABSENT);
    assert_int_equal(send(f, &f->channel, "80100000"), SE_E_CLOSED);
    memset(f->card.open, 0, sizeof(f->card.open));
}

/* At every step of opening: the cause is told and no channel stays. */
static void a_failure_while_a_channel_is_opened_leaves_none(void **state) {
    struct fixture *f = *state;

    for (unsigned at = 1; at <= 2; at++) {
        f->card.fail_at = f->card.exchanges + at;
        f->card.fail_with = UICC_E_BUSY;
        assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_BUSY);
        assert_int_equal(se_card_open_channels(&f->card), 0);
        assert_false(f->card.begun);
    }
}

static void a_modem_opens_its_channels_itself(void **state) {
    struct fixture *f = *state;

    f->card.transport.flags = TRANSPORT_CHANNELS;
    assert_int_equal(open_aid(f, APPLET, &f->channel), 0);
    assert_int_equal(f->answer.length, 10);
    assert_int_equal(send(f, &f->channel, "8012000000"), 0);
    assert_int_equal(f->answer.length, 3);
    se_close(&f->channel);
    assert_int_equal(open_aid(f, "d276000199", &f->channel), UICC_E_NO_APPLICATION);
    assert_int_equal(se_card_open_channels(&f->card), 0);
    f->card.channel_sw = 0x6a81;
    assert_int_equal(open_aid(f, APPLET, &f->channel), UICC_E_NO_CHANNEL);
}

static int arena(void **state) {
    (void)state;
    return secret_arena_init();
}

#define with_card(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_card(a_channel_is_opened_used_and_given_back),
        with_card(an_answer_in_pieces_is_put_together),
        with_card(channels_do_not_disturb_each_other),
        with_card(channels_from_four_on_have_their_own_class),
        with_card(a_class_that_would_be_ff_is_not_sent),
        with_card(an_application_that_is_not_there_leaves_no_channel),
        with_card(a_card_that_selects_the_subscription_is_not_believed),
        with_card(a_card_without_a_free_channel_says_so),
        with_card(lengths_of_an_aid_are_checked),
        with_card(a_reset_ends_the_channel),
        with_card(a_reset_while_a_command_is_under_way_is_told),
        with_card(a_card_that_goes_ends_the_channel),
        with_card(a_failure_while_a_channel_is_opened_leaves_none),
        with_card(a_modem_opens_its_channels_itself),
    };

    return cmocka_run_group_tests(tests, arena, NULL);
}
