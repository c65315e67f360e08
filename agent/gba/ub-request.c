/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One GET of a bootstrap, and what the BSF's status says where it ends the bootstrap (TS 24.109 4).
 *
 * What goes into the URL and the header comes from the configuration and from the card, so it is checked here once
 * more: a space or a line break would make a second request of it.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ub-internal.h"
#include "util.h"

#define PRINTABLE_MAX  128 /* of a text from the BSF that is shown to a user */
#define PATH_SHOWN_MAX 64

int ub_fail(struct ub_session *session, int code, const char *cause, const char *remedy) {
    return failure_set(session->failure, code, "BSF %.64s: %s%s%s", session->parameters->bsf, cause,
                       *remedy ? "; " : "", remedy);
}

/* --- Parameters ----------------------------------------------------------------------------------- */

/* A host name, an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(const char *text) {
    size_t length = strnlen(text, FQDN_MAX + 1);

    if (length == 0 || length > FQDN_MAX)
        return false;
    if (text[0] == '[')
        return strspn(text + 1, "0123456789abcdefABCDEF:.") == length - 2 &&
               text[length - 1] == ']';
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
           length;
}

static bool is_path(const char *text) {
    size_t length = strnlen(text, HTTP_URL_MAX + 1);

    return length <= HTTP_URL_MAX && text[0] == '/' && text_is_plain(text, length) &&
           strcspn(text, " \"#<>\\^`{|}") == length;
}

/* 1 to @max octets without control characters. */
static bool is_text(const char *text, size_t max) {
    size_t length = strnlen(text, max + 1);

    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return length > 0 && length <= max;
}

static bool is_header_list(const char *const *headers) {
    size_t count = 0;

    for (; headers && *headers; headers++)
        if (++count > HTTP_HEADERS_MAX || !is_text(*headers, HTTP_HEADER_MAX) ||
            !strchr(*headers, ':'))
            return false;
    return true;
}

static const char *parameters_wrong(const struct ub_parameters *p) {
    if (!is_host(p->bsf))
        return "its name is not a host name";
    if (!is_text(p->impi, IMPI_MAX))
        return "the private identity (IMPI) is empty, too long or has control characters";
    if (p->realm && !is_text(p->realm, REALM_MAX))
        return "the realm is empty, too long or has control characters";
    if (strcmp(p->scheme, "http") != 0 && strcmp(p->scheme, "https") != 0)
        return "the scheme is neither http nor https";
    if (!is_path(p->path))
        return "the path does not begin with / or has characters that no path has";
    if (!is_header_list(p->extra_headers))
        return "an extra header is not one line \"Name: value\"";
    return NULL;
}

int ub_session_init(struct ub_session *session, const struct ub_parameters *parameters,
                    const struct ub_ops *ops, void *userdata, uint64_t *ret_retry_after_usec,
                    struct failure *failure) {
    const char *wrong = parameters_wrong(parameters);
    char port[8] = "";
    int length;

    *session = (struct ub_session){
        .parameters = parameters,
        .ops = ops,
        .userdata = userdata,
        .ret_retry_after_usec = ret_retry_after_usec,
        .failure = failure,
    };
    if (wrong)
        return failure_set(failure, -EINVAL, "bootstrap not begun: %s; correct the configuration",
                           wrong);
    if (parameters->port != 0)
        (void)snprintf(port, sizeof(port), ":%u", (unsigned)parameters->port);
    length = snprintf(session->url, sizeof(session->url), "%s://%s%s%s", parameters->scheme,
                      parameters->bsf, port, parameters->path);
    if (length < 0 || (size_t)length >= sizeof(session->url))
        return failure_set(
            failure, -EINVAL,
            "bootstrap not begun: the BSF's URL is longer than %u octets; correct the "
            "configuration",
            HTTP_URL_MAX);
    return 0;
}

const char *ub_session_realm(const struct ub_session *session) {
    return session->parameters->realm ? session->parameters->realm : session->parameters->bsf;
}

/* --- One GET -------------------------------------------------------------------------------------- */

int ub_get(struct ub_session *session, const char *authorization, struct http_response *ret) {
    const struct ub_parameters *p = session->parameters;
    const char *headers[2 + HTTP_HEADERS_MAX + 1] = {NULL, "Accept: */*"};
    _cleanup_free_ char *line = NULL;
    size_t count = 2;
    uint64_t start;
    int r;

    assert(session->gets < UB_ROUNDS_MAX);
    session->gets++;

    if (asprintf(&line, "Authorization: %s", authorization) < 0) {
        line = NULL;
        return -ENOMEM;
    }
    headers[0] = line;
    for (const char *const *extra = p->extra_headers; extra && *extra; extra++)
        headers[count++] = *extra;

    const struct http_request request = {
        .url = session->url,
        .connect_to = p->connect_to,
        .user_agent = p->user_agent,
        .headers = headers,
        .trust_anchors = p->trust_anchors,
        .connect_timeout_usec = p->connect_timeout_usec,
        .request_timeout_usec = p->request_timeout_usec,
    };
    start = now_usec();
    r = session->ops->get(session->userdata, &request, ret, session->failure);
    session->network_usec += now_usec() - start;
    return r;
}

int64_t ub_date(const struct http_response *response) {
    const char *value = http_response_field(response, "Date", 0);
    int64_t date;

    return value && http_date_parse(value, &date) == 0 ? date : 0;
}

/* --- Answers that mean no ------------------------------------------------------------------------- */

/* Retry-After: seconds, or a date by the BSF's clock (RFC 9110 10.2.3). 0 where there is none. */
static uint64_t retry_after_usec(const struct http_response *response) {
    const char *value = http_response_field(response, "Retry-After", 0);
    uint64_t seconds = 0;
    int64_t date, now;

    if (!value)
        return 0;
    if (*value && strspn(value, "0123456789") == strlen(value)) {
        for (; *value && seconds < RETRY_AFTER_MAX_SEC; value++)
            seconds = seconds * 10 + (uint64_t)(*value - '0');
    } else if (http_date_parse(value, &date) == 0) {
        now = ub_date(response);
        if (now == 0)
            now = (int64_t)(now_realtime_usec() / USEC_PER_SEC);
        seconds = date > now ? (uint64_t)(date - now) : 0;
    }
    return (seconds < RETRY_AFTER_MAX_SEC ? seconds : RETRY_AFTER_MAX_SEC) * USEC_PER_SEC;
}

static int refuse_redirect(struct ub_session *session, const struct http_response *response) {
    const char *location = http_response_field(response, "Location", 0);
    char origin[PRINTABLE_MAX + 1] = "another place";

    /* The rest of it may hold an identity, and whoever sees LastErrorText would see it. */
    if (location)
        (void)http_origin(location, origin, sizeof(origin));
    return failure_set(
        session->failure, UB_E_REFUSED,
        "BSF %.64s: it redirects (HTTP status %u) to %s, and redirects are not followed with "
        "credentials; configure that address if it is the operator's",
        session->parameters->bsf, response->status, origin);
}

int ub_refusal(struct ub_session *session, const struct http_response *response) {
    const char *bsf = session->parameters->bsf;
    int path_length = (int)strcspn(session->parameters->path, "?");
    unsigned status = response->status;

    if (status == 404 || status == 410)
        return failure_set(
            session->failure, UB_E_UNKNOWN,
            "BSF %.64s: nothing there at %.*s (HTTP status %u); check the BSF's name and path "
            "in the configuration",
            bsf, path_length < PATH_SHOWN_MAX ? path_length : PATH_SHOWN_MAX,
            session->parameters->path, status);
    if (status == 429 || status >= 500) {
        *session->ret_retry_after_usec = retry_after_usec(response);
        return failure_set(
            session->failure, UB_E_BUSY,
            "BSF %.64s: it cannot serve now (HTTP status %u); the bootstrap can be tried later",
            bsf, status);
    }
    if (status >= 300 && status < 400)
        return refuse_redirect(session, response);
    if (status == 403)
        return failure_set(
            session->failure, UB_E_REFUSED,
            "BSF %.64s: it refused this subscriber (HTTP status 403); ask the operator whether "
            "GBA is provisioned",
            bsf);
    return failure_set(
        session->failure, UB_E_REFUSED,
        "BSF %.64s: it refused the request (HTTP status %u); check realm, identity, path and "
        "extra headers in the configuration",
        bsf, status);
}
