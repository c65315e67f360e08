/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's Milenage against osmo-auc-gen of libosmocore-utils, which shares no code with it: the
 * published sets, so that they are known to be the published ones, and inputs that nobody has
 * chosen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <inttypes.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "hex.h"
#include "milenage-sets.h"
#include "milenage.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

enum {
    RANDOM_ROUNDS = 100,
    OUTPUT_MAX = 4096,
};

/* All inputs as the hexadecimal text that both sides are given. */
struct input {
    char k[33], opc[33], rand[33], amf[5];
    uint64_t sqn;
};

/*
 * What the other program prints for INPUT with OPTION and VALUE (its SQN, or an AUTS); its exit
 * code is 0. All values are digits, so the shell has nothing to misunderstand.
 */
static void ask_osmo(const struct input *input, const char *op_option, const char *op,
                     const char *option, const char *value, char ret_output[OUTPUT_MAX]) {
    char command[512];
    size_t length;
    int status;
    FILE *pipe;

    snprintf(command, sizeof(command), "osmo-auc-gen -3 -a MILENAGE -k %s %s %s -f %s -r %s %s %s",
             input->k, op_option, op, input->amf, input->rand, option, value);
    pipe = popen(command, "re");
    assert_non_null(pipe);
    length = fread(ret_output, 1, OUTPUT_MAX - 1, pipe);
    ret_output[length] = '\0';
    status = pclose(pipe);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        fail_msg("osmo-auc-gen is missing: apt install libosmocore-utils");
    assert_int_equal(status, 0);
}

/* "NAME:<tab>VALUE" is a line of OUTPUT. */
static void assert_line(const char *output, const char *name, const char *value) {
    char line[128];

    snprintf(line, sizeof(line), "\n%s:\t%s\n", name, value);
    if (!strstr(output, line))
        fail_msg("no \"%s %s\" in what osmo-auc-gen prints:\n%s", name, value, output);
}

static void assert_octets(const char *output, const char *name, const uint8_t *octets,
                          size_t length) {
    char text[65];

    assert_true(length <= 32);
    hex_encode(octets, length, text);
    assert_line(output, name, text);
}

static struct milenage_key key_of(const struct input *input) {
    struct milenage_key key = {0};

    assert_int_equal(hex_decode_exactly(input->k, key.k, sizeof(key.k)), 0);
    assert_int_equal(hex_decode_exactly(input->opc, key.opc, sizeof(key.opc)), 0);
    return key;
}

static void assert_same_vector(const struct input *input, const char *output) {
    struct milenage_key key = key_of(input);
    struct milenage_answer answer;
    uint8_t rand[MILENAGE_RAND], amf[MILENAGE_AMF], autn[MILENAGE_AUTN], kc[MILENAGE_KC];

    assert_int_equal(hex_decode_exactly(input->rand, rand, sizeof(rand)), 0);
    assert_int_equal(hex_decode_exactly(input->amf, amf, sizeof(amf)), 0);
    milenage_f2345(&key, rand, &answer);
    milenage_autn(&key, rand, input->sqn, amf, autn);
    milenage_kc(&answer, kc);
    assert_octets(output, "AUTN", autn, sizeof(autn));
    assert_octets(output, "RES", answer.res, sizeof(answer.res));
    assert_octets(output, "CK", answer.ck, sizeof(answer.ck));
    assert_octets(output, "IK", answer.ik, sizeof(answer.ik));
    assert_octets(output, "Kc", kc, sizeof(kc));
}

static void compare_vector(const struct input *input, const char *op_option, const char *op) {
    char sqn[24], output[OUTPUT_MAX];

    snprintf(sqn, sizeof(sqn), "%" PRIu64, input->sqn);
    ask_osmo(input, op_option, op, "-s", sqn, output);
    assert_same_vector(input, output);
}

/* The other side finds the SQN that our AUTS carries; it says so only if MAC-S is right. */
static void compare_auts(const struct input *input) {
    struct milenage_key key = key_of(input);
    uint8_t rand[MILENAGE_RAND], auts[MILENAGE_AUTS];
    char text[2 * MILENAGE_AUTS + 1], sqn[24], output[OUTPUT_MAX];

    assert_int_equal(hex_decode_exactly(input->rand, rand, sizeof(rand)), 0);
    milenage_auts(&key, rand, input->sqn, auts);
    hex_encode(auts, sizeof(auts), text);
    ask_osmo(input, "-o", input->opc, "-A", text, output);
    snprintf(sqn, sizeof(sqn), "%" PRIu64, input->sqn);
    assert_line(output, "SQN.MS", sqn);
}

static struct input input_of(const struct milenage_set *set) {
    struct input input = {.sqn = strtoull(set->sqn, NULL, 16)};

    strcpy(input.k, set->k);
    strcpy(input.opc, set->opc);
    strcpy(input.rand, set->rand);
    strcpy(input.amf, set->amf);
    return input;
}

/* The published values themselves, not only ours, are the other side's. */
static void osmo_confirms_every_published_set(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(milenage_sets); i++) {
        const struct milenage_set *set = &milenage_sets[i];
        struct input input = input_of(set);
        char sqn[24], output[OUTPUT_MAX];

        snprintf(sqn, sizeof(sqn), "%" PRIu64, input.sqn);
        ask_osmo(&input, "-o", set->opc, "-s", sqn, output);
        assert_line(output, "RES", set->f2);
        assert_line(output, "CK", set->f3);
        assert_line(output, "IK", set->f4);
        assert_same_vector(&input, output);
    }
}

static void osmo_computes_the_same_from_op_as_we_from_opc(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(milenage_sets); i++) {
        struct input input = input_of(&milenage_sets[i]);

        compare_vector(&input, "-O", milenage_sets[i].op);
    }
}

static void osmo_accepts_our_auts_for_every_published_set(void **state) {
    (void)state;
    for (size_t i = 0; i < LENGTH_OF(milenage_sets); i++) {
        struct input input = input_of(&milenage_sets[i]);

        compare_auts(&input);
    }
}

/* A fixed seed: the same inputs in every run, but none that was chosen. */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void random_hex(uint64_t *state, char *ret_text, size_t octets) {
    for (size_t i = 0; i < octets; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", (unsigned)(next_random(state) & 0xff));
}

static void osmo_and_we_agree_on_vectors_and_auts_of_a_hundred_random_inputs(void **state) {
    uint64_t random = 1;

    (void)state;
    for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
        struct input input;

        random_hex(&random, input.k, 16);
        random_hex(&random, input.opc, 16);
        random_hex(&random, input.rand, 16);
        random_hex(&random, input.amf, 2);
        /* Away from both ends: the other program steps the SQN on its own there. */
        input.sqn = (next_random(&random) >> 17) + 64;
        compare_vector(&input, "-o", input.opc);
        compare_auts(&input);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(osmo_confirms_every_published_set),
        cmocka_unit_test(osmo_computes_the_same_from_op_as_we_from_opc),
        cmocka_unit_test(osmo_accepts_our_auts_for_every_published_set),
        cmocka_unit_test(osmo_and_we_agree_on_vectors_and_auts_of_a_hundred_random_inputs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
