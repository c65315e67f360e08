/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A thread that knows readers and cards.
 *
 * SCardGetStatusChange() waits without end and cannot be polled for, so a thread of its own with a context of
 * its own sits in it. It chooses the reader, notes what is there and pokes the main thread; it never
 * touches a card. When pcscd goes, it tries again, slower each time, until pcscd is back.
 */

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pcsc-internal.h"
#include "util.h"

#define READERS_MAX       PCSCLITE_MAX_READERS_CONTEXTS
#define READER_NAMES_SIZE (READERS_MAX * MAX_READERNAME + 1)
#define PNP_READER        "\\\\?PnP?\\Notification"
#define RETRY_MIN_USEC    (250 * USEC_PER_MSEC)
#define RETRY_MAX_USEC    (2 * USEC_PER_SEC)

/*
 * libpcsclite tells of a new reader only when it came after SCardGetStatusChange() was called; one that came
 * between our listing and the call would go unseen until the next event. So while there is no card to be had,
 * the wait ends now and then.
 */
#define WAIT_WITHOUT_CARD_MSEC 30000u

struct reader_list {
    char names[READER_NAMES_SIZE];             /* each terminated; libpcsclite's multi-string */
    SCARD_READERSTATE states[READERS_MAX + 1]; /* the first is the notification of new readers */
    size_t count;                              /* states in use */
};

/* Tell the main thread that there is something new; the lock is held. */
static void report_set(struct pcsc_watch *watch, const struct transport_report *report) {
    const uint64_t one = 1;

    watch->report = *report;
    watch->known = true;
    /* Fails only when the counter is full, and then the main thread has enough to wake up for. */
    (void)!write(watch->event_fd, &one, sizeof(one));
}

static void report_service_absent(struct pcsc_watch *watch, LONG error) {
    struct transport_report report = {.card = KEYSTRAP_CARD_SERVICE_ABSENT};

    snprintf(report.text, sizeof(report.text), "%s (0x%08lX)", pcsc_text(error),
             (unsigned long)error & 0xffffffffu);
    pthread_mutex_lock(&watch->lock);
    watch->count = 0;
    report_set(watch, &report);
    pthread_mutex_unlock(&watch->lock);
}

/* All readers whose name fits the pattern. */
static LONG list_readers(const struct pcsc_watch *watch, SCARDCONTEXT context,
                         struct reader_list *ret) {
    DWORD length = sizeof(ret->names);
    LONG error;

    memset(ret, 0, sizeof(*ret));
    ret->states[ret->count++].szReader = PNP_READER;
    error = SCardListReaders(context, NULL, ret->names, &length);
    if (error == SCARD_E_NO_READERS_AVAILABLE)
        return SCARD_S_SUCCESS;
    if (error != SCARD_S_SUCCESS)
        return error;
    ret->names[sizeof(ret->names) - 1] = '\0';
    for (const char *name = ret->names; *name && ret->count <= READERS_MAX;
         name += strlen(name) + 1)
        if (fnmatch(watch->pattern, name, 0) == 0)
            ret->states[ret->count++].szReader = name;
    return SCARD_S_SUCCESS;
}

static void report_reader(const SCARD_READERSTATE *state, struct transport_report *ret) {
    struct transport_report report = {.card = KEYSTRAP_CARD_ABSENT,
                                      .insertions = state->dwEventState >> 16};

    snprintf(report.reader, sizeof(report.reader), "%s", state->szReader);
    if (state->dwEventState & SCARD_STATE_MUTE)
        report.card = KEYSTRAP_CARD_MUTE;
    else if (state->dwEventState & SCARD_STATE_PRESENT)
        report.card = KEYSTRAP_CARD_PRESENT;
    if (report.card == KEYSTRAP_CARD_PRESENT && state->cbAtr <= sizeof(report.atr)) {
        report.atr_length = state->cbAtr;
        memcpy(report.atr, state->rgbAtr, report.atr_length);
    }
    *ret = report;
}

/*
 * Of readers with a card that answers, the one that was asked for, else the first; else the first with a card, else
 * the first.
 */
static const struct transport_report *choose_reader(const struct pcsc_watch *watch) {
    const struct transport_report *chosen = NULL, *reader;
    int rank, best = -1;

    for (size_t i = 0; i < watch->count; i++) {
        reader = &watch->readers[i];
        rank = reader->card == KEYSTRAP_CARD_ABSENT ? 0 : 1;
        if (reader->card == KEYSTRAP_CARD_PRESENT)
            rank = strcmp(reader->reader, watch->wanted) == 0 ? 3 : 2;
        if (rank > best) {
            best = rank;
            chosen = reader;
        }
    }
    return chosen;
}

/* Note what is in which reader, and report the one to use. */
static void report_readers(struct pcsc_watch *watch, const struct reader_list *list,
                           struct transport_report *ret) {
    struct transport_report none = {.card = KEYSTRAP_CARD_READER_ABSENT};
    const struct transport_report *chosen;

    snprintf(none.text, sizeof(none.text), "no reader matches '%.200s'", watch->pattern);
    pthread_mutex_lock(&watch->lock);
    watch->count = 0;
    for (size_t i = 1; i < list->count && watch->count < ELEMENTS(watch->readers); i++)
        if (!(list->states[i].dwEventState & (SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE)))
            report_reader(&list->states[i], &watch->readers[watch->count++]);
    chosen = choose_reader(watch);
    *ret = chosen ? *chosen : none;
    report_set(watch, ret);
    pthread_mutex_unlock(&watch->lock);
}

/* List, look, tell, and wait until that is not true any more. */
static LONG watch_once(struct pcsc_watch *watch, SCARDCONTEXT context) {
    struct transport_report report;
    struct reader_list list;
    DWORD timeout;
    LONG error;

    error = list_readers(watch, context, &list);
    if (error != SCARD_S_SUCCESS)
        return error;
    if (list.count > 1) {
        error = SCardGetStatusChange(context, 0, list.states + 1, (DWORD)(list.count - 1));
        if (error != SCARD_S_SUCCESS && error != SCARD_E_TIMEOUT)
            return error;
    }
    report_readers(watch, &list, &report);

    for (size_t i = 0; i < list.count; i++)
        list.states[i].dwCurrentState = list.states[i].dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
    timeout = report.card == KEYSTRAP_CARD_PRESENT ? INFINITE : WAIT_WITHOUT_CARD_MSEC;
    error = SCardGetStatusChange(context, timeout, list.states, (DWORD)list.count);
    return error == SCARD_E_TIMEOUT ? SCARD_S_SUCCESS : error;
}

static void sleep_usec(uint64_t usec) {
    const struct timespec time = {.tv_sec = (time_t)(usec / USEC_PER_SEC),
                                  .tv_nsec = (long)(usec % USEC_PER_SEC * 1000)};

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static void *watch_thread(void *argument) {
    struct pcsc_watch *watch = argument;
    uint64_t retry = RETRY_MIN_USEC;
    SCARDCONTEXT context;
    LONG error;

    for (;;) {
        error = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);
        if (error == SCARD_S_SUCCESS) {
            while ((error = watch_once(watch, context)) == SCARD_S_SUCCESS)
                retry = RETRY_MIN_USEC;
            (void)SCardReleaseContext(context);
        }
        /* A reader that was pulled between two calls is no reason to give pcscd up for lost. */
        if (error != SCARD_E_UNKNOWN_READER && error != SCARD_E_READER_UNAVAILABLE)
            report_service_absent(watch, error);
        sleep_usec(retry);
        retry = retry * 2 < RETRY_MAX_USEC ? retry * 2 : RETRY_MAX_USEC;
    }
    return NULL;
}

int pcsc_watch_start(struct pcsc_watch *watch, const char *pattern, int event_fd) {
    sigset_t all, before;
    pthread_t thread;
    int r;

    snprintf(watch->pattern, sizeof(watch->pattern), "%s", pattern[0] ? pattern : "*");
    watch->event_fd = event_fd;
    r = pthread_mutex_init(&watch->lock, NULL);
    if (r != 0)
        return -r;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    r = pthread_create(&thread, NULL, watch_thread, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    (void)pthread_detach(thread);
    return 0;
}

bool pcsc_watch_report(struct pcsc_watch *watch, struct transport_report *ret) {
    bool known;

    pthread_mutex_lock(&watch->lock);
    known = watch->known;
    if (known)
        *ret = watch->report;
    pthread_mutex_unlock(&watch->lock);
    return known;
}

bool pcsc_watch_next(struct pcsc_watch *watch) {
    const struct transport_report *next = NULL;
    size_t current = 0;

    pthread_mutex_lock(&watch->lock);
    while (current < watch->count &&
           strcmp(watch->readers[current].reader, watch->report.reader) != 0)
        current++;
    for (size_t i = 1; !next && i < watch->count; i++)
        if (watch->readers[(current + i) % watch->count].card == KEYSTRAP_CARD_PRESENT)
            next = &watch->readers[(current + i) % watch->count];
    if (next) {
        snprintf(watch->wanted, sizeof(watch->wanted), "%s", next->reader);
        report_set(watch, next);
    }
    pthread_mutex_unlock(&watch->lock);
    return next;
}
