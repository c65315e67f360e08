/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who we are and where the BSF is, from the IMSI or the IMPI (TS 23.003 13.3 and 16.2).
 *
 * A USIM has no IMPI of its own, so the private identity and the BSF's name are made of its IMSI. The operator's
 * code has three digits in a name even where the IMSI has two. An ISIM has one, and the BSF is in its domain.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gba.h"

#define MCC_DIGITS 3u

struct plmn {
    char mcc[MCC_DIGITS + 1];
    char mnc[3 + 1];
};

static int plmn_from_imsi(const char *imsi, unsigned mnc_length, struct plmn *ret,
                          struct failure *failure) {
    size_t length = strnlen(imsi, IMSI_MAX + 1);

    if (mnc_length != 2 && mnc_length != 3)
        return failure_set(
            failure, UICC_E_IDENTITY,
            "the card does not say whether its operator's code (MNC) has 2 or 3 digits; "
            "configure the IMPI and the BSF's name");
    if (length < IMSI_MIN || length > IMSI_MAX || strspn(imsi, "0123456789") != length)
        return failure_set(
            failure, UICC_E_IDENTITY,
            "the card's IMSI is not %u to %u digits; configure the IMPI and the BSF's name "
            "or replace the card",
            IMSI_MIN, IMSI_MAX);
    if (length <= MCC_DIGITS + mnc_length)
        return failure_set(
            failure, UICC_E_IDENTITY,
            "the card's IMSI has no digits after its operator's code (MNC) of %u digits; "
            "configure the IMPI and the BSF's name",
            mnc_length);

    memcpy(ret->mcc, imsi, MCC_DIGITS);
    ret->mcc[MCC_DIGITS] = 0;
    memset(ret->mnc, '0', 3);
    memcpy(ret->mnc + 3 - mnc_length, imsi + MCC_DIGITS, mnc_length);
    ret->mnc[3] = 0;
    return 0;
}

int gba_impi_from_imsi(const char *imsi, unsigned mnc_length, char ret[IMPI_MAX + 1],
                       struct failure *failure) {
    struct plmn plmn;
    int r;

    r = plmn_from_imsi(imsi, mnc_length, &plmn, failure);
    if (r != 0)
        return r;
    (void)snprintf(ret, IMPI_MAX + 1, "%s@ims.mnc%s.mcc%s.3gppnetwork.org", imsi, plmn.mnc,
                   plmn.mcc);
    return 0;
}

int gba_bsf_from_imsi(const char *imsi, unsigned mnc_length, char ret[FQDN_MAX + 1],
                      struct failure *failure) {
    struct plmn plmn;
    int r;

    r = plmn_from_imsi(imsi, mnc_length, &plmn, failure);
    if (r != 0)
        return r;
    (void)snprintf(ret, FQDN_MAX + 1, "bsf.mnc%s.mcc%s.pub.3gppnetwork.org", plmn.mnc, plmn.mcc);
    return 0;
}

int gba_bsf_from_impi(const char *impi, char ret[FQDN_MAX + 1], struct failure *failure) {
    static const char root[] = "3gppnetwork.org";
    const char *at = strrchr(impi, '@'), *domain = at ? at + 1 : "", *tail;
    size_t length = strlen(domain);
    int written;

    if (length == 0)
        return failure_set(failure, UICC_E_IDENTITY,
                           "the private identity (IMPI) has no domain after \"@\"; configure the "
                           "BSF's name");
    tail = length >= strlen(root) ? domain + length - strlen(root) : NULL;
    if (tail && strcasecmp(tail, root) == 0 && (tail == domain || tail[-1] == '.'))
        written = snprintf(ret, FQDN_MAX + 1, "bsf.%.*spub.%s", (int)(tail - domain), domain, root);
    else
        written = snprintf(ret, FQDN_MAX + 1, "bsf.%s", domain);
    if (written < 0 || (size_t)written > FQDN_MAX)
        return failure_set(failure, UICC_E_IDENTITY,
                           "the domain of the private identity (IMPI) is too long; configure the "
                           "BSF's name");
    return 0;
}
