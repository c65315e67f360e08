/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A private key in a secure environment: keystrapd's side of se-pkcs11, the program that speaks with PKCS #11 modules.
 *
 * The key does not come out; what comes out is its public part, and signatures. The program is started for one key and holds
 * the session of its token for as long as it runs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

struct secure_key;

/**
 * secure_key_open() - log in, and find the private key that @uri names
 * @program: path of se-pkcs11; copied
 * @uri: "pkcs11:..." (RFC 7512), up to CONF_PATH_MAX octets, that names exactly one token and one key
 * @pin: of the token's user, up to SECURE_PIN_MAX octets; NULL where it wants none
 * @make: where there is no such key, make one on P-256, which never leaves the token
 * @cancel_fd: readable when it shall end; -1 for none
 *
 * Return: 0; HTTP_E_CREDENTIAL with what is wrong with token, PIN or key; HTTP_E_HELPER where the program cannot be
 * executed or broke off; UB_E_CANCELLED; HTTP_E_TIMEOUT after SECURE_KEY_USEC; -ENOMEM.
 */
int secure_key_open(const char *program, const char *uri, const struct secret *pin, bool make,
                    int cancel_fd, struct secure_key **ret, struct failure *failure);

/**
 * secure_key_free() - end the program; NULL is allowed. Returns NULL.
 */
struct secure_key *secure_key_free(struct secure_key *key);

/**
 * secure_key_public() - SubjectPublicKeyInfo (RFC 5280 4.1.2.7) in DER, SECURE_SPKI_LENGTH octets, as long as @key is;
 * NULL where the token does not tell
 */
const uint8_t *secure_key_public(const struct secure_key *key);

/**
 * secure_key_sign() - ECDSA
 * @digest: SECURE_DIGEST_LENGTH octets, of whatever hash
 * @ret: gets up to SIGNATURE_MAX octets, ECDSA-Sig-Value in DER (RFC 3279 2.2.3)
 *
 * Return: as secure_key_open().
 */
int secure_key_sign(struct secure_key *key, const uint8_t digest[SECURE_DIGEST_LENGTH],
                    uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure);
