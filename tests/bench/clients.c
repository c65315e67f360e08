/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bench-clients: applications that ask for keys, each a process with a connection of its own and one call at a time.
 *
 * Processes and not threads, because that is what applications are: threads would share one table of descriptors,
 * and pay for that at each key's pipe what no application pays.
 *
 * Short slices of Ping, of keys and of the same call to bench-pipe-service take turns, so that whatever else the
 * machine does hits all alike. All clients
 * begin a slice together, and it lasts until the last of them has its last answer. The first slice of each kind is
 * not counted: in it connections are made and keystrapd gets to know its callers.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "keystrap-limits.h"
#include "util.h"

#define AGENT        "org.keystrap.Agent1"
#define PATH         "/org/keystrap/Agent1"
#define CLIENTS_MAX  512u
#define SLICES_MAX   64u
#define SAMPLES_MAX  (1024u * 1024) /* of one client and kind: more than half a minute of calls */
#define PATIENCE_SEC 120u           /* beyond the slices, until a run that hangs is ended */

enum kind {
    PING,
    KEY,
    BARE_PIPE,
    KINDS,
};

/* How long calls took, in microseconds; in memory that client and parent share. */
struct samples {
    float *usec; /* SAMPLES_MAX of them, of which the kernel gives what is touched */
    size_t count;
};

struct run;

struct client {
    pid_t pid;
    struct samples samples[KINDS];
};

/* Shared by all. */
struct run {
    unsigned clients_count, slices, slice_msec;
    int keystrapd, bus_daemon; /* their processes, 0 where not told */
    const char *pipe_service;  /* its unique name */
    struct client clients[CLIENTS_MAX];
    pthread_barrier_t begin, end;
    atomic_bool failed;

    /* Of the slice under way; written between end and begin. */
    enum kind kind;
    bool counted, stop;
    uint64_t deadline_nsec;

    /* Sums of the counted slices. */
    double seconds[KINDS];
    double keystrapd_usec[KINDS], bus_daemon_usec[KINDS];
    double ratios[SLICES_MAX];
};

static uint64_t now_nsec(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Processor time that a process's first thread has had, in microseconds; 0 where it is not known. */
static double processor_usec(int pid) {
    _cleanup_fclose_ FILE *f = NULL;
    uint64_t nsec = 0;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
    f = pid > 0 ? fopen(path, "re") : NULL;
    if (!f || fscanf(f, "%" SCNu64, &nsec) != 1)
        return 0;
    return (double)nsec / 1e3;
}

/* --- Calls --------------------------------------------------------------------------------------- */

static int call_ping(sd_bus *bus) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
    int r;

    r = sd_bus_message_new_method_call(bus, &m, AGENT, PATH, "org.freedesktop.DBus.Peer", "Ping");
    return r < 0 ? r : sd_bus_call(bus, m, 0, NULL, &reply);
}

/* The key is all that there is to read; the descriptor is the reply's, and closed with it. */
static int take_key(sd_bus_message *reply) {
    uint8_t key[NAF_KEY_LENGTH + 1];
    const char *btid;
    ssize_t n;
    int fd, r;

    r = sd_bus_message_read(reply, "sh", &btid, &fd);
    if (r < 0)
        return r;
    n = read(fd, key, sizeof(key));
    if (n < 0)
        return -errno;
    return n == NAF_KEY_LENGTH ? 0 : -EBADMSG;
}

static int call_key(sd_bus *bus, const char *service, const char *naf) {
    static const uint8_t ua_protocol[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
    int r;

    r = sd_bus_message_new_method_call(bus, &m, service, PATH, AGENT ".Keys", "DeriveNafKey");
    if (r >= 0)
        r = sd_bus_message_append(m, "s", naf);
    if (r >= 0)
        r = sd_bus_message_append_array(m, 'y', ua_protocol, sizeof(ua_protocol));
    if (r >= 0)
        r = sd_bus_message_append(m, "a{sv}", 0);
    if (r >= 0)
        r = sd_bus_call(bus, m, 0, NULL, &reply);
    return r < 0 ? r : take_key(reply);
}

static int call(const struct run *run, sd_bus *bus) {
    switch (run->kind) {
    case PING:
        return call_ping(bus);
    case KEY:
        return call_key(bus, AGENT, BENCH_NAF);
    case BARE_PIPE:
        return call_key(bus, run->pipe_service, BENCH_NAF);
    case KINDS:
        break;
    }
    return -EINVAL;
}

static void samples_add(struct samples *samples, double usec) {
    if (samples->count < SAMPLES_MAX)
        samples->usec[samples->count++] = (float)usec;
}

/* --- Clients ------------------------------------------------------------------------------------- */

static int client_slice(struct run *run, struct client *client, sd_bus *bus) {
    uint64_t before = now_nsec(), after;
    int r;

    do {
        r = call(run, bus);
        if (r < 0)
            return r;
        after = now_nsec();
        if (run->counted)
            samples_add(&client->samples[run->kind], (double)(after - before) / 1e3);
        before = after;
    } while (after < run->deadline_nsec);
    return 0;
}

/* The life of one application. It goes on after a failure, because the others wait for it at the barriers. */
static void client_main(struct run *run, struct client *client) {
    sd_bus *bus = NULL;
    int r;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    r = sd_bus_open_system(&bus);
    for (;;) {
        (void)pthread_barrier_wait(&run->begin);
        if (run->stop)
            _exit(EX_OK);
        if (r >= 0)
            r = client_slice(run, client, bus);
        if (r < 0 && !atomic_exchange(&run->failed, true))
            (void)fprintf(stderr, "bench-clients: a call failed: %s\n", strerror(-r));
        (void)pthread_barrier_wait(&run->end);
    }
}

static size_t run_calls(const struct run *run, enum kind kind) {
    size_t calls = 0;

    for (unsigned i = 0; i < run->clients_count; i++)
        calls += run->clients[i].samples[kind].count;
    return calls;
}

/* Returns calls a second. */
static double run_slice(struct run *run, enum kind kind, bool counted) {
    size_t calls = run_calls(run, kind);
    double keystrapd = processor_usec(run->keystrapd);
    double bus_daemon = processor_usec(run->bus_daemon);
    uint64_t began = now_nsec();
    double seconds;

    run->kind = kind;
    run->counted = counted;
    run->deadline_nsec = began + (uint64_t)run->slice_msec * 1000000;
    (void)pthread_barrier_wait(&run->begin);
    (void)pthread_barrier_wait(&run->end);
    seconds = (double)(now_nsec() - began) / 1e9;
    if (!counted)
        return 0;
    run->seconds[kind] += seconds;
    run->keystrapd_usec[kind] += processor_usec(run->keystrapd) - keystrapd;
    run->bus_daemon_usec[kind] += processor_usec(run->bus_daemon) - bus_daemon;
    return (double)(run_calls(run, kind) - calls) / seconds;
}

static void run_all_slices(struct run *run) {
    for (unsigned kind = 0; kind < KINDS; kind++)
        (void)run_slice(run, (enum kind)kind, false);
    for (unsigned i = 0; i < run->slices; i++) {
        double ping = run_slice(run, PING, true);

        run->ratios[i] = run_slice(run, KEY, true) / ping;
        (void)run_slice(run, BARE_PIPE, true);
    }
    run->stop = true;
    (void)pthread_barrier_wait(&run->begin);
}

static void *share(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static int run_start(struct run *run) {
    pthread_barrierattr_t attributes;

    (void)pthread_barrierattr_init(&attributes);
    (void)pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_barrier_init(&run->begin, &attributes, run->clients_count + 1);
    (void)pthread_barrier_init(&run->end, &attributes, run->clients_count + 1);
    (void)alarm(run->slices * KINDS * run->slice_msec / 1000 + PATIENCE_SEC);
    for (unsigned i = 0; i < run->clients_count; i++) {
        struct client *client = &run->clients[i];

        for (unsigned kind = 0; kind < KINDS; kind++) {
            client->samples[kind].usec = share(SAMPLES_MAX * sizeof(float));
            if (!client->samples[kind].usec)
                return -ENOMEM;
        }
        client->pid = fork();
        if (client->pid < 0)
            return -errno;
        if (client->pid == 0)
            client_main(run, client);
    }
    return 0;
}

/* --- What is told -------------------------------------------------------------------------------- */

static void put(json_t *object, const char *prefix, const char *name, double value) {
    char key[96];

    (void)snprintf(key, sizeof(key), "%s%s", prefix, name);
    (void)json_object_set_new(object, key, stats_real(value));
}

static int put_kind(const struct run *run, json_t *object, const char *prefix, enum kind kind) {
    size_t calls = run_calls(run, kind), n = 0;
    _cleanup_free_ double *all = calloc(calls + 1, sizeof(*all));

    if (!all)
        return -ENOMEM;
    for (unsigned i = 0; i < run->clients_count; i++) {
        const struct samples *samples = &run->clients[i].samples[kind];

        for (size_t j = 0; j < samples->count; j++)
            all[n++] = (double)samples->usec[j];
    }
    stats_sort(all, n);
    put(object, prefix, "calls_per_second", (double)calls / run->seconds[kind]);
    put(object, prefix, "p50_usec", stats_quantile(all, n, 0.50));
    put(object, prefix, "p95_usec", stats_quantile(all, n, 0.95));
    put(object, prefix, "p99_usec", stats_quantile(all, n, 0.99));
    if (kind != BARE_PIPE)
        put(object, prefix, "keystrapd_processor_usec", run->keystrapd_usec[kind] / (double)calls);
    put(object, prefix, "bus_daemon_processor_usec", run->bus_daemon_usec[kind] / (double)calls);
    return 0;
}

static double run_rate(const struct run *run, enum kind kind) {
    return (double)run_calls(run, kind) / run->seconds[kind];
}

static int tell(struct run *run) {
    json_t *object = json_object();
    int r;

    r = put_kind(run, object, "", KEY);
    if (r == 0)
        r = put_kind(run, object, "ping_", PING);
    if (r == 0)
        r = put_kind(run, object, "bare_pipe_", BARE_PIPE);
    if (r == 0) {
        put(object, "", "ping_ratio", run_rate(run, KEY) / run_rate(run, PING));
        stats_sort(run->ratios, run->slices);
        put(object, "", "ping_ratio_worst_slice", stats_quantile(run->ratios, run->slices, 0));
        put(object, "", "ping_ratio_best_slice", stats_quantile(run->ratios, run->slices, 1));
        put(object, "", "bare_pipe_ping_ratio", run_rate(run, BARE_PIPE) / run_rate(run, PING));
        put(object, "", "bare_pipe_ratio", run_rate(run, KEY) / run_rate(run, BARE_PIPE));
        r = json_dumpf(object, stdout, JSON_INDENT(1));
    }
    json_decref(object);
    return r;
}

static int measure(struct run *run) {
    int r;

    r = run_start(run);
    if (r < 0) {
        (void)fprintf(stderr, "bench-clients: %s\n", strerror(-r));
        return EX_OSERR; /* clients that wait at the barrier end with us */
    }
    run_all_slices(run);
    for (unsigned i = 0; i < run->clients_count; i++)
        (void)waitpid(run->clients[i].pid, NULL, 0);
    r = atomic_load(&run->failed) ? -EIO : tell(run);
    return r < 0 ? EX_SOFTWARE : EX_OK;
}

/* One client, a key of each of @count NAFs. */
static int derive_distinct(unsigned count) {
    sd_bus *bus = NULL;
    char naf[64];
    int r;

    r = sd_bus_open_system(&bus);
    for (unsigned i = 0; r >= 0 && i < count; i++) {
        (void)snprintf(naf, sizeof(naf), "n%u.example.com", i);
        r = call_key(bus, AGENT, naf);
    }
    if (r < 0)
        (void)fprintf(stderr, "bench-clients: %s\n", strerror(-r));
    bus = sd_bus_flush_close_unref(bus);
    return r < 0 ? EX_UNAVAILABLE : EX_OK;
}

static bool parse(struct run *run, int argc, char **argv, unsigned *ret_distinct) {
    static const struct option options[] = {{"clients", required_argument, NULL, 'c'},
                                            {"slices", required_argument, NULL, 's'},
                                            {"slice-msec", required_argument, NULL, 'm'},
                                            {"keystrapd", required_argument, NULL, 'k'},
                                            {"bus-daemon", required_argument, NULL, 'b'},
                                            {"pipe-service", required_argument, NULL, 'p'},
                                            {"distinct", required_argument, NULL, 'd'},
                                            {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'c')
            run->clients_count = (unsigned)atoi(optarg);
        else if (c == 's')
            run->slices = (unsigned)atoi(optarg);
        else if (c == 'm')
            run->slice_msec = (unsigned)atoi(optarg);
        else if (c == 'k')
            run->keystrapd = atoi(optarg);
        else if (c == 'b')
            run->bus_daemon = atoi(optarg);
        else if (c == 'p')
            run->pipe_service = optarg;
        else if (c == 'd')
            *ret_distinct = (unsigned)atoi(optarg);
        else
            return false;
    }
    if (*ret_distinct > 0)
        return true;
    return run->clients_count >= 1 && run->clients_count <= CLIENTS_MAX && run->slices >= 1 &&
           run->slices <= SLICES_MAX && run->slice_msec >= 1 && run->pipe_service;
}

int main(int argc, char **argv) {
    struct run *run = share(sizeof(*run));
    unsigned distinct = 0;

    if (!run)
        return EX_OSERR;
    if (!parse(run, argc, argv, &distinct)) {
        (void)fprintf(stderr, "Usage: bench-clients --clients N --slices N --slice-msec N "
                              "--pipe-service NAME | --distinct N\n");
        return EX_USAGE;
    }
    return distinct > 0 ? derive_distinct(distinct) : measure(run);
}
