/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-lab demo --method: how a gateway gets keys where GBA is not to be had.
 *
 * As in the other stories nothing is acted. It is told well only if the application has the very key that the MEF has for the
 * same target, which the two show by a hash.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo-internal.h"
#include "util.h"

#define KEYSTRAPCTL WORLD_BUILD "/dbus/keystrapctl"

static int write_profile(const struct demo *demo, const struct world_process *mef) {
    const bool chain = strcmp(demo->method, "chain") == 0;
    const bool psk = strcmp(demo->method, "psk") == 0;
    char text[2048];

    /* The lab's MEF has a port for each kind of handshake; in the chain the expired certificate does not come that far. */
    (void)snprintf(
        text, sizeof(text),
        "[Enrolment]\nMethods=%s\nMef=https://" WORLD_MEF_NAME "\nConnectTo=127.0.0.1:%u\n"
        "Target=" WORLD_MAF_NAME "\nIdentity=gateway.example.com\n\n"
        "[Psk]\nKpmId=10-gateway@" WORLD_MEF_NAME "\nKpm=credential:kpm\n\n"
        "[Certificate]\nCertificate=" WORLD_CERTIFICATES "/%s.pem\nPrivateKey=" WORLD_CERTIFICATES
        "/%s.key\nTrustAnchors=" WORLD_CERTIFICATES "/ca.pem\n",
        chain ? "gba certificate psk" : demo->method,
        psk || chain ? mef->port : mef->certificate_port, chain ? "expired" : "gateway",
        chain ? "expired" : "gateway");
    return world_write_profile("water", text);
}

static int raise_world(struct demo *demo) {
    if (!world_start_bus(demo->world))
        return -1;
    demo_step(demo, "The system bus is up.");
    demo->mef = world_start_mef(demo->world, NULL);
    if (!demo->mef || write_profile(demo, demo->mef) < 0)
        return -1;
    demo_step(demo, "An M2M Enrolment Function, %s, listens; its TLS is GnuTLS.", WORLD_MEF_NAME);
    if (world_write_access("[Principal meter]\nUser=meter\nPeer=" WORLD_MAF_NAME "\n") < 0)
        return -1;
    demo_detail("The profile /etc/keystrap/enrol.d/water.conf says with whom and how: Methods=%s.",
                strcmp(demo->method, "chain") == 0 ? "gba certificate psk" : demo->method);
    return demo_raise_keystrapd(demo);
}

/* meter asks for the key; what matters of it is compared with what the MEF has. */
static int application_gets_key(struct demo *demo, char ret_key_id[128]) {
    static const char command[] =
        KEYSTRAPCTL " get-key km " WORLD_MAF_NAME " --format=raw | sha256sum | cut -c 1-16";
    const char *const ask[] = {"/bin/sh", "-c", command, NULL};
    const char *const id[] = {KEYSTRAPCTL, "get-key", "km", WORLD_MAF_NAME, "--format=none", NULL};
    char hash[64] = "", text[512], keys[512];

    demo_step(demo,
              "The application \"meter\" wants its key with the M2M Authentication Function %s.",
              WORLD_MAF_NAME);
    if (world_call_as(demo->world, WORLD_USER_METER, id, text, sizeof(text)) != 0 ||
        world_call_as(demo->world, WORLD_USER_METER, ask, hash, sizeof(hash)) != 0) {
        demo_step(demo, "It got none.");
        return -1;
    }
    demo_quote(text);
    (void)sscanf(text, "%*s %127s", ret_key_id);
    hash[strcspn(hash, "\n")] = '\0';
    if (world_ctl(demo->mef, "keys", keys, sizeof(keys)) == 0 && strstr(keys, hash)) {
        demo_step(
            demo,
            "It has it by a pipe over D-Bus, and the MEF has the same: SHA-256 begins with %s.",
            hash);
        return 0;
    }
    demo_step(demo, "It has a key that the MEF does not know.");
    return -1;
}

static void show_status(struct demo *demo) {
    const char *const argv[] = {"/bin/sh", "-c",
                                KEYSTRAPCTL " status | sed -n '/^Enrolment/,/^Expires/p'", NULL};
    char text[4096];

    if (world_call_as(demo->world, WORLD_USER_METER, argv, text, sizeof(text)) == 0)
        demo_quote(text);
}

static int survives_sigkill(struct demo *demo, const char *key_id) {
    char again[128] = "", before[256], after[256];

    (void)world_ctl(demo->mef, "count", before, sizeof(before));
    demo_step(demo, "keystrapd is killed with SIGKILL, and started again.");
    if (world_signal(demo->keystrapd, SIGKILL) < 0 ||
        world_wait(demo->keystrapd, WORLD_WAIT_MSEC) < 0 || demo_raise_keystrapd(demo) < 0 ||
        application_gets_key(demo, again) < 0)
        return -1;
    (void)world_ctl(demo->mef, "count", after, sizeof(after));
    if (strcmp(again, key_id) != 0 || strcmp(before, after) != 0) {
        demo_step(demo, "It is another key, or the MEF was asked, which must not be.");
        return -1;
    }
    demo_step(demo, "The same key, from the sealed record; the MEF was not asked.");
    return 0;
}

/* The chain's second half: the BSF is there again. */
static int gba_takes_over(struct demo *demo) {
    const char *const argv[] = {KEYSTRAPCTL,    "get-key",       "km",
                                WORLD_MAF_NAME, "--format=none", NULL};
    const char *const method[] = {"busctl",
                                  "--system",
                                  "get-property",
                                  "org.keystrap.Agent1",
                                  "/org/keystrap/Agent1/enrolment/water",
                                  "org.keystrap.Agent1.Enrolment",
                                  "Method",
                                  NULL};
    uint64_t end;
    char text[512] = "";

    demo_step(demo, "The operator's BSF comes back.");
    if (world_ctl(demo->bsf, "clear", text, sizeof(text)) < 0)
        return -1;
    for (end = world_elapsed_msec(demo->world) + 60000;
         !strstr(text, "\"gba\"") && world_elapsed_msec(demo->world) < end;)
        if (world_call_as(demo->world, WORLD_USER_METER, method, text, sizeof(text)) != 0)
            return -1;
    if (!strstr(text, "\"gba\"")) {
        demo_step(demo, "GBA has not taken over: %s", text);
        return -1;
    }
    demo_step(demo, "GBA has taken over, by itself.");
    if (world_call_as(demo->world, WORLD_USER_METER, argv, text, sizeof(text)) != 0 ||
        !strstr(text, "@" WORLD_BSF_NAME))
        return -1;
    demo_quote(text);
    show_status(demo);
    return 0;
}

static int prepare_bsf(struct demo *demo) {
    if (!world_start_pcscd(demo->world) || !world_start_usim(demo->world, "gateway", NULL))
        return -1;
    demo->bsf = world_start_bsf(demo->world, NULL);
    if (!demo->bsf || world_ctl(demo->bsf, "fault status 503", NULL, 0) < 0)
        return -1;
    return world_write_defaults(demo->bsf);
}

int demo_enrol(struct demo *demo) {
    bool chain = strcmp(demo->method, "chain") == 0;
    char key_id[128] = "";
    int r = chain ? prepare_bsf(demo) : 0;

    if (r == 0)
        r = raise_world(demo);
    if (r == 0 && chain)
        demo_detail(
            "The SIM is in its reader, but the operator's BSF answers 503; and the gateway's "
            "certificate expired in 2020.");
    if (r == 0)
        r = application_gets_key(demo, key_id);
    if (r == 0)
        show_status(demo);
    if (r == 0)
        r = survives_sigkill(demo, key_id);
    if (r == 0 && chain)
        r = gba_takes_over(demo);
    if (r == 0)
        r = demo_stranger(demo, (const char *const[]){KEYSTRAPCTL, "get-key", "km", WORLD_MAF_NAME,
                                                      "--format=none", NULL});
    return r;
}
