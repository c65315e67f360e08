/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-lab naf: a network application function that knows its users by their B-TIDs.
 */

#include "naf.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <curl/curl.h>

#include "hex.h"
#include "lab.h"
#include "serve.h"

#define DEFAULT_UA "0100000002" /* HTTP Digest, TS 33.220 Annex H */

struct settings {
    const char *name;
    const char *listen;
    const char *zn;
    const char *ua;
    const char *tls_cert;
    const char *tls_key;
    const char *verifier;
};

static const struct option options[] = {
    {"name", required_argument, NULL, 'n'},
    {"listen", required_argument, NULL, 'l'},
    {"zn", required_argument, NULL, 'z'},
    {"ua", required_argument, NULL, 'u'},
    {"tls-cert", required_argument, NULL, 'c'},
    {"tls-key", required_argument, NULL, 'k'},
    {"verifier", required_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void print_help(FILE *stream) {
    fputs("Usage: keystrap-lab naf --name FQDN --zn URL [OPTION...]\n"
          "A NAF with HTTP Digest (TS 24.109 5.2): 200 for who has the Ks_NAF of its B-TID.\n"
          "Prints \"ready PORT\" when it answers.\n\n"
          "  --name FQDN            of the NAF, in its NAF_Id and its realm\n"
          "  --zn URL               of the BSF's Zn: http://HOST:PORT\n"
          "  --listen ADDRESS:PORT  127.0.0.1:0, any port, if absent\n"
          "  --ua HEX               Ua security protocol identifier; " DEFAULT_UA " if absent\n"
          "  --verifier own|mhd     who judges responses: the lab (auth, auth-int), or\n"
          "                         libmicrohttpd (auth); own if absent\n"
          "  --tls-cert, --tls-key  PEM files: serve https\n",
          stream);
}

static const char **setting_of(struct settings *settings, int option) {
    switch (option) {
    case 'n':
        return &settings->name;
    case 'l':
        return &settings->listen;
    case 'z':
        return &settings->zn;
    case 'u':
        return &settings->ua;
    case 'c':
        return &settings->tls_cert;
    case 'k':
        return &settings->tls_key;
    case 'v':
        return &settings->verifier;
    default:
        return NULL;
    }
}

static int prepare(const struct settings *settings, struct naf *naf) {
    size_t length = strlen(settings->name);

    if (length == 0 || length > NAF_NAME_MAX || strpbrk(settings->name, "\"\\ ;@/")) {
        fprintf(stderr, "keystrap-lab naf: \"%s\" is no FQDN\n", settings->name);
        return -EINVAL;
    }
    if (hex_decode_exactly(settings->ua, naf->ua, sizeof(naf->ua)) < 0) {
        fprintf(stderr, "keystrap-lab naf: --ua is not five octets in hex\n");
        return -EINVAL;
    }
    naf->mhd_verifies = strcmp(settings->verifier, "mhd") == 0;
    if (!naf->mhd_verifies && strcmp(settings->verifier, "own") != 0) {
        fprintf(stderr, "keystrap-lab naf: --verifier is own or mhd\n");
        return -EINVAL;
    }
    naf->name = settings->name;
    naf->zn = settings->zn;
    snprintf(naf->realm, sizeof(naf->realm), NAF_REALM_PREFIX "%s", settings->name);
    return 0;
}

static int run(const struct settings *settings, struct naf *naf) {
    const struct lab_http_options http_options = {
        .listen = settings->listen,
        .tls_cert = settings->tls_cert,
        .tls_key = settings->tls_key,
        .handler = naf_serve,
        .userdata = naf,
    };
    struct lab_http *http = NULL;
    int r;

    r = lab_http_start(&http_options, &http);
    if (r < 0)
        return r;
    printf("ready %u\n", lab_http_port(http));
    (void)fflush(stdout);
    r = serve_until_stopped(NULL);
    (void)lab_http_stop(http);
    return r;
}

int naf_main(int argc, char **argv) {
    struct settings settings = {.listen = "127.0.0.1:0", .ua = DEFAULT_UA, .verifier = "own"};
    struct naf naf = {.lock = PTHREAD_MUTEX_INITIALIZER};
    int option, r;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        const char **setting = setting_of(&settings, option);

        if (option == 'h')
            print_help(stdout);
        if (!setting)
            return option == 'h' ? EXIT_SUCCESS : EX_USAGE;
        *setting = optarg;
    }
    if (optind != argc || !settings.name || !settings.zn) {
        print_help(stderr);
        return EX_USAGE;
    }
    if (prepare(&settings, &naf) < 0)
        return EX_USAGE;
    serve_block_signals();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return EXIT_FAILURE;
    r = run(&settings, &naf);
    curl_global_cleanup();
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
