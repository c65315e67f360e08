/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * HTTP Digest as AKA uses it (RFC 3310, RFC 4169, TS 24.109 4), and as it is (RFC 7616) for GBA_Digest.
 *
 * The password is RES or what takes its place, any octets of it, and goes from its secret straight into OpenSSL's hash,
 * which erases what it buffered. H(A1) is as good as RES for the nonce at hand, so it is a secret too. What is sent, the
 * response, is not.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "algorithms.h"
#include "auth-list.h"
#include "gba.h"
#include "util.h"

#define HASH_MAX (DIGEST_HEX_MAX / 2)
#define HEX_SIZE (DIGEST_HEX_MAX + 1)

struct piece {
    const void *data;
    size_t length;
};

#define TEXT(t) ((struct piece){(t), strlen(t)})
#define COLON   ((struct piece){":", 1})

static void md_ctx_freep(EVP_MD_CTX **ctx) {
    EVP_MD_CTX_free(*ctx);
}

static const EVP_MD *hash_of(enum challenge_algorithm algorithm) {
    return algorithm == CHALLENGE_SHA_256 ? gba_algorithms()->sha256 : gba_algorithms()->md5;
}

/* Octets of a hash of @algorithm. */
static size_t hash_length(enum challenge_algorithm algorithm) {
    return algorithm == CHALLENGE_SHA_256 ? 32 : 16;
}

static int hash(enum challenge_algorithm algorithm, const struct piece *pieces, size_t count,
                uint8_t ret[HASH_MAX]) {
    _cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = NULL;
    const EVP_MD *md = hash_of(algorithm);

    if (!md)
        return -EIO;
    ctx = EVP_MD_CTX_new();
    if (!ctx)
        return -ENOMEM;
    if (!EVP_DigestInit_ex2(ctx, md, NULL))
        return -EIO;
    for (size_t i = 0; i < count; i++)
        if (pieces[i].length > 0 && !EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].length))
            return -EIO;
    return EVP_DigestFinal_ex(ctx, ret, NULL) ? 0 : -EIO;
}

int gba_digest_hash_a1(enum challenge_algorithm algorithm, const char *user, const char *realm,
                       const struct secret *password, struct secret **ret) {
    _cleanup_secret_ struct secret *octets = NULL;
    const struct piece a1[] = {
        TEXT(user),
        COLON,
        TEXT(realm),
        COLON,
        {password ? secret_data(password) : NULL, password ? secret_length(password) : 0},
    };
    int r;

    r = secret_new(HASH_MAX, &octets);
    if (r < 0)
        return r;
    r = hash(algorithm, a1, ELEMENTS(a1), secret_data_mutable(octets));
    if (r < 0)
        return r;
    secret_truncate(octets, hash_length(algorithm));
    *ret = TAKE_PTR(octets);
    return 0;
}

/* H(A1) as hex. */
static int hash_a1(const struct digest_input *input, const struct secret *password,
                   struct secret **ret) {
    _cleanup_secret_ struct secret *octets = NULL, *hex = NULL;
    int r;

    r = gba_digest_hash_a1(input->algorithm, input->username, input->realm, password, &octets);
    if (r < 0)
        return r;
    r = secret_new(HEX_SIZE, &hex);
    if (r < 0)
        return r;
    hex_encode(secret_data(octets), secret_length(octets), (char *)secret_data_mutable(hex));
    secret_truncate(hex, 2 * secret_length(octets));
    *ret = TAKE_PTR(hex);
    return 0;
}

static int hash_a2(const struct digest_input *input, char ret[HEX_SIZE]) {
    const struct piece body = {input->body, input->body_length};
    size_t length = hash_length(input->algorithm);
    char body_hash[HEX_SIZE];
    uint8_t digest[HASH_MAX];
    int r;

    r = hash(input->algorithm, &body, 1, digest);
    if (r < 0)
        return r;
    hex_encode(digest, length, body_hash);

    const struct piece a2[] = {
        TEXT(input->method), COLON, TEXT(input->uri), COLON, TEXT(body_hash),
    };
    r = hash(input->algorithm, a2, input->auth_int ? 5 : 3, digest);
    if (r < 0)
        return r;
    hex_encode(digest, length, ret);
    return 0;
}

static const char *qop_name(const struct digest_input *input) {
    return input->auth_int ? "auth-int" : "auth";
}

static int digest_octets(const struct digest_input *input, const struct secret *password,
                         uint8_t ret[HASH_MAX]) {
    _cleanup_secret_ struct secret *a1 = NULL;
    char a2[HEX_SIZE], nc[8 + 1];
    int r;

    r = hash_a1(input, password, &a1);
    if (r < 0)
        return r;
    r = hash_a2(input, a2);
    if (r < 0)
        return r;
    (void)snprintf(nc, sizeof(nc), "%08x", (unsigned)input->nc);

    const struct piece pieces[] = {
        {secret_data(a1), secret_length(a1)},
        COLON,
        TEXT(input->nonce),
        COLON,
        TEXT(nc),
        COLON,
        TEXT(input->cnonce),
        COLON,
        TEXT(qop_name(input)),
        COLON,
        TEXT(a2),
    };
    return hash(input->algorithm, pieces, ELEMENTS(pieces), ret);
}

int digest_response(const struct digest_input *input, const struct secret *password,
                    char ret[DIGEST_HEX_MAX + 1]) {
    uint8_t digest[HASH_MAX];
    int r;

    r = digest_octets(input, password, digest);
    if (r < 0)
        return r;
    hex_encode(digest, hash_length(input->algorithm), ret);
    return 0;
}

/* --- The Authorization field ---------------------------------------------------------------------- */

static bool has_control_characters(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* name="value" as a quoted-string; the caller has refused control characters. */
static void put_quoted(FILE *f, const char *name, const char *value) {
    (void)fprintf(f, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            (void)fputc('\\', f);
        (void)fputc(*value, f);
    }
    (void)fputc('"', f);
}

/* Close @f, which open_memstream() opened on @text, and hand the text out if it is whole and not too long. */
static int finish_field(FILE *f, char **text, char **ret) {
    bool failed = ferror(f) != 0;

    if (fclose(f) != 0 || failed)
        return -ENOMEM;
    if (strlen(*text) > HTTP_HEADER_MAX)
        return -EMSGSIZE;
    *ret = TAKE_PTR(*text);
    return 0;
}

int digest_initial(const char *username, const char *realm, const char *uri, char **ret) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    FILE *f;

    if (has_control_characters(username) || has_control_characters(realm) ||
        has_control_characters(uri))
        return -EINVAL;
    f = open_memstream(&text, &size);
    if (!f)
        return -ENOMEM;
    (void)fputs("Digest ", f);
    put_quoted(f, "username", username);
    put_quoted(f, ", realm", realm);
    put_quoted(f, ", nonce", "");
    put_quoted(f, ", uri", uri);
    put_quoted(f, ", response", "");
    return finish_field(f, &text, ret);
}

static bool input_is_sendable(const struct digest_input *input, const struct challenge *challenge) {
    return !has_control_characters(input->username) && !has_control_characters(input->realm) &&
           !has_control_characters(input->nonce) && !has_control_characters(input->uri) &&
           !has_control_characters(input->cnonce) &&
           !(challenge->has_opaque && has_control_characters(challenge->opaque));
}

int digest_authorization(const struct digest_input *input, const struct challenge *challenge,
                         const struct secret *password, const uint8_t *auts, char **ret) {
    _cleanup_free_ char *text = NULL, *auts_text = NULL;
    char response[HEX_SIZE];
    size_t size = 0;
    FILE *f;
    int r;

    if (!input_is_sendable(input, challenge))
        return -EINVAL;
    r = digest_response(input, password, response);
    if (r < 0)
        return r;
    if (auts) {
        r = base64_encode(auts, AKA_AUTS_LENGTH, &auts_text);
        if (r < 0)
            return r;
    }

    f = open_memstream(&text, &size);
    if (!f)
        return -ENOMEM;
    (void)fputs("Digest ", f);
    put_quoted(f, "username", input->username);
    put_quoted(f, ", realm", input->realm);
    put_quoted(f, ", nonce", input->nonce);
    put_quoted(f, ", uri", input->uri);
    (void)fprintf(f, ", qop=%s, nc=%08x", qop_name(input), (unsigned)input->nc);
    put_quoted(f, ", cnonce", input->cnonce);
    put_quoted(f, ", response", response);
    if (challenge->has_opaque)
        put_quoted(f, ", opaque", challenge->opaque);
    (void)fprintf(f, ", algorithm=%s", challenge_algorithm_name(input->algorithm));
    if (auts_text)
        put_quoted(f, ", auts", auts_text);
    return finish_field(f, &text, ret);
}

/* --- The BSF's proof ------------------------------------------------------------------------------ */

/* What Authentication-Info says; the texts are empty where it says nothing. */
struct authentication_info {
    char rspauth[HEX_SIZE];
    char cnonce[128];
    char nc[8 + 1];
};

static int read_info_item(const struct auth_item *item, struct authentication_info *info) {
    const struct {
        const char *name;
        char *text;
        size_t size;
    } wanted[] = {
        {"rspauth", info->rspauth, sizeof(info->rspauth)},
        {"cnonce", info->cnonce, sizeof(info->cnonce)},
        {"nc", info->nc, sizeof(info->nc)},
    };

    for (size_t i = 0; i < ELEMENTS(wanted); i++) {
        if (!auth_item_named(item, wanted[i].name))
            continue;
        if (*wanted[i].text)
            return -EBADMSG;
        return auth_item_value(item, wanted[i].text, wanted[i].size);
    }
    return 0;
}

static int read_info(const char *value, struct authentication_info *ret) {
    struct auth_list list;
    struct auth_item item;
    size_t length = strnlen(value, HTTP_HEADER_MAX + 1);
    int r;

    if (length > HTTP_HEADER_MAX)
        return -EBADMSG;
    auth_list_init(&list, value, length);
    for (size_t i = 0; i <= CHALLENGE_PARAMS_MAX; i++) {
        r = auth_list_next(&list, &item);
        if (r < 0)
            return r;
        if (item.kind == AUTH_ITEM_END)
            return 0;
        if (item.kind == AUTH_ITEM_SCHEME)
            return -EBADMSG;
        r = read_info_item(&item, ret);
        if (r < 0)
            return r;
    }
    return -EBADMSG;
}

static bool info_is_of_request(const struct authentication_info *info,
                               const struct digest_input *input) {
    char nc[8 + 1];

    (void)snprintf(nc, sizeof(nc), "%08x", (unsigned)input->nc);
    return (!*info->cnonce || strcmp(info->cnonce, input->cnonce) == 0) &&
           (!*info->nc || strcasecmp(info->nc, nc) == 0);
}

int digest_check_rspauth(const char *value, const struct digest_input *input,
                         const struct secret *password, const uint8_t *body, size_t body_length,
                         struct failure *failure) {
    struct authentication_info info = {0};
    struct digest_input answer = *input;
    uint8_t expected[HASH_MAX], received[HASH_MAX];
    size_t length = 0, expected_length = hash_length(input->algorithm);
    int r;

    if (value && read_info(value, &info) < 0)
        return failure_set(failure, UB_E_RSPAUTH_WRONG, "its Authentication-Info is malformed");
    if (!*info.rspauth)
        return failure_set(failure, UB_E_RSPAUTH_MISSING,
                           "it did not prove itself: there is no rspauth in Authentication-Info");
    if (!info_is_of_request(&info, input))
        return failure_set(failure, UB_E_RSPAUTH_WRONG,
                           "its Authentication-Info is of another request");

    answer.method = "";
    answer.body = body;
    answer.body_length = body_length;
    r = digest_octets(&answer, password, expected);
    if (r < 0)
        return r;
    if (hex_decode(info.rspauth, received, sizeof(received), &length) < 0 ||
        length != expected_length || CRYPTO_memcmp(received, expected, expected_length) != 0)
        return failure_set(failure, UB_E_RSPAUTH_WRONG, "its proof (rspauth) is wrong");
    return 0;
}
