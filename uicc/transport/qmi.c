/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-qmi: the card in a Qualcomm modem.
 *
 * Through qmi-proxy, which ModemManager uses as well, so that both have the modem at the same time; or, where the
 * operator says so, by opening the device alone. QMI has no transactions: others get at the card between our commands.
 * What keystrapd counts on is kept all the same: when anything that it set up on the card may be gone, BEGIN says
 * CARD_RESET.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include "qmi-internal.h"
#include "util.h"

#define DEFAULT_DEVICE "/dev/cdc-wdm0"
#define PATIENCE_MARGIN \
    (USEC_PER_SEC / 2) /* for our answer to be there before keystrapd's patience ends */
#define PATIENCE_MAX (30 * USEC_PER_SEC)

/* A request of the main thread, done in the GLib thread. */
struct job {
    struct qmi *qmi;
    enum keystrap_plugin_type type;
    uint8_t channel;
    uint8_t p2;
    const uint8_t *aid;
    size_t aid_length;
    const uint8_t *data;
    size_t length;
    uint8_t *ret_channel;
    uint8_t *ret_response;
    size_t *ret_length;
    struct transport_card *ret_card;
    struct transport_result *ret;
};

static void do_begin(struct qmi *qmi, struct transport_result *ret) {
    if (qmi->reset_due)
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_RESET,
                             "the card was reset or is another one");
    qmi->reset_due = false;
}

static void do_close_channel(const struct job *job) {
    if (job->aid_length > 0)
        qmi_channel_close_left(job->qmi, job->channel, job->aid, job->aid_length, job->ret);
    else if (job->qmi->channels[job->channel])
        qmi_channel_close(job->qmi, job->channel, job->ret);
}

static void do_job(void *argument) {
    const struct job *job = argument;
    struct qmi *qmi = job->qmi;

    if (!qmi->client || qmi->lost || qmi->slot == 0)
        transport_result_set(job->ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "the modem is gone");
    else if (job->type == KEYSTRAP_PLUGIN_BEGIN)
        do_begin(qmi, job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_APDU)
        qmi_transmit(qmi, job->channel, job->data, job->length, job->ret_response, job->ret_length,
                     job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_OPEN_CHANNEL)
        qmi_channel_open(qmi, job->aid, job->aid_length, job->ret_channel, job->ret_response,
                         job->ret_length, job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_CLOSE_CHANNEL)
        do_close_channel(job);
    else if (job->type == KEYSTRAP_PLUGIN_IDENTITY)
        qmi_identity(qmi, job->ret_card, job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_AUTHENTICATE)
        qmi_authenticate(qmi, job->aid, job->aid_length, job->p2, job->data, job->length,
                         job->ret_response, job->ret_length, job->ret);
    else if (!qmi_card_next(qmi))
        transport_result_set(job->ret, KEYSTRAP_RESULT_CARD_ABSENT, "no other slot has a card");
}

/* Whether there is a card to work with; what is there instead otherwise. */
static bool card_there(struct qmi *qmi, struct transport_result *ret) {
    struct transport_report report = {.card = KEYSTRAP_CARD_SERVICE_ABSENT};

    (void)glib_thread_get_report(&qmi->thread, &report);
    switch (report.card) {
    case KEYSTRAP_CARD_PRESENT:
        return true;
    case KEYSTRAP_CARD_SERVICE_ABSENT:
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "%.200s",
                             report.text[0] ? report.text : "the modem has not answered yet");
        return false;
    case KEYSTRAP_CARD_READER_ABSENT:
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_ABSENT, "%.200s", report.text);
        return false;
    case KEYSTRAP_CARD_MUTE:
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the card does not answer to reset");
        return false;
    case KEYSTRAP_CARD_ABSENT:
        break;
    }
    transport_result_set(ret, KEYSTRAP_RESULT_CARD_ABSENT, "there is no card in the modem");
    return false;
}

static void run(struct job *job) {
    if (card_there(job->qmi, job->ret))
        glib_thread_call(&job->qmi->thread, do_job, job);
}

static void qmi_begin(void *context, struct transport_result *ret) {
    run(&(struct job){.qmi = context, .type = KEYSTRAP_PLUGIN_BEGIN, .ret = ret});
}

static void qmi_end(void *context, struct transport_result *ret) {
    (void)context;
    (void)ret;
}

static void qmi_apdu(void *context, uint8_t channel, const uint8_t *command, size_t command_length,
                     uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                     struct transport_result *ret) {
    run(&(struct job){.qmi = context,
                      .type = KEYSTRAP_PLUGIN_APDU,
                      .channel = channel,
                      .data = command,
                      .length = command_length,
                      .ret_response = ret_response,
                      .ret_length = ret_length,
                      .ret = ret});
}

static void qmi_open(void *context, const uint8_t *aid, size_t aid_length, uint8_t *ret_channel,
                     uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                     struct transport_result *ret) {
    run(&(struct job){.qmi = context,
                      .type = KEYSTRAP_PLUGIN_OPEN_CHANNEL,
                      .aid = aid,
                      .aid_length = aid_length,
                      .ret_channel = ret_channel,
                      .ret_response = ret_response,
                      .ret_length = ret_length,
                      .ret = ret});
}

static void qmi_close(void *context, uint8_t channel, const uint8_t *aid, size_t aid_length,
                      struct transport_result *ret) {
    run(&(struct job){.qmi = context,
                      .type = KEYSTRAP_PLUGIN_CLOSE_CHANNEL,
                      .channel = channel,
                      .aid = aid,
                      .aid_length = aid_length,
                      .ret = ret});
}

static void qmi_tell_identity(void *context, struct transport_card *ret_card,
                              struct transport_result *ret) {
    run(&(struct job){
        .qmi = context, .type = KEYSTRAP_PLUGIN_IDENTITY, .ret_card = ret_card, .ret = ret});
}

static void qmi_run_aka(void *context, const uint8_t *aid, size_t aid_length, uint8_t p2,
                        const uint8_t *data, size_t data_length,
                        uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                        struct transport_result *ret) {
    run(&(struct job){.qmi = context,
                      .type = KEYSTRAP_PLUGIN_AUTHENTICATE,
                      .p2 = p2,
                      .aid = aid,
                      .aid_length = aid_length,
                      .data = data,
                      .length = data_length,
                      .ret_response = ret_response,
                      .ret_length = ret_length,
                      .ret = ret});
}

static void qmi_next(void *context, struct transport_result *ret) {
    run(&(struct job){.qmi = context, .type = KEYSTRAP_PLUGIN_NEXT, .ret = ret});
}

/* A reset would take the modem's own subscription off the network. */
static void qmi_reset(void *context, struct transport_result *ret) {
    (void)context;
    transport_result_set(ret, KEYSTRAP_RESULT_UNSUPPORTED, "the card is the modem's to reset");
}

static bool qmi_report(void *context, struct transport_report *ret) {
    struct qmi *qmi = context;

    return glib_thread_get_report(&qmi->thread, ret);
}

static int qmi_start(const struct transport_options *options, int event_fd, void **ret_context) {
    struct qmi *qmi;
    int r;

    qmi = calloc(1, sizeof(*qmi));
    if (!qmi)
        return -ENOMEM;
    qmi->options = *options;
    if (!qmi->options.device[0])
        snprintf(qmi->options.device, sizeof(qmi->options.device), "%s", DEFAULT_DEVICE);
    qmi->command_usec = PATIENCE_MAX;
    if (options->timeout_usec < PATIENCE_MAX)
        qmi->command_usec = options->timeout_usec - PATIENCE_MARGIN;
    if (options->timeout_usec < USEC_PER_SEC + PATIENCE_MARGIN)
        qmi->command_usec = USEC_PER_SEC; /* libqmi counts in seconds */
    qmi->cancellable = g_cancellable_new();
    *ret_context = qmi;
    r = glib_thread_start(&qmi->thread, event_fd, qmi_connection_body, qmi);
    if (r < 0)
        free(qmi);
    return r;
}

static gboolean cancel(gpointer data) {
    struct qmi *qmi = data;

    g_cancellable_cancel(qmi->cancellable);
    return G_SOURCE_REMOVE;
}

static void do_leave(void *argument) {
    struct qmi *qmi = argument;

    g_clear_object(&qmi->cancellable);
    qmi_connection_drop(qmi, qmi->lost);
}

/* An attempt to connect that is under way ends first; the thread finds nothing to do after that. */
static void qmi_stop(void *context) {
    struct qmi *qmi = context;

    g_main_context_invoke(qmi->thread.context, cancel, qmi);
    glib_thread_call(&qmi->thread, do_leave, qmi);
}

static bool opens_devices(const struct transport_options *options) {
    return options->flags & KEYSTRAP_FLAG_DIRECT;
}

int main(void) {
    static const struct transport_device device = {
        .name = "qmi",
        .capabilities =
            KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_CHANNELS | KEYSTRAP_CAPABILITY_SEVERAL,
        .aka_capabilities = KEYSTRAP_CAPABILITY_AKA | KEYSTRAP_CAPABILITY_SEVERAL,
        .opens_devices = opens_devices,
        .start = qmi_start,
        .report = qmi_report,
        .begin = qmi_begin,
        .end = qmi_end,
        .transmit = qmi_apdu,
        .reset = qmi_reset,
        .open_channel = qmi_open,
        .close_channel = qmi_close,
        .identity = qmi_tell_identity,
        .authenticate = qmi_run_aka,
        .next = qmi_next,
        .stop = qmi_stop,
    };

    /*
     * Every wait here ends by itself, so when keystrapd is killed there is time to give everything back: the closed
     * socket ends this program.
     */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* GIO looks for modules in places that the sandbox knows nothing of, and none is needed. */
    (void)setenv("GIO_MODULE_DIR", "/nonexistent", 1);
    (void)setenv("GIO_USE_VFS", "local", 1);
    _exit(transport_main(&device));
}
