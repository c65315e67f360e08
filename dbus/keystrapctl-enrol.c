/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl: enrol, renew, forget-enrolment, configure, and a profile in the status.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "keystrapctl.h"
#include "util.h"

#define PATH_SIZE (sizeof(CTL_PATH "/enrolment/") + PROFILE_NAME_MAX)

static int object_path(const char *profile, char ret[PATH_SIZE]) {
    size_t length = strlen(profile);

    if (length == 0 || length > PROFILE_NAME_MAX ||
        strspn(profile, "abcdefghijklmnopqrstuvwxyz0123456789-") != length) {
        ctl_error("%s: a profile's name is 1 to %u of a-z, 0-9 and -.", profile, PROFILE_NAME_MAX);
        return EX_USAGE;
    }
    (void)snprintf(ret, PATH_SIZE, CTL_PATH "/enrolment/%s", profile);
    for (char *p = ret; *p; p++)
        if (*p == '-')
            *p = '_';
    return EX_OK;
}

static int call(sd_bus *bus, const char *path, const char *method, bool options,
                sd_bus_message **ret) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_message_new_method_call(bus, &m, CTL_NAME, path, CTL_ENROLMENT, method);
    if (r >= 0 && options)
        r = sd_bus_message_append(m, "a{sv}", 0);
    if (r >= 0)
        r = sd_bus_call(bus, m, BUS_CALL_TIMEOUT_USEC, &error, ret);
    return r < 0 ? ctl_print_error(method, &error, r) : EX_OK;
}

/* --- enrol, renew, forget-enrolment ---------------------------------------------------------------- */

static int enrol_one(const struct ctl *ctl, sd_bus *bus, const char *path, const char *method) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    uint64_t expires;
    const char *id;
    char when[32];
    int r;

    r = call(bus, path, method, true, &m);
    if (r != EX_OK)
        return r;
    if (sd_bus_message_read(m, "st", &id, &expires) < 0) {
        ctl_error("keystrapd's answer is malformed.");
        return EX_PROTOCOL;
    }
    if (ctl->json)
        return ctl_print_json(json_pack("{s:s, s:I}", "KeyId", id, "Expires", (json_int_t)expires));
    printf("KeyId    %s\nExpires  %s\n", id, ctl_time(expires, when, sizeof(when)));
    return EX_OK;
}

static int enrol_all(const struct ctl *ctl, sd_bus *bus) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *path;
    int r, worst = EX_OK;

    r = sd_bus_get_property(bus, CTL_NAME, CTL_PATH, CTL_MANAGER, "Enrolments", &error, &m, "ao");
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "o");
    if (r < 0)
        return ctl_print_error("Enrolments", &error, r);
    while (sd_bus_message_read(m, "o", &path) > 0) {
        r = enrol_one(ctl, bus, path, "Enrol");
        if (r != EX_OK)
            worst = r;
    }
    return worst;
}

static int enrol(const struct ctl *ctl, const char *method) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    char path[PATH_SIZE];
    int r = EX_OK;

    if (ctl->arguments_count > 0)
        r = object_path(ctl->arguments[0], path);
    if (r == EX_OK)
        r = ctl_open(&bus);
    if (r != EX_OK)
        return r;
    return ctl->arguments_count > 0 ? enrol_one(ctl, bus, path, method) : enrol_all(ctl, bus);
}

int ctl_enrol(const struct ctl *ctl) {
    return enrol(ctl, "Enrol");
}

int ctl_renew(const struct ctl *ctl) {
    return enrol(ctl, "Renew");
}

int ctl_forget_enrolment(const struct ctl *ctl) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    char path[PATH_SIZE];
    int r;

    r = object_path(ctl->arguments[0], path);
    if (r == EX_OK)
        r = ctl_open(&bus);
    if (r == EX_OK)
        r = call(bus, path, "Forget", false, NULL);
    if (r != EX_OK)
        return r;
    if (ctl->json)
        return ctl_print_json(json_pack("{s:b}", "Forgotten", 1));
    puts("What was kept of the enrolment is erased.");
    return EX_OK;
}

/* --- configure --------------------------------------------------------------------------------------- */

int ctl_configure(const struct ctl *ctl) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    fd = open(ctl->arguments[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        ctl_error("%s: %s", ctl->arguments[0], strerror(errno));
        return EX_NOINPUT;
    }
    r = ctl_open(&bus);
    if (r != EX_OK)
        return r;
    r = sd_bus_call_method(bus, CTL_NAME, CTL_PATH, CTL_MANAGER, "Configure", &error, NULL, "h",
                           fd);
    if (r < 0)
        return ctl_print_error("Configure", &error, r);
    if (ctl->json)
        return ctl_print_json(json_pack("{s:b}", "Configured", 1));
    puts("The document is in force.");
    return EX_OK;
}

/* --- status ------------------------------------------------------------------------------------------ */

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));

    return text && text[0] ? text : "-";
}

static void print_methods(const json_t *list) {
    json_t *method;
    size_t i;

    json_array_foreach(list, i, method) {
        const char *words = json_string_value(json_array_get(method, 3));

        printf("%s  %s: %s", i == 0 ? "Methods    " : "           ",
               json_string_value(json_array_get(method, 0)),
               json_string_value(json_array_get(method, 1)));
        if (words && words[0])
            printf(", %s", words);
        putchar('\n');
    }
}

void ctl_print_enrolment(const json_t *o) {
    uint64_t expires = (uint64_t)json_integer_value(json_object_get(o, "Expires"));
    char when[32];

    printf("Enrolment    %s\n", text_of(o, "Name"));
    printf("State        %s\n", text_of(o, "State"));
    printf("Target       %s (%s)\n", text_of(o, "Target"), text_of(o, "TargetKind"));
    printf("MEF          %s\n", text_of(o, "Mef"));
    printf("Method       %s\n", text_of(o, "Method"));
    print_methods(json_object_get(o, "Methods"));
    printf("KeyId        %s\n", text_of(o, "KeId"));
    printf("Expires      %s\n", ctl_time(expires, when, sizeof(when)));
    if (json_is_true(json_object_get(o, "TokenPending")))
        puts("Token        waits to be presented");
    if (strcmp(text_of(o, "LastError"), "-") != 0)
        printf("Last error   %s: %s\n", text_of(o, "LastError"), text_of(o, "LastErrorText"));
}
