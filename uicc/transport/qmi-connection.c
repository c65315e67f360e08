/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The connection to a modem, gone and back.
 *
 * A client of a QMI service has one of a few identifiers that the modem gives away, so one is kept as long as the modem
 * is there, and given back on every way out. When the modem or the proxy goes, all that is forgotten, and tried anew,
 * slower each time, until they are back.
 */

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qmi-internal.h"
#include "util.h"

#define PROXY          "qmi-proxy" /* abstract; libqmi's QMI_PROXY_SOCKET_PATH */
#define RETRY_MIN_USEC (250 * USEC_PER_MSEC)
#define RETRY_MAX_USEC (2 * USEC_PER_SEC)
#define OPEN_SEC       5u
#define CLOSE_SEC      1u

/*
 * Whether a proxy listens: libqmi would start one where none does, which is not for this program to do, and it may not.
 */
static bool proxy_listens(struct transport_result *ret) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0" PROXY};
    const socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + sizeof(PROXY) - 1;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, length) == 0)
        return true;
    if (errno == ECONNREFUSED)
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                             "qmi-proxy does not run; start ModemManager or qmi-proxy, or open the "
                             "device alone with Proxy=no");
    else
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "qmi-proxy cannot be reached: %s",
                             strerrordesc_np(errno));
    return false;
}

static void on_removed(QmiDevice *device, gpointer data) {
    struct qmi *qmi = data;

    (void)device;
    qmi->lost = true;
}

static bool device_new(struct qmi *qmi, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->thread.context};
    g_autoptr(GFile) file = g_file_new_for_path(qmi->options.device);
    g_autoptr(GObject) source = NULL;
    g_autoptr(GError) error = NULL;

    /* The proxy opens the device, so whether it is there for us does not matter; without it, opening tells. */
    g_async_initable_new_async(QMI_TYPE_DEVICE, G_PRIORITY_DEFAULT, qmi->cancellable, glib_ready,
                               &result, QMI_DEVICE_FILE, file, QMI_DEVICE_NO_FILE_CHECK, TRUE,
                               QMI_DEVICE_PROXY_PATH, PROXY, NULL);
    glib_await(&result);
    source = g_async_result_get_source_object(result.result);
    qmi->device =
        (QmiDevice *)g_async_initable_new_finish(G_ASYNC_INITABLE(source), result.result, &error);
    if (!qmi->device) {
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "%.100s: %.100s",
                             qmi->options.device, error->message);
        return false;
    }
    g_signal_connect(qmi->device, QMI_DEVICE_SIGNAL_REMOVED, G_CALLBACK(on_removed), qmi);
    return true;
}

static bool device_open(struct qmi *qmi, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->thread.context};
    const bool direct = qmi->options.flags & KEYSTRAP_FLAG_DIRECT;
    g_autoptr(GError) error = NULL;

    qmi_device_open(qmi->device, direct ? QMI_DEVICE_OPEN_FLAGS_NONE : QMI_DEVICE_OPEN_FLAGS_PROXY,
                    OPEN_SEC, qmi->cancellable, glib_ready, &result);
    if (qmi_device_open_finish(qmi->device, glib_await(&result), &error))
        return true;
    if (direct)
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "cannot open %.100s: %.100s",
                             qmi->options.device, error->message);
    else
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                             "qmi-proxy does not open %.60s for user %u: %.60s; there may be no "
                             "modem, or qmi-proxy serves other users, see keystrapd(8)",
                             qmi->options.device, (unsigned)getuid(), error->message);
    return false;
}

static bool client_allocate(struct qmi *qmi, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->thread.context};
    g_autoptr(GError) error = NULL;
    uint8_t cid = QMI_CID_NONE;
    QmiClient *client;

    /* One of a killed program is taken over, once: nobody else would ever give it back. */
    if (qmi->options.token_length == 1)
        cid = qmi->options.token[0];
    qmi->options.token_length = 0;
    qmi_device_allocate_client(qmi->device, QMI_SERVICE_UIM, cid, OPEN_SEC, qmi->cancellable,
                               glib_ready, &result);
    client = qmi_device_allocate_client_finish(qmi->device, glib_await(&result), &error);
    if (client) {
        qmi->client = QMI_CLIENT_UIM(client);
        return true;
    }
    transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                         "%.60s has no client identifier for us: %.100s", qmi->options.device,
                         error->message);
    return false;
}

static void client_release(struct qmi *qmi, bool gone) {
    _cleanup_result_ struct glib_result result = {.context = qmi->thread.context};

    g_signal_handlers_disconnect_by_data(qmi->client, qmi);
    qmi_device_release_client(qmi->device, QMI_CLIENT(qmi->client),
                              gone ? QMI_DEVICE_RELEASE_CLIENT_FLAGS_NONE
                                   : QMI_DEVICE_RELEASE_CLIENT_FLAGS_RELEASE_CID,
                              CLOSE_SEC, NULL, glib_ready, &result);
    (void)qmi_device_release_client_finish(qmi->device, glib_await(&result), NULL);
    g_clear_object(&qmi->client);
}

static void device_close(struct qmi *qmi) {
    _cleanup_result_ struct glib_result result = {.context = qmi->thread.context};

    g_signal_handlers_disconnect_by_data(qmi->device, qmi);
    if (qmi_device_is_open(qmi->device)) {
        qmi_device_close_async(qmi->device, CLOSE_SEC, NULL, glib_ready, &result);
        (void)qmi_device_close_finish(qmi->device, glib_await(&result), NULL);
    }
    g_clear_object(&qmi->device);
}

void qmi_connection_drop(struct qmi *qmi, bool gone) {
    struct transport_result ignored = {.code = KEYSTRAP_RESULT_OK};

    for (uint8_t channel = 1; qmi->client && !gone && channel <= UICC_CHANNEL_MAX; channel++)
        if (qmi->channels[channel])
            qmi_channel_close(qmi, channel, &ignored);
    memset(qmi->channels, 0, sizeof(qmi->channels));
    if (qmi->client)
        client_release(qmi, gone);
    if (qmi->device)
        device_close(qmi);
    qmi->slot_count = 0;
    qmi->slot = 0;
    qmi->lost = qmi->changed = false;
}

static void report_absent(struct qmi *qmi, const struct transport_result *result) {
    struct transport_report report = {.card = KEYSTRAP_CARD_SERVICE_ABSENT};

    snprintf(report.text, sizeof(report.text), "%s", result->text);
    glib_thread_report(&qmi->thread, &report);
}

static bool connect_modem(struct qmi *qmi) {
    const bool direct = qmi->options.flags & KEYSTRAP_FLAG_DIRECT;
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};

    if ((direct || proxy_listens(&result)) && device_new(qmi, &result) &&
        device_open(qmi, &result) && client_allocate(qmi, &result))
        qmi_card_watch(qmi, &result);
    if (result.code == KEYSTRAP_RESULT_OK && !qmi->lost) {
        qmi_card_report(qmi);
        return true;
    }
    qmi_connection_drop(qmi, qmi->lost);
    report_absent(qmi, &result);
    return false;
}

/* After an indication, or an answer that did not come: what is there now? */
static void look_again(struct qmi *qmi) {
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};

    qmi->changed = false;
    qmi_card_refresh(qmi, &result);
    if (result.code == KEYSTRAP_RESULT_OK)
        qmi_card_report(qmi);
    else
        qmi->lost = true;
}

static void lose(struct qmi *qmi) {
    const struct transport_result gone = {.text = "the modem or qmi-proxy went away"};

    report_absent(qmi, &gone);
    qmi_connection_drop(qmi, true);
}

void qmi_connection_body(void *data) {
    uint64_t retry = RETRY_MIN_USEC, next = 0;
    struct qmi *qmi = data;

    for (;;) {
        if (qmi->lost)
            lose(qmi);
        else if (qmi->device && qmi->changed)
            look_again(qmi);
        else if (!qmi->device && now_usec() >= next) {
            retry = connect_modem(qmi) ? RETRY_MIN_USEC : retry * 2;
            if (retry > RETRY_MAX_USEC)
                retry = RETRY_MAX_USEC;
            next = deadline_after(retry);
        } else {
            glib_thread_wait(&qmi->thread, qmi->device ? USEC_INFINITY : next);
        }
    }
}
