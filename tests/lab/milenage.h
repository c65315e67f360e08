/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Milenage: the functions f1 to f5* that a USIM and its home network share (TS 35.206), and the
 * tokens made of them (TS 33.102): AUTN by the network, AUTS by the card.
 *
 * Sequence numbers are the 48-bit integer SQN in a uint64_t. Nothing here can fail; what a caller
 * must keep secret is what TS 33.102 says: K, OPc, AK, RES, CK and IK.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
    MILENAGE_KEY = 16, /* K, OP, OPc, CK, IK: octets */
    MILENAGE_RAND = 16,
    MILENAGE_AUTN = 16, /* SQN xor AK (6), AMF (2), MAC-A (8) */
    MILENAGE_AUTS = 14, /* SQN_MS xor AK* (6), MAC-S (8) */
    MILENAGE_RES = 8,
    MILENAGE_MAC = 8,
    MILENAGE_AK = 6,
    MILENAGE_AMF = 2,
    MILENAGE_KC = 8,
};

struct milenage_key {
    uint8_t k[MILENAGE_KEY];
    uint8_t opc[MILENAGE_KEY];
    bool is_tuak; /* TUAK (TS 35.231) takes Milenage's place in all that is here */
    uint8_t topc[32];
    unsigned tuak_res; /* octets of RES, 4 or 8: TUAK's depends on how long it is */
};

/* What f2, f3, f4, f5 and f5* give for one RAND. */
struct milenage_answer {
    uint8_t res[MILENAGE_RES];
    uint8_t ck[MILENAGE_KEY];
    uint8_t ik[MILENAGE_KEY];
    uint8_t ak[MILENAGE_AK];
    uint8_t ak_star[MILENAGE_AK];
};

/* OPc of the subscriber with key K under the operator's OP (TS 35.206 clause 4.1). */
void milenage_opc(const uint8_t k[MILENAGE_KEY], const uint8_t op[MILENAGE_KEY],
                  uint8_t ret_opc[MILENAGE_KEY]);

/* f1 and f1*: MAC-A (into RET_MAC_A) and MAC-S (into RET_MAC_S); either may be NULL. */
void milenage_f1(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND], uint64_t sqn,
                 const uint8_t amf[MILENAGE_AMF], uint8_t ret_mac_a[MILENAGE_MAC],
                 uint8_t ret_mac_s[MILENAGE_MAC]);

/* f2, f3, f4, f5 and f5*. */
void milenage_f2345(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                    struct milenage_answer *ret_answer);

/* The home network's AUTN for RAND and SQN (TS 33.102 clause 6.3.2). */
void milenage_autn(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND], uint64_t sqn,
                   const uint8_t amf[MILENAGE_AMF], uint8_t ret_autn[MILENAGE_AUTN]);

/*
 * The card's check of AUTN, of its MAC alone: whether the SQN is fresh is for the caller to say.
 * True, and the SQN that AUTN carries in RET_SQN, when the MAC is right; false otherwise, RET_SQN
 * untouched.
 */
bool milenage_autn_verify(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                          const uint8_t autn[MILENAGE_AUTN], uint64_t *ret_sqn);

/*
 * The card's AUTS for RAND with the highest SQN that it accepted (TS 33.102 clause 6.3.3; AMF is
 * 0000).
 */
void milenage_auts(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                   uint64_t sqn_ms, uint8_t ret_auts[MILENAGE_AUTS]);

/*
 * The home network's check of AUTS (TS 33.102 clause 6.3.5). True, and the card's SQN in
 * RET_SQN_MS, when its MAC-S is right; false otherwise, RET_SQN_MS untouched.
 */
bool milenage_auts_verify(const struct milenage_key *key, const uint8_t rand[MILENAGE_RAND],
                          const uint8_t auts[MILENAGE_AUTS], uint64_t *ret_sqn_ms);

/*
 * AUTN with its MAC masked by SHA-1 of IK, as the network does in GBA_U (TS 33.220 clause 5.3.2, unverified); done
 * again, as the card does, the MAC is back.
 */
void milenage_mask_gba_u(const struct milenage_answer *answer, uint8_t autn[MILENAGE_AUTN]);

/* Kc from CK and IK: conversion function c3 (TS 33.102 clause 6.8.1.2). */
void milenage_kc(const struct milenage_answer *answer, uint8_t ret_kc[MILENAGE_KC]);
