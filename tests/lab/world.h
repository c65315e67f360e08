/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The world: a gateway in small in which the real programs run.
 *
 * A world is a set of private namespaces (processes, mounts, network, IPC). Inside it looks like an installed
 * gateway: the bus at /run/dbus/system_bus_socket, pcscd at /run/pcscd/pcscd.comm, /etc/keystrap and
 * /var/lib/keystrap empty, the users of enum world_user in /etc/passwd, a loopback device of its own, /proc of its
 * own. So busctl, opensc-tool and keystrapctl work in it without a word of environment, two worlds never meet, and
 * nothing of it reaches the machine outside. When the world ends, however it ends, every process in it dies.
 *
 * The build tree is at WORLD_BUILD and the source tree at WORLD_SOURCE, whatever their paths outside are and
 * whoever may enter those. Programs of the build that a user would call are in /usr/local/bin.
 *
 * Unless it is said otherwise a function that fails prints what failed, with what the processes said, on stderr.
 * Every wait has a deadline of WORLD_WAIT_MSEC or the one given. Needs root.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WORLD_BUILD  "/run/world/build"
#define WORLD_SOURCE "/run/world/source"
#define WORLD_SCRATCH \
    "/run/world/scratch"                 /* for a test's own files; anybody may write, as in /tmp */
#define WORLD_LOG       "/run/world/log" /* NAME.out and NAME.err of each process */
#define WORLD_PLUGINS   WORLD_BUILD "/plugins"
#define WORLD_CONFIG    "/etc/keystrap/keystrap.conf"
#define WORLD_ACCESS    "/etc/keystrap/access.d/world.conf"
#define WORLD_MODEM     WORLD_SCRATCH "/modem"
#define WORLD_CREDENTIALS "/run/world/credentials" /* of systemd, for keystrapd: with a sealing key */
#define WORLD_CERTIFICATES "/run/world/certificates" /* see world_make_certificates() */
#define WORLD_WAIT_MSEC 20000
#define WORLD_SKIPPED   77 /* what world_run() returns without root: ctest's "skipped" */

#define WORLD_BSF_NAME "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define WORLD_NAF_NAME "naf.example.com"
#define WORLD_MEF_NAME "mef.example.com"
#define WORLD_MAF_NAME "maf.example.com"

/* The users that the world has beside those of the machine; each has a group of the same name and number. */
enum world_user {
    WORLD_USER_ROOT = 0,
    WORLD_USER_KEYSTRAP = 60100, /* "keystrap": the service's */
    WORLD_USER_METER = 60101,    /* "meter": an application that access rules may name */
    WORLD_USER_STRANGER = 60102, /* "stranger": one that they do not */
};

struct world;

/**
 * struct world_process - a process in the world; it belongs to the world
 *
 * Fields are for reading. Everything that the process prints is in files, see world_output().
 */
struct world_process {
    struct world *world;
    struct world_process *next;
    char name[64]; /* "keystrapd", "keystrapd-2" for the second: the name of its log files */
    pid_t pid;     /* as inside the world; not reused before we have waited for it */
    int pidfd;
    int notify_fd; /* our end of NOTIFY_SOCKET, or -1 */
    bool running;
    bool ours;                 /* a program of the build tree, by its path */
    int status;                /* as waitpid(2) gives it, once not running */
    uint16_t port;             /* BSF, NAF: where they listen, on 127.0.0.1 */
    uint16_t zn_port;          /* BSF: where the NAF asks */
    uint16_t certificate_port; /* MEF: where certificates are wanted; port is where a pre-shared key is */
    uint16_t coap_port;        /* MEF: DTLS, either */
    char control[108];         /* USIM, BSF: path of the control socket, or "" */
    char *notifications;       /* all lines that it has sent to NOTIFY_SOCKET */
    size_t notifications_seen; /* up to here world_wait_notify() has gone */
    uint64_t started_usec;     /* now_usec() just before the fork */
    uint64_t ready_usec;       /* how long it took until it was ready */
};

/* Where world_spawn() starts a program from. Zero is a good value for what is not needed. */
struct world_spawn {
    const char *name;        /* for the logs; NULL: the program's */
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *const *env;  /* "NAME=value", on top of the world's few; NULL-terminated, or NULL */
    uid_t uid;               /* and gid: enum world_user or any other */
    const gid_t *groups;     /* supplementary groups */
    size_t groups_count;
    bool notify;   /* give it a NOTIFY_SOCKET */
    bool terminal; /* our stdin, stdout, stderr and terminal instead of files */
    int stdin_fd;  /* 0: /dev/null; borrowed */
};

/**
 * world_run() - make a world, run @body in it, end it
 * @body: runs as root and as an ordinary process of the world; what it returns, 0 to 125, is its verdict
 *
 * At the end whatever still runs is stopped in the order of youngest first, so that a sanitizer's report at exit
 * counts: a process that ended by one makes the verdict 1. May be called by several processes at once, and by one
 * process several times; the caller must have no second thread.
 *
 * Return: the body's verdict; 126 when the world could not be made or the body died; WORLD_SKIPPED without root.
 */
int world_run(int (*body)(struct world *world, void *userdata), void *userdata);

/**
 * world_start_bus() - the system bus, dbus-daemon with Debian's default policy and ours
 */
struct world_process *world_start_bus(struct world *world);

/**
 * world_start_pcscd() - pcscd with the two virtual readers of vpcd, no card in them; ready when a client can connect
 *
 * Waits for the reader too. It may be stopped and started again.
 */
struct world_process *world_start_pcscd(struct world *world);

/**
 * world_start_usim() - put the lab's USIM into the reader, and wait until pcscd has seen it
 * @subscriber: its name in tests/lab/lab.conf
 * @extra: more arguments for `keystrap-lab usim`, NULL-terminated, or NULL
 *
 * world_stop() pulls the card.
 */
struct world_process *world_start_usim(struct world *world, const char *subscriber,
                                       const char *const *extra);

/**
 * world_start_second_usim() - likewise, into the second reader, which pcscd shows beside the first and which is empty without
 * this
 */
struct world_process *world_start_second_usim(struct world *world, const char *subscriber,
                                              const char *const *extra);

/**
 * world_start_modem() - a modem with the lab's card in it, which speaks @protocol: "qmi", "mbim" or "at"
 * @extra: more arguments for `keystrap-lab PROTOCOL-modem`, NULL-terminated, or NULL
 *
 * It is at the place of qmi-proxy or mbim-proxy, or, for "at", at the serial port WORLD_MODEM.
 */
struct world_process *world_start_modem(struct world *world, const char *protocol,
                                        const char *subscriber, const char *const *extra);

/**
 * world_write_modem() - as world_write_defaults(), with the card in the modem
 * @more: more lines for [UICC], or ""
 */
int world_write_modem(const struct world_process *bsf, const char *protocol, const char *more);

/**
 * world_wait_card() - wait until pcscd sees a card in its first reader, or none
 *
 * pcscd looks every 400 ms. Return: 0; -ETIMEDOUT; -EIO when pcscd does not answer. Prints nothing.
 */
int world_wait_card(bool present, uint64_t msec);

/**
 * world_reader() - the name of pcscd's first reader
 *
 * Return: 0; -EIO when there is none.
 */
int world_reader(char *ret, size_t size);

/**
 * world_start_bsf() - the lab's BSF, WORLD_BSF_NAME, on ports of its own (->port, ->zn_port)
 */
struct world_process *world_start_bsf(struct world *world, const char *const *extra);

/**
 * world_start_naf() - the lab's NAF, WORLD_NAF_NAME, that asks @bsf for its keys (->port)
 */
struct world_process *world_start_naf(struct world *world, const struct world_process *bsf,
                                      const char *const *extra);

/**
 * world_start_mef() - the lab's MEF, WORLD_MEF_NAME, with the certificates of world_make_certificates() and the enrolees of
 * tests/lab/enrolees.conf (->port, ->certificate_port, ->coap_port)
 */
struct world_process *world_start_mef(struct world *world, const char *const *extra);

/**
 * world_make_certificates() - the certificates of tests/lab/make-certificates, in WORLD_CERTIFICATES
 */
int world_make_certificates(struct world *world);

/**
 * world_write_profile() - replace /etc/keystrap/enrol.d/NAME.conf by @text. Return: 0 or a negative errno.
 */
int world_write_profile(const char *name, const char *text);

/**
 * world_write_config() - replace /etc/keystrap/keystrap.conf by @text
 *
 * world_write_access() does so with /etc/keystrap/access.d/world.conf. Return: 0 or a negative errno.
 */
int world_write_config(const char *text);
int world_write_access(const char *text);

/**
 * world_write_defaults() - the usual: the BSF by its name at @bsf's port; meter may have NAF keys of *.example.com
 * and naf.example.com with any Ua identifier
 *
 * Return: 0 or a negative errno.
 */
int world_write_defaults(const struct world_process *bsf);

/**
 * world_spawn_keystrapd() - start the service as its user, with NOTIFY_SOCKET, and do not wait
 * @args: arguments, NULL-terminated; NULL for `--plugin-dir WORLD_PLUGINS`
 * @env: see struct world_spawn, or NULL. "WATCHDOG_USEC=3000000" asks for the watchdog
 */
struct world_process *world_spawn_keystrapd(struct world *world, const char *const *args,
                                            const char *const *env);

/**
 * world_start_keystrapd() - the same, and wait for READY=1 (->ready_usec)
 */
struct world_process *world_start_keystrapd(struct world *world, const char *const *args);

/**
 * world_start_gateway() - bus, pcscd, the USIM of @subscriber, BSF, NAF, the defaults and keystrapd
 * @ret_bsf, @ret_naf, @ret_keystrapd: each may be NULL
 *
 * Return: 0; -EIO when one did not start.
 */
int world_start_gateway(struct world *world, const char *subscriber, struct world_process **ret_bsf,
                        struct world_process **ret_naf, struct world_process **ret_keystrapd);

/**
 * world_spawn() - start any program
 */
struct world_process *world_spawn(struct world *world, const struct world_spawn *spawn);

/**
 * world_start_as() - start @argv as @uid and its group; does not wait
 */
struct world_process *world_start_as(struct world *world, uid_t uid, const char *const *argv);

/**
 * world_call_as() - run @argv as @uid to its end
 * @ret_out: what it printed on stdout, NUL-terminated, cut to @size; may be NULL with @size 0
 *
 * A program that has not ended after WORLD_WAIT_MSEC is killed. Its stderr: WORLD_LOG, world_last().
 *
 * Return: its exit status, 128 + N when signal N ended it; a negative errno (-ETIMEDOUT).
 */
int world_call_as(struct world *world, uid_t uid, const char *const *argv, char *ret_out,
                  size_t size);

/**
 * world_last() - the process that was started last, also one that has ended
 */
struct world_process *world_last(struct world *world);

/**
 * world_find() - the youngest process whose name begins with @name, or NULL; prints nothing
 */
struct world_process *world_find(struct world *world, const char *name);

/**
 * world_signal() - send @signal. Return: 0; -ESRCH when it does not run.
 */
int world_signal(struct world_process *process, int signal);

/**
 * world_wait() - wait for its end; prints nothing
 *
 * Return: 0 with ->status; -ETIMEDOUT after @msec (it still runs).
 */
int world_wait(struct world_process *process, uint64_t msec);

/**
 * world_stop() - SIGTERM, and SIGKILL when that has not ended it after five seconds
 *
 * Return: its exit status, 128 + N for signal N; a process that had ended before gives the same.
 */
int world_stop(struct world_process *process);

/**
 * world_exit_code() - of a process that has ended: its exit status, 128 + N when signal N ended it
 */
int world_exit_code(const struct world_process *process);

/**
 * world_wait_notify() - wait for the next line to NOTIFY_SOCKET that begins with @prefix ("READY=1", "STATUS=")
 * @ret_line: the line, to be freed by the caller; may be NULL
 *
 * Lines are taken in order: what came before the line that is found is skipped for good. So after SIGHUP wait for
 * "RELOADING=1", then for "READY=1".
 *
 * Return: 0; -ETIMEDOUT; -ECHILD when the process ended without it. Prints nothing.
 */
int world_wait_notify(struct world_process *process, const char *prefix, uint64_t msec,
                      char **ret_line);

/**
 * world_wait_output() - wait for a whole line on stdout that begins with @prefix
 * @ret_line: see world_wait_notify(); any line counts, also one that was found before
 */
int world_wait_output(struct world_process *process, const char *prefix, uint64_t msec,
                      char **ret_line);

/**
 * world_output() - what the process has printed so far; the caller frees it. NULL when out of memory.
 */
char *world_output(const struct world_process *process);
char *world_errors(const struct world_process *process);

/**
 * world_ctl() - say @command ("fault drop 3", "counters") to the control socket of a USIM or BSF
 * @ret_reply: its answer without the newline, cut to @size, also when it is no; may be NULL with @size 0
 *
 * Return: 0 when the answer begins with "ok"; -EPROTO when it does not; another negative errno.
 */
int world_ctl(struct world_process *process, const char *command, char *ret_reply, size_t size);

/**
 * world_log() - print what every process has said, for a test that failed
 */
void world_log(struct world *world);

/**
 * world_elapsed_msec() - milliseconds since the world began
 */
uint64_t world_elapsed_msec(const struct world *world);

/**
 * world_outer_pid() - the world's first process as the machine outside sees it, for nsenter
 */
pid_t world_outer_pid(const struct world *world);
