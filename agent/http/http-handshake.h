/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A handshake where both ends prove who they are, for the programs that speak (D)TLS: what they were told, and OpenSSL set
 * up for it. See struct http_handshake.
 */

#include <openssl/ssl.h>
#include <stdbool.h>

#include "packet.h"
#include "http-remote-key.h"
#include "peer-certificate.h"

/* Ordinary memory of a program that ends soon; handshake_forget() erases what is secret in it. */
struct handshake {
    bool wanted;
    bool datagrams; /* DTLS */
    char suites[CIPHER_SUITES_MAX + 1];
    char psk_identity[PSK_IDENTITY_MAX + 1]; /* "" for none */
    uint8_t psk[PSK_MAX];
    size_t psk_length;
    char certificate[CERTIFICATE_CHAIN_MAX + 1]; /* "" for none */
    uint8_t private_key[PRIVATE_KEY_MAX];
    size_t private_key_length;
    struct remote_key remote;
    bool has_peer;
    struct peer_expectation peer; /* its strings are these */
    char peer_name[PEER_NAME_MAX + 1], peer_anchors[CONF_PATH_MAX + 1], peer_crl[CONF_PATH_MAX + 1];

    /* What became of it. */
    struct failure failure; /* the peer's certificate, or our own credential */
    int alert;              /* that the other end sent; -1 for none */
    bool heard; /* the other end has said something */
    bool proved; /* its certificate is that of whom we expect */
    void (*library_info)(const SSL *ssl, int where, int value); /* who else wants to know; NULL */
};

/**
 * handshake_take_secrets(), handshake_take_rest() - from a packet; false where it makes no sense
 */
bool handshake_take_secrets(struct handshake *handshake, const struct packet *packet);
bool handshake_take_rest(struct handshake *handshake, const struct packet *packet);

/**
 * handshake_forget() - erase all of it
 */
void handshake_forget(struct handshake *handshake);

/**
 * handshake_prepare() - have @context shake hands so; @handshake is borrowed by it, and gets what became of that
 *
 * Return: whether OpenSSL took it; else failure says why.
 */
bool handshake_prepare(SSL_CTX *context, struct handshake *handshake);

/**
 * handshake_apply() - likewise for @ssl, which another library has made and not written an octet with
 *
 * @library_info (or NULL) is the info callback of that library, which goes on being called.
 */
bool handshake_apply(SSL *ssl, struct handshake *handshake,
                     void (*library_info)(const SSL *ssl, int where, int value));

/**
 * handshake_check() - whether the other end of @ssl, whose handshake is over, has proved who it is: by knowing the key, or by
 * the right certificate. Otherwise nothing may be asked of it, whatever library thinks so.
 */
bool handshake_check(const SSL *ssl, const struct handshake *handshake);

/**
 * handshake_exporter() - TLS_EXPORTER_LENGTH octets of @ssl with the label @label, if its master secret is an extended one
 *
 * Return: 0; HTTP_E_MASTER_SECRET; HTTP_E_HELPER.
 */
int handshake_exporter(SSL *ssl, const char *label, uint8_t *ret);

/**
 * handshake_fail() - why a handshake with @peer did not come about: by what was noted of it
 * @error: the library's own words
 *
 * Return: enum http_outcome or peer_outcome.
 */
int handshake_fail(const struct handshake *handshake, const char *peer, const char *error,
                   struct failure *failure);
