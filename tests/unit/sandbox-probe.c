/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tries one thing and exits with the errno of the attempt, 0 where it worked: `sandbox-probe in ACTION` from
 * inside the sandbox of the transport programs, `sandbox-probe devices ACTION` from that of those which open a device
 * themselves, `sandbox-probe out ACTION` without it, to show that it is the sandbox that says no.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"
#include "util.h"

static int as_errno(long result) {
    return result < 0 ? errno : 0;
}

static int try_unix_socket(void) {
    return as_errno(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int try_inet_socket(void) {
    return as_errno(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int try_netlink_socket(void) {
    return as_errno(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int try_read_file(void) {
    return as_errno(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int try_write_file(void) {
    return as_errno(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int try_write_and_read_file(void) {
    return as_errno(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int try_create_file(void) {
    return as_errno(open("/dev/null", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int try_temporary_file(void) {
    return as_errno(open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

static int try_remove_file(void) {
    return unlink("/nonexistent-keystrap/file") < 0 && errno == ENOENT ? 0 : errno;
}

static int try_exec(void) {
    return execl("/bin/true", "/bin/true", (char *)NULL) < 0 ? errno : 0;
}

static int try_fork(void) {
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return as_errno(pid);
}

static int try_ptrace(void) {
    return as_errno(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_kill(void) {
    return as_errno(kill(getppid(), 0));
}

static int try_executable_memory(void) {
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : 0;
}

static int try_dumpable(void) {
    return as_errno(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static void *thread(void *argument) {
    *(int *)argument = try_inet_socket();
    return NULL;
}

/* A thread can be started, and is in the sandbox as well: the errno is that of its attempt. */
static int try_thread(void) {
    pthread_t id;
    int result = 0, r;

    r = pthread_create(&id, NULL, thread, &result);
    if (r != 0)
        return 250;
    pthread_join(id, NULL);
    return result;
}

static int try_state(void) {
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : EINVAL;
}

static const struct {
    const char *name;
    int (*attempt)(void);
} actions[] = {
    {"unix-socket", try_unix_socket},
    {"inet-socket", try_inet_socket},
    {"netlink-socket", try_netlink_socket},
    {"read-file", try_read_file},
    {"write-file", try_write_file},
    {"write-and-read-file", try_write_and_read_file},
    {"create-file", try_create_file},
    {"temporary-file", try_temporary_file},
    {"remove-file", try_remove_file},
    {"exec", try_exec},
    {"fork", try_fork},
    {"ptrace", try_ptrace},
    {"kill", try_kill},
    {"executable-memory", try_executable_memory},
    {"dumpable", try_dumpable},
    {"thread", try_thread},
    {"state", try_state},
};

int main(int argc, char **argv) {
    if (argc != 3)
        return 251;
    if (strcmp(argv[1], "in") == 0 && sandbox_enter(0) < 0)
        return 252;
    if (strcmp(argv[1], "devices") == 0 && sandbox_enter(SANDBOX_DEVICES) < 0)
        return 252;
    for (size_t i = 0; i < ELEMENTS(actions); i++)
        if (strcmp(actions[i].name, argv[2]) == 0)
            _exit(
                actions[i].attempt()); /* no exit handlers: a leak checker could not run in there */
    return 253;
}
