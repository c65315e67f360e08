/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fetching over HTTP with the real keystrap-http, against servers of a few lines on sockets of this process:
 * what a BSF may do, and what something that is no BSF may do, each with the outcome that a user is told.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "http.h"
#include "subprocess.h"
#include "util.h"

#define OK_REPLY "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* The clock of this program can be put forward, for what happens after a minute of idleness. */
static atomic_uint_least64_t clock_offset;

uint64_t now_usec(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000 + clock_offset;
}

uint64_t now_realtime_usec(void) {
    return now_usec();
}

/* --- A server that says always the same -------------------------------------------------------- */

struct server {
    int fd, stop;
    uint16_t port;
    const char *reply; /* NULL: never answer */
    size_t reply_length;
    bool eager;     /* answers whatever comes */
    bool keep;      /* the connection, for the next request */
    int on_request; /* eventfd to write to when a request has come, or -1 */
    pid_t kill;     /* process to kill when a request has come, or 0 */
    pthread_t thread;
    atomic_uint connections, requests;
    char last[16384]; /* the last request */
};

static bool wait_readable(struct server *server, int fd) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = server->stop, .events = POLLIN}};

    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

/* One request up to its empty line. */
static bool read_request(struct server *server, int fd) {
    size_t length = 0;
    ssize_t n;

    while (length < sizeof(server->last) - 1) {
        if (!wait_readable(server, fd))
            return false;
        n = recv(fd, server->last + length, sizeof(server->last) - 1 - length, 0);
        if (n <= 0)
            return false;
        length += (size_t)n;
        server->last[length] = '\0';
        if (server->eager || strstr(server->last, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void serve_connection(struct server *server, int fd) {
    const uint64_t one = 1;

    while (read_request(server, fd)) {
        server->requests++;
        if (server->on_request >= 0)
            (void)!write(server->on_request, &one, sizeof(one));
        if (server->kill > 0)
            (void)kill(server->kill, SIGKILL);
        if (!server->reply) {
            (void)wait_readable(server, fd); /* until the other side gives up */
            return;
        }
        for (size_t sent = 0; sent < server->reply_length;) {
            ssize_t n = send(fd, server->reply + sent, server->reply_length - sent, MSG_NOSIGNAL);

            if (n <= 0)
                return;
            sent += (size_t)n;
        }
        if (!server->keep)
            return;
    }
}

static void *run_server(void *data) {
    struct server *server = data;

    while (wait_readable(server, server->fd)) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            continue;
        server->connections++;
        serve_connection(server, fd);
        (void)close(fd);
    }
    return NULL;
}

static int loopback_socket(uint16_t *ret_port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void server_start(struct server *server, const char *reply) {
    if (reply) {
        server->reply = reply;
        server->reply_length = strlen(reply);
    }
    server->fd = loopback_socket(&server->port);
    assert_int_equal(listen(server->fd, 8), 0);
    server->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(server->stop >= 0);
    assert_int_equal(pthread_create(&server->thread, NULL, run_server, server), 0);
}

static void server_stop(struct server *server) {
    const uint64_t one = 1;

    assert_int_equal(write(server->stop, &one, sizeof(one)), sizeof(one));
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->fd);
    (void)close(server->stop);
}

#define SERVER_NONE ((struct server){.fd = -1, .stop = -1, .on_request = -1})

/* --- The client -------------------------------------------------------------------------------- */

static char *program;

/* The build puts the programs beside the tests. */
static void find_program(void) {
    char self[PATH_MAX] = "";

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
        asprintf(&program, "%s/../plugins/keystrap-http", dirname(self)) < 0)
        abort();
}

static int setup(void **state) {
    struct http_client *client;

    if (http_client_new(program, &client) != 0)
        return -1;
    *state = client;
    return 0;
}

static int teardown(void **state) {
    *state = http_client_free(*state);
    return 0;
}

struct get {
    struct http_request request;
    struct http_response response;
    struct failure failure;
    char url[256];
};

static void get_done(struct get *get) {
    http_response_done(&get->response);
}

#define _cleanup_get_ _cleanup_(get_done)

static int get_cancellable(struct http_client *client, struct get *get, const char *url,
                           int cancel_fd) {
    get->request.url = url;
    if (get->request.connect_timeout_usec == 0)
        get->request.connect_timeout_usec = 10 * USEC_PER_SEC;
    if (get->request.request_timeout_usec == 0)
        get->request.request_timeout_usec = 20 * USEC_PER_SEC;
    return http_client_ask(client, &get->request, cancel_fd, &get->response, &get->failure);
}

static int get_url(struct http_client *client, struct get *get, const char *url) {
    return get_cancellable(client, get, url, -1);
}

static int get_from(struct http_client *client, struct get *get, const struct server *server) {
    (void)snprintf(get->url, sizeof(get->url), "http://127.0.0.1:%u/some/path", server->port);
    return get_url(client, get, get->url);
}

/* One request to a server that answers @reply. */
static int get_reply(struct http_client *client, struct get *get, const char *reply) {
    struct server server = SERVER_NONE;
    int r;

    server_start(&server, reply);
    r = get_from(client, get, &server);
    server_stop(&server);
    return r;
}

/* The one child of this process, or 0. */
static pid_t child_pid(void) {
    _cleanup_fclose_ FILE *children = NULL;
    char path[64];
    int pid = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    children = fopen(path, "re");
    assert_non_null(children);
    if (fscanf(children, "%d", &pid) != 1)
        return 0;
    return pid;
}

/* --- Answers ----------------------------------------------------------------------------------- */

static void test_a_whole_answer_arrives_as_sent(void **state) {
    _cleanup_get_ struct get get = {0};

    assert_int_equal(get_reply(*state, &get,
                               "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nX-Empty:\r\n"
                               "x-padded: \t a b \t\r\nContent-Length: 5\r\n\r\nhello"),
                     0);
    assert_int_equal(get.response.status, 200);
    assert_int_equal(get.response.fields_count, 4);
    assert_int_equal(get.response.body_length, 5);
    assert_string_equal((char *)get.response.body, "hello");
    assert_string_equal(http_response_field(&get.response, "content-type", 0), "text/xml");
    assert_string_equal(http_response_field(&get.response, "X-EMPTY", 0), "");
    assert_string_equal(http_response_field(&get.response, "X-Padded", 0), "a b");
    assert_null(http_response_field(&get.response, "X-Other", 0));
    assert_int_equal(get.failure.code, 0);
}

static void test_a_request_says_what_it_was_told_and_nothing_of_its_own(void **state) {
    static const char *const headers[] = {"Authorization: Digest username=\"a\"", "X-One: 1", NULL};
    _cleanup_get_ struct get get = {.request = {.headers = headers, .user_agent = "keystrap gba"}};
    struct server server = SERVER_NONE;

    server_start(&server, OK_REPLY);
    assert_int_equal(get_from(*state, &get, &server), 0);
    server_stop(&server);
    assert_int_equal(strncmp(server.last, "GET /some/path HTTP/1.1\r\nHost: 127.0.0.1:", 41), 0);
    assert_non_null(strstr(server.last, "\r\nAuthorization: Digest username=\"a\"\r\n"));
    assert_non_null(strstr(server.last, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(server.last, "\r\nUser-Agent: keystrap gba\r\n"));
    assert_null(strcasestr(server.last, "cookie"));
    assert_null(strcasestr(server.last, "accept-encoding"));
}

static void test_a_401_brings_each_of_its_challenges(void **state) {
    _cleanup_get_ struct get get = {0};

    assert_int_equal(
        get_reply(*state, &get,
                  "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
                  "www-authenticate: Digest realm=\"y\"\r\nContent-Length: 0\r\n\r\n"),
        0);
    assert_int_equal(get.response.status, 401);
    assert_string_equal(http_response_field(&get.response, "WWW-Authenticate", 0),
                        "Basic realm=\"x\"");
    assert_string_equal(http_response_field(&get.response, "WWW-Authenticate", 1),
                        "Digest realm=\"y\"");
    assert_null(http_response_field(&get.response, "WWW-Authenticate", 2));
    assert_int_equal(get.response.body_length, 0);
}

static void test_fields_of_an_interim_answer_are_not_the_answers(void **state) {
    _cleanup_get_ struct get get = {0};

    assert_int_equal(get_reply(*state, &get,
                               "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                     0);
    assert_int_equal(get.response.status, 200);
    assert_int_equal(get.response.fields_count, 1);
}

static void test_a_redirect_is_an_answer_and_not_followed(void **state) {
    _cleanup_get_ struct get get = {0};
    struct server server = SERVER_NONE;

    server_start(&server,
                 "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(get_from(*state, &get, &server), 0);
    server_stop(&server);
    assert_int_equal(get.response.status, 302);
    assert_string_equal(http_response_field(&get.response, "Location", 0), "/elsewhere");
    assert_int_equal(server.requests, 1);
}

static void test_chunks_become_one_body(void **state) {
    _cleanup_get_ struct get get = {0};

    assert_int_equal(get_reply(*state, &get,
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
                     0);
    assert_string_equal((char *)get.response.body, "hello");
}

static void test_connect_to_changes_the_address_and_not_the_name(void **state) {
    struct server server = SERVER_NONE;
    _cleanup_get_ struct get get = {0};
    char connect_to[32];

    server_start(&server, OK_REPLY);
    (void)snprintf(connect_to, sizeof(connect_to), "127.0.0.1:%u", server.port);
    get.request.connect_to = connect_to;
    assert_int_equal(get_url(*state, &get, "http://bsf.mnc001.mcc001.pub.3gppnetwork.org/"), 0);
    server_stop(&server);
    assert_non_null(strstr(server.last, "\r\nHost: bsf.mnc001.mcc001.pub.3gppnetwork.org\r\n"));
}

/* --- Answers that are too much, or none -------------------------------------------------------- */

/* "HTTP/1.1 200 OK", then @count times a field with a value of @size octets, then @rest. */
static char *make_reply(size_t count, size_t size, const char *rest) {
    char *reply = malloc(64 + count * (size + 32) + strlen(rest)), *p = reply;

    assert_non_null(reply);
    p += sprintf(p, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i < count; i++) {
        p += sprintf(p, "X-Field-%zu: ", i);
        memset(p, 'v', size);
        p += size;
        p += sprintf(p, "\r\n");
    }
    (void)sprintf(p, "%s", rest);
    return reply;
}

static void expect(struct http_client *client, const char *reply, int outcome) {
    _cleanup_get_ struct get get = {0};

    assert_int_equal(get_reply(client, &get, reply), outcome);
    assert_int_equal(get.failure.code, outcome);
    assert_non_null(strstr(get.failure.text, "127.0.0.1:"));
    assert_null(get.response.body);
}

static void expect_made(struct http_client *client, size_t count, size_t size, const char *rest,
                        int outcome) {
    _cleanup_free_ char *reply = make_reply(count, size, rest);

    expect(client, reply, outcome);
}

static void test_a_body_beyond_the_limit_is_refused(void **state) {
    _cleanup_free_ char *body = calloc(1, HTTP_BODY_MAX + 2);
    _cleanup_free_ char *rest = NULL;

    assert_non_null(body);
    memset(body, 'b', HTTP_BODY_MAX + 1);

    /* Announced, and not: the one is refused by its length, the other while it arrives. */
    expect(*state, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\nxyz", HTTP_E_TOO_LARGE);
    assert_true(asprintf(&rest, "Connection: close\r\n\r\n%s", body) > 0);
    expect_made(*state, 0, 0, rest, HTTP_E_TOO_LARGE);
}

static void test_a_body_of_the_limit_arrives(void **state) {
    _cleanup_free_ char *body = calloc(1, HTTP_BODY_MAX + 1), *reply = NULL;
    _cleanup_get_ struct get get = {0};

    assert_non_null(body);
    memset(body, 'b', HTTP_BODY_MAX);
    assert_true(asprintf(&reply, "HTTP/1.1 200 OK\r\n\r\n%s", body) > 0);
    assert_int_equal(get_reply(*state, &get, reply), 0);
    assert_int_equal(get.response.body_length, HTTP_BODY_MAX);
    assert_string_equal((char *)get.response.body, body);
}

static void test_header_fields_beyond_the_limits_are_refused(void **state) {
    static const char end[] = "Content-Length: 0\r\n\r\n";

    expect_made(*state, 1, HTTP_HEADER_MAX, end, HTTP_E_TOO_LARGE);
    expect_made(*state, HTTP_HEADERS_MAX, 1, end, HTTP_E_TOO_LARGE);
    expect_made(*state, 5, HTTP_HEADER_MAX - 64, end, HTTP_E_TOO_LARGE);
    /* a line that never ends */
    expect_made(*state, 1, 300000, end, HTTP_E_TOO_LARGE);
}

static void test_header_fields_of_the_limit_arrive(void **state) {
    _cleanup_free_ char *reply = make_reply(HTTP_HEADERS_MAX - 1, 400, "Content-Length: 0\r\n\r\n");
    _cleanup_get_ struct get get = {0};

    assert_int_equal(get_reply(*state, &get, reply), 0);
    assert_int_equal(get.response.fields_count, HTTP_HEADERS_MAX);
    assert_int_equal(strlen(http_response_field(&get.response, "X-Field-62", 0)), 400);
}

static void test_what_is_not_http_is_a_protocol_error(void **state) {
    static const char *const replies[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken off",
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Control: a\001b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX Space: a\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "",
    };

    for (size_t i = 0; i < ELEMENTS(replies); i++)
        expect(*state, replies[i], HTTP_E_PROTOCOL);
}

static void test_a_refused_connection_is_a_connect_error(void **state) {
    struct server server = SERVER_NONE;
    _cleanup_get_ struct get get = {0};

    /* Bound, so that nobody else takes the port, and not listening. */
    server.fd = loopback_socket(&server.port);
    assert_int_equal(get_from(*state, &get, &server), HTTP_E_CONNECT);
    assert_non_null(strstr(get.failure.text, "127.0.0.1:"));
    (void)close(server.fd);
}

static void test_a_name_without_address_is_a_resolve_error(void **state) {
    _cleanup_get_ struct get get = {.request.connect_timeout_usec = 2 * USEC_PER_SEC};

    assert_int_equal(get_url(*state, &get, "http://bsf.invalid/"), HTTP_E_RESOLVE);
    assert_non_null(strstr(get.failure.text, "bsf.invalid"));
}

static void test_other_schemes_and_credentials_in_the_url_are_refused(void **state) {
    static const char *const urls[] = {"file:///etc/passwd", "gopher://127.0.0.1/",
                                       "http://user:password@127.0.0.1/", "http://", "nonsense:"};

    for (size_t i = 0; i < ELEMENTS(urls); i++) {
        _cleanup_get_ struct get get = {0};
        int r = get_url(*state, &get, urls[i]);

        assert_true(r == HTTP_E_PROTOCOL);
        assert_null(get.response.body);
        assert_null(strstr(get.failure.text, "password@"));
    }
}

static void test_a_request_that_would_smuggle_a_line_is_refused(void **state) {
    static const char *const headers[] = {"X-One: 1\r\nX-Two: 2", NULL};
    _cleanup_get_ struct get get = {.request.headers = headers};

    assert_int_equal(get_url(*state, &get, "http://127.0.0.1/"), -EINVAL);
}

/* --- Time -------------------------------------------------------------------------------------- */

static void test_a_silent_server_costs_its_deadline_and_no_more(void **state) {
    _cleanup_get_ struct get get = {.request.request_timeout_usec = 200 * USEC_PER_MSEC};
    struct server server = SERVER_NONE;
    uint64_t start;
    int r;

    server_start(&server, NULL);
    http_client_warm(*state);
    start = now_usec();
    r = get_from(*state, &get, &server);
    assert_int_equal(r, HTTP_E_TIMEOUT);
    assert_true(now_usec() - start >= 200 * USEC_PER_MSEC);
    assert_true(now_usec() - start < 5 * USEC_PER_SEC);
    assert_non_null(strstr(get.failure.text, "127.0.0.1:"));
    server_stop(&server);
}

static void test_cancelling_ends_a_request_at_once_and_the_next_works(void **state) {
    _cleanup_get_ struct get cancelled = {0}, get = {0};
    _cleanup_close_ int cancel = eventfd(0, EFD_CLOEXEC);
    struct server server = SERVER_NONE;
    uint64_t start = now_usec();

    /* The server itself cancels: the request is surely under way then. */
    server.on_request = cancel;
    server_start(&server, NULL);
    (void)snprintf(cancelled.url, sizeof(cancelled.url), "http://127.0.0.1:%u/", server.port);
    assert_int_equal(get_cancellable(*state, &cancelled, cancelled.url, cancel), UB_E_CANCELLED);
    assert_true(now_usec() - start < 10 * USEC_PER_SEC);
    assert_int_equal(child_pid(), 0);
    server_stop(&server);

    assert_int_equal(get_reply(*state, &get, OK_REPLY), 0);
}

static void test_the_program_is_ended_when_idle(void **state) {
    _cleanup_get_ struct get get = {0}, again = {0};
    uint64_t next;

    assert_true(http_client_idle(*state) == USEC_INFINITY);
    assert_int_equal(get_reply(*state, &get, OK_REPLY), 0);
    next = http_client_idle(*state);
    assert_true(next > now_usec() && next <= now_usec() + HTTP_IDLE_USEC);
    assert_int_not_equal(child_pid(), 0);

    clock_offset += HTTP_IDLE_USEC;
    assert_true(http_client_idle(*state) == USEC_INFINITY);
    assert_int_equal(child_pid(), 0);
    assert_int_equal(get_reply(*state, &again, OK_REPLY), 0);
}

/* --- Connections and the program --------------------------------------------------------------- */

static void test_requests_share_a_connection(void **state) {
    struct server server = SERVER_NONE;

    server.keep = true;
    server_start(&server, OK_REPLY);
    for (int i = 0; i < 3; i++) {
        _cleanup_get_ struct get get = {0};

        assert_int_equal(get_from(*state, &get, &server), 0);
    }
    server_stop(&server);
    assert_int_equal(server.requests, 3);
    assert_int_equal(server.connections, 1);
}

static void test_a_connection_that_the_server_closed_is_no_failure(void **state) {
    struct server server = SERVER_NONE;

    /* It promises to keep the connection, as HTTP/1.1 does by default, and closes it. */
    server_start(&server, OK_REPLY);
    for (int i = 0; i < 20; i++) {
        _cleanup_get_ struct get get = {0};

        assert_int_equal(get_from(*state, &get, &server), 0);
    }
    server_stop(&server);
}

static void test_a_program_that_was_killed_in_between_is_started_again(void **state) {
    _cleanup_get_ struct get before = {0}, after = {0};
    siginfo_t info;
    pid_t pid;

    assert_int_equal(get_reply(*state, &before, OK_REPLY), 0);
    pid = child_pid();
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(get_reply(*state, &after, OK_REPLY), 0);
    assert_int_not_equal(child_pid(), pid);
}

static void test_a_program_that_dies_in_a_request_is_a_helper_error(void **state) {
    _cleanup_get_ struct get get = {0}, again = {0};
    struct server server = SERVER_NONE;

    http_client_warm(*state);
    server.kill = child_pid();
    assert_int_not_equal(server.kill, 0);
    server_start(&server, NULL);
    assert_int_equal(get_from(*state, &get, &server), HTTP_E_HELPER);
    assert_non_null(strstr(get.failure.text, "signal 9"));
    server_stop(&server);
    assert_int_equal(get_reply(*state, &again, OK_REPLY), 0);
}

static void test_a_missing_program_is_a_helper_error_that_names_it(void **state) {
    _cleanup_(teardown) void *client = NULL;
    _cleanup_get_ struct get get = {0};

    (void)state;
    assert_int_equal(http_client_new("/nonexistent/keystrap-http", (struct http_client **)&client),
                     0);
    http_client_warm(client);
    assert_int_equal(get_url(client, &get, "http://127.0.0.1/"), HTTP_E_HELPER);
    assert_non_null(strstr(get.failure.text, "/nonexistent/keystrap-http"));
}

/* --- The sandbox ------------------------------------------------------------------------------- */

static void test_the_sandbox_refuses_what_it_must_and_lets_names_be_looked_up(void **state) {
    static const char *const names[] = {"keystrap-http", "keystrap-coap"};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        _cleanup_free_ char *path = NULL;
        char *argv[] = {NULL, (char[]){"--check-sandbox"}, NULL};
        struct subprocess process;

        assert_true(asprintf(&path, "%.*s/%s", (int)(strrchr(program, '/') - program), program,
                             names[i]) > 0);
        argv[0] = path;
        assert_int_equal(subprocess_spawn(path, argv, &process), 0);
        assert_int_equal(subprocess_stop(&process, 20 * USEC_PER_SEC), 0);
    }
}

static bool status_has(pid_t pid, const char *wanted) {
    _cleanup_fclose_ FILE *status = NULL;
    char path[64], line[256];

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    status = fopen(path, "re");
    while (status && fgets(line, sizeof(line), status))
        if (strcmp(line, wanted) == 0)
            return true;
    return false;
}

static void test_the_sandbox_holds_while_requests_are_served(void **state) {
    _cleanup_get_ struct get get = {0};

    assert_int_equal(get_reply(*state, &get, OK_REPLY), 0);
    assert_true(status_has(child_pid(), "Seccomp:\t2\n"));
    assert_true(status_has(child_pid(), "NoNewPrivs:\t1\n"));
}

/* --- What is no TLS; the rest of it is in test-http-tls.c ---------------------------------------- */

static void test_a_handshake_without_answer_is_a_connect_error(void **state) {
    struct server server = SERVER_NONE;
    _cleanup_get_ struct get get = {.request.connect_timeout_usec = 200 * USEC_PER_MSEC};

    server_start(&server, NULL);
    (void)snprintf(get.url, sizeof(get.url), "https://127.0.0.1:%u/", server.port);
    assert_int_equal(get_url(*state, &get, get.url), HTTP_E_CONNECT);
    server_stop(&server);
}

static void test_a_server_without_tls_is_a_tls_error(void **state) {
    struct server server = SERVER_NONE;
    _cleanup_get_ struct get get = {0};

    server.eager = true;
    server_start(&server, "HTTP/1.1 400 Bad Request\r\n\r\n");
    (void)snprintf(get.url, sizeof(get.url), "https://127.0.0.1:%u/", server.port);
    assert_int_equal(get_url(*state, &get, get.url), HTTP_E_TLS);
    server_stop(&server);
}

#define client_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        client_test(test_a_whole_answer_arrives_as_sent),
        client_test(test_a_request_says_what_it_was_told_and_nothing_of_its_own),
        client_test(test_a_401_brings_each_of_its_challenges),
        client_test(test_fields_of_an_interim_answer_are_not_the_answers),
        client_test(test_a_redirect_is_an_answer_and_not_followed),
        client_test(test_chunks_become_one_body),
        client_test(test_connect_to_changes_the_address_and_not_the_name),
        client_test(test_a_body_beyond_the_limit_is_refused),
        client_test(test_a_body_of_the_limit_arrives),
        client_test(test_header_fields_beyond_the_limits_are_refused),
        client_test(test_header_fields_of_the_limit_arrive),
        client_test(test_what_is_not_http_is_a_protocol_error),
        client_test(test_a_refused_connection_is_a_connect_error),
        client_test(test_a_name_without_address_is_a_resolve_error),
        client_test(test_other_schemes_and_credentials_in_the_url_are_refused),
        client_test(test_a_request_that_would_smuggle_a_line_is_refused),
        client_test(test_a_silent_server_costs_its_deadline_and_no_more),
        client_test(test_cancelling_ends_a_request_at_once_and_the_next_works),
        client_test(test_the_program_is_ended_when_idle),
        client_test(test_requests_share_a_connection),
        client_test(test_a_connection_that_the_server_closed_is_no_failure),
        client_test(test_a_program_that_was_killed_in_between_is_started_again),
        client_test(test_a_program_that_dies_in_a_request_is_a_helper_error),
        cmocka_unit_test(test_a_missing_program_is_a_helper_error_that_names_it),
        cmocka_unit_test(test_the_sandbox_refuses_what_it_must_and_lets_names_be_looked_up),
        client_test(test_the_sandbox_holds_while_requests_are_served),
        client_test(test_a_handshake_without_answer_is_a_connect_error),
        client_test(test_a_server_without_tls_is_a_tls_error),
    };
    int r;

    find_program();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return r;
}
