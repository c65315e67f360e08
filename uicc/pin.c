/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The PIN of the USIM: what its state is, and how to tell the user. No PIN is ever presented here: a wrong one
 * costs a try, and three of them the SIM.
 *
 * What SELECT says is whether the PIN is enabled, and the tries left come from a VERIFY without data
 * (TS 102 221 11.1.9), which costs nothing. Neither says whether somebody verified it already; that shows
 * when a file that it guards can be read.
 */

#include <errno.h>

#include "uicc-internal.h"

#define INS_VERIFY 0x20

static const char *pin_name(uint8_t reference) {
    return reference == PIN_REFERENCE_UNIVERSAL ? "The universal PIN" : "PIN1";
}

/* The tries left; the state where the card tells it at once. */
static int pin_query(struct uicc *uicc, uint8_t reference, struct failure *failure) {
    struct apdu verify = {.ins = INS_VERIFY, .p2 = reference, .le = APDU_NO_LE};
    struct uicc_identity *identity = &uicc->identity;
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = session_exchange(uicc, &verify, &answer, failure);
    if (r != 0)
        return r;
    if (answer.sw == 0x9000) /* ISO/IEC 7816-4 11.5.6: verification is not required now */
        identity->pin = UICC_PIN_VERIFIED;
    else if ((answer.sw & 0xfff0) == 0x63c0)
        identity->pin_tries = answer.sw & 0x000f;
    else if (answer.sw == 0x6983)
        identity->pin_tries = 0;
    if (identity->pin_tries == 0)
        identity->pin = UICC_PIN_BLOCKED;
    return 0;
}

int pin_learn(struct uicc *uicc, const struct fcp *fcp, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;

    identity->pin_tries = -1;
    switch (fcp->pin) {
    case FCP_PIN_UNKNOWN:
        identity->pin = UICC_PIN_UNKNOWN;
        return 0;
    case FCP_PIN_DISABLED:
        identity->pin = UICC_PIN_DISABLED;
        return 0;
    case FCP_PIN_ENABLED:
        uicc->pin_reference = fcp->pin_reference;
        identity->pin = UICC_PIN_REQUIRED;
        return pin_query(uicc, fcp->pin_reference, failure);
    }
    return -EINVAL;
}

int pin_refused(struct uicc *uicc, int code, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    uint8_t reference = uicc->pin_reference;
    int r;

    if (reference == 0)
        reference = PIN_REFERENCE_APPLICATION_1;
    if (identity->pin_tries < 0) {
        r = pin_query(uicc, reference, failure);
        if (r != 0)
            return r;
    }
    if (code == UICC_E_PIN_BLOCKED || identity->pin_tries == 0) {
        identity->pin = UICC_PIN_BLOCKED;
        return failure_set(
            failure, UICC_E_PIN_BLOCKED,
            "%s of the SIM is blocked: unblock it with its PUK in a phone or with the "
            "modem's tool",
            pin_name(reference));
    }
    identity->pin = UICC_PIN_REQUIRED;
    if (identity->pin_tries < 0)
        return failure_set(
            failure, UICC_E_PIN_REQUIRED,
            "%s of the SIM is enabled and not verified: disable it, or verify it with "
            "the modem's tool; keystrap presents no PIN",
            pin_name(reference));
    return failure_set(
        failure, UICC_E_PIN_REQUIRED,
        "%s of the SIM is enabled and not verified, %d %s left: disable it, or verify it with the "
        "modem's tool; keystrap presents no PIN",
        pin_name(reference), identity->pin_tries, identity->pin_tries == 1 ? "try" : "tries");
}
