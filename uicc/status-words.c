/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Status words in words (TS 102 221 10.2.1, TS 31.102 7.3).
 *
 * The operator of a gateway cannot be expected to know that 6985 is "conditions of use not satisfied", so
 * the text that goes with an outcome says what the specification calls it.
 */

#include "apdu.h"
#include "outcome.h"
#include "util.h"

static const struct {
    uint16_t sw, mask;
    const char *meaning;
} meanings[] = {
    {0x6200, 0xffff, "no information given, state unchanged"},
    {0x6281, 0xffff, "part of the data may be corrupted"},
    {0x6282, 0xffff, "end of file reached early"},
    {0x6283, 0xffff, "the selected file is deactivated"},
    {0x6285, 0xffff, "the selected file is in termination state"},
    {0x63c0, 0xfff0, "verification failed"},
    {0x6400, 0xff00, "execution error, state unchanged"},
    {0x6581, 0xffff, "memory problem"},
    {0x6500, 0xff00, "execution error, state changed"},
    {0x6700, 0xffff, "wrong length"},
    {0x6881, 0xffff, "logical channel not supported"},
    {0x6882, 0xffff, "secure messaging not supported"},
    {0x6981, 0xffff, "command incompatible with file structure"},
    {0x6982, 0xffff, "security status not satisfied"},
    {0x6983, 0xffff, "authentication method blocked"},
    {0x6984, 0xffff, "referenced data invalidated"},
    {0x6985, 0xffff, "conditions of use not satisfied"},
    {0x6986, 0xffff, "command not allowed, no EF selected"},
    {0x6a80, 0xffff, "incorrect parameters in the data field"},
    {0x6a81, 0xffff, "function not supported"},
    {0x6a82, 0xffff, "file not found"},
    {0x6a83, 0xffff, "record not found"},
    {0x6a84, 0xffff, "not enough memory space"},
    {0x6a86, 0xffff, "incorrect parameters P1 to P2"},
    {0x6a87, 0xffff, "Lc inconsistent with P1 to P2"},
    {0x6a88, 0xffff, "referenced data not found"},
    {0x6b00, 0xffff, "wrong parameters P1 to P2"},
    {0x6d00, 0xffff, "instruction not supported"},
    {0x6e00, 0xffff, "class not supported"},
    {0x6f00, 0xffff, "technical problem, no diagnosis"},
    {0x9300, 0xffff, "the SIM toolkit is busy"},
    {0x9850, 0xffff, "INCREASE cannot be performed"},
    {0x9862, 0xffff, "authentication error, incorrect MAC"},
    {0x9863, 0xffff, "security session or association expired"},
    {0x9864, 0xffff, "authentication error, security context not supported"},
    {0x9865, 0xffff, "key freshness failure"},
    {0x9866, 0xffff, "authentication error, no memory space available"},
    {0x9867, 0xffff, "authentication error, no memory space available in EF_MUK"},
};

static const char *status_meaning(uint16_t sw) {
    for (size_t i = 0; i < ELEMENTS(meanings); i++)
        if ((sw & meanings[i].mask) == meanings[i].sw)
            return meanings[i].meaning;
    return "not in the specification";
}

static int status_outcome(uint16_t sw) {
    if (sw == 0x9000 || (sw & 0xff00) == 0x9100)
        return 0;
    switch (sw) {
    case 0x6982:
        return UICC_E_PIN_REQUIRED;
    case 0x6983:
        return UICC_E_PIN_BLOCKED;
    case 0x6a82:
    case 0x6a83:
        return UICC_E_NOT_FOUND;
    case 0x9862:
        return UICC_E_MAC;
    case 0x9864:
        return UICC_E_CONTEXT;
    case 0x6985:
        return UICC_E_CONDITIONS;
    case 0x9865:
        return UICC_E_FRESHNESS;
    case 0x6a84:
    case 0x9866:
    case 0x9867:
        return UICC_E_MEMORY;
    default:
        return UICC_E_STATUS;
    }
}

int apdu_status(uint16_t sw, const char *what, struct failure *failure) {
    int outcome = status_outcome(sw);

    if (outcome == 0)
        return 0;
    return failure_set(failure, outcome, "The card answered %s with status word %04X (%s)", what,
                       sw, status_meaning(sw));
}
