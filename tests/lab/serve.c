/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The main thread of a network function.
 *
 * Requests are answered on libmicrohttpd's threads; what is left for this one is the control socket and the signal
 * that ends it all.
 */

#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void stop_signals(sigset_t *ret) {
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
}

void serve_block_signals(void) {
    sigset_t signals;

    stop_signals(&signals);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

int serve_until_stopped(struct control *control) {
    struct pollfd fds[2];
    sigset_t signals;
    int r = 0;

    stop_signals(&signals);
    fds[0] = (struct pollfd){.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN};
    fds[1] = (struct pollfd){.fd = control ? control_fd(control) : -1, .events = POLLIN};
    if (fds[0].fd < 0)
        return -errno;
    while (r >= 0) {
        if (poll(fds, 2, -1) < 0) {
            r = errno == EINTR ? 0 : -errno;
            continue;
        }
        if (fds[0].revents)
            break;
        if (fds[1].revents)
            r = control_dispatch(control);
    }
    (void)close(fds[0].fd);
    return r < 0 ? r : 0;
}
