/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The world: its processes.
 *
 * Each is held by a pidfd, prints into files of its own and is waited for with a deadline. A wait for words on
 * stdout watches the file with inotify, one for READY=1 polls the socket: nothing sleeps and hopes.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "world-internal.h"

#define ENV_MAX       64
#define LOG_ENDED_MAX 10 /* so many of the youngest are shown, also those that ended with 0 */

/* What every process of the world has in its environment. */
static const char *const environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "ASAN_OPTIONS=exitcode=86:abort_on_error=0:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS=exitcode=86:print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS=exitcode=86",
    "LSAN_OPTIONS=exitcode=86",
};

static void log_path(const struct world_process *process, const char *suffix, char *path,
                     size_t size) {
    (void)snprintf(path, size, WORLD_LOG "/%s.%s", process->name, suffix);
}

/* "keystrapd", and "keystrapd-2" when there was one of that name. */
static void give_name(struct world *world, struct world_process *process, const char *name) {
    unsigned count = 1;

    (void)snprintf(process->name, sizeof(process->name), "%.48s", name);
    for (struct world_process *p = world->processes; p;) {
        if (strcmp(p->name, process->name) != 0) {
            p = p->next;
            continue;
        }
        (void)snprintf(process->name, sizeof(process->name), "%.48s-%u", name, ++count);
        p = world->processes;
    }
}

static int open_notify(const struct world_process *process, char *ret_variable, size_t size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = -1;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), WORLD_NOTIFY "/%s", process->name);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(address.sun_path, 0666) < 0)
        return -errno;
    (void)snprintf(ret_variable, size, "NOTIFY_SOCKET=%s", address.sun_path);
    return TAKE_FD(fd);
}

static int become(const struct world_spawn *spawn) {
    static const gid_t none[1];

    if (setgroups(spawn->groups_count, spawn->groups ? spawn->groups : none) < 0 ||
        setresgid(spawn->uid, spawn->uid, spawn->uid) < 0 ||
        setresuid(spawn->uid, spawn->uid, spawn->uid) < 0)
        return -errno;
    return 0;
}

/* What a service manager would hand over: default signals, nothing blocked, no core files. */
static void plain_signals(void) {
    struct sigaction plain = {.sa_handler = SIG_DFL};
    struct rlimit no_core = {0, 0};
    sigset_t none;

    for (int i = 1; i < SIGRTMAX; i++)
        (void)sigaction(i, &plain, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setrlimit(RLIMIT_CORE, &no_core);
}

static int redirect(const struct world_spawn *spawn, int out, int err) {
    int in = spawn->stdin_fd;

    if (spawn->terminal)
        return 0;
    if (in == 0)
        in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        return -errno;
    return 0;
}

/* exec(3) promises not to write to what it takes as plain pointers; the type says so by a copy of the list. */
static char **unconst(const char *const *list) {
    char **copy;
    size_t n = 0;

    while (list[n])
        n++;
    copy = calloc(n + 1, sizeof(*copy));
    if (copy)
        memcpy(copy, list, n * sizeof(*copy));
    return copy;
}

/* In the child: never returns. The errno of what failed goes into @report; a good exec closes it. */
static void child(const struct world_spawn *spawn, int out, int err, int report,
                  const char *notify) {
    const char *env[ENV_MAX] = {NULL};
    size_t n = 0;
    int error;

    for (size_t i = 0; i < ELEMENTS(environment); i++)
        env[n++] = environment[i];
    if (*notify)
        env[n++] = notify;
    for (size_t i = 0; spawn->env && spawn->env[i] && n < ENV_MAX - 1; i++)
        env[n++] = spawn->env[i];
    plain_signals();
    if (!spawn->terminal)
        (void)setsid();
    (void)umask(0022);
    error = chdir("/") < 0 ? -errno : redirect(spawn, out, err);
    if (error == 0)
        error = become(spawn);
    if (error == 0) {
        /* execvpe() looks a name up in the PATH of who calls it: whatever that was outside, it is the world's here. */
        (void)setenv("PATH", strchr(environment[0], '=') + 1, 1);
        (void)execvpe(spawn->argv[0], unconst(spawn->argv), unconst(env));
        error = -errno;
    }
    (void)!write(report, &error, sizeof(error));
    _exit(127);
}

static int fork_child(struct world_process *process, const struct world_spawn *spawn,
                      const char *notify) {
    _cleanup_close_ int out = -1, err = -1, report = -1, hear = -1;
    char path[256];
    int error = 0, ends[2];

    log_path(process, "out", path, sizeof(path));
    out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    log_path(process, "err", path, sizeof(path));
    err = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (out < 0 || err < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    hear = ends[0];
    report = ends[1];
    (void)fflush(NULL);
    process->started_usec = world_now_usec();
    process->pid = fork();
    if (process->pid < 0)
        return -errno;
    if (process->pid == 0)
        child(spawn, out, err, report, notify);
    report = safe_close(report);
    process->running = true;
    process->pidfd = pidfd_open(process->pid, 0);
    if (process->pidfd < 0)
        return -errno;
    if (read(hear, &error, sizeof(error)) == sizeof(error))
        (void)world_complain(error, "cannot start %s", spawn->argv[0]);
    return error;
}

struct world_process *world_spawn(struct world *world, const struct world_spawn *spawn) {
    struct world_process *process;
    const char *name = spawn->name ? spawn->name : spawn->argv[0];
    char notify[160] = "";
    int r = 0;

    process = calloc(1, sizeof(*process));
    if (!process)
        return NULL;
    process->world = world;
    process->pidfd = process->notify_fd = -1;
    process->ours = strncmp(spawn->argv[0], WORLD_BUILD, strlen(WORLD_BUILD)) == 0;
    give_name(world, process, strrchr(name, '/') ? strrchr(name, '/') + 1 : name);
    process->next = world->processes;
    world->processes = process;
    if (spawn->notify)
        r = process->notify_fd = open_notify(process, notify, sizeof(notify));
    if (r >= 0)
        r = fork_child(process, spawn, notify);
    if (r < 0 && process->pid <= 0)
        (void)world_complain(r, "cannot start %s", name);
    if (r < 0)
        (void)world_wait(process, WORLD_WAIT_MSEC);
    return r < 0 ? NULL : process;
}

struct world_process *world_start_as(struct world *world, uid_t uid, const char *const *argv) {
    return world_spawn(world, &(struct world_spawn){.argv = argv, .uid = uid});
}

struct world_process *world_last(struct world *world) {
    return world->processes;
}

struct world_process *world_find(struct world *world, const char *name) {
    for (struct world_process *p = world->processes; p; p = p->next)
        if (strncmp(p->name, name, strlen(name)) == 0)
            return p;
    return NULL;
}

bool world_reap(struct world_process *process) {
    if (process->running && waitpid(process->pid, &process->status, WNOHANG) == process->pid) {
        process->running = false;
        process->pidfd = safe_close(process->pidfd); /* a test may start thousands */
    }
    return process->running;
}

int world_exit_code(const struct world_process *process) {
    if (WIFSIGNALED(process->status))
        return 128 + WTERMSIG(process->status);
    return WEXITSTATUS(process->status);
}

int world_wait(struct world_process *process, uint64_t msec) {
    uint64_t deadline = world_now_usec() + msec * USEC_PER_MSEC;

    while (world_reap(process)) {
        struct pollfd fd = {.fd = process->pidfd, .events = POLLIN};
        int left = world_left_msec(deadline);

        if (left == 0)
            return -ETIMEDOUT;
        if (poll(&fd, 1, left) < 0 && errno != EINTR)
            return -errno;
    }
    return 0;
}

int world_signal(struct world_process *process, int signal) {
    if (!world_reap(process))
        return -ESRCH;
    return pidfd_send_signal(process->pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int world_stop(struct world_process *process) {
    if (world_signal(process, SIGTERM) == 0 && world_wait(process, WORLD_STOP_MSEC) < 0) {
        (void)world_complain(0, "%s did not end within %d ms of SIGTERM", process->name,
                             WORLD_STOP_MSEC);
        (void)world_signal(process, SIGKILL);
        (void)world_wait(process, WORLD_STOP_MSEC);
    }
    return world_exit_code(process);
}

int world_call_as(struct world *world, uid_t uid, const char *const *argv, char *ret_out,
                  size_t size) {
    _cleanup_free_ char *output = NULL;
    struct world_process *process;
    int r;

    process = world_start_as(world, uid, argv);
    if (!process)
        return -EIO;
    r = world_wait(process, WORLD_WAIT_MSEC);
    if (r < 0) {
        (void)world_complain(r, "%s has not ended after %d ms", process->name, WORLD_WAIT_MSEC);
        (void)world_signal(process, SIGKILL);
        (void)world_wait(process, WORLD_STOP_MSEC);
    }
    output = world_output(process);
    if (size > 0)
        (void)snprintf(ret_out, size, "%s", output ? output : "");
    return r < 0 ? r : world_exit_code(process);
}

/* The whole of a file of /run, which is small; NULL when it cannot be read. */
static char *slurp(const char *path) {
    _cleanup_fclose_ FILE *file = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    file = fopen(path, "re");
    if (!file)
        return NULL;
    if (getdelim(&text, &size, '\0', file) < 0)
        return strdup("");
    return TAKE_PTR(text);
}

char *world_output(const struct world_process *process) {
    char path[256];

    log_path(process, "out", path, sizeof(path));
    return slurp(path);
}

char *world_errors(const struct world_process *process) {
    char path[256];

    log_path(process, "err", path, sizeof(path));
    return slurp(path);
}

/* The first whole line from @text on that begins with @prefix: its copy, and where the next one begins. */
static char *find_line(const char *text, const char *prefix, const char **ret_next) {
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        if (strncmp(text, prefix, strlen(prefix)) != 0)
            continue;
        *ret_next = end + 1;
        return strndup(text, (size_t)(end - text));
    }
    return NULL;
}

int world_wait_output(struct world_process *process, const char *prefix, uint64_t msec,
                      char **ret_line) {
    uint64_t deadline = world_now_usec() + msec * USEC_PER_MSEC;
    _cleanup_close_ int watch = -1;
    char path[256], events[4096];

    log_path(process, "out", path, sizeof(path));
    watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY) < 0)
        return -errno;
    for (;;) {
        struct pollfd fds[] = {{.fd = watch, .events = POLLIN},
                               {.fd = process->pidfd, .events = POLLIN}};
        bool running = world_reap(process);
        _cleanup_free_ char *text = world_output(process), *line = NULL;
        const char *next;
        int left = world_left_msec(deadline);

        line = text ? find_line(text, prefix, &next) : NULL;
        if (line) {
            if (ret_line)
                *ret_line = TAKE_PTR(line);
            return 0;
        }
        if (!running || left == 0)
            return running ? -ETIMEDOUT : -ECHILD;
        (void)poll(fds, ELEMENTS(fds), left);
        (void)!read(watch, events, sizeof(events));
    }
}

void world_drain_notify(struct world_process *process) {
    char message[4096];
    ssize_t n;

    while (process->notify_fd >= 0 &&
           (n = recv(process->notify_fd, message, sizeof(message) - 1, 0)) >= 0) {
        char *all = NULL;

        message[n] = '\0';
        if (asprintf(&all, "%s%s%s", process->notifications ? process->notifications : "", message,
                     n > 0 && message[n - 1] == '\n' ? "" : "\n") < 0)
            return;
        free(process->notifications);
        process->notifications = all;
    }
}

int world_wait_notify(struct world_process *process, const char *prefix, uint64_t msec,
                      char **ret_line) {
    uint64_t deadline = world_now_usec() + msec * USEC_PER_MSEC;

    for (;;) {
        struct pollfd fds[] = {{.fd = process->notify_fd, .events = POLLIN},
                               {.fd = process->pidfd, .events = POLLIN}};
        bool running = world_reap(process);
        _cleanup_free_ char *line = NULL;
        const char *next;
        int left = world_left_msec(deadline);

        world_drain_notify(process);
        if (process->notifications)
            line = find_line(process->notifications + process->notifications_seen, prefix, &next);
        if (line) {
            process->notifications_seen = (size_t)(next - process->notifications);
            if (ret_line)
                *ret_line = TAKE_PTR(line);
            return 0;
        }
        if (!running || left == 0)
            return running ? -ETIMEDOUT : -ECHILD;
        (void)poll(fds, ELEMENTS(fds), left);
    }
}

static void print_file(const char *name, const char *suffix, char *text) {
    if (text && *text)
        (void)fprintf(stderr, "--- %s, %s ---\n%s%s", name, suffix, text,
                      text[strlen(text) - 1] == '\n' ? "" : "\n");
    free(text);
}

void world_log_one(struct world_process *process) {
    char end[64] = "runs";

    if (!world_reap(process))
        (void)snprintf(end, sizeof(end), "ended with %d", world_exit_code(process));
    (void)fprintf(stderr, "--- %s, process %d: %s ---\n", process->name, (int)process->pid, end);
    print_file(process->name, "stdout", world_output(process));
    print_file(process->name, "stderr", world_errors(process));
    world_drain_notify(process);
    print_file(process->name, "notifications",
               process->notifications ? strdup(process->notifications) : NULL);
}

/* Of what ended well, and long ago, a test that polls makes hundreds; they would hide what matters. */
static void log_oldest_first(struct world_process *process, unsigned age, unsigned *skipped) {
    if (!process)
        return;
    log_oldest_first(process->next, age + 1, skipped);
    if (age >= LOG_ENDED_MAX && !world_reap(process) && world_exit_code(process) == 0)
        (*skipped)++;
    else
        world_log_one(process);
}

void world_log(struct world *world) {
    unsigned skipped = 0;

    log_oldest_first(world->processes, 0, &skipped);
    if (skipped > 0)
        (void)fprintf(stderr, "--- and %u older processes that ended with 0 ---\n", skipped);
    (void)fflush(stderr);
}

/* Whether the end of @process is a sanitizer's report. */
static bool condemned(const struct world_process *process) {
    return WIFEXITED(process->status) && WEXITSTATUS(process->status) == WORLD_SANITIZER_EXIT;
}

bool world_end(struct world *world) {
    struct world_process *process;
    bool bad = false;

    while ((process = world->processes)) {
        /* What is not of our build has no verdict to give; it ends with the world, faster. */
        if (world_reap(process) && process->ours)
            (void)world_stop(process);
        if (!process->running && condemned(process)) {
            char *text = world_errors(process);

            (void)world_complain(0, "%s ended by a sanitizer", process->name);
            print_file(process->name, "stderr", text);
            bad = true;
        }
        world->processes = process->next;
        (void)safe_close(process->pidfd);
        (void)safe_close(process->notify_fd);
        free(process->notifications);
        free(process);
    }
    return bad;
}
