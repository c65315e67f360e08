/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Roots of trust: public keys by their digests (RFC 6920, TS-0003 8.1.2.1; "Public Verification Key (or hash thereof)" of the
 * draft's 8.1.1.2.2).
 */

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "peer-internal.h"
#include "util.h"

static int decode_base64url(const char *text, uint8_t *ret, size_t size, size_t *ret_length) {
    char padded[64];
    size_t length = strlen(text);

    if (length == 0 || length + 3 >= sizeof(padded))
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (strchr("+/=", text[i]))
            return -EINVAL;
        padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    }
    while (length % 4 != 0)
        padded[length++] = '=';
    return base64_decode(padded, length, ret, size, ret_length);
}

int peer_root_parse(const char *text, struct peer_root *ret) {
    static const struct {
        const char *name;
        size_t length;
    } algorithms[] = {{"sha-256;", 32}, {"sha-256-128;", 16}, {"sha-256-120;", 15}};
    struct peer_root root = {0};

    if (strlen(text) == 2 * (size_t)PEER_DIGEST_MAX &&
        hex_decode(text, root.digest, sizeof(root.digest), &root.length) == 0) {
        *ret = root;
        return 0;
    }
    if (strncmp(text, "ni://", 5) == 0) {
        text = strchr(text + 5, '/');
        if (!text)
            return -EINVAL;
        text++;
    }
    for (size_t i = 0; i < ELEMENTS(algorithms); i++) {
        size_t length = strlen(algorithms[i].name);

        if (strncmp(text, algorithms[i].name, length) != 0)
            continue;
        if (decode_base64url(text + length, root.digest, sizeof(root.digest), &root.length) < 0 ||
            root.length != algorithms[i].length)
            return -EINVAL;
        *ret = root;
        return 0;
    }
    return -EINVAL;
}

bool peer_root_of(X509 *certificate, struct peer_root *ret) {
    unsigned char *spki = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    struct peer_root root = {.length = PEER_DIGEST_MAX};
    bool ok =
        length > 0 && EVP_Digest(spki, (size_t)length, root.digest, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(spki);
    if (ok)
        *ret = root;
    return ok;
}

void peer_root_text(const struct peer_root *root, char ret[PEER_ROOT_TEXT_SIZE]) {
    hex_encode(root->digest, root->length <= PEER_DIGEST_MAX ? root->length : 0, ret);
}

bool peer_has_root(const struct peer_expectation *expected, X509 *certificate) {
    struct peer_root root;
    bool found = false;

    if (!peer_root_of(certificate, &root))
        return false;
    for (size_t i = 0; i < expected->roots_count && i < PEER_ROOTS_MAX; i++)
        found |= expected->roots[i].length >= PEER_DIGEST_MIN &&
                 expected->roots[i].length <= PEER_DIGEST_MAX &&
                 memcmp(expected->roots[i].digest, root.digest, expected->roots[i].length) == 0;
    return found;
}

int peer_other_root(struct peer_case *peer, X509 *certificate, const char *what) {
    char found[PEER_ROOT_TEXT_SIZE] = "unreadable", wanted[PEER_ROOT_TEXT_SIZE] = "none";
    struct peer_root root;

    if (peer_root_of(certificate, &root))
        peer_root_text(&root, found);
    if (peer->expected->roots_count > 0)
        peer_root_text(&peer->expected->roots[0], wanted);
    return failure_set(peer->failure, PEER_E_ROOT, "%s of %s is %s, and %.16s... is expected", what,
                       peer->subject, found, wanted);
}

int peer_check_root(struct peer_case *peer, STACK_OF(X509) * chain) {
    if (peer->expected->roots_count == 0)
        return 0;
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (peer_has_root(peer->expected, sk_X509_value(chain, i)))
            return 0;
    return peer_other_root(peer, sk_X509_value(chain, sk_X509_num(chain) - 1), "the root of trust");
}
