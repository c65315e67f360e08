/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA with one card: names, modes, and what stays in the card.
 *
 * Which of GBA_ME and GBA_U a BSF runs is the operator's decision, and the card has to be given the right command
 * before that is known for sure. So the mode is guessed from the card's service table, or taken from what worked
 * last; a card that finds the challenge wrong is given one more, a new one, in the other mode.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "card-gba.h"
#include "card-job.h"
#include "credential.h"
#include "log.h"
#include "util.h"

static const uint8_t ua_protocol_tmpi[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x01, 0x00};

/* --- Credentials ---------------------------------------------------------------------------------- */

static struct secret *take_credential(const struct card_job *job, const char *name, size_t min,
                                      size_t max, bool digits) {
    struct secret *secret = NULL;
    int r;

    r = credential_read(name, job->conf->name, min, max, digits, &secret);
    if (r == -EINVAL)
        log_warning("%s: the credential %s is not used: it is not %zu to %zu %s", job->conf->name,
                    name, min, max, digits ? "digits" : "octets");
    else if (r < 0 && r != -ENOENT)
        log_warning("%s: the credential %s cannot be read: %s", job->conf->name, name,
                    strerror(-r));
    return secret;
}

void card_gba_init(struct card_job *job) {
    job->gba.pin1 = take_credential(job, CREDENTIAL_PIN1, PIN_MIN, PIN_MAX, true);
    job->gba.upin = take_credential(job, CREDENTIAL_UPIN, PIN_MIN, PIN_MAX, true);
    if (job->conf->mode == CONF_MODE_DIGEST)
        job->gba.password = take_credential(job, CREDENTIAL_DIGEST, 1, CREDENTIAL_MAX, false);
}

void card_gba_done(struct card_job *job) {
    job->gba.pin1 = secret_free(job->gba.pin1);
    job->gba.upin = secret_free(job->gba.upin);
    job->gba.password = secret_free(job->gba.password);
}

void card_gba_configure(struct card_job *job) {
    struct uicc_options options = {
        .allow_sim = job->conf->mode == CONF_MODE_2G,
        .pin1 = job->gba.pin1,
        .upin = job->gba.upin,
        .pin_memory = &job->gba.pins,
    };

    if (job->conf->application == CONF_APPLICATION_USIM)
        options.choice = UICC_CHOOSE_USIM;
    else if (job->conf->application == CONF_APPLICATION_ISIM)
        options.choice = UICC_CHOOSE_ISIM;
    uicc_configure(job->uicc, &options);
}

bool card_gba_without_card(const struct card_job *job) {
    return job->conf->mode == CONF_MODE_DIGEST;
}

/* --- Names ---------------------------------------------------------------------------------------- */

static int names_configured(struct card_job *job, struct failure *failure) {
    const struct conf_card *conf = job->conf;

    if (!conf->impi || !conf->bsf)
        return failure_set(failure, UICC_E_IDENTITY,
                           "GBA_Digest has no card to take names from; set Impi= and Bsf= in [GBA] "
                           "of keystrap.conf");
    if (!job->gba.password)
        return failure_set(failure, UICC_E_IDENTITY,
                           "GBA_Digest needs a password; give keystrapd the credential "
                           "keystrap.gba-digest, see keystrapd(8)");
    return 0;
}

static int names_from_isim(const struct uicc_identity *identity, char *impi, char *bsf,
                           struct failure *failure) {
    (void)snprintf(impi, IMPI_MAX + 1, "%s", identity->impi);
    return gba_bsf_from_impi(identity->impi, bsf, failure);
}

static int names_from_imsi(const struct card_job *job, const struct uicc_identity *identity,
                           char *impi, char *bsf, struct failure *failure) {
    unsigned mnc_length =
        identity->mnc_length ? identity->mnc_length : (unsigned)job->conf->mnc_length;
    int r;

    if (mnc_length == 0)
        return failure_set(failure, UICC_E_IDENTITY,
                           "EF_AD of the card does not tell how long the MNC is; set MncLength=2 "
                           "or MncLength=3 in [UICC] of keystrap.conf");
    r = gba_impi_from_imsi(identity->imsi, mnc_length, impi, failure);
    return r == 0 ? gba_bsf_from_imsi(identity->imsi, mnc_length, bsf, failure) : r;
}

int card_gba_names(struct card_job *job, struct failure *failure) {
    const struct conf_card *conf = job->conf;
    char impi[IMPI_MAX + 1] = "", bsf[FQDN_MAX + 1] = "";
    const struct uicc_identity *identity;
    int r = 0;

    if (card_gba_without_card(job)) {
        r = names_configured(job, failure);
    } else if (!conf->impi || !conf->bsf) {
        identity = uicc_identity(job->uicc);
        r = identity->application == UICC_ISIM ? names_from_isim(identity, impi, bsf, failure)
                                               : names_from_imsi(job, identity, impi, bsf, failure);
    }
    if (r != 0)
        return r;
    if (conf->impi)
        (void)snprintf(impi, sizeof(impi), "%s", conf->impi);
    if (conf->bsf)
        (void)snprintf(bsf, sizeof(bsf), "%s", conf->bsf);
    memcpy(job->impi, impi, sizeof(impi));
    memcpy(job->bsf, bsf, sizeof(bsf));
    return 0;
}

/* --- Modes ---------------------------------------------------------------------------------------- */

static const char *card_iccid(const struct card_job *job) {
    return job->uicc ? uicc_identity(job->uicc)->iccid : "";
}

static enum gba_mode mode_due(const struct card_job *job) {
    const struct card_gba *gba = &job->gba;

    switch ((enum conf_mode)job->conf->mode) {
    case CONF_MODE_AUTO:
        break;
    case CONF_MODE_ME:
        return GBA_MODE_ME;
    case CONF_MODE_U:
        return GBA_MODE_U;
    case CONF_MODE_2G:
        return GBA_MODE_2G;
    case CONF_MODE_DIGEST:
        return GBA_MODE_DIGEST;
    }
    if (gba->has_worked && strcmp(gba->worked_iccid, card_iccid(job)) == 0)
        return gba->worked;
    return job->uicc && uicc_knows_gba(uicc_identity(job->uicc)) ? GBA_MODE_U : GBA_MODE_ME;
}

static void note_worked(struct card_job *job, enum gba_mode mode) {
    (void)snprintf(job->gba.worked_iccid, sizeof(job->gba.worked_iccid), "%s", card_iccid(job));
    job->gba.has_worked = true;
    job->gba.worked = mode;
}

/* 2G GBA gives away what USIM and ISIM are there for, so it is no way down from them (TS 33.220 I.4, unverified). */
static int mode_check(const struct card_job *job, enum gba_mode mode, struct failure *failure) {
    const struct uicc_identity *identity;

    if (mode != GBA_MODE_2G)
        return 0;
    identity = uicc_identity(job->uicc);
    if (identity->application == UICC_SIM)
        return 0;
    return failure_set(
        failure, UICC_E_CONTEXT,
        "2G GBA is refused: the card has %s; set Mode=auto in [GBA] of keystrap.conf",
        identity->has_usim ? "a USIM" : "an ISIM");
}

static int job_get(void *userdata, const struct http_request *request, struct http_response *ret,
                   struct failure *failure) {
    struct card_job *job = userdata;

    return http_client_ask(job->http, request, job->cancel_fd, ret, failure);
}

static int job_authenticate(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                            const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                            struct failure *failure) {
    struct card_job *job = userdata;
    int r;

    if (job->mode != GBA_MODE_U)
        return uicc_authenticate(job->uicc, rand, autn, ret, failure);
    r = uicc_gba_bootstrap(job->uicc, rand, autn, ret, failure);
    /* But for an answer that says no, the card may have taken the challenge, and has another Ks then. */
    if (r != UICC_E_SYNC && r != UICC_E_MAC && r != UICC_E_CONTEXT)
        job->ks_lost = true;
    return r;
}

static int job_authenticate_2g(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                               struct secret **ret_sres, struct secret **ret_kc,
                               struct failure *failure) {
    struct card_job *job = userdata;

    return uicc_run_gsm(job->uicc, rand, ret_sres, ret_kc, failure);
}

static const struct ub_ops job_ops = {
    .get = job_get,
    .authenticate = job_authenticate,
    .authenticate_2g = job_authenticate_2g,
};

static struct ub_parameters job_parameters(const struct card_job *job, enum gba_mode mode) {
    const struct conf_card *conf = job->conf;
    const struct card_gba *gba = &job->gba;
    bool tmpi = conf->tmpi && (mode == GBA_MODE_ME || mode == GBA_MODE_U);

    return (struct ub_parameters){
        .mode = mode,
        .impi = job->impi[0] ? job->impi : conf->impi,
        .tmpi = tmpi && gba->tmpi[0] && strcmp(gba->tmpi_impi, job->impi) == 0 ? gba->tmpi : NULL,
        .tmpi_wanted = tmpi,
        .akav2 = conf->aka_v2 && mode == GBA_MODE_ME,
        .password = mode == GBA_MODE_DIGEST ? gba->password : NULL,
        .bsf = job->bsf[0] ? job->bsf : conf->bsf,
        .realm = conf->realm,
        .scheme = conf->scheme,
        .port = (uint16_t)conf->port,
        .path = conf->path,
        .connect_to = conf->connect_to,
        .user_agent = conf->user_agent,
        .extra_headers = (const char *const *)conf->headers,
        .trust_anchors = conf->trust_anchors,
        .tls_min = conf->tls_min == CONF_TLS_1_3 ? HTTP_TLS_1_3 : HTTP_TLS_1_2,
        .require_rspauth = conf->require_rspauth,
        .require_auth_int = conf->require_auth_int,
        .connect_timeout_usec = conf->connect_timeout_usec,
        .request_timeout_usec = conf->request_timeout_usec,
        .lifetime_max_usec = conf->lifetime_max_usec,
    };
}

int card_gba_derive_naf_key(struct card_job *job, const char *naf_fqdn,
                            const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], const char *impi,
                            struct secret **ret, struct failure *failure) {
    uint8_t naf_id[NAF_FQDN_MAX + UA_PROTOCOL_LENGTH];
    size_t length = strlen(naf_fqdn);

    if (length > NAF_FQDN_MAX)
        return -EINVAL;
    memcpy(naf_id, naf_fqdn, length);
    memcpy(naf_id + length, ua_protocol, UA_PROTOCOL_LENGTH);
    return uicc_gba_derive(job->uicc, naf_id, length + UA_PROTOCOL_LENGTH, impi, ret, failure);
}

/* The temporary identity for next time: of a Ks in the card the card has to derive it. */
static void note_tmpi(struct card_job *job, const struct ub_result *result) {
    _cleanup_secret_ struct secret *key = NULL;
    char bsf_id[NAF_FQDN_MAX + 1];

    if (!job->conf->tmpi || !result->server_tmpi)
        return;
    (void)snprintf(job->gba.tmpi_impi, sizeof(job->gba.tmpi_impi), "%s", job->impi);
    if (result->mode != GBA_MODE_U) {
        memcpy(job->gba.tmpi, result->tmpi, sizeof(job->gba.tmpi));
        return;
    }
    if (!gba_bsf_id_of_btid(result->btid, bsf_id))
        return;
    if (card_gba_derive_naf_key(job, bsf_id, ua_protocol_tmpi, job->impi, &key, NULL) != 0 ||
        gba_tmpi_from_key(key, job->gba.tmpi) != 0)
        job->gba.tmpi[0] = '\0';
}

/* What the ME owes the card after a bootstrap in it (TS 33.220 5.3.2). Keys can be had without. */
static void note_in_card(struct card_job *job, const struct ub_result *result) {
    struct failure failure = {0};
    int r;

    if (result->mode != GBA_MODE_U)
        return;
    r = uicc_gba_write_bp(job->uicc, result->rand, result->btid, result->lifetime_text, &failure);
    if (r != 0)
        log_notice("%s: the bootstrap is not noted in the card, and will not be gone on with after "
                   "a restart: %s",
                   job->conf->name, failure.code != 0 ? failure.text : outcome_name(r));
}

static int bootstrap_in(struct card_job *job, enum gba_mode mode, struct ub_result *ret,
                        uint64_t *ret_retry_after_usec, struct failure *failure) {
    struct ub_parameters parameters = job_parameters(job, mode);
    int r;

    r = mode_check(job, mode, failure);
    if (r != 0)
        return r;
    job->mode = mode;
    r = ub_bootstrap(&parameters, &job_ops, job, ret, ret_retry_after_usec, failure);
    job->gba.tmpi[0] = '\0';
    if (r != 0)
        return r;
    note_worked(job, mode);
    note_in_card(job, ret);
    note_tmpi(job, ret);
    return 0;
}

static bool may_be_other_mode(const struct card_job *job, enum gba_mode mode, int r) {
    if (job->conf->mode != CONF_MODE_AUTO || (r != UB_E_NETWORK_AUTH && r != UICC_E_CONTEXT))
        return false;
    return mode == GBA_MODE_U || uicc_knows_gba(uicc_identity(job->uicc));
}

int card_gba_bootstrap(struct card_job *job, struct ub_result *ret, uint64_t *ret_retry_after_usec,
                       struct failure *failure) {
    enum gba_mode mode = mode_due(job);
    struct failure first = {0}, second = {0};
    int r, s;

    r = bootstrap_in(job, mode, ret, ret_retry_after_usec, &first);
    if (r == 0)
        return 0;
    if (may_be_other_mode(job, mode, r)) {
        log_debug("%s: GBA_%s: %s; trying the other mode", job->conf->name,
                  mode == GBA_MODE_U ? "U" : "ME", first.text);
        s = bootstrap_in(job, mode == GBA_MODE_U ? GBA_MODE_ME : GBA_MODE_U, ret,
                         ret_retry_after_usec, &second);
        if (s == 0)
            return 0;
        /* What happened to the network or the card meanwhile says more than that both modes are wrong. */
        if (s != UB_E_NETWORK_AUTH && s != UICC_E_CONTEXT) {
            r = s;
            first = second;
        }
    }
    return first.code != 0 ? failure_set(failure, r, "%s", first.text) : r;
}

int card_gba_probe(struct card_job *job, int64_t *ret_date, struct failure *failure) {
    struct ub_parameters parameters = job_parameters(job, mode_due(job));

    return ub_probe(&parameters, &job_ops, job, ret_date, failure);
}

/* --- Keys in the card ----------------------------------------------------------------------------- */

int card_gba_derive(struct card_job *job, struct worker_derive *derive, struct failure *failure) {
    int r;

    r = card_job_read(job, failure);
    if (r != 0)
        return r;
    if (!job->uicc || strcmp(card_iccid(job), derive->iccid) != 0)
        return failure_set(failure, UICC_E_CARD_ABSENT,
                           "the card that has the Ks is gone; another one is there, ask again");
    return card_gba_derive_naf_key(job, derive->naf_fqdn, derive->ua_protocol, derive->impi,
                                   &derive->key, failure);
}

bool card_gba_resume(struct card_job *job, struct ub_result *ret) {
    struct ub_result result = {.mode = GBA_MODE_U};
    struct uicc_gbabp gbabp;
    int mode = job->conf->mode;

    if ((mode != CONF_MODE_AUTO && mode != CONF_MODE_U) ||
        !uicc_knows_gba(uicc_identity(job->uicc)) || uicc_gba_read_bp(job->uicc, &gbabp, NULL) != 0)
        return false;
    if (ub_lifetime_by_clock(gbabp.lifetime, job->conf->lifetime_max_usec, &result.expires_usec,
                             &result.expires_utc_usec) != 0)
        return false;
    memcpy(result.rand, gbabp.rand, sizeof(result.rand));
    memcpy(result.btid, gbabp.btid, sizeof(result.btid));
    memcpy(result.lifetime_text, gbabp.lifetime, sizeof(result.lifetime_text));
    memcpy(result.impi, job->impi, sizeof(result.impi));
    note_worked(job, GBA_MODE_U);
    *ret = result;
    return true;
}

void card_gba_list(struct card_job *job, char *ret, size_t size) {
    struct uicc_gbanl list[EF_GBANL_RECORDS_MAX];
    size_t count = 0, length = 0;

    ret[0] = '\0';
    if (!job->uicc || !job->open || !uicc_knows_gba(uicc_identity(job->uicc)) ||
        uicc_gba_list(job->uicc, list, ELEMENTS(list), &count, NULL) != 0)
        return;
    if (count == 0)
        (void)snprintf(ret, size, "none");
    for (size_t i = 0; i < count && length < size - 1; i++)
        length += (size_t)snprintf(ret + length, size - length, "%s%.64s", i > 0 ? ", " : "",
                                   list[i].naf_fqdn);
}
