/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Lines from a modem's serial port, and what is in them.
 */

#include <string.h>

#include "at-line.h"
#include "secret.h"
#include "util.h"

bool at_reader_feed(struct at_reader *reader, uint8_t octet) {
    bool whole;

    if (octet == '\r' || octet == '\n') {
        whole = reader->length > 0 && !reader->overflow;
        reader->line[whole ? reader->length : 0] = '\0';
        reader->length = 0;
        reader->overflow = false;
        return whole;
    }
    /* Modems that start up send all kinds of octets; no answer has them. */
    if (octet < 0x20 || octet > 0x7e)
        return false;
    if (reader->length + 1 >= sizeof(reader->line))
        reader->overflow = true;
    else
        reader->line[reader->length++] = (char)octet;
    return false;
}

void at_reader_clear(struct at_reader *reader) {
    secret_erase(reader->line, sizeof(reader->line));
    reader->length = 0;
    reader->overflow = false;
}

const char *at_value(const char *line, const char *name) {
    const size_t length = strlen(name);

    if (strncmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    return line + length + 1 + strspn(line + length + 1, " ");
}

bool at_parse_number(const char *text, unsigned *ret) {
    const size_t digits = strspn(text, "0123456789");
    unsigned value = 0;

    if (digits == 0 || digits > 3 || text[digits + strspn(text + digits, " ")] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *ret = value;
    return true;
}

enum at_final at_final(const char *line, unsigned *ret_code) {
    const char *value;

    if (strcmp(line, "OK") == 0)
        return AT_FINAL_OK;
    if (strcmp(line, "ERROR") == 0 || strcmp(line, "COMMAND NOT SUPPORT") == 0)
        return AT_FINAL_ERROR;
    value = at_value(line, "+CME ERROR");
    if (!value)
        return AT_FINAL_NONE;
    if (!at_parse_number(value, ret_code))
        *ret_code = 100;
    return AT_FINAL_CME;
}

bool at_parse_response(const char *text, uint8_t ret[APDU_RESPONSE_MAX], size_t *ret_length) {
    const size_t digits = strspn(text, "0123456789");
    char number[8], hex[2 * APDU_RESPONSE_MAX + 1];
    unsigned announced;
    size_t length;
    bool good;

    if (digits == 0 || digits > 3 || text[digits] != ',')
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    text += digits + 1;
    text += strspn(text, " ");
    if (*text == '"')
        text++;
    length = strspn(text, "0123456789abcdefABCDEF");
    if (!at_parse_number(number, &announced) || announced != length || length < 4 ||
        length >= sizeof(hex) || text[length + strspn(text + length, "\" ")] != '\0')
        return false;
    memcpy(hex, text, length);
    hex[length] = '\0';
    good = hex_decode(hex, ret, APDU_RESPONSE_MAX, ret_length) == 0;
    secret_erase(hex, sizeof(hex));
    return good;
}
