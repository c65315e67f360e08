/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A modem's answers over QMI, as uicc-qmi takes them apart: whatever TLVs come, and whatever is in them, an answer of a card
 * has a status word and fits, a channel is one that a card has, and what is told of the card stays in its bounds.
 *
 * libqmi's device is this file: it answers each message with the next of the input. The input: an octet of what is asked,
 * then answers: an octet of how many TLVs (FF: raw octets of a message follow), and for each its type, length and octets.
 */

#include <string.h>

#include "fuzz-modem.h"
#include "qmi-internal.h"
#include "secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAW_MESSAGE 0xff

static QmiMessage *next_answer(void) {
    static const uint8_t worked[4];
    uint8_t count = take();
    QmiMessage *message;
    size_t length;

    if (count == RAW_MESSAGE) {
        g_autoptr(GByteArray) raw = g_byte_array_new();
        const uint8_t *octets;

        length = take();
        octets = take_octets(&length);
        g_byte_array_append(raw, octets, (guint)length);
        return qmi_message_new_from_raw(raw, NULL);
    }
    message = qmi_message_new(QMI_SERVICE_UIM, 1, 1, 0x3b);
    if (count & 0x80)
        (void)qmi_message_add_raw_tlv(message, 0x02, worked, sizeof(worked), NULL);
    for (unsigned i = 0; i < count % 8; i++) {
        uint8_t type = take();
        const uint8_t *octets;

        length = take();
        octets = take_octets(&length);
        if (length > 0)
            (void)qmi_message_add_raw_tlv(message, type, octets, length, NULL);
    }
    return message;
}

/* --- In place of libqmi's device -------------------------------------------------------------------- */

void qmi_device_command_full(QmiDevice *self, QmiMessage *message,
                             QmiMessageContext *message_context, guint timeout,
                             GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer user_data) {
    (void)self, (void)message_context, (void)timeout, (void)cancellable, (void)callback;
    (void)user_data;
    check(message->len <= 512);
}

QmiMessage *qmi_device_command_full_finish(QmiDevice *self, GAsyncResult *res, GError **error) {
    QmiMessage *answer = input_size > 0 ? next_answer() : NULL;

    (void)self, (void)res;
    if (!answer)
        g_set_error(error, QMI_CORE_ERROR, QMI_CORE_ERROR_FAILED, "no more");
    return answer;
}

guint8 qmi_client_get_cid(QmiClient *self) {
    (void)self;
    return 1;
}

guint16 qmi_client_get_next_transaction_id(QmiClient *self) {
    (void)self;
    return 1;
}

/* --- What is asked -------------------------------------------------------------------------------------- */

static void check_card(const struct transport_card *card) {
    check(memchr(card->iccid, 0, sizeof(card->iccid)) && memchr(card->imsi, 0, sizeof(card->imsi)));
    check(memchr(card->impi, 0, sizeof(card->impi)));
    check(card->ef_ad_length <= sizeof(card->ef_ad) && card->aid_length <= AID_MAX);
    check(card->services_length <= SERVICE_TABLE_MAX);
}

static void ask(struct qmi *qmi, uint8_t what) {
    static const uint8_t contexts[] = {0x80, 0x81, 0x84};
    static const uint8_t aid[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04};
    static const uint8_t octets[] = {0xdd, 0x10, 0x00, 0x01};
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    struct transport_card card = {0};
    uint8_t answer[APDU_RESPONSE_MAX], channel = 0;
    size_t length = 0;

    switch (what % 5) {
    case 0:
        qmi_open_channel(&qmi->modem, aid, sizeof(aid), &channel, answer, &length, &result);
        check(result.code != KEYSTRAP_RESULT_OK || (channel >= 1 && channel <= UICC_CHANNEL_MAX));
        check_answer(&result, answer, length);
        return;
    case 1:
        qmi_transmit(&qmi->modem, 1, octets, sizeof(octets), answer, &length, &result);
        check_answer(&result, answer, length);
        return;
    case 2:
        qmi_close_channel(&qmi->modem, 1, &result);
        return;
    case 3:
        qmi_identity(&qmi->modem, &card, &result);
        check_card(&card);
        return;
    default:
        qmi_authenticate(&qmi->modem, aid, sizeof(aid), contexts[what / 5 % 3], octets,
                         sizeof(octets), answer, &length, &result);
        check_answer(&result, answer, length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct qmi qmi = {.modem.slot = 1, .slot_count = 1, .primary = 1};
    uint8_t what;

    input = data;
    input_size = size;
    what = take();
    if (what & 0x80) {
        memcpy(qmi.slots[0].isim, "\xa0\x00\x00\x00\x87\x10\x04", 7);
        qmi.slots[0].isim_length = 7;
    }
    for (unsigned i = 0; i < 4 && input_size > 0; i++) {
        ask(&qmi, what & 0x7f);
        what = take();
    }
    return 0;
}
