/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl: the commands that ask the Manager: status, bootstrap, forget, monitor, version.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "error-map.h"
#include "keystrapctl.h"
#include "text.h"
#include "util.h"

/* --- status -------------------------------------------------------------------------------------- */

static int get_all(sd_bus *bus, json_t **ret) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_call_method(bus, CTL_NAME, CTL_PATH, "org.freedesktop.DBus.Properties", "GetAll",
                           &error, &m, "s", CTL_MANAGER);
    if (r < 0) {
        ctl_error("keystrapd does not answer on the system bus: %s",
                  error.message ? error.message : strerror(-r));
        r = sd_bus_error_is_set(&error) ? ctl_exit_status(error_map_client(error.name)) : 0;
        return r > 0 ? r : EX_UNAVAILABLE;
    }
    *ret = ctl_read_dict(m, "sv");
    if (!*ret) {
        ctl_error("keystrapd's answer is malformed.");
        return EX_PROTOCOL;
    }
    return EX_OK;
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
    return strcmp(text_of(o, "Impi"), "-") == 0 ? "-" : "not on this USIM";
}

static void print_status(const json_t *o) {
    json_int_t tries = json_integer_value(json_object_get(o, "PinTries"));
    char expires[32];

    printf("State        %s\n", text_of(o, "State"));
    printf("Reader       %s (%s)\n", text_of(o, "Reader"), text_of(o, "Transport"));
    printf("Card         ICCID %s, IMPI %s\n", text_of(o, "Iccid"), text_of(o, "Impi"));
    printf("PIN          %s", text_of(o, "PinState"));
    if (tries >= 0)
        printf(", %" JSON_INTEGER_FORMAT " tries left", tries);
    printf("\nService 68   %s\n", service_of(o));
    printf("BSF          %s\n", text_of(o, "Bsf"));
    printf("B-TID        %s\n", text_of(o, "Btid"));
    printf("Expires      %s\n", ctl_time(number_of(o, "Expires"), expires, sizeof(expires)));
    printf("Bootstraps   %" PRIu64 "\n", number_of(o, "Bootstraps"));
    if (strcmp(text_of(o, "LastError"), "-") != 0)
        printf("Last error   %s: %s\n", text_of(o, "LastError"), text_of(o, "LastErrorText"));
    printf("Version      %s\n", text_of(o, "Version"));
}

int ctl_status(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    json_t *object = NULL;
    int r;

    r = ctl_open(&bus);
    if (r == EX_OK)
        r = get_all(bus, &object);
    if (r != EX_OK)
        return r;
    if (ctl->json)
        return ctl_print_json(object);
    print_status(object);
    json_decref(object);
    return EX_OK;
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
        r = ctl_call(bus, "Bootstrap", &m, "a{sv}", 0);
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
        r = ctl_call(bus, "Forget", NULL, "");
    if (r != EX_OK)
        return r;
    if (ctl->json)
        return ctl_print_json(json_pack("{s:b}", "Forgotten", 1));
    puts("The Ks is erased.");
    return EX_OK;
}

/* --- version ------------------------------------------------------------------------------------- */

int ctl_version(const struct ctl *ctl) {
    if (ctl->json)
        return ctl_print_json(json_pack("{s:s}", "Version", KEYSTRAP_VERSION));
    puts("keystrapctl " KEYSTRAP_VERSION);
    return EX_OK;
}

/* --- monitor ------------------------------------------------------------------------------------- */

static void print_change(const char *name, const json_t *value) {
    char now[32], text[FAILURE_TEXT_MAX] = "";

    if (json_is_string(value))
        text_copy(text, sizeof(text), json_string_value(value));
    else if (json_is_boolean(value))
        (void)snprintf(text, sizeof(text), "%s", json_is_true(value) ? "yes" : "no");
    else
        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    printf("%s  %-16s %s\n", ctl_time(now_realtime_usec(), now, sizeof(now)), name, text);
}

static void print_properties(sd_bus_message *m, const struct ctl *ctl) {
    json_t *object, *value;
    const char *name;

    object = ctl_read_dict(m, "sv");
    if (!object)
        return;
    if (ctl->json) {
        (void)ctl_print_json(object);
        return;
    }
    json_object_foreach(object, name, value) print_change(name, value);
    (void)fflush(stdout);
    json_decref(object);
}

struct monitor {
    struct ctl ctl;
    bool begun; /* how things stand was told, and changes follow */
};

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const struct monitor *monitor = userdata;
    const char *interface;

    (void)error;
    /* What changes before the beginning is in what is told at the beginning. */
    if (monitor->begun && sd_bus_message_read(m, "s", &interface) >= 0 &&
        strcmp(interface, CTL_MANAGER) == 0)
        print_properties(m, &monitor->ctl);
    return 0;
}

static int on_all(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct monitor *monitor = userdata;

    (void)error;
    monitor->begun = true;
    if (!sd_bus_message_is_method_error(m, NULL))
        print_properties(m, &monitor->ctl); /* else nobody is there yet, and may come */
    return 0;
}

/* How things stand when we begin to listen, so that nobody waits for a change that has been. Starts no daemon. */
static int ask_for_all(sd_bus *bus, void *userdata) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_message_new_method_call(bus, &m, CTL_NAME, CTL_PATH,
                                       "org.freedesktop.DBus.Properties", "GetAll");
    if (r >= 0)
        r = sd_bus_message_set_auto_start(m, false);
    if (r >= 0)
        r = sd_bus_message_append(m, "s", CTL_MANAGER);
    return r < 0 ? r : sd_bus_call_async(bus, NULL, m, on_all, userdata, 0);
}

static int on_installed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    sd_event *event = sd_bus_get_event(sd_bus_message_get_bus(m));

    (void)error;
    if (!sd_bus_message_is_method_error(m, NULL))
        return ask_for_all(sd_bus_message_get_bus(m), userdata);
    ctl_error("The system bus does not let us listen: %s", sd_bus_message_get_error(m)->message);
    return sd_event_exit(event, EX_NOPERM);
}

static int on_bus_gone(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)m, (void)error;
    ctl_error("The system bus closed the connection.");
    return sd_event_exit(userdata, EX_UNAVAILABLE); /* the bus has left its event loop already */
}

static int on_reader_gone(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)fd, (void)events, (void)userdata;
    return sd_event_exit(sd_event_source_get_event(source), EX_OK);
}

/* A pipeline as "monitor | head -n 1" ends with its reader, and not with the next change. */
static int watch_reader(sd_event *event) {
    int r = sd_event_add_io(event, NULL, STDOUT_FILENO, EPOLLERR, on_reader_gone, NULL);

    return r == -EPERM ? 0 : r; /* a file, which has no reader */
}

static int block_and_watch(sd_event *event, int number) {
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return sd_event_add_signal(event, NULL, number, NULL, NULL);
}

int ctl_monitor(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    struct monitor monitor = {.ctl = *ctl};
    int r;

    r = ctl_open(&bus);
    if (r != EX_OK)
        return r;
    r = sd_event_new(&event);
    if (r >= 0)
        r = block_and_watch(event, SIGINT);
    if (r >= 0)
        r = block_and_watch(event, SIGTERM);
    if (r >= 0)
        r = watch_reader(event);
    if (r >= 0)
        r = sd_bus_attach_event(bus, event, 0);
    if (r >= 0)
        r = sd_bus_match_signal(bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                "org.freedesktop.DBus.Local", "Disconnected", on_bus_gone, event);
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, NULL, CTL_NAME, CTL_PATH,
                                      "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                      on_changed, on_installed, &monitor);
    if (r >= 0)
        r = sd_event_loop(event);
    if (r < 0) {
        ctl_error("Cannot listen: %s", strerror(-r));
        return EX_OSERR;
    }
    return r;
}
