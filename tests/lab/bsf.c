/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-lab bsf: a bootstrapping server function with its home network in one process.
 */

#include "bsf.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lab.h"
#include "serve.h"

#define NAME_MAX_OCTETS 255u
#define DEFAULT_NAME    "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define DEFAULT_IND     1u

struct settings {
    const char *subscribers;
    const char *listen;
    const char *zn_listen;
    const char *control;
    const char *tls_cert;
    const char *tls_key;
    const char *tls_priority;
    const char *name;
    const char *realm;
    const char *path;
    unsigned long lifetime;
    unsigned long ind;
    struct bsf_ways ways;
};

enum bsf_option {
    OPTION_SUBSCRIBERS = 1,
    OPTION_LISTEN,
    OPTION_ZN_LISTEN,
    OPTION_CONTROL,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_TLS_PRIORITY,
    OPTION_MODE,
    OPTION_TMPI,
    OPTION_AKAV2,
    OPTION_NAME,
    OPTION_REALM,
    OPTION_PATH,
    OPTION_LIFETIME,
    OPTION_IND,
    OPTION_HELP,
};

static const struct option options[] = {
    {"subscribers", required_argument, NULL, OPTION_SUBSCRIBERS},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"zn-listen", required_argument, NULL, OPTION_ZN_LISTEN},
    {"control", required_argument, NULL, OPTION_CONTROL},
    {"tls-cert", required_argument, NULL, OPTION_TLS_CERT},
    {"tls-key", required_argument, NULL, OPTION_TLS_KEY},
    {"tls-priority", required_argument, NULL, OPTION_TLS_PRIORITY},
    {"mode", required_argument, NULL, OPTION_MODE},
    {"tmpi", no_argument, NULL, OPTION_TMPI},
    {"akav2", no_argument, NULL, OPTION_AKAV2},
    {"name", required_argument, NULL, OPTION_NAME},
    {"realm", required_argument, NULL, OPTION_REALM},
    {"path", required_argument, NULL, OPTION_PATH},
    {"lifetime", required_argument, NULL, OPTION_LIFETIME},
    {"ind", required_argument, NULL, OPTION_IND},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void print_help(FILE *stream) {
    fputs(
        "Usage: keystrap-lab bsf --subscribers FILE [OPTION...]\n"
        "A BSF and its home network (TS 24.109): challenges, resynchronises, hands out B-TIDs.\n"
        "Prints \"ready PORT [ZNPORT]\" when it answers.\n\n"
        "  --subscribers FILE       keys and sequence numbers\n"
        "  --listen ADDRESS:PORT    of Ub; 127.0.0.1:0, any port, if absent\n"
        "  --zn-listen ADDRESS:PORT where NAFs ask for keys: GET /zn?btid=...&nafid=BASE64\n"
        "  --name FQDN              of the BSF: " DEFAULT_NAME " if absent\n"
        "  --realm FQDN             of the challenge; the name if absent\n"
        "  --path PATH              of Ub; / if absent\n"
        "  --lifetime SECONDS       of every Ks, whatever the subscriber's is\n"
        "  --ind N                  the index of sequence numbers for GBA; 1 if absent\n"
        "  --mode me|u|2g           of GBA, for every subscriber; me if absent. Who says "
        "GBA_Digest\n"
        "                           and has a password is bootstrapped so\n"
        "  --tmpi                   know temporary identities, and say so\n"
        "  --akav2                  offer AKAv2-MD5 beside AKAv1-MD5\n"
        "  --tls-cert, --tls-key    PEM files: serve Ub over https\n"
        "  --tls-priority WORDS     its versions and ciphers, as GnuTLS writes them\n"
        "  --control PATH           socket for faults and counts; see keystrap-lab ctl PATH help\n",
        stream);
}

static int parse_number(const char *text, unsigned long max, unsigned long *ret) {
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value > max)
        return -EINVAL;
    *ret = value;
    return 0;
}

/* The name goes into header fields and XML as it is, so it may only have what a host name has. */
static int check_name(const char *name) {
    size_t length = strlen(name);

    if (length == 0 || length > NAME_MAX_OCTETS ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != length)
        return -EINVAL;
    return 0;
}

static int set_option(struct settings *settings, int option, const char *value) {
    switch (option) {
    case OPTION_SUBSCRIBERS:
        settings->subscribers = value;
        return 0;
    case OPTION_LISTEN:
        settings->listen = value;
        return 0;
    case OPTION_ZN_LISTEN:
        settings->zn_listen = value;
        return 0;
    case OPTION_CONTROL:
        settings->control = value;
        return 0;
    case OPTION_TLS_CERT:
        settings->tls_cert = value;
        return 0;
    case OPTION_TLS_KEY:
        settings->tls_key = value;
        return 0;
    case OPTION_TLS_PRIORITY:
        settings->tls_priority = value;
        return 0;
    case OPTION_MODE:
        return bsf_set_way(&settings->ways, "mode", value);
    case OPTION_TMPI:
        return bsf_set_way(&settings->ways, "tmpi", "on");
    case OPTION_AKAV2:
        return bsf_set_way(&settings->ways, "akav2", "on");
    case OPTION_NAME:
        settings->name = value;
        return check_name(value);
    case OPTION_REALM:
        settings->realm = value;
        return check_name(value);
    case OPTION_PATH:
        settings->path = value;
        return value[0] == '/' ? 0 : -EINVAL;
    case OPTION_LIFETIME:
        return parse_number(value, 10ul * 366 * 86400, &settings->lifetime);
    case OPTION_IND:
        return parse_number(value, 255, &settings->ind);
    default:
        return -EINVAL;
    }
}

static int load(const struct settings *settings, struct bsf *bsf) {
    char error[512];
    int r;

    bsf->name = settings->name;
    bsf->realm = settings->realm ? settings->realm : settings->name;
    bsf->path = settings->path;
    bsf->lifetime_sec = (int64_t)settings->lifetime;
    bsf->ind = (unsigned)settings->ind;
    bsf->ways = settings->ways;
    r = lab_subscribers_load(settings->subscribers, &bsf->subscribers, error, sizeof(error));
    if (r < 0)
        fprintf(stderr, "keystrap-lab bsf: %s\n", error);
    return r;
}

static int serve(struct bsf *bsf, const struct settings *settings, struct control *control) {
    const struct lab_http_options ub_options = {
        .listen = settings->listen,
        .tls_cert = settings->tls_cert,
        .tls_key = settings->tls_key,
        .tls_priority = settings->tls_priority,
        .handler = bsf_serve_ub,
        .userdata = bsf,
        .usec = &bsf->usec,
    };
    const struct lab_http_options zn_options = {
        .listen = settings->zn_listen,
        .handler = bsf_serve_zn,
        .userdata = bsf,
    };
    struct lab_http *ub = NULL, *zn = NULL;
    int r;

    r = lab_http_start(&ub_options, &ub);
    if (r == 0 && settings->zn_listen)
        r = lab_http_start(&zn_options, &zn);
    if (r == 0) {
        printf("ready %u", lab_http_port(ub));
        if (zn)
            printf(" %u", lab_http_port(zn));
        putchar('\n');
        (void)fflush(stdout);
        r = serve_until_stopped(control);
    }
    (void)lab_http_stop(zn);
    (void)lab_http_stop(ub);
    return r;
}

static int run(const struct settings *settings) {
    struct control *control = NULL;
    struct bsf *bsf = malloc(sizeof(*bsf));
    int r;

    if (!bsf)
        return -ENOMEM;
    bsf_init(bsf);
    r = load(settings, bsf);
    if (r == 0 && settings->control) {
        r = control_new(settings->control, bsf_commands, bsf, &control);
        if (r < 0)
            fprintf(stderr, "keystrap-lab bsf: %s: %s\n", settings->control, strerror(-r));
    }
    if (r == 0)
        r = serve(bsf, settings, control);
    control_free(control);
    bsf_done(bsf);
    free(bsf);
    return r;
}

int bsf_main(int argc, char **argv) {
    struct settings settings = {.listen = "127.0.0.1:0", .name = DEFAULT_NAME, .ind = DEFAULT_IND};
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == OPTION_HELP || option == 'h') {
            print_help(stdout);
            return EXIT_SUCCESS;
        }
        if (set_option(&settings, option, optarg) < 0) {
            if (option != '?')
                fprintf(stderr, "keystrap-lab bsf: \"%s\" is no good value\n", optarg);
            return EX_USAGE;
        }
    }
    if (optind != argc || !settings.subscribers) {
        print_help(stderr);
        return EX_USAGE;
    }
    serve_block_signals();
    return run(&settings) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
