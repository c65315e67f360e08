/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A gateway for integration tests: the world with everything in it, and what applications do there.
 */

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/world-test.h"

#define SUBSCRIBER "gateway"

struct gateway {
    struct world *world;
    struct world_process *bsf, *naf, *usim, *keystrapd;
};

/* The BSF with @options, and the NAF. */
static inline void gateway_start_network(struct gateway *gateway, const char *const *options) {
    gateway->bsf = world_start_bsf(gateway->world, options);
    assert_non_null(gateway->bsf);
    gateway->naf = world_start_naf(gateway->world, gateway->bsf, NULL);
    assert_non_null(gateway->naf);
}

/* Each ends by itself, and well. */
static inline void gateway_stop(struct gateway *gateway) {
    assert_int_equal(world_stop(gateway->keystrapd), 0);
    assert_int_equal(world_stop(gateway->usim), 0);
    assert_int_equal(world_stop(gateway->bsf), 0);
    assert_int_equal(world_stop(gateway->naf), 0);
    assert_int_equal(world_stop(world_find(gateway->world, "dbus-daemon")), 0);
}

/* gateway_start() with the card of @subscriber. */
static inline void gateway_start_with(struct gateway *gateway, struct world *world,
                                      const char *subscriber, const char *const *card_arguments,
                                      const char *config) {
    char text[2048];

    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    assert_non_null(world_start_pcscd(world));
    gateway->usim = world_start_usim(world, subscriber, card_arguments);
    assert_non_null(gateway->usim);
    gateway_start_network(gateway, NULL);
    assert_int_equal(world_write_defaults(gateway->bsf), 0);
    if (config) {
        (void)snprintf(text, sizeof(text), "[GBA]\nConnectTo=127.0.0.1:%u\n%s\n",
                       gateway->bsf->port, config);
        assert_int_equal(world_write_config(text), 0);
    }
    gateway->keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(gateway->keystrapd);
}

/* Everything up, with the card of @card_arguments (NULL for the usual one) and @config added to the usual one. */
static inline void gateway_start(struct gateway *gateway, struct world *world,
                                 const char *const *card_arguments, const char *config) {
    gateway_start_with(gateway, world, SUBSCRIBER, card_arguments, config);
}

/* Have keystrapd load its configuration again, and wait until it has. Returns its STATUS, to be freed. */
static inline char *gateway_reload(struct gateway *gateway) {
    char *status = NULL;

    assert_int_equal(world_signal(gateway->keystrapd, SIGHUP), 0);
    assert_int_equal(world_wait_notify(gateway->keystrapd, "RELOADING=1", WORLD_WAIT_MSEC, NULL),
                     0);
    assert_int_equal(world_wait_notify(gateway->keystrapd, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
    assert_int_equal(world_wait_notify(gateway->keystrapd, "STATUS=", WORLD_WAIT_MSEC, &status), 0);
    return status;
}

/* An application asks for the key of @naf as hex. Returns keystrapctl's exit status. */
static inline int gateway_ask(struct gateway *gateway, uid_t uid, const char *naf, char *ret,
                              size_t size) {
    const char *const argv[] = {"keystrapctl", "naf-key", naf, "--format=hex", NULL};
    int r = world_call_as(gateway->world, uid, argv, ret, size);

    if (r == 0)
        ret[strcspn(ret, "\n")] = '\0';
    return r;
}

/* What the last program said on stderr. */
static inline bool gateway_said(struct gateway *gateway, const char *words) {
    char *errors = world_errors(world_last(gateway->world));
    bool said = errors && strstr(errors, words);

    if (!said)
        fprintf(stderr, "expected \"%s\" in: %s\n", words, errors ? errors : "");
    free(errors);
    return said;
}

/* The example application proves to the NAF that it has the key. Returns its exit status: 0 for HTTP's 200. */
static inline int gateway_naf_get(struct gateway *gateway, uid_t uid) {
    char url[128], connect_to[64];
    const char *const argv[] = {"naf-get", WORLD_NAF_NAME, url, connect_to, NULL};

    (void)snprintf(url, sizeof(url), "http://" WORLD_NAF_NAME ":%u/", gateway->naf->port);
    (void)snprintf(connect_to, sizeof(connect_to), "127.0.0.1:%u", gateway->naf->port);
    return world_call_as(gateway->world, uid, argv, NULL, 0);
}

/* The number after @name in the answer of a control socket to "count". */
static inline uint64_t gateway_count(struct world_process *process, const char *name) {
    char reply[512], *found;

    assert_int_equal(world_ctl(process, "count", reply, sizeof(reply)), 0);
    found = strstr(reply, name);
    if (!found)
        fprintf(stderr, "no \"%s\" in \"%s\"\n", name, reply);
    assert_non_null(found);
    found += strlen(name);
    found += strspn(found, " =");
    return strtoull(found, NULL, 10);
}

/* root has a new Ks made. Returns keystrapctl's exit status. */
static inline int gateway_bootstrap(struct gateway *gateway) {
    const char *const argv[] = {"keystrapctl", "bootstrap", NULL};

    return world_call_as(gateway->world, WORLD_USER_ROOT, argv, NULL, 0);
}

/* A property of @interface at @path, as busctl prints its value without quotes. */
static inline void gateway_property_of(struct gateway *gateway, const char *path,
                                       const char *interface, const char *name, char *ret,
                                       size_t size) {
    const char *const argv[] = {"busctl", "--system", "get-property", "org.keystrap.Agent1",
                                path,     interface,  name,           NULL};
    char text[1024], *value;

    assert_int_equal(world_call_as(gateway->world, WORLD_USER_METER, argv, text, sizeof(text)), 0);
    value = strchr(text, ' ');
    assert_non_null(value);
    value += strspn(value, " \"");
    value[strcspn(value, "\"\n")] = '\0';
    (void)snprintf(ret, size, "%s", value);
}

/* A property of the manager. */
static inline void gateway_property(struct gateway *gateway, const char *name, char *ret,
                                    size_t size) {
    gateway_property_of(gateway, "/org/keystrap/Agent1", "org.keystrap.Agent1.Manager", name, ret,
                        size);
}

/* Wait until the State property is @state. */
static inline bool gateway_wait_state(struct gateway *gateway, const char *state) {
    char now[64] = "";

    for (uint64_t end = world_elapsed_msec(gateway->world) + WORLD_WAIT_MSEC;
         world_elapsed_msec(gateway->world) < end;) {
        gateway_property(gateway, "State", now, sizeof(now));
        if (strcmp(now, state) == 0)
            return true;
    }
    fprintf(stderr, "State is \"%s\", not \"%s\"\n", now, state);
    return false;
}

/* The process of the world that runs @program, 0 where there is none. */
static inline pid_t gateway_program(const char *program) {
    struct dirent *entry;
    pid_t found = 0;
    DIR *proc;

    proc = opendir("/proc");
    assert_non_null(proc);
    while ((entry = readdir(proc))) {
        char path[300], name[64] = "";
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        f = fopen(path, "re");
        if (!f)
            continue;
        if (fgets(name, sizeof(name), f) && strncmp(name, program, strlen(program)) == 0)
            found = (pid_t)atoi(entry->d_name);
        (void)fclose(f);
    }
    (void)closedir(proc);
    return found;
}
