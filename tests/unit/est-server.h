/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * An EST server in small, behind a struct mef_io: what it answers is made by OpenSSL, and each step can be made to go wrong.
 */

#include "certificates.h"

#include <openssl/pkcs7.h>
#include <stdlib.h>

#include "est.h"

#define BASE "https://mef.example.com:8443/.well-known/est"

struct answer {
    unsigned status;  /* 0: 200, and what is right */
    const char *body; /* instead of what is right */
    int fails;        /* what ask() returns */
};

struct est_server {
    struct identity root, middle; /* middle.key is NULL where the root issues by itself */
    struct wish wish;             /* of what it issues; names NULL: those of the request */
    struct answer cacerts, csrattrs, enroll;
    const char *attributes;        /* hex of CsrAttrs; NULL: 204 */
    const struct identity *shown;  /* instead of root in /cacerts */
    const struct identity *signer; /* instead of root or middle */
    bool other_key, without_names, many;

    /* What was asked. */
    char paths[256];
    const struct http_handshake *handshake;
    X509_REQ *request;
    char challenge[300];
};

static inline void est_server_done(struct est_server *server) {
    identity_done(&server->root);
    identity_done(&server->middle);
    X509_REQ_free(server->request);
}

#define _cleanup_est_server_ _cleanup_(est_server_done)

/* --- Bodies ------------------------------------------------------------------------------------------ */

/* Base64 in lines, as EST servers write it; the caller frees it. */
static inline char *in_lines(const void *octets, size_t length) {
    _cleanup_free_ char *plain = NULL;
    char *text, *p;

    assert_int_equal(base64_encode(octets, length, &plain), 0);
    text = p = malloc(2 * strlen(plain) + 3);
    assert_non_null(text);
    for (size_t i = 0; plain[i]; i++) {
        *p++ = plain[i];
        if (i % 64 == 63)
            *p++ = '\r', *p++ = '\n';
    }
    (void)strcpy(p, "\r\n");
    return text;
}

/* A certs-only PKCS #7 of the certificates up to NULL, in lines. */
static inline char *certs_only(X509 *const *certificates) {
    PKCS7 *pkcs7 = PKCS7_new();
    unsigned char *der = NULL;
    char *text;
    int length;

    assert_int_equal(PKCS7_set_type(pkcs7, NID_pkcs7_signed), 1);
    assert_int_equal(PKCS7_content_new(pkcs7, NID_pkcs7_data), 1);
    assert_int_equal(PKCS7_set_detached(pkcs7, 1), 1);
    for (; *certificates; certificates++)
        assert_int_equal(PKCS7_add_certificate(pkcs7, *certificates), 1);
    length = i2d_PKCS7(pkcs7, &der);
    assert_true(length > 0);
    text = in_lines(der, (size_t)length);
    OPENSSL_free(der);
    PKCS7_free(pkcs7);
    return text;
}

/* --- The request -------------------------------------------------------------------------------------- */

static inline void take_challenge(struct est_server *server) {
    int at = X509_REQ_get_attr_by_NID(server->request, NID_pkcs9_challengePassword, -1);
    const ASN1_TYPE *value;

    server->challenge[0] = '\0';
    if (at < 0)
        return;
    value = X509_ATTRIBUTE_get0_type(X509_REQ_get_attr(server->request, at), 0);
    (void)snprintf(server->challenge, sizeof(server->challenge), "%.*s",
                   ASN1_STRING_length(value->value.asn1_string),
                   (const char *)ASN1_STRING_get0_data(value->value.asn1_string));
}

static inline void take_request(struct est_server *server, const struct http_request *request) {
    uint8_t der[HTTP_SEND_MAX];
    const unsigned char *octets = der;
    size_t length;

    assert_int_equal(base64_decode((const char *)request->body, request->body_length, der,
                                   sizeof(der), &length),
                     0);
    X509_REQ_free(server->request);
    server->request = d2i_X509_REQ(NULL, &octets, (long)length);
    assert_non_null(server->request);
    assert_int_equal(X509_REQ_verify(server->request, X509_REQ_get0_pubkey(server->request)), 1);
    take_challenge(server);
}

static inline char *issue(struct est_server *server) {
    const struct identity *signer = server->middle.key ? &server->middle : &server->root;
    EVP_PKEY *key = X509_REQ_get0_pubkey(server->request);
    EVP_PKEY *other = server->other_key ? EVP_EC_gen("P-256") : NULL;
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(server->request);
    X509 *certificate, *certificates[PEER_CHAIN_MAX + 3] = {NULL};
    char *text;

    if (server->signer)
        signer = server->signer;
    certificate = certify(&server->wish, other ? other : key, signer);
    if (!server->wish.names && !server->without_names && sk_X509_EXTENSION_num(extensions) > 0) {
        assert_int_equal(X509_add_ext(certificate, sk_X509_EXTENSION_value(extensions, 0), -1), 1);
        assert_true(X509_sign(certificate, signer->key,
                              server->wish.digest ? server->wish.digest : EVP_sha256()) > 0);
    }
    certificates[0] = server->middle.certificate; /* not at its place: our own may be anywhere */
    certificates[certificates[0] ? 1 : 0] = certificate;
    if (server->many)
        for (size_t i = 0; i < PEER_CHAIN_MAX + 1; i++)
            certificates[i] = certificate;
    text = certs_only(certificates);
    X509_free(certificate);
    EVP_PKEY_free(other);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return text;
}

/* --- Asking ------------------------------------------------------------------------------------------- */

static inline char *attributes_text(const char *hex) {
    uint8_t der[2048];
    size_t length;

    assert_int_equal(hex_decode(hex, der, sizeof(der), &length), 0);
    return in_lines(der, length);
}

static inline int answer(const struct answer *answer, unsigned status, char *right,
                         struct http_response *ret, struct failure *failure) {
    char *body = answer->body ? strdup(answer->body) : right;

    if (answer->body || answer->fails)
        free(right);
    if (answer->fails)
        return failure_set(failure, answer->fails, "said so");
    *ret = (struct http_response){.status = answer->status ? answer->status : status,
                                  .body = (uint8_t *)body,
                                  .body_length = body ? strlen(body) : 0};
    return 0;
}

static inline int est_ask(void *userdata, const struct http_request *request,
                          struct http_response *ret, struct failure *failure) {
    struct est_server *server = userdata;
    const struct identity *root = server->shown ? server->shown : &server->root;
    const char *path = request->url + strlen(BASE "/");

    assert_true(strncmp(request->url, BASE "/", strlen(BASE "/")) == 0);
    assert_true(strlen(server->paths) + strlen(path) + 2 < sizeof(server->paths));
    (void)strcat(strcat(server->paths, path), " ");
    server->handshake = request->handshake;
    assert_int_equal(request->method, request->body ? HTTP_POST : HTTP_GET);
    if (strcmp(path, "cacerts") == 0)
        return answer(&server->cacerts, 200, certs_only((X509 *[]){root->certificate, NULL}), ret,
                      failure);
    if (strcmp(path, "csrattrs") == 0)
        return answer(&server->csrattrs, server->attributes ? 200 : 204,
                      server->attributes ? attributes_text(server->attributes) : NULL, ret,
                      failure);
    take_request(server, request);
    return answer(&server->enroll, 200, issue(server), ret, failure);
}

static inline int64_t est_now(_unused_ void *userdata) {
    return NOW;
}
