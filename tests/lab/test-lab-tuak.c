/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TUAK: the test sets of TS 35.233 that have a K of 128 bits and one iteration, and the subscriber who uses it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hex.h"
#include "subscribers.h"
#include "tuak.h"

struct set {
    const char *k, *rand, *sqn, *amf, *top;
    const char *topc, *f1, *f1_star, *f2, *f3, *f4, *f5, *f5_star;
};

static const struct set sets[] = {
    /* TS 35.233 clause 6.3, set 1 */
    {.k = "abababababababababababababababab",
     .rand = "42424242424242424242424242424242",
     .sqn = "111111111111",
     .amf = "ffff",
     .top = "5555555555555555555555555555555555555555555555555555555555555555",
     .topc = "bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff",
     .f1 = "f9a54e6aeaa8618d",
     .f1_star = "e94b4dc6c7297df3",
     .f2 = "657acd64",
     .f3 = "d71a1e5c6caffe986a26f783e5c78be1",
     .f4 = "be849fa2564f869aecee6f62d4337e72",
     .f5 = "719f1e9b9054",
     .f5_star = "e7af6b3d0e38"},
    /* TS 35.233 clause 6.6, set 4 */
    {.k = "b8da837a50652d6ac7c97da14f6acc61",
     .rand = "6887e55425a966bd86c9661a5fa72be8",
     .sqn = "0dea2ee2c5af",
     .amf = "df1e",
     .top = "0952be13556c32ebc58195d9dd930493e12a9003669988ffde5fa1f0fe35cc01",
     .topc = "2bc16eb657a68e1f446f08f57c0efb1d493527a2e652ce281eb6ca0e4487760a",
     .f1 = "749214087958dd8f58bfcdf869d8ae3f",
     .f1_star = "619e865afe80e382aee13063f9dfb56d",
     .f2 = "4041ce438e3e38e8aa96562eed83ac43",
     .f3 = "3e3bc01bea0cd914c4c2c83ce2d92757",
     .f4 = "666a8e6f577b1aa77b7fd53cebb8a3d6",
     .f5 = "1f880d005119",
     .f5_star = "45e617d77fe5"},
};

static size_t octets(const char *text, uint8_t *ret) {
    size_t length;

    assert_int_equal(hex_decode(text, ret, 32, &length), 0);
    return length;
}

static void expect(const uint8_t *got, const char *expected) {
    uint8_t right[32];
    size_t length = octets(expected, right);

    assert_memory_equal(got, right, length);
}

static void the_published_sets_come_out(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        const struct set *set = &sets[i];
        uint8_t k[32], rand[32], sqn[32], amf[32], top[32], topc[32];
        uint8_t mac[32], res[32], ck[16], ik[16], ak[6];

        (void)octets(set->k, k);
        (void)octets(set->rand, rand);
        (void)octets(set->sqn, sqn);
        (void)octets(set->amf, amf);
        (void)octets(set->top, top);
        tuak_topc(k, top, topc);
        expect(topc, set->topc);
        tuak_f1(k, topc, rand, sqn, amf, 0, mac, strlen(set->f1) / 2);
        expect(mac, set->f1);
        tuak_f1(k, topc, rand, sqn, amf, 1, mac, strlen(set->f1_star) / 2);
        expect(mac, set->f1_star);
        tuak_f2345(k, topc, rand, res, strlen(set->f2) / 2, ck, ik, ak);
        expect(res, set->f2);
        expect(ck, set->f3);
        expect(ik, set->f4);
        expect(ak, set->f5);
        tuak_f5_star(k, topc, rand, ak);
        expect(ak, set->f5_star);
    }
}

#define HEAD                                                                               \
    "[Subscriber t]\nImsi = 001010123456789\nMncLength = 2\nIccid = 8988201000000000019\n" \
    "K = abababababababababababababababab\nAlgorithm = tuak\n"
#define TOP "Top = 5555555555555555555555555555555555555555555555555555555555555555\n"

static void a_subscriber_of_tuak_has_its_answers_and_tokens(void **state) {
    struct lab_subscribers subscribers;
    const struct milenage_key *key;
    struct milenage_answer answer;
    uint8_t rand[16], autn[16], auts[14], amf[2] = {0xff, 0xff};
    char error[256] = "";
    uint64_t sqn = 0;

    (void)state;
    memset(rand, 0x42, sizeof(rand));
    if (lab_subscribers_parse(HEAD TOP "ResLength = 4\n", "test", &subscribers, error,
                              sizeof(error)) != 0)
        fail_msg("%s", error);
    key = &subscribers.list[0].key;
    milenage_f2345(key, rand, &answer);
    expect(answer.res, "657acd64");
    expect(answer.ck, "d71a1e5c6caffe986a26f783e5c78be1");
    expect(answer.ik, "be849fa2564f869aecee6f62d4337e72");
    milenage_autn(key, rand, UINT64_C(0x111111111111), amf, autn);
    expect(autn + 8, "f9a54e6aeaa8618d");
    assert_true(milenage_autn_verify(key, rand, autn, &sqn));
    assert_true(sqn == UINT64_C(0x111111111111));
    autn[15] ^= 1;
    assert_false(milenage_autn_verify(key, rand, autn, &sqn));
    milenage_auts(key, rand, 77, auts);
    assert_true(milenage_auts_verify(key, rand, auts, &sqn));
    assert_true(sqn == 77);
    lab_subscribers_done(&subscribers);
}

static void what_does_not_fit_together_is_refused(void **state) {
    static const char *const texts[] = {
        HEAD,                                                /* neither Top nor Topc */
        HEAD TOP "Opc = abababababababababababababababab\n", /* Milenage's */
        HEAD TOP "ResLength = 5\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct lab_subscribers subscribers;
        char error[256] = "";

        assert_int_equal(
            lab_subscribers_parse(texts[i], "test", &subscribers, error, sizeof(error)), -22);
        assert_true(error[0] != '\0');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_sets_come_out),
        cmocka_unit_test(a_subscriber_of_tuak_has_its_answers_and_tokens),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
