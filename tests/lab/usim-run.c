/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab usim: the loop between reader, card and control socket.
 *
 * The loop never sleeps in an answer: an answer that is to come late is kept with its time, so
 * that the control socket is served while the card is silent.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "card-state.h"
#include "usim.h"

enum { RETRY_MSEC = 50 };

int64_t usim_now_msec(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...) {
    va_list arguments;

    fprintf(stderr, "keystrap-lab usim: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void forget_answer(struct usim *usim) {
    usim->answering = false;
    explicit_bzero(usim->answer, sizeof(usim->answer));
}

int usim_insert(struct usim *usim) {
    int r;

    r = vpcd_connect(&usim->vpcd, usim->options->host, usim->options->port);
    if (r < 0)
        return r;
    usim->wanted = true;
    usim->was_inserted = true;
    printf("ready\n");
    fflush(stdout);
    return 0;
}

static void lose_reader(struct usim *usim) {
    vpcd_disconnect(&usim->vpcd);
    card_power(usim->card, false);
    forget_answer(usim);
    usim->retry_at = usim_now_msec() + RETRY_MSEC;
}

void usim_remove(struct usim *usim) {
    usim->wanted = false;
    lose_reader(usim);
}

/* Before an answer leaves, what the card must remember is on disk: as a card does it. */
static int save_memory(struct usim *usim) {
    const struct card_memory *memory = card_memory(usim->card);
    int r;

    if (!usim->options->state || memcmp(memory, &usim->saved, sizeof(*memory)) == 0)
        return 0;
    r = card_state_save(usim->options->state, usim->options->card.subscriber, memory);
    if (r < 0) {
        complain("%s cannot be written: %s", usim->options->state, strerror(-r));
        return r;
    }
    usim->saved = *memory;
    return 0;
}

static int send_answer(struct usim *usim) {
    int r;

    r = vpcd_send(&usim->vpcd, usim->answer, usim->answer_length);
    forget_answer(usim);
    return r;
}

/*
 * The answer is made at once, whatever then becomes of it: as when a card is pulled while it
 * answers.
 */
static int take_apdu(struct usim *usim, const uint8_t *command, size_t length) {
    bool happened[FAULT_KINDS];
    const struct fault *other;
    int r;

    if (usim->options->verbose)
        usim_trace_command(stderr, command, length);
    faults_next(&usim->faults, command, length, happened);
    if (happened[FAULT_STATUS] || happened[FAULT_ANSWER]) {
        other = &usim->faults.list[happened[FAULT_STATUS] ? FAULT_STATUS : FAULT_ANSWER];
        memcpy(usim->answer, other->octets, other->length);
        usim->answer_length = other->length;
    } else {
        usim->answer_length = card_transmit(usim->card, command, length, usim->answer);
    }
    r = save_memory(usim);
    if (r < 0)
        return r;
    if (usim->options->verbose)
        usim_trace_answer(stderr, command, length, usim->answer, usim->answer_length);
    if (happened[FAULT_DROP]) {
        usim_remove(usim);
        return 0;
    }
    usim->answering = true;
    usim->answer_at = usim_now_msec() + usim->faults.delay_msec;
    if (happened[FAULT_SILENT]) {
        const struct fault *silent = &usim->faults.list[FAULT_SILENT];

        usim->answer_at = silent->msec == 0 ? INT64_MAX : usim->answer_at + silent->msec;
    }
    return 0;
}

static int take_slot_command(struct usim *usim, uint8_t command) {
    uint8_t atr[CARD_ATR_MAX];

    switch (command) {
    case VPCD_POWER_OFF:
    case VPCD_POWER_ON:
        card_power(usim->card, command == VPCD_POWER_ON);
        return 0;
    case VPCD_RESET:
        card_reset(usim->card);
        return 0;
    case VPCD_ATR:
        return vpcd_send(&usim->vpcd, atr, card_atr(usim->card, atr));
    default:
        complain("the reader sent the unknown command %u", command);
        return 0;
    }
}

/* Everything that has arrived, and the answers that are due. */
static int serve_reader(struct usim *usim) {
    const uint8_t *message;
    size_t length;
    int r = 1;

    while (r > 0 && usim->vpcd.fd >= 0) {
        if (usim->answering) {
            if (usim_now_msec() < usim->answer_at)
                return 0;
            r = send_answer(usim);
            if (r < 0)
                return r;
        }
        r = vpcd_receive(&usim->vpcd, &message, &length);
        if (r <= 0)
            return r;
        if (length == 1)
            r = take_slot_command(usim, message[0]);
        else
            r = take_apdu(usim, message, length);
        if (r < 0)
            return r;
        r = 1;
    }
    return 0;
}

static int timeout_of(const struct usim *usim) {
    int64_t until = INT64_MAX, left;

    if (usim->answering)
        until = usim->answer_at;
    else if (usim->wanted && usim->vpcd.fd < 0)
        until = usim->retry_at;
    if (until == INT64_MAX)
        return -1;
    left = until - usim_now_msec();
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* Waits for work; true when a signal says that it is over. */
static bool wait_for_work(struct usim *usim, int signal_fd) {
    struct pollfd fds[3] = {
        {.fd = signal_fd, .events = POLLIN},
        /* While an answer is held back, only the reader's end is of interest. */
        {.fd = usim->vpcd.fd, .events = usim->answering ? POLLRDHUP : POLLIN},
        {.fd = usim->control ? control_fd(usim->control) : -1, .events = POLLIN},
    };

    if (poll(fds, 3, timeout_of(usim)) < 0)
        return errno != EINTR;
    if (fds[1].revents != 0 && usim->answering)
        lose_reader(usim);
    if (fds[2].revents != 0)
        control_dispatch(usim->control);
    return fds[0].revents != 0;
}

/* True as long as it is worth trying. */
static bool try_to_insert(struct usim *usim, int64_t give_up_at) {
    int r;

    if (!usim->wanted || usim->vpcd.fd >= 0 || usim_now_msec() < usim->retry_at)
        return true;
    r = usim_insert(usim);
    if (r == 0)
        return true;
    usim->retry_at = usim_now_msec() + RETRY_MSEC;
    if (usim->was_inserted || usim->retry_at < give_up_at)
        return true;
    complain("no vpcd reader at %s:%s: %s; start pcscd with the vpcd driver, or give --vpcd",
             usim->options->host, usim->options->port, strerror(-r));
    return false;
}

static int loop(struct usim *usim, int signal_fd) {
    int64_t give_up_at = usim_now_msec() + (int64_t)usim->options->wait_seconds * 1000;
    int r;

    usim->wanted = true;
    for (;;) {
        if (!try_to_insert(usim, give_up_at))
            return EX_UNAVAILABLE;
        if (wait_for_work(usim, signal_fd))
            return EXIT_SUCCESS;
        r = usim->vpcd.fd >= 0 ? serve_reader(usim) : 0;
        if (r == -ECONNRESET || r == -EPIPE || r == -EMSGSIZE)
            lose_reader(usim);
        else if (r < 0)
            return EX_IOERR;
    }
}

static int open_signals(void) {
    sigset_t signals;
    int fd;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    fd = signalfd(-1, &signals, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int start(struct usim *usim) {
    const struct usim_options *options = usim->options;
    struct card_memory *memory;
    int r;

    r = card_new(&options->card, &usim->card);
    if (r < 0) {
        complain("this card cannot be made: %s", strerror(-r));
        return r;
    }
    memory = card_memory(usim->card);
    if (options->state) {
        r = card_state_load(options->state, options->card.subscriber, memory);
        if (r < 0) {
            complain("%s is not the state of the card with IMSI %s: %s", options->state,
                     options->card.subscriber->imsi, strerror(-r));
            return r;
        }
    }
    usim->saved = *memory;
    if (options->control) {
        r = control_new(options->control, usim_commands, usim, &usim->control);
        if (r < 0)
            complain("cannot listen at %s: %s", options->control, strerror(-r));
    }
    return r < 0 ? r : 0;
}

int usim_run(const struct usim_options *options, const struct lab_subscriber *subscriber) {
    struct usim_options complete = *options;
    struct usim usim = {.options = &complete, .vpcd = VPCD_INIT};
    int signal_fd, code = EX_OSERR;

    complete.card.subscriber = subscriber;
    if (complete.card.res_length == 0)
        complete.card.res_length = subscriber->res_length;
    signal_fd = open_signals();
    if (signal_fd < 0)
        complain("cannot take signals: %s", strerror(-signal_fd));
    else if (start(&usim) == 0)
        code = loop(&usim, signal_fd);
    vpcd_disconnect(&usim.vpcd);
    control_free(usim.control);
    card_free(usim.card);
    if (signal_fd >= 0)
        close(signal_fd);
    return code;
}
