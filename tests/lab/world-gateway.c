/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The world: the gateway's inhabitants, each started as a gateway starts it and waited for until it is of use.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <winscard.h>

#include "world-internal.h"

#define ARGS_MAX    32
#define KEYSTRAPD   WORLD_BUILD "/dbus/keystrapd"
#define LAB         WORLD_BUILD "/tests/lab/keystrap-lab"
#define SUBSCRIBERS WORLD_SOURCE "/tests/lab/lab.conf"
#define BUS_CONFIG  "/run/world/bus.conf"
#define BUS_POLICY  WORLD_SOURCE "/dbus/org.keystrap.Agent1.conf"
#define RETRY_MSEC  5

/* Debian's system.conf without what needs systemd, with limits that a load test does not meet first. */
static const char bus_config[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig>\n"
    "  <type>system</type>\n"
    "  <user>messagebus</user>\n"
    "  <auth>EXTERNAL</auth>\n"
    "  <listen>unix:path=/run/dbus/system_bus_socket</listen>\n"
    "  <policy context=\"default\">\n"
    "    <allow user=\"*\"/>\n"
    "    <deny own=\"*\"/>\n"
    "    <deny send_type=\"method_call\"/>\n"
    "    <allow send_type=\"signal\"/>\n"
    "    <allow send_requested_reply=\"true\" send_type=\"method_return\"/>\n"
    "    <allow send_requested_reply=\"true\" send_type=\"error\"/>\n"
    "    <allow receive_type=\"method_call\"/>\n"
    "    <allow receive_type=\"method_return\"/>\n"
    "    <allow receive_type=\"error\"/>\n"
    "    <allow receive_type=\"signal\"/>\n"
    "    <allow send_destination=\"org.freedesktop.DBus\"\n"
    "           send_interface=\"org.freedesktop.DBus\"/>\n"
    "    <allow send_destination=\"org.freedesktop.DBus\"\n"
    "           send_interface=\"org.freedesktop.DBus.Introspectable\"/>\n"
    "    <allow send_destination=\"org.freedesktop.DBus\"\n"
    "           send_interface=\"org.freedesktop.DBus.Properties\"/>\n"
    "    <deny send_destination=\"org.freedesktop.DBus\"\n"
    "          send_interface=\"org.freedesktop.DBus\"\n"
    "          send_member=\"UpdateActivationEnvironment\"/>\n"
    "  </policy>\n"
    "  <policy user=\"root\">\n"
    "    <allow send_destination=\"org.freedesktop.DBus\"\n"
    "           send_interface=\"org.freedesktop.DBus.Monitoring\"/>\n"
    "  </policy>\n"
    "  <limit name=\"max_connections_per_user\">2048</limit>\n"
    "  <limit name=\"max_completed_connections\">4096</limit>\n"
    "  <limit name=\"max_replies_per_connection\">16384</limit>\n"
    "  <limit name=\"max_incoming_unix_fds\">512</limit>\n"
    "  <limit name=\"max_outgoing_unix_fds\">512</limit>\n"
    "  <include>" BUS_POLICY "</include>\n"
    "</busconfig>\n";

/* Print why @process is not there, end it, and be NULL. */
static struct world_process *not_started(struct world_process *process, int error,
                                         const char *awaited) {
    (void)world_complain(error, "%s: waited for %s", process->name, awaited);
    (void)world_signal(process, SIGKILL);
    (void)world_wait(process, WORLD_STOP_MSEC);
    world_log_one(process);
    return NULL;
}

static struct world_process *started(struct world_process *process) {
    process->ready_usec = world_now_usec() - process->started_usec;
    return process;
}

struct world_process *world_start_bus(struct world *world) {
    const char *const argv[] = {"/usr/bin/dbus-daemon", "--config-file=" BUS_CONFIG, "--nofork",
                                "--nopidfile",          "--print-address",           NULL};
    struct world_process *process;
    int r;

    (void)unlink("/run/dbus/system_bus_socket"); /* of one that was killed */
    if (world_write_file(BUS_CONFIG, bus_config) < 0)
        return NULL;
    process = world_start_as(world, WORLD_USER_ROOT, argv);
    if (!process)
        return NULL;
    r = world_wait_output(process, "unix:", WORLD_WAIT_MSEC, NULL);
    return r < 0 ? not_started(process, r, "the bus's address") : started(process);
}

/* Name (of MAX_READERNAME octets or nothing) and state of reader number @index, from 0. */
static LONG look_at_reader(unsigned index, char *ret_name, DWORD *ret_state) {
    SCARDCONTEXT context;
    SCARD_READERSTATE state = {0};
    char readers[PCSCLITE_MAX_READERS_CONTEXTS * (MAX_READERNAME + 1)];
    DWORD size = sizeof(readers);
    const char *reader = readers;
    LONG r;

    r = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);
    if (r != SCARD_S_SUCCESS)
        return r;
    r = SCardListReaders(context, NULL, readers, &size);
    if (r == SCARD_S_SUCCESS) {
        for (; index > 0 && *reader; index--)
            reader += strlen(reader) + 1;
        state.szReader = reader;
        r = SCardGetStatusChange(context, 0, &state, 1);
        *ret_state = state.dwEventState;
        if (ret_name)
            (void)snprintf(ret_name, MAX_READERNAME, "%.*s", MAX_READERNAME - 1, reader);
    }
    (void)SCardReleaseContext(context);
    return r;
}

/* Until the reader has a card, or none, or @process, which may be NULL, has ended. */
static int await_card(struct world_process *process, unsigned reader, bool present, uint64_t msec) {
    uint64_t deadline = world_now_usec() + msec * USEC_PER_MSEC;

    for (;;) {
        DWORD state = 0;
        LONG r = look_at_reader(reader, NULL, &state);

        if (process && !world_reap(process))
            return -ECHILD;
        if (r == SCARD_S_SUCCESS && !!(state & SCARD_STATE_PRESENT) == present &&
            !(state & SCARD_STATE_MUTE))
            return 0;
        if (world_left_msec(deadline) == 0)
            return r == SCARD_S_SUCCESS ? -ETIMEDOUT : -EIO;
        (void)poll(NULL, 0, RETRY_MSEC);
    }
}

int world_wait_card(bool present, uint64_t msec) {
    return await_card(NULL, 0, present, msec);
}

int world_reader(char *ret, size_t size) {
    char name[MAX_READERNAME];
    DWORD state;

    if (look_at_reader(0, name, &state) != SCARD_S_SUCCESS)
        return world_complain(-EIO, "pcscd has no reader");
    (void)snprintf(ret, size, "%s", name);
    return 0;
}

struct world_process *world_start_pcscd(struct world *world) {
    const char *const argv[] = {"/usr/sbin/pcscd", "--foreground", NULL};
    uint64_t deadline = world_now_usec() + WORLD_WAIT_MSEC * USEC_PER_MSEC;
    struct world_process *process;
    DWORD state;

    process = world_start_as(world, WORLD_USER_ROOT, argv);
    while (process && look_at_reader(0, NULL, &state) != SCARD_S_SUCCESS) {
        if (!world_reap(process) || world_left_msec(deadline) == 0)
            return not_started(process, 0, "its reader");
        (void)world_wait(process, RETRY_MSEC);
    }
    return process ? started(process) : NULL;
}

struct world_process *world_start_lab(struct world *world, const char *command,
                                      const char *const *args, const char *const *extra,
                                      bool control) {
    const char *argv[ARGS_MAX + 1] = {LAB, command};
    struct world_spawn spawn = {.argv = argv, .name = command};
    struct world_process *process;
    char path[108] = "";
    size_t n = 2;

    for (; *args && n < ARGS_MAX - 2; args++)
        argv[n++] = *args;
    if (control) {
        (void)snprintf(path, sizeof(path), WORLD_CONTROL "/%s-%u", command, world->spawned++);
        argv[n++] = "--control";
        argv[n++] = path;
    }
    for (; extra && *extra && n < ARGS_MAX; extra++)
        argv[n++] = *extra;
    process = world_spawn(world, &spawn);
    if (process)
        (void)snprintf(process->control, sizeof(process->control), "%s", path);
    return process;
}

/* vpcd listens on one port a reader, from 0x8c7b on. */
static struct world_process *start_usim(struct world *world, unsigned reader,
                                        const char *subscriber, const char *const *extra) {
    const char *const vpcd[] = {"127.0.0.1:35963", "127.0.0.1:35964"};
    const char *const args[] = {"--subscribers", SUBSCRIBERS, "--subscriber", subscriber, "--vpcd",
                                vpcd[reader],    NULL};
    struct world_process *process;
    int r;

    process = world_start_lab(world, "usim", args, extra, true);
    if (!process)
        return NULL;
    r = await_card(process, reader, true, WORLD_WAIT_MSEC);
    return r < 0 ? not_started(process, r, "pcscd to see the card") : started(process);
}

struct world_process *world_start_usim(struct world *world, const char *subscriber,
                                       const char *const *extra) {
    return start_usim(world, 0, subscriber, extra);
}

struct world_process *world_start_second_usim(struct world *world, const char *subscriber,
                                              const char *const *extra) {
    return start_usim(world, 1, subscriber, extra);
}

struct world_process *world_start_modem(struct world *world, const char *protocol,
                                        const char *subscriber, const char *const *extra) {
    const bool at = strcmp(protocol, "at") == 0;
    const char *const args[] = {
        "--subscribers",         SUBSCRIBERS, "--subscriber", subscriber, at ? "--device" : NULL,
        at ? WORLD_MODEM : NULL, NULL};
    struct world_process *process;
    char command[32];
    int r;

    (void)snprintf(command, sizeof(command), "%s-modem", protocol);
    process = world_start_lab(world, command, args, extra, true);
    if (!process)
        return NULL;
    r = world_wait_output(process, "ready", WORLD_WAIT_MSEC, NULL);
    return r < 0 ? not_started(process, r, "its \"ready\" line") : started(process);
}

/* "ready PORT [ZNPORT]" on stdout. */
static struct world_process *await_ports(struct world_process *process, bool zn) {
    _cleanup_free_ char *line = NULL;
    unsigned port = 0, zn_port = 0;
    int r;

    if (!process)
        return NULL;
    r = world_wait_output(process, "ready", WORLD_WAIT_MSEC, &line);
    if (r < 0)
        return not_started(process, r, "its \"ready\" line");
    if (sscanf(line, "ready %u %u", &port, &zn_port) < (zn ? 2 : 1) || port == 0 ||
        port > UINT16_MAX || zn_port > UINT16_MAX)
        return not_started(process, -EPROTO, "ports in its \"ready\" line");
    process->port = (uint16_t)port;
    process->zn_port = (uint16_t)zn_port;
    return started(process);
}

struct world_process *world_start_bsf(struct world *world, const char *const *extra) {
    const char *const args[] = {"--subscribers", SUBSCRIBERS,    "--listen",
                                "127.0.0.1:0",   "--zn-listen",  "127.0.0.1:0",
                                "--name",        WORLD_BSF_NAME, NULL};

    return await_ports(world_start_lab(world, "bsf", args, extra, true), true);
}

struct world_process *world_start_naf(struct world *world, const struct world_process *bsf,
                                      const char *const *extra) {
    char zn[64];
    const char *const args[] = {"--name", WORLD_NAF_NAME, "--listen", "127.0.0.1:0", "--zn", zn,
                                NULL};

    (void)snprintf(zn, sizeof(zn), "http://127.0.0.1:%u", bsf->zn_port);
    return await_ports(world_start_lab(world, "naf", args, extra, false), false);
}

int world_write_config(const char *text) {
    return world_write_file(WORLD_CONFIG, text);
}

int world_write_access(const char *text) {
    return world_write_file(WORLD_ACCESS, text);
}

/* keystrap.conf with @uicc in front, and the usual access rules. */
static int write_usual(const struct world_process *bsf, const char *uicc) {
    char text[1024];
    int r;

    (void)snprintf(text, sizeof(text),
                   "%s[GBA]\n# " WORLD_BSF_NAME ", which no DNS of this world knows\n"
                   "ConnectTo=127.0.0.1:%u\n",
                   uicc, bsf->port);
    r = world_write_config(text);
    return r < 0 ? r
                 : world_write_access("[Principal meter]\nUser=meter\n"
                                      "NafFqdn=naf.example.com *.example.com\nUaProtocol=*\n");
}

int world_write_defaults(const struct world_process *bsf) {
    return write_usual(bsf, "");
}

int world_write_modem(const struct world_process *bsf, const char *protocol, const char *more) {
    const char *device = "/dev/cdc-wdm0";
    char text[512];

    /* libmbim asks whether there is a file, though the proxy opens it. */
    if (strcmp(protocol, "mbim") == 0)
        device = "/dev/null";
    if (strcmp(protocol, "at") == 0)
        device = WORLD_MODEM;
    (void)snprintf(text, sizeof(text), "[UICC]\nTransport=%s\nDevice=%s\n%s\n", protocol, device,
                   more);
    return write_usual(bsf, text);
}

struct world_process *world_spawn_keystrapd(struct world *world, const char *const *args,
                                            const char *const *env) {
    static const char *const plain[] = {"--plugin-dir", WORLD_PLUGINS, NULL};
    static const char *const usual[] = {"CREDENTIALS_DIRECTORY=" WORLD_CREDENTIALS, NULL};
    const char *argv[ARGS_MAX + 1] = {KEYSTRAPD};
    size_t n = 1;

    for (args = args ? args : plain; *args && n < ARGS_MAX; args++)
        argv[n++] = *args;
    return world_spawn(world, &(struct world_spawn){.argv = argv,
                                                    .env = env ? env : usual,
                                                    .uid = WORLD_USER_KEYSTRAP,
                                                    .notify = true});
}

struct world_process *world_start_keystrapd(struct world *world, const char *const *args) {
    struct world_process *process;
    int r;

    process = world_spawn_keystrapd(world, args, NULL);
    if (!process)
        return NULL;
    r = world_wait_notify(process, "READY=1", WORLD_WAIT_MSEC, NULL);
    return r < 0 ? not_started(process, r, "READY=1") : started(process);
}

int world_start_gateway(struct world *world, const char *subscriber, struct world_process **ret_bsf,
                        struct world_process **ret_naf, struct world_process **ret_keystrapd) {
    struct world_process *bsf, *naf, *keystrapd;

    if (!world_start_bus(world) || !world_start_pcscd(world) ||
        !world_start_usim(world, subscriber, NULL))
        return -EIO;
    bsf = world_start_bsf(world, NULL);
    naf = bsf ? world_start_naf(world, bsf, NULL) : NULL;
    if (!naf || world_write_defaults(bsf) < 0)
        return -EIO;
    keystrapd = world_start_keystrapd(world, NULL);
    if (!keystrapd)
        return -EIO;
    if (ret_bsf)
        *ret_bsf = bsf;
    if (ret_naf)
        *ret_naf = naf;
    if (ret_keystrapd)
        *ret_keystrapd = keystrapd;
    return 0;
}

/* Send @command and read up to a newline or the end; the socket has timeouts. */
static int converse(int fd, const char *command, char *reply, size_t size) {
    char line[1024];
    size_t have = 0;
    int n;

    n = snprintf(line, sizeof(line), "%s\n", command);
    if (n < 0 || (size_t)n >= sizeof(line))
        return -E2BIG;
    if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
        return -errno;
    while (have < size - 1) {
        ssize_t got = recv(fd, reply + have, size - 1 - have, 0);

        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        have += (size_t)got;
        reply[have] = '\0';
        if (got == 0 || strchr(reply, '\n'))
            break;
    }
    reply[strcspn(reply, "\n")] = '\0';
    return have > 0 ? 0 : -EPROTO;
}

int world_ctl(struct world_process *process, const char *command, char *ret_reply, size_t size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = WORLD_WAIT_MSEC / 1000};
    _cleanup_close_ int fd = -1;
    char reply[1024] = "";
    int r;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", process->control);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return world_complain(-errno, "%s does not listen at its control socket", process->name);
    r = converse(fd, command, reply, sizeof(reply));
    if (r == 0 && strncmp(reply, "ok", 2) != 0)
        r = -EPROTO;
    if (size > 0)
        (void)snprintf(ret_reply, size, "%s", reply);
    return r < 0 ? world_complain(r, "%s answers \"%s\" with \"%s\"", process->name, command, reply)
                 : 0;
}
