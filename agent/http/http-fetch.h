/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One request with libcurl.
 */

#include <curl/curl.h>
#include "http-job.h"

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
