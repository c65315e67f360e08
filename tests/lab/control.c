/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket of the lab's programs: the listening side.
 *
 * An epoll instance holds the listener and all clients, and is itself the one descriptor that the
 * program waits on. A command runs to its end before the next is read, so an answer "ok" means
 * that it is in force.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

struct client {
    int fd; /* -1: a free place */
    size_t length;
    char line[CONTROL_LINE_MAX];
};

struct control {
    int epoll_fd;
    int listen_fd;
    const struct control_command *commands;
    void *userdata;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    struct client clients[CONTROL_CLIENTS_MAX];
};

static int address_of(const char *path, struct sockaddr_un *ret_address) {
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(ret_address->sun_path))
        return -ENAMETOOLONG;
    strcpy(ret_address->sun_path, path);
    return 0;
}

/* A socket that refuses connections was left behind by a program that is gone. */
static int remove_dead_socket(const struct sockaddr_un *address) {
    int fd, r = 0;

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        r = -EADDRINUSE;
    else if (errno == ECONNREFUSED && unlink(address->sun_path) < 0)
        r = -errno;
    close(fd);
    return r;
}

static int listen_at(struct control *control) {
    struct sockaddr_un address;
    int r;

    r = address_of(control->path, &address);
    if (r < 0)
        return r;
    r = remove_dead_socket(&address);
    if (r < 0)
        return r;
    control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listen_fd < 0)
        return -errno;
    if (bind(control->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        r = -errno;
        close(control->listen_fd);
        control->listen_fd = -1;
        return r;
    }
    return listen(control->listen_fd, CONTROL_CLIENTS_MAX) < 0 ? -errno : 0;
}

/* What epoll says belongs to CLIENT, or to the listener if that is NULL. */
static int watch(struct control *control, int fd, struct client *client) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    return epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int control_new(const char *path, const struct control_command *commands, void *userdata,
                struct control **ret_control) {
    struct control *control;
    int r;

    if (strlen(path) >= sizeof(control->path))
        return -ENAMETOOLONG;
    control = calloc(1, sizeof(*control));
    if (!control)
        return -ENOMEM;
    strcpy(control->path, path);
    control->commands = commands;
    control->userdata = userdata;
    control->listen_fd = -1;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        control->clients[i].fd = -1;

    control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r = control->epoll_fd < 0 ? -errno : listen_at(control);
    if (r == 0)
        r = watch(control, control->listen_fd, NULL);
    if (r < 0) {
        control_free(control);
        return r;
    }
    *ret_control = control;
    return 0;
}

static void drop(struct client *client) {
    close(client->fd);
    client->fd = -1;
}

void control_free(struct control *control) {
    if (!control)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0)
            drop(&control->clients[i]);
    }
    if (control->listen_fd >= 0) {
        close(control->listen_fd);
        unlink(control->path);
    }
    if (control->epoll_fd >= 0)
        close(control->epoll_fd);
    free(control);
}

int control_fd(const struct control *control) {
    return control->epoll_fd;
}

static int help(const struct control *control, char *answer, size_t size) {
    size_t length = 0;

    for (const struct control_command *command = control->commands; command->name; command++) {
        int n = snprintf(answer + length, size - length, "%s%s%s%s", length > 0 ? "; " : "",
                         command->name, command->usage[0] ? " " : "", command->usage);

        if (n < 0 || (size_t)n >= size - length)
            break;
        length += (size_t)n;
    }
    return 0;
}

static int run_words(struct control *control, int argc, char **argv, char *answer, size_t size) {
    if (argc == 0) {
        snprintf(answer, size, "an empty line; \"help\" lists the commands");
        return -EINVAL;
    }
    if (strcmp(argv[0], "help") == 0)
        return help(control, answer, size);
    for (const struct control_command *command = control->commands; command->name; command++) {
        if (strcmp(command->name, argv[0]) != 0)
            continue;
        if (argc - 1 < command->words_min || argc - 1 > command->words_max) {
            snprintf(answer, size, "usage: %s %s", command->name, command->usage);
            return -EINVAL;
        }
        return command->run(control->userdata, argc, argv, answer, size);
    }
    snprintf(answer, size, "no command \"%.64s\"; \"help\" lists them", argv[0]);
    return -EINVAL;
}

/* An answer must be one line, whatever a command wrote. */
static void flatten(char *text) {
    for (; *text; text++) {
        if (*text == '\n' || *text == '\r')
            *text = ' ';
    }
}

static int answer_line(struct control *control, struct client *client, char *line) {
    char *words[CONTROL_WORDS_MAX + 1], *rest = NULL;
    char answer[CONTROL_LINE_MAX - sizeof("error \n")] = "", reply[CONTROL_LINE_MAX];
    int count = 0, r, length;

    for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
        if (count == CONTROL_WORDS_MAX)
            return -E2BIG;
        words[count++] = word;
    }
    words[count] = NULL;
    r = run_words(control, count, words, answer, sizeof(answer));
    flatten(answer);
    length = snprintf(reply, sizeof(reply), "%s%s%s\n", r < 0 ? "error" : "ok",
                      answer[0] ? " " : "", answer);
    /* A client that does not read its answers has lost them: the lab never waits for it. */
    if (send(client->fd, reply, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) != length)
        return -EPIPE;
    return 0;
}

static int answer_lines(struct control *control, struct client *client) {
    char *newline;
    int r;

    while ((newline = memchr(client->line, '\n', client->length))) {
        size_t used = (size_t)(newline - client->line) + 1;

        *newline = '\0';
        r = answer_line(control, client, client->line);
        if (r < 0)
            return r;
        client->length -= used;
        memmove(client->line, client->line + used, client->length);
    }
    return client->length == sizeof(client->line) ? -EMSGSIZE : 0;
}

static void serve(struct control *control, struct client *client) {
    ssize_t n;

    n = recv(client->fd, client->line + client->length, sizeof(client->line) - client->length,
             MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(client);
        return;
    }
    client->length += (size_t)n;
    if (answer_lines(control, client) < 0)
        drop(client);
}

static void take(struct control *control) {
    int fd;

    fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];

        if (client->fd >= 0)
            continue;
        if (watch(control, fd, client) < 0)
            break;
        client->fd = fd;
        client->length = 0;
        return;
    }
    close(fd);
}

int control_dispatch(struct control *control) {
    struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
    int count;

    count = epoll_wait(control->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        struct client *client = events[i].data.ptr;

        if (!client)
            take(control);
        else if (client->fd >= 0)
            serve(control, client);
    }
    return 0;
}
