/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One enrolment with a MEF, from the credential to the registration.
 *
 * It reads like TS-0003 8.3.2 from top to bottom: take the bootstrap credential, get a certificate where the profile wants
 * one and there is none (8.3.6), shake hands and register (8.3.5.2.3), do what the MEF tells (8.3.9). The programs that
 * speak (D)TLS live no longer than it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "credential.h"
#include "enrol-job.h"
#include "log.h"
#include "secure-key.h"
#include "util.h"

/* What the steps share. */
struct work {
    struct enrol_job *job;
    int cancel_fd;
    struct http_client *http, *coap;
    struct secret *kpm;
    struct secret *key_file;
    struct secure_key *secure; /* of a pkcs11: URI */
    struct http_signer signer; /* by it */
    char *certificate_text;
    struct peer_expectation peer;
    struct http_handshake psk, certificate;
};

struct enrol_job *enrol_job_new(enum enrol_job_kind kind, enum enrol_method method,
                                const struct enrol_profile *profile, const char *plugin_directory) {
    struct enrol_job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->kind = kind;
    job->method = method;
    job->profile = profile;
    job->plugin_directory = plugin_directory;
    return job;
}

struct enrol_job *enrol_job_free(struct enrol_job *job) {
    if (!job)
        return NULL;
    secret_free(job->token);
    secret_free(job->private_key);
    free(job->certificate);
    mef_registration_done(&job->registration);
    est_credential_done(&job->credential);
    free(job);
    return NULL;
}

static void work_done(struct work *work) {
    http_client_free(work->http);
    http_client_free(work->coap);
    secret_free(work->kpm);
    secret_free(work->key_file);
    secure_key_free(work->secure);
    free(work->certificate_text);
}

/* --- Asking --------------------------------------------------------------------------------------- */

/* Failures before the first octet of a request is sent. */
static bool is_before_sending(int r) {
    return r == HTTP_E_RESOLVE || r == HTTP_E_CONNECT || r == HTTP_E_TLS ||
           r == HTTP_E_CREDENTIAL || r == HTTP_E_PSK || r == HTTP_E_OWN_CERTIFICATE ||
           r == HTTP_E_OWN_EXPIRED || r == HTTP_E_MASTER_SECRET ||
           (r >= OUTCOME_PEER_BASE && r < OUTCOME_MEF_BASE);
}

static int start_client(const struct work *work, const char *program, struct http_client **client) {
    _cleanup_free_ char *path = NULL;

    if (*client)
        return 0;
    if (asprintf(&path, "%s/%s", work->job->plugin_directory, program) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return http_client_new(path, client);
}

static int work_ask(void *userdata, const struct http_request *request, struct http_response *ret,
                    struct failure *failure) {
    struct work *work = userdata;
    bool coap = strncmp(request->url, "coaps:", 6) == 0;
    struct http_client **client = coap ? &work->coap : &work->http;
    int r;

    r = start_client(work, coap ? "keystrap-coap" : "keystrap-http", client);
    if (r == 0)
        r = http_client_ask(*client, request, work->cancel_fd, ret, failure);
    return r;
}

static int64_t work_now(void *userdata) {
    (void)userdata;
    return (int64_t)(now_realtime_usec() / USEC_PER_SEC);
}

/* --- Credentials ---------------------------------------------------------------------------------- */

static int take_kpm(struct work *work) {
    const struct enrol_profile *profile = work->job->profile;
    int r;

    if (work->kpm)
        return 0;
    r = enrol_credential_read(profile->kpm, PSK_MIN, PSK_MAX, &work->kpm, &work->job->failure);
    if (r != 0)
        return r;
    work->psk = (struct http_handshake){
        .suites = profile->suites,
        .psk_identity = profile->kpm_id,
        .psk = work->kpm,
    };
    return 0;
}

static void expect_peer(struct work *work) {
    const struct enrol_profile *profile = work->job->profile;

    work->peer = (struct peer_expectation){
        .flavour = (enum peer_flavour)profile->peer_flavour,
        .name = profile->peer_name ? profile->peer_name : profile->mef_fqdn,
        .roots_count = profile->peer_roots_count,
        .trust_anchors = profile->trust_anchors,
        .crl = profile->crl,
        .ocsp_required = profile->ocsp_required,
    };
    memcpy(work->peer.roots, profile->peer_roots, sizeof(work->peer.roots));
}

static bool is_elsewhere(const struct enrol_profile *profile) {
    return profile->private_key && strncmp(profile->private_key, "pkcs11:", 7) == 0;
}

static int sign(void *userdata, const uint8_t digest[SECURE_DIGEST_LENGTH],
                uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure) {
    struct work *work = userdata;

    return secure_key_sign(work->secure, digest, ret, ret_length, failure);
}

/* The private key where it is in a secure environment; made there, with @make, where it is not. */
static int open_secure(struct work *work, bool make) {
    const struct enrol_profile *profile = work->job->profile;
    struct failure *failure = &work->job->failure;
    _cleanup_secret_ struct secret *pin = NULL;
    _cleanup_free_ char *path = NULL;
    int r = 0;

    if (!is_elsewhere(profile) || work->secure)
        return 0;
    if (profile->private_key_pin)
        r = enrol_credential_read(profile->private_key_pin, 1, SECURE_PIN_MAX, &pin, failure);
    if (r != 0)
        return r;
    if (asprintf(&path, "%s/se-pkcs11", work->job->plugin_directory) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    work->signer = (struct http_signer){sign, work};
    return secure_key_open(path, profile->private_key, pin, make, work->cancel_fd, &work->secure,
                           failure);
}

static void use_certificate(struct work *work, const char *text, const struct secret *key) {
    const struct enrol_profile *profile = work->job->profile;

    work->certificate = (struct http_handshake){
        .suites = profile->suites,
        .certificate = text,
        .private_key = key,
        .signer = !key && work->secure ? &work->signer : NULL,
        .peer = &work->peer,
    };
}

/* The words of peer_certificate_check() are of our own certificate, and so is the outcome here. */
static int check_own(struct work *work, const char *text) {
    struct failure failure = {0};
    int r = peer_certificate_check(text, work_now(NULL), &failure);

    if (r == 0)
        return 0;
    return failure_set(&work->job->failure,
                       r == PEER_E_EXPIRED ? HTTP_E_OWN_EXPIRED : HTTP_E_CREDENTIAL,
                       "our own certificate: %.300s", failure.text);
}

static int take_certificate_file(struct work *work) {
    struct enrol_job *job = work->job;
    const char *key = job->profile->private_key;
    int r;

    r = enrol_certificate_read(job->profile->certificate, &work->certificate_text, &job->failure);
    if (r == 0)
        r = is_elsewhere(job->profile)
                ? open_secure(work, false)
                : enrol_credential_read(key, 1, PRIVATE_KEY_MAX, &work->key_file, &job->failure);
    if (r != 0)
        return r;
    use_certificate(work, work->certificate_text, work->key_file);
    return check_own(work, work->certificate_text);
}

/* --- A certificate from EST (TS-0003 8.3.6) --------------------------------------------------------- */

static int est_base(const struct enrol_profile *profile, char *ret, size_t size) {
    const char *authority, *end;
    int length;

    if (profile->est)
        length = snprintf(ret, size, "%s", profile->est);
    else {
        authority = strstr(profile->mef, "://") + 3;
        end = strchrnul(authority, '/');
        length =
            snprintf(ret, size, "https://%.*s/.well-known/est", (int)(end - authority), authority);
    }
    return length >= 0 && (size_t)length < size ? 0 : -EINVAL;
}

/* As our identity is written, so is the name in the certificate (TS-0003 10.1.4). */
static void est_name(const struct enrol_profile *profile, struct est_subject *ret) {
    bool is_uri = strchr(profile->identity, '/') != NULL;

    *ret = (struct est_subject){
        .common_name = profile->identity,
        .dns = is_uri ? NULL : profile->identity,
        .uri = is_uri ? profile->identity : NULL,
    };
}

static int provision(struct work *work, const struct mef_io *io, bool renew) {
    struct enrol_job *job = work->job;
    char base[HTTP_URL_MAX + 1];
    struct est_subject subject;
    struct est_client client = {
        .io = io,
        .base = base,
        .connect_to = job->profile->connect_to,
        .handshake = renew ? &work->certificate : &work->psk,
        .connect_timeout_usec = job->profile->connect_timeout_usec,
        .request_timeout_usec = job->profile->request_timeout_usec,
    };
    int r;

    r = open_secure(work, true);
    if (r == 0 && !renew)
        r = take_kpm(work);
    if (r == 0)
        r = est_base(job->profile, base, sizeof(base));
    if (r != 0)
        return r;
    if (work->secure && !secure_key_public(work->secure))
        return failure_set(&job->failure, HTTP_E_CREDENTIAL,
                           "the token does not tell the public key of the private one, and so no "
                           "certificate can be asked for");
    if (work->secure) {
        client.signer = &work->signer;
        client.public_key = secure_key_public(work->secure);
    }
    est_name(job->profile, &subject);
    r = est_enrol(&client, &subject, renew, &job->credential, &job->failure);
    job->provisioned = r == 0;
    return r;
}

static int take_certificate(struct work *work, const struct mef_io *io) {
    struct enrol_job *job = work->job;
    int r;

    if (!job->profile->provision)
        return take_certificate_file(work);
    r = open_secure(work, true);
    if (r != 0)
        return r;
    /* Without its key it is that of a profile from before. */
    if (job->certificate && (job->private_key || work->secure) &&
        check_own(work, job->certificate) == 0) {
        use_certificate(work, job->certificate, job->private_key);
        return 0;
    }
    failure_clear(&job->failure);
    r = provision(work, io, false);
    if (r == 0)
        use_certificate(work, job->credential.certificate, job->credential.private_key);
    return r;
}

/* --- Commands (TS-0003 8.3.9) ----------------------------------------------------------------------- */

struct commands {
    struct work *work;
    const struct mef_io *io;
};

static int on_cert_prov(struct commands *commands, const struct mef_command *command) {
    struct enrol_job *job = commands->work->job;
    struct failure before = job->failure;
    int r;

    if (command->protocol != 1)
        return MEF_COMMAND_UNACCEPTABLE_ARGUMENTS;
    if (!job->profile->provision || job->provisioned)
        return job->provisioned ? MEF_COMMAND_OK : MEF_COMMAND_UNACCEPTABLE_ARGUMENTS;
    if (strcmp(command->subject, job->profile->identity) != 0)
        return MEF_COMMAND_UNACCEPTABLE_ARGUMENTS;
    r = provision(commands->work, commands->io, job->method == ENROL_CERTIFICATE);
    if (r == UB_E_CANCELLED)
        return r;
    if (r != 0)
        log_warning("%s: the MEF's command to get a certificate failed: %s", job->profile->name,
                    job->failure.text);
    job->failure = before;
    if (r == 0)
        return MEF_COMMAND_OK;
    return r >= OUTCOME_EST_BASE && r < OUTCOME_RECORD_BASE ? MEF_COMMAND_CERT_PROV_SERVER
                                                            : MEF_COMMAND_CERT_PROV_CLIENT;
}

static int on_command(void *userdata, const struct mef_command *command) {
    struct commands *commands = userdata;

    log_info("%s: the MEF's command %s of class %u", commands->work->job->profile->name,
             command->id, command->class);
    switch (command->class) {
    case MEF_NO_MORE_COMMANDS:
        return MEF_COMMAND_OK;
    case MEF_CERT_PROV:
        return on_cert_prov(commands, command);
    case MEF_MO_NODE: /* there are no management objects here */
        return MEF_COMMAND_MO_NODE_NOT_FOUND;
    default: /* also MEF_DEV_CFG: there is no device management client here */
        return MEF_COMMAND_CLASS_NOT_SUPPORTED;
    }
}

/* What becomes of commands is no reason to lose the registration. */
static void run_commands(struct work *work, struct mef_client *client) {
    struct enrol_job *job = work->job;
    struct commands commands = {work, client->io};
    const struct mef_command_handler handler = {on_command, &commands};
    struct failure failure = {0};
    int r;

    if (!job->profile->commands || job->registration.command[0] == '\0')
        return;
    r = mef_run_commands(client, &job->registration, &handler, &job->commands_usec, &failure);
    if (r != 0)
        log_warning("%s: the MEF's commands were not all done: %s", job->profile->name,
                    failure.text[0] ? failure.text : outcome_name(r));
}

/* --- All of it -------------------------------------------------------------------------------------- */

static enum enrol_token_fate token_fate(const struct enrol_job *job, int r) {
    if (!job->token || is_before_sending(r))
        return ENROL_TOKEN_KEPT;
    if (r == 0 || (r >= OUTCOME_MEF_BASE && r < OUTCOME_EST_BASE && r != MEF_E_BUSY))
        return ENROL_TOKEN_ANSWERED;
    return ENROL_TOKEN_UNKNOWN;
}

static int do_register(struct work *work, struct mef_client *client) {
    struct enrol_job *job = work->job;
    int r;

    r = mef_register(client, job->token, &job->registration, &job->failure);
    job->token_fate = token_fate(job, r);
    job->retry_after_usec = client->retry_after_usec;
    if (r == 0)
        run_commands(work, client);
    return r;
}

static int do_job(struct work *work) {
    struct enrol_job *job = work->job;
    const struct mef_io io = {work_ask, work_now, work};
    struct mef_client client = {
        .io = &io,
        .profile = job->profile,
        .handshake = job->method == ENROL_PSK ? &work->psk : &work->certificate,
    };
    int r;

    expect_peer(work);
    if (job->kind == ENROL_JOB_RENEW_CERTIFICATE) {
        r = open_secure(work, true);
        if (r != 0)
            return r;
        use_certificate(work, job->certificate, job->private_key);
        return provision(work, &io, true);
    }
    r = job->method == ENROL_PSK ? take_kpm(work) : take_certificate(work, &io);
    if (r != 0)
        return r;
    if (job->kind == ENROL_JOB_DEREGISTER)
        return mef_deregister(&client, job->client_reg_id, &job->failure);
    return do_register(work, &client);
}

void enrol_job_run(struct enrol_job *job, int cancel_fd) {
    _cleanup_(work_done) struct work work = {.job = job, .cancel_fd = cancel_fd};

    job->r = do_job(&work);
    if (job->r != 0)
        (void)failure_set(&job->failure, job->r, "%s",
                          job->r < 0 ? strerror(-job->r) : outcome_name(job->r));
}
