/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: on what all this was measured.
 */

#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "util.h"

static void put_text(json_t *object, const char *name, const char *text) {
    (void)json_object_set_new(object, name, text ? json_string(text) : json_null());
}

/* The first line that a program prints, null where there is no such program. */
static void put_line_of(struct bench *bench, json_t *object, const char *name,
                        const char *const *argv) {
    char out[4096] = "";
    int r;

    r = world_call_as(bench->world, WORLD_USER_ROOT, argv, out, sizeof(out));
    out[strcspn(out, "\n")] = '\0';
    /* systemd-detect-virt ends with 1 for "none". */
    put_text(object, name, r >= 0 && out[0] ? out : NULL);
}

static void put_cpu(json_t *object) {
    _cleanup_fclose_ FILE *f = fopen("/proc/cpuinfo", "re");
    const char *model = NULL;
    char line[512];

    while (f && !model && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "model name", 10) == 0 && strstr(line, ": "))
            model = strstr(line, ": ") + 2;
    }
    put_text(object, "cpu_model", model);
    (void)json_object_set_new(object, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
}

int bench_measure_environment(struct bench *bench) {
    static const char *const bus[] = {"dbus-daemon", "--version", NULL};
    static const char *const systemd[] = {"busctl", "--version", NULL};
    static const char *const pcscd[] = {"pcscd", "--version", NULL};
    static const char *const virtual[] = {"systemd-detect-virt", NULL};
    json_t *object = bench_section(bench, "environment");
    struct utsname kernel;
    double load = 0;

    if (uname(&kernel) == 0) {
        put_text(object, "kernel", kernel.release);
        put_text(object, "architecture", kernel.machine);
    }
    put_cpu(object);
    put_line_of(bench, object, "virtualisation", virtual);
    if (getloadavg(&load, 1) == 1)
        (void)json_object_set_new(object, "load_before", stats_real(load));
    put_text(object, "keystrap", KEYSTRAP_VERSION);
    put_text(object, "build_type", BENCH_BUILD_TYPE);
    put_text(object, "sanitizers", BENCH_SANITIZE);
    put_text(object, "compiler", __VERSION__);
    put_text(object, "libc", gnu_get_libc_version());
    put_text(object, "openssl", OpenSSL_version(OPENSSL_VERSION));
    put_line_of(bench, object, "systemd", systemd);
    put_line_of(bench, object, "dbus_daemon", bus);
    put_line_of(bench, object, "pcscd", pcscd);
    return 0;
}
