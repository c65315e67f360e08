/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One request with libcoap.
 */

#include "http-job.h"

/**
 * coap_fetch() - do @job, whose URL is coaps://, by a session of its own
 *
 * Return: 0 with the answer in @ret; enum http_outcome or peer_outcome with the reason in @failure.
 */
int coap_fetch(struct http_job *job, struct http_result *ret, struct failure *failure);
