/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A gateway that enrols with the lab's MEF, for integration tests.
 */

#include "gateway.h"

struct enrolment {
    struct gateway gateway;
    struct world_process *mef;
};

/* A profile "water" by @methods, over @scheme, with @more lines in [Enrolment]. */
static inline void enrolment_write_profile(struct enrolment *enrolment, const char *methods,
                                           const char *scheme, const char *certificate,
                                           const char *more) {
    bool psk = strstr(methods, "certificate") == NULL;
    unsigned port = strcmp(scheme, "coaps") == 0 ? enrolment->mef->coap_port
                    : psk                        ? enrolment->mef->port
                                                 : enrolment->mef->certificate_port;
    char text[2048];

    (void)snprintf(text, sizeof(text),
                   "[Enrolment]\nMethods=%s\nMef=%s://" WORLD_MEF_NAME "\nConnectTo=127.0.0.1:%u\n"
                   "Target=" WORLD_MAF_NAME "\nIdentity=gateway.example.com\n"
                   "ConnectTimeoutSec=3\nRequestTimeoutSec=3\n%s\n"
                   "[Psk]\nKpmId=10-gateway@mef.example.com\nKpm=credential:kpm\n"
                   "[Certificate]\nCertificate=" WORLD_CERTIFICATES "/%s.pem\n"
                   "PrivateKey=" WORLD_CERTIFICATES "/%s.key\n"
                   "TrustAnchors=" WORLD_CERTIFICATES "/ca.pem\n",
                   methods, scheme, port, more, certificate, certificate);
    assert_int_equal(world_write_profile("water", text), 0);
}

/* Bus, MEF and keystrapd, without card or BSF; the profile is there before keystrapd is. */
static inline void enrolment_start(struct enrolment *enrolment, struct world *world,
                                   const char *methods, const char *scheme,
                                   const char *certificate, const char *more) {
    *enrolment = (struct enrolment){.gateway = {.world = world}};
    assert_non_null(world_start_bus(world));
    enrolment->mef = world_start_mef(world, NULL);
    assert_non_null(enrolment->mef);
    assert_int_equal(world_write_access("[Principal meter]\nUser=meter\nPeer=" WORLD_MAF_NAME
                                        "\nSuid=22\n"),
                     0);
    enrolment_write_profile(enrolment, methods, scheme, certificate, more);
    enrolment->gateway.keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(enrolment->gateway.keystrapd);
}

/* The user @uid asks for the key of @kind as hex, with @suid or NULL. Returns keystrapctl's exit status. */
static inline int enrolment_ask(struct enrolment *enrolment, uid_t uid, const char *kind,
                                const char *suid, char *ret, size_t size) {
    const char *const argv[] = {"keystrapctl", "get-key", kind,
                                WORLD_MAF_NAME, "--format=hex", suid, NULL};
    int r = world_call_as(enrolment->gateway.world, uid, argv, ret, size);

    if (r == 0)
        ret[strcspn(ret, "\n")] = '\0';
    return r;
}

/* 16 hex digits by which a key is known without being shown; as the lab's mef_key_hash(). */
static inline void enrolment_hash(struct enrolment *enrolment, const char *hex, char ret[17]) {
    char command[256], text[128];
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};

    (void)snprintf(command, sizeof(command),
                   "printf %%s %s | python3 -c 'import sys,hashlib;"
                   "print(hashlib.sha256(bytes.fromhex(sys.stdin.read())).hexdigest()[:16])'",
                   hex);
    assert_int_equal(
        world_call_as(enrolment->gateway.world, WORLD_USER_ROOT, argv, text, sizeof(text)), 0);
    (void)snprintf(ret, 17, "%.16s", text);
}

/* Whether the MEF has the key @hex as what @which ("usage", "release-1") names, of @suid. */
static inline bool enrolment_mef_has(struct enrolment *enrolment, const char *hex,
                                     const char *which, const char *suid) {
    char command[64], reply[512], hash[17], expected[64];

    enrolment_hash(enrolment, hex, hash);
    (void)snprintf(command, sizeof(command), "keys %s", suid);
    assert_int_equal(world_ctl(enrolment->mef, command, reply, sizeof(reply)), 0);
    (void)snprintf(expected, sizeof(expected), "%s %s", which, hash);
    if (!strstr(reply, expected))
        fprintf(stderr, "\"%s\" is not in \"%s\"\n", expected, reply);
    return strstr(reply, expected) != NULL;
}

/* What keystrapctl status says. */
static inline void enrolment_status(struct enrolment *enrolment, char *ret, size_t size) {
    const char *const argv[] = {"keystrapctl", "status", NULL};

    assert_int_equal(world_call_as(enrolment->gateway.world, WORLD_USER_METER, argv, ret, size),
                     0);
}

/* root enrols by the profile "water". Returns keystrapctl's exit status. */
static inline int enrolment_enrol(struct enrolment *enrolment, bool renew) {
    const char *const argv[] = {"keystrapctl", renew ? "renew" : "enrol", "water", NULL};

    return world_call_as(enrolment->gateway.world, WORLD_USER_ROOT, argv, NULL, 0);
}

static inline bool enrolment_wait_method(struct enrolment *enrolment, const char *method) {
    char now[64] = "";

    for (uint64_t end = world_elapsed_msec(enrolment->gateway.world) + 40000;
         world_elapsed_msec(enrolment->gateway.world) < end;) {
        gateway_property_of(&enrolment->gateway, "/org/keystrap/Agent1/enrolment/water",
                            "org.keystrap.Agent1.Enrolment", "Method", now, sizeof(now));
        if (strcmp(now, method) == 0)
            return true;
    }
    fprintf(stderr, "Method is \"%s\", not \"%s\"\n", now, method);
    return false;
}
