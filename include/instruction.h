/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bootstrap instruction configuration (TS-0003 8.3.1.2, 9.2.2.1) from elsewhere: a document that somebody has signed.
 *
 * The document is JSON of up to SECRET_LENGTH_MAX octets in CMS SignedData (RFC 5652), attached, DER or PEM, with SHA-256,
 * SHA-384 or SHA-512. Who signs is configured, as certificates: exactly these may, whoever issued them. Their dates are not
 * looked at, since the time of a signature is its signer's own word, and a gateway may have no clock; who may not sign any
 * more is taken out of the configuration. The source is authenticated and the integrity checked before one octet of the JSON
 * is read. With several signatures, each must be of somebody who is configured.
 *
 *   {"serial": 7,
 *    "profiles": [{"name": "water",
 *                  "Enrolment": {"Methods": "certificate psk", "Mef": "https://mef.example.com", ...},
 *                  "Token": {"Value": "..."}}],
 *    "remove": ["old"]}
 *
 * Sections and keys of a profile are those of enrol.d (enrol-profile.h), each once and a string, and "Token" may hold the
 * enrolment token itself. Everything unknown refuses the document, and so does a profile that stands twice or is set and removed.
 */

#include <stddef.h>
#include <stdint.h>

#include "enrol-profile.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

struct instruction_profile {
    struct enrol_profile *profile;
    struct secret *token; /* NULL for none */
};

struct instruction {
    uint64_t serial; /* 1 and more */
    struct instruction_profile profiles[ENROL_PROFILES_MAX];
    size_t profiles_count;
    char remove[ENROL_PROFILES_MAX][PROFILE_NAME_MAX + 1];
    size_t remove_count;
};

/**
 * instruction_verify() - the document in @cms, if one of the signers in @signers made it
 * @cms: @length octets, up to INSTRUCTION_MAX, of anybody
 * @signers: path of a PEM file with the certificates of who may sign, up to INSTRUCTION_SIGNERS_MAX, or NULL
 * @ret_document: the JSON, not yet read; the caller owns it
 *
 * Return: 0; INSTRUCTION_E_MALFORMED; INSTRUCTION_E_SIGNATURE: wrong, or of nobody who is configured;
 * INSTRUCTION_E_SIGNER: no signer is configured, or the file cannot be read to its end; negative errno.
 */
int instruction_verify(const uint8_t *cms, size_t length, const char *signers,
                       struct secret **ret_document, struct failure *failure);

/**
 * instruction_parse() - read a document
 * @last_serial: of the document that was applied last, 0 for none
 *
 * Return: 0; INSTRUCTION_E_MALFORMED; INSTRUCTION_E_REPLAY for a serial that is not beyond @last_serial;
 * INSTRUCTION_E_INVALID with what is wrong with a profile; -ENOMEM.
 */
int instruction_parse(const struct secret *document, uint64_t last_serial, struct instruction **ret,
                      struct failure *failure);

/**
 * instruction_free() - erase and release; NULL is allowed, returns NULL
 */
struct instruction *instruction_free(struct instruction *instruction);
