/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Manager.Configure(): a signed instruction document, from a descriptor.
 *
 * It is read at once or not at all: a file, a memfd, or a pipe that has all of it already and whose other end is closed. The
 * main loop waits for nobody.
 */

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"
#include "service-internal.h"
#include "util.h"

static bool has_something(int fd) {
    struct pollfd fds = {.fd = fd, .events = POLLIN};

    return poll(&fds, 1, 0) > 0;
}

/* Returns how many octets; negative errno: -EFBIG for too many, -EAGAIN for a pipe that keeps us waiting. */
static ssize_t read_document(int fd, uint8_t *ret, size_t size) {
    struct stat st;
    size_t length = 0;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
        return -EINVAL;
    if (S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    for (;;) {
        ssize_t n;

        if (S_ISFIFO(st.st_mode) && !has_something(fd))
            return -EAGAIN;
        n = read(fd, ret + length, size - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return (ssize_t)length;
        length += (size_t)n;
        if (length == size)
            return -EFBIG;
    }
}

void configure_start(struct call *call) {
    uint8_t document[INSTRUCTION_MAX + 1];
    struct failure failure = {0};
    ssize_t length = 0;
    int fd = -1, r;

    r = sd_bus_message_read(call->message, "h", &fd);
    if (r >= 0) {
        length = read_document(fd, document, sizeof(document));
        r = length < 0 ? (int)length : 0;
    }
    if (r < 0)
        r = failure_set(&failure, INSTRUCTION_E_MALFORMED,
                        "the document must be a file, or a pipe that holds all of it and is "
                        "closed, of up to %u octets (errno %d)",
                        INSTRUCTION_MAX, -r);
    if (r == 0)
        r = agent_configure(call->service->agent, &call->peer->caller, document, (size_t)length,
                            &failure);
    secret_erase(document, sizeof(document)); /* a token may be in it */
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    service_refresh(call->service);
    call_reply_empty(call);
}
