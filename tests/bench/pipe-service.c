/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-pipe-service: the least that a service can do which hands 32 octets out through a descriptor.
 *
 * It takes the call of org.keystrap.Agent1.Keys.DeriveNafKey and answers with a reply of the same fields and a
 * fresh pipe, but asks nobody, derives nothing and checks nothing. What keystrapd is slower than this is keystrapd's;
 * the rest is sd-bus, the bus daemon and the kernel. It waits in the queue for keystrapd's name, so that the bus's
 * policy lets clients call it, by its unique name.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "keystrap-limits.h"
#include "util.h"

#define BTID "AAECAwQFBgcICQoLDA0ODw==@bsf.mnc001.mcc001.pub.3gppnetwork.org"

static int full_pipe(void) {
    static const uint8_t octets[NAF_KEY_LENGTH] = {1};
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    if (write(fds[1], octets, sizeof(octets)) != (ssize_t)sizeof(octets)) {
        (void)close(fds[1]);
        (void)close(fds[0]);
        return -EIO;
    }
    (void)close(fds[1]);
    return fds[0];
}

static int read_call(sd_bus_message *m) {
    const char *naf_fqdn;
    const void *ua;
    size_t ua_length;
    int r;

    r = sd_bus_message_read(m, "s", &naf_fqdn);
    if (r >= 0)
        r = sd_bus_message_read_array(m, 'y', &ua, &ua_length);
    return r < 0 ? r : sd_bus_message_skip(m, "a{sv}");
}

static int method_derive_naf_key(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    (void)userdata, (void)error;
    r = read_call(m);
    if (r < 0)
        return r;
    fd = full_pipe();
    if (fd < 0)
        return fd;
    r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = sd_bus_message_append(reply, "shta{sv}", BTID, fd, UINT64_C(1), 1, "BootTimeExpires",
                                  "t", UINT64_C(2));
    if (r >= 0)
        r = sd_bus_send(NULL, reply, NULL);
    return r < 0 ? r : 1;
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("DeriveNafKey", "saya{sv}", "shta{sv}", method_derive_naf_key,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int serve(sd_event *event, sd_bus *bus) {
    const char *name;
    int r;

    r = sd_bus_add_object_vtable(bus, NULL, "/org/keystrap/Agent1", "org.keystrap.Agent1.Keys",
                                 vtable, NULL);
    if (r >= 0)
        r = sd_bus_attach_event(bus, event, 0);
    if (r >= 0)
        r = sd_bus_request_name(bus, "org.keystrap.Agent1", SD_BUS_NAME_QUEUE);
    if (r >= 0)
        r = sd_bus_get_unique_name(bus, &name);
    if (r < 0)
        return r;
    (void)printf("ready %s\n", name);
    (void)fflush(stdout);
    return sd_event_loop(event);
}

int main(void) {
    sd_event *event = NULL;
    sd_bus *bus = NULL;
    sigset_t end;
    int r;

    (void)sigemptyset(&end);
    (void)sigaddset(&end, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &end, NULL);
    r = sd_event_default(&event);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = serve(event, bus);
    if (r < 0)
        (void)fprintf(stderr, "bench-pipe-service: %s\n", strerror(-r));
    bus = sd_bus_flush_close_unref(bus);
    event = sd_event_unref(event);
    return r < 0 ? EX_UNAVAILABLE : EX_OK;
}
