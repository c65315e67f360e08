/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A key in the application's hand, as the client library's files share it.
 */

#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"

#define KEY_BASE64_SIZE (((NAF_KEY_LENGTH + 2) / 3) * 4 + 1)

/* Lives in pages of its own. */
struct keystrap_naf_key {
    uint64_t expires;
    uint64_t expires_boottime;
    size_t mapped; /* octets of the mapping */
    int locked;
    uint8_t data[NAF_KEY_LENGTH];
    uint8_t excess; /* where an octet too many would go */
    char base64[KEY_BASE64_SIZE];
    char btid[KEY_ID_MAX + 1];
    unsigned suid; /* this and what follows of an enrolment's key */
    char method[16];
    char profile[PROFILE_NAME_MAX + 1];
};

/**
 * key_new() - an empty key in locked memory that core dumps leave out; key_free() erases and unmaps it
 *
 * Return: 0; -ENOMEM. That the memory could not be locked is no failure: key->locked tells.
 */
int key_new(struct keystrap_naf_key **ret);

void key_free(struct keystrap_naf_key *key);

/**
 * key_read() - read the NAF_KEY_LENGTH octets of the key from @fd, and the end of file after them, within @usec
 *
 * The octets go from the pipe straight to where they stay. base64 is filled as well.
 *
 * Return: 0; -EBADMSG for fewer or more octets, or no end of file in time; another errno of poll(2) or read(2).
 */
int key_read(struct keystrap_naf_key *key, int fd, uint64_t usec);
