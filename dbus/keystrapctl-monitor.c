/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl monitor: how things stand, and then every change, as it comes.
 *
 * Without --uicc and --profile it tells what the Manager says, which speaks of the first card, and beside it what the other
 * cards and the profiles say.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "keystrapctl.h"
#include "text.h"
#include "util.h"

/* Whose change it is: of the object that the user has asked for, which is not named in every line, or of another. */
struct whose {
    const char *member; /* of JSON that has the name; NULL for the own object */
    char name[CTL_OBJECT_NAME_MAX + 1];
};

static struct whose whose(const char *path) {
    struct whose ret = {0};

    if (ctl_card_of(path, ret.name))
        ret.member = "Uicc";
    else if (ctl_profile_of(path, ret.name))
        ret.member = "Profile";
    return ret;
}

/* Texts with a space between, methods of a profile with what became of them. */
static void join(const json_t *array, char *ret, size_t size) {
    const json_t *value;
    size_t i;

    json_array_foreach(array, i, value) {
        const size_t used = strlen(ret);

        if (json_is_object(value))
            (void)snprintf(ret + used, size - used, "%s%s %s (%s)", i > 0 ? ", " : "",
                           ctl_text_of(value, "Method"), ctl_text_of(value, "Verdict"),
                           ctl_text_of(value, "Outcome"));
        else
            (void)snprintf(ret + used, size - used, "%s%s", i > 0 ? " " : "",
                           json_string_value(value));
    }
}

static void print_change(const struct whose *whose, const char *name, const json_t *value) {
    char now[32], text[FAILURE_TEXT_MAX] = "";

    if (json_is_string(value))
        text_copy(text, sizeof(text), json_string_value(value));
    else if (json_is_boolean(value))
        (void)snprintf(text, sizeof(text), "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_array(value))
        join(value, text, sizeof(text));
    else
        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    printf("%s  ", ctl_time(now_realtime_usec(), now, sizeof(now)));
    if (whose->member)
        printf("%s%s: ", strcmp(whose->member, "Profile") == 0 ? "enrolment " : "", whose->name);
    printf("%-16s %s\n", name, text);
}

static void print_object(const struct ctl *ctl, const struct whose *whose, json_t *object) {
    const char *name;
    json_t *value;

    if (!object)
        return;
    if (ctl->json) {
        if (whose->member)
            (void)json_object_set_new(object, whose->member, json_string(whose->name));
        (void)ctl_print_json(object);
        return;
    }
    json_object_foreach(object, name, value) print_change(whose, name, value);
    (void)fflush(stdout);
    json_decref(object);
}

struct monitor {
    struct ctl ctl;
    char path[CTL_PATH_MAX]; /* of the object whose beginning is told */
    const char *interface;
    char first[CTL_PATH_MAX]; /* the object of the first card, which the Manager speaks of */
    bool begun;               /* how things stand was told, and changes follow */
};

/* Whether the user has asked for one card or profile alone. */
static bool is_one(const struct monitor *monitor) {
    return monitor->ctl.uicc || monitor->ctl.profile;
}

static void note_first(struct monitor *monitor, const json_t *object) {
    const char *path = json_string_value(json_array_get(json_object_get(object, "Uiccs"), 0));

    if (path)
        (void)snprintf(monitor->first, sizeof(monitor->first), "%s", path);
}

static void on_properties(struct monitor *monitor, sd_bus_message *m) {
    const char *path = sd_bus_message_get_path(m), *interface;
    bool own = strcmp(path, monitor->path) == 0;
    struct whose of = own ? (struct whose){0} : whose(path);
    json_t *object;

    if (sd_bus_message_read(m, "s", &interface) < 0 || strncmp(interface, CTL_NAME ".", 20) != 0)
        return;
    if (!own && (is_one(monitor) || strcmp(path, monitor->first) == 0))
        return;
    object = ctl_read_dict(m, "sv");
    note_first(monitor, object);
    print_object(&monitor->ctl, &of, object);
}

static void on_card(struct monitor *monitor, sd_bus_message *m) {
    const char *path, *reader = "", *member = sd_bus_message_get_member(m);
    struct whose of;

    if (is_one(monitor) || sd_bus_message_read(m, "o", &path) < 0)
        return;
    if (sd_bus_message_at_end(m, true) == 0 && sd_bus_message_read(m, "s", &reader) < 0)
        return;
    of = whose(path);
    print_object(&monitor->ctl, &of, json_pack("{s:s}", member, reader));
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct monitor *monitor = userdata;

    (void)error;
    /* What changes before the beginning is in what is told at the beginning. */
    if (!monitor->begun)
        return 0;
    if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
        on_properties(monitor, m);
    else if (sd_bus_message_is_signal(m, CTL_MANAGER, "CardInserted") ||
             sd_bus_message_is_signal(m, CTL_MANAGER, "CardRemoved"))
        on_card(monitor, m);
    return 0;
}

static int on_all(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct monitor *monitor = userdata;
    json_t *object;

    (void)error;
    monitor->begun = true;
    if (sd_bus_message_is_method_error(m, NULL))
        return 0; /* nobody is there yet, and may come */
    object = ctl_read_dict(m, "sv");
    note_first(monitor, object);
    print_object(&monitor->ctl, &(struct whose){0}, object);
    return 0;
}

/* How things stand when we begin to listen, so that nobody waits for a change that has been. Starts no daemon. */
static int ask_for_all(sd_bus *bus, struct monitor *monitor) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_message_new_method_call(bus, &m, CTL_NAME, monitor->path,
                                       "org.freedesktop.DBus.Properties", "GetAll");
    if (r >= 0)
        r = sd_bus_message_set_auto_start(m, false);
    if (r >= 0)
        r = sd_bus_message_append(m, "s", monitor->interface);
    return r < 0 ? r : sd_bus_call_async(bus, NULL, m, on_all, monitor, 0);
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

    monitor.interface = ctl_object(ctl, monitor.path);
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
        r = sd_bus_add_match_async(
            bus, NULL, "type='signal',sender='" CTL_NAME "',path_namespace='" CTL_PATH "'",
            on_signal, on_installed, &monitor);
    if (r >= 0)
        r = sd_event_loop(event);
    if (r < 0) {
        ctl_error("Cannot listen: %s", strerror(-r));
        return EX_OSERR;
    }
    return r;
}
