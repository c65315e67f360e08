/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Credentials.
 *
 * sd_bus_query_sender_creds() would wait for the bus daemon in the middle of the loop, with every other caller behind it;
 * so the question is an ordinary asynchronous call, and the answer is read here.
 */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "credentials.h"

int credentials_ask(sd_bus *bus, const char *name, sd_bus_message_handler_t callback,
                    void *userdata, sd_bus_slot **ret) {
    return sd_bus_call_method_async(bus, ret, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                    "org.freedesktop.DBus", "GetConnectionCredentials", callback,
                                    userdata, "s", name);
}

static int read_groups(sd_bus_message *m, struct access_caller *caller) {
    const void *data;
    size_t size;
    int r;

    r = sd_bus_message_enter_container(m, 'v', "au");
    if (r < 0)
        return r;
    r = sd_bus_message_read_array(m, 'u', &data, &size);
    if (r < 0)
        return r;

    caller->groups_count = size / sizeof(uint32_t);
    if (caller->groups_count > ACCESS_GROUPS_MAX)
        caller->groups_count = ACCESS_GROUPS_MAX;
    for (size_t i = 0; i < caller->groups_count; i++) {
        uint32_t gid;

        memcpy(&gid, (const uint8_t *)data + i * sizeof(gid), sizeof(gid));
        caller->groups[i] = gid;
    }
    return sd_bus_message_exit_container(m);
}

static int read_entry(sd_bus_message *m, struct access_caller *caller, bool *have_uid) {
    const char *key;
    uint32_t number;
    int r;

    r = sd_bus_message_read(m, "s", &key);
    if (r < 0)
        return r;
    if (strcmp(key, "UnixGroupIDs") == 0)
        return read_groups(m, caller);
    if (strcmp(key, "UnixUserID") != 0 && strcmp(key, "ProcessID") != 0)
        return sd_bus_message_skip(m, "v");

    r = sd_bus_message_read(m, "v", "u", &number);
    if (r < 0)
        return r;
    if (strcmp(key, "ProcessID") == 0) {
        caller->pid = (pid_t)number;
    } else {
        caller->uid = number;
        *have_uid = true;
    }
    return 0;
}

int credentials_read(sd_bus_message *answer, struct access_caller *ret) {
    struct access_caller caller = {0};
    bool have_uid = false;
    int r;

    r = sd_bus_message_enter_container(answer, 'a', "{sv}");
    if (r < 0)
        return -EBADMSG;
    while ((r = sd_bus_message_enter_container(answer, 'e', "sv")) > 0) {
        r = read_entry(answer, &caller, &have_uid);
        if (r >= 0)
            r = sd_bus_message_exit_container(answer);
        if (r < 0)
            return -EBADMSG;
    }
    if (r < 0)
        return -EBADMSG;
    if (!have_uid || caller.uid == (uid_t)-1)
        return -ENODATA;
    *ret = caller;
    return 0;
}
