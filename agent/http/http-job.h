/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One request and its answer in memory of fixed size, and what a program does with them. Program-side of keystrap-http and
 * keystrap-coap only.
 */

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
    uint8_t body[HTTP_SEND_MAX]; /* erased after the request */
    size_t body_length;
    bool has_body;
    struct handshake handshake;
    char url[HTTP_URL_MAX + 1];
    char connect_to[FQDN_MAX + 16]; /* "" for the URL's own host */
    char user_agent[HTTP_HEADER_MAX];
    char trust_anchors[4096]; /* "" for the system's */
    char exporter_label[TLS_LABEL_MAX + 1]; /* "" for no exporter */
    bool tls_1_3;                           /* nothing older */
    char headers[HTTP_REQUEST_MAX];         /* lines, each terminated */
    size_t headers_length;
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
    uint8_t exporter[TLS_EXPORTER_LENGTH]; /* of the connection; erased when it was sent on */
    bool has_exporter;
    enum http_outcome refused; /* why a callback ended the transfer, 0 when none did */
    const char *refused_why;
};

/**
 * http_next_header() - the line after @line, NULL after the last; with NULL the first
 */
const char *http_next_header(const struct http_job *job, const char *line);

/* What a program is. */
struct http_program {
    const char *name;
    /* Before the sandbox: what libraries read and look for at their start. 0; negative errno. */
    int (*start)(void);
    /* Do @job. 0 with the answer in @ret; enum http_outcome or peer_outcome with the reason in @failure. */
    int (*fetch)(struct http_job *job, struct http_result *ret, struct failure *failure);
};

/**
 * http_program_main() - the whole life of such a program: its sandbox, and one request after the other
 *
 * Return: the exit status.
 */
int http_program_main(const struct http_program *program, int argc, char **argv);
