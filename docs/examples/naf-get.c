/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * naf-get: log in to a NAF with the key of this gateway's SIM.
 *
 *     cc -o naf-get naf-get.c $(pkg-config --cflags --libs keystrap libcurl)
 *     naf-get FQDN URL [CONNECT_TO]
 *
 * The whole of what an application has to do: libkeystrap gives B-TID and Ks_NAF, and libcurl uses them as user name
 * and password of HTTP Digest (TS 24.109 clause 5.2). A 401 despite them means that the network has forgotten the
 * B-TID and wants a new bootstrap; that is asked for once. CONNECT_TO, as HOST:PORT, is where to connect instead of the
 * URL's host, whose name the server is still told. Prints the HTTP status; exit status 0 only for 200.
 *
 * libcurl keeps a copy of the password in ordinary memory until curl_easy_cleanup(). An application that minds computes
 * the Digest response itself, from keystrap_naf_key_base64().
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* asprintf(3) */
#endif

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include <curl/curl.h>
#include <keystrap/keystrap.h>

/* A server that knows GBA sees by the token in User-Agent that the client does too (TS 24.109 clause 5.2.2). */
#define USER_AGENT "naf-get/1 3gpp-gba"

static long get(const char *url, struct curl_slist *connect_to,
                const struct keystrap_naf_key *key) {
    CURL *curl = curl_easy_init();
    long status = 0;
    CURLcode r;

    if (!curl)
        errx(EX_SOFTWARE, "libcurl cannot begin");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_DIGEST);
    curl_easy_setopt(curl, CURLOPT_USERNAME, keystrap_naf_key_btid(key));
    curl_easy_setopt(curl, CURLOPT_PASSWORD, keystrap_naf_key_base64(key));
    r = curl_easy_perform(curl);
    if (r != CURLE_OK)
        errx(EX_UNAVAILABLE, "%s: %s", url, curl_easy_strerror(r));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

/* Derive the key, use it, erase it. */
static long log_in(struct keystrap *keystrap, const char *fqdn, const char *url,
                   struct curl_slist *connect_to) {
    struct keystrap_naf_key *key = NULL;
    long status;

    if (keystrap_derive_naf_key(keystrap, fqdn, KEYSTRAP_UA_HTTP_DIGEST, 0, &key) < 0)
        errx(EX_NOPERM, "%s", keystrap_last_error(keystrap));
    status = get(url, connect_to, key);
    /* The NAF asks for bootstrapping renegotiation: the next key shall be of another Ks. */
    if (status == 401)
        (void)keystrap_invalidate(keystrap, keystrap_naf_key_btid(key));
    keystrap_naf_key_free(key);
    return status;
}

static struct curl_slist *connect_to_list(const char *address) {
    struct curl_slist *list = NULL;
    char *text = NULL;

    if (!address)
        return NULL;
    if (asprintf(&text, "::%s", address) >= 0)
        list = curl_slist_append(NULL, text);
    free(text);
    if (!list)
        errx(EX_OSERR, "out of memory");
    return list;
}

int main(int argc, char **argv) {
    struct keystrap *keystrap = NULL;
    struct curl_slist *connect_to;
    long status;

    if (argc < 3 || argc > 4) {
        fprintf(stderr, "Usage: naf-get FQDN URL [CONNECT_TO]\n");
        return EX_USAGE;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    connect_to = connect_to_list(argc > 3 ? argv[3] : NULL);
    if (keystrap_open(&keystrap) < 0)
        errx(EX_UNAVAILABLE, "%s", keystrap_last_error(NULL));

    status = log_in(keystrap, argv[1], argv[2], connect_to);
    if (status == 401)
        status = log_in(keystrap, argv[1], argv[2], connect_to);
    printf("HTTP status %ld\n", status);

    keystrap_close(keystrap);
    curl_slist_free_all(connect_to);
    curl_global_cleanup();
    return status == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}
