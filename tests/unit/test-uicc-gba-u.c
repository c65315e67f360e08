/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA_U on the card: the commands octet by octet, what comes back, and the two files that tell what it was for.
 */

#include <errno.h>

#include "fake-card.h"
#include "secret.h"
#include "uicc.h"
#include "../../uicc/uicc-internal.h"

#define RAND      "23553cbe9637a89d218ae64dae47bf35"
#define AUTN      "55f328b43577b9b98c7f3f0d723fb244"
#define BTID      "I1U8@bsf.example"
#define BTID_HEX  "49315538406273662e6578616d706c65"
#define KEY       "ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08"
#define FILLER_32 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

struct fixture {
    struct fake_card card;
    struct uicc *uicc;
    struct failure failure;
    uint8_t rand[16], autn[16];
    char gbabp[2 * 128 + 1]; /* the content of EF_GBABP */
};

static void add_file(struct fake_card *card, const struct fake_file *file) {
    assert_true(card->files_count < FAKE_FILES);
    card->files[card->files_count++] = *file;
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(secret_arena_init(), 0);
    fake_card_init(&f->card);
    (void)fake_hex(RAND, f->rand, sizeof(f->rand));
    (void)fake_hex(AUTN, f->autn, sizeof(f->autn));
    strcpy(f->gbabp, "10" RAND FILLER_32 FILLER_32);
    add_file(&f->card, &(struct fake_file){.fid = 0x6fd6, .content = f->gbabp, .room = f->gbabp});
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    assert_int_equal(uicc_open(f->uicc, NULL), 0);
    *state = f;
    return 0;
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

static void assert_sent(const struct fixture *f, const char *hex) {
    char text[2 * APDU_COMMAND_MAX + 1];

    hex_encode(f->card.last_command, f->card.last_command_length, text);
    assert_string_equal(text, hex);
}

static void bootstrapping_gives_res_alone(void **state) {
    struct fixture *f = *state;
    struct uicc_aka aka = {0};

    f->card.gba = "db08a54211d5e3ba50be9000";
    assert_int_equal(uicc_gba_bootstrap(f->uicc, f->rand, f->autn, &aka, &f->failure), 0);
    assert_sent(f, "0188008423dd10" RAND "10" AUTN "00");
    assert_int_equal(secret_length(aka.res), 8);
    assert_int_equal(secret_data(aka.res)[7], 0xbe);
    assert_null(aka.ck);
    assert_null(aka.ik);
    uicc_aka_done(&aka);
}

static void an_answer_with_keys_in_it_is_none_of_gba_u(void **state) {
    static const char *const answers[] = {
        "db08a54211d5e3ba50be10b40ba9a3c58b2a05bbf0d987b21bf8cb9000",
        "db03a542119000",
        "db9000",
        "9000",
        "dc0e01029000",
        "db11000102030405060708090a0b0c0d0e0f109000",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        struct uicc_aka aka = {0};

        f->card.gba = answers[i];
        assert_int_equal(uicc_gba_bootstrap(f->uicc, f->rand, f->autn, &aka, NULL),
                         UICC_E_MALFORMED);
        assert_null(aka.res);
    }
}

static void refusals_of_the_gba_context_have_names(void **state) {
    static const struct {
        const char *answer;
        int outcome;
    } cases[] = {
        {"9862", UICC_E_MAC},        {"9864", UICC_E_CONTEXT},
        {"6b00", UICC_E_CONTEXT},    {"6a86", UICC_E_CONTEXT},
        {"6700", UICC_E_CONTEXT},    {"6a81", UICC_E_CONTEXT},
        {"9865", UICC_E_FRESHNESS},  {"9866", UICC_E_MEMORY},
        {"6985", UICC_E_CONDITIONS}, {"dc0e0102030405060708090a0b0c0d0e9000", UICC_E_SYNC},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct uicc_aka aka = {0};

        f->card.gba = cases[i].answer;
        failure_clear(&f->failure);
        assert_int_equal(uicc_gba_bootstrap(f->uicc, f->rand, f->autn, &aka, &f->failure),
                         cases[i].outcome);
        assert_int_equal(f->failure.code, cases[i].outcome);
    }
    f->card.gba = "9862";
    failure_clear(&f->failure);
    (void)uicc_gba_bootstrap(f->uicc, f->rand, f->autn, &(struct uicc_aka){0}, &f->failure);
    assert_non_null(strstr(f->failure.text, "GBA_ME"));
}

static void a_derivation_names_naf_and_identity_and_gives_the_external_key(void **state) {
    static const uint8_t naf_id[] = "naf.example\x01\x00\x00\x00\x02";
    struct fixture *f = *state;
    struct secret *key = NULL;
    uint8_t expected[32];

    (void)fake_hex(KEY, expected, sizeof(expected));
    f->card.gba = "db20" KEY "9000";
    assert_int_equal(uicc_gba_derive(f->uicc, naf_id, sizeof(naf_id) - 1, "a@b", &key, NULL), 0);
    assert_sent(f, "0188008416de10"
                   "6e61662e6578616d706c65"
                   "0100000002"
                   "03"
                   "614062"
                   "00");
    assert_int_equal(secret_length(key), 32);
    assert_memory_equal(secret_data(key), expected, 32);
    secret_free(key);
}

static void a_key_of_another_length_is_refused(void **state) {
    static const char *const answers[] = {"db20" KEY "009000", "db1f" KEY "9000", "db009000",
                                          "9000", "dc20" KEY "9000"};
    static const uint8_t naf_id[16] = "naf";
    struct fixture *f = *state;
    struct secret *key = NULL;

    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        f->card.gba = answers[i];
        assert_int_equal(uicc_gba_derive(f->uicc, naf_id, 16, "a@b", &key, NULL), UICC_E_MALFORMED);
        assert_null(key);
    }
    f->card.gba = "6985";
    assert_int_equal(uicc_gba_derive(f->uicc, naf_id, 16, "a@b", &key, NULL), UICC_E_CONDITIONS);
}

static void names_of_252_octets_fit_and_of_253_are_refused_before_the_card_is_asked(void **state) {
    static uint8_t naf_id[253];
    struct fixture *f = *state;
    struct secret *key = NULL;
    char impi[127 + 1];

    memset(naf_id, 'n', sizeof(naf_id));
    memset(impi, 'i', 127);
    impi[127] = '\0';
    f->card.gba = "db20" KEY "9000";
    assert_int_equal(uicc_gba_derive(f->uicc, naf_id, 125, impi, &key, NULL), 0);
    assert_int_equal(f->card.last_command_length, 5 + 255 + 1);
    key = secret_free(key);
    assert_int_equal(uicc_gba_derive(f->uicc, naf_id, 126, impi, &key, &f->failure), UICC_E_NAF_ID);
    assert_non_null(strstr(f->failure.text, "252"));
    assert_int_equal(uicc_gba_derive(f->uicc, naf_id, 253, "", &key, NULL), UICC_E_NAF_ID);
    assert_int_equal(f->card.authentications, 1);
}

static void what_is_written_behind_the_rand_is_read_back(void **state) {
    struct fixture *f = *state;
    struct uicc_gbabp gbabp;

    assert_int_equal(uicc_gba_read_bp(f->uicc, &gbabp, NULL), UICC_E_NOT_FOUND);
    assert_int_equal(uicc_gba_write_bp(f->uicc, f->rand, BTID, "2030-01-01T00:00:00Z", &f->failure),
                     0);
    assert_int_equal(f->card.updates, 1);
    assert_memory_equal(f->gbabp, "10" RAND "10" BTID_HEX "14", 2 * (1 + 16 + 1 + 16 + 1));
    assert_int_equal(uicc_gba_read_bp(f->uicc, &gbabp, NULL), 0);
    assert_memory_equal(gbabp.rand, f->rand, 16);
    assert_string_equal(gbabp.btid, BTID);
    assert_string_equal(gbabp.lifetime, "2030-01-01T00:00:00Z");
}

static void nothing_is_written_behind_another_rand_or_beyond_the_file(void **state) {
    struct fixture *f = *state;
    char before[sizeof(f->gbabp)], long_btid[BTID_MAX + 1];
    uint8_t other[16] = {1};

    strcpy(before, f->gbabp);
    assert_int_equal(uicc_gba_write_bp(f->uicc, other, BTID, "2030", NULL), UICC_E_CONDITIONS);
    memset(long_btid, 'b', sizeof(long_btid));
    long_btid[100] = '\0';
    assert_int_equal(uicc_gba_write_bp(f->uicc, f->rand, long_btid, "2030", NULL), UICC_E_MEMORY);
    long_btid[100] = 'b';
    long_btid[300] = '\0';
    assert_int_equal(uicc_gba_write_bp(f->uicc, f->rand, long_btid, "2030", NULL), UICC_E_MEMORY);
    assert_string_equal(f->gbabp, before);
    assert_int_equal(f->card.updates, 0);
    f->gbabp[2 * 10] = '\0'; /* a file too short for a RAND */
    assert_int_equal(uicc_gba_write_bp(f->uicc, f->rand, BTID, "2030", NULL), UICC_E_CONDITIONS);
}

static void what_cards_come_with_in_ef_gbabp_is_no_bootstrap(void **state) {
    static const char *const contents[] = {
        "",
        "ff",
        FILLER_32,
        "000000",
        "800081008200",
        "10" RAND,
        "10" RAND "0000",
        "10" RAND "05"
        "41424344",
        "10" RAND "0141"
        "00",
        "10" RAND "0107"
        "0141",
        "0fff" RAND "01410141",
        "10" RAND "014101",
        "7f" RAND,
    };
    struct fixture *f = *state;
    struct uicc_gbabp gbabp;

    for (size_t i = 0; i < ELEMENTS(contents); i++) {
        fake_card_file(&f->card, 0x6fd6)->content = contents[i];
        assert_int_equal(uicc_gba_read_bp(f->uicc, &gbabp, NULL), UICC_E_NOT_FOUND);
    }
}

static void nafs_are_listed_and_odd_records_passed_over(void **state) {
    static const char records[] =
        /* 80 NAF_Id 81 B-TID, filled */
        "80106e61662e6578616d706c650100000002"
        "8110" BTID_HEX "ffffffffffffffff" FILLER_32 "ffffffffffffffffffffffff"
        "80050100000002"
        "8110" BTID_HEX "ffffffffffffffffffffffffffffffffffffff"
        "80ff"
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    struct fixture *f = *state;
    struct uicc_gbanl list[4];
    size_t count = 99;

    assert_int_equal(uicc_gba_list(f->uicc, list, 4, &count, NULL), UICC_E_NOT_FOUND);
    add_file(&f->card, &(struct fake_file){.fid = 0x6fda, .record_length = 44, .content = records});
    assert_int_equal(uicc_gba_list(f->uicc, list, 4, &count, &f->failure), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].naf_fqdn, "naf.example");
    assert_memory_equal(list[0].ua_protocol, "\x01\x00\x00\x00\x02", 5);
    assert_string_equal(list[0].btid, BTID);
    assert_int_equal(uicc_gba_list(f->uicc, list, 0, &count, NULL), 0);
    assert_int_equal(count, 0);
}

/* 6FD7 is EF_MSK in a USIM, and 6FD5 EF_VBSCA. */
static void an_isim_has_its_files_elsewhere(void **state) {
    struct uicc_options options = {.choice = UICC_CHOOSE_ISIM};
    struct fixture *f = *state;
    struct uicc_gbabp gbabp;

    fake_card_add_isim(&f->card);
    f->card.isim_files[f->card.isim_files_count++] =
        (struct fake_file){.fid = 0x6fd5, .content = f->gbabp, .room = f->gbabp};
    uicc_configure(f->uicc, &options);
    assert_int_equal(uicc_open(f->uicc, &f->failure), 0);
    fake_card_file(&f->card, 0x6fd6)->select_sw = 0x6f00;
    assert_int_equal(uicc_gba_write_bp(f->uicc, f->rand, BTID, "2030", &f->failure), 0);
    assert_int_equal(uicc_gba_read_bp(f->uicc, &gbabp, NULL), 0);
    assert_string_equal(gbabp.lifetime, "2030");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(bootstrapping_gives_res_alone),
        TEST(an_answer_with_keys_in_it_is_none_of_gba_u),
        TEST(refusals_of_the_gba_context_have_names),
        TEST(a_derivation_names_naf_and_identity_and_gives_the_external_key),
        TEST(a_key_of_another_length_is_refused),
        TEST(names_of_252_octets_fit_and_of_253_are_refused_before_the_card_is_asked),
        TEST(what_is_written_behind_the_rand_is_read_back),
        TEST(nothing_is_written_behind_another_rand_or_beyond_the_file),
        TEST(what_cards_come_with_in_ef_gbabp_is_no_bootstrap),
        TEST(nafs_are_listed_and_odd_records_passed_over),
        TEST(an_isim_has_its_files_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
