/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What http-client.c and keystrap-http, or keystrap-coap, say to each other: packets of packet.h, with types and fields of
 * their own. They are installed together; this is no interface.
 *
 *   keystrapd                                     keystrap-http
 *   SECRETS {PSK, PRIVATE_KEY}              ->    (where there is a handshake)
 *   HANDSHAKE {...}                         ->    (likewise)
 *   ASK {METHOD, URL, ...}                  ->
 *                                           <-    SIGN {DIGEST}              (where the private key is elsewhere)
 *   SIGNED {SIGNATURE?}                     ->                               (without one: it cannot be had)
 *                                           <-    FIELD {NAME, VALUE}        (once for each header field)
 *                                           <-    RESPONSE {STATUS, BODY, EXPORTER}    (ends the answer)
 *                                           <-    or FAILURE {OUTCOME, TEXT}
 *
 * Everything that belongs to one request bears its serial. One request is under way at a time.
 */

#include "keystrap-limits.h"

enum http_packet_type {
    HTTP_PACKET_ASK = 1,
    HTTP_PACKET_FIELD = 2,
    HTTP_PACKET_RESPONSE = 3,
    HTTP_PACKET_FAILURE = 4,
    HTTP_PACKET_SECRETS = 5,
    HTTP_PACKET_HANDSHAKE = 6,
    HTTP_PACKET_SIGN = 7,
    HTTP_PACKET_SIGNED = 8,
};

enum http_packet_field {
    HTTP_FIELD_URL = 1,             /* text */
    HTTP_FIELD_CONNECT_TO = 2,      /* text, HOST:PORT */
    HTTP_FIELD_USER_AGENT = 3,      /* text */
    HTTP_FIELD_HEADERS = 4,         /* lines, each ended by a newline */
    HTTP_FIELD_TRUST_ANCHORS = 5,   /* text, a path */
    HTTP_FIELD_CONNECT_TIMEOUT = 6, /* u32, milliseconds */
    HTTP_FIELD_REQUEST_TIMEOUT = 7, /* u32, milliseconds */
    HTTP_FIELD_NAME = 8,            /* octets */
    HTTP_FIELD_VALUE = 9,           /* octets */
    HTTP_FIELD_STATUS = 10,         /* u32 */
    HTTP_FIELD_BODY = 11,           /* octets */
    HTTP_FIELD_OUTCOME = 12,        /* u32, enum http_outcome */
    HTTP_FIELD_TEXT = 13,           /* text */
    HTTP_FIELD_TLS_1_3 = 14,        /* u8, 1 where nothing older will do */
    HTTP_FIELD_EXPORTER_LABEL = 15, /* text */
    HTTP_FIELD_EXPORTER = 16,       /* TLS_EXPORTER_LENGTH octets */
    HTTP_FIELD_METHOD = 17,         /* u8, enum http_method; missing for GET */
    HTTP_FIELD_FRESH = 18,          /* u8, 1 for a connection that nothing was asked by */
    HTTP_FIELD_PSK = 19,            /* octets */
    HTTP_FIELD_PRIVATE_KEY = 20,    /* octets, PEM or DER */
    HTTP_FIELD_PSK_IDENTITY = 21,   /* text */
    HTTP_FIELD_CERTIFICATE = 22,    /* octets, PEM */
    HTTP_FIELD_SIGNER = 23,         /* u8, 1 where SIGN says how to sign */
    HTTP_FIELD_SUITES = 24,         /* text */
    HTTP_FIELD_PEER_FLAVOUR = 25,   /* u8, enum peer_flavour */
    HTTP_FIELD_PEER_NAME = 26,      /* text */
    HTTP_FIELD_PEER_ROOTS = 27,     /* octets, struct peer_root of the same build */
    HTTP_FIELD_PEER_ANCHORS = 28,   /* text, a path */
    HTTP_FIELD_PEER_CRL = 29,       /* text, a path */
    HTTP_FIELD_PEER_OCSP = 30,      /* u8, 1 where a stapled response is required */
    HTTP_FIELD_DIGEST = 31,         /* SECURE_DIGEST_LENGTH octets */
    HTTP_FIELD_SIGNATURE = 32,      /* octets, ECDSA-Sig-Value */
};
