/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What http-client.c and keystrap-http say to each other: packets of packet.h, with types and fields of their own.
 * Both are installed together; this is no interface.
 *
 *   keystrapd                                     keystrap-http
 *   GET {URL, ...}                          ->
 *                                           <-    FIELD {NAME, VALUE}        (once for each header field)
 *                                           <-    RESPONSE {STATUS, BODY, EXPORTER}    (ends the answer)
 *                                           <-    or FAILURE {OUTCOME, TEXT}
 *
 * Everything that belongs to one request bears its serial. One request is under way at a time.
 */

#include "keystrap-limits.h"

enum http_packet_type {
    HTTP_PACKET_GET = 1,
    HTTP_PACKET_FIELD = 2,
    HTTP_PACKET_RESPONSE = 3,
    HTTP_PACKET_FAILURE = 4,
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
};
