/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * TUAK (TS 35.231): what Milenage is for, made of Keccak, which libnettle brings. One iteration of it, and K of 128
 * bits, as USIMs have them.
 */

#include <stddef.h>
#include <stdint.h>

enum {
    TUAK_KEY = 16,
    TUAK_TOP = 32, /* TOP and TOPc */
    TUAK_RAND = 16,
    TUAK_AMF = 2,
    TUAK_SQN = 6,
    TUAK_AK = 6,
    TUAK_MAC_MAX = 32,
    TUAK_RES_MAX = 32,
};

/* TOPc of the subscriber with key K under the operator's TOP (clause 6.1). */
void tuak_topc(const uint8_t k[TUAK_KEY], const uint8_t top[TUAK_TOP], uint8_t ret_topc[TUAK_TOP]);

/* f1, or f1* where STAR: LENGTH octets of MAC, 8, 16 or 32 (clauses 6.2 and 6.3). */
void tuak_f1(const uint8_t k[TUAK_KEY], const uint8_t topc[TUAK_TOP], const uint8_t rand[TUAK_RAND],
             const uint8_t sqn[TUAK_SQN], const uint8_t amf[TUAK_AMF], int star, uint8_t *ret_mac,
             size_t length);

/* f2 to f5: LENGTH octets of RES, 4, 8, 16 or 32; CK, IK of 16 octets and AK (clause 6.4). */
void tuak_f2345(const uint8_t k[TUAK_KEY], const uint8_t topc[TUAK_TOP],
                const uint8_t rand[TUAK_RAND], uint8_t *ret_res, size_t length, uint8_t ret_ck[16],
                uint8_t ret_ik[16], uint8_t ret_ak[TUAK_AK]);

/* f5* (clause 6.5). */
void tuak_f5_star(const uint8_t k[TUAK_KEY], const uint8_t topc[TUAK_TOP],
                  const uint8_t rand[TUAK_RAND], uint8_t ret_ak[TUAK_AK]);
