/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sandbox of a transport program.
 *
 * A transport runs code that parses what readers, drivers and services send, and keys pass through it. So
 * it has fewer rights than the daemon that starts it: whoever takes it over can talk to the service on the other
 * end of a local socket, and to nothing else.
 *
 * The filter lists what is allowed rather than what is not. What is missing there fails with EPERM instead of
 * killing, so that a library of another version finds its way around it.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox.h"
#include "util.h"

static void seccomp_releasep(scmp_filter_ctx *filter) {
    if (*filter)
        seccomp_release(*filter);
}

/* Allowed whatever the arguments are. */
static const int plain_calls[] = {
    /* what is open already */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(fcntl),
    SCMP_SYS(dup),
    SCMP_SYS(eventfd2),
    /* waiting */
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(_newselect),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    /* sockets that socket() below let through */
    SCMP_SYS(connect),
    SCMP_SYS(send),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),
    /* looking at files */
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(stat),
    SCMP_SYS(stat64),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(fstat64),
    SCMP_SYS(fstatat64),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    /* memory; mmap and mprotect are below */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    /* clocks */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    /* itself: who it is, threads, signals, the end */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getuid32),
    SCMP_SYS(geteuid32),
    SCMP_SYS(getgid32),
    SCMP_SYS(getegid32),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(ugetrlimit),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigreturn),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

#define ALLOW(filter, call, ...) \
    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(call), __VA_ARGS__)

/* Files that exist, for reading alone or, with O_RDWR, for both; nothing is created or cut. */
static int allow_files(scmp_filter_ctx filter, scmp_datum_t mode) {
    const scmp_datum_t refused = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    int r;

    r = ALLOW(filter, open, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, refused, mode));
    if (r == 0)
        r = ALLOW(filter, openat, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, refused, mode));
    return r;
}

/* A modem is a file that is written to, and a serial line has settings. */
static int allow_devices(scmp_filter_ctx filter) {
    const unsigned long requests[] = {TCGETS, TCSETS, TCSETSW, TCSETSF, TCFLSH, TIOCEXCL, FIONREAD};
    int r;

    r = allow_files(filter, O_RDWR);
    for (size_t i = 0; r == 0 && i < ELEMENTS(requests); i++)
        r = ALLOW(filter, ioctl, 1, SCMP_A1(SCMP_CMP_EQ, requests[i]));
    return r;
}

static int allow_memory(scmp_filter_ctx filter) {
    int r;

    r = ALLOW(filter, mmap, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r == 0)
        r = ALLOW(filter, mmap2, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r == 0)
        r = ALLOW(filter, mprotect, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return r;
}

static int allow_threads(scmp_filter_ctx filter) {
    const scmp_datum_t pid = (scmp_datum_t)getpid();
    int r;

    r = ALLOW(filter, clone, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    /* The filter cannot see the flags of clone3(); glibc falls back to clone() for ENOSYS alone. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    /* abort() of a thread of ours, and nobody else. */
    if (r == 0)
        r = ALLOW(filter, tgkill, 1, SCMP_A0(SCMP_CMP_EQ, pid));
    /* A thread's name, and what is asked rather than set. */
    if (r == 0)
        r = ALLOW(filter, prctl, 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (r == 0)
        r = ALLOW(filter, prctl, 1, SCMP_A0(SCMP_CMP_EQ, PR_GET_DUMPABLE));
    if (r == 0)
        r = ALLOW(filter, prlimit64, 2, SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
    return r;
}

static int filter_load(unsigned flags) {
    _cleanup_(seccomp_releasep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = 0;

    if (!filter)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < ELEMENTS(plain_calls); i++) {
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain_calls[i], 0);
        if (r == -EDOM) /* a call that this architecture has not */
            r = 0;
    }
    if (r == 0)
        r = ALLOW(filter, socket, 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    if (r == 0)
        r = allow_files(filter, O_RDONLY);
    if (r == 0 && flags & SANDBOX_DEVICES)
        r = allow_devices(filter);
    if (r == 0)
        r = allow_memory(filter);
    if (r == 0)
        r = allow_threads(filter);
    return r == 0 ? seccomp_load(filter) : r;
}

int sandbox_enter(unsigned flags) {
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return filter_load(flags);
}
