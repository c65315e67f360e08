/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the MEF remembers: registrations with their Ke, registered keys, tokens.
 *
 * All of it is in memory and goes with the process. A new registration leaves the older ones of its enrolee alone: keys that
 * came of an older Ke serve until it expires.
 */

#include "lab-mef.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <jansson.h>
#include <nettle/memops.h>

/* --- Registrations and keys ---------------------------------------------------------------------- */

static void erase_reg(struct mef_reg *reg) {
    json_decref(reg->labels);
    gnutls_memset(reg, 0, sizeof(*reg));
}

void mef_key_drop(struct mef_key *key) {
    json_decref(key->targets);
    json_decref(key->labels);
    gnutls_memset(key, 0, sizeof(*key));
}

void mef_reg_drop(struct mef *mef, struct mef_reg *reg) {
    for (size_t i = 0; i < MEF_KEYS_MAX; i++)
        if (mef->keys[i].used && mef->keys[i].reg_serial == reg->serial)
            mef_key_drop(&mef->keys[i]);
    erase_reg(reg);
}

/* What has expired is as good as forgotten. */
static void drop_expired(struct mef *mef) {
    int64_t now = time(NULL);

    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used && mef->regs[i].expires <= now)
            mef_reg_drop(mef, &mef->regs[i]);
    for (size_t i = 0; i < MEF_KEYS_MAX; i++)
        if (mef->keys[i].used && mef->keys[i].expires <= now)
            mef_key_drop(&mef->keys[i]);
}

struct mef_reg *mef_reg_new(struct mef *mef) {
    struct mef_reg *reg = &mef->regs[0];

    drop_expired(mef);
    for (size_t i = 1; i < MEF_REGS_MAX && reg->used; i++)
        if (!mef->regs[i].used || mef->regs[i].serial < reg->serial)
            reg = &mef->regs[i];
    if (reg->used)
        mef_reg_drop(mef, reg);
    reg->used = true;
    reg->serial = ++mef->next_serial;
    (void)snprintf(reg->id, sizeof(reg->id), "reg-%06u", reg->serial);
    return reg;
}

struct mef_key *mef_key_new(struct mef *mef) {
    struct mef_key *key = &mef->keys[0];

    drop_expired(mef);
    for (size_t i = 1; i < MEF_KEYS_MAX && key->used; i++)
        if (!mef->keys[i].used || mef->keys[i].serial < key->serial)
            key = &mef->keys[i];
    if (key->used)
        mef_key_drop(key);
    key->used = true;
    key->serial = ++mef->next_serial;
    return key;
}

struct mef_reg *mef_reg_find(struct mef *mef, const char *id, size_t length) {
    drop_expired(mef);
    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used && strlen(mef->regs[i].id) == length &&
            memcmp(mef->regs[i].id, id, length) == 0)
            return &mef->regs[i];
    return NULL;
}

/* Key identifiers are compared without regard to case (TS-0003 10.6). */
struct mef_key *mef_key_find(struct mef *mef, const char *id, size_t length) {
    drop_expired(mef);
    for (size_t i = 0; i < MEF_KEYS_MAX; i++)
        if (mef->keys[i].used && strlen(mef->keys[i].id) == length &&
            strncasecmp(mef->keys[i].id, id, length) == 0)
            return &mef->keys[i];
    return NULL;
}

/* The newest: a connection may have brought several registrations with the same Ke. */
struct mef_reg *mef_reg_of_ke(struct mef *mef, const char *ke_id, size_t length) {
    struct mef_reg *newest = NULL;

    drop_expired(mef);
    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used && strlen(mef->regs[i].ke_id) == length &&
            strncasecmp(mef->regs[i].ke_id, ke_id, length) == 0 &&
            (!newest || mef->regs[i].serial > newest->serial))
            newest = &mef->regs[i];
    return newest;
}

void mef_state_done(struct mef *mef) {
    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used)
            erase_reg(&mef->regs[i]);
    for (size_t i = 0; i < MEF_KEYS_MAX; i++)
        if (mef->keys[i].used)
            mef_key_drop(&mef->keys[i]);
}

/* --- Tokens --------------------------------------------------------------------------------------- */

static bool is_token_of(const struct mef_enrolee *enrolee, const char *token) {
    size_t length = strlen(token);

    return length > 0 && strlen(enrolee->token) == length &&
           memeql_sec(enrolee->token, token, length);
}

static bool is_somebody_elses(const struct mef *mef, const char *token) {
    for (size_t i = 0; i < mef->enrolees_count; i++)
        if (is_token_of(&mef->enrolees[i], token))
            return true;
    return false;
}

/* The sentences begin with the field's name, by which a client tells this refusal from others. */
static const char *judge_token(const struct mef *mef, const struct mef_enrolee *enrolee,
                               const char *token) {
    if (!token)
        return enrolee->token_state == MEF_TOKEN_WAITING && enrolee->token_required
                   ? "enrolmentToken: this enrolee has to present one"
                   : NULL;
    if (is_token_of(enrolee, token))
        return enrolee->token_state == MEF_TOKEN_TAKEN ? "enrolmentToken: it was taken already"
                                                       : NULL;
    return is_somebody_elses(mef, token) ? "enrolmentToken: it is another enrolee's"
                                         : "enrolmentToken: there is no such token";
}

const char *mef_token_present(struct mef *mef, struct mef_enrolee *enrolee, const char *token) {
    const char *wrong = judge_token(mef, enrolee, token);

    if (!token)
        return wrong;
    mef->counts.tokens++;
    if (wrong)
        mef->counts.token_refusals++;
    else
        enrolee->token_state = MEF_TOKEN_TAKEN;
    return wrong;
}

/* --- Handshakes ----------------------------------------------------------------------------------- */

void mef_note_handshake(struct mef *mef, const struct mef_exchange *exchange) {
    if (!exchange->has_exporter)
        return;
    for (size_t i = 0; i < MEF_SEEN_MAX; i++)
        if (memcmp(mef->seen[i], exchange->exporter, MEF_RELATIVE_ID_LENGTH) == 0)
            return;
    memcpy(mef->seen[mef->seen_next], exchange->exporter, MEF_RELATIVE_ID_LENGTH);
    mef->seen_next = (mef->seen_next + 1) % MEF_SEEN_MAX;
    if (exchange->by_coap)
        mef->counts.coaps++;
    if (!exchange->enrolee)
        return;
    if (exchange->by_certificate)
        mef->counts.certificates++;
    else
        mef->counts.psk++;
}
