/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One message to the modem's UIM service and its answer.
 *
 * The messages that pass commands to a card came into libqmi with 1.36, and the one that runs AKA never did; these go as
 * raw messages, which every libqmi takes. Whatever comes back is held against its lengths here.
 */

#include <string.h>

#include "qmi-internal.h"
#include "secret.h"
#include "util.h"

#define TLV_RESULT 0x02

QmiMessage *qmi_request_new(struct qmi *qmi, uint16_t id) {
    QmiClient *client = QMI_CLIENT(qmi->client);

    return qmi_message_new(QMI_SERVICE_UIM, qmi_client_get_cid(client),
                           qmi_client_get_next_transaction_id(client), id);
}

void qmi_request_tlv(QmiMessage *request, uint8_t type, const void *data, size_t length,
                     unsigned prefix) {
    uint8_t value[2 + APDU_COMMAND_MAX];

    g_assert(prefix <= 2 && length <= APDU_COMMAND_MAX);
    value[0] = (uint8_t)length;
    if (prefix == 2)
        value[1] = (uint8_t)(length >> 8);
    if (length > 0)
        memcpy(value + prefix, data, length);
    (void)qmi_message_add_raw_tlv(request, type, value, prefix + length, NULL);
    secret_erase(value, sizeof(value));
}

void qmi_request_u8(QmiMessage *request, uint8_t type, uint8_t value) {
    qmi_request_tlv(request, type, &value, 1, 0);
}

void qmi_message_done(QmiMessage **message) {
    if (*message) {
        secret_erase((*message)->data, (*message)->len);
        qmi_message_unref(*message);
    }
    *message = NULL;
}

#define ERROR(name, result, text) \
    { QMI_PROTOCOL_ERROR_##name, KEYSTRAP_RESULT_##result, text }

static const struct {
    uint16_t error;
    enum keystrap_plugin_result result;
    const char *text;
} errors[] = {
    ERROR(ACCESS_DENIED, DENIED,
          "the modem lets no program at this application; Access=authenticate has the modem "
          "authenticate itself"),
    ERROR(NO_PERMISSION, DENIED, "the modem gives no permission"),
    ERROR(AUTHENTICATION_FAILED, FAILED, "the authentication failed"),
    ERROR(INVALID_QMI_COMMAND, UNSUPPORTED,
          "the modem does not know this command; Access=authenticate may work"),
    ERROR(NOT_SUPPORTED, UNSUPPORTED,
          "the modem does not support this; Access=authenticate may work"),
    ERROR(DEVICE_UNSUPPORTED, UNSUPPORTED,
          "the modem does not support this; Access=authenticate may work"),
    ERROR(INSUFFICIENT_RESOURCES, NO_CHANNEL, "no logical channel is free"),
    ERROR(NO_EFFECT, FAILED, "the modem says that this has no effect"),
    ERROR(NO_SIM, CARD_ABSENT, "there is no card"),
    ERROR(UIM_UNINITIALIZED, CARD_ABSENT, "the card is not ready"),
    ERROR(DEVICE_NOT_READY, BUSY, "the modem is not ready"),
    ERROR(DEVICE_IN_USE, BUSY, "the modem is in use"),
    ERROR(OPERATION_IN_PROGRESS, BUSY, "the modem does this already"),
    ERROR(INCOMPATIBLE_STATE, BUSY, "the card is not in a state for this"),
    ERROR(INVALID_CLIENT_ID, SERVICE_ABSENT, "the modem was restarted"),
    ERROR(CLIENT_IDS_EXHAUSTED, SERVICE_ABSENT,
          "the modem has no client identifier left: restart it, or the programs that use it"),
    ERROR(SIM_FILE_NOT_FOUND, NO_APPLICATION, "the card has no such application or file"),
    ERROR(INTERNAL, FAILED, "the modem failed"),
    ERROR(MALFORMED_MESSAGE, INVALID, "the modem did not understand the message"),
    ERROR(INVALID_ARGUMENT, INVALID, "the modem did not understand the message"),
    ERROR(ARGUMENT_TOO_LONG, INVALID, "the modem did not understand the message"),
    ERROR(INVALID_DATA_FORMAT, INVALID, "the modem did not understand the message"),
};

static void protocol_result(unsigned error, struct transport_result *ret) {
    for (size_t i = 0; i < ELEMENTS(errors); i++)
        if (errors[i].error == error) {
            transport_result_set(ret, errors[i].result, "%s (QMI error %u)", errors[i].text, error);
            return;
        }
    transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the modem refused (QMI error %u)", error);
}

/* The result that each answer begins with: status and error, both little-endian. */
static void check_result(QmiMessage *answer, struct transport_result *ret) {
    const uint8_t *value;
    uint16_t length = 0, status;

    value = qmi_message_get_raw_tlv(answer, TLV_RESULT, &length);
    if (!value || length != 4) {
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the modem answered without a result");
        return;
    }
    status = (uint16_t)(value[0] | value[1] << 8);
    if (status != 0)
        protocol_result((uint16_t)(value[2] | value[3] << 8), ret);
}

void qmi_failed(struct qmi *qmi, const GError *error, struct transport_result *ret) {
    if (error->domain == QMI_PROTOCOL_ERROR && error->code != QMI_PROTOCOL_ERROR_ABORTED) {
        protocol_result((unsigned)error->code, ret);
        qmi->modem.lost = qmi->modem.lost || ret->code == KEYSTRAP_RESULT_SERVICE_ABSENT;
    } else if (g_error_matches(error, QMI_CORE_ERROR, QMI_CORE_ERROR_TIMEOUT)) {
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION,
                             "the modem gave no answer within %u s",
                             modem_timeout_sec(&qmi->modem));
        qmi->modem.changed = true;
    } else {
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION, "the modem is gone: %.150s",
                             error->message);
        qmi->modem.lost = true;
    }
}

QmiMessage *qmi_command(struct qmi *qmi, QmiMessage *request, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    _cleanup_message_ QmiMessage *sent = request;
    g_autoptr(GError) error = NULL;
    QmiMessage *answer;

    qmi_device_command_full(qmi->device, sent, NULL, modem_timeout_sec(&qmi->modem),
                            qmi->modem.cancellable, glib_ready, &result);
    answer = qmi_device_command_full_finish(qmi->device, glib_await(&result), &error);
    if (!answer) {
        qmi_failed(qmi, error, ret);
        return NULL;
    }
    check_result(answer, ret);
    if (ret->code == KEYSTRAP_RESULT_SERVICE_ABSENT)
        qmi->modem.lost = true;
    return answer;
}

bool qmi_answer_octets(QmiMessage *answer, uint8_t type, unsigned prefix, uint8_t *ret, size_t size,
                       size_t *ret_length) {
    const uint8_t *value;
    uint16_t length = 0;
    size_t count;

    value = qmi_message_get_raw_tlv(answer, type, &length);
    if (!value || length < prefix)
        return false;
    count = prefix == 2 ? (size_t)(value[0] | value[1] << 8) : value[0];
    if (count > length - prefix || count > size)
        return false;
    memcpy(ret, value + prefix, count);
    *ret_length = count;
    return true;
}

bool qmi_answer_u8(QmiMessage *answer, uint8_t type, uint8_t *ret) {
    const uint8_t *value;
    uint16_t length = 0;

    value = qmi_message_get_raw_tlv(answer, type, &length);
    if (!value || length != 1)
        return false;
    *ret = value[0];
    return true;
}

bool qmi_answer_status_word(QmiMessage *answer, uint8_t type, uint8_t ret[2]) {
    const uint8_t *value;
    uint16_t length = 0;

    value = qmi_message_get_raw_tlv(answer, type, &length);
    if (!value || length != 2)
        return false;
    memcpy(ret, value, 2);
    return true;
}
