/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the card's access rules: in one piece or several, again only when they have changed, and nothing in doubt.
 */

#include "se-card.h"

#include "ara.h"
#include "secret.h"

#define ARA_AID   "a00000015141434c00"
#define REFRESH_1 "df200801020304050607089000"
#define REFRESH_2 "df200801020304050607099000"
#define RULE      "e20be1044f00c100e303d00101"
#define GET_TAG   "cadf2000"
#define GET_ALL   "caff4000"
#define GET_NEXT  "caff6000"

struct fixture {
    struct se_card card;
    struct uicc *uicc;
    struct ara_cache cache;
    struct failure failure;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    se_card_init(&f->card);
    assert_int_equal(uicc_new(&f->card.transport, &f->uicc), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;

    assert_int_equal(se_card_open_channels(&f->card), 0);
    assert_false(f->card.begun);
    ara_cache_done(&f->cache);
    uicc_free(f->uicc);
    assert_int_equal(secret_arena_used(), 0);
    free(f);
    return 0;
}

static int read_with(struct fixture *f, const struct se_answer *answers) {
    f->card.applets_count = 0;
    se_card_add(&f->card, ARA_AID, "9000", answers);
    failure_clear(&f->failure);
    return ara_read(f->uicc, &f->cache, &f->failure);
}

static void a_card_without_rules_leaves_it_to_ours(void **state) {
    struct fixture *f = *state;

    assert_int_equal(ara_read(f->uicc, &f->cache, &f->failure), 0);
    assert_true(f->cache.known);
    assert_false(f->cache.present);
    assert_int_equal(f->failure.code, 0);
}

static void rules_in_one_piece(void **state) {
    static const struct se_answer answers[] = {
        {GET_TAG, REFRESH_1}, {GET_ALL, "ff400d" RULE "9000"}, {NULL, NULL}};
    struct fixture *f = *state;

    assert_int_equal(read_with(f, answers), 0);
    assert_true(f->cache.present);
    assert_int_equal(f->cache.rules.count, 1);
}

static void rules_in_several_pieces(void **state) {
    static const struct se_answer answers[] = {{GET_TAG, REFRESH_1},
                                               {GET_ALL, "ff40811ae20be1044f00c19000"},
                                               {GET_NEXT, "00e303d00101" RULE "9000"},
                                               {NULL, NULL}};
    struct fixture *f = *state;

    assert_int_equal(read_with(f, answers), 0);
    assert_int_equal(f->cache.rules.count, 2);
}

static void an_ara_m_without_rules_grants_nothing(void **state) {
    static const struct se_answer answers[] = {
        {GET_TAG, REFRESH_1}, {GET_ALL, "6a88"}, {NULL, NULL}};
    static const struct se_answer empty[] = {
        {GET_TAG, REFRESH_2}, {GET_ALL, "ff40009000"}, {NULL, NULL}};
    struct fixture *f = *state;

    assert_int_equal(read_with(f, answers), 0);
    assert_true(f->cache.present);
    assert_int_equal(f->cache.rules.count, 0);
    assert_int_equal(read_with(f, empty), 0);
    assert_true(f->cache.present);
    assert_int_equal(f->cache.rules.count, 0);
}

static void the_refresh_tag_saves_reading_again(void **state) {
    static const struct se_answer first[] = {
        {GET_TAG, REFRESH_1}, {GET_ALL, "ff400d" RULE "9000"}, {NULL, NULL}};
    static const struct se_answer changed[] = {
        {GET_TAG, REFRESH_2}, {GET_ALL, "ff401a" RULE RULE "9000"}, {NULL, NULL}};
    struct fixture *f = *state;
    unsigned exchanges;

    assert_int_equal(read_with(f, first), 0);
    exchanges = f->card.exchanges;
    assert_int_equal(read_with(f, first), 0);
    assert_int_equal(f->card.exchanges - exchanges, 4); /* channel, SELECT, tag, close */
    assert_int_equal(read_with(f, changed), 0);
    assert_int_equal(f->cache.rules.count, 2);
    /* Another card may have the same tag. */
    se_card_reset(&f->card);
    assert_int_equal(read_with(f, first), 0);
    assert_int_equal(read_with(f, first), 0);
    assert_int_equal(f->cache.rules.count, 1);
}

static void rules_that_make_no_sense_are_none_but_an_error(void **state) {
    static const char *const all[] = {
        "9000",                           /* nothing */
        "ff409000",                       /* no length */
        "e20be1044f00c100e303d001019000", /* not in its template */
        "ff400c" RULE "9000",             /* longer than it says */
        "ff40849000",                     /* a length of four octets */
        "ff4083010000" RULE "9000",       /* 64 KiB */
        "ff40029000",                     /* nothing of what it says */
        "ff4002e27f9000",                 /* cut inside */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(all); i++) {
        const struct se_answer answers[] = {{GET_TAG, REFRESH_1}, {GET_ALL, all[i]}, {NULL, NULL}};

        if (read_with(f, answers) != UICC_E_MALFORMED)
            fail_msg("%s is taken for rules", all[i]);
        assert_false(f->cache.known);
        assert_string_not_equal(f->failure.text, "");
    }
}

/* A card that never comes to the end is not followed for ever. */
static void pieces_without_end_are_refused(void **state) {
    static const struct se_answer answers[] = {
        {GET_TAG, REFRESH_1}, {GET_ALL, "ff40821000009000"}, {GET_NEXT, "009000"}, {NULL, NULL}};
    static const struct se_answer nothing[] = {
        {GET_TAG, REFRESH_1}, {GET_ALL, "ff40821000009000"}, {GET_NEXT, "9000"}, {NULL, NULL}};
    struct fixture *f = *state;

    assert_int_equal(read_with(f, answers), UICC_E_MALFORMED);
    assert_true(f->card.exchanges < 100);
    assert_int_equal(read_with(f, nothing), UICC_E_MALFORMED);
}

static void a_card_that_does_not_answer_grants_nothing(void **state) {
    static const struct se_answer good[] = {
        {GET_TAG, REFRESH_1}, {GET_ALL, "ff400d" RULE "9000"}, {NULL, NULL}};
    static const struct se_answer no_tag[] = {{NULL, NULL}};
    static const struct se_answer odd_tag[] = {{GET_TAG, "df2004010203049000"}, {NULL, NULL}};
    struct fixture *f = *state;

    assert_int_equal(read_with(f, good), 0);
    assert_int_equal(read_with(f, no_tag), UICC_E_STATUS);
    assert_false(f->cache.known);
    assert_int_equal(read_with(f, odd_tag), UICC_E_MALFORMED);
    assert_int_equal(read_with(f, good), 0);
    f->card.channel_sw = 0x6a81;
    assert_int_equal(read_with(f, good), UICC_E_NO_CHANNEL);
    assert_false(f->cache.known);
    f->card.channel_sw = 0;
    for (unsigned at = 1; at <= 4; at++) {
        f->card.fail_at = f->card.exchanges + at;
        f->card.fail_with = UICC_E_SILENT;
        assert_int_equal(read_with(f, good), UICC_E_SILENT);
        memset(f->card.open, 0, sizeof(f->card.open)); /* silent cards are powered down */
        assert_false(f->cache.known);
    }
}

static int arena(void **state) {
    (void)state;
    return secret_arena_init();
}

#define with_card(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_card(a_card_without_rules_leaves_it_to_ours),
        with_card(rules_in_one_piece),
        with_card(rules_in_several_pieces),
        with_card(an_ara_m_without_rules_grants_nothing),
        with_card(the_refresh_tag_saves_reading_again),
        with_card(rules_that_make_no_sense_are_none_but_an_error),
        with_card(pieces_without_end_are_refused),
        with_card(a_card_that_does_not_answer_grants_nothing),
    };

    return cmocka_run_group_tests(tests, arena, NULL);
}
