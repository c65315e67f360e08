/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An agent that does as it is told: agent.h for tests of the bus's side, without card, network or rules.
 *
 * Applications on its card echo what is sent to them; an AID that begins with FF and a command of class FF wait for the test.
 * A NAF or a profile named "hold..." is answered when the test says so; everything else at once: with fail_code where that is
 * set, else with a key whose octets are fake_key_octet() of the name of NAF or target. It has no profile until
 * fake_agent_add_profile().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"

#define FAKE_BTID         "cmFuZG9tMTIzNDU2Nzg5MA==@bsf.example.com"
#define FAKE_KE_ID        "00112233445566778899aabbccddeeff@mef.example.com"
#define FAKE_EXPIRES_UTC  1900000000000000ull
#define FAKE_EXPIRES_BOOT 86400000000ull

struct agent {
    struct agent_status status;    /* of the first card */
    struct agent_status others[4]; /* of the cards after it */
    size_t others_count;
    struct failure last_failure;
    int fail_code;              /* what all requests are answered with, 0 for success */
    bool hold_all;              /* Bootstrap and Diagnose wait as well */
    bool denied;                /* who manages is denied */
    struct agent_enrol_status enrolments[4];
    struct failure enrolment_failures[4];
    size_t enrolments_count;
    char profile[64]; /* of the last request to an enrolment; "(null)" where it named none */
    char kind[16], peer[64];
    unsigned suid;
    bool renew;
    unsigned enrolled, enrolments_forgotten;
    uint8_t document[64]; /* its beginning */
    size_t document_length;
    unsigned configured;
    struct agent_request *held; /* the newest first */
    unsigned asked, cancelled, forgotten;
    struct access_caller caller; /* of the last request */
    char names[128][64];         /* of the NAFs asked for, in order */
    uint8_t ua[8];
    size_t ua_length;
    char uicc[64]; /* of the last request; "(null)" where it named none */
    bool force;
    struct uicc_identity identity;
    unsigned se_clients, se_sessions, se_channels; /* that are there */
    uint32_t se_last;
    agent_changed_fn changed;
    void *changed_userdata;
};

void fake_agent_init(struct agent *agent);

/**
 * fake_agent_add_profile() - a profile of that name, which is idle; at most 4
 * @name: borrowed
 *
 * Return: its status, for the test to change.
 */
struct agent_enrol_status *fake_agent_add_profile(struct agent *agent, const char *name);

/**
 * fake_agent_release() - answer all that wait with @code
 */
void fake_agent_release(struct agent *agent, int code);

/**
 * fake_agent_held() - how many wait
 */
size_t fake_agent_held(const struct agent *agent);

uint8_t fake_key_octet(const char *naf_fqdn, size_t index);
