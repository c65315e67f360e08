/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A way to a card: what uicc/ needs of one, and nothing more.
 *
 * The real one is a transport program behind the protocol of keystrap/plugin.h (struct plugin); tests
 * and fuzzers have their own. All functions block until their own deadline and belong to one thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"

struct transport;

struct transport_ops {
    /* Take the card for one transaction. 0; UICC_E_CARD_ABSENT, _RESET (whatever was set up on the card is
     * gone; the transaction has begun), _BUSY, _DENIED, _SILENT, _TRANSPORT, _SERVICE_ABSENT. */
    int (*begin)(struct transport *transport, struct failure *failure);

    /* Leave the transaction and the card as it is. Errors are of no interest. */
    void (*end)(struct transport *transport);

    /* One exchange: @command of 4 to APDU_COMMAND_MAX octets; the answer with SW1 SW2, at least 2 and at most @size
     * octets, to @ret. 0 or as begin(). */
    int (*transmit)(struct transport *transport, const uint8_t *command, size_t command_length,
                    uint8_t *ret, size_t size, size_t *ret_length, struct failure *failure);

    /* With TRANSPORT_CHANNELS only: open a channel with the application selected; the answer to SELECT with its
     * status word to @ret. 0; UICC_E_NO_CHANNEL, or as begin(). */
    int (*open_channel)(struct transport *transport, const uint8_t *aid, size_t aid_length,
                        uint8_t *ret_channel, uint8_t *ret, size_t size, size_t *ret_length,
                        struct failure *failure);
    void (*close_channel)(struct transport *transport, uint8_t channel);
};

#define TRANSPORT_CHANNELS 1u /* open_channel() instead of MANAGE CHANNEL */

struct transport {
    const struct transport_ops *ops;
    uint32_t flags;
};
