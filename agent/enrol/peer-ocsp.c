/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A stapled OCSP response (RFC 6066 8, RFC 6960): what the authority says of the leaf, not long ago.
 */

#include <errno.h>
#include <openssl/ocsp.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "peer-internal.h"
#include "util.h"

static void store_freep(X509_STORE **store) {
    X509_STORE_free(*store);
}

static void basic_freep(OCSP_BASICRESP **basic) {
    OCSP_BASICRESP_free(*basic);
}

static int is_no_good(struct peer_case *peer, const char *found) {
    return failure_set(peer->failure, PEER_E_STATUS,
                       "the OCSP response that %s staples %s, and \"good\" is expected",
                       peer->subject, found);
}

/* --- Whose word it is --------------------------------------------------------------------------------- */

/* The anchor of the chain, at the time of this verification. */
static X509_STORE *make_store(const struct peer_case *peer, STACK_OF(X509) * chain) {
    X509_STORE *store = X509_STORE_new();

    if (!store || X509_STORE_add_cert(store, sk_X509_value(chain, sk_X509_num(chain) - 1)) != 1) {
        X509_STORE_free(store);
        return NULL;
    }
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)peer->now);
    return store;
}

/* By P-256 and SHA-256 like everything else, also where the authority has somebody answer for it. */
static bool is_strong(struct peer_case *peer, STACK_OF(X509) * chain, OCSP_BASICRESP *basic) {
    struct peer_case quiet = *peer;
    X509 *signer = NULL;

    quiet.failure = NULL;
    return OBJ_obj2nid(OCSP_resp_get0_tbs_sigalg(basic)->algorithm) == NID_ecdsa_with_SHA256 &&
           OCSP_resp_get0_signer(basic, &signer, chain) == 1 &&
           peer_check_key(&quiet, signer) == 0 &&
           X509_get_signature_nid(signer) == NID_ecdsa_with_SHA256;
}

/* --- Of whom it is, and of when ----------------------------------------------------------------------- */

/* Whoever asked the responder chose the hash in a certificate's identifier; it need not be strong. */
static const EVP_MD *digest_of(const OCSP_CERTID *id) {
    ASN1_OBJECT *name = NULL;
    int nid;

    if (OCSP_id_get0_info(NULL, &name, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id) != 1)
        return NULL;
    nid = OBJ_obj2nid(name);
    return nid == NID_sha1 ? EVP_sha1() : nid == NID_sha256 ? EVP_sha256() : NULL;
}

static bool is_about(const OCSP_CERTID *id, X509 *leaf, X509 *issuer) {
    const EVP_MD *digest = digest_of(id);
    OCSP_CERTID *own = digest ? OCSP_cert_to_id(digest, leaf, issuer) : NULL;
    bool is = own && OCSP_id_cmp(own, id) == 0;

    OCSP_CERTID_free(own);
    return is;
}

static OCSP_SINGLERESP *find(const struct peer_case *peer, STACK_OF(X509) * chain,
                             OCSP_BASICRESP *basic) {
    X509 *issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0);

    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);

        if (is_about(OCSP_SINGLERESP_get0_id(single), peer->leaf, issuer))
            return single;
    }
    return NULL;
}

/* X509_cmp_time() is 0 for what is no date, which then is out of date. */
static bool is_current(const ASN1_GENERALIZEDTIME *from, const ASN1_GENERALIZEDTIME *to,
                       int64_t now) {
    time_t latest = (time_t)(now + OCSP_SKEW_SEC), earliest = (time_t)(now - OCSP_SKEW_SEC);
    time_t oldest = (time_t)(now - OCSP_AGE_MAX_SEC);

    if (!from || X509_cmp_time(from, &latest) >= 0)
        return false;
    return to ? X509_cmp_time(to, &earliest) > 0 : X509_cmp_time(from, &oldest) > 0;
}

static int check_status(struct peer_case *peer, STACK_OF(X509) * chain, OCSP_BASICRESP *basic) {
    OCSP_SINGLERESP *single = find(peer, chain, basic);
    ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
    int status;

    if (!single)
        return is_no_good(peer, "is of another certificate");
    status = OCSP_single_get0_status(single, NULL, NULL, &from, &to);
    if (status == V_OCSP_CERTSTATUS_REVOKED)
        return failure_set(peer->failure, PEER_E_REVOKED,
                           "the certificate of %s was revoked, says OCSP", peer->subject);
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return is_no_good(peer, "says \"unknown\"");
    return is_current(from, to, peer->now) ? 0 : is_no_good(peer, "is out of date");
}

static OCSP_BASICRESP *parse(const uint8_t *ocsp, size_t length) {
    const unsigned char *octets = ocsp;
    OCSP_BASICRESP *basic = NULL;
    OCSP_RESPONSE *response;

    if (length > OCSP_RESPONSE_MAX)
        return NULL;
    response = d2i_OCSP_RESPONSE(NULL, &octets, (long)length);
    if (response && octets == ocsp + length &&
        OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        basic = OCSP_response_get1_basic(response);
    OCSP_RESPONSE_free(response);
    return basic;
}

int peer_check_ocsp(struct peer_case *peer, STACK_OF(X509) * chain, const uint8_t *ocsp,
                    size_t length) {
    _cleanup_(store_freep) X509_STORE *store = make_store(peer, chain);
    _cleanup_(basic_freep) OCSP_BASICRESP *basic = parse(ocsp, length);

    if (!store)
        return -ENOMEM;
    if (!basic)
        return is_no_good(peer, "cannot be read");
    if (OCSP_basic_verify(basic, chain, store, 0) != 1 || !is_strong(peer, chain, basic))
        return is_no_good(peer, "is not signed by its authority with P-256 and SHA-256");
    return check_status(peer, chain, basic);
}
