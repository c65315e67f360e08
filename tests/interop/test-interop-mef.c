/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every call of mef.h between two implementations: the product's, with the real keystrap-http and keystrap-coap, and
 * `keystrap-lab mef`, a process of its own with GnuTLS, nettle and libcoap-gnutls; by pre-shared key and by certificates, over
 * HTTPS and CoAPS. A key that both ends made must be the same by its hash, which the MEF's control socket shows. And each fault
 * that the MEF can be told to have is the outcome that it should be.
 */

#include "mef-process.h"

#include <openssl/evp.h>
#include <time.h>

#include "mef.h"
#include "onem2m.h"
#include "util.h"

#define FQDN     "mef.example.com"
#define GATEWAY  "gateway.example.com"
#define MAF      "maf.example.com"
#define PUMP     "//m2m.example.com/pump-cse"
#define IN_CSE   "//m2m.example.com/in-cse"
#define TOKEN    "2f1c0a9be7d64358" /* of the pump, in tests/lab/enrolees.conf */
#define HOUR_SEC 3600

/* How the two speak. */
struct way {
    const char *scheme;
    bool certificate;
};

/* One who asks the MEF: an enrolee of tests/lab/enrolees.conf. */
struct party {
    struct enrol_profile profile;
    struct http_handshake handshake;
    struct peer_expectation peer;
    struct mef_client client;
    struct secret *kpm;
    char mef[64], connect_to[32];
};

struct world {
    struct scratch scratch;
    struct mef_process mef;
    struct http_client *http, *coap;
    struct party gateway, maf, pump, in_cse;
    char *certificate, anchors[96];
    struct secret *private_key;
    struct failure failure;
};

/* --- Asking --------------------------------------------------------------------------------------------- */

static int world_ask(void *userdata, const struct http_request *request, struct http_response *ret,
                     struct failure *failure) {
    struct world *world = userdata;
    bool coap = strncmp(request->url, "coaps:", 6) == 0;

    return http_client_ask(coap ? world->coap : world->http, request, -1, ret, failure);
}

static int64_t world_now(void *userdata) {
    (void)userdata;
    return (int64_t)time(NULL);
}

static struct mef_io world_io = {.ask = world_ask, .now = world_now};

static void party_begin(struct world *world, struct party *party, const struct way *way,
                        const char *identity, const char *kpm_id, unsigned first) {
    unsigned port = strcmp(way->scheme, "coaps") == 0 ? world->mef.coaps
                    : way->certificate                ? world->mef.https
                                                      : world->mef.psk;

    (void)snprintf(party->mef, sizeof(party->mef), "%s://" FQDN, way->scheme);
    (void)snprintf(party->connect_to, sizeof(party->connect_to), "127.0.0.1:%u", port);
    assert_int_equal(secret_new(32, &party->kpm), 0);
    for (unsigned i = 0; i < 32; i++)
        secret_data_mutable(party->kpm)[i] = (uint8_t)(first + i);
    party->profile = (struct enrol_profile){
        .mef = party->mef,
        .connect_to = party->connect_to,
        .target_kind = ONEM2M_TARGET_MAF,
        .expiry_usec = HOUR_SEC * USEC_PER_SEC,
        .connect_timeout_usec = 20 * USEC_PER_SEC,
        .request_timeout_usec = 20 * USEC_PER_SEC,
    };
    party->profile.mef_fqdn = strdup(FQDN);
    party->profile.identity = strdup(identity);
    assert_true(party->profile.mef_fqdn && party->profile.identity);
    party->peer = (struct peer_expectation){
        .flavour = PEER_FQDN, .name = FQDN, .trust_anchors = world->anchors};
    if (way->certificate)
        party->handshake = (struct http_handshake){.certificate = world->certificate,
                                                   .private_key = world->private_key,
                                                   .peer = &party->peer};
    else
        party->handshake = (struct http_handshake){.psk_identity = kpm_id, .psk = party->kpm};
    party->client = (struct mef_client){
        .io = &world_io, .profile = &party->profile, .handshake = &party->handshake};
}

static void party_end(struct party *party) {
    party->kpm = secret_free(party->kpm);
    free(party->profile.mef_fqdn);
    free(party->profile.identity);
}

/* The gateway as @way says; those who have no certificate by key. */
static void begin(struct world *world, const struct way *way) {
    const struct way by_key = {way->scheme, false};

    failure_clear(&world->failure);
    mef_process_order(&world->mef, "forget", NULL, 0);
    party_begin(world, &world->gateway, way, GATEWAY, "10-gateway@" FQDN, 0x00);
    party_begin(world, &world->maf, &by_key, MAF, "10-maf@" FQDN, 0x20);
    party_begin(world, &world->pump, &by_key, PUMP, "10-pump@" FQDN, 0x40);
    party_begin(world, &world->in_cse, &by_key, IN_CSE, "10-in-cse@" FQDN, 0x60);
}

static void end(struct world *world) {
    party_end(&world->gateway);
    party_end(&world->maf);
    party_end(&world->pump);
    party_end(&world->in_cse);
}

static const struct way https_by_key = {"https", false}, https_by_certificate = {"https", true},
                        coaps_by_key = {"coaps", false}, coaps_by_certificate = {"coaps", true};

#define WELL(world, call)                                  \
    do {                                                   \
        int r_ = (call);                                   \
        if (r_ != 0)                                       \
            fail_msg("%d: %s", r_, (world)->failure.text); \
    } while (0)

/* --- What the MEF has ----------------------------------------------------------------------------------- */

/* By which a key is known without being shown. */
static void hash_of(const struct secret *key, char ret[17]) {
    uint8_t digest[EVP_MAX_MD_SIZE];

    assert_int_equal(
        EVP_Digest(secret_data(key), secret_length(key), digest, NULL, EVP_sha256(), NULL), 1);
    hex_encode(digest, 8, ret);
}

/* Ke of the newest registration and its children are ours. */
static void assert_ke(struct world *world, const struct mef_registration *registration) {
    _cleanup_secret_ struct secret *usage = NULL, *km = NULL;
    char shown[CONTROL_LINE_MAX], expected[CONTROL_LINE_MAX], hashes[3][17];

    assert_int_equal(
        onem2m_key(registration->ke, ONEM2M_USAGE_CONSTRAINED, ONEM2M_TARGET_MAF, 22, MAF, &usage),
        0);
    assert_int_equal(onem2m_key(registration->ke, ONEM2M_RELEASE_1, ONEM2M_TARGET_MAF, 0, MAF, &km),
                     0);
    hash_of(registration->ke, hashes[0]);
    hash_of(usage, hashes[1]);
    hash_of(km, hashes[2]);
    (void)snprintf(expected, sizeof(expected), "%s ke %s usage %s release-1 %s",
                   registration->ke_id, hashes[0], hashes[1], hashes[2]);
    mef_process_order(&world->mef, "keys 22", shown, sizeof(shown));
    assert_string_equal(shown, expected);
}

/* The MEF has that key under that RelativeKeyID, of the gateway. */
static void assert_key(struct world *world, const struct mef_key *key) {
    char order[MEF_ID_MAX + 8], shown[CONTROL_LINE_MAX], expected[128], hash[17];

    hash_of(key->key, hash);
    (void)snprintf(expected, sizeof(expected), "%s %u " GATEWAY, hash, key->suid);
    (void)snprintf(order, sizeof(order), "key %s", key->relative_key_id);
    mef_process_order(&world->mef, order, shown, sizeof(shown));
    assert_string_equal(shown, expected);
}

/* --- The calls, each by @way ------------------------------------------------------------------------------ */

static void registrations(struct world *world, const struct way *way) {
    _cleanup_(mef_registration_done) struct mef_registration first = {0}, second = {0};
    struct mef_configuration configuration;
    struct mef_client *client = &world->gateway.client;
    int64_t until = world_now(NULL) + HOUR_SEC / 2;

    begin(world, way);
    WELL(world, mef_register(client, NULL, &first, &world->failure));
    assert_ke(world, &first);
    assert_true(first.expires > world_now(NULL) && *first.command);
    WELL(world, mef_register(client, NULL, &second, &world->failure));
    assert_ke(world, &second);
    assert_false(secret_equal(first.ke, second.ke)); /* by a connection of its own */
    WELL(world, mef_registration_update(client, &second, until, &world->failure));
    assert_int_equal(second.expires, until);
    WELL(world,
         mef_retrieve_configuration(client, second.client_reg_id, &configuration, &world->failure));
    assert_string_equal(configuration.fqdn, FQDN);
    assert_string_equal(configuration.admin_fqdn, FQDN);
    assert_int_equal(configuration.coap_port, world->mef.coaps);
    assert_int_equal(configuration.expires, until);
    assert_non_null(strstr(configuration.est, "/.well-known/est"));
    WELL(world, mef_deregister(client, second.client_reg_id, &world->failure));
    assert_int_equal(mef_deregister(client, second.client_reg_id, NULL), MEF_E_UNKNOWN);
    assert_int_equal(mef_retrieve_configuration(client, second.client_reg_id, &configuration, NULL),
                     MEF_E_UNKNOWN);
    WELL(world, mef_deregister(client, first.client_reg_id, &world->failure));
    end(world);
}

static void keys(struct world *world, const struct way *way) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    _cleanup_(mef_key_done) struct mef_key exported = {0}, given = {0}, fetched = {0};
    _cleanup_secret_ struct secret *value = NULL;
    struct mef_client *client = &world->gateway.client, *target = &world->maf.client;
    int64_t until = world_now(NULL) + HOUR_SEC / 2;

    begin(world, way);
    assert_int_equal(secret_new_copy("0123456789abcdef0123456789ABCDEF", KE_LENGTH, &value), 0);
    WELL(world, mef_register(client, NULL, &registration, &world->failure));
    WELL(world, mef_key_register(client, registration.client_reg_id, 21, MAF, until, NULL,
                                 &exported, &world->failure));
    assert_key(world, &exported);
    WELL(world, mef_key_register(client, registration.client_reg_id, 24, MAF " " IN_CSE, until,
                                 value, &given, &world->failure));
    assert_key(world, &given);
    assert_true(secret_equal(given.key, value));
    assert_int_equal(given.expires, until);
    WELL(world, mef_key_retrieve(target, exported.relative_key_id, &fetched, &world->failure));
    assert_true(secret_equal(fetched.key, exported.key));
    assert_string_equal(fetched.source, GATEWAY);
    assert_string_equal(fetched.key_id, exported.key_id);
    mef_key_done(&fetched);
    assert_int_equal(
        mef_key_retrieve(&world->in_cse.client, exported.relative_key_id, &fetched, NULL),
        MEF_E_REFUSED);
    WELL(world, mef_key_update(client, &exported, until - 60, IN_CSE, &world->failure));
    assert_int_equal(exported.expires, until - 60);
    assert_int_equal(mef_key_retrieve(target, exported.relative_key_id, &fetched, NULL),
                     MEF_E_REFUSED);
    WELL(world, mef_key_retrieve(&world->in_cse.client, exported.relative_key_id, &fetched,
                                 &world->failure));
    assert_true(secret_equal(fetched.key, exported.key));
    WELL(world, mef_key_deregister(client, exported.relative_key_id, &world->failure));
    assert_int_equal(mef_key_deregister(client, exported.relative_key_id, NULL), MEF_E_UNKNOWN);
    end(world);
}

/* What the target fetches by the KeId is what we derive of Ke. */
static void older_exchange(struct world *world, const struct way *way) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    _cleanup_(mef_key_done) struct mef_key fetched = {0};
    _cleanup_secret_ struct secret *derived = NULL;

    begin(world, way);
    world->gateway.profile.exchange = MEF_INDICATIONS;
    WELL(world, mef_register(&world->gateway.client, NULL, &registration, &world->failure));
    assert_ke(world, &registration);
    assert_string_equal(registration.client_reg_id, "");
    WELL(world, mef_fetch_credentials(&world->maf.client, registration.ke_id, 21, &fetched,
                                      &world->failure));
    assert_int_equal(
        onem2m_key(registration.ke, ONEM2M_USAGE_CONSTRAINED, ONEM2M_TARGET_MAF, 21, MAF, &derived),
        0);
    assert_true(secret_equal(fetched.key, derived));
    assert_string_equal(fetched.source, GATEWAY);
    mef_key_done(&fetched);
    assert_int_equal(mef_fetch_credentials(&world->in_cse.client, registration.ke_id, 21, &fetched,
                                           &world->failure),
                     MEF_E_REFUSED);
    assert_non_null(strstr(world->failure.text, "not for this target"));
    end(world);
}

static int on_command(void *userdata, const struct mef_command *command) {
    unsigned *executed = userdata;

    (*executed)++;
    switch (command->class) {
    case MEF_CERT_PROV:
        return command->protocol == 1 && strcmp(command->subject, GATEWAY) == 0
                   ? MEF_COMMAND_OK
                   : MEF_COMMAND_CERT_PROV_CLIENT;
    case MEF_DEV_CFG:
        return strncmp(command->uri, "1:https://" FQDN "/", 20) == 0 ? MEF_COMMAND_OK
                                                                     : MEF_COMMAND_DEV_CFG_CLIENT;
    case MEF_MO_NODE:
        return command->suid == 21 ? MEF_COMMAND_MO_NODE_NOT_FOUND : MEF_COMMAND_MO_NODE_BAD_ARGS;
    default:
        return MEF_COMMAND_CLASS_NOT_SUPPORTED;
    }
}

static void commands(struct world *world, const struct way *way) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    unsigned executed = 0;
    const struct mef_command_handler handler = {on_command, &executed};
    struct mef_client *client = &world->gateway.client;
    char statuses[CONTROL_LINE_MAX];
    uint64_t retry = 0;

    begin(world, way);
    mef_process_order(&world->mef, "commands " GATEWAY " cert-prov dev-cfg mo-node foreign bad 7",
                      NULL, 0);
    WELL(world, mef_register(client, NULL, &registration, &world->failure));
    WELL(world, mef_run_commands(client, &registration, &handler, &retry, &world->failure));
    mef_process_order(&world->mef, "statuses " GATEWAY, statuses, sizeof(statuses));
    assert_string_equal(statuses, "20 20 300 43 42 41");
    assert_int_equal(executed, 4);
    assert_int_equal(retry, 3600 * USEC_PER_SEC);
    end(world);
}

static void all_calls(struct world *world, const struct way *way) {
    registrations(world, way);
    keys(world, way);
    older_exchange(world, way);
    commands(world, way);
}

static void every_call_by_key_over_https(void **state) {
    all_calls(*state, &https_by_key);
}

static void every_call_by_certificate_over_https(void **state) {
    all_calls(*state, &https_by_certificate);
}

static void every_call_by_key_over_coaps(void **state) {
    all_calls(*state, &coaps_by_key);
}

static void every_call_by_certificate_over_coaps(void **state) {
    all_calls(*state, &coaps_by_certificate);
}

/* --- Refusals ------------------------------------------------------------------------------------------- */

static void a_token_is_taken_once(void **state) {
    _cleanup_secret_ struct secret *token = NULL, *wrong = NULL;
    _cleanup_(mef_registration_done) struct mef_registration first = {0}, second = {0};
    struct world *world = *state;
    struct mef_client *client = &world->pump.client;

    begin(world, &https_by_key);
    assert_int_equal(secret_new_copy(TOKEN, strlen(TOKEN), &token), 0);
    assert_int_equal(secret_new_copy("0000000000000000", 16, &wrong), 0);
    assert_int_equal(mef_register(client, NULL, &first, NULL), MEF_E_TOKEN);
    assert_int_equal(mef_register(client, wrong, &first, NULL), MEF_E_TOKEN);
    WELL(world, mef_register(client, token, &first, &world->failure));
    assert_int_equal(mef_register(client, token, &second, NULL), MEF_E_TOKEN);
    WELL(world, mef_register(client, NULL, &second, &world->failure));
    end(world);
}

/* GnuTLS's server hangs up without an alert, so it is not said which of the two is wrong; the identity is named. */
static void expect_no_handshake(struct world *world) {
    struct mef_registration none = {0};
    int r;

    failure_clear(&world->failure);
    r = mef_register(&world->gateway.client, NULL, &none, &world->failure);
    if ((r != HTTP_E_TLS && r != HTTP_E_PSK) ||
        !strstr(world->failure.text, world->gateway.handshake.psk_identity))
        fail_msg("%s: %s", outcome_name(r), world->failure.text);
    assert_null(none.ke);
}

static void who_is_not_whom_the_mef_knows_is_refused(void **state) {
    struct mef_registration none = {0};
    struct world *world = *state;
    unsigned long before;

    begin(world, &https_by_key);
    mef_process_order(&world->mef, "refuse " GATEWAY, NULL, 0);
    assert_int_equal(mef_register(&world->gateway.client, NULL, &none, NULL), MEF_E_REFUSED);
    mef_process_order(&world->mef, "admit " GATEWAY, NULL, 0);
    before = mef_process_count(&world->mef, "requests");
    secret_data_mutable(world->gateway.kpm)[0] ^= 1;
    expect_no_handshake(world);
    world->gateway.handshake.psk_identity = "10-nobody@" FQDN;
    expect_no_handshake(world);
    assert_int_equal(mef_process_count(&world->mef, "requests"), before);
    end(world);
}

/* A MEF with another name, or of an authority that nobody knows, is told nothing. */
static void a_mef_that_is_another_is_not_registered_with(void **state) {
    struct mef_registration none = {0};
    struct world *world = *state;
    unsigned long before = mef_process_count(&world->mef, "registrations");
    char other[128];

    (void)snprintf(other, sizeof(other), "%s/other-ca.pem", world->scratch.directory);
    begin(world, &https_by_certificate);
    world->gateway.peer.name = "elsewhere.example";
    assert_int_equal(mef_register(&world->gateway.client, NULL, &none, NULL), PEER_E_NAME);
    world->gateway.peer.name = FQDN;
    world->gateway.peer.trust_anchors = other;
    assert_int_equal(mef_register(&world->gateway.client, NULL, &none, NULL), PEER_E_UNTRUSTED);
    assert_int_equal(mef_process_count(&world->mef, "registrations"), before);
    end(world);
}

static int register_with(struct world *world, const char *fault) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    char order[64];
    int r;

    (void)snprintf(order, sizeof(order), "fault %s x1", fault);
    mef_process_order(&world->mef, order, NULL, 0);
    r = mef_register(&world->gateway.client, NULL, &registration, NULL);
    assert_true(r == 0 || !registration.ke);
    return r;
}

static void expect_faults(struct world *world, const struct way *way) {
    static const struct {
        const char *name;
        int code;
    } faults[] = {
        {"refuse", MEF_E_REFUSED},   {"conflict", MEF_E_CONFLICT}, {"error", MEF_E_BUSY},
        {"expired", MEF_E_LIFETIME}, {"changed", MEF_E_CHANGED},   {"missing", MEF_E_MALFORMED},
        {"json", MEF_E_MALFORMED},   {"type", MEF_E_MALFORMED},    {"number", MEF_E_MALFORMED},
    };

    begin(world, way);
    for (size_t i = 0; i < ELEMENTS(faults); i++) {
        int r = register_with(world, faults[i].name);

        if (r != faults[i].code)
            fail_msg("%s over %s: %s", faults[i].name, way->scheme, outcome_name(r));
    }
    assert_int_equal(register_with(world, "busy 7"), MEF_E_BUSY);
    assert_int_equal(world->gateway.client.retry_after_usec, 7 * USEC_PER_SEC);
    end(world);
}

static void each_fault_of_a_registration_has_its_outcome(void **state) {
    struct world *world = *state;

    expect_faults(world, &https_by_key);
    expect_faults(world, &coaps_by_key);
    begin(world, &https_by_key);
    assert_int_equal(register_with(world, "big"), HTTP_E_TOO_LARGE);
    assert_int_equal(register_with(world, "garbage"), HTTP_E_PROTOCOL);
    end(world);
}

static void each_fault_of_a_key_has_its_outcome(void **state) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    _cleanup_(mef_key_done) struct mef_key key = {0};
    struct world *world = *state;
    struct mef_client *client = &world->gateway.client;
    int64_t until = world_now(NULL) + HOUR_SEC / 2;
    struct mef_key none = {0};

    begin(world, &https_by_key);
    WELL(world, mef_register(client, NULL, &registration, &world->failure));
    mef_process_order(&world->mef, "fault targets x1", NULL, 0);
    assert_int_equal(
        mef_key_register(client, registration.client_reg_id, 21, MAF, until, NULL, &none, NULL),
        MEF_E_CHANGED);
    WELL(world, mef_key_register(client, registration.client_reg_id, 21, MAF, until, NULL, &key,
                                 &world->failure));
    mef_process_order(&world->mef, "fault short-key x1", NULL, 0);
    assert_int_equal(mef_key_retrieve(&world->maf.client, key.relative_key_id, &none, NULL),
                     MEF_E_MALFORMED);
    mef_process_order(&world->mef, "fault short-key x1", NULL, 0);
    assert_int_equal(mef_fetch_credentials(&world->maf.client, registration.ke_id, 21, &none, NULL),
                     MEF_E_MALFORMED);
    assert_null(none.key);
    end(world);
}

static void a_command_that_comes_again_is_not_executed_again(void **state) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0};
    unsigned executed = 0;
    const struct mef_command_handler handler = {on_command, &executed};
    struct world *world = *state;
    struct mef_client *client = &world->gateway.client;
    char statuses[CONTROL_LINE_MAX];
    uint64_t retry = 0;

    begin(world, &https_by_key);
    mef_process_order(&world->mef, "commands " GATEWAY " dev-cfg dev-cfg", NULL, 0);
    mef_process_order(&world->mef, "fault repeat x1", NULL, 0);
    WELL(world, mef_register(client, NULL, &registration, &world->failure));
    WELL(world, mef_run_commands(client, &registration, &handler, &retry, &world->failure));
    mef_process_order(&world->mef, "statuses " GATEWAY, statuses, sizeof(statuses));
    assert_string_equal(statuses, "20 40");
    assert_int_equal(executed, 1);
    end(world);
}

/* --- The world -------------------------------------------------------------------------------------------- */

static int setup(void **state) {
    static const char *const words[] = {
        "--enrolees",  LAB_ENROLEES,    "--psk-listen", "127.0.0.1:0", "--listen",
        "127.0.0.1:0", "--coap-listen", "127.0.0.1:0",  "--tls-cert",  "mef.pem",
        "--tls-key",   "mef.key",       "--anchors",    "ca.pem",      NULL};
    struct world *world = calloc(1, sizeof(*world));
    char *key;

    assert_non_null(world);
    assert_int_equal(secret_arena_init(), 0);
    scratch_open(&world->scratch);
    must(&world->scratch, LAB_CERTIFICATES " . 2>&1");
    mef_process_start(&world->mef, &world->scratch, KEYSTRAP_LAB, words, NULL);
    world->certificate = scratch_read(&world->scratch, "gateway.pem");
    key = scratch_read(&world->scratch, "gateway.key");
    assert_int_equal(secret_new_copy(key, strlen(key), &world->private_key), 0);
    free(key);
    (void)snprintf(world->anchors, sizeof(world->anchors), "%s/ca.pem", world->scratch.directory);
    assert_int_equal(http_client_new(KEYSTRAP_HTTP, &world->http), 0);
    assert_int_equal(http_client_new(KEYSTRAP_COAP, &world->coap), 0);
    world_io.userdata = world;
    *state = world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    size_t used;

    (void)http_client_free(world->http);
    (void)http_client_free(world->coap);
    mef_process_stop(&world->mef);
    secret_free(world->private_key);
    free(world->certificate);
    scratch_close(&world->scratch);
    free(world);
    used = secret_arena_used();
    secret_arena_done();
    return used == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_by_key_over_https),
        cmocka_unit_test(every_call_by_certificate_over_https),
        cmocka_unit_test(every_call_by_key_over_coaps),
        cmocka_unit_test(every_call_by_certificate_over_coaps),
        cmocka_unit_test(a_token_is_taken_once),
        cmocka_unit_test(who_is_not_whom_the_mef_knows_is_refused),
        cmocka_unit_test(a_mef_that_is_another_is_not_registered_with),
        cmocka_unit_test(each_fault_of_a_registration_has_its_outcome),
        cmocka_unit_test(each_fault_of_a_key_has_its_outcome),
        cmocka_unit_test(a_command_that_comes_again_is_not_executed_again),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
