/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The benchmarks run, and every number that docs/BENCHMARKS.md names is there and can be true.
 *
 * No limit here depends on how fast the machine is.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>

#include "util.h"

#define SKIPPED 77
#define KIB_MAX (64.0 * 1024 * 1024) /* more than any process of the world can have */

static const struct {
    const char *section, *name;
    double least, most;
} numbers[] = {
    {"bootstrap", "agent_own_usec_p50", 1, 60e6},
    {"bootstrap", "agent_own_usec_max", 1, 60e6},
    {"bootstrap", "card_usec_p50", 1, 60e6},
    {"bootstrap", "bsf_usec_p50", 1, 60e6},
    {"bootstrap", "network_usec_p50", 1, 60e6},
    {"bootstrap", "total_usec_p50", 1, 60e6},
    {"bootstrap", "caller_usec_p50", 1, 60e6},
    {"bootstrap", "cold_agent_own_usec_p50", 1, 60e6},
    {"bootstrap", "cold_total_usec_p50", 1, 60e6},
    {"memory", "idle_rss_kib", 100, KIB_MAX},
    {"memory", "idle_anonymous_kib", 10, KIB_MAX},
    {"memory", "idle_proportional_kib", 10, KIB_MAX},
    {"memory", "bootstrapped_rss_kib", 100, KIB_MAX},
    {"memory", "keys_10000_rss_kib", 100, KIB_MAX},
    {"memory", "keys_10000_anonymous_kib", 10, KIB_MAX},
    {"memory", "transport_idle_rss_kib", 100, KIB_MAX},
    {"memory", "transport_idle_anonymous_kib", 10, KIB_MAX},
    {"memory", "http_after_bootstrap_rss_kib", 100, KIB_MAX},
    {"memory", "http_after_bootstrap_anonymous_kib", 10, KIB_MAX},
    {"start", "to_ready_usec_p50", 1, 20e6},
    {"start", "to_ready_usec_max", 1, 20e6},
    {"derivation", "instructions", 500, 1e6},
    {"derivation", "hmac_instructions", 500, 1e6},
    {"derivation", "hmac_new_context_instructions", 500, 1e6},
    {"derivation", "hmac_one_shot_instructions", 500, 1e6},
    {"derivation", "ratio", 0.1, 100},
    {"derivation", "ratio_to_hmac_new_context", 0.1, 100},
    {"derivation", "ratio_to_hmac_one_shot", 0.1, 100},
    {"environment", "cpus", 1, 1e6},
};

static const char *const texts[] = {"kernel", "architecture", "keystrap", "build_type", "compiler",
                                    "libc",   "openssl",      "systemd",  "dbus_daemon"};

static const char *const call_numbers[] = {
    "calls_per_second",
    "p50_usec",
    "p95_usec",
    "p99_usec",
    "ping_calls_per_second",
    "ping_p50_usec",
    "ping_p95_usec",
    "ping_p99_usec",
    "bare_pipe_calls_per_second",
    "bare_pipe_p50_usec",
    "bare_pipe_p95_usec",
    "bare_pipe_p99_usec",
    "bare_pipe_ratio",
    "bare_pipe_ping_ratio",
    "ping_ratio",
    "ping_ratio_worst_slice",
    "ping_ratio_best_slice",
};

static double number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);

    if (!json_is_number(value))
        fprintf(stderr, "no number \"%s\"\n", name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static int run_bench(void **state) {
    FILE *out = popen(KEYSTRAP_BENCH " --smoke", "r");
    json_error_t error;
    json_t *result;
    int status;

    assert_non_null(out);
    result = json_loadf(out, JSON_DISABLE_EOF_CHECK, &error);
    status = pclose(out);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        exit(SKIPPED);
    if (!result)
        fprintf(stderr, "not JSON: %s\n", error.text);
    assert_int_equal(status, 0);
    assert_non_null(result);
    *state = result;
    return 0;
}

static int forget_result(void **state) {
    json_decref(*state);
    return 0;
}

static void every_number_is_there_and_can_be_true(void **state) {
    for (size_t i = 0; i < ELEMENTS(numbers); i++) {
        double value = number(json_object_get(*state, numbers[i].section), numbers[i].name);

        if (!(value >= numbers[i].least && value <= numbers[i].most))
            fprintf(stderr, "%s.%s is %g\n", numbers[i].section, numbers[i].name, value);
        assert_true(value >= numbers[i].least && value <= numbers[i].most);
    }
}

static void calls_are_counted_for_each_number_of_clients(void **state) {
    static const char *const clients[] = {"clients_1", "clients_8", "clients_64"};

    for (size_t i = 0; i < ELEMENTS(clients); i++) {
        const json_t *object = json_object_get(json_object_get(*state, "cached_key"), clients[i]);

        for (size_t j = 0; j < ELEMENTS(call_numbers); j++)
            assert_true(number(object, call_numbers[j]) > 0);
        assert_true(number(object, "p50_usec") <= number(object, "p95_usec"));
        assert_true(number(object, "p95_usec") <= number(object, "p99_usec"));
        assert_true(number(object, "ping_p50_usec") <= number(object, "ping_p99_usec"));
        assert_true(number(object, "ping_ratio_worst_slice") <=
                    number(object, "ping_ratio_best_slice"));
    }
}

/* A ratio that is not the one of the two numbers beside it would be believed by everybody. */
static void ratios_are_those_of_their_numbers(void **state) {
    const json_t *calls = json_object_get(json_object_get(*state, "cached_key"), "clients_8");
    const json_t *derivation = json_object_get(*state, "derivation");

    assert_float_equal(number(calls, "ping_ratio"),
                       number(calls, "calls_per_second") / number(calls, "ping_calls_per_second"),
                       0.01);
    assert_float_equal(
        number(calls, "bare_pipe_ratio"),
        number(calls, "calls_per_second") / number(calls, "bare_pipe_calls_per_second"), 0.01);
    assert_float_equal(number(derivation, "ratio"),
                       number(derivation, "instructions") / number(derivation, "hmac_instructions"),
                       0.01);
}

static void a_bootstrap_is_the_sum_of_its_parts(void **state) {
    const json_t *bootstrap = json_object_get(*state, "bootstrap");

    assert_true(number(bootstrap, "card_usec_p50") < number(bootstrap, "total_usec_p50"));
    assert_true(number(bootstrap, "bsf_usec_p50") < number(bootstrap, "network_usec_p50"));
    assert_true(number(bootstrap, "agent_own_usec_p50") < number(bootstrap, "total_usec_p50"));
    assert_true(number(bootstrap, "total_usec_max") <= number(bootstrap, "caller_usec_max"));
}

static void anonymous_memory_is_a_part_of_the_resident(void **state) {
    const json_t *memory = json_object_get(*state, "memory");

    assert_true(number(memory, "idle_anonymous_kib") < number(memory, "idle_rss_kib"));
    assert_true(number(memory, "keys_10000_anonymous_kib") < number(memory, "keys_10000_rss_kib"));
    assert_true(number(memory, "idle_proportional_kib") <= number(memory, "idle_rss_kib"));
}

static void the_environment_is_told(void **state) {
    const json_t *environment = json_object_get(*state, "environment");

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        const char *text = json_string_value(json_object_get(environment, texts[i]));

        if (!text || !text[0])
            fprintf(stderr, "no \"%s\"\n", texts[i]);
        assert_true(text && text[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_there_and_can_be_true),
        cmocka_unit_test(calls_are_counted_for_each_number_of_clients),
        cmocka_unit_test(ratios_are_those_of_their_numbers),
        cmocka_unit_test(a_bootstrap_is_the_sum_of_its_parts),
        cmocka_unit_test(anonymous_memory_is_a_part_of_the_resident),
        cmocka_unit_test(the_environment_is_told),
    };

    return cmocka_run_group_tests(tests, run_bench, forget_result);
}
