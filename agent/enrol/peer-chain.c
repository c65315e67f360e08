/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The chain of a certificate, CRLs and OCSP.
 *
 * What is trusted is what the operator named: a file of authorities, or keys by their digests. Of the latter the
 * certificate comes along in the handshake, and is trusted because its key is the right one.
 */

#include <errno.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "peer-internal.h"
#include "util.h"

#define OCSP_SKEW_SEC 300

static void store_freep(X509_STORE **store) {
    X509_STORE_free(*store);
}

static void context_freep(X509_STORE_CTX **context) {
    X509_STORE_CTX_free(*context);
}

/* --- What is trusted ---------------------------------------------------------------------------------- */

static bool has(const char *text) {
    return text && text[0] != '\0';
}

static int load_crls(struct peer_case *peer, X509_STORE *store) {
    X509_LOOKUP *lookup;

    if (!has(peer->expected->crl))
        return 0;
    lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (!lookup || X509_load_crl_file(lookup, peer->expected->crl, X509_FILETYPE_PEM) < 1)
        return failure_set(peer->failure, PEER_E_STATUS, "no CRL can be read from %.200s",
                           peer->expected->crl);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

/* The certificates that came along whose keys are roots of trust; the leaf itself is none. */
static void trust_roots(const struct peer_case *peer, X509_STORE *store) {
    for (int i = 0; i < sk_X509_num(peer->chain); i++) {
        X509 *certificate = sk_X509_value(peer->chain, i);

        if (X509_cmp(certificate, peer->leaf) != 0 && peer_has_root(peer->expected, certificate))
            (void)X509_STORE_add_cert(store, certificate);
    }
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
}

static int make_store(struct peer_case *peer, X509_STORE *store) {
    const struct peer_expectation *expected = peer->expected;

    if (has(expected->trust_anchors)) {
        if (X509_STORE_load_file(store, expected->trust_anchors) != 1)
            return failure_set(peer->failure, PEER_E_UNTRUSTED,
                               "no trust anchor can be read from %.200s", expected->trust_anchors);
    } else if (expected->roots_count > 0) {
        trust_roots(peer, store);
    } else if (expected->flavour != PEER_FQDN || X509_STORE_set_default_paths(store) != 1) {
        return failure_set(peer->failure, PEER_E_UNTRUSTED, "nobody is named who may vouch for %s",
                           peer->subject);
    }
    return load_crls(peer, store);
}

/* --- The chain ---------------------------------------------------------------------------------------- */

/* OpenSSL has a hundred; what is not here is a chain that does not hold. */
static int outcome_of(int error) {
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return PEER_E_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return PEER_E_NOT_YET;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
        return PEER_E_CONSTRAINT;
    case X509_V_ERR_CERT_REVOKED:
        return PEER_E_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
        return PEER_E_STATUS;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_INVALID_CA:
        return PEER_E_KEY_USAGE;
    default: /* a number of the library's, not an enum */
        return PEER_E_UNTRUSTED;
    }
}

static int tell(struct peer_case *peer, X509_STORE_CTX *context) {
    int error = X509_STORE_CTX_get_error(context), outcome = outcome_of(error);
    X509 *culprit = X509_STORE_CTX_get_current_cert(context);
    char subject[128];

    if (!culprit)
        culprit = peer->leaf;
    /* With the date in it. */
    if ((outcome == PEER_E_EXPIRED || outcome == PEER_E_NOT_YET) &&
        peer_check_dates(peer, culprit) != 0)
        return peer->failure ? peer->failure->code : outcome;
    peer_subject(culprit, subject, sizeof(subject));
    if (outcome == PEER_E_UNTRUSTED && peer->expected->roots_count > 0 &&
        !has(peer->expected->trust_anchors))
        return failure_set(peer->failure, PEER_E_ROOT,
                           "the chain of %s does not come from the root of trust that is "
                           "expected (%s)",
                           peer->subject, X509_verify_cert_error_string(error));
    return failure_set(peer->failure, outcome, "the certificate of %s: %s", subject,
                       X509_verify_cert_error_string(error));
}

int peer_check_chain(struct peer_case *peer, STACK_OF(X509) * *ret_chain) {
    _cleanup_(store_freep) X509_STORE *store = X509_STORE_new();
    _cleanup_(context_freep) X509_STORE_CTX *context = X509_STORE_CTX_new();
    int r;

    if (!store || !context)
        return -ENOMEM;
    r = make_store(peer, store);
    if (r != 0)
        return r;
    if (X509_STORE_CTX_init(context, store, peer->leaf, peer->chain) != 1)
        return -ENOMEM;
    X509_STORE_CTX_set_time(context, 0, (time_t)peer->now);
    X509_STORE_CTX_set_depth(context, (int)PEER_CHAIN_MAX);
    if (X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER) != 1)
        return -ENOMEM;
    if (X509_verify_cert(context) != 1)
        return tell(peer, context);
    *ret_chain = X509_STORE_CTX_get1_chain(context);
    return *ret_chain ? 0 : -ENOMEM;
}

/* --- OCSP ---------------------------------------------------------------------------------------------- */

static int ocsp_status(struct peer_case *peer, STACK_OF(X509) * chain, OCSP_BASICRESP *basic) {
    X509 *issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : sk_X509_value(chain, 0);
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), peer->leaf, issuer);
    ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
    int status = -1, reason;
    bool current;

    if (id && OCSP_resp_find_status(basic, id, &status, &reason, NULL, &from, &to) != 1)
        status = -1;
    OCSP_CERTID_free(id);
    current = status >= 0 && from && OCSP_check_validity(from, to, OCSP_SKEW_SEC, -1) == 1;
    if (status == V_OCSP_CERTSTATUS_REVOKED)
        return failure_set(peer->failure, PEER_E_REVOKED,
                           "the certificate of %s was revoked, says OCSP", peer->subject);
    if (status != V_OCSP_CERTSTATUS_GOOD || !current)
        return failure_set(
            peer->failure, PEER_E_STATUS, "the OCSP response that %s staples %s", peer->subject,
            status == V_OCSP_CERTSTATUS_GOOD ? "is out of date" : "does not say that it is good");
    return 0;
}

int peer_check_ocsp(struct peer_case *peer, STACK_OF(X509) * chain, const uint8_t *ocsp,
                    size_t length) {
    _cleanup_(store_freep) X509_STORE *store = X509_STORE_new();
    const unsigned char *octets = ocsp;
    OCSP_RESPONSE *response = NULL;
    OCSP_BASICRESP *basic = NULL;
    int r = PEER_E_STATUS;

    if (store)
        (void)X509_STORE_add_cert(store, sk_X509_value(chain, sk_X509_num(chain) - 1));
    if (store)
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    response = length <= OCSP_RESPONSE_MAX ? d2i_OCSP_RESPONSE(NULL, &octets, (long)length) : NULL;
    if (response && OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        basic = OCSP_response_get1_basic(response);
    if (basic && store && OCSP_basic_verify(basic, chain, store, 0) == 1)
        r = ocsp_status(peer, chain, basic);
    else
        r = failure_set(peer->failure, PEER_E_STATUS,
                        "the OCSP response that %s staples is not one of its authority",
                        peer->subject);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    return r;
}
