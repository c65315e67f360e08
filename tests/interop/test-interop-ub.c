/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Ub in every mode of GBA, and GBA push, between two implementations: the product's, with the real keystrap-http, and the
 * lab's BSF, a process of its own with GnuTLS and nettle. What a NAF is told by the BSF must be the key that we derived.
 */

#include "unit/tls-server.h"

#include <nettle/memxor.h>
#include <nettle/sha1.h>

#include "control.h"
#include "milenage.h"
#include "ub.h"
#include "util.h"

#define BSF       "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define NAF       "naf.example.com"
#define GATEWAY   "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define CAMERA    "camera@ims.lab.example"
#define WAIT_MSEC 10000

static const uint8_t ua[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 2};

/* --- The card of the subscriber "gateway" --------------------------------------------------------- */

struct card {
    struct milenage_key key;
    uint64_t sqn; /* the highest that it accepted */
    bool gba_u;
    uint8_t ck[MILENAGE_KEY], ik[MILENAGE_KEY], rand[MILENAGE_RAND]; /* of its GBA_U session */
    unsigned authentications;
};

/* What masks the MAC in GBA_U: the first octets of SHA-1 of IK. */
static void mask_mac(uint8_t autn[MILENAGE_AUTN], const uint8_t ik[MILENAGE_KEY]) {
    uint8_t hash[SHA1_DIGEST_SIZE];
    struct sha1_ctx sha1;

    sha1_init(&sha1);
    sha1_update(&sha1, MILENAGE_KEY, ik);
    sha1_digest(&sha1, sizeof(hash), hash);
    memxor(autn + MILENAGE_AUTN - MILENAGE_MAC, hash, MILENAGE_MAC);
}

static struct secret *secret_of(const void *data, size_t length) {
    struct secret *secret = NULL;

    assert_int_equal(secret_new_copy(data, length, &secret), 0);
    return secret;
}

static void answer_aka(struct card *card, const struct milenage_answer *answer,
                       struct uicc_aka *ret) {
    uint8_t res[MILENAGE_RES];

    memcpy(res, answer->res, sizeof(res));
    if (card->gba_u) {
        res[MILENAGE_RES - 1] ^= 1;
        memcpy(card->ck, answer->ck, sizeof(card->ck));
        memcpy(card->ik, answer->ik, sizeof(card->ik));
    } else {
        ret->ck = secret_of(answer->ck, sizeof(answer->ck));
        ret->ik = secret_of(answer->ik, sizeof(answer->ik));
    }
    ret->res = secret_of(res, sizeof(res));
}

static int authenticate(struct card *card, const uint8_t rand[AKA_RAND_LENGTH],
                        const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret) {
    uint8_t token[MILENAGE_AUTN];
    struct milenage_answer answer;
    uint64_t sqn;

    card->authentications++;
    milenage_f2345(&card->key, rand, &answer);
    memcpy(token, autn, sizeof(token));
    if (card->gba_u)
        mask_mac(token, answer.ik);
    if (!milenage_autn_verify(&card->key, rand, token, &sqn))
        return UICC_E_MAC;
    if (sqn <= card->sqn) {
        milenage_auts(&card->key, rand, card->sqn, ret->auts);
        return UICC_E_SYNC;
    }
    card->sqn = sqn;
    memcpy(card->rand, rand, sizeof(card->rand));
    answer_aka(card, &answer, ret);
    return 0;
}

/* --- The world ------------------------------------------------------------------------------------ */

struct world {
    pid_t bsf;
    unsigned port, zn_port;
    char control[160];
    struct tls_server files; /* certificate and key, also where the socket is */
    struct http_client *http;
    struct card card;
    struct ub_parameters parameters;
    char connect_to[32];
    struct failure failure;
};

static int world_get(void *userdata, const struct http_request *request, struct http_response *ret,
                     struct failure *failure) {
    struct world *world = userdata;

    return http_client_ask(world->http, request, -1, ret, failure);
}

static int world_authenticate(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                              const uint8_t autn[AKA_AUTN_LENGTH], struct uicc_aka *ret,
                              struct failure *failure) {
    struct world *world = userdata;

    (void)failure;
    return authenticate(&world->card, rand, autn, ret);
}

/* SRES and Kc of RES, CK and IK by the conversion functions c2 and c3. */
static int world_authenticate_2g(void *userdata, const uint8_t rand[AKA_RAND_LENGTH],
                                 struct secret **ret_sres, struct secret **ret_kc,
                                 struct failure *failure) {
    struct world *world = userdata;
    struct milenage_answer answer;
    uint8_t kc[MILENAGE_KC];

    (void)failure;
    world->card.authentications++;
    milenage_f2345(&world->card.key, rand, &answer);
    milenage_kc(&answer, kc);
    memxor(answer.res, answer.res + 4, 4);
    *ret_sres = secret_of(answer.res, 4);
    *ret_kc = secret_of(kc, sizeof(kc));
    return 0;
}

static const struct ub_ops world_ops = {
    .get = world_get,
    .authenticate = world_authenticate,
    .authenticate_2g = world_authenticate_2g,
};

/* @options: further ones of keystrap-lab bsf, separated by single spaces; "" for none. */
static void bsf_start(struct world *world, const char *options) {
    char command[2048], *rest = command, *argv[40] = {NULL}, line[64] = "";
    size_t count = 0;
    int fds[2];
    FILE *output;

    (void)snprintf(world->control, sizeof(world->control), "%s/control", world->files.directory);
    (void)snprintf(command, sizeof(command),
                   KEYSTRAP_LAB " bsf --subscribers " LAB_CONF
                                " --zn-listen 127.0.0.1:0 --control %s%s%s",
                   world->control, *options ? " " : "", options);
    while (rest && count < 39)
        argv[count++] = strsep(&rest, " ");
    assert_int_equal(pipe(fds), 0);
    world->bsf = fork();
    if (world->bsf == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(fds[1]);
    output = fdopen(fds[0], "r");
    assert_non_null(output);
    assert_non_null(fgets(line, sizeof(line), output));
    (void)fclose(output);
    assert_int_equal(sscanf(line, "ready %u %u", &world->port, &world->zn_port), 2);
    (void)snprintf(world->connect_to, sizeof(world->connect_to), "127.0.0.1:%u", world->port);
    world->parameters.connect_to = world->connect_to;
}

static void bsf_stop(struct world *world) {
    int status = -1;

    if (world->bsf <= 0)
        return;
    assert_int_equal(kill(world->bsf, SIGTERM), 0);
    assert_int_equal(waitpid(world->bsf, &status, 0), world->bsf);
    assert_int_equal(status, 0);
    world->bsf = 0;
}

static void bsf_start_tls(struct world *world, const char *options) {
    char all[1024];

    (void)snprintf(all, sizeof(all), "--tls-cert %s --tls-key %s%s%s", world->files.certificate,
                   world->files.key, *options ? " " : "", options);
    world->parameters.scheme = "https";
    world->parameters.trust_anchors = world->files.certificate;
    bsf_start(world, all);
}

static void tell(const struct world *world, const char *command, char *ret, size_t size) {
    char answer[CONTROL_LINE_MAX];

    assert_int_equal(control_ask(world->control, command, WAIT_MSEC, answer, sizeof(answer)), 0);
    if (ret)
        (void)snprintf(ret, size, "%s", answer);
}

static unsigned long count(const struct world *world, const char *name) {
    char text[CONTROL_LINE_MAX];
    const char *found;

    tell(world, "count", text, sizeof(text));
    found = strstr(text, name);
    assert_non_null(found);
    return strtoul(found + strlen(name), NULL, 10);
}

static int setup(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    size_t length;

    if (!world || secret_arena_init() < 0 || http_client_new(KEYSTRAP_HTTP, &world->http) < 0)
        return -1;
    tls_write_files(&world->files, BSF, -DAY, DAY);
    if (hex_decode("465b5ce8b199b49faa5f0a2ee238a6bc", world->card.key.k, MILENAGE_KEY, &length) <
            0 ||
        hex_decode("cd63cb71954a9f4e48a5994e37a02baf", world->card.key.opc, MILENAGE_KEY, &length) <
            0)
        return -1;
    world->parameters = (struct ub_parameters){
        .impi = GATEWAY,
        .bsf = BSF,
        .scheme = "http",
        .path = "/",
        .user_agent = "keystrap",
        .require_rspauth = true,
        .require_auth_int = true,
        .connect_timeout_usec = 10 * USEC_PER_SEC,
        .request_timeout_usec = 10 * USEC_PER_SEC,
    };
    *state = world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    size_t used;

    bsf_stop(world);
    (void)http_client_free(world->http);
    tls_remove_files(&world->files);
    free(world);
    used = secret_arena_used();
    secret_arena_done();
    return used == 0 ? 0 : -1;
}

static int bootstrap(struct world *world, struct ub_result *ret) {
    failure_clear(&world->failure);
    return ub_bootstrap(&world->parameters, &world_ops, world, ret, NULL, &world->failure);
}

static void bootstrap_well(struct world *world, struct ub_result *ret) {
    if (bootstrap(world, ret) != 0)
        fail_msg("%s", world->failure.text);
}

/* The key of the NAF as the BSF tells it. */
static struct secret *key_of_zn(struct world *world, const char *btid, const uint8_t *protocol) {
    _cleanup_http_response_ struct http_response response = {0};
    _cleanup_free_ char *naf_id = NULL;
    uint8_t octets[sizeof(NAF) - 1 + UA_PROTOCOL_LENGTH], key[NAF_KEY_LENGTH];
    char url[1024], escaped[512] = "", *begin;
    struct http_request request = {
        .url = url,
        .connect_timeout_usec = 10 * USEC_PER_SEC,
        .request_timeout_usec = 10 * USEC_PER_SEC,
    };
    size_t length = 0;

    memcpy(octets, NAF, sizeof(NAF) - 1);
    memcpy(octets + sizeof(NAF) - 1, protocol, UA_PROTOCOL_LENGTH);
    assert_int_equal(base64_encode(octets, sizeof(octets), &naf_id), 0);
    for (const char *p = btid; *p; p++)
        (void)snprintf(escaped + strlen(escaped), sizeof(escaped) - strlen(escaped),
                       strchr("+/=@", *p) ? "%%%02X" : "%c", *p);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/zn?btid=%s&nafid=%s", world->zn_port,
                   escaped, naf_id);
    /* The base64 of this NAF_Id has none of the characters that a query needs escaped but "=". */
    assert_int_equal(http_client_ask(world->http, &request, -1, &response, NULL), 0);
    assert_int_equal(response.status, 200);
    begin = strstr((char *)response.body, "\"key\": \"");
    assert_non_null(begin);
    begin += strlen("\"key\": \"");
    assert_int_equal(base64_decode(begin, strcspn(begin, "\""), key, sizeof(key), &length), 0);
    assert_int_equal(length, NAF_KEY_LENGTH);
    return secret_of(key, sizeof(key));
}

static void assert_agreed(struct world *world, const struct ub_result *result) {
    _cleanup_secret_ struct secret *ours = NULL, *theirs = key_of_zn(world, result->btid, ua);

    assert_int_equal(ub_result_derive(result, NAF, ua, &ours), 0);
    assert_true(secret_equal(ours, theirs));
}

/* What a GBA_U card would derive, from the session that it keeps. */
static struct secret *card_derive(const struct card *card, const uint8_t *protocol) {
    _cleanup_secret_ struct secret *ck = secret_of(card->ck, MILENAGE_KEY);
    _cleanup_secret_ struct secret *ik = secret_of(card->ik, MILENAGE_KEY), *ks = NULL;
    struct secret *key = NULL;

    assert_int_equal(gba_ks(ck, ik, &ks), 0);
    assert_int_equal(gba_derive_naf_key(ks, card->rand, GATEWAY, NAF, protocol, &key), 0);
    return key;
}

/* --- Tests ---------------------------------------------------------------------------------------- */

static void test_gba_me_with_either_akav1_or_akav2(void **state) {
    struct world *world = *state;

    bsf_start(world, "--akav2");
    for (int akav2 = 0; akav2 < 2; akav2++) {
        _cleanup_ub_result_ struct ub_result result = {0};

        world->parameters.akav2 = akav2;
        bootstrap_well(world, &result);
        assert_agreed(world, &result);
        assert_int_equal(count(world, "akav2 "), akav2);
    }
}

static void test_a_card_ahead_of_the_network_is_resynchronised_with_both(void **state) {
    struct world *world = *state;

    bsf_start(world, "--akav2");
    for (int akav2 = 0; akav2 < 2; akav2++) {
        _cleanup_ub_result_ struct ub_result result = {0};

        world->parameters.akav2 = akav2;
        world->card.sqn = UINT64_C(0xffa000000000) + (UINT64_C(0x100000) << (unsigned)akav2);
        bootstrap_well(world, &result);
        assert_true(result.resynchronised);
        assert_agreed(world, &result);
    }
}

static void test_gba_u_leaves_the_ks_in_the_card(void **state) {
    struct world *world = *state;
    _cleanup_ub_result_ struct ub_result result = {0};
    _cleanup_secret_ struct secret *ours = NULL, *theirs = NULL;

    world->parameters.mode = GBA_MODE_U;
    world->parameters.akav2 = true;
    world->card.gba_u = true;
    bsf_start(world, "--mode u --akav2");
    bootstrap_well(world, &result);
    assert_null(result.ks);
    assert_int_equal(count(world, "akav2 "), 0);
    ours = card_derive(&world->card, ua);
    theirs = key_of_zn(world, result.btid, ua);
    assert_true(secret_equal(ours, theirs));
}

/* Whoever guesses the wrong mode is told so by the card, and the right one works after it with a new challenge. */
static void test_the_wrong_mode_is_found_out_and_the_other_works(void **state) {
    struct world *world = *state;

    bsf_start(world, "");
    for (int u = 0; u < 2; u++) {
        _cleanup_ub_result_ struct ub_result result = {0};

        tell(world, u ? "ways mode u" : "ways mode me", NULL, 0);
        world->card.gba_u = !u;
        world->parameters.mode = u ? GBA_MODE_ME : GBA_MODE_U;
        assert_int_equal(bootstrap(world, &result), UB_E_NETWORK_AUTH);
        world->card.gba_u = u;
        world->parameters.mode = u ? GBA_MODE_U : GBA_MODE_ME;
        bootstrap_well(world, &result);
    }
}

static void test_a_temporary_identity_lasts_until_the_bsf_forgets_it(void **state) {
    struct world *world = *state;
    _cleanup_ub_result_ struct ub_result first = {0}, second = {0}, third = {0}, silent = {0};

    bsf_start(world, "--tmpi");
    bootstrap_well(world, &silent); /* who does not say that it knows them is not told */
    assert_false(silent.server_tmpi);
    world->parameters.tmpi_wanted = true;
    bootstrap_well(world, &first);
    assert_true(first.server_tmpi);
    assert_false(first.by_tmpi);

    world->parameters.tmpi = first.tmpi;
    bootstrap_well(world, &second);
    assert_true(second.by_tmpi);
    assert_agreed(world, &second);
    assert_string_not_equal(second.tmpi, first.tmpi);
    assert_int_equal(count(world, "unknown "), 0);

    tell(world, "forget", NULL, 0);
    world->parameters.tmpi = second.tmpi;
    bootstrap_well(world, &third);
    assert_false(third.by_tmpi);
    assert_int_equal(count(world, "unknown "), 1);
    assert_agreed(world, &third);
}

/* In GBA_U the card derives it, as the key of a NAF that has the BSF's name. */
static void test_a_temporary_identity_with_gba_u(void **state) {
    struct world *world = *state;
    _cleanup_ub_result_ struct ub_result first = {0}, second = {0};
    _cleanup_secret_ struct secret *ck = NULL, *ik = NULL, *ks = NULL, *key = NULL;
    char tmpi[TMPI_MAX + 1], bsf[NAF_FQDN_MAX + 1];

    world->parameters.mode = GBA_MODE_U;
    world->parameters.tmpi_wanted = true;
    world->card.gba_u = true;
    bsf_start(world, "--mode u --tmpi");
    bootstrap_well(world, &first);
    assert_true(first.server_tmpi);
    assert_string_equal(first.tmpi, "");

    assert_true(gba_bsf_id_of_btid(first.btid, bsf));
    ck = secret_of(world->card.ck, MILENAGE_KEY);
    ik = secret_of(world->card.ik, MILENAGE_KEY);
    assert_int_equal(gba_ks(ck, ik, &ks), 0);
    assert_int_equal(gba_derive_naf_key(ks, world->card.rand, GATEWAY, bsf, GBA_UA_TMPI, &key), 0);
    assert_int_equal(gba_tmpi_from_key(key, tmpi), 0);
    world->parameters.tmpi = tmpi;
    bootstrap_well(world, &second);
    assert_true(second.by_tmpi);
}

static void test_2g_gba_over_https(void **state) {
    struct world *world = *state;
    _cleanup_ub_result_ struct ub_result result = {0};

    world->parameters.mode = GBA_MODE_2G;
    bsf_start_tls(world, "--mode 2g");
    bootstrap_well(world, &result);
    assert_agreed(world, &result);
}

/* The proof is bound to the TLS connection, which both sides must see alike, in TLS 1.2 as in 1.3. */
static void test_gba_digest_over_https(void **state) {
    static const char *const priorities[] = {"--tls-priority NORMAL:-VERS-ALL:+VERS-TLS1.2",
                                             "--tls-priority NORMAL:-VERS-ALL:+VERS-TLS1.3"};
    struct world *world = *state;

    for (size_t i = 0; i < 2; i++) {
        _cleanup_secret_ struct secret *right = secret_of("open sesame", 11);
        _cleanup_secret_ struct secret *wrong = secret_of("open barley", 11);
        _cleanup_ub_result_ struct ub_result result = {0};

        world->parameters.mode = GBA_MODE_DIGEST;
        world->parameters.impi = CAMERA;
        world->parameters.password = right;
        bsf_start_tls(world, priorities[i]);
        bootstrap_well(world, &result);
        assert_agreed(world, &result);
        assert_int_equal(world->card.authentications, 0);
        world->parameters.password = wrong;
        assert_int_equal(bootstrap(world, &result), UB_E_RESPONSE_REJECTED);
        bsf_stop(world);
    }
}

static void test_pushed_keys_are_those_of_the_bsf(void **state) {
    static const uint8_t push_ua[UA_PROTOCOL_LENGTH] = {1, 0, 0, 0, 5};
    struct world *world = *state;

    bsf_start(world, "");
    for (int u = 0; u < 2; u++) {
        _cleanup_uicc_aka_ struct uicc_aka aka = {0};
        _cleanup_secret_ struct secret *ks = NULL, *ours = NULL, *theirs = NULL;
        char text[CONTROL_LINE_MAX];
        uint8_t octets[GPI_MAX];
        size_t length = 0;
        struct gpi gpi;

        tell(world,
             u ? "gpi " GATEWAY " " NAF " 0100000005 u" : "gpi " GATEWAY " " NAF " 0100000005",
             text, sizeof(text));
        assert_int_equal(hex_decode(strncmp(text, "ok ", 3) == 0 ? text + 3 : text, octets,
                                    sizeof(octets), &length),
                         0);
        assert_int_equal(gpi_parse(octets, length, &gpi, &world->failure), 0);
        assert_int_equal(gpi.mode, u ? GBA_MODE_U : GBA_MODE_ME);
        assert_string_equal(gpi.naf_fqdn, NAF);

        world->card.gba_u = u;
        assert_int_equal(authenticate(&world->card, gpi.rand, gpi.autn, &aka), 0);
        if (u) {
            ours = card_derive(&world->card, push_ua);
        } else {
            assert_int_equal(gba_ks(aka.ck, aka.ik, &ks), 0);
            assert_int_equal(gba_derive_naf_key(ks, gpi.rand, GATEWAY, NAF, push_ua, &ours), 0);
        }
        assert_int_equal(gpi_check(&gpi, octets, ours, &world->failure), 0);
        theirs = key_of_zn(world, gpi.ptid, push_ua);
        assert_true(secret_equal(ours, theirs));
    }
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_gba_me_with_either_akav1_or_akav2),
        world_test(test_a_card_ahead_of_the_network_is_resynchronised_with_both),
        world_test(test_gba_u_leaves_the_ks_in_the_card),
        world_test(test_the_wrong_mode_is_found_out_and_the_other_works),
        world_test(test_a_temporary_identity_lasts_until_the_bsf_forgets_it),
        world_test(test_a_temporary_identity_with_gba_u),
        world_test(test_2g_gba_over_https),
        world_test(test_gba_digest_over_https),
        world_test(test_pushed_keys_are_those_of_the_bsf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
