/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrap-lab mbim-modem, for its own files: modem-mbim.c has messages, channels, APDUs and AKA; modem-mbim-card.c the
 * card's applications and files, and the modem itself.
 */

#include "modem.h"

enum {
    MBIM_STATUS_FAILURE = 2,
    MBIM_STATUS_NO_SIM = 3,
    MBIM_STATUS_NO_SUPPORT = 9,
    MBIM_STATUS_INVALID_PARAMETERS = 21,

    /* Commands of Microsoft's low-level access to the UICC. */
    MBIM_UICC_ATR = 1,
    MBIM_UICC_TERMINAL_CAPABILITY = 5,
    MBIM_UICC_RESET = 6,
    MBIM_UICC_APPLICATION_LIST = 7,
    MBIM_UICC_FILE_STATUS = 8,
    MBIM_UICC_READ_BINARY = 9,
    MBIM_UICC_READ_RECORD = 10,
};

/* An answer's buffer; places in it count from its beginning. */
struct mbim_buffer {
    uint8_t data[1024];
    size_t length;
};

uint32_t mbim_get(const uint8_t *at);
void mbim_put(struct mbim_buffer *to, uint32_t value);

/* Octets, padded to four. */
void mbim_put_octets(struct mbim_buffer *to, const void *data, size_t length);

/* ASCII as UTF-16, padded to four. */
void mbim_put_text(struct mbim_buffer *to, const char *text);

/* A command of the UICC service that modem-mbim-card.c knows; its status, MBIM_STATUS_NO_SUPPORT where it does not. */
uint32_t mbim_card_command(struct modem *modem, uint32_t command, bool set, const uint8_t *in,
                           size_t length, struct mbim_buffer *out);

/* What the modem is, and the state of a slot (IN: its number from 0). */
void mbim_put_device(struct mbim_buffer *out);
uint32_t mbim_slot(const struct modem *modem, const uint8_t *in, size_t length,
                   struct mbim_buffer *out);
