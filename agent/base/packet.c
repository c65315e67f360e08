/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Packets between keystrapd and its programs.
 *
 * A packet is built and read in place, in one buffer of fixed size: a program at the other end may be
 * a vendor's or a broken one, so nothing of what it sends makes us allocate. What packet_receive() lets
 * through is well-formed to the last octet; the getters rely on that.
 */

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "keystrap-limits.h"
#include "keystrap/plugin.h"
#include "packet.h"
#include "util.h"

#define FIELD_HEADER_LENGTH 4u

static void put_u16(uint8_t *to, size_t value) {
    uint16_t number = htobe16((uint16_t)value);

    memcpy(to, &number, sizeof(number));
}

static void put_u32(uint8_t *to, uint32_t value) {
    uint32_t number = htobe32(value);

    memcpy(to, &number, sizeof(number));
}

static uint16_t get_u16(const uint8_t *from) {
    uint16_t number;

    memcpy(&number, from, sizeof(number));
    return be16toh(number);
}

static uint32_t get_u32(const uint8_t *from) {
    uint32_t number;

    memcpy(&number, from, sizeof(number));
    return be32toh(number);
}

int packet_init(struct packet *packet, size_t payload) {
    uint8_t *data;

    if (payload > PACKET_PAYLOAD_MAX)
        return -EINVAL;
    data = calloc(1, KEYSTRAP_PLUGIN_HEADER_LENGTH + payload);
    if (!data)
        return -ENOMEM;
    *packet = (struct packet){.data = data, .size = KEYSTRAP_PLUGIN_HEADER_LENGTH + payload};
    return 0;
}

int packet_init_secret(struct packet *packet, size_t payload) {
    struct secret *memory;
    int r;

    if (payload > SECRET_LENGTH_MAX - KEYSTRAP_PLUGIN_HEADER_LENGTH)
        return -EINVAL;
    r = secret_new(KEYSTRAP_PLUGIN_HEADER_LENGTH + payload, &memory);
    if (r < 0)
        return r;
    *packet = (struct packet){.data = secret_data_mutable(memory),
                              .size = KEYSTRAP_PLUGIN_HEADER_LENGTH + payload,
                              .memory = memory};
    return 0;
}

int packet_init_locked(struct packet *packet, size_t payload) {
    size_t size = KEYSTRAP_PLUGIN_HEADER_LENGTH + payload;
    void *data;
    int r;

    if (payload > PACKET_PAYLOAD_MAX)
        return -EINVAL;
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return -ENOMEM;
    r = secret_protect(data, size);
    if (r < 0) {
        (void)munmap(data, size);
        return r;
    }
    *packet = (struct packet){.data = data, .size = size, .locked = true};
    return 0;
}

void packet_done(struct packet *packet) {
    if (packet->memory) {
        packet->memory = secret_free(packet->memory);
    } else if (packet->locked) {
        secret_erase(packet->data, packet->size);
        (void)munmap(packet->data, packet->size);
    } else if (packet->data) {
        secret_erase(packet->data, packet->size);
        free(packet->data);
    }
    *packet = (struct packet){0};
}

void packet_begin(struct packet *packet, uint8_t type, uint32_t serial) {
    secret_erase(packet->data, packet->length);
    memset(packet->data, 0, KEYSTRAP_PLUGIN_HEADER_LENGTH);
    packet->data[0] = KEYSTRAP_PLUGIN_VERSION;
    packet->data[1] = type;
    put_u32(packet->data + 4, serial);
    packet->length = KEYSTRAP_PLUGIN_HEADER_LENGTH;
}

int packet_append(struct packet *packet, uint8_t tag, const void *data, size_t length) {
    uint8_t *field = packet->data + packet->length;

    if (length > UINT16_MAX || packet->size - packet->length < FIELD_HEADER_LENGTH + length)
        return -ENOBUFS;
    field[0] = tag;
    field[1] = 0;
    put_u16(field + 2, length);
    if (length > 0)
        memcpy(field + FIELD_HEADER_LENGTH, data, length);
    packet->length += FIELD_HEADER_LENGTH + length;
    put_u32(packet->data + 8, (uint32_t)(packet->length - KEYSTRAP_PLUGIN_HEADER_LENGTH));
    return 0;
}

int packet_append_u8(struct packet *packet, uint8_t tag, uint8_t value) {
    return packet_append(packet, tag, &value, sizeof(value));
}

int packet_append_u32(struct packet *packet, uint8_t tag, uint32_t value) {
    uint8_t octets[4];

    put_u32(octets, value);
    return packet_append(packet, tag, octets, sizeof(octets));
}

int packet_append_text(struct packet *packet, uint8_t tag, const char *text) {
    return packet_append(packet, tag, text, strlen(text));
}

/* The field at @offset of a packet; false where it does not fit into what is there. */
static bool field_at(const struct packet *packet, size_t offset, uint8_t *ret_tag,
                     const uint8_t **ret, size_t *ret_length) {
    const uint8_t *field = packet->data + offset;
    size_t length;

    if (packet->length - offset < FIELD_HEADER_LENGTH || field[1] != 0)
        return false;
    length = get_u16(field + 2);
    if (packet->length - offset - FIELD_HEADER_LENGTH < length)
        return false;
    *ret_tag = field[0];
    *ret = field + FIELD_HEADER_LENGTH;
    *ret_length = length;
    return true;
}

int packet_check(const struct packet *packet) {
    size_t offset = KEYSTRAP_PLUGIN_HEADER_LENGTH, length;
    uint64_t seen[4] = {0};
    const uint8_t *value;
    uint8_t tag;

    if (packet->length < KEYSTRAP_PLUGIN_HEADER_LENGTH ||
        packet->data[0] != KEYSTRAP_PLUGIN_VERSION || get_u16(packet->data + 2) != 0 ||
        get_u32(packet->data + 8) != packet->length - KEYSTRAP_PLUGIN_HEADER_LENGTH)
        return -EBADMSG;

    while (offset < packet->length) {
        if (!field_at(packet, offset, &tag, &value, &length))
            return -EBADMSG;
        if (seen[tag / 64] >> (tag % 64) & 1)
            return -EBADMSG;
        seen[tag / 64] |= UINT64_C(1) << (tag % 64);
        offset += FIELD_HEADER_LENGTH + length;
    }
    return 0;
}

uint8_t packet_type(const struct packet *packet) {
    return packet->data[1];
}

uint32_t packet_serial(const struct packet *packet) {
    return get_u32(packet->data + 4);
}

bool packet_get(const struct packet *packet, uint8_t tag, const uint8_t **ret, size_t *ret_length) {
    size_t offset = KEYSTRAP_PLUGIN_HEADER_LENGTH, length;
    const uint8_t *value;
    uint8_t found;

    while (offset < packet->length) {
        if (!field_at(packet, offset, &found, &value, &length))
            return false;
        if (found == tag) {
            *ret = value;
            *ret_length = length;
            return true;
        }
        offset += FIELD_HEADER_LENGTH + length;
    }
    return false;
}

bool packet_get_u8(const struct packet *packet, uint8_t tag, uint8_t *ret) {
    const uint8_t *value;
    size_t length;

    if (!packet_get(packet, tag, &value, &length) || length != 1)
        return false;
    *ret = value[0];
    return true;
}

bool packet_get_u32(const struct packet *packet, uint8_t tag, uint32_t *ret) {
    const uint8_t *value;
    size_t length;

    if (!packet_get(packet, tag, &value, &length) || length != 4)
        return false;
    *ret = get_u32(value);
    return true;
}

bool packet_get_text(const struct packet *packet, uint8_t tag, char *ret, size_t size) {
    const char *text;
    const uint8_t *value;
    size_t length, octets;

    if (!packet_get(packet, tag, &value, &length) || length >= size)
        return false;
    text = (const char *)value;
    for (size_t i = 0; i < length; i += octets) {
        octets = utf8_printable(text + i, length - i);
        if (octets == 0)
            return false;
    }
    memcpy(ret, text, length);
    ret[length] = '\0';
    return true;
}

/* Wait until @fd is ready, @cancel_fd is readable, or the deadline has passed. */
static int wait_ready(int fd, short events, int cancel_fd, uint64_t deadline) {
    struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = cancel_fd, .events = POLLIN}};
    int r;

    do {
        r = poll(fds, cancel_fd >= 0 ? 2 : 1, deadline_poll_msec(deadline));
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return -errno;
    if (cancel_fd >= 0 && fds[1].revents)
        return -ECANCELED;
    return r == 0 ? -ETIMEDOUT : 0;
}

int packet_send(int fd, const struct packet *packet, uint64_t deadline) {
    ssize_t n;
    int r;

    for (;;) {
        n = send(fd, packet->data, packet->length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            return (size_t)n == packet->length ? 0 : -EMSGSIZE;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        r = wait_ready(fd, POLLOUT, -1, deadline);
        if (r < 0)
            return r;
    }
}

/* One packet that is there already; MSG_TRUNC makes recv() tell the length that it really had. */
static int receive_now(int fd, struct packet *packet) {
    ssize_t n;

    do {
        n = recv(fd, packet->data, packet->size, MSG_DONTWAIT | MSG_TRUNC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (n == 0)
        return -EPIPE;
    if ((size_t)n > packet->size) {
        packet->length = packet->size;
        return -EBADMSG;
    }
    packet->length = (size_t)n;
    return packet_check(packet);
}

int packet_receive(int fd, struct packet *packet, int cancel_fd, uint64_t deadline) {
    int r;

    secret_erase(packet->data, packet->length);
    packet->length = 0;
    for (;;) {
        r = wait_ready(fd, POLLIN, cancel_fd, deadline);
        if (r < 0)
            return r;
        r = receive_now(fd, packet);
        if (r != -EAGAIN)
            return r;
    }
}
