/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card's side of vpcd.
 *
 * The reader sends length and body in two segments and waits, with Nagle's algorithm on, for the
 * first to be acknowledged; a delayed acknowledgement costs 40 ms an APDU. So the socket is told
 * to acknowledge at once before every read: the kernel forgets that wish by itself.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vpcd.h"

enum { HEADER = 2 };

static int connect_one(const struct addrinfo *address) {
    const int on = 1;
    int fd, r;

    fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return -errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int vpcd_connect(struct vpcd *vpcd, const char *host, const char *port) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    int fd = -EHOSTUNREACH;

    if (getaddrinfo(host, port, &hints, &addresses) != 0)
        return -EHOSTUNREACH;
    for (const struct addrinfo *a = addresses; a && fd < 0; a = a->ai_next)
        fd = connect_one(a);
    freeaddrinfo(addresses);
    if (fd < 0)
        return fd;
    vpcd_disconnect(vpcd);
    vpcd->fd = fd;
    return 0;
}

void vpcd_disconnect(struct vpcd *vpcd) {
    if (vpcd->fd >= 0)
        close(vpcd->fd);
    vpcd->fd = -1;
    vpcd->have = 0;
    explicit_bzero(vpcd->buffer, sizeof(vpcd->buffer));
}

static int fill(struct vpcd *vpcd, size_t wanted) {
    const int on = 1;
    ssize_t n;

    while (vpcd->have < wanted) {
        (void)setsockopt(vpcd->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
        n = recv(vpcd->fd, vpcd->buffer + vpcd->have, wanted - vpcd->have, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -ECONNRESET;
        vpcd->have += (size_t)n;
    }
    return 1;
}

int vpcd_receive(struct vpcd *vpcd, const uint8_t **ret_message, size_t *ret_length) {
    size_t length;
    int r;

    r = fill(vpcd, HEADER);
    if (r <= 0)
        return r;
    length = (size_t)vpcd->buffer[0] << 8 | vpcd->buffer[1];
    if (length > VPCD_MESSAGE_MAX)
        return -EMSGSIZE;
    r = fill(vpcd, HEADER + length);
    if (r <= 0)
        return r;
    *ret_message = vpcd->buffer + HEADER;
    *ret_length = length;
    vpcd->have = 0;
    return 1;
}

int vpcd_send(struct vpcd *vpcd, const uint8_t *message, size_t length) {
    uint8_t frame[HEADER + VPCD_MESSAGE_MAX];
    size_t sent = 0;
    int r = 0;

    if (length > VPCD_MESSAGE_MAX)
        return -EMSGSIZE;
    frame[0] = (uint8_t)(length >> 8);
    frame[1] = (uint8_t)length;
    if (length > 0)
        memcpy(frame + HEADER, message, length);
    while (sent < HEADER + length && r == 0) {
        ssize_t n = send(vpcd->fd, frame + sent, HEADER + length - sent, MSG_NOSIGNAL);

        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            r = -errno;
    }
    explicit_bzero(frame, sizeof(frame));
    return r;
}
