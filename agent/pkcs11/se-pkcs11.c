/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * se-pkcs11: the program that speaks with modules of PKCS #11 for keystrapd.
 *
 * It opens one key and signs with it until the socket that keystrapd left on its descriptor is closed. It speaks with no network,
 * and cannot be confined by a list of system calls, since what a vendor's module needs is the vendor's secret.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "keystrap/plugin.h"
#include "packet.h"
#include "pkcs11-protocol.h"
#include "pkcs11-token.h"
#include "util.h"

#define SEND_USEC (10 * USEC_PER_SEC)

struct server {
    struct token token;
    struct packet packet;
    bool is_open;
};

static int answer(struct server *server) {
    int r = packet_send(KEYSTRAP_PLUGIN_FD, &server->packet, deadline_after(SEND_USEC));

    packet_begin(&server->packet, 0, 0);
    return r;
}

static int answer_failure(struct server *server, uint32_t serial, const struct failure *failure) {
    int r;

    packet_begin(&server->packet, PKCS11_PACKET_FAILURE, serial);
    r = packet_append_u32(&server->packet, PKCS11_FIELD_OUTCOME, (uint32_t)failure->code);
    if (r == 0)
        r = packet_append_text(&server->packet, PKCS11_FIELD_TEXT, failure->text);
    return r == 0 ? answer(server) : r;
}

static int serve_open(struct server *server, uint32_t serial) {
    char uri[CONF_PATH_MAX + 1];
    uint8_t public[SECURE_SPKI_LENGTH], make = 0;
    const uint8_t *pin = NULL;
    struct failure failure = {0};
    size_t pin_length = 0;
    int r;

    if (server->is_open || !packet_get_text(&server->packet, PKCS11_FIELD_URI, uri, sizeof(uri)))
        return -EBADMSG;
    (void)packet_get(&server->packet, PKCS11_FIELD_PIN, &pin, &pin_length);
    (void)packet_get_u8(&server->packet, PKCS11_FIELD_MAKE, &make);
    r = token_open(&server->token, uri, pin, pin_length, make == 1, &failure);
    if (r != 0)
        return answer_failure(server, serial, &failure);
    server->is_open = true;
    packet_begin(&server->packet, PKCS11_PACKET_OPENED, serial);
    if (token_public(&server->token, public))
        r = packet_append(&server->packet, PKCS11_FIELD_PUBLIC, public, sizeof(public));
    return r == 0 ? answer(server) : r;
}

static int serve_sign(struct server *server, uint32_t serial) {
    uint8_t signature[SIGNATURE_MAX];
    struct failure failure = {0};
    const uint8_t *digest;
    size_t length;
    int r;

    if (!server->is_open || !packet_get(&server->packet, PKCS11_FIELD_DIGEST, &digest, &length) ||
        length != SECURE_DIGEST_LENGTH)
        return -EBADMSG;
    r = token_sign(&server->token, digest, signature, &length, &failure);
    if (r != 0)
        return answer_failure(server, serial, &failure);
    packet_begin(&server->packet, PKCS11_PACKET_SIGNED, serial);
    r = packet_append(&server->packet, PKCS11_FIELD_SIGNATURE, signature, length);
    return r == 0 ? answer(server) : r;
}

static int serve_one(struct server *server) {
    int r = packet_receive(KEYSTRAP_PLUGIN_FD, &server->packet, -1, USEC_INFINITY);
    uint32_t serial;

    if (r < 0)
        return r;
    serial = packet_serial(&server->packet);
    switch (packet_type(&server->packet)) {
    case PKCS11_PACKET_OPEN:
        return serve_open(server, serial);
    case PKCS11_PACKET_SIGN:
        return serve_sign(server, serial);
    default: /* an octet from outside, not an enum */
        return -EBADMSG;
    }
}

static int run(void) {
    struct server server = {0};
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    r = packet_init_locked(&server.packet, PKCS11_PACKET_MAX);
    while (r == 0)
        r = serve_one(&server);
    return r;
}

int main(void) {
    int r = run();

    if (r == -EBADF || r == -ENOTSOCK)
        (void)fprintf(stderr, "se-pkcs11 is started by keystrapd, not by hand\n");
    else if (r != -EPIPE && r != -ECONNRESET)
        (void)fprintf(stderr, "se-pkcs11: %s\n", strerrordesc_np(-r));
    /* The end of the process closes the session; a module's destructor could hang. */
    _exit(r == -EPIPE || r == -ECONNRESET ? EX_OK
          : r == -EBADF || r == -ENOTSOCK ? EX_USAGE
                                          : EX_SOFTWARE);
}
