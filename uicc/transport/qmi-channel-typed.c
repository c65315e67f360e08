/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The messages that open and close logical channels, as libqmi has them from 1.36 on.
 */

#include <string.h>

#include "qmi-internal.h"

static void take_opened(QmiMessageUimOpenLogicalChannelOutput *output,
                        struct qmi_opened *ret_opened) {
    uint8_t *sw = ret_opened->status_word;
    GArray *response = NULL;

    (void)qmi_message_uim_open_logical_channel_output_get_channel_id(output, &ret_opened->channel,
                                                                     NULL);
    ret_opened->has_status_word =
        qmi_message_uim_open_logical_channel_output_get_card_result(output, &sw[0], &sw[1], NULL);
    if (qmi_message_uim_open_logical_channel_output_get_select_response(output, &response, NULL) &&
        response->len <= sizeof(ret_opened->response)) {
        memcpy(ret_opened->response, response->data, response->len);
        ret_opened->response_length = response->len;
    }
}

void qmi_message_open(struct qmi *qmi, const uint8_t *aid, size_t aid_length,
                      struct qmi_opened *ret_opened, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    g_autoptr(QmiMessageUimOpenLogicalChannelInput) input =
        qmi_message_uim_open_logical_channel_input_new();
    g_autoptr(QmiMessageUimOpenLogicalChannelOutput) output = NULL;
    g_autoptr(GArray) octets = g_array_new(FALSE, FALSE, sizeof(guint8));
    g_autoptr(GError) error = NULL;

    g_array_append_vals(octets, aid, (guint)aid_length);
    qmi_message_uim_open_logical_channel_input_set_slot(input, qmi->modem.slot, NULL);
    qmi_message_uim_open_logical_channel_input_set_aid(input, octets, NULL);
    qmi_client_uim_open_logical_channel(qmi->client, input, modem_timeout_sec(&qmi->modem),
                                        qmi->modem.cancellable, glib_ready, &result);
    output = qmi_client_uim_open_logical_channel_finish(qmi->client, glib_await(&result), &error);
    if (!output || !qmi_message_uim_open_logical_channel_output_get_result(output, &error))
        qmi_failed(qmi, error, ret);
    if (output)
        take_opened(output, ret_opened);
}

void qmi_message_close(struct qmi *qmi, uint8_t channel, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    g_autoptr(QmiMessageUimLogicalChannelInput) input = qmi_message_uim_logical_channel_input_new();
    g_autoptr(QmiMessageUimLogicalChannelOutput) output = NULL;
    g_autoptr(GError) error = NULL;

    qmi_message_uim_logical_channel_input_set_slot(input, qmi->modem.slot, NULL);
    qmi_message_uim_logical_channel_input_set_channel_id(input, channel, NULL);
    qmi_client_uim_logical_channel(qmi->client, input, modem_timeout_sec(&qmi->modem),
                                   qmi->modem.cancellable, glib_ready, &result);
    output = qmi_client_uim_logical_channel_finish(qmi->client, glib_await(&result), &error);
    if (!output || !qmi_message_uim_logical_channel_output_get_result(output, &error))
        qmi_failed(qmi, error, ret);
}
