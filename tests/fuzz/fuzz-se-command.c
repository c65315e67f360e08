/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Commands of a caller, any octets: what passes the filter is of an allowed class and no instruction that is refused,
 * its parts make the same octets again, and on each channel the class names that channel and no other.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "se.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition)
        abort();
}

static void check_parts(const uint8_t *data, size_t size, const struct apdu *apdu) {
    size_t length = 4;

    check(apdu->cla == data[0] && apdu->ins == data[1] && apdu->p1 == data[2] &&
          apdu->p2 == data[3]);
    if (apdu->length > 0) {
        check(apdu->data == data + 5 && data[4] == apdu->length);
        length += 1 + apdu->length;
    }
    if (apdu->le != APDU_NO_LE) {
        check(apdu->le == data[length]);
        length++;
    }
    check(length == size);
}

static void check_class(uint8_t cla) {
    check((cla & 0x63) == 0);
    for (uint8_t channel = 1; channel <= UICC_CHANNEL_MAX; channel++) {
        uint8_t on = se_class(cla, channel);

        check((on & 0x80) == (cla & 0x80) && (on & 0x10) == (cla & 0x10));
        /* Then se_transmit() refuses it. */
        check(on != 0xff || (channel == 19 && (cla & 0x90) == 0x90 && (cla & 0x0c) != 0));
        check((on & 0x40 ? 4 + (on & 0x0f) : on & 0x03) == channel);
        check(((on & 0x40 ? on & 0x20 : on & 0x0c) != 0) == ((cla & 0x0c) != 0));
    }
}

static void look_at(const uint8_t *data, size_t size, bool pin) {
    struct failure failure = {0};
    struct apdu apdu;
    int r;

    r = se_command_parse(data, size, pin, &apdu, &failure);
    check(r == 0 || (r == SE_E_COMMAND && failure.code == r && failure.text[0]));
    if (r != 0)
        return;
    check_parts(data, size, &apdu);
    check_class(apdu.cla);
    check((apdu.ins & 0xfe) != 0x88 && apdu.ins != 0x70 && apdu.ins != 0xc0);
    check(apdu.ins != 0xa4 || apdu.p1 != 0x04);
    check(pin || (apdu.ins != 0x20 && apdu.ins != 0x24 && apdu.ins != 0x2c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    look_at(data, size, false);
    look_at(data, size, true);
    return 0;
}
