/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Packets: the messages between keystrapd and the programs it starts.
 *
 * The framing of include/keystrap/plugin.h (12 octets of header, then fields) over a SOCK_SEQPACKET
 * socket. A packet's buffer is a struct secret, because answers of a card pass through it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "secret.h"

struct packet {
    uint8_t *data;    /* header and fields, in memory that packet_done() erases */
    size_t size;      /* room at data */
    size_t length;    /* octets used at data, header included */
    struct secret *memory; /* where data lives when packet_init_secret() made it, else NULL */
    bool locked;           /* packet_init_locked() made it */
};

/**
 * packet_init() - a packet with room for @payload octets of fields in ordinary heap memory that is erased
 * at the end: for the programs (no arena)
 *
 * Return: 0; -ENOMEM; -EINVAL for more than PACKET_PAYLOAD_MAX.
 */
int packet_init(struct packet *packet, size_t payload);

/**
 * packet_init_secret() - the same in the secret arena, @payload up to SECRET_LENGTH_MAX less the header
 */
int packet_init_secret(struct packet *packet, size_t payload);

/**
 * packet_init_locked() - the same as packet_init(), in pages of its own that secret_protect() makes like the arena's: for what is
 * larger than any secret and may hold one on its way, as an answer by HTTP
 *
 * Return: as packet_init(); -ENOMEM or -EPERM also where the memory cannot be locked.
 */
int packet_init_locked(struct packet *packet, size_t payload);

/**
 * packet_done() - erase and release; a zeroed packet is allowed
 */
void packet_done(struct packet *packet);

#define _cleanup_packet_ __attribute__((cleanup(packet_done)))

/**
 * packet_begin() - start a message of @type with @serial; what was in the packet is erased
 */
void packet_begin(struct packet *packet, uint8_t type, uint32_t serial);

/**
 * packet_append() - one field of @length octets; packet_append_u8(), _u32(), _text() are the same for numbers and text
 *
 * Return: 0; -ENOBUFS when the packet has no room.
 */
int packet_append(struct packet *packet, uint8_t tag, const void *data, size_t length);
int packet_append_u8(struct packet *packet, uint8_t tag, uint8_t value);
int packet_append_u32(struct packet *packet, uint8_t tag, uint32_t value);
int packet_append_text(struct packet *packet, uint8_t tag, const char *text);

/**
 * packet_check() - whether the octets in the packet are one well-formed message: version, reserved octets,
 * lengths that add up, no tag twice
 *
 * Return: 0; -EBADMSG.
 */
int packet_check(const struct packet *packet);

/**
 * packet_type(), packet_serial() - from the header of a checked packet
 */
uint8_t packet_type(const struct packet *packet);
uint32_t packet_serial(const struct packet *packet);

/**
 * packet_get() - the field with @tag of a checked packet; *@ret points into the packet
 *
 * Return: true where it is there. The outputs are untouched where not.
 */
bool packet_get(const struct packet *packet, uint8_t tag, const uint8_t **ret, size_t *ret_length);

/**
 * packet_get_u8(), packet_get_u32() - a number; false where missing or of another length
 */
bool packet_get_u8(const struct packet *packet, uint8_t tag, uint8_t *ret);
bool packet_get_u32(const struct packet *packet, uint8_t tag, uint32_t *ret);

/**
 * packet_get_text() - printable text of at most @size - 1 octets, copied and terminated
 *
 * Return: false where missing, too long, or not valid UTF-8 without control characters.
 */
bool packet_get_text(const struct packet *packet, uint8_t tag, char *ret, size_t size);

/**
 * packet_send() - send one whole packet before @deadline (now_usec() clock)
 *
 * Return: 0; -ETIMEDOUT; -EPIPE or -ECONNRESET when the other side is gone; another errno of sendmsg(2).
 */
int packet_send(int fd, const struct packet *packet, uint64_t deadline);

/**
 * packet_receive() - receive one packet and check it
 * @cancel_fd: a descriptor that becomes readable when the wait shall end, or -1
 *
 * Return: 0; -ETIMEDOUT; -ECANCELED; -EPIPE when the other side is gone; -EBADMSG for a malformed or
 * truncated packet; another errno.
 */
int packet_receive(int fd, struct packet *packet, int cancel_fd, uint64_t deadline);
