/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The TLS of one GET: how much of it is asked for, why it failed, and the exporter of the connection.
 */

#include "http-fetch.h"

/**
 * http_tls_set() - have @easy speak TLS as @job wants, and leave the exporter in @result where @job has a label for it
 */
void http_tls_set(CURL *easy, const struct http_job *job, struct http_exchange *exchange);

/**
 * http_tls_fail() - HTTP_E_TLS in words: which of the things that can be wrong it was, and what to do about it
 * @error: libcurl's own words
 *
 * Return: HTTP_E_TLS.
 */
int http_tls_fail(CURL *easy, const struct http_job *job, CURLcode code, const char *peer,
                  const char *error, struct failure *failure);
