/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The filter: what a caller may send to an application on the card.
 *
 * A channel is a right to one application and to nothing else on the card. So a command that would select another, open
 * or close channels, or run the subscription's own algorithms does not go out, whatever the card would say to it. What
 * an instruction means does not depend on its class here: cards are not exact about that, and the filter need not be finer
 * than they.
 */

#include "se.h"
#include "util.h"

#define CLASS_PROPRIETARY    0x80
#define CLASS_CHAINING       0x10
#define CLASS_SECURE         0x0c /* both bits, channels 0 to 3 */
#define CLASS_FURTHER        0x40 /* channels 4 to 19 */
#define CLASS_SECURE_FURTHER 0x20

#define INS_SELECT 0xa4
#define FID_MF     0x3f00

/* Why a command is refused. */
static const struct refusal {
    uint8_t ins;
    bool pin; /* allowed with AidPin=yes */
    const char *name;
} refusals[] = {
    {0x20, true, "VERIFY"},          {0x21, true, "VERIFY"},
    {0x24, true, "CHANGE PIN"},      {0x25, true, "CHANGE PIN"},
    {0x26, true, "DISABLE PIN"},     {0x28, true, "ENABLE PIN"},
    {0x2c, true, "UNBLOCK PIN"},     {0x2d, true, "UNBLOCK PIN"},
    {0x70, false, "MANAGE CHANNEL"}, {0x76, false, "SUSPEND UICC"},
    {0x88, false, "AUTHENTICATE"},   {0x89, false, "AUTHENTICATE"},
    {0xc0, false, "GET RESPONSE"},   {0xfe, false, "TERMINATE CARD USAGE"},
};

static int refuse_class(uint8_t cla, struct failure *failure) {
    const char *why = "that class is not for applications";

    if (cla == 0xff || (cla >= 0x20 && cla < 0x40))
        why = "ISO/IEC 7816-4 reserves that class";
    else if (cla & CLASS_FURTHER || (cla & 0x03 && (cla & 0x60) == 0))
        why = "the channel's bits are keystrapd's to set; leave them 0";
    else if ((cla & 0xf0) == 0xa0)
        why = "A0 is the class of the 2G SIM";
    return failure_set(failure, SE_E_COMMAND, "Class %02X is refused: %s", cla, why);
}

/* First interindustry and proprietary classes, with chaining and secure messaging, on channel 0. */
static bool class_allowed(uint8_t cla) {
    return (cla & (uint8_t) ~(CLASS_PROPRIETARY | CLASS_CHAINING | CLASS_SECURE)) == 0;
}

uint8_t se_class(uint8_t cla, uint8_t channel) {
    if (channel <= 3)
        return cla | channel;
    return (uint8_t)((cla & (CLASS_PROPRIETARY | CLASS_CHAINING)) | CLASS_FURTHER |
                     (cla & CLASS_SECURE ? CLASS_SECURE_FURTHER : 0) | (channel - 4));
}

static int check_instruction(uint8_t ins, bool pin, struct failure *failure) {
    if ((ins & 0xf0) == 0x60 || (ins & 0xf0) == 0x90)
        return failure_set(failure, SE_E_COMMAND,
                           "Instruction %02X is refused: ISO/IEC 7816-4 knows none of 6X and 9X",
                           ins);
    for (size_t i = 0; i < ELEMENTS(refusals); i++) {
        if (refusals[i].ins != ins || (refusals[i].pin && pin))
            continue;
        return failure_set(failure, SE_E_COMMAND, "Instruction %02X (%s) is refused%s", ins,
                           refusals[i].name,
                           refusals[i].pin ? "; AidPin=yes in access.d would allow it"
                           : ins == 0xc0   ? ": keystrapd fetches the whole answer itself"
                                           : ", whatever rules say");
    }
    return 0;
}

/* What lies in the MF beside the applications: the MF itself and the directories of TS 102 221 and TS 51.011. */
static bool lies_outside(uint16_t fid) {
    return fid == FID_MF || fid == 0x7f10 || fid == 0x7f20 || fid == 0x7f21 || fid == 0x7f25;
}

static bool path_leaves(const uint8_t *path, size_t length) {
    for (size_t i = 0; i + 1 < length; i += 2)
        if (lies_outside((uint16_t)(path[i] << 8 | path[i + 1])))
            return true;
    return false;
}

static int check_select(const struct apdu *apdu, struct failure *failure) {
    const char *why = NULL;

    switch (apdu->p1) {
    case 0x04:
        why = "it selects by name; open a channel to that application instead";
        break;
    case 0x03:
        why = "it selects the parent of a directory, which may be beside the application";
        break;
    case 0x08:
        why = "its path begins at the MF; give one from the application on (P1 09)";
        break;
    default:
        if (apdu->length == 0 && apdu->p1 == 0x00)
            why = "without data it selects the MF";
        else if (path_leaves(apdu->data, apdu->length))
            why = "that file is not the application's";
    }
    return why ? failure_set(failure, SE_E_COMMAND, "SELECT with P1 %02X is refused: %s", apdu->p1,
                             why)
               : 0;
}

/* Lc, data and Le of the short form (ISO/IEC 7816-4 5.2, cases 1 to 4). */
static int parse_body(const uint8_t *command, size_t length, struct apdu *ret,
                      struct failure *failure) {
    size_t lc;

    *ret = (struct apdu){
        .cla = command[0], .ins = command[1], .p1 = command[2], .p2 = command[3], .le = APDU_NO_LE};
    if (length == 4)
        return 0;
    if (length == 5) {
        ret->le = command[4];
        return 0;
    }
    lc = command[4];
    if (lc == 0 || (length != 5 + lc && length != 6 + lc))
        return failure_set(
            failure, SE_E_COMMAND,
            "A command of %zu octets with Lc %02zX is none of the short form; it has "
            "header, Lc, that many octets, and Le or not",
            length, lc);
    ret->data = command + 5;
    ret->length = lc;
    if (length == 6 + lc)
        ret->le = command[length - 1];
    return 0;
}

int se_command_parse(const uint8_t *command, size_t length, bool pin, struct apdu *ret,
                     struct failure *failure) {
    struct apdu apdu;
    int r;

    if (length < 4 || length > APDU_COMMAND_MAX)
        return failure_set(
            failure, SE_E_COMMAND,
            "A command has 4 to %u octets, not %zu; extended lengths are not passed on",
            APDU_COMMAND_MAX, length);
    r = parse_body(command, length, &apdu, failure);
    if (r != 0)
        return r;
    if (!class_allowed(apdu.cla))
        return refuse_class(apdu.cla, failure);
    r = check_instruction(apdu.ins, pin, failure);
    if (r == 0 && apdu.ins == INS_SELECT)
        r = check_select(&apdu, failure);
    if (r != 0)
        return r;
    *ret = apdu;
    return 0;
}
