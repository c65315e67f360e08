/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * EST and the verification of the MEF's certificate between two implementations: est_enrol() and peer_verify() with the
 * real keystrap-http, and `keystrap-lab mef`, a process of its own with GnuTLS. What is issued is what the MEF says that it has
 * issued, is taken by the MEF as our certificate, and is renewed by it; each of its faults is the outcome that it should be; and
 * the MEF itself is known by its name, by a stapled OCSP response, by its key, and by its root of trust.
 */

#include "mef-process.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <time.h>

#include "est.h"
#include "util.h"

#define FQDN    "mef.example.com"
#define GATEWAY "gateway.example.com"
#define PUMP    "//m2m.example.com/pump-cse"

/* A responder's word that the MEF's certificate is good. */
#define MAKE_OCSP                                                                           \
    "printf 'V\\t491231235959Z\\t\\t%s\\tunknown\\t/CN=x\\n' "                              \
    "$(openssl x509 -in mef.pem -noout -serial | cut -d= -f2) >index.txt && "               \
    "openssl ocsp -index index.txt -CA ca.pem -rsigner ca.pem -rkey ca.key -issuer ca.pem " \
    "-cert mef.pem -ndays 1 -respout ocsp.der 2>&1"

struct world {
    struct scratch scratch;
    struct mef_process mef;
    struct http_client *http;
    struct secret *gateway_kpm, *pump_kpm;
    char anchors[96], base[64], connect_to[32];
};

static const struct est_subject gateway = {.common_name = GATEWAY, .dns = GATEWAY};

/* --- Asking --------------------------------------------------------------------------------------------- */

static int world_ask(void *userdata, const struct http_request *request, struct http_response *ret,
                     struct failure *failure) {
    struct world *world = userdata;

    return http_client_ask(world->http, request, -1, ret, failure);
}

static int64_t world_now(_unused_ void *userdata) {
    return (int64_t)time(NULL);
}

static int enrol(struct world *world, const struct http_handshake *handshake,
                 const struct est_subject *subject, bool renew, struct est_credential *ret,
                 struct failure *failure) {
    const struct mef_io io = {.ask = world_ask, .now = world_now, .userdata = world};
    const struct est_client client = {
        .io = &io,
        .base = world->base,
        .connect_to = world->connect_to,
        .handshake = handshake,
        .connect_timeout_usec = 20 * USEC_PER_SEC,
        .request_timeout_usec = 20 * USEC_PER_SEC,
    };

    (void)snprintf(world->base, sizeof(world->base), "https://" FQDN "/.well-known/est");
    (void)snprintf(world->connect_to, sizeof(world->connect_to), "127.0.0.1:%u",
                   handshake->psk ? world->mef.psk : world->mef.https);
    *failure = (struct failure){0};
    return est_enrol(&client, subject, renew, ret, failure);
}

static void enrolled(struct world *world, const struct http_handshake *handshake,
                     const struct est_subject *subject, bool renew, struct est_credential *ret) {
    struct failure failure;

    if (enrol(world, handshake, subject, renew, ret, &failure) != 0)
        fail_msg("%d: %s", failure.code, failure.text);
}

static struct http_handshake by_key(const struct world *world) {
    return (struct http_handshake){.psk_identity = "10-gateway@" FQDN, .psk = world->gateway_kpm};
}

static struct peer_expectation the_mef(const struct world *world) {
    return (struct peer_expectation){
        .flavour = PEER_FQDN, .name = FQDN, .trust_anchors = world->anchors};
}

/* --- What is issued --------------------------------------------------------------------------------------- */

/* The first certificate is the one that the MEF has issued last. */
static void expect_issued(struct world *world, const struct est_credential *credential) {
    BIO *bio = BIO_new_mem_buf(credential->certificate, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    char ours[2 * 32 + 1], theirs[CONTROL_LINE_MAX];
    uint8_t digest[EVP_MAX_MD_SIZE];

    assert_non_null(certificate);
    assert_int_equal(X509_digest(certificate, EVP_sha256(), digest, NULL), 1);
    hex_encode(digest, 32, ours);
    mef_process_order(&world->mef, "est issued", theirs, sizeof(theirs));
    assert_string_equal(ours, theirs);
    X509_free(certificate);
    BIO_free(bio);
}

static void a_certificate_is_issued_by_key_used_and_renewed(void **state) {
    struct world *world = *state;
    _cleanup_(est_credential_done) struct est_credential first = {0}, second = {0};
    const struct http_handshake psk = by_key(world);
    const struct peer_expectation peer = the_mef(world);
    struct http_handshake own = {.peer = &peer};

    enrolled(world, &psk, &gateway, false, &first);
    expect_issued(world, &first);
    own.certificate = first.certificate;
    own.private_key = first.private_key;
    enrolled(world, &own, &gateway, true, &second);
    expect_issued(world, &second);
    assert_false(secret_equal(first.private_key, second.private_key));
}

static void a_name_that_is_a_uri_is_issued_as_one(void **state) {
    struct world *world = *state;
    _cleanup_(est_credential_done) struct est_credential credential = {0};
    const struct http_handshake psk = {.psk_identity = "10-pump@" FQDN, .psk = world->pump_kpm};
    const struct est_subject pump = {.common_name = PUMP, .uri = PUMP};

    enrolled(world, &psk, &pump, false, &credential);
    expect_issued(world, &credential);
}

static void with_and_without_a_challenge_password(void **state) {
    struct world *world = *state;
    const struct http_handshake psk = by_key(world);

    for (size_t i = 0; i < 2; i++) {
        _cleanup_(est_credential_done) struct est_credential credential = {0};

        mef_process_order(&world->mef, i ? "est challenge on" : "est challenge off", NULL, 0);
        enrolled(world, &psk, &gateway, false, &credential);
    }
}

/* --- What is refused ------------------------------------------------------------------------------------------ */

static void refused(struct world *world, const struct http_handshake *handshake,
                    const struct est_subject *subject, bool renew, int code, const char *words) {
    struct est_credential credential = {0};
    struct failure failure;
    int r = enrol(world, handshake, subject, renew, &credential, &failure);

    if (r != code || !strstr(failure.text, words))
        fail_msg("%d, not %d with \"%s\": %s", r, code, words, failure.text);
    assert_null(credential.private_key);
}

static void each_fault_of_the_authority_is_told(void **state) {
    static const struct {
        const char *fault;
        int code;
        const char *words;
    } faults[] = {
        {"est fault pending x1", EST_E_PENDING, "202"},
        {"est fault busy x1", EST_E_BUSY, "503"},
        {"est fault wrong-key x1", EST_E_CERTIFICATE, "of another key"},
        {"est fault wrong-name x1", EST_E_CERTIFICATE, GATEWAY " is expected"},
        {"est fault stranger x1", EST_E_CERTIFICATE, "does not come from its authority"},
        {"est fault garbage x1", EST_E_MALFORMED, "no certificates"},
    };
    struct world *world = *state;
    const struct http_handshake psk = by_key(world);

    for (size_t i = 0; i < ELEMENTS(faults); i++) {
        mef_process_order(&world->mef, faults[i].fault, NULL, 0);
        refused(world, &psk, &gateway, false, faults[i].code, faults[i].words);
        mef_process_order(&world->mef, "est clear", NULL, 0);
    }
}

static void nobody_gets_another_ones_name_or_renews_by_key(void **state) {
    struct world *world = *state;
    const struct http_handshake psk = by_key(world);
    const struct est_subject other = {.common_name = "other.example", .dns = "other.example"};

    refused(world, &psk, &other, false, EST_E_REFUSED, "403");
    refused(world, &psk, &gateway, true, EST_E_REFUSED, "403");
}

/* --- Who the MEF is ------------------------------------------------------------------------------------------- */

static struct peer_root root_of(const struct world *world, const char *file) {
    struct peer_root root = {.length = 32};
    char *text = scratch_read(&world->scratch, file);
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned char *spki = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);

    assert_true(length > 0);
    assert_int_equal(EVP_Digest(spki, (size_t)length, root.digest, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(spki);
    X509_free(certificate);
    BIO_free(bio);
    free(text);
    return root;
}

/* The MEF sends its authority's certificate as well. */
static void the_mef_is_known_by_name_by_ocsp_by_key_and_by_root_of_trust(void **state) {
    struct world *world = *state;
    _cleanup_(est_credential_done) struct est_credential own = {0};
    const struct http_handshake psk = by_key(world);
    const struct peer_expectation cases[] = {
        the_mef(world),
        {.flavour = PEER_FQDN,
         .name = FQDN,
         .trust_anchors = world->anchors,
         .ocsp_required = true},
        {.flavour = PEER_RAW_PUBLIC_KEY, .roots = {root_of(world, "mef.pem")}, .roots_count = 1},
        {.flavour = PEER_FQDN, .name = FQDN, .roots = {root_of(world, "ca.pem")}, .roots_count = 1},
        {.flavour = PEER_NAMED,
         .name = FQDN,
         .roots = {root_of(world, "ca.pem")},
         .roots_count = 1},
    };

    enrolled(world, &psk, &gateway, false, &own);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct http_handshake handshake = {
            .certificate = own.certificate, .private_key = own.private_key, .peer = &cases[i]};
        _cleanup_(est_credential_done) struct est_credential next = {0};

        enrolled(world, &handshake, &gateway, true, &next);
    }
}

static void a_mef_that_is_another_is_refused_by_name(void **state) {
    struct world *world = *state;
    _cleanup_(est_credential_done) struct est_credential own = {0};
    const struct http_handshake psk = by_key(world);
    char other_anchors[128];
    const struct {
        struct peer_expectation peer;
        int code;
    } cases[] = {
        {{.flavour = PEER_FQDN, .name = "other.example", .trust_anchors = world->anchors},
         PEER_E_NAME},
        {{.flavour = PEER_AE_ID, .name = "//" FQDN "/x", .trust_anchors = world->anchors},
         PEER_E_NAME},
        {{.flavour = PEER_FQDN, .name = FQDN, .trust_anchors = other_anchors}, PEER_E_UNTRUSTED},
        {{.flavour = PEER_RAW_PUBLIC_KEY, .roots = {root_of(world, "ca.pem")}, .roots_count = 1},
         PEER_E_ROOT},
        {{.flavour = PEER_NAMED,
          .name = FQDN,
          .roots = {root_of(world, "other-ca.pem")},
          .roots_count = 1},
         PEER_E_ROOT},
    };

    (void)snprintf(other_anchors, sizeof(other_anchors), "%s/other-ca.pem",
                   world->scratch.directory);
    enrolled(world, &psk, &gateway, false, &own);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct http_handshake handshake = {
            .certificate = own.certificate, .private_key = own.private_key, .peer = &cases[i].peer};

        refused(world, &handshake, &gateway, true, cases[i].code, "expected");
    }
}

/* --- The world ---------------------------------------------------------------------------------------------------- */

static struct secret *kpm_from(uint8_t first) {
    struct secret *kpm;

    assert_int_equal(secret_new(32, &kpm), 0);
    for (uint8_t i = 0; i < 32; i++)
        secret_data_mutable(kpm)[i] = (uint8_t)(first + i);
    return kpm;
}

static int setup(void **state) {
    static const char *const words[] = {
        "--enrolees",  LAB_ENROLEES, "--psk-listen",  "127.0.0.1:0", "--listen",
        "127.0.0.1:0", "--tls-cert", "mef-chain.pem", "--tls-key",   "mef.key",
        "--anchors",   "ca.pem",     "--ca-cert",     "ca.pem",      "--ca-key",
        "ca.key",      "--ocsp",     "ocsp.der",      NULL};
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    assert_int_equal(secret_arena_init(), 0);
    scratch_open(&world->scratch);
    must(&world->scratch, LAB_CERTIFICATES " . 2>&1");
    must(&world->scratch, "%s", MAKE_OCSP);
    mef_process_start(&world->mef, &world->scratch, KEYSTRAP_LAB, words, NULL);
    (void)snprintf(world->anchors, sizeof(world->anchors), "%s/ca.pem", world->scratch.directory);
    world->gateway_kpm = kpm_from(0x00);
    world->pump_kpm = kpm_from(0x40);
    assert_int_equal(http_client_new(KEYSTRAP_HTTP, &world->http), 0);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    size_t used;

    (void)http_client_free(world->http);
    mef_process_stop(&world->mef);
    secret_free(world->gateway_kpm);
    secret_free(world->pump_kpm);
    scratch_close(&world->scratch);
    free(world);
    used = secret_arena_used();
    secret_arena_done();
    return used == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_issued_by_key_used_and_renewed),
        cmocka_unit_test(a_name_that_is_a_uri_is_issued_as_one),
        cmocka_unit_test(with_and_without_a_challenge_password),
        cmocka_unit_test(each_fault_of_the_authority_is_told),
        cmocka_unit_test(nobody_gets_another_ones_name_or_renews_by_key),
        cmocka_unit_test(the_mef_is_known_by_name_by_ocsp_by_key_and_by_root_of_trust),
        cmocka_unit_test(a_mef_that_is_another_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
