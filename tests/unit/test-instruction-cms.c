/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The signature of instruction documents, which are signed here, by the API and by openssl(1): who may sign is exactly who is
 * configured, no changed octet passes, and what OpenSSL releases has no token in it.
 *
 * For the last of these OpenSSL is given functions of memory that look into what it gives back.
 */

#include "conf-helpers.h"

#include <openssl/pem.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "arena.h"
#include "instruction.h"

#define TOKEN    "token-of-water-0123"
#define DOCUMENT "{\"serial\": 1, \"profiles\": [], \"remove\": [\"" TOKEN "\"]}"

struct signer {
    EVP_PKEY *key;
    X509 *certificate;
};

/* Where OpenSSL's blocks begin: their length, for the look into them. */
#define BLOCK_HEAD 16u

static unsigned tokens_released;

/* --- OpenSSL's memory -------------------------------------------------------------------------------- */

/* Of zeros, so that what is found in it was written by OpenSSL. */
static void *block_take(size_t size, _unused_ const char *file, _unused_ int line) {
    uint8_t *block = calloc(1, size + BLOCK_HEAD);

    if (!block)
        return NULL;
    memcpy(block, &size, sizeof(size));
    return block + BLOCK_HEAD;
}

static void block_give_back(void *octets, _unused_ const char *file, _unused_ int line) {
    uint8_t *block = octets ? (uint8_t *)octets - BLOCK_HEAD : NULL;
    size_t size;

    if (!block)
        return;
    memcpy(&size, block, sizeof(size));
    tokens_released += memmem(octets, size, TOKEN, strlen(TOKEN)) != NULL;
    free(block);
}

static void *block_resize(void *octets, size_t size, const char *file, int line) {
    void *block = size > 0 ? block_take(size, file, line) : NULL;
    size_t old = 0;

    if (octets)
        memcpy(&old, (uint8_t *)octets - BLOCK_HEAD, sizeof(old));
    if (block && old > 0)
        memcpy(block, octets, old < size ? old : size);
    if (block || size == 0)
        block_give_back(octets, file, line);
    return block;
}

/* --- Signers and what they sign ------------------------------------------------------------------------ */

/* Valid from @from to @until, in seconds from now. */
static struct signer signer_new(const char *name, int serial, long from, long until) {
    struct signer signer = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    X509_NAME *subject = X509_get_subject_name(signer.certificate);

    assert_non_null(signer.key);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(signer.certificate), serial), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(signer.certificate, subject), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(signer.certificate), from));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(signer.certificate), until));
    assert_int_equal(X509_set_pubkey(signer.certificate, signer.key), 1);
    assert_true(X509_sign(signer.certificate, signer.key, EVP_sha256()) > 0);
    return signer;
}

static void signer_done(struct signer *signer) {
    EVP_PKEY_free(signer->key);
    X509_free(signer->certificate);
}

#define _cleanup_signer_ _cleanup_(signer_done)

static struct signer anyone(void) {
    return signer_new("operator", 1, -3600, 3600);
}

/* The file @name with the certificates of @signers is those who may sign; its path in @ret. */
static void write_signers(const char *directory, const struct signer *const *signers, size_t count,
                          char ret[PATH_SIZE]) {
    FILE *f = fopen(path_in(directory, "signers.pem", ret), "we");

    assert_non_null(f);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(PEM_write_X509(f, signers[i]->certificate), 1);
    assert_int_equal(fclose(f), 0);
}

static void trust(const char *directory, const struct signer *signer, char ret[PATH_SIZE]) {
    write_signers(directory, &signer, 1, ret);
}

static CMS_ContentInfo *sign(const struct signer *const *signers, size_t count, const void *content,
                             size_t length, const EVP_MD *digest, unsigned flags) {
    BIO *data = BIO_new_mem_buf(content, (int)length);
    CMS_ContentInfo *cms;

    flags |= CMS_BINARY;
    cms = CMS_sign(NULL, NULL, NULL, data, flags | CMS_PARTIAL);
    assert_non_null(cms);
    for (size_t i = 0; i < count; i++)
        assert_non_null(
            CMS_add1_signer(cms, signers[i]->certificate, signers[i]->key, digest, flags));
    if (CMS_final(cms, data, NULL, flags) != 1) {
        assert_int_equal(count,
                         0); /* OpenSSL makes none without a signer, but for the outer shape */
        ERR_clear_error();
    }
    BIO_free(data);
    return cms;
}

/* As DER or PEM; the caller frees it. */
static uint8_t *written(CMS_ContentInfo *cms, bool pem, size_t *ret_length) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *octets;
    uint8_t *copy;

    assert_int_equal(pem ? PEM_write_bio_CMS(bio, cms) : i2d_CMS_bio(bio, cms), 1);
    *ret_length = (size_t)BIO_get_mem_data(bio, &octets);
    copy = malloc(*ret_length);
    assert_non_null(copy);
    memcpy(copy, octets, *ret_length);
    BIO_free(bio);
    CMS_ContentInfo_free(cms);
    return copy;
}

static uint8_t *signed_by(const struct signer *signer, bool pem, size_t *ret_length) {
    return written(sign(&signer, 1, DOCUMENT, strlen(DOCUMENT), EVP_sha256(), 0), pem, ret_length);
}

/* --- What is expected ---------------------------------------------------------------------------------- */

static void taken(const uint8_t *cms, size_t length, const char *signers) {
    _cleanup_secret_ struct secret *document = NULL;
    struct failure failure = {0};

    if (instruction_verify(cms, length, signers, &document, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(secret_length(document), strlen(DOCUMENT));
    assert_memory_equal(secret_data(document), DOCUMENT, strlen(DOCUMENT));
}

static void refused(const uint8_t *cms, size_t length, const char *signers, int code,
                    const char *words) {
    struct secret *document = NULL;
    struct failure failure = {0};
    int r = instruction_verify(cms, length, signers, &document, &failure);

    assert_null(document);
    if (r != code || failure.code != code || !strstr(failure.text, words))
        fail_msg("%d: %s", r, failure.text);
    assert_true(ERR_peek_error() == 0); /* nothing is left for whoever asks next */
}

/* --- Who may sign ---------------------------------------------------------------------------------------- */

static void a_document_of_a_signer_is_taken_as_der_and_as_pem(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    char signers[PATH_SIZE];

    trust(*state, &signer, signers);
    for (int pem = 0; pem < 2; pem++) {
        size_t length;
        _cleanup_free_ uint8_t *cms = signed_by(&signer, pem, &length);

        taken(cms, length, signers);
    }
}

static void the_digests_of_sha_2_are_taken_and_sha_1_is_not(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    const struct signer *who = &signer;
    const EVP_MD *const digests[] = {EVP_sha256(), EVP_sha384(), EVP_sha512(), EVP_sha1()};
    char signers[PATH_SIZE];

    trust(*state, &signer, signers);
    for (size_t i = 0; i < ELEMENTS(digests); i++) {
        size_t length;
        _cleanup_free_ uint8_t *cms =
            written(sign(&who, 1, DOCUMENT, strlen(DOCUMENT), digests[i], 0), false, &length);

        if (digests[i] == EVP_sha1())
            refused(cms, length, signers, INSTRUCTION_E_SIGNATURE, "");
        else
            taken(cms, length, signers);
    }
}

/* The date of a signature is its signer's own word, so that no date is looked at. */
static void the_dates_of_a_signers_certificate_are_not_looked_at(void **state) {
    static const long dates[][2] = {{-7200, -3600}, {3600, 7200}};
    char signers[PATH_SIZE];

    for (size_t i = 0; i < ELEMENTS(dates); i++) {
        _cleanup_signer_ struct signer signer = signer_new("old", 1, dates[i][0], dates[i][1]);
        size_t length;
        _cleanup_free_ uint8_t *cms = signed_by(&signer, false, &length);

        trust(*state, &signer, signers);
        taken(cms, length, signers);
    }
}

/* Its certificate is in the document, and may bear the signer's own name and serial number. */
static void a_document_of_somebody_else_is_refused(void **state) {
    _cleanup_signer_ struct signer signer = anyone(), same_name = anyone();
    _cleanup_signer_ struct signer other = signer_new("stranger", 2, -3600, 3600);
    const struct signer *const forgers[] = {&same_name, &other};
    char signers[PATH_SIZE];

    trust(*state, &signer, signers);
    for (size_t i = 0; i < ELEMENTS(forgers); i++) {
        size_t length;
        _cleanup_free_ uint8_t *cms = signed_by(forgers[i], false, &length);

        refused(cms, length, signers, INSTRUCTION_E_SIGNATURE, "nobody who is configured");
    }
}

static void whom_the_signer_has_certified_may_not_sign(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    _cleanup_signer_ struct signer child = signer_new("child", 3, -3600, 3600);
    _cleanup_free_ uint8_t *cms = NULL;
    char signers[PATH_SIZE];
    size_t length;

    assert_int_equal(
        X509_set_issuer_name(child.certificate, X509_get_subject_name(signer.certificate)), 1);
    assert_true(X509_sign(child.certificate, signer.key, EVP_sha256()) > 0);
    trust(*state, &signer, signers);
    cms = signed_by(&child, false, &length);
    refused(cms, length, signers, INSTRUCTION_E_SIGNATURE, "");
}

static void of_several_signatures_each_must_be_of_a_signer(void **state) {
    _cleanup_signer_ struct signer one = signer_new("one", 1, -3600, 3600);
    _cleanup_signer_ struct signer two = signer_new("two", 2, -3600, 3600);
    const struct signer *const both[] = {&one, &two};
    _cleanup_free_ uint8_t *cms = NULL;
    char signers[PATH_SIZE];
    size_t length;

    cms = written(sign(both, 2, DOCUMENT, strlen(DOCUMENT), EVP_sha256(), 0), false, &length);
    write_signers(*state, both, 2, signers);
    taken(cms, length, signers);
    trust(*state, &one, signers);
    refused(cms, length, signers, INSTRUCTION_E_SIGNATURE, "");
    trust(*state, &two, signers);
    refused(cms, length, signers, INSTRUCTION_E_SIGNATURE, "");
}

static void any_of_the_signers_may_sign_alone(void **state) {
    struct signer all[INSTRUCTION_SIGNERS_MAX + 1];
    const struct signer *who[INSTRUCTION_SIGNERS_MAX + 1];
    char signers[PATH_SIZE];

    for (size_t i = 0; i < ELEMENTS(all); i++) {
        all[i] = signer_new("one of many", (int)i + 1, -3600, 3600);
        who[i] = &all[i];
    }
    write_signers(*state, who, INSTRUCTION_SIGNERS_MAX, signers);
    for (size_t i = 0; i < ELEMENTS(all); i++) {
        size_t length;
        _cleanup_free_ uint8_t *cms = signed_by(&all[i], false, &length);

        if (i < INSTRUCTION_SIGNERS_MAX)
            taken(cms, length, signers);
        else
            refused(cms, length, signers, INSTRUCTION_E_SIGNATURE, "");
    }
    write_signers(*state, who, INSTRUCTION_SIGNERS_MAX + 1, signers);
    refused((const uint8_t *)"x", 1, signers, INSTRUCTION_E_SIGNER, "more than 8");
    for (size_t i = 0; i < ELEMENTS(all); i++)
        signer_done(&all[i]);
}

static void a_list_of_signers_that_cannot_be_read_is_named(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    size_t length;
    _cleanup_free_ uint8_t *cms = signed_by(&signer, false, &length);
    char path[PATH_SIZE];
    FILE *f;

    refused(cms, length, NULL, INSTRUCTION_E_SIGNER, "nobody is configured");
    refused(cms, length, path_in(*state, "none.pem", path), INSTRUCTION_E_SIGNER,
            "none.pem: No such file");
    refused(cms, length, *state, INSTRUCTION_E_SIGNER, *state);
    write_octets(*state, "empty.pem", "", 0);
    refused(cms, length, path_in(*state, "empty.pem", path), INSTRUCTION_E_SIGNER, "empty.pem");

    /* One that is broken is no reason to go on without it. */
    trust(*state, &signer, path);
    taken(cms, length, path);
    f = fopen(path, "ae");
    assert_non_null(f);
    assert_true(fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    refused(cms, length, path, INSTRUCTION_E_SIGNER, "certificate 2 in ");
}

/* --- What was changed ------------------------------------------------------------------------------------ */

/* A change may hit what nobody reads, as the certificates that come along; the document never. */
static void no_changed_octet_makes_another_document(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    const struct signer *who = &signer;
    size_t length, changed = 0;
    _cleanup_free_ uint8_t *cms = written(
        sign(&who, 1, DOCUMENT, strlen(DOCUMENT), EVP_sha256(), CMS_NOCERTS), false, &length);
    char signers[PATH_SIZE];

    trust(*state, &signer, signers);
    for (size_t i = 0; i < length; i++) {
        _cleanup_secret_ struct secret *document = NULL;
        uint8_t bit = (uint8_t)(1 << i % 8);

        cms[i] ^= bit;
        if (instruction_verify(cms, length, signers, &document, NULL) == 0) {
            assert_int_equal(secret_length(document), strlen(DOCUMENT));
            assert_memory_equal(secret_data(document), DOCUMENT, strlen(DOCUMENT));
            changed++;
        }
        cms[i] ^= bit;
    }
    assert_true(changed < length / 4);
    taken(cms, length, signers);
}

static void no_part_of_a_document_is_one(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    char signers[PATH_SIZE];

    trust(*state, &signer, signers);
    for (int pem = 0; pem < 2; pem++) {
        size_t length;
        _cleanup_free_ uint8_t *cms = signed_by(&signer, pem, &length);

        /* What follows the last "-" of a PEM is white space. */
        for (size_t i = 0; i < length - 2u * (unsigned)pem; i++) {
            _cleanup_free_ uint8_t *part = malloc(i + 1);

            memcpy(part, cms, i);
            refused(part, i, signers, INSTRUCTION_E_MALFORMED, "");
        }
    }
}

static void what_has_no_content_or_no_signature_is_refused(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    const struct signer *who = &signer;
    char signers[PATH_SIZE];
    size_t length;
    uint8_t *cms;
    BIO *data;

    trust(*state, &signer, signers);
    cms = written(sign(&who, 1, DOCUMENT, strlen(DOCUMENT), EVP_sha256(), CMS_DETACHED), false,
                  &length);
    refused(cms, length, signers, INSTRUCTION_E_MALFORMED, "content");
    free(cms);
    cms = written(sign(&who, 1, "", 0, EVP_sha256(), 0), false, &length);
    refused(cms, length, signers, INSTRUCTION_E_MALFORMED, "0 octets");
    free(cms);
    cms = written(sign(NULL, 0, DOCUMENT, strlen(DOCUMENT), EVP_sha256(), 0), false, &length);
    refused(cms, length, signers, INSTRUCTION_E_SIGNATURE, "");
    free(cms);
    data = BIO_new_mem_buf(DOCUMENT, -1);
    cms = written(CMS_data_create(data, CMS_BINARY), false, &length);
    BIO_free(data);
    refused(cms, length, signers, INSTRUCTION_E_MALFORMED, "SignedData");
    free(cms);
    refused((const uint8_t *)DOCUMENT, strlen(DOCUMENT), signers, INSTRUCTION_E_MALFORMED, "");
}

static void a_document_has_its_limits(void **state) {
    _cleanup_signer_ struct signer signer = anyone();
    const struct signer *who = &signer;
    static char content[SECRET_LENGTH_MAX + 1];
    static uint8_t much[INSTRUCTION_MAX + 1];
    char signers[PATH_SIZE];

    trust(*state, &signer, signers);
    memset(content, ' ', sizeof(content));
    for (size_t over = 0; over < 2; over++)
        for (int pem = 0; pem < 2; pem++) {
            _cleanup_secret_ struct secret *document = NULL;
            size_t length;
            _cleanup_free_ uint8_t *cms = written(
                sign(&who, 1, content, SECRET_LENGTH_MAX + over, EVP_sha256(), 0), pem, &length);

            if (over)
                refused(cms, length, signers, INSTRUCTION_E_MALFORMED, "4097 octets");
            else
                assert_int_equal(instruction_verify(cms, length, signers, &document, NULL), 0);
        }
    refused(much, sizeof(much), signers, INSTRUCTION_E_MALFORMED, "");
    refused(much, 0, signers, INSTRUCTION_E_MALFORMED, "");
}

/* --- openssl(1) -------------------------------------------------------------------------------------------- */

/* By which -keyid names a signer. */
static void add_key_identifier(struct signer *signer) {
    X509_EXTENSION *extension;
    X509V3_CTX context;

    X509V3_set_ctx(&context, signer->certificate, signer->certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_key_identifier, "hash");
    assert_int_equal(X509_add_ext(signer->certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(signer->certificate, signer->key, EVP_sha256()) > 0);
}

static void what_openssl_cms_signs_is_taken(void **state) {
    static const char *const ways[] = {
        "-outform DER",          "-outform PEM",        "-outform DER -stream",
        "-nocerts -outform DER", "-keyid -outform DER", "-noattr -md sha512 -outform PEM",
    };
    _cleanup_signer_ struct signer signer = anyone();
    char signers[PATH_SIZE], path[PATH_SIZE], command[2 * PATH_SIZE];
    static uint8_t cms[INSTRUCTION_MAX];
    FILE *f;

    add_key_identifier(&signer);
    trust(*state, &signer, signers);
    f = fopen(path_in(*state, "key.pem", path), "we");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, signer.key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);
    write_octets(*state, "document", DOCUMENT, strlen(DOCUMENT));
    for (size_t i = 0; i < ELEMENTS(ways); i++) {
        size_t length;

        (void)snprintf(command, sizeof(command),
                       "cd %s && openssl cms -sign -binary -nodetach -signer signers.pem -inkey "
                       "key.pem -in document -out cms %s",
                       (const char *)*state, ways[i]);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
        f = fopen(path_in(*state, "cms", path), "re");
        assert_non_null(f);
        length = fread(cms, 1, sizeof(cms), f);
        assert_int_equal(fclose(f), 0);
        taken(cms, length, signers);
    }
}

/* --- Memory ------------------------------------------------------------------------------------------------ */

static void what_openssl_releases_has_no_token_in_it(void **state) {
    _cleanup_signer_ struct signer signer = anyone(), other = signer_new("other", 2, -60, 60);
    char signers[PATH_SIZE];

    trust(*state, &signer, signers);
    for (int pem = 0; pem < 2; pem++) {
        size_t length, other_length;
        _cleanup_free_ uint8_t *cms = signed_by(&signer, pem, &length);
        _cleanup_free_ uint8_t *forged = signed_by(&other, pem, &other_length);

        assert_true(tokens_released > 0); /* by the signers of this test: the look works */
        tokens_released = 0;
        taken(cms, length, signers);
        assert_int_equal(tokens_released, 0);
        refused(forged, other_length, signers, INSTRUCTION_E_SIGNATURE, "");
        assert_int_equal(tokens_released, 0);
    }
}

static int setup(void **state) {
    return setup_directory(state);
}

static int teardown(void **state) {
    return teardown_directory(state) == 0 ? arena_empty(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        CLAIM(a_document_of_a_signer_is_taken_as_der_and_as_pem),
        CLAIM(the_digests_of_sha_2_are_taken_and_sha_1_is_not),
        CLAIM(the_dates_of_a_signers_certificate_are_not_looked_at),
        CLAIM(a_document_of_somebody_else_is_refused),
        CLAIM(whom_the_signer_has_certified_may_not_sign),
        CLAIM(of_several_signatures_each_must_be_of_a_signer),
        CLAIM(any_of_the_signers_may_sign_alone),
        CLAIM(a_list_of_signers_that_cannot_be_read_is_named),
        CLAIM(no_changed_octet_makes_another_document),
        CLAIM(no_part_of_a_document_is_one),
        CLAIM(what_has_no_content_or_no_signature_is_refused),
        CLAIM(a_document_has_its_limits),
        CLAIM(what_openssl_cms_signs_is_taken),
        CLAIM(what_openssl_releases_has_no_token_in_it),
#undef CLAIM
    };

    /* Before OpenSSL has taken its first block. */
    if (CRYPTO_set_mem_functions(block_take, block_resize, block_give_back) != 1)
        return 1;
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
