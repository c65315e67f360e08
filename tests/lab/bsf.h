/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The lab's BSF, with the part of an HSS that it needs: what it remembers, and what it can be told to do wrong.
 *
 * One lock guards all of it; whoever calls a function here but bsf_serve_ub() and bsf_serve_zn()
 * holds it. Clocks: "now" is the BSF's own wall clock in seconds since the epoch, which a fault
 * may skew; ages are of CLOCK_MONOTONIC, which none can.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"
#include "digest.h"
#include "gba-kdf.h"
#include "lab-http.h"
#include "milenage.h"
#include "subscribers.h"

#define BSF_CHALLENGES_MAX    256u /* outstanding; the oldest makes room */
#define BSF_BOOTSTRAPS_MAX    1024u
#define BSF_NONCE_AGE_MAX_SEC 60
#define BSF_SERVER_DATA       8u /* octets of the nonce behind RAND and AUTN */
#define BSF_NONCE_LENGTH      (MILENAGE_RAND + MILENAGE_AUTN + BSF_SERVER_DATA)
#define BSF_NONCE_SIZE        64u /* base64 of that and its end */
#define BSF_BTID_SIZE         320u
#define BSF_BIG_BODY          (1024u * 1024)

/* An authentication vector that was sent and may be answered once. */
struct bsf_challenge {
    struct lab_subscriber *subscriber; /* NULL: this place is free */
    char nonce[BSF_NONCE_SIZE];
    char opaque[LAB_DIGEST_HEX];
    uint8_t rand[MILENAGE_RAND];
    uint8_t xres[MILENAGE_RES];
    uint8_t ck[MILENAGE_KEY];
    uint8_t ik[MILENAGE_KEY];
    int64_t issued_sec; /* CLOCK_MONOTONIC */
    uint64_t number;    /* counts up with each challenge */
    bool auth_only;     /* offers qop auth instead of auth-int */
    bool refused;       /* follows a wrong response */
    bool resynced;      /* follows an AUTS */
};

struct bsf_bootstrap {
    char btid[BSF_BTID_SIZE]; /* "": this place is free */
    char impi[LAB_IMPI_MAX + 1];
    uint8_t rand[MILENAGE_RAND];
    uint8_t ks[LAB_KS_LENGTH];
    int64_t expires; /* by the BSF's unskewed clock */
};

enum bsf_fault {
    BSF_FAULT_STATUS,
    BSF_FAULT_SLOW,
    BSF_FAULT_HANG,
    BSF_FAULT_GARBAGE,
    BSF_FAULT_BODY_GARBAGE,
    BSF_FAULT_NO_RSPAUTH,
    BSF_FAULT_WRONG_RSPAUTH,
    BSF_FAULT_WRONG_MAC,
    BSF_FAULT_STALE_SQN,
    BSF_FAULT_SAME_NONCE,
    BSF_FAULT_NO_CURRENTTIME,
    BSF_FAULT_NO_DATE,
    BSF_FAULT_CLOCK_SKEW,
    BSF_FAULT_LIFETIME,
    BSF_FAULT_NO_CHALLENGE,
    BSF_FAULT_AUTH_ONLY,
    BSF_FAULT_REDIRECT,
    BSF_FAULT_BIG_BODY,
    BSF_FAULTS,
};

struct bsf_fault_setting {
    bool set;
    uint64_t left; /* uses; 0: until it is cleared */
    int64_t argument;
    int64_t second;
};

struct bsf_counts {
    uint64_t requests;
    uint64_t challenges;
    uint64_t bootstraps;
    uint64_t resyncs;
    uint64_t refusals; /* 400, 403 and challenges after a wrong response */
    uint64_t zn_requests;
};

struct bsf {
    pthread_mutex_t lock;
    const char *name; /* in the B-TID and the Host field */
    const char *realm;
    unsigned ind;                       /* the IND that vectors for GBA use, TS 33.102 C.3.4 */
    int64_t lifetime_sec;               /* 0: the subscriber's */
    struct lab_subscribers subscribers; /* their sqn is that of the last vector made */
    struct bsf_challenge challenges[BSF_CHALLENGES_MAX];
    struct bsf_challenge last; /* the challenge sent last, answered or not */
    struct bsf_bootstrap bootstraps[BSF_BOOTSTRAPS_MAX];
    size_t bootstraps_next;
    char last_btid[BSF_BTID_SIZE];
    struct bsf_fault_setting faults[BSF_FAULTS];
    struct bsf_counts counts;
    uint64_t usec; /* atomic: time spent on Ub requests */
};

/**
 * bsf_init() - all zero but the lock
 *
 * bsf_done() erases keys and frees what bsf->subscribers has.
 */
void bsf_init(struct bsf *bsf);
void bsf_done(struct bsf *bsf);

/* --- bsf-state.c -------------------------------------------------------------------------------- */

int64_t bsf_clock_sec(void);
int64_t bsf_monotonic_sec(void);

/**
 * bsf_challenge_new() - make a vector and remember it
 * @ret: borrowed until the next call
 *
 * Return: 0; -EIO when there are no random numbers.
 */
int bsf_challenge_new(struct bsf *bsf, struct lab_subscriber *subscriber,
                      struct bsf_challenge **ret);

/**
 * bsf_challenge_take() - the outstanding challenge with @nonce, which is forgotten by this
 *
 * Return: whether there is one, of @subscriber and not too old.
 */
bool bsf_challenge_take(struct bsf *bsf, const struct lab_subscriber *subscriber, const char *nonce,
                        struct bsf_challenge *ret);

/**
 * bsf_bootstrap_add() - keep Ks and its B-TID, base64(RAND)@name (TS 33.220 4.4.5)
 */
int bsf_bootstrap_add(struct bsf *bsf, const struct bsf_challenge *challenge, int64_t expires,
                      const struct bsf_bootstrap **ret);

/**
 * bsf_bootstrap_find() - NULL when there is none or it has expired
 */
const struct bsf_bootstrap *bsf_bootstrap_find(const struct bsf *bsf, const char *btid);

/* --- bsf-fault.c -------------------------------------------------------------------------------- */

/**
 * bsf_fault_take() - whether the fault is to be shown now; each call uses up one of the times it was asked for
 */
bool bsf_fault_take(struct bsf *bsf, enum bsf_fault fault, const struct bsf_fault_setting **ret);

/* What the control socket understands; the userdata is the struct bsf. They take the lock. */
extern const struct control_command bsf_commands[];

/* --- bsf-ub.c, bsf-zn.c ------------------------------------------------------------------------- */

/**
 * bsf_serve_ub() - the lab_http_handler of Ub (TS 24.109 4); @userdata is the struct bsf. Takes the lock.
 */
int bsf_serve_ub(const struct lab_request *request, struct lab_reply *reply, void *userdata);

/**
 * bsf_serve_zn() - the lab_http_handler of a minimal Zn: GET /zn?btid=B-TID&nafid=BASE64 is answered with
 * {"impi": TEXT, "key": BASE64, "expiry": SECONDS}. Takes the lock.
 */
int bsf_serve_zn(const struct lab_request *request, struct lab_reply *reply, void *userdata);
