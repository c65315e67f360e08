/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Certificate provisioning by EST (RFC 7030; TS-0003 8.3.6).
 *
 * In the order of TS-0003: CA certificates, CSR attributes, request. Anchors are explicit: what /cacerts gives within a
 * session that both ends have proved is what the new certificate is held against.
 */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "est-asn1.h"
#include "peer-internal.h"
#include "util.h"

void est_credential_done(struct est_credential *credential) {
    secret_free(credential->private_key);
    free(credential->certificate);
    free(credential->anchors);
    *credential = (struct est_credential){0};
}

static void key_freep(EVP_PKEY **key) {
    EVP_PKEY_free(*key);
}

static void certificates_freep(STACK_OF(X509) * *certificates) {
    sk_X509_pop_free(*certificates, X509_free);
}

/* --- Asking -------------------------------------------------------------------------------------------- */

static int malformed(const struct est_client *client, const char *what, struct failure *failure) {
    return failure_set(failure, EST_E_MALFORMED,
                       "the answer of %.150s is not what RFC 7030 says: %s", client->base, what);
}

static int check_status(const struct est_client *client, const char *path, unsigned status,
                        struct failure *failure) {
    if (status == 200)
        return 0;
    if (status == 202)
        return failure_set(failure, EST_E_PENDING,
                           "%.150s/%s wants a person to look at the request first (202)",
                           client->base, path);
    if (status == 429 || status >= 500)
        return failure_set(failure, EST_E_BUSY, "%.150s/%s answers %u", client->base, path, status);
    if (status == 400 || status == 401 || status == 403)
        return failure_set(failure, EST_E_REFUSED, "%.150s/%s answers %u", client->base, path,
                           status);
    return failure_set(failure, EST_E_MALFORMED, "%.150s/%s answers %u", client->base, path,
                       status);
}

static int ask(const struct est_client *client, const char *path, const char *body,
               struct http_response *ret, struct failure *failure) {
    static const char *const get[] = {"Accept: application/pkcs7-mime, application/csrattrs", NULL};
    static const char *const post[] = {"Content-Type: application/pkcs10",
                                       "Content-Transfer-Encoding: base64",
                                       "Accept: application/pkcs7-mime", NULL};
    char url[HTTP_URL_MAX + 1];
    const struct http_request request = {
        .method = body ? HTTP_POST : HTTP_GET,
        .url = url,
        .body = (const uint8_t *)body,
        .body_length = body ? strlen(body) : 0,
        .handshake = client->handshake,
        .connect_to = client->connect_to,
        .headers = body ? post : get,
        .connect_timeout_usec = client->connect_timeout_usec,
        .request_timeout_usec = client->request_timeout_usec,
    };

    if ((size_t)snprintf(url, sizeof(url), "%s/%s", client->base, path) >= sizeof(url))
        return -EINVAL;
    return client->io->ask(client->io->userdata, &request, ret, failure);
}

static int ask_certificates(const struct est_client *client, const char *path, const char *body,
                            STACK_OF(X509) * *ret, struct failure *failure) {
    _cleanup_http_response_ struct http_response response = {0};
    int r = ask(client, path, body, &response, failure);

    if (r == 0)
        r = check_status(client, path, response.status, failure);
    if (r != 0)
        return r;
    r = est_certificates_parse(response.body, response.body_length, ret);
    return r == 0 ? 0 : malformed(client, "no certificates in a certs-only PKCS #7", failure);
}

/* A server that has none says so by 204 or 404 (4.5.2). */
static int ask_attributes(const struct est_client *client, struct est_attributes *ret,
                          struct failure *failure) {
    _cleanup_http_response_ struct http_response response = {0};
    _cleanup_free_ uint8_t *der = NULL;
    size_t length;
    int r = ask(client, "csrattrs", NULL, &response, failure);

    if (r != 0 || response.status == 204 || response.status == 404)
        return r;
    r = check_status(client, "csrattrs", response.status, failure);
    if (r != 0)
        return r;
    if (est_decode(response.body, response.body_length, &der, &length) < 0 ||
        est_attributes_parse(der, length, ret) < 0)
        return malformed(client, "no CsrAttrs", failure);
    return 0;
}

/* --- What came ------------------------------------------------------------------------------------------ */

static int wrong(const struct est_client *client, const char *what, struct failure *failure) {
    return failure_set(failure, EST_E_CERTIFICATE, "the certificate that %.150s has issued %s",
                       client->base, what);
}

static X509 *find_own(STACK_OF(X509) * certificates, EVP_PKEY *key) {
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        EVP_PKEY *other = X509_get0_pubkey(sk_X509_value(certificates, i));

        if (other && EVP_PKEY_eq(other, key) == 1)
            return sk_X509_value(certificates, i);
    }
    return NULL;
}

/* A dNSName without case, all else as it is. */
static bool is_text(const ASN1_STRING *string, const char *text, bool any_case) {
    const char *octets = (const char *)ASN1_STRING_get0_data(string);
    size_t length = strlen(text);

    if (ASN1_STRING_length(string) != (int)length)
        return false;
    return any_case ? strncasecmp(octets, text, length) == 0 : memcmp(octets, text, length) == 0;
}

static bool has_alternative(X509 *certificate, int type, const char *text) {
    GENERAL_NAMES *names;
    bool found = false;

    if (!text)
        return true;
    names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names) && i < (int)PEER_SAN_MAX; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        found = name->type == type && is_text(name->d.ia5, text, type == GEN_DNS);
    }
    GENERAL_NAMES_free(names);
    return found;
}

static bool has_common_name(X509 *certificate, const char *text) {
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    return at >= 0 &&
           is_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), text, false);
}

/* An authority may write the subject as it likes where the name is in subjectAltName. */
static bool has_name(X509 *certificate, const struct est_subject *subject) {
    if (!subject->dns && !subject->uri)
        return has_common_name(certificate, subject->common_name);
    return has_alternative(certificate, GEN_DNS, subject->dns) &&
           has_alternative(certificate, GEN_URI, subject->uri);
}

/* Why there is no chain to the CA certificates, now; NULL when there is one. */
static const char *chain_fault(struct peer_case *peer, STACK_OF(X509) * anchors) {
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    const char *fault = "there is no memory";
    bool ok = store && context;

    for (int i = 0; ok && i < sk_X509_num(anchors); i++)
        ok = X509_STORE_add_cert(store, sk_X509_value(anchors, i)) == 1;
    if (ok && X509_STORE_CTX_init(context, store, peer->leaf, peer->chain) == 1 &&
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT) == 1) {
        X509_STORE_CTX_set_time(context, 0, (time_t)peer->now);
        if (X509_verify_cert(context) != 1)
            fault = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
        else if (peer_check_algorithms(peer, X509_STORE_CTX_get0_chain(context)) != 0)
            fault = peer->failure->text;
        else
            fault = NULL;
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return fault;
}

static int check_issued(const struct est_client *client, const struct est_subject *subject,
                        X509 *own, STACK_OF(X509) * anchors, STACK_OF(X509) * issued,
                        struct failure *failure) {
    struct failure detail = {0};
    struct peer_case peer = {.leaf = own,
                             .chain = issued,
                             .now = client->io->now(client->io->userdata),
                             .failure = &detail};
    const char *fault;

    if (!own)
        return wrong(client, "is of another key", failure);
    if (!has_name(own, subject))
        return failure_set(failure, EST_E_CERTIFICATE,
                           "the certificate that %.150s has issued has another name, and %.100s is "
                           "expected",
                           client->base,
                           subject->dns   ? subject->dns
                           : subject->uri ? subject->uri
                                          : subject->common_name);
    if (!(X509_get_key_usage(own) & KU_DIGITAL_SIGNATURE))
        return wrong(client, "is not for signatures (keyUsage)", failure);
    fault = chain_fault(&peer, anchors);
    if (fault)
        return failure_set(failure, EST_E_CERTIFICATE,
                           "the certificate that %.100s has issued does not come from its "
                           "authority, or is not valid now: %.150s",
                           client->base, fault);
    return 0;
}

static int64_t when(const ASN1_TIME *time) {
    struct tm tm;

    return ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

static int take(const struct est_client *client, const struct est_subject *subject, EVP_PKEY *key,
                STACK_OF(X509) * anchors, STACK_OF(X509) * issued, struct est_credential *ret,
                struct failure *failure) {
    _cleanup_(est_credential_done) struct est_credential credential = {0};
    X509 *own = find_own(issued, key);
    int r;

    r = check_issued(client, subject, own, anchors, issued, failure);
    if (r != 0)
        return r;
    credential.not_before = when(X509_get0_notBefore(own));
    credential.not_after = when(X509_get0_notAfter(own));
    credential.certificate = est_pem(own, issued);
    credential.anchors = est_pem(NULL, anchors);
    if (!credential.certificate || !credential.anchors)
        return -ENOMEM;
    if (strlen(credential.certificate) + strlen(credential.anchors) > RECORD_MAX - 512)
        return wrong(client, "has a chain that is too long to be kept", failure);
    r = client->signer ? 0 : est_key_export(key, &credential.private_key);
    if (r < 0)
        return r;
    *ret = credential;
    credential = (struct est_credential){0};
    return 0;
}

/* One is made, unless a secure environment has it. */
static EVP_PKEY *have_key(const struct est_client *client) {
    const unsigned char *octets = client->public_key;

    return client->signer ? d2i_PUBKEY(NULL, &octets, SECURE_SPKI_LENGTH) : EVP_EC_gen("P-256");
}

static int enrol(const struct est_client *client, const struct est_subject *subject, bool renew,
                 struct est_credential *ret, struct failure *failure) {
    _cleanup_(certificates_freep) STACK_OF(X509) *anchors = NULL, *issued = NULL;
    _cleanup_(key_freep) EVP_PKEY *key = NULL;
    _cleanup_free_ char *request = NULL;
    struct est_attributes attributes = {0};
    int r;

    r = ask_certificates(client, "cacerts", NULL, &anchors, failure);
    if (r == 0)
        r = ask_attributes(client, &attributes, failure);
    if (r != 0)
        return r;
    if (attributes.other_key)
        return failure_set(failure, EST_E_REFUSED,
                           "%.150s wants a key that is not on P-256, which oneM2M does not have",
                           client->base);
    key = have_key(client);
    if (!key)
        return -ENOMEM;
    r = est_request_make(key, client->signer, subject, &attributes, &request, failure);
    if (r == -EINVAL)
        return failure_set(failure, -EINVAL,
                           "no certificate can be asked for in the name of \"%.100s\"",
                           subject->common_name);
    if (r == 0)
        r = ask_certificates(client, renew ? "simplereenroll" : "simpleenroll", request, &issued,
                             failure);
    return r == 0 ? take(client, subject, key, anchors, issued, ret, failure) : r;
}

int est_enrol(const struct est_client *client, const struct est_subject *subject, bool renew,
              struct est_credential *ret, struct failure *failure) {
    int r;

    (void)ERR_set_mark();
    r = enrol(client, subject, renew, ret, failure);
    (void)ERR_pop_to_mark();
    return r;
}
