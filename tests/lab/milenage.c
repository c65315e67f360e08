/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Milenage (TS 35.206) on libnettle's AES-128.
 *
 * All functions are one construction: TEMP = E(RAND xor OPc), then for each output OUTn = E(rot(x
 * xor OPc, rn) xor cn) xor OPc with the constants of clause 4.1. The rotations are whole octets
 * and each constant differs from zero in its last octet only, which is how they are written here.
 */
#include <string.h>

#include <nettle/aes.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>

#include "milenage.h"
#include "tuak.h"

enum {
    BLOCK = AES_BLOCK_SIZE,
    SQN_OCTETS = 6,
};

/* Rotation (octets) and constant (last octet) of OUT1 to OUT5. */
static const struct {
    unsigned rotation;
    uint8_t constant;
} constants[5] = {{8, 0x00}, {0, 0x01}, {4, 0x02}, {8, 0x04}, {12, 0x08}};

static void xor_into(uint8_t *target, const uint8_t *other, size_t length) {
    for (size_t i = 0; i < length; i++)
        target[i] ^= other[i];
}

static void put_sqn(uint64_t sqn, uint8_t ret_octets[SQN_OCTETS]) {
    for (unsigned i = 0; i < SQN_OCTETS; i++)
        ret_octets[i] = (uint8_t)(sqn >> (8 * (SQN_OCTETS - 1 - i)));
}

static uint64_t get_sqn(const uint8_t octets[SQN_OCTETS]) {
    uint64_t sqn = 0;

    for (unsigned i = 0; i < SQN_OCTETS; i++)
        sqn = sqn << 8 | octets[i];
    return sqn;
}

void milenage_opc(const uint8_t k[MILENAGE_KEY], const uint8_t op[MILENAGE_KEY],
                  uint8_t ret_opc[MILENAGE_KEY]) {
    struct aes128_ctx aes;
    uint8_t block[BLOCK];

    aes128_set_encrypt_key(&aes, k);
    aes128_encrypt(&aes, BLOCK, block, op);
    xor_into(block, op, BLOCK);
    memcpy(ret_opc, block, BLOCK);
    explicit_bzero(&aes, sizeof(aes));
}

static void temp_of(const struct aes128_ctx *aes, const uint8_t *opc, const uint8_t *rand,
                    uint8_t ret_temp[BLOCK]) {
    uint8_t block[BLOCK];

    memcpy(block, rand, BLOCK);
    xor_into(block, opc, BLOCK);
    aes128_encrypt(aes, BLOCK, ret_temp, block);
}

/*
 * OUT1 mixes TEMP in after the rotation of IN1; the others rotate TEMP itself: MIX is TEMP or
 * NULL.
 */
static void out_of(const struct aes128_ctx *aes, const uint8_t *opc, unsigned n,
                   const uint8_t *input, const uint8_t *mix, uint8_t ret_out[BLOCK]) {
    uint8_t rotated[BLOCK];
    unsigned rotation = constants[n - 1].rotation;

    for (unsigned i = 0; i < BLOCK; i++) {
        unsigned from = (i + rotation) % BLOCK;

        rotated[i] = input[from] ^ opc[from];
    }
    rotated[BLOCK - 1] ^= constants[n - 1].constant;
    if (mix)
        xor_into(rotated, mix, BLOCK);
    aes128_encrypt(aes, BLOCK, ret_out, rotated);
    xor_into(ret_out, opc, BLOCK);
    explicit_bzero(rotated, sizeof(rotated));
}

static void f1_of_tuak(const struct milenage_key *key, const uint8_t *rand, uint64_t sqn,
                       const uint8_t *amf, uint8_t *ret_mac_a, uint8_t *ret_mac_s) {
    uint8_t octets[SQN_OCTETS];

    put_sqn(sqn, octets);
    if (ret_mac_a)
        tuak_f1(key->k, key->topc, rand, octets, amf, 0, ret_mac_a, MILENAGE_MAC);
    if (ret_mac_s)
        tuak_f1(key->k, key->topc, rand, octets, amf, 1, ret_mac_s, MILENAGE_MAC);
}

static void f2345_of_tuak(const struct milenage_key *key, const uint8_t *rand,
                          struct milenage_answer *ret) {
    memset(ret->res, 0, sizeof(ret->res));
    tuak_f2345(key->k, key->topc, rand, ret->res, key->tuak_res, ret->ck, ret->ik, ret->ak);
    tuak_f5_star(key->k, key->topc, rand, ret->ak_star);
}

void milenage_f1(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND], uint64_t sqn,
                 const uint8_t amf[MILENAGE_AMF], uint8_t ret_mac_a[MILENAGE_MAC],
                 uint8_t ret_mac_s[MILENAGE_MAC]) {
    struct aes128_ctx aes;
    uint8_t temp[BLOCK], in1[BLOCK], out1[BLOCK];

    if (key->is_tuak) {
        f1_of_tuak(key, rand, sqn, amf, ret_mac_a, ret_mac_s);
        return;
    }
    aes128_set_encrypt_key(&aes, key->k);
    temp_of(&aes, key->opc, rand, temp);

    put_sqn(sqn, in1);
    memcpy(in1 + SQN_OCTETS, amf, MILENAGE_AMF);
    memcpy(in1 + BLOCK / 2, in1, BLOCK / 2);

    out_of(&aes, key->opc, 1, in1, temp, out1);
    if (ret_mac_a)
        memcpy(ret_mac_a, out1, MILENAGE_MAC);
    if (ret_mac_s)
        memcpy(ret_mac_s, out1 + MILENAGE_MAC, MILENAGE_MAC);
    explicit_bzero(&aes, sizeof(aes));
    explicit_bzero(temp, sizeof(temp));
}

void milenage_f2345(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                    struct milenage_answer *ret_answer) {
    struct aes128_ctx aes;
    uint8_t temp[BLOCK], out[BLOCK];

    if (key->is_tuak) {
        f2345_of_tuak(key, rand, ret_answer);
        return;
    }
    aes128_set_encrypt_key(&aes, key->k);
    temp_of(&aes, key->opc, rand, temp);

    out_of(&aes, key->opc, 2, temp, NULL, out);
    memcpy(ret_answer->ak, out, MILENAGE_AK);
    memcpy(ret_answer->res, out + BLOCK - MILENAGE_RES, MILENAGE_RES);
    out_of(&aes, key->opc, 3, temp, NULL, ret_answer->ck);
    out_of(&aes, key->opc, 4, temp, NULL, ret_answer->ik);
    out_of(&aes, key->opc, 5, temp, NULL, out);
    memcpy(ret_answer->ak_star, out, MILENAGE_AK);

    explicit_bzero(&aes, sizeof(aes));
    explicit_bzero(temp, sizeof(temp));
    explicit_bzero(out, sizeof(out));
}

void milenage_autn(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND], uint64_t sqn,
                   const uint8_t amf[MILENAGE_AMF], uint8_t ret_autn[MILENAGE_AUTN]) {
    struct milenage_answer answer;

    milenage_f2345(key, rand, &answer);
    put_sqn(sqn, ret_autn);
    xor_into(ret_autn, answer.ak, MILENAGE_AK);
    memcpy(ret_autn + SQN_OCTETS, amf, MILENAGE_AMF);
    milenage_f1(key, rand, sqn, amf, ret_autn + SQN_OCTETS + MILENAGE_AMF, NULL);
    explicit_bzero(&answer, sizeof(answer));
}

bool milenage_autn_verify(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                          const uint8_t autn[MILENAGE_AUTN], uint64_t *ret_sqn) {
    struct milenage_answer answer;
    uint8_t sqn[SQN_OCTETS], mac[MILENAGE_MAC];

    milenage_f2345(key, rand, &answer);
    memcpy(sqn, autn, SQN_OCTETS);
    xor_into(sqn, answer.ak, MILENAGE_AK);
    explicit_bzero(&answer, sizeof(answer));

    milenage_f1(key, rand, get_sqn(sqn), autn + SQN_OCTETS, mac, NULL);
    if (!memeql_sec(mac, autn + SQN_OCTETS + MILENAGE_AMF, MILENAGE_MAC))
        return false;
    *ret_sqn = get_sqn(sqn);
    return true;
}

void milenage_auts(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                   uint64_t sqn_ms, uint8_t ret_auts[MILENAGE_AUTS]) {
    static const uint8_t no_amf[MILENAGE_AMF] = {0, 0};
    struct milenage_answer answer;

    milenage_f2345(key, rand, &answer);
    put_sqn(sqn_ms, ret_auts);
    xor_into(ret_auts, answer.ak_star, MILENAGE_AK);
    milenage_f1(key, rand, sqn_ms, no_amf, NULL, ret_auts + SQN_OCTETS);
    explicit_bzero(&answer, sizeof(answer));
}

bool milenage_auts_verify(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                          const uint8_t auts[MILENAGE_AUTS], uint64_t *ret_sqn_ms) {
    static const uint8_t no_amf[MILENAGE_AMF] = {0, 0};
    struct milenage_answer answer;
    uint8_t sqn[SQN_OCTETS], mac[MILENAGE_MAC];

    milenage_f2345(key, rand, &answer);
    memcpy(sqn, auts, SQN_OCTETS);
    xor_into(sqn, answer.ak_star, MILENAGE_AK);
    explicit_bzero(&answer, sizeof(answer));

    milenage_f1(key, rand, get_sqn(sqn), no_amf, NULL, mac);
    if (!memeql_sec(mac, auts + SQN_OCTETS, MILENAGE_MAC))
        return false;
    *ret_sqn_ms = get_sqn(sqn);
    return true;
}

void milenage_mask_gba_u(const struct milenage_answer *answer, uint8_t autn[MILENAGE_AUTN]) {
    uint8_t hash[SHA1_DIGEST_SIZE];
    struct sha1_ctx sha1;

    sha1_init(&sha1);
    sha1_update(&sha1, sizeof(answer->ik), answer->ik);
    sha1_digest(&sha1, sizeof(hash), hash);
    xor_into(autn + MILENAGE_AUTN - MILENAGE_MAC, hash, MILENAGE_MAC);
}

void milenage_kc(const struct milenage_answer *answer, uint8_t ret_kc[MILENAGE_KC]) {
    memcpy(ret_kc, answer->ck, MILENAGE_KC);
    xor_into(ret_kc, answer->ck + MILENAGE_KC, MILENAGE_KC);
    xor_into(ret_kc, answer->ik, MILENAGE_KC);
    xor_into(ret_kc, answer->ik + MILENAGE_KC, MILENAGE_KC);
}
