/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The least card that pcscd can be given through vpcd: an ATR, one fixed answer to whatever it is asked, and a
 * hand that pulls it. It notes the last command that reached it, octet by octet.
 *
 * vpcd's protocol: TCP, each message a u16 (big-endian) of length and a body; a body of one octet is control (0 power
 * off, 1 power on, 2 reset, 4 get ATR), all others are commands.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "util.h"

#define VPCD_PORT         35963
#define VPCD_CONNECT_USEC (10 * USEC_PER_SEC)

struct vpcd_card {
    uint16_t port;
    const uint8_t *atr;
    size_t atr_length;
    uint8_t pull_at; /* the instruction at which the card is pulled, 0 for none */

    int fd;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    uint8_t command[512];
    size_t command_length;
    unsigned resets; /* power on and reset, all together */
};

static inline bool vpcd_read(int fd, void *data, size_t length) {
    uint8_t *to = data;
    const int one = 1;
    ssize_t n;

    while (length > 0) {
        /* Not sticky, and without it each message costs 40 ms. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
        n = recv(fd, to, length, 0);
        if (n <= 0)
            return false;
        to += n;
        length -= (size_t)n;
    }
    return true;
}

static inline bool vpcd_write(int fd, const uint8_t *data, size_t length) {
    uint8_t message[2 + 512];

    message[0] = (uint8_t)(length >> 8);
    message[1] = (uint8_t)length;
    memcpy(message + 2, data, length);
    return send(fd, message, 2 + length, MSG_NOSIGNAL) == (ssize_t)(2 + length);
}

/* One message; false when the card is out of the reader. */
static inline bool vpcd_serve(struct vpcd_card *card) {
    static const uint8_t answer[] = {0xca, 0xfe, 0x90, 0x00};
    uint8_t head[2], body[512];
    size_t length;

    if (!vpcd_read(card->fd, head, sizeof(head)))
        return false;
    length = (size_t)head[0] << 8 | head[1];
    if (length == 0 || length > sizeof(body) || !vpcd_read(card->fd, body, length))
        return false;
    if (length == 1) {
        pthread_mutex_lock(&card->lock);
        card->resets += body[0] == 1 || body[0] == 2;
        pthread_mutex_unlock(&card->lock);
        return body[0] != 4 || vpcd_write(card->fd, card->atr, card->atr_length);
    }
    pthread_mutex_lock(&card->lock);
    memcpy(card->command, body, length);
    card->command_length = length;
    pthread_mutex_unlock(&card->lock);
    if (card->pull_at != 0 && body[1] == card->pull_at)
        return false;
    return vpcd_write(card->fd, answer, sizeof(answer));
}

static inline void *vpcd_thread(void *argument) {
    struct vpcd_card *card = argument;

    while (vpcd_serve(card))
        ;
    /* The reader sees the card leave at once, also while this object still lives. */
    (void)shutdown(card->fd, SHUT_RDWR);
    return NULL;
}

/* Put the card into the reader, which may take a moment to listen. */
static inline void vpcd_card_insert(struct vpcd_card *card, uint16_t port, const uint8_t *atr,
                                    size_t atr_length, uint8_t pull_at) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t deadline = deadline_after(VPCD_CONNECT_USEC);

    memset(card, 0, sizeof(*card));
    card->port = port;
    card->atr = atr;
    card->atr_length = atr_length;
    card->pull_at = pull_at;
    for (;;) {
        card->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(card->fd >= 0);
        if (connect(card->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
            break;
        close(card->fd);
        assert_true(now_usec() < deadline);
        usleep(10000);
    }
    assert_int_equal(pthread_mutex_init(&card->lock, NULL), 0);
    assert_int_equal(pthread_create(&card->thread, NULL, vpcd_thread, card), 0);
}

/* Pull it; also to be called for a card that pulled itself. */
static inline void vpcd_card_pull(struct vpcd_card *card) {
    (void)shutdown(card->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(card->thread, NULL), 0);
    pthread_mutex_destroy(&card->lock);
    close(card->fd);
    card->fd = -1;
}

static inline void vpcd_card_assert_command(struct vpcd_card *card, const void *data,
                                            size_t length) {
    pthread_mutex_lock(&card->lock);
    assert_int_equal(card->command_length, length);
    assert_memory_equal(card->command, data, length);
    pthread_mutex_unlock(&card->lock);
}

static inline unsigned vpcd_card_resets(struct vpcd_card *card) {
    unsigned resets;

    pthread_mutex_lock(&card->lock);
    resets = card->resets;
    pthread_mutex_unlock(&card->lock);
    return resets;
}
