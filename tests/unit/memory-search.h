/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is left of secrets in the memory of the one program that this process has started.
 */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MEMORY_MARGIN 256 /* what may be cut between two pieces that are read */

static inline int memory_child(void) {
    char path[64];
    FILE *children;
    int pid = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    children = fopen(path, "re");
    assert_non_null(children);
    if (fscanf(children, "%d", &pid) != 1)
        fail_msg("no program runs");
    (void)fclose(children);
    return pid;
}

static inline size_t memory_count(const uint8_t *piece, size_t size, const void *needle,
                                  size_t length) {
    const uint8_t *end = piece + size, *found = piece;
    size_t count = 0;

    while ((found = memmem(found, (size_t)(end - found), needle, length))) {
        count++;
        found++;
    }
    return count;
}

/* How often the @length octets at @needle are in what may be written of the program's memory. Skips where it may not be read. */
static inline size_t memory_search(const void *needle, size_t length) {
    static uint8_t piece[1 << 20];
    unsigned long from, to;
    char path[64], line[512], mode[8];
    size_t count = 0;
    FILE *maps;
    int memory;

    (void)snprintf(path, sizeof(path), "/proc/%d/mem", memory_child());
    memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0)
        skip();
    (void)snprintf(path, sizeof(path), "/proc/%d/maps", memory_child());
    maps = fopen(path, "re");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' ||
            to - from > (1ul << 32))
            continue;
        for (unsigned long at = from; at < to; at += sizeof(piece) - MEMORY_MARGIN) {
            size_t size = to - at < sizeof(piece) ? to - at : sizeof(piece);
            ssize_t n = pread(memory, piece, size, (off_t)at);

            if (n <= 0)
                break;
            count += memory_count(piece, (size_t)n, needle, length);
        }
    }
    (void)fclose(maps);
    (void)close(memory);
    return count;
}

/*
 * Fails unless the octets are, at the latest soon, nowhere in it: whoever has the program's answer may be faster than the
 * program, which erases it when it has been sent.
 */
static inline void assert_not_in_memory(const void *needle, size_t length) {
    const struct timespec moment = {.tv_nsec = 10000000};
    size_t count;

    for (int i = 0; (count = memory_search(needle, length)) > 0 && i < 500; i++)
        (void)nanosleep(&moment, NULL);
    assert_int_equal(count, 0);
}
