/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The failures of libpcsclite, in the words of the transport protocol and of people.
 */

#include <inttypes.h>

#include "pcsc-internal.h"
#include "util.h"

/* LONG is wider than the 32 bits of an error, and libraries differ in whether they extend the sign. */
static uint32_t error_bits(LONG error) {
    return (uint32_t)((unsigned long)error & 0xffffffffu);
}

#define ERROR(name, result, text) \
    { (uint32_t)(name), KEYSTRAP_RESULT_##result, text }

static const struct {
    uint32_t error;
    enum keystrap_plugin_result result;
    const char *text;
} errors[] = {
    ERROR(SCARD_E_NO_SERVICE, SERVICE_ABSENT, "pcscd is not running"),
    ERROR(SCARD_E_SERVICE_STOPPED, SERVICE_ABSENT, "pcscd is stopping"),
    ERROR(SCARD_E_INVALID_HANDLE, SERVICE_ABSENT, "pcscd was restarted"),
    ERROR(SCARD_F_COMM_ERROR, SERVICE_ABSENT, "the connection to pcscd broke"),
    ERROR(SCARD_E_READER_UNAVAILABLE, CARD_ABSENT, "the reader was removed"),
    ERROR(SCARD_E_UNKNOWN_READER, CARD_ABSENT, "the reader was removed"),
    ERROR(SCARD_E_NO_READERS_AVAILABLE, CARD_ABSENT, "there is no reader"),
    ERROR(SCARD_E_NO_SMARTCARD, CARD_ABSENT, "there is no card in the reader"),
    ERROR(SCARD_W_REMOVED_CARD, CARD_ABSENT, "the card was removed"),
    ERROR(SCARD_W_RESET_CARD, CARD_RESET, "the card was reset"),
    ERROR(SCARD_W_UNPOWERED_CARD, CARD_RESET, "the card was powered down"),
    ERROR(SCARD_W_UNRESPONSIVE_CARD, FAILED, "the card does not answer to reset"),
    ERROR(SCARD_W_UNSUPPORTED_CARD, FAILED, "the reader cannot work with this card"),
    ERROR(SCARD_E_PROTO_MISMATCH, FAILED, "the card speaks neither T=0 nor T=1"),
    ERROR(SCARD_E_SHARING_VIOLATION, BUSY, "another program holds the card for itself"),
    ERROR(SCARD_E_SERVER_TOO_BUSY, BUSY, "pcscd is too busy"),
    ERROR(SCARD_E_NOT_READY, BUSY, "the reader is not ready"),
    ERROR(SCARD_W_SECURITY_VIOLATION, DENIED, "pcscd refuses access (polkit)"),
    ERROR(SCARD_E_NO_ACCESS, DENIED, "pcscd refuses access"),
    ERROR(SCARD_E_NOT_TRANSACTED, COMMUNICATION, "the card's answer was lost"),
    ERROR(SCARD_E_COMM_DATA_LOST, COMMUNICATION, "the card's answer was lost"),
    ERROR(SCARD_E_INSUFFICIENT_BUFFER, COMMUNICATION, "the card's answer is too long"),
    ERROR(SCARD_E_NO_MEMORY, FAILED, "out of memory"),
};

const char *pcsc_text(LONG error) {
    for (size_t i = 0; i < ELEMENTS(errors); i++)
        if (errors[i].error == error_bits(error))
            return errors[i].text;
    return "libpcsclite failed";
}

void pcsc_result(LONG error, const char *doing, struct transport_result *ret) {
    enum keystrap_plugin_result result = KEYSTRAP_RESULT_FAILED;

    for (size_t i = 0; i < ELEMENTS(errors); i++)
        if (errors[i].error == error_bits(error))
            result = errors[i].result;
    transport_result_set(ret, result, "cannot %s: %s (0x%08" PRIX32 ")", doing, pcsc_text(error),
                         error_bits(error));
}

bool pcsc_service_lost(LONG error) {
    struct transport_result result;

    pcsc_result(error, "", &result);
    return result.code == KEYSTRAP_RESULT_SERVICE_ABSENT;
}
