/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which application of the card is used, and who it says the subscriber is.
 *
 * A USIM has an IMSI, from which names follow; an ISIM has them written out. Files that only help (service
 * table, domain) may be missing; who the subscriber is may not.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "uicc-internal.h"
#include "util.h"

#define EF_IMSI_LENGTH 9u
#define EF_AD_LENGTH   4u

const char *uicc_application_name(enum uicc_application application) {
    switch (application) {
    case UICC_NO_APPLICATION:
        return "no application";
    case UICC_USIM:
        return "USIM";
    case UICC_ISIM:
        return "ISIM";
    case UICC_SIM:
        return "SIM";
    }
    return "application";
}

/* The first of each kind counts. A record that makes no sense hides no other record. */
static void note_listed(struct uicc *uicc, const struct apdu_answer *answer) {
    struct uicc_listed listed = {0};
    int kind = dir_record_parse(secret_data(answer->data), answer->length, &listed);

    if (kind == UICC_USIM && uicc->usim.aid_length == 0)
        uicc->usim = listed;
    if (kind == UICC_ISIM && uicc->isim.aid_length == 0)
        uicc->isim = listed;
}

static int read_dir(struct uicc *uicc, struct failure *failure) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct failure local = {0};
    struct fcp fcp;
    unsigned records;
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = file_select(uicc, FID_EF_DIR, "EF_DIR", &fcp, failure);
    if (r != 0)
        return r;
    if (fcp.structure != FCP_STRUCTURE_LINEAR)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card does not say how long the records of EF_DIR are");
    records = fcp.records > 0 && fcp.records < EF_DIR_RECORDS_MAX ? (unsigned)fcp.records
                                                                  : EF_DIR_RECORDS_MAX;
    for (unsigned number = 1; number <= records; number++) {
        failure_clear(&local);
        r = file_read_record(uicc, "EF_DIR", number, fcp.record_length, &answer, &local);
        if (r == UICC_E_NOT_FOUND)
            break;
        if (r != 0)
            return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
        note_listed(uicc, &answer);
    }
    return 0;
}

static void choose(struct uicc *uicc, enum uicc_application application,
                   const struct uicc_listed *listed) {
    struct uicc_identity *identity = &uicc->identity;

    identity->application = application;
    memcpy(identity->aid, listed->aid, sizeof(identity->aid));
    identity->aid_length = listed->aid_length;
    memcpy(identity->label, listed->label, sizeof(identity->label));
}

static int choose_by_options(struct uicc *uicc, struct failure *failure) {
    bool usim = uicc->usim.aid_length > 0, isim = uicc->isim.aid_length > 0;

    uicc->identity.has_usim = usim;
    uicc->identity.has_isim = isim;
    switch (uicc->options.choice) {
    case UICC_CHOOSE_AUTO:
        break;
    case UICC_CHOOSE_USIM:
        if (isim && !usim)
            return failure_set(failure, UICC_E_NO_APPLICATION,
                               "The card has an ISIM but no USIM; set Application=auto or isim in "
                               "[UICC] of keystrap.conf");
        isim = false;
        break;
    case UICC_CHOOSE_ISIM:
        if (!isim)
            return failure_set(failure, UICC_E_NO_APPLICATION,
                               "The card has no ISIM; set Application=auto or usim in [UICC] of "
                               "keystrap.conf");
        usim = false;
        break;
    }
    if (usim)
        choose(uicc, UICC_USIM, &uicc->usim);
    else if (isim)
        choose(uicc, UICC_ISIM, &uicc->isim);
    else if (uicc->options.allow_sim)
        choose(uicc, UICC_SIM, &(struct uicc_listed){0});
    else
        return failure_set(failure, UICC_E_NO_APPLICATION,
                           "EF_DIR of the card names no USIM (AID A0000000871002...) and no ISIM "
                           "(A0000000871004...): is it a SIM of a mobile operator?");
    return 0;
}

int application_find(struct uicc *uicc, struct failure *failure) {
    struct failure local = {0};
    int r;

    uicc->usim = uicc->isim = (struct uicc_listed){0};
    r = read_dir(uicc, &local);
    /* A card from before the UICC has no EF_DIR. */
    if (r == UICC_E_NOT_FOUND && uicc->options.allow_sim)
        r = 0;
    if (r != 0)
        return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
    return choose_by_options(uicc, failure);
}

/* Read a file that the PIN may guard; the PIN is presented where that helps. */
static int read_guarded(struct uicc *uicc, uint16_t fid, const char *name, uint8_t *ret,
                        size_t size, size_t *ret_length, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    struct failure local = {0};
    int r;

    r = file_read_binary(uicc, fid, name, ret, size, ret_length, &local);
    if (r == UICC_E_PIN_REQUIRED) {
        r = pin_present(uicc, failure);
        if (r != 0)
            return r;
        failure_clear(&local);
        r = file_read_binary(uicc, fid, name, ret, size, ret_length, &local);
    }
    if (r == UICC_E_PIN_REQUIRED || r == UICC_E_PIN_BLOCKED)
        return pin_refused(uicc, r, failure);
    if (r != 0)
        return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
    if (identity->pin == UICC_PIN_REQUIRED)
        identity->pin = UICC_PIN_VERIFIED;
    return 0;
}

static int read_imsi(struct uicc *uicc, struct failure *failure) {
    struct failure local = {0};
    uint8_t data[EF_IMSI_LENGTH];
    size_t length;
    int r;

    r = read_guarded(uicc, FID_EF_IMSI, "EF_IMSI", data, sizeof(data), &length, &local);
    if (r == UICC_E_NOT_FOUND)
        return failure_set(failure, UICC_E_IDENTITY, "The %s has no EF_IMSI: %s",
                           uicc_application_name(uicc->identity.application), local.text);
    if (r != 0)
        return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
    if (imsi_parse(data, length, uicc->identity.imsi) < 0)
        return failure_set(failure, UICC_E_IDENTITY,
                           "EF_IMSI of the %s (%zu octets) does not hold an IMSI: the SIM is not "
                           "personalised, or damaged",
                           uicc_application_name(uicc->identity.application), length);
    return 0;
}

/* EF_IMPI. Operators have put things there that are no identity; an ISIM with one of those is none. */
static int read_impi(struct uicc *uicc, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    struct failure local = {0};
    uint8_t data[EF_BINARY_MAX];
    size_t length;
    int r;

    r = read_guarded(uicc, FID_EF_IMPI, "EF_IMPI", data, sizeof(data), &length, &local);
    if (r == UICC_E_NOT_FOUND)
        return failure_set(failure, UICC_E_NO_APPLICATION, "The ISIM has no EF_IMPI: %s",
                           local.text);
    if (r != 0)
        return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
    if (impi_parse(data, length, identity->impi, sizeof(identity->impi)) < 0 ||
        !strchr(identity->impi, '@')) {
        identity->impi[0] = '\0';
        return failure_set(failure, UICC_E_NO_APPLICATION,
                           "EF_IMPI of the ISIM (%zu octets) holds no private identity with an "
                           "\"@\"; use the USIM (Application=usim), or set Impi= and Bsf=",
                           length);
    }
    r = file_read_optional(uicc, FID_EF_DOMAIN, "EF_DOMAIN", data, sizeof(data), &length, failure);
    if (r != 0)
        return r;
    if (impi_parse(data, length, identity->domain, sizeof(identity->domain)) < 0)
        identity->domain[0] = '\0';
    return 0;
}

static int pass_on(int r, const struct failure *local, struct failure *failure) {
    return local->code != 0 ? failure_set(failure, r, "%s", local->text) : r;
}

int application_read(struct uicc *uicc, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    bool isim = identity->application == UICC_ISIM;
    struct failure local = {0};
    uint8_t data[EF_AD_LENGTH];
    size_t length;
    int r, subscriber;

    subscriber = isim ? read_impi(uicc, &local) : read_imsi(uicc, &local);
    if (subscriber < 0 || !(subscriber == 0 || outcome_of_card(subscriber) ||
                            subscriber == UICC_E_IDENTITY || subscriber == UICC_E_NO_APPLICATION))
        return pass_on(subscriber, &local, failure);
    /* EF_AD can always be read, also when the PIN keeps the IMSI back. */
    r = file_read_optional(uicc, FID_EF_AD, "EF_AD", data, sizeof(data), &length, failure);
    if (r != 0)
        return r;
    identity->mnc_length = mnc_length_parse(data, length);
    if (subscriber != 0 || identity->application == UICC_SIM)
        return pass_on(subscriber, &local, failure);
    return file_read_optional(uicc, isim ? FID_EF_IST : FID_EF_UST, isim ? "EF_IST" : "EF_UST",
                              identity->services, sizeof(identity->services),
                              &identity->services_length, failure);
}

int application_from_modem(struct uicc *uicc, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    struct transport_identity modem = {0};
    bool isim;
    int r;

    r = uicc->transport->ops->identity(uicc->transport, &modem, failure);
    if (r != 0)
        return r;
    memset(identity, 0, sizeof(*identity));
    identity->pin_tries = -1;
    isim = strchr(modem.impi, '@') && uicc->options.choice != UICC_CHOOSE_USIM &&
           (uicc->options.choice == UICC_CHOOSE_ISIM || !modem.imsi[0]);
    identity->has_isim = strchr(modem.impi, '@');
    identity->has_usim = modem.imsi[0];
    memcpy(identity->iccid, modem.iccid, sizeof(identity->iccid));
    identity->mnc_length = mnc_length_parse(modem.ef_ad, modem.ef_ad_length);
    memcpy(identity->services, modem.services, modem.services_length);
    identity->services_length = modem.services_length;
    memcpy(identity->aid, modem.aid, modem.aid_length);
    identity->aid_length = modem.aid_length;
    if (isim)
        memcpy(identity->impi, modem.impi, sizeof(identity->impi));
    else
        memcpy(identity->imsi, modem.imsi, sizeof(identity->imsi));
    if (!isim && strlen(modem.imsi) < IMSI_MIN)
        return failure_set(failure, UICC_E_IDENTITY,
                           "The modem tells neither an IMSI nor a private identity of its card");
    identity->application = isim ? UICC_ISIM : UICC_USIM;
    return 0;
}
