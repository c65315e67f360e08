/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of uicc-mbim share. All of it runs in the GLib thread.
 */

#include <libmbim-glib.h>

#include "modem.h"

/*
 * The tag of the channels that we open. A modem closes all channels of a tag at once, so what a killed program left
 * open is given back without anybody else's being touched.
 */
#define MBIM_CHANNEL_GROUP 0x4b53u

struct mbim {
    struct modem modem; /* first: the operations get this and mean the whole */
    MbimDevice *device; /* NULL while there is no connection */
    char imsi[IMSI_MAX + 1];
    char iccid[ICCID_MAX + 1];
};

static inline struct mbim *mbim_of(struct modem *modem) {
    return (struct mbim *)modem;
}

/* --- mbim-command.c -------------------------------------------------------------------------------------- */

/**
 * mbim_command() - send @request, which is taken (NULL is out of memory), and wait
 *
 * Return: the answer, to be given to mbim_message_done(), whatever result the modem gave: *@ret says; NULL where none
 * came.
 */
MbimMessage *mbim_command(struct mbim *mbim, MbimMessage *request, struct transport_result *ret);

/**
 * mbim_message_done() - erase and release; NULL is allowed. It may have held keys.
 */
void mbim_message_done(MbimMessage **message);

#define _cleanup_message_ __attribute__((cleanup(mbim_message_done)))

/**
 * mbim_status() - the MBIM status that a modem answered with
 */
uint32_t mbim_status(MbimMessage *answer);

/* --- mbim-card.c: operations of struct modem_ops ----------------------------------------------------------- */

void mbim_open_channel(struct modem *modem, const uint8_t *aid, size_t aid_length,
                       uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                       size_t *ret_length, struct transport_result *ret);
void mbim_close_channel(struct modem *modem, uint8_t channel, struct transport_result *ret);

/**
 * mbim_close_group() - close every channel that a program of ours ever opened and did not close
 */
void mbim_close_group(struct mbim *mbim);

void mbim_transmit(struct modem *modem, uint8_t channel, const uint8_t *command,
                   size_t command_length, uint8_t ret_response[APDU_RESPONSE_MAX],
                   size_t *ret_length, struct transport_result *ret);
void mbim_identity(struct modem *modem, struct transport_card *ret_card,
                   struct transport_result *ret);
void mbim_authenticate(struct modem *modem, const uint8_t *aid, size_t aid_length, uint8_t p2,
                       const uint8_t *data, size_t data_length,
                       uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                       struct transport_result *ret);
