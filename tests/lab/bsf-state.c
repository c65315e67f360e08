/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the BSF remembers: subscribers with their sequence numbers, challenges that wait for an answer, and
 * bootstraps that NAFs may ask for.
 *
 * Everything is in arrays of fixed size in which the oldest makes room, so that no number of clients makes the
 * BSF grow.
 */

#include "bsf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SQN_MASK ((UINT64_C(1) << 48) - 1)

void bsf_init(struct bsf *bsf) {
    memset(bsf, 0, sizeof(*bsf));
    (void)pthread_mutex_init(&bsf->lock, NULL);
}

void bsf_done(struct bsf *bsf) {
    lab_subscribers_done(&bsf->subscribers);
    explicit_bzero(bsf->challenges, sizeof(bsf->challenges));
    explicit_bzero(&bsf->last, sizeof(bsf->last));
    explicit_bzero(bsf->bootstraps, sizeof(bsf->bootstraps));
    (void)pthread_mutex_destroy(&bsf->lock);
}

static int64_t clock_sec(clockid_t clock) {
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return now.tv_sec;
}

int64_t bsf_clock_sec(void) {
    return clock_sec(CLOCK_REALTIME);
}

int64_t bsf_monotonic_sec(void) {
    return clock_sec(CLOCK_MONOTONIC);
}

/* --- Challenges --------------------------------------------------------------------------------- */

static struct bsf_challenge *oldest_challenge(struct bsf *bsf) {
    struct bsf_challenge *oldest = &bsf->challenges[0];

    for (size_t i = 0; i < BSF_CHALLENGES_MAX; i++) {
        if (!bsf->challenges[i].subscriber)
            return &bsf->challenges[i];
        if (bsf->challenges[i].number < oldest->number)
            oldest = &bsf->challenges[i];
    }
    return oldest;
}

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

static int make_vector(struct bsf *bsf, struct bsf_challenge *challenge) {
    struct lab_subscriber *subscriber = challenge->subscriber;
    uint8_t octets[BSF_NONCE_LENGTH];
    uint8_t *autn = octets + MILENAGE_RAND;
    struct milenage_answer answer;
    char *nonce;

    if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets) ||
        lab_random_hex(challenge->opaque, LAB_DIGEST_HEX - 1) < 0)
        return -EIO;
    memcpy(challenge->rand, octets, sizeof(challenge->rand));
    milenage_autn(&subscriber->key, challenge->rand, next_sqn(bsf, subscriber), subscriber->amf,
                  autn);
    if (bsf_fault_take(bsf, BSF_FAULT_WRONG_MAC, NULL))
        autn[MILENAGE_AUTN - 1] ^= 0x01;

    milenage_f2345(&subscriber->key, challenge->rand, &answer);
    memcpy(challenge->xres, answer.res, sizeof(challenge->xres));
    memcpy(challenge->ck, answer.ck, sizeof(challenge->ck));
    memcpy(challenge->ik, answer.ik, sizeof(challenge->ik));

    nonce = lab_base64_encode(octets, sizeof(octets));
    if (!nonce)
        return -ENOMEM;
    snprintf(challenge->nonce, sizeof(challenge->nonce), "%s", nonce);
    free(nonce);
    return 0;
}

int bsf_challenge_new(struct bsf *bsf, struct lab_subscriber *subscriber,
                      struct bsf_challenge **ret) {
    struct bsf_challenge challenge = {.subscriber = subscriber};
    struct bsf_challenge *place;
    int r;

    if (bsf->last.subscriber == subscriber && bsf_fault_take(bsf, BSF_FAULT_SAME_NONCE, NULL)) {
        challenge = bsf->last;
        challenge.refused = challenge.resynced = false;
    } else {
        r = make_vector(bsf, &challenge);
        if (r < 0)
            return r;
    }
    challenge.issued_sec = bsf_monotonic_sec();
    challenge.number = ++bsf->counts.challenges;
    bsf->last = challenge;
    place = oldest_challenge(bsf);
    *place = challenge;
    *ret = place;
    return 0;
}

bool bsf_challenge_take(struct bsf *bsf, const struct lab_subscriber *subscriber, const char *nonce,
                        struct bsf_challenge *ret) {
    for (size_t i = 0; i < BSF_CHALLENGES_MAX; i++) {
        struct bsf_challenge *challenge = &bsf->challenges[i];

        if (challenge->subscriber != subscriber || strcmp(challenge->nonce, nonce) != 0)
            continue;
        *ret = *challenge;
        memset(challenge, 0, sizeof(*challenge));
        return bsf_monotonic_sec() - ret->issued_sec <= BSF_NONCE_AGE_MAX_SEC;
    }
    return false;
}

/* --- Bootstraps --------------------------------------------------------------------------------- */

int bsf_bootstrap_add(struct bsf *bsf, const struct bsf_challenge *challenge, int64_t expires,
                      const struct bsf_bootstrap **ret) {
    struct bsf_bootstrap *bootstrap = &bsf->bootstraps[bsf->bootstraps_next];
    char *rand = lab_base64_encode(challenge->rand, sizeof(challenge->rand));

    if (!rand)
        return -ENOMEM;
    snprintf(bootstrap->btid, sizeof(bootstrap->btid), "%s@%s", rand, bsf->name);
    free(rand);
    memcpy(bootstrap->impi, challenge->subscriber->impi, sizeof(bootstrap->impi));
    memcpy(bootstrap->rand, challenge->rand, sizeof(bootstrap->rand));
    memcpy(bootstrap->ks, challenge->ck, MILENAGE_KEY);
    memcpy(bootstrap->ks + MILENAGE_KEY, challenge->ik, MILENAGE_KEY);
    bootstrap->expires = expires;

    memcpy(bsf->last_btid, bootstrap->btid, sizeof(bsf->last_btid));
    bsf->bootstraps_next = (bsf->bootstraps_next + 1) % BSF_BOOTSTRAPS_MAX;
    bsf->counts.bootstraps++;
    *ret = bootstrap;
    return 0;
}

const struct bsf_bootstrap *bsf_bootstrap_find(const struct bsf *bsf, const char *btid) {
    for (size_t i = 0; i < BSF_BOOTSTRAPS_MAX; i++) {
        const struct bsf_bootstrap *bootstrap = &bsf->bootstraps[i];

        if (bootstrap->btid[0] != '\0' && strcmp(bootstrap->btid, btid) == 0)
            return bootstrap->expires > bsf_clock_sec() ? bootstrap : NULL;
    }
    return NULL;
}
