/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * libkeystrap: an application's way to its keys, those of GBA and those of an enrolment (oneM2M).
 *
 *     struct keystrap *ks = NULL;
 *     struct keystrap_naf_key *key = NULL;
 *
 *     if (keystrap_open(&ks) < 0 ||
 *         keystrap_derive_naf_key(ks, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key) < 0)
 *         errx(1, "%s", keystrap_last_error(ks));
 *     use(keystrap_naf_key_btid(key), keystrap_naf_key_data(key), keystrap_naf_key_length(key));
 *     keystrap_naf_key_free(key);
 *     keystrap_close(ks);
 *
 * A struct keystrap belongs to one thread at a time. All calls block.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct keystrap;
struct keystrap_naf_key;

#define KEYSTRAP_UA_LENGTH 5

/* Ua security protocol identifiers, TS 33.220 Annex H: five octets. */
#define KEYSTRAP_UA_HTTP_DIGEST ((const uint8_t[KEYSTRAP_UA_LENGTH]){0x01, 0x00, 0x00, 0x00, 0x02})
#define KEYSTRAP_UA_TLS13_PSK ((const uint8_t[KEYSTRAP_UA_LENGTH]){0x01, 0x00, 0x00, 0x00, 0x07})
/* TLS up to 1.2 with the negotiated cipher suite, two octets as on the wire. */
#define KEYSTRAP_UA_TLS12(suite) \
    ((const uint8_t[KEYSTRAP_UA_LENGTH]){0x01, 0x00, 0x01, (uint8_t)((suite) >> 8), (uint8_t)(suite)})

/* Flags of keystrap_derive_naf_key(). */
#define KEYSTRAP_FORCE_BOOTSTRAP 1u /* the NAF asked for renegotiation: get a new Ks first */

/**
 * keystrap_open() - connect to the system bus
 *
 * Return: 0 and *@ret, which keystrap_close() releases; negative errno, and *@ret is NULL then.
 */
int keystrap_open(struct keystrap **ret);

/**
 * keystrap_close() - NULL is allowed.
 */
void keystrap_close(struct keystrap *keystrap);

/**
 * keystrap_set_timeout() - how long a call may take, in microseconds; 0 for the default of 120 seconds
 */
void keystrap_set_timeout(struct keystrap *keystrap, uint64_t usec);

/**
 * keystrap_set_uicc() - whose keys the calls from now on are for, where the gateway has several cards
 * @name: the card's name in keystrap.conf; NULL for the first one that is usable
 *
 * Return: 0; -EINVAL for a name that no card can have. Whether there is such a card, the next call tells (-EINVAL).
 */
int keystrap_set_uicc(struct keystrap *keystrap, const char *name);

/**
 * keystrap_derive_naf_key() - the Ks_NAF of @naf_fqdn (UTF-8) for @ua_protocol (KEYSTRAP_UA_LENGTH octets)
 *
 * Return: 0 and *@ret, which keystrap_naf_key_free() erases and releases; -EACCES (denied), -EBUSY (quota),
 * -ENODEV (no card, reader or service), -EKEYREJECTED (card or network refused the other), -ETIMEDOUT, -EHOSTUNREACH (BSF not
 * reachable), -ESRCH (keystrapd does not run), -EINVAL, -EBADMSG (the agent's answer is malformed), -ENOMEM, -EIO for the rest.
 * keystrap_last_error() has the words and keystrap_last_error_name() the D-Bus name.
 */
int keystrap_derive_naf_key(struct keystrap *keystrap, const char *naf_fqdn,
                            const uint8_t *ua_protocol, unsigned flags,
                            struct keystrap_naf_key **ret);

/* Kinds of keys of an enrolment, oneM2M TS-0003 10.3. */
#define KEYSTRAP_KEY_KM    "km"    /* with a MAF */
#define KEYSTRAP_KEY_KPSA  "kpsa"  /* with an Enrolee B */
#define KEYSTRAP_KEY_USAGE "usage" /* usage-constrained, with either */

/**
 * keystrap_get_key() - a key of an enrolment, after enrolling where that was not done yet
 * @kind: KEYSTRAP_KEY_KM, KEYSTRAP_KEY_KPSA or KEYSTRAP_KEY_USAGE
 * @peer: the enrolment target: MAF-ID, CSE-ID or AE-ID
 * @profile: the profile's name; NULL for the first with that target
 * @suid: the usage of a usage-constrained key, 21 to 25; 0 for the profile's own, and with the other kinds
 *
 * The key has 32 octets, and everything below is good for it. What keystrap_naf_key_btid() gives of it is its identifier, to
 * be presented to @peer: KeId, the one that the MEF assigned, or B-TID where the gateway enrols with GBA. The card chosen with
 * keystrap_set_uicc() does not matter: the profile names one.
 *
 * Return: 0 and *@ret, which keystrap_naf_key_free() erases and releases; else as keystrap_derive_naf_key(), -EHOSTUNREACH and
 * -EKEYREJECTED being said of the MEF as well.
 */
int keystrap_get_key(struct keystrap *keystrap, const char *kind, const char *peer,
                     const char *profile, unsigned suid, struct keystrap_naf_key **ret);

/**
 * keystrap_invalidate() - the NAF does not take the key of @btid any more and asks for bootstrapping renegotiation: the next
 * keystrap_derive_naf_key() gets a new one. A B-TID that was replaced meanwhile changes nothing, so that of several
 * applications the first one causes the bootstrap; KEYSTRAP_FORCE_BOOTSTRAP causes one for each.
 *
 * Return: 0; negative errno as keystrap_derive_naf_key().
 */
int keystrap_invalidate(struct keystrap *keystrap, const char *btid);

/**
 * keystrap_naf_key_*() - all borrowed from the key. The octets are in locked memory that core dumps leave out (as far as
 * RLIMIT_MEMLOCK allows: keystrap_naf_key_locked() tells).
 */
const uint8_t *keystrap_naf_key_data(const struct keystrap_naf_key *key);
size_t keystrap_naf_key_length(const struct keystrap_naf_key *key);
int keystrap_naf_key_locked(const struct keystrap_naf_key *key);
const char *keystrap_naf_key_btid(const struct keystrap_naf_key *key);
uint64_t keystrap_naf_key_expires(const struct keystrap_naf_key *key);          /* microseconds since the epoch, UTC */
uint64_t keystrap_naf_key_expires_boottime(const struct keystrap_naf_key *key); /* CLOCK_BOOTTIME, microseconds */

/**
 * keystrap_naf_key_method(), keystrap_naf_key_profile(), keystrap_naf_key_suid() - of an enrolment's key how the gateway has
 * enrolled, "gba", "certificate" or "psk", the name of the profile, and the usage, 0 for none; of any other key "" and 0
 */
const char *keystrap_naf_key_method(const struct keystrap_naf_key *key);
const char *keystrap_naf_key_profile(const struct keystrap_naf_key *key);
unsigned keystrap_naf_key_suid(const struct keystrap_naf_key *key);

/**
 * keystrap_naf_key_base64() - the key as the password of HTTP Digest (TS 24.109 5.2): base64, terminated,
 * in the same erased memory
 */
const char *keystrap_naf_key_base64(const struct keystrap_naf_key *key);

/**
 * keystrap_naf_key_free() - erase and release; NULL is allowed.
 */
void keystrap_naf_key_free(struct keystrap_naf_key *key);

/**
 * keystrap_last_error(), keystrap_last_error_name() - of the last call that failed; never NULL, borrowed.
 * @keystrap may be NULL.
 */
const char *keystrap_last_error(const struct keystrap *keystrap);
const char *keystrap_last_error_name(const struct keystrap *keystrap);

#ifdef __cplusplus
}
#endif
