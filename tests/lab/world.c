/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The world: its namespaces.
 *
 * The caller forks a keeper, which unshares and forks the first process of the new process namespace; that one
 * furnishes the world, forks the body and reaps. Each dies with its parent by the parent-death signal, and with
 * the first process the kernel ends everything else in the namespace. So nothing can stay behind, not even when
 * the caller is killed by SIGKILL.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "world-internal.h"

#define VERDICT_BROKEN 126

uint64_t world_now_usec(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

int world_left_msec(uint64_t deadline_usec) {
    uint64_t now = world_now_usec();

    return deadline_usec > now ? (int)((deadline_usec - now + 999) / USEC_PER_MSEC) : 0;
}

uint64_t world_elapsed_msec(const struct world *world) {
    return (world_now_usec() - world->began_usec) / USEC_PER_MSEC;
}

pid_t world_outer_pid(const struct world *world) {
    return world->outer_pid;
}

int world_complain(int error, const char *format, ...) {
    va_list args;

    (void)fputs("world: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    if (error)
        (void)fprintf(stderr, ": %s", strerror(-error));
    (void)fputc('\n', stderr);
    return error;
}

static int verdict_of(int status) {
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)world_complain(0, "the world died of signal %d", WTERMSIG(status));
    return VERDICT_BROKEN;
}

static int wait_for(pid_t pid) {
    int status;

    for (;;) {
        pid_t ended = waitpid(pid, &status, 0);

        if (ended == pid)
            return verdict_of(status);
        if (ended < 0 && errno != EINTR)
            return VERDICT_BROKEN;
    }
}

/* In the world's own process: the body, then the end of everything that it started. */
static int live(struct world *world, int (*body)(struct world *world, void *userdata),
                void *userdata) {
    int verdict;

    verdict = body(world, userdata);
    if (world_end(world) && verdict == 0)
        verdict = 1;
    (void)fflush(NULL);
    return verdict;
}

/* The pid of this process where /proc is still the outer one. */
static pid_t outer_pid(void) {
    char text[32] = "";
    ssize_t n;

    n = readlink("/proc/self", text, sizeof(text) - 1);
    return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* The first process of the namespace: it must reap whatever loses its parent. */
static int reap_until(pid_t body) {
    for (;;) {
        int status;
        pid_t ended = waitpid(-1, &status, 0);

        if (ended == body)
            return verdict_of(status);
        if (ended < 0 && errno != EINTR)
            return VERDICT_BROKEN;
    }
}

static int first_process(int (*body)(struct world *world, void *userdata), void *userdata) {
    struct world world = {.began_usec = world_now_usec(), .outer_pid = outer_pid()};
    pid_t pid;

    if (world_furnish() < 0)
        return VERDICT_BROKEN;
    pid = fork();
    if (pid < 0)
        return VERDICT_BROKEN;
    if (pid == 0)
        exit(live(&world, body, userdata));
    return reap_until(pid);
}

/*
 * A child that dies with us, and that finds out when we died before it could ask for that: nobody ever writes to
 * the pipe, so end of file means that our end is gone. The caller closes *@ret_alive when the child has ended.
 * Return: as fork(2).
 */
static pid_t fork_bound(int *ret_alive) {
    int alive[2];
    char octet;
    pid_t pid;

    if (pipe2(alive, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(alive[1]);
        if (read(alive[0], &octet, 1) == 0)
            _exit(VERDICT_BROKEN);
    }
    (void)close(alive[0]);
    if (pid < 0)
        (void)close(alive[1]);
    if (pid > 0)
        *ret_alive = alive[1];
    return pid;
}

static int keeper(int (*body)(struct world *world, void *userdata), void *userdata) {
    _cleanup_close_ int alive = -1;
    pid_t pid;

    if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) < 0) {
        (void)world_complain(-errno,
                             "cannot make namespaces (is this a container without CAP_SYS_ADMIN?)");
        return VERDICT_BROKEN;
    }
    pid = fork_bound(&alive);
    if (pid < 0)
        return VERDICT_BROKEN;
    if (pid == 0)
        _exit(first_process(body, userdata));
    /* The terminal's interrupt goes to everybody; let the body say how it ends. */
    (void)signal(SIGINT, SIG_IGN);
    return wait_for(pid);
}

int world_run(int (*body)(struct world *world, void *userdata), void *userdata) {
    _cleanup_close_ int alive = -1;
    pid_t pid;

    if (geteuid() != 0) {
        (void)world_complain(0,
                             "needs root: it makes namespaces with users and devices of their own");
        return WORLD_SKIPPED;
    }
    pid = fork_bound(&alive);
    if (pid < 0)
        return VERDICT_BROKEN;
    if (pid == 0)
        _exit(keeper(body, userdata));
    return wait_for(pid);
}
