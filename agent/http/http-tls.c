/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The TLS of one request.
 *
 * libcurl's OpenSSL does it. Whatever fails, a user shall hear which of certificate, name, authority, version and
 * configuration it was, because each is mended by somebody else. The exporter (RFC 5705) is taken just before the request is
 * sent, from the connection that it is sent by, whether that is new or kept.
 */

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "http-tls.h"
#include "util.h"

/* --- The exporter --------------------------------------------------------------------------------- */

static SSL *ssl_of(CURL *easy) {
    const struct curl_tlssessioninfo *info = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info ||
        info->backend != CURLSSLBACKEND_OPENSSL)
        return NULL;
    return info->internals;
}

/* The connection stands; the request is not sent yet. */
static int on_connection(void *data, char *peer _unused_, char *local _unused_,
                         int peer_port _unused_, int local_port _unused_) {
    struct http_exchange *exchange = data;
    const struct http_job *job = exchange->job;
    SSL *ssl = ssl_of(exchange->easy);
    int r;

    if (job->handshake.wanted && (!ssl || !handshake_check(ssl, exchange->handshake))) {
        exchange->result->refused = HTTP_E_TLS;
        exchange->result->refused_why = "it has not proved who it is";
        return CURL_PREREQFUNC_ABORT;
    }
    if (job->exporter_label[0] == '\0')
        return CURL_PREREQFUNC_OK;
    r = ssl ? handshake_exporter(ssl, job->exporter_label, exchange->result->exporter)
            : HTTP_E_HELPER;
    if (r == 0) {
        exchange->result->has_exporter = true;
        return CURL_PREREQFUNC_OK;
    }
    exchange->result->refused = (enum http_outcome)r;
    exchange->result->refused_why =
        r == HTTP_E_MASTER_SECRET
            ? "its TLS has no extended master secret (RFC 7627), so no key is taken from it"
            : "there is no exporter of its TLS connection";
    return CURL_PREREQFUNC_ABORT;
}

/* --- Where both ends prove who they are ------------------------------------------------------------- */

static CURLcode on_context(CURL *easy, void *context, void *data) {
    struct http_exchange *exchange = data;

    (void)easy;
    return handshake_prepare(context, exchange->handshake) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

/*
 * Who it is is for peer_verify() to say, and for nobody else. A connection is for one request: libcurl does not know by which
 * credential a kept one was made, and with it OpenSSL would keep the private key.
 */
static void set_handshake(CURL *easy, struct http_exchange *exchange) {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                     (long)(CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, exchange);
}

/* Only what the operator named is trusted where one was named: CAPATH is the system's directory otherwise. */
void http_tls_set(CURL *easy, const struct http_job *job, struct http_exchange *exchange) {
    curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                     (long)(job->tls_1_3 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (job->trust_anchors[0]) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, job->trust_anchors);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    /* What a request changes is not asked for twice because a kept connection broke. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, job->fresh || job->method != HTTP_GET ? 1L : 0L);
    if (job->handshake.wanted)
        set_handshake(easy, exchange);
    if (job->handshake.wanted ||
        (job->exporter_label[0] && strncasecmp(job->url, "https:", 6) == 0)) {
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connection);
        curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
    }
}

/* --- What went wrong ------------------------------------------------------------------------------ */

/* libcurl checks the name itself and leaves its verdict of the certificate at "none" then. */
static bool is_other_name(CURLcode code, long verdict) {
    return code == CURLE_PEER_FAILED_VERIFICATION &&
           (verdict == X509_V_OK || verdict == X509_V_ERR_UNSPECIFIED ||
            verdict == X509_V_ERR_HOSTNAME_MISMATCH);
}

/* A server ends the handshake with an alert; OpenSSL, where the server chose a version by itself. */
static bool is_version(const char *error) {
    return strstr(error, "protocol version") || strstr(error, "unsupported protocol") ||
           strstr(error, "wrong ssl version");
}

static const char *certificate_words(long verdict) {
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "its certificate has expired; check this machine's clock, and tell the operator if "
               "it "
               "is right";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "its certificate is not valid yet; set this machine's clock";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its certificate is not signed by anybody who is trusted here; set TrustAnchors= in "
               "[GBA] of keystrap.conf to the operator's certificate authority";
    default: /* OpenSSL has a hundred */
        return NULL;
    }
}

int http_tls_fail(CURL *easy, const struct http_job *job, CURLcode code, const char *peer,
                  const char *error, struct failure *failure) {
    const char *words = NULL;
    long verdict = X509_V_OK;

    (void)curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (code == CURLE_SSL_CACERT_BADFILE)
        return failure_set(failure, HTTP_E_TLS,
                           "%.120s was not asked: the trust anchors cannot be read from %.100s; "
                           "correct TrustAnchors= in [GBA] of keystrap.conf",
                           peer, job->trust_anchors[0] ? job->trust_anchors : "the system's place");
    if (is_other_name(code, verdict))
        words =
            "its certificate is for another name; check Bsf= in [GBA] of keystrap.conf, and do not "
            "trust this network if it is right";
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        words = certificate_words(verdict);
    else if (is_version(error))
        words = job->tls_1_3
                    ? "it does not speak TLS 1.3; set TlsMin=1.2 in [GBA] of keystrap.conf if "
                      "the operator's BSF is like that"
                    : "it does not speak TLS 1.2 or later; tell the operator that older "
                      "versions are not safe";
    if (words)
        return failure_set(failure, HTTP_E_TLS, "%.120s: %s", peer, words);
    /* Many a server hangs up without an alert when it has no version in common. */
    return failure_set(failure, HTTP_E_TLS,
                       "%.100s: the TLS handshake failed: %.80s; check that this is a BSF%s, and "
                       "tell the operator if "
                       "it is",
                       peer, error,
                       job->tls_1_3 ? " that speaks TLS 1.3 (or set TlsMin=1.2 in [GBA])" : "");
}
