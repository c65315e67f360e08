/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One request to a MEF and its answer.
 *
 * The oneM2M fields are the same over HTTP and CoAP; the program that speaks CoAP makes options of them. An answer is
 * held against the request: status, response status code, request number, and that it is JSON, before a word of it is
 * used.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "mef-names.h"
#include "mef-request.h"
#include "secure-json.h"
#include "util.h"

#define HEADER_SIZE (ENTITY_ID_MAX + 32)

/* --- Words ------------------------------------------------------------------------------------------ */

int mef_malformed(const struct mef_client *client, const char *what, struct failure *failure) {
    return failure_set(failure, MEF_E_MALFORMED,
                       "the answer of the MEF %s is not what docs/MEF.md says: %s",
                       client->profile->mef_fqdn, what);
}

const char *mef_admin_fqdn(const struct mef_client *client) {
    return client->profile->admin_fqdn ? client->profile->admin_fqdn : client->profile->mef_fqdn;
}

const json_t *mef_open(const json_t *answer, const char *name) {
    const json_t *value = json_object_get(answer, name);

    return json_is_object(value) ? value : NULL;
}

json_t *mef_wrap(const char *name, json_t *object) {
    json_t *wrapped = json_object();

    if (!object || !wrapped || json_object_set_new(wrapped, name, object) < 0) {
        json_decref(wrapped);
        return NULL;
    }
    return wrapped;
}

bool mef_get_text(const json_t *object, const char *name, char *ret, size_t size) {
    const char *text = secure_json_text(object, name);

    if (!text || text[0] == '\0' || strlen(text) >= size || strchr(text, ' ') ||
        !text_is_plain(text, strlen(text)))
        return false;
    (void)strcpy(ret, text);
    return true;
}

bool mef_get_number(const json_t *object, const char *name, unsigned max, unsigned *ret) {
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;

    if (number < 0 || number > (json_int_t)max)
        return false;
    *ret = (unsigned)number;
    return true;
}

int mef_get_expiration(const struct mef_client *client, const json_t *object, int64_t *ret,
                       struct failure *failure) {
    const char *text = secure_json_text(object, MEF_ATTR_EXPIRATION);
    int64_t when;

    if (!text || onem2m_timestamp_parse(text, &when) < 0)
        return mef_malformed(client, "no expirationTime", failure);
    if (when <= client->io->now(client->io->userdata))
        return failure_set(failure, MEF_E_LIFETIME,
                           "what the MEF %s gave has ended already: expirationTime is %s",
                           client->profile->mef_fqdn, text);
    *ret = when;
    return 0;
}

int mef_get_key(const json_t *object, const char *name, struct secret **ret) {
    const char *text = secure_json_text(object, name);
    struct secret *key;
    size_t length;
    int r;

    if (!text || strlen(text) != 44)
        return -EINVAL;
    r = secret_new(KE_LENGTH, &key);
    if (r < 0)
        return r;
    r = base64_decode(text, strlen(text), secret_data_mutable(key), KE_LENGTH, &length);
    if (r < 0 || length != KE_LENGTH) {
        secret_free(key);
        return -EINVAL;
    }
    *ret = key;
    return 0;
}

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
    const char *media = coap ? "application/json" : "application/vnd.onem2m-res+json";
    size_t n = 0;

    client->request_number++;
    (void)snprintf(ret->origin, sizeof(ret->origin), "X-M2M-Origin: %s", client->profile->identity);
    (void)snprintf(ret->number, sizeof(ret->number), "X-M2M-RI: %u", client->request_number);
    ret->lines[n++] = ret->origin;
    ret->lines[n++] = ret->number;
    ret->lines[n++] = "X-M2M-RVI: 3";
    ret->lines[n++] = coap ? "Accept: application/json" : "Accept: application/vnd.onem2m-res+json";
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
    if (status == 403 && strncmp(words, MEF_ATTR_TOKEN, strlen(MEF_ATTR_TOKEN)) == 0)
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

static int check_answer(struct mef_client *client, const struct mef_request *request,
                        const struct http_response *response, struct failure *failure) {
    unsigned rsc = field_number(response, "X-M2M-RSC");
    unsigned number = field_number(response, "X-M2M-RI");

    if (response->status >= 400)
        return refuse(client, response, rsc, failure);
    if (response->status < 200 || response->status > 299)
        return mef_malformed(client, "a status that means neither yes nor no", failure);
    if (rsc != request->rsc)
        return mef_malformed(client, "another response status code (X-M2M-RSC)", failure);
    if (number != client->request_number)
        return mef_malformed(client, "the number of another request (X-M2M-RI)", failure);
    return 0;
}

static bool is_json(const struct http_response *response) {
    const char *type = http_response_field(response, "Content-Type", 0);

    if (!type)
        return false;
    return strncasecmp(type, "application/json", 16) == 0 ||
           strncasecmp(type, "application/vnd.onem2m-res+json", 31) == 0;
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
