/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MEF's counterpart in its tests, on libcurl and OpenSSL.
 */

#include "mef-ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <cmocka.h>
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#define LABEL      "EXPORTER-oneM2M-Bootstrap"
#define RESOURCE   "application/vnd.onem2m-res+json"
#define WAIT_MSEC  10000
#define ANSWER_MAX (1024u * 1024)
#define PSK_SUITES "PSK:@SECLEVEL=0"

#define set(curl, option, value) \
    assert_int_equal(curl_easy_setopt((curl), CURLOPT_##option, (value)), CURLE_OK)

static int64_t now_msec(void) {
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- Handshake -------------------------------------------------------------------------------------- */

static unsigned on_psk(SSL *ssl, const char *hint, char *identity, unsigned identity_size,
                       unsigned char *key, unsigned key_size) {
    const struct mef_asker *asker = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    (void)hint;
    if (strlen(asker->kpm_id) >= identity_size || asker->kpm_length > key_size)
        return 0;
    strcpy(identity, asker->kpm_id);
    memcpy(key, asker->kpm, asker->kpm_length);
    return (unsigned)asker->kpm_length;
}

static CURLcode on_context(CURL *curl, void *context, void *userdata) {
    struct mef_asker *asker = userdata;

    (void)curl;
    (void)SSL_CTX_set_app_data(context, asker);
    if (asker->kpm_id)
        SSL_CTX_set_psk_client_callback(context, on_psk);
    return CURLE_OK;
}

/* The connection is there, the request not yet sent. */
static int on_connected(void *userdata, char *to, char *from, int to_port, int from_port) {
    struct mef_asker *asker = userdata;
    struct curl_tlssessioninfo *info = NULL;
    SSL *ssl;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    if (curl_easy_getinfo(asker->curl, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info)
        return CURL_PREREQFUNC_ABORT;
    ssl = info->internals;
    (void)snprintf(asker->used_suite, sizeof(asker->used_suite), "%s", SSL_get_cipher_name(ssl));
    if (SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) != 1 ||
        SSL_export_keying_material(ssl, asker->exporter, sizeof(asker->exporter), LABEL,
                                   strlen(LABEL), NULL, 0, 0) != 1)
        return CURL_PREREQFUNC_ABORT;
    asker->connected_msec = now_msec();
    return CURL_PREREQFUNC_OK;
}

/* How long a handshake takes on a busy machine is nobody's fault: time runs from when the request is sent. */
static int on_progress(void *userdata, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                       curl_off_t upload_now) {
    const struct mef_asker *asker = userdata;

    (void)total;
    (void)now;
    (void)upload_total;
    (void)upload_now;
    return asker->connected_msec > 0 && asker->patience_msec > 0 &&
           now_msec() - asker->connected_msec > asker->patience_msec;
}

static void set_credentials(const struct mef_asker *asker) {
    set(asker->curl, SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2);
    set(asker->curl, SSL_CTX_FUNCTION, on_context);
    set(asker->curl, SSL_CTX_DATA, asker);
    if (asker->kpm_id) {
        set(asker->curl, SSL_VERIFYPEER, 0L);
        set(asker->curl, SSL_VERIFYHOST, 0L);
        set(asker->curl, SSL_CIPHER_LIST, asker->suite ? asker->suite : PSK_SUITES);
        return;
    }
    set(asker->curl, CAINFO, asker->anchors);
    if (asker->certificate) {
        set(asker->curl, SSLCERT, asker->certificate);
        set(asker->curl, SSLKEY, asker->key);
    }
    if (asker->suite)
        set(asker->curl, SSL_CIPHER_LIST, asker->suite);
}

/* --- One request ------------------------------------------------------------------------------------- */

struct telling {
    struct mef_told *told;
    char number[32];
    char *octets;
    size_t length;
};

static size_t on_body(char *data, size_t size, size_t count, void *userdata) {
    struct telling *telling = userdata;

    size *= count;
    if (size > ANSWER_MAX - telling->length)
        return 0;
    memcpy(telling->octets + telling->length, data, size);
    telling->length += size;
    return size;
}

static const char *value_of(const char *line, const char *name) {
    size_t length = strlen(name);

    return strncasecmp(line, name, length) == 0 && line[length] == ':' ? line + length + 2 : NULL;
}

static size_t on_field(char *data, size_t size, size_t count, void *userdata) {
    struct telling *telling = userdata;
    struct mef_told *told = telling->told;
    char line[512];
    const char *value;

    (void)snprintf(line, sizeof(line), "%.*s", (int)(size * count), data);
    line[strcspn(line, "\r\n")] = '\0';
    if ((value = value_of(line, "X-M2M-RSC")))
        told->rsc = strtol(value, NULL, 10);
    if ((value = value_of(line, "Retry-After")))
        told->retry_after = strtol(value, NULL, 10);
    if ((value = value_of(line, "X-M2M-RI")))
        told->number_is_mine = strcmp(value, telling->number) == 0;
    if ((value = value_of(line, "Content-Type")))
        (void)snprintf(told->type, sizeof(told->type), "%s", value);
    return size * count;
}

static struct curl_slist *add_field(struct curl_slist *list, const char *name, const char *value) {
    char line[512];

    (void)snprintf(line, sizeof(line), "%s: %s", name, value);
    list = curl_slist_append(list, line);
    assert_non_null(list);
    return list;
}

static struct curl_slist *fields_of(const struct mef_asker *asker, const char *number, int type,
                                    bool body) {
    struct curl_slist *fields = add_field(NULL, "Accept", RESOURCE);
    char text[128];

    if (asker->identity)
        fields = add_field(fields, "X-M2M-Origin", asker->identity);
    if (!asker->no_number)
        fields = add_field(fields, "X-M2M-RI", number);
    fields = add_field(fields, "X-M2M-RVI", asker->release ? asker->release : "3");
    if (type > 0)
        (void)snprintf(text, sizeof(text), "%s;ty=%d", asker->type ? asker->type : RESOURCE, type);
    else
        (void)snprintf(text, sizeof(text), "%s", asker->type ? asker->type : RESOURCE);
    if (body || type > 0)
        fields = add_field(fields, "Content-Type", text);
    return fields;
}

static void set_target(const struct mef_asker *asker, const char *path,
                       struct curl_slist **ret_resolve) {
    char text[1024];

    (void)snprintf(text, sizeof(text), MEF_ASK_FQDN ":%u:127.0.0.1", asker->port);
    *ret_resolve = curl_slist_append(NULL, text);
    set(asker->curl, RESOLVE, *ret_resolve);
    (void)snprintf(text, sizeof(text), "https://" MEF_ASK_FQDN ":%u%s", asker->port, path);
    set(asker->curl, URL, text);
    set(asker->curl, PATH_AS_IS, 1L);
    set(asker->curl, PROXY, "");
    set(asker->curl, NOSIGNAL, 1L);
    set(asker->curl, SSL_SESSIONID_CACHE, 0L);
    set(asker->curl, TIMEOUT_MS, (long)WAIT_MSEC);
    set(asker->curl, NOPROGRESS, 0L);
    set(asker->curl, XFERINFOFUNCTION, on_progress);
    set(asker->curl, XFERINFODATA, asker);
    set(asker->curl, FRESH_CONNECT, asker->stay ? 0L : 1L);
    set(asker->curl, PREREQFUNCTION, on_connected);
    set(asker->curl, PREREQDATA, asker);
}

void mef_ask(struct mef_asker *asker, const char *method, const char *path, int type, json_t *body,
             struct mef_told *ret) {
    struct telling telling = {.told = ret, .octets = malloc(ANSWER_MAX)};
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct curl_slist *fields, *resolve = NULL;

    json_decref(body);
    memset(ret, 0, sizeof(*ret));
    assert_non_null(telling.octets);
    if (asker->curl)
        curl_easy_reset(asker->curl);
    else
        asker->curl = curl_easy_init();
    assert_non_null(asker->curl);
    (void)snprintf(telling.number, sizeof(telling.number), "r%u", ++asker->number);
    set_target(asker, path, &resolve);
    set_credentials(asker);
    fields = fields_of(asker, telling.number, type, text != NULL);
    set(asker->curl, HTTPHEADER, fields);
    set(asker->curl, CUSTOMREQUEST, method);
    if (text)
        set(asker->curl, POSTFIELDS, text);
    set(asker->curl, WRITEFUNCTION, on_body);
    set(asker->curl, WRITEDATA, &telling);
    set(asker->curl, HEADERFUNCTION, on_field);
    set(asker->curl, HEADERDATA, &telling);
    asker->connected_msec = 0;
    ret->error = (int)curl_easy_perform(asker->curl);
    if (ret->error == CURLE_OK)
        assert_int_equal(curl_easy_getinfo(asker->curl, CURLINFO_RESPONSE_CODE, &ret->status),
                         CURLE_OK);
    ret->length = telling.length;
    ret->body = json_loadb(telling.octets, telling.length, 0, NULL);
    curl_slist_free_all(fields);
    curl_slist_free_all(resolve);
    free(telling.octets);
    free(text);
}

void mef_told_done(struct mef_told *told) {
    json_decref(told->body);
    memset(told, 0, sizeof(*told));
}

void mef_asker_done(struct mef_asker *asker) {
    curl_easy_cleanup(asker->curl);
    asker->curl = NULL;
}

json_t *mef_told_object(const struct mef_told *told, const char *name) {
    json_t *object = json_object_get(told->body, name);

    assert_true(json_is_object(object));
    assert_int_equal(json_object_size(told->body), 1);
    return object;
}

const char *mef_told_text(const struct mef_told *told, const char *name, const char *field) {
    const char *text = json_string_value(json_object_get(mef_told_object(told, name), field));

    if (!text)
        fail_msg("%s has no %s", name, field);
    return text;
}

/* --- Keys ---------------------------------------------------------------------------------------------- */

void mef_hash(const uint8_t key[32], char ret[17]) {
    uint8_t digest[SHA256_DIGEST_LENGTH];

    assert_non_null(SHA256(key, 32, digest));
    for (size_t i = 0; i < 8; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

void mef_hmac(const uint8_t key[32], uint8_t ret[32], ...) {
    char text[1024] = "";
    const char *part;
    unsigned length = 32;
    va_list ap;

    va_start(ap, ret);
    while ((part = va_arg(ap, const char *))) {
        assert_true(strlen(text) + strlen(part) < sizeof(text));
        strcat(text, part);
    }
    va_end(ap);
    assert_non_null(HMAC(EVP_sha256(), key, 32, (const uint8_t *)text, strlen(text), ret, &length));
}

size_t mef_decode(const char *text, uint8_t ret[33]) {
    size_t length = strlen(text);
    int n;

    assert_true(length % 4 == 0 && length <= 44);
    n = EVP_DecodeBlock(ret, (const uint8_t *)text, (int)length);
    assert_true(n >= 0);
    return (size_t)n - (length > 0 && text[length - 1] == '=') -
           (length > 1 && text[length - 2] == '=');
}
