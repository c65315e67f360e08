/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrapd's side of an answer of keystrap-http, packet by packet.
 */

#include "http.h"
#include "packet.h"

/**
 * http_answer_field() - take a FIELD into @response
 *
 * Return: 0; -EBADMSG when it is not allowed there; -ENOMEM.
 */
int http_answer_field(struct http_response *response, size_t *size, const struct packet *packet);

/**
 * http_answer_end() - take a RESPONSE into @response, with @secret its body into a secret. Returns as http_answer_field();
 * -EFBIG for a body that no secret holds.
 */
int http_answer_end(struct http_response *response, const struct packet *packet, bool secret);

/**
 * http_answer_failure() - take a FAILURE. Returns the http_outcome or peer_outcome, or -EBADMSG.
 */
int http_answer_failure(const struct packet *packet, struct failure *failure);
