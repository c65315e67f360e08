/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The NAF's side of Zn: one question to the BSF for each request that names a B-TID.
 *
 * Nothing is kept, so that a key that the BSF has forgotten is dead at the next request.
 */

#include "naf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>

struct answer {
    char text[NAF_ZN_ANSWER_MAX];
    size_t length;
};

static size_t keep_answer(char *data, size_t size, size_t count, void *userdata) {
    struct answer *answer = userdata;
    size_t length = size * count;

    if (length > sizeof(answer->text) - answer->length)
        return 0;
    memcpy(answer->text + answer->length, data, length);
    answer->length += length;
    return length;
}

static char *make_url(CURL *curl, const struct naf *naf, const char *btid) {
    uint8_t naf_id[NAF_NAME_MAX + LAB_UA_LENGTH];
    size_t length = strlen(naf->name);
    char *url = NULL, *base64, *escaped_btid, *escaped_id;

    memcpy(naf_id, naf->name, length);
    memcpy(naf_id + length, naf->ua, LAB_UA_LENGTH);
    base64 = lab_base64_encode(naf_id, length + LAB_UA_LENGTH);
    escaped_btid = curl_easy_escape(curl, btid, 0);
    escaped_id = base64 ? curl_easy_escape(curl, base64, 0) : NULL;
    if (escaped_btid && escaped_id &&
        asprintf(&url, "%s/zn?btid=%s&nafid=%s", naf->zn, escaped_btid, escaped_id) < 0)
        url = NULL;
    curl_free(escaped_btid);
    curl_free(escaped_id);
    free(base64);
    return url;
}

static long get(CURL *curl, const char *url, struct answer *answer) {
    long status = 0;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, NAF_ZN_TIMEOUT_MSEC);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (curl_easy_perform(curl) != CURLE_OK)
        return 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static int read_key(const struct answer *answer, char ret[NAF_PASSWORD_SIZE]) {
    json_t *object = json_loadb(answer->text, answer->length, 0, NULL);
    const char *key = json_string_value(json_object_get(object, "key"));
    int r = -EIO;

    if (key && strlen(key) == NAF_PASSWORD_SIZE - 1) {
        memcpy(ret, key, NAF_PASSWORD_SIZE);
        r = 0;
    }
    json_decref(object);
    return r;
}

int naf_fetch_password(const struct naf *naf, const char *btid, char ret[NAF_PASSWORD_SIZE]) {
    struct answer answer = {.length = 0};
    CURL *curl = curl_easy_init();
    char *url = curl ? make_url(curl, naf, btid) : NULL;
    long status = url ? get(curl, url, &answer) : 0;
    int r = -EIO;

    if (status == 404)
        r = -ENOENT;
    else if (status == 200)
        r = read_key(&answer, ret);
    explicit_bzero(&answer, sizeof(answer));
    free(url);
    curl_easy_cleanup(curl);
    return r;
}
