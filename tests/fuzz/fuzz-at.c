/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a modem may send over a serial line: no octets make the reader run over its line, or a line yield what is no
 * number, no status word, or longer than an answer of a card.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "at-line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition)
        abort();
}

static void look_at(const char *line) {
    static const char *const names[] = {"+CGLA", "+CSIM", "+CCHO", "+CPIN", "+CME ERROR"};
    uint8_t response[APDU_RESPONSE_MAX];
    unsigned code = 7, number;
    const char *value;
    size_t length = 0;

    check(strlen(line) >= 1 && strlen(line) < AT_LINE_MAX);
    check(at_final(line, &code) != AT_FINAL_CME || code <= 999);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = at_value(line, names[i]);
        if (!value)
            continue;
        check(value >= line && value <= line + strlen(line));
        if (at_parse_response(value, response, &length))
            check(length >= 2 && length <= sizeof(response));
        if (at_parse_number(value, &number))
            check(number <= 999);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct at_reader reader = {0};

    for (size_t i = 0; i < size; i++)
        if (at_reader_feed(&reader, data[i]))
            look_at(reader.line);
    at_reader_clear(&reader);
    return 0;
}
