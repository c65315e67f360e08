/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Lines from a modem's serial port, and what is in them.
 *
 * A modem speaks in lines that end with CR, LF or both, mixes what nobody asked for with its answers, and may echo
 * what it was told. Nothing here waits, allocates or keeps more than one line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"

struct at_reader {
    char line[AT_LINE_MAX];
    size_t length;
    bool overflow; /* the line is longer than any answer, and is skipped */
};

/**
 * at_reader_feed() - one octet more
 *
 * Return: true when it ends a line that is not empty: at @reader->line, terminated, until the next call.
 */
bool at_reader_feed(struct at_reader *reader, uint8_t octet);

/**
 * at_reader_clear() - forget what is there, erasing it
 */
void at_reader_clear(struct at_reader *reader);

/* A line that ends the answer to a command. */
enum at_final {
    AT_FINAL_NONE,  /* it does not */
    AT_FINAL_OK,
    AT_FINAL_ERROR, /* without a number */
    AT_FINAL_CME,   /* +CME ERROR: with one, or 100 (unknown) for words */
};

/**
 * at_final() - whether a line ends an answer; *@ret_code is the number of a +CME ERROR
 */
enum at_final at_final(const char *line, unsigned *ret_code);

/**
 * at_value() - what follows "+NAME:" and any spaces; NULL where the line is no such answer
 * @name: "+CGLA"
 */
const char *at_value(const char *line, const char *name);

/**
 * at_parse_number() - a decimal number of up to three digits, and nothing but spaces after it
 */
bool at_parse_number(const char *text, unsigned *ret);

/**
 * at_parse_response() - <length>,"<hex>" of +CGLA and +CSIM (TS 27.007 8.17, 8.43), the quotes optional; the length is
 * the number of hex digits and must be right
 * @ret: at least 2 octets, with SW1 SW2 at the end
 */
bool at_parse_response(const char *text, uint8_t ret[APDU_RESPONSE_MAX], size_t *ret_length);
