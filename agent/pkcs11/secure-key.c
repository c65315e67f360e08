/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd's side of se-pkcs11.
 *
 * A module of PKCS #11 is somebody's library: it may hang on a token, crash, or leave threads behind. So it is loaded by a
 * program, which is ended when its time is up.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"
#include "pkcs11-protocol.h"
#include "secure-key.h"
#include "subprocess.h"
#include "util.h"

struct secure_key {
    char *program;
    struct subprocess process;
    struct packet packet;
    int cancel_fd;
    uint32_t serial;
    bool has_public;
    uint8_t public[SECURE_SPKI_LENGTH];
};

struct secure_key *secure_key_free(struct secure_key *key) {
    if (!key)
        return NULL;
    (void)subprocess_stop(&key->process, 0);
    packet_done(&key->packet);
    free(key->program);
    free(key);
    return NULL;
}

static void secure_key_freep(struct secure_key **key) {
    *key = secure_key_free(*key);
}

static int secure_key_new(const char *program, int cancel_fd, struct secure_key **ret) {
    _cleanup_(secure_key_freep) struct secure_key *key = calloc(1, sizeof(*key));

    if (!key)
        return -ENOMEM;
    key->process = SUBPROCESS_NONE;
    key->cancel_fd = cancel_fd;
    key->program = strdup(program);
    /* In memory that is locked, for the PIN. */
    if (!key->program || packet_init_locked(&key->packet, PKCS11_PACKET_MAX) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(key);
    return 0;
}

/* --- The conversation ------------------------------------------------------------------------------- */

/* Words of a program of ours about what a token said: shown, but not trusted to be plain. */
static int take_failure(const struct packet *packet, struct failure *failure) {
    char text[FAILURE_TEXT_MAX];
    uint32_t outcome;

    if (!packet_get_u32(packet, PKCS11_FIELD_OUTCOME, &outcome) || outcome != HTTP_E_CREDENTIAL ||
        !packet_get_text(packet, PKCS11_FIELD_TEXT, text, sizeof(text)))
        return -EBADMSG;
    return failure_set(failure, HTTP_E_CREDENTIAL, "%s", text);
}

static int broken(struct secure_key *key, int error, struct failure *failure) {
    (void)subprocess_stop(&key->process, 0);
    if (error == -ECANCELED)
        return failure_set(failure, UB_E_CANCELLED, "the request was cancelled");
    if (error == -ETIMEDOUT)
        return failure_set(failure, HTTP_E_TIMEOUT,
                           "the secure environment gave no answer within %u s",
                           (unsigned)(SECURE_KEY_USEC / USEC_PER_SEC));
    if (error == -ENOMEM)
        return error;
    return failure_set(failure, HTTP_E_HELPER, "%s %s", key->program,
                       error == -EBADMSG ? "sent a malformed answer" : "ended in the middle");
}

/* Sends what is in the packet, and has in it the answer of @type. */
static int converse(struct secure_key *key, uint8_t type, struct failure *failure) {
    uint64_t deadline = deadline_after(SECURE_KEY_USEC);
    int r;

    if (key->process.pid == 0)
        return broken(key, -EPIPE, failure);
    r = packet_send(key->process.fd, &key->packet, deadline);
    packet_begin(&key->packet, 0, 0);
    if (r == 0)
        r = packet_receive(key->process.fd, &key->packet, key->cancel_fd, deadline);
    if (r == 0 && packet_serial(&key->packet) != key->serial)
        r = -EBADMSG;
    if (r == 0 && packet_type(&key->packet) == PKCS11_PACKET_FAILURE)
        r = take_failure(&key->packet, failure);
    else if (r == 0 && packet_type(&key->packet) != type)
        r = -EBADMSG;
    return r < 0 ? broken(key, r, failure) : r;
}

/* --- What is asked ----------------------------------------------------------------------------------- */

static int take_public(struct secure_key *key) {
    const uint8_t *octets;
    size_t length;

    key->has_public = packet_get(&key->packet, PKCS11_FIELD_PUBLIC, &octets, &length);
    if (!key->has_public)
        return 0;
    if (length != sizeof(key->public))
        return -EBADMSG;
    memcpy(key->public, octets, length);
    return 0;
}

static int open_key(struct secure_key *key, const char *uri, const struct secret *pin, bool make,
                    struct failure *failure) {
    int r;

    packet_begin(&key->packet, PKCS11_PACKET_OPEN, ++key->serial);
    r = packet_append_text(&key->packet, PKCS11_FIELD_URI, uri);
    if (r == 0 && pin)
        r = packet_append(&key->packet, PKCS11_FIELD_PIN, secret_data(pin), secret_length(pin));
    if (r == 0)
        r = packet_append_u8(&key->packet, PKCS11_FIELD_MAKE, make);
    if (r < 0)
        return r;
    r = converse(key, PKCS11_PACKET_OPENED, failure);
    if (r == 0 && take_public(key) < 0)
        r = broken(key, -EBADMSG, failure);
    return r;
}

int secure_key_open(const char *program, const char *uri, const struct secret *pin, bool make,
                    int cancel_fd, struct secure_key **ret, struct failure *failure) {
    _cleanup_(secure_key_freep) struct secure_key *key = NULL;
    char *argv[] = {NULL, NULL};
    int r;

    if (strlen(uri) > CONF_PATH_MAX || (pin && secret_length(pin) > SECURE_PIN_MAX))
        return failure_set(failure, HTTP_E_CREDENTIAL,
                           "the URI or the PIN of a private key is too "
                           "long");
    r = secure_key_new(program, cancel_fd, &key);
    if (r < 0)
        return r;
    argv[0] = key->program;
    r = subprocess_spawn(key->program, argv, &key->process);
    if (r < 0)
        return failure_set(failure, HTTP_E_HELPER, "%s cannot be executed: %s", key->program,
                           strerrordesc_np(-r));
    r = open_key(key, uri, pin, make, failure);
    if (r == 0)
        *ret = TAKE_PTR(key);
    return r;
}

const uint8_t *secure_key_public(const struct secure_key *key) {
    return key->has_public ? key->public : NULL;
}

int secure_key_sign(struct secure_key *key, const uint8_t digest[SECURE_DIGEST_LENGTH],
                    uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure) {
    const uint8_t *signature;
    size_t length;
    int r;

    packet_begin(&key->packet, PKCS11_PACKET_SIGN, ++key->serial);
    r = packet_append(&key->packet, PKCS11_FIELD_DIGEST, digest, SECURE_DIGEST_LENGTH);
    if (r < 0)
        return r;
    r = converse(key, PKCS11_PACKET_SIGNED, failure);
    if (r != 0)
        return r;
    if (!packet_get(&key->packet, PKCS11_FIELD_SIGNATURE, &signature, &length) ||
        length > SIGNATURE_MAX)
        return broken(key, -EBADMSG, failure);
    memcpy(ret, signature, length);
    *ret_length = length;
    return 0;
}
