/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One request with libcoap.
 *
 * The handshake is ours (http-handshake.c): libcoap makes the SSL object, and we set it up before it begins. Nothing is
 * asked before the handshake is over and what it proved is known to be right. oneM2M's fields of HTTP are options here
 * (docs/MEF.md).
 */

#include <coap3/coap.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>

#include "coap-fetch.h"
#include "secret.h"
#include "util.h"

#define PORT           "5684"
#define OPTION_FROM    256
#define OPTION_NUMBER  257
#define OPTION_RSC     265
#define OPTION_TYPE    267
#define OPTION_RELEASE 271

struct exchange {
    struct http_job *job;
    struct http_result *result;
    SSL_CTX *context; /* libcoap's, and its callback */
    void (*library_info)(const SSL *ssl, int where, int value);
    bool connected, failed, answered;
    bool unreachable;
};

/* --- Where to ------------------------------------------------------------------------------------- */

struct target {
    char host[FQDN_MAX + 1]; /* of the URL: SNI, and for messages */
    char address[FQDN_MAX + 1];
    char port[8];
    const char *path;
};

static bool split(const char *text, char *ret_host, size_t size, char ret_port[8]) {
    const char *host = text, *end;
    size_t length;

    if (*host == '[') {
        end = strchr(++host, ']');
        if (!end)
            return false;
    } else {
        end = host + strcspn(host, ":/?#");
    }
    length = (size_t)(end - host);
    if (length == 0 || length >= size)
        return false;
    memcpy(ret_host, host, length);
    ret_host[length] = '\0';
    end += *end == ']';
    if (*end == ':')
        (void)snprintf(ret_port, 8, "%.*s",
                       (int)strspn(end + 1, "0123456789") < 7 ? (int)strspn(end + 1, "0123456789")
                                                              : 7,
                       end + 1);
    return true;
}

static bool parse_target(const struct http_job *job, struct target *ret) {
    const char *authority = job->url + strlen("coaps://");

    if (strncasecmp(job->url, "coaps://", 8) != 0)
        return false;
    (void)strcpy(ret->port, PORT);
    if (!split(authority, ret->host, sizeof(ret->host), ret->port))
        return false;
    (void)strcpy(ret->address, ret->host);
    ret->path = authority + strcspn(authority, "/?#");
    return job->connect_to[0] == '\0' ||
           split(job->connect_to, ret->address, sizeof(ret->address), ret->port);
}

static int resolve(const struct target *target, coap_address_t *ret, struct failure *failure) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *list = NULL;
    int r = getaddrinfo(target->address, target->port, &hints, &list);

    if (r != 0 || !list || list->ai_addrlen > sizeof(ret->addr))
        r = failure_set(failure, HTTP_E_RESOLVE, "%.200s has no address: %s", target->address,
                        r != 0 ? gai_strerror(r) : "none that is of use");
    if (r == 0) {
        coap_address_init(ret);
        ret->size = list->ai_addrlen;
        memcpy(&ret->addr, list->ai_addr, list->ai_addrlen);
    }
    if (list)
        freeaddrinfo(list);
    return r;
}

/* --- What happens --------------------------------------------------------------------------------- */

static struct exchange *of(const coap_session_t *session) {
    return coap_get_app_data(coap_session_get_context(session));
}

static int on_event(coap_session_t *session, coap_event_t event) {
    struct exchange *exchange = of(session);

    if (event == COAP_EVENT_DTLS_CONNECTED)
        exchange->connected = true;
    else if (event == COAP_EVENT_DTLS_ERROR || event == COAP_EVENT_DTLS_CLOSED ||
             event == COAP_EVENT_SESSION_FAILED)
        exchange->failed = true;
    return 0;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, coap_nack_reason_t reason,
                    coap_mid_t mid) {
    struct exchange *exchange = of(session);

    (void)sent, (void)mid;
    exchange->failed = true;
    exchange->unreachable = reason == COAP_NACK_ICMP_ISSUE || reason == COAP_NACK_NOT_DELIVERABLE;
}

/*
 * libcoap lets a server set its SSL objects up, and not a client. So the SSL_CTX that it makes is caught as it is made, and its
 * info callback, which OpenSSL calls before the first octet is written, sets up what follows.
 */
static void on_new_context(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                           void *exchange) {
    (void)value, (void)data, (void)index, (void)number;
    if (!((struct exchange *)exchange)->context)
        ((struct exchange *)exchange)->context = parent;
}

static void on_start(const SSL *ssl, int where, int value) {
    struct exchange *exchange = SSL_CTX_get_default_passwd_cb_userdata(SSL_get_SSL_CTX(ssl));
    void (*info)(const SSL *, int, int) = exchange ? exchange->library_info : NULL;

    /* It is set up already, with an SSL_CTX that is ours; OpenSSL goes on with this callback for the rest of its round. */
    if (!exchange)
        info = SSL_get_info_callback(ssl);
    else if ((where & SSL_CB_HANDSHAKE_START) &&
             !handshake_apply((SSL *)(uintptr_t)ssl, &exchange->job->handshake, info))
        exchange->failed = true;
    if (info)
        info(ssl, where, value);
}

static coap_context_t *new_context(struct exchange *exchange) {
    int index =
        CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, exchange, on_new_context, NULL, NULL);
    coap_context_t *context = index >= 0 ? coap_new_context(NULL) : NULL;

    if (index >= 0)
        (void)CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL_CTX, index);
    if (!context)
        return NULL;
    if (!exchange->context) {
        coap_free_context(context);
        return NULL;
    }
    exchange->library_info = SSL_CTX_get_info_callback(exchange->context);
    SSL_CTX_set_default_passwd_cb_userdata(exchange->context, exchange);
    SSL_CTX_set_info_callback(exchange->context, on_start);
    return context;
}

static void add_line(struct http_result *result, const char *name, const char *value,
                     size_t length) {
    size_t start = result->lines_length, name_length = strlen(name);

    if (result->fields_count == HTTP_HEADERS_MAX ||
        name_length + length > sizeof(result->lines) - start)
        return;
    memcpy(result->lines + start, name, name_length);
    memcpy(result->lines + start + name_length, value, length);
    result->lines_length += name_length + length;
    result->fields[result->fields_count++] = (struct http_line){.name = start,
                                                                .name_length = name_length,
                                                                .value = start + name_length,
                                                                .value_length = length};
}

static void add_number(struct http_result *result, const char *name, unsigned number) {
    char text[16];

    add_line(result, name, text, (size_t)snprintf(text, sizeof(text), "%u", number));
}

/* Options that are fields in HTTP; others are of no interest. */
static void take_options(struct http_result *result, const coap_pdu_t *answer) {
    coap_opt_iterator_t iterator;
    coap_opt_t *option;

    (void)coap_option_iterator_init(answer, &iterator, COAP_OPT_ALL);
    while ((option = coap_option_next(&iterator))) {
        const uint8_t *value = coap_opt_value(option);
        unsigned length = coap_opt_length(option);
        unsigned number = length <= 4 ? coap_decode_var_bytes(value, length) : 0;

        if (iterator.number == OPTION_NUMBER && text_is_plain((const char *)value, length))
            add_line(result, "X-M2M-RI", (const char *)value, length);
        else if (iterator.number == OPTION_RSC)
            add_number(result, "X-M2M-RSC", number);
        else if (iterator.number == COAP_OPTION_MAXAGE)
            add_number(result, "Retry-After", number);
        else if (iterator.number == COAP_OPTION_CONTENT_FORMAT &&
                 number == COAP_MEDIATYPE_APPLICATION_JSON)
            add_line(result, "Content-Type", "application/json", 16);
    }
}

static coap_response_t on_answer(coap_session_t *session, const coap_pdu_t *sent,
                                 const coap_pdu_t *answer, const coap_mid_t mid) {
    struct exchange *exchange = of(session);
    struct http_result *result = exchange->result;
    coap_pdu_code_t code = coap_pdu_get_code(answer);
    size_t length = 0, offset = 0, total = 0;
    const uint8_t *data = NULL;

    (void)sent, (void)mid;
    exchange->answered = true;
    result->status = (code >> 5) * 100 + (code & 0x1f);
    take_options(result, answer);
    if (!coap_get_data_large(answer, &length, &data, &offset, &total))
        return COAP_RESPONSE_OK;
    if (offset != 0 || total != length || length > sizeof(result->body)) {
        result->refused = HTTP_E_TOO_LARGE;
        return COAP_RESPONSE_OK;
    }
    memcpy(result->body, data, length);
    result->body_length = length;
    return COAP_RESPONSE_OK;
}

/* --- What is asked -------------------------------------------------------------------------------- */

static bool add_option(coap_optlist_t **list, unsigned number, const void *value, size_t length) {
    coap_optlist_t *option = coap_new_optlist((uint16_t)number, length, value);

    return option && coap_insert_optlist(list, option) == 1;
}

static bool add_uint(coap_optlist_t **list, unsigned number, unsigned value) {
    uint8_t octets[4];

    return add_option(list, number, octets, coap_encode_var_safe(octets, sizeof(octets), value));
}

static bool add_path(coap_optlist_t **list, const char *path) {
    while (*path == '/') {
        size_t length = strcspn(++path, "/?#");

        if (length > 255 || (length > 0 && !add_option(list, COAP_OPTION_URI_PATH, path, length)))
            return false;
        path += length;
    }
    return *path == '\0';
}

/* A field of HTTP as an option; those that are none here are left out. */
static bool add_header(coap_optlist_t **list, const char *line) {
    static const struct {
        const char *name;
        unsigned number;
    } names[] = {{"X-M2M-Origin: ", OPTION_FROM},
                 {"X-M2M-RI: ", OPTION_NUMBER},
                 {"X-M2M-RVI: ", OPTION_RELEASE}};
    const char *type;

    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (strncasecmp(line, names[i].name, strlen(names[i].name)) == 0)
            return add_option(list, names[i].number, line + strlen(names[i].name),
                              strlen(line) - strlen(names[i].name));
    if (strncasecmp(line, "Accept: ", 8) == 0)
        return add_uint(list, COAP_OPTION_ACCEPT, COAP_MEDIATYPE_APPLICATION_JSON);
    if (strncasecmp(line, "Content-Type: ", 14) != 0)
        return true;
    type = strstr(line, ";ty=");
    return add_uint(list, COAP_OPTION_CONTENT_FORMAT, COAP_MEDIATYPE_APPLICATION_JSON) &&
           (!type || add_uint(list, OPTION_TYPE, (unsigned)strtoul(type + 4, NULL, 10)));
}

static bool add_options(const struct http_job *job, const struct target *target,
                        coap_optlist_t **list) {
    const char *line = NULL;

    if (!add_path(list, target->path))
        return false;
    while ((line = http_next_header(job, line)))
        if (!add_header(list, line))
            return false;
    return true;
}

static bool send_request(coap_session_t *session, struct http_job *job,
                         const struct target *target) {
    static const coap_pdu_code_t codes[] = {
        [HTTP_GET] = COAP_REQUEST_CODE_GET,
        [HTTP_POST] = COAP_REQUEST_CODE_POST,
        [HTTP_PUT] = COAP_REQUEST_CODE_PUT,
        [HTTP_DELETE] = COAP_REQUEST_CODE_DELETE,
    };
    coap_pdu_t *pdu = coap_new_pdu(COAP_MESSAGE_CON, codes[job->method], session);
    coap_optlist_t *options = NULL;
    uint8_t token[8];
    size_t length;
    bool ok;

    coap_session_new_token(session, &length, token);
    ok = pdu && coap_add_token(pdu, length, token) && add_options(job, target, &options) &&
         (!options || coap_add_optlist_pdu(pdu, &options) == 1) &&
         (!job->has_body ||
          coap_add_data_large_request(session, pdu, job->body_length, job->body, NULL, NULL));
    coap_delete_optlist(options);
    if (!ok) {
        coap_delete_pdu(pdu);
        return false;
    }
    return coap_send(session, pdu) != COAP_INVALID_MID;
}

/* --- All of it ------------------------------------------------------------------------------------ */

/* Until @done or a failure, or the time is up. */
static void wait_for(coap_context_t *context, const struct exchange *exchange, const bool *done,
                     uint64_t deadline) {
    while (!*done && !exchange->failed) {
        int msec = deadline_poll_msec(deadline);

        if (msec == 0)
            return;
        if (coap_io_process(context, msec > 0 && msec < 1000 ? (uint32_t)msec : 1000) < 0)
            return;
    }
}

static int fail(const struct exchange *exchange, const struct target *target,
                struct failure *failure) {
    const struct http_job *job = exchange->job;

    if (job->handshake.failure.code != 0 || job->handshake.alert >= 0)
        return handshake_fail(&job->handshake, target->host, "an alert", failure);
    if (exchange->unreachable ||
        (exchange->failed && !exchange->connected && !job->handshake.heard))
        return failure_set(failure, HTTP_E_CONNECT, "%.200s cannot be reached", target->host);
    if (!exchange->connected && exchange->failed)
        return handshake_fail(&job->handshake, target->host, "it ended", failure);
    if (!exchange->connected)
        return failure_set(
            failure, HTTP_E_CONNECT,
            "%.120s does not shake hands; it may not be there, or not know \"%.100s\"",
            target->host, job->handshake.psk_identity);
    return failure_set(failure, HTTP_E_TIMEOUT, "%.200s did not answer in time", target->host);
}

/* The handshake stands: whose it is, and its exporter. */
static int check_connection(struct exchange *exchange, const coap_session_t *session,
                            const struct target *target, struct failure *failure) {
    struct http_job *job = exchange->job;
    coap_tls_library_t library;
    SSL *ssl = coap_session_get_tls(session, &library);
    int r;

    if (job->handshake.failure.code != 0)
        return fail(exchange, target, failure);
    if (!ssl || library != COAP_TLS_LIBRARY_OPENSSL || !handshake_check(ssl, &job->handshake))
        return failure_set(failure, HTTP_E_TLS, "%.200s is not asked: it has not proved who it is",
                           target->host);
    if (job->exporter_label[0] == '\0')
        return 0;
    r = handshake_exporter(ssl, job->exporter_label, exchange->result->exporter);
    exchange->result->has_exporter = r == 0;
    if (r == 0)
        return 0;
    return failure_set(failure, r,
                       "%.200s is not asked: there is no exporter of its DTLS that "
                       "can be trusted (RFC 7627)",
                       target->host);
}

static int converse(struct exchange *exchange, coap_context_t *context, coap_session_t *session,
                    const struct target *target, struct failure *failure) {
    struct http_job *job = exchange->job;
    uint64_t began = now_usec();
    int r;

    wait_for(context, exchange, &exchange->connected,
             began + job->connect_timeout_msec * USEC_PER_MSEC);
    if (!exchange->connected || exchange->failed)
        return fail(exchange, target, failure);
    r = check_connection(exchange, session, target, failure);
    if (r != 0)
        return r;
    if (!send_request(session, job, target))
        return failure_set(failure, HTTP_E_HELPER, "the request cannot be written as CoAP");
    wait_for(context, exchange, &exchange->answered,
             began + job->request_timeout_msec * USEC_PER_MSEC);
    if (!exchange->answered)
        return fail(exchange, target, failure);
    if (exchange->result->refused)
        return failure_set(failure, HTTP_E_TOO_LARGE, "%.200s answered more than we take",
                           target->host);
    return 0;
}

static void forget_result(struct http_result *result) {
    secret_erase(result, sizeof(*result));
}

int coap_fetch(struct http_job *job, struct http_result *ret, struct failure *failure) {
    struct exchange exchange = {.job = job, .result = ret};
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .pki_key = {.key_type = COAP_PKI_KEY_PEM},
    };
    coap_context_t *context;
    coap_session_t *session;
    coap_address_t address;
    struct target target;
    int r;

    forget_result(ret);
    if (!job->handshake.wanted || !parse_target(job, &target))
        return failure_set(failure, HTTP_E_HELPER, "keystrap-coap asks by coaps:// alone");
    r = resolve(&target, &address, failure);
    if (r != 0)
        return r;
    pki.client_sni = target.host;
    context = new_context(&exchange);
    if (!context)
        return failure_set(failure, HTTP_E_HELPER, "keystrap-coap cannot begin: %s",
                           strerrordesc_np(errno));
    coap_set_app_data(context, &exchange);
    coap_context_set_block_mode(context, COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
    coap_register_option(context, OPTION_NUMBER);
    coap_register_option(context, OPTION_RSC);
    coap_register_response_handler(context, on_answer);
    coap_register_event_handler(context, on_event);
    coap_register_nack_handler(context, on_nack);
    session = coap_new_client_session_pki(context, NULL, &address, COAP_PROTO_DTLS, &pki);
    if (session)
        r = converse(&exchange, context, session, &target, failure);
    else
        r = fail(&exchange, &target, failure);
    if (session)
        coap_session_release(session);
    coap_free_context(context);
    return r;
}
