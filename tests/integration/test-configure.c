/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Signed instruction documents on a gateway: made with openssl(1) as somebody elsewhere makes them, handed over with
 * keystrapctl, in force at once and after a restart, and refused by name when they are not what they should be.
 */

#include "gateway.h"

#define PLACE "/run/world/documents"

#define PROFILE                                                                                    \
    "{\"name\": \"field\", \"Enrolment\": {\"Methods\": \"psk\", \"Mef\": \"https://"              \
    "mef.example.com\", \"Target\": \"maf.example.com\", \"Identity\": \"gateway.example.com\"}, " \
    "\"Psk\": {\"KpmId\": \"10-gateway@mef.example.com\", \"Kpm\": \"credential:kpm\"}}"

static int shell(struct gateway *gateway, uid_t uid, const char *line, char *ret, size_t size) {
    const char *const argv[] = {"sh", "-c", line, NULL};

    return world_call_as(gateway->world, uid, argv, ret, size);
}

/* keystrapd with those who may sign in @signers, NULL for nobody; no card, no network. */
static void start(struct gateway *gateway, struct world *world, const char *signers) {
    char config[256] = "";

    *gateway = (struct gateway){.world = world};
    assert_non_null(world_start_bus(world));
    assert_int_equal(world_make_certificates(world), 0);
    if (signers)
        (void)snprintf(config, sizeof(config),
                       "[Agent]\nInstructionSigners=" WORLD_CERTIFICATES "/%s\n", signers);
    assert_int_equal(world_write_config(config), 0);
    assert_int_equal(shell(gateway, WORLD_USER_ROOT, "mkdir -p " PLACE, NULL, 0), 0);
    gateway->keystrapd = world_start_keystrapd(world, NULL);
    assert_non_null(gateway->keystrapd);
}

/* PLACE/NAME.json holds @json, and PLACE/NAME what @signer made of it. */
static void sign(struct gateway *gateway, const char *name, const char *signer, const char *json) {
    char line[2048];

    (void)snprintf(line, sizeof(line),
                   "printf %%s '%s' >" PLACE "/%s.json && openssl cms -sign -binary -nodetach "
                   "-outform DER -signer " WORLD_CERTIFICATES "/%s.pem -inkey " WORLD_CERTIFICATES
                   "/%s.key -in " PLACE "/%s.json -out " PLACE "/%s && chmod 644 " PLACE "/%s",
                   json, name, signer, signer, name, name, name);
    assert_int_equal(shell(gateway, WORLD_USER_ROOT, line, NULL, 0), 0);
}

static int configure(struct gateway *gateway, uid_t uid, const char *name) {
    char path[128];
    const char *const argv[] = {"keystrapctl", "configure", path, NULL};

    (void)snprintf(path, sizeof(path), PLACE "/%s", name);
    return world_call_as(gateway->world, uid, argv, NULL, 0);
}

static bool has_profile(struct gateway *gateway) {
    char text[4096];

    assert_int_equal(shell(gateway, WORLD_USER_STRANGER, "keystrapctl status", text, sizeof(text)),
                     0);
    return strstr(text, "Enrolment    field\nState        idle\n"
                        "Target       maf.example.com (maf)\n") != NULL;
}

static void a_document_is_in_force_at_once_and_after_a_restart(void **state) {
    struct gateway gateway;

    start(&gateway, *state, "gateway.pem");
    sign(&gateway, "first", "gateway", "{\"serial\": 1, \"profiles\": [" PROFILE "]}");
    assert_int_equal(configure(&gateway, WORLD_USER_ROOT, "first"), 0);
    assert_true(has_profile(&gateway));
    assert_int_equal(world_signal(gateway.keystrapd, SIGKILL), 0);
    assert_int_equal(world_wait(gateway.keystrapd, WORLD_WAIT_MSEC), 0);
    gateway.keystrapd = world_start_keystrapd(gateway.world, NULL);
    assert_non_null(gateway.keystrapd);
    assert_true(has_profile(&gateway));

    /* It counts once, also after the restart. */
    assert_int_equal(configure(&gateway, WORLD_USER_ROOT, "first"), 69);
    assert_true(gateway_said(&gateway, "serial"));
    sign(&gateway, "second", "gateway", "{\"serial\": 2, \"remove\": [\"field\"]}");
    assert_int_equal(
        shell(&gateway, WORLD_USER_ROOT, "cat " PLACE "/second | keystrapctl configure -", NULL, 0),
        0);
    assert_false(has_profile(&gateway));
}

static void what_is_not_of_a_signer_changes_nothing(void **state) {
    struct gateway gateway;

    start(&gateway, *state, "gateway.pem");
    sign(&gateway, "forged", "stranger", "{\"serial\": 1, \"profiles\": [" PROFILE "]}");
    assert_int_equal(configure(&gateway, WORLD_USER_ROOT, "forged"), 69);
    sign(&gateway, "good", "gateway", "{\"serial\": 1, \"profiles\": [" PROFILE "]}");
    assert_int_equal(
        shell(&gateway, WORLD_USER_ROOT,
              "sed s/maf.example.com/mad.example.com/ " PLACE "/good >" PLACE "/changed", NULL, 0),
        0);
    assert_int_equal(configure(&gateway, WORLD_USER_ROOT, "changed"), 69);
    assert_int_equal(configure(&gateway, WORLD_USER_ROOT, "good.json"), 64);
    assert_false(has_profile(&gateway));
}

static void who_may_not_manage_may_not_configure(void **state) {
    struct gateway gateway;

    start(&gateway, *state, "gateway.pem");
    sign(&gateway, "good", "gateway", "{\"serial\": 1, \"profiles\": [" PROFILE "]}");
    assert_int_equal(configure(&gateway, WORLD_USER_STRANGER, "good"), 77);
    assert_false(has_profile(&gateway));
}

static void without_a_signer_no_document_is_taken(void **state) {
    struct gateway gateway;

    start(&gateway, *state, NULL);
    sign(&gateway, "good", "gateway", "{\"serial\": 1, \"profiles\": [" PROFILE "]}");
    assert_int_equal(configure(&gateway, WORLD_USER_ROOT, "good"), 69);
    assert_true(gateway_said(&gateway, "InstructionSigners"));
}

static void a_wrong_profile_refuses_the_whole_document(void **state) {
    struct gateway gateway;

    start(&gateway, *state, "gateway.pem");
    sign(&gateway, "wrong", "gateway",
         "{\"serial\": 1, \"profiles\": [" PROFILE
         ", {\"name\": \"other\", \"Enrolment\": {\"Methods\": \"magic\"}}]}");
    assert_int_equal(configure(&gateway, WORLD_USER_ROOT, "wrong"), 64);
    assert_true(gateway_said(&gateway, "magic"));
    assert_false(has_profile(&gateway));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_in_force_at_once_and_after_a_restart),
        cmocka_unit_test(what_is_not_of_a_signer_changes_nothing),
        cmocka_unit_test(who_may_not_manage_may_not_configure),
        cmocka_unit_test(without_a_signer_no_document_is_taken),
        cmocka_unit_test(a_wrong_profile_refuses_the_whole_document),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
