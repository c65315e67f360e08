/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Records: what a gateway cannot get again without a visit, sealed in files.
 *
 * A record has a name and 1 to RECORD_MAX octets, which are a secret. Its file, NAME.record, is the AEAD (AES-256-GCM) of them
 * under the sealing key, with format version and name under the proof. An older record of the same name that somebody puts
 * back is taken as it is. It is written to a temporary file, fsync'ed, renamed, and its directory fsync'ed: after a power loss
 * the record before or the record after is there, whole. One that is torn, tampered with, of another name or under another key
 * is set aside (renamed to NAME.record.bad-N) and named, never dropped.
 */

#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

#define CREDENTIAL_SEALING_KEY "keystrap.sealing-key" /* 32 octets or more, of systemd-creds */

struct record_store;

/**
 * record_store_open() - the records in @directory, which is made (mode 0700) where it is not there
 * @sealing_key: 32 octets or more, of any form: the key of the AEAD is HKDF-SHA-256 of it; copied
 *
 * Temporary files that a power loss left are removed.
 *
 * Return: 0; -EINVAL for a short key; -EPERM where others than our own user may write the directory; another errno, with
 * the directory in @failure.
 */
int record_store_open(const char *directory, const struct secret *sealing_key,
                      struct record_store **ret, struct failure *failure);

/**
 * record_store_free() - NULL is allowed; returns NULL
 */
struct record_store *record_store_free(struct record_store *store);

/**
 * record_put() - make @content the record @name, durably, before this returns
 * @name: 1 to RECORD_NAME_MAX of a-z 0-9 . _ -, not beginning with a dot
 *
 * Return: 0; -ENOSPC and other errno, with the file in @failure: the record before is there still.
 */
int record_put(struct record_store *store, const char *name, const struct secret *content,
               struct failure *failure);

/**
 * record_get() - the record @name; the caller owns it
 *
 * Of an earlier format version it is read, and written again as the present one.
 *
 * Return: 0; RECORD_E_NONE; RECORD_E_DAMAGED with the file and where it was set aside to, or why it cannot be;
 * RECORD_E_VERSION for a later version, which stays where it is; negative errno.
 */
int record_get(struct record_store *store, const char *name, struct secret **ret,
               struct failure *failure);

/**
 * record_remove() - durably; one that is not there is no failure
 */
int record_remove(struct record_store *store, const char *name, struct failure *failure);

/* Takes the name of a record; anything but 0 ends the walk and is returned. */
typedef int (*record_fn)(const char *name, void *userdata);

/**
 * record_each() - the names of all records, in the order of strcmp(3)
 */
int record_each(struct record_store *store, record_fn fn, void *userdata);

static inline void record_store_freep(struct record_store **store) {
    *store = record_store_free(*store);
}

#define _cleanup_record_store_ __attribute__((cleanup(record_store_freep)))
