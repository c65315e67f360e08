/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A card at its APDU border, for the tests of it: octets in, octets out, all in hex.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "card.h"
#include "hex.h"
#include "subscribers.h"

struct scene {
    struct lab_subscribers subscribers;
    struct card_options options;
    struct card *card; /* NULL before scene_insert() */
    char reply[2 * CARD_REPLY_MAX + 1];
};

/* The subscribers of @text, or of the lab where that is NULL. */
static inline struct scene *scene_new(const char *text) {
    struct scene *scene = calloc(1, sizeof(*scene));
    char error[256] = "";
    int r;

    assert_non_null(scene);
    r = text ? lab_subscribers_parse(text, "test", &scene->subscribers, error, sizeof(error))
             : lab_subscribers_load(LAB_CONF, &scene->subscribers, error, sizeof(error));
    if (r != 0)
        fail_msg("%s", error);
    return scene;
}

/* What a test changes of it counts with the next scene_insert(). */
static inline void scene_options(struct scene *scene, const char *subscriber) {
    scene->options = (struct card_options){
        .subscriber = lab_subscribers_by_name(&scene->subscribers, subscriber),
        .channels = 4,
        .res_length = MILENAGE_RES,
    };
    assert_non_null(scene->options.subscriber);
}

/* A card with power, of the scene's options; the one before is gone. */
static inline void scene_insert(struct scene *scene) {
    card_free(scene->card);
    assert_int_equal(card_new(&scene->options, &scene->card), 0);
    card_power(scene->card, true);
}

static inline int scene_teardown(void **state) {
    struct scene *scene = *state;

    card_free(scene->card);
    lab_subscribers_done(&scene->subscribers);
    free(scene);
    return 0;
}

/* The answer lives until the next one. */
static inline const char *say(struct scene *scene, const char *command) {
    uint8_t octets[CARD_COMMAND_MAX + 39], reply[CARD_REPLY_MAX]; /* tests say too much, too */
    size_t length;

    assert_int_equal(hex_decode(command, octets, sizeof(octets), &length), 0);
    length = card_transmit(scene->card, octets, length, reply);
    hex_encode(reply, length, scene->reply);
    return scene->reply;
}

static inline void expect(struct scene *scene, const char *command, const char *expected) {
    const char *got = say(scene, command);

    if (strcmp(got, expected) != 0)
        fail_msg("%s was answered %s, not %s", command, got, expected);
}
