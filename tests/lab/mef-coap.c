/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MEF's CoAP server (RFC 7252): requests and their piggybacked responses, in one datagram each.
 *
 * libcoap reads messages and writes options. Block-wise transfer (RFC 7959) is left out: nothing that a MEF says needs
 * more than a datagram.
 */

#include "mef-coap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coap3/coap.h>

#define OPTION_FROM    256u
#define OPTION_NUMBER  257u
#define OPTION_RSC     265u
#define OPTION_TYPE    267u
#define OPTION_RELEASE 271u

#define COAP_VERSION   1u
#define HEADER_LENGTH  4u
#define PAYLOAD_MARKER 0xffu
#define GARBAGE        0xb7 /* an octet that begins no message */

struct mef_coap {
    struct mef_coap_options options;
    struct mef_dtls *dtls;
};

/* The last exchange with a client: what it sends again is answered again, and handled once (RFC 7252 4.5). */
struct coap_peer {
    bool answered, lost;
    coap_mid_t mid;
    uint16_t own_mid;
    size_t length;
    uint8_t answer[MEF_DTLS_DATAGRAM_MAX];
};

bool mef_coap_exporter(gnutls_session_t session, const char *label,
                       uint8_t ret[MEF_COAP_EXPORTER_LENGTH]) {
    return gnutls_session_ext_master_secret_status(session) &&
           gnutls_prf_rfc5705(session, strlen(label), label, 0, NULL, MEF_COAP_EXPORTER_LENGTH,
                              (char *)ret) == 0;
}

/* --- Requests ----------------------------------------------------------------------------------- */

static bool option_text(const coap_pdu_t *pdu, coap_option_num_t number,
                        char ret[MEF_COAP_TEXT_MAX]) {
    coap_opt_iterator_t iterator;
    const coap_opt_t *option = coap_check_option(pdu, number, &iterator);
    size_t length;

    ret[0] = '\0';
    if (!option)
        return true;
    length = coap_opt_length(option);
    if (length >= MEF_COAP_TEXT_MAX || (length > 0 && memchr(coap_opt_value(option), '\0', length)))
        return false;
    if (length > 0)
        memcpy(ret, coap_opt_value(option), length);
    ret[length] = '\0';
    return true;
}

static long option_number(const coap_pdu_t *pdu, coap_option_num_t number) {
    coap_opt_iterator_t iterator;
    const coap_opt_t *option = coap_check_option(pdu, number, &iterator);

    if (!option || coap_opt_length(option) > 4)
        return -1;
    return (long)coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
}

static const char *method_of(const coap_pdu_t *request) {
    static const char *const names[] = {"", "GET", "POST", "PUT", "DELETE"};
    size_t code = coap_pdu_get_code(request);

    return code < sizeof(names) / sizeof(names[0]) ? names[code] : "";
}

/* Whether a critical option (RFC 7252 5.4.1) is there that nobody here knows. */
static bool has_unknown_option(const coap_pdu_t *request) {
    static const coap_option_num_t known[] = {
        COAP_OPTION_URI_HOST, COAP_OPTION_URI_PORT, COAP_OPTION_URI_PATH, COAP_OPTION_URI_QUERY,
        COAP_OPTION_ACCEPT,   OPTION_NUMBER,        OPTION_TYPE,          OPTION_RELEASE,
    };
    coap_opt_iterator_t iterator;

    coap_option_iterator_init(request, &iterator, COAP_OPT_ALL);
    while (coap_option_next(&iterator)) {
        bool found = iterator.number % 2 == 0;

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !found; i++)
            found = known[i] == iterator.number;
        if (!found)
            return true;
    }
    return false;
}

static bool read_path(const coap_pdu_t *request, char ret[MEF_COAP_PATH_MAX]) {
    coap_string_t *path = coap_get_uri_path(request);
    bool fits = !path || path->length + 2 <= MEF_COAP_PATH_MAX;

    if (fits)
        (void)snprintf(ret, MEF_COAP_PATH_MAX, "/%.*s", path ? (int)path->length : 0,
                       path ? (const char *)path->s : "");
    coap_delete_string(path);
    return fits;
}

static int handle(const struct mef_coap *coap, gnutls_session_t session, const coap_pdu_t *pdu,
                  struct mef_coap_reply *reply) {
    char path[MEF_COAP_PATH_MAX], from[MEF_COAP_TEXT_MAX], number[MEF_COAP_TEXT_MAX],
        release[MEF_COAP_TEXT_MAX];
    struct mef_coap_request request = {
        .session = session,
        .method = method_of(pdu),
        .path = path,
        .from = from,
        .number = number,
        .release = release,
        .type = option_number(pdu, OPTION_TYPE),
        .format = option_number(pdu, COAP_OPTION_CONTENT_FORMAT),
    };

    reply->status = 400;
    if (!read_path(pdu, path) || !option_text(pdu, OPTION_FROM, from) ||
        !option_text(pdu, OPTION_NUMBER, number) || !option_text(pdu, OPTION_RELEASE, release))
        return 0;
    reply->status = 402; /* Bad Option */
    if (has_unknown_option(pdu))
        return 0;
    reply->status = 0;
    (void)coap_get_data(pdu, &request.body_length, &request.body);
    return coap->options.handler(&request, reply, coap->options.userdata);
}

/* --- Answers ------------------------------------------------------------------------------------ */

struct writer {
    uint8_t *octets;
    size_t length;
    uint16_t last; /* number of the last option */
};

/* Options come in the order of their numbers. */
static bool put_option(struct writer *writer, uint16_t number, const uint8_t *value,
                       size_t length) {
    size_t n =
        coap_opt_encode(writer->octets + writer->length, MEF_DTLS_DATAGRAM_MAX - writer->length,
                        (uint16_t)(number - writer->last), value, length);

    writer->length += n;
    writer->last = number;
    return n > 0;
}

static bool put_number(struct writer *writer, uint16_t number, unsigned value) {
    uint8_t octets[4];

    return put_option(writer, number, octets, coap_encode_var_safe(octets, sizeof(octets), value));
}

/* What HTTP calls 200 has a code for each method (RFC 7252 5.9.1). */
static uint8_t code_of(unsigned status, const char *method) {
    if (status == 200 && strcmp(method, "GET") == 0)
        return COAP_RESPONSE_CODE_CONTENT;
    if (status == 200 && strcmp(method, "DELETE") == 0)
        return COAP_RESPONSE_CODE_DELETED;
    if (status == 200)
        return COAP_RESPONSE_CODE_CHANGED;
    return (uint8_t)COAP_RESPONSE_CODE(status);
}

static void put_header(struct writer *writer, coap_pdu_type_t type, uint8_t code, uint16_t mid,
                       coap_bin_const_t token) {
    writer->octets[0] = (uint8_t)(COAP_VERSION << 6 | (unsigned)type << 4 | token.length);
    writer->octets[1] = code;
    writer->octets[2] = (uint8_t)(mid >> 8);
    writer->octets[3] = (uint8_t)mid;
    if (token.length > 0)
        memcpy(writer->octets + HEADER_LENGTH, token.s, token.length);
    writer->length = HEADER_LENGTH + token.length;
}

static bool put_request_number(struct writer *writer, const coap_pdu_t *request,
                               const char *other) {
    coap_opt_iterator_t iterator;
    const coap_opt_t *number = coap_check_option(request, OPTION_NUMBER, &iterator);

    if (!number)
        return true;
    if (other)
        return put_option(writer, OPTION_NUMBER, (const uint8_t *)other, strlen(other));
    return put_option(writer, OPTION_NUMBER, coap_opt_value(number), coap_opt_length(number));
}

static bool put_answer(struct writer *writer, const coap_pdu_t *request,
                       const struct mef_coap_reply *reply) {
    if (reply->body && !put_number(writer, COAP_OPTION_CONTENT_FORMAT,
                                   reply->other_format ? COAP_MEDIATYPE_TEXT_PLAIN
                                                       : COAP_MEDIATYPE_APPLICATION_JSON))
        return false;
    if (reply->retry_after_sec > 0 &&
        !put_number(writer, COAP_OPTION_MAXAGE, reply->retry_after_sec))
        return false;
    if (!put_request_number(writer, request, reply->other_number))
        return false;
    if (reply->rsc > 0 && !put_number(writer, OPTION_RSC, reply->rsc))
        return false;
    if (!reply->body)
        return true;
    if (reply->body_length + 1 > MEF_DTLS_DATAGRAM_MAX - writer->length)
        return false;
    writer->octets[writer->length++] = PAYLOAD_MARKER;
    memcpy(writer->octets + writer->length, reply->body, reply->body_length);
    writer->length += reply->body_length;
    return true;
}

static size_t answer(const struct mef_coap *coap, gnutls_session_t session, struct coap_peer *peer,
                     const coap_pdu_t *request, uint8_t ret[MEF_DTLS_DATAGRAM_MAX]) {
    bool confirmable = coap_pdu_get_type(request) == COAP_MESSAGE_CON;
    uint16_t mid = confirmable ? (uint16_t)coap_pdu_get_mid(request) : ++peer->own_mid;
    coap_pdu_type_t type = confirmable ? COAP_MESSAGE_ACK : COAP_MESSAGE_NON;
    coap_bin_const_t token = coap_pdu_get_token(request);
    struct writer writer = {.octets = ret};
    struct mef_coap_reply reply = {0};
    int r = handle(coap, session, request, &reply);

    put_header(&writer, type,
               r < 0 ? COAP_RESPONSE_CODE_INTERNAL_ERROR
                     : code_of(reply.status, method_of(request)),
               mid, token);
    if (r == 0 && !put_answer(&writer, request, &reply)) {
        fprintf(stderr, "keystrap-lab mef: an answer does not fit into a datagram\n");
        writer = (struct writer){.octets = ret};
        put_header(&writer, type, COAP_RESPONSE_CODE_INTERNAL_ERROR, mid, token);
    }
    free(reply.body);
    if (reply.garbage)
        memset(ret, GARBAGE, writer.length);
    peer->lost = reply.lost;
    return reply.silent || reply.lost ? 0 : writer.length;
}

static size_t take_message(const struct mef_coap *coap, gnutls_session_t session,
                           struct coap_peer *peer, const coap_pdu_t *message,
                           uint8_t ret[MEF_DTLS_DATAGRAM_MAX]) {
    coap_pdu_type_t type = coap_pdu_get_type(message);
    coap_mid_t mid = coap_pdu_get_mid(message);

    if (type == COAP_MESSAGE_CON && coap_pdu_get_code(message) == COAP_EMPTY_CODE) { /* a ping */
        struct writer writer = {.octets = ret};

        put_header(&writer, COAP_MESSAGE_RST, 0, (uint16_t)mid, (coap_bin_const_t){0});
        return writer.length;
    }
    if ((type != COAP_MESSAGE_CON && type != COAP_MESSAGE_NON) || method_of(message)[0] == '\0')
        return 0;
    if (!peer->answered || peer->mid != mid) {
        peer->length = answer(coap, session, peer, message, peer->answer);
        peer->answered = peer->length > 0 || peer->lost;
        peer->mid = mid;
    }
    memcpy(ret, peer->answer, peer->length);
    return peer->length;
}

static size_t on_datagram(void *userdata, gnutls_session_t session, void *state,
                          const uint8_t *datagram, size_t length,
                          uint8_t ret[MEF_DTLS_DATAGRAM_MAX]) {
    const struct mef_coap *coap = userdata;
    coap_pdu_t *message = coap_pdu_init(COAP_MESSAGE_CON, 0, 0, MEF_DTLS_DATAGRAM_MAX);
    size_t n = 0;

    if (message && coap_pdu_parse(COAP_PROTO_UDP, datagram, length, message))
        n = take_message(coap, session, state, message, ret);
    coap_delete_pdu(message);
    return n;
}

/* --- Life --------------------------------------------------------------------------------------- */

static size_t on_identity(void *userdata, const char *identity, uint8_t ret[MEF_DTLS_KEY_MAX]) {
    const struct mef_coap *coap = userdata;

    return coap->options.psk(coap->options.userdata, identity, ret);
}

static bool on_certificate(void *userdata, const uint8_t *der, size_t length, bool trusted) {
    const struct mef_coap *coap = userdata;

    return coap->options.admits(coap->options.userdata, der, length, trusted);
}

int mef_coap_start(const struct mef_coap_options *options, struct mef_coap **ret) {
    struct mef_coap *coap = calloc(1, sizeof(*coap));
    const struct mef_dtls_options dtls = {
        .listen = options->listen,
        .priority = options->priority,
        .certificate = options->certificate,
        .key = options->key,
        .anchors = options->anchors,
        .ocsp = options->ocsp,
        .psk = on_identity,
        .admits = on_certificate,
        .serve = on_datagram,
        .peer_size = sizeof(struct coap_peer),
        .userdata = coap,
    };
    int r;

    if (!coap)
        return -ENOMEM;
    coap->options = *options;
    coap_startup();
    coap_set_log_level(LOG_EMERG);
    r = mef_dtls_start(&dtls, &coap->dtls);
    if (r < 0) {
        fprintf(stderr, "keystrap-lab mef: cannot serve coaps on %s: %s\n", options->listen,
                strerror(-r));
        (void)mef_coap_stop(coap);
        return r;
    }
    *ret = coap;
    return 0;
}

unsigned mef_coap_port(const struct mef_coap *coap) {
    return mef_dtls_port(coap->dtls);
}

void mef_coap_set_silent(struct mef_coap *coap, bool silent) {
    mef_dtls_set_silent(coap->dtls, silent);
}

struct mef_coap *mef_coap_stop(struct mef_coap *coap) {
    if (!coap)
        return NULL;
    (void)mef_dtls_stop(coap->dtls);
    coap_cleanup();
    free(coap);
    return NULL;
}
