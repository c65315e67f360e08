/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc_open(): who a card is, whatever its shape, its channels, its PIN and its faults.
 *
 * After each test the world is as it was: as many end() as begin(), no channel open after uicc_free(), nothing
 * left in the arena.
 */

#include <errno.h>

#include "fake-card.h"
#include "secret.h"
#include "uicc.h"
#include "../../uicc/uicc-internal.h"

struct fixture {
    struct fake_card card;
    struct uicc *uicc;
    struct failure failure;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(secret_arena_init(), 0);
    fake_card_init(&f->card);
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    uicc_free(f->uicc);
    assert_false(f->card.begun);
    assert_false(f->card.channel_open);
    assert_int_equal(f->card.opens, f->card.closes);
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
    free(f);
    return 0;
}

static void assert_whole_identity(const struct uicc_identity *identity) {
    uint8_t aid[AID_MAX];
    size_t aid_length = fake_hex(FAKE_AID, aid, sizeof(aid));

    assert_string_equal(identity->iccid, "89100023456789012341");
    assert_string_equal(identity->imsi, "001010123456789");
    assert_int_equal(identity->mnc_length, 2);
    assert_int_equal(identity->aid_length, aid_length);
    assert_memory_equal(identity->aid, aid, aid_length);
    assert_string_equal(identity->label, "USIM");
    assert_int_equal(identity->services_length, 9);
    assert_true(uicc_service(identity, 68));
    assert_true(uicc_service(identity, 27));
    assert_false(uicc_service(identity, 26));
}

static void test_a_card_is_read_in_one_transaction_on_its_own_channel(void **state) {
    struct fixture *f = *state;

    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_DISABLED);
    assert_int_equal(f->card.begins, 1);
    assert_int_equal(f->card.ends, 1);
    assert_true(f->card.channel_open);
    assert_int_equal(f->card.last_class, 0x01);
}

static void test_a_card_that_answers_in_pieces_is_the_same_card(void **state) {
    struct fixture *f = *state;

    f->card.pieces = true;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
}

static void test_channels_beyond_three_have_another_class(void **state) {
    struct fixture *f = *state;

    f->card.channel = UICC_CHANNEL_MAX;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_int_equal(f->card.last_class, 0x4f);
}

static void test_a_channel_that_cannot_be_is_refused(void **state) {
    static const char *const numbers[] = {"00", "14", "ff", "", "0101"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(numbers); i++) {
        failure_clear(&f->failure);
        f->card.channel_data = numbers[i];
        assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_MALFORMED);
        assert_false(f->card.begun);
        f->card.channel_open = false; /* nobody could know which to close */
    }
    f->card.opens = f->card.closes;
}

static void test_a_card_without_channels_is_used_on_the_basic_one(void **state) {
    static const uint16_t refusals[] = {0x6881, 0x6a81, 0x6d00, 0x6e00, 0x6a86, 0x6200};
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(refusals); i++) {
        uicc_forget(f->uicc);
        f->card.channel_sw = refusals[i];
        assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
        assert_whole_identity(uicc_identity(f->uicc));
        assert_int_equal(f->card.last_class, 0x00);
    }
}

static void test_a_transport_with_channels_opens_them_itself(void **state) {
    struct fixture *f = *state;

    f->card.transport.flags = TRANSPORT_CHANNELS;
    f->card.channel_sw = 0x6d00; /* MANAGE CHANNEL would not do */
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
    assert_int_equal(f->card.opens, 1);

    f->uicc = uicc_free(f->uicc);
    assert_int_equal(f->card.closes, 1);
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    f->card.usim_sw = 0x6a82;
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_NO_APPLICATION);
}

static void test_free_closes_the_channel_unless_the_card_is_gone(void **state) {
    struct fixture *f = *state;

    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    f->uicc = uicc_free(f->uicc);
    assert_int_equal(f->card.closes, 1);
    assert_int_equal(f->card.begins, f->card.ends);

    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    uicc_forget(f->uicc);
    f->uicc = uicc_free(f->uicc);
    assert_int_equal(f->card.closes, 1);
    assert_int_equal(f->card.begins, f->card.ends);
    f->card.channel_open = false;
    f->card.opens = f->card.closes;

    /* Reset meanwhile: the transaction has begun and must be left, the channel is gone already. */
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    fake_card_reset(&f->card);
    f->uicc = uicc_free(f->uicc);
    assert_int_equal(f->card.begins, f->card.ends);
    f->card.opens = f->card.closes;
}

/* --- PIN ------------------------------------------------------------------------------------------------- */

static void test_a_pin_that_was_verified_is_no_obstacle(void **state) {
    struct fixture *f = *state;

    f->card.usim_fcp = FAKE_USIM_PIN_ON;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_VERIFIED);
    assert_int_equal(uicc_identity(f->uicc)->pin_tries, 3);
}

static void test_a_pin_that_is_required_is_told_with_its_tries(void **state) {
    struct fixture *f = *state;

    f->card.usim_fcp = FAKE_USIM_PIN_ON;
    f->card.verify_sw = 0x63c2;
    fake_card_file(&f->card, 0x6f07)->read_sw = 0x6982;
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_PIN_REQUIRED);
    assert_int_equal(f->failure.code, UICC_E_PIN_REQUIRED);
    assert_non_null(strstr(f->failure.text, "2 tries left"));
    /* What needs no PIN was read. */
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_REQUIRED);
    assert_int_equal(uicc_identity(f->uicc)->pin_tries, 2);
    assert_string_equal(uicc_identity(f->uicc)->iccid, "89100023456789012341");
    assert_string_equal(uicc_identity(f->uicc)->imsi, "");
    assert_int_equal(uicc_identity(f->uicc)->mnc_length, 2);
    assert_true(uicc_identity(f->uicc)->aid_length > 0);
    /* Undone: the channel is not kept for a card that cannot be used. */
    assert_false(f->card.channel_open);
}

static void test_a_card_that_does_not_tell_of_its_pin_is_asked_when_it_refuses(void **state) {
    struct fixture *f = *state;

    f->card.usim_fcp = "6208820278218302"
                       "7fff";
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_UNKNOWN);
    assert_int_equal(uicc_identity(f->uicc)->pin_tries, -1);

    fake_card_file(&f->card, 0x6f07)->read_sw = 0x6982;
    f->card.verify_sw = 0x63c1;
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_PIN_REQUIRED);
    assert_int_equal(uicc_identity(f->uicc)->pin_tries, 1);
    /* A card that knows no query at all. */
    f->card.verify_sw = 0x6700;
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_PIN_REQUIRED);
    assert_int_equal(uicc_identity(f->uicc)->pin_tries, -1);
}

/* ISO/IEC 7816-4 11.5.6: a card may say that verification is not required now. */
static void test_a_card_that_says_verified_is_believed(void **state) {
    struct fixture *f = *state;

    f->card.usim_fcp = FAKE_USIM_PIN_ON;
    f->card.verify_sw = 0x9000;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_VERIFIED);
}

static void test_a_blocked_pin_is_told_as_such(void **state) {
    static const uint16_t words[] = {0x63c0, 0x6983};
    struct fixture *f = *state;

    f->card.usim_fcp = FAKE_USIM_PIN_ON;
    fake_card_file(&f->card, 0x6f07)->read_sw = 0x6982;
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        failure_clear(&f->failure);
        f->card.verify_sw = words[i];
        assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_PIN_BLOCKED);
        assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_BLOCKED);
        assert_int_equal(uicc_identity(f->uicc)->pin_tries, 0);
        assert_non_null(strstr(f->failure.text, "PUK"));
    }
    f->card.verify_sw = 0x63c3;
    fake_card_file(&f->card, 0x6f07)->read_sw = 0x6983;
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_PIN_BLOCKED);
}

/* --- EF_DIR -------------------------------------------------------------------------------------------------- */

static void test_objects_of_a_record_come_in_any_order_and_padded(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);

    /* label first, an object between, padding before, between and behind */
    dir->content = "ff006119"
                   "5004"
                   "5553494d"
                   "7303"
                   "010203"
                   "4f0c" FAKE_AID "ffff0000ff";
    dir->record_length = strlen(dir->content) / 2;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
}

static void test_a_record_of_255_octets(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);
    char record[2 * 255 + 1];

    memset(record, 'f', sizeof(record) - 1);
    record[sizeof(record) - 1] = '\0';
    memcpy(record, "61144f0c" FAKE_AID "50045553494d", 44);
    dir->content = record;
    dir->record_length = 255;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
}

static void test_records_that_make_no_sense_hide_no_other(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);

    dir->record_length = 24;
    dir->content = "ffffffffffffffffffffffffffffffffffffffffffffffff" /* empty */
                   "617f4f0ca0000000871002ff49ff058950045553494dffff" /* longer than itself */
                   "61145004555349544f0000000000000000000000000000ff" /* AID of no octets */
                   "61044f02a000ffffffffffffffffffffffffffffffffffff" /* too short to be one */
                   "61155013a0000000871002a0000000871002a00000008710" /* no AID */
                   "61144f0c" FAKE_AID "50045553494d"
                   "ffff";
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
}

static void test_the_first_usim_is_taken(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);

    dir->record_length = 22;
    dir->content = "61144f0c" FAKE_AID "50045553494d"
                   "61144f0ca0000000871002ff33ff01895004ffffffff";
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
}

static void test_a_label_that_cannot_be_shown_is_left_out(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);

    dir->record_length = 22;
    dir->content = "61144f0c" FAKE_AID "5004550a494d";
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_string_equal(uicc_identity(f->uicc)->label, "");
}

static void test_a_card_without_usim_is_named_so(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);

    dir->record_length = 16;
    dir->content = "610e4f0ca0000000871005ff49ff0589";
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_NO_APPLICATION);
    assert_int_equal(f->failure.code, UICC_E_NO_APPLICATION);
    assert_false(f->card.channel_open);
    /* The same for one that lists a USIM and has none. */
    f->card.usim_sw = 0x6a82;
    dir->record_length = 22;
    dir->content = "61144f0c" FAKE_AID "50045553494d";
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_NO_APPLICATION);
    /* And an EF_DIR that is not there, or not of records. */
    dir->select_sw = 0x6a82;
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_NOT_FOUND);
    dir->select_sw = 0;
    dir->fcp = "620482024121";
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_MALFORMED);
}

/* A file that says it has 200 records is not read for ever. */
static void test_records_are_bounded(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);
    char content[2 * 200 + 1];
    unsigned exchanges;

    memset(content, 'f', sizeof(content) - 1);
    content[sizeof(content) - 1] = '\0';
    dir->record_length = 1;
    dir->content = content;
    dir->fcp = "6207820542210001c8";
    exchanges = f->card.exchanges;
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_NO_APPLICATION);
    assert_true(f->card.exchanges - exchanges <= EF_DIR_RECORDS_MAX + 8);
}

/* --- Identity ------------------------------------------------------------------------------------------------------ */

static void test_imsi_digits(void **state) {
    char imsi[IMSI_MAX + 1];
    uint8_t data[16];
    size_t length;

    (void)state;
    length = fake_hex("080910101032547698", data, sizeof(data));
    assert_int_equal(imsi_parse(data, length, imsi), 0);
    assert_string_equal(imsi, "001010123456789");
    length = fake_hex("0821214365870921f3", data, sizeof(data)); /* 14 digits, even */
    assert_int_equal(imsi_parse(data, length, imsi), 0);
    assert_string_equal(imsi, "21234567890123");
    length = fake_hex("04092143f5ffffffff", data, sizeof(data)); /* six: the least there can be */
    assert_int_equal(imsi_parse(data, length, imsi), 0);
    assert_string_equal(imsi, "012345");
}

static void test_imsi_that_is_none(void **state) {
    static const char *const bad[] = {
        "",
        "08",
        "000910101032547698", /* length 0 */
        "090910101032547698", /* longer than nine octets allow */
        "0809101010325476",   /* the file is shorter than it says */
        "08091010103254769a", /* a nibble beyond 9 */
        "0809101f1032547698", /* digits after the filler */
        "08f910101032547698", /* filler at once */
        "080a10101032547698", /* not an IMSI (type 010) */
        "0309214365ffffffff", /* five digits */
        "ffffffffffffffffff", /* not personalised */
    };
    char imsi[IMSI_MAX + 1] = "untouched";
    uint8_t data[16];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        assert_int_equal(imsi_parse(data, fake_hex(bad[i], data, sizeof(data)), imsi), -EBADMSG);
        assert_string_equal(imsi, "untouched");
    }
}

static void test_a_card_without_a_proper_imsi_has_no_identity(void **state) {
    struct fixture *f = *state;
    struct fake_file *imsi = fake_card_file(&f->card, 0x6f07);

    imsi->content = "ffffffffffffffffff";
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_IDENTITY);
    assert_int_equal(f->failure.code, UICC_E_IDENTITY);
    assert_false(f->card.channel_open);
    imsi->select_sw = 0x6a82;
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_IDENTITY);
}

/* EF_AD of three octets, or with another number: the length is not known, and nobody guesses. */
static void test_mnc_length_that_the_card_does_not_say(void **state) {
    static const struct {
        const char *hex;
        unsigned length;
    } cases[] = {{"00000003", 3}, {"000000f2", 2}, {"000000", 0},
                 {"00000001", 0}, {"00000004", 0}, {"", 0}};
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        fake_card_file(&f->card, 0x6fad)->content = cases[i].hex;
        assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
        assert_int_equal(uicc_identity(f->uicc)->mnc_length, cases[i].length);
    }
    fake_card_file(&f->card, 0x6fad)->select_sw = 0x6a82;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_int_equal(uicc_identity(f->uicc)->mnc_length, 0);
}

static void test_files_that_only_help_may_be_missing(void **state) {
    struct fixture *f = *state;

    fake_card_file(&f->card, 0x2fe2)->select_sw = 0x6a82;
    fake_card_file(&f->card, 0x6f38)->read_sw = 0x6f00;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_string_equal(uicc_identity(f->uicc)->iccid, "");
    assert_int_equal(uicc_identity(f->uicc)->services_length, 0);
    assert_false(uicc_service(uicc_identity(f->uicc), 1));
    assert_string_equal(f->failure.text, "");

    fake_card_file(&f->card, 0x2fe2)->select_sw = 0;
    fake_card_file(&f->card, 0x2fe2)->content = "98a10032547698103214";
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_string_equal(uicc_identity(f->uicc)->iccid, "");
    fake_card_file(&f->card, 0x2fe2)->content = "981000325476981032f4"; /* 19 digits */
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_string_equal(uicc_identity(f->uicc)->iccid, "8901002345678901234");
}

static void test_service_numbers_are_bounded(void **state) {
    struct uicc_identity identity = {.services = {0x81, 0xff}, .services_length = 1};

    (void)state;
    assert_true(uicc_service(&identity, 1));
    assert_false(uicc_service(&identity, 2));
    assert_true(uicc_service(&identity, 8));
    assert_false(uicc_service(&identity, 9)); /* beyond what the card has */
    assert_false(uicc_service(&identity, 0));
    assert_false(uicc_service(&identity, 257));
    assert_false(uicc_service(&identity, ~0u));
}

/* A service table longer than we keep is read as far as that, and no further. */
static void test_long_files_are_read_as_far_as_needed(void **state) {
    struct fixture *f = *state;
    char content[2 * 600 + 1];

    memset(content, 'f', sizeof(content) - 1);
    content[sizeof(content) - 1] = '\0';
    fake_card_file(&f->card, 0x6f38)->content = content;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_int_equal(uicc_identity(f->uicc)->services_length, SERVICE_TABLE_MAX);
    assert_true(uicc_service(uicc_identity(f->uicc), 256));
}

/* A file that is not what it should be, or answers that are longer than what was asked for. */
static void test_files_of_another_kind_or_length_are_refused(void **state) {
    struct fixture *f = *state;
    struct fake_file *imsi = fake_card_file(&f->card, 0x6f07),
                     *dir = fake_card_file(&f->card, 0x2f00);

    imsi->fcp = "620782054221000901"; /* linear fixed */
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_MALFORMED);
    assert_non_null(strstr(f->failure.text, "EF_IMSI"));
    imsi->fcp = "8002"; /* no FCP at all */
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_MALFORMED);
    imsi->fcp = NULL;
    f->card.surplus = 1;
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_MALFORMED);
    f->card.surplus = 0;
    dir->read_sw = 0x6f00;
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_STATUS);
    f->card.usim_fcp = "8002";
    dir->read_sw = 0;
    assert_int_equal(uicc_open(f->uicc, NULL), UICC_E_MALFORMED);
}

/* Fewer records than EF_DIR says, and none more behind: the end is the end. */
static void test_a_file_that_ends_early_is_read_to_its_end(void **state) {
    struct fixture *f = *state;

    fake_card_file(&f->card, 0x2f00)->fcp = "62078205422100200a";
    fake_card_file(&f->card, 0x2f00)->content =
        "610e4f0ca0000000871005ff49ff0589ffffffffffffffffffffffffffffffff";
    assert_int_equal(uicc_open(f->uicc, &f->failure), UICC_E_NO_APPLICATION);
}

/* --- Failures ---------------------------------------------------------------------------------------------------- */

/*
 * The card is pulled, the transport dies, the card falls silent: at each exchange in turn. The outcome comes up
 * unchanged, the transaction ends, nothing is left.
 */
static void test_a_failure_at_any_exchange_comes_up_and_ends_the_transaction(void **state) {
    static const int outcomes[] = {UICC_E_CARD_ABSENT, UICC_E_SILENT, UICC_E_TRANSPORT,
                                   UICC_E_SERVICE_ABSENT, -EIO};
    struct fixture *f = *state;
    unsigned all;

    f->card.usim_fcp = FAKE_USIM_PIN_ON;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    all = f->card.exchanges;
    for (size_t i = 0; i < ELEMENTS(outcomes); i++)
        for (unsigned n = 1; n <= all; n++) {
            struct failure failure = {0};
            struct uicc *uicc;

            f->card.channel_open = false;
            f->card.usim_selected = false;
            f->card.exchanges = 0;
            f->card.fail_at = n;
            f->card.fail_with = outcomes[i];
            assert_int_equal(uicc_new(&f->card.transport, &uicc), 0);
            assert_int_equal(uicc_open(uicc, &failure), outcomes[i]);
            assert_int_equal(failure.code, outcomes[i]);
            assert_false(f->card.begun);
            f->card.fail_at = 0;
            uicc_free(uicc);
            assert_int_equal(f->card.begins, f->card.ends);
            assert_int_equal(secret_arena_used(), 0);
        }
    f->card.channel_open = false;
    uicc_forget(f->uicc);
    f->card.opens = f->card.closes;
}

/* Nothing was begun, so nothing ends. */
static void test_a_card_that_cannot_be_taken_is_told_unchanged(void **state) {
    static const int outcomes[] = {UICC_E_CARD_ABSENT, UICC_E_BUSY,      UICC_E_DENIED,
                                   UICC_E_SILENT,      UICC_E_TRANSPORT, UICC_E_SERVICE_ABSENT};
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
        failure_clear(&f->failure);
        f->card.begin_outcome = outcomes[i];
        assert_int_equal(uicc_open(f->uicc, &f->failure), outcomes[i]);
        assert_int_equal(f->failure.code, outcomes[i]);
    }
    assert_int_equal(f->card.ends, 0);
}

static void test_a_reset_before_the_transaction_is_no_failure(void **state) {
    struct fixture *f = *state;

    f->card.begin_outcome = UICC_E_RESET;
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_whole_identity(uicc_identity(f->uicc));
    assert_string_equal(f->failure.text, "");
    /* Again, with a channel that was ours. */
    fake_card_reset(&f->card);
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    assert_int_equal(f->card.opens, 2);
    f->card.opens--; /* the reset closed the first */
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_card_is_read_in_one_transaction_on_its_own_channel),
        TEST(test_a_card_that_answers_in_pieces_is_the_same_card),
        TEST(test_channels_beyond_three_have_another_class),
        TEST(test_a_channel_that_cannot_be_is_refused),
        TEST(test_a_card_without_channels_is_used_on_the_basic_one),
        TEST(test_a_transport_with_channels_opens_them_itself),
        TEST(test_free_closes_the_channel_unless_the_card_is_gone),
        TEST(test_a_pin_that_was_verified_is_no_obstacle),
        TEST(test_a_pin_that_is_required_is_told_with_its_tries),
        TEST(test_a_card_that_does_not_tell_of_its_pin_is_asked_when_it_refuses),
        TEST(test_a_card_that_says_verified_is_believed),
        TEST(test_a_blocked_pin_is_told_as_such),
        TEST(test_objects_of_a_record_come_in_any_order_and_padded),
        TEST(test_a_record_of_255_octets),
        TEST(test_records_that_make_no_sense_hide_no_other),
        TEST(test_the_first_usim_is_taken),
        TEST(test_a_label_that_cannot_be_shown_is_left_out),
        TEST(test_a_card_without_usim_is_named_so),
        TEST(test_records_are_bounded),
        cmocka_unit_test(test_imsi_digits),
        cmocka_unit_test(test_imsi_that_is_none),
        TEST(test_a_card_without_a_proper_imsi_has_no_identity),
        TEST(test_mnc_length_that_the_card_does_not_say),
        TEST(test_files_that_only_help_may_be_missing),
        cmocka_unit_test(test_service_numbers_are_bounded),
        TEST(test_long_files_are_read_as_far_as_needed),
        TEST(test_files_of_another_kind_or_length_are_refused),
        TEST(test_a_file_that_ends_early_is_read_to_its_end),
        TEST(test_a_failure_at_any_exchange_comes_up_and_ends_the_transaction),
        TEST(test_a_card_that_cannot_be_taken_is_told_unchanged),
        TEST(test_a_reset_before_the_transaction_is_no_failure),
    };

    return cmocka_run_group_tests_name("uicc", tests, NULL, NULL);
}
