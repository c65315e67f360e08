/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The bindings of the MEF: HTTP's fields and CoAP's options on one side, exchanges and EST on the other.
 */

#include "lab-mef.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gnutls/gnutls.h>

#include "lab-http.h"
#include "mef-coap.h"

#define RESOURCE_TYPE   "application/vnd.onem2m-res+json"
#define RESOURCE_FORMAT 50
#define OTHER_TYPE      "text/html"
#define OTHER_NUMBER    "of-another-request"

/* --- EST over HTTP ------------------------------------------------------------------------------- */

static int serve_est(struct mef *mef, const struct lab_request *request, struct lab_reply *reply) {
    gnutls_session_t session = lab_request_session(request);
    const struct mef_enrolee *enrolee = session ? mef_enrolee_of(mef, session) : NULL;
    const struct mef_est_request est_request = {
        .method = request->method,
        .operation = request->path + strlen(MEF_EST_PATH),
        .content_type = lab_request_field(request, "Content-Type"),
        .body = request->body,
        .body_length = request->body_length,
        .identity = enrolee ? enrolee->identity : NULL,
        .by_certificate = enrolee && gnutls_auth_get_type(session) == GNUTLS_CRD_CERTIFICATE,
    };
    struct mef_est_reply est_reply;
    int r = mef_est_handle(mef->est, &est_request, &est_reply);

    if (r < 0)
        return r;
    reply->status = est_reply.status;
    if (est_reply.body)
        r = lab_reply_body_take(reply, est_reply.body, strlen(est_reply.body));
    if (r == 0 && est_reply.content_type)
        r = lab_reply_field(reply, "Content-Type", "%s", est_reply.content_type);
    if (r == 0 && est_reply.base64)
        r = lab_reply_field(reply, "Content-Transfer-Encoding", "base64");
    if (r == 0 && est_reply.retry_after_sec > 0)
        r = lab_reply_field(reply, "Retry-After", "%u", est_reply.retry_after_sec);
    return r;
}

/* --- Resources over HTTP ------------------------------------------------------------------------- */

static const char *field_or_none(const struct lab_request *request, const char *name) {
    const char *value = lab_request_field(request, name);

    return value ? value : "";
}

/* N of ";ty=N", -1 where there is none. */
static long type_of(const char *content_type) {
    const char *type = strstr(content_type, "ty=");
    char *end;
    long value;

    if (!type)
        return -1;
    value = strtol(type + 3, &end, 10);
    return end == type + 3 ? -1 : value;
}

/* RESOURCE_TYPE, with or without parameters. */
static bool is_resource_type(const char *content_type) {
    size_t length = strlen(RESOURCE_TYPE);

    return strncasecmp(content_type, RESOURCE_TYPE, length) == 0 &&
           (content_type[length] == '\0' || content_type[length] == ';' ||
            content_type[length] == ' ');
}

static enum lab_reply_fate fate_of(const struct mef_exchange *exchange) {
    if (exchange->silent || exchange->lost)
        return LAB_REPLY_HANG;
    if (exchange->close)
        return LAB_REPLY_CLOSE;
    return exchange->garbage ? LAB_REPLY_GARBAGE : LAB_REPLY_SEND;
}

static int send_exchange(struct mef_exchange *exchange, struct lab_reply *reply) {
    int r = 0;

    reply->status = exchange->status;
    reply->fate = fate_of(exchange);
    if (exchange->answer) {
        r = lab_reply_body_take(reply, exchange->answer, strlen(exchange->answer));
        exchange->answer = NULL;
        if (r == 0)
            r = lab_reply_field(reply, "Content-Type", "%s",
                                exchange->other_type ? OTHER_TYPE : RESOURCE_TYPE);
    }
    if (r == 0 && exchange->number[0] != '\0')
        r = lab_reply_field(reply, "X-M2M-RI", "%s",
                            exchange->other_number ? OTHER_NUMBER : exchange->number);
    if (r == 0 && exchange->rsc > 0)
        r = lab_reply_field(reply, "X-M2M-RSC", "%u", exchange->rsc);
    if (r == 0 && exchange->retry_after_sec > 0)
        r = lab_reply_field(reply, "Retry-After", "%u", exchange->retry_after_sec);
    return r;
}

int mef_serve_http(const struct lab_request *request, struct lab_reply *reply, void *userdata) {
    gnutls_session_t session = lab_request_session(request);
    const char *content_type = field_or_none(request, "Content-Type");
    struct mef *mef = userdata;
    struct mef_exchange exchange = {
        .method = request->method,
        .path = request->path,
        .from = field_or_none(request, "X-M2M-Origin"),
        .number = field_or_none(request, "X-M2M-RI"),
        .release = field_or_none(request, "X-M2M-RVI"),
        .authority = request->host,
        .type = type_of(content_type),
        .is_json = is_resource_type(content_type),
        .by_certificate = session && gnutls_auth_get_type(session) == GNUTLS_CRD_CERTIFICATE,
        .body = request->body,
        .body_length = request->body_length,
        .enrolee = session ? mef_enrolee_of(mef, session) : NULL,
    };
    int r;

    if (strncmp(request->path, MEF_EST_PATH, strlen(MEF_EST_PATH)) == 0)
        return serve_est(mef, request, reply);
    exchange.has_exporter = session && gnutls_session_ext_master_secret_status(session) &&
                            lab_request_exporter(request, MEF_EXPORTER_LABEL, exchange.exporter);
    r = mef_handle(mef, &exchange);
    gnutls_memset(exchange.exporter, 0, sizeof(exchange.exporter));
    if (r == 0)
        r = send_exchange(&exchange, reply);
    free(exchange.answer);
    return r;
}

/* --- Resources over CoAP ------------------------------------------------------------------------- */

int mef_serve_coap(const struct mef_coap_request *request, struct mef_coap_reply *reply,
                   void *userdata) {
    struct mef *mef = userdata;
    struct mef_exchange exchange = {
        .method = request->method,
        .path = request->path,
        .from = request->from,
        .number = request->number,
        .release = request->release,
        .type = request->type,
        .is_json = request->format == RESOURCE_FORMAT,
        .by_coap = true,
        .by_certificate = gnutls_auth_get_type(request->session) == GNUTLS_CRD_CERTIFICATE,
        .body = request->body,
        .body_length = request->body_length,
        .enrolee = mef_enrolee_of(mef, request->session),
        .has_exporter = false,
    };
    int r;

    exchange.has_exporter =
        mef_coap_exporter(request->session, MEF_EXPORTER_LABEL, exchange.exporter);
    r = mef_handle(mef, &exchange);
    gnutls_memset(exchange.exporter, 0, sizeof(exchange.exporter));
    if (r < 0) {
        free(exchange.answer);
        return r;
    }
    *reply = (struct mef_coap_reply){
        .silent = exchange.silent,
        .lost = exchange.lost || exchange.close,
        .garbage = exchange.garbage,
        .other_format = exchange.other_type,
        .other_number = exchange.other_number ? OTHER_NUMBER : NULL,
        .status = exchange.status,
        .rsc = exchange.rsc,
        .retry_after_sec = exchange.retry_after_sec,
        .body = exchange.answer,
        .body_length = exchange.answer ? strlen(exchange.answer) : 0,
    };
    return 0;
}
