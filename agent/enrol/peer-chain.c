/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The chain of a certificate, and CRLs.
 *
 * What is trusted is what the operator named: a file of authorities, or keys by their digests. Of the latter the
 * certificate comes along in the handshake, and is trusted because its key is the right one.
 */

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "peer-internal.h"
#include "util.h"

static void store_freep(X509_STORE **store) {
    X509_STORE_free(*store);
}

static void context_freep(X509_STORE_CTX **context) {
    X509_STORE_CTX_free(*context);
}

static void certificates_freep(STACK_OF(X509) * *certificates) {
    sk_X509_pop_free(*certificates, X509_free);
}

static bool has(const char *text) {
    return text && text[0] != '\0';
}

/* --- What is trusted ---------------------------------------------------------------------------------- */

/*
 * The certificates that came along whose keys are roots of trust; the leaf itself is none. Anybody can write a certificate around
 * a key that is not his: one that says it is signed by itself is to be so, or dates and constraints would be whoever's.
 */
static int trust_roots(const struct peer_case *peer, X509_STORE *store) {
    for (int i = 0; i < sk_X509_num(peer->chain); i++) {
        X509 *certificate = sk_X509_value(peer->chain, i);

        if (X509_cmp(certificate, peer->leaf) == 0 || !peer_has_root(peer->expected, certificate))
            continue;
        if (X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) ==
                0 &&
            X509_self_signed(certificate, 1) != 1)
            continue;
        if (X509_STORE_add_cert(store, certificate) != 1)
            return -ENOMEM;
    }
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return 0;
}

static int make_store(struct peer_case *peer, X509_STORE *store) {
    const struct peer_expectation *expected = peer->expected;

    if (has(expected->trust_anchors))
        return X509_STORE_load_file(store, expected->trust_anchors) == 1
                   ? 0
                   : failure_set(peer->failure, PEER_E_UNTRUSTED,
                                 "no trust anchor can be read from %.200s",
                                 expected->trust_anchors);
    if (expected->roots_count > 0)
        return trust_roots(peer, store);
    if (expected->flavour == PEER_FQDN && X509_STORE_set_default_paths(store) == 1)
        return 0;
    return failure_set(peer->failure, PEER_E_UNTRUSTED,
                       "nobody is named who may vouch for %s, and a trust anchor or a root of "
                       "trust is expected",
                       peer->subject);
}

/* --- What OpenSSL finds ------------------------------------------------------------------------------- */

/* OpenSSL has a hundred; what is not here is a chain that does not hold. */
static int outcome_of(int error) {
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
        return PEER_E_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
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
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
        return PEER_E_STATUS;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        return PEER_E_KEY_USAGE;
    default: /* a number of the library's, not an enum */
        return PEER_E_UNTRUSTED;
    }
}

/* The chain ends where nobody is trusted; all else that is not to be trusted is a signature or a form that is wrong. */
static bool is_without_anchor(int error) {
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || error == X509_V_ERR_CERT_UNTRUSTED;
}

static int tell_without_anchor(struct peer_case *peer, X509 *culprit, const char *subject) {
    char issuer[PEER_SUBJECT_SIZE];

    if (!has(peer->expected->trust_anchors) && peer->expected->roots_count > 0)
        return peer_other_root(peer, culprit, "the end of the chain");
    peer_issuer(culprit, issuer);
    return failure_set(peer->failure, PEER_E_UNTRUSTED,
                       "the certificate of %s was issued by %s, and an authority of %.60s is "
                       "expected",
                       subject, issuer,
                       has(peer->expected->trust_anchors) ? peer->expected->trust_anchors
                                                          : "this system's");
}

static int tell(struct peer_case *peer, X509_STORE_CTX *context) {
    int error = X509_STORE_CTX_get_error(context), outcome = outcome_of(error), r;
    X509 *culprit = X509_STORE_CTX_get_current_cert(context);
    char subject[PEER_SUBJECT_SIZE];

    if (error == X509_V_OK || error == X509_V_ERR_OUT_OF_MEM)
        return -ENOMEM;
    if (!culprit)
        culprit = peer->leaf;
    if (outcome == PEER_E_EXPIRED || outcome == PEER_E_NOT_YET) {
        r = peer_check_dates(peer, culprit);
        if (r != 0)
            return r;
    }
    peer_subject(culprit, subject);
    if (is_without_anchor(error))
        return tell_without_anchor(peer, culprit, subject);
    return failure_set(peer->failure, outcome, "the certificate of %s: %s", subject,
                       X509_verify_cert_error_string(error));
}

/* @on_error may be NULL, and so may be @ret_chain. */
static int run(struct peer_case *peer, X509_STORE *store, STACK_OF(X509) * untrusted,
               X509_STORE_CTX_verify_cb on_error, STACK_OF(X509) * *ret_chain) {
    _cleanup_(context_freep) X509_STORE_CTX *context = X509_STORE_CTX_new();

    if (!context || X509_STORE_CTX_init(context, store, peer->leaf, untrusted) != 1 ||
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER) != 1)
        return -ENOMEM;
    X509_STORE_CTX_set_time(context, 0, (time_t)peer->now);
    X509_STORE_CTX_set_depth(context, (int)PEER_CHAIN_MAX);
    if (on_error)
        X509_STORE_CTX_set_verify_cb(context, on_error);
    if (X509_verify_cert(context) != 1)
        return tell(peer, context);
    if (ret_chain)
        *ret_chain = X509_STORE_CTX_get1_chain(context);
    return !ret_chain || *ret_chain ? 0 : -ENOMEM;
}

/* --- The chain ---------------------------------------------------------------------------------------- */

/* The anchor's own signature proves nothing. */
int peer_check_algorithms(struct peer_case *peer, STACK_OF(X509) * chain) {
    int count = sk_X509_num(chain), r;
    char subject[PEER_SUBJECT_SIZE];

    for (int i = 0; i < count; i++) {
        X509 *certificate = sk_X509_value(chain, i);
        int algorithm = X509_get_signature_nid(certificate);

        r = peer_check_key(peer, certificate);
        if (r != 0)
            return r;
        if (i == count - 1 || algorithm == NID_ecdsa_with_SHA256)
            continue;
        peer_subject(certificate, subject);
        return failure_set(peer->failure, PEER_E_KEY,
                           "the certificate of %s is signed by %s, and ecdsa-with-SHA256 is "
                           "expected",
                           subject, OBJ_nid2sn(algorithm) ? OBJ_nid2sn(algorithm) : "?");
    }
    return 0;
}

int peer_check_chain(struct peer_case *peer, STACK_OF(X509) * *ret_chain) {
    _cleanup_(certificates_freep) STACK_OF(X509) *chain = NULL;
    _cleanup_(store_freep) X509_STORE *store = X509_STORE_new();
    int r;

    if (!store)
        return -ENOMEM;
    r = make_store(peer, store);
    if (r == 0)
        r = run(peer, store, peer->chain, NULL, &chain);
    if (r == 0)
        r = peer_check_algorithms(peer, chain);
    if (r == 0)
        *ret_chain = TAKE_PTR(chain);
    return r;
}

/* --- CRLs ---------------------------------------------------------------------------------------------- */

/* Of a trust anchor nobody has to say that it is not revoked: the operator named it. */
static int on_crl_error(int ok, X509_STORE_CTX *context) {
    int error = X509_STORE_CTX_get_error(context);
    int last = sk_X509_num(X509_STORE_CTX_get0_chain(context)) - 1;

    return ok || (last > 0 && X509_STORE_CTX_get_error_depth(context) == last &&
                  (error == X509_V_ERR_UNABLE_TO_GET_CRL ||
                   error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER));
}

int peer_check_crl(struct peer_case *peer, STACK_OF(X509) * chain) {
    _cleanup_(store_freep) X509_STORE *store = NULL;
    X509_LOOKUP *lookup;

    if (!has(peer->expected->crl))
        return 0;
    store = X509_STORE_new();
    lookup = store ? X509_STORE_add_lookup(store, X509_LOOKUP_file()) : NULL;
    if (!lookup || X509_STORE_add_cert(store, sk_X509_value(chain, sk_X509_num(chain) - 1)) != 1)
        return -ENOMEM;
    if (X509_load_crl_file(lookup, peer->expected->crl, X509_FILETYPE_PEM) < 1)
        return failure_set(peer->failure, PEER_E_STATUS, "no CRL can be read from %.200s",
                           peer->expected->crl);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK |
                                    X509_V_FLAG_CRL_CHECK_ALL);
    return run(peer, store, chain, on_crl_error, NULL);
}
