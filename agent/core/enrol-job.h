/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One enrolment with a MEF, from the credential to the registration: what runs in a thread of its own.
 */

#include <systemd/sd-event.h>

#include "enrol-profile.h"
#include "est.h"
#include "mef.h"

enum enrol_job_kind {
    ENROL_JOB_REGISTER,   /* handshake and registration; with a certificate from EST first where there is none */
    ENROL_JOB_RENEW_CERTIFICATE,
    ENROL_JOB_DEREGISTER,
};

/* How far the enrolment token came. */
enum enrol_token_fate {
    ENROL_TOKEN_KEPT,     /* no octet of it was sent */
    ENROL_TOKEN_UNKNOWN,  /* it was sent, or not; no answer came */
    ENROL_TOKEN_ANSWERED,
};

/* A job, and what came of it. It owns the pointers that are no borrowed ones. */
struct enrol_job {
    enum enrol_job_kind kind;
    enum enrol_method method;            /* ENROL_CERTIFICATE or ENROL_PSK */
    const struct enrol_profile *profile; /* borrowed */
    const char *plugin_directory;        /* borrowed */
    struct secret *token;                /* to present; NULL for none */
    struct secret *private_key;          /* of the certificate that EST gave; NULL for none */
    char *certificate;
    char client_reg_id[MEF_ID_MAX + 1];  /* ENROL_JOB_DEREGISTER */

    int r;
    struct failure failure;
    struct mef_registration registration; /* r == 0 */
    enum enrol_token_fate token_fate;
    bool provisioned;                     /* credential is there, whatever r is */
    struct est_credential credential;
    uint64_t retry_after_usec;            /* the MEF's wish */
    uint64_t commands_usec;               /* when to ask for commands again; 0 for never */
};

/**
 * enrol_job_new() - a job; the rest of it is the caller's to fill. Return: NULL without memory.
 */
struct enrol_job *enrol_job_new(enum enrol_job_kind kind, enum enrol_method method,
                                const struct enrol_profile *profile, const char *plugin_directory);

/**
 * enrol_job_free() - erase and release; NULL is allowed, returns NULL
 */
struct enrol_job *enrol_job_free(struct enrol_job *job);

/**
 * enrol_job_run() - do it; for a thread
 * @cancel_fd: readable when it shall end
 */
void enrol_job_run(struct enrol_job *job, int cancel_fd);

/* --- Its thread (enrol-run.c) ----------------------------------------------------------------------- */

struct enrol_run;

/* From the event loop; @job is released after it returns, and the run with it. */
typedef void (*enrol_done_fn)(struct enrol_job *job, void *userdata);

/**
 * enrol_run_start() - run @job in a thread; it is taken over where this returns 0
 */
int enrol_run_start(sd_event *event, struct enrol_job *job, enrol_done_fn done, void *userdata,
                    struct enrol_run **ret);

/**
 * enrol_run_free() - cancel it, wait for the thread, which is not long, and release; NULL is allowed, returns NULL
 *
 * Not from the done function.
 */
struct enrol_run *enrol_run_free(struct enrol_run *run);
