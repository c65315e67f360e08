/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * HTTP Digest as the lab's servers and its test client need it (RFC 7616, RFC 3310, TS 24.109): the grammar of
 * one header field, and the MD5 arithmetic by libnettle.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_DIGEST_FIELD_MAX 8192u
#define LAB_DIGEST_HEX       33u /* 32 hex digits and their end */

enum lab_digest_name {
    LAB_DIGEST_USERNAME,
    LAB_DIGEST_REALM,
    LAB_DIGEST_NONCE,
    LAB_DIGEST_URI,
    LAB_DIGEST_RESPONSE,
    LAB_DIGEST_ALGORITHM,
    LAB_DIGEST_QOP,
    LAB_DIGEST_NC,
    LAB_DIGEST_CNONCE,
    LAB_DIGEST_OPAQUE,
    LAB_DIGEST_AUTS,
    LAB_DIGEST_STALE,
    LAB_DIGEST_RSPAUTH,
    LAB_DIGEST_NAMES,
};

/* The parameters of one field. Values point into text; NULL where a parameter is absent. */
struct lab_digest {
    const char *value[LAB_DIGEST_NAMES];
    char text[LAB_DIGEST_FIELD_MAX];
};

/**
 * lab_digest_parse() - the value of Authorization or WWW-Authenticate, one challenge, scheme Digest; with
 * @scheme false the value of Authentication-Info, which names no scheme
 *
 * Parameters with other names are passed over.
 *
 * Return: 0; -EINVAL when it is malformed, too long, of another scheme, or names a parameter twice.
 */
int lab_digest_parse(const char *value, bool scheme, struct lab_digest *ret);

/**
 * lab_digest_nc() - the nonce count, 8 hex digits; 0 when it is anything else
 */
uint32_t lab_digest_nc(const char *nc);

struct lab_digest_input {
    const char *username;
    const char *realm;
    const uint8_t *password; /* any octets: AKAv1 takes RES as it is */
    size_t password_length;
    const char *method; /* "" for rspauth */
    const char *uri;
    const char *nonce;
    const char *nc;
    const char *cnonce;
    const char *qop; /* "auth" or "auth-int" */
    const uint8_t *body;
    size_t body_length;
};

/**
 * lab_digest_response() - RFC 7616 3.4.1 with MD5; rspauth of 3.5 where the method is ""
 */
void lab_digest_response(const struct lab_digest_input *input, char ret[LAB_DIGEST_HEX]);

/**
 * lab_digest_equal() - compare two responses of 32 hex digits, either case, without telling by time where they
 * differ
 */
bool lab_digest_equal(const char *a, const char *b);

/**
 * lab_base64_encode() - the caller frees; NULL when memory is short
 */
char *lab_base64_encode(const uint8_t *data, size_t length);

/**
 * lab_base64_decode() - strict: padding, no white space
 *
 * Return: 0 with the octets in @ret and their count in @ret_length; -EINVAL when it is not base64 or larger than
 * @size octets.
 */
int lab_base64_decode(const char *text, uint8_t *ret, size_t size, size_t *ret_length);

/**
 * lab_random_hex() - @digits hex digits from the system's random numbers, terminated
 */
int lab_random_hex(char *ret, size_t digits);
