/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What fuzz-qmi and fuzz-mbim share: the input, and what stands in place of GLib's loop and of modem.c. A program
 * includes it once, behind the header of its modem.
 */

#include <stdlib.h>

#include "modem.h"

static const uint8_t *input;
static size_t input_size;

static void check(bool condition) {
    if (!condition)
        abort();
}

static uint8_t take(void) {
    if (input_size == 0)
        return 0;
    input_size--;
    return *input++;
}

/* As many of @length octets as there are. */
static const uint8_t *take_octets(size_t *length) {
    const uint8_t *octets = input;

    if (*length > input_size)
        *length = input_size;
    input += *length;
    input_size -= *length;
    return octets;
}

/* An answer of the card has a status word, and fits. */
static void check_answer(const struct transport_result *result, const uint8_t *octets,
                         size_t length) {
    volatile unsigned sum = 0;

    if (result->code != KEYSTRAP_RESULT_OK)
        return;
    check(length >= 2 && length <= APDU_RESPONSE_MAX);
    for (size_t i = 0; i < length; i++)
        sum += octets[i];
    (void)sum;
}

void glib_ready(GObject *source, GAsyncResult *result, gpointer data) {
    (void)source, (void)result, (void)data;
}

GAsyncResult *glib_await(struct glib_result *result) {
    return result->result;
}

void glib_result_done(struct glib_result *result) {
    (void)result;
}

unsigned modem_timeout_sec(const struct modem *modem) {
    (void)modem;
    return 1;
}
