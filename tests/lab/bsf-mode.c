/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The authentication vectors of each mode of GBA, and what is made of them: GBA_ME and GBA_U (TS 33.220 4 and 5), 2G GBA
 * (Annex I), GBA_Digest (Annex M), and the password of AKAv2 (RFC 4169).
 */

#include "bsf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/memxor.h>

#include "hex.h"

#define SQN_MASK        ((UINT64_C(1) << 48) - 1)
#define FC_GBA          0x01
#define EXPORTER_LENGTH 48u
#define SRES_LENGTH     4u

/* SEQ counts up; IND stays the one that this network uses for GBA (TS 33.102 C.1.1.1 and C.3.4). */
static uint64_t next_sqn(struct bsf *bsf, struct lab_subscriber *subscriber) {
    uint64_t ind = bsf->ind & ((UINT64_C(1) << subscriber->ind_bits) - 1);
    uint64_t seq = (subscriber->sqn >> subscriber->ind_bits) + 1;

    /* SEQ 0 is one that no card takes, not even a fresh one. */
    if (bsf_fault_take(bsf, BSF_FAULT_STALE_SQN, NULL))
        return ind;
    subscriber->sqn = (seq << subscriber->ind_bits | ind) & SQN_MASK;
    return subscriber->sqn;
}

void bsf_autn(struct bsf *bsf, struct lab_subscriber *subscriber, enum bsf_mode mode,
              const uint8_t rand[MILENAGE_RAND], uint8_t ret_autn[MILENAGE_AUTN],
              struct milenage_answer *ret) {
    milenage_autn(&subscriber->key, rand, next_sqn(bsf, subscriber), subscriber->amf, ret_autn);
    milenage_f2345(&subscriber->key, rand, ret);
    if (mode == BSF_MODE_U) {
        milenage_mask_gba_u(ret, ret_autn);
        ret->res[subscriber->res_length - 1] ^= 0x01; /* TS 33.220 5.3.2 (unverified) */
    }
    if (bsf_fault_take(bsf, BSF_FAULT_WRONG_MAC, NULL))
        ret_autn[MILENAGE_AUTN - 1] ^= 0x01;
}

/* --- GBA_ME and GBA_U --------------------------------------------------------------------------- */

static void offer_akav2(struct bsf_challenge *challenge, const struct milenage_answer *answer) {
    static const char label[] = "http-digest-akav2-password";
    uint8_t key[MILENAGE_RES + 2 * MILENAGE_KEY], mac[MD5_DIGEST_SIZE];
    size_t length = challenge->subscriber->res_length;
    struct hmac_md5_ctx hmac;

    memcpy(key, answer->res, length);
    memcpy(key + length, answer->ik, MILENAGE_KEY);
    memcpy(key + length + MILENAGE_KEY, answer->ck, MILENAGE_KEY);
    hmac_md5_set_key(&hmac, length + 2 * MILENAGE_KEY, key);
    hmac_md5_update(&hmac, sizeof(label) - 1, (const uint8_t *)label);
    hmac_md5_digest(&hmac, sizeof(mac), mac);
    challenge->akav2_length = BASE64_ENCODE_RAW_LENGTH(sizeof(mac));
    base64_encode_raw((char *)challenge->akav2, sizeof(mac), mac);
}

/* The octets of the nonce from AUTN on; returns how many. */
static size_t vector_aka(struct bsf *bsf, struct bsf_challenge *challenge, uint8_t *autn) {
    struct lab_subscriber *subscriber = challenge->subscriber;
    struct milenage_answer answer;

    bsf_autn(bsf, subscriber, challenge->mode, challenge->rand, autn, &answer);
    memcpy(challenge->password, answer.res, subscriber->res_length);
    challenge->password_length = subscriber->res_length;
    memcpy(challenge->ks, answer.ck, MILENAGE_KEY);
    memcpy(challenge->ks + MILENAGE_KEY, answer.ik, MILENAGE_KEY);
    if (bsf->ways.akav2)
        offer_akav2(challenge, &answer);
    return MILENAGE_AUTN + BSF_SERVER_DATA;
}

/* --- 2G GBA ------------------------------------------------------------------------------------- */

/* SRES from RES, of 4 to 8 octets here, by conversion function c2 (TS 33.102 6.8.1.2). */
static void make_sres(const struct milenage_answer *answer, unsigned res_length,
                      uint8_t ret[SRES_LENGTH]) {
    uint8_t res[MILENAGE_RES] = {0};

    memcpy(res, answer->res, res_length);
    memcpy(ret, res, SRES_LENGTH);
    memxor(ret, res + SRES_LENGTH, SRES_LENGTH);
}

static size_t vector_2g(struct bsf_challenge *challenge, uint8_t *autn) {
    const uint8_t *ks_input = autn + MILENAGE_AUTN;
    uint8_t sres[SRES_LENGTH], key[2 * MILENAGE_KC + MILENAGE_RAND], res[32];
    struct milenage_answer answer;

    milenage_f2345(&challenge->subscriber->key, challenge->rand, &answer);
    make_sres(&answer, challenge->subscriber->res_length, sres);
    milenage_kc(&answer, key);
    memcpy(key + MILENAGE_KC, key, MILENAGE_KC);
    memcpy(key + 2 * MILENAGE_KC, challenge->rand, MILENAGE_RAND);

    const struct lab_kdf_parameter for_res[] = {{"3gpp-gba-res", 12}, {sres, sizeof(sres)}};
    const struct lab_kdf_parameter for_ks[] = {
        {ks_input, BSF_KS_INPUT}, {"3gpp-gba-ks", 11}, {sres, sizeof(sres)}};

    (void)lab_kdf(key, sizeof(key), FC_GBA, for_res, 2, res);
    (void)lab_kdf(key, sizeof(key), FC_GBA, for_ks, 3, challenge->ks);
    memcpy(challenge->password, res, 16);
    challenge->password_length = 16;
    memset(autn, 0, MILENAGE_AUTN);
    return MILENAGE_AUTN + BSF_KS_INPUT;
}

/* --- All of AKA --------------------------------------------------------------------------------- */

int bsf_vector_new(struct bsf *bsf, struct bsf_challenge *challenge) {
    uint8_t octets[BSF_NONCE_LENGTH_MAX];
    size_t length = MILENAGE_RAND;
    char *nonce;

    if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets) ||
        lab_random_hex(challenge->opaque, LAB_DIGEST_HEX - 1) < 0)
        return -EIO;
    memcpy(challenge->rand, octets, sizeof(challenge->rand));
    if (challenge->mode == BSF_MODE_DIGEST)
        return lab_random_hex(challenge->nonce, LAB_DIGEST_HEX - 1);

    length += challenge->mode == BSF_MODE_2G ? vector_2g(challenge, octets + MILENAGE_RAND)
                                             : vector_aka(bsf, challenge, octets + MILENAGE_RAND);
    nonce = lab_base64_encode(octets, length);
    if (!nonce)
        return -ENOMEM;
    snprintf(challenge->nonce, sizeof(challenge->nonce), "%s", nonce);
    free(nonce);
    return 0;
}

/* --- GBA_Digest --------------------------------------------------------------------------------- */

/* H(A1): its octets, by MD5 (TS 33.220 M.6.3). */
static void hash_a1(const struct bsf_challenge *challenge, uint8_t ret[MD5_DIGEST_SIZE]) {
    const char *const texts[] = {challenge->subscriber->impi, ":", challenge->realm, ":",
                                 challenge->subscriber->password};
    struct md5_ctx md5;

    md5_init(&md5);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        md5_update(&md5, strlen(texts[i]), (const uint8_t *)texts[i]);
    md5_digest(&md5, MD5_DIGEST_SIZE, ret);
}

void bsf_digest_password(struct bsf_challenge *challenge, const uint8_t *exporter) {
    const struct lab_kdf_parameter parameters[] = {{"GBA_Digest_RESP", 15},
                                                   {exporter, EXPORTER_LENGTH}};
    uint8_t a1[MD5_DIGEST_SIZE];

    hash_a1(challenge, a1);
    (void)lab_kdf(a1, sizeof(a1), FC_GBA, parameters, 2, challenge->password);
    challenge->password_length = 32;
}

int bsf_digest_ks(struct bsf_challenge *challenge, const uint8_t *exporter, const char *response) {
    uint8_t a1[MD5_DIGEST_SIZE], octets[MD5_DIGEST_SIZE];
    const struct lab_kdf_parameter parameters[] = {
        {"GBA_Digest_Ks", 13}, {exporter, EXPORTER_LENGTH}, {octets, sizeof(octets)}};

    if (hex_decode_exactly(response, octets, sizeof(octets)) < 0)
        return -EINVAL;
    hash_a1(challenge, a1);
    return lab_kdf(a1, sizeof(a1), FC_GBA, parameters, 3, challenge->ks);
}

int bsf_naf_key(const struct bsf_bootstrap *bootstrap, const uint8_t *naf_id, size_t length,
                uint8_t ret[LAB_NAF_KEY_LENGTH]) {
    if (bootstrap->mode == BSF_MODE_DIGEST)
        return lab_naf_key_digest(bootstrap->ks, bootstrap->nonce, bootstrap->impi, naf_id, length,
                                  ret);
    return lab_naf_key(bootstrap->ks, bootstrap->rand, bootstrap->impi, naf_id, length, ret);
}
