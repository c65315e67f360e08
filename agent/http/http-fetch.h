/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One request with libcurl, and its answer in memory of fixed size. Program-side of keystrap-http only.
 */

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http-handshake.h"
#include "http.h"
#include "keystrap-limits.h"
#include "outcome.h"

struct http_job {
    enum http_method method;
    bool fresh;
    uint8_t body[HTTP_SEND_MAX]; /* whoever has sent it on erases it */
    size_t body_length;
    bool has_body;
    struct handshake handshake;
    char url[HTTP_URL_MAX + 1];
    char connect_to[FQDN_MAX + 16]; /* "" for the URL's own host */
    char user_agent[HTTP_HEADER_MAX];
    char trust_anchors[4096]; /* "" for the system's */
    char exporter_label[TLS_LABEL_MAX + 1]; /* "" for no exporter */
    bool tls_1_3;                           /* nothing older */
    struct curl_slist *headers;
    uint32_t connect_timeout_msec;
    uint32_t request_timeout_msec;
};

/* A header field: where its line is in struct http_result. */
struct http_line {
    size_t name, name_length, value, value_length;
};

struct http_result {
    long status;
    char lines[HTTP_HEADERS_SIZE_MAX];
    size_t lines_length;
    struct http_line fields[HTTP_HEADERS_MAX];
    size_t fields_count;
    uint8_t body[HTTP_BODY_MAX];
    size_t body_length;
    uint8_t exporter[TLS_EXPORTER_LENGTH]; /* of the TLS connection; whoever has sent it on erases it */
    bool has_exporter;
    enum http_outcome refused; /* why a callback ended the transfer, 0 when none did */
    const char *refused_why;
};

/* What a callback of libcurl needs to know. */
struct http_exchange {
    CURL *easy;
    const struct http_job *job;
    struct handshake *handshake; /* the job's, which notes what became of it */
    struct http_result *result;
};

/**
 * http_fetch() - do @job with @easy, which is kept between jobs for its connections
 *
 * Return: 0 with the answer in @ret; enum http_outcome with the reason in @failure.
 */
int http_fetch(CURL *easy, struct http_job *job, struct http_result *ret,
               struct failure *failure);
