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

/* The properties of each of the objects in the array @paths of the Manager, as the array @name beside its own. */
static int get_objects(sd_bus *bus, json_t *manager, const char *paths, const char *interface,
                       const char *name) {
    json_t *path, *objects = json_array();
    int r = EX_OK;
    size_t i;

    json_array_foreach(json_object_get(manager, paths), i, path) {
        json_t *object = NULL;

        r = ctl_get_all(bus, json_string_value(path), interface, &object);
        if (r != EX_OK)
            break;
        (void)json_array_append_new(objects, object);
    }
    (void)json_object_set_new(manager, name, objects);
    return r;
}

static uint64_t number_of(const json_t *object, const char *name) {
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* Without a card that was read there is no service table to speak of. */
static const char *service_of(const json_t *o) {
    if (json_is_true(json_object_get(o, "ServiceGba")))
        return "GBA";
    return strcmp(ctl_text_of(o, "Impi"), "-") == 0 ? "-" : "not announced by the card";
}

static void print_card(const json_t *o) {
    json_int_t tries = json_integer_value(json_object_get(o, "PinTries"));
    char expires[32];

    printf("UICC         %s\n", ctl_text_of(o, "Name"));
    printf("State        %s\n", ctl_text_of(o, "State"));
    printf("Reader       %s (%s)\n", ctl_text_of(o, "Reader"), ctl_text_of(o, "Transport"));
    printf("Card         ICCID %s, IMPI %s\n", ctl_text_of(o, "Iccid"), ctl_text_of(o, "Impi"));
    printf("Application  %s\n", ctl_text_of(o, "Application"));
    printf("PIN          %s", ctl_text_of(o, "PinState"));
    if (tries >= 0)
        printf(", %" JSON_INTEGER_FORMAT " tries left", tries);
    printf("\nGBA service  %s\n", service_of(o));
    printf("GBA mode     %s\n", ctl_text_of(o, "GbaMode"));
    printf("BSF          %s\n", ctl_text_of(o, "Bsf"));
    printf("B-TID        %s\n", ctl_text_of(o, "Btid"));
    printf("Expires      %s\n", ctl_time(number_of(o, "Expires"), expires, sizeof(expires)));
    printf("Bootstraps   %" PRIu64 "\n", number_of(o, "Bootstraps"));
    if (strcmp(ctl_text_of(o, "LastError"), "-") != 0)
        printf("Last error   %s: %s\n", ctl_text_of(o, "LastError"),
               ctl_text_of(o, "LastErrorText"));
}

static void print_status(const json_t *o) {
    json_t *object;
    size_t i;

    json_array_foreach(json_object_get(o, "Cards"), i, object) {
        print_card(object);
        putchar('\n');
    }
    json_array_foreach(json_object_get(o, "Profiles"), i, object) {
        ctl_print_enrolment(object);
        putchar('\n');
    }
    printf("Version      %s\n", ctl_text_of(o, "Version"));
}

int ctl_status(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    char path[CTL_PATH_MAX];
    const char *interface = ctl_object(ctl, path);
    bool all = !ctl->uicc && !ctl->profile;
    json_t *object = NULL;
    int r;

    r = ctl_open(&bus);
    if (r == EX_OK)
        r = ctl_get_all(bus, path, interface, &object);
    if (r == EX_OK && all)
        r = get_objects(bus, object, "Uiccs", CTL_UICC, "Cards");
    if (r == EX_OK && all)
        r = get_objects(bus, object, "Enrolments", CTL_ENROLMENT, "Profiles");
    if (r == EX_OK && ctl->json)
        return ctl_print_json(object);
    if (r == EX_OK && all)
        print_status(object);
    else if (r == EX_OK && ctl->profile)
        ctl_print_enrolment(object);
    else if (r == EX_OK)
        print_card(object);
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
