/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * `keystrap-lab mef` as a process, for its tests. Every function fails the cmocka test that calls it.
 */

#include "mef-peer.h"

#include "control.h"

struct mef_process {
    struct child child;
    unsigned psk, https, coaps; /* ports */
    char control[128];
};

/* Run @program mef with @words and @more (or NULL), NULL-terminated, and --control, until it is ready. */
static inline void mef_process_start(struct mef_process *process, const struct scratch *scratch,
                                     const char *program, const char *const *words,
                                     const char *const *more) {
    const char *argv[48] = {program, "mef", "--control", process->control};
    const char *const *lists[] = {words, more};
    const char *line;
    size_t n = 4;

    (void)snprintf(process->control, sizeof(process->control), "%s/control", scratch->directory);
    for (size_t i = 0; i < 2; i++)
        for (const char *const *word = lists[i]; word && *word; word++)
            argv[n++] = *word;
    child_start(&process->child, scratch, argv);
    assert_true(child_read_until(&process->child, "\n"));
    line = strstr(process->child.text, "ready");
    if (!line)
        fail_msg("not ready, but: %s", process->child.text);
    process->psk = process->https = process->coaps = 0;
    if ((line = strstr(process->child.text, " psk=")))
        (void)sscanf(line, " psk=%u", &process->psk);
    if ((line = strstr(process->child.text, " https=")))
        (void)sscanf(line, " https=%u", &process->https);
    if ((line = strstr(process->child.text, " coaps=")))
        (void)sscanf(line, " coaps=%u", &process->coaps);
}

/* It must end well, which a sanitizer's finding prevents. */
static inline void mef_process_stop(struct mef_process *process) {
    int status = -1;

    assert_int_equal(kill(process->child.pid, SIGTERM), 0);
    assert_int_equal(waitpid(process->child.pid, &status, 0), process->child.pid);
    (void)close(process->child.in);
    (void)close(process->child.out);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Returns what control_ask() does. */
static inline int mef_process_ask(const struct mef_process *process, const char *line, char *ret,
                                  size_t size) {
    int r = control_ask(process->control, line, PEER_WAIT_MSEC, ret, size);

    assert_true(r >= 0);
    return r;
}

/* A command that is obeyed; what follows "ok" is in @ret, if that is not NULL. */
static inline void mef_process_order(const struct mef_process *process, const char *line, char *ret,
                                     size_t size) {
    char answer[CONTROL_LINE_MAX];

    if (mef_process_ask(process, line, answer, sizeof(answer)) != 0)
        fail_msg("%s: %s", line, answer);
    if (ret)
        (void)snprintf(ret, size, "%s", answer[2] == ' ' ? answer + 3 : "");
}

/* One of the numbers of "count". */
static inline unsigned long mef_process_count(const struct mef_process *process, const char *name) {
    char text[CONTROL_LINE_MAX] = " ", key[64];
    const char *found;

    mef_process_order(process, "count", text + 1, sizeof(text) - 1);
    (void)snprintf(key, sizeof(key), " %s ", name);
    found = strstr(text, key);
    assert_non_null(found);
    return strtoul(found + strlen(key), NULL, 10);
}
