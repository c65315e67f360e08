/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which application is used, what its PIN may cost, and what a modem or an old SIM has in their place.
 */

#include <errno.h>

#include "fake-card.h"
#include "secret.h"
#include "uicc.h"
#include "../../uicc/uicc-internal.h"

struct fixture {
    struct fake_card card;
    struct uicc *uicc;
    struct uicc_pin_memory memory;
    struct uicc_options options;
    struct secret *pin;
    struct failure failure;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(secret_arena_init(), 0);
    fake_card_init(&f->card);
    f->card.authenticate = "9000";
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    assert_int_equal(secret_new_copy("1234", 4, &f->pin), 0);
    f->options.pin_memory = &f->memory;
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    uicc_free(f->uicc);
    secret_free(f->pin);
    assert_false(f->card.begun);
    assert_false(f->card.channel_open);
    assert_int_equal(f->card.opens, f->card.closes);
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
    free(f);
    return 0;
}

static int reopen(struct fixture *f) {
    failure_clear(&f->failure);
    uicc_configure(f->uicc, &f->options);
    return uicc_open(f->uicc, &f->failure);
}

/* A card as another insertion of it is seen: nothing is known but what the memory keeps. */
static int insert_again(struct fixture *f) {
    uicc_free(f->uicc);
    f->card.pin_verified = false;
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    return reopen(f);
}

/* --- USIM and ISIM --------------------------------------------------------------------------------------- */

static void the_usim_is_used_where_nobody_wants_the_isim(void **state) {
    struct fixture *f = *state;
    const struct uicc_identity *identity = uicc_identity(f->uicc);

    fake_card_add_isim(&f->card);
    assert_int_equal(reopen(f), 0);
    assert_int_equal(identity->application, UICC_USIM);
    assert_true(identity->has_usim);
    assert_true(identity->has_isim);
    assert_true(uicc_knows_gba(identity));
    assert_string_equal(identity->impi, "");
}

static void an_isim_tells_impi_domain_and_its_own_services(void **state) {
    struct fixture *f = *state;
    const struct uicc_identity *identity = uicc_identity(f->uicc);

    fake_card_add_isim(&f->card);
    f->options.choice = UICC_CHOOSE_ISIM;
    assert_int_equal(reopen(f), 0);
    assert_int_equal(identity->application, UICC_ISIM);
    assert_string_equal(identity->impi, "gateway@ims.example");
    assert_string_equal(identity->domain, "ims.example");
    assert_string_equal(identity->imsi, "");
    assert_int_equal(identity->mnc_length, 2);
    assert_true(uicc_knows_gba(identity));
    fake_card_file(&f->card, 0x6f07)->content = "01"; /* the session's ISIM is selected still */
    assert_int_equal(reopen(f), 0);
    assert_false(uicc_knows_gba(identity));
}

static void a_card_with_an_isim_alone_is_used_by_it(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);

    fake_card_add_isim(&f->card);
    dir->record_length = 16;
    dir->content = "610e4f0c" FAKE_ISIM_AID;
    assert_int_equal(reopen(f), 0);
    assert_int_equal(uicc_identity(f->uicc)->application, UICC_ISIM);
    f->options.choice = UICC_CHOOSE_USIM;
    assert_int_equal(reopen(f), UICC_E_NO_APPLICATION);
    assert_non_null(strstr(f->failure.text, "Application="));
}

static void an_impi_without_at_is_no_isim(void **state) {
    static const char *const contents[] = {
        "800767617465776179ffff", "8000",         "ffffffffff", "", "80ff6740",
        "8004674069ff",           "810467406978",
    };
    struct fixture *f = *state;

    f->options.choice = UICC_CHOOSE_ISIM;
    for (size_t i = 0; i < ELEMENTS(contents); i++) {
        fake_card_add_isim(&f->card);
        f->card.isim_files[0].content = contents[i];
        assert_int_equal(reopen(f), UICC_E_NO_APPLICATION);
        assert_non_null(strstr(f->failure.text, "Application=usim"));
        assert_string_equal(uicc_identity(f->uicc)->impi, "");
    }
}

static void an_isim_that_is_wanted_and_not_there_is_told(void **state) {
    struct fixture *f = *state;
    struct fake_file *dir = fake_card_file(&f->card, 0x2f00);

    f->options.choice = UICC_CHOOSE_ISIM;
    dir->record_length = 22;
    dir->content = "61144f0c" FAKE_AID "50045553494d";
    assert_int_equal(reopen(f), UICC_E_NO_APPLICATION);
    assert_non_null(strstr(f->failure.text, "no ISIM"));
}

/* --- PIN ------------------------------------------------------------------------------------------------- */

static void guard_with_pin(struct fixture *f) {
    f->card.usim_fcp = FAKE_USIM_PIN_ON;
    fake_card_file(&f->card, 0x6f07)->guarded = true;
    f->card.pin = "31323334ffffffff";
}

static void a_right_pin_is_presented_once_padded_as_the_card_wants_it(void **state) {
    struct fixture *f = *state;

    guard_with_pin(f);
    f->options.pin1 = f->pin;
    assert_int_equal(reopen(f), 0);
    assert_int_equal(f->card.pins_presented, 1);
    assert_int_equal(uicc_identity(f->uicc)->pin, UICC_PIN_VERIFIED);
    assert_string_equal(uicc_identity(f->uicc)->imsi, "001010123456789");
}

static void a_pin_that_nobody_asks_for_is_not_presented(void **state) {
    struct fixture *f = *state;

    f->card.usim_fcp = FAKE_USIM_PIN_ON; /* enabled, and verified by somebody already */
    f->options.pin1 = f->pin;
    assert_int_equal(reopen(f), 0);
    assert_int_equal(f->card.pins_presented, 0);
}

static void a_wrong_pin_costs_one_try_and_never_another(void **state) {
    struct fixture *f = *state;

    guard_with_pin(f);
    f->card.pin = "39393939ffffffff";
    f->options.pin1 = f->pin;
    assert_int_equal(reopen(f), UICC_E_PIN_REQUIRED);
    assert_int_equal(f->card.pins_presented, 1);
    assert_int_equal(uicc_identity(f->uicc)->pin_tries, 2);
    assert_non_null(strstr(f->failure.text, "refused"));
    f->card.verify_sw = 0x63c2;
    assert_int_equal(reopen(f), UICC_E_PIN_REQUIRED);
    assert_int_equal(insert_again(f), UICC_E_PIN_REQUIRED);
    assert_int_equal(f->card.pins_presented, 1);
    /* Another card has not refused anything. */
    fake_card_file(&f->card, 0x2fe2)->content = "98010032547698103215";
    f->card.pin = "31323334ffffffff";
    assert_int_equal(insert_again(f), 0);
    assert_int_equal(f->card.pins_presented, 2);
}

static void the_last_try_is_never_taken(void **state) {
    static const uint16_t words[] = {0x63c1, 0x63c0, 0x6983, 0x6984};
    struct fixture *f = *state;

    guard_with_pin(f);
    f->options.pin1 = f->pin;
    for (size_t i = 0; i < ELEMENTS(words); i++) {
        bool blocked = words[i] == 0x63c0 || words[i] == 0x6983;

        f->card.verify_sw = words[i];
        assert_int_equal(insert_again(f), blocked ? UICC_E_PIN_BLOCKED : UICC_E_PIN_REQUIRED);
        assert_int_equal(f->card.pins_presented, 0);
    }
}

static void the_universal_pin_has_its_own_reference_and_value(void **state) {
    struct fixture *f = *state;

    guard_with_pin(f);
    /* PIN1 off, universal PIN on and usable in its place. */
    f->card.usim_fcp = "62168202782183027fffc60c90014083010195010883"
                       "0111";
    f->card.pin_reference = 0x11;
    f->options.pin1 = f->pin;
    assert_int_equal(reopen(f), UICC_E_PIN_REQUIRED);
    assert_int_equal(f->card.pins_presented, 0);
    f->options.upin = f->pin;
    assert_int_equal(insert_again(f), 0);
    assert_int_equal(f->card.pins_presented, 1);
}

static void a_pin_that_was_right_is_right_after_a_reset_by_others(void **state) {
    static const uint8_t challenge[16] = {0};
    struct fixture *f = *state;
    struct uicc_aka aka = {0};

    guard_with_pin(f);
    f->options.pin1 = f->pin;
    assert_int_equal(reopen(f), 0);
    fake_card_reset(&f->card);
    f->card.opens = f->card.closes; /* the reset closed it */
    f->card.authenticate = "9862";
    assert_int_equal(uicc_authenticate(f->uicc, challenge, challenge, &aka, NULL), UICC_E_MAC);
    assert_int_equal(f->card.pins_presented, 2);
    assert_int_equal(f->card.authentications, 1);
    assert_true(f->card.pin_verified);
}

/* --- A modem that passes no commands ------------------------------------------------------------------------ */

struct modem {
    struct transport transport;
    struct transport_identity identity;
    const char *answer; /* hex */
    uint8_t context;
    uint8_t data[255];
    size_t length;
};

static int modem_identity(struct transport *transport, struct transport_identity *ret,
                          struct failure *failure) {
    (void)failure;
    *ret = ((struct modem *)transport)->identity;
    return 0;
}

static int modem_authenticate(struct transport *transport, const uint8_t *aid, size_t aid_length,
                              uint8_t context, const uint8_t *data, size_t data_length,
                              uint8_t *ret, size_t size, size_t *ret_length,
                              struct failure *failure) {
    struct modem *modem = (struct modem *)transport;

    (void)failure;
    assert_int_equal(aid_length, modem->identity.aid_length);
    assert_memory_equal(aid, modem->identity.aid, aid_length);
    modem->context = context;
    memcpy(modem->data, data, data_length);
    modem->length = data_length;
    *ret_length = fake_hex(modem->answer, ret, size);
    return 0;
}

static void modem_init(struct modem *modem) {
    static const struct transport_ops ops = {.identity = modem_identity,
                                             .authenticate = modem_authenticate};

    *modem = (struct modem){
        .transport = {.ops = &ops, .flags = TRANSPORT_AKA},
        .identity = {.iccid = "8988201000000000019",
                     .imsi = "001010123456789",
                     .ef_ad = {0, 0, 0, 2},
                     .ef_ad_length = 4},
    };
    modem->identity.aid_length = fake_hex(FAKE_AID, modem->identity.aid, AID_MAX);
}

static void a_modem_authenticates_in_place_of_commands(void **state) {
    static const uint8_t challenge[16] = {0x23};
    struct uicc_gbabp gbabp;
    struct uicc_aka aka = {0};
    struct modem modem;
    struct uicc *uicc;

    (void)state;
    modem_init(&modem);
    assert_int_equal(uicc_new(&modem.transport, &uicc), 0);
    assert_int_equal(uicc_authenticate(uicc, challenge, challenge, &aka, NULL),
                     UICC_E_NO_APPLICATION);
    assert_int_equal(uicc_open(uicc, NULL), 0);
    assert_int_equal(uicc_identity(uicc)->application, UICC_USIM);
    assert_string_equal(uicc_identity(uicc)->imsi, "001010123456789");
    assert_int_equal(uicc_identity(uicc)->mnc_length, 2);
    modem.answer = "db08a54211d5e3ba50bf10b40ba9a3c58b2a05bbf0d987b21bf8cb"
                   "10f769bcd751044604127672711c6d34419000";
    assert_int_equal(uicc_authenticate(uicc, challenge, challenge, &aka, NULL), 0);
    assert_int_equal(modem.context, 0x81);
    assert_int_equal(modem.length, 34);
    assert_int_equal(secret_length(aka.res), 8);
    uicc_aka_done(&aka);
    modem.answer = "9864";
    assert_int_equal(uicc_gba_bootstrap(uicc, challenge, challenge, &aka, NULL), UICC_E_CONTEXT);
    assert_int_equal(modem.context, 0x84);
    assert_int_equal(modem.length, 35);
    assert_int_equal(uicc_gba_read_bp(uicc, &gbabp, NULL), UICC_E_NOT_FOUND);
    uicc_free(uicc);
}

static void a_modem_that_knows_only_an_isim_is_used_by_it(void **state) {
    struct modem modem;
    struct uicc *uicc;

    (void)state;
    modem_init(&modem);
    modem.identity.imsi[0] = '\0';
    assert_int_equal(uicc_new(&modem.transport, &uicc), 0);
    assert_int_equal(uicc_open(uicc, NULL), UICC_E_IDENTITY);
    strcpy(modem.identity.impi, "gateway@ims.example");
    assert_int_equal(uicc_open(uicc, NULL), 0);
    assert_int_equal(uicc_identity(uicc)->application, UICC_ISIM);
    assert_string_equal(uicc_identity(uicc)->impi, "gateway@ims.example");
    uicc_free(uicc);
}

/* --- SIM --------------------------------------------------------------------------------------------------- */

#define SIM_CHALLENGE "00112233445566778899aabbccddeeff"

static void a_sim_is_used_where_it_is_allowed_and_all_there_is(void **state) {
    static const struct fake_step steps[] = {
        {.command = "0070000001", .response = "6e00"},
        {.command = "00a40004023f0000", .response = "6e00"},
        {.command = "a0a40000023f00", .response = "9f16"},
        {.command = "a0c0000016",
         .response = "0000000000003f00010000000000000000000000000090"
                     "00"},
        {.command = "a0a40000022fe2", .response = "9f0f"},
        {.command = "a0c000000f",
         .response = "000000"
                     "0a2fe2040000000000000000009000"},
        {.command = "a0b000000a", .response = "980100325476981032149000"},
        {.command = "a0a40000023f00", .response = "9000"},
        {.command = "a0a40000027f20", .response = "9000"},
        {.command = "a0a40000026f07", .response = "9000"},
        {.command = "a0b0000009", .response = "0809101010325476989000"},
        {.command = "a0a40000026fad", .response = "9404"},
        /* RUN GSM ALGORITHM, in a transaction of its own. */
        {.command = "a0a40000023f00", .response = "9000"},
        {.command = "a0a40000027f20", .response = "9000"},
        {.command = "a088000010" SIM_CHALLENGE "00", .response = "9f0c"},
        {.command = "a0c000000c", .response = "46f8416aeae4be823af9a08b9000"},
    };
    const struct uicc_options options = {.allow_sim = true};
    struct secret *sres = NULL, *kc = NULL;
    struct fake_script script;
    struct uicc_aka aka = {0};
    uint8_t challenge[16];
    struct uicc *uicc;

    (void)state;
    (void)fake_hex(SIM_CHALLENGE, challenge, sizeof(challenge));
    fake_script_init(&script, steps, ELEMENTS(steps));
    assert_int_equal(uicc_new(&script.transport, &uicc), 0);
    uicc_configure(uicc, &options);
    assert_int_equal(uicc_open(uicc, NULL), 0);
    assert_int_equal(uicc_identity(uicc)->application, UICC_SIM);
    assert_string_equal(uicc_identity(uicc)->imsi, "001010123456789");
    assert_int_equal(uicc_authenticate(uicc, challenge, challenge, &aka, NULL),
                     UICC_E_NO_APPLICATION);
    assert_int_equal(uicc_run_gsm(uicc, challenge, &sres, &kc, NULL), 0);
    assert_int_equal(secret_length(sres), 4);
    assert_int_equal(secret_length(kc), 8);
    assert_int_equal(secret_data(kc)[0], 0xea);
    fake_script_assert_done(&script);
    secret_free(sres);
    secret_free(kc);
    uicc_free(uicc);
}

static void a_usim_runs_no_gsm_algorithm(void **state) {
    static const uint8_t challenge[16] = {0};
    struct fixture *f = *state;
    struct secret *sres = NULL, *kc = NULL;

    f->options.allow_sim = true;
    assert_int_equal(reopen(f), 0);
    assert_int_equal(uicc_identity(f->uicc)->application, UICC_USIM);
    assert_int_equal(uicc_run_gsm(f->uicc, challenge, &sres, &kc, &f->failure),
                     UICC_E_NO_APPLICATION);
    assert_null(sres);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_usim_is_used_where_nobody_wants_the_isim),
        TEST(an_isim_tells_impi_domain_and_its_own_services),
        TEST(a_card_with_an_isim_alone_is_used_by_it),
        TEST(an_impi_without_at_is_no_isim),
        TEST(an_isim_that_is_wanted_and_not_there_is_told),
        TEST(a_right_pin_is_presented_once_padded_as_the_card_wants_it),
        TEST(a_pin_that_nobody_asks_for_is_not_presented),
        TEST(a_wrong_pin_costs_one_try_and_never_another),
        TEST(the_last_try_is_never_taken),
        TEST(the_universal_pin_has_its_own_reference_and_value),
        TEST(a_pin_that_was_right_is_right_after_a_reset_by_others),
        TEST(a_modem_authenticates_in_place_of_commands),
        TEST(a_modem_that_knows_only_an_isim_is_used_by_it),
        TEST(a_sim_is_used_where_it_is_allowed_and_all_there_is),
        TEST(a_usim_runs_no_gsm_algorithm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
