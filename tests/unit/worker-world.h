/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the worker works with, under a test's control: a transport program with a small USIM behind it, and the
 * program that speaks HTTP with the only BSF there is. Both are the test itself under other names.
 *
 * The programs and the test share one page, struct stage: the test says in it how the programs shall be, and they
 * say what they did. It is a file in the test's directory, which the transport knows as its Device= and the HTTP
 * program finds beside itself.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "fake-card.h"
#include "http-protocol.h"
#include "keystrap/plugin.h"
#include "packet.h"
#include "unit/gba-vectors.h"

#define STAGE_STARTS_MAX 32u
#define STAGE_PATIENCE \
    (30 * USEC_PER_SEC) /* for what must happen; only a broken build waits so long */
#define READER "reader of the test"

enum card_mode {
    CARD_ANSWERS,
    CARD_IS_SILENT,    /* no APDU is answered any more */
    PROGRAM_IS_MUTE,   /* no HELLO */
    PROGRAM_DIES,      /* before HELLO */
    PROGRAM_IS_PARENT, /* ends after its first STATE, and leaves a child that holds the socket */
};

enum bsf_mode {
    BSF_ANSWERS,
    BSF_IS_SILENT,
    BSF_IS_BUSY,
    BSF_SEES_CARD_PULLED, /* which happens before it answers the second request */
};

struct stage {
    /* How things shall be. */
    atomic_int card; /* enum keystrap_card_state */
    atomic_uint
        insertions; /* another number is another insertion, also when the state is the same */
    atomic_int card_mode;
    atomic_int bsf_mode;
    atomic_uint readers; /* with a card in each: 0 and 1 are one; the ICCIDs end with 40, 41, ... */

    /* What happened. */
    atomic_int told;             /* the state that was told last */
    atomic_uint told_insertions; /* and the insertion that it was told of */
    atomic_uint silences;        /* APDUs without an answer */
    atomic_uint authentications;
    atomic_uint gets;
    atomic_uint starts; /* of the transport program */
    atomic_uint_least64_t started_usec[STAGE_STARTS_MAX];
};

static inline struct stage *stage_open(const char *path, int flags) {
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
    struct stage *stage;

    if (fd < 0 || ((flags & O_CREAT) && ftruncate(fd, sizeof(struct stage)) < 0))
        return NULL;
    stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return stage == MAP_FAILED ? NULL : stage;
}

/* Another card, or none, and the transport program has said so. For use beside an event loop that waits. */
static inline bool stage_change_card(struct stage *stage, enum keystrap_card_state card) {
    unsigned insertion = atomic_fetch_add(&stage->insertions, 1) + 1;
    uint64_t until = deadline_after(STAGE_PATIENCE);

    atomic_store(&stage->card, card);
    while (atomic_load(&stage->told) != (int)card ||
           atomic_load(&stage->told_insertions) < insertion) {
        if (now_usec() > until)
            return false;
        (void)usleep(1000);
    }
    return true;
}

/* --- The transport program -------------------------------------------------------------------------- */

struct card_program {
    struct stage *stage;
    struct packet in, out;
    struct fake_card card;
    bool lost; /* the card of this transaction is not there any more */
    unsigned reader; /* in use */
    char iccid[32];
};

static inline void card_send(struct card_program *program) {
    if (packet_send(KEYSTRAP_PLUGIN_FD, &program->out, USEC_INFINITY) < 0)
        _exit(1);
}

static inline void card_answer(struct card_program *program, enum keystrap_plugin_result result) {
    packet_begin(&program->out, KEYSTRAP_PLUGIN_ANSWER, packet_serial(&program->in));
    (void)packet_append_u8(&program->out, KEYSTRAP_FIELD_RESULT, (uint8_t)result);
}

/* Tell of the card as it is on the stage, and forget what was set up on the one before. */
static inline void card_tell(struct card_program *program) {
    unsigned insertions = atomic_load(&program->stage->insertions);
    int card = atomic_load(&program->stage->card);
    char reader[64];

    program->lost = program->card.begun;
    fake_card_reset(&program->card);
    program->card.begin_outcome = 0;
    (void)snprintf(reader, sizeof(reader), READER "%.0u", program->reader); /* nothing for 0 */
    (void)snprintf(program->iccid, sizeof(program->iccid), "980100325476981032%u4",
                   program->reader);
    program->card.files[1].content = program->iccid;
    packet_begin(&program->out, KEYSTRAP_PLUGIN_STATE, 0);
    (void)packet_append_u8(&program->out, KEYSTRAP_FIELD_CARD_STATE, (uint8_t)card);
    (void)packet_append_text(&program->out, KEYSTRAP_FIELD_READER, reader);
    card_send(program);
    atomic_store(&program->stage->told_insertions, insertions);
    atomic_store(&program->stage->told, card);
}

static inline void card_exchange(struct card_program *program) {
    struct transport *transport = &program->card.transport;
    uint8_t response[APDU_RESPONSE_MAX + 2];
    const uint8_t *command;
    size_t command_length, length;
    struct failure failure = {0};

    if (atomic_load(&program->stage->card_mode) == CARD_IS_SILENT) {
        atomic_fetch_add(&program->stage->silences, 1);
        for (;;)
            (void)pause();
    }
    if (program->lost ||
        !packet_get(&program->in, KEYSTRAP_FIELD_COMMAND, &command, &command_length)) {
        card_answer(program, KEYSTRAP_RESULT_CARD_RESET);
        return;
    }
    if (command[1] == 0x88)
        atomic_fetch_add(&program->stage->authentications, 1);
    (void)transport->ops->transmit(transport, command, command_length, response, sizeof(response),
                                   &length, &failure);
    card_answer(program, KEYSTRAP_RESULT_OK);
    (void)packet_append(&program->out, KEYSTRAP_FIELD_RESPONSE, response, length);
}

static inline void card_serve(struct card_program *program) {
    struct transport *transport = &program->card.transport;

    switch (packet_type(&program->in)) {
    case KEYSTRAP_PLUGIN_BEGIN:
        if (atomic_load(&program->stage->told) != KEYSTRAP_CARD_PRESENT) {
            card_answer(program, KEYSTRAP_RESULT_CARD_ABSENT);
            break;
        }
        program->lost = false;
        (void)transport->ops->begin(transport, NULL);
        card_answer(program, KEYSTRAP_RESULT_OK);
        break;
    case KEYSTRAP_PLUGIN_END:
        if (program->card.begun)
            transport->ops->end(transport);
        card_answer(program, KEYSTRAP_RESULT_OK);
        break;
    case KEYSTRAP_PLUGIN_APDU:
        card_exchange(program);
        break;
    case KEYSTRAP_PLUGIN_NEXT:
        if (atomic_load(&program->stage->readers) > 1) {
            program->reader = (program->reader + 1) % atomic_load(&program->stage->readers);
            card_tell(program);
            card_answer(program, KEYSTRAP_RESULT_OK);
        } else {
            card_answer(program, KEYSTRAP_RESULT_CARD_ABSENT);
        }
        break;
    default:
        _exit(0); /* BYE, and nothing else is expected */
    }
    card_send(program);
}

/* HELLO, and what there is to say before it. */
static inline void card_greet(struct card_program *program, enum card_mode mode) {
    while (mode == PROGRAM_IS_MUTE)
        (void)pause();
    if (mode == PROGRAM_DIES)
        _exit(9);
    packet_begin(&program->out, KEYSTRAP_PLUGIN_HELLO, packet_serial(&program->in));
    (void)packet_append_text(&program->out, KEYSTRAP_FIELD_NAME, "test");
    (void)packet_append_u32(&program->out, KEYSTRAP_FIELD_CAPABILITIES,
                            KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_SEVERAL);
    card_send(program);
    card_tell(program);
    if (mode != PROGRAM_IS_PARENT)
        return;
    if (fork() != 0)
        _exit(7);
    /* Until the other side closes it. */
    while (packet_receive(KEYSTRAP_PLUGIN_FD, &program->in, -1, USEC_INFINITY) == 0)
        ;
    _exit(0);
}

static inline _Noreturn void be_transport(void) {
    struct card_program program = {0};
    char path[PLUGIN_TEXT_MAX];
    unsigned start;

    if (packet_init(&program.in, PLUGIN_PAYLOAD_MAX) < 0 ||
        packet_init(&program.out, PLUGIN_PAYLOAD_MAX) < 0 ||
        packet_receive(KEYSTRAP_PLUGIN_FD, &program.in, -1, USEC_INFINITY) < 0 ||
        !packet_get_text(&program.in, KEYSTRAP_FIELD_DEVICE, path, sizeof(path)))
        _exit(1);
    program.stage = stage_open(path, 0);
    if (!program.stage)
        _exit(2);
    start = atomic_load(&program.stage->starts);
    if (start < STAGE_STARTS_MAX)
        atomic_store(&program.stage->started_usec[start], now_usec());
    atomic_store(&program.stage->starts, start + 1);
    fake_card_init(&program.card);
    program.card.authenticate = "db08" VECTOR_RES "10" VECTOR_CK "10" VECTOR_IK "9000";

    card_greet(&program, (enum card_mode)atomic_load(&program.stage->card_mode));
    for (;;) {
        struct pollfd fds = {.fd = KEYSTRAP_PLUGIN_FD, .events = POLLIN};

        /* Nobody wakes us when the stage changes. */
        (void)poll(&fds, 1, 2);
        if (atomic_load(&program.stage->insertions) != atomic_load(&program.stage->told_insertions))
            card_tell(&program);
        if (fds.revents == 0)
            continue;
        if (packet_receive(KEYSTRAP_PLUGIN_FD, &program.in, -1, USEC_INFINITY) < 0)
            _exit(0);
        card_serve(&program);
    }
}

/* --- The program that speaks HTTP ------------------------------------------------------------------- */

#define CHALLENGE                                                                 \
    "Digest realm=\"" VECTOR_BSF "\", nonce=\"" VECTOR_NONCE "\", opaque=\"o\", " \
    "algorithm=AKAv1-MD5, qop=\"auth-int\""

static inline void http_field(struct packet *packet, uint32_t serial, const char *name,
                              const char *value) {
    packet_begin(packet, HTTP_PACKET_FIELD, serial);
    (void)packet_append(packet, HTTP_FIELD_NAME, name, strlen(name));
    (void)packet_append(packet, HTTP_FIELD_VALUE, value, strlen(value));
    (void)packet_send(KEYSTRAP_PLUGIN_FD, packet, USEC_INFINITY);
}

static inline void http_end(struct packet *packet, uint32_t serial, uint32_t status,
                            const char *body) {
    packet_begin(packet, HTTP_PACKET_RESPONSE, serial);
    (void)packet_append_u32(packet, HTTP_FIELD_STATUS, status);
    (void)packet_append(packet, HTTP_FIELD_BODY, body, strlen(body));
    (void)packet_send(KEYSTRAP_PLUGIN_FD, packet, USEC_INFINITY);
}

/* Whether the request has an answer to a challenge, and not the empty nonce of the first. */
static inline bool http_has_proof(const struct packet *packet) {
    const uint8_t *lines;
    size_t length;

    return packet_get(packet, HTTP_FIELD_HEADERS, &lines, &length) &&
           memmem(lines, length, "nonce=\"\"", 8) == NULL;
}

static inline void http_serve(struct stage *stage, struct packet *packet) {
    uint32_t serial = packet_serial(packet);
    bool proof = http_has_proof(packet);

    atomic_fetch_add(&stage->gets, 1);
    switch ((enum bsf_mode)atomic_load(&stage->bsf_mode)) {
    case BSF_IS_SILENT:
        for (;;)
            (void)pause();
    case BSF_IS_BUSY:
        http_field(packet, serial, "Retry-After", "7");
        http_end(packet, serial, 503, "");
        return;
    case BSF_SEES_CARD_PULLED:
        if (proof && !stage_change_card(stage, KEYSTRAP_CARD_ABSENT))
            _exit(1);
        break;
    case BSF_ANSWERS:
        break;
    }
    if (proof) {
        http_field(packet, serial, "Content-Type", "application/vnd.3gpp.bsf+xml");
        http_end(packet, serial, 200, VECTOR_BODY);
    } else {
        http_field(packet, serial, "WWW-Authenticate", CHALLENGE);
        http_end(packet, serial, 401, "");
    }
}

/* @path is that of the program: the stage is beside it. */
static inline _Noreturn void be_http(const char *path) {
    struct packet packet = {0};
    char stage_path[PLUGIN_TEXT_MAX];
    struct stage *stage;

    (void)snprintf(stage_path, sizeof(stage_path), "%.*s/stage", (int)(strrchr(path, '/') - path),
                   path);
    stage = stage_open(stage_path, 0);
    if (!stage || packet_init(&packet, HTTP_REQUEST_MAX) < 0)
        _exit(1);
    while (packet_receive(KEYSTRAP_PLUGIN_FD, &packet, -1, USEC_INFINITY) == 0)
        http_serve(stage, &packet);
    _exit(0);
}
