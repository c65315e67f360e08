/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Benchmarks: resident memory, by the kernel's count (proc_pid_smaps_rollup).
 *
 * "Idle" is a keystrapd that has read its card and done nothing else. Its programs are processes of their own, whose
 * memory is the price of their separation, so they are told beside it and not hidden.
 */

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "util.h"

#define TEXT_KEYS_(n) #n
#define TEXT_KEYS(n)  TEXT_KEYS_(n)

static void put_memory(json_t *object, const char *prefix, const char *what, uint64_t kib) {
    char name[96];

    (void)snprintf(name, sizeof(name), "%s_%s_kib", prefix, what);
    (void)json_object_set_new(object, name, json_integer((json_int_t)kib));
}

/* PREFIX_rss_kib, PREFIX_anonymous_kib and PREFIX_proportional_kib of a process. */
static int look_at(json_t *object, const char *prefix, pid_t pid) {
    static const struct {
        const char *label, *name;
    } lines[] = {{"Rss:", "rss"}, {"Anonymous:", "anonymous"}, {"Pss:", "proportional"}};
    char path[64], line[256];
    _cleanup_fclose_ FILE *f = NULL;
    unsigned found = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
            size_t length = strlen(lines[i].label);
            uint64_t kib;

            if (strncmp(line, lines[i].label, length) == 0 &&
                sscanf(line + length, "%" SCNu64, &kib) == 1) {
                put_memory(object, prefix, lines[i].name, kib);
                found++;
            }
        }
    if (found != ELEMENTS(lines)) {
        bench_say("%s does not tell the memory of %s", path, prefix);
        return -1;
    }
    return 0;
}

/* Whether @pid is a process of that name; the kernel keeps 15 characters of it. */
static bool process_is(const char *pid, const char *program) {
    char path[300], name[64] = "";
    _cleanup_fclose_ FILE *f = NULL;

    (void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    f = fopen(path, "re");
    if (!f || !fgets(name, sizeof(name), f))
        return false;
    name[strcspn(name, "\n")] = '\0';
    return name[0] && strncmp(name, program, 15) == 0;
}

/* A program of keystrapd's, of which this world has one at most. */
static int look_at_program(json_t *object, const char *prefix, const char *program) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int pid = 0;

    while (proc && (entry = readdir(proc)))
        if (process_is(entry->d_name, program) && sscanf(entry->d_name, "%d", &pid) == 1)
            break;
    if (proc)
        (void)closedir(proc);
    if (pid == 0) {
        bench_say("%s does not run", program);
        return -1;
    }
    return look_at(object, prefix, pid);
}

/* As an application: a key of each of so many NAFs. */
static int derive_keys(struct bench *bench, unsigned count) {
    char text[16], out[64];
    const char *const argv[] = {BENCH_PROGRAMS "/bench-clients", "--distinct", text, NULL};

    (void)snprintf(text, sizeof(text), "%u", count);
    if (world_call_as(bench->world, WORLD_USER_METER, argv, out, sizeof(out)) != 0) {
        bench_say("the client of %u NAFs failed", count);
        world_log(bench->world);
        return -1;
    }
    return 0;
}

int bench_measure_memory(struct bench *bench) {
    json_t *object = bench_section(bench, "memory");
    struct bench_bootstrap bootstrap;
    pid_t pid;

    bench_say("memory: idle, and after " TEXT_KEYS(BENCH_KEYS) " keys");
    if (bench_start_keystrapd(bench) < 0 || bench_wait_card_ready(bench) < 0)
        return -1;
    pid = bench->keystrapd->pid;
    if (look_at(object, "idle", pid) < 0 ||
        look_at_program(object, "transport_idle", "uicc-pcsc") < 0)
        return -1;
    if (bench_bootstrap(bench, &bootstrap) < 0 || look_at(object, "bootstrapped", pid) < 0 ||
        look_at_program(object, "http_after_bootstrap", "keystrap-http") < 0)
        return -1;
    if (derive_keys(bench, BENCH_KEYS) < 0)
        return -1;
    return look_at(object, "keys_" TEXT_KEYS(BENCH_KEYS), pid);
}
