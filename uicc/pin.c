/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The PIN of the application: what its state is, how to tell the user, and when it may be presented.
 *
 * What SELECT says is whether the PIN is enabled, and the tries left come from a VERIFY without data
 * (TS 102 221 11.1.9), which costs nothing. Neither says whether somebody verified it already; that shows
 * when a file that it guards can be read. A wrong PIN costs a try, and three of them the SIM, so one that is
 * configured is presented only when a file asks for it, when the card says that two tries or more are left,
 * and never to a card that has refused it.
 */

#include <errno.h>
#include <string.h>

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

/* The configured PIN with that reference, NULL for none. */
static const struct secret *pin_configured(const struct uicc *uicc, uint8_t reference) {
    return reference == PIN_REFERENCE_UNIVERSAL ? uicc->options.upin : uicc->options.pin1;
}

static bool pin_was_refused(const struct uicc *uicc) {
    const struct uicc_pin_memory *memory = uicc->options.pin_memory;

    return memory->refused && strcmp(memory->iccid, uicc->identity.iccid) == 0;
}

static void pin_note_refused(struct uicc *uicc) {
    struct uicc_pin_memory *memory = uicc->options.pin_memory;

    memory->refused = true;
    memcpy(memory->iccid, uicc->identity.iccid, sizeof(memory->iccid));
    uicc->pin_right = false;
}

/* VERIFY with the PIN; the status word to @ret_sw. */
static int pin_verify(struct uicc *uicc, uint8_t reference, const struct secret *pin,
                      uint16_t *ret_sw, struct failure *failure) {
    struct apdu verify = {.ins = INS_VERIFY, .p2 = reference, .length = PIN_MAX, .le = APDU_NO_LE};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    _cleanup_secret_ struct secret *padded = NULL;
    int r;

    if (secret_length(pin) < PIN_MIN || secret_length(pin) > PIN_MAX)
        return -EINVAL;
    r = secret_new(PIN_MAX, &padded);
    if (r < 0)
        return r;
    memset(secret_data_mutable(padded), 0xff, PIN_MAX);
    memcpy(secret_data_mutable(padded), secret_data(pin), secret_length(pin));
    verify.data = secret_data(padded);
    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = session_exchange(uicc, &verify, &answer, failure);
    if (r == 0)
        *ret_sw = answer.sw;
    return r;
}

/* Why the PIN that is there is not presented; NULL where it may be. */
static const char *pin_forbidden(const struct uicc *uicc, const struct secret *pin) {
    if (!pin)
        return "none is configured (credential keystrap.pin1, or keystrap.upin for the universal "
               "PIN, see keystrapd(8))";
    if (pin_was_refused(uicc))
        return "the card has refused the configured one, which is not presented again; correct the "
               "credential and restart keystrapd";
    if (uicc->identity.pin_tries < 0)
        return "the card does not tell how many tries are left, so the configured one is kept back";
    if (uicc->identity.pin_tries < 2)
        return "the last try is left to people; verify it with the modem's tool";
    return NULL;
}

/* Tell the user what state the PIN is in and what is to be done. */
static int pin_fail(struct uicc *uicc, const char *why, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    const char *name = pin_name(uicc->pin_reference);

    if (identity->pin_tries == 0) {
        identity->pin = UICC_PIN_BLOCKED;
        return failure_set(
            failure, UICC_E_PIN_BLOCKED,
            "%s of the SIM is blocked: unblock it with its PUK in a phone or with the "
            "modem's tool",
            name);
    }
    identity->pin = UICC_PIN_REQUIRED;
    if (identity->pin_tries < 0)
        return failure_set(failure, UICC_E_PIN_REQUIRED,
                           "%s of the SIM is enabled and not verified: %s", name, why);
    return failure_set(failure, UICC_E_PIN_REQUIRED,
                       "%s of the SIM is enabled and not verified, %d %s left: %s", name,
                       identity->pin_tries, identity->pin_tries == 1 ? "try" : "tries", why);
}

/* The reference is PIN1's where the card does not say; the tries are asked for where they are not known. */
static int pin_prepare(struct uicc *uicc, struct failure *failure) {
    if (uicc->pin_reference == 0)
        uicc->pin_reference = PIN_REFERENCE_APPLICATION_1;
    if (uicc->identity.pin_tries >= 0)
        return 0;
    return pin_query(uicc, uicc->pin_reference, failure);
}

int pin_present(struct uicc *uicc, struct failure *failure) {
    struct uicc_identity *identity = &uicc->identity;
    const struct secret *pin;
    const char *why;
    uint16_t sw = 0;
    int r;

    /* Somebody else may have spent tries since, or verified it. */
    identity->pin = UICC_PIN_REQUIRED;
    identity->pin_tries = -1;
    r = pin_prepare(uicc, failure);
    if (r != 0 || identity->pin == UICC_PIN_VERIFIED)
        return r;
    pin = pin_configured(uicc, uicc->pin_reference);
    why = pin_forbidden(uicc, pin);
    if (why)
        return pin_fail(uicc, why, failure);
    r = pin_verify(uicc, uicc->pin_reference, pin, &sw, failure);
    if (r != 0)
        return r;
    if (sw == 0x9000) {
        identity->pin = UICC_PIN_VERIFIED;
        uicc->pin_right = true;
        return 0;
    }
    pin_note_refused(uicc);
    identity->pin_tries = (sw & 0xfff0) == 0x63c0 ? sw & 0x000f : sw == 0x6983 ? 0 : -1;
    return pin_fail(uicc,
                    "the card refused the configured one, which is not presented again; correct "
                    "the credential and restart keystrapd",
                    failure);
}

int pin_refused(struct uicc *uicc, int code, struct failure *failure) {
    const char *why;
    int r;

    r = pin_prepare(uicc, failure);
    if (r != 0)
        return r;
    if (code == UICC_E_PIN_BLOCKED)
        uicc->identity.pin_tries = 0;
    why = pin_forbidden(uicc, pin_configured(uicc, uicc->pin_reference));
    return pin_fail(uicc, why ? why : "the card asks for it all the same", failure);
}
