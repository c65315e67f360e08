/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The card's side of vpcd, the virtual reader of vsmartcard that is a driver of pcscd.
 *
 * The card connects to the reader by TCP: connected means inserted. Each message is a length of
 * two octets (big endian) and that many octets. A message of one octet from the reader is a
 * command to the slot, any longer one is an APDU, to be answered with one message.
 */

#include <stddef.h>
#include <stdint.h>

enum {
    VPCD_POWER_OFF = 0,
    VPCD_POWER_ON = 1,
    VPCD_RESET = 2,
    VPCD_ATR =
        4, /* to be answered with the ATR; asked again and again to see whether the card is there */
    VPCD_MESSAGE_MAX = 1024,
};

struct vpcd {
    int fd; /* -1: not connected */
    size_t have;
    uint8_t buffer[2 + VPCD_MESSAGE_MAX];
};

#define VPCD_INIT \
    { .fd = -1 }

/*
 * Connects to HOST and PORT, both as getaddrinfo() takes them. 0 or a negative errno
 * (-EHOSTUNREACH: no such name).
 */
int vpcd_connect(struct vpcd *vpcd, const char *host, const char *port);

/* Closes the connection, if there is one: the card is out of the reader. */
void vpcd_disconnect(struct vpcd *vpcd);

/*
 * Reads what has arrived, without blocking. Returns 1 with a whole message in RET_MESSAGE
 * (borrowed until the next call) and RET_LENGTH; 0 when none is complete; -ECONNRESET when the
 * reader is gone; -EMSGSIZE for a message of more than VPCD_MESSAGE_MAX octets; another negative
 * errno. Call it until it returns 0: there may be more than one.
 */
int vpcd_receive(struct vpcd *vpcd, const uint8_t **ret_message, size_t *ret_length);

/* Sends one message of at most VPCD_MESSAGE_MAX octets. 0 or a negative errno. */
int vpcd_send(struct vpcd *vpcd, const uint8_t *message, size_t length);
