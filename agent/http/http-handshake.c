/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A handshake where both ends prove who they are (TS-0003 8.3.2, 10.2).
 *
 * TLS and DTLS are the same here but for their names. Whose certificate it is is not OpenSSL's to say but
 * peer_verify()'s, twice: when the certificate comes, and, since a stapled OCSP response comes after it, when that has come
 * or will not. What the other end does not like it says by an alert, which is noted.
 */

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "http-handshake.h"
#include "http-protocol.h"
#include "secret.h"
#include "util.h"

/* The two of TS-0003 10.2.2 come last; what is before them is better: forward secrecy, then AEAD. */
#define PSK_SUITES                                                             \
    "ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256:"                   \
    "ECDHE-PSK-AES128-CBC-SHA256:PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256:" \
    "PSK-AES128-CCM8"
/* Likewise 10.2.3. */
#define CERTIFICATE_SUITES                                         \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:" \
    "ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-CCM8"

/* What is appended to a list takes less. */
#define SUITES_SIZE (CIPHER_SUITES_MAX + 64)

/* --- What is told ------------------------------------------------------------------------------------ */

static bool take_octets(const struct packet *packet, uint8_t tag, uint8_t *ret, size_t size,
                        size_t *ret_length) {
    const uint8_t *octets;
    size_t length;

    if (!packet_get(packet, tag, &octets, &length))
        return true;
    if (length > size)
        return false;
    memcpy(ret, octets, length);
    *ret_length = length;
    return true;
}

bool handshake_take_secrets(struct handshake *handshake, const struct packet *packet) {
    return take_octets(packet, HTTP_FIELD_PSK, handshake->psk, sizeof(handshake->psk),
                       &handshake->psk_length) &&
           take_octets(packet, HTTP_FIELD_PRIVATE_KEY, handshake->private_key,
                       sizeof(handshake->private_key), &handshake->private_key_length);
}

/* A text that is there and cannot be taken is not as if there were none. */
static bool take_text(const struct packet *packet, uint8_t tag, char *ret, size_t size) {
    const uint8_t *octets;
    size_t length;

    return !packet_get(packet, tag, &octets, &length) || packet_get_text(packet, tag, ret, size);
}

static bool take_peer(struct handshake *handshake, const struct packet *packet) {
    struct peer_expectation *peer = &handshake->peer;
    const uint8_t *roots;
    size_t length;
    uint8_t flavour, ocsp = 0;

    if (!packet_get_u8(packet, HTTP_FIELD_PEER_FLAVOUR, &flavour))
        return true;
    if (flavour > PEER_NAMED)
        return false;
    handshake->has_peer = true;
    peer->flavour = (enum peer_flavour)flavour;
    if (!take_text(packet, HTTP_FIELD_PEER_NAME, handshake->peer_name,
                   sizeof(handshake->peer_name)) ||
        !take_text(packet, HTTP_FIELD_PEER_ANCHORS, handshake->peer_anchors,
                   sizeof(handshake->peer_anchors)) ||
        !take_text(packet, HTTP_FIELD_PEER_CRL, handshake->peer_crl, sizeof(handshake->peer_crl)))
        return false;
    (void)packet_get_u8(packet, HTTP_FIELD_PEER_OCSP, &ocsp);
    peer->name = handshake->peer_name;
    peer->trust_anchors = handshake->peer_anchors;
    peer->crl = handshake->peer_crl;
    peer->ocsp_required = ocsp == 1;
    if (!packet_get(packet, HTTP_FIELD_PEER_ROOTS, &roots, &length))
        return true;
    if (length % sizeof(struct peer_root) != 0 || length > sizeof(peer->roots))
        return false;
    memcpy(peer->roots, roots, length);
    peer->roots_count = length / sizeof(struct peer_root);
    for (size_t i = 0; i < peer->roots_count; i++)
        if (peer->roots[i].length > PEER_DIGEST_MAX)
            return false;
    return true;
}

bool handshake_take_rest(struct handshake *handshake, const struct packet *packet) {
    uint8_t signer = 0;
    size_t length = 0;

    if (!take_text(packet, HTTP_FIELD_SUITES, handshake->suites, sizeof(handshake->suites)) ||
        !take_text(packet, HTTP_FIELD_PSK_IDENTITY, handshake->psk_identity,
                   sizeof(handshake->psk_identity)) ||
        !take_octets(packet, HTTP_FIELD_CERTIFICATE, (uint8_t *)handshake->certificate,
                     sizeof(handshake->certificate) - 1, &length))
        return false;
    handshake->certificate[length] = '\0';
    (void)packet_get_u8(packet, HTTP_FIELD_SIGNER, &signer);
    handshake->remote.wanted = signer == 1;
    handshake->remote.serial = packet_serial(packet);
    handshake->wanted = true;
    handshake->alert = -1;
    return take_peer(handshake, packet);
}

void handshake_forget(struct handshake *handshake) {
    secret_erase(handshake, sizeof(*handshake));
}

/* --- What OpenSSL asks --------------------------------------------------------------------------------- */

static struct handshake *of(const SSL *ssl) {
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static unsigned on_psk(SSL *ssl, const char *hint, char *identity, unsigned identity_size,
                       unsigned char *psk, unsigned psk_size) {
    const struct handshake *handshake = of(ssl);

    (void)hint;
    if (strlen(handshake->psk_identity) >= identity_size || handshake->psk_length > psk_size)
        return 0;
    (void)strcpy(identity, handshake->psk_identity);
    memcpy(psk, handshake->psk, handshake->psk_length);
    return (unsigned)handshake->psk_length;
}

static int verify(struct handshake *handshake, X509 *leaf, STACK_OF(X509) * chain,
                  const struct peer_expectation *expected, const uint8_t *ocsp, size_t length) {
    failure_clear(&handshake->failure);
    if (!leaf)
        return failure_set(&handshake->failure, PEER_E_MALFORMED,
                           "the other end has no certificate");
    return peer_verify(expected, leaf, chain, ocsp, length, time(NULL), &handshake->failure);
}

static int on_certificate(X509_STORE_CTX *store, void *data) {
    struct handshake *handshake = data;
    struct peer_expectation expected = handshake->peer;
    int r;

    expected.ocsp_required = false; /* it comes later */
    r = verify(handshake, X509_STORE_CTX_get0_cert(store), X509_STORE_CTX_get0_untrusted(store),
               &expected, NULL, 0);
    if (r != 0)
        X509_STORE_CTX_set_error(store, r == PEER_E_EXPIRED   ? X509_V_ERR_CERT_HAS_EXPIRED
                                        : r == PEER_E_REVOKED ? X509_V_ERR_CERT_REVOKED
                                                              : X509_V_ERR_CERT_REJECTED);
    handshake->proved = r == 0;
    return r == 0;
}

static int on_status(SSL *ssl, void *data) {
    struct handshake *handshake = data;
    const unsigned char *ocsp = NULL;
    long length = SSL_get_tlsext_status_ocsp_resp(ssl, &ocsp);
    X509 *leaf = SSL_get0_peer_certificate(ssl);

    if (length <= 0 || length > (long)OCSP_RESPONSE_MAX) {
        ocsp = NULL;
        length = 0;
    }
    if (!ocsp && !handshake->peer.ocsp_required)
        return 1;
    handshake->proved = verify(handshake, leaf, SSL_get_peer_cert_chain(ssl), &handshake->peer,
                               ocsp, (size_t)length) == 0;
    return handshake->proved;
}

static void on_info(const SSL *ssl, int where, int value) {
    struct handshake *handshake = of(ssl);

    /* A fatal one (RFC 5246 7.2): the level is in the upper octet. */
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
        handshake->alert = value & 0xff;
    if ((where & SSL_CB_LOOP) && SSL_get_state(ssl) != TLS_ST_BEFORE &&
        SSL_get_state(ssl) != TLS_ST_CW_CLNT_HELLO)
        handshake->heard = true;
    if (handshake->library_info)
        handshake->library_info(ssl, where, value);
}

/* --- Setting up ---------------------------------------------------------------------------------------- */

static bool cannot(struct handshake *handshake, const char *what) {
    unsigned long error = ERR_get_error();
    const char *words = error != 0 ? ERR_reason_error_string(error) : NULL;

    (void)failure_set(&handshake->failure, HTTP_E_CREDENTIAL, "%s cannot be used%s%.150s", what,
                      words ? ": " : "", words ? words : "");
    return false;
}

/* Halves of a credential are a mistake, and not a wish to prove less. */
static bool check_credential(struct handshake *handshake) {
    bool psk = handshake->psk_identity[0] != '\0';

    if (psk && handshake->psk_length == 0)
        return cannot(handshake, "an identity without its pre-shared key");
    if (!psk && handshake->psk_length > 0)
        return cannot(handshake, "a pre-shared key without its identity");
    if (handshake->certificate[0] == '\0' &&
        (handshake->private_key_length > 0 || handshake->remote.wanted))
        return cannot(handshake, "a private key without its certificate");
    return psk || handshake->has_peer ||
           cannot(handshake, "a handshake that expects nobody in particular");
}

static bool use_chain(SSL_CTX *context, struct handshake *handshake) {
    BIO *bio = BIO_new_mem_buf(handshake->certificate, -1);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool ok = certificate && SSL_CTX_use_certificate(context, certificate) == 1;
    unsigned count = 1;

    X509_free(certificate);
    while (ok && count++ < PEER_CHAIN_MAX &&
           (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        ok = SSL_CTX_add0_chain_cert(context, certificate) == 1;
        if (!ok)
            X509_free(certificate);
    }
    BIO_free(bio);
    if (ok)
        ERR_clear_error(); /* of the end of the text */
    return ok || cannot(handshake, "our own certificate");
}

/* No password is asked for: whoever has one configured gets "cannot be used". */
static int no_password(char *buffer, int size, int writing, void *data) {
    (void)buffer, (void)size, (void)writing, (void)data;
    return -1;
}

static EVP_PKEY *read_key(const struct handshake *handshake) {
    const unsigned char *octets = handshake->private_key;
    bool pem = memmem(octets, handshake->private_key_length, "-----BEGIN", 10) != NULL;
    BIO *bio = pem ? BIO_new_mem_buf(octets, (int)handshake->private_key_length) : NULL;
    EVP_PKEY *key = pem ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)
                        : d2i_AutoPrivateKey(NULL, &octets, (long)handshake->private_key_length);

    BIO_free(bio);
    return key;
}

static bool use_key(SSL_CTX *context, struct handshake *handshake) {
    bool remote = handshake->remote.wanted, ok;
    EVP_PKEY *key;

    if (!remote && handshake->private_key_length == 0)
        return cannot(handshake, "no private key");
    handshake->remote.failure = &handshake->failure;
    key = remote ? remote_key_new(&handshake->remote, SSL_CTX_get0_certificate(context))
                 : read_key(handshake);
    ok =
        key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    return ok || cannot(handshake, "our own private key");
}

static bool use_peer(SSL_CTX *context, struct handshake *handshake) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, on_certificate, handshake);
    SSL_CTX_set_tlsext_status_cb(context, on_status);
    SSL_CTX_set_tlsext_status_arg(context, handshake);
    return SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp) == 1;
}

/*
 * One CipherSuites= serves both methods of a profile, so each takes what is its own: by pre-shared key no certificate is looked
 * at, and a suite that needs one would let anybody be the MEF.
 */
static void suites_of(const struct handshake *handshake, char ret[SUITES_SIZE]) {
    bool psk = handshake->psk_identity[0] != '\0';
    const char *suites = handshake->suites;

    if (suites[0] == '\0')
        suites = psk ? PSK_SUITES : CERTIFICATE_SUITES;
    (void)snprintf(ret, SUITES_SIZE, "%s:%s", suites,
                   psk ? "!aRSA:!aECDSA:!aDSS:!aNULL:!eNULL" : "!PSK:!aNULL:!eNULL");
}

bool handshake_prepare(SSL_CTX *context, struct handshake *handshake) {
    int version = handshake->datagrams ? DTLS1_2_VERSION : TLS1_2_VERSION;
    bool psk = handshake->psk_identity[0] != '\0';
    char suites[SUITES_SIZE];

    ERR_clear_error();
    if (!check_credential(handshake))
        return false;
    suites_of(handshake, suites);
    SSL_CTX_set_app_data(context, handshake);
    SSL_CTX_set_info_callback(context, on_info);
    /* Each exporter is that of a whole handshake. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    if (SSL_CTX_set_min_proto_version(context, version) != 1 ||
        SSL_CTX_set_max_proto_version(context, version) != 1 ||
        SSL_CTX_set_cipher_list(context, suites) != 1)
        return cannot(handshake, psk ? "CipherSuites= with a pre-shared key"
                                     : "CipherSuites= with a certificate");
    if (psk) {
        SSL_CTX_set_psk_client_callback(context, on_psk);
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        return true;
    }
    if (handshake->certificate[0] &&
        (!use_chain(context, handshake) || !use_key(context, handshake)))
        return false;
    return use_peer(context, handshake);
}

/* A context of our own under it; what SSL_set_SSL_CTX() does not take over is set again. */
bool handshake_apply(SSL *ssl, struct handshake *handshake,
                     void (*library_info)(const SSL *ssl, int where, int value)) {
    SSL_CTX *context = SSL_CTX_new(DTLS_client_method());
    bool psk = handshake->psk_identity[0] != '\0';
    char suites[SUITES_SIZE];
    bool ok;

    handshake->datagrams = true;
    handshake->library_info = library_info;
    suites_of(handshake, suites);
    ok = context && handshake_prepare(context, handshake) && SSL_set_SSL_CTX(ssl, context) &&
         SSL_set_min_proto_version(ssl, DTLS1_2_VERSION) == 1 &&
         SSL_set_max_proto_version(ssl, DTLS1_2_VERSION) == 1 &&
         SSL_set_cipher_list(ssl, suites) == 1 &&
         (psk || SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1);
    SSL_CTX_free(context); /* @ssl has a reference */
    if (!ok)
        return handshake->failure.code != 0 ? false : cannot(handshake, "DTLS 1.2");
    SSL_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_set_info_callback(ssl, on_info);
    SSL_set_verify(ssl, psk ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (psk)
        SSL_set_psk_client_callback(ssl, on_psk);
    return true;
}

/* --- What became of it --------------------------------------------------------------------------------- */

bool handshake_check(const SSL *ssl, const struct handshake *handshake) {
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

    if (!cipher || of(ssl) != handshake)
        return false;
    return handshake->psk_identity[0] ? SSL_CIPHER_get_auth_nid(cipher) == NID_auth_psk
                                      : handshake->proved;
}

int handshake_exporter(SSL *ssl, const char *label, uint8_t *ret) {
    /* TLS 1.3 has it built in. */
    if (SSL_version(ssl) != TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return HTTP_E_MASTER_SECRET;
    return SSL_export_keying_material(ssl, ret, TLS_EXPORTER_LENGTH, label, strlen(label), NULL, 0,
                                      0) == 1
               ? 0
               : HTTP_E_HELPER;
}

static int alert_outcome(const struct handshake *handshake) {
    bool psk = handshake->psk_identity[0] != '\0';

    switch (handshake->alert) {
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
        return HTTP_E_PSK;
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_BAD_RECORD_MAC:
    case SSL_AD_ACCESS_DENIED:
        return psk ? HTTP_E_PSK : HTTP_E_OWN_CERTIFICATE;
    case SSL_AD_CERTIFICATE_EXPIRED:
        return HTTP_E_OWN_EXPIRED;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
        return psk ? HTTP_E_TLS : HTTP_E_OWN_CERTIFICATE;
    default: /* an octet of the other end's, not an enum */
        return HTTP_E_TLS;
    }
}

int handshake_fail(const struct handshake *handshake, const char *peer, const char *error,
                   struct failure *failure) {
    int outcome = alert_outcome(handshake);

    if (handshake->failure.code != 0)
        return failure_set(failure, handshake->failure.code, "%.100s: %.270s", peer,
                           handshake->failure.text);
    if (outcome == HTTP_E_PSK)
        return failure_set(failure, outcome,
                           "%.120s does not take our pre-shared key: it does not know the "
                           "identity \"%.120s\", or has another key for it",
                           peer, handshake->psk_identity);
    if (outcome == HTTP_E_OWN_EXPIRED)
        return failure_set(failure, outcome, "%.120s says that our certificate has expired", peer);
    if (outcome == HTTP_E_OWN_CERTIFICATE)
        return failure_set(failure, outcome, "%.120s does not take our certificate (%s)", peer,
                           SSL_alert_desc_string_long(handshake->alert));
    if (handshake->psk_identity[0] && handshake->alert < 0)
        return failure_set(failure, outcome,
                           "%.100s hung up in the handshake (%.80s); it may not know the "
                           "identity \"%.60s\", or have another key for it",
                           peer, error, handshake->psk_identity);
    return failure_set(failure, outcome,
                       "%.120s: the handshake failed: %.120s; check that this is a MEF, and ask "
                       "its operator if it is",
                       peer, error);
}
