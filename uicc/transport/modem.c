/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A modem that is gone and comes back, and the requests of keystrapd to it.
 *
 * Requests come from the main thread and are done in the GLib thread. While there is no card to work with, they are
 * answered at once, whatever the GLib thread waits for. When the modem or its proxy goes, all is forgotten, and tried
 * anew, slower each time, until they are back.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "modem.h"
#include "util.h"

#define RETRY_MIN_USEC (250 * USEC_PER_MSEC)
#define RETRY_MAX_USEC (2 * USEC_PER_SEC)
#define PATIENCE_MARGIN \
    (USEC_PER_SEC / 2) /* for our answer to be there before keystrapd's patience ends */
#define PATIENCE_MAX (30 * USEC_PER_SEC)

bool modem_is_direct(const struct transport_options *options) {
    return options->flags & KEYSTRAP_FLAG_DIRECT;
}

unsigned modem_timeout_sec(const struct modem *modem) {
    return (unsigned)(modem->command_usec / USEC_PER_SEC);
}

void modem_open_failed(const struct modem *modem, const char *why, struct transport_result *ret) {
    const char *proxy = modem->ops->proxy;

    if (modem_is_direct(&modem->options))
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "cannot open %.100s: %.100s",
                             modem->options.device, why);
    else
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                             "%s does not open %.60s for user %u: %.60s; there may be no modem, or "
                             "%s serves other users, see keystrapd(8)",
                             proxy, modem->options.device, (unsigned)getuid(), why, proxy);
}

/* --- The GLib thread: gone and back ------------------------------------------------------------------- */

void modem_gone(struct modem *modem) {
    modem->lost = true;
    g_cancellable_cancel(modem->cancellable);
}

void modem_card_changed(struct modem *modem) {
    modem->insertions++;
    modem->reset_due = true;
    modem->changed = true;
}

void modem_report(struct modem *modem, uint8_t slot, struct transport_report *report) {
    struct transport_report before = {0};

    (void)glib_thread_get_report(&modem->thread, &before);
    if (report->card == KEYSTRAP_CARD_PRESENT &&
        (before.card != KEYSTRAP_CARD_PRESENT || slot != modem->slot || modem->gone)) {
        modem->insertions++;
        modem->reset_due = modem->seen_card;
        modem->seen_card = true;
        memset(modem->channels, 0, sizeof(modem->channels));
    }
    modem->gone = false;
    modem->slot = slot;
    report->insertions = modem->insertions;
    glib_thread_report(&modem->thread, report);
}

static void report_absent(struct modem *modem, const char *text) {
    struct transport_report report = {.card = KEYSTRAP_CARD_SERVICE_ABSENT};

    snprintf(report.text, sizeof(report.text), "%s", text);
    glib_thread_report(&modem->thread, &report);
}

/*
 * Whether the proxy listens: the library would start one where none does, which is not for this program to do, and it
 * may not.
 */
static bool proxy_listens(const char *name, struct transport_result *ret) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path + 1, name, length);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) == 0)
        return true;
    if (errno == ECONNREFUSED)
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                             "%s does not run; start ModemManager or %s, or open the device alone "
                             "with Proxy=no",
                             name, name);
    else
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "%s cannot be reached: %s", name,
                             strerrordesc_np(errno));
    return false;
}

static void drop(struct modem *modem, bool gone) {
    modem->ops->drop(modem, gone);
    if (modem->cancellable && !modem->leaving)
        g_cancellable_reset(modem->cancellable);
    memset(modem->channels, 0, sizeof(modem->channels));
    modem->connected = modem->lost = modem->changed = false;
    modem->slot = 0;
}

static bool connect_modem(struct modem *modem) {
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};

    if (modem_is_direct(&modem->options) || proxy_listens(modem->ops->proxy, &result))
        modem->ops->connect(modem, &result);
    if (result.code == KEYSTRAP_RESULT_OK && !modem->lost) {
        modem->connected = true;
        return true;
    }
    drop(modem, modem->lost);
    report_absent(modem, result.text);
    return false;
}

/* After an indication, or an answer that did not come: what is there now? */
static void look_again(struct modem *modem) {
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};

    modem->changed = false;
    modem->ops->look(modem, &result);
    if (result.code != KEYSTRAP_RESULT_OK)
        modem->lost = true;
}

static void lose(struct modem *modem) {
    char text[PLUGIN_TEXT_MAX];

    snprintf(text, sizeof(text), "the modem or %s went away", modem->ops->proxy);
    report_absent(modem, text);
    drop(modem, true);
}

static void modem_body(void *data) {
    uint64_t retry = RETRY_MIN_USEC, next = 0;
    struct modem *modem = data;

    for (;;) {
        if (modem->leaving)
            glib_thread_wait(&modem->thread, USEC_INFINITY);
        else if (modem->lost)
            lose(modem);
        else if (modem->connected && modem->changed)
            look_again(modem);
        else if (!modem->connected && now_usec() >= next) {
            retry = connect_modem(modem) ? RETRY_MIN_USEC : retry * 2;
            if (retry > RETRY_MAX_USEC)
                retry = RETRY_MAX_USEC;
            next = deadline_after(retry);
        } else {
            glib_thread_wait(&modem->thread, modem->connected ? USEC_INFINITY : next);
        }
    }
}

/* --- Requests ------------------------------------------------------------------------------------------- */

/* A request of the main thread, to be done in the GLib thread. */
struct job {
    struct modem *modem;
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

static void do_begin(struct modem *modem, struct transport_result *ret) {
    if (modem->reset_due)
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_RESET,
                             "the card was reset or is another one");
    modem->reset_due = false;
}

/* STATUS (TS 102 221 11.1.2) answers with the AID of the application that is selected, as a TLV with tag 84. */
static bool application_is_selected(const struct job *job) {
    const uint8_t channel = job->channel;
    const uint8_t cla = channel < 4 ? (uint8_t)(0x80 | channel) : (uint8_t)(0xc0 | (channel - 4));
    const uint8_t command[] = {cla, 0xf2, 0x00, 0x01, 0x00};
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length = 0;

    job->modem->ops->transmit(job->modem, channel, command, sizeof(command), response, &length,
                              &result);
    if (result.code != KEYSTRAP_RESULT_OK || length < 4 || response[length - 2] != 0x90 ||
        response[0] != 0x84 || response[1] > length - 4 || response[1] < job->aid_length)
        return false;
    return memcmp(response + 2, job->aid, job->aid_length) == 0;
}

/*
 * Which of the open channels is whose a modem does not tell. So this program closes what it opened, and of a killed
 * predecessor only what keystrapd names, and only where the application that keystrapd names is selected there; any
 * other open channel may be the modem's own.
 */
static void do_close_channel(const struct job *job) {
    struct modem *modem = job->modem;
    bool *ours = &modem->channels[job->channel];

    if (job->aid_length > 0 ? *ours || !application_is_selected(job) : !*ours)
        return;
    *ours = false;
    modem->ops->close_channel(modem, job->channel, job->ret);
}

static void do_next(const struct job *job) {
    if (!job->modem->ops->next || !job->modem->ops->next(job->modem))
        transport_result_set(job->ret, KEYSTRAP_RESULT_CARD_ABSENT, "no other slot has a card");
}

static void do_job(void *argument) {
    const struct job *job = argument;
    struct modem *modem = job->modem;
    const struct modem_ops *ops = modem->ops;

    if (!modem->connected || modem->lost || modem->slot == 0)
        transport_result_set(job->ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "the modem is gone");
    else if (job->type == KEYSTRAP_PLUGIN_BEGIN)
        do_begin(modem, job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_APDU)
        ops->transmit(modem, job->channel, job->data, job->length, job->ret_response,
                      job->ret_length, job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_OPEN_CHANNEL)
        ops->open_channel(modem, job->aid, job->aid_length, job->ret_channel, job->ret_response,
                          job->ret_length, job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_CLOSE_CHANNEL)
        do_close_channel(job);
    else if (job->type == KEYSTRAP_PLUGIN_IDENTITY)
        ops->identity(modem, job->ret_card, job->ret);
    else if (job->type == KEYSTRAP_PLUGIN_AUTHENTICATE)
        ops->authenticate(modem, job->aid, job->aid_length, job->p2, job->data, job->length,
                          job->ret_response, job->ret_length, job->ret);
    else
        do_next(job);
    if (job->type == KEYSTRAP_PLUGIN_OPEN_CHANNEL && job->ret->code == KEYSTRAP_RESULT_OK)
        modem->channels[*job->ret_channel] = true;
}

/* Whether there is a card to work with; what is there instead otherwise. */
static bool card_there(struct modem *modem, struct transport_result *ret) {
    struct transport_report report = {.card = KEYSTRAP_CARD_SERVICE_ABSENT};

    (void)glib_thread_get_report(&modem->thread, &report);
    switch (report.card) {
    case KEYSTRAP_CARD_PRESENT:
        return true;
    case KEYSTRAP_CARD_SERVICE_ABSENT:
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "%.250s",
                             report.text[0] ? report.text : "the modem has not answered yet");
        return false;
    case KEYSTRAP_CARD_READER_ABSENT:
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_ABSENT, "%.250s", report.text);
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

static void run(struct job job) {
    if (card_there(job.modem, job.ret))
        glib_thread_call(&job.modem->thread, do_job, &job);
}

static void modem_begin(void *context, struct transport_result *ret) {
    run((struct job){.modem = context, .type = KEYSTRAP_PLUGIN_BEGIN, .ret = ret});
}

static void modem_end(void *context, struct transport_result *ret) {
    (void)context;
    (void)ret;
}

static void modem_transmit(void *context, uint8_t channel, const uint8_t *command,
                           size_t command_length, uint8_t ret_response[APDU_RESPONSE_MAX],
                           size_t *ret_length, struct transport_result *ret) {
    run((struct job){.modem = context,
                     .type = KEYSTRAP_PLUGIN_APDU,
                     .channel = channel,
                     .data = command,
                     .length = command_length,
                     .ret_response = ret_response,
                     .ret_length = ret_length,
                     .ret = ret});
}

static void modem_open_channel(void *context, const uint8_t *aid, size_t aid_length,
                               uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                               size_t *ret_length, struct transport_result *ret) {
    run((struct job){.modem = context,
                     .type = KEYSTRAP_PLUGIN_OPEN_CHANNEL,
                     .aid = aid,
                     .aid_length = aid_length,
                     .ret_channel = ret_channel,
                     .ret_response = ret_response,
                     .ret_length = ret_length,
                     .ret = ret});
}

static void modem_close_channel(void *context, uint8_t channel, const uint8_t *aid,
                                size_t aid_length, struct transport_result *ret) {
    run((struct job){.modem = context,
                     .type = KEYSTRAP_PLUGIN_CLOSE_CHANNEL,
                     .channel = channel,
                     .aid = aid,
                     .aid_length = aid_length,
                     .ret = ret});
}

static void modem_identity(void *context, struct transport_card *ret_card,
                           struct transport_result *ret) {
    run((struct job){
        .modem = context, .type = KEYSTRAP_PLUGIN_IDENTITY, .ret_card = ret_card, .ret = ret});
}

static void modem_authenticate(void *context, const uint8_t *aid, size_t aid_length, uint8_t p2,
                               const uint8_t *data, size_t data_length,
                               uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                               struct transport_result *ret) {
    run((struct job){.modem = context,
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

static void modem_next(void *context, struct transport_result *ret) {
    run((struct job){.modem = context, .type = KEYSTRAP_PLUGIN_NEXT, .ret = ret});
}

/* A reset would take the modem's own subscription off the network. */
static void modem_reset(void *context, struct transport_result *ret) {
    (void)context;
    transport_result_set(ret, KEYSTRAP_RESULT_UNSUPPORTED, "the card is the modem's to reset");
}

static bool modem_get_report(void *context, struct transport_report *ret) {
    struct modem *modem = context;

    return glib_thread_get_report(&modem->thread, ret);
}

/* --- Beginning and end -------------------------------------------------------------------------------- */

int modem_start(struct modem *modem, const struct modem_ops *ops,
                const struct transport_options *options, int event_fd) {
    modem->ops = ops;
    modem->options = *options;
    if (!modem->options.device[0])
        snprintf(modem->options.device, sizeof(modem->options.device), "%s", ops->default_device);
    modem->command_usec = PATIENCE_MAX;
    if (options->timeout_usec < PATIENCE_MAX)
        modem->command_usec = options->timeout_usec - PATIENCE_MARGIN;
    if (options->timeout_usec < USEC_PER_SEC + PATIENCE_MARGIN)
        modem->command_usec = USEC_PER_SEC; /* the libraries count in seconds */
    modem->cancellable = g_cancellable_new();
    return glib_thread_start(&modem->thread, event_fd, modem_body, modem);
}

static gboolean cancel(gpointer data) {
    struct modem *modem = data;

    modem->leaving = true;
    g_cancellable_cancel(modem->cancellable);
    return G_SOURCE_REMOVE;
}

static void do_leave(void *argument) {
    struct modem *modem = argument;

    g_clear_object(&modem->cancellable); /* what is given back now shall not be cancelled */
    drop(modem, modem->lost);
}

/* An attempt to connect that is under way ends first; the process ends right after. */
static void modem_stop(void *context) {
    struct modem *modem = context;

    g_main_context_invoke(modem->thread.context, cancel, modem);
    glib_thread_call(&modem->thread, do_leave, modem);
}

void modem_main(struct transport_device *device) {
    device->opens_devices = modem_is_direct;
    device->report = modem_get_report;
    device->begin = modem_begin;
    device->end = modem_end;
    device->transmit = modem_transmit;
    device->reset = modem_reset;
    device->open_channel = modem_open_channel;
    device->close_channel = modem_close_channel;
    device->identity = modem_identity;
    device->authenticate = modem_authenticate;
    device->stop = modem_stop;
    if (device->capabilities & KEYSTRAP_CAPABILITY_SEVERAL)
        device->next = modem_next;
    /*
     * Every wait here ends by itself, so when keystrapd is killed there is time to give everything back: the closed
     * socket ends this program.
     */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* GIO looks for modules in places that the sandbox knows nothing of, and none is needed. */
    (void)setenv("GIO_MODULE_DIR", "/nonexistent", 1);
    (void)setenv("GIO_USE_VFS", "local", 1);
    _exit(transport_main(device));
}
