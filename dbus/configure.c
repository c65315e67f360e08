/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Manager.Configure(): a signed instruction document, from a descriptor.
 *
 * A descriptor of a stranger is a way to hold up the main loop: a pipe that never ends, a file of a file system whose server
 * sleeps. So nothing is asked of it before it is known that the caller may manage, and then it is read at once or not at all: a
 * file or memfd from its beginning, or a pipe that holds everything and whose other end is closed.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"
#include "service-internal.h"
#include "util.h"

/* Of one octet more than is allowed, which tells a document that is too long. */
#define BUFFER_SIZE (INSTRUCTION_MAX + 1)

static ssize_t read_once(int fd, bool is_file, uint8_t *ret, size_t size, size_t offset) {
    ssize_t n;

    do
        n = is_file ? pread(fd, ret, size, (off_t)offset) : read(fd, ret, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int read_all(int fd, bool is_file, uint8_t *ret, size_t *ret_length,
                    struct failure *failure) {
    size_t length = 0;
    ssize_t n = 1;

    while (n > 0 && length < BUFFER_SIZE) {
        n = read_once(fd, is_file, ret + length, BUFFER_SIZE - length, length);
        if (n > 0)
            length += (size_t)n;
    }
    if (n == -EAGAIN)
        return failure_set(failure, -EINVAL,
                           "the pipe must hold the whole document, and its other end be closed");
    if (n < 0)
        return failure_set(failure, -EINVAL, "the document cannot be read: %s", strerror((int)-n));
    if (length > INSTRUCTION_MAX)
        return failure_set(failure, INSTRUCTION_E_MALFORMED, "the document has more than %u octets",
                           INSTRUCTION_MAX);
    *ret_length = length;
    return 0;
}

static int read_document(int fd, uint8_t *ret, size_t *ret_length, struct failure *failure) {
    struct stat st;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &st) < 0)
        return failure_set(failure, -EINVAL, "the descriptor cannot be used: %s", strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
        return failure_set(failure, -EINVAL,
                           "the descriptor must be that of a file, a memfd or a pipe");
    if (S_ISFIFO(st.st_mode) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return failure_set(failure, -EINVAL, "the pipe cannot be used: %s", strerror(errno));
    return read_all(fd, S_ISREG(st.st_mode), ret, ret_length, failure);
}

static int configure(struct call *call, int fd, struct failure *failure) {
    struct agent *agent = call->service->agent;
    uint8_t *document;
    size_t length = 0;
    int r;

    r = agent_may_manage(agent, &call->peer->caller, failure);
    if (r != 0)
        return r;
    document = malloc(BUFFER_SIZE);
    if (!document)
        return -ENOMEM;
    r = read_document(fd, document, &length, failure);
    if (r == 0)
        r = agent_configure(agent, &call->peer->caller, document, length, failure);
    secret_erase(document, BUFFER_SIZE); /* a token may be in it */
    free(document);
    return r;
}

void configure_start(struct call *call) {
    struct failure failure = {0};
    int fd = -1, r;

    r = sd_bus_message_read(call->message, "h", &fd);
    if (r >= 0)
        r = configure(call, fd, &failure);
    if (r != 0) {
        call_fail(call, r, &failure);
        return;
    }
    service_refresh(call->service);
    call_reply_empty(call);
}
