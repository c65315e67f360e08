/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The card's own rules for who may reach its applications (GlobalPlatform Secure Element Access Control 1.1, ARA-M).
 *
 * A card that has the application A00000015141434C00 says with it which device application may send what to which of
 * its applications. keystrapd is the enforcer: where there are such rules they must grant what access.d grants, or it
 * does not happen. On Linux no certificate names a device application: access.d says with DeviceAppHash= who a
 * principal is to the card, and without it only rules for all device applications apply.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aid.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "uicc.h"

enum ara_access {
    ARA_NEVER,
    ARA_ALWAYS,
    ARA_FILTERED, /* the commands that a filter matches */
};

/* Four octets of a command's header: class (without channel), instruction, P1, P2 (APDU-AR-DO, 6.1.4). */
struct ara_filter {
    uint8_t header[4], mask[4];
};

/* What applies to one device application and one application on the card. */
struct ara_decision {
    enum ara_access access;
    size_t filters_count;
    struct ara_filter filters[ARA_FILTERS_MAX];
};

struct ara_rule {
    uint8_t aid[AID_MAX];
    size_t aid_length; /* 0: all applications that no other rule names */
    bool is_default;   /* the default application instead; nobody asks for that one here */
    struct device_app_hash hash; /* length 0: all device applications */
    struct ara_decision decision;
};

struct ara_rules {
    struct ara_rule *list;
    size_t count;
};

/**
 * ara_rules_done() - release; there are no rules then
 */
void ara_rules_done(struct ara_rules *rules);

/**
 * ara_parse() - the value of Response-ALL-AR-DO: REF-AR-DOs one after another (6.2.2)
 * @length: at most ARA_DATA_MAX
 *
 * Objects that the specification does not name are skipped; a rule without APDU access rule is one that grants nothing.
 *
 * Return: 0, and ara_rules_done() is the caller's to call; -EBADMSG where any object is malformed or beyond ARA_RULES_MAX
 * or ARA_FILTERS_MAX: half of the rules may grant what the other half forbids; -ENOMEM.
 */
int ara_parse(const uint8_t *data, size_t length, struct ara_rules *ret);

/**
 * ara_decide() - what the rules say of the application @aid for a device application with any of @hashes (4.2.3)
 *
 * The first that there is counts: rules for this AID and one of the hashes; nothing granted where there are rules for
 * this AID and other hashes; rules for this AID and all device applications; the same for all AIDs; nothing
 * granted. Rules that are equally near add up: a never wins, then filters, then always. An @aid that is only the
 * beginning of one that rules name is not granted: the card might select that one by it.
 */
void ara_decide(const struct ara_rules *rules, const uint8_t *aid, size_t aid_length,
                const struct device_app_hash *hashes, size_t hashes_count,
                struct ara_decision *ret);

/**
 * ara_permits() - whether the decision lets a command with this header pass; its class is without a channel
 */
bool ara_permits(const struct ara_decision *decision, uint8_t cla, uint8_t ins, uint8_t p1,
                 uint8_t p2);

/* The rules of a card, as they were read last. All zero: not read. */
struct ara_cache {
    bool known;      /* rules holds what the card had when its refresh tag was refresh */
    bool present;    /* there is an ARA-M; otherwise access.d decides alone */
    uint64_t generation; /* of the card's life that they were read in */
    uint8_t refresh[ARA_REFRESH_TAG_LENGTH];
    struct ara_rules rules;
};

/**
 * ara_read() - make the cache true: ask the ARA-M for its refresh tag, and for the rules where it has changed
 *
 * On a channel of its own, which is closed again.
 *
 * Return: 0, with cache->present; UICC_E_MALFORMED, UICC_E_STATUS, UICC_E_NO_CHANNEL or what the transport returns, and
 * then nothing may be granted.
 */
int ara_read(struct uicc *uicc, struct ara_cache *cache, struct failure *failure);

/**
 * ara_cache_done() - forget what was read
 */
void ara_cache_done(struct ara_cache *cache);
