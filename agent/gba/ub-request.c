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

static bool needs_https(enum gba_mode mode) {
    return mode == GBA_MODE_2G || mode == GBA_MODE_DIGEST;
}

static const char *parameters_wrong(const struct ub_parameters *p) {
    if (!is_host(p->bsf))
        return "its name is not a host name";
    if (!is_text(p->impi, IMPI_MAX))
        return "the private identity (IMPI) is empty, too long or has control characters";
    if (p->tmpi && !is_text(p->tmpi, TMPI_MAX))
        return "the temporary identity (TMPI) is empty, too long or has control characters";
    if (p->mode == GBA_MODE_DIGEST && !p->password)
        return "GBA_Digest has no password";
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

/* Whether @token stands in @text as a product token of its own (RFC 9110 5.6.2). */
static bool has_token(const char *text, const char *token) {
    static const char others[] = " \t,;()/";
    size_t length = strlen(token);

    for (const char *at = text; (at = strstr(at, token)); at += length)
        if ((at == text || strchr(others, at[-1])) && strchr(others, at[length]))
            return true;
    return false;
}

/* The configured tokens, and those by which a UE tells what it can do (TS 24.109 4.2, TS 33.220 M.6). */
static bool write_user_agent(struct ub_session *session) {
    const struct ub_parameters *p = session->parameters;
    const char *configured = p->user_agent ? p->user_agent : "", *token = NULL;
    int length;

    if (p->mode == GBA_MODE_DIGEST)
        token = GBA_TOKEN_DIGEST;
    else if (p->tmpi_wanted && p->mode != GBA_MODE_2G)
        token = GBA_TOKEN_TMPI;
    if (token && has_token(configured, token))
        token = NULL;
    length = snprintf(session->user_agent, sizeof(session->user_agent), "%s%s%s", configured,
                      token && *configured ? "; " : "", token ? token : "");
    return length >= 0 && (size_t)length < sizeof(session->user_agent);
}

static bool write_url(struct ub_session *session) {
    const struct ub_parameters *p = session->parameters;
    char port[8] = "";
    int length;

    if (p->port != 0)
        (void)snprintf(port, sizeof(port), ":%u", (unsigned)p->port);
    length = snprintf(session->url, sizeof(session->url), "%s://%s%s%s", p->scheme, p->bsf, port,
                      p->path);
    return length >= 0 && (size_t)length < sizeof(session->url);
}

int ub_session_init(struct ub_session *session, const struct ub_parameters *parameters,
                    const struct ub_ops *ops, void *userdata, uint64_t *ret_retry_after_usec,
                    struct failure *failure) {
    const char *wrong = parameters_wrong(parameters);

    *session = (struct ub_session){
        .parameters = parameters,
        .ops = ops,
        .userdata = userdata,
        .ret_retry_after_usec = ret_retry_after_usec,
        .failure = failure,
        .username = parameters->impi,
    };
    if (!wrong && needs_https(parameters->mode) && strcmp(parameters->scheme, "https") != 0)
        return failure_set(
            failure, UB_E_HTTPS,
            "bootstrap not begun: %s runs over https alone, and the BSF is configured "
            "for http; set Scheme=https in [GBA] of keystrap.conf",
            parameters->mode == GBA_MODE_2G ? "2G GBA" : "GBA_Digest");
    if (!wrong && !write_user_agent(session))
        wrong = "the user agent is too long";
    if (!wrong && !write_url(session))
        wrong = "the BSF's URL is longer than 2048 octets";
    if (wrong)
        return failure_set(failure, -EINVAL, "bootstrap not begun: %s; correct the configuration",
                           wrong);
    return 0;
}

void ub_session_done(struct ub_session *session) {
    session->exporter = secret_free(session->exporter);
}

const char *ub_session_realm(const struct ub_session *session) {
    const struct ub_parameters *p = session->parameters;
    const char *at = strrchr(p->impi, '@');

    if (p->realm)
        return p->realm;
    /* The home network's domain in GBA_Digest (TS 24.109 I.2), the BSF's name otherwise. */
    return p->mode == GBA_MODE_DIGEST && at && at[1] ? at + 1 : p->bsf;
}

/* --- One GET -------------------------------------------------------------------------------------- */

/* What an answer tells besides its status. Its exporter becomes the session's. */
static int note_response(struct ub_session *session, struct http_response *response) {
    const char *value;

    for (size_t i = 0; (value = http_response_field(response, "Server", i)); i++)
        session->server_tmpi |= has_token(value, GBA_TOKEN_TMPI);
    if (session->parameters->mode != GBA_MODE_DIGEST)
        return 0;
    (void)secret_free(session->exporter);
    session->exporter = TAKE_PTR(response->exporter);
    if (!session->exporter)
        return failure_set(session->failure, HTTP_E_HELPER,
                           "keystrap-http gave no exporter of the TLS connection to BSF %.64s; "
                           "reinstall it",
                           session->parameters->bsf);
    return 0;
}

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
        .user_agent = *session->user_agent ? session->user_agent : NULL,
        .headers = headers,
        .trust_anchors = p->trust_anchors,
        .tls_min = p->tls_min,
        .exporter_label = p->mode == GBA_MODE_DIGEST ? GBA_DIGEST_EXPORTER_LABEL : NULL,
        .connect_timeout_usec = p->connect_timeout_usec,
        .request_timeout_usec = p->request_timeout_usec,
    };
    start = now_usec();
    r = session->ops->get(session->userdata, &request, ret, session->failure);
    session->network_usec += now_usec() - start;
    return r == 0 ? note_response(session, ret) : r;
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
