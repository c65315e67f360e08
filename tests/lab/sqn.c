/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card's memory of sequence numbers (TS 33.102 Annex C).
 */
#include "sqn.h"

void sqn_init(struct sqn *sqn, unsigned ind_bits, uint64_t highest) {
    *sqn = (struct sqn){.ind_bits = ind_bits, .delta = SQN_DELTA};
    for (unsigned ind = 0; ind < 1u << ind_bits; ind++)
        sqn->seq[ind] = highest >> ind_bits;
}

static unsigned index_of_highest(const struct sqn *sqn) {
    unsigned highest = 0;

    for (unsigned ind = 1; ind < 1u << sqn->ind_bits; ind++) {
        if (sqn->seq[ind] > sqn->seq[highest])
            highest = ind;
    }
    return highest;
}

uint64_t sqn_highest(const struct sqn *sqn) {
    unsigned highest = index_of_highest(sqn);

    return sqn->seq[highest] << sqn->ind_bits | highest;
}

bool sqn_accept(struct sqn *sqn, uint64_t value) {
    uint64_t seq = value >> sqn->ind_bits;
    unsigned ind = (unsigned)(value & ((1u << sqn->ind_bits) - 1));
    uint64_t highest = sqn->seq[index_of_highest(sqn)];

    if (seq <= sqn->seq[ind])
        return false;
    if (seq > highest && seq - highest > sqn->delta)
        return false;
    sqn->seq[ind] = seq;
    return true;
}
