/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The card's memory of sequence numbers (TS 33.102 Annex C).
 *
 * SQN = SEQ || IND. For each IND the card keeps the highest SEQ that it accepted, so that numbers
 * which arrive in another order than they were made are fresh as long as each index only grows.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
    SQN_IND_BITS_MAX = 8,
    SQN_ARRAY_MAX = 1 << SQN_IND_BITS_MAX,
};

#define SQN_MAX   ((UINT64_C(1) << 48) - 1)
#define SQN_DELTA (UINT64_C(1) << 28) /* how far one SEQ may jump ahead (Annex C.2.1, C.3.2) */

struct sqn {
    unsigned ind_bits;
    uint64_t delta;
    uint64_t seq[SQN_ARRAY_MAX]; /* by IND */
};

/* Every index starts at the SEQ of HIGHEST, an SQN; IND_BITS is at most SQN_IND_BITS_MAX. */
void sqn_init(struct sqn *sqn, unsigned ind_bits, uint64_t highest);

/*
 * True when VALUE, an SQN whose MAC was right, is fresh: it is then remembered. False when it is
 * stale for its index, or further ahead of the highest SEQ than delta: nothing changes.
 */
bool sqn_accept(struct sqn *sqn, uint64_t value);

/* SQN_MS: the highest SQN accepted at any index, for AUTS (Annex C.2.2). */
uint64_t sqn_highest(const struct sqn *sqn);
