/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Octets from a program: whatever they are, a packet that is let through can be read field by field within its
 * bounds, no getter reads beyond it, and the fields written anew in their order make the same octets.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keystrap-limits.h"
#include "packet.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_LENGTH 12u

/* Reads every octet, so that a sanitizer sees one that is not ours. */
static unsigned touch(const uint8_t *data, size_t length) {
    volatile unsigned sum = 0;

    for (size_t i = 0; i < length; i++)
        sum += data[i];
    return sum;
}

static void read_fields(const struct packet *packet) {
    size_t length, total = 0;
    const uint8_t *value;
    uint32_t number;
    char text[64];
    uint8_t octet;

    for (unsigned tag = 0; tag <= UINT8_MAX; tag++) {
        if (!packet_get(packet, (uint8_t)tag, &value, &length))
            continue;
        if (value < packet->data + HEADER_LENGTH || value + length > packet->data + packet->length)
            abort();
        (void)touch(value, length);
        if (packet_get_u8(packet, (uint8_t)tag, &octet) != (length == 1) ||
            packet_get_u32(packet, (uint8_t)tag, &number) != (length == 4))
            abort();
        if (packet_get_text(packet, (uint8_t)tag, text, sizeof(text)) && strlen(text) != length)
            abort();
        total += 4 + length;
    }
    if (total != packet->length - HEADER_LENGTH)
        abort();
}

/* In the order of the packet, which the getters do not tell: it is walked here. */
static void write_again(const struct packet *packet) {
    _cleanup_packet_ struct packet copy = {0};
    size_t offset = HEADER_LENGTH;

    if (packet_init(&copy, packet->length - HEADER_LENGTH) < 0)
        abort();
    packet_begin(&copy, packet_type(packet), packet_serial(packet));
    while (offset < packet->length) {
        size_t length = (size_t)packet->data[offset + 2] << 8 | packet->data[offset + 3];

        if (packet_append(&copy, packet->data[offset], packet->data + offset + 4, length) < 0)
            abort();
        offset += 4 + length;
    }
    if (copy.length != packet->length || memcmp(copy.data, packet->data, copy.length) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct packet packet = {.size = size, .length = size};

    if (size > HEADER_LENGTH + PACKET_PAYLOAD_MAX)
        return 0;
    packet.data = malloc(size ? size : 1);
    if (!packet.data)
        abort();
    memcpy(packet.data, data, size);
    if (packet_check(&packet) == 0) {
        read_fields(&packet);
        write_again(&packet);
    }
    packet_done(&packet);
    return 0;
}
