/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The other modes of GBA in the running service, and who the BSF is told that we are: GBA_Digest on a gateway without any
 * card, 2G GBA refused where there is a better one, AKAv2 where it is offered, temporary identities in place of the IMPI.
 */

#include "certificate.h"
#include "gateway.h"

/* --- Who we are ------------------------------------------------------------------------------------ */

static void start_with(struct gateway *gateway, struct world *world, const char *subscriber,
                       const char *const *options, const char *config) {
    char text[2048];

    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    assert_non_null(world_start_pcscd(world));
    gateway->usim = world_start_usim(world, subscriber, NULL);
    assert_non_null(gateway->usim);
    gateway_start_network(gateway, options);
    assert_int_equal(world_write_defaults(gateway->bsf), 0);
    (void)snprintf(text, sizeof(text), "[GBA]\nConnectTo=127.0.0.1:%u\n%s\n", gateway->bsf->port,
                   config);
    assert_int_equal(world_write_config(text), 0);
    gateway->keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(gateway->keystrapd);
}

static void the_second_bootstrap_does_not_name_the_subscriber(void **state) {
    static const char *const tmpi[] = {"--tmpi", NULL};
    struct gateway gateway;

    start_with(&gateway, *state, SUBSCRIBER, tmpi, "");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "tmpis"), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_count(gateway.bsf, "tmpis"), 2); /* the question and the answer */
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);

    /* A BSF that has lost its memory is told the IMPI, in the same bootstrap. */
    assert_int_equal(world_ctl(gateway.bsf, "forget", NULL, 0), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_count(gateway.bsf, "unknown"), 1);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

/* In GBA_U the card derives it. */
static void a_card_with_gba_u_has_temporary_identities_too(void **state) {
    static const char *const tmpi[] = {"--tmpi", NULL};
    struct gateway gateway;

    start_with(&gateway, *state, "pump", tmpi, "Bsf=" WORLD_BSF_NAME);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_count(gateway.bsf, "tmpis"), 2);
    assert_int_equal(gateway_count(gateway.bsf, "unknown"), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

static void tmpi_no_says_nothing_of_temporary_identities(void **state) {
    static const char *const tmpi[] = {"--tmpi", NULL};
    struct gateway gateway;
    char request[512];

    start_with(&gateway, *state, SUBSCRIBER, tmpi, "Tmpi=no");
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_count(gateway.bsf, "tmpis"), 0);
    assert_int_equal(world_ctl(gateway.bsf, "request", request, sizeof(request)), 0);
    assert_null(strstr(request, "3gpp-gba-tmpi"));
}

/* --- AKAv2 ----------------------------------------------------------------------------------------- */

static void akav2_is_used_where_it_is_offered_and_allowed(void **state) {
    static const char *const akav2[] = {"--akav2", NULL};
    struct gateway gateway;
    char text[128];

    start_with(&gateway, *state, SUBSCRIBER, akav2, "");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "akav2"), 1);

    (void)snprintf(text, sizeof(text), "[GBA]\nConnectTo=127.0.0.1:%u\nAkaV2=no\n",
                   gateway.bsf->port);
    assert_int_equal(world_write_config(text), 0);
    free(gateway_reload(&gateway));
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "akav2"), 1);
}

/* --- 2G GBA ---------------------------------------------------------------------------------------- */

static void two_g_gba_is_refused_where_there_is_a_usim(void **state) {
    struct gateway gateway;
    char key[128];

    start_with(&gateway, *state, SUBSCRIBER, NULL, "Mode=2g\nScheme=https");
    assert_int_not_equal(gateway_ask(&gateway, WORLD_USER_METER, WORLD_NAF_NAME, key, 128), 0);
    assert_true(gateway_said(&gateway, "2G GBA is refused"));
    assert_true(gateway_said(&gateway, "Mode=auto"));
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);
}

/* A SIM alone, and a BSF that speaks https: the only place for 2G GBA. */
static void a_sim_has_keys_by_2g_gba(void **state) {
    struct tls_server files = {0};
    const char *const options[] = {
        "--tls-cert", files.certificate, "--tls-key", files.key, "--mode", "2g", NULL};
    struct gateway gateway;
    char config[512];

    write_certificate(&files, &good);
    (void)snprintf(config, sizeof(config), "Mode=2g\nScheme=https\nTrustAnchors=%s",
                   files.certificate);
    start_with(&gateway, *state, "valve", options, config);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

/* Whoever has not asked for it is told that the card is no good, and not taken down to it. */
static void a_sim_is_no_card_for_any_other_mode(void **state) {
    struct gateway gateway;
    char key[128];

    start_with(&gateway, *state, "valve", NULL, "");
    assert_true(gateway_wait_state(&gateway, "card-unusable"));
    assert_int_not_equal(gateway_ask(&gateway, WORLD_USER_METER, WORLD_NAF_NAME, key, 128), 0);
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);
}

/* --- GBA_Digest ------------------------------------------------------------------------------------ */

static void write_password(const char *directory, const char *password) {
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/keystrap.gba-digest", directory);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(password, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

/* A gateway without pcscd and card; its password, NULL for none, is a credential as systemd would give it. */
static void start_digest(struct gateway *gateway, struct world *world, const char *password) {
    static const char credentials[] = WORLD_SCRATCH "/credentials";
    const char *const env[] = {"CREDENTIALS_DIRECTORY=" WORLD_SCRATCH "/credentials", NULL};
    struct tls_server files = {0};
    const char *const options[] = {"--tls-cert", files.certificate, "--tls-key", files.key, NULL};
    char text[2048];

    write_certificate(&files, &good);
    assert_int_equal(mkdir(credentials, 0755), 0);
    if (password)
        write_password(credentials, password);
    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    gateway_start_network(gateway, options);
    assert_int_equal(world_write_defaults(gateway->bsf), 0);
    (void)snprintf(text, sizeof(text),
                   "[GBA]\nMode=digest\nImpi=camera@ims.lab.example\nBsf=" WORLD_BSF_NAME
                   "\nScheme=https\nConnectTo=127.0.0.1:%u\nTrustAnchors=%s\n",
                   gateway->bsf->port, files.certificate);
    assert_int_equal(world_write_config(text), 0);
    gateway->keystrapd = world_spawn_keystrapd(world, NULL, env);
    assert_non_null(gateway->keystrapd);
    assert_int_equal(world_wait_notify(gateway->keystrapd, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
}

static void a_gateway_without_a_card_has_keys_by_its_password(void **state) {
    struct gateway gateway;
    char mode[64];

    start_digest(&gateway, *state, "open sesame\n");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
    gateway_property(&gateway, "State", mode, sizeof(mode));
    assert_string_equal(mode, "bootstrapped");
}

static void a_wrong_password_is_named_and_not_told(void **state) {
    struct gateway gateway;
    char key[128];

    start_digest(&gateway, *state, "open barley\n");
    assert_int_not_equal(gateway_ask(&gateway, WORLD_USER_METER, WORLD_NAF_NAME, key, 128), 0);
    assert_true(gateway_said(&gateway, "did not accept the password"));
    assert_false(gateway_said(&gateway, "barley"));
}

static void without_a_password_the_remedy_is_named(void **state) {
    struct gateway gateway;
    char key[128];

    start_digest(&gateway, *state, NULL);
    assert_int_not_equal(gateway_ask(&gateway, WORLD_USER_METER, WORLD_NAF_NAME, key, 128), 0);
    assert_true(gateway_said(&gateway, "keystrap.gba-digest"));
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_bootstrap_does_not_name_the_subscriber),
        cmocka_unit_test(a_card_with_gba_u_has_temporary_identities_too),
        cmocka_unit_test(tmpi_no_says_nothing_of_temporary_identities),
        cmocka_unit_test(akav2_is_used_where_it_is_offered_and_allowed),
        cmocka_unit_test(two_g_gba_is_refused_where_there_is_a_usim),
        cmocka_unit_test(a_sim_has_keys_by_2g_gba),
        cmocka_unit_test(a_sim_is_no_card_for_any_other_mode),
        cmocka_unit_test(a_gateway_without_a_card_has_keys_by_its_password),
        cmocka_unit_test(a_wrong_password_is_named_and_not_told),
        cmocka_unit_test(without_a_password_the_remedy_is_named),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
