/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One command to an MBIM modem and its answer, and what the modem's errors mean.
 */

#include "mbim-internal.h"
#include "secret.h"
#include "util.h"

/* Of Microsoft's low-level access to the UICC; libmbim 1.28 has no names for them. */
#define STATUS_NO_LOGICAL_CHANNELS     0x87430001u
#define STATUS_SELECT_FAILED           0x87430002u
#define STATUS_INVALID_LOGICAL_CHANNEL 0x87430003u

void mbim_message_done(MbimMessage **message) {
    GByteArray *octets = (GByteArray *)*message;

    if (octets) {
        secret_erase(octets->data, octets->len);
        mbim_message_unref(*message);
    }
    *message = NULL;
}

#define ERROR(name, result, text) \
    { MBIM_STATUS_ERROR_##name, KEYSTRAP_RESULT_##result, text }

static const struct {
    uint32_t status;
    enum keystrap_plugin_result result;
    const char *text;
} errors[] = {
    ERROR(BUSY, BUSY, "the modem is busy"),
    ERROR(STK_BUSY, BUSY, "the card's toolkit is busy"),
    ERROR(NOT_INITIALIZED, BUSY, "the card is not ready yet"),
    ERROR(SIM_NOT_INSERTED, CARD_ABSENT, "there is no card"),
    ERROR(BAD_SIM, FAILED, "the modem cannot work with this card"),
    ERROR(PIN_REQUIRED, FAILED, "the card wants its PIN"),
    ERROR(OPERATION_NOT_ALLOWED, DENIED,
          "the modem does not allow this; Access=authenticate has it authenticate itself"),
    ERROR(NO_DEVICE_SUPPORT, UNSUPPORTED,
          "the modem does not support this; Access=authenticate may work"),
    ERROR(INVALID_DEVICE_SERVICE_OPERATION, UNSUPPORTED,
          "the modem does not support this; Access=authenticate may work"),
    ERROR(CONTEXT_NOT_SUPPORTED, UNSUPPORTED, "the modem does not support this context"),
    {STATUS_NO_LOGICAL_CHANNELS, KEYSTRAP_RESULT_NO_CHANNEL, "no logical channel is free"},
    {STATUS_SELECT_FAILED, KEYSTRAP_RESULT_NO_APPLICATION, "the card has no such application"},
    {STATUS_INVALID_LOGICAL_CHANNEL, KEYSTRAP_RESULT_CARD_RESET,
     "the channel is not open any more"},
};

static void status_result(uint32_t status, const char *text, struct transport_result *ret) {
    for (size_t i = 0; i < ELEMENTS(errors); i++)
        if (errors[i].status == status) {
            transport_result_set(ret, errors[i].result, "%s (MBIM status 0x%08x)", errors[i].text,
                                 status);
            return;
        }
    transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the modem refused: %.100s", text);
}

static void check_result(MbimMessage *answer, struct transport_result *ret) {
    g_autoptr(GError) error = NULL;

    if (mbim_message_response_get_result(answer, MBIM_MESSAGE_TYPE_COMMAND_DONE, &error))
        return;
    if (error->domain == MBIM_STATUS_ERROR)
        status_result((uint32_t)error->code, error->message, ret);
    else
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION, "the modem failed: %.100s",
                             error->message);
}

uint32_t mbim_status(MbimMessage *answer) {
    g_autoptr(GError) error = NULL;

    if (mbim_message_response_get_result(answer, MBIM_MESSAGE_TYPE_COMMAND_DONE, &error))
        return MBIM_STATUS_ERROR_NONE;
    return error->domain == MBIM_STATUS_ERROR ? (uint32_t)error->code : MBIM_STATUS_ERROR_FAILURE;
}

MbimMessage *mbim_command(struct mbim *mbim, MbimMessage *request, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = mbim->modem.thread.context};
    _cleanup_message_ MbimMessage *sent = request;
    g_autoptr(GError) error = NULL;
    MbimMessage *answer;

    if (!sent) {
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the request cannot be put together");
        return NULL;
    }
    mbim_device_command(mbim->device, sent, modem_timeout_sec(&mbim->modem),
                        mbim->modem.cancellable, glib_ready, &result);
    answer = mbim_device_command_finish(mbim->device, glib_await(&result), &error);
    if (answer) {
        check_result(answer, ret);
        return answer;
    }
    if (g_error_matches(error, MBIM_CORE_ERROR, MBIM_CORE_ERROR_TIMEOUT)) {
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION,
                             "the modem gave no answer within %u s",
                             modem_timeout_sec(&mbim->modem));
        /* Whether it lives at all is found out before it is asked for anything else. */
        mbim->modem.changed = true;
        return NULL;
    }
    mbim->modem.lost = true;
    transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION, "the modem is gone: %.150s",
                         error->message);
    return NULL;
}
