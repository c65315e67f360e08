/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of the network functions play: a user's equipment with the keys of its card (TS 24.109 clause 4),
 * over real HTTP, against `keystrap-lab` in processes of its own. Every function fails the cmocka test that
 * calls it when something goes wrong that the test did not ask for.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "digest.h"
#include "milenage.h"
#include "subscribers.h"

#define CLIENT_BSF       "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define CLIENT_BODY_MAX  (2u * 1024 * 1024)
#define CLIENT_WAIT_MSEC 10000

/* A `keystrap-lab bsf` or `naf` that runs. */
struct client_process {
    pid_t pid;
    unsigned port;
    unsigned zn_port;
    char directory[64];
    char control[80];
};

/**
 * client_start() - run keystrap-lab with @args, NULL-terminated, and wait until it is ready; --listen is added
 * @bsf: add --subscribers, --zn-listen and --control too
 */
void client_start(struct client_process *process, bool bsf, const char *const *args);

/**
 * client_stop() - end it; it must end well, which a sanitizer's finding prevents
 */
void client_stop(struct client_process *process);

/**
 * client_control() - send a command that must be answered "ok"; what follows is in @ret, if that is not NULL
 */
void client_control(const struct client_process *process, const char *command, char *ret,
                    size_t size);

/**
 * client_count() - one of the numbers of the command "count"
 */
unsigned long client_count(const struct client_process *process, const char *name);

struct client_answer {
    int error; /* CURLcode; the rest is 0 or NULL where no answer came */
    long status;
    char *challenge; /* WWW-Authenticate */
    char *info;      /* Authentication-Info */
    char *date;
    char *retry_after;
    char *location;
    char *content_type;
    char *body; /* terminated */
    size_t body_length;
};

void client_answer_done(struct client_answer *answer);

#define _cleanup_answer_ __attribute__((cleanup(client_answer_done)))

struct client_get {
    unsigned port;             /* on 127.0.0.1 */
    const char *host;          /* in URL and Host */
    const char *target;        /* "/" */
    const char *method;        /* NULL: GET */
    const char *authorization; /* or NULL */
    const char *trust;         /* PEM file: https; NULL: http */
    long timeout_msec;         /* 0: CLIENT_WAIT_MSEC */
};

/**
 * client_get() - one request; following no redirect
 */
void client_get(const struct client_get *get, struct client_answer *ret);

/* --- The user's equipment ------------------------------------------------------------------------ */

struct ue {
    const struct client_process *bsf;
    const struct lab_subscriber *subscriber;
    const char *host;
    const char *realm;
    const char *qop; /* the only one that a challenge may offer */
    const char *trust;
    long timeout_msec;
    uint64_t sqn; /* the card's highest */
    uint8_t ck[MILENAGE_KEY], ik[MILENAGE_KEY], rand[MILENAGE_RAND];
    uint8_t res[MILENAGE_RES];
};

void ue_init(struct ue *ue, const struct client_process *bsf,
             const struct lab_subscriber *subscriber);

/**
 * ue_ask() - the first request, with an empty nonce
 */
void ue_ask(struct ue *ue, struct client_answer *ret);

/* What the card makes of a challenge. */
enum ue_verdict { UE_FRESH, UE_STALE, UE_FALSE };

/**
 * ue_card() - parse the challenge of @answer and run AKA: sets ck, ik, rand and res of @ue
 * @ret: the parsed challenge
 * @ret_auts: for UE_STALE
 */
enum ue_verdict ue_card(struct ue *ue, const struct client_answer *answer, struct lab_digest *ret,
                        uint8_t ret_auts[MILENAGE_AUTS]);

/* The second request; what is NULL or 0 is filled in as a correct client would. */
struct ue_reply {
    const struct lab_digest *challenge;
    const uint8_t *password;
    size_t password_length;
    const uint8_t *auts; /* makes the password empty */
    const char *nc;
    const char *cnonce;
    const char *qop;
    const char *uri;
    const char *opaque;
    const char *algorithm;
};

void ue_answer(struct ue *ue, const struct ue_reply *reply, struct client_answer *ret);

/**
 * ue_rspauth_is_right() - whether @answer proves that the BSF knows RES
 */
bool ue_rspauth_is_right(const struct ue *ue, const struct lab_digest *challenge,
                         const struct client_answer *answer);

/**
 * ue_bootstrap() - all of it; the answer must be 200
 * @ret_btid: of BSF_BTID_SIZE octets
 */
void ue_bootstrap(struct ue *ue, char *ret_btid, size_t size);

/**
 * ue_element() - the text of the first element <@name> in @body, without an XML parser
 */
void ue_element(const char *body, const char *name, char *ret, size_t size);
