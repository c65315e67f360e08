/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lab's modems: the loop between whoever is connected, the card and the control socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "card-state.h"
#include "modem.h"
#include "usim.h"

enum { IDLE_MSEC = 20 }; /* between two looks at a terminal that nobody has open */

static void complain(const struct modem *modem, const char *what, int error) {
    fprintf(stderr, "keystrap-lab %s-modem: %s: %s\n", modem->options->protocol->name, what,
            strerror(error));
}

static void write_out(const struct modem_client *client, const void *data, size_t length) {
    if (send(client->fd, data, length, MSG_NOSIGNAL) < 0 && errno == ENOTSOCK)
        (void)!write(client->fd, data, length);
}

/* What comes after an answer that is late waits behind it. */
static bool hold(struct modem *modem, struct modem_client *client, const void *data,
                 size_t length) {
    struct modem_held *held = &modem->held;

    if (held->length == 0 && modem->late_msec > 0) {
        held->client = client;
        held->at = usim_now_msec() + modem->late_msec;
    } else if (held->length == 0 || held->client != client) {
        return false;
    }
    if (length <= sizeof(held->data) - held->length) {
        memcpy(held->data + held->length, data, length);
        held->length += length;
    }
    return true;
}

static void forget_held(struct modem *modem) {
    explicit_bzero(&modem->held, sizeof(modem->held));
}

static void send_held(struct modem *modem) {
    if (modem->held.length == 0 || usim_now_msec() < modem->held.at)
        return;
    write_out(modem->held.client, modem->held.data, modem->held.length);
    forget_held(modem);
}

void modem_send(struct modem *modem, struct modem_client *client, const void *data, size_t length) {
    if (!modem->lost && client->fd >= 0 && !hold(modem, client, data, length))
        write_out(client, data, length);
}

static void client_close(struct modem *modem, struct modem_client *client) {
    if (modem->held.client == client)
        forget_held(modem);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    explicit_bzero(client->in, sizeof(client->in));
    explicit_bzero(client->fragments, sizeof(client->fragments));
    client->length = client->fragments_length = 0;
    client->transfer_max = client->fragment_next = 0;
}

/* --- The line ------------------------------------------------------------------------------------------- */

static int line_listen(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    int fd;

    if (length + 1 > sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path + 1, name, length);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) < 0 ||
        listen(fd, MODEM_CLIENTS_MAX) < 0) {
        close(fd);
        return -errno;
    }
    return fd;
}

/* A terminal without any of what a terminal does, and a link to it. */
static int line_device(const char *link) {
    struct termios settings;
    char path[64];
    int fd;

    fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    (void)unlink(link);
    if (grantpt(fd) < 0 || unlockpt(fd) < 0 || tcgetattr(fd, &settings) < 0 ||
        ptsname_r(fd, path, sizeof(path)) != 0 || chmod(path, 0666) < 0 ||
        symlink(path, link) < 0) {
        close(fd);
        return -errno;
    }
    cfmakeraw(&settings);
    (void)tcsetattr(fd, TCSANOW, &settings);
    return fd;
}

static int line_up(struct modem *modem) {
    const struct modem_options *options = modem->options;
    int fd = options->device ? line_device(options->device) : line_listen(options->listen);

    if (fd < 0)
        return fd;
    if (options->device)
        modem->clients[0].fd = fd;
    else
        modem->listener = fd;
    modem->back_at = MODEM_NEVER;
    modem_card_in(modem);
    printf("ready\n");
    fflush(stdout);
    return 0;
}

static void line_down(struct modem *modem) {
    for (unsigned i = 0; i < MODEM_CLIENTS_MAX; i++)
        client_close(modem, &modem->clients[i]);
    if (modem->listener >= 0)
        close(modem->listener);
    modem->listener = -1;
    if (modem->options->device)
        (void)unlink(modem->options->device);
}

void modem_reset(struct modem *modem, unsigned msec) {
    line_down(modem);
    modem->present = false;
    card_power(modem->card, false);
    memset(modem->cids, 0, sizeof(modem->cids));
    memset(modem->groups, 0, sizeof(modem->groups));
    modem->echo = true;
    modem->cme = false;
    modem->reset_msec = MODEM_NEVER;
    modem->back_at = usim_now_msec() + msec;
}

static void accept_client(struct modem *modem) {
    int fd = accept4(modem->listener, NULL, NULL, SOCK_CLOEXEC);

    for (unsigned i = 0; fd >= 0 && i < MODEM_CLIENTS_MAX; i++)
        if (modem->clients[i].fd < 0) {
            modem->clients[i].fd = fd;
            modem->clients[i].length = 0;
            return;
        }
    if (fd >= 0)
        close(fd);
}

/* --- Messages ------------------------------------------------------------------------------------------- */

static void take_messages(struct modem *modem, struct modem_client *client) {
    const struct modem_protocol *protocol = modem->options->protocol;
    size_t n;

    while (client->fd >= 0 && client->length > 0 &&
           (n = protocol->whole(client->in, client->length)) > 0) {
        if (n > client->length) { /* never */
            fprintf(stderr, "keystrap-lab %s-modem: what came is no message\n", protocol->name);
            client->length = 0;
            return;
        }
        modem->lost = false;
        modem->late_msec = 0;
        protocol->take(modem, client, client->in, n);
        modem->lost = false;
        modem->late_msec = 0;
        /* A reset in between has emptied it. */
        if (client->length < n)
            return;
        client->length -= n;
        memmove(client->in, client->in + n, client->length);
    }
    if (client->length == sizeof(client->in))
        client->length = 0;
}

static void read_client(struct modem *modem, struct modem_client *client) {
    ssize_t n = read(client->fd, client->in + client->length, sizeof(client->in) - client->length);

    if (n > 0) {
        client->length += (size_t)n;
        take_messages(modem, client);
    } else if (!modem->options->device) {
        client_close(modem, client);
    } else {
        client->length = 0; /* nobody has it open */
    }
}

static int timeout_of(const struct modem *modem, bool idle) {
    int64_t until = INT64_MAX, left;

    if (modem->back_at != MODEM_NEVER)
        until = modem->back_at;
    if (modem->held.length > 0 && modem->held.at < until)
        until = modem->held.at;
    if (until == INT64_MAX)
        return idle ? IDLE_MSEC : -1;
    left = until - usim_now_msec();
    return left < 0 ? 0 : idle && left > IDLE_MSEC ? IDLE_MSEC : (int)left;
}

/* Whoever had a terminal for himself alone may have been killed: a device would have forgotten that, so does this one. */
static void forget_owner(const struct modem *modem) {
    int fd = open(modem->options->device, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)ioctl(fd, TIOCNXCL);
    close(fd);
}

/* One round; true when a signal says that it is over. */
static bool wait_for_work(struct modem *modem, int signal_fd) {
    struct pollfd fds[3 + MODEM_CLIENTS_MAX] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = modem->control ? control_fd(modem->control) : -1, .events = POLLIN},
        {.fd = modem->listener, .events = POLLIN},
    };
    bool idle = false;

    for (unsigned i = 0; i < MODEM_CLIENTS_MAX; i++) {
        struct pollfd look = {.fd = modem->clients[i].fd, .events = POLLIN};

        /* A terminal hangs up as long as nobody has opened it; that is nothing to wake up for. */
        if (modem->options->device && look.fd >= 0 && poll(&look, 1, 0) > 0 &&
            !(look.revents & POLLIN)) {
            idle = true;
            forget_owner(modem);
        }
        fds[3 + i] = (struct pollfd){.fd = idle ? -1 : look.fd, .events = POLLIN};
    }
    if (poll(fds, 3 + MODEM_CLIENTS_MAX, timeout_of(modem, idle)) < 0)
        return errno != EINTR;
    send_held(modem);
    for (unsigned i = 0; i < MODEM_CLIENTS_MAX; i++)
        if (fds[3 + i].revents != 0)
            read_client(modem, &modem->clients[i]);
    if (fds[2].revents != 0)
        accept_client(modem);
    if (fds[1].revents != 0)
        control_dispatch(modem->control);
    return fds[0].revents != 0;
}

static int loop(struct modem *modem, int signal_fd) {
    int r = 0;

    modem->back_at = 0;
    while (r == 0) {
        if (modem->back_at != MODEM_NEVER && usim_now_msec() >= modem->back_at)
            r = line_up(modem);
        if (r < 0)
            complain(modem,
                     modem->options->device ? modem->options->device : modem->options->listen, -r);
        else if (wait_for_work(modem, signal_fd))
            return EXIT_SUCCESS;
    }
    return EX_UNAVAILABLE;
}

static int open_signals(void) {
    sigset_t signals;
    int fd;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    fd = signalfd(-1, &signals, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int make_card(struct modem *modem, const struct lab_subscriber *subscriber,
                     struct card **ret) {
    struct card_options options = modem->options->card;

    options.subscriber = subscriber;
    options.res_length = subscriber->res_length;
    return card_new(&options, ret);
}

static int start(struct modem *modem, const struct lab_subscriber *second) {
    const struct modem_options *options = modem->options;
    int r;

    r = make_card(modem, modem->subscriber, &modem->card);
    if (r == 0 && second) {
        modem->other_subscriber = second;
        modem->other_present = true;
        r = make_card(modem, second, &modem->other);
    }
    if (r < 0) {
        complain(modem, "this card cannot be made", -r);
        return r;
    }
    if (options->state)
        r = card_state_load(options->state, modem->subscriber, card_memory(modem->card));
    if (r < 0) {
        complain(modem, options->state, -r);
        return r;
    }
    modem->saved = *card_memory(modem->card);
    if (options->control)
        r = control_new(options->control, modem_commands, modem, &modem->control);
    if (r < 0)
        complain(modem, options->control, -r);
    return r;
}

int modem_run(const struct modem_options *options, const struct lab_subscriber *subscriber,
              const struct lab_subscriber *second) {
    struct modem_options complete = *options;
    struct modem *modem = calloc(1, sizeof(*modem));
    int signal_fd = open_signals(), code = EX_OSERR;

    if (!modem || signal_fd < 0)
        return EX_OSERR;
    complete.card.subscriber = subscriber;
    modem->options = &complete;
    modem->subscriber = subscriber;
    modem->slot = 1;
    modem->quirks = options->quirks;
    modem->listener = -1;
    modem->echo = true;
    modem->reset_msec = MODEM_NEVER;
    for (unsigned i = 0; i < MODEM_CLIENTS_MAX; i++)
        modem->clients[i].fd = -1;
    if (start(modem, second) >= 0)
        code = loop(modem, signal_fd);
    line_down(modem);
    control_free(modem->control);
    card_free(modem->card);
    card_free(modem->other);
    free(modem);
    close(signal_fd);
    return code;
}
