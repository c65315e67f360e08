/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd's side of keystrap-http.
 *
 * The program costs some milliseconds to start (libcurl brings many libraries), so it is kept between the requests of a
 * bootstrap; and it costs memory, so it is ended when nothing has been asked for a while. A request that is out of
 * time or that nobody wants any more ends the program as well: there is no surer way to end a lookup that hangs.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

#include "http-answer.h"
#include "http-protocol.h"
#include "subprocess.h"
#include "util.h"

struct http_client {
    char *program;
    struct subprocess process;
    uint64_t used; /* when the program last had something to do */
    uint32_t serial;
};

int http_client_new(const char *program, struct http_client **ret) {
    struct http_client *client = calloc(1, sizeof(*client));

    if (!client)
        return -ENOMEM;
    client->process = SUBPROCESS_NONE;
    client->program = strdup(program);
    if (!client->program) {
        free(client);
        return -ENOMEM;
    }
    *ret = client;
    return 0;
}

struct http_client *http_client_free(struct http_client *client) {
    if (!client)
        return NULL;
    (void)subprocess_stop(&client->process, 0);
    free(client->program);
    free(client);
    return NULL;
}

/* Whether the program ended behind our back since the last request. */
static bool has_ended(const struct http_client *client) {
    struct pollfd fds = {.fd = client->process.pidfd, .events = POLLIN};

    return poll(&fds, 1, 0) > 0;
}

static int start(struct http_client *client) {
    char *const argv[] = {client->program, NULL};

    if (client->process.pid > 0 && !has_ended(client))
        return 0;
    (void)subprocess_stop(&client->process, 0);
    client->used = now_usec();
    return subprocess_spawn(client->program, argv, &client->process);
}

void http_client_warm(struct http_client *client) {
    (void)start(client);
}

uint64_t http_client_idle(struct http_client *client) {
    if (client->process.pid == 0)
        return USEC_INFINITY;
    if (now_usec() - client->used < HTTP_IDLE_USEC)
        return client->used + HTTP_IDLE_USEC;
    (void)subprocess_stop(&client->process, 0);
    return USEC_INFINITY;
}

/* A header line of ours must stay one line, or a caller's value could become a field of its own. */
static int append_headers(struct packet *packet, const char *const *headers) {
    _cleanup_free_ char *lines = NULL;
    size_t length = 0, count = 0;

    if (!headers)
        return 0;
    for (; headers[count]; count++) {
        size_t size = strlen(headers[count]);

        if (count == HTTP_HEADERS_MAX || size > HTTP_HEADER_MAX || strpbrk(headers[count], "\r\n"))
            return -EINVAL;
        length += size + 1;
    }
    if (length > HTTP_REQUEST_MAX)
        return -ENOBUFS;
    lines = malloc(length + 1);
    if (!lines)
        return -ENOMEM;
    length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)sprintf(lines + length, "%s\n", headers[i]);
    return packet_append(packet, HTTP_FIELD_HEADERS, lines, length);
}

static uint32_t to_msec(uint64_t usec) {
    uint64_t msec = usec / USEC_PER_MSEC;

    /* 0 means "no limit" to libcurl, and its limits are signed. */
    if (msec == 0)
        return 1;
    return msec > INT32_MAX ? INT32_MAX : (uint32_t)msec;
}

static int append_optional(struct packet *packet, uint8_t tag, const char *text) {
    return text ? packet_append_text(packet, tag, text) : 0;
}

static int append_body(struct packet *packet, const struct http_request *request) {
    int r;

    if (request->body_length > HTTP_SEND_MAX ||
        (request->body && request->method != HTTP_POST && request->method != HTTP_PUT))
        return -EINVAL;
    r = packet_append_u8(packet, HTTP_FIELD_METHOD, (uint8_t)request->method);
    if (r == 0)
        r = packet_append_u8(packet, HTTP_FIELD_FRESH, request->fresh);
    if (r == 0 && request->body)
        r = packet_append(packet, HTTP_FIELD_BODY, request->body, request->body_length);
    return r;
}

static int write_request(struct packet *packet, uint32_t serial,
                         const struct http_request *request) {
    int r;

    if (strlen(request->url) > HTTP_URL_MAX ||
        (request->exporter_label && strlen(request->exporter_label) > TLS_LABEL_MAX))
        return -EINVAL;
    packet_begin(packet, HTTP_PACKET_ASK, serial);
    r = packet_append_text(packet, HTTP_FIELD_URL, request->url);
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_CONNECT_TO, request->connect_to);
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_USER_AGENT, request->user_agent);
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_TRUST_ANCHORS, request->trust_anchors);
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_EXPORTER_LABEL, request->exporter_label);
    if (r == 0)
        r = packet_append_u8(packet, HTTP_FIELD_TLS_1_3, request->tls_min == HTTP_TLS_1_3);
    if (r == 0)
        r = append_body(packet, request);
    if (r == 0)
        r = append_headers(packet, request->headers);
    if (r == 0)
        r = packet_append_u32(packet, HTTP_FIELD_CONNECT_TIMEOUT,
                              to_msec(request->connect_timeout_usec));
    if (r == 0)
        r = packet_append_u32(packet, HTTP_FIELD_REQUEST_TIMEOUT,
                              to_msec(request->request_timeout_usec));
    return r;
}

/* --- The handshake's packets --------------------------------------------------------------------- */

/* What is secret in it goes through the arena and the kernel, and nowhere else. */
static int send_secrets(struct http_client *client, const struct http_handshake *handshake,
                        uint64_t deadline) {
    _cleanup_packet_ struct packet packet = {0};
    int r;

    if (!handshake->psk && !handshake->private_key)
        return 0;
    if ((handshake->psk && secret_length(handshake->psk) > PSK_MAX) ||
        (handshake->private_key && secret_length(handshake->private_key) > PRIVATE_KEY_MAX))
        return -EINVAL;
    r = packet_init_secret(&packet, PSK_MAX + PRIVATE_KEY_MAX + 64);
    if (r < 0)
        return r;
    packet_begin(&packet, HTTP_PACKET_SECRETS, client->serial);
    if (handshake->psk)
        r = packet_append(&packet, HTTP_FIELD_PSK, secret_data(handshake->psk),
                          secret_length(handshake->psk));
    if (r == 0 && handshake->private_key)
        r = packet_append(&packet, HTTP_FIELD_PRIVATE_KEY, secret_data(handshake->private_key),
                          secret_length(handshake->private_key));
    return r == 0 ? packet_send(client->process.fd, &packet, deadline) : r;
}

static bool fits(const char *text, size_t max) {
    return !text || strlen(text) <= max;
}

/* What is longer than the other side takes would end it. */
static bool handshake_fits(const struct http_handshake *handshake) {
    const struct peer_expectation *peer = handshake->peer;

    return fits(handshake->suites, CIPHER_SUITES_MAX) &&
           fits(handshake->psk_identity, PSK_IDENTITY_MAX) &&
           fits(handshake->certificate, CERTIFICATE_CHAIN_MAX) &&
           (!peer || (peer->roots_count <= PEER_ROOTS_MAX && fits(peer->name, PEER_NAME_MAX) &&
                      fits(peer->trust_anchors, CONF_PATH_MAX) && fits(peer->crl, CONF_PATH_MAX)));
}

static int append_peer(struct packet *packet, const struct peer_expectation *peer) {
    int r;

    if (!peer)
        return 0;
    r = packet_append_u8(packet, HTTP_FIELD_PEER_FLAVOUR, (uint8_t)peer->flavour);
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_PEER_NAME, peer->name);
    if (r == 0 && peer->roots_count > 0)
        r = packet_append(packet, HTTP_FIELD_PEER_ROOTS, peer->roots,
                          peer->roots_count * sizeof(peer->roots[0]));
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_PEER_ANCHORS, peer->trust_anchors);
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_PEER_CRL, peer->crl);
    if (r == 0)
        r = packet_append_u8(packet, HTTP_FIELD_PEER_OCSP, peer->ocsp_required);
    return r;
}

static int send_handshake(struct http_client *client, struct packet *packet,
                          const struct http_handshake *handshake, uint64_t deadline) {
    int r;

    if (!handshake)
        return 0;
    if (!handshake_fits(handshake))
        return -EINVAL;
    r = send_secrets(client, handshake, deadline);
    if (r < 0)
        return r;
    packet_begin(packet, HTTP_PACKET_HANDSHAKE, client->serial);
    r = append_optional(packet, HTTP_FIELD_SUITES, handshake->suites);
    if (r == 0)
        r = append_optional(packet, HTTP_FIELD_PSK_IDENTITY, handshake->psk_identity);
    if (r == 0 && handshake->certificate)
        r = packet_append(packet, HTTP_FIELD_CERTIFICATE, handshake->certificate,
                          strlen(handshake->certificate));
    if (r == 0)
        r = packet_append_u8(packet, HTTP_FIELD_SIGNER, handshake->signer != NULL);
    if (r == 0)
        r = append_peer(packet, handshake->peer);
    return r == 0 ? packet_send(client->process.fd, packet, deadline) : r;
}

/* The program wants a signature; where there is none, @failure has the cause, and the program ends the handshake. */
static int sign(struct http_client *client, struct packet *packet, const struct http_signer *signer,
                uint64_t deadline, struct failure *failure) {
    uint8_t digest[SECURE_DIGEST_LENGTH], signature[SIGNATURE_MAX];
    const uint8_t *octets;
    size_t length;
    int r;

    if (!signer || !packet_get(packet, HTTP_FIELD_DIGEST, &octets, &length) ||
        length != sizeof(digest))
        return -EBADMSG;
    memcpy(digest, octets, sizeof(digest));
    r = signer->sign(signer->userdata, digest, signature, &length, failure);
    if (r < 0)
        return r;
    packet_begin(packet, HTTP_PACKET_SIGNED, client->serial);
    if (r == 0)
        r = packet_append(packet, HTTP_FIELD_SIGNATURE, signature, length);
    return r < 0 ? r : packet_send(client->process.fd, packet, deadline);
}

/* Receive until the answer is whole. Positive for a failure that the program reports. */
static int receive_answer(struct http_client *client, struct packet *packet, int cancel_fd,
                          uint64_t deadline, const struct http_request *request,
                          struct http_response *response, struct failure *failure) {
    const struct http_signer *signer = request->handshake ? request->handshake->signer : NULL;
    unsigned signatures = 0;
    size_t size = 0;
    int r;

    for (;;) {
        r = packet_receive(client->process.fd, packet, cancel_fd, deadline);
        if (r < 0)
            return r;
        if (packet_serial(packet) != client->serial)
            return -EBADMSG;
        switch (packet_type(packet)) {
        case HTTP_PACKET_FIELD:
            r = http_answer_field(response, &size, packet);
            break;
        case HTTP_PACKET_RESPONSE:
            return http_answer_end(response, packet, request->secret_body);
        case HTTP_PACKET_SIGN:
            r = ++signatures <= SIGNATURES_MAX ? sign(client, packet, signer, deadline, failure)
                                               : -EBADMSG;
            break;
        case HTTP_PACKET_FAILURE:
            return http_answer_failure(packet, failure);
        default: /* an octet from outside, not an enum */
            return -EBADMSG;
        }
        if (r < 0)
            return r;
    }
}

static size_t span_host(const char *text) {
    size_t length;

    if (text[0] != '[')
        return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
    length = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
    return length > 1 && text[length] == ']' ? length + 1 : 0;
}

bool http_origin(const char *url, char *ret, size_t size) {
    size_t scheme = strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "coaps://", 8) == 0 ? 8
                    : strncasecmp(url, "http://", 7) == 0                                        ? 7
                                                          : 0;
    const char *authority = url + scheme, *host = authority;
    size_t length = strcspn(authority, "/?#"), host_length, port = 0;

    for (size_t i = 0; i < length; i++)
        if (authority[i] == '@')
            host = authority + i + 1;
    host_length = span_host(host);
    if (host[host_length] == ':')
        port = 1 + strspn(host + host_length + 1, "0123456789");
    if (scheme == 0 || host_length == 0 || port == 1 || port > 6 ||
        host + host_length + port != authority + length || scheme + host_length + port >= size)
        return false;
    memcpy(ret, url, scheme);
    memcpy(ret + scheme, host, host_length + port);
    ret[scheme + host_length + port] = '\0';
    return true;
}

/* The conversation with the program broke off: end it, and say what it means for the request. */
static int broken(struct http_client *client, const struct http_request *request, int error,
                  struct failure *failure) {
    int status = subprocess_stop(&client->process, 0);
    char origin[FQDN_MAX + 16] = "the server";

    if (error == -ECANCELED)
        return failure_set(failure, UB_E_CANCELLED, "the request was cancelled");
    if (error == -ETIMEDOUT) {
        (void)http_origin(request->url, origin, sizeof(origin));
        return failure_set(failure, HTTP_E_TIMEOUT, "no answer from %.200s within %u ms", origin,
                           to_msec(request->request_timeout_usec));
    }
    if (error == -EFBIG) {
        (void)http_origin(request->url, origin, sizeof(origin));
        return failure_set(failure, HTTP_E_TOO_LARGE, "%.200s answered more than we take", origin);
    }
    if (error == -EPIPE || error == -ECONNRESET)
        return failure_set(failure, HTTP_E_HELPER, "%s ended with %s %d", client->program,
                           status >= 256 ? "signal" : "exit code", status & 0xff);
    if (error == -EBADMSG)
        return failure_set(failure, HTTP_E_HELPER, "%s sent a malformed answer", client->program);
    return error;
}

int http_client_ask(struct http_client *client, const struct http_request *request, int cancel_fd,
                    struct http_response *ret, struct failure *failure) {
    uint64_t deadline = deadline_after(
        (uint64_t)to_msec(request->request_timeout_usec) * USEC_PER_MSEC + HTTP_GRACE_USEC);
    _cleanup_http_response_ struct http_response response = {0};
    _cleanup_packet_ struct packet packet = {0};
    int r;

    r = packet_init_locked(&packet, HTTP_REQUEST_MAX);
    if (r == 0)
        r = write_request(&packet, ++client->serial, request);
    if (r < 0)
        return r;
    r = start(client);
    if (r < 0)
        return failure_set(failure, HTTP_E_HELPER, "%s cannot be executed: %s", client->program,
                           strerrordesc_np(-r));
    r = send_handshake(client, &packet, request->handshake, deadline);
    if (r == 0 && request->handshake)
        r = write_request(&packet, client->serial, request);
    if (r == 0)
        r = packet_send(client->process.fd, &packet, deadline);
    if (r == 0)
        r = receive_answer(client, &packet, cancel_fd, deadline, request, &response, failure);
    client->used = now_usec();
    if (r < 0)
        return broken(client, request, r, failure);
    if (r == 0) {
        *ret = response;
        response = (struct http_response){0};
    }
    return r;
}
