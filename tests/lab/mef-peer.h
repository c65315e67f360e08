/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the tests of the MEF's parts share: a scratch directory, the programs of others (openssl, coap-client) as children,
 * and certificates that openssl makes. Every function fails the cmocka test that calls it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER_WAIT_MSEC  20000
#define PEER_OUTPUT_MAX 65536u

struct scratch {
    char directory[64];
};

static inline void scratch_open(struct scratch *scratch) {
    (void)snprintf(scratch->directory, sizeof(scratch->directory), "/tmp/lab-mef-XXXXXX");
    assert_non_null(mkdtemp(scratch->directory));
}

/* The output of a shell's command in the scratch directory, and how it ended; the caller frees it. */
__attribute__((format(printf, 3, 4))) static inline char *
shell(const struct scratch *scratch, int *ret_status, const char *format, ...) {
    char *words = NULL, *command = NULL, *output = calloc(1, PEER_OUTPUT_MAX);
    size_t length = 0, n;
    FILE *pipe_end;
    va_list ap;

    va_start(ap, format);
    assert_true(vasprintf(&words, format, ap) > 0);
    va_end(ap);
    assert_true(asprintf(&command, "cd %s && %s", scratch->directory, words) > 0);
    assert_non_null(output);
    pipe_end = popen(command, "re");
    assert_non_null(pipe_end);
    while ((n = fread(output + length, 1, PEER_OUTPUT_MAX - 1 - length, pipe_end)) > 0)
        length += n;
    *ret_status = pclose(pipe_end);
    free(command);
    free(words);
    return output;
}

/* A command that must succeed. */
#define must(scratch, ...)                               \
    do {                                                 \
        int status_;                                     \
        char *text_ = shell(scratch, &status_, __VA_ARGS__); \
        if (status_ != 0)                                \
            print_error("%s\n", text_);                  \
        free(text_);                                     \
        assert_int_equal(status_, 0);                    \
    } while (0)

static inline void scratch_close(const struct scratch *scratch) {
    must(scratch, "rm -rf %s", scratch->directory);
}

static inline char *scratch_read(const struct scratch *scratch, const char *name) {
    int status;
    char *text = shell(scratch, &status, "cat %s", name);

    assert_int_equal(status, 0);
    return text;
}

static inline void scratch_write(const struct scratch *scratch, const char *name, const void *octets,
                                 size_t length) {
    char path[160];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", scratch->directory, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(octets, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

#define PEER_NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

/* NAME.key and NAME.pem of a certification authority. */
static inline void make_authority(const struct scratch *scratch, const char *name) {
    must(scratch, "openssl req -x509 " PEER_NEW_KEY " -keyout %s.key -out %s.pem -subj '/CN=%s' 2>&1", name, name, name);
}

/* NAME.key and NAME.pem, whose subjectAltName is @san ("DNS:...") and whose issuer @authority. */
static inline void make_certificate(const struct scratch *scratch, const char *authority, const char *name,
                                    const char *san) {
    must(scratch,
         "openssl req " PEER_NEW_KEY " -keyout %s.key -out %s.csr -subj '/CN=%s' -addext 'subjectAltName=%s' 2>&1 && "
         "openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key -copy_extensions copyall -days 2 -out %s.pem 2>&1",
         name, name, name, san, name, authority, authority, name);
}

/* A program of somebody else that runs, with its output (and errors) in @text so far. */
struct child {
    pid_t pid;
    int in, out;
    char text[PEER_OUTPUT_MAX];
    size_t length;
};

static inline void child_start(struct child *child, const struct scratch *scratch, const char *const *argv) {
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    child->length = 0;
    child->text[0] = '\0';
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(out[1], STDERR_FILENO);
        if (chdir(scratch->directory) == 0)
            (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    child->in = in[1];
    child->out = out[0];
}

/* Read until @needle has come, or the end (NULL: the end). Returns whether it came; octets of 0 become '.'. */
static inline bool child_read_until(struct child *child, const char *needle) {
    for (;;) {
        struct pollfd wait = {.fd = child->out, .events = POLLIN};
        ssize_t n;

        if (needle && strstr(child->text, needle))
            return true;
        assert_true(child->length < sizeof(child->text) - 1);
        assert_int_equal(poll(&wait, 1, PEER_WAIT_MSEC), 1);
        n = read(child->out, child->text + child->length, sizeof(child->text) - 1 - child->length);
        assert_true(n >= 0);
        if (n == 0)
            return !needle;
        for (ssize_t i = 0; i < n; i++)
            if (child->text[child->length + (size_t)i] == '\0')
                child->text[child->length + (size_t)i] = '.';
        child->length += (size_t)n;
        child->text[child->length] = '\0';
    }
}

static inline void child_stop(struct child *child) {
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, NULL, 0);
    (void)close(child->in);
    (void)close(child->out);
}
