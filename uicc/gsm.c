/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * RUN GSM ALGORITHM of a SIM (TS 51.011 8.16, 9.2.16): for 2G GBA, on cards that have nothing better.
 */

#include <errno.h>

#include "uicc-internal.h"

#define INS_RUN_GSM 0x88

static int run_inside(struct uicc *uicc, const uint8_t *rand, struct secret **ret_sres,
                      struct secret **ret_kc, struct failure *failure) {
    struct apdu run = {.cla = APDU_CLASS_SIM,
                       .ins = INS_RUN_GSM,
                       .data = rand,
                       .length = AKA_RAND_LENGTH,
                       .le = 0};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    _cleanup_secret_ struct secret *sres = NULL, *kc = NULL;
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = session_exchange(uicc, &run, &answer, failure);
    if (r == 0)
        r = apdu_status(answer.sw, "RUN GSM ALGORITHM", failure);
    if (r != 0)
        return r;
    if (answer.length != GSM_SRES_LENGTH + GSM_KC_LENGTH)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card answered RUN GSM ALGORITHM with %zu octets; SRES and Kc have "
                           "%u",
                           answer.length, GSM_SRES_LENGTH + GSM_KC_LENGTH);
    r = secret_new_copy(secret_data(answer.data), GSM_SRES_LENGTH, &sres);
    if (r == 0)
        r = secret_new_copy(secret_data(answer.data) + GSM_SRES_LENGTH, GSM_KC_LENGTH, &kc);
    if (r < 0)
        return r;
    *ret_sres = sres;
    *ret_kc = kc;
    sres = kc = NULL;
    return 0;
}

int uicc_run_gsm(struct uicc *uicc, const uint8_t rand[AKA_RAND_LENGTH], struct secret **ret_sres,
                 struct secret **ret_kc, struct failure *failure) {
    int r;

    if (uicc->identity.application != UICC_SIM)
        return failure_set(failure, UICC_E_NO_APPLICATION,
                           "The card is used by its %s, which does not run the GSM algorithm alone",
                           uicc_application_name(uicc->identity.application));
    r = session_begin_application(uicc, failure);
    if (r != 0)
        return r;
    r = run_inside(uicc, rand, ret_sres, ret_kc, failure);
    session_end(uicc);
    return r;
}
