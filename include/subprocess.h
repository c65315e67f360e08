/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The programs that keystrapd starts.
 *
 * One struct subprocess is one running program with a SOCK_SEQPACKET socket to it and a pidfd. The
 * program gets the other end as descriptor 3, /dev/null as stdin and stdout, keystrapd's stderr, no other
 * descriptor, default signal dispositions, an empty signal mask, SIGKILL when its parent dies (the
 * parent-death signal follows the thread that started it: start it from a thread that lives as long), and
 * only the environment variables that subprocess_spawn() names.
 */

#include <stdint.h>
#include <sys/types.h>

struct subprocess {
    pid_t pid;   /* 0 when none runs */
    int pidfd;   /* readable when it has ended; -1 when none runs */
    int fd;      /* our end of the socket; -1 when none runs */
};

#define SUBPROCESS_NONE ((struct subprocess){.pid = 0, .pidfd = -1, .fd = -1})

/**
 * subprocess_spawn() - start @path with the arguments @argv (NULL-terminated, argv[0] included)
 *
 * The environment holds PATH, and PCSCLITE_CSOCK_NAME, LSAN_OPTIONS and ASAN_OPTIONS where keystrapd has them; no other.
 *
 * Return: 0 and *@ret; -ENOENT or -EACCES where the program cannot be executed (known at once, not at the
 * first message); another errno of socketpair(2), clone(2).
 */
int subprocess_spawn(const char *path, char *const argv[], struct subprocess *ret);

/**
 * subprocess_stop() - close the socket, give the program @grace_usec to end by itself, then SIGKILL, and reap
 * it. Never waits longer than the grace and the kernel's time to kill. With none running: nothing.
 *
 * Return: the wait status as of waitid(2): exit code (0 to 255), or 256 + signal.
 */
int subprocess_stop(struct subprocess *subprocess, uint64_t grace_usec);
