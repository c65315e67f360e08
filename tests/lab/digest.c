/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * HTTP Digest: parsing one header field and computing with it.
 *
 * What arrives here comes from any client at all, so the parser copies a field of bounded length once and cuts
 * that copy into terminated values; nothing grows with what a client sends.
 */

#include "digest.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <nettle/base16.h>
#include <nettle/base64.h>
#include <nettle/md5.h>
#include <nettle/memops.h>

static const char *const names[LAB_DIGEST_NAMES] = {
    [LAB_DIGEST_USERNAME] = "username", [LAB_DIGEST_REALM] = "realm",
    [LAB_DIGEST_NONCE] = "nonce",       [LAB_DIGEST_URI] = "uri",
    [LAB_DIGEST_RESPONSE] = "response", [LAB_DIGEST_ALGORITHM] = "algorithm",
    [LAB_DIGEST_QOP] = "qop",           [LAB_DIGEST_NC] = "nc",
    [LAB_DIGEST_CNONCE] = "cnonce",     [LAB_DIGEST_OPAQUE] = "opaque",
    [LAB_DIGEST_AUTS] = "auts",         [LAB_DIGEST_STALE] = "stale",
    [LAB_DIGEST_RSPAUTH] = "rspauth",
};

static bool is_token(char c) {
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static char *skip_space(char *p) {
    return p + strspn(p, " \t");
}

/* Cut a quoted string out of the text, undoing its quoted pairs in place. */
static char *cut_quoted(char *p, char **ret_value) {
    char *out = p;

    *ret_value = p;
    while (*p != '"') {
        if (*p == '\\')
            p++;
        if (*p == '\0')
            return NULL;
        *out++ = *p++;
    }
    *out = '\0';
    return p + 1;
}

/*
 * Cut "name = value" out of the text. A value's end may be the very comma that separates, so what comes next is
 * looked at before the end is written.
 */
static char *cut_parameter(char *p, char **ret_name, char **ret_value, bool *ret_more) {
    char *name_end, *value_end = NULL;

    *ret_name = p;
    while (is_token(*p))
        p++;
    name_end = p;
    p = skip_space(p);
    if (name_end == *ret_name || *p != '=')
        return NULL;
    p = skip_space(p + 1);
    *name_end = '\0';

    if (*p == '"') {
        p = cut_quoted(p + 1, ret_value);
        if (!p)
            return NULL;
    } else {
        *ret_value = p;
        while (is_token(*p) || *p == '/' || *p == '=')
            p++;
        value_end = p;
        if (value_end == *ret_value)
            return NULL;
    }
    p = skip_space(p);
    if (*p != ',' && *p != '\0')
        return NULL;
    *ret_more = *p == ',';
    if (*ret_more)
        p = skip_space(p + 1);
    if (value_end)
        *value_end = '\0';
    return p;
}

static int keep_parameter(struct lab_digest *digest, const char *name, const char *value) {
    for (size_t i = 0; i < LAB_DIGEST_NAMES; i++) {
        if (strcasecmp(name, names[i]) != 0)
            continue;
        if (digest->value[i])
            return -EINVAL;
        digest->value[i] = value;
        return 0;
    }
    return 0;
}

int lab_digest_parse(const char *value, bool scheme, struct lab_digest *ret) {
    size_t length = strlen(value);
    bool more = true;
    char *p;

    memset(ret->value, 0, sizeof(ret->value));
    if (length >= sizeof(ret->text))
        return -EINVAL;
    memcpy(ret->text, value, length + 1);

    p = skip_space(ret->text);
    if (scheme) {
        if (strncasecmp(p, "Digest", 6) != 0 || (p[6] != ' ' && p[6] != '\t'))
            return -EINVAL;
        p = skip_space(p + 6);
    }
    while (more) {
        char *name = NULL, *text = NULL;

        p = cut_parameter(p, &name, &text, &more);
        if (!p || keep_parameter(ret, name, text) < 0)
            return -EINVAL;
    }
    return 0;
}

uint32_t lab_digest_nc(const char *nc) {
    if (!nc || strlen(nc) != 8 || strspn(nc, "0123456789abcdefABCDEF") != 8)
        return 0;
    return (uint32_t)strtoul(nc, NULL, 16);
}

static void update_text(struct md5_ctx *md5, const char *text) {
    md5_update(md5, strlen(text), (const uint8_t *)text);
}

static void update_colon(struct md5_ctx *md5, const char *text) {
    md5_update(md5, 1, (const uint8_t *)":");
    update_text(md5, text);
}

static void finish_hex(struct md5_ctx *md5, char ret[LAB_DIGEST_HEX]) {
    uint8_t octets[MD5_DIGEST_SIZE];

    md5_digest(md5, sizeof(octets), octets);
    base16_encode_update(ret, sizeof(octets), octets);
    ret[LAB_DIGEST_HEX - 1] = '\0';
}

static void hash_a1(const struct lab_digest_input *input, char ret[LAB_DIGEST_HEX]) {
    struct md5_ctx md5;

    md5_init(&md5);
    update_text(&md5, input->username);
    update_colon(&md5, input->realm);
    update_colon(&md5, "");
    md5_update(&md5, input->password_length, input->password);
    finish_hex(&md5, ret);
}

static void hash_a2(const struct lab_digest_input *input, char ret[LAB_DIGEST_HEX]) {
    struct md5_ctx md5;

    md5_init(&md5);
    update_text(&md5, input->method);
    update_colon(&md5, input->uri);
    if (strcmp(input->qop, "auth-int") == 0) {
        char body_hash[LAB_DIGEST_HEX];
        struct md5_ctx body;

        md5_init(&body);
        md5_update(&body, input->body_length, input->body);
        finish_hex(&body, body_hash);
        update_colon(&md5, body_hash);
    }
    finish_hex(&md5, ret);
}

void lab_digest_response(const struct lab_digest_input *input, char ret[LAB_DIGEST_HEX]) {
    char a1[LAB_DIGEST_HEX], a2[LAB_DIGEST_HEX];
    struct md5_ctx md5;

    hash_a1(input, a1);
    hash_a2(input, a2);
    md5_init(&md5);
    update_text(&md5, a1);
    update_colon(&md5, input->nonce);
    update_colon(&md5, input->nc);
    update_colon(&md5, input->cnonce);
    update_colon(&md5, input->qop);
    update_colon(&md5, a2);
    finish_hex(&md5, ret);
}

bool lab_digest_equal(const char *a, const char *b) {
    uint8_t left[MD5_DIGEST_SIZE], right[MD5_DIGEST_SIZE];
    const char *const text[] = {a, b};
    uint8_t *const octets[] = {left, right};

    for (size_t i = 0; i < 2; i++) {
        struct base16_decode_ctx hex;
        size_t length = sizeof(left);

        if (strlen(text[i]) != LAB_DIGEST_HEX - 1)
            return false;
        base16_decode_init(&hex);
        if (!base16_decode_update(&hex, &length, octets[i], LAB_DIGEST_HEX - 1, text[i]) ||
            length != sizeof(left))
            return false;
    }
    return memeql_sec(left, right, sizeof(left));
}

char *lab_base64_encode(const uint8_t *data, size_t length) {
    size_t encoded = BASE64_ENCODE_RAW_LENGTH(length);
    char *text = malloc(encoded + 1);

    if (!text)
        return NULL;
    base64_encode_raw(text, length, data);
    text[encoded] = '\0';
    return text;
}

int lab_base64_decode(const char *text, uint8_t *ret, size_t size, size_t *ret_length) {
    size_t length = strlen(text), decoded;
    struct base64_decode_ctx base64;
    uint8_t *buffer;
    int r = -EINVAL;

    if (length % 4 != 0 || strpbrk(text, " \t\r\n") || length / 4 * 3 > size + 2)
        return -EINVAL;
    buffer = malloc(BASE64_DECODE_LENGTH(length) + 1);
    if (!buffer)
        return -ENOMEM;
    base64_decode_init(&base64);
    decoded = BASE64_DECODE_LENGTH(length);
    if (base64_decode_update(&base64, &decoded, buffer, length, text) &&
        base64_decode_final(&base64) && decoded <= size) {
        memcpy(ret, buffer, decoded);
        *ret_length = decoded;
        r = 0;
    }
    free(buffer);
    return r;
}

int lab_random_hex(char *ret, size_t digits) {
    uint8_t octets[64];

    if (digits > 2 * sizeof(octets) || digits % 2 != 0)
        return -EINVAL;
    if (getrandom(octets, digits / 2, 0) != (ssize_t)(digits / 2))
        return -EIO;
    base16_encode_update(ret, digits / 2, octets);
    ret[digits] = '\0';
    return 0;
}
