/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The connection to a QMI modem.
 *
 * A client of a QMI service has one of a few identifiers that the modem gives away, so one is kept as long as the modem
 * is there, and given back on every way out.
 */

#include <unistd.h>

#include "qmi-internal.h"

#define OPEN_SEC  5u
#define CLOSE_SEC 1u

static void on_removed(QmiDevice *device, gpointer data) {
    struct qmi *qmi = data;

    (void)device;
    modem_gone(&qmi->modem);
}

static bool device_new(struct qmi *qmi, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    g_autoptr(GFile) file = g_file_new_for_path(qmi->modem.options.device);
    g_autoptr(GObject) source = NULL;
    g_autoptr(GError) error = NULL;

    /* The proxy opens the device, so whether it is there for us does not matter; without it, opening tells. */
    g_async_initable_new_async(QMI_TYPE_DEVICE, G_PRIORITY_DEFAULT, qmi->modem.cancellable,
                               glib_ready, &result, QMI_DEVICE_FILE, file, QMI_DEVICE_NO_FILE_CHECK,
                               TRUE, QMI_DEVICE_PROXY_PATH, QMI_PROXY_NAME, NULL);
    glib_await(&result);
    source = g_async_result_get_source_object(result.result);
    qmi->device =
        (QmiDevice *)g_async_initable_new_finish(G_ASYNC_INITABLE(source), result.result, &error);
    if (!qmi->device) {
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "%.100s: %.100s",
                             qmi->modem.options.device, error->message);
        return false;
    }
    g_signal_connect(qmi->device, QMI_DEVICE_SIGNAL_REMOVED, G_CALLBACK(on_removed), qmi);
    return true;
}

static bool device_open(struct qmi *qmi, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    const bool direct = modem_is_direct(&qmi->modem.options);
    g_autoptr(GError) error = NULL;

    qmi_device_open(qmi->device, direct ? QMI_DEVICE_OPEN_FLAGS_NONE : QMI_DEVICE_OPEN_FLAGS_PROXY,
                    OPEN_SEC, qmi->modem.cancellable, glib_ready, &result);
    if (qmi_device_open_finish(qmi->device, glib_await(&result), &error))
        return true;
    modem_open_failed(&qmi->modem, error->message, ret);
    return false;
}

static bool client_allocate(struct qmi *qmi, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    g_autoptr(GError) error = NULL;
    uint8_t cid = QMI_CID_NONE;
    QmiClient *client;

    /* One of a killed program is taken over, once: nobody else would ever give it back. */
    if (qmi->modem.options.token_length == 1)
        cid = qmi->modem.options.token[0];
    qmi->modem.options.token_length = 0;
    qmi_device_allocate_client(qmi->device, QMI_SERVICE_UIM, cid, OPEN_SEC, qmi->modem.cancellable,
                               glib_ready, &result);
    client = qmi_device_allocate_client_finish(qmi->device, glib_await(&result), &error);
    if (client) {
        qmi->client = QMI_CLIENT_UIM(client);
        return true;
    }
    transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                         "%.60s has no client identifier for us: %.100s", qmi->modem.options.device,
                         error->message);
    return false;
}

static void client_release(struct qmi *qmi, bool gone) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};

    g_signal_handlers_disconnect_by_data(qmi->client, qmi);
    qmi_device_release_client(qmi->device, QMI_CLIENT(qmi->client),
                              gone ? QMI_DEVICE_RELEASE_CLIENT_FLAGS_NONE
                                   : QMI_DEVICE_RELEASE_CLIENT_FLAGS_RELEASE_CID,
                              CLOSE_SEC, NULL, glib_ready, &result);
    (void)qmi_device_release_client_finish(qmi->device, glib_await(&result), NULL);
    g_clear_object(&qmi->client);
}

static void device_close(struct qmi *qmi) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};

    g_signal_handlers_disconnect_by_data(qmi->device, qmi);
    if (qmi_device_is_open(qmi->device)) {
        qmi_device_close_async(qmi->device, CLOSE_SEC, NULL, glib_ready, &result);
        (void)qmi_device_close_finish(qmi->device, glib_await(&result), NULL);
    }
    g_clear_object(&qmi->device);
}

void qmi_connect(struct modem *modem, struct transport_result *ret) {
    struct qmi *qmi = qmi_of(modem);

    if (device_new(qmi, ret) && device_open(qmi, ret) && client_allocate(qmi, ret))
        qmi_card_watch(qmi, ret);
}

void qmi_drop(struct modem *modem, bool gone) {
    struct transport_result ignored = {.code = KEYSTRAP_RESULT_OK};
    struct qmi *qmi = qmi_of(modem);

    for (uint8_t channel = 1; qmi->client && !gone && channel <= UICC_CHANNEL_MAX; channel++)
        if (modem->channels[channel])
            qmi_close_channel(modem, channel, &ignored);
    if (qmi->client)
        client_release(qmi, gone);
    if (qmi->device)
        device_close(qmi);
    qmi->slot_count = 0;
}
