/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-http: the program that speaks HTTP for keystrapd.
 */

#include <errno.h>
#include <unistd.h>

#include "http-fetch.h"

/* libcurl and OpenSSL read their configuration here. */
static int start(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

/* Kept between requests, for its connections. */
static int fetch(struct http_job *job, struct http_result *ret, struct failure *failure) {
    static CURL *easy;

    if (!easy)
        easy = curl_easy_init();
    if (!easy)
        return failure_set(failure, HTTP_E_HELPER, "keystrap-http has no memory");
    return http_fetch(easy, job, ret, failure);
}

int main(int argc, char **argv) {
    static const struct http_program program = {"keystrap-http", start, fetch};

    /* The end of the process releases everything at once, and no destructor runs inside the sandbox. */
    _exit(http_program_main(&program, argc, argv));
}
