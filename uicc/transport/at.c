/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-at: the card in a modem with a serial port for AT commands (TS 27.007).
 *
 * Channels are sessions of +CCHO, +CGLA and +CCHC where the modem has them, and MANAGE CHANNEL through +CSIM where it
 * has not. A thread keeps the port open, asks now and then whether the card is there, and comes back when the modem
 * does; the main thread has the port for its commands whenever it wants.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "at-port.h"
#include "secret.h"
#include "transport-main.h"
#include "util.h"

#define RETRY_USEC     (1 * USEC_PER_SEC)
#define LOOK_USEC      (5 * USEC_PER_SEC)
#define LOOK_WAIT_USEC (2 * USEC_PER_SEC)
#define PATIENCE_MARGIN \
    (USEC_PER_SEC / 2) /* for our answer to be there before keystrapd's patience ends */
#define PATIENCE_MAX (30 * USEC_PER_SEC)
#define COMMAND_SIZE (2 * APDU_COMMAND_MAX + 32)
#define NO_SESSION   -1
#define CSIM_SESSION -2 /* the channel was opened by MANAGE CHANNEL */

struct at {
    char device[PLUGIN_TEXT_MAX];
    uint64_t command_usec;
    int event_fd;
    pthread_mutex_t told_lock; /* guards known and told, and is held for an instant */
    bool known;
    struct transport_report told; /* the report as it was last */
    pthread_mutex_t lock; /* guards what follows: whoever has it has the port, for seconds maybe */
    struct at_port port;
    struct transport_report report;
    bool reset_due; /* tell CARD_RESET with the next BEGIN */
    bool seen_card;
    bool without_ccho;                  /* the modem does not know +CCHO */
    int sessions[UICC_CHANNEL_MAX + 1]; /* the modem's number for each channel of ours */
};

/* --- State ---------------------------------------------------------------------------------------------- */

static void forget_sessions(struct at *at) {
    for (size_t i = 0; i < ELEMENTS(at->sessions); i++)
        at->sessions[i] = NO_SESSION;
}

static void report(struct at *at, enum keystrap_card_state card, const char *text) {
    const uint64_t one = 1;

    if (card == KEYSTRAP_CARD_PRESENT && at->report.card != KEYSTRAP_CARD_PRESENT) {
        at->report.insertions++;
        at->reset_due = at->seen_card;
        at->seen_card = true;
        forget_sessions(at);
    }
    at->report.card = card;
    snprintf(at->report.reader, sizeof(at->report.reader), "%s",
             card == KEYSTRAP_CARD_SERVICE_ABSENT ? "" : at->device);
    snprintf(at->report.text, sizeof(at->report.text), "%s", text);
    pthread_mutex_lock(&at->told_lock);
    at->told = at->report;
    at->known = true;
    pthread_mutex_unlock(&at->told_lock);
    (void)!write(at->event_fd, &one, sizeof(one));
}

/* What was reported last; false where nothing was yet. */
static bool at_report(void *context, struct transport_report *ret) {
    struct at *at = context;
    bool known;

    pthread_mutex_lock(&at->told_lock);
    known = at->known;
    *ret = at->told;
    pthread_mutex_unlock(&at->told_lock);
    return known;
}

static void lose_port(struct at *at, const char *text) {
    at_port_close(&at->port);
    report(at, KEYSTRAP_CARD_SERVICE_ABSENT, text);
}

/* An answer that did not come may yet: wait for it to pass, or give the port up. */
static void after_silence(struct at *at, const struct at_answer *answer) {
    if (answer->gone)
        lose_port(at, "the modem went away");
    else if (answer->final == AT_FINAL_NONE && !at_port_synchronise(&at->port))
        lose_port(at, "the modem does not answer");
}

/* +CPIN? says more than whether a PIN is wanted: whether there is a card at all (TS 27.007 8.3, 9.2). */
static void look(struct at *at) {
    struct at_answer answer;

    at_port_command(&at->port, "AT+CPIN?", "+CPIN", false, deadline_after(LOOK_WAIT_USEC), &answer);
    after_silence(at, &answer);
    if (at->port.fd < 0)
        return;
    if (answer.final == AT_FINAL_OK && answer.has_value && strncmp(answer.value, "NOT ", 4) != 0)
        report(at, KEYSTRAP_CARD_PRESENT, "");
    else if (answer.final == AT_FINAL_CME && answer.code == 13)
        report(at, KEYSTRAP_CARD_MUTE, "");
    else if (answer.final != AT_FINAL_NONE && !(answer.final == AT_FINAL_CME && answer.code == 14))
        report(at, KEYSTRAP_CARD_ABSENT, ""); /* 14 is busy: no news */
}

static void open_port(struct at *at) {
    char text[PLUGIN_TEXT_MAX];
    int r = -EINVAL;

    if (at->device[0])
        r = at_port_open(&at->port, at->device);
    if (r == 0) {
        look(at);
        return;
    }
    if (!at->device[0])
        snprintf(text, sizeof(text), "no serial port is configured; name it with Device=");
    else if (r == -ETIMEDOUT)
        snprintf(text, sizeof(text), "no modem answers at %.150s", at->device);
    else
        snprintf(text, sizeof(text), "cannot open %.150s: %s", at->device, strerrordesc_np(-r));
    if (strcmp(text, at->report.text) != 0)
        report(at, KEYSTRAP_CARD_SERVICE_ABSENT, text);
}

static void sleep_usec(uint64_t usec) {
    const struct timespec time = {.tv_sec = (time_t)(usec / USEC_PER_SEC),
                                  .tv_nsec = (long)(usec % USEC_PER_SEC * 1000)};

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static void *watch_thread(void *argument) {
    struct at *at = argument;
    bool open;

    for (;;) {
        pthread_mutex_lock(&at->lock);
        if (at->port.fd < 0)
            open_port(at);
        else
            look(at);
        open = at->port.fd >= 0;
        pthread_mutex_unlock(&at->lock);
        sleep_usec(open ? LOOK_USEC : RETRY_USEC);
    }
    return NULL;
}

/* --- Commands; the lock is held ------------------------------------------------------------------------- */

static void refused(const struct at_answer *answer, struct transport_result *ret) {
    static const struct {
        unsigned code; /* TS 27.007 9.2 */
        enum keystrap_plugin_result result;
        const char *text;
    } errors[] = {
        {3, KEYSTRAP_RESULT_DENIED, "the modem does not allow this"},
        {4, KEYSTRAP_RESULT_UNSUPPORTED, "the modem does not support this"},
        {10, KEYSTRAP_RESULT_CARD_ABSENT, "there is no card"},
        {13, KEYSTRAP_RESULT_FAILED, "the card failed"},
        {14, KEYSTRAP_RESULT_BUSY, "the card is busy"},
        {20, KEYSTRAP_RESULT_NO_CHANNEL, "no logical channel is free"},
        {22, KEYSTRAP_RESULT_NO_APPLICATION, "the card has no such application"},
    };

    for (size_t i = 0; i < ELEMENTS(errors); i++)
        if (answer->final == AT_FINAL_CME && errors[i].code == answer->code) {
            transport_result_set(ret, errors[i].result, "%s (+CME ERROR: %u)", errors[i].text,
                                 answer->code);
            return;
        }
    if (answer->final == AT_FINAL_CME)
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the modem refused (+CME ERROR: %u)",
                             answer->code);
    else
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the modem refused");
}

/* Whether the command was carried out; what was wrong otherwise. */
static bool command(struct at *at, const char *text, const char *name, bool bare,
                    struct at_answer *answer, struct transport_result *ret) {
    at_port_command(&at->port, text, name, bare, deadline_after(at->command_usec), answer);
    after_silence(at, answer);
    if (answer->final == AT_FINAL_OK)
        return true;
    if (answer->final == AT_FINAL_NONE)
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION,
                             answer->gone ? "the modem is gone" : "the modem gave no answer");
    else
        refused(answer, ret);
    return false;
}

/* A session that the modem refuses and has no reason for is not there any more: the card was reset behind our back. */
static void forget_session(struct at *at, int session, struct transport_result *ret) {
    for (size_t channel = 0; channel < ELEMENTS(at->sessions); channel++)
        if (at->sessions[channel] == session)
            at->sessions[channel] = NO_SESSION;
    transport_result_set(ret, KEYSTRAP_RESULT_CARD_RESET,
                         "the modem does not know the session with the card any more");
}

/* +CGLA on a session, or +CSIM: the same but for their name. */
static void exchange(struct at *at, int session, const uint8_t *apdu, size_t length,
                     uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                     struct transport_result *ret) {
    const bool csim = session < 0;
    _cleanup_answer_ struct at_answer answer;
    char text[COMMAND_SIZE], hex[2 * APDU_COMMAND_MAX + 1];

    hex_encode(apdu, length, hex);
    if (csim)
        snprintf(text, sizeof(text), "AT+CSIM=%zu,\"%s\"", 2 * length, hex);
    else
        snprintf(text, sizeof(text), "AT+CGLA=%d,%zu,\"%s\"", session, 2 * length, hex);
    if (command(at, text, csim ? "+CSIM" : "+CGLA", false, &answer, ret) &&
        (!answer.has_value || !at_parse_response(answer.value, ret_response, ret_length)))
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION,
                             "the modem passed no answer of the card on");
    if (!csim && ret->code == KEYSTRAP_RESULT_FAILED)
        forget_session(at, session, ret);
    secret_erase(text, sizeof(text));
    secret_erase(hex, sizeof(hex));
}

/* The number of a session is the modem's; a channel needs one that fits into a class octet. */
static uint8_t remember_session(struct at *at, int session) {
    uint8_t channel = 1;

    if (session >= 1 && session <= (int)UICC_CHANNEL_MAX && at->sessions[session] == NO_SESSION)
        channel = (uint8_t)session;
    else
        while (channel < UICC_CHANNEL_MAX && at->sessions[channel] != NO_SESSION)
            channel++;
    at->sessions[channel] = session;
    return channel;
}

/* The answer to the modem's SELECT is not passed on; whoever wants it selects again. */
static bool open_session(struct at *at, const char *aid, uint8_t *ret_channel,
                         uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                         struct transport_result *ret) {
    char text[2 * AID_MAX + 16];
    struct at_answer answer;
    unsigned session = 0;

    snprintf(text, sizeof(text), "AT+CCHO=\"%s\"", aid);
    if (!command(at, text, "+CCHO", true, &answer, ret)) {
        at->without_ccho =
            answer.final == AT_FINAL_ERROR ||
            (answer.final == AT_FINAL_CME && (answer.code == 4 || answer.code == 100));
        return !at->without_ccho;
    }
    if (!answer.has_value || !at_parse_number(answer.value, &session) || session == 0) {
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the modem opened no session");
        return true;
    }
    *ret_channel = remember_session(at, (int)session);
    memcpy(ret_response, "\x90\x00", 2);
    *ret_length = 2;
    return true;
}

static void close_with_card(struct at *at, uint8_t channel, struct transport_result *ret) {
    const uint8_t close[] = {0x00, 0x70, 0x80, channel, 0x00};
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length = 0;

    exchange(at, CSIM_SESSION, close, sizeof(close), response, &length, ret);
}

/* MANAGE CHANNEL and SELECT, for modems without +CCHO. */
static void open_with_card(struct at *at, const uint8_t *aid, size_t aid_length,
                           uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                           size_t *ret_length, struct transport_result *ret) {
    static const uint8_t open[] = {0x00, 0x70, 0x00, 0x00, 0x01};
    uint8_t select[6 + AID_MAX] = {0x00, 0xa4, 0x04, 0x04, (uint8_t)aid_length};
    struct transport_result ignored = {.code = KEYSTRAP_RESULT_OK};
    uint8_t channel;

    exchange(at, CSIM_SESSION, open, sizeof(open), ret_response, ret_length, ret);
    if (ret->code != KEYSTRAP_RESULT_OK)
        return;
    channel = ret_response[0];
    if (*ret_length != 3 || ret_response[1] != 0x90 || channel == 0 || channel > 3) {
        transport_result_set(ret, KEYSTRAP_RESULT_NO_CHANNEL,
                             "the modem lets +CSIM open no logical channel, and has no +CCHO");
        return;
    }
    select[0] = channel;
    memcpy(select + 5, aid, aid_length);
    exchange(at, CSIM_SESSION, select, 6 + aid_length, ret_response, ret_length, ret);
    if (ret->code != KEYSTRAP_RESULT_OK) {
        close_with_card(at, channel, &ignored);
        return;
    }
    at->sessions[channel] = CSIM_SESSION;
    *ret_channel = channel;
    /* With 61xx the selection is done, and its answer is there for who asks. */
    if (ret_response[*ret_length - 2] == 0x61) {
        memcpy(ret_response, "\x90\x00", 2);
        *ret_length = 2;
    }
}

static void close_session(struct at *at, uint8_t channel, struct transport_result *ret) {
    const int session = at->sessions[channel];
    struct at_answer answer;
    char text[32];

    at->sessions[channel] = NO_SESSION;
    if (session == CSIM_SESSION) {
        close_with_card(at, channel, ret);
        return;
    }
    snprintf(text, sizeof(text), "AT+CCHC=%d", session);
    (void)command(at, text, NULL, false, &answer, ret);
}

/* STATUS (TS 102 221 11.1.2) answers with the AID of the application that is selected, as a TLV with tag 84. */
static bool application_is_selected(struct at *at, uint8_t channel, const uint8_t *aid,
                                    size_t aid_length) {
    const uint8_t status[] = {(uint8_t)(0x80 | (channel & 3)), 0xf2, 0x00, 0x01, 0x00};
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length = 0;

    exchange(at, channel, status, sizeof(status), response, &length, &result);
    return result.code == KEYSTRAP_RESULT_OK && length >= 4 && response[length - 2] == 0x90 &&
           response[0] == 0x84 && response[1] <= length - 4 && response[1] >= aid_length &&
           memcmp(response + 2, aid, aid_length) == 0;
}

/* --- The device ----------------------------------------------------------------------------------------- */

static bool card_there(const struct transport_report *report, struct transport_result *ret) {
    switch (report->card) {
    case KEYSTRAP_CARD_PRESENT:
        return true;
    case KEYSTRAP_CARD_ABSENT:
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_ABSENT, "there is no card in the modem");
        return false;
    case KEYSTRAP_CARD_MUTE:
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED, "the card does not answer to reset");
        return false;
    case KEYSTRAP_CARD_SERVICE_ABSENT:
    case KEYSTRAP_CARD_READER_ABSENT:
        break;
    }
    transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT, "%.250s",
                         report->text[0] ? report->text : "the modem has not answered yet");
    return false;
}

/*
 * Take the port for a request, where there is a card; otherwise say what there is, at once, as the other thread may
 * have the port for seconds.
 */
static bool take(struct at *at, struct transport_result *ret) {
    struct transport_report report = {.card = KEYSTRAP_CARD_SERVICE_ABSENT};

    (void)at_report(at, &report);
    if (!card_there(&report, ret))
        return false;
    pthread_mutex_lock(&at->lock);
    if (card_there(&at->report, ret))
        return true;
    pthread_mutex_unlock(&at->lock);
    return false;
}

static void give(struct at *at) {
    pthread_mutex_unlock(&at->lock);
}

static void at_begin(void *context, struct transport_result *ret) {
    struct at *at = context;

    if (!take(at, ret))
        return;
    if (at->reset_due)
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_RESET,
                             "the card was reset or is another one");
    at->reset_due = false;
    give(at);
}

static void at_end(void *context, struct transport_result *ret) {
    (void)context;
    (void)ret;
}

static void at_transmit(void *context, uint8_t channel, const uint8_t *apdu, size_t length,
                        uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                        struct transport_result *ret) {
    struct at *at = context;

    if (!take(at, ret))
        return;
    exchange(at, at->sessions[channel], apdu, length, ret_response, ret_length, ret);
    give(at);
}

static void at_open_channel(void *context, const uint8_t *aid, size_t aid_length,
                            uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                            size_t *ret_length, struct transport_result *ret) {
    char hex[2 * AID_MAX + 1];
    struct at *at = context;

    if (!take(at, ret))
        return;
    hex_encode(aid, aid_length, hex);
    if (at->without_ccho || !open_session(at, hex, ret_channel, ret_response, ret_length, ret)) {
        *ret = (struct transport_result){.code = KEYSTRAP_RESULT_OK};
        open_with_card(at, aid, aid_length, ret_channel, ret_response, ret_length, ret);
    }
    give(at);
}

static void at_close_channel(void *context, uint8_t channel, const uint8_t *aid, size_t aid_length,
                             struct transport_result *ret) {
    struct at *at = context;

    if (!take(at, ret))
        return;
    /* One of a killed program had the session's own number, where that fits into a class octet. */
    if (aid_length > 0 && at->sessions[channel] == NO_SESSION &&
        application_is_selected(at, channel, aid, aid_length))
        at->sessions[channel] = channel;
    else if (aid_length > 0)
        channel = 0;
    if (channel > 0 && at->sessions[channel] != NO_SESSION)
        close_session(at, channel, ret);
    give(at);
}

static void at_reset(void *context, struct transport_result *ret) {
    (void)context;
    transport_result_set(ret, KEYSTRAP_RESULT_UNSUPPORTED, "the card is the modem's to reset");
}

static void at_stop(void *context) {
    struct transport_result ignored = {.code = KEYSTRAP_RESULT_OK};
    struct at *at = context;

    pthread_mutex_lock(&at->lock);
    for (uint8_t channel = 1; channel <= UICC_CHANNEL_MAX; channel++)
        if (at->port.fd >= 0 && at->sessions[channel] != NO_SESSION)
            close_session(at, channel, &ignored);
    at_port_close(&at->port);
    /* The lock stays: nobody opens the port again. The process ends now. */
}

static int at_start(const struct transport_options *options, int event_fd, void **ret_context) {
    sigset_t all, before;
    pthread_t thread;
    struct at *at;
    int r;

    at = calloc(1, sizeof(*at));
    if (!at)
        return -ENOMEM;
    at->port.fd = -1;
    at->event_fd = event_fd;
    forget_sessions(at);
    snprintf(at->device, sizeof(at->device), "%s", options->device);
    at->command_usec = PATIENCE_MAX;
    if (options->timeout_usec < PATIENCE_MAX)
        at->command_usec = options->timeout_usec > 2 * PATIENCE_MARGIN
                               ? options->timeout_usec - PATIENCE_MARGIN
                               : options->timeout_usec / 2;
    *ret_context = at;
    r = pthread_mutex_init(&at->lock, NULL);
    if (r == 0)
        r = pthread_mutex_init(&at->told_lock, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    if (r == 0)
        r = pthread_create(&thread, NULL, watch_thread, at);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        free(at);
        return -r;
    }
    (void)pthread_detach(thread);
    return 0;
}

static bool opens_devices(const struct transport_options *options) {
    (void)options;
    return true;
}

int main(void) {
    static const struct transport_device device = {
        .name = "at",
        .capabilities = KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_CHANNELS,
        .opens_devices = opens_devices,
        .start = at_start,
        .report = at_report,
        .begin = at_begin,
        .end = at_end,
        .transmit = at_transmit,
        .reset = at_reset,
        .open_channel = at_open_channel,
        .close_channel = at_close_channel,
        .stop = at_stop,
    };

    /* Every wait here ends by itself, so when keystrapd is killed there is time to close what is open. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    _exit(transport_main(&device));
}
