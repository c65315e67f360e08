/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An enrolment by EST with a server whose answers are the input's parts, in turn: T is a text, B octets in base64, S a status
 * (two octets), E a failure of the request; C and a subjectAltName is the right certificate with that name. What there is no
 * part for, and any other part, is answered right.
 *
 * There is a whole credential (the key, of which the first certificate is, and the name that was asked for), or a named failure
 * and nothing; and in the arena nothing is left.
 */

#include "fuzz-certificate.h"

#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <stdio.h>
#include <strings.h>

#include "est.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "gateway.example.com"

/* --- What is right ---------------------------------------------------------------------------------------- */

static char *certs_only(X509 *certificate) {
    PKCS7 *pkcs7 = PKCS7_new();
    unsigned char *der = NULL;
    char *text = NULL;
    int length;

    check(PKCS7_set_type(pkcs7, NID_pkcs7_signed) == 1 &&
          PKCS7_content_new(pkcs7, NID_pkcs7_data) == 1 && PKCS7_set_detached(pkcs7, 1) == 1 &&
          PKCS7_add_certificate(pkcs7, certificate) == 1);
    length = i2d_PKCS7(pkcs7, &der);
    check(length > 0 && base64_encode(der, (size_t)length, &text) == 0);
    OPENSSL_free(der);
    PKCS7_free(pkcs7);
    return text;
}

static X509_REQ *read_request(const struct http_request *request) {
    uint8_t der[4096];
    const unsigned char *octets = der;
    X509_REQ *csr;
    size_t length;

    check(base64_decode((const char *)request->body, request->body_length, der, sizeof(der),
                        &length) == 0);
    csr = d2i_X509_REQ(NULL, &octets, (long)length);
    check(csr && X509_REQ_verify(csr, X509_REQ_get0_pubkey(csr)) == 1);
    return csr;
}

/* With @names as subjectAltName, which need not be one; NULL for the right one. */
static char *issue(const struct http_request *request, const uint8_t *names, size_t length) {
    X509_REQ *csr = read_request(request);
    X509 *certificate = X509_new();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;
    char *text;

    check(X509_set_version(certificate, X509_VERSION_3) == 1);
    check(ASN1_OCTET_STRING_set(value, names, (int)length) == 1);
    extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    check(extension != NULL);
    if (names)
        check(X509_add_ext(certificate, extension, -1) == 1);
    else
        set_extension(certificate, NID_subject_alt_name, "DNS:" NAME);
    check(sign_again(certificate, X509_REQ_get0_pubkey(csr)));
    text = certs_only(certificate);
    ASN1_OCTET_STRING_free(value);
    X509_EXTENSION_free(extension);
    X509_free(certificate);
    X509_REQ_free(csr);
    return text;
}

/* --- Answers ------------------------------------------------------------------------------------------------ */

static char *in_base64(const uint8_t *octets, size_t length) {
    char *text = NULL;

    check(base64_encode(octets, length, &text) == 0);
    return text;
}

static char *right_answer(const struct http_request *request) {
    if (request->body)
        return issue(request, NULL, 0);
    return strstr(request->url, "/cacerts") ? certs_only(authority()->certificate) : strdup("MAA=");
}

static int ask(void *userdata, const struct http_request *request, struct http_response *ret,
               struct failure *failure) {
    struct input *input = userdata;
    const uint8_t *octets = NULL;
    unsigned status = 200;
    size_t length = 0;
    uint8_t kind = 0;
    char *text;

    if (!next_part(input, &kind, &octets, &length))
        kind = 0;
    if (kind == 'E')
        return failure_set(failure, HTTP_E_CONNECT, "nobody is there");
    if (kind == 'S' && length >= 2)
        status = 100 + (unsigned)(octets[0] << 8 | octets[1]) % 500;
    if (kind == 'T')
        text = strndup((const char *)octets, length);
    else if (kind == 'B')
        text = in_base64(octets, length);
    else if (kind == 'C' && request->body)
        text = issue(request, octets, length);
    else
        text = right_answer(request);
    check(text != NULL);
    *ret = (struct http_response){
        .status = status, .body = (uint8_t *)text, .body_length = strlen(text)};
    ERR_clear_error();
    return 0;
}

static int64_t now(_unused_ void *userdata) {
    return NOW;
}

/* --- What must hold ------------------------------------------------------------------------------------------- */

static void check_whole(const struct est_credential *credential) {
    const unsigned char *der = secret_data(credential->private_key);
    BIO *bio = BIO_new_mem_buf(credential->certificate, -1);
    X509 *own = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &der, (long)secret_length(credential->private_key));

    check(own && key && X509_check_private_key(own, key) == 1);
    check(X509_check_host(own, NAME, strlen(NAME), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1);
    check(credential->not_before < NOW && credential->not_after > NOW);
    check(strstr(credential->anchors, "-----BEGIN CERTIFICATE-----") == credential->anchors);
    EVP_PKEY_free(key);
    X509_free(own);
    BIO_free(bio);
}

static void check_nothing(const struct est_credential *credential, int r,
                          const struct failure *failure) {
    check(!credential->private_key && !credential->certificate && !credential->anchors);
    check(r == HTTP_E_CONNECT || (r >= EST_E_REFUSED && r <= EST_E_CERTIFICATE));
    check(failure->code == r && failure->text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool ready;
    struct input input = {data, size};
    const struct mef_io io = {.ask = ask, .now = now, .userdata = &input};
    const struct est_client client = {.io = &io, .base = "https://mef.example.com/.well-known/est"};
    const struct est_subject subject = {.common_name = NAME, .dns = NAME};
    struct est_credential credential = {0};
    struct failure failure = {0};
    int r;

    if (!ready)
        ready = secret_arena_init() == 0;
    check(ready);
    r = est_enrol(&client, &subject, size % 2 == 1, &credential, &failure);
    check(ERR_peek_error() == 0);
    if (r == 0)
        check_whole(&credential);
    else
        check_nothing(&credential, r, &failure);
    est_credential_done(&credential);
    check(secret_arena_used() == 0);
    ERR_clear_error();
    return 0;
}
