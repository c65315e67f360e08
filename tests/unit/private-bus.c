/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The private bus: a real dbus-daemon, so that what is tested is what runs.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "private-bus.h"
#include "util.h"

static void write_config(const struct private_bus *bus, const char *path) {
    _cleanup_fclose_ FILE *f = fopen(path, "we");

    assert_non_null(f);
    (void)fprintf(f,
                  "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration "
                  "1.0//EN\" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                  "<busconfig><type>custom</type><listen>unix:path=%s</listen>\n"
                  "<auth>EXTERNAL</auth><policy context=\"default\">\n"
                  "<allow user=\"*\"/><allow own=\"*\"/><allow send_type=\"*\"/>\n"
                  "<allow receive_type=\"*\"/></policy>\n"
                  "<limit name=\"max_replies_per_connection\">100000</limit>\n"
                  "<limit name=\"max_connections_per_user\">4096</limit>\n"
                  "<limit name=\"max_completed_connections\">4096</limit></busconfig>\n",
                  bus->socket);
}

static void exec_daemon(const char *config, int print_fd, pid_t parent) {
    char config_option[160], address_option[48];
    /* What it says about the limits of the machine is nothing to the test. */
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(null, STDERR_FILENO);
    if (getppid() != parent || dup2(print_fd, 3) < 0)
        _exit(127);
    (void)snprintf(config_option, sizeof(config_option), "--config-file=%s", config);
    (void)snprintf(address_option, sizeof(address_option), "--print-address=3");
    (void)execlp("dbus-daemon", "dbus-daemon", config_option, "--nofork", "--nopidfile",
                 "--nosyslog", address_option, (char *)NULL);
    _exit(127);
}

void private_bus_start(struct private_bus *bus) {
    char config[128], address[160], line[256];
    pid_t parent = getpid();
    int fds[2];

    if (bus->directory[0] == '\0') {
        (void)snprintf(bus->directory, sizeof(bus->directory), "/tmp/keystrap-bus-XXXXXX");
        assert_non_null(mkdtemp(bus->directory));
        (void)snprintf(bus->socket, sizeof(bus->socket), "%s/bus", bus->directory);
    }
    (void)snprintf(config, sizeof(config), "%s/bus.conf", bus->directory);
    write_config(bus, config);
    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    bus->pid = fork();
    assert_return_code(bus->pid, errno);
    if (bus->pid == 0)
        exec_daemon(config, fds[1], parent);
    (void)close(fds[1]);
    /* The address is printed once the daemon listens. */
    assert_true(read(fds[0], line, sizeof(line)) > 0);
    (void)close(fds[0]);
    (void)snprintf(address, sizeof(address), "unix:path=%s", bus->socket);
    assert_return_code(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), errno);
}

void private_bus_kill(struct private_bus *bus) {
    if (bus->pid <= 0)
        return;
    (void)kill(bus->pid, SIGKILL);
    (void)waitpid(bus->pid, NULL, 0);
    bus->pid = 0;
    (void)unlink(bus->socket);
}

void private_bus_stop(struct private_bus *bus) {
    char config[128];

    private_bus_kill(bus);
    (void)snprintf(config, sizeof(config), "%s/bus.conf", bus->directory);
    (void)unlink(config);
    (void)rmdir(bus->directory);
    bus->directory[0] = '\0';
}

bool run_until(sd_event *event, condition_fn condition, void *userdata, uint64_t usec) {
    uint64_t deadline = deadline_after(usec);

    while (!condition(userdata)) {
        if (now_usec() >= deadline)
            return false;
        assert_return_code(sd_event_run(event, 20 * USEC_PER_MSEC), 0);
    }
    return true;
}

sd_bus *client_new(sd_event *event) {
    sd_bus *bus = NULL;

    assert_return_code(sd_bus_open_system(&bus), 0);
    assert_return_code(sd_bus_attach_event(bus, event, 0), 0);
    return bus;
}

int answer_got(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct answer *answer = userdata;

    (void)error;
    answer->there = true;
    answer->message = sd_bus_message_ref(m);
    return 0;
}

static bool is_there(void *userdata) {
    return ((struct answer *)userdata)->there;
}

void answer_wait(sd_event *event, struct answer *answer) {
    assert_true(run_until(event, is_there, answer, PATIENCE_USEC));
}

void answer_done(struct answer *answer) {
    answer->message = sd_bus_message_unref(answer->message);
    answer->there = false;
}
