/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-lab mef: an M2M Enrolment Function with its certification authority in one process.
 *
 * Up to three ports: HTTPS by pre-shared keys, HTTPS by certificates, CoAPS by both.
 */

#include "lab-mef.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <gnutls/gnutls.h>

#include "lab-http.h"
#include "lab.h"
#include "mef-coap.h"
#include "serve.h"

#define DEFAULT_FQDN         "mef.example.com"
#define DEFAULT_LIFETIME_SEC (90ul * 86400)
#define LIFETIME_MAX_SEC     (10ul * 366 * 86400)
#define SUITES               "NORMAL:-VERS-ALL:+VERS-TLS1.2:+SHA256:-KX-ALL"
#define PRIORITY_PSK         SUITES ":+ECDHE-PSK:+PSK"
#define PRIORITY_CERTIFICATE SUITES ":+ECDHE-ECDSA"

struct settings {
    const char *fqdn, *enrolees, *control;
    const char *listen, *psk_listen, *coap_listen;
    const char *priority, *psk_priority, *coap_priority;
    const char *cert, *key, *anchors, *ocsp;
    const char *ca_cert, *ca_key;
    const char *lifetime, *enrolment_lifetime;
    const char *path;
    bool challenge;
};

enum mef_option {
    OPTION_FQDN = 1,
    OPTION_ENROLEES,
    OPTION_CONTROL,
    OPTION_LISTEN,
    OPTION_PSK_LISTEN,
    OPTION_COAP_LISTEN,
    OPTION_PRIORITY,
    OPTION_PSK_PRIORITY,
    OPTION_COAP_PRIORITY,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_ANCHORS,
    OPTION_OCSP,
    OPTION_CA_CERT,
    OPTION_CA_KEY,
    OPTION_LIFETIME,
    OPTION_ENROLMENT_LIFETIME,
    OPTION_PATH,
    OPTION_CHALLENGE,
    OPTION_HELP,
};

static const struct option options[] = {
    {"fqdn", required_argument, NULL, OPTION_FQDN},
    {"enrolees", required_argument, NULL, OPTION_ENROLEES},
    {"control", required_argument, NULL, OPTION_CONTROL},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"psk-listen", required_argument, NULL, OPTION_PSK_LISTEN},
    {"coap-listen", required_argument, NULL, OPTION_COAP_LISTEN},
    {"tls-priority", required_argument, NULL, OPTION_PRIORITY},
    {"psk-priority", required_argument, NULL, OPTION_PSK_PRIORITY},
    {"coap-priority", required_argument, NULL, OPTION_COAP_PRIORITY},
    {"tls-cert", required_argument, NULL, OPTION_CERT},
    {"tls-key", required_argument, NULL, OPTION_KEY},
    {"anchors", required_argument, NULL, OPTION_ANCHORS},
    {"ocsp", required_argument, NULL, OPTION_OCSP},
    {"ca-cert", required_argument, NULL, OPTION_CA_CERT},
    {"ca-key", required_argument, NULL, OPTION_CA_KEY},
    {"lifetime", required_argument, NULL, OPTION_LIFETIME},
    {"enrolment-lifetime", required_argument, NULL, OPTION_ENROLMENT_LIFETIME},
    {"path", required_argument, NULL, OPTION_PATH},
    {"challenge", no_argument, NULL, OPTION_CHALLENGE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void print_help(FILE *stream) {
    fputs("Usage: keystrap-lab mef --enrolees FILE [OPTION...]\n"
          "An M2M Enrolment Function (TS-0003 8.3, docs/MEF.md) with an EST server (RFC 7030).\n"
          "Prints \"ready\" and, for each port that it has, psk=PORT https=PORT coaps=PORT.\n\n"
          "  --enrolees FILE             [NAME] Identity= KpmId= Kpm=HEX Certificate= Targets= "
          "Token=\n"
          "                              TokenRequired= Lifetime= Commands=\n"
          "  --fqdn FQDN                 of the MEF: " DEFAULT_FQDN " if absent\n"
          "  --psk-listen ADDRESS:PORT   https by pre-shared keys\n"
          "  --listen ADDRESS:PORT       https by certificates\n"
          "  --coap-listen ADDRESS:PORT  coaps by pre-shared keys, and certificates where it has "
          "one\n"
          "  --tls-cert, --tls-key FILE  the MEF's own, in PEM\n"
          "  --anchors FILE              of clients' certificates, beside its own authority's\n"
          "  --ocsp FILE                 OCSP response (DER) to staple\n"
          "  --psk-priority, --tls-priority, --coap-priority WORDS\n"
          "                              versions and suites, as GnuTLS writes them\n"
          "  --ca-cert, --ca-key FILE    the authority of EST; made if absent\n"
          "  --lifetime SECONDS          of what EST issues; 90 days if absent\n"
          "  --enrolment-lifetime SECONDS of registrations and keys, at most; 30 days if absent\n"
          "  --path PATH                 where its resources are; / if absent\n"
          "  --challenge                 EST demands challengePassword\n"
          "  --control PATH              socket for faults and counts; see keystrap-lab ctl PATH "
          "help\n",
          stream);
}

static const char **setting_of(struct settings *settings, int option) {
    switch (option) {
    case OPTION_FQDN:
        return &settings->fqdn;
    case OPTION_ENROLEES:
        return &settings->enrolees;
    case OPTION_CONTROL:
        return &settings->control;
    case OPTION_LISTEN:
        return &settings->listen;
    case OPTION_PSK_LISTEN:
        return &settings->psk_listen;
    case OPTION_COAP_LISTEN:
        return &settings->coap_listen;
    case OPTION_PRIORITY:
        return &settings->priority;
    case OPTION_PSK_PRIORITY:
        return &settings->psk_priority;
    case OPTION_COAP_PRIORITY:
        return &settings->coap_priority;
    case OPTION_CERT:
        return &settings->cert;
    case OPTION_KEY:
        return &settings->key;
    case OPTION_ANCHORS:
        return &settings->anchors;
    case OPTION_OCSP:
        return &settings->ocsp;
    case OPTION_CA_CERT:
        return &settings->ca_cert;
    case OPTION_CA_KEY:
        return &settings->ca_key;
    case OPTION_LIFETIME:
        return &settings->lifetime;
    case OPTION_ENROLMENT_LIFETIME:
        return &settings->enrolment_lifetime;
    case OPTION_PATH:
        return &settings->path;
    default:
        return NULL;
    }
}

/* --- Files ---------------------------------------------------------------------------------------- */

/* A terminated text, erased and freed by forget(). */
static char *read_text(const char *path) {
    gnutls_datum_t data = {0};
    char *text;

    if (gnutls_load_file(path, &data) < 0) {
        fprintf(stderr, "keystrap-lab mef: %s cannot be read\n", path);
        return NULL;
    }
    text = strndup((const char *)data.data, data.size);
    gnutls_memset(data.data, 0, data.size);
    gnutls_free(data.data);
    return text;
}

static void forget(char **text) {
    if (*text)
        gnutls_memset(*text, 0, strlen(*text));
    free(*text);
}

#define _cleanup_text_ __attribute__((cleanup(forget)))

/* The authority's own certificate, so that what EST has issued is let in, and those of --anchors. */
static char *collect_anchors(const struct settings *settings, const struct mef_ca *ca) {
    _cleanup_text_ char *more = NULL;
    gnutls_datum_t pem = {0};
    char *all = NULL;

    if (settings->anchors) {
        more = read_text(settings->anchors);
        if (!more)
            return NULL;
    }
    if (gnutls_x509_crt_export2(mef_ca_certificate(ca), GNUTLS_X509_FMT_PEM, &pem) < 0)
        return NULL;
    if (asprintf(&all, "%.*s%s", (int)pem.size, (const char *)pem.data, more ? more : "") < 0)
        all = NULL;
    gnutls_free(pem.data);
    return all;
}

/* --- Ports ---------------------------------------------------------------------------------------- */

struct ports {
    struct lab_http *psk, *https;
    struct mef_coap *coap;
    char *anchors;
};

static int open_https(const struct settings *settings, struct mef *mef, struct ports *ports) {
    const struct lab_http_options psk = {
        .listen = settings->psk_listen,
        .tls_priority = settings->psk_priority ? settings->psk_priority : PRIORITY_PSK,
        .psk = mef_kpm,
        .handler = mef_serve_http,
        .userdata = mef,
    };
    const struct lab_http_options https = {
        .listen = settings->listen,
        .tls_cert = settings->cert,
        .tls_key = settings->key,
        .tls_anchors = ports->anchors,
        .tls_ocsp = settings->ocsp,
        .tls_priority = settings->priority ? settings->priority : PRIORITY_CERTIFICATE,
        .handler = mef_serve_http,
        .userdata = mef,
    };
    int r = settings->psk_listen ? lab_http_start(&psk, &ports->psk) : 0;

    if (r == 0 && settings->listen)
        r = lab_http_start(&https, &ports->https);
    if (r == 0 && (ports->https || ports->psk))
        mef->https_port = lab_http_port(ports->https ? ports->https : ports->psk);
    return r;
}

static int open_coap(const struct settings *settings, struct mef *mef, struct ports *ports) {
    _cleanup_text_ char *cert = NULL, *key = NULL;
    struct mef_coap_options coap = {
        .listen = settings->coap_listen,
        .priority = settings->coap_priority,
        .anchors = ports->anchors,
        .ocsp = settings->ocsp,
        .psk = mef_kpm,
        .admits = mef_admits,
        .handler = mef_serve_coap,
        .userdata = mef,
    };

    int r;

    if (!settings->coap_listen)
        return 0;
    if (settings->cert) {
        coap.certificate = cert = read_text(settings->cert);
        coap.key = key = read_text(settings->key);
        if (!cert || !key)
            return -ENOENT;
    }
    r = mef_coap_start(&coap, &ports->coap);
    mef->coap = ports->coap;
    if (r == 0)
        mef->coaps_port = mef_coap_port(ports->coap);
    return r;
}

/* Whoever asks at once waits until each port knows of the other. */
static int open_ports(const struct settings *settings, struct mef *mef, struct ports *ports) {
    int r;

    (void)pthread_mutex_lock(&mef->lock);
    r = open_https(settings, mef, ports);
    if (r == 0)
        r = open_coap(settings, mef, ports);
    (void)pthread_mutex_unlock(&mef->lock);
    return r;
}

static void close_ports(struct ports *ports) {
    (void)mef_coap_stop(ports->coap);
    (void)lab_http_stop(ports->https);
    (void)lab_http_stop(ports->psk);
    free(ports->anchors);
}

static void say_ready(const struct ports *ports) {
    (void)fputs("ready", stdout);
    if (ports->psk)
        printf(" psk=%u", lab_http_port(ports->psk));
    if (ports->https)
        printf(" https=%u", lab_http_port(ports->https));
    if (ports->coap)
        printf(" coaps=%u", mef_coap_port(ports->coap));
    putchar('\n');
    (void)fflush(stdout);
}

/* --- Life ----------------------------------------------------------------------------------------- */

static int serve(const struct settings *settings, struct mef *mef, const struct mef_ca *ca) {
    struct control *control = NULL;
    struct ports ports = {.anchors = collect_anchors(settings, ca)};
    int r = ports.anchors ? 0 : -ENOENT;

    if (r == 0 && settings->control) {
        r = control_new(settings->control, mef_commands, mef, &control);
        if (r < 0)
            fprintf(stderr, "keystrap-lab mef: %s: %s\n", settings->control, strerror(-r));
    }
    if (r == 0)
        r = open_ports(settings, mef, &ports);
    if (r == 0) {
        say_ready(&ports);
        r = serve_until_stopped(control);
    }
    close_ports(&ports);
    control_free(control);
    return r;
}

static int run(const struct settings *settings, int64_t lifetime_sec, struct mef *mef) {
    struct mef_est_options est = {
        .lifetime_sec = lifetime_sec,
        .challenge = settings->challenge,
    };
    struct mef_ca *ca = NULL;
    int r = mef_enrolees_load(mef, settings->enrolees);

    if (r == 0)
        r = mef_ca_new(settings->ca_cert, settings->ca_key, settings->fqdn, &ca);
    if (r == 0) {
        est.ca = ca;
        r = mef_est_new(&est, &mef->est);
    }
    if (r == 0)
        r = serve(settings, mef, ca);
    (void)mef_est_free(mef->est);
    (void)mef_ca_free(ca);
    return r;
}

static bool parse_lifetime(const char *text, unsigned long *ret) {
    char *end;

    errno = 0;
    *ret = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *ret > 0 &&
           *ret <= LIFETIME_MAX_SEC;
}

static bool is_complete(const struct settings *settings) {
    return settings->enrolees &&
           (settings->listen || settings->psk_listen || settings->coap_listen) &&
           !settings->cert == !settings->key && !settings->ca_cert == !settings->ca_key &&
           (!settings->listen || settings->cert) && (!settings->path || settings->path[0] == '/');
}

int mef_main(int argc, char **argv) {
    struct settings settings = {.fqdn = DEFAULT_FQDN};
    unsigned long lifetime = DEFAULT_LIFETIME_SEC, enrolment_lifetime = MEF_LIFETIME_SEC;
    struct mef *mef;
    int option, r;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        const char **setting = setting_of(&settings, option);

        if (option == OPTION_HELP || option == 'h') {
            print_help(stdout);
            return EXIT_SUCCESS;
        }
        if (option == OPTION_CHALLENGE)
            settings.challenge = true;
        else if (setting)
            *setting = optarg;
        else
            return EX_USAGE;
    }
    if (optind != argc || !is_complete(&settings) ||
        (settings.lifetime && !parse_lifetime(settings.lifetime, &lifetime)) ||
        (settings.enrolment_lifetime &&
         !parse_lifetime(settings.enrolment_lifetime, &enrolment_lifetime))) {
        print_help(stderr);
        return EX_USAGE;
    }
    serve_block_signals();
    mef = calloc(1, sizeof(*mef));
    if (!mef)
        return EXIT_FAILURE;
    (void)pthread_mutex_init(&mef->lock, NULL);
    mef->fqdn = settings.fqdn;
    mef->path = settings.path && strcmp(settings.path, "/") != 0 ? settings.path : "";
    mef->lifetime_sec = (int64_t)enrolment_lifetime;
    r = run(&settings, (int64_t)lifetime, mef);
    mef_state_done(mef);
    gnutls_memset(mef, 0, sizeof(*mef));
    free(mef);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
