/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * EST (RFC 7030) against a small authority: what is asked for and in which order, what is taken of what comes back, and every
 * way in which it is not what was asked for. A failure leaves nothing behind, neither in the arena nor where the result would be,
 * and OpenSSL releases no memory in which the private key stands.
 */

#include "est-server.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "arena.h"
#include "est-asn1.h"

#define NAME "gateway.example.com"

static const struct est_subject gateway = {.common_name = NAME, .dns = NAME};

/* --- OpenSSL's memory -------------------------------------------------------------------------------- */

/* While it is watched, what OpenSSL gives back is kept as it then was. */
struct block {
    struct block *next;
    size_t size;
};

static struct block *kept;
static bool watching;

static void *block_take(size_t size, _unused_ const char *file, _unused_ int line) {
    struct block *block = calloc(1, sizeof(*block) + size); /* all of it is looked at */

    if (!block)
        return NULL;
    *block = (struct block){.size = size};
    return block + 1;
}

static void block_give_back(void *octets, _unused_ const char *file, _unused_ int line) {
    struct block *block = octets ? (struct block *)octets - 1 : NULL;

    if (!watching) {
        free(block);
        return;
    }
    if (!block)
        return;
    block->next = kept;
    kept = block;
}

static void *block_resize(void *octets, size_t size, const char *file, int line) {
    void *block = size > 0 ? block_take(size, file, line) : NULL;
    size_t old = octets ? ((struct block *)octets - 1)->size : 0;

    if (block && old > 0)
        memcpy(block, octets, old < size ? old : size);
    if (block || size == 0)
        block_give_back(octets, file, line);
    return block;
}

/* How many of the kept blocks have @octets in them; they are released now. */
static unsigned kept_with(const uint8_t *octets, size_t length) {
    unsigned found = 0;
    struct block *next;

    watching = false;
    for (; kept; kept = next) {
        next = kept->next;
        found += memmem(kept + 1, kept->size, octets, length) != NULL;
        free(kept);
    }
    return found;
}

/* --- Asking -------------------------------------------------------------------------------------------- */

static struct est_server server_new(void) {
    return (struct est_server){
        .root = make(AUTHORITY("the MEF's authority"), NULL),
        .wish = {.subject = NAME, .usage = LEAF_USAGE, .extended = "clientAuth"},
    };
}

static int enrol_as(struct est_server *server, const struct est_subject *subject, bool renew,
                    struct est_credential *ret, struct failure *failure) {
    const struct mef_io io = {.ask = est_ask, .now = est_now, .userdata = server};
    const struct http_handshake handshake = {.psk_identity = "10-gateway@mef.example.com"};
    const struct est_client client = {.io = &io, .base = BASE, .handshake = &handshake};
    int r;

    *failure = (struct failure){0};
    server->paths[0] = '\0';
    r = est_enrol(&client, subject, renew, ret, failure);
    assert_true(ERR_peek_error() == 0);
    if (server->handshake)
        assert_ptr_equal(server->handshake, &handshake);
    server->handshake = NULL;
    return r;
}

static void enrolled(struct est_server *server, const struct est_subject *subject,
                     struct est_credential *ret) {
    struct failure failure;

    if (enrol_as(server, subject, false, ret, &failure) != 0)
        fail_msg("%d: %s", failure.code, failure.text);
}

static void refused(struct est_server *server, int code, const char *words) {
    struct est_credential credential = {.not_before = 77};
    struct failure failure;

    if (enrol_as(server, &gateway, false, &credential, &failure) != code || failure.code != code)
        fail_msg("%d: %s", failure.code, failure.text);
    assert_contains(failure.text, words);
    assert_true(credential.not_before == 77 && !credential.private_key && !credential.certificate &&
                !credential.anchors);
}

/* --- What comes back -------------------------------------------------------------------------------------- */

static unsigned count_certificates(const char *pem) {
    unsigned count = 0;

    while ((pem = strstr(pem, "-----BEGIN CERTIFICATE-----"))) {
        count++;
        pem++;
    }
    return count;
}

static X509 *first_of(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(certificate);
    BIO_free(bio);
    return certificate;
}

static void expect_key(const struct est_credential *credential, X509 *certificate) {
    const unsigned char *der = secret_data(credential->private_key);
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &der, (long)secret_length(credential->private_key));

    assert_non_null(key);
    assert_true(der ==
                secret_data(credential->private_key) + secret_length(credential->private_key));
    assert_int_equal(X509_check_private_key(certificate, key), 1);
    EVP_PKEY_free(key);
}

static void a_certificate_is_issued_for_a_key_that_is_made_here(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential credential = {0};
    X509 *own, *anchor;

    enrolled(&server, &gateway, &credential);
    assert_string_equal(server.paths, "cacerts csrattrs simpleenroll ");
    own = first_of(credential.certificate);
    anchor = first_of(credential.anchors);
    expect_key(&credential, own);
    assert_int_equal(X509_check_host(own, NAME, 0, 0, NULL), 1);
    assert_int_equal(X509_cmp(anchor, server.root.certificate), 0);
    assert_int_equal(count_certificates(credential.certificate), 1);
    assert_int_equal(count_certificates(credential.anchors), 1);
    assert_true(credential.not_before == NOW - DAY && credential.not_after == NOW + DAY);
    X509_free(own);
    X509_free(anchor);
}

/* As OpenSSL would export it, and as it reads it. */
static void expect_export(EVP_PKEY *key) {
    _cleanup_secret_ struct secret *secret = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    const unsigned char *der;
    unsigned char *theirs = NULL;
    EVP_PKEY *again;

    assert_int_equal(est_key_export(key, &secret), 0);
    assert_int_equal(i2d_PKCS8_PRIV_KEY_INFO(info, &theirs), secret_length(secret));
    assert_memory_equal(secret_data(secret), theirs, secret_length(secret));
    der = secret_data(secret);
    again = d2i_AutoPrivateKey(NULL, &der, (long)secret_length(secret));
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    OPENSSL_free(theirs);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(again);
}

/* The key 1, whose point is the curve's generator (SEC 2 2.4.2): 31 octets of zeros in front. */
static EVP_PKEY *key_one(void) {
    static const char hex[] = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                              "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    uint8_t point[65], one[32] = {0};
    char group[] = "P-256";
    size_t length;
    OSSL_PARAM values[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, one, sizeof(one)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    BIGNUM *number = BN_new();

    assert_int_equal(hex_decode(hex, point, sizeof(point), &length), 0);
    assert_int_equal(BN_one(number), 1);
    assert_int_equal(BN_bn2nativepad(number, one, sizeof(one)), sizeof(one));
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, values), 1);
    BN_free(number);
    EVP_PKEY_CTX_free(context);
    return key;
}

static void every_private_key_is_exported_whole(_unused_ void **state) {
    EVP_PKEY *key = key_one();

    expect_export(key);
    EVP_PKEY_free(key);
    for (size_t i = 0; i < 8; i++) {
        key = EVP_EC_gen("P-256");
        expect_export(key);
        EVP_PKEY_free(key);
    }
}

static void another_kind_of_key_is_not_exported(_unused_ void **state) {
    EVP_PKEY *keys[] = {EVP_EC_gen("P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};

    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        struct secret *secret = NULL;

        assert_int_equal(est_key_export(keys[i], &secret), -EIO);
        assert_null(secret);
        EVP_PKEY_free(keys[i]);
    }
    ERR_clear_error();
}

/* RFC 5208 and 5915: the scalar is at octet 36. In the machine's order it is the other way round. */
static void no_memory_that_openssl_releases_has_the_private_key(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential credential = {0};
    uint8_t scalar[32], reversed[32];
    struct block *head;

    watching = true;
    enrolled(&server, &gateway, &credential);
    watching = false;
    for (size_t i = 0; i < 32; i++) {
        scalar[i] = secret_data(credential.private_key)[36 + i];
        reversed[31 - i] = scalar[i];
    }
    for (head = kept; head; head = head->next)
        assert_null(memmem(head + 1, head->size, reversed, sizeof(reversed)));
    assert_int_equal(kept_with(scalar, sizeof(scalar)), 0);
}

/* That the watch sees something. */
static void openssls_own_encoder_would_leave_it_behind(_unused_ void **state) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_secret_ struct secret *secret = NULL;

    assert_int_equal(est_key_export(key, &secret), 0);
    watching = true;
    PKCS8_PRIV_KEY_INFO_free(EVP_PKEY2PKCS8(key));
    assert_true(kept_with(secret_data(secret) + 36, 32) > 0);
    EVP_PKEY_free(key);
}

static void an_intermediate_authority_is_kept_with_it(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential credential = {0};
    X509 *own;

    server.middle = make(AUTHORITY("the middle"), &server.root);
    enrolled(&server, &gateway, &credential);
    assert_int_equal(count_certificates(credential.certificate), 2);
    own = first_of(credential.certificate);
    expect_key(&credential, own);
    X509_free(own);
}

static void a_renewal_is_of_another_key_at_its_own_address(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential first = {0}, second = {0};
    struct failure failure;

    enrolled(&server, &gateway, &first);
    assert_int_equal(enrol_as(&server, &gateway, true, &second, &failure), 0);
    assert_string_equal(server.paths, "cacerts csrattrs simplereenroll ");
    assert_false(secret_equal(first.private_key, second.private_key));
}

/* --- What is asked for --------------------------------------------------------------------------------------- */

static void expect_names(const struct est_server *server, int type, const char *text, int count) {
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(server->request);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    const GENERAL_NAME *name;

    assert_int_equal(count > 0 ? count : -1, sk_GENERAL_NAME_num(names));
    if (count > 0) {
        name = sk_GENERAL_NAME_value(names, 0);
        assert_int_equal(name->type, type);
        assert_int_equal(name->d.ia5->length, strlen(text));
        assert_memory_equal(name->d.ia5->data, text, strlen(text));
    }
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static void expect_common_name(const struct est_server *server, const char *text) {
    char found[256];

    assert_int_equal(X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(server->request),
                                               NID_commonName, found, sizeof(found)),
                     strlen(text));
    assert_string_equal(found, text);
}

static void a_request_has_the_name_in_subject_alt_name(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential first = {0}, second = {0};
    const struct est_subject cse = {.common_name = "//sp.example/mn", .uri = "//sp.example/mn"};

    enrolled(&server, &gateway, &first);
    expect_names(&server, GEN_DNS, NAME, 1);
    expect_common_name(&server, NAME);
    assert_string_equal(server.challenge, "");
    enrolled(&server, &cse, &second);
    expect_names(&server, GEN_URI, "//sp.example/mn", 1);
    expect_common_name(&server, "//sp.example/mn");
}

static void a_name_without_an_alternative_is_in_the_subject(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential credential = {0};
    const struct est_subject plain = {.common_name = NAME}, other = {.common_name = "other"};
    struct failure failure;

    enrolled(&server, &plain, &credential);
    expect_names(&server, GEN_DNS, "", 0);
    assert_int_equal(enrol_as(&server, &other, false, &credential, &failure), EST_E_CERTIFICATE);
    assert_contains(failure.text, "another name, and other is expected");
}

/* 64 octets at the most, and no character in two. */
static void a_long_name_is_cut_in_the_subject_alone(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential first = {0}, second = {0};
    char name[101] = "", cut[65] = "";
    const struct est_subject wide = {.common_name = name, .dns = NAME};

    memset(name, 'a', 100);
    memset(cut, 'a', 64);
    enrolled(&server, &wide, &first);
    expect_common_name(&server, cut);
    memcpy(name + 62, "\xe2\x82\xac", 3);
    cut[62] = '\0';
    enrolled(&server, &wide, &second);
    expect_common_name(&server, cut);
}

static void a_name_that_no_certificate_can_have_is_not_asked_for(_unused_ void **state) {
    static const char *const names[] = {"", "a b", "\xc3\xa4.example", "a\nb"};
    _cleanup_est_server_ struct est_server server = server_new();

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        const struct est_subject subject = {.common_name = NAME, .dns = names[i]};
        struct est_credential credential = {0};
        struct failure failure;

        assert_int_equal(enrol_as(&server, &subject, false, &credential, &failure), -EINVAL);
        assert_contains(failure.text, NAME);
        assert_string_equal(server.paths, "cacerts csrattrs ");
    }
}

static void an_address_that_is_too_long_is_not_asked(_unused_ void **state) {
    char base[HTTP_URL_MAX + 1] = "";
    const struct mef_io io = {.ask = est_ask, .now = est_now};
    const struct est_client client = {.io = &io, .base = base};
    struct est_credential credential = {0};
    struct failure failure = {0};

    memset(base, 'a', sizeof(base) - 1);
    assert_int_equal(est_enrol(&client, &gateway, false, &credential, &failure), -EINVAL);
}

/* --- CSR attributes --------------------------------------------------------------------------------------------- */

#define OID_CHALLENGE "06092a864886f70d010907"
#define OID_SAN       "0603551d11"
#define OID_EC        "06072a8648ce3d0201"
#define OID_P256      "06082a8648ce3d030107"
#define OID_P384      "06052b81040022"
#define OID_RSA       "06092a864886f70d010101"

static void a_challenge_password_is_repeated(_unused_ void **state) {
    static const struct {
        const char *attributes, *challenge;
    } cases[] = {
        {"3014"
         "3012" OID_CHALLENGE "3105"
         "1303616263",
         "abc"},
        {"3014"
         "3012" OID_CHALLENGE "3105"
         "0c03c3a462",
         "\xc3\xa4"
         "b"},
        {"3014"
         "3012" OID_CHALLENGE "3105"
         "1603613b62",
         "a;b"},
        {"3019" OID_SAN "3012" OID_CHALLENGE "3105"
         "1303616263",
         "abc"},
        {"300b" OID_CHALLENGE, ""}, /* wanted, but no value of the MEF's */
        {"300f"
         "300d" OID_CHALLENGE "3100",
         ""},
        {"3000", ""},
        {"3005" OID_SAN, ""},
        {"3019"
         "3017" OID_EC "310c" OID_P256 "0500",
         ""},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_est_server_ struct est_server server = server_new();
        _cleanup_(est_credential_done) struct est_credential credential = {0};

        server.attributes = cases[i].attributes;
        enrolled(&server, &gateway, &credential);
        assert_string_equal(server.challenge, cases[i].challenge);
    }
}

static void an_authority_that_wants_another_key_is_not_asked(_unused_ void **state) {
    static const char *const attributes[] = {
        "3014"
        "3012" OID_EC "3107" OID_P384,
        "300b" OID_RSA,
        "3013"
        "3011" OID_RSA "3104"
        "02021000",
    };

    for (size_t i = 0; i < ELEMENTS(attributes); i++) {
        _cleanup_est_server_ struct est_server server = server_new();

        server.attributes = attributes[i];
        refused(&server, EST_E_REFUSED, "not on P-256");
        assert_string_equal(server.paths, "cacerts csrattrs ");
    }
}

static void attributes_that_are_none_are_told(_unused_ void **state) {
    static const char *const attributes[] = {
        "00",
        "3001",
        "30000500", /* something after it */
        "3002"
        "0500", /* neither an OID nor an Attribute */
        "3002"
        "3000",
        "3012"
        "3010" OID_CHALLENGE "3103"
        "020101", /* a number */
        "3014"
        "3012" OID_CHALLENGE "3105"
        "1303610062", /* a NUL */
        "3014"
        "3012" OID_CHALLENGE "3105"
        "1303619162", /* no ASCII */
        "3014"
        "3012" OID_CHALLENGE "3105"
        "0c0361c3c3", /* no UTF-8 */
    };

    for (size_t i = 0; i < ELEMENTS(attributes); i++) {
        _cleanup_est_server_ struct est_server server = server_new();

        server.attributes = attributes[i];
        refused(&server, EST_E_MALFORMED, "no CsrAttrs");
    }
}

static void more_attributes_than_the_limit_are_refused(_unused_ void **state) {
    char attributes[256] = "3050";
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential credential = {0};

    for (size_t i = 0; i < EST_ATTRIBUTES_MAX; i++)
        (void)strcat(attributes, OID_SAN);
    server.attributes = attributes;
    enrolled(&server, &gateway, &credential);
    memcpy(attributes, "3055", 4);
    (void)strcat(attributes, OID_SAN);
    refused(&server, EST_E_MALFORMED, "no CsrAttrs");
}

/* CsrAttrs with a challengePassword of @length octets, 128 to 65535, in hex. */
static void long_password(size_t length, char *ret) {
    size_t set = length + 4, attribute = set + 4 + 11;

    ret += sprintf(ret, "3082%04zx3082%04zx" OID_CHALLENGE "3182%04zx1382%04zx", attribute + 4,
                   attribute, set, length);
    while (length-- > 0)
        ret += sprintf(ret, "61");
}

static void a_password_beyond_the_limit_is_refused(_unused_ void **state) {
    char attributes[2 * CHALLENGE_PASSWORD_MAX + 128];
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_(est_credential_done) struct est_credential credential = {0};

    server.attributes = attributes;
    long_password(CHALLENGE_PASSWORD_MAX, attributes);
    enrolled(&server, &gateway, &credential);
    assert_int_equal(strlen(server.challenge), CHALLENGE_PASSWORD_MAX);
    long_password(CHALLENGE_PASSWORD_MAX + 1, attributes);
    refused(&server, EST_E_MALFORMED, "no CsrAttrs");
}

static void an_authority_without_attributes_is_asked_at_once(_unused_ void **state) {
    static const unsigned statuses[] = {204, 404};

    for (size_t i = 0; i < ELEMENTS(statuses); i++) {
        _cleanup_est_server_ struct est_server server = server_new();
        _cleanup_(est_credential_done) struct est_credential credential = {0};

        server.csrattrs.status = statuses[i];
        enrolled(&server, &gateway, &credential);
    }
}

/* --- Answers that mean no -------------------------------------------------------------------------------------------- */

static void each_status_is_an_outcome_at_each_step(_unused_ void **state) {
    static const struct {
        unsigned status;
        int outcome;
    } cases[] = {
        {202, EST_E_PENDING},   {400, EST_E_REFUSED},   {401, EST_E_REFUSED},
        {403, EST_E_REFUSED},   {429, EST_E_BUSY},      {500, EST_E_BUSY},
        {503, EST_E_BUSY},      {302, EST_E_MALFORMED}, {204, EST_E_MALFORMED},
        {404, EST_E_MALFORMED}, {415, EST_E_MALFORMED},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++)
        for (size_t step = 0; step < 3; step++) {
            _cleanup_est_server_ struct est_server server = server_new();
            struct answer *answers[] = {&server.cacerts, &server.enroll, &server.csrattrs};

            if (step == 2 && (cases[i].status == 204 || cases[i].status == 404))
                continue; /* has none */
            answers[step]->status = cases[i].status;
            refused(&server, cases[i].outcome, BASE);
        }
}

static void a_failure_on_the_way_is_passed_on(_unused_ void **state) {
    static const int failures[] = {HTTP_E_CONNECT, PEER_E_NAME, UB_E_CANCELLED, -ENOMEM};

    for (size_t i = 0; i < ELEMENTS(failures); i++)
        for (size_t step = 0; step < 3; step++) {
            _cleanup_est_server_ struct est_server server = server_new();
            struct answer *answers[] = {&server.cacerts, &server.csrattrs, &server.enroll};

            answers[step]->fails = failures[i];
            refused(&server, failures[i], "said so");
        }
}

static void answers_without_certificates_are_told(_unused_ void **state) {
    static const char *const bodies[] = {
        "",
        "\r\n",
        "no base64!",
        "AAAA",
        "MAA=",                     /* an empty SEQUENCE */
        "MBQGA1UEAwwNbm90IHBrY3M=", /* cut */
        "MAsGCSqGSIb3DQEHAg==",     /* SignedData without any */
        "MA8GCSqGSIb3DQEHAaACBAA=", /* data */
    };

    for (size_t i = 0; i < ELEMENTS(bodies); i++)
        for (size_t step = 0; step < 2; step++) {
            _cleanup_est_server_ struct est_server server = server_new();

            *(step ? &server.cacerts : &server.enroll) = (struct answer){.body = bodies[i]};
            refused(&server, EST_E_MALFORMED, "no certificates");
        }
}

static void certificates_with_something_behind_them_are_none(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_free_ char *text = certs_only((X509 *[]){server.root.certificate, NULL});
    uint8_t der[4096];
    size_t length = 0, n = 0;

    for (size_t i = 0; text[i]; i++)
        if (text[i] != '\r' && text[i] != '\n')
            text[n++] = text[i];
    assert_int_equal(base64_decode(text, n, der, sizeof(der) - 1, &length), 0);
    der[length] = 0;
    {
        _cleanup_free_ char *longer = in_lines(der, length + 1);

        server.cacerts.body = longer;
        refused(&server, EST_E_MALFORMED, "no certificates");
    }
}

static void an_answer_beyond_the_limits_is_refused(_unused_ void **state) {
    _cleanup_est_server_ struct est_server many = server_new(), large = server_new();
    _cleanup_free_ char *body = calloc(1, EST_ANSWER_MAX + 2);

    assert_non_null(body);
    memset(body, 'A', EST_ANSWER_MAX + 1);
    large.enroll.body = body;
    refused(&large, EST_E_MALFORMED, "no certificates");
    many.many = true;
    refused(&many, EST_E_MALFORMED, "no certificates");
}

/* --- Certificates that are not what was asked for ---------------------------------------------------------------------- */

static void a_certificate_of_another_key_is_refused(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();

    server.other_key = true;
    refused(&server, EST_E_CERTIFICATE, "of another key");
}

static void a_certificate_of_another_name_is_refused(_unused_ void **state) {
    static const char *const names[] = {"DNS:other.example", "URI:https://" NAME "/",
                                        "DNS:*.example.com", ("email:a@" NAME)};
    _cleanup_est_server_ struct est_server none = server_new(), any_case = server_new();
    _cleanup_(est_credential_done) struct est_credential credential = {0};

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        _cleanup_est_server_ struct est_server server = server_new();

        server.wish.names = names[i];
        refused(&server, EST_E_CERTIFICATE, "another name, and " NAME " is expected");
    }
    none.without_names = true; /* in the subject it does not count */
    refused(&none, EST_E_CERTIFICATE, "another name");
    any_case.wish.names = "DNS:else.example,DNS:Gateway.Example.com";
    enrolled(&any_case, &gateway, &credential);
}

static void a_certificate_of_another_authority_is_refused(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();
    _cleanup_identity_ struct identity stranger = make(AUTHORITY("a stranger"), NULL);
    _cleanup_identity_ struct identity impostor = make(AUTHORITY("the MEF's authority"), NULL);
    _cleanup_identity_ struct identity no_authority =
        make(&(const struct wish){.subject = "a gateway", .usage = LEAF_USAGE}, &server.root);

    server.signer = &stranger;
    refused(&server, EST_E_CERTIFICATE, "does not come from its authority");
    server.signer = &impostor;
    refused(&server, EST_E_CERTIFICATE, "does not come from its authority");
    server.signer = NULL;
    server.shown = &stranger;
    refused(&server, EST_E_CERTIFICATE, "does not come from its authority");
    server.shown = &no_authority;
    server.signer = &no_authority;
    refused(&server, EST_E_CERTIFICATE, "does not come from its authority");
}

static void a_certificate_that_is_not_valid_now_is_refused(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new();

    server.wish.from = -2 * DAY;
    server.wish.to = -HOUR;
    refused(&server, EST_E_CERTIFICATE, "certificate has expired");
    server.wish.from = HOUR;
    server.wish.to = DAY;
    refused(&server, EST_E_CERTIFICATE, "not yet valid");
}

static void a_certificate_that_a_mef_would_not_take_is_refused(_unused_ void **state) {
    _cleanup_est_server_ struct est_server server = server_new(), wide = server_new();

    server.wish.digest = EVP_sha384();
    refused(&server, EST_E_CERTIFICATE, "ecdsa-with-SHA256 is expected");
    server.wish.digest = NULL;
    server.wish.usage = "keyAgreement";
    refused(&server, EST_E_CERTIFICATE, "not for signatures");
    server.wish.usage = LEAF_USAGE;
    server.wish.extended = "serverAuth";
    refused(&server, EST_E_CERTIFICATE, "purpose");
    identity_done(&wide.root);
    wide.root = make(
        &(const struct wish){
            .subject = "wide", .basic = "CA:TRUE", .usage = CA_USAGE, .curve = "P-384"},
        NULL);
    refused(&wide, EST_E_CERTIFICATE, "P-256 is expected");
}

#define TEST(name) cmocka_unit_test_teardown(name, arena_empty)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_is_issued_for_a_key_that_is_made_here),
        TEST(every_private_key_is_exported_whole),
        TEST(another_kind_of_key_is_not_exported),
        TEST(no_memory_that_openssl_releases_has_the_private_key),
        TEST(openssls_own_encoder_would_leave_it_behind),
        TEST(an_intermediate_authority_is_kept_with_it),
        TEST(a_renewal_is_of_another_key_at_its_own_address),
        TEST(a_request_has_the_name_in_subject_alt_name),
        TEST(a_name_without_an_alternative_is_in_the_subject),
        TEST(a_long_name_is_cut_in_the_subject_alone),
        TEST(a_name_that_no_certificate_can_have_is_not_asked_for),
        TEST(an_address_that_is_too_long_is_not_asked),
        TEST(a_challenge_password_is_repeated),
        TEST(an_authority_that_wants_another_key_is_not_asked),
        TEST(attributes_that_are_none_are_told),
        TEST(more_attributes_than_the_limit_are_refused),
        TEST(a_password_beyond_the_limit_is_refused),
        TEST(an_authority_without_attributes_is_asked_at_once),
        TEST(each_status_is_an_outcome_at_each_step),
        TEST(a_failure_on_the_way_is_passed_on),
        TEST(answers_without_certificates_are_told),
        TEST(certificates_with_something_behind_them_are_none),
        TEST(an_answer_beyond_the_limits_is_refused),
        TEST(a_certificate_of_another_key_is_refused),
        TEST(a_certificate_of_another_name_is_refused),
        TEST(a_certificate_of_another_authority_is_refused),
        TEST(a_certificate_that_is_not_valid_now_is_refused),
        TEST(a_certificate_that_a_mef_would_not_take_is_refused),
    };

    if (CRYPTO_set_mem_functions(block_take, block_resize, block_give_back) != 1)
        return 1;
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
