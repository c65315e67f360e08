/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A UICC and the USIM on it: who the card is.
 *
 * uicc_open() reads in one transaction what bootstrapping needs to know: the USIM's AID from EF_DIR, the
 * IMSI, how long the MNC in it is, which services the operator switched on, and what the PIN says to all that.
 * Files that only help (ICCID, service table) may be missing; the IMSI may not.
 */

#include <errno.h>
#include <string.h>

#include "uicc-internal.h"
#include "util.h"

#define EF_IMSI_LENGTH  9u
#define EF_AD_LENGTH    4u
#define EF_ICCID_LENGTH 10u

int uicc_new(struct transport *transport, struct uicc **ret) {
    struct uicc *uicc;

    uicc = calloc(1, sizeof(*uicc));
    if (!uicc)
        return -ENOMEM;
    uicc->transport = transport;
    uicc_forget(uicc);
    *ret = uicc;
    return 0;
}

struct uicc *uicc_free(struct uicc *uicc) {
    int r;

    if (!uicc)
        return NULL;
    if (uicc->has_channel) {
        r = uicc->transport->ops->begin(uicc->transport, NULL);
        if (r == 0)
            session_close_channel(uicc);
        /* After a reset the channel is closed already, but the transaction has begun. */
        if (r == 0 || r == UICC_E_RESET)
            uicc->transport->ops->end(uicc->transport);
    }
    free(uicc);
    return NULL;
}

const struct uicc_identity *uicc_identity(const struct uicc *uicc) {
    return &uicc->identity;
}

bool uicc_service(const struct uicc_identity *identity, unsigned number) {
    size_t octet = (number - 1) / 8;

    return number >= 1 && octet < identity->services_length &&
           (identity->services[octet] >> (number - 1) % 8 & 1);
}

/*
 * Read a file that keystrap can do without: what the card says against it is not an error, what happens to
 * the card is.
 */
static int read_optional(struct uicc *uicc, uint16_t fid, const char *name, uint8_t *ret,
                         size_t size, size_t *ret_length, struct failure *failure) {
    struct failure local = {0};
    int r;

    r = file_read_binary(uicc, fid, name, ret, size, ret_length, &local);
    if (r == 0)
        return 0;
    if (outcome_of_card(r)) {
        *ret_length = 0;
        return 0;
    }
    return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
}

static int read_iccid(struct uicc *uicc, struct failure *failure) {
    uint8_t data[EF_ICCID_LENGTH];
    size_t length;
    int r;

    r = read_optional(uicc, FID_EF_ICCID, "EF_ICCID", data, sizeof(data), &length, failure);
    if (r != 0)
        return r;
    if (iccid_parse(data, length, uicc->identity.iccid) < 0)
        uicc->identity.iccid[0] = '\0';
    return 0;
}

/* The first USIM in EF_DIR. A record that makes no sense hides no other record. */
static int find_usim(struct uicc *uicc, struct failure *failure) {
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
        if (dir_record_parse(secret_data(answer.data), answer.length, &uicc->identity) == 1)
            return 0;
    }
    return failure_set(failure, UICC_E_NO_APPLICATION,
                       "EF_DIR of the card names no USIM (AID A0000000871002...): is it a SIM of a "
                       "mobile operator?");
}

static int read_imsi(struct uicc *uicc, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    struct failure local = {0};
    uint8_t data[EF_IMSI_LENGTH];
    size_t length;
    int r;

    r = file_read_binary(uicc, FID_EF_IMSI, "EF_IMSI", data, sizeof(data), &length, &local);
    if (r == UICC_E_PIN_REQUIRED || r == UICC_E_PIN_BLOCKED)
        return pin_refused(uicc, r, failure);
    if (r == UICC_E_NOT_FOUND)
        return failure_set(failure, UICC_E_IDENTITY, "The USIM has no EF_IMSI: %s", local.text);
    if (r != 0)
        return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;

    if (identity->pin == UICC_PIN_REQUIRED)
        identity->pin = UICC_PIN_VERIFIED;
    if (imsi_parse(data, length, identity->imsi) < 0)
        return failure_set(failure, UICC_E_IDENTITY,
                           "EF_IMSI of the USIM (%zu octets) does not hold an IMSI: the SIM is not "
                           "personalised, or damaged",
                           length);
    return 0;
}

static int read_subscriber(struct uicc *uicc, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    uint8_t data[EF_AD_LENGTH];
    size_t length;
    int r, imsi;

    imsi = read_imsi(uicc, failure);
    if (imsi < 0 || !(imsi == 0 || outcome_of_card(imsi) || imsi == UICC_E_IDENTITY))
        return imsi;
    /* EF_AD can always be read, also when the PIN keeps the IMSI back. */
    r = read_optional(uicc, FID_EF_AD, "EF_AD", data, sizeof(data), &length, failure);
    if (r != 0)
        return r;
    identity->mnc_length = mnc_length_parse(data, length);
    if (imsi != 0)
        return imsi;
    return read_optional(uicc, FID_EF_UST, "EF_UST", identity->services, sizeof(identity->services),
                         &identity->services_length, failure);
}

static int open_inside(struct uicc *uicc, struct failure *failure) {
    struct fcp fcp;
    int r;

    memset(&uicc->identity, 0, sizeof(uicc->identity));
    uicc->identity.pin_tries = -1;
    r = file_select(uicc, FID_MF, "MF", &fcp, failure);
    if (r != 0)
        return r;
    r = read_iccid(uicc, failure);
    if (r != 0)
        return r;
    r = find_usim(uicc, failure);
    if (r != 0)
        return r;
    r = session_select_usim(uicc, failure);
    if (r != 0)
        return r;
    return read_subscriber(uicc, failure);
}

int uicc_open(struct uicc *uicc, struct failure *failure) {
    int r;

    r = session_begin(uicc, failure);
    if (r != 0)
        return r;
    r = open_inside(uicc, failure);
    if (r != 0)
        session_close_channel(uicc);
    session_end(uicc);
    return r;
}
