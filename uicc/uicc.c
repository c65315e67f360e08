/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A UICC and the application on it that knows the subscriber.
 *
 * uicc_open() reads in one transaction what bootstrapping needs to know: which applications EF_DIR names, who the one
 * that is used says the subscriber is, which services the operator switched on, and what the PIN says to all that.
 */

#include <errno.h>
#include <string.h>

#include "uicc-internal.h"
#include "util.h"

#define EF_ICCID_LENGTH 10u
#define SERVICE_GBA_UST 68u /* TS 31.102 4.2.8 */
#define SERVICE_GBA_IST 2u  /* TS 31.103 4.2.7 */

int uicc_new(struct transport *transport, struct uicc **ret) {
    struct uicc *uicc;

    uicc = calloc(1, sizeof(*uicc));
    if (!uicc)
        return -ENOMEM;
    uicc->transport = transport;
    uicc->options.pin_memory = &uicc->own_pin_memory;
    uicc_forget(uicc);
    *ret = uicc;
    return 0;
}

void uicc_configure(struct uicc *uicc, const struct uicc_options *options) {
    uicc->options = *options;
    if (!uicc->options.pin_memory)
        uicc->options.pin_memory = &uicc->own_pin_memory;
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

bool uicc_knows_gba(const struct uicc_identity *identity) {
    switch (identity->application) {
    case UICC_USIM:
        return uicc_service(identity, SERVICE_GBA_UST);
    case UICC_ISIM:
        return uicc_service(identity, SERVICE_GBA_IST);
    case UICC_NO_APPLICATION:
    case UICC_SIM:
        return false;
    }
    return false;
}

static int read_iccid(struct uicc *uicc, struct failure *failure) {
    uint8_t data[EF_ICCID_LENGTH];
    size_t length;
    int r;

    r = file_read_optional(uicc, FID_EF_ICCID, "EF_ICCID", data, sizeof(data), &length, failure);
    if (r != 0)
        return r;
    if (iccid_parse(data, length, uicc->identity.iccid) < 0)
        uicc->identity.iccid[0] = '\0';
    return 0;
}

static int open_inside(struct uicc *uicc, struct failure *failure) {
    struct failure local = {0};
    struct fcp fcp;
    int r;

    memset(&uicc->identity, 0, sizeof(uicc->identity));
    uicc->identity.pin_tries = -1;
    r = file_select(uicc, FID_MF, "MF", &fcp, &local);
    if (r == UICC_E_STATUS && uicc->options.allow_sim) {
        /* A card from before the UICC, which knows another class of commands. */
        uicc->identity.application = UICC_SIM;
        r = file_select(uicc, FID_MF, "MF", &fcp, failure);
    } else if (r != 0) {
        return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
    }
    if (r == 0)
        r = read_iccid(uicc, failure);
    if (r == 0 && uicc->identity.application != UICC_SIM)
        r = application_find(uicc, failure);
    if (r == 0)
        r = session_select_application(uicc, failure);
    return r == 0 ? application_read(uicc, failure) : r;
}

int uicc_open(struct uicc *uicc, struct failure *failure) {
    int r;

    if (uicc->transport->flags & TRANSPORT_AKA)
        return application_from_modem(uicc, failure);
    r = session_begin(uicc, failure);
    if (r != 0)
        return r;
    r = open_inside(uicc, failure);
    if (r != 0)
        session_close_channel(uicc);
    session_end(uicc);
    return r;
}
