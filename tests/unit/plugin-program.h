/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A transport program at the end of a socket: started as keystrapd does, spoken with as keystrapd does.
 */

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keystrap-limits.h"
#include "keystrap/plugin.h"
#include "packet.h"
#include "subprocess.h"
#include "util.h"

#define WORLD_WAIT_USEC (20 * USEC_PER_SEC)

/* A program next to this test in the build: @path is from the build directory. */
static inline void world_program(const char *path, char ret[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    char *slash;

    assert_true(n > 0);
    ret[n] = '\0';
    for (int i = 0; i < 2; i++) { /* BUILD/tests/test-NAME */
        slash = strrchr(ret, '/');
        assert_non_null(slash);
        *slash = '\0';
    }
    assert_true(strlen(ret) + 1 + strlen(path) < PATH_MAX);
    strcat(ret, "/");
    strcat(ret, path);
}

struct world_plugin {
    struct subprocess process;
    struct packet packet;
    uint32_t serial;
    enum keystrap_card_state card; /* of the last STATE, 0 before the first */
    char reader[PLUGIN_TEXT_MAX];
    uint8_t atr[ATR_MAX];
    size_t atr_length;
    unsigned states; /* how many came */
};

static inline void world_plugin_take_state(struct world_plugin *plugin) {
    const uint8_t *atr;
    size_t length;
    uint8_t card;

    assert_int_equal(packet_type(&plugin->packet), KEYSTRAP_PLUGIN_STATE);
    assert_int_equal(packet_serial(&plugin->packet), 0);
    assert_true(packet_get_u8(&plugin->packet, KEYSTRAP_FIELD_CARD_STATE, &card));
    assert_true(packet_get_text(&plugin->packet, KEYSTRAP_FIELD_READER, plugin->reader,
                                sizeof(plugin->reader)));
    plugin->atr_length = 0;
    if (packet_get(&plugin->packet, KEYSTRAP_FIELD_ATR, &atr, &length)) {
        assert_true(length <= sizeof(plugin->atr));
        memcpy(plugin->atr, atr, length);
        plugin->atr_length = length;
    }
    plugin->card = (enum keystrap_card_state)card;
    plugin->states++;
}

static inline void world_plugin_receive(struct world_plugin *plugin) {
    assert_int_equal(
        packet_receive(plugin->process.fd, &plugin->packet, -1, deadline_after(WORLD_WAIT_USEC)),
        0);
}

static inline void world_plugin_expect(struct world_plugin *plugin, enum keystrap_card_state card) {
    while (plugin->card != card) {
        world_plugin_receive(plugin);
        world_plugin_take_state(plugin);
    }
}

static inline void world_plugin_send(struct world_plugin *plugin) {
    assert_int_equal(
        packet_send(plugin->process.fd, &plugin->packet, deadline_after(WORLD_WAIT_USEC)), 0);
}

/* The answer to what was sent last; its packet stays readable. */
static inline enum keystrap_plugin_result world_plugin_answer(struct world_plugin *plugin) {
    uint8_t result;

    for (;;) {
        world_plugin_receive(plugin);
        if (packet_type(&plugin->packet) == KEYSTRAP_PLUGIN_ANSWER)
            break;
        world_plugin_take_state(plugin);
    }
    assert_int_equal(packet_serial(&plugin->packet), plugin->serial);
    assert_true(packet_get_u8(&plugin->packet, KEYSTRAP_FIELD_RESULT, &result));
    return (enum keystrap_plugin_result)result;
}

static inline enum keystrap_plugin_result world_plugin_ask(struct world_plugin *plugin,
                                                           uint8_t type) {
    packet_begin(&plugin->packet, type, ++plugin->serial);
    world_plugin_send(plugin);
    return world_plugin_answer(plugin);
}

static inline enum keystrap_plugin_result world_plugin_apdu(struct world_plugin *plugin,
                                                            const void *command, size_t length) {
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_APDU, ++plugin->serial);
    assert_int_equal(packet_append(&plugin->packet, KEYSTRAP_FIELD_COMMAND, command, length), 0);
    world_plugin_send(plugin);
    return world_plugin_answer(plugin);
}

/* Start the program @name, and nothing more. */
static inline void world_plugin_spawn(struct world_plugin *plugin, const char *name) {
    char path[PATH_MAX], relative[64], argv0[64], *argv[] = {argv0, NULL};

    *plugin = (struct world_plugin){.process = SUBPROCESS_NONE};
    (void)snprintf(argv0, sizeof(argv0), "%s", name);
    (void)snprintf(relative, sizeof(relative), "plugins/%s", name);
    world_program(relative, path);
    assert_int_equal(packet_init(&plugin->packet, 2048), 0);
    assert_int_equal(subprocess_spawn(path, argv, &plugin->process), 0);
}

/* Send the HELLO that is in the packet; what the program can. */
static inline uint32_t world_plugin_hello(struct world_plugin *plugin, const char *name) {
    char text[PLUGIN_NAME_MAX];
    uint32_t capabilities = 0;

    world_plugin_send(plugin);
    world_plugin_receive(plugin);
    assert_int_equal(packet_type(&plugin->packet), KEYSTRAP_PLUGIN_HELLO);
    assert_int_equal(packet_serial(&plugin->packet), plugin->serial);
    assert_true(packet_get_text(&plugin->packet, KEYSTRAP_FIELD_NAME, text, sizeof(text)));
    assert_string_equal(text, name);
    assert_true(packet_get_u32(&plugin->packet, KEYSTRAP_FIELD_CAPABILITIES, &capabilities));
    return capabilities;
}

/* How it ended, by itself: the caller said or did something that should end it. */
static inline int world_plugin_ended(struct world_plugin *plugin) {
    struct pollfd fd = {.fd = plugin->process.pidfd, .events = POLLIN};
    int status;

    assert_int_equal(poll(&fd, 1, (int)(WORLD_WAIT_USEC / USEC_PER_MSEC)), 1);
    status = subprocess_stop(&plugin->process, WORLD_WAIT_USEC);
    packet_done(&plugin->packet);
    return status;
}

static inline void world_plugin_bye(struct world_plugin *plugin) {
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_BYE, ++plugin->serial);
    world_plugin_send(plugin);
    assert_int_equal(world_plugin_ended(plugin), 0);
}

static inline enum keystrap_plugin_result world_plugin_open_channel(struct world_plugin *plugin,
                                                                    const uint8_t *aid,
                                                                    size_t length) {
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_OPEN_CHANNEL, ++plugin->serial);
    packet_append(&plugin->packet, KEYSTRAP_FIELD_AID, aid, length);
    world_plugin_send(plugin);
    return world_plugin_answer(plugin);
}

/* The last answer has @field, with these octets. */
static inline void world_plugin_assert(struct world_plugin *plugin, uint8_t field,
                                       const void *expected, size_t expected_length) {
    const uint8_t *value;
    size_t length;

    assert_true(packet_get(&plugin->packet, field, &value, &length));
    assert_int_equal(length, expected_length);
    assert_memory_equal(value, expected, length);
}
