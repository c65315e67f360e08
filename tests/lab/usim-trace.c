/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab usim: the trace of APDUs.
 *
 * It shows the data of the commands that are known to carry nothing secret, and of all others only
 * how much there was: AUTHENTICATE, the PIN commands, and GET RESPONSE, which may bring the answer
 * of either.
 */
#include "usim.h"

enum { HEADER = 4 };

static bool may_show(const uint8_t *command, size_t length) {
    static const uint8_t open_instructions[] = {0xa4, 0xf2, 0xb0, 0xb2, 0xd6, 0xdc, 0x70, 0x10};

    for (size_t i = 0; length >= HEADER && i < sizeof(open_instructions); i++) {
        if (command[1] == open_instructions[i])
            return true;
    }
    return false;
}

static void print_octets(FILE *stream, const uint8_t *octets, size_t length) {
    for (size_t i = 0; i < length; i++)
        fprintf(stream, "%02x", octets[i]);
}

void usim_trace_command(FILE *stream, const uint8_t *octets, size_t length) {
    fprintf(stream, "> ");
    if (may_show(octets, length)) {
        print_octets(stream, octets, length);
    } else {
        print_octets(stream, octets, length < HEADER ? length : HEADER);
        if (length > HEADER)
            fprintf(stream, " (%zu octets)", length - HEADER);
    }
    fprintf(stream, "\n");
}

void usim_trace_answer(FILE *stream, const uint8_t *command, size_t command_length,
                       const uint8_t *octets, size_t length) {
    size_t data = length < 2 ? 0 : length - 2;

    fprintf(stream, "< ");
    if (may_show(command, command_length))
        print_octets(stream, octets, data);
    else if (data > 0)
        fprintf(stream, "(%zu octets)", data);
    fprintf(stream, "%s", data > 0 ? " " : "");
    print_octets(stream, octets + data, length - data);
    fprintf(stream, "\n");
}
