/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-mbim: the card in a modem that speaks MBIM.
 *
 * Through mbim-proxy, which ModemManager uses as well, so that both have the modem at the same time; or, where the
 * operator says so, by opening the device alone. The card is the one of the modem's own subscription: MBIM's way to
 * others is by switching slots, which takes the gateway off the network.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mbim-internal.h"
#include "util.h"

#define OPEN_SEC  5u
#define CLOSE_SEC 1u

static void on_removed(MbimDevice *device, gpointer data) {
    (void)device;
    modem_gone(data);
}

static enum keystrap_card_state card_of(MbimSubscriberReadyState ready) {
    switch (ready) {
    case MBIM_SUBSCRIBER_READY_STATE_INITIALIZED:
    case MBIM_SUBSCRIBER_READY_STATE_NOT_ACTIVATED:
    case MBIM_SUBSCRIBER_READY_STATE_DEVICE_LOCKED:
        return KEYSTRAP_CARD_PRESENT;
    case MBIM_SUBSCRIBER_READY_STATE_BAD_SIM:
    case MBIM_SUBSCRIBER_READY_STATE_FAILURE:
        return KEYSTRAP_CARD_MUTE;
    case MBIM_SUBSCRIBER_READY_STATE_NOT_INITIALIZED:
    case MBIM_SUBSCRIBER_READY_STATE_SIM_NOT_INSERTED:
    case MBIM_SUBSCRIBER_READY_STATE_NO_ESIM_PROFILE:
        break;
    }
    return KEYSTRAP_CARD_ABSENT;
}

/* What is new is asked for when nothing else is under way: an indication may come in the middle of a command. */
static void on_indication(MbimDevice *device, MbimMessage *message, gpointer data) {
    MbimSubscriberReadyState ready = MBIM_SUBSCRIBER_READY_STATE_NOT_INITIALIZED;
    struct modem *modem = data;

    (void)device;
    if (mbim_message_indicate_status_get_service(message) != MBIM_SERVICE_BASIC_CONNECT ||
        mbim_message_indicate_status_get_cid(message) !=
            MBIM_CID_BASIC_CONNECT_SUBSCRIBER_READY_STATUS)
        return;
    modem->changed = true;
    /* A card that is out and in again by the time we ask is another one all the same. */
    if (!mbim_message_subscriber_ready_status_notification_parse(message, &ready, NULL, NULL, NULL,
                                                                 NULL, NULL, NULL) ||
        card_of(ready) != KEYSTRAP_CARD_PRESENT)
        modem->gone = true;
}

static void device_new(struct mbim *mbim, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = mbim->modem.thread.context};
    g_autoptr(GFile) file = g_file_new_for_path(mbim->modem.options.device);
    g_autoptr(GError) error = NULL;

    mbim_device_new(file, mbim->modem.cancellable, glib_ready, &result);
    mbim->device = mbim_device_new_finish(glib_await(&result), &error);
    if (!mbim->device) {
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "%.100s: %.100s",
                             mbim->modem.options.device, error->message);
        return;
    }
    g_signal_connect(mbim->device, MBIM_DEVICE_SIGNAL_REMOVED, G_CALLBACK(on_removed), mbim);
    g_signal_connect(mbim->device, MBIM_DEVICE_SIGNAL_INDICATE_STATUS, G_CALLBACK(on_indication),
                     mbim);
}

static void device_open(struct mbim *mbim, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = mbim->modem.thread.context};
    const bool direct = modem_is_direct(&mbim->modem.options);
    g_autoptr(GError) error = NULL;

    mbim_device_open_full(mbim->device,
                          direct ? MBIM_DEVICE_OPEN_FLAGS_NONE : MBIM_DEVICE_OPEN_FLAGS_PROXY,
                          OPEN_SEC, mbim->modem.cancellable, glib_ready, &result);
    if (mbim_device_open_full_finish(mbim->device, glib_await(&result), &error))
        return;
    modem_open_failed(&mbim->modem, error->message, ret);
}

static void take_digits(const char *text, char *ret, size_t size) {
    ret[0] = '\0';
    if (text && strlen(text) < size && text[strspn(text, "0123456789")] == '\0')
        memcpy(ret, text, strlen(text) + 1);
}

static void mbim_look(struct modem *modem, struct transport_result *ret) {
    MbimSubscriberReadyState ready = MBIM_SUBSCRIBER_READY_STATE_NOT_INITIALIZED;
    struct transport_report report = {.card = KEYSTRAP_CARD_ABSENT};
    g_autofree char *imsi = NULL, *iccid = NULL;
    _cleanup_message_ MbimMessage *answer = NULL;
    struct mbim *mbim = mbim_of(modem);

    answer = mbim_command(mbim, mbim_message_subscriber_ready_status_query_new(NULL), ret);
    if (!answer || ret->code != KEYSTRAP_RESULT_OK)
        return;
    if (!mbim_message_subscriber_ready_status_response_parse(answer, &ready, &imsi, &iccid, NULL,
                                                             NULL, NULL, NULL)) {
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                             "the modem does not tell of its card");
        return;
    }
    take_digits(imsi, mbim->imsi, sizeof(mbim->imsi));
    take_digits(iccid, mbim->iccid, sizeof(mbim->iccid));
    report.card = card_of(ready);
    snprintf(report.reader, sizeof(report.reader), "%.250s", modem->options.device);
    if (modem->options.slot > 1) {
        report.card = KEYSTRAP_CARD_READER_ABSENT;
        snprintf(report.text, sizeof(report.text),
                 "an MBIM modem gives the card in its active slot alone; Slot=0");
    }
    modem_report(modem, 1, &report);
}

static void mbim_connect(struct modem *modem, struct transport_result *ret) {
    struct mbim *mbim = mbim_of(modem);

    device_new(mbim, ret);
    if (ret->code == KEYSTRAP_RESULT_OK)
        device_open(mbim, ret);
    if (ret->code != KEYSTRAP_RESULT_OK)
        return;
    if (!(modem->options.flags & KEYSTRAP_FLAG_AKA))
        mbim_close_group(mbim);
    mbim_look(modem, ret);
    if (ret->code != KEYSTRAP_RESULT_OK)
        ret->code = KEYSTRAP_RESULT_SERVICE_ABSENT;
}

static void device_close(struct mbim *mbim) {
    _cleanup_result_ struct glib_result result = {.context = mbim->modem.thread.context};

    mbim_device_close(mbim->device, CLOSE_SEC, NULL, glib_ready, &result);
    (void)mbim_device_close_finish(mbim->device, glib_await(&result), NULL);
}

static void mbim_drop(struct modem *modem, bool gone) {
    struct transport_result ignored = {.code = KEYSTRAP_RESULT_OK};
    struct mbim *mbim = mbim_of(modem);

    if (!mbim->device)
        return;
    for (uint8_t channel = 1; !gone && channel <= UICC_CHANNEL_MAX; channel++)
        if (modem->channels[channel])
            mbim_close_channel(modem, channel, &ignored);
    g_signal_handlers_disconnect_by_data(mbim->device, mbim);
    if (mbim_device_is_open(mbim->device) && !gone)
        device_close(mbim);
    else
        (void)mbim_device_close_force(mbim->device, NULL);
    g_clear_object(&mbim->device);
}

static int mbim_start(const struct transport_options *options, int event_fd, void **ret_context) {
    static const struct modem_ops ops = {
        .proxy = "mbim-proxy",
        .default_device = "/dev/cdc-wdm0",
        .connect = mbim_connect,
        .look = mbim_look,
        .drop = mbim_drop,
        .transmit = mbim_transmit,
        .open_channel = mbim_open_channel,
        .close_channel = mbim_close_channel,
        .identity = mbim_identity,
        .authenticate = mbim_authenticate,
    };
    struct mbim *mbim;

    mbim = calloc(1, sizeof(*mbim));
    if (!mbim)
        return -ENOMEM;
    *ret_context = mbim;
    return modem_start(&mbim->modem, &ops, options, event_fd);
}

int main(void) {
    struct transport_device device = {
        .name = "mbim",
        .capabilities = KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_CHANNELS,
        .aka_capabilities = KEYSTRAP_CAPABILITY_AKA,
        .start = mbim_start,
    };

    modem_main(&device);
}
