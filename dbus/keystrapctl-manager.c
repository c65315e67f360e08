/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl: the commands that ask the Manager or a card: status, bootstrap, forget; and version.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "keystrapctl.h"
#include "util.h"

/* --- status -------------------------------------------------------------------------------------- */

static int get_all(sd_bus *bus, const char *path, const char *interface, json_t **ret) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_call_method(bus, CTL_NAME, path, "org.freedesktop.DBus.Properties", "GetAll", &error,
                           &m, "s", interface);
    if (r < 0)
        return ctl_print_error("GetAll", &error, r);
    *ret = ctl_read_dict(m, "sv");
    if (!*ret) {
        ctl_error("keystrapd's answer is malformed.");
        return EX_PROTOCOL;
    }
    return EX_OK;
}

/* The properties of each card, as the array Cards beside those of the Manager. */
static int get_cards(sd_bus *bus, json_t *manager) {
    json_t *path, *cards = json_array();
    int r = EX_OK;
    size_t i;

    json_array_foreach(json_object_get(manager, "Uiccs"), i, path) {
        json_t *card = NULL;

        r = get_all(bus, json_string_value(path), CTL_UICC, &card);
        if (r != EX_OK)
            break;
        (void)json_array_append_new(cards, card);
    }
    (void)json_object_set_new(manager, "Cards", cards);
    return r;
}

/* Likewise of each profile, as Profiles. */
static int get_enrolments(sd_bus *bus, json_t *manager) {
    json_t *path, *enrolments = json_array();
    int r = EX_OK;
    size_t i;

    json_array_foreach(json_object_get(manager, "Enrolments"), i, path) {
        json_t *enrolment = NULL;

        r = get_all(bus, json_string_value(path), CTL_ENROLMENT, &enrolment);
        if (r != EX_OK)
            break;
        (void)json_array_append_new(enrolments, enrolment);
    }
    (void)json_object_set_new(manager, "Profiles", enrolments);
    return r;
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));

    return text && text[0] ? text : "-";
}

static uint64_t number_of(const json_t *object, const char *name) {
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* Without a card that was read there is no service table to speak of. */
static const char *service_of(const json_t *o) {
    if (json_is_true(json_object_get(o, "ServiceGba")))
        return "GBA";
    return strcmp(text_of(o, "Impi"), "-") == 0 ? "-" : "not announced by the card";
}

static void print_card(const json_t *o) {
    json_int_t tries = json_integer_value(json_object_get(o, "PinTries"));
    char expires[32];

    printf("UICC         %s\n", text_of(o, "Name"));
    printf("State        %s\n", text_of(o, "State"));
    printf("Reader       %s (%s)\n", text_of(o, "Reader"), text_of(o, "Transport"));
    printf("Card         ICCID %s, IMPI %s\n", text_of(o, "Iccid"), text_of(o, "Impi"));
    printf("Application  %s\n", text_of(o, "Application"));
    printf("PIN          %s", text_of(o, "PinState"));
    if (tries >= 0)
        printf(", %" JSON_INTEGER_FORMAT " tries left", tries);
    printf("\nGBA service  %s\n", service_of(o));
    printf("GBA mode     %s\n", text_of(o, "GbaMode"));
    printf("BSF          %s\n", text_of(o, "Bsf"));
    printf("B-TID        %s\n", text_of(o, "Btid"));
    printf("Expires      %s\n", ctl_time(number_of(o, "Expires"), expires, sizeof(expires)));
    printf("Bootstraps   %" PRIu64 "\n", number_of(o, "Bootstraps"));
    if (strcmp(text_of(o, "LastError"), "-") != 0)
        printf("Last error   %s: %s\n", text_of(o, "LastError"), text_of(o, "LastErrorText"));
}

static void print_status(const json_t *o) {
    json_t *card;
    size_t i;

    json_array_foreach(json_object_get(o, "Cards"), i, card) {
        print_card(card);
        putchar('\n');
    }
    json_array_foreach(json_object_get(o, "Profiles"), i, card) {
        ctl_print_enrolment(card);
        putchar('\n');
    }
    printf("Version      %s\n", text_of(o, "Version"));
}

int ctl_status(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    char path[CTL_PATH_MAX];
    const char *interface = ctl_object(ctl, path);
    json_t *object = NULL;
    int r;

    r = ctl_open(&bus);
    if (r == EX_OK)
        r = get_all(bus, path, interface, &object);
    if (r == EX_OK && !ctl->uicc)
        r = get_cards(bus, object);
    if (r == EX_OK && !ctl->uicc)
        r = get_enrolments(bus, object);
    if (r == EX_OK && ctl->json)
        return ctl_print_json(object);
    if (r == EX_OK && ctl->uicc)
        print_card(object);
    else if (r == EX_OK)
        print_status(object);
    json_decref(object);
    return r;
}

/* --- bootstrap and forget ------------------------------------------------------------------------ */

int ctl_bootstrap(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *btid;
    uint64_t expires;
    char when[32];
    int r;

    r = ctl_open(&bus);
    if (r == EX_OK)
        r = ctl_call(ctl, bus, "Bootstrap", &m, "a{sv}", 0);
    if (r != EX_OK)
        return r;
    if (sd_bus_message_read(m, "st", &btid, &expires) < 0) {
        ctl_error("keystrapd's answer is malformed.");
        return EX_PROTOCOL;
    }
    if (ctl->json)
        return ctl_print_json(
            json_pack("{s:s, s:I}", "Btid", btid, "Expires", (json_int_t)expires));
    printf("B-TID    %s\nExpires  %s\n", btid, ctl_time(expires, when, sizeof(when)));
    return EX_OK;
}

int ctl_forget(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    int r;

    r = ctl_open(&bus);
    if (r == EX_OK)
        r = ctl_call(ctl, bus, "Forget", NULL, "");
    if (r != EX_OK)
        return r;
    if (ctl->json)
        return ctl_print_json(json_pack("{s:b}", "Forgotten", 1));
    puts(ctl->uicc ? "The Ks is erased." : "The Ks of every card is erased.");
    return EX_OK;
}

/* --- version ------------------------------------------------------------------------------------- */

int ctl_version(const struct ctl *ctl) {
    if (ctl->json)
        return ctl_print_json(json_pack("{s:s}", "Version", KEYSTRAP_VERSION));
    puts("keystrapctl " KEYSTRAP_VERSION);
    return EX_OK;
}
