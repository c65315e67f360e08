/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What secure-key.c and se-pkcs11 say to each other: packets of packet.h, with types and fields of their own. They are
 * installed together; this is no interface.
 *
 *   keystrapd                             se-pkcs11
 *   OPEN {URI, PIN?, MAKE}          ->
 *                                   <-    OPENED {PUBLIC?} or FAILURE {OUTCOME, TEXT}
 *   SIGN {DIGEST}                   ->
 *                                   <-    SIGNED {SIGNATURE} or FAILURE {OUTCOME, TEXT}
 */

enum pkcs11_packet_type {
    PKCS11_PACKET_OPEN = 1,
    PKCS11_PACKET_OPENED = 2,
    PKCS11_PACKET_SIGN = 3,
    PKCS11_PACKET_SIGNED = 4,
    PKCS11_PACKET_FAILURE = 5,
};

enum pkcs11_packet_field {
    PKCS11_FIELD_URI = 1,       /* text */
    PKCS11_FIELD_PIN = 2,       /* octets */
    PKCS11_FIELD_MAKE = 3,      /* u8, 1 to make what is not there */
    PKCS11_FIELD_PUBLIC = 4,    /* octets, SubjectPublicKeyInfo */
    PKCS11_FIELD_DIGEST = 5,    /* SECURE_DIGEST_LENGTH octets */
    PKCS11_FIELD_SIGNATURE = 6, /* octets, ECDSA-Sig-Value */
    PKCS11_FIELD_OUTCOME = 7,   /* u32 */
    PKCS11_FIELD_TEXT = 8,      /* text */
};

#define PKCS11_PACKET_MAX 2048u
