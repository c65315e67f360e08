/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Programs that keystrapd starts.
 *
 * fork() and not posix_spawn(), for three things that the latter cannot say: die with the parent, close every
 * other descriptor, and the arena of secrets, which a forked child reads as zero. Between fork and exec the child
 * calls nothing but async-signal-safe functions, as other threads of ours may hold any lock. Whether exec worked
 * comes back through a pipe that a successful exec closes.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "keystrap/plugin.h"
#include "subprocess.h"
#include "util.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Above stdin, stdout, stderr and the program's socket. */
#define FIRST_OTHER_FD (KEYSTRAP_PLUGIN_FD + 1)

static const char *const passed_on[] = {"PATH", "PCSCLITE_CSOCK_NAME", "SOFTHSM2_CONF",
                                        "LSAN_OPTIONS", "ASAN_OPTIONS"};

struct environment {
    char *entries[ELEMENTS(passed_on) + 1];
};

static void environment_done(struct environment *environment) {
    for (size_t i = 0; i < ELEMENTS(passed_on); i++)
        free(environment->entries[i]);
}

static int environment_init(struct environment *environment) {
    size_t count = 0;

    for (size_t i = 0; i < ELEMENTS(passed_on); i++) {
        const char *value = getenv(passed_on[i]);

        if (!value && i == 0)
            value = DEFAULT_PATH;
        if (!value)
            continue;
        if (asprintf(&environment->entries[count], "%s=%s", passed_on[i], value) < 0) {
            environment->entries[count] = NULL;
            return -ENOMEM;
        }
        count++;
    }
    return 0;
}

/* What the child needs, made before fork(). */
struct child {
    const char *path;
    char *const *argv;
    char *const *envp;
    pid_t parent;
    int socket;
    int error; /* write end of the pipe that reports a failed exec */
};

static void reset_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &action, NULL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Both descriptors move out of the way of 0 to 3 first: either may sit where another must go. */
static int place_descriptors(struct child *child) {
    int error, socket, null;

    error = fcntl(child->error, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
    if (error < 0)
        return -errno;
    child->error = error;
    socket = fcntl(child->socket, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
    null = open("/dev/null", O_RDWR | O_NOCTTY);
    if (socket < 0 || null < 0)
        return -errno;
    if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(socket, KEYSTRAP_PLUGIN_FD) < 0)
        return -errno;

    /* Closed by exec and not now, as the pipe must live until then. */
    if (close_range(FIRST_OTHER_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return -errno;
    return 0;
}

static int become(struct child *child) {
    int r;

    r = place_descriptors(child);
    if (r < 0)
        return r;
    reset_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;

    /* The parent may have died before the signal was asked for. */
    if (getppid() != child->parent)
        return -ESRCH;
    (void)execve(child->path, child->argv, child->envp);
    return -errno;
}

static _Noreturn void run_child(struct child *child) {
    int r = become(child);

    (void)!write(child->error, &r, sizeof(r));
    _exit(127);
}

/* Signals stay blocked around fork(), so that no handler of ours runs in the child. */
static pid_t fork_child(struct child *child) {
    sigset_t all, saved;
    int saved_errno;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    pid = fork();
    if (pid == 0)
        run_child(child);
    saved_errno = errno;
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return pid < 0 ? -saved_errno : pid;
}

/* 0 when exec closed the pipe, else what the child reports. */
static int exec_result(int fd) {
    ssize_t n;
    int result;

    do {
        n = read(fd, &result, sizeof(result));
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return 0;
    return n == (ssize_t)sizeof(result) && result < 0 ? result : -EIO;
}

static int start(struct child *child, int pipe_fds[2], struct subprocess *process) {
    int r;

    process->pid = fork_child(child);
    if (process->pid < 0)
        return process->pid;
    pipe_fds[1] = safe_close(pipe_fds[1]);

    r = exec_result(pipe_fds[0]);
    if (r == 0) {
        process->pidfd = pidfd_open(process->pid, 0);
        if (process->pidfd < 0)
            r = -errno;
    }
    if (r < 0) {
        (void)kill(process->pid, SIGKILL);
        (void)waitpid(process->pid, NULL, 0);
    }
    return r;
}

int subprocess_spawn(const char *path, char *const argv[], struct subprocess *ret) {
    _cleanup_(environment_done) struct environment environment = {0};
    _cleanup_close_ int ours = -1, theirs = -1, read_end = -1, write_end = -1;
    struct subprocess process = SUBPROCESS_NONE;
    int sockets[2], pipe_fds[2], r;
    struct child child;

    r = environment_init(&environment);
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return -errno;
    ours = sockets[0];
    theirs = sockets[1];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    child = (struct child){.path = path,
                           .argv = argv,
                           .envp = environment.entries,
                           .parent = getpid(),
                           .socket = theirs,
                           .error = pipe_fds[1]};
    r = start(&child, pipe_fds, &process);
    read_end = pipe_fds[0];
    write_end = pipe_fds[1];
    if (r < 0)
        return r;
    process.fd = TAKE_FD(ours);
    *ret = process;
    return 0;
}

static bool wait_ended(int pidfd, uint64_t deadline) {
    struct pollfd fds = {.fd = pidfd, .events = POLLIN};
    int r;

    do {
        r = poll(&fds, 1, deadline_poll_msec(deadline));
    } while (r < 0 && errno == EINTR);
    return r > 0;
}

static int reap(int pidfd) {
    siginfo_t info = {0};
    int r;

    do {
        r = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return 0;
    return info.si_code == CLD_EXITED ? info.si_status : 256 + info.si_status;
}

int subprocess_stop(struct subprocess *subprocess, uint64_t grace_usec) {
    int status;

    if (subprocess->pid == 0)
        return 0;
    subprocess->fd = safe_close(subprocess->fd);
    if (!wait_ended(subprocess->pidfd, deadline_after(grace_usec)))
        (void)pidfd_send_signal(subprocess->pidfd, SIGKILL, NULL, 0);
    status = reap(subprocess->pidfd);
    (void)close(subprocess->pidfd);
    *subprocess = SUBPROCESS_NONE;
    return status;
}
