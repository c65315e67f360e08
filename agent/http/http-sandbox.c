/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The sandbox of keystrap-http.
 *
 * The program parses what strangers send, with libcurl and a dozen libraries below it. A list of the system calls
 * that a resolver, a TCP client and TLS need stays; whoever takes the program over can start no other, look into no
 * process, write no file and open no socket of another kind. Refused calls fail with EPERM and do not kill, because
 * an exotic NSS module that asks for something more should degrade, not end the request.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "http-sandbox.h"
#include "util.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Names, because some exist on some architectures only; those that this one lacks are skipped. */
static const char *const allowed[] = {
    /* files, to read */
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "close",
    "lseek",
    "_llseek",
    "fstat",
    "fstat64",
    "stat",
    "stat64",
    "lstat",
    "lstat64",
    "newfstatat",
    "fstatat64",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "fstatfs",
    "fstatfs64",
    "statfs",
    "statfs64",
    "fadvise64",
    "fadvise64_64",
    "dup",
    "fcntl",
    "fcntl64",
    /* waiting */
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "_newselect",
    "pselect6",
    "pselect6_time64",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "eventfd2",
    "pipe2",
    /* network, as a client */
    "socketpair",
    "connect",
    "bind",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "send",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recv",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "recvmmsg_time64",
    "shutdown",
    /* memory */
    "mmap",
    "mmap2",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "brk",
    "mlock",
    "mlock2",
    "munlock",
    "membarrier",
    /* threads, signals, time */
    "futex",
    "futex_time64",
    "rseq",
    "set_robust_list",
    "set_tid_address",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "gettid",
    "getpid",
    "getppid",
    "getuid",
    "getuid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getegid",
    "getegid32",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigreturn",
    "sigaltstack",
    "restart_syscall",
    "exit",
    "exit_group",
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_getres_time64",
    "gettimeofday",
    "time",
    "nanosleep",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    /* about the machine */
    "getrandom",
    "uname",
    "sysinfo",
    "getrlimit",
    "ugetrlimit",
    "arch_prctl",
};

static int allow(scmp_filter_ctx filter, const char *name) {
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

static int allow_reading(scmp_filter_ctx filter) {
    const scmp_datum_t writes = O_ACCMODE | O_CREAT | O_TRUNC;
    int r;

    r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                         SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
    if (r < 0)
        return r;
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
}

/* AF_NETLINK is how addresses are sorted. No AF_UNIX: pcscd and the system bus are behind such sockets. */
static int allow_sockets(scmp_filter_ctx filter) {
    static const int families[] = {AF_INET, AF_INET6, AF_NETLINK};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTS(families); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
    return r;
}

/* libcurl looks names up in a thread. clone3() hides its flags in memory; ENOSYS makes glibc use clone(). */
static int allow_threads(scmp_filter_ctx filter) {
    int r;

    r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                         SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (r < 0)
        return r;
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* The harmless corners of calls that can do anything. */
static int allow_corners(scmp_filter_ctx filter) {
    static const unsigned long requests[] = {FIONREAD, FIONBIO};
    static const int options[] = {PR_SET_NAME, PR_SET_VMA};
    int r;

    /* prlimit64() to ask and not to set. */
    r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                         SCMP_A2(SCMP_CMP_EQ, 0, 0));
    for (size_t i = 0; r == 0 && i < ELEMENTS(requests); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                             SCMP_A1(SCMP_CMP_EQ, requests[i], 0));
    for (size_t i = 0; r == 0 && i < ELEMENTS(options); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)options[i], 0));
    return r;
}

static void release(scmp_filter_ctx *filter) {
    if (*filter)
        seccomp_release(*filter);
}

int http_sandbox_enter(void) {
    _cleanup_(release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int r = 0;

    if (!filter)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < ELEMENTS(allowed); i++)
        r = allow(filter, allowed[i]);
    if (r == 0)
        r = allow_reading(filter);
    if (r == 0)
        r = allow_sockets(filter);
    if (r == 0)
        r = allow_threads(filter);
    if (r == 0)
        r = allow_corners(filter);
    /* abort() of a thread of ours, and nobody else. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return r == 0 ? seccomp_load(filter) : r;
}

/* 1, and a line, when @what was not refused by the filter. */
static int expect_refused(const char *what, long result) {
    if (result == -1 && errno == EPERM)
        return 0;
    (void)fprintf(stderr, "keystrap-http: %s was not refused\n", what);
    return 1;
}

/* What abort() needs. 1, and a line, when it was refused. */
static int expect_signal_to_self(void) {
    if (syscall(SYS_tgkill, getpid(), gettid(), 0) == 0)
        return 0;
    (void)fprintf(stderr, "keystrap-http: tgkill of a thread of its own was refused\n");
    return 1;
}

/* libcurl knows some names itself, so this asks the resolver. 1, and a line, when that cannot work. */
static int expect_lookup(const char *name) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    int r = getaddrinfo(name, NULL, &hints, &addresses);

    if (r == 0) {
        freeaddrinfo(addresses);
        return 0;
    }
    (void)fprintf(stderr, "keystrap-http: the name %s has no address: %s\n", name, gai_strerror(r));
    return 1;
}

int http_sandbox_check(void) {
    char name[] = "true";
    char *const arguments[] = {name, NULL};
    struct iovec memory = {0};
    int count = 0;

    count += expect_refused("execve", syscall(SYS_execve, "/bin/true", arguments, NULL));
    count += expect_refused("execveat",
                            syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, NULL, 0));
    count += expect_refused("fork", syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
    count += expect_refused("ptrace", syscall(SYS_ptrace, PTRACE_TRACEME, 0, NULL, NULL));
    count += expect_refused("process_vm_readv",
                            syscall(SYS_process_vm_readv, getppid(), &memory, 1, &memory, 1, 0));
    count += expect_refused("process_vm_writev",
                            syscall(SYS_process_vm_writev, getppid(), &memory, 1, &memory, 1, 0));
    count += expect_refused("writing to a file",
                            syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY, 0));
    count += expect_refused("reading and writing",
                            syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0));
    count += expect_refused("openat2", syscall(SYS_openat2, AT_FDCWD, "/dev/null", NULL, 0));
    count += expect_refused("unlink", syscall(SYS_unlinkat, AT_FDCWD, "/nonexistent", 0));
    count += expect_refused("kill", syscall(SYS_kill, getppid(), 0));
    count +=
        expect_refused("tgkill of another process", syscall(SYS_tgkill, getppid(), getppid(), 0));
    count += expect_refused("listen", syscall(SYS_listen, 0, 1));
    count += expect_refused("a local socket",
                            syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    count += expect_refused("a packet socket", syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0));
    count += expect_refused("a terminal's input", syscall(SYS_ioctl, 0, TIOCSTI, ""));
    count += expect_refused("becoming dumpable", syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
    count += expect_signal_to_self();
    count += expect_lookup("localhost");
    return count;
}
