/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The messages that open and close logical channels, as raw ones: libqmi before 1.36 does not know them.
 */

#include <string.h>

#include "qmi-internal.h"

#define MESSAGE_LOGICAL_CHANNEL 0x003f
#define MESSAGE_OPEN_CHANNEL    0x0042

#define TLV_SLOT               0x01
#define TLV_OPEN_AID           0x10
#define TLV_OPENED_CHANNEL     0x10
#define TLV_OPENED_STATUS_WORD 0x11
#define TLV_OPENED_RESPONSE    0x12
#define TLV_CLOSE_CHANNEL      0x11

void qmi_message_open(struct qmi *qmi, const uint8_t *aid, size_t aid_length,
                      struct qmi_opened *ret_opened, struct transport_result *ret) {
    _cleanup_message_ QmiMessage *answer = NULL;
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_OPEN_CHANNEL);

    qmi_request_u8(request, TLV_SLOT, qmi->modem.slot);
    qmi_request_tlv(request, TLV_OPEN_AID, aid, aid_length, 1);
    answer = qmi_command(qmi, request, ret);
    if (!answer)
        return;
    (void)qmi_answer_u8(answer, TLV_OPENED_CHANNEL, &ret_opened->channel);
    ret_opened->has_status_word =
        qmi_answer_status_word(answer, TLV_OPENED_STATUS_WORD, ret_opened->status_word);
    (void)qmi_answer_octets(answer, TLV_OPENED_RESPONSE, 1, ret_opened->response,
                            sizeof(ret_opened->response), &ret_opened->response_length);
}

void qmi_message_close(struct qmi *qmi, uint8_t channel, struct transport_result *ret) {
    _cleanup_message_ QmiMessage *answer = NULL;
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_LOGICAL_CHANNEL);

    qmi_request_u8(request, TLV_SLOT, qmi->modem.slot);
    qmi_request_u8(request, TLV_CLOSE_CHANNEL, channel);
    answer = qmi_command(qmi, request, ret);
}
