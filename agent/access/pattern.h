/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Patterns for what may be had: names of NAFs, Ua security protocol identifiers (TS 33.220 Annex H), and
 * applications on the card.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"

/* "naf.example.com", "*.example.com" or "*". */
struct naf_pattern {
    char *text;    /* normalised; for messages, and its tail to compare with */
    size_t length; /* of text */
    bool wild;     /* the first octet of text is "*" */
};

/* "0100000002", "010001*" or "*". */
struct ua_pattern {
    uint8_t value[UA_PROTOCOL_LENGTH];
    uint8_t mask[UA_PROTOCOL_LENGTH];
    char text[2 * UA_PROTOCOL_LENGTH + 1];
};

/* "A000000151000000", "D27600012401*" or "*". */
struct aid_pattern {
    uint8_t value[AID_MAX];
    size_t length;
    bool wild; /* whatever follows */
    char text[2 * AID_MAX + 2];
};

/* An enrolment target: "maf.example.com", "//sp.example/cse*" or "*". */
struct peer_pattern {
    char text[ENTITY_ID_MAX + 2]; /* normalised where it is a whole FQDN */
    size_t length; /* of text, without the "*" */
    bool wild;     /* whatever follows */
};

/**
 * peer_pattern_init() - compile @text
 *
 * Return: 0; -EINVAL with what is wrong in *@wrong (static).
 */
int peer_pattern_init(struct peer_pattern *pattern, const char *text, const char **wrong);

/**
 * peer_normalise() - an FQDN in the form that is compared, see gba_fqdn_normalise(); any other identifier as it stands
 *
 * Return: @peer, or @buffer.
 */
const char *peer_normalise(const char *peer, char buffer[NAF_FQDN_MAX + 1]);

/**
 * peer_pattern_matches() - whether @peer (of peer_normalise(), @length octets) is what @pattern means; a beginning of an
 * FQDN is compared without case, everything else octet by octet
 */
bool peer_pattern_matches(const struct peer_pattern *pattern, const char *peer, size_t length);

/**
 * naf_pattern_init() - compile @text
 *
 * Return: 0, and naf_pattern_done() is the caller's to call; -EINVAL with what is wrong in *@wrong (static); -ENOMEM.
 */
int naf_pattern_init(struct naf_pattern *pattern, const char *text, const char **wrong);

void naf_pattern_done(struct naf_pattern *pattern);

/**
 * naf_pattern_matches() - whether @name (normalised, @length octets) is what @pattern means. "*.example.com" stands
 * for one label or more before ".example.com", not for "example.com" itself.
 */
bool naf_pattern_matches(const struct naf_pattern *pattern, const char *name, size_t length);

/**
 * ua_pattern_init() - compile @text
 *
 * Return: 0; -EINVAL with what is wrong in *@wrong (static).
 */
int ua_pattern_init(struct ua_pattern *pattern, const char *text, const char **wrong);

bool ua_pattern_matches(const struct ua_pattern *pattern,
                        const uint8_t ua_protocol[UA_PROTOCOL_LENGTH]);

/**
 * aid_pattern_init() - compile @text
 *
 * Return: 0; -EINVAL with what is wrong in *@wrong (static), also for one that means the subscription alone.
 */
int aid_pattern_init(struct aid_pattern *pattern, const char *text, const char **wrong);

bool aid_pattern_matches(const struct aid_pattern *pattern, const uint8_t *aid, size_t length);
