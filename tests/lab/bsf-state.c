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
#include <time.h>

#define TMPI_DOMAIN "@tmpi.bsf.3gppnetwork.org"
#define TMPI_OCTETS 24u

static const uint8_t tmpi_ua[LAB_UA_LENGTH] = {1, 0, 0, 1, 0};

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

/* The home network's domain in GBA_Digest (TS 24.109 I.2), the BSF's name otherwise. */
static void set_realm(const struct bsf *bsf, struct bsf_challenge *challenge) {
    const char *domain = strchr(challenge->subscriber->impi, '@');

    snprintf(challenge->realm, sizeof(challenge->realm), "%s",
             challenge->mode == BSF_MODE_DIGEST && domain ? domain + 1 : bsf->realm);
}

int bsf_challenge_new(struct bsf *bsf, struct lab_subscriber *subscriber, bool digest,
                      struct bsf_challenge **ret) {
    struct bsf_challenge challenge = {
        .subscriber = subscriber,
        .mode = digest                           ? BSF_MODE_DIGEST
                : bsf->ways.mode_set             ? bsf->ways.mode
                : subscriber->gba == LAB_GBA_YES ? BSF_MODE_U
                                                 : BSF_MODE_ME,
    };
    struct bsf_challenge *place;
    int r;

    if (bsf->last.subscriber == subscriber && bsf_fault_take(bsf, BSF_FAULT_SAME_NONCE, NULL)) {
        challenge = bsf->last;
        challenge.refused = challenge.resynced = false;
    } else {
        set_realm(bsf, &challenge);
        r = bsf_vector_new(bsf, &challenge);
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

/* TS 33.220 B.4: as the key of a NAF that has the BSF's name. */
static int make_tmpi(const struct bsf *bsf, struct bsf_bootstrap *bootstrap) {
    uint8_t naf_id[BSF_BTID_SIZE], key[LAB_NAF_KEY_LENGTH];
    size_t length = strlen(bsf->name);
    char *text;

    memcpy(naf_id, bsf->name, length);
    memcpy(naf_id + length, tmpi_ua, sizeof(tmpi_ua));
    (void)lab_naf_key(bootstrap->ks, bootstrap->rand, bootstrap->impi, naf_id,
                      length + sizeof(tmpi_ua), key);
    text = lab_base64_encode(key, TMPI_OCTETS);
    if (!text)
        return -ENOMEM;
    snprintf(bootstrap->tmpi, sizeof(bootstrap->tmpi), "%s" TMPI_DOMAIN, text);
    free(text);
    return 0;
}

int bsf_bootstrap_add(struct bsf *bsf, const struct bsf_challenge *challenge, int64_t expires,
                      const struct bsf_bootstrap **ret) {
    struct bsf_bootstrap *bootstrap = &bsf->bootstraps[bsf->bootstraps_next];
    char *rand = lab_base64_encode(challenge->rand, sizeof(challenge->rand));
    int r = 0;

    if (!rand)
        return -ENOMEM;
    memset(bootstrap, 0, sizeof(*bootstrap));
    snprintf(bootstrap->btid, sizeof(bootstrap->btid), "%s@%s", rand, bsf->name);
    free(rand);
    bootstrap->mode = challenge->mode;
    memcpy(bootstrap->nonce, challenge->nonce, sizeof(bootstrap->nonce));
    memcpy(bootstrap->impi, challenge->subscriber->impi, sizeof(bootstrap->impi));
    memcpy(bootstrap->rand, challenge->rand, sizeof(bootstrap->rand));
    memcpy(bootstrap->ks, challenge->ks, sizeof(bootstrap->ks));
    bootstrap->expires = expires;
    if (bsf->ways.tmpi && challenge->mode <= BSF_MODE_U)
        r = make_tmpi(bsf, bootstrap);
    if (r < 0)
        return r;

    memcpy(bsf->last_btid, bootstrap->btid, sizeof(bsf->last_btid));
    bsf->bootstraps_next = (bsf->bootstraps_next + 1) % BSF_BOOTSTRAPS_MAX;
    bsf->counts.bootstraps++;
    *ret = bootstrap;
    return 0;
}

static struct lab_subscriber *find_tmpi(struct bsf *bsf, const char *tmpi) {
    for (size_t i = 0; i < BSF_BOOTSTRAPS_MAX; i++) {
        const struct bsf_bootstrap *bootstrap = &bsf->bootstraps[i];

        if (bootstrap->tmpi[0] != '\0' && strcmp(bootstrap->tmpi, tmpi) == 0 &&
            bootstrap->expires > bsf_clock_sec())
            return lab_subscribers_by_impi(&bsf->subscribers, bootstrap->impi);
    }
    return NULL;
}

struct lab_subscriber *bsf_find_user(struct bsf *bsf, const char *name, bool *ret_temporary) {
    size_t length = strlen(name), domain = strlen(TMPI_DOMAIN);
    struct lab_subscriber *found;

    *ret_temporary = length > domain && strcmp(name + length - domain, TMPI_DOMAIN) == 0;
    if (!*ret_temporary)
        return lab_subscribers_by_impi(&bsf->subscribers, name);
    found = find_tmpi(bsf, name);
    if (found)
        bsf->counts.known_tmpis++;
    else
        bsf->counts.unknown_tmpis++;
    return found;
}

const struct bsf_bootstrap *bsf_bootstrap_find(const struct bsf *bsf, const char *btid) {
    for (size_t i = 0; i < BSF_BOOTSTRAPS_MAX; i++) {
        const struct bsf_bootstrap *bootstrap = &bsf->bootstraps[i];

        if (bootstrap->btid[0] != '\0' && strcmp(bootstrap->btid, btid) == 0)
            return bootstrap->expires > bsf_clock_sec() ? bootstrap : NULL;
    }
    return NULL;
}
