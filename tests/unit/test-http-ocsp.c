/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A MEF that staples an OCSP response (RFC 6066 8), by the real programs: over TLS from GnuTLS, over DTLS from `openssl
 * s_server`. What the response says decides before anything is asked, wherever one comes along and where one must.
 */

#include "unit/handshake-server.h"

#undef DAY /* the same in what follows */
#include "unit/certificates.h"

#define SHORT (1500 * USEC_PER_MSEC)

/* A MEF of an authority, and what it staples. */
struct mef {
    struct fixture fixture;
    struct identity root, leaf;
    char directory[64], anchors[PATH_SIZE], certificate[PATH_SIZE], key[PATH_SIZE], ocsp[PATH_SIZE];
};

/* Dates of certificates.h count from NOW; these shall from the machine's clock. */
static long from_today(long seconds) {
    return (long)(time(NULL) - NOW) + seconds;
}

static void write_key(const char *path, EVP_PKEY *key) {
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
}

static void mef_make(struct mef *mef, const char *program, const char *url) {
    const struct wish authority = {.subject = "the authority",
                                   .basic = "critical,CA:TRUE",
                                   .usage = CA_USAGE,
                                   .from = from_today(-DAY),
                                   .to = from_today(DAY)};
    const struct wish wish = {.subject = "the MEF",
                              .names = "DNS:" NAME,
                              .usage = LEAF_USAGE,
                              .from = from_today(-DAY),
                              .to = from_today(DAY)};

    fixture_setup(&mef->fixture, program, url);
    (void)snprintf(mef->directory, sizeof(mef->directory), "/tmp/keystrap-ocsp-XXXXXX");
    assert_non_null(mkdtemp(mef->directory));
    mef->root = make(&authority, NULL);
    mef->leaf = make(&wish, &mef->root);
    (void)write_anchor(mef->directory, &mef->root, mef->anchors);
    (void)write_certificates(mef->directory, "leaf.pem", (X509 *[]){mef->leaf.certificate, NULL},
                             mef->certificate);
    write_key(path_in(mef->directory, "key.pem", mef->key), mef->leaf.key);
    (void)path_in(mef->directory, "ocsp.der", mef->ocsp);
}

static void mef_done(struct mef *mef) {
    (void)unlink(mef->anchors);
    (void)unlink(mef->certificate);
    (void)unlink(mef->key);
    (void)unlink(mef->ocsp);
    assert_int_equal(rmdir(mef->directory), 0);
    identity_done(&mef->root);
    identity_done(&mef->leaf);
    assert_true(fixture_done(&mef->fixture));
}

/* From @from to @to seconds from now the authority says @status of the MEF. */
static void staple(const struct mef *mef, int status, long from, long to) {
    const struct ocsp_wish wish = {
        .status = status, .from = from_today(from), .to = from_today(to)};
    size_t length;
    unsigned char *der =
        make_ocsp(&wish, mef->leaf.certificate, mef->root.certificate, &mef->root, &length);
    FILE *file = fopen(mef->ocsp, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(der, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    OPENSSL_free(der);
}

static void expect_mef(struct ask *ask, const struct mef *mef, bool required) {
    use_certificate(ask, &mef->fixture);
    ask->peer.trust_anchors = mef->anchors;
    ask->peer.ocsp_required = required;
}

static const struct {
    int status;
    long from, to;
    bool required;
    int outcome;
    const char *words;
} cases[] = {
    {V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, true, 0, NULL},
    {V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR, false, 0, NULL},
    {V_OCSP_CERTSTATUS_REVOKED, -HOUR, HOUR, true, PEER_E_REVOKED, "revoked"},
    {V_OCSP_CERTSTATUS_REVOKED, -HOUR, HOUR, false, PEER_E_REVOKED, "revoked"},
    {V_OCSP_CERTSTATUS_UNKNOWN, -HOUR, HOUR, true, PEER_E_STATUS, "the MEF"},
    {V_OCSP_CERTSTATUS_GOOD, -3 * HOUR, -2 * HOUR, true, PEER_E_STATUS, "the MEF"},
};

static void test_over_tls_what_is_stapled_decides(void **state) {
    struct mef mef = {0};

    (void)state;
    mef_make(&mef, "keystrap-http", "https://" NAME "/");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct handshake_server server = {.priority = NORMAL,
                                          .certificate = mef.certificate,
                                          .key = mef.key,
                                          .ocsp = mef.ocsp,
                                          .client_alert = -1};
        _cleanup_ask_ struct ask ask = {0};
        int r;

        staple(&mef, cases[i].status, cases[i].from, cases[i].to);
        expect_mef(&ask, &mef, cases[i].required);
        handshake_server_start(&server);
        r = do_ask(&mef.fixture, &ask, server.port);
        handshake_server_stop(&server);
        if (cases[i].outcome != 0)
            assert_failed(&ask, r, cases[i].outcome, cases[i].words);
        else if (r != 0)
            fail_msg("%zu: %s", i, ask.failure.text);
        assert_int_equal(server.requests, r == 0);
    }
    mef_done(&mef);
}

/* s_server shakes hands and knows no CoAP: whom it is right to ask does not answer. */
static void test_over_dtls_what_is_stapled_decides(void **state) {
    struct mef mef = {0};

    (void)state;
    mef_make(&mef, "keystrap-coap", "coaps://" NAME "/");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_ask_ struct ask ask = {.request.request_timeout_usec = SHORT};
        struct tls_server server = {0};
        char options[4 * PATH_SIZE];
        int r;

        staple(&mef, cases[i].status, cases[i].from, cases[i].to);
        expect_mef(&ask, &mef, cases[i].required);
        (void)snprintf(options, sizeof(options), "-dtls1_2 -cert %s -key %s -status_file %s",
                       mef.certificate, mef.key, mef.ocsp);
        tls_server_run(&server, "", options, -DAY, DAY);
        r = do_ask(&mef.fixture, &ask, server.port);
        tls_server_stop(&server);
        if (cases[i].outcome != 0)
            assert_failed(&ask, r, cases[i].outcome, cases[i].words);
        else
            assert_failed(&ask, r, HTTP_E_TIMEOUT, NAME);
    }
    mef_done(&mef);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_tls_what_is_stapled_decides),
        cmocka_unit_test(test_over_dtls_what_is_stapled_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
