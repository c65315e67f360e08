/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The service, its fake agent and clients, all on one loop of one thread, on a private bus.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "error-map.h"
#include "fake-agent.h"
#include "private-bus.h"
#include "secret.h"
#include "service-internal.h"
#include "util.h"

#define UNUSED_IN_SOME __attribute__((unused))

struct service_world {
    struct private_bus bus;
    sd_event *event;
    struct agent agent;
    struct service *service;
    sd_bus *client;
};

UNUSED_IN_SOME static int world_up(void **state) {
    struct service_world *w = calloc(1, sizeof(*w));
    struct failure failure = {0};

    assert_non_null(w);
    assert_return_code(secret_arena_init(), 0);
    private_bus_start(&w->bus);
    assert_return_code(sd_event_new(&w->event), 0);
    fake_agent_init(&w->agent);
    assert_int_equal(service_new(w->event, &w->agent, &w->service, &failure), 0);
    w->client = client_new(w->event);
    *state = w;
    return 0;
}

UNUSED_IN_SOME static int world_down(void **state) {
    struct service_world *w = *state;

    sd_bus_close_unref(w->client);
    w->service = service_free(w->service);
    assert_null(w->agent.held);
    assert_null(w->agent.changed);
    sd_event_unref(w->event);
    private_bus_stop(&w->bus);
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
    free(w);
    return 0;
}

static const uint8_t ua_http[] = {1, 0, 0, 0, 2};

/* An asynchronous DeriveNafKey without options. */
UNUSED_IN_SOME static void derive(sd_bus *client, const char *naf, struct answer *answer) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    assert_return_code(sd_bus_message_new_method_call(client, &m, SERVICE_BUS_NAME, SERVICE_PATH,
                                                      SERVICE_KEYS, "DeriveNafKey"),
                       0);
    assert_return_code(sd_bus_message_append(m, "s", naf), 0);
    assert_return_code(sd_bus_message_append_array(m, 'y', ua_http, sizeof(ua_http)), 0);
    assert_return_code(sd_bus_message_append(m, "a{sv}", 0), 0);
    assert_return_code(sd_bus_call_async(client, NULL, m, answer_got, answer, 0), 0);
}

/* An asynchronous call of the Manager without arguments, or with an empty a{sv}. */
UNUSED_IN_SOME static void manage(sd_bus *client, const char *method, bool options,
                                  struct answer *answer) {
    assert_return_code(
        options ? sd_bus_call_method_async(client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                           SERVICE_MANAGER, method, answer_got, answer, "a{sv}", 0)
                : sd_bus_call_method_async(client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                           SERVICE_MANAGER, method, answer_got, answer, NULL),
        0);
}

UNUSED_IN_SOME static void assert_error(const struct answer *answer, const char *name) {
    assert_true(answer->there);
    if (!sd_bus_message_is_method_error(answer->message, NULL))
        fail_msg("no error, where %s was expected", name);
    assert_string_equal(sd_bus_message_get_error(answer->message)->name, name);
}

UNUSED_IN_SOME static const char *error_text(const struct answer *answer) {
    return sd_bus_message_get_error(answer->message)->message;
}

/* The reply to DeriveNafKey holds the key of @naf, and nothing after it. */
UNUSED_IN_SOME static void assert_key(const struct answer *answer, const char *naf) {
    uint8_t key[NAF_KEY_LENGTH + 1];
    const char *btid;
    uint64_t expires;
    int fd;

    assert_true(answer->there);
    assert_false(sd_bus_message_is_method_error(answer->message, NULL));
    assert_return_code(sd_bus_message_read(answer->message, "sht", &btid, &fd, &expires), 0);
    assert_string_equal(btid, FAKE_BTID);
    assert_int_equal(expires, FAKE_EXPIRES_UTC);
    assert_int_equal(read(fd, key, sizeof(key)), NAF_KEY_LENGTH);
    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        assert_int_equal(key[i], fake_key_octet(naf, i));
    assert_int_equal(read(fd, key, sizeof(key)), 0);
}

struct held_count {
    const struct agent *agent;
    size_t count;
};

static bool held_is(void *userdata) {
    struct held_count *h = userdata;

    return fake_agent_held(h->agent) == h->count;
}

/* Run until exactly @count requests wait in the agent. */
UNUSED_IN_SOME static void wait_held(struct service_world *w, size_t count) {
    struct held_count h = {.agent = &w->agent, .count = count};

    assert_true(run_until(w->event, held_is, &h, PATIENCE_USEC));
}
