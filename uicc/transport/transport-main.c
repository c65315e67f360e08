/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A transport program's main loop.
 *
 * One request at a time comes in and is answered; between requests, and whenever the device says that
 * something changed, STATE goes out. Nothing that is malformed is repaired: the program ends, and keystrapd
 * starts another. The sandbox is entered before the device is touched. SIGTERM ends the program as BYE does, between two
 * requests, so that nothing is left open on the card.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "packet.h"
#include "sandbox.h"
#include "transport-main.h"
#include "util.h"

#define PAYLOAD_MAX 2048u              /* the longest request is HELLO with its options */
#define SEND_USEC   (5 * USEC_PER_SEC) /* keystrapd reads at once, or is not well */
#define RUN_LEAVE   1                  /* BYE, or the socket was closed */

struct program {
    const struct transport_device *device;
    void *context;
    int fd;
    int event_fd;
    int signal_fd;
    struct packet request;
    struct packet answer;
    struct transport_report last; /* what keystrapd was told */
    bool told;
};

void transport_result_set(struct transport_result *result, enum keystrap_plugin_result code,
                          const char *format, ...) {
    va_list arguments;

    result->code = code;
    va_start(arguments, format);
    (void)vsnprintf(result->text, sizeof(result->text), format, arguments);
    va_end(arguments);
}

static bool report_equal(const struct transport_report *a, const struct transport_report *b) {
    return a->card == b->card && a->insertions == b->insertions &&
           strcmp(a->reader, b->reader) == 0 && strcmp(a->text, b->text) == 0 &&
           a->atr_length == b->atr_length && memcmp(a->atr, b->atr, a->atr_length) == 0 &&
           a->token_length == b->token_length && memcmp(a->token, b->token, a->token_length) == 0;
}

static int append_optional(struct packet *packet, uint8_t tag, const void *data, size_t length) {
    return length > 0 ? packet_append(packet, tag, data, length) : 0;
}

static int report_append(struct packet *packet, const struct transport_report *report) {
    int r;

    r = packet_append_u8(packet, KEYSTRAP_FIELD_CARD_STATE, (uint8_t)report->card);
    if (r == 0)
        r = packet_append_text(packet, KEYSTRAP_FIELD_READER, report->reader);
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_ATR, report->atr, report->atr_length);
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_TEXT, report->text, strlen(report->text));
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_TOKEN, report->token, report->token_length);
    return r;
}

static int state_send(struct program *program) {
    struct transport_report report = {0};
    struct packet *packet = &program->answer;
    int r;

    if (!program->device->report(program->context, &report))
        return 0;
    if (program->told && report_equal(&report, &program->last))
        return 0;
    packet_begin(packet, KEYSTRAP_PLUGIN_STATE, 0);
    r = report_append(packet, &report);
    if (r == 0)
        r = packet_send(program->fd, packet, deadline_after(SEND_USEC));
    if (r < 0)
        return r;
    program->last = report;
    program->told = true;
    return 0;
}

/* What an ANSWER holds beside its result; lengths 0 where there is nothing. */
struct answer {
    struct transport_result result;
    uint8_t response[APDU_RESPONSE_MAX];
    size_t response_length;
    uint8_t channel;            /* 0 for none */
    struct transport_card card; /* of IDENTITY */
};

static int append_card(struct packet *packet, const struct transport_card *card) {
    int r;

    r = append_optional(packet, KEYSTRAP_FIELD_ICCID, card->iccid, strlen(card->iccid));
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_IMSI, card->imsi, strlen(card->imsi));
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_IMPI, card->impi, strlen(card->impi));
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_EF_AD, card->ef_ad, card->ef_ad_length);
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_SERVICES, card->services, card->services_length);
    if (r == 0)
        r = append_optional(packet, KEYSTRAP_FIELD_AID, card->aid, card->aid_length);
    return r;
}

static int answer_append(struct packet *packet, const struct answer *answer) {
    int r;

    r = packet_append_u8(packet, KEYSTRAP_FIELD_RESULT, (uint8_t)answer->result.code);
    if (r == 0 && answer->result.text[0])
        r = packet_append_text(packet, KEYSTRAP_FIELD_TEXT, answer->result.text);
    if (r < 0 || answer->result.code != KEYSTRAP_RESULT_OK)
        return r;
    r = append_optional(packet, KEYSTRAP_FIELD_RESPONSE, answer->response, answer->response_length);
    if (r == 0 && answer->channel > 0)
        r = packet_append_u8(packet, KEYSTRAP_FIELD_CHANNEL, answer->channel);
    return r == 0 ? append_card(packet, &answer->card) : r;
}

static int answer_send(struct program *program, const struct answer *answer) {
    struct packet *packet = &program->answer;
    int r;

    packet_begin(packet, KEYSTRAP_PLUGIN_ANSWER, packet_serial(&program->request));
    r = answer_append(packet, answer);
    if (r == 0)
        r = packet_send(program->fd, packet, deadline_after(SEND_USEC));
    /* The response may have been three keys; packet_begin() erases what was there. */
    packet_begin(packet, KEYSTRAP_PLUGIN_ANSWER, 0);
    return r;
}

/* The logical channel that a class octet names (TS 102 221 10.1.1). */
static uint8_t class_channel(uint8_t cla) {
    return cla & 0x40 ? (uint8_t)(4 + (cla & 0x0f)) : cla & 0x03;
}

static void invalid(struct answer *answer, const char *what) {
    transport_result_set(&answer->result, KEYSTRAP_RESULT_INVALID, "the request has no %s", what);
}

static void do_apdu(struct program *program, struct answer *answer) {
    const uint8_t *command;
    size_t length;

    if (!packet_get(&program->request, KEYSTRAP_FIELD_COMMAND, &command, &length) || length < 4 ||
        length > APDU_COMMAND_MAX)
        invalid(answer, "command of 4 octets or more");
    else
        program->device->transmit(program->context, class_channel(command[0]), command, length,
                                  answer->response, &answer->response_length, &answer->result);
}

/* An AID where there is one; false for one that is too long. */
static bool get_aid(struct program *program, const uint8_t **ret, size_t *ret_length) {
    *ret = NULL;
    *ret_length = 0;
    (void)packet_get(&program->request, KEYSTRAP_FIELD_AID, ret, ret_length);
    return *ret_length <= AID_MAX;
}

static void do_open_channel(struct program *program, struct answer *answer) {
    const uint8_t *aid;
    size_t length;

    if (!get_aid(program, &aid, &length) || length == 0)
        invalid(answer, "application");
    else
        program->device->open_channel(program->context, aid, length, &answer->channel,
                                      answer->response, &answer->response_length, &answer->result);
}

static void do_close_channel(struct program *program, struct answer *answer) {
    const uint8_t *aid;
    uint8_t channel;
    size_t length;

    if (!get_aid(program, &aid, &length) ||
        !packet_get_u8(&program->request, KEYSTRAP_FIELD_CHANNEL, &channel) || channel == 0 ||
        channel > UICC_CHANNEL_MAX)
        invalid(answer, "channel of 1 to 19");
    else
        program->device->close_channel(program->context, channel, aid, length, &answer->result);
}

static void do_authenticate(struct program *program, struct answer *answer) {
    const uint8_t *aid, *data;
    size_t aid_length, length;
    uint8_t context;

    if (!get_aid(program, &aid, &aid_length) ||
        !packet_get_u8(&program->request, KEYSTRAP_FIELD_CONTEXT, &context) ||
        !packet_get(&program->request, KEYSTRAP_FIELD_COMMAND, &data, &length) || length == 0 ||
        length > UINT8_MAX)
        invalid(answer, "context and data of 1 to 255 octets");
    else
        program->device->authenticate(program->context, aid, aid_length, context, data, length,
                                      answer->response, &answer->response_length, &answer->result);
}

/* STATE with the new card goes out before the answer. */
static int do_next(struct program *program, struct answer *answer) {
    program->device->next(program->context, &answer->result);
    return answer->result.code == KEYSTRAP_RESULT_OK ? state_send(program) : 0;
}

/* Whether the device does requests of @type at all; a later version's are among those that it does not. */
static bool device_does(const struct transport_device *device, uint8_t type) {
    switch ((enum keystrap_plugin_type)type) {
    case KEYSTRAP_PLUGIN_BEGIN:
    case KEYSTRAP_PLUGIN_END:
    case KEYSTRAP_PLUGIN_RESET:
    case KEYSTRAP_PLUGIN_APDU:
        return true;
    case KEYSTRAP_PLUGIN_OPEN_CHANNEL:
        return device->open_channel;
    case KEYSTRAP_PLUGIN_CLOSE_CHANNEL:
        return device->close_channel;
    case KEYSTRAP_PLUGIN_IDENTITY:
        return device->identity;
    case KEYSTRAP_PLUGIN_AUTHENTICATE:
        return device->authenticate;
    case KEYSTRAP_PLUGIN_NEXT:
        return device->next;
    case KEYSTRAP_PLUGIN_HELLO:
    case KEYSTRAP_PLUGIN_STATE:
    case KEYSTRAP_PLUGIN_ANSWER:
    case KEYSTRAP_PLUGIN_BYE:
        break;
    }
    return false;
}

static int do_request(struct program *program, uint8_t type, struct answer *answer) {
    const struct transport_device *device = program->device;

    if (type == KEYSTRAP_PLUGIN_BEGIN)
        device->begin(program->context, &answer->result);
    else if (type == KEYSTRAP_PLUGIN_END)
        device->end(program->context, &answer->result);
    else if (type == KEYSTRAP_PLUGIN_RESET)
        device->reset(program->context, &answer->result);
    else if (type == KEYSTRAP_PLUGIN_APDU)
        do_apdu(program, answer);
    else if (type == KEYSTRAP_PLUGIN_OPEN_CHANNEL)
        do_open_channel(program, answer);
    else if (type == KEYSTRAP_PLUGIN_CLOSE_CHANNEL)
        do_close_channel(program, answer);
    else if (type == KEYSTRAP_PLUGIN_IDENTITY)
        device->identity(program->context, &answer->card, &answer->result);
    else if (type == KEYSTRAP_PLUGIN_AUTHENTICATE)
        do_authenticate(program, answer);
    else
        return do_next(program, answer);
    return 0;
}

static int handle_request(struct program *program) {
    struct answer answer = {.result.code = KEYSTRAP_RESULT_OK};
    uint8_t type = packet_type(&program->request);
    int r = 0;

    if (type == KEYSTRAP_PLUGIN_BYE)
        return RUN_LEAVE;
    /* What only the program may say, and a second HELLO, are no requests. */
    if (type == KEYSTRAP_PLUGIN_HELLO || type == KEYSTRAP_PLUGIN_STATE ||
        type == KEYSTRAP_PLUGIN_ANSWER)
        return -EBADMSG;
    if (device_does(program->device, type))
        r = do_request(program, type, &answer);
    else
        transport_result_set(&answer.result, KEYSTRAP_RESULT_UNSUPPORTED, "%s does not do that",
                             program->device->name);
    if (r == 0)
        r = answer_send(program, &answer);
    secret_erase(&answer, sizeof(answer));
    return r;
}

/* Wait for the first packet and take the options. */
static int receive_hello(struct program *program, struct transport_options *ret) {
    const uint8_t *token;
    size_t length;
    uint32_t msec;
    int r;

    r = packet_receive(program->fd, &program->request, program->signal_fd, USEC_INFINITY);
    if (r < 0)
        return r == -EPIPE || r == -ECANCELED ? RUN_LEAVE : r;
    if (packet_type(&program->request) != KEYSTRAP_PLUGIN_HELLO)
        return -EBADMSG;
    (void)packet_get_text(&program->request, KEYSTRAP_FIELD_READER_PATTERN, ret->reader_pattern,
                          sizeof(ret->reader_pattern));
    (void)packet_get_text(&program->request, KEYSTRAP_FIELD_DEVICE, ret->device,
                          sizeof(ret->device));
    (void)packet_get_u8(&program->request, KEYSTRAP_FIELD_SLOT, &ret->slot);
    (void)packet_get_u32(&program->request, KEYSTRAP_FIELD_FLAGS, &ret->flags);
    ret->timeout_usec = USEC_INFINITY;
    if (packet_get_u32(&program->request, KEYSTRAP_FIELD_TIMEOUT, &msec))
        ret->timeout_usec = msec * USEC_PER_MSEC;
    if (packet_get(&program->request, KEYSTRAP_FIELD_TOKEN, &token, &length) &&
        length <= sizeof(ret->token)) {
        memcpy(ret->token, token, length);
        ret->token_length = length;
    }
    return 0;
}

static int answer_hello(struct program *program, const struct transport_options *options) {
    const struct transport_device *device = program->device;
    uint32_t capabilities = device->capabilities;
    struct packet *packet = &program->answer;
    int r;

    if (options->flags & KEYSTRAP_FLAG_AKA && device->aka_capabilities)
        capabilities = device->aka_capabilities;
    packet_begin(packet, KEYSTRAP_PLUGIN_HELLO, packet_serial(&program->request));
    r = packet_append_text(packet, KEYSTRAP_FIELD_NAME, device->name);
    if (r == 0)
        r = packet_append_u32(packet, KEYSTRAP_FIELD_CAPABILITIES, capabilities);
    return r == 0 ? packet_send(program->fd, packet, deadline_after(SEND_USEC)) : r;
}

static int receive_and_handle(struct program *program) {
    int r;

    r = packet_receive(program->fd, &program->request, -1, deadline_after(0));
    if (r == -ETIMEDOUT)
        return 0;
    if (r < 0)
        return r;
    r = handle_request(program);
    packet_begin(&program->request, KEYSTRAP_PLUGIN_ANSWER, 0); /* erases the command */
    return r;
}

/* Until BYE, a closed socket, SIGTERM or an error. */
static int loop(struct program *program) {
    struct pollfd fds[] = {{.fd = program->fd, .events = POLLIN},
                           {.fd = program->event_fd, .events = POLLIN},
                           {.fd = program->signal_fd, .events = POLLIN}};
    uint64_t count;
    int r = 0;

    while (r == 0) {
        if (poll(fds, ELEMENTS(fds), -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (fds[2].revents)
            return RUN_LEAVE;
        if (fds[1].revents) {
            (void)!read(program->event_fd, &count, sizeof(count));
            r = state_send(program);
        }
        if (r == 0 && fds[0].revents)
            r = receive_and_handle(program);
    }
    return r;
}

static int run(struct program *program) {
    const struct transport_device *device = program->device;
    struct transport_options options = {0};
    int r;

    /* A device that is opened by its path needs a hole in the sandbox; HELLO says whether it is. */
    r = device->opens_devices ? 0 : sandbox_enter(0);
    if (r == 0)
        r = receive_hello(program, &options);
    if (r == 0 && device->opens_devices)
        r = sandbox_enter(device->opens_devices(&options) ? SANDBOX_DEVICES : 0);
    if (r == 0)
        r = answer_hello(program, &options);
    if (r == 0)
        r = device->start(&options, program->event_fd, &program->context);
    if (r != 0)
        return r;
    r = state_send(program);
    if (r == 0)
        r = loop(program);
    device->stop(program->context);
    return r;
}

static bool is_plugin_socket(int fd) {
    socklen_t length = sizeof(int);
    int type = 0;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

/* Signals wait until they are looked for; threads that are started later inherit that. */
static int signal_fd_open(void) {
    sigset_t term;
    int fd;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &term, NULL);
    fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int set_up_and_run(const struct transport_device *device) {
    _cleanup_packet_ struct packet request = {0}, answer = {0};
    _cleanup_close_ int event_fd = -1, signal_fd = -1;
    struct program program = {.device = device, .fd = KEYSTRAP_PLUGIN_FD};
    int r;

    if (fcntl(program.fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0)
        return -errno;
    signal_fd = signal_fd_open();
    if (signal_fd < 0)
        return signal_fd;
    r = packet_init(&request, PAYLOAD_MAX);
    if (r == 0)
        r = packet_init(&answer, PAYLOAD_MAX);
    if (r < 0)
        return r;
    program.event_fd = event_fd;
    program.signal_fd = signal_fd;
    program.request = request;
    program.answer = answer;
    r = run(&program);
    /* packet_done() erases all of the buffers, whatever the lengths are. */
    return r;
}

int transport_main(const struct transport_device *device) {
    int r;

    if (!is_plugin_socket(KEYSTRAP_PLUGIN_FD)) {
        fprintf(stderr,
                "uicc-%s: descriptor %d is not keystrapd's socket: keystrapd starts this program\n",
                device->name, KEYSTRAP_PLUGIN_FD);
        return EXIT_FAILURE;
    }
    r = set_up_and_run(device);
    if (r >= 0 || r == -EPIPE || r == -ECONNRESET)
        return EXIT_SUCCESS;
    fprintf(stderr, "uicc-%s: %s, leaving\n", device->name,
            r == -EBADMSG ? "keystrapd sent a malformed message" : strerror(-r));
    return EXIT_FAILURE;
}
