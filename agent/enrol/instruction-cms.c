/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The signature of an instruction document (RFC 5652).
 *
 * The signers' certificates are pinned: exactly these may sign, whoever issued them and whatever their dates. A gateway that has
 * been in a cupboard for three years is to take the document that brings it up to date.
 */

#include <errno.h>
#include <openssl/pem.h> /* before cms.h, which declares its PEM only then */

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

#include "instruction.h"
#include "util.h"

static void signers_freep(STACK_OF(X509) * *signers) {
    sk_X509_pop_free(*signers, X509_free);
}

static void bio_freep(BIO **bio) {
    BIO_free(*bio);
}

/* OpenSSL releases the content as it is, and a token may be in it. */
static void cms_freep(CMS_ContentInfo **cms) {
    ASN1_OCTET_STRING **content = *cms ? CMS_get0_content(*cms) : NULL;

    if (content && *content)
        secret_erase((*content)->data, (size_t)(*content)->length);
    CMS_ContentInfo_free(*cms);
    ERR_clear_error();
}

/* Likewise of what it has copied out. */
static void content_freep(BIO **bio) {
    char *octets = NULL;
    long length = *bio ? BIO_get_mem_data(*bio, &octets) : 0;

    if (length > 0)
        secret_erase(octets, (size_t)length);
    BIO_free(*bio);
}

/* All of them or none: half a list would refuse somebody without a word on why. */
static int read_certificates(BIO *bio, STACK_OF(X509) * ret) {
    X509 *certificate;
    unsigned long error;

    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (sk_X509_num(ret) == (int)INSTRUCTION_SIGNERS_MAX ||
            sk_X509_push(ret, certificate) <= 0) {
            X509_free(certificate);
            return -E2BIG;
        }
    error = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
               ? 0
               : -EBADMSG;
}

static int read_signers(const char *path, STACK_OF(X509) * *ret, struct failure *failure) {
    _cleanup_(signers_freep) STACK_OF(X509) *signers = sk_X509_new_null();
    _cleanup_(bio_freep) BIO *bio = NULL;
    int r;

    if (!signers)
        return -ENOMEM;
    if (!path)
        return failure_set(failure, INSTRUCTION_E_SIGNER, "nobody is configured who may sign");
    bio = BIO_new_file(path, "r");
    r = bio ? read_certificates(bio, signers) : -errno;
    ERR_clear_error();
    if (r == -E2BIG)
        return failure_set(failure, INSTRUCTION_E_SIGNER,
                           "%.200s has more than %u certificates of signers", path,
                           INSTRUCTION_SIGNERS_MAX);
    if (r == -EBADMSG || (r == 0 && sk_X509_num(signers) == 0))
        return failure_set(failure, INSTRUCTION_E_SIGNER,
                           "certificate %d in %.200s, of who may sign, cannot be read",
                           sk_X509_num(signers) + 1, path);
    if (r < 0)
        return failure_set(failure, INSTRUCTION_E_SIGNER,
                           "the certificates of who may sign cannot be read from %.200s: %s", path,
                           strerror(-r));
    *ret = TAKE_PTR(signers);
    return 0;
}

/* What stands in the PEM is decoded in OpenSSL's locked heap, for a token may be in it. */
static CMS_ContentInfo *parse_pem(const uint8_t *cms, size_t length) {
    _cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(cms, (int)length);
    CMS_ContentInfo *info = NULL;
    const unsigned char *octets;
    unsigned char *der = NULL;
    long der_length = 0;

    if (!bio ||
        PEM_bytes_read_bio_secmem(&der, &der_length, NULL, PEM_STRING_CMS, bio, NULL, NULL) != 1)
        return NULL;
    octets = der;
    info = d2i_CMS_ContentInfo(NULL, &octets, der_length);
    OPENSSL_secure_clear_free(der, (size_t)der_length);
    return info;
}

static CMS_ContentInfo *parse(const uint8_t *cms, size_t length) {
    const unsigned char *octets = cms;
    CMS_ContentInfo *info = d2i_CMS_ContentInfo(NULL, &octets, (long)length);

    return info || !memmem(cms, length, "-----BEGIN", 10) ? info : parse_pem(cms, length);
}

/* A digest that can be made to collide proves nothing. */
static bool digests_are_strong(CMS_ContentInfo *cms) {
    STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(cms);

    for (int i = 0; i < sk_CMS_SignerInfo_num(infos); i++) {
        X509_ALGOR *digest = NULL;
        const ASN1_OBJECT *name;
        int nid;

        CMS_SignerInfo_get0_algs(sk_CMS_SignerInfo_value(infos, i), NULL, NULL, &digest, NULL);
        X509_ALGOR_get0(&name, NULL, NULL, digest);
        nid = OBJ_obj2nid(name);
        if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512)
            return false;
    }
    return sk_CMS_SignerInfo_num(infos) > 0;
}

static int take_content(BIO *bio, struct secret **ret, struct failure *failure) {
    char *octets = NULL;
    long length = BIO_get_mem_data(bio, &octets);

    if (length <= 0 || length > (long)SECRET_LENGTH_MAX)
        return failure_set(failure, INSTRUCTION_E_MALFORMED,
                           "the document in the signature has %ld octets; 1 to %u are right",
                           length, SECRET_LENGTH_MAX);
    return secret_new_copy(octets, (size_t)length, ret);
}

int instruction_verify(const uint8_t *cms, size_t length, const char *signers,
                       struct secret **ret_document, struct failure *failure) {
    _cleanup_(signers_freep) STACK_OF(X509) *who = NULL;
    _cleanup_(cms_freep) CMS_ContentInfo *info = NULL;
    _cleanup_(content_freep) BIO *content = NULL;
    int r;

    r = read_signers(signers, &who, failure);
    if (r != 0)
        return r;
    if (length > 0 && length <= INSTRUCTION_MAX)
        info = parse(cms, length);
    if (!info || OBJ_obj2nid(CMS_get0_type(info)) != NID_pkcs7_signed || CMS_is_detached(info) != 0)
        return failure_set(failure, INSTRUCTION_E_MALFORMED,
                           "it is no CMS SignedData with its content (RFC 5652)");
    content = BIO_new(BIO_s_mem());
    if (!content)
        return -ENOMEM;
    if (!digests_are_strong(info) ||
        CMS_verify(info, who, NULL, NULL, content,
                   CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY) != 1) {
        ERR_clear_error();
        return failure_set(failure, INSTRUCTION_E_SIGNATURE,
                           "its signature is wrong, or of nobody who is configured");
    }
    return take_content(content, ret_document, failure);
}
