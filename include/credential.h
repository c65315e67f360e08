/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Credentials: the secrets that an administrator gives the service, as systemd hands them over (systemd.exec(5),
 * LoadCredential= and SetCredentialEncrypted=): files in the directory that $CREDENTIALS_DIRECTORY names, in memory that is
 * not swapped, for this service alone.
 */

#include <stdbool.h>
#include <stddef.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

#define CREDENTIAL_DIGEST "keystrap.gba-digest" /* the password of GBA_Digest */
#define CREDENTIAL_PIN1   "keystrap.pin1"
#define CREDENTIAL_UPIN   "keystrap.upin"

/**
 * credential_read() - the credential NAME.CARD, or NAME where there is none for the card alone
 * @card: its name in the configuration
 * @min, @max: octets that it must have, 1 to CREDENTIAL_MAX; one newline at its end is not counted and taken off
 * @digits: 0 to 9 alone
 *
 * Return: 0 with octets that the caller owns; -ENOENT where there is neither; -EINVAL for one that is none of what is asked,
 * or no regular file; another errno.
 */
int credential_read(const char *name, const char *card, size_t min, size_t max, bool digits,
                    struct secret **ret);

/**
 * enrol_credential_read() - a credential as a profile refers to it: "/path" of a regular file, or "credential:NAME", one of
 * systemd's
 * @min, @max: octets that it must have, 1 to SECRET_LENGTH_MAX - 2; one newline at its end is not counted and taken off
 *
 * Content that begins with "hex:" is the hex digits behind it. A file is refused that belongs to somebody else than root and our
 * own user, that others may write, or that others, or a group that is neither root's nor ours, may read. So is a symbolic link.
 *
 * Return: 0 with octets that the caller owns; ENROL_E_CREDENTIAL with thing, cause and remedy; -ENOMEM; -EINVAL for the lengths.
 */
int enrol_credential_read(const char *reference, size_t min, size_t max, struct secret **ret,
                          struct failure *failure);

/**
 * enrol_certificate_read() - likewise, a certificate and its chain in PEM of up to CERTIFICATE_CHAIN_MAX octets, which is no
 * secret: others may read the file, and what has a private key in it is refused
 *
 * Return: 0 with a text that the caller frees; ENROL_E_CREDENTIAL; -ENOMEM.
 */
int enrol_certificate_read(const char *reference, char **ret, struct failure *failure);
