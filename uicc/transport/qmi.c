/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-qmi: the card in a Qualcomm modem.
 *
 * Through qmi-proxy, which ModemManager uses as well, so that both have the modem at the same time; or, where the
 * operator says so, by opening the device alone.
 */

#include <errno.h>
#include <stdlib.h>

#include "qmi-internal.h"

static int qmi_start(const struct transport_options *options, int event_fd, void **ret_context) {
    static const struct modem_ops ops = {
        .proxy = QMI_PROXY_NAME,
        .default_device = "/dev/cdc-wdm0",
        .connect = qmi_connect,
        .look = qmi_look,
        .drop = qmi_drop,
        .transmit = qmi_transmit,
        .open_channel = qmi_open_channel,
        .close_channel = qmi_close_channel,
        .identity = qmi_identity,
        .authenticate = qmi_authenticate,
        .next = qmi_next,
    };
    struct qmi *qmi;

    qmi = calloc(1, sizeof(*qmi));
    if (!qmi)
        return -ENOMEM;
    *ret_context = qmi;
    return modem_start(&qmi->modem, &ops, options, event_fd);
}

int main(void) {
    struct transport_device device = {
        .name = "qmi",
        .capabilities =
            KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_CHANNELS | KEYSTRAP_CAPABILITY_SEVERAL,
        .aka_capabilities = KEYSTRAP_CAPABILITY_AKA | KEYSTRAP_CAPABILITY_SEVERAL,
        .start = qmi_start,
    };

    modem_main(&device);
}
