/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Logical channels through a modem, and commands on them.
 *
 * The modem opens and closes channels itself, as it keeps some for its own applications: MANAGE CHANNEL behind its
 * back would take them from it. Which of the open channels is whose the modem does not tell. So this program closes
 * what it opened, and of a killed predecessor only what keystrapd names, and only where the application that
 * keystrapd names is selected there; any other open channel may be the modem's own ISIM.
 */

#include <string.h>

#include "qmi-internal.h"
#include "secret.h"
#include "util.h"

#define MESSAGE_SEND_APDU       0x003b
#define MESSAGE_LOGICAL_CHANNEL 0x003f
#define MESSAGE_OPEN_CHANNEL    0x0042

#define TLV_SLOT               0x01
#define TLV_OPEN_AID           0x10
#define TLV_OPENED_CHANNEL     0x10
#define TLV_OPENED_STATUS_WORD 0x11
#define TLV_OPENED_RESPONSE    0x12
#define TLV_CLOSE_CHANNEL      0x11
#define TLV_APDU               0x02
#define TLV_APDU_CHANNEL       0x10
#define TLV_APDU_RESPONSE      0x10

/* What the card said when the modem says no: a card without a free channel is no broken modem. */
static void refused_by_card(QmiMessage *answer, struct transport_result *ret) {
    uint8_t sw[2];

    if (ret->code == KEYSTRAP_RESULT_DENIED || ret->code == KEYSTRAP_RESULT_SERVICE_ABSENT ||
        !qmi_answer_status_word(answer, TLV_OPENED_STATUS_WORD, sw))
        return;
    if ((sw[0] == 0x6a && sw[1] == 0x81) || (sw[0] == 0x68 && sw[1] == 0x81))
        transport_result_set(ret, KEYSTRAP_RESULT_NO_CHANNEL,
                             "the card has no channel free (%02X%02X)", sw[0], sw[1]);
    else
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED,
                             "the card answered %02X%02X to the selection of the application",
                             sw[0], sw[1]);
}

static void take_opened(struct qmi *qmi, QmiMessage *answer, uint8_t *ret_channel,
                        uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                        struct transport_result *ret) {
    uint8_t channel, sw[2] = {0x90, 0x00};
    size_t length = 0;

    if (!qmi_answer_u8(answer, TLV_OPENED_CHANNEL, &channel) || channel == 0 ||
        channel > UICC_CHANNEL_MAX) {
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED,
                             "the modem opened no channel that a card has");
        return;
    }
    qmi->channels[channel] = true;
    (void)qmi_answer_status_word(answer, TLV_OPENED_STATUS_WORD, sw);
    (void)qmi_answer_octets(answer, TLV_OPENED_RESPONSE, 1, ret_response, APDU_RESPONSE_MAX - 2,
                            &length);
    memcpy(ret_response + length, sw, 2);
    *ret_length = length + 2;
    *ret_channel = channel;
}

void qmi_channel_open(struct qmi *qmi, const uint8_t *aid, size_t aid_length, uint8_t *ret_channel,
                      uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                      struct transport_result *ret) {
    _cleanup_message_ QmiMessage *answer = NULL;
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_OPEN_CHANNEL);

    qmi_request_u8(request, TLV_SLOT, qmi->slot);
    qmi_request_tlv(request, TLV_OPEN_AID, aid, aid_length, 1);
    answer = qmi_command(qmi, request, ret);
    if (!answer)
        return;
    if (ret->code != KEYSTRAP_RESULT_OK)
        refused_by_card(answer, ret);
    else
        take_opened(qmi, answer, ret_channel, ret_response, ret_length, ret);
}

void qmi_channel_close(struct qmi *qmi, uint8_t channel, struct transport_result *ret) {
    _cleanup_message_ QmiMessage *answer = NULL;
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_LOGICAL_CHANNEL);

    qmi->channels[channel] = false;
    qmi_request_u8(request, TLV_SLOT, qmi->slot);
    qmi_request_u8(request, TLV_CLOSE_CHANNEL, channel);
    answer = qmi_command(qmi, request, ret);
}

/* STATUS (TS 102 221 11.1.2) answers with the AID of the application that is selected, as a TLV with tag 84. */
static bool application_is_selected(struct qmi *qmi, uint8_t channel, const uint8_t *aid,
                                    size_t aid_length) {
    const uint8_t cla = channel < 4 ? (uint8_t)(0x80 | channel) : (uint8_t)(0xc0 | (channel - 4));
    const uint8_t command[] = {cla, 0xf2, 0x00, 0x01, 0x00};
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length = 0;

    qmi_transmit(qmi, channel, command, sizeof(command), response, &length, &result);
    if (result.code != KEYSTRAP_RESULT_OK || length < 4 || response[length - 2] != 0x90 ||
        response[0] != 0x84 || response[1] > length - 4 || response[1] < aid_length)
        return false;
    return memcmp(response + 2, aid, aid_length) == 0;
}

void qmi_channel_close_left(struct qmi *qmi, uint8_t channel, const uint8_t *aid, size_t aid_length,
                            struct transport_result *ret) {
    if (!qmi->channels[channel] && application_is_selected(qmi, channel, aid, aid_length))
        qmi_channel_close(qmi, channel, ret);
}

void qmi_transmit(struct qmi *qmi, uint8_t channel, const uint8_t *command, size_t command_length,
                  uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                  struct transport_result *ret) {
    _cleanup_message_ QmiMessage *answer = NULL;
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_SEND_APDU);
    size_t length = 0;

    qmi_request_u8(request, TLV_SLOT, qmi->slot);
    qmi_request_tlv(request, TLV_APDU, command, command_length, 2);
    if (channel > 0)
        qmi_request_u8(request, TLV_APDU_CHANNEL, channel);
    answer = qmi_command(qmi, request, ret);
    if (!answer || ret->code != KEYSTRAP_RESULT_OK)
        return;
    if (!qmi_answer_octets(answer, TLV_APDU_RESPONSE, 2, ret_response, APDU_RESPONSE_MAX,
                           &length) ||
        length < 2)
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION,
                             "the modem passed no answer of the card on");
    else
        *ret_length = length;
}
