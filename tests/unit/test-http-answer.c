/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd's side of keystrap-http when a stranger has taken that over: the program is this test itself, under a
 * name that tells it what to answer. Nothing but a whole and sound answer may come out, and in time.
 */

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "http-protocol.h"
#include "http.h"
#include "packet.h"
#include "util.h"

#define FD     3
#define PREFIX "http-"

/* --- The program ------------------------------------------------------------------------------- */

struct program {
    struct packet packet;
    const char *name;
    uint32_t serial;
};

static bool is(const struct program *program, const char *name) {
    return strcmp(program->name, name) == 0;
}

static void send_packet(struct program *program) {
    if (packet_send(FD, &program->packet, USEC_INFINITY) < 0)
        exit(1);
}

static void send_field(struct program *program, const char *name, const char *value) {
    packet_begin(&program->packet, HTTP_PACKET_FIELD, program->serial);
    packet_append_text(&program->packet, HTTP_FIELD_NAME, name);
    if (!is(program, "no-value"))
        packet_append_text(&program->packet, HTTP_FIELD_VALUE, value);
    send_packet(program);
}

static void send_response(struct program *program, uint32_t status, size_t length) {
    static const uint8_t body[HTTP_BODY_MAX + 1] = "body";

    packet_begin(&program->packet, HTTP_PACKET_RESPONSE, program->serial);
    packet_append_u32(&program->packet, HTTP_FIELD_STATUS, status);
    if (!is(program, "no-body"))
        packet_append(&program->packet, HTTP_FIELD_BODY, body, length);
    if (is(program, "short-exporter"))
        packet_append(&program->packet, HTTP_FIELD_EXPORTER, body, TLS_EXPORTER_LENGTH - 1);
    send_packet(program);
}

static void send_failure(struct program *program, uint32_t outcome, const char *text) {
    packet_begin(&program->packet, HTTP_PACKET_FAILURE, program->serial);
    packet_append_u32(&program->packet, HTTP_FIELD_OUTCOME, outcome);
    packet_append_text(&program->packet, HTTP_FIELD_TEXT, text);
    send_packet(program);
}

static void send_fields(struct program *program) {
    static char value[HTTP_HEADER_MAX];

    memset(value, 'v', sizeof(value) - 1);
    if (is(program, "good"))
        send_field(program, "X-One", "1");
    if (is(program, "no-value"))
        send_field(program, "X-One", "1");
    if (is(program, "no-name"))
        send_field(program, "", "1");
    if (is(program, "control"))
        send_field(program, "X-One", "a\r\nX-Two: b");
    if (is(program, "long-field"))
        send_field(program, "X-One", value);
    for (unsigned i = 0; is(program, "many-fields") && i <= HTTP_HEADERS_MAX; i++)
        send_field(program, "X", "1");
    for (unsigned i = 0; is(program, "large-fields") && i < 6; i++)
        send_field(program, "X", value + 100);
    while (is(program, "endless"))
        send_field(program, "", "");
}

static _Noreturn void be_program(const char *name) {
    struct program program = {.name = name};

    if (packet_init(&program.packet, PACKET_PAYLOAD_MAX) < 0)
        exit(2);
    while (packet_receive(FD, &program.packet, -1, USEC_INFINITY) == 0) {
        program.serial = packet_serial(&program.packet) + (is(&program, "serial") ? 1 : 0);
        while (is(&program, "silent"))
            (void)pause();
        if (is(&program, "exit"))
            exit(42);
        if (is(&program, "refused"))
            send_failure(&program, HTTP_E_CONNECT, "bsf.example cannot be reached");
        if (is(&program, "outcome"))
            send_failure(&program, UICC_E_MAC, "the card said no");
        if (is(&program, "failure-text"))
            send_failure(&program, HTTP_E_CONNECT, "two\nlines");
        if (is(&program, "type")) {
            packet_begin(&program.packet, 77, program.serial);
            send_packet(&program);
        }
        if (is(&program, "foreign"))
            (void)!write(FD, "nonsense", 8);
        send_fields(&program);
        send_response(&program, is(&program, "status") ? 99 : 200,
                      is(&program, "long-body") ? HTTP_BODY_MAX + 1 : 4);
    }
    exit(0);
}

/* --- The tests --------------------------------------------------------------------------------- */

struct world {
    char directory[64];
    char link[128];
    struct http_client *client;
    struct http_response response;
    struct failure failure;
};

static int setup(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    const char *parent = getenv("TMPDIR");

    (void)snprintf(world->directory, sizeof(world->directory), "%s/keystrap-answer-XXXXXX",
                   parent ? parent : "/tmp");
    *state = world;
    return mkdtemp(world->directory) ? 0 : -1;
}

static int teardown(void **state) {
    struct world *world = *state;

    http_client_free(world->client);
    http_response_done(&world->response);
    (void)unlink(world->link);
    (void)rmdir(world->directory);
    free(world);
    return 0;
}

static void make(struct world *world, const char *name) {
    char self[PATH_MAX] = "";

    world->client = http_client_free(world->client);
    (void)unlink(world->link);
    failure_clear(&world->failure);
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    (void)snprintf(world->link, sizeof(world->link), "%s/" PREFIX "%s", world->directory, name);
    assert_int_equal(symlink(self, world->link), 0);
    assert_int_equal(http_client_new(world->link, &world->client), 0);
}

static int get(struct world *world, uint64_t timeout_usec) {
    const struct http_request request = {.url = "http://bsf.example/path?imsi=001010123456789",
                                         .connect_timeout_usec = timeout_usec,
                                         .request_timeout_usec = timeout_usec};

    return http_client_ask(world->client, &request, -1, &world->response, &world->failure);
}

static void test_a_sound_answer_comes_out(void **state) {
    struct world *world = *state;

    make(world, "good");
    assert_int_equal(get(world, 20 * USEC_PER_SEC), 0);
    assert_int_equal(world->response.status, 200);
    assert_string_equal(http_response_field(&world->response, "x-one", 0), "1");
    assert_string_equal((char *)world->response.body, "body");
}

static void test_a_failure_is_told_in_the_programs_words(void **state) {
    struct world *world = *state;

    make(world, "refused");
    assert_int_equal(get(world, 20 * USEC_PER_SEC), HTTP_E_CONNECT);
    assert_string_equal(world->failure.text, "bsf.example cannot be reached");
}

static void test_an_unsound_answer_ends_the_program(void **state) {
    static const char *const names[] = {
        "serial",       "outcome", "failure-text", "type",       "foreign",
        "no-value",     "no-name", "control",      "long-field", "many-fields",
        "large-fields", "no-body", "status",       "long-body",  "endless",
    };
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        int r;

        make(world, names[i]);
        r = get(world, 20 * USEC_PER_SEC);
        if (r != HTTP_E_HELPER)
            fail_msg("%s: outcome %#x", names[i], (unsigned)r);
        assert_non_null(strstr(world->failure.text, "malformed"));
        assert_null(world->response.body);
        assert_null(world->response.fields);

        /* The program is gone, and no zombie of it is left. */
        assert_true(http_client_idle(world->client) == USEC_INFINITY);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    }
}

static void test_a_program_that_ends_is_told_with_its_code(void **state) {
    struct world *world = *state;

    make(world, "exit");
    assert_int_equal(get(world, 20 * USEC_PER_SEC), HTTP_E_HELPER);
    assert_non_null(strstr(world->failure.text, "exit code 42"));
}

static void test_a_silent_program_is_killed_at_the_deadline(void **state) {
    struct world *world = *state;
    uint64_t start = now_usec();

    make(world, "silent");
    assert_int_equal(get(world, 100 * USEC_PER_MSEC), HTTP_E_TIMEOUT);
    assert_true(now_usec() - start >= 100 * USEC_PER_MSEC);
    assert_true(now_usec() - start < 10 * USEC_PER_SEC);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_string_equal(world->failure.text, "no answer from http://bsf.example within 100 ms");
}

/* Texts are read by anybody, and paths, queries and users of URLs may be identities. */
static void test_of_a_url_only_scheme_host_and_port_are_told(void **state) {
    static const struct {
        const char *url;
        const char *origin; /* NULL: it has none */
    } cases[] = {
        {"http://bsf.example", "http://bsf.example"},
        {"HTTPS://bsf.example/", "HTTPS://bsf.example"},
        {"https://bsf_1.example-x.:8443/path?imsi=1#2", "https://bsf_1.example-x.:8443"},
        {"http://001010123456789@bsf.example?x", "http://bsf.example"},
        {"coaps://mef.example:5685/a", "coaps://mef.example:5685"},
        {"coap://mef.example/", NULL},
        {"http://user:pass@evil@192.0.2.1:80/@x", "http://192.0.2.1:80"},
        {"http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080"},
        {"http://bsf.example:001010123456789/", NULL},
        {"http://bsf.example:/", NULL},
        {"http://bsf.example:80:80/", NULL},
        {"http://user:pass/", NULL},
        {"http://[2001:db8::1/", NULL},
        {"http://[]/", NULL},
        {"http://[::1]x/", NULL},
        {"http:///path", NULL},
        {"http://", NULL},
        {"http://@", NULL},
        {"http://a\x1b[2Jb/", NULL},
        {"http://b\xc3\xa9/", NULL},
        {"/bsf?imsi=001010123456789", NULL},
        {"//bsf.example/", NULL},
        {"ftp://bsf.example/", NULL},
        {"javascript:http://bsf.example/", NULL},
        {"", NULL},
    };
    char origin[64];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        strcpy(origin, "untouched");
        assert_int_equal(http_origin(cases[i].url, origin, sizeof(origin)), !!cases[i].origin);
        assert_string_equal(origin, cases[i].origin ? cases[i].origin : "untouched");
    }
    strcpy(origin, "untouched");
    assert_false(http_origin("http://bsf.example/", origin, strlen("http://bsf.example")));
    assert_string_equal(origin, "untouched");
    assert_true(http_origin("http://bsf.example/", origin, strlen("http://bsf.example") + 1));
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        world_test(test_a_sound_answer_comes_out),
        world_test(test_a_failure_is_told_in_the_programs_words),
        world_test(test_an_unsound_answer_ends_the_program),
        world_test(test_a_program_that_ends_is_told_with_its_code),
        world_test(test_a_silent_program_is_killed_at_the_deadline),
        cmocka_unit_test(test_of_a_url_only_scheme_host_and_port_are_told),
    };
    const char *name = basename(argv[0]);

    if (argc == 1 && strncmp(name, PREFIX, strlen(PREFIX)) == 0)
        be_program(name + strlen(PREFIX));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
