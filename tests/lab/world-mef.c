/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The world: its M2M Enrolment Function, and what a gateway needs to enrol with it.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "world-internal.h"

#define ENROLEES WORLD_SOURCE "/tests/lab/enrolees.conf"

int world_make_certificates(struct world *world) {
    const char *const argv[] = {"/bin/bash", WORLD_SOURCE "/tests/lab/make-certificates",
                                WORLD_CERTIFICATES, NULL};
    const char *const give[] = {"/bin/sh", "-c",
                                "chgrp keystrap " WORLD_CERTIFICATES
                                "/*.key && cat " WORLD_CERTIFICATES "/mef.pem " WORLD_CERTIFICATES
                                "/ca.pem >" WORLD_CERTIFICATES "/mef-chain.pem",
                                NULL};

    if (world_call_as(world, WORLD_USER_ROOT, argv, NULL, 0) != 0 ||
        world_call_as(world, WORLD_USER_ROOT, give, NULL, 0) != 0)
        return world_complain(-EIO, "make-certificates failed");
    return 0;
}

struct world_process *world_start_mef(struct world *world, const char *const *extra) {
    static const char *const args[] = {"--enrolees",
                                       ENROLEES,
                                       "--fqdn",
                                       WORLD_MEF_NAME,
                                       "--psk-listen",
                                       "127.0.0.1:0",
                                       "--listen",
                                       "127.0.0.1:0",
                                       "--coap-listen",
                                       "127.0.0.1:0",
                                       "--tls-cert",
                                       WORLD_CERTIFICATES "/mef-chain.pem",
                                       "--tls-key",
                                       WORLD_CERTIFICATES "/mef.key",
                                       "--anchors",
                                       WORLD_CERTIFICATES "/ca.pem",
                                       "--ca-cert",
                                       WORLD_CERTIFICATES "/ca.pem",
                                       "--ca-key",
                                       WORLD_CERTIFICATES "/ca.key",
                                       NULL};
    unsigned port = 0, certificate_port = 0, coap_port = 0;
    struct world_process *process;
    char *line = NULL;

    if (access(WORLD_CERTIFICATES "/mef-chain.pem", F_OK) < 0 && world_make_certificates(world) < 0)
        return NULL;
    process = world_start_lab(world, "mef", args, extra, true);
    if (!process || world_wait_output(process, "ready", WORLD_WAIT_MSEC, &line) < 0 ||
        sscanf(line, "ready psk=%u https=%u coaps=%u", &port, &certificate_port, &coap_port) != 3) {
        (void)world_complain(0, "mef: waited for its \"ready\" line");
        if (process)
            world_log_one(process);
        free(line);
        return NULL;
    }
    free(line);
    process->port = (uint16_t)port;
    process->certificate_port = (uint16_t)certificate_port;
    process->coap_port = (uint16_t)coap_port;
    return process;
}

int world_write_profile(const char *name, const char *text) {
    char path[128];

    (void)snprintf(path, sizeof(path), "/etc/keystrap/enrol.d/%s.conf", name);
    return world_write_file(path, text);
}
