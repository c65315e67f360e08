/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * AUTHENTICATE in the 3G context (TS 31.102 7.1.2): each answer a card may give, those it may not, and what
 * becomes of the challenge when the card, the reader or the transport goes away.
 */

#include <errno.h>

#include "fake-card.h"
#include "secret.h"
#include "uicc.h"

#define RES8    "a54211d5e3ba50bf"
#define CK      "b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define IK      "f769bcd751044604127672711c6d3441"
#define AUTS    "0102030405060708090a0b0c0d0e"
#define KC      "08eae4be823af9a08b"
#define SUCCESS "db08" RES8 "10" CK "10" IK

static const uint8_t rand_octets[AKA_RAND_LENGTH] = {0x23, 0x55, 0x3c, 0xbe};
static const uint8_t autn_octets[AKA_AUTN_LENGTH] = {0x55, 0xf3, 0x28, 0xb4};

struct fixture {
    struct fake_card card;
    struct uicc *uicc;
    struct failure failure;
};

/* An open card, in one of the shapes. */
static int set_up_shape(void **state, bool pieces) {
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(secret_arena_init(), 0);
    fake_card_init(&f->card);
    f->card.pieces = pieces;
    f->card.authenticate = SUCCESS "9000";
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    assert_int_equal(uicc_open(f->uicc, NULL), 0);
    assert_int_equal(secret_arena_used(), 0);
    *state = f;
    return 0;
}

static int set_up(void **state) {
    return set_up_shape(state, false);
}

static int set_up_pieces(void **state) {
    return set_up_shape(state, true);
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    uicc_free(f->uicc);
    assert_int_equal(f->card.begins, f->card.ends);
    assert_false(f->card.channel_open);
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
    free(f);
    return 0;
}

static int authenticate(struct fixture *f, struct uicc_aka *ret) {
    int r;

    failure_clear(&f->failure);
    r = uicc_authenticate(f->uicc, rand_octets, autn_octets, ret, &f->failure);
    assert_int_equal(f->failure.code, r);
    assert_false(f->card.begun);
    return r;
}

static void assert_secret(const struct secret *secret, const char *hex) {
    uint8_t data[64];
    size_t length = fake_hex(hex, data, sizeof(data));

    assert_non_null(secret);
    assert_int_equal(secret_length(secret), length);
    assert_memory_equal(secret_data(secret), data, length);
}

/* The whole way of the keys is in the arena, and after uicc_aka_done() the arena is as it was. */
static void test_success_gives_three_secrets_and_no_other_memory(void **state) {
    struct fixture *f = *state;
    struct uicc_aka aka = {0};
    size_t before = secret_arena_used(), with_keys;

    assert_int_equal(authenticate(f, &aka), 0);
    assert_secret(aka.res, RES8);
    assert_secret(aka.ck, CK);
    assert_secret(aka.ik, IK);
    with_keys = secret_arena_used();
    assert_true(with_keys > before);
    assert_true(with_keys - before < 1024); /* the three, and not the answer that they came in */
    uicc_aka_done(&aka);
    assert_int_equal(secret_arena_used(), before);
    assert_null(aka.res);
    assert_int_equal(f->card.authentications, 1);
}

static void test_command_on_the_wire(void **state) {
    static const struct fake_step steps[] = {
        {"0070000001", "019000", 0},
        {"01a40004023f0000", "62088202782183023f009000", 0},
        {"01a40004022fe200", "6a82", 0},
        {"01a40004022f0000", "620782054221001e019000", 0},
        {"01b201041e", "61144f0c" FAKE_AID "50045553494dffffffffffffffff9000", 0},
        {"01a404040c" FAKE_AID "00", "9000", 0},
        {"01a40004026f0700",
         "620480020009"
         "9000",
         0},
        {"01b0000009", "0809101010325476989000", 0},
        {"01a40004026fad00", "6a82", 0},
        {"01a40004026f3800", "6a82", 0},
        {"0188008122"
         "10"
         "23553cbe000000000000000000000000"
         "10"
         "55f328b4000000000000000000000000"
         "00",
         SUCCESS "9000", 0},
        {"00708001", "9000", 0},
    };
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    struct fake_script script;
    struct uicc *uicc;

    (void)state;
    fake_script_init(&script, steps, ELEMENTS(steps));
    assert_int_equal(uicc_new(&script.transport, &uicc), 0);
    assert_int_equal(uicc_open(uicc, NULL), 0);
    assert_int_equal(uicc_authenticate(uicc, rand_octets, autn_octets, &aka, NULL), 0);
    uicc_free(uicc);
    fake_script_assert_done(&script);
}

static void test_res_of_4_to_16_octets_and_kc_behind(void **state) {
    struct fixture *f = *state;
    struct uicc_aka aka = {0};

    f->card.authenticate = "db04a54211d510" CK "10" IK "9000";
    assert_int_equal(authenticate(f, &aka), 0);
    assert_secret(aka.res, "a54211d5");
    uicc_aka_done(&aka);
    f->card.authenticate = "db10" RES8 RES8 "10" CK "10" IK KC "9000";
    assert_int_equal(authenticate(f, &aka), 0);
    assert_secret(aka.res, RES8 RES8);
    assert_secret(aka.ik, IK);
    uicc_aka_done(&aka);
    /* A proactive command waits: success all the same. */
    f->card.authenticate = SUCCESS "910b";
    assert_int_equal(authenticate(f, &aka), 0);
    uicc_aka_done(&aka);
}

/* The tag decides: a synchronisation failure comes with the status word of success, or with any other. */
static void test_synchronisation_failure_is_known_by_its_tag(void **state) {
    static const char *const answers[] = {"dc0e" AUTS "9000", "dc0e" AUTS "910f",
                                          "dc0e" AUTS "9862", "dc0e" AUTS "6f00"};
    uint8_t auts[AKA_AUTS_LENGTH];
    struct fixture *f = *state;

    (void)fake_hex(AUTS, auts, sizeof(auts));
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        struct uicc_aka aka = {0};

        f->card.authenticate = answers[i];
        assert_int_equal(authenticate(f, &aka), UICC_E_SYNC);
        assert_memory_equal(aka.auts, auts, sizeof(auts));
        assert_null(aka.res);
        assert_null(aka.ck);
        assert_null(aka.ik);
    }
}

static void test_refusals_have_names(void **state) {
    static const struct {
        const char *answer;
        int outcome;
    } cases[] = {
        {"9862", UICC_E_MAC},     {"9864", UICC_E_CONTEXT},      {"6a81", UICC_E_CONTEXT},
        {"6a86", UICC_E_CONTEXT}, {"6b00", UICC_E_CONTEXT},      {"6700", UICC_E_CONTEXT},
        {"6d00", UICC_E_CONTEXT}, {"6e00", UICC_E_CONTEXT},      {"9865", UICC_E_FRESHNESS},
        {"9866", UICC_E_MEMORY},  {"9867", UICC_E_MEMORY},       {"6985", UICC_E_CONDITIONS},
        {"6f00", UICC_E_STATUS},  {"6982", UICC_E_PIN_REQUIRED}, {"6983", UICC_E_PIN_BLOCKED},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct uicc_aka aka = {0};

        f->card.authenticate = cases[i].answer;
        assert_int_equal(authenticate(f, &aka), cases[i].outcome);
        assert_null(aka.res);
    }
    assert_int_equal(f->card.authentications, ELEMENTS(cases));
}

static void test_odd_answers_are_refused_whole(void **state) {
    static const char *const answers[] = {
        "9000",                     /* nothing */
        "db9000",                   /* a tag */
        "db08" RES8 "9000",         /* as in the GBA context */
        "db08" RES8 "10" CK "9000", /* no IK */
        "db08" RES8 "10" CK "10"
        "f769"
        "9000", /* half an IK */
        "db03a54211"
        "10" CK "10" IK "9000", /* RES too short */
        "db00"
        "10" CK "10" IK "9000", /* no RES */
        "db11" RES8 RES8 "aa"
        "10" CK "10" IK "9000",               /* RES too long */
        "db08" RES8 "08" RES8 "10" IK "9000", /* CK of 8 */
        "db08" RES8 "10" CK "11" IK "aa"
        "9000", /* IK of 17 */
        SUCCESS "aa"
                "9000", /* something behind */
        SUCCESS "08eae4"
                "9000", /* half a Kc */
        SUCCESS KC "00"
                   "9000",                  /* more than Kc */
        "dbff" RES8 "10" CK "10" IK "9000", /* a length beyond the end */
        "dc9000",
        "dc0d"
        "0102030405060708090a0b0c0d"
        "9000",
        "dc0e" AUTS "aa"
        "9000",
        "dc0e"
        "0102"
        "9000",
        "dd08" RES8 "10" CK "10" IK "9000", /* an unknown tag */
        "08" RES8 "10" CK "10" IK "9000",   /* none */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        struct uicc_aka aka = {0};

        f->card.authenticate = answers[i];
        assert_int_equal(authenticate(f, &aka), UICC_E_MALFORMED);
        assert_null(aka.res);
        assert_null(aka.ck);
        assert_null(aka.ik);
        assert_int_equal(secret_arena_used(), 0);
        /* What a user is told names the length, never an octet of the answer. */
        assert_null(strstr(f->failure.text, "a542"));
    }
}

/* 9862 or another refusal with keys beside it: whoever refuses gave nothing. */
static void test_a_refusal_with_data_is_a_refusal(void **state) {
    struct fixture *f = *state;
    struct uicc_aka aka = {0};

    f->card.authenticate = SUCCESS "9862";
    assert_int_equal(authenticate(f, &aka), UICC_E_MAC);
    assert_null(aka.res);
}

static void test_channel_and_selection_are_kept_between_operations(void **state) {
    struct fixture *f = *state;
    unsigned exchanges = f->card.exchanges;

    for (int i = 0; i < 3; i++) {
        _cleanup_uicc_aka_ struct uicc_aka aka = {0};

        assert_int_equal(authenticate(f, &aka), 0);
    }
    assert_int_equal(f->card.opens, 1);
    assert_true(f->card.exchanges - exchanges <= 6); /* at most GET RESPONSE beside it */
}

static void test_on_the_basic_channel_the_usim_is_selected_in_each_transaction(void **state) {
    struct fixture *f = *state;
    struct uicc *uicc;

    f->card.channel_sw = 0x6881;
    f->uicc = uicc_free(f->uicc);
    f->card.channel_open = false;
    assert_int_equal(uicc_new(&f->card.transport, &uicc), 0);
    assert_int_equal(uicc_open(uicc, NULL), 0);
    for (int i = 0; i < 2; i++) {
        _cleanup_uicc_aka_ struct uicc_aka aka = {0};

        assert_false(f->card.usim_selected); /* others were there meanwhile */
        assert_int_equal(uicc_authenticate(uicc, rand_octets, autn_octets, &aka, NULL), 0);
        assert_int_equal(f->card.last_class, 0x00);
    }
    uicc_free(uicc);
}

static void test_a_reset_before_it_is_repaired_in_the_same_transaction(void **state) {
    struct fixture *f = *state;
    unsigned begins = f->card.begins;
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};

    fake_card_reset(&f->card);
    assert_int_equal(authenticate(f, &aka), 0);
    assert_int_equal(f->card.begins, begins + 1);
    assert_int_equal(f->card.opens, 2);
    assert_int_equal(f->card.authentications, 1);
    assert_secret(aka.ck, CK);
}

/* A transport that opens channels itself: by the full AID this time, and the USIM is selected with it. */
static void test_a_reset_is_repaired_through_the_transports_channels(void **state) {
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    struct fixture *f = *state;
    struct uicc *uicc;

    f->uicc = uicc_free(f->uicc);
    f->card.transport.flags = TRANSPORT_CHANNELS;
    assert_int_equal(uicc_new(&f->card.transport, &uicc), 0);
    assert_int_equal(uicc_open(uicc, NULL), 0);
    fake_card_reset(&f->card);
    assert_int_equal(uicc_authenticate(uicc, rand_octets, autn_octets, &aka, NULL), 0);
    assert_int_equal(f->card.opens, 3);
    assert_int_equal(f->card.closes, 1);
    uicc_free(uicc);
}

/* While channel and selection are set up again, the card is reset once more: begun anew, once. */
static void test_a_reset_during_the_repair_is_repaired_once(void **state) {
    struct fixture *f = *state;
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};

    fake_card_reset(&f->card);
    f->card.fail_at = f->card.exchanges + 2; /* MANAGE CHANNEL went well, SELECT does not */
    f->card.fail_with = UICC_E_RESET;
    assert_int_equal(authenticate(f, &aka), 0);
    assert_int_equal(f->card.authentications, 1);
}

/* Once AUTHENTICATE is on its way the challenge is spent, whatever happened to it. */
static void test_it_is_never_sent_twice(void **state) {
    static const int outcomes[] = {UICC_E_RESET, UICC_E_CARD_ABSENT, UICC_E_SILENT,
                                   UICC_E_TRANSPORT, UICC_E_SERVICE_ABSENT};
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        struct uicc_aka aka = {0};
        unsigned exchanges, begins = f->card.begins;

        exchanges = f->card.exchanges;
        f->card.fail_at = exchanges + 1;
        f->card.fail_with = outcomes[i];
        assert_int_equal(authenticate(f, &aka), outcomes[i]);
        assert_int_equal(f->card.exchanges, exchanges + 1);
        assert_int_equal(f->card.begins, begins + 1);
        assert_null(aka.res);

        /* The next one starts from nothing, and works. */
        fake_card_reset(&f->card);
        f->card.begin_outcome = 0;
        assert_int_equal(authenticate(f, &aka), 0);
        assert_true(f->card.channel_open);
        uicc_aka_done(&aka);
    }
}

/* Somebody else closed our channel: this one fails, the next opens another. */
static void test_a_channel_that_is_gone_is_opened_again(void **state) {
    struct fixture *f = *state;
    struct uicc_aka aka = {0};

    f->card.channel_open = false;
    f->card.usim_selected = false;
    assert_int_equal(authenticate(f, &aka), UICC_E_STATUS);
    assert_int_equal(authenticate(f, &aka), 0);
    uicc_aka_done(&aka);
}

static void test_a_pin_that_is_required_later_is_told_with_its_tries(void **state) {
    struct fixture *f = *state;
    struct uicc_aka aka = {0};

    f->card.verify_sw = 0x63c1;
    f->card.authenticate = "6982";
    assert_int_equal(authenticate(f, &aka), UICC_E_PIN_REQUIRED);
    assert_non_null(strstr(f->failure.text, "1 try left"));
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_REQUIRED);
    f->card.authenticate = SUCCESS "9000";
    assert_int_equal(authenticate(f, &aka), 0);
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_VERIFIED);
    uicc_aka_done(&aka);
}

static void test_a_card_that_was_not_opened_has_no_usim(void **state) {
    struct fixture *f = *state;
    struct uicc_aka aka = {0};
    struct uicc *uicc;
    unsigned begins = f->card.begins;

    assert_int_equal(uicc_new(&f->card.transport, &uicc), 0);
    assert_int_equal(uicc_authenticate(uicc, rand_octets, autn_octets, &aka, NULL),
                     UICC_E_NO_APPLICATION);
    assert_int_equal(f->card.begins, begins);
    uicc_free(uicc);
}

int main(void) {
#define BOTH(f)                                            \
    {#f " at once", f, set_up, tear_down, NULL}, {         \
#f " in pieces", f, set_up_pieces, tear_down, NULL \
    }
    const struct CMUnitTest tests[] = {
        BOTH(test_success_gives_three_secrets_and_no_other_memory),
        BOTH(test_command_on_the_wire),
        BOTH(test_res_of_4_to_16_octets_and_kc_behind),
        BOTH(test_synchronisation_failure_is_known_by_its_tag),
        BOTH(test_refusals_have_names),
        BOTH(test_odd_answers_are_refused_whole),
        BOTH(test_a_refusal_with_data_is_a_refusal),
        BOTH(test_channel_and_selection_are_kept_between_operations),
        BOTH(test_on_the_basic_channel_the_usim_is_selected_in_each_transaction),
        BOTH(test_a_reset_before_it_is_repaired_in_the_same_transaction),
        BOTH(test_a_reset_is_repaired_through_the_transports_channels),
        BOTH(test_a_reset_during_the_repair_is_repaired_once),
        BOTH(test_it_is_never_sent_twice),
        BOTH(test_a_channel_that_is_gone_is_opened_again),
        BOTH(test_a_pin_that_is_required_later_is_told_with_its_tries),
        BOTH(test_a_card_that_was_not_opened_has_no_usim),
    };

    return cmocka_run_group_tests_name("authenticate", tests, NULL, NULL);
}
