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
#define BSF_KS_INPUT          16u /* the same in 2G GBA, TS 33.220 Annex I */
#define BSF_NONCE_LENGTH_MAX  (MILENAGE_RAND + MILENAGE_AUTN + BSF_KS_INPUT)
#define BSF_NONCE_SIZE        72u /* base64 of that and its end */
#define BSF_PASSWORD_MAX      32u
#define BSF_REALM_SIZE        256u
#define BSF_TMPI_SIZE         64u
#define BSF_REQUEST_SIZE      640u
#define BSF_BTID_SIZE         320u
#define BSF_BIG_BODY          (1024u * 1024)

/* How a subscriber is bootstrapped. */
enum bsf_mode {
    BSF_MODE_ME,
    BSF_MODE_U,      /* TS 33.220 5 */
    BSF_MODE_2G,     /* Annex I; over https */
    BSF_MODE_DIGEST, /* Annex M; over https, for who says GBA_Digest */
};

/* A challenge that was sent and may be answered once. */
struct bsf_challenge {
    struct lab_subscriber *subscriber; /* NULL: this place is free */
    enum bsf_mode mode;
    char realm[BSF_REALM_SIZE];
    char nonce[BSF_NONCE_SIZE];
    char opaque[LAB_DIGEST_HEX];
    uint8_t rand[MILENAGE_RAND];
    uint8_t password[BSF_PASSWORD_MAX]; /* of the Digest: XRES, or what takes its place; none yet in BSF_MODE_DIGEST */
    size_t password_length;
    uint8_t akav2[BSF_PASSWORD_MAX];    /* the same for AKAv2-MD5, RFC 4169 */
    size_t akav2_length;                /* 0: not offered */
    uint8_t ks[LAB_KS_LENGTH];          /* none yet in BSF_MODE_DIGEST */
    bool by_akav2;                      /* answered so */
    int64_t issued_sec; /* CLOCK_MONOTONIC */
    uint64_t number;    /* counts up with each challenge */
    bool auth_only;     /* offers qop auth instead of auth-int */
    bool refused;       /* follows a wrong response */
    bool resynced;      /* follows an AUTS */
};

struct bsf_bootstrap {
    char btid[BSF_BTID_SIZE]; /* "": this place is free */
    char impi[LAB_IMPI_MAX + 1];
    char tmpi[BSF_TMPI_SIZE]; /* TS 33.220 B.4; "": none */
    enum bsf_mode mode;
    char nonce[BSF_NONCE_SIZE]; /* in place of RAND in BSF_MODE_DIGEST */
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
    uint64_t known_tmpis; /* requests by a temporary identity that was known, or not */
    uint64_t unknown_tmpis;
    uint64_t akav2;       /* right answers by AKAv2 */
};

/* What this network does, besides what is wrong with it. */
struct bsf_ways {
    bool mode_set; /* for all subscribers */
    enum bsf_mode mode;
    bool tmpi;
    bool akav2;
};

struct bsf {
    pthread_mutex_t lock;
    const char *name; /* in the B-TID and the Host field */
    const char *realm;
    const char *path; /* where Ub is */
    char last_request[BSF_REQUEST_SIZE]; /* what the last one was like, for the control socket */
    unsigned ind;                       /* the IND that vectors for GBA use, TS 33.102 C.3.4 */
    int64_t lifetime_sec;               /* 0: the subscriber's */
    struct bsf_ways ways;
    uint64_t pushes;
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
 * bsf_challenge_new() - make a challenge and remember it
 * @digest: for GBA_Digest; else the subscriber's mode, or what bsf->ways say
 * @ret: borrowed until the next call
 *
 * Return: 0; -EIO when there are no random numbers.
 */
int bsf_challenge_new(struct bsf *bsf, struct lab_subscriber *subscriber, bool digest,
                      struct bsf_challenge **ret);

/**
 * bsf_challenge_take() - the outstanding challenge with @nonce, which is forgotten by this
 *
 * Return: whether there is one, of @subscriber and not too old.
 */
bool bsf_challenge_take(struct bsf *bsf, const struct lab_subscriber *subscriber, const char *nonce,
                        struct bsf_challenge *ret);

/**
 * bsf_bootstrap_add() - keep Ks and its B-TID, base64(RAND)@name (TS 33.220 4.4.5), and the TMPI where bsf->ways want it
 */
int bsf_bootstrap_add(struct bsf *bsf, const struct bsf_challenge *challenge, int64_t expires,
                      const struct bsf_bootstrap **ret);

/**
 * bsf_bootstrap_find() - NULL when there is none or it has expired
 */
const struct bsf_bootstrap *bsf_bootstrap_find(const struct bsf *bsf, const char *btid);

/**
 * bsf_find_user() - the subscriber with the user name @name, an IMPI or a TMPI
 * @ret_temporary: whether it is a TMPI, known or not
 *
 * Return: NULL when it is not known.
 */
struct lab_subscriber *bsf_find_user(struct bsf *bsf, const char *name, bool *ret_temporary);

/* --- bsf-mode.c --------------------------------------------------------------------------------- */

/**
 * bsf_vector_new() - the authentication vector of @challenge->subscriber in @challenge->mode: RAND, nonce, passwords, Ks
 */
int bsf_vector_new(struct bsf *bsf, struct bsf_challenge *challenge);

/**
 * bsf_autn() - what bsf_vector_new() and a push have in common: an AUTN for @rand, as @mode wants it, and what a card
 * answers to it
 */
void bsf_autn(struct bsf *bsf, struct lab_subscriber *subscriber, enum bsf_mode mode,
              const uint8_t rand[MILENAGE_RAND], uint8_t ret_autn[MILENAGE_AUTN],
              struct milenage_answer *ret);

/**
 * bsf_digest_password() - the password of GBA_Digest, which hangs on the TLS connection (TS 33.220 B.5)
 * @exporter: 48 octets
 */
void bsf_digest_password(struct bsf_challenge *challenge, const uint8_t *exporter);

/**
 * bsf_digest_ks() - its Ks; @response is what the client sent, 32 hex digits
 */
int bsf_digest_ks(struct bsf_challenge *challenge, const uint8_t *exporter, const char *response);

/**
 * bsf_naf_key() - the key of a NAF, as the mode of @bootstrap has it
 */
int bsf_naf_key(const struct bsf_bootstrap *bootstrap, const uint8_t *naf_id, size_t length,
                uint8_t ret[LAB_NAF_KEY_LENGTH]);

/* --- bsf-push.c --------------------------------------------------------------------------------- */

#define BSF_GPI_MAX 512u

/**
 * bsf_push() - make a GBA Push Info (TS 33.223), and keep its key under its P-TID
 * @naf_id: FQDN and 5 octets
 *
 * The layout of its octets is (unverified), and this file's alone on this side:
 *
 *   u8 1, u8 flags (1: GBA_U), RAND, AUTN, then fields of u8 tag, u16 length and value: 1 P-TID, 2 NAF_Id, 3 end of life as
 *   xs:dateTime, 4 label; last FF with the first 16 octets of HMAC-SHA-256 by the NAF's key over all before it
 *
 * Return: 0 with octets in @ret and their number in @ret_length; negative errno.
 */
int bsf_push(struct bsf *bsf, struct lab_subscriber *subscriber, enum bsf_mode mode,
             const uint8_t *naf_id, size_t naf_id_length, uint8_t ret[BSF_GPI_MAX],
             size_t *ret_length);

/* xs:dateTime in UTC (TS 24.109 Annex C). */
#define BSF_TIME_SIZE 40u
void bsf_time(int64_t when, char ret[BSF_TIME_SIZE]);

/* --- bsf-fault.c -------------------------------------------------------------------------------- */

/**
 * bsf_fault_take() - whether the fault is to be shown now; each call uses up one of the times it was asked for
 */
bool bsf_fault_take(struct bsf *bsf, enum bsf_fault fault, const struct bsf_fault_setting **ret);

/**
 * bsf_set_way() - "mode" to "me", "u", "2g" or "default"; "tmpi" or "akav2" to "on" or "off"
 *
 * Return: 0; -EINVAL.
 */
int bsf_set_way(struct bsf_ways *ways, const char *name, const char *value);

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
