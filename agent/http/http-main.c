/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What keystrap-http and keystrap-coap have in common: the conversation with keystrapd, and the sandbox.
 *
 * Such a program holds no secret for long: a credential for as long as it shakes hands, and exporters until they are
 * sent; both are erased then. It serves one request after the other on the socket that keystrapd left on its descriptor, and
 * ends when that is closed. Run by hand with --check-sandbox it tries what its sandbox must refuse and what it must not, and
 * exits 0 when all was as it should be.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include "http-job.h"
#include "http-memory.h"
#include "http-protocol.h"
#include "http-sandbox.h"
#include "keystrap/plugin.h"
#include "packet.h"
#include "util.h"

/* For a keystrapd that does not read: longer than it may ever take, and then there is none any more. */
#define SEND_USEC (10 * USEC_PER_SEC)

/* All memory that requests need, taken once. */
struct server {
    const struct http_program *program;
    const EC_KEY_METHOD *method; /* of private keys that are elsewhere */
    struct packet packet;
    struct http_job job;
    struct http_result result;
};

static void job_done(struct http_job *job) {
    secret_erase(job, sizeof(*job));
}

const char *http_next_header(const struct http_job *job, const char *line) {
    const char *next = line ? line + strlen(line) + 1 : job->headers;

    return next < job->headers + job->headers_length ? next : NULL;
}

/* Lines that each end with a newline become texts. */
static int take_headers(struct http_job *job, const struct packet *packet) {
    const uint8_t *lines;
    size_t length;

    if (!packet_get(packet, HTTP_FIELD_HEADERS, &lines, &length))
        return 0;
    if (length > sizeof(job->headers) || memchr(lines, 0, length) ||
        (length > 0 && lines[length - 1] != '\n'))
        return -EBADMSG;
    for (size_t i = 0; i < length; i++)
        job->headers[i] = lines[i] == '\n' ? '\0' : (char)lines[i];
    job->headers_length = length;
    return 0;
}

static int take_body(struct http_job *job, const struct packet *packet) {
    uint8_t method = HTTP_GET, fresh = 0;
    const uint8_t *body;
    size_t length;

    (void)packet_get_u8(packet, HTTP_FIELD_METHOD, &method);
    (void)packet_get_u8(packet, HTTP_FIELD_FRESH, &fresh);
    if (method > HTTP_DELETE)
        return -EBADMSG;
    job->method = (enum http_method)method;
    job->fresh = fresh == 1;
    job->has_body = packet_get(packet, HTTP_FIELD_BODY, &body, &length);
    if (!job->has_body)
        return 0;
    if (length > sizeof(job->body))
        return -EBADMSG;
    memcpy(job->body, body, length);
    job->body_length = length;
    return 0;
}

static int take_job(struct http_job *job, const struct packet *packet) {
    uint8_t tls_1_3 = 0;
    int r;

    if (packet_type(packet) != HTTP_PACKET_ASK ||
        !packet_get_text(packet, HTTP_FIELD_URL, job->url, sizeof(job->url)) ||
        !packet_get_u32(packet, HTTP_FIELD_CONNECT_TIMEOUT, &job->connect_timeout_msec) ||
        !packet_get_u32(packet, HTTP_FIELD_REQUEST_TIMEOUT, &job->request_timeout_msec))
        return -EBADMSG;
    (void)packet_get_text(packet, HTTP_FIELD_CONNECT_TO, job->connect_to, sizeof(job->connect_to));
    (void)packet_get_text(packet, HTTP_FIELD_USER_AGENT, job->user_agent, sizeof(job->user_agent));
    (void)packet_get_text(packet, HTTP_FIELD_TRUST_ANCHORS, job->trust_anchors,
                          sizeof(job->trust_anchors));
    (void)packet_get_text(packet, HTTP_FIELD_EXPORTER_LABEL, job->exporter_label,
                          sizeof(job->exporter_label));
    (void)packet_get_u8(packet, HTTP_FIELD_TLS_1_3, &tls_1_3);
    job->tls_1_3 = tls_1_3 == 1;
    r = take_body(job, packet);
    return r == 0 ? take_headers(job, packet) : r;
}

static int send_packet(const struct packet *packet) {
    return packet_send(KEYSTRAP_PLUGIN_FD, packet, deadline_after(SEND_USEC));
}

static int send_field(struct server *server, uint32_t serial, const struct http_line *field) {
    const char *lines = server->result.lines;
    int r;

    packet_begin(&server->packet, HTTP_PACKET_FIELD, serial);
    r = packet_append(&server->packet, HTTP_FIELD_NAME, lines + field->name, field->name_length);
    if (r == 0)
        r = packet_append(&server->packet, HTTP_FIELD_VALUE, lines + field->value,
                          field->value_length);
    return r == 0 ? send_packet(&server->packet) : r;
}

static int send_response(struct server *server, uint32_t serial) {
    const struct http_result *result = &server->result;
    int r = 0;

    for (size_t i = 0; r == 0 && i < result->fields_count; i++)
        r = send_field(server, serial, &result->fields[i]);
    if (r < 0)
        return r;
    packet_begin(&server->packet, HTTP_PACKET_RESPONSE, serial);
    r = packet_append_u32(&server->packet, HTTP_FIELD_STATUS, (uint32_t)result->status);
    if (r == 0)
        r = packet_append(&server->packet, HTTP_FIELD_BODY, result->body, result->body_length);
    if (r == 0 && result->has_exporter)
        r = packet_append(&server->packet, HTTP_FIELD_EXPORTER, result->exporter,
                          sizeof(result->exporter));
    return r == 0 ? send_packet(&server->packet) : r;
}

static int send_failure(struct server *server, uint32_t serial, const struct failure *failure) {
    int r;

    packet_begin(&server->packet, HTTP_PACKET_FAILURE, serial);
    r = packet_append_u32(&server->packet, HTTP_FIELD_OUTCOME, (uint32_t)failure->code);
    if (r == 0)
        r = packet_append_text(&server->packet, HTTP_FIELD_TEXT, failure->text);
    return r == 0 ? send_packet(&server->packet) : r;
}

static bool take_handshake(struct server *server) {
    struct handshake *handshake = &server->job.handshake;

    handshake->remote.fd = KEYSTRAP_PLUGIN_FD;
    handshake->remote.method = server->method;
    return handshake_take_rest(handshake, &server->packet);
}

/* One packet: what is told before a request is noted, and a request answered. */
static int serve_one(struct server *server) {
    struct failure failure = {0};
    uint32_t serial;
    int r;

    r = packet_receive(KEYSTRAP_PLUGIN_FD, &server->packet, -1, USEC_INFINITY);
    if (r < 0)
        return r;
    serial = packet_serial(&server->packet);
    if (packet_type(&server->packet) == HTTP_PACKET_SECRETS)
        return handshake_take_secrets(&server->job.handshake, &server->packet) ? 0 : -EBADMSG;
    if (packet_type(&server->packet) == HTTP_PACKET_HANDSHAKE)
        return take_handshake(server) ? 0 : -EBADMSG;
    r = take_job(&server->job, &server->packet);
    if (r == 0)
        r = server->program->fetch(&server->job, &server->result, &failure);
    job_done(&server->job);
    http_memory_erase_stack();
    if (r == 0)
        r = send_response(server, serial);
    else if (r > 0)
        r = send_failure(server, serial, &failure);
    secret_erase(server->result.exporter, sizeof(server->result.exporter));
    secret_erase(server->result.body, server->result.body_length);
    packet_begin(&server->packet, 0, 0);
    return r;
}

static int serve(const struct http_program *program) {
    struct server *server = calloc(1, sizeof(*server));
    int r;

    if (!server || packet_init(&server->packet, HTTP_REQUEST_MAX) < 0)
        return -ENOMEM;
    server->program = program;
    server->method = remote_key_method_new();
    do {
        r = serve_one(server);
    } while (r == 0);
    return r;
}

static int harden(const struct http_program *program) {
    int r;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;

    r = program->start();
    return r == 0 ? http_sandbox_enter() : r;
}

int http_program_main(const struct http_program *program, int argc, char **argv) {
    int r;

    r = harden(program);
    if (r < 0) {
        (void)fprintf(stderr, "%s: no sandbox: %s\n", program->name, strerrordesc_np(-r));
        return EX_OSERR;
    }
    if (argc == 2 && strcmp(argv[1], "--check-sandbox") == 0)
        return http_sandbox_check() == 0 ? EX_OK : EX_SOFTWARE;

    r = serve(program);
    if (r == -EPIPE || r == -ECONNRESET)
        return EX_OK;
    if (r == -EBADF || r == -ENOTSOCK) {
        (void)fprintf(stderr, "%s is started by keystrapd, not by hand\n", program->name);
        return EX_USAGE;
    }
    (void)fprintf(stderr, "%s: %s\n", program->name, strerrordesc_np(-r));
    return EX_SOFTWARE;
}
