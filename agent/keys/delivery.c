/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Delivery: how a key leaves.
 *
 * Not as octets in a message, which the bus daemon would copy into its heap, but through a pipe that holds
 * them already and whose write end is closed. Who reads it has the only copy; who does not read it
 * leaves nothing behind when the descriptor is closed.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "keystore.h"
#include "util.h"

int delivery_pipe(const struct secret *secret) {
    _cleanup_close_ int read_end = -1, write_end = -1;
    int fds[2];
    ssize_t n;

    /* What fits in PIPE_BUF is written whole or not at all, and never blocks on an empty pipe. */
    if (secret_length(secret) > PIPE_BUF)
        return -EMSGSIZE;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    read_end = fds[0];
    write_end = fds[1];

    n = write(write_end, secret_data(secret), secret_length(secret));
    if (n < 0)
        return -errno;
    if ((size_t)n != secret_length(secret))
        return -EIO;
    return TAKE_FD(read_end);
}
