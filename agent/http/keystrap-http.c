/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-http: the program that speaks HTTP for keystrapd.
 */

#include <errno.h>
#include <unistd.h>

#include "http-fetch.h"
#include "http-memory.h"

/* libcurl and OpenSSL read their configuration here. */
static int start(void) {
    int r = http_memory_init();

    if (r < 0)
        return r;
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, erasing_malloc, erasing_free, erasing_realloc,
                                erasing_strdup, erasing_calloc) == CURLE_OK
               ? 0
               : -ENOMEM;
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
