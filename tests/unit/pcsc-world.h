/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A world for uicc-pcsc: mount and network namespaces of its own (pcscd's socket path and vpcd's port are
 * fixed), a real pcscd in it that can be started and killed, and the program at the end of a socket.
 */

#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "plugin-program.h"

#define WORLD_PCSCD     "/usr/sbin/pcscd"
#define WORLD_READERS   "/run/readers" /* pcscd's configuration */

static inline void world_enter(void) {
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    _cleanup_close_ int fd = -1;

    assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
    assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    assert_int_equal(mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"), 0);
    assert_int_equal(mkdir("/run/pcscd", 0755), 0);
    assert_int_equal(mkdir(WORLD_READERS, 0755), 0);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
}

/* Put vpcd's reader into pcscd's configuration, or take it out. */
static inline void world_reader(bool there) {
    FILE *f;

    if (!there) {
        (void)unlink(WORLD_READERS "/vpcd");
        return;
    }
    f = fopen(WORLD_READERS "/vpcd", "we");
    assert_non_null(f);
    fprintf(f, "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x8C7B\n"
               "LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\nCHANNELID 0x8C7B\n");
    assert_int_equal(fclose(f), 0);
}

static inline pid_t world_pcscd_start(void) {
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!getenv("KEYSTRAP_TEST_VERBOSE") &&
            (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
            _exit(126);
        execl(WORLD_PCSCD, WORLD_PCSCD, "-f", "-c", WORLD_READERS, NULL);
        _exit(127);
    }
    return pid;
}

/* SIGTERM lets it remove its socket; SIGKILL leaves all as it lies. */
static inline void world_pcscd_stop(pid_t pid, int signal) {
    int status;

    assert_int_equal(kill(pid, signal), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink("/run/pcscd/pcscd.comm");
    (void)unlink("/run/pcscd/pcscd.pid");
}

/* --- The program under test ------------------------------------------------------------------------ */

/* Start it; with @hello, exchange HELLO too. */
static inline void world_plugin_start(struct world_plugin *plugin, const char *pattern,
                                      bool hello) {
    world_plugin_spawn(plugin, "uicc-pcsc");
    if (!hello)
        return;
    packet_begin(&plugin->packet, KEYSTRAP_PLUGIN_HELLO, ++plugin->serial);
    if (pattern)
        assert_int_equal(
            packet_append_text(&plugin->packet, KEYSTRAP_FIELD_READER_PATTERN, pattern), 0);
    assert_int_equal(world_plugin_hello(plugin, "pcsc"),
                     KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_SEVERAL);
}
