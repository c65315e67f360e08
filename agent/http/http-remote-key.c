/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A private key that is elsewhere.
 *
 * OpenSSL 3 has no other way to sign by somebody else's hand than a provider, with a store and a key manager of its own, or the
 * method of an EC key, which is deprecated and works. It is the latter for as long as it is there.
 */

#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "http-protocol.h"
#include "http-remote-key.h"
#include "packet.h"
#include "util.h"

#define SIGN_USEC (SECURE_KEY_USEC + 2 * USEC_PER_SEC)

/* Index 0 of an object's data is its user's own (CRYPTO_get_ex_new_index(3)). */
#define OWN_DATA 0

static int ask(const struct remote_key *remote, struct packet *packet, const uint8_t *digest) {
    uint64_t deadline = deadline_after(SIGN_USEC);
    int r;

    packet_begin(packet, HTTP_PACKET_SIGN, remote->serial);
    r = packet_append(packet, HTTP_FIELD_DIGEST, digest, SECURE_DIGEST_LENGTH);
    if (r == 0)
        r = packet_send(remote->fd, packet, deadline);
    if (r == 0)
        r = packet_receive(remote->fd, packet, -1, deadline);
    if (r == 0 &&
        (packet_type(packet) != HTTP_PACKET_SIGNED || packet_serial(packet) != remote->serial))
        r = -EBADMSG;
    return r;
}

static int no_signature(const struct remote_key *remote, const char *why) {
    (void)failure_set(remote->failure, HTTP_E_CREDENTIAL, "%s", why);
    return 0;
}

/* ECDSA takes the leftmost octets of a longer hash (FIPS 186-4 6.4). */
static int sign(int type, const unsigned char *digest, int digest_length, unsigned char *ret,
                unsigned int *ret_length, const BIGNUM *kinv, const BIGNUM *rp, EC_KEY *key) {
    const struct remote_key *remote = EC_KEY_get_ex_data(key, OWN_DATA);
    _cleanup_packet_ struct packet packet = {0};
    const uint8_t *signature;
    size_t length;

    (void)type, (void)kinv, (void)rp;
    if (digest_length < (int)SECURE_DIGEST_LENGTH || packet_init(&packet, 256) < 0)
        return no_signature(remote,
                            "the other end wants a signature over a hash that is too short");
    if (ask(remote, &packet, digest) < 0 ||
        !packet_get(&packet, HTTP_FIELD_SIGNATURE, &signature, &length) ||
        length > (size_t)ECDSA_size(key))
        return no_signature(remote, "the secure environment gives no signature");
    if (ECDSA_verify(0, digest, digest_length, signature, (int)length, key) != 1)
        return no_signature(remote, "the private key in the secure environment is not that of our "
                                    "certificate");
    memcpy(ret, signature, length);
    *ret_length = (unsigned)length;
    return 1;
}

const EC_KEY_METHOD *remote_key_method_new(void) {
    EC_KEY_METHOD *method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());

    if (method)
        EC_KEY_METHOD_set_sign(method, sign, NULL, NULL);
    return method;
}

EVP_PKEY *remote_key_new(struct remote_key *remote, X509 *certificate) {
    EVP_PKEY *public = X509_get0_pubkey(certificate), *ret = EVP_PKEY_new();
    const EC_KEY *point = public ? EVP_PKEY_get0_EC_KEY(public) : NULL;
    EC_KEY *key = point ? EC_KEY_dup(point) : NULL;
    bool ok = remote->method && ret && key && EC_KEY_set_method(key, remote->method) == 1 &&
              EC_KEY_set_ex_data(key, OWN_DATA, remote) == 1 && EVP_PKEY_set1_EC_KEY(ret, key) == 1;

    EC_KEY_free(key);
    if (ok)
        return ret;
    EVP_PKEY_free(ret);
    return NULL;
}
