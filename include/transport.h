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
struct transport_identity;

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

    /* With TRANSPORT_AKA only, and then nothing of the above: a modem that passes no APDUs. 0 or as begin(). */
    int (*identity)(struct transport *transport, struct transport_identity *ret,
                    struct failure *failure);

    /* Likewise: AUTHENTICATE of the application @aid with P2 @context and the data field @data; the answer as
     * transmit()'s. */
    int (*authenticate)(struct transport *transport, const uint8_t *aid, size_t aid_length,
                        uint8_t context, const uint8_t *data, size_t data_length, uint8_t *ret,
                        size_t size, size_t *ret_length, struct failure *failure);

    /* With TRANSPORT_SEVERAL only: leave this card for the one in the next reader or slot, in a circle. 0; UICC_E_CARD_ABSENT
     * where no other has a card; or as begin(). */
    int (*next)(struct transport *transport, struct failure *failure);
};

#define TRANSPORT_CHANNELS 1u /* open_channel() instead of MANAGE CHANNEL */
#define TRANSPORT_AKA      2u /* identity() and authenticate() instead of APDUs */
#define TRANSPORT_SEVERAL  4u /* next() */

/* What a modem that passes no APDUs tells of its card; lengths 0 and "" for what it does not tell. */
struct transport_identity {
    char iccid[ICCID_MAX + 1];
    char imsi[IMSI_MAX + 1];
    char impi[IMPI_MAX + 1]; /* of an ISIM */
    uint8_t ef_ad[4];
    size_t ef_ad_length;
    uint8_t services[SERVICE_TABLE_MAX]; /* EF_UST or EF_IST */
    size_t services_length;
    uint8_t aid[AID_MAX];
    size_t aid_length;
};

struct transport {
    const struct transport_ops *ops;
    uint32_t flags;
};
