/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Raw channels to applications on the card, for callers (the Security Transport API, shaped like SIMalliance's Open
 * Mobile API 6.2.7).
 *
 * A channel is a logical one of its own with one application selected; what may go through it is filtered, so that
 * nobody leaves his application, takes another channel, or has the subscription authenticated. Channels share the card
 * with struct uicc, one transaction for each command, and end when the card is reset or goes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apdu.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "uicc.h"

struct se_channel {
    struct uicc *uicc;   /* borrowed; outlives the channel */
    uint64_t generation; /* of the card's life that the channel belongs to */
    uint8_t number;      /* 1 to UICC_CHANNEL_MAX; 0 for none */
};

/**
 * se_open() - open a logical channel and select the application @aid on it
 * @aid: AID_MIN to AID_MAX octets
 * @select: initialised by the caller; gets the card's answer to SELECT with its status word
 *
 * The card itself has the last word about what it selected: a channel on which it names an application of the
 * subscription, see aid_is_subscription(), is closed again.
 *
 * Return: 0; UICC_E_NO_APPLICATION (6A82, 6999); UICC_E_NO_CHANNEL, also for a modem that passes no APDUs;
 * UICC_E_STATUS; UICC_E_MALFORMED; ACCESS_E_DENIED for the subscription; -EINVAL for the length; what the transport
 * returns. No channel is left open then.
 */
int se_open(struct uicc *uicc, const uint8_t *aid, size_t aid_length, struct se_channel *ret,
            struct apdu_answer *select, struct failure *failure);

/**
 * se_is_open() - whether the channel is still there as far as is known without asking the card
 */
bool se_is_open(const struct se_channel *channel);

/**
 * se_transmit() - one command of se_command_parse() on the channel, and the whole answer
 *
 * Return: 0 with answer->data, ->length and ->sw, whatever the status word is; SE_E_CLOSED when the card was reset or
 * changed since se_open(); SE_E_COMMAND for a class that there is not on this channel; UICC_E_MALFORMED; what the
 * transport returns. UICC_E_RESET means that the answer is lost and the command may have been executed.
 */
int se_transmit(struct se_channel *channel, const struct apdu *command, struct apdu_answer *answer,
                struct failure *failure);

/**
 * se_close() - give the channel back to the card, where it is still there; afterwards there is none
 */
void se_close(struct se_channel *channel);

/**
 * se_command_parse() - check a command of a caller and take it apart
 * @command: class, instruction, P1, P2 and as much of Lc, data and Le as the short form has; 4 to APDU_COMMAND_MAX octets
 * @pin: whether commands that present or change a PIN may pass
 *
 * The class is the caller's without a channel (00, 10, 80, 90, with secure messaging 04, 08 or 0C added). Refused are: the
 * channel's bits, class A0 and what ISO/IEC 7816-4 keeps free; MANAGE CHANNEL; SELECT by name, of the MF and of what
 * lies beside the application; GET RESPONSE, which se_transmit() sends itself; AUTHENTICATE; SUSPEND UICC, TERMINATE
 * CARD USAGE.
 *
 * Return: 0, and ret->data points into @command; SE_E_COMMAND with a text that names what is wrong.
 */
int se_command_parse(const uint8_t *command, size_t length, bool pin, struct apdu *ret,
                     struct failure *failure);

/**
 * se_class() - the class @cla of a parsed command on @channel, 1 to UICC_CHANNEL_MAX (ISO/IEC 7816-4 5.4.1)
 *
 * Channels from 4 on have one bit for secure messaging where the others have two: any kind becomes that one. On channel 19
 * a proprietary class with chaining and secure messaging would be FF, which is none: se_transmit() refuses it.
 */
uint8_t se_class(uint8_t cla, uint8_t channel);
