/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The network functions' counterpart in tests: starts them, talks HTTP to them.
 */

#include "lab-client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "control.h"

#define ARGUMENTS_MAX 24u

/* --- Processes ---------------------------------------------------------------------------------- */

static void exec_lab(int out, const char *const *arguments) {
    char *argv[ARGUMENTS_MAX + 1];
    size_t n = 0;

    for (; arguments[n] && n < ARGUMENTS_MAX; n++)
        argv[n] = strdup(arguments[n]);
    argv[n] = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(out, STDOUT_FILENO);
    (void)execv(KEYSTRAP_LAB, argv);
    _exit(127);
}

/* The line "ready PORT [ZNPORT]", octet by octet so that nothing behind it is taken. */
static void read_ready(int fd, struct client_process *process) {
    char line[64] = "";
    size_t length = 0;

    while (length < sizeof(line) - 1 && !strchr(line, '\n')) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&wait, 1, CLIENT_WAIT_MSEC), 1);
        assert_int_equal(read(fd, line + length, 1), 1);
        line[++length] = '\0';
    }
    assert_true(sscanf(line, "ready %u %u", &process->port, &process->zn_port) >= 1);
}

void client_start(struct client_process *process, bool bsf, const char *const *args) {
    const char *argv[ARGUMENTS_MAX + 1] = {"keystrap-lab", bsf ? "bsf" : "naf", "--listen",
                                           "127.0.0.1:0"};
    size_t n = 4;
    int out[2];

    memset(process, 0, sizeof(*process));
    (void)snprintf(process->directory, sizeof(process->directory), "/tmp/keystrap-lab-XXXXXX");
    assert_non_null(mkdtemp(process->directory));
    (void)snprintf(process->control, sizeof(process->control), "%s/control", process->directory);
    if (bsf) {
        const char *const more[] = {"--subscribers", LAB_CONF,    "--zn-listen",
                                    "127.0.0.1:0",   "--control", process->control};

        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
            argv[n++] = more[i];
    }
    for (; args && *args; args++) {
        assert_true(n < ARGUMENTS_MAX);
        argv[n++] = *args;
    }

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0)
        exec_lab(out[1], argv);
    (void)close(out[1]);
    read_ready(out[0], process);
    (void)close(out[0]);
}

void client_stop(struct client_process *process) {
    int status = -1;

    assert_int_equal(kill(process->pid, SIGTERM), 0);
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(rmdir(process->directory), 0);
}

void client_control(const struct client_process *process, const char *command, char *ret,
                    size_t size) {
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(
        control_ask(process->control, command, CLIENT_WAIT_MSEC, answer, sizeof(answer)), 0);
    if (ret)
        (void)snprintf(ret, size, "%s", answer);
}

unsigned long client_count(const struct client_process *process, const char *name) {
    char text[CONTROL_LINE_MAX];
    const char *found;

    client_control(process, "count", text, sizeof(text));
    found = strstr(text, name);
    assert_non_null(found);
    return strtoul(found + strlen(name), NULL, 10);
}

/* --- HTTP --------------------------------------------------------------------------------------- */

void client_answer_done(struct client_answer *answer) {
    free(answer->challenge);
    free(answer->info);
    free(answer->date);
    free(answer->retry_after);
    free(answer->location);
    free(answer->content_type);
    free(answer->body);
    memset(answer, 0, sizeof(*answer));
}

static size_t on_body(char *data, size_t size, size_t count, void *userdata) {
    struct client_answer *answer = userdata;
    size_t length = size * count;
    char *body;

    if (length > CLIENT_BODY_MAX - answer->body_length)
        return 0;
    body = realloc(answer->body, answer->body_length + length + 1);
    if (!body)
        return 0;
    memcpy(body + answer->body_length, data, length);
    answer->body = body;
    answer->body_length += length;
    body[answer->body_length] = '\0';
    return length;
}

static size_t on_field(char *data, size_t size, size_t count, void *userdata) {
    struct client_answer *answer = userdata;
    const struct {
        const char *name;
        char **value;
    } wanted[] = {
        {"WWW-Authenticate:", &answer->challenge},
        {"Authentication-Info:", &answer->info},
        {"Date:", &answer->date},
        {"Retry-After:", &answer->retry_after},
        {"Location:", &answer->location},
        {"Content-Type:", &answer->content_type},
    };
    size_t length = size * count, end = length;

    while (end > 0 && strchr("\r\n ", data[end - 1]))
        end--;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t name = strlen(wanted[i].name);

        if (end <= name || strncasecmp(data, wanted[i].name, name) != 0)
            continue;
        while (name < end && data[name] == ' ')
            name++;
        free(*wanted[i].value);
        *wanted[i].value = strndup(data + name, end - name);
    }
    return length;
}

static struct curl_slist *add_authorization(const char *authorization) {
    struct curl_slist *fields = NULL;
    char *field = NULL;

    if (!authorization)
        return NULL;
    assert_true(asprintf(&field, "Authorization: %s", authorization) > 0);
    fields = curl_slist_append(NULL, field);
    assert_non_null(fields);
    free(field);
    return fields;
}

void client_get(const struct client_get *get, struct client_answer *ret) {
    struct curl_slist *fields = add_authorization(get->authorization);
    struct curl_slist *connect_to;
    CURL *curl = curl_easy_init();
    char url[512], to[64];

    assert_non_null(curl);
    memset(ret, 0, sizeof(*ret));
    (void)snprintf(url, sizeof(url), "%s://%s%s", get->trust ? "https" : "http", get->host,
                   get->target);
    (void)snprintf(to, sizeof(to), "::127.0.0.1:%u", get->port);
    connect_to = curl_slist_append(NULL, to);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, get->method);
    curl_easy_setopt(curl, CURLOPT_CAINFO, get->trust);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     get->timeout_msec ? get->timeout_msec : (long)CLIENT_WAIT_MSEC);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_field);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, ret);
    ret->error = (int)curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(connect_to);
    curl_slist_free_all(fields);
}
