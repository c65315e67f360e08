/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * https with the real keystrap-http: only the right server is asked, whoever is not is named with what to do about it, and the
 * exporter is that of the connection, as the other side computes it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <gnutls/gnutls.h>

#include "http.h"
#include "unit/tls-server.h"
#include "util.h"

#define LABEL "EXPORTER_GBA_Digest"

static char *program;

static int setup(void **state) {
    struct http_client *client = NULL;

    if (secret_arena_init() < 0 || http_client_new(program, &client) < 0)
        return -1;
    *state = client;
    return 0;
}

static int teardown(void **state) {
    size_t used;

    (void)http_client_free(*state);
    used = secret_arena_used();
    secret_arena_done();
    return used == 0 ? 0 : -1;
}

/* keystrap-http beside this program. */
static void find_program(void) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length < 0)
        abort();
    self[length] = '\0';
    if (asprintf(&program, "%s/../plugins/keystrap-http", dirname(self)) < 0)
        abort();
}

struct get {
    struct http_request request; /* what a test leaves open is filled in */
    struct http_response response;
    struct failure failure;
    char connect_to[32];
};

static void get_done(struct get *get) {
    http_response_done(&get->response);
}

#define _cleanup_get_ _cleanup_(get_done)

/* GET @url from @server, whose certificate is trusted unless the test says otherwise. */
static int get_url(struct http_client *client, struct get *get, const struct tls_server *server,
                   const char *url) {
    (void)snprintf(get->connect_to, sizeof(get->connect_to), "127.0.0.1:%u", server->port);
    get->request.url = url;
    get->request.connect_to = get->connect_to;
    if (!get->request.trust_anchors)
        get->request.trust_anchors = server->certificate;
    get->request.connect_timeout_usec = get->request.request_timeout_usec = 10 * USEC_PER_SEC;
    return http_client_ask(client, &get->request, -1, &get->response, &get->failure);
}

static void assert_says(const struct get *get, const char *cause, const char *remedy) {
    const char *semicolon = strchr(get->failure.text, ';');

    if (!strstr(get->failure.text, cause) || !semicolon || !strstr(semicolon, remedy))
        fail_msg("'%s' does not say '%s' and '%s'", get->failure.text, cause, remedy);
    assert_int_equal(get->failure.code, HTTP_E_TLS);
}

static void test_the_right_server_is_asked_and_no_other(void **state) {
    _cleanup_get_ struct get good = {0}, wrong_name = {0}, untrusted = {0};
    struct tls_server server = {0};

    untrusted.request.trust_anchors = "/etc/ssl/certs/ca-certificates.crt";
    tls_server_start(&server, "", -DAY, DAY);
    assert_int_equal(get_url(*state, &good, &server, "https://bsf.example/"), 0);
    assert_int_equal(good.response.status, 200);
    assert_true(good.response.body_length > 0);
    assert_null(good.response.exporter);
    assert_int_equal(get_url(*state, &wrong_name, &server, "https://naf.example/"), HTTP_E_TLS);
    assert_says(&wrong_name, "naf.example", "Bsf=");
    assert_says(&wrong_name, "another name", "do not trust");
    assert_int_equal(get_url(*state, &untrusted, &server, "https://bsf.example/"), HTTP_E_TLS);
    assert_says(&untrusted, "not signed by anybody", "TrustAnchors=");
    tls_server_stop(&server);
}

static void test_a_certificate_out_of_its_time_is_named(void **state) {
    static const struct {
        long from, to;
        const char *cause;
    } cases[] = {{-2 * DAY, -DAY, "has expired"}, {DAY, 2 * DAY, "not valid yet"}};

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_get_ struct get get = {0};
        struct tls_server server = {0};

        tls_server_start(&server, "", cases[i].from, cases[i].to);
        assert_int_equal(get_url(*state, &get, &server, "https://bsf.example/"), HTTP_E_TLS);
        assert_says(&get, cases[i].cause, "clock");
        tls_server_stop(&server);
    }
}

static void test_a_version_below_the_minimum_is_named(void **state) {
    static const struct {
        const char *options;
        enum http_tls min;
        int r;
        const char *remedy;
    } cases[] = {
        {"-tls1_2", HTTP_TLS_1_2, 0, NULL},
        {"-tls1_3", HTTP_TLS_1_3, 0, NULL},
        {"-tls1_2", HTTP_TLS_1_3, HTTP_E_TLS, "TlsMin=1.2"},
        {"-tls1_1 -cipher ALL:@SECLEVEL=0", HTTP_TLS_1_2, HTTP_E_TLS, "tell the operator"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_get_ struct get get = {.request.tls_min = cases[i].min};
        struct tls_server server = {0};

        tls_server_start(&server, cases[i].options, -DAY, DAY);
        assert_int_equal(get_url(*state, &get, &server, "https://bsf.example/"), cases[i].r);
        if (cases[i].r != 0)
            assert_says(&get, "does not speak TLS", cases[i].remedy);
        tls_server_stop(&server);
    }
}

static void test_trust_anchors_that_cannot_be_read_are_named(void **state) {
    _cleanup_get_ struct get get = {.request.trust_anchors = "/nonexistent/ca.pem"};
    struct tls_server server = {0};

    tls_server_start(&server, "", -DAY, DAY);
    assert_int_equal(get_url(*state, &get, &server, "https://bsf.example/"), HTTP_E_TLS);
    assert_says(&get, "/nonexistent/ca.pem", "TrustAnchors=");
    tls_server_stop(&server);
}

/* --- The exporter, with GnuTLS at the other end ---------------------------------------------------- */

struct exporting_server {
    const char *certificate, *key, *priority;
    int fd;
    unsigned port;
    pthread_t thread;
    uint8_t exporter[TLS_EXPORTER_LENGTH]; /* of the one connection that it serves */
};

/* Two requests on one connection, answered whatever they are. */
static void serve_connection(struct exporting_server *server, gnutls_session_t session) {
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    char request[4096];

    if (gnutls_handshake(session) != 0 ||
        gnutls_prf_rfc5705(session, strlen(LABEL), LABEL, 0, NULL, sizeof(server->exporter),
                           (char *)server->exporter) != 0)
        return;
    for (int i = 0; i < 2; i++)
        if (gnutls_record_recv(session, request, sizeof(request)) <= 0 ||
            gnutls_record_send(session, reply, sizeof(reply) - 1) < 0)
            return;
}

static void *run_exporting_server(void *data) {
    struct exporting_server *server = data;
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_session_t session = NULL;
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && gnutls_certificate_allocate_credentials(&credentials) == 0 &&
        gnutls_certificate_set_x509_key_file(credentials, server->certificate, server->key,
                                             GNUTLS_X509_FMT_PEM) == 0 &&
        gnutls_init(&session, GNUTLS_SERVER) == 0 &&
        gnutls_priority_set_direct(session, server->priority, NULL) == 0 &&
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) == 0) {
        gnutls_transport_set_int(session, fd);
        serve_connection(server, session);
    }
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    (void)close(fd);
    return NULL;
}

static void exporting_server_start(struct exporting_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(server->fd, 1), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, run_exporting_server, server), 0);
}

static void exporting_server_stop(struct exporting_server *server) {
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->fd);
}

/* Both sides have the same 48 octets, for each request of a connection, and others for another connection. */
static void test_the_exporter_is_that_of_the_connection(void **state) {
    static const char *const priorities[] = {"NORMAL:-VERS-ALL:+VERS-TLS1.2",
                                             "NORMAL:-VERS-ALL:+VERS-TLS1.3"};
    uint8_t seen[2][TLS_EXPORTER_LENGTH];
    struct tls_server files = {0};

    tls_write_files(&files, "bsf.example", -DAY, DAY);
    for (size_t i = 0; i < 2; i++) {
        struct get gets[] = {{.request.exporter_label = LABEL}, {.request.exporter_label = LABEL}};
        struct exporting_server server = {files.certificate, files.key, priorities[i], .fd = -1};

        exporting_server_start(&server);
        files.port = server.port;
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(get_url(*state, &gets[j], &files, "https://bsf.example/"), 0);
            assert_non_null(gets[j].response.exporter);
            assert_int_equal(secret_length(gets[j].response.exporter), TLS_EXPORTER_LENGTH);
        }
        exporting_server_stop(&server);
        for (size_t j = 0; j < 2; j++) {
            assert_memory_equal(secret_data(gets[j].response.exporter), server.exporter,
                                TLS_EXPORTER_LENGTH);
            http_response_done(&gets[j].response);
        }
        memcpy(seen[i], server.exporter, TLS_EXPORTER_LENGTH);
    }
    assert_memory_not_equal(seen[0], seen[1], TLS_EXPORTER_LENGTH);
    tls_remove_files(&files);
}

static void test_a_label_that_is_too_long_is_refused(void **state) {
    static const char label[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789";
    _cleanup_get_ struct get get = {.request.exporter_label = label};
    struct tls_server nobody = {0};

    assert_int_equal(get_url(*state, &get, &nobody, "https://bsf.example/"), -EINVAL);
}

#define client_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        client_test(test_the_right_server_is_asked_and_no_other),
        client_test(test_a_certificate_out_of_its_time_is_named),
        client_test(test_a_version_below_the_minimum_is_named),
        client_test(test_trust_anchors_that_cannot_be_read_are_named),
        client_test(test_the_exporter_is_that_of_the_connection),
        client_test(test_a_label_that_is_too_long_is_refused),
    };
    int r;

    find_program();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    free(program);
    return r;
}
