/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The lab's HTTP server.
 *
 * libmicrohttpd hands a request over in pieces and wants answers as objects of its own; handlers here see a whole
 * request and fill in a plain answer. The ways to misbehave that HTTP itself has no words for (silence, garbage)
 * are done on the connection's socket.
 */

#include "lab-http.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#define TLS_OPTIONS_MAX 6u

struct lab_http {
    struct MHD_Daemon *daemon;
    lab_http_handler handler;
    void *userdata;
    uint64_t *usec;
    int stop_fd; /* readable when answers that wait shall end */
    unsigned port;
    char *cert, *key;
    const char *priority, *anchors, *ocsp;
    bool stapled;
    lab_http_psk psk;
};

/* What libmicrohttpd keeps for us between the pieces of one request. */
struct exchange {
    char *target;
    char *body;
    size_t body_length;
    bool begun;
    bool too_large;
    uint64_t started_usec;
};

static uint64_t monotonic_usec(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- Answers ------------------------------------------------------------------------------------ */

int lab_reply_body_take(struct lab_reply *reply, char *body, size_t length) {
    if (!body)
        return -ENOMEM;
    free(reply->body);
    reply->body = body;
    reply->body_length = length;
    return 0;
}

int lab_reply_text(struct lab_reply *reply, unsigned status, const char *text) {
    int r;

    reply->status = status;
    r = lab_reply_body_take(reply, strdup(text), strlen(text));
    if (r < 0)
        return r;
    return lab_reply_field(reply, "Content-Type", "text/plain");
}

int lab_reply_field(struct lab_reply *reply, const char *name, const char *format, ...) {
    char *value = NULL;
    va_list ap;
    int r;

    if (reply->fields_count >= LAB_REPLY_FIELDS_MAX)
        return -E2BIG;
    va_start(ap, format);
    r = vasprintf(&value, format, ap);
    va_end(ap);
    if (r < 0)
        return -ENOMEM;
    reply->fields[reply->fields_count].name = name;
    reply->fields[reply->fields_count++].value = value;
    return 0;
}

/* The names of an HTTP date are English in every locale, which strftime() does not promise. */
int lab_reply_date(struct lab_reply *reply, const char *name, int64_t when) {
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = when;
    struct tm tm;

    if (!gmtime_r(&seconds, &tm))
        return -ERANGE;
    return lab_reply_field(reply, name, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
                           tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                           tm.tm_sec);
}

void lab_reply_done(struct lab_reply *reply) {
    for (size_t i = 0; i < reply->fields_count; i++)
        free(reply->fields[i].value);
    free(reply->body);
    memset(reply, 0, sizeof(*reply));
}

/* --- Requests ----------------------------------------------------------------------------------- */

const char *lab_request_argument(const struct lab_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool lab_request_host_is(const struct lab_request *request, const char *name) {
    size_t length = strlen(name);
    const char *port;

    if (!request->host || strncasecmp(request->host, name, length) != 0)
        return false;
    port = request->host + length;
    return *port == '\0' || (*port == ':' && port[1 + strspn(port + 1, "0123456789")] == '\0');
}

static gnutls_session_t session_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info ? info->tls_session : NULL;
}

gnutls_session_t lab_request_session(const struct lab_request *request) {
    return session_of(request->connection);
}

bool lab_request_exporter(const struct lab_request *request, const char *label,
                          uint8_t ret[LAB_EXPORTER_LENGTH]) {
    gnutls_session_t session = lab_request_session(request);

    return session && gnutls_prf_rfc5705(session, strlen(label), label, 0, NULL,
                                         LAB_EXPORTER_LENGTH, (char *)ret) == 0;
}

static const char *field_of(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

const char *lab_request_field(const struct lab_request *request, const char *name) {
    return field_of(request->connection, name);
}

static void *exchange_begin(void *userdata, const char *target, struct MHD_Connection *connection) {
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    (void)userdata;
    (void)connection;
    if (!exchange)
        return NULL;
    exchange->started_usec = monotonic_usec();
    exchange->target = strdup(target);
    return exchange;
}

static void exchange_end(void *userdata, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
    struct exchange *exchange = *state;

    (void)userdata;
    (void)connection;
    (void)code;
    if (!exchange)
        return;
    free(exchange->target);
    free(exchange->body);
    free(exchange);
    *state = NULL;
}

static void exchange_keep(struct exchange *exchange, const char *data, size_t length) {
    char *body;

    if (exchange->too_large || length > LAB_HTTP_BODY_MAX - exchange->body_length) {
        exchange->too_large = true;
        return;
    }
    body = realloc(exchange->body, exchange->body_length + length);
    if (!body) {
        exchange->too_large = true;
        return;
    }
    memcpy(body + exchange->body_length, data, length);
    exchange->body = body;
    exchange->body_length += length;
}

/* --- Sending ------------------------------------------------------------------------------------ */

static int socket_of(struct MHD_Connection *connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Wait until the time is up, the client has gone, or the server ends. Returns whether the client may be answered. */
static bool wait_before_answer(const struct lab_http *http, struct MHD_Connection *connection,
                               int msec) {
    struct pollfd fds[] = {
        {.fd = socket_of(connection), .events = POLLRDHUP},
        {.fd = http->stop_fd, .events = POLLIN},
    };
    uint64_t end = monotonic_usec() + (uint64_t)(msec < 0 ? 0 : msec) * 1000;
    int left = msec;

    for (;;) {
        int r = poll(fds, 2, left);

        if (r == 0)
            return true;
        if (r > 0 || errno != EINTR)
            return false;
        if (msec >= 0)
            left = monotonic_usec() >= end ? 0 : (int)((end - monotonic_usec()) / 1000);
    }
}

static void send_garbage(struct MHD_Connection *connection) {
    static const char junk[] = "\x16\x03\xff\x00 this is \x01 no \x7f HTTP \r\n\r\n\x80\x81\x82\n";
    int fd = socket_of(connection);

    (void)send(fd, junk, sizeof(junk) - 1, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct lab_reply *reply) {
    struct MHD_Response *response;
    enum MHD_Result r = MHD_YES;

    response =
        MHD_create_response_from_buffer(reply->body_length, reply->body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < reply->fields_count && r == MHD_YES; i++)
        r = MHD_add_response_header(response, reply->fields[i].name, reply->fields[i].value);
    if (r == MHD_YES)
        r = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result carry_out(const struct lab_http *http, struct MHD_Connection *connection,
                                 struct lab_reply *reply) {
    if (reply->delay_msec > 0 && !wait_before_answer(http, connection, (int)reply->delay_msec))
        return MHD_NO;

    switch (reply->fate) {
    case LAB_REPLY_SEND:
        return send_reply(connection, reply);
    case LAB_REPLY_QUEUED:
        return MHD_YES;
    case LAB_REPLY_HANG:
        (void)wait_before_answer(http, connection, -1);
        return MHD_NO;
    case LAB_REPLY_GARBAGE:
        send_garbage(connection);
        return MHD_NO;
    case LAB_REPLY_CLOSE:
        return MHD_NO;
    }
    return MHD_NO;
}

static enum MHD_Result answer(const struct lab_http *http, struct MHD_Connection *connection,
                              const char *path, const char *method,
                              const struct exchange *exchange) {
    const struct lab_request request = {
        .connection = connection,
        .method = method,
        .target = exchange->target,
        .path = path,
        .host = field_of(connection, "Host"),
        .authorization = field_of(connection, "Authorization"),
        .user_agent = field_of(connection, "User-Agent"),
        .body = (const uint8_t *)exchange->body,
        .body_length = exchange->body_length,
    };
    struct lab_reply reply = {0};
    enum MHD_Result result;
    int r;

    if (exchange->too_large)
        r = lab_reply_text(&reply, 413, "The body is too large.\n");
    else
        r = http->handler(&request, &reply, http->userdata);
    if (r < 0) {
        lab_reply_done(&reply);
        (void)lab_reply_text(&reply, 500, "The lab itself failed.\n");
    }
    /* Up to the first octet of the answer: what comes after, its reader works at already. */
    if (http->usec)
        __atomic_add_fetch(http->usec,
                           monotonic_usec() - exchange->started_usec + reply.delay_msec * 1000,
                           __ATOMIC_RELAXED);
    result = carry_out(http, connection, &reply);
    lab_reply_done(&reply);
    return result;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *data_length, void **state) {
    struct exchange *exchange = *state;

    (void)version;
    if (!exchange || !exchange->target)
        return MHD_NO;
    if (!exchange->begun) {
        exchange->begun = true;
        return MHD_YES;
    }
    if (*data_length > 0) {
        exchange_keep(exchange, data, *data_length);
        *data_length = 0;
        return MHD_YES;
    }
    return answer(userdata, connection, path, method, exchange);
}

/* --- Listening ---------------------------------------------------------------------------------- */

static int resolve(const char *listen_on, struct addrinfo **ret) {
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
    };
    const char *colon = strrchr(listen_on, ':');
    char address[64];
    size_t length;

    if (!colon)
        return -EINVAL;
    length = (size_t)(colon - listen_on);
    if (length >= 2 && listen_on[0] == '[' && listen_on[length - 1] == ']') {
        listen_on++;
        length -= 2;
    }
    if (length >= sizeof(address))
        return -EINVAL;
    memcpy(address, listen_on, length);
    address[length] = '\0';
    return getaddrinfo(address, colon + 1, &hints, ret) == 0 ? 0 : -EINVAL;
}

static int open_listener(const char *listen_on, unsigned *ret_port) {
    struct addrinfo *address = NULL;
    struct sockaddr_storage bound;
    socklen_t length = sizeof(bound);
    char port[NI_MAXSERV];
    int fd, one = 1, r;

    r = resolve(listen_on, &address);
    if (r < 0)
        return r;
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &length) < 0)
        r = -errno;
    freeaddrinfo(address);
    if (r == 0 && getnameinfo((struct sockaddr *)&bound, length, NULL, 0, port, sizeof(port),
                              NI_NUMERICSERV) != 0)
        r = -EIO;
    if (r < 0) {
        if (fd >= 0)
            (void)close(fd);
        return r;
    }
    *ret_port = (unsigned)strtoul(port, NULL, 10);
    return fd;
}

static char *read_pem(const char *path) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    ssize_t length;

    if (!file)
        return NULL;
    length = getdelim(&text, &size, '\0', file);
    (void)fclose(file);
    if (length <= 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int on_psk(void *userdata, const struct MHD_Connection *connection, const char *identity,
                  void **ret, size_t *ret_length) {
    const struct lab_http *http = userdata;
    uint8_t key[LAB_PSK_MAX];
    size_t length = http->psk(http->userdata, identity, key);

    (void)connection;
    if (length == 0)
        return -1;
    *ret = malloc(length);
    if (*ret)
        memcpy(*ret, key, length);
    *ret_length = length;
    gnutls_memset(key, 0, sizeof(key));
    return *ret ? 0 : -1;
}

/* libmicrohttpd has no word for stapling, but the first session knows the credentials of all. Connections begin on one
 * thread. */
static void on_connection(void *userdata, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code) {
    struct lab_http *http = userdata;
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_session_t session;
    int r;

    (void)state;
    if (code != MHD_CONNECTION_NOTIFY_STARTED || !http->ocsp || http->stapled)
        return;
    session = session_of(connection);
    if (!session ||
        gnutls_credentials_get(session, GNUTLS_CRD_CERTIFICATE, (void **)&credentials) < 0)
        return;
    http->stapled = true;
    r = gnutls_certificate_set_ocsp_status_request_file(credentials, http->ocsp, 0);
    if (r < 0)
        fprintf(stderr, "keystrap-lab: %s: %s\n", http->ocsp, gnutls_strerror(r));
}

static size_t add_option(struct MHD_OptionItem *items, size_t n, enum MHD_OPTION option,
                         const void *value) {
    if (!value)
        return n;
    items[n] = (struct MHD_OptionItem){option, 0, (void *)(uintptr_t)value};
    return n + 1;
}

static void tls_options(struct lab_http *http, struct MHD_OptionItem items[TLS_OPTIONS_MAX]) {
    size_t n = 0;

    n = add_option(items, n, MHD_OPTION_HTTPS_PRIORITIES, http->priority);
    if (http->psk) {
        items[n++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_CRED_TYPE, (intptr_t)GNUTLS_CRD_PSK, NULL};
        items[n++] =
            (struct MHD_OptionItem){MHD_OPTION_GNUTLS_PSK_CRED_HANDLER, (intptr_t)on_psk, http};
    } else {
        n = add_option(items, n, MHD_OPTION_HTTPS_MEM_CERT, http->cert);
        n = add_option(items, n, MHD_OPTION_HTTPS_MEM_KEY, http->key);
        n = add_option(items, n, MHD_OPTION_HTTPS_MEM_TRUST, http->anchors);
    }
    items[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static int start_daemon(struct lab_http *http, int fd, bool tls) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
                     (tls ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem items[TLS_OPTIONS_MAX] = {{MHD_OPTION_END, 0, NULL}};

    if (tls)
        tls_options(http, items);
    http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_ARRAY, items,
                                    MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
                                    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK,
                                    exchange_begin, http, MHD_OPTION_NOTIFY_COMPLETED, exchange_end,
                                    http, MHD_OPTION_CONNECTION_LIMIT, LAB_HTTP_CONNECTIONS_MAX,
                                    MHD_OPTION_CONNECTION_TIMEOUT, LAB_HTTP_IDLE_SEC,
                                    MHD_OPTION_NONCE_NC_SIZE, 1024u, MHD_OPTION_END);
    return http->daemon ? 0 : -EIO;
}

int lab_http_start(const struct lab_http_options *options, struct lab_http **ret) {
    bool by_certificate = options->tls_cert || options->tls_key;
    struct lab_http *http = calloc(1, sizeof(*http));
    int fd, r;

    if (!http)
        return -ENOMEM;
    http->handler = options->handler;
    http->userdata = options->userdata;
    http->usec = options->usec;
    http->priority = options->tls_priority;
    http->stop_fd = eventfd(0, EFD_CLOEXEC);
    http->anchors = options->tls_anchors;
    http->ocsp = options->tls_ocsp;
    http->psk = options->psk;
    if (by_certificate) {
        http->cert = options->tls_cert ? read_pem(options->tls_cert) : NULL;
        http->key = options->tls_key ? read_pem(options->tls_key) : NULL;
        if (!http->cert || !http->key) {
            fprintf(stderr, "keystrap-lab: TLS needs a certificate and a key in PEM files\n");
            (void)lab_http_stop(http);
            return -ENOENT;
        }
    }

    fd = open_listener(options->listen, &http->port);
    r = fd < 0 ? fd : start_daemon(http, fd, by_certificate || http->psk);
    if (r < 0) {
        fprintf(stderr, "keystrap-lab: cannot serve on %s: %s\n", options->listen, strerror(-r));
        if (fd >= 0)
            (void)close(fd);
        (void)lab_http_stop(http);
        return r;
    }
    *ret = http;
    return 0;
}

unsigned lab_http_port(const struct lab_http *http) {
    return http->port;
}

struct lab_http *lab_http_stop(struct lab_http *http) {
    const uint64_t one = 1;

    if (!http)
        return NULL;
    if (http->stop_fd >= 0)
        (void)!write(http->stop_fd, &one, sizeof(one));
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    if (http->stop_fd >= 0)
        (void)close(http->stop_fd);
    free(http->cert);
    free(http->key);
    free(http);
    return NULL;
}
