/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * DTLS for the MEF's CoAP.
 *
 * The server of libcoap was tried and is not enough: it accepts two critical options with numbers above 255 where
 * oneM2M's binding has three in a request, and nobody may choose its suites or staple an OCSP response. So its DTLS is
 * done here, straight on GnuTLS.
 *
 * The first ClientHello is answered with a cookie and forgotten. A client that brings the cookie gets a socket that is
 * connected to it, to which the kernel sorts whatever else it sends, and a thread that may block.
 */

#include "mef-dtls.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/dtls.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509.h>

#define PEERS_MAX            64u
#define PACKET_MAX           2048u
#define MTU                  1400u
#define IDLE_MSEC            120000
#define RETRANSMIT_MSEC      1000u
#define HANDSHAKE_MSEC       20000u
#define RECORD_HEADER        13u
#define CONTENT_HANDSHAKE    22u
#define TYPE_CLIENT_HELLO    1u
#define CHAIN_DEPTH          5u
#define CHAIN_BITS           8192u
#define PRIORITY_PSK         "NORMAL:-VERS-ALL:+VERS-DTLS1.2:+AES-128-CCM-8:-KX-ALL:+ECDHE-PSK:+PSK"
#define PRIORITY_CERTIFICATE ":+ECDHE-ECDSA"

struct peer {
    struct mef_dtls *dtls;
    pthread_t thread;
    bool used;
    atomic_bool ended;
    int fd;
    gnutls_dtls_prestate_st prestate;
    uint8_t first
        [PACKET_MAX]; /* the ClientHello with the cookie, which came before there was a socket */
    size_t first_length;
    void *state;
};

struct mef_dtls {
    struct mef_dtls_options options;
    gnutls_certificate_credentials_t certificates;
    gnutls_psk_server_credentials_t keys;
    gnutls_priority_t priority;
    gnutls_datum_t cookie_key;
    int fd;
    int stop_fd;
    unsigned port;
    pthread_t thread;
    bool started;
    atomic_bool silent;
    struct peer peers[PEERS_MAX];
};

/* --- Packets ------------------------------------------------------------------------------------ */

/* 1 when there is something to read, 0 after @msec (negative: never), -1 when the server ends. */
static int wait_for(const struct mef_dtls *dtls, int fd, int msec) {
    struct pollfd fds[] = {
        {.fd = fd, .events = POLLIN},
        {.fd = dtls->stop_fd, .events = POLLIN},
    };
    int r;

    do
        r = poll(fds, 2, msec);
    while (r < 0 && errno == EINTR);
    if (r < 0 || fds[1].revents)
        return -1;
    return r > 0;
}

static ssize_t on_pull(gnutls_transport_ptr_t pointer, void *data, size_t size) {
    struct peer *peer = pointer;
    size_t length = peer->first_length;

    if (length > 0) {
        length = length < size ? length : size;
        memcpy(data, peer->first, length);
        peer->first_length = 0;
        return (ssize_t)length;
    }
    return recv(peer->fd, data, size, 0);
}

static int on_pull_timeout(gnutls_transport_ptr_t pointer, unsigned msec) {
    struct peer *peer = pointer;

    if (peer->first_length > 0)
        return 1;
    return wait_for(peer->dtls, peer->fd, msec == GNUTLS_INDEFINITE_TIMEOUT ? -1 : (int)msec);
}

static ssize_t on_push(gnutls_transport_ptr_t pointer, const void *data, size_t length) {
    struct peer *peer = pointer;

    if (atomic_load(&peer->dtls->silent))
        return (ssize_t)length;
    return send(peer->fd, data, length, MSG_NOSIGNAL);
}

/* --- Handshakes --------------------------------------------------------------------------------- */

static int on_identity(gnutls_session_t session, const char *identity, gnutls_datum_t *ret) {
    const struct peer *peer = gnutls_session_get_ptr(session);
    const struct mef_dtls_options *options = &peer->dtls->options;
    uint8_t key[MEF_DTLS_KEY_MAX];
    size_t length = options->psk(options->userdata, identity, key);

    if (length == 0)
        return -1;
    ret->data = gnutls_malloc(length);
    if (ret->data)
        memcpy(ret->data, key, length);
    ret->size = (unsigned)length;
    gnutls_memset(key, 0, sizeof(key));
    return ret->data ? 0 : -1;
}

static int on_certificate(gnutls_session_t session) {
    const struct peer *peer = gnutls_session_get_ptr(session);
    const struct mef_dtls_options *options = &peer->dtls->options;
    unsigned status = 0, count = 0;
    const gnutls_datum_t *chain;

    if (gnutls_certificate_verify_peers2(session, &status) < 0)
        return -1;
    chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || count == 0)
        return -1;
    return options->admits(options->userdata, chain[0].data, chain[0].size, status == 0) ? 0 : -1;
}

static int add_certificate(struct mef_dtls *dtls) {
    const struct mef_dtls_options *options = &dtls->options;
    gnutls_datum_t anchors = {0}, certificate = {0}, key = {0};
    int r;

    /* GnuTLS takes what it only reads as not const. */
    certificate.data = (uint8_t *)(uintptr_t)options->certificate;
    certificate.size = (unsigned)strlen(options->certificate);
    key.data = (uint8_t *)(uintptr_t)options->key;
    key.size = (unsigned)strlen(options->key);
    r = gnutls_certificate_set_x509_key_mem(dtls->certificates, &certificate, &key,
                                            GNUTLS_X509_FMT_PEM);
    if (r >= 0 && options->anchors) {
        anchors.data = (uint8_t *)(uintptr_t)options->anchors;
        anchors.size = (unsigned)strlen(options->anchors);
        r = gnutls_certificate_set_x509_trust_mem(dtls->certificates, &anchors,
                                                  GNUTLS_X509_FMT_PEM);
    }
    if (r >= 0 && options->ocsp)
        r = gnutls_certificate_set_ocsp_status_request_file(dtls->certificates, options->ocsp, 0);
    gnutls_certificate_set_verify_function(dtls->certificates, on_certificate);
    gnutls_certificate_set_verify_limits(dtls->certificates, CHAIN_BITS, CHAIN_DEPTH);
    return r;
}

static int set_credentials(struct mef_dtls *dtls) {
    const struct mef_dtls_options *options = &dtls->options;
    const char *priority = options->priority;
    const char *wrong = NULL;
    int r;

    if (!priority)
        priority = options->certificate ? PRIORITY_PSK PRIORITY_CERTIFICATE : PRIORITY_PSK;
    r = gnutls_priority_init(&dtls->priority, priority, &wrong);
    if (r == 0)
        r = gnutls_key_generate(&dtls->cookie_key, GNUTLS_COOKIE_KEY_SIZE);
    if (r == 0)
        r = gnutls_psk_allocate_server_credentials(&dtls->keys);
    if (r == 0)
        r = gnutls_certificate_allocate_credentials(&dtls->certificates);
    if (r == 0)
        gnutls_psk_set_server_credentials_function(dtls->keys, on_identity);
    if (r == 0 && options->certificate)
        r = add_certificate(dtls);
    if (r < 0)
        fprintf(stderr, "keystrap-lab mef: DTLS: %s\n", gnutls_strerror(r));
    return r < 0 ? -EINVAL : 0;
}

static int open_session(struct peer *peer, gnutls_session_t *ret) {
    const struct mef_dtls *dtls = peer->dtls;
    gnutls_session_t session;

    if (gnutls_init(&session, GNUTLS_SERVER | GNUTLS_DATAGRAM | GNUTLS_NO_SIGNAL) < 0)
        return -ENOMEM;
    gnutls_session_set_ptr(session, peer);
    gnutls_transport_set_ptr(session, peer);
    gnutls_transport_set_pull_function(session, on_pull);
    gnutls_transport_set_pull_timeout_function(session, on_pull_timeout);
    gnutls_transport_set_push_function(session, on_push);
    gnutls_dtls_set_mtu(session, MTU);
    gnutls_dtls_set_timeouts(session, RETRANSMIT_MSEC, HANDSHAKE_MSEC);
    gnutls_dtls_prestate_set(session, &peer->prestate);
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    if (gnutls_priority_set(session, dtls->priority) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_PSK, dtls->keys) < 0 ||
        (dtls->options.certificate &&
         gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, dtls->certificates) < 0)) {
        gnutls_deinit(session);
        return -EINVAL;
    }
    *ret = session;
    return 0;
}

/* --- Sessions ----------------------------------------------------------------------------------- */

static bool shake_hands(gnutls_session_t session) {
    int r;

    do
        r = gnutls_handshake(session);
    while (r < 0 && !gnutls_error_is_fatal(r));
    if (r < 0)
        (void)gnutls_alert_send_appropriate(session, r);
    return r == 0;
}

static void converse(struct peer *peer, gnutls_session_t session) {
    const struct mef_dtls_options *options = &peer->dtls->options;
    uint8_t in[MEF_DTLS_DATAGRAM_MAX], out[MEF_DTLS_DATAGRAM_MAX];

    for (;;) {
        ssize_t n;
        size_t length;

        if (gnutls_record_check_pending(session) == 0 &&
            wait_for(peer->dtls, peer->fd, IDLE_MSEC) <= 0)
            break;
        n = gnutls_record_recv(session, in, sizeof(in));
        if (n == 0 || (n < 0 && gnutls_error_is_fatal((int)n)))
            break;
        if (n < 0)
            continue;
        length = options->serve(options->userdata, session, peer->state, in, (size_t)n, out);
        if (length > 0 && gnutls_record_send(session, out, length) < 0)
            break;
    }
    (void)gnutls_bye(session, GNUTLS_SHUT_WR);
}

static void *run_peer(void *userdata) {
    struct peer *peer = userdata;
    gnutls_session_t session;

    if (open_session(peer, &session) == 0) {
        if (shake_hands(session))
            converse(peer, session);
        gnutls_deinit(session);
    }
    atomic_store(&peer->ended, true);
    return NULL;
}

static void forget_peer(struct peer *peer) {
    (void)pthread_join(peer->thread, NULL);
    (void)close(peer->fd);
    free(peer->state);
    peer->state = NULL;
    peer->used = false;
}

static struct peer *free_peer(struct mef_dtls *dtls) {
    struct peer *found = NULL;

    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &dtls->peers[i];

        if (peer->used && atomic_load(&peer->ended))
            forget_peer(peer);
        if (!peer->used && !found)
            found = peer;
    }
    return found;
}

/* --- The listening socket ----------------------------------------------------------------------- */

static int open_socket(int family, const struct sockaddr *address, socklen_t length, bool shared) {
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        return -errno;
    /* Before bind() it would let the kernel choose a port that somebody else shares, too. */
    if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0) ||
        bind(fd, address, length) < 0 ||
        (!shared && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd;
}

static int connect_back(const struct mef_dtls *dtls, const struct sockaddr_storage *address,
                        socklen_t length) {
    struct sockaddr_storage own;
    socklen_t own_length = sizeof(own);
    int fd;

    if (getsockname(dtls->fd, (struct sockaddr *)&own, &own_length) < 0)
        return -errno;
    fd = open_socket(own.ss_family, (struct sockaddr *)&own, own_length, true);
    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)address, length) < 0) {
        int r = -errno;

        (void)close(fd);
        return r;
    }
    return fd;
}

struct sender {
    const struct mef_dtls *dtls;
    const struct sockaddr_storage *address;
    socklen_t length;
};

static ssize_t on_cookie_push(gnutls_transport_ptr_t pointer, const void *data, size_t length) {
    const struct sender *sender = pointer;

    return sendto(sender->dtls->fd, data, length, MSG_NOSIGNAL,
                  (const struct sockaddr *)sender->address, sender->length);
}

static void welcome(struct mef_dtls *dtls, const struct sender *sender,
                    const gnutls_dtls_prestate_st *prestate, const uint8_t *packet, size_t length) {
    struct peer *peer = free_peer(dtls);

    if (!peer)
        return;
    memset(peer, 0, sizeof(*peer));
    peer->dtls = dtls;
    peer->prestate = *prestate;
    memcpy(peer->first, packet, length);
    peer->first_length = length;
    peer->state = calloc(1, dtls->options.peer_size);
    peer->fd = connect_back(dtls, sender->address, sender->length);
    if (peer->fd >= 0 && peer->state && pthread_create(&peer->thread, NULL, run_peer, peer) == 0) {
        peer->used = true;
        return;
    }
    if (peer->fd >= 0)
        (void)close(peer->fd);
    free(peer->state);
}

static void take_packet(struct mef_dtls *dtls) {
    struct sockaddr_storage address;
    struct sender sender = {.dtls = dtls, .address = &address, .length = sizeof(address)};
    gnutls_dtls_prestate_st prestate = {0};
    uint8_t packet[PACKET_MAX];
    ssize_t n = recvfrom(dtls->fd, packet, sizeof(packet), MSG_DONTWAIT,
                         (struct sockaddr *)&address, &sender.length);

    if (n <= (ssize_t)RECORD_HEADER || packet[0] != CONTENT_HANDSHAKE ||
        packet[RECORD_HEADER] != TYPE_CLIENT_HELLO || atomic_load(&dtls->silent))
        return;
    if (gnutls_dtls_cookie_verify(&dtls->cookie_key, &address, sender.length, packet, (size_t)n,
                                  &prestate) < 0)
        (void)gnutls_dtls_cookie_send(&dtls->cookie_key, &address, sender.length, &prestate,
                                      &sender, on_cookie_push);
    else
        welcome(dtls, &sender, &prestate, packet, (size_t)n);
}

static void *run(void *userdata) {
    struct mef_dtls *dtls = userdata;

    while (wait_for(dtls, dtls->fd, -1) > 0)
        take_packet(dtls);
    return NULL;
}

static int resolve(const char *listen_on, struct addrinfo **ret) {
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_DGRAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
    };
    const char *colon = strrchr(listen_on, ':');
    char address[64];
    size_t length;

    if (!colon)
        return -EINVAL;
    length = (size_t)(colon - listen_on);
    if (length >= 2 && listen_on[0] == '[' && listen_on[length - 1] == ']') {
        listen_on++;
        length -= 2;
    }
    if (length >= sizeof(address))
        return -EINVAL;
    memcpy(address, listen_on, length);
    address[length] = '\0';
    return getaddrinfo(address, colon + 1, &hints, ret) == 0 ? 0 : -EINVAL;
}

static int listen_at(struct mef_dtls *dtls) {
    struct addrinfo *address = NULL;
    struct sockaddr_storage bound;
    socklen_t length = sizeof(bound);
    char port[NI_MAXSERV];
    int r = resolve(dtls->options.listen, &address);

    if (r < 0)
        return r;
    dtls->fd = open_socket(address->ai_family, address->ai_addr, address->ai_addrlen, false);
    freeaddrinfo(address);
    if (dtls->fd < 0)
        return dtls->fd;
    if (getsockname(dtls->fd, (struct sockaddr *)&bound, &length) < 0 ||
        getnameinfo((struct sockaddr *)&bound, length, NULL, 0, port, sizeof(port),
                    NI_NUMERICSERV) != 0)
        return -EIO;
    dtls->port = (unsigned)strtoul(port, NULL, 10);
    return 0;
}

int mef_dtls_start(const struct mef_dtls_options *options, struct mef_dtls **ret) {
    struct mef_dtls *dtls = calloc(1, sizeof(*dtls));
    int r;

    if (!dtls)
        return -ENOMEM;
    dtls->options = *options;
    dtls->fd = -1;
    dtls->stop_fd = eventfd(0, EFD_CLOEXEC);
    r = dtls->stop_fd < 0 ? -errno : set_credentials(dtls);
    if (r == 0)
        r = listen_at(dtls);
    if (r == 0)
        r = -pthread_create(&dtls->thread, NULL, run, dtls);
    if (r < 0) {
        (void)mef_dtls_stop(dtls);
        return r;
    }
    dtls->started = true;
    *ret = dtls;
    return 0;
}

unsigned mef_dtls_port(const struct mef_dtls *dtls) {
    return dtls->port;
}

void mef_dtls_set_silent(struct mef_dtls *dtls, bool silent) {
    atomic_store(&dtls->silent, silent);
}

struct mef_dtls *mef_dtls_stop(struct mef_dtls *dtls) {
    const uint64_t one = 1;

    if (!dtls)
        return NULL;
    if (dtls->started) {
        (void)!write(dtls->stop_fd, &one, sizeof(one));
        (void)pthread_join(dtls->thread, NULL);
    }
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (dtls->peers[i].used)
            forget_peer(&dtls->peers[i]);
    if (dtls->fd >= 0)
        (void)close(dtls->fd);
    if (dtls->stop_fd >= 0)
        (void)close(dtls->stop_fd);
    if (dtls->certificates)
        gnutls_certificate_free_credentials(dtls->certificates);
    if (dtls->keys)
        gnutls_psk_free_server_credentials(dtls->keys);
    if (dtls->priority)
        gnutls_priority_deinit(dtls->priority);
    gnutls_free(dtls->cookie_key.data);
    free(dtls);
    return NULL;
}
