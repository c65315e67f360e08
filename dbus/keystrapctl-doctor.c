/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl doctor: what stands between here and a key, one line each, and what to do about it.
 *
 * First what only the caller can see (bus, daemon, policy), then what the daemon sees.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "error-map.h"
#include "keystrapctl.h"
#include "text.h"
#include "util.h"

struct doctor {
    const struct ctl *ctl;
    json_t *checks;   /* for --json */
    const char *uicc; /* whose checks these are, where there are several cards; else NULL */
    int status;       /* the exit status so far */
};

static void report(struct doctor *d, const char *name, const char *result, const char *text,
                   const char *remedy) {
    bool ok = strcmp(result, "ok") == 0;
    char clean[FAILURE_TEXT_MAX];

    text_copy(clean, sizeof(clean), text);
    if (!ok && d->status == EX_OK)
        d->status = CTL_EXIT_CHECK_FAILED;
    if (d->ctl->json) {
        json_t *check = json_pack("{s:s, s:s, s:s, s:s}", "Check", name, "Result", result, "Text",
                                  clean, "Remedy", remedy);

        if (d->uicc)
            (void)json_object_set_new(check, "Uicc", json_string(d->uicc));
        (void)json_array_append_new(d->checks, check);
        return;
    }
    printf("%s  %-12s %s\n", ok ? "ok" : "!!", name, clean);
    if (!ok && remedy[0])
        printf("    do: %s\n", remedy);
}

static void report_no_diagnosis(struct doctor *d, const sd_bus_error *error, int r) {
    const char *text = error->message ? error->message : strerror(-r);
    int client = error->name ? error_map_client(error->name) : -ESRCH;

    d->status = ctl_exit_status(client);
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
        report(
            d, "bus-policy", "denied", text,
            "Install org.keystrap.Agent1.conf in /usr/share/dbus-1/system.d and reload the bus.");
    else if (client == -ESRCH)
        report(
            d, "daemon", "absent", text,
            "Start keystrapd: systemctl start keystrapd; see its journal where it does not stay.");
    else if (client == -EACCES)
        report(d, "access", "denied", text,
               "Run this as root, or as a principal with Manage=yes in /etc/keystrap/access.d.");
    else
        report(d, "diagnosis", "failed", text, "See the journal of keystrapd.");
}

static int report_checks(struct doctor *d, sd_bus_message *m) {
    const char *name, *result, *text, *remedy;
    int r;

    r = sd_bus_message_enter_container(m, 'a', "(ssss)");
    while (r >= 0 && (r = sd_bus_message_read(m, "(ssss)", &name, &result, &text, &remedy)) > 0)
        report(d, name, result, text, remedy);
    return r;
}

/* Whether the daemon answered. What it can be reached by comes before what it says. */
static bool check_daemon(struct doctor *d, sd_bus *bus) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_free_ char *version = NULL;
    char text[128];
    int r;

    r = sd_bus_get_property_string(bus, CTL_NAME, CTL_PATH, CTL_MANAGER, "Version", &error,
                                   &version);
    if (r < 0) {
        report_no_diagnosis(d, &error, r);
        return false;
    }
    report(d, "bus-policy", "ok", "The bus lets this user call " CTL_NAME ".", "");
    (void)snprintf(text, sizeof(text), "keystrapd %s answers.", version);
    report(d, "daemon", "ok", text, "");
    return true;
}

static void check_card(struct doctor *d, sd_bus *bus, const char *uicc) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const struct ctl ctl = {.uicc = uicc};
    char path[CTL_PATH_MAX];
    const char *interface = ctl_object(&ctl, path);
    int r;

    r = sd_bus_call_method(bus, CTL_NAME, path, interface, "Diagnose", &error, &m, "a{sv}", 0);
    if (r < 0)
        report_no_diagnosis(d, &error, r);
    else if (report_checks(d, m) < 0)
        d->status = EX_PROTOCOL;
}

/* Every card that is configured, one after the other. Where there is one, it need not be named. */
static void check_cards(struct doctor *d, sd_bus *bus) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    char **paths = NULL;
    size_t count = 0;

    (void)sd_bus_get_property_strv(bus, CTL_NAME, CTL_PATH, CTL_MANAGER, "Uiccs", &error, &paths);
    while (paths && paths[count])
        count++;
    if (count < 2)
        check_card(d, bus, NULL);
    for (size_t i = 0; i < count; i++) {
        char name[CARD_NAME_MAX + 1];

        if (count > 1 && ctl_card_of(paths[i], name)) {
            d->uicc = name;
            if (!d->ctl->json)
                printf("\nUICC %s\n", name);
            check_card(d, bus, name);
            d->uicc = NULL;
        }
        free(paths[i]);
    }
    free(paths);
}

static void check_all(struct doctor *d) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    int r;

    r = sd_bus_open_system_with_description(&bus, "keystrapctl");
    if (r < 0) {
        d->status = EX_UNAVAILABLE;
        report(d, "bus", "absent", strerror(-r),
               r == -EACCES || r == -EPERM ? "Let this user connect to the bus's socket."
                                           : "Start the system bus: systemctl start dbus.");
        return;
    }
    report(d, "bus", "ok", "The system bus answers.", "");
    (void)sd_bus_set_method_call_timeout(bus, BUS_CALL_TIMEOUT_USEC);
    if (!check_daemon(d, bus))
        return;
    if (d->ctl->uicc)
        check_card(d, bus, d->ctl->uicc);
    else
        check_cards(d, bus);
}

int ctl_doctor(const struct ctl *ctl) {
    struct doctor d = {.ctl = ctl, .status = EX_OK};
    int r;

    d.checks = json_array();
    if (!d.checks)
        return EX_OSERR;
    check_all(&d);
    if (!ctl->json) {
        json_decref(d.checks);
        return d.status;
    }
    r = ctl_print_json(json_pack("{s:b, s:o}", "Ok", d.status == EX_OK, "Checks", d.checks));
    return r == EX_OK ? d.status : r;
}
