/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The sealing of one record: octets in, octets out.
 *
 * Version 2: "KSTR", version, two zero octets, length of the name (1 octet each but the first), name, 12 octets of nonce,
 * ciphertext, 16 octets of tag. All before the nonce is under the proof. Version 1 had no name in it, so that two records could
 * be exchanged; it is read still, and written no more.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define RECORD_MAGIC        "KSTR"
#define RECORD_MAGIC_LENGTH 4u
#define RECORD_VERSION      2u
#define RECORD_HEADER       8u
#define RECORD_NONCE        12u
#define RECORD_TAG          16u
#define RECORD_SEALED_MAX   (RECORD_HEADER + RECORD_NAME_MAX + RECORD_NONCE + RECORD_MAX + RECORD_TAG)

struct record_key {
    struct secret *key; /* of AES-256 */
};

/**
 * record_key_make() - from the sealing key, of SEALING_KEY_MIN octets or more (HKDF-SHA-256, RFC 5869)
 *
 * Return: 0; -EINVAL for a short one; -ENOMEM; -EIO.
 */
int record_key_make(const struct secret *sealing_key, struct record_key *ret);

/**
 * record_key_done() - erase
 */
void record_key_done(struct record_key *key);

/**
 * record_seal() - @content of up to RECORD_MAX octets, for the record @name
 *
 * Return: 0; -EIO.
 */
int record_seal(const struct record_key *key, const char *name, const struct secret *content,
                uint8_t ret[RECORD_SEALED_MAX], size_t *ret_length);

/**
 * record_open() - the other way round, for @length octets of anybody
 * @ret_old: whether it is of an earlier version
 *
 * Return: 0 with a secret that the caller owns; RECORD_E_DAMAGED; RECORD_E_VERSION; -ENOMEM.
 */
int record_open(const struct record_key *key, const char *name, const uint8_t *sealed,
                size_t length, struct secret **ret, bool *ret_old);
