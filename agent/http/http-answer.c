/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Answers of keystrap-http.
 *
 * The program reads what strangers send, and a stranger may have taken it over: keystrapd holds what it says
 * against every limit once more.
 */

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http-answer.h"
#include "http-protocol.h"
#include "util.h"

void http_response_done(struct http_response *response) {
    for (size_t i = 0; i < response->fields_count; i++) {
        free(response->fields[i].name);
        free(response->fields[i].value);
    }
    free(response->fields);
    free(response->body);
    (void)secret_free(response->secret_body);
    (void)secret_free(response->exporter);
    *response = (struct http_response){0};
}

const char *http_response_field(const struct http_response *response, const char *name,
                                size_t nth) {
    for (size_t i = 0; i < response->fields_count; i++)
        if (strcasecmp(response->fields[i].name, name) == 0 && nth-- == 0)
            return response->fields[i].value;
    return NULL;
}

static bool is_clean(const uint8_t *octets, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((octets[i] < 0x20 && octets[i] != '\t') || octets[i] == 0x7f)
            return false;
    return true;
}

static int append_field(struct http_response *response, const uint8_t *name, size_t name_length,
                        const uint8_t *value, size_t value_length) {
    struct http_field *fields, field;

    fields = reallocarray(response->fields, response->fields_count + 1, sizeof(*response->fields));
    if (!fields)
        return -ENOMEM;
    response->fields = fields;
    field.name = strndup((const char *)name, name_length);
    field.value = strndup((const char *)value, value_length);
    if (!field.name || !field.value) {
        free(field.name);
        free(field.value);
        return -ENOMEM;
    }
    fields[response->fields_count++] = field;
    return 0;
}

int http_answer_field(struct http_response *response, size_t *size, const struct packet *packet) {
    const uint8_t *name, *value;
    size_t name_length, value_length;

    if (!packet_get(packet, HTTP_FIELD_NAME, &name, &name_length) || name_length == 0 ||
        !packet_get(packet, HTTP_FIELD_VALUE, &value, &value_length) ||
        !text_is_plain((const char *)name, name_length) || !is_clean(value, value_length))
        return -EBADMSG;
    *size += name_length + value_length;
    if (name_length + value_length > HTTP_HEADER_MAX || *size > HTTP_HEADERS_SIZE_MAX ||
        response->fields_count == HTTP_HEADERS_MAX)
        return -EBADMSG;
    return append_field(response, name, name_length, value, value_length);
}

static int take_exporter(struct http_response *response, const struct packet *packet) {
    const uint8_t *exporter;
    size_t length;

    if (!packet_get(packet, HTTP_FIELD_EXPORTER, &exporter, &length))
        return 0;
    if (length != TLS_EXPORTER_LENGTH || response->exporter)
        return -EBADMSG;
    return secret_new_copy(exporter, length, &response->exporter);
}

static int take_body(struct http_response *response, const uint8_t *body, size_t length,
                     bool secret) {
    if (secret && length > SECRET_LENGTH_MAX)
        return -EFBIG;
    if (secret)
        return length > 0 ? secret_new_copy(body, length, &response->secret_body) : 0;
    response->body = malloc(length + 1);
    if (!response->body)
        return -ENOMEM;
    memcpy(response->body, body, length);
    response->body[length] = '\0';
    response->body_length = length;
    return 0;
}

int http_answer_end(struct http_response *response, const struct packet *packet, bool secret) {
    const uint8_t *body;
    uint32_t status;
    size_t length;
    int r;

    if (!packet_get_u32(packet, HTTP_FIELD_STATUS, &status) || status < 100 || status > 599 ||
        !packet_get(packet, HTTP_FIELD_BODY, &body, &length) || length > HTTP_BODY_MAX)
        return -EBADMSG;
    r = take_exporter(response, packet);
    if (r == 0)
        r = take_body(response, body, length, secret);
    if (r < 0)
        return r;
    response->status = status;
    return 0;
}

int http_answer_failure(const struct packet *packet, struct failure *failure) {
    char text[FAILURE_TEXT_MAX];
    uint32_t outcome;

    if (!packet_get_u32(packet, HTTP_FIELD_OUTCOME, &outcome) ||
        !packet_get_text(packet, HTTP_FIELD_TEXT, text, sizeof(text)))
        return -EBADMSG;
    if ((outcome < HTTP_E_RESOLVE || outcome > HTTP_E_MASTER_SECRET) &&
        (outcome < PEER_E_EXPIRED || outcome > PEER_E_MALFORMED))
        return -EBADMSG;
    return failure_set(failure, (int)outcome, "%s", text);
}
