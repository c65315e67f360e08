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

static void cms_freep(CMS_ContentInfo **cms) {
    CMS_ContentInfo_free(*cms);
}

static int read_signers(const char *path, STACK_OF(X509) * *ret, struct failure *failure) {
    _cleanup_(signers_freep) STACK_OF(X509) *signers = sk_X509_new_null();
    _cleanup_(bio_freep) BIO *bio = NULL;
    X509 *certificate;

    if (!path)
        return failure_set(failure, INSTRUCTION_E_SIGNER, "nobody is configured who may sign");
    bio = BIO_new_file(path, "r");
    while (signers && bio && sk_X509_num(signers) < (int)INSTRUCTION_SIGNERS_MAX &&
           (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (sk_X509_push(signers, certificate) <= 0)
            X509_free(certificate);
    ERR_clear_error();
    if (!signers)
        return -ENOMEM;
    if (sk_X509_num(signers) == 0)
        return failure_set(failure, INSTRUCTION_E_SIGNER,
                           "no certificate of a signer can be read from %.200s", path);
    *ret = TAKE_PTR(signers);
    return 0;
}

static CMS_ContentInfo *parse(const uint8_t *cms, size_t length) {
    const unsigned char *octets = cms;
    CMS_ContentInfo *info = d2i_CMS_ContentInfo(NULL, &octets, (long)length);
    BIO *bio;

    if (info || !memmem(cms, length, "-----BEGIN", 10))
        return info;
    bio = BIO_new_mem_buf(cms, (int)length);
    info = bio ? PEM_read_bio_CMS(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return info;
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
    int r;

    if (length <= 0 || length > (long)SECRET_LENGTH_MAX)
        return failure_set(failure, INSTRUCTION_E_MALFORMED,
                           "the document in the signature has %ld octets; 1 to %u are right",
                           length, SECRET_LENGTH_MAX);
    r = secret_new_copy(octets, (size_t)length, ret);
    secret_erase(octets, (size_t)length); /* a token may be in it */
    return r;
}

int instruction_verify(const uint8_t *cms, size_t length, const char *signers,
                       struct secret **ret_document, struct failure *failure) {
    _cleanup_(signers_freep) STACK_OF(X509) *who = NULL;
    _cleanup_(cms_freep) CMS_ContentInfo *info = NULL;
    _cleanup_(bio_freep) BIO *content = NULL;
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
