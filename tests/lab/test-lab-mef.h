/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The scene of the tests that enrol with `keystrap-lab mef`: certificates of make-certificates, enrolees, and those who ask.
 */

#include "mef-process.h"

#include <jansson.h>
#include <time.h>

#include "mef-ask.h"

#define GATEWAY "gateway.example.com"
#define MAF     "maf.example.com"
#define PUMP    "//m2m.example.com/pump-cse"
#define IN_CSE  "//m2m.example.com/in-cse"
#define TOKEN   "2f1c0a9be7d64358"

/* By which the tests know that tests/lab/enrolees.conf says it. */
#define GATEWAY_KPM_ID "10-gateway@mef.example.com"
#define MAF_KPM_ID     "10-maf@mef.example.com"
#define PUMP_KPM_ID    "10-pump@mef.example.com"
#define IN_CSE_KPM_ID  "10-in-cse@mef.example.com"

#define CLIENT_TYPE 40001
#define KEY_TYPE    40002

struct scene {
    struct scratch scratch;
    struct mef_process mef;
    struct mef_asker gateway, maf, pump, in_cse; /* by key */
    char paths[3][160];
};

static inline void asker_by_key(struct mef_asker *asker, unsigned port, const char *identity,
                                const char *kpm_id, uint8_t first) {
    *asker = (struct mef_asker){.port = port, .identity = identity, .kpm_id = kpm_id, .kpm_length = 32};
    for (size_t i = 0; i < 32; i++)
        asker->kpm[i] = (uint8_t)(first + i);
}

/* One with NAME.pem of the scene. */
static inline struct mef_asker asker_by_certificate(struct scene *scene, const char *identity,
                                                    const char *name) {
    (void)snprintf(scene->paths[0], sizeof(scene->paths[0]), "%s/%s.pem", scene->scratch.directory, name);
    (void)snprintf(scene->paths[1], sizeof(scene->paths[1]), "%s/%s.key", scene->scratch.directory, name);
    (void)snprintf(scene->paths[2], sizeof(scene->paths[2]), "%s/ca.pem", scene->scratch.directory);
    return (struct mef_asker){
        .port = scene->mef.https,
        .identity = identity,
        .certificate = scene->paths[0],
        .key = scene->paths[1],
        .anchors = scene->paths[2],
    };
}

static inline void scene_start(struct scene *scene, const char *const *more) {
    static const char *const words[] = {
        "--enrolees",    LAB_ENROLEES,    "--psk-listen", "127.0.0.1:0", "--listen",   "127.0.0.1:0",
        "--coap-listen", "127.0.0.1:0",   "--tls-cert",   "mef.pem",     "--tls-key",  "mef.key",
        "--anchors",     "ca.pem",        NULL,
    };

    mef_process_start(&scene->mef, &scene->scratch, KEYSTRAP_LAB, words, more);
    asker_by_key(&scene->gateway, scene->mef.psk, GATEWAY, GATEWAY_KPM_ID, 0x00);
    asker_by_key(&scene->maf, scene->mef.psk, MAF, MAF_KPM_ID, 0x20);
    asker_by_key(&scene->pump, scene->mef.psk, PUMP, PUMP_KPM_ID, 0x40);
    asker_by_key(&scene->in_cse, scene->mef.psk, IN_CSE, IN_CSE_KPM_ID, 0x60);
}

static inline void scene_stop(struct scene *scene) {
    mef_asker_done(&scene->gateway);
    mef_asker_done(&scene->maf);
    mef_asker_done(&scene->pump);
    mef_asker_done(&scene->in_cse);
    mef_process_stop(&scene->mef);
}

static inline int scene_set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    scratch_open(&scene->scratch);
    must(&scene->scratch, LAB_CERTIFICATES " . 2>&1");
    scene_start(scene, NULL);
    *state = scene;
    return 0;
}

static inline int scene_tear_down(void **state) {
    struct scene *scene = *state;

    scene_stop(scene);
    scratch_close(&scene->scratch);
    free(scene);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

/* m2m:timestamp of a time that is so many seconds from now. */
static inline const char *in_seconds(int64_t seconds, char ret[16]) {
    time_t when = time(NULL) + seconds;
    struct tm tm;

    assert_non_null(gmtime_r(&when, &tm));
    assert_int_equal(strftime(ret, 16, "%Y%m%dT%H%M%S", &tm), 15);
    return ret;
}

static inline int64_t read_time(const char *text) {
    struct tm tm = {0};

    assert_int_equal(strlen(text), 15);
    assert_non_null(strptime(text, "%Y%m%dT%H%M%S", &tm));
    return timegm(&tm);
}

/* Of a client registration; the token may be NULL. */
static inline json_t *registration_body(const char *token) {
    char expires[16];
    json_t *object = json_pack("{s:s,s:s,s:s}", "fqdn", MEF_ASK_FQDN, "expirationTime",
                               in_seconds(3600, expires), "adminFQDN", "admin.example.com");

    if (token)
        assert_int_equal(json_object_set_new(object, "enrolmentToken", json_string(token)), 0);
    return json_pack("{s:o}", "sec:mefClientReg", object);
}

/* Returns the status; "@asker" is registered as @ret_id when it is 201. */
static inline long register_as(struct mef_asker *asker, const char *token, char ret_id[64]) {
    _cleanup_told_ struct mef_told told;

    mef_ask(asker, "POST", "/", CLIENT_TYPE, registration_body(token), &told);
    assert_int_equal(told.error, 0);
    if (told.status == 201 && ret_id)
        (void)snprintf(ret_id, 64, "%s", mef_told_text(&told, "sec:mefClientReg", "clientRegID"));
    return told.status;
}

/* The answer is an error of that kind. */
static inline void assert_refused(const struct mef_told *told, long status, long rsc) {
    assert_int_equal(told->error, 0);
    if (told->status != status || told->rsc != rsc)
        fail_msg("%ld/%ld, not %ld/%ld: %s", told->status, told->rsc, status, rsc,
                 json_string_value(json_object_get(told->body, "error")));
    assert_true(json_string_length(json_object_get(told->body, "error")) > 0);
}

/* KeId of the connection that @asker last used. */
static inline void ke_id_of(const struct mef_asker *asker, char ret[128]) {
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(ret + 2 * i, 3, "%02X", asker->exporter[i]);
    strcpy(ret + 32, "@" MEF_ASK_FQDN);
}
