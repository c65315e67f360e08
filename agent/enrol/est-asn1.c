/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The ASN.1 of EST.
 */

#include <ctype.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "est-asn1.h"
#include "util.h"

int est_decode(const uint8_t *text, size_t length, uint8_t **ret, size_t *ret_length) {
    _cleanup_free_ char *packed = NULL;
    _cleanup_free_ uint8_t *octets = NULL;
    size_t n = 0;

    if (length == 0 || length > EST_ANSWER_MAX)
        return -EINVAL;
    packed = malloc(length + 1);
    octets = malloc(length);
    if (!packed || !octets)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++)
        if (!isspace(text[i]))
            packed[n++] = (char)text[i];
    if (base64_decode(packed, n, octets, length, ret_length) < 0)
        return -EINVAL;
    *ret = TAKE_PTR(octets);
    return 0;
}

/* --- CSR attributes ------------------------------------------------------------------------------------ */

/* A string whose octets are characters of its kind: our request is to repeat them. */
static bool is_text(const ASN1_TYPE *value) {
    bool utf8 = value->type == V_ASN1_UTF8STRING;
    const unsigned char *octets;
    unsigned long character;
    int length, n;

    if (!utf8 && value->type != V_ASN1_PRINTABLESTRING && value->type != V_ASN1_IA5STRING)
        return false;
    octets = ASN1_STRING_get0_data(value->value.asn1_string);
    length = ASN1_STRING_length(value->value.asn1_string);
    for (; length > 0; octets += n, length -= n) {
        n = UTF8_getc(octets, length, &character);
        if (n <= 0 || character == 0 || (!utf8 && n > 1))
            return false;
    }
    return true;
}

static bool take_password(X509_ATTRIBUTE *attribute, struct est_attributes *ret) {
    const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, 0);
    const unsigned char *octets;
    int length;

    ret->challenge = true;
    if (!value)
        return true;
    if (!is_text(value))
        return false;
    octets = ASN1_STRING_get0_data(value->value.asn1_string);
    length = ASN1_STRING_length(value->value.asn1_string);
    if (length > (int)CHALLENGE_PASSWORD_MAX)
        return false;
    memcpy(ret->password, octets, (size_t)length);
    ret->password[length] = '\0';
    return true;
}

/* The curves that will do; none named is any. */
static bool is_other_curve(X509_ATTRIBUTE *attribute) {
    int count = X509_ATTRIBUTE_count(attribute);

    for (int i = 0; i < count; i++) {
        const ASN1_TYPE *value = X509_ATTRIBUTE_get0_type(attribute, i);

        if (value->type == V_ASN1_OBJECT &&
            OBJ_obj2nid(value->value.object) == NID_X9_62_prime256v1)
            return false;
    }
    return count > 0;
}

/* CsrAttrs ::= SEQUENCE OF AttrOrOID: X509_ATTRIBUTEs and bare OIDs, told apart by their tag. */
static bool take_attribute(const ASN1_TYPE *item, struct est_attributes *ret) {
    const unsigned char *octets;
    X509_ATTRIBUTE *attribute;
    bool ok = true;
    int nid;

    if (item->type == V_ASN1_OBJECT) {
        nid = OBJ_obj2nid(item->value.object);
        ret->challenge |= nid == NID_pkcs9_challengePassword;
        ret->other_key |= nid == NID_rsaEncryption;
        return true;
    }
    if (item->type != V_ASN1_SEQUENCE)
        return false;
    octets = item->value.sequence->data;
    attribute = d2i_X509_ATTRIBUTE(NULL, &octets, item->value.sequence->length);
    if (!attribute)
        return false;
    nid = OBJ_obj2nid(X509_ATTRIBUTE_get0_object(attribute));
    if (nid == NID_pkcs9_challengePassword)
        ok = take_password(attribute, ret);
    else
        ret->other_key |= nid == NID_rsaEncryption ||
                          (nid == NID_X9_62_id_ecPublicKey && is_other_curve(attribute));
    X509_ATTRIBUTE_free(attribute);
    return ok;
}

int est_attributes_parse(const uint8_t *der, size_t length, struct est_attributes *ret) {
    const unsigned char *octets = der;
    struct est_attributes attributes = {0};
    ASN1_SEQUENCE_ANY *sequence;
    bool ok;

    sequence = d2i_ASN1_SEQUENCE_ANY(NULL, &octets, (long)length);
    if (!sequence)
        return -EINVAL;
    ok = octets == der + length && sk_ASN1_TYPE_num(sequence) <= (int)EST_ATTRIBUTES_MAX;
    for (int i = 0; ok && i < sk_ASN1_TYPE_num(sequence); i++)
        ok = take_attribute(sk_ASN1_TYPE_value(sequence, i), &attributes);
    sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
    if (!ok)
        return -EINVAL;
    *ret = attributes;
    return 0;
}

/* --- The request --------------------------------------------------------------------------------------- */

/* An X.520 commonName has 64 characters at the most, here as many octets; the whole name is in subjectAltName. */
#define COMMON_NAME_MAX 64u

static bool add_name(X509_REQ *request, const char *common_name) {
    X509_NAME *name = X509_REQ_get_subject_name(request);
    size_t length = strnlen(common_name, COMMON_NAME_MAX + 1);

    if (length > COMMON_NAME_MAX)
        for (length = COMMON_NAME_MAX; length > 0 && (common_name[length] & 0xc0) == 0x80;)
            length--; /* not in the middle of a character */
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)common_name, (int)length, -1, 0) == 1;
}

static bool is_ascii(const char *text) {
    for (; *text; text++)
        if (*text < 0x21 || *text > 0x7e)
            return false;
    return true;
}

static bool add_alternative(GENERAL_NAMES *names, int type, const char *text) {
    GENERAL_NAME *name;
    ASN1_IA5STRING *string;

    if (!text)
        return true;
    if (!text[0] || !is_ascii(text))
        return false;
    name = GENERAL_NAME_new();
    string = ASN1_IA5STRING_new();
    if (!name || !string || ASN1_STRING_set(string, text, -1) != 1) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(string);
        return false;
    }
    GENERAL_NAME_set0_value(name, type, string);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool add_extensions(X509_REQ *request, const struct est_subject *subject) {
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    GENERAL_NAMES *names;
    bool ok;

    if (!subject->dns && !subject->uri)
        return true;
    names = GENERAL_NAMES_new();
    ok = names && add_alternative(names, GEN_DNS, subject->dns) &&
         add_alternative(names, GEN_URI, subject->uri) &&
         X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
         X509_REQ_add_extensions(request, extensions) == 1;
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return ok;
}

static int encode(X509_REQ *request, char **ret) {
    unsigned char *der = NULL;
    int length = i2d_X509_REQ(request, &der), r;

    if (length <= 0)
        return -ENOMEM;
    r = base64_encode(der, (size_t)length, ret);
    OPENSSL_free(der);
    return r;
}

static bool fill_in(X509_REQ *request, EVP_PKEY *key, const struct est_subject *subject,
                    const struct est_attributes *attributes) {
    return X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
           add_name(request, subject->common_name) && add_extensions(request, subject) &&
           X509_REQ_set_pubkey(request, key) == 1 &&
           (attributes->password[0] == '\0' ||
            X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, MBSTRING_UTF8,
                                      (const unsigned char *)attributes->password, -1) == 1);
}

/* ecdsa-with-SHA256 (RFC 5758 3.2) by somebody else's hand. */
static bool put_signature(X509_REQ *request, const uint8_t *signature, size_t length) {
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();

    if (!bits || ASN1_BIT_STRING_set(bits, (uint8_t *)(uintptr_t)signature, (int)length) != 1) {
        ASN1_BIT_STRING_free(bits);
        return false;
    }
    /* All octets count, whatever their last bits are. */
    bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 7);
    bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
    X509_REQ_set0_signature(request, bits);
    return true;
}

static int have_signed(X509_REQ *request, const struct http_signer *signer,
                       struct failure *failure) {
    uint8_t digest[SECURE_DIGEST_LENGTH], signature[SIGNATURE_MAX];
    X509_ALGOR *algorithm = X509_ALGOR_new();
    unsigned char *der = NULL;
    size_t length = 0;
    int size, r;

    if (!algorithm ||
        X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_ecdsa_with_SHA256), V_ASN1_UNDEF, NULL) != 1 ||
        X509_REQ_set1_signature_algo(request, algorithm) != 1) {
        X509_ALGOR_free(algorithm);
        return -ENOMEM;
    }
    X509_ALGOR_free(algorithm);
    size = i2d_re_X509_REQ_tbs(request, &der);
    if (size <= 0 || EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL) != 1) {
        OPENSSL_free(der);
        return -ENOMEM;
    }
    OPENSSL_free(der);
    r = signer->sign(signer->userdata, digest, signature, &length, failure);
    return r == 0 && !put_signature(request, signature, length) ? -ENOMEM : r;
}

int est_request_make(EVP_PKEY *key, const struct http_signer *signer,
                     const struct est_subject *subject, const struct est_attributes *attributes,
                     char **ret, struct failure *failure) {
    X509_REQ *request = X509_REQ_new();
    int r = request && fill_in(request, key, subject, attributes) ? 0 : -EINVAL;

    if (r == 0 && signer)
        r = have_signed(request, signer, failure);
    else if (r == 0 && X509_REQ_sign(request, key, EVP_sha256()) <= 0)
        r = -EINVAL;
    if (r == 0)
        r = encode(request, ret);
    X509_REQ_free(request);
    return r;
}

/* --- Certificates -------------------------------------------------------------------------------------- */

int est_certificates_parse(const uint8_t *text, size_t length, STACK_OF(X509) * *ret) {
    _cleanup_free_ uint8_t *der = NULL;
    const unsigned char *octets;
    STACK_OF(X509) *certificates = NULL;
    PKCS7 *pkcs7;
    size_t size;

    if (est_decode(text, length, &der, &size) < 0)
        return -EINVAL;
    octets = der;
    pkcs7 = d2i_PKCS7(NULL, &octets, (long)size);
    if (pkcs7 && octets == der + size && PKCS7_type_is_signed(pkcs7) && pkcs7->d.sign &&
        sk_X509_num(pkcs7->d.sign->cert) > 0 &&
        sk_X509_num(pkcs7->d.sign->cert) <= (int)PEER_CHAIN_MAX)
        certificates = X509_chain_up_ref(pkcs7->d.sign->cert);
    PKCS7_free(pkcs7);
    if (!certificates)
        return -EINVAL;
    *ret = certificates;
    return 0;
}

char *est_pem(X509 *first, STACK_OF(X509) * certificates) {
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && (!first || PEM_write_bio_X509(bio, first) == 1);
    char *octets, *text = NULL;
    long length;

    for (int i = 0; ok && i < sk_X509_num(certificates); i++)
        if (!first || X509_cmp(first, sk_X509_value(certificates, i)) != 0)
            ok = PEM_write_bio_X509(bio, sk_X509_value(certificates, i)) == 1;
    if (ok) {
        length = BIO_get_mem_data(bio, &octets);
        text = strndup(octets, (size_t)length);
    }
    BIO_free(bio);
    return text;
}
