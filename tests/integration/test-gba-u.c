/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA_U: keys whose Ks never leaves the card; the mode that card and BSF agree on; the ISIM; the PIN.
 */

#include "gateway.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUMP     "pump" /* GBA_U, with an ISIM */
#define PUMP_BSF "bsf.ims.lab.example"

static void card_property(struct gateway *gateway, const char *name, char *ret, size_t size) {
    gateway_property_of(gateway, "/org/keystrap/Agent1/uicc/default", "org.keystrap.Agent1.Uicc",
                        name, ret, size);
}

static void assert_card_property(struct gateway *gateway, const char *name, const char *expected) {
    char value[256];

    card_property(gateway, name, value, sizeof(value));
    assert_string_equal(value, expected);
}

static void restart_keystrapd(struct gateway *gateway) {
    assert_int_equal(world_signal(gateway->keystrapd, SIGKILL), 0);
    assert_int_equal(world_wait(gateway->keystrapd, WORLD_WAIT_MSEC), 0);
    gateway->keystrapd = world_start_keystrapd(gateway->world, NULL);
    assert_non_null(gateway->keystrapd);
}

static void the_naf_accepts_a_key_that_the_card_derived(void **state) {
    struct gateway gateway;

    gateway_start_with(&gateway, *state, PUMP, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_card_property(&gateway, "GbaMode", "u");
    /* The bootstrap, the key, and the temporary identity where the BSF has one. */
    assert_true(gateway_count(gateway.usim, "authenticates") >= 2);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
    /* Another application's key comes from the card, too. */
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

static void a_card_that_computes_with_tuak_is_as_good_as_any(void **state) {
    struct gateway gateway;

    gateway_start_with(&gateway, *state, "lamp", NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_card_property(&gateway, "GbaMode", "u");
    assert_int_equal(world_ctl(gateway.bsf, "ways mode me", NULL, 0), 0);
    assert_int_equal(world_ctl(gateway.usim, "fault stale-sqn", NULL, 0), 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_card_property(&gateway, "GbaMode", "me");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

static void after_sigkill_the_bootstrap_in_the_card_is_gone_on_with(void **state) {
    struct gateway gateway;
    char first[128], second[128];

    gateway_start_with(&gateway, *state, PUMP, NULL, NULL);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", first, 128), 0);
    restart_keystrapd(&gateway);
    assert_true(gateway_wait_state(&gateway, "bootstrapped"));
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", second, 128), 0);
    assert_string_equal(first, second);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

static void a_bsf_that_runs_the_other_mode_gets_one_more_try_and_is_remembered(void **state) {
    struct gateway gateway;

    gateway_start_with(&gateway, *state, PUMP, NULL, NULL);
    assert_int_equal(world_ctl(gateway.bsf, "ways mode me", NULL, 0), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_card_property(&gateway, "GbaMode", "me");
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 2);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 3);
}

static void a_mode_that_is_fixed_is_not_changed(void **state) {
    struct gateway gateway;
    char key[128];

    gateway_start_with(&gateway, *state, PUMP, NULL, "Mode=me");
    assert_int_not_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    assert_true(gateway_said(&gateway, "GBA_U"));
    assert_int_equal(gateway_count(gateway.usim, "authenticates"), 1);
}

static void the_internal_key_is_refused_by_name(void **state) {
    static const char *const argv[] = {"busctl",
                                       "--system",
                                       "call",
                                       "org.keystrap.Agent1",
                                       "/org/keystrap/Agent1",
                                       "org.keystrap.Agent1.Keys",
                                       "DeriveNafKey",
                                       "saya{sv}",
                                       "naf.example.com",
                                       "5",
                                       "1",
                                       "0",
                                       "0",
                                       "0",
                                       "2",
                                       "1",
                                       "KeyType",
                                       "s",
                                       "int",
                                       NULL};
    struct gateway gateway;

    gateway_start_with(&gateway, *state, PUMP, NULL, NULL);
    assert_int_not_equal(world_call_as(gateway.world, WORLD_USER_METER, argv, NULL, 0), 0);
    assert_true(gateway_said(&gateway, "Ks_int_NAF"));
}

static void a_naf_with_a_name_too_long_for_the_card_is_refused_by_name(void **state) {
    struct gateway gateway;
    char name[240] = "", key[128];

    for (size_t i = 0; i < 3; i++)
        (void)snprintf(name + strlen(name), sizeof(name) - strlen(name), "%060d.", 7);
    (void)snprintf(name + strlen(name), sizeof(name) - strlen(name), "%025d.example.com", 7);
    gateway_start_with(&gateway, *state, PUMP, NULL, NULL);
    assert_int_not_equal(gateway_ask(&gateway, WORLD_USER_METER, name, key, 128), 0);
    assert_true(gateway_said(&gateway, "252"));
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
}

static void doctor_lists_the_nafs_that_the_card_keeps_keys_for(void **state) {
    static const char *const argv[] = {"keystrapctl", "doctor", NULL};
    struct gateway gateway;
    char text[4096];

    gateway_start_with(&gateway, *state, PUMP, NULL, NULL);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    (void)world_call_as(gateway.world, WORLD_USER_ROOT, argv, text, sizeof(text));
    assert_non_null(strstr(text, WORLD_NAF_NAME));
}

static void an_isim_is_used_with_its_own_names(void **state) {
    struct gateway gateway;
    char value[256];

    gateway_start_with(&gateway, *state, PUMP, NULL, "[UICC]\nApplication=isim\n");
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_card_property(&gateway, "Application", "isim");
    assert_card_property(&gateway, "Bsf", PUMP_BSF);
    card_property(&gateway, "Applications", value, sizeof(value));
    assert_non_null(strstr(value, "2"));
}

/* --- The PIN ------------------------------------------------------------------------------------------------ */

static void write_credential(const char *directory, const char *name, const char *text) {
    char path[256];
    int fd;

    (void)mkdir(directory, 0755);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void start_with_pin(struct gateway *gateway, struct world *world, const char *pin) {
    static const char *const card[] = {"--pin-enabled", NULL};
    static const char *const env[] = {"CREDENTIALS_DIRECTORY=" WORLD_SCRATCH "/credentials", NULL};

    *gateway = (struct gateway){.world = world};
    write_credential(WORLD_SCRATCH "/credentials", "keystrap.pin1", pin);
    assert_non_null(world_start_bus(world));
    assert_non_null(world_start_pcscd(world));
    gateway->usim = world_start_usim(world, SUBSCRIBER, card);
    assert_non_null(gateway->usim);
    gateway_start_network(gateway, NULL);
    assert_int_equal(world_write_defaults(gateway->bsf), 0);
    gateway->keystrapd = world_spawn_keystrapd(world, NULL, env);
    assert_non_null(gateway->keystrapd);
    assert_int_equal(world_wait_notify(gateway->keystrapd, "READY=1", WORLD_WAIT_MSEC, NULL), 0);
}

static void the_pin_of_the_credential_opens_the_card_again_after_a_reset_by_others(void **state) {
    static const char *const reset[] = {"opensc-tool", "-r", "0", "--reset", NULL};
    struct gateway gateway;

    start_with_pin(&gateway, *state, "1234\n");
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    assert_card_property(&gateway, "PinState", "verified");
    assert_int_equal(world_call_as(gateway.world, WORLD_USER_ROOT, reset, NULL, 0), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
}

static void a_wrong_pin_costs_one_try_whatever_restarts(void **state) {
    struct gateway gateway;
    pid_t plugin;

    start_with_pin(&gateway, *state, "9999\n");
    assert_true(gateway_wait_state(&gateway, "card-unusable"));
    assert_card_property(&gateway, "PinTries", "2");
    plugin = gateway_program("uicc-pcsc");
    assert_true(plugin > 0);
    assert_int_equal(kill(plugin, SIGKILL), 0);
    while (gateway_program("uicc-pcsc") == plugin || gateway_program("uicc-pcsc") == 0)
        ;
    assert_true(gateway_wait_state(&gateway, "card-unusable"));
    assert_card_property(&gateway, "PinTries", "2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_naf_accepts_a_key_that_the_card_derived),
        cmocka_unit_test(a_card_that_computes_with_tuak_is_as_good_as_any),
        cmocka_unit_test(after_sigkill_the_bootstrap_in_the_card_is_gone_on_with),
        cmocka_unit_test(a_bsf_that_runs_the_other_mode_gets_one_more_try_and_is_remembered),
        cmocka_unit_test(a_mode_that_is_fixed_is_not_changed),
        cmocka_unit_test(the_internal_key_is_refused_by_name),
        cmocka_unit_test(a_naf_with_a_name_too_long_for_the_card_is_refused_by_name),
        cmocka_unit_test(doctor_lists_the_nafs_that_the_card_keeps_keys_for),
        cmocka_unit_test(an_isim_is_used_with_its_own_names),
        cmocka_unit_test(the_pin_of_the_credential_opens_the_card_again_after_a_reset_by_others),
        cmocka_unit_test(a_wrong_pin_costs_one_try_whatever_restarts),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
