/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MEF's EST server.
 *
 * It is registration authority and certification authority in one: what comes over an authenticated handshake and
 * asks for that client's own name is signed at once.
 */

#include "mef-est.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <nettle/memops.h>

#include "hex.h"
#include "mef-csr.h"

#define IDENTITY_MAX      255u
#define CLIENTS_MAX       64u
#define CHALLENGE_OCTETS  12u
#define CHALLENGE_SIZE    (2 * CHALLENGE_OCTETS + 1)
#define DIGEST_LENGTH     32u
#define RETRY_DEFAULT_SEC 1u
#define OTHER_NAME        "somebody-else.example"
#define PKCS7_TYPE        "application/pkcs7-mime"
#define PKCS7_CERTS_TYPE  "application/pkcs7-mime; smime-type=certs-only"

enum est_fault {
    EST_FAULT_PENDING,         /* 202 to an enrolment */
    EST_FAULT_BUSY,            /* 503 to everything */
    EST_FAULT_ATTRIBUTES_NONE, /* 204 to csrattrs */
    EST_FAULT_WRONG_KEY,       /* the certificate is of another key */
    EST_FAULT_WRONG_NAME,      /* the certificate is of another name */
    EST_FAULT_STRANGER,        /* the certificate is signed by nobody that cacerts shows */
    EST_FAULT_GARBAGE,         /* no PKCS #7 where one is due */
    EST_FAULTS,
};

static const char *const fault_names[EST_FAULTS] = {
    [EST_FAULT_PENDING] = "pending",
    [EST_FAULT_BUSY] = "busy",
    [EST_FAULT_ATTRIBUTES_NONE] = "attributes-none",
    [EST_FAULT_WRONG_KEY] = "wrong-key",
    [EST_FAULT_WRONG_NAME] = "wrong-name",
    [EST_FAULT_STRANGER] = "stranger",
    [EST_FAULT_GARBAGE] = "garbage",
};

struct fault_setting {
    bool set;
    uint64_t left; /* 0: until it is cleared */
    unsigned seconds;
};

/* What was asked of whom. */
struct est_client {
    char identity[IDENTITY_MAX + 1];
    char challenge[CHALLENGE_SIZE];
};

struct mef_est {
    pthread_mutex_t lock;
    struct mef_ca *ca;
    struct mef_ca *stranger; /* of whom no client knows */
    int64_t lifetime_sec;
    bool challenge;
    struct est_client clients[CLIENTS_MAX];
    size_t clients_count;
    struct fault_setting faults[EST_FAULTS];
    uint64_t cacerts, csrattrs, enrolled, renewed, refused;
    char issued[2 * DIGEST_LENGTH + 1];
};

int mef_est_new(const struct mef_est_options *options, struct mef_est **ret) {
    struct mef_est *est = calloc(1, sizeof(*est));
    int r;

    if (!est)
        return -ENOMEM;
    r = mef_ca_new(NULL, NULL, "Nobody's CA", &est->stranger);
    if (r < 0) {
        free(est);
        return r;
    }
    (void)pthread_mutex_init(&est->lock, NULL);
    est->ca = options->ca;
    est->lifetime_sec = options->lifetime_sec;
    est->challenge = options->challenge;
    *ret = est;
    return 0;
}

struct mef_est *mef_est_free(struct mef_est *est) {
    if (!est)
        return NULL;
    (void)mef_ca_free(est->stranger);
    (void)pthread_mutex_destroy(&est->lock);
    free(est);
    return NULL;
}

static bool fault_take(struct mef_est *est, enum est_fault fault) {
    struct fault_setting *setting = &est->faults[fault];

    if (!setting->set)
        return false;
    if (setting->left > 0 && --setting->left == 0)
        setting->set = false;
    return true;
}

/* --- Answers ------------------------------------------------------------------------------------ */

static int say(struct mef_est_reply *reply, unsigned status, const char *words) {
    char *body = strdup(words);

    if (!body)
        return -ENOMEM;
    reply->status = status;
    reply->content_type = "text/plain";
    reply->body = body;
    return 0;
}

static int refuse(struct mef_est *est, struct mef_est_reply *reply, unsigned status,
                  const char *words) {
    est->refused++;
    return say(reply, status, words);
}

static int come_back(const struct mef_est *est, enum est_fault fault, unsigned status,
                     struct mef_est_reply *reply) {
    unsigned seconds = est->faults[fault].seconds;

    reply->retry_after_sec = seconds > 0 ? seconds : RETRY_DEFAULT_SEC;
    return say(reply, status, status == 202 ? "Not yet.\n" : "Busy.\n");
}

static int answer_certificate(struct mef_est *est, gnutls_x509_crt_t certificate, const char *type,
                              struct mef_est_reply *reply) {
    int r;

    if (fault_take(est, EST_FAULT_GARBAGE))
        reply->body = strdup("MBQGA1UEAwwNbm90IHBrY3MjNyEh\r\n");
    else {
        r = mef_ca_certs_only(certificate, &reply->body);
        if (r < 0)
            return r;
    }
    if (!reply->body)
        return -ENOMEM;
    reply->status = 200;
    reply->content_type = type;
    reply->base64 = true;
    return 0;
}

/* --- CSR attributes ----------------------------------------------------------------------------- */

static struct est_client *find_client(struct mef_est *est, const char *identity) {
    for (size_t i = 0; i < est->clients_count; i++)
        if (strcmp(est->clients[i].identity, identity) == 0)
            return &est->clients[i];
    return NULL;
}

static struct est_client *add_client(struct mef_est *est, const char *identity) {
    struct est_client *client = find_client(est, identity);
    uint8_t random[CHALLENGE_OCTETS];

    if (!client) {
        if (est->clients_count == CLIENTS_MAX || strlen(identity) > IDENTITY_MAX)
            return NULL;
        client = &est->clients[est->clients_count++];
        (void)snprintf(client->identity, sizeof(client->identity), "%s", identity);
    }
    if (client->challenge[0] == '\0') {
        if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random)) < 0)
            return NULL;
        hex_encode(random, sizeof(random), client->challenge);
    }
    return client;
}

static int serve_csrattrs(struct mef_est *est, const struct mef_est_request *request,
                          struct mef_est_reply *reply) {
    const struct est_client *client = NULL;
    uint8_t der[MEF_CSRATTRS_MAX];
    size_t length;
    int r;

    est->csrattrs++;
    if (fault_take(est, EST_FAULT_ATTRIBUTES_NONE)) {
        reply->status = 204;
        return 0;
    }
    if (est->challenge && request->identity) {
        client = add_client(est, request->identity);
        if (!client)
            return -ENOSPC;
    }
    length = mef_csrattrs(client ? client->challenge : NULL, der);
    r = mef_base64_lines(der, length, &reply->body);
    if (r < 0)
        return r;
    reply->status = 200;
    reply->content_type = "application/csrattrs";
    reply->base64 = true;
    return 0;
}

/* --- Enrolment ---------------------------------------------------------------------------------- */

/* The value goes with the certificate: who asks again must fetch another. */
static bool challenge_is_right(struct mef_est *est, const char *identity, const char *given) {
    struct est_client *client;

    if (!est->challenge)
        return true;
    client = find_client(est, identity);
    if (!client || client->challenge[0] == '\0' || strlen(given) != CHALLENGE_SIZE - 1)
        return false;
    return memeql_sec(client->challenge, given, CHALLENGE_SIZE - 1);
}

static void note_issued(struct mef_est *est, gnutls_x509_crt_t certificate,
                        const struct mef_est_request *request, bool renewal) {
    struct est_client *client = find_client(est, request->identity);
    uint8_t digest[DIGEST_LENGTH];
    size_t length = sizeof(digest);

    if (client)
        memset(client->challenge, 0, sizeof(client->challenge));
    if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &length) == 0)
        hex_encode(digest, length, est->issued);
    if (renewal)
        est->renewed++;
    else
        est->enrolled++;
}

static int issue(struct mef_est *est, const struct mef_est_request *request,
                 const struct mef_csr *csr, bool renewal, struct mef_est_reply *reply) {
    const struct mef_ca *ca = fault_take(est, EST_FAULT_STRANGER) ? est->stranger : est->ca;
    struct mef_ca_order order = {
        .request = csr->request,
        .not_before = time(NULL),
        .other_key = fault_take(est, EST_FAULT_WRONG_KEY),
        .other_name = fault_take(est, EST_FAULT_WRONG_NAME) ? OTHER_NAME : NULL,
    };
    gnutls_x509_crt_t certificate;
    int r;

    order.not_after = order.not_before + est->lifetime_sec;
    r = mef_ca_issue(ca, &order, &certificate);
    if (r < 0)
        return r;
    r = answer_certificate(est, certificate, PKCS7_CERTS_TYPE, reply);
    if (r == 0)
        note_issued(est, certificate, request, renewal);
    gnutls_x509_crt_deinit(certificate);
    return r;
}

static int serve_enrolment(struct mef_est *est, const struct mef_est_request *request, bool renewal,
                           struct mef_est_reply *reply) {
    _cleanup_mef_csr_ struct mef_csr csr = {0};
    const char *wrong;

    if (!request->identity)
        return refuse(est, reply, 403, "The handshake does not say who you are.\n");
    if (renewal && !request->by_certificate)
        return refuse(est, reply, 403, "Renewal is for who has a certificate.\n");
    if (!request->content_type || strncasecmp(request->content_type, "application/pkcs10", 18) != 0)
        return refuse(est, reply, 415, "The body is not application/pkcs10.\n");
    wrong = mef_csr_read(request->body, request->body_length, &csr);
    if (wrong)
        return refuse(est, reply, 400, wrong);
    if (!mef_csr_names_only(&csr, request->identity))
        return refuse(est, reply, 403, "subjectAltName is not the name of the TLS client.\n");
    if (!challenge_is_right(est, request->identity, csr.challenge))
        return refuse(est, reply, 403, "challengePassword is not the one of csrattrs.\n");
    if (fault_take(est, EST_FAULT_PENDING))
        return come_back(est, EST_FAULT_PENDING, 202, reply);
    return issue(est, request, &csr, renewal, reply);
}

static int serve(struct mef_est *est, const struct mef_est_request *request,
                 struct mef_est_reply *reply) {
    const char *operation = request->operation;
    bool get = strcmp(request->method, "GET") == 0, post = strcmp(request->method, "POST") == 0;
    bool enroll = strcmp(operation, "simpleenroll") == 0;
    bool reenroll = strcmp(operation, "simplereenroll") == 0;
    bool cacerts = strcmp(operation, "cacerts") == 0;

    if (fault_take(est, EST_FAULT_BUSY))
        return come_back(est, EST_FAULT_BUSY, 503, reply);
    if ((cacerts || strcmp(operation, "csrattrs") == 0) && get) {
        if (!cacerts)
            return serve_csrattrs(est, request, reply);
        est->cacerts++;
        return answer_certificate(est, mef_ca_certificate(est->ca), PKCS7_TYPE, reply);
    }
    if ((enroll || reenroll) && post)
        return serve_enrolment(est, request, reenroll, reply);
    return refuse(est, reply, 404, "No such operation.\n");
}

int mef_est_handle(struct mef_est *est, const struct mef_est_request *request,
                   struct mef_est_reply *ret) {
    int r;

    memset(ret, 0, sizeof(*ret));
    (void)pthread_mutex_lock(&est->lock);
    r = serve(est, request, ret);
    (void)pthread_mutex_unlock(&est->lock);
    if (r < 0) {
        free(ret->body);
        memset(ret, 0, sizeof(*ret));
    }
    return r;
}

/* --- Control ------------------------------------------------------------------------------------ */

static int parse_number(const char *text, uint64_t max, uint64_t *ret) {
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value == 0 || value > max)
        return -EINVAL;
    *ret = value;
    return 0;
}

static int set_fault(struct mef_est *est, int argc, char **argv) {
    struct fault_setting setting = {.set = true};
    uint64_t seconds = 0;

    if (argc > 3 && argv[argc - 1][0] == 'x') {
        if (parse_number(argv[argc - 1] + 1, UINT64_MAX, &setting.left) < 0)
            return -EINVAL;
        argc--;
    }
    if (argc > 4 || (argc > 3 && parse_number(argv[3], 86400, &seconds) < 0))
        return -EINVAL;
    setting.seconds = (unsigned)seconds;
    for (int i = 0; i < EST_FAULTS; i++)
        if (strcmp(fault_names[i], argv[2]) == 0) {
            est->faults[i] = setting;
            return 0;
        }
    return -EINVAL;
}

static int set_way(struct mef_est *est, const char *name, const char *value) {
    uint64_t seconds;

    if (strcmp(name, "lifetime") == 0) {
        if (parse_number(value, UINT64_C(10) * 366 * 86400, &seconds) < 0)
            return -EINVAL;
        est->lifetime_sec = (int64_t)seconds;
        return 0;
    }
    if (strcmp(name, "challenge") != 0 || (strcmp(value, "on") != 0 && strcmp(value, "off") != 0))
        return -EINVAL;
    est->challenge = strcmp(value, "on") == 0;
    return 0;
}

static int obey(struct mef_est *est, int argc, char **argv, char *answer, size_t size) {
    const char *word = argc > 1 ? argv[1] : "";

    if (argc > 2 && strcmp(word, "fault") == 0)
        return set_fault(est, argc, argv);
    if (argc == 3)
        return set_way(est, word, argv[2]);
    if (argc != 2)
        return -EINVAL;
    if (strcmp(word, "clear") == 0)
        memset(est->faults, 0, sizeof(est->faults));
    else if (strcmp(word, "count") == 0)
        (void)snprintf(answer, size,
                       "cacerts %" PRIu64 " csrattrs %" PRIu64 " enrolled %" PRIu64
                       " renewed %" PRIu64 " refused %" PRIu64,
                       est->cacerts, est->csrattrs, est->enrolled, est->renewed, est->refused);
    else if (strcmp(word, "issued") == 0)
        (void)snprintf(answer, size, "%s", est->issued);
    else
        return -EINVAL;
    return 0;
}

int mef_est_control(struct mef_est *est, int argc, char **argv, char *answer, size_t size) {
    int r;

    (void)pthread_mutex_lock(&est->lock);
    r = obey(est, argc, argv, answer, size);
    (void)pthread_mutex_unlock(&est->lock);
    if (r < 0)
        (void)snprintf(answer, size, "usage: %s %s", argv[0], MEF_EST_USAGE);
    return r;
}
