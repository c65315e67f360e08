/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One request to a MEF and its answer.
 *
 * The oneM2M fields are the same over HTTP and CoAP; the program that speaks CoAP makes options of them. An answer is
 * held against the request: status, response status code, request number, and that it is JSON, before a word of it is
 * used.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mef-names.h"
#include "mef-request.h"
#include "secure-json.h"
#include "util.h"

#define HEADER_SIZE (ENTITY_ID_MAX + 32)

/* --- The request ------------------------------------------------------------------------------------ */

static int make_url(const struct mef_client *client, const char *path, char ret[HTTP_URL_MAX + 1]) {
    const char *mef = client->profile->mef, *host = mef + strlen("https://");
    size_t length = strlen(mef);
    const char *slash = "/";
    int n;

    if (path[0] == '/') {
        length = (size_t)(strchrnul(host, '/') - mef);
        slash = "";
    } else if (mef[length - 1] == '/') {
        slash = "";
    }
    n = snprintf(ret, HTTP_URL_MAX + 1, "%.*s%s%s", (int)length, mef, slash, path);
    return n >= 0 && (size_t)n <= HTTP_URL_MAX ? 0 : -EINVAL;
}

struct headers {
    char origin[HEADER_SIZE], number[HEADER_SIZE], content[96];
    const char *lines[6];
};

static void make_headers(struct mef_client *client, const struct mef_request *request,
                         struct headers *ret) {
    bool coap = strncmp(client->profile->mef, "coaps:", 6) == 0;
    const char *media = coap ? MEF_MEDIA_COAP : MEF_MEDIA_HTTP;
    size_t n = 0;

    client->request_number++;
    (void)snprintf(ret->origin, sizeof(ret->origin), MEF_FIELD_ORIGIN ": %s",
                   client->profile->identity);
    (void)snprintf(ret->number, sizeof(ret->number), MEF_FIELD_NUMBER ": %u",
                   client->request_number);
    ret->lines[n++] = ret->origin;
    ret->lines[n++] = ret->number;
    ret->lines[n++] = MEF_FIELD_RELEASE ": " MEF_RELEASE;
    ret->lines[n++] = coap ? "Accept: " MEF_MEDIA_COAP : "Accept: " MEF_MEDIA_HTTP;
    if (request->type > 0)
        (void)snprintf(ret->content, sizeof(ret->content), "Content-Type: %s;ty=%u", media,
                       request->type);
    else
        (void)snprintf(ret->content, sizeof(ret->content), "Content-Type: %s", media);
    if (request->body)
        ret->lines[n++] = ret->content;
    ret->lines[n] = NULL;
}

/* --- The answer ------------------------------------------------------------------------------------- */

static unsigned field_number(const struct http_response *response, const char *name) {
    const char *text = http_response_field(response, name, 0);
    size_t length = text ? strspn(text, "0123456789") : 0;

    return length > 0 && length < 9 && text[length] == '\0' ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static int read_body(const struct http_response *response, json_t **ret) {
    if (!response->secret_body)
        return -ENOENT;
    return secure_json_parse(secret_data(response->secret_body),
                             secret_length(response->secret_body), MEF_BODY_MAX, ret);
}

static int outcome_of(unsigned status, unsigned rsc, const char *words) {
    if (rsc == MEF_RSC_TOKEN && strncmp(words, MEF_ATTR_TOKEN, strlen(MEF_ATTR_TOKEN)) == 0)
        return MEF_E_TOKEN;
    if (rsc == MEF_RSC_CONFLICT || status == 409)
        return MEF_E_CONFLICT;
    if (status == 404 || rsc == MEF_RSC_NOT_FOUND)
        return MEF_E_UNKNOWN;
    if (status == 429 || status >= 500)
        return MEF_E_BUSY;
    return status == 401 || status == 403 ? MEF_E_REFUSED : MEF_E_MALFORMED;
}

/* What the MEF says is somebody else's words: short, and one line (failure_set() sees to that). */
static int refuse(struct mef_client *client, const struct http_response *response, unsigned rsc,
                  struct failure *failure) {
    _cleanup_json_ json_t *body = NULL;
    unsigned wait = field_number(response, "Retry-After");
    const char *words = NULL;
    int outcome;

    if (read_body(response, &body) == 0)
        words = secure_json_text(body, MEF_ATTR_ERROR);
    outcome = outcome_of(response->status, rsc, words ? words : "");
    if (outcome == MEF_E_BUSY)
        client->retry_after_usec =
            (wait < RETRY_AFTER_MAX_SEC ? wait : RETRY_AFTER_MAX_SEC) * USEC_PER_SEC;
    return failure_set(failure, outcome, "the MEF %s answers %u (%u): %.160s",
                       client->profile->mef_fqdn, response->status, rsc,
                       words ? words : "no words");
}

/* A refusal may come from something in front of the MEF that knows no numbers; with a number it must be ours. */
static int check_number(const struct mef_client *client, const struct http_response *response,
                        struct failure *failure) {
    bool needed = response->status < 400;

    if (!needed && !http_response_field(response, MEF_FIELD_NUMBER, 0))
        return 0;
    return field_number(response, MEF_FIELD_NUMBER) == client->request_number
               ? 0
               : mef_malformed(client, "the number of another request (" MEF_FIELD_NUMBER ")",
                               failure);
}

static int check_answer(struct mef_client *client, const struct mef_request *request,
                        const struct http_response *response, struct failure *failure) {
    unsigned rsc = field_number(response, MEF_FIELD_RSC);
    int r;

    r = check_number(client, response, failure);
    if (r != 0)
        return r;
    if (response->status >= 400)
        return refuse(client, response, rsc, failure);
    if (response->status < 200 || response->status > 299)
        return mef_malformed(client, "a status that means neither yes nor no", failure);
    return rsc == request->rsc
               ? 0
               : mef_malformed(client, "another response status code (" MEF_FIELD_RSC ")", failure);
}

static bool is_media(const char *type, const char *media) {
    size_t length = strlen(media);

    return strncasecmp(type, media, length) == 0 &&
           (type[length] == '\0' || strchr("; \t", type[length]));
}

static bool is_json(const struct http_response *response) {
    const char *type = http_response_field(response, "Content-Type", 0);

    return type && (is_media(type, MEF_MEDIA_COAP) || is_media(type, MEF_MEDIA_HTTP));
}

static int take_answer(struct mef_client *client, const struct http_response *response,
                       json_t **ret, struct failure *failure) {
    int r;

    if (!ret)
        return 0;
    if (!is_json(response))
        return mef_malformed(client, "no JSON by its Content-Type", failure);
    r = read_body(response, ret);
    return r == 0 || r == -ENOMEM ? r : mef_malformed(client, "no JSON object", failure);
}

int mef_ask(struct mef_client *client, const struct mef_request *request, json_t **ret,
            struct secret **ret_exporter, struct failure *failure) {
    _cleanup_http_response_ struct http_response response = {0};
    _cleanup_secret_ struct secret *body = NULL;
    char url[HTTP_URL_MAX + 1];
    struct headers headers;
    struct http_request http = {
        .method = request->method,
        .url = url,
        .handshake = client->handshake,
        .fresh = request->exporter,
        .secret_body = true,
        .connect_to = client->profile->connect_to,
        .headers = headers.lines,
        .exporter_label = request->exporter ? ONEM2M_EXPORTER_LABEL : NULL,
        .connect_timeout_usec = client->profile->connect_timeout_usec,
        .request_timeout_usec = client->profile->request_timeout_usec,
    };
    int r;

    client->retry_after_usec = 0;
    r = make_url(client, request->path, url);
    if (r == 0 && request->body)
        r = secure_json_print(request->body, &body);
    if (r < 0)
        return r;
    make_headers(client, request, &headers);
    if (body) {
        http.body = secret_data(body);
        http.body_length = secret_length(body);
    }
    r = client->io->ask(client->io->userdata, &http, &response, failure);
    if (r == 0)
        r = check_answer(client, request, &response, failure);
    if (r == 0 && request->exporter && !response.exporter)
        return mef_malformed(client, "no exporter of its connection", failure);
    if (r == 0)
        r = take_answer(client, &response, ret, failure);
    if (r == 0 && ret_exporter)
        *ret_exporter = TAKE_PTR(response.exporter);
    return r;
}
