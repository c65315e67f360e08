/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A transport program's main loop.
 *
 * One request at a time comes in and is answered; between requests, and whenever the device says that
 * something changed, STATE goes out. Nothing that is malformed is repaired: the program ends, and keystrapd
 * starts another. The sandbox is entered before the first octet is read.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
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
           a->atr_length == b->atr_length && memcmp(a->atr, b->atr, a->atr_length) == 0;
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
    r = packet_append_u8(packet, KEYSTRAP_FIELD_CARD_STATE, (uint8_t)report.card);
    if (r == 0)
        r = packet_append_text(packet, KEYSTRAP_FIELD_READER, report.reader);
    if (r == 0 && report.atr_length > 0)
        r = packet_append(packet, KEYSTRAP_FIELD_ATR, report.atr, report.atr_length);
    if (r == 0 && report.text[0])
        r = packet_append_text(packet, KEYSTRAP_FIELD_TEXT, report.text);
    if (r == 0)
        r = packet_send(program->fd, packet, deadline_after(SEND_USEC));
    if (r < 0)
        return r;
    program->last = report;
    program->told = true;
    return 0;
}

static int answer_send(struct program *program, const struct transport_result *result,
                       const uint8_t *response, size_t response_length) {
    struct packet *packet = &program->answer;
    int r;

    packet_begin(packet, KEYSTRAP_PLUGIN_ANSWER, packet_serial(&program->request));
    r = packet_append_u8(packet, KEYSTRAP_FIELD_RESULT, (uint8_t)result->code);
    if (r == 0 && result->text[0])
        r = packet_append_text(packet, KEYSTRAP_FIELD_TEXT, result->text);
    if (r == 0 && response)
        r = packet_append(packet, KEYSTRAP_FIELD_RESPONSE, response, response_length);
    if (r == 0)
        r = packet_send(program->fd, packet, deadline_after(SEND_USEC));
    /* The response may have been three keys; packet_begin() erases what was there. */
    packet_begin(packet, KEYSTRAP_PLUGIN_ANSWER, 0);
    return r;
}

static int handle_apdu(struct program *program) {
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    uint8_t response[APDU_RESPONSE_MAX];
    const uint8_t *command;
    size_t command_length, length = 0;
    int r;

    if (!packet_get(&program->request, KEYSTRAP_FIELD_COMMAND, &command, &command_length) ||
        command_length < 4 || command_length > APDU_COMMAND_MAX) {
        transport_result_set(&result, KEYSTRAP_RESULT_INVALID, "no command APDU of 4 to %u octets",
                             APDU_COMMAND_MAX);
        return answer_send(program, &result, NULL, 0);
    }
    program->device->transmit(program->context, command, command_length, response, &length,
                              &result);
    if (result.code == KEYSTRAP_RESULT_OK)
        r = answer_send(program, &result, response, length);
    else
        r = answer_send(program, &result, NULL, 0);
    secret_erase(response, sizeof(response));
    return r;
}

/* What the device does itself; false for what it does not do, a later version's requests among it. */
static bool handle_device(struct program *program, struct transport_result *ret) {
    const struct transport_device *device = program->device;

    switch ((enum keystrap_plugin_type)packet_type(&program->request)) {
    case KEYSTRAP_PLUGIN_BEGIN:
        device->begin(program->context, ret);
        return true;
    case KEYSTRAP_PLUGIN_END:
        device->end(program->context, ret);
        return true;
    case KEYSTRAP_PLUGIN_RESET:
        device->reset(program->context, ret);
        return true;
    case KEYSTRAP_PLUGIN_HELLO:
    case KEYSTRAP_PLUGIN_STATE:
    case KEYSTRAP_PLUGIN_ANSWER:
    case KEYSTRAP_PLUGIN_APDU:
    case KEYSTRAP_PLUGIN_OPEN_CHANNEL:
    case KEYSTRAP_PLUGIN_CLOSE_CHANNEL:
    case KEYSTRAP_PLUGIN_IDENTITY:
    case KEYSTRAP_PLUGIN_AUTHENTICATE:
    case KEYSTRAP_PLUGIN_NEXT:
    case KEYSTRAP_PLUGIN_BYE:
        break;
    }
    return false;
}

static int handle_request(struct program *program) {
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    uint8_t type = packet_type(&program->request);

    if (type == KEYSTRAP_PLUGIN_BYE)
        return RUN_LEAVE;
    /* What only the program may say, and a second HELLO, are no requests. */
    if (type == KEYSTRAP_PLUGIN_HELLO || type == KEYSTRAP_PLUGIN_STATE ||
        type == KEYSTRAP_PLUGIN_ANSWER)
        return -EBADMSG;
    if (type == KEYSTRAP_PLUGIN_APDU)
        return handle_apdu(program);
    if (!handle_device(program, &result))
        transport_result_set(&result, KEYSTRAP_RESULT_UNSUPPORTED, "%s does not do that",
                             program->device->name);
    return answer_send(program, &result, NULL, 0);
}

/* Wait for the first packet, take the options, answer. */
static int say_hello(struct program *program, struct transport_options *ret) {
    struct packet *packet = &program->answer;
    int r;

    r = packet_receive(program->fd, &program->request, -1, USEC_INFINITY);
    if (r < 0)
        return r == -EPIPE ? RUN_LEAVE : r;
    if (packet_type(&program->request) != KEYSTRAP_PLUGIN_HELLO)
        return -EBADMSG;
    (void)packet_get_text(&program->request, KEYSTRAP_FIELD_READER_PATTERN, ret->reader_pattern,
                          sizeof(ret->reader_pattern));
    (void)packet_get_text(&program->request, KEYSTRAP_FIELD_DEVICE, ret->device,
                          sizeof(ret->device));

    packet_begin(packet, KEYSTRAP_PLUGIN_HELLO, packet_serial(&program->request));
    r = packet_append_text(packet, KEYSTRAP_FIELD_NAME, program->device->name);
    if (r == 0)
        r = packet_append_u32(packet, KEYSTRAP_FIELD_CAPABILITIES, program->device->capabilities);
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

/* Until BYE, a closed socket or an error. */
static int loop(struct program *program) {
    struct pollfd fds[] = {{.fd = program->fd, .events = POLLIN},
                           {.fd = program->event_fd, .events = POLLIN}};
    uint64_t count;
    int r = 0;

    while (r == 0) {
        if (poll(fds, ELEMENTS(fds), -1) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
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
    struct transport_options options = {0};
    int r;

    r = say_hello(program, &options);
    if (r != 0)
        return r;
    r = program->device->start(&options, program->event_fd, &program->context);
    if (r < 0)
        return r;
    r = state_send(program);
    if (r == 0)
        r = loop(program);
    program->device->stop(program->context);
    return r;
}

static bool is_plugin_socket(int fd) {
    socklen_t length = sizeof(int);
    int type = 0;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

static int set_up_and_run(const struct transport_device *device) {
    _cleanup_packet_ struct packet request = {0}, answer = {0};
    _cleanup_close_ int event_fd = -1;
    struct program program = {.device = device, .fd = KEYSTRAP_PLUGIN_FD};
    int r;

    r = sandbox_enter();
    if (r < 0)
        return r;
    if (fcntl(program.fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0)
        return -errno;
    r = packet_init(&request, PAYLOAD_MAX);
    if (r == 0)
        r = packet_init(&answer, PAYLOAD_MAX);
    if (r < 0)
        return r;
    program.event_fd = event_fd;
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
