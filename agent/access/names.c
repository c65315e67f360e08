/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Names for denials, read once.
 *
 * Anybody can have himself denied as often as he likes, so a denial must not open a file, let alone wait for a
 * directory service: what /etc/passwd has is read with the rules. A user who is created later is a number in denials
 * until the rules are loaded again.
 */

#include "names.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "keystrap-limits.h"
#include "util.h"

#define PASSWD_LINE 4096u /* a longer one ends the reading */

static int keep(struct local_names *names, const struct passwd *pw) {
    struct local_name *longer;

    longer = reallocarray(names->list, names->count + 1, sizeof(*longer));
    if (!longer)
        return -ENOMEM;
    names->list = longer;
    longer += names->count++;
    longer->uid = pw->pw_uid;
    shorten(pw->pw_name, LOCAL_NAME_MAX, longer->name, sizeof(longer->name));
    return 0;
}

int local_names_load(struct local_names *names) {
    _cleanup_fclose_ FILE *passwd = fopen("/etc/passwd", "re");
    char buffer[PASSWD_LINE];
    struct passwd pw, *found;
    int r = 0;

    while (passwd && r == 0 && names->count < ACCESS_NAMES_MAX &&
           fgetpwent_r(passwd, &pw, buffer, sizeof(buffer), &found) == 0)
        r = keep(names, found);
    return r;
}

void local_names_done(struct local_names *names) {
    free(names->list);
    *names = (struct local_names){0};
}

const char *local_names_find(const struct local_names *names, uid_t uid) {
    for (size_t i = 0; i < names->count; i++)
        if (names->list[i].uid == uid)
            return names->list[i].name;
    return NULL;
}
