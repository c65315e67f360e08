/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What local users are called, for the texts of denials.
 */

#include <stddef.h>
#include <sys/types.h>

#define LOCAL_NAME_MAX 32u /* useradd(8) makes none that is longer */

struct local_name {
    uid_t uid;
    char name[LOCAL_NAME_MAX + sizeof("...")]; /* of a longer one the start and "..." */
};

struct local_names {
    struct local_name *list;
    size_t count;
};

/**
 * local_names_load() - the first ACCESS_NAMES_MAX users of /etc/passwd; none where it cannot be read
 *
 * No directory service is asked. local_names_done() is the caller's to call whatever comes back.
 *
 * Return: 0; -ENOMEM.
 */
int local_names_load(struct local_names *names);

void local_names_done(struct local_names *names);

/**
 * local_names_find() - the name of @uid, or NULL
 */
const char *local_names_find(const struct local_names *names, uid_t uid);
