/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Logical channels through a modem, and commands on them.
 *
 * The modem opens and closes channels itself, as it keeps some for its own applications: MANAGE CHANNEL behind its
 * back would take them from it.
 */

#include <string.h>

#include "qmi-internal.h"
#include "secret.h"
#include "util.h"

#define MESSAGE_SEND_APDU 0x003b

#define TLV_SLOT          0x01
#define TLV_APDU          0x02
#define TLV_APDU_CHANNEL  0x10
#define TLV_APDU_RESPONSE 0x10

/* What the card said when the modem says no: a card without a free channel is no broken modem. */
static void refused_by_card(const uint8_t sw[2], struct transport_result *ret) {
    if ((sw[0] == 0x6a && sw[1] == 0x81) || (sw[0] == 0x68 && sw[1] == 0x81))
        transport_result_set(ret, KEYSTRAP_RESULT_NO_CHANNEL,
                             "the card has no channel free (%02X%02X)", sw[0], sw[1]);
    else if (sw[0] == 0x6a && sw[1] == 0x82)
        transport_result_set(ret, KEYSTRAP_RESULT_NO_APPLICATION,
                             "the card answered 6A82 to the selection of the application");
    else
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED,
                             "the card answered %02X%02X to the selection of the application",
                             sw[0], sw[1]);
}

void qmi_open_channel(struct modem *modem, const uint8_t *aid, size_t aid_length,
                      uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                      size_t *ret_length, struct transport_result *ret) {
    struct qmi_opened opened = {.channel = 0};

    qmi_message_open(qmi_of(modem), aid, aid_length, &opened, ret);
    if (ret->code != KEYSTRAP_RESULT_OK) {
        if (opened.has_status_word && ret->code != KEYSTRAP_RESULT_DENIED &&
            ret->code != KEYSTRAP_RESULT_SERVICE_ABSENT)
            refused_by_card(opened.status_word, ret);
        return;
    }
    if (opened.channel == 0 || opened.channel > UICC_CHANNEL_MAX) {
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED,
                             "the modem opened no channel that a card has");
        return;
    }
    memcpy(ret_response, opened.response, opened.response_length);
    memcpy(ret_response + opened.response_length,
           opened.has_status_word ? opened.status_word : (const uint8_t[]){0x90, 0x00}, 2);
    *ret_length = opened.response_length + 2;
    *ret_channel = opened.channel;
}

void qmi_close_channel(struct modem *modem, uint8_t channel, struct transport_result *ret) {
    qmi_message_close(qmi_of(modem), channel, ret);
}

/*
 * As a raw message with every libqmi: keys pass through it, and the octets of a raw message are ours to erase, those of
 * libqmi's own Send APDU are not.
 */
void qmi_transmit(struct modem *modem, uint8_t channel, const uint8_t *command,
                  size_t command_length, uint8_t ret_response[APDU_RESPONSE_MAX],
                  size_t *ret_length, struct transport_result *ret) {
    _cleanup_message_ QmiMessage *answer = NULL;
    struct qmi *qmi = qmi_of(modem);
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_SEND_APDU);
    size_t length = 0;

    qmi_request_u8(request, TLV_SLOT, modem->slot);
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
