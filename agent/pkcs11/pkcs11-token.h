/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One private key of one token.
 */

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"

struct token {
    CK_FUNCTION_LIST **modules;
    CK_FUNCTION_LIST *module;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_OBJECT_HANDLE public_key; /* CK_INVALID_HANDLE where there is none */
};

/**
 * token_open() - log in and find the key that @uri names, or make one
 * @pin: @pin_length octets; NULL for none
 *
 * A PIN is tried once; and not at all where the token says that it is the last try.
 *
 * Return: 0; HTTP_E_CREDENTIAL with token, key and cause in @failure.
 */
int token_open(struct token *token, const char *uri, const uint8_t *pin, size_t pin_length,
               bool make, struct failure *failure);

/**
 * token_public() - the key's SubjectPublicKeyInfo; whether there is one that is on P-256
 */
bool token_public(const struct token *token, uint8_t ret[SECURE_SPKI_LENGTH]);

/**
 * token_sign() - ECDSA-Sig-Value over @digest
 *
 * Return: 0; HTTP_E_CREDENTIAL.
 */
int token_sign(const struct token *token, const uint8_t digest[SECURE_DIGEST_LENGTH],
               uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure);
