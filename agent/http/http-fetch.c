/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One GET.
 *
 * libcurl does the work and is told to do no more than it must: http and https, HTTP/1.1, no redirect, no
 * proxy, no cookie, no credential, no compression. What arrives is counted while it arrives, so that a server that
 * never ends its answer costs a few tens of kilobytes and its deadline.
 */

#include <string.h>

#include "http-fetch.h"
#include "http-tls.h"
#include "secret.h"
#include "util.h"

/* Ends the transfer: libcurl takes any count but the one offered as an error. */
static size_t refuse(struct http_result *result, enum http_outcome outcome, const char *why) {
    result->refused = outcome;
    result->refused_why = why;
    return 0;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A field name is a token (RFC 9110 5.6.2); a line that begins with a space is an obsolete fold and refused too. */
static bool name_is_valid(const char *name, size_t length) {
    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] <= 0x20 || name[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", name[i]))
            return false;
    return true;
}

/* Tabs and octets beyond ASCII are tolerated in a value, control characters are not. */
static bool value_is_valid(const char *value, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return false;
    return true;
}

static size_t keep_field(struct http_result *result, const char *line, size_t size) {
    const char *colon = memchr(line, ':', size), *value, *end = line + size;
    size_t start = result->lines_length;

    if (!colon || !name_is_valid(line, (size_t)(colon - line)))
        return refuse(result, HTTP_E_PROTOCOL, "a malformed header field");
    for (value = colon + 1; value < end && is_space(*value); value++)
        ;
    while (end > value && is_space(end[-1]))
        end--;
    if (!value_is_valid(value, (size_t)(end - value)))
        return refuse(result, HTTP_E_PROTOCOL, "control characters in a header field");
    if (size > HTTP_HEADER_MAX || size > sizeof(result->lines) - start)
        return refuse(result, HTTP_E_TOO_LARGE, "header fields that are too long");
    if (result->fields_count == HTTP_HEADERS_MAX)
        return refuse(result, HTTP_E_TOO_LARGE, "too many header fields");

    memcpy(result->lines + start, line, size);
    result->lines_length += size;
    result->fields[result->fields_count++] =
        (struct http_line){.name = start,
                           .name_length = (size_t)(colon - line),
                           .value = start + (size_t)(value - line),
                           .value_length = (size_t)(end - value)};
    return size;
}

/* Called for the status line, for each header field and for the empty line; and again for interim answers. */
static size_t on_header(char *line, size_t one, size_t size, void *data) {
    struct http_result *result = data;

    (void)one;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        result->fields_count = 0;
        result->lines_length = 0;
        return size;
    }
    if (size <= 2 && is_space(line[0]))
        return size;
    return keep_field(result, line, size);
}

static size_t on_body(char *octets, size_t one, size_t size, void *data) {
    struct http_result *result = data;

    (void)one;
    if (size > sizeof(result->body) - result->body_length)
        return refuse(result, HTTP_E_TOO_LARGE, "a body that is too long");
    memcpy(result->body + result->body_length, octets, size);
    result->body_length += size;
    return size;
}

static void list_free(struct curl_slist **list) {
    curl_slist_free_all(*list);
}

static void set_limits(CURL *easy, const struct http_job *job) {
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTP_BODY_MAX);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)HTTP_BODY_MAX);
    curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)job->request_timeout_msec);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)job->connect_timeout_msec);
}

static void set_method(CURL *easy, const struct http_job *job) {
    static const char *const names[] = {
        [HTTP_GET] = NULL, [HTTP_POST] = NULL, [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE"};

    if (job->has_body || job->method == HTTP_POST) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)job->body_length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->body);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, names[job->method]);
}

static void set_request(CURL *easy, const struct http_job *job, struct curl_slist *connect_to,
                        struct curl_slist *headers, struct http_result *result, char *error) {
    curl_easy_setopt(easy, CURLOPT_URL, job->url);
    set_method(easy, job);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (job->user_agent[0])
        curl_easy_setopt(easy, CURLOPT_USERAGENT, job->user_agent);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, result);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, result);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
}

/* How far a transfer came that ran out of time. */
static enum http_outcome timeout_outcome(CURL *easy) {
    curl_off_t resolved = 0, connected = 0, pretransfer = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    (void)curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
    (void)curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
    if (connected > 0 || pretransfer > 0)
        return HTTP_E_TIMEOUT;
    return resolved > 0 ? HTTP_E_CONNECT : HTTP_E_RESOLVE;
}

/* libcurl has a hundred codes; those that no GET of ours yields mean a broken conversation. */
static enum http_outcome code_outcome(CURL *easy, CURLcode code) {
    static const struct {
        CURLcode code;
        enum http_outcome outcome;
    } table[] = {
        {CURLE_COULDNT_RESOLVE_HOST, HTTP_E_RESOLVE},
        {CURLE_COULDNT_CONNECT, HTTP_E_CONNECT},
        {CURLE_INTERFACE_FAILED, HTTP_E_CONNECT},
        {CURLE_SSL_CONNECT_ERROR, HTTP_E_TLS},
        {CURLE_SSL_ENGINE_NOTFOUND, HTTP_E_TLS},
        {CURLE_SSL_CERTPROBLEM, HTTP_E_TLS},
        {CURLE_SSL_CIPHER, HTTP_E_TLS},
        {CURLE_PEER_FAILED_VERIFICATION, HTTP_E_TLS},
        {CURLE_SSL_CACERT_BADFILE, HTTP_E_TLS},
        {CURLE_SSL_ISSUER_ERROR, HTTP_E_TLS},
        {CURLE_SSL_INVALIDCERTSTATUS, HTTP_E_TLS},
        {CURLE_FILESIZE_EXCEEDED, HTTP_E_TOO_LARGE},
        /* libcurl's own bound of a line that does not end, before any callback sees it */
        {CURLE_OUT_OF_MEMORY, HTTP_E_TOO_LARGE},
    };

    if (code == CURLE_OPERATION_TIMEDOUT)
        return timeout_outcome(easy);
    for (size_t i = 0; i < ELEMENTS(table); i++)
        if (table[i].code == code)
            return table[i].outcome;
    return HTTP_E_PROTOCOL;
}

/* "bsf.example.org:8080", or "... (at 192.0.2.1:80)" where the operator says where to connect. */
static void describe_peer(const struct http_job *job, char *ret, size_t size) {
    const char *start = strstr(job->url, "://"), *host = start ? start + 3 : job->url;
    int length = (int)strcspn(host, "/?#");
    const char *at = memrchr(host, '@', (size_t)length);

    if (at) {
        length -= (int)(at + 1 - host);
        host = at + 1;
    }
    if (length > (int)FQDN_MAX + 16)
        length = (int)FQDN_MAX + 16;
    if (job->connect_to[0])
        (void)snprintf(ret, size, "%.*s (at %s)", length, host, job->connect_to);
    else
        (void)snprintf(ret, size, "%.*s", length, host);
}

static const char *outcome_words(enum http_outcome outcome) {
    switch (outcome) {
    case HTTP_E_RESOLVE:
        return "has no address";
    case HTTP_E_CONNECT:
        return "cannot be reached";
    case HTTP_E_TIMEOUT:
        return "did not answer in time";
    case HTTP_E_TLS: /* these have words of their own */
    case HTTP_E_CREDENTIAL:
    case HTTP_E_PSK:
    case HTTP_E_OWN_CERTIFICATE:
    case HTTP_E_OWN_EXPIRED:
        return "";
    case HTTP_E_MASTER_SECRET:
        return "is not asked";
    case HTTP_E_PROTOCOL:
        return "did not answer as HTTP says";
    case HTTP_E_TOO_LARGE:
        return "answered more than we take";
    case HTTP_E_HELPER:
        return "was not asked";
    }
    return "";
}

static int fail(CURL *easy, const struct http_job *job, const struct http_result *result,
                CURLcode code, const char *error, struct failure *failure) {
    enum http_outcome outcome = result->refused;
    const char *why = result->refused_why;
    char peer[2 * FQDN_MAX + 64];

    if (!outcome) {
        outcome = code_outcome(easy, code);
        why = error[0] ? error : curl_easy_strerror(code);
    }
    describe_peer(job, peer, sizeof(peer));
    if (job->handshake.wanted &&
        (outcome == HTTP_E_TLS || job->handshake.failure.code != 0 || job->handshake.alert >= 0))
        return handshake_fail(&job->handshake, peer, why, failure);
    if (outcome == HTTP_E_TLS)
        return http_tls_fail(easy, job, code, peer, why, failure);
    return failure_set(failure, (int)outcome, "%.200s %s: %s", peer, outcome_words(outcome), why);
}

/* A kept connection may have been closed by the server at any time; that alone is no failure. */
static bool was_stale(CURL *easy, const struct http_result *result, CURLcode code) {
    long connects = 1;

    if (code != CURLE_GOT_NOTHING && code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR)
        return false;
    (void)curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0 && result->lines_length == 0;
}

static void forget_result(struct http_result *result) {
    result->status = 0;
    result->lines_length = result->fields_count = result->body_length = 0;
    result->refused = (enum http_outcome)0;
    result->refused_why = NULL;
    secret_erase(result->exporter, sizeof(result->exporter));
    result->has_exporter = false;
}

static bool make_headers(const struct http_job *job, struct curl_slist **ret) {
    const char *line = NULL;

    while ((line = http_next_header(job, line))) {
        struct curl_slist *longer = curl_slist_append(*ret, line);

        if (!longer)
            return false;
        *ret = longer;
    }
    return true;
}

int http_fetch(CURL *easy, struct http_job *job, struct http_result *ret, struct failure *failure) {
    _cleanup_(list_free) struct curl_slist *connect_to = NULL, *headers = NULL;
    struct http_exchange exchange = {easy, job, &job->handshake, ret};
    char error[CURL_ERROR_SIZE] = "", target[sizeof(job->connect_to) + 2];
    CURLcode code;

    if (job->connect_to[0]) {
        (void)snprintf(target, sizeof(target), "::%s", job->connect_to);
        connect_to = curl_slist_append(NULL, target);
        if (!connect_to)
            return failure_set(failure, HTTP_E_HELPER, "keystrap-http has no memory");
    }
    if (!make_headers(job, &headers))
        return failure_set(failure, HTTP_E_HELPER, "keystrap-http has no memory");
    curl_easy_reset(easy);
    set_limits(easy, job);
    http_tls_set(easy, job, &exchange);
    set_request(easy, job, connect_to, headers, ret, error);

    forget_result(ret);
    code = curl_easy_perform(easy);
    if (was_stale(easy, ret, code)) {
        forget_result(ret);
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        code = curl_easy_perform(easy);
    }
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ret->status);
    if (code == CURLE_OK && (ret->status < 100 || ret->status > 599))
        (void)refuse(ret, HTTP_E_PROTOCOL, "a status that HTTP does not know");
    return code == CURLE_OK && !ret->refused ? 0 : fail(easy, job, ret, code, error, failure);
}
