/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * TUAK (TS 35.231): one permutation of Keccak over everything that goes in, each value with its last octet first, and
 * what comes out read in the same way.
 */
#include <string.h>

#include <nettle/sha3.h>

#include "tuak.h"

enum {
    STATE = 200, /* octets of the permutation */
    INSTANCE_TOPC = 0x00,
    INSTANCE_F1 = 0x00,
    INSTANCE_F1_STAR = 0x80,
    INSTANCE_F2345 = 0x40,
    INSTANCE_F5_STAR = 0xc0,
    OUT_CK = 32,
    OUT_IK = 64,
    OUT_AK = 96,
    KEY_ROOM = 32, /* for keys of 256 bits */
    PAD_FIRST = 0x1f,
    PAD_LAST = 0x80,
    PAD_LAST_AT = 135, /* the rate of 1088 bits */
};

struct input {
    const uint8_t *k, *top; /* TOP or TOPc */
    uint8_t instance;
    const uint8_t *rand, *amf, *sqn; /* NULL for zeros */
};

/* Append LENGTH octets, the last one first. */
static size_t put(uint8_t *state, size_t at, const uint8_t *octets, size_t length) {
    for (size_t i = 0; octets && i < length; i++)
        state[at + i] = octets[length - 1 - i];
    return at + length;
}

static void take(const uint8_t *state, size_t at, uint8_t *ret, size_t length) {
    for (size_t i = 0; i < length; i++)
        ret[i] = state[at + length - 1 - i];
}

/* The lanes of the permutation are 64-bit words with their lowest octet first, whatever the machine is. */
static void permute(uint8_t octets[STATE]) {
    struct sha3_state state = {0};

    for (size_t i = 0; i < STATE; i++)
        state.a[i / 8] |= (uint64_t)octets[i] << 8 * (i % 8);
    sha3_permute(&state);
    for (size_t i = 0; i < STATE; i++)
        octets[i] = (uint8_t)(state.a[i / 8] >> 8 * (i % 8));
    explicit_bzero(&state, sizeof(state));
}

static void run(const struct input *input, uint8_t ret_state[STATE]) {
    static const uint8_t name[] = {'T', 'U', 'A', 'K', '1', '.', '0'};
    size_t at = 0;

    memset(ret_state, 0, STATE);
    at = put(ret_state, at, input->top, TUAK_TOP);
    ret_state[at++] = input->instance;
    at = put(ret_state, at, name, sizeof(name));
    at = put(ret_state, at, input->rand, TUAK_RAND);
    at = put(ret_state, at, input->amf, TUAK_AMF);
    at = put(ret_state, at, input->sqn, TUAK_SQN);
    (void)put(ret_state, at, input->k, TUAK_KEY);
    ret_state[at + KEY_ROOM] = PAD_FIRST;
    ret_state[PAD_LAST_AT] = PAD_LAST;
    permute(ret_state);
}

void tuak_topc(const uint8_t k[TUAK_KEY], const uint8_t top[TUAK_TOP], uint8_t ret_topc[TUAK_TOP]) {
    const struct input input = {.k = k, .top = top, .instance = INSTANCE_TOPC};
    uint8_t state[STATE];

    run(&input, state);
    take(state, 0, ret_topc, TUAK_TOP);
    explicit_bzero(state, sizeof(state));
}

void tuak_f1(const uint8_t k[TUAK_KEY], const uint8_t topc[TUAK_TOP], const uint8_t rand[TUAK_RAND],
             const uint8_t sqn[TUAK_SQN], const uint8_t amf[TUAK_AMF], int star, uint8_t *ret_mac,
             size_t length) {
    const struct input input = {
        .k = k,
        .top = topc,
        .instance = (uint8_t)((star ? INSTANCE_F1_STAR : INSTANCE_F1) | length),
        .rand = rand,
        .amf = amf,
        .sqn = sqn,
    };
    uint8_t state[STATE];

    run(&input, state);
    take(state, 0, ret_mac, length);
    explicit_bzero(state, sizeof(state));
}

void tuak_f2345(const uint8_t k[TUAK_KEY], const uint8_t topc[TUAK_TOP],
                const uint8_t rand[TUAK_RAND], uint8_t *ret_res, size_t length, uint8_t ret_ck[16],
                uint8_t ret_ik[16], uint8_t ret_ak[TUAK_AK]) {
    /* RES of 32 bits has no bit of its own. */
    const struct input input = {
        .k = k, .top = topc, .instance = (uint8_t)(INSTANCE_F2345 | (length & 0x38)), .rand = rand};
    uint8_t state[STATE];

    run(&input, state);
    take(state, 0, ret_res, length);
    take(state, OUT_CK, ret_ck, 16);
    take(state, OUT_IK, ret_ik, 16);
    take(state, OUT_AK, ret_ak, TUAK_AK);
    explicit_bzero(state, sizeof(state));
}

void tuak_f5_star(const uint8_t k[TUAK_KEY], const uint8_t topc[TUAK_TOP],
                  const uint8_t rand[TUAK_RAND], uint8_t ret_ak[TUAK_AK]) {
    const struct input input = {.k = k, .top = topc, .instance = INSTANCE_F5_STAR, .rand = rand};
    uint8_t state[STATE];

    run(&input, state);
    take(state, OUT_AK, ret_ak, TUAK_AK);
    explicit_bzero(state, sizeof(state));
}
